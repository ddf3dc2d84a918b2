#include "report/markup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd", ellipsis[] = "\xe2\x80\xa6";

/* Length of the well-formed UTF-8 sequence at `s` that XML allows; 0: there is none. */
static size_t sequence(const unsigned char *s) {
    static const struct {
        unsigned char mask, lead;
        unsigned least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t n = 0; n < 4; n++) {
        if ((s[0] & forms[n].mask) != forms[n].lead)
            continue;
        unsigned code = s[0] & (unsigned char)~forms[n].mask;
        for (size_t i = 1; i <= n; i++) {
            if ((s[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (s[i] & 0x3fu);
        }
        bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
        bool surrogate = (code >= 0xd800 && code < 0xe000) || code >= 0x110000;
        /* directional marks could show a name backwards, line separators break it */
        bool hidden = (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
                      (code >= 0x2066 && code <= 0x2069) || code == 0xfeff ||
                      (code & 0xfffe) == 0xfffe;
        return code < forms[n].least || control || surrogate || hidden ? 0 : n + 1;
    }
    return 0;
}

static void add_character(stoic_text *out, const char *s, size_t n) {
    const char *name = n != 1       ? NULL
                       : *s == '&'  ? "&amp;"
                       : *s == '<'  ? "&lt;"
                       : *s == '>'  ? "&gt;"
                       : *s == '"'  ? "&quot;"
                       : *s == '\'' ? "&#39;"
                                    : NULL;
    if (n == 0)
        stoic_text_puts(out, replacement);
    else if (name)
        stoic_text_puts(out, name);
    else
        stoic_text_add(out, s, n);
}

void stoic_markup_add(stoic_text *out, const char *string, int columns) {
    int shown = 0;
    for (const char *s = string ? string : ""; *s;) {
        size_t n = sequence((const unsigned char *)s), step = n ? n : 1;
        if (columns > 0 && ++shown == columns && s[step]) {
            stoic_text_puts(out, ellipsis);
            return;
        }
        add_character(out, s, n);
        s += step;
    }
}

int stoic_markup_columns(const char *string, int columns) {
    int shown = 0;
    for (const char *s = string ? string : ""; *s && (columns == 0 || shown < columns); shown++) {
        size_t n = sequence((const unsigned char *)s);
        s += n ? n : 1;
    }
    return shown;
}

void stoic_markup_csv(stoic_text *out, const char *string) {
    if (!strpbrk(string, ",\"\r\n")) {
        stoic_text_puts(out, string);
        return;
    }
    stoic_text_puts(out, "\"");
    for (const char *s = string; *s; s++)
        stoic_text_add(out, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    stoic_text_puts(out, "\"");
}

void stoic_markup_integer(stoic_text *out, long long value) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", value), start = digits[0] == '-';
    for (int i = 0; i < n; i++) {
        if (i > start && (n - i) % 3 == 0)
            stoic_text_puts(out, ",");
        stoic_text_add(out, digits + i, 1);
    }
}

void stoic_markup_rate(stoic_text *out, double value) {
    if (isnan(value))
        stoic_text_puts(out, "\xe2\x80\x93");
    else if (value == 0.0 || fabs(value) >= 0.001)
        stoic_text_printf(out, "%.4f", value);
    else
        stoic_text_printf(out, "%.2g", value);
}
