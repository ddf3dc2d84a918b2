#include "campaign/allocation.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/rng.h"

/* Tags of stoic_permute(): the order of a stage's trials, of a bit's faults, of a stratum's. */
static const uint64_t stage_order = (uint64_t)1 << 32, bit_order = (uint64_t)2 << 32,
                      stratum_order = (uint64_t)3 << 32;

bool stoic_campaign_is_stratified(const stoic_campaign_file *file) {
    const char *sampling = stoic_facts_get(&file->facts, "sampling");
    return sampling && !strcmp(sampling, "stratified");
}

static void free_groups(stoic_cell_group *groups, size_t n) {
    for (size_t i = 0; groups && i < n; i++) {
        free(groups[i].cells);
        free(groups[i].ends);
    }
    free(groups);
}

void stoic_allocation_free(stoic_allocation *allocation) {
    if (!allocation)
        return;
    for (size_t i = 0; i < allocation->n_stages; i++) {
        free(allocation->stages[i].ends);
        free(allocation->stages[i].before);
    }
    free(allocation->stages);
    free_groups(allocation->bits, allocation->n_bits);
    free_groups(allocation->strata, allocation->n_strata);
    free(allocation->cells);
    free(allocation->stratum);
    free(allocation);
}

/* ---- groups of cells ---- */

/* Group number[c] takes cell c; -1: none does. */
static stoic_status group_cells(const stoic_allocation *a, const int *number, size_t n,
                                stoic_cell_group **out, stoic_error *err) {
    stoic_cell_group *groups = calloc(n + 1, sizeof *groups);
    *out = groups;
    for (size_t g = 0; groups && g < n; g++) {
        size_t members = 0;
        for (size_t c = 0; c < a->n_cells; c++)
            members += number[c] == (int)g;
        groups[g].cells = calloc(members + 1, sizeof *groups[g].cells);
        groups[g].ends = calloc(members + 1, sizeof *groups[g].ends);
        if (!groups[g].cells || !groups[g].ends)
            goto fail;
        for (size_t c = 0; c < a->n_cells; c++) {
            if (number[c] != (int)g)
                continue;
            groups[g].faults += a->cells[c].faults;
            groups[g].cells[groups[g].n] = c;
            groups[g].ends[groups[g].n++] = groups[g].faults;
        }
    }
    if (groups)
        return STOIC_OK;
fail:
    free_groups(groups, n);
    *out = NULL;
    return stoic_fail_memory(err, "strata", a->n_cells * sizeof(stoic_cell_group));
}

