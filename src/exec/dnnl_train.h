/*
 * oneDNN for training: the three products of a convolution, and a plain matrix product.
 *
 * Unlike inference, a run of training has fixed shards, so it is enough that the same call on the
 * same numbers gives the same bits. For the forward part implementations with IEEE semantics are
 * preferred as in dnnl_shim.h; whatever oneDNN has serves where there is no other.
 *
 * Thread-safety: a stoic_dnn_train is immutable once created, except that packing and unpacking
 * are for one thread at a time; a stoic_dnn_hands belongs to one thread.
 */
#ifndef STOIC_EXEC_DNNL_TRAIN_H
#define STOIC_EXEC_DNNL_TRAIN_H

#include "exec/dnnl_shim.h"

/* Forward: y from x. Data: dx from dy. Weights: dw (and db) from x and dy. */
enum { STOIC_TRAIN_FORWARD, STOIC_TRAIN_DATA, STOIC_TRAIN_WEIGHTS, STOIC_TRAIN_PARTS };

typedef struct stoic_dnn_train stoic_dnn_train;

/* `data` false: nobody asks for dx, and that part is left out. */
stoic_status stoic_dnn_train_create(const stoic_dnn_shape *shape, bool data, stoic_dnn_train **out,
                                    stoic_error *err);
void stoic_dnn_train_free(stoic_dnn_train *train);

/* Floats of the weights in the layout of a part, and bytes of scratch that any part needs. */
int64_t stoic_dnn_train_packed(const stoic_dnn_train *train, int part);
size_t stoic_dnn_train_scratch(const stoic_dnn_train *train);
const char *stoic_dnn_train_kernel(const stoic_dnn_train *train, int part);
/* Are the weights of a part laid out the same way in both (of other batch sizes)? */
bool stoic_dnn_train_agree(const stoic_dnn_train *a, const stoic_dnn_train *b, int part);

/* Between the order of ONNX and the layout of a part. */
stoic_status stoic_dnn_train_pack(stoic_dnn_train *train, int part, const float *plain,
                                  float *packed, stoic_error *err);
stoic_status stoic_dnn_train_unpack(stoic_dnn_train *train, int part, const float *packed,
                                    float *plain, stoic_error *err);

/* One thread's handles. */
typedef struct stoic_dnn_hands stoic_dnn_hands;
stoic_status stoic_dnn_hands_create(const stoic_dnn_train *train, stoic_dnn_hands **out,
                                    stoic_error *err);
void stoic_dnn_hands_free(stoic_dnn_hands *hands);

/* Runs a part: x and y are values or their gradients, as the part says; bias may be NULL where
 * the shape has none. */
stoic_status stoic_dnn_train_run(stoic_dnn_hands *hands, int part, const float *x,
                                 const float *weights, const float *bias, const float *y,
                                 void *scratch, stoic_error *err);

/* Once before all others: oneDNN generates what they run, which must not fail in the middle. */
stoic_status stoic_dnn_product_prepare(stoic_error *err);
/* C = alpha op(A) op(B) + beta C, row-major with leading dimensions; op transposes on request. */
stoic_status stoic_dnn_product(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
                               float alpha, const float *a, int64_t lda, const float *b,
                               int64_t ldb, float beta, float *c, int64_t ldc, stoic_error *err);

#endif
