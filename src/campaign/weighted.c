#include "campaign/weighted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void stoic_part_add(stoic_part *part, const stoic_counts *counts) {
    stoic_moments_add(&part->moments, counts);
    if (counts->tolerable >= 0 && counts->critical >= 0)
        stoic_tally_add(&part->changed, counts->tolerable + counts->critical);
}

void stoic_part_merge(stoic_part *part, const stoic_part *other) {
    part->faults += other->faults;
    stoic_moments_merge(&part->moments, &other->moments);
    stoic_tally_merge(&part->changed, &other->changed);
}

static const stoic_interval unknown = {NAN, NAN, NAN};

typedef const stoic_tally *tally_of(const stoic_part *part);

static const stoic_tally *critical_of(const stoic_part *part) {
    return &part->moments.critical;
}
static const stoic_tally *correct_of(const stoic_part *part) {
    return &part->moments.correct;
}
static const stoic_tally *changed_of(const stoic_part *part) {
    return &part->changed;
}

static bool is_complete(const stoic_weighted *all, const stoic_part *part) {
    return all->whole && part->moments.trials == part->faults;
}

static stoic_interval join(const stoic_weighted *all, tally_of *tally,
                           stoic_interval (*interval)(const stoic_stratum *, size_t, double)) {
    int64_t trials = 0, measured = 0;
    stoic_stratum *strata = calloc(all->n + 1, sizeof *strata);
    if (!strata)
        return unknown;
    for (size_t h = 0; h < all->n; h++) {
        const stoic_part *part = &all->parts[h];
        const stoic_tally *t = tally(part);
        trials += part->moments.trials;
        measured += t->trials;
        strata[h] = (stoic_stratum){
            .population = (double)part->faults,
            .events = (double)t->sum / (double)all->images,
            .trials = t->trials,
            .images = all->images,
            .variance = stoic_tally_variance(t, all->images),
            .complete = is_complete(all, part),
        };
    }
    bool known = trials > 0 && measured == trials;
    stoic_interval result = known ? interval(strata, all->n, all->alpha) : unknown;
    free(strata);
    return result;
}

stoic_interval stoic_weighted_critical(const stoic_weighted *all) {
    return join(all, critical_of, stoic_stratified_rate);
}

stoic_interval stoic_weighted_accuracy(const stoic_weighted *all) {
    return join(all, correct_of, stoic_stratified_mean);
}

stoic_interval stoic_weighted_pvf(const stoic_weighted *all) {
    return join(all, changed_of, stoic_stratified_rate);
}

double stoic_weighted_accuracy_std(const stoic_weighted *all) {
    double faults = 0.0, sum = 0.0, mean = stoic_weighted_accuracy(all).value;
    if (isnan(mean))
        return NAN;
    for (size_t h = 0; h < all->n; h++) {
        const stoic_tally *t = &all->parts[h].moments.correct;
        if (t->trials == 0)
            continue;
        double within = t->trials > 1 ? stoic_tally_variance(t, all->images) : 0.0;
        double between = stoic_tally_mean(t, all->images) - mean;
        faults += (double)all->parts[h].faults;
        sum += (double)all->parts[h].faults * (within + between * between);
    }
    return sqrt(sum / faults);
}

void stoic_weighted_shares(const stoic_weighted *all, stoic_shares *out) {
    double sums[STOIC_COUNT_FIELDS] = {0.0}, faults = 0.0;
    for (size_t h = 0; h < all->n; h++) {
        const stoic_part *part = &all->parts[h];
        stoic_counts counts = part->moments.totals;
        const int64_t *fields = stoic_counts_fields(&counts);
        if (counts.images < 1)
            continue;
        faults += (double)part->faults;
        for (int i = 0; i < STOIC_COUNT_FIELDS; i++)
            sums[i] += fields[i] < 0
                           ? (double)NAN
                           : (double)part->faults * (double)fields[i] / (double)counts.images;
    }
    for (int i = 1; i < STOIC_COUNT_FIELDS; i++)
        (&out->correct)[i - 1] = faults > 0.0 ? sums[i] / faults : (double)NAN;
}

void stoic_weighted_totals(const stoic_weighted *all, stoic_moments *out) {
    memset(out, 0, sizeof *out);
    for (size_t h = 0; h < all->n; h++)
        stoic_moments_merge(out, &all->parts[h].moments);
}
