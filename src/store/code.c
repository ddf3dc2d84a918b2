/* The list of codes, and the code that adds nothing. */
#include "store/code.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"

stoic_words stoic_code_words(const stoic_code *code) {
    return (stoic_words){.data = code->data,
                         .weights = code->weights,
                         .redundant = code->redundant,
                         .word = code->word,
                         .copied = code->copied,
                         .secded = code->secded,
                         .pairs = code->pairs};
}

stoic_verdict stoic_code_open(const stoic_code *code, const stoic_word *word, uint32_t side, int n,
                              uint64_t *data) {
    const stoic_words words = stoic_code_words(code);
    return stoic_words_open(&words, word, side, n, data);
}

static stoic_status plan_none(stoic_code *code, const char *argument, stoic_error *err) {
    (void)argument;
    (void)err;
    code->weights = 1;
    return STOIC_OK;
}

static int encode_none(const stoic_code *code, const uint64_t *data, uint32_t side,
                       stoic_word *word) {
    (void)code;
    (void)side;
    *word = (stoic_word){{data[0]}};
    return 0;
}

static stoic_bit_role role_none(const stoic_code *code, int bit, uint32_t side) {
    (void)code;
    (void)bit;
    (void)side;
    return STOIC_BIT_DATA;
}

const stoic_code_family stoic_code_none = {"none",          "",        plan_none, encode_none,
                                           stoic_code_open, role_none, NULL,      "nothing"};

#define FAMILY(name) &stoic_code_##name,
static const stoic_code_family *const families[] = {STOIC_CODE_LIST(FAMILY) NULL};

enum { MOST_FAMILIES = 16 };

stoic_status stoic_code_parse(const char *text, const stoic_format *format, stoic_code *out,
                              stoic_error *err) {
    const char *names[MOST_FAMILIES + 1];
    size_t length = strcspn(text, ":");
    int n = 0;
    for (; families[n] && n < MOST_FAMILIES; n++) {
        const stoic_code_family *family = families[n];
        names[n] = family->name;
        if (strlen(family->name) != length || strncmp(text, family->name, length))
            continue;
        if (text[length] && !*family->argument)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "store: code '%s' takes no argument, found '%s'", family->name, text);
        if (!text[length] && *family->argument)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "store: code '%s' needs its argument, '%s:%s'", family->name,
                              family->name, family->argument);
        *out = (stoic_code){.family = family, .format = format, .data = format->bits};
        snprintf(out->name, sizeof out->name, "%s", family->name);
        stoic_status status = family->plan(out, text[length] ? text + length + 1 : "", err);
        out->word = out->weights * out->data + out->redundant;
        return status;
    }
    names[n] = NULL;
    const char *near = stoic_nearest(text, names);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "store: unknown code '%s'%s%s%s", text,
                      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}
