#include "model/rewrite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "model/draft.h"
#include "model/internals.h"

struct stoic_rewrite {
    stoic_model *from;
    stoic_structure *s; /* the copy; its nodes in the order of making until finish() */
    stoic_value *values;
    size_t cap_values, cap_nodes;
    stoic_names value_names, node_names;
    unsigned suffix;
    int output;
};

/* ---- copying ---- */

static stoic_status copy_bytes(const void *from, size_t bytes, void *out, stoic_error *err) {
    void *copy = NULL;
    if (from) {
        copy = malloc(bytes ? bytes : 1);
        if (!copy)
            return stoic_fail_memory(err, "a rewritten model", bytes);
        memcpy(copy, from, bytes);
    }
    memcpy(out, &copy, sizeof copy);
    return STOIC_OK;
}

static stoic_status copy_text(const char *from, char **out, stoic_error *err) {
    return copy_bytes(from, from ? strlen(from) + 1 : 0, out, err);
}

/* Leaves the node such that it can be freed, also on failure. */
static stoic_status copy_node(const stoic_node *from, stoic_node *to, stoic_error *err) {
    stoic_status status = STOIC_OK;
    *to = (stoic_node){.op = from->op, .layer = from->layer};
    TRY(copy_text(from->name, &to->name, err));
    TRY(copy_bytes(from->in, from->n_in * sizeof *from->in, &to->in, err));
    to->n_in = from->n_in;
    TRY(copy_bytes(from->out, from->n_out * sizeof *from->out, &to->out, err));
    to->n_out = from->n_out;
    TRY(stoic_attrs_copy(from, &to->attrs, err));
    to->n_attrs = from->n_attrs;
done:
    return status;
}

/* Room for one more element. */
static stoic_status reserve(void *array, size_t n, size_t *capacity, size_t size,
                            stoic_error *err) {
    void *old;
    if (n < *capacity)
        return STOIC_OK;
    size_t larger = 2 * *capacity + 16;
    memcpy(&old, array, sizeof old);
    void *moved = larger < INT_MAX ? realloc(old, larger * size) : NULL;
    if (!moved)
        return stoic_fail_memory(err, "a rewritten model", larger * size);
    memcpy(array, &moved, sizeof moved);
    *capacity = larger;
    return STOIC_OK;
}

/* Takes over `name`, also on failure. */
static stoic_status push_value(stoic_rewrite *r, char *name, const stoic_value *value,
                               stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t names = r->cap_values, values = r->cap_values;
    TRY(reserve(&r->s->value_names, r->s->n_values, &names, sizeof *r->s->value_names, err));
    TRY(reserve(&r->values, r->s->n_values, &values, sizeof *r->values, err));
    r->cap_values = values;
    TRY(stoic_names_add(&r->value_names, name, (int)r->s->n_values, err));
    r->s->value_names[r->s->n_values] = name;
    r->values[r->s->n_values] = *value;
    r->values[r->s->n_values++].name = name;
    stoic_tensor_retain(value->constant);
    name = NULL;
done:
    free(name);
    return status;
}

static stoic_status copy_structure(stoic_rewrite *r, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_model *m = r->from;
    TRY(copy_text(m->name, &r->s->name, err));
    for (size_t i = 0; i < m->n_values; i++) {
        char *name = NULL;
        TRY(copy_text(m->values[i].name, &name, err));
        TRY(push_value(r, name, &m->values[i], err));
    }
    for (size_t i = 0; i < m->n_nodes; i++) {
        TRY(reserve(&r->s->nodes, i, &r->cap_nodes, sizeof *r->s->nodes, err));
        r->s->n_nodes = i + 1;
        TRY(copy_node(&m->nodes[i], &r->s->nodes[i], err));
        TRY(stoic_names_add(&r->node_names, r->s->nodes[i].name, (int)i, err));
    }
done:
    return status;
}

stoic_status stoic_rewrite_create(const stoic_model *model, stoic_rewrite **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_rewrite *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r || !(r->s = calloc(1, sizeof *r->s))) {
        free(r);
        return stoic_fail_memory(err, "a rewritten model", sizeof *r);
    }
    atomic_init(&r->s->references, 1);
    r->from = stoic_model_retain(model);
    r->output = model->output;
    r->suffix = 2;
    TRY(copy_structure(r, err));
    *out = r;
    r = NULL;
done:
    stoic_rewrite_free(r);
    return status;
}

