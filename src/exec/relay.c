/*
 * The sums of the convolution are golden's plus what the change adds, pooled as the network does;
 * the products behind are summed in the canonical order, so that what they get wrong is what they
 * get: the bounds are those of difference.c.
 * Where partial sums might overflow, or the change is so large that bounds by norms say nothing,
 * relay_measure.c measures the chains instead.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/relay_parts.h"

typedef struct stoic_relay relay;

bool stoic_relay_fits(const stoic_faulty *f) {
    return f->difference.use && f->relay->use;
}

void stoic_relay_free(relay *r) {
    if (!r)
        return;
    free(r->reaches);
    free(r->weights);
    free(r->scratch);
    free(r->pairs);
    free(r->room);
    free(r->met);
    free(r->at);
    free(r->own);
    stoic_side_free(&r->side);
    free(r);
}

/* ReLU and max-pools from the convolution to a tail. */
static bool find_path(const stoic_faulty *f, relay *r) {
    const stoic_program *g = f->program;
    int64_t channels = g->layers[g->steps[r->step].layer].channels;
    int k = r->step + 1;
    r->n_path = 0;
    r->value = g->steps[r->step].out;
    r->pixels = r->widest = r->behind = g->values[r->value].size / channels;
    for (; k < g->n_steps; k++) {
        const stoic_exec_step *step = &g->steps[k];
        if (!f->changed[k])
            continue;
        if (step->n_in != 1 || step->in[0] != r->value || f->readers[r->value] != 1 ||
            (step->kind != STOIC_STEP_MAX_POOL && step->kind != STOIC_STEP_AFFINE) ||
            !stoic_chooses(step) || r->n_path == STOIC_RELAY_PATH)
            break;
        r->path[r->n_path++] = k;
        r->value = step->out;
        r->behind = g->values[r->value].size / channels;
        r->widest = r->behind > r->widest ? r->behind : r->widest;
    }
    return g->values[r->value].size <= STOIC_TAIL_LONGEST &&
           g->values[r->value].size <= g->values[g->steps[r->step].out].size &&
           stoic_tail_find(f, r->value, k, &r->tail);
}

static void find_products(const stoic_faulty *f, relay *r) {
    const stoic_program *g = f->program;
    r->near = 0;
    for (int i = 0; i < r->tail.n; i++) {
        const stoic_exec_step *step = &g->steps[r->tail.step[i]];
        const stoic_exec_layer *layer = &g->layers[step->layer];
        const stoic_layer_chain *l = &f->chains->layers[step->layer];
        const float *bias = layer->bias < 0 ? NULL : g->constant_base + layer->bias_at;
        r->products[i] = (stoic_product){.in = l->taps,
                                         .out = layer->channels,
                                         .weights = l->by_input,
                                         .step = layer->channels,
                                         .start = l->shape.bias_first ? bias : NULL,
                                         .end = l->shape.bias_first ? NULL : bias,
                                         .relu = step->act.kind == STOIC_ACT_RELU};
        r->norms[i] = l->norm * slack;
        r->near += 2 * (double)l->taps + 8;
    }
}

/* What a change of 1 in each element of the tail's input does to each class at most. */
static stoic_status find_reaches(const stoic_faulty *f, relay *r, stoic_error *err) {
    int64_t elements = r->products[0].in, classes = r->classes, n = classes + 1;
    size_t weights = 0;
    stoic_reach one;
    stoic_status status = STOIC_OK;
    if (r->reached == r->step + 1)
        return STOIC_OK;
    for (int i = 0; i < r->tail.n; i++)
        weights += (size_t)(r->products[i].in * r->products[i].out);
    TRY(stoic_faulty_grow(&r->reaches, &r->reaches_room, (size_t)((elements + 1) * n) + weights,
                          err));
    r->all = r->reaches + elements * n;
    memset(r->all, 0, (size_t)n * sizeof *r->all);
    for (int64_t i = 0; i < elements; i++) {
        stoic_tail_reach(f, &r->tail, i, &one);
        for (int64_t k = 0; k < n; k++) {
            double reach = k < classes ? one.one[k] : fmax(one.hidden, 1);
            r->reaches[i * n + k] = stoic_above(reach);
            r->all[k] = stoic_above((double)r->all[k] + reach);
        }
    }
    r->reach = (stoic_product){.in = elements, .out = n, .weights = r->reaches, .step = n};
    r->sizes_of[0] = r->all + n;
    for (int i = 0; i < r->tail.n; i++) {
        int64_t count = r->products[i].in * r->products[i].out;
        for (int64_t k = 0; k < count; k++)
            r->sizes_of[i][k] = fabsf(r->products[i].weights[k]);
        if (i + 1 < r->tail.n)
            r->sizes_of[i + 1] = r->sizes_of[i] + count;
    }
    r->reached = r->step + 1;
done:
    return status;
}

