/* What can be known before the network runs: shapes, constants, mere copies. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "model/draft.h"

/* Elements that one folded constant may have, and that all folding together may read and write:
 * these for free, and so many times what the file itself holds. */
enum { RESULT_FREE = 1 << 22, RESULT_TIMES = 4, WORK_FREE = 1 << 26, WORK_TIMES = 16 };

void stoic_draft_call(stoic_builder *b, int node, stoic_op_call *call) {
    const stoic_draft_node *n = &b->nodes[node];
    for (size_t i = 0; i < n->n_in; i++) {
        const stoic_draft_value *value = n->in[i] < 0 ? NULL : &b->values[n->in[i]];
        b->in[i] = (stoic_operand){0};
        if (value)
            b->in[i] = (stoic_operand){true, value->dtype, value->shape, value->constant};
    }
    for (size_t i = 0; i < n->n_out; i++)
        b->out[i] = (stoic_operand){.present = n->out[i] >= 0 && b->values[n->out[i]].live};
    *call = (stoic_op_call){.op = n->op,
                            .node = *n->name ? n->name : n->type,
                            .opset = *n->op->domain ? STOIC_DOMAIN_VERSION : b->opset,
                            .attrs = n->attrs,
                            .n_attrs = n->n_attrs,
                            .in = b->in,
                            .n_in = n->n_in,
                            .out = b->out,
                            .n_out = n->n_out};
}

/* Work beyond one visit of each element: products, and windows that overlap. */
static int64_t extra_work(const stoic_op_call *call, int64_t written) {
    int64_t work = call->op->macs ? call->op->macs(call) : 0;
    const stoic_attr *kernel = stoic_attr_find(call, "kernel_shape");
    for (size_t i = 0; kernel && i < kernel->count; i++) {
        if (kernel->ints[i] > 0 && __builtin_mul_overflow(written, kernel->ints[i], &written))
            return INT64_MAX;
    }
    return work > written ? work : written;
}

/* Refuses to fold what would take memory or time out of proportion to the model. */
static stoic_status check_budget(stoic_builder *b, const stoic_op_call *call, stoic_error *err) {
    int64_t work = 0, written = 0;
    for (size_t i = 0; i < call->n_in; i++)
        work += call->in[i].constant ? stoic_tensor_count(call->in[i].constant) : 0;
    for (size_t i = 0; i < call->n_out; i++) {
        int64_t count = call->out[i].present ? stoic_shape_count(&call->out[i].shape) : 0;
        if (count < 0 || count > RESULT_FREE + RESULT_TIMES * b->constants)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                              "%s gives a constant far larger than the model's weights",
                              call->op->name);
        written += count;
    }
    if (__builtin_add_overflow(work, extra_work(call, written), &work) ||
        __builtin_add_overflow(b->fold_work, work, &b->fold_work) ||
        b->fold_work > WORK_FREE + WORK_TIMES * b->constants)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, call->node,
                          "%s takes too much work to evaluate as a constant", call->op->name);
    return STOIC_OK;
}

static stoic_status allocate(int64_t count, double **out, stoic_error *err) {
    *out = calloc((size_t)count + 1, sizeof **out);
    return *out ? STOIC_OK : stoic_fail_memory(err, "folding", ((size_t)count + 1) * sizeof **out);
}

static stoic_status load(const stoic_operand *operand, double **out, stoic_error *err) {
    int64_t count = operand->constant ? stoic_tensor_count(operand->constant) : 0;
    stoic_status status = allocate(count, out, err);
    for (int64_t i = 0; i < count && status == STOIC_OK; i++)
        (*out)[i] = stoic_tensor_get(operand->constant, i);
    return status;
}

static stoic_status keep(stoic_draft_value *value, const stoic_operand *operand, const double *data,
                         stoic_error *err) {
    stoic_tensor *tensor;
    stoic_status status = stoic_tensor_create(operand->dtype, &operand->shape, &tensor, err);
    if (status != STOIC_OK)
        return status;
    for (int64_t i = 0; i < stoic_tensor_count(tensor); i++)
        stoic_tensor_set(tensor, i, data[i]);
    value->constant = tensor;
    value->dtype = operand->dtype;
    value->shape = operand->shape;
    value->known = true;
    return STOIC_OK;
}

stoic_status stoic_draft_fold(stoic_builder *b, int node, stoic_op_call *call, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_draft_node *n = &b->nodes[node];
    double **in = calloc(n->n_in + 1, sizeof *in);
    double **out = calloc(n->n_out + 1, sizeof *out);
    if (!in || !out) {
        status = stoic_fail_memory(err, "folding", (n->n_in + n->n_out) * sizeof *in);
        goto done;
    }
    TRY(check_budget(b, call, err));
    for (size_t i = 0; i < n->n_in; i++) {
        if (call->in[i].present)
            TRY(load(&call->in[i], &in[i], err));
    }
    for (size_t i = 0; i < n->n_out; i++) {
        if (call->out[i].present)
            TRY(allocate(stoic_shape_count(&call->out[i].shape), &out[i], err));
    }
    TRY(call->op->reference(call, (const double *const *)in, out, err));
    for (size_t i = 0; i < n->n_out; i++) {
        if (call->out[i].present)
            TRY(keep(&b->values[n->out[i]], &call->out[i], out[i], err));
    }
    n->gone = true;
done:
    for (size_t i = 0; i < n->n_in && in; i++)
        free(in[i]);
    for (size_t i = 0; i < n->n_out && out; i++)
        free(out[i]);
    free(in);
    free(out);
    return status;
}

