/* Where bits lie: packing, totals, places and the way back; specs: one spelling, refusals. */
#include <stdio.h>

#include "store/layout.h"
#include "store_rig.h"
#include "tiny_model.h"

static const char *const every[] = {"fp32",
                                    "fp16",
                                    "bf16",
                                    "fp64",
                                    "affine:2",
                                    "affine:3",
                                    "affine:5",
                                    "affine:7",
                                    "int8",
                                    "fixed:8:6",
                                    "fixed:13:9",
                                    "affine:5,code=msb3",
                                    "affine:3,code=rep:2",
                                    "fp32,code=rep:9",
                                    "fp16,code=tmr",
                                    "fp64,code=tmr",
                                    "fp64,code=rep:11",
                                    "fp32,code=secded72",
                                    "fp64,code=secded72",
                                    "affine:3,code=secded72",
                                    "affine:2,code=secded72",
                                    "affine:5,code=secded39",
                                    "fp16,code=secded39",
                                    "int8,code=zerospace64",
                                    "q2.5,code=parity64",
                                    "fp32,scale=max:1.9999",
                                    "fp32,outliers=clamp"};
enum { N_EVERY = sizeof every / sizeof *every };

/* Each word is the code of the weights' data, encoded anew: neighbours in memory do not mix. */
static void words_lie_next_to_each_other(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 31, 64, 67};
    for (int s = 0; s < N_EVERY; s++) {
        for (int k = 0; k < 5; k++) {
            float weights[67], back[67], single[STOIC_WORD_WEIGHTS];
            const int n = sizes[k];
            rig_fill(weights, n, 11 + (uint32_t)s);
            stoic_store *store = rig(every[s], weights, n);
            const stoic_code *code = &stoic_layout_of(store, 0)->code;
            const stoic_store_entry *e = stoic_store_entry_at(store, 0);
            rig_decode(store, back);
            for (int64_t word = 0; word < e->words; word++) {
                uint64_t data[STOIC_WORD_WEIGHTS] = {0};
                int held = stoic_store_held(store, 0, word);
                for (int i = 0; i < held; i++)
                    data[i] = stoic_store_encode(store, 0, word * e->word_weights + i,
                                                 &weights[word * e->word_weights + i]);
                uint32_t side = code->family->side ? code->family->side(code, data) : 0;
                stoic_word fresh, found = stoic_store_word(store, 0, word);
                code->family->encode(code, data, side, &fresh);
                assert_memory_equal(&fresh, &found, sizeof fresh);
                assert_int_equal(stoic_store_weights(store, 0, word, &found, single, NULL), held);
                assert_memory_equal(single, &back[word * e->word_weights],
                                    (size_t)held * sizeof *single);
                for (int i = 0; i < held; i++)
                    assert_int_equal(stoic_store_data(store, 0, word * e->word_weights + i),
                                     stoic_word_get(&found, i * code->data, code->data));
            }
            stoic_store_free(store);
        }
    }
}

/* Any bits of a word, written and read. */
static void bits_of_a_word(void **state) {
    (void)state;
    for (int at = 0; at < 192; at++) {
        for (int count = 1; count <= 64 && at + count <= 192; count++) {
            stoic_word word = {{0x5555555555555555u, 0x3333333333333333u, 0x0f0f0f0f0f0f0f0fu}};
            const stoic_word before = word;
            uint64_t bits = 0x9e3779b97f4a7c15u >> (64 - count);
            stoic_word_put(&word, at, count, ~bits);
            stoic_word_put(&word, at, count, bits);
            assert_int_equal(stoic_word_get(&word, at, count), bits);
            for (int bit = 0; bit < 192; bit++) {
                if (bit >= at && bit < at + count)
                    assert_int_equal(word.part[bit / 64] >> bit % 64 & 1, bits >> (bit - at) & 1);
                else
                    assert_int_equal(word.part[bit / 64] >> bit % 64 & 1,
                                     before.part[bit / 64] >> bit % 64 & 1);
            }
        }
    }
}

