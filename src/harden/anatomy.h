/* Finding one's way about a model: who reads a value, what is an activation and what hangs on it.
 */
#ifndef STOIC_HARDEN_ANATOMY_H
#define STOIC_HARDEN_ANATOMY_H

#include "model/choice.h"

typedef struct stoic_anatomy {
    const stoic_model *model;
    int *readers; /* of each value: inputs that read it, one more for the model's output */
    int *reader;  /* of each value: the last node that reads it, -1 */
} stoic_anatomy;

stoic_status stoic_anatomy_init(stoic_anatomy *a, const stoic_model *model, stoic_error *err);
void stoic_anatomy_deinit(stoic_anatomy *a);

/* The only node that reads `value`, if it does so once and the value is not the output; else -1. */
int stoic_anatomy_sole(const stoic_anatomy *a, int value);

/* The Alarm that abft and abed end a network with; -1. */
int stoic_anatomy_alarm(const stoic_anatomy *a);

/* Relu, Clip, Sigmoid and the like: a function of one value that stands between layers. */
bool stoic_anatomy_is_activation(const stoic_node *node);
/* Clip's bounds; Relu is Clip(0, Inf). False for every other node. */
bool stoic_anatomy_bounds(const stoic_model *model, int node, double *low, double *high);

/* The Where that replaces `value` by a constant where a comparison of it holds, read by no one
 * else; -1. */
int stoic_anatomy_choice(const stoic_anatomy *a, int value, stoic_choice *out);
/* The value behind the choices that everyone reads `value` through and that give 0 instead (NaN
 * filters, clipact), or `value` itself where there are none. */
int stoic_anatomy_filtered(const stoic_anatomy *a, int value);
/* The other way: what such choices give `value` from, or `value`. */
int stoic_anatomy_unfiltered(const stoic_anatomy *a, int value);
/* Is there one of this kind behind `value`? */
bool stoic_anatomy_has(const stoic_anatomy *a, int value, stoic_choice_kind kind);

#endif
