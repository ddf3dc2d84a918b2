#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

enum { THREADS_MAX = 4096 };

/* Workers wait here until all of them exist. */
typedef struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    enum { GATE_CLOSED, GATE_RUN, GATE_LEAVE } state;
} gate;

typedef struct worker {
    pthread_t thread;
    int index;
    gate *gate;
    void (*fn)(int worker, void *user);
    void *user;
} worker;

static void *worker_main(void *argument) {
    worker *self = argument;
    pthread_mutex_lock(&self->gate->mutex);
    while (self->gate->state == GATE_CLOSED)
        pthread_cond_wait(&self->gate->opened, &self->gate->mutex);
    bool run = self->gate->state == GATE_RUN;
    pthread_mutex_unlock(&self->gate->mutex);
    if (run)
        self->fn(self->index, self->user);
    return NULL;
}

/* Returns how many threads exist; *error is errno's value where that is too few. */
static int start_workers(worker *workers, int threads, int *error) {
    sigset_t all, saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    int started = 0;
    for (; started < threads; started++) {
        *error = pthread_create(&workers[started].thread, NULL, worker_main, &workers[started]);
        if (*error)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return started;
}

stoic_status stoic_pool_run(int threads, void (*fn)(int worker, void *user), void *user,
                            stoic_error *err) {
    if (threads < 1 || threads > THREADS_MAX)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "expected 1 to %d threads, found %d",
                          THREADS_MAX, threads);
    worker *workers = calloc((size_t)threads, sizeof *workers);
    if (!workers)
        return stoic_fail_memory(err, "worker threads", (size_t)threads * sizeof *workers);
    gate start = {.state = GATE_CLOSED};
    pthread_mutex_init(&start.mutex, NULL);
    pthread_cond_init(&start.opened, NULL);
    for (int i = 0; i < threads; i++)
        workers[i] = (worker){.index = i, .gate = &start, .fn = fn, .user = user};

    int error = 0;
    int started = start_workers(workers, threads, &error);
    pthread_mutex_lock(&start.mutex);
    start.state = started == threads ? GATE_RUN : GATE_LEAVE;
    pthread_cond_broadcast(&start.opened);
    pthread_mutex_unlock(&start.mutex);
    for (int i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);

    pthread_cond_destroy(&start.opened);
    pthread_mutex_destroy(&start.mutex);
    free(workers);
    if (started < threads)
        return stoic_fail(err, STOIC_ERR_MEMORY, "", "cannot start thread %d of %d: %s",
                          started + 1, threads, strerror(error));
    return STOIC_OK;
}
