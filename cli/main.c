/* stoic VERB: finds the verb, reads its options, runs it, and says how it went. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"
#include "output.h"
#include "progress_line.h"
#include "usage.h"
#include "verb.h"

enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

static int exit_code(stoic_status status) {
    switch (status) {
    case STOIC_OK:
        return EXIT_SUCCESS;
    case STOIC_ERR_ARGUMENT:
        return EXIT_USAGE;
    case STOIC_ERR_INTERRUPTED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_FAILURE;
    }
}

/* With a standard stream closed, the next file opened would take its number and receive what is
 * printed. Opened the wrong way round, so that using it still fails. */
static void hold_streams(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    }
}

/* As every program that nobody reads: `stoic records run.db | head` is no error. */
static void end_by_pipe(void) {
    signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
}

static int complain(const char *verb, stoic_status status, const stoic_error *err) {
    fprintf(stderr, "stoic%s%s: %s%s%s\n", verb ? " " : "", verb ? verb : "", err->place,
            *err->place ? ": " : "", err->message);
    return exit_code(status);
}

/* Of many processes with the same command line one complains, and one gives help. */
static bool is_first(void) {
    return cli_launcher_rank() == 0;
}

static stoic_status run_or_help(const cli_verb *verb, bool help, void *settings,
                                const cli_call *call, stoic_error *err) {
    if (verb->processes == CLI_TOGETHER && !help)
        return verb->run(settings, call, err);
    if (!is_first())
        return STOIC_OK;
    if (help)
        return cli_help_print(verb, err);
    if (verb->processes == CLI_ALONE && cli_launcher_ranks() > 1)
        return cli_launcher_refuse(verb->name, err);
    return verb->run(settings, call, err);
}

static stoic_status run_verb(const cli_verb *verb, int argc, char *const *argv, stoic_error *err) {
    stoic_status status = STOIC_OK;
    cli_call call = {argc, argv, {NULL, 0}};
    bool help = false;
    cli_common *settings = calloc(1, verb->settings_size); /* a verb's settings start with it */
    if (!settings)
        return cli_fail_memory(err);
    if (verb->defaults)
        verb->defaults(settings);
    status =
        cli_options_parse(verb->options, settings, argc - 2, argv + 2, &call.arguments, &help, err);
    if (status != STOIC_OK) {
        status = is_first() ? status : STOIC_OK;
        goto done;
    }
    stoic_log_set(cli_log, &settings->verbose);
    status = run_or_help(verb, help, settings, &call, err);
done:
    stoic_log_set(NULL, NULL);
    cli_words_deinit(&call.arguments);
    cli_options_deinit(verb->options, settings);
    free(settings);
    return status;
}

int main(int argc, char **argv) {
    static char help[] = "help", version[] = "version";
    stoic_error err = {.code = STOIC_OK};
    hold_streams();
    /* A reader that leaves, a file that may not grow: writes that fail, and nothing is lost. */
    bool quiet_pipe = signal(SIGPIPE, SIG_IGN) != SIG_IGN;
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2 && is_first())
        cli_usage_overview(stderr);
    if (argc < 2)
        return EXIT_USAGE;
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        argv[1] = help;
    else if (!strcmp(argv[1], "--version"))
        argv[1] = version;
    const cli_verb *verb = cli_verb_find(argv[1]);
    if (!verb) {
        stoic_status status = cli_verb_refuse(argv[1], &err);
        return is_first() ? complain(NULL, status, &err) : EXIT_SUCCESS;
    }
    stoic_status status = run_verb(verb, argc, argv, &err);
    if (status != STOIC_OK && quiet_pipe && cli_output_unread())
        end_by_pipe();
    return status == STOIC_OK ? EXIT_SUCCESS : complain(verb->name, status, &err);
}
