/*
 * Intervals, sample sizes and exact tallies.
 *
 * Everywhere `alpha` is 1 - confidence, two-sided, in (0, 1). Rates are fractions. Functions are
 * pure: no state, no allocation, any thread. Arguments outside the stated range give NaN.
 */
#ifndef STOIC_STATS_H
#define STOIC_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stoic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An estimate and its confidence interval, low <= value <= high. */
typedef struct stoic_interval {
    double value, low, high;
} stoic_interval;

/* ---- distributions ---- */

/* Standard normal: P(X <= x), and its inverse (p in (0, 1)) to about 1e-15 relative. */
STOIC_API double stoic_normal_cdf(double x);
STOIC_API double stoic_normal_quantile(double p);
/* The z with P(|X| <= z) = 1 - alpha: 1.96 for alpha = 0.05. */
STOIC_API double stoic_normal_z(double alpha);
/* The t with P(|T| <= t) = 1 - alpha for Student's distribution with `freedom` > 0 degrees. */
STOIC_API double stoic_student_t(double alpha, double freedom);

/* ---- intervals ---- */

/* Wilson 1927, for real-valued n: with p = successes / n and z of alpha
 *   (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
 * n = 0 gives value NaN in [0, 1]. */
STOIC_API stoic_interval stoic_wilson(double successes, double n, double alpha);

/* Clopper and Pearson 1934, "exact": low = quantile of Beta(k, n-k+1) at alpha/2, high =
 * quantile of Beta(k+1, n-k) at 1 - alpha/2. 0 <= k <= n; n = 0 as above. */
STOIC_API stoic_interval stoic_clopper_pearson(int64_t k, int64_t n, double alpha);

/* Garwood 1936: the mean of a Poisson variable of which `count` was seen;
 * low = quantile of Gamma(count) at alpha/2, high = of Gamma(count+1) at 1 - alpha/2. */
STOIC_API stoic_interval stoic_poisson(int64_t count, double alpha);

/* Student: mean ± t sqrt(variance / n), `variance` with the divisor n - 1. Below two values
 * nothing is known: -Inf to Inf. */
STOIC_API stoic_interval stoic_mean_interval(double mean, double variance, int64_t n, double alpha);

/* The rate of an event among trials x images, where the trial is the unit: `rate` the mean over
 * `trials` of the share of the trial's `images`, `variance` of these shares between trials.
 *   n_eff = clamp(rate (1-rate) / (variance / trials), trials, trials · images)
 * (`trials` where the rate is 0 or 1), then Wilson on (rate · n_eff, n_eff): never [0, 0] or
 * [1, 1]. */
STOIC_API stoic_interval stoic_rate_interval(double rate, double variance, int64_t trials,
                                             int64_t images, double alpha);
/* The same for a rate that a few harmful faults among many harmless ones make up. Few trials may
 * have missed those, and their variance would not tell: half a trial in which every image is
 * critical is added to it, ((trials-1) variance + (1-rate)²/2) / trials. With one image a trial
 * it is the same. */
STOIC_API stoic_interval stoic_rare_rate_interval(double rate, double variance, int64_t trials,
                                                  int64_t images, double alpha);
/* The n_eff of that one. */
STOIC_API double stoic_rare_trials(double rate, double variance, int64_t trials, int64_t images);

/* ---- tallies: sums of counts that depend on no order ---- */

/* One count per trial (correct images, critical images). Zero-initialised: empty. Exact as long
 * as trials x largest count < 2^64. */
typedef struct stoic_tally {
    int64_t trials;
    uint64_t sum;
    uint64_t squares_low, squares_high; /* sum of squares, 128 bits */
    int64_t least, most;                /* valid from one trial on */
} stoic_tally;

