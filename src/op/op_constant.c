/*
 * Operators that make constants, allowed only where their inputs are constant (Shape: wherever
 * the shape is known): Constant, ConstantOfShape, Shape, Range, Cast.
 */
#include <math.h>

#include "op/op_kit.h"

/* The one value attribute of a Constant. */
static stoic_status constant_value(const stoic_op_call *call, const stoic_attr **out,
                                   stoic_error *err) {
    if (call->n_attrs != 1 || (call->attrs[0].kind == STOIC_ATTR_TENSOR && !call->attrs[0].tensor))
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s needs one value, found %zu",
                          call->op->name, call->n_attrs);
    *out = call->attrs;
    return STOIC_OK;
}

static stoic_status constant_infer(const stoic_op_call *call, stoic_error *err) {
    const stoic_attr *attr = NULL;
    stoic_status status = constant_value(call, &attr, err);
    if (status != STOIC_OK)
        return status;
    const bool list = attr->kind == STOIC_ATTR_INTS || attr->kind == STOIC_ATTR_FLOATS;
    const bool integer = attr->kind == STOIC_ATTR_INTS || attr->kind == STOIC_ATTR_INT;
    stoic_shape shape = {.rank = list, .dim = {(int64_t)attr->count}};
    if (attr->kind == STOIC_ATTR_TENSOR)
        stoic_out_write(call, 0, stoic_tensor_dtype(attr->tensor),
                        stoic_tensor_shape(attr->tensor));
    else
        stoic_out_write(call, 0, integer ? STOIC_I64 : STOIC_F32, &shape);
    return STOIC_OK;
}

static stoic_status constant_reference(const stoic_op_call *call, const double *const *in,
                                       double *const *out, stoic_error *err) {
    (void)in;
    const stoic_attr *attr = NULL;
    stoic_status status = constant_value(call, &attr, err);
    if (status != STOIC_OK)
        return status;
    int64_t count = stoic_shape_count(&call->out[0].shape);
    for (int64_t i = 0; i < count; i++) {
        if (attr->kind == STOIC_ATTR_TENSOR)
            out[0][i] = stoic_tensor_get(attr->tensor, i);
        else if (attr->kind == STOIC_ATTR_INTS)
            out[0][i] = (double)attr->ints[i];
        else if (attr->kind == STOIC_ATTR_FLOATS)
            out[0][i] = attr->floats[i];
        else
            out[0][i] = attr->kind == STOIC_ATTR_INT ? (double)attr->i : attr->f;
    }
    return STOIC_OK;
}

static stoic_status filled_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    stoic_shape shape = {.rank = 0};
    size_t rank;
    char text[128];
    const stoic_attr *value = stoic_attr_find(call, "value");
    TRY(stoic_input_integers(call, 0, "shape", shape.dim, STOIC_MAX_RANK, &rank, err));
    shape.rank = (int)rank;
    if (stoic_shape_count(&shape) < 0 || stoic_shape_count(&shape) > STOIC_CONJURED_LIMIT)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s makes a tensor of %s: negative or too large", call->op->name,
                          stoic_shape_text(&shape, text));
    if (value && (!value->tensor || stoic_tensor_count(value->tensor) != 1))
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s needs one element in 'value'",
                          call->op->name);
    stoic_out_write(call, 0, value ? stoic_tensor_dtype(value->tensor) : STOIC_F32, &shape);
done:
    return status;
}

static stoic_status filled_reference(const stoic_op_call *call, const double *const *in,
                                     double *const *out, stoic_error *err) {
    (void)in;
    (void)err;
    const stoic_attr *value = stoic_attr_find(call, "value");
    double fill = value ? stoic_tensor_get(value->tensor, 0) : 0;
    int64_t count = stoic_shape_count(&call->out[0].shape);
    for (int64_t i = 0; i < count; i++)
        out[0][i] = fill;
    return STOIC_OK;
}

/* The range [start, end) of axes; out of bounds is clamped, not refused. */
static void shape_range(const stoic_op_call *call, int *start, int *end) {
    int rank = call->in[0].shape.rank;
    int64_t bound[2] = {stoic_attr_int(call, "start", 0), stoic_attr_int(call, "end", rank)};
    for (int i = 0; i < 2; i++) {
        if (bound[i] < 0)
            bound[i] = bound[i] < -rank ? 0 : bound[i] + rank;
        if (bound[i] > rank)
            bound[i] = rank;
    }
    *start = (int)bound[0];
    *end = (int)(bound[1] > bound[0] ? bound[1] : bound[0]);
}

static stoic_status shape_infer(const stoic_op_call *call, stoic_error *err) {
    (void)err;
    int start, end;
    shape_range(call, &start, &end);
    stoic_shape shape = {.rank = 1, .dim = {end - start}};
    stoic_out_write(call, 0, STOIC_I64, &shape);
    return STOIC_OK;
}

static stoic_status shape_reference(const stoic_op_call *call, const double *const *in,
                                    double *const *out, stoic_error *err) {
    (void)in;
    (void)err;
    int start, end;
    shape_range(call, &start, &end);
    for (int i = start; i < end; i++)
        out[0][i - start] = (double)call->in[0].shape.dim[i];
    return STOIC_OK;
}

