/* The tool against itself: a bit that flips in memory during a campaign is noticed, and nothing
 * that was measured with it is kept. */
#include "transient_rig.h"

#include "base/seal.h"

static void test_every_bit_counts(void **state) {
    (void)state;
    uint8_t a[40] = {1, 2, 3}, b[3] = {9};
    stoic_seals seals = {0};
    stoic_error err = {0};
    assert_int_equal(stoic_seals_add(&seals, NULL, 8, &err), STOIC_OK);
    assert_int_equal(stoic_seals_add(&seals, a, 0, &err), STOIC_OK);
    assert_int_equal(seals.count, 0);
    assert_true(stoic_seals_hold(&seals));
    assert_int_equal(stoic_seals_add(&seals, a, sizeof a, &err), STOIC_OK);
    assert_int_equal(stoic_seals_add_once(&seals, a, 4, &err), STOIC_OK);
    assert_int_equal(stoic_seals_add_once(&seals, b, sizeof b, &err), STOIC_OK);
    assert_int_equal(seals.count, 2);
    for (int byte = 0; byte < 43; byte++) {
        for (int bit = 0; bit < 8; bit++) {
            assert_true(stoic_seals_hold(&seals));
            assert_true(stoic_seals_flip(&seals, byte, bit));
            assert_false(stoic_seals_hold(&seals));
            assert_true(stoic_seals_flip(&seals, byte - 43, bit));
        }
    }
    assert_true(stoic_seals_hold(&seals));
    assert_false(stoic_seals_flip(&seals, 43, 0));
    assert_false(stoic_seals_flip(&seals, -44, 0));
    stoic_seals_deinit(&seals);
}

/* Every record of the file is one of the undisturbed campaign. */
static void assert_within(const char *path, const char *expected, const char *what) {
    char *text = NULL, *rest;
    size_t size = 0;
    stoic_records *records = NULL;
    FILE *out = open_memstream(&text, &size);
    MUST(stoic_records_open(path, &records, err));
    MUST(stoic_records_each(records, rig_row, out, err));
    stoic_records_free(records);
    fclose(out);
    rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        if (!strstr(expected, line))
            fail_msg("%s: '%s' is no record of the undisturbed campaign", what, line);
    }
    free(text);
}

/* A campaign disturbed by this flip stops and says `says`; undisturbed it goes on to `expected`. */
static void disturbed(const stoic_model *model, stoic_campaign_options *options, const char *flip,
                      const char *says, const char *expected) {
    char *path = in_home("flip.db");
    stoic_summary summary;
    stoic_error error = {0};
    remove(path);
    setenv("STOIC_DEBUG_FLIP", flip, 1);
    stoic_status status = stoic_campaign_run(model, rig_data, options, path, &summary, &error);
    unsetenv("STOIC_DEBUG_FLIP");
    if (status != STOIC_ERR_CORRUPT || !strstr(error.message, says))
        fail_msg("%s, %s: %d '%s' instead of '%s'", options->faults[0], flip, (int)status,
                 status ? error.message : "", says);
    assert_within(path, expected, flip);
    MUST(stoic_campaign_run(model, rig_data, options, path, &summary, err));
    char *dump = rig_dump(path);
    assert_string_equal(dump, expected);
    free(dump);
    remove(path);
}

typedef struct flip_case {
    const char *flip, *says;
} flip_case;

static const flip_case stored_flips[] = {
    {"copy:3:6:40", "a worker's copy of the weights changed"},
    {"weights:3:6:40", "the weights changed"},
    {"plan:-8:0:40", "the plan of the network changed"},
    {"weights:-2:6:40", "the weights changed"},
    {"fault:-1:0:40", "the list of faults changed"},
    {"outputs:3:6:40", "golden outputs and labels of images"},
    {"labels:0:1:40", "golden outputs and labels of images"},
    {"golden:3:6:40", "golden values of images"},
    {"golden:-1:6:40", "golden values of images"},
    {"trial:-1:5:40", "the fault of trial"},
};
enum { STORED_FLIPS = sizeof stored_flips / sizeof *stored_flips };

