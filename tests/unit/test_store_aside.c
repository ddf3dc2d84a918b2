/* aside=FILE: weights that a file lists come back as they were, and no fault hits their places. */
#include "store_rig.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/layout.h"
#include "tiny_model.h"

static char folder[96], path[128];

static void write_file(const char *at, const char *text) {
    FILE *file = fopen(at, "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

enum { N = 21 };
/* Weights 2, 9, 10, 16 and 20; of words of eight one has one of them, one two, the short last one
 * two. */
static const unsigned listed = 1u << 2 | 1u << 9 | 1u << 10 | 1u << 16 | 1u << 20;
static const char list[] = "index,layer,bit\n9,0,3\n2,layer,\n10,0,1\n9;0,0,4\n20,0,\n16,0,0\n";

static const char *const specs[] = {"fp32",
                                    "fp16",
                                    "bf16,scale=pow2",
                                    "fp16,scale=auto:1e-3",
                                    "fp32,code=tmr",
                                    "fp32,code=secded39",
                                    "fp16,code=secded72",
                                    "fp16,code=secded72,due=zero",
                                    "fp16,outliers=sparse",
                                    "fp16,outliers=clamp,code=rep:2",
                                    "q2.5",
                                    "q2.5,code=parity64",
                                    "affine:5,code=msb3",
                                    "affine:3,code=secded72",
                                    "int8,code=zerospace64"};
enum { N_SPECS = sizeof specs / sizeof *specs };

static stoic_store *aside(const char *spec, const float *weights) {
    char text[256];
    write_file(path, list);
    snprintf(text, sizeof text, "%s,aside=%s", spec, path);
    return rig(text, weights, N);
}

static int count(unsigned set) {
    return __builtin_popcount(set);
}

/* The others are what a network with zeros in these places gives. */
static void they_come_back_and_the_others_do_not_notice(void **state) {
    (void)state;
    float weights[N], zeroed[N], back[N], expected[N];
    rig_fill(weights, N, 3);
    weights[9] = 1e30f; /* would be the range of any format */
    weights[16] = NAN;
    weights[5] = 1.75f;
    for (int i = 0; i < N; i++)
        zeroed[i] = listed >> i & 1 ? 0.0f : weights[i];
    for (int s = 0; s < N_SPECS; s++) {
        stoic_store *store = aside(specs[s], weights), *plain = rig(specs[s], zeroed, N);
        stoic_model *golden = NULL;
        rig_decode(store, back);
        rig_decode(plain, expected);
        for (int i = 0; i < N; i++) {
            const float *wanted = listed >> i & 1 ? &weights[i] : &expected[i];
            if (memcmp(&back[i], wanted, sizeof *wanted) != 0)
                fail_msg("%s: weight %d is %g, not %g", specs[s], i, (double)back[i],
                         (double)*wanted);
        }
        assert_int_equal(stoic_store_golden(store, &golden, NULL), STOIC_OK);
        const float *run = stoic_tensor_data(golden->values[store->entries[0].tensor].constant);
        assert_memory_equal(run, back, sizeof back);
        stoic_model_free(golden);
        stoic_store_facts facts = rig_facts(store), others = rig_facts(plain);
        assert_int_equal(facts.sparse, count(listed) + others.sparse);
        assert_int_equal(stoic_store_aside_bits(store),
                         (count(listed) + others.sparse) * (32 + 5)); /* 21 positions */
        assert_int_equal(facts.side_bits - others.side_bits, count(listed) * (32 + 5));
        assert_int_equal(facts.total_bits, others.total_bits);
        assert_int_equal(facts.clamped, others.clamped);
        assert_int_equal(facts.outside, others.outside);
        stoic_store_free(store);
        stoic_store_free(plain);
    }
}

/* Which bits of a word a fault may hit, told from the outside: a data bit of a weight that is not
 * listed, and redundancy of a word in which one such weight lies. */
static bool may_be_hit(const stoic_store *store, int64_t word, int bit) {
    const stoic_store_entry *e = stoic_store_entry_at(store, 0);
    stoic_place place;
    stoic_store_place(store, 0, word, bit, &place);
    if (place.index >= N)
        return false;
    if (bit < e->word_weights * stoic_store_data_bits(store, 0))
        return !(listed >> place.index & 1);
    for (int64_t i = word * e->word_weights; i < (word + 1) * e->word_weights && i < N; i++) {
        if (!(listed >> i & 1))
            return true;
    }
    return false;
}

static void exhaustive_visits_all_other_bits_once(void **state) {
    (void)state;
    float weights[N];
    rig_fill(weights, N, 4);
    for (int s = 0; s < N_SPECS; s++) {
        stoic_store *store = aside(specs[s], weights);
        stoic_fault *fault = rig_fault(store, "exhaustive", 0),
                    *every = rig_fault(store, "ber:1", 0);
        const stoic_store_entry *e = stoic_store_entry_at(store, 0);
        stoic_hits hits = {0}, all = {0};
        int64_t trial = 0;
        rig_draw(every, 0, &all);
        for (int64_t word = 0; word < e->words; word++) {
            for (int bit = 0; bit < e->word_bits; bit++) {
                if (!may_be_hit(store, word, bit))
                    continue;
                rig_draw(fault, trial, &hits);
                if (hits.count != 1 || hits.items[0].word != word || hits.items[0].bit != bit)
                    fail_msg("%s: trial %lld", specs[s], (long long)trial);
                assert_true((size_t)trial < all.count);
                assert_int_equal(all.items[trial].word, word);
                assert_int_equal(all.items[trial].bit, bit);
                trial++;
            }
        }
        assert_int_equal(stoic_fault_trials(fault), trial);
        assert_int_equal(stoic_fault_population(every), trial);
        assert_int_equal(all.count, trial);
        stoic_hits_deinit(&hits);
        stoic_hits_deinit(&all);
        stoic_fault_free(fault);
        stoic_fault_free(every);
        stoic_store_free(store);
    }
}

/* Whatever is drawn, the store accepts it, and no edit names a weight that lies aside. */
static void no_model_hits_them(void **state) {
    (void)state;
    static const char *const models[] = {"flips:3",   "flips:12", "stuck1,n=9", "random,n=5",
                                         "zero,n=16", "set:0.5",  "mbu:2",      "ber:0.2"};
    float weights[N];
    rig_fill(weights, N, 5);
    for (int s = 0; s < N_SPECS; s++) {
        stoic_store *store = aside(specs[s], weights);
        for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
            stoic_fault *fault = rig_fault(store, models[m], 1);
            stoic_hits hits = {0};
            for (int trial = 0; trial < 16; trial++) {
                stoic_edit edits[N];
                size_t n = N;
                rig_draw(fault, trial, &hits);
                stoic_error err = {0};
                if (stoic_store_apply(store, hits.items, hits.count, edits, &n, NULL, &err))
                    fail_msg("%s, %s: %s", specs[s], models[m], err.message);
                for (size_t i = 0; i < n; i++)
                    assert_false(listed >> edits[i].index & 1);
            }
            stoic_hits_deinit(&hits);
            stoic_fault_free(fault);
        }
        stoic_store_free(store);
    }
}

/* A weight of its own patch each: 16 of 21, of which 17 are too many. */
static void there_are_fewer_weights_to_hit(void **state) {
    (void)state;
    float weights[N];
    rig_fill(weights, N, 6);
    stoic_store *store = aside("fp32", weights);
    stoic_fault *fault = NULL;
    stoic_error err = {0};
    assert_int_equal(stoic_fault_create(store, "zero,n=17", 0, &fault, &err), STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "only 16 are selected"));
    const stoic_hit bad[] = {{0, 3, 9, STOIC_FLIP, 0}, {0, -1, 9, STOIC_SET_WORD, 0}};
    for (int i = 0; i < 2; i++) {
        stoic_edit edit;
        size_t n = 1;
        assert_int_equal(stoic_store_apply(store, &bad[i], 1, &edit, &n, NULL, &err),
                         STOIC_ERR_ARGUMENT);
        assert_non_null(strstr(err.message, "weight 9 lies aside"));
    }
    stoic_store_free(store);
}

