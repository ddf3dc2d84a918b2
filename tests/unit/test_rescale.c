/* Undoing the scales of a store elsewhere: exact for powers of two, within a bound otherwise, and
 * every factor that is put somewhere matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rescale_rig.h"

enum { IMAGES = 6 };

static int64_t different(const stoic_model *a, const stoic_model *b, bool reference) {
    float *images = kit_images(a, IMAGES, 11);
    float *x = kit_run(a, 4, reference, images, IMAGES),
          *y = kit_run(b, 4, reference, images, IMAGES);
    int64_t n = kit_differences(x, y, IMAGES * stoic_model_classes(a));
    free(images);
    free(x);
    free(y);
    return n;
}

/* What a fault addresses is where it was. */
static void check_numbers(const stoic_model *before, const stoic_model *after) {
    assert_true(after->n_values >= before->n_values && after->n_layers == before->n_layers);
    for (size_t v = 0; v < before->n_values; v++) {
        assert_string_equal(before->values[v].name, after->values[v].name);
        assert_true(!before->values[v].constant == !after->values[v].constant);
        assert_int_equal(before->values[v].layer, after->values[v].layer);
    }
    for (size_t l = 0; l < before->n_layers; l++) {
        const stoic_node *old = &before->nodes[before->layer_nodes[l]];
        const stoic_node *now = &after->nodes[after->layer_nodes[l]];
        assert_string_equal(old->name, now->name);
        assert_int_equal(now->layer, (int)l);
        assert_int_equal(old->in[1], now->in[1]);
        assert_int_equal(old->out[0], now->out[0]);
    }
    for (size_t v = 0; v < after->n_values; v++) {
        int node = after->values[v].producer;
        assert_true(node < 0 || after->nodes[node].out[0] == (int)v);
    }
}

/* ---- networks ---- */

static stoic_model *chain(const stoic_op *last) {
    stoic_rng rng = kit_rng(21);
    graph g = small_start(&rng, 1, 8, 8);
    small_conv(&g, 3, 3, 1, 1, true);
    graph_simple(&g, &stoic_op_relu);
    small_halve(&g, &stoic_op_max_pool);
    small_conv(&g, 4, 3, 1, 1, true);
    graph_activation_kind(&g, 0);
    small_halve(&g, &stoic_op_average_pool);
    small_flatten(&g);
    graph_product(&g, 6);
    graph_simple(&g, &stoic_op_relu);
    graph_product(&g, 5);
    if (last)
        graph_simple(&g, last);
    return small_finish(&g);
}

/* Branches that carry different factors meet: with the image, in a sum, in a concatenation. */
static stoic_model *joins(void) {
    stoic_rng rng = kit_rng(22);
    graph g = small_start(&rng, 3, 6, 6);
    char before[16], k[16];
    memcpy(before, g.value, sizeof before);
    small_conv(&g, 3, 3, 1, 1, true);
    small_join(&g, &stoic_op_add, before);
    memcpy(before, g.value, sizeof before);
    small_conv(&g, 3, 3, 1, 1, true);
    graph_simple(&g, &stoic_op_relu);
    small_conv(&g, 3, 1, 1, 1, false);
    small_join(&g, &stoic_op_sub, before);
    graph_integers(&g, k, (const int64_t[]){0, 0, 1, 1, 0, 0, 1, 1}, 8);
    graph_node(&g, &stoic_op_pad, (const char *[]){g.value, k}, 2);
    g.h = g.w = 8;
    memcpy(before, g.value, sizeof before);
    small_conv(&g, 2, 3, 1, 1, true);
    graph_int(&g, "axis", 1);
    small_join(&g, &stoic_op_concat, before);
    g.c = 5;
    graph_constant(&g, k, 3, (const int64_t[]){5, 1, 1}, 0.5, 2);
    small_join(&g, &stoic_op_mul, k); /* the constant first */
    graph_constant(&g, k, 3, (const int64_t[]){5, 1, 1}, -1, 1);
    small_join(&g, &stoic_op_add, k);
    graph_clip(&g, 0, INFINITY);
    small_flatten(&g);
    graph_product(&g, 4);
    return small_finish(&g);
}

