/* Conv and Gemm with integers for activations: what their files share (run_integers.c). */
#ifndef STOIC_RUNTIME_RUN_INTEGERS_H
#define STOIC_RUNTIME_RUN_INTEGERS_H

#include "runtime/walk.h"

/* One node, and where its parts lie in the scratch of a call, in bytes. */
typedef struct stoic_int_work {
    const stoic_stw_node *node;
    const stoic_stw_value *in, *out;
    bool direct;               /* a convolution whose windows are not gathered */
    int64_t taps, quads;       /* of a sum; the latter rounded up */
    int64_t height, width;     /* of the input with its padding */
    int64_t positions, padded; /* of a call; the latter a multiple of a tile */
    uint64_t image, windows, totals, rows, turned, sums, weights, bias, end;
    uint64_t codes, pixels, offsets, laced; /* of a direct one */
} stoic_int_work;

static inline void *stoic_int_part(const stoic_run *run, uint64_t at) {
    return (uint8_t *)run->scratch + at;
}

static inline const stoic_int_loops *stoic_int_loops_of(const stoic_run *run) {
    return run->set.bytes->integers;
}

/* Takes bytes at the end of the scratch; returns where. */
uint64_t stoic_int_take(uint64_t *end, uint64_t bytes);
/* What a sum of output `first` + l * step is worth, but for the weights' sums. */
void stoic_int_set_worth(const stoic_run *run, const stoic_int_work *w, int64_t first, int64_t step,
                         int lanes, stoic_int_worth *out);
/* Sums of weights count where zero is not code 0. */
void stoic_int_sum_rows(const stoic_run *run, const stoic_int_work *w, const int8_t *rows, int n,
                        stoic_int_worth *out);
/* A value for each output, or NULL. */
const float *stoic_int_bias(stoic_run *run, const stoic_int_work *w);

/* ---- run_integers_conv.c ---- */

/* Places the parts of a convolution of n images. */
void stoic_int_lay_conv(stoic_int_work *w, int n);
void stoic_int_conv(stoic_run *run, const stoic_int_work *w);

#endif
