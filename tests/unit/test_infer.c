/* Inference from protected weight files: what it computes, what it reports, what memory it takes.
 */
#include <malloc.h>

#include "infer_rig.h"

/* Every code, every format, every policy that a file can hold. */
static const char *const specs[] = {"fp32",
                                    "fp16",
                                    "bf16",
                                    "int8",
                                    "affine:8",
                                    "q2.5",
                                    "fixed:12:9",
                                    "affine:2,code=msb3",
                                    "affine:3,code=msb3",
                                    "affine:4,code=msb3",
                                    "affine:5,code=msb3",
                                    "affine:6,code=msb3,granularity=channel",
                                    "affine:7,code=msb3",
                                    "affine:8,code=msb3",
                                    "int8,code=rep:3",
                                    "affine:5,code=tmr",
                                    "fp16,code=tmr",
                                    "fp32,code=tmr",
                                    "fp32,code=secded72",
                                    "affine:5,code=secded72,due=zero",
                                    "int8,code=secded72,granularity=channel",
                                    "fp16,code=secded39,scale=max:1.9999,due=report",
                                    "int8,code=zerospace64",
                                    "q2.5,scale=max:1.97,code=parity64",
                                    "fp16,scale=pow2,outliers=sparse",
                                    "fp16,scale=pow2,rescale=logits",
                                    "fp16,scale=max:1.9999,rescale=fold",
                                    "affine:5,code=msb3,include=weight+bias+bn",
                                    "int8/0=affine:6,code=msb3"};
enum { SPECS = sizeof specs / sizeof *specs };

static int top_of(const float *row, int64_t classes) {
    bool nan;
    return stoic_top1(row, classes, &nan);
}

/* Within twice the bound of rounding of the executor's logits: both are within it. With `top`, the
 * same class for every image. */
static void compare(const stw_file *f, const float *images, const float *out, int n, bool top,
                    const char *what) {
    const int64_t classes = f->facts.classes;
    float *expected = kit_run(f->golden, 0, false, images, n);
    double *x = bound_room(classes), *e = bound_room(classes);
    for (int i = 0; i < n; i++) {
        const float *a = out + i * classes, *b = expected + i * classes;
        if (i < 1)
            bound_image(f->golden, images + i * f->facts.input, x, e);
        for (int64_t c = 0; i < 1 && c < classes; c++) {
            if (!(fabs((double)a[c] - x[c]) <= e[c]))
                fail_msg("%s: image %d, output %d: %.9g, exact %.17g, bound %g", what, i, (int)c,
                         (double)a[c], x[c], e[c]);
        }
        if (top && top_of(a, classes) != top_of(b, classes))
            fail_msg("%s: image %d: class %d instead of %d", what, i, top_of(a, classes),
                     top_of(b, classes));
    }
    free(expected);
    free(x);
    free(e);
}

/* ---- what it computes ---- */

static void check_shipped(const char *file, int n) {
    stoic_model *model = kit_shipped(file);
    stoic_run_set sets[STW_SETS];
    const int best = stw_sets(sets) - 1;
    if (!model)
        skip();
    float *images = kit_images(model, n, 3);
    for (int i = 0; i < SPECS; i++) {
        stw_file f = stw_make(model, specs[i]);
        float *out = stw_outputs(&f, &sets[best], 8, images, n);
        compare(&f, images, out, n, true, specs[i]);
        free(out);
        stw_free(&f);
    }
    free(images);
    stoic_model_free(model);
}

static void test_lenet(void **state) {
    (void)state;
    check_shipped("lenet5-fashion-mnist.onnx", 64);
}

static void test_resnet(void **state) {
    (void)state;
    check_shipped("resnet20-cifar10.onnx", 8);
}

/* Random graphs: those the core runs are within the bound, in every set. */
static void test_random(void **state) {
    (void)state;
    int ran = 0;
    stoic_run_set sets[STW_SETS];
    const int n_sets = stw_sets(sets);
    for (uint64_t seed = 0; seed < 300; seed++) {
        stoic_model *model = graph_random(seed);
        if (!model)
            continue;
        if (!stw_runs(model, "affine:6,code=msb3")) {
            stoic_model_free(model);
            continue;
        }
        stw_file f = stw_make(model, "affine:6,code=msb3");
        float *images = kit_images(model, 3, seed);
        for (int s = 0; s < n_sets; s++) {
            char what[64];
            snprintf(what, sizeof what, "random graph %d, set %d", (int)seed, s);
            float *out = stw_outputs(&f, &sets[s], 2, images, 3);
            compare(&f, images, out, 3, false, what);
            free(out);
        }
        ran++;
        free(images);
        stw_free(&f);
        stoic_model_free(model);
    }
    assert_true(ran >= 20);
}

