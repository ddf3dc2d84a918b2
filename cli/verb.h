/*
 * The verbs: one file cmd_<name>.c each, with an option table, two examples and a function.
 * main.c finds the verb, reads the options and maps the result to an exit code.
 */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include "options.h"
#include "stoic/dataset.h"

/* In the order of `stoic help`, which is the order of a study. */
#define CLI_VERB_LIST(X)                                                                           \
    X(new)                                                                                         \
    X(info)                                                                                        \
    X(train)                                                                                       \
    X(eval)                                                                                        \
    X(store)                                                                                       \
    X(infer)                                                                                       \
    X(harden)                                                                                      \
    X(plan)                                                                                        \
    X(inject)                                                                                      \
    X(merge)                                                                                       \
    X(records)                                                                                     \
    X(replay)                                                                                      \
    X(explore)                                                                                     \
    X(compare)                                                                                     \
    X(attack)                                                                                      \
    X(report)                                                                                      \
    X(analyze)                                                                                     \
    X(fit)                                                                                         \
    X(version)                                                                                     \
    X(help)

/* What a verb gets besides its settings. */
typedef struct cli_call {
    int argc; /* the whole command line */
    char *const *argv;
    cli_words arguments; /* what is not an option */
} cli_call;

/* What the processes do that mpirun or srun start with the same command line. */
typedef enum cli_processes {
    CLI_ALONE,    /* each would do all of it: refused */
    CLI_FIRST,    /* the first one does it, the others are silent */
    CLI_TOGETHER, /* the verb sees to it (launcher.h) */
} cli_processes;

typedef struct cli_verb {
    const char *name;
    const char *arguments; /* behind the verb in the usage line */
    const char *summary;   /* half a line */
    const char *text;      /* a paragraph; "" for none */
    const char *examples[2];
    const cli_option *options;
    cli_processes processes;
    size_t settings_size; /* the structure starts with a cli_common */
    void (*defaults)(void *settings);
    stoic_status (*run)(void *settings, const cli_call *call, stoic_error *err);
} cli_verb;

#define CLI_VERB_DECLARE(name) extern const cli_verb cli_verb_##name;
CLI_VERB_LIST(CLI_VERB_DECLARE)
#undef CLI_VERB_DECLARE

/* `stoic VERB --help`. */
stoic_status cli_help_print(const cli_verb *verb, stoic_error *err);

/* All verbs, ended by NULL, and the one called `name` or NULL. */
extern const cli_verb *const cli_verbs[];
const cli_verb *cli_verb_find(const char *name);
/* There is no verb `name`: what it may have meant. */
stoic_status cli_verb_refuse(const char *name, stoic_error *err);

/* Options that mean the same in every verb that has them. */
typedef struct cli_common {
    int format;         /* cli_format */
    const char *output; /* -o */
    int64_t threads, memory, seed;
    bool quiet, verbose;
} cli_common;

#define CLI_OUTPUT_OPTION(type, what)                                                              \
    {                                                                                              \
        .name = "output", .letter = 'o', .kind = CLI_TEXT, .argument = "FILE",                     \
        .offset = offsetof(type, common.output), .help = what                                      \
    }

#define CLI_FORMAT_OPTION(type)                                                                    \
    {                                                                                              \
        .name = "format", .kind = CLI_CHOICE, .argument = "table|csv|json",                        \
        .offset = offsetof(type, common.format), .help = "how the result is written"               \
    }

#define CLI_THREADS_OPTION(type)                                                                   \
    {                                                                                              \
        .name = "threads", .kind = CLI_COUNT, .argument = "N",                                     \
        .offset = offsetof(type, common.threads), .low = 1, .high = 4096,                          \
        .help = "worker threads; results do not depend on it",                                     \
        .fallback = "the cores this process may use"                                               \
    }

#define CLI_MEMORY_OPTION(type)                                                                    \
    {                                                                                              \
        .name = "memory", .kind = CLI_BYTES, .argument = "SIZE",                                   \
        .offset = offsetof(type, common.memory),                                                   \
        .help = "memory to use, such as 512M or 2G; results do not depend on it",                  \
        .fallback = "half of what is available"                                                    \
    }

#define CLI_SEED_OPTION(type)                                                                      \
    {                                                                                              \
        .name = "seed", .kind = CLI_COUNT, .argument = "N", .offset = offsetof(type, common.seed), \
        .low = 0, .high = INT64_MAX, .help = "seed of every random draw"                           \
    }

#define CLI_TALK_OPTIONS(type)                                                                     \
    {.name = "quiet",                                                                              \
     .kind = CLI_FLAG,                                                                             \
     .offset = offsetof(type, common.quiet),                                                       \
     .help = "no progress on the terminal"},                                                       \
    {                                                                                              \
        .name = "verbose", .letter = 'v', .kind = CLI_FLAG,                                        \
        .offset = offsetof(type, common.verbose), .help = "the library's notes on stderr"          \
    }

/* Which images, and how they reach the network. */
typedef struct cli_data {
    const char *spec, *labels, *mean, *std;
    cli_range images;
    int64_t resize, crop; /* -1: absent */
} cli_data;

