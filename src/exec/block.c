#include "exec/block.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

static bool has_constants(const stoic_program *g, int step) {
    bool found = g->steps[step].layer >= 0 || g->steps[step].norm >= 0;
    for (int i = 0; i < g->n_uses; i++)
        found = found || g->uses[i].step == step;
    return found;
}

/* A value is kept if a fault can make somebody ask for it: a step with constants or with other
 * inputs reads it, or a change is looked at there, behind a layer and the local steps (pools,
 * functions) that follow it one by one. What lies between is by far the largest, and nobody asks.
 */
bool stoic_block_keeps(const stoic_program *g, int value) {
    const stoic_exec_value *v = &g->values[value];
    int readers = 0;
    bool local = false;
    if (!v->computed || v->root != value)
        return false;
    for (int i = 0; i < g->n_steps; i++) {
        const stoic_exec_step *step = &g->steps[i];
        bool reads = step->add == value;
        for (int k = 0; k < step->n_in; k++)
            reads = reads || step->in[k] == value;
        if (reads && (has_constants(g, i) || step->out == g->output))
            return true;
        readers += reads;
        local = reads ? stoic_step_is_local(step) : local;
    }
    return readers != 1 || !local || value == g->output || v->step < 0;
}

int64_t stoic_block_bytes(const stoic_program *g) {
    int64_t floats = 0;
    for (size_t v = 0; v < g->model->n_values; v++)
        floats += stoic_block_keeps(g, (int)v) ? g->values[v].size : 0;
    return floats * (int64_t)sizeof(float);
}

static void *floats(int64_t count) {
    return aligned_alloc(64, (size_t)(count * (int64_t)sizeof(float) + 63) / 64 * 64);
}

static int64_t floats_bytes(int64_t count) {
    return count * (int64_t)sizeof(float);
}

stoic_status stoic_block_seal(stoic_block *b, const void *part, int64_t bytes, stoic_error *err) {
    return stoic_seals_add(&b->seals, part, (size_t)bytes, err);
}

bool stoic_block_intact(stoic_block *b) {
    bool intact = true, more = true;
    for (size_t i = 0; intact && more; i++) {
        stoic_seal seal = {0};
        pthread_mutex_lock(&b->lock); /* not while reading: others need the block */
        more = i < b->seals.count;
        if (more)
            seal = b->seals.items[i];
        pthread_mutex_unlock(&b->lock);
        intact = !more || stoic_seal_holds(&seal);
    }
    return intact;
}

static stoic_status no_room(const stoic_program *g, int count, stoic_error *err) {
    return stoic_fail_memory(err, "golden values",
                             (unsigned long long)(stoic_block_bytes(g) * count));
}

stoic_status stoic_block_open(const stoic_program *g, const float *images, int64_t first, int count,
                              stoic_block **out, stoic_error *err) {
    static atomic_ullong blocks;
    stoic_block *b = calloc(1, sizeof *b);
    if (!b)
        return stoic_fail_memory(err, "golden values", sizeof *b);
    pthread_mutex_init(&b->lock, NULL);
    b->program = g;
    b->serial = atomic_fetch_add(&blocks, 1) + 1;
    b->first = first;
    b->count = count;
    b->groups = (count + STOIC_LANES - 1) / STOIC_LANES;
    b->golden = calloc(g->model->n_values + 1, sizeof *b->golden);
    b->lanes = calloc(g->model->n_values + 1, sizeof *b->lanes);
    b->sums = calloc((size_t)g->n_layers + 1, sizeof *b->sums);
    b->probes = calloc((size_t)g->n_layers + 1, sizeof *b->probes);
    b->errors = calloc((size_t)g->n_layers + 1, sizeof *b->errors);
    b->quiet = calloc((size_t)g->n_layers + 1, sizeof *b->quiet);
    b->lines = calloc((size_t)g->n_layers + 1, sizeof *b->lines);
    bool ok = b->lines && b->golden && b->lanes && b->sums && b->probes && b->errors && b->quiet;
    float *input = ok ? floats(g->values[g->input].size * count) : NULL;
    stoic_status status = input ? STOIC_OK : no_room(g, count, err);
    if (input) {
        b->golden[g->input] = input;
        stoic_session_pack_input(g, images, count, input);
        status = stoic_block_seal(b, input, floats_bytes(g->values[g->input].size * count), err);
    }
    if (status == STOIC_OK)
        *out = b;
    else
        stoic_block_free(b);
    return status;
}

