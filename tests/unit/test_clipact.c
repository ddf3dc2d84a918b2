/* FT-ClipAct: the area under the curve it is tuned by, what it gives, and what it leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "harden/endurance.h"
#include "harden_kit.h"
#include "labelled_kit.h"

enum { SIDE = 8, COUNT = 60 };

/* Wide enough that a rate of 1e-5 hits it now and then. */
static stoic_model *network(int opset) {
    stoic_rng rng = kit_rng(12);
    graph g = {.rng = &rng, .value = "x", .c = 1, .h = SIDE, .w = SIDE};
    stoic_shape shape = {4, {1, 1, SIDE, SIDE}};
    MUST(stoic_builder_create("net", opset, &g.b, err));
    MUST(stoic_builder_input(g.b, "x", &shape, err));
    small_conv(&g, 16, 3, 1, 1, true);
    graph_simple(&g, &stoic_op_relu);
    small_halve(&g, &stoic_op_max_pool);
    small_conv(&g, 96, 3, 1, 1, true);
    graph_simple(&g, &stoic_op_relu);
    small_flatten(&g);
    graph_product(&g, 40);
    graph_product(&g, 5);
    return small_finish(&g);
}

static double area_of(const stoic_model *model, const stoic_dataset *data, int threads) {
    stoic_harden_options options = {.data = data, .every = 1, .threads = threads};
    stoic_pass_run run = {.model = model, .text = "test", .options = &options};
    stoic_endurance *endurance = NULL;
    double area[2] = {-1, -2};
    MUST(stoic_endurance_create(&run, model, &endurance, err));
    for (int i = 0; i < 2; i++)
        MUST(stoic_endurance_area(endurance, model, &area[i], err));
    stoic_endurance_free(endurance);
    assert_true(area[0] == area[1]);
    return area[0];
}

static void an_area_is_a_mean_accuracy(void **state) {
    (void)state;
    stoic_model *model = network(17);
    stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 1);
    double area = area_of(model, data, 1);
    assert_true(area > 0.5 && area < 1); /* right without faults, and some faults are felt */
    assert_true(area == area_of(model, data, 3));
    stoic_dataset_free(data);
    stoic_model_free(model);
}

static void tuning_does_not_lose(void **state) {
    (void)state;
    int changes;
    stoic_model *model = network(17);
    stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 1);
    double before = area_of(model, data, 2);
    stoic_model *hard = kit_hardened(stoic_model_retain(model), "clipact", data, &changes);
    assert_int_equal(changes, 2);
    double after = area_of(hard, data, 2);
    print_message("area %.4f, clipped %.4f\n", before, after);
    assert_true(after > before);
    /* nothing of the profile is taken away by thresholds at its top, so at worst these stay */
    stoic_model *again = kit_hardened(stoic_model_retain(hard), "clipact", data, &changes);
    assert_int_equal(changes, 0);
    assert_true(kit_same_model(hard, again));
    assert_string_equal(stoic_model_meta_get(again, "stoic.hardening"), "clipact");
    stoic_model_free(again);
    stoic_model_free(hard);
    stoic_dataset_free(data);
    stoic_model_free(model);
}

/* Every activation y is read through Where(y > T, 0, y) alone. */
static void what_is_above_becomes_zero(void **state) {
    (void)state;
    stoic_model *model = network(9);
    stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 1);
    stoic_model *hard = kit_hardened(stoic_model_retain(model), "clipact", data, NULL);
    stoic_anatomy a;
    int found = 0;
    MUST(stoic_anatomy_init(&a, hard, err));
    for (size_t i = 0; i < hard->n_nodes; i++) {
        stoic_choice choice;
        if (hard->nodes[i].op != &stoic_op_relu)
            continue;
        assert_int_equal(a.readers[hard->nodes[i].out[0]], 2);
        assert_true(stoic_anatomy_choice(&a, hard->nodes[i].out[0], &choice) >= 0);
        assert_int_equal(choice.kind, STOIC_CHOICE_ABOVE);
        assert_true(choice.with == 0 && choice.limit > 0);
        found++;
    }
    assert_int_equal(found, 2);
    stoic_anatomy_deinit(&a);
    stoic_model_free(hard);
    stoic_dataset_free(data);
    stoic_model_free(model);
}

