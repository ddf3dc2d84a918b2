/* Activations as integers: the loops against their definitions, to the bit; networks against each
 * other to the bit, and against float32 where codes are exact; what is refused. */
#include "infer_rig.h"

enum { LANES = STOIC_INT_LANES, TILE = STOIC_INT_TILE, ROWS = STOIC_INT_ROWS };

/* ---- loops ---- */

static int loop_sets(const stoic_int_loops *sets[3]) {
    stoic_run_set all[STW_SETS];
    int n = 0;
    for (int i = 0; i < stw_sets(all); i++) {
        if (n == 0 || sets[n - 1] != all[i].bytes->integers)
            sets[n++] = all[i].bytes->integers;
    }
    return n;
}

/* Random bytes, or the greatest products. */
static void fill(stoic_rng *rng, void *to, int64_t n, bool extreme, uint8_t least) {
    for (int64_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = extreme ? least : (uint8_t)stoic_rng_below(rng, 256);
}

static void test_quantise(void **state) {
    (void)state;
    static const float special[] = {NAN,    INFINITY, -INFINITY, 0,      -0.0f,  1e38f,
                                    -1e38f, 0.5f,     1.5f,      2.5f,   -0.5f,  -1.5f,
                                    1e-40f, 127.5f,   254.5f,    255.5f, -127.5f};
    const stoic_int_loops *sets[3];
    stoic_rng rng = kit_rng(41);
    enum { MOST = 100, SPECIAL = sizeof special / sizeof *special };
    for (int round = 0; round < 3000; round++) {
        const int n = 1 + kit_below(&rng, MOST), zero = kit_below(&rng, 256);
        const float inverse = round % 3 ? 1.0f : (float)(1 + 300 * stoic_rng_unit(&rng));
        float x[MOST];
        uint8_t wanted[MOST], got[MOST + 1];
        for (int i = 0; i < n; i++)
            x[i] = kit_below(&rng, 3) ? (float)(kit_below(&rng, 1200) - 600) / 2
                                      : special[kit_below(&rng, SPECIAL)];
        stoic_int_loops_plain.quantise(x, n, inverse, zero, wanted);
        for (int s = 0; s < loop_sets(sets); s++) {
            got[n] = 0xa5;
            sets[s]->quantise(x, n, inverse, zero, got);
            assert_memory_equal(got, wanted, (size_t)n);
            assert_int_equal(got[n], 0xa5);
        }
    }
}

static void test_moves(void **state) {
    (void)state;
    const stoic_int_loops *sets[3];
    stoic_rng rng = kit_rng(42);
    enum { MOST = 70 };
    uint8_t from[LANES * (MOST + 3)], to[LANES * (MOST + 4) * 4], wanted[sizeof to];
    for (int round = 0; round < 2000; round++) {
        const int64_t n = 1 + kit_below(&rng, MOST), stride = 1 + kit_below(&rng, 3);
        fill(&rng, from, (int64_t)sizeof from, false, 0);
        const uint8_t *const rows[4] = {from + kit_below(&rng, 9), from + 100, from + 311,
                                        from + kit_below(&rng, 800)};
        for (int s = 0; s < loop_sets(sets); s++) {
            memset(to, 0xa5, sizeof to);
            memset(wanted, 0xa5, sizeof to);
            sets[s]->gather(rows, stride, n, to);
            stoic_int_loops_plain.gather(rows, stride, n, wanted);
            assert_memory_equal(to, wanted, sizeof to);
            sets[s]->quads((int8_t *)from, n + stride - 1, n, (int8_t *)to);
            stoic_int_loops_plain.quads((int8_t *)from, n + stride - 1, n, (int8_t *)wanted);
            assert_memory_equal(to, wanted, sizeof to);
        }
    }
}

/* Pixels of all channels, their sums, and weights to go with them. */
static void test_laced(void **state) {
    (void)state;
    const stoic_int_loops *sets[3];
    stoic_rng rng = kit_rng(45);
    enum { MOST = 90 };
    static uint8_t from[MOST * (MOST + 3)], to[MOST * (MOST + 3)], wanted[sizeof to];
    static int8_t weights[LANES * 1200], turned[LANES * 1200], right[sizeof turned];
    for (int round = 0; round < 600; round++) {
        const int64_t rows = 1 + kit_below(&rng, MOST), n = 1 + kit_below(&rng, MOST);
        const int64_t step = n + round % 3, to_step = rows + round % 4 % 3;
        const int64_t window = 1 + kit_below(&rng, round % 7 ? 12 : 280);
        const int64_t channels = 4 * (1 + kit_below(&rng, window > 12 ? 1 : 24));
        const int64_t apart = channels * window + round % 2;
        int32_t sums[MOST], sum[MOST];
        fill(&rng, from, (int64_t)sizeof from, round % 9 == 0, 255);
        fill(&rng, weights, (int64_t)sizeof weights, false, 0);
        for (int s = 0; s < loop_sets(sets); s++) {
            memset(to, 0xa5, sizeof to);
            memset(wanted, 0xa5, sizeof to);
            sets[s]->lace(from, step, rows, n, to, to_step);
            stoic_int_loops_plain.lace(from, step, rows, n, wanted, to_step);
            assert_memory_equal(to, wanted, sizeof to);
            sets[s]->byte_sums(from, step, n, rows, sums);
            stoic_int_loops_plain.byte_sums(from, step, n, rows, sum);
            assert_memory_equal(sums, sum, (size_t)rows * sizeof *sums);
            memset(turned, 0x5a, sizeof turned);
            memset(right, 0x5a, sizeof turned);
            sets[s]->regroup(weights, apart, channels, window, turned);
            stoic_int_loops_plain.regroup(weights, apart, channels, window, right);
            assert_memory_equal(turned, right, sizeof turned);
        }
    }
}

/* Taps where they lie: any places, and the greatest products. */
static void test_windows(void **state) {
    (void)state;
    const stoic_int_loops *sets[3];
    stoic_rng rng = kit_rng(46);
    enum { MOST = 40, ROOM = 4096 };
    static int8_t weights[MOST * MOST * LANES * 4];
    static uint8_t image[ROOM];
    for (int round = 0; round < 300; round++) {
        const int64_t n = 1 + kit_below(&rng, MOST), quads = 1 + kit_below(&rng, MOST);
        const uint8_t *x[TILE];
        int64_t offsets[MOST];
        int32_t sums[TILE][LANES], wanted[TILE][LANES];
        for (int p = 0; p < TILE; p++)
            x[p] = image + kit_below(&rng, ROOM / 2 - 4 * MOST);
        for (int64_t k = 0; k < n; k++)
            offsets[k] = kit_below(&rng, ROOM / 2);
        fill(&rng, weights, (int64_t)sizeof weights, round % 4 > 1, round % 4 == 2 ? 127 : 128);
        fill(&rng, image, ROOM, round % 4 > 1, 255);
        for (int s = 0; s < loop_sets(sets); s++) {
            sets[s]->window(weights, quads, x, offsets, n, sums);
            stoic_int_loops_plain.window(weights, quads, x, offsets, n, wanted);
            assert_memory_equal(sums, wanted, sizeof sums);
        }
    }
}

/* Also where adding two products in 16 bits would saturate. */
static void test_sums(void **state) {
    (void)state;
    const stoic_int_loops *sets[3];
    stoic_rng rng = kit_rng(43);
    enum { MOST = 300 };
    static int8_t weights[MOST * LANES * 4];
    static uint8_t x[MOST * TILE * 4];
    for (int round = 0; round < 600; round++) {
        const int64_t n = 1 + kit_below(&rng, MOST), step = 4 * (TILE + kit_below(&rng, 3));
        const int64_t quads = n * 4 * TILE / step;
        int32_t sums[TILE][LANES], wanted[TILE][LANES], a = kit_below(&rng, 256);
        fill(&rng, weights, (int64_t)sizeof weights, round % 4 > 1, round % 4 == 2 ? 127 : 128);
        fill(&rng, x, (int64_t)sizeof x, round % 4 > 1, 255);
        for (int s = 0; s < loop_sets(sets); s++) {
            sets[s]->tile(weights, quads, x, step, sums);
            stoic_int_loops_plain.tile(weights, quads, x, step, wanted);
            assert_memory_equal(sums, wanted, sizeof sums);
            sets[s]->dots(weights, n + 3, n, x, sums[0]);
            stoic_int_loops_plain.dots(weights, n + 3, n, x, wanted[0]);
            assert_memory_equal(sums, wanted, ROWS * sizeof(int32_t));
            sets[s]->row_sums(weights, n + 3, n, LANES, sums[2]);
            stoic_int_loops_plain.row_sums(weights, n + 3, n, LANES, wanted[2]);
            assert_memory_equal(sums, wanted, sizeof sums);
            sets[s]->add_scaled(a, weights, LANES - round % 3, sums[1]);
            stoic_int_loops_plain.add_scaled(a, weights, LANES - round % 3, wanted[1]);
            assert_memory_equal(sums, wanted, sizeof sums);
        }
    }
}

static void test_worth(void **state) {
    (void)state;
    const stoic_int_loops *sets[3];
    stoic_rng rng = kit_rng(44);
    for (int round = 0; round < 2000; round++) {
        stoic_int_worth w = {.zero = kit_below(&rng, 256)};
        int32_t sums[LANES], x = (int32_t)kit_below(&rng, 1 << 23) - (1 << 22);
        float got[LANES], wanted[LANES];
        for (int l = 0; l < LANES; l++) {
            w.weights[l] = (int32_t)kit_below(&rng, 1 << 22) - (1 << 21);
            w.whole[l] = (int32_t)kit_below(&rng, 255) - 127;
            w.scale[l] = round % 9 ? (float)stoic_rng_unit(&rng) : NAN;
            w.part[l] = (float)stoic_rng_unit(&rng) - 0.5f;
            sums[l] = (int32_t)kit_below(&rng, 1 << 30) - (1 << 29);
        }
        stoic_int_loops_plain.worth(&w, sums, x, wanted);
        for (int s = 0; s < loop_sets(sets); s++) {
            sets[s]->worth(&w, sums, x, got);
            for (int l = 0; l < LANES; l++)
                assert_true(kit_same(got[l], wanted[l]));
        }
    }
}

/* ---- networks ---- */

static const char *const specs[] = {"int8",
                                    "affine:8",
                                    "affine:2",
                                    "affine:3,code=msb3",
                                    "affine:5,code=msb3",
                                    "affine:8,code=msb3",
                                    "affine:6,code=msb3,granularity=channel",
                                    "int8,code=secded72,granularity=channel",
                                    "affine:5,code=secded72,due=zero",
                                    "affine:5,code=tmr",
                                    "fixed:7:5",
                                    "fixed:8:6,code=secded39",
                                    "int8,code=secded72",
                                    "int8,code=zerospace64",
                                    "q2.5,scale=max:1.97,code=parity64",
                                    "affine:5,code=msb3,include=weight+bias+bn"};
enum { SPECS = sizeof specs / sizeof *specs };

/* The same bits in every set, at every position, in any number; and near float32. */
static void check_network(const stoic_model *model, const char *spec, double near) {
    stoic_run_set sets[STW_SETS];
    const int n = 9, n_sets = stw_sets(sets);
    stw_file f = stw_make(model, spec);
    const size_t bytes = (size_t)(n * f.facts.classes) * sizeof(float);
    float *images = kit_images(model, n, 5);
    stw_calibrate(&f, images, n);
    float *exact = stw_outputs(&f, NULL, n, images, n);
    float *first = stw_outputs_as(&f, NULL, n, STOIC_INT8_ACTIVATIONS, images, n);
    double error = 0, size = 0;
    for (int64_t i = 0; i < n * f.facts.classes; i++) {
        error += fabs((double)first[i] - (double)exact[i]);
        size += fabs((double)exact[i]);
    }
    if (!(error <= near * size))
        fail_msg("%s: off by %g of %g", spec, error, size);
    for (int s = 0; s < n_sets; s++) {
        for (int batch = 1; batch <= 9; batch += 4) {
            float *out = stw_outputs_as(&f, &sets[s], batch, STOIC_INT8_ACTIVATIONS, images, n);
            if (memcmp(first, out, bytes) != 0)
                fail_msg("%s: set %d, %d at once: other bits", spec, s, batch);
            free(out);
        }
    }
    free(images);
    free(exact);
    free(first);
    stw_free(&f);
}

static void test_networks(void **state) {
    (void)state;
    stoic_model *resnet = kit_random_norms(small_resnet(), 4);
    stoic_model *gated = small_gated();
    stoic_model *lenet = kit_shipped("lenet5-fashion-mnist.onnx");
    for (int i = 0; i < SPECS; i++) {
        check_network(resnet, specs[i], 0.05);
        check_network(gated, specs[i], 0.05);
        if (lenet)
            check_network(lenet, specs[i], 0.05);
    }
    stoic_model_free(resnet);
    stoic_model_free(gated);
    stoic_model_free(lenet);
}

/* Groups, strides, dilation, padding that is not symmetric, rows that belong to inputs. */
static void test_random(void **state) {
    (void)state;
    int ran = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        stoic_model *model = graph_random(seed);
        if (!model)
            continue;
        if (stw_runs(model, "int8")) {
            check_network(model, seed % 2 ? "int8" : "affine:7,code=msb3", 0.1);
            ran++;
        }
        stoic_model_free(model);
    }
    assert_true(ran >= 20);
}

