/* The space of faults under formats and codes: what is drawn, what never is, and pairing. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "stoic/fault.h"
#include "store/layout.h"
#include "store_rig.h"
#include "tiny_model.h"

enum { N = 67 };

static stoic_model *line, *tiny; /* 67 weights in a row; three tensors */

static stoic_place place_of(const stoic_store *store, const stoic_hit *hit) {
    stoic_place place;
    stoic_store_place(store, hit->entry, hit->word, hit->bit, &place);
    return place;
}

static const char *const coded[] = {"fp32",
                                    "fp16,protect=exponent-msb",
                                    "fp64,code=tmr",
                                    "fp32,code=rep:9,protect=0+32-34",
                                    "fp16,code=secded72",
                                    "fp16,code=secded39,protect=exponent-msb",
                                    "fp16,code=secded72,protect=redundancy",
                                    "bf16,code=secded72,protect=data",
                                    "affine:5,code=secded72",
                                    "affine:2,code=secded72",
                                    "affine:3,code=msb3",
                                    "int8,code=zerospace64",
                                    "int8,code=secded39,protect=8+14",
                                    "q2.5,code=parity64",
                                    "q2.5,code=parity64,protect=sign"};

/* Bits of an entry that faults may hit, from the definition. */
static int64_t open_bits(const stoic_store *store, int entry) {
    const stoic_store_entry *e = stoic_store_entry_at(store, entry);
    const int data = stoic_store_data_bits(store, entry);
    int64_t n = 0;
    for (int bit = 0; bit < data; bit++)
        n += stoic_store_protects(store, entry, bit) ? 0 : e->weights;
    for (int bit = 0; bit < stoic_store_redundant_bits(store, entry); bit++)
        n += stoic_store_protects(store, entry, data + bit) ? 0 : e->words;
    return n;
}

static void check_exhaustive(const stoic_model *model, const char *spec) {
    static uint8_t seen[3][128][192];
    stoic_store *store = rig_store(model, spec);
    stoic_fault *fault = rig_fault(store, "exhaustive", 1);
    int64_t n = 0, redundant = 0;
    stoic_hits hits = {0};
    memset(seen, 0, sizeof seen);
    for (int e = 0; e < stoic_store_entry_count(store); e++)
        n += open_bits(store, e);
    assert_int_equal(stoic_fault_trials(fault), n);
    assert_int_equal(stoic_fault_population(fault), n);
    for (int64_t trial = 0; trial < n; trial++) {
        rig_draw(fault, trial, &hits);
        assert_int_equal(hits.count, 1);
        const stoic_hit *hit = &hits.items[0];
        const stoic_store_entry *e = stoic_store_entry_at(store, hit->entry);
        stoic_place place = place_of(store, hit);
        assert_true(hit->bit >= 0 && hit->bit < e->word_bits && place.index < e->weights);
        assert_false(stoic_store_protects(store, hit->entry, place.bit));
        assert_int_equal(seen[hit->entry][hit->word][hit->bit]++, 0);
        redundant += hit->bit >= e->word_weights * stoic_store_data_bits(store, hit->entry);
        stoic_edit edit[STOIC_WORD_WEIGHTS];
        size_t edits = STOIC_WORD_WEIGHTS;
        assert_int_equal(stoic_store_apply(store, hit, 1, edit, &edits, NULL, NULL), STOIC_OK);
    }
    stoic_field field;
    if (strchr(spec, '/')) {
        /* the field is not one of every layer */
    } else if (stoic_store_bits(store, 0, "redundancy", &field, NULL) == STOIC_OK &&
               stoic_field_count(&field)) {
        stoic_fault *above = rig_fault(store, "exhaustive,bits=redundancy", 1);
        assert_int_equal(stoic_fault_trials(above), redundant);
        stoic_fault_free(above);
    } else {
        assert_int_equal(redundant, 0);
    }
    stoic_hits_deinit(&hits);
    stoic_fault_free(fault);
    stoic_store_free(store);
}

