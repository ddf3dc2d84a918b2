#include "harden/anatomy.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "op/geometry.h"

stoic_status stoic_anatomy_init(stoic_anatomy *a, const stoic_model *m, stoic_error *err) {
    *a = (stoic_anatomy){.model = m};
    a->readers = calloc(m->n_values + 1, sizeof *a->readers);
    a->reader = malloc((m->n_values + 1) * sizeof *a->reader);
    if (!a->readers || !a->reader)
        return stoic_fail_memory(err, "a look at the model", m->n_values * 8);
    for (size_t v = 0; v < m->n_values; v++)
        a->reader[v] = -1;
    for (size_t i = 0; i < m->n_nodes; i++) {
        for (size_t k = 0; k < m->nodes[i].n_in; k++) {
            if (m->nodes[i].in[k] < 0)
                continue;
            a->readers[m->nodes[i].in[k]]++;
            a->reader[m->nodes[i].in[k]] = (int)i;
        }
    }
    a->readers[m->output]++;
    return STOIC_OK;
}

void stoic_anatomy_deinit(stoic_anatomy *a) {
    free(a->readers);
    free(a->reader);
}

int stoic_anatomy_sole(const stoic_anatomy *a, int value) {
    return a->readers[value] == 1 ? a->reader[value] : -1;
}

int stoic_anatomy_alarm(const stoic_anatomy *a) {
    for (size_t i = 0; i < a->model->n_nodes; i++) {
        if (a->model->nodes[i].op == &stoic_op_alarm)
            return (int)i;
    }
    return -1;
}

bool stoic_anatomy_is_activation(const stoic_node *node) {
    static const stoic_op *const ops[] = {
        &stoic_op_relu, &stoic_op_clip,         &stoic_op_leaky_relu, &stoic_op_sigmoid,
        &stoic_op_tanh, &stoic_op_hard_sigmoid, &stoic_op_hard_swish};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (node->op == ops[i])
            return true;
    }
    return false;
}

bool stoic_anatomy_bounds(const stoic_model *m, int node, double *low, double *high) {
    const stoic_node *n = &m->nodes[node];
    stoic_operand in[3], out[1];
    stoic_op_call call;
    *low = 0;
    *high = INFINITY;
    if (n->op == &stoic_op_relu)
        return true;
    if (n->op != &stoic_op_clip)
        return false;
    stoic_model_call(m, (size_t)node, in, out, &call);
    return stoic_clip_bounds(&call, low, high, NULL) == STOIC_OK;
}

int stoic_anatomy_choice(const stoic_anatomy *a, int value, stoic_choice *out) {
    const stoic_model *m = a->model;
    for (size_t i = 0; i < m->n_nodes; i++) {
        const stoic_node *n = &m->nodes[i];
        if (n->op != &stoic_op_where || n->in[2] != value)
            continue;
        int test = m->values[n->in[0]].producer;
        if (test >= 0 && stoic_anatomy_sole(a, n->in[0]) == (int)i &&
            stoic_choice_find(m, test, (int)i, out))
            return (int)i;
    }
    return -1;
}

/* One choice further, or `value`. */
static int next_filtered(const stoic_anatomy *a, int value, stoic_choice *choice) {
    int where = a->readers[value] == 2 ? stoic_anatomy_choice(a, value, choice) : -1;
    return where >= 0 && choice->kind != STOIC_CHOICE_BELOW && choice->with == 0 &&
                   choice->limit < FLT_MAX
               ? a->model->nodes[where].out[0]
               : value;
}

int stoic_anatomy_filtered(const stoic_anatomy *a, int value) {
    stoic_choice choice;
    for (int next; (next = next_filtered(a, value, &choice)) != value;)
        value = next;
    return value;
}

bool stoic_anatomy_has(const stoic_anatomy *a, int value, stoic_choice_kind kind) {
    stoic_choice choice;
    for (int next; (next = next_filtered(a, value, &choice)) != value; value = next) {
        if (choice.kind == kind)
            return true;
    }
    return false;
}

int stoic_anatomy_unfiltered(const stoic_anatomy *a, int value) {
    for (;;) {
        stoic_choice choice;
        int node = a->model->values[value].producer;
        if (node < 0 || a->model->nodes[node].op != &stoic_op_where)
            return value;
        int source = a->model->nodes[node].in[2];
        if (next_filtered(a, source, &choice) != value)
            return value;
        value = source;
    }
}
