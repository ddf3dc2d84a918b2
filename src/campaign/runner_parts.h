/* Inside the runner: what runner.c and dispatch.c share. */
#ifndef STOIC_CAMPAIGN_RUNNER_PARTS_H
#define STOIC_CAMPAIGN_RUNNER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "campaign/look.h"
#include "campaign/moments.h"
#include "campaign/rows.h"
#include "campaign/runner.h"
#include "campaign/schedule.h"
#include "campaign/unit.h"

enum { STOIC_QUEUE_LIMIT = 1024 }; /* units measured and not yet committed */

/* A unit that was handed out. */
typedef struct stoic_job {
    stoic_piece *piece; /* NULL: none */
    int64_t block;
} stoic_job;

typedef struct stoic_runner {
    const stoic_run_options *options;
    stoic_campaign_file *file;
    stoic_rows *rows;
    stoic_schedule schedule;
    stoic_moments running; /* of all complete trials, for progress */
    stoic_part *parts;     /* likewise by stratum; NULL: no strata, or not yet */
    stoic_look look;
    int threads;
    double started;

    pthread_mutex_t mutex;
    pthread_cond_t work;   /* workers wait for units, or for room in the queue */
    pthread_cond_t result; /* the committer waits for results */
    stoic_unit *queue, **queue_end;
    stoic_unit *spare;
    stoic_job *returned; /* handed out to somebody who left without a result */
    size_t n_returned, returned_room;
    int queued, active;
    int idle;       /* workers that found no unit in this round */
    unsigned round; /* the committer's */
    bool broken;    /* the file takes no more rows; the committer's */
    bool corrupt;   /* memory changed: nothing that is not written can be trusted */
    stoic_check_clock check;
    bool stop;           /* hand out nothing more */
    atomic_bool abort;   /* and drop what is being evaluated */
    stoic_status status; /* the first failure */
    stoic_error error;
} stoic_runner;

/* All of these with the mutex held. */

/* The next unit to evaluate; job->piece is NULL when there is none now. */
stoic_status stoic_runner_take(stoic_runner *run, stoic_job *job, stoic_error *err);
/* A unit to fill, to be given back by put or spare. */
stoic_status stoic_runner_unit(stoic_runner *run, stoic_unit **unit, stoic_error *err);
void stoic_runner_spare(stoic_runner *run, stoic_unit *unit);
void stoic_runner_put(stoic_runner *run, stoic_unit *unit);
/* Found nothing to do in this round. */
void stoic_runner_idle(stoic_runner *run);
/* The job is free for others again. */
stoic_status stoic_runner_return(stoic_runner *run, const stoic_job *job, stoic_error *err);
/* Keeps the first failure and stops everybody. */
void stoic_runner_give_up(stoic_runner *run, stoic_status status, const stoic_error *error);

#endif
