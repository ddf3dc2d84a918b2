/*
 * Campaigns: model x data set x store x fault model x design -> records.
 *
 * A campaign lives in one SQLite file, which holds everything needed to repeat it. It is
 * deterministic: threads, memory, block order, shards, kills and resumptions do not change a
 * byte of its records. An existing file of the same campaign is continued.
 *
 * Thread-safety: a campaign file is written by one process, checked by a lock.
 */
#ifndef STOIC_CAMPAIGN_H
#define STOIC_CAMPAIGN_H

#include "stoic/dataset.h"
#include "stoic/fault.h"
#include "stoic/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

/* AUTO: all where a fault lies in computed values, else critical. */
typedef enum stoic_outcomes {
    STOIC_OUTCOMES_CRITICAL,
    STOIC_OUTCOMES_ALL,
    STOIC_OUTCOMES_AUTO
} stoic_outcomes;
typedef enum stoic_engine_kind { STOIC_ENGINE_AUTO, STOIC_ENGINE_FULL } stoic_engine_kind;
typedef enum stoic_nan_rule { STOIC_NAN_STRICT, STOIC_NAN_ARGMAX } stoic_nan_rule;
typedef enum stoic_margin_of {
    STOIC_MARGIN_CRITICAL,
    STOIC_MARGIN_ACCURACY,
    STOIC_MARGIN_DROP
} stoic_margin_of;

/* How trials are drawn: each from all faults, or by strata in proportion to what they tell. */
typedef enum stoic_sampling { STOIC_SAMPLING_SIMPLE, STOIC_SAMPLING_STRATIFIED } stoic_sampling;

/* What happened in one trial, or in a part of its images. -1: not measured. */
typedef struct stoic_counts {
    int64_t images;             /* evaluated */
    int64_t correct;            /* top-1 equals the label */
    int64_t critical;           /* top-1 differs from golden (docs/methods.md 4; NaN by the rule) */
    int64_t nan;                /* output has a NaN */
    int64_t masked;             /* output bit-identical to golden */
    int64_t tolerable;          /* output differs, same top-1 */
    int64_t due;                /* detected, not repaired */
    int64_t sdc5, sdc10, sdc20; /* top-1 outside golden's top 5; confidence moved by 10, 20 % */
} stoic_counts;

/* Estimated shares of the images with these outcomes, as members of stoic_counts. With strata each
 * counts with its share of the faults, so that they are not the counts of the trials run divided by
 * their images. NaN: not measured. */
typedef struct stoic_shares {
    double correct, critical, nan, masked, tolerable, due, sdc5, sdc10, sdc20;
} stoic_shares;

/* Filled by every verb that reads or writes a campaign. Rates are fractions; NaN: not measured. */
typedef struct stoic_summary {
    int64_t trials;  /* complete ones that the estimates use */
    int64_t planned; /* asked for */
    int64_t images;  /* per trial */
    double golden_accuracy;
    stoic_interval accuracy, drop, critical_rate;
    stoic_interval pvf; /* (tolerable + critical) / images: each image's pass is an injection */
    double accuracy_std, accuracy_min, accuracy_max;
    stoic_counts totals; /* summed over the trials */
    stoic_shares shares;
    stoic_sampling sampling;
    int64_t
        pilot; /* stratified: trials before these, which made the strata and are in no estimate */
    int64_t strata;
    double confidence;
    char stopped[32]; /* "trials", "margin", "exhausted", "interrupted", "max-trials", "shard" */
} stoic_summary;

/* A snapshot for a progress line; estimates over complete trials. */
typedef struct stoic_campaign_progress {
    int64_t trials_done, trials_total;
    double fraction; /* of all work, including partly done trials */
    double seconds;  /* since the start of this run */
    double trials_per_second;
    stoic_interval critical_rate;
    double accuracy;
} stoic_campaign_progress;

typedef struct stoic_cluster stoic_cluster; /* stoic/cluster.h */

enum { STOIC_IMAGES_OPEN = -2 };

typedef struct stoic_campaign_options {
    const char *model_path, *data_spec; /* kept in the file for `replay`; may be NULL */
    const char *store;                  /* spec; NULL: fp32 */
    const char *const *faults;          /* specs; a trial draws from each; one of maps at most */
    size_t n_faults;
    int64_t trials; /* 0: what the fault model fixes, else 100 */
    double margin;  /* half-width to reach; 0: none */
    stoic_margin_of margin_of;
    stoic_sampling sampling;
    double confidence;
    int64_t max_trials;       /* with margin; 0: population or 1,000,000 */
    int64_t images_per_trial; /* 0: all; -1: auto; STOIC_IMAGES_OPEN: as the fault model wants */
    stoic_outcomes outcomes;
    stoic_engine_kind engine;
    stoic_nan_rule nan_rule;
    bool keep_images;  /* per-image outcome bitmaps */
    bool keep_sites;   /* also those of trials with more than 10,000 of them */
    int shard, shards; /* shard I of N, counted from 1; 0/0: no shards */
    uint64_t seed;
    int threads;    /* 0: all this process may use */
    int64_t memory; /* bytes; 0: half of what is available */
    void (*progress)(void *user, const stoic_campaign_progress *progress); /* from one thread */
    void *user;
    /* Set to non-zero to stop; may be NULL. A signal handler or another thread may, and so that it
     * is no data race does it by an atomic store: workers read it as an atomic. */
    const volatile int *cancel;
    stoic_cluster *cluster; /* other processes that help; NULL: none */
} stoic_campaign_options;

STOIC_API stoic_campaign_options stoic_campaign_options_default(void);

/* Runs or continues the campaign in `path`. STOIC_ERR_INTERRUPTED: stopped by cancel, everything
 * done is in the file and `summary` is filled. STOIC_ERR_MISMATCH: the file belongs to another
 * campaign (says what differs), another instruction set or library version. */
STOIC_API stoic_status stoic_campaign_run(const stoic_model *model, const stoic_dataset *data,
                                          const stoic_campaign_options *options, const char *path,
                                          stoic_summary *summary,
                                          stoic_error *err) STOIC_MUST_CHECK;

/* Joins shards of one campaign. Refuses overlaps and strangers; gaps are logged as warnings. */
STOIC_API stoic_status stoic_campaign_merge(const char *out, const char *const *paths, size_t n,
                                            stoic_summary *summary,
                                            stoic_error *err) STOIC_MUST_CHECK;

/* Runs one trial of a campaign file again, alone and with the full engine, telling each step to
 * `tell`; *identical says whether counts equal the record. */
STOIC_API stoic_status stoic_campaign_replay(const stoic_model *model, const stoic_dataset *data,
                                             const char *path, int64_t trial,
                                             void (*tell)(void *user, const char *line), void *user,
                                             bool *identical, stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
