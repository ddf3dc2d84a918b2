/*
 * All values that one weight will have, side by side: for one image after the other, the changes of
 * the weight that its limit leaves open are carried through the next convolution and the products
 * behind it, as lanes of a vector. Lists name what changes in any lane: most of an image is dead
 * behind a ReLU, and golden values stand for it.
 *
 * Nothing here is canonical; errors are known as in relay.c. With u = 2^-24, n the length of a
 * canonical chain and m that of a list, a sum of ours and the canonical one are apart, from
 * roundings of this sum alone, by
 *
 *     u (2 total + |golden sum| + (n + m + ..) moved)    <= 3 u total + u (2 n + 8) moved:
 *
 * golden's chain, the canonical faulty one, our list, the addition of that to golden, and the
 * subtraction of what golden has, for the next layer. In the hit layer, where our list is one term
 * and dw itself is rounded, that is 3 u total + u (n + 6) |dw x|. What total does to a class does
 * not depend on the fault; the products' own part, for which relay.c needs 2 u total, is allowed
 * for by a factor of 3 / 2. What moved does: |dw| times what a change of 1 does (the limits have
 * it) for both convolutions, and for the products the reach of the changes that came out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/relay_parts.h"

typedef struct stoic_relay relay;
typedef struct stoic_side side;

static const double most_change = 0x1p40, most_input = 0x1p60, most_sum = 0x1p100;

void stoic_side_free(side *s) {
    free(s->z);
    free(s->front);
    free(s->scratch);
    free(s->lists);
    free(s->live);
    free(s->top1);
}

/* ReLU and at most one max-pool, of quarters, from the sums on. */
static bool plain_path(const stoic_faulty *f, int layer, const int *path, int n, side_path *out) {
    const stoic_program *g = f->program;
    const stoic_exec_step *first = &g->steps[layer];
    *out = (side_path){.parts = 1, .relu = first->act.kind == STOIC_ACT_RELU};
    if (!stoic_chooses(first))
        return false;
    for (int i = 0; i < n; i++) {
        const stoic_exec_step *step = &g->steps[path[i]];
        if (!stoic_chooses(step))
            return false;
        out->relu = out->relu || step->act.kind == STOIC_ACT_RELU;
        if (step->kind == STOIC_STEP_AFFINE)
            continue;
        if (step->kind != STOIC_STEP_MAX_POOL || out->parts == 4 ||
            !stoic_window_is_quarters(&step->window))
            return false;
        out->parts = 4;
        out->across = step->window.out[1];
        out->line = step->window.in[1];
    }
    return true;
}

/* The places of window q, in the order of the window. */
static void places_of(const side_path *p, int64_t q, int32_t *at) {
    if (p->parts == 1) {
        at[0] = (int32_t)q;
        return;
    }
    int64_t first = q / p->across * 2 * p->line + q % p->across * 2;
    at[0] = (int32_t)first;
    at[1] = (int32_t)(first + 1);
    at[2] = (int32_t)(first + p->line);
    at[3] = (int32_t)(first + p->line + 1);
}

bool stoic_side_fits(const stoic_faulty *f) {
    const relay *r = f->relay;
    const stoic_narrow *w = &f->narrow;
    side_path p;
    return plain_path(f, w->step, w->path, w->n_path, &p) &&
           plain_path(f, r->step, r->path, r->n_path, &p);
}

static stoic_status grow_ints(int32_t **at, size_t *room, size_t count, stoic_error *err) {
    if (count <= *room)
        return STOIC_OK;
    int32_t *more = realloc(*at, count * sizeof *more);
    if (!more)
        return stoic_fail_memory(err, "lists", count * sizeof *more);
    *at = more;
    *room = count;
    return STOIC_OK;
}

