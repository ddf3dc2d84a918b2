/* Paper 1's Fig. 2: the error of a scaled weight under bit flips, drawn and in expectation. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/rng.h"
#include "stoic/study.h"
#include "store/scaling.h"
#include "study/pseudo_weights.h"

stoic_scaling_options stoic_scaling_options_default(void) {
    static const char *const formats[] = {"fp32", "fp16", "q2.5"};
    static const double scales[] = {1, 2, 3, 4, 5};
    return (stoic_scaling_options){.formats = formats,
                                   .n_formats = 3,
                                   .scales = scales,
                                   .n_scales = 5,
                                   .weights = stoic_pseudo_weights(),
                                   .n_weights = STOIC_PSEUDO_WEIGHTS,
                                   .ber = 0.1,
                                   .rounds = 1000000};
}

typedef struct target {
    stoic_format format;
    stoic_field protect;
    uint64_t free; /* bits that may flip */
} target;

typedef struct work {
    const stoic_scaling_options *options;
    target *targets;
    stoic_scaling_row *rows;
    struct cell *cells; /* n_scales a worker */
    atomic_size_t next; /* weight */
} work;

/* ---- drawing ---- */

/* 64 independent bits, each 1 with probability p. A uniform number is below p where, at the first
 * binary digit in which they differ, p has the 1: one random word compares that digit of all
 * numbers that are still undecided. Exact for every p, in about eight words. */
static uint64_t draw_flips(stoic_rng *rng, double p) {
    uint64_t undecided = ~(uint64_t)0, flips = 0;
    for (double rest = p; undecided && rest > 0.0;) {
        uint64_t digit = stoic_rng_u64(rng);
        rest *= 2.0; /* exact, and so is the difference */
        if (rest >= 1.0) {
            rest -= 1.0;
            flips |= undecided & ~digit;
            undecided &= digit;
        } else {
            undecided &= ~digit;
        }
    }
    return flips;
}

/* One weight under one scale, being drawn. */
typedef struct cell {
    uint64_t code;
    double scaled, calm; /* c W; the error if nothing flips */
    double sum, squares;
    int64_t excluded;
} cell;

/* value - c W, with the words of the format as they are. */
static double error_of(const target *t, const stoic_grid *grid, const cell *at, uint64_t flipped) {
    return fabs(stoic_format_value(&t->format, grid, at->code ^ flipped) - at->scaled);
}

static void count(cell *at, double error) {
    if (isfinite(error)) {
        at->sum += error;
        at->squares += error * error;
    } else {
        at->excluded++;
    }
}

/* The same flips for every scale: the curves differ by the scale, not by chance. */
static void draw(const work *w, const target *t, size_t weight, cell *cells) {
    const stoic_grid grid = {1.0f, 1.0, 0.0};
    const stoic_scaling_options *o = w->options;
    int bits = t->format.bits, each = 64 / bits;
    stoic_rng rng;
    stoic_rng_init(&rng, o->seed, weight, STOIC_STREAM_SCALING);
    for (int64_t done = 0; done < o->rounds;) {
        uint64_t many = draw_flips(&rng, o->ber);
        for (int i = 0; i < each && done < o->rounds; i++, done++) {
            uint64_t flipped = many & t->free;
            many = bits < 64 ? many >> bits : 0;
            for (size_t s = 0; s < o->n_scales; s++)
                count(&cells[s], flipped ? error_of(t, &grid, &cells[s], flipped) : cells[s].calm);
        }
    }
}

static void start(const target *t, double c, double weight, cell *out) {
    const stoic_grid grid = {1.0f, 1.0, 0.0};
    stoic_fit fit;
    *out = (cell){.scaled = c * weight};
    out->code = stoic_format_code(&t->format, &grid, out->scaled, &fit);
    out->calm = error_of(t, &grid, out, 0);
}

static void finish(const work *w, const target *t, double c, double weight, const cell *at,
                   stoic_scaling_row *out) {
    bool exact;
    double n = (double)(w->options->rounds - at->excluded), mean = at->sum / n;
    memcpy(out->format, t->format.name, sizeof out->format);
    out->c = c;
    out->weight = weight;
    out->error = n > 0 ? mean / fabs(c) : (double)NAN;
    out->standard_error =
        n > 1 ? sqrt(fmax(at->squares / n - mean * mean, 0.0) / (n - 1)) / fabs(c) : (double)NAN;
    out->exact = stoic_scaling_error(&t->format, &t->protect, w->options->ber, c, weight, &exact);
    out->excluded = at->excluded;
}

