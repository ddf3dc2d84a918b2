/* From a model to a tape: which nodes the loss needs, what becomes a step, what is trained. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/tape_inside.h"

/* Shards of a batch, at most; each keeps its own copy of every convolution's gradient, and all of
 * these together stay below so many floats. */
enum { SHARDS = 16, PARTS_MOST = 1 << 26 };

int64_t stoic_tape_reserve(int64_t *total, int64_t floats) {
    int64_t at = *total;
    *total += (floats + 15) / 16 * 16; /* 64-byte aligned */
    return at;
}

void stoic_tape_value_add(stoic_tape_plan *p, int value, bool wanted) {
    const stoic_shape *shape = &p->model->values[value].shape;
    stoic_tape_value *v = &p->t->values[value];
    *v = (stoic_tape_value){.computed = true, .wanted = wanted, .root = value, .slot = -1};
    v->size = stoic_shape_count(shape);
    v->nhwc = shape->rank == 4;
    v->c = v->nhwc ? shape->dim[1] : v->size;
    v->hw = v->nhwc ? shape->dim[2] * shape->dim[3] : 1;
    v->at = stoic_tape_reserve(&p->t->n_activations, v->size * p->t->batch);
}

stoic_status stoic_tape_step_add(stoic_tape_plan *p, int node, stoic_tape_step **out,
                                 stoic_error *err) {
    stoic_tape *t = p->t;
    if (t->n_steps == t->cap_steps) {
        int more = t->cap_steps ? 2 * t->cap_steps : 64;
        stoic_tape_step *steps = realloc(t->steps, (size_t)more * sizeof *steps);
        if (!steps)
            return stoic_fail_memory(err, "the steps of training", (size_t)more * sizeof *steps);
        t->steps = steps;
        t->cap_steps = more;
    }
    stoic_tape_step *step = &t->steps[t->n_steps++];
    memset(step, 0, sizeof *step);
    step->name = p->model->nodes[node].name;
    step->node = node;
    step->out = step->layer = step->part = -1;
    *out = step;
    return STOIC_OK;
}

int stoic_tape_sole_reader(const stoic_tape_plan *p, int value) {
    if (p->readers[value] != 1 || value == p->t->head)
        return -1;
    int node = p->reader[value];
    return p->done[node] ? -1 : node;
}

static bool is_norm_constant(const stoic_model *m, int value, int from, int to) {
    for (size_t i = 0; i < m->n_nodes; i++) {
        const stoic_node *n = &m->nodes[i];
        for (int k = from; k <= to && n->op == &stoic_op_batch_normalization; k++) {
            if ((size_t)k < n->n_in && n->in[k] == value)
                return true;
        }
    }
    return false;
}

static bool is_named(const stoic_tape_plan *p, int value) {
    size_t i = 0;
    while (i < p->n_also && p->also[i] != value)
        i++;
    return i < p->n_also;
}

stoic_status stoic_tape_param_add(stoic_tape_plan *p, int value, stoic_tape_source source, int *out,
                                  stoic_error *err) {
    stoic_tape *t = p->t;
    const stoic_value *v = &t->model->values[value];
    bool norm = is_norm_constant(p->model, value, 1, 2);
    *out = -1;
    if (v->dtype != STOIC_F32 || (v->layer < 0 && !norm && !is_named(p, value)))
        return STOIC_OK;
    int i = 0;
    while (i < t->n_params && t->params[i].tensor != value)
        i++;
    source.first = i == t->n_params;
    source.param = i;
    for (int k = 0; k < t->n_sources; k++) {
        if (t->sources[k].param == i && t->sources[k].kind != source.kind)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, v->name,
                              "is shared by operators of different kinds");
    }
    if (source.first) {
        stoic_tape_param *params = realloc(t->params, ((size_t)i + 1) * sizeof *params);
        if (!params)
            return stoic_fail_memory(err, "parameters", ((size_t)i + 1) * sizeof *params);
        t->params = params;
        float *data = stoic_tensor_mutable_data(v->constant);
        params[t->n_params++] = (stoic_tape_param){.tensor = value,
                                                   .role = norm ? STOIC_ROLE_BN : STOIC_ROLE_WEIGHT,
                                                   .scale = is_norm_constant(p->model, value, 1, 1),
                                                   .count = stoic_tensor_count(v->constant),
                                                   .value = data,
                                                   .used = data};
    }
    if (source.kind == STOIC_SOURCE_CONV_BIAS || source.kind == STOIC_SOURCE_PRODUCT_BIAS)
        t->params[i].role = STOIC_ROLE_BIAS;
    stoic_tape_source *sources = realloc(t->sources, ((size_t)t->n_sources + 1) * sizeof *sources);
    if (!sources)
        return stoic_fail_memory(err, "parameters", sizeof *sources);
    t->sources = sources;
    sources[t->n_sources++] = source;
    *out = i;
    return STOIC_OK;
}

