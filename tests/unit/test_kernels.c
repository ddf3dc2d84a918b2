/*
 * Our own kernels: every instruction set gives the same bits, each kernel is what its formula says,
 * and NaN, infinities, subnormals and huge values are data like any other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "kernel_kit.h"

static float act_plain(stoic_activation act, float x) {
    if (x != x)
        return x;
    switch (act.kind) {
    case STOIC_ACT_RELU:
        return x < 0 ? 0 : x;
    case STOIC_ACT_LEAKY:
        return x < 0 ? x * act.a : x;
    case STOIC_ACT_CLIP:
        return x < act.a ? act.a > act.b ? act.b : act.a : x > act.b ? act.b : x;
    default:
        return x;
    }
}

static const stoic_activation acts[] = {{STOIC_ACT_NONE, 0, 0},     {STOIC_ACT_RELU, 0, 0},
                                        {STOIC_ACT_LEAKY, 0.1f, 0}, {STOIC_ACT_LEAKY, -2, 0},
                                        {STOIC_ACT_CLIP, 0, 6},     {STOIC_ACT_CLIP, -INFINITY, 1}};
enum { ACTS = sizeof acts / sizeof *acts };

/* ---- affine and activations: exact ---- */

static void affine_is_its_formula(void **state) {
    (void)state;
    static float x[MOST], add[MOST], y[MOST], expected[MOST], scale[MOST], shift[MOST];
    stoic_rng rng = kit_rng(1);
    for (int i = 0; i < 600; i++) {
        int64_t rows = 1 + kit_below(&rng, 9), channels = 1 + kit_below(&rng, 70);
        stoic_activation act = acts[i % ACTS];
        bool scaled = i / 6 % 2, added = i / 12 % 2;
        int rare = i % 2 ? 5 : 0;
        fill(x, rows * channels, &rng, rare);
        fill(add, rows * channels, &rng, rare);
        fill(scale, channels, &rng, rare);
        fill(shift, channels, &rng, rare);
        for (int64_t k = 0; k < rows * channels; k++) {
            volatile float v = x[k]; /* each operation is rounded by itself */
            if (scaled) {
                v = v * scale[k % channels];
                v = v + shift[k % channels];
            }
            if (added)
                v = v + add[k];
            expected[k] = act_plain(act, v);
        }
        for (int s = 0; s < n_sets; s++) {
            sets[s]->affine(y, x, added ? add : NULL, scaled ? scale : NULL, scaled ? shift : NULL,
                            act, rows, channels);
            assert_true(same("affine", sets[s]->isa, y, expected, rows * channels));
            memcpy(y, x, sizeof y); /* in place */
            sets[s]->affine(y, y, added ? add : NULL, scaled ? scale : NULL, scaled ? shift : NULL,
                            act, rows, channels);
            assert_true(same("affine in place", sets[s]->isa, y, expected, rows * channels));
        }
        y[0] = nextafterf(y[0] == y[0] ? y[0] : 0, 9);
        assert_int_not_equal(kit_differences(y, expected, 1), 0);
    }
}

static void elementwise_kernels_are_their_formulas(void **state) {
    (void)state;
    static float x[MOST], z[MOST], y[MOST], expected[MOST];
    stoic_rng rng = kit_rng(2);
    for (int i = 0; i < 200; i++) {
        int64_t n = 1 + kit_below(&rng, 200);
        fill(x, n, &rng, 4);
        fill(z, n, &rng, 4);
        for (int f = STOIC_ADD; f <= STOIC_DIV; f++) {
            for (int64_t k = 0; k < n; k++)
                expected[k] = f == STOIC_ADD   ? x[k] + z[k]
                              : f == STOIC_SUB ? x[k] - z[k]
                              : f == STOIC_MUL ? x[k] * z[k]
                                               : x[k] / z[k];
            for (int s = 0; s < n_sets; s++) {
                sets[s]->binary((stoic_binary)f, x, z, y, n);
                assert_true(same("binary", sets[s]->isa, y, expected, n));
            }
        }
        for (int s = 0; s < n_sets; s++) {
            const stoic_activation unit = {STOIC_ACT_CLIP, 0, 1};
            for (int64_t k = 0; k < n; k++) {
                volatile float v = x[k] * 0.3f;
                v = v + 0.5f;
                expected[k] = act_plain(unit, v);
            }
            sets[s]->unary(STOIC_HARD_SIGMOID, 0.3f, 0.5f, x, y, n);
            assert_true(same("HardSigmoid", sets[s]->isa, y, expected, n));
            for (int64_t k = 0; k < n; k++) {
                volatile float v = x[k] * (1.0f / 6);
                v = v + 0.5f;
                expected[k] = x[k] * act_plain(unit, v);
            }
            sets[s]->unary(STOIC_HARD_SWISH, 0, 0, x, y, n);
            assert_true(same("HardSwish", sets[s]->isa, y, expected, n));
        }
    }
}

