/*
 * Softmax: exp(x - max) / sum, LogSoftmax: x - max - log(sum), over one axis since opset 13;
 * before, over all axes from `axis` on taken as one. A NaN or +Inf makes the whole row NaN, as in
 * PyTorch.
 */
#include <math.h>

#include "op/op_kit.h"

static stoic_status softmax_axis(const stoic_op_call *call, int *axis, stoic_error *err) {
    stoic_status status = stoic_input_check(call, 0, DTYPES_FLOAT, 1, STOIC_MAX_RANK, err);
    if (status != STOIC_OK)
        return status;
    return stoic_axis_resolve(call, call->opset < 13 ? 1 : -1, call->in[0].shape.rank, axis, err);
}

static stoic_status softmax_infer(const stoic_op_call *call, stoic_error *err) {
    int axis;
    stoic_status status = softmax_axis(call, &axis, err);
    if (status == STOIC_OK)
        stoic_out_write(call, 0, call->in[0].dtype, &call->in[0].shape);
    return status;
}

static void softmax_row(const double *x, double *y, int64_t count, int64_t step, bool logarithm) {
    double greatest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++)
        greatest = stoic_max_nan(greatest, x[i * step]);
    for (int64_t i = 0; i < count; i++)
        sum += exp(x[i * step] - greatest);
    for (int64_t i = 0; i < count; i++) {
        double shifted = x[i * step] - greatest;
        y[i * step] = logarithm ? shifted - log(sum) : exp(shifted) / sum;
    }
}

/* Rows of `count` elements, `inner` apart. */
typedef struct softmax_rows {
    int64_t outer, count, inner;
} softmax_rows;

static stoic_status softmax_resolve(const stoic_op_call *call, softmax_rows *rows,
                                    stoic_error *err) {
    int axis;
    stoic_status status = softmax_axis(call, &axis, err);
    if (status != STOIC_OK)
        return status;
    const stoic_shape *shape = &call->in[0].shape;
    *rows = (softmax_rows){1, 1, 1};
    for (int i = 0; i < shape->rank; i++) {
        if (i < axis)
            rows->outer *= shape->dim[i];
        else if (i == axis || call->opset < 13)
            rows->count *= shape->dim[i];
        else
            rows->inner *= shape->dim[i];
    }
    return STOIC_OK;
}

static stoic_status softmax(const stoic_op_call *call, const double *x, double *y, bool logarithm,
                            stoic_error *err) {
    softmax_rows rows;
    stoic_status status = softmax_resolve(call, &rows, err);
    if (status != STOIC_OK)
        return status;
    for (int64_t i = 0; i < rows.outer; i++)
        for (int64_t j = 0; j < rows.inner; j++) {
            int64_t first = i * rows.count * rows.inner + j;
            softmax_row(x + first, y + first, rows.count, rows.inner, logarithm);
        }
    return STOIC_OK;
}

/* Softmax: y (g - sum of g y). LogSoftmax: g - exp(y) sum of g. */
static stoic_status softmax_back(const stoic_op_call *call, const double *y, const double *grad,
                                 double *const *grad_in, bool logarithm, stoic_error *err) {
    softmax_rows rows;
    stoic_status status = softmax_resolve(call, &rows, err);
    if (status != STOIC_OK || !grad_in[0])
        return status;
    for (int64_t i = 0; i < rows.outer; i++)
        for (int64_t j = 0; j < rows.inner; j++) {
            int64_t first = i * rows.count * rows.inner + j;
            int64_t end = first + rows.count * rows.inner;
            double sum = 0;
            for (int64_t k = first; k < end; k += rows.inner)
                sum += logarithm ? grad[k] : grad[k] * y[k];
            for (int64_t k = first; k < end; k += rows.inner)
                grad_in[0][k] = logarithm ? grad[k] - exp(y[k]) * sum : y[k] * (grad[k] - sum);
        }
    return STOIC_OK;
}

static stoic_status softmax_reference(const stoic_op_call *call, const double *const *in,
                                      double *const *out, stoic_error *err) {
    return softmax(call, in[0], out[0], false, err);
}

static stoic_status log_softmax_reference(const stoic_op_call *call, const double *const *in,
                                          double *const *out, stoic_error *err) {
    return softmax(call, in[0], out[0], true, err);
}

static stoic_status softmax_backward(const stoic_op_call *call, const double *const *in,
                                     const double *const *out, const double *const *grad_out,
                                     double *const *grad_in, stoic_error *err) {
    (void)in;
    return softmax_back(call, out[0], grad_out[0], grad_in, false, err);
}

static stoic_status log_softmax_backward(const stoic_op_call *call, const double *const *in,
                                         const double *const *out, const double *const *grad_out,
                                         double *const *grad_in, stoic_error *err) {
    (void)in;
    return softmax_back(call, out[0], grad_out[0], grad_in, true, err);
}

static const stoic_attr_spec axis_attrs[] = {{"axis", STOIC_ATTR_INT, 1, 0},
                                             {NULL, STOIC_ATTR_INT, 0, 0}};

const stoic_op stoic_op_softmax = {
    .name = "Softmax",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = axis_attrs,
    .infer = softmax_infer,
    .reference = softmax_reference,
    .backward = softmax_backward,
};

const stoic_op stoic_op_log_softmax = {
    .name = "LogSoftmax",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = axis_attrs,
    .infer = softmax_infer,
    .reference = log_softmax_reference,
    .backward = log_softmax_backward,
};
