/* What an exploration in progress is; explore.c and budget.c decide, explore_measure.c measures. */
#ifndef STOIC_STUDY_EXPLORE_PARTS_H
#define STOIC_STUDY_EXPLORE_PARTS_H

#include "stoic/explore.h"
#include "study/work_folder.h"

typedef struct stoic_explorer {
    const stoic_model *model;
    const stoic_dataset *data;
    const stoic_explore_options *options;
    double bers[STOIC_EXPLORE_BERS]; /* rising */
    stoic_work_folder folder;
    int campaigns;          /* begun */
    stoic_exploration *out; /* room for every store, row and probe there can be */
} stoic_explorer;

/* Stores, rows and probes: baseline; candidates; rivals of the same width and of the same memory;
 * under a budget, mixtures. */
enum {
    STOIC_EXPLORE_WIDTHS = STOIC_WIDEST - STOIC_NARROWEST + 1,
    STOIC_EXPLORE_MIXTURES = 8,
    STOIC_EXPLORE_STORES = 1 + 2 * STOIC_EXPLORE_WIDTHS + STOIC_EXPLORE_MIXTURES
};

/* Checks the options but for limits; takes the rates over. */
stoic_status stoic_explorer_check(stoic_explorer *explorer, stoic_error *err) STOIC_MUST_CHECK;
/* Makes room and measures the baseline. To be closed, also on failure. */
stoic_status stoic_explorer_open(stoic_explorer *explorer, stoic_error *err) STOIC_MUST_CHECK;
void stoic_explorer_close(stoic_explorer *explorer);
/* Into the order in which a reader wants the stores. */
void stoic_exploration_sort(stoic_exploration *out);

void stoic_explore_store_deinit(stoic_explore_store *store);
/* Measures a store without faults, unless it is there already; *at is its position. */
stoic_status stoic_explorer_measure(stoic_explorer *explorer, const char *spec,
                                    stoic_explore_kind kind, int width, int *at,
                                    stoic_error *err) STOIC_MUST_CHECK;
/* Injects faults into a store at every rate, unless that is done; rows are added. */
stoic_status stoic_explorer_inject(stoic_explorer *explorer, int store,
                                   stoic_error *err) STOIC_MUST_CHECK;
/* A campaign of `fault` ("ber:…", perhaps with keys) at rate `ber` on a store. */
stoic_status stoic_explorer_campaign(stoic_explorer *explorer, const char *store, const char *fault,
                                     double ber, stoic_summary *summary,
                                     stoic_error *err) STOIC_MUST_CHECK;
/* The row of a store at the largest rate, NULL where no faults were injected. */
const stoic_explore_row *stoic_explorer_worst(const stoic_explorer *explorer, int store);

#endif
