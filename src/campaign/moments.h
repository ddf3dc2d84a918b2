/* Sums over trials from which every estimate follows: integers, so that order never matters. */
#ifndef STOIC_CAMPAIGN_MOMENTS_H
#define STOIC_CAMPAIGN_MOMENTS_H

#include "stoic/campaign.h"

/* The ten members of stoic_counts in their order, for loops. */
enum { STOIC_COUNT_FIELDS = 10 };
int64_t *stoic_counts_fields(stoic_counts *counts);

/* Nothing evaluated yet: zeros. */
void stoic_counts_clear(stoic_counts *counts);
/* Adds images; a member that either side did not measure (-1) stays unmeasured. */
void stoic_counts_add(stoic_counts *sum, const stoic_counts *part);

/* Zero-initialised: no trials. The tallies hold trials only where the member was measured. */
typedef struct stoic_moments {
    int64_t trials;
    stoic_counts totals;
    stoic_tally correct, critical;
} stoic_moments;

void stoic_moments_add(stoic_moments *moments, const stoic_counts *counts);
void stoic_moments_merge(stoic_moments *moments, const stoic_moments *other);

/* What an estimate rests on. */
typedef struct stoic_basis {
    int64_t images; /* per trial */
    double alpha;
    bool complete; /* every (fault, image) pair was run, nothing is left to chance */
    bool single;   /* a trial is one fault of many, most of which are harmless */
} stoic_basis;

/* critical / images, with its interval (docs/methods.md 6); NaN where not measured. */
stoic_interval stoic_moments_critical(const stoic_moments *moments, const stoic_basis *basis);
stoic_interval stoic_moments_accuracy(const stoic_moments *moments, const stoic_basis *basis);
/* (tolerable + critical) / images, likewise. Its bounds follow from the moments where a trial has
 * one image, and are NaN otherwise. */
stoic_interval stoic_moments_pvf(const stoic_moments *moments, const stoic_basis *basis);
/* The interval of a rate. */
stoic_interval stoic_basis_rate(const stoic_basis *basis, const stoic_tally *tally);
/* golden - accuracy. */
stoic_interval stoic_accuracy_drop(stoic_interval accuracy, double golden);

#endif
