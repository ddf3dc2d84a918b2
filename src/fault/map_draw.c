/*
 * What happens to one image: a pure function of (seed, trial, image).
 *
 * Three streams: whether the image is hit (keyed by the image), where and what becomes of it (both
 * keyed by the group of images that scope= makes). Sites do not depend on share=, nor on value=, so
 * that two values meet the same elements; only a rate of flips counts bits instead of elements.
 */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "fault/map.h"

static const double line_keeps = 0.75, block_keeps = 0.3, whole_hits = 0.1;

void stoic_map_hits_deinit(stoic_map_hits *hits) {
    free(hits->index);
    free(hits->bits);
    free(hits->marks);
    memset(hits, 0, sizeof *hits);
}

/* Room for `count` elements in all; counts stay below 2^28. */
static stoic_status reserve(stoic_map_hits *hits, size_t count, stoic_error *err) {
    if (count <= hits->capacity)
        return STOIC_OK;
    size_t capacity = count < 64 ? 64 : count + count / 2;
    int64_t *index = realloc(hits->index, capacity * sizeof *index);
    if (index)
        hits->index = index;
    uint32_t *bits = index ? realloc(hits->bits, capacity * sizeof *bits) : NULL;
    if (!bits)
        return stoic_fail_memory(err, "the sites of a feature map", capacity * sizeof *index);
    hits->bits = bits;
    hits->capacity = capacity;
    return STOIC_OK;
}

static stoic_status add(stoic_map_hits *hits, int64_t index, uint32_t bits, stoic_error *err) {
    stoic_status status = reserve(hits, hits->count + 1, err);
    if (status != STOIC_OK)
        return status;
    hits->index[hits->count] = index;
    hits->bits[hits->count++] = bits;
    return STOIC_OK;
}

/* `count` marks, none set. */
static stoic_status clear_marks(stoic_map_hits *hits, int64_t count, stoic_error *err) {
    size_t words = ((size_t)count + 63) / 64;
    if (words > hits->marks_capacity) {
        uint64_t *marks = realloc(hits->marks, words * sizeof *marks);
        if (!marks)
            return stoic_fail_memory(err, "the sites of a feature map", words * sizeof *marks);
        hits->marks = marks;
        hits->marks_capacity = words;
    }
    memset(hits->marks, 0, words * sizeof *hits->marks);
    return STOIC_OK;
}

static bool marked(const stoic_map_hits *hits, int64_t i) {
    return hits->marks[i / 64] >> i % 64 & 1;
}

static void mark(stoic_map_hits *hits, int64_t i) {
    hits->marks[i / 64] |= (uint64_t)1 << i % 64;
}

/* Marks each channel with probability p, all drawn anew while there is none; returns how many. */
static int64_t draw_channels(const stoic_map_site *site, double p, stoic_rng *rng,
                             stoic_map_hits *hits) {
    int64_t kept = 0;
    while (!kept) {
        for (int64_t c = 0; c < site->channels; c++) {
            if (stoic_rng_unit(rng) <= p) {
                mark(hits, c);
                kept++;
            }
        }
    }
    return kept;
}

/* Rows top … bottom and columns left … right, ends included. */
typedef struct rectangle {
    int64_t top, bottom, left, right;
} rectangle;

static stoic_status add_rectangle(const stoic_map_site *site, rectangle r, double keeps,
                                  stoic_rng *rng, stoic_map_hits *hits, stoic_error *err) {
    stoic_status status = STOIC_OK;
    TRY(clear_marks(hits, site->channels, err));
    int64_t kept = draw_channels(site, keeps, rng, hits);
    TRY(reserve(hits, (size_t)(kept * (r.bottom - r.top + 1) * (r.right - r.left + 1)), err));
    for (int64_t c = 0; c < site->channels; c++) {
        if (!marked(hits, c))
            continue;
        for (int64_t row = r.top; row <= r.bottom; row++) {
            int64_t start = (c * site->height + row) * site->width;
            for (int64_t column = r.left; column <= r.right; column++)
                hits->index[hits->count++] = start + column;
        }
    }
done:
    return status;
}

