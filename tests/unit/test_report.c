/* The report: whole and well-formed pages, strangers' strings, no gnuplot, data as recorded. */
#include "campaign_kit.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>

#include "base/text.h"
#include "report/markup.h"
#include "stoic/report.h"
#include "svg_kit.h"

static const char plain_fault[] = "flips:1,layer=all,bits=all,tensor=weight";
static const char hostile[] =
    "<script>alert(1)</script>'\"; system('touch pwned') # @000@ ]]> \x01 \xff &amp; \xe2\x80\xae";

static void sql(const char *path, const char *statement, const char *a, const char *b) {
    sqlite3 *db;
    sqlite3_stmt *prepared;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, statement, -1, &prepared, NULL), SQLITE_OK);
    sqlite3_bind_text(prepared, 1, a, -1, SQLITE_STATIC);
    if (b)
        sqlite3_bind_text(prepared, 2, b, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(prepared), SQLITE_DONE);
    sqlite3_finalize(prepared);
    sqlite3_close(db);
}

static void set_fact(const char *path, const char *key, const char *value) {
    sql(path, "INSERT OR REPLACE INTO meta VALUES(?, ?, 0)", key, value);
}

/* Every bit of the kit's three layers, one a trial, called by the fault's name. */
static void make_campaign(kit *k, const char *name, const char *fault) {
    stoic_error err = {0};
    kit_init(k, name);
    k->ordered = true;
    k->run.trials = KIT_LAYERS * KIT_WORDS * KIT_BITS;
    if (kit_run(k, NULL, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    set_fact(k->path, "fault", fault);
    set_fact(k->path, "store", "fp32");
    set_fact(k->path, "model", "net.onnx");
}

static char *report(const kit *k, const stoic_report_options *options) {
    stoic_error err = {0};
    const char *const paths[] = {k->path};
    char page[64];
    snprintf(page, sizeof page, "report-%ld.html", (long)getpid());
    if (stoic_report_write(paths, 1, options, page, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    char *text = read_text(page);
    unlink(page);
    return text;
}

static void remove_folder(const char *folder) {
    DIR *stream = opendir(folder);
    struct dirent *entry;
    char path[512];
    assert_non_null(stream);
    while ((entry = readdir(stream)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path); /* not "." and ".." */
    }
    closedir(stream);
    assert_int_equal(rmdir(folder), 0);
}

static void test_page_is_whole(void **state) {
    (void)state;
    kit k;
    make_campaign(&k, "whole", plain_fault);
    stoic_report_options options = stoic_report_options_default();
    char *page = report(&k, &options);
    assert_true(well_formed(page));
    assert_non_null(strstr(page, "<svg"));
    assert_non_null(strstr(page, "id=\"flips\""));
    assert_non_null(strstr(page, "id=\"scatter\""));
    assert_non_null(strstr(page, "id=\"rate-layer\""));
    assert_non_null(strstr(page, "id=\"rate-bit\""));
    assert_null(strstr(page, "id=\"map\"")); /* these need every fault */
    assert_null(strstr(page, "id=\"worst-bit\""));
    assert_non_null(strstr(page, "3,840"));
    assert_non_null(strstr(page, "0.7500")); /* accuracy without faults */
    assert_null(strstr(page, "src="));       /* nothing from elsewhere */
    assert_null(strstr(page, "url("));
    assert_null(strstr(page, "href='http"));
    assert_null(strstr(page, "'black'")); /* ink follows the page */
    *strstr(page, "</figure>") = ' ';     /* the checker sees damage */
    assert_false(well_formed(page));
    free(page);
    kit_remove(k.path);
}

/* The command and the level of a campaign that stopped at a margin, after two looks or more. */
static void test_margin(void **state) {
    (void)state;
    kit k;
    stoic_report_options options = stoic_report_options_default();
    make_campaign(&k, "margin", plain_fault);
    set_fact(k.path, "confidence", "0.95"); /* as campaigns write it */
    char *page = report(&k, &options);
    assert_non_null(strstr(page, " --trials 3840 --seed "));
    assert_non_null(strstr(page, "intervals</dt><dd>95 %</dd>"));
    free(page);
    set_fact(k.path, "margin", "0.01");
    set_fact(k.path, "margin_of", "drop");
    set_fact(k.path, "confidence", "0.9");
    set_fact(k.path, "prefix", "3840");
    set_fact(k.path, "look", "1"); /* its share of 10 % is a sixth */
    page = report(&k, &options);
    assert_non_null(strstr(page, " --margin 0.01 --margin-of drop --confidence 0.9 --seed "));
    assert_null(strstr(page, "--trials"));
    assert_non_null(strstr(page, "intervals</dt><dd>98.3333 %</dd>"));
    free(page);
    kit_remove(k.path);
}

/* Figures of every fault; a layer's name goes through none of them unescaped. */
static void test_exhaustive(void **state) {
    (void)state;
    kit k;
    stoic_report_options options = stoic_report_options_default();
    make_campaign(&k, "exhaustive", "exhaustive,layer=all,bits=all,tensor=weight");
    sql(k.path, "UPDATE layers SET name = ?", hostile, NULL);
    char *page = report(&k, &options);
    assert_true(well_formed(page));
    assert_non_null(strstr(page, "id=\"map\""));
    assert_non_null(strstr(page, "id=\"worst-bit\""));
    assert_non_null(strstr(page, "id=\"worst-rate\""));
    assert_non_null(strstr(page, "xlink:href='data:image/png;base64,"));
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "src="));
    assert_null(strstr(page, "url("));
    free(page);
    kit_remove(k.path);
}

static void test_hostile_strings(void **state) {
    (void)state;
    kit k;
    char folder[64], path[96];
    snprintf(folder, sizeof folder, "figures-%ld", (long)getpid());
    make_campaign(&k, "hostile", plain_fault);
    sql(k.path, "UPDATE layers SET name = ?", hostile, NULL);
    set_fact(k.path, "model", hostile);
    set_fact(k.path, "data", "</style></svg>");
    set_fact(k.path, "seed", "<b>");
    stoic_report_options options = stoic_report_options_default();
    options.title = hostile;
    options.figures = folder;
    char *page = report(&k, &options);
    assert_true(well_formed(page));
    assert_null(strstr(page, "<script"));
    assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_null(strchr(page, '\x01'));
    assert_null(strstr(page, "\xe2\x80\xae")); /* text direction */
    assert_int_not_equal(access("pwned", F_OK), 0);
    free(page);
    snprintf(path, sizeof path, "%s/flips.svg", folder);
    char *svg = read_text(path);
    assert_true(well_formed(svg));
    assert_non_null(strstr(svg, "&lt;script&gt;"));
    assert_null(strstr(svg, "<script"));
    assert_null(strstr(svg, "@000@"));
    free(svg);
    remove_folder(folder);
    kit_remove(k.path);
}

static void test_hostile_fault(void **state) {
    (void)state;
    static const char *const faults[] = {hostile,
                                         "",
                                         ",,,",
                                         "flips:1,layer=99",
                                         "flips:<,bits=\"",
                                         "list:a\\,b.csv,tensor=weight,digest=0",
                                         "flips:1,n=<"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        kit k;
        make_campaign(&k, "fault", faults[i]);
        set_fact(k.path, "fault_2", i % 2 ? hostile : "ber:1e-5");
        stoic_report_options options = stoic_report_options_default();
        char *page = report(&k, &options);
        assert_true(well_formed(page));
        assert_null(strstr(page, "<script"));
        free(page);
        kit_remove(k.path);
    }
}

static char warning[512];

static void keep_warning(void *user, stoic_log_level level, const char *message) {
    (void)user;
    if (level == STOIC_LOG_WARNING)
        snprintf(warning, sizeof warning, "%s", message);
}

static void test_without_gnuplot(void **state) {
    (void)state;
    kit k;
    make_campaign(&k, "tables", plain_fault);
    char *before = strdup(getenv("PATH"));
    warning[0] = '\0';
    stoic_log_set(keep_warning, NULL);
    setenv("PATH", "/nonexistent", 1);
    stoic_report_options options = stoic_report_options_default();
    char *page = report(&k, &options);
    setenv("PATH", before, 1);
    stoic_log_set(NULL, NULL);
    assert_non_null(strstr(warning, "gnuplot was not found"));
    assert_null(strstr(page, "<svg"));
    assert_non_null(strstr(page, "<table"));
    assert_true(well_formed(page));
    free(page);
    free(before);
    kit_remove(k.path);
}

static stoic_status try_report(const kit *k, const char *figures, const char *notes,
                               const char *page, stoic_error *err) {
    const char *const paths[] = {k->path};
    stoic_report_options options = stoic_report_options_default();
    options.figures = figures;
    options.notes = notes;
    return stoic_report_write(paths, 1, &options, page, err);
}

static void test_where_nothing_can_be_written(void **state) {
    (void)state;
    kit k;
    stoic_error err = {0};
    make_campaign(&k, "unwritable", plain_fault);
    assert_int_equal(try_report(&k, "no-such-folder/figures", NULL, NULL, &err), STOIC_ERR_IO);
    assert_non_null(strstr(err.place, "no-such-folder"));
    assert_int_equal(try_report(&k, k.path, NULL, NULL, &err), STOIC_ERR_IO); /* a file */
    assert_non_null(strstr(err.place, k.path));
    assert_int_equal(try_report(&k, NULL, NULL, "no-such-folder/page.html", &err), STOIC_ERR_IO);
    assert_non_null(strstr(err.place, "no-such-folder"));
    snprintf(k.path + strlen(k.path), 8, "-not");
    assert_int_equal(try_report(&k, NULL, NULL, "page.html", &err), STOIC_ERR_IO);
    assert_int_not_equal(access("page.html", F_OK), 0);
    assert_int_equal(stoic_report_write(NULL, 0, &(stoic_report_options){0}, "page.html", &err),
                     STOIC_ERR_ARGUMENT);
    k.path[strlen(k.path) - 4] = '\0';
    kit_remove(k.path);
}

static void test_notes(void **state) {
    (void)state;
    kit k;
    char notes[64];
    stoic_error err = {0};
    static const char good[] = "# comment\n\nlabel\tThe <book>\r\nflips\tmore & more\nnone\tunused";
    static const char bad[] = "flips\tfine\nno tab here\n";
    snprintf(notes, sizeof notes, "notes-%ld.tsv", (long)getpid());
    make_campaign(&k, "notes", plain_fault);
    assert_int_equal(stoic_file_write(notes, good, sizeof good - 1, NULL), STOIC_OK);
    stoic_report_options options = stoic_report_options_default();
    options.notes = notes;
    char *page = report(&k, &options);
    assert_true(well_formed(page));
    assert_non_null(strstr(page, "The &lt;book&gt;</h4>more &amp; more</div>"));
    assert_null(strstr(page, "unused"));
    free(page);
    assert_int_equal(stoic_file_write(notes, bad, sizeof bad - 1, NULL), STOIC_OK);
    assert_int_equal(try_report(&k, NULL, notes, "page.html", &err), STOIC_ERR_FORMAT);
    assert_non_null(strstr(err.message, "line 2"));
    unlink(notes);
    kit_remove(k.path);
}

/* ---- the figures' data ---- */

typedef struct expected_rows {
    const char *csv;
    int seen, wrong;
} expected_rows;

/* The figure's line of a trial: faults,layer,name,trial,accuracy. */
static bool compare_row(void *user, const stoic_record *record) {
    static const char *const names[] = {"conv1", "conv2", "fc"};
    expected_rows *rows = user;
    char line[160];
    snprintf(line, sizeof line, "\nflips:1,%d,%s,%lld,%.17g\n", record->layer, names[record->layer],
             (long long)record->trial, record->accuracy);
    rows->seen++;
    rows->wrong += strstr(rows->csv, line) == NULL;
    return true;
}

/* And that of test_variants(): faults,layer,name,variant,trial,accuracy. */
static bool compare_variant_row(void *user, const stoic_record *record) {
    expected_rows *rows = user;
    char line[160];
    snprintf(line, sizeof line, "\nflips:20,0,conv1,<b>,%lld,%.17g\n", (long long)record->trial,
             record->accuracy);
    rows->seen++;
    rows->wrong += strstr(rows->csv, line) == NULL;
    return true;
}

static void test_data_equals_records(void **state) {
    (void)state;
    kit k;
    char folder[64], path[96];
    stoic_error err = {0};
    stoic_records *records;
    snprintf(folder, sizeof folder, "data-%ld", (long)getpid());
    make_campaign(&k, "data", plain_fault);
    assert_int_equal(try_report(&k, folder, NULL, NULL, &err), STOIC_OK);
    snprintf(path, sizeof path, "%s/flips.csv", folder);
    char *csv = read_text(path);
    expected_rows rows = {csv, 0, 0};
    assert_int_equal(stoic_records_open(k.path, &records, &err), STOIC_OK);
    assert_int_equal(stoic_records_each(records, compare_row, &rows, &err), STOIC_OK);
    assert_int_equal(rows.seen, 3840);
    assert_int_equal(rows.wrong, 0);
    int lines = 0;
    for (const char *s = csv; *s; s++)
        lines += *s == '\n';
    assert_int_equal(lines, 3841);
    size_t last = strlen(csv) - 2; /* the comparison notices one changed digit */
    csv[last] = csv[last] == '1' ? '2' : '1';
    rows = (expected_rows){csv, 0, 0};
    assert_int_equal(stoic_records_each(records, compare_row, &rows, &err), STOIC_OK);
    assert_int_equal(rows.wrong, 1);
    stoic_records_free(records);
    free(csv);
    remove_folder(folder);
    kit_remove(k.path);
}

static void test_bits_equal_groups(void **state) {
    (void)state;
    kit k;
    char folder[64], path[96], line[160];
    stoic_error err = {0};
    stoic_records *records;
    stoic_group *groups;
    size_t n;
    static const char *const names[] = {"conv1", "conv2", "fc"};
    snprintf(folder, sizeof folder, "bits-%ld", (long)getpid());
    make_campaign(&k, "bits", "exhaustive,layer=all,bits=all,tensor=weight");
    assert_int_equal(try_report(&k, folder, NULL, NULL, &err), STOIC_OK);
    snprintf(path, sizeof path, "%s/bits.csv", folder);
    char *csv = read_text(path);
    assert_int_equal(stoic_records_open(k.path, &records, &err), STOIC_OK);
    assert_int_equal(stoic_records_groups(records, true, true, &groups, &n, &err), STOIC_OK);
    assert_int_equal(n, 96);
    for (size_t i = 0; i < n; i++) {
        snprintf(line, sizeof line, "\n%d,%s,%d,%lld,%.17g,%.17g\n", groups[i].layer,
                 names[groups[i].layer], groups[i].bit, (long long)groups[i].trials,
                 groups[i].accuracy.value, groups[i].accuracy_min);
        assert_non_null(strstr(csv, line));
    }
    stoic_groups_free(groups);
    stoic_records_free(records);
    free(csv);
    remove_folder(folder);
    kit_remove(k.path);
}

/* ---- several networks ---- */

/* The page on two campaigns of the same faults; figures' data go to `folder`. */
static char *report_pair(const kit *a, const kit *b, const char *folder) {
    stoic_error err = {0};
    const char *const paths[] = {a->path, b->path};
    char page[64];
    stoic_report_options options = stoic_report_options_default();
    options.figures = folder;
    snprintf(page, sizeof page, "pair-%ld.html", (long)getpid());
    if (stoic_report_write(paths, 2, &options, page, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    char *text = read_text(page);
    unlink(page);
    return text;
}

static bool is_together(const kit *a, const kit *b, const char *folder) {
    char *page = report_pair(a, b, folder);
    bool together = strstr(page, "id=\"variants\"") != NULL;
    assert_true(well_formed(page));
    assert_true(together == (strstr(page, "<h2>Side by side</h2>") != NULL));
    free(page);
    remove_folder(folder);
    return together;
}

/* Faults in conv1 of a network called `model`. */
static void make_variant(kit *k, const char *name, const char *model) {
    make_campaign(k, name, "flips:20,layer=0,bits=exponent,tensor=weight");
    set_fact(k->path, "model", model);
    set_fact(k->path, "model_digest", model);
}

static void test_variants(void **state) {
    (void)state;
    kit a, b;
    char folder[64], path[96];
    snprintf(folder, sizeof folder, "variants-%ld", (long)getpid());
    make_variant(&a, "one", "nets/relu.onnx");
    make_variant(&b, "two", "nets/<b>.onnx");
    char *page = report_pair(&a, &b, folder);
    assert_true(well_formed(page));
    assert_non_null(strstr(page, "What was run: relu.onnx"));
    assert_non_null(strstr(page, "What was run: &lt;b&gt;.onnx"));
    const char *figure = strstr(page, "id=\"variants\"");
    assert_non_null(figure);
    assert_non_null(strstr(figure, "Networks side by side: 20 flips, bits: exponent"));
    assert_non_null(strstr(figure, "relu falls from 0.7500 to "));
    free(page);
    snprintf(path, sizeof path, "%s/variants.csv", folder);
    char *csv = read_text(path);
    int lines = 0;
    for (const char *s = csv; *s; s++)
        lines += *s == '\n';
    assert_int_equal(lines, 1 + 2 * 3840);
    stoic_error err = {0};
    stoic_records *records;
    assert_int_equal(stoic_records_open(b.path, &records, &err), STOIC_OK);
    expected_rows rows = {csv, 0, 0};
    assert_int_equal(stoic_records_each(records, compare_variant_row, &rows, &err), STOIC_OK);
    assert_int_equal(rows.seen, 3840);
    assert_int_equal(rows.wrong, 0);
    assert_non_null(strstr(csv, ",conv1,relu,0,"));
    csv[strlen(csv) - 2] ^= 1; /* the comparison notices one changed digit */
    rows = (expected_rows){csv, 0, 0};
    assert_int_equal(stoic_records_each(records, compare_variant_row, &rows, &err), STOIC_OK);
    assert_int_equal(rows.wrong, 1);
    stoic_records_free(records);
    free(csv);
    remove_folder(folder);
    kit_remove(a.path);
    kit_remove(b.path);
}

static void test_what_is_no_variant(void **state) {
    (void)state;
    kit a, b;
    char folder[64];
    snprintf(folder, sizeof folder, "alone-%ld", (long)getpid());
    make_variant(&a, "one", "relu.onnx");
    make_variant(&b, "two", "relu.onnx");
    assert_false(is_together(&a, &b, folder)); /* one network, twice */
    set_fact(b.path, "store", "fp16");
    assert_true(is_together(&a, &b, folder));
    set_fact(b.path, "labels_digest", "other");
    assert_false(is_together(&a, &b, folder));
    set_fact(a.path, "labels_digest", "other");
    set_fact(b.path, "fault", "flips:20,layer=1,bits=exponent,tensor=weight");
    assert_false(is_together(&a, &b, folder)); /* another layer */
    set_fact(b.path, "fault", "flips:10,layer=0,bits=exponent,tensor=weight");
    assert_false(is_together(&a, &b, folder));
    kit_remove(a.path);
    kit_remove(b.path);
}

static void check_markup(const char *string, int columns, const char *expected) {
    stoic_text text = {0};
    stoic_markup_add(&text, string, columns);
    assert_int_equal(stoic_text_finish(&text, NULL), STOIC_OK);
    assert_string_equal(text.data, expected);
    stoic_text_deinit(&text);
}

static void test_markup(void **state) {
    (void)state;
    check_markup("a<b>&\"'", 0, "a&lt;b&gt;&amp;&quot;&#39;");
    check_markup("\xc3\xa4\xe2\x82\xac", 0, "\xc3\xa4\xe2\x82\xac");
    check_markup("\xc0\xaf|\xed\xa0\x80|\x7f", 0,
                 "\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd");
    check_markup("abcdef", 4, "abc\xe2\x80\xa6");
    check_markup("abcd", 4, "abcd");
    check_markup("\xe2\x82", 0, "\xef\xbf\xbd\xef\xbf\xbd"); /* cut in a character */
    assert_int_equal(stoic_markup_columns("\xc3\xa4<b", 0), 3);
    stoic_text text = {0};
    stoic_markup_integer(&text, -1234567);
    stoic_text_puts(&text, " ");
    stoic_markup_integer(&text, 999);
    stoic_text_puts(&text, " ");
    stoic_markup_rate(&text, 0.00031);
    stoic_markup_csv(&text, ",\"");
    assert_int_equal(stoic_text_finish(&text, NULL), STOIC_OK);
    assert_string_equal(text.data, "-1,234,567 999 0.00031\",\"\"\"");
    stoic_text_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markup),
        cmocka_unit_test(test_page_is_whole),
        cmocka_unit_test(test_margin),
        cmocka_unit_test(test_exhaustive),
        cmocka_unit_test(test_hostile_strings),
        cmocka_unit_test(test_hostile_fault),
        cmocka_unit_test(test_without_gnuplot),
        cmocka_unit_test(test_where_nothing_can_be_written),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_data_equals_records),
        cmocka_unit_test(test_bits_equal_groups),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_what_is_no_variant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
