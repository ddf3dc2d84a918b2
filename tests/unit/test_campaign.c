/* The runner and its file: same bytes whatever happens in between, and refusals. */
#include "campaign_kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void run_ok(kit *k) {
    stoic_error err = {0};
    if (kit_run(k, NULL, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
}

/* The dump of an undisturbed run with one thread; the file is gone. */
static char *reference(kit *k) {
    char path[120];
    snprintf(path, sizeof path, "%.110s", k->path);
    snprintf(k->path, sizeof k->path, "%.100s.ref", path);
    kit_remove(k->path);
    int threads = k->run.threads;
    k->run.threads = 1;
    run_ok(k);
    k->run.threads = threads;
    char *dump = kit_dump(k->path);
    kit_remove(k->path);
    snprintf(k->path, sizeof k->path, "%s", path);
    return dump;
}

static void assert_same_as(kit *k, const char *expected) {
    char *dump = kit_dump(k->path);
    assert_true(strlen(expected) > 1000);
    assert_string_equal(dump, expected);
    free(dump);
}

static void test_counts_by_brute_force(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "brute");
    k.run.trials = 50;
    stoic_summary summary;
    stoic_error err;
    assert_int_equal(kit_run(&k, &summary, &err), STOIC_OK);
    int64_t critical = 0, correct = 0;
    for (int64_t t = 0; t < 50; t++) {
        for (int64_t i = 0; i < KIT_IMAGES; i++) {
            critical += kit_outcome(&k, t, i) & 1;
            correct += kit_outcome(&k, t, i) >> 1 & 1;
        }
    }
    assert_int_equal(summary.trials, 50);
    assert_int_equal(summary.totals.critical, critical);
    assert_int_equal(summary.totals.correct, correct);
    assert_int_equal(summary.totals.masked, -1);
    assert_int_equal(summary.totals.images, 50 * KIT_IMAGES);
    assert_string_equal(summary.stopped, "trials");
    assert_true(summary.critical_rate.value == (double)critical / 5000.0);
    assert_true(summary.critical_rate.low < summary.critical_rate.value);
    kit_remove(k.path);
}

static void test_threads(void **state) {
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        kit k;
        kit_init(&k, "threads");
        k.ordered = variant == 1;
        k.all = variant < 2;
        k.run.design.images_per_trial = variant == 2 ? 1 : variant == 3 ? 7 : 0;
        k.run.keep_images = variant == 3;
        k.run.threads = 2;
        k.nap = 20;
        char *expected = reference(&k);
        run_ok(&k);
        assert_same_as(&k, expected);
        k.critical_share += 20; /* the comparison notices another outcome */
        char *other = reference(&k);
        assert_string_not_equal(other, expected);
        free(other);
        free(expected);
        kit_remove(k.path);
    }
}

static void test_killed_and_resumed(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "killed");
    k.run.trials = 400;
    k.run.threads = 2;
    char *expected = reference(&k);
    k.nap = 600;
    int kills = 0;
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(kit_run(&k, NULL, NULL) == STOIC_OK ? 0 : 1);
        usleep(5000 + kit_hash((uint64_t)i, 9) % 60000);
        kill(child, SIGKILL);
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        kills += WIFSIGNALED(result);
        assert_true(WIFSIGNALED(result) || WEXITSTATUS(result) == 0);
        if (access(k.path, F_OK) == 0 && i % 4 == 3) { /* a reader gets in between */
            stoic_records *records;
            if (stoic_records_open(k.path, &records, NULL) == STOIC_OK)
                stoic_records_free(records);
        }
    }
    assert_true(kills >= 3);
    k.nap = 0;
    run_ok(&k);
    assert_same_as(&k, expected);
    free(expected);
    kit_remove(k.path);
}

static int64_t count_rows(const char *path, const char *table) {
    sqlite3 *db;
    int64_t n = -1;
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(stoic_sql_integer(db, sql, -1, &n, NULL), STOIC_OK);
    sqlite3_close(db);
    return n;
}

