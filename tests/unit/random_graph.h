/*
 * Small random networks over the operators that the executor knows fast kernels for, in the shapes
 * that are awkward for them: odd channel counts, groups, dilations, one-sided padding.
 */
#ifndef STOIC_TEST_RANDOM_GRAPH_H
#define STOIC_TEST_RANDOM_GRAPH_H

#include <stdio.h>

#include "exec_kit.h"

typedef struct graph {
    stoic_builder *b;
    stoic_rng *rng;
    int n;           /* values so far */
    char value[16];  /* the last one */
    int64_t c, h, w; /* its shape; after the flattening c features */
    stoic_attr attrs[8];
    size_t n_attrs;
} graph;

static inline int64_t pick(graph *g, int64_t low, int64_t high) {
    return low + kit_below(g->rng, high - low + 1);
}

static inline stoic_attr *graph_attr(graph *g, const char *name, stoic_attr_kind kind) {
    stoic_attr *attr = &g->attrs[g->n_attrs++];
    *attr = (stoic_attr){.name = strdup(name), .kind = kind};
    return attr;
}

static inline void graph_int(graph *g, const char *name, int64_t value) {
    graph_attr(g, name, STOIC_ATTR_INT)->i = value;
}

static inline void graph_real(graph *g, const char *name, float value) {
    graph_attr(g, name, STOIC_ATTR_FLOAT)->f = value;
}

static inline void graph_list(graph *g, const char *name, const int64_t *list, size_t count) {
    stoic_attr *attr = graph_attr(g, name, STOIC_ATTR_INTS);
    attr->ints = malloc(count * sizeof *list);
    assert_non_null(attr->ints);
    memcpy(attr->ints, list, count * sizeof *list);
    attr->count = count;
}

/* Adds a float constant of random values and gives its name. */
static inline void graph_constant(graph *g, char name[16], int rank, const int64_t *dim, double low,
                                  double high) {
    stoic_shape shape = {.rank = rank};
    stoic_tensor *tensor = NULL;
    if (rank)
        memcpy(shape.dim, dim, (size_t)rank * sizeof *dim);
    MUST(stoic_tensor_create(STOIC_F32, &shape, &tensor, err));
    float *data = stoic_tensor_mutable_data(tensor);
    for (int64_t i = 0; i < stoic_tensor_count(tensor); i++)
        data[i] = kit_uniform(g->rng, low, high);
    snprintf(name, 16, "k%d", g->n++);
    MUST(stoic_builder_constant(g->b, name, tensor, err));
    stoic_tensor_free(tensor);
}

static inline void graph_integers(graph *g, char name[16], const int64_t *list, int64_t count) {
    stoic_shape shape = {1, {count}};
    stoic_tensor *tensor = NULL;
    MUST(stoic_tensor_create(STOIC_I64, &shape, &tensor, err));
    memcpy(stoic_tensor_mutable_data(tensor), list, (size_t)count * sizeof *list);
    snprintf(name, 16, "k%d", g->n++);
    MUST(stoic_builder_constant(g->b, name, tensor, err));
    stoic_tensor_free(tensor);
}

/* A node of up to five inputs whose output becomes the current value. */
static inline void graph_node(graph *g, const stoic_op *op, const char *const *in, size_t n_in) {
    char name[16], out[16];
    const char *const outs[] = {out};
    snprintf(name, sizeof name, "n%d", g->n);
    snprintf(out, sizeof out, "v%d", g->n++);
    stoic_attr *attrs = NULL;
    if (g->n_attrs) {
        attrs = malloc(g->n_attrs * sizeof *attrs);
        assert_non_null(attrs);
        memcpy(attrs, g->attrs, g->n_attrs * sizeof *attrs);
    }
    MUST(stoic_builder_node(g->b, name, op, attrs, g->n_attrs, in, n_in, outs, 1, err));
    g->n_attrs = 0;
    memcpy(g->value, out, sizeof g->value);
}

