#include "store/scaling.h"

#include <math.h>
#include <string.h>

enum { MAX_EXPONENTS = 2048 }; /* fp64: 11 bits */

/*
 * Floating point, once the exponent's code e is known: what flips of the sign or exponent add to
 * the expectation is linear in the mantissa's expected value and in |c W|, because
 *   sign flipped:                   |v' - cW| = |v'| + |cW|
 *   sign as it was, exponent e':    |v' - cW| = ±(|v'| - |cW|), + where e' > e.
 * The latter holds although c W is not yet rounded: rounding never passes the next value.
 */
typedef struct line {
    double constant, mantissa, magnitude;
    double unit,
        stays; /* of the last place; the probability that neither sign nor exponent flips */
    bool known, finite;
} line;

typedef struct flips {
    const stoic_format *format;
    stoic_grid grid;
    double ber;
    uint64_t free; /* bits that may flip */
    line lines[MAX_EXPONENTS];
} flips;

static void flips_init(flips *f, const stoic_format *format, const stoic_field *protect,
                       double ber) {
    f->format = format;
    stoic_grid_fit(format, -1.0, 1.0, &f->grid);
    f->ber = ber;
    f->free = ~protect->bits[0];
    if (stoic_format_is_float(format))
        memset(f->lines, 0, sizeof *f->lines << (format->exponent_high - format->exponent_low + 1));
}

static double probability(const flips *f, int bit) {
    return f->free >> bit & 1 ? f->ber : 0.0;
}

/*
 * The lowest `bits` bits of a code as a number in units of the last place; `falling` are the bits
 * that count negative. rest = (c W - v) in the same units.
 *
 * |rest| <= 1: the highest bit h that flips decides the sign of v' - c W, since the lower ones add
 * up to less. With F the expectation over the bits below h and L their expected sum,
 *   F[h+1] = (1 - p) F[h] + p (2^h + s (L - rest)),  s = ±1: the direction in which h flips.
 * |rest| > 1: c W lies beyond every code (it wrapped around or was held back), so the sign is that
 * of the expected difference. *drift is the expected change of the number.
 */
static double number_error(const flips *f, uint64_t code, int bits, uint64_t falling, double rest,
                           double *drift) {
    double error = fabs(rest), sum = 0.0, weight = 1.0;
    for (int h = 0; h < bits; h++, weight *= 2.0) {
        double p = probability(f, h);
        double direction = 1.0 - 2.0 * (double)((code ^ falling) >> h & 1);
        error += p * (weight + direction * (sum - rest) - error);
        sum += p * direction * weight;
    }
    *drift = sum;
    return fabs(rest) <= 1.0 ? error : fabs(sum - rest);
}

/* The unit of the last place under exponent code e; 0 is that of the subnormals. */
static double unit_of(const stoic_format *format, uint64_t e) {
    int bias = (1 << (format->exponent_high - format->exponent_low)) - 1;
    return ldexp(1.0, (e ? (int)e : 1) - bias - format->exponent_low);
}

/* Multiplied out: results do not depend on libm. */
static double pattern_probability(const flips *f, uint64_t flipped, uint64_t free) {
    double p = 1.0;
    for (; free; free >>= 1, flipped >>= 1) {
        if (free & 1)
            p *= flipped & 1 ? f->ber : 1.0 - f->ber;
    }
    return p;
}

static void fill_line(const flips *f, uint64_t e, line *out) {
    const stoic_format *format = f->format;
    uint64_t special = ((uint64_t)2 << (format->exponent_high - format->exponent_low)) - 1;
    uint64_t free = f->free >> format->exponent_low & special, flipped = 0;
    double hidden = ldexp(1.0, format->exponent_low), sign = probability(f, format->sign);
    *out = (line){.known = true, .finite = true, .unit = unit_of(format, e)};
    out->stays = (1.0 - sign) * pattern_probability(f, 0, free);
    do { /* every subset of the free bits */
        uint64_t to = e ^ flipped;
        bool possible = (flipped == 0 || f->ber > 0.0) && (flipped == free || f->ber < 1.0);
        double p = pattern_probability(f, flipped, free), kept = 0.0;
        if (possible && to == special)
            out->finite = false;
        if (to != e)
            kept = (1.0 - sign) * (to > e ? p : -p);
        double unit = unit_of(format, to), both = kept + sign * p;
        out->constant += both * unit * (to ? hidden : 0.0);
        out->mantissa += both * unit;
        out->magnitude += sign * p - kept;
        flipped = (flipped - free) & free;
    } while (flipped);
}

