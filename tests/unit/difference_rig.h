/*
 * Two workers on one block, one that only knows the canonical kernels and one that may take every
 * short cut, and the question whether they say the same.
 */
#ifndef STOIC_TEST_DIFFERENCE_RIG_H
#define STOIC_TEST_DIFFERENCE_RIG_H

#include "exec/faulty.h"
#include "exec_kit.h"

typedef struct rig {
    stoic_model *model;
    stoic_program *program;
    stoic_chains *chains;
    stoic_block *block;
    stoic_faulty *full, *fast;
    int n;
    int64_t classes;
    const float *golden; /* outputs of the block */
} rig;

typedef struct heard {
    int64_t classes;
    int told[1024]; /* 0 nothing, 1 outputs, 2 class alone, -1 twice */
    bool alarm[1024];
    bool same_class;
    int top1[1024];
    float *outputs;
} heard;

static inline void hear_output(void *user, int image, const float *output, bool alarm) {
    heard *h = user;
    h->told[image] = h->told[image] ? -1 : 1;
    h->alarm[image] = alarm;
    memcpy(h->outputs + image * h->classes, output, (size_t)h->classes * sizeof *output);
}

static inline void hear_top1(void *user, int image, int top1) {
    heard *h = user;
    h->told[image] = h->told[image] ? -1 : 2;
    h->top1[image] = top1;
}

/* Takes the model over. */
static inline rig rig_create(stoic_model *model, const float *images, int n) {
    rig r = {.model = model, .n = n, .classes = stoic_model_classes(model)};
    r.program = kit_compile(model, 0, false);
    MUST(stoic_chains_create(r.program, &r.chains, err));
    MUST(stoic_faulty_create(r.program, NULL, true, &r.full, err));
    MUST(stoic_faulty_create(r.program, r.chains, false, &r.fast, err));
    MUST(stoic_block_create(stoic_faulty_session(r.full), images, 0, n, &r.block, err));
    r.golden = r.block->golden[r.program->output];
    return r;
}

static inline void rig_free(rig *r) {
    stoic_block_free(r->block);
    stoic_faulty_free(r->full);
    stoic_faulty_free(r->fast);
    stoic_chains_free(r->chains);
    stoic_program_free(r->program);
    stoic_model_free(r->model);
}

/* One image: does what the fast worker said agree with the full one's output? */
static inline bool rig_agrees(const rig *r, const heard *fast, const float *full, int image,
                              bool chosen) {
    bool nan;
    int top = stoic_top1(full, r->classes, &nan);
    const float *golden = r->golden + image * r->classes;
    if (!chosen)
        return fast->told[image] == 0;
    switch (fast->told[image]) {
    case 0:
        return kit_differences(full, golden, r->classes) == 0 ||
               (fast->same_class && !nan && stoic_top1(golden, r->classes, &nan) == top && !nan);
    case 1:
        return kit_differences(full, fast->outputs + image * r->classes, r->classes) == 0;
    case 2:
        return !nan && fast->top1[image] == top;
    default:
        return false;
    }
}

/* Images on which the two disagree. `images` NULL: the whole block. */
static inline int rig_disagree(rig *r, const stoic_edit *edits, size_t n_edits,
                               const int32_t *images, int n_images, bool classes_only) {
    static heard full, fast;
    int wrong = 0;
    bool chosen[1024] = {false};
    assert_true(r->n <= 1024);
    full = fast = (heard){.classes = r->classes, .same_class = classes_only};
    full.outputs = kit_floats(r->n * r->classes);
    fast.outputs = kit_floats(r->n * r->classes);
    memcpy(full.outputs, r->golden, (size_t)(r->n * r->classes) * sizeof(float));
    stoic_sink sink = {&full, hear_output, NULL, false};
    MUST(stoic_faulty_run(r->full, r->block, images, n_images, edits, n_edits, &sink, err));
    sink = (stoic_sink){&fast, hear_output, classes_only ? hear_top1 : NULL, classes_only};
    MUST(stoic_faulty_run(r->fast, r->block, images, n_images, edits, n_edits, &sink, err));
    for (int i = 0; i < (images ? n_images : r->n); i++)
        chosen[images ? images[i] : i] = true;
    for (int i = 0; i < r->n; i++)
        wrong += !rig_agrees(r, &fast, full.outputs + i * r->classes, i, chosen[i]) ||
                 full.told[i] < 0 || full.alarm[i] != fast.alarm[i] || (full.told[i] && !chosen[i]);
    free(full.outputs);
    free(fast.outputs);
    return wrong;
}

/* A weight or (one time in eight) a bias of layer `layer`. */
static inline stoic_edit rig_flip(const rig *r, int layer, stoic_rng *rng) {
    int node = r->model->layer_nodes[layer];
    bool bias = r->model->nodes[node].n_in > 2 && kit_below(rng, 8) == 0;
    return kit_node_flip(r->model, node, bias ? 2 : 1, rng);
}

/* Images on which the two disagree after each of the bits from `from` on of one weight; told: the
 * fast worker knows what comes. */
static inline int rig_sweep(rig *r, const stoic_edit *at, int from, bool told) {
    stoic_edit edits[32];
    int wrong = 0;
    for (int bit = from; bit < 32; bit++)
        edits[bit - from] = kit_flip(r->model, at->tensor, at->index, bit);
    stoic_faulty_expect(r->fast, edits, told ? (size_t)(32 - from) : 0);
    for (int bit = from; bit < 32; bit++)
        wrong += rig_disagree(r, &edits[bit - from], 1, NULL, 0, true);
    return wrong;
}

static inline void rig_print(const rig *r, const char *what) {
    const stoic_faulty_counts *c = stoic_faulty_count(r->fast);
    print_message("%s: %lld images by rows, %lld narrow, %lld by difference, %lld undecided\n",
                  what, (long long)c->rows, (long long)c->narrow, (long long)c->difference,
                  (long long)c->again);
}

#endif