static void every_stored_bit_is_drawn_once(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof coded / sizeof *coded; i++) {
        check_exhaustive(line, coded[i]);
        if (!strncmp(coded[i], "fp", 2)) /* the tiny network holds a NaN */
            check_exhaustive(tiny, coded[i]);
    }
    check_exhaustive(tiny, "fp16,code=secded72/0=fp64,code=tmr/3=fp32,protect=exponent-msb");
    check_exhaustive(tiny, "fp32/1=fp16,code=secded39,protect=0+16");
    stoic_store *store = rig_store(line, "fp16,code=secded72");
    assert_int_equal(open_bits(store, 0), 67 * 16 + 17 * 8);
    stoic_store_free(store);
}

static const char *const models[] = {"flips:1",
                                     "flips:9",
                                     "ber:0.05",
                                     "ber:0.02:0.1",
                                     "stuck0",
                                     "stuck1,n=7",
                                     "set:0.5,n=3",
                                     "random,n=2",
                                     "zero,n=4",
                                     "mbu:2",
                                     "mbu:3,n=2,distance=2"};

/* Nothing is drawn twice in a trial, outside the store or among protected bits. */
static void what_is_not_stored_is_never_hit(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof coded / sizeof *coded; i++) {
        stoic_store *store = rig_store(line, coded[i]);
        for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
            stoic_fault *fault = NULL;
            stoic_hits hits = {0};
            if (stoic_fault_create(store, models[m], 3, &fault, NULL) != STOIC_OK) {
                assert_non_null(strstr(coded[i], "protect=data"));
                continue;
            }
            int64_t most = stoic_fault_max_trials(fault);
            for (int64_t trial = 0; trial < 150 && (most < 0 || trial < most); trial++) {
                rig_draw(fault, trial, &hits);
                for (size_t k = 0; k < hits.count; k++) {
                    const stoic_hit *hit = &hits.items[k];
                    stoic_place place = place_of(store, hit);
                    assert_true(place.index < N);
                    assert_true(hit->bit < 0 ||
                                !stoic_store_protects(store, hit->entry, place.bit));
                    assert_true(k == 0 || memcmp(hit, hit - 1, offsetof(stoic_hit, action)));
                }
                stoic_edit edits[N];
                size_t n = N;
                assert_int_equal(
                    stoic_store_apply(store, hits.items, hits.count, edits, &n, NULL, NULL),
                    STOIC_OK);
            }
            stoic_hits_deinit(&hits);
            stoic_fault_free(fault);
        }
        stoic_store_free(store);
    }
}

/* ---- pairing ---- */

/* Bits of the data that trial `trial` hits, by weight; returns how many redundant bits it hits. */
static int64_t data_hits(const stoic_fault *fault, const stoic_store *store, int64_t trial,
                         uint64_t data[3][N]) {
    stoic_hits hits = {0};
    int64_t above = 0;
    memset(data, 0, 3 * sizeof *data);
    rig_draw(fault, trial, &hits);
    for (size_t i = 0; i < hits.count; i++) {
        stoic_place place = place_of(store, &hits.items[i]);
        if (place.bit < stoic_store_data_bits(store, 0))
            data[hits.items[i].entry][place.index] ^= (uint64_t)1 << place.bit;
        else
            above++;
    }
    stoic_hits_deinit(&hits);
    return above;
}

