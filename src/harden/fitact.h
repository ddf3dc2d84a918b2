/* What the two halves of fitact share: the graph, and the training of its bounds. */
#ifndef STOIC_HARDEN_FITACT_H
#define STOIC_HARDEN_FITACT_H

#include "harden/pass.h"

typedef struct stoic_fit {
    int node;   /* the activation */
    int value;  /* what is fitted: its output, behind its filters */
    int lambda; /* the constant in `model` */
} stoic_fit;

typedef struct stoic_fitact {
    stoic_pass_run *run;
    stoic_model *model; /* with the fitted activations */
    stoic_fit *fits;
    size_t n;
} stoic_fitact;

/* Trains the bounds; f->model becomes the model with the new ones. */
stoic_status stoic_fitact_tune(stoic_fitact *f, stoic_error *err);

#endif
