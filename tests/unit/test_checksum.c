/*
 * abft and abed: no alarm on networks as they are, whatever they are; faults are noticed; what is
 * transient is repaired; every way of running a campaign says the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "difference_rig.h"
#include "exec/run.h"
#include "harden_kit.h"
#include "transient_rig.h"

static const char *const passes[] = {"abft", "abed"};

/* How many of the images raise an alarm under the edits; their outputs into `out`. */
static int alarms_of(const stoic_model *model, bool reference, const float *images, int n,
                     const stoic_edit *edits, size_t n_edits, float *out) {
    stoic_program *program = kit_compile(model, 0, reference);
    stoic_session *session = kit_session(program);
    uint8_t alarms[RIG_IMAGES];
    int count = 0;
    assert_true(n <= RIG_IMAGES);
    MUST(stoic_session_edit(session, edits, n_edits, err));
    MUST(stoic_session_run_watched(session, images, n, out, alarms, err));
    for (int i = 0; i < n; i++)
        count += alarms[i];
    stoic_session_free(session);
    stoic_program_free(program);
    return count;
}

/* Grouped, strided and padded convolutions of signed and of rectified inputs, products. */
static void the_same_answers_and_no_alarm(void **state) {
    (void)state;
    enum { COUNT = 24 };
    int networks = 0, moved_by[2] = {0};
    for (uint64_t seed = 0; seed < 60; seed++) {
        stoic_model *plain = seed == 0   ? kit_zoo("lenet5")
                             : seed == 1 ? small_resnet()
                             : seed == 2 ? small_mobile()
                                         : graph_random(seed);
        float *images = kit_images(plain, COUNT, seed),
              *golden = kit_run(plain, 0, false, images, COUNT);
        int64_t classes = stoic_model_classes(plain);
        float *out = kit_floats(COUNT * classes);
        int64_t moved = 0;
        for (int p = 0; p < 2; p++) {
            stoic_model *model = NULL;
            stoic_error err = {0};
            stoic_status status = kit_try(plain, passes[p], NULL, &model, NULL, &err);
            if (status == STOIC_ERR_UNSUPPORTED && strstr(err.message, "needs "))
                continue; /* refused by the node's name */
            assert_int_equal(status, STOIC_OK);
            for (int reference = 0; reference < 2; reference++) {
                int n = reference ? 3 : COUNT;
                int alarms = alarms_of(model, reference, images, n, NULL, 0, out);
                if (alarms)
                    fail_msg("%s, network %d: %d false alarms", passes[p], (int)seed, alarms);
            }
            alarms_of(model, false, images, COUNT, NULL, 0, out);
            for (int64_t i = 0; i < COUNT * classes; i++) {
                double bound = 1e-4 * (1 + fabs((double)golden[i]));
                if (!(fabs((double)out[i] - (double)golden[i]) <= bound))
                    fail_msg("%s, network %d: %g instead of %g", passes[p], (int)seed,
                             (double)out[i], (double)golden[i]);
                moved += kit_bits(out[i]) != kit_bits(golden[i]);
            }
            /* features that may be negative are flattened in another order for |x|, and summed so
             */
            assert_true(moved == 0 || seed > 2);
            moved_by[p] += moved > 0;
            networks += p == 0;
            moved = 0;
            stoic_model_free(model);
        }
        free(images);
        free(golden);
        free(out);
        stoic_model_free(plain);
    }
    print_message("%d networks, summed in another order %d and %d\n", networks, moved_by[0],
                  moved_by[1]);
    assert_true(networks > 30 && moved_by[0] < networks / 2 && moved_by[1] < networks / 2);
}

/* A weight that is moved by more than the tolerance is noticed wherever it is read. */
static void faults_are_noticed(void **state) {
    (void)state;
    enum { COUNT = 8 };
    for (int p = 0; p < 2; p++) {
        stoic_model *model = kit_hardened(small_resnet(), passes[p], NULL, NULL);
        float *images = kit_images(model, COUNT, 2),
              *out = kit_floats(COUNT * stoic_model_classes(model));
        int layers = stoic_model_layer_count(model), noticed = 0, finite = 0;
        for (int layer = 0; layer < layers; layer++) {
            stoic_edit edit = {.tensor = kit_weight(model, layer, 1), .index = 0, .value = NAN};
            assert_int_equal(alarms_of(model, false, images, COUNT, &edit, 1, out), COUNT);
            edit.value = 3;
            noticed += alarms_of(model, false, images, COUNT, &edit, 1, out);
            edit.value = stoic_tensor_get(model->values[edit.tensor].constant, 0) * (1 + 1e-7f);
            finite += alarms_of(model, false, images, COUNT, &edit, 1, out);
        }
        /* a bound that is too large hides nothing that is wrong; those of `magnitudes` are such */
        assert_true(noticed > COUNT * layers / 2);
        assert_int_equal(finite, 0); /* less than rounding */
        free(images);
        free(out);
        stoic_model_free(model);
    }
}

