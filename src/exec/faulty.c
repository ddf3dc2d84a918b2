#include "exec/faulty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/relay.h"

/* ---- narrow: the changed channels of the first changed layer ---- */

/* The output channel an edit of this use changes, -1: all of them. */
static int64_t channel_of(const stoic_program *g, const stoic_exec_use *use, int64_t index) {
    const stoic_exec_layer *l = &g->layers[g->steps[use->step].layer];
    const stoic_dnn_shape *s = &l->shape;
    if (use->kind == STOIC_USE_BIAS)
        return l->bias_count == l->channels ? index : -1;
    if (use->kind == STOIC_USE_NORM)
        return index;
    if (l->matrix)
        return l->transposed ? index % s->oc : index / s->ic;
    return index / (s->ic * s->kh * s->kw);
}

static stoic_status add_channel(stoic_narrow *w, int64_t channel, stoic_error *err) {
    for (int i = 0; i < w->n_channels; i++) {
        if (w->channels[i] == channel)
            return STOIC_OK;
    }
    if ((size_t)w->n_channels == w->room) {
        size_t more = w->room ? w->room * 2 : 16;
        int32_t *channels = realloc(w->channels, more * sizeof *channels);
        if (!channels)
            return stoic_fail_memory(err, "changed channels", more * sizeof *channels);
        w->channels = channels;
        w->room = more;
    }
    w->channels[w->n_channels++] = (int32_t)channel;
    return STOIC_OK;
}

/* Collects the changed channels of step `first`; *fits: few enough, with a known order of sums. */
static stoic_status find_channels(stoic_faulty *f, int first, const stoic_edit *edits,
                                  size_t n_edits, bool *fits, stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_exec_step *step = &g->steps[first];
    stoic_narrow *w = &f->narrow;
    *fits = false;
    w->n_channels = 0;
    if (f->full || step->layer < 0 || !f->chains->layers[step->layer].known)
        return STOIC_OK;
    /* a chain is about as quick as the canonical kernel, but for a matrix product: it has one pixel
     * to hide its latency */
    int64_t channels = g->layers[step->layer].channels;
    int64_t most = g->layers[step->layer].matrix ? channels / 2 : channels * 2 / 3;
    for (size_t i = 0; i < n_edits; i++) {
        for (int k = 0; k < g->n_uses; k++) {
            if (g->uses[k].step != first || g->uses[k].tensor != edits[i].tensor)
                continue;
            int64_t channel = channel_of(g, &g->uses[k], edits[i].index);
            if (channel < 0)
                return STOIC_OK;
            stoic_status status = add_channel(w, channel, err);
            if (status != STOIC_OK)
                return status;
            if (w->n_channels > most)
                return STOIC_OK;
        }
    }
    *fits = w->n_channels > 0;
    return STOIC_OK;
}

/* A reshaped value may number its channels otherwise. */
static bool same_channels(const stoic_program *g, const stoic_exec_step *step,
                          const stoic_exec_step *layer) {
    return step->norm < 0 || g->norms[step->norm].channels == g->layers[layer->layer].channels;
}

/* Where the change is looked at: behind the layer and the local steps that follow one by one. */
static stoic_status find_frontier(stoic_faulty *f, int first, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_program *g = f->program;
    stoic_narrow *w = &f->narrow;
    const stoic_exec_step *layer = &g->steps[first];
    int value = layer->out;
    w->step = w->last = first;
    w->others = false;
    w->n_path = 0;
    for (int k = first + 1; k < g->n_steps; k++)
        w->others = w->others || f->session->edited[k];
    for (int k = first + 1; k < g->n_steps; k++) {
        const stoic_exec_step *step = &g->steps[k];
        bool next = step->n_in > 0 && step->in[0] == value && f->readers[value] == 1 &&
                    value != g->output && !f->session->edited[k];
        if (next && stoic_step_is_local(step) && same_channels(g, step, layer)) {
            w->path[w->n_path++] = w->last = k;
            value = step->out;
        } else if (f->changed[k]) {
            break; /* a step hit by another fault must not be skipped */
        }
    }
    w->frontier = g->steps[w->last].out;
    w->stride = g->layers[layer->layer].channels;
    w->pixels = g->values[w->frontier].size / w->stride;
    w->widest = g->values[layer->out].size / w->stride;
    for (int i = 0; i < w->n_path; i++) {
        int64_t pixels = g->values[g->steps[w->path[i]].out].size / w->stride;
        w->widest = pixels > w->widest ? pixels : w->widest; /* padding may widen */
    }
    TRY(stoic_faulty_grow(&w->lanes, &w->lanes_room,
                          (size_t)(w->n_channels * w->pixels) * STOIC_LANES, err));
    TRY(stoic_faulty_grow(&w->golden, &w->golden_room,
                          (size_t)(w->n_channels * w->pixels) * STOIC_LANES, err));
    TRY(stoic_faulty_grow(&w->sums, &w->sums_room, (size_t)w->widest * STOIC_LANES * 2, err));
    TRY(stoic_faulty_grow(&w->weights, &w->weights_room,
                          (size_t)f->chains->layers[layer->layer].taps, err));
    TRY(stoic_faulty_grow(&f->frontier, &f->frontier_room,
                          (size_t)(g->values[w->frontier].size * g->tile), err));
done:
    return status;
}

