#include "report/fig_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "report/markup.h"

void stoic_fig_frame(stoic_figure *figure) {
    stoic_text_puts(&figure->script,
                    "set border 3 lc rgb 'black' lw 1\n"
                    "set tics nomirror out scale 0.6\n"
                    "set grid ytics lc rgb '#b0808080' lw 0.8 dt solid\n"
                    "set yrange [0:1]\n"
                    "set ytics 0.1 format '%.1f'\n"
                    "set ylabel 'accuracy (top-1, share of images)'\n"
                    "set xtics offset 0,0.3\nset xlabel offset 0,0.4\nset key reverse Left samplen "
                    "2\nunset key\n"
                    "set lmargin 8\nset rmargin 9\nset tmargin 2\nset bmargin 4\n");
}

void stoic_fig_golden(stoic_figure *figure, double accuracy) {
    stoic_text_puts(&figure->script, "set arrow 90 from graph 0, first ");
    stoic_figure_number(&figure->script, accuracy);
    stoic_text_puts(&figure->script, " to graph 1, first ");
    stoic_figure_number(&figure->script, accuracy);
    stoic_text_puts(&figure->script, " nohead dt (3,3) lw 1.2 lc rgb 'black' back\n"
                                     "set label 90 'no fault' at graph 1, first ");
    stoic_figure_number(&figure->script, accuracy);
    stoic_text_puts(&figure->script, " left offset char 0.5,0.45 font ',11'\nset label 91 '");
    stoic_text_printf(&figure->script, "%.4f", accuracy);
    stoic_text_puts(&figure->script, "' at graph 1, first ");
    stoic_figure_number(&figure->script, accuracy);
    stoic_text_puts(&figure->script, " left offset char 0.5,-0.45 font ',11'\n");
}

stoic_fig_word stoic_fig_word_of(const stoic_loaded_run *run) {
    static const struct {
        const char *store;
        int bits, exponent, mantissa; /* highest bits of the fields */
    } formats[] = {
        {"fp32", 32, 30, 22}, {"fp16", 16, 14, 9}, {"bf16", 16, 14, 6}, {"fp64", 64, 62, 51}};
    const char *store = stoic_loaded_run_info(run, "store");
    size_t length = strcspn(store, ",");
    bool code = strstr(store, ",code=") && !strstr(store, ",code=none");
    for (size_t i = 0; i < 4 && !code; i++) {
        if (strlen(formats[i].store) != length || strncmp(store, formats[i].store, length) != 0)
            continue;
        return (stoic_fig_word){formats[i].bits,
                                3,
                                {{"sign", formats[i].bits - 1, formats[i].bits - 1},
                                 {"exponent", formats[i].exponent, formats[i].mantissa + 1},
                                 {"mantissa", formats[i].mantissa, 0}}};
    }
    int bits = 8;
    for (size_t i = 0; i < run->by_bit.count; i++)
        bits = run->by_bit.items[i].bit >= bits && run->by_bit.items[i].bit < 64
                   ? run->by_bit.items[i].bit + 1
                   : bits;
    return (stoic_fig_word){bits, 0, {{NULL, 0, 0}}};
}

void stoic_fig_bit_axis(stoic_figure *figure, const stoic_fig_word *word) {
    stoic_text *script = &figure->script;
    stoic_text_printf(script, "set xrange [%d.6:-0.6]\nset xtics 0,%d font ',11'\n", word->bits - 1,
                      word->bits > 32 ? 4 : 1);
    stoic_text_printf(script, "set xlabel 'bit of the stored word (%d: most significant)'\n",
                      word->bits - 1);
    for (int i = 0; i < word->n; i++) {
        const stoic_fig_field *field = &word->fields[i];
        if (i % 2 == 1)
            stoic_text_printf(script,
                              "set object %d rectangle from %g, graph 0 to %g, graph 1 behind "
                              "fc rgb '#808080' fs transparent solid 0.16 noborder\n",
                              i + 1, field->top + 0.5, field->bottom - 0.5);
        stoic_text_printf(script,
                          "set label %d '%s' at %g, graph 1 center offset char 0,0.7 font ',11'\n",
                          i + 1, field->name, (field->top + field->bottom) / 2.0);
    }
}

const char *stoic_fig_head(const stoic_loaded_run *run, char buffer[64]) {
    const char *n = run->head + 6;
    bool flips = !strncmp(run->head, "flips:", 6) && *n && strspn(n, "0123456789") == strlen(n);
    if (!flips)
        return run->head;
    snprintf(buffer, 64, "%.40s flip%s", n, strcmp(n, "1") ? "s" : "");
    return buffer;
}

int stoic_fig_field_rank(const char *bits) {
    static const char *const order[] = {"sign", "mantissa", "exponent", "exponent-msb", "all"};
    for (int i = 0; i < 5; i++) {
        if (!strcmp(bits, order[i]))
            return i;
    }
    return 5;
}

double stoic_fig_argument(const char *head) {
    const char *colon = strchr(head, ':'), *equals = strrchr(head, '=');
    return colon ? strtod(colon + 1, NULL) : equals ? strtod(equals + 1, NULL) : 0.0;
}

