#include "campaign/packed_counts.h"

#include "campaign/moments.h"

size_t stoic_counts_packed(int64_t trials) {
    return 2 + (size_t)trials * STOIC_COUNT_FIELDS * 4;
}

size_t stoic_counts_pack(const stoic_counts *counts, int64_t trials, uint8_t *out) {
    unsigned measured = 0;
    for (int64_t t = 0; t < trials; t++) {
        for (int i = 0; i < STOIC_COUNT_FIELDS; i++)
            measured |= (unsigned)((&counts[t].images)[i] >= 0) << i;
    }
    uint8_t *p = out;
    *p++ = (uint8_t)measured;
    *p++ = (uint8_t)(measured >> 8);
    for (int64_t t = 0; t < trials; t++) {
        for (int i = 0; i < STOIC_COUNT_FIELDS; i++) {
            if (!(measured >> i & 1))
                continue;
            stoic_put_u32(p, (uint32_t)(&counts[t].images)[i]);
            p += 4;
        }
    }
    return (size_t)(p - out);
}

bool stoic_counts_unpack(const void *blob, size_t bytes, stoic_counts *counts, int64_t trials) {
    const uint8_t *p = blob;
    if (bytes < 2)
        return false;
    unsigned measured = (unsigned)p[0] | (unsigned)p[1] << 8;
    if ((int64_t)(bytes - 2) / 4 != trials * __builtin_popcount(measured) ||
        measured >> STOIC_COUNT_FIELDS || !(measured & 1))
        return false;
    p += 2;
    for (int64_t t = 0; t < trials; t++) {
        int64_t *fields = stoic_counts_fields(&counts[t]);
        for (int i = 0; i < STOIC_COUNT_FIELDS; i++) {
            fields[i] = measured >> i & 1 ? (int32_t)stoic_get_u32(p) : -1;
            p += measured >> i & 1 ? 4 : 0;
        }
    }
    return true;
}
