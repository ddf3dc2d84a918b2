/* Compiling a model into a program: steps, layouts, fusion, buffers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/program.h"

typedef stoic_status (*plan_fn)(stoic_planner *p, int node, stoic_exec_step *step,
                                stoic_error *err);

/* The fast kernels, keyed by the operator; every other operator runs its plain definition. */
static const struct rule {
    const stoic_op *op;
    plan_fn plan;
} rules[] = {
    {&stoic_op_conv, stoic_plan_layer},         {&stoic_op_gemm, stoic_plan_layer},
    {&stoic_op_mat_mul, stoic_plan_layer},      {&stoic_op_add, stoic_plan_local},
    {&stoic_op_average_pool, stoic_plan_local}, {&stoic_op_batch_normalization, stoic_plan_local},
    {&stoic_op_clip, stoic_plan_local},         {&stoic_op_div, stoic_plan_local},
    {&stoic_op_flatten, stoic_plan_local},      {&stoic_op_global_average_pool, stoic_plan_local},
    {&stoic_op_hard_sigmoid, stoic_plan_local}, {&stoic_op_hard_swish, stoic_plan_local},
    {&stoic_op_leaky_relu, stoic_plan_local},   {&stoic_op_log_softmax, stoic_plan_local},
    {&stoic_op_max_pool, stoic_plan_local},     {&stoic_op_mul, stoic_plan_local},
    {&stoic_op_reduce_mean, stoic_plan_local},  {&stoic_op_relu, stoic_plan_local},
    {&stoic_op_reshape, stoic_plan_local},      {&stoic_op_sigmoid, stoic_plan_local},
    {&stoic_op_softmax, stoic_plan_local},      {&stoic_op_squeeze, stoic_plan_local},
    {&stoic_op_sub, stoic_plan_local},          {&stoic_op_tanh, stoic_plan_local},
    {&stoic_op_unsqueeze, stoic_plan_local},    {&stoic_op_dropout, stoic_plan_local},
    {&stoic_op_is_nan, stoic_plan_choose},      {&stoic_op_greater, stoic_plan_choose},
    {&stoic_op_less, stoic_plan_choose},        {&stoic_op_abs, stoic_plan_local},
    {&stoic_op_alarm, stoic_plan_check},        {&stoic_op_checksum, stoic_plan_check},
    {&stoic_op_window_sum, stoic_plan_check},   {&stoic_op_concat, stoic_plan_channels},
    {&stoic_op_gather, stoic_plan_channels},    {&stoic_op_equal, stoic_plan_channels},
    {&stoic_op_where, stoic_plan_channels},
};

static plan_fn rule_for(const stoic_op *op) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].op == op)
            return rules[i].plan;
    }
    return NULL;
}

stoic_program_options stoic_program_options_default(void) {
    return (stoic_program_options){0};
}

void stoic_plan_out(stoic_planner *p, int value, stoic_layout layout, int step) {
    const stoic_value *v = &p->model->values[value];
    stoic_exec_value *e = &p->program->values[value];
    e->computed = true;
    e->layout = layout;
    e->size = stoic_shape_count(&v->shape);
    e->step = step;
    e->root = value;
    e->c = e->hw = 0;
    if (layout == STOIC_LAYOUT_NHWC) {
        e->c = v->shape.dim[1];
        e->hw = v->shape.dim[2] * v->shape.dim[3];
    }
}

int64_t stoic_plan_reserve(stoic_planner *p, int64_t count) {
    int64_t at = p->program->constants;
    p->program->constants += (count + 15) / 16 * 16; /* 64-byte aligned */
    return at;
}

stoic_status stoic_plan_use(stoic_planner *p, stoic_exec_use use, stoic_error *err) {
    stoic_program *g = p->program;
    if ((g->n_uses & (g->n_uses - 1)) == 0) { /* grows at powers of two */
        size_t room = g->n_uses ? (size_t)g->n_uses * 2 : 1;
        stoic_exec_use *uses = realloc(g->uses, room * sizeof *uses);
        if (!uses)
            return stoic_fail_memory(err, "the uses of constants", room * sizeof *uses);
        g->uses = uses;
    }
    g->uses[g->n_uses++] = use;
    return STOIC_OK;
}

