/*
 * abft and abed: each Conv, Gemm and MatMul layer is watched by the sum over its output channels
 * (op_checksum.c has the formulas and the tolerance).
 *
 *   abft   sums = layer(x, [sum of the filters; sum of their magnitudes])    position by position
 *   abed   sums = Gemm(WindowSum(x), the same)                               all positions at once
 *
 * The sums are layers of their own, with weights that lie in memory as all do and can be hit. Where
 * x may be negative the magnitudes need a second one, of |x|. What is off is computed once more:
 * that repairs a transient fault; one in stored weights stays, and the image gets no answer
 * (`Alarm`). abft is the checksum of rows of Huang and Abraham (1984) on convolutions, abed the
 * check of input and filter sums together of Hari et al. (2021).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "harden/pass.h"
#include "op/geometry.h"

/* One layer, and the sums of its weights. */
typedef struct watched {
    int node;
    bool conv;
    stoic_window window;     /* of a convolution */
    int64_t terms;           /* inputs that one sum has, without the bias */
    double *sum, *magnitude; /* of `terms` */
    double bias[2];
} watched;

static void watched_deinit(watched *w) {
    free(w->sum);
    free(w->magnitude);
}

static stoic_status watched_init(watched *w, stoic_error *err) {
    w->sum = calloc((size_t)w->terms + 1, sizeof *w->sum);
    w->magnitude = calloc((size_t)w->terms + 1, sizeof *w->magnitude);
    return w->sum && w->magnitude
               ? STOIC_OK
               : stoic_fail_memory(err, "sums of weights", (size_t)w->terms * 16);
}

static void add(watched *w, int64_t at, double weight) {
    w->sum[at] += weight;
    w->magnitude[at] += fabs(weight);
}

static stoic_status sum_filters(const stoic_pass_run *run, const stoic_op_call *call, watched *w,
                                stoic_error *err) {
    stoic_status status = stoic_conv_window(call, &w->window, err);
    if (status != STOIC_OK)
        return status;
    if (w->window.rank != 2)
        return stoic_pass_refuse(run, w->node, "needs convolutions over height and width", err);
    const stoic_tensor *filters = call->in[1].constant;
    int64_t taps = w->window.kernel[0] * w->window.kernel[1], i = 0;
    int64_t in = w->window.in_channels / w->window.groups;
    int64_t out = w->window.out_channels / w->window.groups;
    w->terms = w->window.in_channels * taps;
    TRY(watched_init(w, err));
    for (int64_t k = 0; k < w->window.out_channels; k++) {
        for (int64_t t = 0; t < in * taps; t++, i++)
            add(w, k / out * in * taps + t, stoic_tensor_get(filters, i));
    }
done:
    return status;
}

static stoic_status sum_columns(const stoic_pass_run *run, const stoic_op_call *call, watched *w,
                                double *beta, int64_t *columns, stoic_error *err) {
    stoic_matrix_product m;
    stoic_status status = stoic_gemm_product(call, &m, err);
    if (status != STOIC_OK)
        return status;
    if (m.transpose_a || call->in[0].shape.rank != 2 || call->in[1].shape.rank != 2)
        return stoic_pass_refuse(run, w->node, "needs products of one row an image", err);
    w->terms = m.inner;
    *beta = m.beta;
    *columns = m.columns;
    TRY(watched_init(w, err));
    for (int64_t k = 0; k < m.columns; k++) {
        for (int64_t t = 0; t < m.inner; t++) {
            int64_t at = m.transpose_b ? k * m.inner + t : t * m.columns + k;
            add(w, t, m.alpha * stoic_tensor_get(call->in[1].constant, at));
        }
    }
done:
    return status;
}

/* The sums of a layer's weights and biases. */
static stoic_status take_sums(const stoic_pass_run *run, int node, watched *w, stoic_error *err) {
    stoic_operand in[8], out[2];
    stoic_op_call call;
    double beta = 1;
    int64_t columns = 0;
    stoic_status status = STOIC_OK;
    stoic_model_call(run->model, (size_t)node, in, out, &call);
    *w = (watched){.node = node, .conv = call.op == &stoic_op_conv};
    if (w->conv)
        TRY(sum_filters(run, &call, w, err));
    else
        TRY(sum_columns(run, &call, w, &beta, &columns, err));
    columns = w->conv ? w->window.out_channels : columns;
    const stoic_tensor *bias = call.n_in > 2 && in[2].present ? in[2].constant : NULL;
    if (call.n_in > 2 && in[2].present && !bias)
        return stoic_pass_refuse(run, node, "needs a constant bias", err);
    int64_t count = bias ? stoic_tensor_count(bias) : 0;
    if (bias && count != columns && count != 1)
        return stoic_pass_refuse(run, node, "needs a bias of one value a channel", err);
    for (int64_t k = 0; bias && k < columns; k++) {
        double b = beta * stoic_tensor_get(bias, count == 1 ? 0 : k);
        w->bias[0] += b;
        w->bias[1] += fabs(b);
    }
    double all = w->bias[1];
    for (int64_t t = 0; t < w->terms; t++)
        all += w->magnitude[t];
    if (!isfinite((float)all))
        return stoic_pass_refuse(run, node, "needs weights whose sums are finite", err);
done:
    return status;
}

