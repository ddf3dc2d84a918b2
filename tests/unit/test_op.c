/* The operators: the table and its claims; convolutions, products, activations, pooling by hand. */
#include "op_rig.h"

static void table_is_complete_and_sorted(void **state) {
    (void)state;
    size_t count;
    const stoic_op *const *ops = stoic_op_all(&count);
    assert_int_equal(count, 47);
    for (size_t i = 0; i < count; i++) {
        const stoic_op *op = ops[i];
        bool ours = strcmp(op->domain, "ai.stoic") == 0;
        assert_ptr_equal(stoic_op_find(op->domain, op->name), op);
        assert_true(ours || stoic_op_find("ai.onnx", op->name) == op);
        assert_ptr_equal(stoic_op_find(NULL, op->name), ours ? NULL : op);
        assert_null(stoic_op_find("com.elsewhere", op->name));
        assert_true(i == 0 || strcmp(ops[i - 1]->name, op->name) < 0);
        assert_true(op->since <= op->until && (ours || (op->since >= 7 && op->until == 23)));
        assert_true(op->min_in >= 0 && (op->max_in == -1 || op->max_in >= op->min_in));
        assert_true(op->max_out >= 1);
        assert_non_null(op->infer);
        assert_non_null(op->reference);
        assert_non_null(op->attrs);
        for (const stoic_attr_spec *a = op->attrs; a->name; a++) {
            assert_true(a == op->attrs || strcmp(a[-1].name, a->name) < 0);
            assert_true(a->until == 0 || (a->until >= a->since && a->until >= op->since));
        }
    }
    assert_null(stoic_op_find("", "Convolution"));
}

static void facts_do_not_contradict(void **state) {
    (void)state;
    size_t count;
    const stoic_op *const *ops = stoic_op_all(&count);
    for (size_t i = 0; i < count; i++) {
        unsigned f = ops[i]->facts;
        assert_true(!(f & STOIC_OP_MONOTONE) || (f & STOIC_OP_ELEMENTWISE));
        assert_true(!(f & STOIC_OP_ELEMENTWISE) || (f & STOIC_OP_PER_CHANNEL));
        assert_true(!(f & STOIC_OP_READS_SHAPE) || (f & STOIC_OP_FOLD_ONLY));
        assert_true(!(f & STOIC_OP_LAYER) == !ops[i]->macs);
        assert_true(!ops[i]->rounding || ops[i]->lipschitz);
        assert_true(!ops[i]->lipschitz || (f & STOIC_OP_ELEMENTWISE));
    }
    assert_true(stoic_op_relu.facts & STOIC_OP_HOMOGENEOUS);
    assert_false(stoic_op_clip.facts & STOIC_OP_HOMOGENEOUS);
    assert_false(stoic_op_leaky_relu.facts & STOIC_OP_MONOTONE);
    assert_false(stoic_op_batch_normalization.facts & STOIC_OP_HOMOGENEOUS);
}

/* Elementwise claims, held against the plain kernel on a grid. */
static void claims_of_elementwise_functions_hold(void **state) {
    (void)state;
    static const char *const names[] = {"Relu",        "LeakyRelu", "Clip",     "Sigmoid", "Tanh",
                                        "HardSigmoid", "HardSwish", "Identity", "Dropout"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        begin(names[k], 14);
        input(LIST(401));
        for (int i = 0; i < 401; i++)
            rig.x[0][i] = (i - 200) / 20.0;
        expect_shape("401");
        assert_int_equal(run(), STOIC_OK);
        unsigned facts = rig.call.op->facts;
        double bound = rig.call.op->lipschitz(&rig.call), steepest = 0;
        for (int i = 1; i < 401; i++) {
            double step = rig.y[0][i] - rig.y[0][i - 1];
            assert_true(!(facts & STOIC_OP_MONOTONE) || step >= 0);
            steepest = fmax(steepest, fabs(step) * 20);
        }
        assert_true(steepest <= bound * (1 + 1e-9));
        assert_true(steepest > 0.9 * bound);
        assert_true(!(facts & STOIC_OP_NONEXPANSIVE) || bound <= 1);
        if (!(facts & STOIC_OP_HOMOGENEOUS))
            continue;
        double before[401];
        memcpy(before, rig.y[0], sizeof before);
        for (int i = 0; i < 401; i++)
            rig.x[0][i] *= 4;
        assert_int_equal(run(), STOIC_OK);
        for (int i = 0; i < 401; i++)
            assert_true(rig.y[0][i] == 4 * before[i]);
    }
}

