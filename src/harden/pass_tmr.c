/*
 * tmr: triple modular redundancy of the computation. The network runs three times on the image;
 * each output is Where(a = b, a, c): if two of three agree, theirs.
 *
 * A NaN agrees with nobody: two of three that are NaN give the third. All three read the same
 * constants: a fault in a stored weight hits all of them, and the vote does not see it.
 */
#include <math.h>

#include "base/fail.h"
#include "harden/pass.h"

enum { FIRST_OPSET = 11, COPIES = 3 }; /* where Equal takes floats */

static stoic_status build(stoic_pass_run *run, stoic_model **out, stoic_error *err) {
    const stoic_model *m = run->model;
    int last = m->values[m->output].producer;
    if (m->opset < FIRST_OPSET)
        return stoic_pass_refuse(run, last, "needs opset 11, where Equal takes floats", err);
    stoic_status status = stoic_model_replicate(m, COPIES, out, err);
    if (status == STOIC_OK)
        status = stoic_pass_changed(run, last, err, "%zu nodes run three times, with a vote",
                                    m->n_nodes);
    return status;
}

const stoic_pass stoic_pass_tmr = {.name = "tmr", .fallback = NAN, .build = build};