/* Which pixel of the hit channel meets which tap, output by output of the convolution. */
static void fill_taps(const stoic_faulty *f, side *s) {
    stoic_chain c = stoic_relay_chain(f);
    int32_t *pairs = s->taps;
    for (int64_t oy = 0; oy < c.oh; oy++) {
        for (int64_t ox = 0; ox < c.ow; ox++) {
            s->starts[oy * c.ow + ox] = (int32_t)((pairs - s->taps) / 2);
            for (int64_t t = 0; t < c.kh * c.kw; t++) {
                int64_t y = oy * c.stride_h - c.pad_top + t / c.kw * c.dilation_h;
                int64_t x = ox * c.stride_w - c.pad_left + t % c.kw * c.dilation_w;
                if (y < 0 || y >= c.ih || x < 0 || x >= c.iw)
                    continue;
                *pairs++ = (int32_t)(y * c.iw + x);
                *pairs++ = (int32_t)t;
            }
        }
    }
    s->starts[c.oh * c.ow] = (int32_t)((pairs - s->taps) / 2);
}

/* Room, and what depends on the two convolutions alone. */
static stoic_status find_shape(stoic_faulty *f, side *s, stoic_error *err) {
    const relay *r = f->relay;
    const stoic_narrow *w = &f->narrow;
    const stoic_difference *d = &f->difference;
    stoic_status status = STOIC_OK;
    int64_t elements = r->products[0].in;
    if (s->step == w->step + 1)
        return STOIC_OK;
    s->step = 0;
    plain_path(f, w->step, w->path, w->n_path, &s->hit);
    plain_path(f, r->step, r->path, r->n_path, &s->next);
    int64_t most = elements > STOIC_TAIL_WIDEST ? elements : STOIC_TAIL_WIDEST;
    size_t lists = (size_t)(w->pixels * s->hit.parts + r->pixels + 1 + 2 * r->pixels * d->taps);
    TRY(grow_ints(&s->lists, &s->lists_room,
                  lists + (size_t)(4 * 2 * d->taps + 2 * most + 2 * STOIC_TAIL_WIDEST), err));
    s->windows = s->lists;
    s->starts = s->windows + w->pixels * s->hit.parts;
    s->taps = s->starts + r->pixels + 1;
    s->open = s->taps + 2 * r->pixels * d->taps;
    s->kept[0] = s->open + 4 * 2 * d->taps;
    s->kept[1] = s->kept[0] + 2 * most;
    TRY(stoic_faulty_grow(
        &s->scratch, &s->scratch_room,
        (size_t)((w->pixels + elements + 2 * STOIC_TAIL_WIDEST + 2 * (STOIC_TAIL_CLASSES + 1)) *
                     STOIC_LANES +
                 w->widest + STOIC_TAIL_WIDEST),
        err));
    free(s->live);
    if (!(s->live = malloc((size_t)w->pixels)))
        return stoic_fail_memory(err, "lists", (size_t)w->pixels);
    for (int64_t q = 0; q < w->pixels; q++)
        places_of(&s->hit, q, s->windows + q * s->hit.parts);
    fill_taps(f, s);
    s->step = w->step + 1;
done:
    return status;
}

/* Golden sums of the hit channel, and what follows them, image by image. */
static stoic_status find_channel(stoic_faulty *f, stoic_block *b, side *s, stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    const stoic_exec_step *step = &g->steps[w->step];
    const stoic_exec_layer *layer = &g->layers[step->layer];
    int64_t size = g->values[step->in[0]].size, channel = w->channels[0];
    int64_t sums = g->values[step->out].size / w->stride;
    const float *input;
    stoic_status status = STOIC_OK;
    if (s->block == b->serial && s->channel == channel && s->of == w->step)
        return STOIC_OK;
    s->block = 0;
    TRY(stoic_block_lanes(b, step->in[0], &input, err));
    TRY(stoic_faulty_grow(&s->z, &s->z_room, (size_t)(b->count * sums), err));
    TRY(stoic_faulty_grow(&s->front, &s->front_room, (size_t)(b->count * w->pixels), err));
    stoic_chain c = stoic_chain_of(f->chains, step->layer, channel);
    stoic_chain_weights(f->chains, f->session, step->layer, channel, w->weights);
    for (int image = 0; image < b->count; image++) {
        float *z = s->z + image * sums;
        if (image % STOIC_LANES == 0)
            g->kernels->chain(&c, w->weights,
                              layer->bias >= 0 ? f->session->constants + layer->bias_at + channel
                                               : NULL,
                              input + image / STOIC_LANES * size * STOIC_LANES, w->sums);
        for (int64_t p = 0; p < sums; p++)
            z[p] = w->sums[p * STOIC_LANES + image % STOIC_LANES];
        for (int64_t q = 0; q < w->pixels; q++) {
            const int32_t *at = s->windows + q * s->hit.parts;
            float top = z[at[0]];
            for (int k = 1; k < s->hit.parts; k++)
                top = z[at[k]] > top ? z[at[k]] : top;
            s->front[image * w->pixels + q] = s->hit.relu && top < 0 ? 0 : top;
        }
    }
    s->channel = channel;
    s->of = w->step;
    s->block = b->serial;
done:
    return status;
}

