/* One entry of a store: its grids, and its words from the weights and back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fail.h"
#include "store/bulk.h"
#include "store/scaling.h"
#include "tensor/shape_span.h"

/* ---- grids ---- */

static stoic_status plan_channels(const stoic_store *store, int entry, stoic_error *err) {
    const stoic_store_entry *e = &store->entries[entry];
    stoic_lines *lines = &store->lines[entry];
    bool whole = lines->layout->granularity == STOIC_PER_TENSOR || e->role != STOIC_ROLE_WEIGHT;
    int axis = whole ? -1 : stoic_model_channel_axis(store->model, e->layer);
    lines->channels = axis < 0 ? 1 : e->shape.dim[axis];
    lines->inner = axis < 0 ? 1 : stoic_shape_span(&e->shape, axis + 1, e->shape.rank);
    lines->grids = calloc((size_t)lines->channels + 1, sizeof *lines->grids);
    return lines->grids
               ? STOIC_OK
               : stoic_fail_memory(err, "a store",
                                   (unsigned long long)lines->channels * sizeof *lines->grids);
}

static int64_t channel_of(const stoic_lines *lines, int64_t index) {
    return lines->channels == 1 ? 0 : index / lines->inner % lines->channels;
}

const stoic_grid *stoic_lines_grid(const stoic_lines *lines, int64_t index) {
    return &lines->grids[channel_of(lines, index)];
}

static stoic_status refuse_weight(const stoic_store *store, int entry, int64_t index, float weight,
                                  stoic_error *err) {
    const stoic_store_entry *e = &store->entries[entry];
    const stoic_layout *layout = stoic_layout_of(store, entry);
    const char *what = layout->scale != STOIC_SCALE_NONE ? "a scale has no meaning with it"
                                                         : "the format cannot hold it";
    return stoic_fail(err, STOIC_ERR_NUMERIC, e->name, "store '%s': weight %lld of '%s' is %g: %s",
                      layout->text, (long long)index, e->name, (double)weight, what);
}

/* Smallest and largest weight of each channel. */
static stoic_status find_ranges(const stoic_store *store, int entry, double *low, double *high,
                                stoic_error *err) {
    const stoic_store_entry *e = &store->entries[entry];
    const stoic_lines *lines = &store->lines[entry];
    const stoic_layout *layout = stoic_layout_of(store, entry);
    bool anything = stoic_format_is_float(&layout->format) && layout->scale == STOIC_SCALE_NONE;
    for (int64_t c = 0; c < lines->channels; c++) {
        low[c] = INFINITY;
        high[c] = -INFINITY;
    }
    const stoic_store_kernels *kernels = stoic_store_kernels_get();
    int64_t run = lines->channels == 1 ? e->weights : lines->inner;
    for (int64_t i = 0; i < e->weights; i += run) {
        stoic_range range = {INFINITY, -INFINITY, true};
        int64_t c = channel_of(lines, i);
        kernels->range(lines->weights + i, run, &range);
        for (int64_t k = i; !range.finite && !anything && k < i + run; k++) {
            if (!isfinite(lines->weights[k]))
                return refuse_weight(store, entry, k, lines->weights[k], err);
        }
        low[c] = fmin(low[c], (double)range.low);
        high[c] = fmax(high[c], (double)range.high);
    }
    return STOIC_OK;
}

/* The largest power of two that keeps `largest` below 2, or inside the range of the format. */
static float power_of_two(const stoic_format *format, double largest) {
    stoic_grid grid = {1.0f, 1.0, 0.0};
    stoic_format plain = *format;
    stoic_fit fit;
    int k = 0;
    if (!(largest > 0))
        return 1.0f;
    plain.hold = plain.saturate = false;
    frexp(largest, &k);
    k = 1 - k < 126 ? 1 - k : 126;
    for (; k > -126; k--) {
        double scaled = ldexp(largest, k);
        uint64_t code = stoic_format_code(&plain, &grid, scaled, &fit);
        if (fit == STOIC_FIT_ROUNDED && fabs(stoic_format_value(&plain, &grid, code)) < 2)
            break;
    }
    return ldexpf(1.0f, k);
}

