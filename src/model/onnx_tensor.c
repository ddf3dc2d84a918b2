/* Tensors of an ONNX file: every form in which the format allows their elements. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "model/onnx.h"

/* How a data type is stored: X(number, name, bytes in raw_data, type it becomes, list used instead)
 */
#define STORED_LIST(X)                                                                             \
    X(ONNX_FLOAT, "float32", 4, STOIC_F32, FLOATS)                                                 \
    X(ONNX_INT32, "int32", 4, STOIC_I32, INT32S)                                                   \
    X(ONNX_INT64, "int64", 8, STOIC_I64, INT64S)                                                   \
    X(ONNX_BOOL, "bool", 1, STOIC_BOOL, INT32S)                                                    \
    X(ONNX_FLOAT16, "float16", 2, STOIC_F32, INT32S)                                               \
    X(ONNX_DOUBLE, "float64", 8, STOIC_F32, DOUBLES)                                               \
    X(ONNX_BFLOAT16, "bfloat16", 2, STOIC_F32, INT32S)

typedef enum list_kind { FLOATS, INT32S, INT64S, DOUBLES } list_kind;

typedef struct stored {
    int number;
    const char *name;
    int64_t bytes;
    stoic_dtype dtype;
    list_kind list;
} stored;

#define STORED_ROW(number, name, bytes, dtype, list) {number, name, bytes, dtype, list},
static const stored stored_types[] = {STORED_LIST(STORED_ROW)};

static stoic_status find_stored(const Onnx__TensorProto *proto, const stored **out,
                                stoic_error *err) {
    for (size_t i = 0; i < sizeof stored_types / sizeof *stored_types; i++) {
        if (stored_types[i].number == proto->data_type) {
            *out = &stored_types[i];
            return STOIC_OK;
        }
    }
    return stoic_fail(err, STOIC_ERR_UNSUPPORTED, stoic_onnx_name(proto),
                      "tensor '%s' has elements of ONNX type %d, expected float16, bfloat16, "
                      "float32, float64, int32, int64 or bool",
                      stoic_onnx_name(proto), proto->data_type);
}

static stoic_status shape_of(const Onnx__TensorProto *proto, stoic_shape *shape, int64_t *count,
                             stoic_error *err) {
    *shape = (stoic_shape){.rank = (int)proto->n_dims};
    if (proto->n_dims > STOIC_MAX_RANK)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, stoic_onnx_name(proto),
                          "tensor '%s' has %zu dimensions, at most %d are supported",
                          stoic_onnx_name(proto), proto->n_dims, STOIC_MAX_RANK);
    for (size_t i = 0; i < proto->n_dims; i++)
        shape->dim[i] = proto->dims[i];
    *count = stoic_shape_count(shape);
    if (*count < 0 || *count > INT64_MAX / 16)
        return stoic_fail(err, STOIC_ERR_FORMAT, stoic_onnx_name(proto),
                          "tensor '%s' has dimensions that are negative or too large",
                          stoic_onnx_name(proto));
    return STOIC_OK;
}