/* ---- one image ---- */

/* Sixteen changes of the weight in one image. */
typedef struct pack {
    int64_t image;
    int32_t lane[STOIC_LANES]; /* which change */
    int n;
    float change[STOIC_LANES], most[STOIC_LANES]; /* most: of any sum's change in front of the
                                                     logits */
} pack;

/* The changes that the image's limit leaves open and that cannot overflow. */
static bool take(const stoic_faulty *f, int64_t image, pack *k) {
    const side *s = &f->relay->side;
    const stoic_threshold *h = &f->threshold;
    const float *moved = h->moved + image * h->columns;
    double most = 0;
    bool finite = true;
    *k = (pack){.image = image};
    for (int64_t c = 0; c <= f->relay->classes; c++) {
        finite = finite && (double)moved[c] < 1e38;
        most = fmax(most, (double)moved[c]);
    }
    for (int j = 0; j < s->n && k->n < STOIC_LANES && finite; j++) {
        double size = fabs((double)s->change[j]);
        if (size <= (double)h->limit[image] || !(size <= most_change) ||
            !(size * most * 1.06 <= most_sum))
            continue;
        k->change[k->n] = s->change[j];
        k->lane[k->n++] = j;
    }
    return k->n >= STOIC_SIDE_LEAST;
}

/* What the weight meets at each sum; false: too large. */
static bool meet(const stoic_faulty *f, const float *in, int64_t step, int64_t n, float *x) {
    const int32_t *at = f->relay->at;
    float most = 0;
    bool fine = true;
    for (int64_t p = 0; p < n; p++) {
        x[p] = at[p] < 0 ? 0 : in[at[p] * step];
        most = fabsf(x[p]) > most ? fabsf(x[p]) : most;
        fine = fine && x[p] == x[p];
    }
    return fine && (double)most <= most_input;
}

/* Through the convolution and its pool: what changes of what the tail reads, in out [element][16],
 * and its list. */
static int64_t through_next(const stoic_faulty *f, const stoic_block *b, const float *in, pack *k,
                            float *out) {
    const relay *r = f->relay;
    const side *s = &r->side;
    const stoic_difference *d = &f->difference;
    int64_t channels = f->program->layers[f->program->steps[r->step].layer].channels, kept = 0;
    const float *sums = d->sums + k->image * r->pixels * channels;
    const float *golden = b->golden[r->value] + k->image * r->products[0].in;
    stoic_listed l = {.parts = s->next.parts,
                      .weights = d->weights,
                      .step = d->padded,
                      .out = channels,
                      .relu = s->next.relu};
    for (int64_t q = 0; q < r->behind; q++) {
        int32_t at[4];
        int64_t all = 0;
        places_of(&s->next, q, at);
        for (int j = 0; j < l.parts; j++) {
            int32_t *list = s->open + j * 2 * d->taps;
            int64_t n = 0;
            l.pairs[j] = list;
            for (int32_t t = s->starts[at[j]]; t < s->starts[at[j] + 1]; t++) {
                list[2 * n] = s->taps[2 * t];
                list[2 * n + 1] = s->taps[2 * t + 1];
                n += s->live[s->taps[2 * t]];
            }
            l.n[j] = n;
            l.add[j] = sums + at[j] * channels;
            all += n;
        }
        l.golden = golden + q * channels;
        l.base = (int32_t)(q * channels);
        if (all > 0)
            kept += f->program->kernels->listed(&l, in, out + l.base * STOIC_LANES, k->most,
                                                s->kept[0] + 2 * kept);
    }
    return kept;
}