/* ---- pools ---- */

static stoic_window random_window(stoic_rng *rng, int64_t channels, int64_t largest) {
    stoic_window w = {.rank = 2, .groups = 1, .in_channels = channels, .out_channels = channels};
    for (int i = 0; i < 2; i++) {
        w.kernel[i] = 1 + kit_below(rng, largest);
        w.stride[i] = 1 + kit_below(rng, 3);
        w.dilation[i] = 1 + kit_below(rng, 2);
        w.in[i] = w.kernel[i] * w.dilation[i] + kit_below(rng, 6);
        w.pad_low[i] = kit_below(rng, w.kernel[i]);
        w.pad_high[i] = kit_below(rng, w.kernel[i]);
        int64_t span = (w.kernel[i] - 1) * w.dilation[i] + 1;
        w.out[i] = (w.in[i] + w.pad_low[i] + w.pad_high[i] - span) / w.stride[i] + 1;
    }
    w.count_include_pad = kit_below(rng, 2);
    return w;
}

/* One output of a pool in double: the maximum, or the mean and the mean of |x|. */
typedef struct pooled {
    double max, mean, size;
    int64_t taps;
} pooled;

static pooled pool_plain(const stoic_window *w, const float *src, int64_t oy, int64_t ox,
                         int64_t c) {
    pooled p = {.max = -INFINITY};
    int64_t divisor = 0;
    double sum = 0;
    for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
        for (int64_t kx = 0; kx < w->kernel[1]; kx++) {
            int64_t y = oy * w->stride[0] - w->pad_low[0] + ky * w->dilation[0];
            int64_t x = ox * w->stride[1] - w->pad_low[1] + kx * w->dilation[1];
            bool in = y >= 0 && y < w->in[0] && x >= 0 && x < w->in[1];
            divisor += in || (w->count_include_pad && y < w->in[0] + w->pad_high[0] &&
                              x < w->in[1] + w->pad_high[1]);
            if (!in)
                continue;
            double v = (double)src[(y * w->in[1] + x) * w->in_channels + c];
            p.max = v > p.max || v != v || p.max != p.max ? (p.max != p.max ? p.max : v) : p.max;
            sum += v;
            p.size += fabs(v);
            p.taps++;
        }
    }
    p.mean = sum / (double)divisor;
    p.size /= (double)divisor;
    return p;
}

static bool within(double found, double exact, double bound) {
    if (isnan(exact) || isinf(exact))
        return isnan(exact) ? isnan(found) : found == exact;
    return fabs(found - exact) <= bound;
}

static void pools_are_their_formulas(void **state) {
    (void)state;
    static float x[40 * 40 * 40], y[40 * 40 * 40], z[40 * 40 * 40];
    stoic_rng rng = kit_rng(4);
    for (int i = 0; i < 300; i++) {
        int64_t channels = i % 5 == 0 ? 16 : 1 + kit_below(&rng, 35);
        stoic_window w = random_window(&rng, channels, i % 6 == 1 ? 11 : i % 3 ? 3 : 2);
        stoic_activation act = acts[i % 3 == 0 ? 1 : 0];
        int64_t size = w.in[0] * w.in[1] * channels, out = w.out[0] * w.out[1] * channels;
        fill(x, size, &rng, i % 2 ? 9 : 0);
        for (int64_t k = 0; i % 2 && k < size; k++) /* sums of huge values may overflow: not here */
            x[k] = fabsf(x[k]) > 1e30f && !isinf(x[k]) ? 5 : x[k];
        for (int s = 0; s < n_sets; s++) {
            sets[s]->max_pool(&w, x, y, act);
            sets[s]->average_pool(&w, x, z);
            for (int64_t k = 0; k < out; k++) {
                pooled p = pool_plain(&w, x, k / channels / w.out[1], k / channels % w.out[1],
                                      k % channels);
                float most = act_plain(act, (float)p.max);
                assert_true(same("max pool", sets[s]->isa, &y[k], &most, 1));
                double bound = (double)(p.taps + 1) * 0x1.1p-24 * p.size + 1e-44;
                if (!within((double)z[k], p.mean, bound))
                    fail_msg("average pool: %.9g, expected %.9g", (double)z[k], p.mean);
                if (isfinite(p.mean) && fabs(p.mean) > 0.1 * p.size && p.size > 1e-3 && p.taps)
                    assert_false(within((double)z[k] * 1.0001, p.mean, bound));
            }
        }
        for (int s = 1; s < n_sets; s++) {
            sets[s]->average_pool(&w, x, y);
            assert_true(same("average pool", sets[s]->isa, y, z, out));
        }
    }
}

