/*
 * What the tests of the executor share: models of the zoo with chosen constants, images, bit
 * flips, and the comparison of two outputs. Randomness is the library's own, so every run sees
 * the same cases.
 */
#ifndef STOIC_TEST_EXEC_KIT_H
#define STOIC_TEST_EXEC_KIT_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/graph.h"
#include "stoic/dataset.h"
#include "stoic/session.h"

#define MUST(call)                                                                                 \
    do {                                                                                           \
        stoic_error must_err = {.message = ""};                                                    \
        stoic_error *err = &must_err;                                                              \
        if ((call) != STOIC_OK)                                                                    \
            fail_msg("%s: %s", #call, must_err.message);                                           \
    } while (0)

static inline stoic_rng kit_rng(uint64_t seed) {
    stoic_rng rng;
    stoic_rng_init(&rng, seed, 0, STOIC_STREAM_VALUE);
    return rng;
}

static inline float kit_uniform(stoic_rng *rng, double low, double high) {
    return (float)(low + (high - low) * stoic_rng_unit(rng));
}

static inline int64_t kit_below(stoic_rng *rng, int64_t n) {
    return (int64_t)stoic_rng_below(rng, (uint64_t)n);
}

static inline float kit_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t kit_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* NaNs are equal whatever their payload: it depends on operand order inside an fma. */
static inline bool kit_same(float a, float b) {
    return kit_bits(a) == kit_bits(b) || (a != a && b != b);
}

static inline int64_t kit_differences(const float *a, const float *b, int64_t n) {
    int64_t different = 0;
    for (int64_t i = 0; i < n; i++)
        different += !kit_same(a[i], b[i]);
    return different;
}

static inline float *kit_floats(int64_t count) {
    float *data = calloc((size_t)(count ? count : 1), sizeof *data);
    assert_non_null(data);
    return data;
}

static inline stoic_model *kit_zoo(const char *name) {
    stoic_model *model = NULL;
    MUST(stoic_zoo_build(name, 5, &model, err));
    return model;
}

/* Consumes `model`; gives one in which fn has changed the constant of value number `value`. */
typedef void (*kit_change)(float *data, int64_t count, void *user);

static inline stoic_model *kit_changed(stoic_model *model, int value, kit_change fn, void *user) {
    const stoic_tensor *old = model->values[value].constant;
    stoic_tensor *fresh = NULL;
    stoic_model *out = NULL;
    MUST(stoic_tensor_create(STOIC_F32, stoic_tensor_shape(old), &fresh, err));
    float *data = stoic_tensor_mutable_data(fresh);
    memcpy(data, stoic_tensor_data(old), (size_t)stoic_tensor_count(old) * sizeof *data);
    fn(data, stoic_tensor_count(old), user);
    MUST(stoic_model_with_constants(model, &value, &fresh, 1, &out, err));
    stoic_tensor_free(fresh);
    stoic_model_free(model);
    return out;
}

static inline void kit_change_norm(float *data, int64_t count, void *user) {
    stoic_rng *rng = user;
    for (int64_t i = 0; i < count; i++)
        data[i] += kit_uniform(rng, -0.3, 0.3);
}

/* Batch normalisation that does something. */
static inline stoic_model *kit_random_norms(stoic_model *model, uint64_t seed) {
    stoic_rng rng = kit_rng(seed);
    for (size_t i = 0; i < model->n_nodes; i++) {
        for (int k = 1; model->nodes[i].op == &stoic_op_batch_normalization && k < 5; k++)
            model = kit_changed(model, model->nodes[i].in[k], kit_change_norm, &rng);
    }
    return model;
}

/* The weights of the model shipped under this name, or NULL. */
static inline stoic_model *kit_shipped(const char *file) {
    stoic_model *model = NULL;
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", STOIC_TEST_MODELS, file);
    if (stoic_model_read(path, &model, NULL) != STOIC_OK)
        print_message("%s is not there\n", file);
    return model;
}

/* `n` images for `model`: Fashion-MNIST where it is installed and fits, else random. */
static inline float *kit_images(const stoic_model *model, int64_t n, uint64_t seed) {
    const stoic_shape *shape = stoic_model_input_shape(model);
    int64_t size = stoic_shape_count(shape);
    float *images = kit_floats(n * size);
    stoic_rng rng = kit_rng(seed);
    for (int64_t i = 0; i < n * size; i++)
        images[i] = kit_uniform(&rng, -1, 1);
    stoic_dataset_options options = stoic_dataset_options_default();
    stoic_dataset *data = NULL;
    options.model = model;
    if (shape->dim[1] == 1 &&
        stoic_dataset_open("fashion-mnist:test", &options, &data, NULL) == STOIC_OK) {
        if (stoic_shape_count(stoic_dataset_shape(data)) == size && stoic_dataset_count(data) >= n)
            MUST(stoic_dataset_read(data, 0, n, images, NULL, err));
    }
    stoic_dataset_free(data);
    return images;
}

static inline stoic_program *kit_compile(const stoic_model *model, int batch, bool reference) {
    stoic_program_options options = stoic_program_options_default();
    stoic_program *program = NULL;
    options.batch = batch;
    options.reference = reference;
    MUST(stoic_program_compile(model, &options, &program, err));
    return program;
}

static inline stoic_session *kit_session(const stoic_program *program) {
    stoic_session *session = NULL;
    MUST(stoic_session_create(program, &session, err));
    return session;
}

/* A bit with a bias towards those that matter: half the time the exponent, often its top bit. */
static inline int kit_bit(stoic_rng *rng) {
    switch (kit_below(rng, 8)) {
    case 0:
        return 30;
    case 1:
    case 2:
    case 3:
        return 23 + (int)kit_below(rng, 8);
    default:
        return (int)kit_below(rng, 32);
    }
}

/* One flipped bit of element `index` of a constant. */
static inline stoic_edit kit_flip(const stoic_model *model, int tensor, int64_t index, int bit) {
    const float *data = stoic_tensor_data(model->values[tensor].constant);
    return (stoic_edit){tensor, kit_float(kit_bits(data[index]) ^ (uint32_t)1 << bit), index};
}

/* A random flip in a random element of one of a node's constants. */
static inline stoic_edit kit_node_flip(const stoic_model *model, int node, int input,
                                       stoic_rng *rng) {
    int tensor = model->nodes[node].in[input];
    int64_t count = stoic_tensor_count(model->values[tensor].constant);
    return kit_flip(model, tensor, kit_below(rng, count), kit_bit(rng));
}

/* How many cases to try: STOIC_SLOW=1 many more, STOIC_QUICK=1 fewer. */
static inline int kit_effort(int usual) {
    const char *slow = getenv("STOIC_SLOW");
    const char *quick = getenv("STOIC_QUICK");
    return slow && *slow == '1' ? usual * 20 : quick && *quick == '1' ? (usual + 3) / 4 : usual;
}

static inline int64_t kit_input_size(const stoic_model *m) {
    return stoic_shape_count(stoic_model_input_shape(m));
}

static inline float *kit_run_edited(const stoic_model *m, int batch, bool reference,
                                    const float *images, int n, const stoic_edit *edits,
                                    size_t n_edits) {
    stoic_program *program = kit_compile(m, batch, reference);
    stoic_session *session = kit_session(program);
    float *out = kit_floats(n * stoic_model_classes(m));
    MUST(stoic_session_edit(session, edits, n_edits, err));
    MUST(stoic_session_run(session, images, n, out, err));
    stoic_session_free(session);
    stoic_program_free(program);
    return out;
}

static inline float *kit_run(const stoic_model *m, int batch, bool reference, const float *images,
                             int n) {
    return kit_run_edited(m, batch, reference, images, n, NULL, 0);
}

/* ---- networks that stand on the edge ---- */

static inline void kit_scale(float *data, int64_t count, void *user) {
    for (int64_t i = 0; i < count; i++)
        data[i] *= *(const float *)user;
}

/* All classes read the same sum up to a relative change `user` of some weights: the largest output
 * is decided by the last digits. */
static inline void kit_twin_rows(float *data, int64_t count, void *user) {
    stoic_rng rng = kit_rng(77);
    float change = *(const float *)user;
    for (int64_t i = count / 10; i < count; i++) {
        data[i] = data[i % (count / 10)];
        if (kit_below(&rng, 4) == 0)
            data[i] *= 1 + change * kit_uniform(&rng, -1, 1);
    }
}

static inline void kit_twin_bias(float *data, int64_t count, void *user) {
    (void)user;
    for (int64_t i = 0; i < count; i++)
        data[i] = data[0];
}

static inline int kit_weight(const stoic_model *model, int layer, int input) {
    return model->nodes[model->layer_nodes[layer]].in[input];
}

static inline stoic_model *kit_twins(stoic_model *model, float change) {
    int last = (int)model->n_layers - 1;
    model = kit_changed(model, kit_weight(model, last, 1), kit_twin_rows, &change);
    return kit_changed(model, kit_weight(model, last, 2), kit_twin_bias, NULL);
}

#endif
