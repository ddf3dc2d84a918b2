/*
 * One weight of a matrix product moves one scalar (docs/methods.md 8, "One weight moves one
 * scalar"): z' = z + dw * x. Behind the product stand matrix products with ReLU or nothing, and at
 * the end a Sigmoid, a Softmax or nothing. For each output j of the product and each image an
 * interval of dw * x is kept in which the class is golden's, whatever rounds where.
 *
 * With u = 2^-24, both runs of a chain are off by at most u (1 + u) times the sum of their
 * |partial sums|; golden's is known (block probes), the faulty one is larger by what the change
 * adds to each partial sum. So behind the product |a'_j - a_j| <= |dw x| (1 + ..) + 2 u total, and
 * behind each layer that follows
 *     |s'_o - s_o| <= sum |w_oi| |h'_i - h_i| (1 + (taps + 1) u) + 2 u total_o .
 * The last terms do not depend on the fault: they end in an error per image and class. The first
 * are in proportion to |a'_j - a_j|, and end in a reach per output j and pair of classes, where the
 * last layer counts with the difference of the two classes' rows.
 *
 * Beyond 2^61 the rest of the network is as good as linear in z' (`far`): every other value is
 * nothing beside it, and the class is the same for all images, up to where sums might overflow.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/line_parts.h"

static const double far_from = STOIC_FAR_FROM, far_scale = 0x1p60, far_small = 0x1p30;

typedef stoic_tail tail;

void stoic_line_free(stoic_line *line) {
    if (!line)
        return;
    free(line->low);
    free(line->high);
    free(line->errors);
    free(line->reach);
    free(line->quiet);
    free(line->ready);
    free(line->far_to);
    free(line->far_class);
    free(line);
}

int64_t stoic_line_bytes(const stoic_program *g) {
    int64_t bytes = 0;
    for (int l = 0; l < g->n_layers; l++) {
        bytes += 2 * STOIC_TAIL_CLASSES * (int64_t)sizeof(float);
        if (g->layers[l].matrix)
            bytes += g->layers[l].channels * 2 * (int64_t)sizeof(float);
    }
    return bytes;
}

static bool plain_product(const stoic_faulty *f, const stoic_exec_step *step, int64_t widest) {
    const stoic_program *g = f->program;
    if (step->layer < 0 || step->norm >= 0 || step->add >= 0 || step->n_in != 1 ||
        (step->act.kind != STOIC_ACT_NONE && step->act.kind != STOIC_ACT_RELU))
        return false;
    const stoic_exec_layer *l = &g->layers[step->layer];
    const stoic_layer_chain *c = &f->chains->layers[step->layer];
    return l->matrix && c->known && l->channels <= widest && c->taps <= STOIC_TAIL_LONGEST &&
           g->values[step->in[0]].size == c->taps && g->values[step->out].size == l->channels;
}

bool stoic_tail_find(const stoic_faulty *f, int value, int from, stoic_tail *out) {
    const stoic_program *g = f->program;
    *out = (tail){.final = STOIC_FINAL_NONE};
    if (g->alarm >= 0)
        return false;
    for (int k = from; k < g->n_steps; k++) {
        const stoic_exec_step *step = &g->steps[k];
        if (!f->changed[k])
            continue;
        if (f->session->edited[k] || step->n_in != 1 || step->in[0] != value ||
            f->readers[value] != 1 || value == g->output || out->final != STOIC_FINAL_NONE)
            return false;
        if (step->layer >= 0) {
            if (out->n == STOIC_TAIL_LAYERS || !plain_product(f, step, STOIC_TAIL_WIDEST) ||
                !f->chains->layers[step->layer].by_input)
                return false;
            out->step[out->n++] = k;
        } else if (step->kind == STOIC_STEP_FUNCTION && step->unary == STOIC_SIGMOID) {
            out->final = STOIC_FINAL_SIGMOID;
        } else if (step->kind == STOIC_STEP_SOFTMAX && !step->logarithm &&
                   step->axis == g->values[value].size) {
            out->final = STOIC_FINAL_SOFTMAX;
        } else {
            return false;
        }
        value = step->out;
    }
    return value == g->output && out->n > 0 && g->values[value].size <= STOIC_TAIL_CLASSES &&
           g->steps[out->step[out->n - 1]].act.kind == STOIC_ACT_NONE;
}

/* out = |W| in, for the layer of step k. */
static void absolute_product(const stoic_faulty *f, int k, const double *in, double *out) {
    int layer = f->program->steps[k].layer;
    const stoic_layer_chain *c = &f->chains->layers[layer];
    int64_t n = f->program->layers[layer].channels;
    for (int64_t o = 0; o < n; o++)
        out[o] = 0;
    for (int64_t i = 0; i < c->taps; i++) {
        for (int64_t o = 0; o < n && in[i] != 0; o++)
            out[o] += fabs((double)c->by_input[i * n + o]) * in[i];
    }
}

