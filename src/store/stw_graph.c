/* The graph of a model in the operators of the minimal core. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "op/geometry.h"
#include "store/stw_sheet.h"

enum { MOST_INPUTS = 64 };

/* One node on its way: what it means, and what it becomes. */
typedef struct draft {
    stoic_stw_sheet *sheet;
    const stoic_node *node;
    stoic_op_call call;
    stoic_stw_node out;
    stoic_stw_value shape; /* of its output */
} draft;

/* An input as the file numbers it; -1: a constant, or none. */
static int input_of(const draft *d, size_t i) {
    return i < d->node->n_in && d->node->in[i] >= 0 ? d->sheet->value_of[d->node->in[i]] : -1;
}

/* Puts constant input `i` of the node into a slot of its tensors; false: it is none, or has
 * another number of elements. */
static bool take_tensor(draft *d, size_t i, int slot, int64_t count) {
    stoic_stw_sheet *s = d->sheet;
    if (i >= d->node->n_in || d->node->in[i] < 0)
        return false;
    const int value = d->node->in[i];
    const stoic_tensor *tensor = s->model->values[value].constant;
    if (!tensor || stoic_tensor_dtype(tensor) != STOIC_F32 || stoic_tensor_count(tensor) != count ||
        count < 1)
        return false;
    if (s->tensor_of[value] < 0) {
        s->constants[s->n_tensors] = value;
        s->tensor_of[value] = (int)s->n_tensors++;
    }
    d->out.tensor[slot] = (uint32_t)s->tensor_of[value];
    return true;
}

static bool given(const draft *d, size_t i) {
    return i < d->node->n_in && d->node->in[i] >= 0;
}

/* A value of one image as channels, height and width. */
static bool shape_of(const stoic_shape *shape, stoic_stw_value *out) {
    const int64_t *dim = shape->dim;
    if ((shape->rank != 2 && shape->rank != 4) || dim[0] != 1)
        return false;
    for (int i = 1; i < shape->rank; i++) {
        if (dim[i] < 1 || dim[i] > (i == 1 ? 1 << 24 : 32768))
            return false;
    }
    *out = (stoic_stw_value){(uint32_t)dim[1], 1, 1, 1};
    if (shape->rank == 4)
        *out = (stoic_stw_value){(uint32_t)dim[1], (uint32_t)dim[2], (uint32_t)dim[3], 3};
    return stoic_stw_elements(out) <= 1 << 24;
}

/* Does a value lie in the file as the node sees it, which reads it as input i? Behind a Flatten it
 * does not: the file has no such operator. */
static bool seen_as(const draft *d, size_t i) {
    stoic_stw_value seen;
    const stoic_stw_value *in = &d->sheet->values[input_of(d, i)];
    return shape_of(&d->call.in[i].shape, &seen) && seen.channels == in->channels &&
           seen.height == in->height && seen.width == in->width;
}

static bool seen_as_is(const draft *d) {
    return seen_as(d, 0);
}

static int64_t elements_of(const stoic_stw_value *v) {
    return (int64_t)stoic_stw_elements(v);
}

static bool put_window(draft *d, const stoic_window *w) {
    if (w->rank != 2)
        return false;
    for (int i = 0; i < 2; i++) {
        if (w->kernel[i] > 32768 || w->stride[i] > 32768 || w->dilation[i] > 32768 ||
            w->pad_low[i] < 0 || w->pad_low[i] > 32768 || w->pad_high[i] < 0 ||
            w->pad_high[i] > 32768)
            return false;
        d->out.kernel[i] = (uint32_t)w->kernel[i];
        d->out.stride[i] = (uint32_t)w->stride[i];
        d->out.dilation[i] = (uint32_t)w->dilation[i];
        d->out.pad_low[i] = (uint32_t)w->pad_low[i];
        d->out.pad_high[i] = (uint32_t)w->pad_high[i];
    }
    d->out.groups = (uint32_t)w->groups;
    return true;
}

static bool draft_conv(draft *d) {
    stoic_window w;
    if (stoic_conv_window(&d->call, &w, NULL) != STOIC_OK || !put_window(d, &w) || !seen_as_is(d))
        return false;
    int64_t taps = w.in_channels / w.groups * w.kernel[0] * w.kernel[1];
    return take_tensor(d, 1, 0, w.out_channels * taps) &&
           (!given(d, 2) || take_tensor(d, 2, 1, w.out_channels));
}

