/*
 * The executor: against the plain one, within a bound that is computed and not chosen; NaN and
 * infinities; the same bytes at every batch size, position and thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/pool.h"
#include "exec/run.h"
#include "random_graph.h"
#include "rounding_bound.h"

/* ---- against the plain executor ---- */

/* Largest |fast - plain| in units of what rounding allows the two, over `n` images; *loosest: the
 * bound in units of the largest output. Deep networks have bounds that say little. */
static double largest_excess(const stoic_model *m, const float *images, const float *fast,
                             const float *plain, int n, double *loosest) {
    int64_t classes = stoic_model_classes(m);
    double *x = bound_room(classes), *e = bound_room(classes), excess = 0;
    for (int i = 0; i < n; i++) {
        double size = 0;
        bound_image(m, images + i * kit_input_size(m), x, e);
        for (int64_t c = 0; c < classes; c++)
            size = fmax(size, fabs(x[c]));
        for (int64_t c = 0; c < classes; c++) {
            double d = fabs((double)fast[i * classes + c] - (double)plain[i * classes + c]);
            excess = !(d <= 2 * e[c] * excess) ? d / (2 * e[c]) : excess;
            *loosest = fmax(*loosest, e[c] / size);
        }
    }
    free(x);
    free(e);
    return excess;
}

/* The names of all computed values that may be looked at without changing the order of a sum: a
 * flattened image that only matrix products read is never brought into ONNX's order. */
static size_t observables(const stoic_model *m, const char **names) {
    stoic_program *usual = kit_compile(m, 0, false);
    size_t n = 0;
    for (size_t v = 0; v < m->n_values; v++) {
        if (!m->values[v].constant && usual->values[v].layout != STOIC_LAYOUT_FLAT_HWC)
            names[n++] = m->values[v].name;
    }
    stoic_program_free(usual);
    return n;
}

/* Value `v` of image `i` as the session has it, in ONNX's order. */
static void read_value(const stoic_session *s, int v, int i, bounded *out) {
    const stoic_exec_value *value = &s->program->values[v];
    float *rows = kit_floats(out->n);
    stoic_session_unpack(s->program, v, s->frame[value->root] + i * value->size, 1, rows);
    for (int64_t k = 0; k < out->n; k++)
        out->x[k] = (double)rows[k];
    free(rows);
}

typedef struct local {
    double excess;  /* largest error of any value of any node in units of its bound */
    double loosest; /* largest bound against the largest value of its node */
} local;

/* Each node alone: what the executor computed from its own inputs, against exact arithmetic on the
 * same inputs. Nothing adds up, so the bound is close. `edits` go to the executor only. */
static local check_nodes(const stoic_model *m, const float *images, int n, const stoic_edit *edits,
                         size_t n_edits) {
    const char **names = calloc(m->n_values, sizeof *names);
    assert_non_null(names);
    stoic_program_options options = stoic_program_options_default();
    options.observable = names;
    options.n_observable = observables(m, names);
    options.batch = n;
    stoic_program *program = NULL;
    MUST(stoic_program_compile(m, &options, &program, err));
    stoic_session *session = kit_session(program);
    float *out = kit_floats(n * stoic_model_classes(m)), *usual;
    MUST(stoic_session_edit(session, edits, n_edits, err));
    MUST(stoic_session_run(session, images, n, out, err));
    /* fusing changes no bit */
    usual = kit_run_edited(m, 0, false, images, n, edits, n_edits);
    assert_int_equal(kit_differences(out, usual, n * stoic_model_classes(m)), 0);
    bounded *values = bound_values(m);
    local found = {0, 0};
    for (int i = 0; i < n; i++) {
        for (size_t v = 0; v < m->n_values; v++) {
            if (!m->values[v].constant)
                read_value(session, (int)v, i, &values[v]);
        }
        for (size_t k = 0; k < m->n_nodes; k++) {
            int v = m->nodes[k].out[0];
            bounded exact = {bound_room(values[v].n), bound_room(values[v].n), values[v].n};
            double size = 0;
            bound_node(m, k, values, &exact);
            for (int64_t j = 0; j < exact.n; j++)
                size = fmax(size, fabs(exact.x[j]));
            for (int64_t j = 0; j < exact.n; j++) {
                double d = fabs(exact.x[j] - values[v].x[j]) / exact.e[j];
                found.excess = d <= found.excess ? found.excess : d;
                found.loosest = fmax(found.loosest, size > 0 ? exact.e[j] / size : 0);
            }
            free(exact.x);
            free(exact.e);
        }
    }
    bound_values_free(m, values);
    free(out);
    free(usual);
    free(names);
    stoic_session_free(session);
    stoic_program_free(program);
    return found;
}

