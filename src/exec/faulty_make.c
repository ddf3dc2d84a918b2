/* What one worker has for evaluating faults, from its making to its end. */
#include <stdlib.h>

#include "base/fail.h"
#include "exec/faulty.h"
#include "exec/faulty_parts.h"
#include "exec/relay.h"

const stoic_faulty_counts *stoic_faulty_count(const stoic_faulty *f) {
    return &f->counts;
}

stoic_status stoic_faulty_create(const stoic_program *g, const stoic_chains *chains, bool full,
                                 stoic_faulty **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_faulty *f = calloc(1, sizeof *f);
    if (!f)
        return stoic_fail_memory(err, "a worker", sizeof *f);
    f->program = g;
    f->chains = chains;
    f->full = full || !chains;
    f->changed = calloc((size_t)g->n_steps + 1, sizeof *f->changed);
    f->gathered = calloc(g->model->n_values + 1, sizeof *f->gathered);
    f->readers = calloc(g->model->n_values + 1, sizeof *f->readers);
    f->rows = calloc((size_t)g->tile, sizeof *f->rows);
    f->narrow.path = calloc((size_t)g->n_steps + 1, sizeof *f->narrow.path);
    f->difference.probes = calloc((size_t)g->n_steps + 1, sizeof *f->difference.probes);
    if (!f->changed || !f->gathered || !f->readers || !f->rows || !f->difference.probes ||
        !f->narrow.path) {
        status = stoic_fail_memory(err, "a worker", g->model->n_values * 8);
        goto done;
    }
    for (int i = 0; i < g->n_steps; i++) {
        for (int k = 0; k < g->steps[i].n_in; k++)
            f->readers[g->steps[i].in[k]]++;
        if (g->steps[i].add >= 0)
            f->readers[g->steps[i].add]++;
    }
    TRY(stoic_faulty_find_cuts(f, err));
    TRY(stoic_session_create(g, &f->session, err));
    *out = f;
    f = NULL;
done:
    stoic_faulty_free(f);
    return status;
}

void stoic_faulty_free(stoic_faulty *f) {
    if (!f)
        return;
    stoic_session_free(f->session);
    stoic_session_free(f->absolute);
    free(f->threshold.pair);
    free(f->threshold.one);
    free(f->threshold.limit);
    free(f->threshold.moved);
    free(f->threshold.anchors);
    free(f->threshold.scratch);
    free(f->threshold.reach);
    free(f->threshold.room);
    stoic_carry_free(f->carry);
    stoic_relay_free(f->relay);
    free(f->difference.weights);
    free(f->difference.reach);
    free(f->difference.spread);
    free(f->difference.change);
    free(f->changed);
    free(f->gathered);
    free(f->cuts);
    free(f->readers);
    free(f->selected);
    free(f->open);
    free(f->rows);
    free(f->frontier);
    free(f->narrow.path);
    free(f->narrow.channels);
    free(f->narrow.golden);
    free(f->narrow.lanes);
    free(f->narrow.input);
    free(f->narrow.sums);
    free(f->narrow.weights);
    free((void *)f->difference.probes);
    free(f);
}

bool stoic_faulty_flip(stoic_faulty *f, int64_t byte, int bit) {
    size_t bytes = (size_t)f->program->constants * sizeof(float);
    return stoic_seal_flip(f->session->constants, bytes, byte, bit);
}

void stoic_faulty_sweep(stoic_faulty *f) {
    f->swept = true;
}

void stoic_faulty_expect(stoic_faulty *f, const stoic_edit *edits, size_t n) {
    f->n_expected = n < STOIC_EXPECTED ? (int)n : STOIC_EXPECTED;
    if (n > 0) {
        f->expected_tensor = edits[0].tensor;
        f->expected_index = edits[0].index;
    }
    for (int i = 0; i < f->n_expected; i++)
        f->expected[i] = edits[i].value;
}

bool stoic_faulty_expects(const stoic_faulty *f, const stoic_edit *edit) {
    return f->n_expected > 0 && f->expected_tensor == edit->tensor &&
           f->expected_index == edit->index;
}

stoic_status stoic_faulty_grow(float **buffer, size_t *room, size_t count, stoic_error *err) {
    if (count <= *room)
        return STOIC_OK;
    size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
    float *more = aligned_alloc(64, bytes);
    if (!more)
        return stoic_fail_memory(err, "changed values", bytes);
    free(*buffer);
    *buffer = more;
    *room = count;
    return STOIC_OK;
}
