#include "campaign/runner.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/pool.h"
#include "campaign/cluster_state.h"
#include "campaign/dispatch.h"
#include "campaign/estimate.h"
#include "campaign/runner_parts.h"

static const double commit_interval = 0.1; /* seconds */

typedef stoic_runner runner;

void stoic_runner_give_up(runner *run, stoic_status status, const stoic_error *error) {
    if (run->status == STOIC_OK) {
        run->status = status;
        run->error = *error;
    }
    run->corrupt = run->corrupt || status == STOIC_ERR_CORRUPT;
    run->stop = true;
    atomic_store(&run->abort, true);
    pthread_cond_broadcast(&run->work);
    pthread_cond_signal(&run->result);
}

/* ---- workers ---- */

stoic_status stoic_runner_take(runner *run, stoic_job *job, stoic_error *err) {
    if (run->n_returned > 0) {
        *job = run->returned[--run->n_returned];
        return STOIC_OK;
    }
    return stoic_schedule_next(&run->schedule, &job->piece, &job->block, err);
}

stoic_status stoic_runner_return(runner *run, const stoic_job *job, stoic_error *err) {
    if (run->n_returned == run->returned_room) {
        size_t room = run->returned_room ? 2 * run->returned_room : 16;
        stoic_job *returned = realloc(run->returned, room * sizeof *returned);
        if (!returned)
            return stoic_fail_memory(err, "units to be evaluated again", room * sizeof *returned);
        run->returned = returned;
        run->returned_room = room;
    }
    run->returned[run->n_returned++] = *job;
    return STOIC_OK;
}

stoic_status stoic_runner_unit(runner *run, stoic_unit **unit, stoic_error *err) {
    *unit = run->spare;
    if (!*unit)
        return stoic_unit_create(run->options, unit, err);
    run->spare = (*unit)->next;
    return STOIC_OK;
}

void stoic_runner_spare(runner *run, stoic_unit *unit) {
    unit->next = run->spare;
    run->spare = unit;
}

void stoic_runner_put(runner *run, stoic_unit *unit) {
    unit->next = NULL;
    *run->queue_end = unit;
    run->queue_end = &unit->next;
    if (++run->queued == STOIC_QUEUE_LIMIT / 2)
        pthread_cond_signal(&run->result);
}

void stoic_runner_idle(runner *run) {
    run->idle++;
    pthread_cond_signal(&run->result);
}

/* Waits for a unit, if asked to; NULL: there is none now, or will be none. Called with the mutex
 * held. */
static stoic_unit *next_unit(runner *run, bool wait, stoic_error *err, stoic_status *status) {
    *status = STOIC_OK;
    while (!run->stop) {
        stoic_unit *unit = NULL;
        if (run->queued < STOIC_QUEUE_LIMIT) {
            stoic_job job = {NULL, 0};
            if ((*status = stoic_runner_unit(run, &unit, err)) != STOIC_OK)
                return NULL;
            *status = stoic_runner_take(run, &job, err);
            unit->piece = job.piece;
            unit->block = job.block;
            if (*status == STOIC_OK && unit->piece)
                return unit;
            stoic_runner_spare(run, unit);
            if (*status != STOIC_OK)
                return NULL;
        }
        if (!wait)
            return NULL;
        stoic_runner_idle(run);
        for (unsigned round = run->round; round == run->round && !run->stop;)
            pthread_cond_wait(&run->work, &run->mutex);
    }
    return NULL;
}

/* One worker, and what it has evaluated since it last checked its memory. */
typedef struct worker {
    runner *run;
    int index;
    bool open;
    stoic_unit_state state;
    stoic_unit *held, **held_end;
} worker;

static stoic_status evaluate(worker *w, stoic_unit *unit, stoic_error *err) {
    stoic_status status = STOIC_OK;
    if (!w->open)
        TRY(stoic_unit_state_open(&w->state, w->run->options, w->index, err));
    w->open = true;
    status = stoic_unit_run(unit, &w->state, &w->run->abort, err);
    status = stoic_unit_blame(w->run->options, w->state.worker, status, err);
done:
    unit->dropped = unit->dropped || status != STOIC_OK;
    return status;
}

/* Puts what is held into the queue, or gives it up. Called with the mutex held. */
static void let_go(worker *w, bool good) {
    while (w->held) {
        stoic_unit *unit = w->held;
        w->held = unit->next;
        if (good)
            stoic_runner_put(w->run, unit);
        else
            stoic_runner_spare(w->run, unit);
    }
    w->held_end = &w->held;
}

/* The next unit, or what has to be done before one is waited for; *more: call again. Called with
 * the mutex held, which is free meanwhile. */
