/*
 * ranger[:Q]: activations restricted to the range seen on training images (Ranger, Chen et al.).
 *
 *   bound of a ReLU       the Q-th percentile (100: the largest) of its largest element in each
 * image the ReLU              becomes Clip(0, bound); a Clip ends at the bound what follows it a
 * pool, a change of shape, a Concat of such: Clip to the bounds of what it reads, the smallest and
 * the largest of them
 *
 * A Clip or ReLU behind values that are bounded already is one of the latter, not profiled: ranger
 * on its own result changes nothing.
 */
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "harden/pass.h"

typedef struct range {
    bool known;
    double low, high;
} range;

typedef struct ranger {
    range *ranges; /* of each value */
    int *profiled; /* values, in the order of their nodes */
    size_t n_profiled;
    float *tops; /* their bounds */
} ranger;

static bool pools(const stoic_node *n) {
    return n->op == &stoic_op_max_pool || n->op == &stoic_op_average_pool ||
           n->op == &stoic_op_global_average_pool || n->op == &stoic_op_reduce_mean;
}

static bool reshapes(const stoic_node *n) {
    return n->op == &stoic_op_reshape || n->op == &stoic_op_flatten || n->op == &stoic_op_squeeze ||
           n->op == &stoic_op_unsqueeze || n->op == &stoic_op_transpose;
}

/* The range of what a node gives that follows bounded values. */
static range following(const ranger *r, const stoic_node *n) {
    range all = {.known = n->n_in > 0, .low = INFINITY, .high = -INFINITY};
    for (size_t k = 0; k < (n->op == &stoic_op_concat ? n->n_in : 1); k++) {
        range in = n->in[k] >= 0 ? r->ranges[n->in[k]] : (range){.known = false};
        all.known = all.known && in.known;
        all.low = fmin(all.low, in.low);
        all.high = fmax(all.high, in.high);
    }
    if (n->op == &stoic_op_average_pool) { /* which may count padding, as 0 */
        all.low = fmin(all.low, 0);
        all.high = fmax(all.high, 0);
    }
    return all;
}

/* What a node gives, if it is a pool or the like, a filter, or Dropout. */
static range range_behind(const stoic_pass_run *run, const ranger *r, int node) {
    const stoic_node *n = &run->model->nodes[node];
    int source = stoic_anatomy_unfiltered(run->anatomy, n->out[0]);
    if (source != n->out[0]) {
        range in = r->ranges[source];
        return (range){in.known, fmin(in.low, 0), fmax(in.high, 0)};
    }
    if (pools(n) || reshapes(n) || n->op == &stoic_op_concat || n->op == &stoic_op_dropout)
        return following(r, n);
    return (range){.known = false};
}

/* Which activations are to be profiled: a dry run, in which any bound will do. */
static stoic_status find_profiled(stoic_pass_run *run, ranger *r, stoic_error *err) {
    const stoic_model *m = run->model;
    double low, high;
    for (size_t i = 0; i < m->n_nodes; i++) {
        int out = m->nodes[i].out[0];
        bool clips = stoic_anatomy_bounds(m, (int)i, &low, &high);
        r->ranges[out] = range_behind(run, r, (int)i);
        if (!clips)
            continue;
        if (!r->ranges[m->nodes[i].in[0]].known)
            r->profiled[r->n_profiled++] = out;
        r->ranges[out].known = true;
    }
    return r->n_profiled ? STOIC_OK
                         : stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                                      "%s: the network has no Relu and no Clip", run->text);
}

static stoic_status find_tops(stoic_pass_run *run, ranger *r, stoic_error *err) {
    float *most;
    int64_t images;
    stoic_status status =
        stoic_profile_maxima(run, r->profiled, r->n_profiled, &most, &images, err);
    for (size_t k = 0; k < r->n_profiled && status == STOIC_OK; k++) {
        r->tops[k] = stoic_percentile(most + (int64_t)k * images, images, run->argument);
        if (!(r->tops[k] > 0))
            status = stoic_pass_refuse(run, run->model->values[r->profiled[k]].producer,
                                       "found no value above 0 to bound it by", err);
    }
    free(most);
    return status;
}