static void totals_by_hand(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        int n;
        int64_t total, padding, side, words;
    } cases[] = {{"fp32", 10, 320, 0, 0, 10},
                 {"fp64", 10, 640, 0, 0, 10},
                 {"fp16,scale=pow2", 10, 160, 0, 32, 10},
                 {"affine:5,code=msb3", 10, 70, 0, 128, 10},
                 {"int8", 10, 80, 0, 64, 10},
                 {"fp16,code=tmr", 10, 480, 0, 0, 10},
                 {"fp32,code=rep:9", 10, 500, 0, 0, 10},
                 {"fp32,code=secded72", 9, 9 * 32 + 5 * 8, 32, 0, 5},
                 {"fp16,code=secded72", 9, 9 * 16 + 3 * 8, 48, 0, 3},
                 {"affine:5,code=secded72", 13, 13 * 5 + 2 * 8, 55, 128, 2},
                 {"fp16,code=secded39", 9, 9 * 16 + 5 * 7, 16, 0, 5},
                 {"int8,code=zerospace64", 17, 17 * 8, 56, 64, 3},
                 {"q2.5,code=parity64", 9, 72, 56, -1, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float weights[20];
        rig_fill(weights, 20, 4);
        stoic_store *store = rig(cases[i].spec, weights, cases[i].n);
        const stoic_store_entry *e = stoic_store_entry_at(store, 0);
        stoic_store_facts facts = rig_facts(store);
        assert_int_equal(facts.weights, cases[i].n);
        assert_int_equal(facts.total_bits, cases[i].total);
        assert_int_equal(facts.padding_bits, cases[i].padding);
        assert_int_equal(e->stored_bits, cases[i].total);
        assert_int_equal(e->words, cases[i].words);
        assert_int_equal(e->words * e->word_bits, cases[i].total + cases[i].padding);
        if (cases[i].side >= 0)
            assert_int_equal(facts.side_bits, cases[i].side);
        stoic_store_free(store);
    }
    stoic_model *model = tiny_model();
    stoic_store *store = rig_store(model, "fp16,code=secded39,include=weight+bias");
    int64_t first = 0;
    for (int i = 0; i < stoic_store_entry_count(store); i++) {
        const stoic_store_entry *e = stoic_store_entry_at(store, i);
        assert_int_equal(e->first_bit, first);
        first += e->stored_bits;
    }
    /* 18, 2, 64, 24, 3 weights in 9, 1, 32, 12, 2 words */
    assert_int_equal(first, 111 * 16 + 56 * 7);
    assert_int_equal(stoic_store_total_bits(store), first);
    stoic_store_free(store);
    stoic_model_free(model);
}

/* A place for each bit, the same bit for each place, no two bits at one place. */
static void places_and_the_way_back(void **state) {
    (void)state;
    for (int s = 0; s < N_EVERY; s++) {
        float weights[67];
        rig_fill(weights, 67, 5);
        stoic_store *store = rig(every[s], weights, 67);
        const stoic_store_entry *e = stoic_store_entry_at(store, 0);
        const int data = stoic_layout_of(store, 0)->code.data,
                  redundant = stoic_layout_of(store, 0)->code.redundant;
        int64_t stored = 0, parity = 0, word = -1;
        for (int64_t w = 0; w < e->words; w++) {
            for (int bit = 0; bit < e->word_bits; bit++) {
                stoic_place place;
                stoic_store_place(store, 0, w, bit, &place);
                bool above = bit >= e->word_weights * data;
                assert_int_equal(place.index / e->word_weights, w);
                if (place.index >= e->weights) { /* padding */
                    assert_int_equal(stoic_store_find(store, 0, place.index, 0, &word), -1);
                    continue;
                }
                stored++;
                parity += place.role != STOIC_BIT_DATA;
                assert_true(!above || place.index == w * e->word_weights);
                assert_int_equal(place.bit >= data, above);
                assert_true(!above || place.role != STOIC_BIT_DATA);
                assert_int_equal(stoic_store_find(store, 0, place.index, place.bit, &word), bit);
                assert_int_equal(word, w);
            }
        }
        assert_int_equal(stored, e->stored_bits);
        bool in_place = redundant == 0 && stoic_store_is_coded(store);
        assert_int_equal(parity, in_place ? 67 * 8 / 64 * (strstr(every[s], "zero") ? 7 : 14) +
                                                (strstr(every[s], "zero") ? 3 : 6)
                                          : redundant * e->words);
        /* redundancy is found from each weight of the word */
        for (int bit = data; bit < data + redundant; bit++) {
            for (int64_t i = 0; i < 67; i++) {
                assert_int_equal(stoic_store_find(store, 0, i, bit, &word),
                                 e->word_weights * data + bit - data);
                assert_int_equal(word, i / e->word_weights);
            }
        }
        assert_int_equal(stoic_store_find(store, 0, 0, data + redundant, &word), -1);
        assert_int_equal(stoic_store_find(store, 0, 0, -1, &word), -1);
        assert_int_equal(stoic_store_find(store, 0, -1, 0, &word), -1);
        stoic_store_free(store);
    }
}

