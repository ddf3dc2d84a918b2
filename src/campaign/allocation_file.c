/* The tables of an allocation: written once a stage, read by everybody. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/allocation.h"

static const char schema[] = "CREATE TABLE IF NOT EXISTS cells(layer INTEGER, bit INTEGER, faults "
                             "INTEGER NOT NULL, stratum INTEGER,"
                             " PRIMARY KEY(layer, bit)) WITHOUT ROWID;"
                             "CREATE TABLE IF NOT EXISTS stages(stage INTEGER, part INTEGER, pilot "
                             "INTEGER NOT NULL, trials INTEGER NOT"
                             " NULL, PRIMARY KEY(stage, part)) WITHOUT ROWID;";

stoic_status stoic_allocation_create(stoic_campaign_file *file, const stoic_cells *space,
                                     stoic_error *err) {
    sqlite3_stmt *insert = NULL;
    stoic_status status;
    TRY(stoic_sql_exec(file->db, "SAVEPOINT cells", err));
    TRY(stoic_sql_exec(file->db, schema, err));
    TRY(stoic_sql_prepare(file->db, "INSERT OR IGNORE INTO cells VALUES(?, ?, ?, NULL)", &insert,
                          err));
    for (size_t c = 0; c < stoic_cells_count(space); c++) {
        const stoic_cell *cell = stoic_cells_at(space, c);
        sqlite3_bind_int(insert, 1, cell->layer);
        sqlite3_bind_int(insert, 2, cell->bit);
        sqlite3_bind_int64(insert, 3, cell->faults);
        TRY(stoic_sql_run(insert, err));
    }
    status = stoic_sql_exec(file->db, "RELEASE cells", err);
done:
    sqlite3_finalize(insert);
    return status;
}

static stoic_status damaged(const stoic_campaign_file *file, const char *table, stoic_error *err) {
    return stoic_fail(err, STOIC_ERR_FORMAT, file->path,
                      "the table %s of a stratified campaign makes no sense", table);
}

/* The arrays are the caller's, also where it fails. */
static stoic_status read_cells(const stoic_campaign_file *file, stoic_cell **cells, int **strata,
                               size_t *count, stoic_error *err) {
    enum { MOST = 1 << 24 };
    sqlite3_stmt *row = NULL;
    stoic_status status;
    int64_t n, all = 0;
    bool any;
    TRY(stoic_sql_integer(file->db, "SELECT count(*) FROM cells", 0, &n, err));
    if (n < 1 || n > MOST)
        return damaged(file, "cells", err);
    *cells = calloc((size_t)n, sizeof **cells);
    *strata = calloc((size_t)n, sizeof **strata);
    if (!*cells || !*strata)
        return stoic_fail_memory(err, "cells", (size_t)n * sizeof **cells);
    TRY(stoic_sql_prepare(
        file->db, "SELECT layer, bit, faults, stratum FROM cells ORDER BY layer, bit", &row, err));
    while (*count < (size_t)n) {
        TRY(stoic_sql_step(row, &any, err));
        if (!any)
            break;
        int64_t layer = sqlite3_column_int64(row, 0), bit = sqlite3_column_int64(row, 1);
        int64_t faults = sqlite3_column_int64(row, 2), stratum = stoic_sql_count(row, 3);
        if (layer < -1 || layer > INT32_MAX || bit < -1 || bit > INT32_MAX || faults < 1 ||
            stratum < -1 || stratum >= n || __builtin_add_overflow(all, faults, &all)) {
            status = damaged(file, "cells", err);
            goto done;
        }
        (*cells)[*count] = (stoic_cell){(int)layer, (int)bit, faults};
        (*strata)[(*count)++] = (int)stratum;
    }
done:
    sqlite3_finalize(row);
    return status;
}

static stoic_status read_stages(const stoic_campaign_file *file, stoic_allocation *a,
                                stoic_error *err) {
    sqlite3_stmt *row = NULL;
    stoic_status status;
    size_t most = a->n_bits > a->n_strata ? a->n_bits : a->n_strata;
    int64_t *trials = calloc(most + 1, sizeof *trials);
    int64_t open = -1; /* the stage whose rows are being read */
    bool any = true, pilot = false, sound;
    if (!trials)
        return stoic_fail_memory(err, "a stage", most * sizeof *trials);
    TRY(stoic_sql_prepare(
        file->db, "SELECT stage, part, pilot, trials FROM stages ORDER BY stage, part", &row, err));
    while (any) {
        TRY(stoic_sql_step(row, &any, err));
        int64_t stage = any ? sqlite3_column_int64(row, 0) : -1;
        if (open >= 0 && stage != open) {
            TRY(stoic_allocation_take_stage(a, pilot, trials, &sound, err));
            if (!sound) {
                status = damaged(file, "stages", err);
                goto done;
            }
            memset(trials, 0, most * sizeof *trials);
        }
        if (!any)
            break;
        int64_t part = sqlite3_column_int64(row, 1);
        pilot = sqlite3_column_int(row, 2) != 0;
        if ((stage != open && stage != open + 1) || part < 0 ||
            (size_t)part >= (pilot ? a->n_bits : a->n_strata)) {
            status = damaged(file, "stages", err);
            goto done;
        }
        open = stage;
        trials[part] = sqlite3_column_int64(row, 3);
    }
done:
    sqlite3_finalize(row);
    free(trials);
    return status;
}

