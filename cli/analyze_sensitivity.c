#include "analyze_sensitivity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "output.h"
#include "sensitivity_cover.h"
#include "stoic/parse.h"
#include "stoic/records.h"
#include "stoic/sensitivity.h"
#include "verb.h"

enum { SHOWN = 20 };

typedef struct ranking {
    const char *campaign;
    stoic_records *records;
    stoic_model *model;
    unsigned by;
    stoic_sensitivity_row *rows;
    size_t n, shown;
    cli_numbers shares; /* of the critical outcomes, that sets are to hold; else empty */
} ranking;

static const char *const words[] = {"layer", "channel", "weight", "bit", NULL};

/* "layer,bit" */
static stoic_status parse_by(const char *text, unsigned *by, stoic_error *err) {
    *by = 0;
    for (const char *item = text; *item;) {
        size_t length = strcspn(item, ",");
        int word = 0;
        while (words[word] && (strlen(words[word]) != length || strncmp(item, words[word], length)))
            word++;
        if (!words[word])
            return cli_fail(err, STOIC_ERR_ARGUMENT, "--by",
                            "expected a list of layer, channel, weight, bit such as layer,bit, "
                            "found '%s'",
                            text);
        *by |= 1u << word;
        item += length;
        item += *item == ',' && item[1] ? 1 : 0;
        if (*item == ',')
            break;
    }
    return *by ? STOIC_OK
               : cli_fail(err, STOIC_ERR_ARGUMENT, "--by", "expected a list such as layer,bit");
}

/* ---- rows ---- */

static const char *const columns[] = {
    "layer",         "name", "tensor", "channel", "index",      "bit", "trials",
    "critical_rate", "low",  "high",   "share",   "cumulative", NULL};
enum { COLUMNS = 12 };

static void row_cells(const ranking *at, const stoic_sensitivity_row *row, cli_cell cells[]) {
    const cli_cell all[COLUMNS] = {
        cli_cell_count(row->layer),
        cli_cell_text(row->layer < 0 ? NULL : stoic_records_layer_name(at->records, row->layer)),
        cli_cell_text(row->tensor),
        cli_cell_count(row->channel),
        cli_cell_count(row->index),
        cli_cell_count(row->bit),
        cli_cell_count(row->trials),
        cli_cell_double(row->critical_rate.value),
        cli_cell_double(row->critical_rate.low),
        cli_cell_double(row->critical_rate.high),
        cli_cell_double(row->share),
        cli_cell_double(row->cumulative)};
    memcpy(cells, all, sizeof all);
}

/* The columns that a table needs: those of what is ranked. */
static size_t table_columns(const ranking *at, const char *names[COLUMNS + 1], int from[COLUMNS]) {
    const bool layer = at->by & ~(unsigned)STOIC_BY_BIT;
    const bool wanted[COLUMNS] = {layer,
                                  layer,
                                  at->by & (STOIC_BY_CHANNEL | STOIC_BY_WEIGHT),
                                  at->by & STOIC_BY_CHANNEL,
                                  at->by & STOIC_BY_WEIGHT,
                                  at->by & STOIC_BY_BIT,
                                  true,
                                  true,
                                  true,
                                  true,
                                  true,
                                  true};
    size_t n = 0;
    for (int i = 0; i < COLUMNS; i++) {
        if (!wanted[i])
            continue;
        names[n] = columns[i];
        from[n++] = i;
    }
    names[n] = NULL;
    return n;
}

static stoic_status write_rows(const ranking *at, cli_output *output, stoic_error *err) {
    const bool table = output->format == CLI_TABLE;
    const char *names[COLUMNS + 1];
    int from[COLUMNS];
    bool go = true;
    cli_rows rows;
    size_t n = table_columns(at, names, from);
    cli_rows_begin(&rows, output, table ? names : columns);
    for (size_t i = 0; go && i < at->shown; i++) {
        cli_cell cells[COLUMNS], some[COLUMNS];
        row_cells(at, &at->rows[i], cells);
        for (size_t k = 0; k < n; k++)
            some[k] = cells[from[k]];
        go = cli_rows_add(&rows, table ? some : cells);
    }
    return cli_rows_end(&rows, err);
}

static double confidence_of(const ranking *at) {
    const char *text = stoic_records_info(at->records, "confidence");
    double value = (double)NAN;
    if (text && stoic_parse_number(text, "", &value, NULL) != STOIC_OK)
        value = (double)NAN;
    return value;
}

static cli_cover cover_of(const ranking *at) {
    return (cli_cover){&at->shares, at->rows, at->n, at->by,
                       stoic_records_info(at->records, "store")};
}

