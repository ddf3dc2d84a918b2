/* Rows of cells: an aligned table, CSV, or the elements of a JSON array, written as they come. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "output.h"

cli_cell cli_cell_count(int64_t value) {
    return (cli_cell){value < 0 ? CLI_CELL_EMPTY : CLI_CELL_INTEGER, value, 0.0, NULL};
}

cli_cell cli_cell_double(double value) {
    return (cli_cell){isnan(value) ? CLI_CELL_EMPTY : CLI_CELL_DOUBLE, 0, value, NULL};
}

cli_cell cli_cell_float(float value) {
    return (cli_cell){CLI_CELL_FLOAT, 0, (double)value, NULL};
}

cli_cell cli_cell_text(const char *text) {
    return (cli_cell){text ? CLI_CELL_TEXT : CLI_CELL_EMPTY, 0, 0.0, text};
}

/* A table shows doubles to six digits; CSV keeps every bit. */
static const char *cell_text(const cli_cell *cell, bool exact, char text[40]) {
    switch (cell->kind) {
    case CLI_CELL_EMPTY:
        return "";
    case CLI_CELL_INTEGER:
        snprintf(text, 40, "%lld", (long long)cell->integer);
        return text;
    case CLI_CELL_DOUBLE:
        if (exact)
            return cli_text_double(cell->number, text);
        snprintf(text, 40, "%.6g", cell->number);
        return text;
    case CLI_CELL_FLOAT:
        return cli_text_float((float)cell->number, text);
    case CLI_CELL_TEXT:
        return cell->text;
    }
    return "";
}

json_t *cli_cells_object(const char *const *columns, const cli_cell *cells, size_t n) {
    json_t *object = json_object();
    int bad = object == NULL;
    for (size_t i = 0; i < n && !bad; i++) {
        if (cells[i].kind == CLI_CELL_INTEGER)
            bad = cli_put_count(object, columns[i], cells[i].integer);
        else if (cells[i].kind == CLI_CELL_DOUBLE)
            bad = cli_put_number(object, columns[i], cells[i].number);
        else if (cells[i].kind == CLI_CELL_FLOAT)
            bad = json_object_set_new(object, columns[i], cli_json_float((float)cells[i].number));
        else
            bad = cli_put_text(object, columns[i], cells[i].text);
    }
    if (bad) {
        json_decref(object);
        return NULL;
    }
    return object;
}

void cli_rows_begin(cli_rows *rows, cli_output *output, const char *const *columns) {
    memset(rows, 0, sizeof *rows);
    rows->output = output;
    rows->columns = columns;
    while (columns[rows->n_columns] && rows->n_columns < CLI_MAX_COLUMNS)
        rows->n_columns++;
    for (size_t i = 0; i < rows->n_columns; i++)
        rows->width[i] = (int)strlen(columns[i]);
    if (output->format == CLI_CSV) {
        for (size_t i = 0; i < rows->n_columns; i++) {
            if (i)
                fputc(',', output->file);
            cli_csv_field(output->file, columns[i]);
        }
        fputc('\n', output->file);
    } else if (output->format == CLI_JSON) {
        fputc('[', output->file);
    }
}

static void write_aligned(const cli_rows *rows, size_t column, const char *text) {
    FILE *file = rows->output->file;
    bool last = column + 1 == rows->n_columns;
    int blanks = rows->width[column] - (int)strlen(text);
    bool left = rows->is_text[column];
    if (!left)
        fprintf(file, "%*s", blanks > 0 ? blanks : 0, "");
    cli_put_plain(file, text);
    if (left && !last)
        fprintf(file, "%*s", blanks > 0 ? blanks : 0, "");
    fputs(last ? "\n" : "  ", file);
}

/* The header and the rows held back. */
static void release(cli_rows *rows) {
    for (size_t i = 0; i < rows->n_columns; i++)
        write_aligned(rows, i, rows->columns[i]);
    for (size_t i = 0; i < rows->n_held; i++) {
        write_aligned(rows, i % rows->n_columns, rows->held[i]);
        free(rows->held[i]);
    }
    free(rows->held);
    rows->held = NULL;
    rows->n_held = 0;
    rows->aligned = true;
}

static void hold(cli_rows *rows, const cli_cell *cells) {
    char text[40];
    if (!rows->held)
        rows->held = calloc(CLI_ROWS_HELD * rows->n_columns, sizeof *rows->held);
    for (size_t i = 0; i < rows->n_columns; i++) {
        const char *cell = cell_text(&cells[i], false, text);
        char *copy = rows->held ? strdup(cell) : NULL;
        if (!copy) {
            rows->out_of_memory = true;
            return;
        }
        rows->held[rows->n_held++] = copy;
        if ((int)strlen(cell) > rows->width[i])
            rows->width[i] = (int)strlen(cell);
        if (cells[i].kind == CLI_CELL_TEXT)
            rows->is_text[i] = true;
    }
    if (rows->n_held == CLI_ROWS_HELD * rows->n_columns)
        release(rows);
}

static void add_json(cli_rows *rows, const cli_cell *cells) {
    json_t *object = cli_cells_object(rows->columns, cells, rows->n_columns);
    if (rows->any)
        fputs(",\n", rows->output->file);
    rows->out_of_memory = !object || cli_json_write(rows->output->file, object) != 0;
    json_decref(object);
}

bool cli_rows_add(cli_rows *rows, const cli_cell *cells) {
    char text[40];
    FILE *file = rows->output->file;
    if (rows->output->format == CLI_JSON) {
        add_json(rows, cells);
    } else if (rows->output->format == CLI_TABLE && !rows->aligned) {
        hold(rows, cells);
    } else if (rows->output->format == CLI_TABLE) {
        for (size_t i = 0; i < rows->n_columns; i++)
            write_aligned(rows, i, cell_text(&cells[i], false, text));
    } else {
        for (size_t i = 0; i < rows->n_columns; i++) {
            if (i)
                fputc(',', file);
            cli_csv_field(file, cell_text(&cells[i], true, text));
        }
        fputc('\n', file);
    }
    rows->any = true;
    return !rows->out_of_memory && !cli_output_failed(rows->output);
}

stoic_status cli_rows_end(cli_rows *rows, stoic_error *err) {
    if (rows->output->format == CLI_JSON)
        fputc(']', rows->output->file);
    else if (rows->output->format == CLI_TABLE && !rows->aligned)
        release(rows);
    return rows->out_of_memory ? cli_fail_memory(err) : STOIC_OK;
}
