/* The result of a campaign, as `inject` and `merge` show it. */
#ifndef CLI_SUMMARY_H
#define CLI_SUMMARY_H

#include <stdbool.h>

#include "stoic/campaign.h"

typedef struct cli_result {
    const char *campaign; /* the file */
    const char *model;    /* NULL: as the file says */
    const char *by;       /* "layer", "bit", "layer,bit", "position" or NULL */
    double seconds;
    const stoic_summary *summary;
} cli_result;

/* What the result is grouped by; position goes alone. */
typedef struct cli_by {
    bool layer, bit, position;
} cli_by;

/* Reads "layer,bit" in any order, or "position". */
stoic_status cli_by_parse(const char *text, cli_by *by, stoic_error *err);
/* Writes to standard output. */
stoic_status cli_result_write(const cli_result *result, int format, stoic_error *err);

#endif
