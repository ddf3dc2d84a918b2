/* Loss and accuracies over the epochs of a training, side by side. */
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "stoic/report.h"

enum { MAX_MARKED = 40, MAX_SHOWN = 2000 };

typedef enum curve { LOSS, TRAIN, TEST, CURVES } curve;

/* The palette's colour (and point) of each. */
static const int style_of[CURVES] = {2, 0, 1};

static double value_of(const stoic_epoch *epoch, curve which) {
    return which == LOSS    ? epoch->loss
           : which == TRAIN ? epoch->train_accuracy
                            : epoch->test_accuracy;
}

/* The smallest of 1, 2 and 5 times a power of ten that is not below `least`. */
static double round_step(double least) {
    double power = pow(10.0, floor(log10(least))), share = least / power;
    return power * (share <= 1.0 ? 1.0 : share <= 2.0 ? 2.0 : share <= 5.0 ? 5.0 : 10.0);
}

typedef struct extent {
    double low, high;
    bool any;
} extent;

static void widen(extent *over, const stoic_epoch *epochs, int64_t n, curve which) {
    for (int64_t i = 0; i < n; i++) {
        double value = value_of(&epochs[i], which);
        if (!isfinite(value))
            continue;
        over->low = over->any ? fmin(over->low, value) : value;
        over->high = over->any ? fmax(over->high, value) : value;
        over->any = true;
    }
}

/* About five steps of a round size, with some room around the values, but not outside of 0 to
 * `most`. */
static void write_y_axis(stoic_text *script, extent over, double most) {
    if (!over.any)
        over = (extent){0.0, 1.0, true};
    double room = 0.04 * (over.high - over.low);
    if (!(room > 1e-5 * fabs(over.high))) /* all alike, or nearly */
        room = over.high != 0.0 ? 0.05 * fabs(over.high) : 0.05;
    double low = over.low >= 0.0 ? fmax(over.low - room, 0.0) : over.low - room;
    double high = fmin(over.high + room, fmax(over.high, most));
    double step = round_step((high - low) / 5.0);
    int digits = (int)fmax(0.0, ceil(-log10(step) - 1e-9));
    if (step > 1e-6 && step < 1e4)
        stoic_text_printf(script, "set ytics %.9g format '%%.%df'\n", step, digits);
    else
        stoic_text_printf(script, "set ytics %.9g format '%%g'\n", step);
    stoic_text_puts(script, "set yrange [");
    stoic_figure_number(script, step * floor(low / step + 1e-9));
    stoic_text_puts(script, " :");
    stoic_figure_number(script, step * ceil(high / step - 1e-9));
    stoic_text_puts(script, "]\n");
}

static void write_x_axis(stoic_text *script, int64_t n) {
    double step = fmax(1.0, round_step((double)n / 10.0));
    bool marked = n <= MAX_MARKED;
    stoic_text_printf(script, "set xtics %.9g,%.9g\nset xrange [%g:%.9g]\n", step, step,
                      marked ? 0.5 : 0.0, (double)n + (marked ? 0.5 : 0.0));
}

/* A value that is missing does not break the line. */
static void write_data(stoic_figure *figure, const stoic_epoch *epochs, int64_t n, curve which) {
    int64_t stride = n / MAX_SHOWN + 1;
    for (int64_t i = 0; i < n; i++) {
        double value = value_of(&epochs[i], which);
        if (!isfinite(value) || ((i + 1) % stride && i + 1 < n))
            continue;
        stoic_figure_number(&figure->data, (double)(i + 1));
        stoic_figure_number(&figure->data, value);
        stoic_text_puts(&figure->data, "\n");
    }
    stoic_figure_block(figure);
}

static void plot(stoic_figure *figure, const stoic_epoch *epochs, int64_t n, curve which,
                 const char *title) {
    int style = style_of[which], block = figure->blocks;
    write_data(figure, epochs, n, which);
    stoic_text_printf(&figure->script,
                      ", \\\n'data' index %d using 1:2 with %s lw 1.8 pt %d ps 0.7 lc rgb '%s' %s",
                      block, n <= MAX_MARKED ? "linespoints" : "lines", stoic_figure_point[style],
                      stoic_figure_colour[style], title);
}

/* The earliest of the highest test accuracies; -1: none. */
static int64_t best_of(const stoic_epoch *epochs, int64_t n) {
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++) {
        double value = epochs[i].test_accuracy;
        if (isfinite(value) && (best < 0 || value > epochs[best].test_accuracy))
            best = i;
    }
    return best;
}

static void write_best(stoic_text *script, const stoic_epoch *epochs, int64_t best) {
    double value = epochs[best].test_accuracy;
    stoic_text_printf(script, "set label 1 '' at %.9g,", (double)(best + 1));
    stoic_figure_number(script, value);
    stoic_text_printf(script,
                      " point pt 6 ps 1.7 lw 1.6 lc rgb 'black' front\n"
                      "set label 2 'best test %.4f, epoch %lld' at graph 1, graph 1.08 right\n",
                      value, (long long)best + 1);
}

static void write_script(stoic_figure *figure, const stoic_epoch *epochs, int64_t n) {
    stoic_text *script = &figure->script;
    extent loss = {0.0, 0.0, false}, accuracy = {0.0, 0.0, false};
    int64_t best = best_of(epochs, n);
    widen(&loss, epochs, n, LOSS);
    if (loss.any && loss.low > 0.0 && loss.low < 0.5 * loss.high)
        loss.low = 0.0;
    widen(&accuracy, epochs, n, TRAIN);
    widen(&accuracy, epochs, n, TEST);
    stoic_fig_frame(figure);
    write_x_axis(script, n);
    stoic_text_puts(script, "set xlabel 'epoch'\n"
                            "set multiplot layout 1,2 margins char 10, screen 0.975, char 3.6, "
                            "screen 0.89 spacing char 12, char 4\n"
                            "set ylabel 'loss (mean over the epoch)'\n");
    write_y_axis(script, loss, INFINITY);
    stoic_text_puts(script, "plot NaN notitle");
    plot(figure, epochs, n, LOSS, "notitle");
    stoic_text_puts(script, "\nset ylabel 'accuracy (top-1, share of images)'\n"
                            "set key at graph 0, graph 1.115 left top horizontal Left reverse "
                            "width 2\n");
    write_y_axis(script, accuracy, 1.0);
    if (best >= 0)
        write_best(script, epochs, best);
    stoic_text_puts(script, "plot NaN notitle");
    plot(figure, epochs, n, TRAIN, "title 'train'");
    if (best >= 0)
        plot(figure, epochs, n, TEST, "title 'test'");
    stoic_text_puts(script, "\nunset multiplot\n");
}

stoic_status stoic_curves_draw(const stoic_epoch *epochs, int64_t n, const char *path,
                               stoic_error *err) {
    stoic_figures figures = {0};
    stoic_figure *figure;
    bool drawn;
    stoic_status status = STOIC_OK;
    if (n < 1)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, path, "curves of %lld epochs", (long long)n);
    TRY(stoic_figures_add(&figures, "curves", -1, 980, 380, &figure, err));
    stoic_text_puts(&figure->title, "Loss and accuracy over the epochs");
    write_script(figure, epochs, n);
    TRY(stoic_figure_finish(figure, err));
    TRY(stoic_figure_draw(figure, &drawn, err));
    if (!drawn)
        stoic_log(STOIC_LOG_INFO, "gnuplot was not found in PATH: no picture of the curves");
    status = stoic_figure_save(figure, path, err);
done:
    stoic_figures_deinit(&figures);
    return status;
}