static int64_t between(stoic_rng *rng, int64_t low, int64_t high) {
    return low + (int64_t)stoic_rng_below(rng, (uint64_t)(high - low + 1));
}

static stoic_status draw_line(const stoic_map_site *site, bool column, stoic_rng *rng,
                              stoic_map_hits *hits, stoic_error *err) {
    rectangle r = {0, site->height - 1, 0, site->width - 1};
    if (column)
        r.left = r.right = between(rng, 0, site->width - 1);
    else
        r.top = r.bottom = between(rng, 0, site->height - 1);
    return add_rectangle(site, r, line_keeps, rng, hits, err);
}

static stoic_status draw_block(const stoic_map_site *site, stoic_rng *rng, stoic_map_hits *hits,
                               stoic_error *err) {
    rectangle r;
    r.top = between(rng, 0, site->height - 2);
    r.bottom = between(rng, r.top, site->height - 1);
    r.left = between(rng, 0, site->width - 2);
    r.right = between(rng, r.left, site->width - 1);
    return add_rectangle(site, r, block_keeps, rng, hits, err);
}

/* Each of the map's units (an element, or one of the field's bits) with probability p, by
 * geometric gaps. Bits of one element become one mask. */
static stoic_status draw_rate(const stoic_map_fault *fault, const stoic_map_site *site, double p,
                              bool of_bits, stoic_rng *rng, stoic_map_hits *hits,
                              stoic_error *err) {
    const stoic_map_error *error = &fault->error;
    const int64_t ways = of_bits ? error->n_bits : 1;
    const uint64_t units = (uint64_t)(stoic_map_site_elements(site) * ways);
    uint64_t at = 0;
    if (p == 0.0)
        return STOIC_OK;
    for (;;) {
        uint64_t gap = stoic_rng_geometric(rng, p);
        if (gap >= units - at)
            return STOIC_OK;
        at += gap;
        int64_t element = (int64_t)at / ways;
        uint32_t bit = of_bits ? (uint32_t)1 << error->bit[(int64_t)at % ways] : 0;
        at++;
        if (of_bits && hits->count && hits->index[hits->count - 1] == element) {
            hits->bits[hits->count - 1] |= bit;
            continue;
        }
        stoic_status status = add(hits, element, bit, err);
        if (status != STOIC_OK)
            return status;
    }
}

/* n distinct elements, every set of n equally likely (Floyd: Bentley, CACM 1987). The marks put
 * them in order. */
static stoic_status draw_elements(const stoic_map_site *site, int64_t n, stoic_rng *rng,
                                  stoic_map_hits *hits, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const int64_t elements = stoic_map_site_elements(site);
    TRY(reserve(hits, (size_t)n, err));
    if (n == 1) {
        hits->index[hits->count++] = between(rng, 0, elements - 1);
        return STOIC_OK;
    }
    TRY(clear_marks(hits, elements, err));
    for (int64_t last = elements - n; last < elements; last++) {
        int64_t i = between(rng, 0, last);
        mark(hits, marked(hits, i) ? last : i);
    }
    for (int64_t word = 0; word * 64 < elements; word++) {
        for (uint64_t left = hits->marks[word]; left; left &= left - 1)
            hits->index[hits->count++] = word * 64 + __builtin_ctzll(left);
    }
done:
    return status;
}

/* What `mix` stands for: what fits the map. */
static stoic_map_kind draw_kind(stoic_map_kind kind, const stoic_map_site *site, stoic_rng *rng) {
    static const stoic_map_kind mixed[] = {STOIC_MAP_LINE, STOIC_MAP_BLOCK, STOIC_MAP_WHOLE};
    if (kind != STOIC_MAP_MIX)
        return kind;
    return stoic_map_kind_fits(STOIC_MAP_BLOCK, site) ? mixed[stoic_rng_below(rng, 3)]
                                                      : STOIC_MAP_WHOLE;
}

