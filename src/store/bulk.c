#include "store/bulk.h"

#include <math.h>
#include <string.h>

#include "base/pool.h"
#include "runtime/packed.h"

extern const stoic_store_kernels stoic_store_kernels_portable;
#ifdef STOIC_X86
extern const stoic_store_kernels stoic_store_kernels_avx2, stoic_store_kernels_avx512;
#endif

int stoic_store_kernels_all(const stoic_store_kernels *sets[3]) {
    sets[0] = &stoic_store_kernels_portable;
#ifdef STOIC_X86
    sets[1] = &stoic_store_kernels_avx2;
    sets[2] = &stoic_store_kernels_avx512;
#endif
    return stoic_cpu_levels();
}

const stoic_store_kernels *stoic_store_kernels_get(void) {
    const stoic_store_kernels *sets[3];
    return sets[stoic_store_kernels_all(sets) - 1];
}

/* Weights a stretch; channels shorter than that go weight by weight. */
enum { STRETCH = STOIC_BULK_STRETCH, SHORTEST = 16 };

/* From weight `first` on: how many have the same grid, at most a stretch. */
static int same_grid(const stoic_lines *lines, int64_t first, int64_t weights) {
    int64_t n = weights - first;
    if (lines->channels > 1 && lines->inner - first % lines->inner < n)
        n = lines->inner - first % lines->inner;
    return n < STRETCH ? (int)n : STRETCH;
}

static stoic_value_rule rule_of(const stoic_store *store, int entry, int64_t index, bool scaled) {
    const stoic_format *format = &stoic_layout_of(store, entry)->format;
    const stoic_grid *grid = stoic_lines_grid(&store->lines[entry], index);
    stoic_value_rule rule = {.kind = format->kind,
                             .bits = format->bits,
                             .is_signed = format->kind != STOIC_FORMAT_AFFINE,
                             .hold = format->hold,
                             .step = grid->step,
                             .zero = grid->zero,
                             .scale = scaled ? (double)grid->scale : 1.0};
    double end = ldexp(1.0, format->bits - 1);
    if (format->kind == STOIC_FORMAT_FIXED)
        rule.step = ldexp(1.0, -format->fraction);
    rule.low = format->kind == STOIC_FORMAT_AFFINE ? 0
               : format->kind == STOIC_FORMAT_INT8 ? -127
                                                   : -end;
    rule.high = format->kind == STOIC_FORMAT_AFFINE ? 2 * end - 1 : end - 1;
    return rule;
}

bool stoic_bulk_decodes(const stoic_store *store, int entry) {
    const stoic_lines *lines = &store->lines[entry];
    return stoic_layout_of(store, entry)->format.bits <= 32 &&
           (lines->channels == 1 || lines->inner >= SHORTEST);
}

/* Does every scaled weight lie inside a fixed-point format? */
static bool fits(const stoic_store *store, int entry) {
    const stoic_format *format = &stoic_layout_of(store, entry)->format;
    return ldexp(store->lines[entry].largest, format->fraction) < ldexp(1.0, format->bits - 1) - 1;
}

bool stoic_bulk_encodes(const stoic_store *store, int entry) {
    bool is_fixed = stoic_layout_of(store, entry)->format.kind == STOIC_FORMAT_FIXED;
    return stoic_bulk_decodes(store, entry) &&
           stoic_layout_of(store, entry)->outliers == STOIC_OUTLIERS_KEEP &&
           (!is_fixed || fits(store, entry));
}

/* Can words be handled as numbers of 32 bits: one weight each, repeated or not? */
static bool is_narrow(const stoic_code *code) {
    return code->weights == 1 && code->word <= 32 && (code->copied || !code->redundant);
}

static void values(const stoic_store_kernels *k, const stoic_store *store, int entry, int64_t first,
                   int n, const uint32_t *codes, float *weights) {
    const bool scaled = stoic_layout_of(store, entry)->rescale == STOIC_RESCALE_WEIGHTS;
    for (int done = 0; done < n;) {
        stoic_value_rule rule = rule_of(store, entry, first + done, scaled);
        int m = same_grid(&store->lines[entry], first + done, first + n);
        k->decode(&rule, codes + done, m, weights + first + done);
        done += m;
    }
}

void stoic_bulk_decode(const stoic_store_kernels *k, const stoic_store *store, int entry,
                       float *weights) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const stoic_lines *lines = &store->lines[entry];
    const int stretch = STRETCH / code->weights * code->weights;
    const stoic_packed packed = {.words = stoic_code_words(code),
                                 .image = lines->image,
                                 .side_words = lines->side,
                                 .weights = store->entries[entry].weights};
    uint32_t codes[STRETCH + STOIC_BULK_ROOM];
    int64_t all = store->entries[entry].weights;
    for (int64_t first = 0; first < all; first += stretch) {
        int n = all - first < stretch ? (int)(all - first) : stretch;
        stoic_packed_codes(k, &packed, first, n, codes, NULL, NULL);
        values(k, store, entry, first, n, codes, weights);
    }
    for (int64_t i = 0; i < lines->n_sparse; i++)
        memcpy(&weights[lines->sparse[i]], &lines->given[lines->sparse[i]], sizeof *weights);
}

/* ---- encoding ---- */

static void codes_of(const stoic_store_kernels *k, stoic_store *store, int entry, int64_t first,
                     int n, uint32_t *codes) {
    stoic_bulk_fit fit = {0};
    for (int done = 0; done < n;) {
        stoic_value_rule rule = rule_of(store, entry, first + done, true);
        int m = same_grid(&store->lines[entry], first + done, first + n);
        k->encode(&rule, store->lines[entry].weights + first + done, m, codes + done, &fit);
        done += m;
    }
    store->facts.clamped += fit.held;
    store->facts.outside += fit.outside;
}

void stoic_bulk_encode(const stoic_store_kernels *k, stoic_store *store, int entry) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    stoic_lines *lines = &store->lines[entry];
    const int stretch = STRETCH / code->weights * code->weights;
    uint32_t codes[STRETCH + STOIC_BULK_ROOM];
    int64_t all = store->entries[entry].weights;
    for (int64_t first = 0; first < all; first += stretch) {
        int n = all - first < stretch ? (int)(all - first) : stretch;
        codes_of(k, store, entry, first, n, codes);
        if (!is_narrow(code)) {
            stoic_bulk_make_words(k, store, entry, first, n, codes);
            continue;
        }
        if (code->copied)
            k->repeat(codes, n, code->data, code->copied);
        k->bits->pack(lines->image, first * code->word, code->word, n, codes);
    }
}
