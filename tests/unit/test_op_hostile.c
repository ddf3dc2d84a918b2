/*
 * Inference and plain kernels against damaged calls: valid calls of every operator, with up to
 * four random changes to shapes, element types, constants, attributes and versions. Whatever
 * comes, the call is refused by name or the kernel stays inside buffers of exactly the inferred
 * size (which the sanitizers see).
 */
#include "op_rig.h"

enum { ROUNDS = 4000, SMALL = 2048 };

enum { VALUE, INTS, FLOATS, BOOLS }; /* computed; constant integers; constant floats; computed */

typedef struct operand_seed {
    int what, rank;
    int64_t dim[5];
    int64_t list[4]; /* elements of a constant */
} operand_seed;

typedef struct seed {
    const char *op;
    int opset;
    operand_seed in[5];
    struct {
        const char *name;
        int64_t list[4];
        size_t count; /* 0: an integer */
    } attr[3];
} seed;

#define IMAGE                                                                                      \
    {                                                                                              \
        VALUE, 4, {1, 4, 5, 5}, {                                                                  \
            0                                                                                      \
        }                                                                                          \
    }
#define PLAIN(...)                                                                                 \
    {                                                                                              \
        VALUE, sizeof((int[]){__VA_ARGS__}) / sizeof(int), {__VA_ARGS__}, {                        \
            0                                                                                      \
        }                                                                                          \
    }
#define CONDITION                                                                                  \
    {                                                                                              \
        BOOLS, 4, {1, 4, 5, 5}, {                                                                  \
            0                                                                                      \
        }                                                                                          \
    }
