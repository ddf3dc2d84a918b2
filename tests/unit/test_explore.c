/* Algorithm 1 on a shipped network and few images: search against every width, rivals, refusals. */
#include "svg_kit.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stoic/report.h"
#include "study/family.h"

static stoic_model *model;
static stoic_dataset *data;
static const double rates[] = {1e-2, 1e-3}; /* not in order */
static char folder[] = "/tmp/stoic-explore-XXXXXX";

static int open_all(void **state) {
    stoic_dataset_options options = stoic_dataset_options_default();
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("TMPDIR", folder, 1), 0);
    assert_int_equal(stoic_model_read(STOIC_TEST_MODELS "/lenet5-fashion-mnist.onnx", &model, NULL),
                     STOIC_OK);
    options.count = 60;
    options.model = model;
    assert_int_equal(stoic_dataset_open("fashion-mnist", &options, &data, NULL), STOIC_OK);
    return 0;
}

/* Nothing may be left of temporary folders. */
static int files_in(const char *path) {
    int n = -2; /* without . and .. */
    DIR *list = opendir(path);
    assert_non_null(list);
    while (readdir(list))
        n++;
    closedir(list);
    return n;
}

static int close_all(void **state) {
    (void)state;
    stoic_dataset_free(data);
    stoic_model_free(model);
    int left = files_in(folder);
    rmdir(folder);
    return left;
}

static stoic_explore_options options_of(const char *store, double accuracy, double drop) {
    stoic_explore_options options = stoic_explore_options_default();
    options.store = store;
    options.bers = rates;
    options.n_bers = 2;
    options.trials = 3;
    options.min_accuracy = accuracy;
    options.max_drop = drop;
    return options;
}

