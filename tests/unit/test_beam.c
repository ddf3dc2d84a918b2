#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/rng.h"
#include "stoic/beam.h"

static bool close_to(double value, double expected, double relative) {
    return fabs(value - expected) <= relative * fabs(expected);
}

/* Garwood's table (Biometrika 28, 1936) at 95 %, to the digits printed. */
static const struct printed {
    int64_t events;
    double low, high;
} garwood[] = {{0, 0.0, 3.689},    {1, 0.0253, 5.572},   {2, 0.2422, 7.225},  {5, 1.623, 11.668},
               {10, 4.795, 18.39}, {20, 12.217, 30.888}, {50, 37.111, 65.919}};

/* The table against intervals of which both ends are off by `error`. */
static int garwood_hits(double error) {
    int hits = 0;
    for (size_t i = 0; i < sizeof garwood / sizeof *garwood; i++) {
        stoic_interval got = stoic_beam_section(garwood[i].events, 2.0, 0.05);
        assert_true(got.value == (double)garwood[i].events / 2.0);
        hits += close_to(2.0 * got.low * (1.0 + error), garwood[i].low, 2e-3) &&
                close_to(2.0 * got.high * (1.0 + error), garwood[i].high, 2e-4);
    }
    return hits;
}

static void section_is_garwoods(void **state) {
    (void)state;
    assert_int_equal(garwood_hits(0.0), sizeof garwood / sizeof *garwood);
    assert_int_equal(garwood_hits(0.01), 0);
    assert_int_equal(garwood_hits(-0.01), 0);
    /* no event: e^-upper = alpha / 2 */
    assert_true(close_to(stoic_beam_section(0, 1e11, 0.05).high, -log(0.025) / 1e11, 1e-13));
}

static void fit_by_hand(void **state) {
    (void)state;
    /* 13 events in 10^11: 1.3e-10 cm², 1.69 FIT */
    stoic_interval section = stoic_beam_section(13, 1e11, 0.05);
    stoic_interval fit = stoic_beam_fit(section, STOIC_BEAM_FLUX);
    assert_true(close_to(section.value, 1.3e-10, 1e-15));
    assert_true(close_to(fit.value, 1.69, 1e-14));
    assert_false(close_to(fit.value * 1.01, 1.69, 1e-14));
    assert_true(close_to(fit.low, section.low * 13e9, 1e-14));
    assert_true(close_to(fit.high, section.high * 13e9, 1e-14));
    /* the paper's beam time: 6.5e10 n/cm² are 570,000 years of natural exposure */
    assert_true(close_to(6.5e10 / STOIC_BEAM_FLUX / 8766.0, 570000.0, 1e-3));
    /* and its normalised rates on Pascal: 3.53 critical against 1.00 is 71.67 % less, tolerable
     * ones 50.88 and 50.91 differ by nothing; of as many events in the same fluence */
    assert_true(close_to(1 - stoic_beam_ratio(100, 1e10, 353, 1e10, 0.05).value, 0.7167, 1e-4));
    stoic_interval tolerable = stoic_beam_ratio(5091, 1e10, 5088, 1e10, 0.05);
    assert_true(tolerable.low < 1 && tolerable.high > 1 && close_to(tolerable.value, 1.0, 1e-3));
    assert_true(isnan(stoic_beam_section(1, 0.0, 0.05).value));
    assert_true(isnan(stoic_beam_section(1, -1.0, 0.05).value));
    assert_true(isnan(stoic_beam_section(1, NAN, 0.05).value));
    assert_true(isnan(stoic_beam_section(-1, 1.0, 0.05).value));
    assert_true(isnan(stoic_beam_section(1, 1.0, 0.0).value));
    assert_true(isnan(stoic_beam_fit(section, 0.0).value));
}

static uint64_t draw_poisson(stoic_rng *rng, double mean) {
    uint64_t n = 0;
    for (double at = -log(stoic_rng_unit(rng)); at < mean; at -= log(stoic_rng_unit(rng)))
        n++;
    return n;
}

enum { DRAWS = 20000 };

/* How often the interval holds the mean; `exact` or the textbook's n ± 1.96 √n. */
static double section_coverage(double mean, bool exact) {
    int held = 0;
    for (int i = 0; i < DRAWS; i++) {
        stoic_rng rng;
        stoic_rng_init(&rng, 6, (uint64_t)i, STOIC_STREAM_VALUE);
        double n = (double)draw_poisson(&rng, mean), arm = 1.96 * sqrt(n);
        stoic_interval got = stoic_beam_section((int64_t)n, 1.0, 0.05);
        if (!exact)
            got = (stoic_interval){n, n - arm, n + arm};
        held += got.low <= mean && mean <= got.high;
    }
    return held / (double)DRAWS;
}