/* One layer whose activations are codes already: float32 and int8 differ by rounding alone. */
static void check_exact(stoic_model *model, const char *spec) {
    stw_file f = stw_make(model, spec);
    stoic_rng rng = kit_rng(7);
    const int n = 5;
    float *images = kit_floats(n * f.facts.input);
    for (int64_t i = 0; i < n * f.facts.input; i++)
        images[i] = (float)(kit_below(&rng, 256) - 100) / 64.0f;
    images[0] = -100 / 64.0f; /* so that a step is 1/64 */
    images[1] = 155 / 64.0f;
    stw_calibrate(&f, images, n);
    float *exact = stw_outputs(&f, NULL, n, images, n);
    float *out = stw_outputs_as(&f, NULL, n, STOIC_INT8_ACTIVATIONS, images, n);
    for (int64_t i = 0; i < n * f.facts.classes; i++) {
        if (!(fabs((double)out[i] - (double)exact[i]) <= 2e-5 * (1 + fabs((double)exact[i]))))
            fail_msg("%s: output %d: %.9g instead of %.9g", spec, (int)i, (double)out[i],
                     (double)exact[i]);
    }
    free(images);
    free(exact);
    free(out);
    stw_free(&f);
    stoic_model_free(model);
}

static void test_exact(void **state) {
    (void)state;
    for (int i = 0; i < SPECS; i++) {
        stoic_rng rng = kit_rng((uint64_t)i);
        graph g = small_start(&rng, 4, 7, 5);
        small_conv(&g, 20, 3, 2, 2, true);
        check_exact(small_finish(&g), specs[i]);
        g = small_start(&rng, 3, 7, 5);
        small_conv(&g, 33, 1, 1, 1, false);
        check_exact(small_finish(&g), specs[i]);
        g = small_start(&rng, 3, 5, 5);
        small_flatten(&g);
        graph_product(&g, 19);
        check_exact(small_finish(&g), specs[i]);
    }
}

