/*
 * The chain kernels of stoic_kernels; included by kernels_impl.c, once per instruction set.
 * A chain of dependent fmas has a latency of four cycles or so: eight neighbouring pixels run side
 * by side to hide it.
 */
#ifndef STOIC_EXEC_CHAIN_KERNELS_H
#define STOIC_EXEC_CHAIN_KERNELS_H

#include "exec/kernels.h"
#include "exec/lanes.h"

enum { CHAIN_PIXELS = 8 };

/* Row of the input under kernel row ky, or -1 in the padding; the same for columns. */
static inline int64_t chain_y(const stoic_chain *c, int64_t oy, int64_t ky) {
    int64_t y = oy * c->stride_h - c->pad_top + ky * c->dilation_h;
    return y < 0 || y >= c->ih ? -1 : y;
}

static inline int64_t chain_x(const stoic_chain *c, int64_t ox, int64_t kx) {
    int64_t x = ox * c->stride_w - c->pad_left + kx * c->dilation_w;
    return x < 0 || x >= c->iw ? -1 : x;
}

/* `n` neighbouring pixels from (oy, ox); every column of the kernel must hit the input if n > 1. */
static inline __attribute__((always_inline)) void
chain_pixels(const stoic_chain *c, const float *weights, float bias, const float *in, int64_t oy,
             int64_t ox, int n, lanes *sum, lanes *total, lanes *peak) {
    int64_t step = c->stride_w * c->channels * STOIC_LANES;
    for (int p = 0; p < n; p++)
        sum[p] = lanes_set(c->bias_first ? bias : 0.0f);
    for (int64_t i0 = 0; i0 < c->ic; i0 += c->block) {
        int64_t i1 = i0 + c->block < c->ic ? i0 + c->block : c->ic;
        for (int64_t ky = 0; ky < c->kh; ky++) {
            int64_t y = chain_y(c, oy, ky);
            for (int64_t kx = 0; y >= 0 && kx < c->kw; kx++) {
                int64_t x = chain_x(c, ox, kx);
                if (x < 0)
                    continue;
                const float *w = weights + (ky * c->kw + kx) * c->ic;
                const float *s = in + ((y * c->iw + x) * c->channels + c->first) * STOIC_LANES;
                for (int64_t i = i0; i < i1; i++) {
                    lanes weight = lanes_set(w[i]);
                    for (int p = 0; p < n; p++) {
                        sum[p] =
                            lanes_fma(lanes_load(s + i * STOIC_LANES + p * step), weight, sum[p]);
                        if (total) {
                            lanes a = lanes_abs(sum[p]);
                            total[p] = lanes_add(total[p], a);
                            peak[p] = lanes_max(peak[p], a);
                        }
                    }
                }
            }
        }
    }
    for (int p = 0; p < n; p++) {
        if (!c->bias_first)
            sum[p] = lanes_add(sum[p], lanes_set(bias));
        if (total) {
            total[p] = lanes_add(total[p], lanes_abs(sum[p]));
            peak[p] = lanes_max(peak[p], lanes_abs(sum[p]));
        }
    }
}

/* Pixels ox … ox+7 all lie inside the row and see no padding to the left or right? */
static inline bool chain_inside(const stoic_chain *c, int64_t ox) {
    return ox + CHAIN_PIXELS <= c->ow && chain_x(c, ox, 0) >= 0 &&
           chain_x(c, ox + CHAIN_PIXELS - 1, c->kw - 1) >= 0;
}

/* Without a bias a chain starts at +0, and adding -0 at its end changes no bit. */
static inline float chain_bias(const stoic_chain *c, const float *bias) {
    return bias ? *bias : c->bias_first ? 0.0f : -0.0f;
}

static void stoic_chain_sum(const stoic_chain *c, const float *weights, const float *bias,
                            const float *in, float *out) {
    float b = chain_bias(c, bias);
    for (int64_t oy = 0; oy < c->oh; oy++) {
        for (int64_t ox = 0; ox < c->ow;) {
            lanes sum[CHAIN_PIXELS];
            int n = chain_inside(c, ox) ? CHAIN_PIXELS : 1;
            if (n == CHAIN_PIXELS)
                chain_pixels(c, weights, b, in, oy, ox, CHAIN_PIXELS, sum, NULL, NULL);
            else
                chain_pixels(c, weights, b, in, oy, ox, 1, sum, NULL, NULL);
            for (int p = 0; p < n; p++)
                lanes_store(out + (oy * c->ow + ox + p) * STOIC_LANES, sum[p]);
            ox += n;
        }
    }
}

