/*
 * The loops over whole tensors against the reference that goes weight by weight (lines.c): the same
 * bits, the same weights, the same counts, for every instruction set this machine has.
 */
#include "store_rig.h"

#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "store/bulk.h"

static const char *const formats[] = {
    "fp32",        "fp16",     "bf16",     "fixed:8:6", "fixed:7:3", "fixed:16:12", "fixed:32:20",
    "fixed:20:10", "affine:2", "affine:3", "affine:5",  "affine:8",  "int8"};
static const char *const codes[] = {"none",     "msb3",     "rep:2",       "tmr",
                                    "secded72", "secded39", "zerospace64", "parity64"};
static const char *const extras[] = {"",
                                     ",scale=max:1.9999",
                                     ",scale=pow2",
                                     ",scale=const:3",
                                     ",scale=max:3",
                                     ",granularity=channel",
                                     ",scale=max:1.97,granularity=channel"};
#define COUNT(a) (sizeof(a) / sizeof *(a))
enum { MOST = 4000 };

/* Weights of all magnitudes, with exact ties of the formats, zeros and, if asked, what is no
 * number. */
static void draw(float *weights, int64_t n, bool special) {
    stoic_rng rng;
    stoic_rng_init(&rng, 5, (uint64_t)n, STOIC_STREAM_VALUE);
    for (int64_t i = 0; i < n; i++) {
        double w = stoic_rng_unit(&rng) * 2 - 1;
        uint64_t kind = stoic_rng_below(&rng, 8);
        if (kind == 0)
            w = ldexp(w, -(int)stoic_rng_below(&rng, 40));
        else if (kind == 1)
            w = rint(w * 4096) / 4096 + ldexp(1, -12) * 0.5; /* halfway between codes of fp16 */
        else if (kind == 2)
            w = stoic_rng_below(&rng, 2) ? 0.0 : -0.0;
        else if (kind == 3 && special)
            w = stoic_rng_below(&rng, 2) ? ldexp(w, 100) : w > 0 ? (double)INFINITY : (double)NAN;
        weights[i] = (float)w;
    }
}

static size_t image_bytes(const stoic_store *store) {
    return (size_t)((store->entries[0].words * stoic_layout_of(store, 0)->code.word + 63) / 64 +
                    2) *
           8;
}

/* A second store of the same, encoded weight by weight. */
static stoic_store *reference(const stoic_store *store, const char *spec) {
    stoic_store *other = rig_store(store->model, spec);
    stoic_lines *lines = &other->lines[0];
    memset(lines->image, 0, image_bytes(other));
    other->facts.clamped = other->facts.outside = other->facts.sparse = 0;
    for (int64_t w = 0; lines->side && w < other->entries[0].words; w++)
        lines->side[w] = 0;
    other->facts.side_bits = 0;
    assert_int_equal(stoic_lines_encode(other, 0, NULL), STOIC_OK);
    return other;
}

/* Encodes anew; the image, what is kept aside, and what is counted. */
static void encode_the_same(int set, stoic_store *store, const stoic_store *wanted,
                            const char *spec) {
    const stoic_store_kernels *sets[3];
    stoic_lines *lines = &store->lines[0];
    const size_t side = lines->side ? (size_t)store->entries[0].words * sizeof *lines->side : 0;
    const int64_t before = store->facts.side_bits;
    memset(lines->image, 0, image_bytes(store));
    if (side)
        memset(lines->side, 0, side);
    store->facts.clamped = store->facts.outside = store->facts.side_bits = 0;
    stoic_store_kernels_all(sets);
    stoic_bulk_encode(sets[set], store, 0);
    if (memcmp(lines->image, wanted->lines[0].image, image_bytes(store)) != 0)
        fail_msg("%s: set %d encodes other bits", spec, set);
    if (side && memcmp(lines->side, wanted->lines[0].side, side) != 0)
        fail_msg("%s: set %d keeps others aside", spec, set);
    assert_int_equal(store->facts.clamped, wanted->facts.clamped);
    assert_int_equal(store->facts.outside, wanted->facts.outside);
    if (lines->side)
        assert_int_equal(store->facts.side_bits, wanted->facts.side_bits);
    store->facts.side_bits = before;
}

static void compare_sets(stoic_store *store, const stoic_store *wanted, const char *spec) {
    const stoic_store_kernels *sets[3];
    static float a[MOST], b[MOST];
    size_t n = (size_t)store->entries[0].weights;
    stoic_lines_decode(wanted, 0, a);
    for (int set = 0; set < stoic_store_kernels_all(sets); set++) {
        if (stoic_bulk_encodes(store, 0))
            encode_the_same(set, store, wanted, spec);
        if (!stoic_bulk_decodes(store, 0))
            continue;
        memset(b, 0, sizeof b);
        stoic_bulk_decode(sets[set], store, 0, b);
        if (memcmp(a, b, n * sizeof *a) != 0)
            fail_msg("%s: set %d decodes other weights", spec, set);
    }
}

/* Some stored bits flipped: words that need the code's own decoder. */
static void flip_some(stoic_store *store, stoic_store *wanted) {
    int64_t bits = store->entries[0].words * stoic_layout_of(store, 0)->code.word;
    stoic_rng rng;
    stoic_rng_init(&rng, 9, (uint64_t)bits, STOIC_STREAM_SITE);
    for (int64_t i = 0; i < bits / 50 + 1; i++) {
        int64_t at = (int64_t)stoic_rng_below(&rng, (uint64_t)bits);
        store->lines[0].image[at / 64] ^= UINT64_C(1) << at % 64;
        wanted->lines[0].image[at / 64] ^= UINT64_C(1) << at % 64;
    }
}

