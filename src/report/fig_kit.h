/* What the figures share: frame, bands of a word's fields, captions. And the figures. */
#ifndef STOIC_REPORT_FIG_KIT_H
#define STOIC_REPORT_FIG_KIT_H

#include "report/figure.h"
#include "stoic/model.h"

/* A trial that loses more than this share of the accuracy counts as a hard one in captions. */
#define STOIC_HARD_DROP 0.1

/* Margins in characters of the frame, grid, tics and the accuracy axis from 0 to 1. */
void stoic_fig_frame(stoic_figure *figure);
/* "10 flips" for "flips:10"; other fault models as they are spelled. */
const char *stoic_fig_head(const stoic_loaded_run *run, char buffer[64]);
/* Where two campaigns stand in a figure: by bits, then by the fault model's argument. */
int stoic_fig_field_rank(const char *bits);
double stoic_fig_argument(const char *head);
/* A dotted line at the accuracy without faults, with its value beside it on the right. */
void stoic_fig_golden(stoic_figure *figure, double accuracy);

/* The fields of a stored word, top first. n = 0: a format whose bits have no such fields. */
typedef struct stoic_fig_field {
    const char *name;
    int top, bottom;
} stoic_fig_field;
typedef struct stoic_fig_word {
    int bits, n;
    stoic_fig_field fields[3];
} stoic_fig_word;
stoic_fig_word stoic_fig_word_of(const stoic_loaded_run *run);
/* An axis with the top bit on the left, its fields shaded and named above the frame. */
void stoic_fig_bit_axis(stoic_figure *figure, const stoic_fig_word *word);

/* "100 trials, 10,000 images a trial, seed 0, store fp32" and one run as a command. */
void stoic_fig_describe(stoic_text *out, const stoic_loaded_run *const *runs, size_t n);

/* The runs of a part that `wanted` says yes to; the caller frees. */
typedef bool (*stoic_fig_filter)(const stoic_loaded_run *run);
stoic_status stoic_fig_select(const stoic_loaded_runs *runs, int part, stoic_fig_filter wanted,
                              const stoic_loaded_run ***out, size_t *n,
                              stoic_error *err) STOIC_MUST_CHECK;

/* Moves the runs that belong to runs[0] to the front, in their order, and counts them. */
size_t stoic_fig_gather(const stoic_loaded_run **runs, size_t n,
                        bool (*same)(const stoic_loaded_run *, const stoic_loaded_run *));

/* ---- the figures: each adds those that the campaigns of a part call for ---- */
stoic_status stoic_fig_strips(const stoic_loaded_runs *runs, int part, stoic_figures *figures,
                              stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_fig_bits(const stoic_loaded_runs *runs, int part, stoic_figures *figures,
                            stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_fig_scatter(const stoic_loaded_runs *runs, int part, stoic_figures *figures,
                               stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_fig_rates(const stoic_loaded_runs *runs, int part, stoic_figures *figures,
                             stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_fig_course(const stoic_loaded_runs *runs, int part, stoic_figures *figures,
                              stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_fig_map(const stoic_loaded_runs *runs, int part, stoic_figures *figures,
                           stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_fig_worst(const stoic_loaded_runs *runs, int part, stoic_figures *figures,
                             stoic_error *err) STOIC_MUST_CHECK;
stoic_status stoic_fig_weights(const stoic_model *model, stoic_figures *figures,
                               stoic_error *err) STOIC_MUST_CHECK;

/* Those that lay campaigns of several parts side by side. */
stoic_status stoic_fig_variants(const stoic_loaded_runs *all, stoic_figures *figures,
                                stoic_error *err) STOIC_MUST_CHECK;

/* Has a rate no width, because nothing was left to chance? */
static inline bool stoic_fig_is_exact(const stoic_interval *rate) {
    return rate->low == rate->high;
}

/* Every single-bit fault of weights, of one fault model. */
bool stoic_fig_is_exhaustive(const stoic_loaded_run *run);
/* Colours for rates from 1e<decade> to 1, on a logarithmic scale. */
void stoic_fig_rate_colours(stoic_figure *figure, int decade);

/* A run of so many single-site trials is shown as a scatter over its trials. */
bool stoic_fig_is_scatter(const stoic_loaded_run *run);

#endif
