/* What the tests of the data readers share: a folder of their own, and small files in it. */
#ifndef STOIC_TESTS_DATA_KIT_H
#define STOIC_TESTS_DATA_KIT_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "stoic/dataset.h"

static char home[256]; /* everything happens in this folder */

static inline char *in_home(const char *name) {
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", home, name);
    return path;
}

/* A spec: `format` with the home folder for each %s. */
static inline const char *spec_of(const char *format) {
    static char specs[4][1024];
    static int next;
    char *spec = specs[next++ % 4], *to = spec;
    for (; *format; format++) {
        if (format[0] == '%' && format[1] == 's') {
            to += sprintf(to, "%s", home);
            format++;
        } else {
            *to++ = *format;
        }
    }
    *to = 0;
    return spec;
}

static inline char *save(const char *name, const void *data, size_t size) {
    char *path = in_home(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* Any size of data; a header of at most 65535 bytes. */
static inline char *save_npy(const char *name, const char *header, const void *data, size_t size) {
    static const uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    size_t length = strlen(header);
    uint8_t *file = malloc(10 + length + size);
    assert_non_null(file);
    memcpy(file, magic, sizeof magic);
    file[8] = (uint8_t)length;
    file[9] = (uint8_t)(length >> 8);
    memcpy(file + 10, header, length);
    memcpy(file + 10 + length, data, size);
    char *path = save(name, file, 10 + length + size);
    free(file);
    return path;
}

static inline size_t pack(const void *data, size_t size, uint8_t *out, size_t capacity) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (z_const Bytef *)data;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)capacity;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t packed = z.total_out;
    deflateEnd(&z);
    return packed;
}

static inline void make_folder(const char *name) {
    assert_int_equal(mkdir(in_home(name), 0777), 0);
}

static inline stoic_dataset *open_ok(const char *spec, const stoic_dataset_options *options) {
    stoic_error err = {0};
    stoic_dataset *dataset = NULL;
    if (stoic_dataset_open(spec, options, &dataset, &err) != STOIC_OK)
        fail_msg("%s: %s: %s", spec, err.place, err.message);
    return dataset;
}

/* The open fails with this status, and message or place contain `text`. */
static inline void open_fails(const char *spec, const stoic_dataset_options *options,
                              stoic_status expected, const char *text) {
    stoic_error err = {0};
    stoic_dataset *dataset = NULL;
    stoic_status status = stoic_dataset_open(spec, options, &dataset, &err);
    if (status != expected || (!strstr(err.message, text) && !strstr(err.place, text)))
        fail_msg("%s gave %s, '%s: %s'; expected %s with '%s'", spec, stoic_status_name(status),
                 err.place, err.message, stoic_status_name(expected), text);
    assert_null(dataset);
}

static inline size_t put32(uint8_t *out, uint32_t value) {
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
    return 4;
}

enum { N = 5, H = 3, W = 4, IDX_SIZE = 16 + N * H * W };

static inline uint8_t pixel(int i, int y, int x) {
    return (uint8_t)(i * 50 + y * 17 + x * 3);
}

static inline size_t idx_images(uint8_t *out) {
    size_t at = put32(out, 0x803);
    at += put32(out + at, N);
    at += put32(out + at, H);
    at += put32(out + at, W);
    for (int i = 0; i < N * H * W; i++)
        out[at++] = pixel(i / (H * W), i / W % H, i % W);
    return at;
}

static inline size_t idx_labels(uint8_t *out, const uint8_t *labels, uint32_t n) {
    size_t at = put32(out, 0x801);
    at += put32(out + at, n);
    memcpy(out + at, labels, n);
    return at + n;
}

static const uint8_t some_labels[N] = {3, 0, 2, 9, 1};

static inline void save_idx_pair(void) {
    uint8_t bytes[IDX_SIZE], packed[512];
    size_t size = idx_images(bytes);
    save("i", bytes, size);
    save("i.gz", packed, pack(bytes, size, packed, sizeof packed));
    size = idx_labels(bytes, some_labels, N);
    save("l", bytes, size);
    save("l.gz", packed, pack(bytes, size, packed, sizeof packed));
}

static inline size_t slurp(const char *name, uint8_t *out, size_t capacity) {
    FILE *file = fopen(in_home(name), "rb");
    assert_non_null(file);
    size_t size = fread(out, 1, capacity, file);
    fclose(file);
    return size;
}

static inline int make_home(void **state) {
    (void)state;
    const char *where = getenv("TMPDIR");
    snprintf(home, sizeof home, "%s/stoic-data-XXXXXX", where && *where ? where : P_tmpdir);
    return mkdtemp(home) ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *info, int kind,
                             struct FTW *walk) {
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline int remove_home(void **state) {
    (void)state;
    return nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
