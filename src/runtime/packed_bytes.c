/* Codes of at most 8 bits, a byte each, from packed words: by the loops of bytes.h where those know
 * the words, by way of codes of 32 bits otherwise. */
#include "runtime/packed.h"

static bool in_whole_bytes(const stoic_packed *p) {
    const stoic_words *w = &p->words;
    return w->secded && w->weights == 8 && w->data == 8;
}

bool stoic_packed_is_short(const stoic_packed *p) {
    return p->words.data <= 8;
}

const uint8_t *stoic_packed_as_bytes(const stoic_packed *p) {
    const bool plain = stoic_packed_is_narrow(p) && p->words.word == 8 && !p->words.copied;
    return plain ? (const uint8_t *)p->image : NULL;
}

void stoic_packed_prefetch(const stoic_packed *p, int64_t first, int n) {
    const int64_t per = p->words.weights, bits = p->words.word, ahead = 4 * STOIC_BYTE_STRETCH;
    const char *from = (const char *)p->image + (first + ahead) / per * bits / 8;
    const int64_t bytes = n / per * bits / 8, end = stoic_packed_count(p) * bits / 8;
    const int64_t left = end - (from - (const char *)p->image);
    for (int64_t i = 0; i < bytes && i < left; i += 64)
        __builtin_prefetch(from + i);
}

/* One word whose syndrome is not zero, by the code's own decoder. */
static void mend_word(const stoic_packed *p, int64_t word, uint8_t *codes, stoic_reading *told,
                      bool *lost) {
    uint64_t data[STOIC_WORD_WEIGHTS] = {0};
    const stoic_word bits = stoic_image_get(p->image, word * p->words.word, p->words.word);
    const int held = stoic_packed_held(p, word);
    const stoic_verdict verdict =
        stoic_words_open(&p->words, &bits, stoic_packed_side(p, word), held, data);
    for (int i = 0; i < held; i++)
        codes[i] = (uint8_t)data[i];
    told->corrected += verdict == STOIC_WORD_CORRECTED;
    told->detected += verdict == STOIC_WORD_DETECTED;
    if (lost && verdict == STOIC_WORD_DETECTED)
        memset(lost, 1, (size_t)held * sizeof *lost);
}

/* n whole words in the loops that all sets have. */
static bool open_by_parities(const stoic_bits_kernels *kernels, const stoic_packed *p, int64_t word,
                             int n, uint8_t *codes, uint64_t *wrong) {
    const stoic_words *w = &p->words;
    const uint64_t restored = w->redundant ? 0 : UINT64_C(0x0040404040404040);
    uint64_t data[STOIC_BYTE_STRETCH / 8], any = 0;
    uint8_t checks[STOIC_BYTE_STRETCH / 8], sums[STOIC_BYTE_STRETCH / 8];
    kernels->open(p->image, word * w->word, 64, w->redundant, n, data, checks);
    kernels->parities(data, n, &w->secded->parity, sums);
    for (int i = 0; restored && i < n; i++)
        data[i] = (data[i] & ~restored) | (data[i] >> 1 & restored);
    memcpy(codes, data, (size_t)n * sizeof *data);
    if (memcmp(sums, checks, (size_t)n) == 0)
        return false;
    memset(wrong, 0, (size_t)(n + 63) / 64 * sizeof *wrong);
    for (int i = 0; i < n; i++) {
        wrong[i / 64] |= (uint64_t)(sums[i] != checks[i]) << i % 64;
        any |= wrong[i / 64];
    }
    return any != 0;
}

/* Of `full` whole words from `word` on, those that are marked as wrong, and a last one that is not
 * full, by the code's own decoder. */
static void mend_words(const stoic_packed *p, int64_t word, int full, const uint64_t *wrong, int n,
                       uint8_t *codes, stoic_reading *told, bool *lost) {
    const int per = p->words.weights;
    for (int i = 0; wrong && i < full; i++) {
        if (wrong[i / 64] >> i % 64 & 1)
            mend_word(p, word + i, codes + per * i, told, lost ? lost + per * i : NULL);
    }
    if (per * full < n)
        mend_word(p, word + full, codes + per * full, told, lost ? lost + per * full : NULL);
}

