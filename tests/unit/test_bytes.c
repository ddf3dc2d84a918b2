/* Codes of at most 8 bits by the loops of every instruction set against the codes' own decoders,
 * word by word, and what they are worth against the rule of the format. */
#include <math.h>

#include "infer_rig.h"

enum { MOST = 2600, IMAGE = MOST * 3 / 8 + 8 };

static const stoic_byte_kernels *const *byte_sets(int *n) {
    static const stoic_byte_kernels *sets[3];
    stoic_run_set all[STW_SETS];
    *n = 0;
    for (int i = 0; i < stw_sets(all); i++) {
        if (*n == 0 || sets[*n - 1] != all[i].bytes)
            sets[(*n)++] = all[i].bytes;
    }
    return sets;
}

static void fill(stoic_rng *rng, void *to, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)stoic_rng_below(rng, 256);
}

/* The data of a word of secded with the checks that fit them. */
static void add_checks(const stoic_words *w, stoic_word *word) {
    const int held = w->weights * w->data;
    stoic_word full = {{stoic_word_get(word, 0, held)}};
    stoic_word_put(word, held, w->redundant, stoic_secded_syndrome(w->secded, &full));
}

/* A tensor of random words, of which `rare` of 100 are random and the others right. */
static stoic_packed draw(stoic_rng *rng, const stoic_words *words, int64_t weights, int rare,
                         uint64_t *image) {
    const stoic_packed p = {.words = *words, .image = image, .weights = weights};
    memset(image, 0, IMAGE * sizeof *image);
    for (int64_t i = 0; i < stoic_packed_count(&p); i++) {
        stoic_word word = {{0}};
        fill(rng, &word, (size_t)(words->word + 7) / 8);
        if (words->word % 8)
            stoic_word_put(&word, words->word, 64 - words->word % 64, 0);
        if ((int)stoic_rng_below(rng, 100) >= rare && words->copied) {
            stoic_words_mend(words, &word, 0, 1);
        } else if ((int)stoic_rng_below(rng, 100) >= rare && words->redundant && !words->copied) {
            const int held = stoic_packed_held(&p, i) * words->data,
                      all = words->weights * words->data;
            if (held < all)
                stoic_word_put(&word, held, all - held, 0);
            add_checks(words, &word);
        } else if ((int)stoic_rng_below(rng, 100) >= rare && !words->copied) {
            word = (stoic_word){{0}}; /* all zeros is right in every linear code */
            word.part[0] = stoic_rng_below(rng, 2) ? 0 : UINT64_C(0x8080808080808080);
            stoic_words_mend(words, &word, 0, stoic_packed_held(&p, i));
        }
        stoic_image_replace(image, i * words->word, words->word, &word);
    }
    return p;
}

/* All of it, in pieces of whole words, by each set. */
static void compare_opened(stoic_rng *rng, const stoic_packed *p, const char *what) {
    uint8_t wanted[MOST], got[MOST];
    bool gone[MOST], lost[MOST];
    stoic_reading all = {0};
    int n_sets;
    const stoic_byte_kernels *const *sets = byte_sets(&n_sets);
    const stoic_store_kernels *kernels[3];
    const int per = p->words.weights, levels = stoic_store_kernels_all(kernels);
    for (int64_t i = 0; i < stoic_packed_count(p); i++) {
        uint64_t data[STOIC_WORD_WEIGHTS];
        const int held = stoic_packed_held(p, i);
        const stoic_word word = stoic_image_get(p->image, i * p->words.word, p->words.word);
        const stoic_verdict verdict = stoic_words_open(&p->words, &word, 0, held, data);
        all.corrected += verdict == STOIC_WORD_CORRECTED;
        all.detected += verdict == STOIC_WORD_DETECTED;
        for (int k = 0; k < held; k++) {
            wanted[i * per + k] = (uint8_t)data[k];
            gone[i * per + k] = verdict == STOIC_WORD_DETECTED;
        }
    }
    for (int set = 0; set < n_sets; set++) {
        stoic_reading told = {0};
        memset(got, 0xa5, sizeof got);
        for (int64_t at = 0, n; at < p->weights; at += n) {
            n = (1 + kit_below(rng, STOIC_BYTE_STRETCH / per)) * per;
            n = p->weights - at < n ? p->weights - at : n;
            stoic_packed_bytes(kernels[set < levels ? set : levels - 1], sets[set], p, at, (int)n,
                               got + at, &told, lost + at);
        }
        if (memcmp(wanted, got, (size_t)p->weights) != 0)
            fail_msg("%s, set %d: other codes", what, set);
        if (memcmp(gone, lost, (size_t)p->weights) != 0)
            fail_msg("%s, set %d: others are lost", what, set);
        if (told.corrected != all.corrected || told.detected != all.detected)
            fail_msg("%s, set %d: corrected %d, detected %d instead of %d, %d", what, set,
                     (int)told.corrected, (int)told.detected, (int)all.corrected,
                     (int)all.detected);
        if (p->weights < MOST)
            assert_int_equal(got[p->weights], 0xa5);
    }
}