static void compare(const stoic_model *m, const char *what, int n, uint64_t seed) {
    float *images = kit_images(m, n, seed);
    float *fast = kit_run(m, 0, false, images, n), *plain = kit_run(m, 0, true, images, n);
    double loosest = 0, excess = largest_excess(m, images, fast, plain, n, &loosest);
    local nodes = check_nodes(m, images, n, NULL, 0);
    print_message("%s: node by node %.3f of what rounding allows (%.2g of the largest value); as a "
                  "whole %.3g (%.2g)\n",
                  what, nodes.excess, nodes.loosest, excess, loosest);
    assert_true(excess <= 1);
    assert_true(nodes.excess <= 1);
    assert_true(nodes.loosest < 1e-3);
    /* the judge can say no: the largest weight of the last layer off by a ten-thousandth */
    int tensor = kit_weight(m, (int)m->n_layers - 1, 1);
    const stoic_tensor *t = m->values[tensor].constant;
    stoic_edit edit = {tensor, 0, 0};
    for (int64_t i = 0; i < stoic_tensor_count(t); i++) {
        if (fabs(stoic_tensor_get(t, i)) > fabs((double)edit.value))
            edit = (stoic_edit){tensor, (float)stoic_tensor_get(t, i), i};
    }
    edit.value *= 1.001f;
    assert_true(check_nodes(m, images, n, &edit, 1).excess > 1);
    free(images);
    free(fast);
    free(plain);
}

static void the_zoo_agrees_with_the_plain_executor(void **state) {
    (void)state;
    static const char *const names[] = {"lenet5", "lenet5-avgpool", "lenet5-sigmoid", "resnet20",
                                        "resnet44"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        stoic_model *m = kit_random_norms(kit_zoo(names[i]), i);
        bool deep = strstr(names[i], "resnet") != NULL;
        compare(m, names[i], deep ? 1 : 9, 2);
        stoic_model_free(m);
    }
}

static void shipped_models_agree_with_the_plain_executor(void **state) {
    (void)state;
    static const char *const files[] = {"lenet5-fashion-mnist.onnx", "lenet5-avgpool.onnx",
                                        "lenet5-sigmoid.onnx"};
    for (int i = 0; i < 3; i++) {
        stoic_model *m = kit_shipped(files[i]);
        if (m)
            compare(m, files[i], 20, 3);
        stoic_model_free(m);
    }
}

static void random_networks_agree_with_the_plain_executor(void **state) {
    (void)state;
    enum { N = 11 };
    local worst = {0, 0};
    int made = 0, noticed = 0, wanted = kit_effort(300);
    for (int seed = 0; seed < wanted; seed++) {
        stoic_model *m = graph_random((uint64_t)seed);
        if (!m)
            continue;
        made++;
        float *images = kit_images(m, N, (uint64_t)seed);
        float *fast = kit_run(m, 0, false, images, N), *plain = kit_run(m, 0, true, images, N);
        double loose = 0, excess = largest_excess(m, images, fast, plain, 2, &loose);
        local nodes = check_nodes(m, images, N, NULL, 0);
        if (excess > 1 || nodes.excess > 1)
            print_message("network %d: %.3g and %.3g of what rounding allows\n", seed, excess,
                          nodes.excess);
        assert_true(excess <= 1 && nodes.excess <= 1);
        worst.excess = fmax(worst.excess, nodes.excess);
        worst.loosest = fmax(worst.loosest, nodes.loosest);
        /* any weight off by a thousandth of its size */
        stoic_rng rng = kit_rng((uint64_t)seed);
        int tensor = kit_weight(m, (int)kit_below(&rng, (int64_t)m->n_layers), 1);
        const float *w = stoic_tensor_data(m->values[tensor].constant);
        int64_t count = stoic_tensor_count(m->values[tensor].constant);
        stoic_edit edit = {tensor, 0, kit_below(&rng, count)};
        edit.value = w[edit.index] * 1.001f;
        noticed += check_nodes(m, images, N, &edit, 1).excess > 1;
        free(images);
        free(fast);
        free(plain);
        stoic_model_free(m);
    }
    print_message(
        "%d networks: at most %.3f of what rounding allows (at most %.2g of a node's largest "
        "value); a weight off by 0.001 is noticed in %d\n",
        made, worst.excess, worst.loosest, noticed);
    assert_true(made > wanted * 9 / 10);
    assert_true(noticed > made / 2);
}

