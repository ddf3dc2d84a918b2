/*
 * The worst case instead of the average: few flips of stored bits, chosen to cost as much accuracy
 * as possible.
 *
 * Progressive bit search (Rakin, He and Fan 2019, "Bit-Flip Attack: Crushing Neural Network with
 * Progressive Bit Search"). In each step the gradient g of the loss with respect to the weights, as
 * the store gives them back with the flips so far, ranks every stored bit by g dw, the first-order
 * change of the loss; dw is exact, from decoding the word with that bit flipped. The best of each
 * tensor are then evaluated one by one, exactly, by the engine of campaigns, and the flip that
 * leaves the fewest right answers is kept. Beyond the paper: the largest |dw| of each tensor are
 * candidates too (where g is 0 a bit may still be the worst one), a weight that becomes infinite or
 * NaN comes first, formats are those of the store, and every bit can be a candidate.
 *
 * Gradients and accuracies are of the same images: what is found is the worst case for these.
 *
 * Codes: a flip that the code repairs changes no weight and is no candidate. Where a single flip of
 * a bit is repaired, it is tried together with a second bit of its word, and costs two flips; what
 * only three flips or more would break is not attacked. With due=report a word that is found wrong
 * leaves no image an answer, as in a campaign.
 *
 * Where the accuracy asked for (or 0) is reached, each flip but the last is left out once, and
 * stays out if the others reach as far: the search is greedy, and what it found early may not be
 * needed.
 *
 * The result depends neither on threads nor on memory. Thread-safety: any number of attacks may run
 * side by side.
 */
#ifndef STOIC_ATTACK_H
#define STOIC_ATTACK_H

#include "stoic/dataset.h"
#include "stoic/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(enumerator, name, sentence) */
#define STOIC_ATTACK_END_LIST(X)                                                                   \
    X(STOIC_ATTACK_FLIPS, "flips", "all flips are used")                                           \
    X(STOIC_ATTACK_BELOW, "below", "the accuracy asked for is reached")                            \
    X(STOIC_ATTACK_ZERO, "zero", "no image is right any more: nothing is left to lose")            \
    X(STOIC_ATTACK_NOTHING, "nothing", "no candidate changes a weight")                            \
    X(STOIC_ATTACK_WORSE, "worse", "every candidate would raise the accuracy")                     \
    X(STOIC_ATTACK_INTERRUPTED, "interrupted", "stopped; these flips were found until then")

#define STOIC_ATTACK_ENUM(enumerator, name, sentence) enumerator,
typedef enum stoic_attack_end { STOIC_ATTACK_END_LIST(STOIC_ATTACK_ENUM) } stoic_attack_end;
#undef STOIC_ATTACK_ENUM

/* The name of an end ("below"), and the sentence. */
STOIC_API const char *stoic_attack_end_name(stoic_attack_end end);
STOIC_API const char *stoic_attack_end_text(stoic_attack_end end);

/* One flip, in the order in which they were found. */
typedef struct stoic_flip {
    int layer;
    const char *name;    /* of the layer; lives as long as the model */
    stoic_role role;     /* weight or bias */
    int64_t index;       /* of the weight, flat, as the ONNX file stores it */
    int bit;             /* redundancy goes on counting above the data bits */
    stoic_bit_role kind; /* data, copy or parity */
    const char *field;   /* "exponent"; static */
    float before, after; /* the weight, as read */
    int64_t changed;     /* weights that read otherwise than before this flip */
    int64_t correct;     /* images that are right with all flips up to this one */
    double accuracy;     /* the same as a fraction */
    double loss;         /* mean over the images; see stoic_attack_result */
} stoic_flip;

typedef struct stoic_attack_progress {
    int64_t flips_done, flips;           /* found; at most */
    int64_t candidates, candidates_done; /* of this step: evaluated on some images at least */
    double accuracy;                     /* with the flips found */
    double seconds;                      /* since the start */
} stoic_attack_progress;

typedef struct stoic_attack_options {
    const char *store;  /* spec; NULL: fp32 */
    int64_t flips;      /* at most; 1 … 10,000 */
    double below;       /* stop when the accuracy is at most this; NaN: never */
    int64_t candidates; /* a tensor and ranking; 0: every bit */
    /* Which bits, as keys of a fault model: layer= "0+2", bits= "exponent", tensor= "weight" or
     * "bias"; NULL: all layers, all bits, weights. */
    const char *layers, *bits, *tensor;
    int threads;    /* 0: all this process may use */
    int64_t memory; /* bytes; 0: half of what is available */
    void (*progress)(void *user, const stoic_attack_progress *progress); /* from one thread */
    void *user;
    const volatile int *cancel; /* as in a campaign; may be NULL */
} stoic_attack_options;

/* fp32, one flip, no threshold, 200 candidates. */
STOIC_API stoic_attack_options stoic_attack_options_default(void);

/* The loss is what the final operator suggests, of the network's output: of a Sigmoid the binary
 * cross-entropy, of a Softmax or LogSoftmax the negative logarithm of the label's probability, else
 * the cross-entropy of the logits. Each image counts at most 87.34 (probabilities below the
 * smallest normal float are held there), but 100 where the output has a NaN or is no answer. */
typedef struct stoic_attack_result {
    char *store, *space; /* canonical: the store; the fault model whose bits were searched */
    int64_t images;
    int64_t correct; /* without flips */
    double accuracy, loss;
    stoic_flip *flips;
    int64_t n_flips;
    stoic_attack_end end;
    int64_t dropped;   /* flips found besides that were not needed any more at the end */
    int64_t evaluated; /* candidates that were evaluated, on some images at least */
} stoic_attack_result;

/* Fails with STOIC_ERR_ARGUMENT (an option), _UNSUPPORTED (operators without a gradient, listed;
 * none is needed with candidates 0), _MISMATCH (a label the network has no output for), _SHAPE,
 * _MEMORY. STOIC_ERR_INTERNAL: what was found does not come out again when the faulty network is
 * evaluated by itself. Stopped by `cancel` it returns STOIC_OK, and `end` says so;
 * STOIC_ERR_INTERRUPTED where not even the network without flips has been measured. */
STOIC_API stoic_status stoic_attack(const stoic_model *model, const stoic_dataset *data,
                                    const stoic_attack_options *options, stoic_attack_result **out,
                                    stoic_error *err) STOIC_MUST_CHECK;
STOIC_API void stoic_attack_free(stoic_attack_result *result);

#ifdef __cplusplus
}
#endif
#endif
