/*
 * Changes so large that bounds by norms say nothing, or that sums might overflow: the chains of the
 * pack are measured while they run.
 *
 * The convolution. Its canonical chain meets the terms of the hit channel in the order in which the
 * change's chain meets them, golden's terms in between. Adding one of these is off by no more than
 * the term, the term by no more than two partial sums of golden. With u = 2^-24, P the sum of the
 * |partial sums| of the change's chain and n its length, ours and the canonical sum are apart by at
 * most
 *
 *     2 total + u (6 P + (2 n + 8) peak),
 *
 * total and peak being golden's: in P are the hit terms' roundings, canonical and ours, those of
 * the change itself and of adding it to golden. So are the partial sums, of which the largest is
 * the largest one of the change, golden's peak and that.
 *
 * The products behind are summed in the canonical order. With T the sum of |partial sums| of such a
 * chain and e the errors of its inputs, ours and the canonical sum are apart by at most
 *
 *     |W| e + 2 u T.
 */
#include <string.h>

#include "exec/relay_parts.h"

static const double highest = 0x1.fp127;
static const float scale = 0x1p12f; /* chains are measured in this unit, as |sums| may not fit */

typedef struct stoic_relay relay;

/* The largest of n errors [n][16] of each image; infinite where one is not surely small, or NaN. */
static void find_worst(const float *errors, int64_t n, float *worst) {
    float most[STOIC_LANES] = {0}, sum[STOIC_LANES] = {0}; /* comparisons alone would lose a NaN */
    for (int64_t i = 0; i < n; i++) {
        for (int l = 0; l < STOIC_LANES; l++) {
            float e = errors[i * STOIC_LANES + l];
            most[l] = e > most[l] ? e : most[l];
            sum[l] += e * 0x1p-24f;
        }
    }
    for (int l = 0; l < STOIC_LANES; l++)
        worst[l] = most[l] < 1e37f && sum[l] < 1e37f ? most[l] : INFINITY;
}

/* Errors that a fault brings to the 16 images by itself. */
typedef struct fixed {
    float error[STOIC_LANES], peak[STOIC_LANES];
} fixed;

static fixed find_fixed(const stoic_faulty *f, const relay *r) {
    const stoic_narrow *w = &f->narrow;
    const stoic_probe *probe = f->difference.probes[r->step];
    double near = STOIC_RELAY_UNIT * (2 * (double)f->difference.taps + 8);
    fixed out;
    for (int l = 0; l < STOIC_LANES; l++) {
        int64_t image = w->images[l < w->n_images ? l : 0];
        double total = (double)probe->total[image], peak = (double)probe->peak[image];
        out.error[l] = stoic_above(slack * (2 * total + near * peak) + tiny);
        out.peak[l] = stoic_above(peak);
    }
    return out;
}

/* The errors of what the tail reads, [element][16]; worst[16]: of the convolution's sums;
 * infinite where these might overflow. */
static const float *first_errors(const stoic_faulty *f, const relay *r, float *out,
                                 float *worst) {
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    int64_t channels = g->layers[g->steps[r->step].layer].channels, taps = f->difference.taps;
    float *change = out + g->values[r->value].size * STOIC_LANES;
    float *sums = change + w->pixels * STOIC_LANES, *other = sums + r->widest * STOIC_LANES;
    float channel[STOIC_LANES], peak[STOIC_LANES] = {0};
    float times = (float)(slack * 6 * STOIC_RELAY_UNIT) * scale;
    fixed own = find_fixed(f, r);
    stoic_chain c = stoic_relay_chain(f);
    for (int64_t i = 0; i < w->pixels * STOIC_LANES; i++)
        change[i] = (w->lanes[i] - w->golden[i]) * (1 / scale);
    memset(worst, 0, STOIC_LANES * sizeof *worst);
    for (int64_t o = 0; o < channels; o++) {
        g->kernels->chain_probe(&c, r->weights + o * taps, NULL, change, sums, peak);
        for (int64_t p = 0; p < r->pixels; p++) {
            float *e = sums + p * STOIC_LANES;
            for (int l = 0; l < STOIC_LANES; l++)
                e[l] = times * e[l] + own.error[l];
        }
        find_worst(sums, r->pixels, channel);
        for (int l = 0; l < STOIC_LANES; l++)
            worst[l] = channel[l] > worst[l] ? channel[l] : worst[l];
        stoic_relay_put(f, o, stoic_max_pools(g, r->path, r->n_path, sums, other), out);
    }
    for (int l = 0; l < STOIC_LANES; l++) {
        double most = slack * (double)peak[l] * (double)scale;
        if (!(most + (double)own.peak[l] + (double)worst[l] < highest))
            worst[l] = INFINITY;
    }
    return out;
}

float *stoic_relay_measured(const stoic_faulty *f, float *in, float *errors) {
    const relay *r = f->relay;
    const stoic_kernels *kernels = f->program->kernels;
    float *out = in + r->products[0].in * STOIC_LANES;
    float *spare = out + STOIC_TAIL_WIDEST * STOIC_LANES;
    float *total = spare + STOIC_TAIL_WIDEST * STOIC_LANES;
    float *next = r->measured, *other = next + STOIC_TAIL_WIDEST * STOIC_LANES;
    float worst[STOIC_LANES], times = (float)(2 * STOIC_RELAY_UNIT * 4096);
    const float *e = first_errors(f, r, other + STOIC_TAIL_WIDEST * STOIC_LANES, worst);
    for (int i = 0; i < r->tail.n; i++) {
        stoic_product sizes = r->products[i];
        float peak[STOIC_LANES] = {0}, widest[STOIC_LANES];
        sizes.weights = r->sizes_of[i];
        sizes.start = sizes.end = NULL;
        sizes.relu = false;
        kernels->product_probe(&r->products[i], in, out, total, peak);
        kernels->product(&sizes, e, next, NULL);
        for (int64_t o = 0; o < sizes.out; o++) {
            float *now = next + o * STOIC_LANES;
            for (int l = 0; l < STOIC_LANES; l++)
                now[l] = (now[l] + times * total[o * STOIC_LANES + l]) * (float)slack + (float)tiny;
        }
        find_worst(next, sizes.out, widest);
        for (int l = 0; l < STOIC_LANES; l++) {
            if (!((double)peak[l] + (double)widest[l] < highest))
                worst[l] = INFINITY;
        }
        e = next;
        next = other;
        other = next == r->measured ? next + STOIC_TAIL_WIDEST * STOIC_LANES : r->measured;
        in = out;
        out = spare;
        spare = in;
    }
    for (int64_t k = 0; k < r->classes * STOIC_LANES; k++)
        errors[k] = worst[k % STOIC_LANES] < 1e37f ? e[k] : INFINITY;
    return in;
}
