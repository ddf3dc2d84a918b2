/* Measured seconds. */
#ifndef STOIC_STUDY_TIMING_H
#define STOIC_STUDY_TIMING_H

#include <stddef.h>

#include "stoic/study.h"

double stoic_median(double *values, size_t n); /* sorts them */
/* What a time was taken of (see stoic/explore.h, stoic/compare.h). */
extern const char stoic_time_runtime[], stoic_time_decode_float[], stoic_time_float[];

#endif
