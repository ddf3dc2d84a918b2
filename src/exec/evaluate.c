/* Accuracy over a data set: workers take slices of images; each decodes and runs its own. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/pool.h"
#include "exec/run.h"
#include "stoic/dataset.h"

typedef struct evaluation {
    const stoic_program *program;
    const stoic_dataset *data;
    float *outputs;
    int64_t slice, images, classes;
    atomic_llong next, correct, nan, alarms;
    atomic_int status;
    stoic_error error; /* of the worker that failed first */
} evaluation;

static stoic_status run_slice(evaluation *e, stoic_session *session, int64_t first, float *images,
                              int *labels, float *out, uint8_t *alarms, stoic_error *err) {
    int64_t n = e->images - first < e->slice ? e->images - first : e->slice;
    int64_t correct = 0, with_nan = 0, alarmed = 0;
    stoic_status status = STOIC_OK;
    if (e->outputs)
        out = e->outputs + first * e->classes;
    TRY(stoic_dataset_read(e->data, first, n, images, labels, err));
    TRY(stoic_session_run_watched(session, images, n, out, alarms, err));
    for (int64_t i = 0; i < n; i++) {
        bool nan;
        int top = stoic_top1(out + i * e->classes, e->classes, &nan);
        with_nan += nan;
        alarmed += alarms[i];
        correct += !nan && top == labels[i]; /* strict: an output with a NaN is wrong */
    }
    atomic_fetch_add(&e->correct, correct);
    atomic_fetch_add(&e->nan, with_nan);
    atomic_fetch_add(&e->alarms, alarmed);
done:
    return status;
}

static void worker(int index, void *user) {
    (void)index;
    evaluation *e = user;
    stoic_status status = STOIC_OK;
    stoic_error error = {0};
    stoic_session *session = NULL;
    int64_t size = stoic_shape_count(stoic_dataset_shape(e->data));
    float *images = malloc((size_t)(e->slice * size) * sizeof *images);
    int *labels = malloc((size_t)e->slice * sizeof *labels);
    float *out = malloc((size_t)(e->slice * e->classes) * sizeof *out);
    uint8_t *alarms = malloc((size_t)e->slice);
    if (!images || !labels || !out || !alarms) {
        status =
            stoic_fail_memory(&error, "a slice of images", (unsigned long long)(e->slice * size));
        goto done;
    }
    TRY(stoic_session_create(e->program, &session, &error));
    while (atomic_load(&e->status) == STOIC_OK) {
        int64_t first = atomic_fetch_add(&e->next, e->slice);
        if (first >= e->images)
            break;
        TRY(run_slice(e, session, first, images, labels, out, alarms, &error));
    }
done:
    if (status != STOIC_OK) {
        int none = STOIC_OK;
        if (atomic_compare_exchange_strong(&e->status, &none, (int)status))
            e->error = error;
    }
    stoic_session_free(session);
    free(images);
    free(labels);
    free(out);
    free(alarms);
}

stoic_status stoic_evaluate(const stoic_program *program, const struct stoic_dataset *data,
                            int threads, float *outputs, stoic_evaluation *out, stoic_error *err) {
    const stoic_model *model = stoic_program_model(program);
    evaluation e = {.program = program,
                    .data = data,
                    .outputs = outputs,
                    .images = stoic_dataset_count(data),
                    .classes = stoic_model_classes(model)};
    double start = stoic_clock();
    e.slice = stoic_program_batch(program);
    e.slice *= e.slice < 32 ? (32 + e.slice - 1) / e.slice : 1;
    if (threads <= 0)
        threads = stoic_cpu_count();
    if (stoic_shape_count(stoic_dataset_shape(data)) !=
        stoic_shape_count(stoic_model_input_shape(model)))
        return stoic_fail(err, STOIC_ERR_SHAPE, "", "the images do not fit the network's input");
    stoic_status status = stoic_pool_run(threads, worker, &e, err);
    if (status != STOIC_OK)
        return status;
    if (atomic_load(&e.status) != STOIC_OK) {
        if (err)
            *err = e.error;
        return (stoic_status)atomic_load(&e.status);
    }
    *out = (stoic_evaluation){.images = e.images,
                              .correct = e.correct,
                              .nan = e.nan,
                              .alarms = e.alarms,
                              .watched = program->alarm >= 0};
    out->accuracy = e.images ? (double)e.correct / (double)e.images : 0;
    out->seconds = stoic_clock() - start;
    out->images_per_second = out->seconds > 0 ? (double)e.images / out->seconds : 0;
    return STOIC_OK;
}

stoic_status stoic_evaluate_model(const stoic_model *model, const struct stoic_dataset *data,
                                  int threads, stoic_evaluation *out, stoic_error *err) {
    stoic_program_options compile = stoic_program_options_default();
    stoic_program *program = NULL;
    stoic_status status = stoic_program_compile(model, &compile, &program, err);
    if (status == STOIC_OK)
        status = stoic_evaluate(program, data, threads, NULL, out, err);
    stoic_program_free(program);
    return status;
}
