/* Convolutions on a tape, and the place behind each layer where feature-map faults hit. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/program.h"
#include "exec/tape_inside.h"

/* 1 for a last shard that is smaller than the others. */
static int size_of(const stoic_tape *t, int shard) {
    return stoic_tape_images(t, shard) != t->shard_images;
}

static stoic_status forward(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                            stoic_error *err) {
    const stoic_tape_conv *c = &t->convs[step->part];
    const float *bias = c->shape.bias ? stoic_tape_constant(t, c->bias, c->tensor[1]) : NULL;
    return stoic_dnn_train_run(
        c->hands[size_of(t, shard)][member], STOIC_TRAIN_FORWARD,
        stoic_tape_data(t, step->in[0], shard), t->packed + c->packed_at[STOIC_TRAIN_FORWARD], bias,
        stoic_tape_data(t, step->out, shard), t->member[member].scratch, err);
}

static stoic_status backward(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                             stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_tape_conv *c = &t->convs[step->part];
    stoic_dnn_hands *hands = c->hands[size_of(t, shard)][member];
    const float *g = stoic_tape_gradient(t, step->out, shard);
    float *part = t->parts + c->parts_at + shard * c->part_size;
    void *scratch = t->member[member].scratch;
    TRY(stoic_dnn_train_run(hands, STOIC_TRAIN_WEIGHTS, stoic_tape_data(t, step->in[0], shard),
                            part, part + c->bias_from, g, scratch, err));
    if (!c->data)
        goto done;
    float *dx = stoic_tape_gradient(t, step->in[0], shard);
    float *to = step->adds[0] ? t->member[member].room : dx;
    TRY(stoic_dnn_train_run(hands, STOIC_TRAIN_DATA, to, t->packed + c->packed_at[STOIC_TRAIN_DATA],
                            NULL, g, scratch, err));
    if (step->adds[0])
        t->gradients->add(dx, to, stoic_tape_images(t, shard) * t->values[step->in[0]].size);
done:
    return status;
}

static stoic_status bias_of_channels(const stoic_model *m, const stoic_node *n) {
    if (n->n_in < 3 || n->in[2] < 0)
        return STOIC_OK;
    return m->values[n->in[2]].constant ? STOIC_OK : STOIC_ERR_UNSUPPORTED;
}

stoic_status stoic_tape_plan_conv(stoic_tape_plan *p, int node, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_tape *t = p->t;
    const stoic_model *m = p->model;
    const stoic_node *n = &m->nodes[node];
    stoic_operand in[8], out[2];
    stoic_op_call call;
    stoic_exec_layer layer = {.weights = -1};
    if (n->op != &stoic_op_conv || n->n_in > 3 || m->values[n->in[0]].constant ||
        !m->values[n->in[1]].constant || bias_of_channels(m, n) != STOIC_OK)
        return STOIC_ERR_UNSUPPORTED;
    stoic_model_call(m, (size_t)node, in, out, &call);
    TRY(stoic_layer_of_conv(&call, &layer, err));
    stoic_tape_conv *convs = realloc(t->convs, ((size_t)t->n_convs + 1) * sizeof *convs);
    if (!convs)
        return stoic_fail_memory(err, "convolutions", sizeof *convs);
    t->convs = convs;
    int source = stoic_tape_root(t, n->in[0]);
    stoic_tape_conv *c = &convs[t->n_convs];
    *c = (stoic_tape_conv){.weights = -1,
                           .bias = -1,
                           .tensor = {n->in[1], n->n_in > 2 ? n->in[2] : -1},
                           .data = t->values[source].wanted,
                           .shape = layer.shape};
    c->shape.bias = c->tensor[1] >= 0;
    t->n_convs++;
    stoic_tape_source from = {.kind = STOIC_SOURCE_CONV, .part = t->n_convs - 1};
    TRY(stoic_tape_param_add(p, c->tensor[0], from, &c->weights, err));
    from.kind = STOIC_SOURCE_CONV_BIAS;
    if (c->shape.bias)
        TRY(stoic_tape_param_add(p, c->tensor[1], from, &c->bias, err));
    stoic_tape_value_add(p, n->out[0], true);
    stoic_tape_step *step;
    TRY(stoic_tape_step_add(p, node, &step, err));
    step->forward = forward;
    step->backward = backward;
    step->in[step->n_in++] = source;
    step->out = n->out[0];
    step->part = t->n_convs - 1;
    if (t->values[source].size * t->shard_images > t->n_room)
        t->n_room = t->values[source].size * t->shard_images;
    TRY(stoic_tape_plan_fault(p, node, n->out[0], err));
done:
    return status;
}