static double float_error(flips *f, double scaled, bool *exact) {
    const stoic_format *format = f->format;
    stoic_fit fit;
    uint64_t code = stoic_format_code(format, &f->grid, scaled, &fit);
    uint64_t special = ((uint64_t)2 << (format->exponent_high - format->exponent_low)) - 1;
    uint64_t e = code >> format->exponent_low & special;
    uint64_t mantissa = code & (((uint64_t)1 << format->exponent_low) - 1);
    line *known = &f->lines[e];
    if (!known->known)
        fill_line(f, e, known);
    *exact = known->finite && e != special;
    if (!*exact)
        return NAN;
    double drift, magnitude = fabs(scaled);
    double value = fabs(stoic_format_value(format, &f->grid, code));
    double same = number_error(f, mantissa, format->exponent_low, 0,
                               (magnitude - value) / known->unit, &drift);
    return known->constant + known->mantissa * ((double)mantissa + drift) +
           known->magnitude * magnitude + known->stays * known->unit * same;
}

static double integer_error(const flips *f, double scaled) {
    const stoic_format *format = f->format;
    stoic_fit fit;
    double step = format->kind == STOIC_FORMAT_FIXED ? ldexp(1.0, -format->fraction) : f->grid.step;
    uint64_t code = stoic_format_code(format, &f->grid, scaled, &fit);
    uint64_t falling = format->sign >= 0 ? (uint64_t)1 << format->sign : 0;
    double rest = (scaled - stoic_format_value(format, &f->grid, code)) / step;
    double drift;
    return number_error(f, code, format->bits, falling, rest, &drift) * step;
}

static double error_of(flips *f, double c, double weight, bool *exact) {
    double scaled = c * weight;
    *exact = isfinite(scaled) && isfinite(c) && c != 0.0;
    if (!*exact)
        return NAN;
    double error =
        stoic_format_is_float(f->format) ? float_error(f, scaled, exact) : integer_error(f, scaled);
    return error / fabs(c);
}

double stoic_scaling_error(const stoic_format *format, const stoic_field *protect, double ber,
                           double c, double weight, bool *exact) {
    flips f;
    flips_init(&f, format, protect, ber);
    return error_of(&f, c, weight, exact);
}

/* ---- the best factor ---- */

enum { LARGEST = 512, OTHERS = 512, SECTIONS = 8 };

typedef struct sample {
    float weights[LARGEST + OTHERS];
    int n_largest, n;
    double share; /* weights that each of the others stands for */
} sample;

