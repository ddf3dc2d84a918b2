/*
 * How far float32 may be from exact arithmetic: a network run in double by the operators' own
 * definitions, and beside every value a bound e of what rounding can have done to it.
 *
 *   layer     e' = |W| e + gamma_n (|W| (|x| + e) + |b|),   gamma_n = (n + 4) u, u = 2^-24
 *   others    e' = Lipschitz constant * e + a few u times the magnitudes involved
 *
 * It holds for any order of summation, with or without fused multiply-adds.
 */
#ifndef STOIC_TEST_ROUNDING_BOUND_H
#define STOIC_TEST_ROUNDING_BOUND_H

#include "exec_kit.h"

typedef struct bounded {
    double *x, *e;
    int64_t n;
} bounded;

static const double bound_unit = 0x1.1p-24;

static inline double *bound_room(int64_t n) {
    double *room = calloc((size_t)(n ? n : 1), sizeof *room);
    assert_non_null(room);
    return room;
}

/* Runs a node's definition with its inputs replaced by fn(value, error) (NULL: the value); the
 * constants' too if `constants`. */
typedef double (*bound_view)(double x, double e);

static inline double view_error(double x, double e) {
    (void)x;
    return e;
}

static inline double view_size(double x, double e) {
    return fabs(x) + e;
}

static inline void bound_reference(const stoic_model *m, size_t node, const bounded *values,
                                   bound_view view, bool constants, bool bias, double *out) {
    const stoic_node *n = &m->nodes[node];
    stoic_operand in[64], outs[8];
    stoic_op_call call;
    const double *x[64];
    double *made[64] = {0}, *y[8] = {out};
    stoic_model_call(m, node, in, outs, &call);
    for (size_t k = 0; k < n->n_in; k++) {
        const bounded *v = n->in[k] < 0 ? NULL : &values[n->in[k]];
        bool viewed = v && view && (!m->values[n->in[k]].constant || constants);
        x[k] = v ? v->x : NULL;
        if (!viewed)
            continue;
        x[k] = made[k] = bound_room(v->n);
        for (int64_t i = 0; i < v->n; i++) {
            bool constant = m->values[n->in[k]].constant != NULL;
            made[k][i] = constant ? (k == 2 && !bias ? 0 : fabs(v->x[i])) : view(v->x[i], v->e[i]);
        }
    }
    MUST(n->op->reference(&call, x, y, err));
    for (size_t k = 0; k < n->n_in; k++)
        free(made[k]);
}

static inline void bound_layer(const stoic_model *m, size_t node, const bounded *values,
                               bounded *y) {
    const stoic_node *n = &m->nodes[node];
    double *size = bound_room(y->n);
    const stoic_shape *shape = stoic_tensor_shape(m->values[n->in[1]].constant);
    /* the products in one sum: all weights but one dimension, which never is less than the sum's */
    int64_t outputs = n->op == &stoic_op_conv ? shape->dim[0] : m->values[n->out[0]].shape.dim[1];
    double terms = (double)(values[n->in[1]].n / outputs) + 4;
    bound_reference(m, node, values, view_error, true, false, y->e);
    bound_reference(m, node, values, view_size, true, true, size);
    for (int64_t i = 0; i < y->n; i++)
        y->e[i] += terms * bound_unit * size[i];
    free(size);
}

static inline void bound_norm(const stoic_model *m, size_t node, const bounded *values,
                              bounded *y) {
    const stoic_node *n = &m->nodes[node];
    const bounded *x = &values[n->in[0]];
    int64_t channels = values[n->in[1]].n, inner = 1;
    const stoic_shape *shape = &m->values[n->in[0]].shape;
    for (int i = 2; i < shape->rank; i++)
        inner *= shape->dim[i];
    for (int64_t i = 0; i < y->n; i++) {
        int64_t c = i / inner % channels;
        double a = fabs(values[n->in[1]].x[c]) / sqrt(values[n->in[4]].x[c] + 1e-5);
        double size = a * (fabs(x->x[i]) + x->e[i] + fabs(values[n->in[3]].x[c])) +
                      fabs(values[n->in[2]].x[c]);
        y->e[i] = a * x->e[i] + 6 * bound_unit * size;
    }
}

static inline double bound_slope(const stoic_model *m, size_t node) {
    stoic_operand in[64], out[8];
    stoic_op_call call;
    stoic_model_call(m, node, in, out, &call);
    const stoic_op *op = call.op;
    if (op == &stoic_op_leaky_relu)
        return fmax(1, fabs(stoic_attr_float(&call, "alpha", 0.01)));
    return op == &stoic_op_sigmoid ? 0.25 : op == &stoic_op_hard_swish ? 1.5 : 1;
}

/* Which element of operand k meets element i of the output: one number a channel, or the last axes.
 */
static inline int64_t bound_meets(const stoic_model *m, const stoic_node *n, int k, int64_t count,
                                  int64_t i) {
    const stoic_value *v = &m->values[n->in[k]];
    const stoic_shape *shape = v->constant ? stoic_tensor_shape(v->constant) : &v->shape;
    const stoic_shape *out = &m->values[n->out[0]].shape;
    const int r = shape->rank;
    if (out->rank == 4 && r >= 3 && shape->dim[r - 1] == 1 && shape->dim[r - 2] == 1)
        i /= out->dim[2] * out->dim[3];
    return i % count;
}

