/*
 * Loops over packed words, codes and weights, compiled once per instruction set. What the store
 * and the minimal core share: the store picks a set at run time, the core is given one.
 */
#ifndef STOIC_RUNTIME_BULK_KERNELS_H
#define STOIC_RUNTIME_BULK_KERNELS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "runtime/words.h"

/* What the loops need of a format, the same for all weights of a stretch. */
typedef struct stoic_value_rule {
    stoic_format_kind kind;
    int bits;
    bool is_signed; /* integers in two's complement */
    bool hold;
    double step, zero; /* integers: (code - zero) * step */
    double scale;      /* what encoding multiplies by and decoding divides by */
    double low, high;  /* integers: the smallest and largest code */
} stoic_value_rule;

/* Weights that floating point held below 2, or made infinite. */
typedef struct stoic_bulk_fit {
    int held, outside;
} stoic_bulk_fit;

/* Smallest and largest of some weights; whether all are finite. A NaN is neither. */
typedef struct stoic_range {
    float low, high;
    bool finite;
} stoic_range;

/* One instruction set's loops over bits. Codes have at most 32 bits. What reads an image may read
 * the 16 bytes behind its words, and what writes one may write zeros there: an image is written in
 * ascending order, into zeros. Arrays of codes have ROOM behind their end. */
typedef struct stoic_bits_kernels {
    /* n words of 2 <= `bits` <= 32 bits from bit `at` on */
    void (*unpack)(const uint64_t *image, int64_t at, int bits, int n, uint32_t *words);
    void (*pack)(uint64_t *image, int64_t at, int bits, int n, const uint32_t *words);
    /* n words of 16 < held <= 64 bits of data and `redundant` <= 8 bits of checks */
    void (*open)(const uint64_t *image, int64_t at, int held, int redundant, int n, uint64_t *data,
                 uint8_t *checks);
    /* may change `data` */
    void (*close)(uint64_t *image, int64_t at, int held, int redundant, int n, uint64_t *data,
                  const uint8_t *checks);
    /* n words into codes of `bits` bits, `weights` each, at most 64 bits together; and back */
    void (*split)(const uint64_t *data, int n, int weights, int bits, uint32_t *codes);
    void (*join)(const uint32_t *codes, int n, int weights, int bits, uint64_t *data);
    void (*parities)(const uint64_t *words, int n, const stoic_parity *parity, uint8_t *sums);
} stoic_bits_kernels;

/* Over the words of the codes in place, at most an eighth of a stretch. */
typedef struct stoic_in_place_kernels {
    /* zerospace64: the first seven weights into [-64, 63], bit 6 cleared; returns how many changed
     */
    int (*spare)(uint64_t *words, int n);
    void (*put_checks)(uint64_t *words, int n, const uint8_t *sums);
    /* parity64, two's complement to what the code sees, checks apart, and which weights are large;
     * returns how many changed for want of a magnitude */
    int (*to_sign)(uint64_t *words, int n, uint32_t *side);
    /* checks, and then what a word stores */
    void (*put_pairs)(uint64_t *words, int n, const uint32_t *side, const uint8_t *even,
                      const uint8_t *odd);
    /* what a word stores to what the code sees */
    void (*exchange)(uint64_t *words, int n, const uint32_t *side);
    void (*from_sign)(uint64_t *words, int n, const uint32_t *side);
} stoic_in_place_kernels;

/* memcpy() of n codes for a stretch, which is long enough for the library's to take a way that is
 * slower here: it is for lengths that leave the caches. */
static inline void stoic_bulk_copy(void *to, const void *from, int n) {
    char *out = to;
    const char *in = from;
    int i = 0;
    for (; i + 16 <= n; i += 16)
        memcpy(out + 4 * i, in + 4 * i, 64);
    memcpy(out + 4 * i, in + 4 * i, (size_t)(n - i) * 4);
}

/* And over numbers. */
typedef struct stoic_store_kernels {
    const stoic_bits_kernels *bits;
    const stoic_in_place_kernels *in_place;
    /* widens `range` */
    void (*range)(const float *weights, int64_t n, stoic_range *range);
    /* majority of the top `copied` bits of `data`, in place; returns how many words differed */
    int (*vote)(uint32_t *words, int n, int data, int copied);
    void (*repeat)(uint32_t *words, int n, int data, int copied);
    /* the same for three whole copies of codes of 32 bits, from code `first` of an image on */
    void (*vote_32)(const uint64_t *image, int64_t first, int n, uint32_t *codes);
    void (*repeat_32)(uint64_t *image, int64_t first, int n, const uint32_t *codes);
    void (*decode)(const stoic_value_rule *rule, const uint32_t *codes, int n, float *weights);
    /* weights[i] = table[words[i]] */
    void (*look_up)(const float *table, const uint32_t *words, int n, float *weights);
    /* how many of these words hold copies that are not alike */
    int (*differing)(const uint32_t *words, int n, int data, int copied);
    /* adds to `fit` */
    void (*encode)(const stoic_value_rule *rule, const float *weights, int n, uint32_t *codes,
                   stoic_bulk_fit *fit);
} stoic_store_kernels;

/* Weights at once; codes behind the end of an array that loops may touch. */
enum { STOIC_BULK_STRETCH = 960, STOIC_BULK_ROOM = 16 };

#endif
