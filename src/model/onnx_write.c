#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "model/draft.h"
#include "model/internals.h"
#include "model/onnx.h"

/* What the messages point to while they are written: freed all at once. */
typedef struct block {
    struct block *next;
    max_align_t data[];
} block;

typedef struct writer {
    const stoic_model *model;
    block *blocks;
    bool failed; /* an allocation */
} writer;

static void *allocate(writer *w, size_t bytes) {
    block *b = calloc(1, sizeof *b + bytes);
    if (!b) {
        w->failed = true;
        return NULL;
    }
    b->next = w->blocks;
    w->blocks = b;
    return b->data;
}

/* A list of n messages: pointers first, the messages behind. */
static void *message_list(writer *w, size_t n, size_t size, void (*init)(void *)) {
    size_t stride = (size + 15) / 16 * 16, head = (n * sizeof(void *) + 15) / 16 * 16;
    char *list = allocate(w, head + n * stride);
    for (size_t i = 0; i < n && list; i++) {
        void *message = list + head + i * stride;
        init(message);
        memcpy(list + i * sizeof message, &message, sizeof message);
    }
    return list;
}

#define INIT(type, function)                                                                       \
    static void init_##function(void *message) {                                                   \
        onnx__##function##__init((type *)message);                                                 \
    }
INIT(Onnx__NodeProto, node_proto)
INIT(Onnx__AttributeProto, attribute_proto)
INIT(Onnx__TensorProto, tensor_proto)
INIT(Onnx__ValueInfoProto, value_info_proto)
INIT(Onnx__TypeProto, type_proto)
INIT(Onnx__TypeProto__Tensor, type_proto__tensor)
INIT(Onnx__TensorShapeProto, tensor_shape_proto)
INIT(Onnx__TensorShapeProto__Dimension, tensor_shape_proto__dimension)
INIT(Onnx__OperatorSetIdProto, operator_set_id_proto)
INIT(Onnx__StringStringEntryProto, string_string_entry_proto)
INIT(Onnx__GraphProto, graph_proto)
#define LIST(w, type, function, n) ((type **)message_list(w, n, sizeof(type), init_##function))

#define DTYPE_ONNX(enumerator, name, bytes, onnx) [enumerator] = onnx,
static const int onnx_types[] = {STOIC_DTYPE_LIST(DTYPE_ONNX)};

static void fill_tensor(Onnx__TensorProto *proto, const char *name, stoic_tensor *tensor) {
    const stoic_shape *shape = stoic_tensor_shape(tensor);
    proto->name = (char *)name;
    proto->n_dims = (size_t)shape->rank;
    proto->dims = (int64_t *)shape->dim;
    proto->has_data_type = 1;
    proto->data_type = onnx_types[stoic_tensor_dtype(tensor)];
    proto->has_raw_data = 1;
    proto->raw_data.data = stoic_tensor_mutable_data(tensor);
    proto->raw_data.len =
        (size_t)stoic_tensor_count(tensor) * stoic_dtype_size(stoic_tensor_dtype(tensor));
}

static void fill_attr(writer *w, Onnx__AttributeProto *proto, const stoic_attr *attr) {
    static const int types[] = {
        [STOIC_ATTR_INT] = ONNX_ATTR_INT,       [STOIC_ATTR_FLOAT] = ONNX_ATTR_FLOAT,
        [STOIC_ATTR_STRING] = ONNX_ATTR_STRING, [STOIC_ATTR_INTS] = ONNX_ATTR_INTS,
        [STOIC_ATTR_FLOATS] = ONNX_ATTR_FLOATS, [STOIC_ATTR_TENSOR] = ONNX_ATTR_TENSOR};
    proto->name = attr->name;
    proto->has_type = 1;
    proto->type = types[attr->kind];
    proto->has_i = attr->kind == STOIC_ATTR_INT;
    proto->i = attr->i;
    proto->has_f = attr->kind == STOIC_ATTR_FLOAT;
    proto->f = attr->f;
    proto->has_s = attr->kind == STOIC_ATTR_STRING;
    proto->s = (ProtobufCBinaryData){attr->s ? strlen(attr->s) : 0, (uint8_t *)attr->s};
    proto->n_ints = attr->kind == STOIC_ATTR_INTS ? attr->count : 0;
    proto->ints = attr->ints;
    proto->n_floats = attr->kind == STOIC_ATTR_FLOATS ? attr->count : 0;
    proto->floats = attr->floats;
    if (attr->kind == STOIC_ATTR_TENSOR) {
        Onnx__TensorProto **tensor = LIST(w, Onnx__TensorProto, tensor_proto, 1);
        if (!tensor)
            return;
        fill_tensor(*tensor, "", attr->tensor);
        proto->t = *tensor;
    }
}

