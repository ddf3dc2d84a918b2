#ifndef STOIC_STATS_MEDIAN_H
#define STOIC_STATS_MEDIAN_H

#include <stddef.h>

/* Of n > 0 measurements, which it sorts; of an even number of them the upper one of the two. */
double stoic_median(double *values, size_t n);

#endif