/* ---- the sums of checksums ---- */

static double window_plain(const stoic_window *w, bool magnitude, const float *x, int64_t c,
                           int64_t a, int64_t b) {
    double sum = 0;
    for (int64_t i = 0; i < w->out[0]; i++) {
        for (int64_t j = 0; j < w->out[1]; j++) {
            int64_t h = i * w->stride[0] - w->pad_low[0] + a * w->dilation[0];
            int64_t v = j * w->stride[1] - w->pad_low[1] + b * w->dilation[1];
            if (h < 0 || h >= w->in[0] || v < 0 || v >= w->in[1])
                continue;
            double value = x[(h * w->in[1] + v) * w->in_channels + c];
            sum += magnitude ? fabs(value) : value;
        }
    }
    return sum;
}

/* Whole numbers are summed without rounding, in any order. */
static void checksums_are_their_sums(void **state) {
    (void)state;
    static float x[40 * 40 * 40], y[40 * 121 * 40];
    static double scratch[81 * 40];
    stoic_rng rng = kit_rng(6);
    for (int i = 0; i < 300; i++) {
        int64_t channels = i % 4 == 0 ? 1 : 1 + kit_below(&rng, 35);
        stoic_window w = random_window(&rng, channels, i % 6 == 1 ? 11 : i % 3 ? 3 : 2);
        int64_t size = w.in[0] * w.in[1] * channels, taps = w.kernel[0] * w.kernel[1];
        if (i % 2)
            w.stride[1] = 1,
            w.out[1] = w.in[1] + w.pad_low[1] + w.pad_high[1] - (w.kernel[1] - 1) * w.dilation[1];
        if (w.out[1] < 1)
            continue;
        for (int64_t k = 0; k < size; k++)
            x[k] = (float)(kit_below(&rng, 2001) - 1000);
        if (i % 7 == 0)
            x[kit_below(&rng, size)] = i % 2 ? NAN : -INFINITY;
        for (int s = 0; s < n_sets; s++) {
            sets[s]->window_sum(&w, i % 3 == 0, x, scratch, y);
            for (int64_t k = 0; k < channels * taps; k++) {
                float expected = (float)window_plain(&w, i % 3 == 0, x, k / taps,
                                                     k % taps / w.kernel[1], k % w.kernel[1]);
                if (!same("window sum", sets[s]->isa, &y[k], &expected, 1))
                    fail_msg("case %d, %lld: %g, expected %g", i, (long long)k, (double)y[k],
                             (double)expected);
            }
            double sum = 0;
            for (int64_t k = 0; k < size; k++)
                sum += x[k];
            assert_true(sets[s]->sum(x, size) == sum || isnan(sum));
            assert_true(isnan(sets[s]->sum(x, size)) == isnan(sum));
        }
    }
}

/* Of numbers that are rounded all sets give the same bits. */
static void checksums_are_the_same_on_all_sets(void **state) {
    (void)state;
    static float x[MOST];
    stoic_rng rng = kit_rng(7);
    for (int i = 0; i < 200; i++) {
        int64_t n = kit_below(&rng, MOST);
        fill(x, n, &rng, 0);
        double first = sets[0]->sum(x, n);
        for (int s = 1; s < n_sets; s++) {
            double sum = sets[s]->sum(x, n);
            assert_memory_equal(&sum, &first, sizeof sum);
        }
    }
}

/* ---- softmax ---- */

