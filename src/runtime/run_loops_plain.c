/* The definitions of run_loops.h: what the vectors are held against. */
#include "runtime/run_loops.h"

static void tile(const float *weights, const float *const x[STOIC_RUN_TILE],
                 const stoic_run_walk *walk, float out[STOIC_RUN_TILE][STOIC_RUN_LANES]) {
    for (int p = 0; p < STOIC_RUN_TILE; p++) {
        for (int l = 0; l < STOIC_RUN_LANES; l++) {
            float sum = out[p][l];
            for (int c = 0; c < walk->channels; c++)
                for (int i = walk->first_row; i < walk->last_row; i++)
                    for (int k = walk->first_column; k < walk->last_column; k++) {
                        int64_t tap = ((int64_t)c * walk->height + i) * walk->width + k;
                        sum += weights[tap * STOIC_RUN_LANES + l] *
                               x[p][c * walk->plane + i * walk->row + k * walk->step];
                    }
            out[p][l] = sum;
        }
    }
}

static void dots(const float *weights, int64_t step, int64_t n, const float *x,
                 float sums[STOIC_RUN_ROWS][STOIC_RUN_LANES]) {
    for (int r = 0; r < STOIC_RUN_ROWS; r++) {
        for (int64_t i = 0; i < n; i++)
            sums[r][i % STOIC_RUN_LANES] += weights[r * step + i] * x[i];
    }
}

static void totals(float sums[STOIC_RUN_ROWS][STOIC_RUN_LANES], float out[STOIC_RUN_ROWS]) {
    for (int r = 0; r < STOIC_RUN_ROWS; r++) {
        out[r] = 0;
        for (int l = 0; l < STOIC_RUN_LANES; l++)
            out[r] += sums[r][l];
    }
}

static void add_scaled(float a, const float *x, int64_t n, float *y) {
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void interleave(const float *from, int64_t step, int64_t n, float *to) {
    for (int64_t i = 0; i < n; i++) {
        for (int r = 0; r < STOIC_RUN_LANES; r++)
            to[i * STOIC_RUN_LANES + r] = from[r * step + i];
    }
}

static void columns(const float *from, int n, int lanes, const float add[STOIC_RUN_LANES],
                    int64_t step, float *to) {
    for (int p = 0; p < n; p++) {
        for (int l = 0; l < lanes; l++)
            to[l * step + p] = from[p * STOIC_RUN_LANES + l] + add[l];
    }
}

const stoic_run_loops stoic_run_loops_plain = {tile, dots, totals, add_scaled, interleave, columns};
