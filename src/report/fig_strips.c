/*
 * Accuracy of each trial, a strip of dots for each layer, panels side by side: by number of flips
 * (or whatever the fault model's argument is), or by the field of the word that is hit.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"
#include "report/strip.h"

enum { MAX_PANELS = 6, MAX_STRIPS = 48 };

typedef struct sheet {
    const stoic_loaded_run **runs;
    size_t n_runs;
    const char *panels[MAX_PANELS];
    int n_panels, n_strips, n_layers;
    int layers[MAX_STRIPS];
    stoic_strip strips[MAX_STRIPS];
} sheet;

typedef const char *(*panel_of)(const stoic_loaded_run *run);

/* A panel's title; panels by field carry the field's name. */
static const char *panel_title(const sheet *sh, int panel, char buffer[64]) {
    for (size_t i = 0; i < sh->n_runs; i++) {
        if (sh->runs[i]->head == sh->panels[panel] || !strcmp(sh->runs[i]->head, sh->panels[panel]))
            return stoic_fig_head(sh->runs[i], buffer);
    }
    return sh->panels[panel];
}

static const char *panel_by_head(const stoic_loaded_run *run) {
    return run->head;
}

static const char *panel_by_bits(const stoic_loaded_run *run) {
    return run->bits;
}

bool stoic_fig_is_scatter(const stoic_loaded_run *run) {
    return stoic_strip_fits(run) && run->summary.trials >= 1000 && run->by_bit.count > 0;
}

/* Another run with the same panel and layer: the one with fewer trials stays, so that a long
 * scatter does not stand beside strips of a hundred. */
static void add_strip(sheet *sh, const stoic_loaded_run *run, int layer, int panel) {
    int at = sh->n_strips;
    for (int i = 0; i < sh->n_strips; i++) {
        if (sh->strips[i].panel == panel && sh->strips[i].layer == layer)
            at = i;
    }
    if (at == MAX_STRIPS ||
        (at < sh->n_strips && sh->strips[at].run->summary.trials <= run->summary.trials))
        return;
    sh->strips[at] = (stoic_strip){.run = run, .layer = layer, .panel = panel};
    sh->n_strips += at == sh->n_strips;
}

static int compare_panels(const void *a, const void *b) {
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    if (stoic_fig_field_rank(x) != stoic_fig_field_rank(y))
        return stoic_fig_field_rank(x) - stoic_fig_field_rank(y);
    double p = stoic_fig_argument(x), q = stoic_fig_argument(y);
    return p != q ? (p > q) - (p < q) : strcmp(x, y);
}

static void find_panels(sheet *sh, panel_of panel) {
    for (size_t i = 0; i < sh->n_runs; i++) {
        bool known = false;
        for (int p = 0; p < sh->n_panels; p++)
            known = known || !strcmp(sh->panels[p], panel(sh->runs[i]));
        if (!known && sh->n_panels < MAX_PANELS)
            sh->panels[sh->n_panels++] = panel(sh->runs[i]);
    }
    qsort(sh->panels, (size_t)sh->n_panels, sizeof *sh->panels, compare_panels);
}

static void find_strips(sheet *sh, panel_of panel) {
    find_panels(sh, panel);
    for (size_t i = 0; i < sh->n_runs; i++) {
        const stoic_loaded_run *run = sh->runs[i];
        int at = 0;
        while (at < sh->n_panels && strcmp(sh->panels[at], panel(run)) != 0)
            at++;
        if (at == sh->n_panels)
            continue;
        bool split = run->only_layer < 0 && run->by_bit.count > 0;
        if (!split)
            add_strip(sh, run, run->only_layer, at);
        for (size_t g = 0; split && g < run->by_layer.count; g++)
            add_strip(sh, run, run->by_layer.items[g].layer, at);
    }
    for (int i = 0; i < sh->n_strips; i++) {
        int at = 0;
        stoic_strip_measure(&sh->strips[i]);
        while (at < sh->n_layers && sh->layers[at] < sh->strips[i].layer)
            at++;
        if (at < sh->n_layers && sh->layers[at] == sh->strips[i].layer)
            continue;
        memmove(sh->layers + at + 1, sh->layers + at,
                (size_t)(sh->n_layers - at) * sizeof *sh->layers);
        sh->layers[at] = sh->strips[i].layer;
        sh->n_layers++;
    }
}

