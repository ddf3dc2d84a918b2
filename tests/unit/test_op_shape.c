/* The operators that move, reduce, combine and make values: by hand, with opset differences. */
#include "op_rig.h"

static void softmax_changes_at_13(void **state) {
    (void)state;
    const double e = exp(1), l = log(1 + exp(-1));
    begin("Softmax", 12); /* all axes from 1 on are one row */
    input(LIST(1, 2, 2));
    values(NUMBERS(0, 0, 0, 0));
    expect("1x2x2", NUMBERS(0.25, 0.25, 0.25, 0.25));
    rig.call.opset = 13;
    expect("1x2x2", NUMBERS(0.5, 0.5, 0.5, 0.5));
    values(NUMBERS(0, 5, 1, 5));
    attr_int("axis", 1);
    expect("1x2x2", NUMBERS(1 / (1 + e), 0.5, e / (1 + e), 0.5));
    values(NUMBERS(NAN, 5, 1, INFINITY));
    expect("1x2x2", NUMBERS(NAN, NAN, NAN, NAN));
    values(NUMBERS(-INFINITY, 5, 1, 5));
    expect("1x2x2", NUMBERS(0, 0.5, 1, 0.5));
    begin("LogSoftmax", 13);
    input(LIST(2));
    values(NUMBERS(1000, 999));
    expect("2", NUMBERS(-l, -1 - l));
    attr_int("axis", 1);
    expect_refusal(STOIC_ERR_SHAPE, "axis 1");
    rig.attrs[0].i = INT64_MIN;
    expect_refusal(STOIC_ERR_SHAPE, "axis");
}

static void reduce_mean(void **state) {
    (void)state;
    begin("ReduceMean", 13);
    input(LIST(2, 2));
    values(NUMBERS(1, 3, 5, NAN));
    expect("1x1", NUMBERS(NAN));
    attr_ints("axes", LIST(-1));
    expect("2x1", NUMBERS(2, NAN));
    attr_int("keepdims", 0);
    expect("2", NUMBERS(2, NAN));
    rig.call.opset = 18;
    expect_refusal(STOIC_ERR_FORMAT, "no attribute 'axes' at opset 18");
    begin("ReduceMean", 18);
    input(LIST(2, 2));
    values(NUMBERS(1, 3, 5, 9));
    integers(LIST(0));
    expect("1x2", NUMBERS(3, 6));
    rig.in[1].present = false;
    attr_int("noop_with_empty_axes", 1);
    expect("2x2", NUMBERS(1, 3, 5, 9));
    begin("ReduceMean", 13);
    input(LIST(2, 2));
    attr_ints("axes", LIST(1, -1));
    expect_refusal(STOIC_ERR_FORMAT, "names axis 1 twice");
}

static void arithmetic(void **state) {
    (void)state;
    static const struct {
        const char *op;
        double y[6];
    } cases[] = {{"Add", {12, 13, 14, 24, 25, 26}},
                 {"Sub", {-8, -7, -6, -16, -15, -14}},
                 {"Mul", {20, 30, 40, 80, 100, 120}},
                 {"Div", {0.2, 0.3, 0.4, 0.2, 0.25, 0.3}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i].op, 13);
        input(LIST(2, 3));
        values(NUMBERS(2, 3, 4, 4, 5, 6));
        input(LIST(2, 1));
        values(NUMBERS(10, 20));
        expect("2x3", cases[i].y, 6);
        rig.in[1].shape.dim[0] = 3;
        expect_refusal(STOIC_ERR_SHAPE, "2x3 and 3x1");
        rig.in[1].dtype = STOIC_I64;
        expect_refusal(STOIC_ERR_FORMAT, "mix");
    }
    begin("Div", 13);
    input(LIST(3))->dtype = STOIC_I64;
    values(NUMBERS(7, -7, 8));
    input(LIST(1))->dtype = STOIC_I64;
    values(NUMBERS(2));
    expect("3", NUMBERS(3, -3, 4));
    rig.x[1][0] = 0;
    assert_int_equal(run(), STOIC_ERR_FORMAT);
    assert_non_null(strstr(rig.err.message, "by zero"));
    rig.in[0].dtype = rig.in[1].dtype = STOIC_F32;
    expect("3", NUMBERS(INFINITY, -INFINITY, INFINITY));
    begin("Mul", 13);
    input(LIST(2));
    input(LIST(2));
    values(NUMBERS(-3, 2));
    assert_true(rig.call.op->lipschitz(&rig.call) == 0);
    make_constant(STOIC_F32);
    assert_true(rig.call.op->lipschitz(&rig.call) == 3);
    assert_true(stoic_op_div.lipschitz(&rig.call) == 0.5);
}

