/* Stores whose layers differ: each entry lies as in a store of its own, totals add up, and faults
 * know the bits of each. */
#include <stdio.h>
#include <unistd.h>

#include "stoic/fault.h"
#include "store/layout.h"
#include "store_rig.h"
#include "tiny_model.h"

static stoic_model *tiny; /* layers conv1, fc1, fc2 (shares fc1's weight), head */

/* The parts of each mixture: of layer 0, of layer 1, of all else (layer 3, and bn). */
static const struct {
    const char *spec, *text, *part[3], *include;
} mixtures[] = {
    {"affine:5,code=msb3/conv1=affine:8", NULL, {"affine:8", "affine:5,code=msb3"}, ""},
    {"affine:5,code=msb3/0=affine:8", NULL, {"affine:8", "affine:5,code=msb3"}, ""},
    {"fp16/1=int8,code=secded72/0=affine:3,code=rep:2",
     "fp16/0=affine:3,code=rep:2/1=int8,code=secded72",
     {"affine:3,code=rep:2", "int8,code=secded72", "fp16"},
     ""},
    {"fp16/0-1=q2.5,scale=max:1.97",
     "fp16/0-1=fixed:8:6,scale=max:1.97",
     {"q2.5,scale=max:1.97", "q2.5,scale=max:1.97", "fp16"},
     ""},
    {"fp32/head=bf16", "fp32/3=bf16", {"fp32", "fp32", "bf16"}, ""},
    {"fp16/1=fp16/0=bf16", "fp16/0=bf16", {"bf16", "fp16", "fp16"}, ""},
    {"int8,include=weight+bias+bn/0=fp32",
     NULL,
     {"fp32,include=weight+bias+bn", "int8,include=weight+bias+bn"},
     ",include=weight+bias+bn"},
    {"fp16/0=int8,code=zerospace64/1=int8,code=zerospace64",
     "fp16/0-1=int8,code=zerospace64",
     {"int8,code=zerospace64", "int8,code=zerospace64", "fp16"},
     ""},
};
enum { N_MIXTURES = sizeof mixtures / sizeof *mixtures };

static const char *part_of(size_t m, int layer) {
    const char *part = mixtures[m].part[layer == 0 ? 0 : layer == 1 ? 1 : 2];
    return part ? part : mixtures[m].part[1];
}

static void entries_lie_as_in_stores_of_their_own(void **state) {
    (void)state;
    for (size_t m = 0; m < N_MIXTURES; m++) {
        stoic_store *mixed = rig_store(tiny, mixtures[m].spec);
        int64_t bits = 0;
        for (int i = 0; i < stoic_store_entry_count(mixed); i++) {
            const stoic_store_entry *e = stoic_store_entry_at(mixed, i);
            stoic_store *plain = rig_store(tiny, part_of(m, e->layer));
            const stoic_store_entry *p = stoic_store_entry_at(plain, i);
            float ours[64], theirs[64];
            if (e->layer < 0) { /* batch normalisation follows the base */
                stoic_store_free(plain);
                bits += e->stored_bits;
                continue;
            }
            assert_string_equal(e->name, p->name);
            assert_int_equal(e->first_bit, bits);
            assert_int_equal(e->stored_bits, p->stored_bits);
            bits += e->stored_bits;
            for (int64_t word = 0; word < e->words; word++) {
                stoic_word a = stoic_store_word(mixed, i, word),
                           b = stoic_store_word(plain, i, word);
                assert_memory_equal(&a, &b, sizeof a);
            }
            assert_int_equal(stoic_store_decode(mixed, i, ours, NULL), STOIC_OK);
            assert_int_equal(stoic_store_decode(plain, i, theirs, NULL), STOIC_OK);
            assert_memory_equal(ours, theirs, (size_t)e->weights * sizeof *ours);
            stoic_store_free(plain);
        }
        assert_int_equal(stoic_store_total_bits(mixed), bits);
        stoic_store_free(mixed);
    }
}

static void one_spelling(void **state) {
    (void)state;
    for (size_t m = 0; m < N_MIXTURES; m++) {
        stoic_store *store = rig_store(tiny, mixtures[m].spec);
        const char *text = mixtures[m].text ? mixtures[m].text
                           : m == 0         ? mixtures[1].spec
                                            : mixtures[m].spec;
        assert_string_equal(stoic_store_text(store), text);
        stoic_store *again = rig_store(tiny, stoic_store_text(store));
        assert_string_equal(stoic_store_text(again), text);
        stoic_layouts alone; /* as a campaign file's reader does */
        assert_int_equal(stoic_layouts_parse(text, NULL, 4, &alone, NULL), STOIC_OK);
        assert_string_equal(alone.text, text);
        for (int layer = -1; layer < 4; layer++)
            assert_string_equal(stoic_layouts_at(&alone, layer)->text,
                                stoic_layouts_at(&store->layouts, layer)->text);
        stoic_layouts_deinit(&alone);
        stoic_store_free(again);
        stoic_store_free(store);
    }
}

