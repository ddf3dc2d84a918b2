/* Accuracy over the trials of long single-site campaigns, told apart by the field that was hit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"

enum { MAX_PANELS = 6, MAX_DOTS = 4000 };

/* Fields in the order in which they are drawn: the rare and grave ones on top. */
static const struct {
    const char *name;
    int style;
    double size;
} fields[] = {{"mantissa", 2, 0.4},
              {"sign", 0, 0.5},
              {"exponent, lower bits", 4, 0.5},
              {"top exponent bit", 1, 0.6}};
enum { FIELDS = 4 };

static int field_of(const stoic_fig_word *word, int bit) {
    if (word->n == 0)
        return 0;
    if (bit == word->fields[1].top)
        return 3;
    return bit > word->fields[1].top ? 1 : bit >= word->fields[1].bottom ? 2 : 0;
}

static const char *panel_name(const stoic_loaded_run *run, char buffer[160]) {
    char layer[32], head[64];
    const char *name =
        run->only_layer < 0 ? "all layers" : stoic_loaded_run_layer(run, run->only_layer, layer);
    const char *fault = stoic_fig_head(run, head);
    if (strcmp(run->bits, "all") != 0)
        snprintf(buffer, 160, "%.60s, %.40s, %.40s", name, fault, run->bits);
    else
        snprintf(buffer, 160, "%.60s, %.40s", name, fault);
    return buffer;
}

static void write_dots(stoic_figure *figure, const stoic_loaded_run *run) {
    stoic_fig_word word = stoic_fig_word_of(run);
    char buffer[160];
    size_t step = run->n_rows / MAX_DOTS + 1;
    const char *name = panel_name(run, buffer);
    for (size_t i = 0; i < run->n_rows; i++) {
        const stoic_report_row *row = &run->rows[i];
        stoic_markup_csv(&figure->csv, name);
        stoic_text_printf(&figure->csv, ",%lld,%d,%d,%.17g\n", (long long)row->trial, row->layer,
                          row->bit, row->accuracy);
    }
    for (int f = 0; f < FIELDS; f++) {
        for (size_t i = 0; i < run->n_rows; i++) {
            const stoic_report_row *row = &run->rows[i];
            if (field_of(&word, row->bit) != f || (i % step && f < 3))
                continue;
            stoic_figure_number(&figure->data, (double)row->trial);
            stoic_figure_number(&figure->data, row->accuracy);
            stoic_text_puts(&figure->data, "\n");
        }
        stoic_figure_block(figure);
    }
}

static void write_panel(stoic_figure *figure, const stoic_loaded_run *run) {
    char buffer[160];
    stoic_text *script = &figure->script;
    int first = figure->blocks;
    write_dots(figure, run);
    stoic_text_puts(script, "set title ");
    stoic_figure_label(figure, panel_name(run, buffer));
    stoic_text_printf(script, " offset 0,-0.4 font ',14'\nset xrange [0:%lld]\n",
                      (long long)run->rows[run->n_rows - 1].trial + 1);
    stoic_text_puts(script, "plot NaN notitle");
    for (int f = 0; f < (stoic_fig_word_of(run).n ? FIELDS : 1); f++) {
        int style = fields[f].style;
        stoic_text_printf(script,
                          ", \\\n'data' index %d using 1:2 with points pt %d ps %g "
                          "lc rgb '#40%s' notitle",
                          first + f, stoic_figure_point[style], fields[f].size,
                          stoic_figure_colour[style] + 1);
    }
    stoic_text_puts(script, "\nunset label 50; unset label 51; unset label 52; unset label 53\n");
}

/* A key for all panels: gnuplot's own belongs to a single one. */
static void write_key(stoic_figure *figure) {
    static const double places[FIELDS] = {0.24, 0.36, 0.45, 0.65};
    for (int f = 0; f < FIELDS; f++)
        stoic_text_printf(&figure->script,
                          "set label %d '%s' at screen %g, screen 0.035 left point pt %d ps 0.9 "
                          "lc rgb '%s' offset char 1.2,-0.15\n",
                          50 + f, fields[f].name, places[f], stoic_figure_point[fields[f].style],
                          stoic_figure_colour[fields[f].style]);
}

static void write_found(stoic_text *out, const stoic_loaded_run *run) {
    char buffer[160];
    stoic_fig_word word = stoic_fig_word_of(run);
    int64_t hard = 0, hard_top = 0, half = 0, top = 0;
    for (size_t i = 0; i < run->n_rows; i++) {
        const stoic_report_row *row = &run->rows[i];
        bool is_top = word.n > 0 && row->bit == word.fields[1].top;
        top += is_top;
        half += row->accuracy < run->summary.golden_accuracy / 2.0;
        hard += row->drop > STOIC_HARD_DROP;
        hard_top += row->drop > STOIC_HARD_DROP && is_top;
    }
    stoic_text_puts(out, out->length ? "<br/><b>" : "<b>");
    stoic_markup_add(out, panel_name(run, buffer), 100);
    stoic_text_printf(
        out,
        "</b>: %lld of %zu trials (%.1f %%) lose more than 10 points, %lld fall below "
        "half of the fault-free accuracy; mean %.4f, lowest %.4f.",
        (long long)hard, run->n_rows, 100.0 * (double)hard / (double)run->n_rows, (long long)half,
        run->summary.accuracy.value, run->summary.accuracy_min);
    if (word.n > 0)
        stoic_text_printf(out,
                          " Of the %lld that hit the top exponent bit %lld lose more than 10 "
                          "points, of the %lld others %lld.",
                          (long long)top, (long long)hard_top, (long long)run->n_rows - top,
                          (long long)(hard - hard_top));
}

stoic_status stoic_fig_scatter(const stoic_loaded_runs *all, int part, stoic_figures *figures,
                               stoic_error *err) {
    const stoic_loaded_run **runs;
    stoic_figure *figure;
    size_t n;
    stoic_status status = stoic_fig_select(all, part, stoic_fig_is_scatter, &runs, &n, err);
    if (status != STOIC_OK || n == 0)
        goto done;
    n = n > MAX_PANELS ? MAX_PANELS : n;
    int columns = n > 1 ? 2 : 1, rows = ((int)n + 1) / 2;
    TRY(stoic_figures_add(figures, "scatter", part, 980, 50 + 350 * rows, &figure, err));
    stoic_text_puts(&figure->title, "Accuracy over the trials");
    stoic_text_puts(&figure->csv, "campaign,trial,layer,bit,accuracy\n");
    stoic_fig_frame(figure);
    stoic_fig_golden(figure, runs[0]->summary.golden_accuracy);
    if (stoic_fig_word_of(runs[0]).n > 0)
        write_key(figure);
    stoic_text_printf(&figure->script,
                      "set xlabel 'trial'\nset xtics autofreq\nset bmargin 5.5\n"
                      "set multiplot layout %d,%d margins char 8, screen %g, "
                      "char 6.3, screen %g spacing char 17, char 7\n",
                      rows, columns, 0.915, 1.0 - 36.0 / (50 + 350 * rows));
    for (size_t i = 0; i < n; i++)
        write_panel(figure, runs[i]);
    stoic_text_puts(&figure->script, "unset multiplot\n");
    stoic_text_puts(&figure->run, "A marker is a trial, its shape the field of the flipped bit. ");
    stoic_fig_describe(&figure->run, runs, n);
    for (size_t i = 0; i < n; i++)
        write_found(&figure->found, runs[i]);
    status = stoic_figure_finish(figure, err);
done:
    free(runs);
    return status;
}
