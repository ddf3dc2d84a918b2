/* Help in its two forms, from the same tables. */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

#include "verb.h"

void cli_usage_overview(FILE *file);
stoic_status cli_usage_verb(FILE *file, const cli_verb *verb, stoic_error *err);
/* The man page of a verb, or stoic(1) for NULL, as troff. */
stoic_status cli_manual_print(FILE *file, const cli_verb *verb, stoic_error *err);

/* What both forms are made of: settings as they are before parsing (malloc; NULL: no memory), and
 * what an option does, with its default. */
void *cli_usage_settings(const cli_verb *verb);
void cli_usage_option(const cli_option *option, const void *settings, char *text, size_t size);

#endif