static void shapes_without_values(void **state) {
    (void)state;
    static const struct {
        const char *op;
        int64_t axis;
        const char *shape;
    } flattens[] = {{"Flatten", 0, "1x24"},
                    {"Flatten", 1, "2x12"},
                    {"Flatten", 3, "24x1"},
                    {"Flatten", -1, "6x4"}};
    for (size_t i = 0; i < 4; i++) {
        begin(flattens[i].op, 13);
        input(LIST(2, 3, 4));
        attr_int("axis", flattens[i].axis);
        expect_shape(flattens[i].shape);
    }
    rig.attrs[0].i = 4;
    expect_refusal(STOIC_ERR_SHAPE, "axis 4");
    begin("Reshape", 14);
    input(LIST(2, 3, 4));
    integers(LIST(0, -1));
    expect_shape("2x12");
    attr_int("allowzero", 1);
    expect_refusal(STOIC_ERR_SHAPE, "cannot give");
    static const int64_t bad[][2] = {{-1, -1}, {5, -1}, {-2, 12}, {INT64_MAX, 2}, {2, 13}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin("Reshape", 7);
        input(LIST(2, 3, 4));
        integers(bad[i], 2);
        expect_refusal(STOIC_ERR_SHAPE, "Reshape");
    }
    begin("Unsqueeze", 12);
    input(LIST(3));
    expect_refusal(STOIC_ERR_FORMAT, "lacks its axes");
    attr_ints("axes", LIST(0, -1));
    expect_shape("1x3x1");
    rig.call.opset = 13;
    expect_refusal(STOIC_ERR_FORMAT, "no attribute 'axes'");
    begin("Squeeze", 13);
    input(LIST(1, 3, 1));
    expect_shape("3");
    integers(LIST(-1));
    expect_shape("1x3");
    integers(LIST(1));
    expect_refusal(STOIC_ERR_FORMAT, "at most 2 inputs");
    begin("Squeeze", 13);
    input(LIST(1, 3, 1));
    integers(LIST(1));
    expect_refusal(STOIC_ERR_SHAPE, "size of 1");
}

static void dropout_only_at_inference(void **state) {
    (void)state;
    begin("Dropout", 12);
    input(LIST(2));
    values(NUMBERS(1, 2));
    scalar_constant(0.5);
    scalar_constant(0);
    rig.call.n_out = 2;
    expect("2", NUMBERS(1, 2));
    assert_int_equal(rig.out[1].dtype, STOIC_BOOL);
    assert_true(rig.y[1][0] == 1 && rig.y[1][1] == 1);
    stoic_tensor_set(rig.tensors[1], 0, 1);
    expect_refusal(STOIC_ERR_UNSUPPORTED, "training mode");
}

static void concat(void **state) {
    (void)state;
    begin("Concat", 13);
    input(LIST(2, 1));
    values(NUMBERS(1, 2));
    input(LIST(2, 2));
    values(NUMBERS(10, 11, NAN, 21));
    expect_refusal(STOIC_ERR_FORMAT, "lacks the attribute 'axis'");
    attr_int("axis", -1);
    expect("2x3", NUMBERS(1, 10, 11, 2, NAN, 21));
    rig.attrs[0].i = 0;
    expect_refusal(STOIC_ERR_SHAPE, "does not fit the first");
    rig.attrs[0].i = 1;
    rig.in[1].dtype = STOIC_F64;
    expect_refusal(STOIC_ERR_SHAPE, "does not fit the first");
    rig.in[1].present = false;
    expect_refusal(STOIC_ERR_FORMAT, "lacks its input 2");
}

static void transpose(void **state) {
    (void)state;
    begin("Transpose", 13);
    input(LIST(1, 2, 3));
    values(NUMBERS(1, 2, 3, 4, 5, 6));
    expect("3x2x1", NUMBERS(1, 4, 2, 5, 3, 6));
    attr_ints("perm", LIST(2, 0, 1));
    expect("3x1x2", NUMBERS(1, 4, 2, 5, 3, 6));
    rig.call.n_attrs = 0;
    attr_ints("perm", LIST(0, 1, 1));
    expect_refusal(STOIC_ERR_FORMAT, "twice");
    rig.call.n_attrs = 0;
    attr_ints("perm", LIST(0, 1, 3));
    expect_refusal(STOIC_ERR_SHAPE, "axis 3");
    rig.attrs[0].count = 2;
    expect_refusal(STOIC_ERR_SHAPE, "needs 3 axes");
}

