/*
 * Conv and Gemm, whose weights are decoded as they are needed: sixteen output channels of a
 * convolution, or four rows of a matrix. A block serves all images of the call.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "runtime/walk.h"

enum { LANES = STOIC_RUN_LANES, TILE = STOIC_RUN_TILE, ROWS = STOIC_RUN_ROWS };
enum { FEW = 256, PIECE = 256 }; /* positions, and taps at once where they are few */

/* Weights of one output channel. */
static int64_t taps_of(const stoic_stw *file, const stoic_stw_node *n) {
    return (int64_t)(file->values[n->in[0]].channels / n->groups) * n->kernel[0] * n->kernel[1];
}

/* The convolution is padded by a copy, once for a call. */
static uint64_t padded_size(const stoic_stw_value *v, const stoic_stw_node *n) {
    if (!n->pad_low[0] && !n->pad_low[1] && !n->pad_high[0] && !n->pad_high[1])
        return 0;
    return (uint64_t)v->channels * (v->height + n->pad_low[0] + n->pad_high[0]) *
           (v->width + n->pad_low[1] + n->pad_high[1]);
}

uint64_t stoic_run_scratch(const stoic_stw *file, const stoic_stw_node *n, uint64_t *padded) {
    const stoic_stw_value *in = &file->values[n->in[0]], *out = &file->values[n->out];
    *padded = 0;
    if (n->op == STOIC_STW_NORM)
        return 4 * (uint64_t)in->channels;
    if (n->op == STOIC_STW_MUL)
        return in->channels;
    if (n->op == STOIC_STW_GEMM) {
        uint64_t row =
            n->flags & STOIC_STW_TRANSPOSED ? ROWS * stoic_stw_elements(in) : out->channels;
        return row + out->channels;
    }
    if (n->op != STOIC_STW_CONV)
        return 0;
    *padded = padded_size(in, n);
    return 2 * (uint64_t)taps_of(file, n) * LANES + (FEW + TILE) * LANES + out->channels;
}

void stoic_run_read(stoic_run *run, uint32_t tensor, float *to) {
    stoic_reader_begin(&run->reader, run->set.words, run->set.bytes, &run->tensors[tensor]);
    stoic_reader_next(&run->reader, (int64_t)run->tensors[tensor].record->weights, to);
    if (run->party.member > 0)
        run->tensors[tensor].told = (stoic_reading){0};
}

/* Of a weight; 1 where it is as it is. */
static int weights_a_word(const stoic_run *run, uint32_t tensor) {
    return run->tensors[tensor].plain ? 1 : run->tensors[tensor].packed.words.weights;
}

/* ---- convolution ---- */

/* One convolution of a call. */
typedef struct conv {
    const stoic_stw_node *node;
    const stoic_stw_value *in, *out;
    int64_t height, width; /* of the input, padding included where it was copied */
    int64_t low[2];        /* padding that was not copied, in front */
    int64_t taps;
    float *weights, *rows, *sums, *bias;
    bool padded;
    int group, first, lanes; /* the block: output channels from `first` on */
} conv;

static void pad_images(stoic_run *run, const conv *c) {
    const stoic_stw_node *n = c->node;
    const int64_t plane = c->height * c->width, inner = (int64_t)c->in->height * c->in->width;
    int64_t first, last;
    stoic_run_share(run, c->in->channels, 1, 1, &first, &last);
    for (int i = 0; i < run->n; i++) {
        const float *from = stoic_run_in(run, n->in[0], i) + first * inner;
        float *to = run->padded + ((int64_t)i * c->in->channels + first) * plane;
        memset(to, 0, (size_t)((last - first) * plane) * sizeof *to);
        for (int64_t channel = first; channel < last; channel++, to += plane) {
            float *row = to + n->pad_low[0] * c->width + n->pad_low[1];
            for (uint32_t y = 0; y < c->in->height; y++, row += c->width, from += c->in->width)
                memcpy(row, from, c->in->width * sizeof *row);
        }
    }
}

