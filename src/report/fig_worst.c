/* Each weight's worst bit, where campaigns run every fault: a panel a layer, output channels from
 * top to bottom, the weights of a channel from left to right. Once by the bit, once by what it
 * does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/fail.h"
#include "model/graph.h"
#include "report/fig_kit.h"
#include "report/markup.h"
#include "tensor/shape_span.h"

enum {
    MAX_PANELS = 24,
    MAX_WIDE = 800, /* cells of a panel */
    MAX_HIGH = 160,
    NAMED = 5, /* bits with a colour of their own */
    OTHER = NAMED,
    NONE,
    COLOURS,
    BITS = 256
};
#define MAX_WEIGHTS ((int64_t)1 << 26)

/* Others than those of stoic_figure_colour: a picture in a picture does not follow the page's
 * ground, so these are legible on both. */
static const char *const colours[COLOURS] = {"#d6604d", "#4393c3", "#f1a340", "#5aae61",
                                             "#9970ab", "#7a7a7a", "#c4c4c4"};

/* The worst of a weight's bits so far. */
typedef struct worst {
    int32_t critical, images; /* images 0: no bit of it was run */
    int32_t bit;
} worst;

typedef struct panel {
    int layer;
    int64_t weights, channels, inner, outer; /* weight i: channel i / inner % channels */
    int wide, high;                          /* cells */
    worst *worst;                            /* by weight */
} panel;

typedef struct sheet {
    const stoic_loaded_run **runs;
    size_t n_runs;
    panel panels[MAX_PANELS];
    int n_panels, left_out, of_layer[1024];
    int64_t count[BITS + 1]; /* weights by their worst bit; the last: none does harm */
    int64_t weights;         /* of which a bit was run */
    int named[NAMED], n_named;
} sheet;

/* ---- what is shown ---- */

static bool add_worst(void *user, const stoic_record *r) {
    sheet *sh = user;
    if (r->layer < 0 || r->layer >= 1024 || sh->of_layer[r->layer] < 0)
        return true;
    panel *p = &sh->panels[sh->of_layer[r->layer]];
    if (r->index < 0 || r->index >= p->weights || r->bit < 0 || r->bit >= BITS ||
        r->counts.images <= 0 || r->counts.images > INT32_MAX)
        return true;
    worst *w = &p->worst[r->index];
    if (!w->images || r->counts.critical > w->critical)
        *w = (worst){(int32_t)r->counts.critical, (int32_t)r->counts.images, r->bit};
    return true;
}

/* Weights by channel as the network has them; without it one after the other, in rows of equal
 * length. */
static void shape_panel(panel *p, const stoic_model *model) {
    p->channels = (int64_t)ceil(sqrt((double)p->weights / 4));
    p->inner = (p->weights + p->channels - 1) / p->channels;
    p->outer = 1;
    if (!model || p->layer >= stoic_model_layer_count(model))
        return;
    const stoic_shape *shape = stoic_tensor_shape(stoic_model_layer(model, p->layer).weights);
    const int axis = stoic_model_channel_axis(model, p->layer);
    if (stoic_shape_count(shape) != p->weights)
        return;
    p->channels = shape->dim[axis];
    p->inner = stoic_shape_span(shape, axis + 1, shape->rank);
    p->outer = stoic_shape_span(shape, 0, axis);
}

static stoic_status add_panel(sheet *sh, int layer, const stoic_loaded_run *run,
                              const stoic_model *model, stoic_error *err) {
    panel *p = &sh->panels[sh->n_panels];
    if (layer < 0 || layer >= 1024 || sh->of_layer[layer] >= 0)
        return STOIC_OK;
    *p = (panel){.layer = layer, .weights = stoic_records_layer_weights(run->records, layer)};
    if (sh->n_panels == MAX_PANELS || p->weights <= 0 || sh->weights + p->weights > MAX_WEIGHTS) {
        sh->left_out++;
        return STOIC_OK;
    }
    sh->weights += p->weights;
    shape_panel(p, model);
    const int64_t across = p->inner * p->outer;
    p->wide = across < MAX_WIDE ? (int)across : MAX_WIDE;
    p->high = p->channels < MAX_HIGH ? (int)p->channels : MAX_HIGH;
    p->worst = calloc((size_t)p->weights, sizeof *p->worst);
    if (!p->worst)
        return stoic_fail_memory(err, "a figure", (size_t)p->weights * sizeof *p->worst);
    sh->of_layer[layer] = sh->n_panels++;
    return STOIC_OK;
}

