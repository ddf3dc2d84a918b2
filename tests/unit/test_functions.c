/* Sigmoid and Tanh: accuracy, special values, and a Sigmoid that never falls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "kernel_kit.h"

/* ---- Sigmoid and Tanh ---- */

/* How far a float is from the exact value, in units of the last place of that value. */
static double ulps(float found, long double exact) {
    if (isnan((double)exact) || isnan(found))
        return isnan((double)exact) && isnan(found) ? 0 : 1e9;
    float near = (float)exact;
    int exponent;
    frexpf(near == 0 ? 0x1p-126f : near, &exponent);
    long double unit = ldexpl(1, (exponent < -125 ? -125 : exponent) - 24);
    return (double)(fabsl((long double)found - exact) / unit);
}

static long double exact_sigmoid(float x) {
    return 1 / (1 + expl(-(long double)x));
}

static long double exact_tanh(float x) {
    return tanhl((long double)x);
}

static double worst_ulps(const stoic_kernels *k, stoic_unary f, const float *x, int64_t n) {
    static float y[MOST];
    double worst = 0;
    k->unary(f, 0, 0, x, y, n);
    for (int64_t i = 0; i < n; i++) {
        double u = ulps(y[i], f == STOIC_SIGMOID ? exact_sigmoid(x[i]) : exact_tanh(x[i]));
        worst = u > worst ? u : worst;
    }
    return worst;
}

static void sigmoid_and_tanh_are_accurate(void **state) {
    (void)state;
    static float x[MOST];
    stoic_rng rng = kit_rng(3);
    for (int f = STOIC_SIGMOID; f <= STOIC_TANH; f++) {
        double worst = 0;
        for (int i = 0; i < 200; i++) {
            for (int k = 0; k < MOST; k++) /* any float, or one where something happens */
                x[k] = i % 2 ? kit_float(stoic_rng_u32(&rng))
                             : kit_uniform(&rng, -110, 110) / (1 + i % 40);
            for (int s = 0; s < n_sets; s++)
                worst = fmax(worst, worst_ulps(sets[s], (stoic_unary)f, x, i ? MOST : MOST - 3));
        }
        memcpy(x, specials, sizeof specials);
        for (int s = 0; s < n_sets; s++)
            worst = fmax(worst, worst_ulps(sets[s], (stoic_unary)f, x, SPECIALS));
        print_message("%s: at most %.3f ulp\n", f == STOIC_SIGMOID ? "Sigmoid" : "Tanh", worst);
        assert_true(worst <= 1);
    }
    /* the judge can say no */
    assert_true(ulps(nextafterf((float)exact_tanh(0.3f), 1), exact_tanh(0.3f)) > 0.5);
    assert_true(ulps(nextafterf(nextafterf((float)exact_tanh(0.3f), 1), 1), exact_tanh(0.3f)) > 1);
    assert_true(ulps(0, exact_sigmoid(-80)) > 1);
    assert_true(ulps(NAN, exact_sigmoid(-80)) > 1);
}

static void functions_of_special_values(void **state) {
    (void)state;
    const float x[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e-45f, -1e-45f, 3e38f, -3e38f};
    const float sigmoid[] = {NAN, 1, 0, 0.5f, 0.5f, 0.5f, 0.5f, 1, 0};
    const float tangent[] = {NAN, 1, -1, 0.0f, -0.0f, 1e-45f, -1e-45f, 1, -1};
    float y[9];
    for (int s = 0; s < n_sets; s++) {
        sets[s]->unary(STOIC_SIGMOID, 0, 0, x, y, 9);
        assert_true(same("Sigmoid", sets[s]->isa, y, sigmoid, 9));
        sets[s]->unary(STOIC_TANH, 0, 0, x, y, 9);
        assert_true(same("Tanh", sets[s]->isa, y, tangent, 9));
    }
}

static void choices_by_comparison(void **state) {
    (void)state;
    enum { N = 37 }; /* a vector's body and its tail */
    const float x[] = {NAN, INFINITY, -INFINITY, 5, 2, -3, 0.0f};
    const float nan[] = {7, INFINITY, -INFINITY, 5, 2, -3, 0};
    const float above[] = {NAN, 7, -INFINITY, 7, 2, -3, 0};
    const float below[] = {NAN, INFINITY, 7, 5, 2, 7, 7};
    float in[N], y[N], expected[N];
    for (int s = 0; s < n_sets; s++) {
        for (int f = 0; f < 3; f++) {
            const float *given = f == 0 ? nan : f == 1 ? above : below;
            for (int i = 0; i < N; i++) {
                in[i] = x[i % 7];
                expected[i] = given[i % 7];
            }
            sets[s]->unary((stoic_unary)(STOIC_REPLACE_NAN + f), 2, 7, in, y, N);
            assert_true(same("choice", sets[s]->isa, y, expected, N));
            y[N - 1] = 1; /* the judge can say no */
            assert_false(same("choice", sets[s]->isa, y, expected, N));
        }
    }
}

