/*
 * Numbers as the command line takes them, and suggestions for misspelt words; for programs that
 * want to read options the way `stoic` does. Independent of the locale.
 */
#ifndef STOIC_PARSE_H
#define STOIC_PARSE_H

#include <stdint.h>

#include "stoic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "0.5", "1e-4", "1M" = 10^6, "0x1p-3". `what` names the option in the message. All three fail
 * with STOIC_ERR_ARGUMENT. */
STOIC_API stoic_status stoic_parse_number(const char *text, const char *what, double *out,
                                          stoic_error *err);
/* A whole number from `low` to `high`, written as above ("1e6", "10k"). */
STOIC_API stoic_status stoic_parse_count(const char *text, const char *what, int64_t low,
                                         int64_t high, int64_t *out, stoic_error *err);
/* A size in bytes with binary suffixes: "2G" = 2^31. */
STOIC_API stoic_status stoic_parse_bytes(const char *text, const char *what, int64_t *out,
                                         stoic_error *err);

/* The entry of a NULL-terminated list closest to `word` (edit distance), or NULL if none is near.
 */
STOIC_API const char *stoic_nearest(const char *word, const char *const *known);

#ifdef __cplusplus
}
#endif
#endif
