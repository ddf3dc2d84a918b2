/* Inside a training run. */
#ifndef STOIC_TRAIN_TRAINER_H
#define STOIC_TRAIN_TRAINER_H

#include "exec/tape.h"
#include "stoic/feed.h"
#include "stoic/train.h"
#include "train/hazards.h"
#include "train/loss.h"
#include "train/optimiser.h"

/* A piece of one parameter: what a member updates at once. */
typedef struct stoic_stretch {
    int param;
    int64_t from, count;
    float *m, *v;   /* its part of the optimiser's state */
    double squares; /* of its gradient, for the norm */
} stoic_stretch;

/* What changes while training and is not a weight; saved as it is. */
typedef struct stoic_train_state {
    int64_t step;          /* batches done */
    double loss;           /* summed over the epoch's batches so far */
    int64_t correct, seen; /* of the epoch so far */
    int64_t best_epoch;
    double best_accuracy;
    double seconds; /* of the epoch so far */
} stoic_train_state;

typedef struct stoic_trainer {
    const stoic_train_options *options;
    const stoic_dataset *data, *test;
    stoic_team *team;
    stoic_tape *tape;
    stoic_hazards *hazards;
    stoic_feed *feed;
    stoic_loss loss;
    stoic_lr lr;
    int64_t classes, batches, steps; /* batches an epoch, steps in all */

    stoic_stretch *stretches;
    int n_stretches;
    float *optimiser; /* the state of all parameters */
    size_t optimiser_bytes;
    float *best; /* parameters and running statistics at the best epoch */
    size_t best_bytes;

    stoic_train_state state;
    stoic_epoch *epochs;
    char *identity; /* what makes two runs the same, a line each */
    char *recipe;   /* for the model's metadata */

    /* the step at hand */
    const float *images;
    const int *labels;
    double rate;
    double *shard_loss;
    int64_t *shard_correct;
    stoic_status status; /* of the first member that failed outside the tape */
    stoic_error error;
} stoic_trainer;

/* Identity and recipe from the options. */
stoic_status stoic_trainer_describe(stoic_trainer *t, const stoic_model *model, stoic_error *err);

/* One batch, whole: forward, backward, update. Adds to state. */
stoic_status stoic_trainer_step(stoic_trainer *t, stoic_error *err);
/* Takes the running statistics again on clean batches, where faults in feature maps spoil them. */
stoic_status stoic_trainer_settle(stoic_trainer *t, stoic_error *err);
/* Stretches and the optimiser's state. */
stoic_status stoic_trainer_prepare(stoic_trainer *t, stoic_error *err);

/* The model as it is now, with metadata; from `best` if that is asked for. */
stoic_status stoic_trainer_model(stoic_trainer *t, bool best, stoic_model **out, stoic_error *err);

#endif
