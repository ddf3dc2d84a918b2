/* Inside the engine: what engine.c and explain.c share. */
#ifndef STOIC_CAMPAIGN_ENGINE_PARTS_H
#define STOIC_CAMPAIGN_ENGINE_PARTS_H

#include <pthread.h>

#include "campaign/engine.h"
#include "campaign/hit_sites.h"
#include "campaign/outcome.h"
#include "campaign/pass_queue.h"
#include "exec/faulty.h"

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
    stoic_program *program;
    stoic_chains *chains;
    stoic_golden golden;
    stoic_golden_outputs outputs;
    uint16_t *top1;
    uint8_t *hits;
    pthread_mutex_t lock;
    stoic_block **blocks; /* kept for all workers; NULL: each worker keeps its current one */
    int64_t n_blocks;
};

typedef struct stoic_edit_list {
    int64_t trial; /* one more than the trial's number; 0: empty */
    stoic_edit *edits;
    size_t n, room;
    bool due;
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
    stoic_pass_queue *queue;
    int32_t *spared; /* images that the transient fault leaves out */
    stoic_site_drawer drawer;
    stoic_edit_list drawn[STOIC_DRAWN_TRIALS]; /* a chunk's trials come again for every block */
    stoic_edit_list many; /* those of one trial with STOIC_MANY_EDITS, which stay in the session */
} stoic_engine_worker;

/* As the worker API has them. */
stoic_status stoic_engine_worker_open(void *engine, int index, void **state, stoic_error *err);
void stoic_engine_worker_close(void *state);
stoic_status stoic_engine_worker_block(void *state, int64_t first, int64_t count, stoic_error *err);

#endif
