/* Help in its two forms, from the same tables. */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

#include "verb.h"

void cli_usage_overview(FILE *file);
stoic_status cli_usage_verb(FILE *file, const cli_verb *verb, stoic_error *err);
/* The man page, as troff. */
stoic_status cli_usage_man(FILE *file, stoic_error *err);

#endif
