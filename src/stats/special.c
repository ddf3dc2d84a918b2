/*
 * Tails by series and continued fraction, with prefactors in Loader's saddle-point form
 * ("Fast and accurate computation of binomial probabilities", 2000): differences of large
 * lgamma() values would cost ten digits at a billion trials.
 */
#include "stats/special.h"

#include <float.h>
#include <math.h>

#include "stoic/stats.h"

static const double two_pi = 6.283185307179586477;
static const double sqrt_half = 0.70710678118654752440;

double stoic_normal_cdf(double x) {
    return 0.5 * erfc(-x * sqrt_half);
}

/* P(X <= x) - p, or the same from the centre, where Φ(x) - 1/2 keeps the digits of a small x. */
static double normal_residual(double x, double p) {
    return p > 0.25 ? 0.5 * erf(x * sqrt_half) - (p - 0.5) : stoic_normal_cdf(x) - p;
}

double stoic_normal_quantile(double p) {
    if (!(p > 0.0 && p < 1.0))
        return NAN;
    if (p > 0.5)
        return -stoic_normal_quantile(1.0 - p); /* exact: 1 - p has no rounding here */
    double t = sqrt(-2.0 * log(p));
    /* Abramowitz and Stegun 26.2.23, to 4.5e-4; Halley's steps cube the error. */
    double x = (2.515517 + t * (0.802853 + t * 0.010328)) /
                   (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
               t;
    for (int step = 0; step < 3; step++) {
        double density = exp(-0.5 * x * x) / sqrt(two_pi);
        if (density == 0.0)
            break; /* p is subnormal: the start is all we can do */
        double newton = normal_residual(x, p) / density;
        x -= newton / (1.0 + 0.5 * x * newton);
    }
    return x;
}

double stoic_normal_z(double alpha) {
    return -stoic_normal_quantile(0.5 * alpha);
}

/* x log(x/m) + m - x, without cancellation near x = m: with v = (x-m)/(x+m),
 * (x-m) v + 2 x (v³/3 + v⁵/5 + …). */
static double deviance(double x, double m) {
    if (x == 0.0)
        return m;
    double difference = x - m;
    if (fabs(difference) >= 0.1 * (x + m))
        return x * log(x / m) - difference;
    double v = difference / (x + m), square = v * v;
    double sum = difference * v, term = 2.0 * x * v;
    for (int odd = 3; odd < 1000; odd += 2) {
        term *= square;
        double next = sum + term / odd;
        if (next == sum)
            break;
        sum = next;
    }
    return sum;
}

/* log x! - (x + 1/2) log x + x - log(2π)/2, x > 0. */
static double stirling_error(double x) {
    if (x < 16.0) {
        int sign;
        return lgamma_r(x + 1.0, &sign) - (x + 0.5) * log(x) + x - 0.5 * log(two_pi);
    }
    double z = 1.0 / (x * x);
    return (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z * (1.0 / 1680 - z * (1.0 / 1188))))) /
           x;
}

/* x^a (1-x)^b / B(a, b), y = 1 - x. */
static double beta_prefactor(double x, double y, double a, double b) {
    double n = a + b;
    double exponent = stirling_error(n) - stirling_error(a) - stirling_error(b) -
                      deviance(a, n * x) - deviance(b, n * y);
    return exp(exponent) * sqrt(a * b / (two_pi * n));
}

static double not_zero(double x) {
    return fabs(x) < DBL_MIN ? DBL_MIN : x;
}

enum { FRACTION_STEPS = 10000000 };

/* I_x(a, b) / prefactor for x < (a+1)/(a+b+2): the even part of the continued fraction DLMF
 * 8.17.22, 1/(B_0 + A_1/(B_1 + A_2/(B_2 + …))) by Lentz's method, in about sqrt(max(a, b)) steps.
 * The terms are arranged around lambda = a - (a+b) x, which the caller knows without
 * cancellation (as Didonato and Morris do, TOMS 708). */
static double beta_fraction(double x, double y, double a, double b, double lambda) {
    double value = not_zero(a * (1.0 + lambda) / (a + 1.0));
    double c = value, d = 0.0;
    for (int step = 1; step < FRACTION_STEPS; step++) {
        double n = step, odd = a + 2.0 * n - 1.0;
        double numerator = (a + n - 1.0) / odd * ((a + b + n - 1.0) / odd) * n * (b - n) * x * x;
        double term =
            n + n * (b - n) * x / odd + (a + n) * (1.0 + lambda + n * (1.0 + y)) / (odd + 2.0);
        d = 1.0 / not_zero(term + numerator * d);
        c = not_zero(term + numerator / c);
        value *= c * d;
        if (fabs(c * d - 1.0) < 2.0 * DBL_EPSILON)
            break;
    }
    return 1.0 / value;
}