/* ber: the same data bits of the same weights under every code. */
static void codes_share_the_faults_in_data_bits(void **state) {
    (void)state;
    static const char *const codes[] = {"affine:5", "affine:5,code=msb3", "affine:5,code=secded72"};
    float weights[N];
    rig_fill(weights, N, 7);
    uint8_t seen[3][N * 5] = {{0}};
    int flips = 0;
    for (int c = 0; c < 3; c++) {
        stoic_store *store = aside(codes[c], weights);
        stoic_fault *fault = rig_fault(store, "ber:0.3", 2);
        stoic_hits hits = {0};
        rig_draw(fault, 0, &hits);
        for (size_t i = 0; i < hits.count; i++) {
            stoic_place place;
            stoic_store_place(store, 0, hits.items[i].word, hits.items[i].bit, &place);
            if (place.bit < 5)
                flips += seen[c][place.index * 5 + place.bit] = 1;
        }
        stoic_hits_deinit(&hits);
        stoic_fault_free(fault);
        stoic_store_free(store);
    }
    assert_true(flips > 30);
    assert_memory_equal(seen[0], seen[1], sizeof *seen);
    assert_memory_equal(seen[0], seen[2], sizeof *seen);
}

/* ---- spelling, and what is refused ---- */

static void the_spelling_has_the_digest_of_the_file(void **state) {
    (void)state;
    static const char *const names[] = {"list.csv", "a\\,b.csv", "x\\/y=z\\/list.csv"};
    stoic_model *model = tiny_model();
    char deep[160];
    snprintf(deep, sizeof deep, "%s/x", folder);
    assert_int_equal(mkdir(deep, 0700), 0);
    snprintf(deep, sizeof deep, "%s/x/y=z", folder);
    assert_int_equal(mkdir(deep, 0700), 0);
    for (size_t i = 0; i < 3; i++) {
        char file[160], spec[320], text[400];
        size_t used = (size_t)snprintf(file, sizeof file, "%s/", folder);
        for (const char *p = names[i]; *p; p++) {
            if (*p != '\\')
                file[used++] = *p;
        }
        file[used] = '\0';
        write_file(file, "layer,index\n0,3\n");
        snprintf(spec, sizeof spec, "fp16,aside=%s/%s/1+3=affine:4,code=msb3", folder, names[i]);
        stoic_store *store = rig_store(model, spec);
        snprintf(text, sizeof text, "%s", stoic_store_text(store));
        assert_non_null(strstr(text, ",digest="));
        assert_non_null(strstr(text, "affine:4,code=msb3"));
        assert_int_equal(rig_facts(store).sparse, 1);
        stoic_store *again = rig_store(model, text);
        assert_string_equal(stoic_store_text(again), text);
        stoic_store_free(again);
        stoic_store_free(store);
        write_file(file, "layer,index\n0,4\n");
        stoic_error err = {0};
        assert_int_equal(stoic_store_create(model, text, &store, &err), STOIC_ERR_MISMATCH);
        assert_non_null(strstr(err.message, "has changed"));
        assert_int_equal(unlink(file), 0);
        stoic_layouts alone; /* who only reads records does not need the file */
        assert_int_equal(stoic_layouts_parse(text, NULL, 8, &alone, &err), STOIC_OK);
        assert_string_equal(alone.text, text);
        stoic_layouts_deinit(&alone);
    }
    rmdir(deep);
    snprintf(deep, sizeof deep, "%s/x", folder);
    rmdir(deep);
    stoic_model_free(model);
}

