/*
 * Load n lies in slot n mod SLOTS: one slot is the caller's, the others are filled meanwhile.
 * Workers take numbers in order and wait while their slot is not free.
 */
#include "data/conveyor.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/fail.h"

enum { SLOTS = 3, ALIGNMENT = 64 };

struct stoic_conveyor {
    stoic_conveyor_fill *fill;
    void *user;
    int64_t loads;
    stoic_load slots[SLOTS];
    pthread_t workers[STOIC_CONVEYOR_WORKERS];
    int n_workers;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int64_t taken;    /* loads a worker has begun */
    int64_t released; /* loads the caller has done with */
    int64_t given;    /* loads handed out */
    stoic_cancel stop;
};

static void *work(void *user) {
    stoic_conveyor *conveyor = user;
    pthread_mutex_lock(&conveyor->mutex);
    while (!stoic_cancel_test(&conveyor->stop) && conveyor->taken < conveyor->loads) {
        if (conveyor->taken >= conveyor->released + SLOTS) {
            pthread_cond_wait(&conveyor->changed, &conveyor->mutex);
            continue;
        }
        int64_t number = conveyor->taken++;
        stoic_load *load = &conveyor->slots[number % SLOTS];
        pthread_mutex_unlock(&conveyor->mutex);
        load->status = conveyor->fill(conveyor->user, &conveyor->stop, number, load, &load->error);
        pthread_mutex_lock(&conveyor->mutex);
        load->ready = true;
        pthread_cond_broadcast(&conveyor->changed);
    }
    pthread_mutex_unlock(&conveyor->mutex);
    return NULL;
}

static stoic_status create_slots(stoic_conveyor *conveyor, int64_t images, size_t elements,
                                 stoic_error *err) {
    size_t image_bytes, label_bytes;
    if (__builtin_mul_overflow(elements, sizeof(float), &image_bytes) ||
        __builtin_mul_overflow((size_t)images, image_bytes, &image_bytes) ||
        __builtin_add_overflow(image_bytes, (size_t)ALIGNMENT - 1, &image_bytes) ||
        __builtin_mul_overflow((size_t)images, sizeof(int), &label_bytes))
        return stoic_fail(err, STOIC_ERR_MEMORY, "", "a batch of %lld images is too large",
                          (long long)images);
    image_bytes -= image_bytes % ALIGNMENT;
    for (int i = 0; i < SLOTS && i < conveyor->loads; i++) {
        conveyor->slots[i].images = aligned_alloc(ALIGNMENT, image_bytes);
        conveyor->slots[i].labels = malloc(label_bytes);
        if (!conveyor->slots[i].images || !conveyor->slots[i].labels)
            return stoic_fail_memory(err, "decoding ahead", image_bytes);
    }
    return STOIC_OK;
}

/* Signals stay with the caller's threads, which know what Ctrl-C means. */
static stoic_status start_workers(stoic_conveyor *conveyor, int workers, stoic_error *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (conveyor->n_workers < workers && conveyor->n_workers < conveyor->loads &&
           pthread_create(&conveyor->workers[conveyor->n_workers], NULL, work, conveyor) == 0)
        conveyor->n_workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!conveyor->n_workers)
        return stoic_fail(err, STOIC_ERR_MEMORY, "", "the system gives no thread to decode ahead");
    return STOIC_OK;
}

stoic_status stoic_conveyor_start(stoic_conveyor_fill *fill, void *user, int64_t loads,
                                  int64_t images, size_t elements, int workers,
                                  stoic_conveyor **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_conveyor *conveyor = calloc(1, sizeof *conveyor);
    if (!conveyor)
        return stoic_fail_memory(err, "decoding ahead", sizeof *conveyor);
    conveyor->fill = fill;
    conveyor->user = user;
    conveyor->loads = loads;
    /* Without attributes Linux's mutexes and conditions cannot fail to initialise. */
    pthread_mutex_init(&conveyor->mutex, NULL);
    pthread_cond_init(&conveyor->changed, NULL);
    TRY(create_slots(conveyor, images, elements, err));
    TRY(start_workers(conveyor, workers, err));
    *out = conveyor;
    conveyor = NULL;
done:
    stoic_conveyor_free(conveyor);
    return status;
}

const stoic_load *stoic_conveyor_next(stoic_conveyor *conveyor) {
    const stoic_load *load = NULL;
    pthread_mutex_lock(&conveyor->mutex);
    if (conveyor->released < conveyor->given) {
        conveyor->slots[conveyor->released++ % SLOTS].ready = false;
        pthread_cond_broadcast(&conveyor->changed);
    }
    if (conveyor->given < conveyor->loads) {
        load = &conveyor->slots[conveyor->given % SLOTS];
        while (!load->ready)
            pthread_cond_wait(&conveyor->changed, &conveyor->mutex);
        conveyor->given += load->status == STOIC_OK;
    }
    pthread_mutex_unlock(&conveyor->mutex);
    return load;
}

void stoic_conveyor_free(stoic_conveyor *conveyor) {
    if (!conveyor)
        return;
    pthread_mutex_lock(&conveyor->mutex);
    stoic_cancel_set(&conveyor->stop);
    pthread_cond_broadcast(&conveyor->changed);
    pthread_mutex_unlock(&conveyor->mutex);
    for (int i = 0; i < conveyor->n_workers; i++)
        pthread_join(conveyor->workers[i], NULL);
    for (int i = 0; i < SLOTS; i++) {
        free(conveyor->slots[i].images);
        free(conveyor->slots[i].labels);
    }
    pthread_cond_destroy(&conveyor->changed);
    pthread_mutex_destroy(&conveyor->mutex);
    free(conveyor);
}
