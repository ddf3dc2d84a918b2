/* The zoo: shapes, sizes, options, refusals, and the distribution of the initial weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "model/graph.h"
#include "stoic/session.h"

static stoic_model *build(const char *spec, uint64_t seed) {
    stoic_model *model = NULL;
    stoic_error err = {0};
    if (stoic_zoo_build(spec, seed, &model, &err) != STOIC_OK)
        fail_msg("%s: %s", spec, err.message);
    return model;
}

static stoic_zoo_facts describe(const char *spec) {
    stoic_zoo_facts facts = {0};
    stoic_error err = {0};
    if (stoic_zoo_describe(spec, &facts, &err) != STOIC_OK)
        fail_msg("%s: %s", spec, err.message);
    return facts;
}

static const char *digest_text(const stoic_model *model, char text[33]) {
    uint8_t digest[16];
    stoic_model_digest(model, digest);
    for (int i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static bool same_digest(const stoic_model *a, const stoic_model *b) {
    char one[33], other[33];
    return strcmp(digest_text(a, one), digest_text(b, other)) == 0;
}

static int count_ops(const stoic_model *model, const stoic_op *op) {
    int n = 0;
    for (size_t i = 0; i < model->n_nodes; i++)
        n += model->nodes[i].op == op;
    return n;
}

/* ---- sizes ---- */

typedef struct expected {
    const char *name;
    int layers;
    int64_t trained, weights;
    double gmacs; /* as published, to as many digits as `digits` */
    int digits;
    int64_t channels, size, classes;
} expected;

/*
 * Trained parameters and multiply-adds of the networks for ImageNet are those that torchvision
 * prints, the weights of those for CIFAR and MNIST those of FORTUNE's memory column; the rest is
 * counted from the layer sizes.
 */
static const expected zoo[] = {
    {"lenet5", 5, 132704, 132420, 0.00199492, 8, 1, 28, 10},
    {"lenet5-avgpool", 5, 132704, 132420, 0.00199492, 8, 1, 28, 10},
    {"lenet5-sigmoid", 5, 132704, 132420, 0.00199492, 8, 1, 28, 10},
    {"resnet20", 22, 272474, 270896, 0.040813184, 9, 3, 32, 10},
    {"resnet32", 34, 466906, 464432, 0.06912, 4, 3, 32, 10},
    {"resnet44", 46, 661338, 657968, 0.097436288, 9, 3, 32, 10},
    {"resnet56", 58, 855770, 851504, 0.1257, 4, 3, 32, 10},
    {"resnet18", 21, 11689512, 11678912, 1.81, 2, 3, 224, 1000},
    {"resnet50", 54, 25557032, 25502912, 4.09, 2, 3, 224, 1000},
    {"resnet18-cifar", 21, 11173962, 11164352, 0.14, 2, 3, 32, 10},
    {"densenet169", 169, 14149480, 13990080, 3.36, 2, 3, 224, 1000},
    {"alexnet", 8, 61100840, 61090496, 0.71, 2, 3, 224, 1000},
    {"alexnet-mnist", 8, 58299082, 58289504, 1.06, 2, 1, 224, 10},
    {"vgg11", 11, 132863336, 132851392, 7.61, 2, 3, 224, 1000},
    {"vgg11-cifar", 11, 28149514, 28133056, 0.17, 2, 3, 32, 10},
    {"mobilenetv2", 53, 3504872, 3469760, 0.30, 2, 3, 224, 1000},
    {"inception-cifar", 91, 21638954, 21604928, 3.460465664, 9, 3, 32, 10},
};

static void count_model(const stoic_model *model, int64_t *trained, int64_t *weights) {
    *trained = *weights = 0;
    for (int i = 0; i < stoic_model_layer_count(model); i++) {
        stoic_layer layer = stoic_model_layer(model, i);
        *weights += stoic_tensor_count(layer.weights);
        *trained += layer.bias ? stoic_tensor_count(layer.bias) : 0;
    }
    *trained += *weights;
    for (size_t i = 0; i < model->n_nodes; i++) {
        const stoic_node *node = &model->nodes[i];
        if (node->op == &stoic_op_batch_normalization)
            *trained += 2 * stoic_tensor_count(model->values[node->in[1]].constant);
    }
}

