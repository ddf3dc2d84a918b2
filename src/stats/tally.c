#include <assert.h>
#include <math.h>

#include "base/wide.h"
#include "stoic/stats.h"

static stoic_u128 squares(const stoic_tally *tally) {
    return (stoic_u128)tally->squares_high << 64 | tally->squares_low;
}

static void add_squares(stoic_tally *tally, stoic_u128 more) {
    stoic_u128 sum = squares(tally) + more;
    tally->squares_low = (uint64_t)sum;
    tally->squares_high = (uint64_t)(sum >> 64);
}

void stoic_tally_add(stoic_tally *tally, int64_t count) {
    assert(count >= 0);
    uint64_t c = (uint64_t)count;
    if (tally->trials == 0 || count < tally->least)
        tally->least = count;
    if (tally->trials == 0 || count > tally->most)
        tally->most = count;
    tally->trials++;
    tally->sum += c;
    add_squares(tally, (stoic_u128)c * c);
}

void stoic_tally_merge(stoic_tally *tally, const stoic_tally *other) {
    if (other->trials == 0)
        return;
    if (tally->trials == 0 || other->least < tally->least)
        tally->least = other->least;
    if (tally->trials == 0 || other->most > tally->most)
        tally->most = other->most;
    tally->trials += other->trials;
    tally->sum += other->sum;
    add_squares(tally, squares(other));
}

double stoic_tally_mean(const stoic_tally *tally, int64_t images) {
    if (tally->trials < 1 || images < 1)
        return NAN;
    return (double)tally->sum / ((double)tally->trials * (double)images);
}

/* (n Σc² - (Σc)²) / (n (n-1) m²): the numerator is an exact integer. */
double stoic_tally_variance(const stoic_tally *tally, int64_t images) {
    if (tally->trials < 2 || images < 1)
        return NAN;
    stoic_u128 spread =
        (stoic_u128)tally->trials * squares(tally) - (stoic_u128)tally->sum * tally->sum;
    double n = (double)tally->trials, m = (double)images;
    return (double)spread / (n * (n - 1.0)) / (m * m);
}

stoic_interval stoic_tally_rate(const stoic_tally *tally, int64_t images, double alpha) {
    return stoic_rate_interval(stoic_tally_mean(tally, images), stoic_tally_variance(tally, images),
                               tally->trials, images, alpha);
}

stoic_interval stoic_tally_rare_rate(const stoic_tally *tally, int64_t images, double alpha) {
    return stoic_rare_rate_interval(stoic_tally_mean(tally, images),
                                    stoic_tally_variance(tally, images), tally->trials, images,
                                    alpha);
}

stoic_interval stoic_tally_accuracy(const stoic_tally *tally, int64_t images, double alpha) {
    stoic_interval interval = stoic_mean_interval(
        stoic_tally_mean(tally, images), stoic_tally_variance(tally, images), tally->trials, alpha);
    if (interval.low < 0.0)
        interval.low = 0.0;
    if (interval.high > 1.0)
        interval.high = 1.0;
    return interval;
}