/* What a layer's roundings add to the errors of its sums: those of both runs, and of the first
 * layer once more, for sums that are golden and a change (carry.c). */
static void add_roundings(double *errors, const float *totals, int64_t n, int times) {
    for (int64_t o = 0; o < n; o++)
        errors[o] = slack * errors[o] + times * unit * slack * (double)totals[o] + tiny;
}

/* The errors that stay behind a ReLU where no sum moves by more than STOIC_QUIET. */
static void silence(const double *errors, const float *sums, int64_t n, double *quiet) {
    for (int64_t o = 0; o < n; o++) {
        if ((double)sums[o] + STOIC_QUIET + errors[o] < 0)
            quiet[o] = 0;
    }
}

/* The error of each class of each image that roundings alone make. */
static stoic_status fill_errors(stoic_faulty *f, stoic_block *b, const tail *t, stoic_line *line,
                                stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_probe *probes[STOIC_TAIL_LAYERS];
    const float *sums[STOIC_TAIL_LAYERS];
    stoic_status status = STOIC_OK;
    double now[STOIC_TAIL_WIDEST], quiet[STOIC_TAIL_WIDEST], next[STOIC_TAIL_WIDEST];
    for (int i = 0; i < t->n; i++) {
        TRY(stoic_block_probe(b, f->chains, t->step[i], &probes[i], err));
        TRY(stoic_block_sums(b, f->session, t->step[i], &sums[i], err));
    }
    for (int64_t image = 0; image < b->count; image++) {
        int64_t n = 0;
        for (int i = 0; i < t->n; i++) {
            const stoic_exec_step *step = &g->steps[t->step[i]];
            n = g->values[step->out].size;
            const float *totals = probes[i]->totals + image * n;
            memset(next, 0, sizeof next); /* in front of the first, only the hit value differs */
            if (i > 0)
                absolute_product(f, t->step[i], now, next);
            memcpy(now, next, sizeof next);
            add_roundings(now, totals, n, i == 0 ? 3 : 2);
            if (i > 0)
                absolute_product(f, t->step[i], quiet, next);
            memcpy(quiet, next, sizeof next);
            add_roundings(quiet, totals, n, i == 0 ? 3 : 2);
            if (step->act.kind == STOIC_ACT_RELU)
                silence(now, sums[i] + image * n, n, quiet);
        }
        for (int64_t k = 0; k < n; k++) {
            line->errors[image * n + k] = (float)(now[k] * slack);
            line->quiet[image * n + k] = (float)(quiet[k] * slack);
        }
    }
done:
    return status;
}