static int compare_bits(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The bits that occur, ascending; returns how many. */
static size_t list_bits(const stoic_cell *cells, size_t n, int *bits) {
    size_t count = 0;
    for (size_t c = 0; c < n; c++)
        bits[c] = cells[c].bit;
    if (n > 0)
        qsort(bits, n, sizeof *bits, compare_bits);
    for (size_t c = 0; c < n; c++) {
        if (count == 0 || bits[count - 1] != bits[c])
            bits[count++] = bits[c];
    }
    return count;
}

static stoic_status group_bits(stoic_allocation *a, stoic_error *err) {
    int *bits = calloc(a->n_cells + 1, sizeof *bits),
        *number = calloc(a->n_cells + 1, sizeof *bits);
    stoic_status status = STOIC_OK;
    if (!bits || !number) {
        status = stoic_fail_memory(err, "strata", a->n_cells * sizeof *bits);
        goto done;
    }
    a->n_bits = list_bits(a->cells, a->n_cells, bits);
    for (size_t c = 0; c < a->n_cells; c++) {
        while (bits[number[c]] != a->cells[c].bit)
            number[c]++;
    }
    status = group_cells(a, number, a->n_bits, &a->bits, err);
done:
    free(bits);
    free(number);
    return status;
}

stoic_status stoic_allocation_new(stoic_cell *cells, int *stratum, size_t n_cells,
                                  stoic_allocation **out, stoic_error *err) {
    stoic_allocation *a = calloc(1, sizeof *a);
    *out = NULL;
    if (!a) {
        free(cells);
        free(stratum);
        return stoic_fail_memory(err, "an allocation", sizeof *a);
    }
    a->cells = cells;
    a->stratum = stratum;
    a->n_cells = n_cells;
    stoic_status status = group_bits(a, err);
    if (status == STOIC_OK)
        *out = a;
    else
        stoic_allocation_free(a);
    return status;
}

stoic_status stoic_allocation_over(const stoic_cells *space, uint64_t seed, stoic_allocation **out,
                                   stoic_error *err) {
    size_t n = stoic_cells_count(space);
    stoic_cell *cells = malloc((n + 1) * sizeof *cells);
    int *stratum = malloc((n + 1) * sizeof *stratum);
    *out = NULL;
    if (!cells || !stratum) {
        free(cells);
        free(stratum);
        return stoic_fail_memory(err, "an allocation", n * sizeof *cells);
    }
    for (size_t c = 0; c < n; c++) {
        cells[c] = *stoic_cells_at(space, c);
        stratum[c] = -1;
    }
    stoic_status status = stoic_allocation_new(cells, stratum, n, out, err);
    if (status == STOIC_OK) {
        (*out)->seed = seed;
        (*out)->space = space;
    }
    return status;
}

stoic_status stoic_allocation_group_strata(stoic_allocation *a, size_t n, stoic_error *err) {
    stoic_status status = group_cells(a, a->stratum, n, &a->strata, err);
    if (status == STOIC_OK)
        a->n_strata = n;
    return status;
}

stoic_status stoic_allocation_take_strata(stoic_allocation *a, bool *sound, stoic_error *err) {
    int most = -1;
    *sound = true;
    for (size_t c = 0; c < a->n_cells; c++)
        most = a->stratum[c] > most ? a->stratum[c] : most;
    for (size_t c = 0; c < a->n_cells; c++)
        *sound = *sound && (a->stratum[c] < 0) == (most < 0) && a->stratum[c] < (int)a->n_cells;
    if (most < 0 || !*sound)
        return STOIC_OK;
    stoic_status status = stoic_allocation_group_strata(a, (size_t)(most + 1), err);
    for (size_t h = 0; h < a->n_strata; h++)
        *sound = *sound && a->strata[h].n > 0;
    return status;
}

int64_t stoic_allocation_pilot_most(const stoic_cells *space) {
    bool seen[64 * STOIC_WORD_PARTS + 1] = {false}; /* by bit, from -1 on */
    int64_t bits = 0;
    for (size_t c = 0; c < stoic_cells_count(space); c++) {
        bool *bit = &seen[stoic_cells_at(space, c)->bit + 1];
        bits += !*bit;
        *bit = true;
    }
    return bits * STOIC_PILOT_ROUNDS;
}

/* ---- stages ---- */

stoic_status stoic_allocation_add_stage(stoic_allocation *a, bool pilot, const int64_t *trials,
                                        stoic_error *err) {
    size_t n = pilot ? a->n_bits : a->n_strata;
    if (a->n_stages == a->capacity) {
        size_t capacity = a->capacity ? 2 * a->capacity : 32;
        stoic_stage *stages = realloc(a->stages, capacity * sizeof *stages);
        if (!stages)
            return stoic_fail_memory(err, "stages", capacity * sizeof *stages);
        a->stages = stages;
        a->capacity = capacity;
    }
    stoic_stage *stage = &a->stages[a->n_stages];
    *stage = (stoic_stage){.pilot = pilot, .first = a->end, .n = n};
    stage->ends = calloc(n + 1, sizeof *stage->ends);
    stage->before = calloc(n + 1, sizeof *stage->before);
    if (!stage->ends || !stage->before) {
        free(stage->ends);
        free(stage->before);
        return stoic_fail_memory(err, "a stage", n * sizeof *stage->ends);
    }
    const stoic_stage *last = a->n_stages > 0 ? stage - 1 : NULL;
    bool goes_on = last && last->pilot == pilot;
    for (size_t g = 0; g < n; g++) {
        stage->trials += trials[g];
        stage->ends[g] = stage->trials;
        if (goes_on)
            stage->before[g] = last->before[g] + last->ends[g] - (g > 0 ? last->ends[g - 1] : 0);
    }
    a->n_stages++;
    a->end += stage->trials;
    a->pilot += pilot ? stage->trials : 0;
    return STOIC_OK;
}

stoic_status stoic_allocation_take_stage(stoic_allocation *a, bool pilot, const int64_t *trials,
                                         bool *sound, stoic_error *err) {
    int64_t end = a->end;
    size_t n = pilot ? a->n_bits : a->n_strata;
    const stoic_cell_group *groups = pilot ? a->bits : a->strata;
    *sound = !pilot || a->end == a->pilot;
    for (size_t g = 0; g < n; g++)
        *sound = *sound && trials[g] >= 0 && trials[g] <= groups[g].faults &&
                 !__builtin_add_overflow(end, trials[g], &end);
    *sound = *sound && end > a->end;
    if (!*sound)
        return STOIC_OK;
    stoic_status status = stoic_allocation_add_stage(a, pilot, trials, err);
    const stoic_stage *stage = &a->stages[a->n_stages - (status == STOIC_OK)];
    for (size_t g = 0; status == STOIC_OK && g < n; g++)
        *sound = *sound && stage->before[g] <= groups[g].faults - trials[g];
    return status;
}

/* The first end beyond i. */
static size_t find_end(const int64_t *ends, size_t n, int64_t i) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ends[middle] <= i)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Within a stage the trials of all groups are mixed, so that a part of it is a fair sample. */
static int locate(const stoic_allocation *a, int64_t trial, const stoic_stage **stage,
                  int64_t *ordinal) {
    if (trial < 0 || trial >= a->end)
        return -1;
    size_t s = a->n_stages - 1;
    while (a->stages[s].first > trial)
        s--;
    const stoic_stage *at = &a->stages[s];
    int64_t i = (int64_t)stoic_permute(a->seed, stage_order + s, (uint64_t)at->trials,
                                       (uint64_t)(trial - at->first));
    size_t g = find_end(at->ends, at->n, i);
    *ordinal = at->before[g] + i - (g > 0 ? at->ends[g - 1] : 0);
    *stage = at;
    return (int)g;
}

