/* Every other operator on a tape: its plain definition and gradient in double, image by image. */
#include <string.h>

#include "base/fail.h"
#include "exec/tape_inside.h"

/* An image's value in the order of ONNX, and back. */
static void to_plain(const stoic_tape_value *v, const float *from, double *to) {
    for (int64_t c = 0; c < v->c; c++) {
        for (int64_t k = 0; k < v->hw; k++)
            to[c * v->hw + k] = (double)from[k * v->c + c];
    }
}

static void from_plain(const stoic_tape_value *v, const double *from, float *to, bool add) {
    for (int64_t c = 0; c < v->c; c++) {
        for (int64_t k = 0; k < v->hw; k++) {
            float *at = &to[k * v->c + c];
            *at = (float)from[c * v->hw + k] + (add ? *at : 0);
        }
    }
}

/* Where a step's operands lie among a member's doubles. */
typedef struct operands {
    double *in[STOIC_TAPE_INPUTS], *grad_in[STOIC_TAPE_INPUTS];
    double *out, *grad_out;
    int64_t count[STOIC_TAPE_INPUTS]; /* of an image, or of the constant */
} operands;

static int64_t count_of(const stoic_tape *t, int value) {
    return value < 0 ? 0 : stoic_shape_count(&t->model->values[value].shape);
}

static bool is_constant(const stoic_tape *t, int value) {
    return value >= 0 && t->model->values[value].constant;
}

/* The sources of this step's parameters: part is the step's node, which input in `at`'s place. */
static const stoic_tape_source *source_of(const stoic_tape *t, int node, int tensor) {
    for (int i = 0; i < t->n_sources; i++) {
        const stoic_tape_source *s = &t->sources[i];
        if (s->kind == STOIC_SOURCE_PLAIN && s->part == node &&
            t->params[s->param].tensor == tensor)
            return s;
    }
    return NULL;
}

static void lay_out(const stoic_tape *t, const stoic_tape_step *step, double *room, operands *o) {
    const stoic_node *n = &t->model->nodes[step->node];
    memset(o, 0, sizeof *o);
    for (size_t k = 0; k < n->n_in; k++) {
        o->count[k] = count_of(t, n->in[k]);
        if (n->in[k] < 0)
            continue;
        o->in[k] = room;
        room += o->count[k];
        const stoic_tape_value *v = &t->values[n->in[k]];
        if (is_constant(t, n->in[k]) ? source_of(t, step->node, n->in[k]) != NULL
                                     : t->values[v->root].wanted) {
            o->grad_in[k] = room;
            room += o->count[k];
        }
    }
    o->out = room;
    o->grad_out = room + count_of(t, n->out[0]);
}

static void load_constants(const stoic_tape *t, const stoic_tape_step *step, operands *o) {
    const stoic_node *n = &t->model->nodes[step->node];
    for (size_t k = 0; k < n->n_in; k++) {
        if (!is_constant(t, n->in[k]))
            continue;
        const stoic_tape_source *s = source_of(t, step->node, n->in[k]);
        for (int64_t i = 0; i < o->count[k]; i++)
            o->in[k][i] = s ? (double)t->params[s->param].used[i]
                            : stoic_tensor_get(t->model->values[n->in[k]].constant, i);
    }
}

static void load_image(const stoic_tape *t, const stoic_tape_step *step, int shard, int64_t image,
                       operands *o) {
    const stoic_node *n = &t->model->nodes[step->node];
    for (size_t k = 0; k < n->n_in; k++) {
        if (n->in[k] < 0 || is_constant(t, n->in[k]))
            continue;
        const stoic_tape_value *v = &t->values[n->in[k]];
        to_plain(v, stoic_tape_data(t, v->root, shard) + image * v->size, o->in[k]);
    }
}

static stoic_status forward(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                            stoic_error *err) {
    stoic_status status = STOIC_OK;
    operands o;
    stoic_operand in[STOIC_TAPE_INPUTS], out[8];
    stoic_op_call call;
    const stoic_tape_value *v = &t->values[step->out];
    stoic_model_call(t->model, (size_t)step->node, in, out, &call);
    lay_out(t, step, t->member[member].plain, &o);
    load_constants(t, step, &o);
    for (int64_t i = 0; i < stoic_tape_images(t, shard) && status == STOIC_OK; i++) {
        load_image(t, step, shard, i, &o);
        status = call.op->reference(&call, (const double *const *)o.in, &o.out, err);
        from_plain(v, o.out, stoic_tape_data(t, step->out, shard) + i * v->size, false);
    }
    return status;
}

