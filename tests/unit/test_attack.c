/*
 * Attacks against the truth: every bit of small networks by an exhaustive campaign, and losses by
 * plain sums in double.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "harden_kit.h"
#include "labelled_kit.h"
#include "small_networks.h"
#include "stoic/attack.h"
#include "stoic/campaign.h"
#include "stoic/records.h"

/* Three blocks of the engine's, the last one short. */
enum { IMAGES = 150, SIDE = 8, MOST = 1 << 16 };

static stoic_model *net;
static stoic_dataset *data;

static stoic_attack_result *attack_on(const stoic_model *model,
                                      const stoic_attack_options *options) {
    stoic_attack_result *found = NULL;
    stoic_error err = {0};
    if (stoic_attack(model, data, options, &found, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    return found;
}

static stoic_attack_result *attack(const char *store, int64_t flips, int64_t candidates) {
    stoic_attack_options options = stoic_attack_options_default();
    options.store = store;
    options.flips = flips;
    options.candidates = candidates;
    options.threads = 2;
    return attack_on(net, &options);
}

/* ---- the truth ---- */

typedef struct truth {
    int64_t n, least, equals;
    struct {
        int layer, bit;
        int64_t index, correct;
        float after;
    } trials[MOST];
} truth;

static bool keep_trial(void *user, const stoic_record *record) {
    truth *t = user;
    assert_true(record->trial == t->n && t->n < MOST);
    t->trials[t->n].layer = record->layer;
    t->trials[t->n].index = record->index;
    t->trials[t->n].bit = record->bit;
    t->trials[t->n].after = record->after;
    t->trials[t->n++].correct = record->counts.correct;
    if (t->n == 1 || record->counts.correct < t->least) {
        t->least = record->counts.correct;
        t->equals = 0;
    }
    t->equals += record->counts.correct == t->least;
    return true;
}

static const truth *exhaust(const char *store, const char *fault) {
    static truth t;
    stoic_campaign_options options = stoic_campaign_options_default();
    stoic_records *records = NULL;
    stoic_summary summary;
    char *path = in_home("truth.db");
    remove(path);
    t.n = t.equals = 0;
    options.store = store;
    options.faults = &fault;
    options.n_faults = 1;
    options.threads = 2;
    MUST(stoic_campaign_run(net, data, &options, path, &summary, err));
    MUST(stoic_records_open(path, &records, err));
    MUST(stoic_records_each(records, keep_trial, &t, err));
    stoic_records_free(records);
    return &t;
}

/* Mean binary cross-entropy of the outputs with one weight replaced. */
static double loss_of(const stoic_model *model, int layer, int64_t index, float value) {
    static float images[IMAGES * SIDE * SIDE];
    static int labels[IMAGES];
    int64_t classes = stoic_model_classes(model);
    stoic_edit edit = {kit_weight(model, layer, 1), value, index};
    MUST(stoic_dataset_read(data, 0, IMAGES, images, labels, err));
    float *out = kit_run_edited(model, 0, false, images, IMAGES, &edit, 1);
    double loss = 0;
    for (int i = 0; i < IMAGES; i++) {
        double sum = 0;
        for (int64_t k = 0; k < classes; k++) {
            double p = (double)out[i * classes + k];
            sum -= log(fmax(k == labels[i] ? p : 1 - p, 0x1p-126));
        }
        loss += sum != sum ? 100 : sum / (double)classes;
    }
    free(out);
    return loss / IMAGES;
}

/* ---- one flip ---- */

static const char *const stores[] = {"fp32", "fp16,scale=max:1.9999,protect=exponent-msb", "int8",
                                     "q2.5", "affine:5,code=msb3"};

static void every_bit_finds_the_worst(void **state) {
    (void)state;
    for (int s = 0; s < 5; s++) {
        const truth *t = exhaust(stores[s], "exhaustive");
        stoic_attack_result *found = attack(stores[s], 1, 0);
        assert_int_equal(found->n_flips, 1);
        print_message("%s: %lld of %lld bits, %d right of %d, %lld times\n", stores[s],
                      (long long)found->evaluated, (long long)t->n, (int)t->least,
                      (int)found->correct, (long long)t->equals);
        assert_int_equal(found->flips[0].correct, t->least);
        assert_true(found->correct > t->least);
        assert_true(found->evaluated <= t->n);
        bool listed = false;
        for (int64_t i = 0; i < t->n; i++)
            listed = listed ||
                     (t->trials[i].layer == found->flips[0].layer &&
                      t->trials[i].index == found->flips[0].index &&
                      t->trials[i].bit == found->flips[0].bit && t->trials[i].correct == t->least);
        assert_true(listed);
        stoic_attack_free(found);
    }
}

static void gradients_find_it_too(void **state) {
    (void)state;
    for (int s = 0; s < 5; s++) {
        const truth *t = exhaust(stores[s], "exhaustive");
        stoic_attack_result *found = attack(stores[s], 1, 100);
        assert_int_equal(found->n_flips, 1);
        assert_int_equal(found->flips[0].correct, t->least);
        assert_true(found->evaluated < t->n);
        stoic_attack_free(found);
    }
}

/* Of bits that leave as few images right the one with the largest loss, then the first; also where
 * more are equal than are evaluated ahead of the others. */
static void equals_go_by_loss(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"fp32", "sign"}, {"fp32", "25+26"}, {"fp32", "exponent"}, {"q2.5", "all"}, {"int8", "3"}};
    for (int c = 0; c < 5; c++) {
        char fault[40];
        snprintf(fault, sizeof fault, "exhaustive,bits=%s", cases[c][1]);
        const truth *t = exhaust(cases[c][0], fault);
        stoic_attack_options options = stoic_attack_options_default();
        options.store = cases[c][0];
        options.bits = cases[c][1];
        options.candidates = 0;
        stoic_attack_result *found = attack_on(net, &options);
        stoic_store *store = NULL;
        stoic_model *golden = NULL;
        double worst = -1;
        int64_t chosen = -1;
        MUST(stoic_store_create(net, options.store, &store, err));
        MUST(stoic_store_golden(store, &golden, err));
        for (int64_t i = 0; i < t->n; i++) {
            if (t->trials[i].correct != t->least)
                continue;
            double loss =
                loss_of(golden, t->trials[i].layer, t->trials[i].index, t->trials[i].after);
            if (loss > worst * (1 + 1e-12)) {
                worst = loss;
                chosen = i;
            }
        }
        print_message("%s, %s: %lld equals, loss %.9g\n", cases[c][0], cases[c][1],
                      (long long)t->equals, worst);

        assert_int_equal(found->flips[0].layer, t->trials[chosen].layer);
        assert_int_equal(found->flips[0].index, t->trials[chosen].index);
        assert_int_equal(found->flips[0].bit, t->trials[chosen].bit);
        assert_true(fabs(found->flips[0].loss - worst) < 1e-9 * worst);
        stoic_attack_free(found);
        stoic_model_free(golden);
        stoic_store_free(store);
    }
}

