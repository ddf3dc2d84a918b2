#include "exec/chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"

stoic_chain stoic_chain_of(const stoic_chains *chains, int layer, int64_t channel) {
    stoic_chain c = chains->layers[layer].shape;
    c.first = channel / chains->program->layers[layer].shape.oc * c.ic;
    return c;
}

void stoic_chain_weights(const stoic_chains *chains, const stoic_session *s, int layer,
                         int64_t channel, float *weights) {
    const stoic_layer_chain *l = &chains->layers[layer];
    const float *packed = s->constants + chains->program->layers[layer].weights_at;
    for (int64_t k = 0; k < l->taps; k++)
        weights[k] = packed[l->offset[channel * l->taps + k]];
}

stoic_status stoic_chain_places(const stoic_chain *c, int64_t ky, int64_t kx, int32_t **at,
                                size_t *room, stoic_error *err) {
    size_t pixels = (size_t)(c->oh * c->ow);
    if (pixels > *room) {
        int32_t *more = realloc(*at, pixels * sizeof *more);
        if (!more)
            return stoic_fail_memory(err, "a channel's places", pixels * sizeof *more);
        *at = more;
        *room = pixels;
    }
    for (int64_t p = 0; p < c->oh * c->ow; p++) {
        int64_t y = p / c->ow * c->stride_h + ky * c->dilation_h - c->pad_top;
        int64_t x = p % c->ow * c->stride_w + kx * c->dilation_w - c->pad_left;
        bool inside = y >= 0 && y < c->ih && x >= 0 && x < c->iw;
        (*at)[p] = inside ? (int32_t)(y * c->iw + x) : -1;
    }
    return STOIC_OK;
}

void stoic_lanes_pack(const float *images, int n, int64_t size, float *lanes) {
    for (int64_t i = 0; i < size; i++) {
        for (int k = 0; k < STOIC_LANES; k++)
            lanes[i * STOIC_LANES + k] = k < n ? images[k * size + i] : 0;
    }
}

static stoic_status describe(const stoic_exec_layer *layer, stoic_layer_chain *out,
                             stoic_error *err) {
    const stoic_dnn_shape *s = &layer->shape;
    out->taps = s->ic * s->kh * s->kw;
    out->shape = (stoic_chain){.ic = s->ic,
                               .channels = s->groups * s->ic,
                               .ih = s->ih,
                               .iw = s->iw,
                               .oh = s->oh,
                               .ow = s->ow,
                               .kh = s->kh,
                               .kw = s->kw,
                               .stride_h = s->stride_h,
                               .stride_w = s->stride_w,
                               .dilation_h = s->dilation_h,
                               .dilation_w = s->dilation_w,
                               .pad_top = s->pad_top,
                               .pad_left = s->pad_left};
    if (layer->packed > INT32_MAX)
        return STOIC_OK;
    size_t count = (size_t)(layer->channels * out->taps);
    out->offset = malloc(count * sizeof *out->offset);
    if (!out->offset)
        return stoic_fail_memory(err, "a layer's weight order", count * sizeof *out->offset);
    int32_t *next = out->offset;
    for (int64_t o = 0; o < layer->channels; o++) {
        for (int64_t k = 0; k < s->kh * s->kw; k++) {
            for (int64_t i = 0; i < s->ic; i++)
                *next++ =
                    (int32_t)stoic_layer_packed_offset(layer, (o * s->ic + i) * s->kh * s->kw + k);
        }
    }
    return STOIC_OK;
}

/* Weights with the output channel innermost: what one input value contributes to. */
static stoic_status sort_by_input(const stoic_program *g, const stoic_exec_layer *layer,
                                  stoic_layer_chain *l, stoic_error *err) {
    enum { LARGEST = 1 << 22 };
    int64_t count = l->taps * layer->channels;
    if (layer->shape.groups != 1 || count > LARGEST)
        return STOIC_OK;
    l->by_input = malloc((size_t)count * sizeof(float));
    if (!l->by_input)
        return stoic_fail_memory(err, "weights by input", (unsigned long long)count * 4);
    const float *packed = g->constant_base + layer->weights_at;
    for (int64_t o = 0; o < layer->channels; o++) {
        for (int64_t k = 0; k < l->taps; k++)
            l->by_input[k * layer->channels + o] = packed[l->offset[o * l->taps + k]];
    }
    return STOIC_OK;
}

