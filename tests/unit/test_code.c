/* Codes that keep their redundancy above the data: majority of three, SECDED. Exhaustive. */
#include "code_rig.h"

static stoic_store *make(const char *spec, int words, int rest, uint32_t seed) {
    float weights[8 * STOIC_WORD_WEIGHTS], none[1] = {0.5f};
    stoic_store *probe = rig(spec, none, 1);
    int n = words * stoic_store_entry_at(probe, 0)->word_weights + rest;
    stoic_store_free(probe);
    rig_fill(weights, n, seed);
    return rig(spec, weights, n);
}

static const struct {
    const char *spec;
    int weights, redundant;
} secded[] = {{"fp32,code=secded72", 2, 8},       {"fp64,code=secded72", 1, 8},
              {"fp16,code=secded72", 4, 8},       {"bf16,code=secded72", 4, 8},
              {"int8,code=secded72", 8, 8},       {"affine:5,code=secded72", 12, 8},
              {"affine:3,code=secded72", 21, 8},  {"affine:2,code=secded72", 32, 8},
              {"fixed:17:9,code=secded72", 3, 8}, {"fp32,code=secded39", 1, 7},
              {"fp16,code=secded39", 2, 7},       {"int8,code=secded39", 4, 7},
              {"affine:5,code=secded39", 6, 7},   {"affine:2,code=secded39", 16, 7},
              {"fixed:20:10,code=secded39", 1, 7}};

static void check_secded(const stoic_store *store, int64_t number, bool full, bool triples) {
    rig_word w;
    rig_word_init(&w, store, number);
    const int64_t n = w.n;
    assert_int_equal(n, w.weights * stoic_layout_of(store, 0)->code.data +
                            stoic_layout_of(store, 0)->code.redundant);
    rig_tally one = rig_patterns(&w, 1), two = rig_patterns(&w, 2);
    assert_int_equal(one.patterns, n);
    assert_int_equal(one.repaired, n);
    assert_int_equal(two.patterns, n * (n - 1) / 2);
    assert_int_equal(two.detected, n * (n - 1) / 2);
    if (!triples)
        return;
    /* three wrong bits have an odd syndrome: some look like one wrong bit, none like no error */
    rig_tally three = rig_patterns(&w, 3);
    assert_int_equal(three.patterns, n * (n - 1) * (n - 2) / 6);
    assert_int_equal(three.clean_wrong, 0);
    assert_int_equal(three.miscorrected + three.detected + three.repaired, three.patterns);
    double share = (double)three.miscorrected / (double)three.patterns;
    assert_true(share > 0.02 && share < (full ? 0.8 : 0.7));
    /* repaired by chance: its check bits alone were wrong */
    assert_true(!full || three.repaired < three.patterns / 100);
}

static void secded_corrects_one_and_detects_two(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof secded / sizeof *secded; i++) {
        stoic_store *store = make(secded[i].spec, 3, 0, 5 + (uint32_t)i);
        const stoic_store_entry *entry = stoic_store_entry_at(store, 0);
        assert_int_equal(entry->word_weights, secded[i].weights);
        assert_int_equal(entry->word_bits,
                         secded[i].weights * stoic_layout_of(store, 0)->format.bits +
                             secded[i].redundant);
        assert_int_equal(rig_facts(store).corrects, 1);
        assert_int_equal(rig_facts(store).detects, 2);
        for (int64_t word = 0; word < 3; word++)
            check_secded(store, word, true, word == 0);
        stoic_store_free(store);
    }
}

/* A shortened word: what points at a place that is not stored is a detected error. */
static void last_words_are_codes_of_their_own(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof secded / sizeof *secded; i++) {
        for (int rest = 1; rest < secded[i].weights; rest += 1 + rest / 3) {
            stoic_store *store = make(secded[i].spec, 1, rest, 50 + (uint32_t)i);
            assert_int_equal(stoic_store_entry_at(store, 0)->words, 2);
            check_secded(store, 0, true, false);
            check_secded(store, 1, false, rest < 3);
            stoic_store_free(store);
        }
    }
}

/* The partner: a store whose check bits are off by one bit fails where the tests above look. */
static void a_wrong_check_bit_is_noticed(void **state) {
    (void)state;
    stoic_store *store = make("fp32,code=secded72", 1, 0, 3);
    rig_word w;
    rig_word_init(&w, store, 0);
    rig_flip(&w.bits, 66);
    rig_tally one = rig_patterns(&w, 1), two = rig_patterns(&w, 2);
    assert_true(one.detected == one.patterns - 1 && one.repaired == 0);
    assert_true(two.miscorrected > 0);
    stoic_store_free(store);
}

/* Hsiao's conditions, from the outside: the check bits that one data bit sets are odd in number, at
 * least three, and no two data bits set the same. */
