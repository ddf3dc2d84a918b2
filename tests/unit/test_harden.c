/* What each pass makes of small networks: values, refusals, order, what is written and read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "data_kit.h"
#include "harden_kit.h"
#include "model/rewrite.h"

/* `x` of four elements as images of an npy data set. */
static stoic_dataset *images_of(const float (*x)[4], int n) {
    char header[160];
    int64_t labels[16] = {0};
    stoic_dataset_options options = stoic_dataset_options_default();
    snprintf(header, sizeof header,
             "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 1, 2, 2), }\n", n);
    save_npy("x.npy", header, x, (size_t)n * sizeof *x);
    snprintf(header, sizeof header, "{'descr': '<i8', 'fortran_order': False, 'shape': (%d,), }\n",
             n);
    save_npy("y.npy", header, labels, (size_t)n * sizeof *labels);
    return open_ok(spec_of("npy:%s/x.npy,%s/y.npy"), &options);
}

static void refused(const stoic_model *model, const char *passes, const stoic_dataset *data,
                    stoic_status status, const char *says) {
    stoic_model *out = NULL;
    stoic_hardening *report = NULL;
    stoic_error err = {0};
    stoic_status is = kit_try(model, passes, data, &out, &report, &err);
    if (is != status || (!strstr(err.message, says) && !strstr(err.place, says)))
        fail_msg("%s gave %s, '%s: %s'; expected '%s'", passes, stoic_status_name(is), err.place,
                 err.message, says);
    assert_null(out);
    assert_null(report);
}

static void specs(void **state) {
    (void)state;
    static const struct {
        const char *pass, *says;
    } wrong[] = {
        {"relu7", "unknown pass 'relu7'; did you mean 'relu6'?"},
        {"nonsense", "unknown pass 'nonsense'"},
        {"", "unknown pass ''"},
        {"clipact:3", "clipact takes no argument"},
        {"fitact:3", "fitact takes no argument"},
        {"abft:2", "abft takes no argument"},
        {"duplicate", "duplicate needs a share of the channels"},
        {"duplicate:1.1", "up to 1"},
        {"relu6:3", "relu6 takes no argument"},
        {"nan-filter:1", "nan-filter takes no argument"},
        {"bound", "bound needs a bound: bound:N"},
        {"bound:", "bound"},
        {"bound:0", "bound takes a bound above 0"},
        {"bound:-1", "above 0"},
        {"bound:nan", "bound"},
        {"bound:inf", "bound"},
        {"bound:1e-60", "above 0"},
        {"ranger:0", "a percentile above 0 and up to 100, not 0"},
        {"ranger:100.5", "up to 100"},
        {"smartpool:-2", "a factor above 0"},
    };
    stoic_model *model = kit_one_op(&stoic_op_relu, 17, 0, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        stoic_error err = {0};
        assert_int_equal(stoic_harden_check(&wrong[i].pass, 1, NULL, &err), STOIC_ERR_ARGUMENT);
        if (!strstr(err.message, wrong[i].says))
            fail_msg("'%s': %s", wrong[i].pass, err.message);
    }
    assert_int_equal(stoic_harden_check(NULL, 0, NULL, NULL), STOIC_ERR_ARGUMENT);
    refused(model, "ranger", NULL, STOIC_ERR_ARGUMENT, "needs training images");
    refused(model, "relu6 smartpool:2", NULL, STOIC_ERR_ARGUMENT, "needs training images");
    for (size_t i = 0; i < stoic_pass_count(); i++)
        assert_true(*stoic_pass_usage(i) && *stoic_pass_summary(i));
    bool needs;
    assert_int_equal(stoic_harden_check((const char *[]){"relu6", "ranger"}, 2, &needs, NULL),
                     STOIC_OK);
    assert_true(needs);
    stoic_model_free(model);
}

/* ---- bounds and filters by value ---- */

static const float odd[4] = {NAN, INFINITY, -INFINITY, 7}, even[4] = {-2, 3, 5.5f, -0.0f};

