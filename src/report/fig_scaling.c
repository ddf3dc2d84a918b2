/* Paper 1's Fig. 2: error against weight, a panel for each format, a curve for each factor. */
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "stoic/report.h"

enum { ACROSS = 3, MAX_PANELS = 9, MARKS = 25 }; /* panels in a row; drawn points a curve */

/* Of a panel: a linear axis up to `top` where any expectation exists. */
typedef struct axes {
    double left, right, top, least;
    bool expected;
} axes;

static axes measure_axes(const stoic_scaling_row *rows, size_t n) {
    axes a = {.left = rows[0].weight, .right = rows[0].weight};
    for (size_t i = 0; i < n; i++)
        a.expected = a.expected || isfinite(rows[i].exact);
    for (size_t i = 0; i < n; i++) {
        double value = a.expected ? rows[i].exact : rows[i].error;
        a.left = fmin(a.left, rows[i].weight);
        a.right = fmax(a.right, rows[i].weight);
        if (!isfinite(value))
            continue;
        a.top = fmax(a.top, value);
        if (value > 0.0)
            a.least = a.least > 0.0 ? fmin(a.least, value) : value;
    }
    if (!(a.right > a.left)) {
        a.left -= 0.5;
        a.right += 0.5;
    }
    return a;
}

/* Rows from `from` on that are alike: of one format, or also of one factor. */
static size_t span(const stoic_scaling_row *rows, size_t n, size_t from, bool curve) {
    size_t end = from;
    while (end < n && !strcmp(rows[end].format, rows[from].format) &&
           (!curve || rows[end].c == rows[from].c))
        end++;
    return end - from;
}

static void add_point(stoic_figure *figure, double x, double y) {
    stoic_figure_number(&figure->data, x);
    stoic_figure_number(&figure->data, y);
    stoic_text_puts(&figure->data, "\n");
}

/* Three blocks: the expectation, means inside the frame, means beyond it: below its upper edge, a
 * step lower for each curve. A weight without expectation breaks the line. */
static void write_curve(stoic_figure *figure, const stoic_scaling_row *rows, size_t n, double top,
                        size_t series) {
    size_t stride = n / MARKS + 1;
    for (size_t i = 0; i < n; i++)
        add_point(figure, rows[i].weight, rows[i].exact);
    stoic_figure_block(figure);
    for (int beyond = 0; beyond < 2; beyond++) {
        double edge = top * (1.0 - 0.03 * (double)(series % STOIC_FIGURE_COLOURS));
        for (size_t i = 0; i < n; i++) {
            bool marked = i % stride == series % stride || (beyond && (i == 0 || i + 1 == n));
            if (marked && isfinite(rows[i].error) && (rows[i].error > top) == beyond)
                add_point(figure, rows[i].weight, beyond ? edge : rows[i].error);
        }
        stoic_figure_block(figure);
    }
}

static void plot_curve(stoic_figure *figure, const stoic_scaling_row *rows, size_t n, double top,
                       size_t series) {
    int style = (int)(series % STOIC_FIGURE_COLOURS), block = figure->blocks;
    const char *colour = stoic_figure_colour[style];
    int point = stoic_figure_point[style];
    write_curve(figure, rows, n, top, series);
    stoic_text_printf(&figure->script,
                      ", \\\n'data' index %d using 1:2 with lines lw 1.6 lc rgb '%s' notitle"
                      ", \\\n'data' index %d using 1:2 with points pt %d ps 0.5 lc rgb '%s' notitle"
                      ", \\\n'data' index %d using 1:2 with points pt 8 ps 0.7 lc rgb '%s' notitle"
                      ", \\\nNaN with linespoints lw 1.6 pt %d ps 0.5 lc rgb '%s' title 'c = %.6g'",
                      block, colour, block + 1, point, colour, block + 2, colour, point, colour,
                      rows[0].c);
}

