/* Which preprocessing applies: the option, else the model's metadata, else the known set's. */
#ifndef STOIC_DATA_PREPROCESS_H
#define STOIC_DATA_PREPROCESS_H

#include "data/known_sets.h"
#include "data/pixels.h"
#include "stoic/dataset.h"

/* Fills resize, crop and source[0]. */
stoic_status stoic_preprocessing_size(const stoic_dataset_options *options,
                                      stoic_preprocessing *out, stoic_error *err);

/* Fills mean, std, channels, source[1] and [2] for images of `channels` channels. */
stoic_status stoic_preprocessing_scale(const stoic_dataset_options *options,
                                       const stoic_known_set *known, int channels,
                                       stoic_preprocessing *out, stoic_error *err);

/* The way of one image: resized to height x width, then cropped. */
typedef struct stoic_framing {
    int height, width; /* after resizing */
    int top, left;     /* of the crop */
    int out_height, out_width;
} stoic_framing;

stoic_status stoic_framing_fit(const stoic_preprocessing *preprocessing, int height, int width,
                               const char *name, stoic_framing *out, stoic_error *err);

#endif
