/* What `explore` found, as a table, CSV or JSON. */
#ifndef CLI_EXPLORE_RESULT_H
#define CLI_EXPLORE_RESULT_H

#include "stoic/budget.h"

typedef struct cli_exploration {
    const stoic_explore_options *options;
    const stoic_exploration *found;
    const stoic_budget *budget; /* what `found` belongs to, or NULL */
    double seconds;
} cli_exploration;

/* Writes to `path`, NULL: standard output. */
stoic_status cli_exploration_write(const cli_exploration *at, const char *path, int format,
                                   stoic_error *err);

#endif
