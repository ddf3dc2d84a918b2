#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "model/draft.h"

enum { MAX_META = 4096 };

void stoic_attrs_free(stoic_attr *attrs, size_t n) {
    for (size_t i = 0; attrs && i < n; i++) {
        free(attrs[i].name);
        free(attrs[i].s);
        free(attrs[i].ints);
        free(attrs[i].floats);
        stoic_tensor_free(attrs[i].tensor);
    }
    free(attrs);
}

bool stoic_attr_set_int(stoic_attr *attr, const char *name, int64_t value) {
    *attr = (stoic_attr){.name = strdup(name), .kind = STOIC_ATTR_INT, .i = value};
    return attr->name != NULL;
}

bool stoic_attr_set_ints(stoic_attr *attr, const char *name, const int64_t *values, size_t n) {
    *attr = (stoic_attr){.name = strdup(name), .kind = STOIC_ATTR_INTS, .count = n};
    attr->ints = malloc(n * sizeof *attr->ints);
    if (attr->ints)
        memcpy(attr->ints, values, n * sizeof *values);
    return attr->name && attr->ints;
}

stoic_status stoic_attrs_of_int(const char *name, int64_t value, stoic_attr **out,
                                stoic_error *err) {
    *out = calloc(1, sizeof **out);
    if (*out && stoic_attr_set_int(*out, name, value))
        return STOIC_OK;
    stoic_attrs_free(*out, 1);
    *out = NULL;
    return stoic_fail_memory(err, "an attribute", sizeof **out);
}

stoic_status stoic_attrs_copy(const stoic_node *node, stoic_attr **out, stoic_error *err) {
    *out = calloc(node->n_attrs + 1, sizeof **out);
    if (!*out)
        return stoic_fail_memory(err, "attributes", node->n_attrs * sizeof **out);
    for (size_t i = 0; i < node->n_attrs; i++) {
        const stoic_attr *from = &node->attrs[i];
        stoic_attr *to = &(*out)[i];
        *to = (stoic_attr){.kind = from->kind, .i = from->i, .f = from->f, .count = from->count};
        to->tensor = stoic_tensor_retain(from->tensor);
        to->name = strdup(from->name);
        to->s = from->s ? strdup(from->s) : NULL;
        to->ints = from->ints ? calloc(from->count + 1, sizeof *to->ints) : NULL;
        to->floats = from->floats ? calloc(from->count + 1, sizeof *to->floats) : NULL;
        if (!to->name || (from->s && !to->s) || (from->ints && !to->ints) ||
            (from->floats && !to->floats)) {
            stoic_attrs_free(*out, i + 1);
            *out = NULL;
            return stoic_fail_memory(err, "attributes", node->n_attrs * sizeof **out);
        }
        if (from->ints)
            memcpy(to->ints, from->ints, from->count * sizeof *to->ints);
        if (from->floats)
            memcpy(to->floats, from->floats, from->count * sizeof *to->floats);
    }
    return STOIC_OK;
}

static stoic_status copy_text(const char *text, char **out, stoic_error *err) {
    *out = strdup(text ? text : "");
    return *out ? STOIC_OK : stoic_fail_memory(err, "a name", text ? strlen(text) + 1 : 1);
}

/* Room for one more element in a growing array. */
static stoic_status reserve(void **array, size_t n, size_t *capacity, size_t size,
                            stoic_error *err) {
    if (n < *capacity)
        return STOIC_OK;
    size_t larger = *capacity ? 2 * *capacity : 32;
    if (larger > INT_MAX)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "a graph of more than %d parts", INT_MAX);
    void *moved = realloc(*array, larger * size);
    if (!moved)
        return stoic_fail_memory(err, "the graph", larger * size);
    *array = moved;
    *capacity = larger;
    return STOIC_OK;
}

stoic_status stoic_builder_create(const char *name, int opset, stoic_builder **out,
                                  stoic_error *err) {
    stoic_builder *b = calloc(1, sizeof *b);
    if (!b)
        return stoic_fail_memory(err, "a model builder", sizeof *b);
    b->opset = opset;
    b->ir_version = 8;
    b->input = b->output = -1;
    stoic_status status = copy_text(name, &b->name, err);
    if (status != STOIC_OK) {
        stoic_builder_free(b);
        return status;
    }
    *out = b;
    return STOIC_OK;
}

void stoic_builder_ir_version(stoic_builder *b, int64_t version) {
    b->ir_version = version;
}