/* Order inverted: activation, then normalisation; a bias and statistics that two nodes share. */
static stoic_model *sharing(void) {
    stoic_rng rng = kit_rng(23);
    graph g = small_start(&rng, 2, 6, 6);
    char bias[16], k[4][16], w[16], in[16];
    const int64_t four = 4;
    graph_constant(&g, bias, 1, &four, -0.5, 0.5);
    for (int i = 0; i < 4; i++)
        graph_constant(&g, k[i], 1, &four, i == 3 || i == 0 ? 0.3 : -0.7, 1.4);
    for (int i = 0; i < 2; i++) {
        memcpy(in, g.value, sizeof in);
        graph_constant(&g, w, 4, (const int64_t[]){4, g.c, 3, 3}, i ? -0.9 : -0.2, i ? 0.9 : 0.2);
        graph_node(&g, &stoic_op_conv, (const char *[]){in, w, bias}, 3);
        g.c = 4;
        g.h -= 2;
        g.w -= 2;
        graph_simple(&g, &stoic_op_relu);
        memcpy(in, g.value, sizeof in);
        graph_node(&g, &stoic_op_batch_normalization, (const char *[]){in, k[0], k[1], k[2], k[3]},
                   5);
    }
    small_flatten(&g);
    graph_product(&g, 3);
    graph_simple(&g, &stoic_op_softmax);
    return small_finish(&g);
}

static stoic_model *sigmoid_at_the_end(void) {
    return chain(&stoic_op_sigmoid);
}

static stoic_model *plain_chain(void) {
    return chain(NULL);
}

static stoic_model *(*const networks[])(void) = {plain_chain, sigmoid_at_the_end, small_resnet,
                                                 joins, sharing};
enum { NETWORKS = sizeof networks / sizeof *networks };

static const char *const formats[] = {"fp32,scale=pow2", "fp16,scale=pow2", "bf16,scale=pow2",
                                      "q2.5,scale=pow2", "fp32,scale=const:64"};
static const char *const modes[] = {"logits", "fold"};

/* ---- exactness ---- */

static void check_exact(const stoic_model *model, const char *format, const char *mode) {
    char spec[128];
    stoic_model *weights = must(model, format);
    snprintf(spec, sizeof spec, "%s,rescale=%s", format, mode);
    stoic_model *moved = must(model, spec);
    check_numbers(model, moved);
    for (int reference = 0; reference < 2; reference++) {
        int64_t n = different(weights, moved, reference);
        if (n)
            fail_msg("%s: %d outputs differ, reference %d", spec, (int)n, reference);
    }
    stoic_model_free(weights);
    stoic_model_free(moved);
}

static void powers_of_two_change_no_bit(void **state) {
    (void)state;
    for (size_t n = 0; n < NETWORKS; n++) {
        stoic_model *model = networks[n]();
        for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
            check_exact(model, formats[f], "logits");
            check_exact(model, formats[f], "fold");
        }
        check_exact(model, "fp16,scale=pow2,granularity=channel", "fold");
        stoic_model_free(model);
    }
}

static void shipped_models_keep_their_logits(void **state) {
    (void)state;
    static const char *const files[] = {"lenet5-fashion-mnist.onnx", "lenet5-avgpool.onnx",
                                        "resnet20-cifar10.onnx"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        stoic_model *model = kit_shipped(files[i]);
        if (!model)
            continue;
        for (size_t m = 0; m < 2; m++) {
            stoic_model *weights = must(model, "fp16,scale=pow2");
            char spec[64];
            snprintf(spec, sizeof spec, "fp16,scale=pow2,rescale=%s", modes[m]);
            stoic_model *moved = must(model, spec);
            check_numbers(model, moved);
            assert_int_equal(different(weights, moved, false), 0);
            stoic_model_free(weights);
            stoic_model_free(moved);
        }
        stoic_model_free(model);
    }
}