/* From what changed in front of the tail to the logits [class][16]. */
static float *through_tail(const stoic_faulty *f, const float *in, int64_t n, pack *k,
                           float *scratch) {
    const relay *r = f->relay;
    const side *s = &r->side;
    float *golden = scratch + 2 * STOIC_TAIL_WIDEST * STOIC_LANES;
    float ignored[STOIC_LANES] = {0};
    for (int i = 0; i < r->tail.n; i++) {
        const stoic_product *p = &r->products[i];
        const float *sums = r->sums[i] + k->image * p->out;
        bool last = i + 1 == r->tail.n;
        stoic_listed l = {.parts = 1,
                          .pairs = {s->kept[i % 2]},
                          .n = {n},
                          .weights = p->weights,
                          .step = p->step,
                          .out = p->out,
                          .add = {sums},
                          .golden = last ? NULL : golden,
                          .relu = p->relu};
        float *out = scratch + i % 2 * STOIC_TAIL_WIDEST * STOIC_LANES;
        for (int64_t o = 0; o < p->out && !last; o++)
            golden[o] = p->relu && sums[o] < 0 ? 0 : sums[o];
        n = f->program->kernels->listed(&l, in, out, last ? ignored : k->most, s->kept[1 - i % 2]);
        in = out;
    }
    return scratch + (r->tail.n - 1) % 2 * STOIC_TAIL_WIDEST * STOIC_LANES;
}

/* How far the logits may be off; `reach` [class + 1][16]: what the changes in front of the tail
 * reach of each class, and of any sum. */
static void find_side_errors(const stoic_faulty *f, const stoic_block *b, const pack *k,
                             const float *reach, float *errors) {
    const relay *r = f->relay;
    const stoic_difference *d = &f->difference;
    const stoic_threshold *h = &f->threshold;
    const stoic_program *g = f->program;
    int64_t classes = r->classes;
    const float *moved = h->moved + k->image * h->columns;
    const float *own = r->own + k->image * (classes + 1);
    double hit = (double)f->chains->layers[g->steps[f->narrow.step].layer].taps + 8;
    double next = (double)f->chains->layers[g->steps[r->step].layer].taps + (double)d->taps + 8;
    double part = STOIC_RELAY_UNIT * slack * 1.06 * (hit + next),
           in_tail = STOIC_RELAY_UNIT * r->near;
    double share = STOIC_RELAY_UNIT / STOIC_LINE_UNIT, times = 1.5 * share;
    for (int l = 0; l < STOIC_LANES; l++) {
        double size = fabs((double)k->change[l]) * part;
        double off = times * (double)own[classes] + size * (double)moved[classes] +
                     in_tail * (double)reach[classes * STOIC_LANES + l] +
                     tiny * (double)r->all[classes];
        int level = stoic_relay_level_of(slack * ((double)k->most[l] + slack * off));
        bool quiet = level < STOIC_RELAY_LEVELS;
        const float *golden = quiet ? r->quiet + (level * b->count + k->image) * classes
                                    : d->errors + k->image * classes;
        for (int64_t c = 0; c < classes; c++) {
            double all = (quiet ? share : times) * (double)golden[c] + times * (double)own[c] +
                         size * (double)moved[c] + in_tail * (double)reach[c * STOIC_LANES + l] +
                         tiny * (double)r->all[c];
            errors[c * STOIC_LANES + l] = all < 1e37 ? (float)(slack * all) * 1.000001f : INFINITY;
        }
    }
}

