#include "report/figure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/file.h"
#include "report/markup.h"

const char *const stoic_figure_colour[STOIC_FIGURE_COLOURS] = {"#0072b2", "#d55e00", "#009e73",
                                                               "#cc79a7", "#e69f00", "#56b4e9"};
const int stoic_figure_point[STOIC_FIGURE_COLOURS] = {7, 9, 5, 13, 11, 15};

static bool key_taken(const stoic_figures *figures, size_t n, const char *key) {
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(figures->items[i].key, key))
            return true;
    }
    return false;
}

stoic_status stoic_figures_add(stoic_figures *figures, const char *key, int part, int width,
                               int height, stoic_figure **out, stoic_error *err) {
    if (figures->count == figures->capacity) {
        size_t capacity = figures->capacity ? 2 * figures->capacity : 16;
        stoic_figure *items = realloc(figures->items, capacity * sizeof *items);
        if (!items)
            return stoic_fail_memory(err, "figures", capacity * sizeof *items);
        figures->items = items;
        figures->capacity = capacity;
    }
    stoic_figure *figure = &figures->items[figures->count];
    memset(figure, 0, sizeof *figure);
    snprintf(figure->note, sizeof figure->note, "%s", key);
    snprintf(figure->key, sizeof figure->key, part > 0 ? "%s-%d" : "%s", key, part + 1);
    figure->part = part;
    for (int i = 2; key_taken(figures, figures->count, figure->key); i++)
        snprintf(figure->key, sizeof figure->key, "%.20s-%d%c", key, part + 1, 'a' + i % 26);
    figure->width = width;
    figure->height = height;
    figure->label_columns = STOIC_FIGURE_LABEL;
    figures->count++;
    *out = figure;
    return STOIC_OK;
}

void stoic_figures_deinit(stoic_figures *figures) {
    for (size_t i = 0; i < figures->count; i++) {
        stoic_figure *figure = &figures->items[i];
        stoic_text *const texts[] = {&figure->title, &figure->run, &figure->found, &figure->script,
                                     &figure->data,  &figure->csv, &figure->svg};
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
            stoic_text_deinit(texts[t]);
        for (size_t l = 0; l < figure->n_labels; l++)
            free(figure->labels[l]);
        free(figure->labels);
    }
    free(figures->items);
    *figures = (stoic_figures){0};
}

void stoic_figure_label(stoic_figure *figure, const char *string) {
    char **labels = realloc(figure->labels, (figure->n_labels + 1) * sizeof *labels);
    char *copy = strdup(string);
    if (labels)
        figure->labels = labels;
    if (!labels || !copy || figure->n_labels > 0xfff) {
        free(copy);
        figure->script.failed = true;
        return;
    }
    figure->labels[figure->n_labels] = copy;
    stoic_text_printf(&figure->script, "'@%03x", (unsigned)figure->n_labels++);
    for (int i = stoic_markup_columns(string, figure->label_columns); i > 5; i--)
        stoic_text_puts(&figure->script, "_");
    stoic_text_puts(&figure->script, "@'");
}

int stoic_figure_block(stoic_figure *figure) {
    /* gnuplot does not count an empty block */
    stoic_text_puts(&figure->data, "NaN NaN NaN NaN\n\n\n");
    return figure->blocks++;
}

void stoic_figure_number(stoic_text *out, double value) {
    if (isfinite(value))
        stoic_text_printf(out, " %.9g", value);
    else
        stoic_text_puts(out, " NaN");
}

stoic_status stoic_figure_finish(stoic_figure *figure, stoic_error *err) {
    stoic_text *const texts[] = {&figure->title,  &figure->run,  &figure->found,
                                 &figure->script, &figure->data, &figure->csv};
    stoic_status status = STOIC_OK;
    for (size_t t = 0; t < sizeof texts / sizeof *texts && status == STOIC_OK; t++)
        status = stoic_text_finish(texts[t], err);
    return status;
}

/* On a ground of its own: a browser shows a bare picture on white, whatever the reader prefers. */
static void stand_alone(const stoic_figure *figure, stoic_text *out) {
    const char *body = strchr(figure->svg.data, '>') + 1;
    stoic_text_puts(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    stoic_text_add(out, figure->svg.data, (size_t)(body - figure->svg.data));
    stoic_text_printf(out,
                      "\n<style>svg.stoic{background:#fff}\n%s@media (prefers-color-scheme:dark){"
                      "svg.stoic{background:#15181c}}</style>",
                      stoic_figure_style);
    stoic_text_puts(out, body);
}

stoic_status stoic_figure_save(const stoic_figure *figure, const char *path, stoic_error *err) {
    stoic_text svg = {0};
    if (figure->svg.length == 0)
        return STOIC_OK;
    stand_alone(figure, &svg);
    stoic_status status = stoic_text_finish(&svg, err);
    if (status == STOIC_OK)
        status = stoic_file_write(path, svg.data, svg.length, err);
    stoic_text_deinit(&svg);
    return status;
}

static stoic_status write_both(const stoic_figure *figure, const char *folder, stoic_error *err) {
    char *csv = NULL, *svg = NULL;
    stoic_status status = STOIC_OK;
    if (asprintf(&csv, "%s/%s.csv", folder, figure->key) < 0)
        csv = NULL;
    if (asprintf(&svg, "%s/%s.svg", folder, figure->key) < 0)
        svg = NULL;
    if (!csv || !svg) {
        status = stoic_fail_memory(err, "a path", 1);
        goto done;
    }
    TRY(stoic_file_write(csv, figure->csv.data, figure->csv.length, err));
    status = stoic_figure_save(figure, svg, err);
done:
    free(csv);
    free(svg);
    return status;
}

stoic_status stoic_figures_write(const stoic_figures *figures, const char *folder,
                                 stoic_error *err) {
    stoic_status status = STOIC_OK;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return stoic_fail_errno(err, folder, "cannot make the folder for figures");
    for (size_t i = 0; i < figures->count && status == STOIC_OK; i++)
        status = write_both(&figures->items[i], folder, err);
    return status;
}
