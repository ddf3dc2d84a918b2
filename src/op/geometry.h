/*
 * What a node means once attributes, optional inputs and opset differences are resolved.
 * Shared by inference, the plain kernels and the fast ones, so that padding, rounding of
 * output sizes and the like are worked out in one place. All functions are safe on any
 * input and fail with the node's name.
 */
#ifndef STOIC_OP_GEOMETRY_H
#define STOIC_OP_GEOMETRY_H

#include "op/op.h"

enum { STOIC_MAX_SPATIAL = 3 };

/* A sliding window over [N, C, spatial…]: convolution or pooling. Sizes are per spatial axis. */
typedef struct stoic_window {
    int rank; /* spatial axes, 1 to 3 */
    int64_t in[STOIC_MAX_SPATIAL], out[STOIC_MAX_SPATIAL];
    int64_t kernel[STOIC_MAX_SPATIAL], stride[STOIC_MAX_SPATIAL], dilation[STOIC_MAX_SPATIAL];
    int64_t pad_low[STOIC_MAX_SPATIAL], pad_high[STOIC_MAX_SPATIAL]; /* auto_pad resolved */
    int64_t groups; /* convolution; 1 for pooling */
    int64_t in_channels, out_channels;
    bool count_include_pad; /* AveragePool: the divisor counts taps in [-pad_low, in + pad_high),
                             * not what ceil_mode adds beyond */
} stoic_window;

/* The first position at which a tap does not lie in the padding in front: tap k reads element
 * at * stride - pad_low + k * dilation. */
static inline int64_t stoic_window_first(const stoic_window *w, int axis, int64_t tap) {
    int64_t before = w->pad_low[axis] - tap * w->dilation[axis];
    return before <= 0 ? 0 : (before + w->stride[axis] - 1) / w->stride[axis];
}

stoic_status stoic_conv_window(const stoic_op_call *call, stoic_window *out, stoic_error *err);
stoic_status stoic_pool_window(const stoic_op_call *call, stoic_window *out, stoic_error *err);

/* Y = alpha A' B' + beta C, A' of rows x inner, B' of inner x columns. MatMul: alpha = beta = 1.
 * For MatMul with rank > 2 `batch` counts the leading matrices of A and B has rank 2. */
typedef struct stoic_matrix_product {
    int64_t batch, rows, inner, columns;
    bool transpose_a, transpose_b;
    double alpha, beta;
} stoic_matrix_product;

stoic_status stoic_gemm_product(const stoic_op_call *call, stoic_matrix_product *out,
                                stoic_error *err);

/* Clip: bounds from attributes or constant inputs; absent ones are -Inf and +Inf. */
stoic_status stoic_clip_bounds(const stoic_op_call *call, double *low, double *high,
                               stoic_error *err);

/* Slice: for each axis of the input the first index, the step (never 0) and the count. */
typedef struct stoic_slice {
    int64_t start[STOIC_MAX_RANK], step[STOIC_MAX_RANK], count[STOIC_MAX_RANK];
} stoic_slice;

stoic_status stoic_slice_resolve(const stoic_op_call *call, stoic_slice *out, stoic_error *err);

/* Pad: elements added (or, negative, removed) before and after each axis; constant mode only. */
typedef struct stoic_pad {
    int64_t low[STOIC_MAX_RANK], high[STOIC_MAX_RANK];
    double value;
} stoic_pad;

stoic_status stoic_pad_resolve(const stoic_op_call *call, stoic_pad *out, stoic_error *err);

/* Transpose: out axis i is in axis perm[i]. */
stoic_status stoic_transpose_resolve(const stoic_op_call *call, int perm[STOIC_MAX_RANK],
                                     stoic_error *err);

/* The axis attribute brought into [0, rank); `fallback` where absent. */
stoic_status stoic_axis_resolve(const stoic_op_call *call, int64_t fallback, int rank, int *out,
                                stoic_error *err);

/* ReduceMean: axes (attribute or constant input) as a bit set, keepdims. */
stoic_status stoic_reduce_resolve(const stoic_op_call *call, unsigned *axes, bool *keep,
                                  stoic_error *err);

/* NumPy broadcasting of two shapes; fails naming both. */
stoic_status stoic_shape_broadcast(const stoic_op_call *call, const stoic_shape *a,
                                   const stoic_shape *b, stoic_shape *out, stoic_error *err);

#endif
