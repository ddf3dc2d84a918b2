/* Histograms of a model's weights and of the exponents they are stored with. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"

enum { BINS = 120, EXPONENTS = 256, TOP_EXPONENT = 128 };

typedef struct weight_facts {
    int layers;
    int64_t weights, finite, tenth; /* tenth: |w| <= 0.1 */
    double low, high;
    int64_t bins[BINS];
    int64_t exponents[EXPONENTS];
} weight_facts;

static void each_weight(const stoic_model *model, weight_facts *facts,
                        void (*visit)(weight_facts *facts, float value)) {
    for (int l = 0; l < facts->layers; l++) {
        const stoic_tensor *weights = stoic_model_layer(model, l).weights;
        for (int64_t i = 0; i < stoic_tensor_count(weights); i++)
            visit(facts, (float)stoic_tensor_get(weights, i));
    }
}

static void add_range(weight_facts *facts, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    facts->weights++;
    facts->exponents[bits >> 23 & 0xff]++;
    if (!isfinite(value))
        return;
    facts->finite++;
    facts->tenth += fabsf(value) <= 0.1f;
    facts->low = fmin(facts->low, (double)value);
    facts->high = fmax(facts->high, (double)value);
}

static double largest(const weight_facts *facts) {
    double range = fmax(fabs(facts->low), fabs(facts->high));
    return range > 0.0 && isfinite(range) ? range : 1.0;
}

static void add_bin(weight_facts *facts, float value) {
    if (!isfinite(value))
        return;
    int bin = (int)(((double)value / largest(facts) + 1.0) / 2.0 * BINS);
    facts->bins[bin < BINS ? bin : BINS - 1]++;
}

static void write_counts(stoic_text *out, const weight_facts *facts) {
    stoic_text_puts(out, "All ");
    stoic_markup_integer(out, facts->weights);
    stoic_text_printf(out, " weights of the %d layers, as stored in the model's file.",
                      facts->layers);
}

static stoic_status make_weights(const weight_facts *facts, stoic_figures *figures,
                                 stoic_error *err) {
    stoic_figure *figure;
    stoic_status status;
    double width = 2.0 * largest(facts) / BINS;
    TRY(stoic_figures_add(figures, "weights", STOIC_FIGURE_OF_MODEL, 980, 380, &figure, err));
    stoic_text_puts(&figure->title, "Histogram of the weights");
    stoic_text_puts(&figure->csv, "low,high,weights\n");
    for (int b = 0; b < BINS; b++) {
        double low = -largest(facts) + b * width;
        stoic_text_printf(&figure->csv, "%.17g,%.17g,%lld\n", low, low + width,
                          (long long)facts->bins[b]);
        stoic_figure_number(&figure->data, low + width / 2.0);
        stoic_figure_number(&figure->data, 100.0 * (double)facts->bins[b] / (double)facts->weights);
        stoic_text_puts(&figure->data, "\n");
    }
    stoic_fig_frame(figure);
    stoic_text_printf(&figure->script,
                      "set yrange [0:*]\nset ytics autofreq format '%%g'\nset rmargin 3\n"
                      "set ylabel 'share of the weights (%%)'\nset xlabel 'value of the weight'\n"
                      "set xrange [%.9g:%.9g]\nset boxwidth %.9g\nset tmargin 1\n"
                      "set style fill solid 0.85 noborder\n"
                      "plot 'data' index 0 using 1:2 with boxes lc rgb '%s'\n",
                      -largest(facts), largest(facts), 0.9 * width, stoic_figure_colour[0]);
    write_counts(&figure->run, facts);
    stoic_text_printf(&figure->run, " %d bins of %.4g.", BINS, width);
    stoic_text_printf(&figure->found,
                      "The weights lie between %.4f and %.4f; %.1f %% of them between -0.1 and "
                      "0.1.",
                      facts->low, facts->high,
                      100.0 * (double)facts->tenth / (double)facts->weights);
    status = stoic_figure_finish(figure, err);
done:
    return status;
}

static const char *binary(int value, char text[9]) {
    for (int i = 0; i < 8; i++)
        text[i] = value >> (7 - i) & 1 ? '1' : '0';
    text[8] = '\0';
    return text;
}

