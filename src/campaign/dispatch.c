#include "campaign/dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/cluster_state.h"
#include "campaign/wire.h"

static const double longest_wait = 0.005; /* seconds until work that is new is noticed */

/* What rank 0 knows of another rank. */
typedef struct member {
    bool hungry;     /* holds less than it wants */
    uint32_t target; /* units it wants to hold; 0 before it is ready */
    uint32_t held;
    stoic_job *jobs; /* by id */
    uint32_t room, first_free;
    stoic_text message; /* work that is not sent yet */
    size_t stages;      /* of a stratified campaign that it has been told */
    uint32_t unsent;
} member;

typedef struct dispatcher {
    stoic_runner *run;
    stoic_cluster *cluster;
    stoic_text stages; /* a message */
    member *members;   /* by rank; that of rank 0 is unused */
    int hungry;
    int64_t held; /* by all */
    unsigned idle_round;
    bool was_idle;
} dispatcher;

/* ---- handing out ---- */

static void set_hungry(dispatcher *d, member *m) {
    bool hungry = m->held < m->target;
    d->hungry += (int)hungry - (int)m->hungry;
    m->hungry = hungry;
}

static stoic_status reserve(member *m, stoic_error *err) {
    if (m->held < m->room)
        return STOIC_OK;
    uint32_t room = m->room ? 2 * m->room : 16;
    stoic_job *jobs = realloc(m->jobs, room * sizeof *jobs);
    if (!jobs)
        return stoic_fail_memory(err, "a rank's units", room * sizeof *jobs);
    memset(jobs + m->room, 0, (room - m->room) * sizeof *jobs);
    m->first_free = m->room;
    m->jobs = jobs;
    m->room = room;
    return STOIC_OK;
}

/* One more unit for the rank, if there is one. Called with the runner's mutex held. */
static stoic_status give(dispatcher *d, member *m, bool *given, stoic_error *err) {
    stoic_job job = {NULL, 0};
    stoic_status status;
    *given = false;
    TRY(reserve(m, err));
    if (!d->run->stop && d->run->queued < STOIC_QUEUE_LIMIT)
        TRY(stoic_runner_take(d->run, &job, err));
    if (!job.piece)
        return STOIC_OK;
    while (m->jobs[m->first_free].piece)
        m->first_free++;
    m->jobs[m->first_free] = job;
    if (m->unsent++ == 0)
        stoic_wire_begin(&m->message, STOIC_MESSAGE_WORK);
    stoic_wire_put_job(&m->message, m->first_free, job.piece, job.block);
    m->held++;
    d->held++;
    set_hungry(d, m);
    *given = true;
done:
    return status;
}

/* Stages that were laid out since the rank last had work. None is laid out now: what is about to be
 * sent is not complete. */
static stoic_status send_stages(dispatcher *d, int rank, stoic_error *err) {
    const stoic_allocation *allocation = d->run->options->allocation;
    member *m = &d->members[rank];
    if (!allocation || m->stages == allocation->n_stages)
        return STOIC_OK;
    stoic_wire_begin(&d->stages, STOIC_MESSAGE_STAGES);
    stoic_wire_put_stages(&d->stages, allocation, m->stages);
    m->stages = allocation->n_stages;
    return stoic_cluster_send(d->cluster, rank, &d->stages, err);
}

static stoic_status send_work(dispatcher *d, int rank, stoic_error *err) {
    member *m = &d->members[rank];
    if (m->unsent == 0)
        return STOIC_OK;
    m->unsent = 0;
    stoic_status status = send_stages(d, rank, err);
    return status == STOIC_OK ? stoic_cluster_send(d->cluster, rank, &m->message, err) : status;
}

static stoic_status fill(dispatcher *d, int rank, stoic_error *err) {
    stoic_status status = STOIC_OK;
    member *m = &d->members[rank];
    bool given = true;
    pthread_mutex_lock(&d->run->mutex);
    while (m->hungry && given && status == STOIC_OK)
        status = give(d, m, &given, err);
    pthread_mutex_unlock(&d->run->mutex);
    return status == STOIC_OK ? send_work(d, rank, err) : status;
}

