#include "model/zoo/zoo_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"

enum { MAX_JOINED = 8 };

static bool stopped(const stoic_zoo_plan *p) {
    return p->status != STOIC_OK;
}

void stoic_zoo_within(stoic_zoo_plan *p, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->within, sizeof p->within, fmt, args);
    va_end(args);
}

static void full_name(const stoic_zoo_plan *p, const char *name, char out[STOIC_ZOO_NAME]) {
    snprintf(out, STOIC_ZOO_NAME, "%.60s%.30s", p->within, name);
}

/* ---- attributes ---- */

typedef struct attr_list {
    stoic_attr *attrs;
    size_t n;
} attr_list;

static stoic_attr *add_attr(stoic_zoo_plan *p, attr_list *list, const char *name,
                            stoic_attr_kind kind) {
    if (stopped(p) || !p->b)
        return NULL;
    stoic_attr *larger = realloc(list->attrs, (list->n + 1) * sizeof *larger);
    char *copy = strdup(name);
    list->attrs = larger ? larger : list->attrs;
    if (!larger || !copy) {
        free(copy);
        p->status = stoic_fail_memory(p->err, "attributes", sizeof *larger);
        return NULL;
    }
    larger[list->n] = (stoic_attr){.name = copy, .kind = kind};
    return &larger[list->n++];
}

static void attr_int(stoic_zoo_plan *p, attr_list *list, const char *name, int64_t value) {
    stoic_attr *attr = add_attr(p, list, name, STOIC_ATTR_INT);
    if (attr)
        attr->i = value;
}

static void attr_float(stoic_zoo_plan *p, attr_list *list, const char *name, double value) {
    stoic_attr *attr = add_attr(p, list, name, STOIC_ATTR_FLOAT);
    if (attr)
        attr->f = (float)value;
}

/* The pair (h, w) `times` times over: once for strides, twice for pads. */
static void attr_pair(stoic_zoo_plan *p, attr_list *list, const char *name, int64_t h, int64_t w,
                      size_t times) {
    stoic_attr *attr = add_attr(p, list, name, STOIC_ATTR_INTS);
    if (!attr)
        return;
    attr->ints = malloc(2 * times * sizeof *attr->ints);
    if (!attr->ints) {
        p->status = stoic_fail_memory(p->err, "attributes", 2 * times * sizeof *attr->ints);
        return;
    }
    attr->count = 2 * times;
    for (size_t i = 0; i < 2 * times; i++)
        attr->ints[i] = i % 2 ? w : h;
}

/* ---- constants ---- */

/* Hands a constant called "layer.part" to the builder, which shares it. */
static void give(stoic_zoo_plan *p, const char *layer, const char *part, stoic_tensor *tensor) {
    char name[2 * STOIC_ZOO_NAME];
    snprintf(name, sizeof name, "%s.%s", layer, part);
    p->status = stoic_builder_constant(p->b, name, tensor, p->err);
    stoic_tensor_free(tensor);
}

static float *create(stoic_zoo_plan *p, const stoic_shape *shape, stoic_tensor **out) {
    if (stopped(p) || !p->b)
        return NULL;
    p->status = stoic_tensor_create(STOIC_F32, shape, out, p->err);
    return stopped(p) ? NULL : stoic_tensor_mutable_data(*out);
}

static void filled(stoic_zoo_plan *p, const char *layer, const char *part, const stoic_shape *shape,
                   float value) {
    stoic_tensor *tensor = NULL;
    float *data = create(p, shape, &tensor);
    if (!data)
        return;
    for (int64_t i = 0, n = stoic_tensor_count(tensor); i < n; i++)
        data[i] = value;
    give(p, layer, part, tensor);
}

/* Uniform in ±scale, or normal with that standard deviation; a sequence for each tensor. */
static void drawn(stoic_zoo_plan *p, const char *layer, const char *part, const stoic_shape *shape,
                  bool normal, double scale) {
    stoic_tensor *tensor = NULL;
    float *data = create(p, shape, &tensor);
    if (!data)
        return;
    stoic_rng rng;
    stoic_rng_init(&rng, p->seed, p->tensors, STOIC_STREAM_INIT);
    for (int64_t i = 0, n = stoic_tensor_count(tensor); i < n; i++)
        data[i] = (float)(scale * (normal ? stoic_rng_normal(&rng) : 2 * stoic_rng_unit(&rng) - 1));
    give(p, layer, part, tensor);
}