/* Whatever graph: the same bits, or a refusal that says what to do. */
static void random_graphs_keep_their_logits(void **state) {
    (void)state;
    int passed = 0;
    for (int seed = 0; seed < kit_effort(120); seed++) {
        stoic_model *model = graph_random((uint64_t)seed);
        stoic_error err = {0};
        if (!model)
            continue;
        check_exact(model, "fp32,scale=pow2", "fold");
        check_exact(model, "fp16,scale=pow2,granularity=channel", "fold");
        stoic_model *moved = golden(model, "fp32,scale=pow2,rescale=logits", &err);
        if (!moved && !strstr(err.message, "rescale=weights works here"))
            fail_msg("network %d: %s", seed, err.message);
        if (moved)
            check_exact(model, "fp32,scale=pow2", "logits");
        passed += moved != NULL;
        stoic_model_free(moved);
        stoic_model_free(model);
    }
    assert_true(passed > 5);
}

/* ---- every factor matters ---- */

static void restore(float *data, int64_t count, void *user) {
    const float *old = user;
    for (int64_t i = 0; i < count; i++)
        data[i] = old ? old[i] : data[i] + 1 + (float)i; /* not the same for all: Softmax */
}

/* Takes each change to a constant back, one after the other: the outputs must notice. */
static int break_constants(const stoic_model *weights, const stoic_model *moved) {
    int broken = 0;
    for (size_t v = 0; v < moved->n_values; v++) {
        const stoic_tensor *now = moved->values[v].constant;
        const stoic_tensor *old = v < weights->n_values ? weights->values[v].constant : NULL;
        if (!now || now == old || moved->values[v].dtype != STOIC_F32 ||
            (old && !memcmp(stoic_tensor_data(now), stoic_tensor_data(old),
                            (size_t)stoic_tensor_count(now) * sizeof(float))))
            continue;
        stoic_model *wrong = kit_changed(stoic_model_retain(moved), (int)v, restore,
                                         (void *)(uintptr_t)(old ? stoic_tensor_data(old) : NULL));
        if (different(weights, wrong, false) == 0)
            fail_msg("'%s' might as well be something else", moved->values[v].name);
        stoic_model_free(wrong);
        broken++;
    }
    return broken;
}

static void a_broken_factor_is_noticed(void **state) {
    (void)state;
    int broken[2] = {0, 0};
    for (size_t n = 0; n < NETWORKS; n++) {
        stoic_model *model = networks[n]();
        stoic_model *weights = must(model, "fp32,scale=pow2");
        for (int m = 0; m < 2; m++) {
            char spec[64];
            snprintf(spec, sizeof spec, "fp32,scale=pow2,rescale=%s", modes[m]);
            stoic_model *moved = must(model, spec);
            broken[m] += break_constants(weights, moved);
            stoic_model_free(moved);
        }
        stoic_model_free(weights);
        stoic_model_free(model);
    }
    assert_true(broken[0] > 40 && broken[1] > 40);
}

/* ---- other factors: within a bound ---- */

static void absolute(float *data, int64_t count, void *user) {
    for (int64_t i = 0; i < count; i++)
        data[i] = user ? -fabsf(data[i]) : fabsf(data[i]);
}

/* The network of absolute values: each value is the sum of the magnitudes that made it. Only for
 * networks of Conv, Gemm, MatMul, Relu, pooling, Add and batch normalisation. */
static stoic_model *magnitudes(const stoic_model *model, double *depth) {
    stoic_model *out = stoic_model_retain(model);
    *depth = 0;
    for (size_t i = 0; i < model->n_nodes; i++) {
        const stoic_node *n = &model->nodes[i];
        bool norm = n->op == &stoic_op_batch_normalization;
        for (size_t k = 1; k < n->n_in; k++) {
            if (n->in[k] >= 0 && model->values[n->in[k]].constant &&
                model->values[n->in[k]].dtype == STOIC_F32)
                out = kit_changed(out, n->in[k], absolute, norm && k == 3 ? out : NULL);
        }
        *depth += 8;
    }
    for (int l = 0; l < stoic_model_layer_count(model); l++) {
        stoic_layer layer = stoic_model_layer(model, l);
        *depth += (double)(layer.macs / stoic_shape_count(&layer.output));
    }
    return out;
}