static void slice_by_input(const int64_t slice[4], int opset) {
    begin("Slice", opset);
    input(LIST(2, 4));
    values(NUMBERS(0, 1, 2, 3, 10, 11, 12, 13));
    for (size_t i = 0; i < 4; i++)
        integers(&slice[i], 1);
}

static void slice(void **state) {
    (void)state;
    begin("Slice", 9);
    input(LIST(2, 4));
    values(NUMBERS(0, 1, 2, 3, 10, 11, 12, 13));
    attr_ints("starts", LIST(1, -3));
    attr_ints("ends", LIST(INT64_MAX, -1));
    expect("1x2", NUMBERS(11, 12));
    rig.call.opset = 10;
    expect_refusal(STOIC_ERR_FORMAT, "no attribute 'starts'");
    /* start, end, axis, step */
    slice_by_input((int64_t[]){0, INT64_MAX, 1, 2}, 13);
    expect("2x2", NUMBERS(0, 2, 10, 12));
    slice_by_input((int64_t[]){-1, INT64_MIN, 1, -1}, 13);
    expect("2x4", NUMBERS(3, 2, 1, 0, 13, 12, 11, 10));
    slice_by_input((int64_t[]){INT64_MAX, 0, -1, -2}, 13);
    expect("2x2", NUMBERS(3, 1, 13, 11));
    slice_by_input((int64_t[]){1, INT64_MAX, 1, INT64_MAX}, 13);
    expect("2x1", NUMBERS(1, 11));
    slice_by_input((int64_t[]){2, INT64_MIN, 1, INT64_MIN}, 13);
    expect("2x1", NUMBERS(2, 12));
    slice_by_input((int64_t[]){0, 4, 1, 0}, 13);
    expect_refusal(STOIC_ERR_FORMAT, "step along axis 1 is 0");
    slice_by_input((int64_t[]){3, 1, 1, 1}, 13);
    expect_refusal(STOIC_ERR_SHAPE, "no elements");
    slice_by_input((int64_t[]){0, 1, 2, 1}, 13);
    expect_refusal(STOIC_ERR_SHAPE, "axis 2");
    rig.in[1].constant = NULL;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "computed value");
    slice_by_input((int64_t[]){0, INT64_MIN, 1, -1}, 13); /* of nothing, nothing */
    rig.in[0].shape.dim[1] = 0;
    rig.in[0].dtype = STOIC_I64;
    expect_shape("2x0");
    slice_by_input((int64_t[]){0, 1, 0, 1}, 13);
    rig.in[2].present = false;
    expect_refusal(STOIC_ERR_FORMAT, "1, 0, 1 and 1 values");
}

static void pad(void **state) {
    (void)state;
    begin("Pad", 10);
    input(LIST(2, 2));
    values(NUMBERS(1, 2, 3, NAN));
    attr_ints("pads", LIST(0, 1, 1, -1));
    attr_float("value", 9);
    expect("3x2", NUMBERS(9, 1, 9, 3, 9, 9));
    rig.call.opset = 11;
    expect_refusal(STOIC_ERR_FORMAT, "no attribute 'pads'");
    begin("Pad", 18);
    input(LIST(2, 2));
    values(NUMBERS(1, 2, 3, 4));
    integers(LIST(1, 0));
    scalar_constant(-INFINITY);
    integers(LIST(-1));
    expect("2x3", NUMBERS(-INFINITY, 1, 2, -INFINITY, 3, 4));
    rig.call.opset = 13;
    expect_refusal(STOIC_ERR_FORMAT, "at most 3 inputs");
    rig.call.opset = 18;
    attr_string("mode", "reflect");
    expect_refusal(STOIC_ERR_UNSUPPORTED, "mode 'reflect'");
    static const int64_t bad[][4] = {
        {INT64_MAX, 0, 0, 0},     {INT64_MIN, 0, 0, 0}, {1 << 30, 1 << 30, 1 << 30, 1 << 30},
        {1 << 15, 1 << 15, 0, 0}, {-1, 0, -1, 0},       {-3, 0, 0, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin("Pad", 13);
        input(LIST(2, 2));
        integers(bad[i], 4);
        expect_refusal(STOIC_ERR_SHAPE, "Pad");
    }
    begin("Pad", 13);
    input(LIST(2, 2));
    integers(LIST(1, 1));
    expect_refusal(STOIC_ERR_FORMAT, "needs 4 pads, found 2");
}

static void gather_and_expand(void **state) {
    (void)state;
    begin("Gather", 13);
    input(LIST(2, 3));
    values(NUMBERS(1, 2, 3, 4, 5, NAN));
    input(LIST(2))->dtype = STOIC_I64;
    values(NUMBERS(-1, 0));
    expect("2x3", NUMBERS(4, 5, NAN, 1, 2, 3));
    attr_int("axis", 1);
    expect("2x2", NUMBERS(3, 1, NAN, 4));
    rig.in[1].shape.rank = 0;
    expect("2", NUMBERS(3, NAN));
    rig.x[1][0] = 3;
    assert_int_equal(run(), STOIC_ERR_FORMAT);
    rig.x[1][0] = NAN;
    assert_int_equal(run(), STOIC_ERR_FORMAT);
    rig.in[1].dtype = STOIC_F32;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "float32 elements as input 2");
    begin("Expand", 13);
    input(LIST(2, 1));
    values(NUMBERS(1, 2));
    integers(LIST(2, 1, 2));
    expect("2x2x2", NUMBERS(1, 1, 2, 2, 1, 1, 2, 2));
    begin("Expand", 13);
    input(LIST(1));
    integers(LIST(1 << 13, 1 << 13));
    expect_refusal(STOIC_ERR_SHAPE, "too large");
    begin("Expand", 7);
    input(LIST(1));
    integers(LIST(1));
    expect_refusal(STOIC_ERR_UNSUPPORTED, "from opset 8 to 23, the model declares 7");
}