/* Every width, every number of copied bits, random words, beginnings and lengths. */
static void test_repeated(void **state) {
    (void)state;
    stoic_rng rng = kit_rng(31);
    static uint64_t image[IMAGE];
    for (int data = 2; data <= 8; data++) {
        for (int copied = 0; copied <= data; copied++) {
            const stoic_words words = {.data = data,
                                       .weights = 1,
                                       .redundant = 2 * copied,
                                       .word = data + 2 * copied,
                                       .copied = copied};
            for (int round = 0; round < 20; round++) {
                static const int rare[] = {100, 100, 0, 1};
                char what[64];
                const int64_t n = 1 + kit_below(&rng, MOST);
                const stoic_packed p = draw(&rng, &words, n, rare[round % 4], image);
                snprintf(what, sizeof what, "%d bits, %d of them repeated", data, copied);
                assert_true(stoic_packed_is_short(&p));
                compare_opened(&rng, &p, what);
            }
        }
    }
}

static void test_summed(void **state) {
    (void)state;
    static const int rare[] = {0, 1, 10, 100};
    stoic_secded tables[3];
    stoic_rng rng = kit_rng(32);
    static uint64_t image[IMAGE];
    for (int shape = 0; shape < 3; shape++)
        stoic_secded_fill(&tables[shape], (stoic_secded_shape)shape);
    for (int round = 0; round < 400; round++) {
        const bool inside = round % 2;
        const stoic_words words = {.data = 8,
                                   .weights = 8,
                                   .redundant = inside ? 0 : 8,
                                   .word = inside ? 64 : 72,
                                   .secded =
                                       &tables[inside ? STOIC_SECDED_IN_PLACE : STOIC_SECDED_72]};
        const stoic_packed p =
            draw(&rng, &words, 1 + kit_below(&rng, MOST), rare[round / 2 % 4], image);
        compare_opened(&rng, &p, inside ? "zerospace64" : "secded72");
    }
}

/* Words of secded of every width whose codes are not bytes, or not eight. */
static void test_parts(void **state) {
    (void)state;
    static const int rare[] = {0, 1, 10, 100};
    stoic_secded tables[3];
    stoic_rng rng = kit_rng(36);
    static uint64_t image[IMAGE];
    for (int shape = 0; shape < 3; shape++)
        stoic_secded_fill(&tables[shape], (stoic_secded_shape)shape);
    for (int round = 0; round < 560; round++) {
        const int room = round % 2 ? 64 : 32, data = 2 + round / 2 % 7, weights = room / data;
        const int checks = round % 2 ? 8 : 7;
        const stoic_words words = {.data = data,
                                   .weights = weights,
                                   .redundant = checks,
                                   .word = weights * data + checks,
                                   .secded =
                                       &tables[round % 2 ? STOIC_SECDED_72 : STOIC_SECDED_39]};
        char what[64];
        snprintf(what, sizeof what, "secded, %d weights of %d bits", weights, data);
        const stoic_packed p =
            draw(&rng, &words, 1 + kit_below(&rng, MOST), rare[round / 14 % 4], image);
        compare_opened(&rng, &p, what);
    }
}

