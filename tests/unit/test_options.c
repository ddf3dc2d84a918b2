/* The option tables of the command: every kind of value, every refusal, what --help shows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../cli/options.h"
#include "../../cli/output.h"
#include "../../cli/progress_text.h"
#include "../../cli/verb.h"

typedef struct settings {
    bool flag;
    const char *text;
    int64_t count, bytes;
    double fraction, number, rate;
    int choice;
    cli_range range;
    cli_words list;
} settings;

static const cli_option table[] = {
    {.name = "flag",
     .letter = 'f',
     .kind = CLI_FLAG,
     .offset = offsetof(settings, flag),
     .help = "a flag"},
    {.name = "text",
     .letter = 't',
     .kind = CLI_TEXT,
     .argument = "T",
     .offset = offsetof(settings, text),
     .help = "a text"},
    {.name = "count",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, count),
     .low = -3,
     .high = 1000000,
     .help = "a count"},
    {.name = "bytes",
     .kind = CLI_BYTES,
     .argument = "SIZE",
     .offset = offsetof(settings, bytes),
     .help = "a size",
     .fallback = "enough"},
    {.name = "fraction",
     .kind = CLI_FRACTION,
     .argument = "P",
     .offset = offsetof(settings, fraction),
     .help = "a fraction"},
    {.name = "number",
     .kind = CLI_NUMBER,
     .argument = "X",
     .offset = offsetof(settings, number),
     .low = -1,
     .high = 2,
     .help = "a number"},
    {.name = "rate",
     .kind = CLI_NUMBER,
     .argument = "X",
     .offset = offsetof(settings, rate),
     .low = 0,
     .high = INT64_MAX,
     .help = "a number without an upper bound"},
    {.name = "choice",
     .kind = CLI_CHOICE,
     .argument = "one|two|three",
     .offset = offsetof(settings, choice),
     .help = "a choice"},
    {.name = "range",
     .kind = CLI_RANGE,
     .argument = "N|A-B",
     .offset = offsetof(settings, range),
     .help = "a range"},
    {.name = "list",
     .kind = CLI_LIST,
     .argument = "L",
     .offset = offsetof(settings, list),
     .help = "a list"},
    {.name = NULL},
};

typedef struct parsed {
    settings set;
    cli_words arguments;
    bool help;
    stoic_status status;
    stoic_error err;
} parsed;

enum { MAX_WORDS = 16 };

/* `line` is cut at blanks; "''" stands for an empty word. */
static void parse(parsed *out, char *line) {
    static char empty[] = "";
    char *words[MAX_WORDS], *rest;
    int n = 0;
    memset(out, 0, sizeof *out);
    for (char *word = strtok_r(line, " ", &rest); word && n < MAX_WORDS;
         word = strtok_r(NULL, " ", &rest))
        words[n++] = strcmp(word, "''") ? word : empty;
    out->status =
        cli_options_parse(table, &out->set, n, words, &out->arguments, &out->help, &out->err);
}

static void release(parsed *out) {
    cli_words_deinit(&out->arguments);
    cli_options_deinit(table, &out->set);
}

static void test_values(void **state) {
    char line[] = "a --flag --text hello --count=1e3 b --bytes 2K --fraction 0.25 --choice two "
                  "--range 3-7 --list x";
    parsed got;
    (void)state;
    parse(&got, line);
    assert_int_equal(got.status, STOIC_OK);
    assert_true(got.set.flag);
    assert_string_equal(got.set.text, "hello");
    assert_int_equal(got.set.count, 1000);
    assert_int_equal(got.set.bytes, 2048);
    assert_true(got.set.fraction == 0.25);
    assert_int_equal(got.set.choice, 1);
    assert_int_equal(got.set.range.first, 3);
    assert_int_equal(got.set.range.count, 5);
    assert_int_equal(got.arguments.count, 2);
    assert_string_equal(got.arguments.items[0], "a");
    assert_string_equal(got.arguments.items[1], "b");
    assert_false(got.help);
    release(&got);
}

