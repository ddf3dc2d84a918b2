#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/spec.h"
#include "base/text.h"

/* ---- specs and numbers ---- */

static void spec_splits(void **state) {
    (void)state;
    stoic_spec spec;
    stoic_error err;
    assert_int_equal(stoic_spec_parse("dir:/a\\,b,layer=1+2,fast,empty=,path=x\\,y=z", &spec, &err),
                     STOIC_OK);
    assert_string_equal(spec.head, "dir:/a,b");
    assert_int_equal(spec.n_items, 4);
    assert_string_equal(stoic_spec_get(&spec, "layer"), "1+2");
    assert_string_equal(spec.items[1].key, "fast");
    assert_null(spec.items[1].value);
    assert_string_equal(stoic_spec_get(&spec, "empty"), "");
    assert_string_equal(stoic_spec_get(&spec, "path"), "x,y=z");
    assert_null(stoic_spec_get(&spec, "absent"));
    stoic_spec_deinit(&spec);
    assert_int_equal(stoic_spec_parse("fp32", &spec, &err), STOIC_OK);
    assert_string_equal(spec.head, "fp32");
    assert_int_equal(spec.n_items, 0);
    stoic_spec_deinit(&spec);
}

static void spec_refuses(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "expected 'name' or 'name,key=value', found ''"},
        {",a=1", "expected 'name' or 'name,key=value', found ',a=1'"},
        {"x,", "empty key in 'x,'"},
        {"x,=3", "empty key in 'x,=3'"},
        {"x,a=1,,b=2", "empty key in 'x,a=1,,b=2'"},
        {"x,a=1,b,a=2", "key 'a' is given twice in 'x,a=1,b,a=2'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoic_spec spec;
        stoic_error err;
        assert_int_equal(stoic_spec_parse(cases[i].text, &spec, &err), STOIC_ERR_ARGUMENT);
        assert_string_equal(err.message, cases[i].message);
        assert_null(spec.storage);
        assert_int_equal(stoic_spec_parse(cases[i].text, &spec, NULL), STOIC_ERR_ARGUMENT);
    }
}

static void spec_checks_keys(void **state) {
    (void)state;
    static const char *const known[] = {"layer", "bits", "tensor", "share", NULL};
    stoic_spec spec;
    stoic_error err;
    assert_int_equal(stoic_spec_parse("flips:1,layer=1,bits=30", &spec, &err), STOIC_OK);
    assert_int_equal(stoic_spec_check_keys(&spec, known, &err), STOIC_OK);
    stoic_spec_deinit(&spec);
    assert_int_equal(stoic_spec_parse("flips:1,layers=1", &spec, &err), STOIC_OK);
    assert_int_equal(stoic_spec_check_keys(&spec, known, &err), STOIC_ERR_ARGUMENT);
    assert_string_equal(err.message, "'flips:1' has no key 'layers'; did you mean 'layer'?");
    stoic_spec_deinit(&spec);
    assert_int_equal(stoic_spec_parse("flips:1,zzzzz=1", &spec, &err), STOIC_OK);
    assert_int_equal(stoic_spec_check_keys(&spec, known, &err), STOIC_ERR_ARGUMENT);
    assert_string_equal(err.message, "'flips:1' has no key 'zzzzz'");
    stoic_spec_deinit(&spec);
}

