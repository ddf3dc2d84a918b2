/* What a budget found: loss at the largest bit error rate against memory, and the stores that no
 * other beats in both. */
#include <math.h>
#include <stdlib.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"
#include "stoic/report.h"

/* The axis is logarithmic; what is below its power of ten is drawn on it. */
static const double least_loss = 1e-4;
static double axis_loss(const stoic_budget *budget) {
    double least = 1;
    for (int i = 0; i < budget->measured->n_stores; i++) {
        double loss = budget->points[i].loss.value;
        least = loss > least_loss && loss < least ? loss : least;
    }
    return fmax(least_loss, pow(10, floor(log10(least))));
}

static const struct {
    stoic_explore_kind kind;
    const char *title;
} series[] = {{STOIC_EXPLORE_CANDIDATE, "alike, with the code"},
              {STOIC_EXPLORE_UNPROTECTED, "alike, unprotected"},
              {STOIC_EXPLORE_MIXED, "layers differ"}};
enum { SERIES = sizeof series / sizeof *series };

static double bits_a_weight(const stoic_budget *budget, int64_t bits) {
    return (double)bits / (double)budget->measured->stores[0].weights;
}

/* The baseline stands among the unprotected. */
static bool belongs(const stoic_explore_store *store, int s) {
    return store->kind == series[s].kind ||
           (store->kind == STOIC_EXPLORE_BASELINE && series[s].kind == STOIC_EXPLORE_UNPROTECTED);
}

static void write_point(stoic_figure *figure, const stoic_budget *budget, int i) {
    const stoic_interval *loss = &budget->points[i].loss;
    const double least = axis_loss(budget);
    stoic_figure_number(&figure->data, bits_a_weight(budget, budget->measured->stores[i].bits));
    stoic_figure_number(&figure->data, fmax(loss->value, least));
    stoic_figure_number(&figure->data, fmax(loss->low, least));
    stoic_figure_number(&figure->data, fmax(loss->high, least));
    stoic_text_puts(&figure->data, "\n");
}

static void plot_series(stoic_figure *figure, const stoic_budget *budget, int s) {
    int n = 0;
    for (int i = 0; i < budget->measured->n_stores; i++) {
        if (!belongs(&budget->measured->stores[i], s))
            continue;
        write_point(figure, budget, i);
        n++;
    }
    if (n == 0)
        stoic_text_puts(&figure->data, "NaN NaN NaN NaN\n");
    stoic_text_printf(&figure->script,
                      ", \\\n'data' index %d using 1:2:3:4 with yerrorbars pt %d ps 0.9 lw 1.4 "
                      "lc rgb '%s' title '%s'",
                      stoic_figure_block(figure), stoic_figure_point[s], stoic_figure_colour[s],
                      series[s].title);
}

static int compare_bits(const void *a, const void *b) {
    const stoic_explore_store *x = *(const stoic_explore_store *const *)a;
    const stoic_explore_store *y = *(const stoic_explore_store *const *)b;
    return (x->bits > y->bits) - (x->bits < y->bits);
}

/* Steps through the stores that nothing beats. */
static stoic_status plot_front(stoic_figure *figure, const stoic_budget *budget, stoic_error *err) {
    const stoic_exploration *found = budget->measured;
    const stoic_explore_store **front = calloc((size_t)found->n_stores + 1, sizeof *front);
    size_t n = 0;
    if (!front)
        return stoic_fail_memory(err, "a figure", (size_t)found->n_stores * sizeof *front);
    for (int i = 0; i < found->n_stores; i++) {
        if (budget->points[i].pareto)
            front[n++] = &found->stores[i];
    }
    qsort(front, n, sizeof *front, compare_bits);
    for (size_t i = 0; i < n; i++)
        write_point(figure, budget, (int)(front[i] - found->stores));
    free(front);
    stoic_text_printf(&figure->script,
                      "'data' index %d using 1:2 with steps lw 1.4 lc rgb '#808080' title 'front'",
                      stoic_figure_block(figure));
    return STOIC_OK;
}

static void write_csv(stoic_figure *figure, const stoic_budget *budget) {
    stoic_text_puts(&figure->csv,
                    "store,kind,bits,bits_per_weight,predicted,loss,low,high,pareto\n");
    for (int i = 0; i < budget->measured->n_stores; i++) {
        const stoic_explore_store *store = &budget->measured->stores[i];
        const stoic_budget_point *point = &budget->points[i];
        stoic_markup_csv(&figure->csv, store->text);
        stoic_text_printf(&figure->csv, ",%s,%lld,%.17g,%.17g,%.17g,%.17g,%.17g,%d\n",
                          stoic_explore_kind_name(store->kind), (long long)store->bits,
                          bits_a_weight(budget, store->bits), point->predicted, point->loss.value,
                          point->loss.low, point->loss.high, point->pareto);
    }
}

static void write_axes(stoic_figure *figure, const stoic_budget *budget) {
    double low = INFINITY, high = 0, most = 10 * axis_loss(budget);
    const double at = bits_a_weight(budget, budget->budget);
    for (int i = 0; i < budget->measured->n_stores; i++) {
        double bits = bits_a_weight(budget, budget->measured->stores[i].bits);
        low = fmin(low, bits);
        high = fmax(high, bits);
        most = fmax(most, budget->points[i].loss.high);
    }
    stoic_text_printf(
        &figure->script,
        "set xrange [%.9g:%.9g]\nset logscale y\nset yrange [%.9g:%.9g]\n"
        "set xlabel 'stored bits a weight'\n"
        "set ylabel 'loss against float32 (share of images)'\n"
        "set ytics 1e-5,10 format '%%g'\nset tmargin 4.5\nset rmargin 3\nset lmargin 11\n"
        "set key at screen 0.98, screen 0.985 right top Left "
        "reverse width 2\n"
        "set arrow 1 from %.9g, graph 0 to %.9g, graph 1 nohead dt (5,4) lw 1.2 "
        "lc rgb '#808080' back\n"
        "set label 1 'budget' at %.9g, graph 0.04 left offset char 0.6,0 tc rgb "
        "'#808080'\n",
        floor(low) - 0.5, ceil(high) + 0.5, 0.8 * axis_loss(budget), 1.5 * most, at, at, at);
}

stoic_status stoic_budget_draw(const stoic_budget *budget, const char *folder, stoic_error *err) {
    stoic_figures figures = {0};
    stoic_figure *figure;
    stoic_status status = STOIC_OK;
    bool drawn = true;
    TRY(stoic_figures_add(&figures, "explore-budget", STOIC_FIGURE_OF_ALL, 760, 460, &figure, err));
    stoic_text_puts(&figure->title, "Loss and memory, layer by layer");
    write_csv(figure, budget);
    stoic_fig_frame(figure);
    write_axes(figure, budget);
    stoic_text_puts(&figure->script, "plot ");
    TRY(plot_front(figure, budget, err));
    for (int s = 0; s < SERIES; s++)
        plot_series(figure, budget, s);
    stoic_text_puts(&figure->script, "\n");
    TRY(stoic_figure_finish(figure, err));
    TRY(stoic_figure_draw(figure, &drawn, err));
    TRY(stoic_figures_write(&figures, folder, err));
    if (!drawn)
        stoic_log(STOIC_LOG_WARNING, "gnuplot was not found in PATH: no pictures, data only");
done:
    stoic_figures_deinit(&figures);
    return status;
}