/* ---- several flips ---- */

static bool same_flips(const stoic_attack_result *a, const stoic_attack_result *b) {
    bool same = a->n_flips == b->n_flips && a->end == b->end && a->evaluated == b->evaluated;
    for (int64_t i = 0; same && i < a->n_flips; i++) {
        const stoic_flip *x = &a->flips[i], *y = &b->flips[i];
        same = x->layer == y->layer && x->index == y->index && x->bit == y->bit &&
               x->correct == y->correct && x->loss == y->loss && kit_same(x->before, y->before) &&
               kit_same(x->after, y->after);
    }
    return same;
}

static void threads_and_memory_change_nothing(void **state) {
    (void)state;
    for (int64_t candidates = 0; candidates < 60; candidates += 40) {
        stoic_attack_options options = stoic_attack_options_default();
        options.store = "int8";
        options.flips = 4;
        options.candidates = candidates;
        options.threads = 1;
        stoic_attack_result *one = attack_on(net, &options);
        options.threads = 3;
        options.memory = 600000; /* no golden values are kept, few candidates held */
        stoic_attack_result *three = attack_on(net, &options);
        assert_int_equal(one->n_flips, 4);
        assert_true(same_flips(one, three));
        stoic_attack_free(three);
        options.flips = 3; /* the partner */
        three = attack_on(net, &options);
        assert_false(same_flips(one, three));
        stoic_attack_free(three);
        stoic_attack_free(one);
    }
}

/* The last bits of 27 weights do next to nothing, so there is no reason to stop before all of them
 * are flipped; back again they would do as little. */