static void write_exponent_axis(stoic_figure *figure, int first, int last) {
    char text[9];
    int step = (last - first) / 40 + 1;
    stoic_text_printf(&figure->script, "set xrange [%g:%g]\nset xtics (", first - 0.7, last + 0.7);
    for (int e = last; e >= first; e -= step)
        stoic_text_printf(&figure->script, "%s'%s (%d)' %d", e == last ? "" : ",", binary(e, text),
                          e - 127, e);
    stoic_text_puts(&figure->script, ") rotate by 90 right font 'monospace,11'\nset bmargin 9\n");
}

static void write_exponents_found(stoic_text *out, const weight_facts *facts) {
    char text[9];
    int mode = 0;
    int64_t top = 0, prefixes[8] = {0}, most = 0;
    for (int e = 0; e < EXPONENTS; e++) {
        mode = facts->exponents[e] > facts->exponents[mode] ? e : mode;
        top += e >= TOP_EXPONENT ? facts->exponents[e] : 0;
        prefixes[e >> 5] += facts->exponents[e];
    }
    for (int p = 0; p < 8; p++)
        most = prefixes[p] > most ? prefixes[p] : most;
    stoic_text_printf(
        out,
        "Most frequent is %s, an exponent of %d, with %.1f %% of the weights; %.1f %% "
        "share their top three exponent bits. ",
        binary(mode, text), mode - 127,
        100.0 * (double)facts->exponents[mode] / (double)facts->weights,
        100.0 * (double)most / (double)facts->weights);
    if (top == 0)
        stoic_text_puts(out, "The top bit is 0 in every weight, so that flipping it multiplies a "
                             "normal weight by 2<sup>128</sup>.");
    else
        stoic_text_printf(out, "The top bit is 1 in %lld weights.", (long long)top);
}

static stoic_status make_exponents(const weight_facts *facts, stoic_figures *figures,
                                   stoic_error *err) {
    stoic_figure *figure;
    stoic_status status;
    int first = EXPONENTS - 1, last = 0;
    for (int e = 0; e < EXPONENTS; e++) {
        if (facts->exponents[e] == 0)
            continue;
        first = e < first ? e : first;
        last = e;
    }
    TRY(stoic_figures_add(figures, "exponents", STOIC_FIGURE_OF_MODEL, 980, 430, &figure, err));
    stoic_text_puts(&figure->title, "Histogram of the weights' exponents");
    stoic_text_puts(&figure->csv, "field,exponent,weights\n");
    for (int e = first; e <= last; e++) {
        stoic_text_printf(&figure->csv, "%d,%d,%lld\n", e, e - 127, (long long)facts->exponents[e]);
        stoic_text_printf(&figure->data, "%d", e);
        stoic_figure_number(&figure->data,
                            100.0 * (double)facts->exponents[e] / (double)facts->weights);
        stoic_text_puts(&figure->data, "\n");
    }
    stoic_fig_frame(figure);
    stoic_text_puts(&figure->script,
                    "set yrange [0:*]\nset ytics autofreq format '%g'\nset rmargin 3\n"
                    "set tmargin 1\nset ylabel 'share of the weights (%)'\n"
                    "set xlabel 'exponent field as stored (and the exponent it stands for)' "
                    "offset 0,0.8\nset boxwidth 0.8\nset style fill solid 0.85 noborder\n");
    write_exponent_axis(figure, first, last);
    stoic_text_printf(&figure->script, "plot 'data' index 0 using 1:2 with boxes lc rgb '%s'\n",
                      stoic_figure_colour[2]);
    write_counts(&figure->run, facts);
    stoic_text_puts(&figure->run, " The exponent is that of the float32 value.");
    write_exponents_found(&figure->found, facts);
    status = stoic_figure_finish(figure, err);
done:
    return status;
}

stoic_status stoic_fig_weights(const stoic_model *model, stoic_figures *figures, stoic_error *err) {
    stoic_status status = STOIC_OK;
    weight_facts *facts = calloc(1, sizeof *facts);
    if (!facts)
        return stoic_fail_memory(err, "a histogram", sizeof *facts);
    facts->layers = stoic_model_layer_count(model);
    facts->low = INFINITY;
    facts->high = -INFINITY;
    each_weight(model, facts, add_range);
    if (facts->finite == 0)
        goto done;
    each_weight(model, facts, add_bin);
    TRY(make_weights(facts, figures, err));
    status = make_exponents(facts, figures, err);
done:
    free(facts);
    return status;
}
