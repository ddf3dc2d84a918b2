#include <string.h>

#include "op/op_kit.h"

#define OP_ADDRESS(identifier) &stoic_op_##identifier,
static const stoic_op *const ops[] = {STOIC_OP_LIST(OP_ADDRESS)};

const stoic_op *const *stoic_op_all(size_t *count) {
    *count = sizeof ops / sizeof *ops;
    return ops;
}

const stoic_op *stoic_op_find(const char *domain, const char *name) {
    if (!domain || strcmp(domain, "ai.onnx") == 0)
        domain = "";
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i]->name, name) == 0 && strcmp(ops[i]->domain, domain) == 0)
            return ops[i];
    return NULL;
}

const stoic_attr *stoic_attr_find(const stoic_op_call *call, const char *name) {
    for (size_t i = 0; i < call->n_attrs; i++)
        if (strcmp(call->attrs[i].name, name) == 0)
            return &call->attrs[i];
    return NULL;
}

static const stoic_attr *find_kind(const stoic_op_call *call, const char *name,
                                   stoic_attr_kind kind) {
    const stoic_attr *attr = stoic_attr_find(call, name);
    return attr && attr->kind == kind ? attr : NULL;
}

int64_t stoic_attr_int(const stoic_op_call *call, const char *name, int64_t fallback) {
    const stoic_attr *attr = find_kind(call, name, STOIC_ATTR_INT);
    return attr ? attr->i : fallback;
}

double stoic_attr_float(const stoic_op_call *call, const char *name, double fallback) {
    const stoic_attr *attr = find_kind(call, name, STOIC_ATTR_FLOAT);
    return attr ? (double)attr->f : fallback;
}

const char *stoic_attr_string(const stoic_op_call *call, const char *name, const char *fallback) {
    const stoic_attr *attr = find_kind(call, name, STOIC_ATTR_STRING);
    return attr && attr->s ? attr->s : fallback;
}

static stoic_status check_version(const stoic_op_call *call, stoic_error *err) {
    const stoic_op *op = call->op;
    if (call->opset < op->since || call->opset > op->until)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s is understood from opset %d to %d, the model declares %d", op->name,
                          op->since, op->until, call->opset);
    return STOIC_OK;
}

static const char *kind_name(stoic_attr_kind kind) {
    static const char *const names[] = {
        [STOIC_ATTR_INT] = "an integer",          [STOIC_ATTR_FLOAT] = "a float",
        [STOIC_ATTR_STRING] = "a string",         [STOIC_ATTR_INTS] = "a list of integers",
        [STOIC_ATTR_FLOATS] = "a list of floats", [STOIC_ATTR_TENSOR] = "a tensor",
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "something unknown";
}

static stoic_status check_attrs(const stoic_op_call *call, stoic_error *err) {
    const char *op = call->op->name;
    for (size_t i = 0; i < call->n_attrs; i++) {
        const stoic_attr *attr = &call->attrs[i];
        const stoic_attr_spec *spec = call->op->attrs;
        while (spec->name && strcmp(spec->name, attr->name) != 0)
            spec++;
        if (!spec->name)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                              "%s has an attribute '%s' that is not understood", op, attr->name);
        if (call->opset < spec->since || (spec->until && call->opset > spec->until))
            return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                              "%s has no attribute '%s' at opset %d", op, attr->name, call->opset);
        if (attr->kind != spec->kind)
            return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                              "%s needs %s as attribute '%s', found %s", op, kind_name(spec->kind),
                              attr->name, kind_name(attr->kind));
        if (stoic_attr_find(call, attr->name) != attr)
            return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s has attribute '%s' twice", op,
                              attr->name);
    }
    return STOIC_OK;
}

/* Empty tensors occur in shape arithmetic (a Pad of all axes leaves "no further pads"), and only
 * there are they allowed. */
static stoic_status check_size(const stoic_op_call *call, const char *which, size_t i,
                               const stoic_operand *operand, stoic_error *err) {
    char text[128];
    const stoic_shape *shape = &operand->shape;
    if (shape->rank < 0 || shape->rank > STOIC_MAX_RANK)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s has %d axes in %s %zu, at most %d are supported", call->op->name,
                          shape->rank, which, i + 1, STOIC_MAX_RANK);
    int64_t count = stoic_shape_count(shape);
    if (count < 0 || count > STOIC_SIZE_LIMIT)
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node,
                          "%s: the shape of %s %zu (%s) is negative or too large", call->op->name,
                          which, i + 1, stoic_shape_text(shape, text));
    if (count == 0 && !stoic_dtype_is_integer(operand->dtype))
        return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s: %s %zu (%s) has no elements",
                          call->op->name, which, i + 1, stoic_shape_text(shape, text));
    for (int k = 0; k < shape->rank; k++)
        if (shape->dim[k] > STOIC_SIZE_LIMIT)
            return stoic_fail(err, STOIC_ERR_SHAPE, call->node, "%s: the %s %zu (%s) is too large",
                              call->op->name, which, i + 1, stoic_shape_text(shape, text));
    return STOIC_OK;
}

static stoic_status check_operands(const stoic_op_call *call, stoic_error *err) {
    const stoic_op *op = call->op;
    for (size_t i = 0; i < (size_t)op->min_in; i++)
        if (!stoic_input_present(call, i))
            return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s lacks its input %zu", op->name,
                              i + 1);
    if (op->max_in >= 0 && call->n_in > (size_t)op->max_in)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node,
                          "%s takes at most %d inputs, found %zu", op->name, op->max_in,
                          call->n_in);
    if (call->n_out == 0)
        return stoic_fail(err, STOIC_ERR_FORMAT, call->node, "%s has no output", op->name);
    if (call->n_out > (size_t)op->max_out)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s has %zu outputs, only %d supported", op->name, call->n_out,
                          op->max_out);
    for (size_t i = 0; i < call->n_in; i++) {
        stoic_status status =
            call->in[i].present ? check_size(call, "input", i, &call->in[i], err) : STOIC_OK;
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

uint64_t stoic_op_homogeneous(const stoic_op_call *call) {
    if (call->op->homogeneous)
        return call->op->homogeneous(call);
    return call->op->facts & STOIC_OP_HOMOGENEOUS ? 1 : 0;
}

stoic_status stoic_op_infer(const stoic_op_call *call, stoic_error *err) {
    stoic_status status;
    TRY(check_version(call, err));
    TRY(check_attrs(call, err));
    TRY(check_operands(call, err));
    TRY(call->op->infer(call, err));
    for (size_t i = 0; i < call->n_out; i++)
        TRY(check_size(call, "output", i, &call->out[i], err));
done:
    return status;
}
