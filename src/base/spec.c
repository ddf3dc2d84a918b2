#include "base/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

enum { NEAREST_MAX = 64 }; /* longer words are nobody's misspelling */

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`
 * (optimal string alignment: a swapped pair is not edited again). */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb) {
    size_t rows[3][NEAREST_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= nb; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t substitute = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(substitute, smaller(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[nb];
}

const char *stoic_nearest(const char *word, const char *const *known) {
    size_t length = strlen(word);
    if (length > NEAREST_MAX)
        return NULL;
    const char *best = NULL;
    size_t best_distance = 2 + length / 3; /* a third of the letters wrong is still near */
    for (; *known; known++) {
        size_t n = strlen(*known);
        if (n > NEAREST_MAX)
            continue;
        size_t distance = edit_distance(word, length, *known, n);
        if (distance < best_distance && (distance < length || distance == 0)) {
            best_distance = distance;
            best = *known;
        }
    }
    return best;
}

/* Ends the item that starts at `text` at its comma, turns "\," into "," in place, and returns
 * the start of the next item, or NULL after the last. */
static char *cut_item(char *text) {
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (from[0] == '\\' && from[1] == ',') {
            *to++ = ',';
            from++;
        } else if (*from == ',') {
            char *next = text + (from - text) + 1;
            *to = '\0';
            return next;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return NULL;
}

static stoic_status add_item(stoic_spec *spec, const char *text, char *item, stoic_error *err) {
    char *equals = strchr(item, '=');
    if (equals)
        *equals = '\0';
    if (!*item)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "empty key in '%s'", text);
    for (size_t i = 0; i < spec->n_items; i++) {
        if (!strcmp(spec->items[i].key, item))
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "key '%s' is given twice in '%s'", item,
                              text);
    }
    spec->items[spec->n_items].key = item;
    spec->items[spec->n_items].value = equals ? equals + 1 : NULL;
    spec->n_items++;
    return STOIC_OK;
}

stoic_status stoic_spec_parse(const char *text, stoic_spec *out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t commas = 0;
    memset(out, 0, sizeof *out);
    for (const char *p = text; *p; p++)
        commas += *p == ',';
    out->storage = strdup(text);
    if (!out->storage)
        return stoic_fail_memory(err, "a spec", strlen(text) + 1);
    out->items = calloc(commas + 1, sizeof *out->items);
    if (!out->items) {
        status = stoic_fail_memory(err, "a spec", (commas + 1) * sizeof *out->items);
        goto done;
    }
    out->head = out->storage;
    char *next = cut_item(out->head);
    if (!*out->head) {
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                            "expected 'name' or 'name,key=value', found '%s'", text);
        goto done;
    }
    while (next) {
        char *item = next;
        next = cut_item(item);
        TRY(add_item(out, text, item, err));
    }
done:
    if (status != STOIC_OK)
        stoic_spec_deinit(out);
    return status;
}

void stoic_spec_deinit(stoic_spec *spec) {
    free(spec->items);
    free(spec->storage);
    memset(spec, 0, sizeof *spec);
}

const char *stoic_spec_get(const stoic_spec *spec, const char *key) {
    for (size_t i = 0; i < spec->n_items; i++) {
        if (!strcmp(spec->items[i].key, key))
            return spec->items[i].value;
    }
    return NULL;
}

static bool is_listed(const char *word, const char *const *known) {
    for (; *known; known++) {
        if (!strcmp(word, *known))
            return true;
    }
    return false;
}

stoic_status stoic_spec_check_keys(const stoic_spec *spec, const char *const *known,
                                   stoic_error *err) {
    for (size_t i = 0; i < spec->n_items; i++) {
        const char *key = spec->items[i].key;
        if (is_listed(key, known))
            continue;
        const char *near = stoic_nearest(key, known);
        if (near)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "'%s' has no key '%s'; did you mean '%s'?", spec->head, key, near);
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "'%s' has no key '%s'", spec->head, key);
    }
    return STOIC_OK;
}
