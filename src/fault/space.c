#include "fault/space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "fault/spelling.h"
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

/* The ways a word can be hit, by the kind of model. */
static void fill_ways(const stoic_fault *fault, stoic_patch *patch, int word_bits) {
    bool whole = fault->kind == STOIC_FAULT_SET || fault->kind == STOIC_FAULT_RANDOM ||
                 fault->kind == STOIC_FAULT_ZERO;
    patch->ways = 0;
    if (whole && patch->mask)
        patch->bit[patch->ways++] = -1;
    for (int bit = 0; bit < word_bits && !whole; bit++) {
        bool fits = patch->mask >> bit & 1;
        for (int k = 1; k < fault->run && fits; k++) { /* run is 1 but for mbu */
            int64_t next = bit + (int64_t)k * fault->distance;
            fits = next < word_bits && patch->mask >> next & 1;
        }
        if (fits)
            patch->bit[patch->ways++] = (int8_t)bit;
    }
}

static stoic_status add_patch(stoic_fault *fault, int entry, const char *bits, stoic_error *err) {
    const stoic_store_entry *e = stoic_store_entry_at(fault->store, entry);
    stoic_patch *patch = &fault->patches[fault->n_patches];
    patch->entry = entry;
    patch->words = e->words;
    stoic_status status = stoic_store_bits(fault->store, entry, bits, &patch->mask, err);
    if (status != STOIC_OK)
        return status;
    if (!patch->mask)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "bits: the store '%s' protects every bit of '%s'",
                          stoic_store_text(fault->store), bits);
    fill_ways(fault, patch, e->word_bits);
    if (!patch->ways)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "mbu: %d bits, %d apart, fit nowhere into the bits '%s' of a word of %d",
                          fault->run, fault->distance, bits, e->word_bits);
    patch->first_site = fault->sites;
    patch->first_word = fault->words;
    /* words x ways <= words x word_bits, which the store has checked not to overflow */
    fault->sites += patch->words * patch->ways;
    fault->words += patch->words;
    fault->selected_bits += patch->words * __builtin_popcountll(patch->mask);
    fault->same_ways = fault->same_ways && patch->ways == fault->patches[0].ways;
    fault->n_patches++;
    return STOIC_OK;
}

/* Every layer asked for by number or name must have something to hit. */
static stoic_status check_layers(const stoic_fault *fault, const bool *chosen, int count,
                                 unsigned roles, stoic_error *err) {
    for (int layer = 0; layer < count; layer++) {
        bool found = !chosen[layer];
        for (int i = 0; i < fault->n_patches && !found; i++)
            found = stoic_store_entry_at(fault->store, fault->patches[i].entry)->layer == layer;
        char text[32];
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
    fault->patches = calloc((size_t)n_entries + 1, sizeof *fault->patches);
    fault->same_ways = true;
    if (!chosen || !fault->patches) {
        status =
            stoic_fail_memory(err, "a fault model", ((size_t)n_entries + 1) * sizeof(stoic_patch));
        goto done;
    }
    TRY(parse_roles(store, stoic_spec_get(spec, "tensor"), &roles, err));
    if (!every)
        TRY(stoic_layers_parse(model, layers, chosen, err));
    for (int i = 0; i < n_entries; i++) {
        const stoic_store_entry *e = stoic_store_entry_at(store, i);
        bool wanted = every || (e->layer >= 0 && chosen[e->layer]);
        if (wanted && (roles >> e->role & 1) && e->words > 0)
            TRY(add_patch(fault, i, bits ? bits : "all", err));
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
    int matching = 0;
    for (int i = 0; i < stoic_store_entry_count(fault->store); i++) {
        const stoic_store_entry *e = stoic_store_entry_at(fault->store, i);
        matching += (roles >> e->role & 1) && e->words > 0;
    }
    return matching == fault->n_patches;
}

stoic_status stoic_sites_text(const stoic_fault *fault, char **text, stoic_error *err) {
    char mask[STOIC_MASK_TEXT], roles_text[32];
    unsigned roles = roles_selected(fault);
    size_t room = (size_t)fault->n_patches * 12 + sizeof mask + 64, used = 0;
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
    /* one format holds all entries, so the first mask is that of all */
    stoic_store_bits_text(fault->store, fault->patches[0].mask, mask);
    snprintf(*text + used, room - used, ",bits=%s,tensor=%s", mask,
             stoic_roles_text(roles, roles_text));
    return STOIC_OK;
}

stoic_site stoic_sites_at(const stoic_fault *fault, int64_t site) {
    int low = 0, high = fault->n_patches - 1;
    while (low < high) { /* the last patch that starts at or before the site */
        int middle = low + (high - low + 1) / 2;
        if (fault->patches[middle].first_site <= site)
            low = middle;
        else
            high = middle - 1;
    }
    const stoic_patch *patch = &fault->patches[low];
    int64_t offset = site - patch->first_site;
    stoic_site out = {patch, offset / patch->ways, (int)(offset % patch->ways)};
    return out;
}

stoic_site stoic_sites_word(const stoic_fault *fault, int64_t word) {
    int low = 0, high = fault->n_patches - 1;
    while (low < high) {
        int middle = low + (high - low + 1) / 2;
        if (fault->patches[middle].first_word <= word)
            low = middle;
        else
            high = middle - 1;
    }
    const stoic_patch *patch = &fault->patches[low];
    stoic_site out = {patch, word - patch->first_word, 0};
    return out;
}
