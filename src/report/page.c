#include "report/page.h"

#include <string.h>

#include "report/markup.h"
#include "stoic/version.h"

static const char style[] =
    ":root{color-scheme:light dark;--ground:#fff;--ink:#1b1f24;--soft:#5b6470;--line:#d5dae0;"
    "--panel:#f6f7f9;--accent:#0072b2}\n"
    "@media (prefers-color-scheme:dark){:root{--ground:#15181c;--ink:#dfe3e8;--soft:#9aa4b0;"
    "--line:#343b44;--panel:#1d2228;--accent:#3f97e0}}\n"
    "@media print{:root{--ground:#fff;--ink:#000;--soft:#333;--line:#bbb;--panel:#fff;"
    "--accent:#000}}\n"
    "body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,'Segoe UI',"
    "Roboto,'Noto Sans','DejaVu Sans',sans-serif}\n"
    "main{max-width:1020px;margin:0 auto;padding:2.2rem 1.2rem 4rem}\n"
    "h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem}\n"
    "h2{font-size:1.35rem;margin:2.6rem 0 .8rem;padding-bottom:.3rem;"
    "border-bottom:1px solid var(--line)}\n"
    "h3{font-size:1.05rem;margin:1.8rem 0 .5rem}\n"
    ".lead{color:var(--soft);margin:0 0 1.4rem}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums;"
    "width:100%}\n"
    "th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line);"
    "vertical-align:top}\n"
    "th{font-weight:600;color:var(--soft);vertical-align:bottom}\n"
    "th.t,td.t{text-align:left}\n"
    "td .s{color:var(--soft);font-size:.92em;white-space:nowrap}\n"
    "dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(24rem,1fr));gap:0 2rem;"
    "font-size:.88rem;margin:0}\n"
    "dl div{display:flex;gap:1rem;border-bottom:1px solid var(--line);padding:.25rem 0}\n"
    "dt{flex:0 0 13rem;color:var(--soft);font-weight:600}dd{margin:0;overflow-wrap:anywhere}\n"
    "figure{margin:2.4rem 0 2.8rem;break-inside:avoid}\n"
    "figure h3{margin:0 0 .5rem}\n"
    "figure svg{display:block;width:100%;height:auto}\n"
    "figcaption{font-size:.9rem;margin-top:.6rem}\n"
    "figcaption p{margin:.25rem 0}\n"
    ".both{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:.8rem;"
    "margin:.7rem 0}\n"
    ".both div{background:var(--panel);border-left:3px solid var(--line);padding:.55rem .8rem}\n"
    ".both div.here{border-left-color:var(--accent)}\n"
    ".both h4{margin:0 0 .15rem;font-size:.78rem;letter-spacing:.04em;text-transform:uppercase;"
    "color:var(--soft)}\n"
    ".run{color:var(--soft)}\n"
    "code{font:.92em ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',monospace;"
    "overflow-wrap:anywhere}\n"
    "footer{margin-top:3rem;color:var(--soft);font-size:.85rem}\n";

static void write_box(stoic_text *out, const char *class, const char *heading, const char *text,
                      bool markup) {
    if (!text || !*text)
        return;
    stoic_text_printf(out, "<div class=\"%s\"><h4>", class);
    stoic_markup_add(out, heading, 40);
    stoic_text_puts(out, "</h4>");
    if (markup)
        stoic_text_puts(out, text);
    else
        stoic_markup_add(out, text, 0);
    stoic_text_puts(out, "</div>");
}

static void write_figure(const stoic_figure *figure, const stoic_notes *notes, int number,
                         stoic_text *out) {
    const char *label = stoic_notes_get(notes, "label");
    stoic_text_printf(out, "<figure id=\"%s\"><h3>Figure %d. %s</h3>\n", figure->key, number,
                      figure->title.data);
    if (figure->svg.length > 0)
        stoic_text_add(out, figure->svg.data, figure->svg.length);
    else
        stoic_text_puts(out, "<p class=\"run\">Not drawn.</p>");
    stoic_text_puts(out, "\n<figcaption><div class=\"both\">");
    write_box(out, "note", label ? label : "Note", stoic_notes_get(notes, figure->note), false);
    write_box(out, "here", "Here", figure->found.data, true);
    stoic_text_printf(out, "</div><p class=\"run\">%s</p></figcaption></figure>\n",
                      figure->run.data);
}

