/*
 * The plain training step: what a network's gradient is, in double, one operator after the other,
 * by the operators' own reference() and backward(). Slow, and short enough to be checked by eye;
 * the fast trainer is tested against it.
 *
 *   plain_net *net = plain_create(model, images, training);
 *   plain_forward(net, pixels);                          values of the network: net->values
 *   loss = plain_cross_entropy(net->values[v], ..., g);  plain_loss.h
 *   plain_backward(net, v, g);                           gradients: net->grads
 *   plain_free(net);
 *
 * Nothing is rounded to float. What fails, fails the test.
 */
#ifndef STOIC_TEST_PLAIN_GRADIENT_H
#define STOIC_TEST_PLAIN_GRADIENT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/graph.h"

/* One element of the map of one image, hit as soon as it is computed: it is multiplied by `by`, and
 * its gradient too; or, with `replace`, it becomes `by`, and its gradient 0. Faults of one element
 * act in the order of the list. The network's input can be hit as well. */
typedef struct plain_fault {
    int64_t image;
    int value;     /* number in model->values */
    int64_t index; /* element of one image's map, row-major */
    double by;
    bool replace;
} plain_fault;

typedef struct plain_net {
    const stoic_model *model;
    int64_t images;
    const bool *training; /* for each node, read where it is a BatchNormalization; NULL: none */
    const plain_fault *faults;
    size_t n_faults;

    /* For each value. A computed one has the images one after the other; a constant is as the
     * model has it, and may be changed between two forward passes. */
    double **values;
    /* After plain_backward(): for constant float tensors, summed over the images, zeros where
     * nothing reached them; for computed values and the input in front of the faults on them, or
     * NULL where nothing reached them. */
    double **grads;
    /* For each BatchNormalization in training, one number a channel: the mean of the batch, and
     * its unbiased variance, which is what running statistics take (NaN over one element). */
    double **batch_mean, **batch_variance;
} plain_net;

static inline int64_t plain_count(const plain_net *net, int value) {
    return stoic_shape_count(&net->model->values[value].shape);
}

static inline bool plain_is_float(const plain_net *net, int value) {
    stoic_dtype dtype = net->model->values[value].dtype;
    return dtype == STOIC_F32 || dtype == STOIC_F64;
}

static inline double *plain_zeros(int64_t count) {
    double *zeros = calloc((size_t)count + 1, sizeof *zeros);
    assert_non_null(zeros);
    return zeros;
}

static inline double **plain_table(size_t count) {
    double **table = calloc(count + 1, sizeof *table);
    assert_non_null(table);
    return table;
}

static inline void plain_table_free(double **table, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(table[i]);
    free(table);
}

/* `model` and `training` are borrowed, and so are faults set later. */
static inline plain_net *plain_create(const stoic_model *model, int64_t images,
                                      const bool *training) {
    plain_net *net = calloc(1, sizeof *net);
    assert_non_null(net);
    *net = (plain_net){.model = model, .images = images, .training = training};
    net->values = plain_table(model->n_values);
    net->grads = plain_table(model->n_values);
    net->batch_mean = plain_table(model->n_nodes);
    net->batch_variance = plain_table(model->n_nodes);
    for (size_t v = 0; v < model->n_values; v++) {
        const stoic_tensor *constant = model->values[v].constant;
        net->values[v] = plain_zeros(plain_count(net, (int)v) * (constant ? 1 : images));
        for (int64_t i = 0; constant && i < plain_count(net, (int)v); i++)
            net->values[v][i] = stoic_tensor_get(constant, i);
    }
    return net;
}

static inline void plain_free(plain_net *net) {
    plain_table_free(net->values, net->model->n_values);
    plain_table_free(net->grads, net->model->n_values);
    plain_table_free(net->batch_mean, net->model->n_nodes);
    plain_table_free(net->batch_variance, net->model->n_nodes);
    free(net);
}

/* ---- faults ---- */

static inline void plain_hit(plain_net *net, int value) {
    for (size_t i = 0; i < net->n_faults; i++) {
        const plain_fault *f = &net->faults[i];
        if (f->value != value)
            continue;
        double *x = &net->values[value][f->image * plain_count(net, value) + f->index];
        *x = f->replace ? f->by : *x * f->by;
    }
}

static inline void plain_hit_backward(plain_net *net, int value) {
    for (size_t i = net->n_faults; i-- > 0;) {
        const plain_fault *f = &net->faults[i];
        if (f->value != value)
            continue;
        double *grad = &net->grads[value][f->image * plain_count(net, value) + f->index];
        *grad = f->replace ? 0 : *grad * f->by;
    }
}

/* ---- one node ---- */

enum { PLAIN_IN = 64, PLAIN_OUT = 8 };

typedef struct plain_call {
    stoic_op_call call;
    stoic_operand in_operands[PLAIN_IN], out_operands[PLAIN_OUT];
    const double *in[PLAIN_IN];
    double *out[PLAIN_OUT];
} plain_call;

