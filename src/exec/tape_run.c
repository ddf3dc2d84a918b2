/* Running a tape: the team walks over its shards, step by step, and meets where it must. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/tape_inside.h"

/* ---- where things are ---- */

const stoic_model *stoic_tape_model(const stoic_tape *t) {
    return t->model;
}

int stoic_tape_param_count(const stoic_tape *t) {
    return t->n_params;
}

stoic_tape_param *stoic_tape_param_at(stoic_tape *t, int i) {
    return &t->params[i];
}

int stoic_tape_running_count(const stoic_tape *t) {
    return 2 * t->n_norms;
}

float *stoic_tape_running_at(stoic_tape *t, int i, int64_t *count) {
    *count = t->norms[i / 2].channels;
    return i % 2 ? t->norms[i / 2].var : t->norms[i / 2].mean;
}

int stoic_tape_shards(const stoic_tape *t) {
    return t->shards;
}

int64_t stoic_tape_images(const stoic_tape *t, int shard) {
    int64_t left = t->batch - shard * t->shard_images;
    return left < t->shard_images ? left : t->shard_images;
}

void stoic_tape_shard(const stoic_tape *t, int s, int64_t *first, int64_t *count) {
    *first = s * t->shard_images;
    *count = stoic_tape_images(t, s);
}

bool stoic_tape_owns(const stoic_tape *t, int member, int s) {
    return s % t->members == member;
}

float *stoic_tape_data(const stoic_tape *t, int value, int shard) {
    const stoic_tape_value *v = &t->values[value];
    return t->activations + v->at + shard * t->shard_images * v->size;
}

float *stoic_tape_gradient(const stoic_tape *t, int value, int shard) {
    const stoic_tape_value *v = &t->values[value];
    const stoic_tape_slot *s = &t->slots[v->slot];
    if (s->whole)
        return t->whole + s->at + shard * t->shard_images * v->size;
    return t->arena + shard * t->shard_images * t->arena_floats +
           s->at * stoic_tape_images(t, shard);
}

const float *stoic_tape_constant(const stoic_tape *t, int param, int tensor) {
    return param >= 0 ? t->params[param].used
                      : stoic_tensor_data(t->model->values[tensor].constant);
}

const float *stoic_tape_head(stoic_tape *t, int s, float **gradient) {
    int head = stoic_tape_root(t, t->head);
    *gradient = stoic_tape_gradient(t, head, s);
    return stoic_tape_data(t, head, s);
}

void stoic_tape_corrupt(stoic_tape *t, int64_t image, int layer, const stoic_map_hits *hits) {
    t->hits[image].layer = layer;
    t->hits[image].hits = hits;
}

void stoic_tape_shadow(stoic_tape *t, bool on) {
    int64_t at = 0;
    for (int i = 0; i < t->n_params; i++) {
        float *shadow = t->shadow + stoic_tape_reserve(&at, t->params[i].count);
        t->params[i].used = on ? shadow : t->params[i].value;
    }
}

/* ---- failures ---- */

static void note(stoic_tape *t, int member, stoic_status status, const stoic_error *err) {
    stoic_tape_member *m = &t->member[member];
    if (status == STOIC_OK || m->status != STOIC_OK)
        return;
    m->status = status;
    m->error = *err;
}

stoic_status stoic_tape_status(stoic_tape *t, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (int i = 0; i < t->members; i++) {
        if (status == STOIC_OK && t->member[i].status != STOIC_OK) {
            status = t->member[i].status;
            if (err)
                *err = t->member[i].error;
        }
        t->member[i].status = STOIC_OK;
    }
    return status;
}

/* ---- the two passes ---- */

static void call(stoic_tape *t, stoic_tape_fn fn, const stoic_tape_step *step, int who,
                 int member) {
    stoic_error err;
    if (fn && t->member[member].status == STOIC_OK) /* one that failed only meets the others */
        note(t, member, fn(t, step, who, member, &err), &err);
}

/* Must all shards be through step i - 1 before step i begins? The same the other way. */
static bool boundary(const stoic_tape *t, int i) {
    return i > 0 && i < t->n_steps && (t->steps[i - 1].meet_after || t->steps[i].meet_before);
}