static double ratio_coverage(double mean, double other_mean, double widen) {
    int held = 0;
    for (int i = 0; i < DRAWS; i++) {
        stoic_rng rng;
        stoic_rng_init(&rng, 7, (uint64_t)i, STOIC_STREAM_VALUE);
        int64_t n = (int64_t)draw_poisson(&rng, mean);
        int64_t m = (int64_t)draw_poisson(&rng, other_mean);
        stoic_interval got = stoic_beam_ratio(n, 2.0, m, 1.0, 0.05);
        double ratio = mean / 2.0 / other_mean;
        held += got.low * widen <= ratio && ratio <= got.high / widen;
    }
    return held / (double)DRAWS;
}

/* Exact intervals hold at least their level; 0.946 is it less three standard deviations. */
static void coverage(void **state) {
    static const double means[] = {0.3, 1.0, 2.5, 7.0, 30.0};
    (void)state;
    for (size_t i = 0; i < sizeof means / sizeof *means; i++)
        assert_true(section_coverage(means[i], true) >= 0.946);
    assert_true(section_coverage(1.0, false) < 0.7);
    assert_true(ratio_coverage(8.0, 5.0, 1.0) >= 0.946);
    assert_true(ratio_coverage(3.0, 0.5, 1.0) >= 0.946);
    assert_true(ratio_coverage(60.0, 90.0, 1.0) >= 0.946);
    assert_true(ratio_coverage(60.0, 90.0, 1.1) < 0.946);
}

/* P(X >= k) of a binomial, by adding up. */
static double at_least(int k, int n, double p) {
    double sum = 0.0;
    for (int i = k; i <= n; i++)
        sum += exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) + i * log(p) +
                   (n - i) * log1p(-p));
    return sum;
}

static void ratio_is_exact(void **state) {
    (void)state;
    stoic_interval got = stoic_beam_ratio(37, 2e10, 12, 5e10, 0.05);
    assert_true(close_to(got.value, 37.0 / 12.0 * 2.5, 1e-15));
    double low = got.low / 2.5, high = got.high / 2.5; /* odds */
    assert_true(close_to(at_least(37, 49, low / (1.0 + low)), 0.025, 1e-10));
    assert_true(close_to(1.0 - at_least(38, 49, high / (1.0 + high)), 0.025, 1e-10));
    low *= 1.01;
    assert_false(close_to(at_least(37, 49, low / (1.0 + low)), 0.025, 0.03));
}

static void ratio_is_symmetric(void **state) {
    static const int64_t counts[] = {1, 2, 12, 37, 5000};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 5; j++) {
            stoic_interval one = stoic_beam_ratio(counts[i], 3e9, counts[j], 7e10, 0.05);
            stoic_interval two = stoic_beam_ratio(counts[j], 7e10, counts[i], 3e9, 0.05);
            assert_true(close_to(one.value, 1.0 / two.value, 1e-14));
            assert_true(close_to(one.low, 1.0 / two.high, 1e-14));
            assert_true(close_to(one.high, 1.0 / two.low, 1e-14));
            assert_true(one.low < one.value && one.value < one.high);
        }
    }
    stoic_interval got = stoic_beam_ratio(3, 1.0, 0, 1.0, 0.05);
    double p = pow(0.025, 1.0 / 3.0); /* P(X >= 3 of 3) = p³ */
    assert_true(close_to(got.low, p / (1.0 - p), 1e-12));
    assert_true(isinf(got.value) && isinf(got.high));
    got = stoic_beam_ratio(0, 1.0, 3, 1.0, 0.05);
    assert_true(got.value == 0.0 && got.low == 0.0 && close_to(got.high, (1.0 - p) / p, 1e-12));
    got = stoic_beam_ratio(0, 1.0, 0, 1.0, 0.05);
    assert_true(isnan(got.value) && got.low == 0.0 && isinf(got.high));
    assert_true(isnan(stoic_beam_ratio(1, 0.0, 1, 1.0, 0.05).low));
    assert_true(isnan(stoic_beam_ratio(1, 1.0, 1, INFINITY, 0.05).low));
    assert_true(isnan(stoic_beam_ratio(INT64_MAX, 1.0, 1, 1.0, 0.05).low));
}

