/* Operators that copy elements to other places: Concat, Transpose, Slice, Pad, Gather, Expand. */
#include "op/op_kit.h"

static stoic_status concat_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    int axis;
    char left[128], right[128];
    stoic_shape shape = call->in[0].shape;
    if (!stoic_attr_find(call, "axis"))
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s lacks the attribute 'axis'",
                          call->op->name);
    TRY(stoic_input_check(call, 0, DTYPES_ANY, 1, STOIC_MAX_RANK, err));
    TRY(stoic_axis_resolve(call, 0, shape.rank, &axis, err));
    for (size_t i = 1; i < call->n_in; i++) {
        if (!call->in[i].present)
            return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s lacks its input %zu",
                              call->op->name, i + 1);
        const stoic_shape *more = &call->in[i].shape;
        bool fits = more->rank == shape.rank && call->in[i].dtype == call->in[0].dtype;
        for (int k = 0; fits && k < shape.rank; k++)
            fits = k == axis || more->dim[k] == shape.dim[k];
        if (!fits || __builtin_add_overflow(shape.dim[axis], more->dim[axis], &shape.dim[axis]))
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                              "%s: input %zu (%s %s) does not fit the first (%s %s) along axis %d",
                              call->op->name, i + 1, stoic_dtype_name(call->in[i].dtype),
                              stoic_shape_text(more, left), stoic_dtype_name(call->in[0].dtype),
                              stoic_shape_text(&call->in[0].shape, right), axis);
    }
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

static stoic_status concat_reference(const stoic_op_call *call, const double *const *in,
                                     double *const *out, stoic_error *err) {
    const stoic_shape *y = &call->out[0].shape;
    int axis;
    stoic_status status = stoic_axis_resolve(call, 0, y->rank, &axis, err);
    if (status != STOIC_OK)
        return status;
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < y->rank; i++) {
        outer *= i < axis ? y->dim[i] : 1;
        inner *= i > axis ? y->dim[i] : 1;
    }
    double *to = out[0];
    for (int64_t n = 0; n < outer; n++)
        for (size_t i = 0; i < call->n_in; i++) {
            int64_t run = call->in[i].shape.dim[axis] * inner;
            for (int64_t k = 0; k < run; k++)
                *to++ = in[i][n * run + k];
        }
    return STOIC_OK;
}

/* out[i] = in[offset + strided(i)] over the output's shape. */
static stoic_status gather_strided(const stoic_op_call *call, const double *from, double *to,
                                   const int64_t stride[STOIC_MAX_RANK]) {
    const stoic_shape *y = &call->out[0].shape;
    int64_t count = stoic_shape_count(y);
    for (int64_t i = 0; i < count; i++)
        to[i] = from[stoic_strided_offset(y, stride, i)];
    return STOIC_OK;
}

static stoic_status transpose_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    int perm[STOIC_MAX_RANK];
    stoic_shape shape = call->in[0].shape;
    TRY(stoic_input_check(call, 0, DTYPES_ANY, 0, STOIC_MAX_RANK, err));
    TRY(stoic_transpose_resolve(call, perm, err));
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = call->in[0].shape.dim[perm[i]];
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

static stoic_status transpose_reference(const stoic_op_call *call, const double *const *in,
                                        double *const *out, stoic_error *err) {
    int perm[STOIC_MAX_RANK];
    int64_t own[STOIC_MAX_RANK], stride[STOIC_MAX_RANK];
    stoic_status status = stoic_transpose_resolve(call, perm, err);
    if (status != STOIC_OK)
        return status;
    stoic_shape_strides(&call->in[0].shape, own);
    for (int i = 0; i < call->in[0].shape.rank; i++)
        stride[i] = own[perm[i]];
    return gather_strided(call, in[0], out[0], stride);
}

static stoic_status slice_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_slice slice;
    stoic_status status = stoic_slice_resolve(call, &slice, err);
    if (status != STOIC_OK)
        return status;
    stoic_shape shape = call->in[0].shape;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = slice.count[i];
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
    return STOIC_OK;
}

