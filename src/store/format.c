#include "store/format.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"

static uint64_t fp32_encode(const float *weight) {
    uint32_t bits;
    memcpy(&bits, weight, sizeof bits);
    return bits;
}

static void fp32_decode(uint64_t bits, float *weight) {
    uint32_t low = (uint32_t)bits;
    memcpy(weight, &low, sizeof low);
}

const stoic_format stoic_format_fp32 = {"fp32", 32, 31, 30, 23, fp32_encode, fp32_decode};

static int same_length(int data_bits) {
    return data_bits;
}

static uint64_t identity(uint64_t bits) {
    return bits;
}

static stoic_bit_role only_data(int bit) {
    (void)bit;
    return STOIC_BIT_DATA;
}

const stoic_code stoic_code_none = {"none", same_length, identity, identity, only_data};

/* Bits low … high; none where high < low. */
static uint64_t span(int high, int low) {
    uint64_t mask = 0;
    for (int bit = low; bit <= high; bit++)
        mask |= (uint64_t)1 << bit;
    return mask;
}

enum { N_FIELDS = 6 };
/* In the order in which a mask looks for its name: for floating point the sign is the msb. */
static const char *const field_names[N_FIELDS + 1] = {
    "all", "sign", "exponent", "exponent-msb", "mantissa", "msb", NULL};

/* 0 where the format has no such field. */
static uint64_t named_mask(const stoic_format *f, int field) {
    uint64_t exponent = f->exponent_high < 0 ? 0 : span(f->exponent_high, f->exponent_low);
    switch (field) {
    case 0:
        return span(f->bits - 1, 0);
    case 1:
        return f->sign < 0 ? 0 : span(f->sign, f->sign);
    case 2:
        return exponent;
    case 3:
        return exponent ? span(f->exponent_high, f->exponent_high) : 0;
    case 4:
        return exponent ? span(f->exponent_low - 1, 0) : 0;
    default:
        return span(f->bits - 1, f->bits - 1);
    }
}

static stoic_status name_to_mask(const stoic_format *format, const char *name, uint64_t *mask,
                                 stoic_error *err) {
    for (int field = 0; field < N_FIELDS; field++) {
        if (strcmp(name, field_names[field]))
            continue;
        *mask = named_mask(format, field);
        if (!*mask)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "bits: format %s has no field '%s'",
                              format->name, name);
        return STOIC_OK;
    }
    const char *near = stoic_nearest(name, field_names);
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                      "bits: unknown field '%s'%s%s%s; expected all, sign, exponent, "
                      "exponent-msb, mantissa, msb, or bits such as 30+23-26",
                      name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* "7" or "23-26", in either direction. */
static stoic_status numbers_to_mask(const stoic_format *format, char *token, uint64_t *mask,
                                    stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t first = 0, last = 0;
    char *dash = strchr(token, '-');
    if (dash)
        *dash = '\0';
    TRY(stoic_parse_count(token, "bits", 0, format->bits - 1, &first, err));
    last = first;
    if (dash)
        TRY(stoic_parse_count(dash + 1, "bits", 0, format->bits - 1, &last, err));
    *mask = first > last ? span((int)first, (int)last) : span((int)last, (int)first);
done:
    return status;
}

stoic_status stoic_format_mask(const stoic_format *format, const char *field, uint64_t *mask,
                               stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *copy = strdup(field), *token = copy;
    if (!copy)
        return stoic_fail_memory(err, "a list of bits", strlen(field) + 1);
    *mask = 0;
    while (token) {
        uint64_t part = 0;
        char *plus = strchr(token, '+');
        if (plus)
            *plus = '\0';
        if (!*token) {
            status = stoic_fail(err, STOIC_ERR_ARGUMENT, "", "bits: empty item in '%s'", field);
            goto done;
        }
        if (*token >= '0' && *token <= '9')
            TRY(numbers_to_mask(format, token, &part, err));
        else
            TRY(name_to_mask(format, token, &part, err));
        *mask |= part;
        token = plus ? plus + 1 : NULL;
    }
done:
    free(copy);
    return status;
}

const char *stoic_format_field(const stoic_format *format, int bit) {
    if (bit == format->sign)
        return "sign";
    return bit >= format->exponent_low && bit <= format->exponent_high ? "exponent" : "mantissa";
}

void stoic_format_mask_text(const stoic_format *format, uint64_t mask, uint64_t allowed,
                            char text[STOIC_MASK_TEXT]) {
    size_t used = 0;
    for (int field = 0; field < N_FIELDS; field++) {
        if (mask && mask == (named_mask(format, field) & allowed)) {
            snprintf(text, STOIC_MASK_TEXT, "%s", field_names[field]);
            return;
        }
    }
    text[0] = '\0';
    for (int high = format->bits - 1; high >= 0; high--) {
        int low = high;
        if (!(mask >> high & 1))
            continue;
        while (low > 0 && mask >> (low - 1) & 1)
            low--;
        /* at most 32 separate items of at most 6 characters: it always fits */
        used += (size_t)snprintf(text + used, STOIC_MASK_TEXT - used, "%s%d", used ? "+" : "", low);
        if (high > low)
            used += (size_t)snprintf(text + used, STOIC_MASK_TEXT - used, "-%d", high);
        high = low;
    }
}
