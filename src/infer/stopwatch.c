#include "infer/stopwatch.h"

#include <stdlib.h>
#include <time.h>

#include "base/fail.h"
#include "infer/infer_inside.h"
#include "stats/median.h"
#include "store/stw_sheet.h"

enum { IMAGES = 8, ROUNDS = 11, FEWEST = 5, ALIGN = 64, MOST_TURN = 1024 };
static const double turn = 0.002; /* seconds of one side in a round, at least */
static const double budget = 3.0; /* of all rounds, unless that leaves too few */

/* One store, running. */
typedef struct side {
    uint8_t *file;
    void *memory;
    float *outputs;
    stoic_run *run;
} side;

/* What both run on. */
typedef struct course {
    float *images;
    int64_t size; /* floats of an image */
    int n;        /* images */
} course;

static void stop(side *s) {
    free(s->file);
    free(s->memory);
    free(s->outputs);
}

/* To be stopped, also on failure. */
static stoic_status start(const stoic_store *store, side *s, stoic_error *err) {
    const stoic_run_set set = stoic_infer_best_set();
    const char *name = stoic_store_text(store);
    stoic_run_facts facts;
    stoic_status status = STOIC_OK;
    uint64_t bytes;
    size_t size;
    TRY(stoic_store_write_memory(store, &s->file, &size, err));
    TRY(stoic_run_look(s->file, size, name, &facts, err));
    TRY(stoic_run_memory(s->file, size, name, 1, STOIC_FP32_ACTIVATIONS, &bytes, err));
    s->memory = aligned_alloc(ALIGN, (bytes + ALIGN - 1) / ALIGN * ALIGN);
    s->outputs = calloc((size_t)facts.classes, sizeof *s->outputs);
    if (!s->memory || !s->outputs)
        return stoic_fail_memory(err, "a run", bytes);
    status = stoic_run_start_with(&set, s->file, size, name, NULL, 1, STOIC_FP32_ACTIVATIONS,
                                  s->memory, bytes, &s->run, err);
done:
    return status;
}

static stoic_status read_images(const stoic_dataset *data, course *c, stoic_error *err) {
    int labels[IMAGES];
    c->size = stoic_shape_count(stoic_dataset_shape(data));
    c->n = stoic_dataset_count(data) < IMAGES ? (int)stoic_dataset_count(data) : IMAGES;
    if (c->n < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "there are no images to take the time of");
    c->images = calloc((size_t)c->n, (size_t)c->size * sizeof *c->images);
    if (!c->images)
        return stoic_fail_memory(err, "images", (size_t)(c->n * c->size));
    return stoic_dataset_read(data, 0, c->n, c->images, labels, err);
}

/* Of this thread, which is all there is in a run: waiting for others who compute is left out. */
static double processor_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Seconds of an image, over n of them one after another. */
static stoic_status run(const side *s, const course *c, int n, double *seconds, stoic_error *err) {
    const double begun = processor_time();
    for (int i = 0; i < n; i++) {
        stoic_status status =
            stoic_run_images(s->run, c->images + i % c->n * c->size, 1, s->outputs, NULL, err);
        if (status != STOIC_OK)
            return status;
    }
    *seconds = (processor_time() - begun) / n;
    return STOIC_OK;
}

/* Who begins changes from round to round: neither gains by a cache that the other has filled. */
static stoic_status race(side sides[2], const course *c, double *seconds, double *ratio,
                         stoic_error *err) {
    double times[2][ROUNDS], ratios[ROUNDS], once[2];
    stoic_status status = STOIC_OK;
    for (int warm = 0; warm < 2; warm++) {
        for (int k = 0; k < 2; k++)
            TRY(run(&sides[k], c, 1, &once[k], err));
    }
    const double both = once[0] + once[1] + 1e-9;
    const int each = 2 * turn / both > MOST_TURN ? MOST_TURN : (int)(2 * turn / both) + 1;
    const double rounds = budget / (both * each);
    const int n = rounds > ROUNDS ? ROUNDS : rounds < FEWEST ? FEWEST : (int)rounds;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < 2; k++)
            TRY(run(&sides[(i + k) % 2], c, each, &times[(i + k) % 2][i], err));
        ratios[i] = times[0][i] / times[1][i];
    }
    *seconds = stoic_median(times[0], (size_t)n);
    *ratio = stoic_median(ratios, (size_t)n);
done:
    return status;
}

stoic_status stoic_stopwatch(const stoic_store *store, const stoic_store *reference,
                             const stoic_dataset *data, double *seconds, double *ratio,
                             stoic_error *err) {
    side sides[2] = {{0}};
    course c = {0};
    stoic_status status = STOIC_OK;
    TRY(start(store, &sides[0], err));
    TRY(start(reference ? reference : store, &sides[1], err));
    TRY(read_images(data, &c, err));
    TRY(race(sides, &c, seconds, ratio, err));
    if (!reference)
        *ratio = 1.0;
done:
    free(c.images);
    stop(&sides[0]);
    stop(&sides[1]);
    return status;
}
