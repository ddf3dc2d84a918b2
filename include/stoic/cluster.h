/*
 * One campaign by many processes. Rank 0 holds the campaign file and hands out units of work; the
 * other ranks evaluate them and send back counts. The records are those of a single process.
 *
 * The library does not know how messages travel: the caller brings a transport. The command has
 * one over MPI (cli/cluster_mpi.c).
 *
 * Every process calls, in this order: stoic_cluster_create(); stoic_campaign_run() with
 * options.cluster on rank 0, stoic_campaign_help() on the others, with the same model, data and
 * options; and, however that went, stoic_cluster_finish().
 */
#ifndef STOIC_CLUSTER_H
#define STOIC_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "stoic/campaign.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How messages travel between the ranks 0 … ranks-1: in order between any two, and none is lost.
 * Thread-safety: one thread of a process at a time calls; which one changes. */
typedef struct stoic_transport {
    void *user;
    int rank, ranks;
    const char *host; /* this machine's name, for messages */
    int neighbours;   /* ranks on this machine, this one included: they share its memory */
    double share;     /* of the processors that this rank may use; 1: no other rank may use them */
    /* Keeps a copy of the message, and does not wait for the receiver. */
    stoic_status (*send)(void *user, int to, const void *data, size_t bytes, stoic_error *err);
    /* The next message, from whatever rank; *from is -1 where none came within `seconds`. *data
     * stays the transport's, until the next call. */
    stoic_status (*receive)(void *user, double seconds, int *from, const void **data, size_t *bytes,
                            stoic_error *err);
} stoic_transport;

/* The transport is copied; what it points to must outlive the cluster. */
STOIC_API stoic_status stoic_cluster_create(const stoic_transport *transport, stoic_cluster **out,
                                            stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_cluster_free(stoic_cluster *cluster);

/* Rank 1 and above: evaluates what rank 0 hands out until that says stop. STOIC_ERR_MISMATCH: rank
 * 0 has another campaign, instruction set or library version (says what differs).
 * STOIC_ERR_INTERRUPTED: stopped by cancel; rank 0 gives the work to others. */
STOIC_API stoic_status stoic_campaign_help(const stoic_model *model, const stoic_dataset *data,
                                           const stoic_campaign_options *options,
                                           stoic_error *err) STOIC_MUST_CHECK;

/* The last message. Rank 1 and above tell rank 0 of a failure, which rank 0 then reports as its
 * own ("rank 2 on node7: ..."). Rank 0 tells the others to stop and waits for their last message,
 * at most `patience` seconds; false: not all have sent it. */
STOIC_API bool stoic_cluster_finish(stoic_cluster *cluster, stoic_status status,
                                    const stoic_error *failure, double patience);

#ifdef __cplusplus
}
#endif
#endif
