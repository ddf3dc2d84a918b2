#include "base/text.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "stoic/parse.h"

/* Room for `more` bytes and the final zero. */
static bool reserve(stoic_text *text, size_t more) {
    if (text->failed)
        return false;
    if (more < text->capacity - text->length)
        return true;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity - text->length <= more) {
        if (capacity > SIZE_MAX / 4) {
            text->failed = true;
            return false;
        }
        capacity *= 2;
    }
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void stoic_text_add(stoic_text *text, const char *bytes, size_t n) {
    if (!reserve(text, n))
        return;
    if (n > 0) /* no bytes may have no address */
        memcpy(text->data + text->length, bytes, n);
    text->length += n;
    text->data[text->length] = '\0';
}

void stoic_text_puts(stoic_text *text, const char *string) {
    stoic_text_add(text, string, strlen(string));
}

static void append_formatted(stoic_text *text, const char *fmt, va_list args) STOIC_PRINTF(2, 0);

static void append_formatted(stoic_text *text, const char *fmt, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0) {
        text->failed = true;
    } else if (reserve(text, (size_t)n)) {
        vsnprintf(text->data + text->length, (size_t)n + 1, fmt, args);
        text->length += (size_t)n;
    }
}

void stoic_text_printf(stoic_text *text, const char *fmt, ...) {
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    if (!c_locale) {
        text->failed = true;
        return;
    }
    locale_t caller = uselocale(c_locale);
    va_list args;
    va_start(args, fmt);
    append_formatted(text, fmt, args);
    va_end(args);
    uselocale(caller);
    freelocale(c_locale);
}

void stoic_text_number(stoic_text *text, double value, bool single) {
    int most = single ? 9 : 17;
    if (fabs(value) < 1e15 && value == floor(value)) { /* 1000, not 1e+03 */
        stoic_text_printf(text, "%.0f", value);
        return;
    }
    for (int digits = 1; digits <= most && !text->failed; digits++) {
        size_t start = text->length;
        double back;
        stoic_text_printf(text, "%.*g", digits, value);
        if (text->failed || digits == most)
            return;
        if (stoic_parse_number(text->data + start, "", &back, NULL) == STOIC_OK &&
            (single ? (double)(float)back : back) == value)
            return;
        text->length = start;
        text->data[start] = '\0';
    }
}

stoic_status stoic_text_finish(stoic_text *text, stoic_error *err) {
    if (!text->data)
        stoic_text_add(text, "", 0);
    return text->failed ? stoic_fail_memory(err, "text", text->length) : STOIC_OK;
}

void stoic_text_deinit(stoic_text *text) {
    free(text->data);
    memset(text, 0, sizeof *text);
}
