/*
 * Operators that change the shape or nothing at all: Flatten, Reshape, Squeeze, Unsqueeze,
 * Identity, Dropout (which at inference is the identity).
 */
#include <math.h>

#include "op/op_kit.h"

static stoic_status flatten_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    int axis;
    const stoic_shape *x = &call->in[0].shape;
    TRY(stoic_input_check(call, 0, DTYPES_ANY, 0, STOIC_MAX_RANK, err));
    /* axis = rank is allowed: everything in front */
    if (stoic_attr_int(call, "axis", 1) == x->rank)
        axis = x->rank;
    else
        TRY(stoic_axis_resolve(call, 1, x->rank, &axis, err));
    stoic_shape shape = {.rank = 2, .dim = {1, 1}};
    for (int i = 0; i < x->rank; i++)
        shape.dim[i >= axis] *= x->dim[i];
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

static stoic_status reshape_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    int64_t wanted[STOIC_MAX_RANK], known = 1;
    size_t rank;
    int open = -1;
    const stoic_shape *x = &call->in[0].shape;
    const bool allow_zero = stoic_attr_int(call, "allowzero", 0) != 0;
    int64_t total = stoic_shape_count(x);
    char text[128];
    TRY(stoic_input_check(call, 0, DTYPES_ANY, 0, STOIC_MAX_RANK, err));
    TRY(stoic_input_integers(call, 1, "shape", wanted, STOIC_MAX_RANK, &rank, err));
    stoic_shape shape = {.rank = (int)rank};
    for (int i = 0; i < shape.rank; i++) {
        if (wanted[i] == 0 && !allow_zero && i < x->rank)
            wanted[i] = x->dim[i];
        if (wanted[i] == -1 && open < 0)
            open = i;
        else if (wanted[i] < 0 || __builtin_mul_overflow(known, wanted[i], &known))
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                              "%s asks for size %lld along axis %d", call->op->name,
                              (long long)wanted[i], i);
        shape.dim[i] = wanted[i];
    }
    if (open >= 0 && known > 0)
        shape.dim[open] = total / known;
    if (open >= 0 ? known == 0 || total % known : known != total)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s cannot give %s the shape asked for: %lld elements against %lld%s",
                          call->op->name, stoic_shape_text(x, text), (long long)total,
                          (long long)known, open >= 0 ? " times the open axis" : "");
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

static stoic_status squeeze_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    int64_t axes[STOIC_MAX_RANK];
    size_t count;
    bool given;
    unsigned set = 0;
    char text[128];
    const stoic_shape *x = &call->in[0].shape;
    TRY(stoic_input_check(call, 0, DTYPES_ANY, 0, STOIC_MAX_RANK, err));
    if (call->opset < 13)
        TRY(stoic_input_limit(call, 1, err));
    TRY(stoic_list_resolve(call, "axes", 1, 13, axes, STOIC_MAX_RANK, &count, &given, err));
    TRY(stoic_axes_set(call, axes, count, x->rank, &set, err));
    stoic_shape shape = {.rank = 0};
    for (int i = 0; i < x->rank; i++) {
        if (given && (set >> i & 1u) && x->dim[i] != 1)
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                              "%s drops axis %d of %s, expected a size of 1", call->op->name, i,
                              stoic_shape_text(x, text));
        bool dropped = given ? set >> i & 1u : x->dim[i] == 1;
        if (!dropped)
            shape.dim[shape.rank++] = x->dim[i];
    }
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

static stoic_status unsqueeze_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    int64_t axes[STOIC_MAX_RANK];
    size_t count;
    bool given;
    unsigned set;
    const stoic_shape *x = &call->in[0].shape;
    TRY(stoic_input_check(call, 0, DTYPES_ANY, 0, STOIC_MAX_RANK, err));
    if (call->opset < 13)
        TRY(stoic_input_limit(call, 1, err));
    TRY(stoic_list_resolve(call, "axes", 1, 13, axes, STOIC_MAX_RANK, &count, &given, err));
    if (!given)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s lacks its axes", call->op->name);
    stoic_shape shape = {.rank = x->rank + (int)count};
    if (shape.rank > STOIC_MAX_RANK)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s makes %d axes, at most %d supported", call->op->name, shape.rank,
                          STOIC_MAX_RANK);
    TRY(stoic_axes_set(call, axes, count, shape.rank, &set, err));
    for (int i = 0, from = 0; i < shape.rank; i++)
        shape.dim[i] = set >> i & 1u ? 1 : x->dim[from++];
    stoic_out_write(call, 0, call->in[0].dtype, &shape);
