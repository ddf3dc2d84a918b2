/* What augmentation means: its spelling, what is drawn, what is done to the pixels. */
#include <math.h>

#include "data_kit.h"

#include "data/augment.h"

static void reads_as(const char *text, const char *canonical) {
    stoic_error err = {0};
    stoic_augment augment, again;
    char spelt[STOIC_AUGMENT_TEXT];
    if (stoic_augment_parse(text, &augment, &err) != STOIC_OK)
        fail_msg("%s: %s", text, err.message);
    assert_int_equal(stoic_augment_text(&augment, spelt, &err), STOIC_OK);
    assert_string_equal(spelt, canonical);
    assert_int_equal(stoic_augment_parse(spelt, &again, &err), STOIC_OK);
    assert_true(again.crop == augment.crop && again.crop_pad == augment.crop_pad);
    assert_true(again.flip == augment.flip && again.resized == augment.resized);
    assert_true(again.scale_low == augment.scale_low && again.scale_high == augment.scale_high);
    assert_true(again.ratio_low == augment.ratio_low && again.ratio_high == augment.ratio_high);
}

static void test_spelling(void **state) {
    (void)state;
    reads_as("none", "none");
    reads_as("crop", "crop");
    reads_as("flip,crop", "crop,flip");
    reads_as("crop:4+flip", "crop,flip");
    reads_as("crop:12", "crop:12");
    reads_as("flip", "flip");
    reads_as("flip+resizedcrop", "resizedcrop,flip");
    reads_as("resizedcrop:0.75:1:0.75:1.3333333333333333", "resizedcrop");
    reads_as("resizedcrop:8e-2:1.0:0.5:2", "resizedcrop:0.08:1:0.5:2");
    reads_as("resizedcrop:0.1234567890123456789:0.3333333333333333:1e-3:1k,flip",
             "resizedcrop:0.12345678901234568:0.3333333333333333:0.001:1000,flip");
    stoic_augment augment;
    assert_int_equal(stoic_augment_parse("crop,flip", &augment, NULL), STOIC_OK);
    assert_true(augment.crop && augment.crop_pad == 4 && augment.flip && !augment.resized);
    assert_int_equal(stoic_augment_parse("resizedcrop", &augment, NULL), STOIC_OK);
    assert_true(augment.resized && !augment.crop && !augment.flip);
    assert_true(augment.scale_low == 0.75 && augment.scale_high == 1.0);
    assert_true(augment.ratio_low == 3.0 / 4.0 && augment.ratio_high == 4.0 / 3.0);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"", "an empty word"},
        {"crop,", "an empty word"},
        {"crop,,flip", "an empty word"},
        {"+flip", "an empty word"},
        {"corp", "did you mean crop?"},
        {"flipp", "did you mean flip?"},
        {"randomresizedcrop", "did you mean resizedcrop?"},
        {"mixup", "'mixup' is no augmentation"},
        {"Flip", "did you mean flip?"},
        {"crop,resizedcrop", "exclude each other"},
        {"crop,crop:3", "'crop' is given twice"},
        {"flip+flip", "'flip' is given twice"},
        {"none,none", "'none' is given twice"},
        {"none,flip", "none stands alone"},
        {"none:1", "too few or too many"},
        {"flip:0.5", "too few or too many"},
        {"crop:", "from 1 to 32768, found ''"},
        {"crop:0", "from 1 to 32768, found '0'"},
        {"crop:-1", "found '-1'"},
        {"crop:1.5", "found '1.5'"},
        {"crop:99999", "found '99999'"},
        {"crop:4:4", "too few or too many"},
        {"resizedcrop:0.5", "too few or too many"},
        {"resizedcrop:0.5:1:1", "too few or too many"},
        {"resizedcrop:0.5:1:1:1:1", "too few or too many"},
        {"resizedcrop:1:2:3:4:5:6:7", "too few or too many"},
        {"resizedcrop:half:1:1:1", "found 'half'"},
        {"resizedcrop:0:1:1:1", "area from 0 to 1"},
        {"resizedcrop:0.5:0.4:1:1", "area from 0.5 to 0.4"},
        {"resizedcrop:0.5:1.1:1:1", "area from 0.5 to 1.1"},
        {"resizedcrop:nan:1:1:1", "found 'nan'"},
        {"resizedcrop:0.5:1:0:1", "height from 0 to 1"},
        {"resizedcrop:0.5:1:2:1", "height from 2 to 1"},
        {"resizedcrop:0.5:1:1:1e9", "height from 1 to 1e+09"},
    };
    stoic_error err;
    stoic_augment augment = {.crop_pad = 77};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        err = (stoic_error){0};
        stoic_status status = stoic_augment_parse(wrong[i][0], &augment, &err);
        if (status != STOIC_ERR_ARGUMENT || !strstr(err.message, wrong[i][1]))
            fail_msg("'%s' gave %s, '%s'", wrong[i][0], stoic_status_name(status), err.message);
    }
    assert_int_equal(augment.crop_pad, 77);
    char longest[2000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(stoic_augment_parse(longest, &augment, &err), STOIC_ERR_ARGUMENT);
    char text[STOIC_AUGMENT_TEXT] = "as it was";
    augment = (stoic_augment){.resized = true, .scale_low = NAN, .scale_high = 1};
    assert_int_equal(stoic_augment_text(&augment, text, &err), STOIC_ERR_ARGUMENT);
    assert_string_equal(text, "as it was");
}

