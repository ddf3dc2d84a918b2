#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze_sensitivity.h"
#include "number_lists.h"
#include "output.h"
#include "stoic/parse.h"
#include "stoic/report.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    const char *store, *weights, *scales, *ber, *protect, *figure, *by, *cover, *model;
    int64_t rounds, top;
} settings;

static const cli_option options[] = {
    {.name = "store",
     .kind = CLI_TEXT,
     .argument = "LIST|SPEC",
     .offset = offsetof(settings, store),
     .help = "scaling: formats; bits: how the weights lie in memory",
     .fallback = "fp32,fp16,q2.5; fp32"},
    {.name = "weights",
     .kind = CLI_TEXT,
     .argument = "LOW:HIGH:STEP",
     .offset = offsetof(settings, weights),
     .help = "scaling: the weights that are stored",
     .fallback = "-0.5:0.5:0.01"},
    {.name = "scales",
     .kind = CLI_TEXT,
     .argument = "LIST",
     .offset = offsetof(settings, scales),
     .help = "scaling: factors c, such as 1-5 or 1,2.5,3.9",
     .fallback = "1-5"},
    {.name = "ber",
     .kind = CLI_TEXT,
     .argument = "P",
     .offset = offsetof(settings, ber),
     .help = "scaling: probability with which each bit flips",
     .fallback = "0.1"},
    {.name = "rounds",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, rounds),
     .low = 1,
     .high = 1000000000000,
     .help = "scaling: draws for each format, factor and weight",
     .fallback = "1M"},
    {.name = "protect",
     .kind = CLI_TEXT,
     .argument = "FIELD",
     .offset = offsetof(settings, protect),
     .help = "scaling: bits that no flip hits, or none",
     .fallback = "exponent-msb where there is one"},
    {.name = "figure",
     .kind = CLI_TEXT,
     .argument = "F.svg",
     .offset = offsetof(settings, figure),
     .help = "scaling: draw error against weight; needs gnuplot"},
    {.name = "by",
     .kind = CLI_TEXT,
     .argument = "LIST",
     .offset = offsetof(settings, by),
     .help = "sensitivity: what to rank, of layer, channel, weight, bit",
     .fallback = "layer"},
    {.name = "top",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, top),
     .low = 1,
     .high = INT64_MAX,
     .help = "sensitivity: the first N only",
     .fallback = "20 in a table, else all"},
    {.name = "cover",
     .kind = CLI_TEXT,
     .argument = "SHARES",
     .offset = offsetof(settings, cover),
     .help = "sensitivity: the smallest sets that hold these shares of the critical outcomes, such "
             "as 0.5,0.9,0.99"},
    {.name = "model",
     .kind = CLI_TEXT,
     .argument = "M.onnx",
     .offset = offsetof(settings, model),
     .help = "sensitivity: the network, for --by channel",
     .fallback = "where the campaign found it"},
    CLI_SEED_OPTION(settings),
    CLI_THREADS_OPTION(settings),
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "write to FILE instead of standard output"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

enum { SCALING, BITS, SENSITIVITY };
static const char *const form_names[] = {"scaling", "bits", "sensitivity"};

/* ---- scaling ---- */

static const char *const scaling_columns[] = {"format", "c",        "weight", "error",
                                              "exact",  "excluded", NULL};
static const char *const mean_columns[] = {"format", "c", "error", "exact", "excluded", NULL};

static bool add_row(cli_rows *rows, const stoic_scaling_row *row) {
    const cli_cell cells[] = {cli_cell_text(row->format),   cli_cell_double(row->c),
                              cli_cell_double(row->weight), cli_cell_double(row->error),
                              cli_cell_double(row->exact),  cli_cell_count(row->excluded)};
    return cli_rows_add(rows, cells);
}

/* The mean over the weights of one format and factor; NaN where a weight has none. */
static bool add_mean(cli_rows *rows, const stoic_scaling_row *row, size_t n) {
    double error = 0.0, exact = 0.0;
    int64_t excluded = 0;
    for (size_t i = 0; i < n; i++) {
        error += row[i].error;
        exact += row[i].exact;
        excluded += row[i].excluded;
    }
    const cli_cell cells[] = {cli_cell_text(row->format), cli_cell_double(row->c),
                              cli_cell_double(error / (double)n),
                              cli_cell_double(exact / (double)n), cli_cell_count(excluded)};
    return cli_rows_add(rows, cells);
}

