/*
 * What the campaign runner asks of whatever evaluates trials. The real one is the engine over
 * src/exec; tests put a small fake behind the same calls.
 *
 * The runner hands out units (a chunk of consecutive trials x a block of consecutive images).
 * Within one unit a worker gets block() once and then trial() for each trial. A trial that
 * uses images of its own (images_per_trial) gets pick() calls instead of whole blocks.
 */
#ifndef STOIC_CAMPAIGN_WORKER_H
#define STOIC_CAMPAIGN_WORKER_H

#include "campaign/upsets.h"
#include "stoic/campaign.h"

typedef struct stoic_worker_api {
    void *user;
    /* One state per worker thread, created in that thread. */
    stoic_status (*open)(void *user, int worker, void **state, stoic_error *err);
    void (*close)(void *state);
    /* Makes images first … first+count-1 current: golden values are computed or fetched. */
    stoic_status (*block)(void *state, int64_t first, int64_t count, stoic_error *err);
    /* Evaluates one trial on the current block (or, if n_images > 0, on the listed images of the
     * current block, as offsets into it). `outcome`, if not NULL, gets a byte an image:
     * bit 0 critical, bit 1 correct, bit 2 nan. */
    stoic_status (*trial)(void *state, int64_t trial, const int32_t *images, int64_t n_images,
                          stoic_counts *counts, uint8_t *outcome, stoic_error *err);
    /* Trials may be put off: all since block() are evaluated now. *upsets: the computed values
     * that these trials hit, or NULL; it lives until the next block(). NULL: trial() does it. */
    stoic_status (*finish)(void *state, const stoic_upset_list **upsets, stoic_error *err);
    /* What came of trials counts once memory was found unchanged: first, in its own thread, what is
     * the worker's alone, then, in any thread, what all workers share and has been used by trials
     * that were checked so. Both fail with STOIC_ERR_CORRUPT. NULL: nothing is to be checked. */
    stoic_status (*check_own)(void *state, stoic_error *err);
    stoic_status (*check_shared)(void *user, stoic_error *err);
} stoic_worker_api;

/* The parts of a campaign that decide its bytes; frozen in the file when it is created. */
typedef struct stoic_design {
    int64_t chunk;            /* trials a chunk */
    int64_t block;            /* images a block */
    int64_t images;           /* images of the data set */
    int64_t images_per_trial; /* 0: all */
} stoic_design;

#endif