/* Corrected words give the same bits; those that cannot be, where due=zero, next to none. */
static void test_faults(void **state) {
    (void)state;
    static const char *const codes[] = {"affine:5,code=msb3", "int8,code=secded72",
                                        "int8,code=zerospace64", "affine:5,code=secded72,due=zero"};
    stoic_model *model = kit_random_norms(small_resnet(), 4);
    float *images = kit_images(model, 2, 1);
    stoic_run_set sets[STW_SETS];
    const int n_sets = stw_sets(sets);
    for (int i = 0; i < 4 * n_sets; i++) {
        stw_file f = stw_make(model, codes[i / n_sets]);
        float clean[32], faulty[32];
        int64_t wrong = 0;
        stw_calibrate(&f, images, 2);
        stw_run r = stw_start_as(&f, &sets[i % n_sets], 2, STOIC_INT8_ACTIVATIONS);
        MUST(stoic_run_images(r.run, images, 2, clean, NULL, err));
        for (uint32_t t = 0; t < r.run->file.head->n_tensors; t++) {
            const stoic_stw_tensor *tensor = &r.run->file.tensors[t];
            stoic_words w;
            if (!tensor->packed || !stoic_stw_words(tensor, &w))
                continue;
            const int64_t at = (int64_t)(tensor->weights / 2) / w.weights * w.word + w.data - 1;
            f.bytes[tensor->at + (uint64_t)at / 8] ^= (uint8_t)(1 << at % 8);
            wrong++;
        }
        MUST(stoic_run_images(r.run, images, 2, faulty, NULL, err));
        assert_memory_equal(clean, faulty, (size_t)(2 * f.facts.classes) * sizeof *clean);
        assert_int_equal(stw_told(&f, &r).corrected, wrong);
        free(r.memory);
        stw_free(&f);
    }
    free(images);
    stoic_model_free(model);
}