bool stoic_node_activation(const stoic_model *model, int node, stoic_activation *act) {
    const stoic_node *n = &model->nodes[node];
    *act = (stoic_activation){.kind = STOIC_ACT_NONE};
    stoic_operand in[8], out[2];
    stoic_op_call call;
    if (n->n_in > 8 || n->n_out > 2)
        return false;
    stoic_model_call(model, (size_t)node, in, out, &call);
    if (n->op == &stoic_op_relu) {
        act->kind = STOIC_ACT_RELU;
    } else if (n->op == &stoic_op_abs) {
        act->kind = STOIC_ACT_LEAKY;
        act->a = -1;
    } else if (n->op == &stoic_op_leaky_relu) {
        act->kind = STOIC_ACT_LEAKY;
        act->a = (float)stoic_attr_float(&call, "alpha", 0.01);
    } else if (n->op == &stoic_op_clip) {
        double low, high;
        if (stoic_clip_bounds(&call, &low, &high, NULL) != STOIC_OK)
            return false;
        *act = (stoic_activation){STOIC_ACT_CLIP, (float)low, (float)high};
    }
    return act->kind != STOIC_ACT_NONE;
}

/* May the only reader of `value` be merged with whatever computes it? Returns that node or -1. */
static int sole_reader(const stoic_planner *p, int value) {
    if (p->consumers[value] != 1 || p->observable[value] || value == p->model->output)
        return -1;
    int node = p->consumer[value];
    return p->done[node] ? -1 : node;
}

static bool monotone(const stoic_activation *act) {
    return act->kind != STOIC_ACT_LEAKY || act->a >= 0;
}

/* max(act(x)) = act(max(x)) for a monotone act: the activation moves behind the pool. */
static bool move_behind_pool(stoic_planner *p, int node, const stoic_activation *act) {
    int value = p->model->nodes[node].out[0];
    int pool = sole_reader(p, value);
    while (pool >= 0 && p->model->nodes[pool].op == &stoic_op_dropout)
        pool = sole_reader(p, p->model->nodes[pool].out[0]);
    if (pool < 0 || p->model->nodes[pool].op != &stoic_op_max_pool || !monotone(act) ||
        p->model->values[value].shape.rank != 4)
        return false;
    p->before_pool[pool] = *act;
    return true;
}

bool stoic_plan_alike(const stoic_planner *p, int a, int b) {
    const stoic_shape *x = &p->model->values[a].shape, *y = &p->model->values[b].shape;
    return x->rank == y->rank && !memcmp(x->dim, y->dim, (size_t)x->rank * sizeof *x->dim);
}

/* A sum of step->out and another value of the same shape that is computed already. */
static int addend(const stoic_planner *p, int node, int value) {
    const stoic_node *n = &p->model->nodes[node];
    if (n->op != &stoic_op_add || n->n_in != 2)
        return -1;
    int other = n->in[0] == value ? n->in[1] : n->in[0];
    if (other == value || p->model->values[other].constant || !p->program->values[other].computed ||
        !stoic_plan_alike(p, other, value) ||
        p->program->values[other].layout != p->program->values[value].layout)
        return -1;
    return other;
}

stoic_status stoic_plan_fuse(stoic_planner *p, stoic_exec_step *step, stoic_error *err) {
    for (int value = step->out;;) {
        int node = sole_reader(p, value);
        if (node < 0)
            return STOIC_OK;
        const stoic_node *n = &p->model->nodes[node];
        stoic_activation act;
        int other;
        if (n->op == &stoic_op_batch_normalization && step->norm < 0 && step->add < 0 &&
            p->model->values[value].shape.rank % 2 == 0) {
            stoic_status status = stoic_plan_norm(p, node, &step->norm, err);
            if (status != STOIC_OK)
                return status;
        } else if ((other = addend(p, node, value)) >= 0 && step->add < 0) {
            step->add = p->program->values[other].root;
        } else if (stoic_node_activation(p->model, node, &act)) {
            p->done[node] = true;
            if (move_behind_pool(p, node, &act)) {
                /* the pool will read the value in front of the activation */
                p->program->values[n->out[0]] = p->program->values[value];
                return STOIC_OK;
            }
            step->act = act;
        } else if (n->op != &stoic_op_dropout) { /* which only renames the value */
            return STOIC_OK;
        }
        p->done[node] = true;
        step->last_node = node;
        p->program->values[value].computed = false;
        stoic_plan_out(p, n->out[0], p->program->values[value].layout,
                       p->program->values[value].step);
        step->out = value = n->out[0];
        if (step->act.kind != STOIC_ACT_NONE)
            return STOIC_OK;
    }
}

