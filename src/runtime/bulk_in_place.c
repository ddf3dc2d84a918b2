/* The loops of bulk.h for the codes in place, compiled once per instruction set: eight weights of
 * eight bits a word, the first seven of which hold check bits (code_secded.c, code_parity.c). */
#include <string.h>

#include "runtime/bulk_kernels.h"

static const uint64_t ones = UINT64_C(0x0001010101010101); /* bit 0 of the seven */

/* Bit i of `bits` to bit 0 of byte i: byte i keeps its bit i of a copy, and if it has it, the sum
 * reaches bit 7. */
static inline uint64_t spread(uint64_t bits) {
    uint64_t own = (bits & 127) * ones & UINT64_C(0x0040201008040201);
    return (own + 127 * ones) >> 7 & ones;
}

/* The other way: byte i's bit 0 is shifted to bit 56 + i. */
static inline uint64_t gather(uint64_t bytes) {
    return ((bytes & ones) * UINT64_C(0x0102040810204000)) >> 56 & 127;
}

/* Bits 6, 5 and 1, 0 change places in the bytes that have bit 0 of `large`. */
static inline uint64_t exchange(uint64_t word, uint64_t large) {
    uint64_t differ = (word >> 5 ^ word) & (large | large << 1);
    return word ^ differ ^ differ << 5;
}

static int spare(uint64_t *words, int n) {
    int8_t *bytes = (int8_t *)words;
    int8_t last[STOIC_BULK_STRETCH / 8];
    int clamped = 0;
    for (int i = 0; i < n; i++) {
        last[i] = bytes[8 * i + 7];
        bytes[8 * i + 7] = 0;
    }
    for (int i = 0; i < 8 * n; i++) {
        int8_t value = bytes[i], held = value;
        held = held < -64 ? -64 : held;
        held = held > 63 ? 63 : held;
        clamped += held != value;
        bytes[i] = (int8_t)(held & ~0x40);
    }
    for (int i = 0; i < n; i++)
        bytes[8 * i + 7] = last[i];
    return clamped;
}

static void put_checks(uint64_t *words, int n, const uint8_t *sums) {
    for (int i = 0; i < n; i++)
        words[i] |= spread(sums[i]) << 6;
}

static int to_sign(uint64_t *words, int n, uint32_t *side) {
    const uint8_t *bytes = (const uint8_t *)words;
    uint64_t plain[STOIC_BULK_STRETCH / 8], round[STOIC_BULK_STRETCH / 8];
    uint64_t large[STOIC_BULK_STRETCH / 8];
    uint8_t *to_plain = (uint8_t *)plain, *to_round = (uint8_t *)round, *flags = (uint8_t *)large;
    int clamped = 0;
    for (int i = 0; i < 8 * n; i++) {
        uint8_t sign = bytes[i] & 0x80, m = (uint8_t)(sign ? 0 - bytes[i] : bytes[i]);
        clamped += m == 128;
        m = m > 127 ? 127 : m;
        uint8_t rounded = (uint8_t)((m + 2) & ~3);
        rounded = rounded > 124 ? 124 : rounded;
        to_plain[i] = m | sign;
        to_round[i] = rounded | sign;
        flags[i] = m >= 32;
    }
    for (int i = 0; i < n; i++) {
        uint64_t those = (large[i] & ones) * 255;
        uint64_t word = (plain[i] & ~those) | (round[i] & those);
        words[i] = exchange(word, large[i] & ones);
        side[i] = (uint32_t)gather(large[i]);
    }
    return clamped;
}

static void put_pairs(uint64_t *words, int n, const uint32_t *side, const uint8_t *even,
                      const uint8_t *odd) {
    for (int i = 0; i < n; i++)
        words[i] = exchange(words[i] | spread(even[i]) << 5 | spread(odd[i]) << 6, spread(side[i]));
}

static void exchange_all(uint64_t *words, int n, const uint32_t *side) {
    for (int i = 0; i < n; i++)
        words[i] = exchange(words[i], spread(side[i]));
}

static void from_sign(uint64_t *words, int n, const uint32_t *side) {
    uint8_t *bytes = (uint8_t *)words;
    for (int i = 0; i < n; i++)
        words[i] = exchange(words[i] & ~(0x60 * ones), spread(side[i]));
    for (int i = 0; i < 8 * n; i++)
        bytes[i] = (uint8_t)(bytes[i] & 0x80 ? 0 - (bytes[i] & 0x7f) : bytes[i]);
}

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_in_place_kernels GLUE(stoic_in_place_kernels_, STOIC_KERNEL_SET);
const stoic_in_place_kernels GLUE(stoic_in_place_kernels_, STOIC_KERNEL_SET) = {
    spare, put_checks, to_sign, put_pairs, exchange_all, from_sign};