void stoic_rewrite_free(stoic_rewrite *r) {
    if (!r)
        return;
    for (size_t i = 0; r->s && i < r->s->n_values; i++)
        stoic_tensor_free(r->values[i].constant);
    stoic_names_deinit(&r->value_names);
    stoic_names_deinit(&r->node_names);
    stoic_structure_free(r->s);
    stoic_model_free(r->from);
    free(r->values);
    free(r);
}

/* ---- changing ---- */

static stoic_status free_name(stoic_rewrite *r, const stoic_names *taken, const char *wish,
                              char **out, stoic_error *err) {
    size_t bytes = strlen(wish) + 32;
    *out = malloc(bytes);
    if (!*out)
        return stoic_fail_memory(err, "a name", bytes);
    snprintf(*out, bytes, "%s", wish);
    while (stoic_names_find(taken, *out) >= 0)
        snprintf(*out, bytes, "%s_%u", wish, r->suffix++);
    return STOIC_OK;
}

stoic_status stoic_rewrite_constant(stoic_rewrite *r, const char *name, stoic_tensor *tensor,
                                    int *value, stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *unique = NULL;
    stoic_value constant = {.dtype = stoic_tensor_dtype(tensor),
                            .shape = *stoic_tensor_shape(tensor),
                            .constant = tensor,
                            .producer = -1,
                            .layer = -1};
    *value = (int)r->s->n_values;
    TRY(free_name(r, &r->value_names, name, &unique, err));
    TRY(push_value(r, unique, &constant, err));
done:
    return status;
}

