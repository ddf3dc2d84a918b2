#include "campaign/pass_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/run.h"

enum { PASSES = 128, ELEMENTS = 1 << 21, RETAINED = 1 << 16 };

typedef struct waiting {
    stoic_transient_hits hits;
    float *input; /* one image, made when first needed */
    size_t trial; /* index into trials */
    int64_t image;
} waiting;

typedef struct told_trial {
    int64_t trial;
    stoic_tallying tallying;
    int32_t *images; /* the tallying's */
    size_t room;
} told_trial;

struct stoic_pass_queue {
    const stoic_program *program;
    const stoic_transient *fault;
    stoic_sweep *sweep;
    int kept;
    waiting slots[PASSES];
    stoic_pass passes[PASSES];
    size_t n; /* in use; the slot behind them is the one drawn last */
    size_t elements;
    told_trial *trials;
    size_t n_trials, room;
    stoic_upset_list upsets;
    stoic_status status; /* of what the sinks could not say */
    stoic_error error;
};

/* A layer that runs by its plain definition has no sums in single precision. */
static stoic_status check_layers(const stoic_pass_queue *q, stoic_error *err) {
    const stoic_op_fault *op = stoic_transient_operations(q->fault);
    for (int i = 0; op && i < stoic_op_fault_layer_count(op); i++) {
        int node, layer = stoic_op_fault_layer(op, i, &node);
        if (!stoic_sweep_has_sums(q->sweep, node))
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "--fault",
                              "faults in operations are not supported in layer %d ('%s'), which is "
                              "computed by its plain definition; layer= leaves it out",
                              layer, q->program->model->nodes[node].name);
    }
    return STOIC_OK;
}

stoic_status stoic_pass_queue_create(const stoic_program *program, bool full,
                                     const stoic_transient *fault, int kept, stoic_pass_queue **out,
                                     stoic_error *err) {
    stoic_pass_queue *q = calloc(1, sizeof *q);
    if (!q)
        return stoic_fail_memory(err, "a queue of passes", sizeof *q);
    q->program = program;
    q->fault = fault;
    q->kept = kept;
    stoic_status status = stoic_sweep_create(program, full, &q->sweep, err);
    if (status == STOIC_OK)
        status = check_layers(q, err);
    if (status == STOIC_OK)
        *out = q;
    else
        stoic_pass_queue_free(q);
    return status;
}

void stoic_pass_queue_free(stoic_pass_queue *q) {
    if (!q)
        return;
    for (int i = 0; i < PASSES; i++) {
        stoic_transient_hits_deinit(&q->slots[i].hits);
        free(q->slots[i].input);
    }
    stoic_sweep_free(q->sweep);
    for (size_t i = 0; i < q->room; i++)
        free(q->trials[i].images);
    stoic_upset_list_deinit(&q->upsets);
    free(q->trials);
    free(q);
}

void stoic_pass_queue_clear(stoic_pass_queue *q) {
    q->n = q->n_trials = q->elements = q->upsets.count = 0;
}

static stoic_status copy_images(told_trial *t, stoic_error *err) {
    size_t n = (size_t)t->tallying.n;
    if (!t->tallying.images)
        return STOIC_OK;
    if (n > t->room) {
        int32_t *images = realloc(t->images, n * sizeof *images);
        if (!images)
            return stoic_fail_memory(err, "the images of a trial", n * sizeof *images);
        t->images = images;
        t->room = n;
    }
    memcpy(t->images, t->tallying.images, n * sizeof *t->images);
    t->tallying.images = t->images;
    return STOIC_OK;
}

stoic_status stoic_pass_queue_trial(stoic_pass_queue *q, int64_t trial, const stoic_tallying *begun,
                                    stoic_tallying **out, stoic_error *err) {
    if (q->n_trials == q->room) {
        size_t room = q->room ? 2 * q->room : 64;
        told_trial *trials = realloc(q->trials, room * sizeof *trials);
        if (!trials)
            return stoic_fail_memory(err, "trials", room * sizeof *trials);
        memset(trials + q->room, 0, (room - q->room) * sizeof *trials);
        q->trials = trials;
        q->room = room;
    }
    told_trial *t = &q->trials[q->n_trials++];
    t->trial = trial;
    t->tallying = *begun;
    *out = &t->tallying;
    return copy_images(t, err);
}