/* What was measured more than a quarter of a second before the kill is in the file. */
static void test_kill_loses_little(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "little");
    k.run.design.chunk = 4;
    k.run.trials = 4000;
    k.nap = 1000;
    pid_t child = fork();
    if (child == 0)
        _exit(kit_run(&k, NULL, NULL) == STOIC_OK ? 0 : 1);
    usleep(900000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    /* a unit is 4 trials of 1 ms and a little: 0.65 s are at least 40 units on a busy machine */
    int64_t units = count_rows(k.path, "chunks") * 4 + count_rows(k.path, "journal");
    assert_true(units >= 40);
    assert_true(units < 300);
    kit_remove(k.path);
}

static void test_shards_merged(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "shards");
    k.all = true;
    k.run.trials = 333;
    char *expected = reference(&k);
    char paths[3][128], all[64];
    const char *list[3];
    for (int i = 0; i < 3; i++) {
        kit s = k;
        s.source.user = s.run.worker.user = &s;
        s.run.sites = &s.source;
        snprintf(s.path, sizeof s.path, "campaign-%ld-%d.db", (long)getpid(), i);
        snprintf(paths[i], sizeof paths[i], "%s", s.path);
        list[i] = paths[i];
        kit_remove(s.path);
        s.run.shard = i + 1;
        s.run.shards = 3;
        run_ok(&s);
    }
    snprintf(all, sizeof all, "campaign-%ld-all.db", (long)getpid());
    kit_remove(all);
    stoic_summary summary;
    stoic_error err;
    const char *twice[] = {list[0], list[1], list[0]};
    assert_int_equal(stoic_campaign_merge(all, twice, 3, &summary, &err), STOIC_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "another file holds too"));
    assert_int_equal(access(all, F_OK), -1);
    assert_int_equal(stoic_campaign_merge(all, list, 2, &summary, &err), STOIC_OK);
    assert_string_equal(summary.stopped, "shard"); /* there are gaps */
    kit_remove(all);
    assert_int_equal(stoic_campaign_merge(all, list, 3, &summary, &err), STOIC_OK);
    assert_int_equal(summary.trials, 333);
    assert_string_equal(summary.stopped, "trials");
    snprintf(k.path, sizeof k.path, "%s", all);
    assert_same_as(&k, expected);
    free(expected);
    k.run.trials = 400; /* a merged file can be continued */
    expected = reference(&k);
    run_ok(&k);
    assert_same_as(&k, expected);
    free(expected);
    for (int i = 0; i < 3; i++)
        kit_remove(paths[i]);
    kit_remove(all);
}

static void test_more_trials(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "more");
    k.run.trials = 207;
    char *expected = reference(&k);
    const int64_t steps[] = {1, 37, 37, 40, 150, 207};
    for (int i = 0; i < 6; i++) {
        k.run.trials = steps[i];
        run_ok(&k);
    }
    assert_same_as(&k, expected);
    free(expected);
    kit_remove(k.path);
}

/* Fewer trials than the file holds, or plans: nothing is run, and the plan stays what it was. */
static void test_fewer_trials(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "fewer");
    k.run.trials = 207;
    char *expected = reference(&k);
    const int64_t steps[] = {100, 50, 207, 1, 150};
    const int64_t planned[] = {100, 100, 207, 207, 207};
    for (int i = 0; i < 5; i++) {
        stoic_summary summary;
        stoic_error err;
        k.run.trials = steps[i];
        assert_int_equal(kit_run(&k, &summary, &err), STOIC_OK);
        assert_int_equal(summary.planned, planned[i]);
        assert_int_equal(summary.trials, planned[i]);
        assert_string_equal(summary.stopped, "trials");
    }
    assert_same_as(&k, expected);
    k.run.limit = 207; /* all there is, whatever is asked for now */
    for (k.run.trials = 207; k.run.trials >= 100; k.run.trials -= 107) {
        stoic_summary summary;
        stoic_error err;
        assert_int_equal(kit_run(&k, &summary, &err), STOIC_OK);
        assert_string_equal(summary.stopped, "exhausted");
    }
    free(expected);
    kit_remove(k.path);
}

