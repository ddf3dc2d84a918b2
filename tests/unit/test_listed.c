/* The kernels that carry all values of one weight side by side: every instruction set gives the
 * bits of the formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "kernel_kit.h"

enum { ROWS = 60, OUT = 61, LIST = 40 };

static float larger(float a, float b) { /* the second where either is NaN */
    return a > b ? a : b;
}

/* One lane of one output; *most: the largest sum of a list. */
static float plain(const stoic_listed *l, const float *in, int64_t o, int lane, float *most) {
    float top = 0;
    for (int j = 0; j < l->parts; j++) {
        float sum = 0;
        for (int64_t i = 0; i < l->n[j]; i++) {
            float x = in[l->pairs[j][2 * i] * STOIC_LANES + lane];
            sum = fmaf(l->sizes ? fabsf(x) : x, l->weights[l->pairs[j][2 * i + 1] * l->step + o],
                       sum);
        }
        *most = larger(fabsf(sum), *most);
        if (l->add[j])
            sum += l->add[j][o];
        top = j ? larger(sum, top) : sum;
    }
    top = l->relu ? larger(top, 0) : top;
    return l->golden ? top - l->golden[o] : top;
}

static void lists_are_summed(void **state) {
    (void)state;
    static float in[ROWS * 16], weights[LIST * 64], add[4][OUT], golden[OUT], out[OUT * 16],
        expected[OUT * 16];
    static int32_t pairs[4][2 * LIST], kept[2 * OUT];
    stoic_rng rng = kit_rng(31);
    for (int i = 0; i < 60; i++) {
        stoic_listed l = {.parts = i % 2 ? 4 : 1,
                          .weights = weights,
                          .step = 64,
                          .out = 1 + kit_below(&rng, OUT),
                          .golden = i % 5 == 2 ? NULL : golden,
                          .relu = i % 3 > 0,
                          .sizes = i % 7 == 3,
                          .base = i};
        fill(in, ROWS * STOIC_LANES, &rng, i % 4 == 3 ? 300 : 0);
        fill(weights, LIST * 64, &rng, 0);
        fill(golden, OUT, &rng, 0);
        for (int j = 0; j < l.parts; j++) {
            l.n[j] = kit_below(&rng, LIST) * (i % 9 > 0);
            l.pairs[j] = pairs[j];
            l.add[j] = i % 6 == 4 ? NULL : add[j];
            fill(add[j], OUT, &rng, 0);
            for (int k = 0; k < LIST; k++) {
                pairs[j][2 * k] = (int32_t)kit_below(&rng, ROWS);
                pairs[j][2 * k + 1] = (int32_t)kit_below(&rng, LIST);
            }
        }
        if (i % 9 == 0) /* nothing changes at all */
            for (int o = 0; o < OUT; o++)
                golden[o] = l.relu && add[0][o] < 0 ? 0 : add[0][o];
        for (int s = 0; s < n_sets; s++) {
            float most[STOIC_LANES] = {0}, top[STOIC_LANES] = {0};
            int64_t n = 0, found = sets[s]->listed(&l, in, out, most, l.sizes ? NULL : kept);
            for (int64_t o = 0; o < l.out; o++) {
                bool any = false;
                for (int k = 0; k < STOIC_LANES; k++) {
                    float *e = &expected[o * STOIC_LANES + k];
                    *e = plain(&l, in, o, k, &top[k]);
                    any = any || *e != 0;
                }
                if (!any || l.sizes)
                    continue;
                assert_true(n < found && kept[2 * n] == i + o && kept[2 * n + 1] == i + o);
                n++;
            }
            assert_int_equal(found, n);
            assert_true(same("listed", sets[s]->isa, out, expected, l.out * STOIC_LANES));
            if (i % 4 != 3)
                assert_true(same("most", sets[s]->isa, most, top, STOIC_LANES));
        }
    }
}

static void moves_are_the_formula(void **state) {
    (void)state;
    enum { PLACES = 90, WINDOWS = 20 };
    static float z[PLACES], x[PLACES], golden[WINDOWS], out[WINDOWS * 16], expected[WINDOWS * 16];
    stoic_rng rng = kit_rng(32);
    for (int i = 0; i < 40; i++) {
        int32_t at[WINDOWS * 4];
        float changes[STOIC_LANES];
        int parts = i % 2 ? 4 : 1;
        fill(z, PLACES, &rng, 0);
        fill(x, PLACES, &rng, 0);
        fill(changes, STOIC_LANES, &rng, 0);
        for (int q = 0; q < WINDOWS; q++) {
            for (int k = 0; k < parts; k++) {
                at[q * parts + k] = (int32_t)kit_below(&rng, PLACES);
                x[at[q * parts + k]] *= q % 3 > 0;
            }
        }
        for (int q = 0; q < WINDOWS; q++) {
            golden[q] = z[at[q * parts]];
            for (int k = 1; k < parts; k++)
                golden[q] = larger(z[at[q * parts + k]], golden[q]);
            golden[q] = i % 3 && golden[q] < 0 ? 0 : golden[q];
        }
        int64_t live = 0;
        for (int q = 0; q < WINDOWS; q++) {
            bool any = false;
            for (int l = 0; l < STOIC_LANES; l++) {
                float top = 0;
                for (int k = 0; k < parts; k++) {
                    int32_t p = at[q * parts + k];
                    float moved = fmaf(changes[l], x[p], z[p]);
                    top = k ? larger(moved, top) : moved;
                }
                expected[q * STOIC_LANES + l] = (i % 3 ? larger(top, 0) : top) - golden[q];
                any = any || expected[q * STOIC_LANES + l] != 0;
            }
            live += any;
        }
        for (int s = 0; s < n_sets; s++) {
            uint8_t alive[WINDOWS];
            int64_t n = sets[s]->listed_moves(z, x, at, parts, WINDOWS, changes, i % 3 > 0, golden,
                                              out, alive);
            assert_int_equal(n, live);
            assert_true(same("moves", sets[s]->isa, out, expected, WINDOWS * STOIC_LANES));
            for (int q = 0; q < WINDOWS; q++)
                live -= alive[q];
            assert_int_equal(live, 0);
            live = n;
        }
    }
}

int main(void) {
    sets_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_summed),
        cmocka_unit_test(moves_are_the_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
