/* Stands in for jpeg.c where libjpeg was not found. */
#include "base/fail.h"
#include "data/pixels.h"

stoic_status stoic_jpeg_decode(const uint8_t *data, size_t size, const char *name,
                               stoic_pixels *out, stoic_error *err) {
    (void)data;
    (void)size;
    (void)out;
    return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                      "a JPEG file, and this Stoic was built without libjpeg");
}