static void softmax_is_its_formula(void **state) {
    (void)state;
    static float x[MOST], y[MOST], first[MOST];
    stoic_rng rng = kit_rng(5);
    for (int i = 0; i < 400; i++) {
        int64_t n = 1 + kit_below(&rng, 40), step = 1 + kit_below(&rng, 5);
        bool logarithm = i % 2;
        double scale = i % 3 ? 1 : 60;
        for (int64_t k = 0; k < n * step; k++)
            x[k] = kit_uniform(&rng, -4, 4) * (float)scale;
        for (int s = 0; s < n_sets; s++) {
            memset(y, 0, sizeof y);
            sets[s]->softmax(x, y, n, step, logarithm);
            long double top = -INFINITY, sum = 0;
            for (int64_t k = 0; k < n; k++)
                top = x[k * step] > top ? x[k * step] : top;
            for (int64_t k = 0; k < n; k++)
                sum += expl(x[k * step] - top);
            for (int64_t k = 0; k < n; k++) {
                long double e =
                    logarithm ? x[k * step] - top - logl(sum) : expl(x[k * step] - top) / sum;
                assert_true(fabsl((long double)y[k * step] - e) <= 0x1p-23L * fabsl(e) + 1e-15L);
            }
            for (int64_t k = 0; step > 1 && k < n * step; k++)
                assert_true(k % step == 0 || y[k] == 0); /* what lies between is left alone */
            if (s == 0)
                memcpy(first, y, sizeof y);
            assert_true(same("softmax", sets[s]->isa, y, first, n * step));
        }
    }
    const float broken[] = {1, NAN, 2}, huge[] = {1, INFINITY, 2}, low[] = {-INFINITY, 1, 2};
    for (int s = 0; s < n_sets; s++) {
        sets[s]->softmax(broken, y, 3, 1, s % 2);
        assert_true(isnan(y[0]) && isnan(y[1]) && isnan(y[2]));
        sets[s]->softmax(huge, y, 3, 1, false); /* Inf - Inf, as in PyTorch */
        assert_true(isnan(y[0]) && isnan(y[1]) && isnan(y[2]));
        sets[s]->softmax(low, y, 3, 1, false);
        assert_true(y[0] == 0 && fabsf(y[1] + y[2] - 1) < 1e-6f);
    }
}

/* ---- sums ---- */

static stoic_chain random_chain(stoic_rng *rng) {
    stoic_chain c = {.ic = 1 + kit_below(rng, 20),
                     .kh = 1 + kit_below(rng, 3),
                     .kw = 1 + kit_below(rng, 4),
                     .stride_h = 1 + kit_below(rng, 2),
                     .stride_w = 1 + kit_below(rng, 3),
                     .dilation_h = 1 + kit_below(rng, 2),
                     .dilation_w = 1 + kit_below(rng, 2),
                     .pad_top = kit_below(rng, 3),
                     .pad_left = kit_below(rng, 3),
                     .bias_first = kit_below(rng, 2)};
    c.channels = c.ic * (1 + kit_below(rng, 2));
    c.first = c.channels > c.ic ? c.ic * kit_below(rng, 2) : 0;
    c.block = kit_below(rng, 2) ? c.ic : 1 + kit_below(rng, c.ic);
    c.ih = 7 + kit_below(rng, 4);
    c.iw = 8 + kit_below(rng, 20);
    c.oh = (c.ih + c.pad_top - (c.kh - 1) * c.dilation_h - 1) / c.stride_h + 1;
    c.ow = (c.iw + c.pad_left + 2 - (c.kw - 1) * c.dilation_w - 1) / c.stride_w + 1;
    return c;
}

typedef struct link {
    float sum;
    double total, peak;
} link;

/* One output by the definition: blocks of channels, then row, column, channel. */
static link chain_plain(const stoic_chain *c, const float *weights, const float *bias,
                        const float *in, int lane, int64_t oy, int64_t ox) {
    link l = {.sum = bias && c->bias_first ? *bias : 0};
    for (int64_t b = 0; b < c->ic; b += c->block) {
        for (int64_t k = 0; k < c->kh * c->kw; k++) {
            int64_t y = oy * c->stride_h - c->pad_top + k / c->kw * c->dilation_h;
            int64_t x = ox * c->stride_w - c->pad_left + k % c->kw * c->dilation_w;
            if (y < 0 || y >= c->ih || x < 0 || x >= c->iw)
                continue;
            for (int64_t i = b; i < c->ic && i < b + c->block; i++) {
                l.sum =
                    fmaf(in[((y * c->iw + x) * c->channels + c->first + i) * STOIC_LANES + lane],
                         weights[k * c->ic + i], l.sum);
                l.total += fabs((double)l.sum);
                l.peak = fmax(l.peak, fabs((double)l.sum));
            }
        }
    }
    if (bias && !c->bias_first)
        l.sum += *bias;
    l.total += fabs((double)l.sum);
    l.peak = fmax(l.peak, fabs((double)l.sum));
    return l;
}