static void comparison_notices_a_wrong_element(void **state) {
    (void)state;
    begin("Relu", 13);
    input(LIST(3));
    values(NUMBERS(-1, 2, 3));
    expect("3", NUMBERS(0, 2, 3));
    assert_false(holds(NUMBERS(0, 2, 3.001)));
    assert_false(holds(NUMBERS(0, NAN, 3)));
    assert_false(holds(NUMBERS(0, 2)));
    rig.y[0][0] = NAN;
    assert_false(holds(NUMBERS(0, 2, 3)));
}

static void conv_by_hand(void **state) {
    (void)state;
    /* one channel, 1..9, kernel of ones: sums of neighbourhoods */
    begin("Conv", 11);
    input(LIST(1, 1, 3, 3));
    values(NUMBERS(1, 2, 3, 4, 5, 6, 7, 8, 9));
    input(LIST(1, 1, 2, 2));
    values(NUMBERS(1, 10, 100, 1000));
    expect("1x1x2x2", NUMBERS(5421, 6532, 8754, 9865));
    assert_int_equal(rig.call.op->macs(&rig.call), 16);
    /* pad one row on top, two columns to the right, stride 2 */
    attr_ints("pads", LIST(1, 0, 0, 2));
    attr_ints("strides", LIST(2, 2));
    expect("1x1x2x2", NUMBERS(2100, 300, 8754, 906));
    /* dilation, bias */
    begin("Conv", 11);
    input(LIST(1, 1, 3, 3));
    values(NUMBERS(1, 2, 3, 4, 5, 6, 7, 8, 9));
    input(LIST(1, 1, 2, 2));
    values(NUMBERS(1, 10, 100, 1000));
    input(LIST(1));
    values(NUMBERS(0.5));
    attr_ints("dilations", LIST(2, 2));
    attr_ints("kernel_shape", LIST(2, 2));
    expect("1x1x1x1", NUMBERS(1 + 30 + 700 + 9000.5));
}

static void conv_groups_and_axes(void **state) {
    (void)state;
    begin("Conv", 7); /* depthwise with a multiplier of 2, one spatial axis */
    input(LIST(1, 2, 3));
    values(NUMBERS(1, 2, 3, 10, 20, 30));
    input(LIST(4, 1, 1));
    values(NUMBERS(1, 2, 3, 4));
    attr_int("group", 2);
    expect("1x4x3", NUMBERS(1, 2, 3, 2, 4, 6, 30, 60, 90, 40, 80, 120));
    begin("Conv", 7); /* three spatial axes, two channels summed */
    input(LIST(1, 2, 1, 2, 2));
    values(NUMBERS(1, 2, 3, 4, 5, 6, 7, 8));
    input(LIST(1, 2, 1, 2, 2));
    values(NUMBERS(1, 0, 0, 1, 0, 1, 1, 0));
    expect("1x1x1x1x1", NUMBERS(1 + 4 + 6 + 7));
}

