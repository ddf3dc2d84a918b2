/*
 * The kernels of stoic_kernels for one weight asked for again and again: which images it leaves
 * open, and the carrying of a change to the class, 16 images side by side. Included by
 * kernels_impl.c, once per instruction set.
 */
#ifndef STOIC_EXEC_CARRY_KERNELS_H
#define STOIC_EXEC_CARRY_KERNELS_H

#include "exec/kernels.h"
#include "exec/lanes.h"

static int64_t stoic_outside(const float *x, int64_t step, const float *low, const float *high,
                             int64_t groups, float change, uint16_t *open) {
    int64_t count = 0;
    lanes c = lanes_set(change);
    for (int64_t k = 0; k < groups; k++) {
        lanes in = lanes_load(x + k * step), d = lanes_mul(c, in);
        unsigned fine = lanes_at_most(lanes_load(low + k * STOIC_LANES), d) &
                        lanes_at_most(d, lanes_load(high + k * STOIC_LANES));
        open[k] = (uint16_t) ~(fine | lanes_zero(in));
        count += __builtin_popcount(open[k]);
    }
    return count;
}

static int64_t stoic_above(const float *limit, int64_t groups, float change, uint16_t *open) {
    int64_t count = 0;
    lanes c = lanes_set(change);
    for (int64_t k = 0; k < groups; k++) {
        open[k] = (uint16_t)~lanes_at_most(c, lanes_load(limit + k * STOIC_LANES));
        count += __builtin_popcount(open[k]);
    }
    return count;
}

static void stoic_least_room(const float *reach, const float *x, int64_t step, int64_t n,
                             int64_t columns, const float *const room[2], float *moved,
                             float least[2]) {
    float lowest[2][STOIC_LANES];
    int32_t fine[STOIC_LANES], all = 1;
    for (int l = 0; l < STOIC_LANES; l++) {
        lowest[0][l] = lowest[1][l] = INFINITY;
        fine[l] = 1;
    }
    for (int64_t c = 0; c < columns; c += STOIC_LANES) {
        lanes sum = lanes_set(0.0f);
        for (int64_t p = 0; p < n; p++)
            sum = lanes_fma(lanes_set(x[p * step]), lanes_load(reach + p * columns + c), sum);
        lanes_store(moved + c, sum);
        for (int j = 0; j < 2; j++) {
            for (int l = 0; l < STOIC_LANES; l++) {
                float q = room[j][c + l] / (1.05f * moved[c + l] + 1e-36f);
                lowest[j][l] = q < lowest[j][l] ? q : lowest[j][l];
            }
        }
        for (int l = 0; l < STOIC_LANES; l++)
            fine[l] &= moved[c + l] < 3e38f;
    }
    least[0] = least[1] = INFINITY;
    for (int l = 0; l < STOIC_LANES; l++) {
        all &= fine[l];
        for (int j = 0; j < 2; j++)
            least[j] = lowest[j][l] < least[j] ? lowest[j][l] : least[j];
    }
    for (int j = 0; j < 2; j++)
        least[j] = all ? least[j] : -1;
}

#if defined(__AVX512F__)
enum { PRODUCT_OUTPUTS = 16 }; /* sums that fit into registers */
#else
enum { PRODUCT_OUTPUTS = 4 };
#endif

/* `n` outputs from `o` on. */
static inline __attribute__((always_inline)) void
product_part(const stoic_product *p, const float *in, int64_t o, int n, float *out, lanes *peak) {
    lanes sum[PRODUCT_OUTPUTS], zero = lanes_set(0.0f);
    for (int k = 0; k < n; k++)
        sum[k] = p->start ? lanes_set(p->start[o + k]) : zero;
    for (int64_t i = 0; i < p->in; i++) {
        const float *w = p->weights + i * p->step + o;
        lanes x = lanes_load(in + i * STOIC_LANES);
        for (int k = 0; k < n; k++) {
            sum[k] = lanes_fma(x, lanes_set(w[k]), sum[k]);
            if (peak)
                *peak = lanes_max(lanes_abs(sum[k]), *peak);
        }
    }
    for (int k = 0; k < n; k++) {
        if (p->end)
            sum[k] = lanes_add(sum[k], lanes_set(p->end[o + k]));
        if (p->add)
            sum[k] = lanes_add(lanes_load(p->add + (o + k) * STOIC_LANES), sum[k]);
        if (peak)
            *peak = lanes_max(lanes_abs(sum[k]), *peak);
        if (p->relu)
            sum[k] = lanes_max(sum[k], zero);
        lanes_store(out + (o + k) * STOIC_LANES, sum[k]);
    }
}

