/* The bounds of fitact are trained, and nothing else: weights and statistics stay as they are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "exec/tape.h"
#include "harden/fitact.h"
#include "train/gradient.h"
#include "train/optimiser.h"

enum { BATCH = 64, BATCHES = 64 };

/* One bound tensor being trained. */
typedef struct tuned {
    stoic_tape_param *param;
    float *m, *v; /* Adam's */
} tuned;

typedef struct tuning {
    stoic_fitact *f;
    stoic_team *team;
    stoic_tape *tape;
    tuned *bounds; /* one for each of f->fits */
    float *images;
    int *labels;
    int64_t batch, classes;
    stoic_loss loss;
} tuning;

static stoic_status find_bounds(tuning *t, stoic_error *err) {
    t->bounds = calloc(t->f->n + 1, sizeof *t->bounds);
    if (!t->bounds)
        return stoic_fail_memory(err, "bounds", t->f->n * sizeof *t->bounds);
    for (size_t k = 0; k < t->f->n; k++) {
        tuned *b = &t->bounds[k];
        for (int i = 0; i < stoic_tape_param_count(t->tape); i++) {
            if (stoic_tape_param_at(t->tape, i)->tensor == t->f->fits[k].lambda)
                b->param = stoic_tape_param_at(t->tape, i);
        }
        if (!b->param) /* nothing of it reaches the loss: the bound stays as profiled */
            continue;
        b->m = calloc(2 * (size_t)b->param->count + 1, sizeof *b->m);
        if (!b->m)
            return stoic_fail_memory(err, "bounds", 2 * (size_t)b->param->count * sizeof *b->m);
        b->v = b->m + b->param->count;
    }
    return STOIC_OK;
}

static stoic_status create_tape(tuning *t, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int threads = t->f->run->options->threads;
    int *lambdas = calloc(t->f->n + 1, sizeof *lambdas);
    if (!lambdas)
        return stoic_fail_memory(err, "bounds", t->f->n * sizeof *lambdas);
    for (size_t k = 0; k < t->f->n; k++)
        lambdas[k] = t->f->fits[k].lambda;
    stoic_tape_options options = {.batch = t->batch, .also = lambdas, .n_also = t->f->n};
    TRY(stoic_team_create(threads > 0 ? threads : stoic_cpu_count(), &t->team, err));
    TRY(stoic_tape_create(t->f->model, &options, t->team, &t->tape, err));
    TRY(find_bounds(t, err));
done:
    free(lambdas);
    return status;
}

/* Batch b: images that lie the number of batches apart, so that each batch has a bit of all. */
static stoic_status read_batch(tuning *t, int64_t b, int64_t batches, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_harden_options *o = t->f->run->options;
    int64_t every = o->every > 0 ? o->every : 1;
    int64_t size = stoic_shape_count(stoic_dataset_shape(o->data));
    for (int64_t i = 0; i < t->batch; i++)
        TRY(stoic_dataset_read(o->data, (i * batches + b) * every, 1, t->images + i * size,
                               t->labels + i, err));
    for (int64_t i = 0; i < t->batch; i++) {
        if (t->labels[i] < 0 || t->labels[i] >= t->classes)
            return stoic_fail(err, STOIC_ERR_MISMATCH, "",
                              "fitact: a label is %d, the network has %lld outputs", t->labels[i],
                              (long long)t->classes);
    }
done:
    return status;
}

static stoic_status check_finite(const tuning *t, stoic_error *err) {
    for (size_t k = 0; k < t->f->n; k++) {
        const stoic_tape_param *p = t->bounds[k].param;
        for (int64_t c = 0; p && c < p->count; c++) {
            if (!isfinite(p->value[c]))
                return stoic_pass_refuse(t->f->run, t->f->fits[k].node,
                                         "trained a bound that is not finite", err);
        }
    }
    return STOIC_OK;
}

