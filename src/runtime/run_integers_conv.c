/*
 * Convolutions with integers for activations.
 *
 * Where there are enough input channels, four of them are a quad: the image is laid out pixel after
 * pixel, and the taps of a window are read where they lie. Otherwise a convolution is a product
 * with the matrix of its windows: four taps of a position beside each other, for each tile of
 * positions of all images of the call.
 */
#include <string.h>

#include "runtime/run_integers.h"

enum {
    LANES = STOIC_INT_LANES,
    TILE = STOIC_INT_TILE,
    QUAD = STOIC_INT_QUAD,
    ENOUGH = 8 /* channels */
};

static int64_t inner_of(const stoic_int_work *w) {
    return (int64_t)(w->in->channels / w->node->groups);
}

static int64_t window_of(const stoic_int_work *w) {
    return (int64_t)w->node->kernel[0] * w->node->kernel[1];
}

static int64_t plane_of(const stoic_stw_value *v) {
    return (int64_t)v->height * v->width;
}

/* Counts stay below 2^63: sums have at most STOIC_INT_MOST taps, values 2^24 elements, calls 4096
 * images. */
void stoic_int_lay_conv(stoic_int_work *w, int n) {
    const stoic_stw_node *node = w->node;
    w->direct = inner_of(w) % QUAD == 0 && inner_of(w) >= ENOUGH;
    w->taps = inner_of(w) * window_of(w);
    w->quads = (w->taps + QUAD - 1) / QUAD;
    w->height = (int64_t)w->in->height + node->pad_low[0] + node->pad_high[0];
    w->width = (int64_t)w->in->width + node->pad_low[1] + node->pad_high[1];
    w->positions = (int64_t)n * w->out->height * w->out->width;
    w->padded = (w->positions + TILE - 1) / TILE * TILE;
    const uint64_t image = (uint64_t)(w->in->channels * w->height * w->width);
    const uint64_t inside = (uint64_t)(w->in->channels * plane_of(w->in));
    w->image = stoic_int_take(&w->end, w->direct ? (uint64_t)n * image : image);
    if (w->direct) {
        w->codes = stoic_int_take(&w->end, inside);
        w->laced = stoic_int_take(&w->end, inside);
        w->pixels = stoic_int_take(&w->end, (uint64_t)(n * w->height * w->width) * sizeof(int32_t));
        w->offsets = stoic_int_take(&w->end, (uint64_t)window_of(w) * sizeof(int64_t));
    } else {
        w->windows = stoic_int_take(&w->end, (uint64_t)(w->quads * QUAD * w->padded));
    }
    w->totals = stoic_int_take(&w->end, (uint64_t)w->padded * sizeof(int32_t));
    w->rows = stoic_int_take(&w->end, (uint64_t)(w->taps * LANES));
    w->turned = stoic_int_take(&w->end, (uint64_t)(w->quads * QUAD * LANES));
    w->bias = stoic_int_take(&w->end, w->out->channels * sizeof(float));
}

/* ---- the image as it lies ---- */

/* The first of a party has the images. */
static uint8_t *image_of(const stoic_run *run, const stoic_int_work *w, int i) {
    return (uint8_t *)stoic_int_part(run->party.first, w->image) +
           i * w->in->channels * w->height * w->width;
}

/* Channels `first` to `last` of image i, in pixels of all channels. Padding is what stands for
 * zero. */
static void lace_image(const stoic_run *run, const stoic_int_work *w, int64_t first, int64_t last,
                       int i) {
    const stoic_stw_node *n = w->node;
    const int64_t plane = plane_of(w->in), channels = w->in->channels, some = last - first;
    const float *from = stoic_run_in(run, n->in[0], i) + first * plane;
    uint8_t *codes = stoic_int_part(run, w->codes), *laced = stoic_int_part(run, w->laced);
    uint8_t *to = image_of(run, w, i) + first;
    const stoic_int_loops *loops = stoic_int_loops_of(run);
    loops->quantise(from, some * plane, 1.0f / n->step, (int)n->zero_code, codes);
    if (plane == w->height * w->width) {
        loops->lace(codes, plane, some, plane, to, channels);
        return;
    }
    loops->lace(codes, plane, some, plane, laced, some);
    for (int64_t y = 0; y < w->height; y++) {
        const bool row = y >= n->pad_low[0] && y < n->pad_low[0] + (int64_t)w->in->height;
        for (int64_t x = 0; x < w->width; x++, to += channels) {
            if (row && x >= n->pad_low[1] && x < n->pad_low[1] + (int64_t)w->in->width) {
                memcpy(to, laced, (size_t)some);
                laced += some;
            } else {
                memset(to, (int)n->zero_code, (size_t)some);
            }
        }
    }
}

