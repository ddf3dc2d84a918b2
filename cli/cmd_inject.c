#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"
#include "output.h"
#include "progress_line.h"
#include "progress_text.h"
#include "stoic/campaign.h"
#include "stoic/fault.h"
#include "stoic/map_fault.h"
#include "stoic/op_fault.h"
#include "stoic/parse.h"
#include "summary.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    cli_data data;
    cli_words faults;
    const char *store, *images_per_trial, *shard, *by, *keep;
    int64_t trials, max_trials;
    double margin, confidence;
    int margin_of, sampling, outcomes, engine, nan_rule;
} settings;

#define FAULT_HELP(enumerator, name, argument, summary) name " "
#define MAP_HELP(enumerator, name, summary)             name " "
#define OP_HELP(enumerator, name, summary)              name " "
#define MAP_KINDS                                                                                  \
    "map:KIND, values of a feature map, of " STOIC_MAP_LIST(                                       \
        MAP_HELP) "with layer, value, share, scope, n, rate"
#define OP_KINDS                                                                                   \
    "op:KIND, the sum behind one multiply-accumulate, of " STOIC_OP_FAULT_LIST(                    \
        OP_HELP) "with layer, bits (docs/fault-models.md)"

static const cli_option options[] = {
    CLI_DATA_OPTIONS(settings, data),
    {.name = "fault",
     .kind = CLI_LIST,
     .argument = "MODEL[,KEY=VALUE...]",
     .offset = offsetof(settings, faults),
     .help = "what one trial is: " STOIC_FAULT_LIST(FAULT_HELP) "with the keys layer, bits, "
                                                                "tensor, n, distance; " MAP_KINDS
                                                                "; " OP_KINDS},
    {.name = "store",
     .kind = CLI_TEXT,
     .argument = "SPEC",
     .offset = offsetof(settings, store),
     .help = "how the weights lie in memory: FORMAT[,scale=,code=,protect=...], "
             "as fp16 or affine:5,code=msb3 (docs/store-specs.md)",
     .fallback = "fp32"},
    CLI_OUTPUT_OPTION(settings, "the campaign file; an existing one of the same campaign is "
                                "continued"),
    {.name = "trials",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, trials),
     .low = 1,
     .high = INT64_MAX,
     .help = "number of trials",
     .fallback = "100, or all that an exhaustive or list fault has"},
    {.name = "margin",
     .kind = CLI_FRACTION,
     .argument = "E",
     .offset = offsetof(settings, margin),
     .help = "run until the interval's half-width is E, instead of a number of trials"},
    {.name = "confidence",
     .kind = CLI_FRACTION,
     .argument = "C",
     .offset = offsetof(settings, confidence),
     .help = "level of the intervals"},
    {.name = "margin-of",
     .kind = CLI_CHOICE,
     .argument = "critical|accuracy|drop",
     .offset = offsetof(settings, margin_of),
     .help = "what --margin acts on"},
    {.name = "max-trials",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, max_trials),
     .low = 1,
     .high = INT64_MAX,
     .help = "with --margin: stop here in any case",
     .fallback = "every fault there is, at most 1,000,000"},
    {.name = "sampling",
     .kind = CLI_CHOICE,
     .argument = "simple|stratified",
     .offset = offsetof(settings, sampling),
     .help =
         "how single-site faults are drawn: each from all of them, or by layer and bit, more of "
         "those that vary more (docs/methods.md 6)"},
    {.name = "images-per-trial",
     .kind = CLI_TEXT,
     .argument = "all|N|auto",
     .offset = offsetof(settings, images_per_trial),
     .help = "images each trial sees; auto weighs their cost against what a pilot says they tell",
     .fallback = "all, but 1 with op"},
    {.name = "by",
     .kind = CLI_TEXT,
     .argument = "layer,bit|position",
     .offset = offsetof(settings, by),
     .help = "also show the result by layer, by bit or by both, or faults in operations by the "
             "third of the sum"},
    {.name = "outcomes",
     .kind = CLI_CHOICE,
     .argument = "critical|all",
     .offset = offsetof(settings, outcomes),
     .help = "count critical outcomes only, or masked and tolerable ones as well (slower with "
             "faults in stored bits)",
     .fallback = "critical, but all with map and op"},
    {.name = "engine",
     .kind = CLI_CHOICE,
     .argument = "auto|full",
     .offset = offsetof(settings, engine),
     .help = "auto recomputes only what a fault can change; full everything; same counts"},
    {.name = "nan",
     .kind = CLI_CHOICE,
     .argument = "strict|argmax",
     .offset = offsetof(settings, nan_rule),
     .help = "an output with a NaN is wrong, or its first NaN is its top-1"},
    {.name = "keep",
     .kind = CLI_TEXT,
     .argument = "LIST",
     .offset = offsetof(settings, keep),
     .help = "images: the outcome of every image of every trial; sites: every hit bit also of "
             "trials with more than 10,000, of which else only the number is kept"},
    {.name = "shard",
     .kind = CLI_TEXT,
     .argument = "I/N",
     .offset = offsetof(settings, shard),
     .help = "run part I of N, counted from 1, to be merged later"},
    CLI_SEED_OPTION(settings),
    CLI_THREADS_OPTION(settings),
    CLI_MEMORY_OPTION(settings),
    CLI_FORMAT_OPTION(settings),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *given) {
    settings *set = given;
    stoic_campaign_options options_now = stoic_campaign_options_default();
    cli_data_default(&set->data);
    set->confidence = options_now.confidence;
    set->margin_of = (int)options_now.margin_of;
    set->sampling = (int)options_now.sampling;
    set->outcomes = (int)options_now.outcomes;
    set->engine = (int)options_now.engine;
    set->nan_rule = (int)options_now.nan_rule;
}

