/* The page's tables: what was run, accuracy by layer, every campaign. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/fig_kit.h"
#include "report/markup.h"
#include "report/page.h"

enum { MAX_COLUMNS = 10, MAX_LAYERS = 200 };

static const stoic_loaded_run *first_of(const stoic_loaded_runs *runs, int part) {
    const stoic_loaded_run *run = runs->items;
    while (run->part != part)
        run++;
    return run;
}

/* The different values of a fact among the campaigns of a part, joined. */
static void write_values(const stoic_loaded_runs *runs, int part, const char *key,
                         stoic_text *out) {
    int shown = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const stoic_loaded_run *run = &runs->items[i];
        const char *value = stoic_loaded_run_info(run, key);
        bool known = run->part != part || !*value;
        for (size_t j = 0; j < i && !known; j++)
            known = runs->items[j].part == part &&
                    !strcmp(stoic_loaded_run_info(&runs->items[j], key), value);
        if (known || shown == 5)
            continue;
        stoic_text_puts(out, shown++ ? ", " : "");
        stoic_markup_add(out, value, 120);
    }
    if (shown == 5)
        stoic_text_puts(out, " …");
    if (shown == 0)
        stoic_text_puts(out, "–");
}

static void write_fact(const stoic_loaded_runs *runs, int part, const char *heading,
                       const char *key, stoic_text *out) {
    stoic_text_printf(out, "<div><dt>%s</dt><dd>", heading);
    write_values(runs, part, key, out);
    stoic_text_puts(out, "</dd></div>\n");
}

/* The level of the intervals shown: looks at a margin make it higher than the one asked for. */
static void write_levels(const stoic_loaded_runs *runs, int part, stoic_text *out) {
    int shown = 0;
    stoic_text_puts(out, "<div><dt>Confidence of the intervals</dt><dd>");
    for (size_t i = 0; i < runs->count && shown < 5; i++) {
        double level = runs->items[i].summary.confidence;
        bool known = runs->items[i].part != part;
        for (size_t j = 0; j < i && !known; j++)
            known = runs->items[j].part == part && runs->items[j].summary.confidence == level;
        if (!known)
            stoic_text_printf(out, "%s%g %%", shown++ ? ", " : "", 100.0 * level);
    }
    stoic_text_puts(out, "</dd></div>\n");
}

void stoic_page_facts(const stoic_loaded_runs *runs, int part, stoic_text *out) {
    static const char *const facts[][2] = {{"Model", "model"},
                                           {"Digest of the model", "model_digest"},
                                           {"Parameters", "parameters"},
                                           {"Multiply-adds an image", "macs"},
                                           {"Data", "data"},
                                           {"Images", "images"},
                                           {"Store", "store"},
                                           {"Stored bits", "stored_bits"},
                                           {"Seed", "seed"},
                                           {"Outcomes counted", "outcomes"},
                                           {"An output with NaN", "nan"},
                                           {"Stoic", "version"},
                                           {"Instruction set", "isa"},
                                           {"oneDNN", "onednn"},
                                           {"Created", "created"}};
    stoic_text_puts(out, "<h2>What was run");
    if (runs->parts > 1) {
        stoic_text_puts(out, ": ");
        stoic_markup_add(out, stoic_loaded_run_model(first_of(runs, part)), 80);
    }
    stoic_text_puts(out, "</h2>\n<dl>\n");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        write_fact(runs, part, facts[i][0], facts[i][1], out);
    write_levels(runs, part, out);
    stoic_text_puts(out, "<div><dt>Accuracy without faults</dt><dd>");
    stoic_markup_rate(out, first_of(runs, part)->summary.golden_accuracy);
    stoic_text_puts(out, "</dd></div>\n</dl>\n");
}

/* ---- accuracy by layer: a column for each fault model ---- */

typedef struct column {
    const stoic_loaded_run *run; /* one that names it */
    int64_t trials;
} column;

