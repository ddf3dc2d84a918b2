/* Raising and forwarding errors; see stoic/status.h for the conventions. */
#ifndef STOIC_BASE_FAIL_H
#define STOIC_BASE_FAIL_H

#include <stdarg.h>

#include "stoic/status.h"

/* Fills `err` (if any) and returns `code`, so that a caller can `return stoic_fail(...)`. */
stoic_status stoic_fail(stoic_error *err, stoic_status code, const char *place, const char *fmt,
                        ...) STOIC_PRINTF(4, 5);

/* The same for an allocation of `bytes` that did not succeed. */
stoic_status stoic_fail_memory(stoic_error *err, const char *what, unsigned long long bytes);

/* The same with errno's text appended: "cannot open: No such file or directory". */
stoic_status stoic_fail_errno(stoic_error *err, const char *place, const char *what);

/* Sends one line to the log callback. */
void stoic_log(stoic_log_level level, const char *fmt, ...) STOIC_PRINTF(2, 3);

/* Forward a failure: in a function whose clean-up stands after the label `done`. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != STOIC_OK)                                                                    \
            goto done;                                                                             \
    } while (0)

#endif
