/*
 * Elementwise functions. NaN goes through all of them, as in PyTorch.
 *
 *   Relu        max(x, 0)                    LeakyRelu   x < 0 ? alpha x : x
 *   Clip        min(max(x, low), high)       Sigmoid     1 / (1 + exp(-x))
 *   HardSigmoid min(max(alpha x + beta, 0), 1)           Tanh
 *   HardSwish   x min(max(x + 3, 0), 6) / 6, hence NaN at -Inf             Abs     x < 0 ? -x : x
 *
 * Gradients at the kinks: Relu 0 at 0, LeakyRelu alpha at 0, Abs -1 at 0; Clip 0 on both bounds,
 * as PyTorch's ReLU6 and Hardtanh (torch.clamp passes it there); HardSigmoid has slope 0 at
 * both ends, HardSwish 0 at -3 and 1 at 3. For a NaN, Relu and HardSwish pass the gradient
 * on, Clip and HardSigmoid give 0, as in PyTorch.
 */
#include <math.h>

#include "op/op_kit.h"

static stoic_status float_infer(const stoic_op_call *call, stoic_error *err) {
    return stoic_infer_same(call, DTYPES_FLOAT, err);
}

static stoic_status number_infer(const stoic_op_call *call, stoic_error *err) {
    return stoic_infer_same(call, DTYPES_NUMBER, err);
}

static stoic_status clip_infer(const stoic_op_call *call, stoic_error *err) {
    double low, high;
    stoic_status status = stoic_clip_bounds(call, &low, &high, err);
    return status == STOIC_OK ? stoic_infer_same(call, DTYPES_NUMBER, err) : status;
}

static int64_t elements(const stoic_op_call *call) {
    return stoic_shape_count(&call->out[0].shape);
}

static stoic_status relu_reference(const stoic_op_call *call, const double *const *in,
                                   double *const *out, stoic_error *err) {
    (void)err;
    for (int64_t i = 0; i < elements(call); i++)
        out[0][i] = stoic_max_nan(in[0][i], 0);
    return STOIC_OK;
}

/* Abs is the LeakyRelu of slope -1. */
static double leaky_slope(const stoic_op_call *call) {
    return call->op == &stoic_op_abs ? -1 : stoic_attr_float(call, "alpha", 0.01f);
}

static stoic_status leaky_reference(const stoic_op_call *call, const double *const *in,
                                    double *const *out, stoic_error *err) {
    (void)err;
    double alpha = leaky_slope(call);
    for (int64_t i = 0; i < elements(call); i++)
        out[0][i] = in[0][i] < 0 ? alpha * in[0][i] : in[0][i];
    return STOIC_OK;
}

static stoic_status clip_reference(const stoic_op_call *call, const double *const *in,
                                   double *const *out, stoic_error *err) {
    double low, high;
    stoic_status status = stoic_clip_bounds(call, &low, &high, err);
    if (status != STOIC_OK)
        return status;
    for (int64_t i = 0; i < elements(call); i++)
        out[0][i] = stoic_min_nan(stoic_max_nan(in[0][i], low), high);
    return STOIC_OK;
}

static stoic_status sigmoid_reference(const stoic_op_call *call, const double *const *in,
                                      double *const *out, stoic_error *err) {
    (void)err;
    for (int64_t i = 0; i < elements(call); i++)
        out[0][i] = 1 / (1 + exp(-in[0][i]));
    return STOIC_OK;
}

static stoic_status tanh_reference(const stoic_op_call *call, const double *const *in,
                                   double *const *out, stoic_error *err) {
    (void)err;
    for (int64_t i = 0; i < elements(call); i++)
        out[0][i] = tanh(in[0][i]);
    return STOIC_OK;
}

static double hard_sigmoid_slope(const stoic_op_call *call) {
    return stoic_attr_float(call, "alpha", 0.2f);
}

static double hard_sigmoid_offset(const stoic_op_call *call) {
    return stoic_attr_float(call, "beta", 0.5);
}

static stoic_status hard_sigmoid_reference(const stoic_op_call *call, const double *const *in,
                                           double *const *out, stoic_error *err) {
    (void)err;
    double alpha = hard_sigmoid_slope(call), beta = hard_sigmoid_offset(call);
    for (int64_t i = 0; i < elements(call); i++)
        out[0][i] = stoic_min_nan(stoic_max_nan(alpha * in[0][i] + beta, 0), 1);
    return STOIC_OK;
}

