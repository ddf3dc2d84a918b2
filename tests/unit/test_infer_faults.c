/* Protected weight files under faults: what is refused, what is corrected and counted, scrubbing.
 */
#include "infer_rig.h"

/* ---- everything but the words is checked ---- */

static stoic_status look(const uint8_t *bytes, size_t size, stoic_error *told) {
    stoic_run_facts facts;
    return stoic_run_look(bytes, size, "some.stw", &facts, told);
}

/* The checksum of the file as it is now. */
static void mend(uint8_t *bytes) {
    stoic_stw_header *h = (void *)bytes;
    h->checksum = stoic_stw_checksum(bytes + STOIC_STW_CHECKED, h->words_at - STOIC_STW_CHECKED);
}

static void test_altered(void **state) {
    (void)state;
    stoic_model *model = small_resnet();
    stw_file f = stw_make(model, "q2.5,code=parity64,outliers=sparse");
    stoic_error told;
    for (int64_t i = 0; i < f.facts.words_at; i++) {
        f.bytes[i] ^= (uint8_t)(1 << i % 8);
        memset(&told, 0, sizeof told);
        if (look(f.bytes, f.size, &told) == STOIC_OK)
            fail_msg("byte %d is altered, and nobody minds", (int)i);
        assert_string_equal(told.place, "some.stw");
        assert_true(*told.message && !strchr(told.message, '\n'));
        f.bytes[i] ^= (uint8_t)(1 << i % 8);
    }
    assert_int_equal(look(f.bytes, f.size, NULL), STOIC_OK);
    for (size_t n = 0; n < f.size; n += n < 200 ? 1 : 37) {
        uint8_t *part = malloc(n + 8); /* so that reading behind it is seen */
        assert_non_null(part);
        memcpy(part, f.bytes, n);
        assert_int_equal(look(part, n, &told), STOIC_ERR_FORMAT);
        free(part);
    }
    stw_free(&f);
    stoic_model_free(model);
}

/* Numbers altered under a checksum that fits: refused, or a file that can be run. */
static void hostile(stoic_model *model, const char *spec, int trials) {
    static const uint64_t values[] = {0, 1, 2, 7, 255, 65535, 1 << 20, INT32_MAX, UINT32_MAX};
    stw_file f = stw_make(model, spec);
    float *images = kit_images(model, 1, 1), out[16];
    stoic_rng rng = kit_rng(6);
    int refused = 0, ran = 0;
    for (int trial = 0; trial < trials; trial++) {
        uint8_t *bytes = malloc(f.size);
        uint64_t need;
        assert_non_null(bytes);
        memcpy(bytes, f.bytes, f.size);
        /* behind words_at and words_bytes, which say what is summed */
        const int64_t at = 48 + 4 * kit_below(&rng, (f.facts.words_at - 48) / 4);
        const uint32_t value = (uint32_t)values[kit_below(&rng, 9)];
        memcpy(bytes + at, &value, sizeof value);
        mend(bytes);
        if (stoic_run_memory(bytes, f.size, "hostile", 1, STOIC_FP32_ACTIVATIONS, &need, NULL) !=
            STOIC_OK) {
            refused++;
        } else if (need < 1 << 20) {
            stoic_run *run = NULL;
            void *memory = aligned_alloc(64, need);
            MUST(stoic_run_start(bytes, f.size, "hostile", NULL, 1, STOIC_FP32_ACTIVATIONS, memory,
                                 need, &run, err));
            const stoic_stw_value *shapes = run->file.values;
            if ((int64_t)stoic_stw_elements(&shapes[run->file.head->input]) <= f.facts.input &&
                stoic_stw_elements(&shapes[run->file.head->output]) <= 16)
                MUST(stoic_run_images(run, images, 1, out, NULL, err));
            ran++;
            free(memory);
        }
        free(bytes);
    }
    assert_true(refused > trials / 4 && ran > trials / 4);
    free(images);
    stw_free(&f);
    stoic_model_free(model);
}

static void test_hostile(void **state) {
    (void)state;
    hostile(small_resnet(), "int8,code=secded72,include=weight+bn", 4000);
    hostile(small_gated(), "affine:3,code=msb3", 2000);
}

/* Every operator that the core does not run, in one message. */
static void test_refused(void **state) {
    (void)state;
    stoic_model *model = small_mobile();
    stoic_store *store = NULL;
    stoic_error told = {0};
    uint8_t *bytes = NULL;
    size_t size;
    MUST(stoic_store_create(model, "int8", &store, err));
    assert_int_equal(stw_write(store, &bytes, &size, &told), STOIC_ERR_UNSUPPORTED);
    static const char *const named[] = {"(HardSwish)", "(HardSigmoid)", "(ReduceMean)",
                                        "(LogSoftmax)"};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        assert_non_null(strstr(told.message, named[i]));
    assert_null(strstr(told.message, "(Conv)"));
    assert_null(strstr(told.message, "(Concat)"));
    assert_null(strstr(told.message, "(Mul)"));
    stoic_store_free(store);
    stoic_model_free(model);
    model = small_resnet();
    MUST(stoic_store_create(model, "fp64", &store, err));
    assert_int_equal(stw_write(store, &bytes, &size, &told), STOIC_ERR_UNSUPPORTED);
    assert_non_null(strstr(told.message, "fp64"));
    stoic_store_free(store);
    stoic_model_free(model);
}

