/*
 * Number formats, held against arithmetic of the test's own: floating point against a search among
 * all codes (and the compiler's _Float16), fixed point and integers against integers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/format.h"
#include "runtime/minifloat.h"

typedef struct shape {
    int exponent, mantissa;
} shape;
static const shape fp16 = {5, 10}, bf16 = {8, 7}, fp32 = {8, 23}, fp64 = {11, 52};

#if defined(__FLT16_MAX__)
__extension__ typedef _Float16 compilers_half;
#endif

/* What a code without sign stands for; the code of infinity stands for the next power of two. */
static double plain_value(shape s, uint64_t code) {
    int bias = (1 << (s.exponent - 1)) - 1, e = (int)(code >> s.mantissa);
    double m = (double)(code & (((uint64_t)1 << s.mantissa) - 1));
    return e ? ldexp(m + ldexp(1.0, s.mantissa), e - bias - s.mantissa)
             : ldexp(m, 1 - bias - s.mantissa);
}

/* The nearer of the two neighbours, an even code where both are as near. */
static uint64_t plain_round(shape s, double value) {
    uint64_t low = 0, high = (((uint64_t)1 << s.exponent) - 1) << s.mantissa;
    uint64_t sign = (uint64_t)(signbit(value) != 0) << (s.exponent + s.mantissa);
    double a = fabs(value);
    if (a >= plain_value(s, high))
        return sign | high;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        if (plain_value(s, middle) <= a)
            low = middle;
        else
            high = middle;
    }
    double below = a - plain_value(s, low), above = plain_value(s, high) - a;
    return sign | (below < above ? low : below > above ? high : low & 1 ? high : low);
}

/* The corrupted partner: rounds towards zero. */
static uint64_t truncated(shape s, double value) {
    uint64_t code = plain_round(s, value);
    uint64_t sign = (uint64_t)1 << (s.exponent + s.mantissa);
    return plain_value(s, code & (sign - 1)) > fabs(value) ? code - 1 : code;
}

static uint64_t our_round(shape s, double value) {
    return stoic_minifloat_round(value, s.exponent, s.mantissa);
}

static void every_code_comes_back(void **state) {
    (void)state;
    static const shape shapes[] = {{5, 10}, {8, 7}};
    for (int k = 0; k < 2; k++) {
        const shape s = shapes[k];
        const uint64_t infinite = (((uint64_t)1 << s.exponent) - 1) << s.mantissa;
        for (uint64_t code = 0; code < 65536; code++) {
            uint64_t magnitude = code & 0x7fff;
            double value = stoic_minifloat_value(code, s.exponent, s.mantissa);
            float single = (float)value; /* exact */
            assert_int_equal(signbit(value) != 0, code >> 15);
            if (magnitude > infinite) {
                assert_true(isnan(value));
                /* a NaN keeps its payload and becomes quiet */
                assert_int_equal(our_round(s, value), code | 1u << (s.mantissa - 1));
                continue;
            }
            if (magnitude == infinite)
                assert_true(isinf(value));
            else
                assert_true(fabs(value) == plain_value(s, magnitude));
            assert_int_equal(our_round(s, value), code);
            assert_int_equal(our_round(s, (double)single), code);
        }
    }
}

