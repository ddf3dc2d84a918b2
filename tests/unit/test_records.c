/* Reading campaign files: groups against brute force, stopping at a margin, size and speed. */
#include "campaign_kit.h"

#include "campaign/rows.h"

#include <math.h>
#include <sqlite3.h>
#include <sys/stat.h>

static void run_ok(kit *k) {
    stoic_error err = {0};
    if (kit_run(k, NULL, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
}

/* ---- groups ---- */

typedef struct brute {
    int64_t trials[KIT_LAYERS + 1][KIT_BITS + 1], critical[KIT_LAYERS + 1][KIT_BITS + 1];
    int64_t rows, images; /* images of one trial */
} brute;

/* Index 0 is "not grouped by". */
static void add_brute(brute *b, int layer, int bit, int64_t critical) {
    for (int l = 0; l < 2; l++) {
        for (int i = 0; i < 2; i++) {
            if ((l && layer < 0) || (i && bit < 0))
                continue;
            b->trials[l ? layer + 1 : 0][i ? bit + 1 : 0]++;
            b->critical[l ? layer + 1 : 0][i ? bit + 1 : 0] += critical;
        }
    }
}

static bool collect(void *user, const stoic_record *record) {
    brute *b = user;
    b->rows++;
    b->images = record->counts.images;
    add_brute(b, record->layer, record->bit, record->counts.critical);
    return true;
}

static void assert_groups(stoic_records *records, const brute *b, bool by_layer, bool by_bit) {
    stoic_group *groups;
    size_t n, expected = 0;
    stoic_error err;
    for (int l = by_layer; l <= (by_layer ? KIT_LAYERS : 0); l++) {
        for (int i = by_bit; i <= (by_bit ? KIT_BITS : 0); i++)
            expected += b->trials[l][i] > 0;
    }
    assert_int_equal(stoic_records_groups(records, by_layer, by_bit, &groups, &n, &err), STOIC_OK);
    assert_int_equal(n, expected);
    for (size_t g = 0; g < n; g++) {
        int l = by_layer ? groups[g].layer + 1 : 0, i = by_bit ? groups[g].bit + 1 : 0;
        assert_int_equal(groups[g].trials, b->trials[l][i]);
        assert_int_equal(groups[g].totals.critical, b->critical[l][i]);
        double rate = (double)b->critical[l][i] / ((double)b->trials[l][i] * (double)b->images);
        assert_true(fabs(groups[g].critical_rate.value - rate) < 1e-15);
        assert_true(groups[g].critical_rate.low <= rate && groups[g].critical_rate.high >= rate);
    }
    stoic_groups_free(groups);
}

static void check_groups(kit *k, int64_t rows) {
    stoic_records *records;
    stoic_error err;
    brute b = {0};
    assert_int_equal(stoic_records_open(k->path, &records, &err), STOIC_OK);
    assert_int_equal(stoic_records_each(records, collect, &b, &err), STOIC_OK);
    assert_int_equal(b.rows, rows);
    for (int by = 0; by < 4; by++)
        assert_groups(records, &b, by & 1, by >> 1);
    stoic_records_free(records);
}

static void test_groups(void **state) {
    (void)state;
    for (int ordered = 0; ordered < 2; ordered++) {
        kit k;
        kit_init(&k, "groups");
        k.ordered = ordered;
        k.all = true;
        k.run.trials = 1500;
        run_ok(&k);
        stoic_moments strata, trials; /* the summary rows against the rows they sum up */
        stoic_campaign_file *file;
        assert_int_equal(stoic_campaign_file_open(k.path, false, &file, NULL), STOIC_OK);
        assert_int_equal(stoic_rows_moments(file, -1, &strata, NULL), STOIC_OK);
        assert_int_equal(stoic_rows_moments(file, 1500, &trials, NULL), STOIC_OK);
        stoic_campaign_file_close(file);
        assert_true(strata.totals.masked > 0 && strata.totals.sdc5 > 0);
        assert_memory_equal(&strata.totals, &trials.totals, sizeof trials.totals);
        assert_memory_equal(&strata.correct, &trials.correct, sizeof trials.correct);
        check_groups(&k, 1500);
        kit_remove(k.path);
    }
}

/* ---- sites: drawn, stored and read again ---- */

typedef struct site_check {
    kit *k;
    int64_t sites, next;
    size_t ordinal;
    stoic_site_list list;
} site_check;

static bool compare_site(void *user, const stoic_site_record *site) {
    site_check *c = user;
    while (c->next <= site->trial && (c->next < site->trial || c->ordinal >= c->list.count)) {
        if (c->next < site->trial || c->ordinal >= c->list.count) {
            c->next = site->trial;
            c->ordinal = 0;
            assert_int_equal(kit_draw(c->k, site->trial, &c->list, NULL), STOIC_OK);
            break;
        }
    }
    const stoic_site *s = &c->list.items[c->ordinal++];
    assert_int_equal(site->layer, s->layer);
    assert_int_equal(site->word, s->word);
    assert_int_equal(site->index, s->index);
    assert_int_equal(site->bit, s->bit);
    assert_string_equal(site->kind, stoic_action_name(s->action));
    assert_true(site->before == s->before);
    assert_true(site->after == s->after || (isnan(site->after) && isnan(s->after)));
    c->sites++;
    return true;
}

static void test_sites(void **state) {
    (void)state;
    for (int ordered = 0; ordered < 2; ordered++) {
        kit k;
        kit_init(&k, "sites");
        k.ordered = ordered;
        k.run.trials = 1000;
        run_ok(&k);
        site_check check = {.k = &k, .next = -1};
        int64_t expected = 0;
        for (int64_t t = 0; t < 1000; t++) {
            assert_int_equal(kit_draw(&k, t, &check.list, NULL), STOIC_OK);
            expected += (int64_t)check.list.count;
        }
        check.list.count = 0;
        stoic_records *records;
        stoic_error err;
        assert_int_equal(stoic_records_open(k.path, &records, &err), STOIC_OK);
        assert_int_equal(stoic_records_each_site(records, compare_site, &check, &err), STOIC_OK);
        assert_int_equal(check.sites, expected);
        stoic_records_free(records);
        stoic_site_list_deinit(&check.list);
        kit_remove(k.path);
    }
}

/* ---- images of a trial ---- */

static void test_picks(void **state) {
    (void)state;
    uint8_t bitmap[KIT_IMAGES / 8 + 1] = {0};
    int64_t picks[KIT_IMAGES], seen[KIT_IMAGES] = {0};
    for (int64_t n = 1; n <= KIT_IMAGES; n += 9) {
        for (int64_t t = 0; t < 200; t++) {
            stoic_pick_images(3, t, KIT_IMAGES, n, bitmap, picks);
            for (int64_t i = 0; i < n; i++) {
                assert_in_range(picks[i], 0, KIT_IMAGES - 1);
                assert_true(i == 0 || picks[i] > picks[i - 1]);
                seen[picks[i]] += n == 10;
            }
        }
    }
    for (size_t i = 0; i < sizeof bitmap; i++)
        assert_int_equal(bitmap[i], 0);
    for (int i = 0; i < KIT_IMAGES; i++) /* binomial: 200 draws of 1/10, 20 ± 6 σ */
        assert_in_range(seen[i], 2, 46);
}

/* --keep images: bitmaps over the images that the trial used, block by block. */
static int64_t check_bitmaps(const kit *k, sqlite3_stmt *row) {
    int64_t trial = sqlite3_column_int64(row, 0), block = sqlite3_column_int64(row, 1);
    int64_t picks[KIT_IMAGES], n = 0;
    uint8_t scratch[KIT_IMAGES / 8 + 1] = {0};
    stoic_pick_images(k->run.seed, trial, KIT_IMAGES, k->run.design.images_per_trial, scratch,
                      picks);
    for (int64_t i = 0; i < k->run.design.images_per_trial; i++) {
        if (picks[i] / k->run.design.block != block)
            continue;
        unsigned expected = kit_outcome(k, trial, picks[i]);
        for (int kind = 0; kind < 3; kind++) {
            const uint8_t *bitmap = sqlite3_column_blob(row, 3 + kind);
            assert_int_equal(bitmap[n / 8] >> n % 8 & 1, expected >> kind & 1);
        }
        n++;
    }
    assert_int_equal(sqlite3_column_int64(row, 2), n);
    return n;
}

static void test_kept_images(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "kept");
    k.run.design.images_per_trial = 37;
    k.run.keep_images = true;
    k.run.threads = 2;
    k.critical_share = 400;
    run_ok(&k);
    stoic_campaign_file *file;
    sqlite3_stmt *rows;
    bool row = true;
    int64_t images = 0;
    assert_int_equal(stoic_campaign_file_open(k.path, false, &file, NULL), STOIC_OK);
    assert_int_equal(stoic_sql_prepare(file->db,
                                       "SELECT trial, block, images, critical, correct, nan"
                                       " FROM outcomes",
                                       &rows, NULL),
                     STOIC_OK);
    while (row) {
        assert_int_equal(stoic_sql_step(rows, &row, NULL), STOIC_OK);
        images += row ? check_bitmaps(&k, rows) : 0;
    }
    assert_int_equal(images, 37 * k.run.trials);
    sqlite3_finalize(rows);
    stoic_campaign_file_close(file);
    kit_remove(k.path);
}

/* ---- stopping ---- */

/* The look at which the campaign must stop, from the definition. */
static int64_t expected_stop(const kit *k, int64_t most, int *look) {
    stoic_moments moments = {0};
    int64_t t = 0;
    for (*look = 0;; ++*look) {
        int64_t n = stoic_look_trials(*look) < most ? stoic_look_trials(*look) : most;
        for (; t < n; t++) {
            int64_t image;
            stoic_pick_images(k->run.seed, t, KIT_IMAGES, 1, NULL, &image);
            unsigned o = kit_outcome(k, t, image);
            stoic_counts counts = {.images = 1, .critical = o & 1, .correct = o >> 1 & 1};
            stoic_moments_add(&moments, &counts);
        }
        double alpha = (1.0 - k->run.confidence) / ((*look + 1.0) * (*look + 2.0));
        stoic_interval i = stoic_wilson((double)moments.totals.critical, (double)n, alpha);
        if ((i.high - i.low) / 2.0 <= k->run.margin || n == most)
            return n;
    }
}

static void test_sequential_stop(void **state) {
    (void)state;
    const double margins[] = {0.05, 0.03, 0.0001};
    for (int i = 0; i < 3; i++) {
        kit k;
        kit_init(&k, "margin");
        k.run.design.images_per_trial = 1;
        k.run.margin = margins[i];
        k.run.trials = 5000;
        k.critical_share = 300;
        k.run.threads = 2;
        stoic_summary summary;
        stoic_error err;
        assert_int_equal(kit_run(&k, &summary, &err), STOIC_OK);
        int look;
        int64_t n = expected_stop(&k, 5000, &look);
        assert_int_equal(summary.trials, n);
        assert_string_equal(summary.stopped, i < 2 ? "margin" : "max-trials");
        assert_true(fabs(1.0 - summary.confidence - 0.05 / ((look + 1.0) * (look + 2.0))) < 1e-12);
        double width = summary.critical_rate.high - summary.critical_rate.low;
        assert_true(i < 2 ? width / 2 <= margins[i] : width / 2 > margins[i]);
        char *dump = kit_dump(k.path);
        assert_int_equal(kit_run(&k, &summary, &err), STOIC_OK); /* nothing left to do */
        assert_int_equal(summary.trials, n);
        k.run.margin /= 1.5; /* a narrower margin goes on from there */
        int64_t more = expected_stop(&k, 5000, &look);
        assert_int_equal(kit_run(&k, &summary, &err), STOIC_OK);
        assert_int_equal(summary.trials, more);
        assert_true(more >= n);
        check_groups(&k, more);
        free(dump);
        kit_remove(k.path);
    }
}

/* One simulated campaign with looks at a true rate of `p`; does its last interval hold p? With
 * `spend` the looks share alpha, as they do; without it each takes all of it. */
static bool look_covers(uint64_t seed, double p, double margin, bool spend) {
    stoic_rng rng;
    stoic_rng_init(&rng, 99, seed, STOIC_STREAM_VALUE);
    int64_t n = 0, events = 0;
    for (int k = 0;; k++) {
        for (; n < stoic_look_trials(k); n++)
            events += stoic_rng_unit(&rng) <= p;
        double alpha = spend ? stoic_look_alpha(0.05, k) : 0.05;
        stoic_interval i = stoic_wilson((double)events, (double)n, alpha);
        if ((i.high - i.low) / 2.0 <= margin)
            return i.low <= p && p <= i.high;
    }
}

static void test_coverage_of_looks(void **state) {
    (void)state;
    const double rates[] = {0.01, 0.1, 0.4};
    enum { CAMPAIGNS = 1500 };
    for (int r = 0; r < 3; r++) {
        int spent = 0, naive = 0;
        for (uint64_t seed = 0; seed < CAMPAIGNS; seed++) {
            spent += look_covers(seed, rates[r], 0.03, true);
            naive += look_covers(seed, rates[r], 0.03, false);
        }
        assert_true(spent >= 0.95 * CAMPAIGNS);
        assert_true(naive < spent);
    }
}

/* Trials of 100 images where most faults do nothing and few do much: the trial is the unit. */
static void test_coverage_of_unequal_trials(void **state) {
    (void)state;
    enum { CAMPAIGNS = 1000, TRIALS = 400, IMAGES = 100 };
    int by_trial = 0, by_image = 0;
    const double truth = 0.1 * 0.5;
    const stoic_basis basis = {.images = IMAGES, .alpha = 0.05};
    for (uint64_t seed = 0; seed < CAMPAIGNS; seed++) {
        stoic_rng rng;
        stoic_rng_init(&rng, 98, seed, STOIC_STREAM_VALUE);
        stoic_moments moments = {0};
        for (int t = 0; t < TRIALS; t++) {
            int64_t critical = 0;
            double rate = stoic_rng_unit(&rng) <= 0.1 ? stoic_rng_unit(&rng) : 0.0;
            for (int i = 0; rate > 0.0 && i < IMAGES; i++)
                critical += stoic_rng_unit(&rng) <= rate;
            stoic_moments_add(&moments, &(stoic_counts){.images = IMAGES, .critical = critical});
        }
        stoic_interval i = stoic_moments_critical(&moments, &basis);
        by_trial += i.low <= truth && truth <= i.high;
        i = stoic_wilson((double)moments.totals.critical, (double)TRIALS * IMAGES, 0.05);
        by_image += i.low <= truth && truth <= i.high;
    }
    assert_in_range(by_trial, 0.93 * CAMPAIGNS, 0.99 * CAMPAIGNS);
    assert_true(by_image < 0.6 * CAMPAIGNS); /* what treating images as the unit would give */
}

static void test_margin_is_deterministic(void **state) {
    (void)state;
    char *dumps[2];
    for (int threads = 1; threads <= 2; threads++) {
        kit k;
        kit_init(&k, "looks");
        k.run.margin = 0.004;
        k.run.trials = 3000;
        k.run.threads = threads;
        k.nap = threads == 2 ? 10 : 0;
        run_ok(&k);
        dumps[threads - 1] = kit_dump(k.path);
        kit_remove(k.path);
    }
    assert_string_equal(dumps[0], dumps[1]);
    free(dumps[0]);
    free(dumps[1]);
    kit k;
    kit_init(&k, "shardmargin");
    k.run.margin = 0.1;
    k.run.shard = 1;
    k.run.shards = 2;
    stoic_error err;
    assert_int_equal(kit_run(&k, NULL, &err), STOIC_ERR_ARGUMENT);
    kit_remove(k.path);
}

/* Nothing is left to chance once every fault has met every image. */
static void test_exhausted(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "exhausted");
    k.ordered = true;
    k.run.trials = 1000;
    k.run.limit = 320;
    stoic_summary summary;
    stoic_error err;
    assert_int_equal(kit_run(&k, &summary, &err), STOIC_OK);
    assert_string_equal(summary.stopped, "exhausted");
    assert_int_equal(summary.trials, 320);
    assert_true(summary.critical_rate.low == summary.critical_rate.value);
    assert_true(summary.accuracy.high == summary.accuracy.value);
    kit_remove(k.path);
}

