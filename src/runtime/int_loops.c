/* int_loops.h in vectors: AVX-512 with VNNI, AVX2, and what the compiler makes of plain loops.
 *
 * pmaddubsw adds two products in 16 bits and saturates: 255 * 127 * 2 is beyond 32767. So AVX2
 * takes even and odd bytes apart, into numbers of 16 bits, and adds two products in 32 bits
 * (pmaddwd), which cannot overflow. */
#include "runtime/int_loops.h"

#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "runtime/turn.h"

enum { LANES = STOIC_INT_LANES, TILE = STOIC_INT_TILE, ROWS = STOIC_INT_ROWS, QUAD = 4 };

/* Clamped before it is rounded, which is the same: the bounds are whole numbers. Rounding is by way
 * of 1.5 x 2^23. */
static void quantise(const float *x, int64_t n, float inverse, int zero, uint8_t *codes) {
    const float low = (float)-zero, high = (float)(255 - zero), magic = 12582912.0f;
    for (int64_t i = 0; i < n; i++) {
        float q = x[i] * inverse;
        q = q > high ? high : q;
        q = q >= low ? q : low; /* also NaN */
        q = (q + magic) - magic;
        codes[i] = (uint8_t)((int32_t)q + zero);
    }
}

static inline void gather_by(const uint8_t *const rows[QUAD], const int64_t stride, int64_t n,
                             uint8_t *to) {
    const uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
    for (int64_t i = 0; i < n; i++) {
        const uint32_t four = (uint32_t)a[i * stride] | (uint32_t)b[i * stride] << 8 |
                              (uint32_t)c[i * stride] << 16 | (uint32_t)d[i * stride] << 24;
        memcpy(to + QUAD * i, &four, sizeof four); /* little-endian, as the file */
    }
}

static void gather(const uint8_t *const rows[QUAD], int64_t stride, int64_t n, uint8_t *to) {
    if (stride == 1)
        gather_by(rows, 1, n, to);
    else
        gather_by(rows, stride, n, to);
}

static void quads(const int8_t *from, int64_t step, int64_t n, int8_t *to) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int r = 0; r < LANES; r += 4)
            stoic_turn(from + r * step + i, step, to + i * LANES + r * QUAD);
    }
    for (; i < n; i += QUAD) {
        const size_t m = n - i < QUAD ? (size_t)(n - i) : QUAD;
        memset(to + i * LANES, 0, QUAD * LANES);
        for (int r = 0; r < LANES; r++)
            memcpy(to + i * LANES + r * QUAD, from + r * step + i, m);
    }
}

#if defined(__AVX512VNNI__)

static void tile(const int8_t *weights, int64_t n, const uint8_t *x, int64_t step,
                 int32_t sums[TILE][LANES]) {
    __m512i sum[TILE];
    for (int p = 0; p < TILE; p++)
        sum[p] = _mm512_setzero_si512();
    for (int64_t q = 0; q < n; q++, x += step) {
        const __m512i by = _mm512_loadu_si512(weights + q * QUAD * LANES);
        for (int p = 0; p < TILE; p++) {
            int32_t one;
            memcpy(&one, x + QUAD * p, sizeof one);
            sum[p] = _mm512_dpbusd_epi32(sum[p], _mm512_set1_epi32(one), by);
        }
    }
    for (int p = 0; p < TILE; p++)
        _mm512_storeu_si512(sums[p], sum[p]);
}

static void dots(const int8_t *weights, int64_t step, int64_t n, const uint8_t *x,
                 int32_t sums[ROWS]) {
    __m512i sum[ROWS];
    for (int r = 0; r < ROWS; r++)
        sum[r] = _mm512_setzero_si512();
    for (int64_t i = 0; i < n; i += 64) {
        const __mmask64 there = n - i < 64 ? (UINT64_C(1) << (n - i)) - 1 : UINT64_MAX;
        const __m512i by = _mm512_maskz_loadu_epi8(there, x + i);
        for (int r = 0; r < ROWS; r++)
            sum[r] = _mm512_dpbusd_epi32(sum[r], by,
                                         _mm512_maskz_loadu_epi8(there, weights + r * step + i));
    }
    for (int r = 0; r < ROWS; r++)
        sums[r] = _mm512_reduce_add_epi32(sum[r]);
}

/* As products with 1. */
static int32_t row_sum(const int8_t *row, int64_t n) {
    __m512i sum = _mm512_setzero_si512();
    for (int64_t i = 0; i < n; i += 64) {
        const __mmask64 there = n - i < 64 ? (UINT64_C(1) << (n - i)) - 1 : UINT64_MAX;
        sum =
            _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), _mm512_maskz_loadu_epi8(there, row + i));
    }
    return _mm512_reduce_add_epi32(sum);
}

#elif defined(__AVX2__)

