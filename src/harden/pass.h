/* Inside src/harden: what a pass is, and what all of them use. */
#ifndef STOIC_HARDEN_PASS_H
#define STOIC_HARDEN_PASS_H

#include "harden/anatomy.h"
#include "model/rewrite.h"
#include "stoic/harden.h"

/* A pass at work on one model. */
typedef struct stoic_pass_run {
    const stoic_anatomy *anatomy; /* of the model it gets */
    const stoic_model *model;
    const char *text; /* the spec as given */
    double argument;
    const stoic_harden_options *options;
    stoic_rewrite *rewrite; /* of the model; NULL where the pass builds a new one */
    stoic_hardening *report;
} stoic_pass_run;

typedef struct stoic_pass {
    const char *name;
    double fallback;   /* argument where it may be left out; NAN: it may not */
    double low, high;  /* an argument must be above `low`, and at most `high` */
    const char *what;  /* names the argument in messages; NULL: the pass takes none */
    bool profiles;     /* needs options->data */
    bool last;         /* nothing but its like goes behind it */
    const char *after; /* what is to be done with the result, NULL */
    /* Changes run->rewrite; or, where `build` is given instead, gives a model of its own. */
    stoic_status (*apply)(stoic_pass_run *run, stoic_error *err);
    stoic_status (*build)(stoic_pass_run *run, stoic_model **out, stoic_error *err);
} stoic_pass;

#define STOIC_PASS_DECLARE(identifier, spelling, argument, nan, summary)                           \
    extern const stoic_pass stoic_pass_##identifier;
STOIC_PASS_LIST(STOIC_PASS_DECLARE)
#undef STOIC_PASS_DECLARE

/* Notes one change of a node, "becomes Clip(0, 6)". */
stoic_status stoic_pass_changed(stoic_pass_run *run, int node, stoic_error *err, const char *fmt,
                                ...) STOIC_PRINTF(4, 5);
/* Notes why nothing was changed, or how many images were profiled. */
stoic_status stoic_pass_note(stoic_pass_run *run, const char *note, stoic_error *err);
void stoic_pass_profiled(stoic_pass_run *run, int64_t images);

/* STOIC_ERR_INTERRUPTED if the caller asks to stop. */
stoic_status stoic_pass_go_on(const stoic_harden_options *options, stoic_error *err);

/* "node 'x' (Op): PASS <why>", STOIC_ERR_UNSUPPORTED. */
stoic_status stoic_pass_refuse(const stoic_pass_run *run, int node, const char *why,
                               stoic_error *err);

/* ---- what passes put into the graph (graft.c) ---- */

/* A new scalar constant. */
stoic_status stoic_graft_scalar(stoic_pass_run *run, const char *name, float value, int *out,
                                stoic_error *err);
/* A node becomes Clip(low, high) of its first input. */
stoic_status stoic_graft_clip(stoic_pass_run *run, int node, float low, float high,
                              stoic_error *err);
/* Clip(low, high) behind `value`; everyone who read it reads what it gives. */
stoic_status stoic_graft_clip_behind(stoic_pass_run *run, int value, float low, float high,
                                     stoic_error *err);
/* Where(x is such, with, x) of `value`: the comparison is `test`, with `limit` unless it is IsNaN.
 * Nobody reads it yet. */
stoic_status stoic_graft_choice(stoic_pass_run *run, int value, const char *name,
                                const stoic_op *test, float limit, float with, int *out,
                                stoic_error *err);
/* Everyone in the model who reads `value`, its output included, reads `with` from now on. */
void stoic_graft_readers(stoic_pass_run *run, int value, int with);

/* ---- what values the network takes (profile.c) ---- */

/* For each of `n` values the largest element in each profiled image: most[i * *images + image].
 * The caller frees it. STOIC_ERR_NUMERIC where one is NaN or infinite, naming the value's node. */
stoic_status stoic_profile_maxima(stoic_pass_run *run, const int *values, size_t n, float **most,
                                  int64_t *images, stoic_error *err);
/* For each of `n` maps or rows the largest element of each channel in all images:
 * tops[at[i] + channel]. `at` has room for n + 1; the caller frees *tops. Fails as above. */
stoic_status stoic_profile_channels(stoic_pass_run *run, const int *values, size_t n, int64_t *at,
                                    float **tops, stoic_error *err);
/* Is `bound` as good as `fresh`? The same network hardened sums in another order here and there, so
 * that a profile of it differs in its last digits. */
bool stoic_bound_holds(double bound, double fresh);
/* The smallest of n numbers that at least `percent` of them do not exceed. Sorts them. */
float stoic_percentile(float *values, int64_t n, double percent);

/* ---- a model anew (replicate.c) ---- */

/* The model built again: without what nothing reads, as if it had been written and read; `copies`
 * times side by side on the same image and the same constants, with a vote on the outputs where
 * copies is 3. */
stoic_status stoic_model_replicate(const stoic_model *model, int copies, stoic_model **out,
                                   stoic_error *err);

#endif