stoic_status stoic_block_fill(stoic_block *b, stoic_session *s, stoic_error *err) {
    const stoic_program *g = b->program;
    stoic_status status = STOIC_OK;
    for (size_t v = 0; v < g->model->n_values; v++) {
        if (!b->golden[v] && stoic_block_keeps(g, (int)v) &&
            !(b->golden[v] = floats(g->values[v].size * b->count)))
            return no_room(g, b->count, err);
    }
    for (int i = 0; i < b->count && status == STOIC_OK; i += g->tile) {
        int n = b->count - i < g->tile ? b->count - i : g->tile;
        s->frame[g->input] = b->golden[g->input] + i * g->values[g->input].size;
        for (int k = 0; k < g->n_steps; k++) {
            int value = g->steps[k].out;
            if (b->golden[value])
                s->frame[value] = b->golden[value] + i * g->values[value].size;
        }
        for (int k = 0; k < g->n_steps && status == STOIC_OK; k++)
            status = stoic_session_step(s, k, n, err);
    }
    stoic_session_frame_reset(s);
    for (int v = 0; v < (int)g->model->n_values && status == STOIC_OK; v++) {
        if (b->golden[v] && v != g->input)
            status =
                stoic_block_seal(b, b->golden[v], floats_bytes(g->values[v].size * b->count), err);
    }
    b->filled = status == STOIC_OK;
    return status;
}

stoic_status stoic_block_create(stoic_session *s, const float *images, int64_t first, int count,
                                stoic_block **out, stoic_error *err) {
    stoic_block *b = NULL;
    stoic_status status = stoic_block_open(s->program, images, first, count, &b, err);
    if (status == STOIC_OK)
        status = stoic_block_fill(b, s, err);
    if (status == STOIC_OK)
        *out = b;
    else
        stoic_block_free(b);
    return status;
}

