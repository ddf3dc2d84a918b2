/* Stratified campaigns: the cells of a fault space, the layout of trials, same bytes whatever
 * happens in between, and what the estimates are made of. */
#include "transient_rig.h"

#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "campaign/allocation.h"
#include "fault/space.h"
#include "stoic/report.h"

/* ---- cells ---- */

/* Each site of the space lies in one cell, that of its layer and bit, at one place. */
static void check_cells(const stoic_model *model, const char *store_spec, const char *spec) {
    stoic_store *store = NULL;
    stoic_fault *fault = NULL;
    stoic_cells *cells = NULL;
    stoic_place place;
    int64_t sum = 0;
    MUST(stoic_store_create(model, store_spec, &store, err));
    MUST(stoic_fault_create(store, spec, 3, &fault, err));
    MUST(stoic_cells_create(fault, &cells, err));
    uint8_t *seen = calloc((size_t)fault->sites, 1);
    for (size_t c = 0; c < stoic_cells_count(cells); c++) {
        const stoic_cell *cell = stoic_cells_at(cells, c);
        for (int64_t i = 0; i < cell->faults; i++) {
            int64_t number = stoic_cells_site(cells, c, i);
            assert_in_range(number, 0, fault->sites - 1);
            assert_int_equal(seen[number]++, 0);
            stoic_site site = stoic_sites_at(fault, number);
            int entry = site.patch->entry;
            stoic_store_place(store, entry, site.word, site.patch->bit[site.way], &place);
            assert_int_equal(place.bit, cell->bit);
            assert_int_equal(stoic_store_entry_at(store, entry)->layer, cell->layer);
        }
        sum += cell->faults;
    }
    assert_int_equal(sum, fault->sites);
    free(seen);
    stoic_cells_free(cells);
    stoic_fault_free(fault);
    stoic_store_free(store);
}

static void cells_cover_the_space(void **state) {
    (void)state;
    stoic_model *model = small_lenet();
    check_cells(model, "fp32", "flips:1");
    check_cells(model, "fp32,include=weight+bias", "flips:1,bits=exponent");
    check_cells(model, "affine:5,code=msb3", "stuck1");
    check_cells(model, "int8,code=secded72", "flips:1"); /* words of eight weights, and a rest */
    check_cells(model, "q2.5,code=parity64", "flips:1");
    check_cells(model, "fp16", "zero");
    stoic_model_free(model);
}

/* ---- campaigns ---- */

static const char *const exponent = "flips:1,bits=28-31";

static stoic_campaign_options strata_options(const char *const *fault) {
    stoic_campaign_options options = stoic_campaign_options_default();
    options.faults = fault;
    options.n_faults = 1;
    options.sampling = STOIC_SAMPLING_STRATIFIED;
    options.margin = 1e-9;
    options.threads = 1;
    options.seed = 4;
    return options;
}

static int64_t number(const char *path, const char *sql) {
    sqlite3 *db;
    int64_t n = -1;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    MUST(stoic_sql_integer(db, sql, -1, &n, err));
    sqlite3_close(db);
    return n;
}

/* With every fault of every stratum run on all images nothing is left to chance, and the rates are
 * those of the exhaustive campaign, as a whole and by layer and bit. */
static void exhausted_is_exhaustive(void **state) {
    (void)state;
    stoic_model *model = small_lenet();
    rig_open(model);
    stoic_campaign_options options = strata_options(&exponent);
    char *path = in_home("strata.db"), *all_path = in_home("all.db");
    stoic_summary strata = rig_run(model, &options, path);
    const char *exhaustive = "exhaustive,bits=28-31";
    options = stoic_campaign_options_default();
    options.faults = &exhaustive;
    options.n_faults = 1;
    stoic_summary all = rig_run(model, &options, all_path);
    assert_string_equal(strata.stopped, "exhausted");
    assert_int_equal(strata.trials, all.trials);
    assert_int_equal(strata.planned, strata.pilot + all.trials);
    assert_true(strata.strata > 2 && strata.pilot > 0);
    assert_int_equal(strata.totals.critical, all.totals.critical);
    assert_true(all.totals.critical > 100);
    assert_true(fabs(strata.critical_rate.value - all.critical_rate.value) < 1e-14);
    assert_true(strata.critical_rate.low == strata.critical_rate.value);
    assert_true(strata.critical_rate.high == strata.critical_rate.value);
    assert_true(fabs(strata.accuracy.value - all.accuracy.value) < 1e-14);
    assert_true(strata.accuracy.low == strata.accuracy.high);
    assert_true(fabs(strata.shares.nan - (double)all.totals.nan / (double)all.totals.images) <
                1e-14);
    for (int by = 1; by < 4; by++) {
        stoic_records *records[2];
        stoic_group *groups[2];
        size_t n[2];
        for (int i = 0; i < 2; i++) {
            MUST(stoic_records_open(i ? all_path : path, &records[i], err));
            MUST(stoic_records_groups(records[i], by & 1, by & 2, &groups[i], &n[i], err));
        }
        assert_int_equal(n[0], n[1]);
        for (size_t g = 0; g < n[0]; g++) {
            const stoic_group *a = &groups[0][g], *b = &groups[1][g];
            assert_true(a->layer == b->layer && a->bit == b->bit && a->trials == b->trials);
            assert_int_equal(a->totals.critical, b->totals.critical);
            assert_true(fabs(a->critical_rate.value - b->critical_rate.value) < 1e-14);
            assert_true(fabs(a->critical_rate.high - b->critical_rate.high) < 1e-14);
            assert_true(fabs(a->accuracy.value - b->accuracy.value) < 1e-14);
        }
        for (int i = 0; i < 2; i++) {
            stoic_groups_free(groups[i]);
            stoic_records_free(records[i]);
        }
    }
    /* behind the pilot each site once */
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM (SELECT DISTINCT entry, word, bit FROM sites WHERE trial >= "
             "%lld)",
             (long long)strata.pilot);
    assert_int_equal(number(path, sql), all.trials);
    stoic_model_free(model);
}

