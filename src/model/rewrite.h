/*
 * Changing a graph: constants replaced, inputs reconnected, nodes added.
 *
 * A rewrite works on a copy of the structure; tensors are shared. Nothing is ever taken out, so
 * every value keeps its number and its name, every layer its number: whoever addresses a value of
 * the model (a fault, an observed map) addresses the same one in the result. New values are
 * numbered behind the old ones. A node that nothing reads any more stays and runs for nothing.
 *
 * For passes that put something between nodes (rescaling, hardening).
 */
#ifndef STOIC_MODEL_REWRITE_H
#define STOIC_MODEL_REWRITE_H

#include "model/graph.h"

typedef struct stoic_rewrite stoic_rewrite;

stoic_status stoic_rewrite_create(const stoic_model *model, stoic_rewrite **out, stoic_error *err);
void stoic_rewrite_free(stoic_rewrite *rewrite);

/* A new constant; `name` gets a suffix where it is taken. Takes its own reference. */
stoic_status stoic_rewrite_constant(stoic_rewrite *rewrite, const char *name, stoic_tensor *tensor,
                                    int *value, stoic_error *err);
/* Constant `value` for all its readers; the same element type and shape. Its own reference. */
stoic_status stoic_rewrite_replace(stoic_rewrite *rewrite, int value, stoic_tensor *tensor,
                                   stoic_error *err);
/* Input `i` of a node, given already, reads `value` from now on. */
void stoic_rewrite_input(stoic_rewrite *rewrite, int node, size_t i, int value);
/* Sets a float attribute of a node, or adds it. */
stoic_status stoic_rewrite_float(stoic_rewrite *rewrite, int node, const char *name, float value,
                                 stoic_error *err);
/* A node, which keeps its name and its outputs, becomes another operator with other inputs and
 * attributes. Takes the attributes over, also on failure. */
stoic_status stoic_rewrite_become(stoic_rewrite *rewrite, int node, const stoic_op *op,
                                  stoic_attr *attrs, size_t n_attrs, const int *in, size_t n_in,
                                  stoic_error *err);
/* A new node of one output, whose value number `out` gets; it will run as soon as its inputs are
 * there. Takes the attributes over, also on failure. */
stoic_status stoic_rewrite_node(stoic_rewrite *rewrite, const char *name, const stoic_op *op,
                                stoic_attr *attrs, size_t n_attrs, const int *in, size_t n_in,
                                int *out, stoic_error *err);
/* The model's output is `value` from now on. */
void stoic_rewrite_output(stoic_rewrite *rewrite, int value);

/* Orders the nodes and infers them all again: shapes of old values must be what they were, images
 * must not mix. Consumes the rewrite, also on failure. */
stoic_status stoic_rewrite_finish(stoic_rewrite *rewrite, stoic_model **out, stoic_error *err);

#endif
