/*
 * Faults in computed values, which last for one pass of one image: what a campaign asks of them,
 * whatever their model. They are bound to the network that runs, not to a store.
 *
 * Thread-safety: immutable after creation, may be shared.
 */
#ifndef STOIC_CAMPAIGN_TRANSIENT_H
#define STOIC_CAMPAIGN_TRANSIENT_H

#include "stoic/map_fault.h"
#include "stoic/op_fault.h"

typedef struct stoic_transient stoic_transient;

/* Does a spec name such a fault? It may still be refused. */
bool stoic_transient_is_spec(const char *spec);
stoic_status stoic_transient_create(const stoic_model *model, const char *spec, uint64_t seed,
                                    stoic_transient **out, stoic_error *err) STOIC_MUST_CHECK;
void stoic_transient_free(stoic_transient *fault);
/* The canonical spelling. */
const char *stoic_transient_text(const stoic_transient *fault);
/* Its operations, or NULL for a fault in feature maps. */
const stoic_op_fault *stoic_transient_operations(const stoic_transient *fault);

/* What befalls an image in a trial. */
typedef struct stoic_transient_hits {
    bool hit;
    int node, layer;
    bool operation; /* op says what happens, else map does */
    stoic_map_hits map;
    stoic_op_hit op;
} stoic_transient_hits;
void stoic_transient_hits_deinit(stoic_transient_hits *hits);

/* Replaces what `hits` held. */
stoic_status stoic_transient_draw(const stoic_transient *fault, int64_t trial, int64_t image,
                                  stoic_transient_hits *hits, stoic_error *err) STOIC_MUST_CHECK;

/* A line about a draw: "layer 2 (conv), block, 24 of 100 elements multiplied by 7.1". */
void stoic_transient_tell(const stoic_transient *fault, const stoic_transient_hits *hits,
                          char *text, size_t size);

#endif