static void conv_auto_pad(void **state) {
    (void)state;
    static const struct {
        const char *mode, *shape;
        double y[3];
        size_t count;
    } cases[] = {{"SAME_UPPER", "1x1x3", {21, 32, 3}, 3},
                 {"SAME_LOWER", "1x1x3", {10, 21, 32}, 3},
                 {"VALID", "1x1x2", {21, 32}, 2},
                 {"NOTSET", "1x1x2", {21, 32}, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin("Conv", 11);
        input(LIST(1, 1, 3));
        values(NUMBERS(1, 2, 3));
        input(LIST(1, 1, 2));
        values(NUMBERS(1, 10));
        attr_string("auto_pad", cases[i].mode);
        expect(cases[i].shape, cases[i].y, cases[i].count);
    }
    rig.call.n_attrs = 0;
    attr_string("auto_pad", "SAME_MIDDLE");
    expect_refusal(STOIC_ERR_FORMAT, "SAME_MIDDLE");
}

static void conv_never_multiplies_padding(void **state) {
    (void)state;
    begin("Conv", 11);
    input(LIST(1, 1, 2));
    values(NUMBERS(1, 2));
    input(LIST(1, 1, 3));
    values(NUMBERS(INFINITY, 1, NAN));
    attr_ints("pads", LIST(1, 1));
    expect("1x1x2", NUMBERS(NAN, INFINITY));
    /* a tap that always lies in the padding leaves no trace */
    begin("Conv", 11);
    input(LIST(1, 1, 1));
    values(NUMBERS(3));
    input(LIST(1, 1, 3));
    values(NUMBERS(NAN, 2, INFINITY));
    attr_ints("pads", LIST(1, 1));
    expect("1x1x1", NUMBERS(6));
}

static void conv_refusals(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int64_t list[6];
        size_t count;
        const char *message;
    } cases[] = {
        {"strides", {0, 1}, 2, "'strides'"},
        {"strides", {-1, 1}, 2, "'strides'"},
        {"strides", {1}, 1, "needs 2 values"},
        {"strides", {INT64_MAX, 1}, 2, "'strides'"},
        {"dilations", {0, 1}, 2, "'dilations'"},
        {"dilations", {INT32_MAX, 1}, 2, "too large"},
        {"dilations", {2, 1}, 2, "does not fit"},
        {"pads", {-1, 0, 0, 0}, 4, "'pads'"},
        {"pads", {INT64_MAX, 0, 0, 0}, 4, "'pads'"},
        {"pads", {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}, 4, "too large"},
        {"pads", {1, 1, 1}, 3, "needs 4 values"},
        {"kernel_shape", {3, 2}, 2, "kernel_shape says 3"},
        {"kernel_shape", {-3, 2}, 2, "'kernel_shape'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin("Conv", 11);
        input(LIST(1, 2, 2, 4));
        input(LIST(4, 2, 2, 2));
        attr_ints(cases[i].name, cases[i].list, cases[i].count);
        expect_refusal(STOIC_ERR_SHAPE, cases[i].message);
    }
    static const int64_t groups[] = {0, -1, 3, 2, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        begin("Conv", 11);
        input(LIST(1, 2, 2, 4));
        input(LIST(4, 2, 2, 2));
        attr_int("group", groups[i]);
        expect_refusal(STOIC_ERR_SHAPE, "do not fit");
    }
    begin("Conv", 11);
    input(LIST(1, 2, 2, 4));
    input(LIST(4, 2, 2, 2));
    input(LIST(3));
    expect_refusal(STOIC_ERR_SHAPE, "bias of 4");
    rig.in[1].shape.rank = 3;
    expect_refusal(STOIC_ERR_SHAPE, "4 axes");
    rig.in[0].shape.rank = 2;
    expect_refusal(STOIC_ERR_SHAPE, "3 to 5 axes");
    rig.in[0].dtype = STOIC_I64;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "int64");
}