static stoic_status plan_plain(stoic_planner *p, int node, stoic_exec_step *step,
                               stoic_error *err) {
    const stoic_node *n = &p->model->nodes[node];
    if (!n->op->reference)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, n->name, "operator %s cannot be run",
                          n->op->name);
    int64_t doubles = 0;
    for (size_t i = 0; i < n->n_in; i++) {
        int value = n->in[i];
        if (value < 0)
            continue;
        doubles += stoic_shape_count(&p->model->values[value].shape);
        if (p->model->values[value].constant) {
            stoic_exec_use use = {value, p->program->n_steps, STOIC_USE_RAW, 0, 0};
            use.at = stoic_plan_reserve(p, stoic_shape_count(&p->model->values[value].shape));
            stoic_status status = stoic_plan_use(p, use, err);
            if (status != STOIC_OK)
                return status;
        } else if (step->n_in < STOIC_STEP_INPUTS) {
            step->in[step->n_in++] = p->program->values[value].root;
        } else {
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, n->name, "more than %d computed inputs",
                              STOIC_STEP_INPUTS);
        }
    }
    const stoic_shape *shape = &p->model->values[n->out[0]].shape;
    doubles += stoic_shape_count(shape);
    if (doubles > p->program->plain_doubles)
        p->program->plain_doubles = doubles;
    step->run = stoic_run_plain;
    step->out = n->out[0];
    stoic_plan_out(p, step->out, shape->rank == 4 ? STOIC_LAYOUT_NHWC : STOIC_LAYOUT_ROWS,
                   p->program->n_steps);
    return STOIC_OK;
}

static stoic_status plan_node(stoic_planner *p, int node, stoic_error *err) {
    stoic_program *g = p->program;
    const stoic_node *n = &p->model->nodes[node];
    stoic_exec_step *step = &g->steps[g->n_steps];
    *step = (stoic_exec_step){.name = n->name,
                              .node = node,
                              .last_node = node,
                              .layer = -1,
                              .norm = -1,
                              .add = -1,
                              .out = -1};
    stoic_operand in[64], out[8];
    if (n->n_in > 64 || n->n_out > 8)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, n->name, "too many operands");
    stoic_op_call call;
    stoic_model_call(p->model, (size_t)node, in, out, &call);
    step->macs = n->op->macs ? n->op->macs(&call) : 0;
    p->done[node] = true;
    plan_fn plan = rule_for(n->op);
    stoic_status status = plan ? plan(p, node, step, err) : STOIC_ERR_UNSUPPORTED;
    if (status == STOIC_ERR_UNSUPPORTED) {
        /* a shape or form the fast kernels do not know */
        step->n_in = 0;
        step->norm = step->add = -1;
        step->act.kind = STOIC_ACT_NONE;
        step->kind = STOIC_STEP_OTHER;
        status = plan_plain(p, node, step, err);
    }
    if (status == STOIC_OK && step->run)
        g->n_steps++;
    return status;
}

/* Every value's memory is free again behind the last step that reads it. */
static void find_last_uses(stoic_program *g, size_t n_values) {
    for (size_t v = 0; v < n_values; v++)
        g->values[v].last_use = g->values[v].step;
    for (int i = 0; i < g->n_steps; i++) {
        for (int k = 0; k < g->steps[i].n_in; k++)
            g->values[g->steps[i].in[k]].last_use = i;
        if (g->steps[i].add >= 0)
            g->values[g->steps[i].add].last_use = i;
    }
    g->values[g->output].last_use = g->n_steps;
    if (g->alarm >= 0)
        g->values[g->alarm].last_use = g->n_steps;
}

typedef struct slot {
    int64_t at, size;
    int until; /* last step that needs it */
} slot;

/* First fit over the values alive at the same time, in the order they are computed. */
static int64_t place(slot *slots, int *n_slots, int64_t size, int now, int until) {
    int64_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < *n_slots; i++) {
            if (slots[i].until >= now && at < slots[i].at + slots[i].size &&
                slots[i].at < at + size) {
                at = slots[i].at + slots[i].size;
                moved = true;
            }
        }
    }
    slots[(*n_slots)++] = (slot){at, size, until};
    return at;
}

