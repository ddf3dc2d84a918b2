/* Accuracy by bit position, where campaigns run every bit of some weights or of all. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"

enum { MAX_DOTS = 4000 };

typedef struct bit_point {
    int layer, bit; /* layer -1: all of them */
    int64_t trials;
    double accuracy, least;
} bit_point;

typedef struct bit_series {
    bit_point *points;
    size_t count;
    int n_layers, layers[STOIC_FIGURE_COLOURS];
    bool by_layer;
} bit_series;

static bool every_bit(const stoic_loaded_run *run) {
    return !run->mixed && !run->random && run->by_both.count > 0;
}

static int compare_points(const void *a, const void *b) {
    const bit_point *x = a, *y = b;
    return x->layer != y->layer ? (x->layer > y->layer) - (x->layer < y->layer)
                                : (x->bit > y->bit) - (x->bit < y->bit);
}

static void add_points(bit_series *series, const stoic_loaded_run *run) {
    for (size_t i = 0; i < run->by_both.count; i++) {
        const stoic_group *group = &run->by_both.items[i];
        if (group->trials == 0 || isnan(group->accuracy.value))
            continue;
        series->points[series->count++] =
            (bit_point){series->by_layer ? group->layer : -1, group->bit, group->trials,
                        group->accuracy.value, group->accuracy_min};
    }
}

static void merge_points(bit_series *series) {
    size_t n = 0;
    if (series->count > 0)
        qsort(series->points, series->count, sizeof *series->points, compare_points);
    for (size_t i = 0; i < series->count; i++) {
        const bit_point *p = &series->points[i];
        bit_point *last = n > 0 ? &series->points[n - 1] : NULL;
        if (!last || compare_points(last, p) != 0) {
            series->points[n++] = *p;
            continue;
        }
        double trials = (double)(last->trials + p->trials);
        last->accuracy =
            (last->accuracy * (double)last->trials + p->accuracy * (double)p->trials) / trials;
        last->least = fmin(last->least, p->least);
        last->trials += p->trials;
    }
    series->count = n;
}

/* Layers in the order of the points; false: more than there are colours. */
static bool find_layers(bit_series *series) {
    for (size_t i = 0; i < series->count; i++) {
        int layer = series->points[i].layer;
        if (series->n_layers > 0 && series->layers[series->n_layers - 1] == layer)
            continue;
        if (series->n_layers == STOIC_FIGURE_COLOURS)
            return false;
        series->layers[series->n_layers++] = layer;
    }
    return true;
}

static stoic_status collect(const stoic_loaded_run *const *runs, size_t n, bit_series *series,
                            stoic_error *err) {
    size_t room = 1;
    for (size_t i = 0; i < n; i++)
        room += runs[i]->by_both.count;
    series->points = calloc(room, sizeof *series->points);
    if (!series->points)
        return stoic_fail_memory(err, "a figure", room * sizeof *series->points);
    for (int by_layer = 1; by_layer >= 0; by_layer--) {
        series->by_layer = by_layer == 1;
        series->count = 0;
        series->n_layers = 0;
        for (size_t i = 0; i < n; i++)
            add_points(series, runs[i]);
        merge_points(series);
        if (find_layers(series))
            break;
    }
    return STOIC_OK;
}

static const char *name_of(const stoic_loaded_run *run, int layer, char buffer[32]) {
    return layer < 0 ? "all layers" : stoic_loaded_run_layer(run, layer, buffer);
}

/* Layers stand side by side within a bit's column. */
static double shift(const bit_series *series, int at) {
    return series->n_layers < 2 ? 0.0 : 0.62 * (0.5 - (double)at / (series->n_layers - 1));
}

static int write_means(stoic_figure *figure, const bit_series *series, const stoic_loaded_run *run,
                       int at) {
    char buffer[32];
    for (size_t i = 0; i < series->count; i++) {
        const bit_point *p = &series->points[i];
        if (p->layer != series->layers[at])
            continue;
        stoic_text_printf(&figure->csv, "%d,", p->layer);
        stoic_markup_csv(&figure->csv, name_of(run, p->layer, buffer));
        stoic_text_printf(&figure->csv, ",%d,%lld,%.17g,%.17g\n", p->bit, (long long)p->trials,
                          p->accuracy, p->least);
        stoic_figure_number(&figure->data, p->bit + shift(series, at));
        stoic_figure_number(&figure->data, p->accuracy);
        stoic_figure_number(&figure->data, p->least);
        stoic_figure_number(&figure->data, run->summary.golden_accuracy);
        stoic_text_puts(&figure->data, "\n");
    }
    return stoic_figure_block(figure);
}

static bool write_trials(stoic_figure *figure, const bit_series *series,
                         const stoic_loaded_run *const *runs, size_t n, int at) {
    size_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        if (!runs[i]->rows)
            return false;
        rows += runs[i]->n_rows;
    }
    if (rows > MAX_DOTS)
        return false;
    for (size_t i = 0; i < n; i++) {
        for (size_t r = 0; r < runs[i]->n_rows; r++) {
            const stoic_report_row *row = &runs[i]->rows[r];
            if (row->bit < 0 || (series->by_layer && row->layer != series->layers[at]))
                continue;
            stoic_figure_number(&figure->data, row->bit + shift(series, at));
            stoic_figure_number(&figure->data, row->accuracy);
            stoic_text_puts(&figure->data, "\n");
        }
    }
    return true;
}

