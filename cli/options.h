/*
 * Declarative option tables: a verb lists what it takes, and parsing, --help, the man page and
 * the suggestions for misspelt names all come from that list.
 *
 * A table entry points into a verb's settings structure by offset; defaults are whatever the
 * structure holds before parsing, and that is what --help shows.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "stoic/status.h"

typedef enum cli_option_kind {
    CLI_FLAG,     /* bool */
    CLI_TEXT,     /* const char *, NULL when absent */
    CLI_COUNT,    /* int64_t from low to high */
    CLI_FRACTION, /* double between 0 and 1, both excluded */
    CLI_NUMBER,   /* double from low to high; INT64_MAX: no upper bound */
    CLI_BYTES,    /* int64_t */
    CLI_CHOICE,   /* int: position in `argument`, which is "one|two|three" */
    CLI_RANGE,    /* cli_range: "N" the first N, "A-B" from A to B */
    CLI_LIST,     /* cli_words: may be given several times */
} cli_option_kind;

typedef struct cli_range {
    int64_t first, count; /* count -1: to the end */
} cli_range;

typedef struct cli_words {
    const char **items;
    size_t count;
} cli_words;

typedef struct cli_option {
    const char *name; /* without dashes; NULL ends a table */
    char letter;      /* -o; 0: none */
    cli_option_kind kind;
    const char *argument;
    size_t offset;
    int64_t low, high;
    const char *help;
    const char *fallback; /* what leaving it out means, where the value itself does not say so */
} cli_option;

/* Reads `argc` words (without program and verb) into `settings`; what is not an option lands in
 * `arguments`, in order. Options may stand anywhere, "--" ends them. -h and --help set *help.
 * Values point into argv. Fails with STOIC_ERR_ARGUMENT. */
stoic_status cli_options_parse(const cli_option *table, void *settings, int argc, char *const *argv,
                               cli_words *arguments, bool *help, stoic_error *err);
/* Frees the lists in `settings`. */
void cli_options_deinit(const cli_option *table, void *settings);

/* "--name ARGUMENT" or "-o, --output FILE". */
void cli_option_usage(const cli_option *option, char *text, size_t size);
/* What --help says behind "default": false where there is nothing to say. */
bool cli_option_default(const cli_option *option, const void *settings, char *text, size_t size);

/* Reads "N" or "A-B". */
stoic_status cli_range_parse(const char *text, const char *what, cli_range *out, stoic_error *err);
/* The position of `word` in "one|two|three"; the message suggests the nearest. */
stoic_status cli_choice_parse(const char *choices, const char *word, const char *what, int *out,
                              stoic_error *err);

void cli_words_deinit(cli_words *words);

/* Like the library's own failures: fills `err` and returns `code`. */
stoic_status cli_fail(stoic_error *err, stoic_status code, const char *place, const char *fmt, ...)
    STOIC_PRINTF(4, 5);
stoic_status cli_fail_errno(stoic_error *err, const char *place, const char *what);
stoic_status cli_fail_memory(stoic_error *err);

/* Forward a failure: in a function whose clean-up stands after the label `done`. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != STOIC_OK)                                                                    \
            goto done;                                                                             \
    } while (0)

#endif
