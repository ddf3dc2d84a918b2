/* sum_loops.h in registers of 64 bytes: byte permutations (VBMI) and products over GF(2) (GFNI);
 * and of words of whole bytes in registers of 32 (AVX2), by tables of what half a byte adds. */
#include "runtime/sum_loops.h"

#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

/* A byte for each byte of a register, by its number; known when compiled. */
#define EIGHT(of, i)                                                                               \
    (uint8_t) of(i), (uint8_t)of(i + 1), (uint8_t)of(i + 2), (uint8_t)of(i + 3),                   \
        (uint8_t)of(i + 4), (uint8_t)of(i + 5), (uint8_t)of(i + 6), (uint8_t)of(i + 7)
#define BYTES_32(of) EIGHT(of, 0), EIGHT(of, 8), EIGHT(of, 16), EIGHT(of, 24)
#define BYTES(of)                                                                                  \
    { BYTES_32(of), EIGHT(of, 32), EIGHT(of, 40), EIGHT(of, 48), EIGHT(of, 56) }

/* ---- AVX-512 with VBMI and GFNI ---- */

#if defined(__AVX512VBMI__) && defined(__GFNI__)
#define WITH_VBMI

/* What summing the columns of lanes of 8 bytes takes. */
typedef struct summing {
    __m512i low, high;       /* from 16 lanes their bytes 0 to 3, and 4 to 7, 16 of each together */
    __m512i by_low, by_high; /* what those bytes add to the syndrome: matrices */
} summing;

/* Byte b of lane 7 - j of `rows` are the bits of byte b that are added to bit j of the sum. */
static inline summing summing_of(__m512i rows) {
#define LOW(i)     (8 * ((i) % 16) + (i) / 16)
#define HIGH(i)    (LOW(i) + 4)
#define BY_LOW(i)  (8 * ((i) % 8) + (i) / 16)
#define BY_HIGH(i) (BY_LOW(i) + 4)
    static const uint8_t low[64] = BYTES(LOW), high[64] = BYTES(HIGH);
    static const uint8_t by_low[64] = BYTES(BY_LOW), by_high[64] = BYTES(BY_HIGH);
    return (summing){_mm512_loadu_si512(low), _mm512_loadu_si512(high),
                     _mm512_permutexvar_epi8(_mm512_loadu_si512(by_low), rows),
                     _mm512_permutexvar_epi8(_mm512_loadu_si512(by_high), rows)};
}

/* A register of what `of` gives for 7 ... 0. */
#define DESCENDING(of)                                                                             \
    _mm512_set_epi64((long long)of(0), (long long)of(1), (long long)of(2), (long long)of(3),       \
                     (long long)of(4), (long long)of(5), (long long)of(6), (long long)of(7))

static inline summing summing_of_parity(const stoic_parity *parity) {
    const __m512i descending = _mm512_set_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    return summing_of(_mm512_permutexvar_epi64(descending, _mm512_loadu_si512(parity->masks)));
}

/* Of 16 words: the sum of the four lanes of 16 bytes is theirs. */
static inline __m512i sum_16(const summing *s, __m512i a, __m512i b) {
    const __m512i low = _mm512_permutex2var_epi8(a, s->low, b);
    const __m512i high = _mm512_permutex2var_epi8(a, s->high, b);
    return _mm512_xor_si512(_mm512_gf2p8affine_epi64_epi8(low, s->by_low, 0),
                            _mm512_gf2p8affine_epi64_epi8(high, s->by_high, 0));
}

/* The lanes of each register added: the sums of 64 words in their order. */
static inline __m512i sum_lanes(const __m512i r[4]) {
    __m512i x[2];
    for (int i = 0; i < 2; i++)
        x[i] = _mm512_xor_si512(_mm512_mask_blend_epi64(0xf0, r[2 * i], r[2 * i + 1]),
                                _mm512_shuffle_i64x2(r[2 * i], r[2 * i + 1], 0x4e));
    return _mm512_xor_si512(_mm512_shuffle_i64x2(x[0], x[1], 0x88),
                            _mm512_shuffle_i64x2(x[0], x[1], 0xdd));
}

static inline uint64_t not_zero(__m512i bytes) {
    return _mm512_test_epi8_mask(bytes, bytes);
}

