/* aside=FILE: weights that a file names are kept aside, as values with their positions. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "store/layout.h"

enum { LAYER, INDEX, TENSOR };
static const stoic_csv_form form = {
    .noun = "list of weights",
    .example = "layer,index",
    .columns = {"layer", "index", "tensor"},
    .required = 2,
    .others = true,
};

void stoic_aside_spell(const char *path, const char *digest, stoic_text *text) {
    stoic_text_puts(text, ",aside=");
    for (; *path; path++) {
        bool part = *path == '/' && path[1 + strcspn(path + 1, "=,/")] == '=';
        stoic_text_printf(text, "%s%c", *path == ',' || part ? "\\" : "", *path);
    }
    stoic_text_printf(text, ",digest=%s", digest);
}

stoic_status stoic_aside_digest(const char *path, char text[STOIC_DIGEST_TEXT], stoic_error *err) {
    stoic_csv csv;
    uint8_t digest[16];
    stoic_status status = stoic_csv_open(&form, path, &csv, digest, err);
    stoic_csv_close(&csv);
    if (status == STOIC_OK)
        stoic_digest_spell(digest, text);
    return status;
}

/* ---- the file ---- */

typedef struct named {
    int64_t index;
    int entry;
} named;

typedef struct name_list {
    named *items;
    size_t n, room;
} name_list;

static stoic_status read_row(const stoic_store *store, const stoic_csv *csv, char **fields,
                             named *out, stoic_error *err) {
    const char *tensor = csv->at[TENSOR] < 0 ? NULL : fields[csv->at[TENSOR]];
    return stoic_store_named(store, csv, fields[csv->at[LAYER]], tensor, STOIC_ROLE_WEIGHT,
                             fields[csv->at[INDEX]], &out->entry, &out->index, err);
}

static stoic_status read_rows(const stoic_store *store, stoic_csv *csv, name_list *list,
                              stoic_error *err) {
    char *fields[STOIC_CSV_FIELDS];
    for (;;) {
        int n = 0;
        stoic_status status = stoic_csv_next(csv, fields, &n, err);
        if (status != STOIC_OK || !n)
            return status;
        if (list->n == list->room) {
            list->room = list->room ? 2 * list->room : 256;
            named *grown = realloc(list->items, list->room * sizeof *grown);
            if (!grown)
                return stoic_fail_memory(err, form.noun, list->room * sizeof *grown);
            list->items = grown;
        }
        status = read_row(store, csv, fields, &list->items[list->n], err);
        if (status != STOIC_OK)
            return status;
        list->n++;
    }
}

static int compare_named(const void *a, const void *b) {
    const named *x = a, *y = b;
    if (x->entry != y->entry)
        return x->entry < y->entry ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* ---- the entries ---- */

void stoic_aside_count(stoic_store *store, int entry, int64_t n) {
    const int64_t bits = n * (32 + stoic_bits_to_count(store->entries[entry].weights));
    store->facts.sparse += n;
    store->facts.side_bits += bits;
    store->aside_bits += bits;
}

/* Names of one entry, sorted; one weight may be named more than once, as in a list of its bits. */
static stoic_status take_out(stoic_store *store, const named *names, size_t n, stoic_error *err) {
    const int entry = names->entry;
    const size_t bytes = (size_t)store->entries[entry].weights * sizeof(float);
    stoic_lines *lines = &store->lines[entry];
    lines->own = malloc(bytes);
    lines->listed = calloc(n + 1, sizeof *lines->listed);
    lines->sparse = calloc(n + 1, sizeof *lines->sparse);
    if (!lines->own || !lines->listed || !lines->sparse)
        return stoic_fail_memory(err, "weights kept aside", bytes + 2 * n * sizeof *lines->sparse);
    memcpy(lines->own, lines->given, bytes);
    lines->weights = lines->own;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && names[i].index == names[i - 1].index)
            continue;
        lines->own[names[i].index] = 0;
        lines->sparse[lines->n_listed] = names[i].index;
        lines->listed[lines->n_listed++] = names[i].index;
    }
    lines->n_sparse = lines->n_listed;
    stoic_aside_count(store, entry, lines->n_listed);
    return STOIC_OK;
}

stoic_status stoic_aside_read(stoic_store *store, stoic_error *err) {
    const stoic_layout *layout = &store->layouts.items[0];
    stoic_status status = STOIC_OK;
    name_list list = {0};
    stoic_csv csv = {0};
    uint8_t digest[16];
    char found[STOIC_DIGEST_TEXT];
    if (!layout->aside)
        return STOIC_OK;
    TRY(stoic_csv_open(&form, layout->aside, &csv, digest, err));
    stoic_digest_spell(digest, found);
    if (strcmp(found, layout->aside_digest) != 0) {
        status = stoic_fail(err, STOIC_ERR_MISMATCH, layout->aside,
                            "aside: the file has changed: digest=%s expected, found %s",
                            layout->aside_digest, found);
        goto done;
    }
    TRY(read_rows(store, &csv, &list, err));
    if (!list.n) {
        status = stoic_fail(err, STOIC_ERR_FORMAT, layout->aside, "the list names no weight");
        goto done;
    }
    qsort(list.items, list.n, sizeof *list.items, compare_named);
    for (size_t i = 0, n; i < list.n; i += n) {
        for (n = 1; i + n < list.n && list.items[i + n].entry == list.items[i].entry; n++)
            continue;
        TRY(take_out(store, list.items + i, n, err));
    }
done:
    stoic_csv_close(&csv);
    free(list.items);
    return status;
}

/* ---- for the fault models ---- */

const int64_t *stoic_store_listed(const stoic_store *store, int entry, int64_t *n) {
    *n = store->lines[entry].n_listed;
    return store->lines[entry].listed;
}

uint32_t stoic_store_spared(const stoic_store *store, int entry, int64_t word) {
    const stoic_lines *lines = &store->lines[entry];
    uint32_t spared = 0;
    int held = lines->n_listed ? stoic_store_held(store, entry, word) : 0;
    for (int i = 0; i < held; i++) {
        if (stoic_lines_is_listed(lines, word * store->entries[entry].word_weights + i))
            spared |= (uint32_t)1 << i;
    }
    return spared;
}

bool stoic_store_is_spared(const stoic_store *store, int entry, int64_t word, int bit) {
    const uint32_t spared = stoic_store_spared(store, entry, word);
    const int data = stoic_layout_of(store, entry)->code.data;
    const int all = store->entries[entry].word_weights * data;
    if (bit < all)
        return spared >> (bit < 0 ? -1 - bit : bit / data) & 1;
    return __builtin_popcount(spared) == stoic_store_held(store, entry, word);
}
