/*
 * The SPEC strings of the command line: "head,key=value,key=value", lists joined by '+',
 * a comma inside a value written "\,".
 */
#ifndef STOIC_BASE_SPEC_H
#define STOIC_BASE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stoic/parse.h"
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

#endif