static void node_deinit(stoic_draft_node *node) {
    free(node->name);
    free(node->type);
    stoic_attrs_free(node->attrs, node->n_attrs);
    free(node->in);
    free(node->out);
}

void stoic_builder_free(stoic_builder *b) {
    if (!b)
        return;
    for (size_t i = 0; i < b->n_values; i++) {
        free(b->values[i].name);
        stoic_tensor_free(b->values[i].constant);
    }
    for (size_t i = 0; i < b->n_nodes; i++)
        node_deinit(&b->nodes[i]);
    for (size_t i = 0; i < b->n_meta; i++) {
        free(b->meta[i].key);
        free(b->meta[i].value);
    }
    stoic_names_deinit(&b->names);
    free(b->name);
    free(b->values);
    free(b->nodes);
    free(b->meta);
    free(b->order);
    free(b->in);
    free(b->out);
    free(b);
}

/* The number of the value called `name`, made when it is new. */
static stoic_status intern(stoic_builder *b, const char *name, int *out, stoic_error *err) {
    *out = stoic_names_find(&b->names, name);
    if (*out >= 0)
        return STOIC_OK;
    stoic_status status =
        reserve((void **)&b->values, b->n_values, &b->cap_values, sizeof *b->values, err);
    if (status != STOIC_OK)
        return status;
    stoic_draft_value *value = &b->values[b->n_values];
    *value = (stoic_draft_value){.producer = -1, .same_as = -1};
    status = copy_text(name, &value->name, err);
    if (status != STOIC_OK)
        return status;
    *out = (int)b->n_values++;
    return stoic_names_add(&b->names, value->name, *out, err);
}

/* Interns a name that is about to be defined: by nobody else, and not empty. */
static stoic_status define(stoic_builder *b, const char *name, const char *what, int *out,
                           stoic_error *err) {
    if (!name || !*name)
        return stoic_fail(err, STOIC_ERR_FORMAT, "", "%s without a name", what);
    stoic_status status = intern(b, name, out, err);
    if (status != STOIC_OK)
        return status;
    const stoic_draft_value *value = &b->values[*out];
    const char *as = *out == b->input       ? "the graph's input"
                     : value->constant      ? "an initialiser"
                     : value->producer >= 0 ? "the output of a node"
                                            : NULL;
    if (as)
        return stoic_fail(err, STOIC_ERR_FORMAT, name, "%s '%s' is already defined as %s", what,
                          name, as);
    return STOIC_OK;
}

stoic_status stoic_builder_input(stoic_builder *b, const char *name, const stoic_shape *shape,
                                 stoic_error *err) {
    char text[128];
    int64_t count = stoic_shape_count(shape);
    if (b->input >= 0)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                          "a second input '%s': expected one image input", name);
    if (shape->rank < 2 || shape->rank > 4 || shape->dim[0] != 1 || count < 1 || count > INT_MAX)
        return stoic_fail(err, STOIC_ERR_SHAPE, name,
                          "input '%s' has shape %s, expected batch 1 and 2 to 4 dimensions", name,
                          stoic_shape_text(shape, text));
    int id;
    stoic_status status = define(b, name, "input", &id, err);
    if (status != STOIC_OK)
        return status;
    b->values[id].dtype = STOIC_F32;
    b->values[id].shape = *shape;
    b->values[id].known = true;
    b->input = id;
    return STOIC_OK;
}

stoic_status stoic_builder_constant(stoic_builder *b, const char *name, stoic_tensor *tensor,
                                    stoic_error *err) {
    int id;
    stoic_status status = define(b, name, "initialiser", &id, err);
    if (status != STOIC_OK)
        return status;
    stoic_draft_value *value = &b->values[id];
    value->constant = stoic_tensor_retain(tensor);
    value->dtype = stoic_tensor_dtype(tensor);
    value->shape = *stoic_tensor_shape(tensor);
    value->known = true;
    b->constants += stoic_tensor_count(tensor);
    return STOIC_OK;
}

/* Room for the node's operands, and its names turned into value numbers. */
static stoic_status connect(stoic_builder *b, stoic_draft_node *node, const char *const *in,
                            const char *const *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    node->in = malloc((node->n_in + 1) * sizeof *node->in);
    node->out = malloc((node->n_out + 1) * sizeof *node->out);
    if (!node->in || !node->out)
        return stoic_fail_memory(err, "a node", (node->n_in + node->n_out) * sizeof *node->in);
    for (size_t i = 0; i < node->n_in; i++) {
        node->in[i] = -1;
        if (in[i] && *in[i])
            TRY(intern(b, in[i], &node->in[i], err));
    }
    for (size_t i = 0; i < node->n_out; i++) {
        node->out[i] = -1;
        if (!out[i] || !*out[i])
            continue;
        TRY(define(b, out[i], "node output", &node->out[i], err));
        b->values[node->out[i]].producer = (int)b->n_nodes;
    }
done:
    return status;
}

