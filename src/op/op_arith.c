/*
 * Add, Sub, Mul, Div with NumPy broadcasting. Integers (shape arithmetic) divide towards zero;
 * by zero is an error.
 */
#include <math.h>

#include "op/op_kit.h"

static stoic_status arith_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    stoic_shape shape;
    TRY(stoic_input_check(call, 0, DTYPES_NUMBER, 0, STOIC_MAX_RANK, err));
    TRY(stoic_input_check(call, 1, DTYPES_NUMBER, 0, STOIC_MAX_RANK, err));
    if (call->in[0].dtype != call->in[1].dtype)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s cannot mix %s and %s elements",
                          call->op->name, stoic_dtype_name(call->in[0].dtype),
                          stoic_dtype_name(call->in[1].dtype));
    TRY(stoic_shape_broadcast(call, &call->in[0].shape, &call->in[1].shape, &shape, err));
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

static stoic_status apply(const stoic_op_call *call, const double *const *in, double *out,
                          double (*function)(double, double)) {
    const stoic_shape *shape = &call->out[0].shape;
    int64_t step_a[STOIC_MAX_RANK], step_b[STOIC_MAX_RANK], count = stoic_shape_count(shape);
    stoic_broadcast_strides(&call->in[0].shape, shape, step_a);
    stoic_broadcast_strides(&call->in[1].shape, shape, step_b);
    for (int64_t i = 0; i < count; i++)
        out[i] = function(in[0][stoic_strided_offset(shape, step_a, i)],
                          in[1][stoic_strided_offset(shape, step_b, i)]);
    return STOIC_OK;
}

static double sum(double a, double b) {
    return a + b;
}

static double difference(double a, double b) {
    return a - b;
}

static double product(double a, double b) {
    return a * b;
}

static double quotient(double a, double b) {
    return a / b;
}

static double integer_quotient(double a, double b) {
    return trunc(a / b);
}

static stoic_status add_reference(const stoic_op_call *call, const double *const *in,
                                  double *const *out, stoic_error *err) {
    (void)err;
    return apply(call, in, out[0], sum);
}

static stoic_status sub_reference(const stoic_op_call *call, const double *const *in,
                                  double *const *out, stoic_error *err) {
    (void)err;
    return apply(call, in, out[0], difference);
}

static stoic_status mul_reference(const stoic_op_call *call, const double *const *in,
                                  double *const *out, stoic_error *err) {
    (void)err;
    return apply(call, in, out[0], product);
}

static stoic_status div_reference(const stoic_op_call *call, const double *const *in,
                                  double *const *out, stoic_error *err) {
    if (!stoic_dtype_is_integer(call->in[0].dtype))
        return apply(call, in, out[0], quotient);
    for (int64_t i = 0; i < stoic_shape_count(&call->in[1].shape); i++)
        if (in[1][i] == 0)
            return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                              "%s divides integers by zero (element %lld)", call->op->name,
                              (long long)i);
    return apply(call, in, out[0], integer_quotient);
}

/* What one element of the output gives to the elements a and b that it was made of. */
typedef void (*arith_pull)(double a, double b, double grad, double *to_a, double *to_b);

/* An operand that was repeated gets the sum over its copies. */
static stoic_status pull_back(const stoic_op_call *call, const double *const *in,
                              const double *grad_out, double *const *grad_in, arith_pull pull) {
    const stoic_shape *shape = &call->out[0].shape;
    int64_t step_a[STOIC_MAX_RANK], step_b[STOIC_MAX_RANK], count = stoic_shape_count(shape);
    stoic_broadcast_strides(&call->in[0].shape, shape, step_a);
    stoic_broadcast_strides(&call->in[1].shape, shape, step_b);
    stoic_gradients_clear(call, 0, grad_in);
    for (int64_t i = 0; i < count; i++) {
        int64_t a = stoic_strided_offset(shape, step_a, i);
        int64_t b = stoic_strided_offset(shape, step_b, i);
        double to_a, to_b;
        pull(in[0][a], in[1][b], grad_out[i], &to_a, &to_b);
        if (grad_in[0])
            grad_in[0][a] += to_a;
        if (grad_in[1])
            grad_in[1][b] += to_b;
    }
    return STOIC_OK;
}

static void sum_pull(double a, double b, double grad, double *to_a, double *to_b) {
    (void)a;
    (void)b;
    *to_a = *to_b = grad;
}

