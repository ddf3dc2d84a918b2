/* How a campaign's estimate settles: the critical rate with its interval against the number of
 * trials. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"

enum { MAX_SERIES = STOIC_FIGURE_COLOURS, LEAST_POINTS = 3 };

typedef struct course {
    const stoic_loaded_run *run;
    stoic_course_point *points;
    size_t n;
} course;

typedef struct sheet {
    course series[MAX_SERIES];
    int n;
} sheet;

static bool is_drawn(const stoic_loaded_run *run) {
    return run->random && !run->mixed && run->summary.trials > stoic_look_trials(1) &&
           isfinite(run->summary.critical_rate.value);
}

static bool has_margin(const stoic_loaded_run *run) {
    return *stoic_loaded_run_info(run, "margin") != 0;
}

/* Those that stop at a margin first: what they did is the question. */
static stoic_status collect(sheet *s, const stoic_loaded_run *const *runs, size_t n,
                            stoic_error *err) {
    for (int margin = 1; margin >= 0; margin--) {
        for (size_t i = 0; i < n && s->n < MAX_SERIES; i++) {
            course *c = &s->series[s->n];
            if (has_margin(runs[i]) != margin)
                continue;
            stoic_status status = stoic_records_course(runs[i]->records, &c->points, &c->n, err);
            if (status != STOIC_OK)
                return status;
            c->run = runs[i];
            if (c->n >= LEAST_POINTS) {
                s->n++;
            } else {
                free(c->points);
                c->points = NULL;
            }
        }
    }
    return STOIC_OK;
}

static const stoic_interval *last_of(const course *c) {
    return &c->points[c->n - 1].critical_rate;
}

/* Early intervals are wide: they are cut off at the frame, so that late ones can be seen. */
static double top_of(const sheet *s) {
    double top = 0.0, highest = 0.0;
    for (int i = 0; i < s->n; i++) {
        top = fmax(top, 3.0 * last_of(&s->series[i])->high);
        for (size_t p = 0; p < s->series[i].n; p++)
            highest = fmax(highest, s->series[i].points[p].critical_rate.high);
    }
    return fmin(fmin(top, 1.05 * highest), 1.0);
}

static void write_series(stoic_figure *figure, const course *c) {
    for (size_t p = 0; p < c->n; p++) {
        const stoic_course_point *at = &c->points[p];
        stoic_figure_number(&figure->data, (double)at->trials);
        stoic_figure_number(&figure->data, at->critical_rate.value);
        stoic_figure_number(&figure->data, at->critical_rate.low);
        stoic_figure_number(&figure->data, at->critical_rate.high);
        stoic_text_puts(&figure->data, "\n");
    }
}

static void write_name(const course *c, char name[96]) {
    char head[64], layer[32] = "", bits[32] = "";
    if (c->run->only_layer >= 0)
        snprintf(layer, sizeof layer, ", layer %d", c->run->only_layer);
    if (strcmp(c->run->bits, "all") != 0)
        snprintf(bits, sizeof bits, ", %.20s", c->run->bits);
    snprintf(name, 96, "%.30s%s%s%s", stoic_fig_head(c->run, head), bits, layer,
             c->run->summary.sampling == STOIC_SAMPLING_STRATIFIED ? ", strata" : "");
}

static void write_script(stoic_figure *figure, const sheet *s) {
    stoic_text *script = &figure->script;
    double first = INFINITY, last = 0.0;
    for (int i = 0; i < s->n; i++) {
        first = fmin(first, (double)s->series[i].points[0].trials);
        last = fmax(last, (double)s->series[i].points[s->series[i].n - 1].trials);
    }
    figure->label_columns = 48;
    stoic_fig_frame(figure);
    stoic_text_printf(script,
                      "set logscale x\nset xrange [%.9g:%.9g]\nset yrange [0:%.9g]\n"
                      "set ytics auto format '%%g'\nset xtics format '%%.0f'\nset lmargin 11\n"
                      "set rmargin 4\nset bmargin 6\nset xlabel 'trials'\n"
                      "set ylabel 'critical rate (share of images)'\n"
                      "set key below center horizontal height 0.5\nplot NaN notitle",
                      0.85 * first, 1.18 * last, top_of(s));
    for (int i = 0; i < s->n; i++) {
        const char *colour = stoic_figure_colour[i] + 1;
        char name[96];
        write_series(figure, &s->series[i]);
        int block = stoic_figure_block(figure);
        stoic_text_printf(
            script,
            ", \\\n'data' index %d using 1:3:4 with filledcurves fs transparent solid "
            "0.16 noborder lc rgb '#%s' notitle",
            block, colour);
        stoic_text_printf(script,
                          ", \\\n'' index %d using 1:2 with linespoints pt %d ps 0.7 lw 1.6 lc rgb "
                          "'#%s' title ",
                          block, stoic_figure_point[i], colour);
        write_name(&s->series[i], name);
        stoic_figure_label(figure, name);
    }
    stoic_text_puts(script, "\n");
}

