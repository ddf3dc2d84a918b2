/* Selective duplication: nothing changes without a fault, a fault in one of three places is
 * outvoted, channels are taken in the order of the ranking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "harden_kit.h"

enum { SIDE = 8, IMAGES = 6 };

static stoic_model *network(int opset) {
    stoic_rng rng = kit_rng(12);
    graph g = {.rng = &rng, .value = "x", .c = 1, .h = SIDE, .w = SIDE};
    stoic_shape shape = {4, {1, 1, SIDE, SIDE}};
    MUST(stoic_builder_create("net", opset, &g.b, err));
    MUST(stoic_builder_input(g.b, "x", &shape, err));
    small_conv(&g, 8, 3, 1, 1, true);
    graph_simple(&g, &stoic_op_relu);
    small_conv(&g, 12, 3, 1, 1, true);
    graph_simple(&g, &stoic_op_relu);
    small_flatten(&g);
    graph_product(&g, 20);
    graph_product(&g, 5);
    return small_finish(&g);
}

static stoic_status duplicate(const stoic_model *model, const char *pass,
                              const stoic_channel *channels, size_t n, stoic_model **out,
                              stoic_error *err) {
    stoic_harden_options options = stoic_harden_options_default();
    options.channels = channels;
    options.n_channels = n;
    return stoic_harden(model, &pass, 1, &options, out, NULL, err);
}

/* Some of every layer, not in order. */
static const stoic_channel some[] = {{1, 11}, {0, 0}, {2, 3}, {3, 4},
                                     {0, 7},  {1, 5}, {2, 3}, {2, 0}};
enum { SOME = sizeof some / sizeof *some };

static int layer_named(const stoic_model *model, const char *part) {
    for (int i = 0; i < stoic_model_layer_count(model); i++) {
        if (strstr(stoic_model_layer(model, i).name, part))
            return i;
    }
    fail_msg("no layer %s", part);
    return -1;
}

static void nothing_changes_without_a_fault(void **state) {
    (void)state;
    stoic_model *model = network(17), *hard = NULL;
    MUST(duplicate(model, "duplicate:1", some, SOME, &hard, err));
    float *images = kit_images(model, IMAGES, 2);
    float *was = kit_run(model, 0, false, images, IMAGES);
    float *now = kit_run(hard, 0, false, images, IMAGES);
    float *plain = kit_run(hard, 0, true, images, IMAGES);
    for (int i = 0; i < IMAGES * 5; i++) {
        assert_true(fabsf(was[i] - now[i]) < 1e-4f * (1 + fabsf(was[i])));
        assert_true(fabsf(was[i] - plain[i]) < 1e-4f * (1 + fabsf(was[i])));
    }
    assert_int_equal(stoic_model_layer_count(hard), 4 + 2 * 4);
    assert_int_equal(
        stoic_tensor_shape(stoic_model_layer(hard, layer_named(hard, "copy1")).weights)->dim[0], 2);
    free(images);
    free(was);
    free(now);
    free(plain);
    stoic_model_free(hard);
    stoic_model_free(model);
}

/* The hardened model with one weight of layer `layer` made huge. */
static stoic_model *struck(const stoic_model *model, int layer, int64_t index) {
    stoic_layer at = stoic_model_layer(model, layer);
    stoic_tensor *tensor = NULL;
    stoic_model *out = NULL;
    int value = model->nodes[model->layer_nodes[layer]].in[1];
    MUST(stoic_tensor_create(STOIC_F32, stoic_tensor_shape(at.weights), &tensor, err));
    float *data = stoic_tensor_mutable_data(tensor);
    memcpy(data, stoic_tensor_data(at.weights), (size_t)stoic_tensor_count(tensor) * sizeof *data);
    data[index] = 1e30f;
    MUST(stoic_model_with_constants(model, &value, &tensor, 1, &out, err));
    stoic_tensor_free(tensor);
    return out;
}