static void the_layers_keep_their_numbers(void **state) {
    (void)state;
    for (int p = 0; p < 2; p++) {
        stoic_model *plain = small_resnet();
        int layers = stoic_model_layer_count(plain);
        stoic_model *model = kit_hardened(stoic_model_retain(plain), passes[p], NULL, NULL);
        assert_true(stoic_model_layer_count(model) > layers);
        for (int i = 0; i < layers; i++)
            assert_string_equal(stoic_model_layer(model, i).name, stoic_model_layer(plain, i).name);
        stoic_model_free(plain);
        stoic_model_free(model);
    }
}

static void once_and_last(void **state) {
    (void)state;
    int changes;
    stoic_model *model = kit_hardened(small_resnet(), "relu6 abft", NULL, &changes), *out;
    stoic_error err = {0};
    stoic_model_free(kit_hardened(stoic_model_retain(model), "abft", NULL, &changes));
    assert_int_equal(changes, 0);
    stoic_model_free(kit_hardened(stoic_model_retain(model), "abed", NULL, &changes));
    assert_int_equal(changes, 0);
    assert_int_equal(kit_try(model, "tmr", NULL, &out, NULL, &err), STOIC_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "goes before abft or abed, not behind"));
    stoic_model_free(model);
}

static void stored_faults_in_campaigns(void **state) {
    (void)state;
    for (int p = 0; p < 2; p++) {
        stoic_model *model = kit_hardened(small_resnet(), passes[p], NULL, NULL);
        rig_open(model);
        rig_all_ways(model, "flips:1,bits=23-30", NULL, 0);
        rig_all_ways(model, "ber:1e-4", NULL, 0);
        rig_all_ways(model, "flips:2,bits=30", NULL, 3);
        stoic_model_free(model);
    }
}

/* A fault that is there once is repaired when it is noticed: never due, and critical only where
 * the checksum does not see it. */
static void transient_faults_are_repaired(void **state) {
    (void)state;
    static const char *const faults[] = {"map:single,value=random", "map:block,value=const:100",
                                         "op:random", "op:warp-random"};
    const char *list[2];
    char text[256];
    for (int p = 0; p < 2; p++) {
        stoic_model *plain = small_resnet();
        stoic_model *model = kit_hardened(stoic_model_retain(plain), passes[p], NULL, NULL);
        int64_t critical[2] = {0};
        rig_open(model);
        for (int f = 0; f < 4; f++) {
            stoic_campaign_options options = rig_options(faults[f], list, text);
            options.trials = 200;
            options.images_per_trial = 1;
            critical[0] += rig_run(plain, &options, in_home("p.db")).totals.critical;
            stoic_summary hard = rig_run(model, &options, in_home("h.db"));
            critical[1] += hard.totals.critical;
            assert_int_equal(hard.totals.due, 0);
            rig_all_ways(model, faults[f], NULL, 1);
        }
        print_message("%s: critical %lld of 800 without, %lld with\n", passes[p],
                      (long long)critical[0], (long long)critical[1]);
        assert_true(critical[0] > 50);
        assert_true(critical[1] * 20 < critical[0]);
        rig_all_ways(model, "map:block,value=const:100 and ber:1e-4", NULL, 0);
        stoic_model_free(plain);
        stoic_model_free(model);
    }
}

/* Every image of this network is alarmed without any fault: due, and nothing else. */
static void false_alarms_are_counted(void **state) {
    (void)state;
    const char *list[2];
    char text[256];
    stoic_model *model = kit_hardened(small_resnet(), "abft", NULL, NULL);
    int last = stoic_model_layer_count(model) - 1;
    model = kit_changed(model, kit_weight(model, last, 1), kit_scale, &(float){1.5f});
    rig_open(model);
    stoic_campaign_options options = rig_options("map:single", list, text);
    options.trials = 3;
    stoic_summary summary = rig_run(model, &options, in_home("f.db"));
    assert_int_equal(summary.totals.due, summary.totals.images);
    assert_int_equal(summary.totals.correct, 0);
    stoic_model_free(model);
}

static int close_data(void **state) {
    stoic_dataset_free(rig_data);
    rig_data = NULL;
    return remove_home(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_answers_and_no_alarm),
        cmocka_unit_test(faults_are_noticed),
        cmocka_unit_test(the_layers_keep_their_numbers),
        cmocka_unit_test(once_and_last),
        cmocka_unit_test(stored_faults_in_campaigns),
        cmocka_unit_test(transient_faults_are_repaired),
        cmocka_unit_test(false_alarms_are_counted),
    };
    return cmocka_run_group_tests(tests, make_home, close_data);
}
