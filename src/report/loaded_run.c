#include "report/loaded_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"
#include "base/text.h"

const char *stoic_loaded_run_info(const stoic_loaded_run *run, const char *key) {
    const char *value = stoic_records_info(run->records, key);
    return value ? value : "";
}

const char *stoic_loaded_run_model(const stoic_loaded_run *run) {
    const char *model = stoic_loaded_run_info(run, "model");
    const char *slash = strrchr(model, '/');
    return slash ? slash + 1 : *model ? model : "a network";
}

const char *stoic_loaded_run_layer(const stoic_loaded_run *run, int layer, char *buffer) {
    const char *name = stoic_records_layer_name(run->records, layer);
    if (name && *name)
        return name;
    snprintf(buffer, 32, "layer %d", layer);
    return buffer;
}

static char *copy_or_null(const char *text, const char *missing) {
    return strdup(text ? text : missing);
}

/* A fault's text is ours, but the file may come from anybody: what does not parse is shown as
 * it stands. */
static stoic_status read_fault(stoic_loaded_run *run, stoic_error *err) {
    const char *text = stoic_loaded_run_info(run, "fault"), *more;
    stoic_spec spec = {0};
    stoic_text all = {0};
    bool parsed = stoic_spec_parse(text, &spec, NULL) == STOIC_OK;
    bool list = parsed && !strncmp(spec.head, "list:", 5);
    char key[32] = "fault_2";
    stoic_text_puts(&all, text);
    for (int i = 2; (more = stoic_records_info(run->records, key)) != NULL; i++) {
        stoic_text_printf(&all, " and %s", more);
        snprintf(key, sizeof key, "fault_%d", i + 1);
        run->mixed = true;
    }
    run->mixed = run->mixed || !parsed;
    run->random = parsed && !list && strcmp(spec.head, "exhaustive") != 0;
    run->head = copy_or_null(list ? "list" : parsed ? spec.head : text, "");
    run->layers = copy_or_null(parsed && !list ? stoic_spec_get(&spec, "layer") : NULL, "all");
    run->bits = copy_or_null(list     ? "listed"
                             : parsed ? stoic_spec_get(&spec, "bits")
                                      : NULL,
                             "all");
    run->tensor = copy_or_null(parsed ? stoic_spec_get(&spec, "tensor") : NULL, "weight");
    const char *n = parsed ? stoic_spec_get(&spec, "n") : NULL;
    if (n && strcmp(n, "1") != 0 && run->head) { /* "zero,n=10" is a head of its own */
        stoic_text head = {0};
        stoic_text_printf(&head, "%s,n=%s", run->head, n);
        free(run->head);
        run->head = head.data;
    }
    stoic_spec_deinit(&spec);
    stoic_status status = stoic_text_finish(&all, err);
    run->fault = all.data;
    if (status == STOIC_OK && !(run->head && run->layers && run->bits && run->tensor))
        status = stoic_fail_memory(err, "a fault model", strlen(text));
    return status;
}

static int find_only_layer(const stoic_loaded_run *run) {
    if (stoic_records_layer_count(run->records) == 1)
        return 0;
    char *end;
    long layer = strtol(run->layers, &end, 10);
    bool one = end != run->layers && *end == '\0' && layer >= 0 &&
               layer < stoic_records_layer_count(run->records);
    return one ? (int)layer : -1;
}

static bool add_row(void *user, const stoic_record *record) {
    stoic_loaded_run *run = user;
    if (run->n_rows == STOIC_REPORT_ROWS)
        return false;
    run->rows[run->n_rows++] = (stoic_report_row){record->trial, record->layer, record->bit,
                                                  record->accuracy, record->drop};
    return true;
}

static stoic_status read_rows(stoic_loaded_run *run, stoic_error *err) {
    stoic_status status = STOIC_OK;
    /* Trials of unequal chances are no picture of what a random fault does. */
    if (run->summary.trials > STOIC_REPORT_ROWS ||
        run->summary.sampling == STOIC_SAMPLING_STRATIFIED)
        return STOIC_OK;
    run->rows = calloc(STOIC_REPORT_ROWS, sizeof *run->rows);
    if (!run->rows)
        return stoic_fail_memory(err, "trials", STOIC_REPORT_ROWS * sizeof *run->rows);
    TRY(stoic_records_each(run->records, add_row, run, err));
    size_t bytes = (run->n_rows + 1) * sizeof *run->rows;
    stoic_report_row *fitting = realloc(run->rows, bytes);
    if (fitting)
        run->rows = fitting;
done:
    return status;
}

static stoic_status read_run(const char *path, stoic_loaded_run *run, stoic_error *err) {
    stoic_status status;
    const char *slash = strrchr(path, '/');
    run->path = path;
    run->name = slash ? slash + 1 : path;
    TRY(stoic_records_open(path, &run->records, err));
    TRY(stoic_records_summary(run->records, &run->summary, err));
    TRY(read_fault(run, err));
    run->only_layer = find_only_layer(run);
    TRY(stoic_records_groups(run->records, true, false, &run->by_layer.items, &run->by_layer.count,
                             err));
    TRY(stoic_records_groups(run->records, false, true, &run->by_bit.items, &run->by_bit.count,
                             err));
    TRY(stoic_records_groups(run->records, true, true, &run->by_both.items, &run->by_both.count,
                             err));
    status = read_rows(run, err);
done:
    return status;
}

static bool same_part(const stoic_loaded_run *a, const stoic_loaded_run *b) {
    static const char *const keys[] = {"model_digest", "data_digest", "labels_digest", "store",
                                       "images",       "nan",         "golden_correct"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(stoic_loaded_run_info(a, keys[i]), stoic_loaded_run_info(b, keys[i])) != 0)
            return false;
    }
    return stoic_records_layer_count(a->records) == stoic_records_layer_count(b->records);
}

static int find_part(stoic_loaded_runs *runs, size_t of) {
    for (size_t i = 0; i < of; i++) {
        if (same_part(&runs->items[i], &runs->items[of]))
            return runs->items[i].part;
    }
    return runs->parts++;
}

stoic_status stoic_loaded_runs_read(const char *const *paths, size_t n, stoic_loaded_runs *out,
                                    stoic_error *err) {
    stoic_status status = STOIC_OK;
    *out = (stoic_loaded_runs){calloc(n + 1, sizeof *out->items), 0, 0};
    if (!out->items)
        return stoic_fail_memory(err, "campaigns", n * sizeof *out->items);
    for (size_t i = 0; i < n; i++) {
        out->count = i + 1;
        TRY(read_run(paths[i], &out->items[i], err));
        out->items[i].part = find_part(out, i);
    }
done:
    return status;
}

void stoic_loaded_runs_deinit(stoic_loaded_runs *runs) {
    for (size_t i = 0; i < runs->count; i++) {
        stoic_loaded_run *run = &runs->items[i];
        stoic_records_free(run->records);
        stoic_groups_free(run->by_layer.items);
        stoic_groups_free(run->by_bit.items);
        stoic_groups_free(run->by_both.items);
        free(run->rows);
        free(run->fault);
        free(run->head);
        free(run->layers);
        free(run->bits);
        free(run->tensor);
    }
    free(runs->items);
    *runs = (stoic_loaded_runs){0};
}
