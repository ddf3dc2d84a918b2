#include "summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "output.h"
#include "progress_text.h"
#include "stoic/records.h"

/* X(member of stoic_counts, what it counts) */
#define OUTCOME_LIST(X)                                                                            \
    X(masked, "output bit-identical")                                                              \
    X(tolerable, "output differs, same top-1")                                                     \
    X(critical, "top-1 differs")                                                                   \
    X(due, "detected, not repaired")                                                               \
    X(nan, "output has a NaN")                                                                     \
    X(sdc5, "top-1 outside golden's top 5")                                                        \
    X(sdc10, "confidence moved by more than 10 %")                                                 \
    X(sdc20, "confidence moved by more than 20 %")

stoic_status cli_by_parse(const char *text, cli_by *by, stoic_error *err) {
    *by = (cli_by){.position = text && !strcmp(text, "position")};
    while (text && *text && !by->position) {
        size_t length = strcspn(text, ",");
        if (length == 5 && !memcmp(text, "layer", 5))
            by->layer = true;
        else if (length == 3 && !memcmp(text, "bit", 3))
            by->bit = true;
        else
            return cli_fail(err, STOIC_ERR_ARGUMENT, "--by",
                            "expected layer, bit, layer,bit or position, found '%s'", text);
        text += length;
        text += *text == ',';
    }
    return STOIC_OK;
}

typedef struct groups {
    stoic_records *records;
    stoic_group *items;
    size_t count;
    stoic_stratum_row *strata;
    size_t n_strata;
    cli_by by;
    int64_t several_layers; /* trials of no one layer; counted with --by layer */
    int64_t in_no_row;
} groups;

static int64_t trials_outside(const stoic_summary *summary, const stoic_group *items,
                              size_t count) {
    int64_t outside = summary->trials;
    for (size_t i = 0; i < count; i++)
        outside -= items[i].trials;
    return outside;
}

static stoic_status count_several_layers(const stoic_summary *summary, groups *all,
                                         stoic_error *err) {
    stoic_group *items;
    size_t count;
    stoic_status status = stoic_records_groups(all->records, true, false, &items, &count, err);
    if (status == STOIC_OK)
        all->several_layers = trials_outside(summary, items, count);
    stoic_groups_free(items);
    return status;
}

static stoic_status read_groups(const cli_result *result, groups *out, stoic_error *err) {
    stoic_status status = cli_by_parse(result->by, &out->by, err);
    if (status == STOIC_OK)
        status = stoic_records_open(result->campaign, &out->records, err);
    if (status == STOIC_OK && (out->by.layer || out->by.bit))
        status = stoic_records_groups(out->records, out->by.layer, out->by.bit, &out->items,
                                      &out->count, err);
    if (status == STOIC_OK && out->by.position)
        status = stoic_records_positions(out->records, &out->items, &out->count, err);
    if (status == STOIC_OK)
        status = stoic_records_strata(out->records, &out->strata, &out->n_strata, err);
    out->in_no_row = trials_outside(result->summary, out->items, out->count);
    if (status == STOIC_OK && out->by.layer)
        status = count_several_layers(result->summary, out, err);
    return status;
}

static int put_outcomes(json_t *object, const stoic_counts *counts) {
    json_t *inner = json_object();
    int bad = 0;
#define PUT(member, what) bad |= cli_put_count(inner, #member, counts->member);
    OUTCOME_LIST(PUT)
#undef PUT
    return bad | json_object_set_new(object, "outcomes", inner);
}

