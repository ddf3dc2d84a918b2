/*
 * A network small enough to count by hand, for the tests of stores and faults:
 *
 *   layer 0  "conv1"  Conv    weight 2x1x3x3 (18), bias 2, then a batch normalisation of 2
 *   layer 1  "fc1"    MatMul  weight "shared" 8x8 (64)
 *   layer 2  "fc2"    MatMul  the same weight again
 *   layer 3  "head"   Gemm    weight 8x3 (24), bias 3
 */
#ifndef STOIC_TEST_TINY_MODEL_H
#define STOIC_TEST_TINY_MODEL_H

#include <string.h>

#include "model/graph.h"

enum { TINY_WEIGHTS = 18 + 64 + 24 };

static inline float tiny_value(int64_t i) {
    return (float)(i % 7 - 3) * 0.125f + 0.01f * (float)i;
}

/* Adds a constant of the given shape; the first element is replaced by `first` if not NULL. */
static inline void tiny_constant(stoic_builder *b, const char *name, int rank, const int64_t *dim,
                                 const uint32_t *first) {
    stoic_shape shape = {.rank = rank};
    stoic_tensor *tensor = NULL;
    memcpy(shape.dim, dim, (size_t)rank * sizeof *dim);
    assert_int_equal(stoic_tensor_create(STOIC_F32, &shape, &tensor, NULL), STOIC_OK);
    float *data = stoic_tensor_mutable_data(tensor);
    for (int64_t i = 0; i < stoic_tensor_count(tensor); i++)
        data[i] = tiny_value(i);
    if (first)
        memcpy(data, first, sizeof *first);
    assert_int_equal(stoic_builder_constant(b, name, tensor, NULL), STOIC_OK);
    stoic_tensor_free(tensor);
}

static inline void tiny_node(stoic_builder *b, const char *name, const stoic_op *op,
                             const char *const *in, size_t n_in, const char *out) {
    stoic_error err = {0};
    if (stoic_builder_node(b, name, op, NULL, 0, in, n_in, &out, 1, &err) != STOIC_OK)
        fail_msg("%s", err.message);
}

/* Element 0 of conv1's weight is `first`, if not NULL. */
static inline stoic_model *tiny_model_with(const uint32_t *first) {
    const int64_t conv[] = {2, 1, 3, 3}, two[] = {2}, square[] = {8, 8}, head[] = {8, 3};
    const int64_t three[] = {3};
    const stoic_shape image = {4, {1, 1, 4, 4}};
    stoic_error err = {0};
    stoic_builder *b = NULL;
    stoic_model *model = NULL;
    assert_int_equal(stoic_builder_create("tiny", 17, &b, &err), STOIC_OK);
    assert_int_equal(stoic_builder_input(b, "x", &image, &err), STOIC_OK);
    /* head first: value numbers do not follow the order of the layers */
    tiny_constant(b, "head.weight", 2, head, NULL);
    tiny_constant(b, "head.bias", 1, three, NULL);
    tiny_constant(b, "conv1.weight", 4, conv, first);
    tiny_constant(b, "conv1.bias", 1, two, NULL);
    tiny_constant(b, "bn.scale", 1, two, NULL);
    tiny_constant(b, "bn.shift", 1, two, NULL);
    tiny_constant(b, "bn.mean", 1, two, NULL);
    tiny_constant(b, "bn.var", 1, two, NULL);
    tiny_constant(b, "shared", 2, square, NULL);
    tiny_node(b, "conv1", &stoic_op_conv, (const char *[]){"x", "conv1.weight", "conv1.bias"}, 3,
              "a");
    tiny_node(b, "bn", &stoic_op_batch_normalization,
              (const char *[]){"a", "bn.scale", "bn.shift", "bn.mean", "bn.var"}, 5, "b");
    tiny_node(b, "flat", &stoic_op_flatten, (const char *[]){"b"}, 1, "c");
    tiny_node(b, "fc1", &stoic_op_mat_mul, (const char *[]){"c", "shared"}, 2, "d");
    tiny_node(b, "fc2", &stoic_op_mat_mul, (const char *[]){"d", "shared"}, 2, "e");
    tiny_node(b, "head", &stoic_op_gemm, (const char *[]){"e", "head.weight", "head.bias"}, 3,
              "logits");
    assert_int_equal(stoic_builder_output(b, "logits", &err), STOIC_OK);
    if (stoic_builder_finish(b, &model, &err) != STOIC_OK)
        fail_msg("%s", err.message);
    return model;
}

/* Element 0 of conv1's weight is a signalling NaN with a payload. */
static inline stoic_model *tiny_model(void) {
    static const uint32_t signalling = 0x7f812345u;
    return tiny_model_with(&signalling);
}

#endif