/* A single wrong bit, wherever it stands in a group of words, is seen. */
static void test_single(void **state) {
    (void)state;
    stoic_secded tables[3];
    stoic_rng rng = kit_rng(33);
    static uint64_t image[IMAGE];
    for (int shape = 0; shape < 3; shape++)
        stoic_secded_fill(&tables[shape], (stoic_secded_shape)shape);
    for (int inside = 0; inside < 2; inside++) {
        const stoic_words words = {.data = 8,
                                   .weights = 8,
                                   .redundant = inside ? 0 : 8,
                                   .word = inside ? 64 : 72,
                                   .secded = &tables[inside ? 2 : 0]};
        const stoic_packed p = draw(&rng, &words, 8 * 70, 0, image);
        for (int bit = 0; bit < 70 * words.word; bit++) {
            image[bit / 64] ^= UINT64_C(1) << bit % 64;
            compare_opened(&rng, &p, "a single bit");
            image[bit / 64] ^= UINT64_C(1) << bit % 64;
        }
    }
}

static void test_interleave(void **state) {
    (void)state;
    stoic_rng rng = kit_rng(34);
    int n_sets;
    const stoic_byte_kernels *const *sets = byte_sets(&n_sets);
    for (int64_t n = 1; n < 200; n++) {
        const int64_t step = n + n % 3;
        uint8_t from[16 * 202], to[16 * 200 + 1];
        fill(&rng, from, sizeof from);
        for (int set = 0; set < n_sets; set++) {
            memset(to, 0xa5, sizeof to);
            sets[set]->interleave(from, step, n, to);
            for (int64_t i = 0; i < 16 * n; i++)
                assert_int_equal(to[i], from[i % 16 * step + i / 16]);
            assert_int_equal(to[16 * n], 0xa5);
        }
    }
}

/* One tensor of each format on a grid: `reader` says what each code is worth. */
static void compare_worth(const stoic_store_kernels *words, const stoic_byte_kernels *bytes,
                          const stoic_stw_tensor *record, const stoic_stw_grid *grid,
                          stoic_reader *reader) {
    uint8_t codes[300];
    float got[300], wanted[256];
    static uint64_t image[64];
    stoic_stored stored = {.record = record, .grids = grid};
    stoic_value_rule rule = {.kind = (stoic_format_kind)record->format,
                             .bits = (int)record->bits,
                             .is_signed = record->format != STOIC_FORMAT_AFFINE,
                             .step = grid->step,
                             .zero = grid->zero,
                             .scale = record->divides ? (double)grid->scale : 1.0};
    uint32_t all[256];
    assert_true(stoic_stw_words(record, &stored.packed.words));
    stored.packed.image = image;
    stored.packed.weights = (int64_t)record->weights;
    stoic_reader_begin(reader, words, bytes, &stored);
    assert_true(reader->by_bytes);
    for (int i = 0; i < 300; i++)
        codes[i] = (uint8_t)(i % (1 << record->bits));
    for (uint32_t i = 0; i < 256; i++)
        all[i] = i;
    words->decode(&rule, all, 1 << record->bits, wanted);
    bytes->widen(&reader->rule, codes, 300, got);
    for (int i = 0; i < 300; i++)
        assert_memory_equal(&got[i], &wanted[codes[i]], sizeof *got);
}

