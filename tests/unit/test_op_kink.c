/* What backward() of the operators does where there is more than one answer: at kinks and ties,
 * with NaN and Inf, on padding; and what it refuses. */
#include "op_rig.h"

static double grad_out[RIG_ELEMENTS], grad_in[RIG_OPERANDS][RIG_ELEMENTS];

/* Runs the call as set up; output element i gets i + 1 as its gradient. */
static stoic_status backward(void) {
    const double *in[RIG_OPERANDS], *out[1] = {rig.y[0]}, *from[1] = {grad_out};
    double *to[RIG_OPERANDS];
    assert_int_equal(infer(), STOIC_OK);
    stoic_status status = run();
    if (status != STOIC_OK)
        return status;
    for (size_t i = 0; i < RIG_OPERANDS; i++) {
        bool given = i < rig.call.n_in && rig.in[i].present;
        in[i] = given ? rig.x[i] : NULL;
        to[i] = given && rig.in[i].dtype == STOIC_F32 ? grad_in[i] : NULL;
    }
    for (size_t i = 0; i < RIG_ELEMENTS; i++)
        grad_out[i] = (double)i + 1;
    return rig.call.op->backward(&rig.call, in, out, from, to, &rig.err);
}

static bool gets(size_t i, const double *expected, size_t count) {
    for (size_t k = 0; k < count; k++) {
        double found = grad_in[i][k];
        if (isnan(expected[k]) ? !isnan(found) : found != expected[k]) {
            print_message("input %zu, element %zu: %.17g, expected %.17g\n", i, k, found,
                          expected[k]);
            return false;
        }
    }
    return true;
}

static void activations(void **state) {
    (void)state;
    begin("Relu", 13);
    input(LIST(7));
    values(NUMBERS(-1, 0, -0.0, 1, NAN, INFINITY, -INFINITY));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(0, 0, 0, 4, 5, 6, 0)));
    /* the partner: these are other gradients */
    assert_false(gets(0, NUMBERS(0, 2, 0, 4, 5, 6, 0)));
    assert_false(gets(0, NUMBERS(0, 0, 0, 4, NAN, 6, 0)));

    begin("LeakyRelu", 13);
    attr_float("alpha", 0.5);
    input(LIST(5));
    values(NUMBERS(-1, 0, -0.0, 1, NAN));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(0.5, 1, 1.5, 4, 2.5)));

    begin("Clip", 13);
    input(LIST(7));
    values(NUMBERS(-1.5, -1, 0, 2, 2.5, NAN, INFINITY));
    scalar_constant(-1);
    scalar_constant(2);
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(0, 0, 3, 0, 0, 0, 0))); /* as ReLU6, not as torch.clamp */
    assert_true(gets(1, NUMBERS(0)));
    assert_true(gets(2, NUMBERS(0)));

    begin("HardSigmoid", 13);
    attr_float("alpha", 0.25);
    input(LIST(5));
    values(NUMBERS(-2, 0, 2, NAN, -3));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(0, 0.5, 0, 0, 0)));

    begin("HardSwish", 14);
    input(LIST(6));
    values(NUMBERS(-3, 0, 3, 4, -4, NAN));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(0, 1, 3, 4, 0, 6)));
}

static void maxima(void **state) {
    (void)state;
    begin("MaxPool", 13);
    attr_ints("kernel_shape", LIST(3));
    attr_ints("strides", LIST(3));
    input(LIST(1, 1, 12));
    values(NUMBERS(1, 2, 2, NAN, 5, NAN, -INFINITY, -INFINITY, -INFINITY, 0.0, -0.0, 0.0));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(0, 1, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0)));
    assert_false(gets(0, NUMBERS(0, 0, 1, 2, 0, 0, 3, 0, 0, 4, 0, 0)));

    /* rows first; overlapping windows add up */
    begin("MaxPool", 13);
    attr_ints("kernel_shape", LIST(2, 2));
    input(LIST(1, 1, 2, 3));
    values(NUMBERS(1, 3, 2, 3, 0, 2));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(0, 1 + 2, 0, 0, 0, 0)));

    /* the first and the last window lie in the padding alone */
    begin("MaxPool", 13);
    attr_ints("kernel_shape", LIST(1));
    attr_ints("pads", LIST(1, 1));
    input(LIST(1, 1, 2));
    values(NUMBERS(7, 8));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(2, 3)));
}

static void averages_of_padding(void **state) {
    (void)state;
    begin("AveragePool", 13);
    attr_ints("kernel_shape", LIST(1));
    attr_ints("pads", LIST(1, 1));
    input(LIST(1, 1, 2));
    values(NUMBERS(7, 8));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(2, 3)));
}

/* An infinite weight on padding is multiplied with nothing, in either direction. */
static void convolutions_on_padding(void **state) {
    (void)state;
    begin("Conv", 13);
    attr_ints("pads", LIST(1, 0));
    input(LIST(1, 1, 1));
    values(NUMBERS(3));
    input(LIST(1, 1, 2));
    values(NUMBERS(INFINITY, 2));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(2)));
    assert_true(gets(1, NUMBERS(0, 3)));
}

static void infinities(void **state) {
    (void)state;
    begin("Mul", 13);
    input(LIST(3));
    values(NUMBERS(INFINITY, NAN, 0));
    input(LIST(3));
    values(NUMBERS(0, 2, -INFINITY));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(0, 4, -INFINITY)));
    assert_true(gets(1, NUMBERS(INFINITY, NAN, 0)));

    begin("Softmax", 13);
    input(LIST(2, 2));
    values(NUMBERS(1, NAN, 0, -INFINITY));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(NAN, NAN, 0, 0)));
}

static void refusals(void **state) {
    (void)state;
    begin("Cast", 13);
    attr_int("to", 7);
    input(LIST(2));
    values(NUMBERS(1, 2));
    assert_int_equal(backward(), STOIC_ERR_UNSUPPORTED);
    assert_string_equal(rig.err.place, "the-node");
    assert_non_null(strstr(rig.err.message, "has no gradient"));

    begin("Cast", 13);
    attr_int("to", 1);
    input(LIST(2));
    values(NUMBERS(0.1, 2));
    assert_int_equal(backward(), STOIC_OK);
    assert_true(gets(0, NUMBERS(1, 2)));

    begin("Gather", 13);
    input(LIST(3));
    values(NUMBERS(1, 2, 3));
    integers(LIST(3));
    assert_int_equal(infer(), STOIC_ERR_FORMAT); /* known before the network runs */
    assert_non_null(strstr(rig.err.message, "has index 3"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(activations, rig_free),
        cmocka_unit_test_teardown(maxima, rig_free),
        cmocka_unit_test_teardown(averages_of_padding, rig_free),
        cmocka_unit_test_teardown(convolutions_on_padding, rig_free),
        cmocka_unit_test_teardown(infinities, rig_free),
        cmocka_unit_test_teardown(refusals, rig_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
