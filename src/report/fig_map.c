/* The critical rate of each bit in each layer, as a map, where campaigns run every fault. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "report/fig_kit.h"
#include "report/markup.h"

enum { MAX_LAYERS = 120 };

typedef struct map_cell {
    int layer, bit;
    int64_t trials, critical, images;
} map_cell;

typedef struct map {
    map_cell *cells;
    size_t count;
    int layers[MAX_LAYERS], n_layers; /* rows, top first */
} map;

bool stoic_fig_is_exhaustive(const stoic_loaded_run *run) {
    return !run->mixed && !strcmp(run->head, "exhaustive") && !strcmp(run->tensor, "weight") &&
           run->by_both.count > 0;
}

static int compare_cells(const void *a, const void *b) {
    const map_cell *x = a, *y = b;
    return x->layer != y->layer ? (x->layer > y->layer) - (x->layer < y->layer)
                                : (x->bit > y->bit) - (x->bit < y->bit);
}

/* Layers beyond the last row are left out. */
static void find_rows(map *m) {
    for (size_t i = 0; i < m->count; i++) {
        int layer = m->cells[i].layer;
        bool known = m->n_layers > 0 && m->layers[m->n_layers - 1] == layer;
        if (!known && m->n_layers == MAX_LAYERS)
            m->count = i;
        else if (!known)
            m->layers[m->n_layers++] = layer;
    }
}

static stoic_status collect(const stoic_loaded_run *const *runs, size_t n, map *m,
                            stoic_error *err) {
    size_t room = 1, kept = 0;
    for (size_t i = 0; i < n; i++)
        room += runs[i]->by_both.count;
    m->cells = calloc(room, sizeof *m->cells);
    if (!m->cells)
        return stoic_fail_memory(err, "a figure", room * sizeof *m->cells);
    for (size_t i = 0; i < n; i++) {
        for (size_t g = 0; g < runs[i]->by_both.count; g++) {
            const stoic_group *group = &runs[i]->by_both.items[g];
            if (group->trials > 0 && group->layer >= 0 && group->bit >= 0)
                m->cells[m->count++] = (map_cell){group->layer, group->bit, group->trials,
                                                  group->totals.critical, group->totals.images};
        }
    }
    qsort(m->cells, m->count, sizeof *m->cells, compare_cells);
    for (size_t i = 0; i < m->count; i++) {
        map_cell *last = kept ? &m->cells[kept - 1] : NULL;
        if (!last || compare_cells(last, &m->cells[i]) != 0) {
            m->cells[kept++] = m->cells[i];
            continue;
        }
        last->trials += m->cells[i].trials;
        last->critical += m->cells[i].critical;
        last->images += m->cells[i].images;
    }
    m->count = kept;
    find_rows(m);
    return STOIC_OK;
}

static double rate_of(const map_cell *cell) {
    return cell->images > 0 ? (double)cell->critical / (double)cell->images : (double)NAN;
}

/* The power of ten below the smallest rate that is not 0. */
static int lowest_decade(const map *m) {
    double low = 0.1;
    for (size_t i = 0; i < m->count; i++) {
        double rate = rate_of(&m->cells[i]);
        low = rate > 0 ? fmin(low, rate) : low;
    }
    return (int)floor(log10(low));
}

void stoic_fig_rate_colours(stoic_figure *figure, int decade) {
    stoic_text_printf(&figure->script,
                      "set palette defined (0 '#d0e1f2', 0.4 '#6aaed6', 0.7 '#2070b4', 0.85 "
                      "'#d7301f', 1 '#7f0000')\nset logscale cb\nset cbrange [1e%d:1]\n"
                      "set cbtics (",
                      decade);
    for (int d = decade; d <= 0; d++) {
        const int places = d < 0 ? -d : 0;
        if (places > 4)
            stoic_text_printf(&figure->script, "'1e-%d' 1e-%d,", places, places);
        else
            stoic_text_printf(&figure->script, "'%.*f' 1e-%d%s", places, pow(10.0, d), places,
                              d < 0 ? "," : "");
    }
    stoic_text_puts(&figure->script, ")\n");
}

/* Every row has a square for every bit of the word: gnuplot wants the grid whole. */
static void write_data(stoic_figure *figure, const map *m, const stoic_loaded_run *run, int bits) {
    char buffer[32];
    size_t next = 0;
    stoic_text_puts(&figure->csv, "layer,name,bit,trials,critical_rate\n");
    for (int row = 0; row < m->n_layers; row++) {
        for (int bit = 0; bit < bits; bit++) {
            double rate = (double)NAN;
            const map_cell *cell = next < m->count ? &m->cells[next] : NULL;
            if (cell && cell->layer == m->layers[row] && cell->bit == bit) {
                rate = rate_of(cell);
                next++;
                stoic_text_printf(&figure->csv, "%d,", cell->layer);
                stoic_markup_csv(&figure->csv, stoic_loaded_run_layer(run, cell->layer, buffer));
                stoic_text_printf(&figure->csv, ",%d,%lld,%.17g\n", bit, (long long)cell->trials,
                                  rate);
            }
            stoic_text_printf(&figure->data, "%d %d", bit, row);
            stoic_figure_number(&figure->data, rate > 0 ? rate : (double)NAN);
            stoic_text_puts(&figure->data, "\n");
        }
    }
    stoic_text_puts(&figure->data, "\n\n");
    for (size_t i = 0, row = 0; i < m->count; i++) {
        row += i && m->cells[i].layer != m->cells[i - 1].layer;
        if (!m->cells[i].critical)
            stoic_text_printf(&figure->data, "%d %zu\n", m->cells[i].bit, row);
    }
    stoic_text_puts(&figure->data, "NaN NaN\n\n\n");
}

