/* Codes whose check bits stand inside the data: zerospace64 and parity64. Exhaustive. */
#include "code_rig.h"

/* ---- zerospace64 ---- */

/* Codes as weights: the largest is 127, so a step is 1. */
static stoic_store *zerospace(const int *values, int n) {
    float weights[64];
    for (int i = 0; i < n; i++)
        weights[i] = (float)values[i];
    return rig("int8,code=zerospace64", weights, n);
}

static void zerospace_holds_seven_small_weights(void **state) {
    (void)state;
    static const int values[] = {-127, -65, -64, -1, 0, 63, 64, 127, /* the eighth is free */
                                 63,   62,  -64, 1,  2, 3,  4,  -127, 100, 1};
    static const int held[] = {-64, -64, -64, -1, 0, 63, 63,   127, 63,
                               62,  -64, 1,   2,  3, 4,  -127, 63,  1};
    float back[18];
    stoic_store *store = zerospace(values, 18);
    rig_decode(store, back);
    for (int i = 0; i < 18; i++)
        assert_true(back[i] == (float)held[i]);
    assert_int_equal(rig_facts(store).clamped, 4); /* -127, -65, 64 and the 100 */
    assert_int_equal(stoic_store_total_bits(store), 18 * 8);
    assert_int_equal(rig_facts(store).padding_bits, 6 * 8);
    assert_int_equal(stoic_store_side_bits(store), 64);
    for (int bit = 0; bit < 64; bit++) {
        stoic_place place;
        stoic_store_place(store, 0, 1, bit, &place);
        bool check = bit < 56 && bit % 8 == 6;
        assert_int_equal(place.role, check ? STOIC_BIT_PARITY : STOIC_BIT_DATA);
        assert_true(place.index == 8 + bit / 8 && place.bit == bit % 8);
        assert_string_equal(place.field, check ? "parity" : bit % 8 == 7 ? "sign" : "value");
    }
    stoic_store_free(store);
}

static void zerospace_corrects_one_and_detects_two(void **state) {
    (void)state;
    uint32_t random = 9;
    for (int round = 0; round < 12; round++) {
        int values[16], n = 8 + round % 8 + 1;
        for (int i = 0; i < n; i++) {
            random = random * 1664525u + 1013904223u;
            values[i] = (int)(random >> 24) - 128;
        }
        values[7] = 127;
        stoic_store *store = zerospace(values, n);
        for (int64_t word = 0; word < 2; word++) {
            rig_word w;
            rig_word_init(&w, store, word);
            assert_int_equal(w.n, word ? 8 * (n - 8) : 64);
            rig_tally one = rig_patterns(&w, 1), two = rig_patterns(&w, 2);
            assert_int_equal(one.repaired, w.n);
            assert_int_equal(two.detected, w.n * (w.n - 1) / 2);
            rig_tally three = rig_patterns(&w, 3);
            double share = (double)three.miscorrected / (double)three.patterns;
            assert_int_equal(three.clean_wrong, 0);
            /* all odd syndromes of a full word are in use: it never detects three */
            assert_true(w.n < 64 || (share > 0.9 && !three.detected));
            assert_true(w.n == 64 || three.detected > 0);
        }
        stoic_store_free(store);
    }
}

/* ---- parity64 ---- */

/* What a weight in 1/64 becomes at place `i` of its word. */
static int kept(int value, int i) {
    int m = abs(value) > 127 ? 127 : abs(value);
    if (i < 7 && m >= 32) {
        m = 4 * ((m + 2) / 4);
        m = m > 124 ? 124 : m;
    }
    return value < 0 ? -m : m;
}

static stoic_store *parity(const int *values, int n) {
    float weights[64];
    for (int i = 0; i < n; i++)
        weights[i] = (float)values[i] / 64;
    return rig("q2.5,code=parity64", weights, n);
}

