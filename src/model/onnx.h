/*
 * ONNX files. The protobuf part is decoded by protobuf-c, which trusts its input too much, so a
 * scan of our own goes first: it proves that the bytes are a message of the known shape, that
 * nesting is as deep as the schema and no deeper, and that decoding takes memory in proportion
 * to the file.
 */
#ifndef STOIC_MODEL_ONNX_H
#define STOIC_MODEL_ONNX_H

#include <stddef.h>
#include <stdint.h>

#include "model/graph.h"
#include "onnx.pb-c.h"

/* TensorProto.DataType and AttributeProto.AttributeType */
enum {
    ONNX_FLOAT = 1,
    ONNX_INT32 = 6,
    ONNX_INT64 = 7,
    ONNX_BOOL = 9,
    ONNX_FLOAT16 = 10,
    ONNX_DOUBLE = 11,
    ONNX_BFLOAT16 = 16,
};
enum {
    ONNX_ATTR_FLOAT = 1,
    ONNX_ATTR_INT = 2,
    ONNX_ATTR_STRING = 3,
    ONNX_ATTR_TENSOR = 4,
    ONNX_ATTR_FLOATS = 6,
    ONNX_ATTR_INTS = 7,
};
enum { ONNX_EXTERNAL = 1 }; /* TensorProto.DataLocation */
enum { ONNX_OPSET_MIN = 7, ONNX_OPSET_MAX = 23 };

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ONNX stores little-endian bytes, which are used as they are"
#endif

/* Checks that `data` is a well-formed ModelProto that is safe to decode. */
stoic_status stoic_onnx_scan(const uint8_t *data, size_t bytes, stoic_error *err);

static inline const char *stoic_onnx_name(const Onnx__TensorProto *proto) {
    return proto->name ? proto->name : "";
}

/* Where external data may come from, and how much there has been. */
typedef struct stoic_onnx_external {
    const char *folder;
    int64_t loaded;       /* bytes so far */
    int64_t largest_file; /* bytes */
} stoic_onnx_external;

/* A constant from a TensorProto: float16, bfloat16 and double become float32. */
stoic_status stoic_onnx_tensor(const Onnx__TensorProto *proto, stoic_onnx_external *external,
                               stoic_tensor **out, stoic_error *err);

/* Reads `bytes` bytes of a tensor's external data; the caller frees *out. */
stoic_status stoic_onnx_external_read(const Onnx__TensorProto *proto, stoic_onnx_external *external,
                                      int64_t bytes, uint8_t **out, stoic_error *err);

#endif
