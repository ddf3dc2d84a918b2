/*
 * Comparing and choosing, with NumPy broadcasting:
 *
 *   Equal, Greater, Less    a == b, a > b, a < b; with a NaN on either side none of them holds
 *   IsNaN                   of one input
 *   Where                   the first input says which: true gives the second, false the third
 *
 * What a comparison gives is of element type bool, 0 or 1 as a number. Where copies: the payload of
 * what is not chosen has no effect, NaN or not.
 *
 * Gradients: a comparison has none, its slope is 0 wherever there is one. Where gives each gradient
 * to the element it took; the other gets 0, whatever comes in.
 */
#include <math.h>

#include "op/op_kit.h"

static stoic_status compare_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    stoic_shape shape;
    TRY(stoic_input_check(call, 0, DTYPES_NUMBER, 0, STOIC_MAX_RANK, err));
    TRY(stoic_input_check(call, 1, DTYPES_NUMBER, 0, STOIC_MAX_RANK, err));
    if (call->in[0].dtype != call->in[1].dtype)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s cannot compare %s with %s",
                          call->op->name, stoic_dtype_name(call->in[0].dtype),
                          stoic_dtype_name(call->in[1].dtype));
    TRY(stoic_shape_broadcast(call, &call->in[0].shape, &call->in[1].shape, &shape, err));
    stoic_out_write(call, 0, STOIC_BOOL, &shape);
done:
    return status;
}

static stoic_status is_nan_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status = stoic_input_check(call, 0, DTYPES_FLOAT, 0, STOIC_MAX_RANK, err);
    if (status == STOIC_OK)
        stoic_out_write(call, 0, STOIC_BOOL, &call->in[0].shape);
    return status;
}

static stoic_status where_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    stoic_shape shape, both;
    TRY(stoic_input_check(call, 0, DTYPE_BIT(STOIC_BOOL), 0, STOIC_MAX_RANK, err));
    TRY(stoic_input_check(call, 1, DTYPES_ANY, 0, STOIC_MAX_RANK, err));
    TRY(stoic_input_check(call, 2, DTYPES_ANY, 0, STOIC_MAX_RANK, err));
    if (call->in[1].dtype != call->in[2].dtype)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s cannot choose between %s and %s",
                          call->op->name, stoic_dtype_name(call->in[1].dtype),
                          stoic_dtype_name(call->in[2].dtype));
    TRY(stoic_shape_broadcast(call, &call->in[1].shape, &call->in[2].shape, &both, err));
    TRY(stoic_shape_broadcast(call, &call->in[0].shape, &both, &shape, err));
    stoic_out_write(call, 0, call->in[1].dtype, &shape);
done:
    return status;
}

static bool equal(double a, double b) {
    return a == b;
}

static bool greater(double a, double b) {
    return a > b;
}

static bool less(double a, double b) {
    return a < b;
}

static stoic_status compare(const stoic_op_call *call, const double *const *in, double *out,
                            bool (*holds)(double, double)) {
    const stoic_shape *shape = &call->out[0].shape;
    int64_t step_a[STOIC_MAX_RANK], step_b[STOIC_MAX_RANK], count = stoic_shape_count(shape);
    stoic_broadcast_strides(&call->in[0].shape, shape, step_a);
    stoic_broadcast_strides(&call->in[1].shape, shape, step_b);
    for (int64_t i = 0; i < count; i++)
        out[i] = holds(in[0][stoic_strided_offset(shape, step_a, i)],
                       in[1][stoic_strided_offset(shape, step_b, i)]);
    return STOIC_OK;
}

#define REFERENCE(name)                                                                            \
    static stoic_status name(const stoic_op_call *call, const double *const *in,                   \
                             double *const *out, stoic_error *err)

REFERENCE(equal_reference) {
    (void)err;
    return compare(call, in, out[0], equal);
}

REFERENCE(greater_reference) {
    (void)err;
    return compare(call, in, out[0], greater);
}

REFERENCE(less_reference) {
    (void)err;
    return compare(call, in, out[0], less);
}

REFERENCE(is_nan_reference) {
    (void)err;
    for (int64_t i = 0; i < stoic_shape_count(&call->out[0].shape); i++)
        out[0][i] = isnan(in[0][i]);
    return STOIC_OK;
}

/* Which input element i of the output is taken from, and where it lies there. */
typedef struct choice {
    const stoic_shape *shape;
    int64_t step[3][STOIC_MAX_RANK];
} choice;

static choice choice_of(const stoic_op_call *call) {
    choice c = {.shape = &call->out[0].shape};
    for (int k = 0; k < 3; k++)
        stoic_broadcast_strides(&call->in[k].shape, c.shape, c.step[k]);
    return c;
}

static int choose(const choice *c, const double *condition, int64_t i, int64_t *at) {
    int taken = condition[stoic_strided_offset(c->shape, c->step[0], i)] != 0 ? 1 : 2;
    *at = stoic_strided_offset(c->shape, c->step[taken], i);
    return taken;
}

REFERENCE(where_reference) {
    (void)err;
    choice c = choice_of(call);
    for (int64_t i = 0, at; i < stoic_shape_count(c.shape); i++) {
        int taken = choose(&c, in[0], i, &at);
        out[0][i] = in[taken][at];
    }
    return STOIC_OK;
}

static stoic_status where_backward(const stoic_op_call *call, const double *const *in,
                                   const double *const *out, const double *const *grad_out,
                                   double *const *grad_in, stoic_error *err) {
    (void)out;
    (void)err;
    choice c = choice_of(call);
    stoic_gradients_clear(call, 0, grad_in);
    for (int64_t i = 0, at; i < stoic_shape_count(c.shape); i++) {
        int taken = choose(&c, in[0], i, &at);
        if (grad_in[taken])
            grad_in[taken][at] += grad_out[0][i];
    }
    return STOIC_OK;
}

static const stoic_attr_spec no_attrs[] = {{NULL, STOIC_ATTR_INT, 0, 0}};

#define POINTWISE (STOIC_OP_ELEMENTWISE | STOIC_OP_PER_CHANNEL)

const stoic_op stoic_op_equal = {
    .name = "Equal",
    .domain = "",
    .since = 11, /* the first that takes floats */
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = POINTWISE,
    .infer = compare_infer,
    .reference = equal_reference,
};

const stoic_op stoic_op_greater = {
    .name = "Greater",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = POINTWISE,
    .infer = compare_infer,
    .reference = greater_reference,
};

const stoic_op stoic_op_less = {
    .name = "Less",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = POINTWISE,
    .infer = compare_infer,
    .reference = less_reference,
};

const stoic_op stoic_op_is_nan = {
    .name = "IsNaN",
    .domain = "",
    .since = 9,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = POINTWISE,
    .infer = is_nan_infer,
    .reference = is_nan_reference,
};

const stoic_op stoic_op_where = {
    .name = "Where",
    .domain = "",
    .since = 9,
    .until = 23,
    .min_in = 3,
    .max_in = 3,
    .max_out = 1,
    .attrs = no_attrs,
    .infer = where_infer,
    .reference = where_reference,
    .backward = where_backward,
};