/* Inputs that are read twice by one node get both their gradients. */
static void give(stoic_tape *t, const stoic_tape_step *step, int shard, int64_t image,
                 const operands *o) {
    const stoic_node *n = &t->model->nodes[step->node];
    for (size_t k = 0, computed = 0; k < n->n_in; k++) {
        if (n->in[k] < 0)
            continue;
        if (!is_constant(t, n->in[k])) {
            const stoic_tape_value *v = &t->values[n->in[k]];
            if (o->grad_in[k])
                from_plain(v, o->grad_in[k],
                           stoic_tape_gradient(t, v->root, shard) + image * v->size,
                           step->adds[computed]);
            computed++;
        } else if (o->grad_in[k]) {
            const stoic_tape_source *s = source_of(t, step->node, n->in[k]);
            float *part = t->parts + s->at + shard * ((o->count[k] + 15) / 16 * 16);
            for (int64_t i = 0; i < o->count[k]; i++)
                part[i] = (float)o->grad_in[k][i] + (image ? part[i] : 0);
        }
    }
}

static stoic_status backward(stoic_tape *t, const stoic_tape_step *step, int shard, int member,
                             stoic_error *err) {
    stoic_status status = STOIC_OK;
    operands o;
    stoic_operand in[STOIC_TAPE_INPUTS], out[8];
    stoic_op_call call;
    const stoic_tape_value *v = &t->values[step->out];
    stoic_model_call(t->model, (size_t)step->node, in, out, &call);
    lay_out(t, step, t->member[member].plain, &o);
    load_constants(t, step, &o);
    for (int64_t i = 0; i < stoic_tape_images(t, shard) && status == STOIC_OK; i++) {
        load_image(t, step, shard, i, &o);
        to_plain(v, stoic_tape_data(t, step->out, shard) + i * v->size, o.out);
        to_plain(v, stoic_tape_gradient(t, step->out, shard) + i * v->size, o.grad_out);
        const double *outs[8] = {o.out}, *grads[8] = {o.grad_out};
        status = call.op->backward(&call, (const double *const *)o.in, outs, grads, o.grad_in, err);
        if (status == STOIC_OK)
            give(t, step, shard, i, &o);
    }
    return status;
}

void stoic_tape_plain_collect(stoic_tape *t, const stoic_tape_source *source) {
    const stoic_tape_param *param = &t->params[source->param];
    int64_t stride = (param->count + 15) / 16 * 16;
    const float *parts = t->parts + source->at;
    for (int s = 0; s < t->shards; s++) {
        if (s == 0 && source->first)
            memcpy(param->gradient, parts, (size_t)param->count * sizeof *parts);
        else
            t->gradients->add(param->gradient, parts + s * stride, param->count);
    }
}

stoic_status stoic_tape_plan_plain(stoic_tape_plan *p, int node, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_tape *t = p->t;
    const stoic_node *n = &p->model->nodes[node];
    int64_t doubles = 0;
    bool wanted = false;
    /* a comparison stands still wherever it has a slope: nothing goes back through it */
    bool slopes = p->model->values[n->out[0]].dtype == STOIC_F32;
    if (!n->op->reference || (slopes && !n->op->backward) || n->n_in > STOIC_TAPE_INPUTS ||
        n->n_out != 1 || n->op == &stoic_op_batch_normalization)
        return STOIC_ERR_UNSUPPORTED;
    stoic_tape_step *step;
    TRY(stoic_tape_step_add(p, node, &step, err));
    for (size_t k = 0; k < n->n_in; k++) {
        doubles += 2 * count_of(t, n->in[k]);
        if (n->in[k] < 0)
            continue;
        if (!is_constant(t, n->in[k])) {
            int root = stoic_tape_root(t, n->in[k]);
            step->in[step->n_in++] = root;
            wanted = wanted || t->values[root].wanted;
            continue;
        }
        stoic_tape_source from = {.kind = STOIC_SOURCE_PLAIN, .part = node};
        int param;
        if (k == 0)
            continue;
        from.at = t->n_parts;
        TRY(stoic_tape_param_add(p, n->in[k], from, &param, err));
        if (param < 0)
            continue;
        stoic_tape_reserve(&t->n_parts, (t->params[param].count + 15) / 16 * 16 * t->shards);
        wanted = true;
    }
    doubles += 2 * count_of(t, n->out[0]);
    t->n_plain = doubles > t->n_plain ? doubles : t->n_plain;
    stoic_tape_value_add(p, n->out[0], wanted && slopes);
    step->forward = forward;
    step->backward = slopes ? backward : NULL;
    step->out = n->out[0];
    if (n->layer >= 0)
        status = stoic_tape_plan_fault(p, node, n->out[0], err);
done:
    return status;
}
