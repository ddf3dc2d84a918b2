/*
 * The kernels, compiled once per instruction set: STOIC_KERNEL_SET names the table.
 * Loops are written so that the compiler vectorises them; no reduction is reordered.
 */
#include <math.h>
#include <string.h>

#include "exec/carry_kernels.h"
#include "exec/chain_kernels.h"
#include "exec/check_kernels.h"
#include "exec/kernels.h"
#include "exec/listed_kernels.h"
#include "exec/vectorise.h"

extern const stoic_kernels JOIN(stoic_kernels_, STOIC_KERNEL_SET);

/* x < 0 is false for NaN, so NaN stays */
static inline float act_relu(float x) {
    return x < 0 ? 0 : x;
}

static inline float act_leaky(float x, float slope) {
    return x < 0 ? x * slope : x;
}

static inline float act_clip(float x, float low, float high) {
    float y = x < low ? low : x;
    return y > high ? high : y;
}

#define AFFINE_ROWS(expression)                                                                    \
    for (int64_t r = 0; r < rows; r++) {                                                           \
        const float *s = src + r * channels;                                                       \
        const float *t = add ? add + r * channels : s;                                             \
        float *d = dst + r * channels;                                                             \
        INDEPENDENT for (int64_t c = 0; c < channels; c++) {                                       \
            float x = (expression);                                                                \
            d[c] = ACT(x);                                                                         \
        }                                                                                          \
        (void)t;                                                                                   \
    }

#define AFFINE_CASES()                                                                             \
    if (scale && add)                                                                              \
        AFFINE_ROWS(s[c] * scale[c] + shift[c] + t[c])                                             \
    else if (scale)                                                                                \
        AFFINE_ROWS(s[c] * scale[c] + shift[c])                                                    \
    else if (add)                                                                                  \
        AFFINE_ROWS(s[c] + t[c])                                                                   \
    else                                                                                           \
        AFFINE_ROWS(s[c])

static void affine(float *dst, const float *src, const float *add, const float *scale,
                   const float *shift, stoic_activation act, int64_t rows, int64_t channels) {
    if (!scale) { /* no operand depends on the channel: one long row */
        channels *= rows;
        rows = 1;
    }
    switch (act.kind) {
#define ACT(x) (x)
    case STOIC_ACT_NONE:
        AFFINE_CASES()
        break;
#undef ACT
#define ACT(x) act_relu(x)
    case STOIC_ACT_RELU:
        AFFINE_CASES()
        break;
#undef ACT
#define ACT(x) act_leaky(x, act.a)
    case STOIC_ACT_LEAKY:
        AFFINE_CASES()
        break;
#undef ACT
#define ACT(x) act_clip(x, act.a, act.b)
    case STOIC_ACT_CLIP:
        AFFINE_CASES()
        break;
#undef ACT
    }
}

/* Once m is NaN nothing compares greater; a NaN x replaces m. */
static inline float max_nan(float m, float x) {
    return x > m || x != x ? x : m;
}

enum { MAX_TAPS = 64 };

/* The largest of n taps, a channel at a time; the order of the taps is that of the window. */
static inline void max_taps(const float *const *taps, int n, int64_t channels, float *dst) {
    if (n == 4) { /* 2 x 2, by far the most frequent */
        const float *a = taps[0], *b = taps[1], *c = taps[2], *d = taps[3];
        INDEPENDENT for (int64_t i = 0; i < channels; i++) dst[i] =
            max_nan(max_nan(max_nan(a[i], b[i]), c[i]), d[i]);
        return;
    }
    if (n == 0 || taps[0] != dst) { /* taps[0] = dst: goes on from what is there */
        for (int64_t i = 0; i < channels; i++)
            dst[i] = n ? taps[0][i] : -INFINITY;
    }
    for (int k = 1; k < n; k++) {
        const float *s = taps[k];
        INDEPENDENT for (int64_t i = 0; i < channels; i++) dst[i] = max_nan(dst[i], s[i]);
    }
}

