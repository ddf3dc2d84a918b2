#include "pb_lite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5, LARGEST_FILE = 64 << 20 };

typedef struct span {
    const uint8_t *at, *end;
} span;

typedef struct field {
    uint32_t number, wire;
    uint64_t value; /* varint and fixed */
    span bytes;
} field;

typedef struct block {
    struct block *next;
    stoic_tensor *tensor;
    max_align_t data[];
} block;

static void complain(pb_model *m, pb_status status, const char *problem) {
    if (status > m->status) {
        m->status = status;
        snprintf(m->problem, sizeof m->problem, "%s", problem);
    }
}

/* Zeroed memory that lives as long as the model; the tests end where there is none. */
static block *block_create(pb_model *m, size_t bytes) {
    block *b = calloc(1, sizeof *b + bytes);
    if (!b) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    b->next = m->blocks;
    m->blocks = b;
    return b;
}

static void *room(pb_model *m, size_t count, size_t size) {
    return block_create(m, (count ? count : 1) * size)->data;
}

static bool read_varint(span *s, uint64_t *out) {
    *out = 0;
    for (int shift = 0; s->at < s->end && shift < 64; shift += 7) {
        uint8_t byte = *s->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* The next field; false at the end, and with at = NULL where the bytes make no sense. */
static bool next_field(span *s, field *f) {
    uint64_t key, size = 0;
    if (!s->at || s->at == s->end)
        return false;
    if (!read_varint(s, &key))
        goto broken;
    f->number = (uint32_t)(key >> 3);
    f->wire = key & 7;
    if (f->wire == WIRE_VARINT)
        return read_varint(s, &f->value) || (s->at = NULL, false);
    if (f->wire == WIRE_BYTES && !read_varint(s, &size))
        goto broken;
    if (f->wire != WIRE_BYTES)
        size = f->wire == WIRE_64 ? 8 : f->wire == WIRE_32 ? 4 : UINT64_MAX;
    if (size > (uint64_t)(s->end - s->at))
        goto broken;
    f->bytes = (span){s->at, s->at + size};
    f->value = 0;
    if (f->wire != WIRE_BYTES)
        memcpy(&f->value, s->at, size);
    s->at += size;
    return true;
broken:
    s->at = NULL;
    return false;
}

static size_t count_fields(span s, uint32_t number) {
    size_t count = 0;
    field f;
    while (next_field(&s, &f))
        count += f.number == number;
    return count;
}

static char *text(pb_model *m, span s) {
    size_t size = (size_t)(s.end - s.at);
    char *copy = room(m, size + 1, 1);
    memcpy(copy, s.at, size);
    return copy;
}

static double as_float(uint64_t bits) {
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, 4);
    return value;
}

static double as_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

/* A repeated number, packed or not. Values come as bit patterns. */
static bool next_number(span *packed, uint32_t wire, uint64_t *out) {
    size_t size = wire == WIRE_64 ? 8 : 4;
    if (packed->at >= packed->end)
        return false;
    if (wire == WIRE_VARINT)
        return read_varint(packed, out);
    if ((size_t)(packed->end - packed->at) < size)
        return false;
    *out = 0;
    memcpy(out, packed->at, size);
    packed->at += size;
    return true;
}

typedef struct numbers {
    uint64_t *bits;
    size_t count;
} numbers;

static numbers collect(pb_model *m, span s, uint32_t number, uint32_t wire) {
    /* no number takes less than a byte */
    numbers list = {room(m, (size_t)(s.end - s.at), sizeof(uint64_t)), 0};
    field f;
    while (next_field(&s, &f)) {
        if (f.number != number)
            continue;
        if (f.wire != WIRE_BYTES)
            list.bits[list.count++] = f.value;
        while (f.wire == WIRE_BYTES && next_number(&f.bytes, wire, &list.bits[list.count]))
            list.count++;
    }
    return list;
}

static bool known_dtype(uint64_t onnx, stoic_dtype *out) {
#define PAIR(enumerator, name, bytes, number) {enumerator, number},
    static const struct {
        stoic_dtype dtype;
        uint64_t onnx;
    } known[] = {STOIC_DTYPE_LIST(PAIR)};
#undef PAIR
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].onnx == onnx) {
            *out = known[i].dtype;
            return true;
        }
    return false;
}