static stoic_status hard_swish_reference(const stoic_op_call *call, const double *const *in,
                                         double *const *out, stoic_error *err) {
    (void)err;
    for (int64_t i = 0; i < elements(call); i++)
        out[0][i] = in[0][i] * stoic_min_nan(stoic_max_nan(in[0][i] + 3, 0), 6) / 6;
    return STOIC_OK;
}

/* The gradient of one element from x, y and that of y; k are the operator's two parameters. */
typedef double (*pull)(double x, double y, double grad, const double k[2]);

static stoic_status pull_back(const stoic_op_call *call, const double *const *in,
                              const double *const *out, const double *const *grad_out,
                              double *const *grad_in, pull function, const double k[2]) {
    stoic_gradients_clear(call, 1, grad_in);
    for (int64_t i = 0; grad_in[0] && i < elements(call); i++)
        grad_in[0][i] = function(in[0][i], out[0][i], grad_out[0][i], k);
    return STOIC_OK;
}

static double relu_pull(double x, double y, double grad, const double k[2]) {
    (void)y;
    (void)k;
    return x <= 0 ? 0 : grad;
}

static double leaky_pull(double x, double y, double grad, const double k[2]) {
    (void)y;
    return x > 0 ? grad : grad * k[0];
}

static double clip_pull(double x, double y, double grad, const double k[2]) {
    (void)y;
    return x > k[0] && x < k[1] ? grad : 0;
}

static double sigmoid_pull(double x, double y, double grad, const double k[2]) {
    (void)x;
    (void)k;
    return grad * y * (1 - y);
}

static double tanh_pull(double x, double y, double grad, const double k[2]) {
    (void)x;
    (void)k;
    return grad * (1 - y * y);
}

static double hard_sigmoid_pull(double x, double y, double grad, const double k[2]) {
    (void)y;
    double linear = k[0] * x + k[1];
    return linear > 0 && linear < 1 ? grad * k[0] : 0;
}

static double hard_swish_pull(double x, double y, double grad, const double k[2]) {
    (void)y;
    (void)k;
    return x <= -3 ? 0 : x < 3 ? grad * (2 * x + 3) / 6 : grad;
}

#define BACKWARD(name)                                                                             \
    static stoic_status name(const stoic_op_call *call, const double *const *in,                   \
                             const double *const *out, const double *const *grad_out,              \
                             double *const *grad_in, stoic_error *err)

BACKWARD(relu_backward) {
    (void)err;
    return pull_back(call, in, out, grad_out, grad_in, relu_pull, NULL);
}

BACKWARD(leaky_backward) {
    (void)err;
    const double k[2] = {leaky_slope(call), 0};
    return pull_back(call, in, out, grad_out, grad_in, leaky_pull, k);
}

BACKWARD(clip_backward) {
    double k[2];
    stoic_status status = stoic_clip_bounds(call, &k[0], &k[1], err);
    if (status != STOIC_OK)
        return status;
    return pull_back(call, in, out, grad_out, grad_in, clip_pull, k);
}

BACKWARD(sigmoid_backward) {
    (void)err;
    return pull_back(call, in, out, grad_out, grad_in, sigmoid_pull, NULL);
}

BACKWARD(tanh_backward) {
    (void)err;
    return pull_back(call, in, out, grad_out, grad_in, tanh_pull, NULL);
}

BACKWARD(hard_sigmoid_backward) {
    (void)err;
    const double k[2] = {hard_sigmoid_slope(call), hard_sigmoid_offset(call)};
    return pull_back(call, in, out, grad_out, grad_in, hard_sigmoid_pull, k);
}

BACKWARD(hard_swish_backward) {
    (void)err;
    return pull_back(call, in, out, grad_out, grad_in, hard_swish_pull, NULL);
}

static double one(const stoic_op_call *call) {
    (void)call;
    return 1;
}

static double quarter(const stoic_op_call *call) {
    (void)call;
    return 0.25;
}

static double leaky_lipschitz(const stoic_op_call *call) {
    return fmax(1, fabs(leaky_slope(call)));
}

static double hard_sigmoid_lipschitz(const stoic_op_call *call) {
    return fabs(hard_sigmoid_slope(call));
}

