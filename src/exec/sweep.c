#include "exec/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/scalar_sum.h"

/* A pass on its way. */
typedef struct entrant {
    const stoic_pass *pass;
    int start, step; /* where it begins, where it is hit; -1: nowhere any more */
    bool spared;     /* the fault changed nothing */
    bool repaired;   /* a checksum noticed, and the layer was computed again */
} entrant;

struct stoic_sweep {
    const stoic_program *program;
    bool full;
    bool edited;   /* golden values end at the first changed step */
    int *begin;    /* step -> the last step up to it that can be begun with golden values */
    int *step_of;  /* node -> step it begins, -1 */
    bool *changed; /* step: by edits */
    int *live;     /* values */
    int n_live;
    entrant *order; /* all passes, by start */
    size_t room;
    entrant *again; /* passes that were repaired and still differ from golden; as much room */
    size_t n_again;
    entrant *rows; /* of the tile */
    int n_rows;
    const stoic_pass_sink *sink;
    stoic_scalar scalar;
};

/* Values that steps from `step` on read and steps before it wrote. */
static void find_live(stoic_sweep *s, int step) {
    const stoic_program *g = s->program;
    s->n_live = 0;
    if (g->values[g->input].last_use >= step)
        s->live[s->n_live++] = g->input;
    for (int k = 0; k < step; k++) {
        if (g->values[g->steps[k].out].last_use >= step)
            s->live[s->n_live++] = g->steps[k].out;
    }
}

static void find_beginnings(stoic_sweep *s) {
    const stoic_program *g = s->program;
    s->begin[0] = 0;
    for (int step = 1; step < g->n_steps; step++) {
        bool kept = true;
        find_live(s, step);
        for (int i = 0; i < s->n_live; i++)
            kept = kept && stoic_block_keeps(g, s->live[i]);
        s->begin[step] = kept ? step : s->begin[step - 1];
    }
}

stoic_status stoic_sweep_create(const stoic_program *g, bool full, stoic_sweep **out,
                                stoic_error *err) {
    size_t steps = (size_t)g->n_steps + 2, nodes = g->model->n_nodes + 1;
    stoic_sweep *s = calloc(1, sizeof *s);
    if (!s)
        return stoic_fail_memory(err, "a sweep", sizeof *s);
    s->program = g;
    s->full = full;
    s->begin = calloc(steps, sizeof *s->begin);
    s->live = calloc(steps, sizeof *s->live);
    s->changed = calloc(steps, sizeof *s->changed);
    s->rows = calloc((size_t)g->tile, sizeof *s->rows);
    s->step_of = malloc(nodes * sizeof *s->step_of);
    if (!s->begin || !s->live || !s->changed || !s->rows || !s->step_of) {
        stoic_sweep_free(s);
        return stoic_fail_memory(err, "a sweep", steps * 16);
    }
    for (size_t i = 0; i < nodes; i++)
        s->step_of[i] = -1;
    for (int k = 0; k < g->n_steps; k++)
        s->step_of[g->steps[k].node] = k;
    find_beginnings(s);
    *out = s;
    return STOIC_OK;
}

void stoic_sweep_free(stoic_sweep *s) {
    if (!s)
        return;
    free(s->begin);
    free(s->step_of);
    free(s->changed);
    free(s->live);
    free(s->order);
    free(s->again);
    free(s->rows);
    free(s->scalar.weights);
    free(s);
}

bool stoic_sweep_has_sums(const stoic_sweep *s, int node) {
    return s->step_of[node] >= 0 && stoic_scalar_knows(&s->program->steps[s->step_of[node]]);
}

/* ---- what befalls a value ---- */

/* Where element `index` of [C, H, W] lies. */
static int64_t place(const stoic_exec_value *v, int64_t index) {
    return v->layout == STOIC_LAYOUT_NHWC ? index % v->hw * v->c + index / v->hw : index;
}

static float with_bits(float x, uint32_t bits, bool flip) {
    uint32_t now;
    memcpy(&now, &x, sizeof now);
    now = flip ? now ^ bits : bits;
    memcpy(&x, &now, sizeof x);
    return x;
}

static bool same(float a, float b) {
    return !memcmp(&a, &b, sizeof a) || (a != a && b != b);
}

/* Both return whether a value is another now. */
static bool strike_elements(const stoic_sweep *s, const entrant *row, float *values) {
    const stoic_map_hits *hits = row->pass->hits;
    const stoic_exec_value *v = &s->program->values[s->program->steps[row->step].out];
    bool changed = false;
    for (size_t i = 0; i < hits->count; i++) {
        float *at = &values[place(v, hits->index[i])], before = *at;
        *at = hits->mode == STOIC_MAP_MULTIPLY
                  ? before * hits->factor
                  : with_bits(before, hits->bits[i], hits->mode == STOIC_MAP_FLIP);
        changed = changed || !same(*at, before);
        s->sink->hit(s->sink->user, row->pass->id, i, before, *at);
    }
    return changed;
}