static void no_bit_is_flipped_twice(void **state) {
    (void)state;
    stoic_attack_options options = stoic_attack_options_default();
    options.store = "int8";
    options.layers = "0";
    options.bits = "0";
    options.flips = 40;
    options.candidates = 5;
    stoic_attack_result *found = attack_on(net, &options);
    print_message("%lld flips of 27, %s\n", (long long)found->n_flips,
                  stoic_attack_end_name(found->end));
    assert_int_equal(found->n_flips, 27);
    assert_int_equal(found->end, STOIC_ATTACK_NOTHING);
    for (int64_t i = 0; i < found->n_flips; i++) {
        assert_true(found->flips[i].correct <= (i ? found->flips[i - 1].correct : found->correct));
        assert_int_equal(found->flips[i].layer, 0);
        for (int64_t k = 0; k < i; k++)
            assert_int_not_equal(found->flips[i].index, found->flips[k].index);
    }
    stoic_attack_free(found);
    options.bits = "sign"; /* where a flip could only be made up for, it stops */
    found = attack_on(net, &options);
    assert_int_equal(found->end, STOIC_ATTACK_WORSE);
    stoic_attack_free(found);
}

/* ---- codes ---- */

/* Where a code repairs one flip, two do what one does without it. */
static void codes_cost_a_second_flip(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"fp32", "fp32,code=tmr"},
                                           {"fp32", "fp32,code=secded72"},
                                           {"int8", "int8,code=secded39"},
                                           {"int8", "int8,code=tmr"}};
    for (int p = 0; p < 4; p++) {
        stoic_attack_result *plain = attack(pairs[p][0], 1, 0);
        stoic_attack_result *one = attack(pairs[p][1], 1, 0), *two = attack(pairs[p][1], 2, 0);
        assert_int_equal(one->n_flips, 0);
        assert_int_equal(one->end, STOIC_ATTACK_NOTHING);
        assert_int_equal(two->n_flips, 2);
        print_message("%s: %lld right, with %s %lld\n", pairs[p][0],
                      (long long)plain->flips[0].correct, pairs[p][1],
                      (long long)two->flips[1].correct);
        assert_int_equal(two->flips[0].correct, two->correct);
        assert_int_equal(two->flips[0].changed, 0);
        assert_int_equal(two->flips[1].correct, plain->flips[0].correct);
        stoic_attack_free(plain);
        stoic_attack_free(one);
        stoic_attack_free(two);
    }
}

static void msb3_falls_to_two_copies(void **state) {
    (void)state;
    stoic_attack_options options = stoic_attack_options_default();
    options.store = "affine:5,code=msb3";
    options.bits = "4+5+6";
    stoic_attack_result *found = attack_on(net, &options);
    assert_int_equal(found->end, STOIC_ATTACK_NOTHING);
    stoic_attack_free(found);
    options.flips = 2;
    found = attack_on(net, &options);
    assert_int_equal(found->n_flips, 2);
    assert_int_equal(found->flips[0].index, found->flips[1].index);
    assert_int_equal(found->flips[0].kind, STOIC_BIT_COPY);
    /* what the most significant bit alone costs without the code */
    const truth *t = exhaust("affine:5", "exhaustive,bits=4");
    assert_int_equal(found->flips[1].correct, t->least);
    stoic_attack_free(found);
}

static void what_is_reported_is_no_answer(void **state) {
    (void)state;
    stoic_attack_result *found = attack("fp16,code=secded72,due=report", 2, 20);
    assert_int_equal(found->n_flips, 2);
    assert_int_equal(found->flips[1].correct, 0);
    assert_int_equal(found->end, STOIC_ATTACK_ZERO);
    stoic_attack_free(found);
    found = attack("q2.5,code=parity64", 4, 20); /* three flips of a word would be needed */
    assert_int_equal(found->end, STOIC_ATTACK_NOTHING);
    stoic_attack_free(found);
}

/* ---- what has no slope ---- */

static void set_first(float *values, int64_t count, void *user) {
    (void)count;
    values[0] = *(const float *)user;
}

/* 1.5 with its exponent's top bit flipped is NaN: first, whatever the gradient. */
static void not_finite_comes_first(void **state) {
    (void)state;
    float value = 1.5f;
    stoic_model *model =
        kit_changed(stoic_model_retain(net), kit_weight(net, 0, 1), set_first, &value);
    stoic_attack_options options = stoic_attack_options_default();
    options.layers = "0";
    options.candidates = 1;
    stoic_attack_result *found = attack_on(model, &options);
    assert_int_equal(found->evaluated, 1);
    assert_int_equal(found->flips[0].index, 0);
    assert_int_equal(found->flips[0].bit, 30);
    assert_true(found->flips[0].after != found->flips[0].after);
    assert_int_equal(found->flips[0].correct, 0);
    assert_true(found->flips[0].loss == 100);
    stoic_attack_free(found);
    stoic_model_free(model);
}