STOIC_API void stoic_tally_add(stoic_tally *tally, int64_t count);
STOIC_API void stoic_tally_merge(stoic_tally *tally, const stoic_tally *other);
/* Mean and variance (divisor trials - 1) of count / images; NaN below one and two trials. */
STOIC_API double stoic_tally_mean(const stoic_tally *tally, int64_t images);
STOIC_API double stoic_tally_variance(const stoic_tally *tally, int64_t images);
/* stoic_rate_interval() of a tally: for critical_rate and its kind. */
STOIC_API stoic_interval stoic_tally_rate(const stoic_tally *tally, int64_t images, double alpha);
STOIC_API stoic_interval stoic_tally_rare_rate(const stoic_tally *tally, int64_t images,
                                               double alpha);
/* stoic_mean_interval() of a tally, cut to [0, 1]: for accuracies. */
STOIC_API stoic_interval stoic_tally_accuracy(const stoic_tally *tally, int64_t images,
                                              double alpha);

/* ---- sample sizes ---- */

/* Trials that estimate a proportion near p to ± margin in a finite population N, z from
 * stoic_normal_z():  n = ceil(N / (1 + margin² (N-1) / (z² p (1-p)))). -1 for arguments out of
 * range (N >= 0, margin > 0, z > 0, p in (0, 1)). */
STOIC_API int64_t stoic_sample_size(int64_t population, double margin, double z, double p);

/* Sequential stopping. Look k = 0, 1, … is taken at n_k = ceil(100 · 1.5^k) complete trials
 * (saturates at INT64_MAX), at the level alpha_k = alpha / ((k+1)(k+2)), which sum to alpha. */
STOIC_API int64_t stoic_look_trials(int k);
STOIC_API double stoic_look_alpha(double alpha, int k);
/* The last look at or before `trials`; -1 before the first. */
STOIC_API int stoic_look_before(int64_t trials);

/* ---- strata ---- */

typedef struct stoic_stratum {
    double population; /* faults in it, or whatever the weights are */
    double events;     /* sum over trials of the share of images; real-valued */
    int64_t trials;
    int64_t images;  /* a trial sees; 0 stands for 1 */
    double variance; /* of the shares between trials, divisor trials - 1 */
    bool complete;   /* every (fault, image) pair was run: no sampling error */
} stoic_stratum;

/* population · sqrt(q (1-q)), q = (events + 1) / (trials + 2): Neyman's weight, smoothed so that a
 * stratum without any event is not starved. */
STOIC_API double stoic_neyman_weight(const stoic_stratum *stratum);

/* Splits `total` over n strata: first `least` each, the rest in proportion to `weights`
 * (>= 0), never more than caps[h] (NULL: no caps), largest remainders first, ties to the lower
 * index. Gives out less than `total` only where the caps (or weights of 0) leave no room; where
 * `total` does not pay for the least, earlier strata come first. STOIC_ERR_ARGUMENT: a negative
 * number or a non-finite weight. */
STOIC_API stoic_status stoic_apportion(const double *weights, size_t n, int64_t total,
                                       int64_t least, const int64_t *caps, int64_t *out,
                                       stoic_error *err) STOIC_MUST_CHECK;

/* The population-weighted rate, W_h the shares of the population. Each stratum gets Clopper and
 * Pearson's interval [l_h, u_h] around its rate p_h, with stoic_rare_trials() for a number of
 * trials; these are joined as Zou and Donner 2008 do (MOVER): value - sqrt(sum W_h² (p_h - l_h)²)
 * to  value + sqrt(sum W_h² (u_h - p_h)²). Complete strata count as known. A stratum without trials
 * may hold any rate, which the interval says; the value is that of the others. */
STOIC_API stoic_interval stoic_stratified_rate(const stoic_stratum *strata, size_t n, double alpha);

/* The population-weighted mean of the shares: value ± t sqrt(V), V = sum W_h² variance_h /
 * trials_h, t Student's with Welch and Satterthwaite's degrees of freedom, cut to [0, 1]. A stratum
 * with fewer than two trials may have any mean. */
STOIC_API stoic_interval stoic_stratified_mean(const stoic_stratum *strata, size_t n, double alpha);

#ifdef __cplusplus
}
#endif
#endif
