/*
 * The SPEC strings of the command line: "head,key=value,key=value", lists joined by '+',
 * a comma inside a value written "\,".
 */
#ifndef STOIC_BASE_SPEC_H
#define STOIC_BASE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stoic/status.h"

typedef struct stoic_spec_item {
    char *key, *value; /* value NULL for a bare word */
} stoic_spec_item;

typedef struct stoic_spec {
    char *head; /* everything before the first unescaped comma */
    stoic_spec_item *items;
    size_t n_items;
    char *storage;
} stoic_spec;

/* Splits `text`. Fails with STOIC_ERR_ARGUMENT on an empty head or key, or a repeated key. */
stoic_status stoic_spec_parse(const char *text, stoic_spec *out, stoic_error *err);
void stoic_spec_deinit(stoic_spec *spec);

/* The value of `key`, or NULL. */
const char *stoic_spec_get(const stoic_spec *spec, const char *key);
/* Refuses keys outside the NULL-terminated list, naming the nearest known one. */
stoic_status stoic_spec_check_keys(const stoic_spec *spec, const char *const *known,
                                   stoic_error *err);

/* Numbers as the command line takes them: "1e-4", "1M" = 10^6, "0x1p-3"; memory "2G" = 2^31. */
stoic_status stoic_parse_number(const char *text, const char *what, double *out, stoic_error *err);
stoic_status stoic_parse_count(const char *text, const char *what, int64_t low, int64_t high,
                               int64_t *out, stoic_error *err);
stoic_status stoic_parse_bytes(const char *text, const char *what, int64_t *out, stoic_error *err);

/* The entry of a NULL-terminated list closest to `word` (edit distance), or NULL if none is near. */
const char *stoic_nearest(const char *word, const char *const *known);

#endif