enum { MOST = 32 };
typedef struct by_layer {
    size_t strata;
    double shares[MOST][MOST];
    int64_t trials[MOST][MOST];
} by_layer;

static bool add_trial(void *user, const stoic_record *record) {
    by_layer *of = user;
    if (record->stratum < 0)
        return true;
    assert_true((size_t)record->stratum < of->strata && record->layer < MOST);
    of->trials[record->stratum][record->layer]++;
    of->shares[record->stratum][record->layer] += (double)record->counts.critical / 7.0;
    return true;
}

/* By hand: strata and trials from the file, each stratum with its share of the faults. */
static void the_weights_are_shares_of_faults(void **state) {
    (void)state;
    stoic_model *model = small_lenet();
    rig_open(model);
    stoic_campaign_options options = strata_options((const char *const[]){"flips:1"});
    options.images_per_trial = 7;
    options.margin = 0;
    options.trials = 1700; /* in the middle of a stage */
    char *path = in_home("weights.db");
    stoic_summary summary = rig_run(model, &options, path);
    stoic_records *records = NULL;
    stoic_stratum_row *rows = NULL;
    stoic_group *groups = NULL;
    size_t n = 0, n_groups = 0;
    MUST(stoic_records_open(path, &records, err));
    MUST(stoic_records_strata(records, &rows, &n, err));
    MUST(stoic_records_groups(records, true, false, &groups, &n_groups, err));
    double sum = 0, faults = 0, plain;
    int64_t trials = 0, critical = 0;
    for (size_t h = 0; h < n; h++) {
        faults += (double)rows[h].faults;
        sum += (double)rows[h].faults * (double)rows[h].critical / (7.0 * (double)rows[h].trials);
        trials += rows[h].trials;
        critical += rows[h].critical;
    }
    plain = (double)critical / (7.0 * (double)trials);
    assert_int_equal(summary.trials, trials);
    assert_int_equal(summary.trials + summary.pilot, 1700);
    assert_string_equal(summary.stopped, "trials");
    assert_true(fabs(summary.critical_rate.value - sum / faults) < 1e-12);
    assert_true(fabs(summary.shares.critical - sum / faults) < 1e-12);
    assert_true(fabs(plain - sum / faults) >
                0.05 * plain); /* what counting the trials would give */
    assert_true(summary.critical_rate.low < sum / faults &&
                sum / faults < summary.critical_rate.high);
    /* a layer by its parts of the strata */
    by_layer of = {.strata = n};
    MUST(stoic_records_each(records, add_trial, &of, err));
    assert_true(n <= MOST && n_groups >= 3);
    for (size_t g = 0; g < n_groups; g++) {
        int layer = groups[g].layer;
        double all = 0, rate = 0;
        for (size_t h = 0; h < n; h++) {
            char sql[128];
            snprintf(sql, sizeof sql,
                     "SELECT sum(faults) FROM cells WHERE layer = %d AND stratum = %d", layer,
                     (int)h);
            double part = of.trials[h][layer] ? (double)number(path, sql) : 0;
            all += part;
            rate += part > 0 ? part * of.shares[h][layer] / (double)of.trials[h][layer] : 0;
        }
        assert_true(fabs(groups[g].critical_rate.value - rate / all) < 1e-12);
    }
    free(rows);
    stoic_groups_free(groups);
    stoic_records_free(records);
    stoic_model_free(model);
}

