/*
 * One decoded image: bytes, plane by plane (C x H x W), as the network will get it.
 */
#ifndef STOIC_DATA_PIXELS_H
#define STOIC_DATA_PIXELS_H

#include "data/file_bytes.h"

typedef struct stoic_pixels {
    int channels, height, width;
    uint8_t *data; /* owned; malloc */
} stoic_pixels;

/* Larger images are refused before memory is taken for them. */
enum { STOIC_PIXELS_MAX_SIDE = 32768, STOIC_PIXELS_MAX_AREA = 1 << 26 };

/* Fails with STOIC_ERR_FORMAT where a size is out of bounds. */
stoic_status stoic_pixels_check(int64_t height, int64_t width, const char *name, stoic_error *err);
stoic_status stoic_pixels_create(int channels, int height, int width, stoic_pixels *out,
                                 stoic_error *err);
void stoic_pixels_free(stoic_pixels *pixels);

/* Decoders of a file in memory: 1 channel (gray) or 3 (red, green, blue); transparency is
 * dropped, orientation tags are not followed, as torchvision's loader does. A damaged file
 * fails, also where the library would go on with a warning. `name` is for messages. */
stoic_status stoic_jpeg_decode(const uint8_t *data, size_t size, const char *name,
                               stoic_pixels *out, stoic_error *err);
stoic_status stoic_png_decode(const uint8_t *data, size_t size, const char *name, stoic_pixels *out,
                              stoic_error *err);

/* Recognises the format by its first bytes. */
stoic_status stoic_pixels_decode(const uint8_t *data, size_t size, const char *name,
                                 stoic_pixels *out, stoic_error *err);

/* Height and width after the shorter side was made `side` long, as torchvision rounds. */
void stoic_resized_size(int height, int width, int side, int *out_height, int *out_width);

/* Bilinear with antialiasing: byte for byte what Pillow's Image.resize(BILINEAR) gives
 * (up to Pillow 12; 13 may take columns before rows, which rounds differently).
 * `planes` holds channels x height x width bytes. */
stoic_status stoic_planes_resize(const uint8_t *planes, int channels, int height, int width,
                                 int new_height, int new_width, stoic_pixels *out,
                                 stoic_error *err);

#endif