static void test_worth(void **state) {
    (void)state;
    static const double steps[] = {0,     -0.1,   NAN, INFINITY, 1e-40, 1e-300,
                                   1e300, 5e-324, 1,   0.5,      1e38,  3e35};
    stoic_rng rng = kit_rng(35);
    int n_sets, linear = 0, tried = 0;
    const stoic_byte_kernels *const *sets = byte_sets(&n_sets);
    const stoic_store_kernels *kernels[3];
    static stoic_reader reader;
    const int levels = stoic_store_kernels_all(kernels);
    for (int round = 0; round < 3000; round++) {
        const bool affine = round % 2;
        const stoic_stw_tensor record = {.weights = 400,
                                         .packed = 1,
                                         .format = affine ? STOIC_FORMAT_AFFINE : STOIC_FORMAT_INT8,
                                         .bits = affine ? (uint32_t)(2 + round / 2 % 7) : 8,
                                         .channels = 1,
                                         .inner = 1,
                                         .divides = round % 3 == 0};
        const bool odd = round % 50 < 12;
        const stoic_stw_grid grid = {odd ? steps[round % 50] : stoic_rng_unit(&rng) * 0.01,
                                     affine ? stoic_rng_unit(&rng) * 256 : 0,
                                     (float)(0.5 + stoic_rng_unit(&rng)), 0};
        for (int set = 0; set < n_sets; set++) {
            compare_worth(kernels[set < levels ? set : levels - 1], sets[set], &record, &grid,
                          &reader);
            tried += set > 0 && !odd && record.bits == 8;
            linear += set > 0 && !odd && record.bits == 8 && reader.rule.linear;
        }
    }
    if (linear < tried - tried / 50)
        fail_msg("%d of %d grids are computed", linear, tried);
}

/* A rule of a random grid. */
static bool draw_rule(stoic_rng *rng, int bits, bool affine, const stoic_byte_kernels *bytes,
                      stoic_byte_rule *out) {
    static stoic_reader reader;
    static uint64_t image[64];
    const stoic_store_kernels *kernels[3];
    const stoic_stw_tensor record = {.weights = 100,
                                     .packed = 1,
                                     .format = affine ? STOIC_FORMAT_AFFINE : STOIC_FORMAT_FIXED,
                                     .bits = (uint32_t)bits,
                                     .fraction = 3,
                                     .channels = 1,
                                     .inner = 1};
    const stoic_stw_grid grid = {stoic_rng_unit(rng) * 0.01 + 0.001,
                                 affine ? stoic_rng_unit(rng) * (1 << bits) : 0, 1, 0};
    stoic_stored stored = {.record = &record, .grids = &grid};
    stoic_store_kernels_all(kernels);
    assert_true(stoic_stw_words(&record, &stored.packed.words));
    stored.packed.image = image;
    stored.packed.weights = 100;
    stoic_reader_begin(&reader, kernels[0], bytes, &stored);
    *out = reader.rule;
    return bytes->coded->knows(out);
}

static void fill_floats(stoic_rng *rng, float *x, int n) {
    for (int i = 0; i < n; i++)
        x[i] = kit_below(rng, 40) ? (float)stoic_rng_unit(rng) - 0.5f : -0.0f;
}

/* A sum that began with 0 is not -0. */
static void fill_sums(stoic_rng *rng, float *x, int n) {
    fill_floats(rng, x, n);
    for (int i = 0; i < n; i++)
        x[i] = x[i] + 0.0f;
}

