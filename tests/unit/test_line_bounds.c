/* Could test_line fail? Intervals and limits are compiled here once more, wider than they are, and
 * the errors of what is carried to the class smaller. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static double widen = 1;
#define STOIC_LINE_WIDEN widen
#include "exec/line.c"
#include "exec/threshold.c"
static double error_share = 1;
#define STOIC_CARRY_ERROR error_share
#include "exec/carry.c"
#include "exec/carry_run.c"

#include "line_edges.h"
#include "random_graph.h"

enum { IMAGES = 61 };

static int wrong_when(double wide, bool lines) {
    stoic_model *model = kit_shipped("lenet5-fashion-mnist.onnx");
    float *images = kit_images(model, IMAGES, 11);
    rig r = rig_create(model, images, IMAGES);
    stoic_rng rng = kit_rng(72);
    widen = wide;
    int wrong = lines ? edges_of_lines(&r, 3, 400, &rng) : edges_of_limits(&r, 1, 60, &rng);
    print_message("%s %g times as wide: %d images wrong\n", lines ? "intervals" : "limits", wide,
                  wrong);
    rig_free(&r);
    free(images);
    return wrong;
}

static void wide_intervals_are_noticed(void **state) {
    (void)state;
    assert_int_equal(wrong_when(1, true), 0);
    assert_true(wrong_when(1.2, true) > 0);
}

static void wide_limits_are_noticed(void **state) {
    (void)state;
    assert_int_equal(wrong_when(1, false), 0);
    assert_true(wrong_when(100, false) > 0);
}

/* Classes that differ by a rounding or so: the least error decides. */
static int wrong_carried(double share, float change) {
    stoic_model *model = kit_twins(kit_zoo("lenet5,sigmoid=off"), change);
    float *images = kit_images(model, IMAGES, 12);
    rig r = rig_create(model, images, IMAGES);
    stoic_rng rng = kit_rng(73);
    int wrong = 0;
    error_share = share;
    widen = 1;
    for (int i = 0; i < 40; i++) {
        stoic_edit at = rig_flip(&r, 1 + i % 3, &rng);
        for (int bit = 18; bit < 32; bit++) {
            stoic_edit edit = kit_flip(r.model, at.tensor, at.index, bit);
            wrong += rig_disagree(&r, &edit, 1, NULL, 0, true);
        }
    }
    print_message("twins %g, errors %g times: %d images wrong, %lld carried\n", (double)change,
                  share, wrong, (long long)stoic_faulty_count(r.fast)->carried);
    rig_free(&r);
    free(images);
    return wrong;
}

static void small_errors_are_noticed(void **state) {
    (void)state;
    assert_int_equal(wrong_carried(1, 2e-4f), 0);
    assert_int_equal(wrong_carried(1, 2.5e-6f), 0);
    assert_true(wrong_carried(1e-6, 2.5e-6f) > 0);
}

int main(void) {
    if (strcmp(stoic_dnn_isa(), "avx512") != 0 && strcmp(stoic_dnn_isa(), "avx2") != 0)
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_intervals_are_noticed),
        cmocka_unit_test(wide_limits_are_noticed),
        cmocka_unit_test(small_errors_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
