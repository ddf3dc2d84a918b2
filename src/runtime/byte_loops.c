/* bytes.h, compiled once per instruction set: AVX2, and AVX-512 with byte permutations (VBMI) and
 * products over GF(2) (GFNI). */
#include "runtime/bytes.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

#if defined(__AVX512VBMI__) && defined(__GFNI__)
#define WITH_VBMI
#endif

/* ---- one word after another: the definitions ---- */

#ifndef WITH_VBMI
static int open_one_by_one(const uint8_t *bytes, int first, const stoic_words *w, int n,
                           uint8_t *codes) {
    const unsigned mask = (1u << w->word) - 1, rest = (1u << (w->data - w->copied)) - 1;
    const unsigned top = ((1u << w->copied) - 1) << (w->data - w->copied);
    int differ = 0;
    for (int i = 0, at = first; i < n; i++, at += w->word) {
        uint16_t two;
        memcpy(&two, bytes + at / 8, sizeof two);
        const unsigned a = two >> at % 8 & mask, b = a >> w->copied, c = b >> w->copied;
        const unsigned most = (a & b) | (a & c) | (b & c);
        differ += (((a ^ b) | (a ^ c)) & top) != 0;
        codes[i] = (uint8_t)((most & top) | (a & rest));
    }
    return differ;
}
#endif

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

/* ---- AVX-512 with VBMI and GFNI ---- */

#ifdef WITH_VBMI

#include "runtime/opening.h"

/* Any number of words, none beyond their end; counts. */
static int open_carefully(const stoic_opening *o, const uint8_t *bytes, int first, int bits, int n,
                          uint8_t *codes) {
    int differ = 0;
    for (int i = 0; i < n; i += 64, bytes += 8 * bits) {
        const int m = n - i < 64 ? n - i : 64, need = (first + m * bits + 7) / 8;
        const __mmask64 there = need < 64 ? (UINT64_C(1) << need) - 1 : UINT64_MAX;
        const __mmask64 wanted = m < 64 ? (UINT64_C(1) << m) - 1 : UINT64_MAX;
        __m512i odd, x = stoic_open_64(o, _mm512_maskz_loadu_epi8(there, bytes), &odd);
        _mm512_mask_storeu_epi8(codes + i, wanted, x);
        differ += __builtin_popcountll(_mm512_mask_test_epi8_mask(wanted, odd, o->top));
    }
    return differ;
}

static int open_short(const uint64_t *image, int64_t at, const stoic_words *w, int n,
                      uint8_t *codes) {
    const uint8_t *bytes = (const uint8_t *)image + at / 8;
    const int bits = w->word, first = (int)(at % 8);
    const stoic_opening o = stoic_opening_of(w, first);
    __m512i any = _mm512_setzero_si512();
    int i = 0;
    /* as long as 64 bytes are there, and counting only if there is something to count */
    for (; (n - i) * bits >= 8 * 64 && i + 64 <= n; i += 64) {
        __m512i odd, x = stoic_open_64(&o, _mm512_loadu_si512(bytes + i / 8 * bits), &odd);
        _mm512_storeu_si512(codes + i, x);
        any = _mm512_or_si512(any, odd);
    }
    if (_mm512_test_epi8_mask(any, o.top))
        return open_carefully(&o, bytes, first, bits, n, codes);
    return open_carefully(&o, bytes + i / 8 * bits, first, bits, n - i, codes + i);
}

/* The syndromes of eight vectors: sums over the lanes of each, in the order of the vectors. */
static inline __m512i sum_lanes(const __m512i r[8]) {
    __m512i x[4], y[2];
    for (int i = 0; i < 4; i++)
        x[i] = _mm512_xor_si512(_mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]),
                                _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]));
    for (int i = 0; i < 2; i++)
        y[i] = _mm512_xor_si512(_mm512_shuffle_i64x2(x[2 * i], x[2 * i + 1], 0x88),
                                _mm512_shuffle_i64x2(x[2 * i], x[2 * i + 1], 0xdd));
    return _mm512_xor_si512(_mm512_shuffle_i64x2(y[0], y[1], 0x88),
                            _mm512_shuffle_i64x2(y[0], y[1], 0xdd));
}

/* What the loops over words of 8 bytes share. */
typedef struct summing {
    __m512i turn;     /* byte b of word i to byte i of lane b */
    __m512i matrices; /* of lane b, what a byte at place b adds to the syndrome */
    __m512i pick;     /* the data of eight words of 9 bytes, from bytes 0 and 8 on */
    __m512i checks;   /* and their check bytes, from byte 8 on, eight times */
} summing;