static void test_numbers(void **state) {
    char good[] = "--number=-0.5 --rate 1e300", bounds[] = "--number 2 --rate 0";
    parsed got;
    (void)state;
    parse(&got, good);
    assert_int_equal(got.status, STOIC_OK);
    assert_true(got.set.number == -0.5 && got.set.rate == 1e300);
    release(&got);
    parse(&got, bounds);
    assert_int_equal(got.status, STOIC_OK);
    assert_true(got.set.number == 2.0 && got.set.rate == 0.0);
    release(&got);
}

static void test_forms(void **state) {
    char line[] = "-thello --list a --list=b=c --count -3 --range 9 -f - -- --flag -t";
    parsed got;
    (void)state;
    parse(&got, line);
    assert_int_equal(got.status, STOIC_OK);
    assert_string_equal(got.set.text, "hello");
    assert_int_equal(got.set.list.count, 2);
    assert_string_equal(got.set.list.items[0], "a");
    assert_string_equal(got.set.list.items[1], "b=c");
    assert_int_equal(got.set.count, -3);
    assert_int_equal(got.set.range.first, 0);
    assert_int_equal(got.set.range.count, 9);
    assert_true(got.set.flag);
    assert_int_equal(got.arguments.count, 3); /* "-" and what follows "--" */
    assert_string_equal(got.arguments.items[0], "-");
    assert_string_equal(got.arguments.items[2], "-t");
    release(&got);
}

static void test_last_one_wins(void **state) {
    char line[] = "--count 1 --choice three --count 2 --choice one";
    parsed got;
    (void)state;
    parse(&got, line);
    assert_int_equal(got.status, STOIC_OK);
    assert_int_equal(got.set.count, 2);
    assert_int_equal(got.set.choice, 0);
    release(&got);
}

static void test_help_is_seen(void **state) {
    char with[] = "a --help", letter[] = "-h", after[] = "-- --help";
    parsed got;
    (void)state;
    parse(&got, with);
    assert_true(got.status == STOIC_OK && got.help);
    release(&got);
    parse(&got, letter);
    assert_true(got.status == STOIC_OK && got.help);
    release(&got);
    parse(&got, after);
    assert_true(got.status == STOIC_OK && !got.help);
    release(&got);
}

static void test_refusals(void **state) {
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"--flga", "unknown option '--flga'; did you mean '--flag'?"},
        {"--cuont=3", "unknown option '--cuont'; did you mean '--count'?"},
        {"--hepl", "did you mean '--help'?"},
        {"--qqqqqqqq", "unknown option '--qqqqqqqq'"},
        {"-q", "unknown option '-q'"},
        {"-fx", "unknown option '-fx'"},
        {"--flag=yes", "option '--flag' takes no value, found 'yes'"},
        {"--text", "option '--text' needs a value: T"},
        {"--text ''", "expected T, found nothing"},
        {"--count 1.5", "--count: expected a whole number from -3 to 1000000, found '1.5'"},
        {"--count -4", "--count: expected a whole number from -3"},
        {"--count=", "--count: expected a whole number"},
        {"--bytes 2Q", "--bytes: expected a size in bytes"},
        {"--fraction 0", "--fraction: expected a fraction between 0 and 1, found '0'"},
        {"--fraction 1", "--fraction: expected a fraction"},
        {"--fraction nan", "--fraction: expected a number"},
        {"--number 2.1", "--number: expected a number from -1 to 2, found '2.1'"},
        {"--number -1.1", "--number: expected a number from -1 to 2"},
        {"--rate -1e-9", "--rate: expected a number from 0 on, found '-1e-9'"},
        {"--rate nan", "--rate: expected a number"},
        {"--rate inf", "--rate: expected a number"},
        {"--choice tow", "expected one|two|three, found 'tow'; did you mean 'two'?"},
        {"--range 7-3", "--range: expected a whole number from 7"},
        {"--range 0", "--range: expected a whole number from 1"},
        {"--range -2", "--range: expected a whole number from 1"},
        {"--range 1-2-3", "--range: expected a whole number"},
    };
    parsed got;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[128];
        snprintf(line, sizeof line, "%s", cases[i].line);
        parse(&got, line);
        assert_int_equal(got.status, STOIC_ERR_ARGUMENT);
        if (!strstr(got.err.message, cases[i].says))
            fail_msg("'%s' says '%s', not '%s'", cases[i].line, got.err.message, cases[i].says);
        release(&got);
    }
}