/* ---- damaged files ---- */

static bool ignore_row(void *user, const stoic_record *record) {
    (void)user;
    (void)record;
    return true;
}

static void assert_damage_found(const char *sql) {
    kit k;
    kit_init(&k, "damaged");
    k.ordered = true;
    k.run.trials = 100;
    run_ok(&k);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(k.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    stoic_records *records = NULL;
    stoic_error err = {0};
    stoic_status status = stoic_records_open(k.path, &records, &err);
    if (status == STOIC_OK)
        status = stoic_records_each(records, ignore_row, NULL, &err);
    if (status == STOIC_OK) {
        k.run.trials = 200;
        status = kit_run(&k, NULL, &err);
    }
    if (status != STOIC_ERR_FORMAT && status != STOIC_ERR_BACKEND)
        fail_msg("not refused: %s (%s)", sql, stoic_status_name(status));
    stoic_records_free(records);
    kit_remove(k.path);
}

static void test_damage(void **state) {
    (void)state;
    assert_damage_found("UPDATE spans SET words = 1000000000");
    assert_damage_found("UPDATE spans SET mask = 0");
    assert_damage_found("UPDATE spans SET mask = -1");
    assert_damage_found("UPDATE spans SET entry = 77");
    assert_damage_found("UPDATE spans SET stored = x'00'");
    assert_damage_found("UPDATE entries SET layer = 9");
    assert_damage_found("UPDATE meta SET value = '0' WHERE key = 'trial_images'");
    assert_damage_found("UPDATE chunks SET trials = -5");
    assert_damage_found("UPDATE trials SET critical = 9223372036854775807 WHERE trial = 7");
    assert_damage_found("DROP TABLE trials");
    assert_damage_found("INSERT INTO journal VALUES(6, 99, 100, 4, x'00')");
    assert_damage_found("INSERT INTO journal VALUES(6, 0, 100, 4, x'0000')");
    assert_damage_found("INSERT INTO journal VALUES(6, 0, 100, 4, x'010001')");
}

/* Executes `sql`, expects the file to be refused for it, and executes `undo`. */
static void assert_code_refused(kit *k, sqlite3 *db, const char *sql, const char *undo) {
    stoic_records *records = NULL;
    stoic_error err = {0};
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    if (stoic_records_open(k->path, &records, &err) != STOIC_ERR_FORMAT)
        fail_msg("not refused: %s", sql);
    assert_non_null(strstr(err.message, "not a plain campaign file"));
    assert_int_equal(kit_run(k, NULL, &err), STOIC_ERR_FORMAT);
    assert_int_equal(sqlite3_exec(db, undo, NULL, NULL, NULL), SQLITE_OK);
}

/* A view in the place of any table could compute for ever; so could a trigger. */
static void test_code_in_file(void **state) {
    (void)state;
    kit k;
    sqlite3 *db;
    sqlite3_stmt *names;
    char sql[256], undo[256];
    int tables = 0;
    kit_init(&k, "code");
    k.run.trials = 20;
    run_ok(&k);
    assert_int_equal(sqlite3_open(k.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "CREATE TEMP TABLE names AS SELECT name FROM"
                                  " main.sqlite_master WHERE type = 'table'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    for (;; tables++) {
        snprintf(sql, sizeof sql, "SELECT name FROM names LIMIT 1 OFFSET %d", tables);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &names, NULL), SQLITE_OK);
        if (sqlite3_step(names) != SQLITE_ROW)
            break;
        const char *name = (const char *)sqlite3_column_text(names, 0);
        snprintf(sql, sizeof sql,
                 "ALTER TABLE %s RENAME TO was; CREATE VIEW %s AS SELECT * FROM was", name, name);
        snprintf(undo, sizeof undo, "DROP VIEW %s; ALTER TABLE was RENAME TO %s", name, name);
        sqlite3_finalize(names);
        assert_code_refused(&k, db, sql, undo);
    }
    sqlite3_finalize(names);
    assert_int_equal(tables, 14);
    assert_code_refused(&k, db, "CREATE TRIGGER t AFTER INSERT ON trials BEGIN SELECT 1; END",
                        "DROP TRIGGER t; CREATE VIEW mine AS SELECT * FROM trials");
    sqlite3_close(db);
    run_ok(&k); /* undone, and with a view of one's own */
    kit_remove(k.path);
}

