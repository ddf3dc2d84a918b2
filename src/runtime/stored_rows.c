/* Rows of a stored matrix, multiplied as they are read. */
#include "runtime/stored.h"

enum { ROWS = STOIC_RUN_ROWS, LANES = STOIC_RUN_LANES, STRETCH = STOIC_BYTE_STRETCH };

bool stoic_reader_multiplies(const stoic_reader *r) {
    return r->by_codes && r->bytes->coded->dots && r->bytes->coded->knows(&r->rule);
}

/* By dots_short()? */
static bool is_direct(const stoic_reader *r) {
    const stoic_packed *p = &r->from->packed;
    return r->bytes->coded->dots_short && r->rule.bits <= STOIC_CODED_SHORT_BITS &&
           stoic_packed_is_narrow(p) && p->words.word <= 8;
}

/* Weights of a row that are opened at once: whole words and, for the sums, whole vectors. */
static int piece_of(const stoic_packed *p) {
    int some = p->words.weights;
    while (some % LANES != 0)
        some += p->words.weights;
    return STRETCH / some * some;
}

/* Rows that are much shorter than a piece are opened several at once by who reads them in turn. */
bool stoic_reader_multiplies_words(const stoic_reader *r, int64_t row) {
    const stoic_packed *p = &r->from->packed;
    const bool as_it_lies = is_direct(r) || stoic_packed_as_bytes(p) != NULL;
    return stoic_reader_multiplies(r) &&
           (as_it_lies || (row >= STRETCH / 2 && row % p->words.weights == 0));
}

/* Rows that are opened in pieces, which are multiplied while they are in the first cache and the
 * next ones are on their way. */
static void dots_by_pieces(const stoic_reader *r, const int64_t which[ROWS], int rows, int64_t row,
                           const float *x, float sums[ROWS][LANES]) {
    const stoic_packed *p = &r->from->packed;
    const int piece = piece_of(p), bytes = piece / p->words.weights * p->words.word / 8;
    _Alignas(64) uint8_t codes[ROWS][STRETCH];
    const uint8_t *from[ROWS];
    stoic_coded_ahead ahead = {.step = 8 * p->words.word / p->words.weights};
    for (int i = 0; i < ROWS; i++) {
        from[i] = codes[i < rows ? i : 0];
        ahead.from[i] = (const uint8_t *)p->image + bytes +
                        which[i] * row / p->words.weights * p->words.word / 8;
    }
    for (int64_t k = 0; k < row; k += piece) {
        const int n = row - k < piece ? (int)(row - k) : piece;
        for (int i = 0; i < rows; i++)
            stoic_packed_bytes(r->kernels, r->bytes, p, which[i] * row + k, n, codes[i],
                               &r->from->told, NULL);
        r->bytes->coded->dots(&r->rule, from, &ahead, n, x + k, sums);
        for (int i = 0; i < ROWS; i++)
            ahead.from[i] += bytes;
    }
}

/* Rows of short words, some of which hold copies that are not alike: how many of them? */
static int64_t count_odd(const stoic_word_loops *loops, const stoic_packed *p,
                         const int64_t at[ROWS], int rows, int64_t row) {
    uint8_t codes[STRETCH];
    int64_t odd = 0;
    for (int i = 0; i < rows; i++) {
        for (int64_t k = 0; k < row; k += STRETCH)
            odd += loops->open_short(p->image, at[i] + k * p->words.word, &p->words,
                                     row - k < STRETCH ? (int)(row - k) : STRETCH, codes);
    }
    return odd;
}

void stoic_reader_dots(const stoic_reader *r, const int64_t which[ROWS], int rows, int64_t row,
                       const float *x, float sums[ROWS][LANES]) {
    const stoic_packed *p = &r->from->packed;
    const uint8_t *codes = stoic_packed_as_bytes(p), *from[ROWS];
    int64_t at[ROWS];
    if (!codes && !is_direct(r)) {
        dots_by_pieces(r, which, rows, row, x, sums);
        return;
    }
    for (int i = 0; i < ROWS; i++)
        at[i] = which[i] * row * p->words.word;
    if (codes) {
        for (int i = 0; i < ROWS; i++)
            from[i] = codes + at[i] / 8;
        const stoic_coded_ahead ahead = {{from[0], from[1], from[2], from[3]}, 64};
        r->bytes->coded->dots(&r->rule, from, &ahead, row, x, sums);
    } else if (r->bytes->coded->dots_short(p->image, at, &p->words, &r->rule, row, x, sums)) {
        r->from->told.corrected += count_odd(r->bytes->words, p, at, rows, row);
    }
}

bool stoic_code_reader_multiplies(const stoic_code_reader *r) {
    const stoic_packed *p = &r->from->packed;
    return r->bytes->coded->integers_short && stoic_packed_is_narrow(p) && p->words.word <= 8;
}

void stoic_code_reader_dots(const stoic_code_reader *r, int64_t first, int64_t step, int rows,
                            int64_t row, const uint8_t *x, int32_t sums[ROWS],
                            int32_t totals[ROWS]) {
    const stoic_packed *p = &r->from->packed;
    int64_t at[ROWS];
    for (int i = 0; i < ROWS; i++)
        at[i] = (first + (i < rows ? i : 0) * step) * row * p->words.word;
    if (r->bytes->coded->integers_short(p->image, at, &p->words, r->flip, row, x, sums, totals))
        r->from->told.corrected += count_odd(r->bytes->words, p, at, rows, row);
}