static void stoic_product_sum(const stoic_product *p, const float *in, float *out, float *peak) {
    lanes top = lanes_set(0.0f), *watched = peak ? &top : NULL;
    int64_t o = 0;
    for (; o + PRODUCT_OUTPUTS <= p->out; o += PRODUCT_OUTPUTS) {
        if (peak)
            product_part(p, in, o, PRODUCT_OUTPUTS, out, &top);
        else
            product_part(p, in, o, PRODUCT_OUTPUTS, out, NULL);
    }
    for (; o + 2 <= p->out; o += 2)
        product_part(p, in, o, 2, out, watched);
    for (; o < p->out; o++)
        product_part(p, in, o, 1, out, watched);
    if (peak)
        lanes_store(peak, lanes_max(top, lanes_load(peak)));
}

/* As many outputs as sums and totals fit into registers. */
static inline __attribute__((always_inline)) void probe_part(const stoic_product *p,
                                                             const float *in, int64_t o, int n,
                                                             float *out, float *total,
                                                             lanes *peak) {
    lanes sum[PRODUCT_OUTPUTS / 2], all[PRODUCT_OUTPUTS / 2], zero = lanes_set(0.0f);
    lanes small = lanes_set(0x1p-12f);
    for (int k = 0; k < n; k++) {
        sum[k] = p->start ? lanes_set(p->start[o + k]) : zero;
        all[k] = lanes_mul(lanes_abs(sum[k]), small);
    }
    for (int64_t i = 0; i < p->in; i++) {
        const float *w = p->weights + i * p->step + o;
        lanes x = lanes_load(in + i * STOIC_LANES);
        for (int k = 0; k < n; k++) {
            sum[k] = lanes_fma(x, lanes_set(w[k]), sum[k]);
            lanes size = lanes_abs(sum[k]);
            all[k] = lanes_fma(size, small, all[k]);
            *peak = lanes_max(size, *peak);
        }
    }
    for (int k = 0; k < n; k++) {
        if (p->end)
            sum[k] = lanes_add(sum[k], lanes_set(p->end[o + k]));
        all[k] = lanes_fma(lanes_abs(sum[k]), small, all[k]);
        *peak = lanes_max(lanes_abs(sum[k]), *peak);
        lanes_store(out + (o + k) * STOIC_LANES, p->relu ? lanes_max(sum[k], zero) : sum[k]);
        lanes_store(total + (o + k) * STOIC_LANES, all[k]);
    }
}

static void stoic_product_probe(const stoic_product *p, const float *in, float *out, float *total,
                                float *peak) {
    lanes top = lanes_load(peak);
    int64_t o = 0;
    for (; o + PRODUCT_OUTPUTS / 2 <= p->out; o += PRODUCT_OUTPUTS / 2)
        probe_part(p, in, o, PRODUCT_OUTPUTS / 2, out, total, &top);
    for (; o < p->out; o++)
        probe_part(p, in, o, 1, out, total, &top);
    lanes_store(peak, top);
}

static void stoic_columns(const float *const *rows, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i += STOIC_LANES)
        lanes_turn(rows, i, n - i < STOIC_LANES ? (int)(n - i) : STOIC_LANES,
                   out + i * STOIC_LANES);
}

