/*
 * Batch normalisation on a tape, with the sum and the activation behind it.
 *
 *   moments   each shard's sums of x                       | backward: dx from g
 *   ---- the team meets ----
 *   finish    y = act(a x + b + add), a = scale / sqrt(var + eps), b = bias - mean a
 *                                                          | backward: g = dy act'(y), its sums
 *
 * Moments of shards are put together in double, in their order (Chan, Golub and LeVeque 1983);
 * every member does that for itself, which saves a second meeting.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/program.h"
#include "exec/tape_inside.h"

/* A member's vectors of one norm, `channels` floats each. */
enum { MEAN, SCALE, SHIFT, G_MEAN, G_SLOPE, LOCALS };

static float *local(const stoic_tape *t, const stoic_tape_norm *norm, int member, int which) {
    return t->member[member].locals + norm->local_at + which * ((norm->channels + 15) / 16 * 16);
}

/* A shard's sums: of x and x² (shifted), then of g and g (x - mean). */
static double *sums(const stoic_tape *t, const stoic_tape_norm *norm, int shard, int which) {
    return t->sums + norm->sums_at + (shard * 4 + which) * norm->channels;
}

static int64_t rows_of(const stoic_tape *t, const stoic_tape_norm *norm, int shard) {
    return stoic_tape_images(t, shard) * norm->per_image;
}

static stoic_status moments(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                            stoic_error *err) {
    (void)member;
    (void)err;
    const stoic_tape_norm *norm = &t->norms[step->part];
    if (t->inference)
        return STOIC_OK;
    const float *x = stoic_tape_data(t, norm->x, shard);
    double *sum = sums(t, norm, shard, 0), *square = sums(t, norm, shard, 1);
    memset(sum, 0, (size_t)norm->channels * 2 * sizeof *sum);
    /* shifted by the first pixel, so that squares do not cancel */
    t->gradients->moments(x, x, rows_of(t, norm, shard), norm->channels, sum, square);
    return STOIC_OK;
}

typedef struct whole {
    double mean, square; /* Σ (x - mean)² */
} whole;

/* Of the whole batch; as in inference, the running ones as if they were the batch's. */
static whole gather(const stoic_tape *t, const stoic_tape_norm *norm, int64_t c) {
    whole w = {0, 0};
    if (t->inference) {
        w.mean = (double)norm->mean[c];
        w.square = (double)norm->var[c] * (double)(t->batch * norm->per_image);
        return w;
    }
    double n = 0;
    for (int s = 0; s < t->shards; s++) {
        double rows = (double)rows_of(t, norm, s);
        double part = sums(t, norm, s, 0)[c] / rows;
        double mean = (double)stoic_tape_data(t, norm->x, s)[c] + part;
        double square = sums(t, norm, s, 1)[c] - part * part * rows;
        double off = mean - w.mean;
        w.square += square + off * off * n * rows / (n + rows);
        w.mean += off * rows / (n + rows);
        n += rows;
    }
    /* Rounding may leave less than nothing; what is not a number stays that. */
    w.square = w.square < 0 ? 0 : w.square;
    return w;
}

static stoic_status settle_moments(stoic_tape *t, const stoic_tape_step *step, int who, int member,
                                   stoic_error *err) {
    (void)who;
    (void)err;
    const stoic_tape_norm *norm = &t->norms[step->part];
    const float *scale = stoic_tape_constant(t, norm->scale, norm->tensor[0]);
    const float *bias = stoic_tape_constant(t, norm->bias, norm->tensor[1]);
    float *mean = local(t, norm, member, MEAN), *a = local(t, norm, member, SCALE),
          *b = local(t, norm, member, SHIFT);
    double n = (double)(t->batch * norm->per_image);
    for (int64_t c = 0; c < norm->channels; c++) {
        whole w = gather(t, norm, c);
        double slope = (double)scale[c] / sqrt(w.square / n + norm->epsilon);
        mean[c] = (float)w.mean;
        a[c] = (float)slope;
        b[c] = (float)((double)bias[c] - w.mean * slope);
        if (member != 0 || t->inference)
            continue;
        double keep = norm->momentum, unbiased = n > 1 ? w.square / (n - 1) : w.square;
        norm->mean[c] = (float)(keep * (double)norm->mean[c] + (1 - keep) * w.mean);
        norm->var[c] = (float)(keep * (double)norm->var[c] + (1 - keep) * unbiased);
    }
    return STOIC_OK;
}

