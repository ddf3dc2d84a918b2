/* What a stoic_model keeps behind its visible fields. Internal to src/model. */
#ifndef STOIC_MODEL_INTERNALS_H
#define STOIC_MODEL_INTERNALS_H

#include <stdatomic.h>

#include "model/graph.h"

/* The part that models share when only constants or metadata differ. */
typedef struct stoic_structure {
    atomic_int references;
    char *name;
    char **value_names;
    size_t n_values;
    stoic_node *nodes;
    size_t n_nodes;
    int *layer_nodes;
    int64_t *node_macs;
    size_t max_in, max_out; /* most operands of a node */
} stoic_structure;

struct stoic_model_private {
    atomic_int references;
    stoic_structure *structure;
    uint8_t digest[16];
};

void stoic_structure_free(stoic_structure *structure);

/* A model around `structure`, whose reference it takes over, also on failure; no values yet. */
stoic_status stoic_model_wrap(stoic_structure *structure, stoic_model **out, stoic_error *err);

/* Gives `to`, which has none yet, the metadata of `from`. */
stoic_status stoic_model_copy_meta(const stoic_model *from, stoic_model *to, stoic_error *err);

/* Fills model->private_->digest from graph and constants. */
stoic_status stoic_model_fingerprint(stoic_model *model, stoic_error *err);

#endif
