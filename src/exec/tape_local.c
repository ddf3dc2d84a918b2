/* What lies between layers on a tape: pools, functions, dropout, changes of shape. */
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"
#include "exec/program.h"
#include "exec/tape_inside.h"

static stoic_status pool(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                         stoic_error *err) {
    (void)member;
    (void)err;
    int64_t in = t->values[step->in[0]].size, out = t->values[step->out].size;
    const float *x = stoic_tape_data(t, step->in[0], shard);
    float *y = stoic_tape_data(t, step->out, shard);
    for (int64_t i = 0; i < stoic_tape_images(t, shard); i++) {
        if (step->max)
            t->kernels->max_pool(&step->window, x + i * in, y + i * out, step->act);
        else
            t->kernels->average_pool(&step->window, x + i * in, y + i * out);
    }
    return STOIC_OK;
}

static stoic_status pool_back(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                              stoic_error *err) {
    (void)err;
    int64_t in = t->values[step->in[0]].size, out = t->values[step->out].size;
    int64_t images = stoic_tape_images(t, shard);
    const float *x = stoic_tape_data(t, step->in[0], shard);
    const float *y = stoic_tape_data(t, step->out, shard);
    float *g = stoic_tape_gradient(t, step->out, shard);
    float *dx = stoic_tape_gradient(t, step->in[0], shard);
    float *to = step->adds[0] ? t->member[member].room : dx;
    t->gradients->act(g, y, step->act, images * out);
    for (int64_t i = 0; i < images; i++) {
        if (step->max)
            t->gradients->max_pool(&step->window, x + i * in, y + i * out, g + i * out,
                                   to + i * in);
        else
            t->gradients->average_pool(&step->window, g + i * out, to + i * in);
    }
    if (step->adds[0])
        t->gradients->add(dx, to, images * in);
    return STOIC_OK;
}

static stoic_status unary(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                          stoic_error *err) {
    (void)member;
    (void)err;
    t->kernels->unary(step->unary, step->limit, step->with, stoic_tape_data(t, step->in[0], shard),
                      stoic_tape_data(t, step->out, shard),
                      stoic_tape_images(t, shard) * t->values[step->out].size);
    return STOIC_OK;
}

/* Adds the shard's gradient of the output, changed in place, to that of the input. */
static void pass_on(stoic_tape *t, const stoic_tape_step *step, int shard) {
    int64_t n = stoic_tape_images(t, shard) * t->values[step->out].size;
    const float *g = stoic_tape_gradient(t, step->out, shard);
    float *dx = stoic_tape_gradient(t, step->in[0], shard);
    if (step->shares[0])
        return;
    if (step->adds[0])
        t->gradients->add(dx, g, n);
    else
        memcpy(dx, g, (size_t)n * sizeof *dx);
}

static stoic_status unary_back(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                               stoic_error *err) {
    (void)member;
    (void)err;
    t->gradients->unary(step->unary, stoic_tape_gradient(t, step->out, shard),
                        stoic_tape_data(t, step->out, shard),
                        stoic_tape_images(t, shard) * t->values[step->out].size);
    pass_on(t, step, shard);
    return STOIC_OK;
}

/* What was replaced by a constant feels no gradient. */
static stoic_status choose_back(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                                stoic_error *err) {
    (void)member;
    (void)err;
    float *g = stoic_tape_gradient(t, step->out, shard);
    const float *x = stoic_tape_data(t, step->in[0], shard);
    int64_t n = stoic_tape_images(t, shard) * t->values[step->out].size;
    for (int64_t i = 0; i < n; i++) {
        bool replaced = step->unary == STOIC_REPLACE_NAN     ? x[i] != x[i]
                        : step->unary == STOIC_REPLACE_ABOVE ? x[i] > step->limit
                                                             : x[i] < step->limit;
        g[i] = replaced ? 0 : g[i];
    }
    pass_on(t, step, shard);
    return STOIC_OK;
}

/* Between channels last and rows: c x hw floats an image. */
static void turn(const float *from, float *to, int64_t rows, int64_t columns, bool add) {
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++)
            to[c * rows + r] = from[r * columns + c] + (add ? to[c * rows + r] : 0);
    }
}

