/* The images of a data set in their own order, decoded ahead. */
#include <stdlib.h>

#include "base/fail.h"
#include "data/conveyor.h"
#include "stoic/dataset.h"

enum { READ_AT_ONCE = 16 };

struct stoic_prefetch {
    const stoic_dataset *dataset;
    int64_t batch;
    size_t elements; /* of one image */
    stoic_conveyor *conveyor;
};

/* A few images at a time, so that free() does not wait for a whole batch. */
static stoic_status read_batch(void *user, const stoic_cancel *stop, int64_t number,
                               stoic_load *load, stoic_error *err) {
    const stoic_prefetch *prefetch = user;
    int64_t first = number * prefetch->batch;
    int64_t left = stoic_dataset_count(prefetch->dataset) - first;
    int64_t n = left < prefetch->batch ? left : prefetch->batch;
    load->count = 0;
    while (load->count < n && !stoic_cancel_test(stop)) {
        int64_t more = n - load->count;
        more = more < READ_AT_ONCE ? more : READ_AT_ONCE;
        stoic_status status =
            stoic_dataset_read(prefetch->dataset, first + load->count, more,
                               load->images + (size_t)load->count * prefetch->elements,
                               load->labels + load->count, err);
        if (status != STOIC_OK)
            return status;
        load->count += more;
    }
    return STOIC_OK;
}

stoic_status stoic_prefetch_start(const stoic_dataset *dataset, int64_t batch, stoic_prefetch **out,
                                  stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t count = stoic_dataset_count(dataset);
    if (batch < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "a batch of %lld images, expected 1 or more",
                          (long long)batch);
    stoic_prefetch *prefetch = calloc(1, sizeof *prefetch);
    if (!prefetch)
        return stoic_fail_memory(err, "decoding ahead", sizeof *prefetch);
    prefetch->dataset = dataset;
    prefetch->batch = batch < count ? batch : count;
    prefetch->elements = (size_t)stoic_shape_count(stoic_dataset_shape(dataset));
    TRY(stoic_conveyor_start(read_batch, prefetch, (count - 1) / prefetch->batch + 1,
                             prefetch->batch, prefetch->elements, STOIC_CONVEYOR_WORKERS,
                             &prefetch->conveyor, err));
    *out = prefetch;
    prefetch = NULL;
done:
    stoic_prefetch_free(prefetch);
    return status;
}

stoic_status stoic_prefetch_next(stoic_prefetch *prefetch, const float **images, const int **labels,
                                 int64_t *count, stoic_error *err) {
    const stoic_load *load = stoic_conveyor_next(prefetch->conveyor);
    *count = 0;
    *images = NULL;
    *labels = NULL;
    if (!load)
        return STOIC_OK;
    if (load->status != STOIC_OK)
        return stoic_fail(err, load->status, load->error.place, "%s", load->error.message);
    *images = load->images;
    *labels = load->labels;
    *count = load->count;
    return STOIC_OK;
}

void stoic_prefetch_free(stoic_prefetch *prefetch) {
    if (!prefetch)
        return;
    stoic_conveyor_free(prefetch->conveyor);
    free(prefetch);
}