/* Affine steps of one channel of 16 images: the same kernel on rows of 16, so the same bits. */
static void affine_channel(const stoic_faulty *f, const stoic_exec_step *step, int64_t channel,
                           const float *add, float *values, int64_t pixels) {
    const stoic_program *g = f->program;
    const stoic_exec_norm *norm = step->norm >= 0 ? &g->norms[step->norm] : NULL;
    float scale[STOIC_LANES], shift[STOIC_LANES];
    for (int l = 0; norm && l < STOIC_LANES; l++) {
        scale[l] = f->session->constants[norm->scale_at + channel];
        shift[l] = f->session->constants[norm->shift_at + channel];
    }
    if (norm || add || step->act.kind != STOIC_ACT_NONE)
        g->kernels->affine(values, values, add, norm ? scale : NULL, norm ? shift : NULL, step->act,
                           pixels, STOIC_LANES);
}

/* Golden values of one channel of the pack, side by side. */
static void golden_channel(const stoic_faulty *f, const stoic_block *b, int value, int64_t channel,
                           float *out) {
    const stoic_narrow *w = &f->narrow;
    int64_t size = f->program->values[value].size;
    for (int l = 0; l < STOIC_LANES; l++) {
        const float *src = b->golden[value] + w->images[l < w->n_images ? l : 0] * size + channel;
        for (int64_t p = 0; p < size / w->stride; p++)
            out[p * STOIC_LANES + l] = src[p * w->stride];
    }
}

void stoic_faulty_finish(stoic_faulty *f, const stoic_block *b, int64_t channel, float *out) {
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    const stoic_exec_step *step = &g->steps[w->step];
    int64_t pixels = g->values[step->out].size / w->stride;
    float *now = w->sums, *other = w->sums + w->widest * STOIC_LANES;
    if (step->add >= 0) /* what a sum adds */
        golden_channel(f, b, step->add, channel, other);
    affine_channel(f, step, channel, step->add >= 0 ? other : NULL, now, pixels);
    for (int i = 0; i < w->n_path; i++) {
        step = &g->steps[w->path[i]];
        if (stoic_step_is_pool(step)) {
            stoic_window window = step->window;
            window.in_channels = window.out_channels = STOIC_LANES;
            pixels = g->values[step->out].size / w->stride;
            if (step->kind == STOIC_STEP_MAX_POOL)
                g->kernels->max_pool(&window, now, other, step->act);
            else
                g->kernels->average_pool(&window, now, other);
            float *swap = now;
            now = other;
            other = swap;
        } else if (step->kind == STOIC_STEP_FUNCTION) {
            g->kernels->unary(step->unary, step->a, step->b, now, now, pixels * STOIC_LANES);
        } else {
            affine_channel(f, step, channel, NULL, now, pixels);
        }
    }
    memcpy(out, now, (size_t)(pixels * STOIC_LANES) * sizeof *out);
}

/* New frontier values of the pack; bit l of the result: its image l differs from golden. */
static unsigned narrow_pack(stoic_faulty *f, const stoic_block *b, const float *input) {
    const stoic_program *g = f->program;
    stoic_narrow *w = &f->narrow;
    const stoic_exec_step *step = &g->steps[w->step];
    const stoic_exec_layer *layer = &g->layers[step->layer];
    uint32_t differs[STOIC_LANES] = {0};
    for (int i = 0; i < w->n_channels; i++) {
        int64_t channel = w->channels[i], at = i * w->pixels * STOIC_LANES;
        stoic_chain c = stoic_chain_of(f->chains, step->layer, channel);
        stoic_chain_weights(f->chains, f->session, step->layer, channel, w->weights);
        g->kernels->chain(&c, w->weights,
                          layer->bias >= 0 ? f->session->constants + layer->bias_at + channel
                                           : NULL,
                          input, w->sums);
        stoic_faulty_finish(f, b, channel, w->lanes + at);
        golden_channel(f, b, w->frontier, channel, w->golden + at);
        const uint32_t *x = (const uint32_t *)(const void *)(w->lanes + at);
        const uint32_t *y = (const uint32_t *)(const void *)(w->golden + at);
        for (int64_t p = 0; p < w->pixels; p++) {
            for (int l = 0; l < STOIC_LANES; l++)
                differs[l] |= x[p * STOIC_LANES + l] ^ y[p * STOIC_LANES + l];
        }
    }
    unsigned mask = w->others ? 0xffffu : 0;
    for (int l = 0; l < STOIC_LANES; l++)
        mask |= (unsigned)(differs[l] != 0) << l;
    return mask;
}