/* ---- eight codes of a byte each ---- */

/* 64 words with their check bytes behind them. */
static inline uint64_t open_64_apart(const summing *s, const uint8_t *bytes, uint8_t *codes) {
#define FROM(i)   ((i) / 8 * 9 + (i) % 8)
#define PICK(i)   (FROM(i) < 64 ? FROM(i) : 64 + FROM(i) - 8)
#define CHECKS(i) (9 * ((i) % 8) + 64 * ((i) / 8 % 2))
    static const uint8_t pick[64] = BYTES(PICK), checks[64] = BYTES(CHECKS);
    const __m512i picks = _mm512_loadu_si512(pick), of_checks = _mm512_loadu_si512(checks);
    __m512i r[4], data[2], behind[2];
    for (int v = 0; v < 8; v++) {
        const __m512i a = _mm512_loadu_si512(bytes + 72 * v);
        behind[v % 2] = _mm512_loadu_si512(bytes + 72 * v + 8);
        data[v % 2] = _mm512_permutex2var_epi8(a, picks, behind[v % 2]);
        _mm512_storeu_si512(codes + 64 * v, data[v % 2]);
        if (v % 2)
            r[v / 2] = _mm512_xor_si512(
                sum_16(s, data[0], data[1]),
                _mm512_maskz_permutex2var_epi8(0xffff, behind[0], of_checks, behind[1]));
    }
    return not_zero(sum_lanes(r));
}

/* 64 words that hold their checks in bit 6 of the first seven bytes, which is then what bit 7 is.
 */
static inline uint64_t open_64_inside(const summing *s, const uint8_t *bytes, uint8_t *codes) {
    /* every bit to its place, and the highest to the next one too */
    const __m512i twice = _mm512_set1_epi64(INT64_C(0x0102040810208080));
    const __mmask64 seven = UINT64_C(0x7f7f7f7f7f7f7f7f);
    __m512i r[4], data[2];
    for (int v = 0; v < 8; v++) {
        const __m512i x = _mm512_loadu_si512(bytes + 64 * v);
        _mm512_storeu_si512(codes + 64 * v,
                            _mm512_mask_gf2p8affine_epi64_epi8(x, seven, x, twice, 0));
        data[v % 2] = x;
        if (v % 2)
            r[v / 2] = sum_16(s, data[0], data[1]);
    }
    return not_zero(sum_lanes(r));
}

