/*
 * Our own kernels: everything that is not a convolution or matrix product, because oneDNN's
 * activations and pooling lose NaN (docs/methods.md 7), and a convolution for the shapes for which
 * oneDNN has no implementation with IEEE semantics.
 *
 * One source, compiled once per instruction set; stoic_kernels() picks. All sets give the same
 * bits: elementwise formulas and fixed orders of summation, explicit fma where one is meant.
 * Data is channels last: `rows` pixels of `channels` floats. Nothing allocates.
 */
#ifndef STOIC_EXEC_KERNELS_H
#define STOIC_EXEC_KERNELS_H

#include <stdint.h>

#include "op/geometry.h"

typedef enum stoic_act {
    STOIC_ACT_NONE,
    STOIC_ACT_RELU,
    STOIC_ACT_LEAKY,
    STOIC_ACT_CLIP
} stoic_act;

/* act(x) with NaN kept: relu, leaky (a = slope), clip (a = low, b = high). */
typedef struct stoic_activation {
    stoic_act kind;
    float a, b;
} stoic_activation;

typedef enum stoic_binary { STOIC_ADD, STOIC_SUB, STOIC_MUL, STOIC_DIV } stoic_binary;
typedef enum stoic_unary {
    STOIC_SIGMOID, /* 1 / (1 + e^-x), correctly monotone over all floats */
    STOIC_TANH,
    STOIC_HARD_SIGMOID,  /* clip(a x + b, 0, 1) */
    STOIC_HARD_SWISH,    /* x * clip(x / 6 + 0.5, 0, 1) */
    STOIC_REPLACE_NAN,   /* x is NaN ? b : x */
    STOIC_REPLACE_ABOVE, /* x > a ? b : x, so a NaN stays */
    STOIC_REPLACE_BELOW, /* x < a ? b : x */
} stoic_unary;

/* A convolution by our own kernel. Weights packed [group][kh][kw][ic][oc], or [kh][kw][group] when
 * depthwise (ic = oc = 1). Out-of-range taps are skipped, never multiplied. */
typedef struct stoic_direct_conv {
    int64_t groups, ic, oc, ih, iw, oh, ow, kh, kw;
    int64_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
} stoic_direct_conv;

enum { STOIC_LANES = 16, STOIC_STEEP = 8 }; /* up to there Sigmoids are not flat */

/* One output channel of a convolution or matrix product as a single chain of fmas, for 16 images
 * side by side: exactly the sum the canonical kernel computes, where its order is known (chain.h).
 * Input [ih * iw][channels][16]; weights of the channel [kh][kw][ic]. Order: blocks of `block`
 * input channels, then kernel row, kernel column, input channel; the bias first or last. */
typedef struct stoic_chain {
    int64_t ic, channels, first; /* of a group, of the whole input, where the group starts */
    int64_t ih, iw, oh, ow, kh, kw;
    int64_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int64_t block;
    bool bias_first;
} stoic_chain;

/* A matrix product for 16 images side by side: out[o] = ((start + in[0] w[0][o]) + in[1] w[1][o]
 * …), each step one fma, and then `add` and ReLU. */
typedef struct stoic_product {
    int64_t in, out;
    const float *weights; /* [in][out], rows `step` floats apart */
    int64_t step;
    const float *start, *end; /* [out]: in front and behind the chain; NULL: +0, nothing */
    const float *add;         /* [out][16], NULL: nothing */
    bool relu;
} stoic_product;

/* A matrix product for 16 changes side by side, of the inputs that change at all: output o of part
 * j is add[j][o] + the sum over its list of in[row] * weights[row'][o], each step one fma from +0;
 * then the largest of the parts, ReLU, and less golden[o]. */
typedef struct stoic_listed {
    int parts;               /* 1 or 4 */
    const int32_t *pairs[4]; /* of each part: rows of `in` and of the weights, in turn */
    int64_t n[4];
    const float *weights;
    int64_t step, out;            /* from row to row; outputs */
    const float *add[4], *golden; /* NULL: nothing */
    bool relu, sizes;             /* sizes: of |in|; nothing is kept */
    int32_t base;                 /* number of output 0 */
} stoic_listed;

