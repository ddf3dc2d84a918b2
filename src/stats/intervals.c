#include <math.h>

#include "stats/special.h"
#include "stoic/stats.h"

static const stoic_interval nothing = {NAN, NAN, NAN};

static bool is_level(double alpha) {
    return alpha > 0.0 && alpha < 1.0;
}

/* The bounds are the roots of (1+z²/n) θ² - (2p+z²/n) θ + p² = 0; the lower one by the product
 * of the roots, which keeps its digits when it is small, and likewise 1 - high. */
stoic_interval stoic_wilson(double successes, double n, double alpha) {
    if (!(n >= 0.0 && successes >= 0.0 && successes <= n && is_level(alpha)))
        return nothing;
    if (n == 0.0)
        return (stoic_interval){NAN, 0.0, 1.0};
    double p = successes / n, q = (n - successes) / n;
    double half = 0.5 * pow(stoic_normal_z(alpha), 2.0) / n; /* z²/2n */
    double root = sqrt(2.0 * half * p * q + half * half);
    double low = p * p / (p + half + root);
    double rest = q * q / (q + half + root);
    double high = p < 0.5 ? (p + half + root) / (1.0 + 2.0 * half) : 1.0 - rest;
    if (p >= 0.5)
        low = 1.0 - (q + half + root) / (1.0 + 2.0 * half);
    return (stoic_interval){p, low, high};
}

stoic_interval stoic_clopper_pearson(int64_t k, int64_t n, double alpha) {
    if (n < 0 || k < 0 || k > n || !is_level(alpha))
        return nothing;
    if (n == 0)
        return (stoic_interval){NAN, 0.0, 1.0};
    stoic_interval interval = {(double)k / (double)n, 0.0, 1.0};
    double yes = (double)k, no = (double)(n - k);
    if (k > 0)
        interval.low = stoic_beta_quantile(0.5 * alpha, yes, no + 1.0, false);
    if (k < n)
        interval.high = stoic_beta_quantile(0.5 * alpha, yes + 1.0, no, true);
    return interval;
}

stoic_interval stoic_poisson(int64_t count, double alpha) {
    if (count < 0 || !is_level(alpha))
        return nothing;
    double k = (double)count;
    double low = count > 0 ? stoic_gamma_quantile(0.5 * alpha, k, false) : 0.0;
    return (stoic_interval){k, low, stoic_gamma_quantile(0.5 * alpha, k + 1.0, true)};
}

stoic_interval stoic_mean_interval(double mean, double variance, int64_t n, double alpha) {
    if (!is_level(alpha))
        return nothing;
    if (n < 2)
        return (stoic_interval){n == 1 ? mean : NAN, -INFINITY, INFINITY};
    double half = stoic_student_t(alpha, (double)(n - 1)) * sqrt(variance / (double)n);
    return (stoic_interval){mean, mean - half, mean + half};
}

/* Below two trials, and at rate 0 or 1, the variance says nothing. */
static double effective_trials(double rate, double variance, double n, double most) {
    double binomial = rate * (1.0 - rate);
    return binomial > 0.0 && variance >= 0.0 ? fmin(fmax(binomial / (variance / n), n), most) : n;
}

double stoic_rare_trials(double rate, double variance, int64_t trials, int64_t images) {
    double n = (double)trials, unmet = 0.5 * (1.0 - rate) * (1.0 - rate);
    return effective_trials(rate, ((n - 1.0) * variance + unmet) / n, n, n * (double)images);
}

/* Wilson's interval; the value is the rate itself, not what rounding leaves of it. */
static stoic_interval around(double rate, int64_t trials, double effective, double alpha) {
    stoic_interval interval = stoic_wilson(trials ? rate * effective : 0.0, effective, alpha);
    if (trials && !isnan(interval.value))
        interval.value = rate;
    return interval;
}

stoic_interval stoic_rate_interval(double rate, double variance, int64_t trials, int64_t images,
                                   double alpha) {
    if (trials < 0 || images < 1)
        return nothing;
    double n = (double)trials, effective = effective_trials(rate, variance, n, n * (double)images);
    return around(rate, trials, effective, alpha);
}

stoic_interval stoic_rare_rate_interval(double rate, double variance, int64_t trials,
                                        int64_t images, double alpha) {
    if (trials < 0 || images < 1)
        return nothing;
    double effective = stoic_rare_trials(rate, variance, trials, images);
    return around(rate, trials, effective, alpha);
}