static bool all_same(const stoic_loaded_run *const *runs, size_t n, const char *key) {
    for (size_t i = 1; i < n; i++) {
        if (strcmp(stoic_loaded_run_info(runs[0], key), stoic_loaded_run_info(runs[i], key)) != 0)
            return false;
    }
    return true;
}

static void add_trials(stoic_text *out, const stoic_loaded_run *const *runs, size_t n) {
    int64_t least = INT64_MAX, most = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t trials = runs[i]->summary.trials;
        least = trials < least ? trials : least;
        most = trials > most ? trials : most;
    }
    stoic_markup_integer(out, least);
    if (most != least) {
        stoic_text_puts(out, " to ");
        stoic_markup_integer(out, most);
    }
    stoic_text_puts(out, n > 1 ? " trials each, " : " trials, ");
    stoic_markup_integer(out, runs[0]->summary.images);
    stoic_text_puts(out, runs[0]->summary.images == 1 ? " image a trial" : " images a trial");
}

static void add_option(stoic_text *out, const char *name, const char *value) {
    stoic_text_printf(out, " --%s ", name);
    stoic_markup_add(out, value, 24);
}

/* How many trials: a number, or the margin that the campaign stops at. */
static void add_extent(stoic_text *out, const stoic_loaded_run *run) {
    const char *margin = stoic_loaded_run_info(run, "margin");
    const char *of = stoic_loaded_run_info(run, "margin_of");
    const char *confidence = stoic_loaded_run_info(run, "confidence");
    const char *sampling = stoic_loaded_run_info(run, "sampling");
    if (*sampling)
        add_option(out, "sampling", sampling);
    if (*margin)
        add_option(out, "margin", margin);
    else
        stoic_text_printf(out, " --trials %lld", (long long)run->summary.planned);
    if (*margin && *of && strcmp(of, "critical") != 0)
        add_option(out, "margin-of", of);
    if (*confidence && strcmp(confidence, "0.95") != 0)
        add_option(out, "confidence", confidence);
}

/* The fault models, and how many images a trial sees where that is not what they want. */
static void add_faults(stoic_text *out, const stoic_loaded_run *run) {
    const char *images = stoic_loaded_run_info(run, "images_per_trial"), *fault;
    bool open = true;
    char key[32] = "fault";
    for (int i = 2; *(fault = stoic_loaded_run_info(run, key)); i++) {
        stoic_text_puts(out, " --fault ");
        stoic_markup_add(out, fault, 120);
        open = open && strncmp(fault, "op:", 3) != 0;
        snprintf(key, sizeof key, "fault_%d", i);
    }
    if (*images && strcmp(images, open ? "all" : "1") != 0)
        add_option(out, "images-per-trial", images);
}

void stoic_fig_describe(stoic_text *out, const stoic_loaded_run *const *runs, size_t n) {
    if (n == 0)
        return;
    stoic_text_printf(out, "%zu campaign%s of ", n, n > 1 ? "s" : "");
    add_trials(out, runs, n);
    if (all_same(runs, n, "seed")) {
        stoic_text_puts(out, ", seed ");
        stoic_markup_add(out, stoic_loaded_run_info(runs[0], "seed"), 20);
    }
    stoic_text_puts(out, ", store ");
    stoic_markup_add(out, stoic_loaded_run_info(runs[0], "store"), 60);
    stoic_text_puts(out, n > 1 ? ". The first: <code>stoic inject " : ". <code>stoic inject ");
    const char *model = stoic_loaded_run_info(runs[0], "model");
    const char *data = stoic_loaded_run_info(runs[0], "data");
    stoic_markup_add(out, *model ? model : "MODEL.onnx", 80);
    stoic_text_puts(out, " --data ");
    stoic_markup_add(out, *data ? data : "DATA", 80);
    const char *store = stoic_loaded_run_info(runs[0], "store");
    if (strcmp(store, "fp32") != 0) {
        stoic_text_puts(out, " --store ");
        stoic_markup_add(out, store, 200);
    }
    add_faults(out, runs[0]);
    add_extent(out, runs[0]);
    stoic_text_puts(out, " --seed ");
    stoic_markup_add(out, stoic_loaded_run_info(runs[0], "seed"), 20);
    stoic_text_puts(out, "</code>");
}

stoic_status stoic_fig_select(const stoic_loaded_runs *runs, int part, stoic_fig_filter wanted,
                              const stoic_loaded_run ***out, size_t *n, stoic_error *err) {
    *n = 0;
    *out = calloc(runs->count + 1, sizeof **out);
    if (!*out)
        return stoic_fail_memory(err, "a list of campaigns", runs->count * sizeof **out);
    for (size_t i = 0; i < runs->count; i++) {
        const stoic_loaded_run *run = &runs->items[i];
        if (run->part == part && run->summary.trials > 0 && wanted(run))
            (*out)[(*n)++] = run;
    }
    return STOIC_OK;
}

size_t stoic_fig_gather(const stoic_loaded_run **runs, size_t n,
                        bool (*same)(const stoic_loaded_run *, const stoic_loaded_run *)) {
    size_t count = 1;
    for (size_t i = 1; i < n; i++) {
        if (!same(runs[0], runs[i]))
            continue;
        const stoic_loaded_run *run = runs[i];
        memmove(runs + count + 1, runs + count, (i - count) * sizeof *runs);
        runs[count++] = run;
    }
    return count;
}
