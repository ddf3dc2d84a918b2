#include "site_cells.h"

#include <string.h>

const char *const cli_site_columns[CLI_SITE_COLUMNS + 1] = {
    "trial", "kind",  "layer", "tensor", "word",  "index", "bit",
    "role",  "image", "step",  "before", "after", "field", NULL};

void cli_site_cells(const stoic_site_record *site, cli_cell cells[CLI_SITE_COLUMNS]) {
    const cli_cell all[CLI_SITE_COLUMNS] = {
        cli_cell_count(site->trial), cli_cell_text(site->kind),    cli_cell_count(site->layer),
        cli_cell_text(site->tensor), cli_cell_count(site->word),   cli_cell_count(site->index),
        cli_cell_count(site->bit),   cli_cell_text(site->role),    cli_cell_count(site->image),
        cli_cell_count(site->step),  cli_cell_float(site->before), cli_cell_float(site->after),
        cli_cell_text(site->field)};
    memcpy(cells, all, sizeof all);
}