static bool agrees(const stoic_model *a, const stoic_model *b) {
    float *images = kit_images(a, IMAGES, 2);
    float *x = kit_run(a, 0, false, images, IMAGES), *y = kit_run(b, 0, false, images, IMAGES);
    bool same = true;
    for (int i = 0; i < IMAGES * 5; i++)
        same = same && fabsf(x[i] - y[i]) <= 1e-3f * (1 + fabsf(x[i]));
    free(images);
    free(x);
    free(y);
    return same;
}

static void a_fault_in_one_of_three_places_is_outvoted(void **state) {
    (void)state;
    stoic_model *model = network(17), *hard = NULL;
    static const stoic_channel one[] = {{1, 11}};
    MUST(duplicate(model, "duplicate:0.01", one, 1, &hard, err));
    assert_int_equal(stoic_model_layer_count(hard), 6);
    int copies[2] = {layer_named(hard, "copy1"), layer_named(hard, "copy2")}, own = -1;
    for (int i = 0; i < 6; i++) {
        if (stoic_tensor_shape(stoic_model_layer(hard, i).weights)->dim[0] == 12)
            own = i;
    }
    for (int place = 0; place < 3; place++) {
        int layer = place < 2 ? copies[place] : own;
        stoic_model *faulty = struck(hard, layer, place < 2 ? 5 : 11 * 72 + 5);
        assert_true(agrees(hard, faulty));
        stoic_model_free(faulty);
    }
    stoic_model *faulty = struck(hard, own, 10 * 72 + 5); /* a channel without copies */
    assert_false(agrees(hard, faulty));
    stoic_model_free(faulty);
    stoic_model *first = struck(hard, copies[0], 5), *both = struck(first, copies[1], 5);
    assert_false(agrees(hard, both)); /* two that are wrong alike win */
    stoic_model_free(first);
    stoic_model_free(both);
    stoic_model_free(hard);
    stoic_model_free(model);
}

/* 45 channels: a share of 0.1 is the first five of the ranking, each once. */
static void the_most_critical_first(void **state) {
    (void)state;
    stoic_model *model = network(17), *hard = NULL;
    MUST(duplicate(model, "duplicate:0.1", some, SOME, &hard, err));
    assert_int_equal(stoic_model_layer_count(hard), 4 + 2 * 4);
    int64_t channels = 0;
    for (int i = 0; i < stoic_model_layer_count(hard); i++) {
        stoic_layer layer = stoic_model_layer(hard, i);
        if (strstr(layer.name, "copy1"))
            channels += stoic_tensor_shape(layer.weights)->dim[stoic_model_channel_axis(hard, i)];
    }
    assert_int_equal(channels, 5);
    stoic_model_free(hard);
    stoic_model_free(model);
}

static void refusals(void **state) {
    (void)state;
    static const stoic_channel none[] = {{1, 12}}, layer[] = {{4, 0}};
    stoic_model *model = network(17), *old = network(9), *hard = NULL;
    stoic_error err = {0};
    assert_int_equal(duplicate(model, "duplicate:0.1", NULL, 0, &hard, &err), STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "--sensitivity"));
    assert_int_equal(duplicate(model, "duplicate:0.1", none, 1, &hard, &err), STOIC_ERR_MISMATCH);
    assert_int_equal(duplicate(model, "duplicate:0.1", layer, 1, &hard, &err), STOIC_ERR_MISMATCH);
    assert_int_equal(duplicate(model, "duplicate:1.5", some, 1, &hard, &err), STOIC_ERR_ARGUMENT);
    assert_int_equal(duplicate(model, "duplicate", some, 1, &hard, &err), STOIC_ERR_ARGUMENT);
    assert_int_equal(duplicate(old, "duplicate:0.1", some, 1, &hard, &err), STOIC_ERR_UNSUPPORTED);
    assert_null(hard);
    stoic_model_free(model);
    stoic_model_free(old);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changes_without_a_fault),
        cmocka_unit_test(a_fault_in_one_of_three_places_is_outvoted),
        cmocka_unit_test(the_most_critical_first),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
