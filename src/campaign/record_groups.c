/* Trials grouped by layer and bit: from the strata that the runner maintains, or, where the
 * estimates use a part of the trials, from those trials. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/estimate.h"
#include "campaign/records_file.h"
#include "campaign/rows.h"

typedef struct stratum {
    int layer, bit;
    bool one_layer; /* all sites of each trial lie in it */
    stoic_moments moments;
} stratum;

enum { MERGE_EVERY = 65536 }; /* trials */

typedef struct strata {
    stratum *items;
    size_t count, capacity;
} strata;

static stoic_status add_stratum(strata *list, const stratum *item, stoic_error *err) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        stratum *items = realloc(list->items, capacity * sizeof *items);
        if (!items)
            return stoic_fail_memory(err, "groups", capacity * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *item;
    return STOIC_OK;
}

static stoic_status read_strata(stoic_records *records, strata *list, stoic_error *err) {
    sqlite3_stmt *statement = NULL;
    stoic_status status;
    bool row;
    char *sql = sqlite3_mprintf("SELECT layer, bit, %s FROM strata", stoic_strata_columns);
    if (!sql)
        return stoic_fail_memory(err, "a statement", 1);
    TRY(stoic_sql_prepare(records->file->db, sql, &statement, err));
    for (;;) {
        TRY(stoic_sql_step(statement, &row, err));
        if (!row)
            break;
        stratum item = {.layer = sqlite3_column_int(statement, 0),
                        .bit = sqlite3_column_int(statement, 1)};
        item.one_layer = item.layer >= -1;
        stoic_strata_read(statement, 2, &item.moments);
        TRY(add_stratum(list, &item, err));
    }
done:
    sqlite3_finalize(statement);
    sqlite3_free(sql);
    return status;
}

static int compare_strata(const void *a, const void *b) {
    const stratum *x = a, *y = b;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    if (x->bit != y->bit)
        return x->bit < y->bit ? -1 : 1;
    return (x->one_layer > y->one_layer) - (x->one_layer < y->one_layer);
}

static void merge_equal(strata *list) {
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, compare_strata);
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (n > 0 && compare_strata(&list->items[n - 1], &list->items[i]) == 0)
            stoic_moments_merge(&list->items[n - 1].moments, &list->items[i].moments);
        else
            list->items[n++] = list->items[i];
    }
    list->count = n;
}

static stoic_status read_prefix(stoic_records *records, int64_t prefix, strata *list,
                                stoic_error *err) {
    stoic_trial_cursor cursor;
    stoic_status status = stoic_trial_cursor_open(records, 0, prefix, &cursor, err);
    if (status != STOIC_OK)
        return status;
    for (;;) {
        bool row;
        TRY(stoic_trial_cursor_next(&cursor, &row, err));
        if (!row)
            break;
        stratum item = {0};
        item.one_layer = stoic_trial_cursor_where(&cursor, &item.layer, &item.bit);
        stoic_moments_add(&item.moments, &cursor.counts);
        TRY(add_stratum(list, &item, err));
        if (list->count % MERGE_EVERY == 0)
            merge_equal(list);
    }
done:
    stoic_trial_cursor_close(&cursor);
    return status;
}

/* Drops what does not belong to any group, and forgets what is not grouped by. */
static void select_strata(strata *list, bool by_layer, bool by_bit) {
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        stratum item = list->items[i];
        if ((by_layer && !item.one_layer) || (by_bit && item.bit < 0))
            continue;
        item.layer = by_layer ? item.layer : -1;
        item.bit = by_bit ? item.bit : -1;
        item.one_layer = by_layer;
        list->items[n++] = item;
    }
    list->count = n;
}

static void fill_group(const stoic_records *records, const stratum *item, bool complete,
                       stoic_group *out) {
    stoic_basis basis = stoic_estimate_basis(records->file);
    const stoic_moments *moments = &item->moments;
    basis.complete = complete;
    out->layer = item->layer;
    out->bit = item->bit;
    out->position = -1;
    out->trials = moments->trials;
    out->accuracy = stoic_moments_accuracy(moments, &basis);
    out->critical_rate = stoic_moments_critical(moments, &basis);
    out->pvf = stoic_moments_pvf(moments, &basis);
    out->accuracy_min = moments->totals.correct < 0
                            ? NAN
                            : (double)moments->correct.least / (double)records->images;
    out->totals = moments->totals;
}