/* Gates and concatenations: in every set, alone and beside others, and what they need of it is in
 * the file. */
static void test_gated(void **state) {
    (void)state;
    stoic_model *model = small_gated();
    stoic_run_set sets[STW_SETS];
    const int n = 7, n_sets = stw_sets(sets);
    stw_file f = stw_make(model, "affine:6,code=msb3");
    float *images = kit_images(model, n, 2);
    for (int s = 0; s < n_sets; s++) {
        float *alone = stw_outputs(&f, &sets[s], 1, images, n);
        float *together = stw_outputs(&f, &sets[s], 4, images, n);
        compare(&f, images, alone, n, false, "gates and concatenations");
        assert_memory_equal(alone, together, (size_t)(n * f.facts.classes) * sizeof *alone);
        free(alone);
        free(together);
    }
    free(images);
    stw_free(&f);
    stoic_model_free(model);
}

/* Every weight as the store gives it back, to the bit, in whatever pieces it is read. */
static void test_weights(void **state) {
    (void)state;
    stoic_model *model = kit_random_norms(small_resnet(), 4);
    stoic_rng rng = kit_rng(9);
    stoic_run_set sets[STW_SETS];
    const int n_sets = stw_sets(sets);
    for (int i = 0; i < SPECS * n_sets; i++) {
        stw_file f = stw_make(model, specs[i % SPECS]);
        stw_run r = stw_start(&f, &sets[i / SPECS], 1);
        for (int e = 0; e < stoic_store_entry_count(f.store); e++) {
            const stoic_store_entry *entry = stoic_store_entry_at(f.store, e);
            stoic_stored *stored = NULL;
            for (uint32_t t = 0; t < r.run->file.head->n_tensors; t++) {
                stoic_run_count told;
                stoic_run_counts(r.run, (int)t, &told);
                if (!strcmp(told.name, entry->name))
                    stored = &r.run->tensors[t];
            }
            assert_non_null(stored);
            float *wanted = kit_floats(entry->weights), *got = kit_floats(entry->weights);
            MUST(stoic_store_decode(f.store, e, wanted, err));
            stoic_reader_begin(&r.run->reader, sets[i / SPECS].words, sets[i / SPECS].bytes,
                               stored);
            for (int64_t at = 0, n; at < entry->weights; at += n) {
                n = 1 + kit_below(&rng, 30);
                n = entry->weights - at < n ? entry->weights - at : n;
                stoic_reader_next(&r.run->reader, n, got + at);
            }
            if (memcmp(wanted, got, (size_t)entry->weights * sizeof *got) != 0)
                fail_msg("%s: %s differs", specs[i % SPECS], entry->name);
            free(wanted);
            free(got);
        }
        free(r.memory);
        stw_free(&f);
    }
    stoic_model_free(model);
}

/* The same bits for an image wherever it stands, and in any number of images at once. */
static void test_positions(void **state) {
    (void)state;
    stoic_model *model = kit_random_norms(small_resnet(), 4);
    stw_file f = stw_make(model, "int8,code=secded72");
    stoic_run_set sets[STW_SETS];
    const int n = 13, n_sets = stw_sets(sets);
    float *images = kit_images(model, n, 1);
    for (int s = 0; s < n_sets; s++) {
        float *alone = stw_outputs(&f, &sets[s], 1, images, n);
        float *some = stw_outputs(&f, &sets[s], 5, images, n);
        float *all = stw_outputs(&f, &sets[s], 64, images, n);
        assert_memory_equal(alone, some, (size_t)(n * f.facts.classes) * sizeof *all);
        assert_memory_equal(alone, all, (size_t)(n * f.facts.classes) * sizeof *all);
        free(alone);
        free(some);
        free(all);
    }
    free(images);
    stw_free(&f);
    stoic_model_free(model);
}

