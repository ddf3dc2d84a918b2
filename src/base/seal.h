/*
 * What must not change any more: stretches of memory, each with a digest (XXH3, 64 bits), so that a
 * bit that flips in the tool's own memory is noticed.
 *
 * Ownership: seals borrow the memory, which must outlive them.
 * Thread-safety: adding needs a lock of the caller's; any thread may look at what was added.
 */
#ifndef STOIC_BASE_SEAL_H
#define STOIC_BASE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stoic/status.h"

typedef struct stoic_seal {
    const void *data;
    size_t bytes;
    uint64_t digest;
} stoic_seal;

/* All zero: none. */
typedef struct stoic_seals {
    stoic_seal *items;
    size_t count, capacity;
} stoic_seals;

void stoic_seals_deinit(stoic_seals *seals);

/* `before`: the digest of what stands in front of it, 0 if nothing does. */
uint64_t stoic_seal_digest(const void *data, size_t bytes, uint64_t before);

/* The memory is complete and stays as it is. Nothing is added where there is none (NULL or 0
 * bytes). */
stoic_status stoic_seals_add(stoic_seals *seals, const void *data, size_t bytes,
                             stoic_error *err) STOIC_MUST_CHECK;
/* The same unless memory that begins there is sealed already. */
stoic_status stoic_seals_add_once(stoic_seals *seals, const void *data, size_t bytes,
                                  stoic_error *err) STOIC_MUST_CHECK;
/* Is the memory as it was? */
bool stoic_seal_holds(const stoic_seal *seal);
bool stoic_seals_hold(const stoic_seals *seals);

/* For tests of those who check (docs/dev.md): flips bit `bit` of byte `byte` of all that is sealed;
 * a negative one counts from the end. False: there are not so many. */
bool stoic_seals_flip(const stoic_seals *seals, int64_t byte, int bit);
/* The same in one stretch of memory. */
bool stoic_seal_flip(const void *data, size_t bytes, int64_t byte, int bit);

#endif