/* `n` neighbouring pixels of two outputs that read one channel. */
static inline __attribute__((always_inline)) void
pair_pixels(const stoic_chain *c, const float *const weights[2], const float *in, int64_t oy,
            int64_t ox, int n, float *const out[2]) {
    lanes first[CHAIN_PIXELS], second[CHAIN_PIXELS];
    int64_t step = c->stride_w * STOIC_LANES;
    for (int p = 0; p < n; p++)
        first[p] = second[p] = lanes_set(0.0f);
    for (int64_t ky = 0; ky < c->kh; ky++) {
        int64_t y = chain_y(c, oy, ky);
        for (int64_t kx = 0; y >= 0 && kx < c->kw; kx++) {
            int64_t x = chain_x(c, ox, kx);
            if (x < 0)
                continue;
            const float *s = in + (y * c->iw + x) * STOIC_LANES;
            lanes a = lanes_set(weights[0][ky * c->kw + kx]);
            lanes b = lanes_set(weights[1][ky * c->kw + kx]);
            for (int p = 0; p < n; p++) {
                lanes v = lanes_load(s + p * step);
                first[p] = lanes_fma(v, a, first[p]);
                second[p] = lanes_fma(v, b, second[p]);
            }
        }
    }
    for (int p = 0; p < n; p++) {
        lanes_store(out[0] + (oy * c->ow + ox + p) * STOIC_LANES, first[p]);
        lanes_store(out[1] + (oy * c->ow + ox + p) * STOIC_LANES, second[p]);
    }
}

static void stoic_chain_pair(const stoic_chain *c, const float *const weights[2], const float *in,
                             float *const out[2]) {
    for (int64_t oy = 0; oy < c->oh; oy++) {
        for (int64_t ox = 0; ox < c->ow;) {
            int n = chain_inside(c, ox) ? CHAIN_PIXELS : 1;
            if (n == CHAIN_PIXELS)
                pair_pixels(c, weights, in, oy, ox, CHAIN_PIXELS, out);
            else
                pair_pixels(c, weights, in, oy, ox, 1, out);
            ox += n;
        }
    }
}

static void stoic_chain_probe(const stoic_chain *c, const float *weights, const float *bias,
                              const float *in, float *total, float *peak) {
    float b = chain_bias(c, bias);
    lanes top = lanes_load(peak);
    for (int64_t oy = 0; oy < c->oh; oy++) {
        for (int64_t ox = 0; ox < c->ow;) {
            lanes sum[CHAIN_PIXELS], t[CHAIN_PIXELS], m[CHAIN_PIXELS];
            int n = chain_inside(c, ox) ? CHAIN_PIXELS : 1;
            for (int p = 0; p < CHAIN_PIXELS; p++)
                t[p] = m[p] = lanes_set(0.0f);
            if (n == CHAIN_PIXELS)
                chain_pixels(c, weights, b, in, oy, ox, CHAIN_PIXELS, sum, t, m);
            else
                chain_pixels(c, weights, b, in, oy, ox, 1, sum, t, m);
            for (int p = 0; p < n; p++) {
                lanes_store(total + (oy * c->ow + ox + p) * STOIC_LANES, t[p]);
                top = lanes_max(m[p], top);
            }
            ox += n;
        }
    }
    lanes_store(peak, top);
}

/* One output pixel: the change's terms, then one addition. `parts` vectors of 16 outputs. */
static inline __attribute__((always_inline)) void
add_change_pixel(const stoic_chain *c, const float *weights, int parts, int64_t n,
                 const float *change, int64_t oy, int64_t ox, float *out) {
    lanes sum[8];
    for (int v = 0; v < parts; v++)
        sum[v] = lanes_set(0.0f);
    for (int64_t ky = 0; ky < c->kh; ky++) {
        int64_t y = chain_y(c, oy, ky);
        for (int64_t kx = 0; y >= 0 && kx < c->kw; kx++) {
            int64_t x = chain_x(c, ox, kx);
            if (x < 0)
                continue;
            lanes d = lanes_set(change[y * c->iw + x]);
            const float *w = weights + (ky * c->kw + kx) * parts * STOIC_LANES;
            for (int v = 0; v < parts; v++)
                sum[v] = lanes_fma(d, lanes_load(w + v * STOIC_LANES), sum[v]);
        }
    }
    for (int v = 0; v < parts; v++) {
        float *o = out + v * STOIC_LANES;
        int count = n - v * STOIC_LANES < STOIC_LANES ? (int)(n - v * STOIC_LANES) : STOIC_LANES;
        lanes_store_part(o, lanes_add(lanes_load_part(o, count), sum[v]), count);
    }
}

static void stoic_add_change(const stoic_chain *c, const float *weights, int64_t padded, int64_t n,
                             const float *change, float *sums) {
    for (int64_t oy = 0; oy < c->oh; oy++) {
        for (int64_t ox = 0; ox < c->ow; ox++, sums += n) {
            switch (padded / STOIC_LANES) { /* constant counts keep the sums in registers */
            case 1:
                add_change_pixel(c, weights, 1, n, change, oy, ox, sums);
                break;
            case 2:
                add_change_pixel(c, weights, 2, n, change, oy, ox, sums);
                break;
            case 4:
                add_change_pixel(c, weights, 4, n, change, oy, ox, sums);
                break;
            default:
                add_change_pixel(c, weights, (int)(padded / STOIC_LANES), n, change, oy, ox, sums);
            }
        }
    }
}

#endif