/* The typed list that holds elements of a type when raw_data does not. */
static bool fill_typed(pb_model *m, span s, stoic_tensor *t) {
    stoic_dtype dtype = stoic_tensor_dtype(t);
    uint32_t number = dtype == STOIC_F32 ? 4 : dtype == STOIC_F64 ? 10 : dtype == STOIC_I64 ? 7 : 5;
    uint32_t wire = dtype == STOIC_F32 ? WIRE_32 : dtype == STOIC_F64 ? WIRE_64 : WIRE_VARINT;
    numbers list = collect(m, s, number, wire);
    if (list.count != (size_t)stoic_tensor_count(t))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        if (dtype == STOIC_I64)
            ((int64_t *)stoic_tensor_mutable_data(t))[i] = (int64_t)list.bits[i];
        else
            stoic_tensor_set(t, (int64_t)i,
                             dtype == STOIC_F32   ? as_float(list.bits[i])
                             : dtype == STOIC_F64 ? as_double(list.bits[i])
                                                  : (double)(int64_t)list.bits[i]);
    }
    return true;
}

static stoic_tensor *read_tensor(pb_model *m, span s, char **name) {
    stoic_shape shape = {.rank = 0};
    stoic_dtype dtype;
    uint64_t type = 0;
    field f;
    span raw = {NULL, NULL};
    char problem[64];
    numbers dims = collect(m, s, 1, WIRE_VARINT);
    for (span rest = s; next_field(&rest, &f);) {
        if (f.number == 2)
            type = f.value;
        else if (f.number == 8 && name)
            *name = text(m, f.bytes);
        else if (f.number == 9)
            raw = f.bytes;
    }
    if (!known_dtype(type, &dtype)) {
        snprintf(problem, sizeof problem, "elements of ONNX type %llu", (unsigned long long)type);
        complain(m, PB_OTHER, problem);
        return NULL;
    }
    if (dims.count > STOIC_MAX_RANK) {
        complain(m, PB_OTHER, "a tensor with too many axes");
        return NULL;
    }
    for (size_t i = 0; i < dims.count; i++)
        shape.dim[shape.rank++] = (int64_t)dims.bits[i];
    if (stoic_shape_count(&shape) < 0 || stoic_shape_count(&shape) > LARGEST_FILE) {
        complain(m, PB_BROKEN, "a tensor that is too large");
        return NULL;
    }
    block *b = block_create(m, 1);
    if (stoic_tensor_create(dtype, &shape, &b->tensor, NULL) != STOIC_OK) {
        complain(m, PB_BROKEN, "no memory for a tensor");
        return NULL;
    }
    size_t bytes = (size_t)stoic_tensor_count(b->tensor) * stoic_dtype_size(dtype);
    if (raw.at && (size_t)(raw.end - raw.at) == bytes)
        memcpy(stoic_tensor_mutable_data(b->tensor), raw.at, bytes);
    else if (raw.at || !fill_typed(m, s, b->tensor))
        complain(m, PB_BROKEN, "a tensor whose data does not fill it");
    return b->tensor;
}

static void read_attr(pb_model *m, span s, stoic_attr *attr) {
    /* AttributeProto.type, in the order of its enum */
    static const int kinds[] = {
        -1, STOIC_ATTR_FLOAT,  STOIC_ATTR_INT, STOIC_ATTR_STRING, STOIC_ATTR_TENSOR,
        -1, STOIC_ATTR_FLOATS, STOIC_ATTR_INTS};
    uint64_t type = 0;
    field f;
    numbers ints = collect(m, s, 8, WIRE_VARINT), floats = collect(m, s, 7, WIRE_32);
    attr->name = text(m, (span){s.end, s.end});
    for (span rest = s; next_field(&rest, &f);) {
        if (f.number == 1)
            attr->name = text(m, f.bytes);
        else if (f.number == 2)
            attr->f = (float)as_float(f.value);
        else if (f.number == 3)
            attr->i = (int64_t)f.value;
        else if (f.number == 4)
            attr->s = text(m, f.bytes);
        else if (f.number == 5)
            attr->tensor = read_tensor(m, f.bytes, NULL);
        else if (f.number == 20)
            type = f.value;
    }
    if (type >= sizeof kinds / sizeof *kinds || kinds[type] < 0) {
        complain(m, PB_OTHER, "an attribute that is a graph, a list of strings or the like");
        return;
    }
    attr->kind = (stoic_attr_kind)kinds[type];
    attr->count = attr->kind == STOIC_ATTR_INTS ? ints.count : floats.count;
    attr->ints = room(m, ints.count, sizeof *attr->ints);
    attr->floats = room(m, floats.count, sizeof *attr->floats);
    for (size_t i = 0; i < ints.count; i++)
        attr->ints[i] = (int64_t)ints.bits[i];
    for (size_t i = 0; i < floats.count; i++)
        attr->floats[i] = (float)as_float(floats.bits[i]);
}

