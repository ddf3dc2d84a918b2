/*
 * Faults while training: what befalls weights and feature maps in each step.
 *
 * Weights: every step the store encodes the weights as they are now; the forward and backward
 * passes read what it gives back after the faults, the optimiser changes the clean weights by the
 * gradient so found (straight-through). The store is created anew each step by the functions that
 * campaigns use, so whatever it supports can be trained under.
 *
 * Feature maps: drawn for each image by the member that runs its shard.
 */
#ifndef STOIC_TRAIN_HAZARDS_H
#define STOIC_TRAIN_HAZARDS_H

#include "exec/tape.h"
#include "stoic/train.h"

typedef struct stoic_hazards stoic_hazards;

/* Reads the specs of store and faults. *out is NULL where there are none. */
stoic_status stoic_hazards_create(const stoic_model *model, const stoic_train_options *options,
                                  stoic_hazards **out, stoic_error *err);
void stoic_hazards_free(stoic_hazards *hazards);

/* What the tape must make room for. */
bool stoic_hazards_of_weights(const stoic_hazards *hazards);
bool stoic_hazards_of_maps(const stoic_hazards *hazards);
/* Canonical text of all, for recipes and checkpoints; "" for none. */
const char *stoic_hazards_text(const stoic_hazards *hazards);

/* Fills the shadow of the weights for this step. Before the team starts. */
stoic_status stoic_hazards_weights(stoic_hazards *hazards, stoic_tape *tape, uint64_t step,
                                   stoic_error *err);

/* Draws for the images of one shard. By the member that owns it. */
stoic_status stoic_hazards_maps(stoic_hazards *hazards, stoic_tape *tape, int shard, uint64_t step,
                                int64_t epoch, int64_t epochs, stoic_error *err);

#endif
