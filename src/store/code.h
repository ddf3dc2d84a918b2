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

#include "runtime/words.h"
#include "store/format.h"

typedef struct stoic_code stoic_code;

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
    int copied; /* repetition: top bits that stand three times */
    /* tables of the code, at most one of them */
    const stoic_secded *secded;
    const stoic_pair_code *pairs;
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

/* What a reader needs to know of a code; and the decoder of every family, by these facts. */
stoic_words stoic_code_words(const stoic_code *code);
stoic_verdict stoic_code_open(const stoic_code *code, const stoic_word *word, uint32_t side, int n,
                              uint64_t *data);

#endif