/* Gemm and MatMul. */
static bool draft_product(draft *d) {
    stoic_matrix_product p;
    if (stoic_gemm_product(&d->call, &p, NULL) != STOIC_OK || p.transpose_a ||
        p.batch * p.rows != 1 || d->call.in[1].shape.rank != 2)
        return false;
    d->out.alpha = (float)p.alpha;
    d->out.beta = (float)p.beta;
    d->out.flags = p.transpose_b ? STOIC_STW_TRANSPOSED : 0;
    return take_tensor(d, 1, 0, p.inner * p.columns) &&
           (!given(d, 2) || take_tensor(d, 2, 1, p.columns) || take_tensor(d, 2, 1, 1));
}

static bool draft_norm(draft *d) {
    const int64_t channels = d->call.in[0].shape.dim[1];
    d->out.alpha = (float)stoic_attr_float(&d->call, "epsilon", (double)1e-5f);
    for (int i = 0; i < 4; i++) {
        if (!take_tensor(d, (size_t)i + 1, i, channels))
            return false;
    }
    return seen_as_is(d);
}

static bool draft_pool(draft *d) {
    stoic_window w;
    if (stoic_pool_window(&d->call, &w, NULL) != STOIC_OK || !put_window(d, &w))
        return false;
    d->out.flags = w.count_include_pad ? STOIC_STW_COUNT_PADDING : 0;
    return seen_as_is(d);
}

/* An average over a window of the size of the image. */
static bool draft_whole(draft *d) {
    const stoic_shape *in = &d->call.in[0].shape;
    if (in->rank != 4)
        return false;
    const stoic_window w = {.rank = 2,
                            .kernel = {in->dim[2], in->dim[3]},
                            .stride = {1, 1},
                            .dilation = {1, 1},
                            .groups = 1};
    return put_window(d, &w) && seen_as_is(d);
}

static bool draft_alone(draft *d) {
    d->shape = d->sheet->values[d->out.in[0]];
    return true;
}

static bool draft_clip(draft *d) {
    double low, high;
    if (stoic_clip_bounds(&d->call, &low, &high, NULL) != STOIC_OK)
        return false;
    d->out.alpha = (float)low;
    d->out.beta = (float)high;
    return draft_alone(d);
}

/* Along the classes alone. */
static bool draft_softmax(draft *d) {
    int axis;
    const int rank = d->call.in[0].shape.rank;
    stoic_status status =
        stoic_axis_resolve(&d->call, d->call.opset < 13 ? 1 : -1, rank, &axis, NULL);
    return status == STOIC_OK && rank == 2 && axis == 1 && seen_as_is(d);
}

static bool draft_add(draft *d) {
    const int other = input_of(d, 1);
    if (other < 0 ||
        stoic_shape_count(&d->call.in[0].shape) != stoic_shape_count(&d->call.in[1].shape))
        return false;
    const stoic_stw_value *a = &d->sheet->values[d->out.in[0]], *b = &d->sheet->values[other];
    d->out.in[1] = (uint32_t)other;
    return a->channels == b->channels && a->height == b->height && a->width == b->width &&
           draft_alone(d);
}

/* A constant by which the channels of the first input are multiplied: one number, or one for each,
 * along the second axis. */
static bool take_factor(draft *d) {
    const int first = input_of(d, 0) < 0, rank = d->call.in[first].shape.rank;
    const stoic_shape *shape = &d->call.in[!first].shape;
    const int64_t channels = d->call.in[first].shape.dim[1];
    if (take_tensor(d, (size_t)!first, 0, 1))
        return true;
    for (int i = 0; i < shape->rank; i++) {
        const bool along = i - shape->rank == 1 - rank;
        if (shape->dim[i] != (along ? channels : 1))
            return false;
    }
    return take_tensor(d, (size_t)!first, 0, channels);
}

