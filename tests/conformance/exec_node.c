#include "exec_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/graph.h"
#include "stoic/session.h"

static stoic_status refuse(char reason[256], const char *text) {
    snprintf(reason, 256, "%.255s", text);
    return STOIC_ERR_UNSUPPORTED;
}

static void *copied(const void *from, size_t bytes) {
    void *copy = malloc(bytes ? bytes : 1);
    if (copy && bytes)
        memcpy(copy, from, bytes);
    return copy;
}

/* A deep copy, without what opset 7 dropped and without repetitions. */
static stoic_attr *copy_attrs(const pb_node *node, int opset, size_t *count) {
    stoic_attr *attrs = calloc(node->n_attrs + 1, sizeof *attrs);
    *count = 0;
    for (size_t i = 0; attrs && i < node->n_attrs; i++) {
        const stoic_attr *from = &node->attrs[i];
        bool skip = opset < 7 &&
                    (strcmp(from->name, "is_test") == 0 || strcmp(from->name, "broadcast") == 0);
        for (size_t k = 0; k < *count; k++)
            skip = skip || strcmp(attrs[k].name, from->name) == 0;
        if (skip)
            continue;
        stoic_attr *to = &attrs[(*count)++];
        *to = *from;
        to->name = strdup(from->name);
        to->s = from->s ? strdup(from->s) : NULL;
        /* `count` is of the list that the kind names; the other is empty */
        bool ints = from->kind == STOIC_ATTR_INTS, floats = from->kind == STOIC_ATTR_FLOATS;
        to->ints = ints ? copied(from->ints, from->count * sizeof *from->ints) : NULL;
        to->floats = floats ? copied(from->floats, from->count * sizeof *from->floats) : NULL;
        to->tensor = from->tensor ? stoic_tensor_retain(from->tensor) : NULL;
    }
    return attrs;
}

static stoic_status add_nodes(const pb_model *model, stoic_builder *b, stoic_error *err) {
    for (size_t i = 0; i < model->n_nodes; i++) {
        const pb_node *node = &model->nodes[i];
        char name[32];
        size_t count;
        stoic_attr *attrs = copy_attrs(node, model->opset, &count);
        snprintf(name, sizeof name, "node%zu", i);
        stoic_status status =
            stoic_builder_node(b, name, stoic_op_find(node->domain, node->type), attrs, count,
                               (const char *const *)node->in, node->n_in,
                               (const char *const *)node->out, node->n_out, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

/* The model with a free batch; *image is the value the test gives it. */
static stoic_status build(const pb_model *model, const named *values, size_t n, stoic_model **out,
                          const stoic_tensor **image, char reason[256]) {
    stoic_builder *b = NULL;
    stoic_error err = {.message = ""};
    const char *first = NULL;
    for (size_t i = 0; !first && i < model->n_inputs; i++) {
        bool initialised = false;
        for (size_t k = 0; k < model->n_initializers; k++)
            initialised =
                initialised || strcmp(model->initializers[k].name, model->inputs[i].name) == 0;
        first = initialised ? NULL : model->inputs[i].name;
    }
    if (!first)
        return refuse(reason, "nothing is computed from an input");
    stoic_status status =
        stoic_builder_create("test", model->opset < 7 ? 7 : model->opset, &b, &err);
    for (size_t i = 0; status == STOIC_OK && i < n; i++) {
        if (strcmp(values[i].name, first) != 0) {
            status = stoic_builder_constant(b, values[i].name, values[i].tensor, &err);
            continue;
        }
        stoic_shape shape = *stoic_tensor_shape(values[i].tensor);
        *image = values[i].tensor;
        if (shape.rank < 1 || stoic_tensor_dtype(values[i].tensor) != STOIC_F32) {
            stoic_builder_free(b);
            return refuse(reason, "the first input is not a batch of float32 images");
        }
        shape.dim[0] = 1;
        status = stoic_builder_input(b, first, &shape, &err);
    }
    if (status == STOIC_OK)
        status = add_nodes(model, b, &err);
    if (status == STOIC_OK)
        status = stoic_builder_output(b, model->outputs[0].name, &err);
    if (status == STOIC_OK)
        status = stoic_builder_finish(b, out, &err);
    else
        stoic_builder_free(b);
    return status == STOIC_OK ? STOIC_OK : refuse(reason, err.message);
}

stoic_status exec_node_run(const pb_model *model, const named *values, size_t n, stoic_tensor **out,
                           char reason[256]) {
    stoic_model *network = NULL;
    stoic_program *program = NULL;
    stoic_session *session = NULL;
    const stoic_tensor *image = NULL;
    stoic_error err = {.message = ""};
    stoic_status status = build(model, values, n, &network, &image, reason);
    if (status != STOIC_OK)
        return status;
    int64_t batch = stoic_tensor_shape(image)->dim[0];
    stoic_shape shape = *stoic_model_output_shape(network);
    if (shape.rank < 1 || shape.dim[0] != 1) {
        stoic_model_free(network);
        return refuse(reason, "the output has no batch");
    }
    shape.dim[0] = batch;
    status = stoic_program_compile(network, NULL, &program, &err);
    if (status == STOIC_OK)
        status = stoic_session_create(program, &session, &err);
    if (status == STOIC_OK)
        status = stoic_tensor_create(STOIC_F32, &shape, out, &err);
    if (status == STOIC_OK)
        status = stoic_session_run(session, stoic_tensor_data(image), batch,
                                   stoic_tensor_mutable_data(*out), &err);
    if (status != STOIC_OK)
        snprintf(reason, 256, "%.255s", err.message);
    stoic_session_free(session);
    stoic_program_free(program);
    stoic_model_free(network);
    return status == STOIC_ERR_UNSUPPORTED ? STOIC_ERR_INTERNAL : status;
}
