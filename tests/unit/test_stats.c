#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "stats/special.h"
#include "stoic/stats.h"

static bool close_to(double value, double expected, double relative) {
    return fabs(value - expected) <= relative * fabs(expected);
}

static bool is_interval(stoic_interval i, double low, double high, double relative) {
    return close_to(i.low, low, relative) && close_to(i.high, high, relative);
}

/* Expected values below were computed with 30 digits (mpmath). */

static void normal_quantiles(void **state) {
    (void)state;
    static const double table[][2] = {
        {0.499999999, -2.50662834288453267e-9},
        {0.25, -0.674489750196081743},
        {0.1, -1.28155156554460044},
        {0.025, -1.95996398454005421},
        {0.005, -2.57582930354890075},
        {0.0005, -3.29052673149189479},
        {1e-10, -6.3613409024040562},
        {1e-100, -21.2734535609653243},
        {1e-300, -37.0470962993611992},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        /* 0.499999999 itself is rounded by 1e-17 of the 1e-9 from the centre */
        double tolerance = i == 0 ? 5e-8 : 1e-15;
        assert_true(close_to(stoic_normal_quantile(table[i][0]), table[i][1], tolerance));
    }
    assert_false(
        close_to(stoic_normal_quantile(0.025) * (1.0 + 2e-15), -1.95996398454005421, 1e-15));
    assert_true(stoic_normal_quantile(0.5) == 0.0);
    assert_true(close_to(stoic_normal_quantile(0.75), 0.674489750196081743, 1e-15));
    assert_true(close_to(stoic_normal_z(0.01), 2.57582930354890075, 1e-15));
    assert_true(isnan(stoic_normal_quantile(0.0)));
    assert_true(isnan(stoic_normal_quantile(1.0)));
    assert_true(isnan(stoic_normal_quantile(NAN)));
    for (double x = -30.0; x < 8.0; x += 0.37) {
        /* p's own rounding, magnified by the slope and by a small x */
        double tolerance = 1e-15 * (1.0 + x * x + 1.0 / fabs(x));
        double p = stoic_normal_cdf(x);
        if (x < 0.0)
            assert_true(close_to(stoic_normal_quantile(p), x, tolerance));
        assert_true(close_to(p + stoic_normal_cdf(-x), 1.0, 1e-15));
    }
}

