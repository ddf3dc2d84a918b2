/*
 * The kernels of gradient_kernels.h, compiled once per instruction set.
 *
 * Sums over rows: BLOCK rows are summed in float, each block is added to the total in double. Few
 * channels are widened: as many neighbouring rows as fill WIDE floats count as one row of more
 * channels, and are folded at the end, so that the compiler always has long vectors.
 */
#include <math.h>
#include <string.h>

#include "exec/gradient_kernels.h"
#include "exec/vectorise.h"

enum { BLOCK = 64, WIDE = 64, MOST = 512 };

/* How `channels` columns are walked: pieces of `width` floats that hold `times` rows each. */
typedef struct walk {
    int64_t times, width;
} walk;

static walk walk_of(int64_t channels) {
    int64_t times = channels < WIDE ? WIDE / channels : 1;
    return (walk){times, channels * times};
}

/* Repeats the vector of n channels `times` over. */
static const float *widen(const float *v, int64_t n, int64_t times, float *room) {
    if (times == 1)
        return v;
    for (int64_t k = 0; k < times; k++)
        memcpy(room + k * n, v, (size_t)n * sizeof *v);
    return room;
}

static void fold(const float *part, int64_t n, int64_t times, double *total) {
    for (int64_t k = 0; k < times; k++) {
        for (int64_t c = 0; c < n; c++)
            total[c] += (double)part[k * n + c];
    }
}

/*
 * for every block of rows and every piece of at most MOST columns: CLEAR, LOOP each (wide) row
 * with `at` the offset of its first float and `n` its length, then FOLD. The last row may be
 * shorter.
 */