static stoic_status flatten(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                            stoic_error *err) {
    (void)member;
    (void)err;
    const stoic_tape_value *v = &t->values[step->in[0]];
    const float *x = stoic_tape_data(t, step->in[0], shard);
    float *y = stoic_tape_data(t, step->out, shard);
    for (int64_t i = 0; i < stoic_tape_images(t, shard); i++)
        turn(x + i * v->size, y + i * v->size, v->hw, v->c, false);
    return STOIC_OK;
}

static stoic_status flatten_back(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                                 stoic_error *err) {
    (void)member;
    (void)err;
    const stoic_tape_value *v = &t->values[step->in[0]];
    const float *g = stoic_tape_gradient(t, step->out, shard);
    float *dx = stoic_tape_gradient(t, step->in[0], shard);
    for (int64_t i = 0; i < stoic_tape_images(t, shard); i++)
        turn(g + i * v->size, dx + i * v->size, v->c, v->hw, step->adds[0]);
    return STOIC_OK;
}

/* Inverted dropout: element e of image i is dropped where its draw says so. The same draws come
 * again in the backward pass, so no mask is kept. A draw is 16 bits; Philox gives eight at once. */
static void drop(const stoic_tape *t, const stoic_tape_step *step, int shard, const float *x,
                 float *y) {
    int64_t first = shard * t->shard_images, size = t->values[step->out].size;
    uint32_t limit = (uint32_t)(step->ratio * 65535 + 0.5);
    float factor = (float)(65536.0 / (65536.0 - limit));
    const uint32_t key[2] = {(uint32_t)t->seed, (uint32_t)(t->seed >> 32)};
    for (int64_t i = 0; i < stoic_tape_images(t, shard); i++) {
        uint64_t image = t->step * (uint64_t)t->batch + (uint64_t)(first + i);
        for (int64_t at = 0; at < size; at += 8) {
            uint32_t counter[4] = {(uint32_t)(at / 8),
                                   STOIC_STREAM_DROPOUT + ((uint32_t)step->node << 8),
                                   (uint32_t)image, (uint32_t)(image >> 32)};
            uint32_t bits[4];
            stoic_philox(counter, key, bits);
            for (int64_t e = at; e < at + 8 && e < size; e++) {
                uint32_t draw = bits[(e - at) / 2] >> 16 * ((e - at) % 2) & 0xffff;
                y[i * size + e] = draw < limit ? 0 : x[i * size + e] * factor;
            }
        }
    }
}

static stoic_status dropout(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                            stoic_error *err) {
    (void)member;
    (void)err;
    drop(t, step, shard, stoic_tape_data(t, step->in[0], shard),
         stoic_tape_data(t, step->out, shard));
    return STOIC_OK;
}

static stoic_status dropout_back(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                                 stoic_error *err) {
    (void)member;
    (void)err;
    float *g = stoic_tape_gradient(t, step->out, shard);
    drop(t, step, shard, g, g);
    pass_on(t, step, shard);
    return STOIC_OK;
}

/* Joins maps channel by channel: pixels of each input one behind the other. Backward the
 * pieces go back to where they came from. */
static stoic_status concat(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                           stoic_error *err) {
    (void)member;
    (void)err;
    const stoic_tape_value *out = &t->values[step->out];
    float *y = stoic_tape_data(t, step->out, shard);
    int64_t pixels = stoic_tape_images(t, shard) * out->hw;
    for (int k = 0; k < step->n_in; k++) {
        int64_t c = t->values[step->in[k]].c;
        const float *x = stoic_tape_data(t, step->in[k], shard);
        for (int64_t p = 0; p < pixels; p++)
            memcpy(y + p * out->c, x + p * c, (size_t)c * sizeof *y);
        y += c;
    }
    return STOIC_OK;
}

