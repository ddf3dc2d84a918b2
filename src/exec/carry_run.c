/*
 * The images that intervals and limits leave open: one weight's change is carried to the class, 16
 * images side by side, without running the layers in front of it (docs/methods.md 8).
 *
 * The hit sums are golden's plus dw * x, pooled as the network does; the first layer of the tail
 * (line_parts.h) is golden's sums plus what those differences add; the others are summed in the
 * canonical order. With u = 2^-24, what we have and the canonical sums are apart
 *
 *     3 u total + u n |dw x|    in the hit layer, n: the length of its chain,
 *     3 u total + u n moved     in each layer of the tail, n: our chain and the canonical one.
 *
 * Where the change is so large that everything else is nothing beside it, the long chains round
 * hardly ever: a sum that is rounded to nearest is off by no more than what was added to it. Then
 *
 *     2 total + u n |dw x|      n: the changed terms alone,
 *
 * is the better bound. Pools and ReLU choose, and so take the two ends of what a hit sum can be to
 * the ends of what comes out. Only where no logit within its bound gives another class is the class
 * taken. Where partial sums might overflow, the largest of ours are watched, and what they lack to
 * the canonical ones is allowed for.
 */
#include <string.h>

#include "exec/carry_parts.h"

#ifndef STOIC_CARRY_ERROR /* a test sets it to see that it would notice */
#define STOIC_CARRY_ERROR 1.0
#endif
static const double safe = 0x1p125, highest = 0x1.fp127;

typedef struct stoic_carry carry;

/* Sixteen images on their way. */
typedef struct pack {
    int32_t image[STOIC_LANES];
    int n;
    double hit[STOIC_LANES];  /* |dw x| at most */
    float moved[STOIC_LANES]; /* the largest change in front of the tail */
} pack;

static void take_rows(const float *from, const pack *k, int64_t size, const float **rows) {
    for (int l = 0; l < STOIC_LANES; l++)
        rows[l] = from + k->image[l < k->n ? l : 0] * size;
}

/* What changed in front of the tail, in `now` [element][16], and how far it may be off. */
static void delta_of_line(const stoic_faulty *f, const stoic_block *b, pack *k, float change,
                          float *now, float *unsure) {
    const carry *c = f->carry;
    const stoic_exec_step *step = &f->program->steps[c->step];
    int64_t n = f->program->values[step->out].size;
    float z[STOIC_LANES], total[STOIC_LANES], x[STOIC_LANES], low[STOIC_LANES], most[STOIC_LANES];
    static const int32_t at[] = {0};
    for (int l = 0; l < STOIC_LANES; l++) {
        int image = k->image[l < k->n ? l : 0];
        x[l] = f->single.x[image / STOIC_LANES * f->single.step + image % STOIC_LANES];
        z[l] = c->sums[image * n + c->channel];
        total[l] = c->hit->totals[image * n + c->channel];
    }
    f->program->kernels->move(z, total, x, at, 1, change, c->off, now, low, unsure, most);
    for (int l = 0; l < STOIC_LANES; l++) {
        float golden = b->golden[step->out][k->image[l < k->n ? l : 0] * n + c->channel];
        bool relu = step->act.kind == STOIC_ACT_RELU;
        unsure[l] = (relu && unsure[l] < 0 ? 0 : unsure[l]) - (relu && low[l] < 0 ? 0 : low[l]);
        now[l] = (relu && now[l] < 0 ? 0 : now[l]) - golden;
        k->hit[l] = fabs((double)change * (double)most[l]);
    }
}

/* One channel's sums to its frontier. */
static void finish(stoic_faulty *f, const stoic_block *b, const float *sums, float *out) {
    size_t count = (size_t)(f->carry->pixels * STOIC_LANES);
    memcpy(f->narrow.sums, sums, count * sizeof *sums);
    stoic_faulty_finish(f, b, f->carry->channel, out);
}

static void delta_of_limit(stoic_faulty *f, const stoic_block *b, pack *k, float change, float *now,
                           float *unsure) {
    const carry *c = f->carry;
    const stoic_kernels *kernels = f->program->kernels;
    int64_t pixels = f->narrow.pixels;
    int64_t room = f->narrow.widest * STOIC_LANES;
    float *z = c->scratch + (int64_t)WIDE * STOIC_LANES, *total = z + room, *low = total + room;
    float *high = low + room, *x = high + room, most[STOIC_LANES];
    const float *rows[STOIC_LANES];
    take_rows(c->channel_sums, k, c->pixels, rows);
    kernels->columns(rows, c->pixels, z);
    take_rows(c->totals, k, c->pixels, rows);
    kernels->columns(rows, c->pixels, total);
    take_rows(c->input, k, c->places, rows);
    kernels->columns(rows, c->places, x);
    kernels->move(z, total, x, c->at, c->pixels, change, c->off, z, low, high, most);
    finish(f, b, z, now);
    finish(f, b, low, total);
    finish(f, b, high, unsure);
    take_rows(c->frontier, k, pixels, rows);
    kernels->columns(rows, pixels, z);
    for (int64_t i = 0; i < pixels * STOIC_LANES; i++) {
        now[i] -= z[i];
        unsure[i] -= total[i];
    }
    for (int l = 0; l < STOIC_LANES; l++)
        k->hit[l] = fabs((double)change) * (double)most[l];
}

