/* Reading a protected weight file: nothing in it is trusted but the words, which the codes are for.
 */
#include <string.h>

#include "base/fail.h"
#include "runtime/stw.h"

/* A file being checked. */
typedef struct check {
    const uint8_t *bytes;
    uint64_t size;
    const char *name;
    stoic_error *err;
} check;

uint64_t stoic_stw_checksum(const void *data, uint64_t bytes) {
    uint64_t table[16], sum = ~UINT64_C(0);
    const uint8_t *at = data;
    for (unsigned i = 0; i < 16; i++) {
        table[i] = i;
        for (int k = 0; k < 4; k++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? UINT64_C(0xc96c5795d7870f42) : 0);
    }
    for (uint64_t i = 0; i < bytes; i++) {
        sum ^= at[i];
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return ~sum;
}

static stoic_status wrong(const check *c, uint64_t at, const char *what) {
    return stoic_fail(c->err, STOIC_ERR_FORMAT, c->name, "protected weight file: at byte %llu: %s",
                      (unsigned long long)at, what);
}

/* Do `n` pieces of `each` bytes lie in [low, high), at a multiple of `align`? */
static bool lies_in(uint64_t at, uint64_t n, uint64_t each, uint64_t align, uint64_t low,
                    uint64_t high) {
    uint64_t bytes, end;
    return at % align == 0 && at >= low && !__builtin_mul_overflow(n, each, &bytes) &&
           !__builtin_add_overflow(at, bytes, &end) && end <= high;
}

bool stoic_stw_words(const stoic_stw_tensor *t, stoic_words *out) {
    const int data = (int)t->bits, copied = (int)t->copied;
    const int room = t->code == STOIC_STW_SECDED72 ? 64 : 32;
    *out = (stoic_words){.data = data, .weights = 1};
    if (t->bits < 2 || t->bits > 32 || (t->code == STOIC_STW_REPEAT) != (t->copied > 0))
        return false;
    switch (t->code) {
    case STOIC_STW_PLAIN:
        break;
    case STOIC_STW_REPEAT:
        if (t->copied > t->bits)
            return false;
        out->copied = copied;
        out->redundant = 2 * copied;
        break;
    case STOIC_STW_SECDED72:
    case STOIC_STW_SECDED39:
        out->weights = room / data;
        out->redundant = room == 64 ? 8 : 7;
        break;
    case STOIC_STW_ZEROSPACE64:
        out->weights = 8;
        if (t->format != STOIC_FORMAT_INT8)
            return false;
        break;
    case STOIC_STW_PARITY64:
        out->weights = 8;
        if (t->format != STOIC_FORMAT_FIXED || t->bits != 8 || t->fraction != 6)
            return false;
        break;
    default:
        return false;
    }
    out->word = out->weights * out->data + out->redundant;
    return true;
}

static bool format_is_known(const stoic_stw_tensor *t) {
    switch (t->format) {
    case STOIC_FORMAT_FP32:
        return t->bits == 32;
    case STOIC_FORMAT_FP16:
    case STOIC_FORMAT_BF16:
        return t->bits == 16;
    case STOIC_FORMAT_FIXED:
        return t->bits >= 2 && t->bits <= 32 && t->fraction <= 30;
    case STOIC_FORMAT_AFFINE:
        return t->bits >= 2 && t->bits <= 8;
    case STOIC_FORMAT_INT8:
        return t->bits == 8;
    default:
        return false;
    }
}

static stoic_status check_texts(const check *c, const stoic_stw_header *h) {
    const uint64_t at = h->texts_at, n = h->texts_bytes;
    if (n == 0 || !lies_in(at, n, 1, 8, sizeof *h, h->words_at))
        return wrong(c, offsetof(stoic_stw_header, texts_at), "the texts lie outside the file");
    if (c->bytes[at + n - 1] != 0)
        return wrong(c, at + n - 1, "the texts do not end with a zero byte");
    uint64_t meta = h->meta_text;
    for (uint64_t left = 2 * (uint64_t)h->n_meta; left > 0 && meta < n; left--)
        meta += strlen((const char *)c->bytes + at + meta) + 1;
    if (h->model_text >= n || h->store_text >= n || h->meta_text >= n || meta > n || h->n_meta > n)
        return wrong(c, offsetof(stoic_stw_header, model_text), "a text lies outside the texts");
    return STOIC_OK;
}

static stoic_status check_side(const check *c, const stoic_stw_header *h, uint64_t at,
                               const stoic_stw_tensor *t, const stoic_words *words) {
    const uint64_t low = sizeof *h, high = h->words_at;
    const uint64_t per = (uint64_t)words->weights, n = (t->weights + per - 1) / per;
    if (t->channels == 0 || t->inner == 0 || t->channels > t->weights || t->inner > t->weights ||
        !lies_in(t->grids_at, t->channels, sizeof(stoic_stw_grid), 8, low, high))
        return wrong(c, at, "a tensor's grids lie outside the file");
    if ((t->code == STOIC_STW_PARITY64) != (t->side_at > 0) ||
        (t->side_at && !lies_in(t->side_at, n, 1, 8, low, high)))
        return wrong(c, at, "a tensor's list of large weights lies outside the file");
    if ((t->n_sparse > 0) != (t->sparse_at > 0) ||
        (t->sparse_at &&
         !lies_in(t->sparse_at, t->n_sparse, sizeof(stoic_stw_sparse), 8, low, high)))
        return wrong(c, at, "a tensor's weights kept aside lie outside the file");
    const stoic_stw_sparse *aside = (const void *)(c->bytes + t->sparse_at);
    for (uint64_t i = 0; i < t->n_sparse; i++) {
        if (aside[i].index >= t->weights || (i > 0 && aside[i].index <= aside[i - 1].index))
            return wrong(c, t->sparse_at + i * sizeof *aside,
                         "weights kept aside are out of order");
    }
    const uint8_t *side = c->bytes + t->side_at;
    for (uint64_t i = 0; t->side_at && i < n; i++) {
        if (side[i] > 127)
            return wrong(c, t->side_at + i, "more large weights than a word holds check bits in");
    }
    return STOIC_OK;
}

static stoic_status check_packed(const check *c, const stoic_stw_header *h, uint64_t at,
                                 const stoic_stw_tensor *t) {
    stoic_words words;
    if (!format_is_known(t) || !stoic_stw_words(t, &words))
        return wrong(c, at, "a tensor of an unknown format or code");
    if (t->due > 2 || t->divides > 1 || t->role > STOIC_ROLE_BN || t->layer < -1 ||
        (t->layer >= 0 && (uint32_t)t->layer >= h->layers))
        return wrong(c, at, "a tensor's policy, role or layer");
    const uint64_t per = (uint64_t)words.weights, n = (t->weights + per - 1) / per;
    const uint64_t bytes = (n * (uint64_t)words.word + 7) / 8; /* weights < 2^31, word <= 96 */
    const uint64_t stored = t->weights * t->bits + n * (uint64_t)words.redundant;
    if (t->bytes != bytes || t->stored_bits != stored)
        return wrong(c, at, "a tensor's size does not fit its weights");
    if (!lies_in(t->at, 1, bytes + STOIC_STW_BEHIND, STOIC_STW_ALIGN, h->words_at, c->size))
        return wrong(c, at, "a tensor's words lie outside the file");
    return check_side(c, h, at, t, &words);
}

/* Sections of words follow each other: none is in two tensors. */
static stoic_status check_tensors(const check *c, const stoic_stw_header *h) {
    const stoic_stw_tensor *tensors = (const void *)(c->bytes + h->tensors_at);
    uint64_t end = h->words_at;
    for (uint32_t i = 0; i < h->n_tensors; i++) {
        const stoic_stw_tensor *t = &tensors[i];
        const uint64_t at = h->tensors_at + i * sizeof *t;
        stoic_status status = STOIC_OK;
        if (t->weights == 0 || t->weights > INT32_MAX || t->name_text >= h->texts_bytes)
            return wrong(c, at, "a tensor's number of weights or name");
        if (t->packed > 1)
            return wrong(c, at, "a tensor that is neither packed nor not");
        if (t->packed)
            status = check_packed(c, h, at, t);
        else if (t->bytes != 4 * t->weights ||
                 !lies_in(t->at, 1, t->bytes, 8, sizeof *h, h->words_at))
            status = wrong(c, at, "a tensor lies outside the file");
        if (status != STOIC_OK)
            return status;
        if (t->packed && t->at < end)
            return wrong(c, at, "two tensors share their words");
        end = t->packed ? t->at + t->bytes : end;
    }
    return STOIC_OK;
}

static stoic_status check_values(const check *c, const stoic_stw_header *h) {
    const stoic_stw_value *values = (const void *)(c->bytes + h->values_at);
    for (uint32_t i = 0; i < h->n_values; i++) {
        const stoic_stw_value *v = &values[i];
        const uint64_t at = h->values_at + i * sizeof *v, most = 1 << 24;
        bool row = v->rank == 1 && v->height == 1 && v->width == 1;
        if ((v->rank != 3 && !row) || v->channels == 0 || v->height == 0 || v->width == 0 ||
            v->channels > most || v->height > 32768 || v->width > 32768 ||
            stoic_stw_elements(v) > most)
            return wrong(c, at, "the shape of a value");
    }
    return STOIC_OK;
}

static stoic_status check_header(const check *c, const stoic_stw_header *h) {
    if (c->size < sizeof *h || memcmp(h->magic, STOIC_STW_MAGIC, sizeof h->magic) != 0)
        return stoic_fail(c->err, STOIC_ERR_FORMAT, c->name, "not a protected weight file");
    if ((h->version != STOIC_STW_VERSION && h->version != STOIC_STW_CALIBRATED) ||
        h->header_bytes != sizeof *h)
        return stoic_fail(c->err, STOIC_ERR_UNSUPPORTED, c->name,
                          "protected weight file of version %u, this is for versions %d and %d",
                          (unsigned)h->version, STOIC_STW_VERSION, STOIC_STW_CALIBRATED);
    if (h->file_bytes != c->size)
        return stoic_fail(c->err, STOIC_ERR_FORMAT, c->name,
                          "protected weight file: %llu bytes, its header says %llu: %s",
                          (unsigned long long)c->size, (unsigned long long)h->file_bytes,
                          h->file_bytes > c->size ? "truncated" : "something is appended");
    if (!lies_in(h->words_at, 1, h->words_bytes, STOIC_STW_ALIGN, sizeof *h, c->size) ||
        h->words_at + h->words_bytes != c->size)
        return wrong(c, offsetof(stoic_stw_header, words_at), "the words do not end the file");
    if (stoic_stw_checksum(c->bytes + STOIC_STW_CHECKED, h->words_at - STOIC_STW_CHECKED) !=
        h->checksum)
        return wrong(c, offsetof(stoic_stw_header, checksum),
                     "the checksum of what is not weights does not fit");
    if (h->n_nodes == 0 || h->n_nodes > STOIC_STW_MOST || h->n_values == 0 ||
        h->n_values > STOIC_STW_MOST || h->n_tensors >= STOIC_STW_NONE || h->input >= h->n_values ||
        h->output >= h->n_values || h->layers > STOIC_STW_MOST)
        return wrong(c, offsetof(stoic_stw_header, n_tensors), "a number of parts");
    if (!lies_in(h->tensors_at, h->n_tensors, sizeof(stoic_stw_tensor), 8, sizeof *h,
                 h->words_at) ||
        !lies_in(h->nodes_at, h->n_nodes, sizeof(stoic_stw_node), 8, sizeof *h, h->words_at) ||
        !lies_in(h->values_at, h->n_values, sizeof(stoic_stw_value), 8, sizeof *h, h->words_at))
        return wrong(c, offsetof(stoic_stw_header, tensors_at), "a table lies outside the file");
    return STOIC_OK;
}

stoic_status stoic_stw_open(const void *data, uint64_t bytes, const char *name, stoic_stw *out,
                            stoic_error *err) {
    const check c = {data, bytes, name, err};
    const stoic_stw_header *h = data;
    stoic_status status = STOIC_OK;
    const union {
        uint32_t number;
        uint8_t byte;
    } order = {1};
    if (order.byte != 1)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                          "protected weight files are little-endian, this machine is not");
    TRY(check_header(&c, h));
    TRY(check_texts(&c, h));
    TRY(check_values(&c, h));
    TRY(check_tensors(&c, h));
    *out = (stoic_stw){c.bytes,
                       h,
                       (const void *)(c.bytes + h->tensors_at),
                       (const void *)(c.bytes + h->nodes_at),
                       (const void *)(c.bytes + h->values_at),
                       (const char *)c.bytes + h->texts_at};
    TRY(stoic_stw_check_nodes(out, name, err));
done:
    return status;
}
