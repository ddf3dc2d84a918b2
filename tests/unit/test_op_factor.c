/* Positive homogeneity: what homogeneous() names, multiplied by 4, multiplies the output by 4, and
 * no less than that does. */
#include "op_rig.h"

static const double varied[] = {-3, 2, 0.5, -0.25, 7, 1.5, -2, 4, 0.125, -6, 3, 1, -1, 5, -0.5, 9};
#define VARIED varied, sizeof varied / sizeof *varied

/* Is the output 4 times as large when the inputs in `set` are? Constants keep their tensors: no
 * operator here reads a value for its shape that it scales. */
static bool scales(uint64_t set) {
    double before[RIG_ELEMENTS];
    assert_int_equal(infer(), STOIC_OK);
    assert_int_equal(run(), STOIC_OK);
    int64_t n = stoic_shape_count(&rig.out[0].shape), moved = 0;
    memcpy(before, rig.y[0], sizeof before);
    for (size_t i = 0; i < rig.call.n_in; i++) {
        for (int k = 0; k < RIG_ELEMENTS && (set >> i & 1); k++)
            rig.x[i][k] *= 4;
    }
    assert_int_equal(run(), STOIC_OK);
    bool four = true;
    for (int64_t k = 0; k < n; k++) {
        four &= rig.y[0][k] == 4 * before[k];
        moved += rig.y[0][k] != before[k];
    }
    for (size_t i = 0; i < rig.call.n_in; i++) {
        for (int k = 0; k < RIG_ELEMENTS && (set >> i & 1); k++)
            rig.x[i][k] /= 4;
    }
    return four && moved > 0;
}

/* The set that the operator names is `expected`, and it is right; without any one of its members
 * it is not. */
static void check(uint64_t expected) {
    assert_int_equal(infer(), STOIC_OK);
    uint64_t named = stoic_op_homogeneous(&rig.call);
    uint64_t present = ((uint64_t)1 << rig.call.n_in) - 1;
    if ((named & present) != expected)
        fail_msg("%s names %llx, expected %llx", rig.call.op->name, (unsigned long long)named,
                 (unsigned long long)expected);
    if (!expected) {
        assert_false(scales(1));
        return;
    }
    if (!scales(expected))
        fail_msg("%s does not scale", rig.call.op->name);
    for (size_t i = 0; i < rig.call.n_in; i++) {
        if ((expected >> i & 1) && scales(expected & ~((uint64_t)1 << i)))
            fail_msg("%s does without input %zu", rig.call.op->name, i);
    }
}

static void one(const char *op, const int64_t *dims, size_t rank) {
    begin(op, 14);
    input(dims, rank);
    values(VARIED);
}

static void more(const int64_t *dims, size_t rank, bool constant) {
    input(dims, rank);
    values(VARIED);
    if (constant)
        make_constant(STOIC_F32);
}

static void layers(void **state) {
    (void)state;
    one("Conv", LIST(1, 1, 4, 4));
    more(LIST(2, 1, 3, 3), true);
    check(1);
    more(LIST(2), true);
    check(5);
    one("Gemm", LIST(1, 4));
    more(LIST(4, 3), true);
    attr_float("alpha", 0.5f);
    attr_float("beta", 0.25f);
    check(1);
    more(LIST(3), true);
    check(5);
    one("MatMul", LIST(1, 4));
    more(LIST(4, 3), true);
    check(1);
    begin("MatMul", 14);
    input(LIST(4, 4));
    values(VARIED);
    make_constant(STOIC_F32);
    more(LIST(4, 1), false);
    check(2);
    one("MatMul", LIST(1, 4)); /* of two computed values the factors multiply */
    more(LIST(4, 3), false);
    assert_true(stoic_op_homogeneous(&rig.call) == 0);
}

static void arithmetic(void **state) {
    (void)state;
    for (int constant = 0; constant < 2; constant++) {
        one("Add", LIST(1, 4));
        more(LIST(4), constant);
        check(3);
        one("Sub", LIST(1, 4));
        more(LIST(1, 1), constant);
        check(3);
    }
    one("Mul", LIST(1, 4));
    more(LIST(4), true);
    check(1);
    begin("Mul", 14);
    input(LIST(4));
    values(VARIED);
    make_constant(STOIC_F32);
    more(LIST(1, 4), false);
    check(2);
    one("Div", LIST(1, 4));
    more(LIST(4), true);
    check(1);
    one("Mul", LIST(1, 4));
    more(LIST(1, 4), false);
    assert_true(stoic_op_homogeneous(&rig.call) == 0);
    one("Div", LIST(1, 4));
    more(LIST(1, 4), false);
    assert_true(stoic_op_homogeneous(&rig.call) == 0);
}

static void joins_and_pads(void **state) {
    (void)state;
    one("Concat", LIST(1, 2));
    more(LIST(1, 3), false);
    more(LIST(1, 1), true);
    attr_int("axis", 1);
    check(7);
    one("Pad", LIST(1, 4));
    integers(LIST(0, 1, 0, 2));
    check(1);
    scalar_constant(0);
    check(1);
    one("Pad", LIST(1, 4));
    integers(LIST(0, 1, 0, 2));
    scalar_constant(2);
    check(0);
}

static void clips(void **state) {
    (void)state;
    static const struct {
        double low, high;
        uint64_t set;
    } bounds[] = {
        {0, INFINITY, 1}, {-INFINITY, 0, 1}, {0, 6, 0}, {-1, INFINITY, 0}, {-0.0, INFINITY, 1}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        one("Clip", LIST(1, 8));
        scalar_constant(bounds[i].low);
        scalar_constant(bounds[i].high);
        check(bounds[i].set);
    }
}

static void functions(void **state) {
    (void)state;
    static const char *const yes[] = {"Relu",    "LeakyRelu", "GlobalAveragePool",
                                      "Dropout", "Flatten",   "Transpose"};
    static const char *const no[] = {"Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Softmax"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        one(yes[i], LIST(1, 2, 2, 4));
        check(1);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        one(no[i], LIST(1, 2, 2, 4));
        check(0);
    }
    static const char *const pools[] = {"MaxPool", "AveragePool"};
    for (size_t i = 0; i < 2; i++) {
        one(pools[i], LIST(1, 1, 4, 4));
        attr_ints("kernel_shape", LIST(2, 2));
        attr_ints("pads", LIST(1, 0, 0, 1));
        check(1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(layers, rig_free),
        cmocka_unit_test_teardown(arithmetic, rig_free),
        cmocka_unit_test_teardown(joins_and_pads, rig_free),
        cmocka_unit_test_teardown(clips, rig_free),
        cmocka_unit_test_teardown(functions, rig_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
