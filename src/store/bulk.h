/*
 * Whole tensors through a store, in stretches that fit into the first cache: packed words <-> words
 * <-> codes <-> weights. lines.c has the same, weight by weight: the reference that tests hold this
 * against.
 */
#ifndef STOIC_STORE_BULK_H
#define STOIC_STORE_BULK_H

#include "runtime/bulk_kernels.h"
#include "store/layout.h"

/* The sets there are, and how many of them this CPU can run; the best of them. */
int stoic_store_kernels_all(const stoic_store_kernels *sets[3]);
const stoic_store_kernels *stoic_store_kernels_get(void);

/* Can `encode` do what the store asks for, to the bit and with the same counts? */
bool stoic_bulk_encodes(const stoic_store *store, int entry);
bool stoic_bulk_decodes(const stoic_store *store, int entry);
/* As stoic_lines_encode() and _decode(). */
void stoic_bulk_encode(const stoic_store_kernels *kernels, stoic_store *store, int entry);
void stoic_bulk_decode(const stoic_store_kernels *kernels, const stoic_store *store, int entry,
                       float *weights);

/* A piece of it: words with the data of several weights, or of more than 32 bits. Weights `first`
 * to `first` + n, n a multiple of the weights a word unless it ends the entry. */
void stoic_bulk_make_words(const stoic_store_kernels *kernels, stoic_store *store, int entry,
                           int64_t first, int n, const uint32_t *codes);

#endif
