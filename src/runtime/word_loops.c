/* word_loops.h: AVX-512 with byte permutations (VBMI) and products over GF(2) (GFNI), AVX2, and
 * eight words in a register of 64 bits. */
#include "runtime/word_loops.h"

#include <string.h>

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

#if defined(__AVX2__) && !defined(WITH_VBMI)
static int open_long_one_by_one(const uint8_t *bytes, int first, const stoic_words *w, int n,
                                uint8_t *codes) {
    const uint32_t rest = (1u << (w->data - w->copied)) - 1;
    const uint32_t top = ((1u << w->copied) - 1) << (w->data - w->copied);
    int differ = 0;
    for (int i = 0; i < n; i++) {
        const int64_t at = first + (int64_t)i * w->word;
        uint32_t a;
        memcpy(&a, bytes + at / 8, sizeof a);
        a >>= at % 8; /* 24 bits and 7 */
        const uint32_t b = a >> w->copied, c = b >> w->copied;
        const uint32_t most = (a & b) | (a & c) | (b & c);
        differ += (((a ^ b) | (a ^ c)) & top) != 0;
        codes[i] = (uint8_t)((most & top) | (a & rest));
    }
    return differ;
}
#endif

/* ---- AVX-512 with VBMI and GFNI ---- */

#ifdef WITH_VBMI

#include "runtime/opening.h"

/* The first n of 64 bytes. (Stores under a mask are slow where this runs.) */
static inline void store_some(uint8_t *to, int n, __m512i bytes) {
    uint8_t all[64];
    if (n == 64) {
        _mm512_storeu_si512(to, bytes);
        return;
    }
    _mm512_storeu_si512(all, bytes);
    memcpy(to, all, (size_t)n);
}

