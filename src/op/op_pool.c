/*
 * MaxPool, AveragePool, GlobalAveragePool. Padding never wins a maximum: a window that lies in
 * the padding alone gives -Inf. A NaN in the window gives NaN. An average counts the elements
 * of the input, or with count_include_pad also the padding that was asked for (not what
 * ceil_mode adds beyond it, as in PyTorch); over none of them it is 0 / 0.
 *
 * The gradient of a maximum goes to the first of the greatest elements, in the order of the
 * window's rows, or to its first NaN; over padding alone to nobody.
 */
#include <math.h>

#include "op/op_kit.h"

static stoic_status pool_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_window w;
    stoic_status status = stoic_pool_window(call, &w, err);
    if (status != STOIC_OK)
        return status;
    stoic_shape shape = call->in[0].shape;
    for (int i = 0; i < w.rank; i++)
        shape.dim[i + 2] = w.out[i];
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
    return STOIC_OK;
}

/* Taps of a window along one axis, those on the requested padding included. */
static int64_t padded_taps(const stoic_window *w, int axis, int64_t at) {
    int64_t left = w->in[axis] + w->pad_high[axis] - stoic_window_index(w, axis, at, 0);
    int64_t taps = (left + w->dilation[axis] - 1) / w->dilation[axis];
    return taps < w->kernel[axis] ? taps : w->kernel[axis];
}

/* The taps of the window at `at` that lie in the input, and how many an average counts. */
static int64_t window_taps(const stoic_window *w, const int64_t at[STOIC_MAX_SPATIAL],
                           int64_t first[STOIC_MAX_SPATIAL], int64_t last[STOIC_MAX_SPATIAL]) {
    int64_t count = 1;
    for (int i = 0; i < STOIC_MAX_SPATIAL; i++) {
        stoic_window_taps(w, i, at[i], &first[i], &last[i]);
        count *= w->count_include_pad ? padded_taps(w, i, at[i]) : last[i] - first[i];
    }
    return count;
}

static double pool_window(const stoic_window *w, const double *x, bool average,
                          const int64_t at[STOIC_MAX_SPATIAL]) {
    int64_t first[STOIC_MAX_SPATIAL], last[STOIC_MAX_SPATIAL];
    int64_t count = window_taps(w, at, first, last);
    double result = average ? 0 : -INFINITY;
    for (int64_t a = first[0]; a < last[0]; a++)
        for (int64_t b = first[1]; b < last[1]; b++) {
            int64_t row =
                stoic_window_index(w, 0, at[0], a) * w->in[1] + stoic_window_index(w, 1, at[1], b);
            for (int64_t c = first[2]; c < last[2]; c++) {
                double value = x[row * w->in[2] + stoic_window_index(w, 2, at[2], c)];
                result = average ? result + value : stoic_max_nan(result, value);
            }
        }
    return average ? result / (double)count : result;
}

static stoic_status pool(const stoic_op_call *call, const double *x, double *y, bool average,
                         stoic_error *err) {
    stoic_window narrow;
    stoic_status status = stoic_pool_window(call, &narrow, err);
    if (status != STOIC_OK)
        return status;
    stoic_window w = stoic_window_widen(&narrow);
    int64_t plane = w.in[0] * w.in[1] * w.in[2], at[STOIC_MAX_SPATIAL];
    int64_t planes = call->in[0].shape.dim[0] * w.in_channels;
    for (int64_t n = 0; n < planes; n++, x += plane)
        for (at[0] = 0; at[0] < w.out[0]; at[0]++)
            for (at[1] = 0; at[1] < w.out[1]; at[1]++)
                for (at[2] = 0; at[2] < w.out[2]; at[2]++)
                    *y++ = pool_window(&w, x, average, at);
    return STOIC_OK;
}

static stoic_status max_reference(const stoic_op_call *call, const double *const *in,
                                  double *const *out, stoic_error *err) {
    return pool(call, in[0], out[0], false, err);
}

static stoic_status average_reference(const stoic_op_call *call, const double *const *in,
                                      double *const *out, stoic_error *err) {
    return pool(call, in[0], out[0], true, err);
}

/* Gives a window's gradient to the element it took, or in equal parts to all. */
static void spread_window(const stoic_window *w, const double *x, double grad, bool average,
                          const int64_t at[STOIC_MAX_SPATIAL], double *to_x) {
    int64_t first[STOIC_MAX_SPATIAL], last[STOIC_MAX_SPATIAL], taken = -1;
    int64_t count = window_taps(w, at, first, last);
    for (int64_t a = first[0]; a < last[0]; a++)
        for (int64_t b = first[1]; b < last[1]; b++) {
            int64_t row =
                stoic_window_index(w, 0, at[0], a) * w->in[1] + stoic_window_index(w, 1, at[1], b);
            for (int64_t c = first[2]; c < last[2]; c++) {
                int64_t i = row * w->in[2] + stoic_window_index(w, 2, at[2], c);
                if (average)
                    to_x[i] += grad / (double)count;
                else if (taken < 0 || x[i] > x[taken] || (isnan(x[i]) && !isnan(x[taken])))
                    taken = i;
            }
        }
    if (taken >= 0)
        to_x[taken] += grad;
}

