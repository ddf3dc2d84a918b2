/* A training run from start to end: epochs, checkpoints, the best model. */
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/pool.h"
#include "stoic/session.h"
#include "train/checkpoint.h"

stoic_train_options stoic_train_options_default(void) {
    return (stoic_train_options){.epochs = 10,
                                 .batch = 128,
                                 .lr = 0.1,
                                 .momentum = 0.9,
                                 .beta1 = 0.9,
                                 .beta2 = 0.999,
                                 .epsilon = 1e-8,
                                 .norm_batches = 50,
                                 .checkpoint_seconds = 60};
}

void stoic_training_deinit(stoic_training *training) {
    stoic_model_free(training->last);
    stoic_model_free(training->best);
    free(training->epochs);
    *training = (stoic_training){.best_epoch = -1};
}

/* ---- options ---- */

typedef struct range {
    const char *option;
    double value, low, high; /* low <= value < high */
} range;

static stoic_status check_options(const stoic_train_options *o, stoic_error *err) {
    const range ranges[] = {{"--epochs", (double)o->epochs, 1, 1e6 + 1},
                            {"--batch", (double)o->batch, 1, 65537},
                            {"--lr", o->lr, 0, 1e9},
                            {"--momentum", o->momentum, 0, 1},
                            {"--weight-decay", o->weight_decay, 0, 1e9},
                            {"--beta1", o->beta1, 0, 1},
                            {"--beta2", o->beta2, 0, 1},
                            {"--epsilon", o->epsilon, 0, 1e9},
                            {"--warmup", o->warmup, 0, 1e6 + 1},
                            {"--label-smoothing", o->label_smoothing, 0, 1},
                            {"--norm-batches", (double)o->norm_batches, 0, 1e6 + 1},
                            {"--clip", o->clip, 0, 1e30}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const range *r = &ranges[i];
        if (!(r->value >= r->low && r->value < r->high))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, r->option,
                              "must be at least %g and below %g, not %g", r->low, r->high,
                              r->value);
    }
    if (o->nesterov && !(o->momentum > 0))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--nesterov", "needs a --momentum above 0");
    if (o->resume && !o->checkpoint)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--resume", "needs a checkpoint");
    return STOIC_OK;
}

/* ---- models ---- */

/* Copies between `best` and the live weights and running statistics. */
static void copy_best(stoic_trainer *t, bool save) {
    float *at = t->best;
    for (int i = 0; i < stoic_tape_param_count(t->tape); i++) {
        const stoic_tape_param *p = stoic_tape_param_at(t->tape, i);
        memcpy(save ? at : p->value, save ? p->value : at, (size_t)p->count * sizeof *at);
        at += p->count;
    }
    for (int i = 0; i < stoic_tape_running_count(t->tape); i++) {
        int64_t count;
        float *running = stoic_tape_running_at(t->tape, i, &count);
        memcpy(save ? at : running, save ? running : at, (size_t)count * sizeof *at);
        at += count;
    }
}

static stoic_status create_best(stoic_trainer *t, stoic_error *err) {
    int64_t floats = 0, count;
    for (int i = 0; i < stoic_tape_param_count(t->tape); i++)
        floats += stoic_tape_param_at(t->tape, i)->count;
    for (int i = 0; i < stoic_tape_running_count(t->tape); i++, floats += count)
        stoic_tape_running_at(t->tape, i, &count);
    t->best_bytes = (size_t)floats * sizeof *t->best;
    t->best = calloc((size_t)floats + 1, sizeof *t->best);
    return t->best ? STOIC_OK : stoic_fail_memory(err, "the best model", t->best_bytes);
}

stoic_status stoic_trainer_model(stoic_trainer *t, bool best, stoic_model **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_model *plain = NULL, *described = NULL;
    if (best)
        copy_best(t, false);
    TRY(stoic_tape_snapshot(t->tape, &plain, err));
    TRY(stoic_dataset_describe(t->data, plain, &described, err));
    status = stoic_model_with_meta(described, "stoic.recipe", t->recipe, out, err);
done:
    stoic_model_free(plain);
    stoic_model_free(described);
    return status;
}

