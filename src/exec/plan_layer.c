/* Conv, Gemm and MatMul with constant weights: oneDNN's convolution, or our own kernel. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/run.h"

stoic_status stoic_layer_of_conv(const stoic_op_call *call, stoic_exec_layer *layer,
                                 stoic_error *err) {
    stoic_window w;
    stoic_status status = stoic_conv_window(call, &w, err);
    if (status != STOIC_OK)
        return status;
    if (w.rank != 2)
        return STOIC_ERR_UNSUPPORTED;
    layer->shape = (stoic_dnn_shape){
        .batch = 1,
        .groups = w.groups,
        .ic = w.in_channels / w.groups,
        .ih = w.in[0],
        .iw = w.in[1],
        .oc = w.out_channels / w.groups,
        .oh = w.out[0],
        .ow = w.out[1],
        .kh = w.kernel[0],
        .kw = w.kernel[1],
        .stride_h = w.stride[0],
        .stride_w = w.stride[1],
        .dilation_h = w.dilation[0],
        .dilation_w = w.dilation[1],
        .pad_top = w.pad_low[0],
        .pad_left = w.pad_low[1],
        .pad_bottom = w.pad_high[0],
        .pad_right = w.pad_high[1],
    };
    layer->alpha = layer->beta = 1;
    layer->channels = w.out_channels;
    return STOIC_OK;
}

/* A matrix product as a 1x1 convolution: the rows of all images are the width. */
stoic_status stoic_layer_of_product(const stoic_op_call *call, stoic_exec_layer *layer,
                                    stoic_error *err) {
    stoic_matrix_product m;
    stoic_status status = stoic_gemm_product(call, &m, err);
    if (status != STOIC_OK)
        return status;
    if (m.transpose_a || call->in[1].shape.rank != 2)
        return STOIC_ERR_UNSUPPORTED;
    layer->matrix = true;
    layer->transposed = !m.transpose_b;
    layer->shape = (stoic_dnn_shape){.batch = 1,
                                     .groups = 1,
                                     .ic = m.inner,
                                     .ih = 1,
                                     .iw = m.batch * m.rows,
                                     .oc = m.columns,
                                     .oh = 1,
                                     .ow = m.batch * m.rows,
                                     .kh = 1,
                                     .kw = 1,
                                     .stride_h = 1,
                                     .stride_w = 1,
                                     .dilation_h = 1,
                                     .dilation_w = 1};
    layer->alpha = (float)m.alpha;
    layer->beta = (float)m.beta;
    layer->channels = m.columns;
    return STOIC_OK;
}

/* A bias must be one value a channel (or one for all). */
bool stoic_layer_bias_fits(const stoic_model *m, int bias, stoic_exec_layer *layer) {
    const stoic_shape *s = &m->values[bias].shape;
    layer->bias_count = stoic_shape_count(s);
    int64_t last = s->rank ? s->dim[s->rank - 1] : 1;
    return m->values[bias].constant && layer->bias_count == last &&
           (layer->bias_count == layer->channels || layer->bias_count == 1);
}