/* A heap whose top is the smallest of the largest magnitudes. */
static void sift(float *heap, int n) {
    for (int i = 0;;) {
        int least = i;
        for (int child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
            least = fabsf(heap[child]) < fabsf(heap[least]) ? child : least;
        if (least == i)
            return;
        float kept = heap[i];
        heap[i] = heap[least];
        heap[least] = kept;
        i = least;
    }
}

static void heap_add(sample *s, float weight) {
    if (s->n_largest == LARGEST) {
        if (fabsf(weight) > fabsf(s->weights[0])) {
            s->weights[0] = weight;
            sift(s->weights, LARGEST);
        }
        return;
    }
    int i = s->n_largest++;
    for (; i > 0 && fabsf(s->weights[(i - 1) / 2]) > fabsf(weight); i = (i - 1) / 2)
        s->weights[i] = s->weights[(i - 1) / 2];
    s->weights[i] = weight;
}

static void sample_take(sample *s, const float *weights, int64_t n, int64_t inner, int64_t channels,
                        int64_t channel) {
    int64_t count = n / channels, points = count < OTHERS ? count : OTHERS;
    s->n_largest = 0;
    for (int64_t j = 0; j < count; j++)
        heap_add(s, weights[(j / inner * channels + channel) * inner + j % inner]);
    s->n = s->n_largest;
    float least = s->n ? fabsf(s->weights[0]) : 0.0f;
    for (int64_t k = 0; k < points && count > LARGEST; k++) {
        int64_t j = k * (count / points) + k * (count % points) / points;
        float weight = weights[(j / inner * channels + channel) * inner + j % inner];
        if (fabsf(weight) < least)
            s->weights[s->n++] = weight;
    }
    s->share = s->n > s->n_largest ? (double)(count - LARGEST) / (s->n - s->n_largest) : 0.0;
}

/* INFINITY where there is no expectation. */
static double mean_error(flips *f, const sample *s, float c) {
    double largest = 0.0, others = 0.0;
    bool exact = true;
    for (int i = 0; i < s->n && exact; i++) {
        double error = error_of(f, (double)c, (double)s->weights[i], &exact);
        *(i < s->n_largest ? &largest : &others) += error;
    }
    return exact ? (largest + s->share * others) / (s->n_largest + s->share * (s->n - s->n_largest))
                 : INFINITY;
}

typedef struct best {
    float c;
    double error;
} best;

static double attempt(flips *f, const sample *s, double c, best *so_far) {
    float factor = (float)c;
    double error = isfinite(factor) && factor > 0 ? mean_error(f, s, factor) : INFINITY;
    if (error < so_far->error)
        *so_far = (best){factor, error};
    return error;
}

/* The error has jumps, so the sections may miss its least value; what was tried is kept. */
static void refine(flips *f, const sample *s, double low, double high, best *so_far) {
    static const double golden = 0.6180339887498949;
    double a = high - golden * (high - low), b = low + golden * (high - low);
    double at_a = attempt(f, s, a, so_far), at_b = attempt(f, s, b, so_far);
    for (int i = 0; i < SECTIONS; i++) {
        if (at_a <= at_b) {
            high = b;
            b = a;
            at_b = at_a;
            a = high - golden * (high - low);
            at_a = attempt(f, s, a, so_far);
        } else {
            low = a;
            a = b;
            at_a = at_b;
            b = low + golden * (high - low);
            at_b = attempt(f, s, b, so_far);
        }
    }
}

/* Over all weights of the channel. */
static double whole_error(flips *f, const float *weights, int64_t n, int64_t inner,
                          int64_t channels, int64_t channel, float c) {
    double sum = 0.0;
    bool exact = true;
    for (int64_t j = 0; j < n / channels && exact; j++) {
        float weight = weights[(j / inner * channels + channel) * inner + j % inner];
        sum += error_of(f, (double)c, (double)weight, &exact);
    }
    return exact ? sum : INFINITY;
}

/* The least over the sample among factors in a geometric row and those around the best of them. */
static float search(flips *f, const sample *s, double low, double high) {
    static const double ratio = 1.09;
    best found = {(float)high, INFINITY};
    attempt(f, s, high, &found);
    for (double c = low; c < high; c *= ratio)
        attempt(f, s, c, &found);
    double at = (double)found.c;
    refine(f, s, fmax(at / ratio, low), fmin(at * ratio, high), &found);
    return found.c;
}

float stoic_scaling_best(const stoic_format *format, const stoic_field *protect, double ber,
                         const float *weights, int64_t n, int64_t inner, int64_t channels,
                         int64_t channel, double largest) {
    bool is_float = stoic_format_is_float(format);
    double end = is_float ? 2.0 : -stoic_format_limit(format, true);
    double t = is_float ? 1.9999 : 0.985 * end, high = is_float ? t : end * 16;
    stoic_field held = *protect;
    flips f;
    sample s;
    best found = {(float)(t / largest), INFINITY};
    if (is_float)
        held.bits[0] |= (uint64_t)1 << format->exponent_high;
    flips_init(&f, format, &held, ber);
    sample_take(&s, weights, n, inner, channels, channel);
    /* The paper's factor first: another one must be better, not as good. */
    const float finals[] = {found.c, search(&f, &s, end / 8 / largest, high / largest), 1.0f};
    for (size_t i = 0; i < sizeof finals / sizeof *finals; i++) {
        double error = isfinite(finals[i]) && finals[i] > 0
                           ? whole_error(&f, weights, n, inner, channels, channel, finals[i])
                           : INFINITY;
        if (error < found.error)
            found = (best){finals[i], error};
    }
    return found.c;
}
