/*
 * Counter-based random numbers: Philox 4x32-10 (Salmon et al., SC'11).
 *
 * A draw is a pure function of (seed, trial, draw, stream): any trial can be replayed alone,
 * on any machine, in any order. All streams are listed here so that two uses never share one.
 */
#ifndef STOIC_BASE_RNG_H
#define STOIC_BASE_RNG_H

#include <stdint.h>

typedef enum stoic_stream {
    STOIC_STREAM_SITE = 1,       /* which weight, which bit */
    STOIC_STREAM_IMAGE = 2,      /* which images a trial uses */
    STOIC_STREAM_VALUE = 3,      /* the value that replaces another */
    STOIC_STREAM_DROPOUT = 4,    /* which elements training drops */
    STOIC_STREAM_INIT = 5,       /* initial weights */
    STOIC_STREAM_PERMUTE = 6,    /* round keys of stoic_permute() */
    STOIC_STREAM_REDUNDANCY = 7, /* sites in redundant bits of a code */
    STOIC_STREAM_MAP_SHARE = 8,  /* feature maps: is the image hit? */
    STOIC_STREAM_MAP_SITE = 9,   /* feature maps: layer and elements, by group of images */
    STOIC_STREAM_MAP_VALUE = 10, /* feature maps: what becomes of them, by group of images */
    STOIC_STREAM_AUGMENT = 11,   /* crops and flips of training images */
    STOIC_STREAM_SCALING = 12,   /* analyze scaling: which bits flip, by weight */
    STOIC_STREAM_OP_SITE = 13,   /* operations: which multiply-accumulate, by image */
    STOIC_STREAM_OP_VALUE = 14,  /* operations: what becomes of the sum, by image */
} stoic_stream;

/* A sequence of draws of one (seed, trial, stream). */
typedef struct stoic_rng {
    uint32_t key[2];
    uint32_t counter[4]; /* draw, stream, trial low, trial high */
    uint32_t block[4];
    unsigned used;
} stoic_rng;

/* The block function: ten rounds. */
void stoic_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

void stoic_rng_init(stoic_rng *rng, uint64_t seed, uint64_t trial, stoic_stream stream);
/* The same for one image (or group of images) of a trial: trial < 2^48, image < 2^40, at most 2^34
 * draws of 32 bits. The image stands in the 24 bits above the stream and the 16 above the trial, so
 * image 0 draws what stoic_rng_init() draws. */
void stoic_rng_init_image(stoic_rng *rng, uint64_t seed, uint64_t trial, uint64_t image,
                          stoic_stream stream);
uint32_t stoic_rng_u32(stoic_rng *rng);
uint64_t stoic_rng_u64(stoic_rng *rng);
/* Uniform over 0 … n-1 without bias (n > 0), by multiplication and rejection. */
uint64_t stoic_rng_below(stoic_rng *rng, uint64_t n);
/* Uniform over (0, 1]: (k + 1) / 2^53. */
double stoic_rng_unit(stoic_rng *rng);
/* Standard normal, Box-Muller with our own log and cosine (bytes do not depend on libm). */
double stoic_rng_normal(stoic_rng *rng);
/* Number of failures before the first success, success probability p in (0, 1]; saturates. */
uint64_t stoic_rng_geometric(stoic_rng *rng, double p);

/* A keyed permutation of 0 … n-1: a balanced Feistel network with cycle walking. */
uint64_t stoic_permute(uint64_t seed, uint64_t tag, uint64_t n, uint64_t i);

/* Natural logarithm of x > 0, to 1 ulp or so, with basic arithmetic alone. */
double stoic_log_portable(double x);
/* e^x to 2 ulp, likewise. */
double stoic_exp_portable(double x);
/* cos(2πu) for u in [0, 1], to 1e-15 absolute, likewise. */
double stoic_cos_turns_portable(double u);

#endif
