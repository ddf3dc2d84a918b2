/* run_loops.h in vectors of the widest registers there are. Products may be fused with the sums
 * they go to: logits then differ between instruction sets in their last bits, not between images
 * or threads. */
#include "runtime/run_loops.h"

#include <stdbool.h>
#include <string.h>

#include "runtime/turn.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT ON
#endif

#if defined(__AVX512F__)
enum { WIDTH = 16 };
#elif defined(__AVX__)
enum { WIDTH = 8 };
#else
enum { WIDTH = 4 };
#endif
enum { PARTS = STOIC_RUN_LANES / WIDTH, TILE = STOIC_RUN_TILE, ROWS = STOIC_RUN_ROWS };

typedef float vector __attribute__((vector_size(WIDTH * sizeof(float))));

static inline vector load(const float *from) {
    vector v;
    memcpy(&v, from, sizeof v);
    return v;
}

/* The taps of `rows` x `columns` of each channel, whose rows are `row` elements apart. */
static inline void add_window(const float *w, const float *const x[TILE],
                              const stoic_run_walk *walk, const int rows, const int columns,
                              vector sum[TILE][PARTS]) {
    const float *at[TILE];
    memcpy(at, x, sizeof at);
    for (int c = 0; c < walk->channels; c++) {
        for (int i = 0; i < rows; i++) {
            const int64_t from = c * walk->plane + i * walk->row;
            for (int k = 0; k < columns; k++, w += STOIC_RUN_LANES) {
                vector by[PARTS]; /* once for all positions: these and the sums stay in registers */
                for (int part = 0; part < PARTS; part++)
                    by[part] = load(w + part * WIDTH);
                for (int p = 0; p < TILE; p++) {
                    for (int part = 0; part < PARTS; part++)
                        sum[p][part] += by[part] * at[p][from + k];
                }
            }
        }
    }
}

/* Any walk. */
static void add_some(const float *weights, const float *const x[TILE], const stoic_run_walk *walk,
                     vector sum[TILE][PARTS]) {
    for (int c = 0; c < walk->channels; c++) {
        for (int i = walk->first_row; i < walk->last_row; i++) {
            const int64_t from = c * walk->plane + i * walk->row;
            const float *w =
                weights + ((int64_t)c * walk->height + i) * walk->width * STOIC_RUN_LANES;
            for (int k = walk->first_column; k < walk->last_column; k++) {
                const int64_t at = from + k * walk->step;
                vector by[PARTS];
                for (int part = 0; part < PARTS; part++)
                    by[part] = load(w + k * STOIC_RUN_LANES + part * WIDTH);
                for (int p = 0; p < TILE; p++) {
                    for (int part = 0; part < PARTS; part++)
                        sum[p][part] += by[part] * x[p][at];
                }
            }
        }
    }
}

static bool is_whole(const stoic_run_walk *w, int rows, int columns) {
    return w->height == rows && w->width == columns && w->first_row == 0 && w->last_row == rows &&
           w->first_column == 0 && w->last_column == columns && (w->step == 1 || columns == 1);
}

static void tile(const float *weights, const float *const x[TILE], const stoic_run_walk *walk,
                 float out[TILE][STOIC_RUN_LANES]) {
    vector sum[TILE][PARTS];
    memcpy(sum, out, sizeof sum);
    if (is_whole(walk, 3, 3))
        add_window(weights, x, walk, 3, 3, sum);
    else if (is_whole(walk, 1, 1))
        add_window(weights, x, walk, 1, 1, sum);
    else
        add_some(weights, x, walk, sum);
    memcpy(out, sum, sizeof sum);
}

static void totals(float sums[ROWS][STOIC_RUN_LANES], float out[ROWS]) {
    for (int half = STOIC_RUN_LANES / 2; half > 0; half /= 2) {
        for (int r = 0; r < ROWS; r++) {
            for (int i = 0; i < half; i++)
                sums[r][i] += sums[r][i + half];
        }
    }
    for (int r = 0; r < ROWS; r++)
        out[r] = sums[r][0];
}

static void dots(const float *weights, int64_t step, int64_t n, const float *x,
                 float sums[ROWS][STOIC_RUN_LANES]) {
    vector sum[ROWS][PARTS];
    float rest[ROWS + 1][STOIC_RUN_LANES] = {{0}};
    int64_t i = 0;
    memcpy(sum, sums, sizeof sum);
    for (; i + STOIC_RUN_LANES <= n; i += STOIC_RUN_LANES) {
        for (int part = 0; part < PARTS; part++) {
            const vector by = load(x + i + part * WIDTH);
            for (int r = 0; r < ROWS; r++)
                sum[r][part] += by * load(weights + r * step + i + part * WIDTH);
        }
    }
    const size_t left = (size_t)(n - i) * sizeof *x;
    if (left)
        memcpy(rest[ROWS], x + i, left);
    for (int r = 0; left && r < ROWS; r++) {
        memcpy(rest[r], weights + r * step + i, left);
        for (int part = 0; part < PARTS; part++)
            sum[r][part] += load(rest[ROWS] + part * WIDTH) * load(rest[r] + part * WIDTH);
    }
    memcpy(sums, sum, sizeof sum);
}

static void add_scaled(float a, const float *x, int64_t n, float *y) {
    int64_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        const vector v = load(y + i) + load(x + i) * a;
        memcpy(y + i, &v, sizeof v);
    }
    float in[WIDTH] = {0}, out[WIDTH] = {0};
    memcpy(in, x + i, (size_t)(n - i) * sizeof *x);
    memcpy(out, y + i, (size_t)(n - i) * sizeof *y);
    const vector v = load(out) + load(in) * a;
    memcpy(y + i, &v, (size_t)(n - i) * sizeof *y);
}

static void interleave(const float *from, int64_t step, int64_t n, float *to) {
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        for (int r = 0; r < STOIC_RUN_LANES; r += 4)
            stoic_turn(from + r * step + i, step * 4, to + i * STOIC_RUN_LANES + r,
                       STOIC_RUN_LANES * 4);
    }
    for (; i < n; i++) {
        for (int r = 0; r < STOIC_RUN_LANES; r++)
            to[i * STOIC_RUN_LANES + r] = from[r * step + i];
    }
}

static void columns(const float *from, int n, int lanes, const float add[STOIC_RUN_LANES],
                    int64_t step, float *to) {
    int p = 0;
    for (; lanes == STOIC_RUN_LANES && p + 4 <= n; p += 4) {
        float some[4][STOIC_RUN_LANES];
        for (int i = 0; i < 4; i++) {
            for (int part = 0; part < PARTS; part++) {
                const vector v = load(from + (p + i) * STOIC_RUN_LANES + part * WIDTH) +
                                 load(add + part * WIDTH);
                memcpy(some[i] + part * WIDTH, &v, sizeof v);
            }
        }
        for (int l = 0; l < STOIC_RUN_LANES; l += 4)
            stoic_turn(&some[0][l], (int64_t)sizeof some[0], to + l * step + p, step * 4);
    }
    for (; p < n; p++) {
        for (int l = 0; l < lanes; l++)
            to[l * step + p] = from[p * STOIC_RUN_LANES + l] + add[l];
    }
}

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_run_loops GLUE(stoic_run_loops_, STOIC_KERNEL_SET);
const stoic_run_loops GLUE(stoic_run_loops_, STOIC_KERNEL_SET) = {tile,       dots,       totals,
                                                                  add_scaled, interleave, columns};
