/* `analyze sensitivity --cover`: the smallest sets that hold shares of the critical outcomes. */
#ifndef CLI_SENSITIVITY_COVER_H
#define CLI_SENSITIVITY_COVER_H

#include <jansson.h>

#include "number_lists.h"
#include "output.h"
#include "stoic/sensitivity.h"

/* "0.5,0.9,0.99" */
stoic_status cli_cover_parse(const char *text, cli_numbers *shares, stoic_error *err);

/* Puts the rows in order; *held is how many of them hold the largest share. */
stoic_status cli_cover_find(const cli_numbers *shares, const char *campaign,
                            stoic_sensitivity_row *rows, size_t n, size_t *held, stoic_error *err);

/* What the lines say. */
typedef struct cli_cover {
    const cli_numbers *shares;
    const stoic_sensitivity_row *rows;
    size_t n;
    unsigned by;
    const char *store; /* of the campaign */
} cli_cover;

stoic_status cli_cover_table(const cli_cover *at, cli_output *output, stoic_error *err);
/* NULL: no memory. */
json_t *cli_cover_json(const cli_cover *at);

#endif