static void stoic_move(const float *z, const float *total, const float *x, const int32_t *at,
                       int64_t n, float change, const float off[4], float *out, float *low,
                       float *high, float *most) {
    lanes c = lanes_set(change), top = lanes_set(0.0f), minus = lanes_set(-1.0f);
    for (int64_t p = 0; p < n; p++) {
        lanes sum = lanes_load(z + p * STOIC_LANES), off_by = lanes_set(0.0f);
        if (at[p] >= 0) {
            lanes in = lanes_load(x + (int64_t)at[p] * STOIC_LANES);
            lanes moved = lanes_abs(lanes_mul(c, in)), t = lanes_load(total + p * STOIC_LANES);
            lanes near = lanes_fma(lanes_set(off[1]), t, lanes_mul(lanes_set(off[0]), moved));
            lanes far = lanes_fma(lanes_set(off[3]), t, lanes_mul(lanes_set(off[2]), moved));
            off_by = lanes_clear(lanes_min(near, far), lanes_zero(in));
            top = lanes_max(lanes_abs(in), top);
            sum = lanes_fma(c, in, sum);
        }
        lanes_store(out + p * STOIC_LANES, sum);
        lanes_store(low + p * STOIC_LANES, lanes_fma(minus, off_by, sum));
        lanes_store(high + p * STOIC_LANES, lanes_add(sum, off_by));
    }
    lanes_store(most, top);
}

static void stoic_classify(const float *logits, const float *error, int64_t n, float apart,
                           bool sigmoid, int32_t *top1) {
    float top[STOIC_LANES], low[STOIC_LANES], next[STOIC_LANES], front[STOIC_LANES];
    int32_t best[STOIC_LANES], full[STOIC_LANES], fine[STOIC_LANES], flat[STOIC_LANES];
    for (int l = 0; l < STOIC_LANES; l++) {
        top[l] = low[l] = next[l] = front[l] = -INFINITY;
        best[l] = full[l] = -1;
        fine[l] = 1;
        flat[l] = 0;
    }
    for (int64_t k = 0; k < n; k++) {
        const float *v = logits + k * STOIC_LANES, *e = error + k * STOIC_LANES;
        for (int l = 0; l < STOIC_LANES; l++) {
            fine[l] &= fabsf(v[l]) < 3e38f && e[l] < 1e38f;
            low[l] = v[l] > top[l] ? v[l] - e[l] : low[l];
            best[l] = v[l] > top[l] ? (int32_t)k : best[l];
            top[l] = v[l] > top[l] ? v[l] : top[l];
            full[l] = full[l] < 0 && v[l] - e[l] > 18 ? (int32_t)k : full[l];
            /* in front of the first output that is 1 for sure */
            front[l] = full[l] < 0 && v[l] + e[l] > front[l] ? v[l] + e[l] : front[l];
        }
    }
    for (int64_t k = 0; k < n; k++) {
        const float *v = logits + k * STOIC_LANES, *e = error + k * STOIC_LANES;
        for (int l = 0; l < STOIC_LANES; l++) {
            float high = v[l] + e[l];
            float ahead = sigmoid && k > best[l] ? high : high + apart; /* a tie would be best's */
            next[l] = k != best[l] && ahead > next[l] ? ahead : next[l];
            /* of two Sigmoids the lesser one must not tie if its index is lower */
            flat[l] |= k < best[l] && high > STOIC_STEEP;
        }
    }
    for (int l = 0; l < STOIC_LANES; l++) {
        /* next and low are off by a rounding each */
        float rounding = 3e-7f * (fabsf(next[l]) + fabsf(low[l]));
        bool ahead = low[l] - next[l] > (next[l] > -INFINITY ? rounding : 0);
        bool strict = !sigmoid || best[l] == 0 || (!flat[l] && low[l] >= -80);
        bool ones = sigmoid && full[l] >= 0 && front[l] < 15;
        bool zeros = sigmoid && low[l] > -INFINITY && top[l] < -110 && next[l] < -110 &&
                     top[l] + (top[l] - low[l]) < -110;
        int32_t class = ahead && strict ? best[l] : ones ? full[l] : zeros ? 0 : -1;
        top1[l] = fine[l] ? class : -1;
    }
}

#endif
