/* Mutations that keep an ONNX file whole: it is decoded, something in it is changed, and it is
 * encoded again. Plain mutations of the bytes seldom get past the lengths. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/onnx.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static uint32_t state;

static uint32_t draw(uint32_t n) {
    state = state * 1664525u + 1013904223u;
    return n ? (uint32_t)(((uint64_t)(state >> 3) * n) >> 29) : 0;
}

static int64_t interesting(int64_t old) {
    static const int64_t values[] = {0,         1,         -1,        2,         3,          4,
                                     INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, 1 << 20,    255,
                                     7,         8,         5,         28,        0x7ffffffe, 64};
    switch (draw(4)) {
    case 0:
        return (int64_t)((uint64_t)old + 1);
    case 1:
        return (int64_t)((uint64_t)old - 1);
    default:
        return values[draw(sizeof values / sizeof *values)];
    }
}

static void replace_text(char **text, const char *with) {
    char *copy = strdup(with ? with : "");
    if (copy && *text && *text != (char *)protobuf_c_empty_string)
        free(*text);
    *text = copy;
}

static void change_ints(int64_t *ints, size_t *n) {
    if (*n == 0)
        return;
    if (draw(6) == 0)
        --*n;
    else
        ints[draw((uint32_t)*n)] = interesting(ints[draw((uint32_t)*n)]);
}

static void change_tensor(Onnx__TensorProto *tensor) {
    switch (draw(5)) {
    case 0:
        tensor->data_type = (int32_t)draw(18);
        break;
    case 1:
        change_ints(tensor->int64_data, &tensor->n_int64_data);
        break;
    case 2:
        if (tensor->raw_data.len > 0) {
            uint8_t *byte = &tensor->raw_data.data[draw((uint32_t)tensor->raw_data.len)];
            *byte = draw(2) ? (uint8_t)interesting(*byte) : (uint8_t)(*byte ^ 1u << draw(8));
        }
        break;
    case 3: /* fewer elements, and the shape that goes with them */
        if (tensor->n_dims > 0 && tensor->dims[0] > 1 &&
            tensor->raw_data.len % (size_t)tensor->dims[0] == 0) {
            tensor->raw_data.len -= tensor->raw_data.len / (size_t)tensor->dims[0];
            tensor->dims[0]--;
        }
        break;
    default:
        change_ints(tensor->dims, &tensor->n_dims);
    }
}

static void change_attribute(Onnx__AttributeProto *attr) {
    if (attr->n_ints > 0 && draw(2))
        change_ints(attr->ints, &attr->n_ints);
    else if (attr->t && draw(2))
        change_tensor(attr->t);
    else if (draw(8) == 0)
        attr->type = (int32_t)draw(9);
    else if (attr->has_f && draw(2))
        attr->f = (float)interesting(draw(9));
    else
        attr->i = interesting(attr->i);
}

/* The name of some value of the graph. */
static const char *some_value(const Onnx__GraphProto *graph) {
    const Onnx__NodeProto *node = graph->node[draw((uint32_t)graph->n_node)];
    if (draw(3) == 0 && graph->n_initializer > 0)
        return graph->initializer[draw((uint32_t)graph->n_initializer)]->name;
    if (draw(2) && node->n_input > 0)
        return node->input[draw((uint32_t)node->n_input)];
    return node->n_output > 0 ? node->output[draw((uint32_t)node->n_output)] : "";
}

static void change_node(Onnx__GraphProto *graph, Onnx__NodeProto *node) {
    static const char *const types[] = {"Add",
                                        "AveragePool",
                                        "BatchNormalization",
                                        "Cast",
                                        "Clip",
                                        "Concat",
                                        "Constant",
                                        "Conv",
                                        "Div",
                                        "ConstantOfShape",
                                        "Expand",
                                        "Flatten",
                                        "Gather",
                                        "Gemm",
                                        "Dropout",
                                        "Identity",
                                        "GlobalAveragePool",
                                        "MatMul",
                                        "MaxPool",
                                        "Mul",
                                        "Pad",
                                        "Range",
                                        "ReduceMean",
                                        "Relu",
                                        "Reshape",
                                        "Shape",
                                        "Softmax",
                                        "Slice",
                                        "Squeeze",
                                        "Unsqueeze",
                                        "Transpose",
                                        "Sub",
                                        "Sigmoid",
                                        "LSTM",
                                        "HardSwish"};
    switch (draw(5)) {
    case 0:
        replace_text(&node->op_type, types[draw(sizeof types / sizeof *types)]);
        break;
    case 1:
        if (node->n_input > 0)
            replace_text(&node->input[draw((uint32_t)node->n_input)], some_value(graph));
        break;
    case 2:
        if (node->n_output > 0 && draw(4) == 0)
            replace_text(&node->output[draw((uint32_t)node->n_output)], some_value(graph));
        break;
    default:
        if (node->n_attribute > 0)
            change_attribute(node->attribute[draw((uint32_t)node->n_attribute)]);
    }
}

static void change_model(Onnx__ModelProto *model) {
    Onnx__GraphProto *graph = model->graph;
    switch (draw(8)) {
    case 0:
        if (model->n_opset_import > 0)
            model->opset_import[0]->version = 7 + draw(17);
        break;
    case 1:
        if (graph->n_input > 0 && graph->input[0]->type && graph->input[0]->type->tensor_type &&
            graph->input[0]->type->tensor_type->shape &&
            graph->input[0]->type->tensor_type->shape->n_dim > 0) {
            Onnx__TensorShapeProto *shape = graph->input[0]->type->tensor_type->shape;
            Onnx__TensorShapeProto__Dimension *dim = shape->dim[draw((uint32_t)shape->n_dim)];
            dim->has_dim_value = 1;
            dim->dim_value = interesting(dim->dim_value);
        }
        break;
    case 2:
        if (graph->n_output > 0)
            replace_text(&graph->output[0]->name, some_value(graph));
        break;
    case 3:
    case 4:
        if (graph->n_initializer > 0)
            change_tensor(graph->initializer[draw((uint32_t)graph->n_initializer)]);
        break;
    default:
        change_node(graph, graph->node[draw((uint32_t)graph->n_node)]);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    state = seed;
    Onnx__ModelProto *model = NULL;
    if (draw(4) && stoic_onnx_scan(data, size, NULL) == STOIC_OK)
        model = onnx__model_proto__unpack(NULL, size, data);
    size_t written = 0;
    if (model && model->graph && model->graph->n_node > 0) {
        for (uint32_t n = 1 + draw(3); n > 0; n--)
            change_model(model);
        if (onnx__model_proto__get_packed_size(model) <= max_size)
            written = onnx__model_proto__pack(model, data);
    }
    if (model)
        onnx__model_proto__free_unpacked(model, NULL);
    return written ? written : LLVMFuzzerMutate(data, size, max_size);
}
