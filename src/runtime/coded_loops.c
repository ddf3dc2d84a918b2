/* coded_loops.h in vectors: AVX-512 with VBMI, and AVX2. What has neither goes by way of floats. */
#include "runtime/bytes.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

enum { ROWS = STOIC_RUN_ROWS, LANES = STOIC_RUN_LANES };

/* ---- AVX-512 with VBMI ---- */

#if defined(__AVX512VBMI__)

#include "runtime/opening.h"

static bool knows(const stoic_byte_rule *rule) {
    return rule->bits <= 5 || rule->linear;
}

/* What widening sixteen codes takes. */
typedef struct widening {
    bool looked_up;
    __m512 low, far; /* the table */
    __m512 high, shift, rest, small;
    __m512i flip;
} widening;

static inline widening widening_of(const stoic_byte_rule *rule) {
    return (widening){.looked_up = rule->bits <= 5,
                      .low = _mm512_loadu_ps(rule->table),
                      .far = _mm512_loadu_ps(rule->table + 16),
                      .high = _mm512_set1_ps(rule->high),
                      .shift = _mm512_set1_ps(rule->shift),
                      .small = _mm512_set1_ps(rule->low),
                      .rest = _mm512_set1_ps(rule->rest),
                      /* what turns a byte over in place is then a sign of 32 bits */
                      .flip = _mm512_set1_epi32(rule->flip)};
}

/* As byte_loops.c has it. */
static inline __m512 widen_16(const widening *w, const bool looked_up, const bool is_signed,
                              __m128i codes) {
    if (looked_up)
        return _mm512_permutex2var_ps(w->low, _mm512_cvtepu8_epi32(codes), w->far);
    const __m512i x = is_signed ? _mm512_cvtepi8_epi32(codes)
                                : _mm512_xor_si512(_mm512_cvtepu8_epi32(codes), w->flip);
    const __m512 v = _mm512_cvtepi32_ps(x);
    return _mm512_add_ps(_mm512_fmadd_ps(v, w->high, w->shift),
                         _mm512_fmadd_ps(v, w->small, w->rest));
}

static inline void dots_as(const widening *w, const bool looked_up, const bool is_signed,
                           const uint8_t *const rows[ROWS], const stoic_coded_ahead *ahead,
                           int64_t n, const float *x, float sums[ROWS][LANES]) {
    __m512 sum[ROWS];
    for (int r = 0; r < ROWS; r++)
        sum[r] = _mm512_loadu_ps(sums[r]);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const __m512 by = _mm512_loadu_ps(x + i);
        __builtin_prefetch(ahead->from[i / LANES % ROWS] + i / 64 * ahead->step);
        for (int r = 0; r < ROWS; r++)
            sum[r] = _mm512_fmadd_ps(
                by,
                widen_16(w, looked_up, is_signed, _mm_loadu_si128((const __m128i *)(rows[r] + i))),
                sum[r]);
    }
    if (i < n) {
        const __mmask16 there = (__mmask16)((1u << (n - i)) - 1);
        const __m512 by = _mm512_maskz_loadu_ps(there, x + i);
        for (int r = 0; r < ROWS; r++) {
            const __m512 weights =
                widen_16(w, looked_up, is_signed, _mm_maskz_loadu_epi8(there, rows[r] + i));
            sum[r] = _mm512_fmadd_ps(by, _mm512_maskz_mov_ps(there, weights), sum[r]);
        }
    }
    for (int r = 0; r < ROWS; r++)
        _mm512_storeu_ps(sums[r], sum[r]);
}

static void dots(const stoic_byte_rule *rule, const uint8_t *const rows[ROWS],
                 const stoic_coded_ahead *ahead, int64_t n, const float *x,
                 float sums[ROWS][LANES]) {
    const widening w = widening_of(rule);
    if (w.looked_up)
        dots_as(&w, true, false, rows, ahead, n, x, sums);
    else if (rule->flip == 128)
        dots_as(&w, false, true, rows, ahead, n, x, sums);
    else
        dots_as(&w, false, false, rows, ahead, n, x, sums);
}

/* Codes of 64 words so that lane d of 32 bits holds those of words d, d + 16, d + 32, d + 48. */
static inline __m512i order_by_lanes(void) {
    uint8_t order[64];
    for (int i = 0; i < 64; i++)
        order[i] = (uint8_t)(i % 4 * 16 + i / 4);
    return _mm512_loadu_si512(order);
}

/* The table of 32, whatever stands above a code's bits. */
static inline void fill_32(const stoic_byte_rule *rule, float table[32]) {
    for (int i = 0; i < 32; i++)
        table[i] = rule->table[i & ((1 << rule->bits) - 1)];
}

/* What the rows share. */
typedef struct shared {
    stoic_opening open;
    __m512i order;
    int bits; /* of a word */
    __m512 low, far;
} shared;

static inline __m512 worth_of(const shared *s, __m512i codes, int part) {
    return _mm512_permutex2var_ps(s->low, _mm512_srli_epi32(codes, (unsigned)(8 * part)), s->far);
}

