/* --images-per-trial auto: the choice by hand, and campaigns that make it. */
#include "transient_rig.h"

#include <math.h>
#include <sqlite3.h>

#include "campaign/images_auto.h"

static bool near(double a, double b) {
    return fabs(a - b) < 1e-12;
}

/* Analysis of variance of 0, 4, 8 and 8 of 8 images. */
static void a_spot_by_hand(void **state) {
    (void)state;
    stoic_tally tally = {0};
    for (int i = 0; i < 4; i++)
        stoic_tally_add(&tally, (int64_t[]){0, 4, 8, 8}[i]);
    stoic_spot spot = stoic_spot_of(&tally, 8, 0.5);
    assert_true(near(spot.mean, 0.625) && spot.weight == 0.5);
    /* of an image within a trial: 0.5 · 0.5 · 8/7 in one trial of four */
    assert_true(near(spot.within, 0.25 * 8 / 7 / 4));
    /* between trials, less what 8 images leave of it */
    double total = (pow(0.625, 2) + pow(0.125, 2) + 2 * pow(0.375, 2)) / 3;
    assert_true(near(spot.between, total - spot.within / 8));
    /* never below nothing */
    stoic_tally even = {0};
    stoic_tally_add(&even, 4);
    stoic_tally_add(&even, 4);
    assert_true(stoic_spot_of(&even, 8, 1.0).between == 0.0);
    assert_true(stoic_spot_of(&even, 8, 1.0).within > 0.2);
}

/* n trials of m images have the variance (B + W/m) / n and the cost n (c + m a): least at
 * m = sqrt(W c / (B a)). */
static void the_best_by_hand(void **state) {
    (void)state;
    stoic_spot spot = {.weight = 1.0, .between = 0.01, .within = 0.01};
    assert_int_equal(stoic_images_best(&spot, 1, false, 2e6 / 16, 1000), 4);
    assert_int_equal(stoic_images_best(&spot, 1, true, 2e6 / 16, 1000), 4);
    assert_int_equal(stoic_images_best(&spot, 1, false, 2e6 / 256, 1000), 16);
    assert_int_equal(stoic_images_best(&spot, 1, false, 2e6 / 256, 10), 10);
    assert_int_equal(stoic_images_best(&spot, 1, false, 2e9, 1000), 1);
    spot.between = 0.0; /* all faults alike: every image is as good as another fault */
    assert_int_equal(stoic_images_best(&spot, 1, false, 2e4, 1000), 1000);
    spot = (stoic_spot){.weight = 1.0, .between = 0.1};
    assert_int_equal(stoic_images_best(&spot, 1, false, 2e4, 1000), 1);
    /* What differs between the bits is nothing to a stratified sample. */
    stoic_spot two[2] = {{.weight = 0.5, .mean = 0.9, .within = 0.05, .between = 0.001},
                         {.weight = 0.5, .mean = 0.1, .within = 0.05, .between = 0.001}};
    assert_true(stoic_images_best(two, 2, true, 2e5, 1000) >
                stoic_images_best(two, 2, false, 2e5, 1000));
}

static char *fact(const char *path, const char *key) {
    static char text[64];
    sqlite3 *db;
    sqlite3_stmt *row;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key = ?", -1, &row, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(row, 1, key, -1, SQLITE_STATIC);
    text[0] = 0;
    if (sqlite3_step(row) == SQLITE_ROW)
        snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    sqlite3_close(db);
    return text;
}

static stoic_campaign_options auto_options(const char *const *fault) {
    stoic_campaign_options options = stoic_campaign_options_default();
    options.faults = fault;
    options.n_faults = 1;
    options.images_per_trial = -1;
    options.margin = 0.02;
    options.max_trials = 3000;
    options.seed = 6;
    options.threads = 1;
    return options;
}

/* Threads and continuing do not change the choice, nor what follows from it. */
static void the_same_whatever_happens(void **state) {
    (void)state;
    static const char *const faults[] = {"flips:1", "flips:4", "ber:1e-3", "zero",
                                         "stuck1,bits=30"};
    stoic_model *model = small_lenet();
    rig_open(model);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        stoic_campaign_options options = auto_options(&faults[i]);
        char *one = in_home("one.db"), *two = in_home("two.db");
        options.sampling = i == 0 ? STOIC_SAMPLING_STRATIFIED : STOIC_SAMPLING_SIMPLE;
        stoic_summary summary = rig_run(model, &options, one), again;
        assert_true(summary.images >= 1 && summary.images <= RIG_IMAGES);
        assert_string_equal(fact(one, "images_per_trial"), "auto");
        assert_in_range(atoi(fact(one, "auto_trials")), 8, 1024);
        assert_true(atof(fact(one, "auto_between")) >= 0);
        options.threads = 2;
        options.margin = 0.1;
        rig_run(model, &options, two);
        options.margin = 0.02;
        MUST(stoic_campaign_run(model, rig_data, &options, two, &again, err));
        assert_int_equal(again.images, summary.images);
        char *expected = rig_dump(one), *found = rig_dump(two);
        assert_string_equal(found, expected);
        bool identical = false;
        MUST(stoic_campaign_replay(model, rig_data, two, 40, rig_ignore, NULL, &identical, err));
        assert_true(identical);
        free(expected);
        free(found);
    }
    stoic_model_free(model);
}

/* Where no pilot can be drawn the rule is a fixed one. */
static void without_a_pilot(void **state) {
    (void)state;
    static const char *const faults[] = {"exhaustive,bits=30", "op:flip", "map:single"};
    stoic_model *model = small_lenet();
    rig_open(model);
    for (size_t i = 0; i < 3; i++) {
        stoic_campaign_options options = auto_options(&faults[i]);
        options.margin = 0;
        options.max_trials = 0;
        options.trials = 20;
        stoic_summary summary = rig_run(model, &options, in_home("plain.db"));
        assert_int_equal(summary.images, RIG_IMAGES);
        assert_string_equal(fact(in_home("plain.db"), "auto_trials"), "");
        options.margin = 0.2;
        options.trials = 0;
        summary = rig_run(model, &options, in_home("plain.db"));
        assert_int_equal(summary.images, 1);
    }
    stoic_model_free(model);
}

static void interrupted(void **state) {
    (void)state;
    static const char *const fault = "flips:1";
    static const volatile int now = 1;
    stoic_model *model = small_lenet();
    rig_open(model);
    stoic_campaign_options options = auto_options(&fault);
    stoic_summary summary;
    stoic_error err;
    options.cancel = &now;
    remove(in_home("none.db"));
    assert_int_equal(
        stoic_campaign_run(model, rig_data, &options, in_home("none.db"), &summary, &err),
        STOIC_ERR_INTERRUPTED);
    assert_int_not_equal(access(in_home("none.db"), F_OK), 0);
    stoic_model_free(model);
}

static int tear_down(void **state) {
    stoic_dataset_free(rig_data);
    return remove_home(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spot_by_hand),
        cmocka_unit_test(the_best_by_hand),
        cmocka_unit_test(the_same_whatever_happens),
        cmocka_unit_test(without_a_pilot),
        cmocka_unit_test(interrupted),
    };
    return cmocka_run_group_tests(tests, make_home, tear_down);
}
