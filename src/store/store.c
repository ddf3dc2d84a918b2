#include "stoic/store.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "store/bulk.h"

/* Collects the entries of a store; a constant used twice is stored once. */
typedef struct collector {
    stoic_store *store;
    bool *seen; /* by value number */
} collector;

/* Counts an entry's bits; padding is what its last word could hold besides. */
static stoic_status measure(stoic_store *store, stoic_store_entry *entry, const stoic_code *code,
                            stoic_error *err) {
    stoic_store_facts *facts = &store->facts;
    int64_t data = 0, redundant = 0, full = 0;
    entry->word_weights = code->weights;
    entry->word_bits = code->word;
    entry->words = (entry->weights + code->weights - 1) / code->weights;
    entry->first_bit = facts->total_bits;
    if (__builtin_mul_overflow(entry->weights, (int64_t)code->data, &data) ||
        __builtin_mul_overflow(entry->words, (int64_t)code->redundant, &redundant) ||
        __builtin_mul_overflow(entry->words, (int64_t)code->word, &full) ||
        __builtin_add_overflow(data, redundant, &entry->stored_bits) ||
        __builtin_add_overflow(facts->total_bits, full, &full) ||
        __builtin_add_overflow(facts->total_bits, entry->stored_bits, &facts->total_bits))
        return stoic_fail(err, STOIC_ERR_MEMORY, entry->name, "more bits than a store can number");
    facts->padding_bits += entry->words * code->word - entry->stored_bits;
    facts->weights += entry->weights;
    return STOIC_OK;
}

static stoic_status add_entry(collector *c, int value, int layer, stoic_role role,
                              stoic_error *err) {
    stoic_store *store = c->store;
    const stoic_model *model = store->model;
    if (value < 0 || !model->values[value].constant || c->seen[value] ||
        !(store->layouts.items[0].include >> role & 1))
        return STOIC_OK;
    const stoic_tensor *tensor = model->values[value].constant;
    if (stoic_tensor_dtype(tensor) != STOIC_F32)
        return stoic_fail(err, STOIC_ERR_UNSUPPORTED, model->values[value].name,
                          "a store holds float32 tensors, '%s' is %s", model->values[value].name,
                          stoic_dtype_name(stoic_tensor_dtype(tensor)));
    stoic_store_entry *entry = &store->entries[store->n_entries];
    entry->tensor = value;
    entry->layer = layer;
    entry->role = role;
    entry->name = model->values[value].name;
    entry->shape = *stoic_tensor_shape(tensor);
    entry->weights = stoic_tensor_count(tensor);
    stoic_lines *lines = &store->lines[store->n_entries];
    lines->layout = stoic_layouts_at(&store->layouts, layer);
    lines->given = lines->weights = stoic_tensor_data(tensor);
    stoic_status status = measure(store, entry, &lines->layout->code, err);
    c->seen[value] = true;
    store->n_entries += status == STOIC_OK;
    return status;
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

/* A layer with a layout of its own must have something to lie in it. */
static stoic_status check_layers(const stoic_store *store, stoic_error *err) {
    for (int layer = 0; layer < store->layouts.n_layers; layer++) {
        bool found = stoic_layouts_at(&store->layouts, layer) == &store->layouts.items[0];
        for (int i = 0; i < store->n_entries && !found; i++)
            found = store->entries[i].layer == layer;
        if (!found)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "store '%s': layer %d has no tensor of its own in it (a shared "
                              "tensor belongs to its first layer)",
                              store->layouts.text, layer);
    }
    return STOIC_OK;
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
    store->model = stoic_model_retain(model);
    TRY(stoic_layouts_parse(spec, model, stoic_model_layer_count(model), &store->layouts, err));
    size_t most = 2 * model->n_layers + 4 * model->n_nodes + 1;
    if (most < INT_MAX) {
        store->entries = calloc(most, sizeof *store->entries);
        store->lines = calloc(most, sizeof *store->lines);
    }
    if (!store->entries || !store->lines) {
        status = stoic_fail_memory(err, "a store", most * sizeof *store->entries);
        goto done;
    }
    TRY(collect_entries(store, err));
    TRY(check_layers(store, err));
    TRY(rank_entries(store, err));
    TRY(stoic_aside_read(store, err));
    for (int i = 0; i < store->n_entries; i++) {
        TRY(stoic_lines_fit(store, i, err));
        TRY(stoic_lines_reserve(store, i, err));
        if (store->lines[i].image && stoic_bulk_encodes(store, i))
            stoic_bulk_encode(stoic_store_kernels_get(), store, i);
        else if (store->lines[i].image)
            TRY(stoic_lines_encode(store, i, err));
    }
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
    for (int i = 0; i < store->n_entries; i++)
        stoic_lines_deinit(&store->lines[i]);
    stoic_layouts_deinit(&store->layouts);
    stoic_model_free(store->model);
    free(store->entries);
    free(store->lines);
    free(store->rank);
    free(store);
}

/* ---- what it is ---- */

