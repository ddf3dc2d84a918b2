#include <string.h>

#include "op/op_kit.h"

/* A list attribute with one value per spatial axis (or two, for pads), each in [low, limit]. */
static stoic_status read_list(const stoic_op_call *call, const char *name, size_t expected,
                              int64_t low, int64_t *values, bool *given, stoic_error *err) {
    const stoic_attr *attr = stoic_attr_find(call, name);
    *given = attr && attr->kind == STOIC_ATTR_INTS && attr->count > 0;
    if (!*given)
        return STOIC_OK;
    if (attr->count != expected)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s needs %zu values in '%s', found %zu", call->op->name, expected, name,
                          attr->count);
    for (size_t i = 0; i < expected; i++) {
        if (attr->ints[i] < low || attr->ints[i] > STOIC_SIZE_LIMIT)
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                              "%s has %lld in '%s', expected %lld to %lld", call->op->name,
                              (long long)attr->ints[i], name, (long long)low,
                              (long long)STOIC_SIZE_LIMIT);
        values[i] = attr->ints[i];
    }
    return STOIC_OK;
}

/* Extent of the kernel with its holes. */
static int64_t reach(const stoic_window *w, int axis) {
    return (w->kernel[axis] - 1) * w->dilation[axis] + 1;
}

/* ONNX: out = ceil(in / stride); the padding that this takes goes half to each side, the odd
 * element to the end (SAME_UPPER) or to the beginning (SAME_LOWER). */
static void pad_same(stoic_window *w, int axis, bool upper) {
    int64_t out = (w->in[axis] + w->stride[axis] - 1) / w->stride[axis];
    int64_t total = (out - 1) * w->stride[axis] + reach(w, axis) - w->in[axis];
    if (total < 0)
        total = 0;
    w->pad_low[axis] = upper ? total / 2 : total - total / 2;
    w->pad_high[axis] = total - w->pad_low[axis];
    w->out[axis] = out;
}

static stoic_status size_axis(const stoic_op_call *call, stoic_window *w, int axis, bool ceil_mode,
                              stoic_error *err) {
    int64_t padded = w->in[axis] + w->pad_low[axis] + w->pad_high[axis];
    int64_t slack = padded - reach(w, axis), stride = w->stride[axis];
    bool partial = ceil_mode && slack > -stride && slack % stride;
    if (slack < 0 && !partial)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s: a kernel of extent %lld does not fit spatial axis %d of padded size "
                          "%lld",
                          call->op->name, (long long)reach(w, axis), axis, (long long)padded);
    w->out[axis] = slack < 0 ? 0 : slack / stride + 1;
    /* A last, partial window counts only if it starts before the padding at the end (PyTorch, and
     * ONNX since its clarification). */
    if (partial && w->out[axis] * stride < w->in[axis] + w->pad_low[axis])
        w->out[axis]++;
    return STOIC_OK;
}

/* Fills everything but channels and groups; w->rank, in and kernel are set. */
static stoic_status place_window(const stoic_op_call *call, stoic_window *w, stoic_error *err) {
    stoic_status status;
    size_t rank = (size_t)w->rank;
    int64_t pads[2 * STOIC_MAX_SPATIAL] = {0};
    bool given;
    for (int i = 0; i < w->rank; i++)
        w->stride[i] = w->dilation[i] = 1;
    TRY(read_list(call, "strides", rank, 1, w->stride, &given, err));
    TRY(read_list(call, "dilations", rank, 1, w->dilation, &given, err));
    TRY(read_list(call, "pads", 2 * rank, 0, pads, &given, err));
    const char *auto_pad = stoic_attr_string(call, "auto_pad", "NOTSET");
    bool same_upper = strcmp(auto_pad, "SAME_UPPER") == 0;
    bool same_lower = strcmp(auto_pad, "SAME_LOWER") == 0;
    bool valid = strcmp(auto_pad, "VALID") == 0;
    if (!same_upper && !same_lower && !valid && strcmp(auto_pad, "NOTSET") != 0)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                          "%s: auto_pad is '%s', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID",
                          call->op->name, auto_pad);
    bool ceil_mode = !valid && stoic_attr_int(call, "ceil_mode", 0) != 0;
    for (int i = 0; i < w->rank; i++) {
        if (reach(w, i) > STOIC_SIZE_LIMIT)
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                              "%s: a kernel of %lld with dilation %lld is too large",
                              call->op->name, (long long)w->kernel[i], (long long)w->dilation[i]);
        if (same_upper || same_lower) {
            pad_same(w, i, same_upper);
            continue;
        }
        w->pad_low[i] = valid ? 0 : pads[i];
        w->pad_high[i] = valid ? 0 : pads[i + w->rank];
        TRY(size_axis(call, w, i, ceil_mode, err));
    }
done:
    return status;
}

