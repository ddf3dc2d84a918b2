#include "options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stoic/parse.h"

enum { MAX_NAMES = 64 };

static void *slot(const cli_option *option, void *settings) {
    return (char *)settings + option->offset;
}

static bool takes_value(const cli_option *option) {
    return option->kind != CLI_FLAG;
}

static const cli_option *find_name(const cli_option *table, const char *name, size_t length) {
    for (; table->name; table++) {
        if (strlen(table->name) == length && !memcmp(table->name, name, length))
            return table;
    }
    return NULL;
}

static const cli_option *find_letter(const cli_option *table, char letter) {
    for (; table->name; table++) {
        if (table->letter == letter)
            return table;
    }
    return NULL;
}

/* `word` as it stands in argv, without a value. */
static stoic_status fail_unknown(const cli_option *table, const char *word, size_t length,
                                 stoic_error *err) {
    const char *known[MAX_NAMES + 2];
    size_t n = 0;
    char name[80];
    for (; table->name && n < MAX_NAMES; table++)
        known[n++] = table->name;
    known[n++] = "help";
    known[n] = NULL;
    snprintf(name, sizeof name, "%.*s", (int)(length < 79 ? length : 79), word);
    const char *near = name[0] == '-' && name[1] == '-' ? stoic_nearest(name + 2, known) : NULL;
    if (near)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "", "unknown option '%s'; did you mean '--%s'?",
                        name, near);
    return cli_fail(err, STOIC_ERR_ARGUMENT, "", "unknown option '%s'", name);
}

stoic_status cli_choice_parse(const char *choices, const char *word, const char *what, int *out,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    const char *known[MAX_NAMES + 1];
    int n = 0;
    char *rest, *copy = strdup(choices);
    if (!copy)
        return cli_fail_memory(err);
    for (char *name = strtok_r(copy, "|", &rest); name && n < MAX_NAMES;
         name = strtok_r(NULL, "|", &rest)) {
        if (!strcmp(name, word)) {
            *out = n;
            goto done;
        }
        known[n++] = name;
    }
    known[n] = NULL;
    const char *near = stoic_nearest(word, known);
    status = cli_fail(err, STOIC_ERR_ARGUMENT, what, "expected %s, found '%s'%s%s%s", choices, word,
                      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
done:
    free(copy);
    return status;
}

stoic_status cli_range_parse(const char *text, const char *what, cli_range *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *dash, *copy = strdup(text);
    int64_t last;
    if (!copy)
        return cli_fail_memory(err);
    dash = strchr(copy, '-');
    if (!dash || dash == copy) { /* a leading '-' is a negative number: refused as a count */
        out->first = 0;
        TRY(stoic_parse_count(copy, what, 1, INT64_MAX, &out->count, err));
        goto done;
    }
    *dash = '\0';
    TRY(stoic_parse_count(copy, what, 0, INT64_MAX - 1, &out->first, err));
    TRY(stoic_parse_count(dash + 1, what, out->first, INT64_MAX - 1, &last, err));
    out->count = last - out->first + 1;
done:
    free(copy);
    return status;
}

static stoic_status append(cli_words *words, const char *word, size_t room, stoic_error *err) {
    if (!words->items) {
        words->items = calloc(room, sizeof *words->items);
        if (!words->items)
            return cli_fail_memory(err);
    }
    words->items[words->count++] = word;
    return STOIC_OK;
}

static stoic_status parse_fraction(const char *text, const char *what, double *out,
                                   stoic_error *err) {
    double value;
    stoic_status status = stoic_parse_number(text, what, &value, err);
    if (status != STOIC_OK)
        return status;
    if (!(value > 0.0 && value < 1.0))
        return cli_fail(err, STOIC_ERR_ARGUMENT, "",
                        "%s: expected a fraction between 0 and 1, found '%s'", what, text);
    *out = value;
    return STOIC_OK;
}

static stoic_status parse_number(const cli_option *option, const char *text, const char *what,
                                 double *out, stoic_error *err) {
    double value;
    bool bounded = option->high != INT64_MAX;
    stoic_status status = stoic_parse_number(text, what, &value, err);
    if (status != STOIC_OK)
        return status;
    if (isfinite(value) && value >= (double)option->low &&
        (!bounded || value <= (double)option->high)) {
        *out = value;
        return STOIC_OK;
    }
    if (bounded)
        return cli_fail(err, STOIC_ERR_ARGUMENT, "",
                        "%s: expected a number from %lld to %lld, found '%s'", what,
                        (long long)option->low, (long long)option->high, text);
    return cli_fail(err, STOIC_ERR_ARGUMENT, "", "%s: expected a number from %lld on, found '%s'",
                    what, (long long)option->low, text);
}

/* `room`: how often an option can be given at most. */
static stoic_status set_value(const cli_option *option, void *settings, const char *value,
                              size_t room, stoic_error *err) {
    void *to = slot(option, settings);
    char what[64];
    snprintf(what, sizeof what, "--%s", option->name);
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)to = true;
        return STOIC_OK;
    case CLI_TEXT:
        if (!*value)
            return cli_fail(err, STOIC_ERR_ARGUMENT, what, "expected %s, found nothing",
                            option->argument);
        *(const char **)to = value;
        return STOIC_OK;
    case CLI_COUNT:
        return stoic_parse_count(value, what, option->low, option->high, to, err);
    case CLI_FRACTION:
        return parse_fraction(value, what, to, err);
    case CLI_NUMBER:
        return parse_number(option, value, what, to, err);
    case CLI_BYTES:
        return stoic_parse_bytes(value, what, to, err);
    case CLI_CHOICE:
        return cli_choice_parse(option->argument, value, what, to, err);
    case CLI_RANGE:
        return cli_range_parse(value, what, to, err);
    case CLI_LIST:
        return append(to, value, room, err);
    }
    return cli_fail(err, STOIC_ERR_INTERNAL, what, "option of no kind");
}

