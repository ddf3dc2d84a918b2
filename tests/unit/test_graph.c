/* The builder: sorting, folding, the batch rule, names and layers; and models as values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/graph.h"

#define SHAPE(...)                                                                                 \
    shape_of((const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / 8)

static stoic_shape shape_of(const int64_t *dims, size_t n) {
    stoic_shape shape = {.rank = (int)n};
    memcpy(shape.dim, dims, n * sizeof *dims);
    return shape;
}

static stoic_builder *start(stoic_shape input) {
    stoic_builder *b = NULL;
    assert_int_equal(stoic_builder_create("test", 13, &b, NULL), STOIC_OK);
    assert_int_equal(stoic_builder_input(b, "x", &input, NULL), STOIC_OK);
    return b;
}

/* A float constant whose element i is first + i * step. */
static void ramp(stoic_builder *b, const char *name, stoic_shape shape, double first, double step) {
    stoic_tensor *tensor = NULL;
    assert_int_equal(stoic_tensor_create(STOIC_F32, &shape, &tensor, NULL), STOIC_OK);
    for (int64_t i = 0; i < stoic_tensor_count(tensor); i++)
        stoic_tensor_set(tensor, i, first + (double)i * step);
    assert_int_equal(stoic_builder_constant(b, name, tensor, NULL), STOIC_OK);
    stoic_tensor_free(tensor);
}

static void integers(stoic_builder *b, const char *name, const int64_t *values, size_t n) {
    stoic_shape shape = {.rank = 1, .dim = {(int64_t)n}};
    stoic_tensor *tensor = NULL;
    assert_int_equal(stoic_tensor_create(STOIC_I64, &shape, &tensor, NULL), STOIC_OK);
    memcpy(stoic_tensor_mutable_data(tensor), values, n * sizeof *values);
    assert_int_equal(stoic_builder_constant(b, name, tensor, NULL), STOIC_OK);
    stoic_tensor_free(tensor);
}

