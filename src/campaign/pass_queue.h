/*
 * Passes of trials that wait to be run together (exec/sweep.h), and the tallies of these trials.
 * Which passes meet decides speed alone.
 *
 * Thread-safety: a queue belongs to one worker.
 */
#ifndef STOIC_CAMPAIGN_PASS_QUEUE_H
#define STOIC_CAMPAIGN_PASS_QUEUE_H

#include "campaign/outcome.h"
#include "campaign/transient.h"
#include "campaign/upsets.h"
#include "exec/sweep.h"

typedef struct stoic_pass_queue stoic_pass_queue;

/* `kept`: elements of an image whose values are recorded. */
stoic_status stoic_pass_queue_create(const stoic_program *program, bool full,
                                     const stoic_transient *fault, int kept, stoic_pass_queue **out,
                                     stoic_error *err) STOIC_MUST_CHECK;
void stoic_pass_queue_free(stoic_pass_queue *queue);
/* Forgets everything. */
void stoic_pass_queue_clear(stoic_pass_queue *queue);

/* The next trial: its passes are added from now on. The tallying has begun and is copied with its
 * list of images; the copy lives until the next call. */
stoic_status stoic_pass_queue_trial(stoic_pass_queue *queue, int64_t trial,
                                    const stoic_tallying *begun, stoic_tallying **out,
                                    stoic_error *err) STOIC_MUST_CHECK;
/* Draws what befalls an image of the data set in this trial; *hit false: nothing. */
stoic_status stoic_pass_queue_draw(stoic_pass_queue *queue, int64_t image, bool *hit,
                                   stoic_error *err) STOIC_MUST_CHECK;
/* Where the image drawn last is found: in a block, or it is copied from `pixels` (NCHW). */
stoic_status stoic_pass_queue_add(stoic_pass_queue *queue, const stoic_block *block,
                                  const float *pixels, stoic_error *err) STOIC_MUST_CHECK;
bool stoic_pass_queue_full(const stoic_pass_queue *queue);
/* Runs what waits; tallies and upsets are complete then. */
stoic_status stoic_pass_queue_run(stoic_pass_queue *queue, stoic_session *session,
                                  stoic_error *err) STOIC_MUST_CHECK;
const stoic_upset_list *stoic_pass_queue_upsets(const stoic_pass_queue *queue);

#endif