/* Differences of two floats may round down. `unsure` gets roundings of the subtraction, too. */
static void find_moved(const carry *c, pack *k, const float *now, float *unsure) {
    for (int l = 0; l < STOIC_LANES; l++)
        k->moved[l] = 0;
    for (int64_t i = 0; i < c->products[0].in; i++) {
        for (int l = 0; l < STOIC_LANES; l++) {
            float size = fabsf(now[i * STOIC_LANES + l]), off = unsure[i * STOIC_LANES + l];
            off = off * 1.000001f + size * 1.3e-7f;
            k->moved[l] = size + off > k->moved[l] ? size + off : k->moved[l];
            unsure[i * STOIC_LANES + l] = off;
        }
    }
}

/* What |change| in front of the tail reaches of each class, in units of 2^-24, as that of a huge
 * one may not fit: `moved` by the change and its uncertainty, `off` by the uncertainty alone. */
typedef struct reaches {
    float *moved, *off; /* [class][16] */
} reaches;

static reaches reach_of(const stoic_faulty *f, const float *now, float *unsure) {
    const carry *c = f->carry;
    int64_t elements = c->products[0].in;
    reaches r = {.off = c->scratch + (int64_t)ERRORS * STOIC_LANES};
    float *scaled = unsure + elements * STOIC_LANES;
    r.moved = r.off + (int64_t)STOIC_TAIL_CLASSES * STOIC_LANES;
    for (int64_t i = 0; i < elements * STOIC_LANES; i++)
        scaled[i] = (fabsf(now[i]) + unsure[i]) * 0x1p-24f;
    f->program->kernels->product(&c->reach, scaled, r.moved, NULL);
    for (int64_t i = 0; i < elements * STOIC_LANES; i++)
        scaled[i] = unsure[i] * 0x1p-24f;
    f->program->kernels->product(&c->reach, scaled, r.off, NULL);
    return r;
}

/* What was found of a pack, for weights with limits. */
static void set_anchors(stoic_faulty *f, const pack *k, float change, const int32_t *top1,
                        const float *logits, const float *errors) {
    for (int l = 0; l < k->n && f->single.way == STOIC_SINGLE_LIMIT; l++) {
        if (top1[l] >= 0)
            stoic_single_anchor(f, k->image[l], change, top1[l], logits + l, errors + l,
                                f->carry->reach.out, f->carry->tail.final);
    }
}

/* Which classes golden's logits decide, given how far they can move. */
static void by_golden(stoic_faulty *f, const pack *k, const reaches *r, float change,
                      int32_t *top1) {
    const carry *c = f->carry;
    int64_t classes = c->reach.out;
    const float *rows[STOIC_LANES];
    float *errors = c->scratch + (int64_t)(ERRORS + 2 * STOIC_TAIL_CLASSES) * STOIC_LANES;
    float *logits = c->scratch + (int64_t)GOLDEN * STOIC_LANES;
    take_rows(c->logits, k, classes, rows);
    f->program->kernels->columns(rows, classes, logits);
    for (int64_t n = 0; n < classes; n++) {
        for (int l = 0; l < STOIC_LANES; l++) {
            float golden = c->line->errors[k->image[l < k->n ? l : 0] * classes + n];
            errors[n * STOIC_LANES + l] =
                (r->moved[n * STOIC_LANES + l] * 0x1p24f + golden) * (float)slack + 1e-28f;
        }
    }
    f->program->kernels->classify(logits, errors, classes, (float)stoic_tail_apart(&c->tail, 1, 0),
                                  c->sigmoid, top1);
    set_anchors(f, k, change, top1, logits, errors);
}

/* How far the logits that come out of the tail may be off, [class][16], in r->off. */
static void find_errors(const stoic_faulty *f, const pack *k, const reaches *r) {
    const carry *c = f->carry;
    int64_t classes = c->reach.out;
    float near = (float)(unit * 0x1p24 * slack * c->near);
    float far = (float)(unit * 0x1p24 * slack * c->far);
    for (int64_t n = 0; n < classes; n++) {
        float *e = r->off + n * STOIC_LANES, *m = r->moved + n * STOIC_LANES;
        for (int l = 0; l < STOIC_LANES; l++) {
            float golden = c->line->errors[k->image[l < k->n ? l : 0] * classes + n];
            float close = near * m[l] + golden, wide = far * m[l] + absorbed * golden;
            e[l] = ((close < wide ? close : wide) + e[l] * 0x1p24f) *
                       (float)(slack * STOIC_CARRY_ERROR) +
                   1e-28f;
        }
    }
}

