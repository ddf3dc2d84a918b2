/* Everything between the layers: normalisation, activations, pooling, sums, reshapes. */
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "exec/run.h"

static int64_t pixels(const stoic_exec_value *v) {
    return v->layout == STOIC_LAYOUT_NHWC ? v->hw : 1;
}

/* ---- running ---- */

static stoic_status run_affine(stoic_session *s, const stoic_exec_step *step, int n,
                               stoic_error *err) {
    (void)err;
    const stoic_program *g = s->program;
    const stoic_exec_norm *norm = step->norm >= 0 ? &g->norms[step->norm] : NULL;
    int64_t rows = n * pixels(&g->values[step->out]);
    g->kernels->affine(
        s->frame[step->out], s->frame[step->in[0]], step->add >= 0 ? s->frame[step->add] : NULL,
        norm ? s->constants + norm->scale_at : NULL, norm ? s->constants + norm->shift_at : NULL,
        step->act, rows, n * g->values[step->out].size / rows);
    return STOIC_OK;
}

static stoic_status run_max_pool(stoic_session *s, const stoic_exec_step *step, int n,
                                 stoic_error *err) {
    (void)err;
    const stoic_program *g = s->program;
    int64_t in = g->values[step->in[0]].size, out = g->values[step->out].size;
    for (int i = 0; i < n; i++)
        g->kernels->max_pool(&step->window, s->frame[step->in[0]] + i * in,
                             s->frame[step->out] + i * out, step->act);
    return STOIC_OK;
}

static stoic_status run_average_pool(stoic_session *s, const stoic_exec_step *step, int n,
                                     stoic_error *err) {
    (void)err;
    const stoic_program *g = s->program;
    int64_t in = g->values[step->in[0]].size, out = g->values[step->out].size;
    for (int i = 0; i < n; i++)
        g->kernels->average_pool(&step->window, s->frame[step->in[0]] + i * in,
                                 s->frame[step->out] + i * out);
    return STOIC_OK;
}

static stoic_status run_unary(stoic_session *s, const stoic_exec_step *step, int n,
                              stoic_error *err) {
    (void)err;
    const stoic_program *g = s->program;
    g->kernels->unary(step->unary, step->a, step->b, s->frame[step->in[0]], s->frame[step->out],
                      n * g->values[step->out].size);
    return STOIC_OK;
}

static stoic_status run_binary(stoic_session *s, const stoic_exec_step *step, int n,
                               stoic_error *err) {
    (void)err;
    const stoic_program *g = s->program;
    g->kernels->binary(step->binary, s->frame[step->in[0]], s->frame[step->in[1]],
                       s->frame[step->out], n * g->values[step->out].size);
    return STOIC_OK;
}

/* The second operand is a constant: one value a channel. */
static stoic_status run_by_channel(stoic_session *s, const stoic_exec_step *step, int n,
                                   stoic_error *err) {
    (void)err;
    const stoic_program *g = s->program;
    int64_t rows = n * pixels(&g->values[step->out]);
    int64_t channels = n * g->values[step->out].size / rows;
    for (int64_t r = 0; r < rows; r++)
        g->kernels->binary(step->binary, s->frame[step->in[0]] + r * channels,
                           s->constants + step->by_channel, s->frame[step->out] + r * channels,
                           channels);
    return STOIC_OK;
}

static stoic_status run_softmax(stoic_session *s, const stoic_exec_step *step, int n,
                                stoic_error *err) {
    (void)err;
    const stoic_program *g = s->program;
    for (int64_t o = 0; o < n * step->outer; o++) {
        for (int64_t i = 0; i < step->inner; i++) {
            int64_t at = o * step->axis * step->inner + i;
            g->kernels->softmax(s->frame[step->in[0]] + at, s->frame[step->out] + at, step->axis,
                                step->inner, step->logarithm);
        }
    }
    return STOIC_OK;
}

/* From h, w, c to c, h, w: a flattened image as ONNX orders it. */
static stoic_status run_flatten(stoic_session *s, const stoic_exec_step *step, int n,
                                stoic_error *err) {
    (void)err;
    const stoic_exec_value *v = &s->program->values[step->in[0]];
    for (int i = 0; i < n; i++) {
        const float *src = s->frame[step->in[0]] + i * v->size;
        float *dst = s->frame[step->out] + i * v->size;
        for (int64_t c = 0; c < v->c; c++) {
            for (int64_t k = 0; k < v->hw; k++)
                dst[c * v->hw + k] = src[k * v->c + c];
        }
    }
    return STOIC_OK;
}

/* ---- planning ---- */

