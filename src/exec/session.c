/* Sessions: buffers, the frame, overlays with undo, running steps. */
#include "stoic/session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "exec/run.h"

static void *room(int64_t bytes) {
    return aligned_alloc(64, (size_t)((bytes > 0 ? bytes : 1) + 63) / 64 * 64);
}

static stoic_status create_runs(stoic_session *s, stoic_error *err) {
    const stoic_program *g = s->program;
    for (int i = 0; i < g->n_layers; i++) {
        const stoic_exec_layer *l = &g->layers[i];
        for (int k = 0; k < l->n_sizes; k++) {
            if (!l->conv[k])
                continue;
            stoic_status status = stoic_dnn_run_create(l->conv[k], s->constants + l->weights_at,
                                                       s->constants + l->bias_at, s->scratch,
                                                       &s->runs[i * STOIC_BATCH_SIZES + k], err);
            if (status != STOIC_OK)
                return status;
        }
    }
    return STOIC_OK;
}

stoic_status stoic_session_create(const stoic_program *g, stoic_session **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t n_values = g->model->n_values;
    stoic_session *s = calloc(1, sizeof *s);
    if (!s)
        return stoic_fail_memory(err, "a session", sizeof *s);
    s->program = g;
    TRY(stoic_dnn_single_thread(err));
    s->constants = room(g->constants * (int64_t)sizeof(float));
    s->work = room(g->work_floats * g->tile * (int64_t)sizeof(float));
    s->frame = calloc(n_values + 1, sizeof *s->frame);
    s->plain = room(g->plain_doubles * (int64_t)sizeof(double));
    s->scratch = room((int64_t)g->scratch);
    s->runs = calloc((size_t)g->n_layers * STOIC_BATCH_SIZES + 1, sizeof *s->runs);
    s->edited = calloc((size_t)g->n_steps + 1, sizeof *s->edited);
    s->overlay = calloc(n_values + 1, sizeof *s->overlay);
    if (!s->constants || !s->work || !s->frame || !s->plain || !s->scratch || !s->runs ||
        !s->edited || !s->overlay) {
        status =
            stoic_fail_memory(err, "a session", (unsigned long long)stoic_program_session_bytes(g));
        goto done;
    }
    if (!g->reference) {
        memset(s->work, 0, (size_t)(g->work_floats * g->tile) * sizeof(float));
        memcpy(s->constants, g->constant_base, (size_t)g->constants * sizeof(float));
        stoic_session_frame_reset(s);
        TRY(create_runs(s, err));
    }
    *out = s;
    s = NULL;
done:
    stoic_session_free(s);
    return status;
}

void stoic_session_free(stoic_session *s) {
    if (!s)
        return;
    for (int i = 0; s->runs && i < s->program->n_layers * STOIC_BATCH_SIZES; i++)
        stoic_dnn_run_free(s->runs[i]);
    for (size_t v = 0; s->overlay && v < s->program->model->n_values; v++)
        stoic_tensor_free(s->overlay[v]);
    free(s->constants);
    free(s->work);
    free(s->frame);
    free(s->plain);
    free(s->scratch);
    free(s->runs);
    free(s->undo);
    free(s->edited);
    free(s->overlay);
    free(s);
}

float *stoic_session_work(stoic_session *s, int value) {
    return s->work + s->program->values[value].work * s->program->tile;
}

void stoic_session_frame_reset(stoic_session *s) {
    const stoic_program *g = s->program;
    s->frame[g->input] = stoic_session_work(s, g->input);
    for (int i = 0; i < g->n_steps; i++)
        s->frame[g->steps[i].out] = stoic_session_work(s, g->steps[i].out);
}

stoic_status stoic_session_step(stoic_session *s, int step, int n, stoic_error *err) {
    const stoic_exec_step *st = &s->program->steps[step];
    return st->run(s, st, n, err);
}

/* Copies one image between ONNX order and memory order; `pack`: towards memory order. */
static void transpose_image(const float *src, float *dst, int64_t c, int64_t hw, bool pack) {
    if (c == 1 || hw == 1) {
        memcpy(dst, src, (size_t)(c * hw) * sizeof *dst);
        return;
    }
    for (int64_t i = 0; i < c; i++) {
        for (int64_t k = 0; k < hw; k++) {
            if (pack)
                dst[k * c + i] = src[i * hw + k];
            else
                dst[i * hw + k] = src[k * c + i];
        }
    }
}

void stoic_session_pack_input(const stoic_program *g, const float *images, int64_t n, float *out) {
    const stoic_exec_value *v = &g->values[g->input];
    for (int64_t i = 0; i < n; i++)
        transpose_image(images + i * v->size, out + i * v->size, v->c ? v->c : 1,
                        v->c ? v->hw : v->size, true);
}

