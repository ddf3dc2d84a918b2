/*
 * Shapes, element types and constant tensors.
 *
 * A tensor is dense and row-major, in the order ONNX stores it (NCHW for images,
 * OIHW for convolution weights). Tensors are immutable once a model holds them and
 * shared by reference counting, which is thread-safe.
 */
#ifndef STOIC_TENSOR_H
#define STOIC_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "stoic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { STOIC_MAX_RANK = 8 };

/* X(enumerator, name, bytes per element, ONNX TensorProto.DataType) */
#define STOIC_DTYPE_LIST(X)                                                                        \
    X(STOIC_F32, "float32", 4, 1)                                                                  \
    X(STOIC_F64, "float64", 8, 11)                                                                 \
    X(STOIC_I32, "int32", 4, 6)                                                                    \
    X(STOIC_I64, "int64", 8, 7)                                                                    \
    X(STOIC_BOOL, "bool", 1, 9)

#define STOIC_DTYPE_ENUM(enumerator, name, bytes, onnx) enumerator,
typedef enum stoic_dtype { STOIC_DTYPE_LIST(STOIC_DTYPE_ENUM) } stoic_dtype;
#undef STOIC_DTYPE_ENUM

/* rank 0 is a scalar with one element */
typedef struct stoic_shape {
    int rank;
    int64_t dim[STOIC_MAX_RANK];
} stoic_shape;

typedef struct stoic_tensor stoic_tensor;

STOIC_API const char *stoic_dtype_name(stoic_dtype dtype);
STOIC_API size_t stoic_dtype_size(stoic_dtype dtype);

/* Number of elements, or -1 if a dimension is negative or the product overflows. */
STOIC_API int64_t stoic_shape_count(const stoic_shape *shape);

/* Writes "2x3x4" (a scalar: "scalar") into `text` and returns it. */
STOIC_API const char *stoic_shape_text(const stoic_shape *shape, char text[128]);

/* A new tensor with uninitialised elements and one reference; NULL-safe free drops one. */
STOIC_API stoic_status stoic_tensor_create(stoic_dtype dtype, const stoic_shape *shape,
                                           stoic_tensor **out, stoic_error *err) STOIC_MUST_CHECK;
STOIC_API stoic_tensor *stoic_tensor_retain(stoic_tensor *tensor);
STOIC_API void stoic_tensor_free(stoic_tensor *tensor);

STOIC_API stoic_dtype stoic_tensor_dtype(const stoic_tensor *tensor);
STOIC_API const stoic_shape *stoic_tensor_shape(const stoic_tensor *tensor);
STOIC_API int64_t stoic_tensor_count(const stoic_tensor *tensor);

/* The elements, 64-byte aligned. The mutable view is for whoever creates the tensor. */
STOIC_API const void *stoic_tensor_data(const stoic_tensor *tensor);
STOIC_API void *stoic_tensor_mutable_data(stoic_tensor *tensor);

/* Element i as a double (int64 beyond 2^53 rounds), whatever the type. */
STOIC_API double stoic_tensor_get(const stoic_tensor *tensor, int64_t i);
/* Stores `value` as the tensor's type: float rounds to nearest, integers truncate and saturate. */
STOIC_API void stoic_tensor_set(stoic_tensor *tensor, int64_t i, double value);

#ifdef __cplusplus
}
#endif
#endif
