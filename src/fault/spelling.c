#include "fault/spelling.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

static bool is_number(const char *text) {
    return *text && text[strspn(text, "0123456789")] == '\0';
}

stoic_status stoic_layer_find(const stoic_model *model, const char *name, int *layer,
                              stoic_error *err) {
    int count = stoic_model_layer_count(model);
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
    for (int i = 0; i < count; i++) {
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

/* One item of layer=LIST: a number, a range "2-5", a name. */
static stoic_status mark_layers(const stoic_model *model, const char *item, bool *chosen,
                                stoic_error *err) {
    int first = 0, last = 0;
    size_t digits = strspn(item, "0123456789");
    if (digits && item[digits] == '-' && is_number(item + digits + 1)) {
        char low[32];
        snprintf(low, sizeof low, "%.*s", (int)(digits < 31 ? digits : 31), item);
        stoic_status status = stoic_layer_find(model, low, &first, err);
        if (status == STOIC_OK)
            status = stoic_layer_find(model, item + digits + 1, &last, err);
        if (status != STOIC_OK)
            return status;
        if (first > last)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "layer: the range '%s' runs backwards",
                              item);
    } else {
        stoic_status status = stoic_layer_find(model, item, &first, err);
        if (status != STOIC_OK)
            return status;
        last = first;
    }
    for (int layer = first; layer <= last; layer++)
        chosen[layer] = true;
    return STOIC_OK;
}

stoic_status stoic_layers_parse(const stoic_model *model, const char *list, bool *chosen,
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
        TRY(mark_layers(model, item, chosen, err));
        item = plus ? plus + 1 : NULL;
    }
done:
    free(copy);
    return status;
}

stoic_status stoic_value_parse(const char *text, const char *what, float *out, stoic_error *err) {
    double value = 0.0;
    if (!strcmp(text, "nan"))
        value = NAN;
    else if (!strcmp(text, "inf") || !strcmp(text, "+inf"))
        value = INFINITY;
    else if (!strcmp(text, "-inf"))
        value = -INFINITY;
    else {
        stoic_status status = stoic_parse_number(text, what, &value, err);
        if (status != STOIC_OK)
            return status;
        if (isinf((float)value))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "%s: '%s' is beyond float32 (largest %g); 'inf' stores infinity",
                              what, text, (double)FLT_MAX);
    }
    *out = (float)value;
    return STOIC_OK;
}

stoic_status stoic_probability_parse(const char *text, const char *what, double *out,
                                     stoic_error *err) {
    stoic_status status = stoic_parse_number(text, what, out, err);
    if (status == STOIC_OK && !(*out >= 0.0 && *out <= 1.0))
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                            "%s: expected a probability from 0 to 1, found '%s'", what, text);
    return status;
}

stoic_status stoic_keys_check(const stoic_spec *spec, const char *const *known, stoic_error *err) {
    for (size_t i = 0; i < spec->n_items; i++) {
        if (!spec->items[i].value || !*spec->items[i].value)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "fault model: key '%s' needs a value",
                              spec->items[i].key);
    }
    return stoic_spec_check_keys(spec, known, err);
}

void stoic_number_spell(double value, bool single, char text[STOIC_NUMBER_TEXT]) {
    for (int digits = 1; digits <= 17; digits++) {
        char raw[64];
        double back = 0.0;
        size_t used = 0;
        snprintf(raw, sizeof raw, "%.*g", digits, value);
        for (const char *p = raw; *p && used < STOIC_NUMBER_TEXT - 1; p++) {
            if (strchr("+-0123456789einfa", *p))
                text[used++] = *p;
            else if (!used || text[used - 1] != '.')
                text[used++] = '.';
        }
        text[used] = '\0';
        if (stoic_parse_number(text, "", &back, NULL) != STOIC_OK)
            return; /* inf, nan: spelled the same with any number of digits */
        if (back == value || (single && (float)back == (float)value))
            return;
    }
}

void stoic_digest_spell(const uint8_t digest[16], char text[STOIC_DIGEST_TEXT]) {
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        text[2 * i] = hex[digest[i] >> 4];
        text[2 * i + 1] = hex[digest[i] & 15];
    }
    text[32] = '\0';
}
