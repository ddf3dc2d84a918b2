#include "attack_result.h"

#include <math.h>
#include <string.h>

#include "options.h"
#include "output.h"
#include "progress_text.h"

static const char *const columns[] = {"step",    "layer", "name",     "tensor", "index",
                                      "bit",     "role",  "field",    "before", "after",
                                      "changed", "loss",  "accuracy", NULL};
static const char *const table_columns[] = {"step",    "layer", "name",     "index",
                                            "bit",     "field", "before",   "after",
                                            "changed", "loss",  "accuracy", NULL};
enum { COLUMNS = 13 };

static void row_cells(int64_t step, const stoic_flip *flip, cli_cell cells[COLUMNS]) {
    const cli_cell all[COLUMNS] = {cli_cell_count(step),
                                   cli_cell_count(flip->layer),
                                   cli_cell_text(flip->name),
                                   cli_cell_text(stoic_role_name(flip->role)),
                                   cli_cell_count(flip->index),
                                   cli_cell_count(flip->bit),
                                   cli_cell_text(stoic_bit_role_name(flip->kind)),
                                   cli_cell_text(flip->field),
                                   cli_cell_float(flip->before),
                                   cli_cell_float(flip->after),
                                   cli_cell_count(flip->changed),
                                   cli_cell_double(flip->loss),
                                   cli_cell_double(flip->accuracy)};
    memcpy(cells, all, sizeof all);
}

/* A copy of a bit has the bit's field; a table says that it is one. */
static void shorten(const stoic_flip *flip, const cli_cell all[COLUMNS], char field[40],
                    cli_cell cells[COLUMNS]) {
    static const int kept[] = {0, 1, 2, 4, 5, 7, 8, 9, 10, 11, 12};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        cells[i] = all[kept[i]];
    snprintf(field, 40, "%s%s", flip->kind == STOIC_BIT_COPY ? "copy of " : "", flip->field);
    cells[5] = cli_cell_text(field);
}

static stoic_status write_rows(const cli_attack *at, cli_output *output, stoic_error *err) {
    cli_rows rows;
    bool go = true, table = output->format == CLI_TABLE;
    cli_rows_begin(&rows, output, table ? table_columns : columns);
    for (int64_t i = 0; go && i < at->found->n_flips; i++) {
        cli_cell all[COLUMNS], few[COLUMNS];
        char field[40];
        row_cells(i + 1, &at->found->flips[i], all);
        shorten(&at->found->flips[i], all, field, few);
        go = cli_rows_add(&rows, table ? few : all);
    }
    return cli_rows_end(&rows, err);
}

static double last_accuracy(const stoic_attack_result *found) {
    return found->n_flips ? found->flips[found->n_flips - 1].accuracy : found->accuracy;
}

static json_t *result_object(const cli_attack *at) {
    const stoic_attack_result *found = at->found;
    json_t *object = json_object(), *golden = json_object(), *flips = json_array();
    int bad = cli_put_text(object, "model", at->model_path);
    bad |= cli_put_text(object, "store", found->store);
    bad |= cli_put_text(object, "space", found->space);
    bad |= cli_put_count(object, "images", found->images);
    bad |= cli_put_number(golden, "accuracy", found->accuracy);
    bad |= cli_put_number(golden, "loss", found->loss);
    bad |= json_object_set_new(object, "golden", golden);
    bad |= cli_put_number(object, "below", at->options->below);
    bad |= cli_put_number(object, "accuracy", last_accuracy(found));
    for (int64_t i = 0; i < found->n_flips; i++) {
        cli_cell cells[COLUMNS];
        row_cells(i + 1, &found->flips[i], cells);
        bad |= json_array_append_new(flips, cli_cells_object(columns, cells, COLUMNS));
    }
    bad |= json_object_set_new(object, "flips", flips);
    bad |= cli_put_text(object, "stopped", stoic_attack_end_name(found->end));
    bad |= cli_put_count(object, "dropped", found->dropped);
    bad |= cli_put_count(object, "evaluated", found->evaluated);
    bad |= cli_put_number(object, "seconds", at->seconds);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static stoic_status print_table(const cli_attack *at, cli_output *output, stoic_error *err) {
    const stoic_attack_result *found = at->found;
    FILE *file = output->file;
    char duration[40];
    fprintf(file, "model      %s\n", at->model_path);
    fprintf(file, "searched   %s on %s\n", found->space, found->store);
    fprintf(file, "golden     accuracy %g, loss %.4g, %lld images\n", found->accuracy, found->loss,
            (long long)found->images);
    fputs("candidates ", file);
    if (at->options->candidates)
        fprintf(file, "at most %lld a tensor by gradient and as many by size, ",
                (long long)at->options->candidates);
    else
        fputs("every bit that changes a weight, ", file);
    fprintf(file, "%lld evaluated\n", (long long)found->evaluated);
    stoic_status status = found->n_flips ? write_rows(at, output, err) : STOIC_OK;
    fprintf(file, "stopped    accuracy %g with %lld flip%s: %s\n", last_accuracy(found),
            (long long)found->n_flips, found->n_flips == 1 ? "" : "s",
            stoic_attack_end_text(found->end));
    if (found->dropped)
        fprintf(file, "           %lld more had been found, and were not needed any more\n",
                (long long)found->dropped);
    fprintf(file, "time       %s\n", cli_duration_text(at->seconds, duration));
    return status;
}

stoic_status cli_attack_write(const cli_attack *at, int format, stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status = cli_output_open(&output, NULL, format, err);
    if (status != STOIC_OK)
        return status;
    if (output.format == CLI_JSON)
        status = cli_output_json(&output, result_object(at), err);
    else if (output.format == CLI_CSV)
        status = write_rows(at, &output, err);
    else
        status = print_table(at, &output, err);
    return cli_output_close(&output, status, err);
}

stoic_status cli_attack_list(const cli_attack *at, stoic_error *err) {
    static const char *const listed[] = {"trial", "layer", "index", "bit", NULL};
    cli_output output = {.file = NULL};
    cli_rows rows;
    bool go = true;
    stoic_status status = cli_output_open(&output, at->list, CLI_CSV, err);
    if (status != STOIC_OK)
        return status;
    cli_rows_begin(&rows, &output, listed);
    for (int64_t i = 0; go && i < at->found->n_flips; i++) {
        const stoic_flip *flip = &at->found->flips[i];
        go = cli_rows_add(&rows,
                          (cli_cell[]){cli_cell_count(0), cli_cell_count(flip->layer),
                                       cli_cell_count(flip->index), cli_cell_count(flip->bit)});
    }
    return cli_output_close(&output, cli_rows_end(&rows, err), err);
}