static void what_means_nothing_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *before, *behind, *says;
    } bad[] = {{"fp16,scale=pow2,rescale=fold", "", "choose one"},
               {"fp16,scale=pow2,rescale=logits", "", "choose one"},
               {"fp32", ",digest=12", "expected 32 hexadecimal digits, found '12'"},
               {"fp32", ",digest=0123456789abcdef0123456789abcdef", "has changed"},
               {"fp32/0=fp16", "", "aside= holds for the whole store"},
               {"fp32,digest=0123456789abcdef0123456789abcdef,protect=sign", NULL,
                "digest= is that of the file of aside="}};
    static const struct {
        const char *text, *says;
    } files[] = {{"layer,index\n", "names no weight"},
                 {"layer\n0\n", "no column 'index'"},
                 {"layer,index\n0,1\n4,0\n", "line 3: layer"},
                 {"layer,index\n0,\n", "line 2: index: the line names no weight"},
                 {"layer,index\n0,99\n", "found '99'"},
                 {"layer,index,tensor\n0,1,bias\n", "stores no such tensor"},
                 {"layer,index,tensor\n,1,bn\n", "tensor: expected weight or bias, found 'bn'"}};
    stoic_model *model = tiny_model();
    char spec[320];
    stoic_store *store;
    stoic_error err;
    write_file(path, "layer,index\n0,1\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(spec, sizeof spec, "%s", bad[i].before);
        if (bad[i].behind)
            snprintf(spec, sizeof spec, "%s,aside=%s%s", bad[i].before, path, bad[i].behind);
        if (stoic_store_create(model, spec, &store, &err) == STOIC_OK ||
            !strstr(err.message, bad[i].says))
            fail_msg("%s: %s", spec, err.message);
    }
    snprintf(spec, sizeof spec, "fp32,aside=%s", path);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_file(path, files[i].text);
        if (stoic_store_create(model, spec, &store, &err) != STOIC_ERR_FORMAT ||
            !strstr(err.message, files[i].says))
            fail_msg("file %zu: %s", i, err.message);
        assert_string_equal(err.place, path);
    }
    unlink(path);
    assert_int_equal(stoic_store_create(model, spec, &store, &err), STOIC_ERR_IO);
    assert_non_null(strstr(err.message, "cannot open the list of weights"));
    stoic_model_free(model);
}

