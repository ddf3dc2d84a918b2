/* A comparison and the Where that alone reads it, as one step. Anything else that compares or
 * chooses runs its plain definition. */
#include "exec/program.h"

stoic_unary stoic_choice_function(const stoic_choice *choice) {
    static const stoic_unary functions[] = {[STOIC_CHOICE_NAN] = STOIC_REPLACE_NAN,
                                            [STOIC_CHOICE_ABOVE] = STOIC_REPLACE_ABOVE,
                                            [STOIC_CHOICE_BELOW] = STOIC_REPLACE_BELOW};
    return functions[choice->kind];
}

stoic_status stoic_plan_choose(stoic_planner *p, int node, stoic_exec_step *step,
                               stoic_error *err) {
    (void)err;
    const stoic_model *m = p->model;
    const stoic_node *n = &m->nodes[node];
    stoic_choice choice;
    int test = n->out[0], where = p->consumer[test];
    const stoic_exec_value source = p->program->values[n->in[0]];
    if (p->consumers[test] != 1 || p->observable[test] || test == m->output || p->done[where] ||
        m->values[n->in[0]].constant || source.layout == STOIC_LAYOUT_FLAT_HWC ||
        !stoic_choice_find(m, node, where, &choice))
        return STOIC_ERR_UNSUPPORTED;
    p->done[where] = true;
    step->last_node = where;
    step->in[step->n_in++] = source.root;
    stoic_plan_function(step, stoic_choice_function(&choice), choice.limit, choice.with);
    step->out = m->nodes[where].out[0];
    stoic_plan_out(p, step->out,
                   m->values[step->out].shape.rank == 4 ? STOIC_LAYOUT_NHWC : STOIC_LAYOUT_ROWS,
                   p->program->n_steps);
    return STOIC_OK;
}