static void parity_keeps_what_it_promises(void **state) {
    (void)state;
    for (int place = 0; place < 8; place++) {
        for (int value = -128; value < 128; value++) {
            int values[16] = {0};
            float back[16];
            values[8 + place] = value;
            stoic_store *store = parity(values, 16);
            rig_decode(store, back);
            assert_true(64 * back[8 + place] == (float)kept(value, place));
            /* small weights are exact, large ones lose half a step of 4, the ends up to 3 */
            int lost = abs(kept(value, place) - value);
            assert_true(lost <= (place == 7 ? value == -128 : abs(value) < 32 ? 0 : 4));
            assert_true(abs(value) > 125 || lost <= 2);
            assert_int_equal(rig_facts(store).clamped, value == -128);
            /* its position in a list among 16: 4 bits; the last weight needs none */
            assert_int_equal(stoic_store_side_bits(store), place < 7 && abs(value) >= 32 ? 4 : 0);
            assert_int_equal(stoic_store_total_bits(store), 128);
            stoic_store_free(store);
        }
    }
}

/* A word with large weights where `large` has a bit. */
static void mixture(unsigned large, uint32_t seed, int *values) {
    for (int i = 0; i < 8; i++) {
        seed = seed * 1664525u + 1013904223u;
        int m = (int)(seed >> 20) % (large >> i & 1 ? 96 : 32) + (large >> i & 1 ? 32 : 0);
        values[i] = seed >> 31 ? -m : m;
    }
}

static void parity_corrects_two(void **state) {
    (void)state;
    for (unsigned large = 0; large < 256; large++) {
        int values[8];
        mixture(large, large, values);
        stoic_store *store = parity(values, 8);
        rig_word w;
        rig_word_init(&w, store, 0);
        assert_int_equal(w.n, 64);
        rig_tally one = rig_patterns(&w, 1), two = rig_patterns(&w, 2);
        assert_int_equal(one.repaired, 64);
        assert_int_equal(two.repaired, 2016);
        int checks = 0;
        for (int bit = 0; bit < 64; bit++) {
            stoic_place place;
            stoic_store_place(store, 0, 0, bit, &place);
            int inside = bit % 8, i = bit / 8;
            bool check = i < 7 && (large >> i & 1 ? inside < 2 : inside == 5 || inside == 6);
            assert_int_equal(place.role, check ? STOIC_BIT_PARITY : STOIC_BIT_DATA);
            checks += check;
        }
        assert_int_equal(checks, 14);
        if (large % 51 == 0) {
            rig_tally three = rig_patterns(&w, 3);
            double share = (double)three.miscorrected / (double)three.patterns;
            assert_int_equal(three.clean_wrong, 0);
            assert_true(share > 0.05 && share < 0.25);
            assert_true(three.detected > three.patterns / 2);
        }
        stoic_store_free(store);
    }
}

static void parity_corrects_two_in_last_words(void **state) {
    (void)state;
    for (int rest = 1; rest < 8; rest++) {
        for (unsigned large = 0; large < 256; large += 17) {
            int values[16];
            mixture(large ^ 0x5a, large + 7, values);
            mixture(large, large + 3, values + 8);
            stoic_store *store = parity(values, 8 + rest);
            rig_word w;
            rig_word_init(&w, store, 1);
            assert_int_equal(w.n, 8 * rest);
            rig_tally one = rig_patterns(&w, 1), two = rig_patterns(&w, 2);
            assert_int_equal(one.repaired, w.n);
            assert_int_equal(two.repaired, w.n * (w.n - 1) / 2);
            rig_tally three = rig_patterns(&w, 3);
            assert_true(three.clean_wrong == 0 && three.detected > three.patterns / 2);
            stoic_store_free(store);
        }
    }
}

/* ---- the generator, by polynomials of the test's own ---- */

/* The coefficients of a stored word: checks 0 ... 13, then the other places in ascending order; a
 * large weight has bits 6, 5 and bits 1, 0 exchanged. Bit c of the result is coefficient c. */
static uint64_t polynomial(uint64_t word, unsigned large) {
    uint64_t checks = 0, data = 0;
    int n_checks = 0, n_data = 14;
    for (int i = 0; i < 8; i++) {
        uint64_t byte = word >> 8 * i & 0xff;
        if (i < 7 && large >> i & 1)
            byte = (byte & 0x9c) | (byte & 3) << 5 | (byte & 0x60) >> 5;
        for (int bit = 0; bit < 8; bit++) {
            uint64_t one = byte >> bit & 1;
            if (i < 7 && (bit == 5 || bit == 6))
                checks |= one << n_checks++;
            else
                data |= one << n_data++;
        }
    }
    assert_true(n_checks == 14 && n_data == 64);
    return checks | data;
}

