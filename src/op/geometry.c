#include "op/geometry.h"

#include <math.h>
#include <string.h>

#include "op/op_kit.h"

stoic_status stoic_axis_resolve(const stoic_op_call *call, int64_t fallback, int rank, int *out,
                                stoic_error *err) {
    return stoic_axis_normalise(call, stoic_attr_int(call, "axis", fallback), rank, out, err);
}

stoic_status stoic_shape_broadcast(const stoic_op_call *call, const stoic_shape *a,
                                   const stoic_shape *b, stoic_shape *out, stoic_error *err) {
    char left[128], right[128];
    stoic_shape shape = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 0; i < shape.rank; i++) {
        int ia = i - (shape.rank - a->rank), ib = i - (shape.rank - b->rank);
        int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1)
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s: shapes %s and %s do not fit",
                              call->op->name, stoic_shape_text(a, left),
                              stoic_shape_text(b, right));
        shape.dim[i] = da == 1 ? db : da;
    }
    *out = shape;
    return STOIC_OK;
}

static stoic_status matmul_product(const stoic_op_call *call, stoic_matrix_product *out,
                                   stoic_error *err) {
    const stoic_shape *a = &call->in[0].shape, *b = &call->in[1].shape;
    char left[128], right[128];
    if (b->rank > 2)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s: only a matrix is supported as second input, found %s",
                          call->op->name, stoic_shape_text(b, right));
    *out = (stoic_matrix_product){.batch = 1, .alpha = 1, .beta = 1};
    for (int i = 0; i < a->rank - 2; i++)
        out->batch *= a->dim[i];
    out->rows = a->rank > 1 ? a->dim[a->rank - 2] : 1;
    out->inner = a->dim[a->rank - 1];
    out->columns = b->rank > 1 ? b->dim[1] : 1;
    if (b->dim[0] != out->inner)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s: shapes %s and %s do not fit",
                          call->op->name, stoic_shape_text(a, left), stoic_shape_text(b, right));
    return STOIC_OK;
}

stoic_status stoic_gemm_product(const stoic_op_call *call, stoic_matrix_product *out,
                                stoic_error *err) {
    stoic_status status;
    bool gemm = strcmp(call->op->name, "Gemm") == 0;
    char left[128], right[128];
    TRY(stoic_input_check(call, 0, DTYPES_FLOAT, gemm ? 2 : 1, gemm ? 2 : STOIC_MAX_RANK, err));
    TRY(stoic_input_check(call, 1, DTYPES_FLOAT, gemm ? 2 : 1, gemm ? 2 : STOIC_MAX_RANK, err));
    if (!gemm)
        return matmul_product(call, out, err);
    const stoic_shape *a = &call->in[0].shape, *b = &call->in[1].shape;
    bool ta = stoic_attr_int(call, "transA", 0) != 0, tb = stoic_attr_int(call, "transB", 0) != 0;
    *out = (stoic_matrix_product){.batch = 1,
                                  .rows = a->dim[ta],
                                  .inner = a->dim[!ta],
                                  .columns = b->dim[!tb],
                                  .transpose_a = ta,
                                  .transpose_b = tb,
                                  .alpha = stoic_attr_float(call, "alpha", 1),
                                  .beta = stoic_attr_float(call, "beta", 1)};
    if (b->dim[tb] != out->inner)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s: shapes %s%s and %s%s do not fit",
                          call->op->name, stoic_shape_text(a, left), ta ? " (transposed)" : "",
                          stoic_shape_text(b, right), tb ? " (transposed)" : "");
    if (stoic_input_present(call, 2)) {
        stoic_shape y = {.rank = 2, .dim = {out->rows, out->columns}}, both;
        TRY(stoic_input_check(call, 2, DTYPES_FLOAT, 0, 2, err));
        TRY(stoic_shape_broadcast(call, &call->in[2].shape, &y, &both, err));
        if (both.dim[0] != y.dim[0] || both.dim[1] != y.dim[1])
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                              "%s: its third input %s is larger than the result %s", call->op->name,
                              stoic_shape_text(&call->in[2].shape, left),
                              stoic_shape_text(&y, right));
    }
done:
    return status;
}

