/* What the fast kernel of Checksum shares with its definition (op_checksum.c). */
#ifndef STOIC_OP_CHECKSUM_H
#define STOIC_OP_CHECKSUM_H

#include "op/op.h"

/* The tolerance of an inferred Checksum is share * bound + least; false: it has none. */
bool stoic_checksum_tolerance(const stoic_op_call *call, double *share, double *least);

#endif
