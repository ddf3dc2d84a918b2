/*
 * One weight asked for again and again, as all its bits in an exhaustive campaign: what does not
 * depend on its new value is found once, and most faults then cost one look at intervals (line.c)
 * or limits (threshold.c).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/line_parts.h"
#include "exec/relay_parts.h"

static const double largest = 0x1p127; /* values from here on are left to the other ways */

/* The new value in the session's terms, and what it changes; false: too large. */
static bool change_of(const stoic_faulty *f, const stoic_edit *edit, float *change) {
    const stoic_single *s = &f->single;
    double now = (double)stoic_layer_weight_value(s->layer, edit->value);
    double old = (double)f->program->constant_base[s->packed];
    *change = (float)(now - old);
    return fabs(now) <= largest && fabs(old) <= largest;
}

/* The first step that the edit changes, and f->narrow; *alone: the weight stands in one place, and
 * changes few channels. Leaves no edit. */
static stoic_status narrow_down(stoic_faulty *f, const stoic_edit *edit, int *first, bool *alone,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    *alone = false;
    TRY(stoic_session_edit(f->session, edit, 1, err));
    *first = stoic_session_changed(f->session, f->changed);
    if (*first < f->program->n_steps)
        TRY(stoic_faulty_narrow(f, *first, edit, 1, alone, err));
    *alone = *alone && f->session->n_undo == 1;
done:
    stoic_session_restore(f->session);
    return status;
}

static bool has_limits(const stoic_single *s) {
    return s->way == STOIC_SINGLE_LIMIT || s->way == STOIC_SINGLE_THROUGH;
}

/* Which way is there for this weight? */
static stoic_status look(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                         const stoic_sink *sink, stoic_error *err) {
    const stoic_program *g = f->program;
    stoic_single *s = &f->single;
    stoic_status status = STOIC_OK;
    *s = (stoic_single){.way = STOIC_SINGLE_OTHER};
    int first;
    bool alone;
    TRY(narrow_down(f, edit, &first, &alone, err));
    if (alone && b->golden[f->narrow.frontier]) {
        s->layer = &g->layers[g->steps[first].layer];
        s->packed = s->layer->weights_at + stoic_layer_weight_offset(s->layer, edit->index);
        TRY(stoic_line_prepare(f, b, first, edit, s, err));
        if (s->way == STOIC_SINGLE_LINE)
            TRY(stoic_carry_line(f, b, first, f->narrow.channels[0], err));
        else if (stoic_threshold_fits(f, b, edit))
            s->way = STOIC_SINGLE_LIMIT;
        else {
            TRY(stoic_difference_prepare(f, b, sink, err));
            if (stoic_relay_limit_fits(f, b, edit))
                s->way = STOIC_SINGLE_THROUGH;
        }
    }
    s->tensor = edit->tensor;
    s->index = edit->index;
    s->block = b->serial;
done:
    return status;
}

typedef struct stoic_anchor anchor;

static stoic_status drop_anchors(stoic_faulty *f, const stoic_block *b, stoic_error *err) {
    stoic_threshold *h = &f->threshold;
    if ((size_t)b->count > h->anchors_room) {
        anchor *more = realloc(h->anchors, (size_t)b->count * sizeof *more);
        if (!more)
            return stoic_fail_memory(err, "a choice of images", (size_t)b->count * sizeof *more);
        h->anchors = more;
        h->anchors_room = (size_t)b->count;
    }
    for (int image = 0; image < b->count; image++)
        h->anchors[image].radius = -1;
    return STOIC_OK;
}

/* Exact logits move by at most `moved` times the distance; ours at the anchor and the canonical
 * ones there and here are off from them by at most an error each, those here, where the change is
 * at most twice as large, by two. */
void stoic_single_anchor(stoic_faulty *f, int image, float change, int top, const float *logits,
                         const float *errors, int64_t classes, int final) {
    const stoic_threshold *h = &f->threshold;
    const float *moved = h->moved + image * h->columns;
    stoic_tail t = {.final = final};
    double radius = 0x1p60;
    if (!f->single.alike)
        return;
    for (int64_t k = 0; k < classes; k++) {
        double value = (double)logits[k * STOIC_LANES];
        double off = 3 * slack * (double)errors[k * STOIC_LANES], step = 1.06 * (double)moved[k];
        bool sigmoid = final == STOIC_FINAL_SIGMOID;
        if (k != top) {
            double lead = (double)logits[top * STOIC_LANES] - value;
            double both = off + 3 * slack * (double)errors[top * STOIC_LANES];
            double room = lead - both - stoic_tail_apart(&t, top, k) - 1e-6 * fabs(lead);
            radius = fmin(radius, room / (step + 1.06 * (double)moved[top] + 1e-30));
        }
        if (sigmoid && k < top)
            radius = fmin(radius, (STOIC_STEEP - value - off) / (step + 1e-30));
        if (sigmoid && k == top && top > 0)
            radius = fmin(radius, (80 + value - off) / (step + 1e-30));
    }
    if (radius > 0)
        h->anchors[image] = (anchor){change, (float)(radius * (1 - 1e-5)), top};
}

