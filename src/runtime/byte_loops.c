/* bytes.h, compiled once per instruction set: AVX2, and AVX-512 with byte permutations (VBMI) and
 * products over GF(2) (GFNI). */
#include "runtime/bytes.h"
#include "runtime/turn.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

#if defined(__AVX512VBMI__) && defined(__GFNI__)
#define WITH_VBMI
#endif

/* ---- one word after another: the definitions ---- */

static void widen_one_by_one(const stoic_byte_rule *rule, const uint8_t *codes, int n,
                             float *weights) {
    for (int i = 0; i < n; i++)
        weights[i] = rule->table[codes[i]];
}

static void interleave_one_by_one(const uint8_t *from, int64_t step, int64_t n, uint8_t *to) {
    for (int64_t i = 0; i < n; i++) {
        for (int r = 0; r < 16; r++)
            to[16 * i + r] = from[r * step + i];
    }
}

/* ---- AVX-512 with VBMI ---- */

#ifdef WITH_VBMI

static inline __m512 linear_16(const stoic_byte_rule *rule, __m512i x) {
    const __m512 v = _mm512_cvtepi32_ps(x);
    return _mm512_add_ps(
        _mm512_fmadd_ps(v, _mm512_set1_ps(rule->high), _mm512_set1_ps(rule->shift)),
        _mm512_fmadd_ps(v, _mm512_set1_ps(rule->low), _mm512_set1_ps(rule->rest)));
}

/* Five bits are looked up in two registers. */
static int widen_looked_up(const stoic_byte_rule *rule, const uint8_t *codes, int n,
                           float *weights) {
    const __m512 low = _mm512_loadu_ps(rule->table), high = _mm512_loadu_ps(rule->table + 16);
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m512i x = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(codes + i)));
        _mm512_storeu_ps(weights + i, _mm512_permutex2var_ps(low, x, high));
    }
    return i;
}

static int widen_linear(const stoic_byte_rule *rule, const uint8_t *codes, int n, float *weights) {
    const __m512i flip = _mm512_set1_epi32(rule->flip);
    int i = 0;
    for (; rule->flip == 128 && i + 16 <= n; i += 16) {
        const __m512i x = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(codes + i)));
        _mm512_storeu_ps(weights + i, linear_16(rule, x));
    }
    for (; i + 16 <= n; i += 16) {
        const __m512i x = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(codes + i)));
        _mm512_storeu_ps(weights + i, linear_16(rule, _mm512_xor_si512(x, flip)));
    }
    return i;
}

static void widen(const stoic_byte_rule *rule, const uint8_t *codes, int n, float *weights) {
    int done = 0;
    if (rule->bits <= 5)
        done = widen_looked_up(rule, codes, n, weights);
    else if (rule->linear)
        done = widen_linear(rule, codes, n, weights);
    widen_one_by_one(rule, codes + done, n - done, weights + done);
}

/* ---- AVX2 ---- */

#elif defined(__AVX2__)

static inline __m256 linear_8(const stoic_byte_rule *rule, __m256i x) {
    const __m256 v = _mm256_cvtepi32_ps(x);
    return _mm256_add_ps(
        _mm256_fmadd_ps(v, _mm256_set1_ps(rule->high), _mm256_set1_ps(rule->shift)),
        _mm256_fmadd_ps(v, _mm256_set1_ps(rule->low), _mm256_set1_ps(rule->rest)));
}

static int widen_looked_up(const stoic_byte_rule *rule, const uint8_t *codes, int n,
                           float *weights) {
    const __m256 table = _mm256_loadu_ps(rule->table);
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i x = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(codes + i)));
        _mm256_storeu_ps(weights + i, _mm256_permutevar8x32_ps(table, x));
    }
    return i;
}

static int widen_linear(const stoic_byte_rule *rule, const uint8_t *codes, int n, float *weights) {
    const __m256i flip = _mm256_set1_epi32(rule->flip);
    int i = 0;
    for (; rule->flip == 128 && i + 8 <= n; i += 8) {
        const __m256i x = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(codes + i)));
        _mm256_storeu_ps(weights + i, linear_8(rule, x));
    }
    for (; i + 8 <= n; i += 8) {
        const __m256i x = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(codes + i)));
        _mm256_storeu_ps(weights + i, linear_8(rule, _mm256_xor_si256(x, flip)));
    }
    return i;
}

static void widen(const stoic_byte_rule *rule, const uint8_t *codes, int n, float *weights) {
    int done = 0;
    if (rule->bits <= 3)
        done = widen_looked_up(rule, codes, n, weights);
    else if (rule->linear)
        done = widen_linear(rule, codes, n, weights);
    widen_one_by_one(rule, codes + done, n - done, weights + done);
}

#else

static void widen(const stoic_byte_rule *rule, const uint8_t *codes, int n, float *weights) {
    widen_one_by_one(rule, codes, n, weights);
}

#endif

#ifdef WITH_VBMI
/* stoic_turn_bytes() in each lane of 64 bytes, of which lane l has first been given every fourth,
 * from l on, so that the lanes of a result follow each other. */
static inline void turn_64(const uint8_t *from, int64_t step, uint8_t *to) {
    uint8_t order[64];
    __m512i x[16], y[16];
    for (int i = 0; i < 64; i++)
        order[i] = (uint8_t)(i % 16 * 4 + i / 16);
    const __m512i orders = _mm512_loadu_si512(order);
    for (int r = 0; r < 16; r++)
        x[r] = _mm512_permutexvar_epi8(orders, _mm512_loadu_si512(from + r * step));
#define ROUND(a, b)                                                                                \
    for (int r = 0; r < 8; r++) {                                                                  \
        b[2 * r] = _mm512_unpacklo_epi8(a[r], a[r + 8]);                                           \
        b[2 * r + 1] = _mm512_unpackhi_epi8(a[r], a[r + 8]);                                       \
    }
    ROUND(x, y)
    ROUND(y, x)
    ROUND(x, y)
    ROUND(y, x)
#undef ROUND
    for (int r = 0; r < 16; r++)
        _mm512_storeu_si512(to + 64 * r, x[r]);
}
#endif

static void interleave(const uint8_t *from, int64_t step, int64_t n, uint8_t *to) {
    int64_t i = 0;
#ifdef WITH_VBMI
    for (; i + 64 <= n; i += 64)
        turn_64(from + i, step, to + 16 * i);
#endif
#ifdef __AVX2__
    for (; i + 16 <= n; i += 16)
        stoic_turn_bytes(from + i, step, to + 16 * i, 16);
#endif
    interleave_one_by_one(from + i, step, n - i, to + 16 * i);
}

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_int_loops GLUE(stoic_int_loops_, STOIC_KERNEL_SET);
extern const stoic_coded_loops GLUE(stoic_coded_loops_, STOIC_KERNEL_SET);
extern const stoic_word_loops GLUE(stoic_word_loops_, STOIC_KERNEL_SET);
extern const stoic_sum_loops GLUE(stoic_sum_loops_, STOIC_KERNEL_SET);
extern const stoic_byte_kernels GLUE(stoic_byte_kernels_, STOIC_KERNEL_SET);
const stoic_byte_kernels GLUE(stoic_byte_kernels_, STOIC_KERNEL_SET) = {
    .integers = &GLUE(stoic_int_loops_, STOIC_KERNEL_SET),
    .coded = &GLUE(stoic_coded_loops_, STOIC_KERNEL_SET),
    .words = &GLUE(stoic_word_loops_, STOIC_KERNEL_SET),
    .sums = &GLUE(stoic_sum_loops_, STOIC_KERNEL_SET),
    .widen = widen,
    .interleave = interleave,
};
