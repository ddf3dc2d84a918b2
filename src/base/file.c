#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"

/* Fills `data` (capacity bytes + 1); *bytes is what came before the end of the file. */
static stoic_status read_all(int fd, const char *path, uint8_t *data, size_t capacity,
                             size_t *bytes, stoic_error *err) {
    *bytes = 0;
    while (*bytes < capacity) {
        ssize_t n = read(fd, data + *bytes, capacity - *bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int code = errno;
            return stoic_fail(err, STOIC_ERR_IO, path, "cannot read at offset %zu: %s", *bytes,
                              strerror(code));
        }
        if (n == 0)
            break;
        *bytes += (size_t)n;
    }
    return STOIC_OK;
}

/* A pipe does not say how long it is: grow until its end. */
static stoic_status read_stream(int fd, const char *path, size_t max_bytes, uint8_t **data,
                                size_t *bytes, stoic_error *err) {
    size_t capacity = 0;
    *bytes = 0;
    while (*bytes == capacity) {
        if (capacity > max_bytes)
            return stoic_fail(err, STOIC_ERR_MEMORY, path, "longer than the limit of %zu bytes",
                              max_bytes);
        size_t wider = capacity ? capacity * 2 : 65536;
        if (wider > max_bytes)
            wider = max_bytes + 1; /* one byte past the limit tells that there is more */
        uint8_t *grown = realloc(*data, wider + 1);
        if (!grown)
            return stoic_fail_memory(err, path, wider);
        *data = grown;
        size_t more;
        stoic_status status = read_all(fd, path, grown + capacity, wider - capacity, &more, err);
        if (status != STOIC_OK)
            return status;
        *bytes += more;
        capacity = wider;
    }
    if (*bytes > max_bytes)
        return stoic_fail(err, STOIC_ERR_MEMORY, path, "longer than the limit of %zu bytes",
                          max_bytes);
    return STOIC_OK;
}

static stoic_status read_regular(int fd, const char *path, size_t size, uint8_t **data,
                                 size_t *bytes, stoic_error *err) {
    *data = malloc(size + 1);
    if (!*data)
        return stoic_fail_memory(err, path, size);
    stoic_status status = read_all(fd, path, *data, size, bytes, err);
    if (status == STOIC_OK && *bytes < size)
        return stoic_fail(err, STOIC_ERR_IO, path, "ends at offset %zu, expected %zu bytes", *bytes,
                          size);
    return status;
}

stoic_status stoic_file_read(const char *path, size_t max_bytes, uint8_t **data, size_t *bytes,
                             stoic_error *err) {
    stoic_status status = STOIC_OK;
    *data = NULL;
    *bytes = 0;
    if (max_bytes > SIZE_MAX / 4)
        max_bytes = SIZE_MAX / 4;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return stoic_fail_errno(err, path, "cannot open");
    struct stat info;
    if (fstat(fd, &info)) {
        status = stoic_fail_errno(err, path, "cannot read");
        goto done;
    }
    if (S_ISREG(info.st_mode) && (uint64_t)info.st_size > max_bytes) {
        status = stoic_fail(err, STOIC_ERR_MEMORY, path, "%lld bytes, the limit is %zu",
                            (long long)info.st_size, max_bytes);
        goto done;
    }
    /* Files of /proc say that they have no bytes: read them like a pipe. */
    if (S_ISREG(info.st_mode) && info.st_size > 0)
        TRY(read_regular(fd, path, (size_t)info.st_size, data, bytes, err));
    else
        TRY(read_stream(fd, path, max_bytes, data, bytes, err));
    (*data)[*bytes] = 0;
done:
    close(fd);
    if (status != STOIC_OK) {
        free(*data);
        *data = NULL;
        *bytes = 0;
    }
    return status;
}

/* Opens a file that did not exist, with the permissions the user's umask gives. */
static int open_temporary(const char *path, char **name) {
    static atomic_uint serial;
    for (int attempt = 0; attempt < 100; attempt++) {
        if (asprintf(name, "%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&serial, 1)) <
            0) {
            *name = NULL;
            errno = ENOMEM;
            return -1;
        }
        int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
        free(*name);
        *name = NULL;
    }
    errno = EEXIST;
    return -1;
}

/* A symbolic link is written through, not replaced. */
static char *resolve(const char *path) {
    char *real = realpath(path, NULL);
    return real ? real : strdup(path);
}

stoic_status stoic_file_create(const char *path, stoic_file_writer *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int fd = -1;
    struct stat info;
    memset(out, 0, sizeof *out);
    bool exists = !stat(path, &info);
    bool direct = exists && !S_ISREG(info.st_mode);
    out->path = direct ? strdup(path) : resolve(path);
    if (!out->path) {
        status = stoic_fail_memory(err, "a file name", strlen(path));
        goto done;
    }
    fd = direct ? open(path, O_WRONLY | O_CLOEXEC) : open_temporary(out->path, &out->temporary);
    if (fd < 0) {
        status = stoic_fail_errno(err, path, "cannot write");
        free(out->temporary); /* it names no file of ours */
        out->temporary = NULL;
        goto done;
    }
    if (exists && !direct && fchmod(fd, info.st_mode & 0777)) {
        status = stoic_fail_errno(err, path, "cannot keep its permissions");
        goto done;
    }
    out->stream = fdopen(fd, "wb");
    if (!out->stream)
        status = stoic_fail_errno(err, path, "cannot write");
done:
    if (status != STOIC_OK) {
        if (fd >= 0)
            close(fd);
        stoic_file_discard(out);
    }
    return status;
}

void stoic_file_discard(stoic_file_writer *writer) {
    if (writer->stream)
        fclose(writer->stream);
    if (writer->temporary)
        unlink(writer->temporary);
    free(writer->temporary);
    free(writer->path);
    memset(writer, 0, sizeof *writer);
}

/* Makes the rename itself durable. Some file systems cannot: that is no failure of the write. */
static void sync_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(folder);
}

stoic_status stoic_file_commit(stoic_file_writer *writer, stoic_error *err) {
    stoic_status status = STOIC_OK;
    errno = 0;
    bool failed = ferror(writer->stream) != 0; /* errno of an earlier write is gone */
    if (fflush(writer->stream) || failed || (writer->temporary && fsync(fileno(writer->stream)))) {
        status = errno ? stoic_fail_errno(err, writer->path, "cannot write")
                       : stoic_fail(err, STOIC_ERR_IO, writer->path, "cannot write all of it");
        goto done;
    }
    int closed = fclose(writer->stream);
    writer->stream = NULL;
    if (closed) {
        status = stoic_fail_errno(err, writer->path, "cannot write");
        goto done;
    }
    if (writer->temporary) {
        if (rename(writer->temporary, writer->path)) {
            status = stoic_fail_errno(err, writer->path, "cannot replace");
            goto done;
        }
        free(writer->temporary);
        writer->temporary = NULL;
        sync_folder(writer->path);
    }
done:
    stoic_file_discard(writer);
    return status;
}

stoic_status stoic_file_write(const char *path, const void *data, size_t bytes, stoic_error *err) {
    stoic_file_writer writer;
    stoic_status status = stoic_file_create(path, &writer, err);
    if (status != STOIC_OK)
        return status;
    if (bytes && fwrite(data, 1, bytes, writer.stream) != bytes) {
        status = stoic_fail_errno(err, path, "cannot write");
        stoic_file_discard(&writer);
        return status;
    }
    return stoic_file_commit(&writer, err);
}
