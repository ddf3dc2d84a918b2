/* One batch through a tape and back, without changing a weight: for whoever needs gradients and is
 * no training step. */
#ifndef STOIC_TRAIN_GRADIENT_H
#define STOIC_TRAIN_GRADIENT_H

#include "exec/tape.h"
#include "train/loss.h"

typedef struct stoic_gradient_batch {
    stoic_team *team;
    stoic_tape *tape;
    const stoic_loss *loss;
    int64_t classes;
    const float *images; /* as many as the tape's batch */
    const int *labels;
    int64_t count;    /* images from here on add nothing to the gradient */
    bool finite_only; /* nor do those whose logits are not all finite */
} stoic_gradient_batch;

/* Afterwards the gradients lie in the tape's parameters. */
stoic_status stoic_gradient_run(const stoic_gradient_batch *batch,
                                stoic_error *err) STOIC_MUST_CHECK;

#endif
