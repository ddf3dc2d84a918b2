#include "fault/fault_seal.h"

#include "base/fail.h"
#include "fault/space.h"

stoic_status stoic_fault_seal(const stoic_fault *f, stoic_seals *seals, stoic_error *err) {
    stoic_status status;
    TRY(stoic_seals_add(seals, f->patches, (size_t)f->n_patches * sizeof *f->patches, err));
    for (int i = 0; i < f->n_ways; i++)
        TRY(stoic_seals_add(seals, f->ways[i].bit, (size_t)f->ways[i].ways * sizeof(int16_t), err));
    TRY(stoic_seals_add(seals, f->list, (size_t)f->n_list * sizeof *f->list, err));
    if (f->list_first)
        TRY(stoic_seals_add(seals, f->list_first,
                            (size_t)(f->n_list_trials + 1) * sizeof *f->list_first, err));
done:
    return status;
}
