/* What happens to one training image: drawn, not yet done. */
#ifndef STOIC_DATA_AUGMENT_H
#define STOIC_DATA_AUGMENT_H

#include "data/dataset_inside.h"
#include "stoic/feed.h"

/* Fails with STOIC_ERR_ARGUMENT where a field is out of its bounds. */
stoic_status stoic_augment_check(const stoic_augment *augment, stoic_error *err);

typedef struct stoic_region {
    int top, left, height, width;
} stoic_region;

/* For image `number` of a training, counted from its first step, which is height x width large:
 * the part of it that is used (all of it, unless resized), and how that is shifted. */
void stoic_augment_draw(const stoic_augment *augment, uint64_t seed, uint64_t number, int height,
                        int width, stoic_region *region, stoic_shift *shift);

#endif
