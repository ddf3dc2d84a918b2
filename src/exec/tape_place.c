/*
 * Memory of gradients. Steps are walked in the order of the backward pass: the first that gives a
 * value a gradient writes it, the others add. A gradient that is done with lends its place to
 * another, and a step that passes its gradient on unchanged hands over the place itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/tape_inside.h"

static int new_slot(stoic_tape *t, int value, int born) {
    const stoic_tape_value *v = &t->values[value];
    t->slots[t->n_slots] =
        (stoic_tape_slot){.whole = v->whole, .size = v->size, .born = born, .dies = born};
    return t->n_slots++;
}

/* May input k take over the memory of the step's own gradient? Steps that leave their gradient in
 * place at the end say so by the kind of their backward function: sums, functions, dropout. */
static bool may_share(const stoic_tape *t, const stoic_tape_step *step, int k) {
    const stoic_tape_value *in = &t->values[step->in[k]], *out = &t->values[step->out];
    return step->hands_over && in->whole == out->whole && in->size == out->size;
}

static void walk(stoic_tape *t) {
    for (int i = t->n_steps - 1; i >= 0; i--) {
        stoic_tape_step *step = &t->steps[i];
        int now = t->n_steps - 1 - i;
        stoic_tape_value *out = &t->values[step->out];
        if (!out->wanted || out->slot < 0)
            continue;
        if (t->slots[out->slot].dies < now)
            t->slots[out->slot].dies = now;
        for (int k = 0; k < step->n_in && !step->in_place; k++) {
            stoic_tape_value *in = &t->values[step->in[k]];
            if (!in->wanted)
                step->silent[k] = true;
            if (step->silent[k])
                continue;
            if (in->slot >= 0) {
                step->adds[k] = true;
            } else if (!out->lent && may_share(t, step, k)) {
                step->shares[k] = out->lent = true;
                in->slot = out->slot;
            } else {
                in->slot = new_slot(t, step->in[k], now);
            }
            if (t->slots[in->slot].dies < now)
                t->slots[in->slot].dies = now;
        }
    }
}

/* First fit among the slots alive at the same time. */
static int64_t fit(const stoic_tape *t, int index) {
    const stoic_tape_slot *s = &t->slots[index];
    int64_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < index; i++) {
            const stoic_tape_slot *o = &t->slots[i];
            if (!o->whole && o->dies >= s->born && o->born <= s->dies && at < o->at + o->size &&
                o->at < at + s->size) {
                at = o->at + o->size;
                moved = true;
            }
        }
    }
    return at;
}

/* Parameters whose only way to the loss is a comparison would keep a gradient that nobody writes.
 */
static stoic_status check_felt(const stoic_tape *t, stoic_error *err) {
    for (int i = 0; i < t->n_steps; i++) {
        const stoic_tape_value *out = &t->values[t->steps[i].out];
        const stoic_node *n = &t->model->nodes[t->steps[i].node];
        if (out->wanted && out->slot < 0)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                              "node '%s' (%s) is read by comparisons alone: it cannot be trained",
                              n->name, n->op->name);
    }
    return STOIC_OK;
}

stoic_status stoic_tape_place(stoic_tape *t, stoic_error *err) {
    size_t most = ((size_t)t->n_steps + 1) * 2 + 1;
    for (int i = 0; i < t->n_steps; i++)
        most += (size_t)t->steps[i].n_in;
    t->slots = calloc(most, sizeof *t->slots);
    if (!t->slots)
        return stoic_fail_memory(err, "the plan of gradients", most * sizeof *t->slots);
    int head = stoic_tape_root(t, t->head);
    t->values[head].slot = new_slot(t, head, 0);
    walk(t);
    stoic_status status = check_felt(t, err);
    if (status != STOIC_OK)
        return status;
    for (int i = 0; i < t->n_slots; i++) {
        stoic_tape_slot *s = &t->slots[i];
        /* Values of a shard lie image after image; sizes are rounded so that each begins at a
         * multiple of 16 floats whatever the number of images. */
        s->size = (s->size + 15) / 16 * 16;
        if (s->whole) {
            s->at = stoic_tape_reserve(&t->n_whole, s->size * t->batch);
            continue;
        }
        s->at = fit(t, i);
        if (s->at + s->size > t->arena_floats)
            t->arena_floats = s->at + s->size;
    }
    return STOIC_OK;
}