/* Any number of words, none beyond their end; counts. */
static int open_carefully(const stoic_opening *o, const uint8_t *bytes, int first, int bits, int n,
                          uint8_t *codes) {
    int differ = 0;
    for (int i = 0; i < n; i += 64, bytes += 8 * bits) {
        const int m = n - i < 64 ? n - i : 64, need = (first + m * bits + 7) / 8;
        const __mmask64 there = need < 64 ? (UINT64_C(1) << need) - 1 : UINT64_MAX;
        const __mmask64 wanted = m < 64 ? (UINT64_C(1) << m) - 1 : UINT64_MAX;
        __m512i odd, x = stoic_open_64(o, _mm512_maskz_loadu_epi8(there, bytes), &odd);
        store_some(codes + i, m, x);
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

/* How words of more than 8 bits are opened in lanes of 8 bytes, some in each. */
typedef struct long_opening {
    __m512i pick, fields, third, top, rest;
} long_opening;

/* Of each word come 8 bits that begin with the data, and 8 whose top is that of the second and of
 * the third copy: `each` times one after another in a lane, the third in a register of its own
 * where four words leave no room. */
static inline long_opening long_opening_of(const stoic_words *w, const int each, int first) {
    const uint64_t ones = UINT64_C(0x0101010101010101), count = UINT64_C(0x0706050403020100);
    const int rest = w->data - w->copied;
    uint64_t pick[8], shift[8], fields = 0, third = 0;
    for (int i = 0; i < 8; i++) {
        const int at = i % each * w->word, copy = i / each;
        fields |= (uint64_t)(at + (copy < 3 ? copy : 0) * w->copied) << 8 * i;
        third |= (uint64_t)(at + 2 * w->copied) << 8 * i;
    }
    for (int lane = 0; lane < 8; lane++) {
        const uint64_t at = (uint64_t)(first + lane * each * w->word);
        pick[lane] = at / 8 * ones + count;
        shift[lane] = at % 8 * ones;
    }
    const __m512i off = _mm512_loadu_si512(shift);
    return (long_opening){.pick = _mm512_loadu_si512(pick),
                          .fields = _mm512_add_epi8(off, _mm512_set1_epi64((long long)fields)),
                          .third = _mm512_add_epi8(off, _mm512_set1_epi64((long long)third)),
                          .rest = _mm512_set1_epi8((char)((1u << rest) - 1)),
                          .top = _mm512_set1_epi8((char)(((1u << w->copied) - 1) << rest))};
}

/* Codes in the first bytes of each lane. */
static inline __m512i open_lanes(const long_opening *o, const bool four, __m512i x, __m512i *odd) {
    x = _mm512_permutexvar_epi8(o->pick, x);
    const __m512i a = _mm512_multishift_epi64_epi8(o->fields, x);
    const __m512i b = _mm512_srli_epi64(a, four ? 32 : 16);
    const __m512i c = four ? _mm512_multishift_epi64_epi8(o->third, x) : _mm512_srli_epi64(a, 32);
    const __m512i most = _mm512_ternarylogic_epi64(a, b, c, 0xe8);
    *odd = _mm512_ternarylogic_epi64(a, b, c, 0x7e);
    return _mm512_ternarylogic_epi64(most, o->top, _mm512_and_si512(a, o->rest), 0xea);
}

/* Any number of words, none beyond their end; counts. */
static inline int open_long_carefully(const long_opening *o, const bool four, const uint8_t *bytes,
                                      int first, int bits, int n, uint8_t *codes) {
    const int at_once = four ? 32 : 16;
    const uint64_t held = four ? UINT64_C(0x0f0f0f0f0f0f0f0f) : UINT64_C(0x0303030303030303);
    int differ = 0;
    for (int i = 0; i < n; i += at_once, bytes += at_once / 8 * bits) {
        const int m = n - i < at_once ? n - i : at_once;
        const int need = (first + m * bits + 7) / 8; /* at most 57 */
        const __m512i x = _mm512_maskz_loadu_epi8((UINT64_C(1) << need) - 1, bytes);
        __m512i odd, lanes = open_lanes(o, four, x, &odd);
        const uint64_t words = _pext_u64(_mm512_test_epi8_mask(odd, o->top), held);
        differ += __builtin_popcountll(words & ((UINT64_C(1) << m) - 1));
        store_some(codes + i, m,
                   four ? _mm512_castsi256_si512(_mm512_cvtepi64_epi32(lanes))
                        : _mm512_castsi128_si512(_mm512_cvtepi64_epi16(lanes)));
    }
    return differ;
}

static inline int open_long_as(const stoic_words *w, const bool four, const uint8_t *bytes,
                               int first, int n, uint8_t *codes) {
    const long_opening o = long_opening_of(w, four ? 4 : 2, first);
    const int at_once = four ? 32 : 16, bits = w->word, step = at_once / 8 * bits;
    const __m512i held = four ? _mm512_set1_epi64(UINT32_MAX) : _mm512_set1_epi64(UINT16_MAX);
    __m512i any = _mm512_setzero_si512();
    int i = 0;
    /* as open_short() */
    for (; (n - i) * bits >= 8 * 64; i += at_once) {
        __m512i odd,
            lanes = open_lanes(&o, four, _mm512_loadu_si512(bytes + i / at_once * step), &odd);
        any = _mm512_or_si512(any, odd);
        if (four)
            _mm256_storeu_si256((__m256i *)(codes + i), _mm512_cvtepi64_epi32(lanes));
        else
            _mm_storeu_si128((__m128i *)(codes + i), _mm512_cvtepi64_epi16(lanes));
    }
    if (_mm512_test_epi8_mask(_mm512_and_si512(any, held), o.top))
        i = 0;
    return open_long_carefully(&o, four, bytes + i / at_once * step, first, bits, n - i, codes + i);
}

static int open_long(const uint64_t *image, int64_t at, const stoic_words *w, int n,
                     uint8_t *codes) {
    const uint8_t *bytes = (const uint8_t *)image + at / 8;
    if (w->word <= 14)
        return open_long_as(w, true, bytes, (int)(at % 8), n, codes);
    return open_long_as(w, false, bytes, (int)(at % 8), n, codes);
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

/* Eight words of up to 24 bits in 32 bits each, from two halves of a register: the bytes around
 * each go to its place, which is then shifted. Four times that is packed to bytes. */
typedef struct long_opening {
    __m256i pick, shift;
    int second; /* byte in which the fifth word begins */
} long_opening;

static inline long_opening long_opening_of(const stoic_words *w, int first) {
    uint8_t pick[32];
    int32_t shift[8];
    long_opening o = {.second = (first + 4 * w->word) / 8};
    for (int lane = 0; lane < 8; lane++) {
        const int bit = first + lane * w->word - (lane < 4 ? 0 : 8 * o.second);
        shift[lane] = bit % 8;
        for (int b = 0; b < 4; b++)
            pick[4 * lane + b] = (uint8_t)(bit / 8 + b);
    }
    o.pick = _mm256_loadu_si256((const __m256i *)pick);
    o.shift = _mm256_loadu_si256((const __m256i *)shift);
    return o;
}

static inline __m256i open_8(const long_opening *o, const uint8_t *bytes) {
    const __m128i *high = (const __m128i *)(bytes + o->second);
    const __m256i x = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)bytes)), _mm_loadu_si128(high), 1);
    return _mm256_srlv_epi32(_mm256_shuffle_epi8(x, o->pick), o->shift);
}