static stoic_status work_once(worker *w, bool *more, stoic_error *err) {
    runner *run = w->run;
    stoic_status status;
    stoic_unit *unit = next_unit(run, !w->held, err, &status);
    *more = status == STOIC_OK && (unit || w->held);
    if (!*more)
        return status;
    pthread_mutex_unlock(&run->mutex);
    if (unit)
        status = evaluate(w, unit, err);
    bool check = status == STOIC_OK && (!unit || stoic_unit_check_due(&w->state));
    if (check)
        status = stoic_unit_check(&w->state, err);
    pthread_mutex_lock(&run->mutex);
    if (unit && unit->dropped) {
        stoic_runner_spare(run, unit);
    } else if (unit) {
        unit->next = NULL;
        *w->held_end = unit;
        w->held_end = &unit->next;
    }
    if (check && status == STOIC_OK)
        let_go(w, true);
    return status;
}

static void work(runner *run, int index) {
    worker w = {.run = run, .index = index};
    stoic_error error = {0};
    stoic_status status = STOIC_OK;
    w.held_end = &w.held;
    pthread_mutex_lock(&run->mutex);
    for (bool more = true; more && status == STOIC_OK;)
        status = work_once(&w, &more, &error);
    bool good = false;
    if (w.held && status != STOIC_ERR_CORRUPT) { /* what came before another failure is kept */
        stoic_error unused;
        pthread_mutex_unlock(&run->mutex);
        good = stoic_unit_check(&w.state, &unused) == STOIC_OK;
        pthread_mutex_lock(&run->mutex);
    }
    let_go(&w, good);
    if (status != STOIC_OK)
        stoic_runner_give_up(run, status, &error);
    pthread_mutex_unlock(&run->mutex);
    if (w.open)
        stoic_unit_state_close(&w.state);
    pthread_mutex_lock(&run->mutex);
    run->active--;
    pthread_cond_signal(&run->result);
    pthread_mutex_unlock(&run->mutex);
}

/* ---- the committer ---- */

static stoic_status write_outcomes(runner *run, const stoic_unit *unit, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const uint8_t *outcome = unit->outcome;
    for (int64_t t = 0; outcome && t < unit->piece->hi - unit->piece->lo; t++) {
        if (unit->evaluated[t] > 0)
            TRY(stoic_rows_outcome(run->rows, unit->piece->lo + t, unit->block, outcome,
                                   unit->evaluated[t], err));
        outcome += unit->evaluated[t];
    }
done:
    return status;
}

static stoic_status fold(runner *run, stoic_piece *piece, stoic_error *err) {
    int64_t n = piece->hi - piece->lo, *images = NULL;
    const stoic_design *design = &run->options->design;
    if (design->images_per_trial == 1) {
        images = malloc((size_t)n * sizeof *images);
        if (!images)
            return stoic_fail_memory(err, "the images of a chunk", (size_t)n * sizeof *images);
        for (int64_t t = 0; t < n; t++)
            stoic_pick_images(run->options->seed, piece->lo + t, design->images, 1, NULL,
                              &images[t]);
    }
    stoic_complete complete = {piece->chunk, piece->lo, piece->hi, piece->counts, images};
    stoic_status status = stoic_rows_fold(run->rows, &complete, err);
    free(images);
    for (int64_t t = 0; status == STOIC_OK && t < n; t++) {
        stoic_moments_add(&run->running, &piece->counts[t]);
        int stratum =
            run->parts ? stoic_allocation_stratum(run->options->allocation, piece->lo + t) : -1;
        if (stratum >= 0)
            stoic_part_add(&run->parts[stratum], &piece->counts[t]);
    }
    return status;
}

/* Counts of several blocks stand in the row of the first; the others' rows say that they are in. */
static stoic_status write_journal(runner *run, const stoic_unit *unit, stoic_error *err) {
    const stoic_piece *piece = unit->piece;
    int64_t trials = piece->hi - piece->lo;
    stoic_status status;
    stoic_counts *nothing = unit->n_also ? calloc((size_t)trials, sizeof *nothing) : NULL;
    if (unit->n_also && !nothing)
        return stoic_fail_memory(err, "a journal row", (size_t)trials * sizeof *nothing);
    TRY(stoic_rows_journal(run->rows, piece->chunk, unit->block, piece->lo, trials, unit->counts,
                           err));
    for (int64_t i = 0; i < unit->n_also; i++)
        TRY(stoic_rows_journal(run->rows, piece->chunk, unit->also[i], piece->lo, trials, nothing,
                               err));
done:
    free(nothing);
    return status;
}

