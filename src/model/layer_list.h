/* How specs name layers: "0+2-5+head". */
#ifndef STOIC_MODEL_LAYER_LIST_H
#define STOIC_MODEL_LAYER_LIST_H

#include <stdbool.h>

#include "stoic/model.h"

/* A layer by number or name. */
stoic_status stoic_layer_find(const stoic_model *model, const char *name, int *layer,
                              stoic_error *err);
/* Marks the layers of a list; `chosen` has an entry for each of the `count` layers. Without a model
 * only numbers are known. */
stoic_status stoic_layers_parse(const stoic_model *model, int count, const char *list, bool *chosen,
                                stoic_error *err);

#endif