static void check_rounding(shape s, double value, int64_t *towards_zero) {
    uint64_t code = our_round(s, value);
    if (code != plain_round(s, value))
        fail_msg("%.17g becomes %llx in %d+%d bits, not %llx", value, (unsigned long long)code,
                 s.exponent, s.mantissa, (unsigned long long)plain_round(s, value));
#if defined(__FLT16_MAX__)
    if (s.mantissa == 10) {
        compilers_half narrow = (compilers_half)value;
        uint16_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        assert_int_equal(code, bits);
    }
#endif
    if (s.mantissa == 7 && (double)(float)value == value && isfinite((float)value)) {
        float single = (float)value;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        assert_int_equal(code, (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
    *towards_zero += code != truncated(s, value);
}

/* The midpoints between all neighbours, and the doubles and floats beside them. */
static void midpoints_go_to_the_even_code(void **state) {
    (void)state;
    static const shape shapes[] = {{5, 10}, {8, 7}};
    for (int k = 0; k < 2; k++) {
        const shape s = shapes[k];
        const uint64_t infinite = (((uint64_t)1 << s.exponent) - 1) << s.mantissa;
        int64_t differs = 0;
        for (uint64_t code = 0; code < infinite; code++) {
            double middle = plain_value(s, code) / 2 + plain_value(s, code + 1) / 2;
            const double near[] = {middle, nextafter(middle, 0), nextafter(middle, INFINITY),
                                   (double)nextafterf((float)middle, 0),
                                   (double)nextafterf((float)middle, INFINITY)};
            for (int i = 0; i < 5; i++) {
                check_rounding(s, near[i], &differs);
                check_rounding(s, -near[i], &differs);
            }
            assert_int_equal(our_round(s, middle), code + (code & 1));
        }
        /* half of the ties and all above the middle would show rounding towards zero */
        assert_true(differs > (int64_t)infinite);
    }
}

static void any_double_is_rounded_once(void **state) {
    (void)state;
    static const shape shapes[] = {{5, 10}, {8, 7}, {8, 23}};
    uint64_t random = 1;
    for (int k = 0; k < 3; k++) {
        int64_t differs = 0;
        for (int i = 0; i < 200000; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            int e = (int)(random >> 20) % (k ? 300 : 50);
            double value = ldexp((double)(int64_t)random, -63 + (e - (k ? 160 : 32)));
            check_rounding(shapes[k], value, &differs);
        }
        assert_true(differs > 20000);
    }
    /* by way of float it would be rounded twice: a tie that is none */
    double above = ldexp(2049.0 + ldexp(1.0, -30), -10);
    assert_int_equal(our_round(fp16, above), 0x4001);
    assert_int_equal(our_round(fp16, (double)(float)above), 0x4000);
}

static void the_ends_of_the_formats(void **state) {
    (void)state;
    assert_int_equal(our_round(fp16, 65504.0), 0x7bff);
    assert_int_equal(our_round(fp16, 65519.999), 0x7bff);
    assert_int_equal(our_round(fp16, 65520.0), 0x7c00);
    assert_int_equal(our_round(fp16, -1e300), 0xfc00);
    assert_int_equal(our_round(fp16, -INFINITY), 0xfc00);
    assert_int_equal(our_round(fp16, ldexp(1.0, -24)), 1);
    assert_int_equal(our_round(fp16, ldexp(1.0, -25)), 0);
    assert_int_equal(our_round(fp16, nextafter(ldexp(1.0, -25), 1)), 1);
    assert_int_equal(our_round(fp16, -1e-320), 0x8000); /* a subnormal double */
    assert_int_equal(our_round(fp16, -0.0), 0x8000);
    assert_int_equal(our_round(bf16, 0.0), 0);
    assert_int_equal(our_round(bf16, (double)3.4028235e38f), 0x7f80);
    assert_int_equal(our_round(fp32, ldexp(1.0, -149)), 1);
    assert_int_equal(our_round(fp32, 2.0 - ldexp(1.0, -24)), 0x40000000);
    assert_true((our_round(fp16, (double)NAN) & 0x7e00) == 0x7e00);
    static const uint64_t doubles[] = {0,
                                       1,
                                       0x3ff0000000000001,
                                       0x7ff0000000000000,
                                       0xfff8000000000123,
                                       0x8000000000000000,
                                       0x7fefffffffffffff};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
        double value = stoic_minifloat_value(doubles[i], fp64.exponent, fp64.mantissa);
        assert_memory_equal(&value, &doubles[i], sizeof value);
        assert_int_equal(our_round(fp64, value), doubles[i]);
    }
}

/* ---- formats ---- */

static stoic_format parse(const char *text) {
    stoic_format format;
    stoic_error err = {0};
    if (stoic_format_parse(text, &format, &err) != STOIC_OK)
        fail_msg("%s: %s", text, err.message);
    return format;
}

static void a_flipped_top_bit_of_fp64_is_infinite(void **state) {
    (void)state;
    const stoic_format format = parse("fp64");
    const stoic_grid grid = {1.0f, 1.0, 0.0};
    const float weights[] = {0.5f, -0.75f, 1e-40f, 3e38f, 0.0f};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        stoic_fit fit;
        float back;
        double wide = (double)weights[i];
        uint64_t code = stoic_format_encode(&format, &grid, &weights[i], &fit);
        assert_memory_equal(&code, &wide, sizeof code);
        stoic_format_decode(&format, &grid, code, &back);
        assert_memory_equal(&back, &weights[i], sizeof back);
        stoic_format_decode(&format, &grid, code ^ (uint64_t)1 << 62, &back);
        assert_true(weights[i] == 0 ? back == 2.0f : i == 3 ? fabsf(back) < 1e-30f : isinf(back));
    }
}

/* Half to even, in integers: the value is `halves` / 2 steps. */
static int64_t half_to_even(int64_t halves) {
    int64_t down = halves >= 0 ? halves / 2 : -((-halves + 1) / 2);
    return halves % 2 == 0 ? halves / 2 : down + (down & 1);
}

static void fixed_point_is_integers(void **state) {
    (void)state;
    static const char *const texts[] = {"fixed:8:6",  "q2.5",       "fixed:4:2",  "fixed:2:0",
                                        "fixed:6:10", "fixed:12:0", "fixed:16:15"};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        stoic_format format = parse(texts[k]);
        const stoic_grid grid = {1.0f, 1.0, 0.0};
        const int64_t end = (int64_t)1 << (format.bits - 1), mask = 2 * end - 1;
        int64_t away = 0;
        for (int64_t halves = -6 * end; halves <= 6 * end; halves++) {
            float value = ldexpf((float)halves, -format.fraction - 1), back;
            int64_t whole = half_to_even(halves);
            bool fits = whole >= -end && whole < end;
            stoic_fit fit;
            format.saturate = false;
            uint64_t code = stoic_format_encode(&format, &grid, &value, &fit);
            assert_int_equal(code, whole & mask);
            assert_int_equal(fit, fits ? STOIC_FIT_ROUNDED : STOIC_FIT_OUTSIDE);
            stoic_format_decode(&format, &grid, code, &back);
            int64_t wrapped = ((whole + end) & mask) - end;
            assert_true(back == ldexpf((float)wrapped, -format.fraction));
            away += fits && code != (uint64_t)((int64_t)floor((double)halves / 2 + 0.5) & mask);
            format.saturate = true;
            code = stoic_format_encode(&format, &grid, &value, &fit);
            int64_t held = whole < -end ? -end : whole >= end ? end - 1 : whole;
            assert_int_equal(code, held & mask);
            assert_int_equal(fit, fits ? STOIC_FIT_ROUNDED : STOIC_FIT_OUTSIDE);
        }
        assert_true(away >= end / 2); /* half up, the partner, is told apart */
        for (int64_t code = 0; code <= mask; code++) {
            stoic_fit fit;
            float value;
            stoic_format_decode(&format, &grid, (uint64_t)code, &value);
            assert_int_equal(stoic_format_encode(&format, &grid, &value, &fit), code);
            assert_int_equal(fit, STOIC_FIT_ROUNDED);
        }
    }
    assert_string_equal(parse("q2.5").name, "fixed:8:6");
    assert_true(
        stoic_format_limit(&(stoic_format){.kind = STOIC_FORMAT_FIXED, .bits = 8, .fraction = 6},
                           false) == 1.984375);
}

