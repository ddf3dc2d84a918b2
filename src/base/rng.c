#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/wide.h"

void stoic_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0;
        uint64_t b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u; /* golden ratio and sqrt(3) - 1, as in the paper */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void stoic_rng_init(stoic_rng *rng, uint64_t seed, uint64_t trial, stoic_stream stream) {
    memset(rng, 0, sizeof *rng);
    rng->key[0] = (uint32_t)seed;
    rng->key[1] = (uint32_t)(seed >> 32);
    rng->counter[1] = (uint32_t)stream;
    rng->counter[2] = (uint32_t)trial;
    rng->counter[3] = (uint32_t)(trial >> 32);
    rng->used = 4;
}

uint32_t stoic_rng_u32(stoic_rng *rng) {
    if (rng->used == 4) {
        stoic_philox(rng->counter, rng->key, rng->block);
        rng->used = 0;
        if (++rng->counter[0] == 0)
            rng->counter[1] += 256; /* streams are below 256: the bits above carry the draws on */
    }
    return rng->block[rng->used++];
}

uint64_t stoic_rng_u64(stoic_rng *rng) {
    uint64_t low = stoic_rng_u32(rng);
    return (uint64_t)stoic_rng_u32(rng) << 32 | low;
}

/* Lemire 2019: the high half of x·n is uniform once the few smallest low halves are refused. */
uint64_t stoic_rng_below(stoic_rng *rng, uint64_t n) {
    assert(n > 0);
    stoic_u128 product = (stoic_u128)stoic_rng_u64(rng) * n;
    if ((uint64_t)product < n) {
        uint64_t threshold = -n % n; /* 2^64 mod n */
        while ((uint64_t)product < threshold)
            product = (stoic_u128)stoic_rng_u64(rng) * n;
    }
    return (uint64_t)(product >> 64);
}

double stoic_rng_unit(stoic_rng *rng) {
    return (double)((stoic_rng_u64(rng) >> 11) + 1) * 0x1p-53;
}

/* cos(2πu) for u in [0, 1]. u and the reduction to |r| <= 1/8 are exact; the Taylor series end
 * where the next term is below 1e-17. */
double stoic_cos_turns_portable(double u) {
    int quarter = (int)(4.0 * u + 0.5);
    double y = 6.283185307179586477 * (u - 0.25 * quarter);
    double z = y * y;
    if (quarter % 2 == 0) {
        double c = 1.0 / 20922789888000.0;
        c = c * z - 1.0 / 87178291200.0;
        c = c * z + 1.0 / 479001600.0;
        c = c * z - 1.0 / 3628800.0;
        c = c * z + 1.0 / 40320.0;
        c = c * z - 1.0 / 720.0;
        c = c * z + 1.0 / 24.0;
        c = c * z - 0.5;
        c = c * z + 1.0;
        return quarter == 2 ? -c : c;
    }
    double s = -1.0 / 1307674368000.0;
    s = s * z + 1.0 / 6227020800.0;
    s = s * z - 1.0 / 39916800.0;
    s = s * z + 1.0 / 362880.0;
    s = s * z - 1.0 / 5040.0;
    s = s * z + 1.0 / 120.0;
    s = s * z - 1.0 / 6.0;
    s = s * z * y + y;
    return quarter == 1 ? -s : s;
}

double stoic_rng_normal(stoic_rng *rng) {
    double radius = sqrt(-2.0 * stoic_log_portable(stoic_rng_unit(rng)));
    return radius * stoic_cos_turns_portable(stoic_rng_unit(rng));
}

/*
 * x = 2^k · m with m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f / (2 + f):
 * log(1 + f) = 2 atanh(s) = 2s + s·R,  R = 2/3 s² + 2/5 s⁴ + …
 * and 2s = f - f²/2 + s·f²/2, which keeps the rounding of s out of the leading term.
 */
double stoic_log_portable(double x) {
    static const double ln2_high = 0x1.62e42fee00000p-1; /* 32 bits: k · ln2_high is exact */
    static const double ln2_low = 0x1.a39ef35793c76p-33;
    if (!(x > 0.0))
        return x == 0.0 ? -INFINITY : NAN;
    if (isinf(x))
        return x;
    int k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    k += (int)(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.41421356237309505) {
        m *= 0.5;
        k++;
    }
    double f = m - 1.0;
    double s = f / (2.0 + f);
    double z = s * s;
    double r = 2.0 / 25.0;
    for (int odd = 23; odd >= 3; odd -= 2)
        r = r * z + 2.0 / odd;
    r *= z;
    double half_square = 0.5 * f * f;
    return k * ln2_high - ((half_square - (s * (half_square + r) + k * ln2_low)) - f);
}

/* x = k·log(2) + r with |r| <= log(2)/2; the Taylor series ends where the next term is below
 * 1e-17. */
double stoic_exp_portable(double x) {
    static const double ln2_high = 0x1.62e42fee00000p-1; /* 32 bits: k · ln2_high is exact */
    static const double ln2_low = 0x1.a39ef35793c76p-33;
    if (isnan(x))
        return x;
    if (x > 700.0 || x < -700.0)
        return x > 0 ? INFINITY : 0.0;
    double k = floor(x / 0.693147180559945309 + 0.5);
    double r = (x - k * ln2_high) - k * ln2_low;
    double sum = 1.0;
    for (int n = 14; n >= 1; n--)
        sum = 1.0 + r / n * sum;
    return ldexp(sum, (int)k);
}

/* log(1 + x) for x in (-1, 0]: the rounding of 1 + x cancels in the quotient (Kahan). */
static double log1p_portable(double x) {
    double u = 1.0 + x;
    return u == 1.0 ? x : stoic_log_portable(u) * (x / (u - 1.0));
}

uint64_t stoic_rng_geometric(stoic_rng *rng, double p) {
    assert(p > 0.0 && p <= 1.0);
    double u = stoic_rng_unit(rng); /* drawn even for p = 1: draws do not depend on p */
    if (p == 1.0)
        return 0;
    double gap = stoic_log_portable(u) / log1p_portable(-p); /* P(gap >= k) = (1-p)^k */
    return gap < 0x1p63 ? (uint64_t)gap : UINT64_MAX;
}

enum { PERMUTE_ROUNDS = 8 };

uint64_t stoic_permute(uint64_t seed, uint64_t tag, uint64_t n, uint64_t i) {
    assert(i < n);
    unsigned half = 3; /* bits; fewer than 3 mix badly */
    while (half < 32 && n > (uint64_t)1 << 2 * half)
        half++;
    const uint32_t mask = (uint32_t)(((uint64_t)1 << half) - 1);
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    do { /* the network permutes 0 … 4^half - 1: walk its cycle until it is back below n */
        uint32_t left = (uint32_t)(i >> half), right = (uint32_t)i & mask;
        for (uint32_t round = 0; round < PERMUTE_ROUNDS; round++) {
            const uint32_t counter[4] = {right, STOIC_STREAM_PERMUTE + 256 * round, (uint32_t)tag,
                                         (uint32_t)(tag >> 32)};
            uint32_t mixed[4];
            stoic_philox(counter, key, mixed);
            uint32_t next = left ^ (mixed[0] & mask);
            left = right;
            right = next;
        }
        i = (uint64_t)left << half | right;
    } while (i >= n);
    return i;
}
