#include "base/fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static stoic_log_fn log_fn;
static void *log_user;

#define STATUS_NAME(enumerator, name, trigger) [enumerator] = name,
static const char *const status_names[] = {STOIC_STATUS_LIST(STATUS_NAME)};

const char *stoic_status_name(stoic_status status) {
    size_t i = (size_t)status;
    return i < sizeof status_names / sizeof *status_names ? status_names[i] : "unknown";
}

/* File contents end up in messages: keep them to one line of printable text. */
static void make_printable(char *text) {
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
}

stoic_status stoic_fail(stoic_error *err, stoic_status code, const char *place, const char *fmt,
                        ...) {
    if (err) {
        err->code = code;
        snprintf(err->place, sizeof err->place, "%s", place ? place : "");
        make_printable(err->place);
        va_list args;
        va_start(args, fmt);
        vsnprintf(err->message, sizeof err->message, fmt, args);
        va_end(args);
        make_printable(err->message);
    }
    return code;
}

stoic_status stoic_fail_memory(stoic_error *err, const char *what, unsigned long long bytes) {
    return stoic_fail(err, STOIC_ERR_MEMORY, "", "out of memory: %llu bytes for %s", bytes, what);
}

stoic_status stoic_fail_errno(stoic_error *err, const char *place, const char *what) {
    int code = errno;
    return stoic_fail(err, STOIC_ERR_IO, place, "%s: %s", what, strerror(code));
}

void stoic_log_set(stoic_log_fn fn, void *user) {
    log_fn = fn;
    log_user = user;
}

void stoic_log(stoic_log_level level, const char *fmt, ...) {
    if (!log_fn)
        return;
    char line[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    make_printable(line);
    log_fn(log_user, level, line);
}
