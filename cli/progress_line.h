/* One line on the terminal that is written over and over, and warnings that keep out of its way. */
#ifndef CLI_PROGRESS_LINE_H
#define CLI_PROGRESS_LINE_H

#include "stoic/campaign.h"

/* Shows progress only where stderr is a terminal and `quiet` is off. */
void cli_progress_start(bool quiet);
/* A stoic_campaign_options.progress; at most five times a second. */
void cli_progress_show(void *user, const stoic_campaign_progress *progress);
/* Clears the line. */
void cli_progress_end(void);

/* A stoic_log_fn: "stoic: warning: ..." on stderr; notes only if *(bool *)user. */
void cli_log(void *user, stoic_log_level level, const char *message);

/* The text of a progress line, at most `width` characters. */
void cli_progress_text(const stoic_campaign_progress *progress, char *text, size_t width);
/* "3.2 s", "4 min 5 s", "2 h 3 min". */
const char *cli_duration_text(double seconds, char text[40]);

#endif
