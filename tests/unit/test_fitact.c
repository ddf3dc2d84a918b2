/* FitAct: the function, its trained bounds, what it refuses; constants by channel in exec. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "exec/run.h"
#include "harden/anatomy.h"
#include "harden_kit.h"
#include "labelled_kit.h"

enum { SIDE = 6, COUNT = 48 };

static stoic_model *network(int opset) {
    stoic_rng rng = kit_rng(12);
    graph g = {.rng = &rng, .value = "x", .c = 1, .h = SIDE, .w = SIDE};
    stoic_shape shape = {4, {1, 1, SIDE, SIDE}};
    MUST(stoic_builder_create("net", opset, &g.b, err));
    MUST(stoic_builder_input(g.b, "x", &shape, err));
    small_conv(&g, 5, 3, 1, 1, true);
    graph_norm(&g);
    graph_simple(&g, &stoic_op_relu);
    small_halve(&g, &stoic_op_max_pool);
    small_flatten(&g);
    graph_product(&g, 7);
    if (opset < 11)
        graph_simple(&g, &stoic_op_relu);
    else
        graph_clip(&g, 0, 6);
    graph_product(&g, 4);
    return small_finish(&g);
}

static const float *lambda_of(const stoic_model *m, const char *part) {
    for (size_t v = 0; v < m->n_values; v++) {
        if (m->values[v].constant && strstr(m->values[v].name, part))
            return stoic_tensor_data(m->values[v].constant);
    }
    fail_msg("no %s", part);
    return NULL;
}

static double fitted(double x, double lambda) {
    double r = x > 0 || isnan(x) ? x : 0;
    r = r > 3.5e38 ? 0 : r;
    return r - r / (1 + exp(-20 * (r - lambda)));
}

static void the_function(void **state) {
    (void)state;
    stoic_model *m = kit_one_op(&stoic_op_relu, 17, 0, 0);
    stoic_dataset *data = kit_labelled(m, COUNT, 2, 3);
    int changes;
    m = kit_hardened(m, "fitact", data, &changes);
    assert_int_equal(changes, 1);
    double lambda = (double)lambda_of(m, "lambda")[0];
    assert_true(lambda > 2.5 && lambda < 3.2);
    const float l = (float)lambda;
    const float x[16] = {NAN,      INFINITY, -INFINITY, 7,        l, 0.5f, -3,   3.3e38f,
                         l - 0.1f, l + 0.1f, 1e30f,     -3.3e38f, 1, 2,    2.9f, 3.1f};
    for (int reference = 0; reference < 2; reference++) {
        float *y = kit_run(m, 0, reference, x, 4);
        for (int i = 0; i < 16; i++) {
            double expected = fitted((double)x[i], lambda);
            if (!(isnan(expected) ? isnan(y[i]) : fabs((double)y[i] - expected) <= 2e-5))
                fail_msg("f(%g) = %g, expected %g", (double)x[i], (double)y[i], expected);
        }
        free(y);
    }
    stoic_dataset_free(data);
    stoic_model_free(m);
}

static void bounds_are_trained(void **state) {
    (void)state;
    int changes;
    stoic_model *model = network(17);
    stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 3);
    stoic_harden_options options = {.data = data, .every = 1, .threads = 1};
    stoic_model *hard[2];
    for (int i = 0; i < 2; i++) {
        options.threads = 1 + 2 * i;
        MUST(stoic_harden(model, (const char *[]){"fitact"}, 1, &options, &hard[i], NULL, err));
    }
    assert_true(kit_same_model(hard[0], hard[1])); /* whatever the threads */
    /* by channel: from the largest of the profile, and no further than Adam goes */
    stoic_anatomy a;
    MUST(stoic_anatomy_init(&a, model, err));
    float *y = NULL;
    const char *relu = model->values[model->nodes[2].out[0]].name;
    stoic_program_options compile = {.observable = &relu, .n_observable = 1};
    stoic_program *program = NULL;
    MUST(stoic_program_compile(model, &compile, &program, err));
    stoic_session *session = kit_session(program);
    float top[5] = {0}, *x = kit_floats(SIDE * SIDE), out[4];
    for (int i = 0; i < COUNT; i++) {
        MUST(stoic_dataset_read(data, i, 1, x, NULL, err));
        MUST(stoic_session_run(session, x, 1, out, err));
        y = stoic_session_work(session, model->nodes[2].out[0]);
        for (int k = 0; k < 5 * SIDE * SIDE; k++) /* channels last */
            top[k % 5] = fmaxf(top[k % 5], y[k]);
    }
    const float *lambda = lambda_of(hard[0], "lambda");
    int moved = 0;
    for (int c = 0; c < 5; c++) {
        assert_true(fabsf(lambda[c] - top[c]) < 0.1f);
        moved += lambda[c] != top[c];
    }
    assert_true(moved > 0);
    stoic_model *again = kit_hardened(stoic_model_retain(hard[0]), "fitact", data, &changes);
    assert_int_equal(changes, 0);
    assert_true(kit_same_model(hard[0], again));
    free(x);
    stoic_session_free(session);
    stoic_program_free(program);
    stoic_anatomy_deinit(&a);
    stoic_model_free(again);
    stoic_model_free(hard[0]);
    stoic_model_free(hard[1]);
    stoic_dataset_free(data);
    stoic_model_free(model);
}