#define WALK(rows, channels, CLEAR, LOOP, FOLD)                                                    \
    do {                                                                                           \
        walk w_ = walk_of(channels);                                                               \
        int64_t wide_rows = (rows) / w_.times, rest = (rows) % w_.times;                           \
        for (int64_t c0 = 0; c0 < w_.width; c0 += MOST) {                                          \
            int64_t full = w_.width - c0 < MOST ? w_.width - c0 : MOST;                            \
            for (int64_t r0 = 0; r0 < wide_rows + (rest > 0); r0 += BLOCK) {                       \
                CLEAR;                                                                             \
                for (int64_t r = r0; r < r0 + BLOCK && r < wide_rows + (rest > 0); r++) {          \
                    int64_t at = r * w_.width + c0;                                                \
                    int64_t n = r < wide_rows ? full : rest * (channels);                          \
                    LOOP                                                                           \
                }                                                                                  \
                FOLD;                                                                              \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static void moments(const float *x, const float *shift, int64_t rows, int64_t channels, double *sum,
                    double *square) {
    float s[MOST], q[MOST], room[WIDE];
    walk w = walk_of(channels);
    const float *k = widen(shift, channels, w.times, room);
    int64_t fold_n = w.times > 1 ? channels : 0;
    WALK(
        rows, channels, (memset(s, 0, sizeof s), memset(q, 0, sizeof q)),
        INDEPENDENT for (int64_t i = 0; i < n; i++) {
            float d = x[at + i] - k[c0 + i];
            s[i] += d;
            q[i] += d * d;
        },
        (fold(s, fold_n ? fold_n : full, w.times, sum + c0),
         fold(q, fold_n ? fold_n : full, w.times, square + c0)));
}

static inline float slope(float y, stoic_act kind, float a, float b) {
    switch (kind) {
    case STOIC_ACT_RELU:
        return y > 0 ? 1 : 0;
    case STOIC_ACT_LEAKY:
        return y > 0 ? 1 : a;
    case STOIC_ACT_CLIP:
        return y > a && y < b ? 1 : 0;
    default:
        return 1;
    }
}

/* A gradient where the slope is 0 is 0, whatever it was: a NaN behind a closed unit is not felt. */
static inline float through(float g, float s) {
    return s == 0 ? 0 : g * s;
}

static void act(float *g, const float *y, stoic_activation act, int64_t n) {
    float a = act.a, b = act.b;
    switch (act.kind) {
    case STOIC_ACT_NONE:
        break;
    case STOIC_ACT_RELU:
        INDEPENDENT for (int64_t i = 0; i < n; i++) g[i] = y[i] > 0 ? g[i] : 0;
        break;
    case STOIC_ACT_LEAKY:
        INDEPENDENT for (int64_t i = 0; i < n; i++) g[i] =
            through(g[i], slope(y[i], STOIC_ACT_LEAKY, a, b));
        break;
    case STOIC_ACT_CLIP:
        INDEPENDENT for (int64_t i = 0; i < n; i++) g[i] = y[i] > a && y[i] < b ? g[i] : 0;
        break;
    }
}

static void act_moments(float *g, const float *y, stoic_activation kind, const float *x,
                        const float *mean, int64_t rows, int64_t channels, double *sum,
                        double *dot) {
    float s[MOST], q[MOST], room[WIDE];
    walk w = walk_of(channels);
    const float *k = widen(mean, channels, w.times, room);
    int64_t fold_n = w.times > 1 ? channels : 0;
    WALK(
        rows, channels, (memset(s, 0, sizeof s), memset(q, 0, sizeof q)),
        act(g + at, y + at, kind, n);
        INDEPENDENT for (int64_t i = 0; i < n; i++) {
            s[i] += g[at + i];
            q[i] += g[at + i] * (x[at + i] - k[c0 + i]);
        },
        (fold(s, fold_n ? fold_n : full, w.times, sum + c0),
         fold(q, fold_n ? fold_n : full, w.times, dot + c0)));
}

static void norm(float *dx, const float *g, const float *x, const float *mean, const float *a,
                 const float *m, const float *s, int64_t rows, int64_t channels) {
    float room[4][WIDE];
    walk w = walk_of(channels);
    const float *mean_w = widen(mean, channels, w.times, room[0]);
    const float *a_w = widen(a, channels, w.times, room[1]);
    const float *m_w = widen(m, channels, w.times, room[2]);
    const float *s_w = widen(s, channels, w.times, room[3]);
    WALK(rows, channels, (void)full,
         INDEPENDENT for (int64_t i = 0; i < n; i++) dx[at + i] =
             a_w[c0 + i] * (g[at + i] - m_w[c0 + i] - (x[at + i] - mean_w[c0 + i]) * s_w[c0 + i]);
         , (void)full);
}

static void unary(stoic_unary f, float *g, const float *y, int64_t n) {
    if (f == STOIC_SIGMOID) {
        INDEPENDENT for (int64_t i = 0; i < n; i++) g[i] = g[i] * (y[i] * (1 - y[i]));
    } else if (f == STOIC_TANH) {
        INDEPENDENT for (int64_t i = 0; i < n; i++) g[i] = g[i] * (1 - y[i] * y[i]);
    }
}

/* left[c]: what has not found its maximum yet. */
static void give(const float *x, const float *y, float *left, float *dx, int64_t n) {
    INDEPENDENT for (int64_t c = 0; c < n; c++) {
        float found = x[c] == y[c] ? left[c] : 0;
        dx[c] += found;
        left[c] = x[c] == y[c] ? 0 : left[c];
    }
}

/* 2 x 2 windows side by side, by far the most frequent: every element is in one window, and is
 * written once. What lies behind the last whole window stays zero. */
static void max_pool_quarters(const stoic_window *w, const float *x, const float *y, const float *g,
                              float *dx) {
    int64_t channels = w->out_channels, line = w->in[1] * channels;
    if (w->in[0] % 2 || w->in[1] % 2)
        memset(dx, 0, (size_t)(w->in[0] * line) * sizeof *dx);
    for (int64_t oy = 0; oy < w->out[0]; oy++) {
        for (int64_t ox = 0; ox < w->out[1]; ox++, y += channels, g += channels) {
            int64_t at = 2 * (oy * line + ox * channels);
            const float *a = x + at, *b = a + channels, *c = a + line, *d = c + channels;
            float *da = dx + at, *db = da + channels, *dc = da + line, *dd = dc + channels;
            PIECES(channels, i, {
                float left = g[i]; /* what has not found its maximum yet */
                da[i] = a[i] == y[i] ? left : 0;
                left = a[i] == y[i] ? 0 : left;
                db[i] = b[i] == y[i] ? left : 0;
                left = b[i] == y[i] ? 0 : left;
                dc[i] = c[i] == y[i] ? left : 0;
                left = c[i] == y[i] ? 0 : left;
                dd[i] = d[i] == y[i] ? left : 0;
            });
        }
    }
}

static void max_pool(const stoic_window *w, const float *x, const float *y, const float *g,
                     float *dx) {
    if (stoic_window_is_quarters(w)) {
        max_pool_quarters(w, x, y, g, dx);
        return;
    }
    float left[MOST];
    int64_t channels = w->out_channels;
    memset(dx, 0, (size_t)(w->in[0] * w->in[1] * channels) * sizeof *dx);
    for (int64_t o = 0; o < w->out[0] * w->out[1]; o++) {
        int64_t y0 = o / w->out[1] * w->stride[0] - w->pad_low[0];
        int64_t x0 = o % w->out[1] * w->stride[1] - w->pad_low[1];
        for (int64_t c0 = 0; c0 < channels; c0 += MOST) {
            int64_t n = channels - c0 < MOST ? channels - c0 : MOST;
            memcpy(left, g + o * channels + c0, (size_t)n * sizeof *left);
            for (int64_t k = 0; k < w->kernel[0] * w->kernel[1]; k++) {
                int64_t py = y0 + k / w->kernel[1] * w->dilation[0];
                int64_t px = x0 + k % w->kernel[1] * w->dilation[1];
                if (py < 0 || py >= w->in[0] || px < 0 || px >= w->in[1])
                    continue;
                int64_t at = (py * w->in[1] + px) * channels + c0;
                give(x + at, y + o * channels + c0, left, dx + at, n);
            }
        }
    }
}

static void average_pool(const stoic_window *w, const float *g, float *dx) {
    int64_t channels = w->out_channels;
    memset(dx, 0, (size_t)(w->in[0] * w->in[1] * channels) * sizeof *dx);
    for (int64_t o = 0; o < w->out[0] * w->out[1]; o++) {
        int64_t y0 = o / w->out[1] * w->stride[0] - w->pad_low[0];
        int64_t x0 = o % w->out[1] * w->stride[1] - w->pad_low[1];
        float count = (float)(stoic_window_extent(w, 0, y0) * stoic_window_extent(w, 1, x0));
        for (int64_t k = 0; k < w->kernel[0] * w->kernel[1]; k++) {
            int64_t py = y0 + k / w->kernel[1] * w->dilation[0];
            int64_t px = x0 + k % w->kernel[1] * w->dilation[1];
            if (py < 0 || py >= w->in[0] || px < 0 || px >= w->in[1])
                continue;
            float *d = dx + (py * w->in[1] + px) * channels;
            const float *s = g + o * channels;
            INDEPENDENT for (int64_t c = 0; c < channels; c++) d[c] += s[c] / count;
        }
    }
}

static void sgd(const stoic_sgd *o, float *w, const float *g, float *m, int64_t n) {
    float lr = o->lr, momentum = o->momentum, decay = o->decay, factor = o->factor;
    if (!m) {
        INDEPENDENT for (int64_t i = 0; i < n; i++) w[i] -= lr * (g[i] * factor + decay * w[i]);
    } else if (o->nesterov) {
        INDEPENDENT for (int64_t i = 0; i < n; i++) {
            float d = g[i] * factor + decay * w[i];
            m[i] = momentum * m[i] + d;
            w[i] -= lr * (d + momentum * m[i]);
        }
    } else {
        INDEPENDENT for (int64_t i = 0; i < n; i++) {
            m[i] = momentum * m[i] + (g[i] * factor + decay * w[i]);
            w[i] -= lr * m[i];
        }
    }
}

static void adam(const stoic_adam *o, float *w, const float *g, float *m, float *v, int64_t n) {
    const stoic_adam c = *o;
    INDEPENDENT for (int64_t i = 0; i < n; i++) {
        float d = g[i] * c.factor + c.decay * w[i];
        m[i] = c.beta1 * m[i] + (1 - c.beta1) * d;
        v[i] = c.beta2 * v[i] + (1 - c.beta2) * (d * d);
        w[i] = w[i] * c.keep - c.rate * (m[i] / (sqrtf(v[i]) * c.correct + c.epsilon));
    }
}

static void add(float *y, const float *x, int64_t n) {
    INDEPENDENT for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

static void sum_parts(float *y, const float *parts, int64_t n_parts, int64_t stride, int64_t n) {
    for (int64_t at = 0; at < n; at += 1024) { /* stays in the first-level cache */
        int64_t m = n - at < 1024 ? n - at : 1024;
        memcpy(y + at, parts + at, (size_t)m * sizeof *y);
        for (int64_t k = 1; k < n_parts; k++)
            add(y + at, parts + k * stride + at, m);
    }
}

static void column_sums(const float *x, int64_t rows, int64_t channels, double *sum) {
    float s[MOST];
    walk w = walk_of(channels);
    int64_t fold_n = w.times > 1 ? channels : 0;
    WALK(rows, channels, memset(s, 0, sizeof s),
         INDEPENDENT for (int64_t i = 0; i < n; i++) s[i] += x[at + i];
         , fold(s, fold_n ? fold_n : full, w.times, sum + c0));
}

extern const stoic_gradient_kernels JOIN(stoic_gradient_kernels_, STOIC_KERNEL_SET);
const stoic_gradient_kernels JOIN(stoic_gradient_kernels_, STOIC_KERNEL_SET) = {
    .isa = TEXT(STOIC_KERNEL_SET),
    .moments = moments,
    .act = act,
    .act_moments = act_moments,
    .norm = norm,
    .unary = unary,
    .max_pool = max_pool,
    .average_pool = average_pool,
    .sgd = sgd,
    .adam = adam,
    .add = add,
    .sum_parts = sum_parts,
    .column_sums = column_sums,
};
