/* Coverage on a real truth: the share of critical outcomes of single bit flips in each (layer,
 * bit) of the shipped LeNet-5, as fixtures/lenet5_strata.csv counts them. 20,000 repetitions tell
 * a coverage of 0.95 to ± 0.003 (two standard deviations). STOIC_SLOW=1 takes five times as many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "coverage_kit.h"

enum { STRATA = 160, LEVELS = 3, REPETITIONS = 20000, SAMPLE = 8000, PILOT = 10 };

static const double alphas[LEVELS] = {0.10, 0.05, 0.01};
/* Wilson's coverage swings about its level, and the sum over looks is an upper bound. */
static const double allowed = 0.005;

typedef struct truth {
    double population[STRATA], rate[STRATA];
    double all, mean;
} truth;

static int read_truth(void **state) {
    static truth t;
    char line[128];
    FILE *file = fopen(STOIC_TEST_FIXTURES "/lenet5_strata.csv", "r");
    if (!file)
        return -1;
    int n = 0;
    while (fgets(line, sizeof line, file)) {
        int bit;
        double population, outcomes, critical;
        if (sscanf(line, "%*[^,],%d,%lf,%lf,%lf", &bit, &population, &outcomes, &critical) != 4)
            continue; /* what says where it comes from, and the header */
        if (n == STRATA)
            return fclose(file), -1;
        t.population[n] = population;
        t.rate[n] = critical / outcomes;
        t.all += population;
        t.mean += population * t.rate[n++];
    }
    fclose(file);
    t.mean /= t.all;
    *state = &t;
    return n == STRATA && t.all == 4237440.0 ? 0 : -1;
}

static int repetitions(void) {
    const char *slow = getenv("STOIC_SLOW");
    return slow && slow[0] == '1' ? 5 * REPETITIONS : REPETITIONS;
}

static void hold(const char *what, const int *covered) {
    double n = repetitions();
    for (int i = 0; i < LEVELS; i++) {
        print_message("%s at %.2f: %.4f\n", what, 1.0 - alphas[i], covered[i] / n);
        assert_true(covered[i] / n >= 1.0 - alphas[i] - allowed);
    }
}

static void simple_covers(void **state) {
    const truth *t = *state;
    int covered[LEVELS] = {0};
    for (int r = 0; r < repetitions(); r++) {
        stoic_rng rng;
        stoic_rng_init(&rng, 600, (uint64_t)r, STOIC_STREAM_SITE);
        double events = (double)draw_binomial(&rng, SAMPLE, t->mean);
        for (int i = 0; i < LEVELS; i++)
            covered[i] += covers(stoic_wilson(events, SAMPLE, alphas[i]), t->mean);
    }
    hold("simple", covered);
}

/* Stops at the first look whose half-width is at most `margin`, and keeps that look's level. */
static stoic_interval until(double p, double margin, double alpha, bool honest, stoic_rng *rng) {
    stoic_interval interval = {0.0, 0.0, 1.0};
    int64_t trials = 0;
    double events = 0.0;
    for (int k = 0; interval.high - interval.low > 2.0 * margin; k++) {
        int64_t more = stoic_look_trials(k) - trials;
        events += (double)draw_binomial(rng, more, p);
        trials += more;
        double level = honest ? stoic_look_alpha(alpha, k) : alpha;
        interval = stoic_wilson(events, (double)trials, level);
    }
    return interval;
}

static bool stops_well(double p, uint64_t seed, int repetition, double alpha, bool honest) {
    stoic_rng rng;
    stoic_rng_init(&rng, seed, (uint64_t)repetition, STOIC_STREAM_SITE);
    return covers(until(p, 0.005, alpha, honest, &rng), p);
}

static void sequential_covers(void **state) {
    const truth *t = *state;
    int covered[LEVELS] = {0}, greedy[LEVELS] = {0};
    for (int r = 0; r < repetitions(); r++) {
        for (int i = 0; i < LEVELS; i++) {
            uint64_t seed = 700 + (uint64_t)i;
            covered[i] += stops_well(t->mean, seed, r, alphas[i], true);
            greedy[i] += stops_well(t->mean, seed, r, alphas[i], false);
        }
    }
    hold("sequential", covered);
    for (int i = 0; i < LEVELS; i++) /* the looks' levels keep far above the nominal one */
        assert_true(greedy[i] < covered[i]);
}

/* A pilot of equal shares, the rest by Neyman's weights. */
static void sample_strata(const truth *t, stoic_rng *rng, stoic_stratum *strata) {
    double weights[STRATA];
    int64_t more[STRATA];
    for (int h = 0; h < STRATA; h++) {
        strata[h] = (stoic_stratum){.population = t->population[h], .trials = PILOT};
        strata[h].events = (double)draw_binomial(rng, PILOT, t->rate[h]);
        weights[h] = stoic_neyman_weight(&strata[h]);
    }
    assert_int_equal(stoic_apportion(weights, STRATA, SAMPLE - PILOT * STRATA, 0, NULL, more, NULL),
                     STOIC_OK);
    for (int h = 0; h < STRATA; h++) {
        strata[h].trials += more[h];
        strata[h].events += (double)draw_binomial(rng, more[h], t->rate[h]);
    }
}

static void stratified_covers(void **state) {
    const truth *t = *state;
    int covered[LEVELS] = {0};
    double width = 0.0;
    for (int r = 0; r < repetitions(); r++) {
        stoic_rng rng;
        stoic_rng_init(&rng, 800, (uint64_t)r, STOIC_STREAM_SITE);
        stoic_stratum strata[STRATA];
        sample_strata(t, &rng, strata);
        for (int i = 0; i < LEVELS; i++) {
            stoic_interval interval = stoic_stratified_rate(strata, STRATA, alphas[i]);
            covered[i] += covers(interval, t->mean);
            if (alphas[i] == 0.05)
                width += (interval.high - interval.low) / repetitions();
        }
    }
    stoic_interval simple = stoic_wilson(t->mean * SAMPLE, SAMPLE, 0.05);
    double ratio = (simple.high - simple.low) / width;
    print_message("rate %.5f: half-width %.5f of %d trials, simple %.5f: %.2f times the trials\n",
                  t->mean, 0.5 * width, SAMPLE, 0.5 * (simple.high - simple.low), ratio * ratio);
    hold("stratified", covered);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_covers),
        cmocka_unit_test(sequential_covers),
        cmocka_unit_test(stratified_covers),
    };
    return cmocka_run_group_tests(tests, read_truth, NULL);
}
