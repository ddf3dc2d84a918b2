/* Rankings from a campaign, against the same sums made trial by trial. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "stoic/records.h"
#include "stoic/sensitivity.h"

enum { IMAGES = 40, TRIALS = 400, MOST = 4096 };

static stoic_model *model;
static stoic_dataset *data;
static char folder[] = "/tmp/stoic-sensitivity-XXXXXX";
static char flips[64], rates[64], sums[64], list[64];

static void run(const char *path, const char *fault, int64_t trials) {
    stoic_campaign_options options = stoic_campaign_options_default();
    stoic_summary summary;
    stoic_error err = {0};
    options.faults = &fault;
    options.n_faults = 1;
    options.trials = trials;
    options.seed = 5;
    if (stoic_campaign_run(model, data, &options, path, &summary, &err) != STOIC_OK)
        fail_msg("%s", err.message);
}

static int open_all(void **state) {
    stoic_dataset_options options = stoic_dataset_options_default();
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(flips, sizeof flips, "%s/flips.db", folder);
    snprintf(rates, sizeof rates, "%s/rates.db", folder);
    assert_int_equal(stoic_model_read(STOIC_TEST_MODELS "/lenet5-fashion-mnist.onnx", &model, NULL),
                     STOIC_OK);
    options.count = IMAGES;
    options.model = model;
    assert_int_equal(stoic_dataset_open("fashion-mnist", &options, &data, NULL), STOIC_OK);
    run(flips, "flips:1,bits=exponent", TRIALS);
    run(rates, "ber:1e-4", 3);
    snprintf(list, sizeof list, "%s/list.csv", folder);
    snprintf(sums, sizeof sums, "%s/sums.db", folder);
    run(sums, "op:flip", 300);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    stoic_dataset_free(data);
    stoic_model_free(model);
    unlink(flips);
    unlink(rates);
    unlink(sums);
    return rmdir(folder);
}

typedef struct rows {
    stoic_sensitivity_row *items;
    size_t n;
} rows;

static rows rank(const char *path, unsigned by) {
    rows out;
    stoic_error err = {0};
    if (stoic_sensitivity_measure(path, model, by, &out.items, &out.n, &err) != STOIC_OK)
        fail_msg("%s", err.message);
    return out;
}

typedef struct brute {
    unsigned by;
    const stoic_sensitivity_row *row;
    int64_t trials, critical;
} brute;

/* The output channel from the shapes that LeNet-5 has: filters and rows come first. */
static int64_t channel(const stoic_record *r) {
    static const int64_t inner[] = {25, 500, 800, 120, 84};
    return r->index / inner[r->layer];
}

static bool count(void *user, const stoic_record *r) {
    brute *b = user;
    bool same = (!(b->by & STOIC_BY_LAYER) || r->layer == b->row->layer) &&
                (!(b->by & STOIC_BY_CHANNEL) || channel(r) == b->row->channel) &&
                (!(b->by & STOIC_BY_WEIGHT) || r->index == b->row->index) &&
                (!(b->by & STOIC_BY_BIT) || r->bit == b->row->bit);
    b->trials += same;
    b->critical += same ? r->counts.critical : 0;
    return true;
}

static void rates_are_those_of_the_trials(void **state) {
    (void)state;
    static const unsigned sets[] = {STOIC_BY_LAYER, STOIC_BY_BIT, STOIC_BY_LAYER | STOIC_BY_BIT,
                                    STOIC_BY_LAYER | STOIC_BY_CHANNEL,
                                    STOIC_BY_LAYER | STOIC_BY_WEIGHT};
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        rows r = rank(flips, sets[s]);
        stoic_records *records = NULL;
        int64_t trials = 0;
        double share = 0;
        assert_int_equal(stoic_records_open(flips, &records, NULL), STOIC_OK);
        for (size_t i = 0; i < r.n; i++) {
            const stoic_sensitivity_row *row = &r.items[i];
            brute b = {.by = sets[s], .row = row};
            assert_int_equal(stoic_records_each(records, count, &b, NULL), STOIC_OK);
            assert_int_equal(row->trials, b.trials);
            assert_true(row->critical_rate.value ==
                        (double)b.critical / (double)(b.trials * IMAGES));
            assert_true(row->critical_rate.low <= row->critical_rate.value &&
                        row->critical_rate.high >= row->critical_rate.value);
            assert_true(i == 0 || r.items[i - 1].critical_rate.low >= row->critical_rate.low);
            trials += row->trials;
            share += row->share;
            assert_true(share - row->cumulative < 1e-9 && row->cumulative - share < 1e-9);
        }
        assert_int_equal(trials, TRIALS);
        assert_true(r.items[r.n - 1].cumulative == 1.0);
        stoic_records_free(records);
        free(r.items);
    }
}

/* One bit of 8 does nearly all the harm: a ranking that lost track of bits would not say so. */
static void the_worst_bit_is_first(void **state) {
    (void)state;
    rows r = rank(flips, STOIC_BY_BIT);
    assert_int_equal(r.n, 8);
    assert_int_equal(r.items[0].bit, 30);
    assert_true(r.items[0].share > 0.9);
    free(r.items);
}

/* Elements of a layer's output: maps of 24 x 24 and 8 x 8, then vectors. */
static bool count_sums(void *user, const stoic_record *r) {
    static const int64_t inner[] = {576, 64, 1, 1, 1};
    brute *b = user;
    bool same = r->layer == b->row->layer && r->index / inner[r->layer] == b->row->channel;
    b->trials += same;
    b->critical += same ? r->counts.critical : 0;
    return true;
}

