/*
 * The one-channel difference behind a narrow change, with its rounding bound (METHODS.md 8).
 *
 * The layer that reads the frontier gets z^ = golden sums + sum of w * change. The canonical sums
 * z' of the same inputs, golden's canonical sums z and z^ all differ from exact arithmetic by
 * rounding alone. With u = 2^-24, a chain of n fmas with partial sums s_1 … s_n is off by at most
 * u (1 + u) sum |s_k|; golden's sums of |s_k| are known (block probes), the faulty ones are at most
 * D larger each, where D bounds what the change adds to any partial sum. From there on the same
 * canonical kernels run on z^; the bound e of |z^ - z'| grows by each step's Lipschitz constant
 * (largest row sum of |w|; 1 for ReLU and pools) plus both runs' rounding. All bounds are in double,
 * with a factor for their own rounding. Where a value could overflow, or anything is not finite,
 * nothing is decided.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/faulty_parts.h"

static const double unit = 0x1.00002p-24; /* u (1 + u) and a little */
static const double slack = 1.02;         /* the bounds' own rounding, and second-order terms */
static const double largest = 0x1p125;    /* beyond a quarter of FLT_MAX nothing is decided */

enum { FINAL_NONE, FINAL_SIGMOID, FINAL_SOFTMAX };
enum { LAYERS_AT_MOST = 4 };

/* Relu and friends: |act(x) - act(y)| <= |x - y| and |act(x)| <= |x|. */
static bool tame(const stoic_activation *act) {
    return act->kind == STOIC_ACT_NONE || act->kind == STOIC_ACT_RELU ||
           (act->kind == STOIC_ACT_LEAKY && fabsf(act->a) <= 1) ||
           (act->kind == STOIC_ACT_CLIP && act->a <= 0 && act->b >= 0);
}

static bool bounded_unary(const stoic_faulty *f, const stoic_exec_step *step) {
    const stoic_op *op = f->program->model->nodes[step->node].op;
    return op == &stoic_op_sigmoid || op == &stoic_op_tanh;
}

static int final_kind(const stoic_faulty *f, const stoic_exec_step *step) {
    const stoic_op *op = f->program->model->nodes[step->node].op;
    return op == &stoic_op_sigmoid   ? FINAL_SIGMOID
           : op == &stoic_op_softmax ? FINAL_SOFTMAX
                                     : FINAL_NONE;
}

/* Is every changed step behind the layer one whose bound is known? A chain without joins. */
static bool bounded_way(stoic_faulty *f, stoic_difference *d) {
    const stoic_program *g = f->program;
    int value = g->steps[d->step].out, layers = 0, last = -1;
    for (int k = d->step; k < g->n_steps; k++) {
        const stoic_exec_step *step = &g->steps[k];
        if (!f->changed[k])
            continue;
        if (f->session->edited[k] || step->add >= 0 || step->norm >= 0 || !tame(&step->act))
            return false;
        if (k > d->step && (step->n_in != 1 || step->in[0] != value))
            return false;
        if (step->layer >= 0) {
            const stoic_layer_chain *l = &f->chains->layers[step->layer];
            if (++layers > LAYERS_AT_MOST || !l->known || !(l->norm < largest))
                return false;
        } else if (!bounded_unary(f, step) && step->window.rank != 2 &&
                   step->act.kind == STOIC_ACT_NONE && final_kind(f, step) == FINAL_NONE) {
            return false;
        }
        value = step->out;
        last = k;
    }
    if (value != g->output || g->values[value].hw > 1)
        return false;
    d->final = final_kind(f, &g->steps[last]);
    if (d->final == FINAL_SOFTMAX && g->steps[last].axis != g->values[value].size)
        return false;
    d->logits = d->final == FINAL_NONE ? value : g->steps[last].in[0];
    for (int k = d->step; k < last; k++) {
        if (f->changed[k] && final_kind(f, &g->steps[k]) == FINAL_SOFTMAX)
            return false; /* a Softmax inside has no bound here */
    }
    return d->final != FINAL_NONE || g->steps[last].layer >= 0;
}

