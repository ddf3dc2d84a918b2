#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/records_file.h"

static const char trials_sql[] =
    "SELECT trial, image, correct, critical, nan, masked, tolerable, due, sdc5, sdc10, sdc20"
    " FROM trials LEFT JOIN more USING(trial) WHERE trial >= ? AND trial < ? ORDER BY trial";
static const char sites_sql[] =
    "SELECT trial, entry, word, \"index\", bit, action, role, before, after FROM sites"
    " WHERE trial >= ? AND trial < ? ORDER BY trial, ordinal";
static const char spans_sql[] =
    "SELECT trial, entry, word, words, mask, stored FROM spans"
    " WHERE trial >= coalesce((SELECT max(trial) FROM spans WHERE trial <= ?1), ?1)"
    " AND trial < ?2 ORDER BY trial";

static const char crowds_sql[] =
    "SELECT trial, sites, layer FROM crowds WHERE trial >= ? AND trial < ? ORDER BY trial";

static stoic_status prepare_range(sqlite3 *db, const char *sql, int64_t low, int64_t high,
                                  sqlite3_stmt **out, stoic_error *err) {
    stoic_status status = stoic_sql_prepare(db, sql, out, err);
    if (status == STOIC_OK) {
        sqlite3_bind_int64(*out, 1, low);
        sqlite3_bind_int64(*out, 2, high);
    }
    return status;
}

static stoic_status damaged(const stoic_trial_cursor *cursor, const char *table, int64_t trial,
                            stoic_error *err) {
    return stoic_fail(err, STOIC_ERR_FORMAT, cursor->records->file->path,
                      "table %s: the row of trial %lld makes no sense", table, (long long)trial);
}

static stoic_status read_span(stoic_trial_cursor *cursor, stoic_error *err) {
    stoic_status status;
    TRY(stoic_sql_step(cursor->spans, &cursor->span_row, err));
    if (!cursor->span_row)
        return STOIC_OK;
    sqlite3_stmt *row = cursor->spans;
    stoic_span *span = &cursor->span;
    int64_t entry = sqlite3_column_int64(row, 1);
    span->trial = sqlite3_column_int64(row, 0);
    span->entry = (int32_t)entry;
    span->word = sqlite3_column_int64(row, 2);
    span->words = sqlite3_column_int64(row, 3);
    span->mask = (uint64_t)sqlite3_column_int64(row, 4);
    const uint8_t *blob = sqlite3_column_blob(row, 5);
    int bytes = sqlite3_column_bytes(row, 5);
    if (entry < 0 || (size_t)entry >= cursor->records->n_entries || span->words < 1 ||
        span->words > INT32_MAX / 4 || bytes != 4 * span->words || !blob || span->mask == 0 ||
        span->mask > UINT32_MAX)
        return damaged(cursor, "spans", span->trial, err);
    size_t words = (size_t)span->words;
    if (words > cursor->stored_capacity) {
        uint32_t *stored = realloc(cursor->stored, words * sizeof *stored);
        if (!stored)
            return stoic_fail_memory(err, "a span of sites", words * sizeof *stored);
        cursor->stored = stored;
        cursor->stored_capacity = words;
    }
    for (size_t i = 0; i < words; i++, blob += 4)
        cursor->stored[i] = (uint32_t)blob[0] | (uint32_t)blob[1] << 8 | (uint32_t)blob[2] << 16 |
                            (uint32_t)blob[3] << 24;
done:
    return status;
}

static float read_float(sqlite3_stmt *row, int column) {
    if (sqlite3_column_type(row, column) == SQLITE_NULL)
        return NAN;
    return (float)sqlite3_column_double(row, column);
}

