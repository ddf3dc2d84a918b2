/*
 * rescale=logits: run with the scaled weights, divide once at the end (paper 1, Fig. 4).
 *
 * The running factor k of each value is carried through the graph. A layer multiplies it by its c,
 * its bias by the new product; what is positively homogeneous passes it on; a batch normalisation
 * takes it away; a join equalises its branches, the larger factor giving way. Where the product
 * would leave 2^-40 … 2^40, the value in front of the layer is divided by what it carries: 20
 * layers of c = 100 would otherwise make 1e40, which no float holds.
 */
#include <math.h>

#include "base/fail.h"
#include "store/rescale.h"

enum { BOUND = 40 };

/* Input `i` of a node carries the factor `wanted` from now on. */
static stoic_status settle(stoic_rescaler *r, int node, size_t i, double wanted, stoic_error *err) {
    int value = r->model->nodes[node].in[i], out;
    if (r->model->values[value].constant)
        return stoic_rescale_constant(r, node, i, &wanted, 1, err);
    double times = wanted / r->factor[value];
    if ((float)times == 1.0f)
        return STOIC_OK;
    stoic_status status = stoic_rescale_append(r, value, &times, 1, 1, &out, err);
    if (status == STOIC_OK)
        stoic_rewrite_input(r->rewrite, node, i, out);
    return status;
}

static bool carries(const stoic_rescaler *r, int value) {
    return value >= 0 && (float)r->factor[value] != 1.0f;
}

/* Not homogeneous: allowed where nothing is carried, and behind the last layer, where the division
 * may stand as well in front of it. */
static stoic_status stop_here(stoic_rescaler *r, int node, stoic_error *err) {
    const stoic_node *n = &r->model->nodes[node];
    for (size_t i = 0; i < n->n_in; i++) {
        if (!carries(r, n->in[i]))
            continue;
        if (r->above_layer[n->out[0]])
            return stoic_rescale_refuse(r, n,
                                        "cannot carry a factor through it, for it is not "
                                        "positively homogeneous as it is used here",
                                        err);
        stoic_status status = settle(r, node, i, 1, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

static bool wants(uint64_t inputs, size_t i) {
    return inputs >> (i < 63 ? i : 63) & 1;
}

/* Of the factors that meet here the one nearest to 1: the others come down to it. */
static double meet(const stoic_rescaler *r, const stoic_node *n, uint64_t inputs, bool layer) {
    double k = 1, least = INFINITY;
    for (size_t i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0 || !wants(inputs, i) || (layer && i == 2) ||
            r->model->values[n->in[i]].constant)
            continue;
        double size = fabs(log2(r->factor[n->in[i]]));
        if (size < least) {
            least = size;
            k = r->factor[n->in[i]];
        }
    }
    return k;
}

static stoic_status pass_on(stoic_rescaler *r, int node, uint64_t inputs, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_node *n = &r->model->nodes[node];
    int entry = stoic_rescale_layer(r, n);
    bool layer = (n->op->facts & STOIC_OP_LAYER) != 0;
    double c = entry >= 0 ? (double)r->store->lines[entry].grids[0].scale : 1;
    double k = meet(r, n, inputs, layer);
    if (entry >= 0 && fabs(log2(k * c)) > BOUND)
        k = 1;
    for (size_t i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0)
            continue;
        if (wants(inputs, i))
            TRY(settle(r, node, i, layer && i == 2 ? k * c : k, err));
        else if (carries(r, n->in[i])) /* a slope, a divisor: it must be what it means */
            TRY(settle(r, node, i, 1, err));
    }
    for (size_t i = 0; i < n->n_out; i++) {
        if (n->out[i] >= 0)
            r->factor[n->out[i]] = k * c;
    }
done:
    return status;
}

static stoic_status visit(stoic_rescaler *r, int node, stoic_error *err) {
    const stoic_node *n = &r->model->nodes[node];
    stoic_operand in[64], out[8];
    stoic_op_call call;
    if (n->n_in > 64 || n->n_out > 8)
        return stoic_rescale_refuse(r, n, "finds too many operands", err);
    if (n->op == &stoic_op_batch_normalization) {
        for (size_t i = 1; i < n->n_in; i++) {
            if (carries(r, n->in[i]))
                return stoic_rescale_refuse(r, n, "needs constant statistics", err);
        }
        return stoic_rescale_norm(r, node, &r->factor[n->in[0]], 1, err);
    }
    stoic_model_call(r->model, (size_t)node, in, out, &call);
    uint64_t inputs = stoic_op_homogeneous(&call);
    return inputs ? pass_on(r, node, inputs, err) : stop_here(r, node, err);
}

static void find_layers_below(stoic_rescaler *r) {
    for (size_t i = r->model->n_nodes; i-- > 0;) {
        const stoic_node *n = &r->model->nodes[i];
        bool below = stoic_rescale_layer(r, n) >= 0;
        for (size_t k = 0; k < n->n_out; k++)
            below |= n->out[k] >= 0 && r->above_layer[n->out[k]];
        for (size_t k = 0; k < n->n_in; k++) {
            if (n->in[k] >= 0)
                r->above_layer[n->in[k]] |= below;
        }
    }
}

stoic_status stoic_rescale_logits(stoic_rescaler *r, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int output = r->model->output;
    find_layers_below(r);
    for (size_t i = 0; i < r->model->n_nodes; i++)
        TRY(visit(r, (int)i, err));
    if (carries(r, output)) {
        double times = 1 / r->factor[output];
        TRY(stoic_rescale_append(r, output, &times, 1, 1, &output, err));
        stoic_rewrite_output(r->rewrite, output);
    }
done:
    return status;
}
