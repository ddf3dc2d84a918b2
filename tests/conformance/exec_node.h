/*
 * An ONNX test through the fast executor: the first input becomes the image, its first dimension
 * the batch; whatever else the test gives is bound as constants.
 */
#ifndef EXEC_NODE_H
#define EXEC_NODE_H

#include "pb_lite.h"

typedef struct named {
    const char *name;
    stoic_tensor *tensor;
} named;

/* Runs `model` on the values of its inputs and initialisers. *out is the first output for the whole
 * batch. STOIC_ERR_UNSUPPORTED with a reason: the test is no network over a batch of images. */
stoic_status exec_node_run(const pb_model *model, const named *values, size_t n, stoic_tensor **out,
                           char reason[256]);

#endif