/* The current row of `sites`, added to the list. */
static stoic_status take_site(stoic_trial_cursor *cursor, stoic_error *err) {
    sqlite3_stmt *row = cursor->sites;
    int64_t entry = sqlite3_column_int64(row, 1);
    int action = sqlite3_column_int(row, 5), role = sqlite3_column_int(row, 6);
    if (entry < 0 || (size_t)entry >= cursor->records->n_entries || action < STOIC_FLIP ||
        action > STOIC_SET_WORD || role < STOIC_BIT_DATA || role > STOIC_BIT_PARITY)
        return damaged(cursor, "sites", sqlite3_column_int64(row, 0), err);
    stoic_status status;
    TRY(stoic_site_list_resize(&cursor->list, cursor->list.count + 1, err));
    cursor->list.items[cursor->list.count - 1] =
        (stoic_site){.entry = (int32_t)entry,
                     .layer = cursor->records->entries[entry].layer,
                     .bit = sqlite3_column_int(row, 4),
                     .action = (stoic_action)action,
                     .role = (stoic_bit_role)role,
                     .word = sqlite3_column_int64(row, 2),
                     .index = sqlite3_column_int64(row, 3),
                     .before = read_float(row, 7),
                     .after = read_float(row, 8)};
    status = stoic_sql_step(cursor->sites, &cursor->site_row, err);
done:
    return status;
}

/* Trials that are not complete have upsets already: these are passed over. */
static stoic_status read_upsets(stoic_trial_cursor *cursor, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_upset upset;
    cursor->upsets.count = 0;
    while (cursor->upset_row && sqlite3_column_int64(cursor->upset_rows, 0) <= cursor->trial) {
        if (!stoic_upset_read(cursor->upset_rows, (int64_t)cursor->records->n_layers, &upset))
            return damaged(cursor, "upsets", sqlite3_column_int64(cursor->upset_rows, 0), err);
        if (upset.trial == cursor->trial)
            TRY(stoic_upset_list_add(&cursor->upsets, &upset, err));
        TRY(stoic_sql_step(cursor->upset_rows, &cursor->upset_row, err));
    }
done:
    return status;
}

/* Where a table that older files lack is there: its rows, the first of them at hand. */
static stoic_status open_later(stoic_trial_cursor *cursor, const char *table, const char *sql,
                               int64_t low, int64_t high, sqlite3_stmt **rows, bool *row,
                               stoic_error *err) {
    sqlite3 *db = cursor->records->file->db;
    bool there;
    stoic_status status;
    TRY(stoic_sql_has_table(db, "main", table, &there, err));
    if (!there)
        return STOIC_OK;
    TRY(prepare_range(db, sql, low, high, rows, err));
    status = stoic_sql_step(*rows, row, err);
done:
    return status;
}

/* Of a trial whose sites were left out: how many there were. */
static stoic_status read_crowd(stoic_trial_cursor *cursor, stoic_error *err) {
    stoic_status status = STOIC_OK;
    cursor->list.left_out = 0;
    while (cursor->crowd_row && sqlite3_column_int64(cursor->crowds, 0) <= cursor->trial) {
        int64_t trial = sqlite3_column_int64(cursor->crowds, 0);
        int64_t sites = sqlite3_column_int64(cursor->crowds, 1);
        int64_t layer = sqlite3_column_int64(cursor->crowds, 2);
        if (sites < 2 || layer < STOIC_SEVERAL_LAYERS ||
            layer >= (int64_t)cursor->records->n_layers)
            return damaged(cursor, "crowds", trial, err);
        if (trial == cursor->trial) {
            cursor->list.left_out = (size_t)sites;
            cursor->list.layer = (int32_t)layer;
        }
        TRY(stoic_sql_step(cursor->crowds, &cursor->crowd_row, err));
    }
done:
    return status;
}

static stoic_status read_sites(stoic_trial_cursor *cursor, stoic_error *err) {
    stoic_status status = STOIC_OK;
    cursor->list.count = 0;
    while (cursor->span_row &&
           cursor->span.trial + stoic_span_trials(&cursor->span) <= cursor->trial)
        TRY(read_span(cursor, err));
    if (cursor->span_row && cursor->span.trial <= cursor->trial) {
        TRY(stoic_site_list_resize(&cursor->list, 1, err));
        stoic_site *site = cursor->list.items;
        stoic_span_site(&cursor->span, cursor->stored, cursor->trial, site);
        site->layer = cursor->records->entries[site->entry].layer;
    }
    while (cursor->site_row && sqlite3_column_int64(cursor->sites, 0) <= cursor->trial)
        TRY(take_site(cursor, err));
    TRY(read_crowd(cursor, err));
    status = read_upsets(cursor, err);
done:
    return status;
}