static stoic_status concat_back(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                                stoic_error *err) {
    (void)member;
    (void)err;
    const stoic_tape_value *out = &t->values[step->out];
    const float *g = stoic_tape_gradient(t, step->out, shard);
    int64_t pixels = stoic_tape_images(t, shard) * out->hw;
    for (int k = 0; k < step->n_in; k++) {
        int64_t c = t->values[step->in[k]].c;
        float *dx = step->silent[k] ? NULL : stoic_tape_gradient(t, step->in[k], shard);
        for (int64_t p = 0; dx && p < pixels; p++) {
            if (step->adds[k])
                t->gradients->add(dx + p * c, g + p * out->c, c);
            else
                memcpy(dx + p * c, g + p * out->c, (size_t)c * sizeof *dx);
        }
        g += c;
    }
    return STOIC_OK;
}

/* ---- planning ---- */

static stoic_status add_step(stoic_tape_plan *p, int node, stoic_tape_fn forward,
                             stoic_tape_fn backward, stoic_tape_step **out, stoic_error *err) {
    stoic_tape *t = p->t;
    const stoic_node *n = &p->model->nodes[node];
    int x = stoic_tape_root(t, n->in[0]);
    stoic_tape_value_add(p, n->out[0], t->values[x].wanted);
    stoic_status status = stoic_tape_step_add(p, node, out, err);
    if (status != STOIC_OK)
        return status;
    (*out)->forward = forward;
    (*out)->backward = backward;
    (*out)->in[(*out)->n_in++] = x;
    (*out)->out = n->out[0];
    if (t->values[x].size * t->shard_images > t->n_room)
        t->n_room = t->values[x].size * t->shard_images;
    return STOIC_OK;
}

/* Where memory order allows it, the value is its source. */
static stoic_status plan_move(stoic_tape_plan *p, int node, stoic_error *err) {
    stoic_tape *t = p->t;
    const stoic_node *n = &p->model->nodes[node];
    const stoic_tape_value from = t->values[n->in[0]];
    const stoic_shape *shape = &p->model->values[n->out[0]].shape;
    bool reshape = n->op == &stoic_op_flatten || n->op == &stoic_op_reshape ||
                   n->op == &stoic_op_squeeze || n->op == &stoic_op_unsqueeze ||
                   n->op == &stoic_op_identity;
    bool rows = shape->rank != 4 || shape->dim[1] == 1 || shape->dim[2] * shape->dim[3] == 1;
    if (!reshape)
        return STOIC_ERR_UNSUPPORTED;
    bool same =
        n->op == &stoic_op_identity || (rows && (!from.nhwc || from.c == 1 || from.hw == 1));
    if (!same && (!from.nhwc || !rows))
        return STOIC_ERR_UNSUPPORTED;
    if (!same) {
        stoic_tape_step *step;
        return add_step(p, node, flatten, flatten_back, &step, err);
    }
    int64_t before = t->n_activations;
    stoic_tape_value_add(p, n->out[0], from.wanted);
    t->n_activations = before;
    t->values[n->out[0]].root = from.root;
    t->values[n->out[0]].at = from.at;
    return STOIC_OK;
}

static double dropout_ratio(const stoic_op_call *call) {
    if (call->n_in > 1 && call->in[1].present && call->in[1].constant)
        return stoic_tensor_get(call->in[1].constant, 0);
    return stoic_attr_float(call, "ratio", 0.5);
}

static stoic_status plan_dropout(stoic_tape_plan *p, int node, const stoic_op_call *call,
                                 stoic_error *err) {
    double ratio = dropout_ratio(call);
    if (!(ratio >= 0 && ratio < 1))
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, p->model->nodes[node].name,
                          "Dropout of ratio %g, expected 0 to below 1", ratio);
    stoic_tape_step *step;
    stoic_status status = add_step(p, node, dropout, dropout_back, &step, err);
    if (status != STOIC_OK)
        return status;
    step->ratio = p->t->inference ? 0 : ratio;
    step->hands_over = true;
    return STOIC_OK;
}

