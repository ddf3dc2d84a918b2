#include "stoic/campaign.h"
#include "summary.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
    const char *by;
} settings;

static const cli_option options[] = {
    CLI_OUTPUT_OPTION(settings, "the campaign file to write"),
    {.name = "by",
     .kind = CLI_TEXT,
     .argument = "layer,bit|position",
     .offset = offsetof(settings, by),
     .help = "also show the result by layer, by bit or by both, or faults in operations by the "
             "third of the sum"},
    CLI_FORMAT_OPTION(settings),
    CLI_TALK_OPTIONS(settings),
    {.name = NULL},
};

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    stoic_summary summary;
    cli_by by;
    double start = cli_seconds();
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 1, SIZE_MAX, "the campaign files of the shards", err));
    TRY(cli_require(set->common.output, "-o ALL.db", err));
    TRY(cli_by_parse(set->by, &by, err));
    TRY(stoic_campaign_merge(set->common.output, call->arguments.items, call->arguments.count,
                             &summary, err));
    cli_result result = {set->common.output, NULL, set->by, cli_seconds() - start, &summary};
    status = cli_result_write(&result, set->common.format, err);
done:
    return status;
}

#define EXAMPLE_SHARDS                                                                             \
    "for i in 1 2; do stoic inject " CLI_EXAMPLE_MODEL " --data fashion-mnist --images 100 \\\n"   \
    "      --fault flips:2 --shard $i/2 -o part$i.db; done\n"

const cli_verb cli_verb_merge = {
    .name = "merge",
    .arguments = "-o ALL.db PART.db...",
    .summary = "shards of a campaign into one file",
    .text = "Joins campaign files that 'inject --shard' made. Overlaps and files of other "
            "campaigns are refused, missing parts are named in a warning.",
    .examples = {EXAMPLE_SHARDS "  stoic merge -o all.db part1.db part2.db",
                 EXAMPLE_SHARDS "  stoic merge -o by-layer.db part1.db part2.db --by layer"},
    .options = options,
    .settings_size = sizeof(settings),
    .run = run,
};
