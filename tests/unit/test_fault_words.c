/* Faults inside words of several weights: replacements, bursts, lists, and what a store's policy
 * makes of words it cannot repair. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "code_rig.h"
#include "stoic/fault.h"

enum { N = 67 };

static stoic_model *line;

/* ---- replacements ---- */

/* The word with the bits of one weight replaced, redundancy and check bits as they were. */
static stoic_word replaced(const stoic_store *store, const stoic_hit *hit) {
    stoic_word word = stoic_store_word(store, hit->entry, hit->word);
    const int data = stoic_store_data_bits(store, 0), weight = -1 - hit->bit;
    for (int bit = 0; bit < data; bit++) {
        int at = weight * data + bit;
        stoic_place place;
        stoic_store_place(store, hit->entry, hit->word, at, &place);
        bool one = word.part[at / 64] >> at % 64 & 1;
        if (place.role == STOIC_BIT_DATA && one != (hit->pattern >> bit & 1))
            rig_flip(&word, at);
    }
    return word;
}

static void check_replacement(const stoic_store *store, const stoic_hit *hit) {
    const stoic_word before = stoic_store_word(store, 0, hit->word), after = replaced(store, hit);
    float was[STOIC_WORD_WEIGHTS], now[STOIC_WORD_WEIGHTS];
    stoic_edit edits[STOIC_WORD_WEIGHTS];
    stoic_verdict verdict;
    stoic_decoded told;
    size_t n = STOIC_WORD_WEIGHTS, k = 0;
    int held = stoic_store_weights(store, 0, hit->word, &before, was, NULL);
    stoic_store_weights(store, 0, hit->word, &after, now, &verdict);
    assert_true(-1 - hit->bit < held);
    assert_int_equal(stoic_store_apply(store, hit, 1, edits, &n, &told, NULL), STOIC_OK);
    for (int i = 0; i < held; i++) {
        if (!memcmp(&was[i], &now[i], sizeof *was))
            continue;
        assert_true(k < n);
        assert_int_equal(edits[k].index, hit->word * stoic_layout_of(store, 0)->code.weights + i);
        assert_memory_equal(&edits[k].value, &now[i], sizeof *now);
        k++;
    }
    assert_int_equal(k, n);
    assert_int_equal(told.corrected, verdict == STOIC_WORD_CORRECTED);
    assert_int_equal(told.detected, verdict == STOIC_WORD_DETECTED);
}

static void a_replacement_changes_data_bits_only(void **state) {
    (void)state;
    static const char *const stores[] = {"fp16,code=secded72",    "affine:5,code=secded72",
                                         "fp64,code=secded72",    "affine:5,code=msb3",
                                         "int8,code=zerospace64", "q2.5,code=parity64"};
    static const char *const models[] = {"set:0.25", "set:-0.75",     "zero",
                                         "random",   "zero,bits=0-1", "random,n=9"};
    for (int s = 0; s < 6; s++) {
        stoic_store *store = rig_store(line, stores[s]);
        for (int m = 0; m < 6; m++) {
            stoic_fault *fault = rig_fault(store, models[m], 7);
            stoic_hits hits = {0};
            int seen[N] = {0};
            for (int64_t trial = 0; trial < N; trial++) {
                rig_draw(fault, trial, &hits);
                for (size_t i = 0; i < hits.count; i++) {
                    const stoic_hit *hit = &hits.items[i];
                    int64_t index =
                        hit->word * stoic_layout_of(store, 0)->code.weights - 1 - hit->bit;
                    uint64_t change = hit->pattern ^ stoic_store_data(store, 0, index);
                    assert_int_equal(hit->action, STOIC_SET_WORD);
                    assert_int_equal(
                        hit->pattern >> 1 >> (stoic_layout_of(store, 0)->code.data - 1), 0);
                    assert_true(m != 4 || change < 4);
                    assert_int_equal(change & ~stoic_store_plain_bits(store, 0, index), 0);
                    check_replacement(store, hit);
                    seen[index]++;
                }
            }
            for (int i = 0; i < N && m < 5; i++)
                assert_int_equal(seen[i], 1);
            stoic_hits_deinit(&hits);
            stoic_fault_free(fault);
        }
        /* whatever a caller asks for, check bits stay */
        const stoic_hit all = {0, -1, 2, STOIC_SET_WORD, ~(uint64_t)0};
        check_replacement(store, &all);
        stoic_store_free(store);
    }
}