/* ---- what is refused ---- */

static void refuse(const stoic_model *model, const char *spec, bool ranges, const char *why) {
    stw_file f = stw_make(model, spec);
    float *images = kit_images(model, 2, 1);
    stoic_error told = {0};
    uint64_t need;
    if (ranges)
        stw_calibrate(&f, images, 2);
    const stoic_status status =
        stoic_run_memory(f.bytes, f.size, "some.stw", 1, STOIC_INT8_ACTIVATIONS, &need, &told);
    if (status != STOIC_ERR_UNSUPPORTED || !strstr(told.message, why) ||
        strcmp(told.place, "some.stw") != 0)
        fail_msg("%s: refused with '%s' for '%s'", spec, told.message, why);
    free(images);
    stw_free(&f);
}

static void test_refused(void **state) {
    (void)state;
    stoic_model *model = small_resnet();
    refuse(model, "int8", false, "store --calibrate");
    refuse(model, "fp16", true, "is fp16, 16 bits");
    refuse(model, "fp32", true, "is fp32, 32 bits");
    refuse(model, "fixed:12:9", true, "is fixed, 12 bits");
    refuse(model, "int8/0=bf16", true, "is bf16, 16 bits");
    refuse(model, "q2.5,scale=const:9,outliers=sparse", true, "keeps weights aside");
    stoic_model_free(model);
    stoic_rng rng = kit_rng(1);
    graph g = small_start(&rng, 40000, 1, 1);
    small_flatten(&g);
    graph_product(&g, 2);
    model = small_finish(&g);
    refuse(model, "int8", true, "sums of 40000 products");
    stoic_model_free(model);
}

