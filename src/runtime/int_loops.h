/* The loops of a run whose activations are integers. Sums are exact in 32 bits, so that every
 * instruction set gives the same; what follows them is float32 arithmetic, rounded after each
 * operation. Compiled once per instruction set, as bytes.h. */
#ifndef STOIC_RUNTIME_INT_LOOPS_H
#define STOIC_RUNTIME_INT_LOOPS_H

#include <stdint.h>

enum {
    STOIC_INT_LANES = 16,
    STOIC_INT_TILE = 8,
    STOIC_INT_ROWS = 4,
    STOIC_INT_QUAD = 4,
    /* products of a sum at most: |weight + shift| <= 255 and |activation - zero| <= 255 */
    STOIC_INT_MOST = 32768
};

/* What sums of sixteen outputs are worth, with A = sum of weight * activation, W = sum of weights,
 * X = sum of (activation - zero):
 *
 *   float(A - zero * W + whole * X) * scale + float(X) * part
 *
 * The weight stands for (weight + whole + part / scale) times its step. */
typedef struct stoic_int_worth {
    int32_t zero; /* of the activations */
    int32_t weights[STOIC_INT_LANES], whole[STOIC_INT_LANES];
    float scale[STOIC_INT_LANES], part[STOIC_INT_LANES];
} stoic_int_worth;

typedef struct stoic_int_loops {
    /* codes[i] = x[i] * inverse, to the nearest, ties to even, plus zero, within 0 ... 255; NaN: 0
     */
    void (*quantise)(const float *x, int64_t n, float inverse, int zero, uint8_t *codes);
    /* to[4 i + t] = rows[t][i * stride] */
    void (*gather)(const uint8_t *const rows[STOIC_INT_QUAD], int64_t stride, int64_t n,
                   uint8_t *to);
    /* rows r < 16, n long and `step` apart, to to[i / 4][r][i % 4]; zeros behind the last */
    void (*quads)(const int8_t *from, int64_t step, int64_t n, int8_t *to);
    /* to[i * to_step + r] = from[r * step + i], of `rows` rows, n long */
    void (*lace)(const uint8_t *from, int64_t step, int64_t rows, int64_t n, uint8_t *to,
                 int64_t to_step);
    /* sums[i] = the sum of x[i * step] to x[i * step + n - 1], i < count */
    void (*byte_sums)(const uint8_t *x, int64_t step, int64_t n, int64_t count, int32_t *sums);
    /* rows r < 16 of `channels`, a multiple of 4, times `window` weights, `step` apart, to
     * to[k][c / 4][r][c % 4] for place k of the window */
    void (*regroup)(const int8_t *from, int64_t step, int64_t channels, int64_t window, int8_t *to);
    /* sums[p][l] = the sum over k < n, q < quads and t < 4 of
     * weights[k][q][l][t] * x[p][offsets[k] + 4 q + t] */
    void (*window)(const int8_t *weights, int64_t quads, const uint8_t *const x[STOIC_INT_TILE],
                   const int64_t *offsets, int64_t n,
                   int32_t sums[STOIC_INT_TILE][STOIC_INT_LANES]);
    /* sums[p][l] = the sum over q < quads and t < 4 of weights[q][l][t] * x[q * step + 4 p + t] */
    void (*tile)(const int8_t *weights, int64_t quads, const uint8_t *x, int64_t step,
                 int32_t sums[STOIC_INT_TILE][STOIC_INT_LANES]);
    /* sums[r] = the product of row r, n long and `step` apart, and x */
    void (*dots)(const int8_t *weights, int64_t step, int64_t n, const uint8_t *x,
                 int32_t sums[STOIC_INT_ROWS]);
    /* sums[r] = the sum of row r < `rows` */
    void (*row_sums)(const int8_t *weights, int64_t step, int64_t n, int rows, int32_t *sums);
    /* sums += a * weights */
    void (*add_scaled)(int32_t a, const int8_t *weights, int64_t n, int32_t *sums);
    void (*worth)(const stoic_int_worth *worth, const int32_t sums[STOIC_INT_LANES], int32_t x,
                  float out[STOIC_INT_LANES]);
} stoic_int_loops;

/* The definitions, one product after another. */
extern const stoic_int_loops stoic_int_loops_plain;

#endif
