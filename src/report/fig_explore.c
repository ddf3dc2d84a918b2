/*
 * What an exploration found, as in figures 5 to 7 of FORTUNE: drop, P_drop and RAP against the
 * stored bits a weight, a panel for each bit error rate. Stores above each other take the same
 * memory.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"
#include "stoic/report.h"

enum { COLUMNS = 2, PANEL_HEIGHT = 300 };

typedef enum measure { DROP, P_DROP, RAP, MEASURES } measure;

static const struct {
    const char *key, *label, *title;
} measures[MEASURES] = {
    {"explore-drop", "drop (share of images)", "Accuracy lost to faults, and memory"},
    {"explore-p-drop", "P_drop", "P_drop and memory"},
    {"explore-rap", "RAP", "RAP and memory"},
};

static double measured(const stoic_exploration *found, const stoic_explore_row *row, double drop,
                       measure which) {
    const stoic_explore_store *store = &found->stores[row->store];
    return which == P_DROP
               ? stoic_p_drop((double)store->bits, found->lifetime_flips, row->ber, drop)
           : which == RAP ? stoic_rap(drop, store->memory, store->time)
                          : drop;
}

/* RAP and P_drop are proportional to the drop: its interval gives theirs. */
static stoic_interval value_of(const stoic_exploration *found, const stoic_explore_row *row,
                               measure which) {
    return (stoic_interval){measured(found, row, row->drop.value, which),
                            measured(found, row, row->drop.low, which),
                            measured(found, row, row->drop.high, which)};
}

static double bits_a_weight(const stoic_explore_store *store) {
    return store->weights > 0 ? (double)store->bits / (double)store->weights : 0.0;
}

static bool is_candidate(const stoic_exploration *found, const stoic_explore_row *row) {
    return found->stores[row->store].kind == STOIC_EXPLORE_CANDIDATE;
}

/* The rates, as the first store has them: it was run at all. */
static int rates_of(const stoic_exploration *found, double rates[STOIC_EXPLORE_BERS]) {
    int n = 0;
    while (n < found->n_rows && n < STOIC_EXPLORE_BERS && found->rows[n].store == 0) {
        rates[n] = found->rows[n].ber;
        n++;
    }
    return n;
}

/* "3e-4" */
static const char *rate_text(double rate, char text[32]) {
    int exponent = (int)floor(log10(rate) + 1e-9);
    snprintf(text, 32, "%.3ge%d", rate / pow(10.0, exponent), exponent);
    return text;
}

/* ---- axes ---- */

static void write_x_axis(stoic_text *script, const stoic_exploration *found) {
    double low = INFINITY, high = 0.0;
    for (int i = 0; i < found->n_stores; i++) {
        low = fmin(low, bits_a_weight(&found->stores[i]));
        high = fmax(high, bits_a_weight(&found->stores[i]));
    }
    stoic_text_printf(script, "set xrange [%.9g:%.9g]\nset xtics %d\n", floor(low) - 0.6,
                      ceil(high) + 0.6, high - low > 12.0 ? 4 : 1);
}

/* Zero is always in; some room above for the widths that stand beside the points. */
static void write_y_axis(stoic_text *script, const stoic_exploration *found, double rate,
                         measure which) {
    double low = 0.0, high = 0.0;
    for (int i = 0; i < found->n_rows; i++) {
        stoic_interval value = value_of(found, &found->rows[i], which);
        if (found->rows[i].ber != rate)
            continue;
        low = fmin(low, isfinite(value.low) ? value.low : value.value);
        high = fmax(high, isfinite(value.high) ? value.high : value.value);
    }
    double span = high > low ? high - low : which == DROP ? 0.01 : 1e-9;
    stoic_text_puts(script, "set yrange [");
    stoic_figure_number(script, low < 0.0 ? low - 0.04 * span : 0.0);
    stoic_text_puts(script, " : ");
    stoic_figure_number(script, low + 1.12 * span);
    stoic_text_puts(script, "]\n");
}

/* ---- points ---- */

/* Columns: bits a weight, value, low, high, width. Wide before narrow, so that a line joins them.
 */
static int write_points(stoic_figure *figure, const stoic_exploration *found, double rate,
                        measure which, bool candidates) {
    int n = 0;
    for (int i = 0; i < found->n_rows; i++) {
        const stoic_explore_row *row = &found->rows[i];
        const stoic_explore_store *store = &found->stores[row->store];
        stoic_interval value = value_of(found, row, which);
        if (row->ber != rate || is_candidate(found, row) != candidates)
            continue;
        /* beside each other, where two take the same memory */
        stoic_figure_number(&figure->data, bits_a_weight(store) + (candidates ? -0.1 : 0.1));
        stoic_figure_number(&figure->data, value.value);
        stoic_figure_number(&figure->data, isfinite(value.low) ? value.low : value.value);
        stoic_figure_number(&figure->data, isfinite(value.high) ? value.high : value.value);
        stoic_text_printf(&figure->data, " %d\n", store->width);
        n++;
    }
    if (n == 0)
        stoic_text_puts(&figure->data, "NaN NaN NaN NaN 0\n");
    return stoic_figure_block(figure);
}

