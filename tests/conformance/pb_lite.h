/*
 * Just enough protobuf to run the ONNX node tests, so that they do not depend on the model reader.
 * A test utility: files are read whole, every length is checked against what is left of the file.
 */
#ifndef PB_LITE_H
#define PB_LITE_H

#include "op/op.h"

typedef enum pb_status {
    PB_OK,
    PB_OTHER,  /* well-formed, but of a kind that the operators here do not know */
    PB_BROKEN, /* not what a test file should be */
} pb_status;

typedef struct pb_node {
    char *type, *domain;
    char **in, **out;
    size_t n_in, n_out;
    stoic_attr *attrs;
    size_t n_attrs;
} pb_node;

typedef struct pb_value {
    char *name;
    int elem_type;        /* 0: not a tensor */
    stoic_tensor *tensor; /* of an initialiser */
} pb_value;

typedef struct pb_model {
    int opset;
    pb_node *nodes;
    pb_value *inputs, *outputs, *initializers;
    size_t n_nodes, n_inputs, n_outputs, n_initializers;
    pb_status status; /* the worst thing met, and what it was */
    char problem[160];
    void *blocks; /* all memory */
} pb_model;

/* Fills `out` also on failure: the names of the operators may still be of use. */
pb_status pb_model_load(const char *path, pb_model *out);
void pb_model_free(pb_model *model);

/* One TensorProto in a file. */
pb_status pb_tensor_load(const char *path, stoic_tensor **out, char problem[160]);

#endif