/* One option at argv[*at]: finds it and its value, and leaves *at at its last word. */
static stoic_status parse_option(const cli_option *table, void *settings, int argc,
                                 char *const *argv, int *at, stoic_error *err) {
    const char *word = argv[*at], *value = NULL;
    const cli_option *option;
    if (word[1] == '-') {
        size_t length = strcspn(word, "=");
        option = find_name(table, word + 2, length - 2);
        if (!option)
            return fail_unknown(table, word, length, err);
        if (word[length] == '=')
            value = word + length + 1;
    } else {
        option = find_letter(table, word[1]);
        if (!option || (word[2] && !takes_value(option)))
            return fail_unknown(table, word, strlen(word), err);
        if (word[2])
            value = word + 2;
    }
    if (value && !takes_value(option))
        return cli_fail(err, STOIC_ERR_ARGUMENT, "", "option '--%s' takes no value, found '%s'",
                        option->name, value);
    if (!value && takes_value(option)) {
        if (*at + 1 >= argc)
            return cli_fail(err, STOIC_ERR_ARGUMENT, "", "option '--%s' needs a value: %s",
                            option->name, option->argument);
        value = argv[++*at];
    }
    return set_value(option, settings, value, (size_t)argc, err);
}

stoic_status cli_options_parse(const cli_option *table, void *settings, int argc, char *const *argv,
                               cli_words *arguments, bool *help, stoic_error *err) {
    stoic_status status = STOIC_OK;
    bool open = true; /* until "--" */
    for (int i = 0; i < argc && status == STOIC_OK; i++) {
        const char *word = argv[i];
        if (!open || word[0] != '-' || !word[1])
            status = append(arguments, word, (size_t)argc, err);
        else if (!strcmp(word, "--"))
            open = false;
        else if (!strcmp(word, "--help") || !strcmp(word, "-h"))
            *help = true;
        else
            status = parse_option(table, settings, argc, argv, &i, err);
    }
    return status;
}

void cli_words_deinit(cli_words *words) {
    free(words->items);
    words->items = NULL;
    words->count = 0;
}

void cli_options_deinit(const cli_option *table, void *settings) {
    for (; table->name; table++) {
        if (table->kind == CLI_LIST)
            cli_words_deinit(slot(table, settings));
    }
}

void cli_option_usage(const cli_option *option, char *text, size_t size) {
    char letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(text, size, "%s--%s%s%s", letter, option->name, takes_value(option) ? " " : "",
             takes_value(option) ? option->argument : "");
}

/* Entry `index` of "one|two|three". */
static void choice_name(const char *choices, int index, char *text, size_t size) {
    for (; index > 0; index--)
        choices += strcspn(choices, "|") + 1;
    snprintf(text, size, "%.*s", (int)strcspn(choices, "|"), choices);
}

bool cli_option_default(const cli_option *option, const void *settings, char *text, size_t size) {
    const void *from = (const char *)settings + option->offset;
    if (option->fallback) {
        snprintf(text, size, "%s", option->fallback);
        return true;
    }
    switch (option->kind) {
    case CLI_FLAG:
    case CLI_LIST:
    case CLI_RANGE:
        return false;
    case CLI_TEXT:
        if (!*(const char *const *)from)
            return false;
        snprintf(text, size, "%s", *(const char *const *)from);
        return true;
    case CLI_COUNT:
    case CLI_BYTES:
        snprintf(text, size, "%lld", (long long)*(const int64_t *)from);
        return true;
    case CLI_FRACTION:
        snprintf(text, size, "%g", *(const double *)from);
        return *(const double *)from > 0.0;
    case CLI_NUMBER:
        snprintf(text, size, "%g", *(const double *)from);
        return true;
    case CLI_CHOICE:
        choice_name(option->argument, *(const int *)from, text, size);
        return true;
    }
    return false;
}