/* Returns whether single trials are shown. */
static bool write_script(stoic_figure *figure, const bit_series *series,
                         const stoic_loaded_run *const *runs, size_t n) {
    bool dots = false;
    char buffer[32];
    stoic_fig_word word = stoic_fig_word_of(runs[0]);
    stoic_fig_frame(figure);
    stoic_fig_golden(figure, runs[0]->summary.golden_accuracy);
    stoic_fig_bit_axis(figure, &word);
    stoic_text_puts(&figure->script,
                    "set key below center horizontal height 0.5\nset bmargin 6\nplot NaN notitle");
    for (int at = 0; at < series->n_layers; at++) {
        const char *colour = stoic_figure_colour[at] + 1;
        int point = stoic_figure_point[at];
        if (write_trials(figure, series, runs, n, at)) {
            dots = true;
            stoic_text_printf(&figure->script,
                              ", \\\n'data' index %d using 1:2 with points pt %d ps 0.4 "
                              "lc rgb '#90%s' notitle",
                              stoic_figure_block(figure), point, colour);
        }
        int means = write_means(figure, series, runs[0], at);
        stoic_text_printf(&figure->script,
                          ", \\\n'data' index %d using 1:4:(0):($2-$4) with vectors nohead lw 1.6 "
                          "lc rgb '#60%s' notitle, \\\n'' index %d using 1:2 with points pt %d "
                          "ps 0.8 lc rgb '#%s' title ",
                          means, colour, means, point, colour);
        stoic_figure_label(figure, name_of(runs[0], series->layers[at], buffer));
    }
    stoic_text_puts(&figure->script, "\n");
    return dots;
}

/* " (conv1 0.1834, fc1 0.7810)": the means of one bit. */
static void write_layers(stoic_text *out, const bit_series *series, const stoic_loaded_run *run,
                         int bit) {
    char buffer[32];
    bool first = true;
    for (size_t i = 0; i < series->count && series->n_layers > 1; i++) {
        if (series->points[i].bit != bit)
            continue;
        stoic_text_puts(out, first ? " (" : ", ");
        stoic_markup_add(out, name_of(run, series->points[i].layer, buffer), 40);
        stoic_text_printf(out, " %.4f", series->points[i].accuracy);
        first = false;
    }
    if (!first)
        stoic_text_puts(out, ")");
}

/* The mean and the minimum over layers of each bit, then the two lowest bits. */
static void write_found(stoic_text *out, const bit_series *series, const stoic_loaded_run *run) {
    double means[64], least[64], trials[64];
    int worst = -1, second = -1;
    for (int b = 0; b < 64; b++) {
        means[b] = trials[b] = 0.0;
        least[b] = INFINITY;
    }
    for (size_t i = 0; i < series->count; i++) {
        const bit_point *p = &series->points[i];
        if (p->bit < 0 || p->bit > 63)
            continue;
        means[p->bit] += p->accuracy * (double)p->trials;
        trials[p->bit] += (double)p->trials;
        least[p->bit] = fmin(least[p->bit], p->least);
    }
    for (int b = 0; b < 64; b++) {
        means[b] = trials[b] > 0.0 ? means[b] / trials[b] : INFINITY;
        if (worst < 0 || means[b] < means[worst]) {
            second = worst;
            worst = b;
        } else if (second < 0 || means[b] < means[second]) {
            second = b;
        }
    }
    double others = INFINITY;
    for (int b = 0; b < 64; b++)
        others = b == worst ? others : fmin(others, least[b]);
    stoic_text_printf(out, "Bit %d is the worst: mean accuracy %.4f, lowest %.4f, against %.4f ",
                      worst, means[worst], least[worst], run->summary.golden_accuracy);
    stoic_text_puts(out, "without faults");
    write_layers(out, series, run, worst);
    stoic_text_puts(out, ".");
    if (isfinite(means[second]))
        stoic_text_printf(out,
                          " Next comes bit %d with a mean of %.4f; over all bits but %d the "
                          "lowest single accuracy is %.4f.",
                          second, means[second], worst, others);
}

stoic_status stoic_fig_bits(const stoic_loaded_runs *all, int part, stoic_figures *figures,
                            stoic_error *err) {
    const stoic_loaded_run **runs;
    bit_series series = {0};
    stoic_figure *figure;
    size_t n;
    stoic_status status = stoic_fig_select(all, part, every_bit, &runs, &n, err);
    if (status != STOIC_OK || n == 0)
        goto done;
    TRY(collect(runs, n, &series, err));
    if (series.count == 0)
        goto done;
    TRY(stoic_figures_add(figures, "bits", part, 980, 470, &figure, err));
    stoic_text_puts(&figure->title, "Accuracy by bit position");
    stoic_text_puts(&figure->csv, "layer,name,bit,trials,accuracy,lowest\n");
    bool dots = write_script(figure, &series, runs, n);
    stoic_text_printf(&figure->run,
                      "Each bit is flipped alone; %s are means over the weights of %s, lines "
                      "lead to the accuracy without faults%s. ",
                      dots ? "large markers" : "markers",
                      series.by_layer ? "a layer" : "all layers",
                      dots ? ", small markers are single weights" : "");
    stoic_fig_describe(&figure->run, runs, n);
    write_found(&figure->found, &series, runs[0]);
    status = stoic_figure_finish(figure, err);
done:
    free(series.points);
    free(runs);
    return status;
}
