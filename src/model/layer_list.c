#include "model/layer_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/spec.h"

static bool is_number(const char *text) {
    return *text && text[strspn(text, "0123456789")] == '\0';
}

static stoic_status find(const stoic_model *model, int count, const char *name, int *layer,
                         stoic_error *err) {
    if (is_number(name)) {
        int64_t number = 0;
        stoic_status status = stoic_parse_count(name, "layer", 0, count - 1, &number, err);
        *layer = (int)number;
        return status;
    }
    const char **names = calloc((size_t)count + 1, sizeof *names);
    if (!names)
        return stoic_fail_memory(err, "layer names", ((size_t)count + 1) * sizeof *names);
    *layer = -1;
    for (int i = 0; model && i < count; i++) {
        names[i] = stoic_model_layer(model, i).name;
        if (*layer < 0 && !strcmp(names[i], name))
            *layer = i;
    }
    stoic_status status = STOIC_OK;
    if (*layer < 0) {
        const char *near = stoic_nearest(name, names);
        status =
            stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                       "layer: the model has no layer '%s'%s%s%s; it has %d, counted from 0", name,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", count);
    }
    free(names);
    return status;
}

stoic_status stoic_layer_find(const stoic_model *model, const char *name, int *layer,
                              stoic_error *err) {
    return find(model, stoic_model_layer_count(model), name, layer, err);
}

/* One item of a list: a number, a range "2-5", a name. */
static stoic_status mark_layers(const stoic_model *model, int count, const char *item, bool *chosen,
                                stoic_error *err) {
    int first = 0, last = 0;
    size_t digits = strspn(item, "0123456789");
    if (digits && item[digits] == '-' && is_number(item + digits + 1)) {
        char low[32];
        snprintf(low, sizeof low, "%.*s", (int)(digits < 31 ? digits : 31), item);
        stoic_status status = find(model, count, low, &first, err);
        if (status == STOIC_OK)
            status = find(model, count, item + digits + 1, &last, err);
        if (status != STOIC_OK)
            return status;
        if (first > last)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "layer: the range '%s' runs backwards",
                              item);
    } else {
        stoic_status status = find(model, count, item, &first, err);
        if (status != STOIC_OK)
            return status;
        last = first;
    }
    for (int layer = first; layer <= last; layer++)
        chosen[layer] = true;
    return STOIC_OK;
}

stoic_status stoic_layers_parse(const stoic_model *model, int count, const char *list, bool *chosen,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    char *copy = strdup(list), *item = copy;
    if (!copy)
        return stoic_fail_memory(err, "a list of layers", strlen(list) + 1);
    while (item) {
        char *plus = strchr(item, '+');
        if (plus)
            *plus = '\0';
        if (!*item) {
            status = stoic_fail(err, STOIC_ERR_ARGUMENT, "", "layer: empty item in '%s'", list);
            goto done;
        }
        TRY(mark_layers(model, count, item, chosen, err));
        item = plus ? plus + 1 : NULL;
    }
done:
    free(copy);
    return status;
}
