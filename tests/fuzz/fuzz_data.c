/*
 * libFuzzer target for the data readers. The first byte selects the reader, the rest is what
 * the file holds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/pixels.h"
#include "data/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static stoic_bytes copy_of(const uint8_t *data, size_t size) {
    stoic_bytes bytes = {malloc(size + 1), size};
    if (!bytes.data)
        abort();
    memcpy(bytes.data, data, size);
    return bytes;
}

/* Pairs an array with one that was made up, so that images and labels are both looked at. */
static void pair_up(stoic_bytes *bytes, const stoic_array *array) {
    stoic_error err;
    stoic_source source = {0};
    stoic_array other = {.element = STOIC_ELEMENT_U8,
                         .rank = array->rank == 1 ? 4 : 1,
                         .dim = {array->dim[0], 1, 1, 1},
                         .total = (size_t)array->dim[0]};
    stoic_bytes made_up = {calloc((size_t)array->dim[0], 1), (size_t)array->dim[0]};
    if (!made_up.data)
        abort();
    bool labels = array->rank == 1;
    stoic_status status = stoic_source_from_arrays(
        labels ? &made_up : bytes, labels ? &other : array, labels ? bytes : &made_up,
        labels ? array : &other, "images", "labels", &source, &err);
    if (status == STOIC_OK && (source.count != array->dim[0] || source.classes < 1))
        abort();
    stoic_source_deinit(&source);
}

static void read_array(const uint8_t *data, size_t size, stoic_array_parser *parse) {
    stoic_error err;
    stoic_array array;
    stoic_bytes bytes = copy_of(data, size);
    if (stoic_array_open(&bytes, "array", parse, &array, &err) == STOIC_OK)
        pair_up(&bytes, &array);
}

/* What is not gzipped yet is gzipped here: it must read as it does without. */
static void read_gzipped(const uint8_t *data, size_t size) {
    stoic_error err;
    stoic_array plain_array, array;
    if (stoic_bytes_gzipped(data, size)) {
        read_array(data, size, stoic_idx_parse);
        read_array(data, size, stoic_npy_parse);
        return;
    }
    stoic_array_parser *parse = size && data[0] ? stoic_npy_parse : stoic_idx_parse;
    z_stream z = {0};
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    stoic_bytes packed = {malloc(deflateBound(&z, size)), deflateBound(&z, size)};
    if (!packed.data)
        abort();
    z.next_in = (z_const Bytef *)data;
    z.avail_in = (uInt)size;
    z.next_out = packed.data;
    z.avail_out = (uInt)packed.size;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    packed.size = z.total_out;
    deflateEnd(&z);
    stoic_bytes plain = copy_of(data, size);
    bool read = stoic_array_open(&plain, "array", parse, &plain_array, &err) == STOIC_OK;
    if ((stoic_array_open(&packed, "array.gz", parse, &array, &err) == STOIC_OK) != read)
        abort();
    if (read && (plain.size != packed.size || memcmp(plain.data, packed.data, plain.size)))
        abort();
    stoic_bytes_free(&plain);
    stoic_bytes_free(&packed);
}

static void read_cifar(const uint8_t *data, size_t size) {
    static const int wanted[] = {0, 10, 100};
    for (int i = 0; i < 3; i++) {
        stoic_error err;
        int classes = wanted[i];
        if (stoic_cifar_check(data, size, "cifar", &classes, &err) == STOIC_OK && classes != 10 &&
            classes != 100)
            abort();
    }
}

/* Mutated PNG files would all die of their check sums: put right ones in. */
static void mend_checksums(uint8_t *data, size_t size) {
    for (size_t at = 8; size >= 12 && at <= size - 12;) {
        size_t length = (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 |
                        (size_t)data[at + 2] << 8 | data[at + 3];
        if (length > size - 12 - at)
            return;
        uint32_t sum = (uint32_t)crc32(0, data + at + 4, (uInt)length + 4);
        at += length + 12;
        for (int i = 1; i <= 4; i++, sum >>= 8)
            data[at - (size_t)i] = (uint8_t)sum;
    }
}

static void read_image(const uint8_t *data, size_t size, bool jpeg) {
    stoic_error err;
    stoic_pixels pixels = {0}, small = {0};
    stoic_status status = jpeg ? stoic_jpeg_decode(data, size, "image", &pixels, &err)
                               : stoic_png_decode(data, size, "image", &pixels, &err);
    if (status != STOIC_OK)
        return;
    int height, width;
    stoic_resized_size(pixels.height, pixels.width, 7, &height, &width);
    if (height <= 4096 && width <= 4096 &&
        stoic_planes_resize(pixels.data, pixels.channels, pixels.height, pixels.width, height,
                            width, &small, &err) == STOIC_OK)
        stoic_pixels_free(&small);
    stoic_pixels_free(&pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    unsigned reader = data[0] % 6;
    data++;
    size--;
    if (reader < 2)
        read_array(data, size, reader == 0 ? stoic_idx_parse : stoic_npy_parse);
    else if (reader == 2)
        read_cifar(data, size);
    else if (reader == 3)
        read_gzipped(data, size);
    else
        read_image(data, size, reader == 4);
    if (reader == 5) {
        stoic_bytes mended = copy_of(data, size);
        mend_checksums(mended.data, size);
        read_image(mended.data, size, false);
        stoic_bytes_free(&mended);
    }
    return 0;
}
