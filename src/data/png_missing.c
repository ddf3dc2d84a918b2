/* Stands in for png.c where libpng was not found. */
#include "base/fail.h"
#include "data/pixels.h"

stoic_status stoic_png_decode(const uint8_t *data, size_t size, const char *name, stoic_pixels *out,
                              stoic_error *err) {
    (void)data;
    (void)size;
    (void)out;
    return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                      "a PNG file, and this Stoic was built without libpng");
}
