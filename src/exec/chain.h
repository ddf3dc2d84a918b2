/*
 * The order in which the canonical kernels sum, so that single output channels can be computed
 * again, alone, to the same bits.
 *
 * oneDNN's convolutions that we admit compute each output as one chain of fused multiply-adds
 * (observed, and checked here): over blocks of input channels, kernel rows, kernel columns and
 * input channels, the bias added first or last. Which of these orders a kernel follows is found
 * by comparing candidate chains with what it computes for random images, over all its outputs;
 * where none agrees to the bit, the chain is unknown and nobody uses it. A wrong order differs in
 * most outputs, so agreement on thousands of them leaves no doubt; the campaign checks it again
 * on its own golden values.
 */
#ifndef STOIC_EXEC_CHAIN_H
#define STOIC_EXEC_CHAIN_H

#include "exec/run.h"

typedef struct stoic_layer_chain {
    bool known;
    stoic_chain shape; /* first = 0: see stoic_chain_of() for a channel's group */
    int64_t taps;      /* fmas an output: kh * kw * ic */
    int32_t *offset;   /* [channels][kh][kw][ic] -> offset in the packed weights */
    double norm;       /* an upper bound of the largest row sum of |weights| */
    float *by_input;   /* [kh][kw][ic][channels], weights without faults; NULL: groups, or large */
} stoic_layer_chain;

typedef struct stoic_chains {
    const stoic_program *program;
    stoic_layer_chain *layers; /* by layer of the program */
} stoic_chains;

/* Finds the chains of all layers of a program. Immutable afterwards, may be shared. */
stoic_status stoic_chains_create(const stoic_program *program, stoic_chains **out,
                                 stoic_error *err);
/* Compares every known chain with the canonical sums of up to 16 real images, given the golden
 * values of a block (block.h); a chain that disagrees counts as unknown. Before the chains are
 * shared. */
stoic_status stoic_chains_confirm(stoic_chains *chains, stoic_session *clean, float *const *golden,
                                  int count, stoic_error *err);
/* As stoic_program_seal(), behind stoic_chains_confirm(). */
stoic_status stoic_chains_seal(const stoic_chains *chains, stoic_seals *weights, stoic_seals *plan,
                               stoic_error *err);
void stoic_chains_free(stoic_chains *chains);

/* The chain that computes output channel `channel`, and its weights as they are in the session now,
 * in chain order, written to `weights` (taps floats). */
stoic_chain stoic_chain_of(const stoic_chains *chains, int layer, int64_t channel);
void stoic_chain_weights(const stoic_chains *chains, const stoic_session *s, int layer,
                         int64_t channel, float *weights);

/* The place of the input [ih * iw] that tap (ky, kx) meets at each pixel of the sums; -1: padding.
 * *at, with room for *room, grows as needed. */
stoic_status stoic_chain_places(const stoic_chain *chain, int64_t ky, int64_t kx, int32_t **at,
                                size_t *room, stoic_error *err);

/* From n <= 16 images in memory order to [size][16], missing lanes 0. */
void stoic_lanes_pack(const float *images, int n, int64_t size, float *lanes);

#endif