static stoic_status slice_reference(const stoic_op_call *call, const double *const *in,
                                    double *const *out, stoic_error *err) {
    stoic_slice slice;
    int64_t stride[STOIC_MAX_RANK], offset = 0;
    stoic_status status = stoic_slice_resolve(call, &slice, err);
    if (status != STOIC_OK || stoic_shape_count(&call->out[0].shape) == 0)
        return status;
    stoic_shape_strides(&call->in[0].shape, stride);
    for (int i = 0; i < call->in[0].shape.rank; i++) {
        offset += slice.start[i] * stride[i];
        /* a step beyond the axis is taken by one element only, never used */
        stride[i] = slice.count[i] > 1 ? stride[i] * slice.step[i] : 0;
    }
    return gather_strided(call, in[0] + offset, out[0], stride);
}

static stoic_status pad_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_pad pad;
    char text[128];
    stoic_status status = stoic_pad_resolve(call, &pad, err);
    if (status != STOIC_OK)
        return status;
    stoic_shape shape = call->in[0].shape;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] += pad.low[i] + pad.high[i];
    /* mostly padding: such a tensor is not worth the memory a few bytes ask for */
    int64_t count = stoic_shape_count(&shape), before = stoic_shape_count(&call->in[0].shape);
    if (count > STOIC_CONJURED_LIMIT && count / 16 > before)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s makes a tensor of %s, too large",
                          call->op->name, stoic_shape_text(&shape, text));
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
    return STOIC_OK;
}

static stoic_status pad_reference(const stoic_op_call *call, const double *const *in,
                                  double *const *out, stoic_error *err) {
    stoic_pad pad;
    stoic_status status = stoic_pad_resolve(call, &pad, err);
    if (status != STOIC_OK)
        return status;
    const stoic_shape *x = &call->in[0].shape, *y = &call->out[0].shape;
    int64_t stride[STOIC_MAX_RANK], count = stoic_shape_count(y);
    stoic_shape_strides(x, stride);
    for (int64_t i = 0; i < count; i++) {
        int64_t offset = 0, rest = i;
        bool inside = true;
        for (int k = y->rank - 1; k >= 0; k--) {
            int64_t at = rest % y->dim[k] - pad.low[k];
            rest /= y->dim[k];
            inside = inside && at >= 0 && at < x->dim[k];
            offset += inside ? at * stride[k] : 0;
        }
        out[0][i] = inside ? in[0][offset] : pad.value;
    }
    return STOIC_OK;
}

static stoic_status gather_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    int axis;
    const stoic_shape *x = &call->in[0].shape, *indices = &call->in[1].shape;
    TRY(stoic_input_check(call, 0, DTYPES_ANY, 1, STOIC_MAX_RANK, err));
    TRY(stoic_input_check(call, 1, DTYPES_INTEGER, 0, STOIC_MAX_RANK, err));
    TRY(stoic_axis_resolve(call, 0, x->rank, &axis, err));
    stoic_shape shape = {.rank = 0};
    if (x->rank + indices->rank - 1 > STOIC_MAX_RANK)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s makes %d axes, at most %d supported", call->op->name,
                          x->rank + indices->rank - 1, STOIC_MAX_RANK);
    for (int i = 0; i < axis; i++)
        shape.dim[shape.rank++] = x->dim[i];
    for (int i = 0; i < indices->rank; i++)
        shape.dim[shape.rank++] = indices->dim[i];
    for (int i = axis + 1; i < x->rank; i++)
        shape.dim[shape.rank++] = x->dim[i];
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

static stoic_status gather_reference(const stoic_op_call *call, const double *const *in,
                                     double *const *out, stoic_error *err) {
    const stoic_shape *x = &call->in[0].shape;
    int axis;
    stoic_status status = stoic_axis_resolve(call, 0, x->rank, &axis, err);
    if (status != STOIC_OK)
        return status;
    int64_t outer = 1, inner = 1, dim = x->dim[axis];
    int64_t picks = stoic_shape_count(&call->in[1].shape);
    for (int i = 0; i < x->rank; i++) {
        outer *= i < axis ? x->dim[i] : 1;
        inner *= i > axis ? x->dim[i] : 1;
    }
    for (int64_t i = 0; i < picks; i++) {
        if (!(in[1][i] >= (double)-dim && in[1][i] < (double)dim))
            return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                              "%s has index %g, expected one in [%lld, %lld)", call->op->name,
                              in[1][i], (long long)-dim, (long long)dim);
        int64_t pick = (int64_t)in[1][i];
        pick += pick < 0 ? dim : 0;
        for (int64_t n = 0; n < outer; n++)
            for (int64_t k = 0; k < inner; k++)
                out[0][(n * picks + i) * inner + k] = in[0][(n * dim + pick) * inner + k];
    }
    return STOIC_OK;
}

