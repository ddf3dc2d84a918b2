#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stoic/store.h"
#include "tiny_model.h"

static stoic_model *model;

static stoic_store *make(const char *spec) {
    stoic_store *store = NULL;
    stoic_error err = {0};
    if (stoic_store_create(model, spec, &store, &err) != STOIC_OK)
        fail_msg("%s: %s", spec, err.message);
    return store;
}

/* The bits of a word that holds one weight of at most 64. */
static uint64_t stored(const stoic_store *store, int entry, int64_t word) {
    return stoic_store_word(store, entry, word).part[0];
}

static uint32_t bits_of(const float *value) {
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits;
}

static void entries_stand_in_the_order_of_the_layers(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int layer;
        stoic_role role;
        int64_t words;
    } expected[] = {{"conv1.weight", 0, STOIC_ROLE_WEIGHT, 18},
                    {"conv1.bias", 0, STOIC_ROLE_BIAS, 2},
                    {"shared", 1, STOIC_ROLE_WEIGHT, 64},
                    {"head.weight", 3, STOIC_ROLE_WEIGHT, 24},
                    {"head.bias", 3, STOIC_ROLE_BIAS, 3},
                    {"bn.scale", -1, STOIC_ROLE_BN, 2},
                    {"bn.shift", -1, STOIC_ROLE_BN, 2},
                    {"bn.mean", -1, STOIC_ROLE_BN, 2},
                    {"bn.var", -1, STOIC_ROLE_BN, 2}};
    stoic_store *store = make("fp32,include=bn+bias+weight");
    int64_t bits = 0;
    assert_int_equal(stoic_store_entry_count(store), 9);
    for (int i = 0; i < 9; i++) {
        const stoic_store_entry *entry = stoic_store_entry_at(store, i);
        assert_string_equal(entry->name, expected[i].name);
        assert_int_equal(entry->layer, expected[i].layer);
        assert_int_equal(entry->role, expected[i].role);
        assert_int_equal(entry->words, expected[i].words);
        assert_int_equal(entry->weights, expected[i].words);
        assert_int_equal(entry->word_weights, 1);
        assert_int_equal(entry->stored_bits, 32 * expected[i].words);
        assert_int_equal(entry->word_bits, 32);
        assert_int_equal(entry->first_bit, bits);
        bits += 32 * entry->words;
    }
    assert_int_equal(stoic_store_total_bits(store), bits);
    assert_int_equal(stoic_store_side_bits(store), 0);
    stoic_store_free(store);
    store = make(NULL);
    assert_int_equal(stoic_store_entry_count(store), 3);
    assert_int_equal(stoic_store_total_bits(store), 32 * TINY_WEIGHTS);
    stoic_store_free(store);
    stoic_store_free(NULL);
}

static void a_spec_has_one_canonical_spelling(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"", "fp32"},
        {"fp32", "fp32"},
        {"fp32,include=weight,scale=none,code=none,rescale=weights", "fp32"},
        {"fp32,outliers=keep,granularity=tensor", "fp32"},
        {"fp32,include=bias+weight", "fp32,include=weight+bias"},
        {"fp32,protect=30", "fp32,protect=exponent-msb"},
        {"fp32,protect=msb", "fp32,protect=sign"},
        {"fp32,protect=0+30-31+1,include=bn", "fp32,include=bn,protect=30-31+0-1"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        stoic_store *store = make(pairs[i][0]);
        assert_string_equal(stoic_store_text(store), pairs[i][1]);
        stoic_store *again = make(stoic_store_text(store));
        assert_string_equal(stoic_store_text(again), pairs[i][1]);
        stoic_store_free(again);
        stoic_store_free(store);
    }
}

static const struct {
    const char *spec;
    stoic_status status;
    const char *says;
} bad[] = {
    {"fp33", STOIC_ERR_ARGUMENT, "did you mean 'fp32'?"},
    {"fp32:7", STOIC_ERR_ARGUMENT, "takes no argument"},
    {"fp32,code=secdet72", STOIC_ERR_ARGUMENT, "did you mean 'secded72'?"},
    {"fp32,sacle=none", STOIC_ERR_ARGUMENT, "did you mean 'scale'?"},
    {"fp32,scale", STOIC_ERR_ARGUMENT, "key 'scale' needs a value"},
    {"fp32,scale=", STOIC_ERR_ARGUMENT, "key 'scale' needs a value"},
    {"fp32,due=keep", STOIC_ERR_ARGUMENT, "needs a code"},
    {"fp32,due=kepe", STOIC_ERR_ARGUMENT, "did you mean 'keep'?"},
    {"fp32,include=weight+", STOIC_ERR_ARGUMENT, "include: expected"},
    {"fp32,include=weights", STOIC_ERR_ARGUMENT, "include: expected"},
    {"fp32,protect=exponnet", STOIC_ERR_ARGUMENT, "did you mean 'exponent'?"},
    {"fp32,protect=32", STOIC_ERR_ARGUMENT, "from 0 to 31"},
    {"fp32,protect=3+", STOIC_ERR_ARGUMENT, "empty item"},
    {"fp32,protect=3-", STOIC_ERR_ARGUMENT, "from 0 to 31"},
    {",code=none", STOIC_ERR_ARGUMENT, ""},
};