stoic_status stoic_clip_bounds(const stoic_op_call *call, double *low, double *high,
                               stoic_error *err) {
    stoic_status status;
    *low = -INFINITY;
    *high = INFINITY;
    if (call->opset < 11) {
        *low = stoic_attr_float(call, "min", *low);
        *high = stoic_attr_float(call, "max", *high);
        return stoic_input_limit(call, 1, err);
    }
    if (stoic_input_present(call, 1))
        TRY(stoic_input_scalar(call, 1, "min", low, err));
    if (stoic_input_present(call, 2))
        TRY(stoic_input_scalar(call, 2, "max", high, err));
    status = STOIC_OK;
done:
    return status;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) {
    return x < low ? low : x > high ? high : x;
}

static stoic_status slice_axis(const stoic_op_call *call, int axis, int64_t start, int64_t end,
                               int64_t step, stoic_slice *out, stoic_error *err) {
    int64_t dim = call->in[0].shape.dim[axis];
    if (step == 0)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s: the step along axis %d is 0",
                          call->op->name, axis);
    /* INT64_MIN and INT64_MAX stand for "as far as it goes": clamp before any arithmetic */
    step = clamp(step, -STOIC_SIZE_LIMIT - 1, STOIC_SIZE_LIMIT + 1);
    if (start < 0)
        start = start < -dim ? -1 : start + dim;
    if (end < 0)
        end = end < -dim ? -1 : end + dim;
    if (step > 0) {
        start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
        out->count[axis] = end > start ? (end - start - 1) / step + 1 : 0;
    } else {
        start = clamp(start, 0, dim ? dim - 1 : 0);
        end = clamp(end, -1, dim - 1);
        out->count[axis] = start > end ? (start - end - 1) / -step + 1 : 0;
    }
    if (dim == 0)
        out->count[axis] = 0;
    out->start[axis] = start;
    out->step[axis] = step;
    return STOIC_OK;
}

stoic_status stoic_slice_resolve(const stoic_op_call *call, stoic_slice *out, stoic_error *err) {
    stoic_status status;
    int64_t starts[STOIC_MAX_RANK], ends[STOIC_MAX_RANK], axes[STOIC_MAX_RANK];
    int64_t steps[STOIC_MAX_RANK];
    size_t n_starts, n_ends, n_axes, n_steps = 0;
    bool has_starts, has_ends, has_axes, has_steps = false;
    int rank = call->in[0].shape.rank;
    unsigned set;
    const size_t capacity = STOIC_MAX_RANK;
    TRY(stoic_input_check(call, 0, DTYPES_ANY, 1, STOIC_MAX_RANK, err));
    if (call->opset < 10)
        TRY(stoic_input_limit(call, 1, err));
    TRY(stoic_list_resolve(call, "starts", 1, 10, starts, capacity, &n_starts, &has_starts, err));
    TRY(stoic_list_resolve(call, "ends", 2, 10, ends, capacity, &n_ends, &has_ends, err));
    TRY(stoic_list_resolve(call, "axes", 3, 10, axes, capacity, &n_axes, &has_axes, err));
    if (call->opset >= 10)
        TRY(stoic_list_resolve(call, "steps", 4, 10, steps, capacity, &n_steps, &has_steps, err));
    if (!has_starts || !has_ends || n_starts != n_ends || (has_axes && n_axes != n_starts) ||
        (has_steps && n_steps != n_starts) || n_starts > (size_t)rank)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                          "%s: starts, ends, axes and steps have %zu, %zu, %zu and %zu values",
                          call->op->name, n_starts, n_ends, n_axes, n_steps);
    for (int i = 0; i < rank; i++) {
        out->start[i] = 0;
        out->step[i] = 1;
        out->count[i] = call->in[0].shape.dim[i];
    }
    for (size_t i = 0; !has_axes && i < n_starts; i++)
        axes[i] = (int64_t)i;
    TRY(stoic_axes_set(call, axes, n_starts, rank, &set, err));
    for (size_t i = 0; i < n_starts; i++) {
        int axis = (int)(axes[i] < 0 ? axes[i] + rank : axes[i]);
        TRY(slice_axis(call, axis, starts[i], ends[i], has_steps ? steps[i] : 1, out, err));
    }
