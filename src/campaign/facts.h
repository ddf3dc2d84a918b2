/*
 * Facts about a campaign, by key: the contents of the table `meta`. Those that are part of its
 * identity must be equal whenever the campaign is continued or merged.
 */
#ifndef STOIC_CAMPAIGN_FACTS_H
#define STOIC_CAMPAIGN_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stoic/status.h"

typedef struct stoic_fact {
    char *key, *value;
    bool identity;
} stoic_fact;

/* Zero-initialised: empty. Kept in the order in which facts were added. */
typedef struct stoic_facts {
    stoic_fact *items;
    size_t count, capacity;
} stoic_facts;

void stoic_facts_deinit(stoic_facts *facts);

/* Adds a fact, or gives it a new value. */
stoic_status stoic_facts_set(stoic_facts *facts, bool identity, const char *key, stoic_error *err,
                             const char *fmt, ...) STOIC_PRINTF(5, 6);
stoic_status stoic_facts_set_digest(stoic_facts *facts, const char *key, const uint8_t digest[16],
                                    stoic_error *err);
/* Adds a number with the digits it needs to be read back exactly, in any locale. */
stoic_status stoic_facts_set_number(stoic_facts *facts, const char *key, double value,
                                    stoic_error *err);
/* Writes a number that way; returns `text`. */
const char *stoic_facts_number_text(double value, char text[32]);
/* The value of `key`, or NULL. */
const char *stoic_facts_get(const stoic_facts *facts, const char *key);
/* The value as an integer; `missing` where it is absent, or no integer. */
int64_t stoic_facts_integer(const stoic_facts *facts, const char *key, int64_t missing);

typedef struct stoic_difference {
    const char *key, *there, *here; /* of the facts compared, or "nothing" */
} stoic_difference;

/* Whether the identities differ, and in what first. Keys that only one side has are skipped unless
 * `complete`. */
bool stoic_facts_differ(const stoic_facts *there, const stoic_facts *here, bool complete,
                        stoic_difference *out);
/* Compares the identity of a file with what is wanted; STOIC_ERR_MISMATCH names the first key that
 * differs and both values. */
stoic_status stoic_facts_match(const stoic_facts *file, const stoic_facts *wanted, bool complete,
                               const char *path, stoic_error *err);

#endif