/* First row of weights by input that belongs to pixel p and channel c of the frontier. */
static int64_t feature(const stoic_narrow *w, int64_t p, int64_t c) {
    return p * w->stride + c;
}

/* The most that the changed channels, each moved by at most 1, can add to one sum. */
static double find_spread(const stoic_faulty *f, const stoic_difference *d) {
    const stoic_narrow *w = &f->narrow;
    const stoic_exec_layer *layer = &f->program->layers[f->program->steps[d->step].layer];
    const stoic_layer_chain *l = &f->chains->layers[f->program->steps[d->step].layer];
    int64_t taps = layer->matrix ? w->pixels : layer->shape.kh * layer->shape.kw;
    double most = 0;
    for (int64_t o = 0; o < layer->channels; o++) {
        double sum = 0;
        for (int i = 0; i < w->n_channels; i++) {
            for (int64_t t = 0; t < taps; t++) {
                int64_t row = layer->matrix ? feature(w, t, w->channels[i])
                                            : t * layer->shape.ic + w->channels[i];
                sum += fabs((double)l->by_input[row * layer->channels + o]);
            }
        }
        if (!(sum <= most))
            most = sum;
    }
    return most;
}

stoic_status stoic_difference_prepare(stoic_faulty *f, stoic_block *b, const stoic_sink *sink,
                                      stoic_error *err) {
    enum { WORTHWHILE = 50000 }; /* multiply-adds of the layer: below, just run it */
    stoic_status status = STOIC_OK;
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    stoic_difference *d = &f->difference;
    *d = (stoic_difference){.probes = d->probes, .step = -1};
    for (int k = w->last + 1; k < g->n_steps && f->readers[w->frontier] == 1; k++) {
        if (g->steps[k].n_in == 1 && g->steps[k].in[0] == w->frontier && g->steps[k].layer >= 0)
            d->step = k;
    }
    if (!sink->top1 || d->step < 0 || w->frontier == g->output)
        return STOIC_OK;
    const stoic_exec_layer *layer = &g->layers[g->steps[d->step].layer];
    const stoic_layer_chain *l = &f->chains->layers[g->steps[d->step].layer];
    int64_t features = layer->matrix ? layer->shape.ic : g->values[w->frontier].size;
    if (g->steps[d->step].macs < WORTHWHILE || w->n_channels * 4 > w->stride || !l->by_input ||
        features != g->values[w->frontier].size || (layer->matrix && layer->shape.iw != 1) ||
        !bounded_way(f, d))
        return STOIC_OK;
    TRY(stoic_block_sums(b, f->session, d->step, &d->sums, err));
    for (int k = d->step; k < g->n_steps; k++) {
        if (f->changed[k] && g->steps[k].layer >= 0)
            TRY(stoic_block_probe(b, f->chains, k, &d->probes[k], err));
    }
    d->spread = find_spread(f, d) * slack;
    d->terms = w->n_channels * (layer->matrix ? w->pixels : layer->shape.kh * layer->shape.kw);
    d->use = true;
done:
    return status;
}