/* The value the loss acts on: in front of a final Sigmoid, Softmax or LogSoftmax. */
static int find_head(const stoic_model *m) {
    int node = m->values[m->output].producer;
    if (node < 0)
        return m->output;
    const stoic_node *n = &m->nodes[node];
    bool last =
        n->op == &stoic_op_sigmoid || n->op == &stoic_op_softmax || n->op == &stoic_op_log_softmax;
    return last && n->in[0] >= 0 && !m->values[n->in[0]].constant ? n->in[0] : m->output;
}

static void find_needed(stoic_tape_plan *p) {
    const stoic_model *m = p->model;
    for (size_t i = m->n_nodes; i-- > 0;) {
        const stoic_node *n = &m->nodes[i];
        for (size_t k = 0; k < n->n_out; k++) {
            if (n->out[k] >= 0 && (n->out[k] == p->t->head || p->readers[n->out[k]] > 0))
                p->needed[i] = true;
        }
        for (size_t k = 0; p->needed[i] && k < n->n_in; k++) {
            if (n->in[k] < 0)
                continue;
            p->readers[n->in[k]]++;
            if (p->reader[n->in[k]] < (int)i)
                p->reader[n->in[k]] = (int)i;
        }
    }
}

static void problem(stoic_tape_plan *p, int node) {
    const stoic_node *n = &p->model->nodes[node];
    size_t used = strlen(p->problems);
    if (used + strlen(n->name) + 40 < sizeof p->problems)
        snprintf(p->problems + used, sizeof p->problems - used, "%snode '%s' (%s)",
                 used ? ", " : "", n->name, n->op->name);
    p->n_problems++;
}

static stoic_status plan_node(stoic_tape_plan *p, int node, stoic_error *err) {
    static stoic_status (*const ways[])(stoic_tape_plan *, int, stoic_error *) = {
        stoic_tape_plan_conv, stoic_tape_plan_product, stoic_tape_plan_norm, stoic_tape_plan_local,
        stoic_tape_plan_plain};
    p->done[node] = true;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        stoic_status status = ways[i](p, node, err);
        if (status != STOIC_ERR_UNSUPPORTED)
            return status;
    }
    problem(p, node);
    /* go on, to find all of them */
    const stoic_node *n = &p->model->nodes[node];
    for (size_t k = 0; k < n->n_out; k++) {
        if (n->out[k] >= 0)
            stoic_tape_value_add(p, n->out[k], true);
    }
    return STOIC_OK;
}

static stoic_status plan_all(stoic_tape_plan *p, stoic_error *err) {
    stoic_tape *t = p->t;
    stoic_status status = STOIC_OK;
    stoic_tape_value_add(p, t->input, false);
    for (size_t i = 0; i < p->model->n_nodes; i++) {
        if (p->needed[i] && !p->done[i])
            TRY(plan_node(p, (int)i, err));
    }
    if (p->n_problems)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                          "%d operator%s cannot be trained through: %s%s", p->n_problems,
                          p->n_problems == 1 ? "" : "s", p->problems,
                          strlen(p->problems) > 1100 ? ", …" : "");
    if (!t->n_params || !t->values[t->head].wanted)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                          "the output does not depend on anything that can be trained");
    const stoic_tape_value *head = &t->values[t->head];
    if (head->nhwc && head->hw > 1)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, p->model->values[t->head].name,
                          "the output is a map, not a row of classes");
    t->values[head->root].whole = true;