/* What has become free goes round among those who wait for it, one unit each. */
static stoic_status fill_hungry(dispatcher *d, stoic_error *err) {
    stoic_status status = STOIC_OK;
    bool given = true;
    pthread_mutex_lock(&d->run->mutex);
    while (d->hungry > 0 && given && status == STOIC_OK) {
        for (int rank = 1; rank < d->cluster->transport.ranks && given; rank++) {
            member *m = &d->members[rank];
            if (m->hungry)
                TRY(give(d, m, &given, err));
        }
    }
done:
    pthread_mutex_unlock(&d->run->mutex);
    for (int rank = 1; rank < d->cluster->transport.ranks && status == STOIC_OK; rank++)
        status = send_work(d, rank, err);
    return status;
}

/* ---- what comes in ---- */

static stoic_status read_ready(dispatcher *d, int rank, stoic_wire *in, stoic_error *err) {
    const char *host = stoic_wire_string(in);
    uint32_t target = stoic_wire_u32(in);
    stoic_facts theirs = {0};
    stoic_difference at;
    stoic_status status;
    TRY(stoic_wire_facts(in, &theirs, err));
    const stoic_facts *ours = d->run->options->facts;
    if (ours && stoic_facts_differ(&theirs, ours, true, &at))
        status = stoic_fail(err, STOIC_ERR_MISMATCH, "",
                            "rank %d on %s computes otherwise: %s there is %s, here %s", rank, host,
                            at.key, at.there, at.here);
    d->members[rank].target = target;
    set_hungry(d, &d->members[rank]);
done:
    stoic_facts_deinit(&theirs);
    return status;
}

/* The result at hand is that of one more job of the rank. */
static stoic_status take_job(dispatcher *d, member *m, uint32_t id, stoic_unit *unit,
                             stoic_error *err) {
    stoic_job *job = id < m->room ? &m->jobs[id] : NULL;
    if (!job || !job->piece || (unit->piece && unit->piece != job->piece))
        return stoic_fail(err, STOIC_ERR_INTERNAL, "", "a result that nobody asked for");
    stoic_status status = STOIC_OK;
    if (unit->piece)
        status = stoic_unit_also(unit, job->block, err);
    else
        unit->block = job->block;
    unit->piece = job->piece;
    job->piece = NULL;
    m->first_free = id < m->first_free ? id : m->first_free;
    m->held--;
    d->held--;
    return status;
}

/* Called with the runner's mutex held. */
static stoic_status read_result(dispatcher *d, member *m, stoic_wire *in, stoic_error *err) {
    stoic_runner *run = d->run;
    stoic_unit *unit = NULL;
    stoic_status status;
    TRY(stoic_runner_unit(run, &unit, err));
    unit->piece = NULL;
    unit->n_also = 0;
    uint32_t jobs = stoic_wire_u32(in);
    do
        TRY(take_job(d, m, stoic_wire_u32(in), unit, err));
    while (--jobs > 0 && !in->bad);
    TRY(stoic_wire_unit(in, &run->options->design, unit, err));
    stoic_runner_put(run, unit);
    unit = NULL;
done:
    if (unit)
        stoic_runner_spare(run, unit);
    return status;
}

static stoic_status read_results(dispatcher *d, int rank, stoic_wire *in, stoic_error *err) {
    member *m = &d->members[rank];
    stoic_status status = STOIC_OK;
    m->target = stoic_wire_u32(in);
    pthread_mutex_lock(&d->run->mutex);
    for (uint32_t n = stoic_wire_u32(in); n > 0 && status == STOIC_OK; n--)
        status = read_result(d, m, in, err);
    pthread_mutex_unlock(&d->run->mutex);
    set_hungry(d, m);
    return status;
}

