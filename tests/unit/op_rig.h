/* One operator call, built piece by piece and run through inference and the plain kernel. */
#ifndef OP_RIG_H
#define OP_RIG_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "op/geometry.h"
#include "op/op.h"

enum { RIG_OPERANDS = 6, RIG_ELEMENTS = 4096 };

typedef struct op_rig {
    stoic_op_call call;
    stoic_operand in[RIG_OPERANDS], out[2];
    stoic_attr attrs[RIG_OPERANDS];
    stoic_tensor *tensors[2 * RIG_OPERANDS];
    size_t n_tensors;
    double x[RIG_OPERANDS][RIG_ELEMENTS], y[2][RIG_ELEMENTS];
    stoic_error err;
} op_rig;

static op_rig rig;

static inline int rig_free(void **state) {
    (void)state;
    for (size_t i = 0; i < rig.n_tensors; i++)
        stoic_tensor_free(rig.tensors[i]);
    rig.n_tensors = 0;
    return 0;
}

static inline void begin(const char *op, int opset) {
    rig_free(NULL);
    memset(&rig, 0, offsetof(op_rig, x));
    rig.call = (stoic_op_call){.op = stoic_op_find("", op),
                               .node = "the-node",
                               .opset = opset,
                               .attrs = rig.attrs,
                               .in = rig.in,
                               .out = rig.out,
                               .n_out = 1};
    rig.out[0].present = true;
    if (!rig.call.op)
        rig.call.op = stoic_op_find("ai.stoic", op);
    assert_non_null(rig.call.op);
}

#define LIST(...)    (const int64_t[]){__VA_ARGS__}, sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)
#define NUMBERS(...) (const double[]){__VA_ARGS__}, sizeof(double[]){__VA_ARGS__} / sizeof(double)
#define SCALAR       NULL, 0

static inline stoic_operand *input(const int64_t *dims, size_t rank) {
    stoic_operand *operand = &rig.in[rig.call.n_in++];
    *operand = (stoic_operand){.present = true, .dtype = STOIC_F32, .shape.rank = (int)rank};
    for (size_t i = 0; i < rank; i++)
        operand->shape.dim[i] = dims[i];
    return operand;
}

/* The values of the input added last; those not given repeat the last one. */
static inline void values(const double *from, size_t count) {
    double *x = rig.x[rig.call.n_in - 1];
    for (size_t i = 0; i < RIG_ELEMENTS; i++)
        x[i] = from[i < count ? i : count - 1];
}

static inline void input_left_out(void) {
    rig.call.n_in++;
}

static inline stoic_tensor *tensor_of(stoic_dtype dtype, const stoic_shape *shape,
                                      const double *from) {
    stoic_tensor *tensor;
    assert_int_equal(stoic_tensor_create(dtype, shape, &tensor, NULL), STOIC_OK);
    for (int64_t i = 0; i < stoic_tensor_count(tensor); i++)
        stoic_tensor_set(tensor, i, from[i]);
    return rig.tensors[rig.n_tensors++] = tensor;
}

/* Makes the input added last a constant with its values. */
static inline void make_constant(stoic_dtype dtype) {
    stoic_operand *operand = &rig.in[rig.call.n_in - 1];
    operand->dtype = dtype;
    operand->constant = tensor_of(dtype, &operand->shape, rig.x[rig.call.n_in - 1]);
}

/* A constant vector of int64, exact over the whole range. */
static inline void integers(const int64_t *from, size_t count) {
    stoic_operand *operand = input((const int64_t[]){(int64_t)count}, 1);
    make_constant(STOIC_I64);
    for (size_t i = 0; i < count; i++) {
        ((int64_t *)stoic_tensor_mutable_data(rig.tensors[rig.n_tensors - 1]))[i] = from[i];
        rig.x[operand - rig.in][i] = (double)from[i];
    }
}

static inline void scalar_constant(double value) {
    input(SCALAR);
    values(&value, 1);
    make_constant(STOIC_F32);
}

static inline stoic_attr *attr_new(const char *name, stoic_attr_kind kind) {
    stoic_attr *attr = &rig.attrs[rig.call.n_attrs++];
    *attr = (stoic_attr){.name = (char *)(uintptr_t)name, .kind = kind};
    return attr;
}

static inline void attr_int(const char *name, int64_t value) {
    attr_new(name, STOIC_ATTR_INT)->i = value;
}

static inline void attr_float(const char *name, float value) {
    attr_new(name, STOIC_ATTR_FLOAT)->f = value;
}

static inline void attr_string(const char *name, const char *value) {
    attr_new(name, STOIC_ATTR_STRING)->s = (char *)(uintptr_t)value;
}

static inline void attr_ints(const char *name, const int64_t *list, size_t count) {
    stoic_attr *attr = attr_new(name, STOIC_ATTR_INTS);
    attr->ints = (int64_t *)(uintptr_t)list;
    attr->count = count;
}

static inline stoic_status infer(void) {
    rig.err = (stoic_error){.code = STOIC_OK};
    return stoic_op_infer(&rig.call, &rig.err);
}

static inline stoic_status run(void) {
    const double *in[RIG_OPERANDS];
    double *out[2] = {rig.y[0], rig.y[1]};
    for (size_t i = 0; i < RIG_OPERANDS; i++)
        in[i] = i < rig.call.n_in && rig.in[i].present ? rig.x[i] : NULL;
    return rig.call.op->reference(&rig.call, in, out, &rig.err);
}

/* Whether output 0 holds these values, NaN equal to NaN, the sign of zero not looked at. */
static inline bool holds(const double *expected, size_t count) {
    if (stoic_shape_count(&rig.out[0].shape) != (int64_t)count)
        return false;
    for (size_t i = 0; i < count; i++) {
        double y = rig.y[0][i], e = expected[i];
        bool same = isnan(e) ? isnan(y) : y == e || fabs(y - e) <= 1e-12 * fabs(e);
        if (!same) {
            print_message("element %zu: %.17g, expected %.17g\n", i, y, e);
            return false;
        }
    }
    return true;
}

static inline void expect_shape(const char *expected) {
    char text[128];
    stoic_status status = infer();
    if (status != STOIC_OK)
        print_message("%s\n", rig.err.message);
    assert_int_equal(status, STOIC_OK);
    assert_string_equal(stoic_shape_text(&rig.out[0].shape, text), expected);
}

static inline void expect(const char *shape, const double *expected, size_t count) {
    expect_shape(shape);
    assert_int_equal(run(), STOIC_OK);
    assert_true(holds(expected, count));
}

/* Inference refuses with this status, names the node and says this. */
static inline void expect_refusal(stoic_status status, const char *message) {
    assert_int_equal(infer(), status);
    assert_int_equal(rig.err.code, status);
    assert_string_equal(rig.err.place, "the-node");
    if (!strstr(rig.err.message, message))
        print_message("'%s' lacks '%s'\n", rig.err.message, message);
    assert_non_null(strstr(rig.err.message, message));
}

#endif