/* The weights that read the hit channel, output by output. */
static stoic_status gather_weights(const stoic_faulty *f, relay *r, stoic_error *err) {
    const stoic_difference *d = &f->difference;
    int64_t channels = f->program->layers[f->program->steps[r->step].layer].channels;
    size_t count = (size_t)(channels * d->taps);
    stoic_status status = stoic_faulty_grow(&r->weights, &r->weights_room, 2 * count, err);
    r->sizes = r->weights + count;
    for (int64_t o = 0; o < channels && status == STOIC_OK; o++) {
        for (int64_t t = 0; t < d->taps; t++)
            r->weights[o * d->taps + t] = d->weights[t * d->padded + o];
        for (int64_t t = 0; t < d->taps; t++)
            r->sizes[o * d->taps + t] = fabsf(r->weights[o * d->taps + t]);
    }
    return status;
}

stoic_status stoic_relay_prepare(stoic_faulty *f, stoic_block *b, stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    const stoic_difference *d = &f->difference;
    stoic_status status = STOIC_OK;
    if (!f->relay && !(f->relay = calloc(1, sizeof *f->relay)))
        return stoic_fail_memory(err, "a change", sizeof *f->relay);
    relay *r = f->relay;
    r->use = false;
    if (!d->use || w->n_channels != 1 || w->others)
        return STOIC_OK;
    if (!r->found || r->step != d->step || r->channel != w->channels[0]) {
        const stoic_exec_layer *layer = &g->layers[g->steps[d->step].layer];
        r->found = false;
        r->step = d->step;
        r->channel = w->channels[0];
        if (layer->matrix || layer->shape.groups != 1 || !stoic_chooses(&g->steps[d->step]) ||
            !find_path(f, r))
            return STOIC_OK;
        r->sigmoid = r->tail.final == STOIC_FINAL_SIGMOID;
        if (r->sigmoid && !stoic_tail_saturates(g->kernels))
            return STOIC_OK;
        find_products(f, r);
        r->classes = r->products[r->tail.n - 1].out;
        TRY(find_reaches(f, r, err));
        TRY(gather_weights(f, r, err));
        int64_t rows = g->values[d->logits].size + g->values[g->steps[r->step].out].size +
                       3 * r->widest + 3 * g->values[r->value].size + w->pixels +
                       4 * STOIC_TAIL_WIDEST;
        int64_t measured =
            2 * r->widest + w->pixels + g->values[r->value].size + 4 * STOIC_TAIL_WIDEST;
        TRY(stoic_faulty_grow(&r->scratch, &r->scratch_room,
                              (size_t)((rows + measured) * STOIC_LANES), err));
        r->measured = r->scratch + rows * STOIC_LANES;
        r->found = true;
    }
    if (r->sums_block != b->serial) {
        r->sums_block = 0;
        r->quiet = NULL;
        for (int i = 0; i < r->tail.n; i++)
            TRY(stoic_block_sums(b, f->session, r->tail.step[i], &r->sums[i], err));
        r->sums_block = b->serial;
    }
    r->use = true;
done:
    return status;
}

/* One channel's sums through ReLU and pools; returns a or b. */
static float *finish(const stoic_faulty *f, const relay *r, float *a, float *b) {
    const stoic_program *g = f->program;
    int64_t pixels = r->pixels;
    const stoic_activation *act = &g->steps[r->step].act;
    if (act->kind != STOIC_ACT_NONE)
        g->kernels->affine(a, a, NULL, NULL, NULL, *act, pixels, STOIC_LANES);
    for (int i = 0; i < r->n_path; i++) {
        const stoic_exec_step *step = &g->steps[r->path[i]];
        if (step->kind == STOIC_STEP_AFFINE) {
            g->kernels->affine(a, a, NULL, NULL, NULL, step->act, pixels, STOIC_LANES);
            continue;
        }
        stoic_pool_lanes(g->kernels, step, step->act.kind, &a, &b);
        pixels = step->window.out[0] * step->window.out[1];
    }
    return a;
}