/* A layer all of whose weights lie aside has nothing to hit; a bias may lie aside as well. */
static void whole_layers_may_lie_aside(void **state) {
    (void)state;
    stoic_model *model = tiny_model();
    char spec[200], text[600] = "layer,tensor,index,share\n";
    stoic_store *store = NULL;
    stoic_fault *fault = NULL;
    stoic_error err = {0};
    for (int i = 0; i < 18; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "0,weight,%d,0.5\n", i);
    snprintf(text + strlen(text), sizeof text - strlen(text), "3,bias,2,0.5\n");
    write_file(path, text);
    snprintf(spec, sizeof spec, "fp32,include=weight+bias,aside=%s", path);
    store = rig_store(model, spec);
    assert_int_equal(rig_facts(store).sparse, 19);
    fault = rig_fault(store, "exhaustive,tensor=weight", 0);
    assert_non_null(strstr(stoic_fault_text(fault), "layer=all"));
    stoic_fault *again = rig_fault(store, stoic_fault_text(fault), 0);
    assert_int_equal(stoic_fault_trials(again), stoic_fault_trials(fault));
    stoic_fault_free(fault);
    stoic_fault_free(again);
    assert_int_equal(stoic_fault_create(store, "flips:1,layer=0,tensor=weight", 0, &fault, &err),
                     STOIC_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "every weight of layer 0 lies aside"));
    stoic_store_free(store);
    stoic_model_free(model);
}

static int set_up(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.60s/stoic-aside-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/list.csv", folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_back_and_the_others_do_not_notice),
        cmocka_unit_test(exhaustive_visits_all_other_bits_once),
        cmocka_unit_test(no_model_hits_them),
        cmocka_unit_test(there_are_fewer_weights_to_hit),
        cmocka_unit_test(codes_share_the_faults_in_data_bits),
        cmocka_unit_test(the_spelling_has_the_digest_of_the_file),
        cmocka_unit_test(what_means_nothing_is_refused),
        cmocka_unit_test(whole_layers_may_lie_aside),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