static stoic_status create_size(stoic_tape *t, stoic_tape_conv *c, int k, int64_t images,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_dnn_shape shape = c->shape;
    shape.batch = images;
    TRY(stoic_dnn_train_create(&shape, c->data, &c->train[k], err));
    c->hands[k] = calloc((size_t)t->members, sizeof *c->hands[k]);
    if (!c->hands[k])
        return stoic_fail_memory(err, "convolutions", (size_t)t->members * sizeof(void *));
    for (int i = 0; i < t->members; i++)
        TRY(stoic_dnn_hands_create(c->train[k], &c->hands[k][i], err));
    size_t scratch = stoic_dnn_train_scratch(c->train[k]);
    t->scratch = scratch > t->scratch ? scratch : t->scratch;
done:
    return status;
}

stoic_status stoic_tape_conv_prepare(stoic_tape *t, stoic_tape_conv *c, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t last = stoic_tape_images(t, t->shards - 1);
    TRY(create_size(t, c, 0, t->shard_images, err));
    if (last != t->shard_images)
        TRY(create_size(t, c, 1, last, err));
    for (int part = 0; part < STOIC_TRAIN_PARTS; part++) {
        if (part == STOIC_TRAIN_DATA && !c->data)
            continue;
        if (c->train[1] && !stoic_dnn_train_agree(c->train[0], c->train[1], part))
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "--batch",
                              "cannot be cut into equal shards here; a multiple of %d can",
                              t->shards);
        c->packed[part] = stoic_dnn_train_packed(c->train[0], part);
        if (part != STOIC_TRAIN_WEIGHTS)
            c->packed_at[part] = stoic_tape_reserve(&t->n_packed, c->packed[part]);
    }
    c->bias_from = (c->packed[STOIC_TRAIN_WEIGHTS] + 15) / 16 * 16;
    c->part_size = c->bias_from + (c->shape.groups * c->shape.oc + 15) / 16 * 16;
    /* one more, for the sum of all */
    c->parts_at = stoic_tape_reserve(&t->n_parts, c->part_size * (t->shards + 1));
done:
    return status;
}

void stoic_tape_conv_deinit(stoic_tape *t, stoic_tape_conv *c) {
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < t->members && c->hands[k]; i++)
            stoic_dnn_hands_free(c->hands[k][i]);
        free(c->hands[k]);
        stoic_dnn_train_free(c->train[k]);
    }
}

stoic_status stoic_tape_conv_pack(stoic_tape *t, stoic_tape_conv *c, stoic_error *err) {
    const float *weights = stoic_tape_constant(t, c->weights, c->tensor[0]);
    stoic_status status = stoic_dnn_train_pack(c->train[0], STOIC_TRAIN_FORWARD, weights,
                                               t->packed + c->packed_at[STOIC_TRAIN_FORWARD], err);
    if (status == STOIC_OK && c->data)
        status = stoic_dnn_train_pack(c->train[0], STOIC_TRAIN_DATA, weights,
                                      t->packed + c->packed_at[STOIC_TRAIN_DATA], err);
    return status;
}