typedef struct trial {
    float *images, *sums, *lanes, *chain, *weights;
} trial;

/* Does the chain give the bits of `sums` for every output of every image? */
static bool agrees(const stoic_chains *chains, const stoic_session *s, int index, const trial *t) {
    const stoic_exec_layer *layer = &s->program->layers[index];
    int64_t pixels = layer->shape.oh * layer->shape.ow;
    for (int64_t o = 0; o < layer->channels; o++) {
        stoic_chain c = stoic_chain_of(chains, index, o);
        stoic_chain_weights(chains, s, index, o, t->weights);
        s->program->kernels->chain(&c, t->weights,
                                   layer->bias >= 0 ? s->constants + layer->bias_at + o : NULL,
                                   t->lanes, t->chain);
        for (int64_t p = 0; p < pixels; p++) {
            for (int k = 0; k < STOIC_LANES; k++) {
                if (memcmp(&t->chain[p * STOIC_LANES + k],
                           &t->sums[(k * pixels + p) * layer->channels + o], sizeof(float)) != 0)
                    return false;
            }
        }
    }
    return true;
}

static void discover(stoic_chains *chains, stoic_session *s, int index, const trial *t) {
    static const int64_t blocks[] = {INT64_MAX / 2, 8, 16, 32, 64, 4};
    stoic_layer_chain *l = &chains->layers[index];
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks && !l->known; b++) {
        if (b > 0 && blocks[b] >= l->shape.ic)
            continue;
        for (int first = 0; first < 2 && !l->known; first++) {
            l->shape.block = b == 0 ? l->shape.ic : blocks[b];
            l->shape.bias_first = first;
            l->known = agrees(chains, s, index, t);
        }
    }
}

/* The largest row sum of |w|, rounded up: the sum is at most (1 + n u) off in double. */
static double row_norm(const stoic_session *s, const stoic_exec_layer *layer,
                       const stoic_layer_chain *l) {
    double most = 0;
    for (int64_t o = 0; o < layer->channels; o++) {
        double sum = 0;
        for (int64_t k = 0; k < l->taps; k++)
            sum += fabs((double)s->constants[layer->weights_at + l->offset[o * l->taps + k]]);
        most = sum > most ? sum : most;
        if (sum != sum)
            return INFINITY;
    }
    return most * (1 + 1e-9);
}

static float symmetric(stoic_rng *rng) {
    return (float)(stoic_rng_unit(rng) * 2 - 1);
}

/* The order is the kernel's, whatever the model: its own weights and biases may be zero or NaN,
 * behind which wrong orders hide, and a fault may change them. */
static void randomise(const stoic_exec_layer *layer, const stoic_layer_chain *l, float *constants,
                      stoic_rng *rng) {
    for (int64_t i = 0; i < layer->channels * l->taps; i++)
        constants[layer->weights_at + l->offset[i]] = symmetric(rng);
    for (int64_t o = 0; layer->bias >= 0 && o < layer->channels; o++)
        constants[layer->bias_at + o] = symmetric(rng);
}

static void trial_deinit(trial *t) {
    free(t->images);
    free(t->sums);
    free(t->lanes);
    free(t->chain);
    free(t->weights);
}

static stoic_status trial_init(const stoic_chains *chains, const stoic_exec_step *step, trial *t,
                               stoic_error *err) {
    const stoic_program *g = chains->program;
    int64_t in = g->values[step->in[0]].size, out = g->values[step->out].size;
    *t = (trial){.images = malloc((size_t)(in * STOIC_LANES) * sizeof(float)),
                 .sums = malloc((size_t)(out * STOIC_LANES) * sizeof(float)),
                 .lanes = malloc((size_t)(in * STOIC_LANES) * sizeof(float)),
                 .chain = malloc((size_t)(out * STOIC_LANES) * sizeof(float)),
                 .weights = malloc((size_t)chains->layers[step->layer].taps * sizeof(float))};
    if (t->images && t->sums && t->lanes && t->chain && t->weights)
        return STOIC_OK;
    trial_deinit(t);
    return stoic_fail_memory(err, "a layer's probe", (size_t)(in + out) * 128);
}

