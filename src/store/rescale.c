/* Undoing the scales elsewhere than in the weights: what both ways share. */
#include "store/rescale.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

int stoic_rescale_layer(const stoic_rescaler *r, const stoic_node *node) {
    bool weighs = node->layer >= 0 && node->n_in > 1 && node->in[1] >= 0;
    return weighs ? r->entry_of[node->in[1]] : -1;
}

stoic_status stoic_rescale_refuse(const stoic_rescaler *r, const stoic_node *node, const char *what,
                                  stoic_error *err) {
    return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "",
                      "node '%s' (%s): rescale=%s %s; rescale=weights works here", node->name,
                      node->op->name, r->mode, what);
}

/* ---- constants ---- */

static bool all_one(const double *factors, int64_t n) {
    int64_t i = 0;
    while (i < n && (float)factors[i] == 1.0f)
        i++;
    return i == n;
}

/* A scalar for all channels needs an element for each when their factors differ. */
static bool widens(const stoic_tensor *tensor, int64_t n) {
    return n > 1 && stoic_tensor_count(tensor) == 1;
}

static stoic_status multiply(const stoic_tensor *from, const double *factors, int64_t n,
                             stoic_tensor **out, stoic_error *err) {
    stoic_shape shape = *stoic_tensor_shape(from);
    if (widens(from, n))
        shape = (stoic_shape){.rank = 1, .dim = {n}};
    stoic_status status = stoic_tensor_create(STOIC_F32, &shape, out, err);
    if (status != STOIC_OK)
        return status;
    const float *old = stoic_tensor_data(from);
    float *data = stoic_tensor_mutable_data(*out);
    int64_t count = stoic_tensor_count(*out);
    for (int64_t i = 0; i < count; i++) {
        float value = widens(from, n) ? old[0] : old[i];
        data[i] = (float)((double)value * factors[i % n]);
        if (isfinite(value) && !isfinite(data[i])) {
            stoic_tensor_free(*out);
            *out = NULL;
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, "", "%g times %g", (double)value,
                              factors[i % n]);
        }
    }
    return STOIC_OK;
}

stoic_status stoic_rescale_constant(stoic_rescaler *r, int node, size_t i, const double *factors,
                                    int64_t n, stoic_error *err) {
    const stoic_node *at = &r->model->nodes[node];
    int value = at->in[i], fresh;
    const stoic_value *old = &r->model->values[value];
    stoic_tensor *tensor = NULL;
    char name[256];
    if (all_one(factors, n))
        return STOIC_OK;
    if (old->dtype != STOIC_F32)
        return stoic_rescale_refuse(r, at, "can multiply float32 constants only", err);
    int64_t count = stoic_tensor_count(old->constant);
    int64_t last = old->shape.rank ? old->shape.dim[old->shape.rank - 1] : 1;
    if (n > 1 && count != 1 && (count != n || last != n))
        return stoic_rescale_refuse(r, at, "found no element of its bias for each channel", err);
    stoic_status status = multiply(old->constant, factors, n, &tensor, err);
    if (status == STOIC_ERR_UNSUPPORTED)
        return stoic_rescale_refuse(r, at, "would multiply a constant beyond float32", err);
    TRY(status);
    if (r->readers[value] == 1 && !widens(old->constant, n)) {
        TRY(stoic_rewrite_replace(r->rewrite, value, tensor, err));
    } else {
        snprintf(name, sizeof name, "%.200s_scaled", old->name);
        TRY(stoic_rewrite_constant(r->rewrite, name, tensor, &fresh, err));
        stoic_rewrite_input(r->rewrite, node, i, fresh);
    }
done:
    stoic_tensor_free(tensor);
    return status;
}

stoic_status stoic_rescale_norm(stoic_rescaler *r, int node, const double *factors, int64_t n,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_node *at = &r->model->nodes[node];
    double *inverse = calloc((size_t)n + 1, sizeof *inverse);
    if (!inverse)
        return stoic_fail_memory(err, "factors", (size_t)n * sizeof *inverse);
    for (int64_t c = 0; c < n; c++)
        inverse[c] = 1 / factors[c];
    if (!r->model->values[at->in[1]].constant || !r->model->values[at->in[3]].constant)
        status = stoic_rescale_refuse(r, at, "needs constant statistics", err);
    if (status == STOIC_OK)
        status = stoic_rescale_constant(r, node, 1, inverse, n, err);
    if (status == STOIC_OK)
        status = stoic_rescale_constant(r, node, 3, factors, n, err);
    free(inverse);
    return status;
}