static void constants(void **state) {
    (void)state;
    begin("Constant", 12);
    expect_refusal(STOIC_ERR_FORMAT, "needs one value, found 0");
    attr_ints("value_ints", LIST(4, -1));
    expect("2", NUMBERS(4, -1));
    assert_int_equal(rig.out[0].dtype, STOIC_I64);
    rig.call.n_attrs = 0;
    attr_float("value_float", 1.5f);
    expect("scalar", NUMBERS(1.5));
    rig.call.n_attrs = 0;
    attr_int("value_int", 3);
    expect("scalar", NUMBERS(3));
    rig.call.n_attrs = 0;
    stoic_attr *attr = attr_new("value_floats", STOIC_ATTR_FLOATS);
    attr->floats = (float[]){0.5f, 2};
    attr->count = 2;
    expect("2", NUMBERS(0.5, 2));
    rig.call.n_attrs = 0;
    const stoic_shape shape = {.rank = 2, .dim = {1, 2}};
    attr = attr_new("value", STOIC_ATTR_TENSOR);
    expect_refusal(STOIC_ERR_FORMAT, "needs one value");
    attr->tensor = tensor_of(STOIC_I32, &shape, (const double[]){7, 8});
    expect("1x2", NUMBERS(7, 8));
    assert_int_equal(rig.out[0].dtype, STOIC_I32);
    attr_string("value_string", "x");
    expect_refusal(STOIC_ERR_UNSUPPORTED, "'value_string'");
    begin("ConstantOfShape", 9);
    integers(LIST(2, 1));
    expect("2x1", NUMBERS(0, 0));
    attr_new("value", STOIC_ATTR_TENSOR)->tensor =
        tensor_of(STOIC_I64, &(stoic_shape){.rank = 1, .dim = {1}}, (const double[]){5});
    expect("2x1", NUMBERS(5, 5));
    rig.attrs[0].tensor = tensor_of(STOIC_I64, &shape, (const double[]){5, 6});
    expect_refusal(STOIC_ERR_FORMAT, "needs one element");
    static const int64_t bad[][2] = {{-1, 2}, {INT64_MAX, INT64_MAX}, {1 << 20, 1 << 20}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin("ConstantOfShape", 9);
        integers(bad[i], 2);
        expect_refusal(STOIC_ERR_SHAPE, "negative or too large");
    }
}

