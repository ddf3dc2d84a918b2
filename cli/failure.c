/* The command's own failures, in the shape of the library's. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

/* Words of the command line and of files end up in messages: keep them to one line. */
static void make_printable(char *text) {
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
}

stoic_status cli_fail(stoic_error *err, stoic_status code, const char *place, const char *fmt,
                      ...) {
    va_list args;
    if (!err)
        return code;
    err->code = code;
    snprintf(err->place, sizeof err->place, "%s", place);
    make_printable(err->place);
    va_start(args, fmt);
    vsnprintf(err->message, sizeof err->message, fmt, args);
    va_end(args);
    make_printable(err->message);
    return code;
}

stoic_status cli_fail_errno(stoic_error *err, const char *place, const char *what) {
    return cli_fail(err, STOIC_ERR_IO, place, "%s: %s", what, strerror(errno));
}

stoic_status cli_fail_memory(stoic_error *err) {
    return cli_fail(err, STOIC_ERR_MEMORY, "", "out of memory");
}
