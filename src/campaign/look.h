/* Sequential stopping: looks at fixed numbers of complete trials (docs/methods.md 6). */
#ifndef STOIC_CAMPAIGN_LOOK_H
#define STOIC_CAMPAIGN_LOOK_H

#include "campaign/allocation.h"
#include "campaign/campaign_file.h"
#include "stoic/campaign.h"

/* Look k is due when the first n_k trials are complete; the decision uses those alone. */
typedef struct stoic_look {
    double margin, alpha; /* margin 0: there are no looks */
    stoic_margin_of of;
    const stoic_allocation *allocation; /* NULL: simple sampling. Trials count behind its pilot */
    int64_t most;                       /* trials at which the last look is taken */
    int next;                           /* number of the look to come */
    bool decided, reached;
} stoic_look;

stoic_status stoic_look_init(stoic_look *look, stoic_campaign_file *file, double margin,
                             stoic_margin_of of, double confidence, int64_t most,
                             stoic_error *err) STOIC_MUST_CHECK;
/* Takes the looks that are due when the first `prefix` trials are complete, and keeps the outcome
 * in the file. */
stoic_status stoic_look_take(stoic_look *look, stoic_campaign_file *file, int64_t prefix,
                             stoic_error *err) STOIC_MUST_CHECK;
/* Trials that the next look needs: no others are worth starting. */
int64_t stoic_look_limit(const stoic_look *look, int64_t planned);

#endif