/* The weight of a layer and its bias, one for each output. Fans are counted as PyTorch does. */
static void layer_constants(stoic_zoo_plan *p, const char *layer, const stoic_zoo_draw *draw,
                            const stoic_shape *weight, bool bias) {
    int64_t field = weight->rank == 4 ? weight->dim[2] * weight->dim[3] : 1;
    double in = (double)(weight->dim[1] * field), out = (double)(weight->dim[0] * field);
    double fan = draw->fan == STOIC_ZOO_FAN_IN     ? in
                 : draw->fan == STOIC_ZOO_FAN_OUT  ? out
                 : draw->fan == STOIC_ZOO_FAN_BOTH ? in + out
                                                   : 1;
    stoic_shape vector = {1, {weight->dim[0]}};
    drawn(p, layer, "weight", weight, draw->normal, draw->gain / sqrt(fan));
    p->tensors++;
    p->weights += stoic_shape_count(weight);
    p->parameters += stoic_shape_count(weight);
    if (!bias)
        return;
    if (draw->zero_bias)
        filled(p, layer, "bias", &vector, 0);
    else
        drawn(p, layer, "bias", &vector, false, 1 / sqrt(in));
    p->tensors++;
    p->parameters += weight->dim[0];
}

/* ---- nodes ---- */

/* A node that reads the current value and other values, and becomes the current one. */
static void node(stoic_zoo_plan *p, const char *name, const stoic_op *op, attr_list list,
                 const char *const *others, size_t n_others) {
    const char *in[MAX_JOINED + 1] = {p->at.name};
    const char *out = name;
    for (size_t i = 0; i < n_others; i++)
        in[i + 1] = others[i];
    if (stopped(p) || !p->b)
        stoic_attrs_free(list.attrs, list.n);
    else
        p->status = stoic_builder_node(p->b, name, op, list.attrs, list.n, in, n_others + 1, &out,
                                       1, p->err);
    snprintf(p->at.name, sizeof p->at.name, "%s", name);
    int64_t size = p->at.channels * p->at.height * p->at.width;
    p->largest = size > p->largest ? size : p->largest;
}

/* The same with constants of its own: "name.part" for each part. */
static void node_with(stoic_zoo_plan *p, const char *name, const stoic_op *op, attr_list list,
                      const char *const *parts, size_t n_parts) {
    char names[4][2 * STOIC_ZOO_NAME];
    const char *others[4];
    for (size_t i = 0; i < n_parts; i++) {
        snprintf(names[i], sizeof names[i], "%s.%s", name, parts[i]);
        others[i] = names[i];
    }
    node(p, name, op, list, others, n_parts);
}

static void plain(stoic_zoo_plan *p, const char *name, const stoic_op *op) {
    char full[STOIC_ZOO_NAME];
    full_name(p, name, full);
    node(p, full, op, (attr_list){0}, NULL, 0);
}

static int64_t slide(stoic_zoo_plan *p, int64_t in, int64_t kernel, int64_t stride, int64_t pad) {
    if (in + 2 * pad < kernel) {
        p->too_small = true;
        return 1;
    }
    return (in + 2 * pad - kernel) / stride + 1;
}

static void slide_window(stoic_zoo_plan *p, const stoic_zoo_window *w) {
    p->at.height = slide(p, p->at.height, w->kernel_h, w->stride, w->pad_h);
    p->at.width = slide(p, p->at.width, w->kernel_w, w->stride, w->pad_w);
}

/* ---- the layers ---- */

static const char *const weight_bias[] = {"weight", "bias"};

void stoic_zoo_input(stoic_zoo_plan *p) {
    const stoic_zoo_order *order = p->order;
    p->at = (stoic_zoo_value){"input", order->channels, order->size, order->size};
    p->largest = order->channels * order->size * order->size;
    stoic_shape shape = {4, {1, order->channels, order->size, order->size}};
    if (p->b && !stopped(p))
        p->status = stoic_builder_input(p->b, p->at.name, &shape, p->err);
}

static void conv(stoic_zoo_plan *p, const char *name, int64_t channels, int64_t groups,
                 stoic_zoo_window w, bool bias) {
    char full[STOIC_ZOO_NAME];
    attr_list list = {0};
    stoic_shape weight = {4, {channels, p->at.channels / groups, w.kernel_h, w.kernel_w}};
    full_name(p, name, full);
    layer_constants(p, full, &p->order->conv, &weight, bias);
    attr_pair(p, &list, "kernel_shape", w.kernel_h, w.kernel_w, 1);
    attr_pair(p, &list, "strides", w.stride, w.stride, 1);
    attr_pair(p, &list, "pads", w.pad_h, w.pad_w, 2);
    if (groups > 1)
        attr_int(p, &list, "group", groups);
    slide_window(p, &w);
    p->at.channels = channels;
    node_with(p, full, &stoic_op_conv, list, weight_bias, bias ? 2 : 1);
}

void stoic_zoo_conv(stoic_zoo_plan *p, const char *name, int64_t channels, stoic_zoo_window window,
                    bool bias) {
    conv(p, name, channels, 1, window, bias);
}

void stoic_zoo_depthwise(stoic_zoo_plan *p, const char *name, stoic_zoo_window window) {
    conv(p, name, p->at.channels, p->at.channels, window, false);
}

