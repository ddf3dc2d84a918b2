#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "stoic/plan.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    const char *store, *fault, *per;
    double margin, confidence, z, p;
} settings;

static const cli_option options[] = {
    {.name = "margin",
     .kind = CLI_FRACTION,
     .argument = "E",
     .offset = offsetof(settings, margin),
     .help = "half the width of the interval that is wanted"},
    {.name = "confidence",
     .kind = CLI_FRACTION,
     .argument = "C",
     .offset = offsetof(settings, confidence),
     .help = "level of the interval"},
    {.name = "z",
     .kind = CLI_NUMBER,
     .argument = "Z",
     .offset = offsetof(settings, z),
     .low = 0,
     .high = INT64_MAX,
     .help = "the quantile itself, as papers give it",
     .fallback = "that of the confidence"},
    {.name = "p",
     .kind = CLI_FRACTION,
     .argument = "P",
     .offset = offsetof(settings, p),
     .help = "critical rate that is expected; 0.5 is the worst case"},
    {.name = "per",
     .kind = CLI_TEXT,
     .argument = "G",
     .offset = offsetof(settings, per),
     .help = "model, layer, bit or layer,bit: what the margin is wanted for"},
    {.name = "store",
     .kind = CLI_TEXT,
     .argument = "SPEC",
     .offset = offsetof(settings, store),
     .help = "how the weights lie in memory (docs/store-specs.md)",
     .fallback = "fp32"},
    {.name = "fault",
     .kind = CLI_TEXT,
     .argument = "MODEL",
     .offset = offsetof(settings, fault),
     .help = "the bits that may be hit: exhaustive with layer=, bits= or tensor=",
     .fallback = "exhaustive: every stored bit"},
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "write to FILE instead of standard output"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *given) {
    settings *set = given;
    stoic_plan_options now = stoic_plan_options_default();
    set->margin = now.margin;
    set->confidence = now.confidence;
    set->z = now.z;
    set->p = now.p;
    set->per = "model";
}

typedef struct planned {
    const char *path;
    const stoic_model *model;
    const stoic_plan_options *options;
    const stoic_plan *plan;
    double start;
} planned;

static const char *const columns[] = {"layer",   "name",  "bit", "population",
                                      "samples", "share", NULL};
enum { COLUMNS = 6 };

static void group_cells(const planned *at, size_t i, cli_cell cells[COLUMNS]) {
    const stoic_plan_group *group = &at->plan->groups[i];
    const cli_cell all[COLUMNS] = {
        cli_cell_count(group->layer),
        cli_cell_text(group->layer < 0 ? NULL : stoic_model_layer(at->model, group->layer).name),
        cli_cell_count(group->bit),
        cli_cell_count(group->population),
        cli_cell_count(group->samples),
        cli_cell_count(group->share)};
    memcpy(cells, all, sizeof all);
}

static stoic_status write_groups(const planned *at, cli_output *output, stoic_error *err) {
    cli_rows rows;
    bool go = true;
    cli_rows_begin(&rows, output, columns);
    for (size_t i = 0; go && i < at->plan->n_groups; i++) {
        cli_cell cells[COLUMNS];
        group_cells(at, i, cells);
        go = cli_rows_add(&rows, cells);
    }
    return cli_rows_end(&rows, err);
}

