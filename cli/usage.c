#include "usage.h"

#include <stdlib.h>
#include <string.h>

#include "stoic/version.h"

enum { HELP_COLUMN = 26, HELP_WIDTH = 98 };

/* `text` from column `at` on, broken at blanks, later lines indented to `indent`. */
static void wrap(FILE *file, const char *text, int at, int indent) {
    int column = at;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > HELP_WIDTH) {
            fprintf(file, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', file);
            column++;
        }
        fwrite(text, 1, (size_t)length, file);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', file);
}

void *cli_usage_settings(const cli_verb *verb) {
    void *settings = calloc(1, verb->settings_size);
    if (settings && verb->defaults)
        verb->defaults(settings);
    return settings;
}

void cli_usage_option(const cli_option *option, const void *settings, char *text, size_t size) {
    char value[128];
    if (cli_option_default(option, settings, value, sizeof value))
        snprintf(text, size, "%s (default: %s)", option->help, value);
    else
        snprintf(text, size, "%s%s", option->help,
                 option->kind == CLI_LIST ? "; may be given several times" : "");
}

static void print_option(FILE *file, const cli_option *option, const void *settings) {
    char usage[128], text[512];
    cli_option_usage(option, usage, sizeof usage);
    cli_usage_option(option, settings, text, sizeof text);
    int length = fprintf(file, "  %s", usage);
    if (length + 2 > HELP_COLUMN)
        fprintf(file, "\n%*s", HELP_COLUMN, "");
    else
        fprintf(file, "%*s", HELP_COLUMN - length, "");
    wrap(file, text, HELP_COLUMN, HELP_COLUMN);
}

stoic_status cli_usage_verb(FILE *file, const cli_verb *verb, stoic_error *err) {
    void *settings = cli_usage_settings(verb);
    if (!settings)
        return cli_fail_memory(err);
    fprintf(file, "usage: stoic %s%s%s [OPTIONS]\n\n", verb->name, *verb->arguments ? " " : "",
            verb->arguments);
    wrap(file, verb->text, 0, 0);
    fputs("\nOptions\n", file);
    for (const cli_option *option = verb->options; option->name; option++)
        print_option(file, option, settings);
    fprintf(file, "  -h, --help%*sthis text\n", HELP_COLUMN - 12, "");
    fputs("\nExamples\n", file);
    for (size_t i = 0; i < 2; i++)
        fprintf(file, "  %s\n", verb->examples[i]);
    free(settings);
    return STOIC_OK;
}

void cli_usage_overview(FILE *file) {
    fprintf(file, "stoic %s: what bit flips do to a neural network\n\n", stoic_version());
    fputs("usage: stoic VERB [ARGUMENTS] [OPTIONS]\n\nVerbs\n", file);
    for (size_t i = 0; cli_verbs[i]; i++)
        fprintf(file, "  %-10s%s\n", cli_verbs[i]->name, cli_verbs[i]->summary);
    fputs("\n'stoic VERB --help' shows a verb's options and two examples.\n", file);
}