done:
    return status;
}

static void cut_batch(stoic_tape *t) {
    int64_t weights = 1;
    for (size_t i = 0; i < t->model->n_nodes; i++) {
        const stoic_node *n = &t->model->nodes[i];
        if (n->op == &stoic_op_conv && n->in[1] >= 0)
            weights += stoic_shape_count(&t->model->values[n->in[1]].shape);
    }
    int64_t most = PARTS_MOST / weights < SHARDS ? PARTS_MOST / weights : SHARDS;
    most = most < 2 ? 2 : most;
    /* a shard of one image reads all weights for it */
    most = most > (t->batch + 1) / 2 ? (t->batch + 1) / 2 : most;
    t->shard_images = (t->batch + most - 1) / most;
    t->shards = (int)((t->batch + t->shard_images - 1) / t->shard_images);
}

/* The model with constants of its own, for the tape to write. */
static stoic_status copy_constants(const stoic_model *m, stoic_model **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t n = 0;
    int *values = calloc(m->n_values + 1, sizeof *values);
    stoic_tensor **tensors = calloc(m->n_values + 1, sizeof *tensors);
    if (!values || !tensors) {
        status = stoic_fail_memory(err, "the weights", m->n_values * sizeof *tensors);
        goto done;
    }
    for (size_t v = 0; v < m->n_values; v++) {
        const stoic_tensor *from = m->values[v].constant;
        if (!from || m->values[v].dtype != STOIC_F32)
            continue;
        TRY(stoic_tensor_create(STOIC_F32, stoic_tensor_shape(from), &tensors[n], err));
        memcpy(stoic_tensor_mutable_data(tensors[n]), stoic_tensor_data(from),
               (size_t)stoic_tensor_count(from) * sizeof(float));
        values[n++] = (int)v;
    }
    status = stoic_model_with_constants(m, values, tensors, n, out, err);
done:
    for (size_t i = 0; i < n && tensors; i++)
        stoic_tensor_free(tensors[i]);
    free(values);
    free(tensors);
    return status;
}

stoic_status stoic_tape_snapshot(const stoic_tape *t, stoic_model **out, stoic_error *err) {
    return copy_constants(t->model, out, err);
}

static stoic_status plan(stoic_tape *t, const stoic_tape_options *options, stoic_error *err) {
    const stoic_model *m = t->model;
    stoic_status status = STOIC_OK;
    stoic_tape_plan p = {.t = t, .model = m, .map_faults = options->map_faults};
    p.also = options->also;
    p.n_also = options->n_also;
    p.needed = calloc(m->n_nodes + 1, sizeof *p.needed);
    p.done = calloc(m->n_nodes + 1, sizeof *p.done);
    p.readers = calloc(m->n_values + 1, sizeof *p.readers);
    p.reader = malloc((m->n_values + 1) * sizeof *p.reader);
    t->values = calloc(m->n_values + 1, sizeof *t->values);
    t->before_pool = calloc(m->n_nodes + 1, sizeof *t->before_pool);
    if (!p.needed || !p.done || !p.readers || !p.reader || !t->values || !t->before_pool) {
        status = stoic_fail_memory(err, "the plan of training", m->n_values * 16);
        goto done;
    }
    for (size_t v = 0; v < m->n_values; v++)
        p.reader[v] = -1;
    t->input = m->input;
    t->head = find_head(m);
    find_needed(&p);
    TRY(plan_all(&p, err));
    TRY(stoic_tape_place(t, err));
done:
    free(p.needed);
    free(p.done);
    free(p.readers);
    free(p.reader);
    return status;
}

static void *room(int64_t count, size_t size) {
    size_t bytes = ((size_t)count * size + 63) / 64 * 64 + 64;
    return aligned_alloc(64, bytes);
}

