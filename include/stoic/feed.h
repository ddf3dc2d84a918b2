/*
 * Batches for training: shuffled anew each epoch, augmented, read ahead by background threads.
 *
 * Batch number `step` is a pure function of the data set, the options and `step`: the number of
 * workers, the step one starts at and what was read before change nothing. An epoch has
 * count / batch batches; the images that are left over sit this epoch out, others the next.
 *
 * Thread-safety: a feed has one caller; any number of feeds may share a data set.
 */
#ifndef STOIC_FEED_H
#define STOIC_FEED_H

#include <stdbool.h>

#include "stoic/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is done to a training image, with torchvision's meaning, before normalisation.
 * crop: padded by `crop_pad` zeros on each side, then the old size is cut out anywhere.
 * resized: a region of the stored image, its area a share scale_low … scale_high of the image's
 * and its width / height log-uniform over ratio_low … ratio_high, is resized to the network's
 * size (bilinear, antialiased); it replaces the data set's own resize and crop.
 * flip: mirrored left to right with probability 1/2, after the others. */
typedef struct stoic_augment {
    bool crop;
    int crop_pad; /* 1 … 32768 */
    bool flip;
    bool resized;
    double scale_low, scale_high; /* 0 < low <= high <= 1 */
    double ratio_low, ratio_high; /* 0.001 <= low <= high <= 1000 */
} stoic_augment;

/* Words joined by ',' or '+': "crop" (4 pixels) or "crop:PIXELS", "flip", "resizedcrop" (scale
 * 0.75 … 1, ratio 3/4 … 4/3) or "resizedcrop:SCALE:SCALE:RATIO:RATIO"; or "none" alone. Fails
 * with STOIC_ERR_ARGUMENT. */
STOIC_API stoic_status stoic_augment_parse(const char *text, stoic_augment *out,
                                           stoic_error *err) STOIC_MUST_CHECK;

enum { STOIC_AUGMENT_TEXT = 160 };

/* The one spelling of all that mean the same; stoic_augment_parse() reads it back exactly. Fails
 * with STOIC_ERR_ARGUMENT where parse could not have given `augment`. */
STOIC_API stoic_status stoic_augment_text(const stoic_augment *augment,
                                          char text[STOIC_AUGMENT_TEXT],
                                          stoic_error *err) STOIC_MUST_CHECK;

typedef struct stoic_feed_options {
    int64_t batch;
    stoic_augment augment;
    uint64_t seed;
    int64_t first_step;  /* number of the first batch handed out, 0 … 2^48 */
    int workers;         /* threads, 1 or 2; 0: one, two where image files are decoded */
    int64_t cache_bytes; /* decoded images kept for later epochs; 0: 1 GiB, -1: none */
} stoic_feed_options;

typedef struct stoic_feed stoic_feed;

/* The data set must outlive the feed. Fails with STOIC_ERR_ARGUMENT (options; a data set smaller
 * than a batch), _UNSUPPORTED (images of floats cannot be resized), _MEMORY. */
STOIC_API stoic_status stoic_feed_start(const stoic_dataset *dataset,
                                        const stoic_feed_options *options, stoic_feed **out,
                                        stoic_error *err) STOIC_MUST_CHECK;

/* The next batch, without end: batch x C x H x W floats (NCHW), normalised, and the labels. The
 * pointers are valid until the next call. Fails as stoic_dataset_read() does, naming the file;
 * then every later call fails alike. */
STOIC_API stoic_status stoic_feed_next(stoic_feed *feed, const float **images, const int **labels,
                                       stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_feed_free(stoic_feed *feed);

#ifdef __cplusplus
}
#endif
#endif
