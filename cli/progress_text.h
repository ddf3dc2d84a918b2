/* What a progress line says. */
#ifndef CLI_PROGRESS_TEXT_H
#define CLI_PROGRESS_TEXT_H

#include "stoic/campaign.h"
#include "stoic/train.h"

/* A line of at most `width` characters, the more important things first; `text` has room for one
 * byte more. */
void cli_progress_campaign(const stoic_campaign_progress *progress, char *text, size_t width);
/* `images`: of the whole training set, once. */
void cli_progress_training(const stoic_train_progress *progress, int64_t images, char *text,
                           size_t width);
/* What is kept of epoch `at` (counted from 0) of `epochs`. */
void cli_progress_epoch(const stoic_epoch *epoch, int64_t at, int64_t epochs, char *text,
                        size_t width);

/* "3.2 s", "4 min 5 s", "2 h 3 min". */
const char *cli_duration_text(double seconds, char text[40]);

#endif
