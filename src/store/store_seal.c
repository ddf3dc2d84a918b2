#include "store/store_seal.h"

#include "base/fail.h"
#include "store/layout.h"

static stoic_status seal_entry(const stoic_store *store, int entry, stoic_seals *seals,
                               stoic_error *err) {
    const stoic_store_entry *e = &store->entries[entry];
    const stoic_lines *lines = &store->lines[entry];
    const size_t weights = (size_t)e->weights * sizeof(float);
    const int64_t bits = e->words * lines->layout->code.word;
    stoic_status status;
    TRY(stoic_seals_add_once(seals, lines->given, weights, err));
    TRY(stoic_seals_add(seals, lines->own, weights, err));
    TRY(stoic_seals_add(seals, lines->image, (size_t)((bits + 63) / 64) * sizeof *lines->image,
                        err));
    TRY(stoic_seals_add(seals, lines->grids, (size_t)lines->channels * sizeof *lines->grids, err));
    TRY(stoic_seals_add(seals, lines->side, (size_t)e->words * sizeof *lines->side, err));
    TRY(stoic_seals_add(seals, lines->listed, (size_t)lines->n_listed * sizeof *lines->listed,
                        err));
    status =
        stoic_seals_add(seals, lines->sparse, (size_t)lines->n_sparse * sizeof *lines->sparse, err);
done:
    return status;
}

stoic_status stoic_store_seal(const stoic_store *store, stoic_seals *seals, stoic_error *err) {
    const size_t n = (size_t)store->n_entries;
    stoic_status status;
    TRY(stoic_seals_add(seals, store->entries, n * sizeof *store->entries, err));
    TRY(stoic_seals_add(seals, store->lines, n * sizeof *store->lines, err));
    for (int i = 0; i < store->n_entries; i++)
        TRY(seal_entry(store, i, seals, err));
done:
    return status;
}
