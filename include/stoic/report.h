/*
 * Reports: figures and one self-contained page from campaign files; the curves of a training.
 * Figures are drawn by gnuplot, found at run time; without it the page has tables only and a
 * warning says so.
 */
#ifndef STOIC_REPORT_H
#define STOIC_REPORT_H

#include "stoic/budget.h"
#include "stoic/compare.h"
#include "stoic/explore.h"
#include "stoic/records.h"
#include "stoic/study.h"
#include "stoic/train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoic_report_options {
    const char *title;      /* NULL: made from the campaigns */
    const char *figures;    /* folder for the pictures alone, or NULL */
    const char *model_path; /* for weight and exponent histograms; NULL: none */
    const char *notes;      /* file with a caption a figure, "key<TAB>text" a line, or NULL */
} stoic_report_options;

STOIC_API stoic_report_options stoic_report_options_default(void);

/* Writes the page atomically. `page` may be NULL when only figures are asked for. */
STOIC_API stoic_status stoic_report_write(const char *const *campaigns, size_t n,
                                          const stoic_report_options *options, const char *page,
                                          stoic_error *err) STOIC_MUST_CHECK;

/* Draws loss and accuracies over the epochs of a training and writes the picture, an SVG file of
 * its own, atomically. Accuracies that are not finite are left out. Without gnuplot nothing is
 * written, and a note in the log says so. */
STOIC_API stoic_status stoic_curves_draw(const stoic_epoch *epochs, int64_t n, const char *path,
                                         stoic_error *err) STOIC_MUST_CHECK;

/* What stoic_infer_options.watch told, batch after batch, of one run. */
typedef struct stoic_live_point {
    int64_t images, correct, flips; /* so far */
} stoic_live_point;
typedef struct stoic_live_curve {
    const char *name;
    const stoic_live_point *points;
    int64_t n;
} stoic_live_curve;
/* Draws the accuracy of each batch against the bits flipped so far, a line a run (at most 6). */
STOIC_API stoic_status stoic_live_draw(const stoic_live_curve *curves, size_t n, const char *path,
                                       stoic_error *err) STOIC_MUST_CHECK;

/* Draws rows of stoic_scaling_measure(), as they come, the way paper 1's Fig. 2 does: a panel for
 * each format, a curve for each factor, expectations as lines and drawn means as points. Curves
 * that leave the others far behind (infinities, wrapped values) are cut off at the frame. */
STOIC_API stoic_status stoic_scaling_draw(const stoic_scaling_row *rows, size_t n, const char *path,
                                          stoic_error *err) STOIC_MUST_CHECK;
/* Draws what an exploration found into a folder, made if need be: explore-drop.svg,
 * explore-p-drop.svg and explore-rap.svg, each against memory with a panel a bit error rate, and
 * their data as CSV. Without gnuplot the CSV files are written, and a warning says so. */
STOIC_API stoic_status stoic_exploration_draw(const stoic_exploration *exploration,
                                              const char *folder,
                                              stoic_error *err) STOIC_MUST_CHECK;
/* The same for a comparison: compare-N.svg for the N-th fault, the critical rate of each protection
 * beside what it costs. */
STOIC_API stoic_status stoic_comparison_draw(const stoic_comparison *comparison, const char *folder,
                                             stoic_error *err) STOIC_MUST_CHECK;
/* The same for a budget: explore-budget.svg, loss against memory, and its data. */
STOIC_API stoic_status stoic_budget_draw(const stoic_budget *budget, const char *folder,
                                         stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
