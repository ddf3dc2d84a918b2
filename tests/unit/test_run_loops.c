/* The loops of a run that multiply floats, in every set, against their definitions: with small
 * whole numbers, whose sums are exact in whatever way they are rounded. */
#include "infer_rig.h"

enum { LANES = STOIC_RUN_LANES, TILE = STOIC_RUN_TILE, ROWS = STOIC_RUN_ROWS, ROOM = 20000 };

static const stoic_run_loops *const *loop_sets(int *n) {
    static const stoic_run_loops *sets[STW_SETS];
    stoic_run_set all[STW_SETS];
    *n = 0;
    for (int i = 1; i < stw_sets(all); i++) { /* 0 has the definitions */
        if (*n == 0 || sets[*n - 1] != all[i].loops)
            sets[(*n)++] = all[i].loops;
    }
    return sets;
}

static void fill(stoic_rng *rng, float *to, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)(kit_below(rng, 33) - 16);
}

/* Windows of every size, whole and in part, taken up where another has ended. */
static void test_tile(void **state) {
    (void)state;
    static const int sizes[][2] = {{3, 3}, {1, 1}, {5, 5}, {3, 1}, {1, 3}, {2, 4}};
    static float image[ROOM], weights[9 * 25 * LANES];
    stoic_rng rng = kit_rng(51);
    int n_sets, n_sizes = sizeof sizes / sizeof *sizes;
    const stoic_run_loops *const *sets = loop_sets(&n_sets);
    for (int round = 0; round < 1200; round++) {
        const int height = sizes[round % n_sizes][0], width = sizes[round % n_sizes][1];
        const bool part = round % 3 == 0;
        stoic_run_walk walk = {.plane = 200 + kit_below(&rng, 50),
                               .row = 20 + kit_below(&rng, 9),
                               .step = 1 + kit_below(&rng, 2),
                               .channels = 1 + (int)kit_below(&rng, 9),
                               .height = height,
                               .width = width,
                               .last_row = height,
                               .last_column = width};
        if (part) {
            walk.first_row = (int)kit_below(&rng, height + 1);
            walk.last_row = walk.first_row + (int)kit_below(&rng, height - walk.first_row + 1);
            walk.first_column = (int)kit_below(&rng, width + 1);
            walk.last_column =
                walk.first_column + (int)kit_below(&rng, width - walk.first_column + 1);
        }
        const float *x[TILE];
        float sums[TILE][LANES], wanted[TILE][LANES];
        fill(&rng, image, ROOM);
        fill(&rng, weights, 9 * 25 * LANES);
        for (int p = 0; p < TILE; p++)
            x[p] = image + kit_below(&rng, ROOM - 9 * 250);
        for (int s = 0; s < n_sets; s++) {
            fill(&rng, sums[0], TILE * LANES);
            memcpy(wanted, sums, sizeof sums);
            sets[s]->tile(weights, x, &walk, sums);
            stoic_run_loops_plain.tile(weights, x, &walk, wanted);
            assert_memory_equal(sums, wanted, sizeof sums);
        }
    }
}

static void test_rows(void **state) {
    (void)state;
    enum { LONG = 200 };
    static float weights[LANES * (LONG + 2)], turned[LANES * LONG + 1], right[LANES * LONG + 1];
    stoic_rng rng = kit_rng(52);
    int n_sets;
    const stoic_run_loops *const *sets = loop_sets(&n_sets);
    for (int round = 0; round < 600; round++) {
        const int64_t n = 1 + kit_below(&rng, LONG), step = n + round % 3;
        float x[LONG], y[LONG], z[LONG], sums[ROWS][LANES], wanted[ROWS][LANES];
        fill(&rng, weights, LANES * (LONG + 2));
        fill(&rng, x, LONG);
        for (int s = 0; s < n_sets; s++) {
            fill(&rng, sums[0], ROWS * LANES);
            memcpy(wanted, sums, sizeof sums);
            sets[s]->dots(weights, step, n, x, sums);
            stoic_run_loops_plain.dots(weights, step, n, x, wanted);
            assert_memory_equal(sums, wanted, sizeof sums);
            float out[ROWS], total[ROWS];
            sets[s]->totals(sums, out);
            stoic_run_loops_plain.totals(wanted, total);
            assert_memory_equal(out, total, sizeof out);
            memset(turned, 0x5a, sizeof turned);
            memset(right, 0x5a, sizeof right);
            sets[s]->interleave(weights, step, n, turned);
            stoic_run_loops_plain.interleave(weights, step, n, right);
            assert_memory_equal(turned, right, sizeof right);
            fill(&rng, y, LONG);
            memcpy(z, y, sizeof z);
            sets[s]->add_scaled(3.0f, x, n, y);
            stoic_run_loops_plain.add_scaled(3.0f, x, n, z);
            assert_memory_equal(y, z, sizeof z);
        }
    }
}

/* Positions beside each other go to channels below each other, and nothing else is written. */
static void test_columns(void **state) {
    (void)state;
    enum { MOST = 300 };
    static float from[MOST * LANES], to[LANES * (MOST + 3)], right[LANES * (MOST + 3)];
    stoic_rng rng = kit_rng(53);
    int n_sets;
    const stoic_run_loops *const *sets = loop_sets(&n_sets);
    for (int round = 0; round < 600; round++) {
        const int n = 1 + (int)kit_below(&rng, round % 5 ? 12 : MOST);
        const int lanes = round % 3 ? LANES : 1 + (int)kit_below(&rng, LANES);
        float add[LANES];
        fill(&rng, from, MOST * LANES);
        fill(&rng, add, LANES);
        for (int s = 0; s < n_sets; s++) {
            memset(to, 0x5a, sizeof to);
            memset(right, 0x5a, sizeof right);
            sets[s]->columns(from, n, lanes, add, n + round % 4, to);
            stoic_run_loops_plain.columns(from, n, lanes, add, n + round % 4, right);
            assert_memory_equal(to, right, sizeof right);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tile),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