/* All results of the batch in one transaction: complete pieces become trials, the others leave
 * journal rows. */
static stoic_status write_batch(runner *run, stoic_unit *batch, stoic_error *err) {
    stoic_status status;
    TRY(stoic_rows_begin(run->rows, err));
    for (stoic_unit *unit = batch; unit; unit = unit->next) {
        for (int64_t t = 0; t < unit->piece->hi - unit->piece->lo; t++)
            stoic_counts_add(&unit->piece->counts[t], &unit->counts[t]);
        unit->piece->left -= 1 + unit->n_also;
        unit->last = unit->piece->left == 0;
        TRY(write_outcomes(run, unit, err));
        TRY(stoic_rows_upsets(run->rows, &unit->upsets, err));
    }
    for (stoic_unit *unit = batch; unit; unit = unit->next) {
        if (unit->piece->left > 0)
            TRY(write_journal(run, unit, err));
        else if (unit->last)
            TRY(fold(run, unit->piece, err));
    }
    TRY(stoic_unit_check_shared(run->options, &run->check, run->threads, err));
    status = stoic_rows_commit(run->rows, err);
done:
    status = stoic_unit_blame(run->options, NULL, status, err);
    if (status != STOIC_OK)
        stoic_rows_rollback(run->rows);
    return status;
}

/* The rows are in the file: closes complete pieces, recycles units. Called with the mutex held. */
static stoic_status retire_batch(runner *run, stoic_unit *batch, stoic_error *err) {
    stoic_status status = STOIC_OK;
    while (batch) {
        stoic_unit *unit = batch;
        batch = unit->next;
        run->schedule.work_done += (unit->piece->hi - unit->piece->lo) * (1 + unit->n_also);
        if (unit->last && status == STOIC_OK)
            status = stoic_schedule_close(&run->schedule, unit->piece, err);
        stoic_runner_spare(run, unit);
    }
    return status;
}

static void tell_progress(runner *run, int64_t trials_before) {
    const stoic_run_options *options = run->options;
    if (!options->progress)
        return;
    double alpha = 1.0 - options->confidence;
    stoic_basis basis = stoic_estimate_basis(run->file);
    basis.alpha = alpha;
    stoic_campaign_progress progress = {0};
    pthread_mutex_lock(&run->mutex);
    const stoic_schedule *schedule = &run->schedule;
    progress.trials_done = schedule->trials_done;
    progress.trials_total = schedule->trials_total;
    if (schedule->work_total > 0)
        progress.fraction = fmin(1.0, (double)schedule->work_done / (double)schedule->work_total);
    pthread_mutex_unlock(&run->mutex);
    progress.seconds = stoic_clock() - run->started;
    if (progress.seconds > 0.0)
        progress.trials_per_second =
            (double)(progress.trials_done - trials_before) / progress.seconds;
    if (run->parts) {
        stoic_weighted all = stoic_allocation_weighted(options->allocation, run->parts, alpha);
        progress.critical_rate = stoic_weighted_critical(&all);
        progress.accuracy = stoic_weighted_accuracy(&all).value;
    } else if (options->allocation) { /* rates of the pilot mean nothing */
        progress.critical_rate = (stoic_interval){NAN, NAN, NAN};
        progress.accuracy = NAN;
    } else {
        progress.critical_rate = stoic_moments_critical(&run->running, &basis);
        progress.accuracy = stoic_moments_accuracy(&run->running, &basis).value;
    }
    options->progress(options->user, &progress);
}

/* Sleeps until there is reason to commit. Called with the mutex held. */
static void wait_for_results(runner *run, double deadline) {
    while (run->active > 0 && run->idle < run->active && run->queued < STOIC_QUEUE_LIMIT / 2) {
        struct timespec until = {(time_t)deadline, 0};
        until.tv_nsec = (long)((deadline - (double)until.tv_sec) * 1e9);
        if (pthread_cond_timedwait(&run->result, &run->mutex, &until) == ETIMEDOUT)
            return;
    }
}

/* Looks that are due, and stages that can be laid out. No worker is at a trial then that the
 * allocation would tell anything about. */
static stoic_status decide(runner *run, stoic_error *err) {
    stoic_allocation *a = run->options->allocation;
    int64_t prefix = stoic_schedule_prefix(&run->schedule);
    stoic_status status;
    if (a && prefix > a->end)
        return stoic_fail(err, STOIC_ERR_FORMAT, run->file->path,
                          "the file holds %lld trials, of which %lld are laid out",
                          (long long)prefix, (long long)a->end);
    for (;;) {
        TRY(stoic_look_take(&run->look, run->file, prefix, err));
        if (!a || run->look.decided || a->exhausted || prefix < a->end)
            return STOIC_OK;
        TRY(stoic_allocation_extend(a, run->file, err));
        if (!run->parts && a->n_strata > 0)
            TRY(stoic_allocation_parts(a, run->file, -1, &run->parts, err));
    }
done:
    return status;
}

