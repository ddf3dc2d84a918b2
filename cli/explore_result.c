#include "explore_result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "budget_result.h"
#include "options.h"
#include "output.h"
#include "progress_text.h"

/* ---- rows: one a store and bit error rate ---- */

static const char *const columns[] = {"store",
                                      "width",
                                      "ber",
                                      "bits",
                                      "accuracy",
                                      "drop",
                                      "drop_low",
                                      "drop_high",
                                      "memory",
                                      "time",
                                      "p_drop",
                                      "rap",
                                      "kind",
                                      "trials",
                                      "bits_per_weight",
                                      "decode_seconds",
                                      "evaluate_seconds",
                                      "time_source",
                                      "image_seconds",
                                      NULL};
static const char *const table_columns[] = {"store",  "width",    "ber",       "bits",   "accuracy",
                                            "drop",   "drop_low", "drop_high", "memory", "time",
                                            "p_drop", "rap",      NULL};
enum { COLUMNS = 19 };

/* What a reader needs; CSV and JSON keep every bit. */
static double rounded(double value, double steps) {
    return round(value * steps) / steps;
}

static double digits(double value, int n) {
    char text[40];
    snprintf(text, sizeof text, "%.*g", n, value);
    return strtod(text, NULL);
}

static void shorten(cli_cell cells[COLUMNS]) {
    static const int drops[] = {5, 6, 7}, ratios[] = {8, 9}, products[] = {10, 11};
    for (size_t i = 0; i < 3; i++)
        cells[drops[i]].number = rounded(cells[drops[i]].number, 1e6);
    for (size_t i = 0; i < 2; i++)
        cells[ratios[i]].number = rounded(cells[ratios[i]].number, 1e3);
    for (size_t i = 0; i < 2; i++)
        cells[products[i]].number = digits(cells[products[i]].number, 3);
}

static void row_cells(const cli_exploration *at, const stoic_explore_row *row,
                      cli_cell cells[COLUMNS]) {
    const stoic_explore_store *store = &at->found->stores[row->store];
    cli_cell all[COLUMNS] = {
        cli_cell_text(store->text),
        cli_cell_count(store->width > 0 ? store->width : -1),
        cli_cell_double(row->ber),
        cli_cell_count(store->bits),
        cli_cell_double(store->accuracy),
        cli_cell_double(row->drop.value),
        cli_cell_double(row->drop.low),
        cli_cell_double(row->drop.high),
        cli_cell_double(store->memory),
        cli_cell_double(store->time),
        cli_cell_double(row->p_drop),
        cli_cell_double(row->rap),
        cli_cell_text(stoic_explore_kind_name(store->kind)),
        cli_cell_count(row->trials),
        cli_cell_double((double)store->bits / (double)store->weights),
        cli_cell_double(store->decode_seconds),
        cli_cell_double(store->evaluate_seconds),
        cli_cell_text(store->time_source),
        cli_cell_double(store->image_seconds),
    };
    memcpy(cells, all, sizeof all);
}

static stoic_status write_rows(const cli_exploration *at, cli_output *output, stoic_error *err) {
    bool go = true;
    cli_rows rows;
    cli_rows_begin(&rows, output, output->format == CLI_TABLE ? table_columns : columns);
    for (int i = 0; go && i < at->found->n_rows; i++) {
        cli_cell cells[COLUMNS];
        row_cells(at, &at->found->rows[i], cells);
        if (output->format == CLI_TABLE)
            shorten(cells);
        go = cli_rows_add(&rows, cells);
    }
    return cli_rows_end(&rows, err);
}

/* ---- what was tried, and what a reader should know ---- */

/* Why a width was not good enough, "" where it was. */
static const char *verdict(const cli_exploration *at, const stoic_explore_probe *probe) {
    bool limits = !isnan(at->options->min_accuracy) || !isnan(at->options->max_drop);
    if (!probe->accurate)
        return isnan(probe->drop.value) ? "too inaccurate; not hit with faults" : "too inaccurate";
    if (!probe->reliable)
        return "loses too much";
    return !limits ? "" : probe->width == at->found->chosen ? "chosen" : "good enough";
}

static const stoic_explore_probe *chosen_probe(const cli_exploration *at) {
    for (int i = 0; i < at->found->n_probes; i++) {
        if (at->found->chosen && at->found->probes[i].width == at->found->chosen)
            return &at->found->probes[i];
    }
    return NULL;
}

enum { REMARKS = 6, REMARK = 640 };

/* The best store within the budget whose layers are all alike; -1: there is none. */
static int best_alike(const stoic_budget *budget) {
    int best = -1;
    for (int i = 0; i < budget->measured->n_stores; i++) {
        const stoic_explore_store *store = &budget->measured->stores[i];
        if (store->kind != STOIC_EXPLORE_MIXED && store->bits <= budget->budget &&
            (best < 0 || budget->points[i].loss.value < budget->points[best].loss.value))
            best = i;
    }
    return best;
}

