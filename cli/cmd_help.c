#include "complete.h"
#include "output.h"
#include "usage.h"

typedef struct settings {
    cli_common common;
    bool man, complete;
} settings;

/* --man is for the build, which makes the man pages with it. */
static const cli_option options[] = {
    {.name = "man",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, man),
     .help = "the man page of stoic, or of VERB, as troff"},
    {.name = "complete",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, complete),
     .help = "for shells: what may be the last of the words behind --, one a line"},
    {.name = NULL},
};

stoic_status cli_help_print(const cli_verb *verb, stoic_error *err) {
    cli_output output;
    stoic_status status = cli_output_open(&output, NULL, CLI_TABLE, err);
    if (status == STOIC_OK) {
        if (verb)
            status = cli_usage_verb(output.file, verb, err);
        else
            cli_usage_overview(output.file);
    }
    return cli_output_close(&output, status, err);
}

static stoic_status print_manual(const cli_verb *verb, stoic_error *err) {
    cli_output output;
    stoic_status status = cli_output_open(&output, NULL, CLI_TABLE, err);
    if (status == STOIC_OK)
        status = cli_manual_print(output.file, verb, err);
    return cli_output_close(&output, status, err);
}

static stoic_status complete(const cli_call *call, stoic_error *err) {
    cli_output output;
    stoic_status status = cli_output_open(&output, NULL, CLI_TABLE, err);
    if (status == STOIC_OK)
        cli_complete(output.file, (int)call->arguments.count, call->arguments.items);
    return cli_output_close(&output, status, err);
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    const cli_verb *verb = NULL;
    stoic_status status;
    if (set->complete)
        return complete(call, err);
    status = cli_call_expect(call, 0, 1, "VERB", err);
    if (status != STOIC_OK)
        return status;
    if (call->arguments.count == 1) {
        verb = cli_verb_find(call->arguments.items[0]);
        if (!verb)
            return cli_verb_refuse(call->arguments.items[0], err);
    }
    return set->man ? print_manual(verb, err) : cli_help_print(verb, err);
}

const cli_verb cli_verb_help = {
    .name = "help",
    .arguments = "[VERB]",
    .summary = "this list, or a verb's options",
    .text = "Lists the verbs, or shows the options of one.",
    .examples = {"stoic help", "stoic help inject"},
    .options = options,
    .processes = CLI_FIRST,
    .settings_size = sizeof(settings),
    .run = run,
};
