#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static void philox_known_answers(void **state) {
    (void)state;
    /* From the test vectors of Random123. */
    static const uint32_t cases[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        stoic_philox(cases[i], cases[i] + 4, out);
        assert_memory_equal(out, cases[i] + 6, sizeof out);
    }
}

static void rng_is_a_function_of_its_key(void **state) {
    (void)state;
    stoic_rng a, b;
    stoic_rng_init(&a, 0x0123456789abcdef, 0xfedcba9876543210, STOIC_STREAM_VALUE);
    const uint32_t counter[4] = {1, STOIC_STREAM_VALUE, 0x76543210, 0xfedcba98};
    const uint32_t key[2] = {0x89abcdef, 0x01234567};
    uint32_t second[4];
    stoic_philox(counter, key, second);
    for (int i = 0; i < 4; i++)
        (void)stoic_rng_u32(&a);
    for (int i = 0; i < 4; i++)
        assert_int_equal(stoic_rng_u32(&a), second[i]);

    /* After 2^32 blocks the sequence goes on in bits that no stream uses. */
    stoic_rng_init(&a, 1, 2, STOIC_STREAM_SITE);
    a.counter[0] = UINT32_MAX;
    stoic_rng_init(&b, 1, 2, STOIC_STREAM_SITE);
    uint32_t first = stoic_rng_u32(&b);
    for (int i = 0; i < 4; i++)
        (void)stoic_rng_u32(&a);
    assert_int_equal(a.counter[0], 0);
    assert_int_equal(a.counter[1], STOIC_STREAM_SITE + 256);
    assert_int_not_equal(stoic_rng_u32(&a), first);
}

/* Sum of (seen - expected)² / expected, in standard deviations from its mean. */
static double chi_square_excess(const int64_t *seen, int cells, double expected) {
    double sum = 0.0;
    for (int i = 0; i < cells; i++)
        sum += ((double)seen[i] - expected) * ((double)seen[i] - expected) / expected;
    return (sum - (cells - 1)) / sqrt(2.0 * (cells - 1));
}

static void below_is_uniform(void **state) {
    (void)state;
    stoic_rng rng;
    stoic_rng_init(&rng, 3, 0, STOIC_STREAM_SITE);
    int64_t seen[7] = {0}, residues[3] = {0}, thirds[3] = {0};
    const uint64_t large = UINT64_C(3) << 62;
    for (int i = 0; i < 70000; i++) {
        uint64_t small = stoic_rng_below(&rng, 7);
        assert_true(small < 7);
        seen[small]++;
        uint64_t v = stoic_rng_below(&rng, large);
        assert_true(v < large);
        residues[v % 3]++; /* without rejection every third value would come twice as often */
        thirds[v >> 62]++;
    }
    assert_true(chi_square_excess(seen, 7, 10000.0) < 5.0);
    assert_true(chi_square_excess(residues, 3, 70000.0 / 3) < 5.0);
    assert_true(chi_square_excess(thirds, 3, 70000.0 / 3) < 5.0);
    seen[0] += 500;
    seen[1] -= 500;
    assert_true(chi_square_excess(seen, 7, 10000.0) > 5.0);
    assert_int_equal(stoic_rng_below(&rng, 1), 0);
}

