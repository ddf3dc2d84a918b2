/*
 * Words of codes over several weights, many at once. Of a parity code only the syndromes are
 * computed for all; a word whose syndrome is not zero goes through the code's own decoder.
 */
#include <string.h>

#include "store/bulk.h"

/* The data bits of words [word, word + n), and their check bits. */
static void read_words(const stoic_store *store, int entry, int64_t word, int n, uint64_t *data,
                       uint8_t *checks) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const uint8_t *bytes = (const uint8_t *)store->lines[entry].image;
    const int held = code->weights * code->data, bits = code->word;
    const uint64_t mask = held == 64 ? ~UINT64_C(0) : (UINT64_C(1) << held) - 1;
    int64_t at = word * bits;
    for (int i = 0; i < n; i++, at += bits) {
        uint64_t x;
        memcpy(&x, bytes + at / 8, sizeof x);
        x >>= at % 8;
        if (at % 8 && at % 8 + held > 64) /* the rest of the data */
            x |= (uint64_t)bytes[at / 8 + 8] << (64 - at % 8);
        int64_t end = at + held;
        uint32_t after = (uint32_t)bytes[end / 8] | (uint32_t)bytes[end / 8 + 1] << 8;
        data[i] = x & mask;
        checks[i] =
            (uint8_t)(code->redundant ? after >> end % 8 & ((1u << code->redundant) - 1) : 0);
    }
}

static void split_words(const stoic_code *code, const uint64_t *data, int n, uint32_t *codes) {
    const uint32_t mask =
        code->data == 32 ? UINT32_MAX : (uint32_t)((UINT64_C(1) << code->data) - 1);
    const int weights = code->weights, bits = code->data;
    if (weights == 1) {
        for (int i = 0; i < n; i++)
            codes[i] = (uint32_t)data[i] & mask;
        return;
    }
    if (weights * bits == 64 && bits == 8) {
        const uint8_t *bytes = (const uint8_t *)data;
        for (int i = 0; i < 8 * n; i++)
            codes[i] = bytes[i];
        return;
    }
    for (int i = 0; i < n; i++) {
        for (int w = 0; w < weights; w++)
            codes[i * weights + w] = (uint32_t)(data[i] >> w * bits) & mask;
    }
}

/* Bits [at, at + count) of an image, count <= 32. */
static uint32_t bits_at(const uint8_t *bytes, int64_t at, int count) {
    uint64_t x;
    memcpy(&x, bytes + at / 8, sizeof x);
    return (uint32_t)(x >> at % 8) & (count == 32 ? UINT32_MAX : (UINT32_C(1) << count) - 1);
}

/* Repeated weights whose words are too long for the loops of 32 bits. */
static void open_repeated(const stoic_store *store, int entry, int64_t first, int n,
                          uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const uint8_t *bytes = (const uint8_t *)store->lines[entry].image;
    const int data = code->data, copied = code->copied, rest = data - copied;
    const uint32_t below = (uint32_t)((UINT64_C(1) << rest) - 1);
    int64_t at = first * code->word;
    for (int i = 0; i < n; i++, at += code->word) {
        uint32_t all = bits_at(bytes, at, data), a = all >> rest; /* rest < data <= 32 */
        uint32_t b = bits_at(bytes, at + data, copied);
        uint32_t c = bits_at(bytes, at + data + copied, copied);
        codes[i] = ((a & b) | (a & c) | (b & c)) << rest | (all & below);
    }
}

/* ORs `count` <= 32 bits into an image. */
static void put_bits(uint8_t *bytes, int64_t at, uint32_t bits) {
    uint64_t x;
    memcpy(&x, bytes + at / 8, sizeof x);
    x |= (uint64_t)bits << at % 8;
    memcpy(bytes + at / 8, &x, sizeof x);
}

static void make_repeated(stoic_store *store, int entry, int64_t first, int n,
                          const uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    uint8_t *bytes = (uint8_t *)store->lines[entry].image;
    int64_t at = first * code->word;
    for (int i = 0; i < n; i++, at += code->word) {
        uint32_t top = codes[i] >> (code->data - code->copied);
        put_bits(bytes, at, codes[i]);
        put_bits(bytes, at + code->data, top);
        put_bits(bytes, at + code->data + code->copied, top);
    }
}

