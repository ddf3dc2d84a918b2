/* Comparing and choosing: values, broadcasting, what is refused, where gradients go. */
#include "op_rig.h"

static void bool_input(const int64_t *dims, size_t rank, const double *from, size_t count) {
    input(dims, rank)->dtype = STOIC_BOOL;
    values(from, count);
}

static void two(const char *op, int opset) {
    begin(op, opset);
    input(LIST(7));
    values(NUMBERS(1, 2, NAN, 1, INFINITY, -INFINITY, -0.0));
    input(LIST(7));
    values(NUMBERS(2, 1, 1, NAN, INFINITY, INFINITY, 0));
}

static void comparisons(void **state) {
    (void)state;
    two("Equal", 13);
    expect("7", NUMBERS(0, 0, 0, 0, 1, 0, 1));
    assert_int_equal(rig.out[0].dtype, STOIC_BOOL);
    two("Greater", 13);
    expect("7", NUMBERS(0, 1, 0, 0, 0, 0, 0));
    two("Less", 9);
    expect("7", NUMBERS(1, 0, 0, 0, 0, 1, 0));
    assert_int_equal(rig.out[0].dtype, STOIC_BOOL);

    begin("Greater", 13);
    input(LIST(2, 3));
    values(NUMBERS(1, 5, 3, 4, 2, 6));
    scalar_constant(3);
    expect("2x3", NUMBERS(0, 1, 0, 1, 0, 1));

    begin("IsNaN", 13);
    input(LIST(5));
    values(NUMBERS(NAN, -NAN, INFINITY, 0, -1));
    expect("5", NUMBERS(1, 1, 0, 0, 0));
    assert_int_equal(rig.out[0].dtype, STOIC_BOOL);
}

static void where_copies_what_is_chosen(void **state) {
    (void)state;
    begin("Where", 16);
    bool_input(LIST(2, 1), NUMBERS(1, 0));
    input(LIST(3));
    values(NUMBERS(NAN, INFINITY, 3));
    input(LIST(2, 3));
    values(NUMBERS(1, 2, 3, 4, 5, -INFINITY));
    expect("2x3", NUMBERS(NAN, INFINITY, 3, 4, 5, -INFINITY));

    begin("Where", 9);
    bool_input(LIST(4), NUMBERS(1, 0, 1, 0));
    scalar_constant(0);
    input(LIST(4));
    values(NUMBERS(NAN, NAN, 1, 2));
    expect("4", NUMBERS(0, NAN, 0, 2));
    assert_int_equal(rig.out[0].dtype, STOIC_F32);
}

static void refusals(void **state) {
    (void)state;
    begin("Where", 13);
    input(LIST(2));
    input(LIST(2));
    input(LIST(2));
    expect_refusal(STOIC_ERR_UNSUPPORTED, "Where does not take float32 elements as input 1");
    begin("Where", 13);
    bool_input(LIST(2), NUMBERS(1));
    input(LIST(2));
    input(LIST(2))->dtype = STOIC_I64;
    expect_refusal(STOIC_ERR_FORMAT, "Where cannot choose between float32 and int64");
    begin("Where", 13);
    bool_input(LIST(3), NUMBERS(1));
    input(LIST(2));
    input(LIST(2));
    expect_refusal(STOIC_ERR_SHAPE, "3");
    begin("Less", 13);
    input(LIST(2));
    input(LIST(2))->dtype = STOIC_F64;
    expect_refusal(STOIC_ERR_FORMAT, "Less cannot compare float32 with float64");
    begin("Equal", 10);
    input(LIST(2));
    input(LIST(2));
    expect_refusal(STOIC_ERR_UNSUPPORTED, "Equal is understood from opset 11");
    begin("IsNaN", 13);
    input(LIST(2))->dtype = STOIC_I32;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "IsNaN does not take int32");
}

static void a_gradient_goes_to_what_was_taken(void **state) {
    (void)state;
    static const double grad[] = {1, NAN, 3, 4};
    double to_scalar[1], to_x[4];
    double *to[3] = {NULL, to_scalar, to_x};
    begin("Where", 13);
    bool_input(LIST(4), NUMBERS(1, 0, 1, 0));
    scalar_constant(0);
    input(LIST(4));
    values(NUMBERS(NAN, 2, 1, INFINITY));
    assert_int_equal(infer(), STOIC_OK);
    assert_int_equal(run(), STOIC_OK);
    const double *in[] = {rig.x[0], rig.x[1], rig.x[2]}, *out[] = {rig.y[0]}, *from[] = {grad};
    assert_int_equal(rig.call.op->backward(&rig.call, in, out, from, to, NULL), STOIC_OK);
    assert_true(to_scalar[0] == 4);
    assert_true(to_x[0] == 0 && isnan(to_x[1]) && to_x[2] == 0 && to_x[3] == 4);
    to[1] = NULL;
    assert_int_equal(rig.call.op->backward(&rig.call, in, out, from, to, NULL), STOIC_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(comparisons, rig_free),
        cmocka_unit_test_teardown(where_copies_what_is_chosen, rig_free),
        cmocka_unit_test_teardown(refusals, rig_free),
        cmocka_unit_test_teardown(a_gradient_goes_to_what_was_taken, rig_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
