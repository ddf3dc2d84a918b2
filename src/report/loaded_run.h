/*
 * A campaign as the report sees it: its records read once, its fault taken apart.
 */
#ifndef STOIC_REPORT_LOADED_RUN_H
#define STOIC_REPORT_LOADED_RUN_H

#include "stoic/records.h"

/* Campaigns with more trials than this are shown by their groups alone. */
enum { STOIC_REPORT_ROWS = 20000 };

typedef struct stoic_report_row {
    int64_t trial;
    int layer, bit; /* -1: several */
    double accuracy, drop;
} stoic_report_row;

typedef struct stoic_report_groups {
    stoic_group *items;
    size_t count;
} stoic_report_groups;

typedef struct stoic_loaded_run {
    const char *path; /* the caller's */
    const char *name; /* its last part without ".db" */
    stoic_records *records;
    stoic_summary summary;
    char *fault;    /* all fault models, joined by " and " */
    char *head;     /* "flips:1": the model with its argument */
    char *layers;   /* "all", "0", "0+3"; a list: "all" */
    char *bits;     /* "all", "exponent", "30+23"; a list: "listed" */
    char *tensor;   /* "weight", … */
    bool mixed;     /* several fault models: no figure knows how to show them */
    bool random;    /* trials are draws, not a list or everything there is */
    int only_layer; /* the one layer that is hit, or -1 */
    int part;       /* campaigns of one model, store and data share a number */
    stoic_report_groups by_layer, by_bit, by_both;
    stoic_report_row *rows; /* NULL where there are too many */
    size_t n_rows;
} stoic_loaded_run;

typedef struct stoic_loaded_runs {
    stoic_loaded_run *items;
    size_t count;
    int parts;
} stoic_loaded_runs;

stoic_status stoic_loaded_runs_read(const char *const *paths, size_t n, stoic_loaded_runs *out,
                                    stoic_error *err) STOIC_MUST_CHECK;
void stoic_loaded_runs_deinit(stoic_loaded_runs *runs);

/* A fact, or "" where the file has none. */
const char *stoic_loaded_run_info(const stoic_loaded_run *run, const char *key);
/* The model's file name without folders; "a network" where the file has none. */
const char *stoic_loaded_run_model(const stoic_loaded_run *run);
/* The layer's name, or "layer 3" in `buffer` (32 bytes or more) where it has none. */
const char *stoic_loaded_run_layer(const stoic_loaded_run *run, int layer, char *buffer);

#endif