stoic_status stoic_trial_cursor_open(stoic_records *records, int64_t low, int64_t high,
                                     stoic_trial_cursor *out, stoic_error *err) {
    sqlite3 *db = records->file->db;
    stoic_status status;
    *out = (stoic_trial_cursor){.records = records};
    /* One snapshot for all three, also while the campaign is being written. */
    TRY(stoic_sql_exec(db, "SAVEPOINT cursor", err));
    out->snapshot = true;
    TRY(prepare_range(db, trials_sql, low, high, &out->trials, err));
    TRY(prepare_range(db, sites_sql, low, high, &out->sites, err));
    TRY(prepare_range(db, spans_sql, low, high, &out->spans, err));
    TRY(stoic_sql_step(out->sites, &out->site_row, err));
    TRY(open_later(out, "upsets", stoic_upset_select, low, high, &out->upset_rows, &out->upset_row,
                   err));
    TRY(open_later(out, "crowds", crowds_sql, low, high, &out->crowds, &out->crowd_row, err));
    status = read_span(out, err);
done:
    if (status != STOIC_OK)
        stoic_trial_cursor_close(out);
    return status;
}

stoic_status stoic_trial_cursor_next(stoic_trial_cursor *cursor, bool *row, stoic_error *err) {
    stoic_status status;
    TRY(stoic_sql_step(cursor->trials, row, err));
    if (!*row)
        return STOIC_OK;
    cursor->trial = sqlite3_column_int64(cursor->trials, 0);
    cursor->image = stoic_sql_count(cursor->trials, 1);
    int64_t *fields = stoic_counts_fields(&cursor->counts);
    fields[0] = cursor->records->images;
    for (int i = 1; i < STOIC_COUNT_FIELDS; i++) {
        fields[i] = stoic_sql_count(cursor->trials, i + 1);
        if (fields[i] > fields[0])
            return stoic_fail(err, STOIC_ERR_FORMAT, cursor->records->file->path,
                              "trial %lld counts %lld of its %lld images", (long long)cursor->trial,
                              (long long)fields[i], (long long)fields[0]);
    }
    status = read_sites(cursor, err);
done:
    return status;
}

void stoic_trial_cursor_close(stoic_trial_cursor *cursor) {
    sqlite3_finalize(cursor->trials);
    sqlite3_finalize(cursor->sites);
    sqlite3_finalize(cursor->spans);
    sqlite3_finalize(cursor->upset_rows);
    sqlite3_finalize(cursor->crowds);
    if (cursor->snapshot)
        sqlite3_exec(cursor->records->file->db, "RELEASE cursor", NULL, NULL, NULL);
    stoic_site_list_deinit(&cursor->list);
    stoic_upset_list_deinit(&cursor->upsets);
    free(cursor->stored);
    memset(cursor, 0, sizeof *cursor);
}

size_t stoic_trial_cursor_told(const stoic_trial_cursor *cursor) {
    return cursor->list.count + cursor->upsets.count;
}

size_t stoic_trial_cursor_sites(const stoic_trial_cursor *cursor) {
    return stoic_trial_cursor_told(cursor) + cursor->list.left_out;
}

/* The only site of the trial: an upset of an image in which nothing else was hit, or a stored bit.
 */
static const stoic_upset *only_upset(const stoic_trial_cursor *cursor) {
    const stoic_upset *first = cursor->upsets.items;
    return stoic_trial_cursor_sites(cursor) == 1 && cursor->upsets.count && first->elements == 1
               ? first
               : NULL;
}

static const stoic_site *only_site(const stoic_trial_cursor *cursor) {
    bool one = stoic_trial_cursor_sites(cursor) == 1 && cursor->list.count == 1;
    return one ? cursor->list.items : NULL;
}