static void networks_have_the_published_sizes(void **state) {
    (void)state;
    assert_int_equal(stoic_zoo_count(), sizeof zoo / sizeof *zoo);
    for (size_t i = 0; i < stoic_zoo_count(); i++) {
        const expected *e = &zoo[i];
        int64_t trained, weights;
        assert_string_equal(stoic_zoo_name(i), e->name);
        assert_true(strlen(stoic_zoo_description(i)) > 5);
        stoic_zoo_facts facts = describe(e->name);
        stoic_model *model = build(e->name, 1);
        count_model(model, &trained, &weights);
        assert_int_equal(trained, e->trained);
        assert_int_equal(weights, e->weights);
        assert_int_equal(facts.parameters, trained);
        assert_int_equal(facts.weights, weights);
        assert_int_equal(stoic_model_layer_count(model), e->layers);
        double unit = pow(10, -e->digits), gmacs = (double)stoic_model_macs(model) * 1e-9;
        if (fabs(gmacs - e->gmacs) > 0.5001 * unit)
            fail_msg("%s: %.9f GMACs, not %.9f", e->name, gmacs, e->gmacs);
        const stoic_shape *shape = stoic_model_input_shape(model);
        assert_int_equal(shape->dim[1], e->channels);
        assert_int_equal(shape->dim[2], e->size);
        assert_int_equal(shape->dim[3], e->size);
        assert_int_equal(stoic_model_classes(model), e->classes);
        assert_int_equal(facts.channels, e->channels);
        assert_int_equal(facts.size, e->size);
        assert_int_equal(facts.classes, e->classes);
        assert_string_equal(stoic_model_meta_get(model, "stoic.zoo"), facts.spec);
        stoic_model_free(model);
    }
    assert_null(stoic_zoo_name(stoic_zoo_count()));
    assert_null(stoic_zoo_description(stoic_zoo_count()));
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

/* So that weights can be taken over by name. */
static void names_are_torchvision_s(void **state) {
    (void)state;
    static const char *const names[][3] = {
        {"resnet18,size=32", "layer2.0.downsample.0.weight", "fc.bias"},
        {"resnet50,size=32", "layer4.2.conv3.weight", "layer1.0.bn3.running_var"},
        {"densenet169,size=32", "features.denseblock3.denselayer32.norm2.weight",
         "features.transition3.conv.weight"},
        {"alexnet,size=63", "features.10.bias", "classifier.6.weight"},
        {"vgg11,size=32", "features.18.weight", "classifier.0.weight"},
        {"vgg11-cifar", "features.26.running_mean", "classifier.6.weight"},
        {"mobilenetv2,size=32", "features.17.conv.3.bias", "features.18.1.weight"},
        {"inception-cifar,size=7", "Mixed_7c.branch3x3dbl_3b.conv.weight",
         "Mixed_6e.branch_pool.bn.weight"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        stoic_model *model = build(names[i][0], 1);
        for (int k = 1; k < 3; k++) {
            size_t v = 0;
            while (v < model->n_values && strcmp(model->values[v].name, names[i][k]) != 0)
                v++;
            if (v == model->n_values)
                fail_msg("%s has no %s", names[i][0], names[i][k]);
        }
        stoic_model_free(model);
    }
}

/* ---- options ---- */

static void two_spellings_are_one_network(void **state) {
    (void)state;
    static const char *const pairs[][3] = {
        {"lenet5-avgpool", "lenet5,pooling=average", "lenet5,pooling=average"},
        {"lenet5-sigmoid", "lenet5,activation=sigmoid,sigmoid=on", "lenet5,activation=sigmoid"},
        {"lenet5-sigmoid,activation=relu,init=pytorch", "lenet5,size=28", "lenet5"},
        {"lenet5,sigmoid=off,classes=0x5", "lenet5,classes=5,sigmoid=off",
         "lenet5,sigmoid=off,classes=5"},
        {"lenet5,init=xavier:4.0", "lenet5,init=xavier:4", "lenet5,init=xavier:4"},
        {"lenet5,init=xavier", "lenet5,init=xavier:1e0", "lenet5,init=xavier:1"},
        {"lenet5,init=xavier:0.1", "lenet5,init=xavier:1e-1", "lenet5,init=xavier:0.1"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        stoic_model *a = build(pairs[i][0], 2), *b = build(pairs[i][1], 2);
        stoic_model *again = build(pairs[i][2], 2);
        assert_true(same_digest(a, b) && same_digest(a, again));
        assert_string_equal(stoic_model_meta_get(a, "stoic.zoo"), pairs[i][2]);
        assert_string_equal(stoic_model_meta_get(b, "stoic.zoo"), pairs[i][2]);
        assert_string_equal(stoic_model_meta_get(again, "stoic.zoo"), pairs[i][2]);
        stoic_model_free(a);
        stoic_model_free(b);
        stoic_model_free(again);
    }
    assert_string_equal(describe("vgg11-cifar,norm=off,size=64").spec,
                        "vgg11-cifar,norm=off,size=64");
    assert_string_equal(describe("lenet5").choices,
                        "activation=relu|sigmoid,pooling=max|average,sigmoid=off|on");
    assert_string_equal(describe("resnet50").choices, "");
}

static void lenet_has_its_choices(void **state) {
    (void)state;
    stoic_model *m = build("lenet5,activation=sigmoid,pooling=average,sigmoid=off", 1);
    assert_int_equal(count_ops(m, &stoic_op_sigmoid), 4);
    assert_int_equal(count_ops(m, &stoic_op_relu), 0);
    assert_int_equal(count_ops(m, &stoic_op_average_pool), 2);
    assert_int_equal(count_ops(m, &stoic_op_max_pool), 0);
    assert_ptr_equal(m->nodes[m->n_nodes - 1].op, &stoic_op_gemm);
    stoic_model_free(m);
    m = build("lenet5", 1);
    assert_int_equal(count_ops(m, &stoic_op_relu), 4);
    assert_int_equal(count_ops(m, &stoic_op_max_pool), 2);
    assert_int_equal(count_ops(m, &stoic_op_sigmoid), 1);
    stoic_model_free(m);
    m = build("vgg11-cifar,norm=off", 1);
    assert_int_equal(count_ops(m, &stoic_op_batch_normalization), 0);
    assert_int_equal(count_ops(m, &stoic_op_dropout), 2);
    stoic_model_free(m);
}

/* The ratio of every Dropout of a model. */
static void expect_dropout(const char *spec, int number, double ratio) {
    stoic_model *m = build(spec, 1);
    assert_int_equal(count_ops(m, &stoic_op_dropout), number);
    for (size_t i = 0; i < m->n_nodes; i++) {
        if (m->nodes[i].op == &stoic_op_dropout)
            assert_true(stoic_tensor_get(m->values[m->nodes[i].in[1]].constant, 0) ==
                        (double)(float)ratio);
    }
    stoic_model_free(m);
}

static void dropout_stands_where_torchvision_has_it(void **state) {
    (void)state;
    expect_dropout("alexnet,size=63", 2, 0.5);
    expect_dropout("vgg11,size=32", 2, 0.5);
    expect_dropout("mobilenetv2,size=32", 1, 0.2);
    expect_dropout("inception-cifar,size=7", 1, 0.5);
    expect_dropout("resnet18-cifar", 0, 0);
    expect_dropout("densenet169,size=32", 0, 0);
}

/* ---- refusals ---- */

typedef struct refusal {
    const char *spec, *message;
} refusal;

static const refusal refusals[] = {
    {"lenet6", "no network 'lenet6' in the zoo, expected one of lenet5, "},
    {"", "expected 'name'"},
    {"lenet5,activaton=relu", "'lenet5' has no key 'activaton'; did you mean 'activation'?"},
    {"resnet20,pooling=max", "'resnet20' has no key 'pooling'"},
    {"lenet5,classes", "lenet5: classes needs a value"},
    {"lenet5,classes=1", "lenet5: classes: expected a whole number from 2 to 1000000, found '1'"},
    {"lenet5,classes=ten", "lenet5: classes: expected"},
    {"lenet5,classes=5,classes=5", "'classes' is given twice"},
    {"lenet5,size=0", "lenet5: size: expected a whole number from 1 to 4096, found '0'"},
    {"lenet5,size=-28", "found '-28'"},
    {"lenet5,size=1e30", "found '1e30'"},
    {"lenet5,size=15", "lenet5: size=15 is too small, the network needs at least 16"},
    {"alexnet,size=62", "alexnet: size=62 is too small, the network needs at least 63"},
    {"vgg11,size=31", "needs at least 32"},
    {"densenet169,size=28", "needs at least 29"},
    {"inception-cifar,size=6", "needs at least 7"},
    {"vgg11,size=4096,channels=4096", "size=4096,channels=4096 is too large, one value of the"},
    {"alexnet,size=4000", "makes 16146256680 parameters, an ONNX file holds at most 500000000"},
    {"resnet50,classes=1000000", "classes=1000000 makes 2072508032 parameters"},
    {"lenet5,channels=4097", "from 1 to 4096"},
    {"lenet5,sigmoid=maybe", "lenet5: sigmoid must be off|on, not 'maybe'"},
    {"lenet5,init=he", "init must be pytorch, torchvision, kaiming-uniform, kaiming-normal or"},
    {"lenet5,init=xavier:0", "gain of init=xavier must be above 0 and at most 1000, not '0'"},
    {"lenet5,init=xavier:1001", "not '1001'"},
    {"lenet5,init=xavier:nan", "lenet5: init=xavier: expected a number"},
    {"lenet5,init=xavier4", "not 'xavier4'"},
};

static void refusals_name_key_and_value(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        stoic_model *model = NULL;
        stoic_zoo_facts facts;
        stoic_error err = {0}, other = {0};
        assert_int_equal(stoic_zoo_build(refusals[i].spec, 0, &model, &err), STOIC_ERR_ARGUMENT);
        assert_int_equal(stoic_zoo_describe(refusals[i].spec, &facts, &other), STOIC_ERR_ARGUMENT);
        assert_string_equal(err.message, other.message);
        if (!strstr(err.message, refusals[i].message))
            fail_msg("'%s' says '%s', not '%s'", refusals[i].spec, err.message,
                     refusals[i].message);
        assert_null(model);
    }
    /* and what stands just inside of the limits does work */
    stoic_model_free(build("lenet5,size=16", 1));
    stoic_model_free(build("densenet169,size=29", 1));
    stoic_model_free(build("inception-cifar,size=7", 1));
    stoic_model_free(build("resnet20,size=1", 1));
}

/* ---- initial weights ---- */

static void seeds_decide_the_weights(void **state) {
    (void)state;
    stoic_model *a = build("lenet5", 7), *b = build("lenet5", 7), *c = build("lenet5", 8);
    assert_true(same_digest(a, b));
    assert_false(same_digest(a, c));
    stoic_model_free(a);
    stoic_model_free(b);
    stoic_model_free(c);
}

/* What is trained from a seed can be trained again: these bytes do not change. */
static void weights_of_a_seed_stay(void **state) {
    (void)state;
    static const char *const known[][2] = {
        {"lenet5", "08b6fcc581e79a9806449f34cc765dce"},
        {"lenet5-avgpool", "53246784f5697e0e705fb42e822dc10f"},
        {"lenet5-sigmoid", "967c3ce9531ce03eaacb50cacb56402c"},
        {"resnet20", "866847bd8e100e80f5bcf996652cae52"},
        {"resnet44", "952b1fc618a09e1b55351dbe29ee3855"},
        {"mobilenetv2,size=32,init=torchvision", "d42ae7bdd1bdc0290cb8788f81b60c00"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[33];
        stoic_model *model = build(known[i][0], 3);
        assert_string_equal(digest_text(model, text), known[i][1]);
        stoic_model_free(model);
    }
}

typedef struct moments {
    double largest, mean, square;
} moments;

static moments moments_of(const stoic_tensor *tensor) {
    moments m = {0};
    int64_t n = stoic_tensor_count(tensor);
    for (int64_t i = 0; i < n; i++) {
        double w = stoic_tensor_get(tensor, i);
        m.largest = fmax(m.largest, fabs(w));
        m.mean += w / (double)n;
        m.square += w * w / (double)n;
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
           fabs(m.square - bound * bound / 3) < 5 * bound * bound * sqrt(4 / (45 * n));
}

/* The same for a normal distribution; a tenth in 2 n expected beyond the largest value. */
static bool looks_normal(const stoic_tensor *tensor, double deviation) {
    moments m = moments_of(tensor);
    double n = (double)stoic_tensor_count(tensor);
    return fabs(m.mean) < 5 * deviation / sqrt(n) &&
           fabs(m.square - deviation * deviation) < 5 * deviation * deviation * sqrt(2 / n) &&
           m.largest > 2.5 * deviation && erfc(m.largest / deviation / sqrt(2)) * n > 1e-4;
}

static bool is_zero(const stoic_tensor *tensor) {
    return moments_of(tensor).largest == 0;
}

typedef struct initial {
    const char *spec;
    int layer;
    bool normal;
    double scale;
    double bias; /* uniform in ± this; 0: zero; negative: the layer has none */
} initial;

static void weights_are_drawn_as_the_rule_says(void **state) {
    (void)state;
    const initial rules[] = {
        {"lenet5", 1, false, 1 / sqrt(500), 1 / sqrt(500)},
        {"lenet5", 2, false, 1 / sqrt(800), 1 / sqrt(800)},
        {"lenet5,init=torchvision", 2, false, 1 / sqrt(800), 1 / sqrt(800)},
        {"lenet5,init=kaiming-uniform", 1, false, sqrt(6. / 500), 0},
        {"lenet5,init=kaiming-normal", 2, true, sqrt(2. / 800), 0},
        {"lenet5,init=xavier:4", 1, false, 4 * sqrt(6. / (500 + 1250)), 0},
        {"lenet5,init=xavier:4", 2, false, 4 * sqrt(6. / (800 + 120)), 0},
        {"resnet20,init=torchvision", 8, true, sqrt(2. / (32 * 9)), -1},
        {"resnet20,init=torchvision", 21, false, 1 / sqrt(64), 1 / sqrt(64)},
        {"resnet18,size=32,init=torchvision", 1, true, sqrt(2. / (64 * 9)), -1},
        {"densenet169,size=32,init=torchvision", 1, true, sqrt(2. / 64), -1},
        {"densenet169,size=32,init=torchvision", 168, false, 1 / sqrt(1664), 0},
        {"vgg11,size=32,init=torchvision", 1, true, sqrt(2. / (128 * 9)), 0},
        {"vgg11,size=32,init=torchvision", 8, true, 0.01, 0},
        {"mobilenetv2,size=32,init=torchvision", 49, true, sqrt(2. / (960 * 9)), -1},
        {"mobilenetv2,size=32,init=torchvision", 52, true, 0.01, 0},
        {"mobilenetv2,size=32", 49, false, 1 / sqrt(9), -1}, /* depthwise: fan in 9 */
        {"inception-cifar,size=7,init=torchvision", 5, true, 0.1, -1},
        {"inception-cifar,size=7,init=torchvision", 90, true, 0.1, 1 / sqrt(2048)},
        {"alexnet,size=63,init=torchvision", 1, false, 1 / sqrt(64 * 25), 1 / sqrt(64 * 25)},
    };
    stoic_model *model = NULL;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const initial *r = &rules[i];
        if (i == 0 || strcmp(rules[i - 1].spec, r->spec) != 0) {
            stoic_model_free(model);
            model = build(r->spec, 5);
        }
        stoic_layer layer = stoic_model_layer(model, r->layer);
        bool (*looks)(const stoic_tensor *, double) = r->normal ? looks_normal : looks_uniform;
        bool (*other)(const stoic_tensor *, double) = r->normal ? looks_uniform : looks_normal;
        if (!looks(layer.weights, r->scale))
            fail_msg("%s: layer '%s' is drawn otherwise", r->spec, layer.name);
        assert_int_equal(layer.bias != NULL, r->bias >= 0);
        if (layer.bias)
            assert_true(r->bias > 0 ? looks_uniform(layer.bias, r->bias) : is_zero(layer.bias));
        /* and the judge can say no */
        if (looks(layer.weights, r->scale * 1.25) || looks(layer.weights, r->scale * 0.8))
            fail_msg("%s: layer '%s' shows nothing", r->spec, layer.name);
        assert_false(other(layer.weights, r->scale * (r->normal ? sqrt(3) : sqrt(1. / 3))));
    }
    stoic_model_free(model);
}

static void batch_norm_starts_as_identity(void **state) {
    (void)state;
    static const double start[] = {1, 0, 0, 1};
    stoic_model *model = build("resnet20", 1);
    int found = 0;
    for (size_t i = 0; i < model->n_nodes; i++) {
        const stoic_node *node = &model->nodes[i];
        if (node->op != &stoic_op_batch_normalization)
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

/* ---- running them ---- */

static void run(const stoic_model *model, int n, float *out) {
    int64_t size = stoic_shape_count(stoic_model_input_shape(model));
    float *images = calloc((size_t)(n * size), sizeof *images);
    stoic_program *program = NULL;
    stoic_session *session = NULL;
    stoic_rng rng;
    assert_non_null(images);
    stoic_rng_init(&rng, 1, 0, STOIC_STREAM_VALUE);
    for (int64_t i = 0; i < n * size; i++)
        images[i] = (float)stoic_rng_normal(&rng);
    assert_int_equal(stoic_program_compile(model, NULL, &program, NULL), STOIC_OK);
    assert_int_equal(stoic_session_create(program, &session, NULL), STOIC_OK);
    assert_int_equal(stoic_session_run(session, images, n, out, NULL), STOIC_OK);
    stoic_session_free(session);
    stoic_program_free(program);
    free(images);
}

/* Finite, and it says something about the image. */
static void networks_run(void **state) {
    (void)state;
    static const char *const specs[] = {
        "lenet5,size=20,channels=3,classes=7,sigmoid=off",
        "lenet5,activation=sigmoid,init=xavier:4",
        "resnet32,size=17,channels=1,classes=7",
        "resnet56,init=kaiming-uniform,classes=7",
        "resnet18,size=33,channels=1,classes=7",
        "resnet50,size=32,classes=7,init=kaiming-uniform",
        "resnet18-cifar,classes=7",
        "densenet169,size=40,channels=1,classes=7,init=kaiming-uniform",
        "alexnet,size=63,channels=1,classes=7",
        "alexnet-mnist,size=64,classes=7",
        "vgg11,size=33,channels=1,classes=7,init=kaiming-uniform",
        "vgg11-cifar,classes=7",
        "mobilenetv2,size=32,channels=1,classes=7,init=kaiming-uniform",
        "inception-cifar,size=9,channels=1,classes=7,init=kaiming-uniform",
    };
    enum { N = 2, CLASSES = 10 };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        float out[N * CLASSES] = {0};
        stoic_model *model = build(specs[i], 1);
        int64_t classes = stoic_model_classes(model);
        assert_in_range(classes, 7, CLASSES);
        run(model, N, out);
        bool differs = false;
        for (int64_t k = 0; k < N * classes; k++) {
            if (!isfinite(out[k]))
                fail_msg("%s gives %g", specs[i], (double)out[k]);
            differs |= out[k] != out[k % classes];
        }
        if (!differs)
            fail_msg("%s gives every image the same", specs[i]);
        stoic_model_free(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_have_the_published_sizes),
        cmocka_unit_test(lenet_is_the_paper_s),
        cmocka_unit_test(names_are_torchvision_s),
        cmocka_unit_test(two_spellings_are_one_network),
        cmocka_unit_test(lenet_has_its_choices),
        cmocka_unit_test(dropout_stands_where_torchvision_has_it),
        cmocka_unit_test(refusals_name_key_and_value),
        cmocka_unit_test(seeds_decide_the_weights),
        cmocka_unit_test(weights_of_a_seed_stay),
        cmocka_unit_test(weights_are_drawn_as_the_rule_says),
        cmocka_unit_test(batch_norm_starts_as_identity),
        cmocka_unit_test(networks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