static void count_bits(sheet *sh) {
    sh->weights = 0;
    for (int i = 0; i < sh->n_panels; i++) {
        for (int64_t w = 0; w < sh->panels[i].weights; w++) {
            const worst *at = &sh->panels[i].worst[w];
            sh->weights += at->images > 0;
            if (at->images)
                sh->count[at->critical ? at->bit : BITS]++;
        }
    }
    for (; sh->n_named < NAMED; sh->n_named++) {
        int most = -1;
        for (int bit = 0; bit < BITS; bit++) {
            bool taken = false;
            for (int k = 0; k < sh->n_named; k++)
                taken = taken || sh->named[k] == bit;
            if (!taken && sh->count[bit] && (most < 0 || sh->count[bit] > sh->count[most]))
                most = bit;
        }
        if (most < 0)
            break;
        sh->named[sh->n_named] = most;
    }
}

static stoic_status collect(sheet *sh, const stoic_model *model, stoic_error *err) {
    stoic_status status = STOIC_OK;
    memset(sh->of_layer, -1, sizeof sh->of_layer);
    for (int layer = 0; layer < 1024; layer++) {
        for (size_t i = 0; i < sh->n_runs; i++) {
            const stoic_report_groups *by = &sh->runs[i]->by_layer;
            for (size_t g = 0; g < by->count; g++) {
                if (by->items[g].layer == layer && by->items[g].trials > 0)
                    TRY(add_panel(sh, layer, sh->runs[i], model, err));
            }
        }
    }
    for (size_t i = 0; i < sh->n_runs && sh->n_panels; i++)
        TRY(stoic_records_each(sh->runs[i]->records, add_worst, sh, err));
    count_bits(sh);
done:
    return status;
}

/* ---- cells ---- */

static double rate_of(const worst *w) {
    return (double)w->critical / (double)w->images;
}

/* Which weight stands for each cell: the worst in it. NULL where none was run. */
static stoic_status find_cells(const panel *p, const worst ***out, stoic_error *err) {
    const worst **cells = calloc((size_t)(p->wide * p->high), sizeof *cells);
    *out = cells;
    if (!cells)
        return stoic_fail_memory(err, "a figure", (size_t)(p->wide * p->high) * sizeof *cells);
    const int64_t across = p->inner * p->outer;
    for (int64_t i = 0; i < p->weights; i++) {
        const int64_t channel = i / p->inner % p->channels;
        const int64_t within = i / p->inner / p->channels * p->inner + i % p->inner;
        const size_t at =
            (size_t)(channel * p->high / p->channels * p->wide + within * p->wide / across);
        const worst *w = &p->worst[i];
        if (w->images && (!cells[at] || rate_of(w) > rate_of(cells[at])))
            cells[at] = w;
    }
    return STOIC_OK;
}

static int colour_of(const sheet *sh, const worst *w) {
    if (!w->critical)
        return NONE;
    for (int k = 0; k < sh->n_named; k++) {
        if (sh->named[k] == w->bit)
            return k;
    }
    return OTHER;
}

