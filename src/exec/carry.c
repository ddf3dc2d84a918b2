/* What carry_run.c needs for one weight: the tail as products, and one channel of the block. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/carry_parts.h"

typedef struct stoic_carry carry;

void stoic_carry_free(carry *c) {
    if (!c)
        return;
    free(c->channel_sums);
    free(c->totals);
    free(c->frontier);
    free(c->input);
    free(c->at);
    free(c->scratch);
    free(c->plain);
    free(c);
}

static double largest_row(const stoic_product *p) {
    double most = 0;
    for (int64_t o = 0; o < p->out; o++) {
        double sum = 0;
        for (int64_t i = 0; i < p->in; i++)
            sum += fabs((double)p->weights[i * p->step + o]);
        most = sum <= most ? most : sum;
    }
    return most * slack;
}

bool stoic_tail_saturates(const stoic_kernels *kernels) {
    float ends[] = {18, 0x1p127f, -110, -0x1p127f, 15};
    kernels->unary(STOIC_SIGMOID, 0, 0, ends, ends, 5);
    return ends[0] == 1 && ends[1] == 1 && ends[2] == 0 && ends[3] == 0 && ends[4] < 1;
}

/* Images of which nothing golden is NaN or large. */
static stoic_status find_plain(const stoic_block *b, carry *c, stoic_error *err) {
    const stoic_program *g = b->program;
    int64_t classes = g->values[g->output].size;
    if (c->plain_block == b->serial && c->plain_step == c->step)
        return STOIC_OK;
    if ((size_t)b->count > c->plain_room) {
        bool *more = realloc(c->plain, (size_t)b->count * sizeof *more);
        if (!more)
            return stoic_fail_memory(err, "a choice of images", (size_t)b->count);
        c->plain = more;
        c->plain_room = (size_t)b->count;
    }
    for (int image = 0; image < b->count; image++) {
        bool nan;
        stoic_top1(b->golden[g->output] + image * classes, classes, &nan);
        bool plain = !nan && (double)c->hit->peak[image] < 0x1p100;
        for (int i = 0; i < c->tail.n; i++)
            plain = plain && (double)c->probes[i]->peak[image] < 0x1p100;
        c->plain[image] = plain;
    }
    c->plain_block = b->serial;
    c->plain_step = c->step;
    return STOIC_OK;
}

/* The tail as products; `elements` values of its input are hit, from `first` on, `stride` apart. */
static stoic_status find_products(stoic_faulty *f, stoic_block *b, carry *c, int64_t elements,
                                  int64_t first, int64_t stride, stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_tail *t = &c->tail;
    stoic_status status = STOIC_OK;
    double chain_length = (double)f->chains->layers[g->steps[c->step].layer].taps + 6;
    TRY(stoic_block_probe(b, f->chains, c->step, &c->hit, err));
    c->off[0] = (float)(unit * slack * slack * chain_length);
    c->off[1] = (float)(unit * slack * slack * 3);
    c->off[2] = (float)(unit * slack * slack * 6);
    c->off[3] = c->off[1] * absorbed;
    c->near = c->far = 0;
    for (int i = 0; i < t->n; i++) {
        const stoic_exec_step *step = &g->steps[t->step[i]];
        const stoic_exec_layer *layer = &g->layers[step->layer];
        const stoic_layer_chain *chain = &f->chains->layers[step->layer];
        const float *bias = layer->bias < 0 ? NULL : g->constant_base + layer->bias_at;
        stoic_product *p = &c->products[i];
        *p = (stoic_product){.in = chain->taps,
                             .out = layer->channels,
                             .weights = chain->by_input,
                             .step = layer->channels,
                             .start = chain->shape.bias_first ? bias : NULL,
                             .end = chain->shape.bias_first ? NULL : bias,
                             .relu = step->act.kind == STOIC_ACT_RELU};
        c->norms[i] = chain->norm * slack;
        /* of the first layer, what is hit alone where all else is nothing beside it */
        c->near += 2 * (double)chain->taps + 8 + (i == 0 ? (double)elements : 0);
        c->far += 2 * (double)(i == 0 ? elements : chain->taps) + 8;
        TRY(stoic_block_probe(b, f->chains, t->step[i], &c->probes[i], err));
    }
    stoic_product *p = &c->products[0];
    p->in = elements;
    p->weights += first * p->out;
    p->step = stride * p->out;
    p->start = p->end = NULL;
    c->norms[0] = largest_row(p);
    TRY(stoic_tail_logits(f, b, t, &c->logits, err));
    TRY(stoic_block_sums(b, f->session, t->step[0], &c->first, err));
    status = find_plain(b, c, err);
done:
    return status;
}