/* The weakest layer decides what a store always corrects. */
static void facts_are_those_of_the_weakest(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        int corrects, detects;
    } rows[] = {{"int8,code=secded72", 1, 2},
                {"int8,code=secded72/0=int8", 0, 0},
                {"int8/0-1+3=int8,code=secded72", 1, 2},
                {"int8,code=secded72/0=int8,code=tmr", 1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stoic_store *store = rig_store(tiny, rows[i].spec);
        stoic_store_facts facts = rig_facts(store);
        assert_int_equal(facts.corrects, rows[i].corrects);
        assert_int_equal(facts.detects, rows[i].detects);
        stoic_store_free(store);
    }
}

static void fields_are_of_each_layer(void **state) {
    (void)state;
    stoic_store *store = rig_store(tiny, "affine:5,code=msb3/0=fp16");
    stoic_fault *fault = rig_fault(store, "exhaustive,bits=msb", 1);
    stoic_hits hits = {0};
    assert_int_equal(stoic_fault_trials(fault), TINY_WEIGHTS);
    for (int64_t trial = 0; trial < TINY_WEIGHTS; trial++) {
        stoic_place place;
        rig_draw(fault, trial, &hits);
        stoic_store_place(store, hits.items[0].entry, hits.items[0].word, hits.items[0].bit,
                          &place);
        assert_int_equal(place.bit, hits.items[0].entry == 0 ? 15 : 4);
        assert_string_equal(place.field, hits.items[0].entry == 0 ? "sign" : "value");
    }
    assert_string_equal(stoic_fault_text(fault), "exhaustive,layer=all,bits=msb,tensor=weight");
    stoic_fault_free(fault);
    fault = rig_fault(store, "random,bits=msb+0", 1);
    assert_int_equal(stoic_fault_population(fault), 4 * TINY_WEIGHTS);
    assert_string_equal(stoic_fault_text(fault), "random,n=1,layer=all,bits=msb+0,tensor=weight");
    stoic_fault_free(fault);
    fault = rig_fault(store, "flips:1,bits=exponent,layer=0", 1);
    assert_int_equal(stoic_fault_population(fault), 18 * 5);
    stoic_fault_free(fault);
    stoic_error err = {0};
    assert_int_equal(stoic_fault_create(store, "flips:1,bits=exponent", 1, &fault, &err),
                     STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "affine:5"));
    stoic_hits_deinit(&hits);
    stoic_store_free(store);
}

/* due= is asked of the layer whose word is wrong. */
static void due_is_of_the_layer_that_is_hit(void **state) {
    (void)state;
    stoic_store *store = rig_store(tiny, "int8,code=secded72,due=report/0=int8,code=secded72");
    for (int entry = 0; entry < 2; entry++) {
        const stoic_hit hits[] = {{.entry = entry, .bit = 3}, {.entry = entry, .bit = 17}};
        stoic_edit edits[16];
        size_t n = 16;
        stoic_decoded told;
        assert_int_equal(stoic_store_apply(store, hits, 2, edits, &n, &told, NULL), STOIC_OK);
        assert_int_equal(told.detected, 1);
        assert_int_equal(told.due, entry == 1);
    }
    stoic_store_free(store);
}

static void refusals_name_the_part(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"fp32/0=fp16/conv1=bf16", "layer 0 is given two"},
        {"/0=fp16", "need a store"},
        {"fp32/", "found '/'"},
        {"fp32/0", "found '/0'"},
        {"fp32/0=", "found '/0='"},
        {"fp32/=fp16", "found '/=fp16'"},
        {"fp32/4=fp16", "from 0 to 3"},
        {"fp32/2-1=fp16", "runs backwards"},
        {"fp32/head1=fp16", "did you mean 'head'"},
        {"fp32/2=fp16", "layer 2 has no tensor"},
        {"fp32/0=fp16,include=bias", "include= holds for the whole"},
        {"fp32/0=fp16,rescale=fold", "rescale= holds for the whole"},
        {"fp32/0=affine:9", "affine"},
        {"fp32,scale=pow2,rescale=fold/0=fp16", "needs a scale"},
        {"fp32,scale=pow2,rescale=logits/0=fp16,scale=pow2,granularity=channel", "granularity"},
        {"fp32,/0=fp16", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stoic_store *store = NULL;
        stoic_error err = {0};
        assert_int_equal(stoic_store_create(tiny, rows[i][0], &store, &err), STOIC_ERR_ARGUMENT);
        assert_null(store);
        if (!strstr(err.message, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], err.message);
    }
}

/* A name with a slash is written with a backslash, and is spelled by its number. */
static void names_with_slashes(void **state) {
    (void)state;
    stoic_store *store = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_store_create(tiny, "fp32/\\/conv1\\/Conv=fp16", &store, &err),
                     STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "no layer '/conv1/Conv'"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_lie_as_in_stores_of_their_own),
        cmocka_unit_test(one_spelling),
        cmocka_unit_test(facts_are_those_of_the_weakest),
        cmocka_unit_test(fields_are_of_each_layer),
        cmocka_unit_test(due_is_of_the_layer_that_is_hit),
        cmocka_unit_test(refusals_name_the_part),
        cmocka_unit_test(names_with_slashes),
    };
    tiny = tiny_model_with(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoic_model_free(tiny);
    return failed;
}
