/* The weights of paper 1's Fig. 2: -0.5 to 0.5 by 0.01. */
#ifndef STOIC_STUDY_PSEUDO_WEIGHTS_H
#define STOIC_STUDY_PSEUDO_WEIGHTS_H

#include "stoic/model.h"

enum { STOIC_PSEUDO_WEIGHTS = 101 };
const double *stoic_pseudo_weights(void);

/* A network whose only layer has these weights, so that a store can hold them. */
stoic_status stoic_pseudo_model(stoic_model **out, stoic_error *err) STOIC_MUST_CHECK;

#endif
