/*
 * The file of list:FILE.csv: a header with the columns layer, index, bit and perhaps trial, in any
 * order, then a site a line. Without `trial` each line is a trial of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv_rows.h"
#include "base/fail.h"
#include "fault/space.h"
#include "fault/spelling.h"
#include "model/layer_list.h"
#include "store/layout.h"

enum { LAYER, INDEX, BIT, TRIAL };
static const stoic_csv_form form = {
    .noun = "fault list",
    .example = "layer,index,bit",
    .expected = "expected the columns layer,index,bit and perhaps trial",
    .columns = {"layer", "index", "bit", "trial"},
    .required = 3,
};

typedef struct reader {
    stoic_fault *fault;
    stoic_role role;
    stoic_csv csv;
    int64_t capacity;
} reader;

/* Digits only: a site is never rounded from something else. */
static bool read_digits(const char *text, int64_t *out) {
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
        return read_digits(text, &flat) && flat < entry->weights ? flat : -1;
    for (int axis = 0; axis < entry->shape.rank; axis++) {
        char *end = strchr(text, ';');
        if ((end == NULL) != (axis == entry->shape.rank - 1))
            return -1;
        if (end)
            *end = '\0';
        bool inside = read_digits(text, &part) && part < entry->shape.dim[axis];
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
    for (int i = 0; i < stoic_store_entry_count(store); i++) {
        const stoic_store_entry *entry = stoic_store_entry_at(store, i);
        if (entry->layer == layer && entry->role == role)
            return i;
    }
    return -1;
}

static stoic_status read_site(const reader *r, char *const *fields, stoic_listed *site,
                              stoic_error *err) {
    const stoic_store *store = r->fault->store;
    char *layer_text = fields[r->csv.at[LAYER]], *index = fields[r->csv.at[INDEX]];
    const char *bit_text = fields[r->csv.at[BIT]];
    char what[192], shape[128];
    int layer = 0;
    int64_t bit = 0;
    stoic_error reason;
    site->line = r->csv.line;
    if (stoic_layer_find(stoic_store_model(store), layer_text, &layer, &reason) != STOIC_OK)
        return stoic_fail(err, STOIC_ERR_FORMAT, r->csv.path, "line %lld: %s",
                          (long long)r->csv.line, reason.message);
    site->entry = find_entry(store, layer, r->role);
    if (site->entry < 0)
        return stoic_csv_fail(&r->csv, err, "the layer stores no such tensor of its own",
                              layer_text);
    const stoic_store_entry *entry = stoic_store_entry_at(store, site->entry);
    int64_t flat = read_index(index, entry);
    if (flat < 0) {
        snprintf(what, sizeof what, "index: expected a position in a tensor of shape %s",
                 stoic_shape_text(&entry->shape, shape));
        return stoic_csv_fail(&r->csv, err, what, index);
    }
    int bits =
        stoic_store_data_bits(store, site->entry) + stoic_store_redundant_bits(store, site->entry);
    if (!read_digits(bit_text, &bit) || bit >= bits) {
        snprintf(what, sizeof what, "bit: expected 0 to %d", bits - 1);
        return stoic_csv_fail(&r->csv, err, what, bit_text);
    }
    if (stoic_store_protects(store, site->entry, (int)bit))
        return stoic_csv_fail(&r->csv, err, "bit: expected one that the store does not protect",
                              bit_text);
    site->bit = stoic_store_find(store, site->entry, flat, (int)bit, &site->word);
    site->trial = r->fault->n_list;
    if (r->csv.at[TRIAL] >= 0 && !read_digits(fields[r->csv.at[TRIAL]], &site->trial))
        return stoic_csv_fail(&r->csv, err, "trial: expected a number", fields[r->csv.at[TRIAL]]);
    return STOIC_OK;
}

static stoic_status read_sites(reader *r, stoic_error *err) {
    stoic_fault *fault = r->fault;
    char *fields[STOIC_CSV_FIELDS];
    for (;;) {
        int n = 0;
        stoic_status status = stoic_csv_next(&r->csv, fields, &n, err);
        if (status != STOIC_OK || !n)
            return status;
        if (fault->n_list == r->capacity) {
            r->capacity = r->capacity ? 2 * r->capacity : 256;
            size_t bytes = (size_t)r->capacity * sizeof *fault->list;
            stoic_listed *grown = realloc(fault->list, bytes);
            if (!grown)
                return stoic_fail_memory(err, "a fault list", bytes);
            fault->list = grown;
        }
        status = read_site(r, fields, &fault->list[fault->n_list], err);
        if (status != STOIC_OK)
            return status;
        fault->n_list++;
    }
}

static int compare_listed(const void *a, const void *b) {
    const stoic_listed *x = a, *y = b;
    if (x->trial != y->trial)
        return x->trial < y->trial ? -1 : 1;
    if (x->entry != y->entry)
        return x->entry < y->entry ? -1 : 1;
    if (x->word != y->word)
        return x->word < y->word ? -1 : 1;
    if (x->bit != y->bit)
        return x->bit < y->bit ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

/* Sorts by trial, refuses the same bit twice in one and gaps, and notes where each starts. */
static stoic_status group_trials(const reader *r, stoic_error *err) {
    stoic_fault *f = r->fault;
    if (!f->n_list)
        return stoic_fail(err, STOIC_ERR_FORMAT, r->csv.path, "the fault list has no site");
    qsort(f->list, (size_t)f->n_list, sizeof *f->list, compare_listed);
    f->list_first = malloc(((size_t)f->n_list + 1) * sizeof *f->list_first);
    if (!f->list_first)
        return stoic_fail_memory(err, "a fault list", (size_t)f->n_list * sizeof *f->list_first);
    for (int64_t i = 0; i < f->n_list; i++) {
        const stoic_listed *last = &f->list[i > 0 ? i - 1 : 0], *this = &f->list[i];
        if (i > 0 && last->trial == this->trial && last->entry == this->entry &&
            last->word == this->word && last->bit == this->bit)
            return stoic_fail(err, STOIC_ERR_FORMAT, r->csv.path,
                              "line %lld: the same bit as in line %lld, in the same trial",
                              (long long)this->line, (long long)last->line);
        if (i > 0 && last->trial == this->trial)
            continue;
        if (this->trial != f->n_list_trials)
            return stoic_fail(err, STOIC_ERR_FORMAT, r->csv.path,
                              "line %lld: trial %lld, but trial %lld has no line; trials count "
                              "from 0 without gaps",
                              (long long)this->line, (long long)this->trial,
                              (long long)f->n_list_trials);
        f->list_first[f->n_list_trials++] = i;
    }
    f->list_first[f->n_list_trials] = f->n_list;
    return STOIC_OK;
}

stoic_status stoic_list_read(stoic_fault *fault, const char *path, stoic_role role,
                             uint8_t digest[16], stoic_error *err) {
    stoic_status status = STOIC_OK;
    reader r = {.fault = fault, .role = role};
    TRY(stoic_csv_open(&form, path, &r.csv, digest, err));
    TRY(read_sites(&r, err));
    TRY(group_trials(&r, err));
done:
    stoic_csv_close(&r.csv);
    return status;
}