stoic_status stoic_lines_fit(stoic_store *store, int entry, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_layout *layout = stoic_layout_of(store, entry);
    stoic_lines *lines = &store->lines[entry];
    double *low = NULL;
    TRY(plan_channels(store, entry, err));
    size_t n = (size_t)lines->channels;
    low = calloc(2 * n + 1, sizeof *low);
    if (!low) {
        status = stoic_fail_memory(err, "a store", 2 * n * sizeof *low);
        goto done;
    }
    TRY(find_ranges(store, entry, low, low + n, err));
    for (size_t c = 0; c < n; c++) {
        double largest = fmax(fabs(low[c]), fabs(low[n + c]));
        stoic_grid *grid = &lines->grids[c];
        stoic_grid_fit(&layout->format, low[c], low[n + c], grid);
        if (layout->scale == STOIC_SCALE_CONST)
            grid->scale = (float)layout->scale_value;
        else if (layout->scale == STOIC_SCALE_MAX && largest > 0)
            grid->scale = (float)(layout->scale_value / largest);
        else if (layout->scale == STOIC_SCALE_POW2)
            grid->scale = power_of_two(&layout->format, largest);
        else if (layout->scale == STOIC_SCALE_AUTO && largest > 0)
            grid->scale = stoic_scaling_best(&layout->format, &layout->protect, layout->scale_value,
                                             lines->weights, store->entries[entry].weights,
                                             lines->inner, lines->channels, (int64_t)c, largest);
        if (!isfinite(grid->scale) || grid->scale == 0) /* weights near the smallest float */
            grid->scale = 1.0f;
        lines->largest = fmax(lines->largest, largest * (double)grid->scale);
    }
    int64_t bits = layout->format.kind == STOIC_FORMAT_AFFINE ? 128
                   : layout->format.kind == STOIC_FORMAT_INT8 ? 64
                   : layout->scale != STOIC_SCALE_NONE        ? 32
                                                              : 0;
    store->facts.side_bits += bits * lines->channels;
done:
    free(low);
    return status;
}

/* ---- words ---- */

int stoic_store_held(const stoic_store *store, int entry, int64_t word) {
    int64_t left =
        store->entries[entry].weights - word * (int64_t)store->entries[entry].word_weights;
    return left < store->entries[entry].word_weights ? (int)left
                                                     : store->entries[entry].word_weights;
}

void stoic_image_put(uint64_t *image, int64_t at, int bits, const stoic_word *word) {
    for (int done = 0; done < bits; done += 64) {
        int count = bits - done < 64 ? bits - done : 64;
        uint64_t part = word->part[done / 64];
        int64_t to = at + done;
        int shift = (int)(to % 64);
        if (count < 64)
            part &= ((uint64_t)1 << count) - 1;
        image[to / 64] |= part << shift;
        if (shift && shift + count > 64)
            image[to / 64 + 1] |= part >> (64 - shift);
    }
}

stoic_word stoic_store_word(const stoic_store *store, int entry, int64_t word) {
    const stoic_lines *lines = &store->lines[entry];
    uint32_t bits;
    if (lines->image)
        return stoic_image_get(lines->image, word * lines->layout->code.word,
                               lines->layout->code.word);
    memcpy(&bits, &lines->weights[word], sizeof bits);
    return (stoic_word){{bits}};
}

/* ---- encoding ---- */