int stoic_store_entry_count(const stoic_store *store) {
    return store->n_entries;
}

const stoic_store_entry *stoic_store_entry_at(const stoic_store *store, int entry) {
    return &store->entries[entry];
}

int64_t stoic_store_total_bits(const stoic_store *store) {
    return store->facts.total_bits;
}

int64_t stoic_store_side_bits(const stoic_store *store) {
    return store->facts.side_bits;
}

int64_t stoic_store_aside_bits(const stoic_store *store) {
    return store->aside_bits;
}

/* Of the weakest code there is. */
void stoic_store_describe(const stoic_store *store, stoic_store_facts *out) {
    const stoic_layouts *layouts = &store->layouts;
    *out = store->facts;
    out->corrects = layouts->items[0].code.corrects;
    out->detects = layouts->items[0].code.detects;
    out->repairs = layouts->items[0].code.family->repairs;
    for (int i = 0; i < store->n_entries; i++) {
        const stoic_code *code = &stoic_layout_of(store, i)->code;
        bool first = i == 0;
        out->corrects = first || code->corrects < out->corrects ? code->corrects : out->corrects;
        out->detects = first || code->detects < out->detects ? code->detects : out->detects;
        out->repairs = first || !strcmp(out->repairs, code->family->repairs)
                           ? code->family->repairs
                           : "differs from layer to layer";
    }
}

const char *stoic_store_text(const stoic_store *store) {
    return store->layouts.text;
}

const char *stoic_store_entry_text(const stoic_store *store, int entry) {
    return stoic_layout_of(store, entry)->text;
}

const stoic_model *stoic_store_model(const stoic_store *store) {
    return store->model;
}

int stoic_store_data_bits(const stoic_store *store, int entry) {
    return stoic_layout_of(store, entry)->code.data;
}

int stoic_store_redundant_bits(const stoic_store *store, int entry) {
    return stoic_layout_of(store, entry)->code.redundant;
}

bool stoic_store_is_float(const stoic_store *store, int entry) {
    return stoic_format_is_float(&stoic_layout_of(store, entry)->format);
}

bool stoic_store_is_coded(const stoic_store *store) {
    for (int i = 0; i < store->n_entries; i++) {
        if (stoic_layout_of(store, i)->code.family != &stoic_code_none)
            return true;
    }
    return false;
}

bool stoic_store_protects(const stoic_store *store, int entry, int bit) {
    return stoic_field_has(&stoic_layout_of(store, entry)->protect, bit);
}

bool stoic_store_differs(const stoic_store *store) {
    return store->layouts.n > 1;
}

bool stoic_store_divides(const stoic_store *store) {
    return store->layouts.items[0].rescale == STOIC_RESCALE_WEIGHTS;
}

/* ---- bits ---- */

const char *stoic_bit_role_name(stoic_bit_role role) {
    static const char *const names[] = {"data", "copy", "parity"};
    return names[role];
}

void stoic_store_place(const stoic_store *store, int entry, int64_t word, int bit,
                       stoic_place *out) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const stoic_lines *lines = &store->lines[entry];
    int held = code->weights * code->data, weight = 0;
    uint32_t side = lines->side ? lines->side[word] : 0;
    if (bit < 0)
        weight = -1 - bit;
    else if (bit < held)
        weight = bit / code->data;
    out->index = word * code->weights + weight;
    out->bit = bit < 0 ? -1 : bit < held ? bit % code->data : code->data + bit - held;
    out->role = bit < 0 ? STOIC_BIT_DATA : code->family->role(code, bit, side);
    out->field = stoic_layout_field(stoic_layout_of(store, entry), out->bit, out->role);
}

const char *stoic_layout_field(const stoic_layout *layout, int bit, stoic_bit_role role) {
    const stoic_code *code = &layout->code;
    if (bit < 0)
        return "";
    if (role == STOIC_BIT_PARITY || (bit >= code->data && !code->copied))
        return "parity";
    if (bit >= code->data) /* a copy: the bit it repeats */
        bit = code->data - code->copied + (bit - code->data) % code->copied;
    return stoic_format_field(&layout->format, bit);
}

int stoic_store_find(const stoic_store *store, int entry, int64_t index, int bit, int64_t *word) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    const stoic_store_entry *e = &store->entries[entry];
    if (index < 0 || index >= e->weights || bit < 0 || bit >= code->data + code->redundant)
        return -1;
    *word = index / code->weights;
    if (bit < code->data)
        return (int)(index % code->weights) * code->data + bit;
    return code->weights * code->data + bit - code->data;
}

stoic_status stoic_store_bits(const stoic_store *store, int entry, const char *field,
                              stoic_field *out, stoic_error *err) {
    const stoic_layout *layout = stoic_layout_of(store, entry);
    stoic_status status =
        stoic_field_parse(&layout->format, layout->code.redundant, "bits", field, out, err);
    stoic_field_remove(out, &layout->protect);
    return status;
}

