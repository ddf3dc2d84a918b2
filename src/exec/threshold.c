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

bool stoic_chooses(const stoic_exec_step *step) {
    return step->norm < 0 && step->add < 0 &&
           (step->act.kind == STOIC_ACT_NONE || step->act.kind == STOIC_ACT_RELU);
}

bool stoic_narrow_chooses(const stoic_faulty *f) {
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    bool chooses = stoic_chooses(&g->steps[w->step]);
    for (int i = 0; i < w->n_path && chooses; i++) {
        const stoic_exec_step *step = &g->steps[w->path[i]];
        chooses = (step->kind == STOIC_STEP_MAX_POOL || step->kind == STOIC_STEP_AFFINE) &&
                  stoic_chooses(step);
    }
    return chooses;
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
        !stoic_narrow_chooses(f) || w->pixels > PIXELS ||
        g->values[w->frontier].size > STOIC_TAIL_LONGEST || !b->golden[w->frontier] ||
        !b->golden[g->output] || w->frontier == g->output || f->readers[w->frontier] != 1)
        return false;
    return stoic_tail_find(f, w->frontier, w->last + 1, t);
}

/* The tail's reach from each pixel of the hit channel. */
static stoic_status find_reaches(stoic_faulty *f, const stoic_tail *t, stoic_error *err) {
    stoic_threshold *h = &f->threshold;
    const stoic_narrow *w = &f->narrow;
    int64_t classes = f->program->values[f->program->output].size, pixels = w->pixels;
    int64_t n = h->columns = (classes + STOIC_LANES) / STOIC_LANES * STOIC_LANES;
    stoic_status status = STOIC_OK;
    stoic_reach r;
    if (h->step == w->step + 1 && h->channel == w->channels[0])
        return STOIC_OK;
    h->step = 0;
    h->block = h->room_block = 0;
    TRY(stoic_faulty_grow(&h->pair, &h->pair_room, (size_t)(classes * n * pixels), err));
    TRY(stoic_faulty_grow(&h->one, &h->one_room, (size_t)(n * pixels), err));
    TRY(stoic_faulty_grow(&h->reach, &h->reach_room, (size_t)(classes * pixels), err));
    memset(h->pair, 0, (size_t)(classes * n * pixels) * sizeof *h->pair);
    memset(h->one, 0, (size_t)(n * pixels) * sizeof *h->one);
    for (int64_t p = 0; p < pixels; p++) {
        stoic_tail_reach(f, t, p * w->stride + w->channels[0], &r);
        for (int64_t a = 0; a < classes; a++) {
            h->one[p * n + a] = h->reach[p * classes + a] = stoic_above(r.one[a]);
            for (int64_t k = 0; k < classes; k++)
                h->pair[(a * pixels + p) * n + k] = stoic_above(r.pair[a][k]);
            h->pair[(a * pixels + p) * n + classes] = stoic_above(fmax(r.hidden, 1));
        }
    }
    h->step = w->step + 1;
    h->channel = w->channels[0];
done:
    return status;
}

void stoic_meet(const int32_t *at, int64_t pixels, const float *in, int64_t step, float *out) {
    for (int64_t p = 0; p < pixels; p++) {
        const float *src = in + (at[p] < 0 ? 0 : at[p] * step);
        for (int l = 0; l < STOIC_LANES; l++)
            out[p * STOIC_LANES + l] = at[p] < 0 ? 0 : fabsf(src[l]);
    }
}

void stoic_pool_lanes(const stoic_kernels *kernels, const stoic_exec_step *step, stoic_act act,
                      float **a, float **b) {
    stoic_window window = step->window;
    window.in_channels = window.out_channels = STOIC_LANES;
    kernels->max_pool(&window, *a, *b, (stoic_activation){.kind = act});
    float *swap = *a;
    *a = *b;
    *b = swap;
}

float *stoic_max_pools(const stoic_program *g, const int *path, int n, float *a, float *b) {
    for (int i = 0; i < n; i++) {
        if (g->steps[path[i]].kind == STOIC_STEP_MAX_POOL)
            stoic_pool_lanes(g->kernels, &g->steps[path[i]], STOIC_ACT_NONE, &a, &b);
    }
    return a;
}

/* ---- how much room each class has, whatever the weight of the channel ---- */

