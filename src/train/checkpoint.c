#include "train/checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fail.h"
#include "base/file.h"

/* magic, length of the identity, identity, then each piece as it lies in memory, then a digest of
 * all that stands before it. For the machine that wrote it: numbers in its own byte order. */
static const char magic[8] = "STOICCK1";
enum { DIGEST = 16 };

static size_t total_size(const char *identity, const stoic_saved *pieces, size_t n) {
    size_t bytes = sizeof magic + sizeof(uint64_t) + strlen(identity) + DIGEST;
    for (size_t i = 0; i < n; i++)
        bytes += pieces[i].bytes;
    return bytes;
}

static void put(FILE *file, stoic_digest *digest, const void *data, size_t bytes) {
    stoic_digest_add(digest, data, bytes);
    fwrite(data, 1, bytes, file);
}

stoic_status stoic_checkpoint_write(const char *path, const char *identity,
                                    const stoic_saved *pieces, size_t n, stoic_error *err) {
    stoic_file_writer writer;
    uint64_t length = strlen(identity);
    uint8_t end[DIGEST];
    stoic_digest *digest = stoic_digest_create();
    if (!digest)
        return stoic_fail_memory(err, "a digest", 0);
    stoic_status status = stoic_file_create(path, &writer, err);
    if (status != STOIC_OK) {
        stoic_digest_finish(digest, end);
        return status;
    }
    put(writer.stream, digest, magic, sizeof magic);
    put(writer.stream, digest, &length, sizeof length);
    put(writer.stream, digest, identity, length);
    for (size_t i = 0; i < n; i++)
        put(writer.stream, digest, pieces[i].data, pieces[i].bytes);
    stoic_digest_finish(digest, end);
    fwrite(end, 1, DIGEST, writer.stream);
    return stoic_file_commit(&writer, err);
}

/* The first line of `mine` that `theirs` does not have at the same place. */
static stoic_status differ(const char *path, const char *mine, const char *theirs,
                           stoic_error *err) {
    while (*mine && *theirs) {
        size_t a = strcspn(mine, "\n"), b = strcspn(theirs, "\n");
        if (a != b || memcmp(mine, theirs, a) != 0)
            return stoic_fail(err, STOIC_ERR_MISMATCH, path,
                              "the checkpoint belongs to another training: it has '%.*s', this "
                              "one '%.*s'",
                              (int)(b < 300 ? b : 300), theirs, (int)(a < 300 ? a : 300), mine);
        mine += a + (mine[a] == '\n');
        theirs += b + (theirs[b] == '\n');
    }
    return stoic_fail(err, STOIC_ERR_MISMATCH, path, "the checkpoint belongs to another training");
}

static stoic_status damaged(const char *path, const char *what, stoic_error *err) {
    return stoic_fail(err, STOIC_ERR_FORMAT, path, "not a checkpoint that can be used: %s", what);
}

/* Checks everything; *body gets where the pieces begin. */
static stoic_status check(const char *path, const uint8_t *data, size_t bytes, const char *identity,
                          size_t expected, const uint8_t **body, stoic_error *err) {
    stoic_status status = STOIC_OK;
    uint64_t length = 0;
    uint8_t end[DIGEST];
    size_t head = sizeof magic + sizeof length;
    char *theirs = NULL;
    if (bytes < head + DIGEST || memcmp(data, magic, sizeof magic) != 0)
        return damaged(path, "it does not begin like one", err);
    memcpy(&length, data + sizeof magic, sizeof length);
    if (length > bytes - head - DIGEST)
        return damaged(path, "it is truncated", err);
    stoic_digest *digest = stoic_digest_create();
    theirs = malloc((size_t)length + 1);
    if (!digest || !theirs) {
        status = stoic_fail_memory(err, "a checkpoint", (size_t)length);
        if (digest)
            stoic_digest_finish(digest, end);
        goto done;
    }
    stoic_digest_add(digest, data, bytes - DIGEST);
    stoic_digest_finish(digest, end);
    memcpy(theirs, data + head, (size_t)length);
    theirs[length] = '\0';
    if (memcmp(end, data + bytes - DIGEST, DIGEST) != 0)
        status = damaged(path, "it is truncated or corrupt", err);
    else if (strcmp(theirs, identity) != 0)
        status = differ(path, identity, theirs, err);
    else if (bytes != expected)
        status = damaged(path, "its length is not that of this training", err);
    *body = data + head + length;
done:
    free(theirs);
    return status;
}

stoic_status stoic_checkpoint_read(const char *path, const char *identity,
                                   const stoic_saved *pieces, size_t n, bool *found,
                                   stoic_error *err) {
    uint8_t *data = NULL;
    const uint8_t *body = NULL;
    size_t bytes = 0, expected = total_size(identity, pieces, n);
    *found = access(path, F_OK) == 0;
    if (!*found)
        return STOIC_OK;
    stoic_status status = stoic_file_read(path, SIZE_MAX / 4, &data, &bytes, err);
    if (status == STOIC_OK)
        status = check(path, data, bytes, identity, expected, &body, err);
    for (size_t i = 0; i < n && status == STOIC_OK; i++) {
        memcpy(pieces[i].data, body, pieces[i].bytes);
        body += pieces[i].bytes;
    }
    free(data);
    return status;
}
