/* What an exploration in progress is; explore.c decides, explore_measure.c measures. */
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

/* Stores, rows and probes: baseline; candidates; rivals of the same width and of the same memory.
 */
enum {
    STOIC_EXPLORE_WIDTHS = STOIC_WIDEST - STOIC_NARROWEST + 1,
    STOIC_EXPLORE_STORES = 1 + 2 * STOIC_EXPLORE_WIDTHS
};

/* Measures a store without faults, unless it is there already; *at is its position. */
stoic_status stoic_explorer_measure(stoic_explorer *explorer, const char *spec,
                                    stoic_explore_kind kind, int width, int *at,
                                    stoic_error *err) STOIC_MUST_CHECK;
/* Injects faults into a store at every rate, unless that is done; rows are added. */
stoic_status stoic_explorer_inject(stoic_explorer *explorer, int store,
                                   stoic_error *err) STOIC_MUST_CHECK;
/* The row of a store at the largest rate, NULL where no faults were injected. */
const stoic_explore_row *stoic_explorer_worst(const stoic_explorer *explorer, int store);

#endif
