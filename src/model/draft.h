/*
 * A model in the making: what the builder collects, before and while it is sorted, inferred
 * and folded. The steps of stoic_builder_finish() stand in the order in which they run:
 *
 *   stoic_draft_sort      missing inputs, cycles, an order in which the nodes can run
 *   stoic_draft_evaluate  shapes, folding, elimination, the batch rule, what is unsupported
 *   stoic_draft_assemble  drops what is unused, gives unique names, numbers the layers
 */
#ifndef STOIC_MODEL_DRAFT_H
#define STOIC_MODEL_DRAFT_H

#include "model/graph.h"
#include "model/names.h"

typedef struct stoic_draft_value {
    char *name;
    stoic_dtype dtype;
    stoic_shape shape;
    stoic_tensor *constant;
    int producer; /* node, or -1 */
    int same_as;  /* the value this one is a mere copy of, or -1 */
    bool known;   /* dtype and shape are set */
    bool live;
} stoic_draft_value;

typedef struct stoic_draft_node {
    char *name, *type;
    const stoic_op *op; /* NULL: not supported, kept for the message */
    stoic_attr *attrs;
    size_t n_attrs;
    int *in, *out; /* value numbers; -1 where left out */
    size_t n_in, n_out;
    bool live, gone; /* gone: folded or eliminated */
} stoic_draft_node;

struct stoic_builder {
    char *name;
    int opset;
    int64_t ir_version;
    stoic_draft_value *values;
    size_t n_values, cap_values;
    stoic_draft_node *nodes;
    size_t n_nodes, cap_nodes;
    stoic_names names;   /* of values */
    int input, output;   /* -1: not yet */
    int declared_output; /* the name the output keeps when Identity nodes before it go */
    stoic_meta *meta;
    size_t n_meta;
    int *order;              /* nodes in an order in which they can run */
    int64_t constants;       /* elements given as constants */
    int64_t fold_work;       /* elements read and written by folding so far */
    stoic_operand *in, *out; /* room for the operands of any node */
    size_t n_free_shapes;    /* names tried by stoic_batch_release() */
    char problems[1200];     /* "node 'x' (LSTM), node 'y' (…)" */
    size_t n_problems, n_problems_left_out;
};

/* The version of the domain ai.stoic. */
enum { STOIC_DOMAIN_VERSION = 1 };

/* "node 'name'" or, unnamed, "node 3 (Conv)". Returns `text`. */
const char *stoic_draft_label(const stoic_builder *b, int node, char text[160]);

/* Fills `call` for a node from the draft's values; uses the builder's operand room. */
void stoic_draft_call(stoic_builder *b, int node, stoic_op_call *call);

stoic_status stoic_draft_sort(stoic_builder *b, stoic_error *err);
stoic_status stoic_draft_evaluate(stoic_builder *b, stoic_error *err);
stoic_status stoic_draft_assemble(stoic_builder *b, stoic_model **out, stoic_error *err);

/* Marks nodes and values that the output needs; folded and eliminated nodes need nothing. */
void stoic_draft_mark_live(stoic_builder *b);

/* Evaluates a node whose result is known before the network runs, into constants. */
stoic_status stoic_draft_fold(stoic_builder *b, int node, stoic_op_call *call, stoic_error *err);

/* Does this operator treat each image alone? Else STOIC_ERR_UNSUPPORTED. `call` is inferred;
 * its operands are used as scratch. */
stoic_status stoic_batch_check(const stoic_op_call *call, stoic_error *err);

/* Would the node, as ONNX defines it, also take several images at once? Not so Flatten from axis
 * 0 on, or a Concat with a constant, which only here is repeated for each image. */
bool stoic_batch_is_free(const stoic_op_call *call);

/* Where a node has the batch of 1 written into a constant (Reshape to [1, 400]), gives it one in
 * which the batch is free. */
stoic_status stoic_batch_release(stoic_builder *b, int node, const stoic_op_call *call,
                                 stoic_error *err);

#endif
