/*
 * The one-channel difference behind a narrow change, with its rounding bound (docs/methods.md 8).
 *
 * The layer that reads the frontier gets z^ = golden sums + sum of w * change. The canonical sums
 * z' of the same inputs, golden's canonical sums z and z^ all differ from exact arithmetic by
 * rounding alone. With u = 2^-24, a chain of n fmas with partial sums s_1 ... s_n is off by at most
 * u (1 + u) sum |s_k|. Golden's sums of |s_k| are known for every output (block probes); the
 * faulty ones are at most D larger each, where D bounds what the change adds to any partial sum.
 * From there on the same canonical kernels run on z^, and a bound of |z^ - z'| is carried along:
 *
 *     behind a layer   |W| e + (roundings of both runs),   behind ReLU and max-pool   max e
 *
 * The bound has two parts. What golden's partial sums contribute does not depend on the fault: it
 * is propagated element by element through the network of absolute weights, once a block, and ends
 * in a bound per image and class (`errors`). What the change contributes (in proportion to its
 * size) is carried as one number, growing by the largest row sum of |w|. All bounds allow for
 * their own rounding. Where a value could overflow, or anything is not finite, nothing is decided.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/relay.h"

#ifndef STOIC_DIFFERENCE_UNIT /* a test sets it to 0 to see that it would notice */
#define STOIC_DIFFERENCE_UNIT 0x1.00002p-24
#endif
static const double unit = STOIC_DIFFERENCE_UNIT; /* u (1 + u) and a little */
static const double slack = 1.02;      /* the bounds' own rounding, and second-order terms */
static const double tiny = 1e-37;      /* roundings below the normal range */
static const double largest = 0x1p125; /* beyond a quarter of FLT_MAX nothing is decided */

enum { LAYERS_AT_MOST = 4 };

/* Relu and friends: |act(x) - act(y)| <= |x - y| and |act(x)| <= |x|. */
static bool tame(const stoic_activation *act) {
    return act->kind == STOIC_ACT_NONE || act->kind == STOIC_ACT_RELU ||
           (act->kind == STOIC_ACT_LEAKY && fabsf(act->a) <= 1) ||
           (act->kind == STOIC_ACT_CLIP && act->a <= 0 && act->b >= 0);
}

/* Functions whose slope and rounding are known (kernels_impl.c: correct to one unit or so). */
static bool bounded_function(const stoic_exec_step *step) {
    return step->kind == STOIC_STEP_FUNCTION &&
           (step->unary == STOIC_SIGMOID || step->unary == STOIC_TANH);
}

/* Leaves finite values alone, and about others nothing is decided. */
static bool keeps_finite(const stoic_exec_step *step) {
    return step->kind == STOIC_STEP_FUNCTION && step->unary == STOIC_REPLACE_NAN;
}

static double slope(const stoic_exec_step *step) {
    return step->unary == STOIC_SIGMOID ? 0.25 : 1;
}

static int final_kind(const stoic_exec_step *step) {
    if (step->kind == STOIC_STEP_FUNCTION && step->unary == STOIC_SIGMOID)
        return STOIC_FINAL_SIGMOID;
    return step->kind == STOIC_STEP_SOFTMAX ? STOIC_FINAL_SOFTMAX : STOIC_FINAL_NONE;
}

/* Does the bound pass this step? A Softmax has none: it may only be the last. */
static bool bounded_step(const stoic_faulty *f, const stoic_exec_step *step) {
    const stoic_layer_chain *l = step->layer >= 0 ? &f->chains->layers[step->layer] : NULL;
    return l ? l->known && l->norm < largest
             : step->kind == STOIC_STEP_AFFINE || stoic_step_is_pool(step) ||
                   bounded_function(step) || keeps_finite(step);
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
        if (last >= 0 && !bounded_step(f, &g->steps[last]))
            return false;
        layers += step->layer >= 0;
        value = step->out;
        last = k;
    }
    if (value != g->output || g->values[value].hw > 1 || layers > LAYERS_AT_MOST)
        return false;
    d->final = final_kind(&g->steps[last]);
    if (d->final == STOIC_FINAL_SOFTMAX && g->steps[last].axis != g->values[value].size)
        return false;
    d->logits = d->final == STOIC_FINAL_NONE ? value : g->steps[last].in[0];
    return d->final != STOIC_FINAL_NONE ||
           (g->steps[last].layer >= 0 && bounded_step(f, &g->steps[last]));
}

