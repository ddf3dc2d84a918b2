/*
 * The errors that stay where no sum behind the hit layer moves by more than a level: what a ReLU
 * surely holds at 0, in golden's run and the faulty one, passes none on. Near a tie between two
 * classes this makes most images decidable.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/relay_parts.h"

typedef struct stoic_relay relay;

/* Values of the convolution's outputs of 16 images, [pixel][channel] each, pooled as the network
 * does but without ReLU: [element][16]. */
static float *pooled(const stoic_faulty *f, const relay *r, const stoic_block *b, const float *from,
                     int first, float *out) {
    const stoic_program *g = f->program;
    int64_t channels = g->layers[g->steps[r->step].layer].channels, size = r->pixels * channels;
    float *one = r->scratch, *two = one + r->widest * STOIC_LANES;
    for (int64_t o = 0; o < channels; o++) {
        for (int l = 0; l < STOIC_LANES; l++) {
            const float *image = from + (first + l < b->count ? first + l : first) * size;
            for (int64_t p = 0; p < r->pixels; p++)
                one[p * STOIC_LANES + l] = image[p * channels + o];
        }
        stoic_relay_put(f, o, stoic_max_pools(g, r->path, r->n_path, one, two), out);
    }
    return out;
}

static bool has_relu(const stoic_faulty *f, const relay *r) {
    bool relu = f->program->steps[r->step].act.kind == STOIC_ACT_RELU;
    for (int i = 0; i < r->n_path; i++)
        relu = relu || f->program->steps[r->path[i]].act.kind == STOIC_ACT_RELU;
    return relu;
}

double stoic_relay_level(int level) {
    static const double times[STOIC_RELAY_LEVELS] = {1, 8, 32, 128};
    return times[level] * STOIC_QUIET;
}

int stoic_relay_level_of(double sum) {
    int level = 0;
    while (level < STOIC_RELAY_LEVELS && !(sum < stoic_relay_level(level)))
        level++;
    return level;
}

/* Leaves no error where a ReLU holds. */
static void silence(const float *sums, int64_t count, double level, float *errors) {
    for (int64_t i = 0; i < count; i++) {
        if ((double)sums[i] + level + (double)errors[i] < 0)
            errors[i] = 0;
    }
}

/* One product of the tail: |W| errors, its own roundings, and what its ReLU holds. */
static void product(const stoic_faulty *f, const stoic_block *b, int i, int first, double level,
                    const float *in, float *out) {
    const relay *r = f->relay;
    stoic_product p = r->products[i];
    const float *rows[STOIC_LANES];
    float columns[STOIC_TAIL_WIDEST * STOIC_LANES];
    const stoic_probe *probe = f->difference.probes[r->tail.step[i]];
    p.weights = r->sizes_of[i];
    p.start = p.end = NULL;
    p.relu = false;
    f->program->kernels->product(&p, in, out, NULL);
    for (int l = 0; l < STOIC_LANES; l++) {
        int64_t image = first + l < b->count ? first + l : first;
        rows[l] = r->sums[i] + image * p.out;
        for (int64_t o = 0; o < p.out; o++) {
            double total = (double)probe->totals[image * p.out + o];
            float *e = &out[o * STOIC_LANES + l];
            /* two runs, and adding changes to golden (relay_side.c) */
            *e = stoic_above(slack * ((double)*e + 3 * unit * total) + tiny);
        }
    }
    f->program->kernels->columns(rows, p.out, columns);
    if (r->products[i].relu)
        silence(columns, p.out * STOIC_LANES, level, out);
}

/* Sixteen images from `first` on, at one level; `errors` and `sums` of the convolution. */
static void fill_level(const stoic_faulty *f, const stoic_block *b, int first, double level,
                       const float *errors, const float *sums, float *scratch, float *quiet) {
    const relay *r = f->relay;
    int64_t count = r->reach.in * STOIC_LANES, classes = r->classes;
    float *in = scratch, *out = in + count, *spare = out + STOIC_TAIL_WIDEST * STOIC_LANES;
    memcpy(in, errors, (size_t)count * sizeof *in);
    if (has_relu(f, r))
        silence(sums, count, level, in);
    for (int i = 0; i < r->tail.n; i++) {
        product(f, b, i, first, level, in, out);
        in = out;
        out = spare;
        spare = in;
    }
    for (int l = 0; l < STOIC_LANES && first + l < b->count; l++) {
        for (int64_t k = 0; k < classes; k++)
            quiet[(first + l) * classes + k] = stoic_above(slack * (double)in[k * STOIC_LANES + l]);
    }
}

static void fill(const stoic_faulty *f, const stoic_block *b, float *quiet) {
    const relay *r = f->relay;
    const stoic_difference *d = &f->difference;
    int64_t count = r->reach.in * STOIC_LANES;
    float *sums = r->scratch + 2 * r->widest * STOIC_LANES, *errors = sums + count;
    for (int first = 0; first < b->count; first += STOIC_LANES) {
        pooled(f, r, b, d->probes[r->step]->totals, first, errors);
        pooled(f, r, b, d->sums, first, sums);
        /* golden's roundings, the faulty run's, and the one of adding the change to golden */
        for (int64_t i = 0; i < count; i++)
            errors[i] = stoic_above(3 * unit * slack * (double)errors[i] + tiny);
        for (int level = 0; level < STOIC_RELAY_LEVELS; level++)
            fill_level(f, b, first, stoic_relay_level(level), errors, sums, errors + count,
                       quiet + level * b->count * r->classes);
    }
}

stoic_status stoic_relay_quiet(stoic_faulty *f, stoic_block *b, const float **out,
                               stoic_error *err) {
    int layer = f->program->steps[f->relay->step].layer;
    float *fresh;
    pthread_mutex_lock(&b->lock);
    *out = b->quiet[layer];
    pthread_mutex_unlock(&b->lock);
    if (*out)
        return STOIC_OK;
    size_t bytes = (size_t)(STOIC_RELAY_LEVELS * b->count * f->relay->classes) * sizeof *fresh;
    fresh = malloc(bytes);
    if (!fresh)
        return stoic_fail_memory(err, "rounding bounds", bytes);
    stoic_status status = STOIC_OK;
    fill(f, b, fresh);
    pthread_mutex_lock(&b->lock);
    if (!b->quiet[layer])
        status = stoic_block_seal(b, fresh, (int64_t)bytes, err);
    if (!b->quiet[layer] && status == STOIC_OK) {
        b->quiet[layer] = fresh;
        fresh = NULL;
    }
    *out = b->quiet[layer];
    pthread_mutex_unlock(&b->lock);
    free(fresh);
    return status;
}