static inline void graph_simple(graph *g, const stoic_op *op) {
    char in[16];
    memcpy(in, g->value, sizeof in);
    graph_node(g, op, (const char *[]){in}, 1);
}

static inline int64_t span(int64_t k, int64_t dilation) {
    return (k - 1) * dilation + 1;
}

/* `same`: keeps height and width; oc 0: any. */
static inline void graph_conv(graph *g, bool same, int64_t oc) {
    char in[16], weights[16], bias[16];
    int64_t k[2] = {pick(g, 1, 3), pick(g, 1, 4)}, stride[2] = {pick(g, 1, 2), pick(g, 1, 2)};
    int64_t dilation[2] = {pick(g, 1, 2), pick(g, 1, 2)}, pads[4], size[2] = {g->h, g->w};
    int64_t groups = 1;
    memcpy(in, g->value, sizeof in);
    if (!oc)
        oc = pick(g, 0, 3) ? pick(g, 1, 24) : pick(g, 1, 70);
    if (same) {
        k[0] = k[1] = 3;
        stride[0] = stride[1] = dilation[0] = dilation[1] = 1;
    } else if (pick(g, 0, 2) == 0) { /* groups, often depthwise */
        groups = pick(g, 0, 1) || g->c % 2 ? g->c : g->c / 2;
        oc = groups * pick(g, 1, groups > 20 ? 1 : 3);
    }
    for (int i = 0; i < 2; i++) {
        pads[i] = same ? 1 : pick(g, 0, 2);
        pads[i + 2] = same ? 1 : pick(g, 0, 2);
        while (span(k[i], dilation[i]) > size[i] + pads[i] + pads[i + 2])
            pads[i]++;
        size[i] = (size[i] + pads[i] + pads[i + 2] - span(k[i], dilation[i])) / stride[i] + 1;
    }
    double fan = (double)(g->c / groups * k[0] * k[1]), limit = sqrt(3 / fan);
    graph_constant(g, weights, 4, (const int64_t[]){oc, g->c / groups, k[0], k[1]}, -limit, limit);
    bool biased = pick(g, 0, 2) > 0;
    if (biased)
        graph_constant(g, bias, 1, &oc, -1, 1);
    graph_int(g, "group", groups);
    graph_list(g, "kernel_shape", k, 2);
    graph_list(g, "strides", stride, 2);
    graph_list(g, "dilations", dilation, 2);
    graph_list(g, "pads", pads, 4);
    graph_node(g, &stoic_op_conv, (const char *[]){in, weights, bias}, biased ? 3 : 2);
    g->c = oc;
    g->h = size[0];
    g->w = size[1];
}

static inline void graph_norm(graph *g) {
    char in[16], k[4][16];
    memcpy(in, g->value, sizeof in);
    for (int i = 0; i < 4; i++)
        graph_constant(g, k[i], 1, &g->c, i == 3 || i == 0 ? 0.3 : -0.7, 1.4);
    graph_node(g, &stoic_op_batch_normalization, (const char *[]){in, k[0], k[1], k[2], k[3]}, 5);
}

static inline void graph_clip(graph *g, double low, double high) {
    char in[16], a[16], b[16];
    memcpy(in, g->value, sizeof in);
    graph_constant(g, a, 0, NULL, low, low);
    graph_constant(g, b, 0, NULL, high, high);
    graph_node(g, &stoic_op_clip, (const char *[]){in, a, b}, 3);
}

static inline void graph_activation_kind(graph *g, int kind) {
    switch (kind) {
    case 0:
        graph_real(g, "alpha", kit_uniform(g->rng, -0.5, 1.2));
        graph_simple(g, &stoic_op_leaky_relu);
        break;
    case 1:
        graph_clip(g, -0.5, 0.75);
        break;
    case 2:
        graph_simple(g, &stoic_op_sigmoid);
        break;
    case 3:
        graph_simple(g, &stoic_op_tanh);
        break;
    case 4:
        graph_simple(g, &stoic_op_hard_swish);
        break;
    case 5:
        graph_real(g, "alpha", 0.3f);
        graph_simple(g, &stoic_op_hard_sigmoid);
        break;
    default:
        graph_simple(g, &stoic_op_relu);
    }
}

