/*
 * Upsets: computed values that were hit, as the table `upsets` keeps them. What a value was before
 * is known to whoever evaluates the trial, so they come with the counts of a unit.
 */
#ifndef STOIC_CAMPAIGN_UPSETS_H
#define STOIC_CAMPAIGN_UPSETS_H

#include <stddef.h>

#include "campaign/sql.h"

/* X(enumerator, name, tensor) */
#define STOIC_UPSET_LIST(X)                                                                        \
    X(STOIC_UPSET_MULTIPLY, "multiply", "map")                                                     \
    X(STOIC_UPSET_REPLACE, "replace", "map")                                                       \
    X(STOIC_UPSET_FLIP, "flip", "map")                                                             \
    X(STOIC_UPSET_OP_FLIP, "flip", "op")                                                           \
    X(STOIC_UPSET_OP_REPLACE, "replace", "op")

#define STOIC_UPSET_ENUM(enumerator, name, tensor) enumerator,
typedef enum stoic_upset_kind { STOIC_UPSET_LIST(STOIC_UPSET_ENUM) } stoic_upset_kind;
#undef STOIC_UPSET_ENUM

typedef struct stoic_upset {
    int64_t trial, image, index;
    int64_t elements;    /* that were hit in the image; few of them are kept */
    int64_t step, steps; /* of the sum, and how many it has; -1: the value as a whole */
    int32_t layer, ordinal, kind, bit;
    float before, after;
} stoic_upset;

typedef struct stoic_upset_list {
    stoic_upset *items;
    size_t count, capacity;
} stoic_upset_list;

void stoic_upset_list_deinit(stoic_upset_list *list);
stoic_status stoic_upset_list_add(stoic_upset_list *list, const stoic_upset *upset,
                                  stoic_error *err);

const char *stoic_upset_kind_name(int kind);
const char *stoic_upset_tensor(int kind); /* "map", "op" */

/* Elements of an image that are kept: few where a trial sees all images. */
int stoic_upsets_kept(int64_t images_per_trial);

extern const char stoic_upset_insert[], stoic_upset_select[];
stoic_status stoic_upset_write(sqlite3_stmt *insert, const stoic_upset *upset, stoic_error *err);
/* false: the row makes no sense; `layers` is their number. */
bool stoic_upset_read(sqlite3_stmt *row, int64_t layers, stoic_upset *out);

#endif
