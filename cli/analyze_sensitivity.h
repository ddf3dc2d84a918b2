/* `analyze sensitivity`: what a campaign says of layers, channels, weights and bits. */
#ifndef CLI_ANALYZE_SENSITIVITY_H
#define CLI_ANALYZE_SENSITIVITY_H

#include <stdint.h>

#include "stoic/status.h"

typedef struct cli_sensitivity {
    const char *campaign;
    const char *model; /* NULL: where the campaign found it */
    const char *by;    /* NULL: "layer" */
    int64_t top;       /* 0: all, of which a table shows 20 */
    const char *cover; /* shares of the critical outcomes; NULL: the ranking itself */
} cli_sensitivity;

stoic_status cli_sensitivity_run(const cli_sensitivity *asked, const char *output, int format,
                                 stoic_error *err);

#endif
