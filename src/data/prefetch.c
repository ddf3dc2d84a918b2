/*
 * Decoding ahead. Batch b lies in slot b mod SLOTS: one slot is the caller's, the others are
 * filled meanwhile. Workers take batch numbers in order and wait while their slot is not free.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/fail.h"
#include "stoic/dataset.h"

enum { SLOTS = 3, MAX_WORKERS = 2, READ_AT_ONCE = 16 };

typedef struct slot {
    float *images;
    int *labels;
    bool ready;
    stoic_status status;
    stoic_error error;
} slot;

struct stoic_prefetch {
    const stoic_dataset *dataset;
    int64_t batch, n_batches;
    size_t elements; /* of one image */
    slot slots[SLOTS];
    pthread_t workers[MAX_WORKERS];
    int n_workers;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int64_t taken;    /* batches a worker has begun */
    int64_t released; /* batches the caller has done with */
    int64_t given;    /* batches handed out */
    atomic_bool stop;
};

static int64_t batch_size(const stoic_prefetch *prefetch, int64_t b) {
    int64_t left = stoic_dataset_count(prefetch->dataset) - b * prefetch->batch;
    return left < prefetch->batch ? left : prefetch->batch;
}

/* A few images at a time, so that free() does not wait for a whole batch. */
static stoic_status read_batch(const stoic_prefetch *prefetch, int64_t b, slot *s) {
    int64_t n = batch_size(prefetch, b);
    for (int64_t i = 0; i < n && !atomic_load(&prefetch->stop); i += READ_AT_ONCE) {
        int64_t count = n - i < READ_AT_ONCE ? n - i : READ_AT_ONCE;
        stoic_status status = stoic_dataset_read(prefetch->dataset, b * prefetch->batch + i, count,
                                                 s->images + (size_t)i * prefetch->elements,
                                                 s->labels + i, &s->error);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

static void *work(void *user) {
    stoic_prefetch *prefetch = user;
    pthread_mutex_lock(&prefetch->mutex);
    while (!atomic_load(&prefetch->stop) && prefetch->taken < prefetch->n_batches) {
        if (prefetch->taken >= prefetch->released + SLOTS) {
            pthread_cond_wait(&prefetch->changed, &prefetch->mutex);
            continue;
        }
        int64_t b = prefetch->taken++;
        slot *s = &prefetch->slots[b % SLOTS];
        pthread_mutex_unlock(&prefetch->mutex);
        stoic_status status = read_batch(prefetch, b, s);
        pthread_mutex_lock(&prefetch->mutex);
        s->status = status;
        s->ready = true;
        pthread_cond_broadcast(&prefetch->changed);
    }
    pthread_mutex_unlock(&prefetch->mutex);
    return NULL;
}

static stoic_status create_slots(stoic_prefetch *prefetch, stoic_error *err) {
    size_t images, labels;
    if (__builtin_mul_overflow((size_t)prefetch->batch, prefetch->elements * sizeof(float),
                               &images) ||
        __builtin_mul_overflow((size_t)prefetch->batch, sizeof(int), &labels))
        return stoic_fail(err, STOIC_ERR_MEMORY, "", "a batch of %lld images is too large",
                          (long long)prefetch->batch);
    for (int i = 0; i < SLOTS && i < prefetch->n_batches; i++) {
        prefetch->slots[i].images = malloc(images);
        prefetch->slots[i].labels = malloc(labels);
        if (!prefetch->slots[i].images || !prefetch->slots[i].labels)
            return stoic_fail_memory(err, "decoding ahead", images);
    }
    return STOIC_OK;
}

/* Signals stay with the caller's threads, which know what Ctrl-C means. */
static stoic_status start_workers(stoic_prefetch *prefetch, stoic_error *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (prefetch->n_workers < MAX_WORKERS && prefetch->n_workers < prefetch->n_batches &&
           pthread_create(&prefetch->workers[prefetch->n_workers], NULL, work, prefetch) == 0)
        prefetch->n_workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!prefetch->n_workers)
        return stoic_fail(err, STOIC_ERR_MEMORY, "", "the system gives no thread to decode ahead");
    return STOIC_OK;
}

stoic_status stoic_prefetch_start(const stoic_dataset *dataset, int64_t batch, stoic_prefetch **out,
                                  stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t count = stoic_dataset_count(dataset);
    if (batch < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "a batch of %lld images, expected 1 or more",
                          (long long)batch);
    stoic_prefetch *prefetch = calloc(1, sizeof *prefetch);
    if (!prefetch)
        return stoic_fail_memory(err, "decoding ahead", sizeof *prefetch);
    prefetch->dataset = dataset;
    prefetch->batch = batch < count ? batch : count;
    prefetch->n_batches = (count - 1) / prefetch->batch + 1;
    prefetch->elements = (size_t)stoic_shape_count(stoic_dataset_shape(dataset));
    /* Without attributes Linux's mutexes and conditions cannot fail to initialise. */
    pthread_mutex_init(&prefetch->mutex, NULL);
    pthread_cond_init(&prefetch->changed, NULL);
    TRY(create_slots(prefetch, err));
    TRY(start_workers(prefetch, err));
    *out = prefetch;
    prefetch = NULL;
done:
    stoic_prefetch_free(prefetch);
    return status;
}

stoic_status stoic_prefetch_next(stoic_prefetch *prefetch, const float **images, const int **labels,
                                 int64_t *count, stoic_error *err) {
    stoic_status status = STOIC_OK;
    *count = 0;
    *images = NULL;
    *labels = NULL;
    pthread_mutex_lock(&prefetch->mutex);
    if (prefetch->released < prefetch->given) {
        prefetch->slots[prefetch->released++ % SLOTS].ready = false;
        pthread_cond_broadcast(&prefetch->changed);
    }
    if (prefetch->given < prefetch->n_batches) {
        slot *s = &prefetch->slots[prefetch->given % SLOTS];
        while (!s->ready)
            pthread_cond_wait(&prefetch->changed, &prefetch->mutex);
        status = s->status;
        if (status == STOIC_OK) {
            *images = s->images;
            *labels = s->labels;
            *count = batch_size(prefetch, prefetch->given++);
        } else {
            stoic_fail(err, status, s->error.place, "%s", s->error.message);
        }
    }
    pthread_mutex_unlock(&prefetch->mutex);
    return status;
}

void stoic_prefetch_free(stoic_prefetch *prefetch) {
    if (!prefetch)
        return;
    pthread_mutex_lock(&prefetch->mutex);
    atomic_store(&prefetch->stop, true);
    pthread_cond_broadcast(&prefetch->changed);
    pthread_mutex_unlock(&prefetch->mutex);
    for (int i = 0; i < prefetch->n_workers; i++)
        pthread_join(prefetch->workers[i], NULL);
    for (int i = 0; i < SLOTS; i++) {
        free(prefetch->slots[i].images);
        free(prefetch->slots[i].labels);
    }
    pthread_cond_destroy(&prefetch->changed);
    pthread_mutex_destroy(&prefetch->mutex);
    free(prefetch);
}