static json_t *result_object(const ranking *at) {
    json_t *object = json_object(), *rows = json_array();
    int bad = cli_put_text(object, "campaign", at->campaign);
    bad |= cli_put_text(object, "model", stoic_records_info(at->records, "model"));
    bad |= cli_put_text(object, "store", stoic_records_info(at->records, "store"));
    bad |= cli_put_text(object, "fault", stoic_records_info(at->records, "fault"));
    bad |= cli_put_number(object, "confidence", confidence_of(at));
    bad |= cli_put_count(object, "groups", (int64_t)at->n);
    if (at->shares.count) {
        const cli_cover cover = cover_of(at);
        bad |= json_object_set_new(object, "cover", cli_cover_json(&cover));
    }
    for (size_t i = 0; i < at->shown; i++) {
        cli_cell cells[COLUMNS];
        row_cells(at, &at->rows[i], cells);
        bad |= json_array_append_new(rows, cli_cells_object(columns, cells, COLUMNS));
    }
    bad |= json_object_set_new(object, "rows", rows);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static void print_head(FILE *file, const ranking *at) {
    const char *model = stoic_records_info(at->records, "model");
    fputs("model     ", file);
    cli_put_plain(file, model ? model : "unknown");
    fprintf(file, "\ncampaign  %s on %s; its intervals are at %g %%\n\n",
            stoic_records_info(at->records, "fault"), stoic_records_info(at->records, "store"),
            100 * confidence_of(at));
}

/* A list that layer= and the parts of a store take. */
static void print_layers(FILE *file, const ranking *at) {
    if (at->by != STOIC_BY_LAYER || !(at->rows[at->n - 1].cumulative > 0))
        return;
    fputs("layers    ", file);
    size_t i = 0;
    do {
        fprintf(file, "%s%d", i ? "+" : "", at->rows[i].layer);
    } while (at->rows[i++].cumulative < 0.9 && i < at->n);
    fprintf(file, " hold %.3g %% of the critical outcomes\n", 100 * at->rows[i - 1].cumulative);
}

static stoic_status show_table(const ranking *at, cli_output *output, stoic_error *err) {
    const cli_cover cover = cover_of(at);
    print_head(output->file, at);
    if (at->shares.count)
        return cli_cover_table(&cover, output, err);
    stoic_status status = write_rows(at, output, err);
    if (at->shown < at->n)
        fprintf(output->file, "… and %zu more; --top N and --format csv show them\n",
                at->n - at->shown);
    print_layers(output->file, at);
    return status;
}

static stoic_status show(const ranking *at, const char *path, int format, stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status = cli_output_open(&output, path, format, err);
    if (status != STOIC_OK)
        return status;
    status = output.format == CLI_JSON    ? cli_output_json(&output, result_object(at), err)
             : output.format == CLI_TABLE ? show_table(at, &output, err)
                                          : write_rows(at, &output, err);
    return cli_output_close(&output, status, err);
}

/* ---- run ---- */

static stoic_status open_model(const cli_sensitivity *asked, ranking *at, stoic_error *err) {
    const char *path = asked->model ? asked->model : stoic_records_info(at->records, "model");
    if (!asked->model && !(at->by & STOIC_BY_CHANNEL))
        return STOIC_OK;
    if (!path)
        return cli_fail(err, STOIC_ERR_ARGUMENT, asked->campaign,
                        "does not say where its model is; --model M.onnx does");
    return stoic_model_read(path, &at->model, err);
}

stoic_status cli_sensitivity_run(const cli_sensitivity *asked, const char *output, int format,
                                 stoic_error *err) {
    ranking at = {.campaign = asked->campaign};
    stoic_status status = STOIC_OK;
    TRY(parse_by(asked->by ? asked->by : "layer", &at.by, err));
    if (asked->cover)
        TRY(cli_cover_parse(asked->cover, &at.shares, err));
    TRY(stoic_records_open(asked->campaign, &at.records, err));
    TRY(open_model(asked, &at, err));
    TRY(stoic_sensitivity_measure(asked->campaign, at.model, at.by, &at.rows, &at.n, err));
    at.shown = at.n;
    if (asked->cover)
        TRY(cli_cover_find(&at.shares, asked->campaign, at.rows, at.n, &at.shown, err));
    else if (asked->top && (size_t)asked->top < at.n)
        at.shown = (size_t)asked->top;
    else if (!asked->top && at.n > SHOWN && !output && format == CLI_TABLE)
        at.shown = SHOWN;
    status = show(&at, output, format, err);
done:
    free(at.rows);
    cli_numbers_deinit(&at.shares);
    stoic_model_free(at.model);
    stoic_records_free(at.records);
    return status;
}
