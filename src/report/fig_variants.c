/*
 * The same faults in several networks (or the same network under several stores): for each layer
 * that was hit in more than one of them, a panel with a strip of dots each.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"
#include "report/strip.h"

enum { MAX_PANELS = 6, MAX_VARIANTS = 6, MAX_LABEL = 64, WIDTH = 980, PLOT_WIDTH = 840 };

typedef struct sheet {
    const stoic_loaded_run **runs; /* one family: the same faults, up to the layer, and data */
    size_t n_runs;
    const char *panels[MAX_PANELS];                 /* as the fault's layer= says */
    const stoic_loaded_run *variants[MAX_VARIANTS]; /* a run of each part */
    int n_panels, n_variants;
    bool models, stores;                          /* what the variants differ in */
    stoic_strip strips[MAX_PANELS][MAX_VARIANTS]; /* run NULL: there is none */
} sheet;

/* ---- which campaigns belong into one figure ---- */

static bool same_faults(const stoic_loaded_run *a, const stoic_loaded_run *b) {
    static const char *const keys[] = {"data_digest", "labels_digest", "images", "nan"};
    bool same =
        !strcmp(a->head, b->head) && !strcmp(a->bits, b->bits) && !strcmp(a->tensor, b->tensor);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        same =
            same && !strcmp(stoic_loaded_run_info(a, keys[i]), stoic_loaded_run_info(b, keys[i]));
    return same;
}

/* Does this layer, hit in this part, also stand in another part? */
static bool has_rival(const sheet *sh, const stoic_loaded_run *run) {
    for (size_t i = 0; i < sh->n_runs; i++) {
        if (sh->runs[i]->part != run->part && !strcmp(sh->runs[i]->layers, run->layers))
            return true;
    }
    return false;
}

static int panel_of(sheet *sh, const stoic_loaded_run *run) {
    for (int p = 0; p < sh->n_panels; p++) {
        if (!strcmp(sh->panels[p], run->layers))
            return p;
    }
    if (sh->n_panels == MAX_PANELS)
        return -1;
    sh->panels[sh->n_panels] = run->layers;
    return sh->n_panels++;
}

static int variant_of(sheet *sh, const stoic_loaded_run *run) {
    for (int v = 0; v < sh->n_variants; v++) {
        if (sh->variants[v]->part == run->part)
            return v;
    }
    if (sh->n_variants == MAX_VARIANTS)
        return -1;
    sh->variants[sh->n_variants] = run;
    return sh->n_variants++;
}

static bool differ(const sheet *sh, const char *key) {
    bool found = false;
    for (int v = 1; v < sh->n_variants; v++)
        found = found || strcmp(stoic_loaded_run_info(sh->variants[0], key),
                                stoic_loaded_run_info(sh->variants[v], key)) != 0;
    return found;
}

/* Of several campaigns in one place, the one with the fewest trials stays, as in fig_strips.c. */
static void find_strips(sheet *sh) {
    for (size_t i = 0; i < sh->n_runs; i++) {
        const stoic_loaded_run *run = sh->runs[i];
        int panel = has_rival(sh, run) ? panel_of(sh, run) : -1;
        int variant = panel < 0 ? -1 : variant_of(sh, run);
        if (variant < 0)
            continue;
        stoic_strip *s = &sh->strips[panel][variant];
        if (s->run && s->run->summary.trials <= run->summary.trials)
            continue;
        *s = (stoic_strip){.run = run, .layer = run->only_layer, .panel = panel};
        stoic_strip_measure(s);
    }
    sh->stores = differ(sh, "store");
    sh->models = differ(sh, "model_digest") || !sh->stores;
}

/* ---- drawing ---- */

/* What a variant is called: its model's file without ".onnx", its store. */
static const char *label_of(const sheet *sh, int variant, char buffer[MAX_LABEL]) {
    const char *model = stoic_loaded_run_model(sh->variants[variant]);
    const char *store = stoic_loaded_run_info(sh->variants[variant], "store");
    size_t length = strlen(model);
    if (length > 5 && !strcmp(model + length - 5, ".onnx"))
        length -= 5;
    snprintf(buffer, MAX_LABEL, "%.*s%s%.24s", sh->models ? (int)(length < 36 ? length : 36) : 0,
             model, sh->models && sh->stores ? ", " : "", sh->stores ? store : "");
    return buffer;
}

static const char *panel_title(const sheet *sh, int panel, char buffer[64]) {
    const stoic_strip *s = sh->strips[panel];
    while (!s->run)
        s++;
    if (s->layer >= 0 || !strcmp(sh->panels[panel], "all"))
        return stoic_strip_layer(s, buffer);
    snprintf(buffer, 64, "layers %.50s", sh->panels[panel]);
    return buffer;
}

/* Variants of a panel stand side by side; panels keep a gap of one. */
static double position(const sheet *sh, int panel, int variant) {
    return panel * (sh->n_variants + 1) + variant;
}

static double axis_width(const sheet *sh) {
    return sh->n_panels * (sh->n_variants + 1) - 1;
}

