/*
 * How packed words hold weights, and what reading one tells: the decoding half of the codes. Their
 * encoding half is in src/store; both use the tables here.
 *
 * A word holds `weights` weights of `data` bits each, weight after weight from bit 0 on, and
 * `redundant` bits above them (docs/store-specs.md).
 */
#ifndef STOIC_RUNTIME_WORDS_H
#define STOIC_RUNTIME_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "stoic/store.h"

/* X(enumerator, name, argument) */
#define STOIC_FORMAT_LIST(X)                                                                       \
    X(FP32, "fp32", "")                                                                            \
    X(FP16, "fp16", "")                                                                            \
    X(BF16, "bf16", "")                                                                            \
    X(FP64, "fp64", "")                                                                            \
    X(FIXED, "fixed", "W:F")                                                                       \
    X(Q25, "q2.5", "")                                                                             \
    X(AFFINE, "affine", "M")                                                                       \
    X(INT8, "int8", "")

#define STOIC_FORMAT_ENUM(enumerator, name, argument) STOIC_FORMAT_##enumerator,
typedef enum stoic_format_kind { STOIC_FORMAT_LIST(STOIC_FORMAT_ENUM) } stoic_format_kind;
#undef STOIC_FORMAT_ENUM

/* A sum of columns of 8 bits, one for each bit of 64 that is set, in three forms for fast loops. */
typedef struct stoic_parity {
    uint64_t masks[8];       /* bit j of the sum is the parity of the bits & masks[j] */
    uint8_t nibbles[16][16]; /* what each value of each four bits adds */
    uint64_t matrices[8];    /* over GF(2): byte 7 - j of matrices[b] is byte b of masks[j] */
} stoic_parity;

void stoic_parity_fill(stoic_parity *out, const uint8_t columns[64]);

/* Bits [at, at + count) of a word, count <= 64. */
uint64_t stoic_word_get(const stoic_word *word, int at, int count);
void stoic_word_put(stoic_word *word, int at, int count, uint64_t bits);

/* The same of an image of packed words: `bits` of them from bit `at` on; may read the 8 bytes
 * behind. put() replaces what is there. */
stoic_word stoic_image_get(const uint64_t *image, int64_t at, int bits);
void stoic_image_replace(uint64_t *image, int64_t at, int bits, const stoic_word *word);

/* Single error correction, double error detection (secded.c). */
typedef enum stoic_secded_shape {
    STOIC_SECDED_72,
    STOIC_SECDED_39,
    STOIC_SECDED_IN_PLACE
} stoic_secded_shape;

typedef struct stoic_secded {
    int n, r;              /* bits of a word, check bits */
    uint8_t column[72];    /* of each bit of the word */
    uint8_t at[72];        /* where the check bits stand */
    uint8_t table[9][256]; /* of each byte of the word: the sum of its bits' columns */
    int8_t bit[256];       /* of each syndrome: the wrong bit, -1 none */
    stoic_parity parity;   /* of the first 64 bits, but for checks that stand apart */
} stoic_secded;

void stoic_secded_fill(stoic_secded *out, stoic_secded_shape shape);
/* `word` with the redundancy at its place in a full word of the code. */
unsigned stoic_secded_syndrome(const stoic_secded *t, const stoic_word *word);

/* Double error correction in place (double_error.c). */
enum { STOIC_PAIR_CHECKS = 14, STOIC_PAIR_NONE = 0xff };

typedef struct stoic_pair_code {
    uint8_t coefficient[64];     /* of each bit of the word */
    uint16_t column[64];         /* of each bit: the powers r(a), r(a^3) it adds */
    uint16_t table[8][256];      /* of each byte of the word: its syndrome */
    uint16_t check_word[8][256]; /* of each byte of data: the check bits it adds */
    stoic_parity halves[4];      /* even and odd bits of the syndrome, then of the check word */
    uint8_t first[1 << STOIC_PAIR_CHECKS], second[1 << STOIC_PAIR_CHECKS]; /* the wrong bits */
    bool detected[1 << STOIC_PAIR_CHECKS];
} stoic_pair_code;

void stoic_pair_code_fill(stoic_pair_code *out);
/* Where check bit i stands, and a byte with bits 6, 5 and 1, 0 exchanged. */
int stoic_pair_check_at(int i);
uint64_t stoic_pair_exchange(uint64_t byte);

/* One code over one format. `copied` top bits stand three times; of the tables at most one. */
typedef struct stoic_words {
    int data, weights, redundant, word; /* bits a weight; weights, redundancy, bits a word */
    int copied;
    const stoic_secded *secded;
    const stoic_pair_code *pairs;
} stoic_words;

/* The data of the n weights a word holds. `side`: which of them its code's list names. */
stoic_verdict stoic_words_open(const stoic_words *words, const stoic_word *word, uint32_t side,
                               int n, uint64_t *data);

/* Corrects the word itself, as scrubbing writes it back; unchanged where that is not possible. */
stoic_verdict stoic_words_mend(const stoic_words *words, stoic_word *word, uint32_t side, int n);

/* What reading a tensor told, in words. */
typedef struct stoic_reading {
    int64_t corrected, detected;
} stoic_reading;

#endif