void stoic_tail_reach(const stoic_faulty *f, const stoic_tail *t, int64_t j, stoic_reach *out) {
    const stoic_program *g = f->program;
    double now[STOIC_TAIL_LONGEST] = {0}, next[STOIC_TAIL_WIDEST];
    int last = g->steps[t->step[t->n - 1]].layer;
    int64_t classes = g->layers[last].channels, taps = f->chains->layers[last].taps;
    const float *weights = f->chains->layers[last].by_input;
    now[j] = 1;
    out->hidden = 0;
    for (int i = 0; i < t->n - 1; i++) {
        absolute_product(f, t->step[i], now, next);
        memset(now, 0, sizeof now);
        for (int64_t o = 0; o < g->values[g->steps[t->step[i]].out].size; o++)
            out->hidden = fmax(out->hidden, now[o] = next[o] * slack);
    }
    absolute_product(f, t->step[t->n - 1], now, out->one);
    /* the roundings in proportion do not cancel between the rows */
    double own = 2 * unit * ((double)taps + 2);
    memset(out->pair, 0, sizeof out->pair);
    for (int64_t i = 0; i < taps; i++) {
        const float *w = weights + i * classes;
        for (int64_t a = 0; a < classes && now[i] > 0; a++) {
            for (int64_t k = 0; k < classes; k++)
                out->pair[a][k] += fabs((double)w[a] - (double)w[k]) * now[i];
        }
    }
    for (int64_t a = 0; a < classes; a++) {
        for (int64_t k = 0; k < classes; k++)
            out->pair[a][k] = slack * (out->pair[a][k] + own * (out->one[a] + out->one[k])) + tiny;
    }
    for (int64_t a = 0; a < classes; a++)
        out->one[a] = slack * out->one[a] + tiny;
}

static double least(double a, double b) {
    return b < a || b != b ? b : a;
}

/* Computed probabilities keep the order of logits that are 1e-4 apart. Of two Sigmoids the lower
 * class needs to be surely less, as a tie would be its: below STOIC_STEEP 1e-3 makes a difference
 * of several units in the last place. */
double stoic_tail_apart(const stoic_tail *t, int top, int64_t k) {
    if (t->final == STOIC_FINAL_SOFTMAX)
        return 1e-4;
    return t->final == STOIC_FINAL_SIGMOID && k < top ? 1e-3 : 0;
}

/* The largest |a'_j - a_j| that surely keeps class `top`; negative or NaN: none. */
static double keeps_class(const stoic_reach *r, const tail *t, const float *logits,
                          const float *errors, int top, int64_t classes) {
    double most = 0x1p60, margin;
    for (int64_t k = 0; k < classes; k++) {
        if (k == top)
            continue;
        double both = (double)errors[top] + (double)errors[k];
        double apart = stoic_tail_apart(t, top, k);
        margin = (double)logits[top] - (double)logits[k] - both - apart;
        most = least(most, (margin - 1e-30 - 1e-7 * fabs(margin)) / r->pair[top][k]);
        /* the lesser Sigmoid is to lie where it is not flat */
        if (t->final == STOIC_FINAL_SIGMOID && k < top)
            most = least(most, (STOIC_STEEP - (double)logits[k] - (double)errors[k]) / r->one[k]);
    }
    if (t->final == STOIC_FINAL_SIGMOID && top > 0)
        most = least(most, (80 + (double)logits[top] - (double)errors[top]) / r->one[top]);
    return most;
}

/* ---- far away ---- */

typedef struct range {
    double low, high;
} range;

