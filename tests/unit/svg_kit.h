/* What tests of pictures and pages share. */
#ifndef STOIC_TEST_SVG_KIT_H
#define STOIC_TEST_SVG_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

static inline char *read_text(const char *path) {
    uint8_t *data = NULL;
    size_t bytes;
    stoic_error err = {0};
    if (stoic_file_read(path, 1 << 26, &data, &bytes, &err) != STOIC_OK)
        fail_msg("%s: %s", err.place, err.message);
    return (char *)data;
}

/* Are tags balanced, attributes quoted, and is every & a reference? */
static inline bool well_formed(const char *s) {
    char stack[64][32];
    int depth = 0;
    while (*s) {
        if (*s == '&') {
            size_t n = strspn(s + 1, "abcdefghijklmnopqrstuvwxyz#0123456789");
            if (n == 0 || s[1 + n] != ';')
                return false;
        }
        if (*s++ != '<')
            continue;
        bool closing = *s == '/', special = *s == '!' || *s == '?';
        size_t n = strcspn(s + closing, " \t\r\n/>");
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)n, s + closing);
        char quote = 0, last = 0;
        for (; *s && (quote || *s != '>'); last = *s++) {
            if (*s == '<')
                return false;
            if (quote ? *s == quote : *s == '"' || *s == '\'')
                quote = quote ? 0 : *s;
        }
        if (!*s)
            return false;
        if (special || (last == '/' && !closing))
            continue;
        if (!closing && depth < 64)
            memcpy(stack[depth++], name, sizeof name);
        else if (depth == 0 || strcmp(stack[--depth], name) != 0)
            return false;
    }
    return depth == 0;
}

#endif