static uint64_t product(uint64_t a, uint64_t b) {
    uint64_t sum = 0;
    for (int i = 0; i < 32; i++)
        sum ^= b >> i & 1 ? a << i : 0;
    return sum;
}

static uint64_t remainder_by(uint64_t a, uint64_t divisor) {
    int degree = 63 - __builtin_clzll(divisor);
    for (int i = 63; i >= degree; i--)
        a ^= a >> i & 1 ? divisor << (i - degree) : 0;
    return a;
}

static void words_are_multiples_of_the_generator(void **state) {
    (void)state;
    const uint64_t first = 1 << 7 | 1 << 3 | 1, second = 1 << 7 | 1 << 3 | 1 << 2 | 1 << 1 | 1;
    const uint64_t generator = product(first, second);
    assert_int_equal(63 - __builtin_clzll(generator), 14);
    for (unsigned large = 0; large < 256; large++) {
        int values[8];
        mixture(large, 77 * large + 1, values);
        stoic_store *store = parity(values, 8);
        uint64_t word = stoic_store_word(store, 0, 0).part[0];
        assert_int_equal(remainder_by(polynomial(word, large), generator), 0);
        assert_int_equal(remainder_by(polynomial(word, large), first), 0);
        assert_int_equal(remainder_by(polynomial(word, large), second), 0);
        /* the partner: no word with a wrong bit is one */
        for (int bit = 0; bit < 64; bit++)
            assert_true(remainder_by(polynomial(word ^ (uint64_t)1 << bit, large), generator));
        stoic_store_free(store);
    }
}

/* The first polynomial has a primitive root a; the second is the minimal polynomial of a^3. */
static void the_generator_has_four_roots_in_a_row(void **state) {
    (void)state;
    const uint64_t first = 1 << 7 | 1 << 3 | 1, second = 1 << 7 | 1 << 3 | 1 << 2 | 1 << 1 | 1;
    const uint64_t polynomials[] = {first, second};
    uint64_t power[128] = {1};
    for (int i = 1; i < 128; i++) {
        power[i] = remainder_by(product(power[i - 1], 2), first);
        assert_true(i == 127 ? power[i] == 1 : power[i] != 1);
    }
    static const int roots[] = {1, 2, 3, 4};
    for (int r = 0; r < 4; r++) {
        bool zero = false;
        for (int k = 0; k < 2; k++) {
            uint64_t value = 0;
            for (int i = 0; i < 8; i++)
                value ^= polynomials[k] >> i & 1 ? power[roots[r] * i % 127] : 0;
            zero = zero || value == 0;
        }
        assert_true(zero);
    }
}

static void codes_in_place_need_their_format(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"fixed:8:6,code=zerospace64",
         "spare bit of small int8 weights; format fixed:8:6 has none"},
        {"affine:8,code=zerospace64", "int8"},
        {"int8,code=parity64", "is made for the format fixed:8:6"},
        {"fixed:8:5,code=parity64", "found fixed:8:5"},
        {"fixed:9:6,code=parity64", "found fixed:9:6"}};
    float weights[8] = {0};
    stoic_model *model = rig_model(weights, 8);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stoic_store *store = NULL;
        stoic_error err = {0};
        if (stoic_store_create(model, bad[i][0], &store, &err) != STOIC_ERR_ARGUMENT ||
            !strstr(err.message, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], err.message);
    }
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zerospace_holds_seven_small_weights),
        cmocka_unit_test(zerospace_corrects_one_and_detects_two),
        cmocka_unit_test(parity_keeps_what_it_promises),
        cmocka_unit_test(parity_corrects_two),
        cmocka_unit_test(parity_corrects_two_in_last_words),
        cmocka_unit_test(words_are_multiples_of_the_generator),
        cmocka_unit_test(the_generator_has_four_roots_in_a_row),
        cmocka_unit_test(codes_in_place_need_their_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
