#include "campaign/moments.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static_assert(sizeof(stoic_counts) == STOIC_COUNT_FIELDS * sizeof(int64_t),
              "stoic_counts is ten integers");

int64_t *stoic_counts_fields(stoic_counts *counts) {
    return &counts->images;
}

void stoic_counts_clear(stoic_counts *counts) {
    memset(counts, 0, sizeof *counts);
}

void stoic_counts_add(stoic_counts *sum, const stoic_counts *part) {
    int64_t *to = stoic_counts_fields(sum);
    const int64_t *from = &part->images;
    /* A damaged file may claim anything: a sum that no integer holds is not known. */
    for (int i = 0; i < STOIC_COUNT_FIELDS; i++)
        if (to[i] < 0 || from[i] < 0 || __builtin_add_overflow(to[i], from[i], &to[i]))
            to[i] = -1;
}

void stoic_moments_add(stoic_moments *moments, const stoic_counts *counts) {
    moments->trials++;
    stoic_counts_add(&moments->totals, counts);
    if (counts->correct >= 0)
        stoic_tally_add(&moments->correct, counts->correct);
    if (counts->critical >= 0)
        stoic_tally_add(&moments->critical, counts->critical);
}

void stoic_moments_merge(stoic_moments *moments, const stoic_moments *other) {
    moments->trials += other->trials;
    stoic_counts_add(&moments->totals, &other->totals);
    stoic_tally_merge(&moments->correct, &other->correct);
    stoic_tally_merge(&moments->critical, &other->critical);
}

static const stoic_interval unknown = {NAN, NAN, NAN};

stoic_interval stoic_basis_rate(const stoic_basis *basis, const stoic_tally *tally) {
    return basis->single ? stoic_tally_rare_rate(tally, basis->images, basis->alpha)
                         : stoic_tally_rate(tally, basis->images, basis->alpha);
}

stoic_interval stoic_moments_critical(const stoic_moments *moments, const stoic_basis *basis) {
    if (moments->trials == 0 || moments->totals.critical < 0)
        return unknown;
    stoic_interval rate = stoic_basis_rate(basis, &moments->critical);
    if (basis->complete)
        rate.low = rate.high = rate.value;
    return rate;
}

stoic_interval stoic_moments_accuracy(const stoic_moments *moments, const stoic_basis *basis) {
    if (moments->trials == 0 || moments->totals.correct < 0)
        return unknown;
    stoic_interval accuracy = stoic_tally_accuracy(&moments->correct, basis->images, basis->alpha);
    if (basis->complete)
        accuracy.low = accuracy.high = accuracy.value;
    return accuracy;
}

stoic_interval stoic_moments_pvf(const stoic_moments *moments, const stoic_basis *basis) {
    const stoic_counts *totals = &moments->totals;
    if (moments->trials == 0 || totals->masked < 0)
        return unknown;
    uint64_t sum = (uint64_t)(totals->tolerable + totals->critical);
    stoic_tally tally = {.trials = moments->trials, .sum = sum, .squares_low = sum};
    stoic_interval rate = stoic_basis_rate(basis, &tally);
    if (basis->images > 1)
        rate.low = rate.high = NAN;
    if (basis->complete)
        rate.low = rate.high = rate.value;
    return rate;
}

stoic_interval stoic_accuracy_drop(stoic_interval accuracy, double golden) {
    return (stoic_interval){golden - accuracy.value, golden - accuracy.high, golden - accuracy.low};
}
