/* MNIST's idx: 0, 0, element type, rank, then the dimensions as big-endian 32-bit numbers. */
#include "base/fail.h"
#include "data/array_file.h"

stoic_status stoic_idx_parse(const uint8_t *data, size_t size, const char *name, stoic_array *out,
                             stoic_error *err) {
    enum { UNSIGNED_BYTE = 8 };
    stoic_array array = {.element = STOIC_ELEMENT_U8};
    if (size < 4)
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "truncated: an idx header has at least 4 bytes, the file %zu", size);
    if (data[0] || data[1])
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "not an idx file: it begins with %02x %02x, expected 00 00", data[0],
                          data[1]);
    if (data[2] != UNSIGNED_BYTE)
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "idx element type 0x%02x at byte 2, only 0x08 (bytes) is supported",
                          data[2]);
    if (data[3] < 1 || data[3] > STOIC_ARRAY_MAX_RANK)
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "idx with %d dimensions at byte 3, expected 1 to %d", data[3],
                          STOIC_ARRAY_MAX_RANK);
    array.rank = data[3];
    size_t offset = 4 + 4 * (size_t)array.rank;
    if (size < offset)
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "truncated: an idx header of %d dimensions has %zu bytes, the file %zu",
                          array.rank, offset, size);
    for (int i = 0; i < array.rank; i++) {
        const uint8_t *p = data + 4 + 4 * i;
        array.dim[i] = (int64_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
                                 (uint32_t)p[3]);
    }
    stoic_status status = stoic_array_measure(&array, offset, name, err);
    if (status == STOIC_OK)
        *out = array;
    return status;
}
