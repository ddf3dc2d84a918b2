/* Measured seconds. */
#ifndef STOIC_STUDY_TIMING_H
#define STOIC_STUDY_TIMING_H

#include <stddef.h>

#include "stoic/store.h"

double stoic_median(double *values, size_t n); /* sorts them */
/* Decoding every weight of a store once, tensor after tensor, on one thread: the median of five. */
stoic_status stoic_store_time(const stoic_store *store, double *seconds,
                              stoic_error *err) STOIC_MUST_CHECK;

#endif