/* Do two neighbours' names collide, at about six points a character? */
static bool names_are_long(const sheet *sh) {
    double slot = PLOT_WIDTH / (axis_width(sh) + 0.6);
    for (int v = 1; v < sh->n_variants; v++) {
        char a[MAX_LABEL], b[MAX_LABEL];
        int columns = stoic_markup_columns(label_of(sh, v - 1, a), STOIC_FIGURE_LABEL) +
                      stoic_markup_columns(label_of(sh, v, b), STOIC_FIGURE_LABEL);
        if (columns / 2.0 * 6.2 > slot)
            return true;
    }
    return false;
}

static void write_panel_titles(stoic_figure *figure, const sheet *sh) {
    stoic_text *script = &figure->script;
    for (int p = 0; p < sh->n_panels; p++) {
        char title[64];
        stoic_text_printf(script, "set label %d ", 100 + p);
        stoic_figure_label(figure, panel_title(sh, p, title));
        stoic_text_printf(script, " at %g, graph 1.20 center font ',14'\n",
                          position(sh, p, 0) + (sh->n_variants - 1) / 2.0);
        if (p > 0)
            stoic_text_printf(script,
                              "set arrow %d from %g, graph 0 to %g, graph 1.23 nohead lw 0.8 "
                              "lc rgb '#808080'\n",
                              100 + p, position(sh, p, -1), position(sh, p, -1));
    }
}

/* Above a strip its mean and the share of its trials that are hard; through it, its own accuracy
 * without faults. */
static void write_strip(stoic_figure *figure, const stoic_strip *s, int n, double x) {
    stoic_text *script = &figure->script;
    double golden = s->run->summary.golden_accuracy;
    stoic_text_printf(script, "set label %d '%.3f' at %g, graph 1.115 center font ',11'\n", 200 + n,
                      s->accuracy.value, x);
    stoic_text_printf(script, "set label %d '%.0f %%' at %g, graph 1.05 center font ',11'\n",
                      300 + n, s->trials ? 100.0 * (double)s->hard / (double)s->trials : 0.0, x);
    if (isfinite(golden))
        stoic_text_printf(script,
                          "set arrow %d from %g, first %.9g to %g, first %.9g nohead dt (3,3) lw "
                          "1.4 lc rgb 'black' back\n",
                          200 + n, x - 0.46, golden, x + 0.48, golden);
}

static void write_axis(stoic_figure *figure, const sheet *sh) {
    stoic_text *script = &figure->script;
    bool rotated = names_are_long(sh);
    int n = 0;
    stoic_text_printf(script, "set xrange [-0.8:%g]\nset xtics (", axis_width(sh) - 0.2);
    for (int p = 0; p < sh->n_panels; p++) {
        for (int v = 0; v < sh->n_variants; v++) {
            char label[MAX_LABEL];
            if (!sh->strips[p][v].run)
                continue;
            stoic_text_puts(script, n++ ? "," : "");
            stoic_figure_label(figure, label_of(sh, v, label));
            stoic_text_printf(script, " %g", position(sh, p, v));
        }
    }
    stoic_text_printf(script,
                      ") font ',11'%s\nset bmargin %d\nset tmargin 5\nset lmargin 13\n"
                      "set rmargin 2\n",
                      rotated ? " rotate by 90 right" : "", rotated ? 11 : 2);
    stoic_text_puts(script, "set label 98 'mean' at graph 0, graph 1.115 right offset char -1,0 "
                            "font ',11'\n"
                            "set label 99 'lose > 10 points' at graph 0, graph 1.05 right offset "
                            "char -1,0 font ',11'\n");
    n = 0;
    for (int p = 0; p < sh->n_panels; p++) {
        for (int v = 0; v < sh->n_variants; v++) {
            if (sh->strips[p][v].run)
                write_strip(figure, &sh->strips[p][v], n++, position(sh, p, v));
        }
    }
    write_panel_titles(figure, sh);
}

static void write_csv(stoic_figure *figure, const stoic_strip *s, const char *label) {
    char buffer[32];
    for (size_t i = 0; i < s->run->n_rows; i++) {
        stoic_markup_csv(&figure->csv, s->run->head);
        stoic_text_printf(&figure->csv, ",%d,", s->layer);
        stoic_markup_csv(&figure->csv, stoic_strip_layer(s, buffer));
        stoic_text_puts(&figure->csv, ",");
        stoic_markup_csv(&figure->csv, label);
        stoic_text_printf(&figure->csv, ",%lld,%.17g\n", (long long)s->run->rows[i].trial,
                          s->run->rows[i].accuracy);
    }
}

