/* The result of a campaign, as `inject` and `merge` show it. */
#ifndef CLI_SUMMARY_H
#define CLI_SUMMARY_H

#include <stdbool.h>

#include "stoic/campaign.h"

typedef struct cli_result {
    const char *campaign; /* the file */
    const char *model;    /* NULL: as the file says */
    const char *by;       /* "layer", "bit", "layer,bit" or NULL */
    double seconds;
    const stoic_summary *summary;
} cli_result;

/* Reads "layer,bit" in any order. */
stoic_status cli_by_parse(const char *text, bool *layer, bool *bit, stoic_error *err);
/* Writes to standard output. */
stoic_status cli_result_write(const cli_result *result, int format, stoic_error *err);

#endif
