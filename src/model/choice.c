#include "model/choice.h"

static bool scalar(const stoic_model *m, int value, float *out) {
    const stoic_value *v = &m->values[value];
    if (!v->constant || v->dtype != STOIC_F32 || stoic_tensor_count(v->constant) != 1)
        return false;
    *out = (float)stoic_tensor_get(v->constant, 0);
    return true;
}

bool stoic_choice_find(const stoic_model *m, int test, int where, stoic_choice *out) {
    const stoic_node *t = &m->nodes[test], *w = &m->nodes[where];
    if (w->op != &stoic_op_where || w->in[0] != t->out[0] || w->in[2] != t->in[0] ||
        m->values[w->in[2]].constant || m->values[w->in[2]].dtype != STOIC_F32 ||
        !scalar(m, w->in[1], &out->with))
        return false;
    /* a constant of more axes would give them to the output */
    if (m->values[w->out[0]].shape.rank != m->values[w->in[2]].shape.rank)
        return false;
    out->kind = t->op == &stoic_op_is_nan    ? STOIC_CHOICE_NAN
                : t->op == &stoic_op_greater ? STOIC_CHOICE_ABOVE
                                             : STOIC_CHOICE_BELOW;
    out->limit = 0;
    return t->op == &stoic_op_is_nan || ((t->op == &stoic_op_greater || t->op == &stoic_op_less) &&
                                         scalar(m, t->in[1], &out->limit));
}
