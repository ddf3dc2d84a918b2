/* A protected weight file that has been read, inside. */
#ifndef STOIC_INFER_INFER_INSIDE_H
#define STOIC_INFER_INFER_INSIDE_H

#include "base/rng.h"
#include "runtime/walk.h"

struct stoic_infer {
    char *path;
    uint8_t *bytes; /* of the file; its words are the live store */
    size_t size;
    stoic_stw file;
    stoic_run_facts facts;
    stoic_model *model;       /* what a data set is opened with */
    stoic_run_count *counted; /* of each tensor, over all batches */
    uint64_t strikes;         /* batches that faults have struck before */
};

/* The best loops of this processor. */
stoic_run_set stoic_infer_best_set(void);
/* Writes ranges of the inputs of Conv and Gemm, one for each node, into a file in memory. */
stoic_status stoic_infer_set_ranges(uint8_t *bytes, const stoic_stw *file, const char *name,
                                    const stoic_range *seen, stoic_error *err);
/* Where the words are, to be written to. */
uint8_t *stoic_infer_words(stoic_infer *infer);
/* Flips each stored bit with probability `ber`, but for protected ones; returns how many. Faults
 * are a function of the seed and of how many strikes there have been. */
int64_t stoic_infer_strike(stoic_infer *infer, double ber, uint64_t seed);

#endif
