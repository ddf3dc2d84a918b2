/* The loops of bulk.h, compiled once per instruction set. They take one element like another,
 * without branches, so that the compiler vectorises them; what they compute is what format.c says.
 */
#include <math.h>
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "runtime/bulk_kernels.h"

/* One after another: what compares with NaN is neither. */
static void range_with_nan(const float *weights, int64_t n, stoic_range *out) {
    for (int64_t i = 0; i < n; i++) {
        out->low = weights[i] < out->low ? weights[i] : out->low;
        out->high = weights[i] > out->high ? weights[i] : out->high;
    }
    out->finite = out->finite && n == 0;
}

/* Integers in the order of the floats, -0 below 0; the same again leads back. */
static int32_t ordered(int32_t bits) {
    return bits ^ (bits >> 31 & INT32_MAX);
}

static void range(const float *weights, int64_t n, stoic_range *out) {
    const int32_t infinite = INT32_C(0x7f800000);
    int32_t low = INT32_MAX, high = INT32_MIN;
    float lowest, highest;
    for (int64_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, &weights[i], sizeof bits);
        bits = ordered(bits);
        low = bits < low ? bits : low;
        high = bits > high ? bits : high;
    }
    if (low < ordered((int32_t)UINT32_C(0xff800000)) || high > infinite) {
        range_with_nan(weights, n, out);
        return;
    }
    out->finite = out->finite && low > ordered((int32_t)UINT32_C(0xff800000)) && high < infinite;
    low = ordered(low);
    high = ordered(high);
    memcpy(&lowest, &low, sizeof lowest);
    memcpy(&highest, &high, sizeof highest);
    out->low = lowest < out->low ? lowest : out->low;
    out->high = highest > out->high ? highest : out->high;
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

static uint32_t load32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline void vote_some(const uint8_t *bytes, int n, uint32_t *codes) {
    for (int i = 0; i < n; i++) {
        uint32_t a = load32(bytes + 12 * i), b = load32(bytes + 12 * i + 4);
        uint32_t c = load32(bytes + 12 * i + 8);
        codes[i] = (a & b) | (a & c) | (b & c);
    }
}

/* Asks for what it reads a page ahead, about where the processor, by itself, does not look yet. */
static void vote_32(const uint64_t *image, int64_t first, int n, uint32_t *codes) {
    const uint8_t *bytes = (const uint8_t *)image + 12 * first;
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int line = 0; line < 192; line += 64)
            __builtin_prefetch(bytes + 12 * i + 4096 + line);
        vote_some(bytes + 12 * i, 16, codes + i);
    }
    vote_some(bytes + 12 * i, n - i, codes + i);
}

