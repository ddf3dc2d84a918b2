/* gnuplot's SVG made fit for a page: ids of its own, currentColor for ink, hexadecimal colours
 * that style rules can name, placeholders exchanged for their strings. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/figure.h"
#include "report/markup.h"

const char stoic_figure_style[] =
    "svg.stoic{font-family:system-ui,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif;"
    "color:#1b1f24}\n"
    "@media (prefers-color-scheme:dark){svg.stoic{color:#dfe3e8}\n"
    "svg.stoic [stroke='#0072b2']{stroke:#3f97e0}svg.stoic [fill='#0072b2']{fill:#3f97e0}"
    "svg.stoic [color='#0072b2']{color:#3f97e0}\n"
    "svg.stoic [stroke='#d55e00']{stroke:#ff8b42}svg.stoic [fill='#d55e00']{fill:#ff8b42}"
    "svg.stoic [color='#d55e00']{color:#ff8b42}\n"
    "svg.stoic [stroke='#009e73']{stroke:#2cc79a}svg.stoic [fill='#009e73']{fill:#2cc79a}"
    "svg.stoic [color='#009e73']{color:#2cc79a}\n"
    "svg.stoic [stroke='#cc79a7']{stroke:#e79cc6}svg.stoic [fill='#cc79a7']{fill:#e79cc6}"
    "svg.stoic [color='#cc79a7']{color:#e79cc6}\n"
    "svg.stoic [stroke='#56b4e9']{stroke:#b5e3ff}svg.stoic [fill='#56b4e9']{fill:#b5e3ff}"
    "svg.stoic [color='#56b4e9']{color:#b5e3ff}}\n"
    "@media print{svg.stoic{color:#000}}\n";

/* Appends the placeholder's string and moves on; false: there is none at `*s`. */
static bool exchange(const stoic_figure *figure, const char **s, stoic_text *out) {
    unsigned index = 0;
    const char *p = *s + 1;
    for (int i = 0; i < 3; i++, p++) {
        if (!isxdigit((unsigned char)*p))
            return false;
        index = 16 * index + (unsigned)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
    }
    while (*p == '_')
        p++;
    if (*p != '@' || index >= figure->n_labels)
        return false;
    stoic_markup_add(out, figure->labels[index], (size_t)figure->label_columns);
    *s = p + 1;
    return true;
}

static bool colour(const char **s, stoic_text *out) {
    char *end;
    long parts[3];
    const char *p = *s + 4;
    for (int i = 0; i < 3; i++) {
        parts[i] = strtol(p, &end, 10);
        if (end == p || parts[i] < 0 || parts[i] > 255 || *end != (i < 2 ? ',' : ')'))
            return false;
        p = end + 1;
    }
    if (parts[0] + parts[1] + parts[2] == 0)
        stoic_text_puts(out, "currentColor");
    else
        stoic_text_printf(out, "#%02lx%02lx%02lx", parts[0], parts[1], parts[2]);
    *s = p;
    return true;
}

/* What gnuplot writes -> what we want; KEY stands for the figure's key. */
static const char *const rewrites[][2] = {
    {" color=\"black\"", ""},
    {" color=\"white\"", ""},
    {"='black'", "='currentColor'"},
    {"=\"black\"", "=\"currentColor\""},
    {"fill = '", "fill='"},
    {" font-family=\"sans-serif\"", ""},
    {" stroke-linecap=\"butt\" stroke-linejoin=\"miter\"", ""},
    {" stroke-width=\"1.00\"", ""},
    {"id='gp", "id='KEY-gp"},
    {"href='#gp", "href='#KEY-gp"},
    {" id=\"gnuplot_canvas\"", ""},
    {"<image ", "<image style='image-rendering:pixelated' "}, /* cells, not a photograph */
};

static bool rewrite(const stoic_figure *figure, const char **s, stoic_text *out) {
    for (size_t i = 0; i < sizeof rewrites / sizeof *rewrites; i++) {
        size_t n = strlen(rewrites[i][0]);
        if (strncmp(*s, rewrites[i][0], n) != 0)
            continue;
        const char *key = strstr(rewrites[i][1], "KEY");
        if (key) {
            stoic_text_add(out, rewrites[i][1], (size_t)(key - rewrites[i][1]));
            stoic_text_printf(out, "%s%s", figure->key, key + 3);
        } else {
            stoic_text_puts(out, rewrites[i][1]);
        }
        *s += n;
        return true;
    }
    return false;
}

/* Parts that say nothing to a reader. */
static bool skip(const char **s) {
    static const char *const parts[][2] = {
        {"<title>", "</title>"}, {"<desc>", "</desc>"}, {"<filter", "</filter>"}};
    static const char empty[] =
        "<g fill=\"none\" color=\"black\" stroke=\"currentColor\" stroke-width=\"1.00\" "
        "stroke-linecap=\"butt\" stroke-linejoin=\"miter\">\n</g>\n";
    for (size_t i = 0; i < 3; i++) {
        const char *end = strstr(*s, parts[i][1]);
        if (!strncmp(*s, parts[i][0], strlen(parts[i][0])) && end) {
            *s = end + strlen(parts[i][1]);
            return true;
        }
    }
    const char *end = strstr(*s, "/>");
    if (!strncmp(*s, "<use ", 5) && end && memmem(*s, (size_t)(end - *s), "='white'", 8)) {
        *s = end + 2; /* a halo of white around a marker */
        return true;
    }
    if (strncmp(*s, empty, strlen(empty)) != 0)
        return false;
    *s += strlen(empty);
    return true;
}

void stoic_svg_polish(const stoic_figure *figure, const char *raw, stoic_text *out) {
    const char *s = strstr(raw, "<svg"), *body = s ? strchr(s, '>') : NULL;
    if (!body)
        return;
    stoic_text_printf(out,
                      "<svg class=\"stoic\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
                      "role=\"img\" aria-label=\"",
                      figure->width, figure->height, figure->width, figure->height);
    stoic_text_puts(out, figure->title.data);
    stoic_text_puts(out, "\" xmlns=\"http://www.w3.org/2000/svg\" "
                         "xmlns:xlink=\"http://www.w3.org/1999/xlink\" "
                         "stroke-linecap=\"butt\" stroke-linejoin=\"miter\">");
    for (s = body + 1; *s;) {
        bool done = (*s == '<' && skip(&s)) || (*s == '@' && exchange(figure, &s, out)) ||
                    (*s == 'r' && !strncmp(s, "rgb(", 4) && colour(&s, out)) ||
                    rewrite(figure, &s, out);
        if (!done)
            stoic_text_add(out, s++, 1);
    }
}