static stoic_status grow_channels(stoic_difference *d, int n, stoic_error *err) {
    if ((size_t)n <= d->channel_room)
        return STOIC_OK;
    double *more = realloc(d->spread, (size_t)n * 2 * sizeof *more);
    if (!more)
        return stoic_fail_memory(err, "changed channels", (size_t)n * 2 * sizeof *more);
    d->spread = more;
    d->channel_room = (size_t)n;
    return STOIC_OK;
}

/* The weights that read the changed channels, and the most that each of these, moved by at most 1,
 * can add to one sum. */
static stoic_status gather_weights(stoic_faulty *f, stoic_error *err) {
    const stoic_narrow *w = &f->narrow;
    stoic_difference *d = &f->difference;
    const stoic_exec_layer *layer = &f->program->layers[f->program->steps[d->step].layer];
    const stoic_layer_chain *l = &f->chains->layers[f->program->steps[d->step].layer];
    int64_t n = layer->channels;
    stoic_status status = STOIC_OK;
    d->padded = (n + STOIC_LANES - 1) / STOIC_LANES * STOIC_LANES;
    size_t count = (size_t)(d->taps * w->n_channels * d->padded);
    TRY(stoic_faulty_grow(&d->weights, &d->weights_room, count, err));
    TRY(stoic_faulty_grow(&d->change, &d->change_room, (size_t)w->pixels, err));
    TRY(grow_channels(d, w->n_channels, err));
    d->moved = d->spread + w->n_channels;
    memset(d->weights, 0, count * sizeof *d->weights);
    for (int i = 0; i < w->n_channels; i++) {
        float *weights = d->weights + i * d->taps * d->padded;
        /* a matrix product reads the frontier in memory order: pixel by pixel */
        int64_t stride = layer->matrix ? w->stride : layer->shape.ic;
        for (int64_t t = 0; t < d->taps; t++)
            memcpy(weights + t * d->padded, l->by_input + (t * stride + w->channels[i]) * n,
                   (size_t)n * sizeof(float));
        d->spread[i] = 0;
        for (int64_t o = 0; o < n; o++) {
            double sum = 0;
            for (int64_t t = 0; t < d->taps; t++)
                sum += fabs((double)weights[t * d->padded + o]);
            if (!(sum <= d->spread[i]))
                d->spread[i] = sum;
        }
        d->spread[i] *= slack;
    }
done:
    return status;
}

/* ---- the part of the bound that no fault changes ---- */

/* A session on |weights| without biases: |W| e by the fast kernels. */
static stoic_status make_absolute(stoic_faulty *f, stoic_error *err) {
    const stoic_program *g = f->program;
    if (f->absolute)
        return STOIC_OK;
    stoic_status status = stoic_session_create(g, &f->absolute, err);
    for (int i = 0; status == STOIC_OK && i < g->n_layers; i++) {
        const stoic_exec_layer *l = &g->layers[i];
        float *weights = f->absolute->constants + l->weights_at;
        for (int64_t k = 0; k < l->packed; k++)
            weights[k] = fabsf(weights[k]);
        memset(f->absolute->constants + l->bias_at, 0, (size_t)l->channels * sizeof(float));
    }
    if (status == STOIC_OK)
        f->absolute_digest = stoic_session_digest(f->absolute);
    return status;
}

