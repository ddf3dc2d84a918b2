/*
 * fitact: activations whose bound is trained (FitAct, Ghavami et al.), for each channel of a map or
 * each feature of a row:
 *
 *   r  = activation(x), a Relu or a Clip from 0 on
 *   r' = Where(r > FLT_MAX, 0, r)
 *   y  = r' - r' sigmoid(k (r' - lambda)), k = 20
 *
 * which is max(0, x - x sigmoid(k (x - lambda))) with +Inf giving 0 instead of Inf - Inf, and -Inf
 * too; a NaN stays. Beyond lambda y falls to 0 within a few tenths.
 *
 * Lambda begins at the channel's largest value in the profile. Then it alone is trained, with Adam
 * at 1e-3: one pass over the profiled images, at most BATCHES batches; fitact_tune.c.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "harden/fitact.h"

enum { FIRST_OPSET = 9 };
static const float STEEPNESS = 20;

static stoic_status check_node(const stoic_pass_run *run, int node, stoic_error *err) {
    const stoic_model *m = run->model;
    const stoic_shape *shape = &m->values[m->nodes[node].out[0]].shape;
    double low, high;
    stoic_anatomy_bounds(m, node, &low, &high);
    if (m->opset < FIRST_OPSET)
        return stoic_pass_refuse(run, node, "needs opset 9, where Where begins", err);
    if (low != 0)
        return stoic_pass_refuse(run, node, "needs an activation that begins at 0", err);
    if (shape->rank != 2 && shape->rank != 4)
        return stoic_pass_refuse(run, node, "needs a map or a row", err);
    return STOIC_OK;
}

/* The activations that are not fitted yet. */
static stoic_status find_fits(stoic_fitact *f, stoic_error *err) {
    const stoic_model *m = f->run->model;
    bool any = false;
    for (size_t i = 0; i < m->n_nodes; i++) {
        double low, high;
        stoic_choice choice;
        int out = m->nodes[i].out[0];
        if (!stoic_anatomy_bounds(m, (int)i, &low, &high) || out == m->output)
            continue;
        any = true;
        int value = stoic_anatomy_filtered(f->run->anatomy, out);
        if (stoic_anatomy_choice(f->run->anatomy, value, &choice) >= 0 && choice.limit == FLT_MAX)
            continue;
        stoic_status status = check_node(f->run, (int)i, err);
        if (status != STOIC_OK)
            return status;
        f->fits[f->n++] = (stoic_fit){.node = (int)i, .value = value};
    }
    return any ? STOIC_OK
               : stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                            "%s: the network has no Relu and no Clip", f->run->text);
}

/* ---- the graph ---- */

/* A constant of one value a channel that stands beside `value`: from `tops`, or all STEEPNESS. */
static stoic_status channels(stoic_fitact *f, int value, const char *name, const float *tops,
                             int *out, stoic_error *err) {
    const stoic_shape *x = &f->run->model->values[value].shape;
    stoic_shape shape = {.rank = x->rank - 1, .dim = {x->dim[1], 1, 1}};
    stoic_tensor *tensor = NULL;
    char text[256];
    stoic_status status = stoic_tensor_create(STOIC_F32, &shape, &tensor, err);
    if (status != STOIC_OK)
        return status;
    float *data = stoic_tensor_mutable_data(tensor);
    for (int64_t c = 0; c < x->dim[1]; c++)
        data[c] = tops ? tops[c] : STEEPNESS;
    snprintf(text, sizeof text, "%.200s_%s", f->run->model->values[value].name, name);
    status = stoic_rewrite_constant(f->run->rewrite, text, tensor, out, err);
    stoic_tensor_free(tensor);
    return status;
}

