/* What can be flipped, and what that changes in the weights. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "store/layout.h"
#include "study/attack_inside.h"

void stoic_move_reader_init(stoic_move_reader *r, const stoic_attack_run *run) {
    *r = (stoic_move_reader){.run = run, .entry = -1};
}

void stoic_move_reader_deinit(stoic_move_reader *r) {
    stoic_hits_deinit(&r->hits);
}

static void flip(stoic_word *word, int bit) {
    word->part[bit / 64] ^= (uint64_t)1 << (bit & 63);
}

static bool is_flipped(const stoic_attack_run *run, const stoic_hit *hit) {
    for (size_t i = 0; i < run->flipped.count; i++) {
        const stoic_hit *old = &run->flipped.items[i];
        if (old->entry == hit->entry && old->word == hit->word && old->bit == hit->bit)
            return true;
    }
    return false;
}

static void hold_word(stoic_move_reader *r, int32_t entry, int64_t word) {
    const stoic_attack_run *run = r->run;
    if (r->entry == entry && r->word == word)
        return;
    r->entry = entry;
    r->word = word;
    r->bits = stoic_store_word(run->store, entry, word);
    for (size_t i = 0; i < run->flipped.count; i++) {
        const stoic_hit *old = &run->flipped.items[i];
        if (old->entry == entry && old->word == word)
            flip(&r->bits, old->bit);
    }
    stoic_store_weights(run->store, entry, word, &r->bits, r->was, NULL);
}

/* Does the bit hold something, or is it where a short last word has no weight, or one that lies
 * aside? */
static bool holds(const stoic_store *store, const stoic_hit *hit) {
    stoic_place place;
    stoic_store_place(store, hit->entry, hit->word, hit->bit, &place);
    return place.index < stoic_store_entry_at(store, hit->entry)->weights &&
           !stoic_store_is_spared(store, hit->entry, hit->word, hit->bit);
}

static void decode(stoic_move_reader *r, stoic_move_effect *out) {
    const stoic_store *store = r->run->store;
    const stoic_store_entry *entry = stoic_store_entry_at(store, r->entry);
    float now[STOIC_WORD_WEIGHTS];
    stoic_verdict verdict;
    stoic_word bits = r->bits;
    for (int i = 0; i < out->n_hits; i++)
        flip(&bits, out->hits[i].bit);
    int n = stoic_store_weights(store, r->entry, r->word, &bits, now, &verdict);
    for (int i = 0; i < n; i++) {
        if (!memcmp(&r->was[i], &now[i], sizeof now[i]))
            continue;
        out->before[out->n_edits] = r->was[i];
        out->edits[out->n_edits++] =
            (stoic_edit){entry->tensor, now[i], r->word * entry->word_weights + i};
    }
    out->due =
        verdict == STOIC_WORD_DETECTED && stoic_layout_of(store, r->entry)->due == STOIC_DUE_REPORT;
}

stoic_status stoic_move_read(stoic_move_reader *r, int64_t site, int32_t partner,
                             stoic_move_effect *out, stoic_error *err) {
    stoic_status status = stoic_fault_draw(r->run->space, site, &r->hits, err);
    if (status != STOIC_OK)
        return status;
    const stoic_hit *hit = &r->hits.items[0];
    out->n_hits = out->n_edits = 0;
    out->due = false;
    if (is_flipped(r->run, hit))
        return STOIC_OK;
    if (partner >= 0) {
        out->hits[0] = *hit;
        out->hits[0].bit = partner;
        if (is_flipped(r->run, &out->hits[0]) || !holds(r->run->store, &out->hits[0]))
            return STOIC_OK;
        out->n_hits++;
    }
    out->hits[out->n_hits++] = *hit;
    hold_word(r, hit->entry, hit->word);
    decode(r, out);
    return STOIC_OK;
}