/* ---- NaN and infinities ---- */

static int kind_of(float x) {
    return isnan(x) ? 2 : isinf(x) ? (x > 0 ? 1 : -1) : 0;
}

static int64_t kinds_differ(const float *a, const float *b, int64_t n) {
    int64_t differ = 0;
    for (int64_t i = 0; i < n; i++)
        differ += kind_of(a[i]) != kind_of(b[i]);
    return differ;
}

static void nan_and_infinity_go_the_same_ways(void **state) {
    (void)state;
    static const float special[] = {NAN, INFINITY, -INFINITY};
    int64_t broken = 0, values = 0;
    for (int seed = 0; seed < kit_effort(240); seed++) {
        enum { N = 9 };
        stoic_model *m = graph_random((uint64_t)seed);
        if (!m)
            continue;
        stoic_rng rng = kit_rng((uint64_t)seed + 99);
        float *images = kit_images(m, N, (uint64_t)seed);
        for (int i = 0; i < N; i += 2)
            images[i * kit_input_size(m) + kit_below(&rng, kit_input_size(m))] = special[i / 2 % 3];
        int tensor = kit_weight(m, (int)kit_below(&rng, (int64_t)m->n_layers), 1);
        stoic_edit edit = {tensor, special[seed % 3],
                           kit_below(&rng, stoic_tensor_count(m->values[tensor].constant))};
        for (size_t n_edits = 0; n_edits < 2; n_edits++) {
            float *fast = kit_run_edited(m, 0, false, images, N, &edit, n_edits);
            float *plain = kit_run_edited(m, 0, true, images, N, &edit, n_edits);
            int64_t count = N * stoic_model_classes(m), differ = kinds_differ(fast, plain, count);
            if (differ)
                print_message("network %d, %d edits: %lld values\n", seed, (int)n_edits,
                              (long long)differ);
            assert_int_equal(differ, 0);
            for (int64_t i = 0; i < count; i++)
                broken += kind_of(plain[i]) != 0;
            values += count;
            fast[0] = kind_of(fast[0]) ? 0 : NAN;
            assert_int_equal(kinds_differ(fast, plain, count), 1);
            free(fast);
            free(plain);
        }
        free(images);
        stoic_model_free(m);
    }
    print_message("%lld of %lld outputs are not finite\n", (long long)broken, (long long)values);
    assert_true(broken > values / 20 && broken < values);
}