#define WHOLE(n, ...)                                                                              \
    {                                                                                              \
        INTS, 1, {n}, {                                                                            \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define SINGLE(x)                                                                                  \
    {                                                                                              \
        FLOATS, 0, {0}, {                                                                          \
            x                                                                                      \
        }                                                                                          \
    }
#define ATTR(name, ...)                                                                            \
    { name, {__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int) }
#define ATTR_INT(name, x)                                                                          \
    { name, {x}, 0 }

static const seed seeds[] = {
    {"Abs", 13, {IMAGE}, {{0}}},
    {"Add", 13, {IMAGE, PLAIN(4, 1, 1)}, {{0}}},
    {"Alarm", 1, {IMAGE, PLAIN(1, 1)}, {{0}}},
    {"AveragePool",
     19,
     {IMAGE},
     {ATTR("kernel_shape", 2, 3), ATTR("strides", 2, 1), ATTR("pads", 1, 0, 1, 2)}},
    {"BatchNormalization", 9, {IMAGE, PLAIN(4), PLAIN(4), PLAIN(4), PLAIN(4)}, {{0}}},
    {"Cast", 13, {PLAIN(3)}, {ATTR_INT("to", 7)}},
    {"Checksum", 1, {IMAGE, PLAIN(1, 2, 5, 5)}, {ATTR_INT("terms", 9)}},
    {"Checksum", 1, {IMAGE, PLAIN(1, 1), PLAIN(1, 1), PLAIN(1, 1)}, {ATTR_INT("terms", 9)}},
    {"Clip", 11, {IMAGE, SINGLE(0), SINGLE(6)}, {{0}}},
    {"Concat", 13, {IMAGE, IMAGE}, {ATTR_INT("axis", 1)}},
    {"Constant", 12, {{0}}, {ATTR("value_ints", 1, 2)}},
    {"ConstantOfShape", 9, {WHOLE(2, 2, 3)}, {{0}}},
    {"Conv",
     11,
     {IMAGE, PLAIN(6, 2, 3, 2), PLAIN(6)},
     {ATTR_INT("group", 2), ATTR("pads", 1, 2, 0, 1), ATTR("dilations", 2, 1)}},
    {"Conv", 11, {IMAGE, PLAIN(6, 4, 1, 2)}, {ATTR("strides", 2, 3)}},
    {"Div", 13, {IMAGE, IMAGE}, {{0}}},
    {"Dropout", 12, {IMAGE, SINGLE(0), SINGLE(0)}, {ATTR_INT("seed", 1)}},
    {"Equal", 13, {IMAGE, PLAIN(4, 1, 1)}, {{0}}},
    {"Expand", 13, {PLAIN(3, 1), WHOLE(3, 2, 1, 4)}, {{0}}},
    {"Flatten", 13, {IMAGE}, {ATTR_INT("axis", 2)}},
    {"Gather", 13, {IMAGE, WHOLE(2, 1, -1)}, {ATTR_INT("axis", 1)}},
    {"Gemm",
     13,
     {PLAIN(3, 2), PLAIN(4, 3), PLAIN(4)},
     {ATTR_INT("transA", 1), ATTR_INT("transB", 1)}},
    {"GlobalAveragePool", 9, {IMAGE}, {{0}}},
    {"Greater", 13, {IMAGE, SINGLE(2)}, {{0}}},
    {"HardSigmoid", 9, {IMAGE}, {{0}}},
    {"HardSwish", 14, {IMAGE}, {{0}}},
    {"Identity", 13, {IMAGE}, {{0}}},
    {"IsNaN", 13, {IMAGE}, {{0}}},
    {"LeakyRelu", 9, {IMAGE}, {{0}}},
    {"Less", 9, {PLAIN(4, 5, 5), IMAGE}, {{0}}},
    {"LogSoftmax", 11, {IMAGE}, {ATTR_INT("axis", 2)}},
    {"MatMul", 9, {PLAIN(2, 3, 4), PLAIN(2, 4, 2)}, {{0}}},
    {"MaxPool",
     12,
     {IMAGE},
     {ATTR("kernel_shape", 3, 2), ATTR("strides", 2, 3), ATTR_INT("ceil_mode", 1)}},
    {"Mul", 13, {PLAIN(1), IMAGE}, {{0}}},
    {"Pad", 18, {PLAIN(2, 3), WHOLE(2, 1, -1), SINGLE(1), WHOLE(1, -1)}, {{0}}},
    {"Pad", 9, {PLAIN(2, 3)}, {ATTR("pads", 0, 1, 1, 2)}},
    {"Range", 11, {SINGLE(0), SINGLE(5), SINGLE(2)}, {{0}}},
    {"ReduceMean", 13, {IMAGE}, {ATTR("axes", 2, -1), ATTR_INT("keepdims", 0)}},
    {"ReduceMean", 18, {IMAGE, WHOLE(2, 0, -2)}, {{0}}},
    {"Relu", 13, {IMAGE}, {{0}}},
    {"Reshape", 14, {IMAGE, WHOLE(3, 0, -1, 10)}, {{0}}},
    {"Reshape", 14, {IMAGE, WHOLE(2, 20, 5)}, {{0}}},
    {"Shape", 15, {IMAGE}, {ATTR_INT("start", 1), ATTR_INT("end", -1)}},
    {"Sigmoid", 13, {IMAGE}, {{0}}},
    {"Slice",
     13,
     {IMAGE, WHOLE(2, 0, -1), WHOLE(2, 3, -9), WHOLE(2, 1, 3), WHOLE(2, 2, -2)},
     {{0}}},
    {"Slice", 9, {IMAGE}, {ATTR("starts", 1, 0), ATTR("ends", 3, -1), ATTR("axes", 1, -1)}},
    {"Softmax", 13, {IMAGE}, {ATTR_INT("axis", 1)}},
    {"Squeeze", 13, {PLAIN(1, 3, 1), WHOLE(1, -1)}, {{0}}},
    {"Squeeze", 11, {PLAIN(1, 3, 1)}, {ATTR("axes", 0, 2)}},
    {"Sub", 13, {IMAGE, PLAIN(1)}, {{0}}},
    {"Tanh", 13, {IMAGE}, {{0}}},
    {"Transpose", 13, {IMAGE}, {ATTR("perm", 0, 2, 3, 1)}},
    {"Unsqueeze", 13, {PLAIN(3), WHOLE(2, 0, -1)}, {{0}}},
    {"Where", 16, {CONDITION, SINGLE(0), IMAGE}, {{0}}},
    {"Where", 9, {CONDITION, PLAIN(5), PLAIN(4, 1, 5)}, {{0}}},
    {"WindowSum",
     1,
     {IMAGE},
     {ATTR("kernel_shape", 3, 2), ATTR("strides", 2, 1), ATTR("pads", 1, 0, 1, 2)}},
};

static uint64_t random_state;

/* xorshift64*, seeded anew by each test */
static uint64_t draw(uint64_t n) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * UINT64_C(2685821657736338717) >> 16) % n;
}

static int64_t nasty(void) {
    static const int64_t pool[] = {0,
                                   1,
                                   2,
                                   3,
                                   4,
                                   5,
                                   7,
                                   -1,
                                   -2,
                                   -3,
                                   -5,
                                   16,
                                   255,
                                   1 << 16,
                                   1 << 20,
                                   INT32_MAX,
                                   INT64_C(1) << 31,
                                   INT64_C(1) << 32,
                                   INT32_MIN,
                                   INT64_C(1) << 62,
                                   INT64_MAX,
                                   INT64_MAX - 1,
                                   INT64_MIN,
                                   INT64_MIN + 1,
                                   -(INT64_C(1) << 32)};
    const size_t n = sizeof pool / sizeof *pool;
    return pool[draw(3) ? draw(11) : draw(n)];
}