static bool same_column(const stoic_loaded_run *a, const stoic_loaded_run *b) {
    return !strcmp(a->head, b->head) && !strcmp(a->bits, b->bits) && !strcmp(a->tensor, b->tensor);
}

static bool has_layers(const stoic_loaded_run *run, int part) {
    return run->part == part && !run->mixed && run->by_layer.count > 0;
}

static int find_columns(const stoic_loaded_runs *runs, int part, column *columns) {
    int n = 0;
    for (size_t i = 0; i < runs->count; i++) {
        bool known = !has_layers(&runs->items[i], part);
        for (int c = 0; c < n && !known; c++)
            known = same_column(columns[c].run, &runs->items[i]);
        if (!known && n < MAX_COLUMNS)
            columns[n++] = (column){&runs->items[i], 0};
    }
    return n;
}

/* The group of fewest trials for a column and a layer: the figures show the same one. */
static const stoic_group *find_group(const stoic_loaded_runs *runs, int part,
                                     const stoic_loaded_run *like, int layer) {
    const stoic_group *found = NULL;
    for (size_t i = 0; i < runs->count; i++) {
        const stoic_loaded_run *run = &runs->items[i];
        if (!has_layers(run, part) || !same_column(run, like))
            continue;
        for (size_t g = 0; g < run->by_layer.count; g++) {
            const stoic_group *group = &run->by_layer.items[g];
            if (group->layer == layer && (!found || group->trials < found->trials))
                found = group;
        }
    }
    return found;
}

static void write_group(const stoic_group *group, stoic_text *out) {
    stoic_text_puts(out, "<td>");
    if (group) {
        stoic_markup_rate(out, group->accuracy.value);
        stoic_text_puts(out, "<br/><span class=\"s\">min ");
        stoic_markup_rate(out, group->accuracy_min);
        stoic_text_puts(out, "</span>");
    }
    stoic_text_puts(out, "</td>");
}

void stoic_page_layers(const stoic_loaded_runs *runs, int part, stoic_text *out) {
    column columns[MAX_COLUMNS];
    int n = find_columns(runs, part, columns);
    const stoic_loaded_run *first = first_of(runs, part);
    int layers = stoic_records_layer_count(first->records);
    char buffer[64];
    if (n == 0)
        return;
    stoic_text_puts(out, "<h2>Accuracy by layer</h2>\n<p>Mean over the trials of each campaign "
                         "that hit the layer, below it the lowest trial."
                         "</p>\n<div class=\"wide\"><table>\n<tr><th class=\"t\">Layer</th>"
                         "<th>Weights</th>");
    for (int c = 0; c < n; c++) {
        stoic_text_puts(out, "<th>");
        stoic_markup_add(out, stoic_fig_head(columns[c].run, buffer), 30);
        if (strcmp(columns[c].run->bits, "all") != 0 && columns[c].run->random) {
            stoic_text_puts(out, "<br/>");
            stoic_markup_add(out, columns[c].run->bits, 30);
        }
        stoic_text_puts(out, "</th>");
    }
    stoic_text_puts(out, "</tr>\n");
    for (int l = 0; l < layers && l < MAX_LAYERS; l++) {
        stoic_text_puts(out, "<tr><td class=\"t\">");
        stoic_markup_add(out, stoic_loaded_run_layer(first, l, buffer), 60);
        stoic_text_puts(out, "</td><td>");
        stoic_markup_integer(out, stoic_records_layer_weights(first->records, l));
        stoic_text_puts(out, "</td>");
        for (int c = 0; c < n; c++)
            write_group(find_group(runs, part, columns[c].run, l), out);
        stoic_text_puts(out, "</tr>\n");
    }
    stoic_text_puts(out, "</table></div>\n");
}

/* ---- every campaign ---- */

