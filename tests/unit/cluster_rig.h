/*
 * A cluster in one process, for tests: every rank is a thread, messages lie in queues. A rank may
 * fail, leave, or be slow.
 */
#ifndef STOIC_TESTS_CLUSTER_RIG_H
#define STOIC_TESTS_CLUSTER_RIG_H

#include <pthread.h>

#include "base/clock.h"
#include "campaign/cluster_state.h"
#include "campaign/follower.h"
#include "campaign_kit.h"

enum { RIG_RANKS = 4 };

typedef struct rig_message {
    int from;
    size_t bytes;
    struct rig_message *next;
    uint8_t data[];
} rig_message;

typedef struct rig_rank {
    struct rig *rig;
    int rank;
    pthread_mutex_t mutex;
    pthread_cond_t arrival;
    rig_message *first, **end, *read;
    kit kit; /* as this rank has the campaign */
    volatile int cancel;
    double cancel_at;  /* set by the thread that reads it, once this moment is past; 0: never */
    stoic_facts facts; /* what it says of itself */
    pthread_t thread;
    stoic_status status;
    stoic_cluster *cluster;
} rig_rank;

typedef struct rig {
    int ranks;
    int64_t messages, bytes; /* sent to rank 0 */
    rig_rank rank[RIG_RANKS];
} rig;

static inline stoic_status rig_send(void *user, int to, const void *data, size_t bytes,
                                    stoic_error *err) {
    (void)err;
    rig_rank *from = user, *r = &from->rig->rank[to];
    rig_message *m = malloc(sizeof *m + bytes);
    assert_non_null(m);
    m->from = from->rank;
    m->bytes = bytes;
    m->next = NULL;
    memcpy(m->data, data, bytes);
    pthread_mutex_lock(&r->mutex);
    if (to == 0) {
        from->rig->messages++;
        from->rig->bytes += (int64_t)bytes;
    }
    *r->end = m;
    r->end = &m->next;
    pthread_cond_signal(&r->arrival);
    pthread_mutex_unlock(&r->mutex);
    return STOIC_OK;
}

static inline stoic_status rig_receive(void *user, double seconds, int *from, const void **data,
                                       size_t *bytes, stoic_error *err) {
    (void)err;
    rig_rank *r = user;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(seconds * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    free(r->read);
    if (r->rank > 0 && r->cancel_at > 0.0 && stoic_clock() > r->cancel_at)
        r->cancel = 1;
    pthread_mutex_lock(&r->mutex);
    if (!r->first)
        pthread_cond_timedwait(&r->arrival, &r->mutex, &until);
    r->read = r->first;
    if (r->read) {
        r->first = r->read->next;
        if (!r->first)
            r->end = &r->first;
    }
    pthread_mutex_unlock(&r->mutex);
    *from = r->read ? r->read->from : -1;
    *data = r->read ? r->read->data : NULL;
    *bytes = r->read ? r->read->bytes : 0;
    return STOIC_OK;
}

static inline void rig_progress(void *user, const stoic_campaign_progress *progress) {
    rig_rank *r = user;
    (void)progress;
    if (r->cancel_at > 0.0 && stoic_clock() > r->cancel_at)
        r->cancel = 1;
}

/* All ranks with the campaign of `k`; change them before rig_run(). */
static inline void rig_init(rig *g, const kit *k, int ranks) {
    memset(g, 0, sizeof *g);
    g->ranks = ranks;
    for (int i = 0; i < ranks; i++) {
        rig_rank *r = &g->rank[i];
        r->rig = g;
        r->rank = i;
        r->end = &r->first;
        pthread_mutex_init(&r->mutex, NULL);
        pthread_cond_init(&r->arrival, NULL);
        r->kit = *k;
        r->kit.source.user = r->kit.run.worker.user = &r->kit;
        r->kit.run.sites = k->run.sites ? &r->kit.source : NULL;
        r->kit.run.cancel = &r->cancel;
        r->kit.run.progress = rig_progress;
        r->kit.run.user = r;
        r->kit.run.facts = &r->facts;
        stoic_transport t = {.user = r,
                             .rank = i,
                             .ranks = ranks,
                             .host = "here",
                             .neighbours = ranks,
                             .share = 1.0,
                             .send = rig_send,
                             .receive = rig_receive};
        assert_int_equal(stoic_cluster_create(&t, &r->cluster, NULL), STOIC_OK);
        r->kit.run.cluster = r->cluster;
    }
}

static inline void *rig_follow(void *user) {
    rig_rank *r = user;
    stoic_error err = {0};
    r->status = stoic_follower_run(&r->kit.run, &err);
    stoic_cluster_finish(r->cluster, r->status, &err, 10.0);
    return NULL;
}

/* Everybody's part, to the end; the status is rank 0's. */
static inline stoic_status rig_run(rig *g, stoic_summary *summary, stoic_error *err) {
    for (int i = 1; i < g->ranks; i++)
        assert_int_equal(pthread_create(&g->rank[i].thread, NULL, rig_follow, &g->rank[i]), 0);
    stoic_status status = kit_run(&g->rank[0].kit, summary, err);
    bool together = stoic_cluster_finish(g->rank[0].cluster, status, err, 20.0);
    for (int i = 1; i < g->ranks; i++)
        pthread_join(g->rank[i].thread, NULL);
    assert_true(together);
    return status;
}

static inline void rig_deinit(rig *g) {
    for (int i = 0; i < g->ranks; i++) {
        rig_rank *r = &g->rank[i];
        for (rig_message *m = r->first; m;) {
            rig_message *next = m->next;
            free(m);
            m = next;
        }
        free(r->read);
        stoic_facts_deinit(&r->facts);
        stoic_cluster_free(r->cluster);
        pthread_mutex_destroy(&r->mutex);
        pthread_cond_destroy(&r->arrival);
    }
}

#endif
