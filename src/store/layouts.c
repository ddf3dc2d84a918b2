/* The spec of a store whose layers differ: BASE/LAYERS=SPEC/LAYERS=SPEC… */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "model/layer_list.h"
#include "store/layout.h"

const stoic_layout *stoic_layouts_at(const stoic_layouts *layouts, int layer) {
    bool named = layer >= 0 && layer < layouts->n_layers;
    return &layouts->items[named ? layouts->of_layer[layer] : 0];
}

/* Does the slash at `at` begin a part? In the path of aside=, which begins at `item`, only where
 * LAYERS= follows it. */
static bool begins_part(const char *item, const char *at) {
    static const char key[] = "aside=";
    if (strncmp(item, key, sizeof key - 1) != 0)
        return true;
    return at[1 + strcspn(at + 1, "=,/")] == '=';
}

/* Ends the part at `part`, takes the backslash from "\/"; the part that follows, or NULL. */
static char *cut(char *part) {
    char *to = part, last = '\0';
    const char *item = part;
    for (; *part && (*part != '/' || !begins_part(item, part)); part++) {
        if (part[0] == '\\' && part[1] == '/')
            part++;
        item = *part == ',' && last != '\\' ? part + 1 : item;
        last = *part;
        *to++ = *part;
    }
    bool more = *part == '/';
    *to = '\0';
    return more ? part + 1 : NULL;
}

static int count_parts(const char *spec) {
    int parts = 1; /* at most */
    for (; *spec; spec++) {
        if (spec[0] == '\\' && spec[1] == '/')
            spec++;
        else
            parts += *spec == '/';
    }
    return parts;
}

/* Gives the layers of a list to layout `number`. */
static stoic_status assign(stoic_layouts *out, const stoic_model *model, const char *list,
                           int number, bool *chosen, stoic_error *err) {
    memset(chosen, 0, ((size_t)out->n_layers + 1) * sizeof *chosen);
    stoic_status status = stoic_layers_parse(model, out->n_layers, list, chosen, err);
    for (int layer = 0; layer < out->n_layers && status == STOIC_OK; layer++) {
        if (chosen[layer] && out->of_layer[layer])
            status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                                "store: layer %d is given two stores of its own", layer);
        if (chosen[layer])
            out->of_layer[layer] = number;
    }
    return status;
}

/* "LAYERS=SPEC"; what holds for the whole store comes from the base. */
static stoic_status read_part(stoic_layouts *out, const stoic_model *model, char *part,
                              bool *chosen, stoic_error *err) {
    stoic_layout *layout = &out->items[out->n];
    char *equals = strchr(part, '=');
    if (!equals || equals == part || !equals[1])
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: expected /LAYERS=SPEC such as /0-1=affine:8, found '/%s'", part);
    *equals = '\0';
    stoic_status status = stoic_layout_parse_part(equals + 1, &out->items[0], layout, err);
    out->n++; /* also a broken one is released */
    return status == STOIC_OK ? assign(out, model, part, out->n - 1, chosen, err) : status;
}

/* Layouts spelled alike become one, the first of them. */
static void merge(stoic_layouts *layouts) {
    for (int layer = 0; layer < layouts->n_layers; layer++) {
        int *of = &layouts->of_layer[layer];
        for (int i = 0; i < *of; i++) {
            if (!strcmp(layouts->items[i].text, layouts->items[*of].text))
                *of = i;
        }
    }
}

static void write_layers(const stoic_layouts *layouts, int number, stoic_text *text) {
    const char *before = "/";
    for (int first = 0; first < layouts->n_layers; first++) {
        int last = first;
        if (layouts->of_layer[first] != number)
            continue;
        while (last + 1 < layouts->n_layers && layouts->of_layer[last + 1] == number)
            last++;
        stoic_text_printf(text, last > first ? "%s%d-%d" : "%s%d", before, first, last);
        before = "+";
        first = last;
    }
}

/* The parts in the order of their first layers. */
static stoic_status write_text(stoic_layouts *layouts, stoic_error *err) {
    stoic_text text = {0};
    stoic_text_puts(&text, layouts->items[0].text);
    for (int layer = 0; layer < layouts->n_layers; layer++) {
        int number = layouts->of_layer[layer];
        bool told = number == 0;
        for (int i = 0; i < layer && !told; i++)
            told = layouts->of_layer[i] == number;
        if (told)
            continue;
        write_layers(layouts, number, &text);
        stoic_text_printf(&text, "=%s", layouts->items[number].text);
    }
    stoic_status status = stoic_text_finish(&text, err);
    if (status == STOIC_OK) {
        layouts->text = strdup(text.data);
        if (!layouts->text)
            status = stoic_fail_memory(err, "a store", 1);
    }
    stoic_text_deinit(&text);
    return status;
}

stoic_status stoic_layouts_parse(const char *spec, const stoic_model *model, int n_layers,
                                 stoic_layouts *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *copy = strdup(spec ? spec : ""), *part = copy;
    bool *chosen = calloc((size_t)n_layers + 1, sizeof *chosen);
    memset(out, 0, sizeof *out);
    if (copy)
        out->items = calloc((size_t)count_parts(copy), sizeof *out->items);
    out->of_layer = calloc((size_t)n_layers + 1, sizeof *out->of_layer);
    out->n_layers = n_layers;
    if (!copy || !chosen || !out->items || !out->of_layer) {
        status = stoic_fail_memory(err, "a store", (size_t)n_layers + 1);
        goto done;
    }
    char *next = cut(part);
    if (next && !*part) {
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                            "store: the layers that '/%s' does not name need a store, as in "
                            "fp32/0=affine:8",
                            next);
        goto done;
    }
    out->n = 1;
    TRY(stoic_layout_parse(part, &out->items[0], err));
    while (next) {
        part = next;
        next = cut(part);
        TRY(read_part(out, model, part, chosen, err));
    }
    merge(out);
    TRY(write_text(out, err));
done:
    free(chosen);
    free(copy);
    return status;
}

void stoic_layouts_deinit(stoic_layouts *layouts) {
    for (int i = 0; i < layouts->n; i++)
        stoic_layout_deinit(&layouts->items[i]);
    free(layouts->items);
    free(layouts->of_layer);
    free(layouts->text);
    memset(layouts, 0, sizeof *layouts);
}
