/*
 * duplicate:SHARE: the most critical output channels of Conv, Gemm and MatMul layers are computed
 * three times, from copies of their weights, and voted (selective duplication, as in HarDNN).
 *
 *   s = Gather(y, S)    a, b = layer(x, W[S])    v = Where(a = b, a, s)    y' = Gather(Concat(y,
 * v), P)
 *
 * Two runs that agree outvote the one in the layer itself. The copies are compared with each other
 * and not with it, because a layer of fewer channels may sum in another order. They are layers of
 * their own: their weights lie in memory too, so that a fault in one of the three places is
 * outvoted as well.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "harden/pass.h"
#include "tensor/shape_span.h"

/* What is done in one layer. */
typedef struct doubled {
    int node, axis; /* of the weight: output channels */
    int64_t channels;
    bool *chosen; /* of `channels` */
    int64_t n;
} doubled;

/* The chosen rows of a tensor along an axis. */
static stoic_status take(const stoic_tensor *from, int axis, const doubled *d, stoic_tensor **out,
                         stoic_error *err) {
    stoic_shape shape = *stoic_tensor_shape(from);
    const int64_t outer = stoic_shape_span(&shape, 0, axis);
    const int64_t inner = stoic_shape_span(&shape, axis + 1, shape.rank);
    shape.dim[axis] = d->n;
    stoic_status status = stoic_tensor_create(STOIC_F32, &shape, out, err);
    if (status != STOIC_OK)
        return status;
    const float *data = stoic_tensor_data(from);
    float *to = stoic_tensor_mutable_data(*out);
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t c = 0; c < d->channels; c++, data += inner) {
            if (!d->chosen[c])
                continue;
            memcpy(to, data, (size_t)inner * sizeof *to);
            to += inner;
        }
    }
    return STOIC_OK;
}

static stoic_status constant(stoic_pass_run *run, const char *name, stoic_tensor *tensor, int *out,
                             stoic_error *err) {
    stoic_status status = stoic_rewrite_constant(run->rewrite, name, tensor, out, err);
    stoic_tensor_free(tensor);
    return status;
}

/* The layer once more, for the chosen channels. */
static stoic_status add_copy(stoic_pass_run *run, const doubled *d, int number, int *out,
                             stoic_error *err) {
    const stoic_model *m = run->model;
    const stoic_node *n = &m->nodes[d->node];
    int in[3] = {n->in[0]};
    stoic_status status = STOIC_OK;
    stoic_attr *attrs;
    char name[256];
    for (size_t k = 1; k < n->n_in && k < 3; k++) {
        const stoic_value *v = n->in[k] < 0 ? NULL : &m->values[n->in[k]];
        stoic_tensor *part;
        in[k] = n->in[k]; /* a bias that is the same for all channels stays */
        int axis = k == 1 ? d->axis : v ? stoic_tensor_shape(v->constant)->rank - 1 : -1;
        if (axis < 0 || stoic_tensor_shape(v->constant)->dim[axis] != d->channels)
            continue;
        TRY(take(v->constant, axis, d, &part, err));
        snprintf(name, sizeof name, "%.200s_copy%d", v->name, number);
        TRY(constant(run, name, part, &in[k], err));
    }
    TRY(stoic_attrs_copy(n, &attrs, err));
    snprintf(name, sizeof name, "%.200s_copy%d", n->name, number);
    TRY(stoic_rewrite_node(run->rewrite, name, n->op, attrs, n->n_attrs, in, n->n_in, out, err));
done:
    return status;
}

static stoic_status indices(stoic_pass_run *run, const char *name, const int64_t *values, int64_t n,
                            int *out, stoic_error *err) {
    const stoic_shape shape = {1, {n}};
    stoic_tensor *tensor;
    stoic_status status = stoic_tensor_create(STOIC_I64, &shape, &tensor, err);
    if (status != STOIC_OK)
        return status;
    memcpy(stoic_tensor_mutable_data(tensor), values, (size_t)n * sizeof *values);
    return constant(run, name, tensor, out, err);
}

static stoic_status add_node(stoic_pass_run *run, const doubled *d, const char *what,
                             const stoic_op *op, bool axis, const int *in, size_t n_in, int *out,
                             stoic_error *err) {
    stoic_attr *attrs = NULL;
    char name[256];
    snprintf(name, sizeof name, "%.200s_%s", run->model->nodes[d->node].name, what);
    stoic_status status = axis ? stoic_attrs_of_int("axis", 1, &attrs, err) : STOIC_OK;
    if (status != STOIC_OK)
        return status;
    return stoic_rewrite_node(run->rewrite, name, op, attrs, axis, in, n_in, out, err);
}

/* Positions of the chosen channels, and of all channels where the voted stand behind the others. */
static stoic_status place(stoic_pass_run *run, const doubled *d, int *some, int *all,
                          stoic_error *err) {
    int64_t *list = calloc(2 * (size_t)d->channels + 1, sizeof *list), *whole = list + d->channels;
    stoic_status status = STOIC_OK;
    int64_t n = 0;
    char name[256];
    if (!list)
        return stoic_fail_memory(err, "channels", (size_t)d->channels * 16);
    for (int64_t c = 0; c < d->channels; c++) {
        whole[c] = d->chosen[c] ? d->channels + n : c;
        if (d->chosen[c])
            list[n++] = c;
    }
    snprintf(name, sizeof name, "%.200s_chosen", run->model->nodes[d->node].name);
    TRY(indices(run, name, list, n, some, err));
    snprintf(name, sizeof name, "%.200s_order", run->model->nodes[d->node].name);
    TRY(indices(run, name, whole, d->channels, all, err));
done:
    free(list);
    return status;
}

