/* A walk over the wire format, guided by the schema, before anything is decoded. */
#include <string.h>

#include "base/fail.h"
#include "model/onnx.h"

/* Decoding may take this much for free, and so many times the file's size. */
enum { MEMORY_FREE = 1 << 26, MEMORY_TIMES = 16 };
/* What protobuf-c keeps for a field while it decodes, and for one it does not know. */
enum { FIELD_COST = 64, UNKNOWN_COST = 32 };

typedef struct scan {
    const uint8_t *data;
    size_t at, total;
    uint64_t memory, limit;
    stoic_error *err;
} scan;

typedef struct field {
    uint64_t number;
    unsigned wire;
    size_t start;
    uint64_t length; /* of the contents of a length-delimited field */
    const ProtobufCFieldDescriptor *known;
} field;

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LENGTH = 2, WIRE_32 = 5 };

static stoic_status truncated(const scan *s, size_t at) {
    return stoic_fail(s->err, STOIC_ERR_FORMAT, "",
                      "not a whole ONNX file: it ends in the middle of a field at byte %zu", at);
}

static stoic_status read_varint(scan *s, size_t end, uint64_t *out) {
    size_t start = s->at;
    *out = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (s->at >= end)
            return truncated(s, start);
        uint8_t byte = s->data[s->at++];
        if (shift == 63 && byte > 1)
            break;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return STOIC_OK;
    }
    return stoic_fail(s->err, STOIC_ERR_FORMAT, "",
                      "not an ONNX file: byte %zu starts a number of more than 64 bits", start);
}

static stoic_status charge(scan *s, uint64_t bytes) {
    s->memory += bytes;
    if (s->memory > s->limit)
        return stoic_fail(
            s->err, STOIC_ERR_FORMAT, "",
            "decoding the file would take over %llu MiB for %zu bytes, as of byte %zu",
            (unsigned long long)(s->limit >> 20), s->total, s->at);
    return STOIC_OK;
}

/* Elements of a packed list, and whether its length is right for them. */
static stoic_status scan_packed(scan *s, const field *f, size_t end) {
    unsigned size = f->known->type == PROTOBUF_C_TYPE_FLOAT    ? 4
                    : f->known->type == PROTOBUF_C_TYPE_DOUBLE ? 8
                                                               : 0;
    uint64_t count = 0, ignored;
    if (size > 0) {
        if (f->length % size != 0)
            return stoic_fail(s->err, STOIC_ERR_FORMAT, "",
                              "'%s' at byte %zu has %llu bytes, not a multiple of %u",
                              f->known->name, f->start, (unsigned long long)f->length, size);
        count = f->length / size;
        s->at = end;
    }
    for (; s->at < end; count++) {
        stoic_status status = read_varint(s, end, &ignored);
        if (status != STOIC_OK)
            return status;
    }
    return charge(s, 8 * count);
}

static bool is_number(const ProtobufCFieldDescriptor *known) {
    return known->type != PROTOBUF_C_TYPE_STRING && known->type != PROTOBUF_C_TYPE_BYTES &&
           known->type != PROTOBUF_C_TYPE_MESSAGE;
}

static unsigned wire_of(const ProtobufCFieldDescriptor *known) {
    switch (known->type) {
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_32;
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_64;
    default:
        return is_number(known) ? WIRE_VARINT : WIRE_LENGTH;
    }
}

/* Tag, kind and, for a length-delimited field, its length. */
static stoic_status scan_head(scan *s, const ProtobufCMessageDescriptor *type, size_t end,
                              field *f) {
    uint64_t tag;
    f->start = s->at;
    stoic_status status = read_varint(s, end, &tag);
    if (status != STOIC_OK)
        return status;
    f->number = tag >> 3;
    f->wire = tag & 7;
    if (f->number == 0 || f->number >= UINT64_C(1) << 29 ||
        (f->wire != WIRE_VARINT && f->wire != WIRE_64 && f->wire != WIRE_LENGTH &&
         f->wire != WIRE_32))
        return stoic_fail(s->err, STOIC_ERR_FORMAT, "",
                          "not an ONNX file: byte %zu starts no valid field", f->start);
    f->known = protobuf_c_message_descriptor_get_field(type, (unsigned)f->number);
    f->length = 0;
    if (f->wire != WIRE_LENGTH)
        return STOIC_OK;
    status = read_varint(s, end, &f->length);
    if (status == STOIC_OK && f->length > end - s->at)
        return stoic_fail(
            s->err, STOIC_ERR_FORMAT, "",
            "not a whole ONNX file: %s%s%s at byte %zu claims %llu bytes, %zu are left",
            f->known ? "'" : "a field", f->known ? f->known->name : "", f->known ? "'" : "",
            f->start, (unsigned long long)f->length, end - s->at);
    return status;
}

