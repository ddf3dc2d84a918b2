/* The list of codes, and the code that adds nothing. */
#include "store/code.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"

uint64_t stoic_word_get(const stoic_word *word, int at, int count) {
    int part = at / 64, shift = at % 64;
    uint64_t bits = word->part[part] >> shift;
    if (shift && shift + count > 64)
        bits |= word->part[part + 1] << (64 - shift);
    return count == 64 ? bits : bits & (((uint64_t)1 << count) - 1);
}

void stoic_word_put(stoic_word *word, int at, int count, uint64_t bits) {
    int part = at / 64, shift = at % 64;
    uint64_t mask = count == 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
    bits &= mask;
    word->part[part] = (word->part[part] & ~(mask << shift)) | bits << shift;
    if (shift && shift + count > 64)
        word->part[part + 1] =
            (word->part[part + 1] & ~(mask >> (64 - shift))) | bits >> (64 - shift);
}

void stoic_parity_fill(stoic_parity *out, const uint8_t columns[64]) {
    memset(out, 0, sizeof *out);
    for (int bit = 0; bit < 64; bit++) {
        for (int j = 0; j < 8; j++)
            out->masks[j] |= (uint64_t)(columns[bit] >> j & 1) << bit;
        for (int value = 0; value < 16; value++) {
            if (value >> bit % 4 & 1)
                out->nibbles[bit / 4][value] ^= columns[bit];
        }
    }
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

static stoic_verdict decode_none(const stoic_code *code, const stoic_word *word, uint32_t side,
                                 int n, uint64_t *data) {
    (void)code;
    (void)side;
    (void)n;
    data[0] = word->part[0];
    return STOIC_WORD_CLEAN;
}

static stoic_bit_role role_none(const stoic_code *code, int bit, uint32_t side) {
    (void)code;
    (void)bit;
    (void)side;
    return STOIC_BIT_DATA;
}

const stoic_code_family stoic_code_none = {"none",      "",        plan_none, encode_none,
                                           decode_none, role_none, NULL,      "nothing"};

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
