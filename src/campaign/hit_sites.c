#include "campaign/hit_sites.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

void stoic_site_list_deinit(stoic_site_list *list) {
    free(list->items);
    memset(list, 0, sizeof *list);
}

stoic_status stoic_site_list_resize(stoic_site_list *list, size_t count, stoic_error *err) {
    if (count > list->capacity) {
        size_t capacity = count > 16 ? count + count / 2 : 16;
        stoic_site *items = capacity > SIZE_MAX / sizeof *items
                                ? NULL
                                : realloc(list->items, capacity * sizeof *items);
        if (!items)
            return stoic_fail_memory(err, "fault sites", capacity * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->count = count;
    return STOIC_OK;
}

void stoic_site_drawer_init(stoic_site_drawer *drawer, const stoic_store *store,
                            stoic_fault *const *faults, size_t n_faults) {
    memset(drawer, 0, sizeof *drawer);
    drawer->store = store;
    drawer->faults = faults;
    drawer->n_faults = n_faults;
}

void stoic_site_drawer_deinit(stoic_site_drawer *drawer) {
    stoic_hits_deinit(&drawer->hits);
    stoic_hits_deinit(&drawer->all);
    free(drawer->edits);
    memset(drawer, 0, sizeof *drawer);
}

static stoic_status append_hits(stoic_hits *all, const stoic_hits *more, stoic_error *err) {
    size_t count = all->count + more->count;
    if (count > all->capacity) {
        size_t capacity = count + count / 2 + 16;
        stoic_hit *items = realloc(all->items, capacity * sizeof *items);
        if (!items)
            return stoic_fail_memory(err, "fault sites", capacity * sizeof *items);
        all->items = items;
        all->capacity = capacity;
    }
    if (more->count)
        memcpy(all->items + all->count, more->items, more->count * sizeof *more->items);
    all->count = count;
    return STOIC_OK;
}

static stoic_status draw_hits(stoic_site_drawer *drawer, int64_t trial, stoic_error *err) {
    stoic_status status = STOIC_OK;
    drawer->all.count = 0;
    for (size_t i = 0; i < drawer->n_faults; i++) {
        TRY(stoic_fault_draw(drawer->faults[i], trial, &drawer->hits, err));
        TRY(append_hits(&drawer->all, &drawer->hits, err));
    }
done:
    return status;
}

static stoic_status apply_hits(stoic_site_drawer *drawer, size_t *n_edits, stoic_error *err) {
    stoic_status status;
    *n_edits = drawer->edit_capacity;
    status = stoic_store_apply(drawer->store, drawer->all.items, drawer->all.count, drawer->edits,
                               n_edits, &drawer->decoded, err);
    if (status != STOIC_ERR_MEMORY || *n_edits <= drawer->edit_capacity)
        goto done;
    stoic_edit *edits = realloc(drawer->edits, *n_edits * sizeof *edits);
    if (!edits)
        return stoic_fail_memory(err, "changed weights", *n_edits * sizeof *edits);
    drawer->edits = edits;
    drawer->edit_capacity = *n_edits;
    status = stoic_store_apply(drawer->store, drawer->all.items, drawer->all.count, drawer->edits,
                               n_edits, &drawer->decoded, err);
done:
    return status;
}

stoic_status stoic_site_drawer_hits(stoic_site_drawer *drawer, int64_t trial, size_t *n_edits,
                                    stoic_error *err) {
    stoic_status status;
    TRY(draw_hits(drawer, trial, err));
    status = apply_hits(drawer, n_edits, err);
done:
    return status;
}

/* Edits are sorted by (tensor, index); a weight that is not among them did not change. */
static const stoic_edit *find_edit(const stoic_site_drawer *drawer, size_t n, int32_t tensor,
                                   int64_t index) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const stoic_edit *edit = &drawer->edits[middle];
        if (edit->tensor < tensor || (edit->tensor == tensor && edit->index < index))
            low = middle + 1;
        else
            high = middle;
    }
    const stoic_edit *edit = &drawer->edits[low];
    return low < n && edit->tensor == tensor && edit->index == index ? edit : NULL;
}

static void leave_out(const stoic_site_drawer *drawer, stoic_site_list *sites) {
    const stoic_hits *all = &drawer->all;
    sites->count = 0;
    sites->left_out = all->count;
    sites->layer = stoic_store_entry_at(drawer->store, all->items[0].entry)->layer;
    for (size_t i = 1; i < all->count; i++) {
        if (stoic_store_entry_at(drawer->store, all->items[i].entry)->layer != sites->layer)
            sites->layer = STOIC_SEVERAL_LAYERS;
    }
}

static stoic_status draw_sites(void *user, int64_t trial, stoic_site_list *sites,
                               stoic_error *err) {
    stoic_site_drawer *drawer = user;
    const stoic_store *store = drawer->store;
    size_t n_edits;
    stoic_status status;
    sites->left_out = 0;
    TRY(draw_hits(drawer, trial, err));
    if (drawer->most > 0 && drawer->all.count > drawer->most) {
        leave_out(drawer, sites);
        return STOIC_OK;
    }
    TRY(apply_hits(drawer, &n_edits, err));
    TRY(stoic_site_list_resize(sites, drawer->all.count, err));
    for (size_t i = 0; i < drawer->all.count; i++) {
        const stoic_hit *hit = &drawer->all.items[i];
        const stoic_store_entry *entry = stoic_store_entry_at(store, hit->entry);
        stoic_site *site = &sites->items[i];
        site->entry = hit->entry;
        site->layer = entry->layer;
        float weights[STOIC_WORD_WEIGHTS];
        stoic_word word = stoic_store_word(store, hit->entry, hit->word);
        stoic_place place;
        stoic_store_place(store, hit->entry, hit->word, hit->bit, &place);
        stoic_store_weights(store, hit->entry, hit->word, &word, weights, NULL);
        site->bit = place.bit;
        site->action = hit->action;
        site->role = place.role;
        site->word = hit->word;
        site->index = place.index;
        site->stored = word.part[0];
        memcpy(&site->before, &weights[place.index % entry->word_weights], sizeof site->before);
        const stoic_edit *edit = find_edit(drawer, n_edits, entry->tensor, site->index);
        site->after = edit ? edit->value : site->before;
    }
done:
    return status;
}

stoic_site_source stoic_site_drawer_source(stoic_site_drawer *drawer) {
    const char *text = stoic_store_text(drawer->store);
    return (stoic_site_source){drawer, draw_sites, strcmp(text, "fp32") == 0};
}
