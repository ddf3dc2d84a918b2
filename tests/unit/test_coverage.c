/* Do the intervals cover what they promise? Simulated with fixed seeds: 4000 repetitions tell
 * the coverage to ± 0.007 (two standard deviations). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "coverage_kit.h"

enum { REPETITIONS = 4000 };

/* Without simulation: the sum of the binomial probabilities whose interval, its arms stretched
 * by `arms`, holds p. */
static double wilson_coverage(double p, int64_t n, double arms) {
    double sum = 0.0;
    for (int64_t k = 0; k <= n; k++) {
        double x = (double)k, m = (double)n;
        double log_chance = lgamma(m + 1.0) - lgamma(x + 1.0) - lgamma(m - x + 1.0) + x * log(p) +
                            (m - x) * log1p(-p);
        stoic_interval w = stoic_wilson(x, m, 0.05);
        w.low = w.value - arms * (w.value - w.low);
        w.high = w.value + arms * (w.high - w.value);
        if (covers(w, p))
            sum += exp(log_chance);
    }
    return sum;
}

static void wilson_covers(void **state) {
    (void)state;
    static const struct {
        double p;
        int64_t n;
    } cases[] = {{0.5, 100}, {0.1, 100}, {0.03, 500}, {0.9, 50}, {0.002, 2000}, {1e-4, 3000}};
    double mean = 0.0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double coverage = wilson_coverage(cases[i].p, cases[i].n, 1.0);
        double shortened = wilson_coverage(cases[i].p, cases[i].n, 0.7);
        print_message("wilson p %g n %lld: %.4f (arms cut by 0.3: %.4f)\n", cases[i].p,
                      (long long)cases[i].n, coverage, shortened);
        assert_true(coverage >= 0.93);
        if (cases[i].p > 0.001)
            assert_true(shortened < 0.93);
    }
    for (int i = 1; i < 200; i++) /* it swings around the nominal level as p moves */
        mean += wilson_coverage(i / 200.0, 150, 1.0) / 199.0;
    assert_true(fabs(mean - 0.95) < 0.005);
}

/* A campaign: a share of the faults is harmful and makes each image critical with a rate of its
 * own, uniform in a range; the others have a small common rate. */
typedef struct scene {
    const char *name;
    int64_t trials, images;
    double harmful, low, high, base;
    double floor; /* the coverage we stand by, of 0.95 */
} scene;

static double true_rate(const scene *s) {
    return s->harmful * 0.5 * (s->low + s->high) + (1.0 - s->harmful) * s->base;
}

static void run_scene(const scene *s, uint64_t seed, int repetition, stoic_tally *tally) {
    *tally = (stoic_tally){0};
    stoic_rng rng;
    stoic_rng_init(&rng, seed, (uint64_t)repetition, STOIC_STREAM_SITE);
    for (int64_t t = 0; t < s->trials; t++) {
        double rate = s->base;
        if (stoic_rng_unit(&rng) <= s->harmful)
            rate = s->low + (s->high - s->low) * stoic_rng_unit(&rng);
        stoic_tally_add(tally, draw_binomial(&rng, s->images, rate));
    }
}

static void rate_interval_covers(void **state) {
    (void)state;
    static const scene scenes[] = {
        {"typical", 200, 100, 1.0, 0.02, 0.1, 0.0, 0.93},
        {"one image", 400, 1, 0.1, 0.2, 1.0, 0.01, 0.93},
        {"rare, independent", 100, 100, 0.0, 0.0, 0.0, 1e-3, 0.93},
        {"hardly ever", 100, 100, 0.0, 0.0, 0.0, 2e-5, 0.93},
        {"overdispersed", 200, 100, 0.1, 0.5, 0.9, 1e-3, 0.93},
        {"overdispersed, few", 100, 1000, 0.05, 0.8, 0.9, 0.0, 0.93},
        /* Three harmful faults expected, of any share: those not met leave the variance too
         * small. The plain formula's limit, kept in sight here. */
        {"overdispersed, rare", 300, 100, 0.01, 0.0, 1.0, 0.0, 0.89},
        {"overdispersed, both", 300, 1000, 0.02, 0.1, 0.4, 1e-4, 0.93},
    };
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        const scene *s = &scenes[i];
        int covered = 0, rare = 0, pooled = 0;
        for (int r = 0; r < REPETITIONS; r++) {
            stoic_tally tally;
            run_scene(s, 200 + i, r, &tally);
            covered += covers(stoic_tally_rate(&tally, s->images, 0.05), true_rate(s));
            rare += covers(stoic_tally_rare_rate(&tally, s->images, 0.05), true_rate(s));
            /* what goes wrong when every image counts as an independent draw */
            stoic_interval naive =
                stoic_wilson((double)tally.sum, (double)(s->trials * s->images), 0.05);
            pooled += covers(naive, true_rate(s));
        }
        print_message("%s, %lld x %lld: %.4f, for rare harm %.4f (images pooled %.4f)\n", s->name,
                      (long long)s->trials, (long long)s->images, (double)covered / REPETITIONS,
                      (double)rare / REPETITIONS, (double)pooled / REPETITIONS);
        assert_true(rare >= 0.945 * REPETITIONS);
        assert_true(covered >= s->floor * REPETITIONS);
        if (s->name[0] == 'o' && s->images > 1) /* overdispersed: the test can tell */
            assert_true(pooled < 0.7 * REPETITIONS);
    }
}

