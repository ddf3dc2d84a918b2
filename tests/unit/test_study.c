#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stoic/study.h"
#include "tiny_model.h"

static stoic_scaling_row *measure(const stoic_scaling_options *options, size_t *n) {
    stoic_scaling_row *rows = NULL;
    stoic_error err = {0};
    if (stoic_scaling_measure(options, &rows, n, &err) != STOIC_OK)
        fail_msg("%s", err.message);
    return rows;
}

static stoic_scaling_options small(void) {
    /* without 0: its mean is carried by flips of most of the exponent, too rare to be drawn */
    static const double weights[] = {-0.5, -0.37, -0.1, 0.03, 0.01, 0.26, 0.49};
    static const double scales[] = {1, 2, 3};
    static const char *const formats[] = {"fp32", "fp16", "bf16", "fp64", "q2.5", "fixed:13:9"};
    stoic_scaling_options options = stoic_scaling_options_default();
    options.formats = formats;
    options.n_formats = 6;
    options.scales = scales;
    options.n_scales = 3;
    options.weights = weights;
    options.n_weights = 7;
    options.rounds = 40000;
    return options;
}

/* Rows further from the expectation, times `factor`, than five standard errors. */
static int count_far(const stoic_scaling_row *rows, size_t n, double factor) {
    int far = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(rows[i].exact));
        far += !(fabs(rows[i].error - factor * rows[i].exact) <=
                 5 * rows[i].standard_error + 1e-12 * rows[i].exact);
    }
    return far;
}

/* 126 rows: five standard errors are passed by chance once in 13,000 seeds. */
static void draws_meet_the_expectation(void **state) {
    (void)state;
    stoic_scaling_options options = small();
    size_t n;
    stoic_scaling_row *rows = measure(&options, &n);
    assert_int_equal(n, 6 * 3 * 7);
    assert_int_equal(count_far(rows, n, 1.0), 0);
    /* 4 % would be seen, if not in every row */
    assert_true(count_far(rows, n, 1.04) > 60);
    assert_true(count_far(rows, n, 0.96) > 60);
    free(rows);
    for (int i = 0; i < 4; i++) { /* rates whose binary digits end at once, and the ends */
        static const double rates[] = {0.5, 0.0, 1.0, 0.001};
        options.ber = rates[i];
        rows = measure(&options, &n);
        assert_int_equal(count_far(rows, n, 1.0), 0);
        free(rows);
    }
}

static void rows_stand_in_order(void **state) {
    (void)state;
    stoic_scaling_options options = small();
    size_t n;
    options.rounds = 1;
    stoic_scaling_row *rows = measure(&options, &n);
    for (size_t i = 0; i < n; i++) {
        assert_true(rows[i].weight == options.weights[i % 7]);
        assert_true(rows[i].c == options.scales[i / 7 % 3]);
    }
    assert_string_equal(rows[0].format, "fp32");
    assert_string_equal(rows[4 * 21].format, "fixed:8:6");
    free(rows);
}

static void a_row_depends_on_nothing_but_itself(void **state) {
    (void)state;
    stoic_scaling_options options = small();
    static const char *const one[] = {"fp16"};
    static const double two[] = {2};
    size_t n, few;
    options.rounds = 1001; /* not a multiple of what a word gives */
    options.threads = 1;
    stoic_scaling_row *rows = measure(&options, &n);
    options.threads = 3;
    stoic_scaling_row *again = measure(&options, &few);
    assert_int_equal(n, few);
    assert_memory_equal(rows, again, n * sizeof *rows);
    free(again);
    options.formats = one;
    options.n_formats = 1;
    options.scales = two;
    options.n_scales = 1;
    again = measure(&options, &few);
    assert_int_equal(few, 7);
    assert_memory_equal(&rows[21 + 7], again, few * sizeof *rows);
    options.seed = 1;
    free(again);
    again = measure(&options, &few);
    assert_true(rows[21 + 7].error != again[0].error);
    free(again);
    free(rows);
}

static void infinities_are_counted_and_left_out(void **state) {
    (void)state;
    stoic_scaling_options options = small();
    static const char *const one[] = {"fp16"};
    static const double half[] = {0.5}, four[] = {4};
    size_t n;
    options.formats = one;
    options.n_formats = 1;
    options.scales = four;
    options.n_scales = 1;
    options.weights = half;
    options.n_weights = 1;
    options.ber = 0.5;
    stoic_scaling_row *rows = measure(&options, &n);
    assert_true(isnan(rows[0].exact));
    assert_true(isfinite(rows[0].error));
    /* 2: four bits of the exponent must rise, 1 in 16; six standard deviations */
    assert_true(fabs((double)rows[0].excluded - 40000 / 16.0) < 6 * sqrt(40000 / 16.0 * 15 / 16.0));
    free(rows);
}