/* By a constant, by a value of the same shape, or by one that has a number for each channel. */
static bool draft_mul(draft *d) {
    int a = input_of(d, 0), b = input_of(d, 1);
    const stoic_shape *out = &d->call.out[0].shape;
    stoic_stw_value *values = d->sheet->values;
    if (a < 0 || b < 0) {
        d->out.in[0] = (uint32_t)(a < 0 ? b : a);
        d->shape = values[d->out.in[0]];
        return seen_as(d, a < 0 ? 1 : 0) && stoic_shape_count(out) == elements_of(&d->shape) &&
               take_factor(d);
    }
    const bool turned = stoic_shape_count(&d->call.in[0].shape) != stoic_shape_count(out);
    d->out.in[0] = (uint32_t)(turned ? b : a);
    d->out.in[1] = (uint32_t)(turned ? a : b);
    const stoic_stw_value *x = &values[d->out.in[0]], *by = &values[d->out.in[1]];
    const int64_t n = elements_of(x);
    const stoic_shape *gate = &d->call.in[turned ? 0 : 1].shape;
    d->shape = *x;
    if (stoic_shape_count(out) != n)
        return false;
    if (elements_of(by) == n && stoic_shape_count(gate) == n)
        return x->channels == by->channels && x->height == by->height && x->width == by->width;
    return seen_as(d, turned ? 1 : 0) && out->rank == 4 && gate->rank == 4 &&
           gate->dim[1] == out->dim[1] && gate->dim[2] == 1 && gate->dim[3] == 1 &&
           by->channels == x->channels && by->height == 1 && by->width == 1;
}

/* Along the channels. What has more inputs than a node becomes several, one behind the other. */
static bool draft_concat(draft *d) {
    stoic_stw_sheet *s = d->sheet;
    int axis, room = 0;
    const int rank = d->call.out[0].shape.rank;
    if (stoic_axis_resolve(&d->call, 0, rank, &axis, NULL) != STOIC_OK || axis != 1)
        return false;
    const stoic_stw_value whole = d->shape;
    d->shape.channels = 0;
    for (size_t i = 0; i < d->node->n_in; i++) {
        const int from = input_of(d, i);
        if (from < 0 || !(rank == 2 || seen_as(d, i)))
            return false;
        if (room == STOIC_STW_JOINED) {
            if (s->n_nodes + 2 > STOIC_STW_MOST || s->n_values + 2 > STOIC_STW_MOST)
                return false;
            s->nodes[s->n_nodes++] = d->out;
            s->values[s->n_values] = d->shape;
            for (int k = 0; k < 4; k++)
                d->out.tensor[k] = STOIC_STW_NONE;
            d->out.in[0] = s->n_values++;
            d->out.in[1] = STOIC_STW_NONE;
            d->out.out = s->n_values;
            room = 1;
        }
        *(room < 2 ? &d->out.in[room] : &d->out.tensor[room - 2]) = (uint32_t)from;
        d->shape.channels += (uint32_t)d->call.in[i].shape.dim[1];
        room++;
    }
    return d->shape.channels == whole.channels;
}

typedef struct rule {
    const stoic_op *op;
    stoic_stw_op becomes; /* 0: its output is its input */
    bool (*fill)(draft *d);
    bool either; /* the first of two inputs may be the constant */
} rule;

static const rule rules[] = {
    {&stoic_op_conv, STOIC_STW_CONV, draft_conv, false},
    {&stoic_op_gemm, STOIC_STW_GEMM, draft_product, false},
    {&stoic_op_mat_mul, STOIC_STW_GEMM, draft_product, false},
    {&stoic_op_batch_normalization, STOIC_STW_NORM, draft_norm, false},
    {&stoic_op_relu, STOIC_STW_RELU, draft_alone, false},
    {&stoic_op_clip, STOIC_STW_CLIP, draft_clip, false},
    {&stoic_op_sigmoid, STOIC_STW_SIGMOID, draft_alone, false},
    {&stoic_op_softmax, STOIC_STW_SOFTMAX, draft_softmax, false},
    {&stoic_op_max_pool, STOIC_STW_MAX_POOL, draft_pool, false},
    {&stoic_op_average_pool, STOIC_STW_AVERAGE_POOL, draft_pool, false},
    {&stoic_op_global_average_pool, STOIC_STW_AVERAGE_POOL, draft_whole, false},
    {&stoic_op_add, STOIC_STW_ADD, draft_add, false},
    {&stoic_op_mul, STOIC_STW_MUL, draft_mul, true},
    {&stoic_op_concat, STOIC_STW_CONCAT, draft_concat, false},
    /* same elements, same order */
    {&stoic_op_dropout, 0, NULL, false},
    {&stoic_op_flatten, 0, NULL, false},
    {&stoic_op_identity, 0, NULL, false},
    {&stoic_op_reshape, 0, NULL, false},
    {&stoic_op_squeeze, 0, NULL, false},
    {&stoic_op_unsqueeze, 0, NULL, false},
};