/* Adds to the list of what is unsupported; `why` begins with the operator. */
static void add_problem(stoic_builder *b, int node, const char *why) {
    const stoic_draft_node *n = &b->nodes[node];
    char label[160], text[512];
    stoic_draft_label(b, node, label);
    if (*n->name)
        snprintf(text, sizeof text, "%s (%.300s)", label, why);
    else if (why != n->type)
        snprintf(text, sizeof text, "%s: %.300s", label, why);
    else
        snprintf(text, sizeof text, "%s", label);
    size_t used = strlen(b->problems);
    if (used + strlen(text) + 3 > sizeof b->problems) {
        b->n_problems_left_out++;
    } else {
        snprintf(b->problems + used, sizeof b->problems - used, "%s%s", used ? ", " : "", text);
    }
    b->n_problems++;
}

/* Identity, and a Cast of float32 to float32: the output is the input. Dropout is not among them:
 * whoever trains the model wants it back. */
static bool is_copy(const stoic_op_call *call) {
    enum { ONNX_FLOAT = 1 };
    return call->op == &stoic_op_identity ||
           (call->op == &stoic_op_cast && call->in[0].dtype == STOIC_F32 &&
            stoic_attr_int(call, "to", 0) == ONNX_FLOAT);
}

static stoic_status settle_computed(stoic_builder *b, int node, stoic_op_call *call,
                                    stoic_error *err) {
    stoic_draft_node *n = &b->nodes[node];
    if (call->op == &stoic_op_dropout && n->n_out > 1 && call->out[1].present)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, n->name, "%s whose output 2 is used",
                          call->op->name);
    if (is_copy(call) && n->n_in > 0 && n->in[0] >= 0 && n->out[0] >= 0) {
        b->values[n->out[0]].same_as = n->in[0];
        n->gone = true;
        return STOIC_OK;
    }
    stoic_status status = stoic_batch_check(call, err);
    if (status == STOIC_OK)
        status = stoic_batch_release(b, node, call, err);
    if (status != STOIC_OK)
        return status;
    n = &b->nodes[node];
    for (size_t i = 0; i < n->n_out; i++) {
        if (!call->out[i].present)
            continue;
        b->values[n->out[i]].dtype = call->out[i].dtype;
        b->values[n->out[i]].shape = call->out[i].shape;
        b->values[n->out[i]].known = true;
    }
    return STOIC_OK;
}

/* Follows copies; false if an input is the output of something unsupported. */
static bool resolve_inputs(stoic_builder *b, stoic_draft_node *n, bool *computed) {
    bool known = true;
    *computed = false;
    for (size_t i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0)
            continue;
        const stoic_draft_value *value = &b->values[n->in[i]];
        if (value->same_as >= 0) {
            n->in[i] = value->same_as;
            value = &b->values[n->in[i]];
        }
        known &= value->known;
        *computed |= !value->constant;
    }
    return known;
}

static stoic_status evaluate(stoic_builder *b, int node, stoic_error *err) {
    stoic_draft_node *n = &b->nodes[node];
    bool computed;
    stoic_op_call call;
    if (!n->op) {
        add_problem(b, node, n->type);
        return STOIC_OK;
    }
    if (!resolve_inputs(b, n, &computed))
        return STOIC_OK;
    stoic_draft_call(b, node, &call);
    bool shape_only = (n->op->facts & STOIC_OP_READS_SHAPE) != 0;
    if (computed && !shape_only && (n->op->facts & STOIC_OP_FOLD_ONLY) && !is_copy(&call)) {
        char why[128];
        snprintf(why, sizeof why, "%.80s of a computed value", n->type);
        add_problem(b, node, why);
        return STOIC_OK;
    }
    stoic_error why = {0};
    stoic_status status = stoic_op_infer(&call, &why);
    if (status == STOIC_OK && (!computed || shape_only))
        status = stoic_draft_fold(b, node, &call, &why);
    else if (status == STOIC_OK)
        status = settle_computed(b, node, &call, &why);
    if (status == STOIC_ERR_UNSUPPORTED) {
        add_problem(b, node, why.message);
        return STOIC_OK;
    }
    if (status != STOIC_OK && err)
        *err = why;
    return status;
}

static stoic_status make_room(stoic_builder *b, stoic_error *err) {
    size_t in = 1, out = 1;
    for (size_t i = 0; i < b->n_nodes; i++) {
        in = b->nodes[i].n_in > in ? b->nodes[i].n_in : in;
        out = b->nodes[i].n_out > out ? b->nodes[i].n_out : out;
    }
    b->in = calloc(in, sizeof *b->in);
    b->out = calloc(out, sizeof *b->out);
    return b->in && b->out ? STOIC_OK
                           : stoic_fail_memory(err, "operands", (in + out) * sizeof *b->in);
}

stoic_status stoic_draft_evaluate(stoic_builder *b, stoic_error *err) {
    stoic_status status = make_room(b, err);
    for (size_t i = 0; i < b->n_nodes && status == STOIC_OK; i++) {
        if (b->nodes[b->order[i]].live)
            status = evaluate(b, b->order[i], err);
    }
    if (status != STOIC_OK || b->n_problems == 0)
        return status;
    if (b->n_problems_left_out > 0)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "unsupported: %s and %zu more",
                          b->problems, b->n_problems_left_out);
    return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "unsupported: %s", b->problems);
}
