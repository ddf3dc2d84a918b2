/* Outcomes of single images, by hand (docs/methods.md 4). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "campaign/outcome.h"
#include "stoic/session.h"

enum { CLASSES = 7, GOLDENS = 4 };

/* Four images: right, wrong, one with a NaN, one with two equal largest outputs. */
static float golden_values[GOLDENS][CLASSES] = {
    {0.1f, 0.2f, 0.9f, 0.3f, 0.4f, 0.5f, 0.6f},
    {0.8f, 0.7f, 0.1f, 0.1f, 0.1f, 0.1f, 0.0f},
    {0.1f, NAN, 0.9f, 0.3f, 0.4f, 0.5f, 0.6f},
    {0.1f, 0.9f, 0.2f, 0.9f, 0.3f, 0.1f, 0.2f},
};

typedef struct scene {
    stoic_golden_outputs golden;
    int labels[GOLDENS];
    uint8_t nan[GOLDENS], alarm[GOLDENS], hits[GOLDENS], outcome[GOLDENS];
    uint16_t top1[GOLDENS];
    stoic_counts counts;
    stoic_tallying tally;
} scene;

static void begin(scene *s, stoic_nan_rule rule, bool all) {
    static const int labels[GOLDENS] = {2, 1, 1, 1};
    *s = (scene){.golden = {.classes = CLASSES, .nan_rule = rule}};
    memcpy(s->labels, labels, sizeof labels);
    for (int i = 0; i < GOLDENS; i++) {
        bool nan;
        s->top1[i] = (uint16_t)stoic_top1(golden_values[i], CLASSES, &nan);
        s->nan[i] = nan;
        s->hits[i] = s->top1[i] == labels[i] && !(nan && rule == STOIC_NAN_STRICT);
    }
    s->golden.values = golden_values[0];
    s->golden.labels = s->labels;
    s->golden.nan = s->nan;
    s->golden.alarm = s->alarm;
    s->golden.hits = s->hits;
    s->golden.top1 = s->top1;
    stoic_tallying_begin(&s->tally, &s->golden, 0, GOLDENS, NULL, 0, all, &s->counts, s->outcome);
}

/* The output of image `image` with one value changed. */
static void tell(scene *s, int image, int index, float value) {
    float output[CLASSES];
    memcpy(output, golden_values[image], sizeof output);
    output[index] = value;
    stoic_tallying_output(&s->tally, image, output, false);
}

static void top1_is_the_lowest_of_the_largest(void **state) {
    (void)state;
    bool nan;
    assert_int_equal(stoic_top1(golden_values[3], CLASSES, &nan), 1);
    assert_false(nan);
    assert_int_equal(stoic_top1(golden_values[2], CLASSES, &nan), 1);
    assert_true(nan);
    const float last[] = {INFINITY, 0, NAN}, first[] = {NAN, NAN, 5},
                low[] = {-INFINITY, -INFINITY};
    assert_int_equal(stoic_top1(last, 3, NULL), 2);
    assert_int_equal(stoic_top1(first, 3, NULL), 0);
    assert_int_equal(stoic_top1(low, 2, &nan), 0);
    assert_false(nan);
}

static void nothing_told_is_golden(void **state) {
    (void)state;
    scene s;
    begin(&s, STOIC_NAN_STRICT, true);
    assert_int_equal(s.counts.images, 4);
    assert_int_equal(s.counts.correct, 2); /* the one with the NaN is wrong */
    assert_int_equal(s.counts.nan, 1);
    assert_int_equal(s.counts.masked, 4);
    assert_int_equal(s.counts.critical + s.counts.tolerable + s.counts.due, 0);
    assert_int_equal(s.outcome[0], 2);
    assert_int_equal(s.outcome[1], 0);
    assert_int_equal(s.outcome[2], 4);
    begin(&s, STOIC_NAN_ARGMAX, true);
    assert_int_equal(s.counts.correct, 3);
    begin(&s, STOIC_NAN_STRICT, false); /* not measured is -1, not 0 */
    assert_int_equal(s.counts.masked, -1);
    assert_int_equal(s.counts.tolerable, -1);
    assert_int_equal(s.counts.sdc5, -1);
    assert_int_equal(s.counts.sdc10, -1);
    assert_int_equal(s.counts.sdc20, -1);
    assert_int_equal(s.counts.critical, 0);
}

/* Whatever came out, with an alarm it is no answer. */
static void an_alarm_is_due_and_nothing_else(void **state) {
    (void)state;
    for (int all = 0; all < 2; all++) {
        scene s;
        begin(&s, STOIC_NAN_STRICT, all);
        stoic_tallying_output(&s.tally, 0, golden_values[0], true); /* was right */
        stoic_tallying_output(&s.tally, 2, golden_values[1], true); /* had a NaN */
        assert_int_equal(s.counts.due, 2);
        assert_int_equal(s.counts.correct, 1);
        assert_int_equal(s.counts.nan, 0);
        assert_int_equal(s.counts.critical, 0);
        assert_int_equal(s.counts.masked, all ? 2 : -1);
        assert_int_equal(s.outcome[0], 0);
        assert_int_equal(s.outcome[2], 0);
    }
}

