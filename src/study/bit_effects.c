/* What one flipped bit does to a stored weight, bit by bit. */
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "stoic/study.h"
#include "study/pseudo_weights.h"

enum { SAMPLE = 1 << 18 };

typedef struct sampled {
    int entry;
    int64_t index;
} sampled;

/* Evenly spaced over all stored weights. */
static int64_t choose(const stoic_store *store, sampled *out) {
    int64_t total = 0, n = 0, first = 0;
    for (int e = 0; e < stoic_store_entry_count(store); e++)
        total += stoic_store_entry_at(store, e)->weights;
    int64_t wanted = total < SAMPLE ? total : SAMPLE;
    for (int e = 0; e < stoic_store_entry_count(store); e++) {
        int64_t end = first + stoic_store_entry_at(store, e)->weights;
        for (; n < wanted; n++) {
            int64_t at = total / wanted * n + total % wanted * n / wanted;
            if (at >= end)
                break;
            out[n] = (sampled){e, at - first};
        }
        first = end;
    }
    return n;
}

/* The largest change in the word, and whether a weight is not finite any more. Words hold weights
 * that are not finite: those count neither way. False where all are. */
static bool measure(const stoic_store *store, int entry, int64_t word, int position, double *change,
                    bool *broken) {
    float before[STOIC_WORD_WEIGHTS], after[STOIC_WORD_WEIGHTS];
    stoic_word bits = stoic_store_word(store, entry, word);
    int n = stoic_store_weights(store, entry, word, &bits, before, NULL);
    bool any = false;
    bits.part[position / 64] ^= (uint64_t)1 << position % 64;
    stoic_store_weights(store, entry, word, &bits, after, NULL);
    *change = 0.0;
    *broken = false;
    for (int i = 0; i < n; i++) {
        if (!isfinite(before[i]))
            continue;
        any = true;
        if (!isfinite(after[i]))
            *broken = true;
        else
            *change = fmax(*change, fabs((double)after[i] - (double)before[i]));
    }
    return any;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int64_t n) {
    if (n == 0)
        return NAN;
    qsort(values, (size_t)n, sizeof *values, compare);
    return 0.5 * (values[(n - 1) / 2] + values[n / 2]);
}

/* False where no weight has such a bit. */
static bool measure_bit(const stoic_store *store, const sampled *weights, int64_t n, int bit,
                        double *changes, stoic_bit_row *out) {
    int64_t finite = 0, broken = 0;
    bool any = false;
    for (int64_t i = 0; i < n; i++) {
        int64_t word;
        double change;
        bool is_broken;
        int position = stoic_store_find(store, weights[i].entry, weights[i].index, bit, &word);
        if (position < 0)
            continue;
        if (!any) {
            stoic_place place;
            stoic_store_place(store, weights[i].entry, word, position, &place);
            *out = (stoic_bit_row){.bit = bit, .field = place.field};
            any = true;
        }
        if (!measure(store, weights[i].entry, word, position, &change, &is_broken))
            continue;
        if (is_broken)
            broken++;
        else
            changes[finite++] = change;
    }
    if (any) {
        out->median_change = median(changes, finite);
        out->share_nonfinite =
            finite + broken > 0 ? (double)broken / (double)(finite + broken) : (double)NAN;
    }
    return any;
}

stoic_status stoic_bits_measure(const stoic_model *model, const char *spec, stoic_bit_row **rows,
                                size_t *n, stoic_error *err) {
    enum { MOST_BITS = 64 * STOIC_WORD_PARTS };
    stoic_status status = STOIC_OK;
    stoic_model *own = NULL;
    stoic_store *store = NULL;
    sampled *weights = malloc(SAMPLE * sizeof *weights);
    double *changes = malloc(SAMPLE * sizeof *changes);
    stoic_bit_row *found = calloc(MOST_BITS, sizeof *found);
    *n = 0;
    if (!weights || !changes || !found) {
        status = stoic_fail_memory(err, "a sample of weights", SAMPLE * sizeof *weights);
        goto done;
    }
    if (!model)
        TRY(stoic_pseudo_model(&own, err));
    TRY(stoic_store_create(model ? model : own, spec, &store, err));
    int64_t sample = choose(store, weights);
    for (int bit = MOST_BITS - 1; bit >= 0; bit--)
        *n += measure_bit(store, weights, sample, bit, changes, &found[*n]);
    *rows = found;
    found = NULL;
done:
    free(weights);
    free(changes);
    free(found);
    stoic_store_free(store);
    stoic_model_free(own);
    return status;
}
