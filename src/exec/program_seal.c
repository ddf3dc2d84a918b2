/* What evaluation reads and nobody writes any more, sealed (base/seal.h): a program, its chains, a
 * session's constants. */
#include "base/fail.h"
#include "exec/chain.h"

stoic_status stoic_program_seal(const stoic_program *g, stoic_seals *weights, stoic_seals *plan,
                                stoic_error *err) {
    stoic_status status;
    size_t layers = (size_t)g->n_layers, norms = (size_t)g->n_norms;
    TRY(stoic_seals_add(weights, g->constant_base, (size_t)g->constants * sizeof(float), err));
    for (size_t v = 0; v < g->model->n_values; v++) {
        const stoic_tensor *t = g->model->values[v].constant;
        if (t)
            TRY(stoic_seals_add_once(
                weights, stoic_tensor_data(t),
                (size_t)stoic_tensor_count(t) * stoic_dtype_size(stoic_tensor_dtype(t)), err));
    }
    TRY(stoic_seals_add(plan, g, sizeof *g, err));
    TRY(stoic_seals_add(plan, g->uses, (size_t)g->n_uses * sizeof *g->uses, err));
    TRY(stoic_seals_add(plan, g->norms, norms * sizeof *g->norms, err));
    TRY(stoic_seals_add(plan, g->layers, layers * sizeof *g->layers, err));
    TRY(stoic_seals_add(plan, g->values, g->model->n_values * sizeof *g->values, err));
    status = stoic_seals_add(plan, g->steps, (size_t)g->n_steps * sizeof *g->steps, err);
done:
    return status;
}

stoic_status stoic_chains_seal(const stoic_chains *chains, stoic_seals *weights, stoic_seals *plan,
                               stoic_error *err) {
    const stoic_program *g = chains->program;
    stoic_status status;
    TRY(stoic_seals_add(plan, chains->layers, (size_t)g->n_layers * sizeof *chains->layers, err));
    for (int l = 0; l < g->n_layers; l++) {
        const stoic_layer_chain *c = &chains->layers[l];
        size_t taps = (size_t)(g->layers[l].channels * c->taps);
        TRY(stoic_seals_add(plan, c->offset, taps * sizeof *c->offset, err));
        TRY(stoic_seals_add(weights, c->by_input, taps * sizeof *c->by_input, err));
    }
done:
    return status;
}

uint64_t stoic_session_digest(const stoic_session *s) {
    return stoic_seal_digest(s->constants, (size_t)s->program->constants * sizeof(float), 0);
}