stoic_status stoic_pass_queue_draw(stoic_pass_queue *q, int64_t image, bool *hit,
                                   stoic_error *err) {
    waiting *w = &q->slots[q->n];
    w->image = image;
    w->trial = q->n_trials - 1;
    stoic_status status =
        stoic_transient_draw(q->fault, q->trials[w->trial].trial, image, &w->hits, err);
    *hit = w->hits.hit;
    return status;
}

stoic_status stoic_pass_queue_add(stoic_pass_queue *q, const stoic_block *block,
                                  const float *pixels, stoic_error *err) {
    waiting *w = &q->slots[q->n];
    const stoic_program *g = q->program;
    if (!block && !w->input) {
        size_t bytes = (size_t)g->values[g->input].size * sizeof *w->input;
        w->input = malloc(bytes);
        if (!w->input)
            return stoic_fail_memory(err, "an image", bytes);
    }
    if (!block)
        stoic_session_pack_input(g, pixels, 1, w->input);
    q->passes[q->n] = (stoic_pass){.block = block,
                                   .image = block ? (int)(w->image - block->first) : 0,
                                   .input = w->input,
                                   .node = w->hits.node,
                                   .hits = &w->hits.map,
                                   .op = w->hits.operation ? &w->hits.op : NULL,
                                   .id = q->n};
    q->elements += w->hits.map.count;
    q->n++;
    return STOIC_OK;
}

bool stoic_pass_queue_full(const stoic_pass_queue *q) {
    return q->n == PASSES || q->elements > ELEMENTS;
}

static void describe_map(const stoic_map_hits *hits, size_t i, stoic_upset *out) {
    uint32_t bits = hits->bits[i];
    bool one = hits->mode == STOIC_MAP_FLIP && bits && !(bits & (bits - 1));
    out->index = hits->index[i];
    out->elements = (int64_t)hits->count;
    out->kind = (int32_t)(hits->mode == STOIC_MAP_MULTIPLY  ? STOIC_UPSET_MULTIPLY
                          : hits->mode == STOIC_MAP_REPLACE ? STOIC_UPSET_REPLACE
                                                            : STOIC_UPSET_FLIP);
    out->bit = one ? __builtin_ctz(bits) : -1;
    out->step = out->steps = -1;
}

static void describe_op(const stoic_op_hit *hit, size_t i, stoic_upset *out) {
    out->index = hit->output + (int64_t)i;
    out->elements = hit->outputs;
    out->kind = (int32_t)(hit->flip ? STOIC_UPSET_OP_FLIP : STOIC_UPSET_OP_REPLACE);
    out->bit = hit->flip ? __builtin_ctz(hit->bits) : -1;
    out->step = hit->step;
    out->steps = hit->steps;
}

static void keep_hit(void *user, size_t id, size_t i, float before, float after) {
    stoic_pass_queue *q = user;
    const waiting *w = &q->slots[id];
    if (i >= (size_t)q->kept || q->status != STOIC_OK)
        return;
    stoic_upset upset = {.trial = q->trials[w->trial].trial,
                         .image = w->image,
                         .layer = w->hits.layer,
                         .ordinal = (int32_t)i,
                         .before = before,
                         .after = after};
    if (w->hits.operation)
        describe_op(&w->hits.op, i, &upset);
    else
        describe_map(&w->hits.map, i, &upset);
    q->status = stoic_upset_list_add(&q->upsets, &upset, &q->error);
}

static void tally_output(void *user, size_t id, const float *output, bool alarm) {
    stoic_pass_queue *q = user;
    stoic_tallying *t = &q->trials[q->slots[id].trial].tallying;
    stoic_tallying_output(t, (int)(q->slots[id].image - t->first), output, alarm);
}

stoic_status stoic_pass_queue_run(stoic_pass_queue *q, stoic_session *session, stoic_error *err) {
    const stoic_pass_sink sink = {q, keep_hit, tally_output};
    q->status = STOIC_OK;
    stoic_status status = stoic_sweep_run(q->sweep, session, q->passes, q->n, &sink, err);
    if (status == STOIC_OK && q->status != STOIC_OK) {
        status = q->status;
        if (err)
            *err = q->error;
    }
    for (size_t i = 0; i < q->n; i++) { /* a large map once in a while must not stay */
        if (q->slots[i].hits.map.capacity > RETAINED)
            stoic_map_hits_deinit(&q->slots[i].hits.map);
    }
    q->n = q->elements = 0;
    return status;
}

const stoic_upset_list *stoic_pass_queue_upsets(const stoic_pass_queue *q) {
    return &q->upsets;
}
