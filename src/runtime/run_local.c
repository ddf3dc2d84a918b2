/* Operators without weights of their own, and batch normalisation. NaN and infinity are data. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "runtime/walk.h"

/* One node on channels `first` to `last` of one image. */
typedef struct local {
    const stoic_run *run;
    int i; /* the image */
    int64_t first, last;
    const stoic_stw_node *node;
    const stoic_stw_value *in, *out;
    const float *x, *other; /* the second is NULL where there is none */
    float *y;
    const float *scale, *shift; /* of each channel */
} local;

/* The elements of a channel of the input. */
static int64_t plane_of(const local *at) {
    return (int64_t)at->in->height * at->in->width;
}

static void norm(const local *at) {
    const int64_t plane = plane_of(at);
    for (int64_t c = at->first, i = c * plane; c < at->last; c++) {
        const float scale = at->scale[c], shift = at->shift[c];
        for (int64_t end = i + plane; i < end; i++)
            at->y[i] = at->x[i] * scale + shift;
    }
}

static void relu(const local *at) {
    const int64_t from = at->first * plane_of(at), to = at->last * plane_of(at);
    for (int64_t i = from; i < to; i++)
        at->y[i] = at->x[i] < 0 ? 0 : at->x[i];
}

static void clip(const local *at) {
    const int64_t from = at->first * plane_of(at), to = at->last * plane_of(at);
    const float low = at->node->alpha, high = at->node->beta;
    for (int64_t i = from; i < to; i++) {
        float v = at->x[i] < low ? low : at->x[i];
        at->y[i] = v > high ? high : v;
    }
}

static void sigmoid(const local *at) {
    const int64_t from = at->first * plane_of(at), to = at->last * plane_of(at);
    for (int64_t i = from; i < to; i++)
        at->y[i] = 1.0f / (1.0f + expf(-at->x[i]));
}

static void softmax(const local *at) {
    const int64_t n = (int64_t)stoic_stw_elements(at->in);
    float most = at->x[0], sum = 0;
    for (int64_t i = 1; i < n; i++)
        most = at->x[i] > most ? at->x[i] : most;
    for (int64_t i = 0; i < n; i++) {
        at->y[i] = expf(at->x[i] - most);
        sum += at->y[i];
    }
    for (int64_t i = 0; i < n; i++)
        at->y[i] /= sum;
}

static void add(const local *at) {
    const int64_t from = at->first * plane_of(at), to = at->last * plane_of(at);
    for (int64_t i = from; i < to; i++)
        at->y[i] = at->x[i] + at->other[i];
}

static void mul(const local *at) {
    const int64_t plane = plane_of(at), from = at->first * plane, to = at->last * plane;
    const stoic_stw_value *by = at->other ? &at->run->file.values[at->node->in[1]] : NULL;
    const float *each = at->other ? at->other : at->scale;
    if (by && stoic_stw_elements(by) == stoic_stw_elements(at->in)) {
        for (int64_t i = from; i < to; i++)
            at->y[i] = at->x[i] * each[i];
        return;
    }
    for (int64_t c = at->first, i = from; c < at->last; c++) {
        const float factor = each[c];
        for (int64_t end = i + plane; i < end; i++)
            at->y[i] = at->x[i] * factor;
    }
}

static void concat(const local *at) {
    float *y = at->y;
    for (int k = 0; k < STOIC_STW_JOINED; k++) {
        const uint32_t value = stoic_stw_input(at->node, k);
        if (value == STOIC_STW_NONE)
            return;
        const size_t n = (size_t)stoic_stw_elements(&at->run->file.values[value]);
        memcpy(y, stoic_run_in(at->run, value, at->i), n * sizeof *y);
        y += n;
    }
}

/* The taps of an axis inside the input, and how many an average counts: with padding those that lie
 * on what was asked for, not what ceil_mode adds beyond. */
typedef struct reach {
    int64_t from, first, last, counted;
} reach;

static reach reach_of(const local *at, int axis, int64_t position) {
    const stoic_stw_node *n = at->node;
    const int64_t size = axis ? at->in->width : at->in->height, d = n->dilation[axis];
    const int64_t kernel = n->kernel[axis];
    reach r = {.from = position * n->stride[axis] - n->pad_low[axis]};
    r.first = r.from < 0 ? (-r.from + d - 1) / d : 0;
    int64_t in = (size - r.from + d - 1) / d,
            padded = (size + n->pad_high[axis] - r.from + d - 1) / d;
    in = in < 0 ? 0 : in;
    padded = padded < 0 ? 0 : padded;
    r.last = in < kernel ? in : kernel;
    r.first = r.first < r.last ? r.first : r.last; /* on padding alone */
    padded = padded < kernel ? padded : kernel;
    r.counted = n->flags & STOIC_STW_COUNT_PADDING ? padded : r.last - r.first;
    return r;
}

static float most_of(float a, float b) {
    return b > a || b != b ? b : a; /* a NaN stays: nothing is greater */
}