static stoic_status add_node(stoic_builder *b, stoic_draft_node *node, const char *name,
                             const char *type, const char *const *in, const char *const *out,
                             stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(copy_text(name, &node->name, err));
    TRY(copy_text(type, &node->type, err));
    TRY(reserve((void **)&b->nodes, b->n_nodes, &b->cap_nodes, sizeof *b->nodes, err));
    TRY(connect(b, node, in, out, err));
    b->nodes[b->n_nodes++] = *node;
done:
    if (status != STOIC_OK)
        node_deinit(node);
    return status;
}

stoic_status stoic_builder_node(stoic_builder *b, const char *name, const stoic_op *op,
                                stoic_attr *attrs, size_t n_attrs, const char *const *in,
                                size_t n_in, const char *const *out, size_t n_out,
                                stoic_error *err) {
    stoic_draft_node node = {
        .op = op, .attrs = attrs, .n_attrs = n_attrs, .n_in = n_in, .n_out = n_out};
    return add_node(b, &node, name, op->name, in, out, err);
}

stoic_status stoic_builder_unsupported(stoic_builder *b, const char *name, const char *type,
                                       const char *const *in, size_t n_in, const char *const *out,
                                       size_t n_out, stoic_error *err) {
    stoic_draft_node node = {.n_in = n_in, .n_out = n_out};
    return add_node(b, &node, name, type, in, out, err);
}

stoic_status stoic_builder_output(stoic_builder *b, const char *name, stoic_error *err) {
    if (!name || !*name)
        return stoic_fail(err, STOIC_ERR_FORMAT, "", "the graph's output has no name");
    stoic_status status = intern(b, name, &b->output, err);
    b->declared_output = b->output;
    return status;
}

stoic_status stoic_builder_meta(stoic_builder *b, const char *key, const char *value,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_meta pair = {0};
    if (b->n_meta >= MAX_META)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "more than %d metadata entries",
                          MAX_META);
    for (size_t i = 0; i < b->n_meta; i++) {
        if (strcmp(b->meta[i].key, key) == 0)
            return stoic_fail(err, STOIC_ERR_FORMAT, key, "metadata key '%s' is repeated", key);
    }
    TRY(copy_text(key, &pair.key, err));
    TRY(copy_text(value, &pair.value, err));
    stoic_meta *moved = realloc(b->meta, (b->n_meta + 1) * sizeof *b->meta);
    if (!moved) {
        status = stoic_fail_memory(err, "metadata", (b->n_meta + 1) * sizeof *b->meta);
        goto done;
    }
    b->meta = moved;
    b->meta[b->n_meta++] = pair;
    pair = (stoic_meta){0};
done:
    free(pair.key);
    free(pair.value);
    return status;
}

const char *stoic_draft_label(const stoic_builder *b, int node, char text[160]) {
    const stoic_draft_node *n = &b->nodes[node];
    if (*n->name)
        snprintf(text, 160, "node '%.140s'", n->name);
    else
        snprintf(text, 160, "node %d (%.100s)", node, n->type);
    return text;
}

static stoic_status check_ends(const stoic_builder *b, stoic_error *err) {
    if (b->input < 0)
        return stoic_fail(err, STOIC_ERR_FORMAT, b->name, "the graph has no input");
    if (b->output < 0)
        return stoic_fail(err, STOIC_ERR_FORMAT, b->name, "the graph has no output");
    const stoic_draft_value *output = &b->values[b->output];
    if (output->producer < 0)
        return stoic_fail(err, STOIC_ERR_FORMAT, b->name, "output '%s' is computed by no node",
                          output->name);
    return STOIC_OK;
}

stoic_status stoic_builder_finish(stoic_builder *b, stoic_model **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(check_ends(b, err));
    TRY(stoic_draft_sort(b, err));
    stoic_draft_mark_live(b);
    TRY(stoic_draft_evaluate(b, err));
    stoic_draft_mark_live(b);
    TRY(stoic_draft_assemble(b, out, err));
done:
    stoic_builder_free(b);
    return status;
}
