#include "campaign/follower.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/pool.h"
#include "campaign/cluster_state.h"
#include "campaign/moments.h"
#include "campaign/unit.h"
#include "campaign/wire.h"

/* Work for so many seconds is held beyond what the threads are at: longer than an answer of rank 0
 * takes, short enough that little is lost or left to one rank at the end. */
static const double ahead = 0.05;
static const double longest_delay = 0.02; /* seconds until a result is sent, unless work runs out */
static const double longest_wait = 0.005;
enum { MOST_AHEAD = 64 }; /* units a thread, however short they are */

typedef struct task {
    stoic_piece piece;
    stoic_unit *unit;
    uint32_t id;
    struct task *next;
    struct task *with; /* tasks whose counts are summed into those of this one */
    bool absorbed;     /* into another one */
} task;

typedef struct task_list {
    task *first, **end;
    int count;
} task_list;

typedef struct follower {
    const stoic_run_options *options;
    stoic_cluster *cluster;
    int threads;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    task_list todo, done;
    task *spare;
    int unchecked;  /* evaluated, but the thread has not checked its memory since */
    int evaluating; /* threads */
    stoic_check_clock check;
    double unit_seconds; /* of late; 0: not known */
    double done_since;   /* when the first of `done` was */
    uint32_t asked;      /* units wanted, as rank 0 was told last */
    stoic_text message;
    bool stop;
    atomic_bool abort;
    stoic_status status; /* the first failure */
    stoic_error error;
} follower;

static void list_init(task_list *list) {
    *list = (task_list){.end = &list->first};
}

static void list_add(task_list *list, task *one) {
    one->next = NULL;
    *list->end = one;
    list->end = &one->next;
    list->count++;
}

static task *list_take(task_list *list) {
    task *one = list->first;
    if (one) {
        list->first = one->next;
        list->count--;
        if (!list->first)
            list->end = &list->first;
    }
    return one;
}

static void free_tasks(task *first) {
    while (first) {
        task *next = first->next;
        stoic_unit_free_list(first->unit);
        free(first);
        first = next;
    }
}

/* Called with the mutex held. */
static void end(follower *f, stoic_status status, const stoic_error *error) {
    if (f->status == STOIC_OK && status != STOIC_OK) {
        f->status = status;
        f->error = *error;
    }
    f->stop = true;
    atomic_store(&f->abort, true);
    pthread_cond_broadcast(&f->work);
}

/* ---- threads that evaluate ---- */

static void give_up_task(follower *f, task *one) {
    one->next = f->spare;
    f->spare = one;
}

/* What the thread holds has been checked, or will never be. */
static void let_go(follower *f, task_list *held, bool good) {
    f->unchecked -= held->count;
    if (good && held->count > 0 && f->done.count == 0)
        f->done_since = stoic_clock();
    while (held->count > 0) {
        task *one = list_take(held);
        if (good)
            list_add(&f->done, one);
        else
            give_up_task(f, one);
    }
}

/* Evaluates a task, if there is one, and checks memory where it is time, or nothing else to do.
 * Called with the mutex held, which is free meanwhile. */
static stoic_status work_once(follower *f, task *one, stoic_unit_state *state, task_list *held,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    f->evaluating += one != NULL;
    pthread_mutex_unlock(&f->mutex);
    double began = stoic_clock();
    if (one)
        status = stoic_unit_run(one->unit, state, &f->abort, err);
    status = stoic_unit_blame(f->options, state->worker, status, err);
    double seconds = stoic_clock() - began;
    bool check = status == STOIC_OK && (!one || stoic_unit_check_due(state));
    bool good = one && status == STOIC_OK && !one->unit->dropped;
    if (check)
        status = stoic_unit_check(state, err);
    pthread_mutex_lock(&f->mutex);
    f->evaluating -= one != NULL;
    if (good) {
        f->unit_seconds = f->unit_seconds > 0.0 ? 0.9 * f->unit_seconds + 0.1 * seconds : seconds;
        list_add(held, one);
        f->unchecked++;
    } else if (one) {
        give_up_task(f, one);
    }
    if (check && status == STOIC_OK)
        let_go(f, held, true);
    return status;
}

static void work(follower *f, int worker) {
    stoic_error error = {0};
    stoic_unit_state state;
    stoic_status status = stoic_unit_state_open(&state, f->options, worker, &error);
    bool open = status == STOIC_OK;
    task_list held;
    list_init(&held);
    pthread_mutex_lock(&f->mutex);
    while (status == STOIC_OK && !f->stop) {
        task *one = list_take(&f->todo);
        if (one || held.count > 0)
            status = work_once(f, one, &state, &held, &error);
        else
            pthread_cond_wait(&f->work, &f->mutex);
    }
    let_go(f, &held, false);
    if (status != STOIC_OK)
        end(f, status, &error);
    pthread_mutex_unlock(&f->mutex);
    if (open)
        stoic_unit_state_close(&state);
}

