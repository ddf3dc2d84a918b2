#include "model/names.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/fail.h"

void stoic_names_deinit(stoic_names *names) {
    free(names->slots);
    *names = (stoic_names){0};
}

static stoic_name_slot *slot_of(const stoic_names *names, const char *name) {
    size_t mask = names->capacity - 1;
    size_t i = (size_t)XXH3_64bits(name, strlen(name)) & mask;
    while (names->slots[i].name && strcmp(names->slots[i].name, name) != 0)
        i = (i + 1) & mask;
    return &names->slots[i];
}

int stoic_names_find(const stoic_names *names, const char *name) {
    if (names->capacity == 0)
        return -1;
    const stoic_name_slot *slot = slot_of(names, name);
    return slot->name ? slot->id : -1;
}

static stoic_status grow(stoic_names *names, stoic_error *err) {
    stoic_names larger = {.capacity = names->capacity ? 2 * names->capacity : 64};
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return stoic_fail_memory(err, "names", larger.capacity * sizeof *larger.slots);
    for (size_t i = 0; i < names->capacity; i++) {
        if (names->slots[i].name)
            *slot_of(&larger, names->slots[i].name) = names->slots[i];
    }
    larger.used = names->used;
    free(names->slots);
    *names = larger;
    return STOIC_OK;
}

stoic_status stoic_names_add(stoic_names *names, const char *name, int id, stoic_error *err) {
    if (2 * (names->used + 1) > names->capacity) {
        stoic_status status = grow(names, err);
        if (status != STOIC_OK)
            return status;
    }
    *slot_of(names, name) = (stoic_name_slot){.name = name, .id = id};
    names->used++;
    return STOIC_OK;
}
