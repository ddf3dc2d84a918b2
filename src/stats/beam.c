#include "stoic/beam.h"

#include <math.h>

static const stoic_interval nothing = {NAN, NAN, NAN};

static bool is_amount(double x) {
    return x >= 0.0 && isfinite(x);
}

static bool is_positive(double x) {
    return x > 0.0 && isfinite(x);
}

static stoic_interval scale(stoic_interval i, double factor) {
    return (stoic_interval){i.value * factor, i.low * factor, i.high * factor};
}

stoic_interval stoic_beam_section(int64_t events, double fluence, double alpha) {
    if (!is_positive(fluence))
        return nothing;
    stoic_interval mean = stoic_poisson(events, alpha);
    return (stoic_interval){mean.value / fluence, mean.low / fluence, mean.high / fluence};
}

stoic_interval stoic_beam_fit(stoic_interval section, double flux) {
    return is_positive(flux) ? scale(section, flux * 1e9) : nothing;
}

/* With p the share of the first count, p / (1-p) = ratio · fluence / other_fluence. The upper end
 * takes 1 - p as the lower end of the other share: 1 - high would lose its digits near 1. */
stoic_interval stoic_beam_ratio(int64_t events, double fluence, int64_t other_events,
                                double other_fluence, double alpha) {
    if (events < 0 || other_events < 0 || events > INT64_MAX - other_events ||
        !(alpha > 0.0 && alpha < 1.0) || !is_positive(fluence) || !is_positive(other_fluence))
        return nothing;
    int64_t n = events + other_events;
    if (n == 0)
        return (stoic_interval){NAN, 0.0, INFINITY};
    stoic_interval share = stoic_clopper_pearson(events, n, alpha);
    stoic_interval other = stoic_clopper_pearson(other_events, n, alpha);
    double per_odds = other_fluence / fluence;
    return (stoic_interval){
        .value = other_events ? (double)events / (double)other_events * per_odds : INFINITY,
        .low = events ? share.low / other.high * per_odds : 0.0,
        .high = other_events ? share.high / other.low * per_odds : INFINITY,
    };
}

stoic_interval stoic_model_fit(double raw_fit_mbit, double bits, stoic_interval pvf) {
    if (!is_amount(raw_fit_mbit) || !is_amount(bits) || pvf.value < 0.0 || pvf.value > 1.0 ||
        pvf.low < 0.0 || pvf.high > 1.0)
        return nothing;
    return scale(pvf, raw_fit_mbit * (bits / 1e6));
}

double stoic_mission_failure(double fit, double hours) {
    if (!is_amount(fit) || !is_amount(hours))
        return NAN;
    return -expm1(-fit * 1e-9 * hours);
}

/* -log(e^-m (1 + m)), the price of an interval for a word; m²/2 - m³/3 + … where the difference
 * would lose its digits. */
static double double_upset(double m) {
    if (m > 0.05)
        return m - log1p(m);
    double sum = 0.0, power = -m;
    for (int k = 2; k <= 14; k++) {
        power *= -m;
        sum += power / k;
    }
    return sum;
}

double stoic_scrubbed_failure(double raw_fit_mbit, double words, double word_bits, double hours,
                              double scrub_hours) {
    if (!is_amount(raw_fit_mbit) || !is_amount(words) || !is_amount(hours) ||
        !is_positive(word_bits) || !is_positive(scrub_hours))
        return NAN;
    double upsets = raw_fit_mbit * 1e-15 * word_bits; /* a word and hour */
    double intervals = floor(hours / scrub_hours), rest = fmod(hours, scrub_hours);
    double hazard = intervals * double_upset(upsets * scrub_hours) + double_upset(upsets * rest);
    return -expm1(-words * hazard);
}