static stoic_status match_space(const stoic_campaign_file *file, const stoic_allocation *a,
                                stoic_error *err) {
    bool same = a->n_cells == stoic_cells_count(a->space);
    for (size_t c = 0; same && c < a->n_cells; c++) {
        const stoic_cell *cell = stoic_cells_at(a->space, c);
        same = cell->layer == a->cells[c].layer && cell->bit == a->cells[c].bit &&
               cell->faults == a->cells[c].faults;
    }
    return same ? STOIC_OK : damaged(file, "cells", err);
}

stoic_status stoic_allocation_read(const stoic_campaign_file *file, const stoic_cells *space,
                                   stoic_allocation **out, stoic_error *err) {
    const char *seed = stoic_facts_get(&file->facts, "seed");
    stoic_status status;
    *out = NULL;
    stoic_allocation *a = NULL;
    stoic_cell *cells = NULL;
    int *strata = NULL;
    size_t count = 0;
    bool sound;
    TRY(read_cells(file, &cells, &strata, &count, err));
    status = stoic_allocation_new(cells, strata, count, &a, err);
    cells = NULL;
    strata = NULL;
    if (status != STOIC_OK)
        goto done;
    a->seed = seed ? strtoull(seed, NULL, 10) : 0;
    a->trial_images = stoic_campaign_file_integer(file, "trial_images", 0);
    a->images = stoic_campaign_file_integer(file, "images", -1);
    a->space = space;
    if (space)
        TRY(match_space(file, a, err));
    TRY(stoic_allocation_take_strata(a, &sound, err));
    if (!sound) {
        status = damaged(file, "cells", err);
        goto done;
    }
    TRY(read_stages(file, a, err));
    *out = a;
    a = NULL;
done:
    free(cells);
    free(strata);
    stoic_allocation_free(a);
    return status;
}

static stoic_status write_strata(const stoic_allocation *a, sqlite3 *db, stoic_error *err) {
    sqlite3_stmt *update = NULL;
    stoic_status status;
    TRY(stoic_sql_prepare(db, "UPDATE cells SET stratum = ? WHERE layer = ? AND bit = ?", &update,
                          err));
    for (size_t c = 0; c < a->n_cells; c++) {
        sqlite3_bind_int(update, 1, a->stratum[c]);
        sqlite3_bind_int(update, 2, a->cells[c].layer);
        sqlite3_bind_int(update, 3, a->cells[c].bit);
        TRY(stoic_sql_run(update, err));
    }
done:
    sqlite3_finalize(update);
    return status;
}

static stoic_status write_stage(const stoic_allocation *a, sqlite3 *db, stoic_error *err) {
    sqlite3_stmt *insert = NULL;
    const stoic_stage *stage = &a->stages[a->n_stages - 1];
    stoic_status status;
    TRY(stoic_sql_prepare(db, "INSERT INTO stages VALUES(?, ?, ?, ?)", &insert, err));
    for (size_t g = 0; g < stage->n; g++) {
        int64_t trials = stage->ends[g] - (g > 0 ? stage->ends[g - 1] : 0);
        if (trials == 0)
            continue;
        sqlite3_bind_int64(insert, 1, (int64_t)a->n_stages - 1);
        sqlite3_bind_int64(insert, 2, (int64_t)g);
        sqlite3_bind_int(insert, 3, stage->pilot);
        sqlite3_bind_int64(insert, 4, trials);
        TRY(stoic_sql_run(insert, err));
    }
done:
    sqlite3_finalize(insert);
    return status;
}

stoic_status stoic_allocation_keep(const stoic_allocation *a, stoic_campaign_file *file,
                                   bool strata, stoic_error *err) {
    stoic_status status;
    TRY(stoic_sql_exec(file->db, "SAVEPOINT stage", err));
    if (strata)
        TRY(write_strata(a, file->db, err));
    TRY(write_stage(a, file->db, err));
    TRY(stoic_campaign_file_set(file, "pilot", err, "%lld", (long long)a->pilot));
    status = stoic_sql_exec(file->db, "RELEASE stage", err);
done:
    return status;
}