void stoic_zoo_gemm(stoic_zoo_plan *p, const char *name, int64_t features) {
    char full[STOIC_ZOO_NAME];
    attr_list list = {0};
    stoic_shape weight = {2, {features, p->at.channels}};
    full_name(p, name, full);
    layer_constants(p, full, &p->order->gemm, &weight, true);
    attr_int(p, &list, "transB", 1);
    p->at.channels = features;
    node_with(p, full, &stoic_op_gemm, list, weight_bias, 2);
}

static void batch_norm(stoic_zoo_plan *p, const char *name, attr_list list) {
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    static const float values[] = {1, 0, 0, 1};
    char full[STOIC_ZOO_NAME];
    stoic_shape vector = {1, {p->at.channels}};
    full_name(p, name, full);
    for (size_t i = 0; i < 4; i++, p->tensors++)
        filled(p, full, parts[i], &vector, values[i]);
    p->parameters += 2 * p->at.channels; /* the other two are statistics */
    node_with(p, full, &stoic_op_batch_normalization, list, parts, 4);
}

void stoic_zoo_norm(stoic_zoo_plan *p, const char *name) {
    batch_norm(p, name, (attr_list){0});
}

void stoic_zoo_norm_with(stoic_zoo_plan *p, const char *name, double epsilon) {
    attr_list list = {0};
    attr_float(p, &list, "epsilon", epsilon);
    batch_norm(p, name, list);
}

static void pool(stoic_zoo_plan *p, const char *name, const stoic_op *op, stoic_zoo_window w) {
    char full[STOIC_ZOO_NAME];
    attr_list list = {0};
    attr_pair(p, &list, "kernel_shape", w.kernel_h, w.kernel_w, 1);
    attr_pair(p, &list, "strides", w.stride, w.stride, 1);
    if (w.pad_h || w.pad_w)
        attr_pair(p, &list, "pads", w.pad_h, w.pad_w, 2);
    if ((w.pad_h || w.pad_w) && op == &stoic_op_average_pool)
        attr_int(p, &list, "count_include_pad", 1);
    full_name(p, name, full);
    slide_window(p, &w);
    node(p, full, op, list, NULL, 0);
}

void stoic_zoo_max_pool(stoic_zoo_plan *p, const char *name, stoic_zoo_window window) {
    pool(p, name, &stoic_op_max_pool, window);
}

void stoic_zoo_average_pool(stoic_zoo_plan *p, const char *name, stoic_zoo_window window) {
    pool(p, name, &stoic_op_average_pool, window);
}

void stoic_zoo_global_pool(stoic_zoo_plan *p, const char *name) {
    p->at.height = p->at.width = 1;
    plain(p, name, &stoic_op_global_average_pool);
    plain(p, "flatten", &stoic_op_flatten);
}

void stoic_zoo_flatten(stoic_zoo_plan *p, const char *name) {
    p->at.channels *= p->at.height * p->at.width;
    p->at.height = p->at.width = 1;
    plain(p, name, &stoic_op_flatten);
}

void stoic_zoo_relu(stoic_zoo_plan *p, const char *name) {
    plain(p, name, &stoic_op_relu);
}

void stoic_zoo_sigmoid(stoic_zoo_plan *p, const char *name) {
    plain(p, name, &stoic_op_sigmoid);
}

void stoic_zoo_relu6(stoic_zoo_plan *p, const char *name) {
    static const char *const bounds[] = {"relu6.min", "relu6.max"};
    char full[STOIC_ZOO_NAME];
    if (!p->has_relu6) {
        filled(p, "relu6", "min", &(stoic_shape){0}, 0);
        filled(p, "relu6", "max", &(stoic_shape){0}, 6);
        p->has_relu6 = true;
    }
    full_name(p, name, full);
    node(p, full, &stoic_op_clip, (attr_list){0}, bounds, 2);
}

void stoic_zoo_dropout(stoic_zoo_plan *p, const char *name, double ratio) {
    static const char *const parts[] = {"ratio"};
    char full[STOIC_ZOO_NAME];
    full_name(p, name, full);
    filled(p, full, "ratio", &(stoic_shape){0}, (float)ratio);
    node_with(p, full, &stoic_op_dropout, (attr_list){0}, parts, 1);
}

void stoic_zoo_add(stoic_zoo_plan *p, const char *name, const stoic_zoo_value *other) {
    char full[STOIC_ZOO_NAME];
    const char *others[] = {other->name};
    full_name(p, name, full);
    node(p, full, &stoic_op_add, (attr_list){0}, others, 1);
}

void stoic_zoo_concat(stoic_zoo_plan *p, const char *name, const stoic_zoo_value *values,
                      size_t n) {
    char full[STOIC_ZOO_NAME];
    const char *others[MAX_JOINED];
    attr_list list = {0};
    full_name(p, name, full);
    attr_int(p, &list, "axis", 1);
    p->at = values[0];
    for (size_t i = 1; i < n; i++) {
        others[i - 1] = values[i].name;
        p->at.channels += values[i].channels;
    }
    node(p, full, &stoic_op_concat, list, others, n - 1);
}
