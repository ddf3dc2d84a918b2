/* What hardening costs: counted, and measured. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/fail.h"
#include "base/rng.h"
#include "model/graph.h"
#include "stoic/harden.h"
#include "stoic/session.h"

static bool computes(const stoic_node *n) {
    return !(n->op->facts & (STOIC_OP_MOVES | STOIC_OP_LAYER)) && n->op != &stoic_op_dropout;
}

stoic_price stoic_model_price(const stoic_model *m) {
    stoic_price price = {stoic_model_parameters(m), stoic_model_macs(m), stoic_model_macs(m)};
    for (size_t i = 0; i < m->n_nodes; i++) {
        int64_t count = stoic_shape_count(&m->values[m->nodes[i].out[0]].shape);
        if (computes(&m->nodes[i]) && price.operations < INT64_MAX - count)
            price.operations += count;
    }
    return price;
}

/* ---- time ---- */

enum { IMAGES = 64, ROUNDS = 7 };
static const double SECONDS = 0.02;              /* of a round, at least */
static const int64_t WORK = INT64_C(4000000000); /* multiply-adds of one run, at most */

typedef struct runner {
    stoic_program *program;
    stoic_session *session;
    double best; /* seconds an image */
} runner;

/* Of this thread alone: others may want the processor too. */
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static stoic_status prepare(runner *r, const stoic_model *model, stoic_error *err) {
    stoic_program_options options = stoic_program_options_default();
    stoic_status status = stoic_program_compile(model, &options, &r->program, err);
    r->best = INFINITY;
    return status == STOIC_OK ? stoic_session_create(r->program, &r->session, err) : status;
}

static stoic_status measure(runner *r, const float *images, int64_t n, float *out,
                            stoic_error *err) {
    double start = now(), spent;
    int64_t done = 0;
    do {
        stoic_status status = stoic_session_run(r->session, images, n, out, err);
        if (status != STOIC_OK)
            return status;
        done += n;
        spent = now() - start;
    } while (spent < SECONDS);
    r->best = fmin(r->best, spent / (double)done);
    return STOIC_OK;
}

/* Random images where there are no others; the same every time. */
static stoic_status fill(const stoic_dataset *data, int64_t n, int64_t size, float *images,
                         stoic_error *err) {
    stoic_rng rng;
    if (data)
        return stoic_dataset_read(data, 0, n, images, NULL, err);
    stoic_rng_init(&rng, 0, 0, STOIC_STREAM_VALUE);
    for (int64_t i = 0; i < n * size; i++)
        images[i] = (float)(2 * stoic_rng_unit(&rng) - 1);
    return STOIC_OK;
}

stoic_status stoic_model_time_ratio(const stoic_model *before, const stoic_model *after,
                                    const stoic_dataset *data, double *ratio, stoic_error *err) {
    stoic_status status = STOIC_OK;
    runner old = {0}, hard = {0};
    int64_t size = stoic_shape_count(stoic_model_input_shape(before)), n = IMAGES;
    int64_t classes = stoic_model_classes(before);
    if (stoic_shape_count(stoic_model_input_shape(after)) != size ||
        stoic_model_classes(after) != classes ||
        (data && stoic_shape_count(stoic_dataset_shape(data)) != size))
        return stoic_fail(err, STOIC_ERR_SHAPE, "", "the two networks do not take the same images");
    if (data && stoic_dataset_count(data) < n)
        n = stoic_dataset_count(data);
    while (n > 1 && stoic_model_macs(after) > WORK / n)
        n /= 2;
    float *images = malloc((size_t)(n * size) * sizeof *images);
    float *out = malloc((size_t)(n * classes) * sizeof *out);
    if (!images || !out) {
        status = stoic_fail_memory(err, "images", (unsigned long long)(n * size));
        goto done;
    }
    TRY(fill(data, n, size, images, err));
    TRY(prepare(&old, before, err));
    TRY(prepare(&hard, after, err));
    for (int i = 0; i < ROUNDS; i++) {
        TRY(measure(&old, images, n, out, err));
        TRY(measure(&hard, images, n, out, err));
    }
    *ratio = hard.best / old.best;
done:
    stoic_session_free(old.session);
    stoic_session_free(hard.session);
    stoic_program_free(old.program);
    stoic_program_free(hard.program);
    free(images);
    free(out);
    return status;
}
