/*
 * The vectorised loops from weights to codes and back against format.c, where they could differ:
 * every code of 16 bits, patterns of 32, products next to the middle of two codes, NaN with
 * payload, what lies just below 2 and just below infinity.
 */
#include "store_rig.h"

#include <math.h>

#include "base/rng.h"
#include "store/bulk.h"

enum { N = 1024 };
static const char *const names[] = {"fp16", "bf16", "fp32"};
static const float scales[] = {1.0f,  0.5f,   3.0f,   1.9999f / 0.371f, 1e-3f,
                               1e30f, 1e-30f, 1e-42f, 0x1p-126f,        0x1.fffffep127f};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static stoic_value_rule rule_for(const stoic_format *format, float scale) {
    return (stoic_value_rule){.kind = format->kind,
                              .bits = format->bits,
                              .is_signed = true,
                              .hold = format->hold,
                              .step = 1,
                              .scale = (double)scale};
}

static uint32_t pattern(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void decode_the_same(const stoic_store_kernels *set, const stoic_format *format, float scale,
                            const uint32_t *codes) {
    const stoic_value_rule rule = rule_for(format, scale);
    const stoic_grid grid = {scale, 1.0, 0.0};
    float got[N], wanted;
    set->decode(&rule, codes, N, got);
    for (int i = 0; i < N; i++) {
        stoic_format_decode(format, &grid, codes[i], &wanted);
        if (pattern(got[i]) != pattern(wanted))
            fail_msg("%s, scale %g: code %08x is %08x, by the reference %08x", format->name,
                     (double)scale, codes[i], pattern(got[i]), pattern(wanted));
    }
}

static void every_code_decodes_as_by_the_reference(void **state) {
    (void)state;
    const stoic_store_kernels *sets[3];
    stoic_rng rng;
    uint32_t codes[N];
    stoic_rng_init(&rng, 3, 1, STOIC_STREAM_VALUE);
    int levels = stoic_store_kernels_all(sets);
    for (size_t f = 0; f < COUNT(names); f++) {
        stoic_format format;
        assert_int_equal(stoic_format_parse(names[f], &format, NULL), STOIC_OK);
        for (uint32_t first = 0; first < 65536; first += N) {
            for (uint32_t i = 0; i < N; i++)
                codes[i] = format.bits == 16 ? first + i
                                             : (uint32_t)stoic_rng_below(&rng, UINT64_C(1) << 32);
            for (size_t s = 0; s < COUNT(scales) * (size_t)levels; s++)
                decode_the_same(sets[s % (size_t)levels], &format, scales[s / (size_t)levels],
                                codes);
        }
    }
}

/* A weight whose product with `scale` lies next to the middle of two codes, or to 2, or is just
 * any. */
static float draw(stoic_rng *rng, const stoic_format *format, float scale) {
    const stoic_grid grid = {1.0f, 1.0, 0.0};
    const uint32_t magnitudes = (uint32_t)((UINT64_C(1) << (format->bits - 1)) - 1);
    uint32_t kind = (uint32_t)stoic_rng_below(rng, 4),
             any = (uint32_t)stoic_rng_below(rng, UINT64_C(1) << 32);
    float weight;
    if (kind == 0) {
        memcpy(&weight, &any, sizeof weight);
        return weight;
    }
    uint64_t code = any & magnitudes;
    if (kind == 1) /* near 2, near infinity, small ones */
        code = any >> 8 & 1 ? stoic_format_encode(format, &grid, &(float){2.0f}, &(stoic_fit){0})
               : any >> 9 & 1
                   ? stoic_format_encode(format, &grid, &(float){(float)INFINITY}, &(stoic_fit){0})
                   : any >> 10 & 7;
    double a = stoic_format_value(format, &grid, code ? code - 1 : 0);
    double b = stoic_format_value(format, &grid, code);
    weight = (float)((isfinite(b) ? (a + b) / 2 : a) / (double)scale);
    for (uint64_t steps = stoic_rng_below(rng, 3); steps > 0; steps--)
        weight = nextafterf(weight, any & 2048 ? INFINITY : 0.0f);
    return any & 4096 ? -weight : weight;
}

static void encode_the_same(const stoic_store_kernels *set, const stoic_format *format, float scale,
                            const float *weights, int *clamped) {
    const stoic_value_rule rule = rule_for(format, scale);
    const stoic_grid grid = {scale, 1.0, 0.0};
    uint32_t got[N];
    stoic_bulk_fit fit = {0};
    int held = 0, outside = 0;
    set->encode(&rule, weights, N, got, &fit);
    for (int i = 0; i < N; i++) {
        stoic_fit told;
        uint64_t wanted = stoic_format_encode(format, &grid, &weights[i], &told);
        held += told == STOIC_FIT_CLAMPED;
        outside += told == STOIC_FIT_OUTSIDE;
        if (got[i] != wanted)
            fail_msg("%s, scale %g: %a (%08x) is %08x, by the reference %08x", format->name,
                     (double)scale, (double)weights[i], pattern(weights[i]), got[i],
                     (uint32_t)wanted);
    }
    assert_int_equal(fit.held, held);
    assert_int_equal(fit.outside, outside);
    clamped[0] += held;
    clamped[1] += outside;
}

static void every_weight_encodes_as_by_the_reference(void **state) {
    (void)state;
    const stoic_store_kernels *sets[3];
    stoic_rng rng;
    float weights[N];
    stoic_rng_init(&rng, 4, 1, STOIC_STREAM_VALUE);
    int levels = stoic_store_kernels_all(sets);
    for (size_t f = 0; f < 2 * COUNT(names); f++) {
        stoic_format format;
        int counted[2] = {0};
        assert_int_equal(stoic_format_parse(names[f / 2], &format, NULL), STOIC_OK);
        format.hold = f % 2;
        for (size_t s = 0; s < COUNT(scales); s++) {
            for (int round = 0; round < 40; round++) {
                for (int i = 0; i < N; i++) {
                    weights[i] = draw(&rng, &format, scales[s]);
                    if (round % 2 && fabs((double)weights[i] * (double)scales[s]) < 0x1p-99)
                        weights[i] = 0; /* products that lose something take another way */
                }
                for (int set = 0; set < levels; set++)
                    encode_the_same(sets[set], &format, scales[s], weights, counted);
            }
        }
        assert_true(counted[0] > 100 || !format.hold); /* the draw does reach these */
        assert_true(counted[1] > 100);
    }
}

static void the_range_is_that_of_the_numbers(void **state) {
    (void)state;
    static const float added[] = {0.0f, (float)NAN, -(float)NAN, (float)INFINITY, -(float)INFINITY};
    const stoic_store_kernels *sets[3];
    float weights[133];
    stoic_rng rng;
    stoic_rng_init(&rng, 6, 1, STOIC_STREAM_VALUE);
    for (int round = 0; round < 2000; round++) {
        const int n = 1 + (int)stoic_rng_below(&rng, COUNT(weights));
        const double shift = stoic_rng_unit(&rng) * 4 - 2; /* also of one sign */
        float low = 0.25f, high = -0.5f;
        for (int i = 0; i < n; i++)
            weights[i] = (float)(stoic_rng_unit(&rng) * 2 - 1 + shift);
        weights[stoic_rng_below(&rng, (uint64_t)n)] = added[round % (int)COUNT(added)];
        for (int i = 0; i < n; i++) {
            low = weights[i] < low ? weights[i] : low;
            high = weights[i] > high ? weights[i] : high;
        }
        for (int set = 0; set < stoic_store_kernels_all(sets); set++) {
            stoic_range got = {0.25f, -0.5f, true};
            sets[set]->range(weights, n, &got);
            assert_true(got.low == low && got.high == high);
            assert_int_equal(got.finite, round % (int)COUNT(added) == 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_code_decodes_as_by_the_reference),
                                       cmocka_unit_test(the_range_is_that_of_the_numbers),
                                       cmocka_unit_test(every_weight_encodes_as_by_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