static void load_shard(stoic_tape *t, int shard) {
    const stoic_tape_value *v = &t->values[t->input];
    float *to = stoic_tape_data(t, t->input, shard);
    const float *from = t->images + shard * t->shard_images * v->size;
    for (int64_t i = 0; i < stoic_tape_images(t, shard); i++, from += v->size, to += v->size) {
        if (v->c == 1 || v->hw == 1) {
            memcpy(to, from, (size_t)v->size * sizeof *to);
            continue;
        }
        for (int64_t k = 0; k < v->hw; k++) {
            for (int64_t c = 0; c < v->c; c++)
                to[k * v->c + c] = from[c * v->hw + k];
        }
    }
}

void stoic_tape_forward(stoic_tape *t, int member, const float *images, uint64_t step) {
    if (member == 0) {
        t->images = images;
        t->step = step;
    }
    stoic_team_meet(t->team);
    for (int i = 0; i < t->n_steps;) {
        if (boundary(t, i))
            stoic_team_meet(t->team);
        call(t, t->steps[i].settle_forward, &t->steps[i], member, member);
        if (t->steps[i].collective) {
            call(t, t->steps[i].forward, &t->steps[i], member, member);
            i++;
            continue;
        }
        int end = i + 1;
        while (end < t->n_steps && !boundary(t, end) && !t->steps[end].collective)
            end++;
        for (int s = member; s < t->shards; s += t->members) {
            if (i == 0)
                load_shard(t, s);
            for (int k = i; k < end; k++)
                call(t, t->steps[k].forward, &t->steps[k], s, member);
        }
        i = end;
    }
    if (t->steps[t->n_steps - 1].collective)
        stoic_team_meet(t->team);
}

void stoic_tape_backward(stoic_tape *t, int member) {
    if (t->steps[t->n_steps - 1].collective)
        stoic_team_meet(t->team);
    for (int i = t->n_steps - 1; i >= 0;) {
        if (i < t->n_steps - 1 && boundary(t, i + 1))
            stoic_team_meet(t->team);
        call(t, t->steps[i].settle_backward, &t->steps[i], member, member);
        if (t->steps[i].collective) {
            if (t->values[t->steps[i].out].slot >= 0)
                call(t, t->steps[i].backward, &t->steps[i], member, member);
            i--;
            continue;
        }
        int end = i - 1;
        while (end >= 0 && !boundary(t, end + 1) && !t->steps[end].collective)
            end--;
        for (int s = member; s < t->shards; s += t->members) {
            for (int k = i; k > end; k--) {
                if (t->values[t->steps[k].out].slot >= 0)
                    call(t, t->steps[k].backward, &t->steps[k], s, member);
            }
        }
        i = end;
    }
}

void stoic_tape_pack(stoic_tape *t, int member) {
    stoic_error err;
    note(t, member, stoic_dnn_single_thread(&err), &err); /* a setting of each thread */
    for (int i = member; i < t->n_convs && t->member[member].status == STOIC_OK;
         i += t->members) {
        note(t, member, stoic_tape_conv_pack(t, &t->convs[i], &err), &err);
    }
}

/* All sources of a parameter are one member's, or cut the same way among all. */
void stoic_tape_collect(stoic_tape *t, int member) {
    stoic_team_meet(t->team);
    for (int i = 0; i < t->n_sources && t->member[member].status == STOIC_OK; i++) {
        const stoic_tape_source *s = &t->sources[i];
        bool mine = s->param % t->members == member;
        stoic_error err;
        stoic_status status = STOIC_OK;
        if (s->kind == STOIC_SOURCE_PRODUCT || s->kind == STOIC_SOURCE_PRODUCT_BIAS)
            status = stoic_tape_product_collect(t, s, member, &err);
        else if (mine && s->kind == STOIC_SOURCE_NORM)
            stoic_tape_norm_collect(t, s);
        else if (mine && s->kind == STOIC_SOURCE_PLAIN)
            stoic_tape_plain_collect(t, s);
        else if (mine)
            status = stoic_tape_conv_collect(t, s, member, &err);
        note(t, member, status, &err);
    }
    stoic_team_meet(t->team);
}
