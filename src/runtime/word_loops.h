/* Loops that open words whose codes have at most 8 bits, to a byte for each code. Compiled once per
 * instruction set, as bytes.h. */
#ifndef STOIC_RUNTIME_WORD_LOOPS_H
#define STOIC_RUNTIME_WORD_LOOPS_H

#include "runtime/words.h"

typedef struct stoic_word_loops {
    /* n words of one weight and 2 <= word <= 8 bits from bit `at` on, repeated or not: their codes,
     * voted; returns how many words held copies that are not alike */
    int (*open_short)(const uint64_t *image, int64_t at, const stoic_words *words, int n,
                      uint8_t *codes);
    /* the same of words of more than 8 bits, at most 24, of which 8 are data at most; NULL: by way
     * of bulk_kernels.h */
    int (*open_long)(const uint64_t *image, int64_t at, const stoic_words *words, int n,
                     uint8_t *codes);
    /* n words into `weights` codes of `bits` bits each; NULL: by way of bulk_kernels.h */
    void (*split)(const uint64_t *data, int n, int weights, int bits, uint8_t *codes);
    /* n words of 16 < held <= 64 bits of data and check bits above them, which are one sum of
     * columns, from bit `at` on: the data, and `wrong` as open_summed(). NULL: likewise */
    bool (*open_checked)(const uint64_t *image, int64_t at, const stoic_words *words, int n,
                         uint64_t *data, uint64_t *wrong);
    /* n words of 8 codes of 8 bits, as secded72 and zerospace64 have them: codes as they stand, and
     * in bit i % 64 of wrong[i / 64] whether the syndrome of word i is not zero. Returns whether
     * any is. NULL: take the loops of bulk_kernels.h */
    bool (*open_summed)(const uint8_t *image, const stoic_words *words, int n, uint8_t *codes,
                        uint64_t *wrong);
} stoic_word_loops;

#endif
