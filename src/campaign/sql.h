/* SQLite with our status codes: thin wrappers, nothing hidden. */
#ifndef STOIC_CAMPAIGN_SQL_H
#define STOIC_CAMPAIGN_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "stoic/status.h"

/* The last failure of `db`: a full disk and an unwritable file are told by name. */
stoic_status stoic_sql_fail(sqlite3 *db, const char *what, stoic_error *err);

stoic_status stoic_sql_exec(sqlite3 *db, const char *sql, stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out,
                               stoic_error *err) STOIC_MUST_CHECK;
/* One step; *row tells whether there is one. */
stoic_status stoic_sql_step(sqlite3_stmt *statement, bool *row, stoic_error *err) STOIC_MUST_CHECK;
/* Executes a statement without result and makes it ready for the next use. */
stoic_status stoic_sql_run(sqlite3_stmt *statement, stoic_error *err) STOIC_MUST_CHECK;
/* The one integer that a query gives; NULL and no row are `missing`. */
stoic_status stoic_sql_integer(sqlite3 *db, const char *sql, int64_t missing, int64_t *out,
                               stoic_error *err) STOIC_MUST_CHECK;

/* Has a database ("main", or what was attached) this table? Files of older versions lack some. */
stoic_status stoic_sql_has_table(sqlite3 *db, const char *database, const char *table, bool *there,
                                 stoic_error *err) STOIC_MUST_CHECK;

/* Binding and reading of what may be absent: -1 in memory is NULL in the file. */
void stoic_sql_bind_count(sqlite3_stmt *statement, int column, int64_t value);
int64_t stoic_sql_count(sqlite3_stmt *statement, int column);

#endif