/* ---- numbers as facts ---- */

static void test_number_text(void **state) {
    (void)state;
    const double values[] = {0.95, 0.05, 2.0 / 3.0, 1e-300, 0.9235, 1.0, 0.0, 0x1.fffffffffffffp-1};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[32], *end;
        assert_true(strtod(stoic_facts_number_text(values[i], text), &end) == values[i]);
        assert_int_equal(*end, 0);
    }
    char text[32];
    assert_string_equal(stoic_facts_number_text(0.95, text), "0.95");
}

/* ---- size and speed of a whole LeNet-5 ---- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Counts as 10,000 images would give them, without counting images. */
static stoic_status quick_trial(void *state, int64_t trial, const int32_t *images, int64_t n_images,
                                stoic_counts *counts, uint8_t *outcome, stoic_error *err) {
    (void)images;
    (void)n_images;
    (void)outcome;
    (void)err;
    kit_state *s = state;
    uint32_t h = kit_hash((uint64_t)trial, 4);
    int64_t critical = h % 4 ? 0 : h >> 8 & 8191;
    *counts = (stoic_counts){.images = s->count,
                             .correct = 9000 - critical / 2,
                             .critical = critical,
                             .nan = h % 64 ? 0 : critical,
                             .masked = -1,
                             .tolerable = -1,
                             .due = 0,
                             .sdc5 = -1,
                             .sdc10 = -1,
                             .sdc20 = -1};
    return STOIC_OK;
}