static stoic_status place_buffers(stoic_planner *p, stoic_error *err) {
    stoic_program *g = p->program;
    slot *slots = malloc(((size_t)g->n_steps + 1) * sizeof *slots);
    if (!slots)
        return stoic_fail_memory(err, "the buffer plan", ((size_t)g->n_steps + 1) * sizeof *slots);
    int n_slots = 0;
    for (int i = -1; i < g->n_steps; i++) {
        stoic_exec_value *v = &g->values[i < 0 ? g->input : g->steps[i].out];
        int64_t size = (v->size + 15) / 16 * 16;
        bool keep = p->observable[i < 0 ? g->input : g->steps[i].out];
        v->work = place(slots, &n_slots, size, i, keep ? g->n_steps : v->last_use);
        if (v->work + size > g->work_floats)
            g->work_floats = v->work + size;
    }
    free(slots);
    return STOIC_OK;
}

static stoic_status planner_init(stoic_planner *p, const stoic_program_options *options,
                                 stoic_error *err) {
    const stoic_model *m = p->model;
    p->consumers = calloc(m->n_values, sizeof *p->consumers);
    p->consumer = calloc(m->n_values, sizeof *p->consumer);
    p->observable = calloc(m->n_values, sizeof *p->observable);
    p->done = calloc(m->n_nodes + 1, sizeof *p->done);
    p->before_pool = calloc(m->n_nodes + 1, sizeof *p->before_pool);
    if (!p->consumers || !p->consumer || !p->observable || !p->done || !p->before_pool)
        return stoic_fail_memory(err, "the planner", m->n_values * 16);
    for (size_t i = 0; i < m->n_nodes; i++) {
        for (size_t k = 0; k < m->nodes[i].n_in; k++) {
            if (m->nodes[i].in[k] >= 0) {
                p->consumers[m->nodes[i].in[k]]++;
                p->consumer[m->nodes[i].in[k]] = (int)i;
            }
        }
    }
    for (size_t i = 0; i < options->n_observable; i++) {
        size_t v = 0;
        while (v < m->n_values && strcmp(m->values[v].name, options->observable[i]) != 0)
            v++;
        if (v == m->n_values)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, options->observable[i],
                              "the model has no value of this name");
        p->observable[v] = true;
    }
    return STOIC_OK;
}

static void planner_deinit(stoic_planner *p) {
    free(p->consumers);
    free(p->consumer);
    free(p->observable);
    free(p->done);
    free(p->before_pool);
}

/* Fills the constants as they are without faults. */
static stoic_status fill_constants(stoic_program *g, stoic_error *err) {
    size_t bytes = (size_t)(g->constants ? g->constants : 16) * sizeof(float);
    g->constant_base = aligned_alloc(64, bytes);
    if (!g->constant_base)
        return stoic_fail_memory(err, "packed weights", bytes);
    memset(g->constant_base, 0, bytes);
    for (int i = 0; i < g->n_uses; i++) {
        const stoic_exec_use *u = &g->uses[i];
        const stoic_tensor *t = g->model->values[u->tensor].constant;
        const stoic_exec_step *step = &g->steps[u->step];
        int64_t count = stoic_tensor_count(t);
        const stoic_exec_layer *l = step->layer >= 0 ? &g->layers[step->layer] : NULL;
        const stoic_exec_norm *n = step->norm >= 0 ? &g->norms[step->norm] : NULL;
        for (int64_t k = 0; k < count; k++) {
            float v = (float)stoic_tensor_get(t, k);
            if (u->kind == STOIC_USE_WEIGHTS)
                g->constant_base[l->weights_at + stoic_layer_weight_offset(l, k)] =
                    stoic_layer_weight_value(l, v);
            else if (u->kind == STOIC_USE_BIAS)
                for (int64_t c = l->bias_count == 1 ? 0 : k;
                     c < (l->bias_count == 1 ? l->channels : k + 1); c++)
                    g->constant_base[l->bias_at + c] = v * l->beta;
            else if (u->kind == STOIC_USE_NORM)
                g->constant_base[n->raw_at[u->part] + k] = v;
            else
                g->constant_base[u->at + k] = v;
        }
    }
    for (int i = 0; i < g->n_norms; i++) {
        for (int64_t c = 0; c < g->norms[i].channels; c++)
            stoic_norm_channel(&g->norms[i], g->constant_base, c);
    }
    return STOIC_OK;
}

