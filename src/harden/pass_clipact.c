/*
 * clipact: Where(y > T, 0, y) behind every ReLU and Clip y (FT-ClipAct, Hoang et al.). What is too
 * large to be right is not cut off at a bound but taken for lost.
 *
 * T begins at the largest value of the profile and is tuned layer by layer, in the order of the
 * network: of 4/4, 3/4, 2/4 and 1/4 of it the best, then the best and its neighbours at half the
 * distance, three times. Best is the largest area under the accuracy over the logarithm of the bit
 * error rate (endurance.h), of equal ones the largest T.
 */
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "harden/endurance.h"

enum { FIRST_OPSET = 9, QUARTERS = 4, HALVINGS = 3 };

typedef struct clip {
    int node;       /* the activation */
    int value;      /* what is clipped: its output, behind its NaN filter */
    int limit;      /* the constant T in the model that is tuned */
    float top, now; /* T at first, and so far */
} clip;

typedef struct clipact {
    stoic_pass_run *run;
    stoic_model *model; /* with a Where behind every activation */
    stoic_endurance *endurance;
    clip *clips;
    size_t n;
    double area; /* of the thresholds so far */
} clipact;

/* The activations that are not clipped yet. */
static stoic_status find_clips(clipact *c, stoic_error *err) {
    const stoic_model *m = c->run->model;
    bool any = false;
    if (m->n_layers == 0)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                          "%s: the network has no layer whose weights could be hit", c->run->text);
    for (size_t i = 0; i < m->n_nodes; i++) {
        double low, high;
        int out = m->nodes[i].out[0];
        if (!stoic_anatomy_bounds(m, (int)i, &low, &high) || out == m->output)
            continue;
        any = true;
        if (m->opset < FIRST_OPSET)
            return stoic_pass_refuse(c->run, (int)i, "needs opset 9, where Where begins", err);
        if (!stoic_anatomy_has(c->run->anatomy, out, STOIC_CHOICE_ABOVE))
            c->clips[c->n++] =
                (clip){.node = (int)i, .value = stoic_anatomy_filtered(c->run->anatomy, out)};
    }
    return any ? STOIC_OK
               : stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                            "%s: the network has no Relu and no Clip", c->run->text);
}

static stoic_status find_tops(clipact *c, stoic_error *err) {
    stoic_status status = STOIC_OK;
    float *most = NULL;
    int64_t images;
    int *values = calloc(c->n + 1, sizeof *values);
    if (!values)
        return stoic_fail_memory(err, "thresholds", c->n * sizeof *values);
    for (size_t k = 0; k < c->n; k++)
        values[k] = c->clips[k].value;
    TRY(stoic_profile_maxima(c->run, values, c->n, &most, &images, err));
    for (size_t k = 0; k < c->n; k++) {
        c->clips[k].top = c->clips[k].now =
            stoic_percentile(most + (int64_t)k * images, images, 100);
        if (!(c->clips[k].top > 0)) {
            status = stoic_pass_refuse(c->run, c->clips[k].node,
                                       "found no value above 0 to begin with", err);
            goto done;
        }
    }
done:
    free(most);
    free(values);
    return status;
}

/* c->model, and where each T is in it. */
static stoic_status graft_clips(clipact *c, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_pass_run *run = c->run;
    int *outs = calloc(c->n + 1, sizeof *outs);
    if (!outs)
        return stoic_fail_memory(err, "thresholds", c->n * sizeof *outs);
    TRY(stoic_rewrite_create(run->model, &run->rewrite, err));
    for (size_t k = 0; k < c->n; k++) {
        const clip *at = &c->clips[k];
        TRY(stoic_graft_choice(run, at->value, "clipped", &stoic_op_greater, at->top, 0, &outs[k],
                               err));
        stoic_graft_readers(run, at->value, outs[k]);
    }
    stoic_rewrite *rewrite = run->rewrite;
    run->rewrite = NULL;
    TRY(stoic_rewrite_finish(rewrite, &c->model, err));
    for (size_t k = 0; k < c->n; k++) {
        const stoic_node *where = &c->model->nodes[c->model->values[outs[k]].producer];
        const stoic_node *test = &c->model->nodes[c->model->values[where->in[0]].producer];
        c->clips[k].limit = test->in[1];
    }
done:
    free(outs);
    return status;
}

/* c->model with threshold k at T. */
static stoic_status with_threshold(const clipact *c, size_t k, float t, stoic_model **out,
                                   stoic_error *err) {
    const stoic_shape scalar = {.rank = 0};
    stoic_tensor *tensor = NULL;
    stoic_status status = stoic_tensor_create(STOIC_F32, &scalar, &tensor, err);
    if (status != STOIC_OK)
        return status;
    *(float *)stoic_tensor_mutable_data(tensor) = t;
    status = stoic_model_with_constants(c->model, &c->clips[k].limit, &tensor, 1, out, err);
    stoic_tensor_free(tensor);
    return status;
}

/* Keeps T for threshold k if it is better than what there is. */
static stoic_status try_threshold(clipact *c, size_t k, float t, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_model *model = NULL;
    double area;
    if (!(t > 0) || t > c->clips[k].top || t == c->clips[k].now)
        return STOIC_OK;
    TRY(with_threshold(c, k, t, &model, err));
    TRY(stoic_endurance_area(c->endurance, model, &area, err));
    if (area > c->area) {
        c->area = area;
        c->clips[k].now = t;
        stoic_model_free(c->model);
        c->model = model;
        model = NULL;
    }
done:
    stoic_model_free(model);
    return status;
}

static stoic_status tune(clipact *c, size_t k, stoic_error *err) {
    stoic_status status = STOIC_OK;
    clip *at = &c->clips[k];
    float step = at->top / QUARTERS;
    for (int i = QUARTERS - 1; i > 0; i--)
        TRY(try_threshold(c, k, step * (float)i, err));
    for (int i = 0; i < HALVINGS; i++) {
        float middle = at->now;
        step /= 2;
        TRY(try_threshold(c, k, middle + step, err));
        TRY(try_threshold(c, k, middle - step, err));
    }
    stoic_log(STOIC_LOG_INFO, "clipact: '%s' at %g of %g, area %.6f",
              c->run->model->nodes[at->node].name, (double)at->now, (double)at->top, c->area);
done:
    return status;
}

static stoic_status build(stoic_pass_run *run, stoic_model **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    clipact c = {.run = run, .clips = calloc(run->model->n_nodes + 1, sizeof *c.clips)};
    if (!c.clips)
        return stoic_fail_memory(err, "thresholds", run->model->n_nodes * sizeof *c.clips);
    TRY(find_clips(&c, err));
    if (c.n > 0)
        TRY(find_tops(&c, err));
    TRY(graft_clips(&c, err));
    if (c.n > 0) {
        TRY(stoic_endurance_create(run, c.model, &c.endurance, err));
        TRY(stoic_endurance_area(c.endurance, c.model, &c.area, err));
    }
    for (size_t k = 0; k < c.n; k++) {
        TRY(tune(&c, k, err));
        TRY(stoic_pass_changed(run, c.clips[k].node, err, "what is above %g becomes 0",
                               (double)c.clips[k].now));
    }
    TRY(stoic_model_replicate(c.model, 1, out, err));
done:
    stoic_rewrite_free(run->rewrite);
    run->rewrite = NULL;
    stoic_endurance_free(c.endurance);
    stoic_model_free(c.model);
    free(c.clips);
    return status;
}

const stoic_pass stoic_pass_clipact = {
    .name = "clipact", .fallback = NAN, .profiles = true, .build = build};
