/* Campaigns on coded stores: what is detected and not repaired counts as the policy says. */
#include "data_kit.h"
#include "small_networks.h"
#include "stoic/campaign.h"
#include "stoic/records.h"

enum { IMAGES = 24, TRIALS = 60 };

static stoic_model *net;
static stoic_dataset *data;

/* What the file tells of each trial. */
typedef struct told {
    stoic_counts counts[TRIALS];
    int64_t words[TRIALS][8]; /* layer and word of each site */
    int sites[TRIALS];
} told;

static bool keep_trial(void *user, const stoic_record *record) {
    told *t = user;
    assert_true(record->trial >= 0 && record->trial < TRIALS);
    t->counts[record->trial] = record->counts;
    return true;
}

static bool keep_site(void *user, const stoic_site_record *site) {
    told *t = user;
    assert_true(t->sites[site->trial] < 8);
    t->words[site->trial][t->sites[site->trial]++] = site->layer * 100000 + site->word;
    return true;
}

static stoic_summary run(const char *store, const char *fault, told *out) {
    stoic_campaign_options options = stoic_campaign_options_default();
    stoic_records *records = NULL;
    stoic_summary summary;
    stoic_error err = {0};
    char *path = in_home("due.db");
    remove(path);
    options.store = store;
    options.faults = &fault;
    options.n_faults = 1;
    options.trials = TRIALS;
    options.outcomes = STOIC_OUTCOMES_ALL;
    options.threads = 1;
    options.seed = 3;
    if (stoic_campaign_run(net, data, &options, path, &summary, &err) != STOIC_OK)
        fail_msg("%s, %s: %s: %s", store, fault, err.place, err.message);
    memset(out, 0, sizeof *out);
    assert_int_equal(stoic_records_open(path, &records, &err), STOIC_OK);
    assert_int_equal(stoic_records_each(records, keep_trial, out, &err), STOIC_OK);
    assert_int_equal(stoic_records_each_site(records, keep_site, out, &err), STOIC_OK);
    stoic_records_free(records);
    for (int t = 0; t < TRIALS; t++) {
        const stoic_counts *c = &out->counts[t];
        assert_int_equal(c->images, IMAGES);
        assert_int_equal(c->masked + c->tolerable + c->critical + c->due, IMAGES);
        assert_true(c->due == 0 || (c->due == IMAGES && c->correct == 0 && c->masked == 0));
    }
    assert_int_equal(summary.totals.images, TRIALS * IMAGES);
    return summary;
}

static void one_wrong_bit_changes_nothing(void **state) {
    (void)state;
    static const char *const stores[] = {"fp32,code=secded72,due=report", "fp16,code=tmr",
                                         "fp16,code=secded39", "q2.5,code=parity64,due=report",
                                         "int8,code=zerospace64,due=report"};
    static told t;
    for (int s = 0; s < 5; s++) {
        stoic_summary summary = run(stores[s], "flips:1", &t);
        assert_int_equal(summary.totals.masked, TRIALS * IMAGES);
        assert_int_equal(summary.totals.due, 0);
        assert_int_equal(
            (double)summary.totals.correct / (TRIALS * IMAGES) == summary.golden_accuracy, 1);
    }
    /* the partner: without a code it does */
    stoic_summary summary = run("fp16", "flips:1", &t);
    assert_true(summary.totals.masked < TRIALS * IMAGES);
}

static void two_wrong_bits_of_a_word(void **state) {
    (void)state;
    static told t;
    stoic_summary report = run("fp16,code=secded72,due=report", "mbu:2", &t);
    assert_int_equal(report.totals.due, TRIALS * IMAGES);
    assert_int_equal(report.totals.correct + report.totals.critical + report.totals.nan, 0);
    assert_true(report.golden_accuracy > 0 && report.accuracy.value == 0);
    stoic_summary keep = run("fp16,code=secded72", "mbu:2", &t);
    assert_int_equal(keep.totals.due, 0);
    assert_true(keep.totals.correct > 0 && keep.totals.masked < TRIALS * IMAGES);
    stoic_summary zero = run("fp16,code=secded72,due=zero", "mbu:2", &t);
    assert_int_equal(zero.totals.due, 0);
    assert_true(zero.totals.masked < TRIALS * IMAGES && zero.totals.nan == 0);
    stoic_summary parity = run("q2.5,code=parity64,due=report", "mbu:2", &t);
    assert_int_equal(parity.totals.masked, TRIALS * IMAGES);
}

/* A trial is a DUE if and only if two of its flips meet in one word. */
static void a_trial_is_due_where_flips_meet(void **state) {
    (void)state;
    static told t;
    int due = 0;
    run("fp16,code=secded72,due=report", "flips:2,layer=2", &t);
    for (int trial = 0; trial < TRIALS; trial++) {
        assert_int_equal(t.sites[trial], 2);
        bool meet = t.words[trial][0] == t.words[trial][1];
        assert_int_equal(t.counts[trial].due, meet ? IMAGES : 0);
        assert_int_equal(t.counts[trial].masked, meet ? 0 : IMAGES);
        due += meet;
    }
    assert_true(due > 0 && due < TRIALS);
}

static int set_up(void **state) {
    stoic_rng rng = kit_rng(8);
    float images[IMAGES * 64];
    int64_t labels[IMAGES];
    if (make_home(state))
        return 1;
    for (int i = 0; i < IMAGES * 64; i++)
        images[i] = kit_uniform(&rng, -1, 1);
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i % 5;
    save_npy("i.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (24, 1, 8, 8)}\n", images,
             sizeof images);
    save_npy("l.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (24,)}\n", labels,
             sizeof labels);
    data = open_ok(spec_of("npy:%s/i.npy,%s/l.npy"), NULL);
    net = small_lenet();
    return 0;
}

static int tear_down(void **state) {
    stoic_dataset_free(data);
    stoic_model_free(net);
    return remove_home(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_wrong_bit_changes_nothing),
        cmocka_unit_test(two_wrong_bits_of_a_word),
        cmocka_unit_test(a_trial_is_due_where_flips_meet),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
