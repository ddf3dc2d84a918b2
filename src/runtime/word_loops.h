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
} stoic_word_loops;

#endif