static stoic_status draw_site(const stoic_map_fault *fault, stoic_rng *rng, stoic_map_hits *hits,
                              stoic_error *err) {
    hits->site = (int)stoic_rng_below(rng, (uint64_t)fault->n_sites);
    const stoic_map_site *site = &fault->sites[hits->site];
    hits->kind = draw_kind(fault->kind, site, rng);
    switch (hits->kind) {
    case STOIC_MAP_SINGLE:
        return draw_elements(site, 1, rng, hits, err);
    case STOIC_MAP_LINE:
        return draw_line(site, stoic_rng_below(rng, 2) == 1, rng, hits, err);
    case STOIC_MAP_ROW:
        return draw_line(site, false, rng, hits, err);
    case STOIC_MAP_COLUMN:
        return draw_line(site, true, rng, hits, err);
    case STOIC_MAP_BLOCK:
        return draw_block(site, rng, hits, err);
    case STOIC_MAP_WHOLE:
        return draw_rate(fault, site, whole_hits, false, rng, hits, err);
    default:
        if (fault->n)
            return draw_elements(site, fault->n, rng, hits, err);
        return draw_rate(fault, site, fault->rate, fault->error.value == STOIC_MAP_FLIP_BITS, rng,
                         hits, err);
    }
}

/* What becomes of the elements. */
static void draw_values(const stoic_map_fault *fault, stoic_rng *rng, double severity,
                        stoic_map_hits *hits) {
    const stoic_map_error *error = &fault->error;
    uint32_t set;
    switch (error->value) {
    case STOIC_MAP_FLIP_BITS:
        hits->mode = STOIC_MAP_FLIP;
        if (fault->kind == STOIC_MAP_SCATTER && !fault->n)
            return; /* drawn bit by bit */
        for (size_t i = 0; i < hits->count; i++)
            hits->bits[i] = (uint32_t)1
                            << error->bit[stoic_rng_below(rng, (uint64_t)error->n_bits)];
        return;
    case STOIC_MAP_SET:
        hits->mode = STOIC_MAP_REPLACE;
        memcpy(&set, &error->set, sizeof set);
        for (size_t i = 0; i < hits->count; i++)
            hits->bits[i] = set;
        return;
    case STOIC_MAP_RANDOM:
        hits->mode = STOIC_MAP_REPLACE;
        for (size_t i = 0; i < hits->count; i++)
            hits->bits[i] = stoic_rng_u32(rng);
        return;
    default:
        hits->mode = STOIC_MAP_MULTIPLY;
        hits->factor = stoic_map_error_factor(error, rng, severity);
    }
}

stoic_status stoic_map_fault_draw(const stoic_map_fault *fault, uint64_t trial, int64_t image,
                                  double severity, stoic_map_hits *hits, stoic_error *err) {
    stoic_rng rng;
    hits->hit = false;
    hits->site = -1;
    hits->kind = fault->kind;
    hits->mode = STOIC_MAP_MULTIPLY;
    hits->factor = 1.0f;
    hits->count = 0;
    if (trial >> 48 || image < 0 || image >> 40)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "'%s': trial %llu of image %lld is beyond 2^48 trials of 2^40 images",
                          fault->text, (unsigned long long)trial, (long long)image);
    if (!(severity >= 0.0 && severity <= (double)FLT_MAX))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "'%s': expected a severity from 0 to %g, found %g", fault->text,
                          (double)FLT_MAX, severity);
    stoic_rng_init_image(&rng, fault->seed, trial, (uint64_t)image, STOIC_STREAM_MAP_SHARE);
    if (stoic_rng_unit(&rng) > fault->share)
        return STOIC_OK;
    const uint64_t group = (uint64_t)(image / fault->scope);
    stoic_rng_init_image(&rng, fault->seed, trial, group, STOIC_STREAM_MAP_SITE);
    stoic_status status = draw_site(fault, &rng, hits, err);
    if (status != STOIC_OK) {
        hits->site = -1;
        hits->count = 0;
        return status;
    }
    stoic_rng_init_image(&rng, fault->seed, trial, group, STOIC_STREAM_MAP_VALUE);
    draw_values(fault, &rng, severity, hits);
    hits->hit = hits->count > 0;
    return STOIC_OK;
}
