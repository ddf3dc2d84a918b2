#include "campaign/sql.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"

static stoic_status io_failure(sqlite3 *db, const char *file, stoic_error *err) {
    int code = sqlite3_extended_errcode(db), system = sqlite3_system_errno(db);
    if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_SHORT_READ)
        return stoic_fail(err, STOIC_ERR_IO, file, "cannot read the file: %s",
                          system ? strerror(system) : sqlite3_errmsg(db));
    return stoic_fail(err, STOIC_ERR_IO, file,
                      "cannot write the file: %s; what was committed "
                      "before is kept",
                      system ? strerror(system) : "a quota or a limit on file sizes is reached");
}

stoic_status stoic_sql_fail(sqlite3 *db, const char *what, stoic_error *err) {
    int code = sqlite3_errcode(db) & 0xff;
    if (code == SQLITE_NOMEM) /* of opening, too: then the handle does not know its file yet */
        return stoic_fail(err, STOIC_ERR_MEMORY, "", "out of memory in SQLite: %s", what);
    const char *name = sqlite3_db_filename(db, "main");
    const char *file = name ? name : "";
    switch (code) {
    case SQLITE_FULL:
        return stoic_fail(err, STOIC_ERR_IO, file,
                          "the disk is full; what was committed before is kept");
    case SQLITE_IOERR:
        return io_failure(db, file, err);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return stoic_fail(err, STOIC_ERR_IO, file, "%s: cannot be opened or written: %s", what,
                          sqlite3_errmsg(db));
    case SQLITE_NOTADB:
        return stoic_fail(err, STOIC_ERR_FORMAT, file, "not a campaign file: not even SQLite");
    case SQLITE_CORRUPT:
        return stoic_fail(err, STOIC_ERR_FORMAT, file, "the file is damaged: %s",
                          sqlite3_errmsg(db));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return stoic_fail(err, STOIC_ERR_IO, file, "another program holds the file locked");
    default:
        return stoic_fail(err, STOIC_ERR_BACKEND, file, "%s: %s", what, sqlite3_errmsg(db));
    }
}

stoic_status stoic_sql_exec(sqlite3 *db, const char *sql, stoic_error *err) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return stoic_sql_fail(db, "statement refused", err);
    return STOIC_OK;
}

stoic_status stoic_sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, stoic_error *err) {
    *out = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, out, NULL) != SQLITE_OK)
        return stoic_sql_fail(db, "statement refused", err);
    return STOIC_OK;
}

stoic_status stoic_sql_step(sqlite3_stmt *statement, bool *row, stoic_error *err) {
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return STOIC_OK;
    return stoic_sql_fail(sqlite3_db_handle(statement), "statement failed", err);
}

stoic_status stoic_sql_run(sqlite3_stmt *statement, stoic_error *err) {
    bool row;
    stoic_status status = stoic_sql_step(statement, &row, err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

stoic_status stoic_sql_integer(sqlite3 *db, const char *sql, int64_t missing, int64_t *out,
                               stoic_error *err) {
    sqlite3_stmt *statement;
    stoic_status status;
    bool row;
    TRY(stoic_sql_prepare(db, sql, &statement, err));
    TRY(stoic_sql_step(statement, &row, err));
    bool present = row && sqlite3_column_type(statement, 0) != SQLITE_NULL;
    *out = present ? sqlite3_column_int64(statement, 0) : missing;
done:
    sqlite3_finalize(statement);
    return status;
}

stoic_status stoic_sql_has_table(sqlite3 *db, const char *database, const char *table, bool *there,
                                 stoic_error *err) {
    char sql[128];
    int64_t count = 0;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s.sqlite_master WHERE name = '%s'", database,
             table);
    stoic_status status = stoic_sql_integer(db, sql, 0, &count, err);
    *there = count > 0;
    return status;
}

void stoic_sql_bind_count(sqlite3_stmt *statement, int column, int64_t value) {
    if (value < 0)
        sqlite3_bind_null(statement, column);
    else
        sqlite3_bind_int64(statement, column, value);
}

int64_t stoic_sql_count(sqlite3_stmt *statement, int column) {
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return -1;
    return sqlite3_column_int64(statement, column);
}