static bool open_bytes(const uint8_t *bytes, const stoic_words *w, int n, uint8_t *codes,
                       uint64_t *wrong) {
    const summing s = summing_of_parity(&w->secded->parity);
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

/* ---- codes of any length, checks above them ---- */

enum { FIELDS = 5, MOST_CODES = 32 }; /* of 8 codes each: 32 and the checks */

/* A word's codes, and its check bits behind them, come to a byte each: eight of them are a field,
 * of which each register holds those of eight words. */
typedef struct parts {
    int weights, bits;    /* of a word */
    __m512i pick[FIELDS]; /* the bytes from which a field's bits begin, across 80 bytes */
    __m512i shift[FIELDS], keep[FIELDS];
    summing sum[FIELDS];
    __m512i order[2]; /* codes without what is between them, from two fields at most */
} parts;

/* From 64 bytes, and 64 from the 16th on. */
static inline __m512i pick_across(__m512i from) {
    const __mmask64 behind = _mm512_cmpge_epu8_mask(from, _mm512_set1_epi8(64));
    return _mm512_mask_add_epi8(from, behind, from, _mm512_set1_epi8(64 - 16));
}

/* The first byte of each lane in all its bytes. */
static inline __m512i throughout(__m512i lanes) {
    const __m128i first = _mm_set_epi64x(INT64_C(0x0808080808080808), 0);
    return _mm512_shuffle_epi8(lanes, _mm512_broadcast_i32x4(first));
}

/* Field f of words whose first begins with bit `first`. */
static inline void set_field(parts *p, const stoic_words *w, int first, int f) {
    const uint64_t ones = UINT64_C(0x0101010101010101), count = UINT64_C(0x0706050403020100);
    const int codes = w->weights - 8 * f < 8 ? w->weights - 8 * f : 8, begin = 8 * f * w->data;
    const uint64_t code = ((UINT64_C(1) << w->data) - 1) * ones;
    const uint64_t held = codes < 8 ? code & ((UINT64_C(1) << 8 * codes) - 1) : code;
    const uint64_t checks = codes < 8 ? ((UINT64_C(1) << w->redundant) - 1) << 8 * codes : 0;
    const uint64_t *masks = w->secded->parity.masks;
    /* the bits of a code that are added to bit j, and bit j of the checks */
#define ADDED(j) ((held ? _pdep_u64(masks[j] >> begin, held) : 0) | (checks & ~held & ones << (j)))
    p->sum[f] = summing_of(DESCENDING(ADDED));
    const __m512i from = _mm512_add_epi64(
        _mm512_mul_epu32(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi64(w->word)),
        _mm512_set1_epi64(first + begin));
    const __m512i byte = throughout(_mm512_srli_epi64(from, 3));
    const __m512i bit = throughout(_mm512_and_si512(from, _mm512_set1_epi64(7)));
    p->pick[f] = pick_across(_mm512_add_epi8(byte, _mm512_set1_epi64((long long)count)));
    p->shift[f] = _mm512_add_epi8(bit, _mm512_set1_epi64((long long)(count * (unsigned)w->data)));
    p->keep[f] = _mm512_set1_epi64((long long)(held | checks));
}

static inline void set_parts(parts *p, const int fields, const stoic_words *w, int first) {
    uint8_t order[8 * 16 + 16];
    __m128i from = _mm_set_epi64x(INT64_C(0x4746454443424140), INT64_C(0x0706050403020100));
    p->weights = w->weights;
    p->bits = w->word;
    for (int f = 0; f < fields; f++)
        set_field(p, w, first, f);
    for (int i = 0; i < 8 && fields < 3; i++) { /* the next goes on where this one ends */
        _mm_storeu_si128((__m128i *)(order + i * w->weights), from);
        from = _mm_add_epi8(from, _mm_set1_epi8(8));
    }
    p->order[0] = _mm512_loadu_si512(order);
    p->order[1] = _mm512_loadu_si512(order + 64);
}

/* Writes up to 64 bytes too many. */
static inline void put_codes(const parts *p, const int fields, const __m512i x[FIELDS],
                             uint8_t *codes) {
    uint8_t all[FIELDS][64];
    if (fields == 1) {
        _mm512_storeu_si512(codes, _mm512_permutexvar_epi8(p->order[0], x[0]));
    } else if (fields == 2) {
        _mm512_storeu_si512(codes, _mm512_permutex2var_epi8(x[0], p->order[0], x[1]));
        _mm512_storeu_si512(codes + 64, _mm512_permutex2var_epi8(x[0], p->order[1], x[1]));
    } else {
        for (int f = 0; f < fields; f++)
            _mm512_storeu_si512(all[f], x[f]);
        for (int i = 0; i < 8; i++) {
            for (int f = 0; 8 * f < p->weights; f++)
                memcpy(codes + i * p->weights + 8 * f, all[f] + 8 * i, 8);
        }
    }
}

/* Eight words; reads 80 bytes. */
static inline void take_8(const parts *p, const int fields, const uint8_t *bytes,
                          __m512i x[FIELDS]) {
    const __m512i a = _mm512_loadu_si512(bytes), b = _mm512_loadu_si512(bytes + 16);
    for (int f = 0; f < fields; f++)
        x[f] = _mm512_and_si512(
            _mm512_multishift_epi64_epi8(p->shift[f], _mm512_permutex2var_epi8(a, p->pick[f], b)),
            p->keep[f]);
}

static inline __m512i open_16_parts(const parts *p, const int fields, const uint8_t *bytes,
                                    uint8_t *codes) {
    __m512i x[FIELDS], y[FIELDS], sum = _mm512_setzero_si512();
    take_8(p, fields, bytes, x);
    take_8(p, fields, bytes + p->bits, y);
    put_codes(p, fields, x, codes);
    put_codes(p, fields, y, codes + 8 * p->weights);
    for (int f = 0; f < fields; f++)
        sum = _mm512_xor_si512(sum, sum_16(&p->sum[f], x[f], y[f]));
    return sum;
}

/* Fewer than 16 words, or such with less behind them than is read or written. */
static inline __m512i open_last(const parts *p, const int fields, const uint8_t *bytes, int first,
                                int64_t there, int n, uint8_t *codes) {
    uint8_t opened[16 * MOST_CODES + 64];
    __m512i sum;
    n = n < 16 ? n : 16;
    if (there >= p->bits + 80) {
        sum = open_16_parts(p, fields, bytes, opened);
    } else {
        uint8_t last[160] = {0};
        memcpy(last, bytes, (size_t)(first + n * p->bits + 7) / 8);
        sum = open_16_parts(p, fields, last, opened);
    }
    memcpy(codes, opened, (size_t)(n * p->weights));
    return sum;
}

static inline bool open_parts_of(const int fields, const uint8_t *bytes, int first, int64_t there,
                                 const stoic_words *w, int n, uint8_t *codes, uint64_t *wrong) {
    const int step = 2 * w->word, put = 16 * w->weights; /* bytes, codes of 16 words */
    const int64_t safe = (there - 80 - w->word) / step, room = (n * w->weights - 64) / put;
    const int64_t most = safe < room ? safe : room; /* sixteens that leave enough behind them */
    uint64_t any = 0;
    parts p;
    set_parts(&p, fields, w, first);
    for (int i = 0; i < n; i += 64) {
        const int left = n - i < 64 ? n - i : 64;
        __m512i r[4];
        if (i / 16 + 4 <= most) {
            for (int k = 0; k < 4; k++)
                r[k] = open_16_parts(&p, fields, bytes + k * step, codes + k * put);
        } else {
            for (int k = 0; k < 4; k++)
                r[k] = 16 * k < left ? open_last(&p, fields, bytes + k * step, first,
                                                 there - k * step, left - 16 * k, codes + k * put)
                                     : _mm512_setzero_si512();
        }
        bytes += 4 * step;
        there -= 4 * step;
        codes += 4 * put;
        /* bits of what follows stand behind the last */
        wrong[i / 64] = not_zero(sum_lanes(r)) & UINT64_MAX >> (64 - left);
        any |= wrong[i / 64];
    }
    return any != 0;
}

static bool open_parts(const uint8_t *bytes, int first, int64_t there, const stoic_words *w, int n,
                       uint8_t *codes, uint64_t *wrong) {
    const int fields = w->weights / 8 + 1;
    if (fields == 1)
        return open_parts_of(1, bytes, first, there, w, n, codes, wrong);
    if (fields == 2)
        return open_parts_of(2, bytes, first, there, w, n, codes, wrong);
    return open_parts_of(fields, bytes, first, there, w, n, codes, wrong);
}

/* ---- parity64 ---- */

/* 64 words; `side` as bits of their bytes. */
static inline uint64_t open_64_pairs(const summing s[2], const uint8_t *bytes, const uint8_t *side,
                                     uint8_t *codes) {
    /* bits 6, 5 and 1, 0 change places; all bits but the checks of a small and of a large weight */
    const __m512i exchange = _mm512_set1_epi64(INT64_C(0x2040040810010280));
    const __m512i small = _mm512_set1_epi64(~INT64_C(0x0060606060606060));
    const __m512i large = _mm512_set1_epi8((char)0xfc), magnitude = _mm512_set1_epi8(127);
    __m512i even[4], odd[4], data[2];
    for (int v = 0; v < 8; v++) {
        uint64_t which;
        memcpy(&which, side + 8 * v, sizeof which);
        which &= UINT64_C(0x7f7f7f7f7f7f7f7f);
        const __m512i x = _mm512_loadu_si512(bytes + 64 * v);
        const __m512i kept = _mm512_and_si512(x, _mm512_mask_mov_epi8(small, which, large));
        const __m512i size = _mm512_and_si512(kept, magnitude);
        _mm512_storeu_si512(codes + 64 * v, _mm512_mask_sub_epi8(size, _mm512_movepi8_mask(kept),
                                                                 _mm512_setzero_si512(), size));
        data[v % 2] = _mm512_mask_gf2p8affine_epi64_epi8(x, which, x, exchange, 0);
        if (v % 2) {
            even[v / 2] = sum_16(&s[0], data[0], data[1]);
            odd[v / 2] = sum_16(&s[1], data[0], data[1]);
        }
    }
    return not_zero(_mm512_or_si512(sum_lanes(even), sum_lanes(odd)));
}

static bool open_pairs(const uint8_t *bytes, const uint8_t *side, const stoic_words *w, int n,
                       uint8_t *codes, uint64_t *wrong) {
    const summing s[2] = {summing_of_parity(&w->pairs->halves[0]),
                          summing_of_parity(&w->pairs->halves[1])};
    uint64_t any = 0;
    for (int i = 0; i < n; i += 64) {
        const int m = n - i < 64 ? n - i : 64;
        uint8_t last[64 * 8] = {0}, which[64] = {0}, opened[64 * 8];
        const uint8_t *from = bytes + 8 * i;
        if (side)
            memcpy(which, side + i, (size_t)m);
        if (m < 64) { /* words of zeros, which are right, behind the last */
            memcpy(last, from, (size_t)(8 * m));
            from = last;
        }
        wrong[i / 64] = open_64_pairs(s, from, which, m < 64 ? opened : codes + 8 * i);
        if (m < 64)
            memcpy(codes + 8 * i, opened, (size_t)(8 * m));
        any |= wrong[i / 64];
    }
    return any != 0;
}

/* ---- AVX2 ---- */

#elif defined(__AVX2__)

/* Registers that differ in one bit of their number are interleaved. */
static inline void put_together(__m256i x[8], const int apart) {
    for (int v = 0; v < 8; v++) {
        const __m256i a = x[v], b = x[v | apart];
        if (v & apart)
            continue;
        x[v] = _mm256_unpacklo_epi8(a, b);
        x[v | apart] = _mm256_unpackhi_epi8(a, b);
    }
}

static inline __m256i look_up(const uint8_t table[16], __m256i halves) {
    const __m256i twice = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    return _mm256_shuffle_epi8(twice, _mm256_and_si256(halves, _mm256_set1_epi8(15)));
}

/* Fours of 32 words, in the order in which sum_32() takes them. */
static const int order[8] = {0, 4, 2, 6, 1, 5, 3, 7};

/* The sums of 32 words in their order. After four rounds each register holds the bytes of one place
 * in the words; place and order are what the rounds make of a register's number. */
static inline __m256i sum_32(const stoic_parity *parity, __m256i x[8]) {
    __m256i sum = _mm256_setzero_si256();
    put_together(x, 1);
    put_together(x, 2);
    put_together(x, 4);
    put_together(x, 1); /* the two words of a lane */
    for (int v = 0; v < 8; v++) {
        const int place = (v & 2 ? 4 : 0) | (v & 4 ? 2 : 0) | (v & 1);
        const __m256i low = look_up(parity->nibbles[2 * place], x[v]);
        const __m256i high = look_up(parity->nibbles[2 * place + 1], _mm256_srli_epi16(x[v], 4));
        sum = _mm256_xor_si256(sum, _mm256_xor_si256(low, high));
    }
    const __m128i a = _mm256_castsi256_si128(sum), b = _mm256_extracti128_si256(sum, 1);
    return _mm256_set_m128i(_mm_unpackhi_epi16(a, b), _mm_unpacklo_epi16(a, b));
}

/* The check bytes of 32 words of 9 bytes in their order. No two stand at the same of 32 places:
 * they are put into one register as they come, word i's at (9 i + 8) % 32, and then into order. */
static inline __m256i checks_of_32(const uint8_t *bytes) {
#define IS_CHECK(i)   ((i) % 9 == 8 ? 255 : 0)
#define AT(i)         ((9 * (i) + 8) % 32)
#define SAME_HALF(i)  (AT(i) / 16 == (i) / 16 ? AT(i) % 16 : 128)
#define OTHER_HALF(i) (AT(i) / 16 == (i) / 16 ? 128 : AT(i) % 16)
    static const uint8_t is_check[40] = {BYTES_32(IS_CHECK), EIGHT(IS_CHECK, 32)};
    static const uint8_t same[32] = {BYTES_32(SAME_HALF)}, other[32] = {BYTES_32(OTHER_HALF)};
    __m256i all = _mm256_setzero_si256();
    for (int v = 0; v < 9; v++) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(bytes + 32 * v));
        const __m256i those = _mm256_loadu_si256((const __m256i *)(is_check + 32 * v % 9));
        all = _mm256_or_si256(all, _mm256_and_si256(x, those));
    }
    const __m256i turned = _mm256_permute4x64_epi64(all, 0x4e);
    return _mm256_or_si256(_mm256_shuffle_epi8(all, _mm256_loadu_si256((const __m256i *)same)),
                           _mm256_shuffle_epi8(turned, _mm256_loadu_si256((const __m256i *)other)));
}