/* A Relu or Clip ends where `in`, the range of what is profiled or of what it reads, does. */
static stoic_status restrict_node(stoic_pass_run *run, ranger *r, int node, range in,
                                  stoic_error *err) {
    double low, high;
    range *out = &r->ranges[run->model->nodes[node].out[0]];
    stoic_anatomy_bounds(run->model, node, &low, &high);
    *out = (range){true, fmax(low, in.low), fmin(high, in.high)};
    if (stoic_bound_holds(high, out->high))
        out->high = high;
    if (out->low == low && out->high == high)
        return STOIC_OK;
    if (!(out->low < out->high))
        return stoic_pass_refuse(run, node, "leaves no range between its bounds", err);
    stoic_status status = stoic_graft_clip(run, node, (float)out->low, (float)out->high, err);
    if (status != STOIC_OK)
        return status;
    return stoic_pass_changed(run, node, err, "becomes Clip(%g, %g)", out->low, out->high);
}

static stoic_status restrict_behind(stoic_pass_run *run, ranger *r, int node, stoic_error *err) {
    const stoic_node *n = &run->model->nodes[node];
    range *out = &r->ranges[n->out[0]];
    double low, high;
    int next = stoic_anatomy_sole(run->anatomy, n->out[0]);
    *out = range_behind(run, r, node);
    bool clamps = pools(n) || reshapes(n) || n->op == &stoic_op_concat;
    if (!out->known || !clamps ||
        (next >= 0 && stoic_anatomy_bounds(run->model, next, &low, &high)))
        return STOIC_OK; /* the Clip behind it has its turn */
    stoic_status status =
        stoic_graft_clip_behind(run, n->out[0], (float)out->low, (float)out->high, err);
    if (status != STOIC_OK)
        return status;
    return stoic_pass_changed(run, node, err, "Clip(%g, %g) behind it", out->low, out->high);
}

static stoic_status restrict_all(stoic_pass_run *run, ranger *r, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_model *m = run->model;
    double low, high;
    size_t next = 0;
    for (size_t v = 0; v < m->n_values; v++)
        r->ranges[v] = (range){.known = false};
    for (size_t i = 0; i < m->n_nodes && status == STOIC_OK; i++) {
        const stoic_node *n = &m->nodes[i];
        if (!stoic_anatomy_bounds(m, (int)i, &low, &high)) {
            status = restrict_behind(run, r, (int)i, err);
        } else if (next < r->n_profiled && r->profiled[next] == n->out[0]) {
            range top = {true, -INFINITY, (double)r->tops[next++]};
            status = restrict_node(run, r, (int)i, top, err);
        } else {
            status = restrict_node(run, r, (int)i, r->ranges[n->in[0]], err);
        }
    }
    return status;
}

static stoic_status apply(stoic_pass_run *run, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_model *m = run->model;
    ranger r = {.ranges = calloc(m->n_values + 1, sizeof *r.ranges),
                .profiled = calloc(m->n_nodes + 1, sizeof *r.profiled),
                .tops = calloc(m->n_nodes + 1, sizeof *r.tops)};
    if (!r.ranges || !r.profiled || !r.tops) {
        status = stoic_fail_memory(err, "ranges", m->n_values * sizeof *r.ranges);
        goto done;
    }
    TRY(find_profiled(run, &r, err));
    TRY(find_tops(run, &r, err));
    TRY(restrict_all(run, &r, err));
done:
    free(r.ranges);
    free(r.profiled);
    free(r.tops);
    return status;
}

const stoic_pass stoic_pass_ranger = {.name = "ranger",
                                      .fallback = 100,
                                      .low = 0,
                                      .high = 100,
                                      .what = "a percentile",
                                      .profiles = true,
                                      .apply = apply};