/* y = (x - mean) * scale / sqrt(var + epsilon) + bias as x * a + b, a and b rounded from double. */
void stoic_norm_channel(const stoic_exec_norm *norm, float *constants, int64_t channel) {
    double scale = constants[norm->raw_at[0] + channel],
           bias = constants[norm->raw_at[1] + channel];
    double mean = constants[norm->raw_at[2] + channel], var = constants[norm->raw_at[3] + channel];
    double a = scale / sqrt(var + norm->epsilon);
    constants[norm->scale_at + channel] = (float)a;
    constants[norm->shift_at + channel] = (float)(bias - mean * a);
}

stoic_status stoic_plan_norm(stoic_planner *p, int node, int *index, stoic_error *err) {
    stoic_program *g = p->program;
    const stoic_node *n = &p->model->nodes[node];
    stoic_operand in[8], out[8];
    stoic_op_call call;
    stoic_model_call(p->model, (size_t)node, in, out, &call);
    stoic_exec_norm norm = {.epsilon = stoic_attr_float(&call, "epsilon", 1e-5),
                            .channels = stoic_shape_count(&in[1].shape)};
    for (int k = 0; k < 4; k++) {
        norm.tensor[k] = n->in[k + 1];
        norm.raw_at[k] = stoic_plan_reserve(p, norm.channels);
        stoic_exec_use use = {norm.tensor[k], g->n_steps, STOIC_USE_NORM, k, 0};
        stoic_status status = stoic_plan_use(p, use, err);
        if (status != STOIC_OK)
            return status;
    }
    norm.scale_at = stoic_plan_reserve(p, norm.channels);
    norm.shift_at = stoic_plan_reserve(p, norm.channels);
    *index = g->n_norms;
    g->norms[g->n_norms++] = norm;
    return STOIC_OK;
}

stoic_status stoic_node_pool(const stoic_op_call *call, stoic_window *window, bool *max,
                             stoic_error *err) {
    const stoic_shape *in = &call->in[0].shape;
    *max = call->op == &stoic_op_max_pool;
    if (in->rank != 4)
        return STOIC_ERR_UNSUPPORTED;
    if (*max || call->op == &stoic_op_average_pool)
        return stoic_pool_window(call, window, err);
    if (call->op == &stoic_op_reduce_mean) {
        unsigned axes;
        bool keep;
        stoic_status status = stoic_reduce_resolve(call, &axes, &keep, err);
        if (status != STOIC_OK || axes != (1u << 2 | 1u << 3))
            return status != STOIC_OK ? status : STOIC_ERR_UNSUPPORTED;
    } else if (call->op != &stoic_op_global_average_pool) {
        return STOIC_ERR_UNSUPPORTED;
    }
    *window = (stoic_window){.rank = 2,
                             .in = {in->dim[2], in->dim[3]},
                             .out = {1, 1},
                             .kernel = {in->dim[2], in->dim[3]},
                             .stride = {1, 1},
                             .dilation = {1, 1},
                             .groups = 1,
                             .in_channels = in->dim[1],
                             .out_channels = in->dim[1]};
    return STOIC_OK;
}

static stoic_status plan_pool(const stoic_planner *p, const stoic_op_call *call,
                              stoic_exec_step *step, stoic_error *err) {
    bool max;
    stoic_status status = stoic_node_pool(call, &step->window, &max, err);
    step->act = p->before_pool[step->node];
    step->run = max ? run_max_pool : run_average_pool;
    step->kind = max ? STOIC_STEP_MAX_POOL : STOIC_STEP_AVERAGE_POOL;
    return status;
}

static stoic_status plan_softmax(const stoic_planner *p, const stoic_op_call *call,
                                 stoic_exec_step *step, stoic_error *err) {
    const stoic_shape *shape = &call->in[0].shape;
    int axis;
    bool old = call->opset < 13; /* before 13 everything from the axis on is one vector */
    stoic_status status = stoic_axis_resolve(call, old ? 1 : -1, shape->rank, &axis, err);
    if (status != STOIC_OK)
        return status;
    const stoic_exec_value *v = &p->program->values[step->in[0]];
    if (v->layout == STOIC_LAYOUT_FLAT_HWC || axis == 0 || (old && shape->rank > 2 && v->hw != 1))
        return STOIC_ERR_UNSUPPORTED;
    if (v->layout == STOIC_LAYOUT_NHWC) {
        if (axis != 1 && v->hw != 1)
            return STOIC_ERR_UNSUPPORTED;
        step->outer = v->hw;
        step->axis = v->c;
        step->inner = 1;
    } else {
        step->outer = step->inner = 1;
        step->axis = shape->dim[axis];
        for (int i = 1; i < shape->rank; i++) {
            if (i < axis)
                step->outer *= shape->dim[i];
            else if (i > axis)
                *(old ? &step->axis : &step->inner) *= shape->dim[i];
        }
    }
    step->logarithm = call->op == &stoic_op_log_softmax;
    step->run = run_softmax;
    step->kind = STOIC_STEP_SOFTMAX;
    return STOIC_OK;
}

