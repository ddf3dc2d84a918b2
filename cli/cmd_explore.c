#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "explore_result.h"
#include "output.h"
#include "progress_line.h"
#include "progress_text.h"
#include "stoic/parse.h"
#include "stoic/report.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    cli_data data;
    const char *store, *width, *ber, *keep, *figure;
    int64_t trials;
    double min_accuracy, max_drop, lifetime_flips, confidence;
    int64_t budget;
    bool all;
} settings;

static const cli_option options[] = {
    CLI_DATA_OPTIONS(settings, data),
    {.name = "store",
     .kind = CLI_TEXT,
     .argument = "SPEC",
     .offset = offsetof(settings, store),
     .help = "how the weights lie in memory, with {M} for their width"},
    {.name = "width",
     .kind = CLI_TEXT,
     .argument = "A-B",
     .offset = offsetof(settings, width),
     .help = "the widths in bits"},
    {.name = "ber",
     .kind = CLI_TEXT,
     .argument = "P,P...",
     .offset = offsetof(settings, ber),
     .help = "bit error rates; the largest decides"},
    {.name = "trials",
     .kind = CLI_COUNT,
     .argument = "N",
     .offset = offsetof(settings, trials),
     .low = 1,
     .high = INT64_MAX,
     .help = "trials of each store at each rate"},
    {.name = "min-accuracy",
     .kind = CLI_NUMBER,
     .argument = "A",
     .offset = offsetof(settings, min_accuracy),
     .low = 0,
     .high = 1,
     .help = "accuracy without faults must be above A",
     .fallback = "none, which needs --all"},
    {.name = "max-drop",
     .kind = CLI_NUMBER,
     .argument = "B",
     .offset = offsetof(settings, max_drop),
     .low = 0,
     .high = 1,
     .help = "what faults take of it must be below B",
     .fallback = "none, which needs --all"},
    {.name = "all",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, all),
     .help = "try every width, instead of a binary search for the narrowest"},
    {.name = "budget",
     .kind = CLI_COUNT,
     .argument = "BITS",
     .offset = offsetof(settings, budget),
     .low = 1,
     .high = INT64_MAX,
     .help = "choose width and code for each layer, so that all take at most BITS",
     .fallback = "one width for all layers"},
    {.name = "confidence",
     .kind = CLI_FRACTION,
     .argument = "C",
     .offset = offsetof(settings, confidence),
     .help = "level of the intervals"},
    {.name = "lifetime-flips",
     .kind = CLI_NUMBER,
     .argument = "X",
     .offset = offsetof(settings, lifetime_flips),
     .low = 0,
     .high = INT64_MAX,
     .help = "(T/t) P_single of P_drop: flips of one bit in the life of a device"},
    {.name = "keep",
     .kind = CLI_TEXT,
     .argument = "DIR",
     .offset = offsetof(settings, keep),
     .help = "keep the campaign files in this folder, and continue those that are there"},
    {.name = "figure",
     .kind = CLI_TEXT,
     .argument = "DIR",
     .offset = offsetof(settings, figure),
     .help = "draw drop, P_drop and RAP against memory into this folder"},
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
    stoic_explore_options options_now = stoic_explore_options_default();
    cli_data_default(&set->data);
    set->width = "2-8";
    set->ber = "1e-5,3e-5,1e-4,3e-4";
    set->trials = options_now.trials;
    set->min_accuracy = options_now.min_accuracy;
    set->max_drop = options_now.max_drop;
    set->lifetime_flips = options_now.lifetime_flips;
    set->confidence = options_now.confidence;
}

/* "5" or "2-8". */
static stoic_status parse_widths(const char *text, stoic_explore_options *out, stoic_error *err) {
    int64_t low, high;
    char number[24];
    const char *dash = strchr(text, '-');
    size_t length = dash ? (size_t)(dash - text) : strlen(text);
    if (length == 0 || length >= sizeof number || strspn(text, "0123456789-") != strlen(text))
        return cli_fail(err, STOIC_ERR_ARGUMENT, "--width",
                        "expected one range of widths A-B such as 3-8, or a single width, found "
                        "'%s'",
                        text);
    snprintf(number, sizeof number, "%.*s", (int)length, text);
    stoic_status status = stoic_parse_count(dash ? dash + 1 : number, "--width", STOIC_NARROWEST,
                                            STOIC_WIDEST, &high, err);
    if (status == STOIC_OK)
        status = stoic_parse_count(number, "--width", STOIC_NARROWEST, STOIC_WIDEST, &low, err);
    if (status == STOIC_OK && low > high)
        status =
            cli_fail(err, STOIC_ERR_ARGUMENT, "--width", "the range '%s' runs backwards", text);
    if (status == STOIC_OK) {
        out->narrowest = (int)low;
        out->widest = (int)high;
    }
    return status;
}

static stoic_status parse_rates(const char *text, double rates[STOIC_EXPLORE_BERS], size_t *n,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *rest = NULL, *copy = strdup(text);
    if (!copy)
        return cli_fail_memory(err);
    *n = 0;
    for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        if (*n == STOIC_EXPLORE_BERS) {
            status = cli_fail(err, STOIC_ERR_ARGUMENT, "--ber", "expected at most %d rates",
                              STOIC_EXPLORE_BERS);
            goto done;
        }
        TRY(stoic_parse_number(item, "--ber", &rates[(*n)++], err));
    }
done:
    free(copy);
    return status;
}

