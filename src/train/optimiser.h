/* How a gradient becomes a step, with PyTorch's definitions, so that published recipes carry
 * over. */
#ifndef STOIC_TRAIN_OPTIMISER_H
#define STOIC_TRAIN_OPTIMISER_H

#include "stoic/train.h"

/* Vectors of the parameters' size that an optimiser keeps. */
int stoic_optimiser_states(const stoic_train_options *options);

/*
 * One step for n weights. `g` is multiplied by `factor` first (clipping); `step` counts from 0; m
 * and v are the state, zero at the start, NULL where not kept.
 *
 *   SGD    d = g + decay w;  m = momentum m + d;  w -= lr m, with Nesterov lr (d + momentum m)
 *   Adam   d = g + decay w;  m, v: running means of d and d²;  w -= lr m' / (sqrt(v') + epsilon),
 *          m' and v' corrected for their start at zero (Kingma and Ba 2015)
 *   AdamW  Adam with d = g, and w shrunk by 1 - lr decay first (Loshchilov and Hutter 2019)
 */
void stoic_optimiser_update(const stoic_train_options *options, double lr, double factor,
                            int64_t step, int64_t n, float *w, const float *g, float *m, float *v);

/* The learning rate of a schedule, and whether its text makes sense. */
typedef struct stoic_lr {
    enum { STOIC_LR_NONE, STOIC_LR_COSINE, STOIC_LR_STEP } kind;
    double base, minimum, factor;
    int64_t every;           /* epochs */
    double warmup;           /* epochs */
    int64_t epochs, batches; /* batches an epoch */
} stoic_lr;

stoic_status stoic_lr_create(const stoic_train_options *options, int64_t batches, stoic_lr *out,
                             stoic_error *err) STOIC_MUST_CHECK;
/* For batch `step`, counted over all epochs. */
double stoic_lr_at(const stoic_lr *lr, int64_t step);

#endif