/* A channel that was 0 in every image begins at 0, and a bound below it would mean nothing. */
static void update(const tuned *bound, const stoic_train_options *adam, int64_t step) {
    stoic_tape_param *p = bound->param;
    if (!p)
        return;
    stoic_optimiser_update(adam, 1e-3, 1, step, p->count, p->value, p->gradient, bound->m,
                           bound->v);
    for (int64_t c = 0; c < p->count; c++)
        p->value[c] = p->value[c] < 0 ? 0 : p->value[c];
}

static stoic_status train(tuning *t, int64_t batches, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_train_options adam = stoic_train_options_default();
    adam.optimiser = STOIC_ADAM;
    adam.weight_decay = 0;
    const stoic_gradient_batch batch = {.team = t->team,
                                        .tape = t->tape,
                                        .loss = &t->loss,
                                        .classes = t->classes,
                                        .images = t->images,
                                        .labels = t->labels,
                                        .count = t->batch};
    for (int64_t b = 0; b < batches; b++) {
        TRY(stoic_pass_go_on(t->f->run->options, err));
        TRY(read_batch(t, b, batches, err));
        TRY(stoic_gradient_run(&batch, err));
        for (size_t k = 0; k < t->f->n; k++)
            update(&t->bounds[k], &adam, b);
    }
    TRY(check_finite(t, err));
done:
    return status;
}

/* f->model with the bounds as they are now. */
static stoic_status take_over(tuning *t, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_fitact *f = t->f;
    stoic_model *fresh = NULL;
    int *values = calloc(f->n + 1, sizeof *values);
    stoic_tensor **tensors = calloc(f->n + 1, sizeof *tensors);
    if (!values || !tensors) {
        status = stoic_fail_memory(err, "bounds", f->n * sizeof *tensors);
        goto done;
    }
    const stoic_model *trained = stoic_tape_model(t->tape);
    for (size_t k = 0; k < f->n; k++) {
        values[k] = f->fits[k].lambda;
        const stoic_tensor *from = trained->values[values[k]].constant;
        TRY(stoic_tensor_create(STOIC_F32, stoic_tensor_shape(from), &tensors[k], err));
        memcpy(stoic_tensor_mutable_data(tensors[k]), stoic_tensor_data(from),
               (size_t)stoic_tensor_count(from) * sizeof(float));
    }
    TRY(stoic_model_with_constants(f->model, values, tensors, f->n, &fresh, err));
    stoic_model_free(f->model);
    f->model = fresh;
done:
    for (size_t k = 0; tensors && k < f->n; k++)
        stoic_tensor_free(tensors[k]);
    free(tensors);
    free(values);
    return status;
}

stoic_status stoic_fitact_tune(stoic_fitact *f, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_model *m = f->model;
    const stoic_harden_options *o = f->run->options;
    int64_t every = o->every > 0 ? o->every : 1;
    int64_t images = (stoic_dataset_count(o->data) + every - 1) / every;
    int64_t size = stoic_shape_count(stoic_dataset_shape(o->data));
    tuning t = {.f = f, .batch = images < BATCH ? images : BATCH};
    int64_t batches = images / t.batch < BATCHES ? images / t.batch : BATCHES;
    t.classes = stoic_model_classes(m);
    t.loss = (stoic_loss){stoic_loss_choose(m, STOIC_LOSS_AUTO), 0, t.batch};
    t.images = malloc((size_t)(t.batch * size) * sizeof *t.images);
    t.labels = malloc((size_t)t.batch * sizeof *t.labels);
    if (!t.images || !t.labels) {
        status = stoic_fail_memory(err, "a batch", (unsigned long long)(t.batch * size) * 4);
        goto done;
    }
    TRY(create_tape(&t, err));
    TRY(train(&t, batches, err));
    TRY(take_over(&t, err));
done:
    for (size_t k = 0; t.bounds && k < f->n; k++)
        free(t.bounds[k].m);
    free(t.bounds);
    free(t.images);
    free(t.labels);
    stoic_tape_free(t.tape);
    stoic_team_free(t.team);
    return status;
}