static bool computed_pair(const stoic_planner *p, const stoic_node *n) {
    if (n->n_in != 2 || p->model->values[n->in[0]].constant || p->model->values[n->in[1]].constant)
        return false;
    return stoic_plan_alike(p, n->in[0], n->in[1]) &&
           p->program->values[n->in[0]].layout == p->program->values[n->in[1]].layout;
}

static stoic_binary binary_of(const stoic_op *op) {
    return op == &stoic_op_add   ? STOIC_ADD
           : op == &stoic_op_sub ? STOIC_SUB
           : op == &stoic_op_mul ? STOIC_MUL
                                 : STOIC_DIV;
}

/* A constant with one value for each channel of the first operand, and no axis besides? */
static bool by_channel(const stoic_planner *p, const stoic_node *n) {
    const stoic_value *x = &p->model->values[n->in[0]], *c = &p->model->values[n->in[1]];
    int after = x->shape.rank == 4 ? 2 : 0; /* axes behind the channels */
    if ((x->shape.rank != 4 && x->shape.rank != 2) || !c->constant || c->dtype != STOIC_F32 ||
        c->shape.rank <= after || c->shape.rank > x->shape.rank)
        return false;
    return stoic_shape_count(&c->shape) == x->shape.dim[1] &&
           c->shape.dim[c->shape.rank - 1 - after] == x->shape.dim[1];
}

static stoic_status plan_by_channel(stoic_planner *p, const stoic_node *n, stoic_exec_step *step,
                                    stoic_error *err) {
    stoic_exec_use use = {n->in[1], p->program->n_steps, STOIC_USE_RAW, 0, 0};
    use.at = stoic_plan_reserve(p, stoic_shape_count(&p->model->values[n->in[1]].shape));
    step->by_channel = use.at;
    step->binary = binary_of(n->op);
    step->run = run_by_channel;
    return stoic_plan_use(p, use, err);
}

static stoic_status plan_pair(stoic_planner *p, const stoic_node *n, stoic_exec_step *step,
                              stoic_error *err) {
    if (n->n_in == 2 && by_channel(p, n))
        return plan_by_channel(p, n, step, err);
    if (!computed_pair(p, n))
        return STOIC_ERR_UNSUPPORTED;
    int second = p->program->values[n->in[1]].root;
    if (n->op == &stoic_op_add) {
        step->add = second;
        step->run = run_affine;
        step->kind = STOIC_STEP_AFFINE;
        return STOIC_OK;
    }
    step->in[step->n_in++] = second;
    step->binary = binary_of(n->op);
    step->run = run_binary;
    return STOIC_OK;
}

/* Do only matrix products with constant weights read `value`? Then its features may lie in any
 * order: the weights are packed to match. */
static bool only_layers_read(const stoic_planner *p, int value) {
    while (p->consumers[value] == 1 && !p->observable[value] &&
           p->model->nodes[p->consumer[value]].op == &stoic_op_dropout)
        value = p->model->nodes[p->consumer[value]].out[0];
    if (p->observable[value] || value == p->model->output)
        return false;
    for (size_t i = 0; i < p->model->n_nodes; i++) {
        const stoic_node *n = &p->model->nodes[i];
        for (size_t k = 0; k < n->n_in; k++) {
            if (n->in[k] != value)
                continue;
            if (k != 0 || n->n_in < 2 || n->n_in > 3 || n->in[1] < 0 ||
                !p->model->values[n->in[1]].constant ||
                (n->op != &stoic_op_gemm && n->op != &stoic_op_mat_mul) || n->layer < 0)
                return false;
            stoic_operand in[8], out[2];
            stoic_op_call call;
            stoic_matrix_product m;
            stoic_model_call(p->model, i, in, out, &call);
            if (stoic_gemm_product(&call, &m, NULL) != STOIC_OK || m.transpose_a ||
                in[1].shape.rank != 2)
                return false;
        }
    }
    return true;
}

/* Dropout costs nothing. Reshapes neither where the memory order allows: the value shares its
 * source's memory. */
