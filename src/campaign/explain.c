/* One image of a trial, golden and faulty output side by side, for replay. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "campaign/engine_parts.h"
#include "exec/run.h"

typedef struct explanation {
    int64_t classes;
    bool told, alarm;
    float *output;
} explanation;

static void keep_output(void *user, int image, const float *output, bool alarm) {
    explanation *x = user;
    (void)image;
    x->told = true;
    x->alarm = alarm;
    memcpy(x->output, output, (size_t)x->classes * sizeof *output);
}

static void explain_outputs(const stoic_engine *e, const explanation *x, int64_t image,
                            const char *first, char *text, size_t size) {
    const float *golden = e->outputs.values + image * x->classes;
    if (!x->told) {
        snprintf(text, size, "first changed operator %s; image %lld: the output stays as it was",
                 first, (long long)image);
        return;
    }
    bool nan;
    double most = 0;
    int top = stoic_top1(x->output, x->classes, &nan);
    int used =
        snprintf(text, size, "first changed operator %s; image %lld: class %d (output %.9g) ",
                 first, (long long)image, e->top1[image], (double)golden[e->top1[image]]);
    if (used < 0 || (size_t)used >= size)
        return;
    if (x->alarm) {
        snprintf(text + used, size - (size_t)used, "becomes no answer: a checksum is off");
        return;
    }
    if (nan) {
        snprintf(text + used, size - (size_t)used, "becomes an output with NaN");
        return;
    }
    for (int64_t i = 0; i < x->classes; i++)
        most = fmax(most, fabs((double)x->output[i] - (double)golden[i]));
    snprintf(text + used, size - (size_t)used,
             "becomes class %d (output %.9g), largest change %.6g", top, (double)x->output[top],
             most);
}

/* A worker that has the block of the image, if there are blocks, and room for an output. */
static stoic_status explanation_open(stoic_engine *e, int64_t image, explanation *x,
                                     stoic_engine_worker **out, stoic_error *err) {
    int64_t first = image / e->design.block * e->design.block, left = e->design.images - first;
    void *state = NULL;
    stoic_status status;
    *x = (explanation){.classes = e->outputs.classes};
    TRY(stoic_engine_worker_open(e, 0, &state, err));
    *out = state;
    x->output = malloc((size_t)x->classes * sizeof *x->output);
    if (!x->output)
        return stoic_fail_memory(err, "an output", (unsigned long long)x->classes * 4);
    status = stoic_engine_worker_block(state, first,
                                       left < e->design.block ? left : e->design.block, err);
done:
    return status;
}

stoic_status stoic_engine_explain(stoic_engine *e, const stoic_edit *edits, size_t n_edits,
                                  int64_t image, char *text, size_t size, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_engine_worker *w = NULL;
    explanation x;
    char name[256];
    snprintf(text, size, "nothing changed");
    image = image < 0 ? 0 : image;
    TRY(explanation_open(e, image, &x, &w, err));
    TRY(stoic_faulty_first(w->faulty, edits, n_edits, name, sizeof name, err));
    if (!name[0])
        goto done;
    int32_t offset = (int32_t)(image - w->first);
    stoic_sink sink = {&x, keep_output, NULL, false};
    TRY(stoic_faulty_run(w->faulty, w->block, &offset, 1, edits, n_edits, &sink, err));
    explain_outputs(e, &x, image, name, text, size);
done:
    free(x.output);
    stoic_engine_worker_close(w);
    return status;
}

static void ignore_hit(void *user, size_t id, size_t i, float before, float after) {
    (void)user;
    (void)id;
    (void)i;
    (void)before;
    (void)after;
}

static void keep_pass(void *user, size_t id, const float *output, bool alarm) {
    (void)id;
    keep_output(user, 0, output, alarm);
}

static stoic_status run_pass(stoic_engine_worker *w, const stoic_transient_hits *hits,
                             int64_t image, explanation *x, stoic_error *err) {
    const stoic_program *g = w->engine->program;
    stoic_pass_sink sink = {x, ignore_hit, keep_pass};
    stoic_sweep *sweep = NULL;
    stoic_status status;
    float *input = malloc((size_t)g->values[g->input].size * sizeof *input);
    if (!input)
        return stoic_fail_memory(err, "an image", (unsigned long long)g->values[g->input].size * 4);
    TRY(stoic_dataset_read(w->engine->data, image, 1, w->images, w->labels, err));
    stoic_session_pack_input(g, w->images, 1, input);
    stoic_pass pass = {.input = input,
                       .node = hits->node,
                       .hits = &hits->map,
                       .op = hits->operation ? &hits->op : NULL};
    TRY(stoic_sweep_create(g, true, &sweep, err));
    status = stoic_sweep_run(sweep, stoic_faulty_session(w->faulty), &pass, 1, &sink, err);
done:
    stoic_sweep_free(sweep);
    free(input);
    return status;
}

stoic_status stoic_engine_explain_pass(stoic_engine *e, const stoic_edit *edits, size_t n_edits,
                                       const stoic_transient_hits *hits, int64_t image, char *text,
                                       size_t size, stoic_error *err) {
    stoic_status status;
    stoic_engine_worker *w = NULL;
    explanation x;
    const stoic_node *node = &e->program->model->nodes[hits->node];
    char name[256];
    TRY(explanation_open(e, image, &x, &w, err));
    TRY(stoic_session_edit(stoic_faulty_session(w->faulty), edits, n_edits, err));
    TRY(run_pass(w, hits, image, &x, err));
    snprintf(name, sizeof name, "%s '%.200s'", node->op->name, node->name);
    if (n_edits)
        TRY(stoic_faulty_first(w->faulty, edits, n_edits, name, sizeof name, err));
    explain_outputs(e, &x, image, name, text, size);
done:
    free(x.output);
    stoic_engine_worker_close(w);
    return status;
}
