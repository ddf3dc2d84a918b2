/* Critical rates with their intervals, by layer and by bit, on a logarithmic axis. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"

enum { MAX_SERIES = STOIC_FIGURE_COLOURS, MAX_POINTS = 4096 };

typedef struct rate_point {
    const stoic_loaded_run *run;
    int at, series; /* layer or bit */
    int64_t trials;
    stoic_interval rate;
} rate_point;

typedef struct rate_sheet {
    const stoic_loaded_run **runs;
    size_t n_runs;
    bool by_bit;
    rate_point *points;
    size_t count;
    char names[MAX_SERIES][96];
    int n_series, last_at;
} rate_sheet;

static bool by_layer_wanted(const stoic_loaded_run *run) {
    int64_t trials = 0; /* with sites in several layers a few may share one by chance */
    for (size_t i = 0; i < run->by_layer.count; i++)
        trials += run->by_layer.items[i].trials;
    return !run->mixed && strcmp(run->head, "list") != 0 && trials == run->summary.trials;
}

static bool by_bit_wanted(const stoic_loaded_run *run) {
    return by_layer_wanted(run) && run->by_bit.count > 1 &&
           (int64_t)run->by_bit.count * 10 <= run->summary.trials;
}

/* What a run's points are called in the key. */
static void series_name(const rate_sheet *sheet, const stoic_loaded_run *run, char name[96]) {
    char layer[32], head[64], field[48] = "";
    if (strcmp(run->bits, "all") != 0)
        snprintf(field, sizeof field, ", %.40s", run->bits);
    if (sheet->by_bit && run->only_layer >= 0)
        snprintf(name, 96, "%.40s", stoic_loaded_run_layer(run, run->only_layer, layer));
    else
        snprintf(name, 96, "%.40s%s", stoic_fig_head(run, head), field);
}

static int find_series(rate_sheet *sheet, const stoic_loaded_run *run) {
    char name[96];
    series_name(sheet, run, name);
    for (int i = 0; i < sheet->n_series; i++) {
        if (!strcmp(sheet->names[i], name))
            return i;
    }
    if (sheet->n_series == MAX_SERIES)
        return -1;
    memcpy(sheet->names[sheet->n_series], name, sizeof name);
    return sheet->n_series++;
}

/* Of two campaigns that measure the same, the one with more trials counts. */
static void add_point(rate_sheet *sheet, const rate_point *point) {
    for (size_t i = 0; i < sheet->count; i++) {
        rate_point *other = &sheet->points[i];
        if (other->at != point->at || other->series != point->series)
            continue;
        if (other->trials < point->trials)
            *other = *point;
        return;
    }
    if (sheet->count < MAX_POINTS)
        sheet->points[sheet->count++] = *point;
    sheet->last_at = point->at > sheet->last_at ? point->at : sheet->last_at;
}

static void collect(rate_sheet *sheet) {
    for (size_t i = 0; i < sheet->n_runs; i++) {
        const stoic_loaded_run *run = sheet->runs[i];
        const stoic_report_groups *groups = sheet->by_bit ? &run->by_bit : &run->by_layer;
        int series = find_series(sheet, run);
        for (size_t g = 0; series >= 0 && g < groups->count; g++) {
            const stoic_group *group = &groups->items[g];
            rate_point point = {run, sheet->by_bit ? group->bit : group->layer, series,
                                group->trials, group->critical_rate};
            int end = sheet->by_bit ? 64 : stoic_records_layer_count(run->records);
            if (point.at >= 0 && point.at < end && group->trials > 0 && !isnan(point.rate.value))
                add_point(sheet, &point);
        }
    }
}

/* Faults in all bits first, then few faults before many: what is left out comes last. */
static int compare_runs(const void *a, const void *b) {
    const stoic_loaded_run *x = *(const stoic_loaded_run *const *)a;
    const stoic_loaded_run *y = *(const stoic_loaded_run *const *)b;
    int all = (strcmp(x->bits, "all") != 0) - (strcmp(y->bits, "all") != 0);
    double p = stoic_fig_argument(x->head), q = stoic_fig_argument(y->head);
    int field = stoic_fig_field_rank(x->bits) - stoic_fig_field_rank(y->bits);
    int order = all ? all : p != q ? (p > q) - (p < q) : field;
    return order ? order : (x->only_layer > y->only_layer) - (x->only_layer < y->only_layer);
}