/* The float of rank r when all floats from -Inf to +Inf stand in order. */
static float ranked(int64_t r) {
    return r < 0 ? kit_float(0x80000000u | (uint32_t)(-r - 1)) : kit_float((uint32_t)r);
}

enum { LOWEST = -0x7f800001, HIGHEST = 0x7f800000 }; /* ranks of -Inf and +Inf */

static int64_t rank_of(float x) {
    uint32_t bits = kit_bits(x);
    return bits >> 31 ? -(int64_t)(bits & 0x7fffffff) - 1 : (int64_t)bits;
}

/* Are the kernel's values from rank `first` to `last` by `stride` not falling? `*before` is the
 * value in front. */
static bool rises(const stoic_kernels *k, stoic_unary f, int64_t first, int64_t last,
                  int64_t stride, float *before) {
    static float x[MOST], y[MOST];
    for (int64_t r = first; r <= last;) {
        int n = 0;
        for (; n < MOST && r <= last; r += stride)
            x[n++] = ranked(r);
        k->unary(f, 0, 0, x, y, n);
        for (int i = 0; i < n; i++) {
            if (!(y[i] >= *before)) {
                print_message("%s: f(%.9g) = %.9g falls below %.9g\n", k->isa, (double)x[i],
                              (double)y[i], (double)*before);
                return false;
            }
            *before = y[i];
        }
    }
    return true;
}

static void sigmoid_is_monotone(void **state) {
    (void)state;
    const char *slow = getenv("STOIC_SLOW");
    const stoic_kernels *best = sets[n_sets - 1];
    float before = -1;
    if (slow && *slow == '1') { /* all of them */
        assert_true(rises(best, STOIC_SIGMOID, LOWEST, HIGHEST, 1, &before));
        return;
    }
    assert_true(rises(best, STOIC_SIGMOID, LOWEST, HIGHEST, 4093, &before));
    for (int64_t e = 0; e < 255; e++) { /* where the exponent changes */
        for (int sign = 0; sign < 2; sign++) {
            int64_t r = sign ? -(e << 23) - 1 : e << 23;
            before = -1;
            assert_true(rises(best, STOIC_SIGMOID, r - 300, r + 300, 1, &before));
        }
    }
    static const float dense[][2] = {{-17.5f, -16.3f}, {16.3f, 17.5f},      {-104.5f, -102.5f},
                                     {-88.8f, -87.0f}, {-0.0004f, 0.0004f}, {-1.01f, -0.99f}};
    for (int i = 0; i < 6; i++) {
        before = -1;
        int64_t first = rank_of(dense[i][0]), last = rank_of(dense[i][1]);
        int64_t stride = last - first > 4000000 ? (last - first) / 2000000 : 1;
        assert_true(rises(best, STOIC_SIGMOID, first, last, stride, &before));
    }
    before = 0.75f; /* the judge can say no */
    assert_false(rises(best, STOIC_SIGMOID, rank_of(0.5f), rank_of(0.6f), 1, &before));
}

/* Numbers of [low, high] from which `gap` more does not give a larger Sigmoid. */
static int64_t ties(const stoic_kernels *kernels, float low, float high, float gap,
                    int64_t stride) {
    enum { N = 4096 };
    float x[N], y[N];
    int64_t found = 0, last = rank_of(high);
    for (int64_t r = rank_of(low); r <= last; r += N * stride) {
        for (int64_t i = 0; i < N; i++)
            x[i] = ranked(r + i * stride < last ? r + i * stride : last);
        kernels->unary(STOIC_SIGMOID, 0, 0, x, y, N);
        for (int64_t i = 0; i < N; i++)
            x[i] += gap;
        kernels->unary(STOIC_SIGMOID, 0, 0, x, x, N);
        for (int64_t i = 0; i < N; i++)
            found += !(x[i] > y[i]);
    }
    return found;
}

/* What the bounds of exec take for granted: no ties of values 1e-3 apart below STOIC_STEEP. */
static void sigmoid_is_steep(void **state) {
    (void)state;
    for (int s = 0; s < n_sets; s++) {
        assert_int_equal(ties(sets[s], 1, STOIC_STEEP, 1e-3f, s + 1 < n_sets ? 7 : 1), 0);
        assert_int_equal(ties(sets[s], -80, 1, 1e-3f, 1009), 0);
    }
    assert_true(ties(sets[0], 12, 14, 1e-3f, 7) > 0); /* the judge can say no */
}

int main(void) {
    sets_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_special_values),
        cmocka_unit_test(choices_by_comparison),
        cmocka_unit_test(sigmoid_and_tanh_are_accurate),
        cmocka_unit_test(sigmoid_is_monotone),
        cmocka_unit_test(sigmoid_is_steep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