static inline summing summing_of(const stoic_words *w) {
    uint8_t turn[64], pick[64], checks[64];
    for (int i = 0; i < 64; i++) {
        const int from = i / 8 * 9 + i % 8;
        turn[i] = (uint8_t)(i % 8 * 8 + i / 8);
        pick[i] = (uint8_t)(from < 64 ? from : 64 + from - 8);
        checks[i] = (uint8_t)(9 * (i % 8));
    }
    return (summing){_mm512_loadu_si512(turn), _mm512_loadu_si512(w->secded->parity.matrices),
                     _mm512_loadu_si512(pick), _mm512_loadu_si512(checks)};
}

/* 64 words with their check bytes behind them. */
static inline uint64_t open_64_apart(const summing *s, const uint8_t *bytes, uint8_t *codes) {
    __m512i r[8], checks = _mm512_setzero_si512();
    for (int v = 0; v < 8; v++) {
        const __m512i a = _mm512_loadu_si512(bytes + 72 * v);
        const __m512i b = _mm512_loadu_si512(bytes + 72 * v + 8);
        const __m512i data = _mm512_permutex2var_epi8(a, s->pick, b);
        checks = _mm512_mask_permutexvar_epi8(checks, UINT64_C(0xff) << 8 * v, s->checks, b);
        _mm512_storeu_si512(codes + 64 * v, data);
        r[v] =
            _mm512_gf2p8affine_epi64_epi8(_mm512_permutexvar_epi8(s->turn, data), s->matrices, 0);
    }
    return _mm512_cmpneq_epi8_mask(sum_lanes(r), checks);
}

/* 64 words that hold their checks in bit 6 of the first seven bytes, which is then what bit 7 is.
 */
static inline uint64_t open_64_inside(const summing *s, const uint8_t *bytes, uint8_t *codes) {
    const __m512i held = _mm512_set1_epi64(INT64_C(0x0040404040404040));
    __m512i r[8];
    for (int v = 0; v < 8; v++) {
        const __m512i data = _mm512_loadu_si512(bytes + 64 * v);
        r[v] =
            _mm512_gf2p8affine_epi64_epi8(_mm512_permutexvar_epi8(s->turn, data), s->matrices, 0);
        /* where `held`, the bit above, else the bit itself */
        _mm512_storeu_si512(codes + 64 * v, _mm512_ternarylogic_epi64(
                                                held, _mm512_srli_epi64(data, 1), data, 0xca));
    }
    return _mm512_test_epi8_mask(sum_lanes(r), _mm512_set1_epi8(-1));
}

static bool open_summed(const uint8_t *bytes, const stoic_words *w, int n, uint8_t *codes,
                        uint64_t *wrong) {
    const summing s = summing_of(w);
    const int each = w->word / 8;
    uint64_t any = 0;
    int i = 0;
    for (; i + 64 <= n; i += 64) {
        wrong[i / 64] = each == 9 ? open_64_apart(&s, bytes + each * i, codes + 8 * i)
                                  : open_64_inside(&s, bytes + each * i, codes + 8 * i);
        any |= wrong[i / 64];
    }
    if (i < n) { /* words of zeros, which are right, behind the last */
        uint8_t last[64 * 9] = {0}, opened[64 * 8];
        memcpy(last, bytes + each * i, (size_t)(each * (n - i)));
        wrong[i / 64] =
            each == 9 ? open_64_apart(&s, last, opened) : open_64_inside(&s, last, opened);
        any |= wrong[i / 64];
        memcpy(codes + 8 * i, opened, (size_t)(8 * (n - i)));
    }
    return any != 0;
}

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

/* Sixteen codes in 16 bits each: the two bytes around a code go to its place, and are shifted up so
 * that the code begins in the upper byte. */
static inline __m256i open_16(const uint8_t *bytes, int bits, __m256i picks, __m256i shifts) {
    const __m256i x =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)bytes)),
                                _mm_loadu_si128((const __m128i *)(bytes + bits)), 1);
    return _mm256_srli_epi16(_mm256_mullo_epi16(_mm256_shuffle_epi8(x, picks), shifts), 8);
}