void stoic_session_unpack(const stoic_program *g, int value, const float *data, int64_t n,
                          float *out) {
    const stoic_exec_value *v = &g->values[value];
    for (int64_t i = 0; i < n; i++)
        transpose_image(data + i * v->size, out + i * v->size, v->c ? v->c : 1,
                        v->c ? v->hw : v->size, false);
}

stoic_status stoic_session_run(stoic_session *s, const float *images, int64_t count, float *outputs,
                               stoic_error *err) {
    return stoic_session_run_watched(s, images, count, outputs, NULL, err);
}

stoic_status stoic_session_run_watched(stoic_session *s, const float *images, int64_t count,
                                       float *outputs, uint8_t *alarms, stoic_error *err) {
    const stoic_program *g = s->program;
    int64_t in = stoic_shape_count(stoic_model_input_shape(g->model));
    int64_t classes = stoic_model_classes(g->model);
    stoic_status status = STOIC_OK;
    if (g->reference) {
        for (int64_t i = 0; i < count && status == STOIC_OK; i++)
            status = stoic_reference_run(s, images + i * in, outputs + i * classes,
                                         alarms ? alarms + i : NULL, err);
        return status;
    }
    stoic_session_frame_reset(s);
    for (int64_t i = 0; i < count; i += g->tile) {
        int n = (int)(count - i < g->tile ? count - i : g->tile);
        stoic_session_pack_input(g, images + i * in, n, s->frame[g->input]);
        for (int k = 0; k < g->n_steps; k++)
            TRY(stoic_session_step(s, k, n, err));
        stoic_session_unpack(g, g->output, s->frame[g->output], n, outputs + i * classes);
        for (int k = 0; alarms && k < n; k++)
            alarms[i + k] = stoic_session_alarm(s, k);
    }
done:
    return status;
}

/* ---- the plain definition of an operator as a step ---- */

static void rows_to_doubles(const stoic_exec_value *v, const float *src, double *dst) {
    int64_t c = v->c ? v->c : 1, hw = v->size / c;
    for (int64_t i = 0; i < c; i++) {
        for (int64_t k = 0; k < hw; k++)
            dst[i * hw + k] = src[k * c + i];
    }
}

static const float *raw_constant(const stoic_session *s, int step, int tensor) {
    const stoic_program *g = s->program;
    for (int i = 0; i < g->n_uses; i++) {
        if (g->uses[i].step == step && g->uses[i].tensor == tensor &&
            g->uses[i].kind == STOIC_USE_RAW)
            return s->constants + g->uses[i].at;
    }
    return NULL;
}

static stoic_status plain_image(stoic_session *s, const stoic_exec_step *step,
                                const stoic_op_call *call, int image, stoic_error *err) {
    const stoic_program *g = s->program;
    const stoic_node *n = &g->model->nodes[step->node];
    const double *in[64];
    double *out[8] = {0}, *next = s->plain;
    for (size_t k = 0; k < n->n_in; k++) {
        in[k] = NULL;
        if (n->in[k] < 0)
            continue;
        const stoic_exec_value *v = &g->values[n->in[k]];
        int64_t count = stoic_shape_count(&call->in[k].shape);
        in[k] = next;
        const float *raw = raw_constant(s, (int)(step - g->steps), n->in[k]);
        if (raw) {
            for (int64_t i = 0; i < count; i++)
                next[i] = call->in[k].dtype == STOIC_F32
                              ? (double)raw[i]
                              : stoic_tensor_get(call->in[k].constant, i);
        } else {
            rows_to_doubles(v, s->frame[v->root] + image * v->size, next);
        }
        next += count;
    }
    out[0] = next;
    stoic_status status = n->op->reference(call, in, out, err);
    if (status != STOIC_OK)
        return status;
    const stoic_exec_value *v = &g->values[step->out];
    float *dst = s->frame[step->out] + image * v->size;
    int64_t c = v->c ? v->c : 1, hw = v->size / c;
    for (int64_t i = 0; i < c; i++) {
        for (int64_t k = 0; k < hw; k++)
            dst[k * c + i] = (float)next[i * hw + k];
    }
    return STOIC_OK;
}

stoic_status stoic_run_plain(stoic_session *s, const stoic_exec_step *step, int n,
                             stoic_error *err) {
    stoic_operand in[64], out[8];
    stoic_op_call call;
    stoic_status status = STOIC_OK;
    stoic_model_call(s->program->model, (size_t)step->node, in, out, &call);
    for (int i = 0; i < n && status == STOIC_OK; i++)
        status = plain_image(s, step, &call, i, err);
    return status;
}

/* ---- overlays ---- */