/* Rates of 0 have no place on a logarithmic axis: their upper bound is shown instead. */
static void write_series(stoic_figure *figure, const rate_sheet *sheet, int series) {
    double shift = sheet->n_series < 2 ? 0.0
                                       : 0.5 * ((double)series / (sheet->n_series - 1) - 0.5) *
                                             (sheet->by_bit ? -1.0 : 1.0);
    for (int zero = 0; zero < 2; zero++) {
        for (size_t i = 0; i < sheet->count; i++) {
            const rate_point *p = &sheet->points[i];
            if (p->series != series || (p->rate.value <= 0.0) != zero)
                continue;
            stoic_figure_number(&figure->data, p->at + shift);
            stoic_figure_number(&figure->data, zero ? p->rate.high : p->rate.value);
            stoic_figure_number(&figure->data, p->rate.low);
            stoic_figure_number(&figure->data, p->rate.high);
            stoic_text_puts(&figure->data, "\n");
        }
        stoic_figure_block(figure);
    }
}

static void write_csv(stoic_text *csv, const rate_sheet *sheet) {
    stoic_text_printf(csv, "series,%s,trials,critical_rate,low,high\n",
                      sheet->by_bit ? "bit" : "layer");
    for (size_t i = 0; i < sheet->count; i++) {
        const rate_point *p = &sheet->points[i];
        stoic_markup_csv(csv, sheet->names[p->series]);
        stoic_text_printf(csv, ",%d,%lld,%.17g,%.17g,%.17g\n", p->at, (long long)p->trials,
                          p->rate.value, p->rate.low, p->rate.high);
    }
}

static void write_layer_axis(stoic_figure *figure, const rate_sheet *sheet) {
    stoic_text_printf(&figure->script, "set xrange [-0.6:%g]\nset xtics (", sheet->last_at + 0.6);
    for (int l = 0; l <= sheet->last_at; l += sheet->last_at / 60 + 1) {
        char buffer[32];
        stoic_text_puts(&figure->script, l ? "," : "");
        stoic_figure_label(figure, stoic_loaded_run_layer(sheet->runs[0], l, buffer));
        stoic_text_printf(&figure->script, " %d", l);
    }
    stoic_text_printf(&figure->script, ") font ',12'%s\n",
                      sheet->last_at > 11 ? " rotate by 90 right" : "");
    if (sheet->last_at > 11)
        stoic_text_puts(&figure->script, "set bmargin 11.5\n");
}

static double lowest(const rate_sheet *sheet) {
    double low = 0.1;
    for (size_t i = 0; i < sheet->count; i++) {
        const stoic_interval *rate = &sheet->points[i].rate;
        double shown = rate->value > 0.0 ? fmax(rate->low, rate->value / 30.0) : rate->high;
        low = shown > 0.0 ? fmin(low, shown) : low;
    }
    return pow(10.0, floor(log10(fmax(low, 1e-6))));
}

static void write_script(stoic_figure *figure, const rate_sheet *sheet) {
    stoic_fig_word word = stoic_fig_word_of(sheet->runs[0]);
    stoic_text *script = &figure->script;
    stoic_fig_frame(figure);
    stoic_text_puts(script, "set bmargin 6\n");
    if (sheet->by_bit)
        stoic_fig_bit_axis(figure, &word);
    else
        write_layer_axis(figure, sheet);
    int decades = (int)round(-log10(lowest(sheet)));
    stoic_text_printf(script, "set logscale y\nset yrange [%g:1]\nset ytics (", lowest(sheet));
    for (int d = 0; d <= decades; d++)
        stoic_text_printf(script, "%s'%.*f' 1e-%d", d ? "," : "", d, pow(10.0, -d), d);
    stoic_text_puts(script, ")\nset lmargin 13\nset rmargin 3\n"
                            "set key below center horizontal height 0.5\n"
                            "set ylabel 'critical rate (share of images)'\nplot NaN notitle");
    for (int s = 0; s < sheet->n_series; s++) {
        const char *colour = stoic_figure_colour[s] + 1;
        int block = figure->blocks;
        write_series(figure, sheet, s);
        stoic_text_printf(script,
                          ", \\\n'data' index %d using 1:2:3:4 with yerrorbars pt %d ps 0.8 lw 1.3 "
                          "lc rgb '#%s' title ",
                          block, stoic_figure_point[s], colour);
        stoic_figure_label(figure, sheet->names[s]);
        stoic_text_printf(script,
                          ", \\\n'' index %d using 1:2 with points pt 10 ps 0.7 lw 1.3 "
                          "lc rgb '#%s' notitle",
                          block + 1, colour);
    }
    stoic_text_puts(script, "\n");
}

