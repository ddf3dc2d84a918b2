/* What `info` says about weights: their distribution, and the bits that store them. */
#ifndef CLI_WEIGHT_STATISTICS_H
#define CLI_WEIGHT_STATISTICS_H

#include "stoic/store.h"

/* Over the finite elements; the others are counted. All NaN where there is none. */
typedef struct cli_weights {
    int64_t count, not_finite;
    double low, high, mean, std, max_abs;
    double below2; /* share of finite weights with |w| < 2 */
} cli_weights;

void cli_weights_measure(const stoic_tensor *tensor, cli_weights *out);

enum { CLI_FIELD_VALUES_BITS = 12 }; /* wider fields get no histogram of values */

typedef struct cli_bits {
    int64_t words;
    int width;   /* bits of the field */
    int bit[64]; /* their positions, least significant first */
    int64_t ones[64];
    int64_t *values; /* 2^width counts, or NULL for a wide field */
} cli_bits;

/* The weights (not the biases) of a store, seen through a field such as "exponent". */
stoic_status cli_bits_measure(const stoic_store *store, const char *field, cli_bits *out,
                              stoic_error *err);
void cli_bits_deinit(cli_bits *bits);

#endif