static void shape_of(void **state) {
    (void)state;
    static const struct {
        int64_t start, end;
        const char *shape;
        double y[3];
        size_t count;
    } cases[] = {{0, 3, "3", {2, 3, 4}, 3},
                 {-1, 9, "1", {4}, 1},
                 {-9, -1, "2", {2, 3}, 2},
                 {2, 1, "0", {0}, 0},
                 {INT64_MIN, INT64_MAX, "3", {2, 3, 4}, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin("Shape", 15);
        input(LIST(2, 3, 4));
        attr_int("start", cases[i].start);
        attr_int("end", cases[i].end);
        expect(cases[i].shape, cases[i].y, cases[i].count);
        assert_int_equal(rig.out[0].dtype, STOIC_I64);
    }
    rig.call.opset = 13;
    expect_refusal(STOIC_ERR_FORMAT, "no attribute 'start'");
}

static void range_and_cast(void **state) {
    (void)state;
    begin("Range", 11);
    scalar_constant(1);
    scalar_constant(2.6);
    scalar_constant(0.5);
    expect("4", NUMBERS(1, 1.5, 2, 2.5));
    static const double bad[][3] = {{0, 1, 0},   {0, 0, 0},   {0, INFINITY, 1},
                                    {0, 1e9, 1}, {0, NAN, 1}, {0, 1, NAN}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin("Range", 11);
        for (size_t k = 0; k < 3; k++)
            scalar_constant(bad[i][k]);
        expect_refusal(STOIC_ERR_SHAPE, "endless or too long");
    }
    static const struct {
        int64_t to;
        double y[5];
    } casts[] = {{1, {-1.5, 0.1f, NAN, 3e9, INFINITY}},
                 {11, {-1.5, 0.1, NAN, 3e9, INFINITY}},
                 {6, {-1, 0, 0, INT32_MAX, INT32_MAX}},
                 {7, {-1, 0, 0, 3e9, 0x1p63}},
                 {9, {1, 1, 1, 1, 1}}};
    for (size_t i = 0; i < sizeof casts / sizeof *casts; i++) {
        begin("Cast", 13);
        input(LIST(5));
        values(NUMBERS(-1.5, 0.1, NAN, 3e9, INFINITY));
        attr_int("to", casts[i].to);
        expect("5", casts[i].y, 5);
    }
    rig.attrs[0].i = 10;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "element type 10");
    rig.call.n_attrs = 0;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "element type 0");
}

/* What the shared checks refuse before an operator is asked. */
static void shared_checks(void **state) {
    (void)state;
    begin("Relu", 13);
    expect_refusal(STOIC_ERR_FORMAT, "lacks its input 1");
    input(LIST(1));
    rig.call.opset = 24;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "from opset 7 to 23");
    rig.call.opset = 6;
    expect_refusal(STOIC_ERR_UNSUPPORTED, "declares 6");
    rig.call.opset = 13;
    input(LIST(1));
    expect_refusal(STOIC_ERR_FORMAT, "at most 1 inputs, found 2");
    rig.call.n_in = 1;
    rig.call.n_out = 0;
    expect_refusal(STOIC_ERR_FORMAT, "no output");
    rig.call.n_out = 1;
    attr_int("alpha", 1);
    expect_refusal(STOIC_ERR_UNSUPPORTED, "'alpha' that is not understood");
    rig.call.op = &stoic_op_leaky_relu;
    expect_refusal(STOIC_ERR_FORMAT, "needs a float as attribute 'alpha', found an integer");
    assert_true(stoic_attr_float(&rig.call, "alpha", 7) == 7);
    rig.call.n_attrs = 0;
    attr_float("alpha", 1);
    attr_float("alpha", 2);
    expect_refusal(STOIC_ERR_FORMAT, "'alpha' twice");
    rig.call.n_attrs = 1;
    static const int64_t sizes[] = {-1, 0, INT64_MIN, INT64_MAX, INT64_C(1) << 31};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        rig.in[0].shape.dim[0] = sizes[i];
        expect_refusal(STOIC_ERR_SHAPE, "input 1");
    }
    rig.in[0].shape.rank = STOIC_MAX_RANK + 1;
    expect_refusal(STOIC_ERR_SHAPE, "9 axes");
    rig.in[0].shape.rank = -1;
    expect_refusal(STOIC_ERR_SHAPE, "axes");
    /* empty integer vectors belong to shape arithmetic */
    begin("Concat", 13);
    input(LIST(0))->dtype = STOIC_I64;
    input(LIST(2))->dtype = STOIC_I64;
    values(NUMBERS(3, 4));
    attr_int("axis", 0);
    expect("2", NUMBERS(3, 4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(softmax_changes_at_13, rig_free),
        cmocka_unit_test_teardown(reduce_mean, rig_free),
        cmocka_unit_test_teardown(arithmetic, rig_free),
        cmocka_unit_test_teardown(shapes_without_values, rig_free),
        cmocka_unit_test_teardown(dropout_only_at_inference, rig_free),
        cmocka_unit_test_teardown(concat, rig_free),
        cmocka_unit_test_teardown(transpose, rig_free),
        cmocka_unit_test_teardown(slice, rig_free),
        cmocka_unit_test_teardown(pad, rig_free),
        cmocka_unit_test_teardown(gather_and_expand, rig_free),
        cmocka_unit_test_teardown(constants, rig_free),
        cmocka_unit_test_teardown(shape_of, rig_free),
        cmocka_unit_test_teardown(range_and_cast, rig_free),
        cmocka_unit_test_teardown(shared_checks, rig_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
