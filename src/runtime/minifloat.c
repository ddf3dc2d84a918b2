#include "runtime/minifloat.h"

#include <string.h>

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

enum { DOUBLE_MANTISSA = 52, DOUBLE_BIAS = 1023, DOUBLE_SPECIAL = 2047 };

/* `bits` without its lowest `shift` bits, rounded to nearest, ties to even. */
static uint64_t shift_round(uint64_t bits, int shift) {
    if (shift <= 0)
        return bits << -shift;
    if (shift > 60)
        return 0; /* bits < 2^53: less than half */
    uint64_t kept = bits >> shift, rest = bits & (((uint64_t)1 << shift) - 1);
    uint64_t half = (uint64_t)1 << (shift - 1);
    return kept + (rest > half || (rest == half && (kept & 1)));
}

uint64_t stoic_minifloat_round(double value, int exponent_bits, int mantissa_bits) {
    uint64_t bits = bits_of(value), fraction = bits & (((uint64_t)1 << DOUBLE_MANTISSA) - 1);
    int exponent = (int)(bits >> DOUBLE_MANTISSA & DOUBLE_SPECIAL);
    int bias = (1 << (exponent_bits - 1)) - 1;
    uint64_t sign = (bits >> 63) << (exponent_bits + mantissa_bits);
    uint64_t infinite = (((uint64_t)1 << exponent_bits) - 1) << mantissa_bits;
    int dropped = DOUBLE_MANTISSA - mantissa_bits;
    if (exponent == DOUBLE_SPECIAL && fraction)
        return sign | infinite | (uint64_t)1 << (mantissa_bits - 1) | fraction >> dropped;
    if (exponent == DOUBLE_SPECIAL)
        return sign | infinite;
    if (dropped == 0)
        return bits; /* double itself */
    if (exponent == 0)
        return sign; /* below half the smallest value of any narrower format */
    int e = exponent - DOUBLE_BIAS + bias; /* the biased exponent of the result, if it is normal */
    fraction |= (uint64_t)1 << DOUBLE_MANTISSA;
    /* A carry out of the mantissa adds one to the exponent, as it should. */
    uint64_t code = e > 0 ? ((uint64_t)(e - 1) << mantissa_bits) + shift_round(fraction, dropped)
                          : shift_round(fraction, dropped + 1 - e);
    return sign | (code > infinite ? infinite : code);
}

double stoic_minifloat_value(uint64_t code, int exponent_bits, int mantissa_bits) {
    uint64_t mantissa = code & (((uint64_t)1 << mantissa_bits) - 1);
    uint64_t special = ((uint64_t)1 << exponent_bits) - 1;
    uint64_t exponent = code >> mantissa_bits & special;
    uint64_t sign = (code >> (exponent_bits + mantissa_bits) & 1) << 63;
    int bias = (1 << (exponent_bits - 1)) - 1;
    uint64_t bits;
    double value;
    if (exponent_bits == 11 && mantissa_bits == DOUBLE_MANTISSA) {
        bits = code;
    } else if (exponent == special) {
        bits = sign | (uint64_t)DOUBLE_SPECIAL << DOUBLE_MANTISSA |
               mantissa << (DOUBLE_MANTISSA - mantissa_bits);
    } else if (exponent == 0) {
        /* mantissa x 2^(1 - bias - mantissa_bits): below 2^52, and the power is a normal double */
        bits = (uint64_t)(DOUBLE_BIAS + 1 - bias - mantissa_bits) << DOUBLE_MANTISSA;
        memcpy(&value, &bits, sizeof value);
        value *= (double)mantissa;
        return sign ? -value : value;
    } else {
        bits = sign | (exponent + (uint64_t)(DOUBLE_BIAS - bias)) << DOUBLE_MANTISSA |
               mantissa << (DOUBLE_MANTISSA - mantissa_bits);
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}
