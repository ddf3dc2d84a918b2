/* Weights that rows of a file name. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "model/layer_list.h"
#include "store/layout.h"

bool stoic_digits_parse(const char *text, int64_t *out) {
    int64_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_add_overflow(value, (int64_t)(*text - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

/* "i;j;k;l" or a flat index; -1 where it is neither or lies outside the tensor. */
static int64_t read_index(char *text, const stoic_store_entry *entry) {
    int64_t flat = 0, part = 0;
    if (!strchr(text, ';'))
        return stoic_digits_parse(text, &flat) && flat < entry->weights ? flat : -1;
    for (int axis = 0; axis < entry->shape.rank; axis++) {
        char *end = strchr(text, ';');
        if ((end == NULL) != (axis == entry->shape.rank - 1))
            return -1;
        if (end)
            *end = '\0';
        bool inside = stoic_digits_parse(text, &part) && part < entry->shape.dim[axis];
        if (end)
            *end = ';';
        if (!inside)
            return -1;
        flat = flat * entry->shape.dim[axis] + part; /* below the number of elements */
        text = end ? end + 1 : text;
    }
    return flat;
}

static int find_entry(const stoic_store *store, int layer, stoic_role role) {
    for (int i = 0; i < store->n_entries; i++) {
        if (store->entries[i].layer == layer && store->entries[i].role == role)
            return i;
    }
    return -1;
}

stoic_status stoic_store_named(const stoic_store *store, const stoic_csv *csv, const char *layer,
                               const char *tensor, stoic_role role, char *index, int *entry,
                               int64_t *flat, stoic_error *err) {
    char what[192], shape[128];
    int number = 0;
    stoic_error reason;
    if (!*index)
        return stoic_csv_fail(csv, err,
                              "index: the line names no weight, as that of a ranking by "
                              "weight does",
                              index);
    if (tensor)
        role = strcmp(tensor, "bias") ? STOIC_ROLE_WEIGHT : STOIC_ROLE_BIAS;
    if (tensor && strcmp(tensor, stoic_role_name(role)) != 0)
        return stoic_csv_fail(csv, err, "tensor: expected weight or bias", tensor);
    if (stoic_layer_find(store->model, layer, &number, &reason) != STOIC_OK)
        return stoic_fail(err, STOIC_ERR_FORMAT, csv->path, "line %lld: %s", (long long)csv->line,
                          reason.message);
    *entry = find_entry(store, number, role);
    if (*entry < 0)
        return stoic_csv_fail(csv, err, "the layer stores no such tensor of its own", layer);
    *flat = read_index(index, &store->entries[*entry]);
    if (*flat >= 0)
        return STOIC_OK;
    snprintf(what, sizeof what, "index: expected a position in a tensor of shape %s",
             stoic_shape_text(&store->entries[*entry].shape, shape));
    return stoic_csv_fail(csv, err, what, index);
}
