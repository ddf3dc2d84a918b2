/*
 * Matrix products on a tape. Small ones go shard by shard. Of large ones, whose weights would have
 * to come from memory once a shard, every member takes a block of outputs for all images.
 * Gradients of weights are taken over the whole batch at the end, in blocks.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/program.h"
#include "exec/tape_inside.h"

enum { WIDE = 1 << 18, BLOCK = 64 };

static void fill_bias(const stoic_tape *t, const stoic_tape_product *q, float *y, int64_t rows,
                      int64_t from, int64_t n) {
    const float *bias = stoic_tape_constant(t, q->bias, q->tensor[1]);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t o = 0; o < n; o++)
            y[r * q->out + o] = q->beta * bias[q->one_bias ? 0 : from + o];
    }
}

/* Outputs [from, from + n) of `rows` rows. */
static stoic_status outputs(const stoic_tape *t, const stoic_tape_product *q, const float *x,
                            float *y, int64_t rows, int64_t from, int64_t n, stoic_error *err) {
    const float *w = stoic_tape_constant(t, q->weights, q->tensor[0]);
    bool bias = q->tensor[1] >= 0;
    if (bias)
        fill_bias(t, q, y + from, rows, from, n);
    return q->transposed ? stoic_dnn_product(false, false, rows, n, q->in, q->alpha, x, q->in,
                                             w + from, q->out, bias, y + from, q->out, err)
                         : stoic_dnn_product(false, true, rows, n, q->in, q->alpha, x, q->in,
                                             w + from * q->in, q->in, bias, y + from, q->out, err);
}

/* The gradient of inputs [from, from + n). */
static stoic_status inputs(const stoic_tape *t, const stoic_tape_product *q, float *dx,
                           const float *g, bool add, int64_t rows, int64_t from, int64_t n,
                           stoic_error *err) {
    const float *w = stoic_tape_constant(t, q->weights, q->tensor[0]);
    return q->transposed ? stoic_dnn_product(false, true, rows, n, q->out, q->alpha, g, q->out,
                                             w + from * q->out, q->out, add, dx + from, q->in, err)
                         : stoic_dnn_product(false, false, rows, n, q->out, q->alpha, g, q->out,
                                             w + from, q->in, add, dx + from, q->in, err);
}

static stoic_status forward(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                            stoic_error *err) {
    (void)member;
    const stoic_tape_product *q = &t->products[step->part];
    return outputs(t, q, stoic_tape_data(t, step->in[0], shard),
                   stoic_tape_data(t, step->out, shard), stoic_tape_images(t, shard) * q->rows, 0,
                   q->out, err);
}

static stoic_status backward(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                             stoic_error *err) {
    (void)member;
    const stoic_tape_product *q = &t->products[step->part];
    if (!t->values[step->in[0]].wanted)
        return STOIC_OK;
    return inputs(t, q, stoic_tape_gradient(t, step->in[0], shard),
                  stoic_tape_gradient(t, step->out, shard), step->adds[0],
                  stoic_tape_images(t, shard) * q->rows, 0, q->in, err);
}

static stoic_status wide_forward(stoic_tape *t, const stoic_tape_step *step, int who, int member,
                                 stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_tape_product *q = &t->products[step->part];
    for (int64_t from = who * BLOCK; from < q->out && status == STOIC_OK;
         from += (int64_t)t->members * BLOCK)
        status =
            outputs(t, q, stoic_tape_data(t, step->in[0], 0), stoic_tape_data(t, step->out, 0),
                    t->batch * q->rows, from, q->out - from < BLOCK ? q->out - from : BLOCK, err);
    (void)member;
    return status;
}

static stoic_status wide_backward(stoic_tape *t, const stoic_tape_step *step, int who, int member,
                                  stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_tape_product *q = &t->products[step->part];
    if (!t->values[step->in[0]].wanted)
        return STOIC_OK;
    for (int64_t from = who * BLOCK; from < q->in && status == STOIC_OK;
         from += (int64_t)t->members * BLOCK)
        status = inputs(t, q, stoic_tape_gradient(t, step->in[0], 0),
                        stoic_tape_gradient(t, step->out, 0), step->adds[0], t->batch * q->rows,
                        from, q->in - from < BLOCK ? q->in - from : BLOCK, err);
    (void)member;
    return status;
}

