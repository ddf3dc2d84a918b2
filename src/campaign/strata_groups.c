/* A stratified campaign's trials by stratum, and by layer and bit: a group takes its part of each
 * stratum, in which all faults were equally likely. */
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "campaign/estimate.h"
#include "campaign/records_file.h"

static stoic_weighted weigh(const stoic_records *records, const stoic_part *parts, size_t n) {
    stoic_weighted all =
        stoic_allocation_weighted(records->allocation, parts, stoic_estimate_alpha(records->file));
    all.n = n;
    return all;
}

static int common(int known, int more, bool first) {
    return first || known == more ? more : -1;
}

stoic_status stoic_records_strata(stoic_records *records, stoic_stratum_row **rows, size_t *n,
                                  stoic_error *err) {
    const stoic_allocation *a = records->allocation;
    stoic_part *parts = NULL;
    stoic_status status = STOIC_OK;
    *n = 0;
    *rows = calloc(a ? a->n_strata + 1 : 1, sizeof **rows);
    if (!*rows)
        return stoic_fail_memory(err, "strata", sizeof **rows);
    if (!a)
        return STOIC_OK;
    TRY(stoic_allocation_parts(a, records->file, stoic_estimate_prefix(records->file), &parts,
                               err));
    for (size_t h = 0; h < a->n_strata; h++) {
        const stoic_cell_group *group = &a->strata[h];
        stoic_weighted one = weigh(records, &parts[h], 1);
        stoic_stratum_row *row = &(*rows)[(*n)++];
        *row = (stoic_stratum_row){.faults = group->faults,
                                   .trials = parts[h].moments.trials,
                                   .critical = parts[h].moments.totals.critical,
                                   .critical_rate = stoic_weighted_critical(&one)};
        for (size_t i = 0; i < group->n; i++) {
            const stoic_cell *cell = &a->cells[group->cells[i]];
            row->layer = common(row->layer, cell->layer, i == 0);
            row->bit = common(row->bit, cell->bit, i == 0);
        }
    }
done:
    free(parts);
    if (status != STOIC_OK) {
        free(*rows);
        *rows = NULL;
    }
    return status;
}

/* ---- by layer and bit ---- */

/* The outcomes of each cell's trials. */
static stoic_status read_cells(stoic_records *records, stoic_part *cells, stoic_error *err) {
    const stoic_allocation *a = records->allocation;
    int64_t prefix = stoic_estimate_prefix(records->file);
    stoic_trial_cursor cursor;
    stoic_status status =
        stoic_trial_cursor_open(records, a->pilot, prefix < 0 ? INT64_MAX : prefix, &cursor, err);
    if (status != STOIC_OK)
        return status;
    for (;;) {
        bool row;
        int layer, bit;
        TRY(stoic_trial_cursor_next(&cursor, &row, err));
        if (!row)
            break;
        stoic_trial_cursor_where(&cursor, &layer, &bit);
        size_t c = stoic_allocation_cell(a, layer, bit);
        if (c < a->n_cells)
            stoic_part_add(&cells[c], &cursor.counts);
    }
done:
    stoic_trial_cursor_close(&cursor);
    return status;
}

static void fill(const stoic_records *records, const stoic_part *parts, stoic_group *out) {
    stoic_weighted all = weigh(records, parts, records->allocation->n_strata);
    stoic_moments totals;
    stoic_weighted_totals(&all, &totals);
    out->position = -1;
    out->trials = totals.trials;
    out->totals = totals.totals;
    out->accuracy = stoic_weighted_accuracy(&all);
    out->critical_rate = stoic_weighted_critical(&all);
    out->pvf = stoic_weighted_pvf(&all);
    out->accuracy_min =
        totals.totals.correct < 0 ? NAN : (double)totals.correct.least / (double)records->images;
}

/* The cells of one group: those of a layer, of a bit, or one alone. */
enum { ANY = -3 }; /* no layer and no bit */

static bool belongs(const stoic_cell *cell, const stoic_group *group) {
    return (group->layer == ANY || cell->layer == group->layer) &&
           (group->bit == ANY || cell->bit == group->bit);
}

static int compare_groups(const void *a, const void *b) {
    const stoic_group *x = a, *y = b;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->bit > y->bit) - (x->bit < y->bit);
}

/* The groups that have a trial, without estimates. */
static size_t list_groups(const stoic_allocation *a, const stoic_part *cells, bool by_layer,
                          bool by_bit, stoic_group *groups) {
    size_t n = 0, kept = 0;
    for (size_t c = 0; c < a->n_cells; c++) {
        if (cells[c].moments.trials == 0 || (by_bit && a->cells[c].bit < 0))
            continue;
        groups[n++] = (stoic_group){.layer = by_layer ? a->cells[c].layer : ANY,
                                    .bit = by_bit ? a->cells[c].bit : ANY};
    }
    if (n > 0)
        qsort(groups, n, sizeof *groups, compare_groups);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || compare_groups(&groups[kept - 1], &groups[i]) != 0)
            groups[kept++] = groups[i];
    }
    return kept;
}

stoic_status stoic_strata_groups(stoic_records *records, bool by_layer, bool by_bit,
                                 stoic_group **groups, size_t *n, stoic_error *err) {
    const stoic_allocation *a = records->allocation;
    stoic_part *cells = calloc(a->n_cells, sizeof *cells);
    stoic_part *parts = calloc(a->n_strata + 1, sizeof *parts);
    stoic_status status;
    *n = 0;
    *groups = calloc(a->n_cells + 1, sizeof **groups);
    if (!cells || !parts || !*groups) {
        status = stoic_fail_memory(err, "groups", a->n_cells * sizeof **groups);
        goto done;
    }
    TRY(read_cells(records, cells, err));
    *n = list_groups(a, cells, by_layer, by_bit, *groups);
    for (size_t g = 0; g < *n; g++) {
        stoic_group *group = &(*groups)[g];
        for (size_t h = 0; h < a->n_strata; h++)
            parts[h] = (stoic_part){0};
        for (size_t c = 0; c < a->n_cells; c++) {
            cells[c].faults = a->cells[c].faults;
            if (a->stratum[c] >= 0 && belongs(&a->cells[c], group))
                stoic_part_merge(&parts[a->stratum[c]], &cells[c]);
        }
        fill(records, parts, group);
        group->layer = group->layer == ANY ? -1 : group->layer;
        group->bit = group->bit == ANY ? -1 : group->bit;
    }
done:
    free(cells);
    free(parts);
    return status;
}