static void read_node(pb_model *m, span s, pb_node *node) {
    field f;
    node->in = room(m, count_fields(s, 1), sizeof *node->in);
    node->out = room(m, count_fields(s, 2), sizeof *node->out);
    node->attrs = room(m, count_fields(s, 5), sizeof *node->attrs);
    node->type = node->domain = text(m, (span){s.end, s.end});
    while (next_field(&s, &f)) {
        if (f.number == 1)
            node->in[node->n_in++] = text(m, f.bytes);
        else if (f.number == 2)
            node->out[node->n_out++] = text(m, f.bytes);
        else if (f.number == 4)
            node->type = text(m, f.bytes);
        else if (f.number == 5)
            read_attr(m, f.bytes, &node->attrs[node->n_attrs++]);
        else if (f.number == 7)
            node->domain = text(m, f.bytes);
    }
}

/* ValueInfoProto: its name and, down in TypeProto.tensor_type, the element type. */
static void read_value(pb_model *m, span s, pb_value *value) {
    field f, type, inner;
    while (next_field(&s, &f)) {
        if (f.number == 1)
            value->name = text(m, f.bytes);
        if (f.number != 2)
            continue;
        while (next_field(&f.bytes, &type))
            while (type.number == 1 && next_field(&type.bytes, &inner))
                if (inner.number == 1)
                    value->elem_type = (int)inner.value;
    }
    if (!value->name)
        complain(m, PB_BROKEN, "a value without a name");
}

static void read_graph(pb_model *m, span s) {
    field f;
    m->nodes = room(m, count_fields(s, 1), sizeof *m->nodes);
    m->initializers = room(m, count_fields(s, 5), sizeof *m->initializers);
    m->inputs = room(m, count_fields(s, 11), sizeof *m->inputs);
    m->outputs = room(m, count_fields(s, 12), sizeof *m->outputs);
    while (next_field(&s, &f)) {
        if (f.wire != WIRE_BYTES)
            continue;
        if (f.number == 1)
            read_node(m, f.bytes, &m->nodes[m->n_nodes++]);
        else if (f.number == 11)
            read_value(m, f.bytes, &m->inputs[m->n_inputs++]);
        else if (f.number == 12)
            read_value(m, f.bytes, &m->outputs[m->n_outputs++]);
        else if (f.number == 5) {
            pb_value *value = &m->initializers[m->n_initializers++];
            value->name = text(m, (span){s.end, s.end});
            value->tensor = read_tensor(m, f.bytes, &value->name);
        }
    }
}

static void read_model(pb_model *m, span s) {
    field f, entry;
    while (next_field(&s, &f)) {
        if (f.number == 7 && f.wire == WIRE_BYTES)
            read_graph(m, f.bytes);
        bool ours = true;
        int version = 0;
        while (f.number == 8 && f.wire == WIRE_BYTES && next_field(&f.bytes, &entry)) {
            if (entry.number == 1)
                ours = entry.bytes.at == entry.bytes.end;
            else if (entry.number == 2)
                version = (int)entry.value;
        }
        if (ours && version)
            m->opset = version;
    }
    if (!s.at || !m->n_nodes)
        complain(m, PB_BROKEN, "no model");
}

static span read_file(pb_model *m, const char *path) {
    span s = {NULL, NULL};
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size >= 0 && size <= LARGEST_FILE) {
        uint8_t *data = room(m, (size_t)size, 1);
        rewind(file);
        if (fread(data, 1, (size_t)size, file) == (size_t)size)
            s = (span){data, data + size};
    }
    if (file)
        fclose(file);
    if (!s.at)
        complain(m, PB_BROKEN, "cannot be read");
    return s;
}

pb_status pb_model_load(const char *path, pb_model *out) {
    *out = (pb_model){.opset = 0};
    span s = read_file(out, path);
    if (s.at)
        read_model(out, s);
    return out->status;
}

void pb_model_free(pb_model *model) {
    for (block *b = model->blocks, *next; b; b = next) {
        next = b->next;
        stoic_tensor_free(b->tensor);
        free(b);
    }
    model->blocks = NULL;
}

pb_status pb_tensor_load(const char *path, stoic_tensor **out, char problem[160]) {
    pb_model m = {.opset = 0};
    span s = read_file(&m, path);
    *out = s.at ? stoic_tensor_retain(read_tensor(&m, s, NULL)) : NULL;
    snprintf(problem, 160, "%s", m.problem);
    if (m.status != PB_OK) {
        stoic_tensor_free(*out);
        *out = NULL;
    }
    pb_model_free(&m);
    return m.status;
}