static void a_bad_spec_is_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stoic_store *store = NULL;
        stoic_error err = {0};
        stoic_status status = stoic_store_create(model, bad[i].spec, &store, &err);
        if (status != bad[i].status || !strstr(err.message, bad[i].says))
            fail_msg("%s gives %s: %s", bad[i].spec, stoic_status_name(status), err.message);
        assert_null(store);
        assert_int_equal(err.code, status);
        assert_int_equal(stoic_store_create(model, bad[i].spec, &store, NULL), status);
    }
}

static void fields_are_masks(void **state) {
    (void)state;
    static const struct {
        const char *field;
        uint64_t mask;
    } fields[] = {
        {"all", 0xffffffffu},      {"sign", 0x80000000u},         {"msb", 0x80000000u},
        {"exponent", 0x7f800000u}, {"exponent-msb", 0x40000000u}, {"mantissa", 0x007fffffu},
        {"30+23-26", 0x47800000u}, {"26-23+30", 0x47800000u},     {"sign+0", 0x80000001u}};
    stoic_store *store = make("fp32"), *guarded = make("fp32,protect=exponent-msb+0");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        stoic_field field;
        assert_int_equal(stoic_store_bits(store, 0, fields[i].field, &field, NULL), STOIC_OK);
        assert_int_equal(field.bits[0], fields[i].mask);
        assert_int_equal(field.bits[1] | field.bits[2], 0);
        assert_int_equal(stoic_store_bits(guarded, 0, fields[i].field, &field, NULL), STOIC_OK);
        assert_int_equal(field.bits[0], fields[i].mask & ~(uint64_t)0x40000001u);
    }
    int counts[3] = {0};
    for (int bit = 0; bit < 32; bit++) {
        stoic_place place;
        stoic_store_place(store, 0, 5, bit, &place);
        counts[0] += !strcmp(place.field, "sign");
        counts[1] += !strcmp(place.field, "exponent");
        counts[2] += !strcmp(place.field, "mantissa");
        assert_int_equal(place.role, STOIC_BIT_DATA);
        assert_int_equal(place.index, 5);
        assert_int_equal(place.bit, bit);
    }
    assert_true(counts[0] == 1 && counts[1] == 8 && counts[2] == 23);
    assert_string_equal(stoic_bit_role_name(STOIC_BIT_PARITY), "parity");
    assert_string_equal(stoic_role_name(STOIC_ROLE_BN), "bn");
    assert_string_equal(stoic_action_name(STOIC_SET_1), "stuck1");
    stoic_store_free(store);
    stoic_store_free(guarded);
}

/* Every bit of every stored word: the edit is the weight with that bit flipped by hand. */
static void a_flip_is_exact(void **state) {
    (void)state;
    stoic_store *store = make("fp32,include=weight+bias+bn");
    for (int e = 0; e < stoic_store_entry_count(store); e++) {
        const stoic_store_entry *entry = stoic_store_entry_at(store, e);
        const float *data = stoic_tensor_data(model->values[entry->tensor].constant);
        for (int64_t word = 0; word < entry->words; word++) {
            assert_int_equal(stored(store, e, word), bits_of(&data[word]));
            for (int bit = 0; bit < 32; bit++) {
                stoic_hit hit = {.entry = e, .bit = bit, .word = word, .action = STOIC_FLIP};
                stoic_edit edit;
                size_t n = 1;
                assert_int_equal(stoic_store_apply(store, &hit, 1, &edit, &n, NULL, NULL),
                                 STOIC_OK);
                assert_int_equal(n, 1);
                assert_int_equal(edit.tensor, entry->tensor);
                assert_int_equal(edit.index, word);
                assert_int_equal(bits_of(&edit.value), bits_of(&data[word]) ^ 1u << bit);
            }
        }
    }
    stoic_store_free(store);
}

