/*
 * Packed tensors, read in stretches: words are voted or corrected, then widened to codes and to
 * weights. Nothing is expanded as a whole.
 */
#ifndef STOIC_RUNTIME_PACKED_H
#define STOIC_RUNTIME_PACKED_H

#include "runtime/bytes.h"

/* The words of a tensor. `image` is readable 16 bytes behind its end. */
typedef struct stoic_packed {
    stoic_words words;
    const uint64_t *image;
    const uint8_t *side_bytes;  /* of each word what its code's list names, in one byte */
    const uint32_t *side_words; /* or in four; both may be NULL */
    int64_t weights;
} stoic_packed;

int64_t stoic_packed_count(const stoic_packed *packed); /* of its words */
/* Weights that lie in a word. */
int stoic_packed_held(const stoic_packed *packed, int64_t word);
uint32_t stoic_packed_side(const stoic_packed *packed, int64_t word);
/* Can words be handled as numbers of 32 bits: one weight each, repeated or not? Then a stretch may
 * begin anywhere. */
bool stoic_packed_is_narrow(const stoic_packed *packed);

/* Codes of at most 32 bits of weights `first` to `first` + n <= STOIC_BULK_STRETCH: whole words,
 * unless they end the tensor. `told` (may be NULL) is added to; `lost` (may be NULL, then n flags)
 * says which weights lie in a word that was found wrong and not repaired. */
void stoic_packed_codes(const stoic_store_kernels *kernels, const stoic_packed *packed,
                        int64_t first, int n, uint32_t *codes, stoic_reading *told, bool *lost);

/* Do codes have at most 8 bits? */
bool stoic_packed_is_short(const stoic_packed *packed);
/* The codes themselves, where each is a byte of the image and nothing protects it; otherwise NULL.
 */
const uint8_t *stoic_packed_as_bytes(const stoic_packed *packed);
/* Asks for the words of n weights some stretches of bytes behind weight `first`: rows of a matrix
 * are read in turn, which is more than the processor sees through by itself. */
void stoic_packed_prefetch(const stoic_packed *packed, int64_t first, int n);
/* Codes of at most 8 bits, each in a byte, of any tensor that has such: as stoic_packed_codes(), of
 * up to STOIC_BYTE_STRETCH weights. */
void stoic_packed_bytes(const stoic_store_kernels *kernels, const stoic_byte_kernels *bytes,
                        const stoic_packed *packed, int64_t first, int n, uint8_t *codes,
                        stoic_reading *told, bool *lost);

#endif