static void test_far_words_get_no_suggestion(void **state) {
    char line[] = "--qqqqqqqq";
    parsed got;
    (void)state;
    parse(&got, line);
    assert_null(strstr(got.err.message, "did you mean"));
    release(&got);
}

static void expect_default(const char *name, const settings *set, const char *expected) {
    char text[64] = "";
    const cli_option *option = table;
    while (strcmp(option->name, name) != 0)
        option++;
    bool any = cli_option_default(option, set, text, sizeof text);
    assert_int_equal(any, expected != NULL);
    if (expected)
        assert_string_equal(text, expected);
}

/* Defaults are what the settings hold now, not a copy in the help text. */
static void test_defaults_are_live(void **state) {
    settings set = {.count = 7, .choice = 2, .fraction = 0.95, .number = 0.5, .text = "t"};
    char usage[64];
    (void)state;
    expect_default("count", &set, "7");
    expect_default("choice", &set, "three");
    expect_default("fraction", &set, "0.95");
    expect_default("number", &set, "0.5");
    expect_default("rate", &set, "0");
    expect_default("text", &set, "t");
    expect_default("bytes", &set, "enough");
    expect_default("flag", &set, NULL);
    expect_default("list", &set, NULL);
    set.count = 8;
    set.choice = 0;
    set.text = NULL;
    expect_default("count", &set, "8");
    expect_default("choice", &set, "one");
    expect_default("text", &set, NULL);
    cli_option_usage(&table[0], usage, sizeof usage);
    assert_string_equal(usage, "-f, --flag");
    cli_option_usage(&table[2], usage, sizeof usage);
    assert_string_equal(usage, "--count N");
}

static void test_messages_are_one_line(void **state) {
    stoic_error err;
    (void)state;
    assert_int_equal(cli_fail(&err, STOIC_ERR_IO, "a\nb", "c\td\x7f%s", "\x1b[31m"), STOIC_ERR_IO);
    assert_string_equal(err.place, "a?b");
    assert_string_equal(err.message, "c?d??[31m");
    assert_int_equal(cli_fail(NULL, STOIC_ERR_IO, "", "nobody listens"), STOIC_ERR_IO);
}

/* What a campaign file keeps for `replay` says the same when read again, whatever the names. */
static void test_data_text_round_trip(void **state) {
    cli_data data, again;
    char *text = NULL;
    (void)state;
    cli_data_default(&data);
    data.spec = "idx:my images,it's\\,labels";
    data.mean = "-0.5,1e-3";
    data.images = (cli_range){10, 90};
    data.crop = 0;
    assert_int_equal(cli_data_text(&data, &text, NULL), STOIC_OK);
    assert_int_equal(cli_data_parse(text, &again, NULL), STOIC_OK);
    assert_string_equal(again.spec, data.spec);
    assert_string_equal(again.mean, data.mean);
    assert_null(again.std);
    assert_null(again.labels);
    assert_int_equal(again.images.first, 10);
    assert_int_equal(again.images.count, 90);
    assert_int_equal(again.crop, 0);
    assert_int_equal(again.resize, -1);
    free(text);
}