enum { DRAWS = 20000, CELLS = 25 };

static double chi_square(const int *seen, int cells) {
    double expected = (double)DRAWS / cells, sum = 0;
    for (int i = 0; i < cells; i++)
        sum += (seen[i] - expected) * (seen[i] - expected) / expected;
    return sum;
}

/* Every offset of a padding of 2 equally often, mirrored or not. */
static void test_draws_of_crop_and_flip(void **state) {
    (void)state;
    const stoic_augment augment = {.crop = true, .crop_pad = 2, .flip = true};
    int seen[2 * CELLS] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        stoic_region region;
        stoic_shift shift;
        stoic_augment_draw(&augment, 3, i, 10, 20, &region, &shift);
        assert_true(region.top == 0 && region.left == 0);
        assert_true(region.height == 10 && region.width == 20);
        assert_true(abs(shift.down) <= 2 && abs(shift.right) <= 2);
        seen[((shift.down + 2) * 5 + shift.right + 2) * 2 + shift.flip]++;
    }
    const double limit = 95.0; /* 49 degrees of freedom: exceeded by chance once in 10^4 */
    assert_true(chi_square(seen, 2 * CELLS) < limit);
    seen[7] -= 150;
    seen[8] += 150;
    assert_true(chi_square(seen, 2 * CELLS) > limit);
    stoic_region region;
    stoic_shift shift;
    for (uint64_t i = 0; i < 100; i++) {
        stoic_augment_draw(&(stoic_augment){0}, 3, i, 10, 20, &region, &shift);
        assert_true(!shift.flip && shift.down == 0 && shift.right == 0);
    }
}

/* Sums over many regions of an image so large that rounding does not matter. */
typedef struct region_sums {
    double share, log_ratio, log_ratio_square, top, left;
    int fallbacks;
} region_sums;