static const rule *rule_of(const stoic_op *op) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].op == op)
            return &rules[i];
    }
    return NULL;
}

/* Adds a node, or lists it among the refused. */
static void add_node(stoic_stw_sheet *s, size_t index) {
    const stoic_node *node = &s->model->nodes[index];
    const rule *found = rule_of(node->op);
    stoic_operand in[MOST_INPUTS], out[2];
    draft d = {.sheet = s, .node = node};
    bool fits = found && node->n_in <= MOST_INPUTS && node->n_out >= 1 && node->n_out <= 2;
    const int to = node->out[0];
    int from = input_of(&d, 0);
    if (from < 0 && fits && found->either)
        from = input_of(&d, 1);
    if (fits && from >= 0 && !found->fill) {
        s->value_of[to] = from;
        return;
    }
    if (fits && from >= 0 && s->n_nodes < STOIC_STW_MOST && s->n_values < STOIC_STW_MOST) {
        stoic_model_call(s->model, index, in, out, &d.call);
        d.out = (stoic_stw_node){.op = found->becomes,
                                 .in = {(uint32_t)from, STOIC_STW_NONE},
                                 .out = s->n_values,
                                 .layer = node->layer};
        for (int i = 0; i < 4; i++)
            d.out.tensor[i] = STOIC_STW_NONE;
        fits = shape_of(&s->model->values[to].shape, &d.shape) && found->fill(&d);
    } else {
        fits = false;
    }
    if (!fits) {
        stoic_text_printf(&s->refused, "%s%s (%s)", s->refused.length ? ", " : "", node->name,
                          node->op->name);
        /* so that what stands behind it is judged by itself */
        s->value_of[to] = (int)s->n_values - 1;
        if (s->n_values < STOIC_STW_MOST &&
            shape_of(&s->model->values[to].shape, &s->values[s->n_values]))
            s->value_of[to] = (int)s->n_values++;
        return;
    }
    s->nodes[s->n_nodes++] = d.out;
    s->values[s->n_values] = d.shape;
    s->value_of[to] = (int)s->n_values++;
}

/* Which nodes the output needs. */
static void mark_needed(const stoic_model *model, bool *needed, bool *values) {
    values[model->output] = true;
    for (size_t i = model->n_nodes; i-- > 0;) {
        const stoic_node *node = &model->nodes[i];
        needed[i] = values[node->out[0]];
        for (size_t k = 0; needed[i] && k < node->n_in; k++) {
            if (node->in[k] >= 0)
                values[node->in[k]] = true;
        }
    }
}

stoic_status stoic_stw_sheet_fill(stoic_stw_sheet *s, stoic_error *err) {
    const stoic_model *model = s->model;
    stoic_status status = STOIC_OK;
    bool *marks = calloc(model->n_nodes + model->n_values + 1, sizeof *marks);
    if (!marks)
        return stoic_fail_memory(err, "a graph", model->n_nodes + model->n_values);
    mark_needed(model, marks, marks + model->n_nodes);
    for (size_t i = 0; i < model->n_values; i++)
        s->value_of[i] = s->tensor_of[i] = -1;
    if (!shape_of(&model->values[model->input].shape, &s->values[0])) {
        status = stoic_fail(err, STOIC_ERR_UNSUPPORTED, model->values[model->input].name,
                            "inference from a protected file takes images or rows, and at most "
                            "2^24 numbers");
        goto done;
    }
    s->value_of[model->input] = 0;
    s->n_values = 1;
    for (size_t i = 0; i < model->n_nodes; i++) {
        if (marks[i])
            add_node(s, i);
    }
    TRY(stoic_text_finish(&s->refused, err));
    if (s->refused.length)
        status = stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                            "inference from a protected file does not run: %s", s->refused.data);
    else if (s->n_nodes == 0)
        status = stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "the network computes nothing");
done:
    free(marks);
    return status;
}