static stoic_status finish(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                           stoic_error *err) {
    (void)err;
    const stoic_tape_norm *norm = step->part >= 0 ? &t->norms[step->part] : NULL;
    int64_t channels = t->values[step->out].c;
    t->kernels->affine(stoic_tape_data(t, step->out, shard), stoic_tape_data(t, step->in[0], shard),
                       step->n_in > 1 ? stoic_tape_data(t, step->in[1], shard) : NULL,
                       norm ? local(t, norm, member, SCALE) : NULL,
                       norm ? local(t, norm, member, SHIFT) : NULL, step->act,
                       stoic_tape_images(t, shard) * t->values[step->out].hw, channels);
    return STOIC_OK;
}

/* Gives g to input k, which has not taken over its memory. */
static void hand_on(const stoic_tape *t, const stoic_tape_step *step, int k, int shard,
                    const float *g, int64_t n) {
    if (k >= step->n_in || step->silent[k] || step->shares[k])
        return;
    float *to = stoic_tape_gradient(t, step->in[k], shard);
    if (step->adds[k])
        t->gradients->add(to, g, n);
    else
        memcpy(to, g, (size_t)n * sizeof *to);
}

static stoic_status finish_back(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                                stoic_error *err) {
    (void)err;
    const stoic_tape_norm *norm = step->part >= 0 ? &t->norms[step->part] : NULL;
    const float *y = stoic_tape_data(t, step->out, shard);
    float *g = stoic_tape_gradient(t, step->out, shard);
    int64_t n = stoic_tape_images(t, shard) * t->values[step->out].size;
    if (norm) {
        double *sum = sums(t, norm, shard, 2);
        memset(sum, 0, (size_t)norm->channels * 2 * sizeof *sum);
        t->gradients->act_moments(g, y, step->act, stoic_tape_data(t, norm->x, shard),
                                  local(t, norm, member, MEAN), rows_of(t, norm, shard),
                                  norm->channels, sum, sums(t, norm, shard, 3));
    } else {
        t->gradients->act(g, y, step->act, n);
        if (!step->in_place)
            hand_on(t, step, 0, shard, g, n);
    }
    hand_on(t, step, 1, shard, g, n);
    return STOIC_OK;
}

/* Σ g and Σ g (x - mean) over the whole batch; the mean was rounded when it was subtracted. */
static whole gather_back(const stoic_tape *t, const stoic_tape_norm *norm, int64_t c) {
    whole w = {0, 0};
    for (int s = 0; s < t->shards; s++) {
        w.mean += sums(t, norm, s, 2)[c];
        w.square += sums(t, norm, s, 3)[c];
    }
    return w;
}

static stoic_status settle_back(stoic_tape *t, const stoic_tape_step *step, int who, int member,
                                stoic_error *err) {
    (void)who;
    (void)err;
    const stoic_tape_norm *norm = &t->norms[step->part];
    float *m = local(t, norm, member, G_MEAN), *s = local(t, norm, member, G_SLOPE);
    double n = (double)(t->batch * norm->per_image);
    for (int64_t c = 0; c < norm->channels; c++) {
        if (t->inference) { /* mean and variance do not depend on x */
            m[c] = s[c] = 0;
            continue;
        }
        whole g = gather_back(t, norm, c), x = gather(t, norm, c);
        m[c] = (float)(g.mean / n);
        s[c] = (float)(g.square / (x.square + n * norm->epsilon));
    }
    return STOIC_OK;
}

static stoic_status moments_back(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                                 stoic_error *err) {
    (void)err;
    const stoic_tape_norm *norm = &t->norms[step->part];
    if (step->silent[0])
        return STOIC_OK;
    float *dx = stoic_tape_gradient(t, norm->x, shard);
    float *to = step->adds[0] ? t->member[member].room : dx;
    t->gradients->norm(to, stoic_tape_gradient(t, step->out, shard),
                       stoic_tape_data(t, norm->x, shard), local(t, norm, member, MEAN),
                       local(t, norm, member, SCALE), local(t, norm, member, G_MEAN),
                       local(t, norm, member, G_SLOPE), rows_of(t, norm, shard), norm->channels);
    if (step->adds[0])
        t->gradients->add(dx, to, stoic_tape_images(t, shard) * t->values[norm->x].size);
    return STOIC_OK;
}

