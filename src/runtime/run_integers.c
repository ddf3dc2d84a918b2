/*
 * Conv and Gemm whose activations are codes of 8 bits. The input of a node is quantised by the step
 * and zero that the file says,
 *
 *   q = round(x * (1 / step)) + zero, to the nearest, ties to even, within 0 ... 255,
 *
 * products of codes are summed in 32 bits, exactly, and the sum becomes float32 again
 * (int_loops.h). Everything between is float32. Weights are codes as they are stored: nothing is
 * widened.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "runtime/run_integers.h"

enum { LANES = STOIC_INT_LANES, ROWS = STOIC_INT_ROWS };

uint64_t stoic_int_take(uint64_t *end, uint64_t bytes) {
    const uint64_t at = *end;
    *end = (at + bytes + 63) / 64 * 64;
    return at;
}

static void lay_gemm(stoic_int_work *w, int n) {
    const bool rows = w->node->flags & STOIC_STW_TRANSPOSED;
    const uint64_t outputs = w->out->channels;
    w->taps = (int64_t)stoic_stw_elements(w->in);
    w->positions = n;
    w->image = stoic_int_take(&w->end, (uint64_t)(n * w->taps));
    w->totals = stoic_int_take(&w->end, (uint64_t)n * sizeof(int32_t));
    w->rows = stoic_int_take(&w->end, rows ? (uint64_t)(ROWS * w->taps) : outputs);
    if (!rows) {
        w->sums = stoic_int_take(&w->end, (uint64_t)n * outputs * sizeof(int32_t));
        w->weights = stoic_int_take(&w->end, outputs * sizeof(int32_t));
    }
    w->bias = stoic_int_take(&w->end, outputs * sizeof(float));
}

static stoic_int_work lay(const stoic_stw *file, const stoic_stw_node *node, int n) {
    stoic_int_work w = {
        .node = node, .in = &file->values[node->in[0]], .out = &file->values[node->out]};
    if (node->op == STOIC_STW_CONV)
        stoic_int_lay_conv(&w, n);
    else
        lay_gemm(&w, n);
    return w;
}

uint64_t stoic_run_integer_bytes(const stoic_stw *file, const stoic_stw_node *node, int batch) {
    return lay(file, node, batch).end;
}

/* ---- what can be run ---- */

static const char *format_name(uint32_t format) {
#define NAME(enumerator, name, argument) name,
    static const char *const names[] = {STOIC_FORMAT_LIST(NAME)};
#undef NAME
    return names[format];
}

/* Is there one grid, or one for each output? */
static bool grids_fit(const stoic_stw_tensor *t, const stoic_int_work *w) {
    const bool columns = w->node->op == STOIC_STW_GEMM && !(w->node->flags & STOIC_STW_TRANSPOSED);
    return t->channels == 1 ||
           (t->channels == w->out->channels && t->inner == (columns ? 1 : (uint64_t)w->taps));
}

stoic_status stoic_run_integers_check(const stoic_stw *file, const char *name, bool ranges,
                                      stoic_error *err) {
    for (uint32_t i = 0; i < file->head->n_nodes; i++) {
        const stoic_stw_node *node = &file->nodes[i];
        if (node->op != STOIC_STW_CONV && node->op != STOIC_STW_GEMM)
            continue;
        const stoic_stw_tensor *t = &file->tensors[node->tensor[0]];
        const stoic_stored stored = {.record = t};
        const char *tensor = file->texts + t->name_text;
        const stoic_int_work w = lay(file, node, 1);
        if (ranges && !(node->step > 0))
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                              "int8 activations need their ranges, which this file does not hold: "
                              "it was written without store --calibrate");
        if (!stoic_stored_is_integer(&stored))
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                              "int8 activations need weights that are integers of at most 8 bits: "
                              "'%s' is %s, %u bits",
                              tensor, t->packed ? format_name(t->format) : "fp32",
                              t->packed ? (unsigned)t->bits : 32);
        if (t->n_sparse > 0)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                              "int8 activations: '%s' keeps weights aside as float32", tensor);
        if (!grids_fit(t, &w))
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                              "int8 activations: '%s' has scales that change inside a sum", tensor);
        if (w.taps > STOIC_INT_MOST)
            return stoic_fail(err, STOIC_ERR_UNSUPPORTED, name,
                              "int8 activations: '%s' makes sums of %lld products, at most %d fit",
                              tensor, (long long)w.taps, STOIC_INT_MOST);
    }
    return STOIC_OK;
}

