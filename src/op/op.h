/*
 * The operator descriptor: the only place that knows what an operator is.
 *
 * Everything else asks a descriptor: the reader which versions are understood, the
 * builder for shapes, the plain executor for values, the campaign for cost, training
 * for gradients, the exact engine for bounds. A slot that is NULL means "not supported
 * here", and whoever needs it says so by the node's name. There is no switch over
 * operators anywhere; the fast kernels in src/exec are a table keyed by these names.
 *
 * Descriptors are constant and shared by all threads.
 */
#ifndef STOIC_OP_OP_H
#define STOIC_OP_OP_H

#include <stdbool.h>

#include "stoic/tensor.h"

typedef enum stoic_attr_kind {
    STOIC_ATTR_INT,
    STOIC_ATTR_FLOAT,
    STOIC_ATTR_STRING,
    STOIC_ATTR_INTS,
    STOIC_ATTR_FLOATS,
    STOIC_ATTR_TENSOR,
} stoic_attr_kind;

/* One attribute of a node. Owned by the node; `count` is for ints and floats. */
typedef struct stoic_attr {
    char *name;
    stoic_attr_kind kind;
    int64_t i;
    float f;
    char *s;
    int64_t *ints;
    float *floats;
    size_t count;
    stoic_tensor *tensor;
} stoic_attr;

/* An attribute an operator knows, the kind it must have and the opsets that define it. */
typedef struct stoic_attr_spec {
    const char *name;
    stoic_attr_kind kind;
    int since, until; /* both included; until 0: still defined */
} stoic_attr_spec;

/* An input or output of a node as its operator sees it. An input left out has present = false. */
typedef struct stoic_operand {
    bool present;
    stoic_dtype dtype;
    stoic_shape shape;
    const stoic_tensor
        *constant; /* the value where it is known before the network runs, else NULL */
} stoic_operand;

typedef struct stoic_op stoic_op;

/* A node bound to concrete shapes. infer() writes out[].dtype and out[].shape. */
typedef struct stoic_op_call {
    const stoic_op *op;
    const char *node; /* the node's name, for messages */
    int opset;        /* of the operator's domain, as the model declares it */
    const stoic_attr *attrs;
    size_t n_attrs;
    const stoic_operand *in;
    size_t n_in;
    stoic_operand *out;
    size_t n_out;
} stoic_op_call;

/* Facts about the function y = op(x), x the first input, other inputs constant. For operators that
 * broadcast, ELEMENTWISE and PER_CHANNEL hold where x has the shape of y. */
enum {
    STOIC_OP_LAYER = 1 << 0,       /* Conv, Gemm, MatMul: its second input is a weight matrix */
    STOIC_OP_ELEMENTWISE = 1 << 1, /* y[i] depends on x[i] alone (and on broadcast operands) */
    STOIC_OP_PER_CHANNEL = 1 << 2, /* channel c of y depends on channel c of x alone */
    STOIC_OP_PIECEWISE_LINEAR = 1 << 3, /* a piecewise linear function of x */
    STOIC_OP_HOMOGENEOUS = 1 << 4,      /* op(k x) = k op(x) for k > 0 (biases scaled too) */
    STOIC_OP_MONOTONE = 1 << 5,         /* elementwise and not decreasing */
    STOIC_OP_NONEXPANSIVE = 1 << 6,     /* |op(x) - op(y)| <= max |x - y| over what it reads */
    STOIC_OP_MOVES = 1 << 7,       /* copies values, computes nothing (Reshape, Transpose, …) */
    STOIC_OP_FOLD_ONLY = 1 << 8,   /* allowed only where its inputs are constant */
    STOIC_OP_READS_SHAPE = 1 << 9, /* needs the shape of x, not its values (Shape) */
};

struct stoic_op {
    const char *name;   /* ONNX operator type */
    const char *domain; /* "" for ONNX, "ai.stoic" for ours */
    int since, until;   /* opset versions whose definition is understood, both included */
    int min_in, max_in; /* max_in = -1: any number */
    int max_out;
    const stoic_attr_spec *attrs; /* ended by a NULL name; other attributes are refused */
    unsigned facts;

    /* Checks attributes and input shapes, writes out[]. Fails with STOIC_ERR_SHAPE/UNSUPPORTED/
     * FORMAT naming call->node. Must be safe for any attribute value and any shape. */
    stoic_status (*infer)(const stoic_op_call *call, stoic_error *err);

    /* The plain definition, in double, row-major, readable before fast. call->out[] has been
     * inferred. in[i] is NULL for an input left out. Integers are exact up to 2^53, and int64
     * values beyond saturate. IEEE semantics: NaN and Inf propagate as in PyTorch. */
    stoic_status (*reference)(const stoic_op_call *call, const double *const *in,
                              double *const *out, stoic_error *err);