/* The gradient of scale and bias. */
void stoic_tape_norm_collect(stoic_tape *t, const stoic_tape_source *source) {
    const stoic_tape_norm *norm = &t->norms[source->part];
    const stoic_tape_param *param = &t->params[source->param];
    double n = (double)(t->batch * norm->per_image);
    for (int64_t c = 0; c < norm->channels; c++) {
        whole g = gather_back(t, norm, c), x = gather(t, norm, c);
        double d = param->scale ? g.square / sqrt(x.square / n + norm->epsilon) : g.mean;
        param->gradient[c] = (source->first ? 0 : param->gradient[c]) + (float)d;
    }
}

/* ---- planning ---- */

/* A sum of `value` and another computed value of the same shape. */
static int addend(const stoic_tape_plan *p, int node, int value) {
    const stoic_node *n = &p->model->nodes[node];
    const stoic_tape *t = p->t;
    if (n->op != &stoic_op_add || n->n_in != 2)
        return -1;
    int other = n->in[0] == value ? n->in[1] : n->in[0];
    const stoic_shape *x = &p->model->values[value].shape;
    const stoic_shape *y = other >= 0 ? &p->model->values[other].shape : NULL;
    if (other < 0 || other == value || p->model->values[other].constant ||
        !t->values[other].computed || x->rank != y->rank ||
        memcmp(x->dim, y->dim, (size_t)x->rank * sizeof *x->dim) != 0 ||
        stoic_tape_root(t, other) == stoic_tape_root(t, value))
        return -1;
    return other;
}

/* The slope is told from y: not possible where a LeakyRelu falls. */
static bool activation(const stoic_tape_plan *p, int node, stoic_activation *act) {
    bool fits =
        stoic_node_activation(p->model, node, act) && (act->kind != STOIC_ACT_LEAKY || act->a > 0);
    if (!fits)
        act->kind = STOIC_ACT_NONE;
    return fits;
}

/* relu(max(x)) = max(relu(x)): the activation moves behind the pool, where there is less to do. */
static bool move_behind_pool(stoic_tape_plan *p, int node, int value, stoic_activation act) {
    int out = p->model->nodes[node].out[0], pool = stoic_tape_sole_reader(p, out);
    if (pool < 0 || p->model->nodes[pool].op != &stoic_op_max_pool || !p->t->values[value].nhwc ||
        act.kind == STOIC_ACT_LEAKY)
        return false;
    p->t->before_pool[pool] = act;
    p->t->values[out] = p->t->values[value]; /* shares the memory in front of the activation */
    return true;
}

/* What stands behind `value` and goes into the same pass: a sum, an activation. Returns the value
 * that comes out. */
static int absorb(stoic_tape_plan *p, int value, stoic_activation *act, int *add) {
    int node = stoic_tape_sole_reader(p, value), other;
    *add = -1;
    act->kind = STOIC_ACT_NONE;
    if (node >= 0 && (other = addend(p, node, value)) >= 0) {
        *add = stoic_tape_root(p->t, other);
        p->done[node] = true;
        value = p->model->nodes[node].out[0];
        node = stoic_tape_sole_reader(p, value);
    }
    if (node >= 0 && activation(p, node, act)) {
        p->done[node] = true;
        value = p->model->nodes[node].out[0];
    }
    return value;
}

static stoic_status add_finish(stoic_tape_plan *p, int node, int x, int add, int part,
                               stoic_activation act, int out, stoic_error *err) {
    stoic_tape_step *step;
    stoic_status status = stoic_tape_step_add(p, node, &step, err);
    if (status != STOIC_OK)
        return status;
    step->forward = finish;
    step->backward = finish_back;
    step->settle_forward = part >= 0 ? settle_moments : NULL;
    step->in[step->n_in++] = x;
    if (add >= 0)
        step->in[step->n_in++] = add;
    step->silent[0] = part >= 0; /* moments gives it */
    step->hands_over = true;
    step->part = part;
    step->act = act;
    step->out = out;
    return STOIC_OK;
}

