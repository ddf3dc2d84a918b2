/* Faults in single operations: which multiply-accumulates there are, and which of them is hit. */
#include "stoic/op_fault.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"
#include "base/text.h"
#include "fault/spelling.h"
#include "model/graph.h"
#include "model/layer_list.h"
#include "op/geometry.h"
#include "store/field.h"

/* Along one axis of a convolution: how many kernel positions lie inside the image at each output,
 * summed up to it. A product has one position. */
typedef struct taps {
    int64_t *until; /* count + 1 of them, from 0 */
    int64_t count;
} taps;

/* The multiply-accumulates of a layer: channels x inner x all row taps x all column taps. */
typedef struct op_layer {
    int layer, node;
    int64_t channels, inner; /* of the output; summed over in each */
    taps rows, columns;
    bool product; /* outputs are ordered row, channel; else channel, row, column */
    int64_t outputs, first, macs;
} op_layer;

struct stoic_op_fault {
    stoic_model *model;
    uint64_t seed;
    stoic_op_fault_kind kind;
    char *text;
    op_layer *layers;
    int n_layers;
    bool every_layer;
    int64_t macs;
    stoic_field field;
    int bit[32], n_bits;
};

#define KIND_NAME(enumerator, name, summary) [enumerator] = name,
static const char *const kind_names[] = {STOIC_OP_FAULT_LIST(KIND_NAME) NULL};

bool stoic_op_fault_is_spec(const char *spec) {
    return spec && !strncmp(spec, "op", 2) && (spec[2] == ':' || spec[2] == ',' || !spec[2]);
}

/* ---- the operations of a layer ---- */

static stoic_status count_taps(const stoic_window *w, int axis, taps *out, stoic_error *err) {
    out->count = w->out[axis];
    out->until = calloc((size_t)out->count + 1, sizeof *out->until);
    if (!out->until)
        return stoic_fail_memory(err, "a fault model", (size_t)out->count * 8);
    for (int64_t o = 0; o < out->count; o++) {
        int64_t inside = 0;
        for (int64_t k = 0; k < w->kernel[axis]; k++) {
            int64_t at = o * w->stride[axis] - w->pad_low[axis] + k * w->dilation[axis];
            inside += at >= 0 && at < w->in[axis];
        }
        out->until[o + 1] = out->until[o] + inside;
    }
    return STOIC_OK;
}

static int64_t all_taps(const taps *t) {
    return t->until[t->count];
}

/* The output among whose taps number `at` is; *at becomes its number there. */
static int64_t find_output(const taps *t, int64_t *at) {
    int64_t low = 0, high = t->count - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (t->until[middle + 1] <= *at)
            low = middle + 1;
        else
            high = middle;
    }
    *at -= t->until[low];
    return low;
}

static int64_t taps_at(const taps *t, int64_t output) {
    return t->until[output + 1] - t->until[output];
}

static stoic_status measure_conv(const stoic_op_call *call, const char *name, op_layer *out,
                                 stoic_error *err) {
    stoic_window w;
    stoic_status status;
    TRY(stoic_conv_window(call, &w, err));
    if (w.rank != 2)
        return stoic_fail(
            err, STOIC_ERR_UNSUPPORTED, name,
            "faults in operations need convolutions over two dimensions, this one has "
            "%d",
            w.rank);
    TRY(count_taps(&w, 0, &out->rows, err));
    TRY(count_taps(&w, 1, &out->columns, err));
    out->channels = w.out_channels;
    out->inner = w.in_channels / w.groups;
    out->outputs = w.out_channels * w.out[0] * w.out[1];
done:
    return status;
}

static stoic_status measure_product(const stoic_op_call *call, const char *name, op_layer *out,
                                    stoic_error *err) {
    stoic_matrix_product m;
    stoic_window one = {.out = {1, 1}, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
    stoic_status status;
    TRY(stoic_gemm_product(call, &m, err));
    if (m.transpose_a)
        return stoic_fail(
            err, STOIC_ERR_UNSUPPORTED, name,
            "faults in operations need products whose first factor is not transposed");
    one.in[0] = one.in[1] = 1;
    one.out[0] = m.batch * m.rows;
    one.stride[0] = 0; /* every row has its one tap */
    TRY(count_taps(&one, 0, &out->rows, err));
    TRY(count_taps(&one, 1, &out->columns, err));
    out->product = true;
    out->channels = m.columns;
    out->inner = m.inner;
    out->outputs = m.batch * m.rows * m.columns;
done:
    return status;
}

static stoic_status measure(stoic_op_fault *fault, int layer, stoic_error *err) {
    const stoic_model *model = fault->model;
    int number = model->layer_nodes[layer];
    const stoic_node *node = &model->nodes[number];
    op_layer *out = &fault->layers[fault->n_layers++];
    stoic_operand in[8], results[2];
    stoic_op_call call;
    *out = (op_layer){.layer = layer, .node = number, .first = fault->macs};
    if (node->n_in > 8 || node->n_out > 2)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, node->name, "too many operands");
    stoic_model_call(model, (size_t)number, in, results, &call);
    stoic_status status = node->op == &stoic_op_conv ? measure_conv(&call, node->name, out, err)
                                                     : measure_product(&call, node->name, out, err);
    if (status != STOIC_OK)
        return status;
    out->macs = out->channels * out->inner;
    if (__builtin_mul_overflow(out->macs, all_taps(&out->rows), &out->macs) ||
        __builtin_mul_overflow(out->macs, all_taps(&out->columns), &out->macs) ||
        __builtin_add_overflow(fault->macs, out->macs, &fault->macs))
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, node->name,
                          "more than 2^63 multiply-accumulates");
    return STOIC_OK;
}