static stoic_status begin(stoic_faulty *f, const stoic_tail *t, const stoic_line *line, int step,
                          int64_t channel, stoic_error *err) {
    if (!f->carry)
        f->carry = calloc(1, sizeof *f->carry);
    carry *c = f->carry;
    if (!c)
        return stoic_fail_memory(err, "a change", sizeof *c);
    c->use = false;
    c->tail = *t;
    c->line = line;
    c->step = step;
    c->channel = channel;
    c->sigmoid = t->final == STOIC_FINAL_SIGMOID;
    return stoic_faulty_grow(&c->scratch, &c->scratch_room, (size_t)(WIDE * STOIC_LANES), err);
}

static void set_reach(const stoic_faulty *f, carry *c, const float *reach) {
    int64_t classes = f->program->values[f->program->output].size;
    c->reach =
        (stoic_product){.in = c->products[0].in, .out = classes, .weights = reach, .step = classes};
}

stoic_status stoic_carry_line(stoic_faulty *f, stoic_block *b, int first, int64_t channel,
                              stoic_error *err) {
    const stoic_exec_step *step = &f->program->steps[first];
    const stoic_line *line = b->lines[step->layer];
    stoic_status status = STOIC_OK;
    stoic_tail t;
    if (!stoic_tail_find(f, step->out, first + 1, &t))
        return stoic_fail(err, STOIC_ERR_INTERNAL, "", "a product without a tail");
    TRY(begin(f, &t, line, first, channel, err));
    carry *c = f->carry;
    TRY(find_products(f, b, c, 1, channel, 1, err));
    TRY(stoic_block_sums(b, f->session, first, &c->sums, err));
    set_reach(f, c, line->reach + channel * f->program->values[f->program->output].size);
    c->use = !c->sigmoid || stoic_tail_saturates(f->program->kernels);
done:
    return status;
}

/* ---- a convolution ---- */

/* Channel `channel` of `channels`, of every image: [image][places]. */
static stoic_status one_channel(const stoic_block *b, const float *from, int64_t places,
                                int64_t channels, int64_t channel, float **out, size_t *room,
                                stoic_error *err) {
    stoic_status status = stoic_faulty_grow(out, room, (size_t)(b->count * places), err);
    for (int64_t image = 0; image < b->count && status == STOIC_OK; image++) {
        const float *src = from + image * places * channels + channel;
        for (int64_t p = 0; p < places; p++)
            (*out)[image * places + p] = src[p * channels];
    }
    return status;
}

/* What every weight of the channel shares. */
static stoic_status take_channel(stoic_faulty *f, stoic_block *b, const stoic_tail *t,
                                 const stoic_line *line, stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    stoic_status status = STOIC_OK;
    TRY(begin(f, t, line, w->step, w->channels[0], err));
    carry *c = f->carry;
    c->block = 0;
    c->source = -1;
    c->pixels = g->values[g->steps[w->step].out].size / w->stride;
    TRY(find_products(f, b, c, w->pixels, c->channel, w->stride, err));
    TRY(stoic_block_sums(b, f->session, w->step, &c->sums, err));
    TRY(one_channel(b, c->sums, c->pixels, w->stride, c->channel, &c->channel_sums, &c->sums_room,
                    err));
    TRY(one_channel(b, c->hit->totals, c->pixels, w->stride, c->channel, &c->totals,
                    &c->totals_room, err));
    TRY(one_channel(b, b->golden[w->frontier], w->pixels, w->stride, c->channel, &c->frontier,
                    &c->frontier_room, err));
    c->block = b->serial;
done:
    return status;
}

stoic_status stoic_carry_limit(stoic_faulty *f, stoic_block *b, const stoic_tail *t,
                               const stoic_line *line, const float *reach, int64_t index,
                               stoic_error *err) {
    const stoic_program *g = f->program;
    const stoic_narrow *w = &f->narrow;
    const stoic_exec_step *step = &g->steps[w->step];
    const stoic_dnn_shape *s = &g->layers[step->layer].shape;
    const stoic_chain *chain = &f->chains->layers[step->layer].shape;
    int64_t weight = index % (s->ic * s->kh * s->kw), source = weight / (s->kw * s->kh);
    stoic_status status = STOIC_OK;
    carry *c = f->carry;
    if (!c || c->block != b->serial || c->step != w->step || c->channel != w->channels[0])
        TRY(take_channel(f, b, t, line, err));
    c = f->carry;
    c->places = chain->ih * chain->iw;
    if (c->source != source)
        TRY(one_channel(b, b->golden[step->in[0]], c->places, chain->channels, source, &c->input,
                        &c->input_room, err));
    c->source = source;
    TRY(stoic_chain_places(chain, weight / s->kw % s->kh, weight % s->kw, &c->at, &c->at_room,
                           err));
    TRY(stoic_faulty_grow(&c->scratch, &c->scratch_room,
                          (size_t)((WIDE + 4 * w->widest + c->places) * STOIC_LANES), err));
    set_reach(f, c, reach);
    c->use = !c->sigmoid || stoic_tail_saturates(g->kernels);
done:
    return status;
}