done:
    return status;
}

static stoic_status identity_infer(const stoic_op_call *call, stoic_error *err) {
    return stoic_infer_same(call, DTYPES_ANY, err);
}

static stoic_status dropout_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    double training = 0;
    TRY(stoic_input_limit(call, call->opset < 12 ? 1 : 3, err));
    if (stoic_input_present(call, 2))
        TRY(stoic_input_scalar(call, 2, "training_mode", &training, err));
    if (training != 0)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s is in training mode, only inference is supported", call->op->name);
    TRY(stoic_infer_same(call, DTYPES_FLOAT, err));
    stoic_out_write(call, 1, call->opset < 10 ? call->in[0].dtype : STOIC_BOOL, &call->in[0].shape);
done:
    return status;
}

static stoic_status dropout_reference(const stoic_op_call *call, const double *const *in,
                                      double *const *out, stoic_error *err) {
    for (int64_t i = 0; call->n_out > 1 && out[1] && i < stoic_shape_count(&call->out[1].shape);
         i++)
        out[1][i] = 1;
    return stoic_reference_copy(call, in, out, err);
}

static double one(const stoic_op_call *call) {
    (void)call;
    return 1;
}

static double exact(const stoic_op_call *call) {
    (void)call;
    return 0;
}

static const stoic_attr_spec no_attrs[] = {{NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec flatten_attrs[] = {{"axis", STOIC_ATTR_INT, 1, 0},
                                                {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec reshape_attrs[] = {{"allowzero", STOIC_ATTR_INT, 14, 0},
                                                {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec axes_attrs[] = {{"axes", STOIC_ATTR_INTS, 1, 12},
                                             {NULL, STOIC_ATTR_INT, 0, 0}};
static const stoic_attr_spec dropout_attrs[] = {{"ratio", STOIC_ATTR_FLOAT, 1, 11},
                                                {"seed", STOIC_ATTR_INT, 12, 0},
                                                {NULL, STOIC_ATTR_INT, 0, 0}};

#define MOVES                                                                                      \
    (STOIC_OP_MOVES | STOIC_OP_PIECEWISE_LINEAR | STOIC_OP_HOMOGENEOUS | STOIC_OP_NONEXPANSIVE)
#define IS_IDENTITY (MOVES | STOIC_OP_ELEMENTWISE | STOIC_OP_PER_CHANNEL | STOIC_OP_MONOTONE)

const stoic_op stoic_op_flatten = {
    .name = "Flatten",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = flatten_attrs,
    .facts = MOVES,
    .infer = flatten_infer,
    .reference = stoic_reference_copy,
    .backward = stoic_backward_copy,
};

const stoic_op stoic_op_reshape = {
    .name = "Reshape",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 2,
    .max_in = 2,
    .max_out = 1,
    .attrs = reshape_attrs,
    .facts = MOVES,
    .infer = reshape_infer,
    .reference = stoic_reference_copy,
    .backward = stoic_backward_copy,
};

const stoic_op stoic_op_squeeze = {
    .name = "Squeeze",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 2,
    .max_out = 1,
    .attrs = axes_attrs,
    .facts = MOVES,
    .infer = squeeze_infer,
    .reference = stoic_reference_copy,
    .backward = stoic_backward_copy,
};

const stoic_op stoic_op_unsqueeze = {
    .name = "Unsqueeze",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 2,
    .max_out = 1,
    .attrs = axes_attrs,
    .facts = MOVES,
    .infer = unsqueeze_infer,
    .reference = stoic_reference_copy,
    .backward = stoic_backward_copy,
};

const stoic_op stoic_op_identity = {
    .name = "Identity",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 1,
    .max_out = 1,
    .attrs = no_attrs,
    .facts = IS_IDENTITY,
    .infer = identity_infer,
    .reference = stoic_reference_copy,
    .backward = stoic_backward_copy,
    .lipschitz = one,
    .rounding = exact,
};

const stoic_op stoic_op_dropout = {
    .name = "Dropout",
    .domain = "",
    .since = 7,
    .until = 23,
    .min_in = 1,
    .max_in = 3,
    .max_out = 2, /* the mask, all ones */
    .attrs = dropout_attrs,
    .facts = IS_IDENTITY,
    .infer = dropout_infer,
    .reference = dropout_reference,
    .backward = stoic_backward_copy,
    .lipschitz = one,
    .rounding = exact,
};
