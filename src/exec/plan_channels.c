/* Channels put side by side, picked, and voted on: copies that need no arithmetic in double. */
#include <string.h>

#include "base/fail.h"
#include "exec/run.h"

/* ---- running ---- */

/* Pixels of n images that lie side by side, channels last. */
static int64_t pixels_of(const stoic_program *g, int value, int n) {
    const stoic_exec_value *v = &g->values[value];
    return n * (v->layout == STOIC_LAYOUT_NHWC ? v->hw : 1);
}

static stoic_status run_concat(stoic_session *s, const stoic_exec_step *step, int n,
                               stoic_error *err) {
    (void)err;
    const stoic_program *g = s->program;
    int64_t pixels = pixels_of(g, step->out, n), width = n * g->values[step->out].size / pixels;
    float *to = s->frame[step->out];
    for (int k = 0; k < step->n_in; k++) {
        const float *from = s->frame[step->in[k]];
        int64_t channels = n * g->values[step->in[k]].size / pixels;
        for (int64_t i = 0; i < pixels; i++)
            memcpy(to + i * width, from + i * channels, (size_t)channels * sizeof *to);
        to += channels;
    }
    return STOIC_OK;
}

/* The constant is a list of channels, exact in float. */
static stoic_status run_gather(stoic_session *s, const stoic_exec_step *step, int n,
                               stoic_error *err) {
    (void)err;
    const stoic_program *g = s->program;
    int64_t pixels = pixels_of(g, step->out, n), picks = n * g->values[step->out].size / pixels;
    int64_t channels = n * g->values[step->in[0]].size / pixels;
    const float *from = s->frame[step->in[0]], *list = s->constants + step->by_channel;
    float *to = s->frame[step->out];
    for (int64_t i = 0; i < pixels; i++, from += channels, to += picks) {
        for (int64_t k = 0; k < picks; k++) {
            int32_t channel = (int32_t)list[k];
            to[k] = from[channel < 0 ? channel + channels : channel];
        }
    }
    return STOIC_OK;
}

static stoic_status run_vote(stoic_session *s, const stoic_exec_step *step, int n,
                             stoic_error *err) {
    (void)err;
    s->program->kernels->vote(s->frame[step->in[0]], s->frame[step->in[1]], s->frame[step->in[2]],
                              s->frame[step->out], n * s->program->values[step->out].size);
    return STOIC_OK;
}

/* ---- planning ---- */

enum { LARGEST_CHANNEL = 1 << 24 }; /* whole numbers below are exact in float */

/* Computed, and in an order in which channels lie last or there is nothing else. */
static bool is_plain(const stoic_planner *p, int value, int rank) {
    if (value < 0 || p->model->values[value].constant)
        return false;
    const stoic_exec_value *v = &p->program->values[value];
    return rank == 4   ? v->layout == STOIC_LAYOUT_NHWC
           : rank == 2 ? v->layout == STOIC_LAYOUT_ROWS
                       : false;
}

static stoic_status plan_out(stoic_planner *p, stoic_exec_step *step, int value) {
    step->out = value;
    stoic_plan_out(p, value,
                   p->model->values[value].shape.rank == 4 ? STOIC_LAYOUT_NHWC : STOIC_LAYOUT_ROWS,
                   p->program->n_steps);
    return STOIC_OK;
}

static bool along_channels(const stoic_planner *p, int node, int64_t fallback) {
    stoic_operand in[STOIC_STEP_INPUTS], out[1];
    stoic_op_call call;
    int axis;
    const stoic_node *n = &p->model->nodes[node];
    if (n->n_in > STOIC_STEP_INPUTS)
        return false;
    stoic_model_call(p->model, (size_t)node, in, out, &call);
    return stoic_axis_resolve(&call, fallback, out[0].shape.rank, &axis, NULL) == STOIC_OK &&
           axis == 1;
}