/* As many images as keep the work buffers inside half of a typical second-level cache. */
static int choose_tile(const stoic_program *g, int asked) {
    if (asked > 0)
        return asked;
    int64_t fit = 512 * 1024 / (int64_t)sizeof(float) / (g->work_floats ? g->work_floats : 1);
    fit = fit / 8 * 8;
    return (int)(fit < 8 ? 8 : fit > 64 ? 64 : fit);
}

/* The count that says that an image gets no answer: what the Alarm in front of the output reads. */
static stoic_status find_alarm(stoic_planner *p, stoic_error *err) {
    const stoic_model *m = p->model;
    p->program->alarm = -1;
    for (size_t i = 0; i < m->n_nodes; i++) {
        const stoic_node *n = &m->nodes[i];
        if (n->op != &stoic_op_alarm)
            continue;
        if (n->out[0] != m->output || m->values[n->in[1]].constant)
            return stoic_fail(
                err, STOIC_ERR_UNSUPPORTED, n->name,
                "an Alarm must give the network's output, and watch a computed count");
        p->program->alarm = n->in[1];
    }
    return STOIC_OK;
}

static stoic_status compile(stoic_planner *p, const stoic_program_options *options,
                            stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_program *g = p->program;
    const stoic_model *m = p->model;
    TRY(find_alarm(p, err));
    g->values = calloc(m->n_values + 1, sizeof *g->values);
    g->steps = calloc(m->n_nodes + 1, sizeof *g->steps);
    g->layers = calloc(m->n_nodes + 1, sizeof *g->layers);
    g->norms = calloc(m->n_nodes + 1, sizeof *g->norms);
    if (!g->values || !g->steps || !g->layers || !g->norms)
        return stoic_fail_memory(err, "a program", m->n_nodes * sizeof *g->steps);
    if (options->reference) {
        g->tile = 1;
        return STOIC_OK;
    }
    const stoic_shape *shape = &m->values[m->input].shape;
    stoic_plan_out(p, m->input, shape->rank == 4 ? STOIC_LAYOUT_NHWC : STOIC_LAYOUT_ROWS, -1);
    for (size_t i = 0; i < m->n_nodes; i++) {
        if (!p->done[i])
            TRY(plan_node(p, (int)i, err));
    }
    g->input = m->input;
    g->output = g->values[m->output].root;
    if (g->alarm >= 0)
        g->alarm = g->values[g->alarm].root;
    find_last_uses(g, m->n_values);
    TRY(place_buffers(p, err));
    g->tile = choose_tile(g, options->batch);
    for (int i = 0; i < g->n_layers; i++)
        TRY(stoic_layer_prepare(g, &g->layers[i], err));
    TRY(fill_constants(g, err));
done:
    return status;
}

stoic_status stoic_program_compile(const stoic_model *model, const stoic_program_options *options,
                                   stoic_program **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_program_options defaults = stoic_program_options_default();
    if (!options)
        options = &defaults;
    if (options->batch < 0 || options->batch > 65536)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--batch", "must be from 1 to 65536, not %d",
                          options->batch);
    stoic_program *g = calloc(1, sizeof *g);
    if (!g)
        return stoic_fail_memory(err, "a program", sizeof *g);
    stoic_planner p = {.program = g, .model = model};
    g->model = stoic_model_retain(model);
    g->kernels = stoic_kernels_get();
    g->reference = options->reference;
    TRY(stoic_dnn_single_thread(err));
    TRY(planner_init(&p, options, err));
    TRY(compile(&p, options, err));
    *out = g;
    g = NULL;
done:
    planner_deinit(&p);
    stoic_program_free(g);
    return status;
}

void stoic_program_free(stoic_program *g) {
    if (!g)
        return;
    for (int i = 0; i < g->n_layers; i++) {
        for (int k = 0; k < STOIC_BATCH_SIZES; k++)
            stoic_dnn_conv_free(g->layers[i].conv[k]);
    }
    stoic_model_free((stoic_model *)(uintptr_t)g->model);
    free(g->values);
    free(g->steps);
    free(g->layers);
    free(g->norms);
    free(g->uses);
    free(g->constant_base);
    free(g);
}

const stoic_model *stoic_program_model(const stoic_program *program) {
    return program->model;
}

int stoic_program_batch(const stoic_program *program) {
    return program->tile;
}

int64_t stoic_program_session_bytes(const stoic_program *g) {
    return (g->constants + g->work_floats * g->tile) * (int64_t)sizeof(float) +
           g->plain_doubles * (int64_t)sizeof(double) + (int64_t)g->scratch;
}