static void what_makes_no_sense_is_refused(void **state) {
    (void)state;
    static const char *const ranged[] = {"affine:5"}, *const unknown[] = {"fp33"};
    static const double zero[] = {0.0}, infinite[] = {INFINITY};
    for (int i = 0; i < 9; i++) {
        stoic_scaling_options options = small();
        stoic_scaling_row *rows;
        stoic_error err = {0};
        size_t n;
        options.formats = i == 0 ? ranged : i == 1 ? unknown : options.formats;
        options.n_formats = i == 0 || i == 1 ? 1 : i == 2 ? 0 : options.n_formats;
        if (i == 3 || i == 4)
            options.scales = i == 3 ? zero : infinite, options.n_scales = 1;
        if (i == 5)
            options.weights = infinite, options.n_weights = 1;
        options.ber = i == 6 ? (double)NAN : options.ber;
        options.rounds = i == 7 ? 0 : options.rounds;
        options.protect = i == 8 ? "mantissa" : NULL; /* q2.5 has none */
        assert_int_equal(stoic_scaling_measure(&options, &rows, &n, &err), STOIC_ERR_ARGUMENT);
        assert_true(*err.message);
        assert_null(rows);
    }
}

/* ---- bits ---- */

static stoic_bit_row *bits(const stoic_model *model, const char *spec, size_t *n) {
    stoic_bit_row *rows = NULL;
    stoic_error err = {0};
    if (stoic_bits_measure(model, spec, &rows, n, &err) != STOIC_OK)
        fail_msg("%s: %s", spec, err.message);
    return rows;
}

static void a_flipped_bit_of_fixed_point_is_worth_its_place(void **state) {
    (void)state;
    size_t n;
    stoic_bit_row *rows = bits(NULL, "q2.5", &n);
    assert_int_equal(n, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(rows[i].bit, 7 - i);
        assert_true(rows[i].median_change == ldexp(1.0, 1 - i));
        assert_true(rows[i].share_nonfinite == 0.0);
    }
    assert_string_equal(rows[0].field, "sign");
    assert_string_equal(rows[7].field, "fraction");
    free(rows);
    rows = bits(NULL, "q2.5,scale=const:2", &n);
    assert_true(rows[7].median_change == ldexp(1.0, -7));
    free(rows);
}

static void the_median_of_pseudo_weights(void **state) {
    (void)state;
    size_t n;
    stoic_bit_row *rows = bits(NULL, "fp32", &n);
    assert_int_equal(n, 32);
    /* the sign: 2 |w|, whose median over -0.5 … 0.5 is |w| = 0.25 */
    assert_true(rows[0].median_change == 0.5);
    free(rows);
    rows = bits(NULL, "fp64", &n); /* bit 62 makes all but 0 too large for a float; 0 becomes 2 */
    assert_true(rows[1].bit == 62 && fabs(rows[1].share_nonfinite - 100.0 / 101) < 1e-12);
    assert_true(rows[1].median_change == 2.0);
    free(rows);
}

static void a_code_repairs_what_it_says(void **state) {
    (void)state;
    stoic_model *model = tiny_model();
    static const char *const specs[] = {"fp16,code=tmr", "fp16,code=secded39",
                                        "affine:5,code=msb3"};
    for (int s = 0; s < 3; s++) {
        size_t n;
        stoic_bit_row *rows =
            bits(model, s == 2 ? "affine:5,code=msb3,include=bias" : specs[s], &n);
        for (size_t i = 0; i < n; i++) {
            bool repaired = s < 2 || rows[i].bit >= 4; /* msb3: the msb and its two copies */
            assert_int_equal(rows[i].median_change == 0.0, repaired);
        }
        assert_true(n > 5);
        free(rows);
    }
    stoic_model_free(model);
}

static void a_weight_that_is_no_number_is_left_out(void **state) {
    (void)state;
    stoic_model *model = tiny_model(); /* its first weight is a NaN */
    size_t n;
    stoic_bit_row *rows = bits(model, "fp32", &n);
    assert_int_equal(n, 32);
    for (size_t i = 0; i < n; i++) /* all others are below 1: bit 30 makes them large, no more */
        assert_true(rows[i].share_nonfinite == 0.0 && rows[i].median_change > 0.0);
    free(rows);
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_meet_the_expectation),
        cmocka_unit_test(rows_stand_in_order),
        cmocka_unit_test(a_row_depends_on_nothing_but_itself),
        cmocka_unit_test(infinities_are_counted_and_left_out),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_flipped_bit_of_fixed_point_is_worth_its_place),
        cmocka_unit_test(the_median_of_pseudo_weights),
        cmocka_unit_test(a_code_repairs_what_it_says),
        cmocka_unit_test(a_weight_that_is_no_number_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
