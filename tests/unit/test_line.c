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

/* All 32 bits of some weights of every layer, and faults at the ends of intervals. */
static void try_model(stoic_model *model, float *images, const char *what, bool edges) {
    rig r = rig_create(model, images, IMAGES);
    stoic_rng rng = kit_rng(71);
    int wrong = 0, anchors = 0;
    for (int layer = 0; layer < 5; layer++) {
        for (int i = 0; i < kit_effort(layer > 1 ? 4 : 1); i++) {
            stoic_edit at = rig_flip(&r, layer, &rng);
            for (int bit = 0; bit < 32; bit++) {
                stoic_edit edit = kit_flip(r.model, at.tensor, at.index, bit);
                wrong += rig_disagree(&r, &edit, 1, NULL, 0, true);
            }
        }
    }
    if (edges) {
        wrong += edges_of_lines(&r, 3, kit_effort(50), &rng);
        wrong += edges_of_limits(&r, 1, kit_effort(10), &rng);
        wrong += edges_of_limits(&r, 0, kit_effort(4), &rng);
        wrong += edges_of_anchors(&r, 1, kit_effort(10), &rng, &anchors);
        wrong += edges_of_anchors(&r, 0, kit_effort(4), &rng, &anchors);
    }
    print_message("%s: %lld images by intervals, %d anchors, %d disagree\n", what,
                  (long long)stoic_faulty_count(r.fast)->line, anchors, wrong);
    assert_int_equal(wrong, 0);
    assert_true(!edges || stoic_faulty_count(r.fast)->line > 0);
    rig_free(&r);
    free(images);
}

static void plain_networks_agree(void **state) {
    (void)state;
    stoic_model *model = kit_zoo("lenet5");
    try_model(model, kit_images(model, IMAGES, 11), "lenet5", true);
}

/* Trained: the leads are wide, and limits and intervals decide nearly everything. */
static void trained_networks_agree(void **state) {
    (void)state;
    stoic_model *model = kit_shipped("lenet5-fashion-mnist.onnx");
    try_model(model, kit_images(model, IMAGES, 15), "trained", true);
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
    try_model(model, images, "broken images", false);
}

/* Logits so large that all Sigmoids saturate, and outputs tie. */
static void saturated_outputs_agree(void **state) {
    (void)state;
    stoic_model *model = kit_zoo("lenet5");
    float *images = kit_images(model, IMAGES, 14);
    for (int64_t i = 0; i < (int64_t)IMAGES * 784; i++)
        images[i] *= (float)(1 + i / 784 % 7 * 300);
    try_model(model, images, "saturated", true);
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
            for (int bit = 0; bit < 32; bit++) {
                stoic_edit edit = kit_flip(r.model, at.tensor, at.index, bit);
                wrong += rig_disagree(&r, &edit, 1, NULL, 0, true);
            }
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

int main(void) {
    if (!fused())
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_networks_agree),    cmocka_unit_test(trained_networks_agree),
        cmocka_unit_test(near_ties_agree),         cmocka_unit_test(broken_images_agree),
        cmocka_unit_test(saturated_outputs_agree), cmocka_unit_test(random_networks_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