/* Interrupted in the middle of the last, shorter chunk, then more trials are asked for. */
static void test_more_trials_after_interruption(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "grown");
    k.run.trials = 64;
    char *expected = reference(&k);
    k.run.trials = 40;
    k.fail_at = -1;
    stoic_campaign_file *file;
    volatile int cancel = 1; /* at once: the first units finish all the same */
    k.run.cancel = &cancel;
    k.nap = 3000;
    k.run.design.chunk = 16;
    stoic_error err;
    for (int i = 0; i < 6; i++) {
        stoic_status status = kit_run(&k, NULL, &err);
        assert_true(status == STOIC_ERR_INTERRUPTED || status == STOIC_OK);
    }
    assert_int_equal(stoic_campaign_file_open(k.path, false, &file, &err), STOIC_OK);
    stoic_campaign_file_close(file);
    k.run.cancel = NULL;
    k.nap = 0;
    k.run.trials = 64;
    run_ok(&k);
    assert_same_as(&k, expected);
    free(expected);
    kit_remove(k.path);
}

static void test_worker_error_keeps_work(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "broken");
    k.run.threads = 2;
    char *expected = reference(&k);
    k.fail_at = 150;
    stoic_error err;
    assert_int_equal(kit_run(&k, NULL, &err), STOIC_ERR_BACKEND);
    assert_string_equal(err.message, "the fake engine broke");
    assert_true(count_rows(k.path, "trials") >= 100);
    k.fail_at = -1;
    run_ok(&k);
    assert_same_as(&k, expected);
    free(expected);
    kit_remove(k.path);
}

/* Memory of one worker, or of all, changes on the way: what was measured since the last check is in
 * no record and no journal row, however rarely memory is checked. */
static void test_memory_changes(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) {
        kit k;
        stoic_error err = {0};
        kit_init(&k, "spoiled");
        k.run.trials = 600;
        k.run.threads = i & 1 ? 3 : 1;
        char *expected = reference(&k);
        k.spoil_shared = i >> 1 & 1;
        k.check_load = i >> 2 & 1 ? 500 : 0; /* a check every 50 ms */
        k.nap = 300 * k.run.threads;         /* half a second until then */
        k.spoil_at = 400;
        assert_int_equal(kit_run(&k, NULL, &err), STOIC_ERR_CORRUPT);
        assert_string_equal(err.message, "the fake memory changed");
        /* a nap takes no processor time: with loaded checks nothing may have been written yet */
        assert_true(kit_records_within(k.path, expected) > 0 || k.check_load > 0);
        k.spoil_at = -1;
        k.nap = k.check_load = 0;
        atomic_store(&k.spoiled, false);
        run_ok(&k);
        assert_same_as(&k, expected);
        free(expected);
        kit_remove(k.path);
    }
}

static void count_progress(void *user, const stoic_campaign_progress *p) {
    int *calls = user;
    (*calls)++;
    assert_true(p->fraction >= 0.0 && p->fraction <= 1.0);
    assert_true(p->trials_done <= p->trials_total);
}

static void test_progress(void **state) {
    (void)state;
    kit k;
    int calls = 0;
    kit_init(&k, "progress");
    k.run.progress = count_progress;
    k.run.user = &calls;
    run_ok(&k);
    assert_true(calls > 0);
    kit_remove(k.path);
}

/* ---- refusals ---- */

static void assert_refused(const char *path, bool write, stoic_status code, const char *words) {
    stoic_campaign_file *file;
    stoic_error err = {0};
    assert_int_equal(stoic_campaign_file_open(path, write, &file, &err), code);
    if (!strstr(err.message, words))
        fail_msg("expected '%s' in '%s'", words, err.message);
    assert_null(file);
}