static stoic_status add(stoic_fitact *f, int value, const char *name, const stoic_op *op, int a,
                        int b, int *out, stoic_error *err) {
    char text[256];
    snprintf(text, sizeof text, "%.200s_%s", f->run->model->values[value].name, name);
    return stoic_rewrite_node(f->run->rewrite, text, op, NULL, 0, (const int[]){a, b},
                              b < 0 ? 1 : 2, out, err);
}

static stoic_status graft(stoic_fitact *f, stoic_fit *fit, const float *tops, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int v = fit->value, k, r, gap, steep, gate, lost, y;
    TRY(stoic_graft_choice(f->run, v, "finite", &stoic_op_greater, FLT_MAX, 0, &r, err));
    TRY(channels(f, v, "lambda", tops, &fit->lambda, err));
    TRY(channels(f, v, "steepness", NULL, &k, err));
    TRY(add(f, v, "gap", &stoic_op_sub, r, fit->lambda, &gap, err));
    TRY(add(f, v, "steep", &stoic_op_mul, gap, k, &steep, err));
    TRY(add(f, v, "gate", &stoic_op_sigmoid, steep, -1, &gate, err));
    TRY(add(f, v, "lost", &stoic_op_mul, r, gate, &lost, err));
    TRY(add(f, v, "fitted", &stoic_op_sub, r, lost, &y, err));
    stoic_graft_readers(f->run, v, y);
done:
    return status;
}

static stoic_status graft_all(stoic_fitact *f, stoic_error *err) {
    stoic_status status = STOIC_OK;
    float *tops = NULL;
    int *values = calloc(f->n + 1, sizeof *values);
    int64_t *at = calloc(f->n + 1, sizeof *at);
    if (!values || !at) {
        status = stoic_fail_memory(err, "activations", f->n * sizeof *at);
        goto done;
    }
    for (size_t i = 0; i < f->n; i++)
        values[i] = f->fits[i].value;
    if (f->n)
        TRY(stoic_profile_channels(f->run, values, f->n, at, &tops, err));
    TRY(stoic_rewrite_create(f->run->model, &f->run->rewrite, err));
    for (size_t i = 0; i < f->n; i++)
        TRY(graft(f, &f->fits[i], tops + at[i], err));
    stoic_rewrite *rewrite = f->run->rewrite;
    f->run->rewrite = NULL;
    TRY(stoic_rewrite_finish(rewrite, &f->model, err));
done:
    free(values);
    free(at);
    free(tops);
    return status;
}

static stoic_status tell(stoic_fitact *f, const stoic_fit *fit, stoic_error *err) {
    const stoic_tensor *t = f->model->values[fit->lambda].constant;
    const float *lambda = stoic_tensor_data(t);
    float low = lambda[0], high = lambda[0];
    for (int64_t c = 0; c < stoic_tensor_count(t); c++) {
        low = lambda[c] < low ? lambda[c] : low;
        high = lambda[c] > high ? lambda[c] : high;
    }
    return stoic_pass_changed(f->run, fit->node, err, "%lld bounds from %g to %g behind it",
                              (long long)stoic_tensor_count(t), (double)low, (double)high);
}

static stoic_status build(stoic_pass_run *run, stoic_model **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_fitact f = {.run = run, .fits = calloc(run->model->n_nodes + 1, sizeof *f.fits)};
    if (!f.fits)
        return stoic_fail_memory(err, "activations", run->model->n_nodes * sizeof *f.fits);
    TRY(find_fits(&f, err));
    TRY(graft_all(&f, err));
    if (f.n)
        TRY(stoic_fitact_tune(&f, err));
    for (size_t i = 0; i < f.n; i++)
        TRY(tell(&f, &f.fits[i], err));
    TRY(stoic_model_replicate(f.model, 1, out, err));
done:
    stoic_rewrite_free(run->rewrite);
    run->rewrite = NULL;
    stoic_model_free(f.model);
    free(f.fits);
    return status;
}

const stoic_pass stoic_pass_fitact = {
    .name = "fitact", .fallback = NAN, .profiles = true, .build = build};