static char **name_list(writer *w, const int *values, size_t n) {
    char **names = allocate(w, n * sizeof *names);
    for (size_t i = 0; i < n && names; i++)
        names[i] = values[i] < 0 ? (char *)"" : w->model->values[values[i]].name;
    return names;
}

static void fill_node(writer *w, Onnx__NodeProto *proto, const stoic_node *node) {
    proto->name = node->name;
    proto->op_type = (char *)node->op->name;
    proto->domain = *node->op->domain ? (char *)node->op->domain : NULL;
    proto->input = name_list(w, node->in, node->n_in);
    proto->n_input = node->n_in;
    proto->output = name_list(w, node->out, node->n_out);
    proto->n_output = node->n_out;
    proto->attribute = LIST(w, Onnx__AttributeProto, attribute_proto, node->n_attrs);
    if (w->failed)
        return;
    proto->n_attribute = node->n_attrs;
    for (size_t i = 0; i < node->n_attrs; i++)
        fill_attr(w, proto->attribute[i], &node->attrs[i]);
}

static bool batch_is_free(writer *w) {
    const stoic_structure *s = w->model->private_->structure;
    stoic_operand *in = allocate(w, s->max_in * sizeof *in);
    stoic_operand *out = allocate(w, s->max_out * sizeof *out);
    bool is_free = in && out;
    for (size_t i = 0; i < s->n_nodes && is_free; i++) {
        stoic_op_call call;
        stoic_model_call(w->model, i, in, out, &call);
        is_free = stoic_batch_is_free(&call);
    }
    return is_free;
}

/* The graph's input or output: the batch is the free dimension N where that is possible. */
static Onnx__ValueInfoProto **value_info(writer *w, const stoic_value *value, bool free_batch) {
    size_t rank = (size_t)value->shape.rank;
    Onnx__ValueInfoProto **info = LIST(w, Onnx__ValueInfoProto, value_info_proto, 1);
    Onnx__TypeProto **type = LIST(w, Onnx__TypeProto, type_proto, 1);
    Onnx__TypeProto__Tensor **tensor = LIST(w, Onnx__TypeProto__Tensor, type_proto__tensor, 1);
    Onnx__TensorShapeProto **shape = LIST(w, Onnx__TensorShapeProto, tensor_shape_proto, 1);
    Onnx__TensorShapeProto__Dimension **dims =
        LIST(w, Onnx__TensorShapeProto__Dimension, tensor_shape_proto__dimension, rank);
    if (w->failed)
        return NULL;
    for (size_t i = 0; i < rank; i++) {
        bool is_free = i == 0 && free_batch;
        dims[i]->has_dim_value = !is_free;
        dims[i]->dim_value = value->shape.dim[i];
        dims[i]->dim_param = is_free ? (char *)"N" : NULL;
    }
    (*shape)->n_dim = rank;
    (*shape)->dim = dims;
    (*tensor)->has_elem_type = 1;
    (*tensor)->elem_type = ONNX_FLOAT;
    (*tensor)->shape = *shape;
    (*type)->tensor_type = *tensor;
    (*info)->name = value->name;
    (*info)->type = *type;
    return info;
}

static void fill_initialisers(writer *w, Onnx__GraphProto *graph) {
    size_t n = 0;
    for (size_t i = 0; i < w->model->n_values; i++)
        n += w->model->values[i].constant != NULL;
    graph->initializer = LIST(w, Onnx__TensorProto, tensor_proto, n);
    for (size_t i = 0; i < w->model->n_values && graph->initializer; i++) {
        const stoic_value *value = &w->model->values[i];
        if (value->constant)
            fill_tensor(graph->initializer[graph->n_initializer++], value->name, value->constant);
    }
}

