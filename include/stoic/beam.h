/*
 * From events to FIT: the arithmetic of beam tests and of failure rates in the field.
 *
 * FIT = failures in 10^9 hours. Fluence in particles / cm², flux in particles / cm² / h,
 * cross-section in cm², Mbit = 10^6 bits. docs/methods.md 10 has the model. Functions are pure, as
 * in stats.h: arguments outside the stated range give NaN.
 */
#ifndef STOIC_BEAM_H
#define STOIC_BEAM_H

#include "stoic/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Neutrons above 10 MeV at sea level in New York (JEDEC JESD89A): 13 n / cm² / h. */
#define STOIC_BEAM_FLUX 13.0

/* sigma = events / fluence with Garwood's interval; events >= 0, fluence > 0 and finite. No event
 * gives [0, upper]. */
STOIC_API stoic_interval stoic_beam_section(int64_t events, double fluence, double alpha);

/* FIT of a cross-section in a flux: sigma · flux · 10^9. */
STOIC_API stoic_interval stoic_beam_fit(stoic_interval section, double flux);

/* (events / fluence) / (other_events / other_fluence). Given the sum of the counts the first is
 * binomial with odds of ratio · fluence / other_fluence, so that Clopper and Pearson's interval of
 * the share gives an exact one of the ratio. Without events on one side an end is 0 or infinite;
 * without any nothing is known: NaN in [0, Inf]. The sum must not exceed INT64_MAX. */
STOIC_API stoic_interval stoic_beam_ratio(int64_t events, double fluence, int64_t other_events,
                                          double other_fluence, double alpha);

/* FIT of a model: raw FIT per Mbit · bits / 10^6 · pvf; pvf, the probability that a flipped bit
 * fails, in [0, 1] with its ends. */
STOIC_API stoic_interval stoic_model_fit(double raw_fit_mbit, double bits, stoic_interval pvf);

/* P(at least one failure within `hours`) = 1 - exp(-fit · 10^-9 · hours): failures come as a
 * Poisson process. fit, hours >= 0. */
STOIC_API double stoic_mission_failure(double fit, double hours);

/* Memory whose code corrects one error a word, scrubbed every `scrub_hours`: the probability that
 * within `hours` some of `words` words of `word_bits` stored bits collects two upsets between two
 * scrubs. With m = word_bits · raw_fit_mbit · 10^-15 · length upsets a word in an interval,
 *   P = 1 - prod over intervals of (e^-m (1 + m))^words,
 * the last interval being what is left of `hours`. raw_fit_mbit, hours, words >= 0; word_bits,
 * scrub_hours > 0. */
STOIC_API double stoic_scrubbed_failure(double raw_fit_mbit, double words, double word_bits,
                                        double hours, double scrub_hours);

#ifdef __cplusplus
}
#endif
#endif
