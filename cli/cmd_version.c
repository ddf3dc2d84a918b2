#include "launcher.h"
#include "output.h"
#include "stoic/version.h"
#include "verb.h"

typedef struct settings {
    cli_common common;
} settings;

static const cli_option options[] = {
    CLI_FORMAT_OPTION(settings),
    CLI_OUTPUT_OPTION(settings, "write to FILE instead of standard output"),
    {.name = NULL},
};

static json_t *facts(void) {
    json_t *object = json_object();
    int bad = cli_put_text(object, "version", stoic_version());
    bad |= cli_put_text(object, "build", stoic_version_build());
    bad |= cli_put_text(object, "cpu", stoic_version_cpu());
    bad |= cli_put_text(object, "onednn", stoic_version_onednn());
    bad |= cli_put_text(object, "mpi", cli_launcher_mpi());
    if (!bad)
        return object;
    json_decref(object);
    return NULL;
}

static stoic_status run(void *given, const cli_call *call, stoic_error *err) {
    const settings *set = given;
    cli_output output = {.file = NULL};
    stoic_status status = STOIC_OK;
    TRY(cli_call_expect(call, 0, 0, "no argument", err));
    TRY(cli_output_open(&output, set->common.output, set->common.format, err));
    if (output.format == CLI_JSON)
        status = cli_output_json(&output, facts(), err);
    else if (output.format == CLI_CSV)
        status = cli_output_flat(&output, facts(), err);
    else
        fprintf(output.file, "stoic   %s\nbuild   %s\ncpu     %s\noneDNN  %s\nMPI     %s\n",
                stoic_version(), stoic_version_build(), stoic_version_cpu(), stoic_version_onednn(),
                cli_launcher_mpi());
done:
    return cli_output_close(&output, status, err);
}

const cli_verb cli_verb_version = {
    .name = "version",
    .arguments = "",
    .summary = "version, build, instruction set, oneDNN, MPI",
    .text = "Says what this program is: its version, how it was built, the instruction set it "
            "uses on this machine, its oneDNN and its MPI.",
    .examples = {"stoic version", "stoic version --format json"},
    .options = options,
    .processes = CLI_FIRST,
    .settings_size = sizeof(settings),
    .run = run,
};
