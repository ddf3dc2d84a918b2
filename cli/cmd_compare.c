#include <stdlib.h>
#include <string.h>

#include "compare_result.h"
#include "output.h"
#include "progress_line.h"
#include "progress_text.h"
#include "stoic/report.h"
#include "stoic/sensitivity.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    cli_data data;
    cli_words faults, with;
    const char *profile, *sensitivity, *keep, *figure;
    int64_t trials, images_per_trial;
    double confidence, loss;
} settings;

static const cli_option options[] = {
    CLI_DATA_OPTIONS(settings, data),
    {.name = "fault",
     .kind = CLI_LIST,
     .argument = "MODEL",
     .offset = offsetof(settings, faults),
     .help = "what is hit, as for inject (docs/fault-models.md); a table each"},
    {.name = "with",
     .kind = CLI_LIST,
     .argument = "W",
     .offset = offsetof(settings, with),
     .help = "what is compared: store:SPEC, pass:P+P, model:FILE, or all: every store and pass "
             "that needs no training"},
    {.name = "trials",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, trials),
     .low = 2,
     .high = INT64_MAX,
     .help = "trials of each campaign"},
    {.name = "images-per-trial",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, images_per_trial),
     .low = 1,
     .high = INT64_MAX,
     .help = "images each trial sees, drawn anew",
     .fallback = "all"},
    {.name = "profile",
     .kind = CLI_TEXT,
     .argument = "SPEC",
     .offset = offsetof(settings, profile),
     .help = "training images for passes that profile; every fifth is taken",
     .fallback = "the training part of a known set"},
    {.name = "sensitivity",
     .kind = CLI_TEXT,
     .argument = "RUN.db|LIST.csv",
     .offset = offsetof(settings, sensitivity),
     .help = "duplicate: a campaign of single faults on MODEL, which ranks its channels, or a list "
             "of them"},
    {.name = "loss",
     .kind = CLI_NUMBER,
     .argument = "L",
     .offset = offsetof(settings, loss),
     .low = 0,
     .high = 1,
     .help = "clean accuracy that a recommended protection may cost"},
    {.name = "confidence",
     .kind = CLI_FRACTION,
     .argument = "C",
     .offset = offsetof(settings, confidence),
     .help = "level of the intervals"},
    {.name = "keep",
     .kind = CLI_TEXT,
     .argument = "DIR",
     .offset = offsetof(settings, keep),
     .help =
         "keep campaign files and hardened networks in this folder, and continue what is there"},
    {.name = "figure",
     .kind = CLI_TEXT,
     .argument = "DIR",
     .offset = offsetof(settings, figure),
     .help = "draw critical rates and costs into this folder"},
    CLI_SEED_OPTION(settings),
    CLI_THREADS_OPTION(settings),
    CLI_MEMORY_OPTION(settings),
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "write to FILE instead of standard output"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *given) {
    settings *set = given;
    stoic_compare_options options_now = stoic_compare_options_default();
    cli_data_default(&set->data);
    set->trials = options_now.trials;
    set->confidence = options_now.confidence;
    set->loss = 0.01;
}

static stoic_status check(const settings *set, const cli_call *call, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one model", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    TRY(cli_require(set->data.spec, "--data SPEC", err));
    TRY(cli_spec_keeps(set->data.spec, set->common.output, err));
    TRY(cli_require(set->faults.count ? "" : NULL, "--fault MODEL", err));
    TRY(cli_require(set->with.count ? "" : NULL, "--with W, such as --with all", err));
done:
    return status;
}

/* Of a known set the training part; NULL stays where nothing is known. */
static stoic_status open_profile(const settings *set, const stoic_model *model, stoic_dataset **out,
                                 stoic_error *err) {
    cli_data given = set->data;
    const char *train = cli_data_part(set->data.spec, true);
    bool wanted = false;
    for (size_t i = 0; i < set->with.count; i++)
        wanted = wanted || !strcmp(set->with.items[i], "all") ||
                 !strncmp(set->with.items[i], "pass:", 5);
    given.spec = set->profile ? set->profile : train;
    given.images.count = -1;
    given.images.first = 0;
    if (!wanted || (!set->profile && !strcmp(train, set->data.spec)))
        return STOIC_OK;
    return cli_data_open(&given, model, out, err);
}

