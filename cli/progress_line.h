/* One line on the terminal that is written over and over, and warnings that keep out of its way. */
#ifndef CLI_PROGRESS_LINE_H
#define CLI_PROGRESS_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "stoic/status.h"

enum { CLI_LINE_WIDTH = 200 }; /* characters at most, without the closing zero byte */

/* Shows lines only where stderr is a terminal and `quiet` is off. */
void cli_line_start(bool quiet);
/* Whether a line is to be drawn now, at most five times a second; then a call of cli_line_draw()
 * is expected. */
bool cli_line_due(void);
/* The line, cut to the width of the terminal. */
void cli_line_draw(const char *text);
/* A line that stays; the one that is written over goes on below it. */
void cli_line_keep(const char *text);
/* Clears the line. */
void cli_line_end(void);

/* A stoic_log_fn: "stoic: warning: ..." on stderr; notes only if *(bool *)user. */
void cli_log(void *user, stoic_log_level level, const char *message);

#endif