static void nan_payloads_survive(void **state) {
    (void)state;
    stoic_store *store = make("fp32");
    static const uint32_t patterns[] = {0x7f800001u, 0x7fc12345u, 0xffffffffu, 0x80000000u, 1u};
    assert_int_equal(stored(store, 0, 0), 0x7f812345u);
    const stoic_word word = {{0x3fc00000u}};
    float weights[STOIC_WORD_WEIGHTS];
    stoic_verdict verdict;
    assert_int_equal(stoic_store_weights(store, 0, 17, &word, weights, &verdict), 1);
    assert_true(weights[0] == 1.5f && verdict == STOIC_WORD_CLEAN);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        stoic_hit hit = {.bit = -1, .word = 0, .action = STOIC_SET_WORD, .pattern = patterns[i]};
        stoic_edit edit;
        size_t n = 1;
        assert_int_equal(stoic_store_apply(store, &hit, 1, &edit, &n, NULL, NULL), STOIC_OK);
        assert_int_equal(bits_of(&edit.value), patterns[i]);
    }
    stoic_store_free(store);
}

/* Several hits on one word, in the order given; what ends where it began is no edit. */
static void hits_on_one_word_add_up(void **state) {
    (void)state;
    stoic_store *store = make("fp32");
    const uint32_t before = (uint32_t)stored(store, 1, 5);
    stoic_edit edits[4];
    size_t n = 4;
    const stoic_hit mixed[] = {{1, 31, 5, STOIC_FLIP, 0},
                               {1, -1, 5, STOIC_SET_WORD, 0xff},
                               {1, 0, 5, STOIC_SET_0, 0},
                               {1, 9, 5, STOIC_SET_1, 0},
                               {1, 10, 5, STOIC_FLIP, 0}};
    assert_int_equal(stoic_store_apply(store, mixed, 5, edits, &n, NULL, NULL), STOIC_OK);
    assert_int_equal(n, 1);
    assert_int_equal(bits_of(&edits[0].value), 0x6feu);
    /* the other way round the replacement wins */
    const stoic_hit reversed[] = {mixed[4], mixed[3], mixed[2], mixed[1]};
    n = 4;
    assert_int_equal(stoic_store_apply(store, reversed, 4, edits, &n, NULL, NULL), STOIC_OK);
    assert_int_equal(bits_of(&edits[0].value), 0xffu);
    const stoic_hit twice[] = {mixed[0], mixed[0]};
    n = 4;
    assert_int_equal(stoic_store_apply(store, twice, 2, edits, &n, NULL, NULL), STOIC_OK);
    assert_int_equal(n, 0);
    stoic_hit same = {1, 0, 5, before & 1 ? STOIC_SET_1 : STOIC_SET_0, 0};
    n = 4;
    assert_int_equal(stoic_store_apply(store, &same, 1, edits, &n, NULL, NULL), STOIC_OK);
    assert_int_equal(n, 0);
    same.action = before & 1 ? STOIC_SET_0 : STOIC_SET_1; /* the partner that does change it */
    n = 4;
    assert_int_equal(stoic_store_apply(store, &same, 1, edits, &n, NULL, NULL), STOIC_OK);
    assert_int_equal(n, 1);
    stoic_store_free(store);
}

