/* Scales, outliers and granularity: what lies in the store and what comes back. */
#include <math.h>
#include <stdio.h>

#include "store/layout.h"
#include "store_rig.h"

enum { N = 40 };

static float scale_of(const stoic_store *store, int64_t index) {
    return stoic_lines_grid(&store->lines[0], index)->scale;
}

static double largest_of(const float *weights, int n) {
    double largest = 0;
    for (int i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)weights[i]));
    return largest;
}

static void without_a_scale_c_is_one(void **state) {
    (void)state;
    static const char *const specs[] = {"fp32", "fp16", "bf16", "fp64", "fixed:8:6", "affine:4"};
    float weights[N];
    rig_fill(weights, N, 1);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        stoic_store *store = rig(specs[i], weights, N);
        assert_true(scale_of(store, 3) == 1.0f);
        assert_int_equal(rig_facts(store).clamped, 0);
        stoic_store_free(store);
    }
}

/* A product stored, a quotient read: each weight is off by the format's rounding, c undone. */
static void check_scaled(const char *spec, const float *weights, float c, int mantissa) {
    float back[N];
    double largest = 0;
    stoic_store *store = rig(spec, weights, N);
    rig_decode(store, back);
    assert_true(scale_of(store, 0) == c);
    for (int i = 0; i < N; i++) {
        double scaled = (double)weights[i] * (double)c;
        double off = fabs((double)back[i] - (double)weights[i]) * (double)c;
        largest = fmax(largest, off / fabs(scaled));
    }
    double half = ldexp(0.5, -mantissa), single = ldexp(1.0, -24);
    assert_true(largest <= half + single);
    assert_true(largest > half / 4 && mantissa <= 23); /* a bound that is too wide would show */
    stoic_store_free(store);
}

static void a_scale_is_undone(void **state) {
    (void)state;
    float weights[N];
    rig_fill(weights, N, 2);
    float c = (float)(1.97 / largest_of(weights, N));
    check_scaled("fp16,scale=max:1.97", weights, c, 10);
    check_scaled("bf16,scale=max:1.97", weights, c, 7);
    check_scaled("fp16,scale=const:1.37", weights, 1.37f, 10);
    check_scaled("fp32,scale=const:1.37", weights, 1.37f, 23);
    check_scaled("bf16,scale=max:1", weights, (float)(1 / largest_of(weights, N)), 7);
}

/* METHODS 2: 1.9999 rounds to 2 in the narrow formats; the largest value below stands instead. */
static void the_largest_weight_stays_below_two(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        uint64_t code;
        double value;
    } cases[] = {{"fp16,scale=max:1.9999", 0x3fff, 1.9990234375},
                 {"bf16,scale=max:1.9999", 0x3fff, 1.9921875}};
    float weights[N], back[N];
    rig_fill(weights, N, 3);
    weights[17] = -1.25f;
    weights[30] = 1.25f;
    for (int k = 0; k < 2; k++) {
        stoic_store *store = rig(cases[k].spec, weights, N);
        assert_int_equal(stoic_store_data(store, 0, 17), 0x8000 | cases[k].code);
        assert_int_equal(stoic_store_data(store, 0, 30), cases[k].code);
        assert_int_equal(rig_facts(store).clamped, 2);
        assert_int_equal(rig_facts(store).outside, 0);
        rig_decode(store, back);
        assert_true(back[30] == (float)(cases[k].value / (double)scale_of(store, 30)));
        for (int i = 0; i < N; i++) /* the exponent's top bit is never set */
            assert_int_equal(stoic_store_data(store, 0, i) >> 14 & 1, 0);
        stoic_store_free(store);
    }
    /* fp32 and fp64 hold 1.9999; a scale of exactly 2 is not held back */
    stoic_store *store = rig("fp32,scale=max:1.9999", weights, N);
    assert_int_equal(rig_facts(store).clamped, 0);
    assert_int_equal(stoic_store_data(store, 0, 30) >> 30, 0);
    stoic_store_free(store);
    store = rig("fp16,scale=max:2", weights, N);
    assert_int_equal(stoic_store_data(store, 0, 30), 0x4000);
    assert_int_equal(rig_facts(store).clamped, 0);
    stoic_store_free(store);
    /* without a scale nothing is held: 1.9999 becomes 2 */
    weights[30] = 1.9999f;
    store = rig("fp16", weights, N);
    assert_int_equal(stoic_store_data(store, 0, 30), 0x4000);
    stoic_store_free(store);
}