static int64_t ordered(double x) {
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

static bool within_ulps(double a, double b, int64_t ulps) {
    int64_t distance = ordered(a) - ordered(b);
    return distance <= ulps && distance >= -ulps;
}

static void log_matches_libm(void **state) {
    (void)state;
    stoic_rng rng;
    stoic_rng_init(&rng, 9, 0, STOIC_STREAM_VALUE);
    for (int i = 0; i < 2000000; i++) {
        uint64_t bits = stoic_rng_u64(&rng) % UINT64_C(0x7ff0000000000000);
        if (i % 3 == 0) /* around 1, where the result is small */
            bits = UINT64_C(0x3fe0000000000000) + bits % UINT64_C(0x20000000000000);
        if (i % 3 == 1 && i % 2)
            bits &= UINT64_C(0x000fffffffffffff);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (x > 0.0)
            assert_true(within_ulps(stoic_log_portable(x), log(x), 2));
    }
    static const double edges[] = {0x1p-1074,
                                   0x1p-1022,
                                   0x1.fffffffffffffp-1023,
                                   1.0,
                                   0x1.fffffffffffffp-1,
                                   0x1.0000000000001p0,
                                   2.0,
                                   0.5,
                                   0x1.fffffffffffffp1023,
                                   1.4142135623730951,
                                   0.7071067811865476};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        assert_true(within_ulps(stoic_log_portable(edges[i]), log(edges[i]), 2));
    double off = nextafter(nextafter(nextafter(log(3.0), 9.0), 9.0), 9.0);
    assert_true(nextafter(off, 9.0) > off);
    assert_false(within_ulps(nextafter(off, 9.0), stoic_log_portable(3.0), 2));
    assert_true(stoic_log_portable(0.0) == -INFINITY);
    assert_true(stoic_log_portable(INFINITY) == INFINITY);
    assert_true(isnan(stoic_log_portable(-1.0)));
    assert_true(isnan(stoic_log_portable(NAN)));
}

static double cosine_error(double u, double computed) {
    return (double)fabsl((long double)computed - cosl(6.28318530717958647692528676655900577L * u));
}

static void cosine_matches_libm(void **state) {
    (void)state;
    stoic_rng rng;
    stoic_rng_init(&rng, 10, 0, STOIC_STREAM_VALUE);
    double worst = 0.0;
    for (int i = 0; i < 1000000; i++) {
        double u = stoic_rng_unit(&rng);
        worst = fmax(worst, cosine_error(u, stoic_cos_turns_portable(u)));
    }
    for (int eighth = 0; eighth <= 8; eighth++) {
        double u = eighth / 8.0;
        worst = fmax(worst, cosine_error(u, stoic_cos_turns_portable(u)));
        double above = fmin(nextafter(u, 2.0), 1.0), under = fmax(nextafter(u, -1.0), 0.0);
        worst = fmax(worst, cosine_error(above, stoic_cos_turns_portable(above)));
        worst = fmax(worst, cosine_error(under, stoic_cos_turns_portable(under)));
    }
    assert_true(worst < 1e-15);
    assert_true(cosine_error(0.3, stoic_cos_turns_portable(0.3) + 2e-15) > 1e-15);
    assert_true(stoic_cos_turns_portable(0.25) == 0.0);
    assert_true(stoic_cos_turns_portable(1.0) == 1.0);
    assert_true(stoic_cos_turns_portable(0.5) == -1.0);
}

static void normal_is_normal(void **state) {
    (void)state;
    enum { DRAWS = 400000, CELLS = 16 };
    stoic_rng rng;
    stoic_rng_init(&rng, 11, 0, STOIC_STREAM_INIT);
    double sum = 0.0, squares = 0.0;
    int64_t seen[CELLS] = {0};
    for (int i = 0; i < DRAWS; i++) {
        double x = stoic_rng_normal(&rng);
        assert_true(fabs(x) < 8.7); /* sqrt(-2 log 2^-53) */
        sum += x;
        squares += x * x;
        int cell = (int)(CELLS * 0.5 * erfc(-x * sqrt(0.5))); /* equally probable cells */
        seen[cell < CELLS ? cell : CELLS - 1]++;
    }
    assert_true(fabs(sum / DRAWS) < 5.0 / sqrt(DRAWS));
    assert_true(fabs(squares / DRAWS - 1.0) < 5.0 * sqrt(2.0 / DRAWS));
    assert_true(chi_square_excess(seen, CELLS, (double)DRAWS / CELLS) < 5.0);
    seen[3] += 2000;
    assert_true(chi_square_excess(seen, CELLS, (double)DRAWS / CELLS) > 5.0);
}

static bool close_to(double a, double b, double relative) {
    return fabs(a - b) <= relative * fabs(b);
}

static void exp_matches_libm(void **state) {
    (void)state;
    for (int i = -69900; i <= 69900; i++) {
        double x = i * 0.01 + 1e-5 * (i % 7);
        assert_true(close_to(stoic_exp_portable(x), exp(x), 5e-16));
    }
    assert_false(close_to(stoic_exp_portable(1.0) * (1 + 1e-15), exp(1.0), 5e-16));
    assert_true(stoic_exp_portable(0.0) == 1.0);
    assert_true(isinf(stoic_exp_portable(701.0)) && stoic_exp_portable(-701.0) == 0.0);
    assert_true(isnan(stoic_exp_portable(NAN)));
}

static void geometric_gaps(void **state) {
    (void)state;
    enum { DRAWS = 200000 };
    static const double rates[] = {0.5, 0.1, 1e-3, 1e-6, 1e-9, 1e-12};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        stoic_rng rng, copy;
        stoic_rng_init(&rng, 12, r, STOIC_STREAM_SITE);
        copy = rng;
        double p = rates[r], sum = 0.0;
        int none = 0;
        for (int i = 0; i < DRAWS; i++) {
            uint64_t gap = stoic_rng_geometric(&rng, p);
            long double exact = logl(stoic_rng_unit(&copy)) / log1pl((long double)-p);
            assert_true(fabsl((long double)gap - exact) <= 1.0L + 1e-14L * exact);
            sum += (double)gap;
            none += gap == 0;
        }
        double mean = (1.0 - p) / p, deviation = sqrt(1.0 - p) / p;
        assert_true(fabs(sum / DRAWS - mean) < 5.0 * deviation / sqrt(DRAWS));
        assert_true(fabs(none - DRAWS * p) < 5.0 * sqrt(DRAWS * p) + 1.0);
    }
    /* The comparison above sees what log(1 - p) would lose. */
    double naive = stoic_log_portable(1.0 - 1e-12), right = log1p(-1e-12);
    assert_false(close_to(naive, right, 1e-6));
    stoic_rng rng;
    stoic_rng_init(&rng, 13, 0, STOIC_STREAM_SITE);
    assert_int_equal(stoic_rng_geometric(&rng, 1.0), 0);
    assert_true(stoic_rng_geometric(&rng, 1e-300) == UINT64_MAX);
}