static bool is_exhausted(const runner *run) {
    const stoic_allocation *a = run->options->allocation;
    return a ? a->exhausted : run->options->limit == run->schedule.planned;
}

/* Is there nothing to be done any more? */
static bool is_over(const runner *run) {
    const stoic_allocation *a = run->options->allocation;
    return run->look.decided || (a && a->exhausted) || stoic_schedule_finished(&run->schedule);
}

static int64_t trial_limit(const runner *run) {
    const stoic_allocation *a = run->options->allocation;
    int64_t limit = stoic_look_limit(&run->look, run->schedule.planned);
    return a && a->end < limit ? a->end : limit;
}

/* The file is up to date: what may be done next? Called with the mutex held. */
static void open_next_round(runner *run) {
    if (run->look.decided)
        atomic_store(&run->abort, true);
    if (is_over(run))
        run->stop = true;
    run->schedule.limit = trial_limit(run);
    run->idle = 0;
    run->round++;
    pthread_cond_broadcast(&run->work);
}

/* What is queued, if it is time to check memory and to commit: workers may be waiting for it, or it
 * has waited long enough. Called with the mutex held. */
static stoic_unit *take_batch(runner *run) {
    stoic_unit *batch = run->queue;
    if (run->idle < run->active && run->queued < STOIC_QUEUE_LIMIT / 2 &&
        !stoic_check_due(&run->check))
        return NULL;
    run->queue = NULL;
    run->queue_end = &run->queue;
    run->queued = 0;
    return batch;
}

/* One round: takes what is queued, commits it, decides. Returns whether to go on. */
static bool commit_round(runner *run, stoic_error *err, stoic_status *status) {
    pthread_mutex_lock(&run->mutex);
    wait_for_results(run, stoic_clock() + commit_interval);
    if (stoic_stop_asked(run->options->cancel)) {
        run->stop = true;
        if (run->options->cluster) /* a launcher does not wait long until it kills */
            atomic_store(&run->abort, true);
    }
    bool last = run->active == 0;
    stoic_unit *batch = take_batch(run);
    run->broken = run->broken || run->corrupt;
    pthread_mutex_unlock(&run->mutex);
    *status = batch && !run->broken ? write_batch(run, batch, err) : STOIC_OK;
    run->broken = run->broken || *status != STOIC_OK;
    pthread_mutex_lock(&run->mutex);
    if (run->broken)
        stoic_unit_free_list(batch);
    else
        *status = retire_batch(run, batch, err);
    pthread_mutex_unlock(&run->mutex);
    if (!run->broken && *status == STOIC_OK)
        *status = decide(run, err);
    pthread_mutex_lock(&run->mutex);
    if (*status != STOIC_OK)
        stoic_runner_give_up(run, *status, err);
    open_next_round(run);
    pthread_mutex_unlock(&run->mutex);
    return !last;
}

static void commit_loop(runner *run) {
    int64_t trials_before = run->schedule.trials_done;
    stoic_error error = {0};
    bool failed = false, more = true;
    while (more) {
        stoic_status status;
        more = commit_round(run, &error, &status);
        failed = failed || status != STOIC_OK;
        if (!failed)
            tell_progress(run, trials_before);
    }
}

static void thread_main(int index, void *user) {
    runner *run = user;
    if (index == run->threads)
        commit_loop(run);
    else if (index > run->threads)
        stoic_dispatch(run);
    else
        work(run, index);
}

/* ---- all of it ---- */

static stoic_status init_sync(runner *run, stoic_error *err) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool failed = pthread_mutex_init(&run->mutex, NULL) != 0 ||
                  pthread_cond_init(&run->work, NULL) != 0 ||
                  pthread_cond_init(&run->result, &attributes) != 0;
    pthread_condattr_destroy(&attributes);
    if (failed)
        return stoic_fail(err, STOIC_ERR_MEMORY, "", "cannot create a mutex");
    run->queue_end = &run->queue;
    return STOIC_OK;
}

static void deinit_sync(runner *run) {
    stoic_unit_free_list(run->queue);
    stoic_unit_free_list(run->spare);
    free(run->returned);
    pthread_mutex_destroy(&run->mutex);
    pthread_cond_destroy(&run->work);
    pthread_cond_destroy(&run->result);
}