/* Fewer than 64 words at the end of a row. */
static __m512 end_of_row(const shared *s, __m512i shift, const uint8_t *bytes, int first, int n,
                         const float *x, __m512 sum, __m512i *any) {
    const int need = (first + n * s->bits + 7) / 8;
    const __mmask64 there = need < 64 ? (UINT64_C(1) << need) - 1 : UINT64_MAX;
    const __mmask64 wanted = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
    __m512i odd;
    __m512i codes = stoic_open_some(&s->open, shift, _mm512_maskz_loadu_epi8(there, bytes), &odd);
    *any = _mm512_or_si512(*any, _mm512_maskz_mov_epi8(wanted, odd));
    codes = _mm512_permutexvar_epi8(s->order, codes);
    for (int part = 0; 16 * part < n; part++) {
        const int left = n - 16 * part;
        const __mmask16 those = (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff);
        sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(those, x + 16 * part),
                              _mm512_maskz_mov_ps(those, worth_of(s, codes, part)), sum);
    }
    return sum;
}

static bool dots_short(const uint64_t *image, const int64_t at[ROWS], const stoic_words *words,
                       const stoic_byte_rule *rule, int64_t n, const float *x,
                       float sums[ROWS][LANES]) {
    enum { AHEAD = 2048 }; /* bytes, of each row */
    const int bits = words->word;
    const uint8_t *from[ROWS];
    float table[32];
    __m512i shift[ROWS], any = _mm512_setzero_si512();
    __m512 sum[ROWS];
    int64_t i = 0;
    fill_32(rule, table);
    const shared s = {stoic_opening_of(words, 0), order_by_lanes(), bits, _mm512_loadu_ps(table),
                      _mm512_loadu_ps(table + 16)};
    for (int r = 0; r < ROWS; r++) {
        from[r] = (const uint8_t *)image + at[r] / 8;
        shift[r] = _mm512_add_epi8(s.open.shift, _mm512_set1_epi8((char)(at[r] % 8)));
        sum[r] = _mm512_loadu_ps(sums[r]);
    }
    /* as long as 64 bytes are there */
    for (; (n - i) * bits >= 8 * 64; i += 64) {
        for (int r = 0; r < ROWS; r++) {
            const uint8_t *bytes = from[r] + i / 8 * bits;
            __m512i odd,
                codes = stoic_open_some(&s.open, shift[r], _mm512_loadu_si512(bytes), &odd);
            __builtin_prefetch(bytes + AHEAD);
            any = _mm512_or_si512(any, odd);
            codes = _mm512_permutexvar_epi8(s.order, codes);
            for (int part = 0; part < 4; part++)
                sum[r] = _mm512_fmadd_ps(_mm512_loadu_ps(x + i + 16 * part),
                                         worth_of(&s, codes, part), sum[r]);
        }
    }
    for (; i < n; i += 64) {
        for (int r = 0; r < ROWS; r++)
            sum[r] = end_of_row(&s, shift[r], from[r] + i / 8 * bits, (int)(at[r] % 8),
                                n - i < 64 ? (int)(n - i) : 64, x + i, sum[r], &any);
    }
    for (int r = 0; r < ROWS; r++)
        _mm512_storeu_ps(sums[r], sum[r]);
    return _mm512_test_epi8_mask(any, s.open.top) != 0;
}

#ifdef __AVX512VNNI__
#define WITH_INTEGERS

static bool integers_short(const uint64_t *image, const int64_t at[ROWS], const stoic_words *words,
                           uint8_t flip, int64_t n, const uint8_t *x, int32_t sums[ROWS],
                           int32_t totals[ROWS]) {
    enum { AHEAD = 2048 }; /* bytes, of each row */
    const int bits = words->word;
    const stoic_opening o = stoic_opening_of(words, 0);
    const __m512i all = _mm512_or_si512(o.top, o.rest), ones = _mm512_set1_epi8(1);
    const __m512i flips = _mm512_set1_epi8((char)flip);
    __m512i sum[ROWS], total[ROWS], any = _mm512_setzero_si512();
    for (int r = 0; r < ROWS; r++)
        sum[r] = total[r] = _mm512_setzero_si512();
    for (int64_t i = 0; i < n; i += 64) {
        const int m = n - i < 64 ? (int)(n - i) : 64;
        const __mmask64 wanted = m < 64 ? (UINT64_C(1) << m) - 1 : UINT64_MAX;
        const __m512i by = _mm512_maskz_loadu_epi8(wanted, x + i);
        for (int r = 0; r < ROWS; r++) {
            const uint8_t *bytes = (const uint8_t *)image + at[r] / 8 + i / 8 * bits;
            const int first = (int)(at[r] % 8), need = (first + m * bits + 7) / 8;
            const __mmask64 there = need < 64 ? (UINT64_C(1) << need) - 1 : UINT64_MAX;
            const __m512i shift = _mm512_add_epi8(o.shift, _mm512_set1_epi8((char)first));
            __m512i odd,
                codes = stoic_open_some(&o, shift, _mm512_maskz_loadu_epi8(there, bytes), &odd);
            __builtin_prefetch(bytes + AHEAD);
            /* (codes & all) ^ flips, and zero what is not wanted */
            codes =
                _mm512_maskz_mov_epi8(wanted, _mm512_ternarylogic_epi64(codes, all, flips, 0x6a));
            any = _mm512_or_si512(any, _mm512_maskz_mov_epi8(wanted, odd));
            sum[r] = _mm512_dpbusd_epi32(sum[r], by, codes);
            total[r] = _mm512_dpbusd_epi32(total[r], ones, codes);
        }
    }
    for (int r = 0; r < ROWS; r++) {
        sums[r] = _mm512_reduce_add_epi32(sum[r]);
        totals[r] = _mm512_reduce_add_epi32(total[r]);
    }
    return _mm512_test_epi8_mask(any, o.top) != 0;
}
#endif

