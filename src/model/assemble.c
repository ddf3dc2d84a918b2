/* From the draft to the model: what is live, under unique names, with numbered layers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "model/draft.h"
#include "model/internals.h"

typedef struct assembly {
    stoic_builder *b;
    stoic_structure *s;
    stoic_model *model;
    int *value_of; /* draft value -> value, or -1 */
    int *node_of;  /* draft node -> node, or -1 */
    stoic_names taken;
    unsigned suffix; /* never tried twice, so that hostile names cost no quadratic search */
} assembly;

static stoic_status check_result(const stoic_builder *b, stoic_error *err) {
    const stoic_draft_value *output = &b->values[b->output];
    if (output->constant || b->output == b->input)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, output->name, "output '%s' %s",
                          b->values[b->declared_output].name,
                          output->constant ? "does not depend on the input"
                                           : "is the input itself");
    if (output->dtype != STOIC_F32)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, output->name,
                          "output '%s' is %s, expected float32", b->values[b->declared_output].name,
                          stoic_dtype_name(output->dtype));
    return STOIC_OK;
}

static bool kept(const stoic_draft_node *node) {
    return node->live && !node->gone;
}

static stoic_status allocate(assembly *a, stoic_error *err) {
    const stoic_builder *b = a->b;
    stoic_structure *s = calloc(1, sizeof *s);
    a->s = s;
    a->value_of = malloc((b->n_values + 1) * sizeof *a->value_of);
    a->node_of = malloc((b->n_nodes + 1) * sizeof *a->node_of);
    if (s) {
        atomic_init(&s->references, 1);
        s->value_names = calloc(b->n_values + 1, sizeof *s->value_names);
        s->nodes = calloc(b->n_nodes + 1, sizeof *s->nodes);
        s->layer_nodes = calloc(b->n_nodes + 1, sizeof *s->layer_nodes);
        s->node_macs = calloc(b->n_nodes + 1, sizeof *s->node_macs);
    }
    if (!s || !a->value_of || !a->node_of || !s->value_names || !s->nodes || !s->layer_nodes ||
        !s->node_macs)
        return stoic_fail_memory(err, "a model", b->n_nodes * sizeof *s->nodes);
    return STOIC_OK;
}

static void take_nodes(assembly *a) {
    for (size_t i = 0; i < a->b->n_nodes; i++)
        a->node_of[i] = -1;
    for (size_t i = 0; i < a->b->n_nodes; i++) {
        stoic_draft_node *from = &a->b->nodes[a->b->order[i]];
        if (!kept(from))
            continue;
        a->node_of[a->b->order[i]] = (int)a->s->n_nodes;
        a->s->nodes[a->s->n_nodes++] = (stoic_node){.name = from->name,
                                                    .op = from->op,
                                                    .attrs = from->attrs,
                                                    .n_attrs = from->n_attrs,
                                                    .in = from->in,
                                                    .n_in = from->n_in,
                                                    .out = from->out,
                                                    .n_out = from->n_out,
                                                    .layer = -1};
        from->name = NULL;
        from->attrs = NULL;
        from->in = from->out = NULL;
        from->n_attrs = from->n_in = from->n_out = 0;
    }
}

/* Values of the draft that are live become the model's, in the same order. */
static stoic_status take_values(assembly *a, stoic_error *err) {
    stoic_builder *b = a->b;
    stoic_model *model = a->model;
    model->values = calloc(b->n_values, sizeof *model->values);
    if (!model->values)
        return stoic_fail_memory(err, "a model", b->n_values * sizeof *model->values);
    for (size_t i = 0; i < b->n_values; i++) {
        stoic_draft_value *from = &b->values[i];
        a->value_of[i] = -1;
        if (!from->live)
            continue;
        stoic_draft_value *namer = (int)i == b->output ? &b->values[b->declared_output] : from;
        a->value_of[i] = (int)model->n_values;
        a->s->value_names[a->s->n_values++] = namer->name;
        model->values[model->n_values++] = (stoic_value){
            .name = namer->name,
            .dtype = from->dtype,
            .shape = from->shape,
            .constant = from->constant,
            .producer = from->constant || from->producer < 0 ? -1 : a->node_of[from->producer],
            .layer = -1};
        namer->name = NULL;
        from->constant = NULL;
    }
    model->input = a->value_of[b->input];
    model->output = a->value_of[b->output];
    return STOIC_OK;
}

static void rewire(assembly *a) {
    for (size_t i = 0; i < a->s->n_nodes; i++) {
        stoic_node *node = &a->s->nodes[i];
        for (size_t k = 0; k < node->n_in; k++)
            node->in[k] = node->in[k] < 0 ? -1 : a->value_of[node->in[k]];
        for (size_t k = 0; k < node->n_out; k++)
            node->out[k] = node->out[k] < 0 ? -1 : a->value_of[node->out[k]];
        while (node->n_out > 1 && node->out[node->n_out - 1] < 0)
            node->n_out--;
        while (node->n_in > 1 && node->in[node->n_in - 1] < 0)
            node->n_in--;
        a->s->max_in = node->n_in > a->s->max_in ? node->n_in : a->s->max_in;
        a->s->max_out = node->n_out > a->s->max_out ? node->n_out : a->s->max_out;
    }
}

static bool is_layer(const stoic_node *node) {
    return (node->op->facts & STOIC_OP_LAYER) != 0;
}

