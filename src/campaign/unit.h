/* One unit of work: the trials of a piece on one block of images. */
#ifndef STOIC_CAMPAIGN_UNIT_H
#define STOIC_CAMPAIGN_UNIT_H

#include <stdatomic.h>

#include "campaign/runner.h"
#include "campaign/schedule.h"

typedef struct stoic_unit {
    stoic_piece *piece;
    int64_t block;
    int64_t *also; /* other blocks of the piece whose counts are in these, too */
    int64_t n_also, also_room;
    stoic_counts *counts;    /* one a trial */
    uint8_t *outcome;        /* one byte an evaluated image, trial after trial; NULL: not kept */
    int64_t *evaluated;      /* images of the block that each trial used */
    stoic_upset_list upsets; /* of all trials */
    bool dropped;            /* given up half-way: the counts mean nothing */
    bool last;               /* its result completed the piece */
    struct stoic_unit *next;
} stoic_unit;

/* What one worker thread needs besides units. */
typedef struct stoic_unit_state {
    const stoic_run_options *options;
    void *worker; /* the engine's */
    uint8_t *bitmap;
    int64_t *picks;
    int32_t *offsets;
} stoic_unit_state;

/* Sized for any unit of the campaign, to be used again and again. */
stoic_status stoic_unit_create(const stoic_run_options *options, stoic_unit **out,
                               stoic_error *err) STOIC_MUST_CHECK;
void stoic_unit_free_list(stoic_unit *units);
/* The counts are about to hold those of one more block. */
stoic_status stoic_unit_also(stoic_unit *unit, int64_t block, stoic_error *err) STOIC_MUST_CHECK;

stoic_status stoic_unit_state_open(stoic_unit_state *state, const stoic_run_options *options,
                                   int worker, stoic_error *err) STOIC_MUST_CHECK;
void stoic_unit_state_close(stoic_unit_state *state);

/* Evaluates the unit; between two trials `abort` is looked at. */
stoic_status stoic_unit_run(stoic_unit *unit, stoic_unit_state *state, const atomic_bool *abort,
                            stoic_error *err) STOIC_MUST_CHECK;

#endif
