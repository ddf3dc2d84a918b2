/* The loops of a run that multiply, compiled once per instruction set. Sums are taken in one order
 * for every image, whatever stands beside it. */
#ifndef STOIC_RUNTIME_RUN_LOOPS_H
#define STOIC_RUNTIME_RUN_LOOPS_H

#include <stdint.h>

enum { STOIC_RUN_LANES = 16, STOIC_RUN_TILE = 6, STOIC_RUN_ROWS = 4 };

/* The taps of a window that are added up, in elements of the input. */
typedef struct stoic_run_walk {
    int64_t plane, row, step; /* from a channel, a row, a column of taps to the next */
    int channels, height, width;
    int first_row, last_row, first_column, last_column;
} stoic_run_walk;

typedef struct stoic_run_loops {
    /* out[p][l] += products of weights[t][l] and x[p][t], in the order of taps t */
    void (*tile)(const float *weights, const float *const x[STOIC_RUN_TILE],
                 const stoic_run_walk *walk, float out[STOIC_RUN_TILE][STOIC_RUN_LANES]);
    /* sums[r][i % lanes] += products of row r of `weights`, n long and `step` apart, and x; in the
     * order of i, so that rows may come in pieces whose lengths are multiples of the lanes */
    void (*dots)(const float *weights, int64_t step, int64_t n, const float *x,
                 float sums[STOIC_RUN_ROWS][STOIC_RUN_LANES]);
    /* out[r] = the sum of sums[r] */
    void (*totals)(float sums[STOIC_RUN_ROWS][STOIC_RUN_LANES], float out[STOIC_RUN_ROWS]);
    /* y += a * x */
    void (*add_scaled)(float a, const float *x, int64_t n, float *y);
    /* rows r < 16 of `from`, n long and `step` apart, to to[i][r] */
    void (*interleave)(const float *from, int64_t step, int64_t n, float *to);
    /* to[l * step + p] = from[16 p + l] + add[l], p < n, l < lanes */
    void (*columns)(const float *from, int n, int lanes, const float add[STOIC_RUN_LANES],
                    int64_t step, float *to);
} stoic_run_loops;

/* The definitions, one product after another. */
extern const stoic_run_loops stoic_run_loops_plain;

#endif