static int open_short(const uint64_t *image, int64_t at, const stoic_words *w, int n,
                      uint8_t *codes) {
    const uint8_t *bytes = (const uint8_t *)image + at / 8;
    const int bits = w->word, first = (int)(at % 8);
    uint8_t pick[32];
    uint16_t shift[16];
    int differ = 0, i = 0;
    for (int k = 0; k < 16; k++) {
        const int from = first + k % 8 * bits;
        pick[2 * k] = (uint8_t)(from / 8);
        pick[2 * k + 1] = (uint8_t)(from / 8 + 1);
        shift[k] = (uint16_t)(256 >> from % 8);
    }
    const __m256i picks = _mm256_loadu_si256((const __m256i *)pick);
    const __m256i shifts = _mm256_loadu_si256((const __m256i *)shift);
    const __m256i rest = _mm256_set1_epi8((char)((1u << (w->data - w->copied)) - 1));
    const __m256i top = _mm256_set1_epi8((char)(((1u << w->copied) - 1) << (w->data - w->copied)));
    const __m128i once = _mm_cvtsi32_si128(w->copied), twice = _mm_cvtsi32_si128(2 * w->copied);
    for (; i + 32 <= n; i += 32, bytes += 4 * bits) {
        __m256i a = _mm256_packus_epi16(open_16(bytes, bits, picks, shifts),
                                        open_16(bytes + 2 * bits, bits, picks, shifts));
        a = _mm256_permute4x64_epi64(a, 0xd8);
        const __m256i b = _mm256_srl_epi16(a, once), c = _mm256_srl_epi16(a, twice);
        const __m256i ab = _mm256_xor_si256(a, b), ac = _mm256_xor_si256(a, c);
        const __m256i odd = _mm256_and_si256(_mm256_or_si256(ab, ac), top);
        /* the majority: a, but for where both others differ from it */
        const __m256i most = _mm256_xor_si256(a, _mm256_and_si256(_mm256_and_si256(ab, ac), top));
        const __m256i all = _mm256_or_si256(top, rest);
        if (!_mm256_testz_si256(odd, odd)) {
            const __m256i alike = _mm256_cmpeq_epi8(odd, _mm256_setzero_si256());
            differ += 32 - __builtin_popcount((unsigned)_mm256_movemask_epi8(alike));
        }
        _mm256_storeu_si256((__m256i *)(codes + i), _mm256_and_si256(most, all));
    }
    return differ + open_one_by_one(bytes, first, w, n - i, codes + i);
}

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

static int open_short(const uint64_t *image, int64_t at, const stoic_words *w, int n,
                      uint8_t *codes) {
    return open_one_by_one((const uint8_t *)image + at / 8, (int)(at % 8), w, n, codes);
}

static void widen(const stoic_byte_rule *rule, const uint8_t *codes, int n, float *weights) {
    widen_one_by_one(rule, codes, n, weights);
}

#endif

#ifdef __AVX2__
/* Sixteen bytes of sixteen rows, turned over: rows that differ in one bit of their number are
 * interleaved, four times. */
static inline void turn_16(const uint8_t *from, int64_t step, uint8_t *to) {
    __m128i x[16];
    for (int r = 0; r < 16; r++)
        x[r] = _mm_loadu_si128((const __m128i *)(from + r * step));
    for (int round = 0; round < 4; round++) {
        __m128i y[16];
        for (int r = 0; r < 8; r++) {
            y[2 * r] = _mm_unpacklo_epi8(x[r], x[r + 8]);
            y[2 * r + 1] = _mm_unpackhi_epi8(x[r], x[r + 8]);
        }
        memcpy(x, y, sizeof x);
    }
    for (int r = 0; r < 16; r++)
        _mm_storeu_si128((__m128i *)(to + 16 * r), x[r]);
}
#endif

#ifdef WITH_VBMI
/* The same in each lane of 64 bytes, of which lane l has first been given every fourth, from l on,
 * so that the lanes of a result follow each other. */
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
        turn_16(from + i, step, to + 16 * i);
#endif
    interleave_one_by_one(from + i, step, n - i, to + 16 * i);
}

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_int_loops GLUE(stoic_int_loops_, STOIC_KERNEL_SET);
extern const stoic_coded_loops GLUE(stoic_coded_loops_, STOIC_KERNEL_SET);
extern const stoic_byte_kernels GLUE(stoic_byte_kernels_, STOIC_KERNEL_SET);
const stoic_byte_kernels GLUE(stoic_byte_kernels_, STOIC_KERNEL_SET) = {
    &GLUE(stoic_int_loops_, STOIC_KERNEL_SET), &GLUE(stoic_coded_loops_, STOIC_KERNEL_SET),
    open_short,
#ifdef WITH_VBMI
    open_summed,
#else
    NULL,
#endif
    widen, interleave};
