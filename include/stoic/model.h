/*
 * A model: an immutable graph of named operators and constant tensors.
 *
 * Models are read from ONNX (opset 7 to 23) or built by the zoo. A change returns a new
 * model that shares what it did not touch. A model takes one image tensor and gives one
 * output tensor; the batch dimension is the first of both and free.
 *
 * Ownership: stoic_model_free() drops one reference (NULL is fine).
 * Thread-safety: a `const stoic_model *` may be used by any number of threads.
 */
#ifndef STOIC_MODEL_H
#define STOIC_MODEL_H

#include <stdbool.h>

#include "stoic/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoic_model stoic_model;

/* Reads an ONNX file. External data must lie inside the file's folder. Fails with
 * STOIC_ERR_FORMAT (not ONNX, truncated, inconsistent), STOIC_ERR_UNSUPPORTED (every
 * operator that is not supported is listed in one message), STOIC_ERR_SHAPE, _IO, _MEMORY. */
STOIC_API stoic_status stoic_model_read(const char *path, stoic_model **out,
                                        stoic_error *err) STOIC_MUST_CHECK;

/* Writes an ONNX file atomically (a temporary file beside it, then a rename). */
STOIC_API stoic_status stoic_model_write(const stoic_model *model, const char *path,
                                         stoic_error *err) STOIC_MUST_CHECK;

STOIC_API stoic_model *stoic_model_retain(const stoic_model *model);
STOIC_API void stoic_model_free(stoic_model *model);

/* Shape of one image [1, C, H, W] (or [1, features]) and of its output [1, classes]. */
STOIC_API const stoic_shape *stoic_model_input_shape(const stoic_model *model);
STOIC_API const stoic_shape *stoic_model_output_shape(const stoic_model *model);
/* Elements of one image's output: the number of classes of a classifier. */
STOIC_API int64_t stoic_model_classes(const stoic_model *model);
/* Elements of all constant float tensors the network reads. */
STOIC_API int64_t stoic_model_parameters(const stoic_model *model);
/* Multiply-adds for one image. */
STOIC_API int64_t stoic_model_macs(const stoic_model *model);

/* A layer: a Conv, Gemm or MatMul with constant weights, numbered in the order of the file.
 * Strings live as long as the model. */
typedef struct stoic_layer {
    int index;
    const char *name;            /* the node's name; where unnamed or repeated the weight's */
    const char *op;              /* "Conv", "Gemm", "MatMul" */
    const stoic_tensor *weights; /* as the ONNX file stores them; borrowed */
    const stoic_tensor *bias;    /* NULL where there is none; borrowed */
    const char *weights_name, *bias_name;
    stoic_shape output; /* of one image */
    int64_t macs;
} stoic_layer;

STOIC_API int stoic_model_layer_count(const stoic_model *model);
STOIC_API stoic_layer stoic_model_layer(const stoic_model *model, int index);

/* ONNX metadata_props. get returns NULL where the key is absent; the string lives as long as
 * the model. with_meta gives a new model in which `key` has `value` (NULL removes it). */
STOIC_API size_t stoic_model_meta_count(const stoic_model *model);
STOIC_API const char *stoic_model_meta_key(const stoic_model *model, size_t i);
STOIC_API const char *stoic_model_meta_get(const stoic_model *model, const char *key);
STOIC_API stoic_status stoic_model_with_meta(const stoic_model *model, const char *key,
                                             const char *value, stoic_model **out,
                                             stoic_error *err) STOIC_MUST_CHECK;

/* 128-bit digest of graph and weights, independent of metadata and file layout. */
STOIC_API void stoic_model_digest(const stoic_model *model, uint8_t digest[16]);

/*
 * The zoo: untrained networks, named or by a spec that changes what the name alone would give:
 *
 *   NAME,classes=N,size=N,channels=N,init=INIT,KEY=VALUE
 *
 * for square images of `size` pixels. KEY=VALUE are the choices of the network. INIT is pytorch
 * (PyTorch's defaults for convolutions and linear layers), torchvision (what its constructor does
 * with this family; pytorch where it does nothing), kaiming-uniform, kaiming-normal, or
 * xavier:GAIN (uniform); the last three with biases of 0.
 */
STOIC_API size_t stoic_zoo_count(void);
/* name e.g. "lenet5", description half a line. */
STOIC_API const char *stoic_zoo_name(size_t i);
STOIC_API const char *stoic_zoo_description(size_t i);

typedef struct stoic_zoo_facts {
    int64_t channels, size, classes;
    int64_t parameters; /* that training changes: without the statistics of BatchNormalization */
    int64_t weights;    /* of these, the weights of Conv and Gemm */
    char choices[256];  /* "activation=relu|sigmoid,pooling=max|average", or "" */
    char spec[256];     /* the shortest spec that means the same */
} stoic_zoo_facts;

/* What a spec would give, at no cost. STOIC_ERR_ARGUMENT for a network, key or value that there is
 * not, and for sizes that do not work, naming what does. */
STOIC_API stoic_status stoic_zoo_describe(const char *spec, stoic_zoo_facts *out,
                                          stoic_error *err) STOIC_MUST_CHECK;
/* The same, built, with weights drawn from `seed`. Its metadata stoic.zoo is facts.spec. */
STOIC_API stoic_status stoic_zoo_build(const char *spec, uint64_t seed, stoic_model **out,
                                       stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
