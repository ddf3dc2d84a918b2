#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "site_cells.h"
#include "stoic/campaign.h"
#include "stoic/records.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    const char *model;
    cli_data data;
    int64_t trial; /* -1: not given */
} settings;

static const cli_option options[] = {
    {.name = "trial",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, trial),
     .low = 0,
     .high = INT64_MAX,
     .help = "which trial, counted from 0",
     .fallback = "none"},
    {.name = "model",
     .kind = CLI_TEXT,
     .argument = "M.onnx",
     .offset = offsetof(settings, model),
     .help = "the model, where it has moved",
     .fallback = "as the campaign file says"},
    CLI_DATA_OPTIONS(settings, data),
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "write to FILE instead of standard output"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *given) {
    settings *set = given;
    cli_data_default(&set->data);
    set->trial = -1;
}

typedef struct story {
    cli_output *output;
    json_t *steps;
    bool bad;
} story;

static void tell(void *user, const char *line) {
    story *told = user;
    if (told->output->format == CLI_TABLE) {
        cli_put_plain(told->output->file, line);
        fputc('\n', told->output->file);
    } else {
        told->bad |= json_array_append_new(told->steps, json_string(line)) != 0;
    }
}

/* A campaign file, and what it takes to run its trials. */
typedef struct inputs {
    const char *path, *name; /* of the file, of the model */
    stoic_records *records;
    stoic_model *model;
    stoic_dataset *data;
} inputs;

/* Model and data as the campaign file names them, unless the options say otherwise. */
static stoic_status open_inputs(const settings *set, inputs *in, stoic_error *err) {
    cli_data found = set->data;
    char *text = NULL;
    stoic_status status = STOIC_OK;
    TRY(stoic_records_open(in->path, &in->records, err));
    in->name = set->model ? set->model : stoic_records_info(in->records, "model");
    if (!in->name) {
        status = cli_fail(err, STOIC_ERR_ARGUMENT, in->path, "names no model; give --model M.onnx");
        goto done;
    }
    if (!set->data.spec) {
        const char *kept = stoic_records_info(in->records, "data");
        if (!kept) {
            status = cli_fail(err, STOIC_ERR_ARGUMENT, in->path, "names no data; give --data SPEC");
            goto done;
        }
        text = strdup(kept);
        if (!text) {
            status = cli_fail_memory(err);
            goto done;
        }
        TRY(cli_data_parse(text, &found, err));
    }
    TRY(stoic_model_read(in->name, &in->model, err));
    TRY(cli_data_open(&found, in->model, &in->data, err));
done:
    free(text);
    return status;
}

static void close_inputs(inputs *in) {
    stoic_dataset_free(in->data);
    stoic_model_free(in->model);
    stoic_records_free(in->records);
}

/* ---- JSON ---- */

typedef struct site_list {
    json_t *sites;
    bool bad;
} site_list;

static bool add_site(void *user, const stoic_site_record *site) {
    site_list *list = user;
    cli_cell cells[CLI_SITE_COLUMNS];
    cli_site_cells(site, cells);
    list->bad |= json_array_append_new(
                     list->sites, cli_cells_object(cli_site_columns, cells, CLI_SITE_COLUMNS)) != 0;
    return !list->bad;
}

/* What the trial hit, as `records --sites` has it. */
static stoic_status read_sites(const settings *set, const inputs *in, json_t *sites,
                               stoic_error *err) {
    site_list list = {sites, false};
    stoic_records_only(in->records, set->trial, set->trial);
    stoic_status status = stoic_records_each_site(in->records, add_site, &list, err);
    return status == STOIC_OK && list.bad ? cli_fail_memory(err) : status;
}

/* Lines that tell of a site, which stands in `sites`, are left out. */
static int put_steps(json_t *object, const json_t *told, bool sites) {
    json_t *steps = json_array(), *line;
    size_t i;
    int bad = 0;
    json_array_foreach(told, i, line) {
        if (!sites || strncmp(json_string_value(line), "site ", 5) != 0)
            bad |= json_array_append(steps, line);
    }
    return bad | json_object_set_new(object, "steps", steps);
}

static json_t *facts(const settings *set, const inputs *in, bool identical, const json_t *steps,
                     json_t *sites, double seconds) {
    json_t *object = json_object();
    int bad = cli_put_text(object, "model", in->name);
    bad |= cli_put_text(object, "campaign", in->path);
    bad |= cli_put_count(object, "trial", set->trial);
    bad |= put_steps(object, steps, json_array_size(sites) > 0);
    bad |= json_object_set(object, "sites", sites);
    bad |= json_object_set_new(object, "identical", json_boolean(identical));
    bad |= cli_put_number(object, "seconds", seconds);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static stoic_status show(const settings *set, const inputs *in, story *told, bool identical,
                         double seconds, stoic_error *err) {
    if (told->bad)
        return cli_fail_memory(err);
    if (told->output->format == CLI_TABLE)
        return STOIC_OK; /* the last line told says it */
    json_t *sites = json_array();
    stoic_status status = read_sites(set, in, sites, err);
    if (status == STOIC_OK) {
        json_t *object = facts(set, in, identical, told->steps, sites, seconds);
        status = told->output->format == CLI_JSON ? cli_output_json(told->output, object, err)
                                                  : cli_output_flat(told->output, object, err);
    }
    json_decref(sites);
    return status;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    cli_output output = {.file = NULL};
    story told = {&output, json_array(), false};
    inputs in = {.path = NULL};
    bool identical = false;
    double start = cli_seconds();
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one campaign file", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    TRY(cli_require(set->trial < 0 ? NULL : "", "--trial N", err));
    in.path = call->arguments.items[0];
    TRY(open_inputs(set, &in, err));
    TRY(cli_output_open(&output, set->common.output, set->common.format, err));
    TRY(stoic_campaign_replay(in.model, in.data, in.path, set->trial, tell, &told, &identical,
                              err));
    TRY(show(set, &in, &told, identical, cli_seconds() - start, err));
done:
    json_decref(told.steps);
    close_inputs(&in);
    status = cli_output_close(&output, status, err);
    if (status == STOIC_OK && !identical)
        status = cli_fail(err, STOIC_ERR_MISMATCH, call->arguments.items[0],
                          "trial %lld does not give what is recorded", (long long)set->trial);
    return status;
}

const cli_verb cli_verb_replay = {
    .name = "replay",
    .arguments = "RUN.db --trial N",
    .summary = "one trial again, told step by step",
    .text = "Runs one trial of a campaign again, alone and in full, tells what it does step by "
            "step, and compares the outcome with the record. Fails if they differ.",
    .examples = {CLI_EXAMPLE_RUN "\n  stoic replay run.db --trial 7",
                 CLI_EXAMPLE_RUN "\n  stoic replay run.db --trial 7 --format json"},
    .options = options,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
