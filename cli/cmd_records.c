#include <string.h>

#include "output.h"
#include "site_cells.h"
#include "stoic/parse.h"
#include "stoic/records.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    bool sites;
    const char *trial;
} settings;

static const cli_option options[] = {
    {.name = "sites",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, sites),
     .help = "a row for each bit or computed value that was hit, instead of each trial"},
    {.name = "trial",
     .kind = CLI_TEXT,
     .argument = "N|A-B",
     .offset = offsetof(settings, trial),
     .help = "only this trial, or A to B, counted from 0",
     .fallback = "all"},
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "write to FILE instead of standard output"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

#define TRIAL_COLUMNS                                                                              \
    "trial", "layer", "index", "bit", "before", "after", "image", "images", "correct", "accuracy", \
        "drop", "critical", "tolerable", "masked", "due", "nan"
static const char *const trial_columns[] = {TRIAL_COLUMNS, "hits", NULL};
static const char *const stratified_columns[] = {TRIAL_COLUMNS, "stratum", "hits", NULL};
enum { STRATUM = 16 };

typedef struct trial_rows {
    cli_rows rows;
    bool strata; /* has their column */
} trial_rows;

static bool add_trial(void *user, const stoic_record *record) {
    trial_rows *to = user;
    bool single = record->index >= 0; /* otherwise there is no one value to name */
    const cli_cell none = cli_cell_count(-1);
    cli_cell cells[] = {cli_cell_count(record->trial),
                        cli_cell_count(record->layer),
                        cli_cell_count(record->index),
                        cli_cell_count(record->bit),
                        single ? cli_cell_float(record->before) : none,
                        single ? cli_cell_float(record->after) : none,
                        cli_cell_count(record->image),
                        cli_cell_count(record->counts.images),
                        cli_cell_count(record->counts.correct),
                        cli_cell_double(record->accuracy),
                        cli_cell_double(record->drop),
                        cli_cell_count(record->counts.critical),
                        cli_cell_count(record->counts.tolerable),
                        cli_cell_count(record->counts.masked),
                        cli_cell_count(record->counts.due),
                        cli_cell_count(record->counts.nan),
                        cli_cell_count(record->stratum),
                        cli_cell_count(record->hits)};
    if (!to->strata)
        cells[STRATUM] = cells[STRATUM + 1];
    return cli_rows_add(&to->rows, cells);
}

static bool add_site(void *user, const stoic_site_record *site) {
    cli_cell cells[CLI_SITE_COLUMNS];
    cli_site_cells(site, cells);
    return cli_rows_add(user, cells);
}

/* A single number is that trial; elsewhere it would be the first N. */
static stoic_status parse_trials(const char *text, cli_range *out, stoic_error *err) {
    if (strchr(text + (*text != '\0'), '-'))
        return cli_range_parse(text, "--trial", out, err);
    out->count = 1;
    return stoic_parse_count(text, "--trial", 0, INT64_MAX - 1, &out->first, err);
}

static bool note(void *there, const stoic_record *record) {
    (void)record;
    *(bool *)there = true;
    return false;
}

/* From here on only these trials are told of. */
static stoic_status choose_trials(stoic_records *records, const char *path, const char *text,
                                  stoic_error *err) {
    cli_range trials;
    bool there = false;
    stoic_status status;
    TRY(parse_trials(text, &trials, err));
    stoic_records_only(records, trials.first, trials.first + trials.count - 1);
    TRY(stoic_records_each(records, note, &there, err));
    if (!there)
        status = cli_fail(err, STOIC_ERR_ARGUMENT, path, "trial %s is not in the file", text);
done:
    return status;
}

/* What stands around the array of rows in JSON. */
static stoic_status open_object(cli_output *output, stoic_records *records, bool sites,
                                stoic_error *err) {
    const char *model = stoic_records_info(records, "model");
    json_t *name = json_object();
    int bad = cli_put_text(name, "model", model);
    fputs("{\"model\": ", output->file);
    if (!bad)
        bad = cli_json_write(output->file, json_object_get(name, "model"));
    fprintf(output->file, ", \"%s\": ", sites ? "sites" : "records");
    json_decref(name);
    return bad ? cli_fail_memory(err) : STOIC_OK;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    cli_output output = {.file = NULL};
    stoic_records *records = NULL;
    trial_rows to;
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one campaign file", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    TRY(stoic_records_open(call->arguments.items[0], &records, err));
    if (set->trial)
        TRY(choose_trials(records, call->arguments.items[0], set->trial, err));
    TRY(cli_output_open(&output, set->common.output, set->common.format, err));
    if (output.format == CLI_JSON)
        TRY(open_object(&output, records, set->sites, err));
    const char *sampling = stoic_records_info(records, "sampling");
    to.strata = sampling && !strcmp(sampling, "stratified");
    cli_rows_begin(&to.rows, &output,
                   set->sites  ? cli_site_columns
                   : to.strata ? stratified_columns
                               : trial_columns);
    status = set->sites ? stoic_records_each_site(records, add_site, &to.rows, err)
                        : stoic_records_each(records, add_trial, &to, err);
    stoic_status ended = cli_rows_end(&to.rows, status == STOIC_OK ? err : NULL);
    status = status == STOIC_OK ? ended : status;
    if (output.format == CLI_JSON)
        fputs("}\n", output.file);
done:
    stoic_records_free(records);
    return cli_output_close(&output, status, err);
}

const cli_verb cli_verb_records = {
    .name = "records",
    .arguments = "RUN.db",
    .summary = "what a campaign recorded, a row a trial",
    .text =
        "Writes a row for each complete trial, or with --sites for each bit or computed value that "
        "was hit. A "
        "field is empty where it does not apply or was not measured. The same campaign gives "
        "the same bytes, however it was run.",
    .examples = {CLI_EXAMPLE_RUN "\n  stoic records run.db --format csv -o run.csv",
                 CLI_EXAMPLE_RUN "\n  stoic records run.db --sites --trial 0-9"},
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