/* ---- the graph ---- */

static float rounded_up(double x) {
    float f = (float)x;
    return (double)f < x ? nextafterf(f, INFINITY) : f;
}

static stoic_status constant(stoic_pass_run *run, const char *name, const stoic_shape *shape,
                             const double *rows[2], int n_rows, bool magnitude, int *out,
                             stoic_error *err) {
    stoic_tensor *tensor;
    stoic_status status = stoic_tensor_create(STOIC_F32, shape, &tensor, err);
    if (status != STOIC_OK)
        return status;
    int64_t count = stoic_shape_count(shape) / n_rows;
    float *to = stoic_tensor_mutable_data(tensor);
    for (int r = 0; r < n_rows; r++) {
        for (int64_t i = 0; i < count; i++)
            *to++ = magnitude || r ? rounded_up(rows[r][i]) : (float)rows[r][i];
    }
    status = stoic_rewrite_constant(run->rewrite, name, tensor, out, err);
    stoic_tensor_free(tensor);
    return status;
}

/* A node called after the layer; takes the attributes over. */
static stoic_status node(stoic_pass_run *run, const watched *w, const char *what,
                         const stoic_op *op, stoic_attr *attrs, size_t n_attrs, const int *in,
                         size_t n_in, int *out, stoic_error *err) {
    char name[256];
    snprintf(name, sizeof name, "%.200s_%s", run->model->nodes[w->node].name, what);
    return stoic_rewrite_node(run->rewrite, name, op, attrs, n_attrs, in, n_in, out, err);
}

/* The window of a convolution as attributes; two less than WindowSum takes for a Conv's own. */
static stoic_status window_attrs(const watched *w, bool sum, bool magnitude, stoic_attr **out,
                                 size_t *n, stoic_error *err) {
    const stoic_window *v = &w->window;
    const int64_t pads[] = {v->pad_low[0], v->pad_low[1], v->pad_high[0], v->pad_high[1]};
    stoic_attr *a = *out = calloc(5, sizeof *a);
    *n = sum ? 5 : 4;
    if (!a)
        return stoic_fail_memory(err, "attributes", 5 * sizeof *a);
    bool fine = stoic_attr_set_ints(&a[0], "dilations", v->dilation, 2) &&
                stoic_attr_set_ints(&a[1], "kernel_shape", v->kernel, 2) &&
                stoic_attr_set_ints(&a[2], "pads", pads, 4) &&
                stoic_attr_set_ints(&a[3], "strides", v->stride, 2) &&
                (!sum || stoic_attr_set_int(&a[4], "magnitude", magnitude));
    if (fine)
        return STOIC_OK;
    stoic_attrs_free(*out, *n);
    return stoic_fail_memory(err, "attributes", sizeof **out);
}

/* The layer with summed filters: `rows` of the two kinds of sums, of input `x`. */
static stoic_status add_sums(stoic_pass_run *run, const watched *w, bool together, bool second,
                             int rows, int x, int *out, stoic_error *err) {
    const double *weights[2] = {second ? w->magnitude : w->sum, w->magnitude};
    double times = w->conv && together ? (double)(w->window.out[0] * w->window.out[1]) : 1;
    double biases[2] = {w->bias[0] * times, w->bias[1] * times};
    const double *bias[2] = {&biases[second], &biases[1]};
    bool conv = w->conv && !together;
    const stoic_shape vector = {1, {rows}}, matrix = {2, {rows, w->terms}};
    stoic_shape filters = {4,
                           {rows, w->window.in_channels, w->window.kernel[0], w->window.kernel[1]}};
    const char *suffix = second ? "magnitudes" : "sums", *name = run->model->nodes[w->node].name;
    char text[256];
    stoic_attr *attrs;
    size_t n_attrs = 1;
    int in[3] = {x};
    stoic_status status;
    snprintf(text, sizeof text, "%.200s_%s_weight", name, suffix);
    TRY(constant(run, text, conv ? &filters : &matrix, weights, rows, second, &in[1], err));
    snprintf(text, sizeof text, "%.200s_%s_bias", name, suffix);
    TRY(constant(run, text, &vector, bias, rows, second, &in[2], err));
    if (conv) {
        TRY(window_attrs(w, false, false, &attrs, &n_attrs, err));
    } else {
        TRY(stoic_attrs_of_int("transB", 1, &attrs, err));
    }
    TRY(node(run, w, suffix, conv ? &stoic_op_conv : &stoic_op_gemm, attrs, n_attrs, in, 3, out,
             err));
done:
    return status;
}