/* Can a weight be infinite or NaN? Not where codes are integers. */
static bool may_be_infinite(const stoic_stored *s) {
    return s->plain || s->record->format == STOIC_FORMAT_FP32 ||
           s->record->format == STOIC_FORMAT_FP16 || s->record->format == STOIC_FORMAT_BF16;
}

/* The next block's codes, if it can be had as such. */
static bool load_codes(stoic_run *run, const conv *c) {
    return c->lanes == LANES &&
           stoic_reader_codes(&run->reader, LANES * c->taps, (uint8_t *)c->rows);
}

/* Taps `first` to `first` + n of a block of codes, sixteen channels side by side. */
static void spread_codes(stoic_run *run, const conv *c, int64_t first, int64_t n, float *weights) {
    enum { SOME = STOIC_BYTE_STRETCH / LANES };
    const uint8_t *codes = (const uint8_t *)c->rows + first;
    uint8_t turned[STOIC_BYTE_STRETCH];
    for (int64_t i = 0, m; i < n; i += m) {
        m = n - i < SOME ? n - i : SOME;
        if (i > 0 && m < SOME) { /* once more what was before, rather than one after another */
            i = n - SOME;
            m = SOME;
        }
        run->set.bytes->interleave(codes + i, c->taps, m, turned);
        run->set.bytes->widen(&run->reader.rule, turned, (int)(LANES * m), weights + LANES * i);
    }
}

/* The next block, channels beyond the group zero. True where all are finite. */
static bool load_block(stoic_run *run, const conv *c) {
    bool finite = true;
    memset(c->rows + c->lanes * c->taps, 0,
           (size_t)((LANES - c->lanes) * c->taps) * sizeof *c->rows);
    stoic_reader_next(&run->reader, c->lanes * c->taps, c->rows);
    run->set.loops->interleave(c->rows, c->taps, c->taps, c->weights);
    if (may_be_infinite(run->reader.from)) {
        for (int64_t i = 0; i < c->taps * LANES; i++)
            finite &= fabsf(c->weights[i]) < INFINITY;
    }
    return finite;
}

/* Taps of an axis that lie in the image for output position `at`. */
static void inside(const conv *c, int axis, int64_t at, int *first, int *last) {
    const stoic_stw_node *n = c->node;
    const int64_t size = axis ? c->in->width : c->in->height;
    const int64_t from = at * n->stride[axis] - n->pad_low[axis], d = n->dilation[axis];
    *first = from < 0 ? (int)((-from + d - 1) / d) : 0;
    int64_t most = from < size ? (size - from + d - 1) / d : 0;
    *last = most < (int64_t)n->kernel[axis] ? (int)most : (int)n->kernel[axis];
}

/* An output position of the call: image, row, column. */
typedef struct position {
    int i;
    int64_t y, x;
} position;

static void step_on(const conv *c, position *at) {
    if (++at->x < c->out->width)
        return;
    at->x = 0;
    if (++at->y < c->out->height)
        return;
    at->y = 0;
    at->i++;
}

/* Sums of n positions from `from` of the call on. */
static void put(const stoic_run *run, const conv *c, int64_t from, int n, const float *sums) {
    const int64_t plane = (int64_t)c->out->height * c->out->width;
    float add[LANES] = {0};
    if (c->bias)
        memcpy(add, c->bias + c->first, (size_t)c->lanes * sizeof *add);
    for (int done = 0, m; done < n; done += m) { /* what lies in one image */
        const int64_t i = (from + done) / plane, at = (from + done) % plane;
        m = plane - at < n - done ? (int)(plane - at) : n - done;
        run->set.loops->columns(sums + done * LANES, m, c->lanes, add, plane,
                                stoic_run_out(run, c->node->out, (int)i) + c->first * plane + at);
    }
}

