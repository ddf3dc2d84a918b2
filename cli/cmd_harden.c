#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "preprocessing_text.h"
#include "stoic/harden.h"
#include "stoic/sensitivity.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    cli_data data;
    cli_words passes;
    const char *sensitivity;
} settings;

#define USAGE(identifier, spelling, argument, nan, summary) " " spelling argument
#define EXPLAIN(identifier, spelling, argument, nan, summary)                                      \
    " " spelling argument ": " summary ", NaN " nan ";"

static const cli_option options[] = {
    {.name = "pass",
     .kind = CLI_LIST,
     .argument = "PASS",
     .offset = offsetof(settings, passes),
     .help = "what is done, in the order given:" STOIC_PASS_LIST(USAGE)},
    {.name = "sensitivity",
     .kind = CLI_TEXT,
     .argument = "RUN.db|LIST.csv",
     .offset = offsetof(settings, sensitivity),
     .help = "duplicate: a campaign of single faults on this network, which ranks its channels, or "
             "a list of them"},
    CLI_DATA_OPTIONS(settings, data),
    CLI_THREADS_OPTION(settings),
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "the ONNX file to write"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *given) {
    settings *set = given;
    cli_data_default(&set->data);
}

/* What is told. */
typedef struct told {
    const char *path, *output;
    const stoic_hardening *hardening;
    stoic_price before, after;
    double time_ratio;
    const stoic_preprocessing *data;
    double start;
} told;

static const char *const columns[] = {"pass", "node", "op", "change", NULL};
enum { COLUMNS = 4 };

static void change_cells(const told *at, size_t i, cli_cell cells[COLUMNS]) {
    stoic_change change = stoic_hardening_change(at->hardening, i);
    cells[0] = cli_cell_text(change.pass);
    cells[1] = cli_cell_text(change.node);
    cells[2] = cli_cell_text(change.op);
    cells[3] = cli_cell_text(change.what);
}

/* ---- JSON ---- */