/* Where the values of one image lie, in a table of values or gradients. */
static inline double *plain_at(const plain_net *net, double **table, int value, int64_t image) {
    if (value < 0 || !table[value])
        return NULL;
    return table[value] +
           (net->model->values[value].constant ? 0 : image * plain_count(net, value));
}

static inline void plain_call_fill(const plain_net *net, size_t node, int64_t image,
                                   plain_call *c) {
    const stoic_node *n = &net->model->nodes[node];
    assert_true(n->n_in <= PLAIN_IN && n->n_out <= PLAIN_OUT);
    stoic_model_call(net->model, node, c->in_operands, c->out_operands, &c->call);
    for (size_t i = 0; i < n->n_in; i++)
        c->in[i] = plain_at(net, net->values, n->in[i], image);
    for (size_t i = 0; i < n->n_out; i++)
        c->out[i] = plain_at(net, net->values, n->out[i], image);
}

static inline void plain_node_forward(plain_net *net, size_t node) {
    for (int64_t image = 0; image < net->images; image++) {
        stoic_error err = {.message = ""};
        plain_call c;
        plain_call_fill(net, node, image, &c);
        if (c.call.op->reference(&c.call, c.in, c.out, &err) != STOIC_OK)
            fail_msg("%s: %s", c.call.node, err.message);
    }
}

static inline bool plain_is_hit(const plain_net *net, int value) {
    for (size_t i = 0; i < net->n_faults; i++)
        if (net->faults[i].value == value)
            return true;
    return false;
}

/* Adds to the gradients of what the node reads, which plain_backward() has made. */
static inline void plain_node_backward_image(plain_net *net, size_t node, int64_t image) {
    const stoic_node *n = &net->model->nodes[node];
    stoic_error err = {.message = ""};
    plain_call c;
    double *own[PLAIN_IN] = {0}; /* a node may read the same value twice */
    double *computed = plain_zeros(plain_count(net, n->out[0]));
    const double *grad_out[PLAIN_OUT] = {plain_at(net, net->grads, n->out[0], image)};
    plain_call_fill(net, node, image, &c);
    stoic_status status = STOIC_OK;
    if (plain_is_hit(net, n->out[0])) {
        /* the slope of a Sigmoid is that of what it computed, not of what became of it */
        c.out[0] = computed;
        status = c.call.op->reference(&c.call, c.in, c.out, &err);
    }
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && plain_is_float(net, n->in[i]))
            own[i] = plain_zeros(plain_count(net, n->in[i]));
    if (status == STOIC_OK)
        status =
            c.call.op->backward(&c.call, c.in, (const double *const *)c.out, grad_out, own, &err);
    if (status != STOIC_OK)
        fail_msg("%s: %s", c.call.node, err.message);
    for (size_t i = 0; i < n->n_in; i++) {
        double *to = plain_at(net, net->grads, n->in[i], image);
        for (int64_t k = 0; own[i] && k < plain_count(net, n->in[i]); k++)
            to[k] += own[i][k];
        free(own[i]);
    }
    free(computed);
}

static inline void plain_node_backward(plain_net *net, size_t node) {
    for (int64_t image = 0; image < net->images; image++)
        plain_node_backward_image(net, node, image);
}

/* ---- BatchNormalization in training: m elements a channel, over images and places ----
 *
 *   y = scale (x - mean) / s + bias,  s = sqrt(variance + epsilon),  variance = sum (x - mean)^2 /
 * m
 *
 * With h = (x - mean) / s, mean and variance being functions of x:
 *   d bias = sum dy    d scale = sum dy h    dx = scale / s (dy - d bias / m - h d scale / m)
 */
typedef struct plain_norm {
    const double *x, *scale, *bias;
    double *y;
    int64_t images, channels, plane;
    double epsilon, m;
} plain_norm;

static inline plain_norm plain_norm_of(const plain_net *net, size_t node) {
    const stoic_node *n = &net->model->nodes[node];
    const stoic_shape *shape = &net->model->values[n->in[0]].shape;
    plain_call c;
    assert_true(net->model->values[n->in[1]].constant && net->model->values[n->in[2]].constant);
    plain_call_fill(net, node, 0, &c);
    plain_norm norm = {.x = c.in[0],
                       .scale = c.in[1],
                       .bias = c.in[2],
                       .y = c.out[0],
                       .images = net->images,
                       .channels = shape->dim[1],
                       .plane = plain_count(net, n->in[0]) / shape->dim[1],
                       .epsilon = stoic_attr_float(&c.call, "epsilon", 1e-5f)};
    norm.m = (double)(norm.images * norm.plane);
    return norm;
}

/* Element k of channel c, k from 0 to m. */
static inline int64_t plain_norm_index(const plain_norm *n, int64_t c, int64_t k) {
    return (k / n->plane * n->channels + c) * n->plane + k % n->plane;
}

static inline double plain_norm_mean(const plain_norm *n, int64_t c) {
    double sum = 0;
    for (int64_t k = 0; k < n->images * n->plane; k++)
        sum += n->x[plain_norm_index(n, c, k)];
    return sum / n->m;
}

