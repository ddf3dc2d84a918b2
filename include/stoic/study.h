/*
 * Studies: questions about formats and stores that need no campaign.
 *
 * How far bit flips move a stored weight, as a curve over the weights (paper 1, Fig. 2), and bit by
 * bit: both return an array of rows, which the caller frees with free(). And what reading a store
 * costs in time.
 *
 * Thread-safety: the functions may run side by side, though times are then those of a busy machine;
 * results do not depend on `threads`.
 */
#ifndef STOIC_STUDY_H
#define STOIC_STUDY_H

#include "stoic/dataset.h"
#include "stoic/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- scaling: error against weight ---- */

typedef struct stoic_scaling_options {
    const char *const *formats; /* "fp16", "q2.5" …: those with a scale, not affine or int8 */
    size_t n_formats;
    const double *scales; /* c, finite and not 0 */
    size_t n_scales;
    const double *weights; /* finite */
    size_t n_weights;
    double ber;          /* each bit flips with this probability, 0 … 1 */
    int64_t rounds;      /* draws a row, at least 1 */
    const char *protect; /* a field no flip hits, or "none"; NULL: the exponent's msb, if any */
    uint64_t seed;
    int threads; /* 0: the cores this process may use */
} stoic_scaling_options;

/* fp32, fp16 and q2.5; c = 1 … 5; weights -0.5 … 0.5 by 0.01; BER 0.1; 10^6 rounds: the paper's. */
STOIC_API stoic_scaling_options stoic_scaling_options_default(void);

/* The error is |e(c W)| / |c|: the value that is read, against c W before it was converted, so that
 * rounding and wrapping around count. What would round to 2 is held below it, as a store with a
 * scale does. */
typedef struct stoic_scaling_row {
    char format[16]; /* canonical: "fixed:8:6" for "q2.5" */
    double c, weight;
    double error;          /* mean over the draws that gave a number; NaN: none did */
    double standard_error; /* of that mean */
    double exact;     /* the expectation; NaN where none exists: infinities have a probability */
    int64_t excluded; /* draws that gave infinity or NaN */
} stoic_scaling_row;

/* A row for each format, scale and weight, in this order, weights fastest. Weight number i draws
 * from its own random numbers, so that a row does not depend on which formats and scales stand
 * beside it. Fails with STOIC_ERR_ARGUMENT or STOIC_ERR_MEMORY. Source: paper 1, Fig. 2; the draws:
 * base/rng.h; the expectation: store/scaling.h. */
STOIC_API stoic_status stoic_scaling_measure(const stoic_scaling_options *options,
                                             stoic_scaling_row **rows, size_t *n,
                                             stoic_error *err) STOIC_MUST_CHECK;

/* ---- bits: what one flipped bit does ---- */

typedef struct stoic_bit_row {
    int bit;                /* of a weight's data; redundancy goes on counting above it */
    const char *field;      /* as in stoic_place; static */
    double median_change;   /* of |w' - w| over the weights that stay finite; NaN: none does */
    double share_nonfinite; /* weights that become infinite or NaN */
} stoic_bit_row;

/* A row for each bit, the highest first: that bit alone flips in a stored weight, which is then
 * read through the store's code and scale. A code that repairs one bit makes every change 0. Where
 * a word holds several weights, the largest change of any of them counts. Over at most 2^18
 * weights, evenly spaced; weights that are infinite or NaN are left out. `spec` as for
 * stoic_store_create(). Without a model (NULL) the weights are -0.5 … 0.5 by 0.01. Fails as
 * stoic_store_create(). */
STOIC_API stoic_status stoic_bits_measure(const stoic_model *model, const char *spec,
                                          stoic_bit_row **rows, size_t *n,
                                          stoic_error *err) STOIC_MUST_CHECK;

/* ---- time: what reading a store costs ---- */

typedef struct stoic_store_time {
    double decode_seconds; /* decoding every weight once, tensor after tensor: median of five */
    double image_seconds;  /* of an image from protected memory; NaN: that runtime cannot run it */
    double ratio;          /* of image_seconds to that under the reference; NaN likewise */
    char why[256];         /* why not; "" where it can */
} stoic_store_time;

/* Measured on one thread. An image's time is that of the protected runtime (stoic/infer.h), with
 * float32 activations, image by image, over the first images of `data`: the store's words lie in
 * memory as a protected weight file has them. Store and `reference` (NULL: the store itself) take
 * turns; the ratio is the median over 5 to 11 rounds. */
STOIC_API stoic_status stoic_store_time_measure(const stoic_store *store,
                                                const stoic_store *reference,
                                                const stoic_dataset *data, stoic_store_time *out,
                                                stoic_error *err) STOIC_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