#define CLI_DATA_OPTIONS(type, member)                                                             \
    {.name = "data",                                                                               \
     .kind = CLI_TEXT,                                                                             \
     .argument = "SPEC",                                                                           \
     .offset = offsetof(type, member.spec),                                                        \
     .help = "fashion-mnist, mnist, cifar10 or cifar100 (:train or :test), dir:PATH, "             \
             "idx:IMAGES,LABELS, cifar:FILE[,FILE], npy:IMAGES,LABELS or a path"},                 \
        {.name = "images",                                                                         \
         .kind = CLI_RANGE,                                                                        \
         .argument = "N|A-B",                                                                      \
         .offset = offsetof(type, member.images),                                                  \
         .help = "the first N images, or A to B counted from 0",                                   \
         .fallback = "all"},                                                                       \
        {.name = "labels",                                                                         \
         .kind = CLI_TEXT,                                                                         \
         .argument = "FILE",                                                                       \
         .offset = offsetof(type, member.labels),                                                  \
         .help = "class names of dir:PATH in order, one a line",                                   \
         .fallback = "the sorted folders"},                                                        \
        {.name = "resize",                                                                         \
         .kind = CLI_COUNT,                                                                        \
         .argument = "N",                                                                          \
         .offset = offsetof(type, member.resize),                                                  \
         .low = 0,                                                                                 \
         .high = 65536,                                                                            \
         .help = "shorter side in pixels; 0: none",                                                \
         .fallback = CLI_AS_MODEL},                                                                \
        {.name = "crop",                                                                           \
         .kind = CLI_COUNT,                                                                        \
         .argument = "N",                                                                          \
         .offset = offsetof(type, member.crop),                                                    \
         .low = 0,                                                                                 \
         .high = 65536,                                                                            \
         .help = "centre crop in pixels; 0: none",                                                 \
         .fallback = CLI_AS_MODEL},                                                                \
        {.name = "mean",                                                                           \
         .kind = CLI_TEXT,                                                                         \
         .argument = "A,B,C",                                                                      \
         .offset = offsetof(type, member.mean),                                                    \
         .help = "subtracted from each channel",                                                   \
         .fallback = CLI_AS_MODEL},                                                                \
    {                                                                                              \
        .name = "std", .kind = CLI_TEXT, .argument = "A,B,C",                                      \
        .offset = offsetof(type, member.std), .help = "each channel is divided by it",             \
        .fallback = CLI_AS_MODEL                                                                   \
    }

#define CLI_AS_MODEL "as the model's metadata or the known set says"

void cli_data_default(cli_data *data);
/* Opens what the options name. */
stoic_status cli_data_open(const cli_data *data, const stoic_model *model, stoic_dataset **out,
                           stoic_error *err);
/* The part of a known data set that is meant where only its name is given: "cifar10" becomes
 * "cifar10:train" or "cifar10:test"; every other spec is returned as it is. */
const char *cli_data_part(const char *spec, bool train);
/* The test part of a known set whose training part `spec` names, or NULL. */
const char *cli_data_test_of(const char *spec);
/* The options as one shell-quoted text, and back: a campaign file keeps it for `replay`. */
stoic_status cli_data_text(const cli_data *data, char **text, stoic_error *err);
stoic_status cli_data_parse(char *text, cli_data *data, stoic_error *err);

/* Checks that the verb got `low` to `high` arguments; `what` names them. */
stoic_status cli_call_expect(const cli_call *call, size_t low, size_t high, const char *what,
                             stoic_error *err);
/* Checks before anything is computed that the output (may be NULL) can be made: its folder can be
 * written to. What lies there is replaced, but for a campaign: that is refused. */
stoic_status cli_output_check(const char *output, stoic_error *err);
/* Is the output one of the verb's arguments? */
bool cli_call_reads(const cli_call *call, const char *output);
/* The check, and that the output is none of the files that the verb reads. */
stoic_status cli_call_keeps(const cli_call *call, const char *output, stoic_error *err);
/* The same for the files that a spec names, as in "list:FILE", "idx:IMAGES,LABELS" or "fixed=FILE";
 * `spec` may be NULL. */
stoic_status cli_spec_keeps(const char *spec, const char *output, stoic_error *err);
/* Checks that a value was given: "missing --data SPEC". */
stoic_status cli_require(const char *value, const char *option, stoic_error *err);

/* Seconds on a clock that only goes forward. */
double cli_seconds(void);

/* From here on a first Ctrl-C, SIGTERM or SIGHUP only sets what is returned, for the library's
 * `cancel`; a second one of the first two ends the program at once. */
const volatile int *cli_interrupt_catch(void);
/* Prints the command line that goes on to stderr, with `option` (may be NULL) in it. */
void cli_interrupt_tell(const cli_call *call, const char *option);
/* The same for a study that was stopped: its campaigns are in the folder `keep`, if that is given.
 * Passes on any other status. */
stoic_status cli_interrupt_study(const cli_call *call, const char *keep, stoic_status status,
                                 stoic_error *err);

/* Shell-quotes `word` and appends it, with a space before all but the first. */
void cli_quote(FILE *file, const char *word, bool first);

/* Used in several examples: small, and repeating it finds its work done. */
#define CLI_EXAMPLE_MODEL "models/lenet5-fashion-mnist.onnx"
#define CLI_EXAMPLE_RUN                                                                            \
    "stoic inject " CLI_EXAMPLE_MODEL " --data fashion-mnist --images 100 \\\n"                    \
    "      --fault flips:1 -o run.db"

#endif