/* The canonical sums of the trial's images, and the images side by side. */
static stoic_status trial_run(stoic_session *s, const stoic_exec_step *step, const trial *t,
                              stoic_error *err) {
    stoic_lanes_pack(t->images, STOIC_LANES, s->program->values[step->in[0]].size, t->lanes);
    return stoic_layer_sums(s, step, t->images, t->sums, STOIC_LANES, err);
}

static stoic_status discover_step(stoic_chains *chains, stoic_session *s, int step_index,
                                  stoic_error *err) {
    const stoic_program *g = chains->program;
    const stoic_exec_step *step = &g->steps[step_index];
    stoic_layer_chain *l = &chains->layers[step->layer];
    trial t;
    stoic_status status = trial_init(chains, step, &t, err);
    if (status != STOIC_OK)
        return status;
    stoic_rng rng;
    stoic_rng_init(&rng, 1, (uint64_t)step_index, STOIC_STREAM_VALUE);
    for (int64_t i = 0; i < g->values[step->in[0]].size * STOIC_LANES; i++)
        t.images[i] = symmetric(&rng);
    randomise(&g->layers[step->layer], l, s->constants, &rng);
    status = trial_run(s, step, &t, err);
    if (status == STOIC_OK)
        discover(chains, s, step->layer, &t);
    memcpy(s->constants, g->constant_base, (size_t)g->constants * sizeof(float));
    l->norm = row_norm(s, &g->layers[step->layer], l);
    trial_deinit(&t);
    return status;
}

stoic_status stoic_chains_confirm(stoic_chains *chains, stoic_session *s, float *const *golden,
                                  int count, stoic_error *err) {
    const stoic_program *g = chains->program;
    int n = count < STOIC_LANES ? count : STOIC_LANES;
    for (int i = 0; i < g->n_steps; i++) {
        const stoic_exec_step *step = &g->steps[i];
        if (step->layer < 0 || !chains->layers[step->layer].known)
            continue;
        trial t;
        stoic_status status = trial_init(chains, step, &t, err);
        if (status != STOIC_OK)
            return status;
        size_t size = (size_t)g->values[step->in[0]].size;
        memset(t.images, 0, size * STOIC_LANES * sizeof *t.images);
        memcpy(t.images, golden[step->in[0]], size * (size_t)n * sizeof *t.images);
        status = trial_run(s, step, &t, err);
        chains->layers[step->layer].known = agrees(chains, s, step->layer, &t);
        if (!chains->layers[step->layer].known)
            stoic_log(STOIC_LOG_DEBUG, "the order of sums in '%s' is not what it seemed",
                      step->name);
        trial_deinit(&t);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

stoic_status stoic_chains_create(const stoic_program *program, stoic_chains **out,
                                 stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_session *s = NULL;
    stoic_chains *chains = calloc(1, sizeof *chains);
    if (!chains)
        return stoic_fail_memory(err, "the order of sums", sizeof *chains);
    chains->program = program;
    chains->layers = calloc((size_t)program->n_layers + 1, sizeof *chains->layers);
    if (!chains->layers) {
        status = stoic_fail_memory(err, "the order of sums", (size_t)program->n_layers * 128);
        goto done;
    }
    TRY(stoic_session_create(program, &s, err));
    for (int i = 0; i < program->n_steps; i++) {
        int layer = program->steps[i].layer;
        if (layer < 0)
            continue;
        TRY(describe(&program->layers[layer], &chains->layers[layer], err));
        if (chains->layers[layer].offset) {
            TRY(discover_step(chains, s, i, err));
            TRY(sort_by_input(program, &program->layers[layer], &chains->layers[layer], err));
        }
    }
    *out = chains;
    chains = NULL;
done:
    stoic_session_free(s);
    stoic_chains_free(chains);
    return status;
}

void stoic_chains_free(stoic_chains *chains) {
    if (!chains)
        return;
    for (int i = 0; chains->layers && i < chains->program->n_layers; i++) {
        free(chains->layers[i].offset);
        free(chains->layers[i].by_input);
    }
    free(chains->layers);
    free(chains);
}
