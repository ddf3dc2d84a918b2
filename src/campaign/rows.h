/*
 * Writing what was measured. Partial counts go to the table `journal`; when the last block of a
 * piece (consecutive trials of one chunk) is in, its trials, sites and strata are written and its
 * journal rows go, all in the transaction of the caller.
 */
#ifndef STOIC_CAMPAIGN_ROWS_H
#define STOIC_CAMPAIGN_ROWS_H

#include "campaign/campaign_file.h"
#include "campaign/hit_sites.h"
#include "campaign/moments.h"
#include "campaign/upsets.h"

typedef struct stoic_rows stoic_rows;

/* Consecutive trials lo … hi-1 of one chunk, evaluated on all their images. */
typedef struct stoic_complete {
    int64_t chunk, lo, hi;
    const stoic_counts *counts; /* hi - lo */
    const int64_t *images;      /* the image of each trial where there is one a trial, or NULL */
} stoic_complete;

/* `transient`: the trials have upsets, which say where they belong. */
stoic_status stoic_rows_create(stoic_campaign_file *file, const stoic_site_source *sites,
                               bool transient, stoic_rows **out, stoic_error *err) STOIC_MUST_CHECK;
void stoic_rows_free(stoic_rows *rows);

stoic_status stoic_rows_begin(stoic_rows *rows, stoic_error *err) STOIC_MUST_CHECK;
/* Writes the strata of what was folded since begin, and commits. */
stoic_status stoic_rows_commit(stoic_rows *rows, stoic_error *err) STOIC_MUST_CHECK;
void stoic_rows_rollback(stoic_rows *rows);

stoic_status stoic_rows_journal(stoic_rows *rows, int64_t chunk, int64_t block, int64_t lo,
                                int64_t trials, const stoic_counts *counts,
                                stoic_error *err) STOIC_MUST_CHECK;
/* Before the trials are folded. */
stoic_status stoic_rows_upsets(stoic_rows *rows, const stoic_upset_list *upsets,
                               stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_rows_fold(stoic_rows *rows, const stoic_complete *piece,
                             stoic_error *err) STOIC_MUST_CHECK;
/* One byte an image: bit 0 critical, bit 1 correct, bit 2 nan. */
stoic_status stoic_rows_outcome(stoic_rows *rows, int64_t trial, int64_t block,
                                const uint8_t *outcome, int64_t images,
                                stoic_error *err) STOIC_MUST_CHECK;

/* The moments of the trials in the file: of those below `prefix`, or of all (-1). */
stoic_status stoic_rows_moments(stoic_campaign_file *file, int64_t prefix, stoic_moments *out,
                                stoic_error *err) STOIC_MUST_CHECK;
/* One row of the table strata, selected as stoic_strata_columns. */
extern const char stoic_strata_columns[];
void stoic_strata_read(sqlite3_stmt *row, int first, stoic_moments *out);

#endif
