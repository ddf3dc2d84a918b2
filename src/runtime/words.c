/* Words: their bits, and what each code makes of them. */
#include "runtime/words.h"

#include <string.h>

uint64_t stoic_word_get(const stoic_word *word, int at, int count) {
    int part = at / 64, shift = at % 64;
    uint64_t bits = word->part[part] >> shift;
    if (shift && shift + count > 64)
        bits |= word->part[part + 1] << (64 - shift);
    return count == 64 ? bits : bits & (((uint64_t)1 << count) - 1);
}

void stoic_word_put(stoic_word *word, int at, int count, uint64_t bits) {
    int part = at / 64, shift = at % 64;
    uint64_t mask = count == 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
    bits &= mask;
    word->part[part] = (word->part[part] & ~(mask << shift)) | bits << shift;
    if (shift && shift + count > 64)
        word->part[part + 1] =
            (word->part[part + 1] & ~(mask >> (64 - shift))) | bits >> (64 - shift);
}

void stoic_parity_fill(stoic_parity *out, const uint8_t columns[64]) {
    memset(out, 0, sizeof *out);
    for (int bit = 0; bit < 64; bit++) {
        for (int j = 0; j < 8; j++)
            out->masks[j] |= (uint64_t)(columns[bit] >> j & 1) << bit;
        for (int value = 0; value < 16; value++) {
            if (value >> bit % 4 & 1)
                out->nibbles[bit / 4][value] ^= columns[bit];
        }
    }
    for (int byte = 0; byte < 8; byte++) {
        for (int j = 0; j < 8; j++)
            out->matrices[byte] |= (out->masks[j] >> 8 * byte & 0xff) << 8 * (7 - j);
    }
}

stoic_word stoic_image_get(const uint64_t *image, int64_t at, int bits) {
    stoic_word word = {{0}};
    for (int done = 0; done < bits; done += 64) {
        int count = bits - done < 64 ? bits - done : 64;
        int64_t from = at + done;
        int shift = (int)(from % 64);
        uint64_t part = image[from / 64] >> shift;
        if (shift && shift + count > 64)
            part |= image[from / 64 + 1] << (64 - shift);
        if (count < 64)
            part &= ((uint64_t)1 << count) - 1;
        word.part[done / 64] = part;
    }
    return word;
}

void stoic_image_replace(uint64_t *image, int64_t at, int bits, const stoic_word *word) {
    for (int done = 0; done < bits; done += 64) {
        int count = bits - done < 64 ? bits - done : 64, shift = (int)((at + done) % 64);
        uint64_t mask = count < 64 ? ((uint64_t)1 << count) - 1 : ~(uint64_t)0;
        uint64_t part = word->part[done / 64] & mask, *to = image + (at + done) / 64;
        to[0] = (to[0] & ~(mask << shift)) | part << shift;
        if (shift && shift + count > 64)
            to[1] = (to[1] & ~(mask >> (64 - shift))) | part >> (64 - shift);
    }
}

static stoic_verdict open_repeated(const stoic_words *w, const stoic_word *word, uint64_t *data) {
    int rest = w->data - w->copied;
    uint64_t a = stoic_word_get(word, rest, w->copied);
    uint64_t b = stoic_word_get(word, w->data, w->copied);
    uint64_t c = stoic_word_get(word, w->data + w->copied, w->copied);
    uint64_t top = (a & b) | (a & c) | (b & c);
    data[0] = top << rest | (rest ? stoic_word_get(word, 0, rest) : 0);
    return a == b && b == c ? STOIC_WORD_CLEAN : STOIC_WORD_CORRECTED;
}

/* The wrong bit of a full word: at least 0; -1 none; -2 more than one. */
static int wrong_bit(const stoic_secded *t, unsigned s) {
    return !s ? -1 : t->bit[s] < 0 ? -2 : t->bit[s];
}

static stoic_verdict open_secded(const stoic_words *w, const stoic_word *word, int n,
                                 uint64_t *data) {
    const stoic_secded *t = w->secded;
    stoic_verdict verdict = STOIC_WORD_CLEAN;
    int held = w->weights * w->data, first = t->at[0];
    stoic_word full = {{held < 64 ? word->part[0] & (((uint64_t)1 << held) - 1) : word->part[0]}};
    stoic_word_put(&full, first, t->r, stoic_word_get(word, held, t->r));
    int bit = wrong_bit(t, stoic_secded_syndrome(t, &full));
    if (bit == -2 || (bit >= n * w->data && bit < first)) { /* nothing is stored there */
        verdict = STOIC_WORD_DETECTED;
    } else if (bit >= 0) {
        full.part[bit / 64] ^= (uint64_t)1 << bit % 64;
        verdict = STOIC_WORD_CORRECTED;
    }
    for (int i = 0; i < n; i++)
        data[i] = stoic_word_get(&full, i * w->data, w->data);
    return verdict;
}

