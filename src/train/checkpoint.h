/*
 * A checkpoint: everything a killed training needs to go on as if nothing had happened.
 *
 * One file, written beside its name and renamed, so that a full disk or a kill leaves the last
 * good one. It names the run it belongs to in lines "what: value"; of another run it is refused
 * with the first line that differs. Its end is a digest: a damaged file is refused.
 */
#ifndef STOIC_TRAIN_CHECKPOINT_H
#define STOIC_TRAIN_CHECKPOINT_H

#include <stddef.h>

#include "stoic/status.h"
#include "stoic/train.h"

/* Memory that is saved and restored as it is; lengths must be the same. */
typedef struct stoic_saved {
    void *data;
    size_t bytes;
} stoic_saved;

/* Writes identity and pieces. */
stoic_status stoic_checkpoint_write(const char *path, const char *identity,
                                    const stoic_saved *pieces, size_t n,
                                    stoic_error *err) STOIC_MUST_CHECK;

/* Reads them back into the same pieces; *found is false, and nothing changes, where there is no
 * such file. STOIC_ERR_MISMATCH: of another run. STOIC_ERR_FORMAT: damaged. Pieces are written
 * only once the whole file is known to be good. */
stoic_status stoic_checkpoint_read(const char *path, const char *identity,
                                   const stoic_saved *pieces, size_t n, bool *found,
                                   stoic_error *err) STOIC_MUST_CHECK;

#endif