static void student_quantiles(void **state) {
    (void)state;
    static const double table[][3] = {
        {0.05, 1, 12.706204736174705},    {0.05, 2, 4.3026527297494639},
        {0.05, 4, 2.7764451051977944},    {0.05, 9, 2.2621571627982055},
        {0.01, 30, 2.7499956535672253},   {0.05, 99, 1.9842169515864175},
        {0.01, 1000, 2.5807546980659511}, {0.5, 3, 0.76489232840434528},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_true(close_to(stoic_student_t(table[i][0], table[i][1]), table[i][2], 1e-13));
    assert_false(close_to(stoic_student_t(0.05, 10), 2.2621571627982055, 1e-13));
    /* Many degrees: the normal. */
    assert_true(close_to(stoic_student_t(0.05, 1e12), stoic_normal_z(0.05), 1e-10));
    assert_true(isnan(stoic_student_t(0.05, 0.0)));
    assert_true(isnan(stoic_student_t(1.0, 3.0)));
    stoic_interval mean = stoic_mean_interval(0.8, 0.04, 10, 0.05);
    double half = 2.2621571627982055 * sqrt(0.04 / 10);
    assert_true(is_interval(mean, 0.8 - half, 0.8 + half, 1e-14));
    mean = stoic_mean_interval(0.8, NAN, 1, 0.05);
    assert_true(mean.value == 0.8 && isinf(mean.low) && isinf(mean.high));
}

static void wilson_values(void **state) {
    (void)state;
    static const double table[][4] = {
        {0, 10, 0.0, 0.27753279986288925},
        {10, 10, 0.72246720013711075, 1.0},
        {5, 10, 0.23659309051256398, 0.76340690948743602},
        {1, 100, 0.0017674320641406479, 0.054486196178705323},
        {81, 263, 0.25528851987827423, 0.36620957698280007},
        {0.5, 7.25, 0.0072425603195866675, 0.42926077967939262},
        {3, 1000000, 1.0202712409681227e-6, 8.8211497743124359e-6},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const double *row = table[i];
        stoic_interval w = stoic_wilson(row[0], row[1], 0.05);
        assert_true(is_interval(w, row[2], row[3], 2e-15));
        assert_true(w.value == row[0] / row[1]);
        stoic_interval mirror = stoic_wilson(row[1] - row[0], row[1], 0.05);
        assert_true(fabs(mirror.low - (1.0 - w.high)) < 1e-15);
    }
    assert_false(is_interval(stoic_wilson(81, 264, 0.05), table[4][2], table[4][3], 2e-15));
    stoic_interval empty = stoic_wilson(0, 0, 0.05);
    assert_true(isnan(empty.value) && empty.low == 0.0 && empty.high == 1.0);
    assert_true(isnan(stoic_wilson(3, 2, 0.05).low));
    assert_true(isnan(stoic_wilson(-1, 2, 0.05).low));
    assert_true(isnan(stoic_wilson(1, 2, 0.0).low));
}

/* P(X >= k) of Binomial(n, p), summed term by term. */
static double binomial_upper(int64_t k, int64_t n, double p) {
    long double sum = 0.0L;
    for (int64_t i = k; i <= n; i++) {
        long double term = 1.0L;
        for (int64_t j = 0; j < i; j++)
            term *= (long double)(n - j) / (long double)(i - j) * (long double)p;
        sum += term * powl(1.0L - (long double)p, (long double)(n - i));
    }
    return (double)sum;
}

static void clopper_pearson_values(void **state) {
    (void)state;
    static const double table[][4] = {
        {0, 10, 0.0, 0.30849710781876082},
        {10, 10, 0.69150289218123918, 1.0},
        {5, 10, 0.18708602844739853, 0.81291397155260147},
        {1, 100, 0.00025314603297742063, 0.054459385392080657},
        {3, 1000000, 6.1867255019063986e-7, 8.7672477881452235e-6},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        stoic_interval c = stoic_clopper_pearson((int64_t)table[i][0], (int64_t)table[i][1], 0.05);
        assert_true(is_interval(c, table[i][2], table[i][3], 1e-13));
    }
    /* By definition: each bound leaves alpha/2 in the tail beyond the observation. */
    for (int64_t n = 1; n <= 60; n += 7) {
        for (int64_t k = 0; k <= n; k++) {
            stoic_interval c = stoic_clopper_pearson(k, n, 0.01);
            if (k > 0)
                assert_true(close_to(binomial_upper(k, n, c.low), 0.005, 1e-11));
            if (k < n)
                assert_true(close_to(1.0 - binomial_upper(k + 1, n, c.high), 0.005, 1e-11));
        }
    }
    assert_false(close_to(binomial_upper(3, 22, stoic_clopper_pearson(3, 22, 0.01).low * 1.001),
                          0.005, 1e-11));
    assert_true(isnan(stoic_clopper_pearson(3, 2, 0.05).low));
    assert_true(isnan(stoic_clopper_pearson(-1, 2, 0.05).low));
    assert_true(stoic_clopper_pearson(0, 0, 0.05).high == 1.0);
}

/* P(X <= k) of Poisson(mean), summed. */
static double poisson_lower(int64_t k, double mean) {
    long double term = expl(-(long double)mean), sum = term;
    for (int64_t i = 1; i <= k; i++) {
        term *= (long double)mean / (long double)i;
        sum += term;
    }
    return (double)sum;
}

static void poisson_values(void **state) {
    (void)state;
    static const double table[][3] = {
        {0, 0.0, 3.6888794541139363},
        {1, 0.025317807984289875, 5.5716433909388986},
        {5, 1.6234863901184205, 11.66833207932267},
        {10, 4.7953886961324336, 18.390356042017779},
        {100, 81.36399125092314, 121.62679379242639},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_true(is_interval(stoic_poisson((int64_t)table[i][0], 0.05), table[i][1], table[i][2],
                                1e-13));
    for (int64_t k = 0; k < 200; k += 9) {
        stoic_interval p = stoic_poisson(k, 0.1);
        assert_true(close_to(poisson_lower(k, p.high), 0.05, 1e-11));
        if (k > 0)
            assert_true(close_to(1.0 - poisson_lower(k - 1, p.low), 0.05, 1e-11));
    }
    assert_false(close_to(poisson_lower(9, stoic_poisson(9, 0.1).high * 1.001), 0.05, 1e-11));
    assert_true(isnan(stoic_poisson(-1, 0.05).low));
}

static void tails_invert(void **state) {
    (void)state;
    static const double shapes[] = {0.5, 1.0, 3.0, 40.0, 1e4, 1e7};
    static const double levels[] = {1e-9, 0.005, 0.3, 0.5, 0.9, 0.999};
    for (size_t i = 0; i < 36; i++) {
        double a = shapes[i / 6], b = shapes[i % 6];
        for (size_t l = 0; l < 12; l++) {
            bool upper = l >= 6;
            double p = levels[l % 6];
            double x = stoic_beta_quantile(p, a, b, upper);
            double y = stoic_gamma_quantile(p, a, upper);
            if (x < 0.999) /* nearer to 1 the rounding of x itself is the limit */
                assert_true(close_to(stoic_beta_tail(x, a, b, upper), p, 1e-9));
            assert_true(close_to(stoic_gamma_tail(y, a, upper), p, 1e-10));
            assert_false(close_to(stoic_gamma_tail(y * 1.01, a, upper), p, 1e-10));
        }
    }
    assert_true(close_to(stoic_beta_tail(0.3, 1.0, 5.0, true), pow(0.7, 5), 1e-14));
    assert_true(close_to(stoic_beta_tail(0.3, 5.0, 1.0, false), pow(0.3, 5), 1e-14));
    assert_true(close_to(stoic_gamma_tail(700.0, 1.0, true), exp(-700.0), 1e-12));
    assert_true(close_to(stoic_gamma_tail(4.0, 0.5, false), erf(2.0), 1e-14));
    assert_true(stoic_beta_tail(0.0, 2.0, 2.0, true) == 1.0);
    assert_true(stoic_beta_tail(1.0, 2.0, 2.0, true) == 0.0);
    assert_true(stoic_gamma_tail(0.0, 2.0, true) == 1.0);
}

static void sample_sizes(void **state) {
    (void)state;
    /* 16,625 of 268,336 weights x 64 bits at 99 % and 1 %, as published. */
    assert_int_equal(stoic_sample_size(INT64_C(268336) * 64, 0.01, 2.58, 0.5), 16625);
    assert_int_equal(stoic_sample_size(INT64_MAX, 0.05, 2.0, 0.5), 400); /* z² p (1-p) / e² */
    assert_int_equal(stoic_sample_size(INT64_MAX, 0.1, 2.0, 0.5), 100);
    assert_int_equal(stoic_sample_size(1000, 0.05, 1.96, 0.5), 278);
    assert_int_equal(stoic_sample_size(1, 0.5, 1.0, 0.5), 1);
    assert_int_equal(stoic_sample_size(0, 0.01, 2.58, 0.5), 0);
    assert_int_equal(stoic_sample_size(50, 1e-9, 2.58, 0.5), 50);
    assert_int_equal(stoic_sample_size(-1, 0.01, 2.58, 0.5), -1);
    assert_int_equal(stoic_sample_size(10, 0.0, 2.58, 0.5), -1);
    assert_int_equal(stoic_sample_size(10, 0.1, 2.58, 1.0), -1);
    assert_int_equal(stoic_sample_size(10, 0.1, NAN, 0.5), -1);
}

static void looks(void **state) {
    (void)state;
    static const int64_t first[] = {100, 150, 225, 338, 507, 760, 1140, 1709, 2563, 3845, 5767};
    for (int k = 0; k < 11; k++)
        assert_int_equal(stoic_look_trials(k), first[k]);
    double sum = 0.0;
    for (int k = 0; k < 100; k++) {
        assert_true(stoic_look_trials(k + 1) > stoic_look_trials(k) || k >= 75);
        sum += stoic_look_alpha(0.05, k);
    }
    assert_true(close_to(sum, 0.05 * (1.0 - 1.0 / 101.0), 1e-14)); /* telescopes to alpha */
    assert_true(stoic_look_alpha(0.05, 0) == 0.025);
    assert_true(stoic_look_trials(75) == INT64_C(1610068780980473)); /* the last that is exact */
    assert_true(stoic_look_trials(1000) == INT64_MAX);
    assert_int_equal(stoic_look_trials(-1), -1);
    assert_int_equal(stoic_look_before(99), -1);
    assert_int_equal(stoic_look_before(100), 0);
    assert_int_equal(stoic_look_before(149), 0);
    assert_int_equal(stoic_look_before(5767), 10);
    assert_int_equal(stoic_look_before(INT64_MAX), 76);
}

static void tally_is_exact(void **state) {
    (void)state;
    static const int64_t counts[] = {10000, 0, 9999, 3, 8123, 8123, 1, 777};
    enum { N = sizeof counts / sizeof *counts };
    stoic_tally forward = {0}, backward = {0}, parts[2] = {{0}, {0}}, merged = {0};
    long double mean = 0.0L, spread = 0.0L;
    for (int i = 0; i < N; i++) {
        stoic_tally_add(&forward, counts[i]);
        stoic_tally_add(&backward, counts[N - 1 - i]);
        stoic_tally_add(&parts[i % 3 == 0], counts[i]);
        mean += (long double)counts[i] / N;
    }
    for (int i = 0; i < N; i++)
        spread += (counts[i] - mean) * (counts[i] - mean) / (N - 1);
    stoic_tally_merge(&merged, &parts[1]);
    stoic_tally_merge(&merged, &parts[0]);
    stoic_tally_merge(&merged, &(stoic_tally){0});
    assert_memory_equal(&forward, &backward, sizeof forward);
    assert_memory_equal(&forward, &merged, sizeof forward);
    assert_int_equal(forward.least, 0);
    assert_int_equal(forward.most, 10000);
    assert_true(close_to(stoic_tally_mean(&forward, 10000), (double)mean / 1e4, 1e-15));
    assert_true(close_to(stoic_tally_variance(&forward, 10000), (double)spread / 1e8, 1e-14));
    stoic_tally_add(&backward, 1);
    assert_int_not_equal(memcmp(&forward, &backward, sizeof forward), 0);

    /* Squares beyond 64 bits: constant counts have no variance, to the last bit. */
    stoic_tally big = {0};
    for (int i = 0; i < 1000; i++)
        stoic_tally_add(&big, INT64_C(1) << 52);
    assert_true(big.squares_high > 0);
    assert_true(stoic_tally_variance(&big, INT64_C(1) << 52) == 0.0);
    stoic_tally_add(&big, (INT64_C(1) << 52) - 1);
    assert_true(close_to(stoic_tally_variance(&big, 1), 1.0 / 1001.0, 1e-14));
    stoic_tally none = {0};
    assert_true(isnan(stoic_tally_mean(&none, 5)));
    assert_true(isnan(stoic_tally_variance(&none, 5)));
}

static void rate_intervals(void **state) {
    (void)state;
    /* No event and only events: never [0, 0] or [1, 1]; the trial is the unit. */
    stoic_interval r = stoic_rate_interval(0.0, 0.0, 100, 10000, 0.05);
    stoic_interval w = stoic_wilson(0, 100, 0.05);
    assert_true(r.low == 0.0 && r.high == w.high && r.high > 0.03);
    r = stoic_rate_interval(1.0, 0.0, 100, 10000, 0.05);
    assert_true(r.high == 1.0 && r.low < 0.97);
    /* The same rate in each trial: n_eff at its upper clamp, all images. */
    r = stoic_rate_interval(0.25, 0.0, 100, 8, 0.05);
    w = stoic_wilson(200, 800, 0.05);
    assert_true(r.low == w.low && r.high == w.high);
    /* All or nothing: the lower clamp. */
    r = stoic_rate_interval(0.25, 0.25 * 0.75 * 100 / 99, 100, 1000, 0.05);
    w = stoic_wilson(25, 100, 0.05);
    assert_true(r.low == w.low && r.high == w.high);
    /* Between: p(1-p) / (s²/n) = 0.1875 / 0.0005 = 375. */
    r = stoic_rate_interval(0.25, 0.05, 100, 1000, 0.05);
    w = stoic_wilson(93.75, 375, 0.05);
    assert_true(is_interval(r, w.low, w.high, 1e-14));
    r = stoic_rate_interval(NAN, NAN, 0, 10, 0.05);
    assert_true(isnan(r.value) && r.low == 0.0 && r.high == 1.0);
    assert_true(isnan(stoic_rate_interval(0.5, 0.1, 3, 0, 0.05).low));
    /* Half a trial of 1 in the variance: (99 · 0.05 + 0.5 · 0.75²) / 100 = 0.0523125. */
    assert_true(close_to(stoic_rare_trials(0.25, 0.05, 100, 1000), 18.75 / 0.0523125, 1e-14));
    r = stoic_rare_rate_interval(0.25, 0.05, 100, 1000, 0.05);
    w = stoic_wilson(0.25 * 18.75 / 0.0523125, 18.75 / 0.0523125, 0.05);
    assert_true(is_interval(r, w.low, w.high, 1e-14));
    /* One image a trial: nothing changes. */
    r = stoic_rare_rate_interval(0.25, 0.1875 * 100 / 99, 100, 1, 0.05);
    w = stoic_wilson(25, 100, 0.05);
    assert_true(r.low == w.low && r.high == w.high);
    /* One image of one trial was critical, the others may yet be met. */
    r = stoic_rate_interval(0.0001, 1e-6, 100, 100, 0.05);
    w = stoic_rare_rate_interval(0.0001, 1e-6, 100, 100, 0.05);
    assert_true(r.high < 0.001 && w.high > 0.03);
    assert_true(isnan(stoic_rare_rate_interval(0.5, 0.1, 3, 0, 0.05).low));

    stoic_tally tally = {0};
    stoic_tally_add(&tally, 3);
    stoic_tally_add(&tally, 5);
    assert_true(tally.least == 3 && tally.most == 5);
    stoic_interval t = stoic_tally_rate(&tally, 10, 0.05);
    r = stoic_rate_interval(0.4, 0.02, 2, 10, 0.05);
    assert_true(is_interval(t, r.low, r.high, 1e-14));
    t = stoic_tally_accuracy(&tally, 10, 0.05);
    assert_true(t.value == 0.4 && t.low == 0.0 && t.high == 1.0); /* 0.4 ± 1.27, cut */
}

static void apportionment(void **state) {
    (void)state;
    int64_t out[4];
    static const double equal[] = {1, 1, 1}, skewed[] = {6, 3, 1, 0};
    assert_int_equal(stoic_apportion(equal, 3, 100, 0, NULL, out, NULL), STOIC_OK);
    assert_memory_equal(out, ((int64_t[]){34, 33, 33}), 24);
    assert_int_equal(stoic_apportion(skewed, 4, 104, 1, NULL, out, NULL), STOIC_OK);
    assert_memory_equal(out, ((int64_t[]){61, 31, 11, 1}), 32);
    static const int64_t caps[] = {10, 50, 5, 3};
    assert_int_equal(stoic_apportion(skewed, 4, 60, 2, caps, out, NULL), STOIC_OK);
    assert_memory_equal(out, ((int64_t[]){10, 43, 5, 2}), 32);
    assert_int_equal(stoic_apportion(skewed, 4, 1000, 4, caps, out, NULL), STOIC_OK);
    assert_memory_equal(out, ((int64_t[]){10, 50, 5, 3}), 32);
    assert_int_equal(stoic_apportion(skewed, 4, 3, 2, NULL, out, NULL), STOIC_OK);
    assert_memory_equal(out, ((int64_t[]){2, 1, 0, 0}), 32);
    assert_int_equal(stoic_apportion(NULL, 0, 3, 2, NULL, out, NULL), STOIC_OK);
    stoic_rng rng;
    stoic_rng_init(&rng, 1, 0, STOIC_STREAM_SITE);
    for (int trial = 0; trial < 1000; trial++) {
        double weights[20], sum = 0.0;
        int64_t shares[20], given = 0, total = (int64_t)stoic_rng_below(&rng, 100000);
        for (int h = 0; h < 20; h++)
            sum += weights[h] = stoic_rng_unit(&rng);
        assert_int_equal(stoic_apportion(weights, 20, total, 0, NULL, shares, NULL), STOIC_OK);
        for (int h = 0; h < 20; h++) {
            assert_true(fabs((double)shares[h] - (double)total * weights[h] / sum) <= 1.0);
            given += shares[h];
        }
        assert_int_equal(given, total);
    }
    stoic_error err;
    static const double bad[] = {1, NAN};
    static const int64_t bad_caps[] = {1, -1, 1};
    assert_int_equal(stoic_apportion(bad, 2, 1, 0, NULL, out, &err), STOIC_ERR_ARGUMENT);
    assert_string_equal(err.message, "stratum 1: expected a weight of 0 or more, found nan");
    assert_int_equal(stoic_apportion(equal, 3, 1, 0, bad_caps, out, &err), STOIC_ERR_ARGUMENT);
    assert_int_equal(stoic_apportion(equal, 3, -1, 0, NULL, out, &err), STOIC_ERR_ARGUMENT);
}

static void strata(void **state) {
    (void)state;
    /* One stratum: Clopper and Pearson of its trials. */
    stoic_stratum one = {.population = 1e6, .events = 0, .trials = 100};
    stoic_interval s = stoic_stratified_rate(&one, 1, 0.05),
                   w = stoic_clopper_pearson(0, 100, 0.05);
    assert_true(s.low == 0.0 && close_to(s.high, w.high, 1e-12));
    one.events = 30;
    s = stoic_stratified_rate(&one, 1, 0.05);
    w = stoic_clopper_pearson(30, 100, 0.05);
    assert_true(is_interval(s, w.low, w.high, 1e-12));
    /* A complete stratum adds no error; alone it is exact. */
    stoic_stratum both[2] = {one,
                             {.population = 3e6, .events = 10, .trials = 20, .complete = true}};
    s = stoic_stratified_rate(both, 2, 0.05);
    assert_true(close_to(s.value, 0.25 * 0.3 + 0.75 * 0.5, 1e-15));
    assert_true(is_interval(s, 0.25 * w.low + 0.375, 0.25 * w.high + 0.375, 1e-12));
    s = stoic_stratified_rate(both + 1, 1, 0.05);
    assert_true(s.low == 0.5 && s.value == 0.5 && s.high == 0.5);
    /* Two alike: each side's squares add up. */
    stoic_stratum twins[2] = {one, one};
    s = stoic_stratified_rate(twins, 2, 0.05);
    assert_true(close_to(s.value - s.low, (0.3 - w.low) / sqrt(2.0), 1e-12));
    assert_true(close_to(s.high - s.value, (w.high - 0.3) / sqrt(2.0), 1e-12));
    /* An unseen one may be anything. */
    both[0].trials = 0;
    s = stoic_stratified_rate(both, 2, 0.05);
    assert_true(s.value == 0.5 && s.low == 0.375 && s.high == 0.625);
    assert_true(isnan(stoic_stratified_rate(both, 0, 0.05).low));
    one = (stoic_stratum){.population = 100, .events = 0, .trials = 98};
    assert_true(close_to(stoic_neyman_weight(&one), 100 * sqrt(0.01 * 0.99), 1e-14));
}

static void stratified_means(void **state) {
    (void)state;
    /* One stratum: Student. */
    stoic_stratum two[2] = {{.population = 10, .events = 8, .trials = 10, .variance = 0.01},
                            {.population = 30, .events = 9, .trials = 10, .variance = 0.0}};
    stoic_interval s = stoic_stratified_mean(two, 1, 0.05);
    stoic_interval t = stoic_mean_interval(0.8, 0.01, 10, 0.05);
    assert_true(close_to(s.value, 0.8, 1e-15) && is_interval(s, t.low, t.high, 1e-12));
    /* Beside one that never varies its weight counts, and its degrees of freedom stay. */
    s = stoic_stratified_mean(two, 2, 0.05);
    assert_true(close_to(s.value, 0.25 * 0.8 + 0.75 * 0.9, 1e-15));
    assert_true(close_to(s.high - s.value, 0.25 * (t.high - 0.8), 1e-12));
    /* Two alike have twice the degrees. */
    two[1] = two[0];
    s = stoic_stratified_mean(two, 2, 0.05);
    assert_true(close_to(s.high - s.value, stoic_student_t(0.05, 18) * sqrt(0.001 / 2), 1e-12));
    /* Known as a whole; seen once; not at all. */
    two[1].complete = true;
    s = stoic_stratified_mean(two, 2, 0.05);
    assert_true(close_to(s.high - s.value, 0.5 * (t.high - 0.8), 1e-12));
    two[1] = (stoic_stratum){.population = 10, .events = 1, .trials = 1};
    s = stoic_stratified_mean(two, 2, 0.05);
    assert_true(close_to(s.value, 0.9, 1e-15) && s.low < 0.4 && s.high < 1.0);
    two[1].trials = 0;
    s = stoic_stratified_mean(two, 2, 0.05);
    assert_true(close_to(s.value, 0.8, 1e-15) && s.low < 0.4 && s.high > 0.9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_quantiles), cmocka_unit_test(student_quantiles),
        cmocka_unit_test(wilson_values),    cmocka_unit_test(clopper_pearson_values),
        cmocka_unit_test(poisson_values),   cmocka_unit_test(tails_invert),
        cmocka_unit_test(sample_sizes),     cmocka_unit_test(looks),
        cmocka_unit_test(tally_is_exact),   cmocka_unit_test(rate_intervals),
        cmocka_unit_test(apportionment),    cmocka_unit_test(strata),
        cmocka_unit_test(stratified_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
