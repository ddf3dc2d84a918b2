/*
 * Codes: how the data of one weight or of several become a word, and what reading it tells.
 *
 * A word holds `weights` weights of `data` bits each, weight after weight from bit 0 on, and
 * `redundant` bits above them. Some codes keep their check bits inside the data (zerospace64,
 * parity64): then `redundant` is 0 and what a weight can hold is less than its format says.
 *
 * X(enumerator, name, argument, descriptor)
 */
#ifndef STOIC_STORE_CODE_H
#define STOIC_STORE_CODE_H

#include "store/format.h"

typedef struct stoic_code stoic_code;

/* A sum of columns of 8 bits, one for each bit of 64 that is set, in two forms for fast loops. */
typedef struct stoic_parity {
    uint64_t masks[8];       /* bit j of the sum is the parity of the bits & masks[j] */
    uint8_t nibbles[16][16]; /* what each value of each four bits adds */
} stoic_parity;

/* A family of codes. Data arrive as one code a weight; places without a weight hold zeros. */
typedef struct stoic_code_family {
    const char *name, *argument;
    /* Fills the rest of `code` for its format and argument; refuses with the reason. */
    stoic_status (*plan)(stoic_code *code, const char *argument, stoic_error *err);
    /* Returns the number of weights it had to change to make them fit. */
    int (*encode)(const stoic_code *code, const uint64_t *data, uint32_t side, stoic_word *word);
    stoic_verdict (*decode)(const stoic_code *code, const stoic_word *word, uint32_t side, int n,
                            uint64_t *data);
    stoic_bit_role (*role)(const stoic_code *code, int bit, uint32_t side);
    /* Per word a set of its weights that the reader is told by a list kept aside; may be NULL. */
    uint32_t (*side)(const stoic_code *code, const uint64_t *data);
    const char *repairs; /* in words */
} stoic_code_family;

struct stoic_code {
    const stoic_code_family *family;
    const stoic_format *format;
    char name[16]; /* canonical: "msb3", "rep:2" */
    int data;      /* bits a weight */
    int weights;   /* a full word */
    int redundant; /* bits above the data */
    int word;      /* bits of a full word */
    int corrects, detects;
    int copied;         /* repetition: top bits that stand three times */
    const void *checks; /* tables of the code */
    /* Parity codes: of a full word's first 64 bits the syndrome, to which the redundant bits are
     * added. NULL: not of this kind. */
    const stoic_parity *parity;
    /* parity64: two halves of the syndrome, the even and the odd check bits. */
    const stoic_parity *halves;
    uint64_t repeated; /* bits that hold checks in place and read as the bit above them */
};

extern const stoic_code_family stoic_code_none, stoic_code_msb3, stoic_code_rep, stoic_code_tmr,
    stoic_code_secded72, stoic_code_secded39, stoic_code_zerospace64, stoic_code_parity64;

#define STOIC_CODE_LIST(X)                                                                         \
    X(none)                                                                                        \
    X(msb3)                                                                                        \
    X(rep)                                                                                         \
    X(tmr)                                                                                         \
    X(secded72)                                                                                    \
    X(secded39)                                                                                    \
    X(zerospace64)                                                                                 \
    X(parity64)

stoic_status stoic_code_parse(const char *text, const stoic_format *format, stoic_code *out,
                              stoic_error *err);

void stoic_parity_fill(stoic_parity *out, const uint8_t columns[64]);

/* Bits [at, at + count) of a word, count <= 64. */
uint64_t stoic_word_get(const stoic_word *word, int at, int count);
void stoic_word_put(stoic_word *word, int at, int count, uint64_t bits);

#endif