/* |a - b| <= 2 depth 2^-24 / (1 - depth 2^-24) times the magnitudes: the usual bound of a sum, for
 * each of the two; the constants that carry factors are among the 8 roundings of a node. */
static bool within_bound(const stoic_model *a, const stoic_model *b) {
    double depth, n;
    stoic_model *sizes = magnitudes(a, &depth);
    float *images = kit_images(a, IMAGES, 12), *positive = kit_images(a, IMAGES, 12);
    absolute(positive, IMAGES * kit_input_size(a), NULL);
    float *x = kit_run(a, 4, false, images, IMAGES), *y = kit_run(b, 4, false, images, IMAGES);
    float *size = kit_run(sizes, 4, false, positive, IMAGES);
    bool fits = true;
    n = depth * 0x1p-24;
    for (int64_t i = 0; i < IMAGES * stoic_model_classes(a); i++)
        fits &= fabs((double)x[i] - (double)y[i]) <= 2.1 * n / (1 - n) * (double)size[i];
    stoic_model_free(sizes);
    free(images);
    free(positive);
    free(x);
    free(y);
    free(size);
    return fits;
}

/* Else the sums cancel, and a bound by magnitudes says little. */
static void mostly_positive(float *data, int64_t count, void *user) {
    (void)user;
    for (int64_t i = 0; i < count; i++)
        data[i] = i % 8 ? fabsf(data[i]) : data[i];
}

static stoic_model *bounded_network(int which) {
    stoic_rng rng = kit_rng(31 + (uint64_t)which);
    graph g = small_start(&rng, 3, 6, 6);
    small_conv(&g, 4, 3, 1, 1, true);
    if (which)
        graph_norm(&g);
    graph_simple(&g, &stoic_op_relu);
    small_resnet_block(&g, 4, 1);
    small_conv(&g, 4, 3, 1, 1, true);
    graph_simple(&g, &stoic_op_relu);
    small_flatten(&g);
    graph_product(&g, 8);
    graph_simple(&g, &stoic_op_relu);
    graph_product(&g, 4);
    stoic_model *model = small_finish(&g);
    for (int l = 0; l < (int)model->n_layers; l++)
        model = kit_changed(model, kit_weight(model, l, 1), mostly_positive, NULL);
    return model;
}

static void off_by_a_thousandth(float *data, int64_t count, void *user) {
    (void)user;
    for (int64_t i = 0; i < count; i++)
        data[i] *= 1.001f;
}

static void other_factors_stay_within_a_bound(void **state) {
    (void)state;
    static const char *const specs[] = {"fp32,scale=max:1.9999", "fp16,scale=max:1.9999",
                                        "fp16,scale=const:100", "fp32,scale=const:0.01"};
    for (int which = 0; which < 2; which++) {
        stoic_model *model = bounded_network(which);
        for (size_t s = 0; s < 2 * sizeof specs / sizeof *specs; s++) {
            char spec[96];
            stoic_model *weights = must(model, specs[s / 2]);
            snprintf(spec, sizeof spec, "%s,rescale=%s", specs[s / 2], modes[s % 2]);
            stoic_model *moved = must(model, spec);
            if (!within_bound(weights, moved))
                fail_msg("%s: network %d is out of bounds", spec, which);
            moved = kit_changed(moved, kit_weight(moved, 3, 1), off_by_a_thousandth, NULL);
            assert_false(within_bound(weights, moved));
            stoic_model_free(moved);
            stoic_model_free(weights);
        }
        stoic_model *each = must(model, "fp16,scale=max:1.9,granularity=channel,rescale=fold");
        stoic_model *weights = must(model, "fp16,scale=max:1.9,granularity=channel");
        assert_true(within_bound(weights, each));
        stoic_model_free(each);
        stoic_model_free(weights);
        stoic_model_free(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_of_two_change_no_bit),
        cmocka_unit_test(shipped_models_keep_their_logits),
        cmocka_unit_test(random_graphs_keep_their_logits),
        cmocka_unit_test(a_broken_factor_is_noticed),
        cmocka_unit_test(other_factors_stay_within_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