static void test_foreign_data_text_is_refused(void **state) {
    static const char *const bad[] = {"", "a b", "a --nothing 1", "a --images", "--crop 3"};
    cli_data data;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *copy = strdup(bad[i]);
        assert_non_null(copy);
        assert_int_not_equal(cli_data_parse(copy, &data, NULL), STOIC_OK);
        free(copy);
    }
}

static void test_numbers_read_back(void **state) {
    static const double doubles[] = {0.1, 1.0 / 3.0, 0.8967, 5e-324, 1e300, -0.0, INFINITY};
    static const float floats[] = {0.1f, 1.0f / 3.0f, 1e-45f, 3.4e38f, -INFINITY};
    char text[40];
    (void)state;
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        assert_true(strtod(cli_text_double(doubles[i], text), NULL) == doubles[i]);
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        assert_true(strtof(cli_text_float(floats[i], text), NULL) == floats[i]);
    assert_string_equal(cli_text_double(0.8967, text), "0.8967");
    assert_string_equal(cli_text_double(-NAN, text), "nan");
    assert_string_equal(cli_text_float(-NAN, text), "nan");
}

static void test_progress_text(void **state) {
    stoic_campaign_progress progress = {.trials_done = 250,
                                        .trials_total = 1000,
                                        .fraction = 0.25,
                                        .seconds = 40.0,
                                        .trials_per_second = 6.25,
                                        .critical_rate = {0.0123, 0.0101, 0.015}};
    char text[201];
    (void)state;
    cli_progress_campaign(&progress, text, 200);
    assert_string_equal(text, "250/1000 trials  25 %  6.25/s  2 min 0 s left  "
                              "critical 0.0123 [0.0101, 0.015]");
    cli_progress_campaign(&progress, text, 10);
    assert_string_equal(text, "250/1000 t");
    progress.fraction = 0.0;
    progress.critical_rate.value = NAN;
    cli_progress_campaign(&progress, text, 200);
    assert_string_equal(text, "250/1000 trials  0 %  6.25/s  some time left");
}

/* Time left and rate come from what this process did, not from what it found done. */
static void test_training_text(void **state) {
    stoic_train_progress progress = {.epoch = 5,
                                     .epochs = 10,
                                     .batch = 30,
                                     .batches = 60,
                                     .fraction = 0.75,
                                     .fraction_before = 0.5,
                                     .seconds = 30.0,
                                     .loss = 0.43219,
                                     .train_accuracy = 0.87654,
                                     .test_accuracy = NAN};
    stoic_epoch epoch = {0.43219, 0.87654, 0.85, 0.01, 12.34};
    char text[201];
    (void)state;
    cli_progress_training(&progress, 6000, text, 200);
    assert_string_equal(text, "epoch 6/10  batch 30/60  loss 0.432  train 0.877  "
                              "30.0 s left  500 images/s");
    cli_progress_training(&progress, 6000, text, 10);
    assert_string_equal(text, "epoch 6/10");
    progress.fraction = progress.fraction_before;
    cli_progress_training(&progress, 6000, text, 200);
    assert_non_null(strstr(text, "train 0.877  some time left"));
    cli_progress_epoch(&epoch, 5, 10, text, 200);
    assert_string_equal(text,
                        "epoch 6/10  loss 0.4322  train 0.8765  test 0.8500  lr 0.01  12.3 s");
    epoch.test_accuracy = NAN;
    cli_progress_epoch(&epoch, 5, 10, text, 200);
    assert_string_equal(text, "epoch 6/10  loss 0.4322  train 0.8765  lr 0.01  12.3 s");
}

