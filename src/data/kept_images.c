#include "data/kept_images.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

enum { OVERHEAD = 16 }; /* malloc's own, about */

typedef struct kept_image {
    int channels, height, width;
    uint8_t data[];
} kept_image;

struct stoic_kept_images {
    int64_t count;
    atomic_llong room; /* bytes */
    _Atomic(kept_image *) images[];
};

stoic_status stoic_kept_images_create(int64_t count, int64_t bytes, stoic_kept_images **out,
                                      stoic_error *err) {
    size_t size = sizeof(stoic_kept_images) + (size_t)count * sizeof(kept_image *);
    stoic_kept_images *kept = calloc(1, size);
    if (!kept)
        return stoic_fail_memory(err, "images kept for later epochs", size);
    kept->count = count;
    atomic_init(&kept->room, bytes);
    *out = kept;
    return STOIC_OK;
}

void stoic_kept_images_free(stoic_kept_images *kept) {
    for (int64_t i = 0; kept && i < kept->count; i++)
        free(atomic_load_explicit(&kept->images[i], memory_order_relaxed));
    free(kept);
}

bool stoic_kept_images_get(const stoic_kept_images *kept, int64_t i, stoic_view *view) {
    const kept_image *image = atomic_load_explicit(&kept->images[i], memory_order_acquire);
    if (!image)
        return false;
    *view = (stoic_view){.data = image->data,
                         .channels = image->channels,
                         .height = image->height,
                         .width = image->width,
                         .row = (size_t)image->width,
                         .plane = (size_t)image->width * (size_t)image->height};
    return true;
}

void stoic_kept_images_put(stoic_kept_images *kept, int64_t i, const stoic_view *view) {
    size_t row = (size_t)view->width, rows = (size_t)view->height;
    size_t size = sizeof(kept_image) + (size_t)view->channels * rows * row;
    long long cost = (long long)size + OVERHEAD;
    kept_image *image = NULL, *none = NULL;
    if (atomic_fetch_sub(&kept->room, cost) >= cost)
        image = malloc(size);
    if (image) {
        image->channels = view->channels;
        image->height = view->height;
        image->width = view->width;
        for (size_t y = 0; y < (size_t)view->channels * rows; y++)
            memcpy(image->data + y * row,
                   view->data + y / rows * view->plane + y % rows * view->row, row);
        /* Another worker may have been here first: near the end of an epoch two hold an image. */
        if (atomic_compare_exchange_strong_explicit(&kept->images[i], &none, image,
                                                    memory_order_release, memory_order_relaxed))
            return;
        free(image);
    }
    atomic_fetch_add(&kept->room, cost);
}
