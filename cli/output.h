/*
 * Where results go: standard output, or a file that appears only when it is complete; as a
 * table, as CSV, or as one JSON object.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "stoic/stats.h"
#include "stoic/status.h"

typedef enum cli_format { CLI_TABLE, CLI_CSV, CLI_JSON } cli_format;

typedef struct cli_output {
    FILE *file;
    const char *path; /* NULL: standard output */
    char *target;     /* `path` behind symbolic links, which are written through */
    char *temporary;  /* NULL where `path` is written directly: a device, a pipe */
    cli_format format;
} cli_output;

stoic_status cli_output_open(cli_output *output, const char *path, int format, stoic_error *err);
/* Writes what is buffered. With a `status` of STOIC_OK the file takes its name; otherwise it is
 * removed. Returns `status`, or the failure to write. */
stoic_status cli_output_close(cli_output *output, stoic_status status, stoic_error *err);
/* Did a write to standard output fail because its reader is gone? */
bool cli_output_unread(void);
/* Did a write fail? Then going on is pointless. */
bool cli_output_failed(const cli_output *output);

/* A JSON value; non-zero when memory runs out. */
int cli_json_write(FILE *file, json_t *value);
/* One JSON object and a newline. Takes the object; NULL says memory ran out. */
stoic_status cli_output_json(cli_output *output, json_t *object, stoic_error *err);
/* The object's single values as one CSV line under a header: "accuracy.mean" for nested ones. */
stoic_status cli_output_flat(cli_output *output, json_t *object, stoic_error *err);

/* A member of `object`; NaN and infinity become null, and so does a count of -1. */
int cli_put_number(json_t *object, const char *key, double value);
/* An object of its own: the estimate under the name `middle`, "low", "high". */
int cli_put_interval(json_t *object, const char *key, const char *middle,
                     const stoic_interval *interval);
int cli_put_count(json_t *object, const char *key, int64_t value);
int cli_put_text(json_t *object, const char *key, const char *value);
json_t *cli_json_number(double value);
/* In the fewest digits that read back as this float. */
json_t *cli_json_float(float value);

/* Numbers so that reading them gives back every bit; nan, inf and -inf as such. */
const char *cli_text_double(double value, char text[40]);
const char *cli_text_float(float value, char text[40]);

/* A file's own text for a terminal: control characters become '?'. */
void cli_put_plain(FILE *file, const char *text);

/* One CSV field, quoted where it must be. */
void cli_csv_field(FILE *file, const char *text);

/* Rows of cells under named columns. */
typedef enum cli_cell_kind {
    CLI_CELL_EMPTY,
    CLI_CELL_INTEGER,
    CLI_CELL_DOUBLE,
    CLI_CELL_FLOAT,
    CLI_CELL_TEXT
} cli_cell_kind;

typedef struct cli_cell {
    cli_cell_kind kind;
    int64_t integer;
    double number;
    const char *text;
} cli_cell;

cli_cell cli_cell_count(int64_t value);   /* empty when negative */
cli_cell cli_cell_double(double value);   /* empty when NaN */
cli_cell cli_cell_float(float value);     /* NaN is a value */
cli_cell cli_cell_text(const char *text); /* NULL is empty */

/* The cells as a JSON object under the names of the columns. */
json_t *cli_cells_object(const char *const *columns, const cli_cell *cells, size_t n);

/* A table is aligned by its first rows, which are held back until there are enough of them. */
enum { CLI_ROWS_HELD = 1000, CLI_MAX_COLUMNS = 24 };

typedef struct cli_rows {
    cli_output *output;
    const char *const *columns;
    size_t n_columns;
    int width[CLI_MAX_COLUMNS];
    bool is_text[CLI_MAX_COLUMNS];
    char **held; /* texts of cells, row by row */
    size_t n_held;
    bool aligned, any, out_of_memory;
} cli_rows;

/* `columns` ends with NULL. As JSON the rows are the elements of an array; what stands around it
 * is the caller's. */
void cli_rows_begin(cli_rows *rows, cli_output *output, const char *const *columns);
/* False when going on is pointless. */
bool cli_rows_add(cli_rows *rows, const cli_cell *cells);
stoic_status cli_rows_end(cli_rows *rows, stoic_error *err);

#endif