stoic_chain stoic_relay_chain(const stoic_faulty *f) {
    stoic_chain c = f->chains->layers[f->program->steps[f->relay->step].layer].shape;
    c.ic = c.channels = c.block = 1;
    c.first = 0;
    c.bias_first = true;
    return c;
}

void stoic_relay_pair(const stoic_faulty *f, const stoic_chain *c, const float *weights, int64_t o,
                      const float *in, float *const out[2]) {
    int64_t channels = f->program->layers[f->program->steps[f->relay->step].layer].channels;
    int64_t taps = f->difference.taps;
    /* behind the last one stands itself */
    const float *const both[] = {weights + o * taps,
                                 weights + (o + 1 < channels ? o + 1 : o) * taps};
    f->program->kernels->chain_pair(c, both, in, out);
}

void stoic_relay_put(const stoic_faulty *f, int64_t o, const float *from, float *out) {
    const relay *r = f->relay;
    int64_t channels = f->program->layers[f->program->steps[r->step].layer].channels;
    for (int64_t p = 0; p < r->behind; p++)
        memcpy(out + (p * channels + o) * STOIC_LANES, from + p * STOIC_LANES,
               STOIC_LANES * sizeof *out);
}

/* What the tail reads, [element][16]. */
static float *through_convolution(const stoic_faulty *f, const relay *r) {
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    const stoic_difference *d = &f->difference;
    int64_t channels = g->layers[g->steps[r->step].layer].channels;
    int64_t size = r->pixels * channels;
    float *golden = r->scratch, *now = golden + size * STOIC_LANES;
    float *other = now + 2 * r->widest * STOIC_LANES, *change = other + r->widest * STOIC_LANES;
    float *out = change + w->pixels * STOIC_LANES;
    const float *rows[STOIC_LANES];
    stoic_chain c = stoic_relay_chain(f);
    for (int l = 0; l < STOIC_LANES; l++)
        rows[l] = d->sums + w->images[l < w->n_images ? l : 0] * size;
    g->kernels->columns(rows, size, golden);
    for (int64_t i = 0; i < w->pixels * STOIC_LANES; i++)
        change[i] = w->lanes[i] - w->golden[i];
    for (int64_t o = 0; o < channels; o += 2) {
        float *sums[2] = {now, now + r->widest * STOIC_LANES};
        stoic_relay_pair(f, &c, r->weights, o, change, sums);
        for (int j = 0; j < 2 && o + j < channels; j++) {
            for (int64_t p = 0; p < r->pixels; p++) {
                const float *from = golden + (p * channels + o + j) * STOIC_LANES;
                for (int l = 0; l < STOIC_LANES; l++)
                    sums[j][p * STOIC_LANES + l] += from[l];
            }
            stoic_relay_put(f, o + j, finish(f, r, sums[j], other), out);
        }
    }
    return out;
}

/* From the input of the tail to the logits, canonically; most[16] gets the largest change of any
 * sum in front of the logits. */
static float *canonical_tail(const stoic_faulty *f, const relay *r, float *in, float *most) {
    const stoic_narrow *w = &f->narrow;
    float *out = in + r->products[0].in * STOIC_LANES;
    float *spare = out + STOIC_TAIL_WIDEST * STOIC_LANES;
    float *golden = spare + STOIC_TAIL_WIDEST * STOIC_LANES;
    const float *rows[STOIC_LANES];
    for (int l = 0; l < STOIC_LANES; l++)
        most[l] = 0;
    for (int i = 0; i < r->tail.n; i++) {
        stoic_product p = r->products[i];
        p.relu = false;
        f->program->kernels->product(&p, in, out, NULL);
        for (int l = 0; l < STOIC_LANES; l++)
            rows[l] = r->sums[i] + w->images[l < w->n_images ? l : 0] * p.out;
        if (i + 1 < r->tail.n)
            f->program->kernels->columns(rows, p.out, golden);
        for (int64_t o = 0; o < p.out && i + 1 < r->tail.n; o++) {
            for (int l = 0; l < STOIC_LANES; l++) {
                float *x = &out[o * STOIC_LANES + l];
                float change = fabsf(*x - golden[o * STOIC_LANES + l]);
                most[l] = change <= most[l] ? most[l] : change; /* a NaN ends in the logits */
                *x = r->products[i].relu && *x < 0 ? 0 : *x;
            }
        }
        in = out;
        out = spare;
        spare = in;
    }
    return in;
}

