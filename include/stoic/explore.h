/*
 * How few bits do: FORTUNE's Algorithm 1. For a family of stores that differ in the width of their
 * weights, the accuracy without faults, what faults take away, memory and time; and the narrowest
 * width that is good enough.
 *
 * Every width is measured beside the unprotected 8-bit store, to which memory and time are ratios,
 * and beside unprotected stores of its own width and of its own memory.
 *
 * Source: FORTUNE (paper 3), Algorithm 1; docs/methods.md says where we depart from it.
 */
#ifndef STOIC_EXPLORE_H
#define STOIC_EXPLORE_H

#include "stoic/campaign.h"
#include "stoic/metrics.h"
#include "stoic/study.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { STOIC_NARROWEST = 2, STOIC_WIDEST = 8, STOIC_EXPLORE_BERS = 16 };

/* Where an exploration is: in its n-th campaign, or in front of it, measuring without faults. */
typedef struct stoic_explore_progress {
    int campaign; /* from 1 */
    const char *store;
    double ber;                            /* NaN without faults */
    const stoic_campaign_progress *trials; /* NULL without faults */
} stoic_explore_progress;

typedef struct stoic_explore_options {
    const char *model_path, *data_spec; /* kept in the campaign files; may be NULL */
    const char *store;                  /* "affine:{M},code=msb3": {M} stands for the width */
    int narrowest, widest;              /* 2 to 8 */
    const double *bers;                 /* bit error rates; the largest decides */
    size_t n_bers;
    int64_t trials;        /* of each campaign */
    double min_accuracy;   /* without faults, must be above; NaN: no limit */
    double max_drop;       /* at the largest rate, must be below; NaN: no limit */
    bool all;              /* every width, instead of a binary search */
    double lifetime_flips; /* of P_drop */
    double confidence;
    const char *keep; /* folder for the campaign files, made if need be; what is there is continued.
                       * NULL: a temporary one */
    uint64_t seed;
    int threads;    /* 0: all this process may use */
    int64_t memory; /* bytes; 0: half of what is available */
    void (*progress)(void *user, const stoic_explore_progress *progress); /* from one thread */
    void *user;
    const volatile int *cancel; /* as in a campaign; may be NULL */
} stoic_explore_options;

STOIC_API stoic_explore_options stoic_explore_options_default(void);

typedef enum stoic_explore_kind {
    STOIC_EXPLORE_BASELINE,    /* unprotected, 8 bits */
    STOIC_EXPLORE_CANDIDATE,   /* of the family */
    STOIC_EXPLORE_UNPROTECTED, /* its rivals without a code */
    STOIC_EXPLORE_MIXED        /* of layers that differ (stoic/budget.h) */
} stoic_explore_kind;
STOIC_API const char *stoic_explore_kind_name(stoic_explore_kind kind);

/* One store. */
typedef struct stoic_explore_store {
    stoic_explore_kind kind;
    char *text;            /* canonical */
    int width;             /* of a weight, without redundancy; 0: it differs from layer to layer */
    int64_t weights, bits; /* stored bits, redundancy included, and those of weights kept aside */
    double accuracy;       /* without faults */
    /* Measured: decoding every weight once (median of five), and then one pass over the images in
     * floating point (median of three and more). */
    double decode_seconds, evaluate_seconds;
    double memory, time; /* ratios to the baseline */
    /* "runtime": `time` is of an image from protected memory, as stoic_store_time_measure() takes
     * it, beside the baseline. "decode+float", where that cannot run the store: the sum of both
     * seconds above. Static. */
    const char *time_source;
    double image_seconds; /* in the runtime; NaN otherwise */
    char *time_note;      /* why not the runtime; NULL where it was */
} stoic_explore_store;

/* One store at one bit error rate. */
typedef struct stoic_explore_row {
    int store; /* its position among the stores */
    double ber;
    int64_t trials;
    stoic_interval drop; /* accuracy without faults - mean with them; Student's t */
    double p_drop, rap;  /* stoic/metrics.h, at this rate */
} stoic_explore_row;

/* A width that was tried, in the order in which it was. */
typedef struct stoic_explore_probe {
    int width, store;
    stoic_interval drop;     /* at the largest rate; NaN: too inaccurate to be hit with faults */
    bool accurate, reliable; /* above min_accuracy; below max_drop */
} stoic_explore_probe;

typedef struct stoic_exploration {
    stoic_explore_store *stores; /* baseline, candidates and rivals, wide before narrow */
    int n_stores;
    stoic_explore_row *rows; /* store by store, rates rising; none where no faults were injected */
    int n_rows;
    stoic_explore_probe *probes;
    int n_probes;
    int chosen;       /* the width; 0: none was good enough */
    int wider_failed; /* the widest failure above `chosen`; 0: none. Then a wider store was worse,
                       * and a search, which assumes the contrary, may miss the answer */
    int64_t images;
    double lifetime_flips;
} stoic_exploration;

/* Explores. STOIC_ERR_ARGUMENT for options that make no sense; otherwise fails as stores and
 * campaigns do. The same result whatever threads and memory, except for times. */
STOIC_API stoic_status stoic_explore(const stoic_model *model, const stoic_dataset *data,
                                     const stoic_explore_options *options, stoic_exploration **out,
                                     stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_exploration_free(stoic_exploration *exploration);

#ifdef __cplusplus
}
#endif
#endif
