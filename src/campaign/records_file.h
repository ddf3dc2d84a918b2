/* An open campaign file as its readers see it; the public face is stoic/records.h. */
#ifndef STOIC_CAMPAIGN_RECORDS_FILE_H
#define STOIC_CAMPAIGN_RECORDS_FILE_H

#include "campaign/allocation.h"
#include "campaign/campaign_file.h"
#include "campaign/hit_sites.h"
#include "campaign/moments.h"
#include "campaign/spans.h"
#include "campaign/upsets.h"
#include "stoic/records.h"
#include "store/layout.h"

typedef struct stoic_records_layer {
    char *name;
    int64_t weights;
} stoic_records_layer;

struct stoic_records {
    stoic_campaign_file *file;
    stoic_records_layer *layers;
    size_t n_layers;
    struct {
        int layer;
        stoic_role role;
    } * entries;
    size_t n_entries;
    stoic_layouts layouts;        /* of the store */
    stoic_allocation *allocation; /* of a stratified campaign */
    int64_t images;               /* per trial */
    int64_t first, last;          /* trials that are told of */
    double golden_accuracy;
};

/* Goes through complete trials and their sites side by side, both in order of the trials. */
typedef struct stoic_trial_cursor {
    stoic_records *records;
    sqlite3_stmt *trials, *sites, *spans;
    sqlite3_stmt *upset_rows, *crowds; /* NULL: an older file without this table */
    bool snapshot;                     /* a savepoint is open */
    bool site_row;                     /* `sites` stands on a row that was not used yet */
    bool span_row;                     /* `span` and `stored` hold a span */
    bool upset_row, crowd_row;
    stoic_span span;
    uint32_t *stored;
    size_t stored_capacity;
    stoic_site_list list;    /* sites of the current trial, or how many were left out */
    stoic_upset_list upsets; /* and its computed values */
    int64_t trial, image;
    stoic_counts counts;
} stoic_trial_cursor;

/* stoic_records_groups() of a stratified campaign. */
stoic_status stoic_strata_groups(stoic_records *records, bool by_layer, bool by_bit,
                                 stoic_group **groups, size_t *n,
                                 stoic_error *err) STOIC_MUST_CHECK;

/* Trials low … high-1. */
stoic_status stoic_trial_cursor_open(stoic_records *records, int64_t low, int64_t high,
                                     stoic_trial_cursor *out, stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_trial_cursor_next(stoic_trial_cursor *cursor, bool *row,
                                     stoic_error *err) STOIC_MUST_CHECK;
void stoic_trial_cursor_close(stoic_trial_cursor *cursor);
/* The current trial as a row. */
void stoic_trial_cursor_record(const stoic_trial_cursor *cursor, stoic_record *out);
/* Its number of sites, of both kinds; and how many of them stoic_trial_cursor_site() has. */
size_t stoic_trial_cursor_sites(const stoic_trial_cursor *cursor);
size_t stoic_trial_cursor_told(const stoic_trial_cursor *cursor);
/* Where all of them lie: -1 and false where they do not share a layer; a bit only of a single one.
 */
bool stoic_trial_cursor_where(const stoic_trial_cursor *cursor, int *layer, int *bit);
/* One site of the current trial as a row. */
void stoic_trial_cursor_site(const stoic_trial_cursor *cursor, size_t i, stoic_site_record *out);

#endif
