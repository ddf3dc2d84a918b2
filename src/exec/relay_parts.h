/* Inside the relay: what relay.c finds and relay_limit.c uses. */
#ifndef STOIC_EXEC_RELAY_PARTS_H
#define STOIC_EXEC_RELAY_PARTS_H

#include "exec/line_parts.h"
#include "exec/relay.h"

#ifndef STOIC_RELAY_UNIT /* a test sets it to 0 to see that it would notice */
#define STOIC_RELAY_UNIT STOIC_LINE_UNIT
#endif

/* Errors are known for sums that move by STOIC_QUIET at most, 8, 32 and 128 times that. */
enum { STOIC_RELAY_PATH = 4, STOIC_RELAY_LEVELS = 4 };
/* Fewer changes of an image are left to packs of images. */
enum { STOIC_SIDE_LEAST = 3 };

/* ReLU and at most one max-pool of quarters behind a convolution. */
typedef struct side_path {
    int parts; /* places of a window: 1 or 4 */
    bool relu;
    int64_t across, line; /* windows and places in a row */
} side_path;

/* All values of one weight side by side: relay_side.c. */
typedef struct stoic_side {
    int n;                        /* how many; 0: none */
    float change[STOIC_EXPECTED]; /* of the weight */
    int16_t *top1;                /* [image][STOIC_EXPECTED]: the class, -1: unknown */
    size_t top1_room;             /* images */
    int step;                     /* shapes are for this hit step, plus one */
    side_path hit, next;
    int32_t *lists; /* what follows */
    size_t lists_room;
    int32_t *windows; /* of the hit channel: [frontier pixel][parts] */
    int32_t *taps;    /* what each output of the next convolution reads: pixel, tap, in turn */
    int32_t *starts;  /* [output]: its first */
    int32_t *open;    /* scratch: [part][taps], those that change */
    int32_t *kept[2]; /* what changes in front of one product and the next */
    uint8_t *live;    /* frontier pixel: does it change? */
    uint64_t block;   /* the channel is of this block (its serial), step and number */
    int of;
    int64_t channel;
    float *z, *front; /* [image][sum], [image][frontier pixel]: golden */
    size_t z_room, front_room;
    float *scratch;
    size_t scratch_room;
} stoic_side;

struct stoic_relay {
    bool use;
    bool found;      /* what follows up to `scratch` is for `step` and `channel` */
    int step;        /* the convolution */
    int64_t channel; /* the hit one */
    int value;       /* what the tail reads */
    int path[STOIC_RELAY_PATH], n_path; /* from the convolution to it */
    int64_t pixels, widest, behind;     /* of a channel: its sums, at most on the way, at the end */
    stoic_tail tail;
    stoic_product products[STOIC_TAIL_LAYERS];
    double norms[STOIC_TAIL_LAYERS];
    float *sizes_of[STOIC_TAIL_LAYERS]; /* |weights| of the products */
    uint64_t sums_block;                /* what follows is for this block */
    const float *quiet; /* [level][image][class]; NULL: only for weights that are asked for often */
    const float *sums[STOIC_TAIL_LAYERS]; /* golden, of the products */
    bool sigmoid;
    double near; /* roundings of the tail in proportion to the change */
    int64_t classes;
    stoic_product reach;  /* from changes of what the tail reads to the classes, and to any sum
                             on the way */
    float *reaches, *all; /* its weights; their sums */
    size_t reaches_room;
    int reached;            /* they are for this step, plus one */
    float *weights, *sizes; /* [output channel][taps], and their magnitudes */
    size_t weights_room;
    float *scratch, *measured; /* the latter for relay_measure.c */
    size_t scratch_room;
    /* limits */
    int paired;      /* `pairs` are for this step, plus one */
    int64_t columns; /* the classes, and any sum on the way, up to a multiple of 16 */
    float *pairs;    /* [top, and one by one][element][columns] */
    size_t pairs_room;
    uint64_t room_block; /* `room` is for this block (its serial) and that channel */
    int64_t room_channel;
    float *room; /* [image][pair, pair if quiet, one, one if quiet][columns] */
    size_t room_room;
    float *own; /* [image][class, any sum]: what 2 u total in the hit channel does */
    size_t own_room;
    float *met; /* scratch: one channel of the hit layer, twice */
    size_t met_room;
    int32_t *at; /* [pixel]: the place that the weight meets, -1: padding */
    size_t at_room;
    stoic_side side;
};

void stoic_side_free(stoic_side *s);

double stoic_relay_level(int level);
/* The first one that sums of this size stay below; STOIC_RELAY_LEVELS: none. */
int stoic_relay_level_of(double sum);
/* Errors [level][image][class] as those of the difference, where no sum behind the hit layer moves
 * by more than the level; the block's. */
stoic_status stoic_relay_quiet(stoic_faulty *f, stoic_block *b, const float **out,
                               stoic_error *err);

/* The chain of the hit channel alone through the convolution, without golden sums. */
stoic_chain stoic_relay_chain(const stoic_faulty *f);
/* Outputs o and o + 1 of it (the second is room alone where there is none), for `in` [pixel][16].
 */
void stoic_relay_pair(const stoic_faulty *f, const stoic_chain *c, const float *weights, int64_t o,
                      const float *in, float *const out[2]);
/* From the input of the tail to the logits, the chains of the pack's changes measured on the way;
 * errors [class][16]: how far the logits may be off, infinite where sums might overflow. */
float *stoic_relay_measured(const stoic_faulty *f, float *in, float *errors);
/* Channel o behind the pools [pixel][16], to where it lies among what the tail reads. */
void stoic_relay_put(const stoic_faulty *f, int64_t o, const float *from, float *out);

#endif