static stoic_status overwrite(stoic_session *s, float *at, float value, stoic_error *err) {
    if (s->n_undo == s->undo_room) {
        size_t more = s->undo_room ? s->undo_room * 2 : 64;
        stoic_undo *undo = realloc(s->undo, more * sizeof *undo);
        if (!undo)
            return stoic_fail_memory(err, "the overlay", more * sizeof *undo);
        s->undo = undo;
        s->undo_room = more;
    }
    s->undo[s->n_undo++] = (stoic_undo){at, *at};
    *at = value;
    return STOIC_OK;
}

static stoic_status edit_norm(stoic_session *s, const stoic_exec_norm *norm, int part,
                              int64_t index, float value, stoic_error *err) {
    stoic_status status = STOIC_OK;
    float *scale = &s->constants[norm->scale_at + index];
    float *shift = &s->constants[norm->shift_at + index];
    TRY(overwrite(s, &s->constants[norm->raw_at[part] + index], value, err));
    TRY(overwrite(s, scale, *scale, err));
    TRY(overwrite(s, shift, *shift, err));
    stoic_norm_channel(norm, s->constants, index);
done:
    return status;
}

static stoic_status edit_use(stoic_session *s, const stoic_exec_use *use, int64_t index,
                             float value, stoic_error *err) {
    const stoic_program *g = s->program;
    const stoic_exec_step *step = &g->steps[use->step];
    stoic_status status = STOIC_OK;
    if (use->kind == STOIC_USE_NORM)
        return edit_norm(s, &g->norms[step->norm], use->part, index, value, err);
    if (use->kind == STOIC_USE_RAW)
        return overwrite(s, &s->constants[use->at + index], value, err);
    const stoic_exec_layer *l = &g->layers[step->layer];
    if (use->kind == STOIC_USE_WEIGHTS)
        return overwrite(s, &s->constants[l->weights_at + stoic_layer_weight_offset(l, index)],
                         stoic_layer_weight_value(l, value), err);
    int64_t first = l->bias_count == 1 ? 0 : index;
    int64_t last = l->bias_count == 1 ? l->channels : index + 1;
    for (int64_t c = first; c < last && status == STOIC_OK; c++)
        status = overwrite(s, &s->constants[l->bias_at + c], value * l->beta, err);
    return status;
}

stoic_status stoic_session_edit(stoic_session *s, const stoic_edit *edits, size_t n,
                                stoic_error *err) {
    const stoic_program *g = s->program;
    stoic_status status = STOIC_OK;
    for (size_t i = 0; i < n; i++) {
        const stoic_edit *e = &edits[i];
        if (e->tensor < 0 || (size_t)e->tensor >= g->model->n_values ||
            !g->model->values[e->tensor].constant)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "there is no constant number %d",
                              e->tensor);
        if (e->index < 0 || e->index >= stoic_tensor_count(g->model->values[e->tensor].constant))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, g->model->values[e->tensor].name,
                              "has no element %lld", (long long)e->index);
        if (g->reference)
            TRY(stoic_reference_edit(s, e, err));
        for (int k = 0; k < g->n_uses; k++) {
            if (g->uses[k].tensor != e->tensor)
                continue;
            TRY(edit_use(s, &g->uses[k], e->index, e->value, err));
            s->edited[g->uses[k].step] = true;
        }
    }
done:
    return status;
}

void stoic_session_restore(stoic_session *s) {
    while (s->n_undo > 0) {
        s->n_undo--;
        *s->undo[s->n_undo].at = s->undo[s->n_undo].old;
    }
    memset(s->edited, 0, (size_t)s->program->n_steps * sizeof *s->edited);
    for (size_t v = 0; s->program->reference && v < s->program->model->n_values; v++) {
        stoic_tensor_free(s->overlay[v]);
        s->overlay[v] = NULL;
    }
}

int stoic_session_changed(const stoic_session *s, bool *changed) {
    const stoic_program *g = s->program;
    int first = g->n_steps;
    for (int i = 0; i < g->n_steps; i++) {
        const stoic_exec_step *step = &g->steps[i];
        bool c = s->edited[i];
        for (int k = 0; k < step->n_in; k++)
            c = c || (g->values[step->in[k]].step >= 0 && changed[g->values[step->in[k]].step]);
        if (step->add >= 0)
            c = c || (g->values[step->add].step >= 0 && changed[g->values[step->add].step]);
        changed[i] = c;
        if (c && first == g->n_steps)
            first = i;
    }
    return first;
}

int stoic_top1(const float *output, int64_t classes, bool *nan) {
    int top = 0;
    bool found = output[0] != output[0];
    for (int64_t i = 1; i < classes && !found; i++) {
        found = output[i] != output[i];
        if (found || output[i] > output[top])
            top = (int)i;
    }
    if (nan)
        *nan = found;
    return top;
}