/* The slope (2 x + 3) / 6 is steepest at x = 3. */
static double hard_swish_lipschitz(const stoic_op_call *call) {
    (void)call;
    return 1.5;
}

static double exact(const stoic_op_call *call) {
    (void)call;
    return 0;
}

/* One product in single precision. */
static double one_rounding(const stoic_op_call *call) {
    (void)call;
    return 0x1p-24;
}

static bool unmoved(double bound) {
    return bound == 0 || isinf(bound);
}

/* Where no bound lies at a finite value other than 0. */
static uint64_t clip_homogeneous(const stoic_op_call *call) {
    double low, high;
    bool known = stoic_clip_bounds(call, &low, &high, NULL) == STOIC_OK;
    return known && unmoved(low) && unmoved(high) ? 1 : 0;
}

static const stoic_attr_spec no_attrs[] = {{NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec alpha_attrs[] = {{"alpha", STOIC_ATTR_FLOAT, 1, 0},
                                              {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec alpha_beta_attrs[] = {{"alpha", STOIC_ATTR_FLOAT, 1, 0},
                                                   {"beta", STOIC_ATTR_FLOAT, 1, 0},
                                                   {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec clip_attrs[] = {{"max", STOIC_ATTR_FLOAT, 1, 10},
                                             {"min", STOIC_ATTR_FLOAT, 1, 10},
                                             {NULL, STOIC_ATTR_INT, 0, 0}};

#define POINTWISE (STOIC_OP_ELEMENTWISE | STOIC_OP_PER_CHANNEL)

const stoic_op stoic_op_relu = {
    .name = "Relu",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = POINTWISE | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_HOMOGENEOUS | STOIC_OP_MONOTONE |
             STOIC_OP_NONEXPANSIVE,
    .infer = number_infer,
    .reference = relu_reference,
    .lipschitz = one,
    .rounding = exact,
    .backward = relu_backward,
};

/* Neither monotone nor non-expansive for every slope: ask lipschitz(). */
const stoic_op stoic_op_leaky_relu = {
    .name = "LeakyRelu",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = alpha_attrs,
    .facts = POINTWISE | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_HOMOGENEOUS,
    .infer = float_infer,
    .reference = leaky_reference,
    .lipschitz = leaky_lipschitz,
    .rounding = one_rounding,
    .backward = leaky_backward,
};

const stoic_op stoic_op_abs = {
    .name = "Abs",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = POINTWISE | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_HOMOGENEOUS | STOIC_OP_NONEXPANSIVE,
    .infer = number_infer,
    .reference = leaky_reference,
    .lipschitz = one,
    .rounding = exact,
    .backward = leaky_backward,
};

const stoic_op stoic_op_clip = {
    .name = "Clip",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 3,
    .max_out = 1,
    .attrs = clip_attrs,
    .facts = POINTWISE | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_MONOTONE | STOIC_OP_NONEXPANSIVE,
    .infer = clip_infer,
    .homogeneous = clip_homogeneous,
    .reference = clip_reference,
    .lipschitz = one,
    .rounding = exact,
    .backward = clip_backward,
};

const stoic_op stoic_op_sigmoid = {
    .name = "Sigmoid",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = POINTWISE | STOIC_OP_MONOTONE | STOIC_OP_NONEXPANSIVE,
    .infer = float_infer,
    .reference = sigmoid_reference,
    .lipschitz = quarter,
    .backward = sigmoid_backward,
};

const stoic_op stoic_op_tanh = {
    .name = "Tanh",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = POINTWISE | STOIC_OP_MONOTONE | STOIC_OP_NONEXPANSIVE,
    .infer = float_infer,
    .reference = tanh_reference,
    .lipschitz = one,
    .backward = tanh_backward,
};

const stoic_op stoic_op_hard_sigmoid = {
    .name = "HardSigmoid",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = alpha_beta_attrs,
    .facts = POINTWISE | STOIC_OP_PIECEWISE_LINEAR,
    .infer = float_infer,
    .reference = hard_sigmoid_reference,
    .lipschitz = hard_sigmoid_lipschitz,
    .backward = hard_sigmoid_backward,
};

const stoic_op stoic_op_hard_swish = {
    .name = "HardSwish",
    .domain = "",
    .since = 14,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = POINTWISE,
    .infer = float_infer,
    .reference = hard_swish_reference,
    .lipschitz = hard_swish_lipschitz,
    .backward = hard_swish_backward,
};