static void relu_is_bounded(void **state) {
    (void)state;
    static const int opsets[] = {7, 10, 11, 17};
    for (int i = 0; i < 4; i++) {
        stoic_model *m = kit_one_op(&stoic_op_relu, opsets[i], 0, 0);
        assert_true(kit_gives(m, odd, (const float[]){NAN, INFINITY, 0, 7}));
        int changes;
        m = kit_hardened(m, "relu6", NULL, &changes);
        assert_int_equal(changes, 1);
        assert_true(kit_gives(m, odd, (const float[]){NAN, 6, 0, 6}));
        assert_true(kit_gives(m, even, (const float[]){0, 3, 5.5f, 0}));
        m = kit_hardened(m, "bound:4", NULL, &changes);
        assert_int_equal(changes, 1);
        assert_true(kit_gives(m, odd, (const float[]){NAN, 4, 0, 4}));
        m = kit_hardened(m, "bound:4 relu6", NULL, &changes);
        assert_int_equal(changes, 0);
        stoic_model_free(m);
    }
}

static void clip_is_tightened(void **state) {
    (void)state;
    int changes;
    static const int opsets[] = {7, 17};
    for (int i = 0; i < 2; i++) {
        stoic_model *m = kit_one_op(&stoic_op_clip, opsets[i], -1, 8);
        stoic_price before = stoic_model_price(m);
        m = kit_hardened(m, "relu6", NULL, &changes);
        assert_int_equal(changes, 1);
        assert_true(kit_gives(m, odd, (const float[]){NAN, 6, -1, 6}));
        stoic_price after = stoic_model_price(m);
        assert_int_equal(after.parameters, before.parameters); /* the old bounds are gone */
        assert_int_equal(after.operations, before.operations);
        stoic_model_free(m);
        m = kit_one_op(&stoic_op_clip, opsets[i], 7, 8);
        refused(m, "relu6", NULL, STOIC_ERR_UNSUPPORTED, "its lower bound is not below");
        refused(m, "relu6", NULL, STOIC_ERR_UNSUPPORTED, m->nodes[0].name);
        stoic_model_free(m);
    }
    stoic_model *m = kit_one_op(&stoic_op_tanh, 17, 0, 0);
    refused(m, "relu6", NULL, STOIC_ERR_UNSUPPORTED, "no Relu and no Clip");
    stoic_model_free(m);
}

static void nan_becomes_zero(void **state) {
    (void)state;
    int changes;
    stoic_model *m =
        kit_hardened(kit_one_op(&stoic_op_relu, 9, 0, 0), "nan-filter", NULL, &changes);
    assert_int_equal(changes, 1);
    assert_true(kit_gives(m, odd, (const float[]){0, INFINITY, 0, 7}));
    stoic_model *again = kit_hardened(stoic_model_retain(m), "nan-filter", NULL, &changes);
    assert_int_equal(changes, 0);
    assert_true(kit_same_model(m, again));
    assert_string_equal(stoic_model_meta_get(again, "stoic.hardening"), "nan-filter");
    stoic_model_free(again);
    stoic_model_free(m);
    /* what the activation makes itself */
    m = kit_one_op(&stoic_op_hard_swish, 17, 0, 0);
    assert_true(kit_gives(m, odd, (const float[]){NAN, INFINITY, NAN, 7}));
    m = kit_hardened(m, "nan-filter", NULL, NULL);
    assert_true(kit_gives(m, odd, (const float[]){0, INFINITY, 0, 7}));
    stoic_model_free(m);
    /* a bound above 0 below: NaN is 0 all the same */
    m = kit_hardened(kit_one_op(&stoic_op_clip, 17, 1, 2), "nan-filter", NULL, NULL);
    assert_true(kit_gives(m, odd, (const float[]){0, 2, 1, 2}));
    stoic_model_free(m);
}

