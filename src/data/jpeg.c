#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>
#include <setjmp.h>
#include <stdlib.h>

#include "base/fail.h"
#include "data/pixels.h"

enum {
    MAX_SCANS = 100,                /* files in use have about ten */
    MAX_WORK = 1 << 30,             /* pixels times scans */
    MAX_PIXELS_PER_BYTE = 1024,     /* a bit a block at least, subsampled 4:1 each way */
    MAX_LIBRARY_MEMORY = 512 << 20, /* coefficients of a progressive file */
};

/* Everything that must outlive a longjmp lives here. */
typedef struct jpeg_reader {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const char *name;
    stoic_error *err;
    stoic_status status;
    stoic_pixels pixels;
} jpeg_reader;

static _Noreturn void give_up(j_common_ptr common) {
    jpeg_reader *reader = common->client_data;
    if (reader->status == STOIC_OK) {
        char text[JMSG_LENGTH_MAX];
        common->err->format_message(common, text);
        int code = common->err->msg_code;
        bool memory = code == JERR_OUT_OF_MEMORY || code == JERR_NO_BACKING_STORE;
        reader->status =
            stoic_fail(reader->err, memory ? STOIC_ERR_MEMORY : STOIC_ERR_FORMAT, reader->name,
                       "%s JPEG: %s", memory ? "cannot decode the" : "corrupt", text);
    }
    longjmp(reader->escape, 1);
}

/* Level -1 is a warning: the data are damaged and the pixels guessed. Others are traces. */
static void on_message(j_common_ptr common, int level) {
    if (level < 0)
        give_up(common);
}

static void on_progress(j_common_ptr common) {
    jpeg_reader *reader = common->client_data;
    int64_t scan = reader->info.input_scan_number;
    int64_t area = (int64_t)reader->info.image_width * reader->info.image_height;
    if (scan > MAX_SCANS || scan * area > MAX_WORK) {
        reader->status = stoic_fail(reader->err, STOIC_ERR_FORMAT, reader->name,
                                    "a JPEG with too many scans for its size");
        give_up(common);
    }
}

static stoic_status check_header(jpeg_reader *reader, size_t size) {
    struct jpeg_decompress_struct *info = &reader->info;
    stoic_status status =
        stoic_pixels_check(info->image_height, info->image_width, reader->name, reader->err);
    if (status != STOIC_OK)
        return status;
    if ((uint64_t)info->image_height * info->image_width / MAX_PIXELS_PER_BYTE > size)
        return stoic_fail(reader->err, STOIC_ERR_FORMAT, reader->name,
                          "a JPEG of %u x %u pixels cannot fit into %zu bytes", info->image_width,
                          info->image_height, size);
    bool gray = info->num_components == 1;
    bool color = info->num_components == 3 &&
                 (info->jpeg_color_space == JCS_YCbCr || info->jpeg_color_space == JCS_RGB);
    if (!gray && !color)
        return stoic_fail(reader->err, STOIC_ERR_FORMAT, reader->name,
                          "a JPEG of %d components, expected gray or RGB (convert CMYK first)",
                          info->num_components);
    info->out_color_space = gray ? JCS_GRAYSCALE : JCS_RGB;
    info->dct_method = JDCT_ISLOW;
    return stoic_pixels_create(gray ? 1 : 3, (int)info->image_height, (int)info->image_width,
                               &reader->pixels, reader->err);
}

static void read_rows(jpeg_reader *reader) {
    struct jpeg_decompress_struct *info = &reader->info;
    stoic_pixels *pixels = &reader->pixels;
    size_t width = (size_t)pixels->width, channels = (size_t)pixels->channels;
    size_t plane = width * (size_t)pixels->height;
    JSAMPARRAY row =
        info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, (JDIMENSION)(width * channels), 1);
    while (info->output_scanline < info->output_height) {
        uint8_t *out = pixels->data + info->output_scanline * width;
        jpeg_read_scanlines(info, row, 1);
        for (size_t c = 0; c < channels; c++) {
            for (size_t x = 0; x < width; x++)
                out[c * plane + x] = row[0][x * channels + c];
        }
    }
}

static void decode(jpeg_reader *reader, const uint8_t *data, size_t size) {
    struct jpeg_decompress_struct *info = &reader->info;
    if (setjmp(reader->escape))
        return;
    jpeg_create_decompress(info); /* keeps err and client_data */
    info->mem->max_memory_to_use = MAX_LIBRARY_MEMORY;
    info->progress = &reader->progress;
    reader->progress.progress_monitor = on_progress;
    jpeg_mem_src(info, data, size);
    jpeg_read_header(info, TRUE);
    reader->status = check_header(reader, size);
    if (reader->status != STOIC_OK)
        return;
    jpeg_start_decompress(info);
    read_rows(reader);
    jpeg_finish_decompress(info);
}

stoic_status stoic_jpeg_decode(const uint8_t *data, size_t size, const char *name,
                               stoic_pixels *out, stoic_error *err) {
    jpeg_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return stoic_fail_memory(err, name, sizeof *reader);
    reader->name = name;
    reader->err = err;
    reader->info.err = jpeg_std_error(&reader->errors);
    reader->errors.error_exit = give_up;
    reader->errors.emit_message = on_message;
    reader->info.client_data = reader;
    decode(reader, data, size);
    jpeg_destroy_decompress(&reader->info);
    stoic_status status = reader->status;
    if (status == STOIC_OK)
        *out = reader->pixels;
    else
        stoic_pixels_free(&reader->pixels);
    free(reader);
    return status;
}