/* Channels of one output pixel; windows of more than MAX_TAPS taps go in parts. */
static void max_pixel(const stoic_window *w, const float *src, int64_t oy, int64_t ox, float *dst) {
    const float *taps[MAX_TAPS + 1];
    int n = 0;
    for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
        int64_t y = oy * w->stride[0] - w->pad_low[0] + ky * w->dilation[0];
        for (int64_t kx = 0; y >= 0 && y < w->in[0] && kx < w->kernel[1]; kx++) {
            int64_t x = ox * w->stride[1] - w->pad_low[1] + kx * w->dilation[1];
            if (x < 0 || x >= w->in[1])
                continue;
            if (n == MAX_TAPS) {
                max_taps(taps, n, w->out_channels, dst);
                taps[0] = dst;
                n = 1;
            }
            taps[n++] = src + (y * w->in[1] + x) * w->out_channels;
        }
    }
    max_taps(taps, n, w->out_channels, dst);
}

static void max_quarters(const stoic_window *w, const float *src, float *dst) {
    int64_t channels = w->out_channels, line = w->in[1] * channels;
    for (int64_t oy = 0; oy < w->out[0]; oy++) {
        for (int64_t ox = 0; ox < w->out[1]; ox++, dst += channels) {
            const float *a = src + 2 * (oy * line + ox * channels), *b = a + channels;
            const float *c = a + line, *d = c + channels;
            PIECES(channels, i, { dst[i] = max_nan(max_nan(max_nan(a[i], b[i]), c[i]), d[i]); });
        }
    }
}

static void max_pool(const stoic_window *w, const float *src, float *dst, stoic_activation act) {
    int64_t pixels = w->out[0] * w->out[1];
    if (stoic_window_is_quarters(w))
        max_quarters(w, src, dst);
    else
        for (int64_t p = 0; p < pixels; p++)
            max_pixel(w, src, p / w->out[1], p % w->out[1], dst + p * w->out_channels);
    if (act.kind != STOIC_ACT_NONE)
        affine(dst, dst, NULL, NULL, NULL, act, 1, pixels * w->out_channels);
}

static void average_pool(const stoic_window *w, const float *src, float *dst) {
    int64_t channels = w->out_channels;
    for (int64_t oy = 0; oy < w->out[0]; oy++) {
        int64_t y0 = oy * w->stride[0] - w->pad_low[0];
        for (int64_t ox = 0; ox < w->out[1]; ox++, dst += channels) {
            int64_t x0 = ox * w->stride[1] - w->pad_low[1];
            float count = (float)(stoic_window_extent(w, 0, y0) * stoic_window_extent(w, 1, x0));
            for (int64_t c = 0; c < channels; c++)
                dst[c] = 0;
            for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
                int64_t y = y0 + ky * w->dilation[0];
                for (int64_t kx = 0; kx < w->kernel[1]; kx++) {
                    int64_t x = x0 + kx * w->dilation[1];
                    if (y < 0 || y >= w->in[0] || x < 0 || x >= w->in[1])
                        continue;
                    const float *s = src + (y * w->in[1] + x) * channels;
                    INDEPENDENT for (int64_t c = 0; c < channels; c++) dst[c] += s[c];
                }
            }
            for (int64_t c = 0; c < channels; c++)
                dst[c] /= count;
        }
    }
}

/*
 * e^x for x in [-700, 0] (and NaN), in double: x = k ln 2 + r, |r| <= ln 2 / 2, Taylor to r^13
 * (error below 1e-17), scaled by 2^k. *rest gets e^r - 1, which keeps its digits near r = 0.
 */
