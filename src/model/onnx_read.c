#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "model/draft.h"
#include "model/onnx.h"

enum { MAX_FILE = INT_MAX }; /* as protobuf itself */

typedef struct reader {
    const Onnx__ModelProto *proto;
    const Onnx__GraphProto *graph;
    stoic_onnx_external external;
    stoic_builder *b;
} reader;

static const char *text_of(const char *text) {
    return text ? text : "";
}

static bool is_default_domain(const char *domain) {
    return strcmp(text_of(domain), "") == 0 || strcmp(domain, "ai.onnx") == 0;
}

/* The opset of the default domain, in which every operator of the model is defined. */
static stoic_status read_versions(const Onnx__ModelProto *proto, int *opset, stoic_error *err) {
    int64_t version = 0;
    if (!proto->graph || !proto->has_ir_version)
        return stoic_fail(err, STOIC_ERR_FORMAT, "", "not an ONNX model: it has no %s",
                          proto->graph ? "ir_version" : "graph");
    if (proto->ir_version < 3 || proto->ir_version > 31)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                          "ir_version is %lld, expected 3 or a little above",
                          (long long)proto->ir_version);
    for (size_t i = 0; i < proto->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *set = proto->opset_import[i];
        if (is_default_domain(set->domain))
            version = set->version > version ? set->version : version;
        else if (strcmp(set->domain, "ai.stoic") == 0 && set->version > STOIC_DOMAIN_VERSION)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                              "opset %lld of ai.stoic, expected at most %d",
                              (long long)set->version, STOIC_DOMAIN_VERSION);
    }
    if (version < ONNX_OPSET_MIN || version > ONNX_OPSET_MAX)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "opset %lld, expected %d to %d",
                          (long long)version, ONNX_OPSET_MIN, ONNX_OPSET_MAX);
    *opset = (int)version;
    return STOIC_OK;
}

static stoic_status read_initialisers(reader *r, stoic_error *err) {
    for (size_t i = 0; i < r->graph->n_initializer; i++) {
        Onnx__TensorProto *proto = r->graph->initializer[i];
        stoic_tensor *tensor = NULL;
        stoic_status status = stoic_onnx_tensor(proto, &r->external, &tensor, err);
        if (status == STOIC_OK)
            status = stoic_builder_constant(r->b, stoic_onnx_name(proto), tensor, err);
        stoic_tensor_free(tensor);
        if (status != STOIC_OK)
            return status;
        free(proto->raw_data.data); /* weights are the bulk: do not keep them twice */
        proto->raw_data = (ProtobufCBinaryData){0};
    }
    return STOIC_OK;
}

static stoic_status read_dimension(const char *name, const Onnx__TensorShapeProto__Dimension *dim,
                                   size_t axis, int64_t *out, stoic_error *err) {
    int64_t value = dim->has_dim_value ? dim->dim_value : 0;
    *out = value;
    if (axis == 0) {
        *out = 1;
        if (value > 1)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                              "input '%s' has a fixed batch of %lld: export the model with batch 1 "
                              "or a symbolic batch",
                              name, (long long)value);
    } else if (value < 1) {
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                          "input '%s': dimension %zu is %s%s, only the batch may be free", name,
                          axis, *text_of(dim->dim_param) ? "symbolic: " : "not given",
                          text_of(dim->dim_param));
    }
    return STOIC_OK;
}

static stoic_status add_input(reader *r, const Onnx__ValueInfoProto *info, stoic_error *err) {
    const char *name = text_of(info->name);
    const Onnx__TypeProto__Tensor *type = info->type ? info->type->tensor_type : NULL;
    stoic_shape shape = {0};
    if (!type || !type->shape)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                          "input '%s' is not a tensor of known shape", name);
    if (type->elem_type != ONNX_FLOAT)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                          "input '%s' has elements of ONNX type %d, expected float32 (1)", name,
                          type->elem_type);
    if (type->shape->n_dim < 2 || type->shape->n_dim > 4)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                          "input '%s' has %zu dimensions, expected 2 to 4", name,
                          type->shape->n_dim);
    shape.rank = (int)type->shape->n_dim;
    for (size_t i = 0; i < type->shape->n_dim; i++) {
        stoic_status status = read_dimension(name, type->shape->dim[i], i, &shape.dim[i], err);
        if (status != STOIC_OK)
            return status;
    }
    return stoic_builder_input(r->b, name, &shape, err);
}

