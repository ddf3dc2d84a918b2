/*
 * Which unit comes next. Trials are cut into chunks at fixed places, images into blocks; a shard
 * I of N owns the chunks whose number is I-1 modulo N. A piece is what has to be done of one
 * chunk: usually all of it, the first or last part where the number of trials is no multiple.
 * Units are handed out piece after piece, block after block, so that pieces finish early.
 *
 * Thread-safety: none; the runner holds its mutex.
 */
#ifndef STOIC_CAMPAIGN_SCHEDULE_H
#define STOIC_CAMPAIGN_SCHEDULE_H

#include "campaign/campaign_file.h"
#include "campaign/worker.h"

/* Trials lo … hi-1 of one chunk. */
typedef struct stoic_piece {
    int64_t chunk, lo, hi;
    stoic_counts *counts; /* sums over the blocks that are in; hi - lo */
    uint8_t *done;        /* one a block: handed out, or in the journal */
    int64_t next_block, left;
    struct stoic_piece *next, *previous;
} stoic_piece;

typedef struct stoic_schedule {
    stoic_design design;
    int shard, shards;
    int64_t blocks, planned;
    int64_t limit; /* only trials below may be started */
    bool cut;      /* and pieces end there, instead of reaching beyond */
    int64_t chunks;
    int32_t *done, *claimed;        /* trials of each chunk: in the file; in the file or a piece */
    int64_t cursor;                 /* chunks below have been looked at */
    int64_t prefix_chunk;           /* chunks below are complete */
    stoic_piece *waiting, *current; /* not begun; being handed out */
    stoic_piece *open;              /* handed out, not all in */
    int64_t work_total, work_done;  /* trials x blocks of this shard */
    int64_t trials_total, trials_done;
} stoic_schedule;

/* Reads what the file holds already: complete trials and journal. */
stoic_status stoic_schedule_init(stoic_schedule *schedule, stoic_campaign_file *file,
                                 const stoic_design *design, int shard, int shards, int64_t planned,
                                 stoic_error *err) STOIC_MUST_CHECK;
void stoic_schedule_deinit(stoic_schedule *schedule);

/* *piece is NULL when nothing can be handed out now. */
stoic_status stoic_schedule_next(stoic_schedule *schedule, stoic_piece **piece, int64_t *block,
                                 stoic_error *err) STOIC_MUST_CHECK;
/* Nothing left to hand out, and every piece is closed. */
bool stoic_schedule_finished(const stoic_schedule *schedule);
/* The piece's rows are in the file: forgets and frees it. */
stoic_status stoic_schedule_close(stoic_schedule *schedule, stoic_piece *piece,
                                  stoic_error *err) STOIC_MUST_CHECK;
/* Every trial below this number is in the file. */
int64_t stoic_schedule_prefix(stoic_schedule *schedule);

/* Images of block `block`: the first and how many. */
int64_t stoic_schedule_block(const stoic_design *design, int64_t block, int64_t *first);

/* The distinct images of one trial, ascending, by Floyd's algorithm on STOIC_STREAM_IMAGE.
 * `bitmap` is scratch of (images + 7) / 8 zero bytes, and is zero again on return. */
void stoic_pick_images(uint64_t seed, int64_t trial, int64_t images, int64_t count, uint8_t *bitmap,
                       int64_t *out);

#endif
