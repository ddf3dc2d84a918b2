#include "store/field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"

static void set_span(stoic_field *field, int high, int low) {
    for (int bit = low; bit <= high; bit++)
        field->bits[bit / 64] |= (uint64_t)1 << bit % 64;
}

bool stoic_field_has(const stoic_field *field, int bit) {
    return field->bits[bit / 64] >> bit % 64 & 1;
}

int stoic_field_count(const stoic_field *field) {
    int count = 0;
    for (int i = 0; i < STOIC_FIELD_PARTS; i++)
        count += __builtin_popcountll(field->bits[i]);
    return count;
}

bool stoic_field_same(const stoic_field *a, const stoic_field *b) {
    return !memcmp(a, b, sizeof *a);
}

void stoic_field_remove(stoic_field *field, const stoic_field *bits) {
    for (int i = 0; i < STOIC_FIELD_PARTS; i++)
        field->bits[i] &= ~bits->bits[i];
}

/* In the order in which a mask looks for its name: for floating point the sign is the msb. */
enum { ALL, DATA, SIGN, EXPONENT, EXPONENT_MSB, MANTISSA, MSB, REDUNDANCY, N_FIELDS };
static const char *const names[N_FIELDS + 1] = {
    "all", "data", "sign", "exponent", "exponent-msb", "mantissa", "msb", "redundancy", NULL};

/* Nothing where the format or the code has no such field. */
static stoic_field named(const stoic_format *f, int redundant, int name) {
    stoic_field field = {{0}};
    bool is_float = stoic_format_is_float(f);
    switch (name) {
    case ALL:
        set_span(&field, f->bits + redundant - 1, 0);
        break;
    case DATA:
        set_span(&field, f->bits - 1, 0);
        break;
    case SIGN:
        if (f->sign >= 0)
            set_span(&field, f->sign, f->sign);
        break;
    case EXPONENT:
        if (is_float)
            set_span(&field, f->exponent_high, f->exponent_low);
        break;
    case EXPONENT_MSB:
        if (is_float)
            set_span(&field, f->exponent_high, f->exponent_high);
        break;
    case MANTISSA:
        if (is_float)
            set_span(&field, f->exponent_low - 1, 0);
        break;
    case MSB:
        set_span(&field, f->bits - 1, f->bits - 1);
        break;
    default:
        set_span(&field, f->bits + redundant - 1, f->bits);
    }
    return field;
}

static stoic_status parse_name(const stoic_format *format, int redundant, const char *what,
                               const char *name, stoic_field *out, stoic_error *err) {
    for (int i = 0; i < N_FIELDS; i++) {
        if (strcmp(name, names[i]))
            continue;
        *out = named(format, redundant, i);
        if (!stoic_field_count(out))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "%s: %s %s has no field '%s'", what,
                              i == REDUNDANCY ? "this store of" : "format", format->name, name);
        return STOIC_OK;
    }
    const char *near = stoic_nearest(name, names);
    return stoic_fail(
        err, STOIC_ERR_ARGUMENT, "",
        "%s: unknown field '%s'%s%s%s; expected " STOIC_FIELD_NAMES ", or bits such as 30+23-26",
        what, name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* "7" or "23-26", in either direction. */
static stoic_status parse_numbers(int bits, const char *what, char *token, stoic_field *out,
                                  stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t first = 0, last = 0;
    char *dash = strchr(token, '-');
    if (dash)
        *dash = '\0';
    TRY(stoic_parse_count(token, what, 0, bits - 1, &first, err));
    last = first;
    if (dash)
        TRY(stoic_parse_count(dash + 1, what, 0, bits - 1, &last, err));
    set_span(out, (int)(first > last ? first : last), (int)(first > last ? last : first));
done:
    return status;
}

stoic_status stoic_field_parse(const stoic_format *format, int redundant, const char *what,
                               const char *text, stoic_field *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *copy = strdup(text), *token = copy;
    memset(out, 0, sizeof *out);
    if (!copy)
        return stoic_fail_memory(err, "a list of bits", strlen(text) + 1);
    while (token) {
        stoic_field part = {{0}};
        char *plus = strchr(token, '+');
        if (plus)
            *plus = '\0';
        if (!*token) {
            status = stoic_fail(err, STOIC_ERR_ARGUMENT, "", "%s: empty item in '%s'", what, text);
            goto done;
        }
        if (*token >= '0' && *token <= '9')
            TRY(parse_numbers(format->bits + redundant, what, token, &part, err));
        else
            TRY(parse_name(format, redundant, what, token, &part, err));
        for (int i = 0; i < STOIC_FIELD_PARTS; i++)
            out->bits[i] |= part.bits[i];
        token = plus ? plus + 1 : NULL;
    }
done:
    free(copy);
    return status;
}

void stoic_field_spell(const stoic_format *format, int redundant, const stoic_field *field,
                       const stoic_field *protect, char text[STOIC_FIELD_TEXT]) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < N_FIELDS; i++) {
        stoic_field whole = named(format, redundant, i);
        stoic_field_remove(&whole, protect);
        if (stoic_field_count(field) && stoic_field_same(&whole, field)) {
            snprintf(text, STOIC_FIELD_TEXT, "%s", names[i]);
            return;
        }
    }
    for (int high = format->bits + redundant - 1; high >= 0; high--) {
        int low = high;
        if (!stoic_field_has(field, high))
            continue;
        while (low > 0 && stoic_field_has(field, low - 1))
            low--;
        /* at most 96 separate items of at most 8 characters: it always fits */
        used +=
            (size_t)snprintf(text + used, STOIC_FIELD_TEXT - used, "%s%d", used ? "+" : "", low);
        if (high > low)
            used += (size_t)snprintf(text + used, STOIC_FIELD_TEXT - used, "-%d", high);
        high = low;
    }
}

const char *stoic_format_field(const stoic_format *format, int bit) {
    if (bit == format->sign)
        return "sign";
    if (stoic_format_is_float(format))
        return bit >= format->exponent_low ? "exponent" : "mantissa";
    if (format->kind == STOIC_FORMAT_FIXED)
        return bit >= format->fraction ? "integer" : "fraction";
    return "value";
}