/* ---- what both have ---- */

void stoic_int_set_worth(const stoic_run *run, const stoic_int_work *w, int64_t first, int64_t step,
                         int lanes, stoic_int_worth *out) {
    const stoic_stored *s = &run->tensors[w->node->tensor[0]];
    memset(out, 0, sizeof *out);
    out->zero = (int32_t)w->node->zero_code;
    for (int l = 0; l < lanes; l++) {
        double shift, worth = stoic_stored_step(s, first + l * step, &shift);
        worth *= (double)w->node->step;
        out->whole[l] = shift >= -127 && shift <= 127 ? (int32_t)rint(shift) : 0;
        out->scale[l] = (float)worth;
        out->part[l] = (float)(worth * (shift - out->whole[l]));
    }
}

void stoic_int_sum_rows(const stoic_run *run, const stoic_int_work *w, const int8_t *rows, int n,
                        stoic_int_worth *out) {
    if (out->zero != 0)
        stoic_int_loops_of(run)->row_sums(rows, w->taps, w->taps, n, out->weights);
}

const float *stoic_int_bias(stoic_run *run, const stoic_int_work *w) {
    const uint32_t tensor = w->node->tensor[1];
    float *bias = stoic_int_part(run, w->bias);
    if (tensor == STOIC_STW_NONE)
        return NULL;
    stoic_run_read(run, tensor, bias);
    for (uint32_t r = 1; run->tensors[tensor].record->weights == 1 && r < w->out->channels; r++)
        bias[r] = bias[0];
    return bias;
}

/* ---- matrices ---- */

static void quantise_rows(const stoic_run *run, const stoic_int_work *w) {
    int32_t *totals = stoic_int_part(run, w->totals);
    for (int i = 0; i < run->n; i++) {
        uint8_t *codes = (uint8_t *)stoic_int_part(run, w->image) + i * w->taps;
        stoic_int_loops_of(run)->quantise(stoic_run_in(run, w->node->in[0], i), w->taps,
                                          1.0f / w->node->step, (int)w->node->zero_code, codes);
        totals[i] = -(int32_t)(w->node->zero_code * (uint32_t)w->taps);
        for (int64_t k = 0; k < w->taps; k++)
            totals[i] += codes[k];
    }
}

/* Rows of weights belong to outputs. */
static void gemm_rows(stoic_run *run, const stoic_int_work *w, int64_t from, int64_t to) {
    int8_t *rows = stoic_int_part(run, w->rows);
    const int32_t *totals = stoic_int_part(run, w->totals);
    stoic_code_reader_seek(&run->codes, from * w->taps);
    for (int64_t first = from; first < to; first += ROWS) {
        const int m = to - first < ROWS ? (int)(to - first) : ROWS;
        stoic_int_worth worth;
        memset(rows + m * w->taps, 0, (size_t)((ROWS - m) * w->taps));
        stoic_code_reader_next(&run->codes, m * w->taps, rows);
        stoic_int_set_worth(run, w, first, 1, m, &worth);
        stoic_int_sum_rows(run, w, rows, m, &worth);
        for (int i = 0; i < run->n; i++) {
            const uint8_t *x = (const uint8_t *)stoic_int_part(run, w->image) + i * w->taps;
            int32_t sums[LANES] = {0};
            float values[LANES];
            stoic_int_loops_of(run)->dots(rows, w->taps, w->taps, x, sums);
            stoic_int_loops_of(run)->worth(&worth, sums, totals[i], values);
            memcpy(stoic_run_out(run, w->node->out, i) + first, values, (size_t)m * sizeof *values);
        }
    }
}

/* The same for one image, where the loops open words themselves: four rows at once come from four
 * parts of the matrix, each of which is then read from its beginning to its end. */
