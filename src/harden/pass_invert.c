/*
 * invert: convolution, activation, normalisation instead of convolution, normalisation, activation,
 * in the stem and in the first convolution of each residual block (DieHardNet, paper 4).
 *
 * A normalisation behind the activation brings a corrupted map back into range before the next
 * layer multiplies it. The function is another one: the network must be trained afterwards.
 */
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "harden/pass.h"

/* A convolution and what belongs to it; `inverted`: in the order that is wanted already. */
typedef struct triple {
    int norm, act;
    int end; /* the value behind the activation and its filters */
    bool inverted;
} triple;

static bool is_norm(const stoic_model *m, int node, int value) {
    return node >= 0 && m->nodes[node].op == &stoic_op_batch_normalization &&
           m->nodes[node].in[0] == value;
}

static bool is_activation(const stoic_model *m, int node) {
    return node >= 0 && stoic_anatomy_is_activation(&m->nodes[node]);
}

/* FitAct is read in several places: it is no single node that could change places. */
static bool is_spread(const stoic_anatomy *a, int end) {
    stoic_choice choice;
    return stoic_anatomy_choice(a, end, &choice) >= 0;
}

static bool find_triple(const stoic_anatomy *a, int conv, triple *t) {
    const stoic_model *m = a->model;
    int sums = m->nodes[conv].out[0], next = stoic_anatomy_sole(a, sums);
    t->inverted = is_activation(m, next);
    if (t->inverted) {
        t->act = next;
        t->end = stoic_anatomy_filtered(a, m->nodes[next].out[0]);
        t->norm = stoic_anatomy_sole(a, t->end);
        return is_norm(m, t->norm, t->end);
    }
    t->norm = next;
    if (!is_norm(m, next, sums))
        return false;
    t->act = stoic_anatomy_sole(a, m->nodes[next].out[0]);
    if (!is_activation(m, t->act))
        return false;
    t->end = stoic_anatomy_filtered(a, m->nodes[t->act].out[0]);
    return !is_spread(a, t->end);
}

static stoic_status invert(stoic_pass_run *run, int conv, stoic_error *err) {
    const stoic_model *m = run->model;
    triple t;
    if (!find_triple(run->anatomy, conv, &t))
        return stoic_pass_refuse(
            run, conv, "needs a BatchNormalization and an activation behind it, and nothing else",
            err);
    if (t.inverted)
        return STOIC_OK;
    stoic_graft_readers(run, t.end, m->nodes[t.norm].out[0]);
    stoic_rewrite_input(run->rewrite, t.act, 0, m->nodes[conv].out[0]);
    stoic_rewrite_input(run->rewrite, t.norm, 0, t.end);
    return stoic_pass_changed(run, conv, err, "'%s' (%s) before '%s'", m->nodes[t.act].name,
                              m->nodes[t.act].op->name, m->nodes[t.norm].name);
}

/* ---- residual blocks ---- */

static int computed_inputs(const stoic_model *m, const stoic_node *n) {
    int count = 0;
    for (size_t k = 0; k < n->n_in; k++)
        count += n->in[k] >= 0 && !m->values[n->in[k]].constant;
    return count;
}

/* The value that `value` is computed from alone, -1: from several, or from nothing. */
static int step_back(const stoic_anatomy *a, int value) {
    const stoic_model *m = a->model;
    int before = stoic_anatomy_unfiltered(a, value), node = m->values[value].producer;
    if (before != value)
        return before;
    return node >= 0 && computed_inputs(m, &m->nodes[node]) == 1 ? m->nodes[node].in[0] : -1;
}

static bool lies_behind(const stoic_anatomy *a, int value, int source) {
    while (value >= 0 && value != source)
        value = step_back(a, value);
    return value >= 0;
}

/* The convolutions from `source` to `value`, and the first of them. */
static int count_convs(const stoic_anatomy *a, int value, int source, int *first) {
    int count = 0;
    for (; value != source; value = step_back(a, value)) {
        int node = a->model->values[value].producer;
        if (a->model->nodes[node].op == &stoic_op_conv) {
            *first = node;
            count++;
        }
    }
    return count;
}

/* The first convolution of the longer way into a sum; -1: the ways come from nowhere together. */
static int block_start(const stoic_anatomy *a, const stoic_node *add) {
    for (int source = add->in[0]; source >= 0; source = step_back(a, source)) {
        int one = -1, other = -1;
        if (!lies_behind(a, add->in[1], source))
            continue;
        int n = count_convs(a, add->in[0], source, &one);
        return count_convs(a, add->in[1], source, &other) > n ? other : one;
    }
    return -1;
}

static bool joins(const stoic_model *m, const stoic_node *n) {
    return n->op == &stoic_op_add && computed_inputs(m, n) == 2;
}

static stoic_status invert_once(stoic_pass_run *run, bool *done, int conv, stoic_error *err) {
    if (done[conv])
        return STOIC_OK;
    done[conv] = true;
    return invert(run, conv, err);
}

static stoic_status apply(stoic_pass_run *run, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_model *m = run->model;
    if (m->n_layers == 0)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "%s: the network has no layer",
                          run->text);
    if (m->nodes[m->layer_nodes[0]].op != &stoic_op_conv)
        return stoic_pass_refuse(run, m->layer_nodes[0], "needs a convolution as the first layer",
                                 err);
    bool *done = calloc(m->n_nodes, sizeof *done);
    if (!done)
        return stoic_fail_memory(err, "inverted blocks", m->n_nodes);
    TRY(invert_once(run, done, m->layer_nodes[0], err));
    for (size_t i = 0; i < m->n_nodes; i++) {
        if (!joins(m, &m->nodes[i]))
            continue;
        int conv = block_start(run->anatomy, &m->nodes[i]);
        if (conv < 0) {
            status = stoic_pass_refuse(
                run, (int)i, "finds no residual block with convolutions in front of it", err);
            goto done;
        }
        TRY(invert_once(run, done, conv, err));
    }
done:
    free(done);
    return status;
}

const stoic_pass stoic_pass_invert = {
    .name = "invert",
    .fallback = NAN,
    .after = "the network computes something else now: train it before it is used",
    .apply = apply};
