/* Words of every code that holds one weight or more, right ones and such with one, two and three
 * bits flipped: what the loops of every instruction set make of them against the codes' own
 * decoders, word by word, and products of their rows. */
#include <math.h>

#include "infer_rig.h"

enum { MOST = 3000, IMAGE = MOST * 3 / 8 + 16, WORDS = MOST + 1 };

/* The tables of all codes, filled once. */
static stoic_secded secded[STOIC_SECDED_IN_PLACE + 1];
static stoic_pair_code pairs;

static int fill_tables(void **state) {
    (void)state;
    for (int shape = 0; shape <= STOIC_SECDED_IN_PLACE; shape++)
        stoic_secded_fill(&secded[shape], (stoic_secded_shape)shape);
    stoic_pair_code_fill(&pairs);
    return 0;
}

/* The k-th of the codes: its record. */
enum { CODES = 7 + 7 + 2 + 7 };

static stoic_stw_tensor code_at(int k) {
    stoic_stw_tensor t = {.packed = 1, .channels = 1, .inner = 1, .format = STOIC_FORMAT_AFFINE};
    t.bits = 8;
    if (k < 14) {
        t.code = k < 7 ? STOIC_STW_SECDED72 : STOIC_STW_SECDED39;
        t.bits = (uint32_t)(2 + k % 7);
    } else if (k == 14) {
        t.code = STOIC_STW_ZEROSPACE64;
        t.format = STOIC_FORMAT_INT8;
    } else if (k == 15) {
        t.code = STOIC_STW_PARITY64;
        t.format = STOIC_FORMAT_FIXED;
        t.fraction = 6;
    } else {
        t.code = STOIC_STW_REPEAT;
        t.bits = (uint32_t)(k - 14);
        t.copied = t.bits < 3 ? t.bits : 3;
    }
    return t;
}

static stoic_words words_of(const stoic_stw_tensor *t) {
    stoic_words w;
    assert_true(stoic_stw_words(t, &w));
    if (t->code == STOIC_STW_PARITY64)
        w.pairs = &pairs;
    else if (t->code >= STOIC_STW_SECDED72)
        w.secded = &secded[t->code - STOIC_STW_SECDED72];
    return w;
}

/* A random word that is right. */
static stoic_word right_word(stoic_rng *rng, const stoic_words *w, unsigned large, int held) {
    stoic_word word = {{stoic_rng_u64(rng)}};
    stoic_word_put(&word, held * w->data, 64 - held * w->data, 0);
    if (w->copied) {
        const uint64_t top = word.part[0] >> (w->data - w->copied);
        stoic_word_put(&word, w->data, w->copied, top);
        stoic_word_put(&word, w->data + w->copied, w->copied, top);
    } else if (w->pairs) {
        unsigned checks = 0;
        for (int i = 0; i < STOIC_PAIR_CHECKS; i++)
            stoic_word_put(&word, stoic_pair_check_at(i), 1, 0);
        for (int i = 0; i < 8; i++)
            checks ^= pairs.check_word[i][word.part[0] >> 8 * i & 0xff];
        for (int i = 0; i < STOIC_PAIR_CHECKS; i++)
            stoic_word_put(&word, stoic_pair_check_at(i), 1, checks >> i & 1);
        for (int i = 0; i < 8; i++) {
            if (large >> i & 1)
                stoic_word_put(&word, 8 * i, 8,
                               stoic_pair_exchange(stoic_word_get(&word, 8 * i, 8)));
        }
    } else if (w->redundant) {
        stoic_word_put(&word, w->weights * w->data, w->redundant,
                       stoic_secded_syndrome(w->secded, &word));
    } else {
        for (int i = 0; i < w->secded->r; i++)
            stoic_word_put(&word, w->secded->at[i], 1, 0);
        const unsigned checks = stoic_secded_syndrome(w->secded, &word);
        for (int i = 0; i < w->secded->r; i++)
            stoic_word_put(&word, w->secded->at[i], 1, checks >> i & 1);
    }
    return word;
}

static void flip(stoic_rng *rng, stoic_word *word, int bits, int flips) {
    int at[3];
    for (int i = 0; i < flips; i++) {
        bool twice = true;
        while (twice) {
            at[i] = kit_below(rng, bits);
            twice = (i > 0 && at[i] == at[0]) || (i > 1 && at[i] == at[1]);
        }
        word->part[at[i] / 64] ^= UINT64_C(1) << at[i] % 64;
    }
}

/* What a word ought to be read as. */
typedef struct right {
    uint8_t codes[MOST];
    bool lost[MOST];
    stoic_verdict verdicts[WORDS];
} right;

