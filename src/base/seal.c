#include "base/seal.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/fail.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNSEEN __attribute__((no_sanitize("thread")))
#endif
#elif defined(__SANITIZE_THREAD__)
#define UNSEEN __attribute__((no_sanitize_thread))
#endif
#ifndef UNSEEN
#define UNSEEN
#endif

void stoic_seals_deinit(stoic_seals *seals) {
    free(seals->items);
    *seals = (stoic_seals){0};
}

uint64_t stoic_seal_digest(const void *data, size_t bytes, uint64_t before) {
    return XXH3_64bits_withSeed(data, bytes, before);
}

stoic_status stoic_seals_add(stoic_seals *seals, const void *data, size_t bytes, stoic_error *err) {
    if (!data || bytes == 0)
        return STOIC_OK;
    if (seals->count == seals->capacity) {
        size_t room = seals->capacity ? 2 * seals->capacity : 16;
        stoic_seal *items = realloc(seals->items, room * sizeof *items);
        if (!items)
            return stoic_fail_memory(err, "digests of memory", room * sizeof *items);
        seals->items = items;
        seals->capacity = room;
    }
    seals->items[seals->count++] = (stoic_seal){data, bytes, stoic_seal_digest(data, bytes, 0)};
    return STOIC_OK;
}

stoic_status stoic_seals_add_once(stoic_seals *seals, const void *data, size_t bytes,
                                  stoic_error *err) {
    for (size_t i = 0; i < seals->count; i++) {
        if (seals->items[i].data == data)
            return STOIC_OK;
    }
    return stoic_seals_add(seals, data, bytes, err);
}

bool stoic_seal_holds(const stoic_seal *seal) {
    return stoic_seal_digest(seal->data, seal->bytes, 0) == seal->digest;
}

bool stoic_seals_hold(const stoic_seals *seals) {
    bool hold = true;
    for (size_t i = 0; hold && i < seals->count; i++)
        hold = stoic_seal_holds(&seals->items[i]);
    return hold;
}

/* What flips memory asks nobody, and others may be reading. */
UNSEEN static void flip(uint8_t *at, int bit) {
    *at ^= (uint8_t)(1u << (bit & 7));
}

bool stoic_seal_flip(const void *data, size_t bytes, int64_t byte, int bit) {
    byte += byte < 0 ? (int64_t)bytes : 0;
    if (byte < 0 || byte >= (int64_t)bytes)
        return false;
    flip((uint8_t *)(uintptr_t)data + byte, bit);
    return true;
}

bool stoic_seals_flip(const stoic_seals *seals, int64_t byte, int bit) {
    int64_t all = 0;
    for (size_t i = 0; i < seals->count; i++)
        all += (int64_t)seals->items[i].bytes;
    byte += byte < 0 ? all : 0;
    for (size_t i = 0; i < seals->count && byte >= 0; i++) {
        int64_t bytes = (int64_t)seals->items[i].bytes;
        if (byte < bytes)
            return stoic_seal_flip(seals->items[i].data, seals->items[i].bytes, byte, bit);
        byte -= bytes;
    }
    return false;
}
