#include "fault/space.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "model/layer_list.h"
#include "store/layout.h"

static unsigned roles_present(const stoic_store *store) {
    unsigned roles = 0;
    for (int i = 0; i < stoic_store_entry_count(store); i++)
        roles |= 1u << stoic_store_entry_at(store, i)->role;
    return roles;
}

static stoic_status parse_roles(const stoic_store *store, const char *list, unsigned *roles,
                                stoic_error *err) {
    unsigned present = roles_present(store);
    *roles = present;
    if (!list)
        return STOIC_OK;
    stoic_status status = stoic_roles_parse("tensor", list, roles, err);
    if (status == STOIC_OK && (*roles & ~present)) {
        char text[32];
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                            "tensor: the store '%s' holds no %s tensor; include= says what it "
                            "holds",
                            stoic_store_text(store), stoic_roles_text(*roles & ~present, text));
    }
    return status;
}

/* The bits of a word that stand for the field, weight after weight, then redundancy. */
static int list_bits(const stoic_fault *fault, int entry, const stoic_ways *word, int16_t *bits,
                     int *n_data) {
    const stoic_store *store = fault->store;
    const stoic_field *field = &fault->fields[entry];
    const int data = stoic_store_data_bits(store, entry);
    const int full = stoic_store_entry_at(store, entry)->word_weights;
    int n = 0;
    for (int w = 0; w < word->weights; w++) {
        for (int bit = 0; bit < data && !(word->spared >> w & 1); bit++) {
            if (stoic_field_has(field, bit))
                bits[n++] = (int16_t)(w * data + bit);
        }
    }
    *n_data = n;
    if (__builtin_popcount(word->spared) == word->weights)
        return n;
    for (int bit = 0; bit < stoic_store_redundant_bits(store, entry); bit++) {
        if (stoic_field_has(field, data + bit))
            bits[n++] = (int16_t)(full * data + bit);
    }
    return n;
}

static bool has_bit(const int16_t *bits, int n, int64_t bit) {
    for (int i = 0; i < n; i++) {
        if (bits[i] == bit)
            return true;
    }
    return false;
}

bool stoic_fault_replaces(const stoic_fault *fault) {
    return fault->kind == STOIC_FAULT_SET || fault->kind == STOIC_FAULT_RANDOM ||
           fault->kind == STOIC_FAULT_ZERO;
}

/* The ways a word can be hit, by the kind of model. */
static void fill_ways(const stoic_fault *fault, int entry, stoic_ways *out, int16_t *ways) {
    int16_t bits[64 * STOIC_WORD_PARTS];
    int n_data, n = list_bits(fault, entry, out, bits, &n_data);
    out->bits = n;
    out->ways = out->data_ways = 0;
    for (int w = 0; w < out->weights && stoic_fault_replaces(fault) && n_data; w++) {
        if (!(out->spared >> w & 1))
            ways[out->ways++] = (int16_t)(-1 - w);
    }
    if (stoic_fault_replaces(fault)) {
        out->data_ways = out->ways;
        return;
    }
    for (int i = 0; i < n; i++) {
        bool fits = true;
        for (int k = 1; k < fault->run && fits; k++) /* run is 1 but for mbu */
            fits = has_bit(bits, n, bits[i] + (int64_t)k * fault->distance);
        if (!fits)
            continue;
        ways[out->ways++] = bits[i];
        out->data_ways += i < n_data;
    }
}

enum { LOOK_BACK = 64 }; /* so many ways of an entry are looked through for the same */