static void kill_bias(float *values, int64_t count, void *user) {
    (void)user;
    for (int64_t i = 0; i < count; i++)
        values[i] = -1000;
}

/* Behind a relu that lets nothing through every gradient of the first layer is 0. */
static void dead_weights_are_found_by_size(void **state) {
    (void)state;
    stoic_model *model =
        kit_changed(stoic_model_retain(net), kit_weight(net, 0, 2), kill_bias, NULL);
    stoic_dataset *kept = data;
    stoic_attack_options options = stoic_attack_options_default();
    data = kit_labelled(model, IMAGES, SIDE, 1);
    options.layers = "0";
    options.candidates = 30;
    stoic_attack_result *found = attack_on(model, &options);
    print_message("%lld right of %lld\n", (long long)found->flips[0].correct,
                  (long long)found->correct);
    assert_int_equal(found->flips[0].bit, 30);
    assert_true(found->flips[0].correct < found->correct);
    stoic_attack_free(found);
    stoic_dataset_free(data);
    data = kept;
    stoic_model_free(model);
}

/* ---- where it ends, and what is refused ---- */

static void ends_are_told(void **state) {
    (void)state;
    stoic_attack_options options = stoic_attack_options_default();
    options.store = "int8";
    options.flips = 30;
    options.below = 0.9;
    stoic_attack_result *found = attack_on(net, &options);
    assert_int_equal(found->end, STOIC_ATTACK_BELOW);
    assert_true(found->flips[found->n_flips - 1].accuracy <= 0.9);
    assert_true(found->n_flips == 1 || found->flips[found->n_flips - 2].accuracy > 0.9);
    stoic_attack_free(found);
    options.below = 1;
    found = attack_on(net, &options);
    assert_int_equal(found->end, STOIC_ATTACK_BELOW);
    assert_int_equal(found->n_flips, 0);
    stoic_attack_free(found);
    found = attack("fp32", 3, 50);
    assert_int_equal(found->end, found->flips[found->n_flips - 1].correct ? STOIC_ATTACK_FLIPS
                                                                          : STOIC_ATTACK_ZERO);
    stoic_attack_free(found);
}

/* Many flips of the shipped network's last layer; what was found early is in part made up for
 * later. What is left reaches as far, and none of it could have been left out when it was tried. */
static void what_is_not_needed_is_left_out(void **state) {
    (void)state;
    stoic_dataset *kept = data;
    stoic_model *model = kit_shipped("lenet5-fashion-mnist.onnx");
    stoic_dataset_options images = stoic_dataset_options_default();
    stoic_attack_options options = stoic_attack_options_default();
    images.count = 60;
    images.model = model;
    MUST(stoic_dataset_open("fashion-mnist", &images, &data, err));
    options.store = "int8";
    options.layers = "4";
    options.flips = 60;
    options.candidates = 20;
    stoic_attack_result *greedy = attack_on(model, &options);
    int64_t at = 0;
    while (at < greedy->n_flips && greedy->flips[at].correct > 30)
        at++;
    assert_true(at < greedy->n_flips);
    options.below = 0.5;
    stoic_attack_result *found = attack_on(model, &options);
    print_message("%lld flips, found %lld\n", (long long)found->n_flips, (long long)at + 1);
    assert_int_equal(found->end, STOIC_ATTACK_BELOW);
    assert_true(found->dropped > 0);
    assert_int_equal(found->n_flips + found->dropped, at + 1);
    assert_true(found->flips[found->n_flips - 1].correct <= 30);
    assert_int_equal(found->flips[found->n_flips - 1].index, greedy->flips[at].index);
    stoic_attack_free(greedy);
    stoic_attack_free(found);
    stoic_dataset_free(data);
    stoic_model_free(model);
    data = kept;
}

static volatile int cancel;
static int64_t seen;

static void stop_later(void *user, const stoic_attack_progress *progress) {
    (void)user;
    seen++;
    __atomic_store_n(&cancel, progress->flips_done >= 2, __ATOMIC_RELAXED);
}

