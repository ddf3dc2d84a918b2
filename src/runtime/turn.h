/* Rows and columns that change places: four by four of 4 bytes each, sixteen by sixteen of one. */
#ifndef STOIC_RUNTIME_TURN_H
#define STOIC_RUNTIME_TURN_H

#include <stdint.h>
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

typedef int32_t stoic_four __attribute__((vector_size(16)));

/* Rows of `from` are `step` bytes apart, those of `to` `to_step`. */
static inline void stoic_turn(const void *from, int64_t step, void *to, int64_t to_step) {
    stoic_four row[4], half[4];
    for (int r = 0; r < 4; r++)
        memcpy(&row[r], (const char *)from + r * step, sizeof row[r]);
    half[0] = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
    half[1] = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
    half[2] = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
    half[3] = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
    for (int i = 0; i < 4; i += 2) {
        const stoic_four even = __builtin_shufflevector(half[i], half[i + 1], 0, 1, 4, 5);
        const stoic_four odd = __builtin_shufflevector(half[i], half[i + 1], 2, 3, 6, 7);
        memcpy((char *)to + i * to_step, &even, sizeof even);
        memcpy((char *)to + (i + 1) * to_step, &odd, sizeof odd);
    }
}

#ifdef __AVX2__
/* Rows that differ in one bit of their number are interleaved, four times. */
static inline void stoic_turn_bytes(const uint8_t *from, int64_t step, uint8_t *to,
                                    int64_t to_step) {
    __m128i x[16], y[16];
    for (int r = 0; r < 16; r++)
        x[r] = _mm_loadu_si128((const __m128i *)(from + r * step));
    for (int round = 0; round < 2; round++) {
        for (int r = 0; r < 8; r++) {
            y[2 * r] = _mm_unpacklo_epi8(x[r], x[r + 8]);
            y[2 * r + 1] = _mm_unpackhi_epi8(x[r], x[r + 8]);
        }
        for (int r = 0; r < 8; r++) {
            x[2 * r] = _mm_unpacklo_epi8(y[r], y[r + 8]);
            x[2 * r + 1] = _mm_unpackhi_epi8(y[r], y[r + 8]);
        }
    }
    for (int r = 0; r < 16; r++)
        _mm_storeu_si128((__m128i *)(to + r * to_step), x[r]);
}
#endif

#endif
