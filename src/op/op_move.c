/* Operators that copy elements to other places: Concat, Transpose, Slice, Pad, Gather, Expand. */
#include "op/op_kit.h"
#include "tensor/shape_span.h"

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

/* The elements in front of an axis, along it and behind it. */
typedef struct extent {
    int axis;
    int64_t outer, dim, inner;
} extent;

static stoic_status extent_resolve(const stoic_op_call *call, const stoic_shape *shape, extent *e,
                                   stoic_error *err) {
    stoic_status status = stoic_axis_resolve(call, 0, shape->rank, &e->axis, err);
    if (status != STOIC_OK)
        return status;
    e->dim = shape->dim[e->axis];
    e->outer = stoic_shape_span(shape, 0, e->axis);
    e->inner = stoic_shape_span(shape, e->axis + 1, shape->rank);
    return STOIC_OK;
}

static stoic_status concat_reference(const stoic_op_call *call, const double *const *in,
                                     double *const *out, stoic_error *err) {
    extent y;
    stoic_status status = extent_resolve(call, &call->out[0].shape, &y, err);
    if (status != STOIC_OK)
        return status;
    double *to = out[0];
    for (int64_t n = 0; n < y.outer; n++)
        for (size_t i = 0; i < call->n_in; i++) {
            int64_t run = call->in[i].shape.dim[y.axis] * y.inner;
            for (int64_t k = 0; k < run; k++)
                *to++ = in[i][n * run + k];
        }
    return STOIC_OK;
}

static stoic_status concat_backward(const stoic_op_call *call, const double *const *in,
                                    const double *const *out, const double *const *grad_out,
                                    double *const *grad_in, stoic_error *err) {
    (void)in;
    (void)out;
    extent y;
    stoic_status status = extent_resolve(call, &call->out[0].shape, &y, err);
    if (status != STOIC_OK)
        return status;
    const double *from = grad_out[0];
    for (int64_t n = 0; n < y.outer; n++)
        for (size_t i = 0; i < call->n_in; i++) {
            int64_t run = call->in[i].shape.dim[y.axis] * y.inner;
            for (int64_t k = 0; grad_in[i] && k < run; k++)
                grad_in[i][n * run + k] = from[k];
            from += run;
        }
    return STOIC_OK;
}

/* Where the elements of the output lie in the input: out[i] = in[offset + strided(i)]. */
typedef struct places {
    int64_t offset, stride[STOIC_MAX_RANK];
} places;

static stoic_status gather_strided(const stoic_op_call *call, const double *from, double *to,
                                   const places *p) {
    const stoic_shape *y = &call->out[0].shape;
    int64_t count = stoic_shape_count(y);
    for (int64_t i = 0; i < count; i++)
        to[i] = from[p->offset + stoic_strided_offset(y, p->stride, i)];
    return STOIC_OK;
}

/* An element that was copied several times gets the sum; one that was not, 0. */
static stoic_status scatter_strided(const stoic_op_call *call, const double *grad_out,
                                    double *const *grad_in, const places *p) {
    const stoic_shape *y = &call->out[0].shape;
    int64_t count = stoic_shape_count(y);
    stoic_gradients_clear(call, 0, grad_in);
    for (int64_t i = 0; grad_in[0] && i < count; i++)
        grad_in[0][p->offset + stoic_strided_offset(y, p->stride, i)] += grad_out[i];
    return STOIC_OK;
}