/* An image of one pixel under a 3x3 kernel: eight of nine taps only ever meet padding. */
static void padding_is_never_multiplied(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{1, 1, 1},    {1, 20, 1},  {3, 16, 1},  {8, 8, 1},
                                       {16, 16, 1},  {20, 50, 1}, {32, 64, 1}, {64, 64, 1},
                                       {16, 16, 16}, {7, 7, 7},   {12, 24, 4}, {65, 33, 1}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        stoic_rng rng = kit_rng(s);
        graph g = {.rng = &rng, .value = "x"};
        int64_t ic = sizes[s][0], oc = sizes[s][1], groups = sizes[s][2], three[] = {3, 3};
        stoic_shape shape = {4, {1, ic, 1, 1}};
        char weights[16];
        MUST(stoic_builder_create("padding", 15, &g.b, err));
        MUST(stoic_builder_input(g.b, "x", &shape, err));
        graph_constant(&g, weights, 4, (const int64_t[]){oc, ic / groups, 3, 3}, -1, 1);
        graph_list(&g, "kernel_shape", three, 2);
        graph_list(&g, "pads", (const int64_t[]){1, 1, 1, 1}, 4);
        graph_int(&g, "group", groups);
        graph_node(&g, &stoic_op_conv, (const char *[]){"x", weights}, 2);
        graph_simple(&g, &stoic_op_flatten);
        stoic_model *m = NULL;
        MUST(stoic_builder_output(g.b, g.value, err));
        MUST(stoic_builder_finish(g.b, &m, err));
        int64_t count = oc * (ic / groups) * 9, n = 0;
        stoic_edit *edits = calloc((size_t)count, sizeof *edits);
        for (int64_t i = 0; i < count; i++) {
            if (i % 9 != 4)
                edits[n++] = (stoic_edit){kit_weight(m, 0, 1), INFINITY, i};
        }
        float *images = kit_images(m, 17, s);
        for (int64_t i = 0; i < 17 * ic; i += 3)
            images[i] = 0; /* 0 * Inf would be NaN */
        float *plain = kit_run(m, 0, false, images, 17);
        float *out = kit_run_edited(m, 0, false, images, 17, edits, (size_t)n);
        assert_int_equal(kit_differences(out, plain, 17 * oc), 0);
        edits[0].index = 4; /* the tap that counts */
        float *broken = kit_run_edited(m, 0, false, images, 17, edits, 1);
        assert_true(kind_of(broken[oc]) != 0 || images[ic] == 0);
        free(edits);
        free(images);
        free(plain);
        free(out);
        free(broken);
        stoic_model_free(m);
    }
}

/* ---- the same bytes ---- */

enum { CROWD = 67 };

typedef struct bytes_job {
    const stoic_program *program;
    const float *images;
    float *out[2];
    stoic_status status[2];
} bytes_job;

static void bytes_worker(int worker, void *user) {
    bytes_job *job = user;
    stoic_session *session = NULL;
    job->status[worker] = stoic_session_create(job->program, &session, NULL);
    for (int round = 0; round < 3 && job->status[worker] == STOIC_OK; round++)
        job->status[worker] =
            stoic_session_run(session, job->images, CROWD, job->out[worker], NULL);
    stoic_session_free(session);
}

static void expect_same_bytes(const stoic_model *m, uint64_t seed) {
    static const int batches[] = {1, 7, 8, 16, 64, 0};
    int64_t classes = stoic_model_classes(m), size = kit_input_size(m);
    float *images = kit_images(m, CROWD, seed), *alone = kit_floats(CROWD * classes);
    float *shuffled = kit_floats(CROWD * size);
    images[3 * size] = INFINITY;
    images[20 * size + size / 2] = NAN;
    stoic_program *program = kit_compile(m, 1, false);
    stoic_session *session = kit_session(program);
    for (int i = 0; i < CROWD; i++)
        MUST(stoic_session_run(session, images + i * size, 1, alone + i * classes, err));
    stoic_session_free(session);
    stoic_program_free(program);
    for (int i = 0; i < CROWD; i++)
        memcpy(shuffled + i * 29 % CROWD * size, images + i * size, (size_t)size * sizeof(float));
    for (int b = 0; b < 6; b++) {
        float *straight = kit_run(m, batches[b], false, images, CROWD);
        float *mixed = kit_run(m, batches[b], false, shuffled, CROWD);
        assert_int_equal(kit_differences(straight, alone, CROWD * classes), 0);
        for (int i = 0; i < CROWD; i++)
            assert_int_equal(
                kit_differences(mixed + i * 29 % CROWD * classes, alone + i * classes, classes), 0);
        free(straight);
        free(mixed);
    }
    program = kit_compile(m, 0, false);
    bytes_job job = {
        program, images, {kit_floats(CROWD * classes), kit_floats(CROWD * classes)}, {0}};
    MUST(stoic_pool_run(2, bytes_worker, &job, err));
    for (int k = 0; k < 2; k++) {
        assert_int_equal(job.status[k], STOIC_OK);
        assert_int_equal(kit_differences(job.out[k], alone, CROWD * classes), 0);
        free(job.out[k]);
    }
    alone[0] = nextafterf(alone[0], 9);
    stoic_program_free(program);
    float *again = kit_run(m, 0, false, images, 1);
    assert_int_equal(kit_differences(again, alone, classes), 1); /* one bit is seen */
    free(again);
    free(images);
    free(shuffled);
    free(alone);
}

