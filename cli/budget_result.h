/* What `explore --budget` found beside the rows of its stores. */
#ifndef CLI_BUDGET_RESULT_H
#define CLI_BUDGET_RESULT_H

#include <jansson.h>
#include <stdio.h>

#include "stoic/budget.h"

/* What each choice loses in each layer, the stores by memory and loss, and the one to take. */
void cli_budget_print(FILE *file, const stoic_budget *budget);
/* The same, into an object; not 0: out of memory. */
int cli_budget_put(json_t *object, const stoic_budget *budget);

#endif
