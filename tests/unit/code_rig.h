/* Words with wrong bits, and what a code makes of them. */
#ifndef STOIC_TEST_CODE_RIG_H
#define STOIC_TEST_CODE_RIG_H

#include <stdio.h>

#include "store/layout.h"
#include "store_rig.h"

/* One word of entry 0 and the bits of it that faults can hit. */
typedef struct rig_word {
    const stoic_store *store;
    int64_t number;
    stoic_word bits;
    int n, weights; /* bits that can be hit, weights held */
    int at[64 * STOIC_WORD_PARTS];
    uint64_t data[STOIC_WORD_WEIGHTS];
} rig_word;

/* The data of the weights; `told` is asked of the public interface too, and must agree. */
static inline stoic_verdict rig_read(const rig_word *w, const stoic_word *bits, uint64_t *data) {
    const stoic_code *code = &stoic_layout_of(w->store, 0)->code;
    const uint32_t *side = w->store->lines[0].side;
    float weights[STOIC_WORD_WEIGHTS], weight;
    stoic_verdict told,
        verdict = code->family->decode(code, bits, side ? side[w->number] : 0, w->weights, data);
    assert_int_equal(stoic_store_weights(w->store, 0, w->number, bits, weights, &told), w->weights);
    assert_int_equal(told, verdict);
    for (int i = 0; i < w->weights; i++) {
        stoic_lines_value(w->store, 0, w->number * code->weights + i, data[i], &weight);
        assert_memory_equal(&weight, &weights[i], sizeof weight);
    }
    return verdict;
}

static inline void rig_word_init(rig_word *w, const stoic_store *store, int64_t number) {
    const stoic_store_entry *entry = stoic_store_entry_at(store, 0);
    *w = (rig_word){.store = store, .number = number, .bits = stoic_store_word(store, 0, number)};
    w->weights = stoic_store_held(store, 0, number);
    for (int bit = 0; bit < entry->word_bits; bit++) {
        stoic_place place;
        stoic_store_place(store, 0, number, bit, &place);
        if (place.index < entry->weights)
            w->at[w->n++] = bit;
    }
    assert_int_equal(rig_read(w, &w->bits, w->data), STOIC_WORD_CLEAN);
}

static inline bool rig_is_right(const rig_word *w, const uint64_t *data) {
    return !memcmp(data, w->data, (size_t)w->weights * sizeof *data);
}

typedef struct rig_tally {
    int64_t patterns, clean_wrong, repaired, miscorrected, detected;
} rig_tally;

static inline void rig_try(const rig_word *w, const stoic_word *bits, rig_tally *tally) {
    uint64_t data[STOIC_WORD_WEIGHTS];
    stoic_verdict verdict = rig_read(w, bits, data);
    bool right = rig_is_right(w, data);
    tally->patterns++;
    tally->clean_wrong += verdict == STOIC_WORD_CLEAN && !right;
    tally->repaired += verdict == STOIC_WORD_CORRECTED && right;
    tally->miscorrected += verdict == STOIC_WORD_CORRECTED && !right;
    tally->detected += verdict == STOIC_WORD_DETECTED;
}

/* All patterns of `wrong` (1 to 3) wrong bits. */
static inline rig_tally rig_patterns(const rig_word *w, int wrong) {
    rig_tally tally = {0};
    for (int i = 0; i < w->n; i++) {
        stoic_word one = w->bits;
        rig_flip(&one, w->at[i]);
        if (wrong == 1)
            rig_try(w, &one, &tally);
        for (int k = 0; k < i && wrong > 1; k++) {
            stoic_word two = one;
            rig_flip(&two, w->at[k]);
            if (wrong == 2)
                rig_try(w, &two, &tally);
            for (int m = 0; m < k && wrong > 2; m++) {
                stoic_word three = two;
                rig_flip(&three, w->at[m]);
                rig_try(w, &three, &tally);
            }
        }
    }
    return tally;
}

#endif
