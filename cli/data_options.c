/* The options that name a data set: opened, and kept as text for a later `replay`. */
#include <stdlib.h>
#include <string.h>

#include "verb.h"

void cli_data_default(cli_data *data) {
    memset(data, 0, sizeof *data);
    data->images.count = -1;
    data->resize = data->crop = -1;
}

/* The names that the help texts list. */
#define KNOWN_SET(name)                                                                            \
    { name, name ":train", name ":test" }
static const struct {
    const char *name, *train, *test;
} known_sets[] = {KNOWN_SET("fashion-mnist"), KNOWN_SET("mnist"), KNOWN_SET("cifar10"),
                  KNOWN_SET("cifar100")};
enum { KNOWN_SETS = sizeof known_sets / sizeof *known_sets };

const char *cli_data_part(const char *spec, bool train) {
    for (int i = 0; spec && i < KNOWN_SETS; i++) {
        if (!strcmp(spec, known_sets[i].name))
            return train ? known_sets[i].train : known_sets[i].test;
    }
    return spec;
}

const char *cli_data_test_of(const char *spec) {
    for (int i = 0; spec && i < KNOWN_SETS; i++) {
        if (!strcmp(spec, known_sets[i].name) || !strcmp(spec, known_sets[i].train))
            return known_sets[i].test;
    }
    return NULL;
}

stoic_status cli_data_open(const cli_data *data, const stoic_model *model, stoic_dataset **out,
                           stoic_error *err) {
    stoic_dataset_options options = stoic_dataset_options_default();
    stoic_status status = cli_require(data->spec, "--data SPEC", err);
    if (status != STOIC_OK)
        return status;
    options.first = data->images.first;
    options.count = data->images.count;
    options.labels = data->labels;
    options.resize = (int)data->resize;
    options.crop = (int)data->crop;
    options.mean = data->mean;
    options.std = data->std;
    options.model = model;
    return stoic_dataset_open(data->spec, &options, out, err);
}

static void put_text(FILE *file, const char *option, const char *value) {
    if (value) {
        cli_quote(file, option, false);
        cli_quote(file, value, false);
    }
}

static void put_count(FILE *file, const char *option, int64_t value) {
    if (value >= 0)
        fprintf(file, " %s %lld", option, (long long)value);
}

stoic_status cli_data_text(const cli_data *data, char **text, stoic_error *err) {
    size_t size = 0;
    *text = NULL;
    FILE *file = open_memstream(text, &size);
    if (!file)
        return cli_fail_memory(err);
    cli_quote(file, data->spec, true);
    if (data->images.count >= 0)
        fprintf(file, " --images %lld-%lld", (long long)data->images.first,
                (long long)(data->images.first + data->images.count - 1));
    put_text(file, "--labels", data->labels);
    put_count(file, "--resize", data->resize);
    put_count(file, "--crop", data->crop);
    put_text(file, "--mean", data->mean);
    put_text(file, "--std", data->std);
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad || !*text) {
        free(*text);
        *text = NULL;
        return cli_fail_memory(err);
    }
    return STOIC_OK;
}

/* Unquotes the word at *text in place and moves *text behind it; NULL at the end. */
static char *next_word(char **text) {
    char *from = *text + strspn(*text, " "), *to = from, *word = from;
    bool quoted = false;
    if (!*from)
        return NULL;
    for (; *from && (quoted || *from != ' '); from++) {
        if (*from == '\'')
            quoted = !quoted;
        else if (!quoted && from[0] == '\\' && from[1])
            *to++ = *++from;
        else
            *to++ = *from;
    }
    *text = *from ? from + 1 : from;
    *to = '\0';
    return word;
}

stoic_status cli_data_parse(char *text, cli_data *data, stoic_error *err) {
    typedef struct settings {
        cli_data data;
    } settings;
    static const cli_option table[] = {CLI_DATA_OPTIONS(settings, data), {.name = NULL}};
    enum { MAX_WORDS = 32 };
    char *words[MAX_WORDS];
    int n = 0;
    bool help = false;
    settings read;
    cli_words arguments = {NULL, 0};
    cli_data_default(&read.data);
    for (char *word; n < MAX_WORDS && (word = next_word(&text));)
        words[n++] = word;
    stoic_status status = cli_options_parse(table, &read, n, words, &arguments, &help, err);
    if (status == STOIC_OK && arguments.count != 1)
        status = cli_fail(err, STOIC_ERR_FORMAT, "", "expected one data set in the campaign file");
    if (status == STOIC_OK) {
        read.data.spec = arguments.items[0];
        *data = read.data;
    }
    cli_words_deinit(&arguments);
    return status;
}
