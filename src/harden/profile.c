/*
 * The largest element of chosen values in each of many images. Every worker takes slices of
 * images; what it finds goes to a place of its own, so nothing depends on their number.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "exec/run.h"
#include "harden/pass.h"

typedef struct profile {
    const stoic_program *program;
    const stoic_harden_options *options;
    const stoic_dataset *data;
    const int *values;
    size_t n;
    float *most; /* [value][image] */
    int64_t *at; /* of each value: where its channels begin in `tops`; at[n]: how many in all */
    float *tops; /* of each channel of each value, over all images; NULL: not asked for */
    pthread_mutex_t lock;
    int64_t images, every;
    atomic_llong next;
    atomic_int status;
    stoic_error error; /* of the worker that failed first */
} profile;

/* NaN where one of the elements is. */
static float largest(const float *x, int64_t n) {
    float most = x[0];
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most || x[i] != x[i] ? x[i] : most;
    return most;
}

/* What a float of the value's memory belongs to. */
static int64_t channel_of(const stoic_exec_value *v, int64_t i) {
    return v->layout == STOIC_LAYOUT_NHWC ? i % v->c : i;
}

static void merge(float *top, float x) {
    *top = x > *top || x != x ? x : *top;
}

static stoic_status run_tile(profile *p, stoic_session *s, int64_t first, float *images, float *out,
                             float *tops, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int tile = p->program->tile, n = 0;
    int64_t size = stoic_shape_count(stoic_dataset_shape(p->data));
    TRY(stoic_pass_go_on(p->options, err));
    for (; n < tile && first + n < p->images; n++)
        TRY(stoic_dataset_read(p->data, (first + n) * p->every, 1, images + n * size, NULL, err));
    TRY(stoic_session_run(s, images, n, out, err));
    for (size_t k = 0; k < p->n; k++) {
        const stoic_exec_value *v = &p->program->values[p->values[k]];
        const float *data = stoic_session_work(s, v->root);
        for (int i = 0; i < n; i++)
            p->most[(int64_t)k * p->images + first + i] = largest(data + i * v->size, v->size);
        for (int64_t i = 0; tops && i < n * v->size; i++)
            merge(&tops[p->at[k] + channel_of(v, i % v->size)], data[i]);
    }
done:
    return status;
}

static void worker(int index, void *user) {
    (void)index;
    profile *p = user;
    stoic_status status = STOIC_OK;
    stoic_error error = {0};
    stoic_session *session = NULL;
    int tile = p->program->tile;
    int64_t size = stoic_shape_count(stoic_dataset_shape(p->data));
    int64_t classes = stoic_model_classes(p->program->model);
    float *images = malloc((size_t)(tile * size) * sizeof *images);
    float *out = malloc((size_t)(tile * classes) * sizeof *out);
    float *tops = p->tops ? malloc((size_t)(p->at[p->n] + 1) * sizeof *tops) : NULL;
    for (int64_t i = 0; tops && i < p->at[p->n]; i++)
        tops[i] = -INFINITY;
    if (!images || !out || (p->tops && !tops)) {
        status = stoic_fail_memory(&error, "a tile of images", (unsigned long long)(tile * size));
        goto done;
    }
    TRY(stoic_session_create(p->program, &session, &error));
    while (atomic_load(&p->status) == STOIC_OK) {
        int64_t first = atomic_fetch_add(&p->next, tile);
        if (first >= p->images)
            break;
        TRY(run_tile(p, session, first, images, out, tops, &error));
    }
    pthread_mutex_lock(&p->lock);
    for (int64_t i = 0; tops && i < p->at[p->n]; i++)
        merge(&p->tops[i], tops[i]);
    pthread_mutex_unlock(&p->lock);
done:
    if (status != STOIC_OK) {
        int none = STOIC_OK;
        if (atomic_compare_exchange_strong(&p->status, &none, (int)status))
            p->error = error;
    }
    stoic_session_free(session);
    free(images);
    free(out);
    free(tops);
}

static stoic_status compile_with(const stoic_model *m, const int *values, size_t n,
                                 stoic_program **out, stoic_error *err) {
    stoic_program_options options = stoic_program_options_default();
    const char **names = calloc(n + 1, sizeof *names);
    if (!names)
        return stoic_fail_memory(err, "names", n * sizeof *names);
    for (size_t k = 0; k < n; k++)
        names[k] = m->values[values[k]].name;
    options.observable = names;
    options.n_observable = n;
    stoic_status status = stoic_program_compile(m, &options, out, err);
    free((void *)names);
    return status;
}

/* A program in which the values exist unfused, and are there when it has run: one that shares the
 * memory of another is kept by keeping that one. */
