/*
 * Untrained networks under PyTorch's default initialisation: weights and biases of Conv and Gemm
 * uniform in ±1/sqrt(fan in), BatchNormalization scale 1, bias 0, mean 0, variance 1.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"
#include "model/graph.h"

enum { OPSET = 17, NAME_SIZE = 64 };

/* A network being written down layer by layer. The first failure sticks. */
typedef struct plan {
    stoic_builder *b;
    uint64_t seed, tensors; /* tensors drawn so far: each has a sequence of its own */
    char at[NAME_SIZE];     /* the value that the next layer reads */
    int64_t channels;
    stoic_status status;
    stoic_error *err;
} plan;

typedef struct attr_list {
    stoic_attr *attrs;
    size_t n;
} attr_list;

static stoic_attr *add_attr(plan *p, attr_list *list, const char *name, stoic_attr_kind kind) {
    stoic_attr *larger = realloc(list->attrs, (list->n + 1) * sizeof *larger);
    char *copy = strdup(name);
    list->attrs = larger ? larger : list->attrs;
    if (!larger || !copy) {
        free(copy);
        if (p->status == STOIC_OK)
            p->status = stoic_fail_memory(p->err, "attributes", sizeof *larger);
        return NULL;
    }
    larger[list->n] = (stoic_attr){.name = copy, .kind = kind};
    return &larger[list->n++];
}

static void attr_int(plan *p, attr_list *list, const char *name, int64_t value) {
    stoic_attr *attr = add_attr(p, list, name, STOIC_ATTR_INT);
    if (attr)
        attr->i = value;
}

/* `value` n times over, as strides and pads have it. */
static void attr_ints(plan *p, attr_list *list, const char *name, int64_t value, size_t n) {
    stoic_attr *attr = add_attr(p, list, name, STOIC_ATTR_INTS);
    if (!attr)
        return;
    attr->ints = malloc(n * sizeof *attr->ints);
    if (!attr->ints) {
        p->status = stoic_fail_memory(p->err, "attributes", n * sizeof *attr->ints);
        return;
    }
    attr->count = n;
    for (size_t i = 0; i < n; i++)
        attr->ints[i] = value;
}

/* A constant uniform in ±bound, or, with bound 0, all `value`. */
static void constant(plan *p, const char *layer, const char *part, const stoic_shape *shape,
                     double bound, double value) {
    char name[NAME_SIZE];
    stoic_tensor *tensor = NULL;
    if (p->status != STOIC_OK)
        return;
    p->status = stoic_tensor_create(STOIC_F32, shape, &tensor, p->err);
    if (p->status != STOIC_OK)
        return;
    stoic_rng rng;
    stoic_rng_init(&rng, p->seed, p->tensors++, STOIC_STREAM_INIT);
    for (int64_t i = 0; i < stoic_tensor_count(tensor); i++)
        stoic_tensor_set(tensor, i, bound > 0 ? bound * (2 * stoic_rng_unit(&rng) - 1) : value);
    snprintf(name, sizeof name, "%s.%s", layer, part);
    p->status = stoic_builder_constant(p->b, name, tensor, p->err);
    stoic_tensor_free(tensor);
}

/* A node that reads the current value (and `second`, or parameters of the layer called `name`),
 * and whose output, of the node's name, becomes the current value. */
static void node(plan *p, const char *name, const char *op, attr_list list,
                 const char *const *parts, size_t n_parts, const char *second) {
    char names[4][NAME_SIZE];
    const char *in[6] = {p->at};
    size_t n_in = 1;
    if (second)
        in[n_in++] = second;
    for (size_t i = 0; i < n_parts; i++) {
        snprintf(names[i], NAME_SIZE, "%.40s.%.20s", name, parts[i]);
        in[n_in++] = names[i];
    }
    if (p->status != STOIC_OK) {
        stoic_attrs_free(list.attrs, list.n);
        return;
    }
    p->status = stoic_builder_node(p->b, name, stoic_op_find("", op), list.attrs, list.n, in, n_in,
                                   &name, 1, p->err);
    snprintf(p->at, NAME_SIZE, "%s", name);
}

static const char *const weight_bias[] = {"weight", "bias"};

