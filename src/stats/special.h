/* Incomplete beta and gamma functions and their inverses, for the intervals. */
#ifndef STOIC_STATS_SPECIAL_H
#define STOIC_STATS_SPECIAL_H

#include <stdbool.h>

/* I_x(a, b), regularised, or 1 - I_x(a, b) where `upper`; a, b > 0, x in [0, 1]. Each tail
 * keeps its own relative precision. */
double stoic_beta_tail(double x, double a, double b, bool upper);
/* The x whose tail is p in (0, 1). */
double stoic_beta_quantile(double p, double a, double b, bool upper);

/* P(a, x), or Q(a, x) where `upper`; a > 0, x >= 0. */
double stoic_gamma_tail(double x, double a, bool upper);
double stoic_gamma_quantile(double p, double a, bool upper);

#endif