static void model_by_hand(void **state) {
    const stoic_interval pvf = {0.01, 0.008, 0.013}, above = {0.5, 0.4, 1.1},
                         point = {0.25, NAN, NAN};
    (void)state;
    /* 500 FIT/Mbit, 4 Mbit, 1 %: 20 FIT */
    stoic_interval fit = stoic_model_fit(500.0, 4e6, pvf);
    assert_true(close_to(fit.value, 20.0, 1e-14));
    assert_true(close_to(fit.low, 16.0, 1e-14) && close_to(fit.high, 26.0, 1e-14));
    assert_false(close_to(stoic_model_fit(500.0, 4.04e6, pvf).value, 20.0, 1e-14));
    fit = stoic_model_fit(8.0, 1e6, point);
    assert_true(fit.value == 2.0 && isnan(fit.low) && isnan(fit.high));
    assert_true(isnan(stoic_model_fit(500.0, 4e6, above).value));
    assert_true(isnan(stoic_model_fit(-1.0, 4e6, pvf).value));
    assert_true(isnan(stoic_model_fit(1.0, INFINITY, pvf).value));
    /* ten years at 10^4 FIT: 1 - exp(-0.876) */
    assert_true(close_to(stoic_mission_failure(1e4, 87600.0), 0.58355463, 1e-7));
    assert_false(close_to(stoic_mission_failure(1.01e4, 87600.0), 0.58355463, 1e-7));
    assert_true(close_to(stoic_mission_failure(1e-9, 1.0), 1e-18, 1e-15));
    assert_true(stoic_mission_failure(1e4, 0.0) == 0.0 && stoic_mission_failure(1e12, 1e9) == 1.0);
    assert_true(isnan(stoic_mission_failure(-1.0, 1.0)) && isnan(stoic_mission_failure(1.0, NAN)));
}

/* Raw rates for a wanted number of upsets a word and hour, words of 64 bits. */
static double raw_of(double upsets) {
    return upsets / 64.0 * 1e15;
}

static void scrubbed_by_hand(void **state) {
    (void)state;
    for (double m = 1e-9; m < 20.0; m *= 1.7) {
        double got = stoic_scrubbed_failure(raw_of(m), 1.0, 64.0, 1.0, 1.0);
        /* the tail of a Poisson variable, by its terms from the third on */
        double term = exp(-m) * m * m / 2.0, tail = 0.0;
        for (int k = 3; k < 200; term *= m / k++)
            tail += term;
        assert_true(close_to(got, tail, 1e-12));
        assert_false(
            close_to(stoic_scrubbed_failure(raw_of(1.01 * m), 1.0, 64.0, 1.0, 1.0), tail, 1e-12) &&
            m < 10.0);
    }
    /* first order: words · intervals · m² / 2; twice the scrubs, half the failures */
    double often = stoic_scrubbed_failure(raw_of(1e-8), 1e5, 64.0, 1e4, 5.0);
    double seldom = stoic_scrubbed_failure(raw_of(1e-8), 1e5, 64.0, 1e4, 10.0);
    assert_true(close_to(seldom, 1e5 * 1e3 * 0.5e-14, 1e-6) && close_to(seldom / often, 2.0, 1e-6));
    /* scrubbed after the mission: never */
    double never = stoic_scrubbed_failure(raw_of(1e-3), 7.0, 64.0, 100.0, 1e9);
    assert_true(close_to(never, 1.0 - pow(exp(-0.1) * 1.1, 7.0), 1e-12));
    assert_true(isnan(stoic_scrubbed_failure(1.0, 1.0, 64.0, 1.0, 0.0)));
    assert_true(isnan(stoic_scrubbed_failure(1.0, 1.0, 0.0, 1.0, 1.0)));
    assert_true(isnan(stoic_scrubbed_failure(1.0, -1.0, 64.0, 1.0, 1.0)));
    assert_true(stoic_scrubbed_failure(0.0, 1e9, 64.0, 1e5, 1.0) == 0.0);
}

/* Four words, two intervals and a half, 0.3 upsets a word and interval. */
static void scrubbed_by_simulation(void **state) {
    int failed = 0;
    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        bool fails = false;
        stoic_rng rng;
        stoic_rng_init(&rng, 8, (uint64_t)i, STOIC_STREAM_VALUE);
        for (int word = 0; word < 4; word++) {
            int interval = -1;
            for (double at = -log(stoic_rng_unit(&rng)) / 0.3; at < 2.5;
                 at -= log(stoic_rng_unit(&rng)) / 0.3) {
                fails = fails || (int)at == interval;
                interval = (int)at;
            }
        }
        failed += fails;
    }
    double share = failed / (double)DRAWS, noise = 3.0 * sqrt(0.25 / DRAWS);
    assert_true(fabs(share - stoic_scrubbed_failure(raw_of(0.3), 4.0, 64.0, 2.5, 1.0)) < noise);
    assert_true(fabs(share - stoic_scrubbed_failure(raw_of(0.3), 4.0, 64.0, 2.0, 1.0)) > noise);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(section_is_garwoods),
        cmocka_unit_test(fit_by_hand),
        cmocka_unit_test(coverage),
        cmocka_unit_test(ratio_is_exact),
        cmocka_unit_test(ratio_is_symmetric),
        cmocka_unit_test(model_by_hand),
        cmocka_unit_test(scrubbed_by_hand),
        cmocka_unit_test(scrubbed_by_simulation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
