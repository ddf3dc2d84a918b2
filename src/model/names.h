/* A map from names to numbers. The names are borrowed and must outlive the map. */
#ifndef STOIC_MODEL_NAMES_H
#define STOIC_MODEL_NAMES_H

#include <stddef.h>

#include "stoic/status.h"

typedef struct stoic_name_slot {
    const char *name;
    int id;
} stoic_name_slot;

typedef struct stoic_names {
    stoic_name_slot *slots; /* open addressing, a power of two of them */
    size_t capacity, used;
} stoic_names;

void stoic_names_deinit(stoic_names *names);
/* The number of `name`, or -1. */
int stoic_names_find(const stoic_names *names, const char *name);
/* Adds a name that is not there yet. */
stoic_status stoic_names_add(stoic_names *names, const char *name, int id, stoic_error *err);

#endif
