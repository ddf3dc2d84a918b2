/*
 * Rank 0's side of a cluster: one thread of the runner hands units to the other ranks and puts
 * what they send back among the results. A rank says how many units it wants to hold, enough to
 * keep its threads busy until the next message; so fast ranks get more. What a rank held that
 * leaves goes to others.
 */
#ifndef STOIC_CAMPAIGN_DISPATCH_H
#define STOIC_CAMPAIGN_DISPATCH_H

#include "campaign/runner_parts.h"

/* Returns when the runner stops, fails, or has nobody left who works. */
void stoic_dispatch(stoic_runner *run);

#endif
