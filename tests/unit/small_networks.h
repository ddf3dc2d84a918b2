/* Networks of a few hundred weights with everything that training must get through. */
#ifndef STOIC_TEST_SMALL_NETWORKS_H
#define STOIC_TEST_SMALL_NETWORKS_H

#include "random_graph.h"

static inline graph small_start(stoic_rng *rng, int64_t c, int64_t h, int64_t w) {
    graph g = {.rng = rng, .value = "x", .c = c, .h = h, .w = w};
    stoic_shape shape = {4, {1, c, h, w}};
    MUST(stoic_builder_create("net", 15, &g.b, err));
    MUST(stoic_builder_input(g.b, "x", &shape, err));
    return g;
}

static inline stoic_model *small_finish(graph *g) {
    stoic_model *model = NULL;
    MUST(stoic_builder_output(g->b, g->value, err));
    MUST(stoic_builder_finish(g->b, &model, err));
    return model;
}

/* A square convolution that keeps the size at stride 1. */
static inline void small_conv(graph *g, int64_t oc, int64_t k, int64_t stride, int64_t groups,
                              bool biased) {
    char in[16], weights[16], bias[16];
    const int64_t pad = k / 2;
    memcpy(in, g->value, sizeof in);
    graph_constant(g, weights, 4, (const int64_t[]){oc, g->c / groups, k, k}, -0.6, 0.6);
    if (biased)
        graph_constant(g, bias, 1, &oc, -0.5, 0.5);
    graph_int(g, "group", groups);
    graph_list(g, "strides", (const int64_t[]){stride, stride}, 2);
    graph_list(g, "pads", (const int64_t[]){pad, pad, pad, pad}, 4);
    graph_node(g, &stoic_op_conv, (const char *[]){in, weights, bias}, biased ? 3 : 2);
    g->c = oc;
    g->h = (g->h + 2 * pad - k) / stride + 1;
    g->w = (g->w + 2 * pad - k) / stride + 1;
}

static inline void small_halve(graph *g, const stoic_op *op) {
    graph_list(g, "kernel_shape", (const int64_t[]){2, 2}, 2);
    graph_list(g, "strides", (const int64_t[]){2, 2}, 2);
    graph_simple(g, op);
    g->h /= 2;
    g->w /= 2;
}

static inline void small_join(graph *g, const stoic_op *op, const char *with) {
    char in[16], other[16];
    memcpy(in, g->value, sizeof in);
    snprintf(other, sizeof other, "%s", with);
    graph_node(g, op, (const char *[]){other, in}, 2);
}

static inline void small_flatten(graph *g) {
    graph_simple(g, &stoic_op_flatten);
    g->c *= g->h * g->w;
}

/* The end is a Sigmoid: the loss is taken in front of it. */
static inline stoic_model *small_lenet(void) {
    stoic_rng rng = kit_rng(1);
    graph g = small_start(&rng, 1, 8, 8);
    small_conv(&g, 3, 3, 1, 1, true);
    graph_simple(&g, &stoic_op_relu);
    small_halve(&g, &stoic_op_max_pool);
    small_conv(&g, 4, 3, 1, 1, true);
    graph_simple(&g, &stoic_op_tanh);
    small_halve(&g, &stoic_op_average_pool);
    small_flatten(&g);
    graph_product(&g, 6);
    graph_simple(&g, &stoic_op_sigmoid);
    graph_product(&g, 5);
    graph_simple(&g, &stoic_op_sigmoid);
    return small_finish(&g);
}

static inline void small_resnet_block(graph *g, int64_t channels, int64_t stride) {
    char before[16], shortcut[16];
    int64_t c = g->c, h = g->h, w = g->w;
    memcpy(before, g->value, sizeof before);
    memcpy(shortcut, g->value, sizeof shortcut);
    if (stride > 1) {
        small_conv(g, channels, 1, stride, 1, false);
        graph_norm(g);
        memcpy(shortcut, g->value, sizeof shortcut);
        memcpy(g->value, before, sizeof before);
        g->c = c;
        g->h = h;
        g->w = w;
    }
    small_conv(g, channels, 3, stride, 1, false);
    graph_norm(g);
    graph_simple(g, &stoic_op_relu);
    small_conv(g, channels, 3, 1, 1, false);
    graph_norm(g);
    small_join(g, &stoic_op_add, shortcut);
    graph_simple(g, &stoic_op_relu);
}