static stoic_status altered(const stw_file *f, uint32_t version, int64_t at, const void *value) {
    uint8_t *bytes = malloc(f->size);
    stoic_error told = {0};
    stoic_stw_header *h = (void *)bytes;
    stoic_run_facts facts;
    assert_non_null(bytes);
    memcpy(bytes, f->bytes, f->size);
    h->version = version;
    memcpy(bytes + at, value, 4);
    h->checksum = stoic_stw_checksum(bytes + STOIC_STW_CHECKED, h->words_at - STOIC_STW_CHECKED);
    const stoic_status status = stoic_run_look(bytes, f->size, "file", &facts, &told);
    if (status != STOIC_OK)
        assert_non_null(strstr(told.message, "step or zero of activations"));
    free(bytes);
    return status;
}

/* Steps and zeros that cannot be, in every node. */
static void test_hostile(void **state) {
    (void)state;
    static const float steps[] = {0,     -0.0f, -1,       1e-38f,    1e-45f,
                                  1e38f, NAN,   INFINITY, -INFINITY, -NAN};
    static const uint32_t zeros[] = {256, 65535, UINT32_MAX};
    stoic_model *model = small_resnet();
    stw_file f = stw_make(model, "int8");
    float *images = kit_images(model, 2, 1);
    stw_calibrate(&f, images, 2);
    const stoic_stw_header *h = (void *)f.bytes;
    const float one = 1;
    const uint32_t nothing = 0;
    int products = 0;
    for (uint32_t i = 0; i < h->n_nodes; i++) {
        const int64_t node = (int64_t)(h->nodes_at + i * sizeof(stoic_stw_node));
        const stoic_stw_node *n = (const void *)(f.bytes + node);
        const bool product = n->op == STOIC_STW_CONV || n->op == STOIC_STW_GEMM;
        const int64_t step = node + (int64_t)offsetof(stoic_stw_node, step);
        const int64_t zero = node + (int64_t)offsetof(stoic_stw_node, zero_code);
        for (size_t k = product ? 0 : 2; k < sizeof steps / sizeof *steps; k++)
            assert_int_equal(altered(&f, 2, step, &steps[k]), STOIC_ERR_FORMAT);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(altered(&f, 2, zero, &zeros[k]), STOIC_ERR_FORMAT);
            assert_int_equal(altered(&f, 2, zero + 4 + 4 * k, &one), STOIC_ERR_FORMAT);
        }
        assert_int_equal(altered(&f, 2, step, &one), product ? STOIC_OK : STOIC_ERR_FORMAT);
        assert_int_equal(altered(&f, 1, zero, &nothing), STOIC_ERR_FORMAT); /* others have theirs */
        products += product;
    }
    assert_true(products > 3);
    free(images);
    stw_free(&f);
    stoic_model_free(model);
}

