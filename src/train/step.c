/* One step of training, as each member of the team lives it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "stoic/session.h"
#include "train/trainer.h"

enum { STRETCH = 1 << 14 };

/* Loss and gradient of the images of one shard. */
static void judge(stoic_trainer *t, int shard) {
    int64_t first, count;
    float *gradient;
    const float *logits = stoic_tape_head(t->tape, shard, &gradient);
    stoic_tape_shard(t->tape, shard, &first, &count);
    t->shard_loss[shard] = 0;
    t->shard_correct[shard] = 0;
    for (int64_t i = 0; i < count; i++) {
        int label = t->labels[first + i];
        const float *z = logits + i * t->classes;
        t->shard_loss[shard] +=
            stoic_loss_image(&t->loss, z, t->classes, label, gradient + i * t->classes);
        bool nan;
        t->shard_correct[shard] += stoic_top1(z, t->classes, &nan) == label && !nan;
    }
}

/* The norm of the whole gradient, summed in one order by every member. */
static double clip_factor(stoic_trainer *t, int member) {
    double squares = 0;
    int members = stoic_team_size(t->team);
    if (!(t->options->clip > 0))
        return 1;
    for (int i = member; i < t->n_stretches; i += members) {
        stoic_stretch *s = &t->stretches[i];
        const float *g = stoic_tape_param_at(t->tape, s->param)->gradient + s->from;
        s->squares = 0;
        for (int64_t k = 0; k < s->count; k++)
            s->squares += (double)g[k] * (double)g[k];
    }
    stoic_team_meet(t->team);
    for (int i = 0; i < t->n_stretches; i++)
        squares += t->stretches[i].squares;
    double norm = sqrt(squares);
    return norm > t->options->clip ? t->options->clip / (norm + 1e-6) : 1;
}

static void update(stoic_trainer *t, int member) {
    double factor = clip_factor(t, member);
    int members = stoic_team_size(t->team);
    for (int i = member; i < t->n_stretches; i += members) {
        stoic_stretch *s = &t->stretches[i];
        const stoic_tape_param *p = stoic_tape_param_at(t->tape, s->param);
        stoic_optimiser_update(t->options, t->rate, factor, t->state.step, s->count,
                               p->value + s->from, p->gradient + s->from, s->m, s->v);
    }
}

static void maps(stoic_trainer *t, int shard) {
    stoic_error err;
    stoic_status status = stoic_hazards_maps(t->hazards, t->tape, shard, (uint64_t)t->state.step,
                                             t->state.step / t->batches, t->options->epochs, &err);
    if (status != STOIC_OK && shard == 0) { /* all fail alike */
        t->status = status;
        t->error = err;
    }
}

static void live(int member, void *user) {
    stoic_trainer *t = user;
    int shards = stoic_tape_shards(t->tape);
    for (int s = 0; s < shards && stoic_hazards_of_maps(t->hazards); s++) {
        if (stoic_tape_owns(t->tape, member, s))
            maps(t, s);
    }
    stoic_tape_pack(t->tape, member);
    stoic_tape_forward(t->tape, member, t->images, (uint64_t)t->state.step);
    for (int s = 0; s < shards; s++) {
        if (stoic_tape_owns(t->tape, member, s))
            judge(t, s);
    }
    stoic_tape_backward(t->tape, member);
    stoic_tape_collect(t->tape, member);
    update(t, member);
}

static stoic_status check_loss(const stoic_trainer *t, double loss, stoic_error *err) {
    if (isfinite(loss))
        return STOIC_OK;
    return stoic_fail(err, STOIC_ERR_NUMERIC, "",
                      "the loss is %s in epoch %lld, batch %lld: a smaller --lr, --clip or "
                      "milder faults may help",
                      isnan(loss) ? "not a number" : "infinite",
                      (long long)(t->state.step / t->batches + 1),
                      (long long)(t->state.step % t->batches + 1));
}