/* Is what was chosen for its layers any better than a store without? */
static int remark_mixture(const stoic_budget *budget, char remark[REMARK]) {
    int alike = best_alike(budget), chosen = budget->chosen;
    if (chosen < 0 || alike < 0 || chosen == alike ||
        budget->points[chosen].loss.high < budget->points[alike].loss.low)
        return 0;
    snprintf(remark, REMARK,
             "what was chosen loses %.2f ± %.2f points, %.400s in all layers %.2f ± %.2f: the "
             "difference may be chance, more --trials would tell",
             100 * budget->points[chosen].loss.value,
             100 * (budget->points[chosen].loss.high - budget->points[chosen].loss.value),
             budget->measured->stores[alike].text, 100 * budget->points[alike].loss.value,
             100 * (budget->points[alike].loss.high - budget->points[alike].loss.value));
    return 1;
}

/* Times that are not the runtime's. */
static int remark_time(const stoic_exploration *found, char remark[REMARK]) {
    int n = 0, first = 0;
    for (int i = found->n_stores; i-- > 0;) {
        if (found->stores[i].time_note) {
            first = i;
            n++;
        }
    }
    if (n > 0)
        snprintf(remark, REMARK,
                 "time of %s is decode + float evaluation, not the runtime's: %.240s",
                 n == found->n_stores ? "every store" : found->stores[first].text,
                 found->stores[first].time_note);
    return n > 0;
}

static int remarks_of(const cli_exploration *at, char remarks[REMARKS][REMARK]) {
    const stoic_exploration *found = at->found;
    const stoic_explore_probe *probe = chosen_probe(at);
    const double limit = at->options->max_drop;
    int n = 0;
    if (probe && !isnan(limit) && probe->drop.high >= limit)
        snprintf(remarks[n++], REMARK,
                 "the interval of the drop at width %d, %.4g to %.4g, contains --max-drop: more "
                 "--trials would tell",
                 probe->width, probe->drop.low, probe->drop.high);
    if (at->budget)
        n += remark_mixture(at->budget, remarks[n]);
    if (found->wider_failed)
        snprintf(remarks[n++], REMARK,
                 "width %d failed although the narrower %d passed: wider is not always better "
                 "here, and a search without --all may give another answer",
                 found->wider_failed, found->chosen);
    if (!at->budget && !found->chosen && !at->options->all &&
        found->n_probes < at->options->widest - at->options->narrowest + 1)
        snprintf(remarks[n++], REMARK,
                 "no width that was tried passed; the search assumes that wider is better and left "
                 "others out, --all tries every one");
    n += remark_time(found, remarks[n]);
    for (int i = 0; i < found->n_rows; i++) {
        if (!(found->rows[i].p_drop > 1.0))
            continue;
        snprintf(remarks[n++], REMARK,
                 "P_drop above 1 is no probability: its formula multiplies expected counts and has "
                 "no upper bound");
        break;
    }
    return n;
}

/* ---- JSON ---- */