static void any_value_has_a_fixed_code(void **state) {
    (void)state;
    static const float values[] = {INFINITY, -INFINITY, NAN, 3.4e38f, -3.4e38f, 1e20f};
    static const char *const texts[] = {"fixed:8:6", "fixed:32:30", "fixed:32:0", "affine:4",
                                        "int8"};
    for (size_t k = 0; k < 5; k++) {
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            stoic_format format = parse(texts[k]);
            stoic_grid grid;
            stoic_fit fit;
            stoic_grid_fit(&format, -1, 1, &grid);
            for (int saturate = 0; saturate < 2; saturate++) {
                format.saturate = saturate;
                uint64_t code = stoic_format_encode(&format, &grid, &values[i], &fit);
                assert_int_equal(code >> format.bits, 0);
                if (k < 3)
                    assert_int_equal(fit, STOIC_FIT_OUTSIDE);
                if (saturate && k < 3 && !isnan(values[i]))
                    assert_int_equal(code, ((uint64_t)1 << (format.bits - 1)) - (values[i] > 0));
            }
        }
    }
}

/* The codes of a range: the ends are met, all codes come back, no weight moves more than half a
 * step (and some weights nearly so much: half the bound would not hold). */
static void check_ranged(const stoic_format *format, double low, double high) {
    stoic_grid grid;
    stoic_fit fit;
    float value;
    stoic_grid_fit(format, low, high, &grid);
    const bool affine = format->kind == STOIC_FORMAT_AFFINE;
    for (uint64_t code = 0; code < (uint64_t)1 << format->bits; code++) {
        double whole = affine ? (double)code : (double)(int8_t)code;
        stoic_format_decode(format, &grid, code, &value);
        assert_true(value == (float)((whole - grid.zero) * grid.step));
        if (affine || code != 0x80) /* -128 is never stored */
            assert_int_equal(stoic_format_encode(format, &grid, &value, &fit), code);
    }
    double largest = 0;
    for (int i = 0; i <= 1000; i++) {
        float w = (float)(low + (high - low) * i / 1000), back;
        stoic_format_decode(format, &grid, stoic_format_encode(format, &grid, &w, &fit), &back);
        largest = fmax(largest, fabs((double)back - (double)w));
        assert_int_equal(fit, STOIC_FIT_ROUNDED);
    }
    double slack = fmax(fabs(low), fabs(high)) * 1e-6;
    assert_true(largest <= grid.step / 2 + slack);
    assert_true(high == low || largest > grid.step / 4 + slack);
}