static void nearest_word(void **state) {
    (void)state;
    static const char *const known[] = {"trials", "threads", "margin", "max-trials", "z", NULL};
    assert_string_equal(stoic_nearest("trails", known), "trials"); /* a swap */
    assert_string_equal(stoic_nearest("trial", known), "trials");
    assert_string_equal(stoic_nearest("maxtrials", known), "max-trials");
    assert_string_equal(stoic_nearest("margin", known), "margin");
    assert_string_equal(stoic_nearest("z", known), "z");
    assert_null(stoic_nearest("qqqqqq", known));
    assert_null(stoic_nearest("", known));
    assert_null(stoic_nearest("x", known)); /* every letter would change */
    char lengthy[200];
    memset(lengthy, 'a', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = '\0';
    assert_null(stoic_nearest(lengthy, known));
}

static void numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"1e-4", 1e-4},    {"0.5", 0.5}, {".5", 0.5},    {"-2.5", -2.5},
                {"+3", 3.0},       {"1M", 1e6},  {"2.5k", 2500}, {"3G", 3e9},
                {"0x1p-3", 0.125}, {"1T", 1e12}, {"0x10", 16.0}, {"1e308", 1e308}};
    static const char *const bad[] = {"",     " 1",  "1 ",  "abc", "1x",     "1e999", "nan", "inf",
                                      "-inf", "1,5", "1MM", "--1", "1e308k", ".",     "e5"};
    stoic_error err;
    double value = -1.0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(stoic_parse_number(good[i].text, "p", &value, &err), STOIC_OK);
        assert_true(value == good[i].value);
    }
    value = 7.0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(stoic_parse_number(bad[i], "--margin", &value, &err), STOIC_ERR_ARGUMENT);
        assert_non_null(strstr(err.message, "--margin"));
        assert_true(value == 7.0);
    }
}

static void counts(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"1M", 1000000},
                {"1e4", 10000},
                {"0x10", 16},
                {"0xFf", 255},
                {"1.5k", 1500},
                {"2.50e2", 250},
                {"-3", -3},
                {"100e-2", 1},
                {"00012", 12},
                {"+7", 7},
                {"1K", 1000},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN},
                {"0e99999999999", 0},
                {"9007199254740993", 9007199254740993}};
    static const char *const bad[] = {"",
                                      "1.5",
                                      "1e-1",
                                      "x",
                                      "0x",
                                      "1e",
                                      "--1",
                                      "1 ",
                                      " 1",
                                      "9223372036854775808",
                                      "1e19",
                                      "1Mk",
                                      "0x1g",
                                      "1e+",
                                      "inf",
                                      "nan",
                                      ".",
                                      "1e999999999999",
                                      "1.2.3",
                                      "-",
                                      "99999999999999999999999999999999999999999999999999"};
    stoic_error err;
    int64_t value;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(stoic_parse_count(good[i].text, "n", INT64_MIN, INT64_MAX, &value, &err),
                         STOIC_OK);
        assert_int_equal(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(stoic_parse_count(bad[i], "n", INT64_MIN, INT64_MAX, &value, &err),
                         STOIC_ERR_ARGUMENT);
    assert_int_equal(stoic_parse_count("5", "bit", 0, 4, &value, &err), STOIC_ERR_ARGUMENT);
    assert_string_equal(err.message, "bit: expected a whole number from 0 to 4, found '5'");
    assert_int_equal(stoic_parse_count("-1", "bit", 0, 4, &value, &err), STOIC_ERR_ARGUMENT);
}

static void sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"2G", INT64_C(1) << 31},
                {"1", 1},
                {"1K", 1024},
                {"1k", 1024},
                {"1.5M", 3 << 19},
                {"1.3K", 1331},
                {"3T", INT64_C(3) << 40},
                {"1e6", 1000000},
                {"0x100", 256}};
    static const char *const bad[] = {"0", "-1", "2GB", "", "1e30", "9e6T", "M", "0.5"};
    stoic_error err;
    int64_t value;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(stoic_parse_bytes(good[i].text, "--memory", &value, &err), STOIC_OK);
        assert_int_equal(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(stoic_parse_bytes(bad[i], "--memory", &value, &err), STOIC_ERR_ARGUMENT);
        assert_non_null(strstr(err.message, "--memory"));
    }
}

/* Runs only where a locale with a decimal comma is installed. */
static void numbers_in_a_comma_locale(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++)
        found = setlocale(LC_NUMERIC, names[i]) != NULL;
    if (!found)
        skip();
    double value = 0.0;
    stoic_text text = {0};
    stoic_status status = stoic_parse_number("0.5", "p", &value, NULL);
    stoic_text_printf(&text, "%.1f", 0.5);
    setlocale(LC_NUMERIC, "C");
    assert_int_equal(status, STOIC_OK);
    assert_true(value == 0.5);
    assert_string_equal(text.data, "0.5");
    stoic_text_deinit(&text);
}