static int compare_edits(const stoic_edit *a, const stoic_edit *b) {
    if (a->tensor != b->tensor)
        return a->tensor < b->tensor ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Against a plain model: an array of all words, hits applied one by one. */
static void edits_are_sorted_and_complete(void **state) {
    (void)state;
    stoic_store *store = make("fp32,include=weight+bias+bn");
    uint32_t random = 1, touched = 0;
    assert_true(stoic_store_entry_at(store, 0)->tensor > stoic_store_entry_at(store, 3)->tensor);
    for (int round = 0; round < 200; round++) {
        uint32_t words[9][64];
        stoic_hit hits[40];
        stoic_edit edits[40];
        size_t n = 40, changed = 0;
        for (int e = 0; e < 9; e++)
            for (int64_t w = 0; w < stoic_store_entry_at(store, e)->words; w++)
                words[e][w] = (uint32_t)stored(store, e, w);
        for (int i = 0; i < 40; i++) {
            random = random * 1664525u + 1013904223u;
            int e = (int)(random >> 24) % 9;
            int64_t w = (random >> 8 & 0xff) % stoic_store_entry_at(store, e)->words;
            int bit = (int)(random >> 16 & 31);
            hits[i] = (stoic_hit){e, bit, w, (stoic_action)(random >> 30 & 1), 0};
            words[e][w] =
                hits[i].action == STOIC_FLIP ? words[e][w] ^ 1u << bit : words[e][w] & ~(1u << bit);
        }
        assert_int_equal(stoic_store_apply(store, hits, 40, edits, &n, NULL, NULL), STOIC_OK);
        for (size_t i = 0; i < n; i++) {
            int e = 0;
            while (stoic_store_entry_at(store, e)->tensor != edits[i].tensor)
                e++;
            assert_int_equal(bits_of(&edits[i].value), words[e][edits[i].index]);
            assert_true(i == 0 || compare_edits(&edits[i - 1], &edits[i]) < 0);
        }
        for (int e = 0; e < 9; e++)
            for (int64_t w = 0; w < stoic_store_entry_at(store, e)->words; w++)
                changed += words[e][w] != (uint32_t)stored(store, e, w);
        assert_int_equal(n, changed);
        touched += (uint32_t)changed;
    }
    assert_true(touched > 1000);
    stoic_store_free(store);
}

static void room_is_respected(void **state) {
    (void)state;
    stoic_store *store = make("fp32");
    stoic_error err = {0};
    const stoic_hit hits[] = {
        {0, 1, 1, STOIC_FLIP, 0}, {0, 1, 2, STOIC_FLIP, 0}, {0, 1, 3, STOIC_FLIP, 0}};
    stoic_edit edits[3] = {{0}};
    size_t n = 0;
    assert_int_equal(stoic_store_apply(store, hits, 3, NULL, &n, NULL, &err), STOIC_ERR_MEMORY);
    assert_int_equal(n, 3);
    n = 2;
    edits[2].index = 77;
    assert_int_equal(stoic_store_apply(store, hits, 3, edits, &n, NULL, &err), STOIC_ERR_MEMORY);
    assert_int_equal(n, 3);
    assert_int_equal(edits[1].index, 2);
    assert_int_equal(edits[2].index, 77);
    n = 3;
    assert_int_equal(stoic_store_apply(store, hits, 3, edits, &n, NULL, &err), STOIC_OK);
    assert_int_equal(edits[2].index, 3);
    n = 0;
    assert_int_equal(stoic_store_apply(store, NULL, 0, NULL, &n, NULL, &err), STOIC_OK);
    stoic_store_free(store);
}

static void hits_outside_the_store_are_refused(void **state) {
    (void)state;
    static const stoic_hit outside[] = {{-1, 0, 0, STOIC_FLIP, 0}, {3, 0, 0, STOIC_FLIP, 0},
                                        {0, -1, 0, STOIC_FLIP, 0}, {0, 32, 0, STOIC_SET_0, 0},
                                        {0, 0, -1, STOIC_FLIP, 0}, {0, 0, 18, STOIC_SET_WORD, 0},
                                        {0, 30, 0, STOIC_FLIP, 0}, {0, 0, 0, (stoic_action)9, 0}};
    stoic_store *store = make("fp32,protect=exponent-msb");
    stoic_edit edit;
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        stoic_error err = {0};
        size_t n = 1;
        assert_int_equal(stoic_store_apply(store, &outside[i], 1, &edit, &n, NULL, &err),
                         STOIC_ERR_ARGUMENT);
        assert_int_equal(n, 0);
        assert_int_equal(strncmp(err.message, "hit: ", 5), 0);
    }
    /* a replaced word keeps its protected bits */
    const uint32_t before = (uint32_t)stored(store, 0, 4);
    stoic_hit whole = {0, -1, 4, STOIC_SET_WORD, ~(uint64_t)before};
    size_t n = 1;
    assert_int_equal(stoic_store_apply(store, &whole, 1, &edit, &n, NULL, NULL), STOIC_OK);
    assert_int_equal(bits_of(&edit.value), before ^ 0xbfffffffu);
    stoic_store_free(store);
}

static int set_up(void **state) {
    (void)state;
    model = tiny_model();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoic_model_free(model);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_stand_in_the_order_of_the_layers),
        cmocka_unit_test(a_spec_has_one_canonical_spelling),
        cmocka_unit_test(a_bad_spec_is_refused_by_name),
        cmocka_unit_test(fields_are_masks),
        cmocka_unit_test(a_flip_is_exact),
        cmocka_unit_test(nan_payloads_survive),
        cmocka_unit_test(hits_on_one_word_add_up),
        cmocka_unit_test(edits_are_sorted_and_complete),
        cmocka_unit_test(room_is_respected),
        cmocka_unit_test(hits_outside_the_store_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
