/* Inside stoic_faulty: what line.c and threshold.c share. */
#ifndef STOIC_EXEC_LINE_PARTS_H
#define STOIC_EXEC_LINE_PARTS_H

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
    double one[STOIC_TAIL_CLASSES], pair[STOIC_TAIL_CLASSES][STOIC_TAIL_CLASSES];
} stoic_reach;

struct stoic_line {
    float *low, *high; /* [channel][groups x 16]: dw * x in between keeps the class */
    float *errors;     /* [image][class]: what roundings alone can do */
    bool *ready;       /* channel */
    float *far_to;     /* [channel]: up to here every image has class far_class; 0: unknown */
    int16_t *far_class;
};

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
/* How far apart computed outputs need the logits of the top class and class k. */
double stoic_tail_apart(const stoic_tail *t, int top, int64_t k);

#endif