/* A tensor, of whose words `rare` of 100 have one to three bits flipped. */
static stoic_packed draw(stoic_rng *rng, const stoic_words *words, int64_t weights, int rare,
                         uint64_t *image, uint8_t *side, right *out) {
    const stoic_packed p = {
        .words = *words, .image = image, .side_bytes = side, .weights = weights};
    memset(image, 0, IMAGE * sizeof *image);
    for (int64_t i = 0; i < stoic_packed_count(&p); i++) {
        const int held = stoic_packed_held(&p, i), first = (int)i * words->weights;
        uint64_t data[STOIC_WORD_WEIGHTS] = {0};
        side[i] = (uint8_t)(words->pairs ? kit_below(rng, 1 << (held < 7 ? held : 7)) : 0);
        stoic_word word = right_word(rng, words, side[i], held);
        assert_int_equal(stoic_words_open(words, &word, side[i], held, data), STOIC_WORD_CLEAN);
        const int flips = kit_below(rng, 100) < rare ? 1 + kit_below(rng, 3) : 0;
        flip(rng, &word, words->word, flips);
        out->verdicts[i] = stoic_words_open(words, &word, side[i], held, data);
        if (flips == 1 && words->weights == held && !words->copied)
            assert_int_equal(out->verdicts[i], STOIC_WORD_CORRECTED);
        if (flips == 2 && words->secded && words->weights == held)
            assert_int_equal(out->verdicts[i], STOIC_WORD_DETECTED);
        for (int k = 0; k < held; k++) {
            out->codes[first + k] = (uint8_t)data[k];
            out->lost[first + k] = out->verdicts[i] == STOIC_WORD_DETECTED;
        }
        stoic_image_replace(image, i * words->word, words->word, &word);
    }
    return p;
}

/* Words `first` to `last`. */
static stoic_reading count(const right *r, int64_t first, int64_t last) {
    stoic_reading all = {0};
    for (int64_t i = first; i < last; i++) {
        all.corrected += r->verdicts[i] == STOIC_WORD_CORRECTED;
        all.detected += r->verdicts[i] == STOIC_WORD_DETECTED;
    }
    return all;
}

/* Words that have a syndrome are found, and no others: these would only take longer. */
static void compare_found(stoic_rng *rng, const stoic_run_set *set, const stoic_packed *p,
                          const right *r) {
    const stoic_sum_loops *loops = set->bytes->sums;
    const stoic_words *w = &p->words;
    const int whole = (int)(p->weights / w->weights), from = whole ? kit_below(rng, whole) : 0;
    const int most = STOIC_BYTE_STRETCH / w->weights;
    const int n = whole - from < most ? whole - from : most;
    const int64_t at = (int64_t)from * w->word;
    const int64_t there = (stoic_packed_count(p) * w->word + 7) / 8 + 16 - at / 8;
    const uint8_t *image = (const uint8_t *)p->image + at / 8;
    uint8_t codes[STOIC_BYTE_STRETCH];
    uint64_t wrong[STOIC_BYTE_STRETCH / 64], any = 0;
    bool found;
    if (w->pairs && loops->open_pairs)
        found = loops->open_pairs(image, p->side_bytes + from, w, n, codes, wrong);
    else if (w->secded && w->weights == 8 && w->data == 8 && loops->open_bytes)
        found = loops->open_bytes(image, w, n, codes, wrong);
    else if (w->secded && w->redundant && loops->open_parts)
        found = loops->open_parts(image, (int)(at % 8), there, w, n, codes, wrong);
    else
        return;
    for (int i = 0; i < n; i++) {
        assert_int_equal(wrong[i / 64] >> i % 64 & 1, r->verdicts[from + i] != STOIC_WORD_CLEAN);
        any |= wrong[i / 64];
    }
    assert_int_equal(found, any != 0);
}

/* All of it in pieces, whose ends are not written over. */
static void compare_opened(stoic_rng *rng, const stoic_run_set *set, const stoic_packed *p,
                           const right *r) {
    uint8_t got[MOST + 1];
    bool lost[MOST];
    stoic_reading told = {0};
    const int per = p->words.weights;
    const stoic_reading all = count(r, 0, stoic_packed_count(p));
    memset(got, 0xa5, sizeof got);
    for (int64_t at = 0, n; at < p->weights; at += n) {
        n = (1 + kit_below(rng, STOIC_BYTE_STRETCH / per)) * per;
        n = p->weights - at < n ? p->weights - at : n;
        stoic_packed_bytes(set->words, set->bytes, p, at, (int)n, got + at, &told, lost + at);
        assert_int_equal(got[at + n], 0xa5);
    }
    assert_memory_equal(got, r->codes, (size_t)p->weights);
    assert_memory_equal(lost, r->lost, (size_t)p->weights);
    assert_int_equal(told.corrected, all.corrected);
    assert_int_equal(told.detected, all.detected);
}