static void take_input(const stoic_op_call *call, stoic_window *w) {
    const stoic_shape *x = &call->in[0].shape;
    *w = (stoic_window){.rank = x->rank - 2, .groups = 1, .in_channels = x->dim[1]};
    for (int i = 0; i < w->rank; i++)
        w->in[i] = x->dim[i + 2];
}

static stoic_status check_weights(const stoic_op_call *call, const stoic_window *w,
                                  stoic_error *err) {
    char x[128], weights[128];
    const stoic_shape *shape = &call->in[1].shape;
    if (shape->rank != w->rank + 2)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s needs weights with %d axes, found %s", call->op->name, w->rank + 2,
                          stoic_shape_text(shape, weights));
    if (w->groups < 1 || w->groups > STOIC_SIZE_LIMIT || w->in_channels % w->groups ||
        w->out_channels % w->groups || shape->dim[1] != w->in_channels / w->groups)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s: input %s, weights %s and %lld groups do not fit", call->op->name,
                          stoic_shape_text(&call->in[0].shape, x), stoic_shape_text(shape, weights),
                          (long long)w->groups);
    if (stoic_input_present(call, 2) &&
        (call->in[2].shape.rank != 1 || call->in[2].shape.dim[0] != w->out_channels))
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s needs a bias of %lld, found %s",
                          call->op->name, (long long)w->out_channels,
                          stoic_shape_text(&call->in[2].shape, x));
    return STOIC_OK;
}

stoic_status stoic_conv_window(const stoic_op_call *call, stoic_window *out, stoic_error *err) {
    stoic_status status;
    bool given;
    int64_t kernel[STOIC_MAX_SPATIAL];
    for (size_t i = 0; i < 3; i++)
        if (stoic_input_present(call, i))
            TRY(stoic_input_check(call, i, DTYPES_FLOAT, i == 2 ? 1 : 3, 2 + STOIC_MAX_SPATIAL,
                                  err));
    take_input(call, out);
    out->out_channels = call->in[1].shape.dim[0];
    out->groups = stoic_attr_int(call, "group", 1);
    TRY(check_weights(call, out, err));
    for (int i = 0; i < out->rank; i++)
        out->kernel[i] = call->in[1].shape.dim[i + 2];
    TRY(read_list(call, "kernel_shape", (size_t)out->rank, 1, kernel, &given, err));
    for (int i = 0; given && i < out->rank; i++)
        if (kernel[i] != out->kernel[i])
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                              "%s: kernel_shape says %lld along spatial axis %d, the weights %lld",
                              call->op->name, (long long)kernel[i], i, (long long)out->kernel[i]);
    TRY(place_window(call, out, err));
done:
    return status;
}

stoic_status stoic_pool_window(const stoic_op_call *call, stoic_window *out, stoic_error *err) {
    stoic_status status;
    bool given;
    TRY(stoic_input_check(call, 0, DTYPES_FLOAT, 3, 2 + STOIC_MAX_SPATIAL, err));
    take_input(call, out);
    out->out_channels = out->in_channels;
    out->count_include_pad = stoic_attr_int(call, "count_include_pad", 0) != 0;
    TRY(read_list(call, "kernel_shape", (size_t)out->rank, 1, out->kernel, &given, err));
    if (!given)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                          "%s lacks the attribute 'kernel_shape'", call->op->name);
    TRY(place_window(call, out, err));
done:
    return status;
}

stoic_window stoic_window_widen(const stoic_window *window) {
    stoic_window wide = *window;
    int added = STOIC_MAX_SPATIAL - window->rank;
    wide.rank = STOIC_MAX_SPATIAL;
    for (int i = STOIC_MAX_SPATIAL - 1; i >= 0; i--) {
        int from = i - added;
        wide.in[i] = from < 0 ? 1 : window->in[from];
        wide.out[i] = from < 0 ? 1 : window->out[from];
        wide.kernel[i] = from < 0 ? 1 : window->kernel[from];
        wide.stride[i] = from < 0 ? 1 : window->stride[from];
        wide.dilation[i] = from < 0 ? 1 : window->dilation[from];
        wide.pad_low[i] = from < 0 ? 0 : window->pad_low[from];
        wide.pad_high[i] = from < 0 ? 0 : window->pad_high[from];
    }
    return wide;
}

void stoic_window_taps(const stoic_window *window, int axis, int64_t at, int64_t *first,
                       int64_t *last) {
    int64_t step = window->dilation[axis];
    int64_t start = stoic_window_index(window, axis, at, 0);
    int64_t left = window->in[axis] - start;
    *first = start < 0 ? (step - 1 - start) / step : 0;
    *last = left <= 0 ? 0 : (left + step - 1) / step;
    if (*last > window->kernel[axis])
        *last = window->kernel[axis];
    if (*first > *last)
        *first = *last;
}