static void write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void sql(const char *path, const char *text) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_strange_files(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "strange");
    assert_refused(k.path, false, STOIC_ERR_IO, "No such file");
    assert_int_equal(access(k.path, F_OK), -1);
    assert_refused("/proc/nowhere/x.db", true, STOIC_ERR_IO, "cannot create");
    write_text(k.path, "");
    assert_refused(k.path, false, STOIC_ERR_FORMAT, "it is empty");
    write_text(k.path, "this is a text of more than sixteen letters, repeated no further");
    assert_refused(k.path, false, STOIC_ERR_FORMAT, "not even SQLite");
    assert_refused(k.path, true, STOIC_ERR_FORMAT, "not even SQLite");
    kit_remove(k.path);
    sql(k.path, "CREATE TABLE pets(name TEXT); INSERT INTO pets VALUES('Tom')");
    assert_refused(k.path, true, STOIC_ERR_FORMAT, "another program");
    assert_refused(k.path, false, STOIC_ERR_FORMAT, "another program");
    assert_int_equal(count_rows(k.path, "pets"), 1);
    kit_remove(k.path);
    run_ok(&k);
    sql(k.path, "PRAGMA user_version = 2");
    assert_refused(k.path, true, STOIC_ERR_FORMAT, "format 2");
    assert_refused(k.path, false, STOIC_ERR_FORMAT, "format 2");
    kit_remove(k.path);
}

static void test_another_campaign(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "other");
    k.run.trials = 20;
    run_ok(&k);
    stoic_campaign_file *file;
    stoic_facts wanted = {0};
    stoic_error err;
    assert_int_equal(stoic_campaign_file_open(k.path, false, &file, &err), STOIC_OK);
    assert_int_equal(stoic_facts_set(&wanted, true, "seed", &err, "5"), STOIC_OK);
    assert_int_equal(stoic_facts_match(&file->facts, &wanted, false, k.path, &err), STOIC_OK);
    assert_int_equal(stoic_facts_match(&file->facts, &wanted, true, k.path, &err),
                     STOIC_ERR_MISMATCH);
    assert_int_equal(stoic_facts_set(&wanted, true, "seed", &err, "6"), STOIC_OK);
    assert_int_equal(stoic_facts_match(&file->facts, &wanted, false, k.path, &err),
                     STOIC_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "seed there is 5, here 6"));
    stoic_facts_deinit(&wanted);
    stoic_campaign_file_close(file);
    kit other = k; /* two strangers are not merged */
    other.source.user = other.run.worker.user = &other;
    snprintf(other.path, sizeof other.path, "campaign-%ld-o.db", (long)getpid());
    kit_remove(other.path);
    other.run.seed = 6;
    run_ok(&other);
    const char *list[] = {k.path, other.path};
    stoic_summary summary;
    assert_int_equal(stoic_campaign_merge("campaign-never.db", list, 2, &summary, &err),
                     STOIC_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "seed there is 6"));
    assert_int_equal(access("campaign-never.db", F_OK), -1);
    kit_remove(k.path);
    kit_remove(other.path);
}

static void test_second_writer(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "second");
    stoic_campaign_file *file;
    stoic_error err;
    assert_int_equal(stoic_campaign_file_open(k.path, true, &file, &err), STOIC_OK);
    char words[64];
    snprintf(words, sizeof words, "being written by process %ld", (long)getpid());
    assert_refused(k.path, true, STOIC_ERR_IO, words);
    stoic_campaign_file_close(file);
    assert_int_equal(access(k.path, F_OK), -1); /* nothing came of it */
    run_ok(&k);
    kit_remove(k.path);
}

/* What a process that is gone has left: of this machine nothing that counts, whatever its name;
 * of another one the word of somebody whose lock cannot be seen from here. */