static json_t *probe_object(const cli_exploration *at, const stoic_explore_probe *probe) {
    const stoic_explore_store *store = &at->found->stores[probe->store];
    json_t *object = json_object();
    int bad = cli_put_count(object, "width", probe->width);
    bad |= cli_put_text(object, "store", store->text);
    bad |= cli_put_number(object, "accuracy", store->accuracy);
    bad |= cli_put_number(object, "drop", probe->drop.value);
    bad |= cli_put_number(object, "drop_low", probe->drop.low);
    bad |= cli_put_number(object, "drop_high", probe->drop.high);
    bad |= json_object_set_new(object, "passed", json_boolean(probe->accurate && probe->reliable));
    bad |= cli_put_text(object, "verdict", verdict(at, probe));
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static int put_lists(json_t *object, const cli_exploration *at) {
    json_t *rows = json_array(), *probed = json_array(), *remarks = json_array();
    char texts[REMARKS][REMARK];
    int bad = 0, n = remarks_of(at, texts);
    for (int i = 0; i < at->found->n_rows; i++) {
        cli_cell cells[COLUMNS];
        row_cells(at, &at->found->rows[i], cells);
        bad |= json_array_append_new(rows, cli_cells_object(columns, cells, COLUMNS));
    }
    for (int i = 0; i < at->found->n_probes; i++)
        bad |= json_array_append_new(probed, probe_object(at, &at->found->probes[i]));
    for (int i = 0; i < n; i++)
        bad |= json_array_append_new(remarks, json_string(texts[i]));
    bad |= json_object_set_new(object, "rows", rows);
    bad |= json_object_set_new(object, "probed", probed);
    return bad | json_object_set_new(object, "remarks", remarks);
}

/* What the baseline's time is of; a store that differs says so in its row. */
static const char *time_meaning(const stoic_exploration *found) {
    return found->stores[0].time_note ? "decode + float evaluation"
                                      : "protected runtime, an image at a time";
}

static json_t *result_object(const cli_exploration *at) {
    json_t *object = json_object();
    int bad = cli_put_text(object, "model", at->options->model_path);
    bad |= cli_put_text(object, "store", at->options->store);
    bad |= cli_put_text(object, "baseline", at->found->stores[0].text);
    bad |= cli_put_count(object, "images", at->found->images);
    bad |= cli_put_count(object, "trials", at->options->trials);
    bad |= cli_put_number(object, "min_accuracy", at->options->min_accuracy);
    bad |= cli_put_number(object, "max_drop", at->options->max_drop);
    bad |= cli_put_number(object, "lifetime_flips", at->options->lifetime_flips);
    bad |= cli_put_number(object, "confidence", at->options->confidence);
    bad |= cli_put_text(object, "time", time_meaning(at->found));
    bad |= put_lists(object, at);
    if (at->budget)
        bad |= cli_budget_put(object, at->budget);
    else
        bad |= cli_put_count(object, "chosen", at->found->chosen ? at->found->chosen : -1);
    bad |= cli_put_number(object, "seconds", at->seconds);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

/* ---- table ---- */

static void print_head(FILE *file, const cli_exploration *at) {
    const stoic_explore_options *options = at->options;
    const stoic_explore_store *baseline = &at->found->stores[0];
    fprintf(file, "model      %s\nstores     ", options->model_path);
    cli_put_plain(file, options->store);
    fprintf(file, ", widths %d to %d\n", options->narrowest, options->widest);
    fprintf(file, "campaigns  %lld trials each, %lld images\n", (long long)options->trials,
            (long long)at->found->images);
    fprintf(file, "baseline   %s: %lld bits; ", baseline->text, (long long)baseline->bits);
    if (baseline->time_note)
        fprintf(file, "decoding %.3g s + evaluation %.3g s\n", baseline->decode_seconds,
                baseline->evaluate_seconds);
    else
        fprintf(file, "%.3g ms an image\n", 1e3 * baseline->image_seconds);
    fprintf(file,
            "           memory and time are ratios to it; time is %s, measured\n"
            "           drop is a mean with its %g %% interval; P_drop and RAP are taken at the "
            "row's rate\n\n",
            time_meaning(at->found), 100.0 * options->confidence);
}

static void print_probes(FILE *file, const cli_exploration *at) {
    const stoic_explore_options *options = at->options;
    fputs("\ntried", file);
    if (!isnan(options->min_accuracy))
        fprintf(file, ", accuracy above %g", options->min_accuracy);
    if (!isnan(options->max_drop))
        fprintf(file, ", drop at the largest rate below %g", options->max_drop);
    fputc('\n', file);
    for (int i = 0; i < at->found->n_probes; i++) {
        const stoic_explore_probe *probe = &at->found->probes[i];
        const char *says = verdict(at, probe);
        fprintf(file, "  width %d  accuracy %-8.6g", probe->width,
                at->found->stores[probe->store].accuracy);
        if (isnan(probe->drop.value))
            fputs("  drop not measured", file);
        else
            fprintf(file, "  drop %.4g [%.4g, %.4g]", probe->drop.value, probe->drop.low,
                    probe->drop.high);
        fprintf(file, "%s%s\n", *says ? "  " : "", says);
    }
}

static void print_answer(FILE *file, const cli_exploration *at) {
    const stoic_explore_probe *probe = chosen_probe(at);
    char remarks[REMARKS][REMARK], duration[40];
    bool limits = !isnan(at->options->min_accuracy) || !isnan(at->options->max_drop);
    int n = remarks_of(at, remarks);
    if (probe)
        fprintf(file, "chosen     width %d: %s\n", probe->width,
                at->found->stores[probe->store].text);
    else if (limits)
        fputs("chosen     none\n", file);
    for (int i = 0; i < n; i++)
        fprintf(file, "note       %s\n", remarks[i]);
    fprintf(file, "time       %s\n", cli_duration_text(at->seconds, duration));
}

stoic_status cli_exploration_write(const cli_exploration *at, const char *path, int format,
                                   stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status = cli_output_open(&output, path, format, err);
    if (status != STOIC_OK)
        return status;
    if (output.format == CLI_JSON) {
        status = cli_output_json(&output, result_object(at), err);
    } else {
        if (output.format == CLI_TABLE)
            print_head(output.file, at);
        status = write_rows(at, &output, err);
        if (output.format == CLI_TABLE) {
            at->budget ? cli_budget_print(output.file, at->budget) : print_probes(output.file, at);
            print_answer(output.file, at);
        }
    }
    return cli_output_close(&output, status, err);
}
