/* A data set from the inside, for those who read its images in ways of their own. */
#ifndef STOIC_DATA_DATASET_INSIDE_H
#define STOIC_DATA_DATASET_INSIDE_H

#include "data/preprocess.h"
#include "data/source.h"

enum { STOIC_TABLE_ROWS = 4 };

struct stoic_dataset {
    stoic_source source;
    stoic_preprocessing preprocessing;
    stoic_shape shape;
    int64_t first, count; /* of the source's images */
    float table[STOIC_TABLE_ROWS]
               [256]; /* byte to network input, a row a channel where they differ */
    struct stoic_digest_cache *cache;
};

/* Fills the table, once shape and preprocessing are known. */
void stoic_dataset_fill_table(stoic_dataset *dataset);

/* An image in memory, before normalisation: planes of bytes, or of floats that need not be
 * aligned, as the source has them. */
typedef struct stoic_view {
    const uint8_t *data; /* the upper left element of the first plane */
    int channels, height, width;
    size_t row, plane; /* bytes from one to the next */
} stoic_view;

/* Bytes of an element. */
static inline size_t stoic_dataset_element(const stoic_dataset *dataset) {
    return dataset->source.kind == STOIC_SOURCE_FLOATS ? sizeof(float) : 1;
}

/* Image i. `stored`: as it is stored, else resized and cropped to the data set's shape. Where that
 * took decoding or resizing, own->data holds the pixels; the caller frees it, also on failure. */
stoic_status stoic_dataset_view(const stoic_dataset *dataset, int64_t i, bool stored,
                                stoic_pixels *own, stoic_view *view, stoic_error *err);

/* Where an output pixel comes from: `down` rows below and `right` columns beside its place;
 * then mirrored left to right. */
typedef struct stoic_shift {
    int down, right;
    bool flip;
} stoic_shift;

/* Writes the view's planes as the network wants them: shifted (what lies outside is 0), then
 * normalised. */
void stoic_view_convert(const stoic_dataset *dataset, const stoic_view *view,
                        const stoic_shift *shift, float *out);

#endif
