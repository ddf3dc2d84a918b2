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

/* Which way is there for this weight? */
static stoic_status look(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                         stoic_error *err) {
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
    }
    s->tensor = edit->tensor;
    s->index = edit->index;
    s->block = b->serial;
done:
    return status;
}

/* Limits cost more than one fault does: they are found when a weight comes a second time. */
static int64_t first_limits(const stoic_faulty *f) {
    return f->swept ? 1 : 2;
}

static stoic_status prepare(stoic_faulty *f, stoic_block *b, const stoic_edit *edit,
                            stoic_error *err) {
    stoic_single *s = &f->single;
    stoic_status status = STOIC_OK;
    if (s->block != b->serial || s->tensor != edit->tensor || s->index != edit->index)
        TRY(look(f, b, edit, err));
    if (b->groups > f->open_room) {
        uint16_t *more = realloc(f->open, (size_t)b->groups * sizeof *more);
        if (!more)
            return stoic_fail_memory(err, "a choice of images", (size_t)b->groups * sizeof *more);
        f->open = more;
        f->open_room = b->groups;
    }
    if (++s->asked == first_limits(f) && s->way == STOIC_SINGLE_LIMIT) {
        int first;
        bool alone;
        TRY(narrow_down(f, edit, &first, &alone, err));
        status = stoic_threshold_find(f, b, edit, err);
    }
done:
    return status;
}

/* Reports those of the open images that are far away, and leaves the rest selected. */
static int keep_open(stoic_faulty *f, const stoic_block *b, float change, const stoic_sink *sink) {
    const stoic_single *s = &f->single;
    bool far = s->way == STOIC_SINGLE_LINE && s->far_to > 0;
    int left = 0;
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
    TRY(prepare(f, b, edit, err));
    if (s->way == STOIC_SINGLE_OTHER || !change_of(f, edit, &change) ||
        (s->way == STOIC_SINGLE_LIMIT && s->asked < first_limits(f)))
        return STOIC_OK;
    if (s->way == STOIC_SINGLE_LINE)
        open = kernels->outside(s->x, s->step, s->low, s->high, b->groups, change, f->open);
    else
        open = kernels->above(f->threshold.limit, b->groups, fabsf(change), f->open);
    *left = 0;
    if (open == 0) {
        f->counts.line += images ? n_images : b->count;
        return STOIC_OK;
    }
    TRY(stoic_faulty_select(f, b, images, n_images, err));
    *left = keep_open(f, b, change, sink);
    if (*left)
        stoic_carry_run(f, b, change, sink, left);
done:
    return status;
}