/* Trials as dots in the variant's colour and shape; means as diamonds in ink. */
static void write_script(stoic_figure *figure, const sheet *sh) {
    int n = 0;
    stoic_fig_frame(figure);
    write_axis(figure, sh);
    stoic_text_puts(&figure->csv, "faults,layer,name,variant,trial,accuracy\n");
    stoic_text_puts(&figure->script, "plot ");
    for (int p = 0; p < sh->n_panels; p++) {
        for (int v = 0; v < sh->n_variants; v++) {
            char label[MAX_LABEL];
            if (!sh->strips[p][v].run)
                continue;
            write_csv(figure, &sh->strips[p][v], label_of(sh, v, label));
            stoic_strip_dots(figure, &sh->strips[p][v], position(sh, p, v));
            stoic_strip_plot(figure, n++, v);
        }
    }
    for (int p = 0; p < sh->n_panels; p++) {
        for (int v = 0; v < sh->n_variants; v++) {
            if (sh->strips[p][v].run)
                stoic_strip_mean(figure, &sh->strips[p][v], position(sh, p, v));
        }
    }
    stoic_text_printf(&figure->script,
                      "'data' index %d using 1:2:3:4 with yerrorbars pt 13 ps 0.9 lw 1.4 "
                      "lc rgb 'black'\n",
                      stoic_figure_block(figure));
}

/* Sums that overflow both ways: what a bounded activation does not mask. */
static void add_nan(stoic_text *out, const stoic_loaded_run *run) {
    const stoic_counts *totals = &run->summary.totals;
    if (totals->nan > 0 && totals->images > 0)
        stoic_text_printf(out, " (NaN in %.3g %% of the outputs)",
                          100.0 * (double)totals->nan / (double)totals->images);
}

static void write_found(stoic_text *out, const sheet *sh) {
    for (int p = 0; p < sh->n_panels; p++) {
        char title[64], label[MAX_LABEL];
        bool first = true;
        stoic_text_puts(out, p ? "<br/><b>" : "<b>");
        stoic_markup_add(out, panel_title(sh, p, title), 40);
        stoic_text_puts(out, "</b>: ");
        for (int v = 0; v < sh->n_variants; v++) {
            const stoic_strip *s = &sh->strips[p][v];
            if (!s->run)
                continue;
            stoic_text_puts(out, first ? "" : "; ");
            stoic_markup_add(out, label_of(sh, v, label), MAX_LABEL);
            stoic_text_printf(out,
                              first ? " falls from %.4f to %.4f on average, lowest trial %.4f, and "
                                      "%lld of %lld trials lose more than 10 points"
                                    : " from %.4f to %.4f, lowest %.4f, %lld of %lld",
                              s->run->summary.golden_accuracy, s->accuracy.value, s->least,
                              (long long)s->hard, (long long)s->trials);
            add_nan(out, s->run);
            first = false;
        }
        stoic_text_puts(out, ".");
    }
}

static void write_title(stoic_text *out, const sheet *sh) {
    char head[64];
    stoic_text_printf(out, "%s side by side: ", sh->models ? "Networks" : "Stores");
    stoic_markup_add(out, stoic_fig_head(sh->runs[0], head), 40);
    if (strcmp(sh->runs[0]->bits, "all") != 0) {
        stoic_text_puts(out, ", bits: ");
        stoic_markup_add(out, sh->runs[0]->bits, 40);
    }
}

/* The runs that have a strip: by panel, then by variant. */
static void write_run(stoic_text *out, const sheet *sh) {
    const stoic_loaded_run *shown[MAX_PANELS * MAX_VARIANTS];
    size_t n = 0;
    for (int i = 0; i < MAX_PANELS * MAX_VARIANTS; i++) {
        const stoic_strip *s = &sh->strips[i / MAX_VARIANTS][i % MAX_VARIANTS];
        if (s->run)
            shown[n++] = s->run;
    }
    stoic_text_puts(out,
                    "A dot is a trial, a diamond the mean with its interval, a dashed line the "
                    "accuracy without faults. ");
    stoic_fig_describe(out, shown, n);
}

static stoic_status make_sheet(const stoic_loaded_run **runs, size_t n, stoic_figures *figures,
                               stoic_error *err) {
    stoic_figure *figure;
    stoic_status status = STOIC_OK;
    sheet *sh = calloc(1, sizeof *sh);
    if (!sh)
        return stoic_fail_memory(err, "a figure", sizeof *sh);
    sh->runs = runs;
    sh->n_runs = n;
    find_strips(sh);
    if (sh->n_variants < 2)
        goto done;
    TRY(stoic_figures_add(figures, "variants", STOIC_FIGURE_OF_ALL, WIDTH,
                          names_are_long(sh) ? 560 : 470, &figure, err));
    write_title(&figure->title, sh);
    write_script(figure, sh);
    write_run(&figure->run, sh);
    write_found(&figure->found, sh);
    status = stoic_figure_finish(figure, err);
done:
    free(sh);
    return status;
}

stoic_status stoic_fig_variants(const stoic_loaded_runs *all, stoic_figures *figures,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_loaded_run **runs = calloc(all->count + 1, sizeof(*runs));
    size_t n = 0;
    if (!runs)
        return stoic_fail_memory(err, "a list of campaigns", all->count * sizeof *runs);
    for (size_t i = 0; i < all->count; i++) {
        const stoic_loaded_run *run = &all->items[i];
        if (run->summary.trials > 0 && stoic_strip_fits(run))
            runs[n++] = run;
    }
    for (size_t from = 0; from < n && status == STOIC_OK;) {
        size_t count = stoic_fig_gather(runs + from, n - from, same_faults);
        status = make_sheet(runs + from, count, figures, err);
        from += count;
    }
    free(runs);
    return status;
}