/* e -> slack * (e + u * factor * totals) + tiny, for n images from `image` on. */
static void add_roundings(float *errors, const float *totals, int64_t count, double factor) {
    for (int64_t i = 0; i < count; i++)
        errors[i] = (float)(slack * ((double)errors[i] + unit * factor * (double)totals[i]) + tiny);
}

static stoic_status errors_step(stoic_faulty *f, int k, int64_t image, int n, double factor,
                                stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_exec_step *step = &g->steps[k];
    stoic_session *s = f->absolute;
    const float *in = stoic_session_work(s, step->in[0]);
    float *out = stoic_session_work(s, step->out);
    int64_t size = g->values[step->out].size, from = g->values[step->in[0]].size;
    if (step->layer >= 0) {
        stoic_status status = stoic_layer_sums(s, step, in, out, n, err);
        if (status == STOIC_OK)
            add_roundings(out, f->difference.probes[k]->totals + image * size, n * size, factor);
        return status;
    }
    for (int i = 0; i < n && stoic_step_is_pool(step); i++) {
        /* the activation behind a pool is left out: it may only make errors smaller */
        if (step->kind == STOIC_STEP_MAX_POOL)
            g->kernels->max_pool(&step->window, in + i * from, out + i * size,
                                 (stoic_activation){.kind = STOIC_ACT_NONE});
        else
            g->kernels->average_pool(&step->window, in + i * from, out + i * size);
    }
    if (!stoic_step_is_pool(step)) {
        bool function = bounded_function(step);
        for (int64_t i = 0; i < n * size; i++)
            out[i] = (float)((function ? slope(step) : 1.0) * (double)in[i] * slack +
                             (function ? 4 * unit : 0));
    }
    return STOIC_OK;
}

static stoic_status fill_errors(stoic_faulty *f, const stoic_block *b, float *errors,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_program *g = f->program;
    const stoic_difference *d = &f->difference;
    const stoic_exec_step *layer = &g->steps[d->step];
    int64_t size = g->values[layer->out].size, classes = g->values[d->logits].size;
    TRY(make_absolute(f, err));
    float *first = stoic_session_work(f->absolute, layer->out);
    for (int image = 0; image < b->count; image += g->tile) {
        int n = b->count - image < g->tile ? b->count - image : g->tile;
        /* golden's roundings, the faulty run's, and the one of adding the change to golden */
        for (int64_t i = 0; i < n * size; i++)
            first[i] = (float)(unit * fabs((double)d->sums[image * size + i]));
        add_roundings(first, d->probes[d->step]->totals + image * size, n * size, 2);
        for (int k = d->step + 1; k <= g->values[d->logits].step; k++) {
            if (f->changed[k])
                TRY(errors_step(f, k, image, n, 2, err));
        }
        memcpy(errors + image * classes, stoic_session_work(f->absolute, d->logits),
               (size_t)(n * classes) * sizeof *errors);
    }
done:
    return status;
}

/* What a change of 1 in every sum of the layer can do to each class: |W| ... |W| 1. */
static stoic_status find_reach(stoic_faulty *f, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_program *g = f->program;
    stoic_difference *d = &f->difference;
    const stoic_exec_step *layer = &g->steps[d->step];
    int64_t size = g->values[layer->out].size, classes = g->values[d->logits].size;
    if (d->reached == d->step + 1)
        return STOIC_OK;
    TRY(make_absolute(f, err));
    TRY(stoic_faulty_grow(&d->reach, &d->reach_room, (size_t)classes, err));
    float *first = stoic_session_work(f->absolute, layer->out);
    for (int64_t i = 0; i < size; i++)
        first[i] = 1;
    for (int k = d->step + 1; k <= g->values[d->logits].step; k++) {
        if (f->changed[k])
            TRY(errors_step(f, k, 0, 1, 0, err));
    }
    memcpy(d->reach, stoic_session_work(f->absolute, d->logits), (size_t)classes * sizeof(float));
    d->reached = d->step + 1;
    d->reach_most = 0;
    for (int64_t i = 0; i < classes; i++)
        d->reach_most = fmax(d->reach_most, (double)d->reach[i]);
done:
    return status;
}