/* What the hit sums' own roundings can do to a pooled pixel, in both runs; quiet: where no sum of
 * the hit layer moves by STOIC_QUIET, so that a ReLU that holds passes nothing. */
typedef struct pixel_errors {
    float normal[PIXELS * STOIC_LANES], quiet[PIXELS * STOIC_LANES];
} pixel_errors;

static bool has_relu(const stoic_faulty *f) {
    const stoic_program *g = f->program;
    bool found = g->steps[f->narrow.step].act.kind == STOIC_ACT_RELU;
    for (int i = 0; i < f->narrow.n_path; i++)
        found = found || g->steps[f->narrow.path[i]].act.kind == STOIC_ACT_RELU;
    return found;
}

/* Values of f->carry's channel [image][pixel], pooled: those of 16 images, side by side. */
static const float *pooled_channel(const stoic_faulty *f, const stoic_block *b, const float *from,
                                   int group) {
    float *scratch = f->threshold.scratch;
    const float *rows[STOIC_LANES];
    for (int l = 0; l < STOIC_LANES; l++) {
        int image = group * STOIC_LANES + l < b->count ? group * STOIC_LANES + l : 0;
        rows[l] = from + image * f->carry->pixels;
    }
    f->program->kernels->columns(rows, f->carry->pixels, scratch);
    return stoic_max_pools(f->program, f->narrow.path, f->narrow.n_path, scratch,
                           scratch + f->narrow.widest * STOIC_LANES);
}

static void find_pixel_errors(const stoic_faulty *f, const stoic_block *b, int group,
                              pixel_errors *out) {
    int64_t count = f->narrow.pixels * STOIC_LANES;
    bool relu = has_relu(f);
    const float *totals = pooled_channel(f, b, f->carry->totals, group);
    for (int64_t i = 0; i < count; i++)
        out->normal[i] = stoic_above(2 * unit * slack * (double)totals[i] + tiny);
    const float *most = pooled_channel(f, b, f->carry->channel_sums, group);
    for (int64_t i = 0; i < count; i++) {
        bool held = relu && (double)most[i] + STOIC_QUIET + (double)out->normal[i] < 0;
        out->quiet[i] = held ? 0 : out->normal[i];
    }
}

/* room less what the pixels' errors reach. */
static float less_errors(const float *reach, int64_t columns, const float *errors, int64_t pixels,
                         double room) {
    double all = 0;
    for (int64_t p = 0; p < pixels; p++)
        all += (double)reach[p * columns] * (double)errors[p * STOIC_LANES];
    double left = room - slack * all;
    return left > 0 ? (float)(left * (1 - 1e-6)) : -1;
}

typedef struct image_facts {
    const float *logits, *errors; /* [class] */
    const float *pixels;          /* [pixel][16] */
    int top;
} image_facts;

/* The room of each class to the top one, and (see keeps_class() in line.c) of each by itself. */
static void fill_rooms(const stoic_faulty *f, const stoic_tail *t, const image_facts *m,
                       float *pair, float *one) {
    const stoic_threshold *h = &f->threshold;
    int64_t classes = f->program->values[f->program->output].size, n = h->columns;
    int64_t pixels = f->narrow.pixels;
    bool sigmoid = t->final == STOIC_FINAL_SIGMOID;
    for (int64_t k = 0; k < n; k++)
        pair[k] = one[k] = INFINITY;
    for (int64_t k = 0; k < classes; k++) {
        double both = (double)m->errors[m->top] + (double)m->errors[k];
        double lead = (double)m->logits[m->top] - (double)m->logits[k];
        double room = lead - both - stoic_tail_apart(t, m->top, k) - 1e-7 * fabs(lead) - 1e-30;
        double steep = STOIC_STEEP - (double)m->logits[k] - (double)m->errors[k];
        if (k == m->top)
            steep = 80 + (double)m->logits[k] - (double)m->errors[k];
        else
            pair[k] = less_errors(h->pair + m->top * pixels * n + k, n, m->pixels, pixels, room);
        if (sigmoid && m->top > 0 && k <= m->top)
            one[k] = less_errors(h->one + k, n, m->pixels, pixels, steep);
    }
}