static void weights_stay(void **state) {
    (void)state;
    stoic_model *model = network(17);
    stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 3);
    stoic_model *hard = kit_hardened(stoic_model_retain(model), "fitact", data, NULL);
    for (size_t v = 0; v < model->n_values; v++) {
        const stoic_tensor *before = model->values[v].constant;
        for (size_t k = 0; before && k < hard->n_values; k++) {
            if (strcmp(hard->values[k].name, model->values[v].name) == 0)
                assert_memory_equal(stoic_tensor_data(hard->values[k].constant),
                                    stoic_tensor_data(before),
                                    (size_t)stoic_tensor_count(before) * sizeof(float));
        }
    }
    stoic_model_free(hard);
    stoic_dataset_free(data);
    stoic_model_free(model);
}

static void composes(void **state) {
    (void)state;
    static const char *const passes[] = {"nan-filter fitact", "fitact nan-filter",
                                         "invert fitact nan-filter", "relu6 fitact smartpool",
                                         "fitact clipact tmr"};
    stoic_model *model = network(17), *read = NULL;
    stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 3);
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        stoic_model *hard = kit_hardened(stoic_model_retain(model), passes[i], data, NULL);
        MUST(stoic_model_write(hard, in_home("hard.onnx"), err));
        MUST(stoic_model_read(in_home("hard.onnx"), &read, err));
        assert_true(kit_same_model(hard, read));
        stoic_model_free(read);
        stoic_model_free(hard);
    }
    stoic_dataset_free(data);
    stoic_model_free(model);
}

static void refused(stoic_model *model, const char *passes, const stoic_dataset *data,
                    stoic_status status, const char *says) {
    stoic_model *out = NULL;
    stoic_error err = {0};
    stoic_status is = kit_try(model, passes, data, &out, NULL, &err);
    if (is != status || !strstr(err.message, says))
        fail_msg("%s gave %s, '%s'; expected '%s'", passes, stoic_status_name(is), err.message,
                 says);
    stoic_model_free(model);
}

static void refusals(void **state) {
    (void)state;
    stoic_model *model = network(17);
    stoic_dataset *data = kit_labelled(model, COUNT, SIDE, 3), *four = NULL;
    refused(model, "fitact", NULL, STOIC_ERR_ARGUMENT, "needs training images");
    refused(network(8), "fitact", data, STOIC_ERR_UNSUPPORTED, "needs opset 9");
    refused(network(17), "fitact invert", data, STOIC_ERR_UNSUPPORTED,
            "invert needs a BatchNormalization");
    stoic_model *clip = kit_one_op(&stoic_op_clip, 17, -1, 3);
    four = kit_labelled(clip, COUNT, 2, 3);
    refused(clip, "fitact", four, STOIC_ERR_UNSUPPORTED, "needs an activation that begins at 0");
    refused(kit_one_op(&stoic_op_tanh, 17, 0, 0), "fitact", four, STOIC_ERR_UNSUPPORTED,
            "no Relu and no Clip");
    stoic_dataset_free(four);
    stoic_dataset_free(data);
}

/* A constant with one value a channel: the fast way gives the bits of the definition. */
static void constants_by_channel(void **state) {
    (void)state;
    static const stoic_op *const ops[] = {&stoic_op_add, &stoic_op_sub, &stoic_op_mul,
                                          &stoic_op_div};
    static const int64_t maps[][4] = {{5, 1, 1}, {1, 5, 1, 1}}, rows[][2] = {{5}, {1, 5}};
    stoic_rng rng = kit_rng(3);
    for (int i = 0; i < 16; i++) {
        bool map = i & 4, wide = i & 8;
        graph g = small_start(&rng, map ? 5 : 1, map ? 3 : 5, map ? 3 : 1);
        char in[16], c[16];
        if (!map)
            small_flatten(&g);
        graph_constant(&g, c, map ? 3 + wide : 1 + wide, map ? maps[wide] : rows[wide], -2, 2);
        memcpy(in, g.value, sizeof in);
        graph_node(&g, ops[i % 4], (const char *[]){in, c}, 2);
        if (map)
            small_flatten(&g);
        stoic_model *m = small_finish(&g);
        int64_t n = 7 * stoic_model_classes(m);
        float *x = kit_images(m, 7, 4);
        x[0] = NAN;
        x[3] = INFINITY;
        float *fast = kit_run(m, 3, false, x, 7), *plain = kit_run(m, 0, true, x, 7);
        assert_int_equal(kit_differences(fast, plain, n), 0);
        stoic_program *program = kit_compile(m, 0, false);
        assert_int_equal(program->plain_doubles, 0); /* no step runs its plain definition */
        stoic_program_free(program);
        plain[n - 1] += 1; /* the judge can say no */
        assert_int_equal(kit_differences(fast, plain, n), 1);
        free(x);
        free(fast);
        free(plain);
        stoic_model_free(m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_function), cmocka_unit_test(bounds_are_trained),
        cmocka_unit_test(weights_stay), cmocka_unit_test(composes),
        cmocka_unit_test(refusals),     cmocka_unit_test(constants_by_channel),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
