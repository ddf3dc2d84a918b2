/* What a stoic_store is inside, for the files of src/store and for the fault models, which need
 * layer names and the encoding of a value. */
#ifndef STOIC_STORE_LAYOUT_H
#define STOIC_STORE_LAYOUT_H

#include "model/graph.h"
#include "store/format.h"

enum { STOIC_N_ROLES = STOIC_ROLE_BN + 1 };

/* What a spec asks for. */
typedef struct stoic_layout {
    const stoic_format *format;
    const stoic_code *code;
    unsigned include; /* bit r: tensors of role r */
    uint64_t protected_bits;
    char *text; /* canonical spelling: what is not the default, in the order of the keys */
} stoic_layout;

struct stoic_store {
    stoic_layout layout;
    stoic_model *model;
    stoic_store_entry *entries;
    int *rank; /* of each entry when sorted by value number */
    int n_entries;
    int word_bits;
    int64_t total_bits;
};

stoic_status stoic_layout_parse(const char *spec, stoic_layout *out, stoic_error *err);
void stoic_layout_deinit(stoic_layout *layout);

const stoic_model *stoic_store_model(const stoic_store *store);
/* The stored word of any value, fault-free. */
uint64_t stoic_store_encode(const stoic_store *store, const float *value);
uint64_t stoic_store_protected(const stoic_store *store);
/* One spelling for a mask of word bits; protected bits do not count. */
void stoic_store_bits_text(const stoic_store *store, uint64_t mask, char text[STOIC_MASK_TEXT]);

/* A list of roles, "weight+bias", as a set. */
stoic_status stoic_roles_parse(const char *key, const char *list, unsigned *roles,
                               stoic_error *err);
/* "weight+bias" for a set; `text` has room for 32 bytes. */
const char *stoic_roles_text(unsigned roles, char text[32]);

#endif