/* Sum and activation without normalisation. */
stoic_status stoic_tape_plan_finish(stoic_tape_plan *p, int node, stoic_error *err) {
    stoic_tape *t = p->t;
    const stoic_node *n = &p->model->nodes[node];
    stoic_activation act = {.kind = STOIC_ACT_NONE};
    int value = n->in[0], add = -1, out = n->out[0];
    if (activation(p, node, &act)) {
        if (move_behind_pool(p, node, value, act))
            return STOIC_OK;
    } else {
        add = addend(p, node, value);
        if (add < 0)
            return STOIC_ERR_UNSUPPORTED;
        add = stoic_tape_root(t, add);
        int next = stoic_tape_sole_reader(p, out);
        if (next >= 0 && activation(p, next, &act)) {
            p->done[next] = true;
            out = p->model->nodes[next].out[0];
        }
    }
    int x = stoic_tape_root(t, value);
    bool wanted = t->values[x].wanted || (add >= 0 && t->values[add].wanted);
    /* Only a convolution or product never looks at its own result again. */
    const stoic_tape_step *last = t->n_steps ? &t->steps[t->n_steps - 1] : NULL;
    int producer = p->model->values[x].producer;
    bool layer = producer >= 0 && p->model->nodes[producer].op->facts & STOIC_OP_LAYER;
    bool in_place =
        add < 0 && layer && last && last->out == x && p->readers[value] == 1 && value == x;
    stoic_tape_value_add(p, out, wanted);
    if (in_place) {
        t->values[out] = t->values[x];
        t->values[out].root = x;
    }
    stoic_status status = add_finish(p, node, x, add, -1, act, in_place ? x : out, err);
    if (status == STOIC_OK)
        t->steps[t->n_steps - 1].in_place = in_place;
    return status;
}

static stoic_status add_norm(stoic_tape_plan *p, int node, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_tape *t = p->t;
    const stoic_node *n = &p->model->nodes[node];
    stoic_operand in[8], out[8];
    stoic_op_call call;
    stoic_model_call(p->model, (size_t)node, in, out, &call);
    stoic_tape_norm *norms = realloc(t->norms, ((size_t)t->n_norms + 1) * sizeof *norms);
    if (!norms)
        return stoic_fail_memory(err, "batch normalisation", sizeof *norms);
    t->norms = norms;
    stoic_tape_norm *norm = &norms[t->n_norms];
    int x = stoic_tape_root(t, n->in[0]);
    *norm = (stoic_tape_norm){.epsilon = stoic_attr_float(&call, "epsilon", 1e-5),
                              .momentum = stoic_attr_float(&call, "momentum", 0.9),
                              .channels = t->values[x].c,
                              .per_image = t->values[x].hw,
                              .x = x};
    for (int k = 0; k < 4; k++)
        norm->tensor[k] = n->in[k + 1];
    norm->mean = stoic_tensor_mutable_data(p->model->values[norm->tensor[2]].constant);
    norm->var = stoic_tensor_mutable_data(p->model->values[norm->tensor[3]].constant);
    norm->sums_at = stoic_tape_reserve(&t->n_sums, norm->channels * 4 * t->shards);
    norm->local_at = stoic_tape_reserve(&t->n_locals, (norm->channels + 15) / 16 * 16 * LOCALS);
    t->n_norms++;
    stoic_tape_source from = {.kind = STOIC_SOURCE_NORM, .part = t->n_norms - 1};
    TRY(stoic_tape_param_add(p, norm->tensor[0], from, &norm->scale, err));
    TRY(stoic_tape_param_add(p, norm->tensor[1], from, &norm->bias, err));
done:
    return status;
}

stoic_status stoic_tape_plan_norm(stoic_tape_plan *p, int node, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_tape *t = p->t;
    const stoic_node *n = &p->model->nodes[node];
    if (n->op != &stoic_op_batch_normalization || n->n_in != 5)
        return STOIC_ERR_UNSUPPORTED;
    for (int k = 1; k < 5; k++) {
        if (!p->model->values[n->in[k]].constant || p->model->values[n->in[k]].dtype != STOIC_F32)
            return STOIC_ERR_UNSUPPORTED;
    }
    const stoic_tape_value *v = &t->values[n->in[0]];
    if (!v->computed || (!v->nhwc && p->model->values[n->in[0]].shape.rank != 2))
        return STOIC_ERR_UNSUPPORTED;
    stoic_activation act;
    int add, out = absorb(p, n->out[0], &act, &add);
    TRY(add_norm(p, node, err));
    int part = t->n_norms - 1, x = t->norms[part].x;
    stoic_tape_value_add(p, out, true);
    if (t->values[x].size * t->shard_images > t->n_room)
        t->n_room = t->values[x].size * t->shard_images;
    stoic_tape_step *step;
    TRY(stoic_tape_step_add(p, node, &step, err));
    step->forward = moments;
    step->backward = moments_back;
    step->settle_backward = settle_back;
    step->meet_after = true;
    step->hands_over = true;
    step->in[step->n_in++] = x;
    step->out = out;
    step->part = part;
    TRY(add_finish(p, node, x, add, part, act, out, err));
done:
    return status;
}
