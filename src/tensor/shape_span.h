#ifndef STOIC_TENSOR_SHAPE_SPAN_H
#define STOIC_TENSOR_SHAPE_SPAN_H

#include "stoic/tensor.h"

/* The product of dimensions `from` to before `to`: elements in front of an axis, or behind it. */
static inline int64_t stoic_shape_span(const stoic_shape *shape, int from, int to) {
    int64_t product = 1;
    for (int i = from; i < to; i++)
        product *= shape->dim[i];
    return product;
}

#endif