/* Products of codes, to the bit; a sum that is taken up goes on. */
static void test_dots(void **state) {
    (void)state;
    enum { ROWS = STOIC_RUN_ROWS, LANES = STOIC_RUN_LANES, LONG = 500 };
    stoic_rng rng = kit_rng(37);
    int n_sets, known = 0;
    const stoic_byte_kernels *const *sets = byte_sets(&n_sets);
    uint8_t codes[ROWS][LONG];
    float x[LONG];
    for (int round = 0; round < 700; round++) {
        const int bits = 2 + round % 7, n = 1 + kit_below(&rng, LONG);
        fill_floats(&rng, x, LONG);
        fill(&rng, codes, sizeof codes);
        for (int r = 0; r < ROWS; r++) {
            for (int i = 0; i < LONG; i++)
                codes[r][i] &= (uint8_t)((1 << bits) - 1);
        }
        const uint8_t *const rows[ROWS] = {codes[0], codes[1], codes[2], codes[round % 4]};
        const stoic_coded_ahead ahead = {{codes[0], codes[1], codes[2], codes[3]}, round % 100};
        for (int s = 0; s < n_sets; s++) {
            const stoic_coded_loops *loops = sets[s]->coded;
            float sums[ROWS][LANES], wanted[ROWS][LANES];
            stoic_byte_rule rule;
            if (!loops->dots || !draw_rule(&rng, bits, round % 3, sets[s], &rule))
                continue;
            fill_sums(&rng, sums[0], ROWS * LANES);
            memcpy(wanted, sums, sizeof sums);
            loops->dots(&rule, rows, &ahead, n, x, sums);
            stoic_coded_loops_plain.dots(&rule, rows, &ahead, n, x, wanted);
            assert_memory_equal(sums, wanted, sizeof sums);
            known++;
        }
    }
    assert_true(n_sets < 2 || known > 600);
}

/* The same of words, right and wrong ones, beginning at any bit. */
static void test_dots_of_words(void **state) {
    (void)state;
    enum { ROWS = STOIC_RUN_ROWS, LANES = STOIC_RUN_LANES, LONG = 600 };
    static uint64_t image[IMAGE];
    stoic_rng rng = kit_rng(38);
    int n_sets, found[2] = {0};
    const stoic_byte_kernels *const *sets = byte_sets(&n_sets);
    float x[LONG];
    for (int round = 0; round < 1500; round++) {
        const int data = 2 + round % 4, most = (8 - data) / 2 < data ? (8 - data) / 2 : data;
        const int copied = kit_below(&rng, most + 1), n = 1 + kit_below(&rng, LONG);
        const stoic_words words = {.data = data,
                                   .weights = 1,
                                   .redundant = 2 * copied,
                                   .word = data + 2 * copied,
                                   .copied = copied};
        draw(&rng, &words, MOST, round % 3 ? 0 : 1, image);
        int64_t at[ROWS];
        for (int r = 0; r < ROWS; r++)
            at[r] = kit_below(&rng, MOST - n + 1) * words.word;
        fill_floats(&rng, x, LONG);
        for (int s = 0; s < n_sets; s++) {
            const stoic_coded_loops *loops = sets[s]->coded;
            float sums[ROWS][LANES], wanted[ROWS][LANES];
            stoic_byte_rule rule;
            if (!loops->dots_short || !draw_rule(&rng, data, true, sets[s], &rule))
                continue;
            fill_sums(&rng, sums[0], ROWS * LANES);
            memcpy(wanted, sums, sizeof sums);
            const bool odd = loops->dots_short(image, at, &words, &rule, n, x, sums);
            assert_true(odd ==
                        stoic_coded_loops_plain.dots_short(image, at, &words, &rule, n, x, wanted));
            assert_memory_equal(sums, wanted, sizeof sums);
            found[odd]++;
            uint8_t by[LONG];
            int32_t products[ROWS], rights[ROWS], totals[ROWS], right[ROWS];
            const uint8_t flip = round % 2 ? (uint8_t)(1 << (data - 1)) : 0;
            fill(&rng, by, sizeof by);
            if (!loops->integers_short)
                continue;
            assert_true(odd ==
                        loops->integers_short(image, at, &words, flip, n, by, products, totals));
            stoic_coded_loops_plain.integers_short(image, at, &words, flip, n, by, rights, right);
            assert_memory_equal(products, rights, sizeof rights);
            assert_memory_equal(totals, right, sizeof right);
        }
    }
    assert_true(found[0] + found[1] == 0 || (found[0] > 100 && found[1] > 100));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeated), cmocka_unit_test(test_summed),
        cmocka_unit_test(test_single),   cmocka_unit_test(test_interleave),
        cmocka_unit_test(test_worth),    cmocka_unit_test(test_parts),
        cmocka_unit_test(test_dots),     cmocka_unit_test(test_dots_of_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