static stoic_status find_errors(stoic_faulty *f, stoic_block *b, stoic_error *err) {
    stoic_difference *d = &f->difference;
    int layer = f->program->steps[d->step].layer;
    stoic_status status = STOIC_OK;
    pthread_mutex_lock(&b->lock);
    if (!b->errors[layer]) {
        size_t bytes = (size_t)(f->program->values[d->logits].size * b->count) * sizeof(float);
        float *errors = malloc(bytes);
        status = errors ? fill_errors(f, b, errors, err)
                        : stoic_fail_memory(err, "rounding bounds", bytes);
        if (status == STOIC_OK)
            status = stoic_block_seal(b, errors, (int64_t)bytes, err);
        if (status == STOIC_OK)
            b->errors[layer] = errors;
        else
            free(errors);
    }
    pthread_mutex_unlock(&b->lock);
    d->errors = b->errors[layer];
    return status;
}

stoic_status stoic_difference_prepare(stoic_faulty *f, stoic_block *b, const stoic_sink *sink,
                                      stoic_error *err) {
    enum { WORTHWHILE = 50000, WIDEST = 128 }; /* multiply-adds: below, just run it; channels */
    stoic_status status = STOIC_OK;
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    stoic_difference *d = &f->difference;
    *d = (stoic_difference){.probes = d->probes,
                            .step = -1,
                            .weights = d->weights,
                            .weights_room = d->weights_room,
                            .change = d->change,
                            .change_room = d->change_room,
                            .reach = d->reach,
                            .reach_room = d->reach_room,
                            .reached = d->reached,
                            .reach_most = d->reach_most,
                            .spread = d->spread,
                            .channel_room = d->channel_room};
    for (int k = w->last + 1; k < g->n_steps && f->readers[w->frontier] == 1; k++) {
        if (g->steps[k].n_in == 1 && g->steps[k].in[0] == w->frontier && g->steps[k].layer >= 0)
            d->step = k;
    }
    if (!sink->top1 || d->step < 0 || w->frontier == g->output)
        return STOIC_OK;
    const stoic_exec_layer *layer = &g->layers[g->steps[d->step].layer];
    const stoic_layer_chain *l = &f->chains->layers[g->steps[d->step].layer];
    int64_t features = layer->matrix ? layer->shape.ic : g->values[w->frontier].size;
    if (g->steps[d->step].macs < WORTHWHILE || !l->by_input || layer->channels > WIDEST ||
        features != g->values[w->frontier].size || (layer->matrix && layer->shape.iw != 1) ||
        !bounded_way(f, d))
        return STOIC_OK;
    TRY(stoic_block_sums(b, f->session, d->step, &d->sums, err));
    for (int k = d->step; k < g->n_steps; k++) {
        if (f->changed[k] && g->steps[k].layer >= 0)
            TRY(stoic_block_probe(b, f->chains, k, &d->probes[k], err));
    }
    d->taps = layer->matrix ? w->pixels : layer->shape.kh * layer->shape.kw;
    TRY(gather_weights(f, err));
    TRY(find_errors(f, b, err));
    TRY(find_reach(f, err));
    d->use = true;
    status = stoic_relay_prepare(f, b, err);
done:
    return status;
}

/* Adds one channel's change to the sums of one image. */
static void add_channel_change(const stoic_faulty *f, int i, float *sums) {
    const stoic_program *g = f->program;
    const stoic_difference *d = &f->difference;
    const stoic_exec_layer *layer = &g->layers[g->steps[d->step].layer];
    stoic_chain c = f->chains->layers[g->steps[d->step].layer].shape;
    if (layer->matrix) { /* a convolution whose kernel covers the whole frontier */
        c.ih = c.kh = 1;
        c.iw = c.kw = f->narrow.pixels;
        c.oh = c.ow = 1;
    }
    g->kernels->add_change(&c, d->weights + i * d->taps * d->padded, d->padded, layer->channels,
                           d->change, sums);
}