/* Threads, kills and more trials asked for later: the same rows and the same strata. */
static void the_same_whatever_happens(void **state) {
    (void)state;
    stoic_model *model = small_lenet();
    rig_open(model);
    stoic_campaign_options options = strata_options((const char *const[]){"flips:1"});
    stoic_summary summary;
    options.images_per_trial = 3;
    options.margin = 0.004;
    char *whole = in_home("whole.db"), *path = in_home("disturbed.db");
    rig_run(model, &options, whole);
    char *expected = rig_dump(whole);
    assert_true(number(whole, "SELECT count(*) FROM stages WHERE pilot = 0") > 5);
    int kills = 0;
    for (int i = 0; i < 12; i++) {
        pid_t child = fork();
        options.threads = 1 + i % 2;
        if (child == 0)
            _exit(stoic_campaign_run(model, rig_data, &options, path, &summary, NULL) != STOIC_OK);
        usleep(3000 + 4000 * (unsigned)i);
        kill(child, SIGKILL);
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFSIGNALED(result) || WEXITSTATUS(result) == 0);
        kills += WIFSIGNALED(result);
    }
    assert_true(kills > 1);
    MUST(stoic_campaign_run(model, rig_data, &options, path, &summary, err));
    char *found = rig_dump(path);
    assert_true(strlen(expected) > 10000);
    assert_string_equal(found, expected);
    assert_int_equal(number(path, "SELECT sum(stage * part * trials) FROM stages"),
                     number(whole, "SELECT sum(stage * part * trials) FROM stages"));
    free(found);
    /* a wider margin first */
    options.margin = 0.05;
    rig_run(model, &options, path);
    options.margin = 0.004;
    MUST(stoic_campaign_run(model, rig_data, &options, path, &summary, err));
    found = rig_dump(path);
    assert_string_equal(found, expected);
    free(found);
    free(expected);
    stoic_model_free(model);
}

static void replayed(void **state) {
    (void)state;
    stoic_model *model = small_lenet();
    rig_open(model);
    stoic_campaign_options options = strata_options(&exponent);
    options.images_per_trial = 1;
    options.margin = 0.02;
    char *path = in_home("again.db");
    stoic_summary summary = rig_run(model, &options, path);
    for (int64_t trial = 0; trial < summary.pilot + summary.trials; trial += 37) {
        bool identical = false;
        MUST(
            stoic_campaign_replay(model, rig_data, path, trial, rig_ignore, NULL, &identical, err));
        assert_true(identical);
    }
    stoic_model_free(model);
}

/* The estimate at each look, of both kinds of campaign; the last is the campaign's. */
static void the_course(void **state) {
    (void)state;
    stoic_model *model = small_lenet();
    rig_open(model);
    char *paths[2] = {in_home("course-0.db"), in_home("course-1.db")};
    for (int strata = 0; strata < 2; strata++) {
        stoic_campaign_options options = strata_options((const char *const[]){"flips:1"});
        options.sampling = strata ? STOIC_SAMPLING_STRATIFIED : STOIC_SAMPLING_SIMPLE;
        options.images_per_trial = 5;
        options.margin = 0.008;
        stoic_summary all = rig_run(model, &options, paths[strata]);
        stoic_records *records = NULL;
        stoic_course_point *points = NULL;
        size_t n = 0;
        MUST(stoic_records_open(paths[strata], &records, err));
        MUST(stoic_records_course(records, &points, &n, err));
        assert_true(n > 3);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(points[i].trials, all.pilot + stoic_look_trials((int)i));
            assert_true(points[i].confidence == 1.0 - stoic_look_alpha(0.05, (int)i));
            assert_true(i + 1 == n || points[i].critical_rate.high - points[i].critical_rate.low >
                                          2 * options.margin);
        }
        const stoic_interval *last = &points[n - 1].critical_rate;
        assert_int_equal(points[n - 1].trials, all.pilot + all.trials);
        assert_true(fabs(last->value - all.critical_rate.value) < 1e-15);
        assert_true(last->low == all.critical_rate.low && last->high == all.critical_rate.high);
        free(points);
        stoic_records_free(records);
    }
    stoic_report_options options = stoic_report_options_default();
    options.figures = in_home("figures");
    MUST(stoic_report_write((const char *const *)paths, 2, &options, in_home("page.html"), err));
    assert_int_equal(access(in_home("figures/course.csv"), F_OK), 0);
    assert_int_not_equal(access(in_home("figures/scatter-2.csv"), F_OK), 0);
    stoic_model_free(model);
}

/* ---- refusals ---- */