static stoic_status strike_sums(stoic_sweep *s, const stoic_session *session, const entrant *row,
                                const float *input, float *values, bool *changed,
                                stoic_error *err) {
    const stoic_op_hit *hit = row->pass->op;
    const stoic_exec_step *step = &s->program->steps[row->step];
    const stoic_exec_value *v = &s->program->values[step->out];
    stoic_scalar_sum sums[STOIC_OP_WARP];
    *changed = false;
    stoic_status status = stoic_scalar_sums(&s->scalar, session, step, input, hit->output,
                                            hit->outputs, hit, sums, err);
    for (int64_t i = 0; i < hit->outputs && status == STOIC_OK; i++) {
        if (!sums[i].hit)
            continue;
        s->sink->hit(s->sink->user, row->pass->id, (size_t)i, sums[i].clean, sums[i].faulty);
        if (same(sums[i].clean, sums[i].faulty))
            continue;
        values[place(v, hit->output + i)] = sums[i].faulty;
        *changed = true;
    }
    return status;
}

static stoic_status strike(stoic_sweep *s, const stoic_session *session, int r, stoic_error *err) {
    entrant *row = &s->rows[r];
    const stoic_exec_step *step = &s->program->steps[row->step];
    const float *input = session->frame[step->in[0]] + r * s->program->values[step->in[0]].size;
    float *values = session->frame[step->out] + r * s->program->values[step->out].size;
    stoic_status status = STOIC_OK;
    bool changed;
    if (row->pass->op)
        status = strike_sums(s, session, row, input, values, &changed, err);
    else
        changed = strike_elements(s, row, values);
    row->spared = status == STOIC_OK && !changed;
    return status;
}

/* A checksum that is off has the layer computed once more, and the fault does not come back. It is
 * the layer's own, or one of those that the sums came from. */
static void repair(stoic_sweep *s, const stoic_session *session, int k) {
    const stoic_program *g = s->program;
    const stoic_exec_step *step = &g->steps[k];
    int before = step->checksum.before;
    for (int r = 0; r < s->n_rows; r++) {
        float off = session->frame[step->out][r] - (before < 0 ? 0 : session->frame[before][r]);
        for (int i = 0; i < step->n_in && off != 0; i++)
            s->rows[r].repaired |=
                step->in[i] != before && g->values[step->in[i]].step == s->rows[r].step;
    }
}

/* One step for all rows; those it is the hit layer of are struck before anything is fused. */
static stoic_status run_step(stoic_sweep *s, stoic_session *session, int k, stoic_error *err) {
    const stoic_exec_step *step = &s->program->steps[k];
    float *out = session->frame[step->out];
    bool layer = step->kind == STOIC_STEP_LAYER;
    stoic_status status =
        layer ? stoic_layer_sums(session, step, session->frame[step->in[0]], out, s->n_rows, err)
              : stoic_session_step(session, k, s->n_rows, err);
    if (status != STOIC_OK)
        return status;
    for (int r = 0; r < s->n_rows && status == STOIC_OK; r++) {
        if (s->rows[r].step == k)
            status = strike(s, session, r, err);
    }
    if (layer)
        stoic_layer_finish(session, step, out, s->n_rows);
    if (step->kind == STOIC_STEP_CHECKSUM)
        repair(s, session, k);
    return status;
}

/* ---- who is in the tile ---- */

static void enter(stoic_sweep *s, stoic_session *session, const entrant *who, int step) {
    const stoic_program *g = s->program;
    const stoic_pass *pass = who->pass;
    find_live(s, step);
    for (int i = 0; i < s->n_live; i++) {
        int64_t size = g->values[s->live[i]].size;
        const float *from =
            pass->block ? pass->block->golden[s->live[i]] + pass->image * size : pass->input;
        memcpy(session->frame[s->live[i]] + s->n_rows * size, from, (size_t)size * sizeof *from);
    }
    s->rows[s->n_rows++] = *who;
}

/* Row r leaves behind step k; the last one takes its place. */
static void leave(stoic_sweep *s, stoic_session *session, int r, int k) {
    int last = --s->n_rows;
    if (r == last)
        return;
    find_live(s, k + 1);
    for (int i = 0; i < s->n_live; i++) {
        int64_t size = s->program->values[s->live[i]].size;
        float *values = session->frame[s->live[i]];
        memcpy(values + r * size, values + last * size, (size_t)size * sizeof *values);
    }
    s->rows[r] = s->rows[last];
}

