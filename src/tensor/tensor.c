#include "stoic/tensor.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

struct stoic_tensor {
    atomic_int references;
    stoic_dtype dtype;
    stoic_shape shape;
    int64_t count;
    void *data;
};

#define DTYPE_NAME(enumerator, name, bytes, onnx) [enumerator] = name,
static const char *const dtype_names[] = {STOIC_DTYPE_LIST(DTYPE_NAME)};
#define DTYPE_SIZE(enumerator, name, bytes, onnx) [enumerator] = bytes,
static const size_t dtype_sizes[] = {STOIC_DTYPE_LIST(DTYPE_SIZE)};

const char *stoic_dtype_name(stoic_dtype dtype) {
    return dtype_names[dtype];
}

size_t stoic_dtype_size(stoic_dtype dtype) {
    return dtype_sizes[dtype];
}

int64_t stoic_shape_count(const stoic_shape *shape) {
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0 || __builtin_mul_overflow(count, shape->dim[i], &count))
            return -1;
    }
    return count;
}

const char *stoic_shape_text(const stoic_shape *shape, char text[128]) {
    size_t used = 0;
    snprintf(text, 128, "scalar");
    for (int i = 0; i < shape->rank && used < 128; i++)
        used += (size_t)snprintf(text + used, 128 - used, "%s%lld", i ? "x" : "",
                                 (long long)shape->dim[i]);
    return text;
}

stoic_status stoic_tensor_create(stoic_dtype dtype, const stoic_shape *shape, stoic_tensor **out,
                                 stoic_error *err) {
    char text[128];
    int64_t count = stoic_shape_count(shape);
    if (count < 0 || (uint64_t)count > SIZE_MAX / 16)
        return stoic_fail(err, STOIC_ERR_SHAPE, "", "a tensor of shape %s is too large",
                          stoic_shape_text(shape, text));
    size_t bytes = ((size_t)count * dtype_sizes[dtype] + 63) / 64 * 64;
    stoic_tensor *tensor = malloc(sizeof *tensor);
    void *data = aligned_alloc(64, bytes ? bytes : 64);
    if (!tensor || !data) {
        free(tensor);
        free(data);
        return stoic_fail_memory(err, "a tensor", bytes);
    }
    *tensor = (stoic_tensor){.dtype = dtype, .shape = *shape, .count = count, .data = data};
    atomic_init(&tensor->references, 1);
    *out = tensor;
    return STOIC_OK;
}

stoic_tensor *stoic_tensor_retain(stoic_tensor *tensor) {
    if (tensor)
        atomic_fetch_add_explicit(&tensor->references, 1, memory_order_relaxed);
    return tensor;
}

void stoic_tensor_free(stoic_tensor *tensor) {
    if (!tensor || atomic_fetch_sub_explicit(&tensor->references, 1, memory_order_acq_rel) != 1)
        return;
    free(tensor->data);
    free(tensor);
}

stoic_dtype stoic_tensor_dtype(const stoic_tensor *tensor) {
    return tensor->dtype;
}

const stoic_shape *stoic_tensor_shape(const stoic_tensor *tensor) {
    return &tensor->shape;
}

int64_t stoic_tensor_count(const stoic_tensor *tensor) {
    return tensor->count;
}

const void *stoic_tensor_data(const stoic_tensor *tensor) {
    return tensor->data;
}

void *stoic_tensor_mutable_data(stoic_tensor *tensor) {
    return tensor->data;
}

double stoic_tensor_get(const stoic_tensor *tensor, int64_t i) {
    assert(i >= 0 && i < tensor->count);
    switch (tensor->dtype) {
    case STOIC_F32:
        return ((const float *)tensor->data)[i];
    case STOIC_F64:
        return ((const double *)tensor->data)[i];
    case STOIC_I32:
        return ((const int32_t *)tensor->data)[i];
    case STOIC_I64:
        return (double)((const int64_t *)tensor->data)[i];
    case STOIC_BOOL:
        return ((const uint8_t *)tensor->data)[i] != 0;
    }
    return 0;
}

static int64_t to_integer(double value, int64_t low, int64_t high) {
    if (isnan(value))
        return 0;
    if (value <= (double)low)
        return low;
    if (value >= (double)high)
        return high;
    return (int64_t)value;
}

void stoic_tensor_set(stoic_tensor *tensor, int64_t i, double value) {
    assert(i >= 0 && i < tensor->count);
    switch (tensor->dtype) {
    case STOIC_F32:
        ((float *)tensor->data)[i] = (float)value;
        break;
    case STOIC_F64:
        ((double *)tensor->data)[i] = value;
        break;
    case STOIC_I32:
        ((int32_t *)tensor->data)[i] = (int32_t)to_integer(value, INT32_MIN, INT32_MAX);
        break;
    case STOIC_I64:
        ((int64_t *)tensor->data)[i] = to_integer(value, INT64_MIN, INT64_MAX);
        break;
    case STOIC_BOOL:
        ((uint8_t *)tensor->data)[i] = value != 0;
        break;
    }
}