static void a_stop_keeps_what_was_found(void **state) {
    (void)state;
    stoic_attack_options options = stoic_attack_options_default();
    options.store = "int8";
    options.flips = 30;
    options.candidates = 20;
    options.progress = stop_later;
    options.cancel = &cancel;
    cancel = 0;
    stoic_attack_result *found = attack_on(net, &options);
    assert_int_equal(found->end, STOIC_ATTACK_INTERRUPTED);
    assert_int_equal(found->n_flips, 2);
    assert_true(seen > 2);
    stoic_attack_free(found);
    cancel = 1;
    stoic_error err = {0};
    assert_int_equal(stoic_attack(net, data, &options, &found, &err), STOIC_ERR_INTERRUPTED);
}

static void expect(const stoic_model *model, const stoic_attack_options *options,
                   stoic_status status, const char *place, const char *says) {
    stoic_attack_result *found = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_attack(model, data, options, &found, &err), status);
    if (!strstr(err.place, place) || !strstr(err.message, says))
        fail_msg("'%s': '%s'", err.place, err.message);
    assert_null(found);
}

static void refusals(void **state) {
    (void)state;
    stoic_attack_options good = stoic_attack_options_default(), options = good;
    options.flips = 0;
    expect(net, &options, STOIC_ERR_ARGUMENT, "--flips", "not 0");
    options = good;
    options.below = 1.5;
    expect(net, &options, STOIC_ERR_ARGUMENT, "--below", "1.5");
    options = good;
    options.candidates = -1;
    expect(net, &options, STOIC_ERR_ARGUMENT, "--candidates", "-1");
    options = good;
    options.candidates = 1000000;
    options.memory = 10000;
    expect(net, &options, STOIC_ERR_ARGUMENT, "--candidates", "--memory");
    options = good;
    options.store = "int9";
    expect(net, &options, STOIC_ERR_ARGUMENT, "", "int9");
    options = good;
    options.layers = "7";
    expect(net, &options, STOIC_ERR_ARGUMENT, "", "7");
    options = good;
    options.tensor = "bn";
    expect(net, &options, STOIC_ERR_ARGUMENT, "--tensor", "bn");
    options.tensor = "bias";
    expect(net, &options, STOIC_ERR_ARGUMENT, "", "include=");
}

/* Through a comparison no gradient goes; every bit needs none. */
static void every_bit_needs_no_gradient(void **state) {
    (void)state;
    stoic_model *model = kit_hardened(stoic_model_retain(net), "tmr", NULL, NULL);
    stoic_attack_options options = stoic_attack_options_default();
    options.bits = "exponent-msb";
    options.layers = "0";
    expect(model, &options, STOIC_ERR_UNSUPPORTED, "", "cannot be trained");
    options.candidates = 0;
    stoic_attack_result *found = attack_on(model, &options);
    assert_int_equal(found->n_flips, 1);
    stoic_attack_free(found);
    stoic_model_free(model);
}

static void biases_can_be_attacked(void **state) {
    (void)state;
    stoic_attack_options options = stoic_attack_options_default();
    options.store = "fp32,include=weight+bias";
    options.tensor = "bias";
    const truth *t = exhaust(options.store, "exhaustive,tensor=bias");
    stoic_attack_result *found = attack_on(net, &options);
    assert_int_equal(found->flips[0].role, STOIC_ROLE_BIAS);
    assert_int_equal(found->flips[0].correct, t->least);
    stoic_attack_free(found);
}

static int open_all(void **state) {
    int failed = make_home(state);
    net = small_lenet();
    data = kit_labelled(net, IMAGES, SIDE, 1);
    return failed;
}

static int close_all(void **state) {
    stoic_dataset_free(data);
    stoic_model_free(net);
    return remove_home(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_finds_the_worst),
        cmocka_unit_test(gradients_find_it_too),
        cmocka_unit_test(equals_go_by_loss),
        cmocka_unit_test(threads_and_memory_change_nothing),
        cmocka_unit_test(no_bit_is_flipped_twice),
        cmocka_unit_test(codes_cost_a_second_flip),
        cmocka_unit_test(msb3_falls_to_two_copies),
        cmocka_unit_test(what_is_reported_is_no_answer),
        cmocka_unit_test(not_finite_comes_first),
        cmocka_unit_test(dead_weights_are_found_by_size),
        cmocka_unit_test(ends_are_told),
        cmocka_unit_test(what_is_not_needed_is_left_out),
        cmocka_unit_test(a_stop_keeps_what_was_found),
        cmocka_unit_test(refusals),
        cmocka_unit_test(every_bit_needs_no_gradient),
        cmocka_unit_test(biases_can_be_attacked),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
