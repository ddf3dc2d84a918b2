/*
 * The file of list:FILE.csv: a header with the columns layer, index, bit and perhaps trial and
 * tensor, in any order, then a site a line. Without `trial` each line is a trial of its own, and
 * one without a bit is each bit of its weight. The columns of a ranking are passed over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv_rows.h"
#include "base/fail.h"
#include "fault/space.h"
#include "fault/spelling.h"
#include "store/layout.h"

enum { LAYER, INDEX, BIT, TRIAL, TENSOR };
static const char *const ranking[] = {
    "name", "channel", "trials", "critical_rate", "low", "high", "share", "cumulative", NULL};
static const stoic_csv_form form = {
    .noun = "fault list",
    .example = "layer,index,bit",
    .expected = "expected the columns layer,index,bit and perhaps trial",
    .columns = {"layer", "index", "bit", "trial", "tensor"},
    .required = 3,
    .passed = ranking,
};

typedef struct reader {
    stoic_fault *fault;
    stoic_role role;
    stoic_csv csv;
    int64_t capacity;
} reader;

/* Room for one more site. */
static stoic_status reserve(reader *r, stoic_error *err) {
    stoic_fault *fault = r->fault;
    if (fault->n_list < r->capacity)
        return STOIC_OK;
    int64_t wide = r->capacity ? 2 * r->capacity : 256;
    size_t bytes = (size_t)wide * sizeof *fault->list;
    stoic_listed *grown = realloc(fault->list, bytes);
    if (!grown)
        return stoic_fail_memory(err, "a fault list", bytes);
    fault->list = grown;
    r->capacity = wide;
    return STOIC_OK;
}

static stoic_status add_site(reader *r, int entry, int64_t index, int bit, int64_t trial,
                             stoic_error *err) {
    stoic_fault *fault = r->fault;
    stoic_status status = reserve(r, err);
    if (status != STOIC_OK)
        return status;
    stoic_listed *site = &fault->list[fault->n_list++];
    *site = (stoic_listed){.trial = trial, .line = r->csv.line, .entry = entry};
    site->bit = stoic_store_find(fault->store, entry, index, bit, &site->word);
    return STOIC_OK;
}

/* A row of a ranking by weight: its data bits that may be hit, a trial each. */
static stoic_status add_weight(reader *r, int entry, int64_t index, stoic_error *err) {
    const int bits = stoic_store_data_bits(r->fault->store, entry);
    for (int bit = 0; bit < bits; bit++) {
        if (stoic_store_protects(r->fault->store, entry, bit))
            continue;
        stoic_status status = add_site(r, entry, index, bit, r->fault->n_list, err);
        if (status != STOIC_OK)
            return status;
    }
    return STOIC_OK;
}

static stoic_status read_site(reader *r, char *const *fields, stoic_error *err) {
    const stoic_store *store = r->fault->store;
    const stoic_csv *csv = &r->csv;
    const char *bit_text = fields[csv->at[BIT]];
    stoic_status status = STOIC_OK;
    char what[64];
    int64_t bit = 0, index = 0, word = 0, trial = r->fault->n_list;
    int entry = -1;
    TRY(stoic_store_named(store, csv, fields[csv->at[LAYER]],
                          csv->at[TENSOR] < 0 ? NULL : fields[csv->at[TENSOR]], r->role,
                          fields[csv->at[INDEX]], &entry, &index, err));
    const int bits = stoic_store_data_bits(store, entry) + stoic_store_redundant_bits(store, entry);
    const bool every = !*bit_text && csv->at[TRIAL] < 0;
    if (!every && (!stoic_digits_parse(bit_text, &bit) || bit >= bits)) {
        snprintf(what, sizeof what, "bit: expected 0 to %d", bits - 1);
        return stoic_csv_fail(csv, err, what, bit_text);
    }
    const int place = stoic_store_find(store, entry, index, (int)bit, &word);
    if (stoic_store_is_spared(store, entry, word, place))
        return stoic_csv_fail(csv, err,
                              "index: expected a weight that the store does not keep aside",
                              fields[csv->at[INDEX]]);
    if (every)
        return add_weight(r, entry, index, err);
    if (stoic_store_protects(store, entry, (int)bit))
        return stoic_csv_fail(csv, err, "bit: expected one that the store does not protect",
                              bit_text);
    if (csv->at[TRIAL] >= 0 && !stoic_digits_parse(fields[csv->at[TRIAL]], &trial))
        return stoic_csv_fail(csv, err, "trial: expected a number", fields[csv->at[TRIAL]]);
    status = add_site(r, entry, index, (int)bit, trial, err);
done:
    return status;
}

static stoic_status read_sites(reader *r, stoic_error *err) {
    char *fields[STOIC_CSV_FIELDS];
    for (;;) {
        int n = 0;
        stoic_status status = stoic_csv_next(&r->csv, fields, &n, err);
        if (status != STOIC_OK || !n)
            return status;
        status = read_site(r, fields, err);
        if (status != STOIC_OK)
            return status;
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
