/* Binary floating point with any split of exponent and mantissa, IEEE 754: to and from double. */
#ifndef STOIC_RUNTIME_MINIFLOAT_H
#define STOIC_RUNTIME_MINIFLOAT_H

#include <stdint.h>

/* The code of `value`, rounded once to nearest, ties to even; sign above exponent above mantissa.
 * Subnormals and infinities as IEEE 754 has them; a NaN keeps the top of its payload and is quiet.
 */
uint64_t stoic_minifloat_round(double value, int exponent_bits, int mantissa_bits);
/* Exact: every code of at most 11 exponent and 52 mantissa bits is a double. */
double stoic_minifloat_value(uint64_t code, int exponent_bits, int mantissa_bits);

#endif
