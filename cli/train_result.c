/* The result of a training: a row an epoch, the best one, where everything is. */
#include <math.h>
#include <string.h>

#include "output.h"
#include "preprocessing_text.h"
#include "progress_text.h"
#include "train_files.h"

enum { COLUMNS = 6 };
static const char *const columns[COLUMNS + 1] = {
    "epoch", "loss", "train_accuracy", "test_accuracy", "lr", "seconds", NULL};

/* Epochs count from 1 for a reader: the row of epoch 10 is what ten epochs gave. */
static void make_cells(const stoic_epoch *epoch, int64_t at, cli_cell cells[COLUMNS]) {
    cells[0] = cli_cell_count(at + 1);
    cells[1] = cli_cell_double(epoch->loss);
    cells[2] = cli_cell_double(epoch->train_accuracy);
    cells[3] = cli_cell_double(epoch->test_accuracy);
    cells[4] = cli_cell_double(epoch->lr);
    cells[5] = cli_cell_double(epoch->seconds);
}

static stoic_status write_rows(cli_output *output, const stoic_epoch *epochs, int64_t n,
                               stoic_error *err) {
    cli_rows rows;
    cli_cell cells[COLUMNS];
    cli_rows_begin(&rows, output, columns);
    for (int64_t i = 0; i < n; i++) {
        make_cells(&epochs[i], i, cells);
        if (!cli_rows_add(&rows, cells))
            break;
    }
    return cli_rows_end(&rows, err);
}

stoic_status cli_curves_write(const char *path, const stoic_epoch *epochs, int64_t n,
                              stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status = cli_output_open(&output, path, CLI_CSV, err);
    if (status == STOIC_OK)
        status = write_rows(&output, epochs, n, err);
    return cli_output_close(&output, status, err);
}

static json_t *epoch_list(const stoic_training *training) {
    json_t *list = json_array();
    cli_cell cells[COLUMNS];
    for (int64_t i = 0; i < training->n_epochs && list; i++) {
        make_cells(&training->epochs[i], i, cells);
        if (json_array_append_new(list, cli_cells_object(columns, cells, COLUMNS)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* A best epoch that the curves know. */
static const stoic_epoch *best_epoch(const stoic_training *training) {
    int64_t at = training->best_epoch;
    return at >= 0 && at < training->n_epochs ? &training->epochs[at] : NULL;
}

static json_t *best_object(const cli_train_result *result) {
    const stoic_epoch *best = best_epoch(result->training);
    if (!best)
        return json_null();
    json_t *object = json_object();
    int bad = cli_put_count(object, "epoch", result->training->best_epoch + 1);
    bad |= cli_put_number(object, "accuracy", best->test_accuracy);
    bad |= cli_put_text(object, "file", result->files->best);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *facts(const cli_train_result *result) {
    json_t *object = json_object();
    int bad = cli_put_text(object, "model", result->model);
    bad |= cli_put_text(object, "output", result->files->last);
    bad |= cli_put_text(object, "data", result->data);
    bad |= cli_put_count(object, "images", result->images);
    bad |= cli_put_text(object, "test", result->test);
    bad |= cli_put_count(object, "test_images", result->test ? result->test_images : -1);
    bad |=
        json_object_set_new(object, "preprocessing", cli_preprocessing_json(result->preprocessing));
    bad |= json_object_set_new(object, "epochs", epoch_list(result->training));
    bad |= json_object_set_new(object, "best", best_object(result));
    bad |= cli_put_text(object, "curves", result->files->csv);
    bad |= cli_put_text(object, "picture", result->pictured ? result->files->svg : NULL);
    bad |= cli_put_number(object, "seconds", result->seconds);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static stoic_status print_table(cli_output *output, const cli_train_result *result,
                                stoic_error *err) {
    const stoic_training *training = result->training;
    const cli_train_files *files = result->files;
    const stoic_epoch *best = best_epoch(training);
    FILE *file = output->file;
    char duration[40];
    fprintf(file, "model          %s\ndata           %s, %lld images\n", result->model,
            result->data, (long long)result->images);
    if (result->test)
        fprintf(file, "test           %s, %lld images\n", result->test,
                (long long)result->test_images);
    fputs("preprocessing  ", file);
    cli_preprocessing_print(file, result->preprocessing);
    fputs("\n\n", file);
    stoic_status status = write_rows(output, training->epochs, training->n_epochs, err);
    if (status != STOIC_OK)
        return status;
    fprintf(file, "\noutput         %s\n", files->last);
    if (best)
        fprintf(file, "best           epoch %lld, test accuracy %.6g%s%s\n",
                (long long)training->best_epoch + 1, best->test_accuracy, files->best ? ": " : "",
                files->best ? files->best : "");
    if (files->csv)
        fprintf(file, "curves         %s%s%s\n", files->csv, result->pictured ? ", " : "",
                result->pictured ? files->svg : "");
    fprintf(file, "time           %s\n", cli_duration_text(result->seconds, duration));
    return STOIC_OK;
}

stoic_status cli_train_result_write(const cli_train_result *result, int format, stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status = cli_output_open(&output, NULL, format, err);
    if (status != STOIC_OK)
        return status;
    if (output.format == CLI_JSON)
        status = cli_output_json(&output, facts(result), err);
    else if (output.format == CLI_CSV)
        status = write_rows(&output, result->training->epochs, result->training->n_epochs, err);
    else
        status = print_table(&output, result, err);
    return cli_output_close(&output, status, err);
}
