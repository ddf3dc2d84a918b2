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
                        sum[p] = lanes_fma(lanes_load(s + i * STOIC_LANES + p * step), weight,
                                           sum[p]);
                        if (total) {
                            lanes a = lanes_abs(sum[p]);
                            *total = lanes_add(*total, a);
                            *peak = lanes_max(*peak, a);
                        }
                    }
                }
            }
        }
    }
    for (int p = 0; p < n; p++) {
        if (!c->bias_first)
            sum[p] = lanes_add(sum[p], lanes_set(bias));
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

static void stoic_chain_probe(const stoic_chain *c, const float *weights, const float *bias,
                              const float *in, float *total, float *peak) {
    float b = chain_bias(c, bias);
    lanes most = lanes_load(total), top = lanes_load(peak);
    for (int64_t oy = 0; oy < c->oh; oy++) {
        for (int64_t ox = 0; ox < c->ow; ox++) {
            lanes sum[1], t = lanes_set(0.0f);
            chain_pixels(c, weights, b, in, oy, ox, 1, sum, &t, &top);
            t = lanes_add(t, lanes_abs(sum[0])); /* the bias */
            most = lanes_max(t, most);
            top = lanes_max(lanes_abs(sum[0]), top);
        }
    }
    lanes_store(total, most);
    lanes_store(peak, top);
}

#endif