static json_t *plan_object(const planned *at) {
    json_t *object = json_object(), *groups = json_array();
    int bad = cli_put_text(object, "model", at->path);
    bad |= cli_put_text(object, "store", at->options->store ? at->options->store : "fp32");
    bad |= cli_put_count(object, "population", at->plan->population);
    bad |= cli_put_count(object, "samples", at->plan->samples);
    bad |= cli_put_number(object, "margin", at->options->margin);
    bad |= cli_put_number(object, "confidence",
                          isnan(at->options->z) ? at->options->confidence : (double)NAN);
    bad |= cli_put_number(object, "z", at->plan->z);
    bad |= cli_put_number(object, "p", at->options->p);
    for (size_t i = 0; i < at->plan->n_groups; i++) {
        cli_cell cells[COLUMNS];
        group_cells(at, i, cells);
        bad |= json_array_append_new(groups, cli_cells_object(columns, cells, COLUMNS));
    }
    bad |= json_object_set_new(object, "groups", groups);
    bad |= cli_put_number(object, "seconds", cli_seconds() - at->start);
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static void print_head(FILE *file, const planned *at) {
    const stoic_plan *plan = at->plan;
    int64_t all = 0;
    for (size_t i = 0; i < plan->n_groups; i++)
        all += plan->groups[i].samples;
    fprintf(file, "model       %s\n", at->path);
    fprintf(file, "population  %lld single faults\n", (long long)plan->population);
    fprintf(file, "wanted      %g to either side", at->options->margin);
    if (isnan(at->options->z))
        fprintf(file, " at %g %%", 100 * at->options->confidence);
    fprintf(file, ", z = %.6g, for a rate near %g\n", plan->z, at->options->p);
    fprintf(file, "samples     %lld for the model", (long long)plan->samples);
    if (plan->n_groups > 1)
        fprintf(file, "; %lld in all, if each group is sampled for itself", (long long)all);
    fputs("\n\n", file);
}

static stoic_status show(const planned *at, const char *path, int format, stoic_error *err) {
    cli_output output = {.file = NULL};
    stoic_status status = cli_output_open(&output, path, format, err);
    if (status != STOIC_OK)
        return status;
    if (output.format == CLI_JSON) {
        status = cli_output_json(&output, plan_object(at), err);
    } else {
        if (output.format == CLI_TABLE)
            print_head(output.file, at);
        if (output.format != CLI_TABLE || at->plan->n_groups > 1)
            status = write_groups(at, &output, err);
    }
    return cli_output_close(&output, status, err);
}

static stoic_status parse_per(const char *per, stoic_plan_options *out, stoic_error *err) {
    if (!strcmp(per, "model"))
        return STOIC_OK;
    out->by_layer = !strcmp(per, "layer") || !strcmp(per, "layer,bit");
    out->by_bit = !strcmp(per, "bit") || !strcmp(per, "layer,bit");
    return out->by_layer || out->by_bit
               ? STOIC_OK
               : cli_fail(err, STOIC_ERR_ARGUMENT, "--per",
                          "expected model, layer, bit or layer,bit, found '%s'", per);
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_plan_options wanted = stoic_plan_options_default();
    double start = cli_seconds();
    stoic_model *model = NULL;
    stoic_plan plan = {.groups = NULL};
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one model", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    TRY(parse_per(set->per, &wanted, err));
    wanted.store = set->store;
    wanted.fault = set->fault;
    wanted.margin = set->margin;
    wanted.confidence = set->confidence;
    wanted.z = set->z;
    wanted.p = set->p;
    TRY(stoic_model_read(call->arguments.items[0], &model, err));
    TRY(stoic_plan_make(model, &wanted, &plan, err));
    const planned at = {call->arguments.items[0], model, &wanted, &plan, start};
    status = show(&at, set->common.output, set->common.format, err);
done:
    stoic_plan_deinit(&plan);
    stoic_model_free(model);
    return status;
}

const cli_verb cli_verb_plan = {
    .name = "plan",
    .arguments = "MODEL.onnx",
    .summary = "how many faults a campaign needs",
    .text = "Sample sizes for a rate in a finite population of single faults, each stored bit "
            "one: for the model as a whole and, with --per, for each layer, bit or both by "
            "itself. share is a group's part of the model's sample, in proportion to its bits.",
    .examples = {"stoic plan " CLI_EXAMPLE_MODEL " --margin 0.01 --confidence 0.99",
                 "stoic plan " CLI_EXAMPLE_MODEL " --per layer --store int8,code=secded72 --p 0.1"},
    .options = options,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
