/*
 * Text that grows. Numbers are written with a point in every locale.
 *
 * Failure sticks: after an append that found no memory the others do nothing, and one
 * stoic_text_finish() at the end tells.
 */
#ifndef STOIC_BASE_TEXT_H
#define STOIC_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "stoic/status.h"

/* Zero-initialised: empty. `data` is NULL or ends with a zero byte at data[length]. */
typedef struct stoic_text {
    char *data;
    size_t length, capacity;
    bool failed;
} stoic_text;

void stoic_text_add(stoic_text *text, const char *bytes, size_t n);
void stoic_text_puts(stoic_text *text, const char *string);
void stoic_text_printf(stoic_text *text, const char *fmt, ...) STOIC_PRINTF(2, 3);
/* With the fewest digits that are read back as the same double, or, if `single`, float. */
void stoic_text_number(stoic_text *text, double value, bool single);

/* STOIC_ERR_MEMORY where an append has failed. On success `data` is not NULL, even if empty. */
stoic_status stoic_text_finish(stoic_text *text, stoic_error *err) STOIC_MUST_CHECK;
void stoic_text_deinit(stoic_text *text);

#endif