static inline uint32_t unlike(__m256i a, __m256i b) {
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b));
}

/* The data of four words that begin 9 bytes apart, without a shuffle: of each pair the first where
 * it stands, the second one byte lower. */
static inline __m256i four_apart(const uint8_t *bytes) {
    const __m128i *a = (const __m128i *)bytes, *b = (const __m128i *)(bytes + 1);
    const __m128i *c = (const __m128i *)(bytes + 18), *d = (const __m128i *)(bytes + 19);
    const __m256i low = _mm256_set_m128i(_mm_loadu_si128(c), _mm_loadu_si128(a));
    const __m256i high = _mm256_set_m128i(_mm_loadu_si128(d), _mm_loadu_si128(b));
    return _mm256_blend_epi32(low, high, 0xcc);
}

static inline uint32_t open_32_apart(const stoic_parity *parity, const uint8_t *bytes,
                                     uint8_t *codes) {
    __m256i x[8];
    for (int v = 0; v < 8; v++) {
        x[v] = four_apart(bytes + 36 * order[v]);
        _mm256_storeu_si256((__m256i *)(codes + 32 * order[v]), x[v]);
    }
    return unlike(sum_32(parity, x), checks_of_32(bytes));
}

static inline uint32_t open_32_inside(const stoic_parity *parity, const uint8_t *bytes,
                                      uint8_t *codes) {
    const __m256i held = _mm256_set1_epi64x(INT64_C(0x0040404040404040));
    __m256i x[8];
    for (int v = 0; v < 8; v++) {
        x[v] = _mm256_loadu_si256((const __m256i *)(bytes + 32 * order[v]));
        /* where `held`, the bit above */
        const __m256i differ = _mm256_xor_si256(x[v], _mm256_srli_epi64(x[v], 1));
        _mm256_storeu_si256((__m256i *)(codes + 32 * order[v]),
                            _mm256_xor_si256(x[v], _mm256_and_si256(differ, held)));
    }
    return unlike(sum_32(parity, x), _mm256_setzero_si256());
}