static float window(const local *at, const float *x, const reach *row, const reach *column) {
    const bool average = at->node->op == STOIC_STW_AVERAGE_POOL;
    float most = -INFINITY, sum = 0;
    for (int64_t i = row->first; i < row->last; i++) {
        const float *line =
            x + (row->from + i * at->node->dilation[0]) * at->in->width + column->from;
        for (int64_t k = column->first; k < column->last; k++) {
            const float v = line[k * at->node->dilation[1]];
            sum += v;
            most = most_of(most, v);
        }
    }
    return average ? sum / (float)(row->counted * column->counted) : most;
}

/* Maxima of 2 x 2 beside each other, which is what most networks have. */
static bool pool_pairs(const local *at) {
    const stoic_stw_node *n = at->node;
    const int64_t width = at->in->width, rows = at->out->height, columns = at->out->width;
    bool pairs = n->op == STOIC_STW_MAX_POOL;
    for (int i = 0; i < 2; i++)
        pairs = pairs && n->kernel[i] == 2 && n->stride[i] == 2 && n->dilation[i] == 1 &&
                n->pad_low[i] == 0;
    if (!pairs || 2 * rows > at->in->height || 2 * columns > width)
        return false;
    float *y = at->y + at->first * rows * columns;
    for (int64_t c = at->first; c < at->last; c++) {
        for (int64_t i = 0; i < rows; i++, y += columns) {
            const float *a = at->x + (c * (int64_t)at->in->height + 2 * i) * width, *b = a + width;
            for (int64_t k = 0; k < columns; k++)
                y[k] = most_of(most_of(most_of(a[2 * k], a[2 * k + 1]), b[2 * k]), b[2 * k + 1]);
        }
    }
    return true;
}

static void pool(const local *at) {
    if (pool_pairs(at))
        return;
    const int64_t plane = plane_of(at);
    float *y = at->y + at->first * (int64_t)at->out->height * at->out->width;
    for (int64_t c = at->first; c < at->last; c++) {
        for (uint32_t i = 0; i < at->out->height; i++) {
            const reach row = reach_of(at, 0, i);
            for (uint32_t k = 0; k < at->out->width; k++) {
                const reach column = reach_of(at, 1, k);
                *y++ = window(at, at->x + c * plane, &row, &column);
            }
        }
    }
}

static void (*const ways[STOIC_STW_OPS])(const local *at) = {
    [STOIC_STW_NORM] = norm,         [STOIC_STW_RELU] = relu,       [STOIC_STW_CLIP] = clip,
    [STOIC_STW_SIGMOID] = sigmoid,   [STOIC_STW_SOFTMAX] = softmax, [STOIC_STW_MAX_POOL] = pool,
    [STOIC_STW_AVERAGE_POOL] = pool, [STOIC_STW_ADD] = add,         [STOIC_STW_CONCAT] = concat,
    [STOIC_STW_MUL] = mul,
};

/* (x - mean) / sqrt(variance + epsilon) * scale + bias as one product and one sum. */
static void prepare_norm(stoic_run *run, const stoic_stw_node *n, int64_t channels) {
    float *scale = run->scratch, *shift = scale + channels, *mean = shift + channels;
    float *variance = mean + channels;
    stoic_run_read(run, n->tensor[0], scale);
    stoic_run_read(run, n->tensor[1], shift);
    stoic_run_read(run, n->tensor[2], mean);
    stoic_run_read(run, n->tensor[3], variance);
    for (int64_t c = 0; c < channels; c++) {
        double by = (double)scale[c] / sqrt((double)variance[c] + (double)n->alpha);
        scale[c] = (float)by;
        shift[c] = (float)((double)shift[c] - (double)mean[c] * by);
    }
}

/* A constant factor for each channel. */
static void prepare_mul(stoic_run *run, const stoic_stw_node *n, int64_t channels) {
    float *scale = run->scratch;
    stoic_run_read(run, n->tensor[0], scale);
    for (int64_t c = 1; run->tensors[n->tensor[0]].record->weights == 1 && c < channels; c++)
        scale[c] = scale[0];
}

void stoic_run_local(stoic_run *run, const stoic_stw_node *n) {
    const stoic_stw_value *in = &run->file.values[n->in[0]];
    const bool two = n->in[1] != STOIC_STW_NONE;
    const bool whole = n->op == STOIC_STW_SOFTMAX || n->op == STOIC_STW_CONCAT;
    int64_t first, last;
    stoic_run_share(run, in->channels, 1, whole ? INT_MAX : 1, &first, &last);
    if (first == last)
        return;
    if (n->op == STOIC_STW_NORM)
        prepare_norm(run, n, in->channels);
    if (n->op == STOIC_STW_MUL && !two)
        prepare_mul(run, n, in->channels);
    for (int i = 0; i < run->n; i++) {
        const local at = {.run = run,
                          .i = i,
                          .first = first,
                          .last = last,
                          .node = n,
                          .in = in,
                          .out = &run->file.values[n->out],
                          .x = stoic_run_in(run, n->in[0], i),
                          .other = two ? stoic_run_in(run, n->in[1], i) : NULL,
                          .y = stoic_run_out(run, n->out, i),
                          .scale = run->scratch,
                          .shift = run->scratch + in->channels};
        ways[n->op](&at);
    }
}