static int write_figures(const stoic_figures *figures, const stoic_notes *notes, int part,
                         int number, stoic_text *out) {
    for (size_t i = 0; i < figures->count; i++) {
        if (figures->items[i].part == part)
            write_figure(&figures->items[i], notes, number++, out);
    }
    return number;
}

static bool has_figures(const stoic_figures *figures, int part) {
    bool found = false;
    for (size_t i = 0; i < figures->count; i++)
        found = found || figures->items[i].part == part;
    return found;
}

static void write_title(const stoic_loaded_runs *runs, const char *title, stoic_text *out) {
    if (title) {
        stoic_markup_add(out, title, 200);
        return;
    }
    stoic_text_puts(out, "Faults in ");
    stoic_markup_add(out, stoic_loaded_run_model(&runs->items[0]), 80);
    if (runs->parts > 1)
        stoic_text_printf(out, " and %d more", runs->parts - 1);
}

static void write_lead(const stoic_loaded_runs *runs, stoic_text *out) {
    int64_t trials = 0, images = 0;
    for (size_t i = 0; i < runs->count; i++) {
        trials += runs->items[i].summary.trials;
        images += runs->items[i].summary.totals.images;
    }
    stoic_text_printf(out, "%zu campaign%s, ", runs->count, runs->count == 1 ? "" : "s");
    stoic_markup_integer(out, trials);
    stoic_text_puts(out, " trials, ");
    stoic_markup_integer(out, images);
    stoic_text_puts(out, " classified images.");
}

void stoic_page_write(const stoic_loaded_runs *runs, const stoic_figures *figures,
                      const stoic_notes *notes, const char *title, stoic_text *out) {
    const char *intro = stoic_notes_get(notes, "intro");
    stoic_text_puts(out, "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" "
                         "lang=\"en\"><head><meta charset=\"utf-8\"/>"
                         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>"
                         "<title>");
    write_title(runs, title, out);
    stoic_text_printf(out, "</title>\n<style>\n%s%s</style></head>\n<body><main><h1>", style,
                      stoic_figure_style);
    write_title(runs, title, out);
    stoic_text_puts(out, "</h1>\n<p class=\"lead\">");
    write_lead(runs, out);
    stoic_text_puts(out, "</p>\n");
    if (intro) {
        stoic_text_puts(out, "<p>");
        stoic_markup_add(out, intro, 0);
        stoic_text_puts(out, "</p>\n");
    }
    int number = 1;
    bool together = has_figures(figures, STOIC_FIGURE_OF_ALL);
    for (int part = 0; part < runs->parts; part++) {
        stoic_page_facts(runs, part, out);
        stoic_page_layers(runs, part, out);
        stoic_text_puts(out, "<h2>Figures</h2>\n");
        if (part == 0)
            number = write_figures(figures, notes, STOIC_FIGURE_OF_MODEL, number, out);
        number = write_figures(figures, notes, part, number, out);
        stoic_page_campaigns(runs, part, out);
        /* The first campaign's network is what the page is about; the details of the others can
         * wait. */
        if (part == 0 && together) {
            stoic_text_puts(out, "<h2>Side by side</h2>\n");
            number = write_figures(figures, notes, STOIC_FIGURE_OF_ALL, number, out);
        }
    }
    stoic_text_printf(out,
                      "<footer>Made by stoic %s. Accuracies and rates are fractions of the images "
                      "that were run; brackets are confidence intervals.</footer></main></body>"
                      "</html>\n",
                      stoic_version());
}