static void gemm_by_hand(void **state) {
    (void)state;
    begin("Gemm", 13);
    input(LIST(2, 3));
    values(NUMBERS(1, 2, 3, 4, 5, 6));
    input(LIST(3, 2));
    values(NUMBERS(1, 0, 0, 1, 1, 1));
    expect("2x2", NUMBERS(4, 5, 10, 11));
    assert_int_equal(rig.call.op->macs(&rig.call), 12);
    input(LIST(2, 1));
    values(NUMBERS(100, 200));
    attr_float("alpha", 2);
    attr_float("beta", 0.5);
    expect("2x2", NUMBERS(58, 60, 120, 122));
    begin("Gemm", 7);
    input(LIST(3, 1));
    values(NUMBERS(1, 2, 3));
    input(LIST(2, 3));
    values(NUMBERS(1, 1, 1, 0, 0, NAN));
    input(SCALAR);
    values(NUMBERS(1));
    attr_int("transA", 1);
    attr_int("transB", 1);
    expect("1x2", NUMBERS(7, NAN));
    stoic_matrix_product p;
    assert_int_equal(stoic_gemm_product(&rig.call, &p, NULL), STOIC_OK);
    assert_true(p.rows == 1 && p.inner == 3 && p.columns == 2 && p.transpose_a && p.transpose_b);
    rig.in[2].shape = (stoic_shape){.rank = 2, .dim = {2, 2}};
    expect_refusal(STOIC_ERR_SHAPE, "larger than the result");
    rig.in[1].shape.dim[1] = 4;
    expect_refusal(STOIC_ERR_SHAPE, "do not fit");
}

static void matmul_by_hand(void **state) {
    (void)state;
    begin("MatMul", 9);
    input(LIST(2, 1, 2)); /* batch of A, B shared */
    values(NUMBERS(1, 2, 3, 4));
    input(LIST(2, 2));
    values(NUMBERS(1, 2, 10, 20));
    expect("2x1x2", NUMBERS(21, 42, 43, 86));
    stoic_matrix_product p;
    assert_int_equal(stoic_gemm_product(&rig.call, &p, NULL), STOIC_OK);
    assert_true(p.batch == 2 && p.rows == 1 && p.inner == 2 && p.columns == 2);
    begin("MatMul", 9); /* batched B, broadcast A */
    input(LIST(1, 2));
    values(NUMBERS(1, 2));
    input(LIST(2, 2, 1));
    values(NUMBERS(1, 2, 3, 4));
    expect("2x1x1", NUMBERS(5, 11));
    assert_int_equal(stoic_gemm_product(&rig.call, &p, &rig.err), STOIC_ERR_UNSUPPORTED);
    begin("MatMul", 9); /* vectors lose their axis */
    input(LIST(3));
    values(NUMBERS(1, 2, 3));
    input(LIST(3));
    values(NUMBERS(1, 1, 1));
    expect("scalar", NUMBERS(6));
    rig.in[1].shape.dim[0] = 2;
    expect_refusal(STOIC_ERR_SHAPE, "do not fit");
}

static void batch_normalization(void **state) {
    (void)state;
    for (int opset = 7; opset <= 15; opset += 8) {
        begin("BatchNormalization", opset);
        input(LIST(1, 2, 2));
        values(NUMBERS(1, 3, -2, NAN));
        input(LIST(2));
        values(NUMBERS(2, 1));
        input(LIST(2));
        values(NUMBERS(0.5, 0));
        input(LIST(2));
        values(NUMBERS(1, 0));
        input(LIST(2));
        values(NUMBERS(3.75, 0.75));
        attr_float("epsilon", 0.25);
        expect("1x2x2", NUMBERS(0.5, 2.5, -2, NAN));
    }
    attr_int("training_mode", 1);
    expect_refusal(STOIC_ERR_UNSUPPORTED, "training mode");
    rig.call.opset = 13;
    expect_refusal(STOIC_ERR_FORMAT, "no attribute 'training_mode' at opset 13");
    rig.call.opset = 7;
    rig.call.n_attrs = 1;
    attr_int("spatial", 0);
    expect_refusal(STOIC_ERR_UNSUPPORTED, "spatial");
    rig.call.n_attrs = 1;
    rig.in[3].shape.dim[0] = 3;
    expect_refusal(STOIC_ERR_SHAPE, "needs 2 values in input 4");
    rig.call.n_out = 2;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "2 outputs");
}