static void chains_are_chains(void **state) {
    (void)state;
    static float in[11 * 28 * 40 * 16], weights[400], out[4000 * 16], total[4000 * 16], peak[16];
    stoic_rng rng = kit_rng(6);
    for (int i = 0; i < 40; i++) {
        stoic_chain c = random_chain(&rng);
        float bias = kit_uniform(&rng, -2, 2);
        const float *b = i % 3 ? &bias : NULL;
        fill(in, c.ih * c.iw * c.channels * STOIC_LANES, &rng, i % 2 ? 3000 : 0);
        fill(weights, c.kh * c.kw * c.ic, &rng, i % 4 == 3 ? 60 : 0);
        for (int s = 0; s < n_sets; s++) {
            double most[STOIC_LANES] = {0};
            memset(peak, 0, sizeof peak);
            sets[s]->chain(&c, weights, b, in, out);
            sets[s]->chain_probe(&c, weights, b, in, total, peak);
            for (int64_t p = 0; p < c.oh * c.ow; p++) {
                for (int l = 0; l < STOIC_LANES; l++) {
                    link e = chain_plain(&c, weights, b, in, l, p / c.ow, p % c.ow);
                    assert_true(same("chain", sets[s]->isa, &out[p * STOIC_LANES + l], &e.sum, 1));
                    most[l] = fmax(most[l], e.peak);
                    float t = total[p * STOIC_LANES + l];
                    assert_true(!(e.total < 1e37) || fabs((double)t - e.total) <= 1e-4 * e.total);
                }
            }
            for (int l = 0; i % 2 == 0 && i % 4 != 3 && l < STOIC_LANES; l++)
                assert_true((double)peak[l] == most[l]);
        }
        float swapped = in[0]; /* a changed input shows */
        in[(c.pad_top * 0 + c.first) * STOIC_LANES] = swapped + 1;
        link a = chain_plain(&c, weights, b, in, 0, 0, 0);
        bool reached = c.pad_top % c.dilation_h == 0 && c.pad_left % c.dilation_w == 0 &&
                       c.pad_top / c.dilation_h < c.kh && c.pad_left / c.dilation_w < c.kw;
        if (reached && i % 2 == 0 && i % 4 != 3 && c.first == 0)
            assert_false(kit_same(a.sum, out[0]));
    }
}

static void pairs_are_two_chains(void **state) {
    (void)state;
    static float in[11 * 28 * 16], weights[2][12], out[2][4000 * 16], alone[4000 * 16];
    stoic_rng rng = kit_rng(16);
    for (int i = 0; i < 40; i++) {
        stoic_chain c = random_chain(&rng);
        c.ic = c.channels = c.block = 1;
        c.first = 0;
        c.bias_first = true;
        fill(in, c.ih * c.iw * STOIC_LANES, &rng, i % 2 ? 300 : 0);
        for (int j = 0; j < 2; j++)
            fill(weights[j], c.kh * c.kw, &rng, i % 4 == 3 ? 20 : 0);
        for (int s = 0; s < n_sets; s++) {
            const float *both[] = {weights[0], weights[1]};
            float *outs[] = {out[0], out[1]};
            sets[s]->chain_pair(&c, both, in, outs);
            for (int j = 0; j < 2; j++) {
                sets[s]->chain(&c, weights[j], NULL, in, alone);
                assert_true(same("pair", sets[s]->isa, out[j], alone, c.oh * c.ow * STOIC_LANES));
            }
        }
    }
}