static void mean_interval_covers(void **state) {
    (void)state;
    int covered = 0, by_z = 0;
    for (int r = 0; r < REPETITIONS; r++) {
        stoic_rng rng;
        stoic_rng_init(&rng, 300, (uint64_t)r, STOIC_STREAM_SITE);
        stoic_tally tally = {0};
        for (int i = 0; i < 8; i++)
            stoic_tally_add(&tally, (int64_t)(8000.5 + 300.0 * stoic_rng_normal(&rng)));
        covered += covers(stoic_tally_accuracy(&tally, 10000, 0.05), 0.8);
        double half = stoic_normal_z(0.05) * sqrt(stoic_tally_variance(&tally, 10000) / 8.0);
        by_z += fabs(stoic_tally_mean(&tally, 10000) - 0.8) <= half;
    }
    print_message("mean of 8: %.4f (z instead of t %.4f)\n", (double)covered / REPETITIONS,
                  (double)by_z / REPETITIONS);
    assert_true(covered >= 0.94 * REPETITIONS && covered <= 0.96 * REPETITIONS);
    assert_true(by_z < 0.93 * REPETITIONS);
}

/* Stops at the first look whose half-width is small enough, and keeps that look's level. */
static bool sequential_covers(const scene *s, double margin, int repetition, bool honest) {
    stoic_tally tally = {0};
    stoic_rng rng;
    stoic_rng_init(&rng, 400, (uint64_t)repetition, STOIC_STREAM_SITE);
    stoic_interval interval = {0.0, 0.0, 1.0};
    for (int k = 0; k < 25; k++) {
        while (tally.trials < stoic_look_trials(k)) {
            double rate = s->base;
            if (stoic_rng_unit(&rng) <= s->harmful)
                rate = s->low + (s->high - s->low) * stoic_rng_unit(&rng);
            stoic_tally_add(&tally, draw_binomial(&rng, s->images, rate));
        }
        interval = stoic_tally_rate(&tally, s->images, honest ? stoic_look_alpha(0.05, k) : 0.05);
        if (interval.high - interval.low <= 2.0 * margin)
            break;
    }
    return covers(interval, true_rate(s));
}

static void sequential_stopping_covers(void **state) {
    (void)state;
    static const scene s = {"sequential", 0, 20, 0.05, 0.2, 0.8, 1e-3, 0.95};
    int honest = 0, greedy = 0;
    for (int r = 0; r < REPETITIONS / 4; r++) {
        honest += sequential_covers(&s, 0.008, r, true);
        greedy += sequential_covers(&s, 0.008, r, false);
    }
    print_message("sequential: %.4f (full alpha at each look %.4f)\n", honest * 4.0 / REPETITIONS,
                  greedy * 4.0 / REPETITIONS);
    assert_true(honest >= s.floor * REPETITIONS / 4);
    assert_true(greedy < honest);
}

static void stratified_covers(void **state) {
    (void)state;
    static const double rates[4] = {0.3, 0.02, 0.0008, 0.0}, share[4] = {5e4, 1e5, 4e5, 4e5};
    double truth = 0.0;
    for (int h = 0; h < 4; h++)
        truth += share[h] / 9.5e5 * rates[h];
    int covered = 0;
    for (int r = 0; r < REPETITIONS; r++) {
        stoic_rng rng;
        stoic_rng_init(&rng, 500, (uint64_t)r, STOIC_STREAM_SITE);
        stoic_stratum strata[4];
        double weights[4];
        int64_t more[4];
        for (int h = 0; h < 4; h++) {
            strata[h] = (stoic_stratum){.population = share[h], .trials = 50};
            strata[h].events = (double)draw_binomial(&rng, 50, rates[h]);
            weights[h] = stoic_neyman_weight(&strata[h]);
        }
        assert_int_equal(stoic_apportion(weights, 4, 2000, 0, NULL, more, NULL), STOIC_OK);
        for (int h = 0; h < 4; h++) {
            strata[h].trials += more[h];
            strata[h].events += (double)draw_binomial(&rng, more[h], rates[h]);
        }
        covered += covers(stoic_stratified_rate(strata, 4, 0.05), truth);
    }
    print_message("stratified: %.4f\n", (double)covered / REPETITIONS);
    assert_true(covered >= 0.93 * REPETITIONS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_covers),        cmocka_unit_test(rate_interval_covers),
        cmocka_unit_test(mean_interval_covers), cmocka_unit_test(sequential_stopping_covers),
        cmocka_unit_test(stratified_covers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
