/* Loops that open words whose check bits are sums of columns, to a byte for each code, and tell
 * which are wrong; those are then left to the code's own decoder. Of n words, bit i % 64 of wrong[i
 * / 64] says whether the syndrome of word i is not zero; each returns whether any is. An entry that
 * is NULL: there is no such loop. Compiled once per instruction set, as bytes.h. */
#ifndef STOIC_RUNTIME_SUM_LOOPS_H
#define STOIC_RUNTIME_SUM_LOOPS_H

#include "runtime/words.h"

typedef struct stoic_sum_loops {
    /* words of 8 codes of 8 bits, as secded72 and zerospace64 have them */
    bool (*open_bytes)(const uint8_t *image, const stoic_words *words, int n, uint8_t *codes,
                       uint64_t *wrong);
    /* words of secded with check bits above the data, codes of at most 8 bits, whose first begins
     * with bit `first` < 8; `there` bytes can be read */
    bool (*open_parts)(const uint8_t *image, int first, int64_t there, const stoic_words *words,
                       int n, uint8_t *codes, uint64_t *wrong);
    /* words of parity64; side[i], or 0 where `side` is NULL: which weights of word i are large */
    bool (*open_pairs)(const uint8_t *image, const uint8_t *side, const stoic_words *words, int n,
                       uint8_t *codes, uint64_t *wrong);
} stoic_sum_loops;

#endif
