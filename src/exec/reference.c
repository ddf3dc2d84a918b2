/*
 * The plain executor: every node by its operator's own definition, one image at a time, each value
 * rounded to float. Slow, and short enough to be checked by eye; the fast executor is tested
 * against it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/run.h"

static double *constant_doubles(const stoic_session *s, int value) {
    const stoic_tensor *t =
        s->overlay[value] ? s->overlay[value] : s->program->model->values[value].constant;
    int64_t n = stoic_tensor_count(t);
    double *out = malloc((size_t)(n ? n : 1) * sizeof *out);
    for (int64_t i = 0; out && i < n; i++)
        out[i] = stoic_tensor_get(t, i);
    return out;
}

static stoic_status run_node(stoic_session *s, size_t node, double **values, stoic_error *err) {
    const stoic_model *m = s->program->model;
    const stoic_node *n = &m->nodes[node];
    stoic_operand in[64], out[8];
    const double *x[64];
    double *y[8] = {0};
    stoic_op_call call;
    if (n->n_in > 64 || n->n_out > 8 || !n->op->reference)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, n->name, "operator %s cannot be run",
                          n->op->name);
    stoic_model_call(m, node, in, out, &call);
    for (size_t k = 0; k < n->n_in; k++) {
        int v = n->in[k];
        if (v >= 0 && !values[v] && !(values[v] = constant_doubles(s, v)))
            return stoic_fail_memory(err, "a constant in double", 0);
        x[k] = v < 0 ? NULL : values[v];
    }
    int64_t count = stoic_shape_count(&out[0].shape);
    y[0] = values[n->out[0]] = malloc((size_t)count * sizeof(double));
    if (!y[0])
        return stoic_fail_memory(err, "a value in double", (unsigned long long)count * 8);
    stoic_status status = n->op->reference(&call, x, y, err);
    for (int64_t i = 0; status == STOIC_OK && i < count; i++)
        y[0][i] = (float)y[0][i];
    return status;
}

stoic_status stoic_reference_run(stoic_session *s, const float *image, float *output,
                                 uint8_t *alarm, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_model *m = s->program->model;
    int64_t size = stoic_shape_count(&m->values[m->input].shape);
    double **values = calloc(m->n_values, sizeof *values);
    if (!values || !(values[m->input] = malloc((size_t)size * sizeof(double)))) {
        status = stoic_fail_memory(err, "values in double", (unsigned long long)size * 8);
        goto done;
    }
    for (int64_t i = 0; i < size; i++)
        values[m->input][i] = image[i];
    for (size_t i = 0; i < m->n_nodes; i++)
        TRY(run_node(s, i, values, err));
    for (int64_t i = 0; i < stoic_model_classes(m); i++)
        output[i] = (float)values[m->output][i];
    if (alarm)
        *alarm = s->program->alarm >= 0 && values[s->program->alarm][0] != 0;
done:
    for (size_t v = 0; values && v < m->n_values; v++)
        free(values[v]);
    free(values);
    return status;
}

stoic_status stoic_reference_edit(stoic_session *s, const stoic_edit *edit, stoic_error *err) {
    const stoic_tensor *t = s->program->model->values[edit->tensor].constant;
    if (!s->overlay[edit->tensor]) {
        stoic_status status = stoic_tensor_create(stoic_tensor_dtype(t), stoic_tensor_shape(t),
                                                  &s->overlay[edit->tensor], err);
        if (status != STOIC_OK)
            return status;
        memcpy(stoic_tensor_mutable_data(s->overlay[edit->tensor]), stoic_tensor_data(t),
               (size_t)stoic_tensor_count(t) * stoic_dtype_size(stoic_tensor_dtype(t)));
    }
    memcpy((char *)stoic_tensor_mutable_data(s->overlay[edit->tensor]) +
               edit->index * (int64_t)sizeof(float),
           &edit->value, sizeof edit->value);
    return STOIC_OK;
}
