/*
 * Many words at once. Of a parity code only the syndromes are computed for all; a word whose
 * syndrome is not zero goes through the code's own decoder.
 */
#include "runtime/packed.h"

#include <string.h>

/* What one call works on. */
typedef struct reading {
    const stoic_store_kernels *kernels;
    const stoic_packed *packed;
    int64_t first; /* weight */
    uint32_t *codes;
    stoic_reading *told;
    bool *lost;
} reading;

int64_t stoic_packed_count(const stoic_packed *packed) {
    return (packed->weights + packed->words.weights - 1) / packed->words.weights;
}

int stoic_packed_held(const stoic_packed *packed, int64_t word) {
    int64_t left = packed->weights - word * packed->words.weights;
    return left < packed->words.weights ? (int)left : packed->words.weights;
}

uint32_t stoic_packed_side(const stoic_packed *packed, int64_t word) {
    return packed->side_bytes ? packed->side_bytes[word]
                              : (packed->side_words ? packed->side_words[word] : 0);
}

bool stoic_packed_is_narrow(const stoic_packed *packed) {
    const stoic_words *w = &packed->words;
    return w->weights == 1 && w->word <= 32 && (w->copied || !w->redundant);
}

/* Bits [at, at + count) of an image, count <= 32. */
static uint32_t bits_at(const uint8_t *bytes, int64_t at, int count) {
    uint64_t x;
    memcpy(&x, bytes + at / 8, sizeof x);
    return (uint32_t)(x >> at % 8) & (count == 32 ? UINT32_MAX : (UINT32_C(1) << count) - 1);
}

/* Repeated weights whose words are too long for the loops of 32 bits. */
static void open_repeated(const reading *r, int n) {
    const stoic_words *w = &r->packed->words;
    const uint8_t *bytes = (const uint8_t *)r->packed->image;
    const int data = w->data, copied = w->copied, rest = data - copied;
    const uint32_t below = (uint32_t)((UINT64_C(1) << rest) - 1);
    int64_t at = r->first * w->word, differ = 0;
    for (int i = 0; i < n; i++, at += w->word) {
        uint32_t all = bits_at(bytes, at, data), a = all >> rest; /* rest < data <= 32 */
        uint32_t b = bits_at(bytes, at + data, copied);
        uint32_t c = bits_at(bytes, at + data + copied, copied);
        differ += a != b || b != c;
        r->codes[i] = ((a & b) | (a & c) | (b & c)) << rest | (all & below);
    }
    if (r->told)
        r->told->corrected += differ;
}

/* One word by the code's own decoder; `offset` weights behind the first. */
static void open_word(const reading *r, int offset, int held) {
    const stoic_packed *p = r->packed;
    uint64_t data[STOIC_WORD_WEIGHTS] = {0};
    int64_t word = (r->first + offset) / p->words.weights;
    stoic_word bits = stoic_image_get(p->image, word * p->words.word, p->words.word);
    stoic_verdict verdict =
        stoic_words_open(&p->words, &bits, stoic_packed_side(p, word), held, data);
    for (int i = 0; i < held; i++)
        r->codes[offset + i] = (uint32_t)data[i];
    if (r->told) {
        r->told->corrected += verdict == STOIC_WORD_CORRECTED;
        r->told->detected += verdict == STOIC_WORD_DETECTED;
    }
    if (r->lost && verdict == STOIC_WORD_DETECTED)
        memset(r->lost + offset, 1, (size_t)held * sizeof *r->lost);
}

/* n whole words of a code whose check bits are one sum of columns. */
static void open_summed(const reading *r, int n) {
    const stoic_words *w = &r->packed->words;
    const stoic_bits_kernels *kernels = r->kernels->bits;
    const int held = w->weights * w->data;
    const uint64_t restored = w->redundant ? 0 : UINT64_C(0x0040404040404040);
    uint64_t data[STOIC_BULK_STRETCH];
    uint8_t checks[STOIC_BULK_STRETCH], sums[STOIC_BULK_STRETCH];
    kernels->open(r->packed->image, r->first / w->weights * w->word, held, w->redundant, n, data,
                  checks);
    kernels->parities(data, n, &w->secded->parity, sums);
    for (int i = 0; restored && i < n; i++)
        data[i] = (data[i] & ~restored) | (data[i] >> 1 & restored);
    kernels->split(data, n, w->weights, w->data, r->codes);
    if (memcmp(sums, checks, (size_t)n) == 0)
        return;
    for (int i = 0; i < n; i++) {
        if (sums[i] != checks[i])
            open_word(r, i * w->weights, w->weights);
    }
}

/* n whole words of parity64. */
static void open_halves(const reading *r, int n) {
    const stoic_pair_code *pairs = r->packed->words.pairs;
    const stoic_in_place_kernels *in_place = r->kernels->in_place;
    uint64_t data[STOIC_BULK_STRETCH / 8];
    uint32_t side[STOIC_BULK_STRETCH / 8];
    uint8_t low[STOIC_BULK_STRETCH / 8], high[STOIC_BULK_STRETCH / 8];
    for (int i = 0; i < n; i++)
        side[i] = stoic_packed_side(r->packed, r->first / 8 + i);
    memcpy(data, r->packed->image + r->first / 8, (size_t)n * sizeof *data);
    in_place->exchange(data, n, side);
    r->kernels->bits->parities(data, n, &pairs->halves[0], low);
    r->kernels->bits->parities(data, n, &pairs->halves[1], high);
    in_place->from_sign(data, n, side);
    r->kernels->bits->split(data, n, 8, 8, r->codes);
    for (int i = 0; i < n; i++) {
        if (low[i] | high[i])
            open_word(r, 8 * i, 8);
    }
}

static void open_narrow(const reading *r, int n) {
    const stoic_words *w = &r->packed->words;
    r->kernels->bits->unpack(r->packed->image, r->first * w->word, w->word, n, r->codes);
    int differ = w->copied ? r->kernels->vote(r->codes, n, w->data, w->copied) : 0;
    if (r->told)
        r->told->corrected += differ;
}

void stoic_packed_codes(const stoic_store_kernels *kernels, const stoic_packed *packed,
                        int64_t first, int n, uint32_t *codes, stoic_reading *told, bool *lost) {
    const reading r = {kernels, packed, first, codes, told, lost};
    const stoic_words *w = &packed->words;
    if (lost)
        memset(lost, 0, (size_t)n * sizeof *lost);
    if (stoic_packed_is_narrow(packed)) {
        open_narrow(&r, n);
    } else if (w->copied == 32 && !told) {
        kernels->vote_32(packed->image, first, n, codes);
    } else if (w->copied) {
        open_repeated(&r, n);
    } else {
        const bool summed = w->secded && w->weights * w->data > 16;
        int full = summed || w->pairs ? n / w->weights : 0;
        if (w->pairs)
            open_halves(&r, full);
        else if (full)
            open_summed(&r, full);
        for (int done = full * w->weights; done < n; done += w->weights)
            open_word(&r, done, n - done < w->weights ? n - done : w->weights);
    }
}
