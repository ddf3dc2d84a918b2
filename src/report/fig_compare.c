/* A comparison, a figure for each fault: protections from the least critical down, their critical
 * rate with its interval, and on the right what they cost. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"
#include "stoic/report.h"

enum { NAMES = 56, ROW_HEIGHT = 20, WIDTH = 980 };
static const double least_rate = 1e-5; /* the axis is logarithmic; what is below is drawn on it */

typedef struct chart {
    const stoic_comparison *found;
    const stoic_compare_row **rows; /* of one fault, least critical first */
    int n;
} chart;

static int compare_rows(const void *a, const void *b) {
    const stoic_compare_row *x = *(const stoic_compare_row *const *)a;
    const stoic_compare_row *y = *(const stoic_compare_row *const *)b;
    if (x->critical_rate.value != y->critical_rate.value)
        return x->critical_rate.value < y->critical_rate.value ? -1 : 1;
    return (x->protection > y->protection) - (x->protection < y->protection);
}

static double on_axis(double rate) {
    return rate > least_rate ? rate : least_rate;
}

static const stoic_protection *protection_of(const chart *c, int i) {
    return &c->found->protections[c->rows[i]->protection];
}

static void write_names(stoic_figure *figure, const chart *c) {
    stoic_text *script = &figure->script;
    stoic_text_puts(script, "set ytics (");
    for (int i = 0; i < c->n; i++) {
        stoic_text_puts(script, i ? ", " : "");
        stoic_figure_label(figure, protection_of(c, i)->name);
        stoic_text_printf(script, " %d", i);
    }
    stoic_text_puts(script, ") font ',11'\n");
}

/* Columns of numbers beside the frame: bits, time, clean accuracy. */
static void write_costs(stoic_figure *figure, const chart *c) {
    static const char *const heads[] = {"bits/w", "time", "clean %"};
    static const int at[] = {7, 14, 22};
    stoic_text *script = &figure->script;
    for (int k = 0; k < 3; k++)
        stoic_text_printf(script,
                          "set label %d '%s' at graph 1, first -1 right offset char %d,0 font "
                          "',11'\n",
                          k + 1, heads[k], at[k]);
    for (int i = 0; i < c->n; i++) {
        const stoic_protection *p = protection_of(c, i);
        const double costs[] = {(double)p->bits / (double)p->weights, p->time_ratio,
                                100 * p->clean_accuracy};
        for (int k = 0; k < 3; k++) {
            char number[32];
            snprintf(number, sizeof number, k == 0 ? "%.3g" : "%.2f", costs[k]);
            stoic_text_printf(script,
                              "set label %d '%s' at graph 1, first %d right offset char %d,0 font "
                              "',11'\n",
                              10 + 3 * i + k, number, i, at[k]);
        }
    }
}

/* Those that nothing else beats are filled. */
static int write_points(stoic_figure *figure, const chart *c, bool pareto) {
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        const stoic_interval *rate = &c->rows[i]->critical_rate;
        if (c->rows[i]->pareto != pareto)
            continue;
        stoic_figure_number(&figure->data, on_axis(rate->value));
        stoic_text_printf(&figure->data, " %d", i);
        stoic_figure_number(&figure->data, on_axis(rate->low));
        stoic_figure_number(&figure->data, on_axis(rate->high));
        stoic_text_puts(&figure->data, "\n");
        n++;
    }
    if (!n)
        stoic_text_puts(&figure->data, "NaN NaN NaN NaN\n");
    return stoic_figure_block(figure);
}

static void write_plot(stoic_figure *figure, const chart *c) {
    int rest = write_points(figure, c, false), front = write_points(figure, c, true);
    stoic_text_printf(
        &figure->script,
        "plot 'data' index %d using 1:2:3:4 with xerrorbars pt 6 ps 0.9 lw 1.3 lc rgb '%s' title "
        "'beaten by another', \\\n'' index %d using 1:2:3:4 with xerrorbars pt 7 "
        "ps 0.9 lw 1.3 "
        "lc rgb '%s' title 'on the front'\n",
        rest, stoic_figure_colour[1], front, stoic_figure_colour[0]);
}