static stoic_status write_panel(stoic_figure *figure, const sheet *sh, const panel *p, bool by_bit,
                                stoic_error *err) {
    const worst **cells;
    stoic_status status = find_cells(p, &cells, err);
    for (int at = 0; status == STOIC_OK && at < p->wide * p->high; at++) {
        const worst *w = cells[at];
        double value = (double)NAN;
        if (w && by_bit)
            value = colour_of(sh, w);
        else if (w && w->critical)
            value = rate_of(w);
        stoic_text_printf(&figure->data, "%d %d", at % p->wide, at / p->wide);
        stoic_figure_number(&figure->data, value);
        stoic_text_puts(&figure->data, "\n");
        if (w)
            stoic_text_printf(&figure->csv, "%d,%d,%d,%d,%.17g\n", p->layer, at / p->wide,
                              at % p->wide, w->critical ? w->bit : -1, rate_of(w));
    }
    stoic_text_puts(&figure->data, "\n\n");
    free(cells);
    return status;
}

/* ---- the sheet ---- */

/* Pixels: of a panel, between panels, and around them. */
enum { WIDE = 980, PANEL = 92, GAP = 34, TOP = 26, BOTTOM = 66, LEFT = 52, RIGHT = 24 };

static int columns_of(const sheet *sh) {
    return sh->n_panels > 6 ? 2 : 1;
}

static int height_of(const sheet *sh) {
    int rows = (sh->n_panels + columns_of(sh) - 1) / columns_of(sh);
    return TOP + rows * (PANEL + GAP) + BOTTOM;
}

/* Where a panel stands, and its name above it. */
static void place_panel(stoic_figure *figure, const sheet *sh, int at) {
    const panel *p = &sh->panels[at];
    const int columns = columns_of(sh), height = height_of(sh);
    const double wide = (WIDE - LEFT - RIGHT - (columns - 1) * (LEFT + 10.0)) / columns;
    const double left = LEFT + at % columns * (wide + LEFT + 10.0);
    const double top = TOP + at / columns * (double)(PANEL + GAP);
    char buffer[32], *name = NULL;
    if (asprintf(&name, "%s: %lld × %lld", stoic_loaded_run_layer(sh->runs[0], p->layer, buffer),
                 (long long)p->channels, (long long)(p->inner * p->outer)) < 0)
        name = NULL;
    stoic_text_printf(&figure->script,
                      "set lmargin at screen %.5f\nset rmargin at screen %.5f\n"
                      "set tmargin at screen %.5f\nset bmargin at screen %.5f\n"
                      "set xrange [-0.5:%g]\nset yrange [%g:-0.5]\nset ytics ('0' 0%s",
                      left / WIDE, (left + wide) / WIDE, 1 - top / height,
                      1 - (top + PANEL) / height, p->wide - 0.5, p->high - 0.5,
                      p->high > 1 ? "," : "");
    if (p->high > 1)
        stoic_text_printf(&figure->script, "'%lld' %d", (long long)p->channels - 1, p->high - 1);
    stoic_text_puts(&figure->script, ") font ',11'\nset label 1 ");
    stoic_figure_label(figure, name ? name : "");
    free(name);
    stoic_text_puts(&figure->script, " at graph 0, graph 1 left offset char 0,0.6 font ',12'\n");
}

static void write_key(stoic_figure *figure, const sheet *sh) {
    const int height = height_of(sh);
    int entry = 0;
    for (int k = 0; k < COLOURS; k++) {
        int64_t n = k < sh->n_named ? sh->count[sh->named[k]] : k == NONE ? sh->count[BITS] : 0;
        char name[64];
        for (int bit = 0; bit < BITS && k == OTHER; bit++)
            n += sh->count[bit];
        for (int i = 0; i < sh->n_named && k == OTHER; i++)
            n -= sh->count[sh->named[i]];
        if (!n)
            continue;
        if (k < NAMED)
            snprintf(name, sizeof name, "bit %d", sh->named[k]);
        else
            snprintf(name, sizeof name, "%s", k == OTHER ? "other bits" : "none");
        const double x = LEFT + entry % 4 * 215.0, y = height - BOTTOM + 8 + entry / 4 * 26.0;
        stoic_text_printf(&figure->script,
                          "set object %d rectangle from screen %.5f,%.5f to screen %.5f,%.5f "
                          "fc rgb '%s' fs solid noborder\n"
                          "set label %d '%s: %.3g %%' at screen %.5f,%.5f left font ',12'\n",
                          10 + k, x / WIDE, 1 - y / height, (x + 14) / WIDE, 1 - (y + 14) / height,
                          colours[k], 10 + k, name, 100.0 * (double)n / (double)sh->weights,
                          (x + 21) / WIDE, 1 - (y + 7) / height);
        entry++;
    }
}