/* The value is written as the code would have stored it, read without correction. */
static void set_writes_what_the_code_stores(void **state) {
    (void)state;
    const float weights[] = {0.1f, -0.9f, 0.2f, 1.5f, -0.3f, 0, 0.7f, 0.4f, 0.6f};
    stoic_store *store = rig("q2.5,code=parity64", weights, 9);
    static const struct {
        int64_t index;
        float value;
        int stored; /* sign and magnitude, without check bits */
    } cases[] = {{0, -0.25f, 0x90}, {1, -0.75f, 0x80 | 48}, {3, 1.0f, 64},
                 {0, 1.0f, 31},     {7, -1.25f, 0x80 | 80}, {5, 0.3f, 19}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t form = stoic_store_form(store, 0, cases[i].index, &cases[i].value);
        uint64_t plain = stoic_store_plain_bits(store, 0, cases[i].index);
        assert_int_equal(form & plain, cases[i].stored & (int)plain);
        assert_int_equal(__builtin_popcountll(plain), cases[i].index == 7 ? 8 : 6);
    }
    stoic_fault *fault = NULL;
    stoic_error err = {0};
    static const char *const none[] = {"set:nan", "set:inf", "set:-inf"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stoic_fault_create(store, none[i], 1, &fault, &err), STOIC_ERR_ARGUMENT);
        assert_non_null(strstr(err.message, "cannot hold"));
    }
    stoic_store_free(store);
}

/* Beyond what a store holds a value is refused; just inside it is taken. */
static void set_stays_inside_the_range(void **state) {
    (void)state;
    const float weights[] = {-1, 0.5f, 1, 0.25f};
    static const struct {
        const char *store, *fault;
        bool fits;
    } cases[] = {{"affine:5", "set:1", true},
                 {"affine:5", "set:1.1", false},
                 {"affine:5", "set:-1.1", false},
                 {"int8", "set:-1", true},
                 {"int8", "set:1.01", false},
                 {"q2.5", "set:1.98", true},
                 {"q2.5", "set:3", false},
                 {"q2.5", "set:-2", true},
                 {"fp16", "set:65504", true},
                 {"fp16", "set:1e9", false},
                 {"fp16", "set:inf", true},
                 {"fp32", "set:1e38", true},
                 {"bf16,scale=const:3", "set:2e38", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoic_store *store = rig(cases[i].store, weights, 4);
        stoic_fault *fault = NULL;
        stoic_error err = {0};
        stoic_status status = stoic_fault_create(store, cases[i].fault, 1, &fault, &err);
        if (status != (cases[i].fits ? STOIC_OK : STOIC_ERR_ARGUMENT))
            fail_msg("%s under %s: %s", cases[i].fault, cases[i].store, err.message);
        assert_true(cases[i].fits || strstr(err.message, "beyond what the store"));
        stoic_fault_free(fault);
        stoic_store_free(store);
    }
}

/* ---- bursts ---- */

/* affine:4 under secded39: eight weights and 7 bits; the last of 9 weights stands alone with 11
 * bits, which a run of 8 does not fit into. */
static void bursts_cross_weights_and_end_with_the_word(void **state) {
    (void)state;
    float weights[33];
    rig_fill(weights, 33, 3);
    stoic_store *store = rig("affine:4,code=secded39", weights, 33);
    static const char *const specs[] = {"mbu:8", "mbu:8,n=4", "mbu:3,n=4,distance=4", "mbu:2,n=5"};
    bool crossed = false, both = false, last = false;
    for (int s = 0; s < 4; s++) {
        stoic_fault *fault = rig_fault(store, specs[s], 7);
        const int run = s < 2 ? 8 : s == 2 ? 3 : 2, distance = s == 2 ? 4 : 1;
        stoic_hits hits = {0};
        for (int64_t trial = 0; trial < (s ? 200 : stoic_fault_max_trials(fault)); trial++) {
            rig_draw(fault, trial, &hits);
            assert_int_equal(hits.count % (size_t)run, 0);
            for (size_t i = 0; i < hits.count; i++) {
                const stoic_hit *hit = &hits.items[i], *head = hit - i % (size_t)run;
                stoic_place place, first;
                stoic_store_place(store, 0, hit->word, hit->bit, &place);
                stoic_store_place(store, 0, head->word, head->bit, &first);
                assert_int_equal(hit->word, head->word);
                assert_int_equal(hit->bit, head->bit + (int)(i % (size_t)run) * distance);
                assert_true(place.index < 33);
                crossed = crossed || (place.index != first.index && place.bit < 4);
                both = both || (place.bit >= 4 && first.bit < 4);
                last = last || hit->word == 4;
                assert_true(s > 1 || hit->word < 4);
            }
        }
        if (s == 0) /* 39 - 7 first bits in each of 4 full words */
            assert_int_equal(stoic_fault_max_trials(fault), 4 * 32);
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
    }
    assert_true(crossed && both && last);
    stoic_fault *fault = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_fault_create(store, "mbu:8,n=5", 1, &fault, &err), STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "only 4 are selected"));
    stoic_store_free(store);
}

/* ---- lists ---- */

