/*
 * Undoing the factors of weight scaling in the graph instead of in the weights.
 *
 * What both ways share: the decoded model, whose stored weights are c times what they mean, the
 * rewrite of it, and the changes they make. A factor here is what a value carries: the value is
 * that many times what it would be with the scale divided out of the weights.
 */
#ifndef STOIC_STORE_RESCALE_H
#define STOIC_STORE_RESCALE_H

#include "model/rewrite.h"
#include "store/layout.h"

/* One added operator: `value` times `times` is `out`. */
typedef struct stoic_rescaled {
    int value, out;
    double times;
} stoic_rescaled;

typedef struct stoic_rescaler {
    const stoic_store *store;
    const stoic_model *model;
    stoic_rewrite *rewrite;
    const char *mode;  /* "logits", "fold" */
    int *entry_of;     /* of each value: its entry, -1 */
    int *readers;      /* of each value: inputs that read it, one more for the output */
    int *reader;       /* of each value: one of these nodes */
    double *factor;    /* of each value (logits) */
    bool *above_layer; /* of each value: does a layer with stored weights depend on it? (logits) */
    double *alpha;     /* of each node: what its alpha is to be divided by (fold) */
    stoic_rescaled *added;
    size_t n_added;
} stoic_rescaler;

/* The entry that holds a node's weights, -1. */
int stoic_rescale_layer(const stoic_rescaler *r, const stoic_node *node);

/* "node 'x' (Op): rescale=… <what>; rescale=weights works here", STOIC_ERR_UNSUPPORTED. */
stoic_status stoic_rescale_refuse(const stoic_rescaler *r, const stoic_node *node, const char *what,
                                  stoic_error *err);

/* Constant input `i` of a node becomes `factors` times itself: one factor, or one for each
 * of the `n` channels that the constant's last axis counts. Left alone where all are 1. */
stoic_status stoic_rescale_constant(stoic_rescaler *r, int node, size_t i, const double *factors,
                                    int64_t n, stoic_error *err);

/* Appends an operator that multiplies `value` by one factor, or by n along an axis. For a single
 * factor an operator that is there already serves again. */
stoic_status stoic_rescale_append(stoic_rescaler *r, int value, const double *factors, int64_t n,
                                  int axis, int *out, stoic_error *err);

/* Batch normalisation `node` takes the factors of its input away:
 * y = (x - mean) scale / sqrt(var + eps) + b with scale/k and k mean. */
stoic_status stoic_rescale_norm(stoic_rescaler *r, int node, const double *factors, int64_t n,
                                stoic_error *err);

stoic_status stoic_rescale_logits(stoic_rescaler *r, stoic_error *err);
stoic_status stoic_rescale_fold(stoic_rescaler *r, stoic_error *err);

#endif