static region_sums sum_regions(const stoic_augment *augment, int height, int width) {
    region_sums sums = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        stoic_region r;
        stoic_shift shift;
        stoic_augment_draw(augment, 4, i, height, width, &r, &shift);
        assert_true(r.height >= 1 && r.width >= 1 && r.top >= 0 && r.left >= 0);
        assert_true(r.top + r.height <= height && r.left + r.width <= width);
        assert_true(shift.down == 0 && shift.right == 0 && !shift.flip);
        double share = (double)r.height * r.width / height / width;
        double ratio = (double)r.width / r.height;
        assert_true(share > augment->scale_low - 1e-3 && share < augment->scale_high + 1e-3);
        assert_true(ratio > augment->ratio_low - 2e-3 && ratio < augment->ratio_high + 2e-3);
        sums.share += share / DRAWS;
        sums.log_ratio += log(ratio) / DRAWS;
        sums.log_ratio_square += log(ratio) * log(ratio) / DRAWS;
        if (height > r.height)
            sums.top += (double)r.top / (height - r.height) / DRAWS;
        if (width > r.width)
            sums.left += (double)r.left / (width - r.width) / DRAWS;
        sums.fallbacks += r.height == height || r.width == width;
    }
    return sums;
}

static void test_draws_of_regions(void **state) {
    (void)state;
    /* Small shares of a square always fit: shares are uniform, logarithms of ratios too. */
    stoic_augment augment = {.resized = true,
                             .scale_low = 0.1,
                             .scale_high = 0.5,
                             .ratio_low = 0.75,
                             .ratio_high = 4.0 / 3.0};
    region_sums sums = sum_regions(&augment, 5000, 5000);
    double log_high = log(4.0 / 3.0);
    assert_int_equal(sums.fallbacks, 0);
    const double noise = 4 / sqrt(12.0 * DRAWS); /* of the mean of uniform numbers, four times */
    assert_true(fabs(sums.share - 0.3) < 0.4 * noise);
    assert_true(fabs(sums.log_ratio) < 2 * log_high * noise);
    assert_true(fabs(sums.log_ratio_square - log_high * log_high / 3) <
                log_high * log_high * noise);
    assert_true(fabs(sums.top - 0.5) < noise && fabs(sums.left - 0.5) < noise);
    /* A ratio drawn uniformly instead would show: its mean logarithm is not 0. */
    double uniform = ((4.0 / 3.0) * (log_high - 1) - 0.75 * (-log_high - 1)) / (4.0 / 3.0 - 0.75);
    assert_true(fabs(uniform) > 2 * log_high * noise);
    /* Where not every draw fits, what is left keeps the bounds. */
    augment.scale_low = 0.75;
    augment.scale_high = 1.0;
    sum_regions(&augment, 3000, 3500);
}

static void falls_back(const char *text, int height, int width, stoic_region expected) {
    stoic_augment augment;
    assert_int_equal(stoic_augment_parse(text, &augment, NULL), STOIC_OK);
    for (uint64_t i = 0; i < 20; i++) {
        stoic_region r;
        stoic_shift shift;
        stoic_augment_draw(&augment, 5, i, height, width, &r, &shift);
        if (r.top != expected.top || r.left != expected.left || r.height != expected.height ||
            r.width != expected.width)
            fail_msg("%s of %dx%d gave %d %d %d %d", text, height, width, r.top, r.left, r.height,
                     r.width);
    }
}

/* Images too long for any region that is wanted. */
static void test_central_regions(void **state) {
    (void)state;
    falls_back("resizedcrop", 10, 100, (stoic_region){0, 43, 10, 13}); /* 10 · 4/3 = 13.3 */
    falls_back("resizedcrop", 100, 10, (stoic_region){43, 0, 13, 10});
    falls_back("resizedcrop:0.9:1:2:2.5", 10, 10, (stoic_region){2, 0, 5, 10});
    falls_back("resizedcrop:0.5:1:1000:1000", 3, 2, (stoic_region){1, 0, 1, 2});
    falls_back("resizedcrop:0.5:1:0.001:0.001", 2, 3, (stoic_region){0, 1, 2, 1});
    falls_back("resizedcrop", 1, 1, (stoic_region){0, 0, 1, 1});
}