static bool open_bytes(const uint8_t *bytes, const stoic_words *w, int n, uint8_t *codes,
                       uint64_t *wrong) {
    const stoic_parity *parity = &w->secded->parity;
    const int each = w->word / 8;
    uint64_t any = 0;
    for (int i = 0; i < n; i += 32) {
        uint8_t last[32 * 9], opened[32 * 8];
        const uint8_t *from = bytes + each * i;
        const bool whole = n - i >= 32;
        uint8_t *to = whole ? codes + 8 * i : opened;
        if (!whole) { /* words of zeros, which are right, behind the last */
            memset(last, 0, sizeof last);
            memcpy(last, from, (size_t)(each * (n - i)));
            from = last;
        }
        const uint64_t some =
            each == 9 ? open_32_apart(parity, from, to) : open_32_inside(parity, from, to);
        if (!whole)
            memcpy(codes + 8 * i, opened, (size_t)(8 * (n - i)));
        wrong[i / 64] = i % 64 ? wrong[i / 64] | some << 32 : some;
        any |= some;
    }
    return any != 0;
}
#endif

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_sum_loops GLUE(stoic_sum_loops_, STOIC_KERNEL_SET);
const stoic_sum_loops GLUE(stoic_sum_loops_, STOIC_KERNEL_SET) = {
#ifdef __AVX2__
    .open_bytes = open_bytes,
#else
    .open_bytes = NULL,
#endif
#ifdef WITH_VBMI
    .open_parts = open_parts,
    .open_pairs = open_pairs,
#endif
};
