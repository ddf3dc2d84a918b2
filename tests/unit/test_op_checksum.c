/* Checksum, Alarm, WindowSum and Abs: values, the tolerance, what is refused. */
#include "op_rig.h"

/* y[1, 3, 1, 2] = {1, 2 | 10, 20 | 100, 200}: sums 111 and 222, both bounds `bound`. */
static void three_channels(double first, double second, double bound) {
    begin("Checksum", 1);
    attr_int("terms", 4);
    input(LIST(1, 3, 1, 2));
    values(NUMBERS(1, 2, 10, 20, 100, 200));
    input(LIST(1, 2, 1, 2));
    values(NUMBERS(first, second, bound, bound));
}

static void each_place_has_a_sum(void **state) {
    (void)state;
    three_channels(111, 222, 1000);
    expect("1x1", NUMBERS(0));
    three_channels(111, 223, 1000);
    expect("1x1", NUMBERS(1));
    three_channels(112, 223, 1000); /* both off: the layer is off once */
    expect("1x1", NUMBERS(1));
    three_channels(110, 223, 1000); /* what cancels over places does not cancel here */
    expect("1x1", NUMBERS(1));
    three_channels(111, NAN, 1000);
    expect("1x1", NUMBERS(1));
    three_channels(111, 222, NAN);
    expect("1x1", NUMBERS(1));
    three_channels(111, 222, 1000);
    rig.x[0][3] = INFINITY;
    expect("1x1", NUMBERS(1));
}

static void one_sum_for_all_places(void **state) {
    (void)state;
    for (int off = 0; off < 2; off++) {
        begin("Checksum", 1);
        attr_int("terms", 4);
        input(LIST(1, 3, 1, 2));
        values(NUMBERS(1, 2, 10, 20, 100, 200));
        input(LIST(1, 2));
        values(NUMBERS(333 + off, 1000));
        expect("1x1", NUMBERS(off));
    }
}

/* g = n u / (1 - n u), n = 2 * 4 + 8 = 16: at M = 2^20 about 1.00 */
static void the_tolerance_is_its_formula(void **state) {
    (void)state;
    double n = 16, u = 0x1p-24, tolerance = n * u / (1 - n * u) * 0x1p20;
    for (int sign = -1; sign < 2; sign += 2) {
        three_channels(111 + sign * tolerance * (1 - 1e-9), 222, 0x1p20);
        expect("1x1", NUMBERS(0));
        three_channels(111 + sign * tolerance * (1 + 1e-9), 222, 0x1p20);
        expect("1x1", NUMBERS(1));
    }
    three_channels(111, 222, 0);
    expect("1x1", NUMBERS(0));
    three_channels(111, 222 + 0x1p-100, 0);
    rig.x[0][1] = rig.x[0][3] = rig.x[0][5] = 0;
    rig.x[1][1] = 0x1p-100; /* far above the least step */
    expect("1x1", NUMBERS(1));
    rig.x[1][1] = 0x1p-149;
    expect("1x1", NUMBERS(0));
}

static void bounds_apart_and_counts_before(void **state) {
    (void)state;
    begin("Checksum", 1);
    attr_int("terms", 4);
    input(LIST(1, 3));
    values(NUMBERS(1, 10, 100));
    input(LIST(1, 1));
    values(NUMBERS(110));
    input(LIST(1, 1));
    values(NUMBERS(1000));
    input(LIST(1, 1));
    values(NUMBERS(5));
    expect("1x1", NUMBERS(6));
    rig.x[1][0] = 111;
    expect("1x1", NUMBERS(5));
}

static void checksum_refusals(void **state) {
    (void)state;
    three_channels(0, 0, 0);
    rig.attrs[0].i = 0;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "'terms' from 1");
    rig.attrs[0].i = INT64_C(1) << 40;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "'terms' from 1");
    rig.attrs[0].i = -INT64_MAX;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "'terms' from 1");
    three_channels(0, 0, 0);
    rig.in[1].shape.dim[1] = 1; /* no bounds */
    expect_refusal(STOIC_ERR_SHAPE, "do not fit");
    three_channels(0, 0, 0);
    rig.in[1].shape.dim[3] = 3;
    expect_refusal(STOIC_ERR_SHAPE, "do not fit");
    three_channels(0, 0, 0);
    input(LIST(1, 1, 1, 2)); /* bounds, and beside the sums as well */
    expect_refusal(STOIC_ERR_SHAPE, "do not fit");
    three_channels(0, 0, 0);
    input_left_out();
    input(LIST(1, 2));
    expect_refusal(STOIC_ERR_SHAPE, "do not fit");
}

static void alarm_passes_on(void **state) {
    (void)state;
    begin("Alarm", 1);
    input(LIST(1, 3));
    values(NUMBERS(1, NAN, -INFINITY));
    input(LIST(1, 1));
    values(NUMBERS(2));
    expect("1x3", NUMBERS(1, NAN, -INFINITY));
    begin("Alarm", 1);
    input(LIST(1, 3));
    input(LIST(1, 3));
    expect_refusal(STOIC_ERR_SHAPE, "one count for each image");
}

static void windows(bool magnitude) {
    static const int64_t kernel[] = {2, 2}, pads[] = {0, 1, 0, 0};
    begin("WindowSum", 1);
    attr_ints("kernel_shape", kernel, 2);
    attr_ints("pads", pads, 4);
    attr_int("magnitude", magnitude);
    input(LIST(1, 1, 2, 3));
    values(NUMBERS(1, -2, 3, 4, 5, -6));
}

/* One row of three positions, the first column padding for tap 0: (1, -2), (1, -2, 3) and below. */
static void windows_are_summed_tap_by_tap(void **state) {
    (void)state;
    windows(false);
    expect("1x4", NUMBERS(-1, 2, 9, 3));
    windows(true);
    expect("1x4", NUMBERS(3, 6, 9, 15));
    windows(false);
    rig.x[0][5] = NAN;
    expect("1x4", NUMBERS(-1, 2, 9, NAN));
    begin("WindowSum", 1);
    input(LIST(1, 1, 2, 3));
    expect_refusal(STOIC_ERR_FORMAT, "kernel_shape");
}

static void magnitudes(void **state) {
    (void)state;
    begin("Abs", 13);
    input(LIST(6));
    values(NUMBERS(-1, 2, -0.0, INFINITY, -INFINITY, NAN));
    expect("6", NUMBERS(1, 2, 0, INFINITY, INFINITY, NAN));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_place_has_a_sum, rig_free),
        cmocka_unit_test_teardown(one_sum_for_all_places, rig_free),
        cmocka_unit_test_teardown(the_tolerance_is_its_formula, rig_free),
        cmocka_unit_test_teardown(bounds_apart_and_counts_before, rig_free),
        cmocka_unit_test_teardown(checksum_refusals, rig_free),
        cmocka_unit_test_teardown(alarm_passes_on, rig_free),
        cmocka_unit_test_teardown(windows_are_summed_tap_by_tap, rig_free),
        cmocka_unit_test_teardown(magnitudes, rig_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
