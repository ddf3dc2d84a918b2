/* Protections on the same faults: pairing, coverage, the front, what is left out, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>

#include "stoic/compare.h"
#include "stoic/records.h"
#include "stoic/report.h"

enum { IMAGES = 60, TRIALS = 12 };

static stoic_model *model;
static stoic_dataset *data;
static char folder[] = "/tmp/stoic-compare-XXXXXX";

static int open_all(void **state) {
    stoic_dataset_options options = stoic_dataset_options_default();
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(stoic_model_read(STOIC_TEST_MODELS "/lenet5-fashion-mnist.onnx", &model, NULL),
                     STOIC_OK);
    options.count = IMAGES;
    options.model = model;
    assert_int_equal(stoic_dataset_open("fashion-mnist", &options, &data, NULL), STOIC_OK);
    return 0;
}

static int close_all(void **state) {
    DIR *list = opendir(folder);
    struct dirent *entry;
    (void)state;
    stoic_dataset_free(data);
    stoic_model_free(model);
    while (list && (entry = readdir(list)))
        unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
    return rmdir(folder);
}

static stoic_compare_options options_of(const char *const *faults, size_t n_faults,
                                        const char *const *with, size_t n_with) {
    stoic_compare_options options = stoic_compare_options_default();
    options.faults = faults;
    options.n_faults = n_faults;
    options.with = with;
    options.n_with = n_with;
    options.trials = TRIALS;
    return options;
}

static stoic_comparison *compare(const stoic_compare_options *options) {
    stoic_comparison *out = NULL;
    stoic_error err = {0};
    if (stoic_compare(model, data, options, &out, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    return out;
}

typedef struct trials {
    int64_t critical[TRIALS];
    int n;
} trials;

static bool keep(void *user, const stoic_record *record) {
    trials *t = user;
    t->critical[t->n++] = record->counts.critical;
    return true;
}

static trials read_trials(const char *name) {
    char path[160];
    trials t = {.n = 0};
    stoic_records *records = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(stoic_records_open(path, &records, NULL), STOIC_OK);
    assert_int_equal(stoic_records_each(records, keep, &t, NULL), STOIC_OK);
    stoic_records_free(records);
    return t;
}

/* A code that repairs is paired with the same format without it: the same bits of the same weights
 * are hit, and what is left is never more. */
static void coverage_is_that_of_the_trials(void **state) {
    (void)state;
    static const char *const faults[] = {"ber:3e-3", "flips:40"};
    static const char *const with[] = {
        "store:int8", "store:fp32,scale=max:1.9999,protect=exponent-msb", "pass:relu6"};
    stoic_compare_options options = options_of(faults, 2, with, 3);
    options.keep = folder;
    stoic_comparison *c = compare(&options);
    assert_int_equal(c->n_protections, 4);
    assert_int_equal(c->n_rows, 8);
    trials base = read_trials("baseline.flips-40.db"), ours = read_trials("pass-relu6.flips-40.db");
    assert_int_equal(base.n, TRIALS);
    double a = 0, b = 0, squares = 0;
    for (int i = 0; i < TRIALS; i++) {
        a += (double)ours.critical[i];
        b += (double)base.critical[i];
    }
    assert_true(b > 0);
    for (int i = 0; i < TRIALS; i++)
        squares += pow((double)ours.critical[i] - a / b * (double)base.critical[i], 2);
    double half = 2.200985160 * sqrt(squares / (TRIALS - 1) / TRIALS) / (b / TRIALS); /* t, 11 */
    const stoic_compare_row *row = &c->rows[7];
    assert_string_equal(c->protections[row->protection].name, "pass:relu6");
    assert_string_equal(c->faults[row->fault], "flips:40,layer=all,bits=all,tensor=weight");
    assert_true(fabs(row->coverage.value - (1 - a / b)) < 1e-12);
    assert_true(fabs(row->coverage.low - (1 - a / b - half)) < 1e-6);
    assert_true(row->critical_rate.value == a / (TRIALS * (double)IMAGES));
    assert_true(isnan(c->rows[0].coverage.value));
    assert_int_equal(c->protections[1].bits, 8 * 132420);
    assert_int_equal(c->protections[3].bits, 32 * 132420);
    stoic_comparison_free(c);
    /* what is there is read, not run: the hardened network was kept, too */
    char path[160];
    snprintf(path, sizeof path, "%s/pass-relu6.onnx", folder);
    assert_int_equal(access(path, R_OK), 0);
    c = compare(&options);
    assert_true(c->rows[7].coverage.value == 1 - a / b);
    stoic_comparison_free(c);
}