/* One layer on ranges of value / z'; returns the largest sum of |w| |value|. */
static double far_layer(const stoic_faulty *f, int k, const range *in, range *out) {
    const stoic_exec_step *step = &f->program->steps[k];
    const stoic_exec_layer *layer = &f->program->layers[step->layer];
    const stoic_layer_chain *c = &f->chains->layers[step->layer];
    int64_t n = layer->channels;
    double most = 0;
    for (int64_t o = 0; o < n; o++) {
        double bias = layer->bias < 0
                          ? 0
                          : fabs((double)f->session->constants[layer->bias_at + o]) / far_scale;
        double low = -bias, high = bias, sum = bias;
        for (int64_t i = 0; i < c->taps; i++) {
            double w = (double)c->by_input[i * n + o];
            low += w * (w >= 0 ? in[i].low : in[i].high);
            high += w * (w >= 0 ? in[i].high : in[i].low);
            sum += fabs(w) * fmax(fabs(in[i].low), fabs(in[i].high));
        }
        double error = 2 * unit * ((double)c->taps + 4) * sum * slack + 1e-40;
        most = sum == sum ? fmax(most, sum) : INFINITY;
        out[o] = (range){low - error, high + error};
        if (step->act.kind == STOIC_ACT_RELU)
            out[o] = (range){fmax(out[o].low, 0), fmax(out[o].high, 0)};
    }
    return most;
}

static int far_top(const stoic_faulty *f, const tail *t, const range *logits, int64_t classes) {
    int top = 0;
    if (t->final == STOIC_FINAL_SIGMOID) { /* all of them saturated, at either end: ties */
        float ends[4] = {200, 0x1p125f, -200, -0x1p125f};
        f->program->kernels->unary(STOIC_SIGMOID, 0, 0, ends, ends, 4);
        if (ends[0] != ends[1] || ends[2] != ends[3] || !(ends[2] < ends[0]))
            return -1;
        top = -1;
        for (int64_t k = 0; k < classes; k++) {
            if (!(logits[k].low * far_scale > 200) && !(logits[k].high * far_scale < -200))
                return -1;
            if (top < 0 && logits[k].low > 0)
                top = (int)k;
        }
        return top < 0 ? 0 : top;
    }
    for (int64_t k = 1; k < classes; k++) {
        if (logits[k].low > logits[top].low)
            top = (int)k;
    }
    for (int64_t k = 0; k < classes; k++) {
        if (k != top && !(logits[top].low - logits[k].high > 0x1p-40))
            return -1;
    }
    return top;
}

/* The class where z' is very large; *to: how large dw * x may be. */
static int find_far(const stoic_faulty *f, const tail *t, const stoic_probe *probe,
                    const stoic_block *b, int64_t j, int first, float *to) {
    range now[STOIC_TAIL_LONGEST], next[STOIC_TAIL_WIDEST];
    double most = 1;
    *to = 0;
    for (int64_t image = 0; image < b->count; image++) {
        if (!((double)probe->peak[image] < far_small && (double)probe->total[image] < far_small))
            return -1;
    }
    for (int64_t i = 0; i < f->program->values[f->program->steps[first].out].size; i++)
        now[i] = (range){-far_small / far_scale, far_small / far_scale};
    now[j] = (range){1, 1};
    for (int i = 0; i < t->n; i++) {
        most = fmax(most, far_layer(f, t->step[i], now, next));
        memcpy(now, next, sizeof next);
    }
    int top = far_top(f, t, now, f->program->values[f->program->output].size);
    double limit = 0x1p123 / most;
    if (top >= 0 && limit > far_from)
        *to = (float)limit;
    return top;
}

/* ---- lines of a block ---- */

static stoic_status create(const stoic_faulty *f, const stoic_block *b, int64_t channels,
                           stoic_line **out, stoic_error *err) {
    size_t n = (size_t)channels;
    size_t images = (size_t)b->groups * STOIC_LANES;
    size_t classes = (size_t)f->program->values[f->program->output].size;
    stoic_line *line = calloc(1, sizeof *line);
    if (line) {
        line->low = malloc(n * images * sizeof *line->low);
        line->high = malloc(n * images * sizeof *line->high);
        line->errors = malloc(images * classes * sizeof *line->errors);
        line->quiet = malloc(images * classes * sizeof *line->quiet);
        line->reach = malloc(n * classes * sizeof *line->reach);
        line->ready = calloc(n, sizeof *line->ready);
        line->far_to = calloc(n, sizeof *line->far_to);
        line->far_class = calloc(n, sizeof *line->far_class);
    }
    if (!line || !line->low || !line->high || !line->errors || !line->quiet || !line->reach ||
        !line->ready || !line->far_to || !line->far_class) {
        stoic_line_free(line);
        return stoic_fail_memory(err, "intervals", n * images * 8);
    }
    *out = line;
    return STOIC_OK;
}