static stoic_status plan_reshape(stoic_planner *p, const stoic_node *n, stoic_exec_step *step) {
    stoic_program *g = p->program;
    const stoic_exec_value *source = &g->values[n->in[0]];
    stoic_exec_value *out = &g->values[n->out[0]];
    if (n->op == &stoic_op_dropout) { /* inference drops nothing */
        *out = *source;
        p->observable[source->root] |= p->observable[n->out[0]];
        step->run = NULL;
        return STOIC_OK;
    }
    int rank = p->model->values[n->out[0]].shape.rank;
    bool flat_source = source->layout == STOIC_LAYOUT_ROWS ||
                       (source->layout == STOIC_LAYOUT_NHWC && (source->hw == 1 || source->c == 1));
    const stoic_shape *shape = &p->model->values[n->out[0]].shape;
    bool flat_out = rank != 4 || shape->dim[1] == 1 || shape->dim[2] * shape->dim[3] == 1;
    bool alias = flat_source && flat_out;
    bool flatten = source->layout == STOIC_LAYOUT_NHWC && rank == 2;
    bool permuted = flatten && !alias && only_layers_read(p, n->out[0]);
    if (alias || permuted) {
        int root = source->root, producer = source->step;
        int64_t c = source->c, hw = source->hw;
        stoic_plan_out(p, n->out[0], rank == 4 ? STOIC_LAYOUT_NHWC : STOIC_LAYOUT_ROWS, producer);
        out->root = root;
        if (permuted) {
            out->layout = STOIC_LAYOUT_FLAT_HWC;
            out->c = c;
            out->hw = hw;
        }
        step->run = NULL; /* no step at all */
        return STOIC_OK;
    }
    if (!flatten)
        return STOIC_ERR_UNSUPPORTED;
    step->run = run_flatten;
    step->out = n->out[0];
    stoic_plan_out(p, step->out, STOIC_LAYOUT_ROWS, g->n_steps);
    return STOIC_OK;
}

void stoic_plan_function(stoic_exec_step *step, stoic_unary function, float a, float b) {
    step->run = run_unary;
    step->kind = STOIC_STEP_FUNCTION;
    step->unary = function;
    step->a = a;
    step->b = b;
}

static stoic_status plan_function(const stoic_op_call *call, stoic_exec_step *step) {
    if (call->op == &stoic_op_sigmoid)
        stoic_plan_function(step, STOIC_SIGMOID, 0, 0);
    else if (call->op == &stoic_op_tanh)
        stoic_plan_function(step, STOIC_TANH, 0, 0);
    else if (call->op == &stoic_op_hard_swish)
        stoic_plan_function(step, STOIC_HARD_SWISH, 0, 0);
    else
        stoic_plan_function(step, STOIC_HARD_SIGMOID, (float)stoic_attr_float(call, "alpha", 0.2),
                            (float)stoic_attr_float(call, "beta", 0.5));
    return STOIC_OK;
}

stoic_status stoic_plan_local(stoic_planner *p, int node, stoic_exec_step *step, stoic_error *err) {
    stoic_program *g = p->program;
    const stoic_node *n = &p->model->nodes[node];
    stoic_operand in[8], out[2];
    stoic_op_call call;
    if (n->n_in > 8 || n->n_out > 2 || p->model->values[n->in[0]].constant)
        return STOIC_ERR_UNSUPPORTED;
    stoic_model_call(p->model, (size_t)node, in, out, &call);
    const stoic_exec_value source = g->values[n->in[0]];
    if (n->op->facts & STOIC_OP_MOVES)
        step->in[step->n_in++] = source.root;
    if (n->op->facts & STOIC_OP_MOVES)
        return plan_reshape(p, n, step);
    if (source.layout == STOIC_LAYOUT_FLAT_HWC)
        return STOIC_ERR_UNSUPPORTED;
    step->in[step->n_in++] = source.root;
    stoic_status status = STOIC_OK;
    if (n->op == &stoic_op_batch_normalization) {
        /* rank 3 keeps channels in the middle: the plain definition does that */
        if (source.layout != STOIC_LAYOUT_NHWC && in[0].shape.rank != 2)
            return STOIC_ERR_UNSUPPORTED;
        step->run = run_affine;
        step->kind = STOIC_STEP_AFFINE;
        status = stoic_plan_norm(p, node, &step->norm, err);
    } else if (stoic_node_activation(p->model, node, &step->act)) {
        step->run = run_affine;
        step->kind = STOIC_STEP_AFFINE;
    } else if (n->op == &stoic_op_softmax || n->op == &stoic_op_log_softmax) {
        status = plan_softmax(p, &call, step, err);
    } else if (n->op == &stoic_op_add || n->op == &stoic_op_sub || n->op == &stoic_op_mul ||
               n->op == &stoic_op_div) {
        status = plan_pair(p, n, step, err);
    } else if (n->op->facts & STOIC_OP_ELEMENTWISE) {
        status = plan_function(&call, step);
    } else {
        status = plan_pool(p, &call, step, err);
    }
    if (status != STOIC_OK)
        return status;
    step->out = n->out[0];
    stoic_plan_out(p, step->out,
                   p->model->values[step->out].shape.rank == 4 ? STOIC_LAYOUT_NHWC
                                                               : STOIC_LAYOUT_ROWS,
                   g->n_steps);
    return step->run == run_affine && step->act.kind == STOIC_ACT_NONE
               ? stoic_plan_fuse(p, step, err)
               : STOIC_OK;
}