/* Two images of 2 channels, 2 x 3, counted up from 1. */
static stoic_dataset *open_small(bool floats, const char *mean, const char *std) {
    uint8_t bytes[24], labels[2] = {0, 1};
    float values[24];
    for (int i = 0; i < 24; i++) {
        bytes[i] = (uint8_t)(i + 1);
        values[i] = (float)(i + 1);
    }
    save_npy("b.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2, 3)}\n", bytes,
             sizeof bytes);
    save_npy("v.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 2, 3)}\n", values,
             sizeof values);
    save_npy("w.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}\n", labels,
             sizeof labels);
    stoic_dataset_options options = stoic_dataset_options_default();
    options.mean = mean;
    options.std = std;
    return open_ok(spec_of(floats ? "npy:%s/v.npy,%s/w.npy" : "npy:%s/b.npy,%s/w.npy"), &options);
}

/* Image 1, shifted, is the numbers of `expected`, 0 being padding. */
static void converts_to(const stoic_dataset *dataset, stoic_shift shift, const int *expected) {
    float out[12];
    stoic_pixels own;
    stoic_view view;
    bool floats = dataset->source.kind == STOIC_SOURCE_FLOATS;
    const stoic_preprocessing *p = stoic_dataset_preprocessing(dataset);
    assert_int_equal(stoic_dataset_view(dataset, 1, false, &own, &view, NULL), STOIC_OK);
    assert_null(own.data);
    stoic_view_convert(dataset, &view, &shift, out);
    for (int i = 0; i < 12; i++) {
        float x = floats ? (float)expected[i] : (float)expected[i] / 255.0f;
        if (p->channels)
            x = (x - p->mean[i / 6]) / p->std[i / 6];
        if (out[i] != x)
            fail_msg("element %d of a shift by %d, %d is %g, expected %g", i, shift.down,
                     shift.right, (double)out[i], (double)x);
    }
}

static void check_conversions(const stoic_dataset *dataset) {
    /* 13 14 15    19 20 21
     * 16 17 18    22 23 24 */
    converts_to(dataset, (stoic_shift){0, 0, false},
                (const int[]){13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24});
    converts_to(dataset, (stoic_shift){0, 0, true},
                (const int[]){15, 14, 13, 18, 17, 16, 21, 20, 19, 24, 23, 22});
    converts_to(dataset, (stoic_shift){1, 1, false},
                (const int[]){17, 18, 0, 0, 0, 0, 23, 24, 0, 0, 0, 0});
    converts_to(dataset, (stoic_shift){-1, 1, true},
                (const int[]){0, 0, 0, 0, 15, 14, 0, 0, 0, 0, 21, 20});
    converts_to(dataset, (stoic_shift){0, -2, false},
                (const int[]){0, 0, 13, 0, 0, 16, 0, 0, 19, 0, 0, 22});
    converts_to(dataset, (stoic_shift){0, -2, true},
                (const int[]){13, 0, 0, 16, 0, 0, 19, 0, 0, 22, 0, 0});
    static const int nothing[12];
    static const int far[] = {2, 3, 9, 32768};
    for (int i = 0; i < 8; i++) {
        int by = i % 2 ? far[i / 2] : -far[i / 2];
        converts_to(dataset, (stoic_shift){by, 0, false}, nothing);
        converts_to(dataset, (stoic_shift){by, by, true}, nothing);
        if (abs(by) > 2)
            converts_to(dataset, (stoic_shift){0, by, i % 4 < 2}, nothing);
    }
}

/* The picture by hand; padding is black before normalisation, whatever that makes of it. */
static void test_pixels(void **state) {
    (void)state;
    for (int floats = 0; floats < 2; floats++) {
        stoic_dataset *dataset = open_small(floats, NULL, NULL);
        check_conversions(dataset);
        stoic_dataset_free(dataset);
        dataset = open_small(floats, "0.25,3", "0.5,7");
        check_conversions(dataset);
        stoic_dataset_free(dataset);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spelling),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_draws_of_crop_and_flip),
        cmocka_unit_test(test_draws_of_regions),
        cmocka_unit_test(test_central_regions),
        cmocka_unit_test(test_pixels),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