/* Where layer `at` of a panel stands on the axis; panels keep a gap of one strip. */
static double position(const sheet *sh, int panel, int at) {
    return panel * (sh->n_layers + 1) + at;
}

static int layer_at(const sheet *sh, int layer) {
    int at = 0;
    while (sh->layers[at] != layer)
        at++;
    return at;
}

static double place(const sheet *sh, const stoic_strip *s) {
    return position(sh, s->panel, layer_at(sh, s->layer));
}

static void write_csv(stoic_figure *figure, const sheet *sh, const stoic_strip *s) {
    char buffer[32];
    for (size_t i = 0; i < s->run->n_rows; i++) {
        const stoic_report_row *row = &s->run->rows[i];
        if (!stoic_strip_holds(s, row))
            continue;
        stoic_markup_csv(&figure->csv, sh->panels[s->panel]);
        stoic_text_printf(&figure->csv, ",%d,", s->layer);
        stoic_markup_csv(&figure->csv, stoic_strip_layer(s, buffer));
        stoic_text_printf(&figure->csv, ",%lld,%.17g\n", (long long)row->trial, row->accuracy);
    }
}

static void write_axis(stoic_figure *figure, const sheet *sh) {
    stoic_text *script = &figure->script;
    bool first = true;
    double width = sh->n_panels * (sh->n_layers + 1) - 1;
    stoic_text_printf(script, "set xrange [-0.8:%g]\nset xtics (", width - 0.2);
    for (int i = 0; i < sh->n_strips; i++) {
        char buffer[32];
        const stoic_strip *s = &sh->strips[i];
        stoic_text_puts(script, first ? "" : ",");
        stoic_figure_label(figure, stoic_strip_layer(s, buffer));
        stoic_text_printf(script, " %g", place(sh, s));
        first = false;
    }
    stoic_text_printf(script, ") font ',12'%s\n", sh->n_strips > 18 ? " rotate by 90 right" : "");
    if (sh->n_strips > 18)
        stoic_text_puts(script, "set bmargin 9\n");
    else
        stoic_text_puts(script, "set bmargin 2\n");
    for (int p = 0; p < sh->n_panels; p++) {
        char title[64];
        double middle = position(sh, p, 0) + (sh->n_layers - 1) / 2.0;
        stoic_text_printf(script, "set label %d ", 100 + p);
        stoic_figure_label(figure, panel_title(sh, p, title));
        stoic_text_printf(script, " at %g, graph 1.125 center font ',14'\n", middle);
        if (p > 0)
            stoic_text_printf(script,
                              "set arrow %d from %g, graph 0 to %g, graph 1.16 nohead lw 0.8 "
                              "lc rgb '#808080'\n",
                              100 + p, position(sh, p, -1), position(sh, p, -1));
    }
    for (int i = 0; i < sh->n_strips && sh->n_strips <= 18; i++) {
        const stoic_strip *s = &sh->strips[i];
        stoic_text_printf(script, "set label %d '%.3f' at %g, graph 1.05 center font ',11'\n",
                          200 + i, s->accuracy.value, place(sh, s));
    }
    if (sh->n_strips <= 18)
        stoic_text_puts(script, "set label 99 'mean' at graph 0, graph 1.05 right offset char -1,0 "
                                "font ',11'\n");
    stoic_text_puts(script, "set tmargin 4\n");
}

/* Trials as dots in the layer's colour and shape; means as diamonds in ink, with their interval. */
static void write_script(stoic_figure *figure, const sheet *sh) {
    stoic_fig_frame(figure);
    stoic_fig_golden(figure, sh->runs[0]->summary.golden_accuracy);
    write_axis(figure, sh);
    stoic_text_puts(&figure->script, "plot ");
    for (int i = 0; i < sh->n_strips; i++) {
        write_csv(figure, sh, &sh->strips[i]);
        stoic_strip_dots(figure, &sh->strips[i], place(sh, &sh->strips[i]));
        stoic_strip_plot(figure, i, layer_at(sh, sh->strips[i].layer));
    }
    for (int i = 0; i < sh->n_strips; i++)
        stoic_strip_mean(figure, &sh->strips[i], place(sh, &sh->strips[i]));
    int block = stoic_figure_block(figure);
    stoic_text_printf(&figure->script,
                      "'data' index %d using 1:2:3:4 with yerrorbars pt 13 ps %g lw 1.4 "
                      "lc rgb 'black'\n",
                      block, sh->n_strips > 18 ? 0.6 : 0.9);
}