static inline stoic_model *small_resnet(void) {
    stoic_rng rng = kit_rng(2);
    graph g = small_start(&rng, 3, 6, 6);
    small_conv(&g, 4, 3, 1, 1, false);
    graph_norm(&g);
    graph_simple(&g, &stoic_op_relu);
    small_resnet_block(&g, 4, 1);
    small_resnet_block(&g, 6, 2);
    graph_simple(&g, &stoic_op_global_average_pool);
    g.h = g.w = 1;
    small_flatten(&g);
    graph_product(&g, 4);
    graph_simple(&g, &stoic_op_softmax);
    return small_finish(&g);
}

/* Depthwise layers, a concatenation, a gate by channel, one weight read twice. */
static inline stoic_model *small_mobile(void) {
    stoic_rng rng = kit_rng(3);
    graph g = small_start(&rng, 4, 6, 5);
    char before[16], gated[16];
    memcpy(before, g.value, sizeof before);
    small_conv(&g, 8, 3, 1, 4, true);
    graph_norm(&g);
    graph_clip(&g, 0, 6);
    small_conv(&g, 4, 1, 1, 1, false);
    graph_norm(&g);
    graph_int(&g, "axis", 1);
    small_join(&g, &stoic_op_concat, before);
    g.c = 8;
    graph_simple(&g, &stoic_op_hard_swish);
    memcpy(gated, g.value, sizeof gated);
    graph_simple(&g, &stoic_op_global_average_pool);
    graph_simple(&g, &stoic_op_hard_sigmoid);
    small_join(&g, &stoic_op_mul, gated);
    graph_list(&g, "axes", (const int64_t[]){2, 3}, 2);
    graph_int(&g, "keepdims", 0);
    graph_simple(&g, &stoic_op_reduce_mean);
    char in[16], square[16];
    graph_constant(&g, square, 2, (const int64_t[]){8, 8}, -0.5, 0.5);
    for (int i = 0; i < 2; i++) {
        memcpy(in, g.value, sizeof in);
        graph_node(&g, &stoic_op_mat_mul, (const char *[]){in, square}, 2);
    }
    graph_simple(&g, &stoic_op_log_softmax);
    return small_finish(&g);
}

/* Products with a constant for each channel, for all of them, with equals and with a gate, on
 * either side; concatenations of images, the input among them, of more than one node can take, and
 * of rows.
 */
static inline stoic_model *small_gated(void) {
    stoic_rng rng = kit_rng(4);
    graph g = small_start(&rng, 4, 6, 5);
    char k[16], a[16], b[16], gate[16];
    small_conv(&g, 4, 3, 1, 1, true);
    graph_constant(&g, k, 3, (const int64_t[]){4, 1, 1}, 0.5, 1.5);
    small_join(&g, &stoic_op_mul, k);
    memcpy(a, g.value, sizeof a);
    graph_constant(&g, k, 0, NULL, -1.25, -1.25);
    graph_node(&g, &stoic_op_mul, (const char *[]){a, k}, 2);
    memcpy(a, g.value, sizeof a);
    graph_simple(&g, &stoic_op_global_average_pool);
    g.h = g.w = 1;
    small_conv(&g, 3, 1, 1, 1, true);
    graph_simple(&g, &stoic_op_relu);
    small_conv(&g, 4, 1, 1, 1, true);
    graph_simple(&g, &stoic_op_sigmoid);
    memcpy(gate, g.value, sizeof gate);
    graph_node(&g, &stoic_op_mul, (const char *[]){a, gate}, 2);
    memcpy(b, g.value, sizeof b);
    graph_node(&g, &stoic_op_mul, (const char *[]){gate, "x"}, 2);
    small_join(&g, &stoic_op_mul, b);
    memcpy(k, g.value, sizeof k);
    graph_int(&g, "axis", 1);
    graph_node(&g, &stoic_op_concat, (const char *[]){"x", a, b, k, a, "x", k, b}, 8);
    g.c = 32;
    g.h = 6;
    g.w = 5;
    small_conv(&g, 6, 3, 2, 1, true);
    small_flatten(&g);
    memcpy(a, g.value, sizeof a);
    graph_product(&g, 7);
    memcpy(b, g.value, sizeof b);
    graph_int(&g, "axis", -1);
    graph_node(&g, &stoic_op_concat, (const char *[]){a, b, a}, 3);
    g.c += 2 * 6 * 3 * 3;
    graph_constant(&g, k, 1, &g.c, 0.5, 1.5);
    small_join(&g, &stoic_op_mul, k);
    graph_product(&g, 4);
    return small_finish(&g);
}

#endif
