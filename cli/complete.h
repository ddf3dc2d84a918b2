/* Shell completion: what may stand where the cursor is, from the same tables as --help. */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include <stdio.h>

/* Prints the candidates for the last of `n` words ("stoic", verb, …; the last may be ""), one a
 * line. Nothing where only a file can stand: the shell completes those itself. */
void cli_complete(FILE *file, int n, const char *const *words);

#endif