static stoic_status allocate_members(stoic_tape *t, stoic_error *err) {
    t->member = calloc((size_t)t->members, sizeof *t->member);
    if (!t->member)
        return stoic_fail_memory(err, "training", (size_t)t->members * sizeof *t->member);
    for (int i = 0; i < t->members; i++) {
        stoic_tape_member *m = &t->member[i];
        m->scratch = room((int64_t)t->scratch, 1);
        m->room = room(t->n_room, sizeof(float));
        m->locals = room(t->n_locals, sizeof(float));
        m->plain = room(t->n_plain, sizeof(double));
        if (!m->scratch || !m->room || !m->locals || !m->plain)
            return stoic_fail_memory(err, "training", t->scratch + (size_t)t->n_room * 4);
    }
    return STOIC_OK;
}

static stoic_status allocate(stoic_tape *t, const stoic_tape_options *options, stoic_error *err) {
    struct {
        float **out;
        int64_t count;
    } all[] = {{&t->activations, t->n_activations},
               {&t->whole, t->n_whole},
               {&t->arena, t->arena_floats * t->batch},
               {&t->gradients_memory, t->n_gradients},
               {&t->packed, t->n_packed},
               {&t->parts, t->n_parts}};
    for (int i = 0; i < t->n_params; i++)
        stoic_tape_reserve(&t->n_gradients, t->params[i].count);
    all[3].count = t->n_gradients;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        *all[i].out = room(all[i].count, sizeof(float));
        if (!*all[i].out)
            return stoic_fail_memory(err, "a batch of training",
                                     (size_t)all[i].count * sizeof(float));
    }
    t->sums = room(t->n_sums, sizeof(double));
    t->hits = options->map_faults ? calloc((size_t)t->batch, sizeof *t->hits) : NULL;
    t->shadow = options->other_weights ? room(t->n_gradients, sizeof(float)) : NULL;
    if (!t->sums || (options->map_faults && !t->hits) || (options->other_weights && !t->shadow))
        return stoic_fail_memory(err, "a batch of training", (size_t)t->n_gradients);
    for (int64_t i = 0; t->hits && i < t->batch; i++)
        t->hits[i].layer = -1;
    int64_t at = 0;
    for (int i = 0; i < t->n_params; i++)
        t->params[i].gradient = t->gradients_memory + stoic_tape_reserve(&at, t->params[i].count);
    return allocate_members(t, err);
}

stoic_status stoic_tape_create(const stoic_model *model, const stoic_tape_options *options,
                               stoic_team *team, stoic_tape **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    if (options->batch < 1 || options->batch > 65536)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--batch", "must be from 1 to 65536, not %lld",
                          (long long)options->batch);
    stoic_tape *t = calloc(1, sizeof *t);
    if (!t)
        return stoic_fail_memory(err, "training", sizeof *t);
    t->team = team;
    t->members = stoic_team_size(team);
    t->kernels = stoic_kernels_get();
    t->gradients = stoic_gradient_kernels_get();
    t->batch = options->batch;
    t->seed = options->seed;
    t->inference = options->inference;
    TRY(stoic_dnn_single_thread(err));
    TRY(copy_constants(model, &t->model, err));
    cut_batch(t);
    TRY(plan(t, options, err));
    for (int i = 0; i < t->n_convs; i++)
        TRY(stoic_tape_conv_prepare(t, &t->convs[i], err));
    TRY(allocate(t, options, err));
    *out = t;
    t = NULL;
done:
    stoic_tape_free(t);
    return status;
}

void stoic_tape_free(stoic_tape *t) {
    if (!t)
        return;
    for (int i = 0; i < t->n_convs; i++)
        stoic_tape_conv_deinit(t, &t->convs[i]);
    for (int i = 0; i < t->members && t->member; i++) {
        free(t->member[i].scratch);
        free(t->member[i].room);
        free(t->member[i].locals);
        free(t->member[i].plain);
    }
    void *all[] = {t->values, t->steps,  t->slots,   t->convs,      t->products,
                   t->norms,  t->params, t->sources, t->hits,       t->activations,
                   t->whole,  t->arena,  t->packed,  t->parts,      t->gradients_memory,
                   t->shadow, t->sums,   t->member,  t->before_pool};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    stoic_model_free(t->model);
    free(t);
}
