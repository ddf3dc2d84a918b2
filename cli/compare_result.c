#include "compare_result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "output.h"
#include "progress_text.h"

static const char *const columns[] = {"name",
                                      "fault",
                                      "clean_accuracy",
                                      "faulty_accuracy",
                                      "drop",
                                      "critical_rate",
                                      "coverage",
                                      "bits",
                                      "time_ratio",
                                      "needs",
                                      "kind",
                                      "trials",
                                      "drop_low",
                                      "drop_high",
                                      "critical_low",
                                      "critical_high",
                                      "coverage_low",
                                      "coverage_high",
                                      "bits_per_weight",
                                      "pareto",
                                      "due_rate",
                                      "time_source",
                                      NULL};
enum { COLUMNS = 22 };

static double bits_a_weight(const stoic_protection *protection) {
    return (double)protection->bits / (double)protection->weights;
}

static void row_cells(const cli_comparison *at, const stoic_compare_row *row, cli_cell cells[]) {
    const stoic_protection *p = &at->found->protections[row->protection];
    const cli_cell all[COLUMNS] = {cli_cell_text(p->name),
                                   cli_cell_text(at->found->faults[row->fault]),
                                   cli_cell_double(p->clean_accuracy),
                                   cli_cell_double(row->faulty_accuracy),
                                   cli_cell_double(row->drop.value),
                                   cli_cell_double(row->critical_rate.value),
                                   cli_cell_double(row->coverage.value),
                                   cli_cell_count(p->bits),
                                   cli_cell_double(p->time_ratio),
                                   cli_cell_text(p->needs),
                                   cli_cell_text(stoic_protection_kind_name(p->kind)),
                                   cli_cell_count(row->trials),
                                   cli_cell_double(row->drop.low),
                                   cli_cell_double(row->drop.high),
                                   cli_cell_double(row->critical_rate.low),
                                   cli_cell_double(row->critical_rate.high),
                                   cli_cell_double(row->coverage.low),
                                   cli_cell_double(row->coverage.high),
                                   cli_cell_double(bits_a_weight(p)),
                                   cli_cell_count(row->pareto),
                                   cli_cell_double(row->due_rate),
                                   cli_cell_text(p->time_source)};
    memcpy(cells, all, sizeof all);
}

static stoic_status write_csv(const cli_comparison *at, cli_output *output, stoic_error *err) {
    cli_rows rows;
    bool go = true;
    cli_rows_begin(&rows, output, columns);
    for (int i = 0; go && i < at->found->n_rows; i++) {
        cli_cell cells[COLUMNS];
        row_cells(at, &at->found->rows[i], cells);
        go = cli_rows_add(&rows, cells);
    }
    return cli_rows_end(&rows, err);
}

/* ---- JSON ---- */