static void nan_filter_is_refused(void **state) {
    (void)state;
    stoic_model *m = kit_one_op(&stoic_op_relu, 8, 0, 0);
    refused(m, "nan-filter", NULL, STOIC_ERR_UNSUPPORTED, m->nodes[0].name);
    refused(m, "nan-filter", NULL, STOIC_ERR_UNSUPPORTED, "needs opset 9");
    stoic_model_free(m);
    m = kit_one_op(&stoic_op_flatten, 17, 0, 0);
    refused(m, "nan-filter", NULL, STOIC_ERR_UNSUPPORTED, "no activation");
    stoic_model_free(m);
    /* an output keeps its NaN */
    m = small_lenet();
    int changes;
    stoic_model *hard = kit_hardened(m, "nan-filter", NULL, &changes);
    assert_int_equal(changes, 3);
    assert_ptr_equal(hard->nodes[hard->values[hard->output].producer].op, &stoic_op_sigmoid);
    stoic_model_free(hard);
}

static void both_orders_are_one(void **state) {
    (void)state;
    stoic_model *a = kit_hardened(small_resnet(), "relu6 nan-filter", NULL, NULL);
    stoic_model *b = kit_hardened(small_resnet(), "nan-filter relu6", NULL, NULL);
    float *images = kit_images(a, 5, 3);
    images[0] = NAN;
    images[200] = INFINITY;
    float *x = kit_run(a, 0, false, images, 5), *y = kit_run(b, 0, false, images, 5);
    int64_t n = 5 * stoic_model_classes(a);
    assert_int_equal(kit_differences(x, y, n), 0);
    for (int64_t i = 0; i < n; i++)
        assert_true(isfinite(x[i]));
    assert_string_equal(stoic_model_meta_get(a, "stoic.hardening"), "relu6 nan-filter");
    assert_string_equal(stoic_model_meta_get(b, "stoic.hardening"), "nan-filter relu6");
    free(images);
    free(x);
    free(y);
    stoic_model_free(a);
    stoic_model_free(b);
}

/* ---- inversion ---- */

/* conv, then `first` and `second`, of which one is a normalisation and one a ReLU. */
static stoic_model *conv_and(bool norm_first) {
    stoic_rng rng = kit_rng(9);
    graph g = small_start(&rng, 2, 4, 4);
    small_conv(&g, 3, 3, 1, 1, true);
    if (!norm_first)
        graph_simple(&g, &stoic_op_relu);
    graph_norm(&g);
    if (norm_first)
        graph_simple(&g, &stoic_op_relu);
    small_flatten(&g);
    return small_finish(&g);
}

static void inverted_is_built_so(void **state) {
    (void)state;
    int changes;
    stoic_model *built = conv_and(false),
                *m = kit_hardened(conv_and(true), "invert", NULL, &changes);
    assert_int_equal(changes, 1);
    float *images = kit_images(m, 3, 3);
    float *x = kit_run(m, 0, false, images, 3), *y = kit_run(built, 0, false, images, 3);
    assert_int_equal(kit_differences(x, y, 3 * stoic_model_classes(m)), 0);
    assert_ptr_equal(m->nodes[1].op, &stoic_op_relu);
    assert_ptr_equal(m->nodes[2].op, &stoic_op_batch_normalization);
    stoic_model *again = kit_hardened(stoic_model_retain(m), "invert", NULL, &changes);
    assert_int_equal(changes, 0);
    assert_true(kit_same_model(m, again));
    free(images);
    free(x);
    free(y);
    stoic_model_free(built);
    stoic_model_free(again);
    stoic_model_free(m);
}