/* Files of old versions list the initialisers among the inputs; the image is the other one. */
static stoic_status read_ends(reader *r, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const Onnx__ValueInfoProto *image = NULL;
    for (size_t i = 0; i < r->graph->n_input; i++) {
        const Onnx__ValueInfoProto *info = r->graph->input[i];
        int known = stoic_names_find(&r->b->names, text_of(info->name));
        if (known >= 0)
            continue;
        if (image)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, text_of(info->name),
                              "several inputs ('%s', '%s'), expected one image",
                              text_of(image->name), text_of(info->name));
        image = info;
    }
    if (!image)
        return stoic_fail(err, STOIC_ERR_FORMAT, "", "the graph has no input");
    if (r->graph->n_output == 0)
        return stoic_fail(err, STOIC_ERR_FORMAT, "", "the graph has no output");
    TRY(add_input(r, image, err));
    TRY(stoic_builder_output(r->b, r->graph->output[0]->name, err));
    if (r->graph->n_output > 1)
        stoic_log(STOIC_LOG_WARNING, "the model has %zu outputs, only the first ('%s') is used",
                  r->graph->n_output, text_of(r->graph->output[0]->name));
done:
    return status;
}

static stoic_status copy_bytes(const void *data, size_t bytes, void *out, stoic_error *err) {
    char *copy = malloc(bytes + 1);
    if (!copy)
        return stoic_fail_memory(err, "an attribute", bytes + 1);
    if (bytes > 0)
        memcpy(copy, data, bytes);
    copy[bytes] = 0;
    memcpy(out, &copy, sizeof copy);
    return STOIC_OK;
}

/* Files of the first versions leave the type out: it is that of the field that is there. */
static int type_of(const Onnx__AttributeProto *proto) {
    if (proto->has_type)
        return proto->type;
    return proto->has_f      ? ONNX_ATTR_FLOAT
           : proto->has_i    ? ONNX_ATTR_INT
           : proto->has_s    ? ONNX_ATTR_STRING
           : proto->t        ? ONNX_ATTR_TENSOR
           : proto->n_floats ? ONNX_ATTR_FLOATS
           : proto->n_ints   ? ONNX_ATTR_INTS
                             : 0;
}

static stoic_status read_attr(reader *r, const Onnx__AttributeProto *proto, stoic_attr *out,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    const char *name = text_of(proto->name);
    TRY(copy_bytes(name, strlen(name), &out->name, err));
    switch (*text_of(proto->ref_attr_name) ? -1 : type_of(proto)) {
    case ONNX_ATTR_FLOAT:
        out->kind = STOIC_ATTR_FLOAT;
        out->f = proto->f;
        break;
    case ONNX_ATTR_INT:
        out->kind = STOIC_ATTR_INT;
        out->i = proto->i;
        break;
    case ONNX_ATTR_STRING:
        out->kind = STOIC_ATTR_STRING;
        TRY(copy_bytes(proto->s.data, proto->s.len, &out->s, err));
        break;
    case ONNX_ATTR_FLOATS:
        out->kind = STOIC_ATTR_FLOATS;
        out->count = proto->n_floats;
        TRY(copy_bytes(proto->floats, out->count * sizeof *out->floats, &out->floats, err));
        break;
    case ONNX_ATTR_INTS:
        out->kind = STOIC_ATTR_INTS;
        out->count = proto->n_ints;
        TRY(copy_bytes(proto->ints, out->count * sizeof *out->ints, &out->ints, err));
        break;
    case ONNX_ATTR_TENSOR:
        out->kind = STOIC_ATTR_TENSOR;
        if (proto->t) {
            TRY(stoic_onnx_tensor(proto->t, &r->external, &out->tensor, err));
            break;
        }
        /* fall through */
    default:
        status = stoic_fail(err, STOIC_ERR_UNSUPPORTED, name, "attribute '%s' of kind %d", name,
                            type_of(proto));
    }
done:
    return status;
}

static stoic_status add_unsupported(reader *r, const Onnx__NodeProto *node, const char *detail,
                                    stoic_error *err) {
    char type[200];
    bool own = is_default_domain(node->domain);
    snprintf(type, sizeof type, "%.60s%s%.60s%s%.60s", own ? "" : node->domain, own ? "" : ".",
             text_of(node->op_type), *detail ? " with " : "", detail);
    return stoic_builder_unsupported(r->b, node->name, type, (const char *const *)node->input,
                                     node->n_input, (const char *const *)node->output,
                                     node->n_output, err);
}

