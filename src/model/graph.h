/*
 * The graph inside a stoic_model, and the builder that makes one.
 *
 * Conventions
 * - Values and nodes are numbered; nodes stand in an order in which they can run.
 * - Shapes are those of one image: a batched value has dim[0] == 1 and stands for any
 *   number of images. Whatever does not depend on the input is a constant.
 * - After finish() no node has only constant inputs (they were folded with the reference
 *   kernels), no Identity is left, every name is unique and not empty. Dropout stays for those
 *   who train; whoever infers takes its output for its input.
 */
#ifndef STOIC_MODEL_GRAPH_H
#define STOIC_MODEL_GRAPH_H

#include "op/op.h"
#include "stoic/model.h"

typedef struct stoic_value {
    char *name;
    stoic_dtype dtype;
    stoic_shape shape;
    stoic_tensor *constant; /* NULL for a value computed from the image */
    int producer;           /* node, or -1 for the input and constants */
    int layer;              /* layer that stores this constant as its weight or bias, else -1 */
} stoic_value;

typedef struct stoic_node {
    char *name;
    const stoic_op *op;
    stoic_attr *attrs;
    size_t n_attrs;
    int *in; /* value numbers; -1 where left out */
    size_t n_in;
    int *out;
    size_t n_out;
    int layer; /* number of the layer this node is, else -1 */
} stoic_node;

typedef struct stoic_meta {
    char *key, *value;
} stoic_meta;

struct stoic_model {
    char *name;
    int opset; /* of the default domain */
    int64_t ir_version;
    stoic_value *values;
    size_t n_values;
    stoic_node *nodes;
    size_t n_nodes;
    int input, output; /* value numbers */
    int *layer_nodes;  /* layer number -> node number */
    size_t n_layers;
    stoic_meta *meta;
    size_t n_meta;
    /* reference count and whatever else the implementation needs stands behind these */
    struct stoic_model_private *private_;
};

typedef struct stoic_builder stoic_builder;

/* A builder for one model of the given opset. free() is for builders never finished. */
stoic_status stoic_builder_create(const char *name, int opset, stoic_builder **out,
                                  stoic_error *err);
void stoic_builder_free(stoic_builder *builder);
/* The version of the file format that the model declares; 8 unless set. */
void stoic_builder_ir_version(stoic_builder *b, int64_t version);

/* The image input; `shape` with the batch dimension 1. */
stoic_status stoic_builder_input(stoic_builder *b, const char *name, const stoic_shape *shape,
                                 stoic_error *err);
/* A named constant; takes its own reference to `tensor`. */
stoic_status stoic_builder_constant(stoic_builder *b, const char *name, stoic_tensor *tensor,
                                    stoic_error *err);
/* A node. Inputs and outputs by name ("" for one left out); nodes may come in any order.
 * Takes the attributes over (deep content included), also on failure. */
stoic_status stoic_builder_node(stoic_builder *b, const char *name, const stoic_op *op,
                                stoic_attr *attrs, size_t n_attrs, const char *const *in,
                                size_t n_in, const char *const *out, size_t n_out,
                                stoic_error *err);
/* A node whose operator is not known: finish() lists all of these that the output needs. */
stoic_status stoic_builder_unsupported(stoic_builder *b, const char *name, const char *type,
                                       const char *const *in, size_t n_in, const char *const *out,
                                       size_t n_out, stoic_error *err);
stoic_status stoic_builder_output(stoic_builder *b, const char *name, stoic_error *err);
stoic_status stoic_builder_meta(stoic_builder *b, const char *key, const char *value,
                                stoic_error *err);
/* Sorts, infers, folds, checks (cycles, missing inputs, images never mixed) and numbers the
 * layers. Consumes the builder, also on failure. */
stoic_status stoic_builder_finish(stoic_builder *b, stoic_model **out, stoic_error *err);

/* Reads an ONNX model from memory. External data is looked for in `folder`; NULL: refused. */
stoic_status stoic_model_parse(const void *data, size_t bytes, const char *folder,
                               stoic_model **out, stoic_error *err);

void stoic_attrs_free(stoic_attr *attrs, size_t n);
/* One attribute; false, and still to be freed, where memory ran out. */
bool stoic_attr_set_int(stoic_attr *attr, const char *name, int64_t value);
bool stoic_attr_set_ints(stoic_attr *attr, const char *name, const int64_t *values, size_t n);
/* A list of one integer, as stoic_rewrite_node() and the builder take it over. */
stoic_status stoic_attrs_of_int(const char *name, int64_t value, stoic_attr **out,
                                stoic_error *err);
/* The attributes of a node once more; their tensors are shared. *out is NULL on failure. */
stoic_status stoic_attrs_copy(const stoic_node *node, stoic_attr **out, stoic_error *err);

/* Fills `call` for node `i` of a model; `in` and `out` have room for its operands. */
void stoic_model_call(const stoic_model *model, size_t node, stoic_operand *in, stoic_operand *out,
                      stoic_op_call *call);

/* The axis of a layer's weight that counts its output channels. */
int stoic_model_channel_axis(const stoic_model *model, int layer);

/* A new model in which float32 constants are replaced: value numbers, tensors of the same shape. */
stoic_status stoic_model_with_constants(const stoic_model *model, const int *values,
                                        stoic_tensor *const *tensors, size_t n, stoic_model **out,
                                        stoic_error *err);

#endif