stoic_status stoic_trainer_step(stoic_trainer *t, stoic_error *err) {
    stoic_status status = STOIC_OK;
    double loss = 0;
    TRY(stoic_feed_next(t->feed, &t->images, &t->labels, err));
    TRY(stoic_hazards_weights(t->hazards, t->tape, (uint64_t)t->state.step, err));
    t->rate = stoic_lr_at(&t->lr, t->state.step);
    stoic_team_run(t->team, live, t);
    TRY(stoic_tape_status(t->tape, err));
    if (t->status != STOIC_OK) {
        if (err)
            *err = t->error;
        return t->status;
    }
    for (int s = 0; s < stoic_tape_shards(t->tape); s++) {
        loss += t->shard_loss[s];
        t->state.correct += t->shard_correct[s];
    }
    TRY(check_loss(t, loss, err));
    t->state.loss += loss;
    t->state.seen += t->options->batch;
    t->state.step++;
done:
    return status;
}

static void live_clean(int member, void *user) {
    stoic_trainer *t = user;
    stoic_tape_pack(t->tape, member);
    stoic_tape_forward(t->tape, member, t->images, (uint64_t)t->state.step);
}

static bool spoilt(const stoic_trainer *t) {
    return t->options->norm_batches > 0 && stoic_hazards_of_maps(t->hazards) &&
           !stoic_hazards_of_weights(t->hazards) && stoic_tape_running_count(t->tape) > 0;
}

/* The batches are those of an epoch of its own, not augmented: the same after every epoch. */
stoic_status stoic_trainer_settle(stoic_trainer *t, stoic_error *err) {
    const stoic_train_options *o = t->options;
    stoic_feed_options options = {.batch = o->batch, .seed = o->seed};
    stoic_feed *feed = NULL;
    stoic_status status = STOIC_OK;
    if (!spoilt(t))
        return STOIC_OK;
    TRY(stoic_augment_parse("none", &options.augment, err));
    TRY(stoic_feed_start(t->data, &options, &feed, err));
    for (int64_t i = 0; i < o->batch; i++)
        stoic_tape_corrupt(t->tape, i, -1, NULL);
    for (int64_t k = 0; k < o->norm_batches; k++) {
        TRY(stoic_feed_next(feed, &t->images, &t->labels, err));
        stoic_team_run(t->team, live_clean, t);
        TRY(stoic_tape_status(t->tape, err));
    }
done:
    t->images = NULL;
    t->labels = NULL;
    stoic_feed_free(feed);
    return status;
}

stoic_status stoic_trainer_prepare(stoic_trainer *t, stoic_error *err) {
    int params = stoic_tape_param_count(t->tape), states = stoic_optimiser_states(t->options);
    int64_t weights = 0, n = 0;
    for (int i = 0; i < params; i++) {
        int64_t count = stoic_tape_param_at(t->tape, i)->count;
        weights += count;
        n += (count + STRETCH - 1) / STRETCH;
    }
    t->optimiser_bytes = (size_t)(weights * states) * sizeof(float);
    t->optimiser = calloc((size_t)(weights * states) + 1, sizeof(float));
    t->stretches = calloc((size_t)n + 1, sizeof *t->stretches);
    t->shard_loss = calloc((size_t)stoic_tape_shards(t->tape), sizeof *t->shard_loss);
    t->shard_correct = calloc((size_t)stoic_tape_shards(t->tape), sizeof *t->shard_correct);
    if (!t->optimiser || !t->stretches || !t->shard_loss || !t->shard_correct)
        return stoic_fail_memory(err, "the optimiser", t->optimiser_bytes);
    int64_t at = 0;
    for (int i = 0; i < params; i++) {
        int64_t count = stoic_tape_param_at(t->tape, i)->count;
        for (int64_t from = 0; from < count; from += STRETCH) {
            stoic_stretch *s = &t->stretches[t->n_stretches++];
            *s = (stoic_stretch){
                .param = i, .from = from, .count = count - from < STRETCH ? count - from : STRETCH};
            s->m = states > 0 ? t->optimiser + at : NULL;
            s->v = states > 1 ? t->optimiser + weights + at : NULL;
            at += s->count;
        }
    }
    return STOIC_OK;
}
