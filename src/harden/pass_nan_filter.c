/*
 * nan-filter: Where(IsNaN(y), 0, y) behind every activation y.
 *
 * Behind, and not in front, so that what an activation makes itself (HardSwish of -Inf) is caught
 * too; for ReLU and Clip it is the same, since NaN goes through them. An activation that is the
 * network's output keeps its NaN: there it says that the answer is worth nothing.
 */
#include <math.h>

#include "base/fail.h"
#include "harden/pass.h"

enum { FIRST_OPSET = 9 }; /* that has IsNaN and Where */

static stoic_status filter(stoic_pass_run *run, int node, stoic_error *err) {
    int value = run->model->nodes[node].out[0], out;
    stoic_status status =
        stoic_graft_choice(run, value, "filtered", &stoic_op_is_nan, 0, 0, &out, err);
    if (status != STOIC_OK)
        return status;
    stoic_graft_readers(run, value, out);
    return stoic_pass_changed(run, node, err, "NaN becomes 0 behind it");
}

static stoic_status apply(stoic_pass_run *run, stoic_error *err) {
    const stoic_model *m = run->model;
    bool any = false;
    for (size_t i = 0; i < m->n_nodes; i++) {
        int value = m->nodes[i].out[0];
        if (!stoic_anatomy_is_activation(&m->nodes[i]) || value == m->output)
            continue;
        any = true;
        if (m->opset < FIRST_OPSET)
            return stoic_pass_refuse(run, (int)i, "needs opset 9, where IsNaN begins", err);
        if (stoic_anatomy_has(run->anatomy, value, STOIC_CHOICE_NAN))
            continue;
        stoic_status status = filter(run, (int)i, err);
        if (status != STOIC_OK)
            return status;
    }
    return any ? STOIC_OK
               : stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                            "%s: the network has no activation but perhaps its output", run->text);
}

const stoic_pass stoic_pass_nan_filter = {.name = "nan-filter", .fallback = NAN, .apply = apply};