stoic_status stoic_tape_conv_collect(stoic_tape *t, const stoic_tape_source *source, int member,
                                     stoic_error *err) {
    (void)member;
    const stoic_tape_conv *c = &t->convs[source->part];
    const stoic_tape_param *param = &t->params[source->param];
    bool bias = source->kind == STOIC_SOURCE_CONV_BIAS;
    float *parts = t->parts + c->parts_at + (bias ? c->bias_from : 0);
    float *sum = parts + t->shards * c->part_size;
    int64_t count = bias ? param->count : c->packed[STOIC_TRAIN_WEIGHTS];
    t->gradients->sum_parts(sum, parts, t->shards, c->part_size, count);
    if (bias) {
        if (source->first)
            memcpy(param->gradient, sum, (size_t)count * sizeof *sum);
        else
            t->gradients->add(param->gradient, sum, count);
        return STOIC_OK;
    }
    /* the shards' copies have served: the first takes the plain order */
    float *to = source->first ? param->gradient : parts;
    stoic_status status = stoic_dnn_train_unpack(c->train[0], STOIC_TRAIN_WEIGHTS, sum, to, err);
    if (!source->first)
        t->gradients->add(param->gradient, to, param->count);
    return status;
}

/* ---- feature-map faults ---- */

/* Where element `index` of [C, H, W] lies. */
static int64_t place(const stoic_tape_value *v, int64_t index) {
    return v->nhwc ? index % v->hw * v->c + index / v->hw : index;
}

static float with_bits(float x, uint32_t mask, bool keep) {
    union {
        float f;
        uint32_t bits;
    } u = {.f = x};
    u.bits = keep ? u.bits ^ mask : mask;
    return u.f;
}

/* The hits of image i of a shard, if they are at this layer; else NULL. */
static const stoic_map_hits *hits_of(const stoic_tape *t, const stoic_tape_step *step, int shard,
                                     int64_t i) {
    const struct stoic_tape_hit *hit = &t->hits[shard * t->shard_images + i];
    return hit->layer == step->layer ? hit->hits : NULL;
}

static stoic_status fault_forward(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                                  stoic_error *err) {
    (void)member;
    (void)err;
    const stoic_tape_value *v = &t->values[step->out];
    float *x = stoic_tape_data(t, step->out, shard);
    for (int64_t i = 0; i < stoic_tape_images(t, shard); i++, x += v->size) {
        const stoic_map_hits *hits = hits_of(t, step, shard, i);
        for (size_t k = 0; hits && k < hits->count; k++) {
            float *at = &x[place(v, hits->index[k])];
            *at = hits->mode == STOIC_MAP_MULTIPLY
                      ? *at * hits->factor
                      : with_bits(*at, hits->bits[k], hits->mode == STOIC_MAP_FLIP);
        }
    }
    return STOIC_OK;
}

static stoic_status fault_backward(stoic_tape *t, const stoic_tape_step *step, int shard,
                                   int member, stoic_error *err) {
    (void)member;
    (void)err;
    const stoic_tape_value *v = &t->values[step->out];
    float *g = stoic_tape_gradient(t, step->out, shard);
    for (int64_t i = 0; i < stoic_tape_images(t, shard); i++, g += v->size) {
        const stoic_map_hits *hits = hits_of(t, step, shard, i);
        for (size_t k = 0; hits && k < hits->count; k++) {
            float *at = &g[place(v, hits->index[k])];
            *at = hits->mode == STOIC_MAP_MULTIPLY ? *at * hits->factor : 0;
        }
    }
    return STOIC_OK;
}

stoic_status stoic_tape_plan_fault(stoic_tape_plan *p, int node, int value, stoic_error *err) {
    if (!p->map_faults)
        return STOIC_OK;
    stoic_tape_step *step;
    stoic_status status = stoic_tape_step_add(p, node, &step, err);
    if (status != STOIC_OK)
        return status;
    step->forward = fault_forward;
    step->backward = fault_backward;
    step->in[step->n_in++] = value;
    step->out = value;
    step->in_place = true;
    step->layer = p->model->nodes[node].layer;
    return STOIC_OK;
}