stoic_status stoic_tape_plan_product(stoic_tape_plan *p, int node, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_tape *t = p->t;
    const stoic_model *m = p->model;
    const stoic_node *n = &m->nodes[node];
    stoic_operand in[8], out[2];
    stoic_op_call call;
    stoic_exec_layer layer = {.weights = -1};
    if ((n->op != &stoic_op_gemm && n->op != &stoic_op_mat_mul) || n->n_in > 3 || n->in[0] < 0 ||
        n->in[1] < 0 || m->values[n->in[0]].constant || !m->values[n->in[1]].constant)
        return STOIC_ERR_UNSUPPORTED;
    int bias = n->n_in > 2 ? n->in[2] : -1, source = stoic_tape_root(t, n->in[0]);
    stoic_model_call(m, (size_t)node, in, out, &call);
    TRY(stoic_layer_of_product(&call, &layer, err));
    if ((bias >= 0 && !stoic_layer_bias_fits(m, bias, &layer)) ||
        (t->values[n->in[0]].nhwc && t->values[n->in[0]].hw > 1) ||
        m->values[n->out[0]].shape.rank == 4)
        return STOIC_ERR_UNSUPPORTED;
    if (t->n_products == 0)
        TRY(stoic_dnn_product_prepare(err));
    stoic_tape_product *products =
        realloc(t->products, ((size_t)t->n_products + 1) * sizeof *products);
    if (!products)
        return stoic_fail_memory(err, "matrix products", sizeof *products);
    t->products = products;
    stoic_tape_product *q = &products[t->n_products++];
    *q = (stoic_tape_product){.weights = -1,
                              .bias = -1,
                              .tensor = {n->in[1], bias},
                              .rows = layer.shape.iw,
                              .in = layer.shape.ic,
                              .out = layer.shape.oc,
                              .transposed = layer.transposed,
                              .alpha = layer.alpha,
                              .beta = layer.beta,
                              .one_bias = layer.bias_count == 1 && layer.channels != 1,
                              .x = source,
                              .y = n->out[0]};
    stoic_tape_source from = {.kind = STOIC_SOURCE_PRODUCT, .part = t->n_products - 1};
    TRY(stoic_tape_param_add(p, n->in[1], from, &q->weights, err));
    from.kind = STOIC_SOURCE_PRODUCT_BIAS;
    if (bias >= 0)
        TRY(stoic_tape_param_add(p, bias, from, &q->bias, err));
    stoic_tape_value_add(p, n->out[0], true);
    t->values[n->out[0]].whole = t->values[source].whole = true;
    stoic_tape_step *step;
    TRY(stoic_tape_step_add(p, node, &step, err));
    step->collective = step->meet_before = step->meet_after = q->in * q->out > WIDE;
    step->forward = step->collective ? wide_forward : forward;
    step->backward = step->collective ? wide_backward : backward;
    step->in[step->n_in++] = source;
    step->out = n->out[0];
    step->part = t->n_products - 1;
    TRY(stoic_tape_plan_fault(p, node, n->out[0], err));
done:
    return status;
}

static void collect_bias(const stoic_tape *t, const stoic_tape_product *q,
                         const stoic_tape_source *source) {
    double sums[BLOCK], all = 0;
    float *to = t->params[source->param].gradient;
    const float *g = stoic_tape_gradient(t, q->y, 0);
    for (int64_t from = 0; from < q->out; from += BLOCK) {
        int64_t n = q->out - from < BLOCK ? q->out - from : BLOCK;
        memset(sums, 0, sizeof sums);
        for (int64_t r = 0; r < t->batch * q->rows; r++) {
            for (int64_t o = 0; o < n; o++)
                sums[o] += (double)g[r * q->out + from + o];
        }
        for (int64_t o = 0; o < n; o++) {
            all += sums[o];
            if (!q->one_bias)
                to[from + o] = (source->first ? 0 : to[from + o]) + q->beta * (float)sums[o];
        }
    }
    if (q->one_bias)
        to[0] = (source->first ? 0 : to[0]) + q->beta * (float)all;
}

/* dW = g' x, in blocks of the first axis as stored, taken in turn by the members. */
stoic_status stoic_tape_product_collect(stoic_tape *t, const stoic_tape_source *source, int member,
                                        stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_tape_product *q = &t->products[source->part];
    if (source->kind == STOIC_SOURCE_PRODUCT_BIAS) {
        if (source->param % t->members == member)
            collect_bias(t, q, source);
        return STOIC_OK;
    }
    const float *x = stoic_tape_data(t, q->x, 0), *g = stoic_tape_gradient(t, q->y, 0);
    float *to = t->params[source->param].gradient;
    int64_t outer = q->transposed ? q->in : q->out, inner = q->transposed ? q->out : q->in;
    const float *a = q->transposed ? x : g, *b = q->transposed ? g : x;
    for (int64_t block = 0; block * BLOCK < outer && status == STOIC_OK; block++) {
        int64_t from = block * BLOCK, n = outer - from < BLOCK ? outer - from : BLOCK;
        if ((block + source->param) % t->members == member)
            status = stoic_dnn_product(true, false, n, inner, t->batch * q->rows, q->alpha,
                                       a + from, outer, b, inner, source->first ? 0 : 1,
                                       to + from * inner, inner, err);
    }
    return status;
}
