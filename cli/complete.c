#include "complete.h"

#include <ctype.h>
#include <string.h>

#include "stoic/dataset.h"
#include "stoic/fault.h"
#include "stoic/harden.h"
#include "stoic/map_fault.h"
#include "stoic/op_fault.h"
#include "stoic/store.h"
#include "verb.h"

/* What is being completed: candidates begin with `word`, and are printed behind `before`. */
typedef struct completion {
    FILE *file;
    const char *word;
    const char *before; /* "--format=" */
} completion;

/* The first `length` characters of `text`, and `behind`. */
static void offer(const completion *c, const char *head, const char *text, size_t length,
                  const char *behind) {
    char whole[256];
    int size = snprintf(whole, sizeof whole, "%s%.*s%s", head, (int)length, text, behind);
    if (size > 0 && (size_t)size < sizeof whole && !strncmp(whole, c->word, strlen(c->word)))
        fprintf(c->file, "%s%s\n", c->before, whole);
}

static void offer_word(const completion *c, const char *head, const char *text) {
    offer(c, head, text, strlen(text), "");
}

/* "one|two:N|three[:Q]", the names alone; a colon where an argument must follow. */
static void offer_usage(const completion *c, const char *head, const char *usage) {
    size_t length = strcspn(usage, ":[");
    offer(c, head, usage, length, usage[length] == ':' ? ":" : "");
}

static void offer_choices(const completion *c, const char *choices) {
    while (*choices) {
        choices += strspn(choices, " |");
        offer(c, "", choices, strcspn(choices, "|[: "), "");
        choices += strcspn(choices, "|");
    }
}

/* "table|csv|json" or "cosine[:MIN]|none", but not "N|A-B": names are written small. */
static bool are_choices(const char *argument) {
    if (!strchr(argument, '|'))
        return false;
    for (const char *word = argument; word; word = strchr(word, '|')) {
        word += strspn(word, " |");
        if (!islower((unsigned char)*word))
            return false;
    }
    return true;
}

/* ---- what options take ---- */

static void offer_data(const completion *c, const char *head) {
    static const char *const kinds[] = {"dir:", "idx:", "cifar:", "npy:"};
    const char *name;
    for (size_t i = 0; (name = stoic_dataset_known(i)); i++) {
        offer(c, head, name, strlen(name), "");
        offer(c, head, name, strlen(name), ":train");
        offer(c, head, name, strlen(name), ":test");
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        offer_word(c, head, kinds[i]);
}

static void offer_stores(const completion *c, const char *head) {
    const char *usage;
    for (size_t i = 0; (usage = stoic_store_format(i)); i++)
        offer_usage(c, head, usage);
}

static void offer_passes(const completion *c, const char *head) {
    for (size_t i = 0; i < stoic_pass_count(); i++)
        offer_usage(c, head, stoic_pass_usage(i));
}

static void offer_faults(const completion *c, const char *head) {
#define STORED(enumerator, name, argument, summary)                                                \
    offer(c, head, name, strlen(name), *(argument) ? ":" : "");
#define COMPUTED(enumerator, name, summary) offer_word(c, head, PREFIX name);
    STOIC_FAULT_LIST(STORED)
#define PREFIX "map:"
    STOIC_MAP_LIST(COMPUTED)
#undef PREFIX
#define PREFIX "op:"
    STOIC_OP_FAULT_LIST(COMPUTED)
#undef PREFIX
#undef STORED
#undef COMPUTED
}

static void offer_protections(const completion *c, const char *head) {
    static const char *const heads[] = {"model:", "all"};
    for (size_t i = 0; i < 2; i++)
        offer_word(c, head, heads[i]);
    offer_stores(c, "store:");
    offer_passes(c, "pass:");
}

static void offer_zoo(const completion *c) {
    for (size_t i = 0; i < stoic_zoo_count(); i++)
        offer_word(c, "", stoic_zoo_name(i));
}

static void offer_verbs(const completion *c) {
    for (size_t i = 0; cli_verbs[i]; i++)
        offer_word(c, "", cli_verbs[i]->name);
}

static const struct by_name {
    const char *option;
    void (*offer)(const completion *c, const char *head);
} by_name[] = {
    {"data", offer_data},        {"test", offer_data},   {"profile", offer_data},
    {"store", offer_stores},     {"pass", offer_passes}, {"fault", offer_faults},
    {"with", offer_protections},
};

static void offer_values(const completion *c, const cli_option *option) {
    for (size_t i = 0; i < sizeof by_name / sizeof *by_name; i++) {
        if (!strcmp(by_name[i].option, option->name)) {
            by_name[i].offer(c, "");
            return;
        }
    }
    if (option->argument && are_choices(option->argument))
        offer_choices(c, option->argument);
}

/* ---- where the cursor is ---- */

/* The option that `word` names, whole ("--name", "-n") or up to its "=". */
static const cli_option *find_option(const cli_verb *verb, const char *word, size_t length) {
    for (const cli_option *o = verb->options; o->name; o++) {
        if (length > 2 && !strncmp(word, "--", 2) && strlen(o->name) == length - 2 &&
            !strncmp(word + 2, o->name, length - 2))
            return o;
        if (length == 2 && word[0] == '-' && o->letter && word[1] == o->letter)
            return o;
    }
    return NULL;
}

static void offer_options(const completion *c, const cli_verb *verb) {
    for (const cli_option *o = verb->options; o->name; o++)
        offer_word(c, "--", o->name);
    offer_word(c, "--", "help");
}

static void offer_arguments(const completion *c, const cli_verb *verb) {
    if (!strcmp(verb->name, "new"))
        offer_zoo(c);
    else if (!strcmp(verb->name, "help"))
        offer_verbs(c);
    else if (are_choices(verb->arguments)) /* "scaling|bits|sensitivity …" */
        offer_choices(c, verb->arguments);
}

void cli_complete(FILE *file, int n, const char *const *words) {
    completion c = {file, n > 0 ? words[n - 1] : "", ""};
    char before[128];
    if (n <= 2) {
        offer_verbs(&c);
        return;
    }
    const cli_verb *verb = cli_verb_find(words[1]);
    if (!verb)
        return;
    const char *equals = strchr(c.word, '=');
    if (!strncmp(c.word, "--", 2) && equals) {
        const cli_option *option = find_option(verb, c.word, (size_t)(equals - c.word));
        snprintf(before, sizeof before, "%.*s", (int)(equals + 1 - c.word), c.word);
        c.before = before;
        c.word = equals + 1;
        if (option && option->kind != CLI_FLAG)
            offer_values(&c, option);
        return;
    }
    const cli_option *last = find_option(verb, words[n - 2], strlen(words[n - 2]));
    if (last && last->kind != CLI_FLAG)
        offer_values(&c, last);
    else if (*c.word == '-')
        offer_options(&c, verb);
    else
        offer_arguments(&c, verb);
}