static void repeat_32(uint64_t *image, int64_t first, int n, const uint32_t *codes) {
    uint8_t *bytes = (uint8_t *)image + 12 * first;
    for (int i = 0; i < n; i++) {
        const uint32_t copies[3] = {codes[i], codes[i], codes[i]};
        memcpy(bytes + 12 * i, copies, sizeof copies);
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

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t pattern_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

#ifdef __FMA__
/* odd_products() by what the product lost. Returns if a product may have lost what is too small for
 * a float. */
static bool odd_by_fma(const float *weights, int n, float scale, uint32_t *bits) {
    uint32_t tiny = 0;
    for (int i = 0; i < n; i++) {
        float near = weights[i] * scale, lost = __builtin_fmaf(weights[i], scale, -near);
        uint32_t code = pattern_of(near), magnitude = code & INT32_MAX;
        uint32_t inexact = (lost < 0.0f) | (lost > 0.0f); /* not NaN */
        bits[i] = (code - (((code ^ pattern_of(lost)) >> 31) & inexact)) | inexact;
        tiny |= (magnitude > 0) & (magnitude < (127 - 100) << 23); /* 48 bits from 2^-149 on */
    }
    return tiny && scale != 1.0f;
}
#endif

/* Exact products as floats, rounded to odd: toward zero, and what was not exact has its last bit
 * set. To round that once more, to a format of at most 22 bits, is to round the product once (Boldo
 * and Melquiond 2008). NaN stays NaN. */
static void odd_products(const float *weights, int n, float scale, uint32_t *bits) {
#ifdef __FMA__
    if (!odd_by_fma(weights, n, scale, bits))
        return;
#endif
    for (int i = 0; i < n; i++) {
        double value = (double)weights[i] * (double)scale;
        float near = (float)value;
        double back = (double)near;
        uint64_t over = fabs(back) > fabs(value), inexact = back != value; /* as wide as a double */
        bits[i] = (uint32_t)((pattern_of(near) - over) | inexact);
    }
}

/* The magnitude of a float in a format of 16 bits, to nearest, ties to even. */
static inline uint32_t shorten(uint32_t magnitude, const int e_bits, const int m_bits) {
    const uint32_t bias = (UINT32_C(1) << (e_bits - 1)) - 1, drop = 23 - (uint32_t)m_bits;
    const uint32_t infinite = ((UINT32_C(1) << e_bits) - 1) << m_bits;
    /* a carry out of the mantissa adds one to the exponent, as it should */
    uint32_t moved = magnitude - ((127 - bias) << 23);
    uint32_t code = (moved + ((UINT32_C(1) << (drop - 1)) - 1) + (moved >> drop & 1)) >> drop;
    if (bias < 127) { /* subnormal: the unit of the sum is that of the format's smallest */
        const uint32_t large = (127 - bias + drop + 1) << 23;
        uint32_t small = pattern_of(float_of(magnitude) + float_of(large)) - large;
        code = magnitude < (128 - bias) << 23 ? small : code;
    }
    code = code < infinite ? code : infinite;
    uint32_t nan = magnitude > UINT32_C(0x7f800000), payload = (magnitude & INT32_MAX >> 8) >> drop;
    return code | ((0 - nan) & (UINT32_C(1) << (m_bits - 1) | payload));
}

static inline void encode_short(const stoic_value_rule *rule, const float *weights, int n,
                                uint32_t *codes, stoic_bulk_fit *fit, const int e_bits,
                                const int m_bits) {
    const uint32_t two = UINT32_C(1) << (e_bits + m_bits - 1);
    const uint32_t infinite = ((UINT32_C(1) << e_bits) - 1) << m_bits;
    const uint32_t hold = rule->hold;
    uint32_t held = 0, outside = 0;
    odd_products(weights, n, (float)rule->scale, codes);
    for (int i = 0; i < n; i++) {
        uint32_t bits = codes[i], magnitude = bits & INT32_MAX;
        uint32_t code = shorten(magnitude, e_bits, m_bits);
        uint32_t below = (magnitude < UINT32_C(0x40000000)) & (code >= two) & hold;
        codes[i] = (bits >> 31 << (e_bits + m_bits) | code) - below;
        held += below;
        outside += (code == infinite) & (magnitude < UINT32_C(0x7f800000));
    }
    fit->held += (int)held;
    fit->outside += (int)outside;
}

/* fp32 scaled: the product of the machine is rounded as the format does. */
static inline void encode_single(const stoic_value_rule *rule, const float *weights, int n,
                                 uint32_t *codes, stoic_bulk_fit *fit) {
    const float scale = (float)rule->scale;
    const uint32_t two = UINT32_C(0x40000000), infinite = UINT32_C(0x7f800000);
    enum { CHUNK = 64 };
    for (int first = 0; first < n; first += CHUNK) {
        const int m = n - first < CHUNK ? n - first : CHUNK;
        uint32_t counted = 0; /* what was perhaps rounded to 2 or to infinity */
        for (int i = first; i < first + m; i++) {
            codes[i] = pattern_of(weights[i] * scale);
            counted |= ((codes[i] & INT32_MAX) == two) | ((codes[i] & INT32_MAX) == infinite);
        }
        for (int i = first; counted && i < first + m; i++) {
            double value = fabs((double)weights[i] * rule->scale);
            uint32_t below = (value < 2.0) & ((codes[i] & INT32_MAX) >= two) & rule->hold;
            codes[i] -= below;
            fit->held += (int)below;
            fit->outside += ((codes[i] & INT32_MAX) == infinite) & (value < INFINITY);
        }
    }
}

/* Formats whose values are floats: both operands have 24 bits at most, so that a quotient is never
 * so near the middle of two floats that dividing in double and rounding again would differ. */
static inline void decode_single(const stoic_value_rule *rule, const uint32_t *codes, int n,
                                 float *weights, const int shift) {
    const float scale = (float)rule->scale;
    for (int i = 0; i < n; i++) {
        uint32_t bits = codes[i] << shift;
        float value;
        memcpy(&value, &bits, sizeof value);
        weights[i] = value / scale; /* a signalling NaN becomes a quiet one also where it is 1 */
    }
}

#ifdef __F16C__
static int decode_half(const stoic_value_rule *rule, const uint32_t *codes, int n, float *weights) {
    const __m256 scale = _mm256_set1_ps((float)rule->scale);
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(codes + i));
        x = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 8);
        __m256 value = _mm256_cvtph_ps(_mm256_castsi256_si128(x));
        _mm256_storeu_ps(weights + i, _mm256_div_ps(value, scale));
    }
    return i;
}
#endif

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