static void a_power_of_two_is_the_largest(void **state) {
    (void)state;
    static const struct {
        const char *format;
        float largest, scale;
    } cases[] = {{"fp32", 0.3f, 4.0f},        {"fp32", 1.0f, 1.0f},      {"fp32", 1.9999999f, 1.0f},
                 {"fp32", 2.0f, 0.5f},        {"fp16", 0.5f, 2.0f},      {"fp16", 1.9999f, 0.5f},
                 {"fp16", 1.9990234f, 1.0f},  {"bf16", 0.249f, 8.0f},    {"bf16", 0.2495f, 8.0f},
                 {"bf16", 0.24952f, 4.0f},    {"bf16", 0.2499f, 4.0f},   {"fixed:8:6", 0.99f, 2.0f},
                 {"fixed:8:6", 0.999f, 1.0f}, {"fixed:8:7", 0.6f, 1.0f}, {"fp32", 1e-44f, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float weights[3] = {0.01f, -cases[i].largest, 0}, back[3];
        char spec[48];
        weights[0] = cases[i].largest < 1e-10f ? 0 : cases[i].largest / 8;
        snprintf(spec, sizeof spec, "%s,scale=pow2", cases[i].format);
        stoic_store *store = rig(spec, weights, 3);
        float c = scale_of(store, 0);
        stoic_format format = stoic_layout_of(store, 0)->format;
        stoic_grid plain = {1.0f, 1.0, 0.0};
        stoic_fit fit;
        format.hold = format.saturate = false;
        double once = (double)c * (double)weights[1];
        double rounded =
            stoic_format_value(&format, &plain, stoic_format_code(&format, &plain, once, &fit));
        double twice =
            stoic_format_value(&format, &plain, stoic_format_code(&format, &plain, 2 * once, &fit));
        bool fits_twice = fit == STOIC_FIT_ROUNDED && fabs(twice) < 2;
        assert_true(frexpf(c, &(int){0}) == 0.5f);
        assert_true(fabs(rounded) < 2);
        assert_true(!fits_twice || c == ldexpf(1, 126));
        if (cases[i].scale > 0)
            assert_true(c == cases[i].scale);
        rig_decode(store, back);
        if (!strcmp(cases[i].format, "fp32")) /* exact */
            assert_memory_equal(back, weights, sizeof back);
        assert_int_equal(rig_facts(store).clamped, 0);
        stoic_store_free(store);
    }
}

static void zeros_and_constants_stay(void **state) {
    (void)state;
    static const char *const specs[] = {
        "fp16,scale=max:1.9999", "fp32,scale=pow2",    "affine:3", "int8",
        "bf16,scale=const:3",    "q2.5,scale=max:1.97"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        float zeros[5] = {0}, sixes[5] = {6, 6, 6, 6, 6}, back[5];
        stoic_store *store = rig(specs[i], zeros, 5);
        rig_decode(store, back);
        for (int k = 0; k < 5; k++)
            assert_true(back[k] == 0);
        stoic_store_free(store);
        store = rig(specs[i], sixes, 5);
        rig_decode(store, back);
        for (int k = 0; k < 5 && i != 4; k++)
            assert_true(fabsf(back[k] - 6) < (i == 5 ? 0.05f : 0.004f));
        stoic_store_free(store);
    }
    const float tiny[2] = {1e-45f, -1e-45f}; /* c would be infinite */
    stoic_store *store = rig("fp32,scale=max:1.9999", tiny, 2);
    assert_true(scale_of(store, 0) == 1.0f);
    stoic_store_free(store);
}

/* ---- outliers ---- */

static const float wild[8] = {0.5f, -2.0f, 1.99999f, 7.25f, -0.3f, -1e30f, 1.5f, 0.1f};

static void clamped_outliers_are_counted(void **state) {
    (void)state;
    float back[8];
    stoic_store *store = rig("fp16,outliers=clamp", wild, 8);
    rig_decode(store, back);
    assert_true(back[1] == -1.9990234375f && back[2] == 1.9990234375f && back[3] == 1.9990234375f);
    assert_true(back[5] == -1.9990234375f && back[0] == 0.5f && back[6] == 1.5f);
    assert_int_equal(rig_facts(store).clamped, 4);
    assert_int_equal(rig_facts(store).outside, 0);
    stoic_store_free(store);
    store = rig("q2.5,outliers=clamp", wild, 8);
    rig_decode(store, back);
    assert_true(back[1] == -2.0f && back[2] == 1.984375f && back[3] == 1.984375f);
    assert_true(back[5] == -2.0f);
    assert_int_equal(rig_facts(store).outside, 3);
    stoic_store_free(store);
    store = rig("q2.5", wild, 8); /* and wrapped around where they are kept */
    rig_decode(store, back);
    assert_true(back[2] == -2.0f && back[3] == 7.25f - 8.0f);
    assert_int_equal(rig_facts(store).outside, 3);
    stoic_store_free(store);
    store = rig("fp16", wild, 8);
    rig_decode(store, back);
    assert_true(isinf(back[5]) && back[3] == 7.25f);
    assert_int_equal(rig_facts(store).outside, 1);
    stoic_store_free(store);
}

/* Every bit of every word, and every verdict: a weight kept aside never changes. */
static void check_sparse(const char *spec, const float *weights, int n, unsigned aside) {
    float back[64];
    stoic_store *store = rig(spec, weights, n);
    const stoic_store_entry *e = stoic_store_entry_at(store, 0);
    int64_t others = 0;
    rig_decode(store, back);
    for (int i = 0; i < n; i++)
        assert_true(!(aside >> i & 1) || !memcmp(&back[i], &weights[i], sizeof *back));
    assert_int_equal(rig_facts(store).sparse, __builtin_popcount(aside));
    assert_int_equal(stoic_store_side_bits(store), __builtin_popcount(aside) * (32 + 3));
    for (int64_t word = 0; word < e->words; word++) {
        for (int a = 0; a < e->word_bits; a++) {
            for (int b = 0; b < e->word_bits; b++) {
                stoic_hit hits[2] = {{0, a, word, STOIC_FLIP, 0}, {0, b, word, STOIC_SET_1, 0}};
                stoic_edit edits[STOIC_WORD_WEIGHTS];
                size_t found = STOIC_WORD_WEIGHTS;
                stoic_place place[2];
                stoic_store_place(store, 0, word, a, &place[0]);
                stoic_store_place(store, 0, word, b, &place[1]);
                if (place[0].index >= n || place[1].index >= n)
                    continue;
                assert_int_equal(stoic_store_apply(store, hits, 2, edits, &found, NULL, NULL),
                                 STOIC_OK);
                for (size_t k = 0; k < found; k++)
                    assert_false(aside >> edits[k].index & 1);
                others += (int64_t)found;
            }
        }
    }
    assert_true(others > 0); /* the partner: the other weights do change */
    stoic_store_free(store);
}

static void sparse_outliers_come_back_and_are_never_hit(void **state) {
    (void)state;
    const unsigned floats = 1 << 1 | 1 << 3 | 1 << 5, fixed = 1 << 2 | 1 << 3 | 1 << 5;
    check_sparse("fp32,outliers=sparse", wild, 8, floats);
    check_sparse("fp16,outliers=sparse", wild, 8, floats);
    check_sparse("fp16,outliers=sparse,code=secded72", wild, 8, floats);
    check_sparse("fp16,outliers=sparse,code=secded72,due=zero", wild, 8, floats);
    check_sparse("fp16,outliers=sparse,code=rep:3", wild, 8, floats);
    check_sparse("q2.5,outliers=sparse", wild, 8, fixed);
    float odd[8];
    memcpy(odd, wild, sizeof odd);
    odd[0] = NAN; /* not below 2: kept aside as well */
    odd[1] = INFINITY;
    check_sparse("fp16,outliers=sparse", odd, 8, floats | 1);
    check_sparse("fp16,outliers=sparse,code=secded39,due=zero", odd, 8, floats | 1);
}

static void a_scale_counts_before_outliers(void **state) {
    (void)state;
    const float weights[4] = {0.5f, 0.99f, 1.01f, -3.0f};
    float back[4];
    stoic_store *store = rig("fp16,scale=const:2,outliers=sparse", weights, 4);
    rig_decode(store, back);
    assert_int_equal(rig_facts(store).sparse, 2);
    assert_int_equal(stoic_store_side_bits(store), 2 * (32 + 2) + 32);
    assert_memory_equal(&back[2], &weights[2], 2 * sizeof *back);
    assert_true(back[0] == 0.5f);
    stoic_store_free(store);
}

/* ---- granularity ---- */

static void check_channels(const stoic_op *op, const stoic_shape *shape, bool transposed,
                           int axis) {
    float weights[120], back[120], low[8], high[8];
    int64_t n = 1, inner = 1, inputs = transposed ? shape->dim[1] : shape->dim[0];
    for (int i = 0; i < shape->rank; i++)
        n *= shape->dim[i];
    for (int i = axis + 1; i < shape->rank; i++)
        inner *= shape->dim[i];
    int64_t channels = shape->dim[axis];
    rig_fill(weights, n, 6);
    for (int64_t i = 0; i < n; i++) /* channels of very different ranges */
        weights[i] *= (float)(1 << i / inner % channels * 3);
    for (int64_t c = 0; c < channels; c++) {
        low[c] = INFINITY;
        high[c] = -INFINITY;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t c = i / inner % channels;
        low[c] = fminf(low[c], weights[i]);
        high[c] = fmaxf(high[c], weights[i]);
    }
    stoic_model *model = rig_layer(op, shape, inputs, transposed, weights);
    stoic_store *store = rig_store(model, "affine:8,granularity=channel");
    stoic_store *whole = rig_store(model, "affine:8");
    rig_decode(store, back);
    assert_int_equal(stoic_store_side_bits(store), 128 * channels);
    assert_int_equal(stoic_store_side_bits(whole), 128);
    for (int64_t i = 0; i < n; i++) {
        int64_t c = i / inner % channels;
        float step = (high[c] - low[c]) / 255;
        assert_true(fabsf(back[i] - weights[i]) <= 0.501f * step);
    }
    /* the partner: one grid for the tensor is too coarse for the small channels */
    int worse = 0;
    rig_decode(whole, back);
    for (int64_t i = 0; i < n; i++) {
        int64_t c = i / inner % channels;
        worse += fabsf(back[i] - weights[i]) > 0.501f * (high[c] - low[c]) / 255;
    }
    assert_true(worse > n / 8);
    stoic_store_free(store);
    stoic_store_free(whole);
    store = rig_store(model, "fp16,scale=max:1.9999,granularity=channel");
    for (int64_t i = 0; i < n; i++) {
        int64_t c = i / inner % channels;
        double largest = fmax(fabs((double)low[c]), fabs((double)high[c]));
        assert_true(scale_of(store, i) == (float)(1.9999 / largest));
    }
    assert_int_equal(stoic_store_side_bits(store), 32 * channels);
    stoic_store_free(store);
    stoic_model_free(model);
}

static void channels_are_those_of_the_output(void **state) {
    (void)state;
    const stoic_shape conv = {4, {5, 2, 3, 3}}, matrix = {2, {6, 4}};
    check_channels(&stoic_op_conv, &conv, false, 0);
    check_channels(&stoic_op_gemm, &matrix, false, 1);
    check_channels(&stoic_op_gemm, &matrix, true, 0);
    check_channels(&stoic_op_mat_mul, &matrix, false, 1);
}

/* ---- what a format cannot hold ---- */

static void weights_that_are_no_numbers_are_refused(void **state) {
    (void)state;
    static const char *const specs[] = {"affine:4",          "int8",
                                        "fixed:8:6",         "q2.5",
                                        "fp32,scale=pow2",   "fp16,scale=max:1.9999",
                                        "bf16,scale=const:2"};
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        for (int k = 0; k < 3; k++) {
            const float weights[3] = {1, odd[k], 2};
            stoic_model *model = rig_model(weights, 3);
            stoic_store *store = NULL;
            stoic_error err = {0};
            assert_int_equal(stoic_store_create(model, specs[i], &store, &err), STOIC_ERR_NUMERIC);
            assert_non_null(strstr(err.message, "weight 1 of 'w' is "));
            assert_non_null(strstr(err.message, strstr(specs[i], "scale")
                                                    ? "a scale has no meaning with it"
                                                    : "the format cannot hold it"));
            assert_string_equal(err.place, "w");
            assert_null(store);
            stoic_model_free(model);
        }
    }
    static const char *const holding[] = {"fp32", "fp16", "bf16", "fp64,code=tmr"};
    for (size_t i = 0; i < 4; i++) {
        float back[3];
        stoic_store *store = rig(holding[i], odd, 3);
        rig_decode(store, back);
        assert_true(isnan(back[0]) && back[1] == INFINITY && back[2] == -INFINITY);
        assert_int_equal(rig_facts(store).outside, 0);
        stoic_store_free(store);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_scale_c_is_one),
        cmocka_unit_test(a_scale_is_undone),
        cmocka_unit_test(the_largest_weight_stays_below_two),
        cmocka_unit_test(a_power_of_two_is_the_largest),
        cmocka_unit_test(zeros_and_constants_stay),
        cmocka_unit_test(clamped_outliers_are_counted),
        cmocka_unit_test(sparse_outliers_come_back_and_are_never_hit),
        cmocka_unit_test(a_scale_counts_before_outliers),
        cmocka_unit_test(channels_are_those_of_the_output),
        cmocka_unit_test(weights_that_are_no_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
