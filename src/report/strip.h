/* A strip of dots: the trials of a campaign, or of one of its layers, and what they come to. */
#ifndef STOIC_REPORT_STRIP_H
#define STOIC_REPORT_STRIP_H

#include "report/figure.h"

typedef struct stoic_strip {
    const stoic_loaded_run *run;
    int layer; /* -1: whatever the campaign hits */
    int panel;
    stoic_interval accuracy;
    double least; /* NaN: no trial */
    /* hard: drops beyond STOIC_HARD_DROP; hard_top: of them, by the top exponent bit */
    int64_t trials, hard, hard_top;
} stoic_strip;

/* Random draws whose trials are at hand, of one fault model. */
bool stoic_strip_fits(const stoic_loaded_run *run);
/* Fills in what follows from run and layer. */
void stoic_strip_measure(stoic_strip *s);
bool stoic_strip_holds(const stoic_strip *s, const stoic_report_row *row);
/* "conv1", "all layers"; `buffer` of 32 bytes or more. */
const char *stoic_strip_layer(const stoic_strip *s, char *buffer);

/* A block of the figure's data: dots a little left of x, spread so that they do not hide each
 * other. The means belong at x + STOIC_STRIP_MEAN. */
#define STOIC_STRIP_MEAN 0.37
void stoic_strip_dots(stoic_figure *figure, const stoic_strip *s, double x);
/* Draws block `block` in the n-th colour and shape: a piece of a plot command. */
void stoic_strip_plot(stoic_figure *figure, int block, int n);
/* A line of data for the mean and its interval. */
void stoic_strip_mean(stoic_figure *figure, const stoic_strip *s, double x);

#endif
