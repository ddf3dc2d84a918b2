/*
 * The vectorised loops that move bits and add parities, against one bit after another, for every
 * width and place: stores go over to a code's own decoder where a word seems wrong, which would
 * hide words that were read wrongly.
 */
#include "store_rig.h"

#include "base/rng.h"
#include "store/bulk.h"

enum { MOST = 150, IMAGE = 200 }; /* words; parts of 64 bits, two of them to spare */

static bool bit_of(const uint64_t *image, int64_t at) {
    return image[at / 64] >> at % 64 & 1;
}

static uint64_t bits_of(const uint64_t *image, int64_t at, int count) {
    uint64_t bits = 0;
    for (int i = 0; i < count; i++)
        bits |= (uint64_t)bit_of(image, at + i) << i;
    return bits;
}

static void put_bits(uint64_t *image, int64_t at, int count, uint64_t bits) {
    for (int i = 0; i < count; i++)
        image[(at + i) / 64] |= (bits >> i & 1) << (at + i) % 64;
}

static uint64_t draw(stoic_rng *rng) {
    return stoic_rng_below(rng, UINT64_C(1) << 32) << 32 | stoic_rng_below(rng, UINT64_C(1) << 32);
}

static void fill(stoic_rng *rng, uint64_t *parts, int n) {
    for (int i = 0; i < n; i++)
        parts[i] = draw(rng);
}

/* Words of `held` and `redundant` bits from bit `at` on, out of an image and into another. */
static void move_words(const stoic_bits_kernels *set, stoic_rng *rng, int64_t at, int held,
                       int redundant, int n) {
    uint64_t image[IMAGE], data[MOST], got[IMAGE] = {0}, wanted[IMAGE] = {0};
    uint8_t checks[MOST];
    const int bits = held + redundant;
    fill(rng, image, IMAGE);
    set->open(image, at, held, redundant, n, data, checks);
    put_bits(got, 0, (int)at, UINT64_MAX); /* at < 64: what stands there stays */
    put_bits(wanted, 0, (int)at, UINT64_MAX);
    for (int i = 0; i < n; i++) {
        assert_true(data[i] == bits_of(image, at + (int64_t)i * bits, held));
        assert_int_equal(checks[i], bits_of(image, at + (int64_t)i * bits + held, redundant));
        put_bits(wanted, at + (int64_t)i * bits, held, data[i]);
        put_bits(wanted, at + (int64_t)i * bits + held, redundant, checks[i]);
    }
    set->close(got, at, held, redundant, n, data, checks);
    assert_memory_equal(got, wanted, sizeof got);
}

static void words_move_as_bit_by_bit(void **state) {
    (void)state;
    const stoic_store_kernels *sets[3];
    stoic_rng rng;
    stoic_rng_init(&rng, 21, 1, STOIC_STREAM_VALUE);
    for (int set = 0; set < stoic_store_kernels_all(sets); set++) {
        for (int held = 17; held <= 64; held++) {
            for (int64_t at = 0; at < 32; at++) {
                const int n = 1 + (int)stoic_rng_below(&rng, MOST);
                move_words(sets[set]->bits, &rng, at, held, at % 2 ? 7 : 8, n);
            }
        }
        move_words(sets[set]->bits, &rng, 0, 64, 0, MOST);
    }
}

static void codes_move_as_bit_by_bit(void **state) {
    (void)state;
    const stoic_store_kernels *sets[3];
    stoic_rng rng;
    stoic_rng_init(&rng, 22, 1, STOIC_STREAM_VALUE);
    for (int round = 0; round < 31 * 40 * stoic_store_kernels_all(sets); round++) {
        const stoic_bits_kernels *set = sets[round / (31 * 40)]->bits;
        const int bits = 2 + round % 31, n = 1 + (int)stoic_rng_below(&rng, MOST);
        const int64_t at = bits % 8 ? (int64_t)stoic_rng_below(&rng, 20) : 8 * (round % 5);
        uint64_t image[IMAGE], got[IMAGE] = {0}, wanted[IMAGE] = {0};
        uint32_t codes[MOST + STOIC_BULK_ROOM];
        fill(&rng, image, IMAGE);
        set->unpack(image, at, bits, n, codes);
        put_bits(got, 0, (int)at, UINT64_MAX);
        put_bits(wanted, 0, (int)at, UINT64_MAX);
        for (int i = 0; i < n; i++) {
            assert_int_equal(codes[i], bits_of(image, at + (int64_t)i * bits, bits));
            put_bits(wanted, at + (int64_t)i * bits, bits, codes[i]);
        }
        set->pack(got, at, bits, n, codes);
        assert_memory_equal(got, wanted, sizeof got);
    }
}

static void words_fall_apart_as_bit_by_bit(void **state) {
    (void)state;
    const stoic_store_kernels *sets[3];
    stoic_rng rng;
    stoic_rng_init(&rng, 23, 1, STOIC_STREAM_VALUE);
    for (int set = 0; set < stoic_store_kernels_all(sets); set++) {
        for (int bits = 2; bits <= 32; bits++) {
            for (int weights = 1; weights * bits <= 64; weights++) {
                uint64_t data[9], back[9];
                uint32_t codes[9 * 32 + STOIC_BULK_ROOM] = {0};
                fill(&rng, data, 9);
                sets[set]->bits->split(data, 9, weights, bits, codes);
                for (int i = 0; i < 9 * weights; i++)
                    assert_int_equal(codes[i],
                                     bits_of(&data[i / weights], i % weights * bits, bits));
                sets[set]->bits->join(codes, 9, weights, bits, back);
                for (int i = 0; i < 9; i++)
                    assert_true(back[i] == bits_of(&data[i], 0, weights * bits));
            }
        }
    }
}

static void sums_are_those_of_the_columns(void **state) {
    (void)state;
    const stoic_store_kernels *sets[3];
    stoic_parity parity;
    stoic_rng rng;
    uint64_t words[MOST];
    uint8_t columns[64], sums[MOST];
    stoic_rng_init(&rng, 24, 1, STOIC_STREAM_VALUE);
    for (int i = 0; i < 64; i++)
        columns[i] = (uint8_t)stoic_rng_below(&rng, 256);
    stoic_parity_fill(&parity, columns);
    fill(&rng, words, MOST);
    for (int set = 0; set < stoic_store_kernels_all(sets); set++) {
        for (int n = 1; n <= MOST; n++) {
            sets[set]->bits->parities(words, n, &parity, sums);
            for (int i = 0; i < n; i++) {
                uint8_t wanted = 0;
                for (int k = 0; k < 64; k++)
                    wanted ^= bit_of(&words[i], k) ? columns[k] : 0;
                assert_int_equal(sums[i], wanted);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_move_as_bit_by_bit),
                                       cmocka_unit_test(codes_move_as_bit_by_bit),
                                       cmocka_unit_test(words_fall_apart_as_bit_by_bit),
                                       cmocka_unit_test(sums_are_those_of_the_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
