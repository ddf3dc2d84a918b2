/*
 * Hardening: named passes that take a model and give one that stands more, with their price.
 *
 * A pass is a spec, "relu6" or "bound:4". Passes run in the order given, each on the result of the
 * one before. What they put into the network is plain ONNX that other runtimes execute. The result
 * names the passes it went through in its metadata, stoic.hardening.
 */
#ifndef STOIC_HARDEN_H
#define STOIC_HARDEN_H

#include "stoic/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(identifier, spelling, argument, what becomes of NaN, half a line): what `argument` names is
 * optional in brackets. */
#define STOIC_PASS_LIST(X)                                                                         \
    X(relu6, "relu6", "", "survives", "every ReLU becomes Clip(0, 6): bound:6")                    \
    X(bound, "bound", ":N", "survives", "every ReLU becomes Clip(0, N), every Clip ends at N")     \
    X(nan_filter, "nan-filter", "", "becomes 0", "NaN becomes 0 behind every activation")          \
    X(invert, "invert", "", "survives",                                                            \
      "conv, activation, normalisation in the stem and at the start of each residual block")       \
    X(ranger, "ranger", "[:Q]", "survives",                                                        \
      "every ReLU ends at the Q-th percentile of its largest values, and what follows it")         \
    X(smartpool, "smartpool", "[:K]", "survives",                                                  \
      "max-pools ignore what is above K times the largest value seen")                             \
    X(clipact, "clipact", "", "survives",                                                          \
      "what is above a threshold becomes 0, found by injecting faults on training images")         \
    X(fitact, "fitact", "", "survives",                                                            \
      "what is above a bound fades to 0, the bound of each channel trained")                       \
    X(duplicate, "duplicate", ":SHARE", "survives where two of three runs give it",                \
      "the most critical channels three times, with weights of their own, and a vote")             \
    X(tmr, "tmr", "", "survives if two runs of three give it",                                     \
      "the whole computation three times, and a vote")                                             \
    X(abft, "abft", "", "is detected",                                                             \
      "each layer's channels against a checksum, position by position; goes last")                 \
    X(abed, "abed", "", "is detected",                                                             \
      "each layer's channels and positions against one checksum; goes last")

/* The passes there are, in the order of the list: "ranger[:Q]", and what it does. */
STOIC_API size_t stoic_pass_count(void);
STOIC_API const char *stoic_pass_usage(size_t i);
STOIC_API const char *stoic_pass_summary(size_t i);

/* An output channel of a layer (stoic_model_layer()). */
typedef struct stoic_channel {
    int layer;
    int64_t channel;
} stoic_channel;

typedef struct stoic_harden_options {
    /* Images on which activations are profiled, for the passes that need it; training images, and
     * not those of the evaluation. NULL: such passes are refused. */
    const stoic_dataset *data;
    int64_t every; /* of these every n-th, from the first on */
    int threads;   /* 0: all this process may use; results do not depend on it */
    /* Channels of the model that the first pass gets, the most critical first (`duplicate`);
     * stoic/sensitivity.h ranks them. */
    const stoic_channel *channels;
    size_t n_channels;
    const volatile int *cancel; /* as in a campaign; nothing is made then. May be NULL */
} stoic_harden_options;

/* Every fifth image: 20 %. */
STOIC_API stoic_harden_options stoic_harden_options_default(void);

/* One node that a pass changed. */
typedef struct stoic_change {
    const char *pass; /* as given */
    const char *node, *op;
    const char *what; /* "becomes Clip(0, 6)" */
} stoic_change;

/* One pass as it ran. */
typedef struct stoic_pass_result {
    const char *pass; /* as given */
    const char *nan;  /* what becomes of a NaN that the pass meets */
    const char *note; /* why it changed nothing, or what is to be done now; NULL */
    int changes;
    int64_t images; /* that were profiled */
} stoic_pass_result;

typedef struct stoic_hardening stoic_hardening;

STOIC_API void stoic_hardening_free(stoic_hardening *hardening);
STOIC_API size_t stoic_hardening_passes(const stoic_hardening *hardening);
STOIC_API stoic_pass_result stoic_hardening_pass(const stoic_hardening *hardening, size_t i);
STOIC_API size_t stoic_hardening_changes(const stoic_hardening *hardening);
STOIC_API stoic_change stoic_hardening_change(const stoic_hardening *hardening, size_t i);

/* Checks the specs alone: STOIC_ERR_ARGUMENT for a pass that there is not or not yet, for a bound
 * that is not above 0, a percentile outside (0, 100]. `needs_data` (may be NULL): does one of them
 * profile? */
STOIC_API stoic_status stoic_harden_check(const char *const *passes, size_t n, bool *needs_data,
                                          stoic_error *err) STOIC_MUST_CHECK;

/*
 * Applies the passes in order. `hardening` (may be NULL) gets what was changed; its strings live as
 * long as it does. Fails with STOIC_ERR_UNSUPPORTED, naming the node, where a pass cannot apply;
 * STOIC_ERR_SHAPE for images of the wrong shape; STOIC_ERR_NUMERIC where a profile is not finite.
 */
STOIC_API stoic_status stoic_harden(const stoic_model *model, const char *const *passes, size_t n,
                                    const stoic_harden_options *options, stoic_model **out,
                                    stoic_hardening **hardening, stoic_error *err) STOIC_MUST_CHECK;

/* What one evaluation of one image costs. */
typedef struct stoic_price {
    int64_t parameters; /* elements of all constant float tensors, bounds included */
    int64_t macs;       /* multiply-adds */
    int64_t operations; /* these, and one for each value that any other operator computes */
} stoic_price;

STOIC_API stoic_price stoic_model_price(const stoic_model *model);

/* The processor time of one evaluation of `after` over that of `before`, in turns on one thread,
 * the quickest of several rounds each; on images of `data`, or on random ones where it is NULL. */
STOIC_API stoic_status stoic_model_time_ratio(const stoic_model *before, const stoic_model *after,
                                              const stoic_dataset *data, double *ratio,
                                              stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
