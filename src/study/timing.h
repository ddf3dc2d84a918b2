/* Measured seconds. */
#ifndef STOIC_STUDY_TIMING_H
#define STOIC_STUDY_TIMING_H

#include "stoic/study.h"

/* What a time was taken of (see stoic/explore.h, stoic/compare.h). */
extern const char stoic_time_runtime[], stoic_time_decode_float[], stoic_time_float[];

#endif