/* An infinite weight meets padding: taps on it are left out, as the executor does. */
static void test_infinite(void **state) {
    (void)state;
    stoic_model *model = kit_random_norms(small_resnet(), 4);
    stoic_run_set sets[STW_SETS];
    const int n_sets = stw_sets(sets);
    stw_file f = stw_make(model, "fp32");
    float *images = kit_images(model, 2, 1);
    const stoic_stw_tensor *t = (const void *)(f.bytes + ((stoic_stw_header *)f.bytes)->tensors_at);
    const stoic_edit edit = {
        .tensor = stoic_store_entry_at(f.store, 0)->tensor, .value = INFINITY, .index = 0};
    const float infinite = INFINITY;
    memcpy(f.bytes + t[0].at, &infinite, sizeof infinite); /* a corner of the first window */
    float *expected = kit_run_edited(f.golden, 2, false, images, 2, &edit, 1);
    for (int s = 0; s < n_sets; s++) {
        float *out = stw_outputs(&f, &sets[s], 2, images, 2);
        for (int64_t i = 0; i < 2 * f.facts.classes; i++)
            assert_true(isnan(out[i]) == isnan(expected[i]));
        free(out);
    }
    free(expected);
    free(images);
    stw_free(&f);
    stoic_model_free(model);
}

/* ---- memory ---- */

/* Four megabytes of weights are never there as floats; and nothing is allocated while it runs. */
static void test_memory(void **state) {
    (void)state;
    stoic_rng rng = kit_rng(3);
    graph g = small_start(&rng, 16, 4, 4);
    small_conv(&g, 512, 3, 1, 1, true);
    small_conv(&g, 64, 3, 1, 1, true);
    small_flatten(&g);
    graph_product(&g, 700);
    graph_simple(&g, &stoic_op_relu);
    graph_product(&g, 10);
    stoic_model *model = small_finish(&g);
    stw_file f = stw_make(model, "affine:5,code=msb3");
    stw_run r = stw_start(&f, NULL, 1);
    float *images = kit_images(model, 1, 1), out[10];
    assert_true(f.facts.weights > 1000000);
    if (r.bytes > (uint64_t)f.facts.weights) /* a quarter of what they take as floats */
        fail_msg("a run takes %d bytes for %d weights", (int)r.bytes, (int)f.facts.weights);
    struct mallinfo2 before = mallinfo2();
    MUST(stoic_run_images(r.run, images, 1, out, NULL, err));
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(before.uordblks, after.uordblks);
    free(images);
    free(r.memory);
    stw_free(&f);
    stoic_model_free(model);
}

/* A byte less is refused, and what lies behind the last byte is not touched. */
static void test_room(void **state) {
    (void)state;
    stoic_model *model = small_resnet();
    stw_file f = stw_make(model, "int8,code=secded72");
    float *images = kit_images(model, 3, 1), *out = kit_floats(3 * f.facts.classes);
    for (int batch = 1; batch <= 3; batch++) {
        stoic_run *run = NULL;
        uint64_t need;
        MUST(stoic_run_memory(f.bytes, f.size, "file", batch, STOIC_FP32_ACTIVATIONS, &need, err));
        uint8_t *memory = aligned_alloc(64, need + 64);
        memset(memory, 0xa5, need + 64);
        assert_int_equal(stoic_run_start(f.bytes, f.size, "file", NULL, batch,
                                         STOIC_FP32_ACTIVATIONS, memory, need - 1, &run, NULL),
                         STOIC_ERR_MEMORY);
        MUST(stoic_run_start(f.bytes, f.size, "file", NULL, batch, STOIC_FP32_ACTIVATIONS, memory,
                             need, &run, err));
        MUST(stoic_run_images(run, images, batch, out, NULL, err));
        for (int i = 0; i < 64; i++)
            assert_int_equal(memory[need + (uint64_t)i], 0xa5);
        assert_int_equal(stoic_run_images(run, images, batch + 1, out, NULL, NULL),
                         STOIC_ERR_ARGUMENT);
        free(memory);
    }
    free(images);
    free(out);
    stw_free(&f);
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lenet),     cmocka_unit_test(test_resnet),
        cmocka_unit_test(test_random),    cmocka_unit_test(test_weights),
        cmocka_unit_test(test_positions), cmocka_unit_test(test_infinite),
        cmocka_unit_test(test_gated),     cmocka_unit_test(test_memory),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