static float float_of_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    uint32_t fraction = half & 0x3ff, bits;
    float value;
    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24 is exact in float32 */
        value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    bits = sign | (exponent == 31 ? 0x7f800000 : (exponent + 112) << 23) | fraction << 13;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float float_of_bfloat(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void convert_raw(const stored *type, const uint8_t *raw, int64_t count, void *out) {
    switch (type->number) {
    case ONNX_FLOAT16:
    case ONNX_BFLOAT16:
        for (int64_t i = 0; i < count; i++) {
            uint16_t half;
            memcpy(&half, raw + 2 * i, sizeof half);
            ((float *)out)[i] =
                type->number == ONNX_FLOAT16 ? float_of_half(half) : float_of_bfloat(half);
        }
        break;
    case ONNX_DOUBLE:
        for (int64_t i = 0; i < count; i++) {
            double value;
            memcpy(&value, raw + 8 * i, sizeof value);
            ((float *)out)[i] = (float)value;
        }
        break;
    case ONNX_BOOL:
        for (int64_t i = 0; i < count; i++)
            ((uint8_t *)out)[i] = raw[i] != 0;
        break;
    default:
        if (count > 0)
            memcpy(out, raw, (size_t)(count * type->bytes));
    }
}

static void convert_list(const Onnx__TensorProto *proto, const stored *type, int64_t count,
                         void *out) {
    for (int64_t i = 0; i < count; i++) {
        switch (type->number) {
        case ONNX_FLOAT:
            ((float *)out)[i] = proto->float_data[i];
            break;
        case ONNX_DOUBLE:
            ((float *)out)[i] = (float)proto->double_data[i];
            break;
        case ONNX_FLOAT16:
            ((float *)out)[i] = float_of_half((uint16_t)proto->int32_data[i]);
            break;
        case ONNX_BFLOAT16:
            ((float *)out)[i] = float_of_bfloat((uint16_t)proto->int32_data[i]);
            break;
        case ONNX_INT64:
            ((int64_t *)out)[i] = proto->int64_data[i];
            break;
        case ONNX_INT32:
            ((int32_t *)out)[i] = proto->int32_data[i];
            break;
        default:
            ((uint8_t *)out)[i] = proto->int32_data[i] != 0;
        }
    }
}

static int64_t list_length(const Onnx__TensorProto *proto, list_kind list) {
    switch (list) {
    case FLOATS:
        return (int64_t)proto->n_float_data;
    case INT32S:
        return (int64_t)proto->n_int32_data;
    case INT64S:
        return (int64_t)proto->n_int64_data;
    default:
        return (int64_t)proto->n_double_data;
    }
}

static stoic_status wrong_length(const Onnx__TensorProto *proto, const stoic_shape *shape,
                                 const stored *type, int64_t found, const char *unit,
                                 stoic_error *err) {
    char text[128];
    return stoic_fail(err, STOIC_ERR_FORMAT, stoic_onnx_name(proto),
                      "tensor '%s' of shape %s (%s) holds %lld %s, expected %lld",
                      stoic_onnx_name(proto), stoic_shape_text(shape, text), type->name,
                      (long long)found, unit,
                      (long long)(stoic_shape_count(shape) * (*unit == 'b' ? type->bytes : 1)));
}

stoic_status stoic_onnx_tensor(const Onnx__TensorProto *proto, stoic_onnx_external *external,
                               stoic_tensor **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stored *type = NULL;
    stoic_shape shape = {0};
    int64_t count = 0;
    uint8_t *loaded = NULL;
    const uint8_t *raw = proto->has_raw_data ? proto->raw_data.data : NULL;
    bool is_raw = proto->has_raw_data && !(proto->raw_data.len == 0);
    TRY(find_stored(proto, &type, err));
    TRY(shape_of(proto, &shape, &count, err));
    if (proto->data_location == ONNX_EXTERNAL) {
        TRY(stoic_onnx_external_read(proto, external, count * type->bytes, &loaded, err));
        raw = loaded;
        is_raw = true;
    } else if (is_raw && (int64_t)proto->raw_data.len != count * type->bytes) {
        status = wrong_length(proto, &shape, type, (int64_t)proto->raw_data.len, "bytes", err);
    } else if (!is_raw && list_length(proto, type->list) != count) {
        status = wrong_length(proto, &shape, type, list_length(proto, type->list), "elements", err);
    }
    if (status != STOIC_OK)
        goto done;
    TRY(stoic_tensor_create(type->dtype, &shape, out, err));
    if (is_raw)
        convert_raw(type, raw, count, stoic_tensor_mutable_data(*out));
    else
        convert_list(proto, type, count, stoic_tensor_mutable_data(*out));
done:
    free(loaded);
    return status;
}
