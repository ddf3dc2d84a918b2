#include "study/timing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fail.h"
#include "infer/stopwatch.h"
#include "stats/median.h"

enum { DECODINGS = 5 };

const char stoic_time_runtime[] = "runtime", stoic_time_decode_float[] = "decode+float",
           stoic_time_float[] = "float";

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

static stoic_status time_decoding(const stoic_store *store, double *out, stoic_error *err) {
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

stoic_status stoic_store_time_measure(const stoic_store *store, const stoic_store *reference,
                                      const stoic_dataset *data, stoic_store_time *out,
                                      stoic_error *err) {
    stoic_error why = {0};
    stoic_status status = STOIC_OK;
    *out = (stoic_store_time){.image_seconds = NAN, .ratio = NAN};
    TRY(time_decoding(store, &out->decode_seconds, err));
    status = stoic_stopwatch(store, reference, data, &out->image_seconds, &out->ratio, &why);
    if (status == STOIC_ERR_UNSUPPORTED) {
        snprintf(out->why, sizeof out->why, "%.60s%s%.190s", why.place, *why.place ? ": " : "",
                 why.message);
        return STOIC_OK;
    }
    if (status != STOIC_OK && err)
        *err = why;
done:
    return status;
}