static stoic_status select_layers(stoic_op_fault *fault, const char *list, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int count = stoic_model_layer_count(fault->model);
    bool every = !list || !strcmp(list, "all");
    bool *chosen = calloc((size_t)count + 1, sizeof *chosen);
    fault->layers = calloc((size_t)count + 1, sizeof *fault->layers);
    fault->every_layer = true;
    if (!chosen || !fault->layers) {
        status = stoic_fail_memory(err, "a fault model", (size_t)count * sizeof *fault->layers);
        goto done;
    }
    if (!every)
        TRY(stoic_layers_parse(fault->model, stoic_model_layer_count(fault->model), list, chosen,
                               err));
    for (int layer = 0; layer < count; layer++) {
        if (every || chosen[layer])
            TRY(measure(fault, layer, err));
        else
            fault->every_layer = false;
    }
    if (fault->macs == 0)
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "", "no multiply-accumulate is selected");
done:
    free(chosen);
    return status;
}

/* ---- the spec ---- */

static stoic_status find_kind(const char *head, stoic_op_fault_kind *kind, stoic_error *err) {
    if (!stoic_op_fault_is_spec(head))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "expected a fault in an operation such as op:flip, found '%s'", head);
    const char *name = head[2] ? head + 3 : "";
    for (int i = 0; kind_names[i]; i++) {
        if (!strcmp(name, kind_names[i])) {
            *kind = (stoic_op_fault_kind)i;
            return STOIC_OK;
        }
    }
    const char *near = stoic_nearest(name, kind_names);
    return stoic_fail(
        err, STOIC_ERR_ARGUMENT, "",
        "op: unknown '%s'%s%s%s; expected flip, random, zero, warp-random or warp-zero", name,
        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static stoic_status read_bits(stoic_op_fault *fault, const stoic_format *fp32, const char *text,
                              stoic_error *err) {
    stoic_status status =
        stoic_field_parse(fp32, 0, "bits", text ? text : "all", &fault->field, err);
    for (int bit = 0; bit < 32 && status == STOIC_OK; bit++) {
        if (stoic_field_has(&fault->field, bit))
            fault->bit[fault->n_bits++] = bit;
    }
    return status;
}

static stoic_status write_text(stoic_op_fault *fault, const stoic_format *fp32, stoic_error *err) {
    stoic_field nothing = {{0}};
    stoic_text text = {0};
    char bits[STOIC_FIELD_TEXT];
    stoic_text_printf(&text, "op:%s", kind_names[fault->kind]);
    if (fault->every_layer)
        stoic_text_puts(&text, ",layer=all");
    for (int i = 0; i < fault->n_layers && !fault->every_layer; i++)
        stoic_text_printf(&text, "%s%d", i ? "+" : ",layer=", fault->layers[i].layer);
    if (fault->kind == STOIC_OP_FLIP) {
        stoic_field_spell(fp32, 0, &fault->field, &nothing, bits);
        stoic_text_printf(&text, ",bits=%s", bits);
    }
    stoic_status status = stoic_text_finish(&text, err);
    if (status != STOIC_OK)
        stoic_text_deinit(&text);
    else
        fault->text = text.data;
    return status;
}

static stoic_status parse(stoic_op_fault *fault, const char *text, stoic_error *err) {
    static const char *const keys_flip[] = {"layer", "bits", NULL};
    static const char *const keys[] = {"layer", NULL};
    stoic_status status = STOIC_OK;
    stoic_spec spec = {0};
    stoic_format fp32;
    if (!text)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "a fault in an operation is needed, such as op:flip");
    TRY(stoic_spec_parse(text, &spec, err));
    TRY(find_kind(spec.head, &fault->kind, err));
    TRY(stoic_keys_check(&spec, fault->kind == STOIC_OP_FLIP ? keys_flip : keys, err));
    TRY(stoic_format_parse("fp32", &fp32, err));
    TRY(read_bits(fault, &fp32, stoic_spec_get(&spec, "bits"), err));
    TRY(select_layers(fault, stoic_spec_get(&spec, "layer"), err));
    TRY(write_text(fault, &fp32, err));
done:
    stoic_spec_deinit(&spec);
    return status;
}