/* Where(IsNaN(x), 0, x): one step, or with `apart` two that run their plain definitions. */
static inline void graph_nan_filter(graph *g, bool apart) {
    char x[16], test[16], zero[16];
    memcpy(x, g->value, sizeof x);
    graph_constant(g, zero, 0, NULL, 0, 0);
    graph_simple(g, &stoic_op_is_nan);
    memcpy(test, g->value, sizeof test);
    if (apart)
        graph_node(g, &stoic_op_where, (const char *[]){test, x, x}, 3);
    else
        graph_node(g, &stoic_op_where, (const char *[]){test, zero, x}, 3);
}

static inline void graph_activation(graph *g) {
    graph_activation_kind(g, (int)pick(g, 0, 8));
    if (pick(g, 0, 4) == 0)
        graph_nan_filter(g, pick(g, 0, 3) == 0);
}

static inline int64_t pooled(int64_t in, int64_t low, int64_t high, int64_t k, int64_t stride,
                             bool ceil_mode) {
    int64_t room = in + low + high - k, out = room / stride + 1;
    if (ceil_mode && room % stride)
        out += out * stride < in + low; /* the last window must start inside */
    return out;
}

static inline void graph_pool(graph *g) {
    int64_t k[2], stride[2], pads[4], size[2] = {g->h, g->w};
    bool ceil_mode = pick(g, 0, 1), maximum = pick(g, 0, 1);
    if (g->h < 2 || g->w < 2)
        return;
    for (int i = 0; i < 2; i++) {
        k[i] = pick(g, 1, size[i] < 3 ? 2 : pick(g, 0, 9) ? 3 : size[i] < 11 ? size[i] : 11);
        stride[i] = pick(g, 1, 3);
        pads[i] = pick(g, 0, k[i] > 3 ? 1 : k[i] - 1);
        pads[i + 2] = pick(g, 0, k[i] > 3 ? 1 : k[i] - 1);
        size[i] = pooled(size[i], pads[i], pads[i + 2], k[i], stride[i], ceil_mode);
    }
    graph_list(g, "kernel_shape", k, 2);
    graph_list(g, "strides", stride, 2);
    graph_list(g, "pads", pads, 4);
    graph_int(g, "ceil_mode", ceil_mode);
    if (!maximum)
        graph_int(g, "count_include_pad", pick(g, 0, 1));
    graph_simple(g, maximum ? &stoic_op_max_pool : &stoic_op_average_pool);
    g->h = size[0];
    g->w = size[1];
}

static inline void graph_join(graph *g) {
    char before[16], after[16];
    memcpy(before, g->value, sizeof before);
    graph_conv(g, true, g->c);
    if (pick(g, 0, 1))
        graph_norm(g);
    int kind = (int)pick(g, 0, 6);
    if (kind == 4)
        graph_clip(g, 1, 3); /* a divisor */
    memcpy(after, g->value, sizeof after);
    const char *pair[] = {before, after}, *swapped[] = {after, before};
    if (kind == 5) {
        graph_int(g, "axis", 1);
        graph_node(g, &stoic_op_concat, pair, 2);
        g->c *= 2;
        return;
    }
    const stoic_op *ops[] = {&stoic_op_add, &stoic_op_add, &stoic_op_sub, &stoic_op_mul,
                             &stoic_op_div, NULL,          &stoic_op_add};
    graph_node(g, ops[kind], kind != 4 && pick(g, 0, 1) ? swapped : pair, 2);
    if (pick(g, 0, 2))
        graph_activation(g);
}

