/* What hardening puts into a graph, in operators that every runtime of ONNX knows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "harden/pass.h"

/* Clip takes its bounds as inputs from here on, as attributes before. */
enum { CLIP_BY_INPUTS = 11 };

stoic_status stoic_graft_scalar(stoic_pass_run *run, const char *name, float value, int *out,
                                stoic_error *err) {
    const stoic_shape shape = {.rank = 0};
    stoic_tensor *tensor = NULL;
    stoic_status status = stoic_tensor_create(STOIC_F32, &shape, &tensor, err);
    if (status != STOIC_OK)
        return status;
    *(float *)stoic_tensor_mutable_data(tensor) = value;
    status = stoic_rewrite_constant(run->rewrite, name, tensor, out, err);
    stoic_tensor_free(tensor);
    return status;
}

static stoic_status float_attrs(const float values[2], stoic_attr **out, stoic_error *err) {
    static const char *const names[] = {"max", "min"};
    stoic_attr *attrs = calloc(2, sizeof *attrs);
    bool fine = attrs != NULL;
    for (int i = 0; i < 2 && fine; i++) {
        attrs[i].kind = STOIC_ATTR_FLOAT;
        attrs[i].f = values[i];
        fine = (attrs[i].name = strdup(names[i])) != NULL;
    }
    *out = attrs;
    if (fine)
        return STOIC_OK;
    if (attrs)
        stoic_attrs_free(attrs, 2);
    *out = NULL;
    return stoic_fail_memory(err, "an attribute", sizeof *attrs);
}

/* The inputs and attributes of a Clip, as the model's opset has them. */
static stoic_status clip_parts(stoic_pass_run *run, const char *name, float low, float high,
                               int in[3], size_t *n_in, stoic_attr **attrs, size_t *n_attrs,
                               stoic_error *err) {
    stoic_status status = STOIC_OK;
    char text[256];
    *attrs = NULL;
    *n_attrs = 0;
    *n_in = 1;
    if (run->model->opset < CLIP_BY_INPUTS) {
        *n_attrs = 2;
        return float_attrs((const float[]){high, low}, attrs, err);
    }
    snprintf(text, sizeof text, "%.200s_low", name);
    TRY(stoic_graft_scalar(run, text, low, &in[1], err));
    snprintf(text, sizeof text, "%.200s_high", name);
    TRY(stoic_graft_scalar(run, text, high, &in[2], err));
    *n_in = 3;
done:
    return status;
}

stoic_status stoic_graft_clip(stoic_pass_run *run, int node, float low, float high,
                              stoic_error *err) {
    const stoic_node *n = &run->model->nodes[node];
    int in[3] = {n->in[0]};
    size_t n_in, n_attrs;
    stoic_attr *attrs;
    stoic_status status = clip_parts(run, n->name, low, high, in, &n_in, &attrs, &n_attrs, err);
    if (status == STOIC_OK)
        status =
            stoic_rewrite_become(run->rewrite, node, &stoic_op_clip, attrs, n_attrs, in, n_in, err);
    return status;
}

stoic_status stoic_graft_clip_behind(stoic_pass_run *run, int value, float low, float high,
                                     stoic_error *err) {
    int in[3] = {value}, out;
    size_t n_in, n_attrs;
    stoic_attr *attrs;
    char name[256];
    snprintf(name, sizeof name, "%.200s_bounded", run->model->values[value].name);
    stoic_status status = clip_parts(run, name, low, high, in, &n_in, &attrs, &n_attrs, err);
    if (status == STOIC_OK)
        status = stoic_rewrite_node(run->rewrite, name, &stoic_op_clip, attrs, n_attrs, in, n_in,
                                    &out, err);
    if (status == STOIC_OK)
        stoic_graft_readers(run, value, out);
    return status;
}

stoic_status stoic_graft_choice(stoic_pass_run *run, int value, const char *name,
                                const stoic_op *test, float limit, float with, int *out,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    const char *of = run->model->values[value].name;
    int holds, in[2] = {value, -1}, choose[3] = {-1, -1, value};
    size_t n_in = test == &stoic_op_is_nan ? 1 : 2;
    char text[256];
    if (n_in == 2) {
        snprintf(text, sizeof text, "%.180s_%s_limit", of, name);
        TRY(stoic_graft_scalar(run, text, limit, &in[1], err));
    }
    snprintf(text, sizeof text, "%.180s_%s_instead", of, name);
    TRY(stoic_graft_scalar(run, text, with, &choose[1], err));
    snprintf(text, sizeof text, "%.180s_%s_holds", of, name);
    TRY(stoic_rewrite_node(run->rewrite, text, test, NULL, 0, in, n_in, &holds, err));
    choose[0] = holds;
    snprintf(text, sizeof text, "%.180s_%s", of, name);
    TRY(stoic_rewrite_node(run->rewrite, text, &stoic_op_where, NULL, 0, choose, 3, out, err));
done:
    return status;
}

void stoic_graft_readers(stoic_pass_run *run, int value, int with) {
    const stoic_model *m = run->model;
    for (size_t i = 0; i < m->n_nodes; i++) {
        for (size_t k = 0; k < m->nodes[i].n_in; k++) {
            if (m->nodes[i].in[k] == value)
                stoic_rewrite_input(run->rewrite, (int)i, k, with);
        }
    }
    if (value == m->output)
        stoic_rewrite_output(run->rewrite, with);
}
