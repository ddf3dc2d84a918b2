/*
 * A run inside: the graph of a protected weight file, walked in memory that the caller gave.
 *
 * Several runs may walk together, each in a thread of the caller's: the first has the values, the
 * others take their share of every node and work on what is the first's. A share is whole channels
 * or rows, so that nothing depends on how many there are.
 *
 * Memory: the run, its tensors and tables, scratch (a block of decoded weights, a padded input),
 * and the values, which share places that are free.
 */
#ifndef STOIC_RUNTIME_WALK_H
#define STOIC_RUNTIME_WALK_H

#include "runtime/run_loops.h"
#include "runtime/stored.h"
#include "stoic/infer.h"

/* One instruction set. */
typedef struct stoic_run_set {
    const stoic_store_kernels *words;
    const stoic_byte_kernels *bytes;
    const stoic_run_loops *loops;
} stoic_run_set;

/* Where things lie, from the start of the memory; in bytes. */
typedef struct stoic_run_plan {
    uint64_t tensors, pairs, places, scratch, values, end;
    uint64_t scratch_bytes, padded_floats; /* the latter of an image; at the end of scratch */
} stoic_run_plan;

/* Who walks together. */
typedef struct stoic_run_party {
    stoic_run *first;
    int member, members;
    void (*meet)(void *user); /* returns when all are there */
    void *user;
} stoic_run_party;

struct stoic_run {
    stoic_stw file;
    stoic_run_set set;
    stoic_run_plan plan;
    const uint8_t *words; /* where they are now */
    stoic_code_tables tables;
    stoic_stored *tensors;
    uint64_t *places; /* of each value, in floats of one image */
    float *scratch, *padded, *values;
    stoic_reader reader;
    stoic_code_reader codes;
    bool integers;     /* activations of Conv and Gemm are */
    stoic_range *seen; /* of the input of each node, to be widened; or NULL */
    int batch, n;      /* images at most; of this call */
    stoic_run_party party;
    const float *images;
};

/* What a file says that has been opened. */
stoic_run_facts stoic_run_facts_of(const stoic_stw *file);
/* As stoic_run_start() with loops of the caller's choice. */
stoic_status stoic_run_start_with(const stoic_run_set *set, const void *file, uint64_t bytes,
                                  const char *name, const void *words, int batch,
                                  stoic_activations activations, void *memory,
                                  uint64_t memory_bytes, stoic_run **out, stoic_error *err);

/* The bytes of a run that helps another, started on the same file. */
uint64_t stoic_run_helper_memory(const stoic_run *first);
/* Starts it in `memory`, as stoic_run_start(). */
stoic_run *stoic_run_start_helper(const stoic_run *first, void *memory);
/* `run` is member `member` of those that walk with `first`, which is member 0. Before any walk. */
void stoic_run_join(stoic_run *run, const stoic_run_party *party);
/* What the others of a party do while the first is in stoic_run_images(): their counts and `due`
 * are then of their share. */
void stoic_run_help(stoic_run *run, const float *images, int n, bool *due);
/* Waits for the others. */
void stoic_run_meet(const stoic_run *run);
/* This member's share of n things, which may be divided in front of those whose number times `size`
 * is a multiple of `per`. */
void stoic_run_share(const stoic_run *run, int64_t n, int64_t size, int per, int64_t *first,
                     int64_t *last);

/* Places the values: floats of one image from the start of the values; returns how many there are.
 */
uint64_t stoic_run_place(const stoic_stw *file, uint64_t places[STOIC_STW_MOST]);
/* Floats of scratch that a node needs beside its padded input, and those of that. */
uint64_t stoic_run_scratch(const stoic_stw *file, const stoic_stw_node *node, uint64_t *padded);

/* A value of image i. */
const float *stoic_run_in(const stoic_run *run, uint32_t value, int i);
float *stoic_run_out(const stoic_run *run, uint32_t value, int i);

/* Reads a whole tensor, such as a bias; counted by the first of a party alone. */
void stoic_run_read(stoic_run *run, uint32_t tensor, float *to);

/* Operators; every image of the call, this member's share. */
void stoic_run_conv(stoic_run *run, const stoic_stw_node *node);
void stoic_run_gemm(stoic_run *run, const stoic_stw_node *node);
void stoic_run_local(stoic_run *run, const stoic_stw_node *node);

/* ---- activations as integers (run_integers.c) ---- */

/* Can every Conv and Gemm run so? `ranges`: are those of the activations needed? Fails with
 * STOIC_ERR_UNSUPPORTED, which names what cannot and why. */
stoic_status stoic_run_integers_check(const stoic_stw *file, const char *name, bool ranges,
                                      stoic_error *err);
/* Bytes of scratch of a Conv or Gemm for a batch, if they can. */
uint64_t stoic_run_integer_bytes(const stoic_stw *file, const stoic_stw_node *node, int batch);
void stoic_run_integers(stoic_run *run, const stoic_stw_node *node);

#endif