static stoic_status parse_shard(const char *text, stoic_campaign_options *out, stoic_error *err) {
    int64_t part, parts;
    char number[24];
    size_t length = strcspn(text, "/");
    if (text[length] != '/' || length >= sizeof number)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--shard", "expected I/N, found '%s'", text);
    snprintf(number, sizeof number, "%.*s", (int)length, text);
    stoic_status status = stoic_parse_count(text + length + 1, "--shard", 1, 1000000, &parts, err);
    if (status == STOIC_OK)
        status = stoic_parse_count(number, "--shard", 1, parts, &part, err);
    if (status == STOIC_OK) {
        out->shard = (int)part;
        out->shards = (int)parts;
    }
    return status;
}

static stoic_status parse_images(const char *text, int64_t *out, stoic_error *err) {
    if (!text)
        return STOIC_OK;
    if (!strcmp(text, "all")) {
        *out = 0;
        return STOIC_OK;
    }
    if (!strcmp(text, "auto")) {
        *out = -1;
        return STOIC_OK;
    }
    return stoic_parse_count(text, "--images-per-trial", 1, INT64_MAX, out, err);
}

/* `keep`: a list, or NULL. */
static stoic_status read_kept(const char *keep, stoic_campaign_options *out, stoic_error *err) {
    out->keep_images = out->keep_sites = false;
    for (const char *word = keep; word; word = strchr(word, ',')) {
        word += word != keep;
        size_t length = strcspn(word, ",");
        if (length == 6 && strncmp(word, "images", length) == 0)
            out->keep_images = true;
        else if (length == 5 && strncmp(word, "sites", length) == 0)
            out->keep_sites = true;
        else
            return cli_fail(err, STOIC_ERR_ARGUMENT, "--keep",
                            "expected images or sites, found '%.*s'", (int)length, word);
    }
    return STOIC_OK;
}

static stoic_status check(const settings *set, const cli_call *call, stoic_error *err) {
    cli_by by;
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one model", err));
    TRY(cli_require(set->data.spec, "--data SPEC", err));
    TRY(cli_require(set->faults.count ? "" : NULL, "--fault MODEL", err));
    TRY(cli_require(set->common.output, "-o RUN.db", err));
    TRY(cli_by_parse(set->by, &by, err));
    if (set->sampling == STOIC_SAMPLING_STRATIFIED && !(set->margin > 0.0) && set->trials == 0)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--sampling",
                        "stratified needs --margin or --trials");
    if (set->sampling == STOIC_SAMPLING_STRATIFIED && set->shard)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--shard",
                        "cannot be combined with stratified sampling: a shard does not see the "
                        "whole sample");
    if (set->margin > 0.0 && set->trials > 0)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--margin",
                        "cannot be given together with --trials; see --max-trials");
    if (set->margin > 0.0 && set->shard)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--shard",
                        "cannot be combined with --margin: a shard does not see the whole sample");
    if (set->max_trials > 0 && !(set->margin > 0.0))
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--max-trials", "needs --margin");
done:
    return status;
}