/* Adds what one changed value contributes to every output it reaches. */
static void scatter(const stoic_faulty *f, int64_t p, int64_t channel, float change, float *sums) {
    const stoic_program *g = f->program;
    const stoic_exec_layer *layer = &g->layers[g->steps[f->difference.step].layer];
    const stoic_layer_chain *l = &f->chains->layers[g->steps[f->difference.step].layer];
    const stoic_dnn_shape *s = &layer->shape;
    int64_t n = layer->channels;
    if (layer->matrix) {
        g->kernels->add_scaled(sums, l->by_input + feature(&f->narrow, p, channel) * n, change, n);
        return;
    }
    int64_t y = p / s->iw + s->pad_top, x = p % s->iw + s->pad_left;
    for (int64_t ky = 0; ky < s->kh; ky++) {
        int64_t oy = y - ky * s->dilation_h;
        if (oy < 0 || oy % s->stride_h || oy / s->stride_h >= s->oh)
            continue;
        for (int64_t kx = 0; kx < s->kw; kx++) {
            int64_t ox = x - kx * s->dilation_w;
            if (ox < 0 || ox % s->stride_w || ox / s->stride_w >= s->ow)
                continue;
            int64_t out = oy / s->stride_h * s->ow + ox / s->stride_w;
            const float *w = l->by_input + ((ky * s->kw + kx) * s->ic + channel) * n;
            g->kernels->add_scaled(sums + out * n, w, change, n);
        }
    }
}

/* Sums of one image; returns the largest change in its frontier. */
static double changed_sums(const stoic_faulty *f, const stoic_block *b, int group, int lane,
                           float *sums) {
    const stoic_narrow *w = &f->narrow;
    const stoic_difference *d = &f->difference;
    int image = group * STOIC_LANES + lane;
    int64_t in = f->program->values[w->frontier].size;
    int64_t size = f->program->values[f->program->steps[d->step].out].size;
    const float *golden = b->golden[w->frontier] + image * in;
    double most = 0;
    memcpy(sums, d->sums + image * size, (size_t)size * sizeof *sums);
    for (int i = 0; i < w->n_channels; i++) {
        const float *lanes = w->lanes + i * w->pixels * STOIC_LANES + lane;
        for (int64_t p = 0; p < w->pixels; p++) {
            float old = golden[p * w->stride + w->channels[i]];
            float change = lanes[p * STOIC_LANES] - old;
            if (change == 0)
                continue;
            scatter(f, p, w->channels[i], change, sums);
            if (!(fabs((double)change) <= most))
                most = fabs((double)change); /* NaN stays: nothing compares below it */
        }
    }
    return most;
}

typedef struct bound {
    double error;     /* of what we have against the canonical value */
    double deviation; /* of what we have from golden */
    double magnitude; /* of canonical values and ours */
} bound;

static bound first_layer(const stoic_faulty *f, const stoic_probe *probe, int lane, double most) {
    const stoic_difference *d = &f->difference;
    double taps = (double)f->chains->layers[f->program->steps[d->step].layer].taps + 1;
    double total = probe->total[lane] * slack, peak = probe->peak[lane] * slack;
    double change = d->spread * most;
    double roundings = 2 * total + taps * change + (double)d->terms * (peak + change) + 2 * change;
    bound out = {.error = unit * roundings * slack + 1e-37};
    out.deviation = change * slack + out.error;
    out.magnitude = peak + change + out.error;
    return out;
}

/* Both runs' roundings and the growth of what came in. */
static bound next_layer(const stoic_faulty *f, int step, const stoic_probe *probe, int lane,
                        bound in) {
    const stoic_layer_chain *l = &f->chains->layers[f->program->steps[step].layer];
    double total = probe->total[lane] * slack, peak = probe->peak[lane] * slack;
    double moved = l->norm * (in.deviation + in.error);
    bound out = {.error = l->norm * in.error +
                          2 * unit * (total + ((double)l->taps + 1) * moved) * slack + 1e-37};
    out.deviation = moved * slack + out.error;
    out.magnitude = peak + moved + out.error;
    return out;
}

static bound next_local(const stoic_faulty *f, int step, bound in) {
    const stoic_exec_step *st = &f->program->steps[step];
    const stoic_op *op = f->program->model->nodes[st->node].op;
    if (op == &stoic_op_sigmoid || op == &stoic_op_tanh) {
        double steep = op == &stoic_op_sigmoid ? 0.25 : 1;
        return (bound){steep * in.error + 4 * unit, steep * in.deviation + 4 * unit, 1};
    }
    if (st->window.rank == 2 && op != &stoic_op_max_pool) {
        double n = (double)(st->window.kernel[0] * st->window.kernel[1]) + 1;
        in.error = in.error * slack + 2 * unit * n * in.magnitude * slack;
        in.deviation += in.error;
    }
    return in;
}

