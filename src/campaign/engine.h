/*
 * The engine: evaluates the trials of a campaign for the runner, over src/exec. It chooses the
 * design when a campaign is created, computes the golden outcome, and stands behind
 * stoic_worker_api. Fast paths give exactly the counts of the full engine.
 *
 * Ownership: the engine borrows everything it is created from; it must outlive the workers.
 * Thread-safety: created and freed by one thread; the worker API is called by many.
 */
#ifndef STOIC_CAMPAIGN_ENGINE_H
#define STOIC_CAMPAIGN_ENGINE_H

#include "campaign/outcome.h"
#include "campaign/transient.h"
#include "campaign/worker.h"

typedef struct stoic_engine stoic_engine;
struct stoic_sink; /* exec/faulty.h */

/* What the network gives without faults, under the campaign's store. */
typedef struct stoic_golden {
    uint8_t digest[16]; /* of all outputs, in the order of the images */
    int64_t images, correct;
    const uint16_t *top1; /* one an image, borrowed from the engine */
    const uint8_t *hits;  /* 1: top-1 equals the label; one an image, borrowed */
} stoic_golden;

/* The design of a new campaign: from counted multiply-adds, never from clocks, threads or memory,
 * because it decides the order of work in every continuation and shard. One unit (chunk x block)
 * should take well below a quarter of a second: a kill loses what is in flight. `stored`: some of
 * the faults lie in stored bits; `swept`: one weight's bits after the other, with short cuts. */
stoic_design stoic_engine_design(const stoic_model *model, int64_t images, int64_t images_per_trial,
                                 bool stored, bool swept);

/* A trial with so many edits keeps them in the worker's session from block to block, if the design
 * has one trial a chunk. */
enum { STOIC_MANY_EDITS = 4096 };

/* Runs the golden pass. A trial applies the hits of all `faults`, in order, and `transient` (NULL:
 * none) in each pass; with neither the caller brings the edits (stoic_engine_worker_edits). Of
 * `options` it reads outcomes, engine, nan_rule, seed, threads, memory and cancel. */
stoic_status stoic_engine_create(const stoic_model *model, const stoic_dataset *data,
                                 const stoic_store *store, stoic_fault *const *faults,
                                 size_t n_faults, const stoic_transient *transient,
                                 const stoic_campaign_options *options, const stoic_design *design,
                                 stoic_engine **out, stoic_error *err) STOIC_MUST_CHECK;
void stoic_engine_free(stoic_engine *engine);

const stoic_golden *stoic_engine_golden(const stoic_engine *engine);
const stoic_golden_outputs *stoic_engine_outputs(const stoic_engine *engine);
void stoic_engine_worker_api(stoic_engine *engine, stoic_worker_api *out);

/* Edits of the caller's own instead of a trial's, on the current block of a worker that the worker
 * API opened: what came of them, or the outputs of all images that changed, by offset into the
 * block (the others have golden's). `sink` needs `output` alone. */
stoic_status stoic_engine_worker_edits(void *state, const stoic_edit *edits, size_t n_edits,
                                       stoic_counts *counts, stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_engine_worker_outputs(void *state, const stoic_edit *edits, size_t n_edits,
                                         const struct stoic_sink *sink,
                                         stoic_error *err) STOIC_MUST_CHECK;

/* For replay: the first operator whose input the edits change ("Conv 'conv1'"), and for one image
 * a line that compares golden and faulty output (-1: the first image). `text` is always terminated.
 */
stoic_status stoic_engine_explain(stoic_engine *engine, const stoic_edit *edits, size_t n_edits,
                                  int64_t image, char *text, size_t size, stoic_error *err);

/* The same line for a pass with these hits, under edits (perhaps none). */
stoic_status stoic_engine_explain_pass(stoic_engine *engine, const stoic_edit *edits,
                                       size_t n_edits, const stoic_transient_hits *hits,
                                       int64_t image, char *text, size_t size, stoic_error *err);

#endif