static inline void graph_move(graph *g) {
    char in[16], k[4][16];
    memcpy(in, g->value, sizeof in);
    if (pick(g, 0, 2) == 0 && g->c > 1) {
        graph_integers(g, k[0], (const int64_t[]){1}, 1);
        graph_integers(g, k[1], (const int64_t[]){g->c}, 1);
        graph_integers(g, k[2], (const int64_t[]){1}, 1);
        graph_integers(g, k[3], (const int64_t[]){1}, 1);
        graph_node(g, &stoic_op_slice, (const char *[]){in, k[0], k[1], k[2], k[3]}, 5);
        g->c--;
    } else if (pick(g, 0, 1)) {
        graph_integers(g, k[0], (const int64_t[]){0, 0, 1, 0, 0, 0, 0, 2}, 8);
        graph_node(g, &stoic_op_pad, (const char *[]){in, k[0]}, 2);
        g->h += 1;
        g->w += 2;
    } else {
        graph_list(g, "perm", (const int64_t[]){0, 1, 3, 2}, 4);
        graph_simple(g, &stoic_op_transpose);
        int64_t h = g->h;
        g->h = g->w;
        g->w = h;
    }
}

static inline void graph_flatten(graph *g) {
    char in[16], k[16];
    memcpy(in, g->value, sizeof in);
    int kind = (int)pick(g, 0, 4);
    if (kind == 0 || g->c * g->h * g->w > 3000) {
        graph_simple(g, &stoic_op_global_average_pool);
        memcpy(in, g->value, sizeof in);
        g->h = g->w = 1;
    } else if (kind == 1) {
        graph_list(g, "axes", (const int64_t[]){2, 3}, 2);
        graph_int(g, "keepdims", 0);
        graph_simple(g, &stoic_op_reduce_mean);
        g->h = g->w = 1;
        return;
    }
    if (pick(g, 0, 1)) {
        graph_simple(g, &stoic_op_flatten);
    } else {
        graph_integers(g, k, (const int64_t[]){0, -1}, 2);
        graph_node(g, &stoic_op_reshape, (const char *[]){in, k}, 2);
    }
    g->c *= g->h * g->w;
    g->h = g->w = 1;
}

static inline void graph_product(graph *g, int64_t out) {
    char in[16], weights[16], bias[16];
    bool transposed = pick(g, 0, 1), plain = pick(g, 0, 3) == 0;
    memcpy(in, g->value, sizeof in);
    double limit = sqrt(3 / (double)g->c);
    const int64_t by_row[] = {out, g->c}, by_column[] = {g->c, out};
    graph_constant(g, weights, 2, transposed && !plain ? by_row : by_column, -limit, limit);
    if (plain) {
        graph_node(g, &stoic_op_mat_mul, (const char *[]){in, weights}, 2);
    } else {
        bool biased = pick(g, 0, 3) > 0;
        graph_constant(g, bias, 1, pick(g, 0, 3) ? &out : (const int64_t[]){1}, -1, 1);
        graph_int(g, "transB", transposed);
        if (pick(g, 0, 1)) {
            graph_real(g, "alpha", kit_uniform(g->rng, 0.5, 2));
            graph_real(g, "beta", kit_uniform(g->rng, 0.5, 2));
        }
        graph_node(g, &stoic_op_gemm, (const char *[]){in, weights, bias}, biased ? 3 : 2);
    }
    g->c = out;
}

static inline void graph_body(graph *g) {
    int blocks = (int)pick(g, 2, 5);
    for (int i = 0; i < blocks; i++) {
        switch (pick(g, 0, 7)) {
        case 0:
            graph_join(g);
            break;
        case 1:
            graph_pool(g);
            break;
        case 2:
            graph_move(g);
            break;
        case 3:
            graph_norm(g);
            break;
        default:
            graph_conv(g, false, 0);
            if (pick(g, 0, 1))
                graph_norm(g);
            if (pick(g, 0, 3))
                graph_activation(g);
            if (pick(g, 0, 2) == 0)
                graph_pool(g);
        }
    }
}

