/* Four rows by four columns of 4 bytes each, turned over. */
#ifndef STOIC_RUNTIME_TURN_H
#define STOIC_RUNTIME_TURN_H

#include <stdint.h>
#include <string.h>

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

#endif