static stoic_status plan_concat(stoic_planner *p, int node, stoic_exec_step *step) {
    const stoic_node *n = &p->model->nodes[node];
    int rank = p->model->values[n->out[0]].shape.rank;
    bool fits = along_channels(p, node, 1);
    for (size_t k = 0; k < n->n_in && fits; k++) {
        fits = is_plain(p, n->in[k], rank);
        if (fits)
            step->in[step->n_in++] = p->program->values[n->in[k]].root;
    }
    if (!fits)
        return STOIC_ERR_UNSUPPORTED;
    step->run = run_concat;
    return plan_out(p, step, n->out[0]);
}

static stoic_status plan_gather(stoic_planner *p, int node, stoic_exec_step *step,
                                stoic_error *err) {
    const stoic_node *n = &p->model->nodes[node];
    const stoic_value *list = &p->model->values[n->in[1]], *x = &p->model->values[n->in[0]];
    if (!list->constant || list->shape.rank != 1 || !along_channels(p, node, 0) ||
        !is_plain(p, n->in[0], x->shape.rank) || x->shape.dim[1] > LARGEST_CHANNEL)
        return STOIC_ERR_UNSUPPORTED;
    stoic_exec_use use = {n->in[1], p->program->n_steps, STOIC_USE_RAW, 0, 0};
    use.at = stoic_plan_reserve(p, stoic_shape_count(&list->shape));
    stoic_status status = stoic_plan_use(p, use, err);
    if (status != STOIC_OK)
        return status;
    step->in[step->n_in++] = p->program->values[n->in[0]].root;
    step->by_channel = use.at;
    step->run = run_gather;
    return plan_out(p, step, n->out[0]);
}

/* Is the node Where(a = b, a, c) of computed maps or rows, its comparison read by nobody else? What
 * an Equal or a Where reads lies in the order of its rank, never flattened from a map. */
static bool is_vote(const stoic_planner *p, int where) {
    const stoic_node *n = &p->model->nodes[where];
    const stoic_value *values = p->model->values;
    if (n->op != &stoic_op_where || values[n->in[0]].producer < 0)
        return false;
    const stoic_node *test = &p->model->nodes[values[n->in[0]].producer];
    if (test->op != &stoic_op_equal || p->consumers[n->in[0]] != 1 || p->observable[n->in[0]] ||
        test->in[0] != n->in[1])
        return false;
    const int in[] = {test->in[0], test->in[1], n->in[2]};
    int rank = values[n->out[0]].shape.rank;
    bool fits = rank == 2 || rank == 4;
    for (int k = 0; k < 3 && fits; k++)
        fits = !values[in[k]].constant && stoic_plan_alike(p, in[k], n->out[0]);
    return fits;
}

/* The comparison is part of the Where's step: the third value may be computed between the two. */
static stoic_status plan_test(const stoic_planner *p, int node, stoic_exec_step *step) {
    int test = p->model->nodes[node].out[0];
    step->run = NULL;
    return test != p->model->output && p->consumers[test] == 1 && is_vote(p, p->consumer[test])
               ? STOIC_OK
               : STOIC_ERR_UNSUPPORTED;
}

static stoic_status plan_vote(stoic_planner *p, int node, stoic_exec_step *step) {
    const stoic_node *n = &p->model->nodes[node];
    if (!is_vote(p, node))
        return STOIC_ERR_UNSUPPORTED;
    int b = p->model->nodes[p->model->values[n->in[0]].producer].in[1];
    const int in[] = {n->in[1], b, n->in[2]};
    for (int k = 0; k < 3; k++)
        step->in[step->n_in++] = p->program->values[in[k]].root;
    step->run = run_vote;
    return plan_out(p, step, n->out[0]);
}

stoic_status stoic_plan_channels(stoic_planner *p, int node, stoic_exec_step *step,
                                 stoic_error *err) {
    const stoic_op *op = p->model->nodes[node].op;
    return op == &stoic_op_concat   ? plan_concat(p, node, step)
           : op == &stoic_op_gather ? plan_gather(p, node, step, err)
           : op == &stoic_op_equal  ? plan_test(p, node, step)
                                    : plan_vote(p, node, step);
}