/* A width stands above its interval. */
static void plot_points(stoic_figure *figure, int block, int style, const char *title) {
    const char *colour = stoic_figure_colour[style];
    stoic_text_printf(&figure->script,
                      ", \\\n'data' index %d using 1:2 with lines lw 1.2 dt %s lc rgb '%s' notitle"
                      ", \\\n'' index %d using 1:2:3:4 with yerrorbars pt %d ps 0.9 lw 1.4 lc rgb "
                      "'%s' %s"
                      ", \\\n'' index %d using 1:4:(sprintf('%%d', $5)) with labels center offset "
                      "char %s,0.6 font ',11' tc rgb '%s' notitle",
                      block, style ? "(5,4)" : "solid", colour, block, stoic_figure_point[style],
                      colour, title, block, style ? "0.2" : "-0.2", colour);
}

static void write_panel(stoic_figure *figure, const stoic_exploration *found, double rate,
                        measure which, int panel) {
    stoic_text *script = &figure->script;
    char text[32];
    write_y_axis(script, found, rate, which);
    stoic_text_printf(script, "set label 1 'BER %s' at graph 0, graph 1.07 left\n",
                      rate_text(rate, text));
    if (panel % COLUMNS == 0)
        stoic_text_printf(script, "set ylabel '%s'\n", measures[which].label);
    else
        stoic_text_puts(script, "unset ylabel\n");
    stoic_text_puts(script, "plot NaN notitle");
    int block = write_points(figure, found, rate, which, true);
    plot_points(figure, block, 0, panel ? "notitle" : "title 'candidates, with their width'");
    block = write_points(figure, found, rate, which, false);
    plot_points(figure, block, 1, panel ? "notitle" : "title 'unprotected'");
    stoic_text_puts(script, "\n");
}

static void write_csv(stoic_figure *figure, const stoic_exploration *found, measure which) {
    stoic_text_puts(&figure->csv, "store,kind,width,bits_per_weight,ber,value,low,high\n");
    for (int i = 0; i < found->n_rows; i++) {
        const stoic_explore_row *row = &found->rows[i];
        const stoic_explore_store *store = &found->stores[row->store];
        stoic_interval value = value_of(found, row, which);
        stoic_markup_csv(&figure->csv, store->text);
        stoic_text_printf(&figure->csv, ",%s,%d,%.17g,%.17g,%.17g,%.17g,%.17g\n",
                          stoic_explore_kind_name(store->kind), store->width, bits_a_weight(store),
                          row->ber, value.value, value.low, value.high);
    }
}

static stoic_status make_figure(const stoic_exploration *found, measure which,
                                stoic_figures *figures, stoic_error *err) {
    double rates[STOIC_EXPLORE_BERS];
    stoic_figure *figure;
    int n = rates_of(found, rates), columns = n < COLUMNS ? n : COLUMNS;
    int rows = (n + COLUMNS - 1) / COLUMNS, height = rows * PANEL_HEIGHT + 60;
    stoic_status status = stoic_figures_add(figures, measures[which].key, STOIC_FIGURE_OF_ALL,
                                            columns < 2 ? 560 : 980, height, &figure, err);
    if (status != STOIC_OK)
        return status;
    stoic_text_puts(&figure->title, measures[which].title);
    write_csv(figure, found, which);
    stoic_fig_frame(figure);
    write_x_axis(&figure->script, found);
    stoic_text_printf(&figure->script,
                      "set xlabel 'stored bits a weight'\nset ytics auto format '%%g'\n"
                      "set multiplot layout %d,%d margins char 11, screen 0.985, char 3.6, screen "
                      "%.4f spacing char 10, char 6\n"
                      "set key at screen 0.985, screen 0.99 right top horizontal maxrows 1 Left "
                      "reverse width 2\n"
                      "set arrow 1 from graph 0, first 0 to graph 1, first 0 nohead lw 0.8 lc rgb "
                      "'#808080' back\n",
                      rows, columns, 1.0 - 62.0 / height);
    for (int panel = 0; panel < n; panel++)
        write_panel(figure, found, rates[panel], which, panel);
    stoic_text_puts(&figure->script, "unset multiplot\n");
    return stoic_figure_finish(figure, err);
}

stoic_status stoic_exploration_draw(const stoic_exploration *exploration, const char *folder,
                                    stoic_error *err) {
    stoic_figures figures = {0};
    stoic_status status = STOIC_OK;
    bool drawn = true;
    if (exploration->n_rows < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, folder, "an exploration without faults");
    for (measure which = DROP; which < MEASURES; which++)
        TRY(make_figure(exploration, which, &figures, err));
    for (size_t i = 0; i < figures.count; i++)
        TRY(stoic_figure_draw(&figures.items[i], &drawn, err));
    TRY(stoic_figures_write(&figures, folder, err));
    if (!drawn)
        stoic_log(STOIC_LOG_WARNING, "gnuplot was not found in PATH: no pictures, data only");
done:
    stoic_figures_deinit(&figures);
    return status;
}
