#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/wide.h"
#include "stoic/stats.h"

int64_t stoic_sample_size(int64_t population, double margin, double z, double p) {
    if (population < 0 || !(margin > 0.0 && z > 0.0 && p > 0.0 && p < 1.0))
        return -1;
    if (population == 0)
        return 0;
    double all = (double)population;
    double n = all / (1.0 + margin * margin * (all - 1.0) / (z * z * p * (1.0 - p)));
    /* Where the formula gives a whole number, rounding must not add a trial. */
    double whole = ceil(n * (1.0 - 1e-12));
    return whole >= all ? population : (int64_t)whole;
}

int64_t stoic_look_trials(int k) {
    if (k < 0)
        return -1;
    stoic_u128 power = 100; /* 100 · 3^k, in 128 bits up to k = 76 */
    for (int i = 0; i < k && i < 76; i++)
        power *= 3;
    if (k >= 76)
        return INT64_MAX;
    stoic_u128 divisor = (stoic_u128)1 << k;
    stoic_u128 trials = (power + divisor - 1) / divisor;
    return (int64_t)trials; /* 100 · 1.5^75 < 2^51 */
}

double stoic_look_alpha(double alpha, int k) {
    return k < 0 ? NAN : alpha / ((k + 1.0) * (k + 2.0));
}

int stoic_look_before(int64_t trials) {
    int k = -1;
    while (k < 76 && stoic_look_trials(k + 1) <= trials)
        k++;
    return k;
}

double stoic_neyman_weight(const stoic_stratum *stratum) {
    double q = (stratum->events + 1.0) / ((double)stratum->trials + 2.0);
    return stratum->population * sqrt(q * (1.0 - q));
}

typedef struct claim {
    double fraction;
    size_t stratum;
} claim;

static int larger_first(const void *left, const void *right) {
    const claim *a = left, *b = right;
    if (a->fraction != b->fraction)
        return a->fraction < b->fraction ? 1 : -1;
    return a->stratum > b->stratum ? 1 : -1;
}

static int64_t room(const int64_t *caps, const int64_t *out, size_t h) {
    return caps ? caps[h] - out[h] : INT64_MAX;
}

/* One round: gives out whole shares of `left` and then single units by remainder; what the caps
 * turned away is returned for the next round. */
static int64_t share_out(const double *weights, size_t n, int64_t left, const int64_t *caps,
                         int64_t *out, claim *claims) {
    double sum = 0.0;
    size_t open = 0;
    for (size_t h = 0; h < n; h++) {
        if (room(caps, out, h) > 0)
            sum += weights[h];
    }
    int64_t given = 0, wanted = 0;
    for (size_t h = 0; h < n; h++) {
        int64_t free_places = room(caps, out, h);
        if (free_places <= 0 || !(weights[h] > 0.0))
            continue;
        double share = (double)left * (weights[h] / sum);
        int64_t whole = share < (double)(left - wanted) ? (int64_t)share : left - wanted;
        wanted += whole;
        claims[open++] = (claim){share - (double)whole, h};
        out[h] += whole < free_places ? whole : free_places;
        given += whole < free_places ? whole : free_places;
    }
    qsort(claims, open, sizeof *claims, larger_first);
    for (size_t i = 0; i < open && wanted < left; i++) {
        wanted++;
        if (room(caps, out, claims[i].stratum) > 0) {
            out[claims[i].stratum]++;
            given++;
        }
    }
    return left - given;
}

stoic_status stoic_apportion(const double *weights, size_t n, int64_t total, int64_t least,
                             const int64_t *caps, int64_t *out, stoic_error *err) {
    for (size_t h = 0; h < n; h++) {
        if (!(weights[h] >= 0.0) || isinf(weights[h]))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "stratum %zu: expected a weight of 0 or more, found %g", h,
                              weights[h]);
        if (caps && caps[h] < 0)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "stratum %zu: expected a cap of 0 or more, found %lld", h,
                              (long long)caps[h]);
    }
    if (total < 0 || least < 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "expected 0 or more to share out, found %lld, at least %lld each",
                          (long long)total, (long long)least);
    claim *claims = calloc(n ? n : 1, sizeof *claims);
    if (!claims)
        return stoic_fail_memory(err, "strata", n * sizeof *claims);
    int64_t left = total;
    for (size_t h = 0; h < n; h++) {
        int64_t first = caps && caps[h] < least ? caps[h] : least;
        out[h] = first < left ? first : left;
        left -= out[h];
    }
    for (int64_t before = left + 1; left > 0 && left < before;) {
        before = left;
        left = share_out(weights, n, left, caps, out, claims);
    }
    free(claims);
    return STOIC_OK;
}