/* ---- the one that talks ---- */

/* Units to hold: those that are done stay here until memory is checked. Called with the mutex held.
 */
static uint32_t target(const follower *f) {
    double each = f->unit_seconds > 0.0 ? ahead / f->unit_seconds : 1.0;
    double spare = ceil(fmin(each, MOST_AHEAD) * f->threads);
    return (uint32_t)(f->threads + fmax(spare, 1.0)) + (uint32_t)(f->unchecked + f->done.count);
}

static stoic_status greet(follower *f, stoic_error *err) {
    static const stoic_facts none = {0};
    stoic_wire_begin(&f->message, STOIC_MESSAGE_READY);
    stoic_wire_put_string(&f->message, f->cluster->transport.host);
    f->asked = target(f);
    stoic_wire_put_u32(&f->message, f->asked);
    stoic_wire_put_facts(&f->message, f->options->facts ? f->options->facts : &none);
    return stoic_cluster_send(f->cluster, 0, &f->message, err);
}

/* Called with the mutex held. */
static stoic_status new_task(follower *f, task **out, stoic_error *err) {
    *out = f->spare;
    if (*out) {
        f->spare = (*out)->next;
        return STOIC_OK;
    }
    task *one = calloc(1, sizeof *one);
    if (!one)
        return stoic_fail_memory(err, "a unit of work", sizeof *one);
    stoic_status status = stoic_unit_create(f->options, &one->unit, err);
    if (status != STOIC_OK) {
        free(one);
        return status;
    }
    one->unit->piece = &one->piece;
    *out = one;
    return STOIC_OK;
}

static stoic_status read_work(follower *f, stoic_wire *in, stoic_error *err) {
    stoic_status status = STOIC_OK;
    pthread_mutex_lock(&f->mutex);
    while (in->at < in->end) {
        task *one;
        TRY(new_task(f, &one, err));
        if (!stoic_wire_job(in, &f->options->design, &one->id, &one->piece, &one->unit->block)) {
            one->next = f->spare;
            f->spare = one;
            status = stoic_fail(err, STOIC_ERR_INTERNAL, "", "rank 0 handed out no unit");
            goto done;
        }
        list_add(&f->todo, one);
    }
    pthread_cond_broadcast(&f->work);
done:
    pthread_mutex_unlock(&f->mutex);
    return status;
}

static stoic_status take_message(follower *f, const void *data, size_t bytes, stoic_error *err) {
    stoic_message message;
    stoic_wire in = stoic_wire_read(data, bytes, &message);
    if (message == STOIC_MESSAGE_WORK)
        return read_work(f, &in, err);
    /* no thread is at a trial then: a stage is laid out when all before it is complete */
    if (message == STOIC_MESSAGE_STAGES && f->options->allocation)
        return stoic_wire_stages(&in, f->options->allocation, err);
    pthread_mutex_lock(&f->mutex);
    end(f, STOIC_OK, NULL);
    pthread_mutex_unlock(&f->mutex);
    return STOIC_OK;
}

/* The task's counts become part of those of another block of the same trials. */
static stoic_status absorb(task *sum, task *one, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (int64_t t = 0; t < one->piece.hi - one->piece.lo; t++) {
        stoic_counts_add(&sum->unit->counts[t], &one->unit->counts[t]);
        sum->unit->evaluated[t] += one->unit->evaluated[t];
    }
    for (size_t i = 0; i < one->unit->upsets.count && status == STOIC_OK; i++)
        status = stoic_upset_list_add(&sum->unit->upsets, &one->unit->upsets.items[i], err);
    one->absorbed = true;
    one->with = sum->with;
    sum->with = one;
    return status;
}

/* Rank 0 has less to do where blocks of the same trials come as one sum; with the outcome of each
 * image they cannot. */
static stoic_status sum_up(const follower *f, task_list *done, uint32_t *results,
                           stoic_error *err) {
    enum { OPEN = 64 }; /* sums that are looked at; a piece's blocks come close together */
    task *sums[OPEN] = {NULL};
    stoic_status status = STOIC_OK;
    *results = 0;
    for (task *one = done->first; one && status == STOIC_OK; one = one->next) {
        task **place = &sums[one->piece.chunk % OPEN];
        one->with = NULL;
        one->absorbed = false;
        if (*place && (*place)->piece.lo == one->piece.lo && !f->options->keep_images) {
            status = absorb(*place, one, err);
            continue;
        }
        *place = one;
        ++*results;
    }
    return status;
}

