/* Lists of numbers in options. */
#ifndef CLI_NUMBER_LISTS_H
#define CLI_NUMBER_LISTS_H

#include <stddef.h>

#include "stoic/status.h"

typedef struct cli_numbers {
    double *items;
    size_t count;
} cli_numbers;

/* "1-5", "0.5,1,2-4": numbers, and ranges of whole numbers that include both ends. */
stoic_status cli_numbers_parse(const char *text, const char *what, cli_numbers *out,
                               stoic_error *err);
/* "LOW:HIGH:STEP", HIGH included where a step reaches it. Steps of a few decimals give the doubles
 * nearest to these decimals. */
stoic_status cli_steps_parse(const char *text, const char *what, cli_numbers *out,
                             stoic_error *err);
void cli_numbers_deinit(cli_numbers *numbers);

/* Words between commas; they point into `copy`, which is cut up. Nothing may be empty. */
stoic_status cli_names_parse(char *copy, const char *what, const char ***out, size_t *count,
                             stoic_error *err);

#endif