static void residual_blocks_are_found(void **state) {
    (void)state;
    static const char *const both[] = {"nan-filter invert", "invert nan-filter"};
    stoic_model *m[2];
    for (int i = 0; i < 2; i++)
        m[i] = kit_hardened(small_resnet(), both[i], NULL, NULL);
    assert_true(m[0]->n_nodes == m[1]->n_nodes);
    float *images = kit_images(m[0], 4, 3);
    float *x = kit_run(m[0], 0, false, images, 4), *y = kit_run(m[1], 0, false, images, 4);
    assert_int_equal(kit_differences(x, y, 4 * stoic_model_classes(m[0])), 0);
    int changes;
    stoic_model *plain = kit_hardened(small_resnet(), "invert", NULL, &changes);
    assert_int_equal(changes, 3);                 /* the stem and two blocks */
    for (size_t i = 0; i < plain->n_nodes; i++) { /* the second of each block stays */
        if (plain->nodes[i].op == &stoic_op_add)
            assert_ptr_equal(plain->nodes[plain->values[plain->nodes[i].in[1]].producer].op,
                             &stoic_op_batch_normalization);
    }
    free(images);
    free(x);
    free(y);
    stoic_model_free(plain);
    stoic_model_free(m[0]);
    stoic_model_free(m[1]);
}

static void inversion_is_refused(void **state) {
    (void)state;
    stoic_model *m = small_lenet();
    refused(m, "invert", NULL, STOIC_ERR_UNSUPPORTED, m->nodes[m->layer_nodes[0]].name);
    refused(m, "invert", NULL, STOIC_ERR_UNSUPPORTED, "needs a BatchNormalization");
    stoic_model_free(m);
    m = kit_one_op(&stoic_op_relu, 17, 0, 0);
    refused(m, "invert", NULL, STOIC_ERR_UNSUPPORTED, "no layer");
    stoic_model_free(m);
}

/* ---- ranger and smartpool ---- */

static stoic_model *relu_and_pool(const stoic_op *pool) {
    stoic_rng rng = kit_rng(1);
    graph g = small_start(&rng, 1, 2, 2);
    graph_simple(&g, &stoic_op_relu);
    small_halve(&g, pool);
    small_flatten(&g);
    return small_finish(&g);
}

static const float seen[4][4] = {{1, -3, 0, 0}, {0, 2, -9, 1}, {3, 3, 3, 3}, {-1, 0, 8, 0}};

static void ranger_restricts(void **state) {
    (void)state;
    static const struct {
        const char *pass;
        float bound;
    } cases[] = {{"ranger", 8},    {"ranger:100", 8}, {"ranger:75", 3},
                 {"ranger:76", 8}, {"ranger:50", 2},  {"ranger:1", 1}};
    stoic_dataset *data = images_of(seen, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float b = cases[i].bound;
        int changes;
        stoic_model *m =
            kit_hardened(kit_one_op(&stoic_op_relu, 17, 0, 0), cases[i].pass, data, &changes);
        assert_int_equal(changes, 2); /* the Relu and the Flatten behind it */
        assert_true(kit_gives(m, odd, (const float[]){NAN, b, 0, b < 7 ? b : 7}));
        m = kit_hardened(m, cases[i].pass, data, &changes);
        assert_int_equal(changes, 0);
        stoic_model_free(m);
    }
    int of_old;
    stoic_model *old =
        kit_hardened(kit_one_op(&stoic_op_relu, 7, 0, 0), "ranger:50", data, &of_old);
    assert_int_equal(of_old, 2); /* bounds as attributes */
    assert_true(kit_gives(old, odd, (const float[]){NAN, 2, 0, 2}));
    stoic_model_free(old);
    /* an average of a bounded map is bounded, and a Clip ends where the profile does */
    int changes;
    stoic_model *m = kit_hardened(relu_and_pool(&stoic_op_average_pool), "ranger", data, &changes);
    assert_int_equal(changes, 3);
    assert_true(kit_gives(m, (const float[]){100, 8, 8, 8}, (const float[]){8}));
    stoic_model_free(m);
    m = kit_hardened(kit_one_op(&stoic_op_clip, 17, -2, 9), "ranger", data, &changes);
    assert_true(kit_gives(m, odd, (const float[]){NAN, 8, -2, 7}));
    stoic_model_free(m);
    m = kit_hardened(kit_one_op(&stoic_op_relu, 17, 0, 0), "nan-filter ranger", data, &changes);
    assert_int_equal(changes, 3);
    assert_true(kit_gives(m, odd, (const float[]){0, 8, 0, 7}));
    stoic_model_free(m);
    stoic_dataset_free(data);
}