/* A classifier of 2 to 20 classes; NULL where the random sizes did not fit each other. */
static inline stoic_model *graph_random(uint64_t seed) {
    stoic_rng rng = kit_rng(seed);
    graph g = {.rng = &rng, .value = "x"};
    stoic_model *model = NULL;
    g.c = pick(&g, 0, 2) ? pick(&g, 1, 8) : pick(&g, 9, 40);
    g.h = pick(&g, 4, 13);
    g.w = pick(&g, 4, 13);
    stoic_shape shape = {4, {1, g.c, g.h, g.w}};
    MUST(stoic_builder_create("random", 15, &g.b, err));
    MUST(stoic_builder_input(g.b, "x", &shape, err));
    graph_body(&g);
    graph_flatten(&g);
    if (pick(&g, 0, 1)) {
        graph_product(&g, pick(&g, 1, 70));
        if (pick(&g, 0, 3) == 0)
            graph_norm(&g);
        graph_activation(&g);
    }
    graph_product(&g, pick(&g, 2, 20));
    if (pick(&g, 0, 1))
        graph_simple(&g, (const stoic_op *[]){&stoic_op_softmax, &stoic_op_sigmoid,
                                              &stoic_op_log_softmax}[pick(&g, 0, 2)]);
    MUST(stoic_builder_output(g.b, g.value, err));
    stoic_error error = {.message = ""};
    if (stoic_builder_finish(g.b, &model, &error) != STOIC_OK)
        print_message("network %d: %s\n", (int)seed, error.message);
    return model;
}

/* Ten classes whose weights are twins (see kit_twins) up to `change`, or random where it is 1,
 * behind a layer large enough for the difference: every way of ending, and of getting there. */
static inline stoic_model *graph_wide(uint64_t seed, float change) {
    stoic_rng rng = kit_rng(seed + 5000);
    graph g = {.rng = &rng, .value = "x", .c = 1, .h = 12, .w = 12};
    stoic_model *model = NULL;
    stoic_shape shape = {4, {1, 1, 12, 12}};
    char in[16], weights[16], bias[16];
    int64_t hidden = 20 + 9 * (int64_t)(seed % 8), ten = 10;
    MUST(stoic_builder_create("wide", 15, &g.b, err));
    MUST(stoic_builder_input(g.b, "x", &shape, err));
    static const int piecewise[] = {0, 1, 6, 7}, smooth[] = {0, 1, 2, 3, 6, 7};
    graph_conv(&g, true, 16 + (int64_t)(seed % 5));
    graph_activation_kind(&g, piecewise[pick(&g, 0, 3)]);
    if (seed % 5 < 2)
        graph_nan_filter(&g, false);
    if (seed % 3 == 1)
        graph_pool(&g);
    if (seed % 4 == 1 || seed % 4 == 2) {
        graph_conv(&g, true, 16);
        graph_activation_kind(&g, piecewise[pick(&g, 0, 3)]);
        if (seed % 8 < 4)
            graph_pool(&g);
    }
    graph_simple(&g, &stoic_op_flatten);
    g.c *= g.h * g.w;
    g.h = g.w = 1;
    graph_product(&g, hidden);
    graph_activation_kind(&g, smooth[pick(&g, 0, 5)]);
    if (seed % 5 == 2) /* the bound goes through it */
        graph_nan_filter(&g, false);
    memcpy(in, g.value, sizeof in);
    graph_constant(&g, weights, 2, (const int64_t[]){10, hidden}, -0.5, 0.5);
    graph_constant(&g, bias, 1, &ten, -1, 1);
    graph_int(&g, "transB", 1);
    graph_node(&g, &stoic_op_gemm, (const char *[]){in, weights, bias}, 3);
    if (seed % 4)
        graph_simple(&g, (const stoic_op *[]){&stoic_op_softmax, &stoic_op_sigmoid,
                                              &stoic_op_sigmoid}[seed % 4 - 1]);
    MUST(stoic_builder_output(g.b, g.value, err));
    MUST(stoic_builder_finish(g.b, &model, err));
    return change < 1 ? kit_twins(model, change) : model;
}

