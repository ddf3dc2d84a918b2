/* What `compare` found, as a table, CSV or JSON. */
#ifndef CLI_COMPARE_RESULT_H
#define CLI_COMPARE_RESULT_H

#include "stoic/compare.h"

typedef struct cli_comparison {
    const stoic_compare_options *options;
    const stoic_comparison *found;
    double loss; /* of clean accuracy that a recommended protection may cost */
    double seconds;
} cli_comparison;

/* Writes to `path`, NULL: standard output. */
stoic_status cli_comparison_write(const cli_comparison *at, const char *path, int format,
                                  stoic_error *err);

#endif
