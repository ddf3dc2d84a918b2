#include "stoic/store.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "store/layout.h"

/* Collects the entries of a store; a constant used twice is stored once. */
typedef struct collector {
    stoic_store *store;
    bool *seen; /* by value number */
} collector;

static stoic_status add_entry(collector *c, int value, int layer, stoic_role role,
                              stoic_error *err) {
    stoic_store *store = c->store;
    const stoic_model *model = store->model;
    if (value < 0 || !model->values[value].constant || c->seen[value] ||
        !(store->layout.include >> role & 1))
        return STOIC_OK;
    const stoic_tensor *tensor = model->values[value].constant;
    if (stoic_tensor_dtype(tensor) != STOIC_F32)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, model->values[value].name,
                          "a store holds float32 tensors, '%s' is %s", model->values[value].name,
                          stoic_dtype_name(stoic_tensor_dtype(tensor)));
    int64_t bits = 0;
    stoic_store_entry *entry = &store->entries[store->n_entries];
    entry->tensor = value;
    entry->layer = layer;
    entry->role = role;
    entry->name = model->values[value].name;
    entry->shape = *stoic_tensor_shape(tensor);
    entry->words = stoic_tensor_count(tensor);
    entry->word_bits = store->word_bits;
    entry->first_bit = store->total_bits;
    if (__builtin_mul_overflow(entry->words, (int64_t)entry->word_bits, &bits) ||
        __builtin_add_overflow(store->total_bits, bits, &store->total_bits))
        return stoic_fail(err, STOIC_ERR_MEMORY, entry->name, "more bits than a store can number");
    c->seen[value] = true;
    store->n_entries++;
    return STOIC_OK;
}

/* Input `i` of a node, -1 where it has no such input. */
static int input_of(const stoic_node *node, size_t i) {
    return i < node->n_in ? node->in[i] : -1;
}

static stoic_status collect_entries(stoic_store *store, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_model *model = store->model;
    collector c = {store, calloc(model->n_values + 1, sizeof *c.seen)};
    if (!c.seen)
        return stoic_fail_memory(err, "a store", model->n_values + 1);
    for (size_t layer = 0; layer < model->n_layers; layer++) {
        const stoic_node *node = &model->nodes[model->layer_nodes[layer]];
        TRY(add_entry(&c, input_of(node, 1), (int)layer, STOIC_ROLE_WEIGHT, err));
        TRY(add_entry(&c, input_of(node, 2), (int)layer, STOIC_ROLE_BIAS, err));
    }
    for (size_t i = 0; i < model->n_nodes; i++) {
        if (model->nodes[i].op != &stoic_op_batch_normalization)
            continue;
        for (size_t input = 1; input <= 4; input++) /* scale, bias, mean, variance */
            TRY(add_entry(&c, input_of(&model->nodes[i], input), -1, STOIC_ROLE_BN, err));
    }
done:
    free(c.seen);
    return status;
}

static int compare_pairs(const void *a, const void *b) {
    const int *x = a, *y = b;
    return (x[0] > y[0]) - (x[0] < y[0]);
}

/* Edits are sorted by value number, entries by layer. */
static stoic_status rank_entries(stoic_store *store, stoic_error *err) {
    size_t n = (size_t)store->n_entries;
    int *pairs = calloc(2 * n + 1, sizeof *pairs);
    store->rank = calloc(n + 1, sizeof *store->rank);
    if (!pairs || !store->rank) {
        free(pairs);
        return stoic_fail_memory(err, "a store", (2 * n + 1) * sizeof *pairs);
    }
    for (size_t i = 0; i < n; i++) {
        pairs[2 * i] = store->entries[i].tensor;
        pairs[2 * i + 1] = (int)i;
    }
    qsort(pairs, n, 2 * sizeof *pairs, compare_pairs);
    for (size_t i = 0; i < n; i++)
        store->rank[pairs[2 * i + 1]] = (int)i;
    free(pairs);
    return STOIC_OK;
}

stoic_status stoic_store_create(const stoic_model *model, const char *spec, stoic_store **out,
                                stoic_error *err) {
    stoic_status status = STOIC_OK;
    stoic_store *store = calloc(1, sizeof *store);
    *out = NULL;
    if (!store)
        return stoic_fail_memory(err, "a store", sizeof *store);
    TRY(stoic_layout_parse(spec, &store->layout, err));
    store->model = stoic_model_retain(model);
    store->word_bits = store->layout.code->bits(store->layout.format->bits);
    size_t most = 2 * model->n_layers + 4 * model->n_nodes + 1;
    store->entries = most < INT_MAX ? calloc(most, sizeof *store->entries) : NULL;
    if (!store->entries) {
        status = stoic_fail_memory(err, "a store", most * sizeof *store->entries);
        goto done;
    }
    TRY(collect_entries(store, err));
    TRY(rank_entries(store, err));
done:
    if (status == STOIC_OK)
        *out = store;
    else
        stoic_store_free(store);
    return status;
}

void stoic_store_free(stoic_store *store) {
    if (!store)
        return;
    stoic_layout_deinit(&store->layout);
    stoic_model_free(store->model);
    free(store->entries);
    free(store->rank);
    free(store);
}

int stoic_store_entry_count(const stoic_store *store) {
    return store->n_entries;
}

const stoic_store_entry *stoic_store_entry_at(const stoic_store *store, int entry) {
    return &store->entries[entry];
}

int64_t stoic_store_total_bits(const stoic_store *store) {
    return store->total_bits;
}

int64_t stoic_store_side_bits(const stoic_store *store) {
    (void)
        store; /* scales, zero points and lists of outliers come with the formats that need them */
    return 0;
}

const char *stoic_store_text(const stoic_store *store) {
    return store->layout.text;
}

const char *stoic_bit_role_name(stoic_bit_role role) {
    static const char *const names[] = {"data", "copy", "parity"};
    return names[role];
}

stoic_bit_role stoic_store_bit_role(const stoic_store *store, int entry, int bit) {
    (void)entry;
    return store->layout.code->role(bit);
}

const char *stoic_store_bit_field(const stoic_store *store, int entry, int bit) {
    (void)entry;
    return stoic_format_field(store->layout.format, bit);
}

stoic_status stoic_store_bits(const stoic_store *store, int entry, const char *field,
                              uint64_t *mask, stoic_error *err) {
    (void)entry;
    stoic_status status = stoic_format_mask(store->layout.format, field, mask, err);
    *mask &= ~store->layout.protected_bits;
    return status;
}

const stoic_model *stoic_store_model(const stoic_store *store) {
    return store->model;
}

uint64_t stoic_store_encode(const stoic_store *store, const float *value) {
    return store->layout.code->encode(store->layout.format->encode(value));
}

uint64_t stoic_store_protected(const stoic_store *store) {
    return store->layout.protected_bits;
}

void stoic_store_bits_text(const stoic_store *store, uint64_t mask, char text[STOIC_MASK_TEXT]) {
    stoic_format_mask_text(store->layout.format, mask, ~store->layout.protected_bits, text);
}