static void write_found(stoic_text *out, const rate_sheet *sheet) {
    for (int s = 0; s < sheet->n_series; s++) {
        const rate_point *most = NULL;
        char buffer[32];
        for (size_t i = 0; i < sheet->count; i++) {
            const rate_point *p = &sheet->points[i];
            if (p->series == s && (!most || p->rate.value > most->rate.value))
                most = p;
        }
        if (!most)
            continue;
        stoic_text_puts(out, s ? "<br/><b>" : "<b>");
        stoic_markup_add(out, sheet->names[s], 60);
        stoic_text_puts(out, "</b>: highest in ");
        if (sheet->by_bit)
            stoic_text_printf(out, "bit %d", most->at);
        else
            stoic_markup_add(out, stoic_loaded_run_layer(most->run, most->at, buffer), 40);
        stoic_text_puts(out, ", ");
        stoic_markup_rate(out, most->rate.value);
        if (!stoic_fig_is_exact(&most->rate)) {
            stoic_text_puts(out, " [");
            stoic_markup_rate(out, most->rate.low);
            stoic_text_puts(out, ", ");
            stoic_markup_rate(out, most->rate.high);
            stoic_text_puts(out, "]");
        }
        stoic_text_puts(out, ".");
    }
}

static void write_run(stoic_text *out, const rate_sheet *sheet) {
    size_t exact = 0;
    for (size_t i = 0; i < sheet->count; i++)
        exact += stoic_fig_is_exact(&sheet->points[i].rate);
    stoic_text_puts(out, "Share of images whose top-1 class changes");
    if (exact < sheet->count)
        stoic_text_puts(out, ", with its interval; an open triangle is the upper bound where no "
                             "image changed");
    stoic_text_puts(out, ". ");
    if (exact)
        stoic_text_printf(out, "%s run: rates are exact%s, and one of 0 has no place on the axis. ",
                          exact < sheet->count ? "In some campaigns every fault was"
                                               : "Every fault was",
                          exact < sheet->count ? " there, without interval" : "");
    stoic_fig_describe(out, sheet->runs, sheet->n_runs);
}

static stoic_status make_rates(const stoic_loaded_runs *all, int part, bool by_bit,
                               stoic_figures *figures, stoic_error *err) {
    rate_sheet *sheet = calloc(1, sizeof *sheet);
    stoic_figure *figure;
    stoic_status status = STOIC_OK;
    if (!sheet)
        return stoic_fail_memory(err, "a figure", sizeof *sheet);
    sheet->by_bit = by_bit;
    TRY(stoic_fig_select(all, part, by_bit ? by_bit_wanted : by_layer_wanted, &sheet->runs,
                         &sheet->n_runs, err));
    sheet->points = calloc(MAX_POINTS, sizeof *sheet->points);
    if (!sheet->points) {
        status = stoic_fail_memory(err, "a figure", MAX_POINTS * sizeof *sheet->points);
        goto done;
    }
    qsort(sheet->runs, sheet->n_runs, sizeof *sheet->runs, compare_runs);
    collect(sheet);
    if (sheet->count < 2)
        goto done;
    TRY(stoic_figures_add(figures, by_bit ? "rate-bit" : "rate-layer", part, 980,
                          !by_bit && sheet->last_at > 11 ? 540 : 430, &figure, err));
    stoic_text_printf(&figure->title, "Critical rate by %s", by_bit ? "bit" : "layer");
    write_csv(&figure->csv, sheet);
    write_script(figure, sheet);
    write_run(&figure->run, sheet);
    write_found(&figure->found, sheet);
    status = stoic_figure_finish(figure, err);
done:
    free(sheet->points);
    free(sheet->runs);
    free(sheet);
    return status;
}

stoic_status stoic_fig_rates(const stoic_loaded_runs *all, int part, stoic_figures *figures,
                             stoic_error *err) {
    stoic_status status = make_rates(all, part, false, figures, err);
    return status == STOIC_OK ? make_rates(all, part, true, figures, err) : status;
}
