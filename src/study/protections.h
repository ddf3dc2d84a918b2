/* What is compared: the network as it is, and what `with` asks for. */
#ifndef STOIC_STUDY_PROTECTIONS_H
#define STOIC_STUDY_PROTECTIONS_H

#include "stoic/compare.h"
#include "stoic/store.h"

/* How a protection is run: a network under a store. */
typedef struct stoic_variant {
    stoic_model *model; /* NULL: left out */
    char *store;
    char *kept;    /* where a hardened network was written; NULL: nowhere */
    bool optional; /* one of "all": left out where it cannot be */
} stoic_variant;

typedef struct stoic_variants {
    stoic_protection *protections; /* names and kinds; of each a variant */
    stoic_variant *items;
    int n, capacity;
} stoic_variants;

/* Makes all of them, the baseline first. */
stoic_status stoic_variants_make(const stoic_model *model, const stoic_compare_options *options,
                                 stoic_variants *out, stoic_error *err) STOIC_MUST_CHECK;
/* Leaves one out for the reason in `why`, if it is optional; else fails with it. */
stoic_status stoic_variants_skip(stoic_variants *variants, int i, const stoic_error *why,
                                 stoic_error *err) STOIC_MUST_CHECK;
void stoic_variants_deinit(stoic_variants *variants);
void stoic_protection_deinit(stoic_protection *protection);

#endif
