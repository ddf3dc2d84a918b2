/*
 * Runs what a campaign file lacks: workers evaluate units, one thread commits.
 * What is done is in the file at most a quarter of a second after it was measured, or as soon as
 * memory has been checked (docs/dev.md).
 */
#ifndef STOIC_CAMPAIGN_RUNNER_H
#define STOIC_CAMPAIGN_RUNNER_H

#include "campaign/allocation.h"
#include "campaign/campaign_file.h"
#include "campaign/hit_sites.h"
#include "campaign/worker.h"

typedef struct stoic_run_options {
    stoic_worker_api worker;
    const stoic_site_source *sites; /* NULL: no sites are recorded */
    bool transient;                 /* faults in computed values: units bring upsets */
    stoic_design design;            /* the file's */
    uint64_t seed;
    stoic_allocation *allocation; /* of a stratified campaign; it grows */
    int64_t trials;               /* asked for; with a margin the most there may be */
    int64_t limit;                /* there are no more trials than that; -1: no limit */
    double margin;                /* 0: none */
    stoic_margin_of margin_of;
    double confidence;
    int shard, shards;
    int threads; /* 0: all this process may use; -1: none, others evaluate */
    bool keep_images;
    void (*progress)(void *user, const stoic_campaign_progress *progress);
    void *user;
    const volatile int *cancel;
    stoic_cluster *cluster;   /* other ranks that evaluate; NULL: none */
    const stoic_facts *facts; /* the campaign's, which these must have too; NULL: not checked */
} stoic_run_options;

/* The file is created, and known to belong to this campaign. `summary` is filled on success and
 * with STOIC_ERR_INTERRUPTED; after any failure everything that was committed is kept. */
stoic_status stoic_campaign_execute(stoic_campaign_file *file, const stoic_run_options *options,
                                    stoic_summary *summary, stoic_error *err) STOIC_MUST_CHECK;

#endif