static void conv(plan *p, const char *name, int64_t channels, int64_t kernel, int64_t stride,
                 int64_t pad, bool bias) {
    stoic_shape weight = {4, {channels, p->channels, kernel, kernel}};
    stoic_shape vector = {1, {channels}};
    double bound = 1 / sqrt((double)(p->channels * kernel * kernel));
    attr_list list = {0};
    constant(p, name, "weight", &weight, bound, 0);
    if (bias)
        constant(p, name, "bias", &vector, bound, 0);
    attr_ints(p, &list, "kernel_shape", kernel, 2);
    attr_ints(p, &list, "strides", stride, 2);
    attr_ints(p, &list, "pads", pad, 4);
    node(p, name, "Conv", list, weight_bias, bias ? 2 : 1, NULL);
    p->channels = channels;
}

static void gemm(plan *p, const char *name, int64_t features) {
    stoic_shape weight = {2, {features, p->channels}};
    stoic_shape vector = {1, {features}};
    double bound = 1 / sqrt((double)p->channels);
    attr_list list = {0};
    constant(p, name, "weight", &weight, bound, 0);
    constant(p, name, "bias", &vector, bound, 0);
    attr_int(p, &list, "transB", 1);
    node(p, name, "Gemm", list, weight_bias, 2, NULL);
    p->channels = features;
}

static void batch_norm(plan *p, const char *name) {
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    static const double values[] = {1, 0, 0, 1};
    stoic_shape vector = {1, {p->channels}};
    for (size_t i = 0; i < 4; i++)
        constant(p, name, parts[i], &vector, 0, values[i]);
    node(p, name, "BatchNormalization", (attr_list){0}, parts, 4, NULL);
}

static void pool(plan *p, const char *name, const char *op) {
    attr_list list = {0};
    attr_ints(p, &list, "kernel_shape", 2, 2);
    attr_ints(p, &list, "strides", 2, 2);
    node(p, name, op, list, NULL, 0, NULL);
}

static void plain(plan *p, const char *name, const char *op) {
    node(p, name, op, (attr_list){0}, NULL, 0, NULL);
}

static void input(plan *p, int64_t channels, int64_t size) {
    stoic_shape shape = {4, {1, channels, size, size}};
    if (p->status == STOIC_OK)
        p->status = stoic_builder_input(p->b, "input", &shape, p->err);
    snprintf(p->at, NAME_SIZE, "input");
    p->channels = channels;
}

/* LeNet-5 of the paper on fault injection campaigns: 1x28x28 images, ten classes. */
static void lenet5(plan *p, const char *activation, const char *pooling) {
    input(p, 1, 28);
    conv(p, "conv1", 20, 5, 1, 0, true);
    plain(p, "act1", activation);
    pool(p, "pool1", pooling);
    conv(p, "conv2", 50, 5, 1, 0, true);
    plain(p, "act2", activation);
    pool(p, "pool2", pooling);
    plain(p, "flatten", "Flatten");
    p->channels *= 4 * 4;
    gemm(p, "fc1", 120);
    plain(p, "act3", activation);
    gemm(p, "fc2", 84);
    plain(p, "act4", activation);
    gemm(p, "fc3", 10);
    plain(p, "output", "Sigmoid");
}

/* Two 3x3 convolutions around a shortcut, which is a 1x1 convolution where the shape changes. */
static void residual_block(plan *p, int stage, int block, int64_t channels, int64_t stride) {
    char prefix[NAME_SIZE], name[NAME_SIZE], shortcut[NAME_SIZE], end[NAME_SIZE];
    int64_t entry_channels = p->channels;
    snprintf(prefix, sizeof prefix, "layer%d.%d", stage, block);
#define NAMED(suffix) (snprintf(name, sizeof name, "%.40s.%s", prefix, suffix), name)
    snprintf(shortcut, sizeof shortcut, "%s", p->at);
    conv(p, NAMED("conv1"), channels, 3, stride, 1, false);
    batch_norm(p, NAMED("bn1"));
    plain(p, NAMED("relu1"), "Relu");
    conv(p, NAMED("conv2"), channels, 3, 1, 1, false);
    batch_norm(p, NAMED("bn2"));
    if (stride != 1 || entry_channels != channels) {
        snprintf(end, sizeof end, "%s", p->at);
        snprintf(p->at, NAME_SIZE, "%s", shortcut);
        p->channels = entry_channels;
        conv(p, NAMED("shortcut.conv"), channels, 1, stride, 0, false);
        batch_norm(p, NAMED("shortcut.bn"));
        snprintf(shortcut, sizeof shortcut, "%s", p->at);
        snprintf(p->at, NAME_SIZE, "%s", end);
    }
    node(p, NAMED("add"), "Add", (attr_list){0}, NULL, 0, shortcut);
    plain(p, NAMED("relu2"), "Relu");
#undef NAMED
}

