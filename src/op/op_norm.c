/* BatchNormalization as at inference: y = (x - mean[c]) scale[c] / sqrt(var[c] + epsilon) + b[c].
 * Its gradient too: mean and variance are constants. Statistics of the batch mix images and are
 * therefore no business of an operator. */
#include <math.h>

#include "op/op_kit.h"

static stoic_status norm_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    char text[128];
    const stoic_shape *x = &call->in[0].shape;
    TRY(stoic_input_check(call, 0, DTYPES_FLOAT, 2, STOIC_MAX_RANK, err));
    if (stoic_attr_int(call, "training_mode", 0) != 0)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s is in training mode, only inference is supported", call->op->name);
    if (stoic_attr_int(call, "spatial", 1) != 1)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s has spatial = 0, only statistics per channel are supported",
                          call->op->name);
    for (size_t i = 1; i < 5; i++) {
        TRY(stoic_input_check(call, i, DTYPES_FLOAT, 1, 1, err));
        if (call->in[i].shape.dim[0] != x->dim[1])
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                              "%s needs %lld values in input %zu, found %s", call->op->name,
                              (long long)x->dim[1], i + 1,
                              stoic_shape_text(&call->in[i].shape, text));
    }
    stoic_out_write(call, 0, call->in[0].dtype, x);
done:
    return status;
}

static double norm_epsilon(const stoic_op_call *call) {
    return stoic_attr_float(call, "epsilon", 1e-5f);
}

static int64_t norm_plane(const stoic_shape *x) {
    int64_t plane = 1;
    for (int i = 2; i < x->rank; i++)
        plane *= x->dim[i];
    return plane;
}

static stoic_status norm_reference(const stoic_op_call *call, const double *const *in,
                                   double *const *out, stoic_error *err) {
    (void)err;
    const stoic_shape *x = &call->in[0].shape;
    const double *scale = in[1], *bias = in[2], *mean = in[3], *variance = in[4];
    double epsilon = norm_epsilon(call);
    int64_t plane = norm_plane(x);
    for (int64_t n = 0; n < x->dim[0]; n++)
        for (int64_t c = 0; c < x->dim[1]; c++) {
            double factor = scale[c] / sqrt(variance[c] + epsilon);
            int64_t start = (n * x->dim[1] + c) * plane;
            for (int64_t i = start; i < start + plane; i++)
                out[0][i] = (in[0][i] - mean[c]) * factor + bias[c];
        }
    return STOIC_OK;
}

static stoic_status norm_backward(const stoic_op_call *call, const double *const *in,
                                  const double *const *out, const double *const *grad_out,
                                  double *const *grad_in, stoic_error *err) {
    (void)out;
    (void)err;
    const stoic_shape *x = &call->in[0].shape;
    const double *scale = in[1], *mean = in[3], *variance = in[4];
    double epsilon = norm_epsilon(call);
    int64_t plane = norm_plane(x);
    stoic_gradients_clear(call, 1, grad_in);
    for (int64_t n = 0; n < x->dim[0]; n++)
        for (int64_t c = 0; c < x->dim[1]; c++) {
            double deviation = sqrt(variance[c] + epsilon), factor = scale[c] / deviation;
            int64_t start = (n * x->dim[1] + c) * plane;
            for (int64_t i = start; i < start + plane; i++) {
                double grad = grad_out[0][i];
                if (grad_in[0])
                    grad_in[0][i] = grad * factor;
                if (grad_in[1])
                    grad_in[1][c] += grad * (in[0][i] - mean[c]) / deviation;
                if (grad_in[2])
                    grad_in[2][c] += grad;
            }
        }
    return STOIC_OK;
}

static const stoic_attr_spec norm_attrs[] = {{"epsilon", STOIC_ATTR_FLOAT, 1, 0},
                                             {"momentum", STOIC_ATTR_FLOAT, 1, 0},
                                             {"spatial", STOIC_ATTR_INT, 1, 8},
                                             {"training_mode", STOIC_ATTR_INT, 14, 0},
                                             {NULL, STOIC_ATTR_INT, 0, 0}};

const stoic_op stoic_op_batch_normalization = {
    .name = "BatchNormalization",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 5,
    .max_in = 5,
    .max_out = 1, /* the further outputs exist in training only */
    .attrs = norm_attrs,
    .facts = STOIC_OP_PER_CHANNEL | STOIC_OP_PIECEWISE_LINEAR,
    .infer = norm_infer,
    .reference = norm_reference,
    .backward = norm_backward,
};
