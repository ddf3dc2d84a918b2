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
            stoic_turn(from + r * step + i, step, to + i * LANES + r * QUAD, QUAD * LANES);
    }
    for (; i < n; i += QUAD) {
        const size_t m = n - i < QUAD ? (size_t)(n - i) : QUAD;
        memset(to + i * LANES, 0, QUAD * LANES);
        for (int r = 0; r < LANES; r++)
            memcpy(to + i * LANES + r * QUAD, from + r * step + i, m);
    }
}

static void lace(const uint8_t *from, int64_t step, int64_t rows, int64_t n, uint8_t *to,
                 int64_t to_step) {
    int64_t i = 0;
#ifdef __AVX2__
    for (; i + 16 <= n; i += 16) {
        int64_t r = 0;
        for (; r + 16 <= rows; r += 16)
            stoic_turn_bytes(from + r * step + i, step, to + i * to_step + r, to_step);
        for (; r < rows; r++) {
            for (int64_t k = i; k < i + 16; k++)
                to[k * to_step + r] = from[r * step + k];
        }
    }
#endif
    for (; i < n; i++) {
        for (int64_t r = 0; r < rows; r++)
            to[i * to_step + r] = from[r * step + i];
    }
}

/* Columns of sixteen channels at place k, one below the other, to quads. */
static inline void group_four(const uint8_t *a, int64_t apart, uint8_t *to) {
#ifdef __AVX2__
    const __m128i x = _mm_loadu_si128((const __m128i *)a);
    const __m128i y = _mm_loadu_si128((const __m128i *)(a + apart));
    const __m128i z = _mm_loadu_si128((const __m128i *)(a + 2 * apart));
    const __m128i w = _mm_loadu_si128((const __m128i *)(a + 3 * apart));
    const __m128i xy[2] = {_mm_unpacklo_epi8(x, y), _mm_unpackhi_epi8(x, y)};
    const __m128i zw[2] = {_mm_unpacklo_epi8(z, w), _mm_unpackhi_epi8(z, w)};
    for (int half = 0; half < 2; half++) {
        _mm_storeu_si128((__m128i *)(to + 32 * half), _mm_unpacklo_epi16(xy[half], zw[half]));
        _mm_storeu_si128((__m128i *)(to + 32 * half + 16), _mm_unpackhi_epi16(xy[half], zw[half]));
    }
#else
    for (int r = 0; r < LANES; r++) {
        for (int t = 0; t < QUAD; t++)
            to[QUAD * r + t] = a[t * apart + r];
    }
#endif
}

/* By way of columns of some channels, which stay in the first cache. */
static void regroup(const int8_t *from, int64_t step, int64_t channels, int64_t window,
                    int8_t *to) {
    enum { SOME = 512 };
    uint8_t columns[SOME * LANES];
    const int64_t quads_of_all = channels / QUAD;
    if (QUAD * window > SOME) { /* one after another */
        for (int64_t k = 0; k < window; k++) {
            for (int64_t c = 0; c < channels; c++) {
                for (int r = 0; r < LANES; r++)
                    to[(k * quads_of_all + c / QUAD) * LANES * QUAD + r * QUAD + c % QUAD] =
                        from[r * step + c * window + k];
            }
        }
        return;
    }
    const int64_t some = SOME / window / QUAD * QUAD;
    for (int64_t c = 0; c < channels; c += some) {
        const int64_t m = channels - c < some ? channels - c : some;
        lace((const uint8_t *)from + c * window, step, LANES, m * window, columns, LANES);
        for (int64_t k = 0; k < window; k++) {
            for (int64_t q = 0; q < m / QUAD; q++)
                group_four(columns + (q * QUAD * window + k) * LANES, window * LANES,
                           (uint8_t *)to + (k * quads_of_all + c / QUAD + q) * LANES * QUAD);
        }
    }
}

#if defined(__AVX512VNNI__)

static void window(const int8_t *weights, int64_t quads, const uint8_t *const x[TILE],
                   const int64_t *offsets, int64_t n, int32_t sums[TILE][LANES]) {
    __m512i sum[TILE];
    for (int p = 0; p < TILE; p++)
        sum[p] = _mm512_setzero_si512();
    for (int64_t k = 0; k < n; k++) {
        const uint8_t *at[TILE];
        for (int p = 0; p < TILE; p++)
            at[p] = x[p] + offsets[k];
        for (int64_t q = 0; q < quads; q++, weights += QUAD * LANES) {
            const __m512i by = _mm512_loadu_si512(weights);
            for (int p = 0; p < TILE; p++) {
                int32_t one;
                memcpy(&one, at[p] + QUAD * q, sizeof one);
                sum[p] = _mm512_dpbusd_epi32(sum[p], _mm512_set1_epi32(one), by);
            }
        }
    }
    for (int p = 0; p < TILE; p++)
        _mm512_storeu_si512(sums[p], sum[p]);
}