static stoic_verdict open_in_place(const stoic_words *w, const stoic_word *word, int n,
                                   uint64_t *data) {
    const stoic_secded *t = w->secded;
    stoic_verdict verdict = STOIC_WORD_CLEAN;
    stoic_word full = {{word->part[0]}};
    int bit = wrong_bit(t, stoic_secded_syndrome(t, &full));
    if (bit == -2 || bit >= 8 * n) {
        verdict = STOIC_WORD_DETECTED;
    } else if (bit >= 0) {
        full.part[0] ^= (uint64_t)1 << bit;
        verdict = STOIC_WORD_CORRECTED;
    }
    for (int i = 0; i < n; i++) {
        uint64_t byte = full.part[0] >> 8 * i & 0xff;
        data[i] = i == 7 ? byte : (byte & 0xbf) | (byte >> 1 & 0x40);
    }
    return verdict;
}

static unsigned pair_syndrome(const stoic_pair_code *t, const stoic_word *word, uint32_t large) {
    unsigned s = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t byte = word->part[0] >> 8 * i & 0xff;
        s ^= t->table[i][large >> i & 1 ? stoic_pair_exchange(byte) : byte];
    }
    return s;
}

static stoic_verdict open_pairs(const stoic_words *w, const stoic_word *word, uint32_t large, int n,
                                uint64_t *data) {
    const stoic_pair_code *t = w->pairs;
    stoic_verdict verdict = STOIC_WORD_CLEAN;
    uint64_t plain = 0;
    unsigned s = pair_syndrome(t, word, large);
    for (int i = 0; i < 8; i++) {
        uint64_t byte = word->part[0] >> 8 * i & 0xff;
        plain |= (large >> i & 1 ? stoic_pair_exchange(byte) : byte) << 8 * i;
    }
    int a = t->first[s], b = t->second[s];
    bool outside = (a != STOIC_PAIR_NONE && a >= 8 * n) || (b != STOIC_PAIR_NONE && b >= 8 * n);
    if (t->detected[s] || outside) {
        verdict = STOIC_WORD_DETECTED;
    } else if (s) {
        plain ^= (uint64_t)1 << a;
        plain ^= b == STOIC_PAIR_NONE ? 0 : (uint64_t)1 << b;
        verdict = STOIC_WORD_CORRECTED;
    }
    for (int i = 0; i < n; i++) {
        uint64_t byte = plain >> 8 * i & 0xff;
        if (i < 7)
            byte &= 0x9f; /* the check bits */
        byte = large >> i & 1 ? stoic_pair_exchange(byte) : byte;
        data[i] = (byte & 0x80 ? 0 - (byte & 0x7f) : byte) & 0xff;
    }
    return verdict;
}

/* The bits of a word that are wrong, as it is stored, at most two; -1: more than can be told. */
static int wrong_bits(const stoic_words *w, const stoic_word *word, uint32_t large, int n,
                      int at[2]) {
    const int held = w->weights * w->data;
    stoic_word full = {{held < 64 ? word->part[0] & (((uint64_t)1 << held) - 1) : word->part[0]}};
    if (w->pairs) {
        static const int8_t exchanged[8] = {5, 6, 2, 3, 4, 0, 1, 7};
        unsigned s = pair_syndrome(w->pairs, word, large);
        int found = 0, bits[2] = {w->pairs->first[s], w->pairs->second[s]};
        for (int i = 0; i < 2 && bits[i] != STOIC_PAIR_NONE; i++) {
            if (bits[i] >= 8 * n)
                return -1;
            bool swap = large >> bits[i] / 8 & 1;
            at[found++] = swap ? bits[i] / 8 * 8 + exchanged[bits[i] % 8] : bits[i];
        }
        return w->pairs->detected[s] ? -1 : found;
    }
    const int first = w->redundant ? w->secded->at[0] : 64;
    if (w->redundant)
        stoic_word_put(&full, first, w->redundant, stoic_word_get(word, held, w->redundant));
    int bit = wrong_bit(w->secded, stoic_secded_syndrome(w->secded, &full));
    if (bit == -2 || (bit >= n * w->data && bit < first))
        return -1;
    at[0] = bit < first ? bit : held + bit - first;
    return bit >= 0;
}

stoic_verdict stoic_words_mend(const stoic_words *words, stoic_word *word, uint32_t side, int n) {
    int at[2], wrong;
    if (words->copied) {
        uint64_t data;
        stoic_verdict verdict = open_repeated(words, word, &data);
        uint64_t top = data >> (words->data - words->copied);
        stoic_word_put(word, 0, words->data, data);
        stoic_word_put(word, words->data, words->copied, top);
        stoic_word_put(word, words->data + words->copied, words->copied, top);
        return verdict;
    }
    if (!words->pairs && !words->secded)
        return STOIC_WORD_CLEAN;
    wrong = wrong_bits(words, word, side, n, at);
    for (int i = 0; i < wrong; i++)
        word->part[at[i] / 64] ^= (uint64_t)1 << at[i] % 64;
    return wrong < 0 ? STOIC_WORD_DETECTED : wrong ? STOIC_WORD_CORRECTED : STOIC_WORD_CLEAN;
}

stoic_verdict stoic_words_open(const stoic_words *words, const stoic_word *word, uint32_t side,
                               int n, uint64_t *data) {
    if (words->copied)
        return open_repeated(words, word, data);
    if (words->pairs)
        return open_pairs(words, word, side, n, data);
    if (words->secded)
        return words->redundant ? open_secded(words, word, n, data)
                                : open_in_place(words, word, n, data);
    data[0] = word->part[0];
    return STOIC_WORD_CLEAN;
}
