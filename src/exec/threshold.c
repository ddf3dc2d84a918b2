/*
 * How far one weight of a convolution may move before the class can change (docs/methods.md 8,
 * "Sound bounds"). Behind the convolution stand ReLU and max-pools, which do not expand, and the
 * tail of line.c. A pixel p of the pooled channel moves by at most
 *
 *     |dw| X_p + 2 u total,    X_p = the largest |x| that the weight meets in p's window,
 *
 * and the lead of the top class over class k by at most the sum over p of the tail's reach from
 * pixel p times that, besides the tail's own roundings. |dw| factors out: one limit per weight and
 * image serves all bits.
 */
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "exec/line_parts.h"

enum { PIXELS = 64 };

static bool chooses(const stoic_activation *act) {
    return act->kind == STOIC_ACT_NONE || act->kind == STOIC_ACT_RELU;
}

/* A convolution without groups, then max-pools and ReLU, then a tail. */
static bool fits(const stoic_faulty *f, const stoic_block *b, const stoic_edit *edit,
                 stoic_tail *t) {
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    const stoic_exec_step *step = &g->steps[w->step];
    const stoic_exec_layer *layer = &g->layers[step->layer];
    if (w->n_channels != 1 || w->others || layer->matrix || layer->weights != edit->tensor ||
        layer->shape.groups != 1 || f->chains->layers[step->layer].taps > STOIC_TAIL_LONGEST ||
        step->norm >= 0 || step->add >= 0 || !chooses(&step->act) || w->pixels > PIXELS ||
        g->values[w->frontier].size > STOIC_TAIL_LONGEST || !b->golden[w->frontier] ||
        !b->golden[g->output] || w->frontier == g->output || f->readers[w->frontier] != 1)
        return false;
    for (int i = 0; i < w->n_path; i++) {
        const stoic_exec_step *s = &g->steps[w->path[i]];
        bool pool = s->kind == STOIC_STEP_MAX_POOL;
        bool act = s->kind == STOIC_STEP_AFFINE && s->norm < 0 && s->add < 0;
        if ((!pool && !act) || !chooses(&s->act))
            return false;
    }
    return stoic_tail_find(f, w->frontier, w->last + 1, t);
}

/* The tail's reach from each pixel of the hit channel. */
static stoic_status find_reaches(stoic_faulty *f, const stoic_tail *t, stoic_error *err) {
    stoic_threshold *h = &f->threshold;
    const stoic_narrow *w = &f->narrow;
    int64_t classes = f->program->values[f->program->output].size, pixels = w->pixels;
    stoic_status status = STOIC_OK;
    stoic_reach r;
    if (h->step == w->step + 1 && h->channel == w->channels[0])
        return STOIC_OK;
    h->step = 0;
    h->block = 0;
    TRY(stoic_faulty_grow(&h->pair, &h->pair_room, (size_t)(classes * classes * pixels), err));
    TRY(stoic_faulty_grow(&h->one, &h->one_room, (size_t)(classes * pixels), err));
    TRY(stoic_faulty_grow(&h->reach, &h->reach_room, (size_t)(classes * pixels), err));
    for (int64_t p = 0; p < pixels; p++) {
        stoic_tail_reach(f, t, p * w->stride + w->channels[0], &r);
        for (int64_t a = 0; a < classes; a++) {
            h->one[a * pixels + p] = stoic_above(r.one[a]);
            h->reach[p * classes + a] = h->one[a * pixels + p];
            for (int64_t k = 0; k < classes; k++)
                h->pair[(a * classes + k) * pixels + p] = stoic_above(r.pair[a][k]);
        }
    }
    h->step = w->step + 1;
    h->channel = w->channels[0];
done:
    return status;
}

/* |x| that weight (y, x, c) of the kernel meets, for each output pixel: [pixel][16]. */
static void meet(const stoic_chain *c, const float *in, int64_t ky, int64_t kx, int64_t channel,
                 float *out) {
    for (int64_t oy = 0; oy < c->oh; oy++) {
        for (int64_t ox = 0; ox < c->ow; ox++) {
            int64_t iy = oy * c->stride_h + ky * c->dilation_h - c->pad_top;
            int64_t ix = ox * c->stride_w + kx * c->dilation_w - c->pad_left;
            float *dst = out + (oy * c->ow + ox) * STOIC_LANES;
            bool inside = iy >= 0 && iy < c->ih && ix >= 0 && ix < c->iw;
            const float *src =
                in + (inside ? ((iy * c->iw + ix) * c->channels + channel) * STOIC_LANES : 0);
            for (int l = 0; l < STOIC_LANES; l++)
                dst[l] = inside ? fabsf(src[l]) : 0;
        }
    }
}

/* Through the max-pools. `a` holds the values; returns a or b. */
static float *pool(const stoic_faulty *f, float *a, float *b) {
    const stoic_program *g = f->program;
    for (int i = 0; i < f->narrow.n_path; i++) {
        const stoic_exec_step *step = &g->steps[f->narrow.path[i]];
        if (step->kind != STOIC_STEP_MAX_POOL)
            continue;
        stoic_window window = step->window;
        window.in_channels = window.out_channels = STOIC_LANES;
        g->kernels->max_pool(&window, a, b, (stoic_activation){.kind = STOIC_ACT_NONE});
        float *swap = a;
        a = b;
        b = swap;
    }
    return a;
}

/* What one image's limit is made of. */
typedef struct image_facts {
    const float *logits, *errors, *meets; /* [class], [class], [pixel] */
    double rounding;                      /* of one sum of the hit layer, both runs */
    int top;
} image_facts;

