/* Inside stoic_faulty: what line.c and threshold.c share. */
#ifndef STOIC_EXEC_LINE_PARTS_H
#define STOIC_EXEC_LINE_PARTS_H

#include <math.h>

#include "exec/faulty_parts.h"

#ifndef STOIC_LINE_WIDEN /* tests set these to see that they would notice */
#define STOIC_LINE_WIDEN 1.0
#endif
#ifndef STOIC_LINE_UNIT
#define STOIC_LINE_UNIT 0x1.00002p-24
#endif
static const double unit = STOIC_LINE_UNIT; /* u (1 + u) and a little */
static const double slack = 1.02;           /* the bounds' own rounding, and second-order terms */
static const double tiny = 1e-36;           /* roundings below the normal range */

#define STOIC_FAR_FROM 0x1p61
#ifndef STOIC_QUIET
#define STOIC_QUIET 0x1p-5
#endif

enum {
    STOIC_TAIL_LAYERS = 4,
    STOIC_TAIL_WIDEST = 256,
    STOIC_TAIL_CLASSES = 64,
    STOIC_TAIL_LONGEST = 4096
};

/* Matrix products from a changed value to the class. */
typedef struct stoic_tail {
    int step[STOIC_TAIL_LAYERS];
    int n;     /* layers */
    int final; /* what the last step is */
} stoic_tail;

/* What a change of 1 in one element of the changed value does to each class at most, and to the
 * lead of one class over another. */
typedef struct stoic_reach {
    double hidden; /* to any sum in front of the last layer */
    double one[STOIC_TAIL_CLASSES], pair[STOIC_TAIL_CLASSES][STOIC_TAIL_CLASSES];
} stoic_reach;

struct stoic_line {
    float *low, *high; /* [channel][groups x 16]: dw * x in between keeps the class */
    float *errors;     /* [image][class]: what roundings alone can do */
    float *quiet;  /* the same while no sum in front of the last layer moves by STOIC_QUIET: what a
                      ReLU holds at 0 then passes no error on */
    float *reach;  /* [channel][class]: what a change of 1 in it does at most */
    bool *ready;   /* channel */
    float *far_to; /* [channel]: up to here every image has class far_class; 0: unknown */
    int16_t *far_class;
};

/* How a change in one channel is carried to the class: carry.c. Of one weight's channel. */
struct stoic_carry {
    bool use;
    int step; /* the hit layer */
    int64_t channel;
    stoic_tail tail;
    stoic_product products[STOIC_TAIL_LAYERS];
    stoic_product reach; /* from changes of the elements in front of the tail to the logits */
    double norms[STOIC_TAIL_LAYERS]; /* row sums of |weights| at most; of the first, what is hit */
    const stoic_probe *hit, *probes[STOIC_TAIL_LAYERS];
    const stoic_line *line;
    const float *logits; /* golden */
    const float *first;  /* golden sums of the tail's first layer, [image][out] */
    const float *sums;   /* of the hit layer, [image][channel] */
    float off[4];        /* of the hit sums: the kernel `move` */
    double near, far;    /* roundings of the tail in proportion to the change */
    bool sigmoid;
    bool *plain; /* [image] of `plain_block`, for `plain_step`: no NaN, and all sums small */
    size_t plain_room;
    uint64_t plain_block;
    int plain_step;
    /* a convolution: one channel of the block, [image][pixel] */
    uint64_t block;
    int64_t pixels, source, places; /* of the sums; the channel that the weight reads, its size */
    float *channel_sums, *totals, *frontier, *input;
    size_t sums_room, totals_room, frontier_room, input_room;
    int32_t *at; /* [pixel]: the place that the weight meets, -1: padding */
    size_t at_room;
    float *scratch;
    size_t scratch_room;
};

/* Makes f->carry for channel `channel` of product `first`. Behind stoic_line_prepare(), without
 * edits. */