/* ---- the words are what codes are for ---- */

/* Flips bit `bit` of word `word` of a tensor. */
static void flip(stw_file *f, const stoic_stw_tensor *t, int64_t word, int bit) {
    stoic_words w;
    assert_true(stoic_stw_words(t, &w));
    const int64_t at = word * w.word + bit;
    f->bytes[t->at + (uint64_t)at / 8] ^= (uint8_t)(1 << at % 8);
}

static const stoic_stw_tensor *tensors_of(const stw_file *f) {
    return (const void *)(f->bytes + ((const stoic_stw_header *)f->bytes)->tensors_at);
}

/* A wrong bit in each of some words of each tensor: the same logits to the bit, and counted; then
 * scrubbed to the bytes that were written. */
static void test_corrected(void **state) {
    (void)state;
    static const char *const codes[] = {
        "affine:5,code=msb3",     "int8,code=rep:3",        "fp16,code=tmr",
        "fp32,code=tmr",          "affine:5,code=secded72", "fp16,code=secded72",
        "affine:3,code=secded39", "int8,code=zerospace64",  "q2.5,code=parity64"};
    stoic_model *model = kit_random_norms(small_resnet(), 4);
    stoic_run_set sets[STW_SETS];
    const int n_sets = stw_sets(sets);
    float *images = kit_images(model, 1, 1), clean[16], faulty[16];
    stoic_rng rng = kit_rng(8);
    for (int i = 0; i < 9 * n_sets; i++) {
        stw_file f = stw_make(model, codes[i % 9]);
        uint8_t *before = malloc(f.size);
        int64_t wrong = 0;
        stw_run r = stw_start(&f, &sets[i / 9], 1);
        memcpy(before, f.bytes, f.size);
        MUST(stoic_run_images(r.run, images, 1, clean, NULL, err));
        assert_true(stw_told(&f, &r).corrected == 0 && stw_told(&f, &r).detected == 0);
        for (int t = 0; t < f.facts.tensors; t++) {
            const stoic_stw_tensor *tensor = &tensors_of(&f)[t];
            stoic_words w;
            if (!tensor->packed || !stoic_stw_words(tensor, &w))
                continue;
            for (int64_t word = 0; word < (int64_t)tensor->weights / w.weights; word += 3) {
                const int first = w.copied ? w.data - w.copied : 0; /* of what is repeated */
                flip(&f, tensor, word, first + (int)kit_below(&rng, w.word - first));
                wrong++;
            }
        }
        MUST(stoic_run_images(r.run, images, 1, faulty, NULL, err));
        if (memcmp(clean, faulty, (size_t)f.facts.classes * sizeof *clean) != 0)
            fail_msg("%s: other logits", codes[i % 9]);
        assert_int_equal(stw_told(&f, &r).corrected, wrong);
        assert_int_equal(stw_told(&f, &r).detected, 0);
        stoic_run_scrub(r.run, f.bytes + f.facts.words_at);
        assert_int_equal(stw_told(&f, &r).corrected, wrong);
        if (memcmp(before, f.bytes, f.size) != 0)
            fail_msg("%s: scrubbing leaves something", codes[i % 9]);
        free(before);
        free(r.memory);
        stw_free(&f);
    }
    free(images);
    stoic_model_free(model);
}

/* Two wrong bits of a word: detected; due= says what becomes of its weights, as the store does. */
static void test_due(void **state) {
    (void)state;
    static const char *const policies[] = {"keep", "zero", "report"};
    stoic_model *model = kit_random_norms(small_resnet(), 4);
    float *images = kit_images(model, 1, 1), out[16];
    for (int i = 0; i < 3; i++) {
        char spec[64];
        stoic_edit edits[64];
        size_t n = 64;
        bool due = false;
        snprintf(spec, sizeof spec, "int8,code=secded72,due=%s", policies[i]);
        stw_file f = stw_make(model, spec);
        const stoic_hit hits[] = {{.bit = 7, .word = 1}, {.bit = 22, .word = 1}};
        MUST(stoic_store_apply(f.store, hits, 2, edits, &n, NULL, err));
        float *expected = kit_run_edited(f.golden, 1, true, images, 1, edits, n);
        flip(&f, &tensors_of(&f)[0], 1, 7);
        flip(&f, &tensors_of(&f)[0], 1, 22);
        stw_run r = stw_start(&f, NULL, 1);
        MUST(stoic_run_images(r.run, images, 1, out, &due, err));
        assert_int_equal(stw_told(&f, &r).detected, 1);
        assert_int_equal(stw_told(&f, &r).corrected, 0);
        assert_true(due == (i == 2));
        for (int64_t c = 0; c < f.facts.classes; c++)
            assert_true(fabsf(out[c] - expected[c]) < 1e-4f);
        stoic_run_scrub(r.run, f.bytes + f.facts.words_at);
        assert_int_equal(stw_told(&f, &r).detected, 1);
        free(expected);
        free(r.memory);
        stw_free(&f);
    }
    free(images);
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_altered), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_corrected),
        cmocka_unit_test(test_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
