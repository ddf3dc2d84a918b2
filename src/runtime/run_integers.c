/*
 * Conv and Gemm whose activations are codes of 8 bits. The input of a node is quantised by the step
 * and zero that the file says,
 *
 *   q = round(x * (1 / step)) + zero, to the nearest, ties to even, within 0 ... 255,
 *
 * products of codes are summed in 32 bits, exactly, and the sum becomes float32 again
 * (int_loops.h). Everything between is float32. Weights are codes as they are stored: nothing is
 * widened.
 *
 * A convolution is a product with the matrix of its windows: four taps of a position beside each
 * other, position after position of all images of the call.
 */
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "runtime/walk.h"

enum {
    LANES = STOIC_INT_LANES,
    TILE = STOIC_INT_TILE,
    ROWS = STOIC_INT_ROWS,
    QUAD = STOIC_INT_QUAD
};

/* One node, and where its parts lie in the scratch of a call. */
typedef struct work {
    const stoic_stw_node *node;
    const stoic_stw_value *in, *out;
    int64_t taps, quads;       /* of a sum; the latter rounded up */
    int64_t height, width;     /* of the input with its padding */
    int64_t positions, padded; /* of a call; the latter a multiple of a tile */
    uint64_t image, windows, totals, rows, turned, sums, weights, bias, end; /* bytes */
} work;

static uint64_t take(uint64_t *end, uint64_t bytes) {
    const uint64_t at = *end;
    *end = (at + bytes + 63) / 64 * 64;
    return at;
}

/* Counts stay below 2^63: sums have at most STOIC_INT_MOST taps, values 2^24 elements, calls 4096
 * images. */
static void lay_conv(work *w, int n) {
    const stoic_stw_node *node = w->node;
    w->taps = (int64_t)(w->in->channels / node->groups) * node->kernel[0] * node->kernel[1];
    w->quads = (w->taps + QUAD - 1) / QUAD;
    w->height = (int64_t)w->in->height + node->pad_low[0] + node->pad_high[0];
    w->width = (int64_t)w->in->width + node->pad_low[1] + node->pad_high[1];
    w->positions = (int64_t)n * w->out->height * w->out->width;
    w->padded = (w->positions + TILE - 1) / TILE * TILE;
    w->image = take(&w->end, (uint64_t)(w->in->channels * w->height * w->width));
    w->windows = take(&w->end, (uint64_t)(w->quads * QUAD * w->padded));
    w->totals = take(&w->end, (uint64_t)w->padded * sizeof(int32_t));
    w->rows = take(&w->end, (uint64_t)(w->taps * LANES));
    w->turned = take(&w->end, (uint64_t)(w->quads * QUAD * LANES));
    w->bias = take(&w->end, w->out->channels * sizeof(float));
}

static void lay_gemm(work *w, int n) {
    const bool rows = w->node->flags & STOIC_STW_TRANSPOSED;
    const uint64_t outputs = w->out->channels;
    w->taps = (int64_t)stoic_stw_elements(w->in);
    w->positions = n;
    w->image = take(&w->end, (uint64_t)(n * w->taps));
    w->totals = take(&w->end, (uint64_t)n * sizeof(int32_t));
    w->rows = take(&w->end, rows ? (uint64_t)(ROWS * w->taps) : outputs);
    if (!rows) {
        w->sums = take(&w->end, (uint64_t)n * outputs * sizeof(int32_t));
        w->weights = take(&w->end, outputs * sizeof(int32_t));
    }
    w->bias = take(&w->end, outputs * sizeof(float));
}

