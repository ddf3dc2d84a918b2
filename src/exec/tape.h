/*
 * A tape: a model's steps for one batch, forward and backward.
 *
 * The batch is cut into shards that depend on the batch and the model alone. A shard goes through
 * step after step until a step needs all shards (the moments of batch normalisation, a large
 * matrix product); there the team meets. Sums over shards are taken in their order, so no result
 * depends on the number of threads.
 *
 * The weights being trained live in the tape's own copy of the model (stoic_tape_model). It is
 * written between steps, never while the team runs, and by nobody else.
 *
 * Functions marked "collective" are called by every member of the team with its own number, all
 * in the same order. They do not fail there and then: the first failure is kept, the step goes
 * on, and stoic_tape_status() tells afterwards.
 *
 * Trained are the weights and biases of layers, scales and biases of batch normalisation. The
 * loss acts on the value in front of a final Sigmoid, Softmax or LogSoftmax, called the head.
 */
#ifndef STOIC_EXEC_TAPE_H
#define STOIC_EXEC_TAPE_H

#include "base/team.h"
#include "model/graph.h"
#include "stoic/map_fault.h"
#include "stoic/store.h"

typedef struct stoic_tape stoic_tape;

typedef struct stoic_tape_options {
    int64_t batch;
    uint64_t seed;      /* of dropout */
    bool map_faults;    /* room for stoic_tape_corrupt() */
    bool other_weights; /* room for stoic_tape_shadow() */
    bool inference;     /* batch normalisation by its running statistics, dropout does nothing */
    const int *also;    /* further constants that are trained: inputs, but not the first, of */
    size_t n_also;      /* operators that run their plain definition */
} stoic_tape_options;

/* One trained constant. */
typedef struct stoic_tape_param {
    int tensor; /* value number in the model */
    stoic_role role;
    bool scale; /* of batch normalisation: its scale, not its bias */
    int64_t count;
    float *value;    /* as ONNX stores it; the memory of the tape's model */
    float *gradient; /* of the loss, summed over the batch, after stoic_tape_collect() */
    float *used;     /* what forward and backward read: value, or the shadow */
} stoic_tape_param;

/* Fails with STOIC_ERR_UNSUPPORTED listing every node without a gradient. */
stoic_status stoic_tape_create(const stoic_model *model, const stoic_tape_options *options,
                               stoic_team *team, stoic_tape **out, stoic_error *err);
void stoic_tape_free(stoic_tape *tape);

/* The model whose constants are being trained. */
const stoic_model *stoic_tape_model(const stoic_tape *tape);
/* A model of its own with the weights as they are now. */
stoic_status stoic_tape_snapshot(const stoic_tape *tape, stoic_model **out, stoic_error *err);
int stoic_tape_param_count(const stoic_tape *tape);
stoic_tape_param *stoic_tape_param_at(stoic_tape *tape, int i);
/* Running means and variances: constants that a step changes besides the parameters. */
int stoic_tape_running_count(const stoic_tape *tape);
float *stoic_tape_running_at(stoic_tape *tape, int i, int64_t *count);

/* Shard s holds images [first, first + count). */
int stoic_tape_shards(const stoic_tape *tape);
void stoic_tape_shard(const stoic_tape *tape, int s, int64_t *first, int64_t *count);
/* Is shard s this member's? */
bool stoic_tape_owns(const stoic_tape *tape, int member, int s);

/* ---- one step, all collective ---- */

/* The weights have changed: lays them out for the convolutions. */
void stoic_tape_pack(stoic_tape *tape, int member);
/* The batch as NCHW images. `step` numbers the batches, for dropout. */
void stoic_tape_forward(stoic_tape *tape, int member, const float *images, uint64_t step);
/* The head of one shard, count x classes, and where its gradient is to be written. */
const float *stoic_tape_head(stoic_tape *tape, int s, float **gradient);
void stoic_tape_backward(stoic_tape *tape, int member);
/* Adds up the parameters' gradients. */
void stoic_tape_collect(stoic_tape *tape, int member);

/* The first failure since the last call. Not collective: one member, after the others. */
stoic_status stoic_tape_status(stoic_tape *tape, stoic_error *err);

/* ---- faults ---- */

/* `hits` befalls image i of the next batch at the output of layer `layer`, in front of
 * normalisation and activation; layer -1: nothing. A factor multiplies the gradient too; a value
 * that is replaced or has bits flipped stops it. Kept by reference until the backward pass is
 * over. Each member sets those of its own shards before the forward pass. */
void stoic_tape_corrupt(stoic_tape *tape, int64_t image, int layer, const stoic_map_hits *hits);

/* Parameters are read from their shadow from now on (pack follows); false: from their value. */
void stoic_tape_shadow(stoic_tape *tape, bool on);

#endif