/* As `stoic eval` would: the same executor on a model of its own. */
static stoic_status test_accuracy(stoic_trainer *t, double *accuracy, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_program *program = NULL;
    stoic_model *model = NULL;
    stoic_evaluation result;
    TRY(stoic_tape_snapshot(t->tape, &model, err));
    TRY(stoic_program_compile(model, NULL, &program, err));
    TRY(stoic_evaluate(program, t->test, t->options->threads, NULL, &result, err));
    *accuracy = result.accuracy;
done:
    stoic_program_free(program);
    stoic_model_free(model);
    return status;
}

/* ---- checkpoints ---- */

static stoic_status checkpoint(stoic_trainer *t, bool write, bool *found, stoic_error *err) {
    int params = stoic_tape_param_count(t->tape), running = stoic_tape_running_count(t->tape);
    size_t n = 0;
    stoic_saved *pieces = calloc((size_t)(params + running) + 4, sizeof *pieces);
    if (!pieces)
        return stoic_fail_memory(err, "a checkpoint", sizeof *pieces);
    pieces[n++] = (stoic_saved){&t->state, sizeof t->state};
    pieces[n++] = (stoic_saved){t->epochs, (size_t)t->options->epochs * sizeof *t->epochs};
    pieces[n++] = (stoic_saved){t->optimiser, t->optimiser_bytes};
    pieces[n++] = (stoic_saved){t->best, t->best_bytes};
    for (int i = 0; i < params; i++) {
        stoic_tape_param *p = stoic_tape_param_at(t->tape, i);
        pieces[n++] = (stoic_saved){p->value, (size_t)p->count * sizeof *p->value};
    }
    for (int i = 0; i < running; i++) {
        int64_t count;
        float *data = stoic_tape_running_at(t->tape, i, &count);
        pieces[n++] = (stoic_saved){data, (size_t)count * sizeof *data};
    }
    const char *path = t->options->checkpoint;
    stoic_status status = write ? stoic_checkpoint_write(path, t->identity, pieces, n, err)
                                : stoic_checkpoint_read(path, t->identity, pieces, n, found, err);
    free(pieces);
    return status;
}

static stoic_status save(stoic_trainer *t, stoic_error *err) {
    return t->options->checkpoint ? checkpoint(t, true, NULL, err) : STOIC_OK;
}

/* ---- the loop ---- */

static stoic_status end_epoch(stoic_trainer *t, stoic_error *err) {
    stoic_status status = STOIC_OK;
    int64_t epoch = t->state.step / t->batches - 1;
    stoic_epoch *e = &t->epochs[epoch];
    *e = (stoic_epoch){.loss = t->state.loss / (double)t->batches,
                       .train_accuracy = (double)t->state.correct / (double)t->state.seen,
                       .test_accuracy = NAN,
                       .lr = t->rate,
                       .seconds = t->state.seconds};
    TRY(stoic_trainer_settle(t, err));
    if (t->test)
        TRY(test_accuracy(t, &e->test_accuracy, err));
    if (t->test && (t->state.best_epoch < 0 || e->test_accuracy > t->state.best_accuracy)) {
        t->state.best_epoch = epoch;
        t->state.best_accuracy = e->test_accuracy;
        copy_best(t, true);
    }
    t->state.loss = t->state.seconds = 0;
    t->state.correct = t->state.seen = 0;
    TRY(save(t, err));
    if (t->options->epoch_done)
        t->options->epoch_done(t->options->user, t->epochs, epoch + 1);
done:
    return status;
}

static void report(const stoic_trainer *t, double start, int64_t before) {
    const stoic_train_state *s = &t->state;
    int64_t last = s->step / t->batches - 1;
    if (!t->options->progress || s->seen == 0)
        return;
    stoic_train_progress p = {.epoch = s->step / t->batches,
                              .epochs = t->options->epochs,
                              .batch = s->step % t->batches,
                              .batches = t->batches,
                              .fraction = (double)s->step / (double)t->steps,
                              .fraction_before = (double)before / (double)t->steps,
                              .seconds = stoic_clock() - start,
                              .loss = s->loss / ((double)s->seen / (double)t->options->batch),
                              .train_accuracy = (double)s->correct / (double)s->seen,
                              .test_accuracy = last >= 0 ? t->epochs[last].test_accuracy : NAN};
    t->options->progress(t->options->user, &p);
}

static stoic_status interrupted(stoic_trainer *t, stoic_error *err) {
    stoic_status status = save(t, err);
    if (status != STOIC_OK)
        return status;
    return stoic_fail(err, STOIC_ERR_INTERRUPTED, "", "interrupted in epoch %lld of %lld%s",
                      (long long)(t->state.step / t->batches + 1), (long long)t->options->epochs,
                      t->options->checkpoint ? "; the checkpoint is written" : "");
}

