/* What the operators in this folder share. Internal to src/op. */
#ifndef STOIC_OP_KIT_H
#define STOIC_OP_KIT_H

#include "base/fail.h"
#include "op/geometry.h"
#include "op/op.h"

/* Sets of element types, for stoic_input_check(). */
#define DTYPE_BIT(dtype) (1u << (dtype))
#define DTYPES_FLOAT     (DTYPE_BIT(STOIC_F32) | DTYPE_BIT(STOIC_F64))
#define DTYPES_INTEGER   (DTYPE_BIT(STOIC_I32) | DTYPE_BIT(STOIC_I64))
#define DTYPES_NUMBER    (DTYPES_FLOAT | DTYPES_INTEGER)
#define DTYPES_ANY       (DTYPES_NUMBER | DTYPE_BIT(STOIC_BOOL))

/* No dimension, kernel, stride, pad or tensor of one image is larger: with this, sums and products
 * of two fit an int64. */
#define STOIC_SIZE_LIMIT INT64_C(0x7fffffff)

/* Tensors whose size comes from a value in the file (Range, ConstantOfShape, Expand) rather than
 * from other tensors: a few bytes must not ask for gigabytes. */
#define STOIC_CONJURED_LIMIT (INT64_C(1) << 24)

static inline bool stoic_input_present(const stoic_op_call *call, size_t i) {
    return i < call->n_in && call->in[i].present;
}

static inline bool stoic_dtype_is_integer(stoic_dtype dtype) {
    return (DTYPES_INTEGER >> dtype) & 1u;
}

/* Input i has one of the element types and a rank in [min_rank, max_rank]. */
stoic_status stoic_input_check(const stoic_op_call *call, size_t i, unsigned dtypes, int min_rank,
                               int max_rank, stoic_error *err);

/* No more than `count` inputs: for operators that take more in later opsets. */
stoic_status stoic_input_limit(const stoic_op_call *call, size_t count, stoic_error *err);

/* The value of a constant integer vector (or scalar), at most `capacity` long. */
stoic_status stoic_input_integers(const stoic_op_call *call, size_t i, const char *what,
                                  int64_t *values, size_t capacity, size_t *count,
                                  stoic_error *err);

/* A list that is attribute `name` before opset `input_since` and input i from then on.
 * `given` is false where it is absent. */
stoic_status stoic_list_resolve(const stoic_op_call *call, const char *name, size_t i,
                                int input_since, int64_t *values, size_t capacity, size_t *count,
                                bool *given, stoic_error *err);

/* The value of a constant with one element. */
stoic_status stoic_input_scalar(const stoic_op_call *call, size_t i, const char *what,
                                double *value, stoic_error *err);

/* Brings `axis` from [-rank, rank) into [0, rank). */
stoic_status stoic_axis_normalise(const stoic_op_call *call, int64_t axis, int rank, int *out,
                                  stoic_error *err);

/* A list of axes as a bit set; fails on an axis named twice. */
stoic_status stoic_axes_set(const stoic_op_call *call, const int64_t *axes, size_t count, int rank,
                            unsigned *out, stoic_error *err);

/* Element i of an integer tensor without a detour through double. */
int64_t stoic_tensor_integer(const stoic_tensor *tensor, int64_t i);

void stoic_out_write(const stoic_op_call *call, size_t i, stoic_dtype dtype,
                     const stoic_shape *shape);

/* The common case: output 0 is as input 0. */
stoic_status stoic_infer_same(const stoic_op_call *call, unsigned dtypes, stoic_error *err);

/* Row-major strides of a shape. */
void stoic_shape_strides(const stoic_shape *shape, int64_t stride[STOIC_MAX_RANK]);

/* Strides of `in` seen as `out` by NumPy broadcasting: 0 along repeated axes. */
void stoic_broadcast_strides(const stoic_shape *in, const stoic_shape *out,
                             int64_t stride[STOIC_MAX_RANK]);

/* Where element `flat` of a row-major `shape` lies in a tensor with other strides. */
int64_t stoic_strided_offset(const stoic_shape *shape, const int64_t stride[STOIC_MAX_RANK],
                             int64_t flat);

/* reference() of operators whose output holds the elements of the first input in order. */
stoic_status stoic_reference_copy(const stoic_op_call *call, const double *const *in,
                                  double *const *out, stoic_error *err);

/* backward() of operators whose output holds the elements of the first input in order. */
stoic_status stoic_backward_copy(const stoic_op_call *call, const double *const *in,
                                 const double *const *out, const double *const *grad_out,
                                 double *const *grad_in, stoic_error *err);

/* Sets the wanted gradients of the inputs from number `first` on to 0. */
void stoic_gradients_clear(const stoic_op_call *call, size_t first, double *const *grad_in);

/* a * b, saturating at INT64_MAX (a, b >= 0). */
int64_t stoic_saturated_product(int64_t a, int64_t b);

/* Greater and smaller of two where NaN wins, as torch.maximum and torch.minimum. */
double stoic_max_nan(double a, double b);
double stoic_min_nan(double a, double b);

/* The same window over three spatial axes, the added ones in front and of size 1. */
stoic_window stoic_window_widen(const stoic_window *window);

/* The taps [first, last) that lie inside the input for output position `at` of an axis:
 * tap k reads element at * stride - pad_low + k * dilation. */
void stoic_window_taps(const stoic_window *window, int axis, int64_t at, int64_t *first,
                       int64_t *last);

/* Reads element (position of output, tap). */
static inline int64_t stoic_window_index(const stoic_window *w, int axis, int64_t at, int64_t tap) {
    return at * w->stride[axis] - w->pad_low[axis] + tap * w->dilation[axis];
}

#endif
