/*
 * How far one weight may move before the class can change, where its channel is read by another
 * convolution (relay.c). As threshold.c has it, a pixel p of the pooled channel moves by at most
 *
 *     |dw| X_p + 2 u total,    X_p = the largest |x| that the weight meets in p's window,
 *
 * a pooled sum of the next convolution by at most what |w| makes of that in its window, and the
 * lead of the top class by what the tail's reach makes of these. |dw| factors out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/line_parts.h"
#include "exec/relay_parts.h"

typedef struct stoic_relay relay;

bool stoic_relay_limit_fits(const stoic_faulty *f, const stoic_block *b, const stoic_edit *edit) {
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    const stoic_exec_layer *layer = &g->layers[g->steps[w->step].layer];
    return stoic_relay_fits(f) && !layer->matrix && layer->weights == edit->tensor &&
           layer->shape.groups == 1 && b->golden[g->output] && stoic_narrow_chooses(f) &&
           f->chains->layers[g->steps[w->step].layer].taps <= STOIC_TAIL_LONGEST;
}

/* The tail's reach from each element it reads, for each top class: [top][element][columns]. */
static stoic_status find_pairs(const stoic_faulty *f, relay *r, stoic_error *err) {
    int64_t elements = r->reach.in, classes = r->classes;
    int64_t n = r->columns = (classes + STOIC_LANES) / STOIC_LANES * STOIC_LANES;
    stoic_reach one;
    stoic_status status = STOIC_OK;
    if (r->paired == r->step + 1)
        return STOIC_OK;
    size_t count = (size_t)((classes + 1) * elements * n);
    TRY(stoic_faulty_grow(&r->pairs, &r->pairs_room, count, err));
    memset(r->pairs, 0, count * sizeof *r->pairs);
    for (int64_t i = 0; i < elements; i++) {
        stoic_tail_reach(f, &r->tail, i, &one);
        r->pairs[(classes * elements + i) * n + classes] = stoic_above(fmax(one.hidden, 1));
        for (int64_t a = 0; a < classes; a++) {
            r->pairs[(classes * elements + i) * n + a] = stoic_above(one.one[a]);
            for (int64_t k = 0; k < classes; k++)
                r->pairs[(a * elements + i) * n + k] = stoic_above(one.pair[a][k]);
            r->pairs[(a * elements + i) * n + classes] = stoic_above(fmax(one.hidden, 1));
        }
    }
    r->paired = r->step + 1;
done:
    return status;
}

/* Through the max-pools behind the hit layer, 16 images side by side. */
static float *pool_hit(const stoic_faulty *f, float *a) {
    const stoic_narrow *w = &f->narrow;
    return stoic_max_pools(f->program, w->path, w->n_path, a, a + w->widest * STOIC_LANES);
}

/* What changes of at most `now` [pixel][16] in the hit channel can do to each element that the tail
 * reads. */
static const float *spread(const stoic_faulty *f, const relay *r, const float *now) {
    const stoic_program *g = f->program;
    int64_t channels = g->layers[g->steps[r->step].layer].channels;
    int64_t room = r->widest * STOIC_LANES;
    float *sums[2] = {r->scratch, r->scratch + room}, *other = sums[1] + room, *out = other + room;
    stoic_chain c = stoic_relay_chain(f);
    for (int64_t o = 0; o < channels; o += 2) {
        stoic_relay_pair(f, &c, r->sizes, o, now, sums);
        for (int j = 0; j < 2 && o + j < channels; j++) {
            const float *end = stoic_max_pools(g, r->path, r->n_path, sums[j], other);
            stoic_relay_put(f, o + j, end, out);
        }
    }
    return out;
}

/* ---- how much room each class has, whatever the weight of the channel ---- */

typedef struct facts {
    const float *logits, *errors; /* of one image */
    const float *own;             /* [class][16]: what the hit layer's roundings do, at its lane */
    int top;
} facts;

static float room_of(double room) {
    return room > 0 ? (float)(room * (1 - 1e-6)) : -1;
}

/* See threshold.c. */
static void fill_rooms(const relay *r, const facts *m, float *pair, float *one) {
    int64_t classes = r->classes;
    double top = (double)m->errors[m->top] + (double)m->own[m->top * STOIC_LANES];
    for (int64_t k = 0; k < r->columns; k++)
        pair[k] = one[k] = INFINITY;
    for (int64_t k = 0; k < classes; k++) {
        double error = (double)m->errors[k] + (double)m->own[k * STOIC_LANES];
        double lead = (double)m->logits[m->top] - (double)m->logits[k];
        double steep = STOIC_STEEP - (double)m->logits[k] - slack * error;
        if (k == m->top)
            steep = 80 + (double)m->logits[k] - slack * error;
        else
            pair[k] = room_of(lead - slack * (top + error) - stoic_tail_apart(&r->tail, m->top, k) -
                              1e-7 * fabs(lead) - 1e-30);
        if (r->sigmoid && m->top > 0 && k <= m->top)
            one[k] = room_of(steep);
    }
}

/* Does every golden sum on the way lie far from overflow? */
static bool is_tame(const stoic_faulty *f, const stoic_probe *hit, int64_t image) {
    const stoic_difference *d = &f->difference;
    const relay *r = f->relay;
    bool tame =
        (double)hit->peak[image] < 0x1p30 && (double)d->probes[r->step]->peak[image] < 0x1p30;
    for (int i = 0; i < r->tail.n; i++)
        tame = tame && (double)d->probes[r->tail.step[i]]->peak[image] < 0x1p30;
    return tame;
}

