/* Sixteen floats side by side, for kernels that run the same chain of operations on 16 images.
 * All three forms give the same bits. lanes_max and lanes_min give their second operand where
 * either is NaN. Comparisons give bit l for lane l, and are false for NaN. */
#ifndef STOIC_EXEC_LANES_H
#define STOIC_EXEC_LANES_H

#include <math.h>
#include <stdint.h>

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
static inline lanes lanes_min(lanes a, lanes b) {
    return _mm512_min_ps(a, b);
}
static inline lanes lanes_clear(lanes a, unsigned mask) { /* +0 where a bit is set */
    return _mm512_maskz_mov_ps((__mmask16)~mask, a);
}
static inline unsigned lanes_at_most(lanes a, lanes b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}
static inline unsigned lanes_zero(lanes a) {
    return _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_EQ_OQ);
}

/* out[i][l] = rows[l][first + i] for 16 columns, the last ones of which may be left out. */
static inline void lanes_turn(const float *const *rows, int64_t first, int n, float *out) {
    __mmask16 part = (__mmask16)((1u << n) - 1);
    __m512 r[16], t[16], c[16];
    for (int l = 0; l < 16; l++)
        r[l] = _mm512_maskz_loadu_ps(part, rows[l] + first);
    for (int l = 0; l < 16; l += 2) {
        t[l] = _mm512_unpacklo_ps(r[l], r[l + 1]);
        t[l + 1] = _mm512_unpackhi_ps(r[l], r[l + 1]);
    }
    for (int g = 0; g < 4; g++) { /* c[m * 4 + g]: columns 4 q + m of rows 4 g to 4 g + 3 */
        const __m512 *u = t + g * 4;
        for (int half = 0; half < 2; half++) {
            __m512d a = _mm512_castps_pd(u[half]), b = _mm512_castps_pd(u[half + 2]);
            c[half * 8 + g] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            c[half * 8 + 4 + g] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    }
    for (int m = 0; m < 4; m++) {
        const __m512 *u = c + m * 4;
        __m512 even0 = _mm512_shuffle_f32x4(u[0], u[1], 0x88);
        __m512 even1 = _mm512_shuffle_f32x4(u[2], u[3], 0x88);
        __m512 odd0 = _mm512_shuffle_f32x4(u[0], u[1], 0xdd);
        __m512 odd1 = _mm512_shuffle_f32x4(u[2], u[3], 0xdd);
        r[m] = _mm512_shuffle_f32x4(even0, even1, 0x88);
        r[4 + m] = _mm512_shuffle_f32x4(odd0, odd1, 0x88);
        r[8 + m] = _mm512_shuffle_f32x4(even0, even1, 0xdd);
        r[12 + m] = _mm512_shuffle_f32x4(odd0, odd1, 0xdd);
    }
    for (int i = 0; i < n; i++)
        _mm512_storeu_ps(out + i * 16, r[i]);
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
static inline lanes lanes_min(lanes a, lanes b) {
    return (lanes){_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
static inline lanes lanes_clear(lanes a, unsigned mask) { /* +0 where a bit is set */
    __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i low = _mm256_and_si256(_mm256_set1_epi32((int)mask), bits);
    __m256i high = _mm256_and_si256(_mm256_set1_epi32((int)(mask >> 8)), bits);
    low = _mm256_cmpeq_epi32(low, _mm256_setzero_si256());
    high = _mm256_cmpeq_epi32(high, _mm256_setzero_si256());
    return (lanes){_mm256_and_ps(a.low, _mm256_castsi256_ps(low)),
                   _mm256_and_ps(a.high, _mm256_castsi256_ps(high))};
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
static inline lanes lanes_min(lanes a, lanes b) {
    for (int i = 0; i < 16; i++)
        a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
    return a;
}
static inline lanes lanes_clear(lanes a, unsigned mask) { /* +0 where a bit is set */
    for (int i = 0; i < 16; i++)
        a.v[i] = mask >> i & 1 ? 0 : a.v[i];
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

static inline void lanes_turn(const float *const *rows, int64_t first, int n, float *out) {
    for (int l = 0; l < 16; l++) {
        for (int i = 0; i < n; i++)
            out[i * 16 + l] = rows[l][first + i];
    }
}

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