static void activations_by_value(void **state) {
    (void)state;
    const double x[] = {-INFINITY, -4, -1, 0, 1, 4, INFINITY, NAN};
    const double inf = INFINITY, a = 0.01f, s = 0.2f;
    const struct {
        const char *op;
        double y[8];
    } cases[] = {
        {"Relu", {0, 0, 0, 0, 1, 4, inf, NAN}},
        {"LeakyRelu", {-inf, -4 * a, -a, 0, 1, 4, inf, NAN}},
        {"Clip", {-inf, -4, -1, 0, 1, 4, inf, NAN}},
        {"Sigmoid",
         {0, 1 / (1 + exp(4)), 1 / (1 + exp(1)), 0.5, 1 / (1 + exp(-1)), 1 / (1 + exp(-4)), 1,
          NAN}},
        {"Tanh", {-1, tanh(-4), tanh(-1), 0, tanh(1), tanh(4), 1, NAN}},
        {"HardSigmoid", {0, 0, 0.5 - s, 0.5, 0.5 + s, 1, 1, NAN}},
        {"HardSwish", {NAN, 0, -1.0 / 3, 0, 2.0 / 3, 4, inf, NAN}},
        {"Identity", {-inf, -4, -1, 0, 1, 4, inf, NAN}},
        {"Dropout", {-inf, -4, -1, 0, 1, 4, inf, NAN}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i].op, 14);
        input(LIST(2, 4));
        values(x, 8);
        expect("2x4", cases[i].y, 8);
        assert_int_equal(rig.out[0].dtype, STOIC_F32);
    }
}

static void clip_bounds(void **state) {
    (void)state;
    begin("Clip", 10);
    input(LIST(4));
    values(NUMBERS(-3, NAN, 0.5, 9));
    attr_float("min", 0);
    attr_float("max", 6);
    expect("4", NUMBERS(0, NAN, 0.5, 6));
    rig.call.opset = 11;
    expect_refusal(STOIC_ERR_FORMAT, "no attribute 'min' at opset 11");
    rig.call.n_attrs = 0;
    input_left_out();
    scalar_constant(6);
    expect("4", NUMBERS(-3, NAN, 0.5, 6));
    rig.call.opset = 10;
    expect_refusal(STOIC_ERR_FORMAT, "at most 1 inputs");
    rig.call.opset = 11;
    rig.in[2].constant = NULL;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "(max), found a computed value");
    begin("Clip", 13);
    input(LIST(1));
    input(LIST(2));
    make_constant(STOIC_F32);
    expect_refusal(STOIC_ERR_SHAPE, "needs one element");
}

static void pool_values(void **state) {
    (void)state;
    const double x[] = {1, 2, 3, 4, NAN, 6, 7, 8, 9};
    begin("MaxPool", 8);
    input(LIST(1, 1, 3, 3));
    values(x, 9);
    attr_ints("kernel_shape", LIST(2, 2));
    expect("1x1x2x2", NUMBERS(NAN, NAN, NAN, NAN));
    attr_ints("strides", LIST(2, 2));
    attr_ints("pads", LIST(0, 0, 1, 1));
    expect("1x1x2x2", NUMBERS(NAN, 6, 8, 9));
    rig.call.n_out = 2;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "2 outputs");
    begin("AveragePool", 8);
    input(LIST(1, 1, 3));
    values(NUMBERS(2, 4, 9));
    attr_ints("kernel_shape", LIST(2));
    attr_ints("pads", LIST(1, 1));
    expect("1x1x4", NUMBERS(2, 3, 6.5, 9));
    attr_int("count_include_pad", 1);
    expect("1x1x4", NUMBERS(1, 3, 6.5, 4.5));
    begin("GlobalAveragePool", 8);
    input(LIST(1, 3, 1, 2));
    values(NUMBERS(1, 2, INFINITY, 5, NAN, 0));
    expect("1x3x1x1", NUMBERS(1.5, INFINITY, NAN));
}

