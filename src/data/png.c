#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "data/pixels.h"

enum { MAX_ANCILLARY_CHUNK = 8 << 20, MAX_CACHED_CHUNKS = 128 };

/* Everything that must outlive a longjmp lives here. */
typedef struct png_reader {
    png_structp png;
    png_infop info;
    const uint8_t *at, *end;
    const char *name;
    stoic_error *err;
    stoic_status status;
    uint8_t *interleaved;
    png_bytep *rows;
    stoic_pixels pixels;
} png_reader;

static _Noreturn void on_error(png_structp png, png_const_charp text) {
    png_reader *reader = png_get_error_ptr(png);
    if (reader->status == STOIC_OK) {
        bool memory = strstr(text, "memory") != NULL; /* libpng has texts, no codes */
        reader->status =
            stoic_fail(reader->err, memory ? STOIC_ERR_MEMORY : STOIC_ERR_FORMAT, reader->name,
                       "%s PNG: %s", memory ? "cannot decode the" : "corrupt", text);
    }
    png_longjmp(png, 1);
}

/* libpng's warnings are about ancillary chunks (colour profiles, text) that nobody reads here. */
static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep out, size_t size) {
    png_reader *reader = png_get_io_ptr(png);
    if (size > (size_t)(reader->end - reader->at))
        png_error(png, "it ends too early");
    memcpy(out, reader->at, size);
    reader->at += size;
}

/* libpng takes memory for a chunk as long as the chunk says it is, before it finds out that the
 * file is shorter; its own limit on that is only a warning. */
static bool chunks_fit(const uint8_t *data, size_t size) {
    enum { SIGNATURE = 8, FRAME = 12 /* length, type, check sum */ };
    for (size_t at = SIGNATURE; at <= size && size - at >= FRAME;) {
        const uint8_t *p = data + at;
        size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (length > size - at - FRAME)
            return false;
        if (!memcmp(p + 4, "IEND", 4))
            return true;
        at += FRAME + length;
    }
    return true;
}

static stoic_status check_header(png_reader *reader, size_t size) {
    png_structp png = reader->png;
    png_infop info = reader->info;
    png_uint_32 width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    stoic_status status = stoic_pixels_check(height, width, reader->name, reader->err);
    if (status != STOIC_OK)
        return status;
    /* Before expansion: what the compressed rows must hold. */
    uint64_t raw = (uint64_t)png_get_rowbytes(png, info) * height;
    if (raw / STOIC_INFLATE_MAX_RATIO > size)
        return stoic_fail(reader->err, STOIC_ERR_FORMAT, reader->name,
                          "a PNG of %u x %u pixels cannot fit into %zu bytes", width, height, size);
    if (png_get_bit_depth(png, info) > 8)
        return stoic_fail(reader->err, STOIC_ERR_FORMAT, reader->name,
                          "a PNG of 16 bits a channel, expected at most 8");
    if (png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    int channels = png_get_channels(png, info);
    size_t row = (size_t)width * (size_t)channels;
    if ((channels != 1 && channels != 3) || png_get_rowbytes(png, info) != row)
        return stoic_fail(reader->err, STOIC_ERR_FORMAT, reader->name,
                          "a PNG of %d channels, expected gray or RGB", channels);
    reader->interleaved = malloc(row * height);
    reader->rows = malloc(height * sizeof *reader->rows);
    if (!reader->interleaved || !reader->rows)
        return stoic_fail_memory(reader->err, reader->name, row * height);
    for (png_uint_32 y = 0; y < height; y++)
        reader->rows[y] = reader->interleaved + y * row;
    return stoic_pixels_create(channels, (int)height, (int)width, &reader->pixels, reader->err);
}

static void split_planes(png_reader *reader) {
    stoic_pixels *pixels = &reader->pixels;
    size_t area = (size_t)pixels->width * (size_t)pixels->height;
    size_t channels = (size_t)pixels->channels;
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < area; i++)
            pixels->data[c * area + i] = reader->interleaved[i * channels + c];
    }
}

static void decode(png_reader *reader, size_t size) {
    png_structp png = reader->png;
    if (setjmp(png_jmpbuf(png)))
        return;
    png_set_read_fn(png, reader, on_read);
    png_set_user_limits(png, STOIC_PIXELS_MAX_SIDE, STOIC_PIXELS_MAX_SIDE);
    png_set_chunk_malloc_max(png, MAX_ANCILLARY_CHUNK);
    png_set_chunk_cache_max(png, MAX_CACHED_CHUNKS);
    png_read_info(png, reader->info);
    reader->status = check_header(reader, size);
    if (reader->status != STOIC_OK)
        return;
    png_read_image(png, reader->rows);
    png_read_end(png, NULL);
    split_planes(reader);
}

stoic_status stoic_png_decode(const uint8_t *data, size_t size, const char *name, stoic_pixels *out,
                              stoic_error *err) {
    stoic_status status = STOIC_ERR_MEMORY;
    if (!chunks_fit(data, size))
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "corrupt PNG: a chunk is longer than the file");
    png_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return stoic_fail_memory(err, name, sizeof *reader);
    reader->at = data;
    reader->end = data + size;
    reader->name = name;
    reader->err = err;
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning);
    if (reader->png)
        reader->info = png_create_info_struct(reader->png);
    if (reader->info) {
        decode(reader, size);
        status = reader->status;
    } else {
        stoic_fail_memory(err, name, 0);
    }
    if (status == STOIC_OK)
        *out = reader->pixels;
    else
        stoic_pixels_free(&reader->pixels);
    png_destroy_read_struct(&reader->png, &reader->info, NULL);
    free(reader->rows);
    free(reader->interleaved);
    free(reader);
    return status;
}