/* Plain loads: where gathers have been made safe against reading across threads, they are slower.
 */
static void look_up(const float *table, const uint32_t *words, int n, float *weights) {
    int i = 0;
    for (; i + 2 <= n; i += 2) {
        uint64_t two;
        memcpy(&two, words + i, sizeof two);
        const float a = table[(uint32_t)two], b = table[two >> 32];
        weights[i] = a;
        weights[i + 1] = b;
    }
    if (i < n)
        weights[i] = table[words[i]];
}

static int differing(const uint32_t *words, int n, int data, int copied) {
    const uint32_t top = (UINT32_C(1) << copied) - 1;
    uint32_t any = 0;
    int differ = 0;
    for (int i = 0; i < n; i++)
        any |= (words[i] ^ words[i] >> copied) | (words[i] ^ words[i] >> 2 * copied);
    if (!(any >> (data - copied) & top))
        return 0;
    for (int i = 0; i < n; i++) {
        const uint32_t all = words[i] >> (data - copied);
        differ += (((all ^ all >> copied) | (all ^ all >> 2 * copied)) & top) != 0;
    }
    return differ;
}

/* ---- the rules ---- */

static void decode(const stoic_value_rule *rule, const uint32_t *codes, int n, float *weights) {
    int done = 0;
    switch (rule->kind) {
    case STOIC_FORMAT_FP32:
        if (rule->scale == 1.0)
            stoic_bulk_copy(weights, codes, n); /* also a signalling NaN */
        else
            decode_single(rule, codes, n, weights, 0);
        break;
    case STOIC_FORMAT_FP16:
#ifdef __F16C__
        done = decode_half(rule, codes, n, weights);
#endif
        decode_float(rule, codes + done, n - done, weights + done, 5, 10);
        break;
    case STOIC_FORMAT_BF16:
        decode_single(rule, codes, n, weights, 16);
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
            stoic_bulk_copy(codes, weights, n);
        else
            encode_single(rule, weights, n, codes, fit);
        break;
    case STOIC_FORMAT_FP16:
        encode_short(rule, weights, n, codes, fit, 5, 10);
        break;
    case STOIC_FORMAT_BF16:
        encode_short(rule, weights, n, codes, fit, 8, 7);
        break;
    default:
        encode_integer(rule, weights, n, codes);
    }
}

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_bits_kernels GLUE(stoic_bits_kernels_, STOIC_KERNEL_SET);
extern const stoic_in_place_kernels GLUE(stoic_in_place_kernels_, STOIC_KERNEL_SET);
extern const stoic_store_kernels GLUE(stoic_store_kernels_, STOIC_KERNEL_SET);
const stoic_store_kernels GLUE(stoic_store_kernels_, STOIC_KERNEL_SET) = {
    &GLUE(stoic_bits_kernels_, STOIC_KERNEL_SET),
    &GLUE(stoic_in_place_kernels_, STOIC_KERNEL_SET),
    range,
    vote,
    repeat,
    vote_32,
    repeat_32,
    decode,
    look_up,
    differing,
    encode};
