/* The loops of a run that multiply codes of at most 8 bits: each is widened in a register and used
 * there, and no floats are written in between. Products are fused with the sums they go to, in the
 * order of run_loops.h, so that the sets that have these loops give the bits of their own dots().
 * Compiled once per instruction set, as bytes.h. */
#ifndef STOIC_RUNTIME_CODED_LOOPS_H
#define STOIC_RUNTIME_CODED_LOOPS_H

#include "runtime/bulk_kernels.h"
#include "runtime/run_loops.h"

typedef struct stoic_byte_rule stoic_byte_rule;

/* Memory that will be read next, of each row: `step` bytes for 64 weights, anywhere. */
typedef struct stoic_coded_ahead {
    const uint8_t *from[STOIC_RUN_ROWS];
    int64_t step;
} stoic_coded_ahead;

typedef struct stoic_coded_loops {
    /* Can dots() widen codes of this rule? */
    bool (*knows)(const stoic_byte_rule *rule);
    /* dots() of run_loops.h, with rows of codes; meanwhile it asks for what is ahead */
    void (*dots)(const stoic_byte_rule *rule, const uint8_t *const rows[STOIC_RUN_ROWS],
                 const stoic_coded_ahead *ahead, int64_t n, const float *x,
                 float sums[STOIC_RUN_ROWS][STOIC_RUN_LANES]);
    /* The same of n words of one weight and 2 <= word <= 8 bits, row r from bit at[r] on, repeated
     * or not, with rules of at most 5 bits. Returns whether some word held copies that are not
     * alike. NULL: open them first. */
    bool (*dots_short)(const uint64_t *image, const int64_t at[STOIC_RUN_ROWS],
                       const stoic_words *words, const stoic_byte_rule *rule, int64_t n,
                       const float *x, float sums[STOIC_RUN_ROWS][STOIC_RUN_LANES]);
    /* Rows of such words as integers, a code standing for the signed byte that code ^ flip is:
     * sums[r] = the product of row r and x, totals[r] = the sum of row r. NULL: open them first */
    bool (*integers_short)(const uint64_t *image, const int64_t at[STOIC_RUN_ROWS],
                           const stoic_words *words, uint8_t flip, int64_t n, const uint8_t *x,
                           int32_t sums[STOIC_RUN_ROWS], int32_t totals[STOIC_RUN_ROWS]);
} stoic_coded_loops;

enum { STOIC_CODED_SHORT_BITS = 5 };

/* The definitions, one product after another. */
extern const stoic_coded_loops stoic_coded_loops_plain;

#endif