stoic_status stoic_plan_layer(stoic_planner *p, int node, stoic_exec_step *step, stoic_error *err) {
    stoic_status status;
    stoic_program *g = p->program;
    const stoic_model *m = p->model;
    const stoic_node *n = &m->nodes[node];
    stoic_operand in[8], out[2];
    stoic_op_call call;
    if (n->n_in > 3 || n->in[0] < 0 || n->in[1] < 0 || m->values[n->in[0]].constant ||
        !m->values[n->in[1]].constant)
        return STOIC_ERR_UNSUPPORTED; /* the plain definition runs it */
    stoic_model_call(m, (size_t)node, in, out, &call);
    stoic_exec_layer layer = {.weights = n->in[1], .bias = n->n_in > 2 ? n->in[2] : -1};
    status = n->op == &stoic_op_conv ? stoic_layer_of_conv(&call, &layer, err)
                                     : stoic_layer_of_product(&call, &layer, err);
    if (status != STOIC_OK)
        return status;
    if (layer.bias >= 0 && !stoic_layer_bias_fits(m, layer.bias, &layer))
        return STOIC_ERR_UNSUPPORTED;
    layer.shape.bias = layer.bias >= 0;
    const stoic_exec_value *source = &g->values[n->in[0]];
    if (layer.matrix && source->layout == STOIC_LAYOUT_NHWC)
        return STOIC_ERR_UNSUPPORTED;
    if (source->layout == STOIC_LAYOUT_FLAT_HWC) {
        layer.flat_c = source->c;
        layer.flat_hw = source->hw;
    }
    step->layer = g->n_layers;
    step->run = stoic_run_layer;
    step->kind = STOIC_STEP_LAYER;
    step->in[step->n_in++] = source->root;
    step->out = n->out[0];
    g->layers[g->n_layers++] = layer;
    stoic_plan_out(p, step->out, layer.matrix ? STOIC_LAYOUT_ROWS : STOIC_LAYOUT_NHWC, g->n_steps);
    stoic_exec_use use = {layer.weights, g->n_steps, STOIC_USE_WEIGHTS, 0, 0};
    if ((status = stoic_plan_use(p, use, err)) != STOIC_OK)
        return status;
    if (layer.bias >= 0) {
        use = (stoic_exec_use){layer.bias, g->n_steps, STOIC_USE_BIAS, 0, 0};
        if ((status = stoic_plan_use(p, use, err)) != STOIC_OK)
            return status;
    }
    return stoic_plan_fuse(p, step, err);
}

static stoic_dnn_shape batched(const stoic_exec_layer *layer, int n) {
    stoic_dnn_shape s = layer->shape;
    if (layer->matrix)
        s.iw = s.ow = layer->shape.iw * n;
    else
        s.batch = n;
    return s;
}

static void use_own_kernel(stoic_exec_layer *layer) {
    const stoic_dnn_shape *s = &layer->shape;
    layer->direct =
        (stoic_direct_conv){s->groups,   s->ic,         s->oc,         s->ih,      s->iw,
                            s->oh,       s->ow,         s->kh,         s->kw,      s->stride_h,
                            s->stride_w, s->dilation_h, s->dilation_w, s->pad_top, s->pad_left};
    layer->n_sizes = 1;
    layer->size[0] = 1;
    layer->packed = s->groups * s->oc * s->ic * s->kh * s->kw;
}

stoic_status stoic_layer_prepare(stoic_program *g, stoic_exec_layer *layer, stoic_error *err) {
    stoic_dnn_conv *one = NULL;
    stoic_dnn_shape shape = batched(layer, 1);
    stoic_status status = stoic_dnn_conv_create(&shape, NULL, &one, err);
    if (status == STOIC_ERR_UNSUPPORTED) {
        use_own_kernel(layer);
    } else if (status != STOIC_OK) {
        return status;
    } else {
        /* bigger batches must use the same kernel and weights, or the bytes would change */
        int wanted[2] = {layer->matrix ? g->tile : 1, g->tile >= 8 ? 8 : 1};
        for (int k = 0; k < 2; k++) {
            int last = layer->n_sizes ? layer->size[layer->n_sizes - 1] : 1 << 30;
            shape = batched(layer, wanted[k]);
            if (wanted[k] > 1 && wanted[k] < last &&
                stoic_dnn_conv_create(&shape, one, &layer->conv[layer->n_sizes], NULL) == STOIC_OK)
                layer->size[layer->n_sizes++] = wanted[k];
        }
        layer->conv[layer->n_sizes] = one;
        layer->size[layer->n_sizes++] = 1;
        layer->packed = (int64_t)(stoic_dnn_conv_layout(one)->bytes / sizeof(float));
        for (int k = 0; k < layer->n_sizes; k++) {
            size_t scratch = stoic_dnn_conv_scratch(layer->conv[k]);
            g->scratch = scratch > g->scratch ? scratch : g->scratch;
        }
    }
    stoic_planner p = {.program = g};
    layer->weights_at = stoic_plan_reserve(&p, layer->packed);
    layer->bias_at = stoic_plan_reserve(&p, layer->channels);
    return STOIC_OK;
}