/* The first tap of a position of the call, for the block's group. */
static const float *start_of(const stoic_run *run, const conv *c, const position *at) {
    const int64_t size = c->height * c->width;
    const float *image = c->padded ? run->padded + at->i * c->in->channels * size
                                   : stoic_run_in(run, c->node->in[0], at->i);
    return image + c->group * (int64_t)(c->in->channels / c->node->groups) * size +
           at->y * c->node->stride[0] * c->width + at->x * c->node->stride[1];
}

static stoic_run_walk walk_of(const conv *c) {
    const stoic_stw_node *n = c->node;
    return (stoic_run_walk){.plane = c->height * c->width,
                            .row = n->dilation[0] * c->width,
                            .step = n->dilation[1],
                            .channels = (int)(c->in->channels / n->groups),
                            .height = (int)n->kernel[0],
                            .width = (int)n->kernel[1],
                            .last_row = (int)n->kernel[0],
                            .last_column = (int)n->kernel[1]};
}

/* Where the next positions begin, of `left`, at most a tile; returns how many. */
static int next_tile(const stoic_run *run, const conv *c, position *at, int64_t left,
                     position here[TILE], const float *x[TILE]) {
    const int n = left < TILE ? (int)left : TILE;
    for (int p = 0; p < n; p++, step_on(c, at)) {
        here[p] = *at;
        x[p] = start_of(run, c, at);
    }
    for (int p = n; p < TILE; p++)
        x[p] = x[0];
    return n;
}

/* A block that has been loaded. */
static void multiply_block(const stoic_run *run, const conv *c, bool finite) {
    const int64_t all = (int64_t)run->n * c->out->height * c->out->width;
    stoic_run_walk walk = walk_of(c);
    /* 0 times infinity would make a NaN of padding: then taps on it are left out, one position at
     * a time. */
    const bool alone = !finite && c->padded;
    position at = {0};
    for (int64_t from = 0, n; from < all; from += n) {
        const float *x[TILE];
        float sums[TILE][LANES] = {{0}};
        position here[TILE];
        n = next_tile(run, c, &at, alone ? 1 : all - from, here, x);
        if (alone) {
            inside(c, 0, here[0].y, &walk.first_row, &walk.last_row);
            inside(c, 1, here[0].x, &walk.first_column, &walk.last_column);
        }
        run->set.loops->tile(c->weights, x, &walk, sums);
        put(run, c, from, (int)n, sums[0]);
    }
}

/* A block of codes and few positions: some input channels after others are widened, and multiplied
 * with all positions, while they are in the first cache. */
static void multiply_codes(stoic_run *run, const conv *c) {
    const int64_t all = (int64_t)run->n * c->out->height * c->out->width;
    const int64_t window = (int64_t)c->node->kernel[0] * c->node->kernel[1];
    const int some = window < PIECE ? (int)(PIECE / window) : 1;
    stoic_run_walk walk = walk_of(c);
    const int channels = walk.channels;
    const float *x[TILE];
    position here[TILE], at;
    memset(c->sums, 0, (size_t)(all + TILE) * LANES * sizeof(float));
    for (int first = 0; first < channels; first += some) {
        walk.channels = channels - first < some ? channels - first : some;
        spread_codes(run, c, first * window, walk.channels * window, c->weights);
        at = (position){0};
        for (int64_t from = 0; from < all; from += TILE) {
            next_tile(run, c, &at, all - from, here, x);
            for (int p = 0; p < TILE; p++)
                x[p] += first * walk.plane;
            run->set.loops->tile(c->weights, x, &walk, (void *)(c->sums + from * LANES));
        }
    }
    put(run, c, 0, (int)all, c->sums);
}

static void run_block(stoic_run *run, const conv *c) {
    const int64_t all = (int64_t)run->n * c->out->height * c->out->width;
    if (!load_codes(run, c)) {
        multiply_block(run, c, load_block(run, c));
    } else if (all <= FEW) {
        multiply_codes(run, c);
    } else {
        spread_codes(run, c, 0, c->taps, c->weights);
        multiply_block(run, c, true);
    }
}

