/*
 * Single error correction, double error detection: three codes of one construction.
 *
 * Every bit of a word has a column of r check bits with an odd number of ones, no two the same
 * (Hsiao 1970, a form of the extended Hamming code). The columns of the bits that are wrong sum to
 * the syndrome: one error gives its own column, two give an even number of ones and so no column.
 *
 *   secded72     64 data bits, 8 check bits above them
 *   secded39     32 data bits, 7 check bits above them
 *   zerospace64  in place: of 8 int8 weights the first seven lie in [-64, 63], so that their bit 6
 *                repeats the sign. It holds a check bit instead, and is restored on reading.
 *                All 64 columns of 7 bits with an odd number of ones are in use.
 *
 * Where the weights of a format do not fill the data bits, the rest is zero and not stored: the
 * code is shortened, and a syndrome that points there is a detected error.
 */
#include <string.h>

#include "runtime/words.h"

static bool is_check(const stoic_secded *t, int bit) {
    for (int i = 0; i < t->r; i++) {
        if (t->at[i] == bit)
            return true;
    }
    return false;
}

/* Columns of 3, then 5, then 7 ones go to the data bits in ascending order. */
static void fill(stoic_secded *t) {
    int ones = 3, next = 0;
    for (int i = 0; i < t->r; i++)
        t->column[t->at[i]] = (uint8_t)(1 << i);
    for (int bit = 0; bit < t->n; bit++) {
        if (is_check(t, bit))
            continue;
        while (__builtin_popcount((unsigned)next) != ones) {
            if (++next == 1 << t->r) {
                next = 0;
                ones += 2;
            }
        }
        t->column[bit] = (uint8_t)next;
        if (++next == 1 << t->r) {
            next = 0;
            ones += 2;
        }
    }
    uint8_t among[64] = {0};
    memcpy(among, t->column, (size_t)(t->n == 64 ? 64 : t->at[0]));
    stoic_parity_fill(&t->parity, among);
    memset(t->bit, -1, sizeof t->bit);
    for (int bit = 0; bit < t->n; bit++) {
        t->bit[t->column[bit]] = (int8_t)bit;
        for (int value = 0; value < 256; value++) {
            if (value >> bit % 8 & 1)
                t->table[bit / 8][value] ^= t->column[bit];
        }
    }
}

void stoic_secded_fill(stoic_secded *out, stoic_secded_shape shape) {
    static const struct {
        int n, r, first, step; /* bits, check bits, where these stand */
    } shapes[] = {{72, 8, 64, 1}, {39, 7, 32, 1}, {64, 7, 6, 8}};
    memset(out, 0, sizeof *out);
    out->n = shapes[shape].n;
    out->r = shapes[shape].r;
    for (int i = 0; i < out->r; i++)
        out->at[i] = (uint8_t)(shapes[shape].first + shapes[shape].step * i);
    fill(out);
}

unsigned stoic_secded_syndrome(const stoic_secded *t, const stoic_word *word) {
    unsigned s = t->table[8][word->part[1] & 0xff];
    for (int i = 0; i < 8; i++)
        s ^= t->table[i][word->part[0] >> 8 * i & 0xff];
    return s;
}
