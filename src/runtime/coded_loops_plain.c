/* The definitions of coded_loops.h: what the vectors are held against. */
#include <math.h>

#include "runtime/bytes.h"

enum { ROWS = STOIC_RUN_ROWS, LANES = STOIC_RUN_LANES };

static bool knows(const stoic_byte_rule *rule) {
    (void)rule;
    return true;
}

static void dots(const stoic_byte_rule *rule, const uint8_t *const rows[ROWS],
                 const stoic_coded_ahead *ahead, int64_t n, const float *x,
                 float sums[ROWS][LANES]) {
    (void)ahead;
    for (int r = 0; r < ROWS; r++) {
        for (int64_t i = 0; i < n; i++)
            sums[r][i % LANES] = fmaf(x[i], rule->table[rows[r][i]], sums[r][i % LANES]);
    }
}

static bool dots_short(const uint64_t *image, const int64_t at[ROWS], const stoic_words *words,
                       const stoic_byte_rule *rule, int64_t n, const float *x,
                       float sums[ROWS][LANES]) {
    bool odd = false;
    for (int r = 0; r < ROWS; r++) {
        for (int64_t i = 0; i < n; i++) {
            uint64_t code = 0;
            const stoic_word word = stoic_image_get(image, at[r] + i * words->word, words->word);
            odd |= stoic_words_open(words, &word, 0, 1, &code) != STOIC_WORD_CLEAN;
            sums[r][i % LANES] = fmaf(x[i], rule->table[code], sums[r][i % LANES]);
        }
    }
    return odd;
}

static bool integers_short(const uint64_t *image, const int64_t at[ROWS], const stoic_words *words,
                           uint8_t flip, int64_t n, const uint8_t *x, int32_t sums[ROWS],
                           int32_t totals[ROWS]) {
    bool odd = false;
    for (int r = 0; r < ROWS; r++) {
        sums[r] = totals[r] = 0;
        for (int64_t i = 0; i < n; i++) {
            uint64_t code = 0;
            const stoic_word word = stoic_image_get(image, at[r] + i * words->word, words->word);
            odd |= stoic_words_open(words, &word, 0, 1, &code) != STOIC_WORD_CLEAN;
            const int8_t weight = (int8_t)(code ^ flip);
            sums[r] += weight * x[i];
            totals[r] += weight;
        }
    }
    return odd;
}

const stoic_coded_loops stoic_coded_loops_plain = {knows, dots, dots_short, integers_short};
