#include "campaign/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/packed_counts.h"
#include "campaign/schema.h"
#include "campaign/spans.h"

/* X(name, statement) */
#define STATEMENTS(X)                                                                              \
    X(TRIAL, "INSERT INTO trials VALUES(?, ?, ?, ?, ?, ?)")                                        \
    X(MORE, "INSERT INTO more VALUES(?, ?, ?, ?, ?, ?)")                                           \
    X(SITE, "INSERT INTO sites VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                              \
    X(CROWD, "INSERT INTO crowds VALUES(?, ?, ?)")                                                 \
    X(SPAN, "INSERT INTO spans VALUES(?, ?, ?, ?, ?, ?)")                                          \
    X(JOURNAL, "INSERT INTO journal VALUES(?, ?, ?, ?, ?)")                                        \
    X(FORGET, "DELETE FROM journal WHERE chunk = ? AND first = ?")                                 \
    X(CHUNK, chunk_sql)                                                                            \
    X(OUTCOME, "INSERT OR REPLACE INTO outcomes VALUES(?, ?, ?, ?, ?, ?)")                         \
    X(STRATUM, stratum_sql)                                                                        \
    X(UPSET, stoic_upset_insert)                                                                   \
    X(WHERE, where_sql)

static const char chunk_sql[] = "INSERT INTO chunks VALUES(?, ?) ON CONFLICT(chunk) DO UPDATE SET"
                                " trials = trials + excluded.trials";
static const char where_sql[] =
    "SELECT count(*), min(layer), max(layer), max(elements), max(bit) FROM upsets WHERE trial = ?";
static const char stratum_sql[] = "INSERT INTO strata VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                                  "?, ?, ?, ?, ?)" STOIC_STRATA_ADD_UP;

#define STATEMENT_ENUM(name, sql) name,
enum { STATEMENTS(STATEMENT_ENUM) N_STATEMENTS };
#define STATEMENT_SQL(name, sql) sql,
static const char *const statement_sql[] = {STATEMENTS(STATEMENT_SQL)};

/* Layers from STOIC_SEVERAL_LAYERS on, bits from -1 (several, or a whole weight) to 191. */
enum { BITS = 194 };

/* What is known of a trial before its rows are written. */
typedef struct place {
    int32_t stratum; /* -1: none of its sites are stored bits */
    bool crowded;    /* its sites are left out */
} place;

struct stoic_rows {
    sqlite3 *db;
    const stoic_site_source *source;
    bool transient;
    sqlite3_stmt *statements[N_STATEMENTS];
    stoic_site_list sites;
    stoic_span_list spans;
    stoic_moments *strata; /* of this transaction */
    size_t n_strata;
    place *where; /* of each trial of the piece at hand */
    size_t where_capacity;
    uint8_t *buffer;
    size_t buffer_size;
};

stoic_status stoic_rows_create(stoic_campaign_file *file, const stoic_site_source *sites,
                               bool transient, stoic_rows **out, stoic_error *err) {
    *out = NULL;
    stoic_rows *rows = calloc(1, sizeof *rows);
    if (!rows)
        return stoic_fail_memory(err, "a campaign's rows", sizeof *rows);
    rows->db = file->db;
    rows->source = sites;
    rows->transient = transient;
    stoic_status status = STOIC_OK;
    int n = transient ? N_STATEMENTS : UPSET; /* older files have no table `upsets` */
    TRY(stoic_sql_exec(rows->db, stoic_crowds_schema, err));
    for (int i = 0; i < n; i++)
        TRY(stoic_sql_prepare(rows->db, statement_sql[i], &rows->statements[i], err));
    *out = rows;
    rows = NULL;
done:
    stoic_rows_free(rows);
    return status;
}