/* Finds or makes the ways of such a word; `first` is the first of the entry. */
static stoic_status find_ways(stoic_fault *fault, int entry, int first, int weights,
                              uint32_t spared, const stoic_ways **out, stoic_error *err) {
    int16_t bits[64 * STOIC_WORD_PARTS];
    for (int i = fault->n_ways - 1; i >= first && i >= fault->n_ways - LOOK_BACK; i--) {
        *out = &fault->ways[i];
        if ((*out)->weights == weights && (*out)->spared == spared)
            return STOIC_OK;
    }
    if (fault->n_ways == fault->room_ways) {
        int room = fault->room_ways ? 2 * fault->room_ways : 16;
        stoic_ways *grown = realloc(fault->ways, (size_t)room * sizeof *grown);
        if (!grown)
            return stoic_fail_memory(err, "a fault model", (size_t)room * sizeof *grown);
        fault->ways = grown;
        fault->room_ways = room;
    }
    stoic_ways *ways = &fault->ways[fault->n_ways];
    *ways = (stoic_ways){.weights = weights, .spared = spared};
    fill_ways(fault, entry, ways, bits);
    ways->bit = malloc(((size_t)ways->ways + 1) * sizeof *ways->bit);
    if (!ways->bit)
        return stoic_fail_memory(err, "a fault model", sizeof bits);
    memcpy(ways->bit, bits, (size_t)ways->ways * sizeof *ways->bit);
    fault->n_ways++;
    *out = ways;
    return STOIC_OK;
}

static stoic_status add_patch(stoic_fault *fault, int entry, int64_t start, int64_t words,
                              const stoic_ways *ways, stoic_error *err) {
    if (fault->n_patches == fault->room_patches) {
        int room = fault->room_patches ? 2 * fault->room_patches : 16;
        stoic_patch *grown = realloc(fault->patches, (size_t)room * sizeof *grown);
        if (!grown)
            return stoic_fail_memory(err, "a fault model", (size_t)room * sizeof *grown);
        fault->patches = grown;
        fault->room_patches = room;
    }
    stoic_patch *patch = &fault->patches[fault->n_patches];
    *patch = (stoic_patch){.entry = entry,
                           .ways = ways->ways,
                           .data_ways = ways->data_ways,
                           .bit = ways->bit,
                           .start = start,
                           .words = words,
                           .first_site = fault->sites,
                           .first_word = fault->words,
                           .first_data = fault->data_sites,
                           .first_redundant = fault->redundant_sites};
    /* words x ways <= words x word_bits, which the store has checked not to overflow */
    fault->selected_bits += words * ways->bits;
    fault->sites += words * patch->ways;
    fault->data_sites += words * patch->data_ways;
    fault->redundant_sites += words * (patch->ways - patch->data_ways);
    fault->words += patch->ways ? words : 0; /* a short last word may be too small for a run */
    fault->same_ways = fault->same_ways && patch->ways == fault->patches[0].ways;
    fault->n_patches++;
    return STOIC_OK;
}

/* Patches for an entry's words, cut where some of their weights lie aside. */
static stoic_status add_patches(stoic_fault *fault, int entry, stoic_error *err) {
    const stoic_store_entry *e = stoic_store_entry_at(fault->store, entry);
    const int64_t held = e->word_weights, full = e->weights / held;
    const int first = fault->n_ways;
    stoic_status status = STOIC_OK;
    int64_t n, i = 0;
    const int64_t *listed = stoic_store_listed(fault->store, entry, &n);
    for (int64_t word = 0; word < e->words;) {
        while (i < n && listed[i] / held < word)
            i++;
        int64_t cut = i < n ? listed[i] / held : e->words, words = 1;
        int weights = word < full ? (int)held : (int)(e->weights % held);
        uint32_t spared = 0;
        const stoic_ways *ways;
        if (cut == word)
            spared = stoic_store_spared(fault->store, entry, word);
        else if (word < full)
            words = (cut < full ? cut : full) - word;
        if (__builtin_popcount(spared) < weights) {
            TRY(find_ways(fault, entry, first, weights, spared, &ways, err));
            if (ways->ways || !spared)
                TRY(add_patch(fault, entry, word, words, ways, err));
        }
        word += words;
    }
done:
    return status;
}

/* Names the layer of an error, where a layer is why. */
static void tell_layer(const stoic_fault *fault, int entry, stoic_error *err) {
    const stoic_store_entry *e = stoic_store_entry_at(fault->store, entry);
    if (err && stoic_store_differs(fault->store) && e->layer >= 0)
        snprintf(err->place, sizeof err->place, "layer %d ('%.200s'); layer= can leave it out",
                 e->layer, e->name);
}

static bool is_all_aside(const stoic_store *store, int entry) {
    int64_t n;
    stoic_store_listed(store, entry, &n);
    return n == stoic_store_entry_at(store, entry)->weights;
}