static void fill_graph(writer *w, Onnx__GraphProto *graph) {
    const stoic_model *model = w->model;
    graph->name = *model->name ? model->name : (char *)"model"; /* the checker wants one */
    graph->node = LIST(w, Onnx__NodeProto, node_proto, model->n_nodes);
    bool free_batch = batch_is_free(w);
    graph->input = value_info(w, &model->values[model->input], free_batch);
    graph->output = value_info(w, &model->values[model->output], free_batch);
    fill_initialisers(w, graph);
    if (w->failed)
        return;
    graph->n_node = model->n_nodes;
    graph->n_input = graph->n_output = 1;
    for (size_t i = 0; i < model->n_nodes && !w->failed; i++)
        fill_node(w, graph->node[i], &model->nodes[i]);
}

static void fill_model(writer *w, Onnx__ModelProto *proto) {
    const stoic_model *model = w->model;
    bool own_domain = false;
    for (size_t i = 0; i < model->n_nodes; i++)
        own_domain |= *model->nodes[i].op->domain != 0;
    Onnx__GraphProto **graph = LIST(w, Onnx__GraphProto, graph_proto, 1);
    proto->opset_import = LIST(w, Onnx__OperatorSetIdProto, operator_set_id_proto, 2);
    proto->metadata_props =
        LIST(w, Onnx__StringStringEntryProto, string_string_entry_proto, model->n_meta);
    if (w->failed)
        return;
    proto->has_ir_version = 1;
    /* Before version 4 every initialiser had to be an input too. */
    proto->ir_version = model->ir_version < 4 ? 4 : model->ir_version;
    proto->producer_name = (char *)"stoic";
    proto->n_opset_import = own_domain ? 2 : 1;
    proto->opset_import[0]->domain = (char *)"";
    proto->opset_import[1]->domain = (char *)"ai.stoic";
    proto->opset_import[0]->has_version = proto->opset_import[1]->has_version = 1;
    proto->opset_import[0]->version = model->opset;
    proto->opset_import[1]->version = STOIC_DOMAIN_VERSION;
    proto->n_metadata_props = model->n_meta;
    for (size_t i = 0; i < model->n_meta; i++) {
        proto->metadata_props[i]->key = model->meta[i].key;
        proto->metadata_props[i]->value = model->meta[i].value;
    }
    proto->graph = *graph;
    fill_graph(w, *graph);
}

typedef struct stream_buffer {
    ProtobufCBuffer base;
    FILE *stream;
    int error; /* errno of the first write that failed */
} stream_buffer;

static void append(ProtobufCBuffer *buffer, size_t bytes, const uint8_t *data) {
    stream_buffer *to = (stream_buffer *)buffer;
    if (bytes > 0 && !to->error && fwrite(data, 1, bytes, to->stream) != bytes)
        to->error = errno;
}

stoic_status stoic_model_write(const stoic_model *model, const char *path, stoic_error *err) {
    stoic_status status = STOIC_OK;
    writer w = {.model = model};
    Onnx__ModelProto proto;
    stoic_file_writer file;
    onnx__model_proto__init(&proto);
    fill_model(&w, &proto);
    if (w.failed) {
        status = stoic_fail_memory(err, "an ONNX file", 0);
        goto done;
    }
    size_t bytes = onnx__model_proto__get_packed_size(&proto);
    if (bytes > INT_MAX) {
        status =
            stoic_fail(err, STOIC_ERR_UNSUPPORTED, path,
                       "the model takes %zu bytes, an ONNX file holds at most %d", bytes, INT_MAX);
        goto done;
    }
    TRY(stoic_file_create(path, &file, err));
    stream_buffer buffer = {.base = {.append = append}, .stream = file.stream};
    onnx__model_proto__pack_to_buffer(&proto, &buffer.base);
    if (buffer.error) {
        errno = buffer.error;
        status = stoic_fail_errno(err, path, "cannot write");
        stoic_file_discard(&file);
        goto done;
    }
    TRY(stoic_file_commit(&file, err));
done:
    while (w.blocks) {
        block *next = w.blocks->next;
        free(w.blocks);
        w.blocks = next;
    }
    return status;
}
