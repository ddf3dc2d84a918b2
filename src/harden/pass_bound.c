/*
 * relu6 and bound:N: what a ReLU lets through ends at N.
 *
 *   Relu          becomes Clip(0, N)
 *   Clip(a, b)    becomes Clip(a, min(b, N)), if b was above N
 *
 * A flip of a high exponent bit makes a value huge; behind the bound it is at most N. A NaN goes
 * through both operators as it is (docs/methods.md 7).
 */
#include <math.h>

#include "base/fail.h"
#include "harden/pass.h"

static stoic_status bound_node(stoic_pass_run *run, int node, stoic_error *err) {
    double low, high;
    stoic_anatomy_bounds(run->model, node, &low, &high);
    if (!(low < run->argument))
        return stoic_pass_refuse(run, node, "its lower bound is not below the new one", err);
    stoic_status status = stoic_graft_clip(run, node, (float)low, (float)run->argument, err);
    if (status != STOIC_OK)
        return status;
    return stoic_pass_changed(run, node, err, "becomes Clip(%g, %g)", low, run->argument);
}

static stoic_status apply(stoic_pass_run *run, stoic_error *err) {
    const stoic_model *m = run->model;
    bool any = false;
    run->argument = (double)(float)run->argument; /* as it will be stored */
    for (size_t i = 0; i < m->n_nodes; i++) {
        double low, high;
        if (!stoic_anatomy_bounds(m, (int)i, &low, &high))
            continue;
        any = true;
        if (high <= run->argument)
            continue;
        stoic_status status = bound_node(run, (int)i, err);
        if (status != STOIC_OK)
            return status;
    }
    return any ? STOIC_OK
               : stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                            "%s: the network has no Relu and no Clip", run->text);
}

const stoic_pass stoic_pass_relu6 = {
    .name = "relu6", .fallback = 6, .low = 0, .high = INFINITY, .apply = apply};

const stoic_pass stoic_pass_bound = {.name = "bound",
                                     .fallback = NAN,
                                     .low = 0,
                                     .high = 0x1.fffffep127,
                                     .what = "a bound",
                                     .apply = apply};