static void ber_hits_the_same_data_under_every_code(void **state) {
    (void)state;
    static const char *const groups[][6] = {
        {"fp16", "fp16,code=tmr", "fp16,code=rep:3", "fp16,code=secded72", "fp16,code=secded39"},
        {"int8", "int8,code=zerospace64", "int8,code=secded72", "int8,code=msb3"},
        {"q2.5", "q2.5,code=parity64", "q2.5,code=secded39"},
        {"fp64", "fp64,code=tmr", "fp64,code=secded72"}};
    static const char *const rates[] = {"ber:0.03", "ber:0.03,bits=data", "ber:0.01:0.05"};
    for (int g = 0; g < 4; g++) {
        for (int s = 1; s < 6 && groups[g][s]; s++) {
            for (int r = 0; r < 3; r++) {
                if (r == 2 && g == 2) /* sign and magnitude is not two's complement */
                    continue;
                const stoic_model *model = g == 0 ? tiny : line;
                stoic_store *plain = rig_store(model, groups[g][0]);
                stoic_store *store = rig_store(model, groups[g][s]);
                stoic_fault *first = rig_fault(plain, r == 1 ? rates[0] : rates[r], 5);
                stoic_fault *second = rig_fault(store, rates[r], 5);
                stoic_fault *other = rig_fault(store, rates[r], 6);
                int64_t above = 0, differs = 0;
                for (int64_t trial = 0; trial < 60; trial++) {
                    uint64_t a[3][N], b[3][N];
                    data_hits(first, plain, trial, a);
                    above += data_hits(second, store, trial, b);
                    if (strstr(groups[g][s], "zerospace") && r == 2)
                        continue; /* a check bit is stored in place of a sign */
                    assert_memory_equal(a, b, sizeof a);
                    data_hits(other, store, trial, b); /* the partner: another seed */
                    differs += memcmp(a, b, sizeof a) != 0;
                }
                assert_true(differs > 40 || (strstr(groups[g][s], "zerospace") && r == 2));
                double bits = 0;
                for (int e = 0; e < stoic_store_entry_count(store); e++)
                    bits += 60.0 * (double)stoic_store_entry_at(store, e)->words *
                            stoic_store_redundant_bits(store, 0);
                if (r == 0)
                    assert_true(fabs((double)above - 0.03 * bits) <= 5 * sqrt(0.03 * bits));
                assert_true(r != 1 || above == 0);
                stoic_fault_free(first);
                stoic_fault_free(second);
                stoic_fault_free(other);
                stoic_store_free(plain);
                stoic_store_free(store);
            }
        }
    }
}

/* Redundancy has a stream of its own: it is not the data's draw over again. */
static void redundancy_is_drawn_apart(void **state) {
    (void)state;
    stoic_store *store = rig_store(line, "fp16,code=tmr");
    stoic_fault *all = rig_fault(store, "ber:0.02", 5);
    stoic_fault *above = rig_fault(store, "ber:0.02,bits=redundancy", 5);
    stoic_hits a = {0}, b = {0};
    int64_t same = 0, total = 0;
    for (int64_t trial = 0; trial < 50; trial++) {
        size_t k = 0;
        rig_draw(all, trial, &a);
        rig_draw(above, trial, &b);
        for (size_t i = 0; i < a.count; i++) {
            if (place_of(store, &a.items[i]).role == STOIC_BIT_DATA) {
                for (size_t m = 0; m < a.count; m++)
                    same +=
                        a.items[m].word == a.items[i].word && a.items[m].bit == a.items[i].bit + 16;
                total++;
                continue;
            }
            assert_true(k < b.count);
            assert_memory_equal(&a.items[i], &b.items[k], sizeof *b.items);
            k++;
        }
        assert_int_equal(k, b.count);
    }
    assert_true(total > 500 && same < total / 10);
    stoic_hits_deinit(&a);
    stoic_hits_deinit(&b);
    stoic_fault_free(all);
    stoic_fault_free(above);
    stoic_store_free(store);
}

/* `random` gives the same weights the same patterns where the format is the same. */
static void random_weights_are_paired(void **state) {
    (void)state;
    stoic_store *plain = rig_store(line, "fp16"), *store = rig_store(line, "fp16,code=secded72");
    stoic_fault *first = rig_fault(plain, "random,n=20", 5);
    stoic_fault *second = rig_fault(store, "random,n=20", 5);
    stoic_hits a = {0}, b = {0};
    for (int64_t trial = 0; trial < 40; trial++) {
        rig_draw(first, trial, &a);
        rig_draw(second, trial, &b);
        assert_int_equal(a.count, b.count);
        for (size_t i = 0; i < a.count; i++) {
            assert_int_equal(place_of(plain, &a.items[i]).index,
                             place_of(store, &b.items[i]).index);
            assert_int_equal(a.items[i].pattern, b.items[i].pattern);
        }
    }
    stoic_hits_deinit(&a);
    stoic_hits_deinit(&b);
    stoic_fault_free(first);
    stoic_fault_free(second);
    stoic_store_free(plain);
    stoic_store_free(store);
}

