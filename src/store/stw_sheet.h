/* A store and its graph on the way into a protected weight file. */
#ifndef STOIC_STORE_STW_SHEET_H
#define STOIC_STORE_STW_SHEET_H

#include "base/text.h"
#include "runtime/stw.h"
#include "store/layout.h"

typedef struct stoic_stw_sheet {
    const stoic_store *store;
    const stoic_model *model; /* the one that runs: rescale= may have changed the graph */
    int *value_of;            /* of each value of the model: its number in the file, -1 */
    int *tensor_of;           /* of each constant */
    int *constants;           /* of each tensor of the file: its number in the model */
    stoic_stw_value *values;
    stoic_stw_node *nodes;
    uint32_t n_values, n_nodes, n_tensors;
    stoic_text refused; /* what the core does not run, by name */
} stoic_stw_sheet;

/* Nodes, values and the constants they read. Fails with STOIC_ERR_UNSUPPORTED, naming every node
 * that the core does not run. */
stoic_status stoic_stw_sheet_fill(stoic_stw_sheet *sheet, stoic_error *err);

/* The bytes that stoic_store_write() would write; the caller frees them. */
stoic_status stoic_store_write_memory(const stoic_store *store, uint8_t **bytes, size_t *size,
                                      stoic_error *err) STOIC_MUST_CHECK;

#endif
