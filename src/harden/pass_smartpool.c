/*
 * smartpool[:K]: a max-pool that ignores what is above K times the largest value it has ever read
 * on training images; a window with nothing left gives 0.
 *
 *   x' = Where(x > K m, -Inf, x)    y = MaxPool(x')    y' = Where(y < -FLT_MAX, 0, y)
 *
 * A maximum passes the one corrupted element of a window on to everybody behind; here the others
 * decide. A NaN is not above anything and stays.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "harden/pass.h"

typedef struct pool {
    int node;
    int source;   /* the value whose elements are ignored where they are too large */
    int test;     /* the comparison that is there already, -1 */
    double limit; /* its limit */
    float bound;  /* what it is to be */
    int chosen;   /* what the pool reads then; -1: a pool in front reads the same */
    bool ends;    /* the Where behind it is there already */
} pool;

/* What stands around a MaxPool already. */
static pool look(const stoic_pass_run *run, int node) {
    const stoic_model *m = run->model;
    stoic_choice choice;
    pool p = {.node = node, .source = m->nodes[node].in[0], .test = -1, .chosen = -1};
    int where = m->values[p.source].producer;
    if (where >= 0 && m->nodes[where].op == &stoic_op_where) {
        int test = m->values[m->nodes[where].in[0]].producer;
        if (test >= 0 && stoic_choice_find(m, test, where, &choice) &&
            choice.kind == STOIC_CHOICE_ABOVE && choice.with == -INFINITY) {
            p.test = test;
            p.limit = (double)choice.limit;
            p.source = m->nodes[where].in[2];
        }
    }
    p.ends = stoic_anatomy_choice(run->anatomy, m->nodes[node].out[0], &choice) >= 0 &&
             choice.kind == STOIC_CHOICE_BELOW && choice.limit == -FLT_MAX && choice.with == 0;
    return p;
}

static stoic_status find_bounds(stoic_pass_run *run, pool *pools, size_t n, stoic_error *err) {
    stoic_status status = STOIC_OK;
    float *most = NULL;
    int64_t images;
    int *values = calloc(n + 1, sizeof *values);
    if (!values)
        return stoic_fail_memory(err, "max-pools", n * sizeof *values);
    for (size_t k = 0; k < n; k++)
        values[k] = pools[k].source;
    TRY(stoic_profile_maxima(run, values, n, &most, &images, err));
    for (size_t k = 0; k < n; k++) {
        double top = (double)stoic_percentile(most + (int64_t)k * images, images, 100);
        pools[k].bound = (float)(run->argument * top);
        if (!(pools[k].bound > 0 && isfinite(pools[k].bound))) {
            status =
                stoic_pass_refuse(run, pools[k].node, "found no value above 0 to bound it by", err);
            goto done;
        }
    }
done:
    free(most);
    free(values);
    return status;
}

/* In front of pool k; others that read the same value share it. */
static stoic_status ignore_above(stoic_pass_run *run, pool *pools, size_t k, bool *changed,
                                 stoic_error *err) {
    stoic_status status = STOIC_OK;
    pool *p = &pools[k];
    int fresh;
    if (p->test >= 0) {
        *changed = (double)p->bound < p->limit && !stoic_bound_holds(p->limit, (double)p->bound);
        if (!*changed)
            return STOIC_OK;
        TRY(stoic_graft_scalar(run, "smartpool_limit", p->bound, &fresh, err));
        stoic_rewrite_input(run->rewrite, p->test, 1, fresh);
        return STOIC_OK;
    }
    *changed = true;
    for (size_t i = 0; i < k; i++) {
        if (pools[i].source == p->source && pools[i].test < 0)
            p->chosen = pools[i].chosen;
    }
    if (p->chosen < 0)
        TRY(stoic_graft_choice(run, p->source, "plausible", &stoic_op_greater, p->bound, -INFINITY,
                               &p->chosen, err));
    stoic_rewrite_input(run->rewrite, p->node, 0, p->chosen);
done:
    return status;
}

static stoic_status end_window(stoic_pass_run *run, const pool *p, stoic_error *err) {
    int value = run->model->nodes[p->node].out[0], out;
    if (p->ends)
        return STOIC_OK;
    stoic_status status =
        stoic_graft_choice(run, value, "or_zero", &stoic_op_less, -FLT_MAX, 0, &out, err);
    if (status == STOIC_OK)
        stoic_graft_readers(run, value, out);
    return status;
}

static stoic_status apply(stoic_pass_run *run, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_model *m = run->model;
    size_t n = 0;
    pool *pools = calloc(m->n_nodes + 1, sizeof *pools);
    if (!pools)
        return stoic_fail_memory(err, "max-pools", m->n_nodes * sizeof *pools);
    for (size_t i = 0; i < m->n_nodes; i++) {
        if (m->nodes[i].op != &stoic_op_max_pool)
            continue;
        if (m->opset < 9) {
            status = stoic_pass_refuse(run, (int)i, "needs opset 9, where Where begins", err);
            goto done;
        }
        pools[n++] = look(run, (int)i);
    }
    if (n == 0) {
        status = stoic_pass_note(run, "skipped: the network has no MaxPool", err);
        goto done;
    }
    TRY(find_bounds(run, pools, n, err));
    for (size_t k = 0; k < n; k++) {
        bool changed;
        TRY(ignore_above(run, pools, k, &changed, err));
        TRY(end_window(run, &pools[k], err));
        if (changed || !pools[k].ends)
            TRY(stoic_pass_changed(run, pools[k].node, err, "ignores what is above %g",
                                   (double)pools[k].bound));
    }
done:
    free(pools);
    return status;
}

const stoic_pass stoic_pass_smartpool = {.name = "smartpool",
                                         .fallback = 5,
                                         .low = 0,
                                         .high = 0x1.fffffep127,
                                         .what = "a factor",
                                         .profiles = true,
                                         .apply = apply};
