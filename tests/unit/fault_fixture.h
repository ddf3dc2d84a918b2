/* Two stores of the tiny network and draws that are checked, for the tests of fault models. */
#ifndef STOIC_TEST_FAULT_FIXTURE_H
#define STOIC_TEST_FAULT_FIXTURE_H

#include "stoic/fault.h"
#include "tiny_model.h"

static stoic_model *model;
static stoic_store *weights; /* fp32 */
static stoic_store *full;    /* with biases and batch normalisation */

static inline stoic_fault *make(const stoic_store *store, const char *spec) {
    stoic_fault *fault = NULL;
    stoic_error err = {0};
    if (stoic_fault_create(store, spec, 7, &fault, &err) != STOIC_OK)
        fail_msg("%s: %s", spec, err.message);
    return fault;
}

static inline void draw(const stoic_fault *fault, int64_t trial, stoic_hits *hits) {
    stoic_error err = {0};
    if (stoic_fault_draw(fault, trial, hits, &err) != STOIC_OK)
        fail_msg("trial %lld: %s", (long long)trial, err.message);
    for (size_t i = 1; i < hits->count; i++) { /* fixed order, nothing twice */
        const stoic_hit *a = &hits->items[i - 1], *b = &hits->items[i];
        assert_true(a->entry < b->entry || (a->entry == b->entry && a->word < b->word) ||
                    (a->entry == b->entry && a->word == b->word && a->bit < b->bit));
    }
}

/* The bits of a word that holds one weight of at most 64. */
static inline uint64_t stored_bits(const stoic_store *store, int entry, int64_t word) {
    return stoic_store_word(store, entry, word).part[0];
}

/* Number of a hit's word among all words of the store. */
static inline int64_t word_number(const stoic_store *store, const stoic_hit *hit) {
    return stoic_store_entry_at(store, hit->entry)->first_bit / 32 + hit->word;
}

static inline int make_stores(void **state) {
    (void)state;
    model = tiny_model();
    return stoic_store_create(model, "fp32", &weights, NULL) != STOIC_OK ||
           stoic_store_create(model, "fp32,include=weight+bias+bn", &full, NULL) != STOIC_OK;
}

static inline int free_stores(void **state) {
    (void)state;
    stoic_store_free(weights);
    stoic_store_free(full);
    stoic_model_free(model);
    return 0;
}

#endif