static stoic_status flush_rows(stoic_faulty *f, const stoic_block *b, const stoic_sink *sink,
                               stoic_error *err) {
    const stoic_narrow *w = &f->narrow;
    if (f->n_rows == 0)
        return STOIC_OK;
    f->session->frame[w->frontier] = f->frontier;
    stoic_status status =
        stoic_faulty_rest(f, b, f->rows, f->n_rows, w->last + 1, w->frontier, sink, err);
    f->counts.narrow += f->n_rows;
    f->n_rows = 0;
    return status;
}

/* An image goes on: its golden frontier with the changed channels in place. */
static stoic_status append_row(stoic_faulty *f, const stoic_block *b, int lane,
                               const stoic_sink *sink, stoic_error *err) {
    const stoic_narrow *w = &f->narrow;
    int64_t size = f->program->values[w->frontier].size;
    int image = w->images[lane];
    float *row = f->frontier + f->n_rows * size;
    memcpy(row, b->golden[w->frontier] + image * size, (size_t)size * sizeof *row);
    for (int i = 0; i < w->n_channels; i++) {
        const float *lanes = w->lanes + i * w->pixels * STOIC_LANES + lane;
        for (int64_t p = 0; p < w->pixels; p++)
            row[p * w->stride + w->channels[i]] = lanes[p * STOIC_LANES];
    }
    f->rows[f->n_rows++] = image;
    return f->n_rows == f->program->tile ? flush_rows(f, b, sink, err) : STOIC_OK;
}

/* The images of the pack that changed: by the difference where it decides, else canonically. */
static stoic_status go_on(stoic_faulty *f, const stoic_block *b, unsigned mask,
                          const stoic_sink *sink, stoic_error *err) {
    const stoic_narrow *w = &f->narrow;
    int lanes[STOIC_LANES], top1[STOIC_LANES], classes[STOIC_LANES], n = 0;
    stoic_status status = STOIC_OK;
    bool carried = stoic_carry_exact(f, top1);
    for (int l = 0; l < w->n_images; l++) {
        if (!(mask >> l & 1) || !f->selected[w->images[l]])
            continue;
        if (carried && top1[l] >= 0)
            sink->top1(sink->user, w->images[l], top1[l]);
        else
            lanes[n++] = l;
        f->counts.carried += carried && top1[l] >= 0;
    }
    for (int i = 0; i < n; i++)
        classes[i] = -1;
    int together = stoic_relay_fits(f) ? STOIC_LANES : f->program->tile;
    for (int i = 0; f->difference.use && i < n; i += together) {
        int count = n - i < together ? n - i : together;
        TRY(stoic_difference_run(f, b, lanes + i, count, classes + i, err));
    }
    for (int i = 0; i < n; i++) {
        if (classes[i] >= 0) {
            sink->top1(sink->user, w->images[lanes[i]], classes[i]);
            f->counts.difference++;
        } else {
            f->counts.again += f->difference.use;
            TRY(append_row(f, b, lanes[i], sink, err));
        }
    }
done:
    return status;
}

/* The pack's inputs side by side. The same images often come again, those near a tie. */
static stoic_status pack_input(stoic_faulty *f, const stoic_block *b, int value,
                               const float **input, stoic_error *err) {
    stoic_narrow *w = &f->narrow;
    int64_t size = f->program->values[value].size;
    const float *rows[STOIC_LANES];
    size_t bytes = (size_t)w->n_images * sizeof *w->images;
    stoic_status status = STOIC_OK;
    bool same = w->packed_block == b->serial && w->packed_value == value &&
                w->n_packed == w->n_images && memcmp(w->packed, w->images, bytes) == 0;
    *input = w->input;
    if (same)
        return STOIC_OK;
    w->packed_block = 0;
    TRY(stoic_faulty_grow(&w->input, &w->input_room, (size_t)(size * STOIC_LANES), err));
    for (int l = 0; l < STOIC_LANES; l++)
        rows[l] = b->golden[value] + w->images[l < w->n_images ? l : 0] * size;
    f->program->kernels->columns(rows, size, w->input);
    memcpy(w->packed, w->images, bytes);
    w->n_packed = w->n_images;
    w->packed_value = value;
    w->packed_block = b->serial;
    *input = w->input;
done:
    return status;
}

