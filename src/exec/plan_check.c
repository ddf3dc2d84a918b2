/* Checksums of layers (op_checksum.c): steps that look and change nothing. */
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "exec/run.h"
#include "op/checksum.h"

/* ---- running ---- */

/* Is one of the sums of an image off? A NaN is. */
static bool is_off(const stoic_kernels *kernels, const stoic_exec_checksum *c, const float *y,
                   const float *sums, const float *bounds) {
    for (int64_t p = 0; p < c->places; p++) {
        double sum = bounds ? sums[p] : sums[2 * p], bound = bounds ? bounds[p] : sums[2 * p + 1];
        if (!(fabs(kernels->sum(y + p * c->count, c->count) - sum) <= c->share * bound + c->least))
            return true;
    }
    return false;
}

static stoic_status run_checksum(stoic_session *s, const stoic_exec_step *step, int n,
                                 stoic_error *err) {
    (void)err;
    const stoic_exec_checksum *c = &step->checksum;
    int64_t size = s->program->values[step->in[0]].size, width = c->bounds < 0 ? 2 : 1;
    for (int i = 0; i < n; i++) {
        bool off = is_off(s->program->kernels, c, s->frame[step->in[0]] + i * size,
                          s->frame[c->sums] + i * c->places * width,
                          c->bounds < 0 ? NULL : s->frame[c->bounds] + i * c->places);
        s->frame[step->out][i] = (c->before < 0 ? 0 : s->frame[c->before][i]) + (float)off;
    }
    return STOIC_OK;
}

static stoic_status run_alarm(stoic_session *s, const stoic_exec_step *step, int n,
                              stoic_error *err) {
    (void)err;
    size_t floats = (size_t)(n * s->program->values[step->out].size);
    memcpy(s->frame[step->out], s->frame[step->in[0]], floats * sizeof(float));
    return STOIC_OK;
}

static stoic_status run_window_sum(stoic_session *s, const stoic_exec_step *step, int n,
                                   stoic_error *err) {
    (void)err;
    int64_t in = s->program->values[step->in[0]].size, out = s->program->values[step->out].size;
    for (int i = 0; i < n; i++)
        s->program->kernels->window_sum(&step->window, step->magnitude,
                                        s->frame[step->in[0]] + i * in, s->plain,
                                        s->frame[step->out] + i * out);
    return STOIC_OK;
}

/* ---- planning ---- */

/* Another input of the node; -1 where it is left out, -2 where it is constant. */
static int root_of(const stoic_planner *p, const stoic_node *n, size_t i) {
    if (i >= n->n_in || n->in[i] < 0)
        return -1;
    return p->model->values[n->in[i]].constant ? -2 : p->program->values[n->in[i]].root;
}

static stoic_status plan_checksum(const stoic_planner *p, const stoic_op_call *call,
                                  const stoic_node *n, stoic_exec_step *step) {
    const stoic_program *g = p->program;
    stoic_exec_checksum *c = &step->checksum;
    const stoic_exec_value *y = &g->values[n->in[0]];
    *c = (stoic_exec_checksum){root_of(p, n, 1), root_of(p, n, 2), root_of(p, n, 3), 1, 0, 0, 0};
    if (c->sums < 0 || c->bounds < -1 || c->before < -1 || y->layout == STOIC_LAYOUT_FLAT_HWC)
        return STOIC_ERR_UNSUPPORTED;
    const stoic_exec_value *sums = &g->values[c->sums];
    c->places = sums->size / (c->bounds < 0 ? 2 : 1);
    if (c->places > 1 && (y->layout != STOIC_LAYOUT_NHWC || sums->layout != STOIC_LAYOUT_NHWC))
        return STOIC_ERR_UNSUPPORTED;
    c->count = y->size / c->places;
    stoic_checksum_tolerance(call, &c->share, &c->least);
    const int others[] = {c->sums, c->bounds, c->before};
    for (int i = 0; i < 3; i++) {
        if (others[i] >= 0)
            step->in[step->n_in++] = others[i];
    }
    step->run = run_checksum;
    step->kind = STOIC_STEP_CHECKSUM;
    return STOIC_OK;
}

static stoic_status plan_window_sum(stoic_planner *p, const stoic_op_call *call,
                                    const stoic_node *n, stoic_exec_step *step, stoic_error *err) {
    stoic_status status = stoic_pool_window(call, &step->window, err);
    if (status != STOIC_OK || p->program->values[n->in[0]].layout != STOIC_LAYOUT_NHWC)
        return status != STOIC_OK ? status : STOIC_ERR_UNSUPPORTED;
    int64_t scratch = (2 * step->window.in[0] + 1) * step->window.in_channels;
    if (scratch > p->program->plain_doubles)
        p->program->plain_doubles = scratch;
    step->magnitude = stoic_attr_int(call, "magnitude", 0) != 0;
    step->run = run_window_sum;
    return STOIC_OK;
}

stoic_status stoic_plan_check(stoic_planner *p, int node, stoic_exec_step *step, stoic_error *err) {
    const stoic_node *n = &p->model->nodes[node];
    stoic_operand in[4], out[1];
    stoic_op_call call;
    stoic_status status = STOIC_OK;
    if (root_of(p, n, 0) < 0)
        return STOIC_ERR_UNSUPPORTED;
    stoic_model_call(p->model, (size_t)node, in, out, &call);
    step->in[step->n_in++] = root_of(p, n, 0);
    if (n->op == &stoic_op_checksum) {
        status = plan_checksum(p, &call, n, step);
    } else if (n->op == &stoic_op_window_sum) {
        status = plan_window_sum(p, &call, n, step, err);
    } else {
        step->in[step->n_in++] = root_of(p, n, 1);
        step->run = run_alarm;
    }
    if (status != STOIC_OK)
        return status;
    step->out = n->out[0];
    /* an Alarm leaves its first input in the order it has */
    stoic_layout layout =
        n->op == &stoic_op_alarm ? p->program->values[n->in[0]].layout : STOIC_LAYOUT_ROWS;
    if (layout == STOIC_LAYOUT_FLAT_HWC)
        return STOIC_ERR_UNSUPPORTED;
    stoic_plan_out(p, step->out, layout, p->program->n_steps);
    return STOIC_OK;
}