static void lace_images(const stoic_run *run, const stoic_int_work *w) {
    int64_t first, last;
    stoic_run_share(run, (w->in->channels + LANES - 1) / LANES, 1, 1, &first, &last);
    first *= LANES;
    last = last * LANES < w->in->channels ? last * LANES : (int64_t)w->in->channels;
    for (int i = 0; first < last && i < run->n; i++)
        lace_image(run, w, first, last, i);
    stoic_run_meet(run);
}

/* An output position of the call, and what its window's first pixel is among all pixels. */
typedef struct spot {
    int64_t x, y, i, pixel;
} spot;

static void step_on(const stoic_int_work *w, spot *at) {
    const stoic_stw_node *n = w->node;
    at->pixel += n->stride[1];
    if (++at->x < w->out->width)
        return;
    at->x = 0;
    if (++at->y == w->out->height) {
        at->y = 0;
        at->i++;
    }
    at->pixel = (at->i * w->height + at->y * n->stride[0]) * w->width;
}

/* Of each position, the sum of (activation - zero) of a group. */
static void total_pixels(const stoic_run *run, const stoic_int_work *w, int group) {
    const stoic_stw_node *n = w->node;
    int32_t *totals = stoic_int_part(run, w->totals), *pixels = stoic_int_part(run, w->pixels);
    stoic_int_loops_of(run)->byte_sums(image_of(run, w, 0) + group * inner_of(w), w->in->channels,
                                       inner_of(w), run->n * w->height * w->width, pixels);
    spot at = {0};
    for (int64_t p = 0; p < w->positions; p++, step_on(w, &at)) {
        int32_t sum = -(int32_t)(n->zero_code * (uint32_t)w->taps);
        for (uint32_t i = 0; i < n->kernel[0]; i++) {
            const int32_t *row = pixels + at.pixel + i * n->dilation[0] * w->width;
            for (uint32_t k = 0; k < n->kernel[1]; k++)
                sum += row[k * n->dilation[1]];
        }
        totals[p] = sum;
    }
}

static void set_offsets(const stoic_run *run, const stoic_int_work *w) {
    const stoic_stw_node *n = w->node;
    int64_t *offsets = stoic_int_part(run, w->offsets);
    for (uint32_t i = 0; i < n->kernel[0]; i++) {
        for (uint32_t k = 0; k < n->kernel[1]; k++)
            *offsets++ = (i * n->dilation[0] * w->width + k * n->dilation[1]) * w->in->channels;
    }
}

/* ---- the matrix of windows ---- */

/* Padding is what stands for zero. */
static void quantise_image(const stoic_run *run, const stoic_int_work *w, int i) {
    const stoic_stw_node *n = w->node;
    const stoic_int_loops *loops = stoic_int_loops_of(run);
    const float *from = stoic_run_in(run, n->in[0], i), inverse = 1.0f / n->step;
    uint8_t *image = stoic_int_part(run, w->image);
    const int zero = (int)n->zero_code;
    if (w->height == w->in->height && w->width == w->in->width) {
        loops->quantise(from, (int64_t)stoic_stw_elements(w->in), inverse, zero, image);
        return;
    }
    memset(image, zero, (size_t)(w->in->channels * w->height * w->width));
    for (int64_t c = 0; c < w->in->channels; c++) {
        uint8_t *row = image + (c * w->height + n->pad_low[0]) * w->width + n->pad_low[1];
        for (uint32_t y = 0; y < w->in->height; y++, row += w->width, from += w->in->width)
            loops->quantise(from, w->in->width, inverse, zero, row);
    }
}

/* Where tap `tap` of the group reads for the first position. */
static const uint8_t *tap_at(const stoic_run *run, const stoic_int_work *w, int group,
                             int64_t tap) {
    const stoic_stw_node *n = w->node;
    const int64_t k = tap % n->kernel[1], i = tap / n->kernel[1] % n->kernel[0];
    const int64_t c = tap / n->kernel[1] / n->kernel[0] + group * inner_of(w);
    return (const uint8_t *)stoic_int_part(run, w->image) +
           (c * w->height + i * n->dilation[0]) * w->width + k * n->dilation[1];
}

