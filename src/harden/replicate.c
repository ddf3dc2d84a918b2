/* A model through the builder again: what reading its file would give. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "harden/pass.h"

typedef struct replica {
    const stoic_model *model;
    stoic_builder *builder;
    int copies, copy;   /* from 0 */
    char tag[32];       /* behind a name: which run it is of; no name of the model has it */
    char (*names)[320]; /* room for the operands of a node */
    const char **list;
} replica;

static void run_name(const replica *r, const char *name, int copy, char out[320]) {
    snprintf(out, 320, "%.256s%s%d", name, r->tag, copy + 1);
}

/* A network that runs three times already has names with a tag. */
static void choose_tag(replica *r) {
    const stoic_model *m = r->model;
    bool taken = true;
    for (int n = 1; taken; n++) {
        snprintf(r->tag, sizeof r->tag, "/run%.0d.", n - 1);
        taken = false;
        for (size_t v = 0; v < m->n_values && !taken; v++)
            taken = strstr(m->values[v].name, r->tag) != NULL;
    }
}

/* What a value is called in this copy: constants and the image are shared. The output's name stays
 * for what is voted. */
static const char *value_name(replica *r, int value, size_t slot) {
    const stoic_value *v = value < 0 ? NULL : &r->model->values[value];
    if (!v)
        return "";
    if (v->producer < 0 || (r->copy == 0 && (r->copies == 1 || value != r->model->output)))
        return v->name;
    run_name(r, v->name, r->copy, r->names[slot]);
    return r->names[slot];
}

static stoic_status add_node(replica *r, const stoic_node *n, stoic_error *err) {
    stoic_attr *attrs;
    char name[320];
    size_t slot = 0;
    const char **in = r->list, **out = r->list + n->n_in;
    for (size_t k = 0; k < n->n_in; k++, slot++)
        in[k] = value_name(r, n->in[k], slot);
    for (size_t k = 0; k < n->n_out; k++, slot++)
        out[k] = value_name(r, n->out[k], slot);
    run_name(r, n->name, r->copy, name);
    stoic_status status = stoic_attrs_copy(n, &attrs, err);
    if (status != STOIC_OK)
        return status;
    return stoic_builder_node(r->builder, r->copy ? name : n->name, n->op, attrs, n->n_attrs, in,
                              n->n_in, out, n->n_out, err);
}

static stoic_status add_vote(replica *r, stoic_error *err) {
    const char *output = r->model->values[r->model->output].name;
    char runs[3][320], agree[320], vote[320];
    for (int i = 0; i < 3; i++)
        run_name(r, output, i, runs[i]);
    snprintf(agree, sizeof agree, "%.256s%sagree", output, r->tag);
    snprintf(vote, sizeof vote, "%.256s%svote", output, r->tag);
    const char *equal_out = agree;
    stoic_status status =
        stoic_builder_node(r->builder, agree, &stoic_op_equal, NULL, 0,
                           (const char *[]){runs[0], runs[1]}, 2, &equal_out, 1, err);
    if (status != STOIC_OK)
        return status;
    return stoic_builder_node(r->builder, vote, &stoic_op_where, NULL, 0,
                              (const char *[]){agree, runs[0], runs[2]}, 3, &output, 1, err);
}

static stoic_status add_all(replica *r, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_model *m = r->model;
    stoic_builder_ir_version(r->builder, m->ir_version);
    TRY(stoic_builder_input(r->builder, m->values[m->input].name, &m->values[m->input].shape, err));
    for (size_t v = 0; v < m->n_values; v++) {
        if (m->values[v].constant)
            TRY(stoic_builder_constant(r->builder, m->values[v].name, m->values[v].constant, err));
    }
    for (r->copy = 0; r->copy < r->copies; r->copy++) {
        for (size_t i = 0; i < m->n_nodes; i++)
            TRY(add_node(r, &m->nodes[i], err));
    }
    if (r->copies == 3)
        TRY(add_vote(r, err));
    TRY(stoic_builder_output(r->builder, m->values[m->output].name, err));
    for (size_t i = 0; i < m->n_meta; i++)
        TRY(stoic_builder_meta(r->builder, m->meta[i].key, m->meta[i].value, err));
done:
    return status;
}

stoic_status stoic_model_replicate(const stoic_model *m, int copies, stoic_model **out,
                                   stoic_error *err) {
    stoic_status status = STOIC_OK;
    replica r = {.model = m, .copies = copies};
    size_t most = 1;
    for (size_t i = 0; i < m->n_nodes; i++) {
        size_t operands = m->nodes[i].n_in + m->nodes[i].n_out;
        most = operands > most ? operands : most;
    }
    *out = NULL;
    choose_tag(&r);
    r.names = calloc(most, sizeof *r.names);
    r.list = calloc(most, sizeof *r.list);
    if (!r.names || !r.list) {
        status = stoic_fail_memory(err, "names", most * sizeof *r.names);
        goto done;
    }
    TRY(stoic_builder_create(m->name, m->opset, &r.builder, err));
    TRY(add_all(&r, err));
    stoic_builder *builder = r.builder;
    r.builder = NULL;
    TRY(stoic_builder_finish(builder, out, err));
done:
    stoic_builder_free(r.builder);
    free(r.names);
    free((void *)r.list);
    return status;
}