static void test_signature_left_behind(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "signed");
    char lock[160], host[200] = "", text[600], boot[64] = "";
    snprintf(lock, sizeof lock, "%s-lock", k.path);
    gethostname(host, sizeof host - 1);
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%63s", boot), 1);
    fclose(file);
    const struct {
        const char *host, *boot;
        bool free;
    } cases[] = {{host, "11111111-2222-3333-4444-555555555555", true}, /* before it was restarted */
                 {"another", boot, true},                              /* a container of this one */
                 {"another", "11111111-2222-3333-4444-555555555555", false},
                 {"another", "", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "process 7 on %s\nboot %s\n", cases[i].host, cases[i].boot);
        write_text(lock, text);
        if (cases[i].free)
            run_ok(&k);
        else
            assert_refused(k.path, true, STOIC_ERR_IO, "written by process 7 on another, another");
        assert_int_equal(access(lock, F_OK), cases[i].free ? -1 : 0);
        unlink(lock);
    }
    write_text(lock, ""); /* killed before it signed */
    run_ok(&k);
    kit_remove(k.path);
}

/* The process that holds the lock is another one, and is killed. */
static void test_writer_killed(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "killed-writer");
    int ready[2];
    char byte, words[64];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        stoic_campaign_file *file;
        bool held = stoic_campaign_file_open(k.path, true, &file, NULL) == STOIC_OK;
        (void)!write(ready[1], held ? "y" : "n", 1);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    snprintf(words, sizeof words, "being written by process %ld on ", (long)child);
    assert_refused(k.path, true, STOIC_ERR_IO, words);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    run_ok(&k);
    kit_remove(k.path);
}

static void test_full_disk(void **state) {
    (void)state;
    kit k;
    kit_init(&k, "full");
    k.run.trials = 3000;
    char *expected = reference(&k);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {200000, 200000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        stoic_error err = {0};
        stoic_status status = kit_run(&k, NULL, &err);
        _exit(status == STOIC_ERR_IO && strstr(err.message, "cannot write the file") ? 7
                                                                                     : (int)status);
    }
    int result;
    waitpid(child, &result, 0);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 7);
    run_ok(&k);
    assert_same_as(&k, expected);
    free(expected);
    kit_remove(k.path);
}

/* A tmpfs of 200 kB, where this process may mount one. */
static void test_full_tmpfs(void **state) {
    (void)state;
    char folder[64];
    snprintf(folder, sizeof folder, "campaign-%ld-small", (long)getpid());
    assert_int_equal(mkdir(folder, 0700), 0);
    if (mount("none", folder, "tmpfs", 0, "size=200k") != 0) {
        rmdir(folder);
        skip();
    }
    kit k;
    kit_init(&k, "tmpfs");
    k.run.trials = 10000;
    snprintf(k.path, sizeof k.path, "%s/run.db", folder);
    stoic_error err = {0};
    stoic_status status = kit_run(&k, NULL, &err);
    stoic_campaign_file *file;
    bool readable = stoic_campaign_file_open(k.path, false, &file, NULL) == STOIC_OK;
    stoic_campaign_file_close(file);
    umount2(folder, MNT_DETACH);
    rmdir(folder);
    assert_int_equal(status, STOIC_ERR_IO);
    assert_non_null(strstr(err.message, "disk is full"));
    assert_true(readable);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_by_brute_force),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_killed_and_resumed),
        cmocka_unit_test(test_kill_loses_little),
        cmocka_unit_test(test_shards_merged),
        cmocka_unit_test(test_more_trials),
        cmocka_unit_test(test_fewer_trials),
        cmocka_unit_test(test_more_trials_after_interruption),
        cmocka_unit_test(test_worker_error_keeps_work),
        cmocka_unit_test(test_memory_changes),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_strange_files),
        cmocka_unit_test(test_another_campaign),
        cmocka_unit_test(test_second_writer),
        cmocka_unit_test(test_signature_left_behind),
        cmocka_unit_test(test_writer_killed),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_full_tmpfs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