static stoic_status compile(const stoic_model *m, const int *values, size_t n, stoic_program **out,
                            stoic_error *err) {
    bool shared = false;
    stoic_status status = compile_with(m, values, n, out, err);
    if (status != STOIC_OK)
        return status;
    int *roots = calloc(n + 1, sizeof *roots);
    if (!roots)
        return stoic_fail_memory(err, "names", n * sizeof *roots);
    for (size_t k = 0; k < n; k++) {
        roots[k] = (*out)->values[values[k]].root;
        shared = shared || roots[k] != values[k];
    }
    if (shared) {
        stoic_program_free(*out);
        *out = NULL;
        status = compile_with(m, roots, n, out, err);
    }
    free(roots);
    return status;
}

static stoic_status check_shape(const stoic_pass_run *run, stoic_error *err) {
    char is[128], needed[128];
    const stoic_shape *a = stoic_dataset_shape(run->options->data);
    const stoic_shape *b = stoic_model_input_shape(run->model);
    bool same = a->rank == b->rank;
    for (int i = 0; i < a->rank && same; i++)
        same = a->dim[i] == b->dim[i];
    if (same)
        return STOIC_OK;
    return stoic_fail(err, STOIC_ERR_SHAPE, "", "%s: the images to profile are %s, expected %s",
                      run->text, stoic_shape_text(a, is), stoic_shape_text(b, needed));
}

static stoic_status check_finite(const stoic_pass_run *run, const profile *p, stoic_error *err) {
    for (size_t k = 0; k < p->n; k++) {
        for (int64_t i = 0; i < p->images; i++) {
            int node = run->model->values[p->values[k]].producer;
            if (!isfinite(p->most[(int64_t)k * p->images + i]))
                return stoic_fail(
                    err, STOIC_ERR_NUMERIC, "", "node '%s' (%s): %s found %g in it in image %lld",
                    run->model->nodes[node].name, run->model->nodes[node].op->name, run->text,
                    (double)p->most[(int64_t)k * p->images + i], (long long)(i * p->every));
        }
    }
    return STOIC_OK;
}

/* Fills p->most, and p->tops where it is there. */
static stoic_status take(stoic_pass_run *run, profile *p, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_harden_options *o = run->options;
    stoic_program *program = NULL;
    p->options = o;
    p->data = o->data;
    p->every = o->every > 0 ? o->every : 1;
    pthread_mutex_init(&p->lock, NULL);
    TRY(check_shape(run, err));
    p->images = (stoic_dataset_count(o->data) + p->every - 1) / p->every;
    p->most = malloc((p->n * (size_t)p->images + 1) * sizeof *p->most);
    if (!p->most) {
        status = stoic_fail_memory(err, "a profile", p->n * (size_t)p->images * sizeof *p->most);
        goto done;
    }
    TRY(compile(run->model, p->values, p->n, &program, err));
    p->program = program;
    TRY(stoic_pool_run(o->threads > 0 ? o->threads : stoic_cpu_count(), worker, p, err));
    status = (stoic_status)atomic_load(&p->status);
    if (status != STOIC_OK) {
        if (err)
            *err = p->error;
        goto done;
    }
    TRY(check_finite(run, p, err));
    stoic_pass_profiled(run, p->images);
done:
    pthread_mutex_destroy(&p->lock);
    stoic_program_free(program);
    return status;
}

stoic_status stoic_profile_maxima(stoic_pass_run *run, const int *values, size_t n, float **most,
                                  int64_t *images, stoic_error *err) {
    profile p = {.values = values, .n = n};
    *most = NULL;
    stoic_status status = take(run, &p, err);
    if (status == STOIC_OK) {
        *images = p.images;
        *most = p.most;
        p.most = NULL;
    }
    free(p.most);
    return status;
}

stoic_status stoic_profile_channels(stoic_pass_run *run, const int *values, size_t n, int64_t *at,
                                    float **tops, stoic_error *err) {
    profile p = {.values = values, .n = n, .at = at};
    at[0] = 0;
    for (size_t k = 0; k < n; k++)
        at[k + 1] = at[k] + run->model->values[values[k]].shape.dim[1];
    *tops = p.tops = malloc(((size_t)at[n] + 1) * sizeof *p.tops);
    if (!p.tops)
        return stoic_fail_memory(err, "a profile", (size_t)at[n] * sizeof *p.tops);
    for (int64_t i = 0; i < at[n]; i++)
        p.tops[i] = -INFINITY;
    stoic_status status = take(run, &p, err);
    free(p.most);
    if (status != STOIC_OK) {
        free(*tops);
        *tops = NULL;
    }
    return status;
}

static int rising(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The nearest rank, not interpolated: bounding what was bounded so changes nothing more. */
float stoic_percentile(float *values, int64_t n, double percent) {
    qsort(values, (size_t)n, sizeof *values, rising);
    int64_t rank = (int64_t)ceil(percent / 100 * (double)n);
    return values[rank < 1 ? 0 : rank > n ? n - 1 : rank - 1];
}

bool stoic_bound_holds(double bound, double fresh) {
    return isfinite(bound) && fabs(bound - fresh) <= 1e-5 * bound;
}
