#include "exec/scalar_sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

bool stoic_scalar_knows(const stoic_exec_step *step) {
    return step->kind == STOIC_STEP_LAYER;
}

static float replaced(float sum, const stoic_op_hit *hit) {
    uint32_t bits;
    memcpy(&bits, &sum, sizeof bits);
    bits = hit->flip ? bits ^ hit->bits : hit->bits;
    memcpy(&sum, &bits, sizeof sum);
    return sum;
}

static void add(stoic_scalar_sum *s, float x, float w, const stoic_op_hit *hit) {
    s->clean = fmaf(x, w, s->clean);
    s->faulty = fmaf(x, w, s->faulty);
    if (hit && s->steps == hit->step) {
        s->faulty = replaced(s->faulty, hit);
        s->hit = true;
    }
    s->steps++;
}

static int64_t taps_of(const stoic_exec_layer *layer) {
    return layer->shape.ic * layer->shape.kh * layer->shape.kw;
}

static void take_weights(const stoic_scalar *scalar, const stoic_session *session,
                         const stoic_exec_layer *layer, int64_t channel) {
    const stoic_dnn_shape *s = &layer->shape;
    int64_t taps = taps_of(layer);
    for (int64_t i = 0; i < taps; i++) {
        int64_t index = layer->transposed ? i * s->oc + channel : channel * taps + i;
        scalar->weights[i] =
            session->constants[layer->weights_at + stoic_layer_weight_offset(layer, index)];
    }
}

static void sum_conv(const stoic_dnn_shape *s, const float *weights, const float *input,
                     int64_t channel, int64_t pixel, const stoic_op_hit *hit,
                     stoic_scalar_sum *out) {
    int64_t top = pixel / s->ow * s->stride_h - s->pad_top;
    int64_t left = pixel % s->ow * s->stride_w - s->pad_left;
    int64_t stride = s->groups * s->ic;
    const float *x = input + channel / s->oc * s->ic;
    for (int64_t i = 0; i < s->ic; i++, x++) {
        for (int64_t r = 0; r < s->kh; r++, weights += s->kw) {
            int64_t row = top + r * s->dilation_h;
            if (row < 0 || row >= s->ih)
                continue;
            for (int64_t c = 0; c < s->kw; c++) {
                int64_t column = left + c * s->dilation_w;
                if (column >= 0 && column < s->iw)
                    add(out, x[(row * s->iw + column) * stride], weights[c], hit);
            }
        }
    }
}

/* Features behind a flattened image are summed c, h, w, and lie h, w, c. */
static void sum_product(const stoic_exec_layer *layer, const float *weights, const float *input,
                        const stoic_op_hit *hit, stoic_scalar_sum *out) {
    for (int64_t i = 0; i < layer->shape.ic; i++) {
        int64_t at = layer->flat_c ? i % layer->flat_hw * layer->flat_c + i / layer->flat_hw : i;
        add(out, input[at], weights[i], hit);
    }
}

stoic_status stoic_scalar_sums(stoic_scalar *scalar, const stoic_session *session,
                               const stoic_exec_step *step, const float *input, int64_t output,
                               int64_t count, const stoic_op_hit *hit, stoic_scalar_sum *out,
                               stoic_error *err) {
    const stoic_exec_layer *layer = &session->program->layers[step->layer];
    const stoic_dnn_shape *s = &layer->shape;
    size_t taps = (size_t)taps_of(layer);
    int64_t pixels = s->oh * s->ow, known = -1;
    if (taps > scalar->room) {
        float *weights = realloc(scalar->weights, taps * sizeof *weights);
        if (!weights)
            return stoic_fail_memory(err, "weights of a channel", taps * sizeof *weights);
        scalar->weights = weights;
        scalar->room = taps;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t at = output + i;
        int64_t channel = layer->matrix ? at % layer->channels : at / pixels;
        out[i] = (stoic_scalar_sum){0};
        if (channel != known)
            take_weights(scalar, session, layer, channel);
        known = channel;
        if (layer->matrix)
            sum_product(layer, scalar->weights, input + at / layer->channels * s->ic, hit, &out[i]);
        else
            sum_conv(s, scalar->weights, input, channel, at % pixels, hit, &out[i]);
        if (layer->bias >= 0) {
            out[i].clean += session->constants[layer->bias_at + channel];
            out[i].faulty += session->constants[layer->bias_at + channel];
        }
    }
    return STOIC_OK;
}