stoic_status stoic_move_at(stoic_move_reader *r, int64_t site, stoic_move *move,
                           stoic_move_effect *effect, bool *exists, stoic_error *err) {
    stoic_status status = STOIC_OK;
    *move = (stoic_move){.site = site, .partner = -1};
    *exists = false;
    TRY(stoic_move_read(r, site, -1, effect, err));
    if (effect->n_hits == 0)
        goto done;
    *exists = effect->n_edits > 0 || effect->due;
    const int16_t *partners = r->run->partners[r->entry];
    if (*exists || r->run->flips_left < 2 || partners[effect->hits[0].bit] < 0)
        goto done;
    move->partner = partners[effect->hits[0].bit];
    TRY(stoic_move_read(r, site, move->partner, effect, err));
    *exists = effect->n_hits == 2 && (effect->n_edits > 0 || effect->due);
done:
    return status;
}

/* ---- pairs ---- */

/* A word of an entry in which no weight lies aside; the first, where there is none such. */
static int64_t typical_word(const stoic_store *store, int entry) {
    const int64_t words = stoic_store_entry_at(store, entry)->words;
    int64_t word = 0;
    while (word < words && stoic_store_spared(store, entry, word))
        word++;
    return word < words ? word : 0;
}

/* The bits of a word of an entry that may be hit; none where its format has no such field,
 * which only layers that are not searched may lack. */
static void select_bits(const stoic_attack_run *run, int entry, int64_t word, bool *selected) {
    const char *bits = run->options->bits ? run->options->bits : "all";
    const stoic_store_entry *e = stoic_store_entry_at(run->store, entry);
    stoic_field field;
    bool known = stoic_store_bits(run->store, entry, bits, &field, NULL) == STOIC_OK;
    for (int bit = 0; known && bit < e->word_bits; bit++) {
        stoic_place place;
        stoic_store_place(run->store, entry, word, bit, &place);
        selected[bit] = place.index < e->weights && stoic_field_has(&field, place.bit);
    }
}

static bool changes(const stoic_move_reader *r, int first, int second) {
    stoic_move_effect effect = {.n_hits = 0};
    stoic_move_reader reader = *r;
    effect.hits[effect.n_hits++].bit = first;
    if (second >= 0)
        effect.hits[effect.n_hits++].bit = second;
    decode(&reader, &effect);
    return effect.n_edits > 0 || effect.due;
}

/* From the last bit down, so that redundancy comes first: then it is the bit itself that changes,
 * and not another one as well. Found on one word of the entry; a pair is looked at again where it
 * is used. */
static stoic_status pair_entry(stoic_attack_run *run, int entry, stoic_error *err) {
    enum { MOST = 64 * STOIC_WORD_PARTS };
    const stoic_store_entry *e = stoic_store_entry_at(run->store, entry);
    int16_t *partners = malloc(MOST * sizeof *partners);
    bool selected[MOST] = {false};
    stoic_move_reader reader;
    run->partners[entry] = partners;
    if (!partners)
        return stoic_fail_memory(err, "pairs of bits", MOST * sizeof *partners);
    for (int bit = 0; bit < MOST; bit++)
        partners[bit] = -1;
    if (!stoic_store_is_coded(run->store) || e->words == 0)
        return STOIC_OK;
    const int64_t word = typical_word(run->store, entry);
    select_bits(run, entry, word, selected);
    stoic_move_reader_init(&reader, run);
    hold_word(&reader, entry, word);
    for (int bit = 0; bit < e->word_bits; bit++) {
        if (!selected[bit] || changes(&reader, bit, -1))
            continue;
        for (int other = e->word_bits - 1; other >= 0 && partners[bit] < 0; other--) {
            if (other != bit && selected[other] && changes(&reader, bit, other))
                partners[bit] = (int16_t)other;
        }
    }
    return STOIC_OK;
}

stoic_status stoic_moves_pair(stoic_attack_run *run, stoic_error *err) {
    int entries = stoic_store_entry_count(run->store);
    run->partners = calloc((size_t)entries + 1, sizeof *run->partners);
    if (!run->partners)
        return stoic_fail_memory(err, "pairs of bits", (size_t)entries * sizeof *run->partners);
    for (int i = 0; i < entries; i++) {
        stoic_status status = pair_entry(run, i, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

void stoic_moves_unpair(stoic_attack_run *run) {
    for (int i = 0; run->partners && i < stoic_store_entry_count(run->store); i++)
        free(run->partners[i]);
    free(run->partners);
}
