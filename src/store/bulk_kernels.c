/* The loops of bulk.h, compiled once per instruction set. They take one element like another,
 * without branches, so that the compiler vectorises them; what they compute is what format.c says.
 */
#include <math.h>
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "store/bulk.h"

static void range(const float *weights, int64_t n, stoic_range *out) {
    float low = out->low, high = out->high;
    uint32_t largest = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &weights[i], sizeof bits);
        bits &= INT32_MAX;
        largest = bits > largest ? bits : largest;
        low = weights[i] < low ? weights[i] : low;
        high = weights[i] > high ? weights[i] : high;
    }
    out->low = low;
    out->high = high;
    out->finite = out->finite && largest < UINT32_C(0x7f800000);
}

static uint64_t load64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

#ifdef __AVX2__
/* Eight words from every `bits` bytes: the four bytes around each word go to a lane, which then
 * shifts by what the word stands off its first byte. Returns how many words it took. */
static int unpack_lanes(const uint8_t *bytes, int64_t at, int bits, int n, uint32_t *words) {
    uint8_t pick[2][16];
    int32_t off[8];
    const int first = (int)(at % 8), second = (first + 4 * bits) / 8;
    int i = 0;
    bytes += at / 8;
    for (int lane = 0; lane < 8; lane++) {
        int bit = first + lane * bits - (lane < 4 ? 0 : 8 * second);
        off[lane] = bit % 8;
        for (int b = 0; b < 4; b++)
            pick[lane / 4][lane % 4 * 4 + b] = (uint8_t)(bit / 8 + b);
    }
    const __m256i picks = _mm256_loadu_si256((const __m256i *)pick);
    const __m256i offs = _mm256_loadu_si256((const __m256i *)off);
    const __m256i mask = _mm256_set1_epi32((int)((UINT32_C(1) << bits) - 1));
    for (; i + 8 <= n; i += 8, bytes += bits) {
        __m256i x =
            _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)bytes)),
                                    _mm_loadu_si128((const __m128i *)(bytes + second)), 1);
        x = _mm256_srlv_epi32(_mm256_shuffle_epi8(x, picks), offs);
        _mm256_storeu_si256((__m256i *)(words + i), _mm256_and_si256(x, mask));
    }
    return i;
}
#endif

static void unpack(const uint64_t *image, int64_t at, int bits, int n, uint32_t *words) {
    const uint8_t *bytes = (const uint8_t *)image;
    const uint32_t mask = bits == 32 ? UINT32_MAX : (UINT32_C(1) << bits) - 1;
    if (bits == 32 && at % 8 == 0) {
        memcpy(words, bytes + at / 8, (size_t)n * 4);
        return;
    }
    if (bits == 16 && at % 8 == 0) {
        for (int i = 0; i < n; i++)
            words[i] = (uint32_t)bytes[at / 8 + 2 * i] | (uint32_t)bytes[at / 8 + 2 * i + 1] << 8;
        return;
    }
    if (bits == 8 && at % 8 == 0) {
        for (int i = 0; i < n; i++)
            words[i] = bytes[at / 8 + i];
        return;
    }
#ifdef __AVX2__
    if (bits <= 25) {
        int taken = unpack_lanes(bytes, at, bits, n, words);
        words += taken;
        n -= taken;
        at += (int64_t)taken * bits;
    }
#endif
    for (int i = 0; i < n; i++, at += bits)
        words[i] = (uint32_t)(load64(bytes + at / 8) >> at % 8) & mask;
}

static void pack(uint64_t *image, int64_t at, int bits, int n, const uint32_t *words) {
    uint64_t *to = image + at / 64, part = *to;
    int filled = (int)(at % 64);
    for (int i = 0; i < n; i++) {
        part |= (uint64_t)words[i] << filled;
        filled += bits;
        if (filled < 64)
            continue;
        *to++ = part;
        filled -= 64;
        part = filled ? (uint64_t)words[i] >> (bits - filled) : 0;
    }
    if (filled)
        *to |= part;
}

static int vote(uint32_t *words, int n, int data, int copied) {
    const uint32_t top = (UINT32_C(1) << copied) - 1, rest = (UINT32_C(1) << (data - copied)) - 1;
    int differ = 0;
    for (int i = 0; i < n; i++) {
        uint32_t a = words[i] >> (data - copied) & top, b = words[i] >> data & top;
        uint32_t c = words[i] >> (data + copied) & top;
        uint32_t most = (a & b) | (a & c) | (b & c);
        differ += ((a ^ b) | (a ^ c)) != 0;
        words[i] = (words[i] & rest) | most << (data - copied);
    }
    return differ;
}

static void repeat(uint32_t *words, int n, int data, int copied) {
    for (int i = 0; i < n; i++) {
        uint32_t top = words[i] >> (data - copied);
        words[i] |= top << data | top << (data + copied);
    }
}