/* No more threads than units: each one costs a session. */
static int useful_threads(const runner *run) {
    if (run->options->threads < 0)
        return 0;
    const stoic_schedule *schedule = &run->schedule;
    int64_t trials = schedule->trials_total - schedule->trials_done;
    int64_t units = (trials / run->options->design.chunk + 2) * schedule->blocks;
    int threads = run->options->threads > 0 ? run->options->threads : stoic_cpu_count();
    return units < threads ? (int)units : threads;
}

static const char *reason(const runner *run) {
    const stoic_run_options *options = run->options;
    if (options->allocation && options->allocation->exhausted)
        return "exhausted";
    if (run->look.decided && !run->look.reached)
        return is_exhausted(run) ? "exhausted" : "max-trials";
    if (run->look.decided)
        return "margin";
    if (!is_over(run))
        return "interrupted";
    if (options->shards > 1)
        return "shard";
    return is_exhausted(run) ? "exhausted" : "trials";
}

/* The plan never shrinks. A file that holds all of a larger plan stands for that one; otherwise
 * this run ends at what is asked for now. `most` is the file's new plan. */
static int64_t plan(const runner *run, int64_t *most) {
    const stoic_run_options *options = run->options;
    int64_t stored = stoic_campaign_file_integer(run->file, "planned", 0);
    int64_t asked = options->trials, held = run->running.trials;
    if (options->limit >= 0 && asked > options->limit)
        asked = options->limit;
    *most = stored > asked ? stored : asked;
    if (*most < held)
        *most = held;
    return options->margin <= 0.0 && held == *most ? held : asked;
}

static stoic_status begin(runner *run, stoic_error *err) {
    const stoic_run_options *options = run->options;
    stoic_status status;
    int64_t most;
    TRY(stoic_rows_moments(run->file, -1, &run->running, err));
    int64_t planned = plan(run, &most);
    TRY(stoic_schedule_init(&run->schedule, run->file, &options->design, options->shard,
                            options->shards, planned, err));
    TRY(stoic_look_init(&run->look, run->file, options->margin, options->margin_of,
                        options->confidence, planned, err));
    run->look.allocation = options->allocation;
    run->schedule.cut = options->allocation != NULL;
    if (options->allocation && options->allocation->n_strata > 0)
        TRY(stoic_allocation_parts(options->allocation, run->file, -1, &run->parts, err));
    TRY(stoic_campaign_file_set(run->file, "planned", err, "%lld", (long long)most));
    TRY(decide(run, err));
    run->schedule.limit = trial_limit(run);
    run->stop = is_over(run);
done:
    return status;
}

stoic_status stoic_campaign_execute(stoic_campaign_file *file, const stoic_run_options *options,
                                    stoic_summary *summary, stoic_error *err) {
    runner run = {.options = options, .file = file, .started = stoic_clock()};
    if (options->margin > 0.0 && options->shards > 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--margin",
                          "stopping at a margin looks at all trials: it cannot go with --shard");
    stoic_status status = init_sync(&run, err);
    if (status != STOIC_OK)
        return status;
    TRY(stoic_rows_create(file, options->sites, options->transient, &run.rows, err));
    TRY(stoic_sql_exec(file->db, "BEGIN IMMEDIATE", err));
    TRY(begin(&run, err));
    TRY(stoic_campaign_file_set(file, "stopped", err, "%s", reason(&run)));
    TRY(stoic_sql_exec(file->db, "COMMIT", err));
    if (!run.stop) {
        int others = options->cluster != NULL;
        run.threads = useful_threads(&run);
        run.active = run.threads + others;
        TRY(stoic_pool_run(run.threads + 1 + others, thread_main, &run, err));
    }
    status = run.status;
    if (status != STOIC_OK) {
        if (err)
            *err = run.error;
        goto done;
    }
    TRY(stoic_campaign_file_set(file, "stopped", err, "%s", reason(&run)));
    if (options->allocation && options->allocation->exhausted)
        TRY(stoic_campaign_file_set(file, "planned", err, "%lld",
                                    (long long)options->allocation->end));
    TRY(stoic_estimate_summary(file, summary, err));
    if (!strcmp(summary->stopped, "interrupted"))
        status =
            stoic_fail(err, STOIC_ERR_INTERRUPTED, file->path,
                       "stopped after %lld of %lld trials; what was done is kept",
                       (long long)run.schedule.trials_done, (long long)run.schedule.trials_total);
done:
    if (run.rows)
        stoic_rows_rollback(run.rows);
    stoic_rows_free(run.rows);
    free(run.parts);
    stoic_schedule_deinit(&run.schedule);
    deinit_sync(&run);
    return status;
}
