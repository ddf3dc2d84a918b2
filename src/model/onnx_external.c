/* External tensor data: only from regular files inside the model's own folder. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/spec.h"
#include "model/onnx.h"

/* All external tensors together may take this much, and so many times the largest file: tensors
 * that all point at the same bytes must not multiply them. */
enum { LOADED_FREE = 1 << 26, LOADED_TIMES = 4 };

typedef struct place {
    const char *location;
    int64_t offset, length; /* length -1: not said */
} place;

static stoic_status read_place(const Onnx__TensorProto *proto, place *out, stoic_error *err) {
    *out = (place){.length = -1};
    for (size_t i = 0; i < proto->n_external_data; i++) {
        const char *key = proto->external_data[i]->key ? proto->external_data[i]->key : "";
        const char *value = proto->external_data[i]->value ? proto->external_data[i]->value : "";
        stoic_status status = STOIC_OK;
        if (strcmp(key, "location") == 0)
            out->location = value;
        else if (strcmp(key, "offset") == 0)
            status = stoic_parse_count(value, "offset", 0, INT64_MAX, &out->offset, err);
        else if (strcmp(key, "length") == 0)
            status = stoic_parse_count(value, "length", 0, INT64_MAX, &out->length, err);
        if (status != STOIC_OK)
            return stoic_fail(err, STOIC_ERR_FORMAT, stoic_onnx_name(proto),
                              "tensor '%s': external data has the %s '%s', expected a number",
                              stoic_onnx_name(proto), key, value);
    }
    return STOIC_OK;
}

static bool climbs(const char *location) {
    for (const char *at = location; *at;) {
        size_t n = strcspn(at, "/\\");
        if (n == 2 && at[0] == '.' && at[1] == '.')
            return true;
        at += n + (at[n] != 0);
    }
    return false;
}

/* The file's real path, links followed, if that lies in the folder. The caller frees. */
static stoic_status locate(const Onnx__TensorProto *proto, const char *folder, const char *location,
                           char **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *real_folder = realpath(*folder ? folder : ".", NULL);
    char *joined = NULL, *real = NULL;
    if (asprintf(&joined, "%s/%s", *folder ? folder : ".", location) < 0) {
        joined = NULL;
        status = stoic_fail_memory(err, "a path", strlen(location));
        goto done;
    }
    real = real_folder ? realpath(joined, NULL) : NULL;
    if (!real) {
        status = stoic_fail(err, STOIC_ERR_IO, joined, "cannot open the external data of '%s': %s",
                            stoic_onnx_name(proto), strerror(errno));
        goto done;
    }
    size_t n = strcmp(real_folder, "/") == 0 ? 0 : strlen(real_folder);
    if (strncmp(real, real_folder, n) != 0 || real[n] != '/')
        status = stoic_fail(err, STOIC_ERR_FORMAT, joined,
                            "tensor '%s': external data '%s' is a link out of the model's folder",
                            stoic_onnx_name(proto), location);
done:
    free(joined);
    free(real_folder);
    if (status == STOIC_OK)
        *out = real;
    else
        free(real);
    return status;
}

static stoic_status check_length(const Onnx__TensorProto *proto, const place *at, int64_t bytes,
                                 int64_t file_bytes, stoic_error *err) {
    if (at->length >= 0 && at->length != bytes)
        return stoic_fail(err, STOIC_ERR_FORMAT, stoic_onnx_name(proto),
                          "tensor '%s': external data has length %lld, its shape needs %lld bytes",
                          stoic_onnx_name(proto), (long long)at->length, (long long)bytes);
    if (at->offset > file_bytes || bytes > file_bytes - at->offset)
        return stoic_fail(
            err, STOIC_ERR_FORMAT, stoic_onnx_name(proto),
            "tensor '%s': external data needs %lld bytes at offset %lld, '%s' has %lld",
            stoic_onnx_name(proto), (long long)bytes, (long long)at->offset, at->location,
            (long long)file_bytes);
    return STOIC_OK;
}

static stoic_status read_at(int fd, const char *path, const place *at, int64_t bytes, uint8_t *out,
                            stoic_error *err) {
    for (int64_t done = 0; done < bytes;) {
        ssize_t n = pread(fd, out + done, (size_t)(bytes - done), (off_t)(at->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return stoic_fail_errno(err, path, "cannot read external data");
        if (n == 0)
            return stoic_fail(err, STOIC_ERR_IO, path, "external data ends at byte %lld",
                              (long long)(at->offset + done));
        done += n;
    }
    return STOIC_OK;
}

static stoic_status load(const Onnx__TensorProto *proto, const char *path, const place *at,
                         stoic_onnx_external *external, int64_t bytes, uint8_t **out,
                         stoic_error *err) {
    stoic_status status = STOIC_OK;
    struct stat info;
    uint8_t *data = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* do not wait for a FIFO's writer */
    if (fd < 0 || fstat(fd, &info) != 0) {
        status = stoic_fail_errno(err, path, "cannot open external data");
        goto done;
    }
    if (!S_ISREG(info.st_mode)) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, path, "external data is not a regular file");
        goto done;
    }
    TRY(check_length(proto, at, bytes, info.st_size, err));
    if (info.st_size > external->largest_file)
        external->largest_file = info.st_size;
    external->loaded += bytes; /* both are at most the size of a file */
    if (external->loaded > LOADED_FREE + LOADED_TIMES * external->largest_file) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, stoic_onnx_name(proto),
                            "tensors use the same external data over and over, as of '%s'",
                            stoic_onnx_name(proto));
        goto done;
    }
    data = malloc((size_t)bytes + 1);
    if (!data) {
        status = stoic_fail_memory(err, "external data", (unsigned long long)bytes);
        goto done;
    }
    TRY(read_at(fd, path, at, bytes, data, err));
    *out = data;
    data = NULL;
done:
    if (fd >= 0)
        close(fd);
    free(data);
    return status;
}

stoic_status stoic_onnx_external_read(const Onnx__TensorProto *proto, stoic_onnx_external *external,
                                      int64_t bytes, uint8_t **out, stoic_error *err) {
    place at;
    char *path = NULL;
    stoic_status status = STOIC_OK;
    TRY(read_place(proto, &at, err));
    if (!external->folder || !at.location || !*at.location) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, stoic_onnx_name(proto),
                            "tensor '%s': external data %s", stoic_onnx_name(proto),
                            at.location ? "without a folder to look in" : "without a location");
        goto done;
    }
    if (*at.location == '/' || climbs(at.location)) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, stoic_onnx_name(proto),
                            "tensor '%s': external data '%s' lies outside the model's folder",
                            stoic_onnx_name(proto), at.location);
        goto done;
    }
    TRY(locate(proto, external->folder, at.location, &path, err));
    TRY(load(proto, path, &at, external, bytes, out, err));
done:
    free(path);
    return status;
}