static stoic_status seal_errors(const stoic_faulty *f, stoic_block *b, const stoic_line *line,
                                stoic_error *err) {
    const int64_t n = b->count * f->program->values[f->program->output].size;
    const size_t before = b->seals.count;
    stoic_status status;
    TRY(stoic_block_seal(b, line->errors, n * (int64_t)sizeof *line->errors, err));
    status = stoic_block_seal(b, line->quiet, n * (int64_t)sizeof *line->quiet, err);
done:
    if (status != STOIC_OK)
        b->seals.count = before; /* the line goes */
    return status;
}

static stoic_status seal_channel(const stoic_faulty *f, stoic_block *b, const stoic_line *line,
                                 int64_t j, stoic_error *err) {
    const int64_t images = b->groups * STOIC_LANES, row = images * (int64_t)sizeof *line->low;
    const int64_t classes = f->program->values[f->program->output].size;
    const int64_t reach = classes * (int64_t)sizeof *line->reach;
    stoic_status status;
    TRY(stoic_block_seal(b, line->low + j * images, row, err));
    TRY(stoic_block_seal(b, line->high + j * images, row, err));
    TRY(stoic_block_seal(b, line->reach + j * classes, reach, err));
    TRY(stoic_block_seal(b, &line->far_to[j], sizeof line->far_to[j], err));
    status = stoic_block_seal(b, &line->far_class[j], sizeof line->far_class[j], err);
done:
    return status;
}

stoic_status stoic_tail_logits(stoic_faulty *f, stoic_block *b, const stoic_tail *t,
                               const float **out, stoic_error *err) {
    return stoic_block_sums(b, f->session, t->step[t->n - 1], out, err);
}

stoic_status stoic_line_of(stoic_faulty *f, stoic_block *b, const stoic_tail *t, int layer,
                           int64_t channels, stoic_line **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_line *fresh = NULL;
    pthread_mutex_lock(&b->lock);
    *out = b->lines[layer];
    pthread_mutex_unlock(&b->lock);
    if (*out)
        return STOIC_OK;
    TRY(create(f, b, channels, &fresh, err));
    TRY(fill_errors(f, b, t, fresh, err)); /* probes take the lock themselves */
    pthread_mutex_lock(&b->lock);
    if (!b->lines[layer])
        status = seal_errors(f, b, fresh, err);
    if (!b->lines[layer] && status == STOIC_OK) {
        b->lines[layer] = fresh;
        fresh = NULL;
    }
    *out = b->lines[layer];
    pthread_mutex_unlock(&b->lock);
done:
    stoic_line_free(fresh);
    return status;
}

/* What channel j's intervals are made of, besides the block. */
typedef struct sources {
    const stoic_probe *probe; /* of the hit product */
    const float *logits;      /* golden */
    int first;
} sources;