static stoic_status show_scaling(const settings *set, const stoic_scaling_options *asked,
                                 const stoic_scaling_row *row, size_t n, double seconds,
                                 stoic_error *err) {
    cli_output output = {.file = NULL};
    cli_rows rows;
    char number[40];
    stoic_status status = cli_output_open(&output, set->common.output, set->common.format, err);
    if (status != STOIC_OK)
        return status;
    bool table = output.format == CLI_TABLE, json = output.format == CLI_JSON;
    size_t step = table ? asked->n_weights : 1;
    if (json)
        fprintf(output.file, "{\"ber\": %s, \"rounds\": %lld, \"seed\": %llu, \"rows\": ",
                cli_text_double(asked->ber, number), (long long)asked->rounds,
                (unsigned long long)asked->seed);
    cli_rows_begin(&rows, &output, table ? mean_columns : scaling_columns);
    for (size_t i = 0; i < n; i += step) {
        if (table ? !add_mean(&rows, &row[i], step) : !add_row(&rows, &row[i]))
            break;
    }
    status = cli_rows_end(&rows, err);
    if (json)
        fprintf(output.file, ", \"seconds\": %.3f}\n", seconds);
    return cli_output_close(&output, status, err);
}

/* What the options say, over the defaults; lists point into what the caller frees. */
typedef struct lists {
    cli_numbers weights, scales;
    char *formats;
    const char **format;
} lists;

static stoic_status read_scaling(const settings *set, stoic_scaling_options *out, lists *held,
                                 stoic_error *err) {
    stoic_status status = STOIC_OK;
    if (set->store) {
        held->formats = strdup(set->store);
        if (!held->formats)
            return cli_fail_memory(err);
        TRY(cli_names_parse(held->formats, "--store", &held->format, &out->n_formats, err));
        out->formats = held->format;
    }
    if (set->weights) {
        TRY(cli_steps_parse(set->weights, "--weights", &held->weights, err));
        out->weights = held->weights.items;
        out->n_weights = held->weights.count;
    }
    if (set->scales) {
        TRY(cli_numbers_parse(set->scales, "--scales", &held->scales, err));
        out->scales = held->scales.items;
        out->n_scales = held->scales.count;
    }
    if (set->ber) {
        TRY(stoic_parse_number(set->ber, "--ber", &out->ber, err));
        if (!(out->ber >= 0.0 && out->ber <= 1.0)) {
            status = cli_fail(err, STOIC_ERR_ARGUMENT, "--ber",
                              "expected a probability from 0 to 1, found '%s'", set->ber);
            goto done;
        }
    }
    if (set->rounds)
        out->rounds = set->rounds;
    out->protect = set->protect;
    out->seed = (uint64_t)set->common.seed;
    out->threads = (int)set->common.threads;
done:
    return status;
}

static stoic_status run_scaling(const settings *set, const cli_call *call, stoic_error *err) {
    stoic_scaling_options asked = stoic_scaling_options_default();
    stoic_scaling_row *rows = NULL;
    lists held = {.formats = NULL};
    double start = cli_seconds();
    size_t n;
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "scaling", err));
    TRY(read_scaling(set, &asked, &held, err));
    TRY(stoic_scaling_measure(&asked, &rows, &n, err));
    TRY(show_scaling(set, &asked, rows, n, cli_seconds() - start, err));
    if (set->figure)
        TRY(stoic_scaling_draw(rows, n, set->figure, err));
done:
    free(rows);
    cli_numbers_deinit(&held.weights);
    cli_numbers_deinit(&held.scales);
    free(held.format);
    free(held.formats);
    return status;
}

/* ---- bits ---- */

static const char *const bit_columns[] = {"bit", "field", "median_change", "share_nonfinite", NULL};
/* CSV and JSON: `format` first, so that files of several stores can be joined. */
static const char *const all_bit_columns[] = {"format",          "bit", "field", "median_change",
                                              "share_nonfinite", NULL};

/* Options that one form has and the others do not; --store is shared by two. */
static stoic_status refuse_options(const settings *set, int form, stoic_error *err) {
    const struct {
        const char *name;
        bool given;
        int form;
    } checks[] = {{"--weights", set->weights, SCALING}, {"--scales", set->scales, SCALING},
                  {"--ber", set->ber, SCALING},         {"--rounds", set->rounds != 0, SCALING},
                  {"--figure", set->figure, SCALING},   {"--protect", set->protect, SCALING},
                  {"--by", set->by, SENSITIVITY},       {"--top", set->top != 0, SENSITIVITY},
                  {"--model", set->model, SENSITIVITY}, {"--cover", set->cover, SENSITIVITY}};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        if (checks[i].given && checks[i].form != form)
            return cli_fail(err, STOIC_ERR_ARGUMENT, "", "option %s belongs to 'analyze %s'",
                            checks[i].name, form_names[checks[i].form]);
    }
    if (form == SENSITIVITY && set->store)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "",
                        "option --store belongs to 'analyze scaling' and 'analyze bits'; a "
                        "campaign has its own");
    return STOIC_OK;
}