/* ---- workers ---- */

typedef struct crew {
    atomic_int runs[8], entered;
    stoic_cancel cancel;
    atomic_int stopped;
} crew;

static void count_worker(int worker, void *user) {
    crew *c = user;
    atomic_fetch_add(&c->runs[worker], 1);
    atomic_fetch_add(&c->entered, 1);
    while (atomic_load(&c->entered) < 8) /* would hang unless all eight run at the same time */
        ;
    if (worker == 3)
        stoic_cancel_set(&c->cancel);
    while (!stoic_cancel_test(&c->cancel))
        ;
    atomic_fetch_add(&c->stopped, 1);
}

static void pool_runs_every_worker(void **state) {
    (void)state;
    static crew c;
    stoic_error err;
    assert_int_equal(stoic_pool_run(8, count_worker, &c, &err), STOIC_OK);
    for (int i = 0; i < 8; i++)
        assert_int_equal(atomic_load(&c.runs[i]), 1);
    assert_int_equal(atomic_load(&c.stopped), 8);
    assert_false(stoic_cancel_test(NULL));
    assert_int_equal(stoic_pool_run(0, count_worker, &c, &err), STOIC_ERR_ARGUMENT);
    assert_string_equal(err.message, "expected 1 to 4096 threads, found 0");
    assert_int_equal(stoic_pool_run(5000, count_worker, &c, &err), STOIC_ERR_ARGUMENT);
    assert_int_equal(atomic_load(&c.entered), 8);
}

static void machine_says_something_sensible(void **state) {
    (void)state;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    assert_in_range(stoic_cpu_count(), 1, online);
    int64_t memory = stoic_memory_available();
    assert_true(memory > 0);
    assert_true(memory <= (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
}

/* ---- files ---- */

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/stoic-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static const char *in_folder(const char *name) {
    static char path[2][400];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static int remove_folder(void **state) {
    (void)state;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] != '.')
            unlink(in_folder(entry->d_name));
    }
    if (dir)
        closedir(dir);
    return rmdir(folder);
}

