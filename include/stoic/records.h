/*
 * Reading a campaign file: what was run, one row a trial, one row a hit bit.
 * Thread-safety: one stoic_records per thread.
 */
#ifndef STOIC_RECORDS_H
#define STOIC_RECORDS_H

#include "stoic/campaign.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoic_records stoic_records;

/* Opens read-only. STOIC_ERR_FORMAT: not a campaign file, or of a newer version. */
STOIC_API stoic_status stoic_records_open(const char *path, stoic_records **out,
                                          stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_records_free(stoic_records *records);

/* What was run, by key: "model", "data", "store", "fault", "seed", "outcomes", "engine", "nan",
 * "images", "trials", "created", "version", "isa", "onednn", "golden_accuracy", "parameters",
 * "macs" … NULL where absent. Lives as long as the records. */
STOIC_API const char *stoic_records_info(const stoic_records *records, const char *key);

STOIC_API int stoic_records_layer_count(const stoic_records *records);
STOIC_API const char *stoic_records_layer_name(const stoic_records *records, int layer);
STOIC_API int64_t stoic_records_layer_weights(const stoic_records *records, int layer);

STOIC_API stoic_status stoic_records_summary(stoic_records *records, stoic_summary *out,
                                             stoic_error *err) STOIC_MUST_CHECK;

/* One complete trial. For trials with a single site layer, index, bit, before and after describe
 * it; otherwise layer (if all sites share it) or -1, and index and bit are -1. */
typedef struct stoic_record {
    int64_t trial;
    int layer;
    int64_t index;
    int bit;
    float before, after; /* NaN also stands for "several sites" when bit is -1 */
    int64_t image;       /* the image used when there was one a trial, else -1 */
    int stratum;         /* of a stratified campaign; -1: none, or a trial of its pilot */
    stoic_counts counts;
    double accuracy, drop;
    int64_t hits; /* bits or computed values that were hit, those included that the file leaves out */
} stoic_record;

/* One corrupted stored bit (or word), or one computed value. Of those of one image the first 32 are
 * kept, or the first alone where a trial sees more than 16 images. Strings live until the next
 * call. */
typedef struct stoic_site_record {
    int64_t trial;
    const char *kind; /* "flip", "stuck0", …, "multiply" */
    int layer;
    const char *tensor;  /* "weight", "bias", "bn"; "map": a feature map; "op": an operation */
    int64_t word, index; /* word -1: a computed value */
    int bit;
    const char *role;    /* "data", "copy", "parity"; "" */
    int64_t image, step; /* -1 where they do not apply */
    float before, after;
    const char *field; /* "sign", "exponent", "parity" …; of a copy, that of the bit it repeats */
} stoic_site_record;

/* From now on the two below pass over other trials than `first` … `last` (counted from 0; none may
 * be there). */
STOIC_API void stoic_records_only(stoic_records *records, int64_t first, int64_t last);
/* Calls `row` for every complete trial (or site) in order; stops when it returns false. */
STOIC_API stoic_status stoic_records_each(stoic_records *records,
                                          bool (*row)(void *user, const stoic_record *record),
                                          void *user, stoic_error *err) STOIC_MUST_CHECK;
STOIC_API stoic_status stoic_records_each_site(stoic_records *records,
                                               bool (*row)(void *user,
                                                           const stoic_site_record *site),
                                               void *user, stoic_error *err) STOIC_MUST_CHECK;

/* The summary of trials grouped by layer and/or bit (single-site trials; by layer also where all
 * sites of a trial share it). critical_rate and accuracy carry intervals. With strata, rates and
 * means count each with its share of the group's faults; the totals are plain sums of the trials.
 */
typedef struct stoic_group {
    int layer, bit; /* -1 where not grouped by it */
    int position;   /* the third of the sum, 0 to 2; -1 likewise */
    int64_t trials;
    stoic_interval accuracy, critical_rate;
    stoic_interval pvf; /* with bounds only where a trial has one image */
    double accuracy_min;
    stoic_counts totals;
} stoic_group;

STOIC_API stoic_status stoic_records_groups(stoic_records *records, bool by_layer, bool by_bit,
                                            stoic_group **groups, size_t *n,
                                            stoic_error *err) STOIC_MUST_CHECK;
/* The estimate as it was after so many trials of the campaign. */
typedef struct stoic_course_point {
    int64_t trials; /* run, those of a pilot included */
    stoic_interval critical_rate;
    double confidence; /* of the interval: that of a look where the campaign stops at a margin */
} stoic_course_point;

/* At the numbers of trials at which looks are taken (docs/methods.md 6), whether or not they were,
 * and at the last trial that the estimates use. Free with free(). */
STOIC_API stoic_status stoic_records_course(stoic_records *records, stoic_course_point **points,
                                            size_t *n, stoic_error *err) STOIC_MUST_CHECK;

/* The strata of a stratified campaign, in their order; none of a simple one, or while the pilot
 * runs. Free with free(). */
typedef struct stoic_stratum_row {
    int layer, bit; /* -1: several */
    int64_t faults; /* in it */
    int64_t trials; /* that the estimates use */
    int64_t critical;
    stoic_interval critical_rate;
} stoic_stratum_row;

STOIC_API stoic_status stoic_records_strata(stoic_records *records, stoic_stratum_row **rows,
                                            size_t *n, stoic_error *err) STOIC_MUST_CHECK;

/* The trials of one image with a fault in an operation, by the third of the sum in which its step
 * lies. */
STOIC_API stoic_status stoic_records_positions(stoic_records *records, stoic_group **groups,
                                               size_t *n, stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_groups_free(stoic_group *groups);

#ifdef __cplusplus
}
#endif
#endif