static json_t *price_object(const stoic_price *price) {
    json_t *object = json_object();
    int bad = cli_put_count(object, "parameters", price->parameters);
    bad |= cli_put_count(object, "macs", price->macs);
    bad |= cli_put_count(object, "operations", price->operations);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *pass_object(const stoic_pass_result *pass) {
    json_t *object = json_object();
    int bad = cli_put_text(object, "pass", pass->pass);
    bad |= cli_put_count(object, "changes", pass->changes);
    bad |= cli_put_text(object, "nan", pass->nan);
    bad |= cli_put_count(object, "images", pass->images ? pass->images : -1);
    if (pass->note)
        bad |= cli_put_text(object, "note", pass->note);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *whole(const told *at) {
    json_t *object = json_object(), *passes = json_array(), *changes = json_array();
    int bad = cli_put_text(object, "model", at->path);
    bad |= cli_put_text(object, "output", at->output);
    for (size_t i = 0; i < stoic_hardening_passes(at->hardening); i++) {
        stoic_pass_result pass = stoic_hardening_pass(at->hardening, i);
        bad |= json_array_append_new(passes, pass_object(&pass));
    }
    bad |= json_object_set_new(object, "passes", passes);
    for (size_t i = 0; i < stoic_hardening_changes(at->hardening); i++) {
        cli_cell cells[COLUMNS];
        change_cells(at, i, cells);
        bad |= json_array_append_new(changes, cli_cells_object(columns, cells, COLUMNS));
    }
    bad |= json_object_set_new(object, "changes", changes);
    bad |= json_object_set_new(object, "before", price_object(&at->before));
    bad |= json_object_set_new(object, "after", price_object(&at->after));
    bad |= cli_put_number(object, "time_ratio", at->time_ratio);
    if (at->data)
        bad |= json_object_set_new(object, "preprocessing", cli_preprocessing_json(at->data));
    bad |= cli_put_number(object, "seconds", cli_seconds() - at->start);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

/* ---- tables ---- */

static void print_count(FILE *file, const char *name, int64_t before, int64_t after) {
    fprintf(file, "%-15s%lld", name, (long long)after);
    if (after != before)
        fprintf(file, ", %+lld (%+.3g %%)", (long long)(after - before),
                100.0 * (double)(after - before) / (double)(before ? before : 1));
    fputc('\n', file);
}

static void print_head(FILE *file, const told *at) {
    fprintf(file, "model          %s\n", at->path);
    for (size_t i = 0; i < stoic_hardening_passes(at->hardening); i++) {
        stoic_pass_result pass = stoic_hardening_pass(at->hardening, i);
        fprintf(file, "%-15s%s: %d change%s; NaN %s\n", i ? "" : "passes", pass.pass, pass.changes,
                pass.changes == 1 ? "" : "s", pass.nan);
        if (pass.images)
            fprintf(file, "%-15s  profiled on %lld images\n", "", (long long)pass.images);
        if (pass.note)
            fprintf(file, "%-15s  %s\n", "", pass.note);
    }
    if (at->data) {
        fputs("preprocessing  ", file);
        cli_preprocessing_print(file, at->data);
        fputc('\n', file);
    }
    print_count(file, "parameters", at->before.parameters, at->after.parameters);
    print_count(file, "multiply-adds", at->before.macs, at->after.macs);
    print_count(file, "operations", at->before.operations, at->after.operations);
    fprintf(file, "time           %.3g times that of the model, measured\n", at->time_ratio);
    fprintf(file, "written        %s\n\n", at->output);
}

static stoic_status write_changes(cli_output *output, const told *at, stoic_error *err) {
    cli_rows rows;
    bool go = true;
    cli_rows_begin(&rows, output, columns);
    for (size_t i = 0; go && i < stoic_hardening_changes(at->hardening); i++) {
        cli_cell cells[COLUMNS];
        change_cells(at, i, cells);
        go = cli_rows_add(&rows, cells);
    }
    return cli_rows_end(&rows, err);
}

static stoic_status show(const told *at, int format, stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status = cli_output_open(&output, NULL, format, err);
    if (status != STOIC_OK)
        return status;
    if (output.format == CLI_JSON) {
        status = cli_output_json(&output, whole(at), err);
    } else {
        if (output.format == CLI_TABLE)
            print_head(output.file, at);
        status = write_changes(&output, at, err);
    }
    return cli_output_close(&output, status, err);
}

/* ---- the verb ---- */

/* Of a known set its training part, every fifth image unless --images says which. */
static stoic_status open_data(const settings *set, const stoic_model *model, bool needed,
                              stoic_dataset **data, stoic_error *err) {
    cli_data given = set->data;
    if (!given.spec)
        return needed ? cli_fail(err, STOIC_ERR_ARGUMENT, "",
                                 "missing option --data SPEC: ranger, smartpool, "
                                 "clipact and fitact profile activations on training images")
                      : STOIC_OK;
    given.spec = cli_data_part(given.spec, true);
    return cli_data_open(&given, model, data, err);
}

static stoic_status harden(const settings *set, const stoic_model *model, const stoic_dataset *data,
                           told *at, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_harden_options wanted = stoic_harden_options_default();
    stoic_channel *channels = NULL;
    stoic_model *hard = NULL;
    stoic_hardening *hardening = NULL;
    wanted.data = data;
    wanted.threads = (int)set->common.threads;
    if (set->data.images.count >= 0)
        wanted.every = 1;
    if (set->sensitivity)
        TRY(stoic_sensitivity_channels(set->sensitivity, model, &channels, &wanted.n_channels,
                                       err));
    wanted.channels = channels;
    TRY(stoic_harden(model, set->passes.items, set->passes.count, &wanted, &hard, &hardening, err));
    TRY(stoic_model_time_ratio(model, hard, data, &at->time_ratio, err));
    TRY(stoic_model_write(hard, set->common.output, err));
    at->hardening = hardening;
    at->before = stoic_model_price(model);
    at->after = stoic_model_price(hard);
    status = show(at, set->common.format, err);
done:
    free(channels);
    stoic_hardening_free(hardening);
    stoic_model_free(hard);
    return status;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    told at = {.start = cli_seconds()};
    stoic_model *model = NULL;
    stoic_dataset *data = NULL;
    stoic_status status = STOIC_OK;
    bool needs_data;
    TRY(cli_call_expect(call, 1, 1, "one model", err));
    TRY(cli_require(set->passes.count ? set->passes.items[0] : NULL, "--pass PASS", err));
    TRY(cli_require(set->common.output, "-o OUT.onnx", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    TRY(cli_spec_keeps(set->data.spec, set->common.output, err));
    TRY(stoic_harden_check(set->passes.items, set->passes.count, &needs_data, err));
    TRY(stoic_model_read(call->arguments.items[0], &model, err));
    TRY(open_data(set, model, needs_data, &data, err));
    if (data)
        at.data = stoic_dataset_preprocessing(data);
    at.path = call->arguments.items[0];
    at.output = set->common.output;
    status = harden(set, model, data, &at, err);
done:
    stoic_dataset_free(data);
    stoic_model_free(model);
    return status;
}

const cli_verb cli_verb_harden = {
    .name = "harden",
    .arguments = "MODEL.onnx --pass PASS -o OUT.onnx",
    .summary = "a network that stands more, and what that costs",
    .text = "Changes the network so that faults do less, in the order of the passes, and says what "
            "was changed and what it costs; docs/hardening.md describes each pass. Passes that "
            "profile activations take every fifth image of --data, of a known set its training "
            "part, or those that --images names. Time is measured on images of --data, or on "
            "random ones." STOIC_PASS_LIST(EXPLAIN) " NaN is what becomes of one that reaches it.",
    .examples = {"stoic harden " CLI_EXAMPLE_MODEL " --pass relu6 --pass nan-filter \\\n"
                 "      -o hard.onnx",
                 "stoic harden " CLI_EXAMPLE_MODEL " --pass ranger --pass smartpool \\\n"
                 "      --data fashion-mnist --images 1000 -o hard.onnx --format json"},
    .options = options,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
