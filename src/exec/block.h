/*
 * Golden values of a block of consecutive images: every value a step reads or writes, computed
 * once and shared by all faults (and, where memory allows, by all workers).
 *
 * Beside the values in memory order a block keeps, on demand, what the narrow path needs: a
 * value with 16 images side by side, the sums of a layer in front of what is fused behind
 * it, and how large the partial sums of its chains are. These are made under the block's lock.
 *
 * Whatever is complete is sealed (base/seal.h): nobody writes it any more.
 */
#ifndef STOIC_EXEC_BLOCK_H
#define STOIC_EXEC_BLOCK_H

#include <pthread.h>

#include "exec/chain.h"

/* How large the partial sums of one layer's chains are: per output the sum of |partial sum|
 * (memory order, [image][output]), per image the largest of these and the largest partial sum. */
typedef struct stoic_probe {
    float *totals, *total, *peak;
} stoic_probe;

/* Intervals of what one weight adds to one sum: line.c. */
typedef struct stoic_line stoic_line;
void stoic_line_free(stoic_line *line);
/* Bytes of all intervals of a block at most, an image. */
int64_t stoic_line_bytes(const stoic_program *g);

typedef struct stoic_block {
    const stoic_program *program;
    uint64_t serial; /* no other block ever has it */
    int64_t first;
    int count, groups;   /* images, and groups of 16 of them */
    bool filled;         /* golden has all values, not only the input */
    float **golden;      /* value (roots) -> count x size; NULL: not kept */
    float **lanes;       /* value -> groups x size x 16 */
    float **sums;        /* layer -> count x size, where something is fused behind */
    stoic_probe *probes; /* layer */
    float **errors;      /* layer -> count x classes: difference.c */
    float **quiet;       /* layer -> count x classes: relay_quiet.c */
    stoic_line **lines;  /* layer: line.c */
    stoic_seals seals;   /* of all of these; grows under the lock */
    pthread_mutex_t lock;
} stoic_block;

/* Does a block keep golden values of this value? */
bool stoic_block_keeps(const stoic_program *program, int value);
/* Bytes of golden values an image. */
int64_t stoic_block_bytes(const stoic_program *program);

/* A block that has but its input yet, `count` NCHW images. */
stoic_status stoic_block_open(const stoic_program *program, const float *images, int64_t first,
                              int count, stoic_block **out, stoic_error *err) STOIC_MUST_CHECK;
/* Runs `session` (without edits) over it. One thread, before any other sees the block. */
stoic_status stoic_block_fill(stoic_block *block, stoic_session *session,
                              stoic_error *err) STOIC_MUST_CHECK;
/* Both. */
stoic_status stoic_block_create(stoic_session *session, const float *images, int64_t first,
                                int count, stoic_block **out, stoic_error *err);
void stoic_block_free(stoic_block *block);

/* Is all that was complete when it began as it was made? Any thread. */
bool stoic_block_intact(stoic_block *block);
/* A part is complete. With the lock held. */
stoic_status stoic_block_seal(stoic_block *block, const void *part, int64_t bytes,
                              stoic_error *err);

/* The parts on demand; any thread, with its own session (edits do not matter). */
stoic_status stoic_block_lanes(stoic_block *block, int value, const float **out, stoic_error *err);
stoic_status stoic_block_sums(stoic_block *block, stoic_session *clean, int step, const float **out,
                              stoic_error *err);
stoic_status stoic_block_probe(stoic_block *block, const stoic_chains *chains, int step,
                               const stoic_probe **out, stoic_error *err);

#endif