/* This member's share: of the blocks, or of the groups where there are several. */
static void run_blocks(stoic_run *run, conv *c) {
    const stoic_stw_node *n = c->node;
    const int each = (int)(c->out->channels / n->groups), blocks = (each + LANES - 1) / LANES;
    const bool one = n->groups == 1;
    const int64_t size = (one ? LANES : each) * c->taps; /* weights of what is divided */
    int64_t first, last;
    stoic_run_share(run, one ? blocks : (int)n->groups, size, weights_a_word(run, n->tensor[0]),
                    &first, &last);
    if (first == last)
        return;
    stoic_reader_begin(&run->reader, run->set.words, run->set.bytes, &run->tensors[n->tensor[0]]);
    stoic_reader_seek(&run->reader, first * size);
    for (int64_t block = one ? first : first * blocks; block < (one ? last : last * blocks);
         block++) {
        const int done = (int)(block % blocks) * LANES;
        c->group = (int)(block / blocks);
        c->first = c->group * each + done;
        c->lanes = each - done < LANES ? each - done : LANES;
        run_block(run, c);
    }
}

void stoic_run_conv(stoic_run *run, const stoic_stw_node *n) {
    const stoic_stw *file = &run->file;
    const stoic_stw_value *in = &file->values[n->in[0]];
    const uint64_t padded = padded_size(in, n);
    conv c = {.node = n,
              .in = in,
              .out = &file->values[n->out],
              .height = in->height,
              .width = in->width,
              .taps = taps_of(file, n),
              .padded = padded > 0,
              .weights = run->scratch};
    c.rows = c.weights + c.taps * LANES;
    c.sums = c.rows + c.taps * LANES;
    if (c.padded) {
        c.height += n->pad_low[0] + n->pad_high[0];
        c.width += n->pad_low[1] + n->pad_high[1];
        pad_images(run, &c);
        stoic_run_meet(run);
    }
    if (n->tensor[1] != STOIC_STW_NONE) {
        c.bias = c.sums + (FEW + TILE) * LANES;
        stoic_run_read(run, n->tensor[1], c.bias);
    }
    run_blocks(run, &c);
}

/* ---- matrices ---- */

/* Rows of weights belong to outputs, for one image: they are multiplied as they are read. Four rows
 * at once come from four parts of the matrix, each of which is then read from its beginning to its
 * end, as processors like memory to be read. */
static void gemm_as_it_lies(stoic_run *run, const stoic_stw_node *n, int64_t from, int64_t to) {
    const int64_t inner = (int64_t)stoic_stw_elements(&run->file.values[n->in[0]]);
    const int64_t part = (to - from + ROWS - 1) / ROWS;
    const float *x = stoic_run_in(run, n->in[0], 0);
    float *y = stoic_run_out(run, n->out, 0);
    for (int64_t first = from; first < from + part; first++) {
        float sums[ROWS][LANES] = {{0}}, out[ROWS];
        int64_t which[ROWS];
        int m = 0;
        for (int r = 0; r < ROWS; r++) {
            const bool there = first + r * part < to;
            which[r] = there ? first + r * part : first;
            m += there;
        }
        stoic_reader_dots(&run->reader, which, m, inner, x, sums);
        run->set.loops->totals(sums, out);
        for (int r = 0; r < m; r++)
            y[which[r]] = out[r];
    }
}

/* Rows are read one after another, then multiplied, for one image. */
static void gemm_in_turn(stoic_run *run, const stoic_stw_node *n, int64_t from, int64_t to,
                         uint8_t *codes) {
    const int64_t inner = (int64_t)stoic_stw_elements(&run->file.values[n->in[0]]);
    stoic_reader_seek(&run->reader, from * inner);
    for (int64_t first = from; first < to; first += ROWS) {
        const int m = to - first < ROWS ? (int)(to - first) : ROWS;
        const uint8_t *rows[ROWS];
        stoic_coded_ahead ahead = {.step = 0};
        float sums[ROWS][LANES] = {{0}}, out[ROWS];
        for (int r = 0; r < ROWS; r++)
            rows[r] = ahead.from[r] = codes + (r < m ? r : 0) * inner;
        stoic_reader_codes(&run->reader, m * inner, codes);
        run->set.bytes->coded->dots(&run->reader.rule, rows, &ahead, inner,
                                    stoic_run_in(run, n->in[0], 0), sums);
        run->set.loops->totals(sums, out);
        memcpy(stoic_run_out(run, n->out, 0) + first, out, (size_t)m * sizeof *out);
    }
}