static void open_whole(const stoic_store_kernels *kernels, const stoic_byte_kernels *bytes,
                       const stoic_packed *p, int64_t first, int n, uint8_t *codes,
                       stoic_reading *told, bool *lost) {
    const int64_t word = first / 8;
    const int full = n / 8;
    uint64_t wrong[STOIC_BYTE_STRETCH / 8 / 64];
    const uint8_t *from = (const uint8_t *)p->image + word * (p->words.word / 8);
    const bool any = bytes->sums->open_bytes
                         ? bytes->sums->open_bytes(from, &p->words, full, codes, wrong)
                         : open_by_parities(kernels->bits, p, word, full, codes, wrong);
    mend_words(p, word, full, any ? wrong : NULL, n, codes, told, lost);
}

/* Words of secded whose codes are not bytes, or not eight. */
static void open_parts(const stoic_sum_loops *loops, const stoic_packed *p, int64_t first, int n,
                       uint8_t *codes, stoic_reading *told, bool *lost) {
    enum { BEHIND = 16 }; /* bytes that can be read behind the last word */
    const int per = p->words.weights, full = n / per;
    const int64_t word = first / per, at = word * p->words.word;
    const int64_t end = (stoic_packed_count(p) * p->words.word + 7) / 8 + BEHIND;
    uint64_t wrong[STOIC_BYTE_STRETCH / 2 / 64];
    const bool any = loops->open_parts((const uint8_t *)p->image + at / 8, (int)(at % 8),
                                       end - at / 8, &p->words, full, codes, wrong);
    mend_words(p, word, full, any ? wrong : NULL, n, codes, told, lost);
}

static void open_pairs(const stoic_sum_loops *loops, const stoic_packed *p, int64_t first, int n,
                       uint8_t *codes, stoic_reading *told, bool *lost) {
    const int64_t word = first / 8;
    const int full = n / 8;
    uint64_t wrong[STOIC_BYTE_STRETCH / 8 / 64];
    const uint8_t *side = p->side_bytes ? p->side_bytes + word : NULL;
    const bool any = loops->open_pairs((const uint8_t *)p->image + 8 * word, side, &p->words, full,
                                       codes, wrong);
    mend_words(p, word, full, any ? wrong : NULL, n, codes, told, lost);
}

/* Any words, by way of codes of 32 bits. */
static void open_widely(const stoic_store_kernels *kernels, const stoic_packed *p, int64_t first,
                        int n, uint8_t *codes, stoic_reading *told, bool *lost) {
    uint32_t wide[STOIC_BULK_STRETCH + STOIC_BULK_ROOM];
    const int stretch = STOIC_BULK_STRETCH / p->words.weights * p->words.weights;
    for (int done = 0, m; done < n; done += m) {
        m = n - done < stretch ? n - done : stretch;
        stoic_packed_codes(kernels, p, first + done, m, wide, told, lost ? lost + done : NULL);
        for (int i = 0; i < m; i++)
            codes[done + i] = (uint8_t)wide[i];
    }
}

void stoic_packed_bytes(const stoic_store_kernels *kernels, const stoic_byte_kernels *bytes,
                        const stoic_packed *p, int64_t first, int n, uint8_t *codes,
                        stoic_reading *told, bool *lost) {
    if (lost)
        memset(lost, 0, (size_t)n * sizeof *lost);
    const uint8_t *as_they_are = stoic_packed_as_bytes(p);
    if (as_they_are) {
        memcpy(codes, as_they_are + first, (size_t)n);
        return;
    }
    if (in_whole_bytes(p)) {
        open_whole(kernels, bytes, p, first, n, codes, told, lost);
        return;
    }
    const int64_t at = first * p->words.word;
    if (stoic_packed_is_narrow(p) && p->words.word <= 8) {
        told->corrected += bytes->words->open_short(p->image, at, &p->words, n, codes);
    } else if (stoic_packed_is_narrow(p) && bytes->words->open_long) {
        told->corrected += bytes->words->open_long(p->image, at, &p->words, n, codes);
    } else if (p->words.secded && p->words.redundant && bytes->sums->open_parts) {
        open_parts(bytes->sums, p, first, n, codes, told, lost);
    } else if (p->words.pairs && !p->side_words && bytes->sums->open_pairs) {
        open_pairs(bytes->sums, p, first, n, codes, told, lost);
    } else {
        open_widely(kernels, p, first, n, codes, told, lost);
    }
}