static int64_t find(const int64_t *list, int64_t n, int64_t index) {
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (list[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && list[low] == index ? low : -1;
}

int64_t stoic_lines_sparse(const stoic_lines *lines, int64_t index) {
    return find(lines->sparse, lines->n_sparse, index);
}

bool stoic_lines_is_listed(const stoic_lines *lines, int64_t index) {
    return find(lines->listed, lines->n_listed, index) >= 0;
}

int stoic_bits_to_count(int64_t n) {
    int bits = 0;
    while (bits < 63 && (int64_t)1 << bits < n)
        bits++;
    return bits;
}

/* Is the scaled weight beyond what the store wants to hold: 2, or the format's range? NaN is. */
static bool is_outlier(const stoic_format *format, const stoic_grid *grid, float weight) {
    double scaled = (double)weight * (double)grid->scale;
    stoic_fit fit = STOIC_FIT_ROUNDED;
    if (stoic_format_is_float(format))
        return !(fabs(scaled) < 2);
    stoic_format_code(format, grid, scaled, &fit);
    return fit == STOIC_FIT_OUTSIDE;
}

static stoic_status set_aside(stoic_store *store, int entry, stoic_error *err) {
    const stoic_store_entry *e = &store->entries[entry];
    stoic_lines *lines = &store->lines[entry];
    int64_t n = 0;
    free(lines->sparse);
    lines->sparse = NULL;
    for (int pass = 0; pass < 2; pass++) {
        n = 0;
        for (int64_t i = 0; i < e->weights; i++) {
            const float *weight = &lines->weights[i]; /* 0 for those that are listed */
            if (!is_outlier(&lines->layout->format, stoic_lines_grid(lines, i), *weight) &&
                !stoic_lines_is_listed(lines, i))
                continue;
            if (pass)
                lines->sparse[n] = i;
            n++;
        }
        if (pass == 0) {
            lines->sparse = calloc((size_t)n + 1, sizeof *lines->sparse);
            if (!lines->sparse)
                return stoic_fail_memory(err, "outliers", (unsigned long long)n * 8);
        }
    }
    lines->n_sparse = n;
    stoic_aside_count(store, entry, n - lines->n_listed);
    return STOIC_OK;
}

static uint64_t encode_weight(stoic_store *store, int entry, int64_t index) {
    const stoic_lines *lines = &store->lines[entry];
    const stoic_format *format = &lines->layout->format;
    const stoic_grid *grid = stoic_lines_grid(lines, index);
    const float *weight = &lines->weights[index], zero = 0;
    stoic_fit fit;
    uint64_t code;
    if (lines->layout->outliers == STOIC_OUTLIERS_CLAMP && stoic_format_is_float(format) &&
        !isnan(*weight) && is_outlier(format, grid, *weight)) {
        store->facts.clamped++;
        return stoic_format_code(format, grid, stoic_format_limit(format, *weight < 0), &fit);
    }
    if (stoic_lines_sparse(lines, index) >= 0)
        weight = &zero;
    code = stoic_format_encode(format, grid, weight, &fit);
    store->facts.clamped += fit == STOIC_FIT_CLAMPED;
    store->facts.outside += fit == STOIC_FIT_OUTSIDE;
    return code;
}

/* fp32 as it is: the words are the weights. */
static bool is_verbatim(const stoic_layout *layout) {
    return layout->format.kind == STOIC_FORMAT_FP32 && layout->scale == STOIC_SCALE_NONE &&
           layout->outliers == STOIC_OUTLIERS_KEEP && layout->code.family == &stoic_code_none;
}

/* Memory that is about to be written from end to end: in pages of the common size, the kernel's
 * handing them out takes longer than encoding. */
static void expect_all(void *memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
    const uintptr_t page = 4096, from = ((uintptr_t)memory + page - 1) & ~(page - 1);
    if (memory && bytes >= (size_t)4 << 20)
        madvise((void *)from, bytes - page, MADV_HUGEPAGE); /* if it fails, it is slower */
#else
    (void)memory;
    (void)bytes;
#endif
}

stoic_status stoic_lines_reserve(stoic_store *store, int entry, stoic_error *err) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const stoic_store_entry *e = &store->entries[entry];
    stoic_lines *lines = &store->lines[entry];
    if (is_verbatim(stoic_layout_of(store, entry)))
        return STOIC_OK;
    size_t parts = (size_t)((e->words * code->word + 63) / 64) + 2;
    lines->image = calloc(parts, sizeof *lines->image);
    expect_all(lines->image, parts * sizeof *lines->image);
    if (code->family->side)
        lines->side = calloc((size_t)e->words + 1, sizeof *lines->side);
    expect_all(lines->side, lines->side ? (size_t)e->words * sizeof *lines->side : 0);
    if (!lines->image || (code->family->side && !lines->side))
        return stoic_fail_memory(err, "a store", parts * sizeof *lines->image);
    return STOIC_OK;
}

void stoic_lines_note(stoic_store *store, int entry, int64_t word, int n, const uint32_t *side) {
    int64_t noted = 0;
    memcpy(store->lines[entry].side + word, side, (size_t)n * sizeof *side);
    for (int i = 0; i < n; i++)
        noted += __builtin_popcount(side[i]);
    store->facts.side_bits += noted * stoic_bits_to_count(store->entries[entry].weights);
}

stoic_status stoic_lines_encode(stoic_store *store, int entry, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const stoic_store_entry *e = &store->entries[entry];
    stoic_lines *lines = &store->lines[entry];
    uint64_t data[STOIC_WORD_WEIGHTS];
    if (stoic_layout_of(store, entry)->outliers == STOIC_OUTLIERS_SPARSE)
        TRY(set_aside(store, entry, err));
    for (int64_t word = 0; word < e->words; word++) {
        int n = stoic_store_held(store, entry, word);
        stoic_word bits;
        memset(data, 0, sizeof data);
        for (int i = 0; i < n; i++)
            data[i] = encode_weight(store, entry, word * e->word_weights + i);
        uint32_t side = code->family->side ? code->family->side(code, data) : 0;
        if (lines->side)
            stoic_lines_note(store, entry, word, 1, &side);
        store->facts.clamped += code->family->encode(code, data, side, &bits);
        stoic_image_put(lines->image, word * code->word, code->word, &bits);
    }
done:
    return status;
}

void stoic_lines_deinit(stoic_lines *lines) {
    free(lines->image);
    free(lines->grids);
    free(lines->side);
    free(lines->sparse);
    free(lines->listed);
    free(lines->own);
}

/* ---- decoding ---- */

void stoic_lines_value(const stoic_store *store, int entry, int64_t index, uint64_t data,
                       float *weight) {
    const stoic_lines *lines = &store->lines[entry];
    const stoic_grid *grid = stoic_lines_grid(lines, index);
    stoic_grid scaled = *grid;
    if (lines->n_sparse && stoic_lines_sparse(lines, index) >= 0) {
        memcpy(weight, &lines->given[index], sizeof *weight);
        return;
    }
    if (stoic_layout_of(store, entry)->rescale != STOIC_RESCALE_WEIGHTS) {
        scaled.scale = 1.0f; /* divided elsewhere */
        grid = &scaled;
    }
    stoic_format_decode(&stoic_layout_of(store, entry)->format, grid, data, weight);
}

int stoic_store_weights(const stoic_store *store, int entry, int64_t word, const stoic_word *bits,
                        float weights[STOIC_WORD_WEIGHTS], stoic_verdict *verdict) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const stoic_lines *lines = &store->lines[entry];
    uint64_t data[STOIC_WORD_WEIGHTS];
    int n = stoic_store_held(store, entry, word);
    stoic_verdict told =
        code->family->decode(code, bits, lines->side ? lines->side[word] : 0, n, data);
    int64_t first = word * store->entries[entry].word_weights;
    bool zero = told == STOIC_WORD_DETECTED && stoic_layout_of(store, entry)->due == STOIC_DUE_ZERO;
    for (int i = 0; i < n; i++) {
        if (zero && stoic_lines_sparse(lines, first + i) < 0) /* one kept aside is not lost */
            weights[i] = 0;
        else
            stoic_lines_value(store, entry, first + i, data[i], &weights[i]);
    }
    if (verdict)
        *verdict = told;
    return n;
}

void stoic_lines_decode(const stoic_store *store, int entry, float *weights) {
    const stoic_store_entry *e = &store->entries[entry];
    float values[STOIC_WORD_WEIGHTS];
    for (int64_t word = 0; word < e->words; word++) {
        stoic_word bits = stoic_store_word(store, entry, word);
        int n = stoic_store_weights(store, entry, word, &bits, values, NULL);
        memcpy(&weights[word * e->word_weights], values, (size_t)n * sizeof *values);
    }
}
