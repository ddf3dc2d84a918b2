/*
 * The papers' own measures of what a fault costs.
 *
 * Functions are pure: no state, no allocation, any thread. NaN in, NaN out.
 * Source: FORTUNE (paper 3), equations 6 and 7; docs/methods.md.
 */
#ifndef STOIC_METRICS_H
#define STOIC_METRICS_H

#include "stoic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* (T/t) P_single, the flips of one bit in the life of a device: what the paper's Table II was made
 * with, found from its columns (the paper does not print it). */
#define STOIC_LIFETIME_FLIPS 1.33e-13

/* FORTUNE's P_drop, its equation 6:
 *   P_drop = N² W² (T/t) P_single BER drop
 * with N weights of W stored bits, redundancy included: `stored_bits` is N W; `lifetime_flips` is
 * (T/t) P_single; `drop` is a fraction. The paper calls it a probability, but nothing keeps it
 * below 1, and its Table II has values above. A negative drop, which chance gives, stays negative.
 */
STOIC_API double stoic_p_drop(double stored_bits, double lifetime_flips, double ber, double drop);

/* FORTUNE's reliability-aware performance, its equation 7: drop x memory x time, the latter two as
 * ratios to the unprotected 8-bit store. Smaller is better. */
STOIC_API double stoic_rap(double drop, double memory_ratio, double time_ratio);

#ifdef __cplusplus
}
#endif
#endif
