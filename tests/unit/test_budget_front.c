/* Choices under a budget, against all there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "study/budget_front.h"

enum { LAYERS = 5, CHOICES = 4, ALL = 1024 };

static uint32_t state_of_noise = 7;

static uint32_t noise(uint32_t below) {
    state_of_noise = state_of_noise * 1664525u + 1013904223u;
    return (state_of_noise >> 8) % below;
}

static void fill(stoic_layer_option *options, int n) {
    for (int i = 0; i < n; i++) {
        options[i].bits = 1 + noise(20);
        options[i].loss = (double)noise(16) - 2.0; /* some below 0 */
    }
}

static stoic_front_point sum_of(const stoic_layer_option *options, int number) {
    stoic_front_point sum = {0};
    for (int layer = 0; layer < LAYERS; layer++, number /= CHOICES) {
        const stoic_layer_option *option = &options[layer * CHOICES + number % CHOICES];
        sum.bits += option->bits;
        sum.loss += option->loss > 0 ? option->loss : 0.0;
    }
    return sum;
}

/* The least loss of all choices within so many bits; negative: there is none. */
static double best_within(const stoic_layer_option *options, int64_t bits) {
    double best = -1;
    for (int i = 0; i < ALL; i++) {
        stoic_front_point sum = sum_of(options, i);
        if (sum.bits <= bits && (best < 0 || sum.loss < best))
            best = sum.loss;
    }
    return best;
}

static double front_within(const stoic_front *front, int64_t bits) {
    double best = -1;
    for (int i = 0; i < front->n && front->points[i].bits <= bits; i++)
        best = front->points[i].loss;
    return best;
}

static void no_choice_beats_the_front(void **state) {
    (void)state;
    stoic_layer_option options[LAYERS * CHOICES];
    for (int round = 0; round < 40; round++) {
        stoic_front front;
        int64_t budget = 20 + noise(60);
        fill(options, LAYERS * CHOICES);
        assert_int_equal(stoic_front_create(options, LAYERS, CHOICES, budget, &front, NULL),
                         STOIC_OK);
        for (int64_t bits = 0; bits <= budget; bits++)
            assert_true(front_within(&front, bits) == best_within(options, bits));
        for (int i = 0; i < front.n; i++) {
            const stoic_front_point *point = &front.points[i];
            int number = 0;
            for (int layer = LAYERS - 1; layer >= 0; layer--)
                number = number * CHOICES + point->choice[layer];
            stoic_front_point sum = sum_of(options, number);
            assert_int_equal(sum.bits, point->bits); /* the choices are those of the sums */
            assert_true(sum.loss == point->loss);
            assert_true(point->bits <= budget);
            if (i > 0)
                assert_true(point->bits > front.points[i - 1].bits &&
                            point->loss < front.points[i - 1].loss);
        }
        stoic_front_deinit(&front);
    }
}

static void nothing_fits(void **state) {
    (void)state;
    stoic_layer_option options[LAYERS * CHOICES];
    stoic_front front;
    fill(options, LAYERS * CHOICES);
    assert_int_equal(stoic_front_create(options, LAYERS, CHOICES, LAYERS - 1, &front, NULL),
                     STOIC_OK);
    assert_int_equal(front.n, 0);
    stoic_front_deinit(&front);
}

/* So many sums that neighbours are merged: few bits are lost by it, and the ends stay. */
static void merged_neighbours_are_near(void **state) {
    (void)state;
    enum { MANY = 40, TWO = 2 };
    stoic_layer_option options[MANY * TWO];
    int64_t least = 0, most = 0;
    double worst = 0;
    stoic_front front;
    for (int layer = 0; layer < MANY; layer++) {
        options[layer * TWO] = (stoic_layer_option){1000 + noise(100000), 0.0};
        options[layer * TWO + 1] = (stoic_layer_option){1, 1.0 + noise(1000)};
        least += 1;
        most += options[layer * TWO].bits;
        worst += options[layer * TWO + 1].loss;
    }
    assert_int_equal(stoic_front_create(options, MANY, TWO, INT64_MAX / 2, &front, NULL), STOIC_OK);
    assert_in_range(front.n, 100, STOIC_FRONT_SUMS);
    assert_int_equal(front.points[0].bits, least);
    assert_true(front.points[0].loss == worst);
    assert_int_equal(front.points[front.n - 1].bits, most);
    assert_true(front.points[front.n - 1].loss == 0.0);
    stoic_front_deinit(&front);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_choice_beats_the_front),
        cmocka_unit_test(nothing_fits),
        cmocka_unit_test(merged_neighbours_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
