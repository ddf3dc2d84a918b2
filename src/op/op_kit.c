#include "op/op_kit.h"

#include <math.h>

stoic_status stoic_input_check(const stoic_op_call *call, size_t i, unsigned dtypes, int min_rank,
                               int max_rank, stoic_error *err) {
    const stoic_operand *in = &call->in[i];
    char text[128];
    if (!((dtypes >> in->dtype) & 1u))
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s does not take %s elements as input %zu", call->op->name,
                          stoic_dtype_name(in->dtype), i + 1);
    if (in->shape.rank < min_rank || in->shape.rank > max_rank)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s needs %d to %d axes in input %zu, found %d (%s)", call->op->name,
                          min_rank, max_rank, i + 1, in->shape.rank,
                          stoic_shape_text(&in->shape, text));
    return STOIC_OK;
}

stoic_status stoic_input_limit(const stoic_op_call *call, size_t count, stoic_error *err) {
    for (size_t i = count; i < call->n_in; i++)
        if (call->in[i].present)
            return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                              "%s takes at most %zu inputs at opset %d, found %zu", call->op->name,
                              count, call->opset, call->n_in);
    return STOIC_OK;
}

int64_t stoic_tensor_integer(const stoic_tensor *tensor, int64_t i) {
    if (stoic_tensor_dtype(tensor) == STOIC_I64)
        return ((const int64_t *)stoic_tensor_data(tensor))[i];
    return (int64_t)stoic_tensor_get(tensor, i);
}

static stoic_status constant_check(const stoic_op_call *call, size_t i, const char *what,
                                   stoic_error *err) {
    if (!stoic_input_present(call, i))
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s lacks its input %zu (%s)",
                          call->op->name, i + 1, what);
    if (!call->in[i].constant)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s needs a constant as input %zu (%s), found a computed value",
                          call->op->name, i + 1, what);
    return STOIC_OK;
}

stoic_status stoic_input_integers(const stoic_op_call *call, size_t i, const char *what,
                                  int64_t *values, size_t capacity, size_t *count,
                                  stoic_error *err) {
    stoic_status status = constant_check(call, i, what, err);
    if (status != STOIC_OK)
        return status;
    const stoic_tensor *tensor = call->in[i].constant;
    if (!stoic_dtype_is_integer(stoic_tensor_dtype(tensor)))
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                          "%s needs integers as input %zu (%s), found %s", call->op->name, i + 1,
                          what, stoic_dtype_name(stoic_tensor_dtype(tensor)));
    int64_t n = stoic_tensor_count(tensor);
    if (stoic_tensor_shape(tensor)->rank > 1 || n > (int64_t)capacity)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s needs a vector of at most %zu elements as input %zu (%s), found %lld",
                          call->op->name, capacity, i + 1, what, (long long)n);
    for (int64_t k = 0; k < n; k++)
        values[k] = stoic_tensor_integer(tensor, k);
    *count = (size_t)n;
    return STOIC_OK;
}

stoic_status stoic_list_resolve(const stoic_op_call *call, const char *name, size_t i,
                                int input_since, int64_t *values, size_t capacity, size_t *count,
                                bool *given, stoic_error *err) {
    *count = 0;
    *given = false;
    if (call->opset >= input_since) {
        *given = stoic_input_present(call, i);
        return *given ? stoic_input_integers(call, i, name, values, capacity, count, err)
                      : STOIC_OK;
    }
    const stoic_attr *attr = stoic_attr_find(call, name);
    if (!attr || attr->kind != STOIC_ATTR_INTS)
        return STOIC_OK;
    if (attr->count > capacity)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s has %zu values in '%s', at most %zu make sense", call->op->name,
                          attr->count, name, capacity);
    for (size_t k = 0; k < attr->count; k++)
        values[k] = attr->ints[k];
    *count = attr->count;
    *given = true;
    return STOIC_OK;
}

