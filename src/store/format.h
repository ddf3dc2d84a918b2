/*
 * Number formats: how one weight becomes the data bits of a stored word, and back.
 *
 * A stored value is a code of `bits` bits. A grid says what the codes of a tensor (or of one output
 * channel) stand for: the factor of weight scaling, or step and zero point. Everything is computed
 * in double and rounded once.
 * Weights pass by address, never by value: a signalling NaN must keep its bits on any machine.
 *
 * Source: METHODS 1, 2; weight scaling (paper 1), FORTUNE (paper 3).
 */
#ifndef STOIC_STORE_FORMAT_H
#define STOIC_STORE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/words.h"
#include "stoic/store.h"

/* Positions are bits of the data, -1 where there is no such field; what lies below sign and
 * exponent is the mantissa. Q2.5 is a spelling: it becomes FIXED. */
typedef struct stoic_format {
    stoic_format_kind kind;
    char name[16]; /* canonical: "fixed:8:6", "affine:5" */
    int bits;
    int sign, exponent_high, exponent_low;
    int fraction;  /* FIXED: bits behind the point */
    bool saturate; /* FIXED: values out of range take the nearest, instead of wrapping around */
    bool hold;     /* floating point: what lies below 2 is not rounded up to 2 (METHODS 2) */
} stoic_format;

/* What the codes of a tensor or channel stand for. `scale` is c of weight scaling (1: none); a
 * stored value v means v / c. AFFINE: (code - zero) * step; INT8: code * step. */
typedef struct stoic_grid {
    float scale;
    double step, zero;
} stoic_grid;

/* "fixed:8:6" … Fails with STOIC_ERR_ARGUMENT. */
stoic_status stoic_format_parse(const char *text, stoic_format *out, stoic_error *err);

/* Floating point, whose values beyond 2 set the exponent's msb; the others are integers. */
bool stoic_format_is_float(const stoic_format *format);
/* Has every tensor's codes a range of its own, so that scaling means nothing (affine, int8)? */
bool stoic_format_is_ranged(const stoic_format *format);

/* The grid of a range of weights, scale 1. */
void stoic_grid_fit(const stoic_format *format, double low, double high, stoic_grid *out);

/* How encoding treated a value; what is not exact rounding is counted by the store. */
typedef enum stoic_fit {
    STOIC_FIT_ROUNDED,
    STOIC_FIT_CLAMPED, /* |scaled value| < 2 would have become 2: the largest value below instead */
    STOIC_FIT_OUTSIDE  /* beyond the format: infinite, wrapped around or saturated */
} stoic_fit;

uint64_t stoic_format_encode(const stoic_format *format, const stoic_grid *grid,
                             const float *weight, stoic_fit *fit);
void stoic_format_decode(const stoic_format *format, const stoic_grid *grid, uint64_t code,
                         float *weight);
/* The value a code stands for before the division by the scale. */
double stoic_format_value(const stoic_format *format, const stoic_grid *grid, uint64_t code);
/* Encodes a value that is not scaled any more. */
uint64_t stoic_format_code(const stoic_format *format, const stoic_grid *grid, double value,
                           stoic_fit *fit);
/* The largest value below 2 (floating point), with sign; or the range's ends (FIXED). */
double stoic_format_limit(const stoic_format *format, bool negative);

/* "sign", "exponent", "mantissa", "integer", "fraction" or "value". */
const char *stoic_format_field(const stoic_format *format, int bit);

#endif
