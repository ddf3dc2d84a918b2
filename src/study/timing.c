#include "study/timing.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fail.h"

enum { DECODINGS = 5 };

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double stoic_median(double *values, size_t n) {
    qsort(values, n, sizeof *values, compare_doubles);
    return values[n / 2];
}

/* Every weight once, tensor after tensor. */
static stoic_status decode_all(const stoic_store *store, float *weights, double *seconds,
                               stoic_error *err) {
    double start = stoic_clock();
    for (int i = 0; i < stoic_store_entry_count(store); i++) {
        stoic_status status = stoic_store_decode(store, i, weights, err);
        if (status != STOIC_OK)
            return status;
    }
    *seconds = stoic_clock() - start;
    return STOIC_OK;
}

stoic_status stoic_store_time(const stoic_store *store, double *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t most = 1;
    double seconds[DECODINGS];
    for (int i = 0; i < stoic_store_entry_count(store); i++) {
        const stoic_store_entry *entry = stoic_store_entry_at(store, i);
        most = entry->weights > most ? entry->weights : most;
    }
    float *weights = calloc((size_t)most, sizeof *weights);
    if (!weights)
        return stoic_fail_memory(err, "decoded weights",
                                 (unsigned long long)most * sizeof *weights);
    for (int i = 0; i < DECODINGS; i++)
        TRY(decode_all(store, weights, &seconds[i], err));
    *out = stoic_median(seconds, DECODINGS);
done:
    free(weights);
    return status;
}
