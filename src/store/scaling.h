/*
 * What bit flips do to a scaled weight, in expectation: paper 1's error |e(cW)| / c.
 */
#ifndef STOIC_STORE_SCALING_H
#define STOIC_STORE_SCALING_H

#include "store/field.h"

/* The factor with the least mean expected error of the weights of one channel at bit error rate
 * `ber`: those i with i / inner % channels == channel; `largest` is the largest magnitude. */
float stoic_scaling_best(const stoic_format *format, const stoic_field *protect, double ber,
                         const float *weights, int64_t n, int64_t inner, int64_t channels,
                         int64_t channel, double largest);

#endif
