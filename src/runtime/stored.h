/* A constant of a protected weight file, bound to the memory its words are in. */
#ifndef STOIC_RUNTIME_STORED_H
#define STOIC_RUNTIME_STORED_H

#include "runtime/stw.h"

/* Tables of the codes; `pairs` is NULL where no tensor needs it. */
typedef struct stoic_code_tables {
    stoic_secded secded[STOIC_SECDED_IN_PLACE + 1];
    stoic_pair_code *pairs;
} stoic_code_tables;

typedef struct stoic_stored {
    const stoic_stw_tensor *record;
    const float *plain; /* not packed: the values; otherwise NULL */
    stoic_packed packed;
    const stoic_stw_grid *grids;
    const stoic_stw_sparse *aside;
    stoic_reading told; /* of the last time it was read */
    uint8_t way;        /* in which its codes are widened, see stored.c */
} stoic_stored;

/* `words`: where the file's section of words is now. */
void stoic_stored_bind(const stoic_stw *file, uint32_t tensor, const uint8_t *words,
                       const stoic_code_tables *tables, stoic_stored *out);

enum { STOIC_TABLE_BITS = 10 };

/* Weights in their order, from the first on; each word is read once. */
typedef struct stoic_reader {
    const stoic_store_kernels *kernels;
    const stoic_byte_kernels *bytes;
    stoic_stored *from;
    int64_t next;  /* weight to decode */
    bool by_bytes; /* codes of at most 8 bits and one grid: `rule` */
    bool by_codes; /* and all that a weight is worth is told by its code */
    stoic_byte_rule rule;
    bool words_by_table, codes_by_table;
    float table[1 << STOIC_TABLE_BITS]; /* of each word, or code, its weight */
    int at, have;                       /* of a word, what has been given out and what is there */
    uint8_t kept[STOIC_WORD_WEIGHTS];   /* its codes, where they tell all; otherwise its weights */
    float buffer[STOIC_WORD_WEIGHTS];
} stoic_reader;

/* Sets the tensor's counts to 0. */
void stoic_reader_begin(stoic_reader *reader, const stoic_store_kernels *kernels,
                        const stoic_byte_kernels *bytes, stoic_stored *from);
/* Goes on from another weight, with which a word begins. */
void stoic_reader_seek(stoic_reader *reader, int64_t first);
void stoic_reader_next(stoic_reader *reader, int64_t n, float *weights);
/* Can the codes of rows be multiplied (stored_rows.c)? */
bool stoic_reader_multiplies(const stoic_reader *reader);
/* And rows of `row` weights in any order, as they lie in memory, by stoic_reader_dots()? */
bool stoic_reader_multiplies_words(const stoic_reader *reader, int64_t row);
/* dots() of run_loops.h for rows `which` of `row` weights, of which the first `rows` count. */
void stoic_reader_dots(const stoic_reader *reader, const int64_t which[STOIC_RUN_ROWS], int rows,
                       int64_t row, const float *x, float sums[STOIC_RUN_ROWS][STOIC_RUN_LANES]);
/* The next n weights as codes that `rule` says the worth of; false, and nothing is read: they are
 * not all told by their codes. */
bool stoic_reader_codes(stoic_reader *reader, int64_t n, uint8_t *codes);

/* ---- codes as integers (stored_codes.c) ---- */

/* Integers of at most 8 bits? */
bool stoic_stored_is_integer(const stoic_stored *stored);
/* Of a grid: a weight is (code + shift) * step, with codes as a code reader gives them. */
double stoic_stored_step(const stoic_stored *stored, int64_t channel, double *shift);

typedef struct stoic_code_reader {
    const stoic_store_kernels *kernels;
    const stoic_byte_kernels *bytes;
    stoic_stored *from;
    int64_t next;
    uint8_t flip;
    int8_t lost;
    int at, have; /* of `buffer` */
    int8_t buffer[STOIC_WORD_WEIGHTS];
} stoic_code_reader;

/* As stoic_reader_begin(), _seek() and _next(), of integers without weights kept aside. */
void stoic_code_reader_begin(stoic_code_reader *reader, const stoic_store_kernels *kernels,
                             const stoic_byte_kernels *bytes, stoic_stored *from);
void stoic_code_reader_seek(stoic_code_reader *reader, int64_t first);
void stoic_code_reader_next(stoic_code_reader *reader, int64_t n, int8_t *weights);

/* Can rows be multiplied in any order, as they lie in memory (stored_rows.c)? */
bool stoic_code_reader_multiplies(const stoic_code_reader *reader);
/* Of rows `first`, `first` + step ... of `row` weights, `rows` of them, at most 4: products with x
 * and sums. */
void stoic_code_reader_dots(const stoic_code_reader *reader, int64_t first, int64_t step, int rows,
                            int64_t row, const uint8_t *x, int32_t sums[STOIC_RUN_ROWS],
                            int32_t totals[STOIC_RUN_ROWS]);

/* Writes corrected words back into `image`, the memory that the tensor is bound to; counts. */
void stoic_stored_scrub(stoic_stored *stored, uint64_t *image);

#endif
