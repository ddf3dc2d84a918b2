/* A bit or computed value that was hit, as a row: the columns of `records --sites`. */
#ifndef STOIC_CLI_SITE_CELLS_H
#define STOIC_CLI_SITE_CELLS_H

#include "output.h"
#include "stoic/records.h"

enum { CLI_SITE_COLUMNS = 13 };
extern const char *const cli_site_columns[CLI_SITE_COLUMNS + 1]; /* NULL behind the last */
void cli_site_cells(const stoic_site_record *site, cli_cell cells[CLI_SITE_COLUMNS]);

#endif