    /* Multiply-adds of one call as inferred; NULL: none. Saturates at INT64_MAX. */
    int64_t (*macs)(const stoic_op_call *call);

    /* Lipschitz bound of an elementwise function: |op(a) - op(b)| <= lipschitz * |a - b|; 0:
     * unknown. */
    double (*lipschitz)(const stoic_op_call *call);

    /* Rounding bound of an elementwise function as the canonical kernel computes it:
     * |computed(a) - op(a)| <= rounding * |op(a)| + tiny; negative or NULL: unknown. */
    double (*rounding)(const stoic_op_call *call);

    /* Which inputs must all carry a factor k > 0 for the output to carry it, bit i for input i
     * (from input 63 on all share the last bit): a Conv's image and bias, both sides of an Add. 0:
     * the call is not positively homogeneous. NULL: input 0 alone where STOIC_OP_HOMOGENEOUS is
     * set, else 0. Ask stoic_op_homogeneous(). */
    uint64_t (*homogeneous)(const stoic_op_call *call);

    /* The gradients of the inputs from those of the outputs, in double, row-major, each of its
     * operand's shape; NULL: not differentiable. in[] and out[] are those of reference(),
     * also where a fault changed an output afterwards (the slope of a Sigmoid is made of it).
     *   grad_out[0] is always given, the others never: only output 0 has a gradient.
     *   grad_in[i] is NULL where it is not wanted; an element type other than float never is. What
     *     is wanted is written, not added to: whoever reads a value several times sums up.
     * Inputs that steer the operator get zeros: Clip's bounds, Pad's value, and the mean and
     * variance of BatchNormalization, which are constants as at inference. At a kink a subgradient
     * is taken, said at the operator. NaN and Inf go through as the arithmetic has it: nothing
     * makes a gradient of NaN a number, but where the slope is 0 by choice (Relu, MaxPool), the
     * gradient is 0 whatever comes in. */
    stoic_status (*backward)(const stoic_op_call *call, const double *const *in,
                             const double *const *out, const double *const *grad_out,
                             double *const *grad_in, stoic_error *err);
};

/* All operators, in alphabetical order: X(identifier). The descriptor is stoic_op_<identifier>. */
/* clang-format never comes to rest on this list. */
/* clang-format off */
#define STOIC_OP_LIST(X)                                                                           \
    X(abs) X(add) X(alarm) X(average_pool) X(batch_normalization) X(cast) X(checksum) X(clip)      \
    X(concat) X(constant) X(constant_of_shape) X(conv) X(div) X(dropout) X(equal) X(expand) X(flatten) X(gather)         \
    X(gemm) X(global_average_pool) X(greater) X(hard_sigmoid) X(hard_swish) X(identity)            \
    X(is_nan) X(leaky_relu) X(less) X(log_softmax) X(mat_mul) X(max_pool) X(mul) X(pad) X(range)   \
    X(reduce_mean) X(relu) X(reshape) X(shape) X(sigmoid) X(slice) X(softmax) X(squeeze) X(sub)    \
    X(tanh) X(transpose) X(unsqueeze) X(where) X(window_sum)
/* clang-format on */

#define STOIC_OP_DECLARE(identifier) extern const stoic_op stoic_op_##identifier;
STOIC_OP_LIST(STOIC_OP_DECLARE)
#undef STOIC_OP_DECLARE

/* The descriptor of an operator type, or NULL. `domain` "ai.onnx" is the same as "". */
const stoic_op *stoic_op_find(const char *domain, const char *name);

/* All descriptors in the order of STOIC_OP_LIST; `count` gets their number. */
const stoic_op *const *stoic_op_all(size_t *count);

/* Attribute access with a default; a wrong kind counts as absent (infer() has refused it). */
const stoic_attr *stoic_attr_find(const stoic_op_call *call, const char *name);
int64_t stoic_attr_int(const stoic_op_call *call, const char *name, int64_t fallback);
double stoic_attr_float(const stoic_op_call *call, const char *name, double fallback);
const char *stoic_attr_string(const stoic_op_call *call, const char *name, const char *fallback);

/* The inputs that have to carry a factor k > 0 for output 0 to carry it; 0: none would do. */
uint64_t stoic_op_homogeneous(const stoic_op_call *call);

/* The checks every operator shares (number of inputs, known attributes and their kinds, version),
 * then op->infer(). */
stoic_status stoic_op_infer(const stoic_op_call *call, stoic_error *err);

#endif
