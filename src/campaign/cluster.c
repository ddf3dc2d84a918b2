#include <stdlib.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/pool.h"
#include "campaign/cluster_state.h"
#include "campaign/wire.h"

stoic_status stoic_cluster_create(const stoic_transport *transport, stoic_cluster **out,
                                  stoic_error *err) {
    stoic_cluster *cluster = calloc(1, sizeof *cluster);
    *out = NULL;
    if (!cluster)
        return stoic_fail_memory(err, "a cluster", sizeof *cluster);
    cluster->transport = *transport;
    cluster->present = transport->ranks - 1;
    cluster->gone = calloc((size_t)transport->ranks, sizeof *cluster->gone);
    if (!cluster->gone) {
        free(cluster);
        return stoic_fail_memory(err, "a list of ranks", (size_t)transport->ranks);
    }
    *out = cluster;
    return STOIC_OK;
}

void stoic_cluster_free(stoic_cluster *cluster) {
    if (!cluster)
        return;
    stoic_text_deinit(&cluster->message);
    free(cluster->gone);
    free(cluster);
}

stoic_status stoic_cluster_send(stoic_cluster *cluster, int to, const stoic_text *text,
                                stoic_error *err) {
    const stoic_transport *t = &cluster->transport;
    if (text->failed)
        return stoic_fail_memory(err, "a message", text->length);
    return t->send(t->user, to, text->data, text->length, err);
}

void stoic_cluster_gone(stoic_cluster *cluster, int rank) {
    cluster->present -= !cluster->gone[rank];
    cluster->gone[rank] = true;
}

/* ---- the first message ---- */

stoic_status stoic_cluster_start(stoic_cluster *cluster, const stoic_facts *facts,
                                 stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_wire_begin(&cluster->message, STOIC_MESSAGE_START);
    stoic_wire_put_facts(&cluster->message, facts);
    for (int rank = 1; rank < cluster->transport.ranks; rank++)
        TRY(stoic_cluster_send(cluster, rank, &cluster->message, err));
done:
    return status;
}

stoic_status stoic_cluster_wait(stoic_cluster *cluster, const volatile int *cancel, bool *stop,
                                stoic_facts *facts, stoic_error *err) {
    const stoic_transport *t = &cluster->transport;
    for (;;) {
        const void *data;
        size_t bytes;
        int from;
        stoic_message message;
        *stop = stoic_stop_asked(cancel);
        if (*stop)
            return STOIC_OK;
        stoic_status status = t->receive(t->user, 0.02, &from, &data, &bytes, err);
        if (status != STOIC_OK)
            return status;
        if (from < 0)
            continue;
        stoic_wire in = stoic_wire_read(data, bytes, &message);
        if (message == STOIC_MESSAGE_START)
            return stoic_wire_facts(&in, facts, err);
        *stop = true;
        return STOIC_OK;
    }
}

/* ---- the last message ---- */

/* Results and greetings that come too late are dropped; a failure that nobody waited for is told.
 */
static void late_message(stoic_cluster *cluster, int from, const void *data, size_t bytes,
                         bool quiet) {
    stoic_message message;
    stoic_error failure;
    stoic_wire in = stoic_wire_read(data, bytes, &message);
    if (message == STOIC_MESSAGE_FAILED || message == STOIC_MESSAGE_BYE)
        stoic_cluster_gone(cluster, from);
    if (message != STOIC_MESSAGE_FAILED || quiet)
        return;
    stoic_wire_failure(&in, from, &failure);
    stoic_log(STOIC_LOG_WARNING, "%s: %s", failure.place, failure.message);
}

static bool dismiss(stoic_cluster *cluster, bool quiet, double patience) {
    const stoic_transport *t = &cluster->transport;
    double until = stoic_clock() + patience;
    stoic_wire_begin(&cluster->message, STOIC_MESSAGE_STOP);
    for (int rank = 1; rank < t->ranks; rank++) {
        if (!cluster->gone[rank] &&
            stoic_cluster_send(cluster, rank, &cluster->message, NULL) != STOIC_OK)
            return false;
    }
    while (cluster->present > 0 && stoic_clock() < until) {
        const void *data;
        size_t bytes;
        int from;
        if (t->receive(t->user, 0.02, &from, &data, &bytes, NULL) != STOIC_OK)
            return false;
        if (from > 0)
            late_message(cluster, from, data, bytes, quiet);
    }
    return cluster->present == 0;
}

bool stoic_cluster_finish(stoic_cluster *cluster, stoic_status status, const stoic_error *failure,
                          double patience) {
    if (cluster->transport.rank == 0)
        return dismiss(cluster, status != STOIC_OK, patience);
    if (status == STOIC_OK || status == STOIC_ERR_INTERRUPTED)
        stoic_wire_begin(&cluster->message, STOIC_MESSAGE_BYE);
    else
        stoic_wire_put_failure(&cluster->message, cluster->transport.host, failure);
    return stoic_cluster_send(cluster, 0, &cluster->message, NULL) == STOIC_OK;
}