static const stoic_strip *extreme(const sheet *sh, int panel, bool lowest) {
    const stoic_strip *found = NULL;
    for (int i = 0; i < sh->n_strips; i++) {
        const stoic_strip *s = &sh->strips[i];
        bool better = found && (lowest ? s->accuracy.value < found->accuracy.value
                                       : s->accuracy.value > found->accuracy.value);
        if (s->panel == panel && (!found || better))
            found = s;
    }
    return found;
}

static void write_found(stoic_text *out, const sheet *sh) {
    char buffer[32], title[64];
    for (int p = 0; p < sh->n_panels; p++) {
        const stoic_strip *low = extreme(sh, p, true), *high = extreme(sh, p, false);
        int64_t trials = 0, hard = 0, hard_top = 0;
        double least = INFINITY;
        for (int i = 0; i < sh->n_strips; i++) {
            if (sh->strips[i].panel != p)
                continue;
            trials += sh->strips[i].trials;
            hard += sh->strips[i].hard;
            hard_top += sh->strips[i].hard_top;
            least = fmin(least, sh->strips[i].least);
        }
        stoic_text_puts(out, p ? "<br/><b>" : "<b>");
        stoic_markup_add(out, panel_title(sh, p, title), 40);
        stoic_text_printf(out, "</b>: mean accuracy %.4f in ", low->accuracy.value);
        stoic_markup_add(out, stoic_strip_layer(low, buffer), 40);
        if (high != low) {
            stoic_text_printf(out, " to %.4f in ", high->accuracy.value);
            stoic_markup_add(out, stoic_strip_layer(high, buffer), 40);
        }
        stoic_text_printf(out, ", lowest trial %.4f; %lld of %lld trials lose more than 10 points",
                          least, (long long)hard, (long long)trials);
        if (hard > 0 && extreme(sh, p, true)->run->by_bit.count > 0)
            stoic_text_printf(out, ", %lld of them by the top exponent bit", (long long)hard_top);
        stoic_text_puts(out, ".");
    }
}

/* Moves the runs that have a strip to the front and counts them. */
static size_t shown_runs(sheet *sh) {
    size_t n = 0;
    for (size_t i = 0; i < sh->n_runs; i++) {
        bool shown = false;
        for (int s = 0; s < sh->n_strips; s++)
            shown = shown || sh->strips[s].run == sh->runs[i];
        if (!shown)
            continue;
        const stoic_loaded_run *run = sh->runs[i];
        sh->runs[i] = sh->runs[n];
        sh->runs[n++] = run;
    }
    return n;
}

static stoic_status make_sheet(const stoic_loaded_run **runs, size_t n, panel_of panel,
                               const char *key, const char *title, stoic_figures *figures,
                               stoic_error *err) {
    stoic_figure *figure;
    stoic_status status = STOIC_OK;
    sheet *sh = calloc(1, sizeof *sh);
    if (!sh)
        return stoic_fail_memory(err, "a figure", sizeof *sh);
    sh->runs = runs;
    sh->n_runs = n;
    find_strips(sh, panel);
    if (sh->n_strips == 0)
        goto done;
    TRY(stoic_figures_add(figures, key, runs[0]->part, 980, sh->n_strips > 18 ? 540 : 430, &figure,
                          err));
    stoic_text_puts(&figure->title, title);
    if (panel == panel_by_head && strcmp(runs[0]->bits, "all") != 0) {
        stoic_text_puts(&figure->title, ", bits: ");
        stoic_markup_add(&figure->title, runs[0]->bits, 40);
    }
    stoic_text_puts(&figure->csv, "faults,layer,name,trial,accuracy\n");
    write_script(figure, sh);
    stoic_text_puts(&figure->run, "A dot is a trial, a diamond the mean with its interval. ");
    n = shown_runs(sh);
    stoic_fig_describe(&figure->run, runs, n);
    write_found(&figure->found, sh);
    status = stoic_figure_finish(figure, err);
done:
    free(sh);
    return status;
}