static int files_in_folder(void) {
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void assert_contents(const char *path, const char *expected) {
    uint8_t *data;
    size_t bytes;
    assert_int_equal(stoic_file_read(path, 1000, &data, &bytes, NULL), STOIC_OK);
    assert_int_equal(bytes, strlen(expected));
    assert_string_equal((char *)data, expected);
    free(data);
}

static void file_round_trip(void **state) {
    (void)state;
    const char *path = in_folder("a");
    stoic_error err;
    assert_int_equal(stoic_file_write(path, "first", 5, &err), STOIC_OK);
    assert_contents(path, "first");
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("a", in_folder("link")), 0);
    assert_int_equal(stoic_file_write(in_folder("link"), "second", 6, &err), STOIC_OK);
    assert_contents(in_folder("a"), "second"); /* through the link, permissions kept */
    struct stat info;
    assert_int_equal(lstat(in_folder("link"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(in_folder("a"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(stoic_file_write(in_folder("empty"), NULL, 0, &err), STOIC_OK);
    assert_contents(in_folder("empty"), "");
    assert_int_equal(files_in_folder(), 3);
}

static void file_read_refuses(void **state) {
    (void)state;
    stoic_error err;
    uint8_t *data;
    size_t bytes;
    const char *path = in_folder("absent");
    assert_int_equal(stoic_file_read(path, 10, &data, &bytes, &err), STOIC_ERR_IO);
    assert_string_equal(err.place, path);
    assert_string_equal(err.message, "cannot open: No such file or directory");
    assert_int_equal(stoic_file_read(folder, 10, &data, &bytes, &err), STOIC_ERR_IO);
    assert_string_equal(err.message, "cannot read at offset 0: Is a directory");
    path = in_folder("eleven");
    assert_int_equal(stoic_file_write(path, "12345678901", 11, &err), STOIC_OK);
    assert_int_equal(stoic_file_read(path, 10, &data, &bytes, &err), STOIC_ERR_MEMORY);
    assert_string_equal(err.message, "11 bytes, the limit is 10");
    assert_null(data);
    assert_int_equal(stoic_file_read(path, 11, &data, &bytes, &err), STOIC_OK);
    free(data);
    assert_int_equal(stoic_file_read("/dev/zero", 100000, &data, &bytes, &err), STOIC_ERR_MEMORY);
    assert_string_equal(err.message, "longer than the limit of 100000 bytes");
    assert_int_equal(stoic_file_read("/proc/self/status", 100000, &data, &bytes, &err), STOIC_OK);
    assert_true(bytes > 100);
    free(data);
}

/* Attributes in sysfs claim a page and give a line: a file that ends early. */
static void file_short_read(void **state) {
    (void)state;
    const char *path = "/sys/kernel/mm/transparent_hugepage/enabled";
    struct stat info;
    if (stat(path, &info) || info.st_size < 1000)
        skip();
    stoic_error err;
    uint8_t *data;
    size_t bytes;
    assert_int_equal(stoic_file_read(path, 100000, &data, &bytes, &err), STOIC_ERR_IO);
    assert_string_equal(err.place, path);
    assert_non_null(strstr(err.message, "ends at offset"));
    assert_null(data);
}

static void file_write_fails_whole(void **state) {
    (void)state;
    stoic_error err;
    assert_int_equal(stoic_file_write("/dev/full", "x", 1, &err), STOIC_ERR_IO);
    assert_string_equal(err.place, "/dev/full");
    assert_string_equal(err.message, "cannot write: No space left on device");
    assert_int_equal(stoic_file_write(in_folder("no/such"), "x", 1, &err), STOIC_ERR_IO);
    assert_int_equal(stoic_file_write(folder, "x", 1, &err), STOIC_ERR_IO);
    assert_string_equal(err.message, "cannot write: Is a directory");

    /* A write that fails half-way leaves the old file and nothing else. */
    const char *path = in_folder("kept");
    assert_int_equal(stoic_file_write(path, "old", 3, &err), STOIC_OK);
    int before = files_in_folder();
    struct rlimit saved, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    small = saved;
    small.rlim_cur = 5000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    static char big[20000];
    stoic_status status = stoic_file_write(path, big, sizeof big, &err);
    setrlimit(RLIMIT_FSIZE, &saved);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, STOIC_ERR_IO);
    assert_string_equal(err.place, path);
    assert_contents(path, "old");
    assert_int_equal(files_in_folder(), before);
}

static void file_writer_discards(void **state) {
    (void)state;
    stoic_file_writer writer;
    stoic_error err;
    const char *path = in_folder("never");
    int before = files_in_folder();
    assert_int_equal(stoic_file_create(path, &writer, &err), STOIC_OK);
    fputs("text", writer.stream);
    assert_int_equal(files_in_folder(), before + 1);
    stoic_file_discard(&writer);
    assert_int_equal(files_in_folder(), before);
    assert_int_equal(stoic_file_create(path, &writer, &err), STOIC_OK);
    fputs("text", writer.stream);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(stoic_file_commit(&writer, &err), STOIC_OK);
    assert_contents(path, "text");
}

/* ---- text and progress ---- */

static void text_grows(void **state) {
    (void)state;
    stoic_text text = {0};
    for (int i = 0; i < 20000; i++)
        stoic_text_printf(&text, "%d %.2f;", i % 10, 0.25);
    stoic_text_puts(&text, "end");
    stoic_text_add(&text, "\0!", 2);
    assert_int_equal(stoic_text_finish(&text, NULL), STOIC_OK);
    assert_int_equal(text.length, 20000 * 7 + 5);
    assert_memory_equal(text.data, "0 0.25;1 0.25;", 14);
    assert_memory_equal(text.data + 20000 * 7, "end\0!", 6);
    stoic_text_deinit(&text);
    assert_int_equal(stoic_text_finish(&text, NULL), STOIC_OK);
    assert_string_equal(text.data, "");
    volatile size_t absurd = SIZE_MAX / 2;
    stoic_text_add(&text, "", absurd);
    stoic_text_puts(&text, "later");
    stoic_error err;
    assert_int_equal(stoic_text_finish(&text, &err), STOIC_ERR_MEMORY);
    assert_string_equal(text.data, "");
    stoic_text_deinit(&text);
}

static void text_has_short_numbers(void **state) {
    (void)state;
    stoic_text text = {0};
    stoic_text_number(&text, (double)0.2860f, true);
    stoic_text_puts(&text, " ");
    stoic_text_number(&text, 4.0 / 3.0, false);
    stoic_text_puts(&text, " ");
    stoic_text_number(&text, (double)0.1f, false);
    stoic_text_puts(&text, " ");
    stoic_text_number(&text, -1e-40, true);
    stoic_text_puts(&text, " ");
    stoic_text_number(&text, 1000.0, false);
    assert_string_equal(text.data, "0.286 1.3333333333333333 0.10000000149011612 -1e-40 1000");
    stoic_text_deinit(&text);
}

static void durations(void **state) {
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0.0, "0.0 s"},
                 {0.44, "0.4 s"},
                 {9.94, "9.9 s"},
                 {9.96, "10 s"},
                 {59.4, "59 s"},
                 {59.6, "1 min 00 s"},
                 {185.0, "3 min 05 s"},
                 {3599.4, "59 min 59 s"},
                 {3599.6, "1 h 00 min"},
                 {3780.0, "1 h 03 min"},
                 {86399.0, "1 d 00 h"},
                 {187200.0, "2 d 04 h"},
                 {-1.0, "?"},
                 {NAN, "?"},
                 {INFINITY, "?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        stoic_progress_duration(cases[i].seconds, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
}

static void progress_lines(void **state) {
    (void)state;
    char line[200];
    stoic_progress p = {.unit = "trials", .done = 1200, .total = 5000, .seconds = 4.0};
    stoic_progress_line(&p, line, sizeof line);
    assert_string_equal(line, "1200 of 5000 trials (24 %), 300 trials/s, 13 s left");
    p.resumed = 1000;
    p.note = "critical 0.1 ± 0.02";
    stoic_progress_line(&p, line, sizeof line);
    assert_string_equal(line, "1200 of 5000 trials (24 %), 50 trials/s, 1 min 16 s left, "
                              "critical 0.1 ± 0.02");
    p = (stoic_progress){.unit = "images", .done = 4999, .total = 5000};
    stoic_progress_line(&p, line, sizeof line);
    assert_string_equal(line, "4999 of 5000 images (99 %)");
    p = (stoic_progress){.unit = "trials", .done = 6, .seconds = 60.0};
    stoic_progress_line(&p, line, sizeof line);
    assert_string_equal(line, "6 trials, 360 trials/h");
    p.done = 60;
    stoic_progress_line(&p, line, sizeof line);
    assert_string_equal(line, "60 trials, 60 trials/min");
    char tiny[9];
    stoic_progress_line(&p, tiny, sizeof tiny);
    assert_string_equal(tiny, "60 trial");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spec_splits),
        cmocka_unit_test(spec_refuses),
        cmocka_unit_test(spec_checks_keys),
        cmocka_unit_test(nearest_word),
        cmocka_unit_test(numbers),
        cmocka_unit_test(counts),
        cmocka_unit_test(sizes),
        cmocka_unit_test(numbers_in_a_comma_locale),
        cmocka_unit_test(pool_runs_every_worker),
        cmocka_unit_test(machine_says_something_sensible),
        cmocka_unit_test(file_round_trip),
        cmocka_unit_test(file_read_refuses),
        cmocka_unit_test(file_short_read),
        cmocka_unit_test(file_write_fails_whole),
        cmocka_unit_test(file_writer_discards),
        cmocka_unit_test(text_grows),
        cmocka_unit_test(text_has_short_numbers),
        cmocka_unit_test(durations),
        cmocka_unit_test(progress_lines),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