static stoic_status pool_back(const stoic_op_call *call, const double *x, const double *grad,
                              double *const *grad_in, bool average, stoic_error *err) {
    stoic_window narrow;
    stoic_status status = stoic_pool_window(call, &narrow, err);
    if (status != STOIC_OK || !grad_in[0])
        return status;
    stoic_window w = stoic_window_widen(&narrow);
    int64_t plane = w.in[0] * w.in[1] * w.in[2], at[STOIC_MAX_SPATIAL];
    int64_t planes = call->in[0].shape.dim[0] * w.in_channels;
    double *to_x = grad_in[0];
    stoic_gradients_clear(call, 0, grad_in);
    for (int64_t n = 0; n < planes; n++, x += plane, to_x += plane)
        for (at[0] = 0; at[0] < w.out[0]; at[0]++)
            for (at[1] = 0; at[1] < w.out[1]; at[1]++)
                for (at[2] = 0; at[2] < w.out[2]; at[2]++)
                    spread_window(&w, x, *grad++, average, at, to_x);
    return STOIC_OK;
}

static stoic_status max_backward(const stoic_op_call *call, const double *const *in,
                                 const double *const *out, const double *const *grad_out,
                                 double *const *grad_in, stoic_error *err) {
    (void)out;
    return pool_back(call, in[0], grad_out[0], grad_in, false, err);
}

static stoic_status average_backward(const stoic_op_call *call, const double *const *in,
                                     const double *const *out, const double *const *grad_out,
                                     double *const *grad_in, stoic_error *err) {
    (void)out;
    return pool_back(call, in[0], grad_out[0], grad_in, true, err);
}

static stoic_status global_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status = stoic_input_check(call, 0, DTYPES_FLOAT, 3, STOIC_MAX_RANK, err);
    if (status != STOIC_OK)
        return status;
    stoic_shape shape = call->in[0].shape;
    for (int i = 2; i < shape.rank; i++)
        shape.dim[i] = 1;
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
    return STOIC_OK;
}

static stoic_status global_reference(const stoic_op_call *call, const double *const *in,
                                     double *const *out, stoic_error *err) {
    (void)err;
    const stoic_shape *x = &call->in[0].shape;
    int64_t planes = x->dim[0] * x->dim[1], plane = stoic_shape_count(x) / planes;
    for (int64_t n = 0; n < planes; n++) {
        double sum = 0;
        for (int64_t i = 0; i < plane; i++)
            sum += in[0][n * plane + i];
        out[0][n] = sum / (double)plane;
    }
    return STOIC_OK;
}

static stoic_status global_backward(const stoic_op_call *call, const double *const *in,
                                    const double *const *out, const double *const *grad_out,
                                    double *const *grad_in, stoic_error *err) {
    (void)in;
    (void)out;
    (void)err;
    const stoic_shape *x = &call->in[0].shape;
    int64_t planes = x->dim[0] * x->dim[1], plane = stoic_shape_count(x) / planes;
    for (int64_t i = 0; grad_in[0] && i < planes * plane; i++)
        grad_in[0][i] = grad_out[0][i / plane] / (double)plane;
    return STOIC_OK;
}

static const stoic_attr_spec max_attrs[] = {
    {"auto_pad", STOIC_ATTR_STRING, 1, 0}, {"ceil_mode", STOIC_ATTR_INT, 10, 0},
    {"dilations", STOIC_ATTR_INTS, 10, 0}, {"kernel_shape", STOIC_ATTR_INTS, 1, 0},
    {"pads", STOIC_ATTR_INTS, 1, 0},       {"storage_order", STOIC_ATTR_INT, 8, 0},
    {"strides", STOIC_ATTR_INTS, 1, 0},    {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec average_attrs[] = {
    {"auto_pad", STOIC_ATTR_STRING, 1, 0},       {"ceil_mode", STOIC_ATTR_INT, 10, 0},
    {"count_include_pad", STOIC_ATTR_INT, 7, 0}, {"dilations", STOIC_ATTR_INTS, 19, 0},
    {"kernel_shape", STOIC_ATTR_INTS, 1, 0},     {"pads", STOIC_ATTR_INTS, 1, 0},
    {"strides", STOIC_ATTR_INTS, 1, 0},          {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec no_attrs[] = {{NULL, STOIC_ATTR_INT, 0, 0}};

#define POOLING                                                                                    \
    (STOIC_OP_PER_CHANNEL | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_HOMOGENEOUS |                     \
     STOIC_OP_NONEXPANSIVE)

const stoic_op stoic_op_max_pool = {
    .name = "MaxPool",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1, /* indices of the maxima are not computed */
    .attrs = max_attrs,
    .facts = POOLING,
    .infer = pool_infer,
    .reference = max_reference,
    .backward = max_backward,
};

const stoic_op stoic_op_average_pool = {
    .name = "AveragePool",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = average_attrs,
    .facts = POOLING,
    .infer = pool_infer,
    .reference = average_reference,
    .backward = average_backward,
};

const stoic_op stoic_op_global_average_pool = {
    .name = "GlobalAveragePool",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = POOLING,
    .infer = global_infer,
    .reference = global_reference,
    .backward = global_backward,
};
