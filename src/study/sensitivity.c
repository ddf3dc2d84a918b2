#include "stoic/sensitivity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/fail.h"
#include "campaign/estimate.h"
#include "campaign/records_file.h"
#include "model/graph.h"
#include "tensor/shape_span.h"

/* What trials of one group have in common; -1 where they need not. */
typedef struct group_key {
    int64_t channel, index;
    int layer, bit, tensor; /* what was hit, as name_of() knows it */
} group_key;

typedef struct group {
    group_key key;
    stoic_moments moments; /* no trials: a free slot */
} group;

/* A role; an upset's kind above UPSETS. */
enum { UNTOLD = 7, UPSETS = 8 };

static const char *name_of(int tensor) {
    return tensor == UNTOLD   ? NULL
           : tensor >= UPSETS ? stoic_upset_tensor(tensor - UPSETS)
                              : stoic_role_name((stoic_role)tensor);
}

/* Open addressing, at most half full. */
typedef struct group_table {
    group *slots;
    size_t size, used;
} group_table;

static bool same_key(const group_key *a, const group_key *b) {
    return a->layer == b->layer && a->bit == b->bit && a->tensor == b->tensor &&
           a->channel == b->channel && a->index == b->index;
}

static size_t slot_of(const group_table *table, const group_key *key) {
    uint64_t h = (uint64_t)(key->layer + 1) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ (uint64_t)key->index) * UINT64_C(0xBF58476D1CE4E5B9);
    h = (h ^ (uint64_t)key->channel ^ h >> 29) * UINT64_C(0x94D049BB133111EB);
    h = (h ^ (uint64_t)(key->bit * 16 + key->tensor) ^ h >> 31) * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(h >> 20) & (table->size - 1);
    while (table->slots[at].moments.trials && !same_key(&table->slots[at].key, key))
        at = (at + 1) & (table->size - 1);
    return at;
}

static stoic_status grow(group_table *table, stoic_error *err) {
    group_table wide = {.size = table->size ? 2 * table->size : 1024, .used = table->used};
    wide.slots = calloc(wide.size, sizeof *wide.slots);
    if (!wide.slots)
        return stoic_fail_memory(err, "groups of trials", wide.size * sizeof *wide.slots);
    for (size_t i = 0; i < table->size; i++) {
        if (table->slots[i].moments.trials)
            wide.slots[slot_of(&wide, &table->slots[i].key)] = table->slots[i];
    }
    free(table->slots);
    *table = wide;
    return STOIC_OK;
}

static stoic_status add_trial(group_table *table, const group_key *key, const stoic_counts *counts,
                              stoic_error *err) {
    if (2 * table->used >= table->size) {
        stoic_status status = grow(table, err);
        if (status != STOIC_OK)
            return status;
    }
    group *at = &table->slots[slot_of(table, key)];
    table->used += at->moments.trials == 0;
    at->key = *key;
    stoic_moments_add(&at->moments, counts);
    return STOIC_OK;
}

/* ---- from a trial to its group ---- */

typedef struct scan {
    stoic_records *records;
    const stoic_model *model;
    const char *path;
    unsigned by;
    group_table table;
} scan;

static int64_t channel_of(const stoic_model *model, int layer, stoic_role role, int64_t index) {
    if (role != STOIC_ROLE_WEIGHT)
        return index; /* one element an output channel */
    const stoic_shape *shape = stoic_tensor_shape(stoic_model_layer(model, layer).weights);
    int axis = stoic_model_channel_axis(model, layer);
    return index / stoic_shape_span(shape, axis + 1, shape->rank) % shape->dim[axis];
}

static stoic_status refuse_several(const scan *s, int64_t trial, stoic_error *err) {
    bool layers = s->by == STOIC_BY_LAYER;
    return stoic_fail(err, STOIC_ERR_ARGUMENT, s->path,
                      "trial %lld hit several %s, whose harm cannot be told apart: a ranking needs "
                      "trials of one site, as of flips:1 or exhaustive",
                      (long long)trial, layers ? "layers" : "sites");
}