static void run_image(const stoic_faulty *f, const stoic_block *b, const float *in, int64_t step,
                      pack *k) {
    const relay *r = f->relay;
    const stoic_narrow *w = &f->narrow;
    const stoic_kernels *kernels = f->program->kernels;
    side *s = &f->relay->side;
    int64_t sums = f->program->values[f->program->steps[w->step].out].size / w->stride;
    int64_t elements = r->products[0].in;
    float *change = s->scratch, *out = change + w->pixels * STOIC_LANES;
    float *tail = out + elements * STOIC_LANES;
    float *reach = tail + (2 * STOIC_LANES + 1) * STOIC_TAIL_WIDEST;
    float *errors = reach + (STOIC_TAIL_CLASSES + 1) * STOIC_LANES;
    float *x = errors + (STOIC_TAIL_CLASSES + 1) * STOIC_LANES;
    float ignored[STOIC_LANES] = {0};
    int32_t top1[STOIC_LANES];
    if (!meet(f, in, step, sums, x))
        return;
    kernels->listed_moves(s->z + k->image * sums, x, s->windows, s->hit.parts, w->pixels, k->change,
                          s->hit.relu, s->front + k->image * w->pixels, change, s->live);
    int64_t n = through_next(f, b, change, k, out);
    stoic_listed l = {.parts = 1,
                      .pairs = {s->kept[0]},
                      .n = {n},
                      .weights = r->reaches,
                      .step = r->reach.step,
                      .out = r->reach.out,
                      .sizes = true};
    kernels->listed(&l, out, reach, ignored, NULL);
    const float *logits = through_tail(f, out, n, k, tail);
    find_side_errors(f, b, k, reach, errors);
    kernels->classify(logits, errors, r->classes, (float)stoic_tail_apart(&r->tail, 1, 0),
                      r->sigmoid, top1);
    for (int j = 0; j < k->n; j++)
        s->top1[k->image * STOIC_EXPECTED + k->lane[j]] = (int16_t)top1[j];
}

/* ---- a block ---- */

stoic_status stoic_side_run(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                            const float *changes, int n, stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_exec_step *step = &g->steps[f->narrow.step];
    const stoic_dnn_shape *shape = &g->layers[step->layer].shape;
    int64_t size = g->values[step->in[0]].size;
    int64_t weight = edit->index % (shape->ic * shape->kh * shape->kw);
    int64_t source = weight / (shape->kw * shape->kh);
    side *s = &f->relay->side;
    stoic_status status = STOIC_OK;
    pack k;
    s->n = 0;
    TRY(find_shape(f, s, err));
    TRY(find_channel(f, b, s, err));
    if ((size_t)b->count > s->top1_room) {
        int16_t *more = realloc(s->top1, (size_t)b->count * STOIC_EXPECTED * sizeof *more);
        if (!more)
            return stoic_fail_memory(err, "classes", (size_t)b->count * STOIC_EXPECTED * 2);
        s->top1 = more;
        s->top1_room = (size_t)b->count;
    }
    memset(s->top1, 0xff, (size_t)b->count * STOIC_EXPECTED * sizeof *s->top1);
    memcpy(s->change, changes, (size_t)n * sizeof *changes);
    s->n = n;
    for (int64_t image = 0; image < b->count; image++) {
        if (take(f, image, &k))
            run_image(f, b, b->golden[step->in[0]] + image * size + source,
                      f->chains->layers[step->layer].shape.channels, &k);
    }
done:
    return status;
}

int stoic_side_find(const stoic_faulty *f, float change) {
    const side *s = &f->relay->side;
    for (int j = 0; j < s->n; j++) {
        if (s->change[j] == change)
            return j;
    }
    return -1;
}

int stoic_side_top1(const stoic_faulty *f, int image, int which) {
    return f->relay->side.top1[image * STOIC_EXPECTED + which];
}
