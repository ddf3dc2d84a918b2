/*
 * The only door to oneDNN (2.6 and 3.x): float32 convolutions, channels last.
 *
 * Matrix products come in as 1x1 convolutions whose width is the batch: oneDNN's inner product
 * and matmul do not give an image the same bits at every batch size, its convolutions do.
 * Implementations that would break the project's numeric rules are refused when a convolution is
 * created: anything based on gemm (multiplies padding by weights: 0 x Inf), Winograd, and the
 * reference ones. Where nothing is left creation fails with STOIC_ERR_UNSUPPORTED and the caller
 * takes its own kernel.
 *
 * Thread-safety: a stoic_dnn_conv is immutable and shared; a stoic_dnn_run belongs to one thread,
 * which has called stoic_dnn_single_thread() before.
 */
#ifndef STOIC_EXEC_DNNL_SHIM_H
#define STOIC_EXEC_DNNL_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stoic/status.h"

/* Input [batch, ih, iw, groups * ic], output [batch, oh, ow, groups * oc], weights as ONNX stores
 * them: [groups * oc, ic, kh, kw]. dilation 1 is dense. */
typedef struct stoic_dnn_shape {
    int64_t batch, groups, ic, ih, iw, oc, oh, ow, kh, kw;
    int64_t stride_h, stride_w, dilation_h, dilation_w;
    int64_t pad_top, pad_left, pad_bottom, pad_right;
    bool bias;
} stoic_dnn_shape;

/* Where an element of the weights lies in the packed buffer. */
typedef struct stoic_dnn_layout {
    int rank;
    int64_t dims[5]; /* [g,] o, i, h, w */
    int64_t strides[5];
    int n_blocks;
    int64_t block_size[5];
    int block_axis[5];
    size_t bytes;
} stoic_dnn_layout;

/* Offset in floats of flat ONNX index `index`. */
int64_t stoic_dnn_layout_offset(const stoic_dnn_layout *layout, int64_t index);

typedef struct stoic_dnn_conv stoic_dnn_conv;

/* `like`: a convolution of another batch size whose weight layout and kernel must be the same. */
stoic_status stoic_dnn_conv_create(const stoic_dnn_shape *shape, const stoic_dnn_conv *like,
                                   stoic_dnn_conv **out, stoic_error *err);
void stoic_dnn_conv_free(stoic_dnn_conv *conv);
const stoic_dnn_layout *stoic_dnn_conv_layout(const stoic_dnn_conv *conv);
size_t stoic_dnn_conv_scratch(const stoic_dnn_conv *conv); /* bytes */
const char *stoic_dnn_conv_kernel(const stoic_dnn_conv *conv);

/* One thread's handles for one convolution with fixed weights and scratch buffers. */
typedef struct stoic_dnn_run stoic_dnn_run;

stoic_status stoic_dnn_run_create(const stoic_dnn_conv *conv, float *weights, float *bias,
                                  void *scratch, stoic_dnn_run **out, stoic_error *err);
void stoic_dnn_run_free(stoic_dnn_run *run);
stoic_status stoic_dnn_run_execute(stoic_dnn_run *run, const float *src, float *dst,
                                   stoic_error *err);

/* One OpenMP thread in the calling thread, from now on. */
stoic_status stoic_dnn_single_thread(stoic_error *err);

/* "2.6.3" of the library that is loaded, and the instruction set it uses: "avx512", … */
const char *stoic_dnn_version(void);
const char *stoic_dnn_isa(void);

#endif