static void write_interval(const stoic_interval *interval, bool exact, stoic_text *out) {
    stoic_text_puts(out, "<td>");
    stoic_markup_rate(out, interval->value);
    if (exact && isfinite(interval->value))
        stoic_text_puts(out, "<br/><span class=\"s\">exact</span>");
    else if (isfinite(interval->low) && isfinite(interval->high)) {
        stoic_text_puts(out, "<br/><span class=\"s\">[");
        stoic_markup_rate(out, interval->low);
        stoic_text_puts(out, ", ");
        stoic_markup_rate(out, interval->high);
        stoic_text_puts(out, "]</span>");
    }
    stoic_text_puts(out, "</td>");
}

/* A share of the images; nothing where it was not measured. */
static void write_share(double share, stoic_text *out) {
    stoic_text_puts(out, "<td>");
    stoic_markup_rate(out, share);
    stoic_text_puts(out, "</td>");
}

/* PVF is known where all outcomes were counted. */
static bool tells_pvf(const stoic_loaded_runs *runs, int part) {
    bool known = false;
    for (size_t i = 0; i < runs->count; i++)
        known =
            known || (runs->items[i].part == part && isfinite(runs->items[i].summary.pvf.value));
    return known;
}

static void write_campaign(const stoic_loaded_run *run, bool pvf, stoic_text *out) {
    const stoic_summary *summary = &run->summary;
    const bool exact = stoic_fig_is_exact(&summary->critical_rate); /* then so is the rest */
    stoic_text_puts(out, "<tr><td class=\"t\">");
    stoic_markup_add(out, run->name, 40);
    stoic_text_puts(out, "</td><td class=\"t\"><code>");
    stoic_markup_add(out, run->fault, 90);
    stoic_text_puts(out, "</code></td><td class=\"t\"><code>");
    stoic_markup_add(out, stoic_loaded_run_info(run, "store"), 90);
    stoic_text_puts(out, "</code></td><td>");
    stoic_markup_integer(out, summary->trials);
    if (summary->planned != summary->trials) {
        stoic_text_puts(out, "<br/><span class=\"s\">of ");
        stoic_markup_integer(out, summary->planned);
        stoic_text_puts(out, "</span>");
    }
    if (summary->sampling == STOIC_SAMPLING_STRATIFIED) {
        stoic_text_puts(out, "<br/><span class=\"s\">in ");
        stoic_markup_integer(out, summary->strata);
        stoic_text_puts(out, " strata, behind a pilot of ");
        stoic_markup_integer(out, summary->pilot);
        stoic_text_puts(out, "</span>");
    }
    stoic_text_puts(out, "</td><td>");
    stoic_markup_integer(out, summary->images);
    stoic_text_puts(out, "</td>");
    write_interval(&summary->accuracy, exact, out);
    stoic_text_puts(out, "<td>");
    stoic_markup_rate(out, summary->accuracy_min);
    stoic_text_puts(out, "</td>");
    write_interval(&summary->critical_rate, exact, out);
    if (pvf)
        write_interval(&summary->pvf, exact, out);
    write_share(summary->shares.due, out);
    write_share(summary->shares.nan, out);
    stoic_text_puts(out, "</tr>\n");
}

void stoic_page_campaigns(const stoic_loaded_runs *runs, int part, stoic_text *out) {
    bool pvf = tells_pvf(runs, part);
    stoic_text_puts(out, "<h2>Every campaign</h2>\n<div class=\"wide\"><table>\n<tr>"
                         "<th class=\"t\">File</th><th class=\"t\">Fault</th><th "
                         "class=\"t\">Store</th><th>Trials</th>"
                         "<th>Images a trial</th><th>Accuracy</th><th>Lowest</th>"
                         "<th>Critical rate</th>");
    stoic_text_puts(out, pvf ? "<th>PVF</th>" : "");
    stoic_text_puts(out, "<th>DUE</th><th>Share with NaN</th></tr>\n");
    for (size_t i = 0; i < runs->count; i++) {
        if (runs->items[i].part == part)
            write_campaign(&runs->items[i], pvf, out);
    }
    stoic_text_puts(out, "</table></div>\n");
}