/* A convolution without groups of any shape, ReLU, and half of the time a pool of quarters. */
static inline void graph_stage(graph *g, int64_t oc) {
    char in[16], weights[16], bias[16];
    int64_t k[2], stride[2], dilation[2], pads[4], size[2] = {g->h, g->w}, two[2] = {2, 2};
    memcpy(in, g->value, sizeof in);
    for (int i = 0; i < 2; i++) {
        k[i] = pick(g, 2, 4);
        stride[i] = pick(g, 0, 3) ? 1 : 2;
        dilation[i] = pick(g, 0, 3) ? 1 : 2;
        pads[i] = pick(g, 0, 2);
        pads[i + 2] = pick(g, 1, 2);
        size[i] = (size[i] + pads[i] + pads[i + 2] - span(k[i], dilation[i])) / stride[i] + 1;
    }
    double limit = sqrt(3 / (double)(g->c * k[0] * k[1]));
    graph_constant(g, weights, 4, (const int64_t[]){oc, g->c, k[0], k[1]}, -limit, 1.5 * limit);
    graph_constant(g, bias, 1, &oc, -0.5, 0.5);
    graph_list(g, "kernel_shape", k, 2);
    graph_list(g, "strides", stride, 2);
    graph_list(g, "dilations", dilation, 2);
    graph_list(g, "pads", pads, 4);
    graph_node(g, &stoic_op_conv, (const char *[]){in, weights, bias}, 3);
    graph_simple(g, &stoic_op_relu);
    g->c = oc;
    g->h = size[0];
    g->w = size[1];
    if (pick(g, 0, 1) || g->h < 2 || g->w < 2)
        return;
    graph_list(g, "kernel_shape", two, 2);
    graph_list(g, "strides", two, 2);
    graph_simple(g, &stoic_op_max_pool);
    g->h /= 2;
    g->w /= 2;
}

/* A Gemm with weights [out][in] and a bias. */
static inline void graph_gemm(graph *g, int64_t out) {
    char in[16], weights[16], bias[16];
    double limit = sqrt(3 / (double)g->c);
    memcpy(in, g->value, sizeof in);
    graph_constant(g, weights, 2, (const int64_t[]){out, g->c}, -limit, limit);
    graph_constant(g, bias, 1, &out, -1, 1);
    graph_int(g, "transB", 1);
    graph_node(g, &stoic_op_gemm, (const char *[]){in, weights, bias}, 3);
    g->c = out;
}

/* Two of these and two or three matrix products with ReLU; ten classes as in graph_wide(). */
static inline stoic_model *graph_stages(uint64_t seed, float change) {
    stoic_rng rng = kit_rng(seed + 9000);
    graph g = {.rng = &rng, .value = "x", .c = 1, .h = 18, .w = 17};
    stoic_model *model = NULL;
    stoic_shape shape = {4, {1, 1, 18, 17}};
    MUST(stoic_builder_create("stages", 15, &g.b, err));
    MUST(stoic_builder_input(g.b, "x", &shape, err));
    graph_stage(&g, 12 + (int64_t)(seed % 5));
    graph_stage(&g, 15 + (int64_t)(seed % 9));
    graph_simple(&g, &stoic_op_flatten);
    g.c *= g.h * g.w;
    g.h = g.w = 1;
    for (int i = (int)(seed % 2); i < 2; i++) {
        graph_gemm(&g, 20 + 7 * (int64_t)(seed % 6));
        graph_simple(&g, &stoic_op_relu);
    }
    graph_gemm(&g, 10);
    if (seed % 3)
        graph_simple(&g, seed % 3 == 1 ? &stoic_op_softmax : &stoic_op_sigmoid);
    MUST(stoic_builder_output(g.b, g.value, err));
    MUST(stoic_builder_finish(g.b, &model, err));
    return change < 1 ? kit_twins(model, change) : model;
}

#endif
