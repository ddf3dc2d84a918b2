/* Whole files in memory, gunzipped within bounds. */
#ifndef STOIC_DATA_FILE_BYTES_H
#define STOIC_DATA_FILE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stoic/status.h"

typedef struct stoic_bytes {
    uint8_t *data; /* owned; malloc */
    size_t size;
} stoic_bytes;

/* Deflate gives at most 1032 bytes for one: what claims more is a bomb or a lie. */
enum { STOIC_INFLATE_MAX_RATIO = 1032 };

/* Fails with STOIC_ERR_IO or _MEMORY. */
stoic_status stoic_bytes_read(const char *path, stoic_bytes *out, stoic_error *err);
void stoic_bytes_free(stoic_bytes *bytes);

bool stoic_bytes_gzipped(const uint8_t *data, size_t size);

/* Inflates the first `capacity` bytes of a gzip stream, or all if there are fewer. */
stoic_status stoic_gunzip_prefix(const uint8_t *data, size_t size, const char *name, uint8_t *out,
                                 size_t capacity, size_t *got, stoic_error *err);

/* Inflates a gzip stream (of one or more members) that must hold exactly `size_out` bytes. */
stoic_status stoic_gunzip_exact(const uint8_t *data, size_t size, const char *name, uint8_t *out,
                                size_t size_out, stoic_error *err);

#endif