bool stoic_trial_cursor_where(const stoic_trial_cursor *cursor, int *layer, int *bit) {
    const stoic_site_list *sites = &cursor->list;
    const stoic_upset_list *upsets = &cursor->upsets;
    const stoic_upset *upset = only_upset(cursor);
    const stoic_site *site = only_site(cursor);
    bool one = stoic_trial_cursor_sites(cursor) > 0;
    *layer = !one              ? -1
             : sites->left_out ? sites->layer
             : sites->count    ? sites->items[0].layer
                               : upsets->items[0].layer;
    one = one && *layer != STOIC_SEVERAL_LAYERS;
    for (size_t i = 0; i < sites->count; i++)
        one = one && sites->items[i].layer == *layer;
    for (size_t i = 0; i < upsets->count; i++)
        one = one && upsets->items[i].layer == *layer;
    *layer = one ? *layer : -1;
    *bit = site ? site->bit : upset ? upset->bit : -1;
    return one;
}

/* Each image tells with its first upset how many values were hit in it. */
static int64_t hits(const stoic_trial_cursor *cursor) {
    const stoic_upset_list *upsets = &cursor->upsets;
    int64_t sum = (int64_t)(cursor->list.count + cursor->list.left_out);
    for (size_t i = 0; i < upsets->count; i++) {
        if (upsets->items[i].ordinal == 0 &&
            __builtin_add_overflow(sum, upsets->items[i].elements, &sum))
            return -1;
    }
    return sum;
}

void stoic_trial_cursor_record(const stoic_trial_cursor *cursor, stoic_record *out) {
    const stoic_upset *upset = only_upset(cursor);
    const stoic_site *site = only_site(cursor);
    const stoic_records *records = cursor->records;
    *out = (stoic_record){
        .trial = cursor->trial,
        .index = -1,
        .before = NAN,
        .after = NAN,
        .image = cursor->image,
        .stratum =
            records->allocation ? stoic_allocation_stratum(records->allocation, cursor->trial) : -1,
        .counts = cursor->counts,
        .accuracy = NAN,
        .drop = NAN,
        .hits = hits(cursor)};
    stoic_trial_cursor_where(cursor, &out->layer, &out->bit);
    if (site || upset) {
        out->index = site ? site->index : upset->index;
        out->before = site ? site->before : upset->before;
        out->after = site ? site->after : upset->after;
    }
    if (out->counts.correct >= 0) {
        out->accuracy = (double)out->counts.correct / (double)records->images;
        out->drop = records->golden_accuracy - out->accuracy;
    }
}

static void describe_upset(const stoic_trial_cursor *cursor, const stoic_upset *upset,
                           stoic_site_record *out) {
    const char *field = upset->bit < 23 ? "mantissa" : upset->bit < 31 ? "exponent" : "sign";
    *out = (stoic_site_record){.trial = cursor->trial,
                               .kind = stoic_upset_kind_name(upset->kind),
                               .layer = upset->layer,
                               .tensor = stoic_upset_tensor(upset->kind),
                               .word = -1,
                               .index = upset->index,
                               .bit = upset->bit,
                               .role = "",
                               .image = upset->image,
                               .step = upset->step,
                               .before = upset->before,
                               .after = upset->after,
                               .field = upset->bit < 0 ? "" : field};
}

void stoic_trial_cursor_site(const stoic_trial_cursor *cursor, size_t i, stoic_site_record *out) {
    if (i >= cursor->list.count) {
        describe_upset(cursor, &cursor->upsets.items[i - cursor->list.count], out);
        return;
    }
    const stoic_site *site = &cursor->list.items[i];
    *out = (stoic_site_record){
        .trial = cursor->trial,
        .kind = stoic_action_name(site->action),
        .layer = site->layer,
        .tensor = stoic_role_name(cursor->records->entries[site->entry].role),
        .word = site->word,
        .index = site->index,
        .bit = site->bit,
        .role = stoic_bit_role_name(site->role),
        .image = cursor->image,
        .step = -1,
        .before = site->before,
        .after = site->after,
        .field = stoic_layout_field(stoic_layouts_at(&cursor->records->layouts, site->layer),
                                    site->bit, site->role)};
}