/* A name for node i, which has none or shares it: a layer takes its weights' name. */
static stoic_status rename_node(assembly *a, int i, stoic_error *err) {
    stoic_node *node = &a->s->nodes[i];
    const char *base = is_layer(node) ? a->model->values[node->in[1]].name
                       : *node->name  ? node->name
                                      : node->op->name;
    size_t bytes = strlen(base) + 32;
    char *name = malloc(bytes);
    if (!name)
        return stoic_fail_memory(err, "a name", bytes);
    snprintf(name, bytes, "%s", base);
    while (stoic_names_find(&a->taken, name) >= 0)
        snprintf(name, bytes, "%s_%u", base, a->suffix++);
    free(node->name);
    node->name = name;
    return stoic_names_add(&a->taken, name, i, err);
}

static stoic_status name_nodes(assembly *a, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_names seen = {0};
    bool *shared = calloc(a->s->n_nodes + 1, sizeof *shared);
    if (!shared) {
        status = stoic_fail_memory(err, "names", a->s->n_nodes);
        goto done;
    }
    for (size_t i = 0; i < a->s->n_nodes; i++) {
        const char *name = a->s->nodes[i].name;
        int first = stoic_names_find(&seen, name);
        shared[i] = !*name || first >= 0;
        if (first >= 0)
            shared[first] = true;
        else
            TRY(stoic_names_add(&seen, name, (int)i, err));
    }
    for (size_t i = 0; i < a->s->n_nodes; i++) {
        if (!shared[i])
            TRY(stoic_names_add(&a->taken, a->s->nodes[i].name, (int)i, err));
    }
    for (size_t i = 0; i < a->s->n_nodes; i++) {
        if (shared[i])
            TRY(rename_node(a, (int)i, err));
    }
done:
    free(shared);
    stoic_names_deinit(&seen);
    return status;
}

enum { A_CHECK = -2 };

/* Layers whose outputs are what a Checksum compares others with. */
static void mark_checks(assembly *a) {
    for (size_t i = 0; i < a->s->n_nodes; i++) {
        const stoic_node *n = &a->s->nodes[i];
        for (size_t k = 1; n->op == &stoic_op_checksum && k < n->n_in && k < 3; k++) {
            int producer = n->in[k] < 0 ? -1 : a->model->values[n->in[k]].producer;
            if (producer >= 0 && is_layer(&a->s->nodes[producer]))
                a->s->nodes[producer].layer = A_CHECK;
        }
    }
}

/* Layers are numbered in the order of the file, which need not be the order of execution; those
 * that only watch others come last, so that the others have the numbers they have without. */
static void number_layers(assembly *a, int which) {
    stoic_model *model = a->model;
    for (size_t i = 0; i < a->b->n_nodes; i++) {
        if (a->node_of[i] < 0 || !is_layer(&a->s->nodes[a->node_of[i]]) ||
            a->s->nodes[a->node_of[i]].layer != which)
            continue;
        stoic_node *node = &a->s->nodes[a->node_of[i]];
        node->layer = (int)model->n_layers;
        a->s->layer_nodes[model->n_layers++] = a->node_of[i];
        for (size_t k = 1; k < node->n_in && k <= 2; k++) {
            stoic_value *value = node->in[k] < 0 ? NULL : &model->values[node->in[k]];
            if (value && value->layer < 0)
                value->layer = node->layer;
        }
    }
}

static stoic_status count_macs(assembly *a, stoic_error *err) {
    stoic_operand *in = calloc(a->s->max_in + 1, sizeof *in);
    stoic_operand *out = calloc(a->s->max_out + 1, sizeof *out);
    stoic_status status = STOIC_OK;
    if (!in || !out)
        status = stoic_fail_memory(err, "operands", (a->s->max_in + 1) * sizeof *in);
    for (size_t i = 0; i < a->s->n_nodes && status == STOIC_OK; i++) {
        stoic_op_call call;
        stoic_model_call(a->model, i, in, out, &call);
        a->s->node_macs[i] = call.op->macs ? call.op->macs(&call) : 0;
    }
    free(in);
    free(out);
    return status;
}

stoic_status stoic_draft_assemble(stoic_builder *b, stoic_model **out, stoic_error *err) {
    assembly a = {.b = b, .suffix = 2};
    stoic_status status = STOIC_OK;
    TRY(check_result(b, err));
    TRY(allocate(&a, err));
    a.s->name = b->name;
    b->name = NULL;
    take_nodes(&a);
    status = stoic_model_wrap(a.s, &a.model, err);
    if (status != STOIC_OK) {
        a.s = NULL;
        goto done;
    }
    TRY(take_values(&a, err));
    a.model->opset = b->opset;
    a.model->ir_version = b->ir_version;
    a.model->meta = b->meta;
    a.model->n_meta = b->n_meta;
    b->meta = NULL;
    b->n_meta = 0;
    rewire(&a);
    TRY(name_nodes(&a, err));
    mark_checks(&a);
    number_layers(&a, -1);
    number_layers(&a, A_CHECK);
    TRY(count_macs(&a, err));
    TRY(stoic_model_fingerprint(a.model, err));
    *out = a.model;
    a.model = NULL;
done:
    if (a.model)
        stoic_model_free(a.model);
    else if (status != STOIC_OK)
        stoic_structure_free(a.s);
    stoic_names_deinit(&a.taken);
    free(a.value_of);
    free(a.node_of);
    return status;
}
