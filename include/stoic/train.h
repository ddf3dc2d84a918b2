/*
 * Training: stochastic gradient descent on a model's weights, with faults if asked.
 *
 * Same seed, same bytes: the weights do not depend on the number of threads, nor on how often the
 * run was interrupted and resumed (on one instruction set and oneDNN version). A batch is cut into
 * shards that depend on the batch alone, and sums are taken in the order of the shards.
 *
 * Trained are the weights and biases of layers and the scales and biases of batch normalisation;
 * running means and variances follow the batches. Every operator between the image and the output
 * must have a gradient: those that do not are listed, all at once.
 *
 * Source: feature-map faults while training, paper 4 (DieHardNet), section 4; training under one
 * fixed map of faulty bits is known as MATIC.
 */
#ifndef STOIC_TRAIN_H
#define STOIC_TRAIN_H

#include "stoic/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(enumerator, name, summary) */
#define STOIC_OPTIMISER_LIST(X)                                                                    \
    X(STOIC_SGD, "sgd", "stochastic gradient descent, with momentum and Nesterov on request")      \
    X(STOIC_ADAM, "adam", "Adam, weight decay added to the gradient")                              \
    X(STOIC_ADAMW, "adamw", "Adam with decoupled weight decay")

/* Mean over the batch of the cross-entropy of the logits; or binary cross-entropy on one-hot
 * targets, mean over batch x classes. Both act on the value before a final Sigmoid, Softmax or
 * LogSoftmax. */
#define STOIC_LOSS_LIST(X)                                                                         \
    X(STOIC_LOSS_AUTO, "auto", "bce where the network ends in a Sigmoid, else ce")                 \
    X(STOIC_LOSS_CE, "ce", "cross-entropy of the logits")                                          \
    X(STOIC_LOSS_BCE, "bce", "binary cross-entropy on one-hot targets")

#define STOIC_TRAIN_ENUM(enumerator, name, summary) enumerator,
typedef enum stoic_optimiser_kind { STOIC_OPTIMISER_LIST(STOIC_TRAIN_ENUM) } stoic_optimiser_kind;
typedef enum stoic_loss_kind { STOIC_LOSS_LIST(STOIC_TRAIN_ENUM) } stoic_loss_kind;
#undef STOIC_TRAIN_ENUM

/* One epoch of the curves. Accuracies are fractions; NaN: not measured. */
typedef struct stoic_epoch {
    double loss;           /* mean over the epoch's batches, as they were trained */
    double train_accuracy; /* of the same batches, augmentation and faults included */
    double test_accuracy;  /* of the test set, by the same executor as `stoic eval` */
    double lr;             /* at the end of the epoch */
    double seconds;        /* of training; not part of the reproducible result */
} stoic_epoch;

/* A snapshot for a progress line. */
typedef struct stoic_train_progress {
    int64_t epoch, epochs; /* counted from 0 */
    int64_t batch, batches;
    double fraction; /* of the whole run */
    double seconds;  /* since this process began, and the fraction done before it */
    double fraction_before;
    double loss, train_accuracy; /* of the epoch so far */
    double test_accuracy;        /* of the last epoch; NaN: none */
} stoic_train_progress;

typedef struct stoic_train_options {
    int64_t epochs, batch;
    stoic_optimiser_kind optimiser;
    double lr, momentum, weight_decay;
    bool nesterov;
    double beta1, beta2, epsilon; /* Adam */
    const char *schedule;         /* "none", "cosine[:MIN]", "step:EPOCHS:FACTOR"; NULL: none */
    double warmup;                /* epochs in which the rate rises linearly from 0 */
    stoic_loss_kind loss;
    double label_smoothing;
    double clip; /* largest norm of the whole gradient; 0: none */
    /* Clean batches on which the running statistics of batch normalisation are taken again after
     * each epoch under feature-map faults, whose factors spoil them; 0: they stay as they are. */
    int64_t norm_batches;
    const char *augment; /* "none", "crop[:P]", "flip", "resizedcrop[:…]", joined by commas */
    const char *store;   /* how the weights lie in memory; NULL: fp32 */
    /* Stored-bit faults, redrawn each step, or with fixed=FILE|SEED one map for all steps; or
     * feature-map faults ("map:block,share=0.75"). */
    const char *const *faults;
    size_t n_faults;
    uint64_t seed;
    int threads;               /* 0: all this process may use */
    const char *checkpoint;    /* file kept while training; NULL: none */
    double checkpoint_seconds; /* at least so often, and after each epoch */
    bool resume;               /* go on from the checkpoint; without one, from the start */
    void (*progress)(void *user, const stoic_train_progress *progress); /* from one thread */
    /* After each epoch, with the curves so far. */
    void (*epoch_done)(void *user, const stoic_epoch *epochs, int64_t count);
    void *user;
    const volatile int *cancel; /* as in a campaign; may be NULL */
} stoic_train_options;

/* SGD, 10 epochs, batch 128, lr 0.1, momentum 0.9, 50 clean batches, everything else off, a
 * checkpoint a minute. */
STOIC_API stoic_train_options stoic_train_options_default(void);

/* What came out. The models carry preprocessing, class names and recipe as metadata. */
typedef struct stoic_training {
    stoic_model *last, *best; /* best: highest test accuracy, the earliest of equals; NULL: none */
    int64_t best_epoch;       /* counted from 0; -1: none */
    stoic_epoch *epochs;
    int64_t n_epochs;
} stoic_training;

STOIC_API void stoic_training_deinit(stoic_training *training);

/* Trains a copy of `model`; `test` may be NULL. Fails with STOIC_ERR_ARGUMENT (an option),
 * _UNSUPPORTED (operators without a gradient, listed), _MISMATCH (labels, or a checkpoint of
 * another network, data set or recipe: says what differs), _NUMERIC (the loss is not finite: names
 * epoch and batch), _IO, _MEMORY. STOIC_ERR_INTERRUPTED: stopped by cancel; with a checkpoint,
 * `resume` goes on. `out` is filled on success only. */
STOIC_API stoic_status stoic_train(const stoic_model *model, const stoic_dataset *data,
                                   const stoic_dataset *test, const stoic_train_options *options,
                                   stoic_training *out, stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