static stoic_status loop(stoic_trainer *t, stoic_error *err) {
    stoic_status status = STOIC_OK;
    double start = stoic_clock(), saved = start;
    int64_t before = t->state.step;
    while (t->state.step < t->steps) {
        if (stoic_stop_asked(t->options->cancel))
            return interrupted(t, err);
        double began = stoic_clock();
        TRY(stoic_trainer_step(t, err));
        double ended = stoic_clock();
        t->state.seconds += ended - began;
        if (t->state.step % t->batches == 0) {
            TRY(end_epoch(t, err));
            saved = stoic_clock();
        } else if (t->options->checkpoint && ended - saved > t->options->checkpoint_seconds) {
            TRY(save(t, err));
            saved = stoic_clock();
        }
        report(t, start, before);
    }
done:
    return status;
}

static stoic_status start(stoic_trainer *t, const stoic_model *model, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_train_options *o = t->options;
    stoic_feed_options feed = {.batch = o->batch, .seed = o->seed};
    bool found = false;
    TRY(stoic_augment_parse(o->augment ? o->augment : "none", &feed.augment, err));
    t->classes = stoic_model_classes(model);
    t->batches = stoic_dataset_count(t->data) / o->batch;
    if (t->batches == 0)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "--batch",
                          "a batch of %lld does not fit into a data set of %lld images",
                          (long long)o->batch, (long long)stoic_dataset_count(t->data));
    t->steps = t->batches * o->epochs;
    t->loss = (stoic_loss){stoic_loss_choose(model, o->loss), o->label_smoothing, o->batch};
    TRY(stoic_lr_create(o, t->batches, &t->lr, err));
    TRY(stoic_hazards_create(model, o, &t->hazards, err));
    TRY(stoic_team_create(o->threads > 0 ? o->threads : stoic_cpu_count(), &t->team, err));
    stoic_tape_options tape = {.batch = o->batch,
                               .seed = o->seed,
                               .map_faults = stoic_hazards_of_maps(t->hazards),
                               .other_weights = stoic_hazards_of_weights(t->hazards)};
    TRY(stoic_tape_create(model, &tape, t->team, &t->tape, err));
    if (tape.other_weights)
        stoic_tape_shadow(t->tape, true);
    TRY(stoic_trainer_prepare(t, err));
    TRY(create_best(t, err));
    t->epochs = calloc((size_t)o->epochs, sizeof *t->epochs);
    if (!t->epochs)
        return stoic_fail_memory(err, "the curves", (size_t)o->epochs * sizeof *t->epochs);
    t->state.best_epoch = -1;
    TRY(stoic_trainer_describe(t, model, err));
    if (o->resume)
        TRY(checkpoint(t, false, &found, err));
    feed.first_step = t->state.step;
    TRY(stoic_feed_start(t->data, &feed, &t->feed, err));
done:
    return status;
}

static void deinit(stoic_trainer *t) {
    stoic_feed_free(t->feed);
    stoic_tape_free(t->tape);
    stoic_team_free(t->team);
    stoic_hazards_free(t->hazards);
    free(t->stretches);
    free(t->optimiser);
    free(t->best);
    free(t->epochs);
    free(t->identity);
    free(t->recipe);
    free(t->shard_loss);
    free(t->shard_correct);
}

stoic_status stoic_train(const stoic_model *model, const stoic_dataset *data,
                         const stoic_dataset *test, const stoic_train_options *options,
                         stoic_training *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_trainer t = {.options = options, .data = data, .test = test};
    stoic_training result = {.best_epoch = -1};
    TRY(check_options(options, err));
    TRY(stoic_loss_check_data(model, data, "the training set", err));
    if (test)
        TRY(stoic_loss_check_data(model, test, "the test set", err));
    TRY(start(&t, model, err));
    TRY(loop(&t, err));
    TRY(stoic_trainer_model(&t, false, &result.last, err));
    result.best_epoch = t.state.best_epoch;
    if (result.best_epoch >= 0)
        TRY(stoic_trainer_model(&t, true, &result.best, err));
    result.epochs = t.epochs;
    result.n_epochs = options->epochs;
    t.epochs = NULL;
    *out = result;
    result = (stoic_training){.best_epoch = -1};
done:
    stoic_training_deinit(&result);
    deinit(&t);
    return status;
}
