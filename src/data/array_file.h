/*
 * Arrays in files: MNIST's idx and NumPy's npy, gzipped or not.
 *
 * Nothing is believed before it was checked against the size of the file.
 */
#ifndef STOIC_DATA_ARRAY_FILE_H
#define STOIC_DATA_ARRAY_FILE_H

#include "data/file_bytes.h"

typedef enum stoic_element {
    STOIC_ELEMENT_U8,
    STOIC_ELEMENT_I32,
    STOIC_ELEMENT_I64,
    STOIC_ELEMENT_F32
} stoic_element;

enum { STOIC_ARRAY_MAX_RANK = 4 };

typedef struct stoic_array {
    stoic_element element;
    int rank;
    int64_t dim[STOIC_ARRAY_MAX_RANK]; /* all positive */
    size_t offset;                     /* of the first element */
    size_t total;                      /* bytes of header and elements */
} stoic_array;

/* Longest header that is read: npy 1.0's 10 bytes and 65535 of text. */
enum { STOIC_ARRAY_MAX_HEADER = 10 + 65535 };

/* Reads a header from the first `size` bytes of a file (all of it, or STOIC_ARRAY_MAX_HEADER).
 * Fails with STOIC_ERR_FORMAT, naming the offset. */
typedef stoic_status stoic_array_parser(const uint8_t *data, size_t size, const char *name,
                                        stoic_array *out, stoic_error *err);
stoic_array_parser stoic_idx_parse, stoic_npy_parse;

/* Fills offset and total, given element and dimensions. */
stoic_status stoic_array_measure(stoic_array *array, size_t offset, const char *name,
                                 stoic_error *err);

size_t stoic_element_size(stoic_element element);

/* Takes the bytes of a file over, also on failure; `bytes` is gunzipped where needed and holds
 * exactly what the header promises. */
stoic_status stoic_array_open(stoic_bytes *bytes, const char *name, stoic_array_parser *parse,
                              stoic_array *out, stoic_error *err);

stoic_status stoic_array_load(const char *path, stoic_array_parser *parse, stoic_bytes *bytes,
                              stoic_array *out, stoic_error *err);

#endif