static void show_progress(void *user, const stoic_compare_progress *progress) {
    char text[CLI_LINE_WIDTH + 1], trials[101];
    (void)user;
    if (progress->trials && !cli_line_due())
        return;
    if (progress->trials) {
        cli_progress_campaign(progress->trials, trials, sizeof trials - 1);
        snprintf(text, sizeof text, "%d of %d: %.40s, %.30s  %s", progress->campaign,
                 progress->campaigns, progress->name, progress->fault, trials);
    } else {
        snprintf(text, sizeof text, "preparing %.80s", progress->name);
    }
    cli_line_draw(text);
}

static stoic_status compare(const settings *set, const cli_call *call,
                            stoic_compare_options *wanted, const stoic_model *model,
                            const stoic_dataset *data, stoic_error *err) {
    stoic_comparison *found = NULL;
    double start = cli_seconds();
    wanted->progress = show_progress;
    wanted->cancel = cli_interrupt_catch();
    cli_line_start(set->common.quiet);
    stoic_status status = stoic_compare(model, data, wanted, &found, err);
    cli_line_end();
    status = cli_interrupt_study(call, set->keep, status, err);
    if (status == STOIC_OK) {
        const cli_comparison at = {wanted, found, set->loss, cli_seconds() - start};
        status = cli_comparison_write(&at, set->common.output, set->common.format, err);
        if (status == STOIC_OK && set->figure)
            status = stoic_comparison_draw(found, set->figure, err);
    }
    stoic_comparison_free(found);
    return status;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_compare_options wanted = stoic_compare_options_default();
    stoic_model *model = NULL;
    stoic_dataset *data = NULL, *profile = NULL;
    char *data_text = NULL;
    stoic_channel *channels = NULL;
    stoic_status status = STOIC_OK;
    TRY(check(set, call, err));
    TRY(stoic_model_read(call->arguments.items[0], &model, err));
    TRY(cli_data_open(&set->data, model, &data, err));
    TRY(cli_data_text(&set->data, &data_text, err));
    TRY(open_profile(set, model, &profile, err));
    wanted.model_path = call->arguments.items[0];
    wanted.data_spec = data_text;
    wanted.faults = set->faults.items;
    wanted.n_faults = set->faults.count;
    wanted.with = set->with.items;
    wanted.n_with = set->with.count;
    wanted.profile = profile;
    if (set->sensitivity)
        TRY(stoic_sensitivity_channels(set->sensitivity, model, &channels, &wanted.n_channels,
                                       err));
    wanted.channels = channels;
    wanted.trials = set->trials;
    wanted.images_per_trial = set->images_per_trial;
    wanted.confidence = set->confidence;
    wanted.keep = set->keep;
    wanted.seed = (uint64_t)set->common.seed;
    wanted.threads = (int)set->common.threads;
    wanted.memory = set->common.memory;
    status = compare(set, call, &wanted, model, data, err);
done:
    free(channels);
    free(data_text);
    stoic_dataset_free(profile);
    stoic_dataset_free(data);
    stoic_model_free(model);
    return status;
}

#define EXAMPLE                                                                                    \
    "stoic compare " CLI_EXAMPLE_MODEL " --data fashion-mnist --images 200 \\\n"                   \
    "      --fault ber:1e-4 --trials 5 "

const cli_verb cli_verb_compare = {
    .name = "compare",
    .arguments = "MODEL.onnx --data SPEC --fault MODEL --with W",
    .summary = "every protection on the same faults, in one table",
    .text = "Runs the same faults on the network as it is and on what --with names: the network "
            "under a store, after hardening passes, or another one, trained for it. The same "
            "trials see the same images and, where as many bits can be hit, hit the same sites. A "
            "row says what a protection "
            "keeps, what it costs and what it needs; under each table stand the safest one and "
            "the cheapest that covers nine tenths of what is critical for the baseline, of those "
            "that cost at most --loss of the clean accuracy.",
    .examples = {EXAMPLE "\\\n      --with store:int8,code=secded72 --with pass:relu6+nan-filter",
                 EXAMPLE
                 "\\\n      --fault flips:10 --with pass:relu6 --keep compared --figure figures"},
    .options = options,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