stoic_status stoic_op_fault_create(const stoic_model *model, const char *spec, uint64_t seed,
                                   stoic_op_fault **out, stoic_error *err) {
    *out = NULL;
    stoic_op_fault *fault = calloc(1, sizeof *fault);
    if (!fault)
        return stoic_fail_memory(err, "a fault model", sizeof *fault);
    fault->model = stoic_model_retain(model);
    fault->seed = seed;
    stoic_status status = parse(fault, spec, err);
    if (status == STOIC_OK)
        *out = fault;
    else
        stoic_op_fault_free(fault);
    return status;
}

void stoic_op_fault_free(stoic_op_fault *fault) {
    if (!fault)
        return;
    for (int i = 0; i < fault->n_layers; i++) {
        free(fault->layers[i].rows.until);
        free(fault->layers[i].columns.until);
    }
    stoic_model_free(fault->model);
    free(fault->layers);
    free(fault->text);
    free(fault);
}

const char *stoic_op_fault_text(const stoic_op_fault *fault) {
    return fault->text;
}

stoic_op_fault_kind stoic_op_fault_kind_of(const stoic_op_fault *fault) {
    return fault->kind;
}

int64_t stoic_op_fault_population(const stoic_op_fault *fault) {
    return fault->macs;
}

int stoic_op_fault_layer_count(const stoic_op_fault *fault) {
    return fault->n_layers;
}

int stoic_op_fault_layer(const stoic_op_fault *fault, int i, int *node) {
    *node = fault->layers[i].node;
    return fault->layers[i].layer;
}

/* ---- draws ---- */

/* Operation `at` of a layer: channel, then what is summed, then row and column taps. */
static void place_hit(const op_layer *l, int64_t at, stoic_op_hit *hit) {
    int64_t columns = all_taps(&l->columns), rows = all_taps(&l->rows);
    int64_t column_tap = at % columns, row_tap = at / columns % rows;
    int64_t inner = at / columns / rows % l->inner, channel = at / columns / rows / l->inner;
    int64_t row = find_output(&l->rows, &row_tap), column = find_output(&l->columns, &column_tap);
    int64_t high = taps_at(&l->rows, row), wide = taps_at(&l->columns, column);
    hit->layer = l->layer;
    hit->node = l->node;
    hit->output = l->product ? row * l->channels + channel
                             : (channel * l->rows.count + row) * l->columns.count + column;
    hit->step = (inner * high + row_tap) * wide + column_tap;
    hit->steps = l->inner * high * wide;
    hit->outputs = 1;
}

stoic_status stoic_op_fault_draw(const stoic_op_fault *fault, uint64_t trial, int64_t image,
                                 stoic_op_hit *hit, stoic_error *err) {
    stoic_rng rng;
    if (trial >> 48 || image < 0 || image >> 40)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "'%s': trial %llu of image %lld is beyond 2^48 trials of 2^40 images",
                          fault->text, (unsigned long long)trial, (long long)image);
    stoic_rng_init_image(&rng, fault->seed, trial, (uint64_t)image, STOIC_STREAM_OP_SITE);
    int64_t at = (int64_t)stoic_rng_below(&rng, (uint64_t)fault->macs);
    const op_layer *l = fault->layers;
    while (at >= l->first + l->macs)
        l++;
    place_hit(l, at - l->first, hit);
    bool warp = fault->kind == STOIC_OP_WARP_RANDOM || fault->kind == STOIC_OP_WARP_ZERO;
    int64_t left = l->outputs - hit->output;
    if (warp)
        hit->outputs = left < STOIC_OP_WARP ? left : STOIC_OP_WARP;
    stoic_rng_init_image(&rng, fault->seed, trial, (uint64_t)image, STOIC_STREAM_OP_VALUE);
    hit->flip = fault->kind == STOIC_OP_FLIP;
    hit->bits = 0;
    if (hit->flip)
        hit->bits = (uint32_t)1 << fault->bit[stoic_rng_below(&rng, (uint64_t)fault->n_bits)];
    else if (fault->kind == STOIC_OP_RANDOM || fault->kind == STOIC_OP_WARP_RANDOM)
        hit->bits = stoic_rng_u32(&rng);
    return STOIC_OK;
}