static void put_head(const cli_output *output, const char *path, const char *spec, json_t *head) {
    int bad =
        path ? cli_put_text(head, "model", path) : json_object_set_new(head, "model", json_null());
    bad |= cli_put_text(head, "store", spec);
    fputs("{\"model\": ", output->file);
    bad = bad || cli_json_write(output->file, json_object_get(head, "model"));
    fputs(", \"store\": ", output->file);
    if (!bad)
        cli_json_write(output->file, json_object_get(head, "store"));
    fputs(", \"rows\": ", output->file);
}

static stoic_status show_bits(const settings *set, const char *path, const stoic_bit_row *row,
                              size_t n, double seconds, stoic_error *err) {
    const char *spec = set->store ? set->store : "fp32";
    cli_output output = {.file = NULL};
    cli_rows rows;
    stoic_status status = cli_output_open(&output, set->common.output, set->common.format, err);
    if (status != STOIC_OK)
        return status;
    bool table = output.format == CLI_TABLE, json = output.format == CLI_JSON;
    if (json) {
        json_t *head = json_object();
        put_head(&output, path, spec, head);
        json_decref(head);
    }
    cli_rows_begin(&rows, &output, table ? bit_columns : all_bit_columns);
    for (size_t i = 0; i < n; i++) {
        const cli_cell cells[] = {
            cli_cell_text(spec), cli_cell_count(row[i].bit), cli_cell_text(row[i].field),
            cli_cell_double(row[i].median_change), cli_cell_double(row[i].share_nonfinite)};
        if (!cli_rows_add(&rows, table ? cells + 1 : cells))
            break;
    }
    status = cli_rows_end(&rows, err);
    if (json)
        fprintf(output.file, ", \"seconds\": %.3f}\n", seconds);
    return cli_output_close(&output, status, err);
}

static stoic_status run_bits(const settings *set, const cli_call *call, stoic_error *err) {
    const char *path = call->arguments.count > 1 ? call->arguments.items[1] : NULL;
    stoic_model *model = NULL;
    stoic_bit_row *rows = NULL;
    double start = cli_seconds();
    size_t n;
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 2, "bits and one model", err));
    if (path) {
        TRY(cli_call_keeps(call, set->common.output, err));
        TRY(stoic_model_read(path, &model, err));
    }
    TRY(stoic_bits_measure(model, set->store, &rows, &n, err));
    status = show_bits(set, path, rows, n, cli_seconds() - start, err);
done:
    free(rows);
    stoic_model_free(model);
    return status;
}

static stoic_status run_sensitivity(const settings *set, const cli_call *call, stoic_error *err) {
    stoic_status status = cli_call_expect(call, 2, 2, "sensitivity and one campaign file", err);
    if (status == STOIC_OK)
        status = cli_call_keeps(call, set->common.output, err);
    if (status != STOIC_OK)
        return status;
    if (set->cover && set->top)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "",
                        "options --cover and --top both say how many rows there are");
    const cli_sensitivity asked = {call->arguments.items[1], set->model, set->by, set->top,
                                   set->cover};
    return cli_sensitivity_run(&asked, set->common.output, set->common.format, err);
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    int form = 0;
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, SIZE_MAX, "scaling, bits or sensitivity", err));
    TRY(cli_choice_parse("scaling|bits|sensitivity", call->arguments.items[0], "", &form, err));
    TRY(refuse_options(given, form, err));
    status = form == SCALING ? run_scaling(given, call, err)
             : form == BITS  ? run_bits(given, call, err)
                             : run_sensitivity(given, call, err);
done:
    return status;
}

const cli_verb cli_verb_analyze = {
    .name = "analyze",
    .arguments = "scaling | bits [MODEL.onnx] | sensitivity RUN.db",
    .summary = "what bit flips do to a number, and where they hurt a network",
    .text =
        "scaling: weights are multiplied by a factor c, stored, hit by bit flips, read and "
        "divided by c; shown is the mean of the absolute error, drawn and in expectation (empty "
        "where flips can give infinity; such draws are excluded and counted). The table has a "
        "row for each format and factor, the mean over the weights; CSV and JSON have a row for "
        "each weight. bits: each bit alone flips in each stored weight of a model, or in "
        "weights from -0.5 to 0.5; shown are the median of the absolute change and the share "
        "of weights that are not finite any more. sensitivity: layers, output channels, weights or "
        "bits by the critical rate of the trials that hit them, from a campaign of single "
        "sites; the most critical first, by the lower end of the interval. With --cover a line for "
        "each share: how many groups hold it, the most critical outcomes first; CSV and JSON have "
        "the groups of the largest share, a list that harden and compare read as --sensitivity.",
    .examples = {"stoic analyze scaling --rounds 10k --figure scaling.svg\n  stoic analyze "
                 "bits " CLI_EXAMPLE_MODEL " --store fp16,scale=max:1.9999",
                 CLI_EXAMPLE_RUN "\n  stoic analyze sensitivity run.db --by layer,bit"},
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