static void gemm_as_it_lies(stoic_run *run, const stoic_int_work *w, int64_t from, int64_t to) {
    const int64_t part = (to - from + ROWS - 1) / ROWS;
    const uint8_t *x = stoic_int_part(run, w->image);
    const int32_t *totals = stoic_int_part(run, w->totals);
    float *y = stoic_run_out(run, w->node->out, 0);
    for (int64_t first = from; first < from + part; first++) {
        const int64_t more = (to - first - 1) / part; /* rows beside the first */
        const int m = more < ROWS - 1 ? 1 + (int)more : ROWS;
        int32_t sums[LANES] = {0}, weights[ROWS];
        float values[LANES];
        stoic_int_worth worth;
        stoic_code_reader_dots(&run->codes, first, part, m, w->taps, x, sums, weights);
        stoic_int_set_worth(run, w, first, part, m, &worth);
        for (int r = 0; worth.zero != 0 && r < m; r++)
            worth.weights[r] = weights[r];
        stoic_int_loops_of(run)->worth(&worth, sums, totals[0], values);
        for (int r = 0; r < m; r++)
            y[first + r * part] = values[r];
    }
}

/* Rows of weights belong to inputs. */
static void gemm_columns(stoic_run *run, const stoic_int_work *w) {
    const int64_t outputs = w->out->channels;
    int8_t *row = stoic_int_part(run, w->rows);
    int32_t *sums = stoic_int_part(run, w->sums), *weights = stoic_int_part(run, w->weights);
    const int32_t *totals = stoic_int_part(run, w->totals);
    memset(sums, 0, (size_t)(run->n * outputs) * sizeof *sums);
    memset(weights, 0, (size_t)outputs * sizeof *weights);
    for (int64_t k = 0; k < w->taps; k++) {
        stoic_code_reader_next(&run->codes, outputs, row);
        stoic_int_loops_of(run)->add_scaled(1, row, outputs, weights);
        for (int i = 0; i < run->n; i++) {
            const uint8_t *x = (const uint8_t *)stoic_int_part(run, w->image) + i * w->taps;
            stoic_int_loops_of(run)->add_scaled(x[k], row, outputs, sums + i * outputs);
        }
    }
    for (int64_t first = 0; first < outputs; first += LANES) {
        const int m = outputs - first < LANES ? (int)(outputs - first) : LANES;
        stoic_int_worth worth;
        stoic_int_set_worth(run, w, first, 1, m, &worth);
        memcpy(worth.weights, weights + first, (size_t)m * sizeof *weights);
        for (int i = 0; i < run->n; i++) {
            int32_t some[LANES] = {0};
            float values[LANES];
            memcpy(some, sums + i * outputs + first, (size_t)m * sizeof *some);
            stoic_int_loops_of(run)->worth(&worth, some, totals[i], values);
            memcpy(stoic_run_out(run, w->node->out, i) + first, values, (size_t)m * sizeof *values);
        }
    }
}

static void gemm(stoic_run *run, const stoic_int_work *w) {
    const stoic_stw_node *n = w->node;
    const bool columns = !(n->flags & STOIC_STW_TRANSPOSED);
    stoic_stored *weights = &run->tensors[n->tensor[0]];
    int64_t from, to;
    stoic_run_share(run, w->out->channels, w->taps,
                    columns ? INT_MAX : weights->packed.words.weights, &from, &to);
    if (from == to)
        return;
    const float *bias = stoic_int_bias(run, w);
    quantise_rows(run, w);
    stoic_code_reader_begin(&run->codes, run->set.words, run->set.bytes, weights);
    if (columns)
        gemm_columns(run, w);
    else if (run->n == 1 && stoic_code_reader_multiplies(&run->codes))
        gemm_as_it_lies(run, w, from, to);
    else
        gemm_rows(run, w, from, to);
    for (int i = 0; i < run->n; i++) {
        float *out = stoic_run_out(run, n->out, i);
        for (int64_t r = from; r < to; r++)
            out[r] = n->alpha * out[r] + (bias ? n->beta * bias[r] : 0.0f);
    }
}

void stoic_run_integers(stoic_run *run, const stoic_stw_node *node) {
    const stoic_int_work w = lay(&run->file, node, run->n);
    if (node->op == STOIC_STW_CONV)
        stoic_int_conv(run, &w);
    else
        gemm(run, &w);
}
