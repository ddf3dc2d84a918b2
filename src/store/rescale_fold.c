/*
 * rescale=fold: each layer's c goes where undoing it costs nothing.
 *
 *   Gemm, one c       its own alpha/c; the bias stays: y = alpha/c x (cW)' + beta b
 *   else, followed by a batch normalisation, perhaps behind operators that pass a factor on:
 *                     scale/c and c mean there, one for each channel if need be; bias times c
 *   else, followed so by a Gemm and one c: alpha/c there, bias times c
 *   else              an operator is added that multiplies by 1/c, bias times c
 *
 * "Followed" means that nothing else reads the values in between: they are c times what they were.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "store/rescale.h"

/* The factors of a layer: one for all channels, or one each. */
typedef struct factors {
    double *c, *inverse;
    int64_t n;
} factors;

static stoic_status read_factors(const stoic_rescaler *r, int entry, factors *f, stoic_error *err) {
    const stoic_lines *lines = &r->store->lines[entry];
    f->n = 1;
    for (int64_t i = 1; i < lines->channels; i++) {
        if (lines->grids[i].scale != lines->grids[0].scale)
            f->n = lines->channels;
    }
    f->c = calloc(2 * (size_t)f->n, sizeof *f->c);
    if (!f->c)
        return stoic_fail_memory(err, "factors", 2 * (size_t)f->n * sizeof *f->c);
    f->inverse = f->c + f->n;
    for (int64_t i = 0; i < f->n; i++) {
        f->c[i] = (double)lines->grids[i].scale;
        f->inverse[i] = 1 / f->c[i];
    }
    return STOIC_OK;
}

static double alpha_of(const stoic_rescaler *r, int node) {
    stoic_operand in[8], out[2];
    stoic_op_call call;
    stoic_model_call(r->model, (size_t)node, in, out, &call);
    return stoic_attr_float(&call, "alpha", 1);
}

/* Can a Gemm's alpha be divided by c once more? It must stay a normal number. */
static bool alpha_takes(const stoic_rescaler *r, int node, double c) {
    double alpha = alpha_of(r, node), size = fabs(alpha / (r->alpha[node] * c));
    return alpha == 0 || (size >= 0x1p-100 && size <= 0x1p100);
}

/* Does the node pass the factors of its first input on, and nothing else with them? */
static bool passes(const stoic_rescaler *r, int node, int64_t n_factors) {
    const stoic_node *n = &r->model->nodes[node];
    stoic_operand in[64], out[8];
    stoic_op_call call;
    if (n->n_in > 64 || n->n_out != 1 || (n->op->facts & STOIC_OP_LAYER))
        return false;
    stoic_model_call(r->model, (size_t)node, in, out, &call);
    if (stoic_op_homogeneous(&call) != 1)
        return false;
    if (n_factors == 1)
        return true;
    const stoic_shape *x = &in[0].shape, *y = &out[0].shape;
    return (n->op->facts & STOIC_OP_PER_CHANNEL) && x->rank == y->rank && x->rank > 1 &&
           x->dim[1] == y->dim[1];
}

/* The batch normalisation or Gemm behind `value` that can take the factors; -1. */
static int find_taker(const stoic_rescaler *r, int value, const factors *f) {
    for (;;) {
        int node = r->readers[value] == 1 && value != r->model->output ? r->reader[value] : -1;
        if (node < 0)
            return -1;
        const stoic_node *n = &r->model->nodes[node];
        if (n->in[0] != value)
            return -1;
        if (n->op == &stoic_op_batch_normalization)
            return r->model->values[n->in[1]].constant && r->model->values[n->in[3]].constant ? node
                                                                                              : -1;
        if (n->op == &stoic_op_gemm)
            return f->n == 1 && alpha_takes(r, node, f->c[0]) ? node : -1;
        if (!passes(r, node, f->n))
            return -1;
        value = n->out[0];
    }
}

static stoic_status scale_bias(stoic_rescaler *r, int node, const factors *f, stoic_error *err) {
    const stoic_node *n = &r->model->nodes[node];
    if (n->n_in < 3 || n->in[2] < 0)
        return STOIC_OK;
    if (!r->model->values[n->in[2]].constant)
        return stoic_rescale_refuse(r, n, "cannot multiply a computed bias", err);
    return stoic_rescale_constant(r, node, 2, f->c, f->n, err);
}

/* The axis of a layer's output that counts its channels. */
static int channel_axis(const stoic_rescaler *r, int node) {
    const stoic_node *n = &r->model->nodes[node];
    return n->op == &stoic_op_mat_mul ? r->model->values[n->out[0]].shape.rank - 1 : 1;
}

/* Everything that read the layer's output reads it divided. */
static stoic_status divide_behind(stoic_rescaler *r, int node, const factors *f, stoic_error *err) {
    const stoic_model *m = r->model;
    int value = m->nodes[node].out[0], out;
    stoic_status status =
        stoic_rescale_append(r, value, f->inverse, f->n, channel_axis(r, node), &out, err);
    if (status != STOIC_OK)
        return status;
    for (size_t i = 0; i < m->n_nodes; i++) {
        for (size_t k = 0; k < m->nodes[i].n_in; k++) {
            if (m->nodes[i].in[k] == value)
                stoic_rewrite_input(r->rewrite, (int)i, k, out);
        }
    }
    if (value == m->output)
        stoic_rewrite_output(r->rewrite, out);
    return STOIC_OK;
}

static stoic_status fold_layer(stoic_rescaler *r, int node, const factors *f, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_node *n = &r->model->nodes[node];
    if (n->op == &stoic_op_gemm && f->n == 1 && alpha_takes(r, node, f->c[0])) {
        r->alpha[node] *= f->c[0];
        return STOIC_OK;
    }
    bool placed = f->n == 1 || channel_axis(r, node) == 1;
    int taker = placed ? find_taker(r, n->out[0], f) : -1;
    TRY(scale_bias(r, node, f, err));
    if (taker < 0)
        TRY(divide_behind(r, node, f, err));
    else if (r->model->nodes[taker].op == &stoic_op_gemm)
        r->alpha[taker] *= f->c[0];
    else
        TRY(stoic_rescale_norm(r, taker, f->c, f->n, err));
done:
    return status;
}

stoic_status stoic_rescale_fold(stoic_rescaler *r, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (size_t i = 0; i < r->model->n_nodes; i++) {
        int entry = stoic_rescale_layer(r, &r->model->nodes[i]);
        factors f = {NULL, NULL, 1};
        if (entry < 0)
            continue;
        status = read_factors(r, entry, &f, err);
        if (status == STOIC_OK && (f.n > 1 || f.c[0] != 1))
            status = fold_layer(r, (int)i, &f, err);
        free(f.c);
        if (status != STOIC_OK)
            return status;
    }
    for (size_t i = 0; i < r->model->n_nodes; i++) {
        if (r->alpha[i] != 1)
            TRY(stoic_rewrite_float(r->rewrite, (int)i, "alpha",
                                    (float)(alpha_of(r, (int)i) / r->alpha[i]), err));
    }
done:
    return status;
}