/* CIFAR residual network with 6 * blocks + 2 layers: 3x32x32 images, ten classes. */
static void resnet(plan *p, int blocks) {
    input(p, 3, 32);
    conv(p, "conv1", 16, 3, 1, 1, false);
    batch_norm(p, "bn1");
    plain(p, "relu1", "Relu");
    for (int stage = 1; stage <= 3; stage++) {
        for (int block = 0; block < blocks; block++)
            residual_block(p, stage, block, 16 << (stage - 1), stage > 1 && block == 0 ? 2 : 1);
    }
    plain(p, "pool", "GlobalAveragePool");
    plain(p, "flatten", "Flatten");
    gemm(p, "output", 10);
}

static void build_lenet5(plan *p) {
    lenet5(p, "Relu", "MaxPool");
}

static void build_lenet5_sigmoid(plan *p) {
    lenet5(p, "Sigmoid", "MaxPool");
}

static void build_lenet5_avgpool(plan *p) {
    lenet5(p, "Relu", "AveragePool");
}

static void build_resnet20(plan *p) {
    resnet(p, 3);
}

static void build_resnet44(plan *p) {
    resnet(p, 7);
}

typedef struct zoo_entry {
    const char *name, *description;
    void (*build)(plan *p);
} zoo_entry;

static const zoo_entry zoo[] = {
    {"lenet5", "LeNet-5: ReLU, max pooling, final Sigmoid; 1x28x28, 10 classes", build_lenet5},
    {"lenet5-avgpool", "LeNet-5 with average pooling", build_lenet5_avgpool},
    {"lenet5-sigmoid", "LeNet-5 with Sigmoid activations", build_lenet5_sigmoid},
    {"resnet20", "ResNet-20 for CIFAR: 3x32x32, 10 classes", build_resnet20},
    {"resnet44", "ResNet-44 for CIFAR: 3x32x32, 10 classes", build_resnet44},
};

size_t stoic_zoo_count(void) {
    return sizeof zoo / sizeof *zoo;
}

const char *stoic_zoo_name(size_t i) {
    return i < stoic_zoo_count() ? zoo[i].name : NULL;
}

const char *stoic_zoo_description(size_t i) {
    return i < stoic_zoo_count() ? zoo[i].description : NULL;
}

static stoic_status build(const zoo_entry *entry, uint64_t seed, stoic_model **out,
                          stoic_error *err) {
    plan p = {.seed = seed, .err = err};
    char text[32];
    p.status = stoic_builder_create(entry->name, OPSET, &p.b, err);
    if (p.status != STOIC_OK)
        return p.status;
    entry->build(&p);
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    if (p.status == STOIC_OK)
        p.status = stoic_builder_output(p.b, p.at, err);
    if (p.status == STOIC_OK)
        p.status = stoic_builder_meta(p.b, "stoic.zoo", entry->name, err);
    if (p.status == STOIC_OK)
        p.status = stoic_builder_meta(p.b, "stoic.seed", text, err);
    if (p.status != STOIC_OK) {
        stoic_builder_free(p.b);
        return p.status;
    }
    return stoic_builder_finish(p.b, out, err);
}

stoic_status stoic_zoo_build(const char *name, uint64_t seed, stoic_model **out, stoic_error *err) {
    char known[256] = "";
    for (size_t i = 0; i < stoic_zoo_count(); i++) {
        if (strcmp(zoo[i].name, name) == 0)
            return build(&zoo[i], seed, out, err);
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", zoo[i].name);
    }
    return stoic_fail(err, STOIC_ERR_ARGUMENT, name,
                      "no network '%s' in the zoo, expected one of %s", name, known);
}