/* What the summed filters read: x or |x|, or what each tap reads of it in all positions. */
static stoic_status add_input(stoic_pass_run *run, const watched *w, bool together, bool magnitude,
                              int *out, stoic_error *err) {
    int x = run->model->nodes[w->node].in[0];
    stoic_status status = STOIC_OK;
    stoic_attr *attrs;
    size_t n_attrs;
    *out = x;
    if (w->conv && together) {
        TRY(window_attrs(w, true, magnitude, &attrs, &n_attrs, err));
        TRY(node(run, w, magnitude ? "window_magnitudes" : "window", &stoic_op_window_sum, attrs,
                 n_attrs, &x, 1, out, err));
    } else if (magnitude) {
        TRY(node(run, w, "absolute", &stoic_op_abs, NULL, 0, &x, 1, out, err));
    }
done:
    return status;
}

/* Is every element of the value at least 0, whatever the weights are (or a NaN)? */
static bool never_negative(const stoic_pass_run *run, int value) {
    const stoic_op *const pass[] = {&stoic_op_max_pool, &stoic_op_average_pool,
                                    &stoic_op_flatten,  &stoic_op_global_average_pool,
                                    &stoic_op_reshape,  &stoic_op_dropout};
    for (;;) {
        value = stoic_anatomy_unfiltered(run->anatomy, value);
        int producer = run->model->values[value].producer;
        if (producer < 0)
            return false;
        const stoic_node *n = &run->model->nodes[producer];
        double low, high;
        if (stoic_anatomy_bounds(run->model, producer, &low, &high))
            return low >= 0;
        bool passes = false;
        for (size_t i = 0; i < sizeof pass / sizeof *pass; i++)
            passes = passes || n->op == pass[i];
        if (!passes)
            return n->op == &stoic_op_sigmoid || n->op == &stoic_op_abs;
        value = n->in[0];
    }
}

static stoic_status watch(stoic_pass_run *run, watched *w, bool together, int *alarms,
                          stoic_error *err) {
    const stoic_node *layer = &run->model->nodes[w->node];
    bool one = never_negative(run, layer->in[0]);
    int x, in[4] = {layer->out[0], -1, -1, *alarms};
    stoic_attr *attrs;
    stoic_status status;
    TRY(add_input(run, w, together, false, &x, err));
    TRY(add_sums(run, w, together, false, one ? 2 : 1, x, &in[1], err));
    if (!one) {
        TRY(add_input(run, w, together, true, &x, err));
        TRY(add_sums(run, w, together, true, 1, x, &in[2], err));
    }
    TRY(stoic_attrs_of_int("terms", w->terms + 1, &attrs, err));
    TRY(node(run, w, "checksum", &stoic_op_checksum, attrs, 1, in, *alarms < 0 ? 3 : 4, alarms,
             err));
    TRY(stoic_pass_changed(run, w->node, err, "watched by a checksum of its channels%s",
                           w->conv && together ? " and positions" : ""));
done:
    return status;
}

static stoic_status watch_all(stoic_pass_run *run, bool together, stoic_error *err) {
    const stoic_model *m = run->model;
    int alarms = -1, out;
    stoic_status status = STOIC_OK;
    if (stoic_anatomy_alarm(run->anatomy) >= 0)
        return STOIC_OK; /* its layers are watched already */
    for (int layer = 0; layer < (int)m->n_layers && status == STOIC_OK; layer++) {
        watched w = {0};
        status = take_sums(run, m->layer_nodes[layer], &w, err);
        if (status == STOIC_OK)
            status = watch(run, &w, together, &alarms, err);
        watched_deinit(&w);
    }
    if (status != STOIC_OK || alarms < 0)
        return status;
    TRY(stoic_rewrite_node(run->rewrite, "alarm", &stoic_op_alarm, NULL, 0,
                           (const int[]){m->output, alarms}, 2, &out, err));
    stoic_rewrite_output(run->rewrite, out);
done:
    return status;
}

static stoic_status apply_abft(stoic_pass_run *run, stoic_error *err) {
    return watch_all(run, false, err);
}

static stoic_status apply_abed(stoic_pass_run *run, stoic_error *err) {
    return watch_all(run, true, err);
}

const stoic_pass stoic_pass_abft = {
    .name = "abft", .fallback = NAN, .last = true, .apply = apply_abft};
const stoic_pass stoic_pass_abed = {
    .name = "abed", .fallback = NAN, .last = true, .apply = apply_abed};
