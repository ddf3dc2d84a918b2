/* From moments to what a user reads: the summary, and the decision to stop. */
#ifndef STOIC_CAMPAIGN_ESTIMATE_H
#define STOIC_CAMPAIGN_ESTIMATE_H

#include "campaign/campaign_file.h"
#include "campaign/moments.h"
#include "campaign/weighted.h"

/* The trials that the estimates of a campaign use: those below this number; -1: all complete
 * ones. With a margin it is the last look that was taken. */
int64_t stoic_estimate_prefix(const stoic_campaign_file *file);
/* 1 - confidence; with a margin that of the last look (docs/methods.md 6). */
double stoic_estimate_alpha(const stoic_campaign_file *file);
/* That of the file's intervals; nothing is complete. */
stoic_basis stoic_estimate_basis(const stoic_campaign_file *file);
/* Has every (fault, image) pair of the fault space been run? */
bool stoic_estimate_complete(const stoic_campaign_file *file, int64_t trials);

stoic_status stoic_estimate_summary(stoic_campaign_file *file, stoic_summary *out,
                                    stoic_error *err) STOIC_MUST_CHECK;

/* Half the width of the interval that --margin acts on; NaN where it was not measured. */
double stoic_estimate_half_width(const stoic_moments *moments, const stoic_basis *basis,
                                 stoic_margin_of of);
double stoic_estimate_weighted_half_width(const stoic_weighted *all, stoic_margin_of of);

#endif
