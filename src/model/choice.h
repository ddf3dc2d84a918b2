/*
 * A comparison and the Where that reads it, where they are one function of one value:
 *
 *   Where(IsNaN(x), c, x)    Where(x > k, c, x)    Where(x < k, c, x)    c and k constant
 *
 * which is how hardening filters values in plain ONNX. The comparison may have other readers.
 */
#ifndef STOIC_MODEL_CHOICE_H
#define STOIC_MODEL_CHOICE_H

#include "model/graph.h"

typedef enum stoic_choice_kind {
    STOIC_CHOICE_NAN,
    STOIC_CHOICE_ABOVE,
    STOIC_CHOICE_BELOW
} stoic_choice_kind;

typedef struct stoic_choice {
    stoic_choice_kind kind;
    float limit, with; /* k, 0 for IsNaN; and c */
} stoic_choice;

/* Are node `test` and node `where` such a pair? */
bool stoic_choice_find(const stoic_model *model, int test, int where, stoic_choice *out);

#endif