/* What the fault adds to partial sums of each layer of the tail at most, if it is not watched. */
static bool surely_small(const carry *c, const pack *k, int l, double *added) {
    int image = k->image[l];
    bool small = (double)c->hit->peak[image] + k->hit[l] < safe;
    double moved = (double)k->moved[l] * slack;
    for (int i = 0; i < c->tail.n; i++) {
        added[i] = moved *= c->norms[i] * slack;
        small = small && (double)c->probes[i]->peak[image] * slack + moved < safe;
    }
    return small;
}

/* Canonical partial sums are off ours by less than 1/1000 of what was added. */
static bool stayed_below(const carry *c, const pack *k, int l, float (*peaks)[STOIC_LANES]) {
    double added[STOIC_TAIL_LAYERS];
    int image = k->image[l];
    if (surely_small(c, k, l, added))
        return true;
    if (!((double)c->hit->peak[image] + k->hit[l] < highest) ||
        !(unit * slack * (c->near + (double)c->off[0] / unit) < 1e-3))
        return false;
    for (int i = 0; i < c->tail.n; i++) {
        double off = 1e-3 * added[i] + (double)c->probes[i]->peak[image];
        if (!((double)peaks[i][l] + off < highest))
            return false;
    }
    return true;
}

/* From the differences in front of the tail to the logits; returns where they are. */
static const float *through_tail(const stoic_faulty *f, const pack *k,
                                 float (*peaks)[STOIC_LANES]) {
    const carry *c = f->carry;
    const float *rows[STOIC_LANES];
    float *now = c->scratch + (int64_t)NOW * STOIC_LANES;
    float *next = c->scratch + (int64_t)NEXT * STOIC_LANES;
    float *golden = c->scratch + (int64_t)GOLDEN * STOIC_LANES;
    for (int i = 0; i < c->tail.n; i++) {
        stoic_product p = c->products[i];
        if (i == 0) {
            take_rows(c->first, k, p.out, rows);
            f->program->kernels->columns(rows, p.out, golden);
            p.add = golden;
        }
        f->program->kernels->product(&p, now, next, peaks ? peaks[i] : NULL);
        float *swap = now;
        now = next;
        next = swap;
    }
    return now;
}

/* The classes of a pack whose changes in front of the tail are known; -1: undecided. *out and
 * *errors: the logits, and how far they may be off. */
static void run_tail(const stoic_faulty *f, const pack *k, int32_t *top1, const float **out,
                     const float **errors) {
    const carry *c = f->carry;
    float *now = c->scratch + (int64_t)NOW * STOIC_LANES;
    float *unsure = c->scratch + (int64_t)UNSURE * STOIC_LANES;
    float peaks[STOIC_TAIL_LAYERS][STOIC_LANES] = {0};
    double added[STOIC_TAIL_LAYERS];
    bool small = true;
    for (int l = 0; l < k->n; l++)
        small = surely_small(c, k, l, added) && small;
    reaches r = reach_of(f, now, unsure);
    find_errors(f, k, &r);
    const float *logits = *out = through_tail(f, k, small ? NULL : peaks);
    *errors = r.off;
    f->program->kernels->classify(logits, r.off, c->reach.out,
                                  (float)stoic_tail_apart(&c->tail, 1, 0), c->sigmoid, top1);
    for (int l = 0; l < k->n; l++) {
        if (!c->plain[k->image[l]] || (!small && !stayed_below(c, k, l, peaks)))
            top1[l] = -1;
    }
}

bool stoic_carry_exact(stoic_faulty *f, int top1[STOIC_LANES]) {
    const stoic_narrow *w = &f->narrow;
    const carry *c = f->carry;
    pack k = {.n = w->n_images};
    int32_t found[STOIC_LANES];
    if (!f->carrying || !c->use || w->n_channels != 1)
        return false;
    float *now = c->scratch + (int64_t)NOW * STOIC_LANES;
    float *unsure = c->scratch + (int64_t)UNSURE * STOIC_LANES;
    int64_t count = c->products[0].in * STOIC_LANES;
    for (int64_t i = 0; i < count; i++)
        now[i] = w->lanes[i] - w->golden[i];
    memset(unsure, 0, (size_t)count * sizeof *unsure);
    memcpy(k.image, w->images, (size_t)k.n * sizeof *k.image);
    find_moved(c, &k, now, unsure);
    const float *logits, *errors;
    run_tail(f, &k, found, &logits, &errors);
    for (int l = 0; l < k.n; l++)
        top1[l] = found[l];
    return true;
}

