/*
 * What bit flips do to a scaled weight, in expectation: paper 1's error |e(cW)| / c.
 */
#ifndef STOIC_STORE_SCALING_H
#define STOIC_STORE_SCALING_H

#include "store/field.h"

/* E |decode(flip(encode(c W))) - c W| / |c|, where each bit outside `protect` flips with
 * probability `ber`, 0 … 1, by itself. The error is taken against the weight before it was
 * converted, so that rounding, wrapping around and saturation count. Exact up to the rounding of
 * doubles, in time that grows with the bits, not with their patterns. The code is
 * stoic_format_code()'s: `hold` and `saturate` are the format's. affine and int8 have the grid of
 * values from -1 to 1 (of c W).
 *
 * *exact is false, and the result NaN, where no expectation exists: infinities and NaNs have a
 * probability above 0, or `weight` or `c` is no number to scale with. */
double stoic_scaling_error(const stoic_format *format, const stoic_field *protect, double ber,
                           double c, double weight, bool *exact);

/* The factor with the least mean expected error of the weights of one channel at bit error rate
 * `ber`: those i with i / inner % channels == channel; `largest` is the largest magnitude, above 0.
 *
 * Tried are t / largest with t from 0.25 to 1.9999 (floating point) or from an eighth of the range
 * to sixteen times it (fixed point: where few bits flip it may pay that some weights wrap around),
 * and golden sections around the best of them. These see a sample: the 512 largest weights, which
 * decide about wrapping around, and 512 evenly spaced ones, each of which stands for its share of
 * the others. The winner, paper 1's t (1.9999, or 0.985 of the range) and c = 1 are then compared
 * over all weights, so that the result is never worse than the latter two.
 *
 * For floating point the exponent's msb is taken to be protected even where it is not: every mean
 * would be infinite. The same input gives the same factor. */
float stoic_scaling_best(const stoic_format *format, const stoic_field *protect, double ber,
                         const float *weights, int64_t n, int64_t inner, int64_t channels,
                         int64_t channel, double largest);

#endif
