#include <math.h>
#include <string.h>

#include "attack_result.h"
#include "output.h"
#include "progress_line.h"
#include "stoic/parse.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    cli_data data;
    const char *store, *candidates, *layers, *bits;
    int64_t flips;
    double below;
    int tensor;
} settings;

enum { MOST_FLIPS = 10000, FLIPS_BELOW = 100 };

static const cli_option options[] = {
    CLI_DATA_OPTIONS(settings, data),
    {.name = "flips",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, flips),
     .low = 1,
     .high = MOST_FLIPS,
     .help = "at most so many flips",
     .fallback = "100 with --below"},
    {.name = "below",
     .kind = CLI_NUMBER,
     .argument = "A",
     .offset = offsetof(settings, below),
     .low = 0,
     .high = 1,
     .help = "stop as soon as the accuracy is A or less",
     .fallback = "never"},
    {.name = "store",
     .kind = CLI_TEXT,
     .argument = "SPEC",
     .offset = offsetof(settings, store),
     .help = "how the weights lie in memory (docs/store-specs.md)",
     .fallback = "fp32"},
    {.name = "candidates",
     .kind = CLI_TEXT,
     .argument = "N|all",
     .offset = offsetof(settings, candidates),
     .help = "bits of each tensor that are evaluated in a step: the first N by gradient and the "
             "first N by how much the weight changes; all: every bit, which needs no gradient"},
    {.name = "layer",
     .kind = CLI_TEXT,
     .argument = "LIST",
     .offset = offsetof(settings, layers),
     .help = "flip bits of these layers only, as 0+2",
     .fallback = "all"},
    {.name = "bits",
     .kind = CLI_TEXT,
     .argument = "FIELD|LIST",
     .offset = offsetof(settings, bits),
     .help = "flip these bits only, as mantissa or 0-22",
     .fallback = "all"},
    {.name = "tensor",
     .kind = CLI_CHOICE,
     .argument = "weight|bias",
     .offset = offsetof(settings, tensor),
     .help = "flip bits of the layers' weights or biases (a store with include=bias)"},
    CLI_THREADS_OPTION(settings),
    CLI_MEMORY_OPTION(settings),
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "write the flips as a fault list, for inject --fault list:FILE"),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static void defaults(void *given) {
    settings *set = given;
    cli_data_default(&set->data);
    set->below = NAN;
    set->candidates = "200";
}

static stoic_status check(const settings *set, const cli_call *call, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one model", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    TRY(cli_require(set->data.spec, "--data SPEC", err));
    TRY(cli_spec_keeps(set->data.spec, set->common.output, err));
    TRY(cli_require(set->flips || !isnan(set->below) ? "" : NULL, "--flips N or --below A", err));
done:
    return status;
}

static stoic_status attack_options(const settings *set, stoic_attack_options *out,
                                   stoic_error *err) {
    stoic_status status = STOIC_OK;
    out->store = set->store;
    out->flips = set->flips ? set->flips : FLIPS_BELOW;
    out->below = set->below;
    out->layers = set->layers;
    out->bits = set->bits;
    out->tensor = set->tensor ? "bias" : "weight";
    out->threads = (int)set->common.threads;
    out->memory = set->common.memory;
    if (!strcmp(set->candidates, "all"))
        out->candidates = 0;
    else
        status =
            stoic_parse_count(set->candidates, "--candidates", 1, INT64_MAX, &out->candidates, err);
    return status;
}

static void show_progress(void *user, const stoic_attack_progress *progress) {
    char text[CLI_LINE_WIDTH + 1];
    (void)user;
    if (!cli_line_due())
        return;
    snprintf(text, sizeof text, "flip %lld of %lld: candidate %lld of %lld, accuracy so far %.4g",
             (long long)progress->flips_done + 1, (long long)progress->flips,
             (long long)progress->candidates_done, (long long)progress->candidates,
             progress->accuracy);
    cli_line_draw(text);
}

static stoic_status show(const settings *set, const cli_attack *at, stoic_error *err) {
    stoic_status status = cli_attack_write(at, set->common.format, err);
    if (status == STOIC_OK && at->list)
        status = cli_attack_list(at, err);
    if (status == STOIC_OK && at->found->end == STOIC_ATTACK_INTERRUPTED)
        status =
            cli_fail(err, STOIC_ERR_INTERRUPTED, "", "interrupted; %lld flip%s found",
                     (long long)at->found->n_flips, at->found->n_flips == 1 ? " was" : "s were");
    return status;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_attack_options wanted = stoic_attack_options_default();
    stoic_attack_result *found = NULL;
    stoic_model *model = NULL;
    stoic_dataset *data = NULL;
    double start = cli_seconds();
    stoic_status status = STOIC_OK;
    TRY(check(set, call, err));
    TRY(attack_options(set, &wanted, err));
    TRY(stoic_model_read(call->arguments.items[0], &model, err));
    TRY(cli_data_open(&set->data, model, &data, err));
    wanted.progress = show_progress;
    wanted.cancel = cli_interrupt_catch();
    cli_line_start(set->common.quiet);
    status = stoic_attack(model, data, &wanted, &found, err);
    cli_line_end();
    if (status == STOIC_OK) {
        const cli_attack at = {call->arguments.items[0], &wanted, found, cli_seconds() - start,
                               set->common.output};
        status = show(set, &at, err);
    }
done:
    stoic_attack_free(found);
    stoic_dataset_free(data);
    stoic_model_free(model);
    return status;
}

#define EXAMPLE "stoic attack " CLI_EXAMPLE_MODEL " --data fashion-mnist --images 64 \\\n      "

const cli_verb cli_verb_attack = {
    .name = "attack",
    .arguments = "MODEL.onnx --data SPEC --flips N|--below A",
    .summary = "the few flips that hurt most",
    .text = "The worst case instead of the average: a progressive bit search. In each step the "
            "gradient of the loss ranks the stored bits, the best of each tensor are evaluated "
            "exactly, and the flip that leaves the fewest images right is kept. Gradients and "
            "accuracies are of the same images, those of --data and --images. An output with a "
            "NaN is wrong. Ctrl-C shows what was found until then.",
    .examples = {EXAMPLE "--flips 1 --candidates 50",
                 EXAMPLE "--store int8 --flips 3 --below 0.5 --candidates 20 -o worst.csv"},
    .options = options,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