#define INTEGERS(b, name, ...)                                                                     \
    integers(b, name, (const int64_t[]){__VA_ARGS__},                                              \
             sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static stoic_attr *int_attr(const char *name, int64_t value) {
    stoic_attr *attr = calloc(1, sizeof *attr);
    assert_non_null(attr);
    *attr = (stoic_attr){.name = strdup(name), .kind = STOIC_ATTR_INT, .i = value};
    return attr;
}

static stoic_attr *ints_attr(const char *name, const int64_t *values, size_t n) {
    stoic_attr *attr = calloc(1, sizeof *attr);
    assert_non_null(attr);
    *attr = (stoic_attr){.name = strdup(name), .kind = STOIC_ATTR_INTS, .count = n};
    attr->ints = malloc(n * sizeof *values);
    memcpy(attr->ints, values, n * sizeof *values);
    return attr;
}

static stoic_status try_node(stoic_builder *b, const char *name, const char *type, stoic_attr *attr,
                             const char *in0, const char *in1, const char *in2, const char *out,
                             stoic_error *err) {
    const char *in[] = {in0, in1, in2};
    size_t n_in = in2 ? 3 : in1 ? 2 : in0 ? 1 : 0;
    const stoic_op *op = stoic_op_find("", type);
    if (!op)
        return stoic_builder_unsupported(b, name, type, in, n_in, &out, 1, err);
    return stoic_builder_node(b, name, op, attr, attr != NULL, in, n_in, &out, 1, err);
}

static void node(stoic_builder *b, const char *name, const char *type, stoic_attr *attr,
                 const char *in0, const char *in1, const char *in2, const char *out) {
    assert_int_equal(try_node(b, name, type, attr, in0, in1, in2, out, NULL), STOIC_OK);
}

static stoic_model *finish(stoic_builder *b, const char *output) {
    stoic_model *model = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_builder_output(b, output, NULL), STOIC_OK);
    if (stoic_builder_finish(b, &model, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    return model;
}

/* The builder must refuse with this code and a message that contains each of the words. */
static void finish_fails(stoic_builder *b, const char *output, stoic_status code,
                         const char *const *words) {
    stoic_model *model = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_builder_output(b, output, NULL), STOIC_OK);
    stoic_status status = stoic_builder_finish(b, &model, &err);
    if (status != code)
        fail_msg("status %d, expected %d: %s", (int)status, (int)code, err.message);
    for (; *words; words++) {
        if (!strstr(err.message, *words))
            fail_msg("'%s' does not say '%s'", err.message, *words);
    }
}

#define FINISH_FAILS(b, output, code, ...)                                                         \
    finish_fails(b, output, code, (const char *const[]){__VA_ARGS__, NULL})

/* Two Gemm layers, given in the order second, first. */
static stoic_builder *two_layers(const char *first, const char *second) {
    stoic_builder *b = start(SHAPE(1, 4));
    ramp(b, "w1", SHAPE(4, 3), 0, 0.25);
    ramp(b, "w2", SHAPE(3, 2), 1, -0.5);
    ramp(b, "b2", SHAPE(2), 1, 1);
    node(b, second, "Gemm", NULL, "h", "w2", "b2", "y");
    node(b, "act", "Relu", NULL, "g", NULL, NULL, "h");
    node(b, first, "Gemm", NULL, "x", "w1", NULL, "g");
    return b;
}

static void sorts_and_numbers_layers(void **state) {
    (void)state;
    stoic_model *model = finish(two_layers("one", "two"), "y");
    assert_int_equal(model->n_nodes, 3);
    assert_string_equal(model->nodes[0].name, "one");
    assert_string_equal(model->nodes[2].name, "two");
    /* the file says "two" first, so that is layer 0 */
    assert_int_equal(stoic_model_layer_count(model), 2);
    stoic_layer layer = stoic_model_layer(model, 0);
    assert_string_equal(layer.name, "two");
    assert_string_equal(layer.weights_name, "w2");
    assert_string_equal(layer.bias_name, "b2");
    assert_int_equal(layer.macs, 6);
    assert_null(stoic_model_layer(model, 1).bias);
    assert_int_equal(stoic_model_macs(model), 18);
    assert_int_equal(stoic_model_parameters(model), 12 + 6 + 2);
    assert_int_equal(stoic_model_classes(model), 2);
    stoic_model_free(model);
}

static void refuses_broken_wiring(void **state) {
    (void)state;
    stoic_error err = {0};
    stoic_builder *b = start(SHAPE(1, 4));
    node(b, "a", "Add", NULL, "x", "q", NULL, "p");
    node(b, "b", "Relu", NULL, "p", NULL, NULL, "q");
    node(b, "c", "Relu", NULL, "x", NULL, NULL, "y");
    FINISH_FAILS(b, "y", STOIC_ERR_FORMAT, "cycle", "node 'a'");

    b = start(SHAPE(1, 4));
    node(b, "a", "Relu", NULL, "absent", NULL, NULL, "y");
    FINISH_FAILS(b, "y", STOIC_ERR_FORMAT, "node 'a'", "'absent'");

    b = start(SHAPE(1, 4));
    node(b, "a", "Relu", NULL, "x", NULL, NULL, "y");
    assert_int_equal(try_node(b, "b", "Relu", NULL, "x", NULL, NULL, "y", &err), STOIC_ERR_FORMAT);
    assert_non_null(strstr(err.message, "'y' is already defined as the output of a node"));
    assert_int_equal(try_node(b, "b", "Relu", NULL, "x", NULL, NULL, "x", &err), STOIC_ERR_FORMAT);
    assert_non_null(strstr(err.message, "graph's input"));
    FINISH_FAILS(b, "nothing", STOIC_ERR_FORMAT, "'nothing' is computed by no node");

    b = start(SHAPE(1, 4));
    ramp(b, "c", SHAPE(1, 4), 0, 1);
    node(b, "a", "Relu", NULL, "c", NULL, NULL, "y");
    FINISH_FAILS(b, "y", STOIC_ERR_UNSUPPORTED, "does not depend on the input");

    b = start(SHAPE(1, 4));
    node(b, "a", "Identity", NULL, "x", NULL, NULL, "y");
    FINISH_FAILS(b, "y", STOIC_ERR_UNSUPPORTED, "is the input itself");
}

/* x.view(x.size(0), -1): Shape, Gather, Unsqueeze, Concat, all known before the network runs. */
static void folds_shapes(void **state) {
    (void)state;
    stoic_builder *b = start(SHAPE(1, 2, 3, 4));
    INTEGERS(b, "zero", 0);
    INTEGERS(b, "rest", -1);
    node(b, "s", "Shape", NULL, "h", NULL, NULL, "shape");
    node(b, "g", "Gather", int_attr("axis", 0), "shape", "zero", NULL, "n");
    node(b, "c", "Concat", int_attr("axis", 0), "n", "rest", NULL, "target");
    node(b, "r", "Relu", NULL, "x", NULL, NULL, "h");
    node(b, "v", "Reshape", NULL, "h", "target", NULL, "y");
    stoic_model *model = finish(b, "y");
    assert_int_equal(model->n_nodes, 2);
    assert_int_equal(stoic_model_output_shape(model)->rank, 2);
    assert_int_equal(stoic_model_output_shape(model)->dim[1], 24);
    /* the 1 of the batch in the target has been freed */
    const stoic_tensor *target = model->values[model->nodes[1].in[1]].constant;
    assert_true(stoic_tensor_get(target, 0) == -1);
    assert_true(stoic_tensor_get(target, 1) == 24);
    stoic_model_free(model);
}

static void folds_in_the_element_type(void **state) {
    (void)state;
    stoic_builder *b = start(SHAPE(1, 2));
    ramp(b, "a", SHAPE(1, 2), 1.0, 0);
    ramp(b, "b", SHAPE(1, 2), 0x1p-24, 0x1p-24); /* half an ulp, and a whole one */
    node(b, "sum", "Add", NULL, "a", "b", NULL, "c");
    node(b, "use", "Mul", NULL, "x", "c", NULL, "y");
    stoic_model *model = finish(b, "y");
    assert_int_equal(model->n_nodes, 1);
    const stoic_tensor *sum = model->values[model->nodes[0].in[1]].constant;
    assert_true(stoic_tensor_get(sum, 0) == 1.0); /* ties to even */
    assert_true(stoic_tensor_get(sum, 1) == 1.0 + 0x1p-23);
    stoic_model_free(model);
}

static void bounds_folding(void **state) {
    (void)state;
    stoic_builder *b = start(SHAPE(1, 2));
    INTEGERS(b, "huge", 1, 3000, 3000);
    node(b, "fill", "ConstantOfShape", NULL, "huge", NULL, NULL, "big");
    node(b, "use", "Add", NULL, "x", "big", NULL, "y");
    FINISH_FAILS(b, "y", STOIC_ERR_UNSUPPORTED, "node 'fill'", "far larger");

    /* small results, but a kernel of a million taps at each of a million places */
    b = start(SHAPE(1, 2));
    ramp(b, "image", SHAPE(1, 1, 1000, 1000), 0, 0);
    stoic_attr *attrs = calloc(2, sizeof *attrs);
    stoic_attr *kernel = ints_attr("kernel_shape", (const int64_t[]){999, 999}, 2);
    stoic_attr *pads = ints_attr("pads", (const int64_t[]){499, 499, 499, 499}, 4);
    attrs[0] = *kernel;
    attrs[1] = *pads;
    free(kernel);
    free(pads);
    const char *in[] = {"image"}, *out[] = {"pooled"};
    assert_int_equal(
        stoic_builder_node(b, "slow", stoic_op_find("", "MaxPool"), attrs, 2, in, 1, out, 1, NULL),
        STOIC_OK);
    INTEGERS(b, "axes", 0, 1, 2);
    node(b, "use", "Add", NULL, "x", "pooled", NULL, "y");
    FINISH_FAILS(b, "y", STOIC_ERR_UNSUPPORTED, "node 'slow'", "too much work");
}

static void drops_what_is_not_needed(void **state) {
    (void)state;
    stoic_builder *b = start(SHAPE(1, 4));
    ramp(b, "unused", SHAPE(9), 0, 1);
    node(b, "copy", "Identity", NULL, "x", NULL, NULL, "a");
    node(b, "same", "Cast", int_attr("to", 1), "a", NULL, NULL, "b");
    node(b, "act", "Relu", NULL, "b", NULL, NULL, "c");
    node(b, "side", "LSTM", NULL, "c", NULL, NULL, "d"); /* unsupported, and nobody asks for it */
    node(b, "end", "Identity", NULL, "c", NULL, NULL, "y");
    stoic_model *model = finish(b, "y");
    assert_int_equal(model->n_nodes, 1);
    assert_int_equal(model->n_values, 2);
    assert_int_equal(model->nodes[0].in[0], model->input);
    assert_string_equal(model->values[model->output].name, "y");
    stoic_model_free(model);
}

/* for whoever trains; only its ratio is no parameter */
static void keeps_dropout(void **state) {
    (void)state;
    stoic_builder *b = start(SHAPE(1, 4));
    ramp(b, "ratio", (stoic_shape){0}, 0.5, 0);
    ramp(b, "w", SHAPE(1, 4), 1, 0);
    node(b, "copy", "Identity", NULL, "x", NULL, NULL, "a");
    node(b, "drop", "Dropout", NULL, "a", "ratio", NULL, "b");
    node(b, "scale", "Mul", NULL, "b", "w", NULL, "y");
    stoic_model *model = finish(b, "y");
    assert_int_equal(model->n_nodes, 2);
    assert_string_equal(model->nodes[0].op->name, "Dropout");
    assert_int_equal(model->nodes[0].in[0], model->input);
    assert_int_equal(stoic_model_parameters(model), 4);
    stoic_model_free(model);
    b = start(SHAPE(1, 4));
    ramp(b, "shared", (stoic_shape){0}, 0.5, 0);
    node(b, "drop", "Dropout", NULL, "x", "shared", NULL, "b");
    node(b, "scale", "Mul", NULL, "b", "shared", NULL, "y");
    model = finish(b, "y");
    assert_int_equal(stoic_model_parameters(model), 1);
    stoic_model_free(model);
}

static void lists_everything_unsupported(void **state) {
    (void)state;
    stoic_builder *b = start(SHAPE(1, 4));
    INTEGERS(b, "indices", 0);
    node(b, "rnn", "LSTM", NULL, "x", NULL, NULL, "a");
    node(b, "", "Resize", NULL, "x", NULL, NULL, "b");
    node(b, "wide", "Expand", NULL, "x", "indices", NULL, "c");
    node(b, "mix", "Softmax", int_attr("axis", 0), "x", NULL, NULL, "d");
    node(b, "j1", "Add", NULL, "a", "b", NULL, "ab");
    node(b, "j2", "Add", NULL, "c", "d", NULL, "cd");
    node(b, "j3", "Add", NULL, "ab", "cd", NULL, "y");
    FINISH_FAILS(b, "y", STOIC_ERR_UNSUPPORTED, "unsupported: node 'rnn' (LSTM), node 1 (Resize), ",
                 "node 'wide' (Expand of a computed value)",
                 "node 'mix' (Softmax works along the batch axis)");
}

typedef struct batch_case {
    const char *type;
    stoic_attr *(*attr)(void);
    const char *second, *third;
} batch_case;

static stoic_attr *axis_0(void) {
    return int_attr("axis", 0);
}
static stoic_attr *perm_10(void) {
    return ints_attr("perm", (const int64_t[]){1, 0, 2}, 3);
}
static stoic_attr *axes_0(void) {
    return ints_attr("axes", (const int64_t[]){0}, 1);
}

/* x is [1, 1, 4]: shapes alone would let many of these through. */
static void refuses_to_mix_images(void **state) {
    (void)state;
    static const batch_case cases[] = {
        {"Transpose", perm_10, NULL, NULL}, {"Concat", axis_0, "c", NULL},
        {"Concat", axis_0, "x", NULL},      {"ReduceMean", axes_0, NULL, NULL},
        {"Softmax", axis_0, NULL, NULL},    {"LogSoftmax", axis_0, NULL, NULL},
        {"Reshape", NULL, "to_4_1", NULL},  {"Squeeze", NULL, "axes_0_1", NULL},
        {"Add", NULL, "c3", NULL},          {"Mul", NULL, "c1114", NULL},
        {"MatMul", NULL, "x2", NULL},       {"Slice", NULL, "i0", "i1"},
        {"Pad", NULL, "shift", NULL},       {"Flatten", axis_0, "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const batch_case *c = &cases[i];
        bool fits = strcmp(c->type, "Flatten") == 0; /* [1, 4]: one image as one row is fine */
        stoic_builder *b = start(SHAPE(1, 1, 4));
        ramp(b, "c", SHAPE(1, 1, 4), 0, 1);
        ramp(b, "c3", SHAPE(3, 1, 4), 0, 1);
        ramp(b, "c1114", SHAPE(1, 1, 1, 4), 0, 1);
        INTEGERS(b, "to_4_1", 4, 1);
        INTEGERS(b, "axes_0_1", 0, 1);
        INTEGERS(b, "i0", 0);
        INTEGERS(b, "i1", 1);
        INTEGERS(b, "shift", -1, 0, 0, 1, 0, 0);
        node(b, "turn", "Transpose", ints_attr("perm", (const int64_t[]){0, 2, 1}, 3), "x", NULL,
             NULL, "x2");
        node(b, "culprit", c->type, c->attr ? c->attr() : NULL, "x",
             c->second && *c->second ? c->second : NULL, c->third, "y");
        if (fits)
            stoic_model_free(finish(b, "y"));
        else
            FINISH_FAILS(b, "y", STOIC_ERR_UNSUPPORTED, "node 'culprit'", c->type);
    }
}

static void keeps_constants_broadcast_over_images(void **state) {
    (void)state;
    stoic_builder *b = start(SHAPE(1, 1, 4));
    ramp(b, "c", SHAPE(1, 2, 4), 0, 1);
    ramp(b, "v", SHAPE(4), 0, 1);
    INTEGERS(b, "start", 0);
    INTEGERS(b, "end", INT64_MAX);
    node(b, "join", "Concat", int_attr("axis", 1), "x", "c", NULL, "a");
    node(b, "all", "Slice", NULL, "a", "start", "end", "s"); /* of every axis from 0 on: axis 0 */
    node(b, "add", "Add", NULL, "v", "s", NULL, "y");
    stoic_model *model = finish(b, "y");
    assert_int_equal(stoic_model_output_shape(model)->dim[1], 3);
    stoic_model_free(model);
}

static void names_and_shared_weights(void **state) {
    (void)state;
    stoic_builder *b = start(SHAPE(1, 3));
    ramp(b, "w", SHAPE(3, 3), 0, 1);
    ramp(b, "v", SHAPE(3, 3), 0, 1);
    node(b, "same", "MatMul", NULL, "x", "w", NULL, "a");
    node(b, "same", "MatMul", NULL, "a", "v", NULL, "b");
    node(b, "", "MatMul", NULL, "b", "w", NULL, "c");
    node(b, "", "Relu", NULL, "c", NULL, NULL, "d");
    node(b, "lone", "Relu", NULL, "d", NULL, NULL, "y");
    stoic_model *model = finish(b, "y");
    assert_string_equal(stoic_model_layer(model, 0).name, "w");
    assert_string_equal(stoic_model_layer(model, 1).name, "v");
    assert_string_equal(stoic_model_layer(model, 2).name, "w_2");
    assert_string_equal(model->nodes[3].name, "Relu");
    assert_string_equal(model->nodes[4].name, "lone");
    assert_int_equal(model->values[model->nodes[0].in[1]].layer, 0);
    assert_int_equal(model->nodes[2].in[1], model->nodes[0].in[1]);
    stoic_model_free(model);
}

static void digest_of(const stoic_model *model, uint8_t out[16]) {
    stoic_model_digest(model, out);
}

static bool same_digest(const stoic_model *a, const stoic_model *b) {
    uint8_t da[16], db[16];
    digest_of(a, da);
    digest_of(b, db);
    return memcmp(da, db, 16) == 0;
}

static void metadata_and_constants_make_new_models(void **state) {
    (void)state;
    stoic_model *model = finish(two_layers("one", "two"), "y"), *named, *unnamed, *changed, *twin;
    twin = finish(two_layers("one", "two"), "y");
    assert_true(same_digest(model, twin));
    stoic_model_free(twin);
    twin = finish(two_layers("uno", "two"), "y");
    assert_false(same_digest(model, twin)); /* names of layers count */
    stoic_model_free(twin);

    assert_int_equal(stoic_model_with_meta(model, "k", "v", &named, NULL), STOIC_OK);
    assert_null(stoic_model_meta_get(model, "k"));
    assert_string_equal(stoic_model_meta_get(named, "k"), "v");
    assert_true(same_digest(model, named));
    assert_int_equal(stoic_model_with_meta(named, "k", NULL, &unnamed, NULL), STOIC_OK);
    assert_int_equal(stoic_model_meta_count(unnamed), 0);

    int number = model->nodes[0].in[1];
    stoic_tensor *tensor = NULL, *wrong = NULL;
    stoic_shape shape = SHAPE(4, 3), other = SHAPE(3, 4);
    assert_int_equal(stoic_tensor_create(STOIC_F32, &shape, &tensor, NULL), STOIC_OK);
    assert_int_equal(stoic_tensor_create(STOIC_F32, &other, &wrong, NULL), STOIC_OK);
    memcpy(stoic_tensor_mutable_data(tensor), stoic_tensor_data(model->values[number].constant),
           12 * sizeof(float));
    ((uint32_t *)stoic_tensor_mutable_data(tensor))[5] ^= 1;
    assert_int_equal(stoic_model_with_constants(named, &number, &tensor, 1, &changed, NULL),
                     STOIC_OK);
    assert_false(same_digest(model, changed));
    assert_string_equal(stoic_model_meta_get(changed, "k"), "v");
    assert_ptr_not_equal(model->values[number].constant, changed->values[number].constant);
    stoic_model_free(model); /* the others must stand on their own */
    stoic_model_free(named);
    assert_string_equal(stoic_model_layer(changed, 1).name, "one");
    stoic_error err = {0};
    assert_int_equal(stoic_model_with_constants(unnamed, &number, &wrong, 1, &model, &err),
                     STOIC_ERR_SHAPE);
    assert_non_null(strstr(err.message, "'w1'"));
    assert_int_equal(stoic_model_with_constants(unnamed, &(int){99}, &tensor, 1, &model, &err),
                     STOIC_ERR_ARGUMENT);
    stoic_tensor_free(tensor);
    stoic_tensor_free(wrong);
    stoic_model_free(changed);
    stoic_model_free(unnamed);
}

/* A chain of nodes longer than any stack would stand. */
static void sorts_long_chains(void **state) {
    (void)state;
    enum { LENGTH = 200000 };
    char in[32], out[32];
    stoic_builder *b = start(SHAPE(1, 2));
    for (int i = LENGTH; i > 0; i--) {
        snprintf(in, sizeof in, "v%d", i - 1);
        snprintf(out, sizeof out, "v%d", i);
        node(b, "", "Relu", NULL, i > 1 ? in : "x", NULL, NULL, out);
    }
    snprintf(out, sizeof out, "v%d", LENGTH);
    stoic_model *model = finish(b, out);
    assert_int_equal(model->n_nodes, LENGTH);
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_and_numbers_layers),
        cmocka_unit_test(refuses_broken_wiring),
        cmocka_unit_test(folds_shapes),
        cmocka_unit_test(folds_in_the_element_type),
        cmocka_unit_test(bounds_folding),
        cmocka_unit_test(drops_what_is_not_needed),
        cmocka_unit_test(keeps_dropout),
        cmocka_unit_test(lists_everything_unsupported),
        cmocka_unit_test(refuses_to_mix_images),
        cmocka_unit_test(keeps_constants_broadcast_over_images),
        cmocka_unit_test(names_and_shared_weights),
        cmocka_unit_test(metadata_and_constants_make_new_models),
        cmocka_unit_test(sorts_long_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
