/* Rank 1 and above of a cluster: threads evaluate what rank 0 hands out, one talks to rank 0. */
#ifndef STOIC_CAMPAIGN_FOLLOWER_H
#define STOIC_CAMPAIGN_FOLLOWER_H

#include "campaign/runner.h"

/* Of the options it reads worker, design, seed, threads, keep_images, cancel, cluster and facts,
 * which rank 0 compares with its own. Returns when rank 0 says stop, or with the first failure. */
stoic_status stoic_follower_run(const stoic_run_options *options,
                                stoic_error *err) STOIC_MUST_CHECK;

#endif
