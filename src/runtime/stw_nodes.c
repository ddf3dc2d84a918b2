/* The graph of a protected weight file: every node reads what stands before it, and its shapes are
 * those its operator gives. */
#include <string.h>

#include "base/fail.h"
#include "runtime/stw.h"

typedef struct check {
    const stoic_stw *file;
    const stoic_stw_node *node;
    const stoic_stw_value *in, *out;
} check;

/* Has tensor `slot` this many weights? Where `optional`, it may be left out. */
static bool tensor_fits(const check *c, int slot, uint64_t weights, bool optional) {
    uint32_t i = c->node->tensor[slot];
    if (i == STOIC_STW_NONE)
        return optional;
    return i < c->file->head->n_tensors && c->file->tensors[i].weights == weights;
}

static bool no_tensors(const check *c, int from) {
    for (int i = from; i < 4; i++) {
        if (c->node->tensor[i] != STOIC_STW_NONE)
            return false;
    }
    return true;
}

static bool same_shape(const stoic_stw_value *a, const stoic_stw_value *b) {
    return a->channels == b->channels && a->height == b->height && a->width == b->width;
}

/* Each window begins in front of the end of what is padded, and sizes are such that sums fit. */
static bool window_fits(const check *c, bool exact) {
    const stoic_stw_node *n = c->node;
    const uint64_t in[2] = {c->in->height, c->in->width}, out[2] = {c->out->height, c->out->width};
    const uint64_t most = 32768;
    for (int i = 0; i < 2; i++) {
        uint64_t k = n->kernel[i], s = n->stride[i], d = n->dilation[i];
        if (k == 0 || s == 0 || d == 0 || k > most || s > most || d > most ||
            n->pad_low[i] > most || n->pad_high[i] > most)
            return false;
        uint64_t reach = d * (k - 1) + 1, padded = in[i] + n->pad_low[i] + n->pad_high[i];
        if (exact && (padded < reach || out[i] != (padded - reach) / s + 1))
            return false;
        if ((out[i] - 1) * s > padded)
            return false;
    }
    return true;
}

static bool conv_fits(const check *c) {
    const stoic_stw_node *n = c->node;
    const uint64_t inputs = c->in->channels, outputs = c->out->channels;
    uint64_t plane, padded;
    if (n->groups == 0 || inputs % n->groups || outputs % n->groups || !window_fits(c, true))
        return false;
    plane = ((uint64_t)c->in->height + n->pad_low[0] + n->pad_high[0]) *
            ((uint64_t)c->in->width + n->pad_low[1] + n->pad_high[1]); /* below 2^34 */
    if (__builtin_mul_overflow(plane, inputs, &padded) || padded > UINT64_C(1) << 28)
        return false;
    uint64_t taps = (uint64_t)n->kernel[0] * n->kernel[1], per, all;
    return !__builtin_mul_overflow(taps, inputs / n->groups, &per) &&
           !__builtin_mul_overflow(per, outputs, &all) && tensor_fits(c, 0, all, false) &&
           tensor_fits(c, 1, outputs, true) && no_tensors(c, 2);
}

static bool gemm_fits(const check *c) {
    const uint64_t inputs = stoic_stw_elements(c->in), outputs = c->out->channels;
    return c->out->rank == 1 && tensor_fits(c, 0, inputs * outputs, false) &&
           (tensor_fits(c, 1, outputs, true) || tensor_fits(c, 1, 1, true)) && no_tensors(c, 2);
}

static bool norm_fits(const check *c) {
    for (int i = 0; i < 4; i++) {
        if (!tensor_fits(c, i, c->in->channels, false))
            return false;
    }
    return same_shape(c->in, c->out);
}

static bool pool_fits(const check *c) {
    return c->in->channels == c->out->channels && window_fits(c, false) && no_tensors(c, 0);
}

static bool add_fits(const check *c) {
    return same_shape(c->in, c->out) && same_shape(&c->file->values[c->node->in[1]], c->out) &&
           no_tensors(c, 0);
}

/* Behind each other: channels of images of one size, or elements of a row. */
static bool concat_fits(const check *c) {
    uint64_t channels = 0, elements = 0;
    bool one_size = c->out->rank == 3;
    for (int k = 0; k < STOIC_STW_JOINED; k++) {
        const uint32_t i = stoic_stw_input(c->node, k);
        if (i == STOIC_STW_NONE)
            continue;
        const stoic_stw_value *v = &c->file->values[i];
        channels += v->channels;
        elements += stoic_stw_elements(v);
        one_size = one_size && v->height == c->out->height && v->width == c->out->width;
    }
    return one_size ? channels == c->out->channels
                    : c->out->rank == 1 && elements == c->out->channels;
}