/* room / sum reach * meets, after the sum of reach * rounding is taken from room. */
static double share(const float *reach, const image_facts *m, int64_t pixels, double room) {
    float moved = 0, all = 0;
    for (int64_t p = 0; p < pixels; p++) {
        moved += reach[p] * m->meets[p];
        all += reach[p];
    }
    return (room - slack * (double)all * m->rounding) / (slack * slack * (double)moved + tiny);
}

static double limit_of(const stoic_faulty *f, const stoic_tail *t, const image_facts *m) {
    const stoic_threshold *h = &f->threshold;
    int64_t classes = f->program->values[f->program->output].size, pixels = f->narrow.pixels;
    double most = 0x1p60;
    for (int64_t k = 0; k < classes; k++) {
        if (k == m->top)
            continue;
        double both = (double)m->errors[m->top] + (double)m->errors[k];
        double lead = (double)m->logits[m->top] - (double)m->logits[k];
        double room = lead - both - stoic_tail_apart(t, m->top, k) - 1e-7 * fabs(lead) - 1e-30;
        double now = share(h->pair + (m->top * classes + k) * pixels, m, pixels, room);
        most = now < most || now != now ? now : most;
        if (t->final == STOIC_FINAL_SIGMOID && k < m->top) { /* see keeps_class() in line.c */
            room = STOIC_STEEP - (double)m->logits[k] - (double)m->errors[k];
            now = share(h->one + k * pixels, m, pixels, room);
            most = now < most || now != now ? now : most;
        }
    }
    if (t->final == STOIC_FINAL_SIGMOID && m->top > 0) {
        double room = 80 + (double)m->logits[m->top] - (double)m->errors[m->top];
        double now = share(h->one + m->top * pixels, m, pixels, room);
        most = now < most || now != now ? now : most;
    }
    return most >= 0 ? most * STOIC_LINE_WIDEN : -1;
}

/* The limits of all images of the block for the weight of `edit`. */
static stoic_status find_limits(stoic_faulty *f, stoic_block *b, const stoic_tail *t,
                                const stoic_edit *edit, stoic_error *err) {
    const stoic_program *g = f->program;
    stoic_threshold *h = &f->threshold;
    const stoic_narrow *w = &f->narrow;
    const stoic_exec_step *step = &g->steps[w->step];
    const stoic_dnn_shape *s = &g->layers[step->layer].shape;
    const stoic_chain *c = &f->chains->layers[step->layer].shape;
    int64_t size = g->values[step->in[0]].size, classes = g->values[g->output].size;
    int64_t room = w->widest * STOIC_LANES, weight = edit->index % (s->ic * s->kh * s->kw);
    const stoic_probe *probe;
    const float *logits, *input;
    float meets[PIXELS];
    stoic_line *line = NULL;
    stoic_status status = STOIC_OK;
    TRY(stoic_block_lanes(b, step->in[0], &input, err));
    TRY(stoic_block_probe(b, f->chains, w->step, &probe, err));
    TRY(stoic_line_of(f, b, t, step->layer, 1, &line, err));
    TRY(stoic_tail_logits(f, b, t, &logits, err));
    TRY(stoic_faulty_grow(&h->scratch, &h->scratch_room, (size_t)room * 2, err));
    TRY(stoic_faulty_grow(&h->limit, &h->limit_room, (size_t)b->groups * STOIC_LANES, err));
    for (int64_t image = 0; image < b->count; image++) {
        int64_t lane = image % STOIC_LANES;
        float *pooled = h->scratch;
        bool nan;
        if (lane == 0) {
            meet(c, input + image / STOIC_LANES * size * STOIC_LANES, weight / s->kw % s->kh,
                 weight % s->kw, weight / (s->kw * s->kh), h->scratch);
            pooled = pool(f, h->scratch, h->scratch + room);
            if (pooled != h->scratch)
                memcpy(h->scratch, pooled, (size_t)(w->pixels * STOIC_LANES) * sizeof *pooled);
        }
        for (int64_t p = 0; p < w->pixels; p++)
            meets[p] = h->scratch[p * STOIC_LANES + lane];
        image_facts m = {logits + image * classes, line->errors + image * classes, meets,
                         2 * unit * slack * (double)probe->total[image] + tiny, 0};
        m.top = stoic_top1(b->golden[g->output] + image * classes, classes, &nan);
        bool fine = !nan && (double)probe->peak[image] < 0x1p30;
        h->limit[image] = fine ? (float)(limit_of(f, t, &m) * (1 - 1e-6)) : -1;
    }
    for (int64_t image = b->count; image < (int64_t)b->groups * STOIC_LANES; image++)
        h->limit[image] = INFINITY;
    h->block = b->serial;
    h->weight = weight;
    status = stoic_carry_limit(f, b, t, line, h->reach, edit->index, err);
done:
    return status;
}

bool stoic_threshold_fits(const stoic_faulty *f, const stoic_block *b, const stoic_edit *edit) {
    stoic_tail t;
    return fits(f, b, edit, &t);
}

stoic_status stoic_threshold_find(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                                  stoic_error *err) {
    stoic_threshold *h = &f->threshold;
    stoic_status status = STOIC_OK;
    stoic_tail t;
    h->block = 0;
    if (!fits(f, b, edit, &t))
        return stoic_fail(err, STOIC_ERR_INTERNAL, "", "a weight that has no limits");
    TRY(find_reaches(f, &t, err));
    status = find_limits(f, b, &t, edit, err);
done:
    return status;
}
