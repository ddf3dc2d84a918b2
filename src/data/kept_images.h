/* Images that took work, kept as they came out of it, up to a number of bytes. */
#ifndef STOIC_DATA_KEPT_IMAGES_H
#define STOIC_DATA_KEPT_IMAGES_H

#include "data/dataset_inside.h"

typedef struct stoic_kept_images stoic_kept_images;

stoic_status stoic_kept_images_create(int64_t count, int64_t bytes, stoic_kept_images **out,
                                      stoic_error *err);
void stoic_kept_images_free(stoic_kept_images *kept);

/* Both may be called by any number of threads at once. What is kept stays. A view of bytes is
 * copied if there is room; no memory means no room. */
bool stoic_kept_images_get(const stoic_kept_images *kept, int64_t i, stoic_view *view);
void stoic_kept_images_put(stoic_kept_images *kept, int64_t i, const stoic_view *view);

#endif
