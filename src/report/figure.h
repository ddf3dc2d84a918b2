/*
 * A figure being made: a gnuplot script of our own words, numbers in a data file, captions, and
 * the same data as CSV.
 *
 * No string from a model or a campaign file ever reaches gnuplot. stoic_figure_label() keeps the
 * string and gives a placeholder of the same width, which is exchanged in the finished picture,
 * escaped. The picture uses currentColor and a handful of named colours, so that a page can show
 * it on a dark ground.
 */
#ifndef STOIC_REPORT_FIGURE_H
#define STOIC_REPORT_FIGURE_H

#include "base/text.h"
#include "report/loaded_run.h"

enum { STOIC_FIGURE_COLOURS = 6, STOIC_FIGURE_LABEL = 24 };

/* What a figure belongs to, where it is not a part (campaigns of one model, store and data). */
enum { STOIC_FIGURE_OF_MODEL = -1, STOIC_FIGURE_OF_ALL = -2 };

/* The palette of Okabe and Ito without yellow and black; a shape of point for each, so that no
 * reader depends on the colour. */
extern const char *const stoic_figure_colour[STOIC_FIGURE_COLOURS];
extern const int stoic_figure_point[STOIC_FIGURE_COLOURS];

typedef struct stoic_figure {
    char key[64];                 /* file name and key of its note: "flips" */
    char note[32];                /* the key without the campaign's number */
    int part;                     /* or STOIC_FIGURE_OF_MODEL, STOIC_FIGURE_OF_ALL */
    stoic_text title, run, found; /* markup */
    stoic_text script, data, csv;
    int blocks; /* in data: what gnuplot calls index */
    int width, height;
    char **labels;
    size_t n_labels;
    int label_columns; /* longer labels are cut; STOIC_FIGURE_LABEL unless set */
    stoic_text svg;    /* empty: not drawn */
} stoic_figure;

typedef struct stoic_figures {
    stoic_figure *items;
    size_t count, capacity;
} stoic_figures;

/* A new figure at the end; earlier pointers are no longer good. The key gets a number from
 * the second part on, and where it is taken. */
stoic_status stoic_figures_add(stoic_figures *figures, const char *key, int part, int width,
                               int height, stoic_figure **out, stoic_error *err) STOIC_MUST_CHECK;
void stoic_figures_deinit(stoic_figures *figures);

/* Writes a quoted placeholder for `string` into the script. Memory failure sticks in `script`. */
void stoic_figure_label(stoic_figure *figure, const char *string);

/* Ends a block of data and gives its index. */
int stoic_figure_block(stoic_figure *figure);

/* A number into the data; NaN as gnuplot knows it. */
void stoic_figure_number(stoic_text *out, double value);

/* STOIC_ERR_MEMORY where any part has failed. */
stoic_status stoic_figure_finish(stoic_figure *figure, stoic_error *err) STOIC_MUST_CHECK;

/* Draws into figure->svg by gnuplot. *drawn is false where gnuplot cannot be started; a figure
 * that gnuplot refuses stays empty, with a warning in the log. */
stoic_status stoic_figure_draw(stoic_figure *figure, bool *drawn,
                               stoic_error *err) STOIC_MUST_CHECK;

/* The picture as a file of its own; nothing where there is none. */
stoic_status stoic_figure_save(const stoic_figure *figure, const char *path,
                               stoic_error *err) STOIC_MUST_CHECK;
/* Each figure's data and picture, KEY.csv and KEY.svg, in a folder that is made if need be. */
stoic_status stoic_figures_write(const stoic_figures *figures, const char *folder,
                                 stoic_error *err) STOIC_MUST_CHECK;

/* The style rules that figures need: light and dark colours. */
extern const char stoic_figure_style[];

/* Exchanges placeholders and colours of a picture by gnuplot; `out` has no XML prolog. */
void stoic_svg_polish(const stoic_figure *figure, const char *raw, stoic_text *out);

#endif