static work lay(const stoic_stw *file, const stoic_stw_node *node, int n) {
    work w = {.node = node, .in = &file->values[node->in[0]], .out = &file->values[node->out]};
    if (node->op == STOIC_STW_CONV)
        lay_conv(&w, n);
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
static bool grids_fit(const stoic_stw_tensor *t, const work *w) {
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
        const work w = lay(file, node, 1);
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

static void *part(const stoic_run *run, uint64_t at) {
    return (uint8_t *)run->scratch + at;
}

static const stoic_int_loops *loops_of(const stoic_run *run) {
    return run->set.bytes->integers;
}

static float inverse_of(const stoic_stw_node *node) {
    return 1.0f / node->step;
}

/* What a sum of output `first` + l is worth, but for the weights' sums. */
static void set_worth(const stoic_run *run, const work *w, int64_t first, int lanes,
                      stoic_int_worth *out) {
    const stoic_stored *s = &run->tensors[w->node->tensor[0]];
    memset(out, 0, sizeof *out);
    out->zero = (int32_t)w->node->zero_code;
    for (int l = 0; l < lanes; l++) {
        double shift, step = stoic_stored_step(s, first + l, &shift);
        step *= (double)w->node->step;
        out->whole[l] = shift >= -127 && shift <= 127 ? (int32_t)rint(shift) : 0;
        out->scale[l] = (float)step;
        out->part[l] = (float)(step * (shift - out->whole[l]));
    }
}

/* Sums of weights count where zero is not code 0. */
static void sum_rows(const stoic_run *run, const work *w, const int8_t *rows, int n,
                     stoic_int_worth *out) {
    if (out->zero != 0)
        loops_of(run)->row_sums(rows, w->taps, w->taps, n, out->weights);
}

static float *read_bias(stoic_run *run, const work *w) {
    const uint32_t tensor = w->node->tensor[1];
    float *bias = part(run, w->bias);
    if (tensor == STOIC_STW_NONE)
        return NULL;
    stoic_run_read(run, tensor, bias);
    for (uint32_t r = 1; run->tensors[tensor].record->weights == 1 && r < w->out->channels; r++)
        bias[r] = bias[0];
    return bias;
}

/* ---- convolution ---- */

/* Padding is what stands for zero. */
static void quantise_image(const stoic_run *run, const work *w, int i) {
    const stoic_stw_node *n = w->node;
    const float *from = stoic_run_in(run, n->in[0], i);
    uint8_t *image = part(run, w->image);
    if (w->height == w->in->height && w->width == w->in->width) {
        loops_of(run)->quantise(from, (int64_t)stoic_stw_elements(w->in), inverse_of(n),
                                (int)n->zero_code, image);
        return;
    }
    memset(image, (int)n->zero_code, (size_t)(w->in->channels * w->height * w->width));
    for (int64_t c = 0; c < w->in->channels; c++) {
        uint8_t *row = image + (c * w->height + n->pad_low[0]) * w->width + n->pad_low[1];
        for (uint32_t y = 0; y < w->in->height; y++, row += w->width, from += w->in->width)
            loops_of(run)->quantise(from, w->in->width, inverse_of(n), (int)n->zero_code, row);
    }
}

/* Where tap `tap` of the group reads for the first position; past the last, zeros. */
static const uint8_t *tap_at(const stoic_run *run, const work *w, int group, int64_t tap) {
    const stoic_stw_node *n = w->node;
    const int64_t k = tap % n->kernel[1], i = tap / n->kernel[1] % n->kernel[0];
    const int64_t c =
        tap / n->kernel[1] / n->kernel[0] + group * (int64_t)(w->in->channels / n->groups);
    return (const uint8_t *)part(run, w->image) + (c * w->height + i * n->dilation[0]) * w->width +
           k * n->dilation[1];
}

/* The windows of image i of the call. */
static void gather_windows(const stoic_run *run, const work *w, int group, int i) {
    const int64_t width = w->out->width, down = w->node->stride[0] * w->width;
    const int64_t plane = w->out->height * width;
    for (int64_t q = 0; q < w->quads; q++) {
        uint8_t *to = (uint8_t *)part(run, w->windows) + (q * w->padded + i * plane) * QUAD;
        const uint8_t *rows[QUAD];
        const int there = w->taps - q * QUAD < QUAD ? (int)(w->taps - q * QUAD) : QUAD;
        for (int t = 0; t < QUAD; t++)
            rows[t] = tap_at(run, w, group, q * QUAD + (t < there ? t : 0));
        for (uint32_t y = 0; y < w->out->height; y++, to += width * QUAD) {
            loops_of(run)->gather(rows, w->node->stride[1], width, to);
            for (int t = 0; t < QUAD; t++)
                rows[t] += down;
        }
        to -= plane * QUAD;
        for (int64_t p = 0; there < QUAD && p < plane; p++)
            memset(to + p * QUAD + there, 0, (size_t)(QUAD - there));
    }
}

/* Of each position, the sum of (activation - zero). */
static void total_windows(const stoic_run *run, const work *w) {
    int32_t *totals = part(run, w->totals);
    for (int64_t p = 0; p < w->padded; p++)
        totals[p] = -(int32_t)(w->node->zero_code * (uint32_t)w->taps);
    for (int64_t q = 0; q < w->quads; q++) {
        uint8_t *from = (uint8_t *)part(run, w->windows) + q * w->padded * QUAD;
        memset(from + w->positions * QUAD, 0, (size_t)((w->padded - w->positions) * QUAD));
        for (int64_t p = 0; p < w->positions; p++)
            totals[p] +=
                from[QUAD * p] + from[QUAD * p + 1] + from[QUAD * p + 2] + from[QUAD * p + 3];
    }
}

/* Output channels `first` to `first` + `lanes` of all positions. */
static void multiply_block(const stoic_run *run, const work *w, const stoic_int_worth *worth,
                           int64_t first, int lanes, const float *bias) {
    const int64_t plane = (int64_t)w->out->height * w->out->width;
    const int32_t *totals = part(run, w->totals);
    const uint8_t *windows = part(run, w->windows);
    for (int64_t from = 0; from < w->positions; from += TILE) {
        int32_t sums[TILE][LANES];
        loops_of(run)->tile(part(run, w->turned), w->quads, windows + from * QUAD, w->padded * QUAD,
                            sums);
        for (int p = 0; p < TILE && from + p < w->positions; p++) {
            float values[LANES];
            float *out = stoic_run_out(run, w->node->out, (int)((from + p) / plane)) +
                         first * plane + (from + p) % plane;
            loops_of(run)->worth(worth, sums[p], totals[from + p], values);
            for (int l = 0; l < lanes; l++)
                out[l * plane] = values[l] + (bias ? bias[first + l] : 0.0f);
        }
    }
}

static void conv(stoic_run *run, const work *w) {
    const float *bias = read_bias(run, w);
    const int each = (int)(w->out->channels / w->node->groups);
    int8_t *rows = part(run, w->rows);
    stoic_code_reader_begin(&run->codes, run->set.words, run->set.bytes,
                            &run->tensors[w->node->tensor[0]]);
    for (int group = 0; group < (int)w->node->groups; group++) {
        for (int i = 0; i < run->n; i++) {
            if (group == 0 || run->n > 1)
                quantise_image(run, w, i);
            gather_windows(run, w, group, i);
        }
        total_windows(run, w);
        for (int done = 0; done < each; done += LANES) {
            const int64_t first = group * (int64_t)each + done;
            const int lanes = each - done < LANES ? each - done : LANES;
            stoic_int_worth worth;
            memset(rows + lanes * w->taps, 0, (size_t)((LANES - lanes) * w->taps));
            stoic_code_reader_next(&run->codes, lanes * w->taps, rows);
            set_worth(run, w, first, lanes, &worth);
            sum_rows(run, w, rows, lanes, &worth);
            loops_of(run)->quads(rows, w->taps, w->taps, part(run, w->turned));
            multiply_block(run, w, &worth, first, lanes, bias);
        }
    }
}

/* ---- matrices ---- */

static void quantise_rows(const stoic_run *run, const work *w) {
    int32_t *totals = part(run, w->totals);
    for (int i = 0; i < run->n; i++) {
        uint8_t *codes = (uint8_t *)part(run, w->image) + i * w->taps;
        loops_of(run)->quantise(stoic_run_in(run, w->node->in[0], i), w->taps, inverse_of(w->node),
                                (int)w->node->zero_code, codes);
        totals[i] = -(int32_t)(w->node->zero_code * (uint32_t)w->taps);
        for (int64_t k = 0; k < w->taps; k++)
            totals[i] += codes[k];
    }
}

/* Rows of weights belong to outputs. */
static void gemm_rows(stoic_run *run, const work *w) {
    const int outputs = (int)w->out->channels;
    int8_t *rows = part(run, w->rows);
    const int32_t *totals = part(run, w->totals);
    for (int first = 0; first < outputs; first += ROWS) {
        const int m = outputs - first < ROWS ? outputs - first : ROWS;
        stoic_int_worth worth;
        memset(rows + m * w->taps, 0, (size_t)((ROWS - m) * w->taps));
        stoic_code_reader_next(&run->codes, m * w->taps, rows);
        set_worth(run, w, first, m, &worth);
        sum_rows(run, w, rows, m, &worth);
        for (int i = 0; i < run->n; i++) {
            const uint8_t *x = (const uint8_t *)part(run, w->image) + i * w->taps;
            int32_t sums[LANES] = {0};
            float values[LANES];
            loops_of(run)->dots(rows, w->taps, w->taps, x, sums);
            loops_of(run)->worth(&worth, sums, totals[i], values);
            memcpy(stoic_run_out(run, w->node->out, i) + first, values, (size_t)m * sizeof *values);
        }
    }
}

/* Rows of weights belong to inputs. */
static void gemm_columns(stoic_run *run, const work *w) {
    const int64_t outputs = w->out->channels;
    int8_t *row = part(run, w->rows);
    int32_t *sums = part(run, w->sums), *weights = part(run, w->weights);
    const int32_t *totals = part(run, w->totals);
    memset(sums, 0, (size_t)(run->n * outputs) * sizeof *sums);
    memset(weights, 0, (size_t)outputs * sizeof *weights);
    for (int64_t k = 0; k < w->taps; k++) {
        stoic_code_reader_next(&run->codes, outputs, row);
        loops_of(run)->add_scaled(1, row, outputs, weights);
        for (int i = 0; i < run->n; i++) {
            const uint8_t *x = (const uint8_t *)part(run, w->image) + i * w->taps;
            loops_of(run)->add_scaled(x[k], row, outputs, sums + i * outputs);
        }
    }
    for (int64_t first = 0; first < outputs; first += LANES) {
        const int m = outputs - first < LANES ? (int)(outputs - first) : LANES;
        stoic_int_worth worth;
        set_worth(run, w, first, m, &worth);
        memcpy(worth.weights, weights + first, (size_t)m * sizeof *weights);
        for (int i = 0; i < run->n; i++) {
            int32_t some[LANES] = {0};
            float values[LANES];
            memcpy(some, sums + i * outputs + first, (size_t)m * sizeof *some);
            loops_of(run)->worth(&worth, some, totals[i], values);
            memcpy(stoic_run_out(run, w->node->out, i) + first, values, (size_t)m * sizeof *values);
        }
    }
}

static void gemm(stoic_run *run, const work *w) {
    const stoic_stw_node *n = w->node;
    const float *bias = read_bias(run, w);
    quantise_rows(run, w);
    stoic_code_reader_begin(&run->codes, run->set.words, run->set.bytes,
                            &run->tensors[n->tensor[0]]);
    if (n->flags & STOIC_STW_TRANSPOSED)
        gemm_rows(run, w);
    else
        gemm_columns(run, w);
    for (int i = 0; i < run->n; i++) {
        float *out = stoic_run_out(run, n->out, i);
        for (uint32_t r = 0; r < w->out->channels; r++)
            out[r] = n->alpha * out[r] + (bias ? n->beta * bias[r] : 0.0f);
    }
}

void stoic_run_integers(stoic_run *run, const stoic_stw_node *node) {
    const work w = lay(&run->file, node, run->n);
    if (node->op == STOIC_STW_CONV)
        conv(run, &w);
    else
        gemm(run, &w);
}