static bool is_golden(const stoic_sweep *s, const stoic_session *session, int r, int value) {
    const stoic_pass *pass = s->rows[r].pass;
    int64_t size = s->program->values[value].size;
    return pass->block->golden[value] &&
           !memcmp(session->frame[value] + r * size,
                   pass->block->golden[value] + pass->image * size, (size_t)size * sizeof(float));
}

static bool is_over(stoic_sweep *s, const stoic_session *session, int r, int k) {
    if (s->rows[r].spared || k < s->rows[r].step)
        return s->rows[r].spared;
    bool golden = s->rows[r].pass->block && is_golden(s, session, r, s->program->steps[k].out);
    if (golden)
        find_live(s, k + 1);
    for (int i = 0; golden && i < s->n_live; i++)
        golden = is_golden(s, session, r, s->live[i]);
    return golden;
}

/* Rows of which nothing is left of the fault. */
static void let_go(stoic_sweep *s, stoic_session *session, int k) {
    bool whole = s->full || s->edited; /* golden values are not what they would come to */
    for (int r = s->n_rows - 1; r >= 0; r--) {
        if (s->rows[r].repaired && whole)
            s->again[s->n_again++] = (entrant){.pass = s->rows[r].pass, .step = -1};
        if (s->rows[r].repaired || (!whole && is_over(s, session, r, k)))
            leave(s, session, r, k);
    }
}

static stoic_status sweep_tile(stoic_sweep *s, stoic_session *session, const entrant *who, int n,
                               stoic_error *err) {
    const stoic_program *g = s->program;
    int next = 0;
    s->n_rows = 0;
    for (int k = who->start; k < g->n_steps && (s->n_rows || next < n); k++) {
        for (; next < n && who[next].start == k; next++)
            enter(s, session, &who[next], k);
        if (s->n_rows == 0)
            continue;
        stoic_status status = run_step(s, session, k, err);
        if (status != STOIC_OK)
            return status;
        let_go(s, session, k);
    }
    const float *out = session->frame[g->output];
    for (int r = 0; r < s->n_rows; r++)
        s->sink->output(s->sink->user, s->rows[r].pass->id, out + r * g->values[g->output].size,
                        stoic_session_alarm(session, r));
    return STOIC_OK;
}

/* ---- all passes ---- */

static int by_start(const void *a, const void *b) {
    const entrant *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static stoic_status put_in_order(stoic_sweep *s, int first, const stoic_pass *passes, size_t n,
                                 stoic_error *err) {
    if (n > s->room) {
        entrant *order = realloc(s->order, n * sizeof *order);
        if (!order)
            return stoic_fail_memory(err, "passes", n * sizeof *order);
        s->order = order;
        entrant *again = realloc(s->again, n * sizeof *again);
        if (!again)
            return stoic_fail_memory(err, "passes", n * sizeof *again);
        s->again = again;
        s->room = n;
    }
    for (size_t i = 0; i < n; i++) {
        int step = s->step_of[passes[i].node];
        if (step < 0)
            return stoic_fail(err, STOIC_ERR_INTERNAL, "", "node %d begins no step",
                              passes[i].node);
        int start = s->begin[step < first ? step : first];
        s->order[i] = (entrant){
            .pass = &passes[i], .start = s->full || !passes[i].block ? 0 : start, .step = step};
    }
    if (n)
        qsort(s->order, n, sizeof *s->order, by_start);
    return STOIC_OK;
}

static stoic_status sweep_all(stoic_sweep *s, stoic_session *session, const entrant *who, size_t n,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    for (size_t i = 0; i < n && status == STOIC_OK;) {
        size_t left = n - i, tile = (size_t)s->program->tile;
        int count = (int)(left < tile ? left : tile);
        status = sweep_tile(s, session, who + i, count, err);
        i += (size_t)count;
    }
    return status;
}

stoic_status stoic_sweep_run(stoic_sweep *s, stoic_session *session, const stoic_pass *passes,
                             size_t n, const stoic_pass_sink *sink, stoic_error *err) {
    int first = stoic_session_changed(session, s->changed);
    s->edited = first < s->program->n_steps;
    s->sink = sink;
    stoic_session_frame_reset(session);
    stoic_status status = put_in_order(s, first, passes, n, err);
    s->n_again = 0;
    if (status == STOIC_OK)
        status = sweep_all(s, session, s->order, n, err);
    if (status == STOIC_OK) /* not hit: none is repaired a second time */
        status = sweep_all(s, session, s->again, s->n_again, err);
    return status;
}
