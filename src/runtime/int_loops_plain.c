/* The definitions of int_loops.h: what the vectors are held against. */
#include "runtime/int_loops.h"

#include <math.h>

enum { LANES = STOIC_INT_LANES, TILE = STOIC_INT_TILE, ROWS = STOIC_INT_ROWS, QUAD = 4 };

static void quantise(const float *x, int64_t n, float inverse, int zero, uint8_t *codes) {
    for (int64_t i = 0; i < n; i++) {
        const float product = x[i] * inverse;
        const double q = nearbyint((double)product) + zero;
        codes[i] = (uint8_t)(q >= 0 ? q <= 255 ? q : 255 : 0);
    }
}

static void gather(const uint8_t *const rows[QUAD], int64_t stride, int64_t n, uint8_t *to) {
    for (int64_t i = 0; i < n; i++) {
        for (int t = 0; t < QUAD; t++)
            to[QUAD * i + t] = rows[t][i * stride];
    }
}

static void quads(const int8_t *from, int64_t step, int64_t n, int8_t *to) {
    for (int64_t i = 0; i < (n + QUAD - 1) / QUAD * QUAD; i++) {
        for (int r = 0; r < LANES; r++)
            to[i / QUAD * QUAD * LANES + r * QUAD + i % QUAD] = i < n ? from[r * step + i] : 0;
    }
}

static void lace(const uint8_t *from, int64_t step, int64_t rows, int64_t n, uint8_t *to,
                 int64_t to_step) {
    for (int64_t i = 0; i < n; i++) {
        for (int64_t r = 0; r < rows; r++)
            to[i * to_step + r] = from[r * step + i];
    }
}

static void byte_sums(const uint8_t *x, int64_t step, int64_t n, int64_t count, int32_t *sums) {
    for (int64_t i = 0; i < count; i++) {
        sums[i] = 0;
        for (int64_t k = 0; k < n; k++)
            sums[i] += x[i * step + k];
    }
}

static void regroup(const int8_t *from, int64_t step, int64_t channels, int64_t window,
                    int8_t *to) {
    for (int64_t k = 0; k < window; k++) {
        for (int64_t c = 0; c < channels; c++) {
            for (int r = 0; r < LANES; r++)
                to[(k * (channels / QUAD) + c / QUAD) * LANES * QUAD + r * QUAD + c % QUAD] =
                    from[r * step + c * window + k];
        }
    }
}

static void window(const int8_t *weights, int64_t quads, const uint8_t *const x[TILE],
                   const int64_t *offsets, int64_t n, int32_t sums[TILE][LANES]) {
    for (int p = 0; p < TILE; p++) {
        for (int l = 0; l < LANES; l++) {
            sums[p][l] = 0;
            for (int64_t k = 0; k < n; k++)
                for (int64_t c = 0; c < quads * QUAD; c++)
                    sums[p][l] += weights[((k * quads + c / QUAD) * LANES + l) * QUAD + c % QUAD] *
                                  x[p][offsets[k] + c];
        }
    }
}

static void tile(const int8_t *weights, int64_t n, const uint8_t *x, int64_t step,
                 int32_t sums[TILE][LANES]) {
    for (int p = 0; p < TILE; p++) {
        for (int l = 0; l < LANES; l++) {
            sums[p][l] = 0;
            for (int64_t q = 0; q < n; q++)
                for (int t = 0; t < QUAD; t++)
                    sums[p][l] += weights[(q * LANES + l) * QUAD + t] * x[q * step + QUAD * p + t];
        }
    }
}

static void dots(const int8_t *weights, int64_t step, int64_t n, const uint8_t *x,
                 int32_t sums[ROWS]) {
    for (int r = 0; r < ROWS; r++) {
        sums[r] = 0;
        for (int64_t i = 0; i < n; i++)
            sums[r] += weights[r * step + i] * x[i];
    }
}

static void row_sums(const int8_t *weights, int64_t step, int64_t n, int rows, int32_t *sums) {
    for (int r = 0; r < rows; r++) {
        sums[r] = 0;
        for (int64_t i = 0; i < n; i++)
            sums[r] += weights[r * step + i];
    }
}

static void add_scaled(int32_t a, const int8_t *weights, int64_t n, int32_t *sums) {
    for (int64_t i = 0; i < n; i++)
        sums[i] += a * weights[i];
}

static void worth(const stoic_int_worth *w, const int32_t sums[LANES], int32_t x,
                  float out[LANES]) {
    for (int l = 0; l < LANES; l++) {
        const int32_t sum = sums[l] - w->zero * w->weights[l] + w->whole[l] * x;
        out[l] = (float)sum * w->scale[l] + (float)x * w->part[l];
    }
}

const stoic_int_loops stoic_int_loops_plain = {
    .quantise = quantise,
    .gather = gather,
    .quads = quads,
    .lace = lace,
    .byte_sums = byte_sums,
    .regroup = regroup,
    .window = window,
    .tile = tile,
    .dots = dots,
    .row_sums = row_sums,
    .add_scaled = add_scaled,
    .worth = worth,
};
