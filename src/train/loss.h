/* Losses and their gradients with respect to the logits. */
#ifndef STOIC_TRAIN_LOSS_H
#define STOIC_TRAIN_LOSS_H

#include "model/graph.h"
#include "stoic/train.h"

typedef struct stoic_loss {
    stoic_loss_kind kind; /* not AUTO */
    double smoothing;     /* eps: targets (1 - eps) one-hot + eps / classes */
    int64_t batch;        /* images the mean is taken over */
} stoic_loss;

/* One image: its part of the mean, and the gradient of the mean. NaN and infinities go through. */
double stoic_loss_image(const stoic_loss *loss, const float *logits, int64_t classes, int label,
                        float *gradient);

/* AUTO becomes bce where the network ends in a Sigmoid, else ce. */
stoic_loss_kind stoic_loss_choose(const stoic_model *model, stoic_loss_kind asked);
/* Do images and labels fit the network? `what` names the data set where they do not. */
stoic_status stoic_loss_check_data(const stoic_model *model, const stoic_dataset *data,
                                   const char *what, stoic_error *err) STOIC_MUST_CHECK;

#endif
