/* CSV files that are read: a header whose columns stand in any order, then a row a line. Fields
 * may be quoted; a byte order mark, CRLF and empty lines are accepted. */
#ifndef STOIC_BASE_CSV_ROWS_H
#define STOIC_BASE_CSV_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "stoic/status.h"

enum { STOIC_CSV_COLUMNS = 5, STOIC_CSV_FIELDS = 24 };

/* What a kind of file looks like. */
typedef struct stoic_csv_form {
    const char *noun;                           /* "fault list" */
    const char *example;                        /* a header */
    const char *expected;                       /* the columns in words */
    const char *columns[STOIC_CSV_COLUMNS + 1]; /* the required ones first */
    int required;
    bool others;               /* may the file have more columns? They are passed over. */
    const char *const *passed; /* names of such columns, where not all are; NULL behind the last */
} stoic_csv_form;

/* The reader's place in a file. */
typedef struct stoic_csv {
    const stoic_csv_form *form;
    const char *path;
    char *text, *next; /* the whole, the rest */
    int64_t line;
    int at[STOIC_CSV_COLUMNS]; /* field of each column, -1: the file has no such column */
    int n_fields;
} stoic_csv;

/* Reads the file and its header. `path` must outlive the reader; close() also after a failure. */
stoic_status stoic_csv_open(const stoic_csv_form *form, const char *path, stoic_csv *out,
                            uint8_t digest[16], stoic_error *err);
void stoic_csv_close(stoic_csv *csv);

/* The fields of the next row; *n is 0 at the end of the file. */
stoic_status stoic_csv_next(stoic_csv *csv, char *fields[STOIC_CSV_FIELDS], int *n,
                            stoic_error *err);

/* "line 7: WHAT, found 'FOUND'" */
stoic_status stoic_csv_fail(const stoic_csv *csv, stoic_error *err, const char *what,
                            const char *found);

#endif