static float change_of(const stoic_narrow *w, int i, int64_t p, int lane) {
    int64_t at = (i * w->pixels + p) * STOIC_LANES + lane;
    return w->lanes[at] - w->golden[at];
}

/* What each changed channel adds to a sum of one image at most, and all of them together; NaN if a
 * change is. */
static double find_moved(const stoic_faulty *f, int lane) {
    const stoic_narrow *w = &f->narrow;
    const stoic_difference *d = &f->difference;
    double all = 0;
    for (int i = 0; i < w->n_channels; i++) {
        double most = 0;
        for (int64_t p = 0; p < w->pixels; p++) {
            double change = fabs((double)change_of(w, i, p, lane));
            if (!(change <= most) && most == most)
                most = change;
        }
        d->moved[i] = d->spread[i] * most;
        all += d->moved[i];
    }
    return all * slack;
}

/* The sums of one image: golden's, and what those channels add that move them by more than
 * `small`. */
static void changed_sums(const stoic_faulty *f, int64_t image, int lane, double small,
                         float *sums) {
    const stoic_narrow *w = &f->narrow;
    const stoic_difference *d = &f->difference;
    int64_t size = f->program->values[f->program->steps[d->step].out].size;
    memcpy(sums, d->sums + image * size, (size_t)size * sizeof *sums);
    for (int i = 0; i < w->n_channels; i++) {
        if (d->moved[i] <= small)
            continue;
        for (int64_t p = 0; p < w->pixels; p++)
            d->change[p] = change_of(w, i, p, lane);
        add_channel_change(f, i, sums);
    }
}

/* What one image's fault adds to the bound, and bounds of its values, behind a step. */
typedef struct bound {
    double moved;     /* what the change adds to a sum of the first layer at most */
    double change;    /* of the error: the part in proportion to the change */
    double error;     /* of the error as a whole */
    double deviation; /* of what we have from golden */
    double magnitude; /* of canonical values and ours */
} bound;

static bound first_layer(const stoic_faulty *f, const stoic_probe *probe, int64_t image,
                         double moved) {
    const stoic_difference *d = &f->difference;
    double taps = (double)f->chains->layers[f->program->steps[d->step].layer].taps + 1;
    double total = probe->total[image] * slack, peak = probe->peak[image] * slack;
    /* more in each partial sum of the faulty run; our own terms, one sum a changed channel */
    double more =
        taps + (double)(d->taps * f->narrow.n_channels) + 2 * (double)f->narrow.n_channels + 2;
    bound out = {.moved = moved, .change = unit * more * moved * slack + tiny};
    double channels = (double)f->narrow.n_channels;
    out.change += unit * (channels - 1) * (peak + moved) * slack; /* further additions to golden */
    out.error = out.change + unit * 3 * total * slack + tiny;
    out.deviation = moved * slack + out.error;
    out.magnitude = peak + moved + out.error;
    return out;
}

static bound next_layer(const stoic_faulty *f, int step, const stoic_probe *probe, int64_t image,
                        bound in) {
    const stoic_layer_chain *l = &f->chains->layers[f->program->steps[step].layer];
    double total = probe->total[image] * slack, peak = probe->peak[image] * slack;
    double moved = l->norm * (in.deviation + in.error);
    double own = 2 * unit * ((double)l->taps + 2) * moved * slack + tiny;
    bound out = {.moved = in.moved,
                 .change = l->norm * in.change + own,
                 .error = l->norm * in.error + own + 2 * unit * total * slack};
    out.deviation = moved * slack + out.error;
    out.magnitude = peak + moved + out.error;
    return out;
}

