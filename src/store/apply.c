/* From hits to edits: the stored words that faults change, decoded again. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "store/layout.h"

static const float *weight_at(const stoic_store *store, int entry, int64_t word) {
    const stoic_value *value = &store->model->values[store->entries[entry].tensor];
    return (const float *)stoic_tensor_data(value->constant) + word;
}

uint64_t stoic_store_word(const stoic_store *store, int entry, int64_t word) {
    return stoic_store_encode(store, weight_at(store, entry, word));
}

static void decode(const stoic_store *store, uint64_t bits, float *weight) {
    store->layout.format->decode(store->layout.code->decode(bits), weight);
}

float stoic_store_weight(const stoic_store *store, int entry, int64_t word, uint64_t bits,
                         int64_t *index) {
    float weight;
    (void)entry; /* formats with a scale per tensor will ask which tensor it is */
    decode(store, bits, &weight);
    if (index)
        *index = word;
    return weight;
}

stoic_status stoic_store_decode(const stoic_store *store, int entry, float *weights,
                                stoic_error *err) {
    if (entry < 0 || entry >= store->n_entries)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "entry %d of a store with %d entries", entry,
                          store->n_entries);
    for (int64_t w = 0; w < store->entries[entry].words; w++) {
        int64_t index = 0;
        float value =
            stoic_store_weight(store, entry, w, stoic_store_word(store, entry, w), &index);
        memcpy(&weights[index], &value, sizeof value);
    }
    return STOIC_OK;
}

const char *stoic_action_name(stoic_action action) {
    static const char *const names[] = {"flip", "stuck0", "stuck1", "word"};
    return names[action];
}

static stoic_status check_hit(const stoic_store *store, const stoic_hit *hit, stoic_error *err) {
    if (hit->entry < 0 || hit->entry >= store->n_entries)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "hit: entry %d of a store with %d entries",
                          (int)hit->entry, store->n_entries);
    const stoic_store_entry *entry = &store->entries[hit->entry];
    if (hit->word < 0 || hit->word >= entry->words)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, entry->name, "hit: word %lld of %lld",
                          (long long)hit->word, (long long)entry->words);
    if (hit->action == STOIC_SET_WORD)
        return STOIC_OK;
    if ((unsigned)hit->action > STOIC_SET_WORD)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, entry->name, "hit: unknown action %d",
                          (int)hit->action);
    if (hit->bit < 0 || hit->bit >= entry->word_bits)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, entry->name, "hit: bit %d of a word of %d bits",
                          (int)hit->bit, entry->word_bits);
    if (store->layout.protected_bits >> hit->bit & 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, entry->name, "hit: the store protects bit %d",
                          (int)hit->bit);
    return STOIC_OK;
}

/* Protected bits keep their value also when a whole word is replaced. */
static uint64_t corrupt(const stoic_store *store, const stoic_hit *hit, uint64_t bits) {
    const uint64_t keep = store->layout.protected_bits;
    switch (hit->action) {
    case STOIC_FLIP:
        return bits ^ (uint64_t)1 << hit->bit;
    case STOIC_SET_0:
        return bits & ~((uint64_t)1 << hit->bit);
    case STOIC_SET_1:
        return bits | (uint64_t)1 << hit->bit;
    default:
        return (bits & keep) | (hit->pattern & ~keep);
    }
}

/* A hit's place in the order of edits; `order` keeps hits of one word as they came. */
typedef struct place {
    int64_t word;
    size_t order;
    int rank;
} place;

static place place_of(const stoic_store *store, const stoic_hit *hits, size_t i) {
    place p = {hits[i].word, i, store->rank[hits[i].entry]};
    return p;
}

static int compare_places(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->word != y->word)
        return x->word < y->word ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Checks all hits. *places stays NULL where they stand in order already, as drawn ones mostly do:
 * then nothing is allocated. */
static stoic_status sort_hits(const stoic_store *store, const stoic_hit *hits, size_t n,
                              place **places, stoic_error *err) {
    bool sorted = true;
    *places = NULL;
    for (size_t i = 0; i < n; i++) {
        stoic_status status = check_hit(store, &hits[i], err);
        if (status != STOIC_OK)
            return status;
        if (i > 0) {
            place last = place_of(store, hits, i - 1), this = place_of(store, hits, i);
            sorted = sorted && compare_places(&last, &this) < 0;
        }
    }
    if (sorted)
        return STOIC_OK;
    *places = n < SIZE_MAX / sizeof **places ? malloc(n * sizeof **places) : NULL;
    if (!*places)
        return stoic_fail_memory(err, "hits", (unsigned long long)n * sizeof **places);
    for (size_t i = 0; i < n; i++)
        (*places)[i] = place_of(store, hits, i);
    qsort(*places, n, sizeof **places, compare_places);
    return STOIC_OK;
}

stoic_status stoic_store_apply(const stoic_store *store, const stoic_hit *hits, size_t n_hits,
                               stoic_edit *edits, size_t *n_edits, stoic_error *err) {
    place *places = NULL;
    size_t needed = 0, room = *n_edits;
    *n_edits = 0;
    stoic_status status = sort_hits(store, hits, n_hits, &places, err);
    if (status != STOIC_OK)
        return status;
    for (size_t i = 0; i < n_hits;) {
        const stoic_hit *first = &hits[places ? places[i].order : i];
        const uint64_t before = stoic_store_word(store, first->entry, first->word);
        uint64_t after = before;
        for (; i < n_hits; i++) {
            const stoic_hit *hit = &hits[places ? places[i].order : i];
            if (hit->entry != first->entry || hit->word != first->word)
                break;
            after = corrupt(store, hit, after);
        }
        float was, now;
        decode(store, before, &was);
        decode(store, after, &now);
        if (!memcmp(&was, &now, sizeof now)) /* a code may have repaired it */
            continue;
        if (needed < room) {
            edits[needed].tensor = store->entries[first->entry].tensor;
            edits[needed].index = first->word;
            memcpy(&edits[needed].value, &now, sizeof now);
        }
        needed++;
    }
    free(places);
    *n_edits = needed;
    if (needed > room)
        return stoic_fail(err, STOIC_ERR_MEMORY, "", "%zu edits do not fit into room for %zu",
                          needed, room);
    return STOIC_OK;
}