/* For several images, or where there is no such way. */
static void gemm_rows(stoic_run *run, const stoic_stw_node *n, int64_t from, int64_t to,
                      float *rows) {
    const int64_t inner = (int64_t)stoic_stw_elements(&run->file.values[n->in[0]]);
    stoic_reader_seek(&run->reader, from * inner);
    for (int64_t first = from; first < to; first += ROWS) {
        const int m = to - first < ROWS ? (int)(to - first) : ROWS;
        memset(rows + m * inner, 0, (size_t)((ROWS - m) * inner) * sizeof *rows);
        stoic_reader_next(&run->reader, m * inner, rows);
        for (int i = 0; i < run->n; i++) {
            const float *x = stoic_run_in(run, n->in[0], i);
            float sums[ROWS][LANES] = {{0}}, out[ROWS];
            run->set.loops->dots(rows, inner, inner, x, sums);
            run->set.loops->totals(sums, out);
            memcpy(stoic_run_out(run, n->out, i) + first, out, (size_t)m * sizeof *out);
        }
    }
}

/* Rows of weights belong to inputs. */
static void gemm_columns(stoic_run *run, const stoic_stw_node *n, float *row) {
    const int64_t inner = (int64_t)stoic_stw_elements(&run->file.values[n->in[0]]);
    const int64_t outputs = run->file.values[n->out].channels;
    for (int i = 0; i < run->n; i++)
        memset(stoic_run_out(run, n->out, i), 0, (size_t)outputs * sizeof(float));
    for (int64_t k = 0; k < inner; k++) {
        stoic_reader_next(&run->reader, outputs, row);
        for (int i = 0; i < run->n; i++)
            run->set.loops->add_scaled(stoic_run_in(run, n->in[0], i)[k], row, outputs,
                                       stoic_run_out(run, n->out, i));
    }
}

void stoic_run_gemm(stoic_run *run, const stoic_stw_node *n) {
    const int outputs = (int)run->file.values[n->out].channels;
    const int64_t inner = (int64_t)stoic_stw_elements(&run->file.values[n->in[0]]);
    const bool columns = !(n->flags & STOIC_STW_TRANSPOSED);
    float *bias = NULL, *rows = run->scratch + outputs;
    int64_t from, to;
    stoic_run_share(run, outputs, inner, columns ? INT_MAX : weights_a_word(run, n->tensor[0]),
                    &from, &to);
    if (from == to)
        return;
    if (n->tensor[1] != STOIC_STW_NONE) {
        bias = run->scratch;
        stoic_run_read(run, n->tensor[1], bias);
        const bool one = run->tensors[n->tensor[1]].record->weights == 1;
        for (int r = 1; one && r < outputs; r++)
            bias[r] = bias[0];
    }
    stoic_reader_begin(&run->reader, run->set.words, run->set.bytes, &run->tensors[n->tensor[0]]);
    if (columns)
        gemm_columns(run, n, rows);
    else if (run->n > 1 || !stoic_reader_multiplies(&run->reader))
        gemm_rows(run, n, from, to, rows);
    else if (stoic_reader_multiplies_words(&run->reader, inner))
        gemm_as_it_lies(run, n, from, to);
    else
        gemm_in_turn(run, n, from, to, (uint8_t *)rows);
    for (int i = 0; i < run->n; i++) {
        float *out = stoic_run_out(run, n->out, i);
        for (int64_t r = from; r < to; r++)
            out[r] = n->alpha * out[r] + (bias ? n->beta * bias[r] : 0.0f);
    }
}
