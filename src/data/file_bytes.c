#include "data/file_bytes.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/fail.h"
#include "base/file.h"

/* 64 GiB: larger sets do not belong in memory. */
static const size_t file_limit = (size_t)64 << 30;

stoic_status stoic_bytes_read(const char *path, stoic_bytes *out, stoic_error *err) {
    return stoic_file_read(path, file_limit, &out->data, &out->size, err);
}

void stoic_bytes_free(stoic_bytes *bytes) {
    free(bytes->data);
    *bytes = (stoic_bytes){0};
}

bool stoic_bytes_gzipped(const uint8_t *data, size_t size) {
    return size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

/* zlib counts in 32 bits, so that input and output go through windows of this size at most. */
static uInt window(size_t left) {
    return left < INT_MAX ? (uInt)left : (uInt)INT_MAX;
}

typedef struct gunzip {
    z_stream stream;
    const uint8_t *in_end;
    uint8_t *out_end;
    bool ended; /* at the end of the last member */
} gunzip;

static stoic_status inflate_failed(const gunzip *g, const uint8_t *data, const char *name,
                                   const char *why, stoic_error *err) {
    return stoic_fail(err, STOIC_ERR_FORMAT, name, "corrupt gzip data at byte %lld: %s",
                      (long long)(g->stream.next_in - data), why);
}

/* Inflates until the output is full or the stream ends. */
static stoic_status run_inflate(gunzip *g, const uint8_t *data, const char *name,
                                stoic_error *err) {
    z_stream *z = &g->stream;
    while (z->next_out < g->out_end && !g->ended) {
        z->avail_in = window((size_t)(g->in_end - z->next_in));
        z->avail_out = window((size_t)(g->out_end - z->next_out));
        int code = inflate(z, Z_NO_FLUSH);
        if (code == Z_STREAM_END) {
            g->ended = z->next_in == g->in_end;
            if (!g->ended && (!stoic_bytes_gzipped(z->next_in, (size_t)(g->in_end - z->next_in)) ||
                              inflateReset(z) != Z_OK))
                return inflate_failed(g, data, name, "bytes after the end", err);
        } else if (code == Z_MEM_ERROR) {
            return stoic_fail_memory(err, "inflating", 0);
        } else if (code == Z_BUF_ERROR || (code == Z_OK && z->next_in == g->in_end &&
                                           z->next_out < g->out_end && z->avail_out != 0)) {
            return inflate_failed(g, data, name, "it ends too early", err);
        } else if (code != Z_OK) {
            return inflate_failed(g, data, name, z->msg ? z->msg : "not gzip", err);
        }
    }
    return STOIC_OK;
}

static stoic_status start_gunzip(gunzip *g, const uint8_t *data, size_t size, uint8_t *out,
                                 size_t capacity, stoic_error *err) {
    *g = (gunzip){.in_end = data + size, .out_end = out + capacity};
    g->stream.next_in = (z_const Bytef *)data;
    g->stream.next_out = out;
    if (inflateInit2(&g->stream, 15 + 16) != Z_OK) /* 16: gzip, with its CRC */
        return stoic_fail_memory(err, "inflating", 0);
    return STOIC_OK;
}

stoic_status stoic_gunzip_prefix(const uint8_t *data, size_t size, const char *name, uint8_t *out,
                                 size_t capacity, size_t *got, stoic_error *err) {
    gunzip g;
    stoic_status status = start_gunzip(&g, data, size, out, capacity, err);
    if (status != STOIC_OK)
        return status;
    status = run_inflate(&g, data, name, err);
    *got = (size_t)(g.stream.next_out - out);
    inflateEnd(&g.stream);
    return status;
}

stoic_status stoic_gunzip_exact(const uint8_t *data, size_t size, const char *name, uint8_t *out,
                                size_t size_out, stoic_error *err) {
    gunzip g;
    uint8_t extra;
    stoic_status status = start_gunzip(&g, data, size, out, size_out, err);
    if (status != STOIC_OK)
        return status;
    TRY(run_inflate(&g, data, name, err));
    size_t got = (size_t)(g.stream.next_out - out);
    if (got < size_out) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, name,
                            "truncated: the header promises %zu bytes, %zu come out of gzip",
                            size_out, got);
        goto done;
    }
    /* One more byte asked for: it reads the CRC, and finds out whether there is too much. */
    g.stream.next_out = &extra;
    g.out_end = &extra + 1;
    TRY(run_inflate(&g, data, name, err));
    if (g.stream.next_out != &extra)
        status = stoic_fail(err, STOIC_ERR_FORMAT, name,
                            "more than the %zu bytes that the header promises come out of gzip",
                            size_out);
done:
    inflateEnd(&g.stream);
    return status;
}