static stoic_status plain_groups(stoic_records *records, bool by_layer, bool by_bit,
                                 stoic_group **groups, size_t *n, stoic_error *err) {
    strata list = {0};
    stoic_status status;
    int64_t prefix = stoic_estimate_prefix(records->file), trials = 0;
    *groups = NULL;
    *n = 0;
    TRY(prefix < 0 ? read_strata(records, &list, err) : read_prefix(records, prefix, &list, err));
    for (size_t i = 0; i < list.count; i++)
        trials += list.items[i].moments.trials;
    bool complete = stoic_estimate_complete(records->file, trials);
    select_strata(&list, by_layer, by_bit);
    merge_equal(&list);
    *groups = calloc(list.count + 1, sizeof **groups);
    if (!*groups) {
        status = stoic_fail_memory(err, "groups", list.count * sizeof **groups);
        goto done;
    }
    for (size_t i = 0; i < list.count; i++)
        fill_group(records, &list.items[i], complete, &(*groups)[i]);
    *n = list.count;
done:
    free(list.items);
    return status;
}

stoic_status stoic_records_groups(stoic_records *records, bool by_layer, bool by_bit,
                                  stoic_group **groups, size_t *n, stoic_error *err) {
    return records->allocation ? stoic_strata_groups(records, by_layer, by_bit, groups, n, err)
                               : plain_groups(records, by_layer, by_bit, groups, n, err);
}

/* ---- the place of an operation in its sum ---- */

static const char position_sql[] =
    "SELECT min(2, 3 * step / steps) AS third, count(*), sum(correct), sum(critical), sum(nan),"
    " sum(masked), sum(tolerable), sum(due), sum(sdc5), sum(sdc10), sum(sdc20), min(correct),"
    " max(correct), count(masked) FROM upsets JOIN trials USING(trial) LEFT JOIN more USING(trial)"
    " WHERE trial < ? AND steps > 0 AND ordinal = 0 GROUP BY third ORDER BY third";

/* With one image a trial counts are 0 or 1, so that their squares are themselves. */
static void read_position(sqlite3_stmt *row, stratum *out) {
    stoic_moments *m = &out->moments;
    *out = (stratum){.layer = -1, .bit = -1};
    m->trials = sqlite3_column_int64(row, 1);
    int64_t *fields = stoic_counts_fields(&m->totals);
    fields[0] = m->trials;
    for (int i = 1; i < STOIC_COUNT_FIELDS; i++)
        fields[i] = stoic_sql_count(row, i + 1);
    if (sqlite3_column_int64(row, 13) != m->trials)
        m->totals.masked = m->totals.tolerable = -1;
    m->correct = m->critical = (stoic_tally){.trials = m->trials};
    m->correct.sum = m->correct.squares_low = (uint64_t)m->totals.correct;
    m->correct.least = sqlite3_column_int64(row, 11);
    m->correct.most = sqlite3_column_int64(row, 12);
    m->critical.sum = m->critical.squares_low = (uint64_t)m->totals.critical;
}

stoic_status stoic_records_positions(stoic_records *records, stoic_group **groups, size_t *n,
                                     stoic_error *err) {
    enum { THIRDS = 3 };
    sqlite3_stmt *row = NULL;
    stoic_status status = STOIC_OK;
    int64_t prefix = stoic_estimate_prefix(records->file);
    bool table, any = true;
    *n = 0;
    *groups = calloc(THIRDS, sizeof **groups);
    if (!*groups)
        return stoic_fail_memory(err, "groups", THIRDS * sizeof **groups);
    TRY(stoic_sql_has_table(records->file->db, "main", "upsets", &table, err));
    if (!table || records->images != 1)
        return STOIC_OK;
    TRY(stoic_sql_prepare(records->file->db, position_sql, &row, err));
    sqlite3_bind_int64(row, 1, prefix < 0 ? INT64_MAX : prefix);
    while (*n < THIRDS) {
        stratum item;
        TRY(stoic_sql_step(row, &any, err));
        if (!any)
            break;
        int64_t third = sqlite3_column_int64(row, 0);
        read_position(row, &item);
        if (third < 0 || item.moments.totals.correct < 0 || item.moments.totals.critical < 0)
            continue; /* no file of ours */
        fill_group(records, &item, false, &(*groups)[*n]);
        (*groups)[(*n)++].position = (int)third;
    }
done:
    sqlite3_finalize(row);
    return status;
}

void stoic_groups_free(stoic_group *groups) {
    free(groups);
}
