/*
 * Faults in single operations: the result of one multiply-accumulate is another.
 *
 * A layer's output is a sum of products. In the order input channel, kernel row, kernel column
 * each product is added by one fused multiply-add, taps that lie in the padding left out; the bias
 * comes last, by an addition of its own. A fault replaces the sum behind step k; the sum then
 * goes on. One draw is for one image (docs/fault-models.md).
 *
 * A draw depends on seed, trial and image alone (Philox), so any can be repeated alone.
 *
 * Thread-safety: immutable after creation, may be shared.
 * Source: DieHardNet (paper 4), what NVBitFI does on a GPU; docs/methods.md.
 */
#ifndef STOIC_OP_FAULT_H
#define STOIC_OP_FAULT_H

#include <stdbool.h>

#include "stoic/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(enumerator, name, summary) */
#define STOIC_OP_FAULT_LIST(X)                                                                     \
    X(STOIC_OP_FLIP, "flip", "one bit of a partial sum flipped")                                   \
    X(STOIC_OP_RANDOM, "random", "a partial sum replaced by a uniform 32-bit pattern")             \
    X(STOIC_OP_ZERO, "zero", "a partial sum replaced by zero")                                     \
    X(STOIC_OP_WARP_RANDOM, "warp-random", "the same pattern in 32 neighbouring outputs")          \
    X(STOIC_OP_WARP_ZERO, "warp-zero", "zero in 32 neighbouring outputs")

#define STOIC_OP_FAULT_ENUM(enumerator, name, summary) enumerator,
typedef enum stoic_op_fault_kind { STOIC_OP_FAULT_LIST(STOIC_OP_FAULT_ENUM) } stoic_op_fault_kind;
#undef STOIC_OP_FAULT_ENUM

enum { STOIC_OP_WARP = 32 };

typedef struct stoic_op_fault stoic_op_fault;

/* Does a spec name a fault in an operation ("op:…")? It may still be refused. */
STOIC_API bool stoic_op_fault_is_spec(const char *spec);

/* Parses a spec ("op:flip,layer=0+2,bits=exponent") and binds it to the layers of a model, which is
 * retained. Fails with STOIC_ERR_ARGUMENT (names the key), and STOIC_ERR_UNSUPPORTED for a
 * convolution that has not two dimensions, or a product whose first factor is transposed. */
STOIC_API stoic_status stoic_op_fault_create(const stoic_model *model, const char *spec,
                                             uint64_t seed, stoic_op_fault **out,
                                             stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_op_fault_free(stoic_op_fault *fault);

/* The spec in one canonical spelling, defaults written out; lives as long as the fault. */
STOIC_API const char *stoic_op_fault_text(const stoic_op_fault *fault);
STOIC_API stoic_op_fault_kind stoic_op_fault_kind_of(const stoic_op_fault *fault);
/* Multiply-accumulates of one image that can be hit: padding excluded. */
STOIC_API int64_t stoic_op_fault_population(const stoic_op_fault *fault);
/* Layers that can be hit, and each of their nodes in the model's graph. */
STOIC_API int stoic_op_fault_layer_count(const stoic_op_fault *fault);
STOIC_API int stoic_op_fault_layer(const stoic_op_fault *fault, int i, int *node);

/* What happens to one image. */
typedef struct stoic_op_hit {
    int layer, node;
    int64_t output;  /* flat position in the layer's output as ONNX orders it: N, C, H, W */
    int64_t outputs; /* that follow from there on: 1, or up to 32 */
    int64_t step;    /* k, from 0; an output whose sum is not as long is not hit */
    int64_t steps;   /* of the sum of the first output */
    bool flip;       /* the bits are xor-ed into the partial sum; false: they replace it */
    uint32_t bits;
} stoic_op_hit;

/* What happens to image `image` in trial `trial`. Fails with STOIC_ERR_ARGUMENT for trial >= 2^48
 * and an image outside 0 … 2^40-1. */
STOIC_API stoic_status stoic_op_fault_draw(const stoic_op_fault *fault, uint64_t trial,
                                           int64_t image, stoic_op_hit *hit,
                                           stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