/* Which feature of its input, as it lies in memory, weight `index` of a matrix product reads. */
int64_t stoic_layer_feature(const stoic_exec_layer *layer, int64_t index) {
    const stoic_dnn_shape *s = &layer->shape;
    int64_t i = layer->transposed ? index / s->oc : index % s->ic;
    /* features c, h, w are stored as h, w, c */
    return layer->flat_c ? i % layer->flat_hw * layer->flat_c + i / layer->flat_hw : i;
}

/* From the flat index in the ONNX tensor to the offset in the packed weights. */
int64_t stoic_layer_weight_offset(const stoic_exec_layer *layer, int64_t index) {
    const stoic_dnn_shape *s = &layer->shape;
    if (layer->matrix) {
        int64_t o = layer->transposed ? index % s->oc : index / s->ic;
        index = o * s->ic + stoic_layer_feature(layer, index);
    }
    return stoic_layer_packed_offset(layer, index);
}

/* The same from an index in memory order: [groups * oc][ic][kh][kw], features as they lie. */
int64_t stoic_layer_packed_offset(const stoic_exec_layer *layer, int64_t index) {
    const stoic_dnn_shape *s = &layer->shape;
    if (layer->conv[layer->n_sizes - 1])
        return stoic_dnn_layout_offset(stoic_dnn_conv_layout(layer->conv[layer->n_sizes - 1]),
                                       index);
    int64_t x = index % s->kw, y = index / s->kw % s->kh, i = index / (s->kw * s->kh) % s->ic;
    int64_t channel = index / (s->kw * s->kh * s->ic);
    int64_t o = channel % s->oc, group = channel / s->oc;
    if (s->ic == 1 && s->oc == 1)
        return (y * s->kw + x) * s->groups + group;
    return (((group * s->kh + y) * s->kw + x) * s->ic + i) * s->oc + o;
}

float stoic_layer_weight_value(const stoic_exec_layer *layer, float stored) {
    return stored * layer->alpha;
}

static stoic_status run_conv(stoic_session *s, const stoic_exec_layer *layer, int index,
                             const float *src, float *dst, int n, stoic_error *err) {
    const stoic_dnn_shape *shape = &layer->shape;
    int64_t in = shape->ih * shape->iw * shape->groups * shape->ic;
    int64_t out = shape->oh * shape->ow * shape->groups * shape->oc;
    for (int k = 0, done = 0; done < n; k++) {
        for (; n - done >= layer->size[k]; done += layer->size[k]) {
            if (!layer->conv[k]) {
                s->program->kernels->direct_conv(&layer->direct, s->constants + layer->weights_at,
                                                 shape->bias ? s->constants + layer->bias_at : NULL,
                                                 src + done * in, dst + done * out);
                continue;
            }
            stoic_status status = stoic_dnn_run_execute(s->runs[index * STOIC_BATCH_SIZES + k],
                                                        src + done * in, dst + done * out, err);
            if (status != STOIC_OK)
                return status;
        }
    }
    return STOIC_OK;
}

void stoic_layer_finish(stoic_session *s, const stoic_exec_step *step, float *dst, int n) {
    const stoic_program *g = s->program;
    if (step->norm < 0 && step->add < 0 && step->act.kind == STOIC_ACT_NONE)
        return;
    const stoic_exec_norm *norm = step->norm >= 0 ? &g->norms[step->norm] : NULL;
    int64_t channels = g->layers[step->layer].channels;
    g->kernels->affine(dst, dst, step->add >= 0 ? s->frame[step->add] : NULL,
                       norm ? s->constants + norm->scale_at : NULL,
                       norm ? s->constants + norm->shift_at : NULL, step->act,
                       n * (g->values[step->out].size / channels), channels);
}

stoic_status stoic_layer_sums(stoic_session *s, const stoic_exec_step *step, const float *src,
                              float *dst, int n, stoic_error *err) {
    return run_conv(s, &s->program->layers[step->layer], step->layer, src, dst, n, err);
}

stoic_status stoic_run_layer(stoic_session *s, const stoic_exec_step *step, int n,
                             stoic_error *err) {
    float *dst = s->frame[step->out];
    stoic_status status = stoic_layer_sums(s, step, s->frame[step->in[0]], dst, n, err);
    if (status == STOIC_OK)
        stoic_layer_finish(s, step, dst, n);
    return status;
}
