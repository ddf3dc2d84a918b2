/* Estimates over the strata of a campaign: each counts with its share of the faults. */
#ifndef STOIC_CAMPAIGN_WEIGHTED_H
#define STOIC_CAMPAIGN_WEIGHTED_H

#include "campaign/moments.h"

/* What was seen of one stratum, or of the part of it that lies in a group. */
typedef struct stoic_part {
    int64_t faults;
    stoic_moments moments;
    stoic_tally changed; /* tolerable + critical; trials only where it was measured */
} stoic_part;

typedef struct stoic_weighted {
    const stoic_part *parts;
    size_t n;
    int64_t images; /* per trial */
    bool whole;     /* these are all images of the data set */
    double alpha;
} stoic_weighted;

void stoic_part_add(stoic_part *part, const stoic_counts *counts);
void stoic_part_merge(stoic_part *part, const stoic_part *other);

/* NaN where there is no trial, or one did not measure it. */
stoic_interval stoic_weighted_critical(const stoic_weighted *all);
stoic_interval stoic_weighted_accuracy(const stoic_weighted *all);
stoic_interval stoic_weighted_pvf(const stoic_weighted *all);
/* Of a random fault's accuracy: within the strata and between them. */
double stoic_weighted_accuracy_std(const stoic_weighted *all);
/* The shares of the images with each outcome. */
void stoic_weighted_shares(const stoic_weighted *all, stoic_shares *out);
/* The plain sums. */
void stoic_weighted_totals(const stoic_weighted *all, stoic_moments *out);

#endif
