/* The zoo: shapes, sizes, and the distribution of the initial weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/graph.h"

static stoic_model *build(const char *name, uint64_t seed) {
    stoic_model *model = NULL;
    stoic_error err = {0};
    if (stoic_zoo_build(name, seed, &model, &err) != STOIC_OK)
        fail_msg("%s: %s", name, err.message);
    return model;
}

static bool same_digest(const stoic_model *a, const stoic_model *b) {
    uint8_t da[16], db[16];
    stoic_model_digest(a, da);
    stoic_model_digest(b, db);
    return memcmp(da, db, 16) == 0;
}

typedef struct expected {
    const char *name;
    int layers;
    int64_t parameters, macs, image; /* image: channels */
} expected;

/* Counted from the layer sizes; ResNet parameters include the statistics of BatchNormalization. */
static const expected zoo[] = {
    {"lenet5", 5, 132704, 1994920, 1},         {"lenet5-avgpool", 5, 132704, 1994920, 1},
    {"lenet5-sigmoid", 5, 132704, 1994920, 1}, {"resnet20", 22, 274042, 40813184, 3},
    {"resnet44", 46, 664698, 97436288, 3},
};

static void networks_have_the_published_sizes(void **state) {
    (void)state;
    assert_int_equal(stoic_zoo_count(), sizeof zoo / sizeof *zoo);
    for (size_t i = 0; i < stoic_zoo_count(); i++) {
        assert_string_equal(stoic_zoo_name(i), zoo[i].name);
        assert_true(strlen(stoic_zoo_description(i)) > 10);
        stoic_model *model = build(zoo[i].name, 1);
        assert_int_equal(stoic_model_layer_count(model), zoo[i].layers);
        assert_int_equal(stoic_model_parameters(model), zoo[i].parameters);
        assert_int_equal(stoic_model_macs(model), zoo[i].macs);
        assert_int_equal(stoic_model_input_shape(model)->dim[1], zoo[i].image);
        assert_int_equal(stoic_model_classes(model), 10);
        assert_string_equal(stoic_model_meta_get(model, "stoic.zoo"), zoo[i].name);
        stoic_model_free(model);
    }
    assert_null(stoic_zoo_name(stoic_zoo_count()));
}

/* Weights 500, 25,000, 96,000, 10,080, 840: the fault spaces of the paper. */
static void lenet_is_the_paper_s(void **state) {
    (void)state;
    static const int64_t weights[] = {500, 25000, 96000, 10080, 840};
    static const char *const names[] = {"conv1", "conv2", "fc1", "fc2", "fc3"};
    stoic_model *model = build("lenet5", 3);
    for (int i = 0; i < 5; i++) {
        stoic_layer layer = stoic_model_layer(model, i);
        assert_int_equal(stoic_tensor_count(layer.weights), weights[i]);
        assert_string_equal(layer.name, names[i]);
        assert_non_null(layer.bias);
    }
    assert_string_equal(model->nodes[model->n_nodes - 1].op->name, "Sigmoid");
    stoic_model_free(model);
}

static void seeds_decide_the_weights(void **state) {
    (void)state;
    stoic_model *a = build("lenet5", 7), *b = build("lenet5", 7), *c = build("lenet5", 8);
    assert_true(same_digest(a, b));
    assert_false(same_digest(a, c));
    stoic_model_free(a);
    stoic_model_free(b);
    stoic_model_free(c);
}

typedef struct moments {
    double largest, mean, variance;
} moments;

static moments moments_of(const stoic_tensor *tensor) {
    moments m = {0};
    int64_t n = stoic_tensor_count(tensor);
    for (int64_t i = 0; i < n; i++) {
        double w = stoic_tensor_get(tensor, i);
        m.largest = fmax(m.largest, fabs(w));
        m.mean += w / (double)n;
        m.variance += w * w / (double)n;
    }
    return m;
}

/* Is this what n draws from the uniform distribution over ±bound look like? The mean has standard
 * deviation bound / sqrt(3n), the mean square is bound^2/3 ± bound^2 * sqrt(4/45n). */
static bool looks_uniform(const stoic_tensor *tensor, double bound) {
    moments m = moments_of(tensor);
    double n = (double)stoic_tensor_count(tensor);
    return m.largest <= bound * (1 + 1e-6) && m.largest > bound * (1 - 10 / n) &&
           fabs(m.mean) < 5 * bound / sqrt(3 * n) &&
           fabs(m.variance - bound * bound / 3) < 5 * bound * bound * sqrt(4 / (45 * n));
}

static void weights_are_uniform_by_fan_in(void **state) {
    (void)state;
    stoic_model *model = build("lenet5", 5);
    double bound = 1 / sqrt(20 * 5 * 5);
    stoic_layer layer = stoic_model_layer(model, 1);
    assert_true(looks_uniform(layer.weights, bound));
    assert_true(looks_uniform(layer.bias, bound));
    assert_true(looks_uniform(stoic_model_layer(model, 2).weights, 1 / sqrt(800)));
    /* and the judge can say no */
    assert_false(looks_uniform(layer.weights, bound * 1.1));
    assert_false(looks_uniform(layer.weights, bound * 0.9));
    stoic_model_free(model);
}

static void batch_norm_starts_as_identity(void **state) {
    (void)state;
    static const double start[] = {1, 0, 0, 1};
    stoic_model *model = build("resnet20", 1);
    int found = 0;
    for (size_t i = 0; i < model->n_nodes; i++) {
        const stoic_node *node = &model->nodes[i];
        if (strcmp(node->op->name, "BatchNormalization") != 0)
            continue;
        found++;
        for (size_t k = 0; k < 4; k++) {
            const stoic_tensor *tensor = model->values[node->in[k + 1]].constant;
            for (int64_t c = 0; c < stoic_tensor_count(tensor); c++)
                assert_true(stoic_tensor_get(tensor, c) == start[k]);
        }
    }
    assert_int_equal(found, 19 + 2);
    assert_null(stoic_model_layer(model, 0).bias);
    stoic_model_free(model);
}

static void an_unknown_name_lists_the_known(void **state) {
    (void)state;
    stoic_model *model = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_zoo_build("lenet6", 0, &model, &err), STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "'lenet6'"));
    assert_non_null(strstr(err.message, "resnet44"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_have_the_published_sizes),
        cmocka_unit_test(lenet_is_the_paper_s),
        cmocka_unit_test(seeds_decide_the_weights),
        cmocka_unit_test(weights_are_uniform_by_fan_in),
        cmocka_unit_test(batch_norm_starts_as_identity),
        cmocka_unit_test(an_unknown_name_lists_the_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
