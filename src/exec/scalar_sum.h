/*
 * One output of a layer by our own scalar code, in the order that docs/fault-models.md gives:
 * input channel, kernel row, kernel column, a fused multiply-add for each tap inside the image,
 * then the bias; and the same with another partial sum behind one of the steps. The fast kernels
 * sum in an order of theirs, so without a fault the two differ by rounding.
 */
#ifndef STOIC_EXEC_SCALAR_SUM_H
#define STOIC_EXEC_SCALAR_SUM_H

#include "exec/run.h"
#include "stoic/op_fault.h"

/* Belongs to one worker; start from {0}, free weights. */
typedef struct stoic_scalar {
    float *weights; /* of one output channel, in the order of the sum */
    size_t room;
} stoic_scalar;

typedef struct stoic_scalar_sum {
    float clean, faulty;
    int64_t steps;
    bool hit; /* the sum was long enough for the step */
} stoic_scalar_sum;

/* Are a layer's sums known to this code? */
bool stoic_scalar_knows(const stoic_exec_step *step);

/* Outputs `output` (as ONNX orders them) and `count` - 1 behind it, of one image. `step` is a
 * layer, `input` its input in memory order; weights as the session has them. `hit` may be NULL. */
stoic_status stoic_scalar_sums(stoic_scalar *scalar, const stoic_session *session,
                               const stoic_exec_step *step, const float *input, int64_t output,
                               int64_t count, const stoic_op_hit *hit, stoic_scalar_sum *out,
                               stoic_error *err) STOIC_MUST_CHECK;

#endif
