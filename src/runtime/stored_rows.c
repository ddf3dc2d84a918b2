/* Rows of a stored matrix, multiplied as they are read. */
#include "runtime/stored.h"

enum { ROWS = STOIC_RUN_ROWS, LANES = STOIC_RUN_LANES, PIECE = STOIC_ROWS_PIECE };

/* Straight from the words? */
static bool is_direct(const stoic_reader *r) {
    const stoic_packed *p = &r->from->packed;
    return r->bytes->coded->dots_short && r->rule.bits <= STOIC_CODED_SHORT_BITS &&
           stoic_packed_is_narrow(p) && p->words.word <= 8;
}

bool stoic_reader_multiplies(const stoic_reader *r, int64_t row) {
    return stoic_reader_seeks(r, row) && r->from->record->n_sparse == 0 &&
           r->from->record->due != 1 && r->bytes->coded->dots && r->bytes->coded->knows(&r->rule);
}

static void dots_direct(const stoic_reader *r, const int64_t which[ROWS], int rows, int64_t row,
                        const float *x, uint8_t *codes, float sums[ROWS][LANES]) {
    const stoic_packed *p = &r->from->packed;
    int64_t at[ROWS];
    for (int i = 0; i < ROWS; i++)
        at[i] = which[i] * row * p->words.word;
    if (!r->bytes->coded->dots_short(p->image, at, &p->words, &r->rule, row, x, sums))
        return;
    for (int i = 0; i < rows; i++) { /* how many differ */
        for (int64_t k = 0; k < row; k += PIECE)
            r->from->told.corrected +=
                r->bytes->open_short(p->image, at[i] + k * p->words.word, &p->words,
                                     row - k < PIECE ? (int)(row - k) : PIECE, codes);
    }
}

void stoic_reader_dots(const stoic_reader *r, const int64_t which[ROWS], int rows, int64_t row,
                       const float *x, uint8_t codes[ROWS][PIECE], float sums[ROWS][LANES]) {
    const stoic_packed *p = &r->from->packed;
    const uint8_t *image = stoic_packed_as_bytes(p), *from[ROWS];
    if (is_direct(r)) {
        dots_direct(r, which, rows, row, x, codes[0], sums);
        return;
    }
    for (int i = 0; image && i < ROWS; i++)
        from[i] = image + which[i] * row;
    if (image) {
        r->bytes->coded->dots(&r->rule, from, row, x, sums);
        return;
    }
    for (int64_t k = 0; k < row; k += PIECE) {
        const int n = row - k < PIECE ? (int)(row - k) : PIECE;
        for (int i = 0; i < ROWS; i++)
            from[i] = codes[i < rows ? i : 0];
        for (int i = 0; i < rows; i++) {
            stoic_packed_prefetch(p, which[i] * row + k, n);
            stoic_packed_bytes(r->kernels, r->bytes, p, which[i] * row + k, n, codes[i],
                               &r->from->told, NULL);
        }
        r->bytes->coded->dots(&r->rule, from, n, x + k, sums);
    }
}