/* ---- all that is open ---- */

/* One change on its way to the class. */
typedef struct way {
    stoic_faulty *f;
    const stoic_block *b;
    const stoic_sink *sink;
    float change;
    int *left;
    pack waiting; /* images whose changes are known, and golden does not decide */
} way;

static void report(way *y, int image, int32_t top1) {
    if (top1 < 0)
        return;
    y->sink->top1(y->sink->user, image, top1);
    y->f->selected[image] = false;
    y->f->counts.carried++;
    (*y->left)--;
}

static void run_waiting(way *y) {
    const carry *c = y->f->carry;
    pack *k = &y->waiting;
    int32_t top1[STOIC_LANES];
    size_t bytes = (size_t)(c->products[0].in * STOIC_LANES) * sizeof(float);
    const float *stash = c->scratch + (int64_t)STASH * STOIC_LANES;
    memcpy(c->scratch + (int64_t)NOW * STOIC_LANES, stash, bytes);
    memcpy(c->scratch + (int64_t)UNSURE * STOIC_LANES,
           stash + (int64_t)STOIC_TAIL_CLASSES * STOIC_LANES, bytes);
    const float *logits, *errors;
    run_tail(y->f, k, top1, &logits, &errors);
    set_anchors(y->f, k, y->change, top1, logits, errors);
    for (int l = 0; l < k->n; l++)
        report(y, k->image[l], top1[l]);
    k->n = 0;
}

/* Lane l of a pack waits until there are sixteen of them. */
static void stash_lane(way *y, const pack *k, int l) {
    const carry *c = y->f->carry;
    const float *now = c->scratch + (int64_t)NOW * STOIC_LANES + l;
    const float *unsure = c->scratch + (int64_t)UNSURE * STOIC_LANES + l;
    pack *to = &y->waiting;
    float *stash = c->scratch + (int64_t)STASH * STOIC_LANES + to->n;
    for (int64_t i = 0; i < c->products[0].in; i++) {
        stash[i * STOIC_LANES] = now[i * STOIC_LANES];
        stash[(STOIC_TAIL_CLASSES + i) * STOIC_LANES] = unsure[i * STOIC_LANES];
    }
    to->hit[to->n] = k->hit[l];
    to->moved[to->n] = k->moved[l];
    to->image[to->n++] = k->image[l];
}

static void run_pack(way *y, pack *k) {
    stoic_faulty *f = y->f;
    float *now = f->carry->scratch + (int64_t)NOW * STOIC_LANES;
    float *unsure = f->carry->scratch + (int64_t)UNSURE * STOIC_LANES;
    int32_t top1[STOIC_LANES];
    if (f->single.way == STOIC_SINGLE_LINE)
        delta_of_line(f, y->b, k, y->change, now, unsure);
    else
        delta_of_limit(f, y->b, k, y->change, now, unsure);
    find_moved(f->carry, k, now, unsure);
    reaches r = reach_of(f, now, unsure);
    by_golden(f, k, &r, y->change, top1);
    for (int l = 0; l < k->n; l++) {
        double added[STOIC_TAIL_LAYERS];
        if (top1[l] >= 0 && f->carry->plain[k->image[l]] && surely_small(f->carry, k, l, added)) {
            report(y, k->image[l], top1[l]);
        } else {
            stash_lane(y, k, l);
            if (y->waiting.n < STOIC_LANES)
                continue;
            /* the pack lies where the tail works */
            size_t count = (size_t)(f->carry->products[0].in * STOIC_LANES);
            float keep[2][STOIC_TAIL_CLASSES * STOIC_LANES];
            memcpy(keep[0], now, count * sizeof *now);
            memcpy(keep[1], unsure, count * sizeof *now);
            run_waiting(y);
            memcpy(now, keep[0], count * sizeof *now);
            memcpy(unsure, keep[1], count * sizeof *now);
        }
    }
}

void stoic_carry_run(stoic_faulty *f, const stoic_block *b, float change, const stoic_sink *sink,
                     int *left) {
    way y = {f, b, sink, change, left, {.n = 0}};
    pack k = {.n = 0};
    if (!f->carry->use)
        return;
    for (int image = 0; image < b->count; image++) {
        if (f->selected[image])
            k.image[k.n++] = image;
        if (k.n < STOIC_LANES && (image + 1 < b->count || k.n == 0))
            continue;
        run_pack(&y, &k);
        k.n = 0;
    }
    if (y.waiting.n > 0)
        run_waiting(&y);
}