static int64_t lists[RIG_OPERANDS][8]; /* of attributes */
static double constants[RIG_OPERANDS][8];

static void plant(const seed *s) {
    begin(s->op, s->opset);
    for (size_t i = 0; i < 5 && (s->in[i].rank || s->in[i].what); i++) {
        const operand_seed *from = &s->in[i];
        stoic_operand *in = input(from->dim, (size_t)from->rank);
        in->dtype = from->what == INTS ? STOIC_I64 : from->what == BOOLS ? STOIC_BOOL : STOIC_F32;
        for (int k = 0; k < 4; k++)
            constants[i][k] = (double)from->list[k];
    }
    for (size_t i = 0; i < 3 && s->attr[i].name; i++) {
        memcpy(lists[i], s->attr[i].list, sizeof s->attr[i].list);
        if (s->attr[i].count)
            attr_ints(s->attr[i].name, lists[i], s->attr[i].count);
        else
            attr_int(s->attr[i].name, s->attr[i].list[0]);
    }
}

static void damage_operand(bool *constant) {
    if (!rig.call.n_in)
        return;
    size_t i = draw(rig.call.n_in);
    stoic_operand *in = &rig.in[i];
    switch (draw(6)) {
    case 0:
        in->shape.dim[draw(STOIC_MAX_RANK)] = nasty();
        break;
    case 1:
        in->shape.rank = (int)draw(11) - 1;
        for (int k = 0; k < STOIC_MAX_RANK; k++)
            in->shape.dim[k] = in->shape.dim[k] ? in->shape.dim[k] : 1;
        break;
    case 2:
        in->dtype = (stoic_dtype)draw(5);
        break;
    case 3:
        constants[i][draw(4)] = draw(9) ? (double)nasty() : NAN;
        break;
    case 4:
        constant[i] = !constant[i];
        break;
    default:
        in->present = false;
    }
}

