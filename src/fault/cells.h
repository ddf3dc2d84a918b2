/*
 * The space of a single-site fault model by cells: the faults of one layer and one bit. A design
 * that samples some cells more than others says for each trial which fault of which cell it is.
 */
#ifndef STOIC_FAULT_CELLS_H
#define STOIC_FAULT_CELLS_H

#include "stoic/fault.h"

typedef struct stoic_cell {
    int layer, bit; /* as records tell them; bit -1: the whole weight, layer -1: no layer */
    int64_t faults;
} stoic_cell;

typedef struct stoic_cells stoic_cells;

/* Sorted by layer and bit. STOIC_ERR_ARGUMENT: the model's trials are no single sites of a space
 * that they run through (the message says what it is instead). Borrows the fault. */
stoic_status stoic_cells_create(const stoic_fault *fault, stoic_cells **out,
                                stoic_error *err) STOIC_MUST_CHECK;
void stoic_cells_free(stoic_cells *cells);

size_t stoic_cells_count(const stoic_cells *cells);
const stoic_cell *stoic_cells_at(const stoic_cells *cells, size_t i);
/* The site of fault `i` (0 … faults-1) of a cell, as a number of the model's space. */
int64_t stoic_cells_site(const stoic_cells *cells, size_t cell, int64_t i);

/* From now on trial t of the model takes site order(user, t) of its space instead of following the
 * permutation of its seed; there may be any number of trials. For single-site models. */
typedef int64_t stoic_site_order(const void *user, int64_t trial);
void stoic_fault_set_order(stoic_fault *fault, stoic_site_order *order, const void *user);

#endif