static stoic_exploration *explore(const stoic_explore_options *options) {
    stoic_exploration *out = NULL;
    stoic_error err = {0};
    if (stoic_explore(model, data, options, &out, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    return out;
}

static int find(const stoic_exploration *found, const char *text) {
    for (int i = 0; i < found->n_stores; i++) {
        if (!strcmp(found->stores[i].text, text))
            return i;
    }
    return -1;
}

static bool alike(const stoic_interval *a, const stoic_interval *b) {
    return !memcmp(a, b, sizeof *a);
}

/* The runtime's where it runs the store; otherwise the sum says so. */
static void check_time(const stoic_explore_store *base, const stoic_explore_store *store) {
    const double seconds = store->decode_seconds + store->evaluate_seconds;
    const bool runs = strncmp(store->text, "fp64", 4) != 0;
    assert_string_equal(store->time_source, runs ? "runtime" : "decode+float");
    assert_int_equal(runs, store->time_note == NULL);
    assert_int_equal(runs, store->image_seconds > 0.0);
    if (!runs)
        assert_true(store->time == seconds / (base->decode_seconds + base->evaluate_seconds));
    /* measured side by side, so near the ratio of what was measured apart */
    else
        assert_true(store->time > 0.2 * store->image_seconds / base->image_seconds &&
                    store->time < 5.0 * store->image_seconds / base->image_seconds);
}

static void check_rows(const stoic_exploration *found) {
    const stoic_explore_store *base = &found->stores[0];
    assert_int_equal(base->kind, STOIC_EXPLORE_BASELINE);
    assert_true(base->memory == 1.0 && base->time == 1.0);
    for (int i = 0; i < found->n_rows; i++) {
        const stoic_explore_row *row = &found->rows[i];
        const stoic_explore_store *store = &found->stores[row->store];
        assert_int_equal(row->trials, 3);
        assert_true(row->ber == rates[1 - i % 2]);
        assert_true(store->memory == (double)store->bits / (double)base->bits);
        assert_true(store->decode_seconds > 0.0 && store->evaluate_seconds > 0.0);
        check_time(base, store);
        assert_true(row->rap == stoic_rap(row->drop.value, store->memory, store->time));
        assert_true(row->p_drop == stoic_p_drop((double)store->bits, found->lifetime_flips,
                                                row->ber, row->drop.value));
    }
}

/* Every width that was hit stands beside its equals in width and in memory. */
static void check_rivals(const stoic_exploration *found) {
    for (int i = 0; i < found->n_probes; i++) {
        const stoic_explore_probe *probe = &found->probes[i];
        char text[32];
        if (isnan(probe->drop.value))
            continue;
        for (int width = probe->width; width <= probe->width + 2 && width <= 8; width += 2) {
            snprintf(text, sizeof text, "affine:%d", width);
            int rival = find(found, text);
            assert_true(rival >= 0);
            assert_int_equal(found->stores[rival].bits, width * found->stores[rival].weights);
        }
        assert_int_equal(found->stores[probe->store].width, probe->width);
        assert_int_equal(found->stores[probe->store].bits,
                         (probe->width + 2) * found->stores[probe->store].weights);
    }
}

static void a_search_finds_what_all_widths_show(void **state) {
    stoic_explore_options options = options_of("affine:{M},code=msb3", 0.75, 0.15);
    (void)state;
    stoic_exploration *some = explore(&options);
    options.all = true;
    options.threads = 1;
    stoic_exploration *all = explore(&options);
    assert_int_equal(all->n_probes, 7);
    assert_true(some->n_probes <= 4);
    assert_true(some->chosen >= 2);
    assert_int_equal(some->chosen, all->chosen);
    assert_int_equal(some->probes[0].width, 5);
    for (int i = 0; i < some->n_probes; i++) {
        const stoic_explore_probe *one = &some->probes[i];
        const stoic_explore_probe *other = &all->probes[8 - one->width];
        assert_int_equal(other->width, one->width);
        assert_true(isnan(one->drop.value) || alike(&one->drop, &other->drop));
        assert_true(one->accurate == other->accurate);
    }
    check_rows(some);
    check_rows(all);
    check_rivals(some);
    check_rivals(all);
    assert_int_equal(all->n_stores, 14); /* baseline, 7 candidates, unprotected 2 to 7 */
    assert_int_equal(all->n_rows, 28);
    stoic_exploration_free(some);
    stoic_exploration_free(all);
}

static void nothing_is_good_enough(void **state) {
    stoic_explore_options options = options_of("affine:{M},code=msb3", 0.5, 0.0);
    const int tried[] = {5, 7, 8};
    (void)state;
    options.n_bers = 1;
    stoic_exploration *found = explore(&options);
    assert_int_equal(found->chosen, 0);
    assert_int_equal(found->n_probes, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(found->probes[i].width, tried[i]);
    stoic_exploration_free(found);
    options.min_accuracy = 1.0;
    found = explore(&options); /* no width is accurate: none is hit, the baseline alone has rows */
    assert_int_equal(found->n_rows, 1);
    assert_int_equal(found->rows[0].store, 0);
    for (int i = 0; i < found->n_probes; i++)
        assert_true(isnan(found->probes[i].drop.value) && !found->probes[i].accurate);
    stoic_exploration_free(found);
}

/* Without a code the family is its own rival, and at 8 bits the baseline. */
static void an_unprotected_family(void **state) {
    stoic_explore_options options = options_of("affine:{M}", NAN, NAN);
    (void)state;
    options.narrowest = 7;
    options.all = true;
    stoic_exploration *found = explore(&options);
    assert_int_equal(found->n_stores, 2);
    assert_int_equal(found->n_rows, 4);
    assert_int_equal(found->chosen, 0); /* nothing was asked for */
    assert_int_equal(found->probes[0].store, 0);
    check_rows(found);
    stoic_exploration_free(found);
}

/* The drop of width `w` when all were tried, the widest first. */
static double drop_at(const stoic_exploration *found, int w) {
    assert_int_equal(found->probes[8 - w].width, w);
    return found->probes[8 - w].drop.value;
}

/* A limit that a width just misses, while a narrower one that lost less stays below it. */
static void a_wider_width_may_fail(void **state) {
    stoic_explore_options options = options_of("affine:{M},code=msb3", NAN, 1.0);
    int failing = 0;
    (void)state;
    options.all = true;
    options.bers = rates + 1;
    options.n_bers = 1;
    stoic_exploration *found = explore(&options);
    assert_int_equal(found->chosen, 2);
    assert_int_equal(found->wider_failed, 0);
    for (int w = 3; w <= 8; w++) {
        for (int v = 2; v < w; v++) {
            if (drop_at(found, v) < drop_at(found, w))
                failing = w;
        }
    }
    assert_true(failing > 0);
    options.max_drop = fmax(drop_at(found, failing), 0.0);
    stoic_exploration_free(found);
    found = explore(&options);
    int chosen = 0, wider = 0;
    for (int w = 2; w <= 8; w++) {
        bool passes = drop_at(found, w) < options.max_drop;
        if (passes && !chosen)
            chosen = w;
        if (!passes && chosen)
            wider = w;
    }
    assert_true(chosen > 0 && wider > chosen);
    assert_int_equal(found->chosen, chosen);
    assert_int_equal(found->wider_failed, wider);
    stoic_exploration_free(found);
}

static void refusals(void **state) {
    const double bad[] = {0.5, NAN}, twice[] = {0.5, 0.5};
    stoic_exploration *out = NULL;
    stoic_error err = {0};
    (void)state;
#define REFUSES(change, says)                                                                      \
    do {                                                                                           \
        stoic_explore_options options = options_of("affine:{M}", 0.5, 0.5);                        \
        change;                                                                                    \
        assert_int_equal(stoic_explore(model, data, &options, &out, &err), STOIC_ERR_ARGUMENT);    \
        assert_null(out);                                                                          \
        if (!strstr(err.message, says))                                                            \
            fail_msg("%s", err.message);                                                           \
        assert_int_equal(stoic_explore(model, data, &options, &out, NULL), STOIC_ERR_ARGUMENT);    \
    } while (0)
    REFUSES(options.narrowest = 1, "widths from 2 to 8");
    REFUSES(options.widest = 9, "widths from 2 to 8");
    REFUSES(options.narrowest = 8; options.widest = 7, "widths from 2 to 8");
    REFUSES(options.store = NULL, "expected a spec");
    REFUSES(options.store = "affine:5", "expected {M}");
    REFUSES(options.store = "affine:{M},code=rep:4", "from 1 to 2");
    REFUSES(options.n_bers = 0, "bit error rates");
    REFUSES(options.n_bers = 17, "bit error rates");
    REFUSES(options.bers = bad, "between 0 and 1");
    REFUSES(options.bers = twice, "twice");
    REFUSES(options.min_accuracy = NAN, "--min-accuracy");
    REFUSES(options.max_drop = NAN, "--max-drop");
    REFUSES(options.max_drop = 2.0, "a fraction");
    REFUSES(options.trials = 0, "1 or more");
    REFUSES(options.lifetime_flips = 0.0, "above 0");
#undef REFUSES
}

static void interruption(void **state) {
    stoic_explore_options options = options_of("affine:{M}", 0.5, 0.5);
    volatile int cancel = 1;
    stoic_exploration *out = NULL;
    (void)state;
    options.cancel = &cancel;
    assert_int_equal(stoic_explore(model, data, &options, &out, NULL), STOIC_ERR_INTERRUPTED);
    assert_null(out);
}

static void families(void **state) {
    static const struct {
        const char *pattern;
        bool unprotected;
        const char *spec;
    } cases[] = {
        {"affine:{M},code=msb3", false, "affine:4,code=msb3"},
        {"affine:{M},code=msb3", true, "affine:4"},
        {"affine:{M},code=secded72,granularity=channel,due=zero", true,
         "affine:4,granularity=channel"},
        {"fixed:{M}:{M}", false, "fixed:4:4"},
        {"code=tmr", true, ""},
        {"{M{M}}", false, "{M4}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *spec = NULL;
        assert_int_equal(stoic_family_spec(cases[i].pattern, 4, cases[i].unprotected, &spec, NULL),
                         STOIC_OK);
        assert_string_equal(spec, cases[i].spec);
        free(spec);
    }
    assert_true(stoic_family_varies("affine:{M}"));
    assert_false(stoic_family_varies("affine:{m}"));
}

static void time_without_the_runtime(void **state) {
    (void)state;
    stoic_explore_options options = options_of("fp64", NAN, NAN);
    options.narrowest = options.widest = 8;
    options.all = true;
    stoic_exploration *found = explore(&options);
    check_rows(found);
    assert_int_equal(found->n_stores, 2);
    assert_non_null(strstr(found->stores[1].time_note, "fp64 has 64"));
    stoic_exploration_free(found);
}

/* Values that leave an axis nothing to be made from: still pictures, and gnuplot says nothing. */
static void figures(void **state) {
    static char text[] = "affine:8", other[] = "a<b&'c\"";
    stoic_explore_store stores[] = {
        {STOIC_EXPLORE_BASELINE, text, 8, 10, 80, 0.9, 1.0, 1.0, 1.0, 1.0, "runtime", 1.0, NULL},
        {STOIC_EXPLORE_CANDIDATE, other, 3, 10, 50, 0.9, 1.0, 1.0, 0.625, 1.0, "runtime", 1.0,
         NULL}};
    stoic_explore_row rows[] = {{0, 1e-4, 2, {0.0, 0.0, 0.0}, 0.0, 0.0},
                                {0, 2e-3, 1, {0.1, -INFINITY, INFINITY}, 0.0, 0.0},
                                {1, 1e-4, 2, {0.0, 0.0, 0.0}, 0.0, 0.0},
                                {1, 2e-3, 1, {-0.1, -INFINITY, INFINITY}, 0.0, 0.0}};
    stoic_exploration found = {.stores = stores,
                               .n_stores = 2,
                               .rows = rows,
                               .n_rows = 4,
                               .lifetime_flips = STOIC_LIFETIME_FLIPS};
    static const char *const names[] = {"explore-drop.svg",   "explore-drop.csv",
                                        "explore-p-drop.svg", "explore-p-drop.csv",
                                        "explore-rap.svg",    "explore-rap.csv"};
    char into[128], path[192];
    stoic_error err = {0};
    (void)state;
    snprintf(into, sizeof into, "%s/figures", folder);
    for (found.n_rows = 4; found.n_rows > 0; found.n_rows--) {
        if (stoic_exploration_draw(&found, into, &err) != STOIC_OK)
            fail_msg("%s: %s", err.place, err.message);
        for (size_t i = 0; i < 6; i++) {
            snprintf(path, sizeof path, "%s/%s", into, names[i]);
            char *content = read_text(path);
            assert_true(i % 2 ? strstr(content, "affine:8,baseline,8,8,") != NULL
                              : well_formed(content));
            assert_true(i % 2 || strstr(content, "BER 1e-4"));
            free(content);
            unlink(path);
        }
    }
    assert_int_equal(stoic_exploration_draw(&found, into, NULL), STOIC_ERR_ARGUMENT);
    rmdir(into);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_finds_what_all_widths_show),
        cmocka_unit_test(nothing_is_good_enough),
        cmocka_unit_test(an_unprotected_family),
        cmocka_unit_test(a_wider_width_may_fail),
        cmocka_unit_test(time_without_the_runtime),
        cmocka_unit_test(refusals),
        cmocka_unit_test(interruption),
        cmocka_unit_test(families),
        cmocka_unit_test(figures),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