static int open_long(const uint64_t *image, int64_t at, const stoic_words *w, int n,
                     uint8_t *codes) {
    const uint8_t *bytes = (const uint8_t *)image + at / 8;
    const int bits = w->word, first = (int)(at % 8);
    const long_opening o = long_opening_of(w, first);
    const __m256i rest = _mm256_set1_epi32((int)((1u << (w->data - w->copied)) - 1));
    const __m256i top = _mm256_set1_epi32((int)(((1u << w->copied) - 1) << (w->data - w->copied)));
    const __m128i once = _mm_cvtsi32_si128(w->copied), twice = _mm_cvtsi32_si128(2 * w->copied);
    int differ = 0, i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256i code[4];
        for (int k = 0; k < 4; k++, bytes += bits) {
            const __m256i a = open_8(&o, bytes);
            const __m256i b = _mm256_srl_epi32(a, once), c = _mm256_srl_epi32(a, twice);
            const __m256i ab = _mm256_xor_si256(a, b), ac = _mm256_xor_si256(a, c);
            const __m256i odd = _mm256_and_si256(_mm256_or_si256(ab, ac), top);
            const __m256i most = _mm256_xor_si256(a, _mm256_and_si256(ab, ac));
            code[k] = _mm256_or_si256(_mm256_and_si256(most, top), _mm256_and_si256(a, rest));
            if (!_mm256_testz_si256(odd, odd)) {
                const __m256i alike = _mm256_cmpeq_epi32(odd, _mm256_setzero_si256());
                differ += 8 - __builtin_popcount(
                                  (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(alike)));
            }
        }
        const __m256i all = _mm256_packus_epi16(_mm256_packus_epi32(code[0], code[1]),
                                                _mm256_packus_epi32(code[2], code[3]));
        _mm256_storeu_si256(
            (__m256i *)(codes + i),
            _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
    }
    return differ + open_long_one_by_one(bytes, first, w, n - i, codes + i);
}

/* ---- without vectors ---- */

#else

/* Fields of `bits` bits to bytes: halves are moved apart three times. */
static uint64_t spread(uint64_t x, int bits) {
    const uint64_t ones = UINT64_C(0x0101010101010101), one = (UINT64_C(1) << bits) - 1;
    const uint64_t two = (UINT64_C(1) << 2 * bits) - 1, four = (UINT64_C(1) << 4 * bits) - 1;
    x = (x & four) | (x >> 4 * bits & four) << 32;
    const uint64_t low = two | two << 32;
    x = (x & low) | (x >> 2 * bits & low) << 16;
    const uint64_t bytes = one * (ones & UINT64_C(0x00ff00ff00ff00ff));
    return (x & bytes) | (x >> bits & bytes) << 8;
}

/* Eight words at once. */
static int open_short(const uint64_t *image, int64_t at, const stoic_words *w, int n,
                      uint8_t *codes) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint8_t *bytes = (const uint8_t *)image + at / 8;
    const int first = (int)(at % 8), bits = w->word, rest = w->data - w->copied;
    const uint64_t below = ((1u << rest) - 1) * ones;
    const uint64_t top = (((1u << w->copied) - 1) << rest) * ones;
    int differ = 0, i = 0;
    for (; i + 8 <= n; i += 8, bytes += bits) {
        uint64_t x;
        memcpy(&x, bytes, sizeof x);
        if (first)
            x = x >> first | (uint64_t)bytes[8] << (64 - first);
        const uint64_t a = spread(x, bits), b = a >> w->copied, c = a >> 2 * w->copied;
        const uint64_t most = (a & b) | (a & c) | (b & c), odd = ((a ^ b) | (a ^ c)) & top;
        x = (most & top) | (a & below);
        memcpy(codes + i, &x, sizeof x);
        if (odd) /* bit 7 of each byte that is not 0 */
            differ += __builtin_popcountll((((odd & 127 * ones) + 127 * ones) | odd) & 128 * ones);
    }
    return differ + open_one_by_one(bytes, first, w, n - i, codes + i);
}

#endif

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_word_loops GLUE(stoic_word_loops_, STOIC_KERNEL_SET);
const stoic_word_loops GLUE(stoic_word_loops_, STOIC_KERNEL_SET) = {
    .open_short = open_short,
#ifdef __AVX2__
    .open_long = open_long,
#endif
};
