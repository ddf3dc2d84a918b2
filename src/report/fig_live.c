/* Accuracy of each batch against the bits that have flipped in the live store. */
#include "base/fail.h"
#include "report/fig_kit.h"
#include "stoic/report.h"

static void plot(stoic_figure *figure, const stoic_live_curve *curve, int style) {
    stoic_live_point last = {0};
    const int block = figure->blocks;
    for (int64_t i = 0; i < curve->n; i++) {
        const stoic_live_point *p = &curve->points[i];
        if (p->images == last.images)
            continue;
        stoic_figure_number(&figure->data, (double)p->flips);
        stoic_figure_number(&figure->data, (double)(p->correct - last.correct) /
                                               (double)(p->images - last.images));
        stoic_text_puts(&figure->data, "\n");
        last = *p;
    }
    stoic_figure_block(figure);
    stoic_text_printf(&figure->script,
                      ", \\\n'data' index %d using 1:2 with linespoints lw 1.6 pt %d ps 0.5 "
                      "lc rgb '%s' title ",
                      block, stoic_figure_point[style], stoic_figure_colour[style]);
    stoic_figure_label(figure, curve->name);
}

stoic_status stoic_live_draw(const stoic_live_curve *curves, size_t n, const char *path,
                             stoic_error *err) {
    stoic_figures figures = {0};
    stoic_figure *figure;
    bool drawn;
    stoic_status status = STOIC_OK;
    if (n < 1 || n > STOIC_FIGURE_COLOURS)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, path, "%zu curves, expected 1 to %d", n,
                          STOIC_FIGURE_COLOURS);
    TRY(stoic_figures_add(&figures, "live", -1, 760, 400, &figure, err));
    stoic_text_puts(&figure->title, "Accuracy as faults add up in memory");
    stoic_fig_frame(figure);
    stoic_text_puts(&figure->script, "set xlabel 'bits flipped so far'\n"
                                     "set ylabel 'accuracy of the batch'\n"
                                     "set yrange [0:1]\nset key bottom left\nplot NaN notitle");
    for (size_t i = 0; i < n; i++)
        plot(figure, &curves[i], (int)i);
    stoic_text_puts(&figure->script, "\n");
    TRY(stoic_figure_finish(figure, err));
    TRY(stoic_figure_draw(figure, &drawn, err));
    if (!drawn)
        stoic_log(STOIC_LOG_INFO, "gnuplot was not found in PATH: no picture");
    status = stoic_figure_save(figure, path, err);
done:
    stoic_figures_deinit(&figures);
    return status;
}