/* ---- added operators ---- */

static stoic_status fill(stoic_rescaler *r, const char *name, const stoic_shape *shape,
                         const double *values, int64_t n, int *out, stoic_error *err) {
    stoic_tensor *tensor = NULL;
    stoic_status status = stoic_tensor_create(STOIC_F32, shape, &tensor, err);
    if (status != STOIC_OK)
        return status;
    for (int64_t i = 0; i < stoic_tensor_count(tensor); i++)
        ((float *)stoic_tensor_mutable_data(tensor))[i] = (float)values[i % n];
    status = stoic_rewrite_constant(r->rewrite, name, tensor, out, err);
    stoic_tensor_free(tensor);
    return status;
}

/* As a batch normalisation with mean 0, variance 1, epsilon 0 and shift -0, which is x times k to
 * the last bit (x k + 0 would turn -0 into 0), and which the executor runs in one pass with the
 * layer in front, instead of by the plain definition of Mul. */
static stoic_status append_norm(stoic_rescaler *r, int value, const char *name,
                                const double *factors, int64_t n, int *out, stoic_error *err) {
    static const double minus_zero = -0.0, zero = 0, one = 1;
    stoic_status status;
    stoic_shape shape = {.rank = 1, .dim = {r->model->values[value].shape.dim[1]}};
    int in[5] = {value};
    stoic_attr *epsilon = calloc(1, sizeof *epsilon);
    if (!epsilon || !(epsilon->name = strdup("epsilon"))) {
        free(epsilon);
        return stoic_fail_memory(err, "an attribute", sizeof *epsilon);
    }
    epsilon->kind = STOIC_ATTR_FLOAT;
    TRY(fill(r, name, &shape, factors, n, &in[1], err));
    TRY(fill(r, name, &shape, &minus_zero, 1, &in[2], err));
    TRY(fill(r, name, &shape, &zero, 1, &in[3], err));
    TRY(fill(r, name, &shape, &one, 1, &in[4], err));
    stoic_attr *attrs = epsilon;
    epsilon = NULL;
    TRY(stoic_rewrite_node(r->rewrite, name, &stoic_op_batch_normalization, attrs, 1, in, 5, out,
                           err));
done:
    stoic_attrs_free(epsilon, 1);
    return status;
}

static stoic_status append_mul(stoic_rescaler *r, int value, const char *name,
                               const double *factors, int64_t n, int axis, int *out,
                               stoic_error *err) {
    stoic_shape shape = {.rank = 1, .dim = {1}};
    int in[2] = {value, -1};
    if (n > 1) {
        shape.rank = r->model->values[value].shape.rank - axis;
        for (int i = 1; i < shape.rank; i++)
            shape.dim[i] = 1;
        shape.dim[0] = n;
    }
    stoic_status status = fill(r, name, &shape, factors, n, &in[1], err);
    if (status == STOIC_OK)
        status = stoic_rewrite_node(r->rewrite, name, &stoic_op_mul, NULL, 0, in, 2, out, err);
    return status;
}

stoic_status stoic_rescale_append(stoic_rescaler *r, int value, const double *factors, int64_t n,
                                  int axis, int *out, stoic_error *err) {
    const stoic_value *v = &r->model->values[value];
    char name[256];
    for (size_t i = 0; n == 1 && i < r->n_added; i++) {
        if (r->added[i].value == value && r->added[i].times == factors[0]) {
            *out = r->added[i].out;
            return STOIC_OK;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        float k = fabsf((float)factors[i]);
        if (!(k >= FLT_MIN && k <= FLT_MAX) || v->dtype != STOIC_F32)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, v->name,
                              "rescale=%s: '%s' cannot be multiplied by %g; rescale=weights "
                              "works here",
                              r->mode, v->name, factors[i]);
    }
    snprintf(name, sizeof name, "%.200s_rescaled", v->name);
    bool norm = (v->shape.rank == 2 || v->shape.rank == 4) && (n == 1 || axis == 1);
    stoic_status status = norm ? append_norm(r, value, name, factors, n, out, err)
                               : append_mul(r, value, name, factors, n, axis, out, err);
    if (status != STOIC_OK)
        return status;
    stoic_rescaled *moved = realloc(r->added, (r->n_added + 1) * sizeof *moved);
    if (!moved)
        return stoic_fail_memory(err, "added operators", (r->n_added + 1) * sizeof *moved);
    r->added = moved;
    r->added[r->n_added++] = (stoic_rescaled){value, *out, n == 1 ? factors[0] : NAN};
    return STOIC_OK;
}

