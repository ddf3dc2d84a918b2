/* Numbers as the command line takes them: the same in every locale, whole ones without
 * a detour over floating point. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"
#include "base/wide.h"

/* strtod() in the C locale; NULL where there is no number at the start. */
static const char *scan_double(const char *text, double *out) {
    if (!*text || !strchr("+-.0123456789", *text))
        return NULL;
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    if (!c_locale)
        return NULL;
    char *end;
    *out = strtod_l(text, &end, c_locale);
    freelocale(c_locale);
    return end == text ? NULL : end;
}

/* The power of ten (or, for bytes, of 1024 as a shift) of a suffix; -1 for an unknown one. */
static int suffix_power(const char *suffix, int step) {
    static const char *const names[] = {"", "k", "M", "G", "T"};
    if (!strcmp(suffix, "K"))
        suffix = "k";
    for (int i = 0; i < 5; i++) {
        if (!strcmp(suffix, names[i]))
            return i * step;
    }
    return -1;
}

stoic_status stoic_parse_number(const char *text, const char *what, double *out, stoic_error *err) {
    static const double power_of_ten[] = {1.0, 1e3, 1e6, 1e9, 1e12};
    double value = 0.0;
    const char *end = scan_double(text, &value);
    int power = end ? suffix_power(end, 1) : -1;
    if (power < 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "%s: expected a number such as 0.5, 1e-4 or 1M, found '%s'", what, text);
    value *= power_of_ten[power];
    if (!isfinite(value))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "%s: '%s' is not a finite number", what,
                          text);
    *out = value;
    return STOIC_OK;
}

/* A decimal or hexadecimal number taken apart: ±digits · 10^exponent, then the suffix. */
typedef struct parts {
    stoic_u128 digits; /* below 2^80 */
    long exponent;
    bool negative;
    const char *suffix;
} parts;

static const stoic_u128 digits_limit = (stoic_u128)1 << 76;

static bool scan_hex(const char *text, parts *out) {
    static const char hex[] = "0123456789abcdef";
    const char *p = text;
    for (; *p; p++) {
        const char *digit = strchr(hex, *p >= 'A' && *p <= 'F' ? *p - 'A' + 'a' : *p);
        if (!digit)
            break;
        if (out->digits >= digits_limit)
            return false;
        out->digits = out->digits * 16 + (unsigned)(digit - hex);
    }
    out->suffix = p;
    return p > text;
}

static bool scan_exponent(const char **text, long *exponent) {
    const char *p = *text + 1;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    if (*p < '0' || *p > '9')
        return false;
    long value = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (value < 10000)
            value = value * 10 + (*p - '0');
    }
    *exponent += negative ? -value : value;
    *text = p;
    return true;
}

/* False where `text` does not start with a number, or has more than 22 digits. */
static bool scan_parts(const char *text, parts *out) {
    memset(out, 0, sizeof *out);
    out->negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return scan_hex(text + 2, out);
    bool any = false, point = false;
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        if (out->digits >= digits_limit)
            return false;
        out->digits = out->digits * 10 + (unsigned)(*text - '0');
        out->exponent -= point;
        any = true;
    }
    if (any && (*text == 'e' || *text == 'E') && !scan_exponent(&text, &out->exponent))
        return false;
    out->suffix = text;
    return any;
}

/* digits · 10^exponent, saturated at 2^127; *rest tells whether a fraction was cut off. */
static stoic_u128 scale(stoic_u128 digits, long exponent, bool *rest) {
    const stoic_u128 limit = (stoic_u128)1 << 120;
    for (; exponent > 0 && digits && digits < limit; exponent--)
        digits *= 10;
    for (; exponent < 0 && digits; exponent++) {
        *rest = *rest || digits % 10;
        digits /= 10;
    }
    return digits;
}

stoic_status stoic_parse_count(const char *text, const char *what, int64_t low, int64_t high,
                               int64_t *out, stoic_error *err) {
    parts number;
    bool fraction = false;
    int power = scan_parts(text, &number) ? suffix_power(number.suffix, 3) : -1;
    if (power >= 0) {
        stoic_u128 size = scale(number.digits, number.exponent + power, &fraction);
        stoic_i128 value = size > UINT64_MAX ? (stoic_i128)UINT64_MAX : (stoic_i128)size;
        value = number.negative ? -value : value;
        if (!fraction && value >= low && value <= high) {
            *out = (int64_t)value;
            return STOIC_OK;
        }
    }
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                      "%s: expected a whole number from %lld to %lld, found '%s'", what,
                      (long long)low, (long long)high, text);
}

stoic_status stoic_parse_bytes(const char *text, const char *what, int64_t *out, stoic_error *err) {
    parts number;
    bool fraction = false; /* 1.3K is 1331.2 bytes: cut */
    int shift = scan_parts(text, &number) ? suffix_power(number.suffix, 10) : -1;
    if (shift >= 0 && !number.negative) {
        stoic_u128 size = scale(number.digits << shift, number.exponent, &fraction);
        if (size >= 1 && size <= INT64_MAX) {
            *out = (int64_t)size;
            return STOIC_OK;
        }
    }
    return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                      "%s: expected a size in bytes such as 500000, 512M or 2G, found '%s'", what,
                      text);
}
