/*
 * The batch rule: an operator must treat each image alone, and leave the batch axis where it is.
 *
 * A model is inferred for one image, so "axis 0 has size 1" is not proof enough: a Transpose of
 * [1, 1, 28, 28] may swap the two ones. The question is put to the operator itself: would three
 * images give the same shape with a 3 in front? Operators for which shapes cannot tell stand in
 * the table below.
 */
#include <limits.h>
#include <stdio.h>

#include "base/fail.h"
#include "op/geometry.h"

#include "model/draft.h"

enum { PROBE = 3, MAX_OUTPUTS = 8 };

static stoic_status refuse(const stoic_op_call *call, const char *why, stoic_error *err) {
    return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node, "%s %s", call->op->name, why);
}

/* The same elements in the same order: whatever the shapes, each image keeps its own. */
static stoic_status reinterprets(const stoic_op_call *call, stoic_error *err) {
    (void)call;
    (void)err;
    return STOIC_OK;
}

static stoic_status along_axis(const stoic_op_call *call, int64_t fallback, stoic_error *err) {
    int axis;
    stoic_status status = stoic_axis_resolve(call, fallback, call->out[0].shape.rank, &axis, err);
    if (status == STOIC_OK && axis == 0)
        return refuse(call, "works along the batch axis", err);
    return status;
}

static stoic_status concat_rule(const stoic_op_call *call, stoic_error *err) {
    return along_axis(call, 1, err);
}

static stoic_status softmax_rule(const stoic_op_call *call, stoic_error *err) {
    return along_axis(call, call->opset < 13 ? 1 : -1, err);
}

static void scale_batch(const stoic_op_call *call, int64_t batch) {
    stoic_operand *in = (stoic_operand *)call->in;
    for (size_t i = 0; i < call->n_in; i++) {
        if (in[i].present && !in[i].constant)
            in[i].shape.dim[0] = batch;
    }
}

static stoic_status slice_rule(const stoic_op_call *call, stoic_error *err) {
    stoic_slice slice;
    scale_batch(call, PROBE);
    stoic_status status = stoic_slice_resolve(call, &slice, err);
    scale_batch(call, 1);
    if (status == STOIC_OK &&
        (slice.start[0] != 0 || slice.step[0] != 1 || slice.count[0] != PROBE))
        return refuse(call, "slices the batch axis", err);
    return status;
}

static stoic_status pad_rule(const stoic_op_call *call, stoic_error *err) {
    stoic_pad pad;
    stoic_status status = stoic_pad_resolve(call, &pad, err);
    if (status == STOIC_OK && (pad.low[0] != 0 || pad.high[0] != 0))
        return refuse(call, "pads the batch axis", err);
    return status;
}

static bool keeps_shape(const stoic_shape *one, const stoic_shape *many) {
    if (one->rank != many->rank || many->dim[0] != PROBE)
        return false;
    for (int i = 1; i < one->rank; i++) {
        if (one->dim[i] != many->dim[i])
            return false;
    }
    return true;
}

static stoic_status probe_rule(const stoic_op_call *call, stoic_error *err) {
    stoic_operand out[MAX_OUTPUTS] = {0};
    stoic_op_call many = *call;
    if (call->n_out > MAX_OUTPUTS)
        return refuse(call, "has too many outputs", err);
    many.out = out;
    for (size_t i = 0; i < call->n_out; i++)
        out[i].present = call->out[i].present;
    scale_batch(call, PROBE);
    stoic_status status = stoic_op_infer(&many, NULL);
    scale_batch(call, 1);
    if (status == STOIC_ERR_MEMORY)
        return stoic_fail(err, status, call->node, "out of memory while checking shapes");
    for (size_t i = 0; i < call->n_out && status == STOIC_OK; i++) {
        if (call->out[i].present && !keeps_shape(&call->out[i].shape, &out[i].shape))
            status = STOIC_ERR_UNSUPPORTED;
    }
    return status == STOIC_OK ? status : refuse(call, "mixes or moves the batch axis", err);
}

bool stoic_batch_is_free(const stoic_op_call *call) {
    return probe_rule(call, NULL) == STOIC_OK;
}

/* The operators that may take several computed inputs, and those that shapes say too little of. */
typedef struct batch_rule {
    const stoic_op *op;
    bool joins;
    stoic_status (*check)(const stoic_op_call *call, stoic_error *err);
} batch_rule;