/* Parities of eight masked copies at once: each fold halves the length of all and doubles how many
 * share a register, until every byte holds one; its own parity is then moved to its bit. */
static void parities(const uint64_t *words, int n, const uint64_t masks[8], uint8_t *sums) {
    const uint64_t low32 = UINT64_C(0xffffffff), low16 = UINT64_C(0x0000ffff0000ffff);
    const uint64_t low8 = UINT64_C(0x00ff00ff00ff00ff), low1 = UINT64_C(0x0101010101010101);
    for (int i = 0; i < n; i++) {
        uint64_t x = words[i], t[4], u[2], a, b;
        for (int k = 0; k < 4; k++) { /* masks k and k + 4 */
            a = x & masks[k];
            b = x & masks[k + 4];
            t[k] = ((a ^ a >> 32) & low32) | ((b ^ b << 32) & ~low32);
        }
        for (int k = 0; k < 2; k++) /* and k + 2 */
            u[k] = ((t[k] ^ t[k] >> 16) & low16) | ((t[k + 2] ^ t[k + 2] << 16) & ~low16);
        a = ((u[0] ^ u[0] >> 8) & low8) | ((u[1] ^ u[1] << 8) & ~low8);
        a ^= a >> 4; /* bytes now belong to the masks 0, 1, 2 … 7 in ascending order */
        a ^= a >> 2;
        a = (a ^ a >> 1) & low1;
        a |= a >> 7; /* byte 1's bit to bit 1 of byte 0, and so on */
        a |= a >> 14;
        a |= a >> 28;
        sums[i] = (uint8_t)a;
    }
}

/* ---- floating point ---- */

static double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* stoic_minifloat_round() of a product that is no double subnormal: the same cases, chosen by
 * masks. */
