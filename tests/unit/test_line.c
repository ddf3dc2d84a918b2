/* Intervals and limits of single-weight faults against the canonical execution. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "line_edges.h"
#include "random_graph.h"

enum { IMAGES = 496 };

static bool fused(void) {
    return strcmp(stoic_dnn_isa(), "avx512") == 0 || strcmp(stoic_dnn_isa(), "avx2") == 0;
}

/* All 32 bits of some weights of every layer, and faults at the ends of intervals. Returns how many
 * images went side by side. */
static int64_t try_model(stoic_model *model, float *images, const char *what, bool edges) {
    rig r = rig_create(model, images, IMAGES);
    stoic_rng rng = kit_rng(71);
    int wrong = 0, anchors = 0;
    for (int layer = 0; layer < 5; layer++) {
        for (int i = 0; i < kit_effort(layer > 1 ? 4 : 1) + (layer == 0); i++) {
            stoic_edit at = rig_flip(&r, layer, &rng);
            if (layer == 0 && i == 0) /* a weight, whatever is drawn */
                at = kit_flip(r.model, kit_weight(r.model, 0, 1), kit_below(&rng, 100), 0);
            wrong += rig_sweep(&r, &at, 0, i % 2 == 0);
        }
    }
    if (edges) {
        wrong += edges_of_lines(&r, 3, kit_effort(50), &rng);
        wrong += edges_of_limits(&r, 1, kit_effort(10), &rng);
        wrong += edges_of_limits(&r, 0, kit_effort(4), &rng);
        wrong += edges_of_anchors(&r, 1, kit_effort(10), &rng, &anchors);
        wrong += edges_of_anchors(&r, 0, kit_effort(4), &rng, &anchors);
    }
    print_message("%s: %lld images by intervals, %lld side by side, %d anchors, %d disagree\n",
                  what, (long long)stoic_faulty_count(r.fast)->line,
                  (long long)stoic_faulty_count(r.fast)->beside, anchors, wrong);
    assert_int_equal(wrong, 0);
    assert_true(!edges || stoic_faulty_count(r.fast)->line > 0);
    int64_t beside = stoic_faulty_count(r.fast)->beside;
    rig_free(&r);
    free(images);
    return beside;
}

static void plain_networks_agree(void **state) {
    (void)state;
    stoic_model *model = kit_zoo("lenet5");
    assert_true(try_model(model, kit_images(model, IMAGES, 11), "lenet5", true) > 0);
}

/* Trained: the leads are wide, and limits and intervals decide nearly everything. */
static void trained_networks_agree(void **state) {
    (void)state;
    stoic_model *model = kit_shipped("lenet5-fashion-mnist.onnx");
    assert_true(try_model(model, kit_images(model, IMAGES, 15), "trained", true) > 0);
}

/* Classes that are nearly twins: the lead is of the size of roundings. */
static void near_ties_agree(void **state) {
    (void)state;
    static const float change[] = {1e-7f, 1e-5f};
    for (int i = 0; i < 2; i++) {
        stoic_model *model = kit_twins(kit_zoo("lenet5"), change[i]);
        try_model(model, kit_images(model, IMAGES, 12), "twins", true);
    }
}

/* NaN, infinite and huge pixels among others; blank ones, whose pools are full of ties. */
static void broken_images_agree(void **state) {
    (void)state;
    stoic_model *model = kit_zoo("lenet5");
    float *images = kit_images(model, IMAGES, 13);
    static const float values[] = {NAN, INFINITY, -INFINITY, 3e38f, 1e-40f};
    for (int i = 0; i < IMAGES; i += 5)
        images[i * 784 + 400] = values[i / 5 % 5];
    for (int i = 1; i < IMAGES; i += 5)
        memset(images + i * 784, 0, 784 * sizeof *images);
    assert_true(try_model(model, images, "broken images", false) > 0);
}

/* Logits so large that all Sigmoids saturate, and outputs tie. */
static void saturated_outputs_agree(void **state) {
    (void)state;
    stoic_model *model = kit_zoo("lenet5");
    float *images = kit_images(model, IMAGES, 14);
    for (int64_t i = 0; i < (int64_t)IMAGES * 784; i++)
        images[i] *= (float)(1 + i / 784 % 7 * 300);
    assert_true(try_model(model, images, "saturated", true) > 0);
}

/* Two convolutions, and what may stand between and behind them: all bits of some weights. */
static void random_networks_agree(void **state) {
    (void)state;
    static const float change[] = {1, 1e-6f, 1, 1e-4f};
    int64_t decided = 0, wrong = 0;
    for (int seed = 0; seed < kit_effort(24); seed++) {
        stoic_model *model = graph_wide((uint64_t)seed, change[seed % 4]);
        float *images = kit_images(model, 77, 16);
        rig r = rig_create(model, images, 77);
        stoic_rng rng = kit_rng(77 + (uint64_t)seed);
        for (int i = 0; i < 4; i++) {
            int layer = i < 2 ? 0 : (int)kit_below(&rng, (int64_t)r.model->n_layers);
            stoic_edit at = rig_flip(&r, layer, &rng);
            wrong += rig_sweep(&r, &at, 0, i != 1);
        }
        decided += stoic_faulty_count(r.fast)->line;
        rig_free(&r);
        free(images);
    }
    print_message("%lld images by intervals, %lld disagree\n", (long long)decided,
                  (long long)wrong);
    assert_int_equal(wrong, 0);
    assert_true(decided > 0 || kit_effort(24) < 24);
}

/* Two convolutions of any shape: all values of a weight side by side. */
static void stages_agree(void **state) {
    (void)state;
    static const float change[] = {1, 1e-2f, 1, 1e-4f};
    int64_t wrong = 0, beside = 0, networks = 0;
    for (int seed = 0; seed < kit_effort(24); seed++) {
        stoic_model *model = graph_stages((uint64_t)seed, change[seed % 4]);
        float *images = kit_images(model, 37, 17);
        if (seed % 3 == 0)
            images[5 * 306 + 100] = INFINITY;
        if (seed % 3 == 1)
            memset(images, 0, 3 * 306 * sizeof *images);
        rig r = rig_create(model, images, 37);
        stoic_rng rng = kit_rng(78 + (uint64_t)seed);
        for (int i = 0; i < 2; i++) {
            stoic_edit at =
                kit_flip(r.model, kit_weight(r.model, 0, 1), kit_below(&rng, 12 * 4), 0);
            wrong += rig_sweep(&r, &at, 0, true);
        }
        beside += stoic_faulty_count(r.fast)->beside;
        networks += stoic_faulty_count(r.fast)->beside > 0;
        rig_free(&r);
        free(images);
    }
    print_message("%lld images side by side in %lld networks, %lld disagree\n", (long long)beside,
                  (long long)networks, (long long)wrong);
    assert_int_equal(wrong, 0);
    assert_true(networks > 2 || kit_effort(24) < 24);
}

int main(void) {
    if (!fused())
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_networks_agree),
        cmocka_unit_test(trained_networks_agree),
        cmocka_unit_test(near_ties_agree),
        cmocka_unit_test(broken_images_agree),
        cmocka_unit_test(saturated_outputs_agree),
        cmocka_unit_test(random_networks_agree),
        cmocka_unit_test(stages_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