static stoic_status add_entry(stoic_fault *fault, int entry, const char *bits, stoic_error *err) {
    const stoic_store_entry *e = stoic_store_entry_at(fault->store, entry);
    int64_t sites = fault->sites;
    stoic_status status = stoic_store_bits(fault->store, entry, bits, &fault->fields[entry], err);
    if (status == STOIC_OK && !stoic_field_count(&fault->fields[entry]))
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                            "bits: the store '%s' protects every bit of '%s'",
                            stoic_store_text(fault->store), bits);
    if (status != STOIC_OK) {
        tell_layer(fault, entry, err);
        return status;
    }
    TRY(add_patches(fault, entry, err));
    if (fault->sites == sites && stoic_fault_replaces(fault))
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "bits: '%s' are no data bits of a weight, which the model replaces",
                          bits);
    if (fault->sites == sites)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "mbu: %d bits, %d apart, fit nowhere into the bits '%s' of a word of %d",
                          fault->run, fault->distance, bits, e->word_bits);
done:
    return status;
}

/* Every layer asked for by number or name must have something to hit. */
static stoic_status check_layers(const stoic_fault *fault, const bool *chosen, int count,
                                 unsigned roles, stoic_error *err) {
    for (int layer = 0; layer < count; layer++) {
        bool found = !chosen[layer];
        for (int i = 0; i < fault->n_patches && !found; i++)
            found = stoic_store_entry_at(fault->store, fault->patches[i].entry)->layer == layer;
        char text[32];
        for (int i = 0; i < stoic_store_entry_count(fault->store) && !found; i++) {
            const stoic_store_entry *e = stoic_store_entry_at(fault->store, i);
            if (e->layer == layer && (roles >> e->role & 1) && is_all_aside(fault->store, i))
                return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                                  "layer: every weight of layer %d lies aside in the store '%s'",
                                  layer, stoic_store_text(fault->store));
        }
        if (!found)
            return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                              "layer: layer %d has no %s tensor in the store '%s' (a shared "
                              "tensor belongs to its first layer)",
                              layer, stoic_roles_text(roles, text), stoic_store_text(fault->store));
    }
    return STOIC_OK;
}

stoic_status stoic_sites_select(stoic_fault *fault, const stoic_spec *spec, stoic_error *err) {
    stoic_status status = STOIC_OK;
    const stoic_store *store = fault->store;
    const char *layers = stoic_spec_get(spec, "layer"), *bits = stoic_spec_get(spec, "bits");
    const stoic_model *model = stoic_store_model(store);
    int count = stoic_model_layer_count(model);
    int n_entries = stoic_store_entry_count(store);
    unsigned roles = 0;
    bool every = !layers || !strcmp(layers, "all");
    bool *chosen = calloc((size_t)count + 1, sizeof *chosen);
    fault->fields = calloc((size_t)n_entries + 1, sizeof *fault->fields);
    fault->bits = strdup(bits ? bits : "all");
    fault->same_ways = true;
    if (!chosen || !fault->fields || !fault->bits) {
        status =
            stoic_fail_memory(err, "a fault model", ((size_t)n_entries + 1) * sizeof(stoic_field));
        goto done;
    }
    TRY(parse_roles(store, stoic_spec_get(spec, "tensor"), &roles, err));
    if (!every)
        TRY(stoic_layers_parse(model, count, layers, chosen, err));
    for (int i = 0; i < n_entries; i++) {
        const stoic_store_entry *e = stoic_store_entry_at(store, i);
        bool wanted = every || (e->layer >= 0 && chosen[e->layer]);
        if (wanted && (roles >> e->role & 1) && e->words > 0 && !is_all_aside(store, i))
            TRY(add_entry(fault, i, fault->bits, err));
    }
    TRY(check_layers(fault, chosen, count, roles, err));
    if (!fault->words)
        status = stoic_fail(err, STOIC_ERR_ARGUMENT, "", "the store '%s' holds no bit to hit",
                            stoic_store_text(store));
done:
    free(chosen);
    return status;
}

static unsigned roles_selected(const stoic_fault *fault) {
    unsigned roles = 0;
    for (int i = 0; i < fault->n_patches; i++)
        roles |= 1u << stoic_store_entry_at(fault->store, fault->patches[i].entry)->role;
    return roles;
}

