/* Losses and their gradients with respect to the logits. */
#ifndef STOIC_TRAIN_LOSS_H
#define STOIC_TRAIN_LOSS_H

#include "stoic/train.h"

typedef struct stoic_loss {
    stoic_loss_kind kind; /* not AUTO */
    double smoothing;     /* eps: targets (1 - eps) one-hot + eps / classes */
    int64_t batch;        /* images the mean is taken over */
} stoic_loss;

/* One image: its part of the mean, and the gradient of the mean. NaN and infinities go through. */
double stoic_loss_image(const stoic_loss *loss, const float *logits, int64_t classes, int label,
                        float *gradient);

#endif
