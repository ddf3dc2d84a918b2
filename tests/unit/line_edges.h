/* Faults that land just inside the intervals and limits of line.c, threshold.c and relay_limit.c,
 * and around the anchors of single.c. */
#ifndef STOIC_TEST_LINE_EDGES_H
#define STOIC_TEST_LINE_EDGES_H

#include "difference_rig.h"
#include "exec/line_parts.h"

/* Images on which the engines disagree after faults in matrix product `layer` of LeNet-5 (not the
 * first one, whose inputs lie in another order) that move one sum to the end of its interval. */
static inline int edges_of_lines(rig *r, int layer, int rounds, stoic_rng *rng) {
    int tensor = kit_weight(r->model, layer, 1), wrong = 0;
    const stoic_program *g = r->program;
    const stoic_exec_step *step = NULL;
    for (int k = 0; k < g->n_steps; k++)
        step = g->steps[k].layer == layer ? &g->steps[k] : step;
    int64_t n = g->layers[layer].channels, inputs = g->layers[layer].shape.ic;
    const float *x = r->block->golden[step->in[0]];
    for (int i = 0; i < rounds; i++) {
        int64_t j = kit_below(rng, n), at = kit_below(rng, inputs), image = kit_below(rng, r->n);
        stoic_edit edit = kit_flip(r->model, tensor, j * inputs + at, 3);
        float old = g->constant_base[g->layers[layer].weights_at +
                                     stoic_layer_weight_offset(&g->layers[layer], edit.index)];
        wrong += rig_disagree(r, &edit, 1, NULL, 0, true);
        const stoic_line *line = r->block->lines[layer];
        int64_t place = j * r->block->groups * STOIC_LANES + image;
        float end = kit_below(rng, 2) ? line->high[place] : line->low[place];
        if (!isfinite(end) || x[image * inputs + at] == 0)
            continue;
        edit.value = old + end / x[image * inputs + at] * 0.9999f;
        wrong += rig_disagree(r, &edit, 1, NULL, 0, true);
    }
    return wrong;
}

/* The same for a weight of convolution `layer`, to the end of its limit. */
static inline int edges_of_limits(rig *r, int layer, int rounds, stoic_rng *rng) {
    int tensor = kit_weight(r->model, layer, 1), wrong = 0;
    const stoic_exec_layer *l = &r->program->layers[layer];
    for (int i = 0; i < rounds; i++) {
        int64_t index = kit_below(rng, l->channels * l->shape.ic * l->shape.kh * l->shape.kw);
        stoic_edit edit = kit_flip(r->model, tensor, index, 3);
        float old = r->program->constant_base[l->weights_at + stoic_layer_weight_offset(l, index)];
        for (int k = 0; k < 2; k++) /* the second time, limits are found */
            wrong += rig_disagree(r, &edit, 1, NULL, 0, true);
        assert_true(r->fast->threshold.block == r->block->serial);
        float limit = r->fast->threshold.limit[kit_below(rng, r->n)];
        if (!(limit > 0) || limit > 1e6f)
            continue;
        edit.value = kit_below(rng, 2) ? old + limit * 0.9999f : old - limit * 0.9999f;
        wrong += rig_disagree(r, &edit, 1, NULL, 0, true);
    }
    return wrong;
}

/* The same for a weight that has had a value which leaves almost nothing of it, to the end of what
 * was found to hold around that. Returns the images in *found as well. */
static inline int edges_of_anchors(rig *r, int layer, int rounds, stoic_rng *rng, int *found) {
    int tensor = kit_weight(r->model, layer, 1), wrong = 0;
    const stoic_exec_layer *l = &r->program->layers[layer];
    for (int i = 0; i < rounds; i++) {
        int64_t index = kit_below(rng, l->channels * l->shape.ic * l->shape.kh * l->shape.kw);
        stoic_edit edit = kit_flip(r->model, tensor, index, 3);
        float old = r->program->constant_base[l->weights_at + stoic_layer_weight_offset(l, index)];
        for (int k = 0; k < 2; k++)
            wrong += rig_disagree(r, &edit, 1, NULL, 0, true);
        edit.value = old * 0.001f;
        wrong += rig_disagree(r, &edit, 1, NULL, 0, true);
        for (int image = 0; image < r->n; image++) {
            struct stoic_anchor *a = &r->fast->threshold.anchors[image];
            if (!(a->radius > 0))
                continue;
            double end = 0.9999 * fmin((double)a->radius, fabs((double)a->at));
            ++*found;
            edit.value = (float)((double)old + (double)a->at + (kit_below(rng, 2) ? end : -end));
            wrong += rig_disagree(r, &edit, 1, NULL, 0, true);
            break;
        }
    }
    return wrong;
}

#endif