int stoic_allocation_group(const stoic_allocation *a, int64_t trial, const stoic_stage **stage) {
    const stoic_stage *at = NULL;
    int64_t ordinal;
    int group = locate(a, trial, &at, &ordinal);
    if (stage)
        *stage = at;
    return group;
}

int stoic_allocation_stratum(const stoic_allocation *a, int64_t trial) {
    return trial < a->pilot ? -1 : stoic_allocation_group(a, trial, NULL);
}

int64_t stoic_allocation_site(const void *allocation, int64_t trial) {
    const stoic_allocation *a = allocation;
    const stoic_stage *stage;
    int64_t ordinal;
    int g = locate(a, trial, &stage, &ordinal);
    if (g < 0)
        return 0; /* nobody asks for a trial that is not laid out */
    const stoic_cell_group *group = stage->pilot ? &a->bits[g] : &a->strata[g];
    uint64_t order = (stage->pilot ? bit_order : stratum_order) + (uint64_t)g;
    int64_t i = (int64_t)stoic_permute(a->seed, order, (uint64_t)group->faults, (uint64_t)ordinal);
    size_t c = find_end(group->ends, group->n, i);
    return stoic_cells_site(a->space, group->cells[c], i - (c > 0 ? group->ends[c - 1] : 0));
}

int64_t stoic_allocation_faults(const stoic_allocation *a) {
    int64_t sum = 0;
    for (size_t c = 0; c < a->n_cells; c++)
        sum += a->cells[c].faults;
    return sum;
}

size_t stoic_allocation_cell(const stoic_allocation *a, int layer, int bit) {
    size_t low = 0, high = a->n_cells;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const stoic_cell *cell = &a->cells[middle];
        if (cell->layer < layer || (cell->layer == layer && cell->bit < bit))
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < a->n_cells && a->cells[low].layer == layer && a->cells[low].bit == bit;
    return found ? low : a->n_cells;
}

/* ---- outcomes ---- */

static const char outcome_sql[] =
    "SELECT trial, correct, critical, nan, masked, tolerable, due, sdc5, sdc10, sdc20"
    " FROM trials LEFT JOIN more USING(trial) WHERE trial >= ? AND trial < ?";

stoic_status stoic_allocation_tell(const stoic_allocation *a, const stoic_campaign_file *file,
                                   int64_t low, int64_t high, stoic_part *groups,
                                   stoic_error *err) {
    sqlite3_stmt *row = NULL;
    stoic_status status;
    TRY(stoic_sql_prepare(file->db, outcome_sql, &row, err));
    sqlite3_bind_int64(row, 1, low);
    sqlite3_bind_int64(row, 2, high);
    for (;;) {
        bool any;
        TRY(stoic_sql_step(row, &any, err));
        if (!any)
            break;
        stoic_counts counts;
        int64_t *fields = stoic_counts_fields(&counts);
        fields[0] = a->trial_images;
        for (int i = 1; i < STOIC_COUNT_FIELDS; i++)
            fields[i] = stoic_sql_count(row, i);
        int group = stoic_allocation_group(a, sqlite3_column_int64(row, 0), NULL);
        if (group >= 0)
            stoic_part_add(&groups[group], &counts);
    }
done:
    sqlite3_finalize(row);
    return status;
}

stoic_status stoic_allocation_parts(const stoic_allocation *a, const stoic_campaign_file *file,
                                    int64_t prefix, stoic_part **parts, stoic_error *err) {
    *parts = calloc(a->n_strata + 1, sizeof **parts);
    if (!*parts)
        return stoic_fail_memory(err, "strata", a->n_strata * sizeof **parts);
    for (size_t h = 0; h < a->n_strata; h++)
        (*parts)[h].faults = a->strata[h].faults;
    if (a->n_strata == 0)
        return STOIC_OK;
    stoic_status status =
        stoic_allocation_tell(a, file, a->pilot, prefix < 0 ? INT64_MAX : prefix, *parts, err);
    if (status != STOIC_OK) {
        free(*parts);
        *parts = NULL;
    }
    return status;
}

stoic_weighted stoic_allocation_weighted(const stoic_allocation *a, const stoic_part *parts,
                                         double alpha) {
    return (stoic_weighted){parts, a->n_strata, a->trial_images, a->trial_images == a->images,
                            alpha};
}
