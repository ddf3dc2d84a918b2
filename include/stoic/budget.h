/*
 * A store for each layer, under a budget of bits: which width, with the code or without, so that
 * faults and rounding together take as little accuracy as possible.
 *
 * First every choice is measured in every layer alone: the layer lies in it and is hit at the
 * largest bit error rate, the others are float32 and are not. What that takes from the accuracy of
 * the float32 network is the layer's loss. Losses are summed over the layers, which is a guess;
 * the choices that no other beats in bits and summed loss are then measured as stores, by
 * campaigns in which every layer is hit, beside the choices in all layers at once.
 *
 * Beyond paper 3 (FORTUNE), which has one width for all layers.
 */
#ifndef STOIC_BUDGET_H
#define STOIC_BUDGET_H

#include "stoic/explore.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One choice in one layer. */
typedef struct stoic_layer_loss {
    int layer;  /* as in stoic_model_layer() */
    int choice; /* its position among the choices */
    int64_t bits;
    stoic_interval loss; /* Student's t over the trials; may come out below 0 */
} stoic_layer_loss;

/* One store that was measured, for the largest bit error rate. */
typedef struct stoic_budget_point {
    double predicted;    /* sum of the layers' losses, those below 0 taken as 0; NaN: baseline */
    stoic_interval loss; /* accuracy of the float32 network - mean accuracy with faults */
    bool pareto;         /* no other measured store needs no more bits and loses no more */
} stoic_budget_point;

typedef struct stoic_budget {
    stoic_exploration *measured; /* the 8-bit baseline, choices in all layers, and mixtures */
    stoic_budget_point *points;  /* one for each of its stores */
    char **choices;              /* specs: wide before narrow, with the code before without */
    int n_choices;
    stoic_layer_loss *losses; /* n_choices for each layer, layer after layer */
    int n_losses;
    double ber;            /* the largest rate, at which losses are measured */
    double float_accuracy; /* of the network as it is */
    int64_t budget;
    int chosen; /* the store within the budget that loses least; the narrower of equals */
} stoic_budget;

/* `options` as for stoic_explore(), without limits and `all`. Fails with STOIC_ERR_ARGUMENT for a
 * budget that the cheapest choices exceed (says how many bits they take), and as stoic_explore().
 */
STOIC_API stoic_status stoic_explore_budget(const stoic_model *model, const stoic_dataset *data,
                                            const stoic_explore_options *options, int64_t budget,
                                            stoic_budget **out, stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_budget_free(stoic_budget *budget);

#ifdef __cplusplus
}
#endif
#endif