static void run(int worker, void *user) {
    work *w = user;
    const stoic_scaling_options *o = w->options;
    cell *cells = w->cells + (size_t)worker * o->n_scales;
    for (;;) {
        size_t i = atomic_fetch_add(&w->next, 1);
        if (i >= o->n_weights)
            return;
        for (size_t f = 0; f < o->n_formats; f++) {
            const target *t = &w->targets[f];
            for (size_t s = 0; s < o->n_scales; s++)
                start(t, o->scales[s], o->weights[i], &cells[s]);
            draw(w, t, i, cells);
            for (size_t s = 0; s < o->n_scales; s++)
                finish(w, t, o->scales[s], o->weights[i], &cells[s],
                       &w->rows[(f * o->n_scales + s) * o->n_weights + i]);
        }
    }
}

/* ---- what is asked for ---- */

static stoic_status check_numbers(const char *what, const double *values, size_t n, bool zero,
                                  stoic_error *err) {
    if (n < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "expected at least one %s", what);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i]) || (!zero && values[i] == 0.0))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "expected a %s that is finite%s, found %g", what,
                              zero ? "" : " and not 0", values[i]);
    }
    return STOIC_OK;
}

static stoic_status read_target(const char *format, const char *protect, target *out,
                                stoic_error *err) {
    stoic_status status = stoic_format_parse(format, &out->format, err);
    if (status != STOIC_OK)
        return status;
    bool is_float = stoic_format_is_float(&out->format);
    if (stoic_format_is_ranged(&out->format))
        return stoic_fail(
            err, STOIC_ERR_ARGUMENT, "",
            "a scale means nothing for %s, whose steps follow the range of the weights",
            out->format.name);
    memset(&out->protect, 0, sizeof out->protect);
    if (!protect && is_float)
        protect = "exponent-msb";
    if (protect && strcmp(protect, "none") != 0)
        status = stoic_field_parse(&out->format, 0, "bits", protect, &out->protect, err);
    out->format.hold = is_float;
    out->free = ~out->protect.bits[0];
    if (out->format.bits < 64)
        out->free &= ((uint64_t)1 << out->format.bits) - 1;
    return status;
}

static stoic_status prepare(work *w, int threads, size_t *n, stoic_error *err) {
    const stoic_scaling_options *o = w->options;
    stoic_status status = STOIC_OK;
    if (o->n_formats < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "expected at least one format");
    if (!(o->ber >= 0.0 && o->ber <= 1.0))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "expected a bit error rate from 0 to 1, found %g", o->ber);
    if (o->rounds < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "expected at least one round, found %lld",
                          (long long)o->rounds);
    TRY(check_numbers("scale", o->scales, o->n_scales, false, err));
    TRY(check_numbers("weight", o->weights, o->n_weights, true, err));
    if (__builtin_mul_overflow(o->n_formats, o->n_scales, n) ||
        __builtin_mul_overflow(*n, o->n_weights, n)) {
        status = stoic_fail_memory(err, "rows", ~0ULL);
        goto done;
    }
    w->targets = calloc(o->n_formats, sizeof *w->targets);
    w->cells = calloc(o->n_scales, (size_t)threads * sizeof *w->cells);
    w->rows = calloc(*n, sizeof *w->rows);
    if (!w->targets || !w->cells || !w->rows) {
        status = stoic_fail_memory(err, "rows", *n * sizeof *w->rows);
        goto done;
    }
    for (size_t f = 0; f < o->n_formats; f++)
        TRY(read_target(o->formats[f], o->protect, &w->targets[f], err));
done:
    return status;
}

stoic_status stoic_scaling_measure(const stoic_scaling_options *options, stoic_scaling_row **rows,
                                   size_t *n, stoic_error *err) {
    int threads = options->threads ? options->threads : stoic_cpu_count();
    stoic_status status = STOIC_OK;
    work w = {.options = options};
    *rows = NULL;
    if (threads < 1 || threads > 4096)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "expected 1 to 4096 threads, found %d",
                          threads);
    TRY(prepare(&w, threads, n, err));
    TRY(stoic_pool_run(threads, run, &w, err));
    *rows = w.rows;
    w.rows = NULL;
done:
    free(w.targets);
    free(w.cells);
    free(w.rows);
    return status;
}