static void joined_maps_take_the_wider_range(void **state) {
    (void)state;
    stoic_rng rng = kit_rng(4);
    graph g = small_start(&rng, 1, 2, 2);
    char before[16];
    int changes;
    graph_simple(&g, &stoic_op_relu);
    memcpy(before, g.value, sizeof before);
    memcpy(g.value, "x", 2);
    graph_clip(&g, -4, 2);
    graph_int(&g, "axis", 1);
    small_join(&g, &stoic_op_concat, before);
    g.c = 2;
    small_flatten(&g);
    stoic_dataset *data = images_of(seen, 4);
    stoic_model *m = kit_hardened(small_finish(&g), "ranger", data, &changes);
    assert_int_equal(changes, 3); /* Relu, Concat, Flatten: the Clip is within what was seen */
    assert_true(
        kit_gives(m, (const float[]){-9, 9, NAN, 1}, (const float[]){0, 8, NAN, 1, -4, 2, NAN, 1}));
    stoic_model_free(m);
    stoic_dataset_free(data);
}

static void smartpool_ignores(void **state) {
    (void)state;
    stoic_dataset *data = images_of(seen, 4);
    int changes;
    stoic_model *m = kit_hardened(relu_and_pool(&stoic_op_max_pool), "smartpool", data, &changes);
    assert_int_equal(changes, 1);
    static const struct {
        float x[4], y;
    } cases[] = {
        {{41, 1, 3, 2}, 3},    {{40, 1, 3, 2}, 40},    {{41, INFINITY, 1e30f, 99}, 0},
        {{-1, -1, -1, -1}, 0}, {{NAN, 1, 99, 2}, NAN}, {{INFINITY, 5, -INFINITY, 0}, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(kit_gives(m, cases[i].x, &cases[i].y));
    m = kit_hardened(m, "smartpool", data, &changes);
    assert_int_equal(changes, 0);
    m = kit_hardened(m, "smartpool:2", data, &changes);
    assert_int_equal(changes, 1);
    assert_true(kit_gives(m, (const float[]){17, 16, 3, 2}, (const float[]){16}));
    stoic_model_free(m);

    stoic_model *none = kit_one_op(&stoic_op_relu, 17, 0, 0);
    stoic_hardening *report = NULL;
    stoic_error err = {0};
    assert_int_equal(kit_try(none, "smartpool", data, &m, &report, &err), STOIC_OK);
    assert_int_equal(stoic_hardening_changes(report), 0);
    assert_string_equal(stoic_hardening_pass(report, 0).note,
                        "skipped: the network has no MaxPool");
    assert_null(stoic_model_meta_get(m, "stoic.hardening"));
    stoic_hardening_free(report);
    stoic_model_free(m);
    stoic_model_free(none);
    stoic_dataset_free(data);
}

static void profiles_are_refused(void **state) {
    (void)state;
    static const float dead[1][4] = {{-1, 0, -2, -3}}, broken[2][4] = {{1}, {1, NAN, 2, 3}};
    stoic_model *m = relu_and_pool(&stoic_op_max_pool);
    stoic_dataset *data = images_of(dead, 1);
    refused(m, "ranger", data, STOIC_ERR_UNSUPPORTED, "found no value above 0");
    refused(m, "ranger", data, STOIC_ERR_UNSUPPORTED, m->nodes[0].name);
    refused(m, "smartpool", data, STOIC_ERR_UNSUPPORTED, m->nodes[1].name);
    stoic_dataset_free(data);
    data = images_of(broken, 2);
    refused(m, "ranger", data, STOIC_ERR_NUMERIC, m->nodes[0].name);
    stoic_dataset_free(data);
    stoic_model_free(m);
    data = images_of(seen, 4);
    m = small_lenet();
    refused(m, "ranger", data, STOIC_ERR_SHAPE, "are 1x1x2x2, expected 1x1x8x8");
    stoic_dataset_free(data);
    stoic_model_free(m);
    m = kit_one_op(&stoic_op_tanh, 17, 0, 0);
    data = images_of(seen, 4);
    refused(m, "ranger", data, STOIC_ERR_UNSUPPORTED, "no Relu and no Clip");
    stoic_dataset_free(data);
    stoic_model_free(m);
}

/* ---- three runs ---- */

static void replaced(float *data, int64_t count, void *user) {
    for (int64_t i = 0; i < count; i++)
        data[i] = *(const float *)user;
}

static stoic_model *with_one_run_wrong(const stoic_model *m, int run, float with) {
    stoic_rewrite *rewrite = NULL;
    stoic_model *out = NULL;
    int node = m->layer_nodes[m->n_layers / 3 * (size_t)run], wrong;
    const stoic_tensor *weights = m->values[m->nodes[node].in[1]].constant;
    stoic_tensor *other = NULL;
    MUST(stoic_tensor_create(STOIC_F32, stoic_tensor_shape(weights), &other, err));
    replaced(stoic_tensor_mutable_data(other), stoic_tensor_count(other), &with);
    MUST(stoic_rewrite_create(m, &rewrite, err));
    MUST(stoic_rewrite_constant(rewrite, "wrong", other, &wrong, err));
    stoic_rewrite_input(rewrite, node, 1, wrong);
    MUST(stoic_rewrite_finish(rewrite, &out, err));
    stoic_tensor_free(other);
    return out;
}

static void a_vote_outvotes_one(void **state) {
    (void)state;
    static const float wrongs[] = {NAN, INFINITY, 1e30f, 0.5f};
    stoic_model *one = small_resnet(), *three = kit_hardened(small_resnet(), "tmr", NULL, NULL);
    int64_t n = 3 * stoic_model_classes(one);
    float *images = kit_images(one, 3, 3), *y = kit_run(one, 0, false, images, 3);
    assert_int_equal(three->n_layers, 3 * one->n_layers);
    assert_int_equal(stoic_model_macs(three), 3 * stoic_model_macs(one));
    assert_int_equal(stoic_model_parameters(three), stoic_model_parameters(one));
    assert_string_equal(three->values[three->output].name, one->values[one->output].name);
    float *voted = kit_run(three, 0, false, images, 3);
    assert_int_equal(kit_differences(y, voted, n), 0);
    free(voted);
    for (int i = 0; i < 12; i++) {
        stoic_model *m = with_one_run_wrong(three, i % 3, wrongs[i / 3]);
        voted = kit_run(m, 0, false, images, 3);
        assert_int_equal(kit_differences(y, voted, n), 0);
        free(voted);
        /* the judge can say no: two wrong runs win, unless they are NaN, which agrees with nobody
         */
        stoic_model *two = with_one_run_wrong(m, (i + 1) % 3, wrongs[i / 3]);
        voted = kit_run(two, 0, false, images, 3);
        assert_true(kit_differences(y, voted, n) > 0 || wrongs[i / 3] != 0.5f);
        free(voted);
        stoic_model_free(two);
        stoic_model_free(m);
    }
    free(images);
    free(y);
    stoic_model_free(one);
    stoic_model_free(three);
}

static void triple_needs_equal(void **state) {
    (void)state;
    stoic_model *m = kit_one_op(&stoic_op_relu, 10, 0, 0);
    refused(m, "tmr", NULL, STOIC_ERR_UNSUPPORTED, "needs opset 11");
    stoic_model_free(m);
}

/* ---- files ---- */

static void what_is_written_is_read(void **state) {
    (void)state;
    static const char *const passes[] = {
        "relu6",     "bound:2.5",      "nan-filter", "invert", "tmr", "nan-filter invert relu6 tmr",
        "tmr relu6", "tmr nan-filter", "tmr tmr"};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        stoic_model *m = kit_hardened(small_resnet(), passes[i], NULL, NULL), *read = NULL;
        MUST(stoic_model_write(m, in_home("hard.onnx"), err));
        MUST(stoic_model_read(in_home("hard.onnx"), &read, err));
        assert_true(kit_same_model(m, read));
        assert_int_equal(read->n_layers, m->n_layers);
        assert_string_equal(stoic_model_meta_get(read, "stoic.hardening"), passes[i]);
        stoic_model_free(m);
        stoic_model_free(read);
    }
}

/* On finite values a filter and a bound that nothing reaches are not there, and three agree. */
static void random_networks_stay_what_they_are(void **state) {
    (void)state;
    static const char *const passes[] = {"bound:1e30",     "nan-filter", "tmr",
                                         "nan-filter tmr", "invert",     "relu6"};
    int done = 0;
    for (uint64_t seed = 0; seed < (uint64_t)kit_effort(40); seed++) {
        stoic_model *m = graph_random(seed);
        int64_t n = 3 * stoic_model_classes(m);
        float *x = kit_images(m, 3, seed), *y = kit_run(m, 0, false, x, 3);
        for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
            stoic_model *hard = NULL, *read = NULL;
            stoic_status status = kit_try(m, passes[i], NULL, &hard, NULL, NULL);
            if (status != STOIC_OK) {
                assert_int_equal(status, STOIC_ERR_UNSUPPORTED);
                continue;
            }
            float *z = kit_run(hard, 0, false, x, 3);
            if (i < 4 && kit_differences(y, z, n))
                fail_msg("seed %d: %s changes the network", (int)seed, passes[i]);
            MUST(stoic_model_write(hard, in_home("random.onnx"), err));
            MUST(stoic_model_read(in_home("random.onnx"), &read, err));
            assert_true(kit_same_model(hard, read));
            free(z);
            stoic_model_free(hard);
            stoic_model_free(read);
            done++;
        }
        free(x);
        free(y);
        stoic_model_free(m);
    }
    assert_true(done > 2 * kit_effort(40));
}

