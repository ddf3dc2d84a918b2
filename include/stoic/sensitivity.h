/*
 * Where faults hurt: the critical rate of each layer, output channel, weight and bit, from the
 * trials of a campaign.
 *
 * A trial counts for what it hit, so it must have hit one thing: one site, or, for layers alone,
 * sites in one layer. Source: docs/methods.md 6 for the intervals.
 */
#ifndef STOIC_SENSITIVITY_H
#define STOIC_SENSITIVITY_H

#include "stoic/campaign.h"
#include "stoic/harden.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What trials are grouped by, a set. Channels and weights are those of a layer. */
enum {
    STOIC_BY_LAYER = 1,
    STOIC_BY_CHANNEL = 2, /* output channels: of a convolution filters, of a Gemm rows */
    STOIC_BY_WEIGHT = 4,
    STOIC_BY_BIT = 8 /* of a weight's data; redundancy goes on counting above it */
};

typedef struct stoic_sensitivity_row {
    int layer;              /* -1 where not grouped by it, and for batch normalisation */
    int64_t channel, index; /* -1 where not grouped by it, and where it does not apply */
    const char *tensor; /* "weight", "bias", "bn", or of a computed value "map", "op"; NULL where
                         * grouped by layer or bit alone. Static */
    int bit;
    int64_t trials, critical; /* critical: outcomes, of all images of these trials */
    stoic_interval critical_rate;
    double share;      /* of all critical outcomes; NaN: there are none */
    double cumulative; /* the same of this row and those before it */
} stoic_sensitivity_row;

/* The groups that were hit, most critical first: by the lower end of the interval, so that one bad
 * trial does not outrank a hundred; then by the rate, then in the order of the file. The caller
 * frees *rows. `model` is needed for channels (else NULL is enough) and must be the campaign's.
 * Fails with STOIC_ERR_ARGUMENT where trials hit several things, or hit weights' channels that
 * cannot be told without a model; with STOIC_ERR_MISMATCH for another model; as
 * stoic_records_open(). */
STOIC_API stoic_status stoic_sensitivity_measure(const char *campaign, const stoic_model *model,
                                                 unsigned by, stoic_sensitivity_row **rows,
                                                 size_t *n, stoic_error *err) STOIC_MUST_CHECK;

/* Puts rows in the order of their share, largest first, equal ones in the order of the file, and
 * sums `cumulative` anew. The first stoic_sensitivity_cover() are then the smallest set that holds
 * a share. Of an exhaustive campaign that is the truth of its faults; of a sample it is what the
 * sample found, and a set chosen by chance holds less than it seems to. */
STOIC_API void stoic_sensitivity_by_share(stoic_sensitivity_row *rows, size_t n);
/* How many rows in that order hold at least `share` of the critical outcomes; 0: there are none. */
STOIC_API size_t stoic_sensitivity_cover(const stoic_sensitivity_row *rows, size_t n, double share);

/* The channels alone, for stoic_harden_options; biases count as their channel. `source` is a
 * campaign, of which they come in the order of stoic_sensitivity_measure(), or a CSV file with the
 * columns layer and channel (others are passed over), whose order is kept. The caller frees
 * *channels. Also fails with STOIC_ERR_FORMAT (names the line of a list). */
STOIC_API stoic_status stoic_sensitivity_channels(const char *source, const stoic_model *model,
                                                  stoic_channel **channels, size_t *n,
                                                  stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