static void write_script(stoic_figure *figure, const map *m, const stoic_loaded_run *run,
                         const stoic_fig_word *word) {
    stoic_text *script = &figure->script;
    char buffer[32];
    stoic_fig_frame(figure);
    stoic_fig_bit_axis(figure, word);
    stoic_text_printf(script, "unset grid\nunset ylabel\nset yrange [%g:-0.5]\nset ytics (",
                      m->n_layers - 0.5);
    for (int row = 0; row < m->n_layers; row++) {
        stoic_text_puts(script, row ? "," : "");
        stoic_figure_label(figure, stoic_loaded_run_layer(run, m->layers[row], buffer));
        stoic_text_printf(script, " %d", row);
    }
    stoic_text_printf(script, ") font ',%d'\nset lmargin 14\nset rmargin 12\n",
                      m->n_layers > 40 ? 9 : 12);
    stoic_fig_rate_colours(figure, lowest_decade(m));
    stoic_text_puts(script,
                    "set cblabel 'critical rate' offset 1\n"
                    "plot 'data' index 0 using 1:2:3 with image pixels notitle, \\\n"
                    "'' index 1 using 1:2 with points pt 7 ps 0.2 lc rgb '#808080' notitle\n");
}

static const map_cell *worst_of(const map *m, int not_this) {
    const map_cell *worst = NULL;
    for (size_t i = 0; i < m->count; i++) {
        if (m->cells[i].bit != not_this && (!worst || rate_of(&m->cells[i]) > rate_of(worst)))
            worst = &m->cells[i];
    }
    return worst;
}

static void write_found(stoic_text *out, const map *m, const stoic_loaded_run *run) {
    char buffer[32];
    const map_cell *first = worst_of(m, -1), *next = worst_of(m, first->bit);
    size_t harmless = 0;
    for (size_t i = 0; i < m->count; i++)
        harmless += m->cells[i].critical == 0;
    stoic_text_printf(out, "Bit %d of ", first->bit);
    stoic_markup_add(out, stoic_loaded_run_layer(run, first->layer, buffer), 40);
    stoic_text_puts(out, " changes ");
    stoic_markup_rate(out, rate_of(first));
    stoic_text_puts(out, " of the answers");
    if (next) {
        stoic_text_printf(out, "; of the other bits, the worst is %d of ", next->bit);
        stoic_markup_add(out, stoic_loaded_run_layer(run, next->layer, buffer), 40);
        stoic_text_puts(out, ", ");
        stoic_markup_rate(out, rate_of(next));
    }
    stoic_text_printf(out, ". %zu of %zu pairs of layer and bit change no answer.", harmless,
                      m->count);
}

stoic_status stoic_fig_map(const stoic_loaded_runs *all, int part, stoic_figures *figures,
                           stoic_error *err) {
    const stoic_loaded_run **runs;
    map m = {0};
    stoic_figure *figure;
    size_t n;
    stoic_status status = stoic_fig_select(all, part, stoic_fig_is_exhaustive, &runs, &n, err);
    if (status != STOIC_OK || n == 0)
        goto done;
    TRY(collect(runs, n, &m, err));
    if (m.count < 2)
        goto done;
    stoic_fig_word word = stoic_fig_word_of(runs[0]);
    for (size_t i = 0; i < m.count; i++) /* redundancy counts on above the data */
        word.bits = m.cells[i].bit >= word.bits ? m.cells[i].bit + 1 : word.bits;
    TRY(stoic_figures_add(figures, "map", part, 980, 150 + (m.n_layers > 40 ? 12 : 24) * m.n_layers,
                          &figure, err));
    stoic_text_puts(&figure->title, "Critical rate by layer and bit");
    write_data(figure, &m, runs[0], word.bits);
    write_script(figure, &m, runs[0], &word);
    stoic_text_puts(&figure->run, "Share of images whose top-1 class changes, over every weight of "
                                  "a layer; a dot where no image changes. ");
    stoic_fig_describe(&figure->run, runs, n);
    write_found(&figure->found, &m, runs[0]);
    status = stoic_figure_finish(figure, err);
done:
    free(m.cells);
    free(runs);
    return status;
}