static void columns_are_odd_and_distinct(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        int data, checks;
    } codes[] = {{"fp64,code=secded72", 64, 8}, {"fixed:32:0,code=secded39", 32, 7}};
    for (int k = 0; k < 2; k++) {
        float zero = 0;
        stoic_store *store = rig(codes[k].spec, &zero, 1);
        const stoic_code *code = &stoic_layout_of(store, 0)->code;
        bool seen[256] = {false};
        for (int bit = 0; bit < codes[k].data; bit++) {
            uint64_t data[STOIC_WORD_WEIGHTS] = {(uint64_t)1 << bit};
            stoic_word word;
            assert_int_equal(code->family->encode(code, data, 0, &word), 0);
            uint64_t checks = stoic_word_get(&word, codes[k].data, codes[k].checks);
            int ones = __builtin_popcountll(checks);
            assert_true(ones % 2 == 1 && ones >= 3 && !seen[checks]);
            seen[checks] = true;
        }
        stoic_store_free(store);
    }
}

/* ---- majority of three ---- */

static const struct {
    const char *spec, *name;
    int copied;
} repeats[] = {{"affine:5,code=msb3", "msb3", 1},   {"fp32,code=msb3", "msb3", 1},
               {"int8,code=msb3", "msb3", 1},       {"fixed:8:6,code=msb3", "msb3", 1},
               {"fp32,code=rep:9", "rep:9", 9},     {"fp64,code=rep:12", "rep:12", 12},
               {"fp64,code=rep:40", "rep:40", 40},  {"fp16,code=rep:6", "rep:6", 6},
               {"affine:4,code=rep:2", "rep:2", 2}, {"affine:4,code=rep:4", "rep:4", 4},
               {"affine:2,code=tmr", "tmr", 2},     {"fp16,code=tmr", "tmr", 16},
               {"fp32,code=tmr", "tmr", 32},        {"fp64,code=tmr", "tmr", 64},
               {"fp32,code=rep:32", "rep:32", 32},  {"fp32,code=rep:20", "rep:20", 20}};

/* The bit of the weight that bit `at` of a word stands for. */
static int meaning(int at, int data, int copied) {
    return at < data ? at : data - copied + (at - data) % copied;
}

/* The expectation for one pattern, from the definition. */
static void check_majority(const rig_word *w, int a, int b, int copied) {
    const int data = stoic_layout_of(w->store, 0)->code.data;
    uint64_t read[STOIC_WORD_WEIGHTS], expected = w->data[0];
    stoic_word word = w->bits;
    int first = meaning(a, data, copied), second = b < 0 ? -1 : meaning(b, data, copied);
    bool voted = first >= data - copied || second >= data - copied;
    rig_flip(&word, a);
    if (b >= 0)
        rig_flip(&word, b);
    if (first < data - copied)
        expected ^= (uint64_t)1 << first;
    if (b >= 0 && second < data - copied)
        expected ^= (uint64_t)1 << second;
    if (first == second) /* two of the three: both copies or a copy and the bit */
        expected ^= (uint64_t)1 << first;
    assert_int_equal(rig_read(w, &word, read), voted ? STOIC_WORD_CORRECTED : STOIC_WORD_CLEAN);
    assert_true(read[0] == expected);
}

static void the_majority_decides(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof repeats / sizeof *repeats; i++) {
        stoic_store *store = make(repeats[i].spec, 3, 0, 90 + (uint32_t)i);
        const stoic_store_entry *entry = stoic_store_entry_at(store, 0);
        const int data = stoic_layout_of(store, 0)->code.data, copied = repeats[i].copied;
        assert_string_equal(stoic_layout_of(store, 0)->code.name, repeats[i].name);
        assert_int_equal(entry->word_bits, data + 2 * copied);
        assert_int_equal(rig_facts(store).corrects, copied == data);
        for (int64_t word = 0; word < entry->words; word++) {
            rig_word w;
            rig_word_init(&w, store, word);
            assert_int_equal(w.n, entry->word_bits);
            for (int a = 0; a < w.n; a++) {
                for (int b = -1; b < a; b++)
                    check_majority(&w, a, b, copied);
            }
            rig_tally one = rig_patterns(&w, 1);
            assert_int_equal(one.repaired, 3 * copied);
            assert_int_equal(one.clean_wrong, data - copied);
        }
        stoic_store_free(store);
    }
}

/* FORTUNE's layout: both copies of the most significant bit stand right above it. */
static void msb3_is_the_layout_of_the_paper(void **state) {
    (void)state;
    const float weights[] = {-1.0f, 1.0f, 0.1f};
    stoic_store *store = rig("affine:5,code=msb3", weights, 3);
    assert_int_equal(stoic_store_word(store, 0, 0).part[0], 0);
    assert_int_equal(stoic_store_word(store, 0, 1).part[0], 0x7f);
    assert_int_equal(stoic_store_word(store, 0, 2).part[0], 0x60 | 17);
    assert_int_equal(stoic_store_total_bits(store), 3 * 7);
    stoic_place place;
    stoic_store_place(store, 0, 2, 6, &place);
    assert_true(place.index == 2 && place.bit == 6 && place.role == STOIC_BIT_COPY);
    assert_string_equal(place.field, "value");
    stoic_store_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secded_corrects_one_and_detects_two),
        cmocka_unit_test(last_words_are_codes_of_their_own),
        cmocka_unit_test(a_wrong_check_bit_is_noticed),
        cmocka_unit_test(columns_are_odd_and_distinct),
        cmocka_unit_test(the_majority_decides),
        cmocka_unit_test(msb3_is_the_layout_of_the_paper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