static bool count_row(void *user, const stoic_record *record) {
    int64_t *n = user;
    *n += record->bit >= 0;
    return true;
}

static void test_exhaustive_lenet5(void **state) {
    (void)state;
    if (!getenv("STOIC_SLOW"))
        skip();
    const int64_t trials = 4237440;
    kit k;
    kit_init(&k, "lenet5");
    k.ordered = true;
    k.run.trials = k.run.limit = trials;
    k.run.design = (stoic_design){.chunk = 1024, .block = 10000, .images = 10000};
    k.run.worker.trial = quick_trial;
    double start = now();
    run_ok(&k);
    double run_seconds = now() - start;
    struct stat info;
    assert_int_equal(stat(k.path, &info), 0);
    stoic_records *records;
    stoic_error err;
    stoic_group *groups;
    size_t n;
    start = now();
    assert_int_equal(stoic_records_open(k.path, &records, &err), STOIC_OK);
    assert_int_equal(stoic_records_groups(records, true, true, &groups, &n, &err), STOIC_OK);
    double group_seconds = now() - start;
    assert_int_equal(n, KIT_LAYERS * KIT_BITS);
    stoic_groups_free(groups);
    int64_t rows = 0;
    start = now();
    assert_int_equal(stoic_records_each(records, count_row, &rows, &err), STOIC_OK);
    print_message("%lld trials: written in %.1f s, %.1f MB, groups in %.4f s, rows in %.1f s\n",
                  (long long)trials, run_seconds, (double)info.st_size / 1e6, group_seconds,
                  now() - start);
    assert_int_equal(rows, trials);
    assert_true(info.st_size < 100000000);
    assert_true(group_seconds < 1.0);
    stoic_records_free(records);
    kit_remove(k.path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_picks),
        cmocka_unit_test(test_kept_images),
        cmocka_unit_test(test_sequential_stop),
        cmocka_unit_test(test_margin_is_deterministic),
        cmocka_unit_test(test_exhausted),
        cmocka_unit_test(test_coverage_of_looks),
        cmocka_unit_test(test_coverage_of_unequal_trials),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_code_in_file),
        cmocka_unit_test(test_number_text),
        cmocka_unit_test(test_exhaustive_lenet5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