static bool same_shape(const stoic_shape *a, const stoic_shape *b) {
    bool same = a->rank == b->rank;
    for (int i = 0; i < a->rank && same; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

stoic_status stoic_rewrite_replace(stoic_rewrite *r, int number, stoic_tensor *tensor,
                                   stoic_error *err) {
    stoic_value *value = &r->values[number];
    if (!value->constant || value->dtype != stoic_tensor_dtype(tensor) ||
        !same_shape(&value->shape, stoic_tensor_shape(tensor)))
        return stoic_fail(err, STOIC_ERR_SHAPE, value->name,
                          "'%s' is no constant of the shape of what should replace it",
                          value->name);
    stoic_tensor_retain(tensor);
    stoic_tensor_free(value->constant);
    value->constant = tensor;
    return STOIC_OK;
}

void stoic_rewrite_input(stoic_rewrite *r, int node, size_t i, int value) {
    r->s->nodes[node].in[i] = value;
}

stoic_status stoic_rewrite_float(stoic_rewrite *r, int node, const char *name, float value,
                                 stoic_error *err) {
    stoic_node *n = &r->s->nodes[node];
    size_t at = 0;
    while (at < n->n_attrs && strcmp(n->attrs[at].name, name) != 0)
        at++;
    if (at == n->n_attrs) {
        stoic_attr added = {.kind = STOIC_ATTR_FLOAT};
        stoic_attr *moved = realloc(n->attrs, (n->n_attrs + 1) * sizeof *moved);
        if (!moved)
            return stoic_fail_memory(err, "an attribute", (n->n_attrs + 1) * sizeof *moved);
        n->attrs = moved;
        stoic_status status = copy_text(name, &added.name, err);
        if (status != STOIC_OK)
            return status;
        n->attrs[n->n_attrs++] = added;
    }
    n->attrs[at].f = value;
    return STOIC_OK;
}

stoic_status stoic_rewrite_become(stoic_rewrite *r, int node, const stoic_op *op, stoic_attr *attrs,
                                  size_t n_attrs, const int *in, size_t n_in, stoic_error *err) {
    stoic_node *n = &r->s->nodes[node];
    int *inputs = NULL;
    stoic_status status = copy_bytes(in, n_in * sizeof *in, &inputs, err);
    if (status != STOIC_OK) {
        stoic_attrs_free(attrs, n_attrs);
        return status;
    }
    stoic_attrs_free(n->attrs, n->n_attrs);
    free(n->in);
    n->op = op;
    n->attrs = attrs;
    n->n_attrs = n_attrs;
    n->in = inputs;
    n->n_in = n_in;
    return STOIC_OK;
}

static stoic_operand operand_of(const stoic_rewrite *r, int number) {
    if (number < 0)
        return (stoic_operand){0};
    const stoic_value *value = &r->values[number];
    return (stoic_operand){true, value->dtype, value->shape, value->constant};
}

/* The shapes of a node's outputs as they follow from its inputs. `out` has room for n_out. */
static stoic_status infer(const stoic_rewrite *r, const stoic_node *n, stoic_operand *out,
                          stoic_error *err) {
    stoic_operand *in = calloc(n->n_in + 1, sizeof *in);
    if (!in)
        return stoic_fail_memory(err, "operands", n->n_in * sizeof *in);
    stoic_op_call call = {.op = n->op,
                          .node = n->name,
                          .opset = *n->op->domain ? STOIC_DOMAIN_VERSION : r->from->opset,
                          .attrs = n->attrs,
                          .n_attrs = n->n_attrs,
                          .in = in,
                          .n_in = n->n_in,
                          .out = out,
                          .n_out = n->n_out};
    for (size_t i = 0; i < n->n_in; i++)
        in[i] = operand_of(r, n->in[i]);
    for (size_t i = 0; i < n->n_out; i++)
        out[i] = (stoic_operand){.present = n->out[i] >= 0};
    stoic_status status = stoic_op_infer(&call, err);
    if (status == STOIC_OK)
        status = stoic_batch_check(&call, err);
    free(in);
    return status;
}

stoic_status stoic_rewrite_node(stoic_rewrite *r, const char *name, const stoic_op *op,
                                stoic_attr *attrs, size_t n_attrs, const int *in, size_t n_in,
                                int *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_operand result;
    char *unique = NULL;
    stoic_node node = {.op = op, .attrs = attrs, .n_attrs = n_attrs, .layer = -1};
    *out = (int)r->s->n_values;
    TRY(free_name(r, &r->node_names, name, &node.name, err));
    TRY(copy_bytes(in, n_in * sizeof *in, &node.in, err));
    node.n_in = n_in;
    TRY(copy_bytes(out, sizeof *out, &node.out, err));
    node.n_out = 1;
    TRY(infer(r, &node, &result, err));
    stoic_value value = {
        .dtype = result.dtype, .shape = result.shape, .producer = (int)r->s->n_nodes, .layer = -1};
    TRY(reserve(&r->s->nodes, r->s->n_nodes, &r->cap_nodes, sizeof *r->s->nodes, err));
    TRY(stoic_names_add(&r->node_names, node.name, (int)r->s->n_nodes, err));
    r->s->nodes[r->s->n_nodes++] = node;
    node = (stoic_node){0};
    TRY(free_name(r, &r->value_names, name, &unique, err));
    TRY(push_value(r, unique, &value, err));
done:
    free(node.name);
    free(node.in);
    free(node.out);
    stoic_attrs_free(node.attrs, node.n_attrs);
    return status;
}

void stoic_rewrite_output(stoic_rewrite *r, int value) {
    r->output = value;
}

/* ---- finishing ---- */

static bool ready(const stoic_rewrite *r, const bool *there, const stoic_node *node) {
    for (size_t i = 0; i < node->n_in; i++) {
        int value = node->in[i];
        if (value >= 0 && r->values[value].producer >= 0 && !there[r->values[value].producer])
            return false;
    }
    return true;
}

/* The next node to run: a new one where there is one, so that it stands right behind what it
 * reads; else the first old one that can. -1: the graph has a cycle. */
static int next_node(const stoic_rewrite *r, const bool *there, size_t first) {
    size_t old = r->from->n_nodes;
    for (size_t i = old; i < r->s->n_nodes; i++) {
        if (!there[i] && ready(r, there, &r->s->nodes[i]))
            return (int)i;
    }
    for (size_t i = first; i < old; i++) {
        if (!there[i] && ready(r, there, &r->s->nodes[i]))
            return (int)i;
    }
    return -1;
}

static stoic_status sort_nodes(stoic_rewrite *r, stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t n = r->s->n_nodes, first = 0;
    bool *there = calloc(n + 1, sizeof *there);
    int *place = calloc(n + 1, sizeof *place);
    stoic_node *sorted = calloc(n + 1, sizeof *sorted);
    r->s->layer_nodes = calloc(r->from->n_layers + 1, sizeof *r->s->layer_nodes);
    if (!there || !place || !sorted || !r->s->layer_nodes) {
        status = stoic_fail_memory(err, "a rewritten model", n * sizeof *sorted);
        goto done;
    }
    for (size_t k = 0; k < n; k++) {
        int at = next_node(r, there, first);
        if (at < 0) {
            status = stoic_fail(err, STOIC_ERR_ARGUMENT, "", "the rewritten graph has a cycle");
            goto done;
        }
        there[at] = true;
        place[at] = (int)k;
        sorted[k] = r->s->nodes[at];
        while (first < r->from->n_nodes && there[first])
            first++;
    }
    for (size_t i = 0; i < r->s->n_values; i++) {
        if (r->values[i].producer >= 0)
            r->values[i].producer = place[r->values[i].producer];
    }
    for (size_t i = 0; i < r->from->n_layers; i++)
        r->s->layer_nodes[i] = place[r->from->layer_nodes[i]];
    free(r->s->nodes);
    r->s->nodes = sorted;
    sorted = NULL;
done:
    free(there);
    free(place);
    free(sorted);
    return status;
}

/* Every node still gives what its readers expect. */
static stoic_status check_shapes(stoic_rewrite *r, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_structure *s = r->s;
    char is[128], was[128];
    for (size_t i = 0; i < s->n_nodes; i++) {
        s->max_in = s->nodes[i].n_in > s->max_in ? s->nodes[i].n_in : s->max_in;
        s->max_out = s->nodes[i].n_out > s->max_out ? s->nodes[i].n_out : s->max_out;
    }
    stoic_operand *out = calloc(s->max_out + 1, sizeof *out);
    if (!out)
        return stoic_fail_memory(err, "operands", s->max_out * sizeof *out);
    for (size_t i = 0; i < s->n_nodes; i++) {
        const stoic_node *n = &s->nodes[i];
        TRY(infer(r, n, out, err));
        for (size_t k = 0; k < n->n_out; k++) {
            const stoic_value *v = n->out[k] < 0 ? NULL : &r->values[n->out[k]];
            if (v && (v->dtype != out[k].dtype || !same_shape(&v->shape, &out[k].shape))) {
                status = stoic_fail(
                    err, STOIC_ERR_SHAPE, n->name, "'%s' would be %s after the rewrite and was %s",
                    v->name, stoic_shape_text(&out[k].shape, is), stoic_shape_text(&v->shape, was));
                goto done;
            }
        }
    }
done:
    free(out);
    return status;
}

/* The model around the structure, which it takes over. */
static stoic_status wrap(stoic_rewrite *r, stoic_model **out, stoic_error *err) {
    stoic_structure *s = r->s;
    r->s = NULL;
    size_t n_values = s->n_values;
    stoic_status status = stoic_model_wrap(s, out, err);
    if (status != STOIC_OK) {
        for (size_t i = 0; i < n_values; i++)
            stoic_tensor_free(r->values[i].constant);
        return status;
    }
    (*out)->opset = r->from->opset;
    (*out)->ir_version = r->from->ir_version;
    (*out)->input = r->from->input;
    (*out)->output = r->output;
    (*out)->n_layers = r->from->n_layers;
    (*out)->values = r->values;
    (*out)->n_values = n_values;
    r->values = NULL;
    return stoic_model_copy_meta(r->from, *out, err);
}

static stoic_status count_macs(stoic_model *model, stoic_error *err) {
    stoic_structure *s = model->private_->structure;
    stoic_operand *operands = calloc(s->max_in + s->max_out + 1, sizeof *operands);
    stoic_op_call call;
    s->node_macs = calloc(s->n_nodes + 1, sizeof *s->node_macs);
    if (!operands || !s->node_macs) {
        free(operands);
        return stoic_fail_memory(err, "operands", (s->max_in + s->max_out) * sizeof *operands);
    }
    for (size_t i = 0; i < s->n_nodes; i++) {
        stoic_model_call(model, i, operands, operands + s->max_in, &call);
        s->node_macs[i] = call.op->macs ? call.op->macs(&call) : 0;
    }
    free(operands);
    return STOIC_OK;
}

stoic_status stoic_rewrite_finish(stoic_rewrite *r, stoic_model **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_model *model = NULL;
    *out = NULL;
    TRY(sort_nodes(r, err));
    TRY(check_shapes(r, err));
    TRY(wrap(r, &model, err));
    TRY(count_macs(model, err));
    TRY(stoic_model_fingerprint(model, err));
    *out = model;
    model = NULL;
done:
    stoic_model_free(model);
    stoic_rewrite_free(r);
    return status;
}
