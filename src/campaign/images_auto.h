/* --images-per-trial auto: the images of a trial from counted cost and a pilot's variance
 * (docs/methods.md 6). */
#ifndef STOIC_CAMPAIGN_IMAGES_AUTO_H
#define STOIC_CAMPAIGN_IMAGES_AUTO_H

#include "campaign/identity.h"

/* The pilot's trials of one bit, or of all faults where no bits can be told apart. */
typedef struct stoic_spot {
    double weight;          /* share of the faults */
    double mean;            /* of the share of images that count */
    double between, within; /* variance of that share between faults, and of one image within */
} stoic_spot;

typedef struct stoic_images_choice {
    int64_t images;         /* a trial; 0: no choice was made */
    int64_t trials;         /* of the pilot */
    double between, within; /* variances over all faults */
    double macs;            /* of one image of a random fault */
} stoic_images_choice;

/* Can the choice be made for these faults? They must lie in stored bits, and be drawn at random. */
bool stoic_images_can_choose(const stoic_parts *parts);

/* Runs the pilot. STOIC_ERR_INTERRUPTED: by cancel. */
stoic_status stoic_images_choose(const stoic_parts *parts, const stoic_campaign_options *options,
                                 stoic_images_choice *out, stoic_error *err) STOIC_MUST_CHECK;

/* From the shares of images that count in each trial of a spot, of `images` images each: analysis
 * of variance. */
stoic_spot stoic_spot_of(const stoic_tally *shares, int64_t images, double weight);
/* The variance of an estimate times the cost of its trials, by the images of a trial. */
double stoic_images_price(const stoic_spot *spots, size_t n, bool strata, double macs,
                          int64_t images);
/* The number of 1, 2, 4 … `most` images with the least price. */
int64_t stoic_images_best(const stoic_spot *spots, size_t n, bool strata, double macs,
                          int64_t most);

#endif