done:
    return status;
}

stoic_status stoic_pad_resolve(const stoic_op_call *call, stoic_pad *out, stoic_error *err) {
    stoic_status status;
    int64_t pads[2 * STOIC_MAX_RANK], axes[STOIC_MAX_RANK];
    size_t n_pads, n_axes = 0;
    bool has_pads, has_axes = false;
    unsigned set;
    int rank = call->in[0].shape.rank;
    const char *mode = stoic_attr_string(call, "mode", "constant");
    TRY(stoic_input_check(call, 0, DTYPES_ANY, 0, STOIC_MAX_RANK, err));
    if (strcmp(mode, "constant") != 0)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s: mode '%s' is not supported, only 'constant'", call->op->name, mode);
    TRY(stoic_input_limit(call, call->opset < 11 ? 1 : call->opset < 18 ? 3 : 4, err));
    TRY(stoic_list_resolve(call, "pads", 1, 11, pads, 2 * STOIC_MAX_RANK, &n_pads, &has_pads, err));
    if (call->opset >= 18)
        TRY(stoic_list_resolve(call, "axes", 3, 18, axes, STOIC_MAX_RANK, &n_axes, &has_axes, err));
    if (!has_axes) {
        n_axes = (size_t)rank;
        for (int i = 0; i < rank; i++)
            axes[i] = i;
    }
    if (!has_pads || n_pads != 2 * n_axes)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s needs %zu pads, found %zu",
                          call->op->name, 2 * n_axes, n_pads);
    TRY(stoic_axes_set(call, axes, n_axes, rank, &set, err));
    *out = (stoic_pad){.value = stoic_attr_float(call, "value", 0)};
    for (size_t i = 0; i < n_pads; i++) {
        int axis = (int)(axes[i % n_axes] < 0 ? axes[i % n_axes] + rank : axes[i % n_axes]);
        if (pads[i] < -STOIC_SIZE_LIMIT || pads[i] > STOIC_SIZE_LIMIT)
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s: a pad of %lld is too large",
                              call->op->name, (long long)pads[i]);
        (i < n_axes ? out->low : out->high)[axis] = pads[i];
    }
    if (stoic_input_present(call, 2))
        TRY(stoic_input_scalar(call, 2, "constant_value", &out->value, err));
done:
    return status;
}

stoic_status stoic_transpose_resolve(const stoic_op_call *call, int perm[STOIC_MAX_RANK],
                                     stoic_error *err) {
    const stoic_attr *attr = stoic_attr_find(call, "perm");
    int rank = call->in[0].shape.rank;
    unsigned seen = 0;
    for (int i = 0; i < rank; i++)
        perm[i] = rank - 1 - i;
    if (!attr || attr->kind != STOIC_ATTR_INTS)
        return STOIC_OK;
    if (attr->count != (size_t)rank)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s needs %d axes in 'perm', found %zu",
                          call->op->name, rank, attr->count);
    stoic_status status = stoic_axes_set(call, attr->ints, attr->count, rank, &seen, err);
    for (int i = 0; status == STOIC_OK && i < rank; i++)
        perm[i] = (int)(attr->ints[i] < 0 ? attr->ints[i] + rank : attr->ints[i]);
    return status;
}

stoic_status stoic_reduce_resolve(const stoic_op_call *call, unsigned *axes, bool *keep,
                                  stoic_error *err) {
    stoic_status status;
    int64_t list[STOIC_MAX_RANK];
    size_t count;
    bool given;
    int rank = call->in[0].shape.rank;
    *keep = stoic_attr_int(call, "keepdims", 1) != 0;
    if (call->opset < 18)
        TRY(stoic_input_limit(call, 1, err));
    TRY(stoic_list_resolve(call, "axes", 1, 18, list, STOIC_MAX_RANK, &count, &given, err));
    if (count == 0)
        *axes = stoic_attr_int(call, "noop_with_empty_axes", 0) ? 0 : (1u << rank) - 1;
    else
        TRY(stoic_axes_set(call, list, count, rank, axes, err));
done:
    return status;
}