static uint8_t *windows_at(const stoic_run *run, const stoic_int_work *w, int64_t position,
                           int64_t quad) {
    return (uint8_t *)stoic_int_part(run, w->windows) +
           ((position / TILE * w->quads + quad) * TILE + position % TILE) * QUAD;
}

/* Positions from `first` on, beside each other in their row; rows[t]: of tap t. */
static void gather_row(const stoic_run *run, const stoic_int_work *w, int64_t quad, int64_t first,
                       const uint8_t *const rows[QUAD], int there) {
    const int64_t stride = w->node->stride[1];
    for (int64_t done = 0, m; done < w->out->width; done += m) {
        const int64_t left = w->out->width - done, room = TILE - (first + done) % TILE;
        const uint8_t *const from[QUAD] = {rows[0] + done * stride, rows[1] + done * stride,
                                           rows[2] + done * stride, rows[3] + done * stride};
        uint8_t *to = windows_at(run, w, first + done, quad);
        m = left < room ? left : room;
        stoic_int_loops_of(run)->gather(from, stride, m, to);
        for (int64_t p = 0; there < QUAD && p < m; p++) /* zeros past the last tap */
            memset(to + p * QUAD + there, 0, (size_t)(QUAD - there));
    }
}

/* The windows of image i of the call. */
static void gather_windows(const stoic_run *run, const stoic_int_work *w, int group, int i) {
    const int64_t down = w->node->stride[0] * w->width, plane = plane_of(w->out);
    for (int64_t q = 0; q < w->quads; q++) {
        const uint8_t *rows[QUAD];
        const int there = w->taps - q * QUAD < QUAD ? (int)(w->taps - q * QUAD) : QUAD;
        for (int t = 0; t < QUAD; t++)
            rows[t] = tap_at(run, w, group, q * QUAD + (t < there ? t : 0));
        for (int64_t y = 0; y < w->out->height; y++) {
            gather_row(run, w, q, i * plane + y * w->out->width, rows, there);
            for (int t = 0; t < QUAD; t++)
                rows[t] += down;
        }
    }
}

/* Of each position, the sum of (activation - zero); those that fill the last tile are zeros. */
static void total_windows(const stoic_run *run, const stoic_int_work *w) {
    int32_t *totals = stoic_int_part(run, w->totals);
    for (int64_t first = 0; first < w->padded; first += TILE) {
        for (int p = 0; p < TILE; p++)
            totals[first + p] = -(int32_t)(w->node->zero_code * (uint32_t)w->taps);
        for (int64_t q = 0; q < w->quads; q++) {
            uint8_t *from = windows_at(run, w, first, q);
            if (w->positions - first < TILE)
                memset(from + (w->positions - first) * QUAD, 0,
                       (size_t)(TILE - (w->positions - first)) * QUAD);
            for (int p = 0; p < TILE; p++)
                totals[first + p] +=
                    from[QUAD * p] + from[QUAD * p + 1] + from[QUAD * p + 2] + from[QUAD * p + 3];
        }
    }
}

/* ---- both ---- */

/* Sums of a tile of positions from `from` on, the first of which is `at`, which moves behind it. */
static void multiply_tile(const stoic_run *run, const stoic_int_work *w, int group, int64_t from,
                          spot *at, int32_t sums[TILE][LANES]) {
    const stoic_int_loops *loops = stoic_int_loops_of(run);
    const int8_t *turned = stoic_int_part(run, w->turned);
    if (!w->direct) {
        loops->tile(turned, w->quads, windows_at(run, w, from, 0), TILE * QUAD, sums);
        return;
    }
    const uint8_t *image = image_of(run, w, 0) + group * inner_of(w), *x[TILE];
    for (int p = 0; p < TILE; p++) {
        x[p] = from + p < w->positions ? image + at->pixel * w->in->channels : x[0];
        if (from + p < w->positions)
            step_on(w, at);
    }
    loops->window(turned, inner_of(w) / QUAD, x, stoic_int_part(run, w->offsets), window_of(w),
                  sums);
}