/* Copies are named by the bit they repeat. */
static void copies_have_the_field_of_their_bit(void **state) {
    (void)state;
    float weight = 0.5f;
    stoic_store *store = rig("fp32,code=rep:3", &weight, 1);
    static const char *const fields[] = {"exponent", "exponent", "sign"};
    for (int bit = 32; bit < 38; bit++) {
        stoic_place place;
        stoic_store_place(store, 0, 0, bit, &place);
        assert_int_equal(place.role, STOIC_BIT_COPY);
        assert_string_equal(place.field, fields[(bit - 32) % 3]);
    }
    stoic_store_free(store);
}

/* ---- specs ---- */

static void the_spelling_is_a_fixed_point(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"q2.5", "fixed:8:6"},
        {"affine:05,due=keep,code=secded39", "affine:5,code=secded39"},
        {"fp16,scale=max:1.9999", NULL},
        {"fp16,code=none,scale=max:1.99990", "fp16,scale=max:1.9999"},
        {"fp16,scale=max:0.1", NULL},
        {"fp16,scale=const:1.23456789012345", NULL},
        {"fp16,scale=pow2", NULL},
        {"fp16,scale=auto", "fp16,scale=auto:0.0001"},
        {"fp16,scale=auto:1e-7", "fp16,scale=auto:1e-07"},
        {"fp32,outliers=sparse,scale=none", "fp32,outliers=sparse"},
        {"bf16,granularity=channel,scale=pow2", "bf16,scale=pow2,granularity=channel"},
        {"fp64,code=rep:064", "fp64,code=rep:64"},
        {"fp32,code=secded72,due=report", NULL},
        {"int8,due=zero,code=zerospace64", "int8,code=zerospace64,due=zero"},
        {"fp32,protect=redundancy,code=secded72", "fp32,code=secded72,protect=redundancy"},
        {"fp32,protect=32-39,code=secded72", "fp32,code=secded72,protect=redundancy"},
        {"fp32,protect=39+0,code=secded72", "fp32,code=secded72,protect=39+0"},
        {"fp32,protect=data,code=msb3", "fp32,code=msb3,protect=data"},
        {"fp32,scale=pow2,rescale=fold", NULL},
        {"affine:6,granularity=channel,include=bias+weight",
         "affine:6,granularity=channel,include=weight+bias"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        stoic_layout layout, again;
        stoic_error err = {0};
        stoic_status status = stoic_layout_parse(pairs[i][0], &layout, &err);
        if (status != STOIC_OK)
            fail_msg("%s: %s", pairs[i][0], err.message);
        assert_string_equal(layout.text, pairs[i][1] ? pairs[i][1] : pairs[i][0]);
        assert_int_equal(stoic_layout_parse(layout.text, &again, &err), STOIC_OK);
        assert_string_equal(again.text, layout.text);
        assert_true(again.scale_value == layout.scale_value);
        assert_true(again.due == layout.due && again.rescale == layout.rescale);
        assert_memory_equal(&again.protect, &layout.protect, sizeof again.protect);
        stoic_layout_deinit(&layout);
        stoic_layout_deinit(&again);
    }
    for (int s = 0; s < N_EVERY; s++) {
        stoic_layout layout;
        assert_int_equal(stoic_layout_parse(every[s], &layout, NULL), STOIC_OK);
        if (!strstr(every[s], "q2.5"))
            assert_string_equal(layout.text, every[s]);
        stoic_layout_deinit(&layout);
    }
}