/* reference() and backward() of the operators that are places and nothing else. */
#define STRIDED(name, resolve)                                                                     \
    static stoic_status name##_reference(const stoic_op_call *call, const double *const *in,       \
                                         double *const *out, stoic_error *err) {                   \
        places p = {0};                                                                            \
        stoic_status status = resolve(call, &p, err);                                              \
        return status == STOIC_OK ? gather_strided(call, in[0], out[0], &p) : status;              \
    }                                                                                              \
    static stoic_status name##_backward(const stoic_op_call *call, const double *const *in,        \
                                        const double *const *out, const double *const *grad_out,   \
                                        double *const *grad_in, stoic_error *err) {                \
        (void)in;                                                                                  \
        (void)out;                                                                                 \
        places p = {0};                                                                            \
        stoic_status status = resolve(call, &p, err);                                              \
        return status == STOIC_OK ? scatter_strided(call, grad_out[0], grad_in, &p) : status;      \
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

static stoic_status transpose_places(const stoic_op_call *call, places *p, stoic_error *err) {
    int perm[STOIC_MAX_RANK];
    int64_t own[STOIC_MAX_RANK];
    stoic_status status = stoic_transpose_resolve(call, perm, err);
    if (status != STOIC_OK)
        return status;
    stoic_shape_strides(&call->in[0].shape, own);
    for (int i = 0; i < call->in[0].shape.rank; i++)
        p->stride[i] = own[perm[i]];
    return STOIC_OK;
}

STRIDED(transpose, transpose_places)

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

static stoic_status slice_places(const stoic_op_call *call, places *p, stoic_error *err) {
    stoic_slice slice;
    stoic_status status = stoic_slice_resolve(call, &slice, err);
    if (status != STOIC_OK || stoic_shape_count(&call->out[0].shape) == 0)
        return status;
    stoic_shape_strides(&call->in[0].shape, p->stride);
    for (int i = 0; i < call->in[0].shape.rank; i++) {
        p->offset += slice.start[i] * p->stride[i];
        /* a step beyond the axis is taken by one element only, never used */
        p->stride[i] = slice.count[i] > 1 ? p->stride[i] * slice.step[i] : 0;
    }
    return STOIC_OK;
}

STRIDED(slice, slice_places)

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

/* The element of the input that element i of the output copies; -1: padding. */
static int64_t pad_source(const stoic_op_call *call, const stoic_pad *pad, int64_t i) {
    const stoic_shape *x = &call->in[0].shape, *y = &call->out[0].shape;
    int64_t offset = 0, stride = 1;
    for (int k = y->rank - 1; k >= 0; k--) {
        int64_t at = i % y->dim[k] - pad->low[k];
        i /= y->dim[k];
        if (at < 0 || at >= x->dim[k])
            return -1;
        offset += at * stride;
        stride *= x->dim[k];
    }
    return offset;
}

static stoic_status pad_reference(const stoic_op_call *call, const double *const *in,
                                  double *const *out, stoic_error *err) {
    stoic_pad pad;
    stoic_status status = stoic_pad_resolve(call, &pad, err);
    if (status != STOIC_OK)
        return status;
    int64_t count = stoic_shape_count(&call->out[0].shape);
    for (int64_t i = 0; i < count; i++) {
        int64_t from = pad_source(call, &pad, i);
        out[0][i] = from >= 0 ? in[0][from] : pad.value;
    }
    return STOIC_OK;
}

static stoic_status pad_backward(const stoic_op_call *call, const double *const *in,
                                 const double *const *out, const double *const *grad_out,
                                 double *const *grad_in, stoic_error *err) {
    (void)in;
    (void)out;
    stoic_pad pad;
    stoic_status status = stoic_pad_resolve(call, &pad, err);
    if (status != STOIC_OK)
        return status;
    int64_t count = stoic_shape_count(&call->out[0].shape);
    stoic_gradients_clear(call, 0, grad_in);
    for (int64_t i = 0; grad_in[0] && i < count; i++) {
        int64_t from = pad_source(call, &pad, i);
        if (from >= 0)
            grad_in[0][from] += grad_out[0][i];
    }
    return STOIC_OK;
}

static stoic_status gather_pick(const stoic_op_call *call, double index, int64_t dim, int64_t *pick,
                                stoic_error *err) {
    if (!(index >= (double)-dim && index < (double)dim))
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                          "%s has index %g, expected one in [%lld, %lld)", call->op->name, index,
                          (long long)-dim, (long long)dim);
    *pick = (int64_t)index;
    *pick += *pick < 0 ? dim : 0;
    return STOIC_OK;
}

/* Indices that are known before the network runs are told from a bad file before it does. */
static stoic_status gather_check(const stoic_op_call *call, int64_t dim, stoic_error *err) {
    const stoic_tensor *indices = call->in[1].constant;
    int64_t pick, count = indices ? stoic_tensor_count(indices) : 0;
    for (int64_t i = 0; i < count; i++) {
        stoic_status status =
            gather_pick(call, (double)stoic_tensor_integer(indices, i), dim, &pick, err);
        if (status != STOIC_OK)
            return status;
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
    TRY(gather_check(call, x->dim[axis], err));
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
    stoic_status status;
    extent x;
    int64_t picks = stoic_shape_count(&call->in[1].shape), pick = 0;
    TRY(extent_resolve(call, &call->in[0].shape, &x, err));
    for (int64_t i = 0; i < picks; i++) {
        TRY(gather_pick(call, in[1][i], x.dim, &pick, err));
        for (int64_t n = 0; n < x.outer; n++)
            for (int64_t k = 0; k < x.inner; k++)
                out[0][(n * picks + i) * x.inner + k] = in[0][(n * x.dim + pick) * x.inner + k];
    }
done:
    return status;
}

/* An element picked several times gets the sum. */
static stoic_status gather_backward(const stoic_op_call *call, const double *const *in,
                                    const double *const *out, const double *const *grad_out,
                                    double *const *grad_in, stoic_error *err) {
    (void)out;
    stoic_status status;
    extent x;
    int64_t picks = stoic_shape_count(&call->in[1].shape), pick = 0;
    TRY(extent_resolve(call, &call->in[0].shape, &x, err));
    stoic_gradients_clear(call, 0, grad_in);
    for (int64_t i = 0; grad_in[0] && i < picks; i++) {
        TRY(gather_pick(call, in[1][i], x.dim, &pick, err));
        for (int64_t n = 0; n < x.outer; n++)
            for (int64_t k = 0; k < x.inner; k++)
                grad_in[0][(n * x.dim + pick) * x.inner + k] +=
                    grad_out[0][(n * picks + i) * x.inner + k];
    }
done:
    return status;
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

static stoic_status expand_places(const stoic_op_call *call, places *p, stoic_error *err) {
    (void)err;
    stoic_broadcast_strides(&call->in[0].shape, &call->out[0].shape, p->stride);
    return STOIC_OK;
}

STRIDED(expand, expand_places)

static uint64_t concat_homogeneous(const stoic_op_call *call) {
    (void)call;
    return UINT64_MAX;
}

/* Where nothing but zeros is padded in. */
static uint64_t pad_homogeneous(const stoic_op_call *call) {
    stoic_pad pad;
    return stoic_pad_resolve(call, &pad, NULL) == STOIC_OK && pad.value == 0 ? 1 : 0;
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
    .homogeneous = concat_homogeneous,
    .reference = concat_reference,
    .backward = concat_backward,
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
    .backward = transpose_backward,
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
    .backward = slice_backward,
};

/* The value padded in need not be 0: homogeneous() knows. */
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
    .homogeneous = pad_homogeneous,
    .reference = pad_reference,
    .backward = pad_backward,
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
    .facts = MOVES | STOIC_OP_HOMOGENEOUS,
    .infer = gather_infer,
    .reference = gather_reference,
    .backward = gather_backward,
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
    .backward = expand_backward,
};
