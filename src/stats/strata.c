/* Rates and means over strata. */
#include <math.h>

#include "stats/special.h"
#include "stoic/stats.h"

static const stoic_interval nothing = {NAN, NAN, NAN};

/* Clopper and Pearson, for real-valued counts. */
static stoic_interval exact(double events, double n, double alpha) {
    stoic_interval interval = {events / n, 0.0, 1.0};
    if (events > 0.0)
        interval.low = stoic_beta_quantile(0.5 * alpha, events, n - events + 1.0, false);
    if (events < n)
        interval.high = stoic_beta_quantile(0.5 * alpha, events + 1.0, n - events, true);
    return interval;
}

static double rate_of(const stoic_stratum *s) {
    return fmin(fmax(s->events / (double)s->trials, 0.0), 1.0);
}

static double population_of(const stoic_stratum *strata, size_t n) {
    double sum = 0.0;
    for (size_t h = 0; h < n; h++)
        sum += strata[h].population;
    return sum;
}

stoic_interval stoic_stratified_rate(const stoic_stratum *strata, size_t n, double alpha) {
    double population = population_of(strata, n);
    double sum = 0.0, unseen = 0.0, below = 0.0, above = 0.0;
    if (!(population > 0.0 && alpha > 0.0 && alpha < 1.0))
        return nothing;
    for (size_t h = 0; h < n; h++) {
        const stoic_stratum *s = &strata[h];
        double weight = s->population / population;
        if (s->trials == 0) {
            unseen += weight;
            continue;
        }
        double p = rate_of(s);
        sum += weight * p;
        if (s->complete)
            continue;
        int64_t images = s->images > 0 ? s->images : 1;
        double effective = stoic_rare_trials(p, s->variance, s->trials, images);
        stoic_interval at = exact(p * effective, effective, alpha);
        below += pow(weight * (p - at.low), 2.0);
        above += pow(weight * (at.high - p), 2.0);
    }
    return (stoic_interval){
        .value = unseen < 1.0 ? sum / (1.0 - unseen) : (double)NAN,
        .low = fmax(sum - sqrt(below), 0.0),
        .high = fmin(sum + sqrt(above) + unseen, 1.0),
    };
}

stoic_interval stoic_stratified_mean(const stoic_stratum *strata, size_t n, double alpha) {
    double population = population_of(strata, n);
    double sum = 0.0, unseen = 0.0, variance = 0.0, squares = 0.0, below = 0.0, above = 0.0;
    if (!(population > 0.0 && alpha > 0.0 && alpha < 1.0))
        return nothing;
    for (size_t h = 0; h < n; h++) {
        const stoic_stratum *s = &strata[h];
        double weight = s->population / population, trials = (double)s->trials;
        if (s->trials == 0) {
            unseen += weight;
            continue;
        }
        double mean = rate_of(s);
        sum += weight * mean;
        if (s->complete)
            continue;
        if (s->trials < 2) {
            below += weight * mean;
            above += weight * (1.0 - mean);
            continue;
        }
        double part = weight * weight * s->variance / trials;
        variance += part;
        squares += part * part / (trials - 1.0);
    }
    double half = 0.0;
    if (variance > 0.0)
        half = stoic_student_t(alpha, variance * variance / squares) * sqrt(variance);
    return (stoic_interval){
        .value = unseen < 1.0 ? sum / (1.0 - unseen) : (double)NAN,
        .low = fmax(sum - half - below, 0.0),
        .high = fmin(sum + half + above + unseen, 1.0),
    };
}