/* Error bound of one image's logits; NaN or huge where there is none. */
static double logit_error(const stoic_faulty *f, int group, int lane, double most) {
    const stoic_program *g = f->program;
    const stoic_difference *d = &f->difference;
    bound now = first_layer(f, &d->probes[d->step][group], lane, most);
    bool fine = now.magnitude < largest;
    for (int k = d->step + 1; k < g->n_steps && fine; k++) {
        if (!f->changed[k] || g->values[d->logits].step < k)
            continue;
        now = g->steps[k].layer >= 0 ? next_layer(f, k, &d->probes[k][group], lane, now)
                                     : next_local(f, k, now);
        fine = now.magnitude < largest;
    }
    return fine ? now.error : INFINITY;
}

/* The class that every output within the bound gives, or -1. */
static int decide(const stoic_faulty *f, const float *logits, int64_t n, double error) {
    const stoic_difference *d = &f->difference;
    enum { CLASSES = 1024 };
    float low[CLASSES], high[CLASSES];
    int top = 0;
    low[0] = high[0] = 0;
    if (n < 1 || n > CLASSES || !(error < largest))
        return -1;
    for (int64_t i = 0; i < n; i++) {
        if (!(fabsf(logits[i]) < (float)largest))
            return -1;
        low[i] = nextafterf((float)(logits[i] - error), -INFINITY);
        high[i] = nextafterf((float)(logits[i] + error), INFINITY);
        if (logits[i] > logits[top])
            top = (int)i;
    }
    if (d->final == FINAL_SIGMOID) {
        /* monotone as computed: the outputs lie between those of the ends; saturated ones tie */
        f->program->kernels->unary(STOIC_SIGMOID, 0, 0, low, low, n);
        f->program->kernels->unary(STOIC_SIGMOID, 0, 0, high, high, n);
        for (int64_t i = n - 1; i >= 0; i--) {
            if (low[i] >= low[top])
                top = (int)i;
        }
    }
    /* computed probabilities keep the order of logits that are this far apart */
    float apart = d->final == FINAL_SOFTMAX ? 1e-4f : 0;
    for (int64_t i = 0; i < n; i++) {
        bool below = high[i] + apart < low[top] ||
                     (d->final != FINAL_SOFTMAX && i > top && high[i] <= low[top]);
        if (i != top && !below)
            return -1;
    }
    return top;
}

stoic_status stoic_difference_run(stoic_faulty *f, const stoic_block *b, int group,
                                  const int *lanes, int n, int *top1, stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_difference *d = &f->difference;
    const stoic_exec_step *layer = &g->steps[d->step];
    float *sums = stoic_session_work(f->session, layer->out);
    int64_t size = g->values[layer->out].size, classes = g->values[d->logits].size;
    double most[STOIC_LANES];
    int32_t images[STOIC_LANES];
    for (int i = 0; i < n; i++) {
        images[i] = group * STOIC_LANES + lanes[i];
        most[i] = changed_sums(f, b, group, lanes[i], sums + i * size);
    }
    f->session->frame[layer->out] = sums;
    stoic_layer_finish(f->session, layer, sums, n);
    int end = d->final == FINAL_NONE ? g->n_steps : g->values[d->logits].step + 1;
    stoic_status status =
        stoic_faulty_steps(f, b, images, n, d->step + 1, end, layer->out, err);
    for (int i = 0; i < n && status == STOIC_OK; i++)
        top1[i] = decide(f, f->session->frame[d->logits] + i * classes, classes,
                         logit_error(f, group, lanes[i], most[i]));
    return status;
}
