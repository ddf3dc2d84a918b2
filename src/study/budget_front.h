/* Which choice for each layer, under a budget: the sums of bits and losses that no other choice
 * beats in both. */
#ifndef STOIC_STUDY_BUDGET_FRONT_H
#define STOIC_STUDY_BUDGET_FRONT_H

#include <stdint.h>

#include "stoic/status.h"

/* What one choice costs a layer. */
typedef struct stoic_layer_option {
    int64_t bits;
    double loss; /* below 0 counts as 0: it is noise */
} stoic_layer_option;

/* A choice for each layer. */
typedef struct stoic_front_point {
    int64_t bits;
    double loss;
    uint8_t *choice; /* n_layers of them */
} stoic_front_point;

typedef struct stoic_front {
    stoic_front_point *points; /* bits rise, losses fall; none where nothing fits */
    int n;
    uint8_t *storage;
} stoic_front;

/* Beyond so many sums after a layer, neighbours are merged: the better of those that differ by less
 * than 1 / 4096 of the range of bits stays. */
enum { STOIC_FRONT_SUMS = 4096 };

/* `options` has n_choices (at most 255) for each layer, layer after layer. Points above `budget`
 * bits are left out. */
stoic_status stoic_front_create(const stoic_layer_option *options, int n_layers, int n_choices,
                                int64_t budget, stoic_front *out, stoic_error *err);
void stoic_front_deinit(stoic_front *front);

#endif
