#include "data/array_file.h"

#include <stdlib.h>

#include "base/fail.h"

/* 64 GiB: larger sets do not belong in memory. */
static const size_t array_limit = (size_t)64 << 30;

size_t stoic_element_size(stoic_element element) {
    static const size_t sizes[] = {1, 4, 8, 4};
    return sizes[element];
}

stoic_status stoic_array_measure(stoic_array *array, size_t offset, const char *name,
                                 stoic_error *err) {
    size_t bytes = stoic_element_size(array->element);
    for (int i = 0; i < array->rank; i++) {
        if (array->dim[i] <= 0)
            return stoic_fail(err, STOIC_ERR_FORMAT, name, "dimension %d is %lld", i,
                              (long long)array->dim[i]);
        if (__builtin_mul_overflow(bytes, (size_t)array->dim[i], &bytes) || bytes > array_limit)
            return stoic_fail(err, STOIC_ERR_FORMAT, name, "the header promises more than %zu GiB",
                              array_limit >> 30);
    }
    array->offset = offset;
    array->total = offset + bytes;
    return STOIC_OK;
}

static stoic_status gunzip_array(stoic_bytes *bytes, const char *name, stoic_array_parser *parse,
                                 stoic_array *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_bytes plain = {0};
    size_t got = 0;
    uint8_t *header = malloc(STOIC_ARRAY_MAX_HEADER);
    if (!header)
        return stoic_fail_memory(err, name, STOIC_ARRAY_MAX_HEADER);
    TRY(stoic_gunzip_prefix(bytes->data, bytes->size, name, header, STOIC_ARRAY_MAX_HEADER, &got,
                            err));
    TRY(parse(header, got, name, out, err));
    if (out->total / STOIC_INFLATE_MAX_RATIO > bytes->size) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, name,
                            "the header promises %zu bytes, more than %zu gzipped bytes can hold",
                            out->total, bytes->size);
        goto done;
    }
    plain.size = out->total;
    plain.data = malloc(plain.size);
    if (!plain.data) {
        status = stoic_fail_memory(err, name, plain.size);
        goto done;
    }
    TRY(stoic_gunzip_exact(bytes->data, bytes->size, name, plain.data, plain.size, err));
    stoic_bytes_free(bytes);
    *bytes = plain;
    plain.data = NULL;
done:
    free(plain.data);
    free(header);
    return status;
}

stoic_status stoic_array_open(stoic_bytes *bytes, const char *name, stoic_array_parser *parse,
                              stoic_array *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    if (stoic_bytes_gzipped(bytes->data, bytes->size)) {
        TRY(gunzip_array(bytes, name, parse, out, err));
    } else {
        TRY(parse(bytes->data, bytes->size, name, out, err));
        if (bytes->size != out->total)
            status = stoic_fail(err, STOIC_ERR_FORMAT, name,
                                "%s: the header promises %zu bytes, the file has %zu",
                                bytes->size < out->total ? "truncated" : "bytes left over",
                                out->total, bytes->size);
    }
done:
    if (status != STOIC_OK)
        stoic_bytes_free(bytes);
    return status;
}

stoic_status stoic_array_load(const char *path, stoic_array_parser *parse, stoic_bytes *bytes,
                              stoic_array *out, stoic_error *err) {
    stoic_status status = stoic_bytes_read(path, bytes, err);
    return status != STOIC_OK ? status : stoic_array_open(bytes, path, parse, out, err);
}