/* f->threshold.room for the block and the hit channel. */
static stoic_status find_rooms(stoic_faulty *f, stoic_block *b, const stoic_tail *t,
                               const stoic_line *line, stoic_error *err) {
    const stoic_program *g = f->program;
    stoic_threshold *h = &f->threshold;
    int64_t classes = g->values[g->output].size, n = h->columns;
    const float *logits = f->carry->logits;
    pixel_errors errors;
    stoic_status status = STOIC_OK;
    if (h->room_block == b->serial)
        return STOIC_OK;
    TRY(stoic_faulty_grow(&h->room, &h->room_room, (size_t)(b->count * 4 * n), err));
    for (int image = 0; image < b->count; image++) {
        float *room = h->room + image * 4 * n;
        int l = image % STOIC_LANES;
        bool nan;
        if (l == 0)
            find_pixel_errors(f, b, image / STOIC_LANES, &errors);
        int top = stoic_top1(b->golden[g->output] + image * classes, classes, &nan);
        image_facts m = {logits + image * classes, line->errors + image * classes,
                         errors.normal + l, top};
        fill_rooms(f, t, &m, room, room + 2 * n);
        m.errors = line->quiet + image * classes;
        m.pixels = errors.quiet + l;
        fill_rooms(f, t, &m, room + n, room + 3 * n);
        room[n + classes] = (float)(STOIC_QUIET * (1 - 1e-6));
        if (nan || !((double)f->carry->hit->peak[image] < 0x1p30)) /* never */
            room[0] = room[n] = room[1] = room[n + 1] = -1;
    }
    h->room_block = b->serial;
done:
    return status;
}

/* ---- limits ---- */

/* The limits of all images of the block for the weight of `edit`. */
static stoic_status find_limits(stoic_faulty *f, stoic_block *b, const stoic_tail *t,
                                const stoic_edit *edit, stoic_error *err) {
    const stoic_program *g = f->program;
    stoic_threshold *h = &f->threshold;
    const stoic_narrow *w = &f->narrow;
    const stoic_exec_step *step = &g->steps[w->step];
    const stoic_chain *c = &f->chains->layers[step->layer].shape;
    int64_t size = g->values[step->in[0]].size, classes = g->values[g->output].size;
    const float *input, *met = NULL;
    stoic_line *line = NULL;
    stoic_status status = STOIC_OK;
    TRY(stoic_block_lanes(b, step->in[0], &input, err));
    TRY(stoic_line_of(f, b, t, step->layer, 1, &line, err));
    TRY(stoic_faulty_grow(&h->scratch, &h->scratch_room, (size_t)(w->widest * STOIC_LANES) * 2,
                          err));
    TRY(stoic_faulty_grow(&h->limit, &h->limit_room, (size_t)b->groups * STOIC_LANES, err));
    TRY(stoic_faulty_grow(&h->moved, &h->moved_room, (size_t)(b->groups * STOIC_LANES * h->columns),
                          err));
    TRY(stoic_carry_limit(f, b, t, line, h->reach, edit->index, err));
    TRY(find_rooms(f, b, t, line, err));
    for (int64_t image = 0; image < (int64_t)b->groups * STOIC_LANES; image++) {
        int64_t lane = image % STOIC_LANES;
        bool nan;
        if (lane == 0) {
            const struct stoic_carry *carry = f->carry;
            stoic_meet(carry->at, carry->pixels,
                       input + (image / STOIC_LANES * size + carry->source) * STOIC_LANES,
                       c->channels * STOIC_LANES, h->scratch);
            met = stoic_max_pools(g, w->path, w->n_path, h->scratch,
                                  h->scratch + w->widest * STOIC_LANES);
        }
        h->limit[image] = INFINITY; /* no image */
        if (image < b->count) {
            int top = stoic_top1(b->golden[g->output] + image * classes, classes, &nan);
            const float *room = h->room + image * 4 * h->columns;
            float *moved = h->moved + image * h->columns;
            h->limit[image] =
                stoic_limit_of(g->kernels, h->pair + top * w->pixels * h->columns, h->one,
                               met + lane, w->pixels, h->columns, room, moved);
            if (room[0] < 0 && room[1] < 0)
                moved[0] = moved[1] = INFINITY; /* no anchor either */
        }
    }
    h->block = b->serial;
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
