/* The graphs that rescaling makes: where the factors are undone, what is refused, and that faults
 * find their tensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rescale_rig.h"

static const stoic_node *producer_of(const stoic_model *model, int value) {
    int node = model->values[value].producer;
    assert_true(node >= 0);
    return &model->nodes[node];
}

static graph start(uint64_t seed, stoic_rng *rng) {
    *rng = kit_rng(seed);
    graph g = small_start(rng, 2, 4, 4);
    small_conv(&g, 3, 3, 1, 1, true);
    return g;
}

/* A layer in front of the last value, one behind it. */
static stoic_model *finish(graph *g) {
    small_flatten(g);
    graph_product(g, 3);
    return small_finish(g);
}

/* ---- what is refused ---- */

static void check_refused(stoic_model *model, const char *node, const char *op) {
    stoic_error err = {0};
    stoic_model *moved = golden(model, "fp32,scale=pow2,rescale=logits", &err);
    assert_null(moved);
    char named[64];
    snprintf(named, sizeof named, "node '%s' (%s)", node, op);
    if (!strstr(err.message, named) || !strstr(err.message, "rescale=weights works here"))
        fail_msg("%s lacks %s", err.message, named);
    moved = must(model, "fp32,scale=pow2,rescale=fold"); /* undone before it gets there */
    stoic_model_free(moved);
    stoic_model_free(model);
}