static void ranged_codes_come_back(void **state) {
    (void)state;
    static const double ranges[][2] = {{-1, 1}, {-0.31, 0.77}, {0.25, 3}, {-5, -4}, {-2e-3, 0}};
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
        for (int bits = 2; bits <= 8; bits++) {
            char text[16] = "affine:2";
            text[7] = (char)('0' + bits);
            const stoic_format format = parse(text);
            assert_int_equal(format.bits, bits);
            check_ranged(&format, ranges[r][0], ranges[r][1]);
            stoic_grid grid;
            stoic_grid_fit(&format, ranges[r][0], ranges[r][1], &grid);
            assert_true(grid.step == (ranges[r][1] - ranges[r][0]) / ((1 << bits) - 1));
            assert_true(grid.zero == -ranges[r][0] / grid.step);
        }
        const stoic_format format = parse("int8");
        check_ranged(&format, ranges[r][0], ranges[r][1]);
    }
}

static void constant_tensors_are_exact(void **state) {
    (void)state;
    static const float constants[] = {0.0f, 0.7f, -3.25f, 1e-42f, -1e30f};
    static const char *const texts[] = {"affine:2", "affine:8", "int8"};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        for (size_t k = 0; k < 3; k++) {
            const stoic_format format = parse(texts[k]);
            stoic_grid grid;
            stoic_fit fit;
            float back;
            stoic_grid_fit(&format, (double)constants[i], (double)constants[i], &grid);
            uint64_t code = stoic_format_encode(&format, &grid, &constants[i], &fit);
            stoic_format_decode(&format, &grid, code, &back);
            assert_true(back == constants[i]);
            assert_int_equal(code, k < 2 || constants[i] == 0 ? 0 : constants[i] > 0 ? 127 : 129);
        }
    }
}

static void formats_that_mean_nothing_are_refused(void **state) {
    (void)state;
    static const char *const bad[][2] = {{"affine:1", "from 2 to 8"},
                                         {"affine:9", "from 2 to 8"},
                                         {"affine", "needs its argument, 'affine:M'"},
                                         {"affine:", "affine:M"},
                                         {"affine:x", "affine:M"},
                                         {"fixed", "needs its argument, 'fixed:W:F'"},
                                         {"fixed:8", "expected fixed:W:F"},
                                         {"fixed:1:0", "from 2 to 32"},
                                         {"fixed:33:0", "from 2 to 32"},
                                         {"fixed:8:31", "from 0 to 30"},
                                         {"fixed:8:-1", "from 0 to 30"},
                                         {"fixed:8:6:1", "fixed:W:F"},
                                         {"fixed:00000000000000000008:6", "expected fixed:W:F"},
                                         {"int8:4", "takes no argument"},
                                         {"fp16:1", "takes no argument"},
                                         {"pf16", "did you mean 'fp16'"},
                                         {"int9", "did you mean 'int8'"},
                                         {":8", "unknown format"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stoic_format format;
        stoic_error err = {0};
        if (stoic_format_parse(bad[i][0], &format, &err) != STOIC_ERR_ARGUMENT ||
            !strstr(err.message, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], err.message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_comes_back),
        cmocka_unit_test(midpoints_go_to_the_even_code),
        cmocka_unit_test(any_double_is_rounded_once),
        cmocka_unit_test(the_ends_of_the_formats),
        cmocka_unit_test(a_flipped_top_bit_of_fp64_is_infinite),
        cmocka_unit_test(fixed_point_is_integers),
        cmocka_unit_test(any_value_has_a_fixed_code),
        cmocka_unit_test(ranged_codes_come_back),
        cmocka_unit_test(constant_tensors_are_exact),
        cmocka_unit_test(formats_that_mean_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