/* What 2 u total in the hit channel's sums of 16 images does to each class. */
static void own_errors(const stoic_faulty *f, const stoic_block *b, const stoic_probe *hit,
                       int first, float *own) {
    const stoic_program *g = f->program;
    const relay *r = f->relay;
    int64_t stride = f->narrow.stride,
            pixels = g->values[g->steps[f->narrow.step].out].size / stride;
    float *a = r->met;
    for (int64_t p = 0; p < pixels; p++) {
        for (int l = 0; l < STOIC_LANES; l++) {
            int64_t image = first + l < b->count ? first + l : first;
            double total = (double)hit->totals[(image * pixels + p) * stride + r->channel];
            a[p * STOIC_LANES + l] = stoic_above(2 * unit * slack * total + tiny);
        }
    }
    const float *moved = spread(f, r, pool_hit(f, a));
    g->kernels->product(&r->reach, moved, own, NULL);
}

static stoic_status find_rooms(stoic_faulty *f, stoic_block *b, stoic_error *err) {
    const stoic_program *g = f->program;
    relay *r = f->relay;
    int64_t classes = r->classes, n = r->columns;
    const float *logits = b->golden[f->difference.logits];
    float own[(STOIC_TAIL_CLASSES + 1) * STOIC_LANES];
    const stoic_probe *hit;
    stoic_status status = STOIC_OK;
    if (r->room_block == b->serial && r->room_channel == r->channel)
        return STOIC_OK;
    TRY(stoic_block_probe(b, f->chains, f->narrow.step, &hit, err));
    TRY(stoic_faulty_grow(&r->room, &r->room_room, (size_t)(b->count * 4 * n), err));
    TRY(stoic_faulty_grow(&r->own, &r->own_room, (size_t)(b->count * (classes + 1)), err));
    r->room_block = 0;
    for (int image = 0; image < b->count; image++) {
        float *room = r->room + image * 4 * n;
        bool nan;
        if (image % STOIC_LANES == 0)
            own_errors(f, b, hit, image, own);
        for (int64_t k = 0; k <= classes; k++)
            r->own[image * (classes + 1) + k] = own[k * STOIC_LANES + image % STOIC_LANES];
        int top = stoic_top1(b->golden[g->output] + image * classes, classes, &nan);
        facts m = {logits + image * classes, f->difference.errors + image * classes,
                   own + image % STOIC_LANES, top};
        fill_rooms(r, &m, room, room + 2 * n);
        m.errors = r->quiet + image * classes;
        fill_rooms(r, &m, room + n, room + 3 * n);
        double hidden = slack * (double)own[classes * STOIC_LANES + image % STOIC_LANES];
        room[n + classes] = room_of(STOIC_QUIET - hidden);
        if (nan || !is_tame(f, hit, image)) /* never */
            room[0] = room[n] = room[1] = room[n + 1] = -1;
    }
    r->room_block = b->serial;
    r->room_channel = r->channel;
done:
    return status;
}

/* ---- limits ---- */

stoic_status stoic_relay_limits(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                                stoic_error *err) {
    const stoic_program *g = f->program;
    stoic_threshold *h = &f->threshold;
    const stoic_narrow *w = &f->narrow;
    const stoic_exec_step *step = &g->steps[w->step];
    const stoic_dnn_shape *s = &g->layers[step->layer].shape;
    const stoic_chain *chain = &f->chains->layers[step->layer].shape;
    int64_t size = g->values[step->in[0]].size, classes = g->values[g->output].size;
    int64_t pixels = g->values[step->out].size / w->stride;
    int64_t weight = edit->index % (s->ic * s->kh * s->kw), source = weight / (s->kw * s->kh);
    relay *r = f->relay;
    const float *input, *moved = NULL;
    stoic_status status = STOIC_OK;
    h->block = 0;
    TRY(stoic_block_lanes(b, step->in[0], &input, err));
    TRY(find_pairs(f, r, err));
    TRY(stoic_faulty_grow(&r->met, &r->met_room, (size_t)(w->widest * STOIC_LANES) * 2, err));
    TRY(stoic_faulty_grow(&h->limit, &h->limit_room, (size_t)b->groups * STOIC_LANES, err));
    h->columns = r->columns;
    h->step = 0;
    TRY(stoic_faulty_grow(&h->moved, &h->moved_room, (size_t)(b->groups * STOIC_LANES * h->columns),
                          err));
    if (!r->quiet)
        TRY(stoic_relay_quiet(f, b, &r->quiet, err));
    TRY(find_rooms(f, b, err));
    TRY(stoic_chain_places(chain, weight / s->kw % s->kh, weight % s->kw, &r->at, &r->at_room,
                           err));
    for (int64_t image = 0; image < (int64_t)b->groups * STOIC_LANES; image++) {
        int64_t group = image / STOIC_LANES, lane = image % STOIC_LANES;
        bool nan;
        if (lane == 0) {
            stoic_meet(r->at, pixels, input + (group * size + source) * STOIC_LANES,
                       chain->channels * STOIC_LANES, r->met);
            moved = spread(f, r, pool_hit(f, r->met));
        }
        h->limit[image] = INFINITY; /* no image */
        if (image < b->count) {
            int top = stoic_top1(b->golden[g->output] + image * classes, classes, &nan);
            const float *room = r->room + image * 4 * r->columns;
            float *each = h->moved + image * r->columns;
            h->limit[image] = stoic_limit_of(g->kernels, r->pairs + top * r->reach.in * r->columns,
                                             r->pairs + classes * r->reach.in * r->columns,
                                             moved + lane, r->reach.in, r->columns, room, each);
            if (room[0] < 0 && room[1] < 0)
                each[0] = each[1] = INFINITY; /* no anchor either */
        }
    }
    h->block = b->serial;
done:
    return status;
}
