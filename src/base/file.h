/* Whole files: read with a bound, written so that a reader sees the old or the new one. */
#ifndef STOIC_BASE_FILE_H
#define STOIC_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "stoic/status.h"

/* Reads at most `max_bytes` (a larger file is refused with STOIC_ERR_MEMORY). A zero byte that
 * is not counted follows the contents. The caller frees *data. STOIC_ERR_IO names the file, and
 * the offset where a file turned out shorter than the system had said. */
stoic_status stoic_file_read(const char *path, size_t max_bytes, uint8_t **data, size_t *bytes,
                             stoic_error *err) STOIC_MUST_CHECK;

/* A file being written under a temporary name beside `path`. What is not a regular file, such
 * as /dev/stdout, is written directly. Write to `stream`, then commit (flushes to the disk and
 * renames) or discard; exactly one of them, also after a failed write. */
typedef struct stoic_file_writer {
    FILE *stream;
    char *path;
    char *temporary; /* NULL: written directly */
} stoic_file_writer;

stoic_status stoic_file_create(const char *path, stoic_file_writer *out,
                               stoic_error *err) STOIC_MUST_CHECK;
/* STOIC_ERR_IO where any write failed (a full disk, say): the old file is then untouched. */
stoic_status stoic_file_commit(stoic_file_writer *writer, stoic_error *err) STOIC_MUST_CHECK;
void stoic_file_discard(stoic_file_writer *writer);

/* All of it in one call. */
stoic_status stoic_file_write(const char *path, const void *data, size_t bytes,
                              stoic_error *err) STOIC_MUST_CHECK;

#endif