static void composes(void **state) {
    (void)state;
    static const char *const passes[] = {"nan-filter clipact", "clipact nan-filter",
                                         "relu6 clipact ranger smartpool nan-filter"};
    stoic_model *model = network(17), *read = NULL;
    stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 1);
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        stoic_model *hard = kit_hardened(stoic_model_retain(model), passes[i], data, NULL);
        float *images = kit_images(hard, 3, 2);
        images[0] = NAN;
        images[70] = INFINITY;
        float *y = kit_run(hard, 0, false, images, 3);
        for (int64_t k = 0; k < 3 * stoic_model_classes(hard); k++)
            assert_true(isfinite(y[k]));
        MUST(stoic_model_write(hard, in_home("hard.onnx"), err));
        MUST(stoic_model_read(in_home("hard.onnx"), &read, err));
        assert_true(kit_same_model(hard, read));
        int changes;
        hard = kit_hardened(hard, "nan-filter clipact", data, &changes);
        assert_int_equal(changes, i < 2 ? 0 : 2); /* the clamps that ranger has put in since */
        free(images);
        free(y);
        stoic_model_free(read);
        stoic_model_free(hard);
    }
    stoic_dataset_free(data);
    stoic_model_free(model);
}

/* Between passes, in a profile, while thresholds are tuned. */
static void stops_when_asked(void **state) {
    (void)state;
    volatile int stop = 0;
    stoic_model *model = network(17), *out = NULL;
    stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 1);
    stoic_harden_options options = {.data = data, .every = 1, .threads = 2, .cancel = &stop};
    stoic_pass_run run = {.model = model, .text = "test", .options = &options};
    stoic_endurance *endurance = NULL;
    const char *const passes[] = {"relu6", "fitact"};
    const int value = model->nodes[0].out[0];
    float *most = NULL;
    int64_t images;
    double area;
    stoic_error why = {0};
    MUST(stoic_endurance_create(&run, model, &endurance, err));
    MUST(stoic_endurance_area(endurance, model, &area, err));
    stop = 1;
    assert_int_equal(stoic_endurance_area(endurance, model, &area, &why), STOIC_ERR_INTERRUPTED);
    assert_int_equal(stoic_profile_maxima(&run, &value, 1, &most, &images, &why),
                     STOIC_ERR_INTERRUPTED);
    for (int i = 0; i < 2; i++)
        assert_int_equal(stoic_harden(model, &passes[i], 1, &options, &out, NULL, &why),
                         STOIC_ERR_INTERRUPTED);
    assert_null(out);
    stoic_endurance_free(endurance);
    stoic_dataset_free(data);
    stoic_model_free(model);
}

static void is_refused(void **state) {
    (void)state;
    static const struct {
        int opset;
        bool data;
        stoic_status status;
        const char *says;
    } cases[] = {{8, true, STOIC_ERR_UNSUPPORTED, "needs opset 9"},
                 {17, false, STOIC_ERR_ARGUMENT, "needs training images"}};
    for (int i = 0; i < 2; i++) {
        stoic_model *model = network(cases[i].opset), *out = NULL;
        stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 1);
        stoic_error err = {0};
        assert_int_equal(kit_try(model, "clipact", cases[i].data ? data : NULL, &out, NULL, &err),
                         cases[i].status);
        assert_non_null(strstr(err.message, cases[i].says));
        stoic_dataset_free(data);
        stoic_model_free(model);
    }
    stoic_model *bare = kit_one_op(&stoic_op_relu, 17, 0, 0), *model = network(17), *out = NULL;
    stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 1);
    stoic_error err = {0};
    assert_int_equal(kit_try(bare, "clipact", data, &out, NULL, &err), STOIC_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "no layer whose weights could be hit"));
    stoic_dataset_free(data);
    stoic_model_free(model);
    stoic_model_free(bare);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_area_is_a_mean_accuracy), cmocka_unit_test(tuning_does_not_lose),
        cmocka_unit_test(what_is_above_becomes_zero), cmocka_unit_test(composes),
        cmocka_unit_test(stops_when_asked),           cmocka_unit_test(is_refused),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