static void products_measure_themselves(void **state) {
    (void)state;
    enum { IN = 40, OUT = 21 };
    static float in[IN * 16], weights[IN * OUT], bias[OUT], out[OUT * 16], expected[OUT * 16];
    stoic_rng rng = kit_rng(17);
    for (int i = 0; i < 40; i++) {
        fill(in, IN * STOIC_LANES, &rng, i % 2 ? 500 : 0);
        fill(weights, IN * OUT, &rng, 0);
        fill(bias, OUT, &rng, 0);
        stoic_product p = {.in = IN, .out = OUT, .weights = weights, .step = OUT};
        p.relu = i % 3 == 0;
        *(i % 4 < 2 ? &p.start : &p.end) = bias;
        for (int s = 0; s < n_sets; s++) {
            float total[OUT * STOIC_LANES], peak[STOIC_LANES] = {0}, most[STOIC_LANES] = {0};
            sets[s]->product(&p, in, expected, most);
            sets[s]->product_probe(&p, in, out, total, peak);
            assert_true(same("probe", sets[s]->isa, out, expected, OUT * STOIC_LANES));
            assert_true(same("peak", sets[s]->isa, peak, most, STOIC_LANES));
            for (int64_t k = 0; k < OUT * STOIC_LANES; k++) {
                float sum = p.start ? bias[k / 16] : 0;
                double all = fabs((double)sum);
                for (int64_t j = 0; j < IN; j++) {
                    sum = fmaf(in[j * 16 + k % 16], weights[j * OUT + k / 16], sum);
                    all += fabs((double)sum);
                }
                sum += p.end ? bias[k / 16] : 0;
                all += fabs((double)sum);
                assert_true(!(all < 1e37) || fabs(4096 * (double)total[k] - all) <= 1e-4 * all);
            }
        }
    }
}

static void changes_are_added(void **state) {
    (void)state;
    static float change[4000], weights[12 * 128], sums[4000 * 128], expected[4000 * 128];
    stoic_rng rng = kit_rng(7);
    for (int i = 0; i < 40; i++) {
        stoic_chain c = random_chain(&rng);
        int64_t n = 1 + kit_below(&rng, 128), padded = (n + 15) / 16 * 16, outputs = c.oh * c.ow;
        fill(change, c.ih * c.iw, &rng, i % 2 ? 50 : 0);
        fill(weights, c.kh * c.kw * padded, &rng, 0);
        for (int s = 0; s < n_sets; s++) {
            stoic_rng again = kit_rng((uint64_t)i);
            fill(sums, outputs * n, &again, 0);
            sums[outputs * n] = 4711; /* what lies behind stays */
            for (int64_t k = 0; k < outputs * n; k++) {
                float sum = 0;
                for (int64_t t = 0; t < c.kh * c.kw; t++) {
                    int64_t y = k / n / c.ow * c.stride_h - c.pad_top + t / c.kw * c.dilation_h;
                    int64_t x = k / n % c.ow * c.stride_w - c.pad_left + t % c.kw * c.dilation_w;
                    if (y >= 0 && y < c.ih && x >= 0 && x < c.iw)
                        sum = fmaf(change[y * c.iw + x], weights[t * padded + k % n], sum);
                }
                expected[k] = sums[k] + sum;
            }
            sets[s]->add_change(&c, weights, padded, n, change, sums);
            assert_true(same("change", sets[s]->isa, sums, expected, outputs * n));
            assert_true(sums[outputs * n] == 4711);
        }
    }
}

/* An output of the direct convolution: the sum in double, and the sum of magnitudes. */
static double direct_plain(const stoic_direct_conv *c, const float *weights, const float *bias,
                           const float *src, int64_t oy, int64_t ox, int64_t o, double *size) {
    int64_t g = o / c->oc;
    double sum = bias ? (double)bias[o] : 0;
    *size = fabs(sum);
    for (int64_t ky = 0; ky < c->kh; ky++) {
        for (int64_t kx = 0; kx < c->kw; kx++) {
            int64_t y = oy * c->stride_h - c->pad_top + ky * c->dilation_h;
            int64_t x = ox * c->stride_w - c->pad_left + kx * c->dilation_w;
            for (int64_t i = 0; i < c->ic && y >= 0 && y < c->ih && x >= 0 && x < c->iw; i++) {
                bool depthwise = c->ic == 1 && c->oc == 1;
                int64_t at =
                    depthwise ? (ky * c->kw + kx) * c->groups + g
                              : (((g * c->kh + ky) * c->kw + kx) * c->ic + i) * c->oc + o % c->oc;
                double term = (double)weights[at] *
                              (double)src[(y * c->iw + x) * c->groups * c->ic + g * c->ic + i];
                sum += term;
                *size += fabs(term);
            }
        }
    }
    return sum;
}