/* By a constant for each channel or for all of them, by a value of the same shape, or by one that
 * has a number for each channel. */
static bool mul_fits(const check *c) {
    const uint32_t other = c->node->in[1];
    if (!same_shape(c->in, c->out) || !no_tensors(c, 1))
        return false;
    if (other == STOIC_STW_NONE)
        return tensor_fits(c, 0, c->in->channels, false) || tensor_fits(c, 0, 1, false);
    const stoic_stw_value *v = &c->file->values[other];
    const bool gate = v->channels == c->in->channels && v->height == 1 && v->width == 1;
    return no_tensors(c, 0) && (gate || same_shape(c->in, v));
}

static bool alone_fits(const check *c) {
    return same_shape(c->in, c->out) && no_tensors(c, 0);
}

static bool softmax_fits(const check *c) {
    return c->in->height == 1 && c->in->width == 1 && alone_fits(c);
}

static bool (*const fits[STOIC_STW_OPS])(const check *c) = {
    [STOIC_STW_CONV] = conv_fits,         [STOIC_STW_GEMM] = gemm_fits,
    [STOIC_STW_NORM] = norm_fits,         [STOIC_STW_RELU] = alone_fits,
    [STOIC_STW_CLIP] = alone_fits,        [STOIC_STW_SIGMOID] = alone_fits,
    [STOIC_STW_SOFTMAX] = softmax_fits,   [STOIC_STW_MAX_POOL] = pool_fits,
    [STOIC_STW_AVERAGE_POOL] = pool_fits, [STOIC_STW_ADD] = add_fits,
    [STOIC_STW_CONCAT] = concat_fits,     [STOIC_STW_MUL] = mul_fits,
};

/* Does a node read as many values as its operator takes, all of them made before? */
static bool inputs_fit(const stoic_stw_node *n, uint32_t n_values, const bool *made) {
    const bool open = n->op == STOIC_STW_CONCAT || n->op == STOIC_STW_MUL;
    bool ended = false;
    for (int k = 0; k < STOIC_STW_JOINED; k++) {
        const uint32_t i = stoic_stw_input(n, k);
        if (i == STOIC_STW_NONE) {
            ended = true;
        } else if (ended || i >= n_values || !made[i] ||
                   (k > 0 && !open && n->op != STOIC_STW_ADD)) {
            return false;
        }
    }
    return n->in[0] != STOIC_STW_NONE && (n->op != STOIC_STW_ADD || n->in[1] != STOIC_STW_NONE);
}

/* Ranges of activations: in a calibrated file of every product, and of nothing else. */
static bool range_fits(const stoic_stw *file, const stoic_stw_node *n) {
    const bool product = n->op == STOIC_STW_CONV || n->op == STOIC_STW_GEMM;
    for (int i = 0; i < 3; i++) {
        if (n->zero[i] != 0)
            return false;
    }
    if (!product || file->head->version != STOIC_STW_CALIBRATED)
        return n->step >= 0 && n->step <= 0 && n->zero_code == 0;
    return n->step >= STOIC_STW_LEAST_STEP && n->step <= 1 / STOIC_STW_LEAST_STEP &&
           n->zero_code <= 255; /* not NaN */
}

stoic_status stoic_stw_check_nodes(const stoic_stw *file, const char *name, stoic_error *err) {
    const stoic_stw_header *h = file->head;
    bool made[STOIC_STW_MOST] = {false};
    const char *what = NULL;
    uint32_t i = 0;
    made[h->input] = true;
    for (; i < h->n_nodes && !what; i++) {
        const stoic_stw_node *n = &file->nodes[i];
        if (n->op >= STOIC_STW_OPS || !fits[n->op])
            what = "an unknown operator";
        else if (!inputs_fit(n, h->n_values, made))
            what = "a node reads what is not there";
        else if (n->out >= h->n_values || made[n->out])
            what = "a node writes what is there";
        else if (n->layer < -1 || (n->layer >= 0 && (uint32_t)n->layer >= h->layers))
            what = "a node's layer";
        else if (!range_fits(file, n))
            what = "a node's step or zero of activations";
        if (what)
            break;
        const check c = {file, n, &file->values[n->in[0]], &file->values[n->out]};
        if (!fits[n->op](&c))
            what = "a node's shapes do not fit each other";
        made[n->out] = true;
    }
    if (!what && !made[h->output])
        what = "no node makes the output";
    if (what)
        return stoic_fail(err, STOIC_ERR_FORMAT, name, "protected weight file: at byte %llu: %s",
                          (unsigned long long)(h->nodes_at + i * sizeof(stoic_stw_node)), what);
    return STOIC_OK;
}
