/* Inside the engine: what engine.c and explain.c share. */
#ifndef STOIC_CAMPAIGN_ENGINE_PARTS_H
#define STOIC_CAMPAIGN_ENGINE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/seal.h"

#include "campaign/engine.h"
#include "campaign/hit_sites.h"
#include "campaign/outcome.h"
#include "campaign/pass_queue.h"
#include "exec/faulty.h"

/* A bit to be flipped in a test: engine_memory.c. */
typedef struct stoic_flip {
    int what; /* 0: none */
    int64_t byte;
    int bit;
    atomic_llong wait; /* trials until then */
} stoic_flip;

/* What nobody writes once the engine is made, and how it was then. */
typedef struct stoic_engine_memory {
    stoic_seals weights, plan, faults; /* weights: as they run, and as they are stored */
    pthread_mutex_t lock;              /* one check at a time */
    uint64_t constants;                /* digest of what each session has a copy of */
    uint64_t *outputs;                 /* and of each block's golden outputs and labels */
    atomic_bool *used; /* block: by trials of which nobody knows yet whether they count */
    stoic_flip flip;
} stoic_engine_memory;

struct stoic_engine {
    const stoic_model *model;
    const stoic_dataset *data;
    const stoic_store *store;
    stoic_fault *const *faults;
    size_t n_faults;
    const stoic_transient *transient;
    stoic_campaign_options options;
    stoic_design design;
    int64_t grain; /* images a block of golden values has */
    bool stored;   /* some faults lie in stored bits */
    bool single;   /* trials see few images, each for itself: blocks that are not kept do not pay */
    bool whole;    /* trials change all of the network: golden values serve none */
    stoic_program *program;
    stoic_chains *chains;
    stoic_golden golden;
    stoic_golden_outputs outputs;
    uint16_t *top1;
    uint8_t *hits;
    pthread_mutex_t lock;
    stoic_block **blocks; /* kept for all workers; NULL: each worker keeps its current one */
    int64_t n_blocks;
    stoic_engine_memory memory;
};

typedef struct stoic_edit_list {
    int64_t trial; /* one more than the trial's number; 0: empty */
    stoic_edit *edits;
    size_t n, room;
    bool due;
    uint64_t digest; /* of all of it */
} stoic_edit_list;

enum { STOIC_DRAWN_TRIALS = 1024 };

/* One worker's part. */
typedef struct stoic_engine_worker {
    stoic_engine *engine;
    stoic_faulty *faulty;
    stoic_block *block;
    bool own; /* the block is this worker's alone */
    float *images;
    int *labels;
    int64_t first, count; /* the current images */
    stoic_counts begun;   /* a trial's counts on all of them, before the fault */
    uint64_t begun_digest;
    bool *used;   /* block: since the last check */
    bool spoiled; /* something is gone that had changed: `spoiled_by` says what */
    stoic_error spoiled_by;
    stoic_pass_queue *queue;
    int32_t *spared; /* images that the transient fault leaves out */
    stoic_site_drawer drawer;
    bool swept;                                /* all bits of a weight follow each other */
    stoic_edit_list drawn[STOIC_DRAWN_TRIALS]; /* a chunk's trials come again for every block */
    stoic_edit_list many; /* those of one trial with STOIC_MANY_EDITS, which stay in the session */
} stoic_engine_worker;

/* As the worker API has them. */
stoic_status stoic_engine_worker_open(void *engine, int index, void **state, stoic_error *err);
void stoic_engine_worker_close(void *state);
stoic_status stoic_engine_worker_block(void *state, int64_t first, int64_t count, stoic_error *err);

/* ---- engine_memory.c ---- */

/* Everything is made. */
stoic_status stoic_engine_seal(stoic_engine *engine, stoic_error *err) STOIC_MUST_CHECK;
void stoic_engine_unseal(stoic_engine *engine);
/* A worker's trials need the block that this image is in. */
static inline void stoic_engine_use(stoic_engine_worker *w, int64_t image) {
    w->used[image / w->engine->grain] = true;
}
uint64_t stoic_edit_list_digest(const stoic_edit_list *list);
/* The list, or the worker's own block, is about to go: notes whether it had changed. */
void stoic_engine_drop_list(stoic_engine_worker *w, const stoic_edit_list *list);
void stoic_engine_drop_block(stoic_engine_worker *w);
/* As the worker API has them. */
stoic_status stoic_engine_check_own(void *state, stoic_error *err);
stoic_status stoic_engine_check_shared(void *engine, stoic_error *err);
/* Before each trial: flips the bit that a test asked for, when its time has come. */
void stoic_engine_flip_now(stoic_engine_worker *w, const stoic_edit_list *drawn);
static inline void stoic_engine_flip(stoic_engine_worker *w, const stoic_edit_list *drawn) {
    if (w->engine->memory.flip.what)
        stoic_engine_flip_now(w, drawn);
}

#endif