/* A byte less is refused, and what lies behind the last byte is not touched. */
static void test_room(void **state) {
    (void)state;
    stoic_model *model = small_resnet();
    stw_file f = stw_make(model, "int8,code=secded72");
    float *images = kit_images(model, 3, 1), *out = kit_floats(3 * f.facts.classes);
    stw_calibrate(&f, images, 3);
    for (int batch = 1; batch <= 3; batch++) {
        stoic_run *run = NULL;
        uint64_t need;
        MUST(stoic_run_memory(f.bytes, f.size, "file", batch, STOIC_INT8_ACTIVATIONS, &need, err));
        uint8_t *memory = aligned_alloc(64, need + 64);
        assert_non_null(memory);
        memset(memory, 0xa5, need + 64);
        assert_int_equal(stoic_run_start(f.bytes, f.size, "file", NULL, batch,
                                         STOIC_INT8_ACTIVATIONS, memory, need - 1, &run, NULL),
                         STOIC_ERR_MEMORY);
        MUST(stoic_run_start(f.bytes, f.size, "file", NULL, batch, STOIC_INT8_ACTIVATIONS, memory,
                             need, &run, err));
        MUST(stoic_run_images(run, images, batch, out, NULL, err));
        for (int i = 0; i < 64; i++)
            assert_int_equal(memory[need + (uint64_t)i], 0xa5);
        free(memory);
    }
    free(images);
    free(out);
    stw_free(&f);
    stoic_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantise), cmocka_unit_test(test_moves),
        cmocka_unit_test(test_sums),     cmocka_unit_test(test_laced),
        cmocka_unit_test(test_windows),  cmocka_unit_test(test_worth),
        cmocka_unit_test(test_networks), cmocka_unit_test(test_random),
        cmocka_unit_test(test_exact),    cmocka_unit_test(test_faults),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
