/* What `attack` found, as a table, CSV or JSON, and as a fault list. */
#ifndef CLI_ATTACK_RESULT_H
#define CLI_ATTACK_RESULT_H

#include "stoic/attack.h"

typedef struct cli_attack {
    const char *model_path;
    const stoic_attack_options *options;
    const stoic_attack_result *found;
    double seconds;
    const char *list; /* the file of the fault list, NULL: none */
} cli_attack;

/* To standard output. */
stoic_status cli_attack_write(const cli_attack *at, int format, stoic_error *err);
/* All flips as one trial of a fault list; a header alone where there are none. */
stoic_status cli_attack_list(const cli_attack *at, stoic_error *err);

#endif
