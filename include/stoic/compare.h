/*
 * Every protection on the same faults: stores, hardening passes and trained networks beside the
 * network as it is, in one table.
 *
 * All run the same campaigns with the same seed: trial t hits the same sites, as far as they have
 * them (docs/methods.md 5), and takes the same images. Coverage is 1 - critical(protected) /
 * critical(baseline) over the same trials, each judged against its own outputs without faults.
 *
 * Thread-safety: a comparison belongs to its caller.
 */
#ifndef STOIC_COMPARE_H
#define STOIC_COMPARE_H

#include "stoic/campaign.h"
#include "stoic/harden.h"
#include "stoic/study.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoic_compare_progress {
    int campaign, campaigns; /* from 1 */
    const char *name, *fault;
    const stoic_campaign_progress *trials; /* NULL: being made, or timed */
} stoic_compare_progress;

typedef struct stoic_compare_options {
    const char *model_path, *data_spec; /* kept in the campaign files; may be NULL */
    const char *const *faults;          /* one column of campaigns each */
    size_t n_faults;
    const char *const *with; /* "store:SPEC", "pass:P+P", "model:FILE", "all" */
    size_t n_with;
    const stoic_dataset *profile;  /* training images for passes that profile; may be NULL */
    const stoic_channel *channels; /* the most critical first, for duplicate; may be NULL */
    size_t n_channels;
    int64_t trials;
    int64_t images_per_trial; /* 0: all */
    double confidence;
    const char *keep; /* folder for the campaign files, which are continued; NULL: temporary */
    uint64_t seed;
    int threads;
    int64_t memory;
    void (*progress)(void *user, const stoic_compare_progress *progress); /* from one thread */
    void *user;
    const volatile int *cancel; /* as in a campaign; may be NULL */
} stoic_compare_options;

STOIC_API stoic_compare_options stoic_compare_options_default(void); /* 100 trials */

typedef enum stoic_protection_kind {
    STOIC_PROTECT_NOTHING, /* the baseline */
    STOIC_PROTECT_STORE,
    STOIC_PROTECT_PASS,
    STOIC_PROTECT_MODEL
} stoic_protection_kind;
STOIC_API const char *stoic_protection_kind_name(stoic_protection_kind kind);

typedef struct stoic_protection {
    stoic_protection_kind kind;
    char *name;    /* "baseline", or as asked for */
    char *needs;   /* what a user must have for it */
    char *skipped; /* why "all" left it out; NULL: it was run */
    int64_t weights, bits;
    double clean_accuracy;
    /* Measured against the baseline. A store ("runtime"): an image from protected memory against
     * one from fp32 in the same runtime (stoic_store_time_measure()); where that cannot run it
     * ("decode+float"): a pass over the images, and decoding every weight once besides. A changed
     * graph ("float"): a pass in floating point. */
    double time_ratio;
    const char *time_source; /* which of these; static; NULL: the baseline, or left out */
    char *time_note;         /* why not the runtime; NULL where it was, or was not asked */
} stoic_protection;

/* One protection under one fault. */
typedef struct stoic_compare_row {
    int protection, fault; /* positions */
    int64_t trials;
    double faulty_accuracy;
    stoic_interval drop, critical_rate;
    double due_rate;         /* images without an answer: detected, not repaired */
    stoic_interval coverage; /* NaN for the baseline, and where that has nothing critical */
    /* No other has at most its critical and due rates together, bits, time and loss of clean
     * accuracy, and less of one of them, or is named before it; times within 10 % count as equal.
     */
    bool pareto;
} stoic_compare_row;

typedef struct stoic_comparison {
    stoic_protection *protections; /* the baseline first, then in the order asked for */
    int n_protections;
    char **faults; /* canonical */
    int n_faults;
    stoic_compare_row *rows; /* fault after fault; skipped ones have none */
    int n_rows;
    int64_t images;
} stoic_comparison;

/* Runs everything. A protection that is named and cannot be made, or cannot be hit by one of the
 * faults, fails as stores, passes and faults do, before the first campaign; one of "all" is left
 * out and says why. */
STOIC_API stoic_status stoic_compare(const stoic_model *model, const stoic_dataset *data,
                                     const stoic_compare_options *options, stoic_comparison **out,
                                     stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_comparison_free(stoic_comparison *comparison);

/* The rows of a fault that a reader should look at first: the one with the fewest images critical
 * or due, and the cheapest in bits that has at most a tenth of the baseline's; both among those
 * that have fewer than the baseline and lose at most `loss` of clean accuracy; -1: there is none.
 */
typedef struct stoic_recommendation {
    int safest, cheapest; /* rows */
} stoic_recommendation;
STOIC_API stoic_recommendation stoic_comparison_recommend(const stoic_comparison *comparison,
                                                          int fault, double loss);

#ifdef __cplusplus
}
#endif
#endif