static void byte_sums(const uint8_t *x, int64_t step, int64_t n, int64_t count, int32_t *sums) {
    for (int64_t p = 0; p < count; p++, x += step) {
        __m512i sum = _mm512_setzero_si512();
        for (int64_t i = 0; i < n; i += 64) {
            const __mmask64 there = n - i < 64 ? (UINT64_C(1) << (n - i)) - 1 : UINT64_MAX;
            sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_loadu_epi8(there, x + i),
                                      _mm512_set1_epi8(1));
        }
        sums[p] = _mm512_reduce_add_epi32(sum);
    }
}

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
    int64_t i = 0;
    for (; i + 64 <= n; i += 64) {
        const __m512i by = _mm512_loadu_si512(x + i);
        for (int r = 0; r < ROWS; r++)
            sum[r] = _mm512_dpbusd_epi32(sum[r], by, _mm512_loadu_si512(weights + r * step + i));
    }
    if (i < n) {
        const __mmask64 there = (UINT64_C(1) << (n - i)) - 1;
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

static void window(const int8_t *weights, int64_t quads, const uint8_t *const x[TILE],
                   const int64_t *offsets, int64_t n, int32_t sums[TILE][LANES]) {
    enum { SOME = 4 }; /* positions whose sums stay in registers */
    for (int first = 0; first < TILE; first += SOME) {
        const __m256i *by = (const __m256i *)weights;
        __m256i sum[SOME][2];
        memset(sum, 0, sizeof sum);
        for (int64_t k = 0; k < n; k++) {
            for (int64_t q = 0; q < quads; q++, by += 2) {
                const halves low = signed_halves(_mm256_loadu_si256(by));
                const halves high = signed_halves(_mm256_loadu_si256(by + 1));
                for (int p = 0; p < SOME; p++) {
                    int32_t one;
                    memcpy(&one, x[first + p] + offsets[k] + QUAD * q, sizeof one);
                    const halves a = unsigned_halves(_mm256_set1_epi32(one));
                    sum[p][0] = add_products(sum[p][0], a, low);
                    sum[p][1] = add_products(sum[p][1], a, high);
                }
            }
        }
        memcpy(sums[first], sum, sizeof sum);
    }
}

static void byte_sums(const uint8_t *x, int64_t step, int64_t n, int64_t count, int32_t *sums) {
    for (int64_t p = 0; p < count; p++, x += step) {
        __m256i sum = _mm256_setzero_si256();
        int64_t parts[4], i = 0;
        for (; i + 32 <= n; i += 32)
            sum =
                _mm256_add_epi64(sum, _mm256_sad_epu8(_mm256_loadu_si256((const __m256i *)(x + i)),
                                                      _mm256_setzero_si256()));
        memcpy(parts, &sum, sizeof parts);
        sums[p] = (int32_t)(parts[0] + parts[1] + parts[2] + parts[3]);
        for (; i < n; i++)
            sums[p] += x[i];
    }
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

static void window(const int8_t *weights, int64_t quads, const uint8_t *const x[TILE],
                   const int64_t *offsets, int64_t n, int32_t sums[TILE][LANES]) {
    memset(sums, 0, sizeof(int32_t) * TILE * LANES);
    for (int64_t k = 0; k < n; k++) {
        for (int64_t q = 0; q < quads; q++, weights += QUAD * LANES) {
            for (int p = 0; p < TILE; p++) {
                const uint8_t *a = x[p] + offsets[k] + QUAD * q;
                for (int l = 0; l < LANES; l++)
                    sums[p][l] += weights[QUAD * l] * a[0] + weights[QUAD * l + 1] * a[1] +
                                  weights[QUAD * l + 2] * a[2] + weights[QUAD * l + 3] * a[3];
            }
        }
    }
}

static void byte_sums(const uint8_t *x, int64_t step, int64_t n, int64_t count, int32_t *sums) {
    for (int64_t p = 0; p < count; p++, x += step) {
        sums[p] = 0;
        for (int64_t i = 0; i < n; i++)
            sums[p] += x[i];
    }
}

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
    .quantise = quantise,
    .gather = gather,
    .quads = quads,
    .lace = lace,
    .byte_sums = byte_sums,
    .regroup = regroup,
    .window = window,
    .tile = tile,
    .dots = dots,
    .row_sums = row_sums,
    .add_scaled = add_scaled,
    .worth = worth,
};