static void write_bit_colours(stoic_figure *figure) {
    stoic_text_printf(&figure->script, "set palette maxcolors %d\nset palette defined (", COLOURS);
    for (int k = 0; k < COLOURS; k++)
        stoic_text_printf(&figure->script, "%s%d '%s'", k ? "," : "", k, colours[k]);
    stoic_text_printf(&figure->script, ")\nset cbrange [-0.5:%g]\n", COLOURS - 0.5);
}

static double lowest_rate(const sheet *sh) {
    double low = 0.1;
    for (int i = 0; i < sh->n_panels; i++) {
        for (int64_t w = 0; w < sh->panels[i].weights; w++) {
            if (sh->panels[i].worst[w].critical)
                low = fmin(low, rate_of(&sh->panels[i].worst[w]));
        }
    }
    return low;
}

static stoic_status write_script(stoic_figure *figure, const sheet *sh, bool by_bit,
                                 stoic_error *err) {
    stoic_text *script = &figure->script;
    stoic_status status = STOIC_OK;
    const int height = height_of(sh);
    stoic_text_puts(script, "set multiplot\nset border 15 lc rgb '#808080' lw 0.8\nunset key\n"
                            "unset xtics\nset ytics nomirror out scale 0.4\nunset colorbox\n");
    if (by_bit)
        write_bit_colours(figure);
    else
        stoic_fig_rate_colours(figure, (int)floor(log10(lowest_rate(sh))));
    for (int i = 0; i < sh->n_panels; i++) {
        const bool last = i == sh->n_panels - 1;
        TRY(write_panel(figure, sh, &sh->panels[i], by_bit, err));
        place_panel(figure, sh, i);
        if (last && by_bit)
            write_key(figure, sh);
        else if (last)
            stoic_text_printf(script,
                              "set colorbox horizontal user origin screen %.5f,%.5f size screen "
                              "0.5,%.5f\nset cblabel 'critical rate of the worst bit' offset 0,0.8"
                              "\nset cbtics font ',11' offset 0,0.3\n",
                              (double)LEFT / WIDE, 52.0 / height, 12.0 / height);
        stoic_text_printf(script, "plot 'data' index %d using 1:2:3 with image notitle\n", i);
    }
    stoic_text_puts(script, "unset multiplot\n");
done:
    return status;
}

/* ---- in words ---- */

static void write_worst_bits(stoic_text *out, const sheet *sh) {
    for (int k = 0; k < sh->n_named && k < 3; k++)
        stoic_text_printf(out, "%s %d of %.3g %%", k ? ", bit" : "The worst bit is bit",
                          sh->named[k],
                          100.0 * (double)sh->count[sh->named[k]] / (double)sh->weights);
    stoic_text_printf(out, "%s %.3g %% of the weights no bit changes any answer.",
                      sh->n_named ? " of the weights; of" : "Of",
                      100.0 * (double)sh->count[BITS] / (double)sh->weights);
}

static void write_worst_rates(stoic_text *out, const sheet *sh) {
    double sum = 0, most = 0;
    int64_t half = 0;
    for (int i = 0; i < sh->n_panels; i++) {
        for (int64_t w = 0; w < sh->panels[i].weights; w++) {
            const worst *at = &sh->panels[i].worst[w];
            sum += at->images ? rate_of(at) : 0;
            half += at->images && rate_of(at) >= 0.5;
            most = at->images ? fmax(most, rate_of(at)) : most;
        }
    }
    stoic_text_puts(out, "In the mean over weights the worst bit changes ");
    stoic_markup_rate(out, sum / (double)sh->weights);
    stoic_text_puts(out, " of the answers, in the worst weight ");
    stoic_markup_rate(out, most);
    stoic_text_printf(out, "; half or more in %.3g %% of the weights.",
                      100.0 * (double)half / (double)sh->weights);
}

