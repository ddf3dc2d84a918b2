/*
 * CIFAR's binary version: records of a label and 3 x 32 x 32 bytes, planes red, green, blue.
 * CIFAR-100 has two labels a record, the coarse (20) before the fine one (100).
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "data/source.h"

enum { PIXEL_BYTES = 3 * 32 * 32, COARSE_CLASSES = 20 };

static size_t record_size(int classes) {
    return PIXEL_BYTES + (classes == 100 ? 2 : 1);
}

/* The first record with an impossible label, or the number of records. */
static size_t first_bad_record(const uint8_t *data, size_t size, int classes) {
    size_t record = record_size(classes), n = size / record, i = 0;
    for (; i < n; i++) {
        const uint8_t *label = data + i * record;
        if (classes == 100 ? label[0] >= COARSE_CLASSES || label[1] >= 100 : label[0] >= 10)
            break;
    }
    return i;
}

static stoic_status check_as(const uint8_t *data, size_t size, const char *name, int classes,
                             stoic_error *err) {
    size_t record = record_size(classes), bad = first_bad_record(data, size, classes);
    if (bad == size / record)
        return STOIC_OK;
    const uint8_t *label = data + bad * record;
    if (classes == 100)
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "labels %d and %d of image %zu (byte %zu) are out of range, CIFAR-100 "
                          "has 20 coarse and 100 fine classes",
                          label[0], label[1], bad, bad * record);
    return stoic_fail(err, STOIC_ERR_FORMAT, name,
                      "label %d of image %zu (byte %zu) is out of range, CIFAR-10 has 10 classes",
                      label[0], bad, bad * record);
}

stoic_status stoic_cifar_check(const uint8_t *data, size_t size, const char *name, int *classes,
                               stoic_error *err) {
    bool fits10 = *classes != 100 && size && size % record_size(10) == 0;
    bool fits100 = *classes != 10 && size && size % record_size(100) == 0;
    /* Sizes that are multiples of both records: the labels decide. */
    if (fits10 && fits100)
        fits10 = first_bad_record(data, size, 100) < size / record_size(100);
    if (!fits10 && !fits100)
        return stoic_fail(err, STOIC_ERR_FORMAT, name,
                          "%zu bytes are not a number of CIFAR records (%s)", size,
                          *classes == 10    ? "3073 bytes each"
                          : *classes == 100 ? "3074 bytes each"
                                            : "3073 bytes each, or 3074 for CIFAR-100");
    *classes = fits10 ? 10 : 100;
    return check_as(data, size, name, *classes, err);
}

static stoic_status append(stoic_bytes *all, const stoic_bytes *file, stoic_error *err) {
    size_t size;
    uint8_t *data = NULL;
    if (!__builtin_add_overflow(all->size, file->size, &size))
        data = realloc(all->data, size);
    if (!data)
        return stoic_fail_memory(err, "CIFAR images", file->size);
    memcpy(data + all->size, file->data, file->size);
    *all = (stoic_bytes){data, size};
    return STOIC_OK;
}

static stoic_status fill_source(stoic_bytes *all, const char *name, int classes, stoic_source *out,
                                stoic_error *err) {
    size_t record = record_size(classes), n = all->size / record;
    *out = (stoic_source){.kind = STOIC_SOURCE_BYTES,
                          .count = (int64_t)n,
                          .channels = 3,
                          .height = 32,
                          .width = 32,
                          .data = all->data,
                          .stride = record,
                          .offset = record - PIXEL_BYTES,
                          .classes = classes};
    *all = (stoic_bytes){0};
    out->name = strdup(name);
    out->labels_name = strdup(name);
    out->labels = malloc(n * sizeof *out->labels);
    if (!out->name || !out->labels_name || !out->labels)
        return stoic_fail_memory(err, name, n * sizeof *out->labels);
    for (size_t i = 0; i < n; i++)
        out->labels[i] = out->data[i * record + out->offset - 1];
    return STOIC_OK;
}

stoic_status stoic_source_open_cifar(char *const *paths, size_t n_paths, int classes,
                                     stoic_source *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_bytes all = {0}, file = {0};
    for (size_t i = 0; i < n_paths; i++) {
        TRY(stoic_bytes_read(paths[i], &file, err));
        TRY(stoic_cifar_check(file.data, file.size, paths[i], &classes, err));
        TRY(append(&all, &file, err));
        stoic_bytes_free(&file);
    }
    TRY(fill_source(&all, paths[0], classes, out, err));
done:
    stoic_bytes_free(&file);
    stoic_bytes_free(&all);
    return status;
}