/* All kinds of memory in a campaign of faults in stored bits, with threads and without. */
static void all_flips(const stoic_model *model, stoic_campaign_options *options) {
    char *path = in_home("whole.db");
    rig_run(model, options, path);
    char *expected = rig_dump(path);
    for (options->threads = 1; options->threads <= 3; options->threads += 2) {
        for (int i = 0; i < STORED_FLIPS; i++)
            disturbed(model, options, stored_flips[i].flip, stored_flips[i].says, expected);
    }
    free(expected);
}

static void test_stored_bits(void **state) {
    (void)state;
    const char *list[2];
    char text[256];
    stoic_model *model = small_lenet();
    rig_open(model);
    stoic_campaign_options options = rig_options("flips:1", list, text);
    options.trials = 150;
    all_flips(model, &options);
    options.store = "affine:8";
    all_flips(model, &options);
    stoic_model_free(model);
}

/* Intervals and limits are sealed as golden values are: parts of a block that are made last. */
static void test_sweep(void **state) {
    (void)state;
    const char *list[2];
    char text[256];
    stoic_model *model = small_lenet();
    rig_open(model);
    stoic_campaign_options options = rig_options("exhaustive,layer=2,bits=24-31", list, text);
    options.trials = 0;
    options.outcomes = STOIC_OUTCOMES_CRITICAL;
    all_flips(model, &options);
    stoic_model_free(model);
}

/* Blocks that belong to one worker, and are dropped for the next. */
static void test_own_blocks(void **state) {
    (void)state;
    const char *list[2];
    char text[256], *path = in_home("whole.db");
    stoic_model *model = small_resnet();
    rig_open(model);
    stoic_campaign_options options = rig_options("ber:1e-3", list, text);
    options.trials = 100;
    options.memory = 1;
    rig_run(model, &options, path);
    char *expected = rig_dump(path);
    disturbed(model, &options, "golden:3:6:30", "golden values of images", expected);
    disturbed(model, &options, "copy:3:6:30", "a worker's copy", expected);
    options.threads = 2;
    disturbed(model, &options, "golden:-1:6:30", "golden values of images", expected);
    free(expected);
    stoic_model_free(model);
}

/* Faults in computed values, alone, with few images a trial, and with stored bits. */
static void test_computed_values(void **state) {
    (void)state;
    static const char *const faults[] = {"map:single", "op:flip", "flips:1 and map:single"};
    const char *list[2];
    char text[256], *path = in_home("whole.db");
    stoic_model *model = small_lenet();
    rig_open(model);
    for (int i = 0; i < 6; i++) {
        stoic_campaign_options options = rig_options(faults[i % 3], list, text);
        options.trials = 130; /* so many that golden values are kept */
        options.images_per_trial = i < 3 ? 0 : 1;
        options.threads = 2;
        rig_run(model, &options, path);
        char *expected = rig_dump(path);
        disturbed(model, &options, "copy:3:6:30", "a worker's copy", expected);
        disturbed(model, &options, "weights:3:6:30", "the weights", expected);
        disturbed(model, &options, "outputs:3:6:30", "golden outputs and labels", expected);
        disturbed(model, &options, "golden:3:6:30", "golden values of images", expected);
        free(expected);
    }
    stoic_model_free(model);
}

/* What is not understood flips nothing, and nor does a byte that is not there. */
static void test_no_flip(void **state) {
    (void)state;
    static const char *const flips[] = {"", "golden", "golden:3", "walls:1:1",
                                        "golden:999999999:1"};
    const char *list[2];
    char text[256], *path = in_home("whole.db");
    stoic_model *model = small_lenet();
    rig_open(model);
    stoic_campaign_options options = rig_options("flips:1", list, text);
    for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
        setenv("STOIC_DEBUG_FLIP", flips[i], 1);
        rig_run(model, &options, path);
    }
    unsetenv("STOIC_DEBUG_FLIP");
    stoic_model_free(model);
}

static int close_all(void **state) {
    stoic_dataset_free(rig_data);
    return remove_home(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_stored_bits),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_own_blocks),
        cmocka_unit_test(test_computed_values),
        cmocka_unit_test(test_no_flip),
    };
    return cmocka_run_group_tests(tests, make_home, close_all);
}