/* ---- counts ---- */

static void flips_under_a_code_hit_distinct_bits(void **state) {
    (void)state;
    stoic_store *store = rig_store(line, "fp16,code=secded72");
    const int64_t total = stoic_store_total_bits(store);
    char spec[32];
    stoic_hits hits = {0};
    snprintf(spec, sizeof spec, "flips:%lld", (long long)total);
    stoic_fault *fault = rig_fault(store, spec, 2);
    rig_draw(fault, 0, &hits); /* all of them */
    assert_int_equal(hits.count, total);
    for (size_t i = 1; i < hits.count; i++)
        assert_true(hits.items[i - 1].word < hits.items[i].word ||
                    hits.items[i - 1].bit < hits.items[i].bit);
    stoic_fault_free(fault);
    fault = rig_fault(store, "flips:20", 2);
    int together = 0;
    for (int64_t trial = 0; trial < 100; trial++) {
        rig_draw(fault, trial, &hits);
        assert_int_equal(hits.count, 20);
        for (size_t i = 1; i < hits.count; i++) {
            bool same = hits.items[i - 1].word == hits.items[i].word;
            assert_true(!same || hits.items[i - 1].bit < hits.items[i].bit);
            together += same;
        }
    }
    assert_true(together > 100); /* not one a word */
    stoic_fault_free(fault);
    stoic_error err = {0};
    snprintf(spec, sizeof spec, "flips:%lld", (long long)total + 1);
    assert_int_equal(stoic_fault_create(store, spec, 2, &fault, &err), STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "distinct bits asked for"));
    stoic_hits_deinit(&hits);
    stoic_store_free(store);
}

static void populations_count_data_bits(void **state) {
    (void)state;
    static const struct {
        const char *store, *fault;
        int64_t population;
    } cases[] = {{"fp32", "random", (int64_t)N << 32},
                 {"fp32,code=tmr", "random", (int64_t)N << 32},
                 {"affine:5,code=msb3", "random", N << 5},
                 {"affine:5,code=secded72", "random", N << 5},
                 {"affine:5,code=secded72", "random,bits=0-2", N << 3},
                 {"fp64", "random", INT64_MAX},
                 {"affine:5,code=secded72", "zero", N},
                 {"affine:5,code=secded72", "flips:1", N * 5 + 6 * 8},
                 {"affine:5,code=secded72", "ber:0.1", N * 5 + 6 * 8},
                 {"affine:5,code=secded72", "ber:0.1,bits=redundancy", 6 * 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoic_store *store = rig_store(line, cases[i].store);
        stoic_fault *fault = rig_fault(store, cases[i].fault, 1);
        assert_int_equal(stoic_fault_population(fault), cases[i].population);
        stoic_fault_free(fault);
        stoic_store_free(store);
    }
}

static int set_up(void **state) {
    float weights[N];
    (void)state;
    rig_fill(weights, N, 21);
    line = rig_model(weights, N);
    tiny = tiny_model();
    alarm(120); /* a draw that never ends */
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoic_model_free(line);
    stoic_model_free(tiny);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stored_bit_is_drawn_once),
        cmocka_unit_test(what_is_not_stored_is_never_hit),
        cmocka_unit_test(ber_hits_the_same_data_under_every_code),
        cmocka_unit_test(redundancy_is_drawn_apart),
        cmocka_unit_test(random_weights_are_paired),
        cmocka_unit_test(flips_under_a_code_hit_distinct_bits),
        cmocka_unit_test(populations_count_data_bits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
