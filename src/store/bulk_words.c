/* Making words of codes over several weights, many at once; reading is runtime/packed.c. */
#include <string.h>

#include "store/bulk.h"

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