/* All selected images of a group, which the block has side by side. */
static void take_group(stoic_faulty *f, const stoic_block *b, int group) {
    stoic_narrow *w = &f->narrow;
    int left = b->count - group * STOIC_LANES;
    w->n_images = left < STOIC_LANES ? left : STOIC_LANES;
    for (int l = 0; l < w->n_images; l++)
        w->images[l] = group * STOIC_LANES + l;
}

static stoic_status run_groups(stoic_faulty *f, stoic_block *b, const stoic_sink *sink,
                               stoic_error *err) {
    int source = f->program->steps[f->narrow.step].in[0];
    int64_t size = f->program->values[source].size * STOIC_LANES;
    const float *input;
    stoic_status status = STOIC_OK;
    TRY(stoic_block_lanes(b, source, &input, err));
    for (int group = 0; group < b->groups; group++) {
        bool any = false;
        take_group(f, b, group);
        for (int l = 0; l < f->narrow.n_images; l++)
            any = any || f->selected[group * STOIC_LANES + l];
        unsigned mask = any ? narrow_pack(f, b, input + group * size) : 0;
        if (mask)
            TRY(go_on(f, b, mask, sink, err));
    }
done:
    return status;
}

/* Few images, brought together. */
static stoic_status run_packs(stoic_faulty *f, stoic_block *b, const stoic_sink *sink,
                              stoic_error *err) {
    stoic_narrow *w = &f->narrow;
    int source = f->program->steps[w->step].in[0];
    const float *input;
    stoic_status status = STOIC_OK;
    w->n_images = 0;
    for (int image = 0; image < b->count; image++) {
        if (f->selected[image])
            w->images[w->n_images++] = image;
        if (w->n_images < STOIC_LANES && (image + 1 < b->count || w->n_images == 0))
            continue;
        TRY(pack_input(f, b, source, &input, err));
        unsigned mask = narrow_pack(f, b, input);
        if (mask)
            TRY(go_on(f, b, mask, sink, err));
        w->n_images = 0;
    }
done:
    return status;
}

static stoic_status run_narrow(stoic_faulty *f, stoic_block *b, const stoic_sink *sink,
                               stoic_error *err) {
    stoic_status status = STOIC_OK;
    int selected = 0;
    for (int image = 0; image < b->count; image++)
        selected += f->selected[image];
    TRY(stoic_difference_prepare(f, b, sink, err));
    f->n_rows = 0;
    if (selected > b->count / 2)
        TRY(run_groups(f, b, sink, err));
    else
        TRY(run_packs(f, b, sink, err));
    status = flush_rows(f, b, sink, err);
done:
    stoic_session_frame_reset(f->session);
    return status;
}

stoic_status stoic_faulty_select(stoic_faulty *f, const stoic_block *b, const int32_t *images,
                                 int n, stoic_error *err) {
    if (b->count > f->selected_room) {
        bool *more = realloc(f->selected, (size_t)b->count);
        if (!more)
            return stoic_fail_memory(err, "a choice of images", (unsigned)b->count);
        f->selected = more;
        f->selected_room = b->count;
    }
    memset(f->selected, images == NULL, (size_t)b->count);
    for (int i = 0; images && i < n; i++)
        f->selected[images[i]] = true;
    return STOIC_OK;
}

stoic_status stoic_faulty_narrow(stoic_faulty *f, int first, const stoic_edit *edits,
                                 size_t n_edits, bool *fits, stoic_error *err) {
    stoic_status status = find_channels(f, first, edits, n_edits, fits, err);
    return status == STOIC_OK && *fits ? find_frontier(f, first, err) : status;
}

/* Are the held edits' constants as they were? Taking them back would hide it. */
static bool holds(const stoic_faulty *f) {
    return !f->held || stoic_session_digest(f->session) == f->held_digest;
}

static void release(stoic_faulty *f) {
    f->spoiled = f->spoiled || !holds(f);
    if (f->held)
        stoic_session_restore(f->session);
    f->held = NULL;
}