/* One word by the code's own decoder. */
static void open_word(const stoic_store *store, int entry, int64_t word, int held,
                      uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const stoic_lines *lines = &store->lines[entry];
    uint64_t data[STOIC_WORD_WEIGHTS] = {0};
    stoic_word bits = stoic_store_word(store, entry, word);
    code->family->decode(code, &bits, lines->side ? lines->side[word] : 0, held, data);
    for (int i = 0; i < held; i++)
        codes[i] = (uint32_t)data[i];
}

void stoic_bulk_open_words(const stoic_store_kernels *kernels, const stoic_store *store, int entry,
                           int64_t first, int n, uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    uint64_t data[STOIC_BULK_STRETCH];
    uint8_t checks[STOIC_BULK_STRETCH], sums[STOIC_BULK_STRETCH];
    int full = code->masks ? n / code->weights : 0;
    int64_t word = first / code->weights;
    if (code->copied) {
        open_repeated(store, entry, first, n, codes);
        return;
    }
    data[0] = 0; /* gcc cannot see that read_words() fills what is read */
    if (full) {
        read_words(store, entry, word, full, data, checks);
        kernels->parities(data, full, code->masks, sums);
        const uint64_t keep = ~code->repeated;
        for (int i = 0; i < full; i++)
            data[i] = (data[i] & keep) | (data[i] >> 1 & code->repeated);
        split_words(code, data, full, codes);
        for (int i = 0; i < full; i++) {
            if (sums[i] != checks[i])
                open_word(store, entry, word + i, code->weights, codes + i * code->weights);
        }
    }
    for (int done = full * code->weights; done < n; done += code->weights)
        open_word(store, entry, (first + done) / code->weights,
                  n - done < code->weights ? n - done : code->weights, codes + done);
}

/* ---- the other way ---- */

static void make_word(stoic_store *store, int entry, int64_t word, int held,
                      const uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    uint64_t data[STOIC_WORD_WEIGHTS] = {0};
    stoic_word bits;
    for (int i = 0; i < held; i++)
        data[i] = codes[i];
    uint32_t side = code->family->side ? code->family->side(code, data) : 0;
    if (code->family->side)
        stoic_lines_note(store, entry, word, side);
    store->facts.clamped += code->family->encode(code, data, side, &bits);
    stoic_image_put(store->lines[entry].image, word * code->word, code->word, &bits);
}

static void join_words(const stoic_code *code, const uint32_t *codes, int n, uint64_t *data) {
    for (int i = 0; i < n; i++) {
        uint64_t x = 0;
        for (int w = 0; w < code->weights; w++)
            x |= (uint64_t)codes[i * code->weights + w] << w * code->data;
        data[i] = x;
    }
}

void stoic_bulk_make_words(const stoic_store_kernels *kernels, stoic_store *store, int entry,
                           int64_t first, int n, const uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    uint64_t data[STOIC_BULK_STRETCH];
    uint8_t sums[STOIC_BULK_STRETCH];
    int full = code->masks && !code->repeated ? n / code->weights : 0;
    int64_t word = first / code->weights;
    if (code->copied) {
        make_repeated(store, entry, first, n, codes);
        return;
    }
    data[0] = 0;
    if (full) {
        join_words(code, codes, full, data);
        kernels->parities(data, full, code->masks, sums);
    }
    for (int i = 0; i < full; i++) {
        stoic_word bits = {{data[i]}};
        stoic_word_put(&bits, code->weights * code->data, code->redundant, sums[i]);
        stoic_image_put(store->lines[entry].image, (word + i) * code->word, code->word, &bits);
    }
    for (int done = full * code->weights; done < n; done += code->weights)
        make_word(store, entry, (first + done) / code->weights,
                  n - done < code->weights ? n - done : code->weights, codes + done);
}
