/* Inside a cluster: what the two sides of it share. */
#ifndef STOIC_CAMPAIGN_CLUSTER_STATE_H
#define STOIC_CAMPAIGN_CLUSTER_STATE_H

#include "base/text.h"
#include "campaign/facts.h"
#include "stoic/cluster.h"

struct stoic_cluster {
    stoic_transport transport;
    bool *gone;         /* on rank 0, by rank: has sent its last message */
    int present;        /* other ranks that have not */
    stoic_text message; /* being written */
};

/* Sends what stands in `text`. */
stoic_status stoic_cluster_send(stoic_cluster *cluster, int to, const stoic_text *text,
                                stoic_error *err) STOIC_MUST_CHECK;
/* Rank 0: that was the rank's last message. */
void stoic_cluster_gone(stoic_cluster *cluster, int rank);

/* Rank 0 tells all what the campaign is. */
stoic_status stoic_cluster_start(stoic_cluster *cluster, const stoic_facts *facts,
                                 stoic_error *err) STOIC_MUST_CHECK;
/* The others wait for that. *stop: they are told to stop instead, or `cancel` was set. */
stoic_status stoic_cluster_wait(stoic_cluster *cluster, const volatile int *cancel, bool *stop,
                                stoic_facts *facts, stoic_error *err) STOIC_MUST_CHECK;

#endif