static inline double exp_parts(double x, double *rest, double *power) {
    const double log2e = 0x1.71547652b82fep+0, ln2_high = 0x1.62e42fefa3800p-1,
                 ln2_low = 0x1.ef35793c76730p-45, shift = 0x1.8p52;
    double k = (x * log2e + shift) - shift;
    double r = fma(-k, ln2_low, fma(-k, ln2_high, x));
    double p = 1.0 / 6227020800.0;
    p = fma(p, r, 1.0 / 479001600.0);
    p = fma(p, r, 1.0 / 39916800.0);
    p = fma(p, r, 1.0 / 3628800.0);
    p = fma(p, r, 1.0 / 362880.0);
    p = fma(p, r, 1.0 / 40320.0);
    p = fma(p, r, 1.0 / 5040.0);
    p = fma(p, r, 1.0 / 720.0);
    p = fma(p, r, 1.0 / 120.0);
    p = fma(p, r, 1.0 / 24.0);
    p = fma(p, r, 1.0 / 6.0);
    p = fma(p, r, 0.5);
    p = fma(p, r, 1.0);
    *rest = p * r;
    /* k + 1.5 * 2^52 holds k in its low bits: moved into the exponent they make 2^k (normal, as
     * x >= -700). NaN goes through rest, whatever the power. */
    union {
        double d;
        uint64_t i;
    } bits = {.d = k + shift};
    bits.i = (bits.i + 1023) << 52;
    *power = bits.d;
    return fma(*rest, *power, *power);
}

static inline double exp_nonpositive(double x) {
    double rest, power;
    return exp_parts(x < -700 ? -700 : x, &rest, &power);
}

static inline float sigmoid_one(float x) {
    double e = exp_nonpositive(-fabs((double)x));
    double s = (x < 0 ? e : 1.0) / (1.0 + e);
    return (float)(x != x ? (double)x : s);
}

static inline float tanh_one(float x) {
    double rest, power, a = -2 * fabs((double)x);
    exp_parts(a < -700 ? -700 : a, &rest, &power);
    double minus = fma(rest, power, power - 1.0); /* e^a - 1, without cancellation near 0 */
    double t = -minus / (2.0 + minus);
    return (float)(x != x ? (double)x : x < 0 ? -t : x > 0 ? t : (double)x);
}

static void unary(stoic_unary f, float a, float b, const float *src, float *dst, int64_t n) {
    switch (f) {
    case STOIC_SIGMOID:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = sigmoid_one(src[i]);
        break;
    case STOIC_TANH:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = tanh_one(src[i]);
        break;
    case STOIC_HARD_SIGMOID:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = act_clip(src[i] * a + b, 0, 1);
        break;
    case STOIC_HARD_SWISH:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] =
            src[i] * act_clip(src[i] * (1.0f / 6) + 0.5f, 0, 1);
        break;
    case STOIC_REPLACE_NAN:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = src[i] != src[i] ? b : src[i];
        break;
    case STOIC_REPLACE_ABOVE:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = src[i] > a ? b : src[i];
        break;
    case STOIC_REPLACE_BELOW:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = src[i] < a ? b : src[i];
        break;
    }
}

static void binary(stoic_binary f, const float *x, const float *y, float *dst, int64_t n) {
    switch (f) {
    case STOIC_ADD:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = x[i] + y[i];
        break;
    case STOIC_SUB:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = x[i] - y[i];
        break;
    case STOIC_MUL:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = x[i] * y[i];
        break;
    case STOIC_DIV:
        INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = x[i] / y[i];
        break;
    }
}

static void softmax(const float *src, float *dst, int64_t n, int64_t step, bool logarithm) {
    float top = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        top = max_nan(top, src[i * step]);
    /* Inf - Inf is NaN, as in PyTorch */
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)src[i * step] - (double)top;
        sum += d != d ? d : exp_nonpositive(d);
    }
    double log_sum = logarithm ? log(sum) : 0;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)src[i * step] - (double)top;
        double e = d != d ? d : exp_nonpositive(d);
        dst[i * step] = (float)(logarithm ? d - log_sum : e / sum);
    }
}

static inline bool inside(int64_t p, int64_t n) {
    return p >= 0 && p < n;
}