static void put_result(follower *f, const task *sum) {
    uint32_t n = 0;
    for (const task *one = sum; one; one = one->with)
        n++;
    stoic_wire_put_u32(&f->message, n);
    for (const task *one = sum; one; one = one->with)
        stoic_wire_put_u32(&f->message, one->id);
    stoic_wire_put_unit(&f->message, sum->unit);
}

/* What is to be sent now, and how many units are wanted; false: nothing need be said. Where memory
 * cannot be checked yet, more units are asked for instead. Called with the mutex held. */
static bool take_done(follower *f, task_list *done, uint32_t *wanted) {
    uint32_t ahead_of_us = target(f) - (uint32_t)(f->unchecked + f->done.count);
    bool low = 2 * (uint32_t)f->todo.count < ahead_of_us; /* new work is to come in time */
    bool dry = f->todo.count == 0 && f->evaluating == 0;
    bool late = f->done.count > 0 && stoic_clock() - f->done_since > longest_delay;
    bool send = f->done.count > 0 && (dry || ((low || late) && stoic_check_due(&f->check)) ||
                                      stoic_stop_asked(f->options->cancel));
    while (send && f->done.count > 0)
        list_add(done, list_take(&f->done));
    *wanted = target(f);
    return send || (low && *wanted > f->asked);
}

/* Many short units go in one message; nobody waits for a thread that has run dry. */
static stoic_status send_results(follower *f, stoic_error *err) {
    stoic_status status = STOIC_OK;
    task_list done;
    uint32_t results, wanted;
    list_init(&done);
    pthread_mutex_lock(&f->mutex);
    bool send = take_done(f, &done, &wanted);
    pthread_mutex_unlock(&f->mutex);
    if (!send)
        return STOIC_OK;
    f->asked = wanted;
    if (done.count > 0)
        TRY(stoic_unit_check_shared(f->options, &f->check, f->threads, err));
    stoic_wire_begin(&f->message, STOIC_MESSAGE_RESULTS);
    stoic_wire_put_u32(&f->message, wanted);
    TRY(sum_up(f, &done, &results, err));
    stoic_wire_put_u32(&f->message, results);
    for (task *one = done.first; one; one = one->next) {
        if (!one->absorbed)
            put_result(f, one);
    }
    pthread_mutex_lock(&f->mutex);
    *done.end = f->spare;
    f->spare = done.first;
    done.first = NULL;
    pthread_mutex_unlock(&f->mutex);
    status = stoic_cluster_send(f->cluster, 0, &f->message, err);
done:
    free_tasks(done.first);
    return status;
}

static stoic_status talk_to_the_end(follower *f, stoic_error *err) {
    const stoic_transport *t = &f->cluster->transport;
    const volatile int *cancel = f->options->cancel;
    stoic_status status;
    bool stop = false;
    TRY(greet(f, err));
    while (!stop) {
        const void *data;
        size_t bytes;
        int from;
        TRY(t->receive(t->user, longest_wait, &from, &data, &bytes, err));
        if (from >= 0)
            TRY(take_message(f, data, bytes, err));
        TRY(send_results(f, err));
        if (stoic_stop_asked(cancel))
            return stoic_fail(err, STOIC_ERR_INTERRUPTED, "", "stopped");
        pthread_mutex_lock(&f->mutex);
        stop = f->stop;
        pthread_mutex_unlock(&f->mutex);
    }
done:
    return status;
}

static void talk(follower *f) {
    stoic_error error = {0};
    stoic_status status = talk_to_the_end(f, &error);
    pthread_mutex_lock(&f->mutex);
    end(f, status, &error);
    pthread_mutex_unlock(&f->mutex);
}

static void thread_main(int worker, void *user) {
    follower *f = user;
    if (worker == f->threads)
        talk(f);
    else
        work(f, worker);
}

stoic_status stoic_follower_run(const stoic_run_options *options, stoic_error *err) {
    follower f = {.options = options,
                  .cluster = options->cluster,
                  .threads = options->threads > 0 ? options->threads : stoic_cpu_count()};
    list_init(&f.todo);
    list_init(&f.done);
    pthread_mutex_init(&f.mutex, NULL);
    pthread_cond_init(&f.work, NULL);
    stoic_status status = stoic_pool_run(f.threads + 1, thread_main, &f, err);
    if (status == STOIC_OK && f.status != STOIC_OK) {
        status = f.status;
        if (err)
            *err = f.error;
    }
    free_tasks(f.todo.first);
    free_tasks(f.done.first);
    free_tasks(f.spare);
    stoic_text_deinit(&f.message);
    pthread_cond_destroy(&f.work);
    pthread_mutex_destroy(&f.mutex);
    return status;
}