void stoic_block_free(stoic_block *b) {
    if (!b)
        return;
    for (size_t v = 0; v < b->program->model->n_values; v++) {
        if (b->golden)
            free(b->golden[v]);
        if (b->lanes)
            free(b->lanes[v]);
    }
    for (int l = 0; l < b->program->n_layers; l++) {
        if (b->sums)
            free(b->sums[l]);
        if (b->probes)
            free(b->probes[l].totals);
        if (b->errors)
            free(b->errors[l]);
        if (b->quiet)
            free(b->quiet[l]);
        if (b->lines)
            stoic_line_free(b->lines[l]);
    }
    free(b->golden);
    free(b->lanes);
    free(b->sums);
    free(b->probes);
    free(b->errors);
    free(b->quiet);
    free((void *)b->lines);
    stoic_seals_deinit(&b->seals);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

stoic_status stoic_block_lanes(stoic_block *b, int value, const float **out, stoic_error *err) {
    int64_t size = b->program->values[value].size;
    stoic_status status = STOIC_OK;
    pthread_mutex_lock(&b->lock);
    float *lanes = b->lanes[value];
    if (!lanes) {
        lanes = floats(size * b->groups * STOIC_LANES);
        for (int g = 0; lanes && g < b->groups; g++) {
            int n = b->count - g * STOIC_LANES;
            stoic_lanes_pack(b->golden[value] + g * STOIC_LANES * size,
                             n < STOIC_LANES ? n : STOIC_LANES, size,
                             lanes + g * STOIC_LANES * size);
        }
        if (!lanes)
            status = stoic_fail_memory(err, "golden values side by side",
                                       (unsigned long long)(size * b->groups * 64));
        else
            status = stoic_block_seal(b, lanes, floats_bytes(size * b->groups * STOIC_LANES), err);
        if (status != STOIC_OK) {
            free(lanes);
            lanes = NULL;
        }
        b->lanes[value] = lanes;
    }
    pthread_mutex_unlock(&b->lock);
    *out = lanes;
    return status;
}

stoic_status stoic_block_sums(stoic_block *b, stoic_session *clean, int step, const float **out,
                              stoic_error *err) {
    const stoic_exec_step *st = &b->program->steps[step];
    int64_t in = b->program->values[st->in[0]].size, size = b->program->values[st->out].size;
    stoic_status status = STOIC_OK;
    if (b->golden[st->out] && st->norm < 0 && st->add < 0 && st->act.kind == STOIC_ACT_NONE) {
        *out = b->golden[st->out]; /* nothing is fused behind: the output is the sum */
        return STOIC_OK;
    }
    pthread_mutex_lock(&b->lock);
    float *sums = b->sums[st->layer];
    if (!sums) {
        sums = floats(size * b->count);
        if (!sums)
            status = stoic_fail_memory(err, "golden sums", (unsigned long long)(size * b->count));
        for (int i = 0; i < b->count && status == STOIC_OK; i += b->program->tile) {
            int n = b->count - i < b->program->tile ? b->count - i : b->program->tile;
            status =
                stoic_layer_sums(clean, st, b->golden[st->in[0]] + i * in, sums + i * size, n, err);
        }
        if (status == STOIC_OK)
            status = stoic_block_seal(b, sums, floats_bytes(size * b->count), err);
        if (status != STOIC_OK) {
            free(sums);
            sums = NULL;
        }
        b->sums[st->layer] = sums;
    }
    pthread_mutex_unlock(&b->lock);
    *out = sums;
    return status;
}

/* One channel's totals of one group, from lanes to memory order. */
static void keep_totals(const stoic_probe *probe, const float *lanes, int group, int count,
                        int64_t pixels, int64_t channels, int64_t channel) {
    for (int l = 0; l < STOIC_LANES && group * STOIC_LANES + l < count; l++) {
        int64_t image = group * STOIC_LANES + l;
        float *totals = probe->totals + image * pixels * channels + channel;
        for (int64_t p = 0; p < pixels; p++) {
            float t = lanes[p * STOIC_LANES + l];
            totals[p * channels] = t;
            if (!(t <= probe->total[image]))
                probe->total[image] = t;
        }
    }
}

static stoic_status probe_layer(const stoic_block *b, const stoic_chains *chains, int step,
                                const float *lanes, const stoic_probe *probe, stoic_error *err) {
    const stoic_exec_step *st = &b->program->steps[step];
    const stoic_exec_layer *layer = &b->program->layers[st->layer];
    /* the chains read their weights through a session's constants: the clean ones */
    const stoic_session clean = {.program = b->program, .constants = b->program->constant_base};
    int64_t size = b->program->values[st->in[0]].size;
    int64_t pixels = b->program->values[st->out].size / layer->channels;
    float *weights = malloc((size_t)chains->layers[st->layer].taps * sizeof *weights);
    float *totals = floats(pixels * STOIC_LANES);
    for (int64_t o = 0; weights && totals && o < layer->channels; o++) {
        stoic_chain c = stoic_chain_of(chains, st->layer, o);
        const float *bias = layer->bias >= 0 ? clean.constants + layer->bias_at + o : NULL;
        stoic_chain_weights(chains, &clean, st->layer, o, weights);
        for (int g = 0; g < b->groups; g++) {
            b->program->kernels->chain_probe(&c, weights, bias, lanes + g * STOIC_LANES * size,
                                             totals, probe->peak + g * STOIC_LANES);
            keep_totals(probe, totals, g, b->count, pixels, layer->channels, o);
        }
    }
    bool ok = weights && totals;
    free(weights);
    free(totals);
    return ok ? STOIC_OK : stoic_fail_memory(err, "bounds of partial sums", (unsigned)pixels * 64);
}

stoic_status stoic_block_probe(stoic_block *b, const stoic_chains *chains, int step,
                               const stoic_probe **out, stoic_error *err) {
    const stoic_exec_step *st = &b->program->steps[step];
    const float *lanes;
    stoic_status status = stoic_block_lanes(b, st->in[0], &lanes, err);
    if (status != STOIC_OK)
        return status;
    pthread_mutex_lock(&b->lock);
    stoic_probe *probe = &b->probes[st->layer];
    if (!probe->totals) {
        int64_t images = (int64_t)b->groups * STOIC_LANES;
        int64_t size = b->program->values[st->out].size * b->count;
        float *memory = floats(size + 2 * images);
        if (!memory) {
            status = stoic_fail_memory(err, "bounds of partial sums", (unsigned long long)size * 4);
        } else {
            *probe = (stoic_probe){memory, memory + size, memory + size + images};
            memset(probe->total, 0, (size_t)(2 * images) * sizeof *memory);
            status = probe_layer(b, chains, step, lanes, probe, err);
            if (status == STOIC_OK)
                status = stoic_block_seal(b, memory, floats_bytes(size + 2 * images), err);
        }
        if (status != STOIC_OK && memory) {
            free(memory);
            *probe = (stoic_probe){0};
        }
    }
    pthread_mutex_unlock(&b->lock);
    *out = probe;
    return status;
}