/* One output pixel of a depthwise convolution: all groups side by side. */
static void depthwise_pixel(const stoic_direct_conv *c, const float *weights, const float *src,
                            int64_t y0, int64_t x0, float *dst) {
    for (int64_t ky = 0; ky < c->kh; ky++) {
        for (int64_t kx = 0; kx < c->kw; kx++) {
            int64_t y = y0 + ky * c->dilation_h, x = x0 + kx * c->dilation_w;
            if (!inside(y, c->ih) || !inside(x, c->iw))
                continue;
            const float *s = src + (y * c->iw + x) * c->groups;
            const float *w = weights + (ky * c->kw + kx) * c->groups;
            INDEPENDENT for (int64_t g = 0; g < c->groups; g++) dst[g] = fmaf(s[g], w[g], dst[g]);
        }
    }
}

static void grouped_pixel(const stoic_direct_conv *c, const float *weights, const float *src,
                          int64_t y0, int64_t x0, float *dst) {
    int64_t taps = c->kh * c->kw * c->ic * c->oc;
    for (int64_t g = 0; g < c->groups; g++) {
        float *d = dst + g * c->oc;
        for (int64_t ky = 0; ky < c->kh; ky++) {
            for (int64_t kx = 0; kx < c->kw; kx++) {
                int64_t y = y0 + ky * c->dilation_h, x = x0 + kx * c->dilation_w;
                if (!inside(y, c->ih) || !inside(x, c->iw))
                    continue;
                const float *s = src + (y * c->iw + x) * c->groups * c->ic + g * c->ic;
                const float *w = weights + g * taps + (ky * c->kw + kx) * c->ic * c->oc;
                for (int64_t i = 0; i < c->ic; i++) {
                    INDEPENDENT for (int64_t o = 0; o < c->oc; o++) d[o] =
                        fmaf(s[i], w[i * c->oc + o], d[o]);
                }
            }
        }
    }
}

static void direct_conv(const stoic_direct_conv *c, const float *weights, const float *bias,
                        const float *src, float *dst) {
    int64_t channels = c->groups * c->oc;
    for (int64_t oy = 0; oy < c->oh; oy++) {
        for (int64_t ox = 0; ox < c->ow; ox++, dst += channels) {
            int64_t y0 = oy * c->stride_h - c->pad_top, x0 = ox * c->stride_w - c->pad_left;
            for (int64_t o = 0; o < channels; o++)
                dst[o] = bias ? bias[o] : 0;
            if (c->ic == 1 && c->oc == 1)
                depthwise_pixel(c, weights, src, y0, x0, dst);
            else
                grouped_pixel(c, weights, src, y0, x0, dst);
        }
    }
}

static void vote(const float *a, const float *b, const float *c, float *dst, int64_t n) {
    INDEPENDENT for (int64_t i = 0; i < n; i++) dst[i] = a[i] == b[i] ? a[i] : c[i];
}

const stoic_kernels JOIN(stoic_kernels_, STOIC_KERNEL_SET) = {
    .isa = TEXT(STOIC_KERNEL_SET),
    .affine = affine,
    .max_pool = max_pool,
    .average_pool = average_pool,
    .unary = unary,
    .binary = binary,
    .vote = vote,
    .softmax = softmax,
    .direct_conv = direct_conv,
    .chain = stoic_chain_sum,
    .chain_pair = stoic_chain_pair,
    .chain_probe = stoic_chain_probe,
    .add_change = stoic_add_change,
    .outside = stoic_outside,
    .above = stoic_above,
    .least_room = stoic_least_room,
    .product = stoic_product_sum,
    .product_probe = stoic_product_probe,
    .columns = stoic_columns,
    .move = stoic_move,
    .classify = stoic_classify,
    .listed = stoic_listed_sum,
    .listed_moves = stoic_listed_moves,
    .sum = stoic_check_sum,
    .window_sum = stoic_check_windows,
};
