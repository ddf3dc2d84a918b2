/*
 * Outcomes of one trial, image by image, against golden (docs/methods.md 4).
 *
 * masked: outputs bit-identical (NaNs are equal); tolerable: they differ, same top-1; critical:
 * top-1 differs. NaN, rule strict: an output with a NaN is wrong and critical, unless golden's
 * has one too, then critical means the first-NaN argmax differs; rule argmax: the first NaN wins.
 * sdc5: top-1 is not among golden's five best; sdc10, sdc20: the output of golden's top-1 class
 * moved by more than 10, 20 % of its value. due: a checksum is off, or the code of the store found
 * what it could not repair; such an image has no answer, and is in none of the others.
 */
#ifndef STOIC_CAMPAIGN_OUTCOME_H
#define STOIC_CAMPAIGN_OUTCOME_H

#include "stoic/campaign.h"

/* What the network gives without faults, for all images of the data set. */
typedef struct stoic_golden_outputs {
    int64_t classes;
    stoic_nan_rule nan_rule;
    float *values; /* images x classes */
    int *labels;
    uint8_t *nan;
    uint8_t *alarm; /* a checksum is off without any fault */
    const uint16_t *top1;
    const uint8_t *hits; /* top-1 equals the label */
} stoic_golden_outputs;

typedef struct stoic_tallying {
    const stoic_golden_outputs *golden;
    int64_t first; /* image of the data set at offset 0 */
    bool all;      /* every outcome, or critical, correct and nan alone */
    stoic_counts *counts;
    uint8_t *outcome;      /* a byte a listed image, or NULL */
    const int32_t *images; /* the listed offsets, ascending; NULL: 0 … n-1 */
    int64_t n;
} stoic_tallying;

/* Starts with every listed image as golden has it. */
void stoic_tallying_begin(stoic_tallying *t, const stoic_golden_outputs *golden, int64_t first,
                          int64_t count, const int32_t *images, int64_t n_images, bool all,
                          stoic_counts *counts, uint8_t *outcome);
/* The same for all images from `first` on and without `outcome`, given what that left in counts. */
void stoic_tallying_again(stoic_tallying *t, const stoic_golden_outputs *golden, int64_t first,
                          bool all, const stoic_counts *begun, stoic_counts *counts);
/* The code found what it could not repair: no image gets an answer. */
void stoic_tallying_due(stoic_tallying *t);
/* Sinks of stoic_faulty_run(): an image came out otherwise. */
void stoic_tallying_output(void *tallying, int image, const float *output, bool alarm);
void stoic_tallying_top1(void *tallying, int image, int top1);

#endif
