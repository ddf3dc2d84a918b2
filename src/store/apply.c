/* From hits to edits: the stored words that faults change, decoded again. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "store/layout.h"

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
    if ((unsigned)hit->action > STOIC_SET_WORD)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, entry->name, "hit: unknown action %d",
                          (int)hit->action);
    stoic_place place;
    bool whole = hit->action == STOIC_SET_WORD;
    int last = whole ? -1 : entry->word_bits - 1, first = whole ? -entry->word_weights : 0;
    if (hit->bit < first || hit->bit > last)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, entry->name, "hit: bit %d of a word of %d bits",
                          (int)hit->bit, entry->word_bits);
    stoic_store_place(store, hit->entry, hit->word, hit->bit, &place);
    if (place.index >= entry->weights)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, entry->name,
                          "hit: bit %d of word %lld, which holds fewer weights", (int)hit->bit,
                          (long long)hit->word);
    if (!whole && stoic_field_has(&stoic_layout_of(store, hit->entry)->protect, place.bit))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, entry->name, "hit: the store protects bit %d",
                          place.bit);
    if (stoic_store_is_spared(store, hit->entry, hit->word, hit->bit))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, entry->name,
                          "hit: weight %lld lies aside (aside=), where no fault reaches it",
                          (long long)place.index);
    return STOIC_OK;
}

/* Protected bits and check bits keep their value also when a whole weight is replaced. */
static void corrupt(const stoic_store *store, const stoic_hit *hit, stoic_word *word) {
    const stoic_layout *layout = stoic_layout_of(store, hit->entry);
    const int data = layout->code.data, bit = hit->bit;
    const uint64_t one = (uint64_t)1 << (bit & 63);
    switch (hit->action) {
    case STOIC_FLIP:
        word->part[bit / 64] ^= one;
        break;
    case STOIC_SET_0:
        word->part[bit / 64] &= ~one;
        break;
    case STOIC_SET_1:
        word->part[bit / 64] |= one;
        break;
    default: {
        int at = (-1 - bit) * data;
        int64_t index = hit->word * layout->code.weights - 1 - bit;
        uint64_t keep = layout->protect.bits[0] | ~stoic_store_plain_bits(store, hit->entry, index);
        uint64_t before = stoic_word_get(word, at, data);
        stoic_word_put(word, at, data, (before & keep) | (hit->pattern & ~keep));
    }
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

/* Where edits go: those beyond `room` are only counted. */
typedef struct edit_sink {
    stoic_edit *edits;
    size_t room, needed;
} edit_sink;

/* The weights of a word that differ from those without fault. */
static void compare_words(const stoic_store *store, int entry, int64_t word,
                          const stoic_word *before, const stoic_word *after, edit_sink *sink,
                          stoic_decoded *told) {
    float was[STOIC_WORD_WEIGHTS], now[STOIC_WORD_WEIGHTS];
    stoic_verdict verdict;
    int n = stoic_store_weights(store, entry, word, after, now, &verdict);
    stoic_store_weights(store, entry, word, before, was, NULL);
    told->corrected += verdict == STOIC_WORD_CORRECTED;
    told->detected += verdict == STOIC_WORD_DETECTED;
    told->due = told->due || (verdict == STOIC_WORD_DETECTED &&
                              stoic_layout_of(store, entry)->due == STOIC_DUE_REPORT);
    for (int i = 0; i < n; i++) {
        if (!memcmp(&was[i], &now[i], sizeof now[i])) /* a code may have repaired it */
            continue;
        if (sink->needed < sink->room) {
            stoic_edit *edit = &sink->edits[sink->needed];
            edit->tensor = store->entries[entry].tensor;
            edit->index = word * store->entries[entry].word_weights + i;
            memcpy(&edit->value, &now[i], sizeof now[i]);
        }
        sink->needed++;
    }
}

stoic_status stoic_store_apply(const stoic_store *store, const stoic_hit *hits, size_t n_hits,
                               stoic_edit *edits, size_t *n_edits, stoic_decoded *told,
                               stoic_error *err) {
    place *places = NULL;
    edit_sink sink = {edits, *n_edits, 0};
    stoic_decoded counts = {0};
    *n_edits = 0;
    stoic_status status = sort_hits(store, hits, n_hits, &places, err);
    if (status != STOIC_OK)
        return status;
    for (size_t i = 0; i < n_hits;) {
        const stoic_hit *first = &hits[places ? places[i].order : i];
        const stoic_word before = stoic_store_word(store, first->entry, first->word);
        stoic_word after = before;
        for (; i < n_hits; i++) {
            const stoic_hit *hit = &hits[places ? places[i].order : i];
            if (hit->entry != first->entry || hit->word != first->word)
                break;
            corrupt(store, hit, &after);
        }
        if (memcmp(&before, &after, sizeof after) != 0)
            compare_words(store, first->entry, first->word, &before, &after, &sink, &counts);
    }
    free(places);
    if (told)
        *told = counts;
    *n_edits = sink.needed;
    if (sink.needed > sink.room)
        return stoic_fail(err, STOIC_ERR_MEMORY, "", "%zu edits do not fit into room for %zu",
                          sink.needed, sink.room);
    return STOIC_OK;
}