static void refuse(const stoic_model *model, stoic_campaign_options options, const char *faults,
                   const char *path, const char *expected) {
    const char *list[2];
    char text[256];
    stoic_summary summary;
    stoic_error err = {0};
    stoic_campaign_options given = rig_options(faults, list, text);
    options.faults = given.faults;
    options.n_faults = given.n_faults;
    if (stoic_campaign_run(model, rig_data, &options, path, &summary, &err) == STOIC_OK)
        fail_msg("%s was accepted", faults);
    if (!strstr(err.message, expected))
        fail_msg("%s: '%s' does not say '%s'", faults, err.message, expected);
}

static void refusals(void **state) {
    (void)state;
    stoic_model *model = small_lenet();
    rig_open(model);
    char *path = in_home("no.db"), *there = in_home("there.db");
    stoic_campaign_options options = strata_options(&exponent);
    refuse(model, options, "ber:1e-3", path, "flips any number of bits");
    refuse(model, options, "flips:2", path, "hits several bits");
    refuse(model, options, "mbu:2", path, "hits several bits");
    refuse(model, options, "random", path, "no end of different faults");
    refuse(model, options, "exhaustive", path, "runs every fault in order");
    refuse(model, options, "map:single", path, "one fault model in stored bits");
    refuse(model, options, "op:flip", path, "one fault model in stored bits");
    refuse(model, options, "flips:1 and stuck0", path, "and another");
    options.max_trials = 200;
    refuse(model, options, "flips:1", path, "needs at least 1124 here: the pilot may take 1024");
    options.max_trials = 0;
    options.margin = 0;
    options.trials = 2000;
    options.shard = 1;
    options.shards = 2;
    refuse(model, options, "flips:1", path, "cannot go with stratified");
    assert_int_not_equal(access(path, F_OK), 0);
    options = strata_options(&exponent);
    options.margin = 0.2;
    options.images_per_trial = 1;
    rig_run(model, &options, there);
    options.sampling = STOIC_SAMPLING_SIMPLE;
    refuse(model, options, exponent, there, "sampling there is stratified, here simple");
    stoic_summary summary;
    stoic_error err;
    const char *parts[] = {there};
    assert_int_equal(stoic_campaign_merge(path, parts, 1, &summary, &err), STOIC_ERR_MISMATCH);
    stoic_model_free(model);
}

static void damage(const stoic_model *model, const stoic_campaign_options *options,
                   const char *sql) {
    char *path = in_home("damaged.db");
    stoic_records *records = NULL;
    stoic_summary summary;
    stoic_error err = {0};
    sqlite3 *db;
    rig_run(model, options, path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    if (stoic_records_open(path, &records, &err) == STOIC_OK)
        fail_msg("%s: nobody noticed", sql);
    assert_int_not_equal(stoic_campaign_run(model, rig_data, options, path, &summary, &err),
                         STOIC_OK);
}

static void damaged_tables(void **state) {
    (void)state;
    stoic_model *model = small_lenet();
    rig_open(model);
    stoic_campaign_options options = strata_options(&exponent);
    options.margin = 0.1;
    options.images_per_trial = 1;
    damage(model, &options, "UPDATE cells SET stratum = 1000000");
    damage(model, &options, "UPDATE cells SET stratum = stratum + 1");
    damage(model, &options, "UPDATE cells SET stratum = NULL WHERE bit = 30");
    damage(model, &options, "UPDATE cells SET faults = -1 WHERE bit = 30");
    damage(model, &options, "UPDATE cells SET faults = 9223372036854775807");
    damage(model, &options, "DELETE FROM cells");
    damage(model, &options, "DROP TABLE cells");
    damage(model, &options, "DROP TABLE stages");
    damage(model, &options, "UPDATE stages SET trials = -5 WHERE pilot = 0");
    damage(model, &options, "UPDATE stages SET trials = 9223372036854775807");
    damage(model, &options, "UPDATE stages SET trials = 100000 WHERE pilot = 0");
    damage(model, &options, "UPDATE stages SET part = part + 1000");
    damage(model, &options, "UPDATE stages SET stage = stage + 1000");
    damage(model, &options, "DELETE FROM stages WHERE stage = 0");
    damage(model, &options, "UPDATE stages SET pilot = 1 - pilot");
    stoic_model_free(model);
}

static int tear_down(void **state) {
    stoic_dataset_free(rig_data);
    return remove_home(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_cover_the_space),
        cmocka_unit_test(exhausted_is_exhaustive),
        cmocka_unit_test(the_weights_are_shares_of_faults),
        cmocka_unit_test(the_same_whatever_happens),
        cmocka_unit_test(replayed),
        cmocka_unit_test(the_course),
        cmocka_unit_test(refusals),
        cmocka_unit_test(damaged_tables),
    };
    return cmocka_run_group_tests(tests, make_home, tear_down);
}
