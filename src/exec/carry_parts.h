/* Inside the carrying of a change to the class: what carry.c prepares and carry_run.c uses. */
#ifndef STOIC_EXEC_CARRY_PARTS_H
#define STOIC_EXEC_CARRY_PARTS_H

#include "exec/line_parts.h"

/* Scratch of stoic_carry, in rows of 16: values on their way, twice, golden sums, uncertainties,
 * and errors; then, of a convolution, sums, totals and both ends, and the input. */
enum {
    NOW = 0,
    NEXT = STOIC_TAIL_WIDEST,
    GOLDEN = 2 * STOIC_TAIL_WIDEST,
    UNSURE = 3 * STOIC_TAIL_WIDEST,
    ERRORS = UNSURE + 2 * STOIC_TAIL_CLASSES,
    STASH = ERRORS + 3 * STOIC_TAIL_CLASSES, /* changes and uncertainties that wait */
    WIDE = STASH + 2 * STOIC_TAIL_CLASSES
};

static const float absorbed = 0x1p25f; /* 2 / u: the golden part where it is nothing beside */

#endif
