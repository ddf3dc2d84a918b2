/*
 * Words of codes over several weights, many at once. Of a parity code only the syndromes are
 * computed for all; a word whose syndrome is not zero goes through the code's own decoder.
 */
#include <string.h>

#include "store/bulk.h"

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

/* The whole words of a code whose check bits are one sum of columns. */
static void open_summed(const stoic_bits_kernels *kernels, const stoic_store *store, int entry,
                        int64_t word, int n, uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const int held = code->weights * code->data;
    const uint64_t restored = code->repeated;
    uint64_t data[STOIC_BULK_STRETCH];
    uint8_t checks[STOIC_BULK_STRETCH], sums[STOIC_BULK_STRETCH];
    kernels->open(store->lines[entry].image, word * code->word, held, code->redundant, n, data,
                  checks);
    kernels->parities(data, n, code->parity, sums);
    for (int i = 0; restored && i < n; i++)
        data[i] = (data[i] & ~restored) | (data[i] >> 1 & restored);
    kernels->split(data, n, code->weights, code->data, codes);
    if (memcmp(sums, checks, (size_t)n) == 0)
        return;
    for (int i = 0; i < n; i++) {
        if (sums[i] != checks[i])
            open_word(store, entry, word + i, code->weights, codes + i * code->weights);
    }
}

/* The whole words of parity64. */
static void open_halves(const stoic_store_kernels *kernels, const stoic_store *store, int entry,
                        int64_t word, int n, uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const uint32_t *side = store->lines[entry].side + word;
    uint64_t data[STOIC_BULK_STRETCH / 8];
    uint8_t low[STOIC_BULK_STRETCH / 8], high[STOIC_BULK_STRETCH / 8];
    memcpy(data, store->lines[entry].image + word, (size_t)n * sizeof *data);
    kernels->in_place->exchange(data, n, side);
    kernels->bits->parities(data, n, &code->halves[0], low);
    kernels->bits->parities(data, n, &code->halves[1], high);
    kernels->in_place->from_sign(data, n, side);
    kernels->bits->split(data, n, 8, 8, codes);
    for (int i = 0; i < n; i++) {
        if (low[i] | high[i])
            open_word(store, entry, word + i, 8, codes + 8 * i);
    }
}

void stoic_bulk_open_words(const stoic_store_kernels *kernels, const stoic_store *store, int entry,
                           int64_t first, int n, uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    int full = code->parity || code->halves ? n / code->weights : 0;
    if (code->copied == 32) {
        kernels->vote_32(store->lines[entry].image, first, n, codes);
        return;
    }
    if (code->copied) {
        open_repeated(store, entry, first, n, codes);
        return;
    }
    if (code->halves)
        open_halves(kernels, store, entry, first / code->weights, full, codes);
    else if (full)
        open_summed(kernels->bits, store, entry, first / code->weights, full, codes);
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
        stoic_lines_note(store, entry, word, 1, &side);
    store->facts.clamped += code->family->encode(code, data, side, &bits);
    stoic_image_put(store->lines[entry].image, word * code->word, code->word, &bits);
}

static void make_summed(const stoic_store_kernels *kernels, stoic_store *store, int entry,
                        int64_t word, int n, const uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    uint64_t data[STOIC_BULK_STRETCH];
    uint8_t checks[STOIC_BULK_STRETCH];
    kernels->bits->join(codes, n, code->weights, code->data, data);
    if (code->repeated)
        store->facts.clamped += kernels->in_place->spare(data, n);
    kernels->bits->parities(data, n, code->parity, checks);
    if (code->repeated)
        kernels->in_place->put_checks(data, n, checks);
    kernels->bits->close(store->lines[entry].image, word * code->word, code->weights * code->data,
                         code->redundant, n, data, checks);
}

/* The whole words of parity64. */
static void make_halves(const stoic_store_kernels *kernels, stoic_store *store, int entry,
                        int64_t word, int n, const uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    uint64_t data[STOIC_BULK_STRETCH / 8];
    uint32_t side[STOIC_BULK_STRETCH / 8];
    uint8_t even[STOIC_BULK_STRETCH / 8], odd[STOIC_BULK_STRETCH / 8];
    kernels->bits->join(codes, n, 8, 8, data);
    store->facts.clamped += kernels->in_place->to_sign(data, n, side);
    kernels->bits->parities(data, n, &code->halves[2], even);
    kernels->bits->parities(data, n, &code->halves[3], odd);
    kernels->in_place->put_pairs(data, n, side, even, odd);
    memcpy(store->lines[entry].image + word, data, (size_t)n * sizeof *data);
    stoic_lines_note(store, entry, word, n, side);
}

void stoic_bulk_make_words(const stoic_store_kernels *kernels, stoic_store *store, int entry,
                           int64_t first, int n, const uint32_t *codes) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    int full = code->parity || code->halves ? n / code->weights : 0;
    if (code->copied == 32) {
        kernels->repeat_32(store->lines[entry].image, first, n, codes);
        return;
    }
    if (code->copied) {
        make_repeated(store, entry, first, n, codes);
        return;
    }
    if (code->halves)
        make_halves(kernels, store, entry, first / code->weights, full, codes);
    else if (full)
        make_summed(kernels, store, entry, first / code->weights, full, codes);
    for (int done = full * code->weights; done < n; done += code->weights)
        make_word(store, entry, (first + done) / code->weights,
                  n - done < code->weights ? n - done : code->weights, codes + done);
}
