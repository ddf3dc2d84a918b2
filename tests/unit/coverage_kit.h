/* Drawing what an interval is to cover. */
#ifndef STOIC_TEST_COVERAGE_KIT_H
#define STOIC_TEST_COVERAGE_KIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "stoic/stats.h"

static inline bool covers(stoic_interval interval, double truth) {
    return interval.low <= truth && truth <= interval.high;
}

static inline int64_t draw_binomial(stoic_rng *rng, int64_t n, double p) {
    int64_t events = 0; /* by the gaps between events: cheap where they are rare */
    if (!(p > 0.0))
        return 0;
    for (int64_t at = 0;; events++) {
        uint64_t gap = stoic_rng_geometric(rng, p);
        if (gap >= (uint64_t)(n - at))
            return events;
        at += (int64_t)gap + 1;
    }
}

#endif