bool stoic_faulty_intact(stoic_faulty *f, uint64_t digest) {
    f->spoiled = f->spoiled || !holds(f) ||
                 (!f->held && stoic_session_digest(f->session) != digest) ||
                 (f->absolute && stoic_session_digest(f->absolute) != f->absolute_digest);
    return !f->spoiled;
}

stoic_session *stoic_faulty_session(stoic_faulty *f) {
    release(f);
    return f->session;
}

stoic_status stoic_faulty_hold(stoic_faulty *f, const stoic_edit *edits, size_t n_edits,
                               stoic_error *err) {
    release(f);
    stoic_status status = stoic_session_edit(f->session, edits, n_edits, err);
    if (status != STOIC_OK) {
        stoic_session_restore(f->session);
        return status;
    }
    f->held = edits;
    f->n_held = n_edits;
    f->held_digest = stoic_session_digest(f->session);
    return STOIC_OK;
}

/* Do the changed steps read nothing that is clean but the input? */
static bool from_input(const stoic_faulty *f) {
    const stoic_program *g = f->program;
    for (int k = 0; k < g->n_steps; k++) {
        const stoic_exec_step *step = &g->steps[k];
        for (int i = 0; f->changed[k] && i <= step->n_in; i++) {
            int value = i < step->n_in ? step->in[i] : step->add;
            if (value >= 0 && value != g->input && stoic_faulty_clean(f, value))
                return false;
        }
    }
    return true;
}

bool stoic_faulty_whole(stoic_faulty *f) {
    const int steps = f->program->n_steps;
    int first = f->held ? stoic_session_changed(f->session, f->changed) : steps;
    bool others = false;
    for (int k = first + 1; k < steps; k++)
        others = others || f->session->edited[k];
    return others && from_input(f);
}

/* The block is filled by the clean network; held edits come back afterwards. */
static stoic_status complete(stoic_faulty *f, stoic_block *b, stoic_error *err) {
    const stoic_edit *held = f->held;
    size_t n_held = f->n_held;
    if (b->filled || stoic_faulty_whole(f))
        return STOIC_OK;
    stoic_status status = stoic_block_fill(b, stoic_faulty_session(f), err);
    if (status == STOIC_OK && held)
        status = stoic_faulty_hold(f, held, n_held, err);
    return status;
}

stoic_status stoic_faulty_run(stoic_faulty *f, stoic_block *b, const int32_t *images, int n_images,
                              const stoic_edit *edits, size_t n_edits, const stoic_sink *sink,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    bool narrow = false;
    int left = -1;
    const bool held = f->held && f->held == edits && f->n_held == n_edits;
    if (!held)
        release(f);
    TRY(complete(f, b, err));
    if (n_edits == 1)
        TRY(stoic_single_run(f, b, images, n_images, edits, sink, &left, err));
    if (left == 0)
        return STOIC_OK;
    f->carrying = left > 0 && f->single.way != STOIC_SINGLE_THROUGH;
    if (n_edits != 1 || edits->tensor != f->single.tensor || edits->index != f->single.index)
        f->single.block = f->single.limited = 0; /* f->narrow will be another one's */
    if (!held)
        TRY(stoic_session_edit(f->session, edits, n_edits, err));
    int first = stoic_session_changed(f->session, f->changed);
    if (first == f->program->n_steps)
        goto done; /* no operator reads what was hit */
    if (b->filled)
        TRY(stoic_faulty_narrow(f, first, edits, n_edits, &narrow, err));
    if (narrow && b->golden[f->narrow.frontier]) {
        if (left < 0)
            TRY(stoic_faulty_select(f, b, images, n_images, err));
        TRY(run_narrow(f, b, sink, err));
    } else {
        TRY(stoic_faulty_rows(f, b, images, n_images, first, sink, err));
    }
done:
    if (!held)
        stoic_session_restore(f->session);
    return status;
}

stoic_status stoic_faulty_first(stoic_faulty *f, const stoic_edit *edits, size_t n_edits,
                                char *name, size_t size, stoic_error *err) {
    const stoic_program *g = f->program;
    stoic_status status = stoic_session_edit(f->session, edits, n_edits, err);
    int first = stoic_session_changed(f->session, f->changed);
    stoic_session_restore(f->session);
    name[0] = 0;
    if (status == STOIC_OK && first < g->n_steps)
        snprintf(name, size, "%s '%s'", g->model->nodes[g->steps[first].node].op->name,
                 g->steps[first].name);
    return status;
}
