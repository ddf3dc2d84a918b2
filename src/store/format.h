/*
 * How one weight becomes the bits of a stored word: a number format, then a code over it.
 *
 *   word = code.encode(format.encode(weight))      weight = format.decode(code.decode(word))
 *
 * Formats, scales and codes are rows of the tables below. A row whose descriptor is NULL is a
 * spelling of the command line that is known and refused by name until it is filled in.
 * Weights pass by address, never by value: a signalling NaN must keep its bits on any machine.
 */
#ifndef STOIC_STORE_FORMAT_H
#define STOIC_STORE_FORMAT_H

#include <stdint.h>

#include "stoic/store.h"

/* A number format. Positions are bits of the data word, -1 where there is no such field; what
 * lies below sign and exponent is the mantissa. */
typedef struct stoic_format {
    const char *name;
    int bits;
    int sign;
    int exponent_high, exponent_low;
    uint64_t (*encode)(const float *weight);
    void (*decode)(uint64_t bits, float *weight);
} stoic_format;

/* A code over one word. `bits` is the length of a word whose data have `data_bits`. */
typedef struct stoic_code {
    const char *name;
    int (*bits)(int data_bits);
    uint64_t (*encode)(uint64_t data);
    uint64_t (*decode)(uint64_t word);
    stoic_bit_role (*role)(int bit);
} stoic_code;

extern const stoic_format stoic_format_fp32;
extern const stoic_code stoic_code_none;

/* X(name, argument, descriptor) */
#define STOIC_FORMAT_LIST(X)                                                                       \
    X("fp32", "", &stoic_format_fp32)                                                              \
    X("fp16", "", NULL)                                                                            \
    X("bf16", "", NULL)                                                                            \
    X("fp64", "", NULL)                                                                            \
    X("fixed", "W:F", NULL)                                                                        \
    X("q2.5", "", NULL)                                                                            \
    X("affine", "M", NULL)                                                                         \
    X("int8", "", NULL)

#define STOIC_CODE_LIST(X)                                                                         \
    X("none", "", &stoic_code_none)                                                                \
    X("msb3", "", NULL)                                                                            \
    X("rep", "K", NULL)                                                                            \
    X("tmr", "", NULL)                                                                             \
    X("secded72", "", NULL)                                                                        \
    X("secded39", "", NULL)                                                                        \
    X("zerospace64", "", NULL)                                                                     \
    X("parity64", "", NULL)

/* A field or list of bits ("exponent", "30+23-26", "all") as a mask. */
stoic_status stoic_format_mask(const stoic_format *format, const char *field, uint64_t *mask,
                               stoic_error *err);
/* "sign", "exponent" or "mantissa". */
const char *stoic_format_field(const stoic_format *format, int bit);

/* The other way: a mask in its one canonical spelling, a field's name where one fits, else a list
 * from the highest bit down. Bits outside `allowed` do not count. `text` has room for
 * STOIC_MASK_TEXT bytes. */
enum { STOIC_MASK_TEXT = 256 };
void stoic_format_mask_text(const stoic_format *format, uint64_t mask, uint64_t allowed,
                            char text[STOIC_MASK_TEXT]);

#endif