/* ---- AVX2 ---- */

#elif defined(__AVX2__) && defined(__FMA__)

static bool knows(const stoic_byte_rule *rule) {
    return rule->bits <= 3 || rule->linear;
}

/* As byte_loops.c has it. */
static inline __m256 widen_8(const stoic_byte_rule *rule, const bool looked_up,
                             const bool is_signed, const uint8_t *codes) {
    const __m128i eight = _mm_loadl_epi64((const __m128i *)codes);
    if (looked_up)
        return _mm256_permutevar8x32_ps(_mm256_loadu_ps(rule->table), _mm256_cvtepu8_epi32(eight));
    const __m256i x =
        is_signed ? _mm256_cvtepi8_epi32(eight)
                  : _mm256_xor_si256(_mm256_cvtepu8_epi32(eight), _mm256_set1_epi32(rule->flip));
    const __m256 v = _mm256_cvtepi32_ps(x);
    return _mm256_add_ps(
        _mm256_fmadd_ps(v, _mm256_set1_ps(rule->high), _mm256_set1_ps(rule->shift)),
        _mm256_fmadd_ps(v, _mm256_set1_ps(rule->low), _mm256_set1_ps(rule->rest)));
}

static inline void dots_as(const stoic_byte_rule *rule, const bool looked_up, const bool is_signed,
                           const uint8_t *const rows[ROWS], const stoic_coded_ahead *ahead,
                           int64_t n, const float *x, float sums[ROWS][LANES]) {
    __m256 sum[ROWS][2];
    for (int r = 0; r < ROWS; r++) {
        for (int half = 0; half < 2; half++)
            sum[r][half] = _mm256_loadu_ps(sums[r] + 8 * half);
    }
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __builtin_prefetch(ahead->from[i / LANES % ROWS] + i / 64 * ahead->step);
        for (int half = 0; half < 2; half++) {
            const __m256 by = _mm256_loadu_ps(x + i + 8 * half);
            for (int r = 0; r < ROWS; r++)
                sum[r][half] = _mm256_fmadd_ps(
                    by, widen_8(rule, looked_up, is_signed, rows[r] + i + 8 * half), sum[r][half]);
        }
    }
    for (int r = 0; i < n && r < ROWS; r++) {
        float by[LANES] = {0}, weights[LANES] = {0};
        for (int64_t k = i; k < n; k++) {
            by[k - i] = x[k];
            weights[k - i] = rule->table[rows[r][k]];
        }
        for (int half = 0; half < 2; half++)
            sum[r][half] = _mm256_fmadd_ps(_mm256_loadu_ps(by + 8 * half),
                                           _mm256_loadu_ps(weights + 8 * half), sum[r][half]);
    }
    for (int r = 0; r < ROWS; r++) {
        for (int half = 0; half < 2; half++)
            _mm256_storeu_ps(sums[r] + 8 * half, sum[r][half]);
    }
}

static void dots(const stoic_byte_rule *rule, const uint8_t *const rows[ROWS],
                 const stoic_coded_ahead *ahead, int64_t n, const float *x,
                 float sums[ROWS][LANES]) {
    if (rule->bits <= 3)
        dots_as(rule, true, false, rows, ahead, n, x, sums);
    else if (rule->flip == 128)
        dots_as(rule, false, true, rows, ahead, n, x, sums);
    else
        dots_as(rule, false, false, rows, ahead, n, x, sums);
}

#endif

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_coded_loops GLUE(stoic_coded_loops_, STOIC_KERNEL_SET);
const stoic_coded_loops GLUE(stoic_coded_loops_, STOIC_KERNEL_SET) = {
#if defined(__AVX512VBMI__)
    .knows = knows,
    .dots = dots,
    .dots_short = dots_short,
#ifdef WITH_INTEGERS
    .integers_short = integers_short,
#endif
#elif defined(__AVX2__) && defined(__FMA__)
    .knows = knows,
    .dots = dots,
#else
    .knows = NULL,
#endif
};