static void fill_channel(const stoic_faulty *f, const stoic_block *b, const tail *t,
                         const sources *s, stoic_line *line, int64_t j) {
    const stoic_program *g = f->program;
    const stoic_exec_step *step = &g->steps[s->first];
    int64_t n = g->values[step->out].size, classes = g->values[g->output].size;
    stoic_reach r;
    stoic_tail_reach(f, t, j, &r);
    for (int64_t k = 0; k < classes; k++)
        line->reach[j * classes + k] = stoic_above(r.one[k]);
    for (int64_t image = 0; image < (int64_t)b->groups * STOIC_LANES; image++) {
        float *low = &line->low[j * b->groups * STOIC_LANES + image];
        float *high = &line->high[j * b->groups * STOIC_LANES + image];
        bool nan = true;
        *low = INFINITY; /* never */
        *high = -INFINITY;
        if (image >= b->count)
            continue;
        int top = stoic_top1(b->golden[g->output] + image * classes, classes, &nan);
        const float *logits = s->logits + image * classes;
        double most = keeps_class(&r, t, logits, line->errors + image * classes, top, classes);
        double quiet = keeps_class(&r, t, logits, line->quiet + image * classes, top, classes);
        quiet = least(quiet, STOIC_QUIET / (r.hidden * slack));
        most = quiet > most ? quiet : most;
        double value = (double)b->golden[step->out][image * n + j];
        double room = (most * STOIC_LINE_WIDEN -
                       2 * unit * slack * (double)s->probe->totals[image * n + j] - tiny) /
                      slack;
        if (nan || !(room >= 0) || !(fabs(value) < far_small) ||
            !((double)s->probe->peak[image] < far_small))
            continue;
        *high = (float)(room * (1 - 1e-6));
        /* ReLU: below 0 nothing changes any more */
        bool floor = step->act.kind == STOIC_ACT_RELU && room >= value;
        *low = floor ? -INFINITY : -*high;
    }
    int top = find_far(f, t, s->probe, b, j, s->first, &line->far_to[j]);
    line->far_class[j] = (int16_t)top;
}

/* The block's line of step `first`, channel j filled in. */
static stoic_status prepare(stoic_faulty *f, stoic_block *b, const tail *t, int first, int64_t j,
                            const stoic_line **out, stoic_error *err) {
    int layer = f->program->steps[first].layer;
    sources s = {.first = first};
    stoic_line *line = NULL;
    stoic_status status = STOIC_OK;
    TRY(stoic_line_of(f, b, t, layer, f->program->layers[layer].channels, &line, err));
    pthread_mutex_lock(&b->lock);
    bool ready = line->ready[j];
    pthread_mutex_unlock(&b->lock);
    *out = line;
    if (ready)
        return STOIC_OK;
    TRY(stoic_block_probe(b, f->chains, first, &s.probe, err));
    TRY(stoic_tail_logits(f, b, t, &s.logits, err));
    pthread_mutex_lock(&b->lock);
    if (!line->ready[j]) {
        fill_channel(f, b, t, &s, line, j);
        status = seal_channel(f, b, line, j, err);
    }
    line->ready[j] = line->ready[j] || status == STOIC_OK;
    pthread_mutex_unlock(&b->lock);
done:
    return status;
}

stoic_status stoic_line_prepare(stoic_faulty *f, stoic_block *b, int first, const stoic_edit *edit,
                                stoic_single *single, stoic_error *err) {
    const stoic_program *g = f->program;
    stoic_status status = STOIC_OK;
    const stoic_exec_step *step = &g->steps[first];
    const stoic_exec_layer *layer = &g->layers[step->layer];
    const stoic_line *line;
    const float *input;
    tail t;
    if (f->narrow.n_channels != 1 || !plain_product(f, step, STOIC_TAIL_LONGEST) ||
        !stoic_tail_find(f, step->out, first + 1, &t) || layer->weights != edit->tensor ||
        !b->golden[step->out] || !b->golden[g->output])
        return STOIC_OK;
    int64_t size = g->values[step->in[0]].size, j = f->narrow.channels[0];
    TRY(stoic_block_lanes(b, step->in[0], &input, err));
    TRY(prepare(f, b, &t, first, j, &line, err));
    single->way = STOIC_SINGLE_LINE;
    single->x = input + stoic_layer_feature(layer, edit->index) * STOIC_LANES;
    single->step = size * STOIC_LANES;
    single->low = line->low + j * b->groups * STOIC_LANES;
    single->high = line->high + j * b->groups * STOIC_LANES;
    single->far_to = line->far_to[j];
    single->far_class = line->far_class[j];
done:
    return status;
}