stoic_status stoic_input_scalar(const stoic_op_call *call, size_t i, const char *what,
                                double *value, stoic_error *err) {
    stoic_status status = constant_check(call, i, what, err);
    if (status != STOIC_OK)
        return status;
    int64_t n = stoic_tensor_count(call->in[i].constant);
    if (n != 1)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s needs one element as input %zu (%s), found %lld", call->op->name,
                          i + 1, what, (long long)n);
    *value = stoic_tensor_get(call->in[i].constant, 0);
    return STOIC_OK;
}

stoic_status stoic_axis_normalise(const stoic_op_call *call, int64_t axis, int rank, int *out,
                                  stoic_error *err) {
    if (axis < -rank || axis >= rank)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s has axis %lld, expected one in [%d, %d)", call->op->name,
                          (long long)axis, -rank, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return STOIC_OK;
}

stoic_status stoic_axes_set(const stoic_op_call *call, const int64_t *axes, size_t count, int rank,
                            unsigned *out, stoic_error *err) {
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        int axis = 0;
        stoic_status status = stoic_axis_normalise(call, axes[i], rank, &axis, err);
        if (status != STOIC_OK)
            return status;
        if (*out >> axis & 1u)
            return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s names axis %d twice",
                              call->op->name, axis);
        *out |= 1u << axis;
    }
    return STOIC_OK;
}

void stoic_out_write(const stoic_op_call *call, size_t i, stoic_dtype dtype,
                     const stoic_shape *shape) {
    if (i < call->n_out) {
        call->out[i].dtype = dtype;
        call->out[i].shape = *shape;
    }
}

stoic_status stoic_infer_same(const stoic_op_call *call, unsigned dtypes, stoic_error *err) {
    stoic_status status = stoic_input_check(call, 0, dtypes, 0, STOIC_MAX_RANK, err);
    if (status == STOIC_OK)
        stoic_out_write(call, 0, call->in[0].dtype, &call->in[0].shape);
    return status;
}

void stoic_shape_strides(const stoic_shape *shape, int64_t stride[STOIC_MAX_RANK]) {
    int64_t step = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= shape->dim[i];
    }
}

void stoic_broadcast_strides(const stoic_shape *in, const stoic_shape *out,
                             int64_t stride[STOIC_MAX_RANK]) {
    int64_t own[STOIC_MAX_RANK];
    stoic_shape_strides(in, own);
    int missing = out->rank - in->rank;
    for (int i = 0; i < out->rank; i++)
        stride[i] = i < missing || in->dim[i - missing] == 1 ? 0 : own[i - missing];
}

int64_t stoic_strided_offset(const stoic_shape *shape, const int64_t stride[STOIC_MAX_RANK],
                             int64_t flat) {
    int64_t offset = 0;
    for (int i = shape->rank - 1; i >= 0; i--) {
        offset += flat % shape->dim[i] * stride[i];
        flat /= shape->dim[i];
    }
    return offset;
}

stoic_status stoic_reference_copy(const stoic_op_call *call, const double *const *in,
                                  double *const *out, stoic_error *err) {
    (void)err;
    int64_t count = stoic_shape_count(&call->out[0].shape);
    for (int64_t i = 0; i < count; i++)
        out[0][i] = in[0][i];
    return STOIC_OK;
}

void stoic_gradients_clear(const stoic_op_call *call, size_t first, double *const *grad_in) {
    for (size_t i = first; i < call->n_in; i++) {
        int64_t count = grad_in[i] ? stoic_shape_count(&call->in[i].shape) : 0;
        for (int64_t k = 0; k < count; k++)
            grad_in[i][k] = 0;
    }
}

stoic_status stoic_backward_copy(const stoic_op_call *call, const double *const *in,
                                 const double *const *out, const double *const *grad_out,
                                 double *const *grad_in, stoic_error *err) {
    (void)in;
    (void)out;
    stoic_gradients_clear(call, 1, grad_in);
    return grad_in[0] ? stoic_reference_copy(call, grad_out, grad_in, err) : STOIC_OK;
}

int64_t stoic_saturated_product(int64_t a, int64_t b) {
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

double stoic_max_nan(double a, double b) {
    return isnan(a) || a > b ? a : b;
}

double stoic_min_nan(double a, double b) {
    return isnan(a) || a < b ? a : b;
}