/* Biased. */
static inline double plain_norm_variance(const plain_norm *n, int64_t c, double mean) {
    double sum = 0;
    for (int64_t k = 0; k < n->images * n->plane; k++) {
        double off = n->x[plain_norm_index(n, c, k)] - mean;
        sum += off * off;
    }
    return sum / n->m;
}

static inline void plain_norm_forward(plain_net *net, size_t node) {
    const plain_norm n = plain_norm_of(net, node);
    if (!net->batch_mean[node]) {
        net->batch_mean[node] = plain_zeros(n.channels);
        net->batch_variance[node] = plain_zeros(n.channels);
    }
    for (int64_t c = 0; c < n.channels; c++) {
        double mean = plain_norm_mean(&n, c), variance = plain_norm_variance(&n, c, mean);
        net->batch_mean[node][c] = mean;
        net->batch_variance[node][c] = variance * n.m / (n.m - 1);
        for (int64_t k = 0; k < n.images * n.plane; k++) {
            int64_t i = plain_norm_index(&n, c, k);
            n.y[i] = n.scale[c] * (n.x[i] - mean) / sqrt(variance + n.epsilon) + n.bias[c];
        }
    }
}

static inline void plain_norm_backward(plain_net *net, size_t node) {
    const plain_norm n = plain_norm_of(net, node);
    const int *in = net->model->nodes[node].in;
    const double *dy = net->grads[net->model->nodes[node].out[0]];
    for (int64_t c = 0; c < n.channels; c++) {
        double mean = plain_norm_mean(&n, c), d_bias = 0, d_scale = 0;
        double s = sqrt(plain_norm_variance(&n, c, mean) + n.epsilon);
        for (int64_t k = 0; k < n.images * n.plane; k++) {
            int64_t i = plain_norm_index(&n, c, k);
            d_bias += dy[i];
            d_scale += dy[i] * (n.x[i] - mean) / s;
        }
        for (int64_t k = 0; k < n.images * n.plane; k++) {
            int64_t i = plain_norm_index(&n, c, k);
            double h = (n.x[i] - mean) / s;
            net->grads[in[0]][i] += n.scale[c] / s * (dy[i] - d_bias / n.m - h * d_scale / n.m);
        }
        net->grads[in[1]][c] += d_scale;
        net->grads[in[2]][c] += d_bias;
    }
}

/* ---- the network ---- */

static inline bool plain_trains(const plain_net *net, size_t node) {
    return net->training && net->training[node] &&
           net->model->nodes[node].op == &stoic_op_batch_normalization;
}

/* `pixels`: the images one after the other. */
static inline void plain_forward(plain_net *net, const double *pixels) {
    const stoic_model *m = net->model;
    memcpy(net->values[m->input], pixels,
           (size_t)(net->images * plain_count(net, m->input)) * sizeof *pixels);
    plain_hit(net, m->input);
    for (size_t i = 0; i < m->n_nodes; i++) {
        if (plain_trains(net, i))
            plain_norm_forward(net, i);
        else
            plain_node_forward(net, i);
        for (size_t k = 0; k < m->nodes[i].n_out; k++)
            if (m->nodes[i].out[k] >= 0)
                plain_hit(net, m->nodes[i].out[k]);
    }
}

static inline void plain_grad_reset(plain_net *net, size_t value) {
    free(net->grads[value]);
    net->grads[value] = NULL;
    if (net->model->values[value].constant && plain_is_float(net, (int)value))
        net->grads[value] = plain_zeros(plain_count(net, (int)value));
}

/* After plain_forward(): all gradients, from d loss / d `value` of every image. */
static inline void plain_backward(plain_net *net, int value, const double *grad) {
    const stoic_model *m = net->model;
    size_t count = (size_t)(net->images * plain_count(net, value));
    for (size_t v = 0; v < m->n_values; v++)
        plain_grad_reset(net, v);
    net->grads[value] = plain_zeros((int64_t)count);
    memcpy(net->grads[value], grad, count * sizeof *grad);
    for (size_t i = m->n_nodes; i-- > 0;) {
        const stoic_node *n = &m->nodes[i];
        if (n->out[0] < 0 || !net->grads[n->out[0]])
            continue; /* nothing of it reaches the loss */
        if (!n->op->backward)
            fail_msg("%s: %s has no gradient", n->name, n->op->name);
        plain_hit_backward(net, n->out[0]);
        for (size_t k = 0; k < n->n_in; k++) {
            int v = n->in[k];
            if (v >= 0 && plain_is_float(net, v) && !net->grads[v])
                net->grads[v] = plain_zeros(net->images * plain_count(net, v));
        }
        if (plain_trains(net, i))
            plain_norm_backward(net, i);
        else
            plain_node_backward(net, i);
    }
    if (net->grads[m->input])
        plain_hit_backward(net, m->input);
}

/* The value in front of a final operator of this kind (Sigmoid, Softmax), else the output. */
static inline int plain_before(const stoic_model *model, const stoic_op *final) {
    int producer = model->values[model->output].producer;
    return producer >= 0 && model->nodes[producer].op == final ? model->nodes[producer].in[0]
                                                               : model->output;
}

#endif