static stoic_status campaign_options(const settings *set, stoic_campaign_options *out,
                                     stoic_error *err) {
    stoic_status status = parse_images(set->images_per_trial, &out->images_per_trial, err);
    if (status == STOIC_OK && set->shard)
        status = parse_shard(set->shard, out, err);
    if (status == STOIC_OK)
        status = read_kept(set->keep, out, err);
    out->store = set->store;
    out->faults = set->faults.items;
    out->n_faults = set->faults.count;
    out->trials = set->trials;
    out->margin = set->margin;
    out->margin_of = (stoic_margin_of)set->margin_of;
    out->sampling = (stoic_sampling)set->sampling;
    out->confidence = set->confidence;
    out->max_trials = set->max_trials;
    out->outcomes = (stoic_outcomes)set->outcomes;
    out->engine = (stoic_engine_kind)set->engine;
    out->nan_rule = (stoic_nan_rule)set->nan_rule;
    out->seed = (uint64_t)set->common.seed;
    out->threads = (int)set->common.threads;
    out->memory = set->common.memory;
    return status;
}

static void show_progress(void *user, const stoic_campaign_progress *progress) {
    char text[CLI_LINE_WIDTH + 1];
    (void)user;
    if (!cli_line_due())
        return;
    cli_progress_campaign(progress, text, CLI_LINE_WIDTH);
    cli_line_draw(text);
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_campaign_options campaign = stoic_campaign_options_default();
    stoic_model *model = NULL;
    stoic_dataset *data = NULL;
    char *data_text = NULL;
    stoic_summary summary;
    cli_job job;
    double start = cli_seconds();
    stoic_status status = cli_job_join(&job, set->shard != NULL, err);
    if (status != STOIC_OK || (job.silent && !job.cluster))
        return status;
    TRY(check(set, call, err));
    TRY(campaign_options(set, &campaign, err));
    TRY(stoic_model_read(call->arguments.items[0], &model, err));
    TRY(cli_data_open(&set->data, model, &data, err));
    TRY(cli_data_text(&set->data, &data_text, err));
    campaign.model_path = call->arguments.items[0];
    campaign.data_spec = data_text;
    campaign.progress = show_progress;
    campaign.cancel = cli_interrupt_catch();
    campaign.cluster = job.cluster;
    if (job.silent) {
        status = stoic_campaign_help(model, data, &campaign, err);
        goto done;
    }
    cli_line_start(set->common.quiet);
    status = stoic_campaign_run(model, data, &campaign, set->common.output, &summary, err);
    cli_line_end();
    if (status == STOIC_ERR_INTERRUPTED)
        cli_interrupt_tell(call, NULL);
    if (status == STOIC_OK) {
        cli_result result = {set->common.output, call->arguments.items[0], set->by,
                             cli_seconds() - start, &summary};
        status = cli_result_write(&result, set->common.format, err);
    }
done:
    free(data_text);
    stoic_dataset_free(data);
    stoic_model_free(model);
    return cli_job_leave(&job, status, err);
}

const cli_verb cli_verb_inject = {
    .name = "inject",
    .arguments = "MODEL.onnx --data SPEC --fault MODEL -o RUN.db",
    .summary = "a fault campaign",
    .text = "Runs a campaign: each trial corrupts stored weights or computed values as --fault "
            "says and classifies the images. The records do not depend on threads, memory or "
            "interruption. Ctrl-C "
            "keeps what is done and prints the command that goes on. Under mpirun the processes "
            "share one campaign (docs/cluster.md).",
    .examples = {CLI_EXAMPLE_RUN,
                 "stoic inject " CLI_EXAMPLE_MODEL " --data fashion-mnist --images 100 \\\n"
                 "      --fault flips:1,bits=exponent --margin 0.05 --by layer -o exponent.db"},
    .options = options,
    .processes = CLI_TOGETHER,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