static void what_is_not_homogeneous_is_refused_by_name(void **state) {
    (void)state;
    static const char *const ops[] = {"", "Clip", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid"};
    char node[16], k[16], before[16];
    stoic_rng rng;
    for (int kind = 1; kind <= 5; kind++) {
        graph g = start(40, &rng);
        snprintf(node, sizeof node, "n%d", g.n + 2 * (kind == 1));
        graph_activation_kind(&g, kind);
        check_refused(finish(&g), node, ops[kind]);
    }
    graph g = start(41, &rng); /* a product of computed values */
    snprintf(node, sizeof node, "n%d", g.n);
    memcpy(before, g.value, sizeof before);
    small_join(&g, &stoic_op_mul, before);
    check_refused(finish(&g), node, "Mul");
    g = start(42, &rng); /* padded with something else than 0 */
    graph_integers(&g, k, (const int64_t[]){0, 0, 0, 0, 0, 0, 1, 1}, 8);
    graph_constant(&g, before, 0, NULL, 2, 2);
    snprintf(node, sizeof node, "n%d", g.n);
    graph_node(&g, &stoic_op_pad, (const char *[]){g.value, k, before}, 3);
    g.h = g.w = 5;
    check_refused(finish(&g), node, "Pad");
}

/* Weights that an Add reads too would be scaled there, which nothing undoes. */
static void weights_read_as_something_else_are_refused(void **state) {
    (void)state;
    stoic_rng rng = kit_rng(43);
    graph g = small_start(&rng, 1, 4, 4);
    char w[16], sum[16];
    stoic_error err = {0};
    small_flatten(&g);
    graph_constant(&g, w, 2, (const int64_t[]){1, 16}, -0.1, 0.1);
    small_join(&g, &stoic_op_add, w);
    memcpy(sum, g.value, sizeof sum);
    graph_int(&g, "transB", 1);
    graph_node(&g, &stoic_op_gemm, (const char *[]){sum, w}, 2);
    stoic_model *model = small_finish(&g);
    for (int m = 0; m < 2; m++) {
        assert_null(golden(
            model, m ? "fp32,scale=pow2,rescale=fold" : "fp32,scale=pow2,rescale=logits", &err));
        assert_non_null(strstr(err.message, "(Add)"));
        assert_non_null(strstr(err.message, "read as something else"));
    }
    stoic_model_free(model);
}

/* ---- where the factors go ---- */

static void a_final_sigmoid_is_divided_in_front_of(void **state) {
    (void)state;
    const stoic_op *const ends[] = {&stoic_op_sigmoid, &stoic_op_softmax, &stoic_op_log_softmax};
    for (size_t i = 0; i < 3; i++) {
        stoic_rng rng;
        graph g = start(44, &rng);
        small_flatten(&g);
        graph_product(&g, 3);
        graph_simple(&g, ends[i]);
        stoic_model *model = small_finish(&g);
        stoic_model *moved = must(model, "fp32,scale=pow2,rescale=logits");
        assert_int_equal(moved->output, model->output);
        assert_int_equal(moved->n_nodes, model->n_nodes + 1);
        const stoic_node *end = producer_of(moved, moved->output);
        assert_ptr_equal(end->op, ends[i]);
        const stoic_node *division = producer_of(moved, end->in[0]);
        assert_int_equal(division->layer, -1);
        assert_true(producer_of(moved, division->in[0])->layer == 1);
        stoic_model_free(moved);
        stoic_model_free(model);
    }
}

static void logits_are_divided_once(void **state) {
    (void)state;
    stoic_rng rng;
    graph g = start(45, &rng);
    graph_simple(&g, &stoic_op_relu);
    stoic_model *model = finish(&g), *moved = must(model, "fp32,scale=const:8,rescale=logits");
    assert_int_equal(moved->n_nodes, model->n_nodes + 1);
    assert_int_equal(moved->n_values, model->n_values + 5); /* its output and four constants */
    const stoic_node *division = producer_of(moved, moved->output);
    assert_int_equal(division->in[0], model->output);
    const float *factor = stoic_tensor_data(moved->values[division->in[1]].constant);
    assert_true(factor[0] == 1.0f / 64 && factor[2] == 1.0f / 64);
    const stoic_layer before = stoic_model_layer(model, 0), after = stoic_model_layer(moved, 0);
    for (int64_t i = 0; i < 3; i++)
        assert_true(((const float *)stoic_tensor_data(after.bias))[i] ==
                    8 * ((const float *)stoic_tensor_data(before.bias))[i]);
    stoic_model_free(moved);
    stoic_model_free(model);
}

static float float_attr(const stoic_node *node, const char *name) {
    for (size_t i = 0; i < node->n_attrs; i++) {
        if (strcmp(node->attrs[i].name, name) == 0)
            return node->attrs[i].f;
    }
    return 1;
}

/* Nodes that folding adds to conv -> [relu] -> [norm] -> flatten -> Gemm. */
static int folded(bool norm, const char *extra, float *alpha) {
    stoic_rng rng;
    char spec[96], in[16], weights[16];
    graph g = start(46, &rng);
    graph_simple(&g, &stoic_op_relu);
    if (norm)
        graph_norm(&g);
    small_flatten(&g);
    memcpy(in, g.value, sizeof in);
    graph_constant(&g, weights, 2, (const int64_t[]){48, 4}, -0.3, 0.3);
    graph_node(&g, &stoic_op_gemm, (const char *[]){in, weights}, 2);
    stoic_model *model = small_finish(&g);
    snprintf(spec, sizeof spec, "fp32,%s,rescale=fold", extra);
    stoic_model *moved = must(model, spec);
    int added = (int)(moved->n_nodes - model->n_nodes);
    *alpha = float_attr(&moved->nodes[moved->layer_nodes[1]], "alpha");
    stoic_model_free(moved);
    stoic_model_free(model);
    return added;
}

static void folding_is_free_where_it_can_be(void **state) {
    (void)state;
    float alpha;
    assert_int_equal(folded(true, "scale=const:8", &alpha), 0);
    assert_true(alpha == 1.0f / 8); /* its own; the convolution's is in the normalisation */
    assert_int_equal(folded(false, "scale=const:8", &alpha), 0);
    assert_true(alpha == 1.0f / 64); /* both */
    assert_int_equal(folded(true, "scale=max:1.9,granularity=channel", &alpha), 1);
    assert_int_equal(folded(false, "scale=max:1.9,granularity=channel", &alpha), 2);
    assert_true(alpha == 1);
}

/* ---- overflow ---- */

/* 24 layers of c = 100 would carry 1e48. */
static void a_deep_network_is_divided_on_the_way(void **state) {
    (void)state;
    stoic_rng rng = kit_rng(47);
    graph g = small_start(&rng, 4, 5, 5);
    for (int i = 0; i < 24; i++) {
        small_conv(&g, 4, 3, 1, 1, true);
        graph_simple(&g, &stoic_op_relu);
    }
    stoic_model *model = finish(&g);
    float *images = kit_images(model, 4, 5);
    stoic_model *weights = must(model, "fp32,scale=const:100");
    stoic_model *moved = must(model, "fp32,scale=const:100,rescale=logits");
    float *x = kit_run(weights, 4, false, images, 4), *y = kit_run(moved, 4, false, images, 4);
    assert_int_equal(moved->n_nodes, model->n_nodes + 5); /* 2^40 holds 6 of them */
    for (int i = 0; i < 12; i++)
        assert_true(isfinite(y[i]) && fabsf(x[i] - y[i]) <= 1e-4f * fabsf(x[i]) + 1e-5f);
    free(x);
    free(y);
    stoic_model_free(weights);
    stoic_model_free(moved);
    weights = must(model, "fp32,scale=const:128");
    moved = must(model, "fp32,scale=const:128,rescale=logits");
    x = kit_run(weights, 4, false, images, 4);
    y = kit_run(moved, 4, false, images, 4);
    assert_int_equal(kit_differences(x, y, 12), 0);
    free(images);
    free(x);
    free(y);
    stoic_model_free(weights);
    stoic_model_free(moved);
    stoic_model_free(model);
}

static void huge(float *data, int64_t count, void *user) {
    for (int64_t i = 0; i < count; i++)
        data[i] = *(const float *)user;
}

static void a_bias_beyond_float_is_refused(void **state) {
    (void)state;
    stoic_rng rng;
    float most = 3e38f;
    stoic_error err = {0};
    graph g = start(48, &rng);
    stoic_model *model = finish(&g);
    model = kit_changed(model, kit_weight(model, 0, 2), huge, &most);
    assert_null(golden(model, "fp32,scale=const:8,rescale=logits", &err));
    assert_non_null(strstr(err.message, "beyond float32"));
    assert_null(golden(model, "fp32,scale=pow2,granularity=channel,rescale=fold", &err));
    assert_non_null(strstr(err.message, "beyond float32"));
    stoic_model_free(model);
}

/* ---- faults ---- */

/* The same stored bits flipped: the same outputs, for the factor is a power of two. */
static void faults_find_their_tensors(void **state) {
    (void)state;
    stoic_model *model = small_resnet();
    float *images = kit_images(model, 4, 6);
    stoic_rng rng = kit_rng(49);
    stoic_store *stores[3] = {
        store_of(model, "fp16,scale=pow2,protect=exponent-msb"),
        store_of(model, "fp16,scale=pow2,protect=exponent-msb,rescale=logits"),
        store_of(model, "fp16,scale=pow2,protect=exponent-msb,rescale=fold")};
    int64_t changed = 0;
    float *clean = NULL;
    for (int trial = 0; trial < kit_effort(40); trial++) {
        int entry = (int)kit_below(&rng, stoic_store_entry_count(stores[0]));
        stoic_hit hit = {.entry = entry, .action = STOIC_FLIP};
        hit.word = kit_below(&rng, stoic_store_entry_at(stores[0], entry)->words);
        hit.bit = 8 + (int)kit_below(&rng, 6);
        float *out[3];
        for (int s = 0; s < 3; s++) {
            stoic_edit edit;
            size_t n = 1;
            stoic_model *run = NULL;
            MUST(stoic_store_apply(stores[s], &hit, 1, &edit, &n, NULL, err));
            assert_int_equal(n, 1);
            MUST(stoic_store_golden(stores[s], &run, err));
            out[s] = kit_run_edited(run, 4, false, images, 4, &edit, 1);
            if (!clean)
                clean = kit_run(run, 4, false, images, 4);
            stoic_model_free(run);
        }
        assert_int_equal(kit_differences(out[0], out[1], 16), 0);
        assert_int_equal(kit_differences(out[0], out[2], 16), 0);
        changed += kit_differences(out[0], clean, 16);
        for (int s = 0; s < 3; s++)
            free(out[s]);
    }
    assert_true(changed > 100);
    for (int s = 0; s < 3; s++)
        stoic_store_free(stores[s]);
    free(clean);
    free(images);
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_homogeneous_is_refused_by_name),
        cmocka_unit_test(weights_read_as_something_else_are_refused),
        cmocka_unit_test(a_final_sigmoid_is_divided_in_front_of),
        cmocka_unit_test(logits_are_divided_once),
        cmocka_unit_test(folding_is_free_where_it_can_be),
        cmocka_unit_test(a_deep_network_is_divided_on_the_way),
        cmocka_unit_test(a_bias_beyond_float_is_refused),
        cmocka_unit_test(faults_find_their_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