static void pool_rounding_up(void **state) {
    (void)state;
    begin("MaxPool", 11); /* 5 in, kernel 2, stride 2: the third window is partial */
    input(LIST(1, 1, 5));
    values(NUMBERS(1, 2, 3, 4, 5));
    attr_ints("kernel_shape", LIST(2));
    attr_ints("strides", LIST(2));
    expect("1x1x2", NUMBERS(2, 4));
    attr_int("ceil_mode", 1);
    expect("1x1x3", NUMBERS(2, 4, 5));
    rig.call.opset = 9;
    expect_refusal(STOIC_ERR_FORMAT, "no attribute 'ceil_mode' at opset 9");
    /* rounding up would start a third window in the padding */
    begin("MaxPool", 11);
    input(LIST(1, 1, 3));
    values(NUMBERS(1, 2, 3));
    attr_ints("kernel_shape", LIST(1));
    attr_ints("strides", LIST(2));
    attr_ints("pads", LIST(0, 1));
    attr_int("ceil_mode", 1);
    expect("1x1x2", NUMBERS(1, 3));
    /* what rounding up adds beyond the padding is never counted */
    begin("AveragePool", 11);
    input(LIST(1, 1, 5));
    values(NUMBERS(1, 2, 3, 4, 5));
    attr_ints("kernel_shape", LIST(3));
    attr_ints("strides", LIST(3));
    attr_int("ceil_mode", 1);
    attr_int("count_include_pad", 1);
    expect("1x1x2", NUMBERS(2, 4.5));
    /* even the first window may be partial */
    rig.attrs[0].ints = (int64_t[]){7};
    rig.attrs[1].ints = (int64_t[]){3};
    expect("1x1x1", NUMBERS(3));
    rig.attrs[1].ints = (int64_t[]){2};
    expect_refusal(STOIC_ERR_SHAPE, "extent 7 does not fit");
    /* windows in the padding alone */
    begin("MaxPool", 12);
    input(LIST(1, 1, 1));
    values(NUMBERS(7));
    attr_ints("kernel_shape", LIST(1));
    attr_ints("pads", LIST(1, 0));
    expect("1x1x2", NUMBERS(-INFINITY, 7));
    rig.call.n_attrs = 0;
    expect_refusal(STOIC_ERR_FORMAT, "lacks the attribute 'kernel_shape'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(table_is_complete_and_sorted, rig_free),
        cmocka_unit_test_teardown(facts_do_not_contradict, rig_free),
        cmocka_unit_test_teardown(claims_of_elementwise_functions_hold, rig_free),
        cmocka_unit_test_teardown(comparison_notices_a_wrong_element, rig_free),
        cmocka_unit_test_teardown(conv_by_hand, rig_free),
        cmocka_unit_test_teardown(conv_groups_and_axes, rig_free),
        cmocka_unit_test_teardown(conv_auto_pad, rig_free),
        cmocka_unit_test_teardown(conv_never_multiplies_padding, rig_free),
        cmocka_unit_test_teardown(conv_refusals, rig_free),
        cmocka_unit_test_teardown(gemm_by_hand, rig_free),
        cmocka_unit_test_teardown(matmul_by_hand, rig_free),
        cmocka_unit_test_teardown(batch_normalization, rig_free),
        cmocka_unit_test_teardown(activations_by_value, rig_free),
        cmocka_unit_test_teardown(clip_bounds, rig_free),
        cmocka_unit_test_teardown(pool_values, rig_free),
        cmocka_unit_test_teardown(pool_rounding_up, rig_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
