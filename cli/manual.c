/* The man pages, as troff: stoic(1) and one a verb, from the tables that give --help. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "stoic/version.h"
#include "usage.h"

enum { SOURCE_WIDTH = 68 };

/* What is typed must come out as typed: a dash, no hyphen; quotes upright, not curled. */
static void put_character(FILE *file, char c) {
    static const char special[] = "-\\'`^~";
    static const char *const spelled[] = {"\\-", "\\e", "\\(aq", "\\(ga", "\\(ha", "\\(ti"};
    const char *found = c ? strchr(special, c) : NULL;
    if (found)
        fputs(spelled[found - special], file);
    else
        fputc(c, file);
}

/* As it stands, line by line. A dot that begins a line is a character, no command. */
static void put_lines(FILE *file, const char *text) {
    for (bool start = true; *text; text++) {
        if (start && *text == '.')
            fputs("\\&", file);
        put_character(file, *text);
        start = *text == '\n';
    }
    fputc('\n', file);
}

/* Running text, in source lines of a decent length. */
static void put_text(FILE *file, const char *text) {
    int column = 0;
    while (*text) {
        int length = (int)strcspn(text, " \n");
        if (column > 0 && column + 1 + length > SOURCE_WIDTH) {
            fputc('\n', file);
            column = 0;
        } else if (column > 0) {
            fputc(' ', file);
            column++;
        }
        if (column == 0 && *text == '.')
            fputs("\\&", file);
        for (int i = 0; i < length; i++)
            put_character(file, text[i]);
        column += length;
        text += length;
        text += strspn(text, " \n");
    }
    fputc('\n', file);
}

static void put_head(FILE *file, const char *verb, const char *summary) {
    fputs(".\\\" Made by the command itself: stoic help --man\n.TH STOIC", file);
    if (verb) {
        fputs("\\-", file);
        for (const char *at = verb; *at; at++)
            fputc(toupper((unsigned char)*at), file);
    }
    fprintf(file, " 1 \"%s\" \"stoic %s\" \"User Commands\"\n.nh\n.SH NAME\nstoic%s%s \\- ",
            STOIC_RELEASED, stoic_version(), verb ? "\\-" : "", verb ? verb : "");
    put_text(file, summary);
}

static void put_option(FILE *file, const char *usage, const char *text) {
    fputs(".TP\n.B ", file);
    put_lines(file, usage);
    put_text(file, text);
}

static stoic_status put_verb(FILE *file, const cli_verb *verb, stoic_error *err) {
    char usage[128], text[512];
    void *settings = cli_usage_settings(verb);
    if (!settings)
        return cli_fail_memory(err);
    put_head(file, verb->name, verb->summary);
    fprintf(file, ".SH SYNOPSIS\n.B stoic %s\n", verb->name);
    if (*verb->arguments)
        put_text(file, verb->arguments);
    fputs("[OPTIONS]\n.SH DESCRIPTION\n", file);
    put_text(file, verb->text);
    fputs(".SH OPTIONS\n", file);
    for (const cli_option *option = verb->options; option->name; option++) {
        cli_option_usage(option, usage, sizeof usage);
        cli_usage_option(option, settings, text, sizeof text);
        put_option(file, usage, text);
    }
    put_option(file, "-h, --help", "this text");
    fputs(".SH EXAMPLES\n.nf\n", file);
    for (size_t i = 0; i < 2; i++) {
        put_lines(file, verb->examples[i]);
        if (i == 0)
            fputs(".sp\n", file);
    }
    fputs(".fi\n.SH SEE ALSO\n.BR stoic (1)\n", file);
    free(settings);
    return STOIC_OK;
}

static void put_overview(FILE *file) {
    put_head(file, NULL, "what bit flips do to a neural network");
    fputs(".SH SYNOPSIS\n.B stoic\n.I VERB\n[ARGUMENTS] [OPTIONS]\n.SH DESCRIPTION\n", file);
    put_text(file,
             "Reads a classifier from an ONNX file, measures what faults in its stored weights "
             "and in what it computes do, says how sure it is, and hardens the network "
             "against them. Every verb has a page of its own.");
    fputs(".PP\n", file);
    put_text(file, "Data goes to standard output; progress and warnings go to standard error. "
                   "Options may stand anywhere behind the verb, as --name value or --name=value.");
    fputs(".SH VERBS\n", file);
    for (size_t i = 0; cli_verbs[i]; i++) {
        fprintf(file, ".TP\n.BR stoic\\-%s (1)\n", cli_verbs[i]->name);
        put_text(file, cli_verbs[i]->summary);
    }
    fputs(".SH EXIT STATUS\n", file);
    static const struct {
        const char *status, *meaning;
    } exits[] = {{"0", "done"},
                 {"1", "it failed; one line on standard error says what and where"},
                 {"2", "wrong usage: an option, a value, a spec"},
                 {"130", "interrupted; what was done is kept"},
                 {"141", "nobody reads the output any more"}};
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++)
        put_option(file, exits[i].status, exits[i].meaning);
    fputs(".SH ENVIRONMENT\n", file);
    put_option(file, "STOIC_DATA",
               "folder in which known data sets are looked for, each in a folder of its name; then "
               "where the distribution's package puts them");
    put_option(file, "TMPDIR", "where the files lie that gnuplot draws figures from");
    fputs(".SH EXAMPLES\n.nf\n", file);
    put_lines(file, cli_verb_eval.examples[0]);
    put_lines(file, cli_verb_inject.examples[0]);
    fputs(".fi\n.SH SEE ALSO\n.BR libstoic (3),\n.BR gnuplot (1),\n.BR sqlite3 (1)\n", file);
}

stoic_status cli_manual_print(FILE *file, const cli_verb *verb, stoic_error *err) {
    if (verb)
        return put_verb(file, verb, err);
    put_overview(file);
    return STOIC_OK;
}