/* Channel of an element of a layer's output: of an image its map, else itself. */
static int64_t output_channel(const stoic_model *model, int layer, int64_t index) {
    const stoic_shape shape = stoic_model_layer(model, layer).output;
    return index / stoic_shape_span(&shape, 2, shape.rank);
}

/* The group of a trial that hit a single site; a computed value is an element, not a weight. */
static stoic_status key_of_site(const scan *s, const stoic_trial_cursor *cursor, group_key *key,
                                stoic_error *err) {
    const stoic_upset *upset = cursor->upsets.count ? cursor->upsets.items : NULL;
    const stoic_site *site = cursor->list.count ? cursor->list.items : NULL;
    if (stoic_trial_cursor_sites(cursor) != 1 || (upset && upset->elements != 1))
        return refuse_several(s, cursor->trial, err);
    if (upset && s->by & STOIC_BY_WEIGHT)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, s->path,
                          "trial %lld hit a computed value, which is no weight",
                          (long long)cursor->trial);
    const stoic_role role = upset ? STOIC_ROLE_WEIGHT : s->records->entries[site->entry].role;
    if (s->by & (STOIC_BY_CHANNEL | STOIC_BY_WEIGHT))
        key->tensor = upset ? UPSETS + upset->kind : (int)role;
    key->index = s->by & STOIC_BY_WEIGHT ? site->index : -1;
    if (s->by & STOIC_BY_CHANNEL && key->layer >= 0)
        key->channel = upset ? output_channel(s->model, key->layer, upset->index)
                             : channel_of(s->model, key->layer, role, site->index);
    return STOIC_OK;
}

/* The group of a trial; *none: it hit nothing. */
static stoic_status key_of(const scan *s, const stoic_trial_cursor *cursor, group_key *key,
                           bool *none, stoic_error *err) {
    int layer, bit;
    bool one = stoic_trial_cursor_where(cursor, &layer, &bit);
    *none = stoic_trial_cursor_sites(cursor) == 0; /* a rate that hit nothing */
    *key = (group_key){.channel = -1,
                       .index = -1,
                       .layer = s->by & STOIC_BY_LAYER ? layer : -1,
                       .bit = s->by & STOIC_BY_BIT ? bit : -1,
                       .tensor = UNTOLD};
    if (*none)
        return STOIC_OK;
    if (s->by != STOIC_BY_LAYER)
        return key_of_site(s, cursor, key, err);
    return one ? STOIC_OK : refuse_several(s, cursor->trial, err);
}

static stoic_status read_trials(scan *s, int64_t *trials, stoic_error *err) {
    stoic_trial_cursor cursor;
    int64_t prefix = stoic_estimate_prefix(s->records->file);
    stoic_status status =
        stoic_trial_cursor_open(s->records, 0, prefix < 0 ? INT64_MAX : prefix, &cursor, err);
    if (status != STOIC_OK)
        return status;
    for (;;) {
        bool row, none;
        group_key key;
        TRY(stoic_trial_cursor_next(&cursor, &row, err));
        if (!row)
            break;
        TRY(key_of(s, &cursor, &key, &none, err));
        if (!none)
            TRY(add_trial(&s->table, &key, &cursor.counts, err));
        ++*trials;
    }
done:
    stoic_trial_cursor_close(&cursor);
    return status;
}

/* ---- the ranking ---- */

static int compare_places(const stoic_sensitivity_row *x, const stoic_sensitivity_row *y) {
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    if (x->tensor != y->tensor) /* not NULL: rows of one ranking are told alike */
        return strcmp(x->tensor, y->tensor);
    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return (x->bit > y->bit) - (x->bit < y->bit);
}

static int compare_rows(const void *a, const void *b) {
    const stoic_sensitivity_row *x = a, *y = b;
    if (x->critical_rate.low != y->critical_rate.low)
        return x->critical_rate.low > y->critical_rate.low ? -1 : 1;
    if (x->critical_rate.value != y->critical_rate.value)
        return x->critical_rate.value > y->critical_rate.value ? -1 : 1;
    return compare_places(x, y);
}

static int compare_shares(const void *a, const void *b) {
    const stoic_sensitivity_row *x = a, *y = b;
    if (x->critical != y->critical)
        return x->critical > y->critical ? -1 : 1;
    return compare_places(x, y);
}

