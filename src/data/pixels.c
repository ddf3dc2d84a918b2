#include "data/pixels.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

stoic_status stoic_pixels_check(int64_t height, int64_t width, const char *name, stoic_error *err) {
    if (height < 1 || width < 1 || height > STOIC_PIXELS_MAX_SIDE ||
        width > STOIC_PIXELS_MAX_SIDE || height * width > STOIC_PIXELS_MAX_AREA)
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "an image of %lld x %lld, expected sides of 1 to %d and at most %d "
                          "pixels",
                          (long long)width, (long long)height, STOIC_PIXELS_MAX_SIDE,
                          STOIC_PIXELS_MAX_AREA);
    return STOIC_OK;
}

stoic_status stoic_pixels_create(int channels, int height, int width, stoic_pixels *out,
                                 stoic_error *err) {
    size_t bytes = (size_t)channels * (size_t)height * (size_t)width;
    *out = (stoic_pixels){channels, height, width, malloc(bytes)};
    return out->data ? STOIC_OK : stoic_fail_memory(err, "an image", bytes);
}

void stoic_pixels_free(stoic_pixels *pixels) {
    free(pixels->data);
    pixels->data = NULL;
}

stoic_status stoic_pixels_decode(const uint8_t *data, size_t size, const char *name,
                                 stoic_pixels *out, stoic_error *err) {
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff}, png[] = {0x89, 'P', 'N', 'G'};
    if (size >= sizeof jpeg && !memcmp(data, jpeg, sizeof jpeg))
        return stoic_jpeg_decode(data, size, name, out, err);
    if (size >= sizeof png && !memcmp(data, png, sizeof png))
        return stoic_png_decode(data, size, name, out, err);
    return stoic_fail(err, STOIC_ERR_FORMAT, name, "neither JPEG nor PNG (%zu bytes)", size);
}
