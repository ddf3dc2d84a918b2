#include "harden/endurance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "stoic/fault.h"
#include "stoic/session.h"

/* Equal steps of half a decade, so that the trapezoid rule weighs all but the ends alike. */
static const char *const rates[] = {"1e-7", "3e-7", "1e-6", "3e-6", "1e-5", "3e-5"};
enum { RATES = sizeof rates / sizeof *rates, TRIALS = 6, ITEMS = RATES * TRIALS, IMAGES = 200 };
/* Not a seed that anybody would evaluate with. */
static const uint64_t SEED = UINT64_C(0x656e647572650000);

typedef struct item {
    stoic_edit *edits;
    size_t n;
} item;

struct stoic_endurance {
    item items[ITEMS]; /* rate by rate */
    float *images;
    int *labels;
    int64_t n, classes;
    int threads;
    const stoic_harden_options *options;
};

/* One question put to the workers. Item ITEMS is the network without faults. */
typedef struct question {
    const stoic_endurance *e;
    const stoic_program *program;
    int64_t correct[ITEMS + 1];
    atomic_int next, status;
    stoic_error error; /* of the worker that failed first */
} question;

void stoic_endurance_free(stoic_endurance *e) {
    if (!e)
        return;
    for (int i = 0; i < ITEMS; i++)
        free(e->items[i].edits);
    free(e->images);
    free(e->labels);
    free(e);
}

/* ---- the faults ---- */

static stoic_status edits_of(const stoic_store *store, const stoic_hits *hits, item *out,
                             stoic_error *err) {
    out->n = hits->count;
    out->edits = calloc(hits->count + 1, sizeof *out->edits);
    if (!out->edits)
        return stoic_fail_memory(err, "changed weights", hits->count * sizeof *out->edits);
    return stoic_store_apply(store, hits->items, hits->count, out->edits, &out->n, NULL, err);
}

static stoic_status draw_rate(stoic_endurance *e, const stoic_store *store, int rate,
                              stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_fault *fault = NULL;
    stoic_hits hits = {0};
    char spec[32];
    snprintf(spec, sizeof spec, "ber:%s", rates[rate]);
    TRY(stoic_fault_create(store, spec, SEED + (uint64_t)rate, &fault, err));
    for (int t = 0; t < TRIALS; t++) {
        TRY(stoic_fault_draw(fault, t, &hits, err));
        TRY(edits_of(store, &hits, &e->items[rate * TRIALS + t], err));
    }
done:
    stoic_hits_deinit(&hits);
    stoic_fault_free(fault);
    return status;
}

static stoic_status draw_all(stoic_endurance *e, const stoic_model *model, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_store *store = NULL;
    TRY(stoic_store_create(model, "fp32", &store, err));
    for (int r = 0; r < RATES; r++)
        TRY(draw_rate(e, store, r, err));
done:
    stoic_store_free(store);
    return status;
}

static stoic_status read_images(stoic_endurance *e, const stoic_harden_options *o,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t every = o->every > 0 ? o->every : 1;
    int64_t there = (stoic_dataset_count(o->data) + every - 1) / every;
    int64_t size = stoic_shape_count(stoic_dataset_shape(o->data));
    e->n = there < IMAGES ? there : IMAGES;
    e->images = malloc((size_t)(e->n * size + 1) * sizeof *e->images);
    e->labels = malloc((size_t)(e->n + 1) * sizeof *e->labels);
    if (!e->images || !e->labels)
        return stoic_fail_memory(err, "images", (unsigned long long)(e->n * size) * 4);
    for (int64_t i = 0; i < e->n; i++)
        TRY(stoic_dataset_read(o->data, there * i / e->n * every, 1, e->images + i * size,
                               e->labels + i, err));
done:
    return status;
}

stoic_status stoic_endurance_create(const stoic_pass_run *run, const stoic_model *model,
                                    stoic_endurance **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_endurance *e = calloc(1, sizeof *e);
    *out = NULL;
    if (!e)
        return stoic_fail_memory(err, "faults to tune by", sizeof *e);
    e->classes = stoic_model_classes(model);
    e->options = run->options;
    e->threads = run->options->threads > 0 ? run->options->threads : stoic_cpu_count();
    TRY(draw_all(e, model, err));
    TRY(read_images(e, run->options, err));
    *out = e;
    e = NULL;
done:
    stoic_endurance_free(e);
    return status;
}

/* ---- the question ---- */

static stoic_status answer(question *q, int i, stoic_session *session, float *out,
                           stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_endurance *e = q->e;
    bool nan;
    TRY(stoic_pass_go_on(e->options, err));
    if (i < ITEMS)
        TRY(stoic_session_edit(session, e->items[i].edits, e->items[i].n, err));
    TRY(stoic_session_run(session, e->images, e->n, out, err));
    for (int64_t k = 0; k < e->n; k++)
        q->correct[i] += stoic_top1(out + k * e->classes, e->classes, &nan) == e->labels[k] && !nan;
done:
    stoic_session_restore(session);
    return status;
}

static void worker(int index, void *user) {
    (void)index;
    question *q = user;
    stoic_status status = STOIC_OK;
    stoic_error error = {0};
    stoic_session *session = NULL;
    float *out = malloc((size_t)(q->e->n * q->e->classes + 1) * sizeof *out);
    if (!out) {
        status = stoic_fail_memory(&error, "outputs", 0);
        goto done;
    }
    TRY(stoic_session_create(q->program, &session, &error));
    while (atomic_load(&q->status) == STOIC_OK) {
        int i = atomic_fetch_add(&q->next, 1);
        if (i > ITEMS)
            break;
        if (i == ITEMS || q->e->items[i].n) /* without a fault it is as the last one */
            TRY(answer(q, i, session, out, &error));
    }
done:
    if (status != STOIC_OK) {
        int none = STOIC_OK;
        if (atomic_compare_exchange_strong(&q->status, &none, (int)status))
            q->error = error;
    }
    stoic_session_free(session);
    free(out);
}

/* Trapezoids over the rates, divided by their span. */
static double area_of(const question *q) {
    double area = 0;
    for (int r = 0; r < RATES; r++) {
        int64_t correct = 0;
        for (int t = 0; t < TRIALS; t++) {
            int i = r * TRIALS + t;
            correct += q->correct[q->e->items[i].n ? i : ITEMS];
        }
        area += (r == 0 || r == RATES - 1 ? 0.5 : 1) * (double)correct;
    }
    return area / (double)((RATES - 1) * TRIALS * q->e->n);
}

stoic_status stoic_endurance_area(stoic_endurance *e, const stoic_model *model, double *area,
                                  stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_program_options options = stoic_program_options_default();
    stoic_program *program = NULL;
    question q = {.e = e};
    TRY(stoic_program_compile(model, &options, &program, err));
    q.program = program;
    TRY(stoic_pool_run(e->threads, worker, &q, err));
    status = (stoic_status)atomic_load(&q.status);
    if (status != STOIC_OK && err)
        *err = q.error;
    if (status == STOIC_OK)
        *area = area_of(&q);
done:
    stoic_program_free(program);
    return status;
}