void stoic_store_bits_text(const stoic_store *store, int entry, const stoic_field *field,
                           char text[STOIC_FIELD_TEXT]) {
    const stoic_layout *layout = stoic_layout_of(store, entry);
    stoic_field_spell(&layout->format, layout->code.redundant, field, &layout->protect, text);
}

uint64_t stoic_store_data(const stoic_store *store, int entry, int64_t index) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    stoic_word word = stoic_store_word(store, entry, index / code->weights);
    return stoic_word_get(&word, (int)(index % code->weights) * code->data, code->data);
}

bool stoic_store_holds(const stoic_store *store, int entry, float value) {
    const stoic_format *format = &stoic_layout_of(store, entry)->format;
    const stoic_lines *lines = &store->lines[entry];
    for (int64_t c = 0; c < lines->channels; c++) {
        const stoic_grid *grid = &lines->grids[c];
        stoic_fit fit;
        double steps = (double)value / grid->step + grid->zero;
        stoic_format_encode(format, grid, &value, &fit);
        bool outside = fit == STOIC_FIT_OUTSIDE;
        if (format->kind == STOIC_FORMAT_AFFINE)
            outside = steps < -0.5 || steps > ldexp(1.0, format->bits) - 0.5;
        else if (format->kind == STOIC_FORMAT_INT8)
            outside = fabs(steps) > 127.5;
        if (outside)
            return false;
    }
    return true;
}

uint64_t stoic_store_encode(const stoic_store *store, int entry, int64_t index,
                            const float *value) {
    stoic_fit fit;
    return stoic_format_encode(&stoic_layout_of(store, entry)->format,
                               stoic_lines_grid(&store->lines[entry], index), value, &fit);
}

/* What the code of a weight's word keeps aside. */
static uint32_t side_of(const stoic_store *store, int entry, int64_t word) {
    return store->lines[entry].side ? store->lines[entry].side[word] : 0;
}

uint64_t stoic_store_form(const stoic_store *store, int entry, int64_t index, const float *value) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    uint64_t data[STOIC_WORD_WEIGHTS] = {0};
    int place = (int)(index % code->weights);
    stoic_word word;
    data[place] = stoic_store_encode(store, entry, index, value);
    code->family->encode(code, data, side_of(store, entry, index / code->weights), &word);
    return stoic_word_get(&word, place * code->data, code->data);
}

uint64_t stoic_store_plain_bits(const stoic_store *store, int entry, int64_t index) {
    const stoic_code *code = &stoic_layout_of(store, entry)->code;
    uint32_t side = side_of(store, entry, index / code->weights);
    int first = (int)(index % code->weights) * code->data;
    uint64_t plain = 0;
    for (int bit = 0; bit < code->data; bit++) {
        if (code->family->role(code, first + bit, side) == STOIC_BIT_DATA)
            plain |= (uint64_t)1 << bit;
    }
    return plain;
}

/* ---- weights ---- */

stoic_status stoic_store_decode(const stoic_store *store, int entry, float *weights,
                                stoic_error *err) {
    if (entry < 0 || entry >= store->n_entries)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "", "entry %d of a store with %d entries", entry,
                          store->n_entries);
    if (store->lines[entry].image && stoic_bulk_decodes(store, entry))
        stoic_bulk_decode(stoic_store_kernels_get(), store, entry, weights);
    else if (store->lines[entry].image)
        stoic_lines_decode(store, entry, weights);
    else
        memcpy(weights, store->lines[entry].given,
               (size_t)store->entries[entry].weights * sizeof *weights);
    return STOIC_OK;
}

stoic_status stoic_store_golden(const stoic_store *store, stoic_model **out, stoic_error *err) {
    stoic_status status = STOIC_OK;
    size_t n = (size_t)store->n_entries, made = 0;
    stoic_tensor **tensors = calloc(n + 1, sizeof *tensors);
    int *values = calloc(n + 1, sizeof *values);
    stoic_model *decoded = NULL;
    *out = NULL;
    if (!tensors || !values) {
        status = stoic_fail_memory(err, "a decoded model", n * sizeof *tensors);
        goto done;
    }
    for (int i = 0; i < store->n_entries; i++) {
        if (!store->lines[i].image)
            continue;
        values[made] = store->entries[i].tensor;
        TRY(stoic_tensor_create(STOIC_F32, &store->entries[i].shape, &tensors[made], err));
        TRY(stoic_store_decode(store, i, stoic_tensor_mutable_data(tensors[made]), err));
        made++;
    }
    if (made == 0)
        *out = stoic_model_retain(store->model);
    else
        TRY(stoic_model_with_constants(store->model, values, tensors, made, &decoded, err));
    if (decoded && !stoic_store_divides(store)) {
        TRY(stoic_store_rescale(store, decoded, out, err));
    } else if (decoded) {
        *out = decoded;
        decoded = NULL;
    }
done:
    stoic_model_free(decoded);
    for (size_t i = 0; tensors && i <= made && i < n; i++)
        stoic_tensor_free(tensors[i]);
    free(tensors);
    free(values);
    return status;
}