/* The errors of the logits [class][16], given what the tail reads `now` and the largest change of
 * a sum; `loose`: the same wherever ReLUs may have let something through. */
static void find_errors(const stoic_faulty *f, const stoic_block *b, const relay *r,
                        const stoic_relay_bound *bounds, const float *now, const float *most,
                        float *errors, float *loose) {
    const stoic_narrow *w = &f->narrow;
    int64_t classes = r->classes, elements = r->reach.in;
    double taps = (double)f->chains->layers[f->program->steps[r->step].layer].taps;
    double own = STOIC_RELAY_UNIT * slack * (taps + (double)f->difference.taps + 8);
    float *change = r->scratch; /* the golden sums are not needed any more */
    float moved[(STOIC_TAIL_CLASSES + 1) * STOIC_LANES];
    const float *rows[STOIC_LANES];
    for (int l = 0; l < STOIC_LANES; l++)
        rows[l] = b->golden[r->value] + w->images[l < w->n_images ? l : 0] * elements;
    f->program->kernels->columns(rows, elements, change);
    for (int64_t i = 0; i < elements * STOIC_LANES; i++)
        change[i] = fabsf(now[i] - change[i]) * 0x1p-24f; /* a huge one's reach may not fit */
    f->program->kernels->product(&r->reach, change, moved, NULL);
    for (int l = 0; l < STOIC_LANES; l++) {
        int lane = l < w->n_images ? l : 0;
        double first = own * bounds[lane].moved + tiny,
               in_tail = 0x1p24 * STOIC_RELAY_UNIT * r->near;
        double off =
            first * (double)r->all[classes] + in_tail * (double)moved[classes * STOIC_LANES + l];
        double sum = slack * (fmax(bounds[lane].moved, (double)most[l]) + off);
        int level = stoic_relay_level_of(sum);
        const float *normal = f->difference.errors + w->images[lane] * classes, *golden = normal;
        if (r->quiet && level < STOIC_RELAY_LEVELS && most[l] == most[l])
            golden = r->quiet + (level * b->count + w->images[lane]) * classes;
        for (int64_t k = 0; k < classes; k++) {
            double own_part =
                first * (double)r->all[k] + in_tail * (double)moved[k * STOIC_LANES + l];
            double all = (double)golden[k] + own_part;
            errors[k * STOIC_LANES + l] = all < 1e37 ? stoic_above(slack * all) : INFINITY;
            all = (double)normal[k] + own_part;
            loose[k * STOIC_LANES + l] = all < 1e37 ? stoic_above(slack * all) : INFINITY;
        }
    }
}

void stoic_relay_run(stoic_faulty *f, const stoic_block *b, const stoic_relay_bound bounds[16],
                     int32_t top1[16]) {
    const relay *r = f->relay;
    const stoic_narrow *w = &f->narrow;
    int64_t classes = r->classes;
    float errors[STOIC_TAIL_CLASSES * STOIC_LANES], loose[STOIC_TAIL_CLASSES * STOIC_LANES];
    float measured[STOIC_TAIL_CLASSES * STOIC_LANES];
    float most[STOIC_LANES];
    bool measure = false;
    for (int l = 0; l < w->n_images; l++)
        measure = measure || !bounds[l].plain;
    for (int l = 0; l < STOIC_LANES; l++)
        most[l] = INFINITY;
    float *in = through_convolution(f, r);
    const float *logits =
        measure ? stoic_relay_measured(f, in, measured) : canonical_tail(f, r, in, most);
    find_errors(f, b, r, bounds, in, most, errors, loose);
    for (int64_t k = 0; k < classes * STOIC_LANES && measure; k++)
        errors[k] = bounds[k % STOIC_LANES].plain ? errors[k] : measured[k];
    f->program->kernels->classify(logits, errors, classes, (float)stoic_tail_apart(&r->tail, 1, 0),
                                  r->sigmoid, top1);
    for (int l = 0; l < w->n_images && f->single.limited; l++) {
        if (top1[l] >= 0 && bounds[l].plain)
            stoic_single_anchor(f, w->images[l], f->single.change, top1[l], logits + l, loose + l,
                                classes, r->tail.final);
    }
}