/* A comparison and the Where that alone reads it. */
static stoic_status plan_choose(stoic_tape_plan *p, int node, stoic_error *err) {
    stoic_tape *t = p->t;
    int test = p->model->nodes[node].out[0], where = stoic_tape_sole_reader(p, test);
    stoic_choice choice;
    if (where < 0 || !stoic_choice_find(p->model, node, where, &choice))
        return STOIC_ERR_UNSUPPORTED;
    stoic_tape_step *step;
    stoic_status status = stoic_tape_step_add(p, node, &step, err);
    if (status != STOIC_OK)
        return status;
    int x = stoic_tape_root(t, p->model->nodes[node].in[0]);
    stoic_tape_value_add(p, p->model->nodes[where].out[0], t->values[x].wanted);
    p->done[where] = true;
    step->forward = unary;
    step->backward = choose_back;
    step->hands_over = true;
    step->unary = stoic_choice_function(&choice);
    step->limit = choice.limit;
    step->with = choice.with;
    step->in[step->n_in++] = x;
    step->out = p->model->nodes[where].out[0];
    return STOIC_OK;
}

static stoic_status plan_pool(stoic_tape_plan *p, int node, const stoic_op_call *call,
                              stoic_error *err) {
    stoic_window window;
    bool max;
    stoic_status status = stoic_node_pool(call, &window, &max, err);
    stoic_tape_step *step;
    if (status == STOIC_OK)
        status = add_step(p, node, pool, pool_back, &step, err);
    if (status != STOIC_OK)
        return status;
    step->window = window;
    step->max = max;
    step->act = p->t->before_pool[node];
    return STOIC_OK;
}

/* Along the channels of maps alone. */
static stoic_status plan_concat(stoic_tape_plan *p, int node, const stoic_op_call *call,
                                stoic_error *err) {
    stoic_tape *t = p->t;
    const stoic_node *n = &p->model->nodes[node];
    int axis;
    bool wanted = false;
    stoic_status status = stoic_axis_resolve(call, 1, call->out[0].shape.rank, &axis, err);
    if (status != STOIC_OK || axis != 1 || n->n_in > STOIC_TAPE_INPUTS)
        return status != STOIC_OK ? status : STOIC_ERR_UNSUPPORTED;
    for (size_t k = 0; k < n->n_in; k++) {
        if (n->in[k] < 0 || p->model->values[n->in[k]].constant || !t->values[n->in[k]].nhwc)
            return STOIC_ERR_UNSUPPORTED;
        wanted = wanted || t->values[stoic_tape_root(t, n->in[k])].wanted;
    }
    stoic_tape_step *step;
    stoic_tape_value_add(p, n->out[0], wanted);
    status = stoic_tape_step_add(p, node, &step, err);
    if (status != STOIC_OK)
        return status;
    step->forward = concat;
    step->backward = concat_back;
    for (size_t k = 0; k < n->n_in; k++)
        step->in[step->n_in++] = stoic_tape_root(t, n->in[k]);
    step->out = n->out[0];
    return STOIC_OK;
}

stoic_status stoic_tape_plan_local(stoic_tape_plan *p, int node, stoic_error *err) {
    const stoic_node *n = &p->model->nodes[node];
    stoic_operand in[STOIC_TAPE_INPUTS], out[2];
    stoic_op_call call;
    if (n->n_in > STOIC_TAPE_INPUTS || n->n_out > 2 || n->n_in < 1 || n->in[0] < 0 ||
        p->model->values[n->in[0]].constant)
        return STOIC_ERR_UNSUPPORTED;
    stoic_model_call(p->model, (size_t)node, in, out, &call);
    if (p->model->values[n->out[0]].dtype == STOIC_BOOL)
        return plan_choose(p, node, err);
    if (n->op == &stoic_op_concat)
        return plan_concat(p, node, &call, err);
    if (n->op == &stoic_op_dropout)
        return plan_dropout(p, node, &call, err);
    if (n->op->facts & STOIC_OP_MOVES)
        return plan_move(p, node, err);
    if (n->op == &stoic_op_sigmoid || n->op == &stoic_op_tanh) {
        stoic_tape_step *step;
        stoic_status status = add_step(p, node, unary, unary_back, &step, err);
        if (status != STOIC_OK)
            return status;
        step->hands_over = true;
        step->unary = n->op == &stoic_op_sigmoid ? STOIC_SIGMOID : STOIC_TANH;
        return STOIC_OK;
    }
    stoic_status status = stoic_tape_plan_finish(p, node, err);
    return status == STOIC_ERR_UNSUPPORTED ? plan_pool(p, node, &call, err) : status;
}