static void computed_values_have_channels_too(void **state) {
    (void)state;
    rows r = rank(sums, STOIC_BY_CHANNEL);
    stoic_records *records = NULL;
    int64_t trials = 0;
    assert_int_equal(stoic_records_open(sums, &records, NULL), STOIC_OK);
    for (size_t i = 0; i < r.n; i++) {
        brute b = {.row = &r.items[i]};
        assert_int_equal(stoic_records_each(records, count_sums, &b, NULL), STOIC_OK);
        assert_int_equal(r.items[i].trials, b.trials);
        assert_true(r.items[i].critical_rate.value == (double)b.critical / (double)b.trials);
        assert_string_equal(r.items[i].tensor, "op");
        trials += b.trials;
    }
    assert_int_equal(trials, 300);
    stoic_records_free(records);
    free(r.items);
}

static int descending(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

/* No set of k - 1 groups holds the share, as the k - 1 largest do not. */
static void the_smallest_set_that_holds_a_share(void **state) {
    (void)state;
    static const double shares[] = {0.25, 0.5, 0.9, 0.99, 1.0};
    rows r = rank(flips, STOIC_BY_WEIGHT);
    int64_t *critical = calloc(r.n, sizeof *critical), all = 0;
    assert_non_null(critical);
    for (size_t i = 0; i < r.n; i++)
        all += critical[i] = r.items[i].critical;
    qsort(critical, r.n, sizeof *critical, descending);
    stoic_sensitivity_by_share(r.items, r.n);
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
        size_t k = stoic_sensitivity_cover(r.items, r.n, shares[s]);
        int64_t held = 0, listed = 0;
        assert_true(k > 0 && k < r.n);
        for (size_t i = 0; i < k; i++) {
            assert_true((double)held < shares[s] * (double)all);
            held += critical[i];
            listed += r.items[i].critical;
        }
        assert_int_equal(listed, held);
        assert_true((double)held >= shares[s] * (double)all);
        assert_true(r.items[k - 1].cumulative == (double)held / (double)all);
    }
    for (size_t i = 0; i < r.n; i++)
        r.items[i].critical = 0;
    stoic_sensitivity_by_share(r.items, r.n);
    assert_int_equal(stoic_sensitivity_cover(r.items, r.n, 0.5), 0);
    free(critical);
    free(r.items);
}

static stoic_status read_list(const char *text, stoic_channel **channels, size_t *n,
                              stoic_error *err) {
    FILE *file = fopen(list, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return stoic_sensitivity_channels(list, model, channels, n, err);
}

static void channels_from_a_list(void **state) {
    (void)state;
    static const struct {
        const char *text, *what;
    } bad[] = {{"layer,channel\n0,20\n", "line 2: channel: expected 0 to 19"},
               {"layer,channel\n0,\n", "line 2: channel: expected"},
               {"layer,channel\n0,1e0\n", "line 2: channel: expected"},
               {"layer,channel\n9,0\n", "line 2: "},
               {"layer,channel\n", "no channel"},
               {"layer,index\n0,0\n", "no column 'channel'"}};
    stoic_channel *channels = NULL;
    size_t n = 0;
    stoic_error err = {0};
    assert_int_equal(
        read_list("name,channel,tensor,layer\nfc3,4,weight,4\n,3,bn,\n,0,weight,conv2\n", &channels,
                  &n, &err),
        STOIC_OK);
    assert_int_equal(n, 2);
    assert_true(channels[0].layer == 4 && channels[0].channel == 4);
    assert_true(channels[1].layer == 1 && channels[1].channel == 0);
    free(channels);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_list(bad[i].text, &channels, &n, &err), STOIC_ERR_FORMAT);
        if (!strstr(err.message, bad[i].what))
            fail_msg("%s", err.message);
        assert_true(channels == NULL && n == 0);
    }
    unlink(list);
    assert_int_equal(stoic_sensitivity_channels(flips, model, &channels, &n, &err), STOIC_OK);
    rows r = rank(flips, STOIC_BY_CHANNEL);
    assert_int_equal(n, r.n);
    for (size_t i = 0; i < n; i++)
        assert_true(channels[i].layer == r.items[i].layer &&
                    channels[i].channel == r.items[i].channel);
    free(r.items);
    free(channels);
}

static void refusals(void **state) {
    (void)state;
    stoic_sensitivity_row *items = NULL;
    stoic_error err = {0};
    stoic_model *other = NULL;
    size_t n;
    assert_int_equal(stoic_sensitivity_measure(rates, model, STOIC_BY_LAYER, &items, &n, &err),
                     STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "several layers"));
    assert_int_equal(stoic_sensitivity_measure(rates, model, STOIC_BY_BIT, &items, &n, &err),
                     STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "several sites"));
    assert_int_equal(stoic_sensitivity_measure(flips, NULL, STOIC_BY_CHANNEL, &items, &n, &err),
                     STOIC_ERR_ARGUMENT);
    assert_int_equal(stoic_model_read(STOIC_TEST_MODELS "/lenet5-sigmoid.onnx", &other, &err),
                     STOIC_OK);
    assert_int_equal(stoic_sensitivity_measure(flips, other, STOIC_BY_CHANNEL, &items, &n, &err),
                     STOIC_ERR_MISMATCH);
    stoic_model_free(other);
    assert_int_equal(stoic_sensitivity_measure(sums, model, STOIC_BY_WEIGHT, &items, &n, &err),
                     STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "no weight"));
    assert_null(items);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_those_of_the_trials),
        cmocka_unit_test(the_worst_bit_is_first),
        cmocka_unit_test(computed_values_have_channels_too),
        cmocka_unit_test(the_smallest_set_that_holds_a_share),
        cmocka_unit_test(channels_from_a_list),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