static inline uint32_t round_to(double value, const int e_bits, const int m_bits) {
    const uint64_t bias = (UINT64_C(1) << (e_bits - 1)) - 1, drop = 52 - (uint64_t)m_bits;
    const uint64_t infinite = ((UINT64_C(1) << e_bits) - 1) << m_bits;
    uint64_t bits = bits_of(value), magnitude = bits & INT64_MAX;
    uint64_t sign = (bits >> 63) << (e_bits + m_bits);
    /* normal: a carry out of the mantissa adds one to the exponent, as it should */
    uint64_t moved = magnitude - ((1023 - bias) << 52);
    uint64_t normal = (moved + ((UINT64_C(1) << (drop - 1)) - 1) + (moved >> drop & 1)) >> drop;
    /* subnormal: the leading one is shifted out to its place */
    uint64_t e = magnitude >> 52, shift = drop + 1 + (1023 - bias) - e;
    uint64_t mantissa = (magnitude & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    shift = shift > 54 ? 54 : shift; /* beyond, too, nothing is left */
    shift += shift == 0;             /* a normal one, whose `small` is not used */
    uint64_t small =
        (mantissa + ((UINT64_C(1) << (shift - 1)) - 1) + (mantissa >> shift & 1)) >> shift;
    uint64_t code = e > 1023 - bias ? normal : small;
    code = code > infinite ? infinite : code;
    code = e == 2047 ? infinite : code;
    uint64_t nan =
        infinite | UINT64_C(1) << (m_bits - 1) | (magnitude & ((UINT64_C(1) << 52) - 1)) >> drop;
    code = magnitude > UINT64_C(2047) << 52 ? nan : code;
    return (uint32_t)(sign | code);
}

static inline void encode_float(const stoic_value_rule *rule, const float *weights, int n,
                                uint32_t *codes, stoic_bulk_fit *fit, const int e_bits,
                                const int m_bits) {
    const uint32_t two = UINT32_C(1) << (e_bits + m_bits - 1);
    const uint32_t magnitude = (UINT32_C(1) << (e_bits + m_bits)) - 1;
    const uint32_t infinite = ((UINT32_C(1) << e_bits) - 1) << m_bits;
    const double scale = rule->scale;
    const uint32_t hold = rule->hold;
    uint32_t held = 0, outside = 0;
    for (int i = 0; i < n; i++) {
        double value = (double)weights[i] * scale;
        uint32_t code = round_to(value, e_bits, m_bits);
        uint32_t below = (value < 2.0) & (value > -2.0) & ((code & magnitude) >= two) & hold;
        codes[i] = code - below;
        held += below;
        outside += ((code & magnitude) == infinite) & (value < INFINITY) & (value > -INFINITY);
    }
    fit->held += (int)held;
    fit->outside += (int)outside;
}

/* fp32 scaled: the conversion of the machine rounds as the format does. */
static inline void encode_single(const stoic_value_rule *rule, const float *weights, int n,
                                 uint32_t *codes, stoic_bulk_fit *fit) {
    const double scale = rule->scale;
    const uint32_t hold = rule->hold, infinite = UINT32_C(0x7f800000);
    uint32_t held = 0, outside = 0;
    for (int i = 0; i < n; i++) {
        double value = (double)weights[i] * scale;
        float rounded = (float)value;
        uint32_t code;
        memcpy(&code, &rounded, sizeof code);
        uint32_t below =
            (value < 2.0) & (value > -2.0) & ((code & INT32_MAX) >= UINT32_C(0x40000000)) & hold;
        codes[i] = code - below;
        held += below;
        outside += ((code & INT32_MAX) == infinite) & (value < INFINITY) & (value > -INFINITY);
    }
    fit->held += (int)held;
    fit->outside += (int)outside;
}

static inline void decode_float(const stoic_value_rule *rule, const uint32_t *codes, int n,
                                float *weights, const int e_bits, const int m_bits) {
    const uint64_t bias = (UINT64_C(1) << (e_bits - 1)) - 1, special = (UINT64_C(1) << e_bits) - 1;
    const double scale = rule->scale, unit = double_of((1024 - bias - (uint64_t)m_bits) << 52);
    for (int i = 0; i < n; i++) {
        uint64_t code = codes[i], mantissa = code & ((UINT64_C(1) << m_bits) - 1);
        uint64_t exponent = code >> m_bits & special;
        uint64_t sign = (code >> (e_bits + m_bits) & 1) << 63;
        uint64_t normal = (exponent + 1023 - bias) << 52 | mantissa << (52 - m_bits);
        uint64_t small = bits_of((double)(int32_t)mantissa * unit);
        uint64_t infinite = UINT64_C(2047) << 52 | mantissa << (52 - m_bits);
        uint64_t bits = exponent == 0 ? small : exponent == special ? infinite : normal;
        weights[i] = (float)(double_of(bits | sign) / scale);
    }
}

/* ---- integers ---- */

static void encode_integer(const stoic_value_rule *rule, const float *weights, int n,
                           uint32_t *codes) {
    const double scale = rule->scale, step = rule->step, zero = rule->zero;
    const double low = rule->low, high = rule->high;
    const uint32_t mask = rule->bits == 32 ? UINT32_MAX : (UINT32_C(1) << rule->bits) - 1;
    /* to the nearest whole number, ties to even, by way of 1.5 x 2^52; below 2^31 it is exact */
    const double magic = 6755399441055744.0;
    for (int i = 0; i < n; i++) {
        double q = ((double)weights[i] * scale / step + zero + magic) - magic;
        q = q < low ? low : q;
        q = q > high ? high : q;
        codes[i] = (uint32_t)(int32_t)q & mask;
    }
}

static void decode_integer(const stoic_value_rule *rule, const uint32_t *codes, int n,
                           float *weights) {
    const double scale = rule->scale, step = rule->step, zero = rule->zero;
    const int spare = rule->is_signed ? 32 - rule->bits : 0;
    for (int i = 0; i < n; i++) {
        int32_t code = (int32_t)(codes[i] << spare) >> spare;
        weights[i] = (float)(((double)code - zero) * step / scale);
    }
}

/* ---- the rules ---- */

static void decode(const stoic_value_rule *rule, const uint32_t *codes, int n, float *weights) {
    switch (rule->kind) {
    case STOIC_FORMAT_FP32:
        if (rule->scale == 1.0)
            memcpy(weights, codes, (size_t)n * sizeof *weights); /* also a signalling NaN */
        else
            decode_float(rule, codes, n, weights, 8, 23);
        break;
    case STOIC_FORMAT_FP16:
        decode_float(rule, codes, n, weights, 5, 10);
        break;
    case STOIC_FORMAT_BF16:
        decode_float(rule, codes, n, weights, 8, 7);
        break;
    default:
        decode_integer(rule, codes, n, weights);
    }
}

static void encode(const stoic_value_rule *rule, const float *weights, int n, uint32_t *codes,
                   stoic_bulk_fit *fit) {
    switch (rule->kind) {
    case STOIC_FORMAT_FP32:
        if (rule->scale == 1.0 && !rule->hold)
            memcpy(codes, weights, (size_t)n * sizeof *codes);
        else
            encode_single(rule, weights, n, codes, fit);
        break;
    case STOIC_FORMAT_FP16:
        encode_float(rule, weights, n, codes, fit, 5, 10);
        break;
    case STOIC_FORMAT_BF16:
        encode_float(rule, weights, n, codes, fit, 8, 7);
        break;
    default:
        encode_integer(rule, weights, n, codes);
    }
}

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_store_kernels GLUE(stoic_store_kernels_, STOIC_KERNEL_SET);
const stoic_store_kernels GLUE(stoic_store_kernels_, STOIC_KERNEL_SET) = {
    range, unpack, pack, vote, repeat, parities, decode, encode};