static void write_csv(stoic_text *csv, const sheet *s) {
    stoic_text_puts(csv, "campaign,trials,critical_rate,low,high,confidence\n");
    for (int i = 0; i < s->n; i++) {
        const course *c = &s->series[i];
        for (size_t p = 0; p < c->n; p++) {
            const stoic_course_point *at = &c->points[p];
            stoic_markup_csv(csv, c->run->name);
            stoic_text_printf(csv, ",%lld,%.17g,%.17g,%.17g,%.17g\n", (long long)at->trials,
                              at->critical_rate.value, at->critical_rate.low,
                              at->critical_rate.high, at->confidence);
        }
    }
}

/* What the campaign ended with, and why. */
static void write_found(stoic_text *out, const sheet *s) {
    for (int i = 0; i < s->n; i++) {
        const course *c = &s->series[i];
        const stoic_interval *at = last_of(c);
        char name[96];
        write_name(c, name);
        stoic_text_puts(out, i ? "<br/><b>" : "<b>");
        stoic_markup_add(out, name, 60);
        stoic_text_puts(out, "</b>: ");
        stoic_markup_rate(out, at->value);
        stoic_text_puts(out, " [");
        stoic_markup_rate(out, at->low);
        stoic_text_puts(out, ", ");
        stoic_markup_rate(out, at->high);
        stoic_text_puts(out, "] after ");
        stoic_markup_integer(out, c->points[c->n - 1].trials);
        stoic_text_puts(out, " trials");
        if (c->run->summary.pilot > 0) {
            stoic_text_puts(out, ", of which ");
            stoic_markup_integer(out, c->run->summary.pilot);
            stoic_text_puts(out, " were the pilot");
        }
        stoic_text_puts(out, "; stopped: ");
        stoic_markup_add(out, c->run->summary.stopped, 20);
        if (has_margin(c->run)) {
            stoic_text_puts(out, " ");
            stoic_markup_add(out, stoic_loaded_run_info(c->run, "margin"), 24);
        }
        stoic_text_puts(out, ".");
    }
}

static stoic_status make_course(const sheet *s, int part, stoic_figures *figures,
                                stoic_error *err) {
    const stoic_loaded_run *runs[MAX_SERIES];
    stoic_figure *figure;
    stoic_status status;
    for (int i = 0; i < s->n; i++)
        runs[i] = s->series[i].run;
    TRY(stoic_figures_add(figures, "course", part, 980, 430, &figure, err));
    stoic_text_puts(&figure->title, "The estimate against the number of trials");
    write_csv(&figure->csv, s);
    write_script(figure, s);
    stoic_text_puts(&figure->run,
                    "Critical rate of the trials so far, and its interval as a band; of a campaign "
                    "that stops at a margin each look has a level of its own, higher than that "
                    "of the look before. ");
    stoic_fig_describe(&figure->run, runs, (size_t)s->n);
    write_found(&figure->found, s);
    status = stoic_figure_finish(figure, err);
done:
    return status;
}

stoic_status stoic_fig_course(const stoic_loaded_runs *all, int part, stoic_figures *figures,
                              stoic_error *err) {
    const stoic_loaded_run **runs = NULL;
    sheet s = {.n = 0};
    size_t n;
    stoic_status status;
    TRY(stoic_fig_select(all, part, is_drawn, &runs, &n, err));
    TRY(collect(&s, runs, n, err));
    if (s.n > 0)
        status = make_course(&s, part, figures, err);
done:
    for (int i = 0; i < MAX_SERIES; i++)
        free(s.series[i].points);
    free(runs);
    return status;
}