/* Golden's own alarm is there until another output is told. */
static void a_false_alarm_is_due_from_the_start(void **state) {
    (void)state;
    scene s;
    begin(&s, STOIC_NAN_STRICT, true);
    s.alarm[0] = 1;
    s.hits[0] = 0;
    stoic_tallying_begin(&s.tally, &s.golden, 0, GOLDENS, NULL, 0, true, &s.counts, s.outcome);
    assert_int_equal(s.counts.due, 1);
    assert_int_equal(s.counts.masked, 3);
    assert_int_equal(s.counts.correct, 1);
    stoic_tallying_output(&s.tally, 0, golden_values[0], true);
    assert_int_equal(s.counts.due, 1);
    assert_int_equal(s.counts.masked, 3);
    stoic_tallying_output(&s.tally, 0, golden_values[0], false);
    assert_int_equal(s.counts.due, 0);
    assert_int_equal(s.counts.masked, 4);
    assert_int_equal(s.counts.correct, 2);
    stoic_tallying_output(&s.tally, 3, golden_values[0], false); /* class 2 instead of 1 */
    assert_int_equal(s.counts.critical, 1);
    assert_int_equal(s.counts.masked + s.counts.critical, 4);
}

static void the_same_bits_are_masked(void **state) {
    (void)state;
    scene s;
    begin(&s, STOIC_NAN_STRICT, true);
    for (int i = 0; i < GOLDENS; i++)
        stoic_tallying_output(&s.tally, i, golden_values[i], false);
    assert_int_equal(s.counts.masked, 4); /* NaN and NaN are equal */
    assert_int_equal(s.counts.correct, 2);
    assert_int_equal(s.counts.critical, 0);
    tell(&s, 0, 0, nextafterf(0.1f, 1)); /* one bit is not */
    assert_int_equal(s.counts.masked, 3);
    assert_int_equal(s.counts.tolerable, 1);
}

static void a_negative_zero_is_not_masked(void **state) {
    (void)state;
    scene s;
    begin(&s, STOIC_NAN_STRICT, true);
    tell(&s, 1, 6, -0.0f);
    assert_int_equal(s.counts.masked, 3);
    assert_int_equal(s.counts.tolerable, 1);
}

static void tolerable_and_critical(void **state) {
    (void)state;
    scene s;
    begin(&s, STOIC_NAN_STRICT, true);
    tell(&s, 0, 0, 0.8f); /* still class 2 */
    assert_int_equal(s.counts.tolerable, 1);
    assert_int_equal(s.counts.correct, 2);
    tell(&s, 1, 1, 0.95f); /* class 0 becomes 1, which is right */
    assert_int_equal(s.counts.critical, 1);
    assert_int_equal(s.counts.correct, 3);
    assert_int_equal(s.outcome[1], 1 | 2);
    tell(&s, 3, 1, 0.5f); /* the other of the tie */
    assert_int_equal(s.counts.critical, 2);
    assert_int_equal(s.counts.correct, 2);
    assert_int_equal(s.outcome[3], 1);
    assert_int_equal(s.counts.masked + s.counts.tolerable + s.counts.critical, 4);
}

static void a_new_nan(void **state) {
    (void)state;
    scene s;
    begin(&s, STOIC_NAN_STRICT, true);
    tell(&s, 0, 2, NAN); /* at the very class: strict says wrong */
    assert_int_equal(s.counts.critical, 1);
    assert_int_equal(s.counts.nan, 2);
    assert_int_equal(s.counts.correct, 1);
    assert_int_equal(s.counts.tolerable, 0);
    assert_int_equal(s.outcome[0], 1 | 4);
    begin(&s, STOIC_NAN_ARGMAX, true);
    tell(&s, 0, 2, NAN); /* argmax: the first NaN wins, and it is class 2 */
    assert_int_equal(s.counts.critical, 0);
    assert_int_equal(s.counts.tolerable, 1);
    assert_int_equal(s.counts.correct, 3);
    assert_int_equal(s.counts.nan, 2);
    begin(&s, STOIC_NAN_ARGMAX, true);
    tell(&s, 0, 4, NAN);
    assert_int_equal(s.counts.critical, 1);
    assert_int_equal(s.counts.correct, 2);
}

