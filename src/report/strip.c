#include "report/strip.h"

#include <math.h>

#include "report/fig_kit.h"

enum { MAX_DOTS = 400 };

bool stoic_strip_fits(const stoic_loaded_run *run) {
    return !run->mixed && run->random && run->rows;
}

bool stoic_strip_holds(const stoic_strip *s, const stoic_report_row *row) {
    return s->layer < 0 || s->run->only_layer >= 0 || row->layer == s->layer;
}

void stoic_strip_measure(stoic_strip *s) {
    const stoic_loaded_run *run = s->run;
    int top = stoic_fig_word_of(run).n ? stoic_fig_word_of(run).fields[1].top : -2;
    s->accuracy = run->summary.accuracy;
    for (size_t i = 0; i < run->by_layer.count; i++) {
        if (run->by_layer.items[i].layer == s->layer)
            s->accuracy = run->by_layer.items[i].accuracy;
    }
    s->least = NAN;
    s->trials = s->hard = s->hard_top = 0;
    for (size_t i = 0; i < run->n_rows; i++) {
        const stoic_report_row *row = &run->rows[i];
        if (!stoic_strip_holds(s, row))
            continue;
        s->trials++;
        s->least = row->accuracy >= s->least ? s->least : row->accuracy;
        s->hard += row->drop > STOIC_HARD_DROP;
        s->hard_top += row->drop > STOIC_HARD_DROP && row->bit == top;
    }
}

const char *stoic_strip_layer(const stoic_strip *s, char *buffer) {
    return s->layer < 0 ? "all layers" : stoic_loaded_run_layer(s->run, s->layer, buffer);
}

void stoic_strip_dots(stoic_figure *figure, const stoic_strip *s, double x) {
    int64_t step = s->trials / MAX_DOTS + 1, seen = 0;
    for (size_t i = 0; i < s->run->n_rows; i++) {
        const stoic_report_row *row = &s->run->rows[i];
        if (!stoic_strip_holds(s, row) || seen++ % step)
            continue;
        double shift = fmod((double)seen * 0.6180339887498949, 1.0) - 0.5; /* golden ratio */
        stoic_figure_number(&figure->data, x - 0.08 + 0.62 * shift);
        stoic_figure_number(&figure->data, row->accuracy);
        stoic_text_puts(&figure->data, "\n");
    }
    stoic_figure_block(figure);
}

void stoic_strip_plot(stoic_figure *figure, int block, int n) {
    int style = n % STOIC_FIGURE_COLOURS;
    stoic_text_printf(&figure->script,
                      "'data' index %d using 1:2 with points pt %d ps 0.55 lc rgb '#70%s', \\\n",
                      block, stoic_figure_point[style], stoic_figure_colour[style] + 1);
}

void stoic_strip_mean(stoic_figure *figure, const stoic_strip *s, double x) {
    stoic_figure_number(&figure->data, x + STOIC_STRIP_MEAN);
    stoic_figure_number(&figure->data, s->accuracy.value);
    stoic_figure_number(&figure->data, s->accuracy.low);
    stoic_figure_number(&figure->data, s->accuracy.high);
    stoic_text_puts(&figure->data, "\n");
}