static stoic_status double_layer(stoic_pass_run *run, const doubled *d, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int y = run->model->nodes[d->node].out[0], some, all, s, a, b, same, vote, both, out;
    TRY(place(run, d, &some, &all, err));
    TRY(add_node(run, d, "spared", &stoic_op_gather, true, (const int[]){y, some}, 2, &s, err));
    TRY(add_copy(run, d, 1, &a, err));
    TRY(add_copy(run, d, 2, &b, err));
    TRY(add_node(run, d, "agree", &stoic_op_equal, false, (const int[]){a, b}, 2, &same, err));
    TRY(add_node(run, d, "vote", &stoic_op_where, false, (const int[]){same, a, s}, 3, &vote, err));
    TRY(add_node(run, d, "beside", &stoic_op_concat, true, (const int[]){y, vote}, 2, &both, err));
    TRY(add_node(run, d, "voted", &stoic_op_gather, true, (const int[]){both, all}, 2, &out, err));
    stoic_graft_readers(run, y, out);
    TRY(stoic_pass_changed(run, d->node, err, "%lld of %lld channels three times, with a vote",
                           (long long)d->n, (long long)d->channels));
done:
    return status;
}

/* ---- which channels ---- */

static stoic_status open_layer(const stoic_pass_run *run, int layer, doubled *d, stoic_error *err) {
    const stoic_model *m = run->model;
    d->node = m->layer_nodes[layer];
    d->axis = stoic_model_channel_axis(m, layer);
    d->channels = stoic_tensor_shape(stoic_model_layer(m, layer).weights)->dim[d->axis];
    d->chosen = calloc((size_t)d->channels + 1, sizeof *d->chosen);
    return d->chosen ? STOIC_OK : stoic_fail_memory(err, "channels", (size_t)d->channels);
}

/* Channels as dimension 1 of the output, and weights that can be taken row by row. */
static bool fits(const stoic_pass_run *run, const doubled *d) {
    const stoic_node *n = &run->model->nodes[d->node];
    stoic_operand in[8], out[2];
    stoic_op_call call;
    const stoic_shape *y = &run->model->values[n->out[0]].shape;
    if (y->rank < 2 || y->dim[1] != d->channels)
        return false;
    stoic_model_call(run->model, (size_t)d->node, in, out, &call);
    return n->op != &stoic_op_conv || stoic_attr_int(&call, "group", 1) == 1;
}

static stoic_status choose(const stoic_pass_run *run, doubled *layers, stoic_error *err) {
    const stoic_harden_options *o = run->options;
    int count = stoic_model_layer_count(run->model);
    int64_t all = 0, left;
    for (int layer = 0; layer < count; layer++)
        all += layers[layer].channels;
    left = (int64_t)ceil(run->argument * (double)all);
    for (size_t i = 0; i < o->n_channels && left > 0; i++) {
        const stoic_channel *c = &o->channels[i];
        if (c->layer < 0 || c->layer >= count || c->channel < 0 ||
            c->channel >= layers[c->layer].channels)
            return stoic_fail(err, STOIC_ERR_MISMATCH, run->text,
                              "the ranking has channel %lld of layer %d, which the network has not",
                              (long long)c->channel, c->layer);
        doubled *d = &layers[c->layer];
        if (d->chosen[c->channel])
            continue;
        if (!fits(run, d))
            return stoic_pass_refuse(run, d->node,
                                     "needs convolutions of one group, and products whose rows are "
                                     "channels",
                                     err);
        d->chosen[c->channel] = true;
        d->n++;
        left--;
    }
    return STOIC_OK;
}

static stoic_status apply(stoic_pass_run *run, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int count = stoic_model_layer_count(run->model);
    doubled *layers = calloc((size_t)count + 1, sizeof *layers);
    if (!layers)
        return stoic_fail_memory(err, "layers", (size_t)count * sizeof *layers);
    if (!run->options->n_channels) {
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, run->text,
                            "needs to know which channels are critical: a campaign of single "
                            "faults, as --sensitivity RUN.db");
        goto done;
    }
    if (run->model->opset < 11) {
        status = stoic_pass_refuse(run, run->model->layer_nodes[0],
                                   "needs opset 11, where Equal takes floats", err);
        goto done;
    }
    for (int layer = 0; layer < count; layer++)
        TRY(open_layer(run, layer, &layers[layer], err));
    TRY(choose(run, layers, err));
    for (int layer = 0; layer < count; layer++) {
        if (layers[layer].n)
            TRY(double_layer(run, &layers[layer], err));
    }
done:
    for (int layer = 0; layer < count; layer++)
        free(layers[layer].chosen);
    free(layers);
    return status;
}

const stoic_pass stoic_pass_duplicate = {.name = "duplicate",
                                         .fallback = NAN,
                                         .low = 0,
                                         .high = 1,
                                         .what = "a share of the channels",
                                         .apply = apply};