/* The rank has sent its last message; what it held is there for others. */
static stoic_status dismiss(dispatcher *d, int rank, stoic_error *err) {
    member *m = &d->members[rank];
    stoic_status status = STOIC_OK;
    stoic_cluster_gone(d->cluster, rank);
    pthread_mutex_lock(&d->run->mutex);
    for (uint32_t i = 0; i < m->room && status == STOIC_OK; i++) {
        if (m->jobs[i].piece)
            status = stoic_runner_return(d->run, &m->jobs[i], err);
        m->jobs[i].piece = NULL;
    }
    pthread_mutex_unlock(&d->run->mutex);
    d->held -= m->held;
    m->held = m->target = 0;
    set_hungry(d, m);
    return status;
}

static stoic_status take_message(dispatcher *d, int from, const void *data, size_t bytes,
                                 stoic_error *err) {
    stoic_message message;
    stoic_wire in = stoic_wire_read(data, bytes, &message);
    stoic_error failure = {0};
    stoic_status status = STOIC_OK;
    switch (message) {
    case STOIC_MESSAGE_READY:
        TRY(read_ready(d, from, &in, err));
        return fill(d, from, err);
    case STOIC_MESSAGE_RESULTS:
        TRY(read_results(d, from, &in, err));
        return fill(d, from, err);
    case STOIC_MESSAGE_FAILED:
        stoic_wire_failure(&in, from, &failure);
        stoic_cluster_gone(d->cluster, from);
        return stoic_fail(err, failure.code, failure.place, "%s", failure.message);
    case STOIC_MESSAGE_BYE:
        return dismiss(d, from, err);
    default:
        return stoic_fail(err, STOIC_ERR_INTERNAL, "", "message %d of rank %d makes no sense",
                          (int)message, from);
    }
done:
    return status;
}

/* ---- the loop ---- */

/* Nothing is held and nothing is to be had: the committer need not wait for this thread. */
static void rest(dispatcher *d) {
    stoic_runner *run = d->run;
    pthread_mutex_lock(&run->mutex);
    if (d->held > 0 || (d->was_idle && d->idle_round == run->round)) {
        pthread_mutex_unlock(&run->mutex);
        return;
    }
    d->was_idle = true;
    d->idle_round = run->round;
    stoic_runner_idle(run);
    pthread_mutex_unlock(&run->mutex);
}

static bool stopped(dispatcher *d) {
    pthread_mutex_lock(&d->run->mutex);
    bool stop = d->run->stop;
    pthread_mutex_unlock(&d->run->mutex);
    return stop;
}

static stoic_status run_loop(dispatcher *d, stoic_error *err) {
    const stoic_transport *t = &d->cluster->transport;
    stoic_status status = STOIC_OK;
    while (!stopped(d)) {
        const void *data;
        size_t bytes;
        int from;
        TRY(t->receive(t->user, longest_wait, &from, &data, &bytes, err));
        if (from > 0 && from < t->ranks)
            TRY(take_message(d, from, data, bytes, err));
        if (from < 0 && d->hungry > 0)
            TRY(fill_hungry(d, err));
        if (d->cluster->present == 0) {
            if (d->run->threads == 0)
                status = stoic_fail(err, STOIC_ERR_INTERRUPTED, "", "all other ranks have left");
            goto done;
        }
        rest(d);
    }
done:
    return status;
}

void stoic_dispatch(stoic_runner *run) {
    dispatcher d = {.run = run, .cluster = run->options->cluster};
    stoic_error error = {0};
    stoic_status status;
    int ranks = d.cluster->transport.ranks;
    d.members = calloc((size_t)ranks, sizeof *d.members);
    if (d.members)
        status = run_loop(&d, &error);
    else
        status = stoic_fail_memory(&error, "a list of ranks", (size_t)ranks * sizeof *d.members);
    pthread_mutex_lock(&run->mutex);
    if (status != STOIC_OK)
        stoic_runner_give_up(run, status, &error);
    run->active--;
    pthread_cond_signal(&run->result);
    pthread_mutex_unlock(&run->mutex);
    for (int rank = 0; d.members && rank < ranks; rank++) {
        free(d.members[rank].jobs);
        stoic_text_deinit(&d.members[rank].message);
    }
    free(d.members);
    stoic_text_deinit(&d.stages);
}