static void golden_with_a_nan(void **state) {
    (void)state;
    scene s;
    begin(&s, STOIC_NAN_STRICT, true);
    tell(&s, 2, 3, 0.35f); /* the NaN stays: critical only if the first NaN moves */
    assert_int_equal(s.counts.critical, 0);
    assert_int_equal(s.counts.tolerable, 1);
    assert_int_equal(s.counts.nan, 1);
    begin(&s, STOIC_NAN_STRICT, true);
    tell(&s, 2, 0, NAN);
    assert_int_equal(s.counts.critical, 1);
    begin(&s, STOIC_NAN_STRICT, true);
    tell(&s, 2, 1, 0.2f); /* the NaN goes: class 2 instead of 1 */
    assert_int_equal(s.counts.critical, 1);
    assert_int_equal(s.counts.nan, 0);
    assert_int_equal(s.counts.correct, 2);
    begin(&s, STOIC_NAN_STRICT, true);
    tell(&s, 2, 1, 1.0f); /* it goes, class 1 stays, and is now right */
    assert_int_equal(s.counts.critical, 0);
    assert_int_equal(s.counts.tolerable, 1);
    assert_int_equal(s.counts.correct, 3);
}

static void class_outside_the_five_best(void **state) {
    (void)state;
    scene s;
    begin(&s, STOIC_NAN_STRICT, true);
    tell(&s, 0, 3, 1.0f); /* golden's five best: 2 6 5 4 3 */
    assert_int_equal(s.counts.sdc5, 0);
    tell(&s, 0, 1, 1.0f); /* the sixth */
    assert_int_equal(s.counts.sdc5, 1);
    begin(&s, STOIC_NAN_STRICT, true);
    tell(&s, 1, 4, 2.0f); /* four are equal: the lower index counts as larger, so 0 1 2 3 4 */
    assert_int_equal(s.counts.sdc5, 0);
    tell(&s, 1, 5, 2.0f);
    assert_int_equal(s.counts.sdc5, 1);
}

static void confidence_moves(void **state) {
    (void)state;
    scene s;
    begin(&s, STOIC_NAN_STRICT, true);
    tell(&s, 0, 2, 0.82f); /* 9 % */
    assert_int_equal(s.counts.sdc10, 0);
    tell(&s, 0, 2, 0.80f); /* 11 % */
    assert_int_equal(s.counts.sdc10, 1);
    assert_int_equal(s.counts.sdc20, 0);
    tell(&s, 0, 2, 1.2f); /* up counts as well */
    assert_int_equal(s.counts.sdc10, 2);
    assert_int_equal(s.counts.sdc20, 1);
    tell(&s, 0, 2, NAN); /* no confidence at all */
    assert_int_equal(s.counts.sdc10, 3);
    assert_int_equal(s.counts.sdc20, 2);
    tell(&s, 0, 2, INFINITY);
    assert_int_equal(s.counts.sdc20, 3);
}

static void a_class_alone(void **state) {
    (void)state;
    scene s;
    begin(&s, STOIC_NAN_STRICT, false);
    stoic_tallying_top1(&s.tally, 0, 2);
    assert_int_equal(s.counts.critical, 0);
    assert_int_equal(s.counts.correct, 2);
    stoic_tallying_top1(&s.tally, 1, 1);
    assert_int_equal(s.counts.critical, 1);
    assert_int_equal(s.counts.correct, 3);
    stoic_tallying_top1(&s.tally, 2, 1); /* golden's NaN is gone, and its class is right */
    assert_int_equal(s.counts.critical, 1);
    assert_int_equal(s.counts.nan, 0);
    assert_int_equal(s.counts.correct, 4);
    assert_int_equal(s.counts.masked, -1);
}

/* Some images of a block that starts further on; outcomes by their place in the list. */
static void a_list_of_images(void **state) {
    (void)state;
    scene s;
    static const int32_t images[] = {0, 2};
    begin(&s, STOIC_NAN_STRICT, true);
    memset(s.outcome, 99, sizeof s.outcome);
    stoic_tallying_begin(&s.tally, &s.golden, 1, 3, images, 2, true, &s.counts, s.outcome);
    assert_int_equal(s.counts.images, 2);
    assert_int_equal(s.counts.correct, 1); /* images 1 and 3 of the set */
    float output[CLASSES] = {0, 0, 0, 0, 1};
    stoic_tallying_output(&s.tally, 2, output, false);
    assert_int_equal(s.outcome[0], 0);
    assert_int_equal(s.outcome[1], 1);
    assert_int_equal(s.outcome[2], 99);
    assert_int_equal(s.counts.correct, 0);
    assert_int_equal(s.counts.critical, 1);
    assert_int_equal(s.counts.masked, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top1_is_the_lowest_of_the_largest),
        cmocka_unit_test(nothing_told_is_golden),
        cmocka_unit_test(an_alarm_is_due_and_nothing_else),
        cmocka_unit_test(a_false_alarm_is_due_from_the_start),
        cmocka_unit_test(the_same_bits_are_masked),
        cmocka_unit_test(a_negative_zero_is_not_masked),
        cmocka_unit_test(tolerable_and_critical),
        cmocka_unit_test(a_new_nan),
        cmocka_unit_test(golden_with_a_nan),
        cmocka_unit_test(class_outside_the_five_best),
        cmocka_unit_test(confidence_moves),
        cmocka_unit_test(a_class_alone),
        cmocka_unit_test(a_list_of_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