static bound next_local(const stoic_faulty *f, int step, bound in) {
    const stoic_exec_step *st = &f->program->steps[step];
    if (bounded_function(st)) {
        double steep = slope(st);
        return (bound){in.moved, steep * in.change, steep * in.error + 4 * unit,
                       steep * in.deviation + 4 * unit, 1};
    }
    if (st->kind == STOIC_STEP_AVERAGE_POOL) {
        double n = (double)(st->window.kernel[0] * st->window.kernel[1]) + 1;
        double own = 2 * unit * n * in.magnitude * slack;
        in.change = in.change * slack + own;
        in.error = in.error * slack + own;
        in.deviation += in.error;
    }
    return in;
}

/* A leaky activation multiplies, and so rounds, in both runs; the others only choose. */
static bound behind_activation(const stoic_exec_step *step, bound in) {
    if (step->act.kind == STOIC_ACT_LEAKY) {
        in.change += 2 * unit * in.magnitude * slack;
        in.error += 2 * unit * in.magnitude * slack;
        in.deviation += in.error;
    }
    return in;
}

/* The bounds of one image's logits; infinite where nothing is known. */
static bound logit_bound(const stoic_faulty *f, int64_t image, double moved) {
    const stoic_program *g = f->program;
    const stoic_difference *d = &f->difference;
    bound now =
        behind_activation(&g->steps[d->step], first_layer(f, d->probes[d->step], image, moved));
    bool fine = now.magnitude < largest;
    for (int k = d->step + 1; k <= g->values[d->logits].step && fine; k++) {
        if (!f->changed[k])
            continue;
        now = g->steps[k].layer >= 0 ? next_layer(f, k, d->probes[k], image, now)
                                     : next_local(f, k, now);
        now = behind_activation(&g->steps[k], now);
        fine = now.magnitude < largest;
    }
    return fine ? now : (bound){INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
}

/* The class that every output within the bound gives, or -1. Each logit is off by at most its
 * error, plus `change`, plus what `moved` in the first layer's sums can do to it. */
static int decide(const stoic_faulty *f, const float *logits, const float *errors, int64_t n,
                  double change, double moved) {
    const stoic_difference *d = &f->difference;
    enum { CLASSES = 1024 };
    float low[CLASSES], high[CLASSES];
    int top = 0;
    low[0] = high[0] = 0;
    if (n < 1 || n > CLASSES || !(change < largest) || !(moved < largest))
        return -1;
    for (int64_t i = 0; i < n; i++) {
        double error = (double)errors[i] + change;
        if (moved > 0)
            error += slack * moved * (double)d->reach[i];
        if (!(fabsf(logits[i]) < (float)largest) || !(error < largest))
            return -1;
        low[i] = nextafterf((float)(logits[i] - error), -INFINITY);
        high[i] = nextafterf((float)(logits[i] + error), INFINITY);
        if (logits[i] > logits[top])
            top = (int)i;
    }
    if (d->final == STOIC_FINAL_SIGMOID) {
        /* monotone as computed: the outputs lie between those of the ends; saturated ones tie */
        f->program->kernels->unary(STOIC_SIGMOID, 0, 0, low, low, n);
        f->program->kernels->unary(STOIC_SIGMOID, 0, 0, high, high, n);
        for (int64_t i = n - 1; i >= 0; i--) {
            if (low[i] >= low[top])
                top = (int)i;
        }
    }
    /* computed probabilities keep the order of logits that are this far apart */
    float apart = d->final == STOIC_FINAL_SOFTMAX ? 1e-4f : 0;
    for (int64_t i = 0; i < n; i++) {
        bool below = high[i] + apart < low[top] ||
                     (d->final != STOIC_FINAL_SOFTMAX && i > top && high[i] <= low[top]);
        if (i != top && !below)
            return -1;
    }
    return top;
}

/* Channels that can hardly be felt are not added but counted as error. Returns how many are left
 * to add, *small: the most one of the others moves a sum, *left: all of those together. */
static int leave_out(const stoic_faulty *f, double *small, double *left) {
    const stoic_difference *d = &f->difference;
    int n = 0;
    *small = 0.3 / (d->reach_most * f->narrow.n_channels);
    *left = 0;
    for (int i = 0; i < f->narrow.n_channels; i++) {
        bool add = !(d->moved[i] <= *small);
        n += add;
        *left += add ? 0 : d->moved[i] * slack;
    }
    return n;
}

/* Images whose classes golden's logits do not say, side by side. */
static void run_relay(stoic_faulty *f, const stoic_block *b, const int *lanes, int n, int *top1) {
    const stoic_difference *d = &f->difference;
    int64_t classes = f->program->values[d->logits].size;
    stoic_relay_bound bounds[STOIC_LANES];
    int32_t found[STOIC_LANES];
    int open = 0;
    for (int l = 0; l < STOIC_LANES; l++) /* nobody asks for these */
        bounds[l] = (stoic_relay_bound){.plain = true};
    for (int i = 0; i < n; i++) {
        int64_t image = f->narrow.images[lanes[i]];
        double moved = find_moved(f, lanes[i]);
        bound most = logit_bound(f, image, moved);
        top1[i] = decide(f, b->golden[d->logits] + image * classes, d->errors + image * classes,
                         classes, most.change, most.moved);
        f->counts.small += top1[i] >= 0;
        if (top1[i] >= 0)
            continue;
        bounds[lanes[i]] = (stoic_relay_bound){moved, most.change < largest};
        open++;
    }
    if (open > 0)
        stoic_relay_run(f, b, bounds, found);
    for (int i = 0; i < n; i++)
        top1[i] = top1[i] >= 0 ? top1[i] : found[lanes[i]];
}

stoic_status stoic_difference_run(stoic_faulty *f, const stoic_block *b, const int *lanes, int n,
                                  int *top1, stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_difference *d = &f->difference;
    const stoic_exec_step *layer = &g->steps[d->step];
    float *sums = stoic_session_work(f->session, layer->out);
    int64_t size = g->values[layer->out].size, classes = g->values[d->logits].size;
    int32_t images[STOIC_LANES];
    int at[STOIC_LANES], rest = 0;
    double change[STOIC_LANES], left[STOIC_LANES], small;
    if (stoic_relay_fits(f)) {
        run_relay(f, b, lanes, n, top1);
        return STOIC_OK;
    }
    for (int i = 0; i < n; i++) {
        int64_t image = f->narrow.images[lanes[i]];
        bound most = logit_bound(f, image, find_moved(f, lanes[i]));
        /* often the change is so small, or the class so clear, that golden's logits decide */
        top1[i] = decide(f, b->golden[d->logits] + image * classes, d->errors + image * classes,
                         classes, most.change, most.moved);
        f->counts.small += top1[i] >= 0;
        /* with many channels to add the canonical kernel is as quick */
        if (top1[i] >= 0 || !(most.change < largest) ||
            leave_out(f, &small, &left[rest]) * 2 > f->narrow.stride)
            continue;
        changed_sums(f, image, lanes[i], small, sums + rest * size);
        change[rest] = most.change;
        images[rest] = (int32_t)image;
        at[rest++] = i;
    }
    if (rest == 0)
        return STOIC_OK;
    f->session->frame[layer->out] = sums;
    stoic_layer_finish(f->session, layer, sums, rest);
    int end = d->final == STOIC_FINAL_NONE ? g->n_steps : g->values[d->logits].step + 1;
    stoic_status status = stoic_faulty_steps(f, b, images, rest, d->step + 1, end, layer->out, err);
    for (int i = 0; i < rest && status == STOIC_OK; i++)
        top1[at[i]] = decide(f, f->session->frame[d->logits] + i * classes,
                             d->errors + images[i] * classes, classes, change[i], left[i]);
    return status;
}