static void write_csv(stoic_figure *figure, const chart *c) {
    stoic_text_puts(
        &figure->csv,
        "name,critical_rate,low,high,bits_per_weight,time_ratio,clean_accuracy,pareto\n");
    for (int i = 0; i < c->n; i++) {
        const stoic_protection *p = protection_of(c, i);
        const stoic_interval *rate = &c->rows[i]->critical_rate;
        stoic_markup_csv(&figure->csv, p->name);
        stoic_text_printf(&figure->csv, ",%.17g,%.17g,%.17g,%.17g,%.17g,%.17g,%d\n", rate->value,
                          rate->low, rate->high, (double)p->bits / (double)p->weights,
                          p->time_ratio, p->clean_accuracy, c->rows[i]->pareto);
    }
}

static stoic_status make_figure(const chart *c, stoic_figures *figures, stoic_figure **out,
                                int number, stoic_error *err) {
    char key[32];
    snprintf(key, sizeof key, "compare-%d", number);
    stoic_status status = stoic_figures_add(figures, key, STOIC_FIGURE_OF_ALL, WIDTH,
                                            110 + ROW_HEIGHT * c->n, out, err);
    if (status != STOIC_OK)
        return status;
    stoic_figure *figure = *out;
    figure->label_columns = NAMES;
    stoic_text_puts(&figure->title, "Critical rate and cost of protections");
    write_csv(figure, c);
    stoic_fig_frame(figure);
    stoic_text_printf(&figure->script,
                      "set logscale x\nset xrange [%g:1]\nset yrange [%d:-1.6]\n"
                      "set xtics 1e-5,10 format '%%g'\nset xlabel 'critical rate'\nunset ylabel\n"
                      "set lmargin 44\nset rmargin 25\nset tmargin 2.5\n"
                      "set key at graph 1, screen 0.995 right top horizontal Left reverse\n",
                      0.8 * least_rate, c->n);
    stoic_text_puts(&figure->script, "set label 99 ");
    stoic_figure_label(figure, c->found->faults[c->rows[0]->fault]);
    stoic_text_puts(&figure->script, " at screen 0.015, screen 0.965 left font ',13'\n");
    write_names(figure, c);
    write_costs(figure, c);
    write_plot(figure, c);
    return stoic_figure_finish(figure, err);
}

stoic_status stoic_comparison_draw(const stoic_comparison *comparison, const char *folder,
                                   stoic_error *err) {
    stoic_figures figures = {0};
    stoic_status status = STOIC_OK;
    bool drawn = true;
    chart c = {.found = comparison};
    c.rows = calloc((size_t)comparison->n_rows + 1, sizeof *c.rows);
    if (!c.rows)
        return stoic_fail_memory(err, "a figure", (size_t)comparison->n_rows * sizeof *c.rows);
    for (int fault = 0; fault < comparison->n_faults; fault++) {
        stoic_figure *figure;
        c.n = 0;
        for (int i = 0; i < comparison->n_rows; i++) {
            if (comparison->rows[i].fault == fault)
                c.rows[c.n++] = &comparison->rows[i];
        }
        qsort(c.rows, (size_t)c.n, sizeof *c.rows, compare_rows);
        TRY(make_figure(&c, &figures, &figure, fault + 1, err));
        TRY(stoic_figure_draw(figure, &drawn, err));
    }
    TRY(stoic_figures_write(&figures, folder, err));
    if (!drawn)
        stoic_log(STOIC_LOG_WARNING, "gnuplot was not found in PATH: no pictures, data only");
done:
    stoic_figures_deinit(&figures);
    free(c.rows);
    return status;
}