typedef struct stoic_kernels {
    const char *isa;

    /* dst = act(src * scale[c] + shift[c] + add); scale and shift both NULL: left out; add NULL:
     * left out. dst may be src. The product is rounded before the sum. */
    void (*affine)(float *dst, const float *src, const float *add, const float *scale,
                   const float *shift, stoic_activation act, int64_t rows, int64_t channels);

    /* One image. A NaN in the window gives NaN; the activation is applied to the result. */
    void (*max_pool)(const stoic_window *w, const float *src, float *dst, stoic_activation act);
    /* One image. The window is summed row by row, then divided once. */
    void (*average_pool)(const stoic_window *w, const float *src, float *dst);

    void (*unary)(stoic_unary f, float a, float b, const float *src, float *dst, int64_t n);
    /* dst = a where a = b, else c. */
    void (*vote)(const float *a, const float *b, const float *c, float *dst, int64_t n);
    void (*binary)(stoic_binary f, const float *x, const float *y, float *dst, int64_t n);

    /* Over n values at stride `step`: e^(x - max) / sum, or its logarithm. Any NaN gives all NaN.
     */
    void (*softmax)(const float *src, float *dst, int64_t n, int64_t step, bool logarithm);

    /* One image; bias may be NULL. */
    void (*direct_conv)(const stoic_direct_conv *c, const float *weights, const float *bias,
                        const float *src, float *dst);

    /* Sums into out [oh * ow][16]; bias NULL: none. */
    void (*chain)(const stoic_chain *c, const float *weights, const float *bias, const float *lanes,
                  float *out);
    /* Two outputs that read a single channel (ic = channels = 1), without bias. */
    void (*chain_pair)(const stoic_chain *c, const float *const weights[2], const float *lanes,
                       float *const out[2]);
    /* The same sums again, for bounds: total [oh * ow][16] gets the sum of |partial sum| over the
     * chain, peak[16] the largest |partial sum| of all outputs (merged with what is there). */
    void (*chain_probe)(const stoic_chain *c, const float *weights, const float *bias,
                        const float *lanes, float *total, float *peak);
    /* sums [oh * ow][n] += what a change in one input channel contributes: change [ih * iw],
     * weights [kh * kw][padded], n <= padded, padded a multiple of 16 up to 128. Each output's
     * terms are summed first, row by row of the kernel, and then added once. */
    void (*add_change)(const stoic_chain *c, const float *weights, int64_t padded, int64_t n,
                       const float *change, float *sums);

    /* Which of 16 images a group remain open: those for which neither x = 0 nor
     * low <= change * x <= high; x of group k lies at x + k * step, low and high at 16 * k.
     * Returns how many there are; open: a word a group, bit l for lane l. */
    int64_t (*outside)(const float *x, int64_t step, const float *low, const float *high,
                       int64_t groups, float change, uint16_t *open);
    /* The same, those for which not change <= limit. */
    int64_t (*above)(const float *limit, int64_t groups, float change, uint16_t *open);

    /* moved[c] = the sum over n of reach[p][c] * x[p * step], and least[j] = the least over c of
     * room[j][c] / (1.05 moved[c]); -1 where something is not finite. columns: a multiple of 16. */
    void (*least_room)(const float *reach, const float *x, int64_t step, int64_t n, int64_t columns,
                       const float *const room[2], float *moved, float least[2]);
    /* peak NULL, or [16]: the largest |partial sum| of the chains (merged with what is there). */
    void (*product)(const stoic_product *p, const float *in, float *out, float *peak);
    /* The same (`add` must be NULL), with total [out][16]: the sum of |partial sum| over each
     * chain, in units of 4096, as it may not fit; peak as before. */
    void (*product_probe)(const stoic_product *p, const float *in, float *out, float *total,
                          float *peak);
    /* out[i][l] = rows[l][i]: n values of 16 images side by side. */
    void (*columns)(const float *const *rows, int64_t n, float *out);
    /* One weight moved by `change`, for n sums z of 16 images: out[p] = z[p] + change * x[at[p]],
     * one fma, and z[p] where at[p] < 0; low and high: that less and plus
     *     min(a |change x| + b total[p], c |change x| + d total[p]),   abcd = `off`,
     * but nothing where x is 0 or not met. most[16] = the largest |x| that was met. */
    void (*move)(const float *z, const float *total, const float *x, const int32_t *at, int64_t n,
                 float change, const float off[4], float *out, float *low, float *high,
                 float *most);
    /* The class of 16 images whose logits [n][16] are off by at most error[n][16]: that which all
     * outputs in reach give, or -1. `apart`: how far logits must lie apart for their outputs to
     * keep the order. With a final Sigmoid, `sigmoid`; 1 from 18 on, 0 up to -110, and no ties of
     * what is `apart` below STOIC_STEEP are taken for granted then. */
    void (*classify)(const float *logits, const float *error, int64_t n, float apart, bool sigmoid,
                     int32_t *top1);

    /* out [out][16]; most[16]: the largest |sum| of the lists alone (merged with what is there).
     * kept, if not NULL, gets the numbers of the outputs that are not 0 in all lanes, twice each.
     * Returns how many there are. */
    int64_t (*listed)(const stoic_listed *l, const float *in, float *out, float *most,
                      int32_t *kept);
    /* One weight moved by 16 changes, in one image: of n windows of `parts` places each, the
     * largest z[p] + change * x[p], ReLU, and less golden: out [n][16]; live: is it not 0
     * everywhere? */
    int64_t (*listed_moves)(const float *z, const float *x, const int32_t *windows, int parts,
                            int64_t n, const float *changes, bool relu, const float *golden,
                            float *out, uint8_t *live);

    /* The sum of n floats, in double. */
    double (*sum)(const float *x, int64_t n);
    /* One image: out[(c * kh + a) * kw + b], the sum over the window's positions of what tap (a, b)
     * reads in channel c, or of its magnitudes. Scratch: (2 ih + 1) * channels doubles. */
    void (*window_sum)(const stoic_window *w, bool magnitude, const float *src, double *scratch,
                       float *out);
} stoic_kernels;

/* 2 x 2 windows side by side that never leave the image. */
static inline bool stoic_window_is_quarters(const stoic_window *w) {
    return w->kernel[0] == 2 && w->kernel[1] == 2 && w->stride[0] == 2 && w->stride[1] == 2 &&
           w->dilation[0] == 1 && w->dilation[1] == 1 && w->pad_low[0] == 0 && w->pad_low[1] == 0 &&
           2 * w->out[0] <= w->in[0] && 2 * w->out[1] <= w->in[1];
}

/* How many positions of a pooling window that begins at `start` count as its size along one axis,
 * padding included or not. */
static inline int64_t stoic_window_extent(const stoic_window *w, int axis, int64_t start) {
    int64_t n = 0;
    for (int64_t k = 0; k < w->kernel[axis]; k++) {
        int64_t p = start + k * w->dilation[axis];
        if (w->count_include_pad ? p < w->in[axis] + w->pad_high[axis] : p >= 0 && p < w->in[axis])
            n++;
    }
    return n;
}

/* The best set for this CPU. Safe from any thread. */
const stoic_kernels *stoic_kernels_get(void);

/* All sets this CPU can run, for tests; returns their number (at most 3). */
int stoic_kernels_all(const stoic_kernels *sets[3]);

#endif