static void the_front_and_the_recommendation(void **state) {
    (void)state;
    static const char *const faults[] = {"ber:1e-3"};
    static const char *const with[] = {"store:int8,code=tmr", "store:int8,code=secded72",
                                       "store:fp32,code=tmr", "store:affine:2"};
    stoic_compare_options options = options_of(faults, 1, with, 4);
    stoic_comparison *c = compare(&options);
    stoic_recommendation best = stoic_comparison_recommend(c, 0, 0.02);
    assert_in_range(best.safest, 1, c->n_rows - 1);
    assert_in_range(best.cheapest, 1, c->n_rows - 1);
    assert_int_equal(best.cheapest, 2); /* 9 bits against 24; affine:2 costs too much accuracy */
    assert_true(c->protections[4].clean_accuracy < c->protections[0].clean_accuracy - 0.02);
    for (int i = 0; i < c->n_rows; i++)
        assert_true(c->protections[i].clean_accuracy < c->protections[0].clean_accuracy - 0.02 ||
                    i == 0 ||
                    c->rows[best.safest].critical_rate.value <= c->rows[i].critical_rate.value);
    assert_false(c->rows[3].pareto); /* fp32 in triple: more bits, more harm than int8 in triple */
    assert_true(c->rows[4].pareto);  /* nothing is smaller */
    best = stoic_comparison_recommend(c, 0, -2);
    assert_true(best.safest == -1 && best.cheapest == -1);
    stoic_comparison_free(c);
}

static void all_leaves_out_what_cannot_be(void **state) {
    (void)state;
    static const char *const faults[] = {"flips:20,bits=exponent"}; /* int8 has no exponent */
    static const char *const with[] = {"all"};
    stoic_compare_options options = options_of(faults, 1, with, 1);
    stoic_comparison *c = compare(&options);
    int left = 0, run = 0;
    for (int i = 0; i < c->n_protections; i++) {
        const stoic_protection *p = &c->protections[i];
        left += p->skipped != NULL;
        run += p->skipped == NULL;
        if (!strcmp(p->name, "store:int8"))
            assert_non_null(strstr(p->skipped, "no field 'exponent'"));
        if (!strcmp(p->name, "pass:ranger"))
            assert_non_null(p->skipped); /* no training images */
        if (!strcmp(p->name, "store:fp16"))
            assert_null(p->skipped);
    }
    assert_true(left > 5 && run > 5);
    assert_int_equal(c->n_rows, run);
    char figures[200];
    snprintf(figures, sizeof figures, "%s/figures", folder);
    assert_int_equal(stoic_comparison_draw(c, figures, NULL), STOIC_OK);
    snprintf(figures, sizeof figures, "%s/figures/compare-1.csv", folder);
    assert_int_equal(unlink(figures), 0);
    snprintf(figures, sizeof figures, "%s/figures/compare-1.svg", folder);
    unlink(figures);
    snprintf(figures, sizeof figures, "%s/figures", folder);
    assert_int_equal(rmdir(figures), 0);
    stoic_comparison_free(c);
}

static void refusals(void **state) {
    (void)state;
    static const char *const flips[] = {"flips:3"}, *const exponents[] = {"flips:3,bits=exponent"};
    static const struct {
        const char *with;
        const char *const *faults;
        const char *says;
    } rows[] = {
        {"int8", flips, "expected store:SPEC"},
        {"store:", flips, "expected store:SPEC"},
        {"store:int9", flips, "int9"},
        {"store:int8", exponents, "no field 'exponent'"},
        {"pass:relu7", flips, "relu7"},
        {"pass:ranger", flips, ""},
        {"model:/nowhere.onnx", flips, "cannot open"},
        {"model:" STOIC_TEST_MODELS "/resnet20-cifar10.onnx", flips, "shape"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stoic_compare_options options = options_of(rows[i].faults, 1, &rows[i].with, 1);
        stoic_comparison *c = NULL;
        stoic_error err = {0};
        assert_int_not_equal(stoic_compare(model, data, &options, &c, &err), STOIC_OK);
        assert_null(c);
        if (!strstr(err.message, rows[i].says))
            fail_msg("%s: %s", rows[i].with, err.message);
    }
}

static void whose_time_it_is(void **state) {
    static const char *const faults[] = {"flips:1"};
    static const char *const with[] = {"store:int8", "store:fp64", "pass:relu6"};
    static const char *const sources[] = {NULL, "runtime", "decode+float", "float"};
    stoic_compare_options options = options_of(faults, 1, with, 3);
    (void)state;
    options.trials = 2;
    stoic_comparison *c = compare(&options);
    assert_int_equal(c->n_protections, 4);
    for (int i = 1; i < 4; i++) {
        assert_string_equal(c->protections[i].time_source, sources[i]);
        assert_true(c->protections[i].time_ratio > 0);
        assert_int_equal(c->protections[i].time_note != NULL, i == 2);
    }
    assert_null(c->protections[0].time_source);
    assert_true(c->protections[0].time_ratio == 1.0 && c->protections[2].time_ratio > 1.0);
    assert_non_null(strstr(c->protections[2].time_note, "fp64 has 64"));
    stoic_comparison_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coverage_is_that_of_the_trials),
        cmocka_unit_test(the_front_and_the_recommendation),
        cmocka_unit_test(all_leaves_out_what_cannot_be),
        cmocka_unit_test(whose_time_it_is),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