static bool is_near(const anchor *a, float change) {
    double far = fabs((double)change - (double)a->at) + 4 * unit * fabs((double)a->at);
    return far <= (double)a->radius * STOIC_LINE_WIDEN && fabsf(change) <= 2 * fabsf(a->at);
}

/* Limits cost more than one fault does: they are found when a weight comes a second time. */
static int64_t first_limits(const stoic_faulty *f) {
    return f->swept ? 1 : 2;
}

/* All values to come, at once. */
static stoic_status run_beside(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                               stoic_error *err) {
    float changes[STOIC_EXPECTED];
    stoic_edit next = *edit;
    int n = 0;
    if (!stoic_faulty_expects(f, edit) || !stoic_side_fits(f))
        return STOIC_OK;
    for (int i = 0; i < f->n_expected; i++) {
        next.value = f->expected[i];
        if (change_of(f, &next, &changes[n]))
            n++;
    }
    if (n < STOIC_SIDE_LEAST)
        return STOIC_OK;
    f->single.beside = true;
    return stoic_side_run(f, b, edit, changes, n, err);
}

static stoic_status prepare(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                            const stoic_sink *sink, stoic_error *err) {
    stoic_single *s = &f->single;
    stoic_status status = STOIC_OK;
    bool seen = s->block == b->serial && s->tensor == edit->tensor && s->index == edit->index;
    if (!seen)
        TRY(look(f, b, edit, sink, err));
    if (b->groups > f->open_room) {
        uint16_t *more = realloc(f->open, (size_t)b->groups * sizeof *more);
        if (!more)
            return stoic_fail_memory(err, "a choice of images", (size_t)b->groups * sizeof *more);
        f->open = more;
        f->open_room = b->groups;
    }
    if (++s->asked == first_limits(f) && has_limits(s)) {
        int first;
        bool alone, through = s->way == STOIC_SINGLE_THROUGH;
        if (seen) { /* else look() has just been there */
            TRY(narrow_down(f, edit, &first, &alone, err));
            if (through)
                TRY(stoic_difference_prepare(f, b, sink, err));
        }
        TRY(drop_anchors(f, b, err));
        TRY(through ? stoic_relay_limits(f, b, edit, err) : stoic_threshold_find(f, b, edit, err));
        s->limited = true;
        if (through)
            TRY(run_beside(f, b, edit, err));
    }
done:
    return status;
}

/* Reports those of the open images that are far away, and leaves the rest selected. */
static int keep_open(stoic_faulty *f, const stoic_block *b, float change, const stoic_sink *sink) {
    const stoic_single *s = &f->single;
    bool far = s->way == STOIC_SINGLE_LINE && s->far_to > 0;
    int left = 0, which = s->beside ? stoic_side_find(f, change) : -1;
    for (int image = 0; image < b->count; image++) {
        int k = image / STOIC_LANES, l = image % STOIC_LANES;
        bool open = f->selected[image] && (f->open[k] >> l & 1);
        float d = far && open ? change * s->x[k * s->step + l] : 0;
        f->counts.line += f->selected[image] && !open;
        if (d >= (float)STOIC_FAR_FROM && d <= s->far_to) {
            sink->top1(sink->user, image, s->far_class);
            f->counts.line++;
            open = false;
        }
        int top1 = open && which >= 0 ? stoic_side_top1(f, image, which) : -1;
        if (top1 >= 0) {
            sink->top1(sink->user, image, top1);
            f->counts.beside++;
            open = false;
        }
        if (open && s->limited && is_near(&f->threshold.anchors[image], change)) {
            sink->top1(sink->user, image, f->threshold.anchors[image].top);
            f->counts.line++;
            open = false;
        }
        f->selected[image] = open;
        left += open;
    }
    return left;
}

stoic_status stoic_single_run(stoic_faulty *f, stoic_block *b, const int32_t *images, int n_images,
                              const stoic_edit *edit, const stoic_sink *sink, int *left,
                              stoic_error *err) {
    const stoic_kernels *kernels = f->program->kernels;
    stoic_single *s = &f->single;
    stoic_status status = STOIC_OK;
    int64_t open;
    float change;
    *left = -1;
    if (f->full || !sink->top1 || !sink->same_class)
        return STOIC_OK;
    TRY(prepare(f, b, edit, sink, err));
    if (s->way == STOIC_SINGLE_OTHER || !change_of(f, edit, &change) ||
        (has_limits(s) && !s->limited))
        return STOIC_OK;
    if (s->way == STOIC_SINGLE_LINE)
        open = kernels->outside(s->x, s->step, s->low, s->high, b->groups, change, f->open);
    else
        open = kernels->above(f->threshold.limit, b->groups, fabsf(change), f->open);
    double old = (double)f->program->constant_base[s->packed];
    s->change = change;
    s->alike = fabs((double)change + old) < 0.1 * fabs(old);
    *left = 0;
    if (open == 0) {
        f->counts.line += images ? n_images : b->count;
        return STOIC_OK;
    }
    TRY(stoic_faulty_select(f, b, images, n_images, err));
    *left = keep_open(f, b, change, sink);
    if (*left && s->way != STOIC_SINGLE_THROUGH)
        stoic_carry_run(f, b, change, sink, left);
done:
    return status;
}