/* ---- which campaigns belong into one figure ---- */

static size_t kind_length(const stoic_loaded_run *run) {
    return strcspn(run->head, ":,");
}

static bool same_family(const stoic_loaded_run *a, const stoic_loaded_run *b) {
    return kind_length(a) == kind_length(b) && !strncmp(a->head, b->head, kind_length(a)) &&
           !strcmp(a->bits, b->bits) && !strcmp(a->tensor, b->tensor);
}

static bool same_head(const stoic_loaded_run *a, const stoic_loaded_run *b) {
    return !strcmp(a->head, b->head) && !strcmp(a->tensor, b->tensor);
}

static const char *key_of(const stoic_loaded_run *run) {
    bool flips = kind_length(run) == 5 && !strncmp(run->head, "flips", 5);
    if (!flips)
        return "faults";
    return !strcmp(run->bits, "all")        ? "flips"
           : !strcmp(run->bits, "exponent") ? "exponent"
                                            : "flips-field";
}

static int distinct(const stoic_loaded_run *const *runs, size_t n, panel_of panel) {
    int count = 0;
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t j = 0; j < i; j++)
            known = known || !strcmp(panel(runs[i]), panel(runs[j]));
        count += !known;
    }
    return count;
}

static bool partial_field(const stoic_loaded_run *run) {
    return stoic_strip_fits(run) && strcmp(run->bits, "all") != 0;
}

static stoic_status make_fields(const stoic_loaded_runs *all, int part, stoic_figures *figures,
                                stoic_error *err) {
    const stoic_loaded_run **runs;
    size_t n;
    stoic_status status = stoic_fig_select(all, part, partial_field, &runs, &n, err);
    for (size_t from = 0; from < n && status == STOIC_OK;) {
        size_t count = stoic_fig_gather(runs + from, n - from, same_head);
        if (distinct(runs + from, count, panel_by_bits) > 1)
            status = make_sheet(runs + from, count, panel_by_bits, "fields",
                                "Accuracy by layer and field of the word", figures, err);
        from += count;
    }
    free(runs);
    return status;
}

/* A family of one head and one field is left to the figure of fields, where there is one. */
static bool covered(const stoic_loaded_runs *all, const stoic_loaded_run *run) {
    for (size_t i = 0; i < all->count; i++) {
        const stoic_loaded_run *other = &all->items[i];
        if (other->part == run->part && partial_field(other) && same_head(run, other) &&
            strcmp(run->bits, other->bits) != 0)
            return true;
    }
    return false;
}

static bool whole_word(const stoic_loaded_run *run) {
    return stoic_strip_fits(run) && !strcmp(run->bits, "all");
}

static stoic_status make_families(const stoic_loaded_runs *all, int part, stoic_fig_filter wanted,
                                  stoic_figures *figures, stoic_error *err) {
    const stoic_loaded_run **runs;
    size_t n;
    stoic_status status = stoic_fig_select(all, part, wanted, &runs, &n, err);
    for (size_t from = 0; from < n && status == STOIC_OK;) {
        size_t count = stoic_fig_gather(runs + from, n - from, same_family);
        bool alone = distinct(runs + from, count, panel_by_head) == 1;
        if (!(alone && partial_field(runs[from]) && covered(all, runs[from])))
            status = make_sheet(runs + from, count, panel_by_head, key_of(runs[from]),
                                "Accuracy by layer and number of faults", figures, err);
        from += count;
    }
    free(runs);
    return status;
}

stoic_status stoic_fig_strips(const stoic_loaded_runs *all, int part, stoic_figures *figures,
                              stoic_error *err) {
    stoic_status status;
    TRY(make_families(all, part, whole_word, figures, err));
    TRY(make_families(all, part, partial_field, figures, err));
    status = make_fields(all, part, figures, err);
done:
    return status;
}