/* As products with 1: two of them are far from what saturates. */
static int32_t row_sum(const int8_t *row, int64_t n) {
    __m256i sum = _mm256_setzero_si256();
    int32_t parts[8], all = 0;
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1),
                                                   _mm256_loadu_si256((const __m256i *)(row + i)));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    memcpy(parts, &sum, sizeof parts);
    for (int k = 0; k < 8; k++)
        all += parts[k];
    for (; i < n; i++)
        all += row[i];
    return all;
}

/* Bytes 0 and 2, and 1 and 3, of each 32 bits as numbers of 16. */
typedef struct halves {
    __m256i even, odd;
} halves;

static inline halves unsigned_halves(__m256i x) {
    return (halves){_mm256_and_si256(x, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(x, 8)};
}

static inline halves signed_halves(__m256i x) {
    return (halves){_mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8), _mm256_srai_epi16(x, 8)};
}

static inline __m256i add_products(__m256i sum, halves a, halves b) {
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a.even, b.even));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a.odd, b.odd));
}

static void tile(const int8_t *weights, int64_t n, const uint8_t *x, int64_t step,
                 int32_t sums[TILE][LANES]) {
    enum { SOME = 4 }; /* positions whose sums stay in registers */
    for (int first = 0; first < TILE; first += SOME) {
        __m256i sum[SOME][2];
        memset(sum, 0, sizeof sum);
        for (int64_t q = 0; q < n; q++) {
            const __m256i *by = (const __m256i *)(weights + q * QUAD * LANES);
            const halves low = signed_halves(_mm256_loadu_si256(by));
            const halves high = signed_halves(_mm256_loadu_si256(by + 1));
            for (int p = 0; p < SOME; p++) {
                int32_t one;
                memcpy(&one, x + q * step + QUAD * (first + p), sizeof one);
                const halves a = unsigned_halves(_mm256_set1_epi32(one));
                sum[p][0] = add_products(sum[p][0], a, low);
                sum[p][1] = add_products(sum[p][1], a, high);
            }
        }
        memcpy(sums[first], sum, sizeof sum);
    }
}

static void dots(const int8_t *weights, int64_t step, int64_t n, const uint8_t *x,
                 int32_t sums[ROWS]) {
    __m256i sum[ROWS];
    int64_t i = 0;
    memset(sum, 0, sizeof sum);
    for (; i + 32 <= n; i += 32) {
        const halves a = unsigned_halves(_mm256_loadu_si256((const __m256i *)(x + i)));
        for (int r = 0; r < ROWS; r++)
            sum[r] = add_products(
                sum[r], a,
                signed_halves(_mm256_loadu_si256((const __m256i *)(weights + r * step + i))));
    }
    for (int r = 0; r < ROWS; r++) {
        int32_t parts[8];
        memcpy(parts, &sum[r], sizeof parts);
        sums[r] = 0;
        for (int k = 0; k < 8; k++)
            sums[r] += parts[k];
        for (int64_t k = i; k < n; k++)
            sums[r] += weights[r * step + k] * x[k];
    }
}

#else

static int32_t row_sum(const int8_t *row, int64_t n) {
    int32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += row[i];
    return sum;
}

static void tile(const int8_t *weights, int64_t n, const uint8_t *x, int64_t step,
                 int32_t sums[TILE][LANES]) {
    memset(sums, 0, sizeof(int32_t) * TILE * LANES);
    for (int64_t q = 0; q < n; q++) {
        const int8_t *by = weights + q * QUAD * LANES;
        for (int p = 0; p < TILE; p++) {
            const uint8_t *a = x + q * step + QUAD * p;
            for (int l = 0; l < LANES; l++)
                sums[p][l] += by[QUAD * l] * a[0] + by[QUAD * l + 1] * a[1] +
                              by[QUAD * l + 2] * a[2] + by[QUAD * l + 3] * a[3];
        }
    }
}

static void dots(const int8_t *weights, int64_t step, int64_t n, const uint8_t *x,
                 int32_t sums[ROWS]) {
    for (int r = 0; r < ROWS; r++) {
        int32_t sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += weights[r * step + i] * x[i];
        sums[r] = sum;
    }
}

#endif

static void row_sums(const int8_t *weights, int64_t step, int64_t n, int rows, int32_t *sums) {
    for (int r = 0; r < rows; r++)
        sums[r] = row_sum(weights + r * step, n);
}

static void add_scaled(int32_t a, const int8_t *weights, int64_t n, int32_t *sums) {
    for (int64_t i = 0; i < n; i++)
        sums[i] += a * weights[i];
}

static void worth(const stoic_int_worth *w, const int32_t sums[LANES], int32_t x,
                  float out[LANES]) {
    const float by = (float)x;
    for (int l = 0; l < LANES; l++) {
        const int32_t sum = sums[l] - w->zero * w->weights[l] + w->whole[l] * x;
        out[l] = (float)sum * w->scale[l] + by * w->part[l];
    }
}

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_int_loops GLUE(stoic_int_loops_, STOIC_KERNEL_SET);
const stoic_int_loops GLUE(stoic_int_loops_, STOIC_KERNEL_SET) = {
    quantise, gather, quads, tile, dots, row_sums, add_scaled, worth};