static void write_run(stoic_text *out, const sheet *sh, const stoic_model *model) {
    bool merged = false;
    for (int i = 0; i < sh->n_panels; i++) {
        const panel *p = &sh->panels[i];
        merged = merged || p->wide < p->inner * p->outer || p->high < p->channels;
    }
    stoic_text_puts(out, model ? "Rows are output channels, columns a channel's weights. "
                               : "Weights row by row in the order of the file, as the network was "
                                 "not found. ");
    if (merged)
        stoic_text_puts(out, "Where a layer has more weights than points, a point is the worst of "
                             "its weights. ");
    if (sh->left_out)
        stoic_text_printf(out, "%d layers are left out. ", sh->left_out);
    stoic_fig_describe(out, sh->runs, sh->n_runs);
}

static stoic_status make_figure(const sheet *sh, int part, bool by_bit, const stoic_model *model,
                                stoic_figures *figures, stoic_error *err) {
    stoic_figure *figure;
    stoic_status status;
    TRY(stoic_figures_add(figures, by_bit ? "worst-bit" : "worst-rate", part, WIDE, height_of(sh),
                          &figure, err));
    figure->label_columns = 48;
    stoic_text_puts(&figure->title, by_bit ? "The worst bit of each weight"
                                           : "What the worst bit of each weight does");
    stoic_text_puts(&figure->csv, "layer,row,column,bit,critical_rate\n");
    TRY(write_script(figure, sh, by_bit, err));
    stoic_text_puts(
        &figure->run,
        by_bit ? "The bit of a weight whose flip changes the most answers, with the share of the "
                 "weights of which it is the worst. "
               : "Share of images whose top-1 class changes when the worst bit of a "
                 "weight flips; no colour where no bit changes any. ");
    write_run(&figure->run, sh, model);
    if (by_bit)
        write_worst_bits(&figure->found, sh);
    else
        write_worst_rates(&figure->found, sh);
    status = stoic_figure_finish(figure, err);
done:
    return status;
}

/* The network of the campaigns, from where they found it; NULL where it is not there any more. */
static stoic_model *find_model(const stoic_loaded_run *run) {
    const char *path = stoic_loaded_run_info(run, "model");
    stoic_model *model = NULL;
    uint8_t digest[16];
    char text[STOIC_DIGEST_TEXT];
    if (!*path || stoic_model_read(path, &model, NULL) != STOIC_OK)
        return NULL;
    stoic_model_digest(model, digest);
    stoic_digest_spell(digest, text);
    if (!strcmp(text, stoic_loaded_run_info(run, "model_digest")))
        return model;
    stoic_model_free(model);
    return NULL;
}

stoic_status stoic_fig_worst(const stoic_loaded_runs *all, int part, stoic_figures *figures,
                             stoic_error *err) {
    stoic_model *model = NULL;
    sheet *sh = calloc(1, sizeof *sh);
    stoic_status status = STOIC_OK;
    if (!sh)
        return stoic_fail_memory(err, "a figure", sizeof *sh);
    TRY(stoic_fig_select(all, part, stoic_fig_is_exhaustive, &sh->runs, &sh->n_runs, err));
    if (!sh->n_runs)
        goto done;
    model = find_model(sh->runs[0]);
    TRY(collect(sh, model, err));
    if (!sh->weights || !sh->n_named)
        goto done;
    TRY(make_figure(sh, part, true, model, figures, err));
    TRY(make_figure(sh, part, false, model, figures, err));
done:
    for (int i = 0; i < sh->n_panels; i++)
        free(sh->panels[i].worst);
    free(sh->runs);
    free(sh);
    stoic_model_free(model);
    return status;
}