static const batch_rule rules[] = {
    {&stoic_op_add, true, probe_rule},
    {&stoic_op_sub, true, probe_rule},
    {&stoic_op_mul, true, probe_rule},
    {&stoic_op_div, true, probe_rule},
    {&stoic_op_equal, true, probe_rule},
    {&stoic_op_greater, true, probe_rule},
    {&stoic_op_less, true, probe_rule},
    {&stoic_op_where, true, probe_rule},
    {&stoic_op_checksum, true, probe_rule},
    {&stoic_op_alarm, true, probe_rule},
    {&stoic_op_concat, true, concat_rule},
    {&stoic_op_reshape, false, reinterprets},
    {&stoic_op_flatten, false, reinterprets},
    {&stoic_op_squeeze, false, reinterprets},
    {&stoic_op_unsqueeze, false, reinterprets},
    {&stoic_op_softmax, false, softmax_rule},
    {&stoic_op_log_softmax, false, softmax_rule},
    {&stoic_op_slice, false, slice_rule},
    {&stoic_op_pad, false, pad_rule},
};

static const batch_rule *rule_of(const stoic_op *op) {
    static const batch_rule other = {NULL, false, probe_rule};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].op == op)
            return &rules[i];
    }
    return &other;
}

static stoic_status check_inputs(const stoic_op_call *call, bool joins, stoic_error *err) {
    char text[128];
    for (size_t i = 0; i < call->n_in; i++) {
        const stoic_operand *in = &call->in[i];
        if (!in->present)
            continue;
        if (!joins && !in->constant != (i == 0))
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node, "%s needs a %s input %zu",
                              call->op->name, i == 0 ? "computed" : "constant", i + 1);
        if (!in->constant && stoic_shape_count(&in->shape) > INT_MAX / PROBE)
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                              "%s has an input of shape %s that is too large", call->op->name,
                              stoic_shape_text(&in->shape, text));
    }
    return STOIC_OK;
}

static stoic_status check_outputs(const stoic_op_call *call, stoic_error *err) {
    char text[128];
    for (size_t i = 0; i < call->n_out; i++) {
        const stoic_operand *out = &call->out[i];
        if (!out->present)
            continue;
        int64_t count = stoic_shape_count(&out->shape);
        /* a comparison gives bool, for a Where to read */
        if (out->dtype != STOIC_F32 && out->dtype != STOIC_BOOL)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                              "%s computes %s, expected float32", call->op->name,
                              stoic_dtype_name(out->dtype));
        if (out->shape.rank < 1 || out->shape.dim[0] != 1)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                              "%s gives %s for one image and loses the batch axis", call->op->name,
                              stoic_shape_text(&out->shape, text));
        if (count < 1 || count > INT_MAX)
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                              "%s has an output of shape %s that is %s", call->op->name,
                              stoic_shape_text(&out->shape, text),
                              count == 0 ? "empty" : "too large");
    }
    return STOIC_OK;
}

stoic_status stoic_batch_check(const stoic_op_call *call, stoic_error *err) {
    const batch_rule *rule = rule_of(call->op);
    stoic_status status = STOIC_OK;
    TRY(check_inputs(call, rule->joins, err));
    TRY(check_outputs(call, err));
    TRY(rule->check(call, err));
done:
    return status;
}

stoic_status stoic_batch_release(stoic_builder *b, int node, const stoic_op_call *call,
                                 stoic_error *err) {
    char name[64];
    stoic_tensor *free_shape = NULL;
    if (call->op != &stoic_op_reshape || stoic_tensor_get(call->in[1].constant, 0) != 1)
        return STOIC_OK;
    const stoic_tensor *fixed = call->in[1].constant;
    const stoic_shape *out = &call->out[0].shape;
    stoic_status status = STOIC_OK;
    TRY(stoic_tensor_create(STOIC_I64, stoic_tensor_shape(fixed), &free_shape, err));
    for (int i = 0; i < out->rank; i++)
        stoic_tensor_set(free_shape, i, i == 0 ? -1 : (double)out->dim[i]);
    do {
        snprintf(name, sizeof name, "free_batch_shape_%zu", b->n_free_shapes++);
    } while (stoic_names_find(&b->names, name) >= 0);
    TRY(stoic_builder_constant(b, name, free_shape, err));
    b->nodes[node].in[1] = stoic_names_find(&b->names, name);
    b->values[b->nodes[node].in[1]].live = true;
done:
    stoic_tensor_free(free_shape);
    return status;
}