static void a_list_addresses_every_bit(void **state) {
    (void)state;
    static const char *const stores[] = {"fp16,code=secded72", "fp64,code=tmr",
                                         "affine:5,code=secded39", "q2.5,code=parity64"};
    const char *folder = getenv("TMPDIR");
    char path[96], spec[128];
    snprintf(path, sizeof path, "%.60s/stoic-words-XXXXXX", folder ? folder : "/tmp");
    int handle = mkstemp(path);
    assert_true(handle >= 0 && close(handle) == 0);
    for (int s = 0; s < 4; s++) {
        stoic_store *store = rig_store(line, stores[s]);
        stoic_fault *every = rig_fault(store, "exhaustive", 7);
        stoic_hits a = {0}, b = {0};
        const int64_t n = stoic_fault_trials(every);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fprintf(file, "layer,index,bit\n");
        for (int64_t trial = 0; trial < n; trial++) { /* what records say of a site */
            stoic_place place;
            rig_draw(every, trial, &a);
            stoic_store_place(store, 0, a.items[0].word, a.items[0].bit, &place);
            fprintf(file, "0,%lld,%d\n", (long long)place.index, place.bit);
        }
        assert_int_equal(fclose(file), 0);
        snprintf(spec, sizeof spec, "list:%s", path);
        stoic_fault *list = rig_fault(store, spec, 7);
        assert_int_equal(stoic_fault_trials(list), n);
        assert_int_equal(n, stoic_store_total_bits(store));
        for (int64_t trial = 0; trial < n; trial++) {
            rig_draw(every, trial, &a);
            rig_draw(list, trial, &b);
            assert_int_equal(b.count, 1);
            assert_memory_equal(a.items, b.items, sizeof *a.items);
        }
        stoic_fault_free(list);
        file = fopen(path, "w"); /* a redundant bit by way of two weights is one bit, twice */
        assert_non_null(file);
        fprintf(file, "layer,index,bit,trial\n0,0,%d,0\n0,1,%d,0\n",
                stoic_layout_of(store, 0)->code.data, stoic_layout_of(store, 0)->code.data);
        assert_int_equal(fclose(file), 0);
        stoic_fault *twice = NULL;
        stoic_error err = {0};
        stoic_status status = stoic_fault_create(store, spec, 7, &twice, &err);
        assert_int_equal(status, s == 1 ? STOIC_OK : STOIC_ERR_FORMAT);
        assert_true(s == 1 || strstr(err.message, s == 3 ? "expected 0 to 7" : "the same bit"));
        stoic_fault_free(twice);
        stoic_hits_deinit(&a);
        stoic_hits_deinit(&b);
        stoic_fault_free(every);
        stoic_store_free(store);
    }
    unlink(path);
}

/* ---- what is told of hit words ---- */

static void words_are_counted_and_the_policy_kept(void **state) {
    (void)state;
    static const char *const policies[] = {"", ",due=keep", ",due=zero", ",due=report"};
    /* one wrong bit in word 0, two in word 1, none in word 2 (flipped twice), three copies of one
     * flip in word 3 */
    static const stoic_hit hits[] = {{0, 5, 0, STOIC_FLIP, 0},  {0, 3, 1, STOIC_FLIP, 0},
                                     {0, 20, 1, STOIC_FLIP, 0}, {0, 9, 2, STOIC_FLIP, 0},
                                     {0, 9, 2, STOIC_FLIP, 0},  {0, 66, 3, STOIC_FLIP, 0},
                                     {0, 66, 3, STOIC_FLIP, 0}, {0, 66, 3, STOIC_FLIP, 0}};
    for (int p = 0; p < 4; p++) {
        char spec[64];
        float back[N];
        stoic_decoded told;
        stoic_edit edits[N];
        size_t n = N;
        snprintf(spec, sizeof spec, "fp16,code=secded72%s", policies[p]);
        stoic_store *store = rig_store(line, spec);
        rig_decode(store, back);
        assert_int_equal(stoic_store_apply(store, hits, 8, edits, &n, &told, NULL), STOIC_OK);
        assert_int_equal(told.corrected, 2);
        assert_int_equal(told.detected, 1);
        assert_int_equal(told.due, p == 3);
        assert_int_equal(n, p == 2 ? 4 : 2); /* the flipped bits stay, or four weights are zero */
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(edits[i].index / 4, 1);
            uint64_t data = stoic_store_data(store, 0, edits[i].index);
            float kept;
            data ^= edits[i].index == 4 ? 1u << 3 : 1u << 4; /* bits 3 and 20 of the word */
            stoic_lines_value(store, 0, edits[i].index, data, &kept);
            assert_true(edits[i].value == (p == 2 ? 0.0f : kept));
        }
        n = N;
        assert_int_equal(stoic_store_apply(store, hits, 1, edits, &n, &told, NULL), STOIC_OK);
        assert_true(n == 0 && told.corrected == 1 && !told.detected && !told.due);
        stoic_store_free(store);
    }
}

static int set_up(void **state) {
    float weights[N];
    (void)state;
    rig_fill(weights, N, 22);
    line = rig_model(weights, N);
    alarm(120); /* a draw that never ends */
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stoic_model_free(line);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replacement_changes_data_bits_only),
        cmocka_unit_test(set_writes_what_the_code_stores),
        cmocka_unit_test(set_stays_inside_the_range),
        cmocka_unit_test(bursts_cross_weights_and_end_with_the_word),
        cmocka_unit_test(a_list_addresses_every_bit),
        cmocka_unit_test(words_are_counted_and_the_policy_kept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