static void compare_decoders(const stoic_store *store, const char *spec) {
    const stoic_store_kernels *sets[3];
    static float a[MOST], b[MOST];
    stoic_lines_decode(store, 0, a);
    for (int set = 0; set < stoic_store_kernels_all(sets); set++) {
        stoic_bulk_decode(sets[set], store, 0, b);
        for (int64_t i = 0; i < store->entries[0].weights; i++) {
            if (memcmp(&a[i], &b[i], sizeof *a) != 0)
                fail_msg("%s, flipped: weight %lld is %g by set %d, %g by the reference", spec,
                         (long long)i, (double)b[i], set, (double)a[i]);
        }
    }
}

/* All words of weights, also of the one that has no magnitude, which no store hands over. */
static void words_of_parity64_are_those_of_its_encoder(void **state) {
    (void)state;
    enum { WORDS = 100 };
    const stoic_store_kernels *sets[3];
    stoic_format format;
    stoic_code code;
    stoic_rng rng;
    assert_int_equal(stoic_format_parse("q2.5", &format, NULL), STOIC_OK);
    assert_int_equal(stoic_code_parse("parity64", &format, &code, NULL), STOIC_OK);
    stoic_rng_init(&rng, 11, 1, STOIC_STREAM_VALUE);
    for (int set = 0; set < stoic_store_kernels_all(sets); set++) {
        uint64_t data[WORDS][8] = {{0}}, words[WORDS] = {0};
        uint32_t side[WORDS];
        uint8_t even[WORDS], odd[WORDS];
        int clamped = 0;
        for (int i = 0; i < 8 * WORDS; i++) {
            data[i / 8][i % 8] = stoic_rng_below(&rng, 9) ? stoic_rng_below(&rng, 256) : 128;
            words[i / 8] |= data[i / 8][i % 8] << i % 8 * 8;
        }
        int told = sets[set]->in_place->to_sign(words, WORDS, side);
        sets[set]->bits->parities(words, WORDS, &code.halves[2], even);
        sets[set]->bits->parities(words, WORDS, &code.halves[3], odd);
        sets[set]->in_place->put_pairs(words, WORDS, side, even, odd);
        for (int i = 0; i < WORDS; i++) {
            stoic_word wanted;
            assert_int_equal(side[i], code.family->side(&code, data[i]));
            clamped += code.family->encode(&code, data[i], side[i], &wanted);
            assert_true(words[i] == wanted.part[0]);
        }
        assert_int_equal(told, clamped);
        assert_true(clamped > WORDS / 2);
    }
}

static int one_spec(const stoic_model *model, const char *spec) {
    stoic_store *store = NULL;
    if (stoic_store_create(model, spec, &store, NULL) != STOIC_OK || !store->lines[0].image) {
        stoic_store_free(store);
        return 0;
    }
    stoic_store *wanted = reference(store, spec);
    compare_sets(store, wanted, spec);
    flip_some(store, wanted);
    if (stoic_bulk_decodes(store, 0))
        compare_decoders(store, spec);
    stoic_store_free(wanted);
    stoic_store_free(store);
    return 1;
}

static int all_specs(const stoic_model *model) {
    int compared = 0;
    char spec[96];
    for (size_t f = 0; f < COUNT(formats); f++) {
        for (size_t c = 0; c < COUNT(codes); c++) {
            for (size_t x = 0; x < COUNT(extras); x++) {
                snprintf(spec, sizeof spec, "%s,code=%s%s", formats[f], codes[c], extras[x]);
                compared += one_spec(model, spec);
            }
        }
    }
    return compared;
}

static void every_store_is_the_same_by_either_way(void **state) {
    (void)state;
    static const stoic_shape shapes[] = {{2, {1, 1}},   {2, {7, 3}},   {2, {19, 17}},
                                         {2, {3, 160}}, {2, {5, 499}}, {2, {40, 97}}};
    static float weights[MOST];
    for (size_t s = 0; s < COUNT(shapes); s++) {
        int64_t n = stoic_shape_count(&shapes[s]);
        for (int special = 0; special < 2; special++) {
            draw(weights, n, special);
            stoic_model *model =
                rig_layer(&stoic_op_gemm, &shapes[s], shapes[s].dim[1], true, weights);
            assert_true(all_specs(model) > (special ? 15 : 150));
            stoic_model_free(model);
        }
    }
}

static void a_wrong_bit_would_be_noticed(void **state) {
    (void)state;
    static float weights[MOST], a[MOST], b[MOST];
    const stoic_shape shape = {2, {19, 17}};
    draw(weights, 19 * 17, false);
    stoic_model *model = rig_layer(&stoic_op_gemm, &shape, 17, true, weights);
    stoic_store *store = rig_store(model, "affine:5,code=msb3");
    stoic_lines_decode(store, 0, a);
    store->lines[0].image[3] ^= UINT64_C(1) << 21;
    stoic_bulk_decode(stoic_store_kernels_get(), store, 0, b);
    store->lines[0].image[3] ^= UINT64_C(7) << 21; /* one of them is no top bit */
    stoic_bulk_decode(stoic_store_kernels_get(), store, 0, b);
    assert_memory_not_equal(a, b, sizeof(float) * 19 * 17);
    stoic_store_free(store);
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_of_parity64_are_those_of_its_encoder),
                                       cmocka_unit_test(every_store_is_the_same_by_either_way),
                                       cmocka_unit_test(a_wrong_bit_would_be_noticed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