static void test_parts_of_known_sets(void **state) {
    (void)state;
    assert_string_equal(cli_data_part("cifar10", true), "cifar10:train");
    assert_string_equal(cli_data_part("cifar10", false), "cifar10:test");
    assert_string_equal(cli_data_part("cifar10:test", true), "cifar10:test");
    assert_string_equal(cli_data_part("dir:cifar10", true), "dir:cifar10");
    assert_null(cli_data_part(NULL, true));
    assert_string_equal(cli_data_test_of("mnist"), "mnist:test");
    assert_string_equal(cli_data_test_of("mnist:train"), "mnist:test");
    assert_null(cli_data_test_of("mnist:test"));
    assert_null(cli_data_test_of("dir:train"));
    assert_null(cli_data_test_of(NULL));
}

/* What --help says of --lr is written there by hand. */
static void test_usual_rate(void **state) {
    (void)state;
    assert_true(stoic_train_options_default().lr == 0.1);
    for (const cli_option *option = cli_verb_train.options; option->name; option++) {
        if (!strcmp(option->name, "lr"))
            assert_int_equal(strncmp(option->fallback, "0.1 with sgd", 12), 0);
    }
}

/* Specs name files behind a comma, a colon or an equals sign. */
static void test_spec_keeps(void **state) {
    static const char *const reading[] = {"kept.txt", "list:kept.txt", "idx:a,kept.txt",
                                          "ber:1e-5,fixed=kept.txt",
                                          "map:block,value=table:kept.txt,share=0.5"};
    stoic_error err;
    (void)state;
    FILE *file = fopen("kept.txt", "w");
    assert_non_null(file);
    fclose(file);
    for (size_t i = 0; i < sizeof reading / sizeof *reading; i++)
        assert_int_equal(cli_spec_keeps(reading[i], "./kept.txt", &err), STOIC_ERR_ARGUMENT);
    assert_int_equal(cli_spec_keeps("list:other.txt,kept.txt.2", "kept.txt", &err), STOIC_OK);
    assert_int_equal(cli_spec_keeps(NULL, "kept.txt", &err), STOIC_OK);
    assert_int_equal(cli_spec_keeps("kept.txt", NULL, &err), STOIC_OK);
    assert_int_equal(unlink("kept.txt"), 0);
    assert_int_equal(cli_spec_keeps("kept.txt", "kept.txt", &err), STOIC_OK);
}

/* The tables themselves: names once, a help text each, an argument where there is a value, and
 * settings large enough for every offset. */
static void test_tables_are_sound(void **state) {
    int verbs = 0;
    (void)state;
    for (; cli_verbs[verbs]; verbs++) {
        const cli_verb *verb = cli_verbs[verbs];
        assert_ptr_equal(cli_verb_find(verb->name), verb);
        assert_true(verb->settings_size >= sizeof(cli_common));
        assert_true(*verb->summary && *verb->text && verb->run);
        for (int i = 0; i < 2; i++)
            assert_non_null(strstr(verb->examples[i], "stoic "));
        for (const cli_option *option = verb->options; option->name; option++) {
            assert_true(*option->help != '\0');
            assert_true(option->offset < verb->settings_size);
            assert_int_equal(option->kind != CLI_FLAG, option->argument != NULL);
            for (const cli_option *other = option + 1; other->name; other++) {
                assert_string_not_equal(option->name, other->name);
                assert_true(option->letter == 0 || option->letter != other->letter);
            }
        }
    }
    assert_int_equal(verbs, 20);
    assert_null(cli_verb_find("attacks"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_last_one_wins),
        cmocka_unit_test(test_help_is_seen),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_far_words_get_no_suggestion),
        cmocka_unit_test(test_defaults_are_live),
        cmocka_unit_test(test_messages_are_one_line),
        cmocka_unit_test(test_data_text_round_trip),
        cmocka_unit_test(test_foreign_data_text_is_refused),
        cmocka_unit_test(test_numbers_read_back),
        cmocka_unit_test(test_progress_text),
        cmocka_unit_test(test_training_text),
        cmocka_unit_test(test_parts_of_known_sets),
        cmocka_unit_test(test_usual_rate),
        cmocka_unit_test(test_spec_keeps),
        cmocka_unit_test(test_tables_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
