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

/* When memory is to be checked again (engine_memory.c): so rarely that it takes a hundredth of the
 * processor time. Clocks decide when results are written, never what they are. */
typedef struct stoic_check_clock {
    double due;    /* processor time: of the worker's thread, or of the process */
    double latest; /* stoic_clock() */
} stoic_check_clock;
/* For what all workers share. */
bool stoic_check_due(const stoic_check_clock *clock);

/* What one worker thread needs besides units. */
typedef struct stoic_unit_state {
    const stoic_run_options *options;
    void *worker; /* the engine's */
    uint8_t *bitmap;
    int64_t *picks;
    int32_t *offsets;
    stoic_check_clock check;
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

/* Has the time come for stoic_unit_check()? */
bool stoic_unit_check_due(const stoic_unit_state *state);
/* What came of all units that this state has evaluated may be handed on if this succeeds. */
stoic_status stoic_unit_check(stoic_unit_state *state, stoic_error *err) STOIC_MUST_CHECK;
/* And may be written, or sent, if this succeeds behind it; any thread. `threads`: that evaluate
 * here; where there are none, a check holds up nobody. */
stoic_status stoic_unit_check_shared(const stoic_run_options *options, stoic_check_clock *clock,
                                     int threads, stoic_error *err) STOIC_MUST_CHECK;
/* Something failed, perhaps because memory had changed: `err` and the result then say that instead.
 * `worker`: the engine's, whose thread calls; NULL: none. */
stoic_status stoic_unit_blame(const stoic_run_options *options, void *worker, stoic_status failure,
                              stoic_error *err);

#endif