stoic_status stoic_carry_line(stoic_faulty *f, stoic_block *b, int first, int64_t channel,
                              stoic_error *err);
/* The same for the weight at `index` of the convolution of f->narrow. `reach`, [pixel][class]: what
 * a change of 1 there does at most. */
stoic_status stoic_carry_limit(stoic_faulty *f, stoic_block *b, const stoic_tail *t,
                               const stoic_line *line, const float *reach, int64_t index,
                               stoic_error *err);
/* Decides what it can of the selected images; *left: how many remain selected. No edits. */
void stoic_carry_run(stoic_faulty *f, const stoic_block *b, float change, const stoic_sink *sink,
                     int *left);

/* Are the steps from `from` on that depend on `value` a tail? Behind stoic_session_changed(). */
bool stoic_tail_find(const stoic_faulty *f, int value, int from, stoic_tail *out);
/* For element j of the tail's input. */
void stoic_tail_reach(const stoic_faulty *f, const stoic_tail *t, int64_t j, stoic_reach *out);
/* Golden sums in front of the final step, [image][class]. */
stoic_status stoic_tail_logits(stoic_faulty *f, stoic_block *b, const stoic_tail *t,
                               const float **out, stoic_error *err);
/* The block's line for hit layer `layer`, with room for `channels` intervals; errors filled in. */
stoic_status stoic_line_of(stoic_faulty *f, stoic_block *b, const stoic_tail *t, int layer,
                           int64_t channels, stoic_line **out, stoic_error *err);
/* ReLU or nothing, and nothing else fused behind. */
bool stoic_chooses(const stoic_exec_step *step);
/* Is all that stands between the hit sums and the frontier such, or max-pools? */
bool stoic_narrow_chooses(const stoic_faulty *f);
/* |x| that a weight meets at each of `pixels` sums: out [pixel][16]. `at`: stoic_chain_places();
 * places lie `step` floats apart in `in`. */
void stoic_meet(const int32_t *at, int64_t pixels, const float *in, int64_t step, float *out);
/* One channel of 16 images through a max-pool, from *a to *b; they change places. */
void stoic_pool_lanes(const stoic_kernels *kernels, const stoic_exec_step *step, stoic_act act,
                      float **a, float **b);
/* Through the max-pools among the steps of a path, without activations; returns a or b. */
float *stoic_max_pools(const stoic_program *g, const int *path, int n, float *a, float *b);

/* How far a weight may move in one image, given the room [pair, pair if quiet, one, one if
 * quiet][columns] and what |dw| = 1 changes, x [element][16] at its lane, through the reaches
 * [element][columns]; moved [columns]: what that does to each class. Negative: not at all. */
static inline float stoic_limit_of(const stoic_kernels *kernels, const float *pairs,
                                   const float *ones, const float *x, int64_t elements,
                                   int64_t columns, const float *room, float *moved) {
    const float *const pair[] = {room, room + columns};
    const float *const one[] = {room + 2 * columns, room + 3 * columns};
    float least[2], alone[2];
    kernels->least_room(pairs, x, STOIC_LANES, elements, columns, pair, moved, least);
    kernels->least_room(ones, x, STOIC_LANES, elements, columns, one, moved, alone);
    float normal = fminf(least[0], alone[0]), quiet = fminf(least[1], alone[1]);
    float limit = fminf(fmaxf(normal, quiet), 0x1p60f);
    return limit >= 0 ? (float)((double)limit * (1 - 1e-5) * STOIC_LINE_WIDEN) : -1;
}

/* An upper bound in float. */
static inline float stoic_above(double x) {
    return nextafterf((float)x, INFINITY);
}

/* Do Sigmoids saturate as the kernel `classify` takes for granted? */
bool stoic_tail_saturates(const stoic_kernels *kernels);

/* How far apart computed outputs need the logits of the top class and class k. */
double stoic_tail_apart(const stoic_tail *t, int top, int64_t k);

#endif