static inline void bound_pair(const stoic_model *m, const stoic_node *n, const bounded *values,
                              bounded *y) {
    const bounded *a = &values[n->in[0]], *b = &values[n->in[1]];
    for (int64_t i = 0; i < y->n; i++) {
        const int64_t p = bound_meets(m, n, 0, a->n, i), q = bound_meets(m, n, 1, b->n, i);
        double ea = a->e[p], eb = b->e[q];
        if (n->op == &stoic_op_mul)
            y->e[i] = fabs(a->x[p]) * eb + fabs(b->x[q]) * ea + ea * eb;
        else if (n->op == &stoic_op_div)
            y->e[i] = (ea + fabs(y->x[i]) * eb) / (fabs(b->x[q]) - eb);
        else
            y->e[i] = ea + eb;
    }
}

static inline void bound_softmax(const stoic_node *n, const bounded *values, bounded *y) {
    const bounded *x = &values[n->in[0]];
    double most = 0;
    for (int64_t i = 0; i < x->n; i++)
        most = fmax(most, x->e[i] + bound_unit * fabs(x->x[i]));
    for (int64_t i = 0; i < y->n; i++)
        y->e[i] = n->op == &stoic_op_softmax ? y->x[i] * expm1(2 * most) : 2 * most;
}

static inline void bound_node(const stoic_model *m, size_t node, const bounded *values,
                              bounded *y) {
    const stoic_node *n = &m->nodes[node];
    const stoic_op *op = n->op;
    double *size = bound_room(y->n);
    bound_reference(m, node, values, NULL, false, true, y->x);
    if (n->layer >= 0) {
        bound_layer(m, node, values, y);
    } else if (op == &stoic_op_batch_normalization) {
        bound_norm(m, node, values, y);
    } else if (op == &stoic_op_softmax || op == &stoic_op_log_softmax) {
        bound_softmax(n, values, y);
    } else if (op == &stoic_op_add || op == &stoic_op_sub || op == &stoic_op_mul ||
               op == &stoic_op_div) {
        bound_pair(m, n, values, y);
    } else if (m->values[n->out[0]].dtype == STOIC_BOOL) {
        for (int64_t i = 0; i < y->n; i++) /* NaN or not: no rounding changes that */
            y->e[i] = 0;
    } else if (op == &stoic_op_where) {
        for (int64_t i = 0; i < y->n; i++)
            y->e[i] = values[n->in[2]].e[i];
    } else if ((op->facts & STOIC_OP_MOVES) || op == &stoic_op_max_pool) {
        bound_reference(m, node, values, view_error, false, true, y->e);
    } else if (op->facts & STOIC_OP_ELEMENTWISE) {
        double slope = bound_slope(m, node);
        for (int64_t i = 0; i < y->n; i++) /* HardSwish and its like round x before they clip */
            y->e[i] = slope * values[n->in[0]].e[i] +
                      4 * bound_unit *
                          (fabs(values[n->in[0]].x[i]) < 8 ? fabs(values[n->in[0]].x[i]) + 1 : 1);
    } else { /* means */
        double terms = (double)values[n->in[0]].n / (double)y->n * 16 + 4;
        terms = fmin(terms, (double)values[n->in[0]].n + 4);
        bound_reference(m, node, values, view_error, false, true, y->e);
        bound_reference(m, node, values, view_size, false, true, size);
        for (int64_t i = 0; i < y->n; i++)
            y->e[i] += terms * bound_unit * size[i];
    }
    for (int64_t i = 0; i < y->n; i++)
        y->e[i] = fmax(y->e[i], 0) + 2 * bound_unit * (fabs(y->x[i]) + y->e[i]) + 1e-37;
    free(size);
}

/* Room for all values of a model; constants and their exact values are in place. */
static inline bounded *bound_values(const stoic_model *m) {
    bounded *values = calloc(m->n_values, sizeof *values);
    assert_non_null(values);
    for (size_t v = 0; v < m->n_values; v++) {
        const stoic_tensor *t = m->values[v].constant;
        values[v].n = t ? stoic_tensor_count(t) : stoic_shape_count(&m->values[v].shape);
        values[v].x = bound_room(values[v].n);
        values[v].e = bound_room(values[v].n);
        for (int64_t i = 0; t && i < values[v].n; i++)
            values[v].x[i] = stoic_tensor_get(t, i);
    }
    return values;
}

static inline void bound_values_free(const stoic_model *m, bounded *values) {
    for (size_t v = 0; v < m->n_values; v++) {
        free(values[v].x);
        free(values[v].e);
    }
    free(values);
}

/* The exact outputs of one image, as far as double goes, and their bounds. */
static inline void bound_image(const stoic_model *m, const float *image, double *x, double *e) {
    bounded *values = bound_values(m);
    for (int64_t i = 0; i < values[m->input].n; i++)
        values[m->input].x[i] = (double)image[i];
    for (size_t i = 0; i < m->n_nodes; i++)
        bound_node(m, i, values, &values[m->nodes[i].out[0]]);
    memcpy(x, values[m->output].x, (size_t)values[m->output].n * sizeof *x);
    memcpy(e, values[m->output].e, (size_t)values[m->output].n * sizeof *e);
    bound_values_free(m, values);
}

#endif