static stoic_status check(const settings *set, const cli_call *call, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, 1, "one model", err));
    TRY(cli_call_keeps(call, set->common.output, err));
    TRY(cli_require(set->data.spec, "--data SPEC", err));
    TRY(cli_spec_keeps(set->data.spec, set->common.output, err));
    TRY(cli_require(set->store, "--store SPEC", err));
    if (set->budget > 0 && (set->all || !isnan(set->min_accuracy) || !isnan(set->max_drop))) {
        status = cli_fail(err, STOIC_ERR_ARGUMENT, "--budget",
                          "chooses by the bits alone: it takes no --all, --min-accuracy and "
                          "--max-drop");
    } else if (!set->all && !set->budget) {
        TRY(cli_require(isnan(set->min_accuracy) ? NULL : "", "--min-accuracy A (or --all)", err));
        TRY(cli_require(isnan(set->max_drop) ? NULL : "", "--max-drop B (or --all)", err));
    }
done:
    return status;
}

static void show_progress(void *user, const stoic_explore_progress *progress) {
    char text[CLI_LINE_WIDTH + 1], trials[101];
    (void)user;
    if (progress->trials && !cli_line_due())
        return;
    if (progress->trials) {
        cli_progress_campaign(progress->trials, trials, sizeof trials - 1);
        snprintf(text, sizeof text, "%d: %.60s at %g  %s", progress->campaign, progress->store,
                 progress->ber, trials);
    } else {
        snprintf(text, sizeof text, "%d: %.60s without faults", progress->campaign,
                 progress->store);
    }
    cli_line_draw(text);
}

/* The answer is worth more than its picture: it is written first. */
static stoic_status show(const settings *set, const cli_exploration *at, stoic_error *err) {
    stoic_status status = cli_exploration_write(at, set->common.output, set->common.format, err);
    if (status == STOIC_OK && set->figure)
        status = at->budget ? stoic_budget_draw(at->budget, set->figure, err)
                            : stoic_exploration_draw(at->found, set->figure, err);
    return status;
}

static stoic_status explore(const settings *set, const cli_call *call,
                            stoic_explore_options *wanted, const stoic_model *model,
                            const stoic_dataset *data, stoic_error *err) {
    stoic_exploration *found = NULL;
    stoic_budget *budget = NULL;
    double start = cli_seconds();
    wanted->progress = show_progress;
    wanted->cancel = cli_interrupt_catch();
    cli_line_start(set->common.quiet);
    stoic_status status = set->budget
                              ? stoic_explore_budget(model, data, wanted, set->budget, &budget, err)
                              : stoic_explore(model, data, wanted, &found, err);
    cli_line_end();
    status = cli_interrupt_study(call, set->keep, status, err);
    if (status == STOIC_OK) {
        cli_exploration at = {wanted, budget ? budget->measured : found, budget,
                              cli_seconds() - start};
        status = show(set, &at, err);
    }
    stoic_exploration_free(found);
    stoic_budget_free(budget);
    return status;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_explore_options wanted = stoic_explore_options_default();
    double rates[STOIC_EXPLORE_BERS];
    stoic_model *model = NULL;
    stoic_dataset *data = NULL;
    char *data_text = NULL;
    stoic_status status = STOIC_OK;
    TRY(check(set, call, err));
    TRY(parse_widths(set->width, &wanted, err));
    TRY(parse_rates(set->ber, rates, &wanted.n_bers, err));
    TRY(stoic_model_read(call->arguments.items[0], &model, err));
    TRY(cli_data_open(&set->data, model, &data, err));
    TRY(cli_data_text(&set->data, &data_text, err));
    wanted.model_path = call->arguments.items[0];
    wanted.data_spec = data_text;
    wanted.store = set->store;
    wanted.bers = rates;
    wanted.trials = set->trials;
    wanted.min_accuracy = set->min_accuracy;
    wanted.max_drop = set->max_drop;
    wanted.all = set->all;
    wanted.lifetime_flips = set->lifetime_flips;
    wanted.confidence = set->confidence;
    wanted.keep = set->keep;
    wanted.seed = (uint64_t)set->common.seed;
    wanted.threads = (int)set->common.threads;
    wanted.memory = set->common.memory;
    status = explore(set, call, &wanted, model, data, err);
done:
    free(data_text);
    stoic_dataset_free(data);
    stoic_model_free(model);
    return status;
}

#define EXAMPLE                                                                                    \
    "stoic explore " CLI_EXAMPLE_MODEL " --data fashion-mnist --images 200 \\\n"                   \
    "      --store affine:{M},code=msb3 --trials 5 "

const cli_verb cli_verb_explore = {
    .name = "explore",
    .arguments = "MODEL.onnx --data SPEC --store SPEC",
    .summary = "how narrow weights may be",
    .text = "Finds the narrowest weights that are accurate enough without faults and lose little "
            "enough with them (FORTUNE's Algorithm 1). Beside each width tried stand the "
            "unprotected 8-bit store, and unprotected stores of the same width and of the same "
            "memory. Time is measured: an image from protected memory, as infer runs it. With "
            "--budget, each layer gets a width and the code or none: what "
            "each choice loses in each layer alone is measured, and the best mixtures are "
            "measured as stores, beside the same choice in all layers.",
    .examples = {EXAMPLE "--min-accuracy 0.85 --max-drop 0.05",
                 EXAMPLE "--width 3-5 --ber 1e-4,1e-3 --all \\\n"
                         "      --keep campaigns --figure figures --format csv"},
    .options = options,
    .settings_size = sizeof(settings),
    .defaults = defaults,
    .run = run,
};