static void add_attr(void) {
    static const char *const strings[] = {
        "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "constant", "edge", ""};
    const stoic_attr_spec *spec = rig.call.op->attrs;
    size_t n = 0;
    while (spec[n].name)
        n++;
    if (!n || rig.call.n_attrs == RIG_OPERANDS)
        return;
    spec += draw(n);
    for (size_t i = 0; i < rig.call.n_attrs; i++)
        if (strcmp(rig.attrs[i].name, spec->name) == 0 && draw(8))
            return;
    size_t slot = rig.call.n_attrs;
    for (size_t k = 0; k < 8; k++)
        lists[slot][k] = nasty();
    stoic_attr *attr = attr_new(spec->name, spec->kind);
    static float floats[8] = {0.5f, -1, 3};
    attr->i = nasty();
    attr->f = draw(4) ? (float)nasty() : NAN;
    attr->s = (char *)(uintptr_t)strings[draw(7)];
    attr->ints = lists[slot];
    attr->floats = floats;
    attr->count = draw(9);
}

static void damage_attr(void) {
    if (!rig.call.n_attrs || draw(3) == 0) {
        add_attr();
        return;
    }
    stoic_attr *attr = &rig.attrs[draw(rig.call.n_attrs)];
    switch (draw(4)) {
    case 0:
        attr->i = nasty();
        break;
    case 1:
        attr->count = attr->kind == STOIC_ATTR_INTS ? draw(9) : attr->count;
        break;
    case 2:
        lists[attr - rig.attrs][draw(8)] = nasty();
        break;
    default:
        *attr = rig.attrs[--rig.call.n_attrs];
        memcpy(lists[attr - rig.attrs], lists[rig.call.n_attrs], sizeof *lists);
        if (attr->kind == STOIC_ATTR_INTS)
            attr->ints = lists[attr - rig.attrs];
    }
}

static void damage(bool *constant) {
    uint64_t kind = draw(20);
    if (kind < 10)
        damage_operand(constant);
    else if (kind < 17)
        damage_attr();
    else if (kind == 17)
        rig.call.opset = (int)draw(21) + 5;
    else if (kind == 18)
        rig.call.n_out = draw(3);
    else
        rig.call.n_in = draw(RIG_OPERANDS + 1);
}

/* A builder hands out constants whose shape is the operand's. */
static void bind_constants(const bool *constant) {
    for (size_t i = 0; i < rig.call.n_in; i++) {
        const stoic_shape *shape = &rig.in[i].shape;
        bool ranked = shape->rank >= 0 && shape->rank <= STOIC_MAX_RANK;
        int64_t count = ranked ? stoic_shape_count(shape) : -1;
        if (constant[i] && count >= 0 && count <= 8)
            rig.in[i].constant = tensor_of(rig.in[i].dtype, shape, constants[i]);
    }
}

static double *buffer(const stoic_shape *shape) {
    int64_t count = stoic_shape_count(shape);
    double *x = malloc(count ? (size_t)count * sizeof *x : 1);
    assert_non_null(x);
    static const double odd[] = {1, -2, 0.5, 0, NAN, INFINITY, -INFINITY, 1e300};
    for (int64_t i = 0; i < count; i++)
        x[i] = odd[draw(8)];
    return x;
}

static bool is_small(const stoic_operand *operands, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (operands[i].present && stoic_shape_count(&operands[i].shape) > SMALL)
            return false;
    return true;
}

static void check_kernel(void) {
    double *in[RIG_OPERANDS] = {NULL}, *out[2] = {NULL};
    if (!is_small(rig.in, rig.call.n_in) || !is_small(rig.out, rig.call.n_out))
        return;
    for (size_t i = 0; i < rig.call.n_in; i++) {
        in[i] = rig.in[i].present ? buffer(&rig.in[i].shape) : NULL;
        const stoic_tensor *constant = rig.in[i].constant;
        for (int64_t k = 0; in[i] && constant && k < stoic_tensor_count(constant); k++)
            in[i][k] = stoic_tensor_get(constant, k);
    }
    for (size_t i = 0; i < rig.call.n_out; i++)
        out[i] = buffer(&rig.out[i].shape);
    stoic_status status =
        rig.call.op->reference(&rig.call, (const double *const *)in, out, &rig.err);
    assert_true(status == STOIC_OK || strcmp(rig.err.place, "the-node") == 0);
    for (size_t i = 0; i < RIG_OPERANDS; i++)
        free(in[i]);
    free(out[0]);
    free(out[1]);
}

/* Whether the call was understood. */
static bool check_call(void) {
    rig.out[1].present = true;
    stoic_status status = infer();
    if (status != STOIC_OK) {
        assert_true(status == STOIC_ERR_SHAPE || status == STOIC_ERR_FORMAT ||
                    status == STOIC_ERR_UNSUPPORTED);
        assert_string_equal(rig.err.place, "the-node");
        assert_non_null(strstr(rig.err.message, rig.call.op->name));
        return false;
    }
    for (size_t i = 0; i < rig.call.n_out; i++) {
        int64_t count = stoic_shape_count(&rig.out[i].shape);
        assert_true(count >= 0 && count <= INT32_MAX);
        assert_true(count > 0 || rig.out[i].dtype >= STOIC_I32);
    }
    const stoic_op *op = rig.call.op;
    /* the kernel that copies in order relies on this */
    assert_true(op->reference != stoic_op_reshape.reference ||
                stoic_shape_count(&rig.out[0].shape) == stoic_shape_count(&rig.in[0].shape));
    assert_true(!op->macs || op->macs(&rig.call) > 0);
    assert_true(!op->lipschitz || op->lipschitz(&rig.call) >= 0 || isnan(op->lipschitz(&rig.call)));
    check_kernel();
    return true;
}

static void seeds_are_valid_and_cover_the_list(void **state) {
    (void)state;
    size_t count;
    const stoic_op *const *ops = stoic_op_all(&count);
    random_state = 1;
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof seeds / sizeof *seeds; k++)
            found = found || strcmp(seeds[k].op, ops[i]->name) == 0;
        assert_true(found);
    }
    for (size_t k = 0; k < sizeof seeds / sizeof *seeds; k++) {
        bool constant[RIG_OPERANDS];
        plant(&seeds[k]);
        for (size_t i = 0; i < 5; i++)
            constant[i] = seeds[k].in[i].what == INTS || seeds[k].in[i].what == FLOATS;
        bind_constants(constant);
        if (!check_call())
            print_message("%s: %s\n", seeds[k].op, rig.err.message);
        assert_int_equal(rig.err.code, STOIC_OK);
    }
}

static void damaged_calls_are_refused_or_run(void **state) {
    (void)state;
    random_state = 20260101;
    for (size_t k = 0; k < sizeof seeds / sizeof *seeds; k++) {
        int understood = 0;
        for (int round = 0; round < ROUNDS; round++) {
            bool constant[RIG_OPERANDS] = {false};
            plant(&seeds[k]);
            for (size_t i = 0; i < 5; i++)
                constant[i] = seeds[k].in[i].what == INTS || seeds[k].in[i].what == FLOATS;
            for (uint64_t n = draw(4) + 1; n > 0; n--)
                damage(constant);
            bind_constants(constant);
            understood += check_call();
        }
        /* neither all refused nor all let through */
        assert_in_range(understood, ROUNDS / 50, ROUNDS - ROUNDS / 10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(seeds_are_valid_and_cover_the_list, rig_free),
        cmocka_unit_test_teardown(damaged_calls_are_refused_or_run, rig_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