static void a_price_is_stated(void **state) {
    (void)state;
    stoic_model *m = kit_one_op(&stoic_op_relu, 17, 0, 0);
    stoic_price before = stoic_model_price(m);
    assert_int_equal(before.parameters, 0);
    assert_int_equal(before.macs, 0);
    assert_int_equal(before.operations, 4);
    stoic_model *hard = kit_hardened(stoic_model_retain(m), "relu6 nan-filter", NULL, NULL);
    stoic_price after = stoic_model_price(hard);
    assert_int_equal(after.parameters, 3); /* two bounds and the zero */
    assert_int_equal(after.operations, 12);
    double ratio = 0;
    MUST(stoic_model_time_ratio(m, hard, NULL, &ratio, err));
    assert_true(ratio > 0.01 && ratio < 100);
    stoic_model *other = small_lenet();
    assert_int_equal(stoic_model_time_ratio(m, other, NULL, &ratio, NULL), STOIC_ERR_SHAPE);
    stoic_model_free(other);
    stoic_model_free(hard);
    stoic_model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs),
        cmocka_unit_test(relu_is_bounded),
        cmocka_unit_test(clip_is_tightened),
        cmocka_unit_test(nan_becomes_zero),
        cmocka_unit_test(nan_filter_is_refused),
        cmocka_unit_test(both_orders_are_one),
        cmocka_unit_test(inverted_is_built_so),
        cmocka_unit_test(residual_blocks_are_found),
        cmocka_unit_test(inversion_is_refused),
        cmocka_unit_test(ranger_restricts),
        cmocka_unit_test(joined_maps_take_the_wider_range),
        cmocka_unit_test(smartpool_ignores),
        cmocka_unit_test(profiles_are_refused),
        cmocka_unit_test(a_vote_outvotes_one),
        cmocka_unit_test(triple_needs_equal),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(random_networks_stay_what_they_are),
        cmocka_unit_test(a_price_is_stated),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
