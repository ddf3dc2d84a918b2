/* Measured seconds of inference from protected memory. */
#ifndef STOIC_INFER_STOPWATCH_H
#define STOIC_INFER_STOPWATCH_H

#include "stoic/dataset.h"
#include "stoic/store.h"

/*
 * Seconds of the processor that an image takes, alone, on one thread, with float32 activations, out
 * of protected memory that is laid out as `store` says; and the ratio to the same under `reference`
 * (NULL: itself). Both sides take turns, and the ratio is the median over rounds, so that a machine
 * that is busy for a while slows down both. Fails with STOIC_ERR_UNSUPPORTED, as
 * stoic_store_write() does, where one of them cannot be run.
 */
stoic_status stoic_stopwatch(const stoic_store *store, const stoic_store *reference,
                             const stoic_dataset *data, double *seconds, double *ratio,
                             stoic_error *err) STOIC_MUST_CHECK;

#endif