static void write_axes(stoic_text *script, const axes *a) {
    stoic_text_puts(script, "set xrange [");
    stoic_figure_number(script, a->left);
    stoic_text_puts(script, " :");
    stoic_figure_number(script, a->right);
    stoic_text_puts(script, a->expected ? "]\nunset logscale y\nset ytics auto format '%g'\n"
                                        : "]\nset logscale y\nset ytics auto format '%.0e'\n");
    stoic_text_puts(script, "set yrange [");
    stoic_figure_number(script, a->expected ? 0.0 : a->least / 2);
    stoic_text_puts(script, " :");
    stoic_figure_number(script, a->top);
    stoic_text_puts(script, "]\n");
}

static void write_panel(stoic_figure *figure, const stoic_scaling_row *rows, size_t n,
                        size_t panel) {
    axes a = measure_axes(rows, n);
    a.top = a.top > 0.0 ? 1.2 * a.top : 1.0;
    a.least = a.least > 0.0 ? a.least : 0.1;
    write_axes(&figure->script, &a);
    stoic_text_printf(&figure->script,
                      "set ylabel '%s'\nset label 1 '%s' at graph 0.5, graph 1 center offset char "
                      "0,0.7 font ',14'\n",
                      panel % ACROSS ? "" : "mean |error| / c", rows[0].format);
    if (panel == 0)
        stoic_text_printf(&figure->script,
                          "set label 2 'lines: expectation; points: drawn; \u25b3: drawn, beyond "
                          "the frame' at screen 0.02, screen %.3f\n"
                          "set key at screen 0.985, screen 0.99 right top horizontal maxcols 6 "
                          "samplen 1.6 Right noreverse\n",
                          1.0 - 44.0 / figure->height);
    stoic_text_puts(&figure->script,
                    panel ? "unset key\nunset label 2\nplot NaN notitle" : "plot NaN notitle");
    for (size_t from = 0, series = 0; from < n; series++) {
        size_t length = span(rows, n, from, true);
        plot_curve(figure, &rows[from], length, a.top, series);
        from += length;
    }
    stoic_text_puts(&figure->script, "\n");
}

static void write_script(stoic_figure *figure, const stoic_scaling_row *rows, size_t n,
                         int panels) {
    stoic_text *script = &figure->script;
    int across = panels < ACROSS ? panels : ACROSS, down = (panels + ACROSS - 1) / ACROSS;
    stoic_fig_frame(figure);
    stoic_text_printf(
        script,
        "set xtics auto\nset multiplot layout %d,%d margins char 10, screen 0.98, char "
        "3.4, screen %.3f spacing char 8, char 6\nset xlabel 'weight'\n",
        down, across, 1.0 - 84.0 / figure->height);
    for (size_t from = 0, panel = 0; from < n; panel++) {
        size_t length = span(rows, n, from, false);
        write_panel(figure, &rows[from], length, panel);
        from += length;
    }
    stoic_text_puts(script, "unset multiplot\n");
}

stoic_status stoic_scaling_draw(const stoic_scaling_row *rows, size_t n, const char *path,
                                stoic_error *err) {
    stoic_figures figures = {0};
    stoic_figure *figure;
    bool drawn;
    int panels = 0;
    stoic_status status = STOIC_OK;
    for (size_t from = 0; from < n; from += span(rows, n, from, false))
        panels++;
    if (panels < 1 || panels > MAX_PANELS)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, path, "a figure shows 1 to %d formats, found %d",
                          MAX_PANELS, panels);
    int across = panels < ACROSS ? panels : ACROSS, down = (panels + ACROSS - 1) / ACROSS;
    TRY(stoic_figures_add(&figures, "scaling", -1, 90 + (across > 1 ? 330 * across : 630),
                          76 + 320 * down, &figure, err));
    stoic_text_puts(&figure->title, "Error of a weight under bit flips, by factor");
    write_script(figure, rows, n, panels);
    TRY(stoic_figure_finish(figure, err));
    TRY(stoic_figure_draw(figure, &drawn, err));
    if (!drawn)
        stoic_log(STOIC_LOG_WARNING, "gnuplot was not found in PATH: no picture of the curves");
    status = stoic_figure_save(figure, path, err);
done:
    stoic_figures_deinit(&figures);
    return status;
}