static void what_means_nothing_is_refused(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"affine:4,scale=max:1.9", "scale= means nothing for affine:4"},
        {"int8,scale=pow2", "scale= means nothing for int8"},
        {"affine:4,outliers=clamp", "outliers= means nothing for affine:4"},
        {"int8,outliers=sparse", "outliers= means nothing for int8"},
        {"fp32,granularity=channel", "granularity=channel needs something to choose"},
        {"fp16,granularity=channel,scale=const:2", "granularity=channel needs something"},
        {"fp32,rescale=logits", "rescale=logits needs a scale to undo"},
        {"affine:4,rescale=fold", "rescale=fold needs a scale to undo"},
        {"fp32,scale=pow2,granularity=channel,rescale=logits", "rescale=fold can undo that"},
        {"fp32,scale=pow2,rescale=fold,include=weight+bias", "include= must stay at weight"},
        {"fp32,scale=pow2,rescale=fold,outliers=sparse", "choose one"},
        {"fp32,due=zero", "due=zero needs a code: without one (code=none)"},
        {"fp32,due=keep", "due=keep needs a code"},
        {"affine:5,code=msb3,due=report", "due=report means nothing for code=msb3"},
        {"fp32,code=rep:4,due=zero", "means nothing for code=rep:4: a majority of three"},
        {"fp32,code=tmr,due=keep", "means nothing for code=tmr"},
        {"fp32,code=secded72,due=ignore", "unknown due 'ignore'"},
        {"fp32,code=secded72,due=zero:1", "due=zero takes no argument"},
        {"fp64,code=secded39", "words of 32 data bits, a weight of fp64 has 64"},
        {"fp32,code=zerospace64", "format fp32 has none"},
        {"fp32,code=parity64", "found fp32"},
        {"fp32,code=rep:33", "from 1 to 32"},
        {"fp32,code=rep:0", "from 1 to 32"},
        {"fp32,code=rep", "needs its argument, 'rep:K'"},
        {"fp32,code=tmr:2", "takes no argument, found 'tmr:2'"},
        {"fp32,code=secdet72", "did you mean 'secded72'?"},
        {"fp32,scale=max", "expected scale=max:T, found 'max'"},
        {"fp32,scale=const", "expected scale=const:C"},
        {"fp32,scale=none:1", "expected scale=none, found 'none:1'"},
        {"fp32,scale=pow2:1", "expected scale=pow2, found"},
        {"fp32,scale=max:0", "expected a number above 0"},
        {"fp32,scale=max:-1", "expected a number above 0"},
        {"fp32,scale=const:inf", "scale"},
        {"fp32,scale=const:nan", "scale"},
        {"fp32,scale=const:1e39", "expected a number above 0"},
        {"fp32,scale=const:1e-60", "expected a number above 0"},
        {"fp32,scale=auto:1", "a bit error rate between 0 and 1"},
        {"fp32,scale=max:", "scale"},
        {"fp32,scale=maxx:1", "did you mean 'max'"},
        {"affine:4,protect=exponent-msb", "format affine:4 has no field 'exponent-msb'"},
        {"affine:4,protect=sign", "format affine:4 has no field 'sign'"},
        {"q2.5,protect=mantissa", "format fixed:8:6 has no field 'mantissa'"},
        {"fp32,protect=redundancy", "has no field 'redundancy'"},
        {"fp16,protect=16", "from 0 to 15"},
        {"fp32,code=secded72,protect=40", "from 0 to 39"}};
    float weight = 0.5f;
    stoic_model *model = rig_model(&weight, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stoic_store *store = NULL;
        stoic_error err = {0};
        if (stoic_store_create(model, bad[i][0], &store, &err) != STOIC_ERR_ARGUMENT ||
            !strstr(err.message, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], err.message);
        assert_null(store);
    }
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_lie_next_to_each_other),
        cmocka_unit_test(bits_of_a_word),
        cmocka_unit_test(totals_by_hand),
        cmocka_unit_test(places_and_the_way_back),
        cmocka_unit_test(copies_have_the_field_of_their_bit),
        cmocka_unit_test(the_spelling_is_a_fixed_point),
        cmocka_unit_test(what_means_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