/* Are all stored entries of these roles selected? Then the list of layers is "all". */
static bool selects_every_layer(const stoic_fault *fault, unsigned roles) {
    int matching = 0, selected = 0;
    for (int i = 0; i < stoic_store_entry_count(fault->store); i++) {
        const stoic_store_entry *e = stoic_store_entry_at(fault->store, i);
        matching += (roles >> e->role & 1) && e->words > 0 && !is_all_aside(fault->store, i);
    }
    for (int i = 0; i < fault->n_patches; i++)
        selected += i == 0 || fault->patches[i].entry != fault->patches[i - 1].entry;
    return matching == selected;
}

/* One spelling for the bits; as they were asked for where it would not be the same in every layer.
 */
static const char *bits_text(const stoic_fault *fault, char mask[STOIC_FIELD_TEXT]) {
    char other[STOIC_FIELD_TEXT];
    for (int i = 0; i < fault->n_patches; i++) {
        int entry = fault->patches[i].entry;
        if (i && entry == fault->patches[i - 1].entry)
            continue;
        stoic_store_bits_text(fault->store, entry, &fault->fields[entry], i ? other : mask);
        if (i && strcmp(mask, other) != 0)
            return fault->bits;
    }
    return mask;
}

stoic_status stoic_sites_text(const stoic_fault *fault, char **text, stoic_error *err) {
    char mask[STOIC_FIELD_TEXT], roles_text[32];
    const char *bits = bits_text(fault, mask);
    unsigned roles = roles_selected(fault);
    size_t room = (size_t)fault->n_patches * 12 + strlen(bits) + 64, used = 0;
    *text = malloc(room);
    if (!*text)
        return stoic_fail_memory(err, "a fault model", room);
    if (selects_every_layer(fault, roles)) {
        used = (size_t)snprintf(*text, room, ",layer=all");
    } else {
        int last = -1;
        for (int i = 0; i < fault->n_patches; i++) {
            int layer = stoic_store_entry_at(fault->store, fault->patches[i].entry)->layer;
            if (layer == last)
                continue;
            used += (size_t)snprintf(*text + used, room - used, "%s%d", last < 0 ? ",layer=" : "+",
                                     layer);
            last = layer;
        }
    }
    snprintf(*text + used, room - used, ",bits=%s,tensor=%s", bits,
             stoic_roles_text(roles, roles_text));
    return STOIC_OK;
}

/* The last patch whose number, `offset` bytes into it, is at most `number`. */
static const stoic_patch *find_patch(const stoic_fault *fault, size_t offset, int64_t number) {
    int low = 0, high = fault->n_patches - 1;
    while (low < high) {
        int middle = low + (high - low + 1) / 2;
        int64_t first;
        memcpy(&first, (const char *)&fault->patches[middle] + offset, sizeof first);
        if (first <= number)
            low = middle;
        else
            high = middle - 1;
    }
    return &fault->patches[low];
}

stoic_site stoic_sites_at(const stoic_fault *fault, int64_t site) {
    const stoic_patch *patch = find_patch(fault, offsetof(stoic_patch, first_site), site);
    int64_t at = site - patch->first_site;
    return (stoic_site){patch, patch->start + at / patch->ways, (int)(at % patch->ways)};
}

stoic_site stoic_sites_data(const stoic_fault *fault, int64_t site) {
    const stoic_patch *patch = find_patch(fault, offsetof(stoic_patch, first_data), site);
    int64_t at = site - patch->first_data;
    return (stoic_site){patch, patch->start + at / patch->data_ways, (int)(at % patch->data_ways)};
}

stoic_site stoic_sites_redundant(const stoic_fault *fault, int64_t site) {
    const stoic_patch *patch = find_patch(fault, offsetof(stoic_patch, first_redundant), site);
    int64_t at = site - patch->first_redundant;
    int ways = patch->ways - patch->data_ways;
    return (stoic_site){patch, patch->start + at / ways, patch->data_ways + (int)(at % ways)};
}

stoic_site stoic_sites_word(const stoic_fault *fault, int64_t word) {
    const stoic_patch *patch = find_patch(fault, offsetof(stoic_patch, first_word), word);
    return (stoic_site){patch, patch->start + word - patch->first_word, 0};
}