static void difference_pull(double a, double b, double grad, double *to_a, double *to_b) {
    (void)a;
    (void)b;
    *to_a = grad;
    *to_b = -grad;
}

static void product_pull(double a, double b, double grad, double *to_a, double *to_b) {
    *to_a = grad * b;
    *to_b = grad * a;
}

static void quotient_pull(double a, double b, double grad, double *to_a, double *to_b) {
    *to_a = grad / b;
    *to_b = -grad * (a / b) / b;
}

#define ARITH_BACKWARD(name, pull)                                                                 \
    static stoic_status name(const stoic_op_call *call, const double *const *in,                   \
                             const double *const *out, const double *const *grad_out,              \
                             double *const *grad_in, stoic_error *err) {                           \
        (void)out;                                                                                 \
        (void)err;                                                                                 \
        return pull_back(call, in, grad_out[0], grad_in, pull);                                    \
    }

ARITH_BACKWARD(add_backward, sum_pull)
ARITH_BACKWARD(sub_backward, difference_pull)
ARITH_BACKWARD(mul_backward, product_pull)
ARITH_BACKWARD(div_backward, quotient_pull)

static double one(const stoic_op_call *call) {
    (void)call;
    return 1;
}

/* |c x - c y| <= max |c| |x - y|, known where c is. */
static double mul_lipschitz(const stoic_op_call *call) {
    const stoic_tensor *c = call->in[1].constant;
    double largest = 0;
    for (int64_t i = 0; c && i < stoic_tensor_count(c); i++)
        largest = stoic_max_nan(largest, fabs(stoic_tensor_get(c, i)));
    return isfinite(largest) ? largest : 0;
}

static double div_lipschitz(const stoic_op_call *call) {
    const stoic_tensor *c = call->in[1].constant;
    double smallest = INFINITY;
    for (int64_t i = 0; c && i < stoic_tensor_count(c); i++)
        smallest = stoic_min_nan(smallest, fabs(stoic_tensor_get(c, i)));
    return smallest > 0 && isfinite(smallest) ? 1 / smallest : 0;
}

static double one_rounding(const stoic_op_call *call) {
    (void)call;
    return 0x1p-24;
}

static uint64_t sum_homogeneous(const stoic_op_call *call) {
    (void)call;
    return 3;
}

/* Of two computed values the factors would multiply. */
static uint64_t mul_homogeneous(const stoic_op_call *call) {
    bool left = !call->in[0].constant, right = !call->in[1].constant;
    return left && right ? 0 : right ? 2 : 1;
}

/* A quotient has the factor of its dividend, not of its divisor. */
static uint64_t div_homogeneous(const stoic_op_call *call) {
    return call->in[1].constant ? 1 : 0;
}

static const stoic_attr_spec no_attrs[] = {{NULL, STOIC_ATTR_INT, 0, 0}};

/* A constant summand is scaled along ("biases scaled too"), so Add and Sub are homogeneous. */
#define LINEAR                                                                                     \
    (STOIC_OP_ELEMENTWISE | STOIC_OP_PER_CHANNEL | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_HOMOGENEOUS)

const stoic_op stoic_op_add = {
    .name = "Add",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = LINEAR | STOIC_OP_MONOTONE | STOIC_OP_NONEXPANSIVE,
    .infer = arith_infer,
    .homogeneous = sum_homogeneous,
    .reference = add_reference,
    .lipschitz = one,
    .rounding = one_rounding,
    .backward = add_backward,
};

const stoic_op stoic_op_sub = {
    .name = "Sub",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = LINEAR | STOIC_OP_MONOTONE | STOIC_OP_NONEXPANSIVE,
    .infer = arith_infer,
    .homogeneous = sum_homogeneous,
    .reference = sub_reference,
    .lipschitz = one,
    .rounding = one_rounding,
    .backward = sub_backward,
};

const stoic_op stoic_op_mul = {
    .name = "Mul",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = LINEAR,
    .infer = arith_infer,
    .homogeneous = mul_homogeneous,
    .reference = mul_reference,
    .lipschitz = mul_lipschitz,
    .rounding = one_rounding,
    .backward = mul_backward,
};

const stoic_op stoic_op_div = {
    .name = "Div",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = LINEAR,
    .infer = arith_infer,
    .homogeneous = div_homogeneous,
    .reference = div_reference,
    .lipschitz = div_lipschitz,
    .rounding = one_rounding,
    .backward = div_backward,
};