/* Bytes of campaigns hang on these: they change on purpose only. */
static void draws_are_pinned(void **state) {
    (void)state;
    stoic_rng rng;
    stoic_rng_init(&rng, 42, 7, STOIC_STREAM_SITE);
    assert_int_equal(stoic_rng_u64(&rng), UINT64_C(0xa7f156b9ffad12c7));
    assert_int_equal(stoic_rng_below(&rng, 1000000), 614008);
    assert_true(stoic_rng_unit(&rng) == 0x1.d6eb35240cab8p-1);
    assert_true(stoic_rng_normal(&rng) == -0x1.2009cae1442d8p-2);
    assert_int_equal(stoic_rng_geometric(&rng, 1e-6), 1168491);
    assert_int_equal(stoic_permute(42, 7, 1000003, 12345), 129933);
}

static void permute_is_bijective(void **state) {
    (void)state;
    unsigned char seen[2000];
    for (uint64_t n = 1; n <= 2000; n++) {
        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t j = stoic_permute(5, n % 3, n, i);
            assert_true(j < n);
            assert_false(seen[j]);
            seen[j] = 1;
        }
    }
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void permute_large(void **state) {
    (void)state;
    enum { DRAWS = 20000, CELLS = 16 };
    static uint64_t values[DRAWS];
    for (int bits = 16; bits <= 62; bits += 2) {
        for (int extra = -1; extra <= 1; extra++) {
            uint64_t n = (UINT64_C(1) << bits) + (uint64_t)(int64_t)extra;
            int64_t seen[CELLS] = {0};
            for (uint64_t i = 0; i < DRAWS; i++) {
                values[i] = stoic_permute(77, 1, n, n - 1 - i);
                assert_true(values[i] < n);
                seen[(size_t)((double)values[i] / (double)n * CELLS)]++;
            }
            assert_true(chi_square_excess(seen, CELLS, (double)DRAWS / CELLS) < 5.0);
            qsort(values, DRAWS, sizeof *values, by_value);
            for (int i = 1; i < DRAWS; i++)
                assert_true(values[i] > values[i - 1]);
        }
    }
}

static void permute_is_random(void **state) {
    (void)state;
    enum { SEEDS = 24000 };
    int64_t orders[120] = {0}, pairs[90] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int rank = 0; /* of the permutation of 5, in the factorial number system */
        uint64_t p[5];
        for (uint64_t i = 0; i < 5; i++)
            p[i] = stoic_permute(seed, 0, 5, i);
        for (int i = 0; i < 5; i++) {
            int smaller = 0;
            for (int j = i + 1; j < 5; j++)
                smaller += p[j] < p[i];
            rank = rank * (5 - i) + smaller;
        }
        orders[rank]++;
        uint64_t a = stoic_permute(0, seed, 10, 0), b = stoic_permute(0, seed, 10, 1);
        pairs[a * 9 + (b > a ? b - 1 : b)]++;
    }
    assert_true(chi_square_excess(orders, 120, SEEDS / 120.0) < 5.0);
    assert_true(chi_square_excess(pairs, 90, SEEDS / 90.0) < 5.0);
    orders[0] *= 2;
    assert_true(chi_square_excess(orders, 120, SEEDS / 120.0) > 5.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers), cmocka_unit_test(rng_is_a_function_of_its_key),
        cmocka_unit_test(below_is_uniform),     cmocka_unit_test(log_matches_libm),
        cmocka_unit_test(cosine_matches_libm),  cmocka_unit_test(normal_is_normal),
        cmocka_unit_test(geometric_gaps),       cmocka_unit_test(draws_are_pinned),
        cmocka_unit_test(permute_is_bijective), cmocka_unit_test(permute_large),
        cmocka_unit_test(permute_is_random),    cmocka_unit_test(exp_matches_libm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
