#include "fault/cells.h"

#include <stdlib.h>

#include "base/fail.h"
#include "fault/space.h"

/* A way of a patch: as many faults as the patch has words. */
typedef struct part {
    stoic_cell cell;
    const stoic_patch *patch;
    int64_t before; /* faults of its cell in parts before it */
    int way;
} part;

struct stoic_cells {
    stoic_cell *items;
    size_t count;
    size_t *first; /* part of each cell, count + 1 of them */
    part *parts;
};

static stoic_status refuse(const stoic_fault *fault, const char *what, stoic_error *err) {
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "--sampling",
                      "stratified needs trials of one stored bit or weight each, such as flips:1; "
                      "'%s' %s",
                      fault->text, what);
}

static stoic_status check(const stoic_fault *fault, stoic_error *err) {
    switch (fault->kind) {
    case STOIC_FAULT_BER:
        return refuse(fault, "flips any number of bits in a trial", err);
    case STOIC_FAULT_EXHAUSTIVE:
        return refuse(fault, "runs every fault in order", err);
    case STOIC_FAULT_CSV:
        return refuse(fault, "runs the faults of a list", err);
    case STOIC_FAULT_RANDOM:
        return refuse(fault, "has no end of different faults", err);
    default:
        return fault->n != 1 || fault->run != 1 ? refuse(fault, "hits several bits in a trial", err)
                                                : STOIC_OK;
    }
}

static int compare_parts(const void *a, const void *b) {
    const part *x = a, *y = b;
    if (x->cell.layer != y->cell.layer)
        return x->cell.layer < y->cell.layer ? -1 : 1;
    if (x->cell.bit != y->cell.bit)
        return x->cell.bit < y->cell.bit ? -1 : 1;
    if (x->patch != y->patch)
        return x->patch < y->patch ? -1 : 1;
    return (x->way > y->way) - (x->way < y->way);
}

static size_t list_parts(const stoic_fault *fault, part *parts) {
    size_t n = 0;
    for (int p = 0; p < fault->n_patches; p++) {
        const stoic_patch *patch = &fault->patches[p];
        int layer = stoic_store_entry_at(fault->store, patch->entry)->layer;
        for (int way = 0; way < patch->ways; way++) {
            stoic_place place;
            stoic_store_place(fault->store, patch->entry, patch->start, patch->bit[way], &place);
            parts[n++] = (part){{layer, place.bit, patch->words}, patch, 0, way};
        }
    }
    qsort(parts, n, sizeof *parts, compare_parts);
    return n;
}

stoic_status stoic_cells_create(const stoic_fault *fault, stoic_cells **out, stoic_error *err) {
    size_t most = 0;
    *out = NULL;
    stoic_status status = check(fault, err);
    if (status != STOIC_OK)
        return status;
    for (int p = 0; p < fault->n_patches; p++)
        most += (size_t)fault->patches[p].ways;
    stoic_cells *cells = calloc(1, sizeof *cells);
    if (cells) {
        cells->items = calloc(most + 1, sizeof *cells->items);
        cells->first = calloc(most + 1, sizeof *cells->first);
        cells->parts = calloc(most + 1, sizeof *cells->parts);
    }
    if (!cells || !cells->items || !cells->first || !cells->parts) {
        stoic_cells_free(cells);
        return stoic_fail_memory(err, "the cells of a fault space", most * sizeof(part));
    }
    size_t n = list_parts(fault, cells->parts);
    for (size_t i = 0; i < n; i++) {
        const stoic_cell *cell = &cells->parts[i].cell;
        stoic_cell *last = cells->count ? &cells->items[cells->count - 1] : NULL;
        if (last && last->layer == cell->layer && last->bit == cell->bit) {
            cells->parts[i].before = last->faults;
            last->faults += cell->faults;
            continue;
        }
        cells->first[cells->count] = i;
        cells->items[cells->count++] = *cell;
    }
    cells->first[cells->count] = n;
    *out = cells;
    return STOIC_OK;
}

void stoic_cells_free(stoic_cells *cells) {
    if (!cells)
        return;
    free(cells->items);
    free(cells->first);
    free(cells->parts);
    free(cells);
}

size_t stoic_cells_count(const stoic_cells *cells) {
    return cells->count;
}

const stoic_cell *stoic_cells_at(const stoic_cells *cells, size_t i) {
    return &cells->items[i];
}

int64_t stoic_cells_site(const stoic_cells *cells, size_t cell, int64_t i) {
    size_t low = cells->first[cell], high = cells->first[cell + 1] - 1;
    while (low < high) { /* the last part that begins at or before i */
        size_t middle = low + (high - low + 1) / 2;
        if (cells->parts[middle].before <= i)
            low = middle;
        else
            high = middle - 1;
    }
    const part *at = &cells->parts[low];
    return at->patch->first_site + (i - at->before) * at->patch->ways + at->way;
}

void stoic_fault_set_order(stoic_fault *fault, stoic_site_order *order, const void *user) {
    fault->order = order;
    fault->order_user = user;
}
