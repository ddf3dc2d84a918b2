/*
 * Counts of consecutive trials as bytes, in journal rows and in messages: two bytes say which
 * members were measured; then these stand trial by trial, 4 bytes each.
 */
#ifndef STOIC_CAMPAIGN_PACKED_COUNTS_H
#define STOIC_CAMPAIGN_PACKED_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stoic/campaign.h"

/* Bytes that are always enough. */
size_t stoic_counts_packed(int64_t trials);
/* Returns how many bytes it took. */
size_t stoic_counts_pack(const stoic_counts *counts, int64_t trials, uint8_t *out);
/* false: damaged. */
bool stoic_counts_unpack(const void *blob, size_t bytes, stoic_counts *counts, int64_t trials);

static inline void stoic_put_u32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static inline uint32_t stoic_get_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

#endif