static void direct_convolution_is_a_convolution(void **state) {
    (void)state;
    static float src[20000], weights[20000], bias[200], dst[60000], first[60000];
    stoic_rng rng = kit_rng(8);
    for (int i = 0; i < 60; i++) {
        bool depthwise = i % 2;
        stoic_direct_conv c = {.groups = 1 + kit_below(&rng, depthwise ? 40 : 3),
                               .ic = depthwise ? 1 : 1 + kit_below(&rng, 6),
                               .oc = depthwise ? 1 : 1 + kit_below(&rng, 20),
                               .ih = 6,
                               .iw = 7,
                               .kh = 1 + kit_below(&rng, 3),
                               .kw = 1 + kit_below(&rng, 3),
                               .stride_h = 1 + kit_below(&rng, 2),
                               .stride_w = 1 + kit_below(&rng, 2),
                               .dilation_h = 1 + kit_below(&rng, 2),
                               .dilation_w = 1,
                               .pad_top = kit_below(&rng, 3),
                               .pad_left = kit_below(&rng, 3)};
        c.oh = (c.ih + 2 * c.pad_top - (c.kh - 1) * c.dilation_h - 1) / c.stride_h + 1;
        c.ow = (c.iw + 2 * c.pad_left - (c.kw - 1) * c.dilation_w - 1) / c.stride_w + 1;
        int64_t channels = c.groups * c.oc;
        fill(src, c.ih * c.iw * c.groups * c.ic, &rng, i % 3 ? 0 : 40);
        fill(weights, channels * c.ic * c.kh * c.kw, &rng, i % 5 ? 0 : 40);
        fill(bias, channels, &rng, 0);
        for (int64_t k = 0; k < c.ih * c.iw * c.groups * c.ic; k++)
            src[k] = fabsf(src[k]) > 1e30f && !isinf(src[k]) ? 1 : src[k]; /* no overflow */
        for (int64_t k = 0; k < channels * c.ic * c.kh * c.kw; k++)
            weights[k] = fabsf(weights[k]) > 1e30f && !isinf(weights[k]) ? 1 : weights[k];
        for (int s = 0; s < n_sets; s++) {
            sets[s]->direct_conv(&c, weights, i % 4 ? bias : NULL, src, dst);
            for (int64_t k = 0; k < c.oh * c.ow * channels; k++) {
                double size,
                    e = direct_plain(&c, weights, i % 4 ? bias : NULL, src, k / channels / c.ow,
                                     k / channels % c.ow, k % channels, &size);
                double bound = (double)(c.ic * c.kh * c.kw + 1) * 0x1.1p-24 * size + 1e-43;
                assert_true(within((double)dst[k], e, bound));
                if (isfinite(e) && fabs(e) > 0.01 * size && size > 1e-3)
                    assert_false(within((double)dst[k] * 1.0003, e, bound));
            }
            if (s == 0)
                memcpy(first, dst, sizeof dst);
            assert_true(
                same("direct convolution", sets[s]->isa, dst, first, c.oh * c.ow * channels));
        }
    }
}

/* The first row and column of the kernel only ever meet padding at the first output: their
 * weights, infinite, must not be multiplied there. */
static void padding_is_never_multiplied(void **state) {
    (void)state;
    stoic_direct_conv c = {1, 1, 2, 4, 4, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1};
    float weights[18], src[16], dst[32];
    for (int i = 0; i < 18; i++)
        weights[i] = i < 6 || i / 2 % 3 == 0 ? INFINITY : 1;
    for (int i = 0; i < 16; i++)
        src[i] = 1;
    for (int s = 0; s < n_sets; s++) {
        sets[s]->direct_conv(&c, weights, NULL, src, dst);
        assert_true(dst[0] == 4 && dst[1] == 4);
        assert_true(isinf(dst[2]) && isinf(dst[31]));
    }
}

int main(void) {
    sets_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(affine_is_its_formula),
        cmocka_unit_test(elementwise_kernels_are_their_formulas),
        cmocka_unit_test(pools_are_their_formulas),
        cmocka_unit_test(checksums_are_their_sums),
        cmocka_unit_test(checksums_are_the_same_on_all_sets),
        cmocka_unit_test(softmax_is_its_formula),
        cmocka_unit_test(chains_are_chains),
        cmocka_unit_test(pairs_are_two_chains),
        cmocka_unit_test(products_measure_themselves),
        cmocka_unit_test(changes_are_added),
        cmocka_unit_test(direct_convolution_is_a_convolution),
        cmocka_unit_test(padding_is_never_multiplied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