void stoic_rows_free(stoic_rows *rows) {
    if (!rows)
        return;
    for (int i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(rows->statements[i]);
    stoic_site_list_deinit(&rows->sites);
    stoic_span_list_deinit(&rows->spans);
    free(rows->strata);
    free(rows->where);
    free(rows->buffer);
    free(rows);
}

static stoic_status reserve(stoic_rows *rows, size_t bytes, stoic_error *err) {
    if (bytes <= rows->buffer_size)
        return STOIC_OK;
    uint8_t *buffer = realloc(rows->buffer, bytes);
    if (!buffer)
        return stoic_fail_memory(err, "a row", bytes);
    rows->buffer = buffer;
    rows->buffer_size = bytes;
    return STOIC_OK;
}

/* ---- the journal ---- */

stoic_status stoic_rows_journal(stoic_rows *rows, int64_t chunk, int64_t block, int64_t lo,
                                int64_t trials, const stoic_counts *counts, stoic_error *err) {
    stoic_status status;
    sqlite3_stmt *statement = rows->statements[JOURNAL];
    TRY(reserve(rows, stoic_counts_packed(trials), err));
    size_t bytes = stoic_counts_pack(counts, trials, rows->buffer);
    sqlite3_bind_int64(statement, 1, chunk);
    sqlite3_bind_int64(statement, 2, block);
    sqlite3_bind_int64(statement, 3, lo);
    sqlite3_bind_int64(statement, 4, trials);
    sqlite3_bind_blob64(statement, 5, rows->buffer, bytes, SQLITE_STATIC);
    status = stoic_sql_run(statement, err);
done:
    return status;
}

stoic_status stoic_rows_outcome(stoic_rows *rows, int64_t trial, int64_t block,
                                const uint8_t *outcome, int64_t images, stoic_error *err) {
    stoic_status status;
    sqlite3_stmt *statement = rows->statements[OUTCOME];
    size_t bytes = ((size_t)images + 7) / 8;
    TRY(reserve(rows, 3 * bytes + 1, err));
    memset(rows->buffer, 0, 3 * bytes);
    for (int64_t i = 0; i < images; i++) {
        for (int kind = 0; kind < 3; kind++)
            rows->buffer[(size_t)kind * bytes + (size_t)i / 8] |=
                (uint8_t)((outcome[i] >> kind & 1) << i % 8);
    }
    sqlite3_bind_int64(statement, 1, trial);
    sqlite3_bind_int64(statement, 2, block);
    sqlite3_bind_int64(statement, 3, images);
    for (int kind = 0; kind < 3; kind++)
        sqlite3_bind_blob64(statement, 4 + kind, rows->buffer + (size_t)kind * bytes, bytes,
                            SQLITE_STATIC);
    status = stoic_sql_run(statement, err);
done:
    return status;
}

/* ---- sites ---- */

static int32_t stratum_of(const stoic_site_list *sites) {
    if (sites->left_out > 0)
        return (sites->layer - STOIC_SEVERAL_LAYERS) * BITS;
    if (sites->count == 0)
        return 0;
    int layer = sites->items[0].layer;
    for (size_t i = 1; i < sites->count; i++) {
        if (sites->items[i].layer != layer)
            return 0;
    }
    return (layer - STOIC_SEVERAL_LAYERS) * BITS +
           (sites->count == 1 ? sites->items[0].bit + 1 : 0);
}

/* NaN has no SQL value: the row keeps NULL. */
static void bind_float(sqlite3_stmt *statement, int column, float value) {
    if (isnan(value))
        sqlite3_bind_null(statement, column);
    else
        sqlite3_bind_double(statement, column, (double)value);
}

static stoic_status write_sites(stoic_rows *rows, int64_t trial, stoic_error *err) {
    stoic_status status = STOIC_OK;
    sqlite3_stmt *statement = rows->statements[SITE];
    for (size_t i = 0; i < rows->sites.count; i++) {
        const stoic_site *site = &rows->sites.items[i];
        sqlite3_bind_int64(statement, 1, trial);
        sqlite3_bind_int64(statement, 2, (int64_t)i);
        sqlite3_bind_int(statement, 3, site->entry);
        sqlite3_bind_int64(statement, 4, site->word);
        sqlite3_bind_int64(statement, 5, site->index);
        sqlite3_bind_int(statement, 6, site->bit);
        sqlite3_bind_int(statement, 7, (int)site->action);
        sqlite3_bind_int(statement, 8, (int)site->role);
        bind_float(statement, 9, site->before);
        bind_float(statement, 10, site->after);
        TRY(stoic_sql_run(statement, err));
    }
done:
    return status;
}

static stoic_status write_spans(stoic_rows *rows, stoic_error *err) {
    stoic_status status = STOIC_OK;
    sqlite3_stmt *statement = rows->statements[SPAN];
    const uint32_t *stored = rows->spans.stored;
    for (size_t i = 0; i < rows->spans.count; i++) {
        const stoic_span *span = &rows->spans.items[i];
        size_t words = (size_t)span->words;
        TRY(reserve(rows, 4 * words, err));
        for (size_t w = 0; w < words; w++)
            stoic_put_u32(rows->buffer + 4 * w, stored[w]);
        stored += words;
        sqlite3_bind_int64(statement, 1, span->trial);
        sqlite3_bind_int(statement, 2, span->entry);
        sqlite3_bind_int64(statement, 3, span->word);
        sqlite3_bind_int64(statement, 4, span->words);
        sqlite3_bind_int64(statement, 5, (int64_t)span->mask);
        sqlite3_bind_blob64(statement, 6, rows->buffer, 4 * words, SQLITE_STATIC);
        TRY(stoic_sql_run(statement, err));
    }
done:
    return status;
}

static stoic_status write_crowd(stoic_rows *rows, int64_t trial, stoic_error *err) {
    sqlite3_stmt *statement = rows->statements[CROWD];
    sqlite3_bind_int64(statement, 1, trial);
    sqlite3_bind_int64(statement, 2, (int64_t)rows->sites.left_out);
    sqlite3_bind_int(statement, 3, rows->sites.layer);
    return stoic_sql_run(statement, err);
}

static bool fits_span(const stoic_rows *rows) {
    const stoic_site *site = rows->sites.items;
    return rows->source->plain && rows->sites.count == 1 && site->action == STOIC_FLIP &&
           site->bit >= 0 && site->bit < 32 && site->index == site->word;
}

/* Draws the trials of a piece once: their strata, and their sites as spans where they follow each
 * other, else one by one. */
static stoic_status fold_sites(stoic_rows *rows, const stoic_complete *piece, stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t limit = (size_t)(piece->hi - piece->lo) / 4 + 2; /* more spans than that do not pay */
    bool spans = true;
    stoic_span_list_clear(&rows->spans, piece->lo);
    for (int64_t t = piece->lo; t < piece->hi; t++) {
        TRY(rows->source->draw(rows->source->user, t, &rows->sites, err));
        const bool crowded = rows->sites.left_out > 0;
        rows->where[t - piece->lo] = (place){stratum_of(&rows->sites), crowded};
        if (crowded)
            TRY(write_crowd(rows, t, err));
        spans = spans && fits_span(rows) && rows->spans.count <= limit;
        if (spans)
            TRY(stoic_span_list_add(&rows->spans, rows->sites.items, err));
    }
    if (spans) {
        status = write_spans(rows, err);
        goto done;
    }
    for (int64_t t = piece->lo; t < piece->hi; t++) {
        if (rows->where[t - piece->lo].crowded)
            continue;
        TRY(rows->source->draw(rows->source->user, t, &rows->sites, err));
        TRY(write_sites(rows, t, err));
    }
done:
    return status;
}

/* ---- upsets ---- */

stoic_status stoic_rows_upsets(stoic_rows *rows, const stoic_upset_list *upsets, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (size_t i = 0; i < upsets->count; i++)
        TRY(stoic_upset_write(rows->statements[UPSET], &upsets->items[i], err));
done:
    return status;
}

/* The stratum of a trial, of which that of its sites in stored bits is known (-1: it has none). */
static stoic_status join_upsets(stoic_rows *rows, int64_t trial, int32_t *where, stoic_error *err) {
    sqlite3_stmt *row = rows->statements[WHERE];
    stoic_status status;
    bool any;
    sqlite3_bind_int64(row, 1, trial);
    TRY(stoic_sql_step(row, &any, err));
    int64_t n = any ? sqlite3_column_int64(row, 0) : 0;
    if (n > 0) {
        int64_t layer = sqlite3_column_int64(row, 1);
        bool one_layer = layer == sqlite3_column_int64(row, 2);
        bool one_bit = n == 1 && sqlite3_column_int64(row, 3) == 1 && *where < 0;
        one_layer = one_layer && (*where < 0 || *where / BITS + STOIC_SEVERAL_LAYERS == layer);
        int64_t bit = one_bit ? stoic_sql_count(row, 4) + 1 : 0;
        *where = one_layer ? (int32_t)((layer - STOIC_SEVERAL_LAYERS) * BITS + bit) : 0;
    }
    *where = *where < 0 ? 0 : *where;
    sqlite3_reset(row);
done:
    return status;
}

/* ---- trials ---- */

static stoic_status write_trial(stoic_rows *rows, int64_t trial, const stoic_counts *counts,
                                int64_t image, stoic_error *err) {
    stoic_status status;
    sqlite3_stmt *statement = rows->statements[TRIAL];
    sqlite3_bind_int64(statement, 1, trial);
    stoic_sql_bind_count(statement, 2, counts->correct);
    stoic_sql_bind_count(statement, 3, counts->critical);
    stoic_sql_bind_count(statement, 4, counts->nan);
    stoic_sql_bind_count(statement, 5, counts->due);
    stoic_sql_bind_count(statement, 6, image);
    TRY(stoic_sql_run(statement, err));
    const int64_t more[] = {counts->masked, counts->tolerable, counts->sdc5, counts->sdc10,
                            counts->sdc20};
    bool any = false;
    for (int i = 0; i < 5; i++)
        any = any || more[i] >= 0;
    if (!any)
        return STOIC_OK;
    statement = rows->statements[MORE];
    sqlite3_bind_int64(statement, 1, trial);
    for (int i = 0; i < 5; i++)
        stoic_sql_bind_count(statement, 2 + i, more[i]);
    status = stoic_sql_run(statement, err);
done:
    return status;
}

static stoic_status add_to_stratum(stoic_rows *rows, size_t stratum, const stoic_counts *counts,
                                   stoic_error *err) {
    if (stratum >= rows->n_strata) {
        size_t n = (stratum / BITS + 1) * BITS;
        stoic_moments *strata = realloc(rows->strata, n * sizeof *strata);
        if (!strata)
            return stoic_fail_memory(err, "strata", n * sizeof *strata);
        memset(strata + rows->n_strata, 0, (n - rows->n_strata) * sizeof *strata);
        rows->strata = strata;
        rows->n_strata = n;
    }
    stoic_moments_add(&rows->strata[stratum], counts);
    return STOIC_OK;
}

static stoic_status finish_piece(stoic_rows *rows, const stoic_complete *piece, stoic_error *err) {
    stoic_status status;
    sqlite3_stmt *forget = rows->statements[FORGET], *chunk = rows->statements[CHUNK];
    sqlite3_bind_int64(forget, 1, piece->chunk);
    sqlite3_bind_int64(forget, 2, piece->lo);
    TRY(stoic_sql_run(forget, err));
    sqlite3_bind_int64(chunk, 1, piece->chunk);
    sqlite3_bind_int64(chunk, 2, piece->hi - piece->lo);
    status = stoic_sql_run(chunk, err);
done:
    return status;
}

stoic_status stoic_rows_fold(stoic_rows *rows, const stoic_complete *piece, stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t n = (size_t)(piece->hi - piece->lo);
    if (n > rows->where_capacity) {
        place *where = realloc(rows->where, n * sizeof *where);
        if (!where)
            return stoic_fail_memory(err, "strata of a chunk", n * sizeof *where);
        rows->where = where;
        rows->where_capacity = n;
    }
    memset(rows->where, 0, n * sizeof *rows->where);
    if (rows->source)
        TRY(fold_sites(rows, piece, err));
    for (size_t i = 0; i < n && rows->transient; i++) {
        rows->where[i].stratum = rows->source ? rows->where[i].stratum : -1;
        TRY(join_upsets(rows, piece->lo + (int64_t)i, &rows->where[i].stratum, err));
    }
    for (size_t i = 0; i < n; i++) {
        int64_t image = piece->images ? piece->images[i] : -1;
        TRY(write_trial(rows, piece->lo + (int64_t)i, &piece->counts[i], image, err));
        TRY(add_to_stratum(rows, (size_t)rows->where[i].stratum, &piece->counts[i], err));
    }
    status = finish_piece(rows, piece, err);
done:
    return status;
}

/* ---- transactions ---- */

stoic_status stoic_rows_begin(stoic_rows *rows, stoic_error *err) {
    return stoic_sql_exec(rows->db, "BEGIN IMMEDIATE", err);
}

static stoic_status write_stratum(stoic_rows *rows, size_t stratum, stoic_error *err) {
    sqlite3_stmt *statement = rows->statements[STRATUM];
    const stoic_moments *moments = &rows->strata[stratum];
    bool correct = moments->totals.correct >= 0, critical = moments->totals.critical >= 0;
    sqlite3_bind_int64(statement, 1, (int64_t)(stratum / BITS) + STOIC_SEVERAL_LAYERS);
    sqlite3_bind_int64(statement, 2, (int64_t)(stratum % BITS) - 1);
    sqlite3_bind_int64(statement, 3, moments->trials);
    for (int i = 0; i < STOIC_COUNT_FIELDS; i++)
        stoic_sql_bind_count(statement, 4 + i, (&moments->totals.images)[i]);
    stoic_sql_bind_count(statement, 14, correct ? (int64_t)moments->correct.squares_low : -1);
    stoic_sql_bind_count(statement, 15, critical ? (int64_t)moments->critical.squares_low : -1);
    stoic_sql_bind_count(statement, 16, correct ? moments->correct.least : -1);
    stoic_sql_bind_count(statement, 17, correct ? moments->correct.most : -1);
    return stoic_sql_run(statement, err);
}

stoic_status stoic_rows_commit(stoic_rows *rows, stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (size_t i = 0; i < rows->n_strata; i++) {
        if (rows->strata[i].trials == 0)
            continue;
        TRY(write_stratum(rows, i, err));
        memset(&rows->strata[i], 0, sizeof rows->strata[i]);
    }
    status = stoic_sql_exec(rows->db, "COMMIT", err);
done:
    return status;
}

void stoic_rows_rollback(stoic_rows *rows) {
    if (!sqlite3_get_autocommit(rows->db))
        sqlite3_exec(rows->db, "ROLLBACK", NULL, NULL, NULL);
    if (rows->strata)
        memset(rows->strata, 0, rows->n_strata * sizeof *rows->strata);
}