/* Output channels `first` to `first` + `lanes` of n positions from `from` on, at most a tile. */
static void put(const stoic_run *run, const stoic_int_work *w, const float *values, int n,
                int64_t from, int64_t first, int lanes, const float add[LANES]) {
    const int64_t plane = plane_of(w->out);
    for (int done = 0, m; done < n; done += m) { /* what lies in one image */
        const int64_t i = (from + done) / plane, at = (from + done) % plane;
        m = plane - at < n - done ? (int)(plane - at) : n - done;
        run->set.loops->columns(values + done * LANES, m, lanes, add, plane,
                                stoic_run_out(run, w->node->out, (int)i) + first * plane + at);
    }
}

/* The same of all positions. */
static void multiply_block(const stoic_run *run, const stoic_int_work *w, int group,
                           const stoic_int_worth *worth, int64_t first, int lanes,
                           const float *bias) {
    const int32_t *totals = stoic_int_part(run, w->totals);
    float add[LANES] = {0};
    spot at = {0};
    if (bias)
        memcpy(add, bias + first, (size_t)lanes * sizeof *add);
    for (int64_t from = 0; from < w->positions; from += TILE) {
        int32_t sums[TILE][LANES];
        float values[TILE][LANES];
        const int n = w->positions - from < TILE ? (int)(w->positions - from) : TILE;
        multiply_tile(run, w, group, from, &at, sums);
        for (int p = 0; p < n; p++)
            stoic_int_loops_of(run)->worth(worth, sums[p], totals[from + p], values[p]);
        put(run, w, values[0], n, from, first, lanes, add);
    }
}

/* The next block of weights, as the loops want it; those beyond `lanes` are zero. */
static void load_block(stoic_run *run, const stoic_int_work *w, int64_t first, int lanes,
                       stoic_int_worth *worth) {
    const stoic_int_loops *loops = stoic_int_loops_of(run);
    int8_t *rows = stoic_int_part(run, w->rows), *turned = stoic_int_part(run, w->turned);
    memset(rows + lanes * w->taps, 0, (size_t)((LANES - lanes) * w->taps));
    stoic_code_reader_next(&run->codes, lanes * w->taps, rows);
    stoic_int_set_worth(run, w, first, 1, lanes, worth);
    stoic_int_sum_rows(run, w, rows, lanes, worth);
    if (w->direct)
        loops->regroup(rows, w->taps, inner_of(w), window_of(w), turned);
    else
        loops->quads(rows, w->taps, w->taps, turned);
}

static void prepare_group(const stoic_run *run, const stoic_int_work *w, int group) {
    if (w->direct) {
        total_pixels(run, w, group);
        return;
    }
    for (int i = 0; i < run->n; i++) {
        quantise_image(run, w, i);
        gather_windows(run, w, group, i);
    }
    total_windows(run, w);
}

void stoic_int_conv(stoic_run *run, const stoic_int_work *w) {
    const float *bias = stoic_int_bias(run, w);
    const int each = (int)(w->out->channels / w->node->groups);
    const int blocks = (each + LANES - 1) / LANES;
    const bool one = w->node->groups == 1;
    const int64_t size = (one ? LANES : each) * w->taps; /* weights of what is divided */
    stoic_stored *weights = &run->tensors[w->node->tensor[0]];
    int64_t first, last;
    if (w->direct) {
        lace_images(run, w);
        set_offsets(run, w);
    }
    stoic_run_share(run, one ? blocks : (int)w->node->groups, size, weights->packed.words.weights,
                    &first, &last);
    if (first == last)
        return;
    stoic_code_reader_begin(&run->codes, run->set.words, run->set.bytes, weights);
    stoic_code_reader_seek(&run->codes, first * size);
    first *= one ? 1 : blocks;
    last *= one ? 1 : blocks;
    for (int64_t block = first; block < last; block++) {
        const int group = (int)(block / blocks), done = (int)(block % blocks) * LANES;
        const int lanes = each - done < LANES ? each - done : LANES;
        stoic_int_worth worth;
        if (block == first || block % blocks == 0)
            prepare_group(run, w, group);
        load_block(run, w, group * (int64_t)each + done, lanes, &worth);
        multiply_block(run, w, group, &worth, group * (int64_t)each + done, lanes, bias);
    }
}