static void test_flipped(void **state) {
    (void)state;
    static const int rare[] = {0, 1, 10, 75};
    static uint64_t image[IMAGE];
    static uint8_t side[WORDS + 16];
    static right r;
    stoic_rng rng = kit_rng(51);
    stoic_run_set sets[STW_SETS];
    const int n_sets = stw_sets(sets);
    for (int round = 0; round < 24 * CODES; round++) {
        const stoic_stw_tensor record = code_at(round % CODES);
        const stoic_words words = words_of(&record);
        const stoic_packed p =
            draw(&rng, &words, 1 + kit_below(&rng, MOST), rare[round / CODES % 4], image, side, &r);
        for (int set = 0; set < n_sets; set++)
            compare_opened(&rng, &sets[set], &p, &r);
        for (int set = 0; set < n_sets; set++)
            compare_found(&rng, &sets[set], &p, &r);
    }
}

/* Every bit of a group of words alone, so that none is left out of a check. */
static void test_every_bit(void **state) {
    (void)state;
    static uint64_t image[IMAGE];
    static uint8_t side[WORDS + 16], codes[MOST];
    static right r;
    stoic_rng rng = kit_rng(52);
    stoic_run_set sets[STW_SETS];
    const int n_sets = stw_sets(sets);
    for (int k = 0; k < 16; k++) {
        const stoic_stw_tensor record = code_at(k);
        const stoic_words words = words_of(&record);
        const int whole = STOIC_BYTE_STRETCH / words.weights < 70 ? 33 : 70;
        const int weights = whole * words.weights;
        const stoic_packed p = draw(&rng, &words, weights, 0, image, side, &r);
        for (int bit = 0; bit < whole * words.word; bit++) {
            image[bit / 64] ^= UINT64_C(1) << bit % 64;
            for (int set = 0; set < n_sets; set++) {
                stoic_reading told = {0};
                stoic_packed_bytes(sets[set].words, sets[set].bytes, &p, 0, weights, codes, &told,
                                   NULL);
                if (told.corrected != 1 || told.detected != 0 ||
                    memcmp(codes, r.codes, (size_t)weights) != 0)
                    fail_msg("code %d, set %d: bit %d is not corrected", k, set, bit);
            }
            image[bit / 64] ^= UINT64_C(1) << bit % 64;
        }
    }
}

/* Rows of a matrix are multiplied to the bit, and each of their words is counted once. */
static void compare_dots(stoic_rng *rng, const stoic_run_set *set, const stoic_stw_tensor *record,
                         const stoic_packed *p, const right *r, int64_t row) {
    enum { ROWS = STOIC_RUN_ROWS, LANES = STOIC_RUN_LANES };
    static stoic_reader reader;
    const stoic_stw_grid grid = {0.0078125, 3, 1, 0};
    stoic_stored stored = {.record = record, .packed = *p, .grids = &grid};
    const int rows = 1 + kit_below(rng, ROWS), all = (int)(p->weights / row);
    const int64_t per = p->words.weights;
    const uint8_t *from[ROWS];
    int64_t which[ROWS];
    float x[MOST], sums[ROWS][LANES] = {{0}}, wanted[ROWS][LANES] = {{0}};
    stoic_reading told = {0};
    stoic_reader_begin(&reader, set->words, set->bytes, &stored);
    if (!stoic_reader_multiplies_words(&reader, row))
        return;
    for (int i = 0; i < MOST; i++)
        x[i] = (float)stoic_rng_unit(rng) - 0.5f;
    for (int i = 0; i < ROWS; i++) {
        which[i] = i < rows ? kit_below(rng, all) : which[0];
        from[i] = r->codes + which[i] * row;
        const stoic_reading some = count(r, which[i] * row / per, (which[i] + 1) * row / per);
        told.corrected += i < rows ? some.corrected : 0;
        told.detected += i < rows ? some.detected : 0;
    }
    stoic_reader_dots(&reader, which, rows, row, x, sums);
    stoic_coded_loops_plain.dots(&reader.rule, from, NULL, row, x, wanted);
    assert_memory_equal(sums, wanted, (size_t)rows * sizeof *sums);
    assert_int_equal(stored.told.corrected, told.corrected);
    assert_int_equal(stored.told.detected, told.detected);
}

static void test_rows(void **state) {
    (void)state;
    static uint64_t image[IMAGE];
    static uint8_t side[WORDS + 16];
    static right r;
    stoic_rng rng = kit_rng(53);
    stoic_run_set sets[STW_SETS];
    const int n_sets = stw_sets(sets);
    for (int round = 0; round < 16 * CODES; round++) {
        stoic_stw_tensor record = code_at(round % CODES);
        const stoic_words words = words_of(&record);
        const int64_t row = (1 + kit_below(&rng, MOST / words.weights)) * words.weights;
        const int64_t weights = MOST / row * row;
        record.weights = (uint64_t)weights;
        const stoic_packed p = draw(&rng, &words, weights, round % 2 ? 20 : 0, image, side, &r);
        for (int set = 0; set < n_sets; set++)
            compare_dots(&rng, &sets[set], &record, &p, &r, row);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, fill_tables, NULL);
}