static json_t *recommended(const cli_comparison *at, int fault) {
    stoic_recommendation best = stoic_comparison_recommend(at->found, fault, at->loss);
    const stoic_compare_row *rows = at->found->rows;
    json_t *object = json_object();
    int bad = cli_put_text(object, "fault", at->found->faults[fault]);
    bad |= cli_put_text(
        object, "safest",
        best.safest < 0 ? NULL : at->found->protections[rows[best.safest].protection].name);
    bad |= cli_put_text(
        object, "cheapest",
        best.cheapest < 0 ? NULL : at->found->protections[rows[best.cheapest].protection].name);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *skipped_object(const stoic_protection *protection) {
    json_t *object = json_object();
    int bad = cli_put_text(object, "name", protection->name);
    bad |= cli_put_text(object, "why", protection->skipped);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *result_object(const cli_comparison *at) {
    json_t *object = json_object(), *rows = json_array(), *skipped = json_array();
    json_t *best = json_array();
    int bad = cli_put_text(object, "model", at->options->model_path);
    bad |= cli_put_count(object, "images", at->found->images);
    bad |= cli_put_count(object, "trials", at->options->trials);
    bad |= cli_put_number(object, "confidence", at->options->confidence);
    for (int i = 0; i < at->found->n_rows; i++) {
        cli_cell cells[COLUMNS];
        row_cells(at, &at->found->rows[i], cells);
        bad |= json_array_append_new(rows, cli_cells_object(columns, cells, COLUMNS));
    }
    for (int i = 0; i < at->found->n_protections; i++) {
        if (at->found->protections[i].skipped)
            bad |= json_array_append_new(skipped, skipped_object(&at->found->protections[i]));
    }
    for (int i = 0; i < at->found->n_faults; i++)
        bad |= json_array_append_new(best, recommended(at, i));
    bad |= json_object_set_new(object, "rows", rows);
    bad |= json_object_set_new(object, "skipped", skipped);
    bad |= json_object_set_new(object, "recommended", best);
    bad |= cli_put_number(object, "seconds", at->seconds);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

/* ---- tables ---- */

static void print_interval(FILE *file, const stoic_interval *value) {
    if (isnan(value->value))
        fprintf(file, "%25s", "");
    else
        fprintf(file, "  %7.3f [%6.2f, %6.2f]", 100 * value->value, 100 * value->low,
                100 * value->high);
}

static void print_row(FILE *file, const cli_comparison *at, const stoic_compare_row *row,
                      int width) {
    const stoic_protection *p = &at->found->protections[row->protection];
    bool dear = p->clean_accuracy < at->found->protections[0].clean_accuracy - at->loss;
    fprintf(file, " %c %-*s  %6.2f%c %6.2f", row->pareto ? '*' : ' ', width, p->name,
            100 * p->clean_accuracy, dear ? '-' : ' ', 100 * row->faulty_accuracy);
    print_interval(file, &row->critical_rate);
    print_interval(file, &row->coverage);
    fprintf(file, "  %6.3g  %5.2f  %s", bits_a_weight(p), p->time_ratio, p->needs);
    if (row->due_rate > 0)
        fprintf(file, "; %.3g %% get no answer (due)", 100 * row->due_rate);
    fputc('\n', file);
}

static void print_best(FILE *file, const cli_comparison *at, int fault) {
    const stoic_comparison *found = at->found;
    stoic_recommendation best = stoic_comparison_recommend(found, fault, at->loss);
    if (best.safest < 0) {
        fprintf(file,
                "   safest     none: nothing here is safer than the baseline within %g points of "
                "its clean accuracy\n",
                100 * at->loss);
        return;
    }
    const stoic_compare_row *row = &found->rows[best.safest];
    fprintf(file, "   safest     %s: %.3g %% critical\n", found->protections[row->protection].name,
            100 * row->critical_rate.value);
    if (best.cheapest < 0) {
        fputs("   cheapest   nothing covers nine tenths of what is critical for the baseline\n",
              file);
        return;
    }
    row = &found->rows[best.cheapest];
    const stoic_protection *p = &found->protections[row->protection];
    fprintf(file, "   cheapest   %s: covers %.3g %% with %.4g bits a weight\n", p->name,
            100 * row->coverage.value, bits_a_weight(p));
}

static int name_width(const stoic_comparison *found) {
    int width = 4;
    for (int i = 0; i < found->n_protections; i++) {
        int length = found->protections[i].skipped ? 0 : (int)strlen(found->protections[i].name);
        width = length > width ? length : width;
    }
    return width;
}

/* Times that are not the runtime's, although they are of stores. */
static void print_times(FILE *file, const stoic_comparison *found) {
    const stoic_protection *first = NULL;
    int n = 0;
    for (int i = found->n_protections; i-- > 0;) {
        if (found->protections[i].time_note && !found->protections[i].skipped) {
            first = &found->protections[i];
            n++;
        }
    }
    if (!first)
        return;
    fprintf(file, "note       time of %s", first->name);
    if (n > 1)
        fprintf(file, " and %d more", n - 1);
    fprintf(file, " is that of a float pass and of decoding: %s\n", first->time_note);
}

static void print_tables(FILE *file, const cli_comparison *at) {
    const stoic_comparison *found = at->found;
    const int width = name_width(found);
    char duration[40];
    fprintf(file, "model      %s\ncampaigns  %lld trials each, %lld images\n",
            at->options->model_path, (long long)at->options->trials, (long long)found->images);
    fprintf(
        file,
        "           percent, with %g %% intervals; coverage: 1 - critical / critical of the "
        "baseline, same trials\n"
        "           bits/w: stored bits a weight; time: a store's against fp32 in the protected "
        "runtime, a network's\n           against the baseline's (of 'explore' and 'store --time' "
        "it is against affine:8)\n"
        "           *: nothing else is at least as good in critical and due, clean accuracy, bits "
        "and time\n"
        "           -: costs more than %g of the clean accuracy, too much to be "
        "recommended\n",
        100 * at->options->confidence, at->loss);
    for (int fault = 0; fault < found->n_faults; fault++) {
        fprintf(file, "\n%s\n   %-*s  %6s  %6s  %-23s  %-23s  %6s  %5s  %s\n", found->faults[fault],
                width, "name", "clean", "faulty", "critical rate", "coverage", "bits/w", "time",
                "needs");
        for (int i = 0; i < found->n_rows; i++) {
            if (found->rows[i].fault == fault)
                print_row(file, at, &found->rows[i], width);
        }
        print_best(file, at, fault);
    }
    for (int i = 0, n = 0; i < found->n_protections; i++) {
        if (found->protections[i].skipped)
            fprintf(file, "%s%s: %s\n", n++ ? "           " : "\nleft out   ",
                    found->protections[i].name, found->protections[i].skipped);
    }
    print_times(file, found);
    fprintf(file, "time       %s\n", cli_duration_text(at->seconds, duration));
}

stoic_status cli_comparison_write(const cli_comparison *at, const char *path, int format,
                                  stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status = cli_output_open(&output, path, format, err);
    if (status != STOIC_OK)
        return status;
    if (output.format == CLI_JSON)
        status = cli_output_json(&output, result_object(at), err);
    else if (output.format == CLI_CSV)
        status = write_csv(at, &output, err);
    else
        print_tables(output.file, at);
    return cli_output_close(&output, status, err);
}
