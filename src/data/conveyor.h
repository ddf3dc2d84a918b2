/* Loads of images made ready by background threads and handed out in order. */
#ifndef STOIC_DATA_CONVEYOR_H
#define STOIC_DATA_CONVEYOR_H

#include <stddef.h>

#include "base/pool.h"

typedef struct stoic_load {
    float *images; /* 64-byte aligned */
    int *labels;
    int64_t count; /* images in it; where filling failed, those that came before */
    stoic_status status;
    stoic_error error;
    bool ready; /* the conveyor's own */
} stoic_load;

/* Fills load `number`, in a worker; sets count. May return early once `stop` is set. */
typedef stoic_status stoic_conveyor_fill(void *user, const stoic_cancel *stop, int64_t number,
                                         stoic_load *load, stoic_error *err);

typedef struct stoic_conveyor stoic_conveyor;

enum { STOIC_CONVEYOR_WORKERS = 2 };

/* `loads` loads of at most `images` images of `elements` floats; at most `workers` threads (1 to
 * STOIC_CONVEYOR_WORKERS), which take no signals. */
stoic_status stoic_conveyor_start(stoic_conveyor_fill *fill, void *user, int64_t loads,
                                  int64_t images, size_t elements, int workers,
                                  stoic_conveyor **out, stoic_error *err);

/* The next load, the caller's until the next call; NULL behind the last. One that failed is
 * handed out again and again. */
const stoic_load *stoic_conveyor_next(stoic_conveyor *conveyor);
void stoic_conveyor_free(stoic_conveyor *conveyor);

#endif