/* ---- the whole ---- */

static stoic_status look_around(stoic_rescaler *r, stoic_error *err) {
    const stoic_model *m = r->model;
    r->entry_of = calloc(m->n_values + 1, sizeof *r->entry_of);
    r->readers = calloc(m->n_values + 1, sizeof *r->readers);
    r->reader = calloc(m->n_values + 1, sizeof *r->reader);
    r->factor = calloc(m->n_values + 1, sizeof *r->factor);
    r->above_layer = calloc(m->n_values + 1, sizeof *r->above_layer);
    r->alpha = calloc(m->n_nodes + 1, sizeof *r->alpha);
    if (!r->entry_of || !r->readers || !r->reader || !r->factor || !r->above_layer || !r->alpha)
        return stoic_fail_memory(err, "factors", m->n_values * sizeof *r->factor);
    for (size_t v = 0; v < m->n_values; v++) {
        r->entry_of[v] = r->reader[v] = -1;
        r->factor[v] = 1;
    }
    for (int e = 0; e < r->store->n_entries; e++)
        r->entry_of[r->store->entries[e].tensor] = e;
    for (size_t i = 0; i < m->n_nodes; i++) {
        r->alpha[i] = 1;
        for (size_t k = 0; k < m->nodes[i].n_in; k++) {
            if (m->nodes[i].in[k] >= 0) {
                r->readers[m->nodes[i].in[k]]++;
                r->reader[m->nodes[i].in[k]] = (int)i;
            }
        }
    }
    r->readers[m->output]++;
    return STOIC_OK;
}

/* Stored weights that are read as anything but weights would carry their scale there. */
static stoic_status check_readers(const stoic_rescaler *r, stoic_error *err) {
    for (size_t i = 0; i < r->model->n_nodes; i++) {
        const stoic_node *node = &r->model->nodes[i];
        for (size_t k = 0; k < node->n_in; k++) {
            bool weights = k == 1 && stoic_rescale_layer(r, node) >= 0;
            if (node->in[k] >= 0 && r->entry_of[node->in[k]] >= 0 && !weights)
                return stoic_rescale_refuse(r, node,
                                            "cannot undo a scale of stored weights that "
                                            "are read as something else",
                                            err);
        }
    }
    return STOIC_OK;
}

static void deinit(stoic_rescaler *r) {
    stoic_rewrite_free(r->rewrite);
    free(r->entry_of);
    free(r->readers);
    free(r->reader);
    free(r->factor);
    free(r->above_layer);
    free(r->alpha);
    free(r->added);
}

stoic_status stoic_store_rescale(const stoic_store *store, stoic_model *decoded, stoic_model **out,
                                 stoic_error *err) {
    stoic_status status = STOIC_OK;
    bool logits = store->layouts.items[0].rescale == STOIC_RESCALE_LOGITS;
    stoic_rescaler r = {.store = store, .model = decoded, .mode = logits ? "logits" : "fold"};
    *out = NULL;
    TRY(look_around(&r, err));
    TRY(check_readers(&r, err));
    TRY(stoic_rewrite_create(decoded, &r.rewrite, err));
    TRY(logits ? stoic_rescale_logits(&r, err) : stoic_rescale_fold(&r, err));
    stoic_rewrite *rewrite = r.rewrite;
    r.rewrite = NULL;
    TRY(stoic_rewrite_finish(rewrite, out, err));
    stoic_log(STOIC_LOG_INFO, "store '%s': rescale=%s added %zu operators", stoic_store_text(store),
              r.mode, r.n_added);
done:
    deinit(&r);
    return status;
}