static stoic_status read_node(reader *r, const Onnx__NodeProto *node, stoic_error *err) {
    const stoic_op *op = stoic_op_find(text_of(node->domain), text_of(node->op_type));
    stoic_attr *attrs = NULL;
    stoic_status status = STOIC_OK;
    size_t n = 0;
    stoic_error why = {0};
    if (!op)
        return add_unsupported(r, node, "", err);
    attrs = calloc(node->n_attribute + 1, sizeof *attrs);
    if (!attrs)
        return stoic_fail_memory(err, "attributes", node->n_attribute * sizeof *attrs);
    while (status == STOIC_OK && n < node->n_attribute) {
        status = read_attr(r, node->attribute[n], &attrs[n], &why);
        n++;
    }
    if (status == STOIC_OK)
        return stoic_builder_node(r->b, node->name, op, attrs, n, (const char *const *)node->input,
                                  node->n_input, (const char *const *)node->output, node->n_output,
                                  err);
    stoic_attrs_free(attrs, n);
    if (status == STOIC_ERR_UNSUPPORTED)
        return add_unsupported(r, node, why.message, err);
    if (err)
        *err = why;
    return status;
}

static stoic_status read_graph(reader *r, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(read_initialisers(r, err));
    TRY(read_ends(r, err));
    for (size_t i = 0; i < r->graph->n_node; i++)
        TRY(read_node(r, r->graph->node[i], err));
    for (size_t i = 0; i < r->proto->n_metadata_props; i++)
        TRY(stoic_builder_meta(r->b, text_of(r->proto->metadata_props[i]->key),
                               text_of(r->proto->metadata_props[i]->value), err));
done:
    return status;
}

/* NaN weights are data, and worth a word. */
static void warn_of_nan(const stoic_model *model) {
    for (size_t i = 0; i < model->n_values; i++) {
        const stoic_value *value = &model->values[i];
        int64_t found = 0, first = 0;
        if (!value->constant || value->dtype != STOIC_F32)
            continue;
        const float *data = stoic_tensor_data(value->constant);
        for (int64_t k = stoic_tensor_count(value->constant); k-- > 0;) {
            if (isnan(data[k])) {
                first = k;
                found++;
            }
        }
        if (found > 0)
            stoic_log(STOIC_LOG_WARNING, "weights '%s': %lld NaN value%s, the first at index %lld",
                      value->name, (long long)found, found == 1 ? "" : "s", (long long)first);
    }
}

static stoic_status build(const Onnx__ModelProto *proto, const char *folder, stoic_model **out,
                          stoic_error *err) {
    reader r = {.proto = proto, .graph = proto->graph, .external = {.folder = folder}};
    stoic_status status = STOIC_OK;
    int opset = 0;
    TRY(read_versions(proto, &opset, err));
    TRY(stoic_builder_create(proto->graph->name, opset, &r.b, err));
    stoic_builder_ir_version(r.b, proto->ir_version);
    TRY(read_graph(&r, err));
    stoic_builder *b = r.b;
    r.b = NULL; /* finish consumes it */
    TRY(stoic_builder_finish(b, out, err));
    warn_of_nan(*out);
done:
    stoic_builder_free(r.b);
    return status;
}

/* protobuf-c says NULL for bad bytes and for no memory alike. */
static void *allocate(void *failed, size_t bytes) {
    void *data = malloc(bytes);
    *(bool *)failed |= !data;
    return data;
}

static void release(void *failed, void *data) {
    (void)failed;
    free(data);
}

stoic_status stoic_model_parse(const void *data, size_t bytes, const char *folder,
                               stoic_model **out, stoic_error *err) {
    bool failed = false;
    ProtobufCAllocator allocator = {allocate, release, &failed};
    stoic_status status = stoic_onnx_scan(data, bytes, err);
    if (status != STOIC_OK)
        return status;
    Onnx__ModelProto *proto = onnx__model_proto__unpack(&allocator, bytes, data);
    if (!proto && failed)
        return stoic_fail_memory(err, "decoding an ONNX file", bytes);
    if (!proto)
        return stoic_fail(err, STOIC_ERR_FORMAT, "", "not an ONNX file: it cannot be decoded");
    status = build(proto, folder, out, err);
    onnx__model_proto__free_unpacked(proto, &allocator);
    return status;
}

stoic_status stoic_model_read(const char *path, stoic_model **out, stoic_error *err) {
    uint8_t *data = NULL;
    size_t bytes = 0;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("");
    stoic_status status = STOIC_OK;
    if (!folder) {
        status = stoic_fail_memory(err, "a path", strlen(path));
        goto done;
    }
    TRY(stoic_file_read(path, MAX_FILE, &data, &bytes, err));
    status = stoic_model_parse(data, bytes, folder, out, err);
    if (status != STOIC_OK && err && !*err->place)
        snprintf(err->place, sizeof err->place, "%s", path);
done:
    free(folder);
    free(data);
    return status;
}