static stoic_status expand_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    stoic_shape wanted = {.rank = 0}, shape;
    size_t rank;
    char text[128];
    TRY(stoic_input_check(call, 0, DTYPES_ANY, 0, STOIC_MAX_RANK, err));
    TRY(stoic_input_integers(call, 1, "shape", wanted.dim, STOIC_MAX_RANK, &rank, err));
    wanted.rank = (int)rank;
    TRY(stoic_shape_broadcast(call, &call->in[0].shape, &wanted, &shape, err));
    if (stoic_shape_count(&shape) > STOIC_CONJURED_LIMIT)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s makes a tensor of %s, too large",
                          call->op->name, stoic_shape_text(&shape, text));
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

static stoic_status expand_reference(const stoic_op_call *call, const double *const *in,
                                     double *const *out, stoic_error *err) {
    (void)err;
    int64_t stride[STOIC_MAX_RANK];
    stoic_broadcast_strides(&call->in[0].shape, &call->out[0].shape, stride);
    return gather_strided(call, in[0], out[0], stride);
}

static const stoic_attr_spec no_attrs[] = {{NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec axis_attrs[] = {{"axis", STOIC_ATTR_INT, 1, 0},
                                             {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec transpose_attrs[] = {{"perm", STOIC_ATTR_INTS, 1, 0},
                                                  {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec slice_attrs[] = {{"axes", STOIC_ATTR_INTS, 1, 9},
                                              {"ends", STOIC_ATTR_INTS, 1, 9},
                                              {"starts", STOIC_ATTR_INTS, 1, 9},
                                              {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec pad_attrs[] = {{"mode", STOIC_ATTR_STRING, 1, 0},
                                            {"pads", STOIC_ATTR_INTS, 1, 10},
                                            {"value", STOIC_ATTR_FLOAT, 1, 10},
                                            {NULL, STOIC_ATTR_INT, 0, 0}};

#define MOVES (STOIC_OP_MOVES | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_NONEXPANSIVE)

const stoic_op stoic_op_concat = {
    .name = "Concat",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = -1,
    .max_out = 1,
    .attrs = axis_attrs,
    .facts = MOVES | STOIC_OP_HOMOGENEOUS,
    .infer = concat_infer,
    .reference = concat_reference,
};

const stoic_op stoic_op_transpose = {
    .name = "Transpose",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = transpose_attrs,
    .facts = MOVES | STOIC_OP_HOMOGENEOUS,
    .infer = transpose_infer,
    .reference = transpose_reference,
};

const stoic_op stoic_op_slice = {
    .name = "Slice",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 5,
    .max_out = 1,
    .attrs = slice_attrs,
    .facts = MOVES | STOIC_OP_HOMOGENEOUS,
    .infer = slice_infer,
    .reference = slice_reference,
};

/* The value padded in need not be 0, so Pad is not homogeneous. */
const stoic_op stoic_op_pad = {
    .name = "Pad",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 4,
    .max_out = 1,
    .attrs = pad_attrs,
    .facts = MOVES,
    .infer = pad_infer,
    .reference = pad_reference,
};

const stoic_op stoic_op_gather = {
    .name = "Gather",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = axis_attrs,
    .facts = MOVES | STOIC_OP_HOMOGENEOUS | STOIC_OP_FOLD_ONLY,
    .infer = gather_infer,
    .reference = gather_reference,
};

const stoic_op stoic_op_expand = {
    .name = "Expand",
    .domain = "",
    .since = 8,
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = MOVES | STOIC_OP_HOMOGENEOUS | STOIC_OP_FOLD_ONLY,
    .infer = expand_infer,
    .reference = expand_reference,
};
