/*
 * A network whose maps tell height from width and layer from layer, for faults in feature maps:
 *
 *   layer 0  "stem"    Conv    map 5x6x5
 *   layer 1  "deep"    Conv    map 3x4x3
 *   layer 2  "thin"    Conv    map 2x1x3, too flat for lines and blocks
 *   layer 3  "hidden"  MatMul  7 features
 *   layer 4  "head"    Gemm    10 features
 */
#ifndef STOIC_TEST_MAP_RIG_H
#define STOIC_TEST_MAP_RIG_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "stoic/map_fault.h"
#include "tiny_model.h"

static stoic_model *net;

static inline stoic_model *build_net(void) {
    const stoic_shape image = {4, {1, 2, 6, 5}};
    stoic_error err = {0};
    stoic_builder *b = NULL;
    stoic_model *model = NULL;
    assert_int_equal(stoic_builder_create("maps", 17, &b, &err), STOIC_OK);
    assert_int_equal(stoic_builder_input(b, "x", &image, &err), STOIC_OK);
    tiny_constant(b, "w0", 4, (const int64_t[]){5, 2, 1, 1}, NULL);
    tiny_constant(b, "w1", 4, (const int64_t[]){3, 5, 3, 3}, NULL);
    tiny_constant(b, "w2", 4, (const int64_t[]){2, 3, 4, 1}, NULL);
    tiny_constant(b, "w3", 2, (const int64_t[]){6, 7}, NULL);
    tiny_constant(b, "w4", 2, (const int64_t[]){7, 10}, NULL);
    tiny_node(b, "stem", &stoic_op_conv, (const char *[]){"x", "w0"}, 2, "a");
    tiny_node(b, "relu", &stoic_op_relu, (const char *[]){"a"}, 1, "b");
    tiny_node(b, "deep", &stoic_op_conv, (const char *[]){"b", "w1"}, 2, "c");
    tiny_node(b, "thin", &stoic_op_conv, (const char *[]){"c", "w2"}, 2, "d");
    tiny_node(b, "flat", &stoic_op_flatten, (const char *[]){"d"}, 1, "e");
    tiny_node(b, "hidden", &stoic_op_mat_mul, (const char *[]){"e", "w3"}, 2, "f");
    tiny_node(b, "head", &stoic_op_gemm, (const char *[]){"f", "w4"}, 2, "g");
    tiny_node(b, "out", &stoic_op_sigmoid, (const char *[]){"g"}, 1, "logits");
    assert_int_equal(stoic_builder_output(b, "logits", &err), STOIC_OK);
    if (stoic_builder_finish(b, &model, &err) != STOIC_OK)
        fail_msg("%s", err.message);
    return model;
}

static inline int make_net(void **state) {
    (void)state;
    net = build_net();
    return 0;
}

static inline int free_net(void **state) {
    (void)state;
    stoic_model_free(net);
    return 0;
}

static inline stoic_map_fault *make(const char *spec) {
    stoic_map_fault *fault = NULL;
    stoic_error err = {0};
    if (stoic_map_fault_create(net, spec, 7, &fault, &err) != STOIC_OK)
        fail_msg("%s: %s", spec, err.message);
    return fault;
}

static inline void draw(const stoic_map_fault *fault, uint64_t trial, int64_t image,
                        stoic_map_hits *hits) {
    stoic_error err = {0};
    if (stoic_map_fault_draw(fault, trial, image, 1.0, hits, &err) != STOIC_OK)
        fail_msg("trial %llu: %s", (unsigned long long)trial, err.message);
    assert_true(hits->hit == (hits->count > 0));
    if (!hits->hit)
        return;
    const stoic_map_site *site = stoic_map_fault_site(fault, hits->site);
    int64_t elements = site->channels * site->height * site->width;
    for (size_t i = 0; i < hits->count; i++) { /* inside, in order, nothing twice */
        assert_true(hits->index[i] >= 0 && hits->index[i] < elements);
        assert_true(i == 0 || hits->index[i] > hits->index[i - 1]);
    }
}

/* Is Pearson's statistic of `counts` where n-1 degrees of freedom put it, by Wilson and Hilferty's
 * normal deviate? Fixed seeds: the answer never changes. Too even is as wrong as too uneven.
 * `share` NULL: all equally likely. */
static inline bool looks_like(const int64_t *counts, const double *share, int n) {
    double total = 0.0, statistic = 0.0, wide = 2.0 / (9.0 * (n - 1));
    for (int i = 0; i < n; i++)
        total += (double)counts[i];
    for (int i = 0; i < n; i++) {
        double expected = total * (share ? share[i] : 1.0 / n);
        assert_true(expected > 5.0);
        statistic += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    }
    return fabs(cbrt(statistic / (n - 1)) - (1.0 - wide)) < 4.0 * sqrt(wide);
}

/* Did a thing of probability p happen in about p of n? */
static inline bool near_share(int64_t hits, int64_t n, double p) {
    return fabs((double)hits - (double)n * p) < 4.5 * sqrt((double)n * p * (1.0 - p));
}

#endif