static json_t *group_object(const groups *all, const stoic_group *group) {
    json_t *object = json_object();
    int bad = cli_put_count(object, "layer", group->layer);
    bad |= cli_put_text(object, "name",
                        group->layer < 0 ? NULL
                                         : stoic_records_layer_name(all->records, group->layer));
    bad |= cli_put_count(object, "bit", group->bit);
    if (all->by.position)
        bad |= cli_put_count(object, "position", group->position);
    bad |= cli_put_count(object, "trials", group->trials);
    bad |= cli_put_interval(object, "accuracy", "mean", &group->accuracy);
    bad |= cli_put_number(json_object_get(object, "accuracy"), "min", group->accuracy_min);
    bad |= cli_put_interval(object, "critical_rate", "value", &group->critical_rate);
    bad |= cli_put_interval(object, "pvf", "value", &group->pvf);
    bad |= put_outcomes(object, &group->totals);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

/* What decided which faults were run; nothing of a simple sample. */
static int put_strata(json_t *object, const stoic_summary *summary, const groups *all) {
    if (summary->sampling != STOIC_SAMPLING_STRATIFIED)
        return 0;
    json_t *list = json_array(), *shares = json_object();
    int bad = cli_put_text(object, "sampling", "stratified");
    bad |= cli_put_count(object, "pilot", summary->pilot);
    for (size_t i = 0; i < all->n_strata; i++) {
        const stoic_stratum_row *row = &all->strata[i];
        json_t *item = json_object();
        bad |= cli_put_count(item, "layer", row->layer);
        bad |= cli_put_count(item, "bit", row->bit);
        bad |= cli_put_count(item, "faults", row->faults);
        bad |= cli_put_count(item, "trials", row->trials);
        bad |= cli_put_count(item, "critical", row->critical);
        bad |= cli_put_interval(item, "critical_rate", "value", &row->critical_rate);
        bad |= json_array_append_new(list, item);
    }
    bad |= json_object_set_new(object, "strata", list);
#define PUT(member, what) bad |= cli_put_number(shares, #member, summary->shares.member);
    OUTCOME_LIST(PUT)
#undef PUT
    return bad | json_object_set_new(object, "shares", shares);
}

static const char *model_name(const cli_result *result, const groups *all) {
    return result->model ? result->model : stoic_records_info(all->records, "model");
}

/* The campaign's fault models: the i-th (from 0), or NULL behind the last. */
static const char *fault_text(const stoic_records *records, int i) {
    char key[32] = "fault";
    if (i > 0)
        snprintf(key, sizeof key, "fault_%d", i + 1);
    return stoic_records_info(records, key);
}

/* All of them as one text, joined by " and ". */
static void all_faults(const stoic_records *records, char *text, size_t size) {
    size_t used = 0;
    text[0] = 0;
    const char *fault;
    for (int i = 0; (fault = fault_text(records, i)) != NULL && used < size; i++) {
        int n = snprintf(text + used, size - used, "%s%s", i ? " and " : "", fault);
        used += n > 0 ? (size_t)n : 0;
    }
}

static json_t *summary_object(const cli_result *result, const groups *all) {
    const stoic_summary *summary = result->summary;
    json_t *object = json_object(), *golden = json_object(), *list = json_array();
    char faults[2048];
    all_faults(all->records, faults, sizeof faults);
    int bad = cli_put_text(object, "model", model_name(result, all));
    bad |= cli_put_text(object, "campaign", result->campaign);
    bad |= cli_put_text(object, "store", stoic_records_info(all->records, "store"));
    bad |= cli_put_text(object, "fault", faults);
    bad |= cli_put_count(object, "trials", summary->trials);
    bad |= cli_put_count(object, "images", summary->images);
    bad |= cli_put_number(golden, "accuracy", summary->golden_accuracy);
    bad |= json_object_set_new(object, "golden", golden);
    bad |= cli_put_interval(object, "accuracy", "mean", &summary->accuracy);
    json_t *accuracy = json_object_get(object, "accuracy");
    bad |= cli_put_number(accuracy, "std", summary->accuracy_std);
    bad |= cli_put_number(accuracy, "min", summary->accuracy_min);
    bad |= cli_put_number(accuracy, "max", summary->accuracy_max);
    bad |= cli_put_interval(object, "drop", "mean", &summary->drop);
    bad |= put_outcomes(object, &summary->totals);
    bad |= cli_put_interval(object, "critical_rate", "value", &summary->critical_rate);
    bad |= cli_put_interval(object, "pvf", "value", &summary->pvf);
    bad |= cli_put_number(object, "confidence", summary->confidence);
    bad |= cli_put_text(object, "stopped", summary->stopped);
    bad |= put_strata(object, summary, all);
    bad |= cli_put_number(object, "seconds", result->seconds);
    for (size_t i = 0; i < all->count; i++)
        bad |= json_array_append_new(list, group_object(all, &all->items[i]));
    bad |= json_object_set_new(object, "groups", list);
    if (all->by.layer)
        bad |= cli_put_count(object, "several_layers", all->several_layers);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

/* The columns of pvf are there where all outcomes were counted; a position stands for the layer. */
static stoic_status write_groups(const groups *all, bool pvf, cli_output *output,
                                 stoic_error *err) {
    static const char *const columns[] = {"layer",
                                          "name",
                                          "bit",
                                          "trials",
                                          "accuracy",
                                          "accuracy_low",
                                          "accuracy_high",
                                          "accuracy_min",
                                          "critical_rate",
                                          "critical_low",
                                          "critical_high",
                                          "critical",
                                          "nan",
                                          "pvf",
                                          "pvf_low",
                                          "pvf_high",
                                          NULL};
    static const char *const thirds[] = {"first third", "middle third", "last third"};
    enum { COLUMNS = sizeof columns / sizeof *columns };
    const char *shown[COLUMNS];
    cli_rows rows;
    memcpy((void *)shown, (const void *)columns, sizeof columns);
    if (!pvf)
        shown[COLUMNS - 4] = NULL;
    if (all->by.position)
        shown[0] = "position";
    cli_rows_begin(&rows, output, shown);
    for (size_t i = 0; i < all->count; i++) {
        const stoic_group *group = &all->items[i];
        const char *name = all->by.position ? thirds[group->position]
                           : group->layer < 0
                               ? NULL
                               : stoic_records_layer_name(all->records, group->layer);
        cli_cell cells[] = {cli_cell_count(all->by.position ? group->position : group->layer),
                            cli_cell_text(name),
                            cli_cell_count(group->bit),
                            cli_cell_count(group->trials),
                            cli_cell_double(group->accuracy.value),
                            cli_cell_double(group->accuracy.low),
                            cli_cell_double(group->accuracy.high),
                            cli_cell_double(group->accuracy_min),
                            cli_cell_double(group->critical_rate.value),
                            cli_cell_double(group->critical_rate.low),
                            cli_cell_double(group->critical_rate.high),
                            cli_cell_count(group->totals.critical),
                            cli_cell_count(group->totals.nan),
                            cli_cell_double(group->pvf.value),
                            cli_cell_double(group->pvf.low),
                            cli_cell_double(group->pvf.high)};
        if (!cli_rows_add(&rows, cells))
            break;
    }
    return cli_rows_end(&rows, err);
}

/* A row is for trials that lie in it as a whole. Bits that flip at a rate, and maps that are hit at
 * one, may spare all layers. */
static void print_outside(FILE *file, const groups *all) {
    const char *what = "several bits or a whole word", *fault;
    bool none = false;
    if (all->in_no_row < 1)
        return;
    if (all->by.position)
        what = "no operation, or several images,";
    if (all->by.layer)
        what = all->by.bit ? "several layers or bits" : "several layers";
    for (int i = 0; (fault = fault_text(all->records, i)) != NULL; i++)
        none = none || !strncmp(fault, "ber:", 4) || !strncmp(fault, "map:", 4);
    fprintf(file, "%lld trial%s hit %s%s and %s in no row\n", (long long)all->in_no_row,
            all->in_no_row == 1 ? "" : "s", what, none ? ", or nothing," : "",
            all->in_no_row == 1 ? "is" : "are");
}

static void print_interval(FILE *file, const char *name, const stoic_interval *interval) {
    if (isnan(interval->value))
        fprintf(file, "%-11snot measured", name);
    else
        fprintf(file, "%-11s%.6g  [%.6g, %.6g]", name, interval->value, interval->low,
                interval->high);
}

static void print_outcome(FILE *file, const char *name, int64_t count, double share,
                          const char *what) {
    if (count >= 0)
        fprintf(file, "  %-9s%12lld  %9.4f %%  %s\n", name, (long long)count,
                isnan(share) ? 0.0 : 100.0 * share, what);
}

static void print_strata(FILE *file, const groups *all) {
    fputs("strata     layer  bit      faults      trials  critical rate\n", file);
    for (size_t i = 0; i < all->n_strata; i++) {
        const stoic_stratum_row *row = &all->strata[i];
        char layer[24] = "several", bit[24] = "several";
        if (row->layer >= 0)
            snprintf(layer, sizeof layer, "%d", row->layer);
        if (row->bit >= 0)
            snprintf(bit, sizeof bit, "%d", row->bit);
        fprintf(file, "  %4zu  %8s  %7s%12lld%12lld  %.6g  [%.6g, %.6g]\n", i, layer, bit,
                (long long)row->faults, (long long)row->trials, row->critical_rate.value,
                row->critical_rate.low, row->critical_rate.high);
    }
}

static void print_summary(FILE *file, const cli_result *result, const groups *all) {
    const stoic_summary *summary = result->summary;
    char faults[2048];
    const char *store = stoic_records_info(all->records, "store");
    const char *model = model_name(result, all);
    char duration[40];
    fputs("model      ", file);
    cli_put_plain(file, model ? model : "unknown");
    fprintf(file, "\ncampaign   %s: ", result->campaign);
    all_faults(all->records, faults, sizeof faults);
    cli_put_plain(file, faults);
    fputs(" on ", file);
    cli_put_plain(file, store ? store : "unknown");
    fputc('\n', file);
    fprintf(file, "trials     %lld of %lld, %lld images each, stopped: %s\n",
            (long long)summary->trials, (long long)summary->planned, (long long)summary->images,
            summary->stopped);
    if (summary->sampling == STOIC_SAMPLING_STRATIFIED)
        fprintf(file, "sampling   stratified, behind a pilot of %lld trials\n",
                (long long)summary->pilot);
    fprintf(file, "golden     accuracy %.6g\n", summary->golden_accuracy);
    print_interval(file, "accuracy", &summary->accuracy);
    if (!isnan(summary->accuracy.value))
        fprintf(file, "  std %.4g, min %.6g, max %.6g", summary->accuracy_std,
                summary->accuracy_min, summary->accuracy_max);
    fputc('\n', file);
    print_interval(file, "drop", &summary->drop);
    fputc('\n', file);
    print_interval(file, "critical", &summary->critical_rate);
    if (!isnan(summary->pvf.value)) {
        fputc('\n', file);
        print_interval(file, "pvf", &summary->pvf);
    }
    fprintf(file, "\n           intervals at %g %%, for these images\n",
            100.0 * summary->confidence);
    if (summary->sampling == STOIC_SAMPLING_STRATIFIED)
        print_strata(file, all);
    fprintf(file, "outcomes%s\n",
            summary->sampling == STOIC_SAMPLING_STRATIFIED
                ? "   counts of the trials, shares weighted by the strata"
                : "");
#define PRINT(member, what)                                                                        \
    print_outcome(file, #member, summary->totals.member, summary->shares.member, what);
    OUTCOME_LIST(PRINT)
#undef PRINT
    fprintf(file, "time       %s\n", cli_duration_text(result->seconds, duration));
}

stoic_status cli_result_write(const cli_result *result, int format, stoic_error *err) {
    cli_output output = {.file = NULL};
    groups all = {.records = NULL};
    stoic_status status = STOIC_OK;
    TRY(read_groups(result, &all, err));
    TRY(cli_output_open(&output, NULL, format, err));
    if (output.format == CLI_JSON) {
        status = cli_output_json(&output, summary_object(result, &all), err);
    } else if (output.format == CLI_CSV && !result->by) {
        status = cli_output_flat(&output, summary_object(result, &all), err);
    } else {
        if (output.format == CLI_TABLE)
            print_summary(output.file, result, &all);
        if (result->by) {
            if (output.format == CLI_TABLE)
                fputc('\n', output.file);
            status = write_groups(&all, !isnan(result->summary->pvf.value), &output, err);
            if (output.format == CLI_TABLE)
                print_outside(output.file, &all);
        }
    }
done:
    stoic_groups_free(all.items);
    free(all.strata);
    stoic_records_free(all.records);
    return cli_output_close(&output, status, err);
}