static void sum_up(stoic_sensitivity_row *rows, size_t n) {
    int64_t critical = 0, before = 0;
    for (size_t i = 0; i < n; i++)
        critical += rows[i].critical;
    for (size_t i = 0; i < n; i++) {
        stoic_sensitivity_row *row = &rows[i];
        before += row->critical;
        row->share = critical > 0 ? (double)row->critical / (double)critical : (double)NAN;
        row->cumulative = critical > 0 ? (double)before / (double)critical : (double)NAN;
    }
}

void stoic_sensitivity_by_share(stoic_sensitivity_row *rows, size_t n) {
    qsort(rows, n, sizeof *rows, compare_shares);
    sum_up(rows, n);
}

size_t stoic_sensitivity_cover(const stoic_sensitivity_row *rows, size_t n, double share) {
    size_t k = 0;
    while (k < n && !(rows[k].cumulative >= share))
        k++;
    return k < n ? k + 1 : 0;
}

static stoic_status rank(const scan *s, int64_t trials, stoic_sensitivity_row **rows, size_t *n,
                         stoic_error *err) {
    const stoic_records *records = s->records;
    stoic_basis basis = stoic_estimate_basis(records->file);
    basis.complete = stoic_estimate_complete(records->file, trials);
    *rows = calloc(s->table.used + 1, sizeof **rows);
    if (!*rows)
        return stoic_fail_memory(err, "a ranking", s->table.used * sizeof **rows);
    for (size_t i = 0; i < s->table.size; i++) {
        const group *in = &s->table.slots[i];
        if (!in->moments.trials)
            continue;
        (*rows)[(*n)++] =
            (stoic_sensitivity_row){.layer = in->key.layer,
                                    .channel = in->key.channel,
                                    .index = in->key.index,
                                    .tensor = name_of(in->key.tensor),
                                    .bit = in->key.bit,
                                    .trials = in->moments.trials,
                                    .critical = in->moments.totals.critical,
                                    .critical_rate = stoic_moments_critical(&in->moments, &basis)};
    }
    qsort(*rows, *n, sizeof **rows, compare_rows);
    sum_up(*rows, *n);
    return STOIC_OK;
}

/* ---- all of it ---- */

static stoic_status check_model(const scan *s, stoic_error *err) {
    const char *known = stoic_facts_get(&s->records->file->facts, "model_digest");
    uint8_t digest[16];
    char text[STOIC_DIGEST_TEXT];
    if (!s->model)
        return s->by & STOIC_BY_CHANNEL
                   ? stoic_fail(err, STOIC_ERR_ARGUMENT, s->path,
                                "channels need the model that the campaign was run on")
                   : STOIC_OK;
    stoic_model_digest(s->model, digest);
    stoic_digest_spell(digest, text);
    if (!known || strcmp(known, text) != 0)
        return stoic_fail(err, STOIC_ERR_MISMATCH, s->path,
                          "the campaign was run on another model (digest %s, this one has %s)",
                          known ? known : "unknown", text);
    return STOIC_OK;
}

stoic_status stoic_sensitivity_measure(const char *campaign, const stoic_model *model, unsigned by,
                                       stoic_sensitivity_row **rows, size_t *n, stoic_error *err) {
    scan s = {.model = model, .path = campaign, .by = by};
    stoic_status status = STOIC_OK;
    int64_t trials = 0;
    *rows = NULL;
    *n = 0;
    if (by & (STOIC_BY_CHANNEL | STOIC_BY_WEIGHT))
        s.by |= STOIC_BY_LAYER;
    TRY(stoic_records_open(campaign, &s.records, err));
    if (s.records->allocation) {
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, campaign,
                            "a stratified campaign hit some bits more often than others: a ranking "
                            "needs simple sampling ('inject --by layer,bit' shows its groups)");
        goto done;
    }
    TRY(check_model(&s, err));
    TRY(read_trials(&s, &trials, err));
    if (!s.table.used) {
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, campaign,
                            "no complete trial that hit anything to rank");
        goto done;
    }
    TRY(rank(&s, trials, rows, n, err));
done:
    free(s.table.slots);
    stoic_records_free(s.records);
    return status;
}
