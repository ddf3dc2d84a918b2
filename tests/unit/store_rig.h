/* Networks of one layer with weights of the test's own choice, and stores of them. */
#ifndef STOIC_TEST_STORE_RIG_H
#define STOIC_TEST_STORE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/graph.h"
#include "stoic/fault.h"

/* A model with one layer "layer": a Conv for rank 4, otherwise what `op` says. `inner` is the
 * length of the input's last axis. */
static inline stoic_model *rig_layer(const stoic_op *op, const stoic_shape *shape, int64_t inner,
                                     bool transposed, const float *data) {
    const bool conv = op == &stoic_op_conv;
    const stoic_shape image = {4, {1, shape->dim[1], 8, 8}}, row = {2, {1, inner}};
    const char *const in[] = {"x", "w"}, *out = "y";
    stoic_error err = {0};
    stoic_builder *b = NULL;
    stoic_model *model = NULL;
    stoic_tensor *tensor = NULL;
    stoic_attr *attrs = NULL;
    assert_int_equal(stoic_tensor_create(STOIC_F32, shape, &tensor, &err), STOIC_OK);
    memcpy(stoic_tensor_mutable_data(tensor), data,
           (size_t)stoic_tensor_count(tensor) * sizeof *data);
    assert_int_equal(stoic_builder_create("rig", 17, &b, &err), STOIC_OK);
    assert_int_equal(stoic_builder_input(b, "x", conv ? &image : &row, &err), STOIC_OK);
    assert_int_equal(stoic_builder_constant(b, "w", tensor, &err), STOIC_OK);
    stoic_tensor_free(tensor);
    if (transposed) {
        attrs = calloc(1, sizeof *attrs);
        attrs->name = strdup("transB");
        attrs->kind = STOIC_ATTR_INT;
        attrs->i = 1;
    }
    if (stoic_builder_node(b, "layer", op, attrs, transposed, in, 2, &out, 1, &err) != STOIC_OK)
        fail_msg("%s", err.message);
    assert_int_equal(stoic_builder_output(b, "y", &err), STOIC_OK);
    if (stoic_builder_finish(b, &model, &err) != STOIC_OK)
        fail_msg("%s", err.message);
    return model;
}

/* A Gemm whose weights are these, in one row. */
static inline stoic_model *rig_model(const float *weights, int64_t n) {
    const stoic_shape shape = {2, {n, 1}};
    return rig_layer(&stoic_op_gemm, &shape, n, false, weights);
}

static inline stoic_store *rig_store(const stoic_model *model, const char *spec) {
    stoic_store *store = NULL;
    stoic_error err = {0};
    if (stoic_store_create(model, spec, &store, &err) != STOIC_OK)
        fail_msg("%s: %s", spec, err.message);
    return store;
}

/* A store of these weights; the store keeps its model. */
static inline stoic_store *rig(const char *spec, const float *weights, int64_t n) {
    stoic_model *model = rig_model(weights, n);
    stoic_store *store = rig_store(model, spec);
    stoic_model_free(model);
    return store;
}

static inline stoic_store_facts rig_facts(const stoic_store *store) {
    stoic_store_facts facts;
    stoic_store_describe(store, &facts);
    return facts;
}

static inline void rig_decode(const stoic_store *store, float *weights) {
    assert_int_equal(stoic_store_decode(store, 0, weights, NULL), STOIC_OK);
}

/* Weights between -1 and 1, the same each time. */
static inline void rig_fill(float *weights, int64_t n, uint32_t seed) {
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        weights[i] = (float)(int32_t)seed / 2147483648.0f;
    }
}

static inline void rig_flip(stoic_word *word, int bit) {
    word->part[bit / 64] ^= (uint64_t)1 << bit % 64;
}

static inline stoic_fault *rig_fault(const stoic_store *store, const char *spec, uint64_t seed) {
    stoic_fault *fault = NULL;
    stoic_error err = {0};
    if (stoic_fault_create(store, spec, seed, &fault, &err) != STOIC_OK)
        fail_msg("%s on %s: %s", spec, stoic_store_text(store), err.message);
    return fault;
}

static inline void rig_draw(const stoic_fault *fault, int64_t trial, stoic_hits *hits) {
    stoic_error err = {0};
    if (stoic_fault_draw(fault, trial, hits, &err) != STOIC_OK)
        fail_msg("trial %lld: %s", (long long)trial, err.message);
}

#endif