static stoic_status scan_scalar(scan *s, const field *f, size_t end) {
    uint64_t ignored;
    if (f->wire == WIRE_VARINT)
        return read_varint(s, end, &ignored);
    size_t size = f->wire == WIRE_64 ? 8 : 4;
    if (end - s->at < size)
        return truncated(s, f->start);
    s->at += size;
    return STOIC_OK;
}

static stoic_status scan_text(scan *s, const field *f) {
    if (f->known->type == PROTOBUF_C_TYPE_STRING && memchr(s->data + s->at, 0, f->length))
        return stoic_fail(s->err, STOIC_ERR_FORMAT, "", "'%s' at byte %zu contains a zero byte",
                          f->known->name, f->start);
    s->at += f->length;
    return charge(s, f->length + 1);
}

static stoic_status scan_message(scan *s, const ProtobufCMessageDescriptor *type, size_t end);

static stoic_status scan_known(scan *s, const field *f, size_t end) {
    bool repeated = f->known->label == PROTOBUF_C_LABEL_REPEATED;
    if (repeated && is_number(f->known) && f->wire == WIRE_LENGTH)
        return scan_packed(s, f, s->at + f->length);
    if (f->wire != wire_of(f->known))
        return stoic_fail(s->err, STOIC_ERR_FORMAT, "", "'%s' at byte %zu is of the wrong kind",
                          f->known->name, f->start);
    stoic_status status = repeated ? charge(s, 16) : STOIC_OK;
    if (status != STOIC_OK)
        return status;
    if (f->known->type == PROTOBUF_C_TYPE_MESSAGE)
        return scan_message(s, f->known->descriptor, s->at + f->length);
    return is_number(f->known) ? scan_scalar(s, f, end) : scan_text(s, f);
}

/* Recursion is bounded by the schema, which does not contain itself. */
static stoic_status scan_message(scan *s, const ProtobufCMessageDescriptor *type, size_t end) {
    stoic_status status = charge(s, type->sizeof_message);
    uint64_t met = 0; /* singular messages, by field number: all are below 64 */
    while (status == STOIC_OK && s->at < end) {
        field f;
        status = scan_head(s, type, end, &f);
        if (status == STOIC_OK)
            status = charge(s, FIELD_COST);
        if (status != STOIC_OK)
            break;
        if (!f.known) {
            status = f.wire == WIRE_LENGTH ? charge(s, f.length + UNKNOWN_COST)
                                           : scan_scalar(s, &f, end);
            s->at += f.length;
            continue;
        }
        if (f.known->type == PROTOBUF_C_TYPE_MESSAGE &&
            f.known->label != PROTOBUF_C_LABEL_REPEATED) {
            if (met >> f.number & 1)
                return stoic_fail(s->err, STOIC_ERR_FORMAT, "",
                                  "'%s' is given a second time at byte %zu", f.known->name,
                                  f.start);
            met |= UINT64_C(1) << f.number;
        }
        status = scan_known(s, &f, end);
    }
    return status;
}

stoic_status stoic_onnx_scan(const uint8_t *data, size_t bytes, stoic_error *err) {
    scan s = {.data = data,
              .total = bytes,
              .limit = MEMORY_FREE + MEMORY_TIMES * (uint64_t)bytes,
              .err = err};
    if (bytes == 0)
        return stoic_fail(err, STOIC_ERR_FORMAT, "", "not an ONNX file: it is empty");
    return scan_message(&s, &onnx__model_proto__descriptor, bytes);
}