double stoic_beta_tail(double x, double a, double b, bool upper) {
    if (!(x > 0.0))
        return upper ? 1.0 : 0.0;
    if (x >= 1.0)
        return upper ? 0.0 : 1.0;
    double y = 1.0 - x, prefactor = beta_prefactor(x, y, a, b);
    double lambda = x < 0.5 ? a - (a + b) * x : (a + b) * y - b;
    bool left = x < (a + 1.0) / (a + b + 2.0);
    double tail =
        prefactor * (left ? beta_fraction(x, y, a, b, lambda) : beta_fraction(y, x, b, a, -lambda));
    return left == upper ? 1.0 - tail : tail;
}

/* Newton's method on a rising or falling tail, kept between bounds that every step narrows. */
typedef struct search {
    double low, high, x;
    bool upper;
} search;

/* False where x is as good as it gets. `excess` is tail - p, `density` the slope of the lower
 * tail. */
static bool improve(search *s, double excess, double density) {
    double rise = s->upper ? -excess : excess;
    if (rise > 0.0)
        s->high = s->x;
    else
        s->low = s->x;
    double next = s->x - rise / density;
    if (!(next > s->low && next < s->high))
        next = 0.5 * (s->low + s->high);
    bool moved = fabs(next - s->x) > 2.0 * DBL_EPSILON * s->x && rise != 0.0;
    if (rise != 0.0)
        s->x = next;
    return moved;
}

enum { SEARCH_STEPS = 1200 }; /* bisection alone reaches the smallest double in 1075 */

double stoic_beta_quantile(double p, double a, double b, bool upper) {
    search s = {.low = 0.0, .high = 1.0, .x = a / (a + b), .upper = upper};
    for (int step = 0; step < SEARCH_STEPS; step++) {
        double density = beta_prefactor(s.x, 1.0 - s.x, a, b) / (s.x * (1.0 - s.x));
        if (!improve(&s, stoic_beta_tail(s.x, a, b, upper) - p, density))
            break;
    }
    return s.x;
}

/* x^a e^-x / Γ(a+1) */
static double gamma_prefactor(double x, double a) {
    return exp(-stirling_error(a) - deviance(a, x)) / sqrt(two_pi * a);
}

/* P(a, x) / prefactor = 1 + x/(a+1) + x²/((a+1)(a+2)) + … */
static double gamma_series(double x, double a) {
    double sum = 1.0, term = 1.0;
    for (int step = 1; step < FRACTION_STEPS && term > sum * 0.25 * DBL_EPSILON; step++) {
        term *= x / (a + step);
        sum += term;
    }
    return sum;
}

/* Q(a, x) / (a · prefactor): the continued fraction 1/(x+1-a- 1(1-a)/(x+3-a- …)). */
static double gamma_fraction(double x, double a) {
    double b = x + 1.0 - a, c = 1.0 / DBL_MIN;
    double d = 1.0 / not_zero(b), value = d;
    for (int step = 1; step < FRACTION_STEPS; step++) {
        double numerator = step * (a - step);
        b += 2.0;
        d = 1.0 / not_zero(numerator * d + b);
        c = not_zero(b + numerator / c);
        value *= c * d;
        if (fabs(c * d - 1.0) < 2.0 * DBL_EPSILON)
            break;
    }
    return value;
}

double stoic_gamma_tail(double x, double a, bool upper) {
    if (!(x > 0.0))
        return upper ? 1.0 : 0.0;
    double prefactor = gamma_prefactor(x, a);
    if (x < a + 1.0) {
        double tail = prefactor * gamma_series(x, a);
        return upper ? 1.0 - tail : tail;
    }
    double tail = a * prefactor * gamma_fraction(x, a);
    return upper ? tail : 1.0 - tail;
}

double stoic_gamma_quantile(double p, double a, bool upper) {
    search s = {.low = 0.0, .high = a + 1.0, .x = a, .upper = upper};
    while ((stoic_gamma_tail(s.high, a, upper) > p) == upper && s.high < DBL_MAX / 2.0)
        s.high *= 2.0;
    for (int step = 0; step < SEARCH_STEPS; step++) {
        double density = a * gamma_prefactor(s.x, a) / s.x;
        if (!improve(&s, stoic_gamma_tail(s.x, a, upper) - p, density))
            break;
    }
    return s.x;
}

/* With x = ν/(ν+t²): P(|T| > t) = I_x(ν/2, 1/2). Near x = 1 solve for 1 - x instead. */
double stoic_student_t(double alpha, double freedom) {
    if (!(alpha > 0.0 && alpha < 1.0 && freedom > 0.0))
        return NAN;
    double x = stoic_beta_quantile(alpha, 0.5 * freedom, 0.5, false);
    if (x < 0.5)
        return sqrt(freedom * (1.0 - x) / x);
    double y = stoic_beta_quantile(alpha, 0.5, 0.5 * freedom, true);
    return sqrt(freedom * y / (1.0 - y));
}
