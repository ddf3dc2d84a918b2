/*
 * Loops over codes of at most 8 bits, each in a byte of its own: what most protected weights are.
 * Compiled once per instruction set, as bulk_kernels.h, of which these are the short way.
 */
#ifndef STOIC_RUNTIME_BYTES_H
#define STOIC_RUNTIME_BYTES_H

#include "runtime/bulk_kernels.h"
#include "runtime/coded_loops.h"
#include "runtime/int_loops.h"
#include "runtime/sum_loops.h"
#include "runtime/word_loops.h"

/* What each code is worth. Where `linear`, with x = code ^ flip as a number, in two's complement if
 * flip is 128, that is also
 *
 *   (x * high + shift) + (x * low + rest),  sums of products rounded once
 *
 * `high` and `shift` are multiples of a power of two that leaves their sums exact, so that only the
 * addition rounds what matters. Whoever fills a rule has compared the two for every code. */
typedef struct stoic_byte_rule {
    int bits;
    bool linear;
    uint8_t flip;
    float high, shift, low, rest;
    float table[256];
} stoic_byte_rule;

typedef struct stoic_byte_kernels {
    const stoic_int_loops *integers;
    const stoic_coded_loops *coded; /* whose entries are NULL where there are none */
    const stoic_word_loops *words;
    const stoic_sum_loops *sums;
    void (*widen)(const stoic_byte_rule *rule, const uint8_t *codes, int n, float *weights);
    /* rows r < 16 of codes, n long and `step` apart, to to[i][r] */
    void (*interleave)(const uint8_t *from, int64_t step, int64_t n, uint8_t *to);
} stoic_byte_kernels;

/* Codes at once: whole groups of 64 words of 8 codes. */
enum { STOIC_BYTE_STRETCH = 1024 };

#endif
