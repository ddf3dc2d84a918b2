/*
 * Sums over a list of the inputs that change at all, 16 values of one weight side by side
 * (relay_side.c). Included by kernels_impl.c, once per instruction set.
 */
#ifndef STOIC_EXEC_LISTED_KERNELS_H
#define STOIC_EXEC_LISTED_KERNELS_H

#include "exec/kernels.h"
#include "exec/lanes.h"

#if defined(__AVX512F__)
/* Sums that fit into registers: together with the largest so far, and alone. */
enum { LISTED_OUTPUTS = 10, LISTED_WIDE = 24 };
#else
enum { LISTED_OUTPUTS = 5, LISTED_WIDE = 6 };
#endif

/* `n` outputs from `o` on; returns the end of what is kept. */
static inline __attribute__((always_inline)) int32_t *listed_part(const stoic_listed *l,
                                                                  const float *in, int64_t o, int n,
                                                                  int parts, bool sizes, float *out,
                                                                  lanes *most, int32_t *kept) {
    lanes top[LISTED_WIDE], zero = lanes_set(0.0f);
    for (int k = 0; k < n; k++)
        top[k] = zero;
    for (int part = 0; part < parts; part++) {
        lanes sum[LISTED_WIDE];
        for (int k = 0; k < n; k++)
            sum[k] = zero;
        for (int64_t i = 0; i < l->n[part]; i++) {
            const float *w = l->weights + l->pairs[part][2 * i + 1] * l->step + o;
            lanes x = lanes_load(in + (int64_t)l->pairs[part][2 * i] * STOIC_LANES);
            x = sizes ? lanes_abs(x) : x;
            for (int k = 0; k < n; k++)
                sum[k] = lanes_fma(x, lanes_set(w[k]), sum[k]);
        }
        for (int k = 0; k < n; k++) {
            *most = lanes_max(lanes_abs(sum[k]), *most);
            if (l->add[part])
                sum[k] = lanes_add(sum[k], lanes_set(l->add[part][o + k]));
            top[k] = part ? lanes_max(sum[k], top[k]) : sum[k];
        }
    }
    for (int k = 0; k < n; k++) {
        if (l->relu)
            top[k] = lanes_max(top[k], zero);
        if (l->golden)
            top[k] = lanes_add(top[k], lanes_set(-l->golden[o + k]));
        lanes_store(out + (o + k) * STOIC_LANES, top[k]);
        if (kept && lanes_zero(top[k]) != 0xffff) {
            kept[0] = kept[1] = l->base + (int32_t)(o + k);
            kept += 2;
        }
    }
    return kept;
}

static inline __attribute__((always_inline)) int64_t listed_all(const stoic_listed *l,
                                                                const float *in, bool sizes,
                                                                float *out, float *most,
                                                                int32_t *kept) {
    lanes top = lanes_load(most);
    int32_t *end = kept;
    int64_t o = 0;
    for (; l->parts == 1 && o + LISTED_WIDE <= l->out; o += LISTED_WIDE)
        end = listed_part(l, in, o, LISTED_WIDE, 1, sizes, out, &top, end);
    for (; o + LISTED_OUTPUTS <= l->out; o += LISTED_OUTPUTS)
        end = listed_part(l, in, o, LISTED_OUTPUTS, l->parts, sizes, out, &top, end);
    for (; o + 4 <= l->out; o += 4)
        end = listed_part(l, in, o, 4, l->parts, sizes, out, &top, end);
    for (; o < l->out; o++)
        end = listed_part(l, in, o, 1, l->parts, sizes, out, &top, end);
    lanes_store(most, top);
    return kept ? (end - kept) / 2 : 0;
}

static int64_t stoic_listed_sum(const stoic_listed *l, const float *in, float *out, float *most,
                                int32_t *kept) {
    return l->sizes ? listed_all(l, in, true, out, most, NULL)
                    : listed_all(l, in, false, out, most, kept);
}

/* One window of the hit channel after the other, all changes at once. */
static int64_t stoic_listed_moves(const float *z, const float *x, const int32_t *windows, int parts,
                                  int64_t n, const float *changes, bool relu, const float *golden,
                                  float *out, uint8_t *live) {
    lanes c = lanes_load(changes), zero = lanes_set(0.0f);
    int64_t count = 0;
    for (int64_t q = 0; q < n; q++) {
        const int32_t *at = windows + q * parts;
        lanes top = zero;
        for (int k = 0; k < parts; k++) {
            lanes sum = lanes_fma(c, lanes_set(x[at[k]]), lanes_set(z[at[k]]));
            top = k ? lanes_max(sum, top) : sum;
        }
        if (relu)
            top = lanes_max(top, zero);
        top = lanes_add(top, lanes_set(-golden[q]));
        lanes_store(out + q * STOIC_LANES, top);
        live[q] = lanes_zero(top) != 0xffff;
        count += live[q];
    }
    return count;
}

#endif
