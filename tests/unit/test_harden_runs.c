/*
 * Hardened networks in the machinery: every short cut of fault evaluation gives what running
 * everything gives, gradients are those of the operators' own definitions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "difference_rig.h"
#include "harden_kit.h"

enum { IMAGES = 45 };

/* The largest chosen bits: what a bound and a filter are for. */
static stoic_edit high_flip(const rig *r, stoic_rng *rng) {
    int layer = (int)kit_below(rng, (int64_t)r->model->n_layers);
    int tensor = kit_weight(r->model, layer, 1);
    int64_t index = kit_below(rng, stoic_tensor_count(r->model->values[tensor].constant));
    return kit_flip(r->model, tensor, index, kit_below(rng, 3) ? 30 : 23 + (int)kit_below(rng, 7));
}

static stoic_edit not_finite(const rig *r, stoic_rng *rng) {
    stoic_edit edit = high_flip(r, rng);
    edit.value = kit_below(rng, 2) ? NAN : kit_below(rng, 2) ? INFINITY : -INFINITY;
    return edit;
}

static void agrees(stoic_model *model, const char *what, int rounds) {
    stoic_rng rng = kit_rng(8);
    float *images = kit_images(model, IMAGES, 11);
    rig r = rig_create(model, images, IMAGES);
    for (int i = 0; i < kit_effort(rounds); i++) {
        stoic_edit edits[6];
        size_t n = i % 3 == 2 ? 1 + (size_t)kit_below(&rng, 6) : 1;
        for (size_t k = 0; k < n; k++)
            edits[k] = i % 4 == 0 ? not_finite(&r, &rng)
                       : i % 4 == 1
                           ? high_flip(&r, &rng)
                           : rig_flip(&r, (int)kit_below(&rng, (int64_t)model->n_layers), &rng);
        int wrong = rig_disagree(&r, edits, n, NULL, 0, i % 5 != 0);
        if (wrong)
            fail_msg("%s: %d images disagree after '%s'[%lld] = %g", what, wrong,
                     model->values[edits[0].tensor].name, (long long)edits[0].index,
                     (double)edits[0].value);
    }
    rig_print(&r, what);
    rig_free(&r);
    free(images);
}

static void short_cuts_are_exact(void **state) {
    (void)state;
    static const char *const passes[] = {"relu6", "bound:0.5", "nan-filter", "relu6 nan-filter",
                                         "bound:0.5 nan-filter tmr"};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        agrees(kit_hardened(kit_zoo("lenet5"), passes[i], NULL, NULL), passes[i], 60);
        agrees(kit_hardened(small_resnet(), passes[i], NULL, NULL), passes[i], 60);
    }
    agrees(kit_hardened(small_resnet(), "nan-filter invert relu6", NULL, NULL), "inverted", 60);
}

/* The shipped network, whose difference is worth while. */
static void a_trained_network_agrees(void **state) {
    (void)state;
    stoic_model *model = kit_shipped("lenet5-fashion-mnist.onnx");
    stoic_dataset_options options = stoic_dataset_options_default();
    stoic_dataset *data = NULL;
    if (!model)
        return;
    options.model = model;
    options.count = 200;
    agrees(kit_hardened(stoic_model_retain(model), "relu6 nan-filter", NULL, NULL),
           "relu6 nan-filter", 150);
    if (stoic_dataset_open("fashion-mnist:train", &options, &data, NULL) == STOIC_OK) {
        agrees(kit_hardened(stoic_model_retain(model), "nan-filter ranger smartpool", data, NULL),
               "nan-filter ranger smartpool", 150);
        agrees(kit_hardened(stoic_model_retain(model), "fitact", data, NULL), "fitact", 60);
        agrees(kit_hardened(stoic_model_retain(model), "clipact nan-filter", data, NULL),
               "clipact nan-filter", 100);
        stoic_dataset_free(data);
    }
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_cuts_are_exact),
        cmocka_unit_test(a_trained_network_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
