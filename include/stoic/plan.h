/*
 * How many faults a campaign needs: sample sizes for a finite population of single faults, for the
 * network as a whole and for its layers and bits.
 *
 * Source: docs/methods.md 6; Leveugle et al., DATE 2009.
 */
#ifndef STOIC_PLAN_H
#define STOIC_PLAN_H

#include "stoic/store.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoic_plan_options {
    const char *store; /* NULL: fp32 */
    const char *fault; /* what may be hit: "exhaustive", with layer=, bits=, tensor=; NULL: all */
    double margin;     /* half the width of the interval */
    double confidence; /* 0 … 1, without the ends */
    double z;          /* instead of the confidence's own quantile; NaN: that */
    double p;          /* the rate that is expected; 0.5 asks for most */
    bool by_layer, by_bit;
} stoic_plan_options;

/* 0.01 at 95 %, p = 0.5, of the model as a whole. */
STOIC_API stoic_plan_options stoic_plan_options_default(void);

typedef struct stoic_plan_group {
    int layer, bit; /* -1 where not grouped by it; layer -1 also is batch normalisation */
    int64_t population;
    int64_t samples; /* for the margin in this group alone */
    int64_t share;   /* of the model's sample, in proportion; all shares add up to it */
} stoic_plan_group;

typedef struct stoic_plan {
    double z;
    int64_t population, samples; /* of the model; their groups add up to the population */
    stoic_plan_group *groups;    /* by layer, then by bit; one where nothing is grouped by */
    size_t n_groups;
} stoic_plan;

/* The caller releases with stoic_plan_deinit(). Fails with STOIC_ERR_ARGUMENT for numbers out of
 * range, and for a fault model that is not exhaustive; as stores and faults do. */
STOIC_API stoic_status stoic_plan_make(const stoic_model *model, const stoic_plan_options *options,
                                       stoic_plan *out, stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_plan_deinit(stoic_plan *plan);

#ifdef __cplusplus
}
#endif
#endif
