#include "campaign/upsets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

const char stoic_upset_insert[] =
    "INSERT OR REPLACE INTO upsets VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const char stoic_upset_select[] =
    "SELECT trial, image, ordinal, layer, kind, \"index\", step, steps, bit, elements, before,"
    " after FROM upsets WHERE trial >= ? AND trial < ? ORDER BY trial, image, ordinal";

#define KIND_NAME(enumerator, name, tensor)   [enumerator] = name,
#define KIND_TENSOR(enumerator, name, tensor) [enumerator] = tensor,
static const char *const names[] = {STOIC_UPSET_LIST(KIND_NAME)};
static const char *const tensors[] = {STOIC_UPSET_LIST(KIND_TENSOR)};

void stoic_upset_list_deinit(stoic_upset_list *list) {
    free(list->items);
    memset(list, 0, sizeof *list);
}

stoic_status stoic_upset_list_add(stoic_upset_list *list, const stoic_upset *upset,
                                  stoic_error *err) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        stoic_upset *items = realloc(list->items, capacity * sizeof *items);
        if (!items)
            return stoic_fail_memory(err, "sites of faults", capacity * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *upset;
    return STOIC_OK;
}

const char *stoic_upset_kind_name(int kind) {
    return names[kind];
}

const char *stoic_upset_tensor(int kind) {
    return tensors[kind];
}

int stoic_upsets_kept(int64_t images_per_trial) {
    enum { FEW_IMAGES = 16, ELEMENTS = 32 };
    return images_per_trial > 0 && images_per_trial <= FEW_IMAGES ? ELEMENTS : 1;
}

/* NaN has no SQL value: the row keeps NULL. */
static void bind_float(sqlite3_stmt *statement, int column, float value) {
    if (isnan(value))
        sqlite3_bind_null(statement, column);
    else
        sqlite3_bind_double(statement, column, (double)value);
}

stoic_status stoic_upset_write(sqlite3_stmt *insert, const stoic_upset *u, stoic_error *err) {
    sqlite3_bind_int64(insert, 1, u->trial);
    sqlite3_bind_int64(insert, 2, u->image);
    sqlite3_bind_int(insert, 3, u->ordinal);
    sqlite3_bind_int(insert, 4, u->layer);
    sqlite3_bind_int(insert, 5, u->kind);
    sqlite3_bind_int64(insert, 6, u->index);
    stoic_sql_bind_count(insert, 7, u->step);
    stoic_sql_bind_count(insert, 8, u->steps);
    stoic_sql_bind_count(insert, 9, u->bit);
    sqlite3_bind_int64(insert, 10, u->elements);
    bind_float(insert, 11, u->before);
    bind_float(insert, 12, u->after);
    return stoic_sql_run(insert, err);
}

static float read_float(sqlite3_stmt *row, int column) {
    if (sqlite3_column_type(row, column) == SQLITE_NULL)
        return NAN;
    return (float)sqlite3_column_double(row, column);
}

bool stoic_upset_read(sqlite3_stmt *row, int64_t layers, stoic_upset *out) {
    int64_t layer = sqlite3_column_int64(row, 3), kind = sqlite3_column_int64(row, 4);
    int64_t bit = stoic_sql_count(row, 8);
    if (layer < 0 || layer >= layers || kind < 0 ||
        kind >= (int64_t)(sizeof names / sizeof *names) || bit > 31)
        return false;
    *out = (stoic_upset){.trial = sqlite3_column_int64(row, 0),
                         .image = sqlite3_column_int64(row, 1),
                         .ordinal = sqlite3_column_int(row, 2),
                         .layer = (int32_t)layer,
                         .kind = (int32_t)kind,
                         .index = sqlite3_column_int64(row, 5),
                         .step = stoic_sql_count(row, 6),
                         .steps = stoic_sql_count(row, 7),
                         .bit = (int32_t)bit,
                         .elements = sqlite3_column_int64(row, 9),
                         .before = read_float(row, 10),
                         .after = read_float(row, 11)};
    return true;
}