/* start, limit, delta */
static stoic_status range_infer(const stoic_op_call *call, stoic_error *err) {
    static const char *const what[] = {"start", "limit", "delta"};
    stoic_status status;
    double value[3];
    for (size_t i = 0; i < 3; i++) {
        TRY(stoic_input_check(call, i, DTYPES_NUMBER, 0, 1, err));
        TRY(stoic_input_scalar(call, i, what[i], &value[i], err));
    }
    double steps = ceil((value[1] - value[0]) / value[2]);
    if (!(value[2] != 0 && steps <= (double)STOIC_CONJURED_LIMIT))
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s from %g to %g in steps of %g is endless or too long", call->op->name,
                          value[0], value[1], value[2]);
    stoic_shape shape = {.rank = 1, .dim = {steps > 0 ? (int64_t)steps : 0}};
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

static stoic_status range_reference(const stoic_op_call *call, const double *const *in,
                                    double *const *out, stoic_error *err) {
    (void)err;
    for (int64_t i = 0; i < call->out[0].shape.dim[0]; i++)
        out[0][i] = in[0][0] + (double)i * in[2][0];
    return STOIC_OK;
}

static stoic_status cast_dtype(const stoic_op_call *call, stoic_dtype *out, stoic_error *err) {
#define DTYPE_ONNX(enumerator, name, bytes, onnx) {enumerator, onnx},
    static const struct {
        stoic_dtype dtype;
        int onnx;
    } known[] = {STOIC_DTYPE_LIST(DTYPE_ONNX)};
#undef DTYPE_ONNX
    int64_t to = stoic_attr_int(call, "to", 0);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].onnx == to) {
            *out = known[i].dtype;
            return STOIC_OK;
        }
    return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                      "%s to element type %lld is not supported", call->op->name, (long long)to);
}

static stoic_status cast_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_dtype dtype = STOIC_F32;
    stoic_status status = cast_dtype(call, &dtype, err);
    if (status == STOIC_OK)
        stoic_out_write(call, 0, dtype, &call->in[0].shape);
    return status;
}

/* As stoic_tensor_set(): towards zero, and out of range to the nearest end. */
static double cast_value(double value, stoic_dtype dtype) {
    switch (dtype) {
    case STOIC_F32:
        return (float)value;
    case STOIC_F64:
        return value;
    case STOIC_I32:
        return isnan(value) ? 0 : trunc(fmin(fmax(value, INT32_MIN), INT32_MAX));
    case STOIC_I64:
        return isnan(value) ? 0 : trunc(fmin(fmax(value, -0x1p63), 0x1p63));
    case STOIC_BOOL:
        return value != 0;
    }
    return value;
}

static stoic_status cast_reference(const stoic_op_call *call, const double *const *in,
                                   double *const *out, stoic_error *err) {
    (void)err;
    int64_t count = stoic_shape_count(&call->out[0].shape);
    for (int64_t i = 0; i < count; i++)
        out[0][i] = cast_value(in[0][i], call->out[0].dtype);
    return STOIC_OK;
}

/* Between float types the gradient goes through as it is: what was rounded off is not looked at. */
static stoic_status cast_backward(const stoic_op_call *call, const double *const *in,
                                  const double *const *out, const double *const *grad_out,
                                  double *const *grad_in, stoic_error *err) {
    if (!((DTYPES_FLOAT >> call->in[0].dtype) & (DTYPES_FLOAT >> call->out[0].dtype) & 1u))
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s from %s to %s has no gradient", call->op->name,
                          stoic_dtype_name(call->in[0].dtype),
                          stoic_dtype_name(call->out[0].dtype));
    return stoic_backward_copy(call, in, out, grad_out, grad_in, err);
}

static const stoic_attr_spec constant_attrs[] = {
    {"value", STOIC_ATTR_TENSOR, 1, 0},         {"value_float", STOIC_ATTR_FLOAT, 12, 0},
    {"value_floats", STOIC_ATTR_FLOATS, 12, 0}, {"value_int", STOIC_ATTR_INT, 12, 0},
    {"value_ints", STOIC_ATTR_INTS, 12, 0},     {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec filled_attrs[] = {{"value", STOIC_ATTR_TENSOR, 9, 0},
                                               {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec shape_attrs[] = {
    {"end", STOIC_ATTR_INT, 15, 0}, {"start", STOIC_ATTR_INT, 15, 0}, {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec no_attrs[] = {{NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec cast_attrs[] = {{"saturate", STOIC_ATTR_INT, 19, 0},
                                             {"to", STOIC_ATTR_INT, 6, 0},
                                             {NULL, STOIC_ATTR_INT, 0, 0}};

const stoic_op stoic_op_constant = {
    .name = "Constant",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 0,
    .max_in = 0,
    .max_out = 1,
    .attrs = constant_attrs,
    .facts = STOIC_OP_FOLD_ONLY,
    .infer = constant_infer,
    .reference = constant_reference,
};

const stoic_op stoic_op_constant_of_shape = {
    .name = "ConstantOfShape",
    .domain = "",
    .since = 9,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = filled_attrs,
    .facts = STOIC_OP_FOLD_ONLY,
    .infer = filled_infer,
    .reference = filled_reference,
};

const stoic_op stoic_op_shape = {
    .name = "Shape",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = shape_attrs,
    .facts = STOIC_OP_FOLD_ONLY | STOIC_OP_READS_SHAPE,
    .infer = shape_infer,
    .reference = shape_reference,
};

const stoic_op stoic_op_range = {
    .name = "Range",
    .domain = "",
    .since = 11,
    .until = 23,
    .min_in = 3,
    .max_in = 3,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = STOIC_OP_FOLD_ONLY,
    .infer = range_infer,
    .reference = range_reference,
};

const stoic_op stoic_op_cast = {
    .name = "Cast",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = cast_attrs,
    .facts = STOIC_OP_FOLD_ONLY,
    .infer = cast_infer,
    .reference = cast_reference,
    .backward = cast_backward,
};
