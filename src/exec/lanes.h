/* Sixteen floats side by side, for kernels that run the same chain of operations on 16 images.
 * All three forms give the same bits. lanes_max gives its second operand where either is NaN.
 * Comparisons give bit l for lane l, and are false for NaN. */
#ifndef STOIC_EXEC_LANES_H
#define STOIC_EXEC_LANES_H

#include <math.h>

#if defined(__AVX512F__)
#include <immintrin.h>

typedef __m512 lanes;

static inline lanes lanes_set(float x) {
    return _mm512_set1_ps(x);
}
static inline lanes lanes_load(const float *p) {
    return _mm512_loadu_ps(p);
}
static inline void lanes_store(float *p, lanes a) {
    _mm512_storeu_ps(p, a);
}
static inline lanes lanes_load_part(const float *p, int n) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
static inline void lanes_store_part(float *p, lanes a, int n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a);
}
static inline lanes lanes_add(lanes a, lanes b) {
    return _mm512_add_ps(a, b);
}
static inline lanes lanes_fma(lanes a, lanes b, lanes c) {
    return _mm512_fmadd_ps(a, b, c);
}
static inline lanes lanes_abs(lanes a) {
    return _mm512_abs_ps(a);
}
static inline lanes lanes_max(lanes a, lanes b) {
    return _mm512_max_ps(a, b);
}
static inline lanes lanes_mul(lanes a, lanes b) {
    return _mm512_mul_ps(a, b);
}
static inline unsigned lanes_at_most(lanes a, lanes b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}
static inline unsigned lanes_zero(lanes a) {
    return _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_EQ_OQ);
}

#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

typedef struct lanes {
    __m256 low, high;
} lanes;

static inline lanes lanes_set(float x) {
    return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
static inline lanes lanes_load(const float *p) {
    return (lanes){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
static inline void lanes_store(float *p, lanes a) {
    _mm256_storeu_ps(p, a.low);
    _mm256_storeu_ps(p + 8, a.high);
}
static inline lanes lanes_add(lanes a, lanes b) {
    return (lanes){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
static inline lanes lanes_fma(lanes a, lanes b, lanes c) {
    return (lanes){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
static inline lanes lanes_abs(lanes a) {
    __m256 sign = _mm256_set1_ps(-0.0f);
    return (lanes){_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
static inline lanes lanes_max(lanes a, lanes b) {
    return (lanes){_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
static inline lanes lanes_mul(lanes a, lanes b) {
    return (lanes){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
static inline unsigned lanes_join(__m256 low, __m256 high) {
    return (unsigned)_mm256_movemask_ps(low) | (unsigned)_mm256_movemask_ps(high) << 8;
}
static inline unsigned lanes_at_most(lanes a, lanes b) {
    return lanes_join(_mm256_cmp_ps(a.low, b.low, _CMP_LE_OQ),
                      _mm256_cmp_ps(a.high, b.high, _CMP_LE_OQ));
}
static inline unsigned lanes_zero(lanes a) {
    __m256 zero = _mm256_setzero_ps();
    return lanes_join(_mm256_cmp_ps(a.low, zero, _CMP_EQ_OQ),
                      _mm256_cmp_ps(a.high, zero, _CMP_EQ_OQ));
}

#else

typedef struct lanes {
    float v[16];
} lanes;

static inline lanes lanes_set(float x) {
    lanes r;
    for (int i = 0; i < 16; i++)
        r.v[i] = x;
    return r;
}
static inline lanes lanes_load(const float *p) {
    lanes r;
    for (int i = 0; i < 16; i++)
        r.v[i] = p[i];
    return r;
}
static inline void lanes_store(float *p, lanes a) {
    for (int i = 0; i < 16; i++)
        p[i] = a.v[i];
}
static inline lanes lanes_add(lanes a, lanes b) {
    for (int i = 0; i < 16; i++)
        a.v[i] += b.v[i];
    return a;
}
static inline lanes lanes_fma(lanes a, lanes b, lanes c) {
    for (int i = 0; i < 16; i++)
        a.v[i] = fmaf(a.v[i], b.v[i], c.v[i]);
    return a;
}
static inline lanes lanes_abs(lanes a) {
    for (int i = 0; i < 16; i++)
        a.v[i] = fabsf(a.v[i]);
    return a;
}
static inline lanes lanes_max(lanes a, lanes b) {
    for (int i = 0; i < 16; i++)
        a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
    return a;
}
static inline lanes lanes_mul(lanes a, lanes b) {
    for (int i = 0; i < 16; i++)
        a.v[i] *= b.v[i];
    return a;
}
static inline unsigned lanes_at_most(lanes a, lanes b) {
    unsigned mask = 0;
    for (int i = 0; i < 16; i++)
        mask |= (unsigned)(a.v[i] <= b.v[i]) << i;
    return mask;
}
static inline unsigned lanes_zero(lanes a) {
    unsigned mask = 0;
    for (int i = 0; i < 16; i++)
        mask |= (unsigned)(a.v[i] == 0) << i;
    return mask;
}

#endif

#if !defined(__AVX512F__)
#include <string.h>

/* The first n of the sixteen; the others are 0, and stay what they were. */
static inline lanes lanes_load_part(const float *p, int n) {
    float all[16] = {0};
    memcpy(all, p, (size_t)n * sizeof *p);
    return lanes_load(all);
}
static inline void lanes_store_part(float *p, lanes a, int n) {
    float all[16];
    lanes_store(all, a);
    memcpy(p, all, (size_t)n * sizeof *p);
}
#endif
#endif