static void batch_position_and_thread_do_not_matter(void **state) {
    (void)state;
    static const char *const names[] = {"lenet5", "lenet5-sigmoid", "resnet20"};
    for (int i = 0; i < 3; i++) {
        if (i == 2 && kit_effort(4) == 1)
            continue;
        stoic_model *m = kit_random_norms(kit_zoo(names[i]), 1);
        expect_same_bytes(m, 4);
        stoic_model_free(m);
    }
    for (int seed = 0; seed < kit_effort(60); seed++) {
        stoic_model *m = graph_random((uint64_t)seed + 400);
        if (m)
            expect_same_bytes(m, (uint64_t)seed);
        stoic_model_free(m);
    }
}

/* Copies and choices are exact, NaN or not: channels picked, put side by side and voted on, of maps
 * and of rows. */
static void channels_are_moved_as_defined(void **state) {
    (void)state;
    enum { IMAGES = 11, C = 6 };
    static const int64_t order[] = {5, -1, 0, 2, 2, -6}, other[] = {5, 1, 0, 2, 3, 4};
    for (int rows = 0; rows < 2; rows++) {
        stoic_rng rng = kit_rng(3);
        graph g = {.rng = &rng, .value = "x", .c = C, .h = 3, .w = 2};
        stoic_shape shape = {rows ? 2 : 4, {1, C, 3, 2}};
        char list[2][16], picked[2][16];
        stoic_model *model = NULL;
        MUST(stoic_builder_create("net", 15, &g.b, err));
        MUST(stoic_builder_input(g.b, "x", &shape, err));
        for (int i = 0; i < 2; i++) {
            graph_integers(&g, list[i], i ? other : order, C);
            graph_int(&g, "axis", 1);
            graph_node(&g, &stoic_op_gather, (const char *[]){"x", list[i]}, 2);
            memcpy(picked[i], g.value, sizeof picked[i]);
        }
        graph_node(&g, &stoic_op_equal, (const char *[]){picked[0], picked[1]}, 2);
        char test[16];
        memcpy(test, g.value, sizeof test);
        graph_node(&g, &stoic_op_where, (const char *[]){test, picked[0], "x"}, 3);
        char voted[16];
        memcpy(voted, g.value, sizeof voted);
        graph_int(&g, "axis", rows ? -1 : 1);
        graph_node(&g, &stoic_op_concat, (const char *[]){picked[1], voted, "x"}, 3);
        if (!rows)
            graph_simple(&g, &stoic_op_flatten);
        MUST(stoic_builder_output(g.b, g.value, err));
        MUST(stoic_builder_finish(g.b, &model, err));
        stoic_program *program = kit_compile(model, 0, false);
        for (int k = 0; k < program->n_steps; k++) /* none by its plain definition */
            assert_ptr_not_equal(program->steps[k].run, stoic_run_plain);
        assert_int_equal(program->n_steps, rows ? 4 : 5);
        stoic_program_free(program);
        int64_t size = kit_input_size(model), classes = stoic_model_classes(model);
        float *images = kit_floats(IMAGES * size);
        for (int64_t i = 0; i < IMAGES * size; i++) /* many ties, and NaN */
            images[i] = kit_below(&rng, 9) ? (float)kit_below(&rng, 3) - 1 : NAN;
        float *fast = kit_run(model, 0, false, images, IMAGES);
        float *plain = kit_run(model, 0, true, images, IMAGES);
        assert_int_equal(kit_differences(fast, plain, IMAGES * classes), 0);
        fast[5] = 17; /* the partner */
        assert_int_equal(kit_differences(fast, plain, IMAGES * classes), 1);
        free(images);
        free(fast);
        free(plain);
        stoic_model_free(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_zoo_agrees_with_the_plain_executor),
        cmocka_unit_test(shipped_models_agree_with_the_plain_executor),
        cmocka_unit_test(random_networks_agree_with_the_plain_executor),
        cmocka_unit_test(nan_and_infinity_go_the_same_ways),
        cmocka_unit_test(padding_is_never_multiplied),
        cmocka_unit_test(batch_position_and_thread_do_not_matter),
        cmocka_unit_test(channels_are_moved_as_defined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
