/*
 * Passes with a fault in a computed value: one image, and what befalls the output of one of the
 * layers it runs through, in front of normalisation and activation.
 *
 * Passes whose faults lie in different layers share their steps: sorted by where they begin, they
 * enter the tile when the sweep over the program's steps comes to them, with golden values of
 * their image, and the steps run for all that are in. A pass whose live values are golden's again
 * leaves. A pass whose fault a checksum notices goes on as if it had not been hit: the layer is
 * computed again (docs/hardening.md). An image's bits do not depend on who else is in the tile, so
 * the outputs are those of the whole network run for one image at a time.
 *
 * Thread-safety: a sweep belongs to one thread.
 */
#ifndef STOIC_EXEC_SWEEP_H
#define STOIC_EXEC_SWEEP_H

#include "exec/block.h"
#include "stoic/map_fault.h"
#include "stoic/op_fault.h"

typedef struct stoic_pass {
    const stoic_block *block;   /* with the image's golden values; NULL: `input` is all there is */
    int image;                  /* offset into the block */
    const float *input;         /* the image in memory order; used without a block */
    int node;                   /* whose output is hit: a layer */
    const stoic_map_hits *hits; /* what befalls elements of the output, or */
    const stoic_op_hit *op;     /* NULL, or the operation that is hit */
    size_t id;                  /* the caller's */
} stoic_pass;

typedef struct stoic_pass_sink {
    void *user;
    /* Element `i` of the hits of a pass, found and left. Of an operation the outputs that have the
     * step, from hit.output on, by its own order of sums: where both are the same, to the bit or as
     * NaN, the output stays as the canonical kernel has it. */
    void (*hit)(void *user, size_t id, size_t i, float before, float after);
    /* The output (memory order), and whether a checksum is off. Passes that are not reported have
     * golden's, bit for bit, and its alarm. */
    void (*output)(void *user, size_t id, const float *output, bool alarm);
} stoic_pass_sink;

typedef struct stoic_sweep stoic_sweep;

/* `full`: every pass runs from the image to the output, whatever is known. */
stoic_status stoic_sweep_create(const stoic_program *program, bool full, stoic_sweep **out,
                                stoic_error *err) STOIC_MUST_CHECK;
void stoic_sweep_free(stoic_sweep *sweep);
/* Can an operation of this node be hit? */
bool stoic_sweep_has_sums(const stoic_sweep *sweep, int node);

/* Runs the passes, in any order. Edits of the session stay, and act on all of them. */
stoic_status stoic_sweep_run(stoic_sweep *sweep, stoic_session *session, const stoic_pass *passes,
                             size_t n, const stoic_pass_sink *sink,
                             stoic_error *err) STOIC_MUST_CHECK;

#endif
