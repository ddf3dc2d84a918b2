/* The loops of bulk.h that move bits and add parities, compiled once per instruction set. Bytes of
 * an image stand in ascending order of their bits, so that a word is reached from the byte it
 * begins in. */
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "base/wide.h"
#include "runtime/bulk_kernels.h"

static uint64_t load64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static void store64(uint8_t *bytes, uint64_t value) {
    memcpy(bytes, &value, sizeof value);
}

static uint64_t low_bits(int bits) {
    return bits >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
}

/* ---- words of up to 32 bits ---- */

/* Words of one, two or four whole bytes. */
static bool widen(const uint8_t *bytes, int bits, int n, uint32_t *words) {
    if (bits == 32) {
        stoic_bulk_copy(words, bytes, n);
    } else if (bits == 16) {
        for (int i = 0; i < n; i++) {
            uint16_t half;
            memcpy(&half, bytes + 2 * i, sizeof half);
            words[i] = half;
        }
    } else if (bits == 8) {
        for (int i = 0; i < n; i++)
            words[i] = bytes[i];
    } else {
        return false;
    }
    return true;
}

static bool narrow(uint8_t *bytes, int bits, int n, const uint32_t *words) {
    if (bits == 32) {
        stoic_bulk_copy(bytes, words, n);
    } else if (bits == 16) {
        for (int i = 0; i < n; i++) {
            uint16_t half = (uint16_t)words[i];
            memcpy(bytes + 2 * i, &half, sizeof half);
        }
    } else if (bits == 8) {
        for (int i = 0; i < n; i++)
            bytes[i] = (uint8_t)words[i];
    } else {
        return false;
    }
    return true;
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

#ifdef __AVX2__
/* Words of up to 57 bits, which begin `first` bits from the first byte, and whatever follows them:
 * two of a pair from 16 bytes, by unpack_lanes()' means. */
static void open_lanes(const uint8_t *bytes, int first, int bits, int n, uint64_t *words) {
    uint8_t pick[4][16];
    uint64_t off[8];
    int from[4], i = 0;
    for (int lane = 0; lane < 8; lane++) {
        const int pair = lane / 2, byte = (first + lane * bits) / 8;
        from[pair] = lane % 2 ? from[pair] : byte;
        off[lane] = (uint64_t)(first + lane * bits) % 8;
        for (int b = 0; b < 8; b++)
            pick[pair][lane % 2 * 8 + b] = (uint8_t)(byte - from[pair] + b);
    }
    for (; i + 8 <= n; i += 8, bytes += bits) {
        for (int half = 0; half < 2; half++) {
            const __m128i *low = (const __m128i *)(bytes + from[2 * half]);
            const __m128i *high = (const __m128i *)(bytes + from[2 * half + 1]);
            __m256i x = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)),
                                                _mm_loadu_si128(high), 1);
            x = _mm256_shuffle_epi8(x, _mm256_loadu_si256((const __m256i *)pick[2 * half]));
            x = _mm256_srlv_epi64(x, _mm256_loadu_si256((const __m256i *)(off + 4 * half)));
            _mm256_storeu_si256((__m256i *)(words + i + 4 * half), x);
        }
    }
    for (int lane = 0; i < n; i++, lane++)
        words[i] = load64(bytes + (first + lane * bits) / 8) >> off[lane];
}
#endif

static void unpack(const uint64_t *image, int64_t at, int bits, int n, uint32_t *words) {
    const uint8_t *bytes = (const uint8_t *)image;
    const uint32_t mask = (uint32_t)low_bits(bits);
    if (at % 8 == 0 && widen(bytes + at / 8, bits, n, words))
        return;
#ifdef __AVX2__
    if (bits <= 25) {
        int taken = unpack_lanes(bytes, at, bits, n, words);
        words += taken;
        n -= taken;
        at += (int64_t)taken * bits;
    }
    enum { CHUNK = 64 };
    for (uint64_t whole[CHUNK]; n >= CHUNK; n -= CHUNK, words += CHUNK) {
        open_lanes(bytes + at / 8, (int)(at % 8), bits, CHUNK, whole);
        for (int i = 0; i < CHUNK; i++)
            words[i] = (uint32_t)whole[i] & mask;
        at += (int64_t)CHUNK * bits;
    }
#endif
    for (int i = 0; i < n; i++, at += bits)
        words[i] = (uint32_t)(load64(bytes + at / 8) >> at % 8) & mask;
}

/* ---- words of several codes ---- */

#ifdef __AVX2__
/* As unpack_lanes(), within one word after another. The last lanes of a word may be too many: the
 * next word, or the room behind the last one, takes them. */
static void split_lanes(const uint64_t *data, int n, int weights, int bits, uint32_t *codes) {
    __m256i picks[4], offs[4];
    const int vectors = (weights + 7) / 8;
    const __m256i mask = _mm256_set1_epi32((int)low_bits(bits));
    for (int v = 0; v < vectors; v++) {
        uint8_t pick[32];
        uint32_t off[8];
        for (int lane = 0; lane < 8; lane++) {
            int bit = (8 * v + lane) * bits;
            off[lane] = (uint32_t)bit % 8;
            for (int b = 0; b < 4; b++)
                pick[4 * lane + b] = (uint8_t)(bit / 8 + b < 8 ? bit / 8 + b : 0x80); /* zero */
        }
        picks[v] = _mm256_loadu_si256((const __m256i *)pick);
        offs[v] = _mm256_loadu_si256((const __m256i *)off);
    }
    for (int i = 0; i < n; i++, codes += weights) {
        const __m256i x = _mm256_set1_epi64x((long long)data[i]);
        for (int v = 0; v < vectors; v++) {
            __m256i y = _mm256_srlv_epi32(_mm256_shuffle_epi8(x, picks[v]), offs[v]);
            _mm256_storeu_si256((__m256i *)(codes + 8 * v), _mm256_and_si256(y, mask));
        }
    }
}

static void join_lanes(const uint32_t *codes, int n, int weights, int bits, uint64_t *data) {
    __m256i shifts[8];
    const int vectors = (weights + 3) / 4;
    for (int v = 0; v < vectors; v++) {
        uint64_t shift[4];
        for (int lane = 0; lane < 4; lane++) /* by 64: away with the next word's */
            shift[lane] = 4 * v + lane < weights ? (uint64_t)((4 * v + lane) * bits) : 64;
        shifts[v] = _mm256_loadu_si256((const __m256i *)shift);
    }
    for (int i = 0; i < n; i++, codes += weights) {
        __m256i sum = _mm256_setzero_si256();
        for (int v = 0; v < vectors; v++) {
            __m256i x = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(codes + 4 * v)));
            sum = _mm256_or_si256(sum, _mm256_sllv_epi64(x, shifts[v]));
        }
        __m128i half = _mm_or_si128(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        half = _mm_or_si128(half, _mm_unpackhi_epi64(half, half));
        data[i] = (uint64_t)_mm_cvtsi128_si64(half);
    }
}
#endif

static void split(const uint64_t *data, int n, int weights, int bits, uint32_t *codes) {
    const uint64_t mask = low_bits(bits);
    if (weights == 1) {
        for (int i = 0; i < n; i++)
            codes[i] = (uint32_t)(data[i] & mask);
    } else if (weights * bits == 64 && widen((const uint8_t *)data, bits, n * weights, codes)) {
        return;
    } else if (weights == 2) {
        for (int i = 0; i < n; i++) {
            uint64_t pair = (data[i] & mask) | (data[i] >> bits & mask) << 32;
            memcpy(codes + 2 * i, &pair, sizeof pair);
        }
    } else {
#ifdef __AVX2__
        if (bits <= 25) {
            split_lanes(data, n, weights, bits, codes);
            return;
        }
#endif
        for (int i = 0; i < n; i++) {
            for (int w = 0; w < weights; w++)
                codes[i * weights + w] = (uint32_t)(data[i] >> w * bits & mask);
        }
    }
}

static void join(const uint32_t *codes, int n, int weights, int bits, uint64_t *data) {
    if (weights == 1) {
        for (int i = 0; i < n; i++)
            data[i] = codes[i];
    } else if (weights * bits == 64 && narrow((uint8_t *)data, bits, n * weights, codes)) {
        return;
    } else if (weights == 2) {
        for (int i = 0; i < n; i++) {
            uint64_t pair;
            memcpy(&pair, codes + 2 * i, sizeof pair);
            data[i] = (pair & UINT32_MAX) | pair >> 32 << bits;
        }
    } else {
#ifdef __AVX2__
        join_lanes(codes, n, weights, bits, data);
#else
        for (int i = 0; i < n; i++) {
            uint64_t x = 0;
            for (int w = 0; w < weights; w++)
                x |= (uint64_t)codes[i * weights + w] << w * bits;
            data[i] = x;
        }
#endif
    }
}

/* ---- words of up to 72 bits ---- */

static void open_words(const uint64_t *image, int64_t at, int held, int redundant, int n,
                       uint64_t *data, uint8_t *checks) {
    const uint8_t *bytes = (const uint8_t *)image + at / 8;
    const int bits = held + redundant;
    if (at % 8 == 0 && bits == 72) {
        for (int i = 0; i < n; i++) {
            data[i] = load64(bytes + 9 * i);
            checks[i] = bytes[9 * i + 8];
        }
        return;
    }
    if (at % 8 == 0 && held == 64) {
        memcpy(data, bytes, (size_t)n * 8);
        memset(checks, 0, (size_t)n);
        return;
    }
    /* Bits 0 to 63 and 16 to 79 from the byte on in which a word begins: it ends before bit 80. */
    const uint64_t mask = low_bits(held), among = low_bits(redundant);
#ifdef __AVX2__
    if (bits <= 57) {
        open_lanes(bytes, (int)(at % 8), bits, n, data);
        for (int i = 0; i < n; i++) {
            checks[i] = (uint8_t)(data[i] >> held & among);
            data[i] &= mask;
        }
        return;
    }
#endif
    enum { CHUNK = 32 };
    for (int first = 0; first < n; first += CHUNK) {
        uint64_t low[CHUNK], high[CHUNK];
        const int m = n - first < CHUNK ? n - first : CHUNK;
        const uint32_t off = (uint32_t)(at % 8) + (uint32_t)(first * bits);
        for (int i = 0; i < m; i++) {
            const uint8_t *from = bytes + (off + (uint32_t)(i * bits)) / 8;
            low[i] = load64(from);
            high[i] = load64(from + 2);
        }
        for (int i = 0; i < m; i++) {
            uint64_t shift = (off + (uint32_t)(i * bits)) % 8;
            data[first + i] = (low[i] >> shift | high[i] << (16 - shift)) & mask;
            checks[first + i] = (uint8_t)(high[i] >> (shift + (uint64_t)held - 16) & among);
        }
    }
}

/* Words of `bits` <= 56 from bit `at` on, where zeros stand from there on: what is stored beyond a
 * word are zeros, and the next word brings along what it shares a byte with. */
static void put_short(uint8_t *bytes, int64_t at, int bits, int n, const uint64_t *words) {
    uint32_t off[8], whole[8]; /* bits before a word in its first byte; from there to the next */
    const uint32_t first = (uint32_t)(at % 8);
    uint64_t part = bytes[at / 8];
    bytes += at / 8;
    for (uint32_t k = 0; k < 8; k++) {
        off[k] = (first + k * (uint32_t)bits) % 8;
        whole[k] = (off[k] + (uint32_t)bits) / 8;
    }
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t moved[8];
        for (int k = 0; k < 8; k++)
            moved[k] = words[i + k] << off[k];
        for (int k = 0; k < 8; k++) {
            part |= moved[k];
            store64(bytes, part);
            bytes += whole[k];
            part >>= 8 * whole[k]; /* at most 56 */
        }
    }
    for (int k = 0; i < n; i++, k++) {
        part |= words[i] << off[k];
        store64(bytes, part);
        bytes += whole[k];
        part >>= 8 * whole[k];
    }
}

static void close_words(uint64_t *image, int64_t at, int held, int redundant, int n, uint64_t *data,
                        const uint8_t *checks) {
    uint8_t *bytes = (uint8_t *)image;
    const int bits = held + redundant;
    if (at % 8 == 0 && bits == 72) {
        bytes += at / 8;
        for (int i = 0; i < n; i++) {
            store64(bytes + 9 * i, data[i]);
            bytes[9 * i + 8] = checks[i];
        }
        return;
    }
    if (at % 8 == 0 && bits == 64 && held == 64) {
        memcpy(bytes + at / 8, data, (size_t)n * 8);
        return;
    }
    if (bits <= 56) {
        for (int i = 0; i < n; i++)
            data[i] |= (uint64_t)checks[i] << held;
        put_short(bytes, at, bits, n, data);
        return;
    }
    stoic_u128 part = bytes[at / 8];
    bytes += at / 8;
    uint32_t off = (uint32_t)(at % 8);
    for (int i = 0; i < n; i++) { /* as put_short() */
        part |= ((stoic_u128)checks[i] << held | data[i]) << off;
        store64(bytes, (uint64_t)part);
        store64(bytes + 8, (uint64_t)(part >> 64));
        off += (uint32_t)bits;
        bytes += off / 8;
        part >>= off & ~7u;
        off %= 8;
    }
}

static void pack(uint64_t *image, int64_t at, int bits, int n, const uint32_t *words) {
    uint8_t *bytes = (uint8_t *)image;
    enum { CHUNK = 64 };
    uint64_t joined[CHUNK];
    if (at % 8 == 0 && narrow(bytes + at / 8, bits, n, words))
        return;
    for (int together = 56 / bits; n > 0; together = 1) { /* then the rest */
        for (int m; (m = n / together) > 0;) {
            m = m < CHUNK ? m : CHUNK;
            join(words, m, together, bits, joined);
            put_short(bytes, at, together * bits, m, joined);
            words += m * together;
            n -= m * together;
            at += (int64_t)m * together * bits;
        }
    }
}

/* ---- parities ---- */

#if defined(__AVX512BW__)
typedef __m512i vector;
#define VECTOR(name)     _mm512_##name
#define VECTOR_ALL(name) _mm512_##name##_si512
#define SPREAD(table)    _mm512_broadcast_i32x4(table)
#elif defined(__AVX2__)
typedef __m256i vector;
#define VECTOR(name)     _mm256_##name
#define VECTOR_ALL(name) _mm256_##name##_si256
#define SPREAD(table)    _mm256_broadcastsi128_si256(table)
#endif

#ifdef __AVX2__
enum { LANES = sizeof(vector) / 16, TOGETHER = 16 * LANES }; /* words at once */

static inline void interleave(vector x[8], const int apart) {
    for (int v = 0; v < 8; v++) {
        vector a = x[v], b = x[v | apart];
        if (v & apart)
            continue;
        x[v] = VECTOR(unpacklo_epi8)(a, b);
        x[v | apart] = VECTOR(unpackhi_epi8)(a, b);
    }
}

static inline vector look_up(const uint8_t table[16], vector bytes) {
    vector tables = SPREAD(_mm_loadu_si128((const __m128i *)table));
    return VECTOR(shuffle_epi8)(tables, VECTOR_ALL(and)(bytes, VECTOR(set1_epi8)(15)));
}

/* Sums stand by pairs of words, in a lane those that each vector had there. */
static inline void store_ordered(uint8_t *sums, vector sum) {
#ifdef __AVX512BW__
    const __m512i order =
        _mm512_set_epi16(31, 23, 15, 7, 30, 22, 14, 6, 29, 21, 13, 5, 28, 20, 12, 4, 27, 19, 11, 3,
                         26, 18, 10, 2, 25, 17, 9, 1, 24, 16, 8, 0);
    _mm512_storeu_si512(sums, _mm512_permutexvar_epi16(order, sum));
#else
    __m128i a = _mm256_castsi256_si128(sum), b = _mm256_extracti128_si256(sum, 1);
    _mm_storeu_si128((__m128i *)sums, _mm_unpacklo_epi16(a, b));
    _mm_storeu_si128((__m128i *)sums + 1, _mm_unpackhi_epi16(a, b));
#endif
}

/* The bytes of the words are put in order of place, 16 words' in a lane, by interleaving vectors
 * that differ in one bit of the word's number, four times; then a table is looked up for each half
 * of each byte. */
static void parities_together(const uint64_t *words, const stoic_parity *parity, uint8_t *sums) {
    static const int reversed[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    vector x[8], sum = VECTOR(set1_epi8)(0);
    for (int v = 0; v < 8; v++)
        x[v] = VECTOR_ALL(loadu)((const void *)(words + 2 * LANES * reversed[v]));
    interleave(x, 1);
    interleave(x, 2);
    interleave(x, 4);
    interleave(x, 1); /* the two words of a lane */
    for (int v = 0; v < 8; v++) {
        int place = (v & 2 ? 4 : 0) | (v & 4 ? 2 : 0) | (v & 1); /* what the steps made of v */
        vector low = look_up(parity->nibbles[2 * place], x[v]);
        vector high = look_up(parity->nibbles[2 * place + 1], VECTOR(srli_epi16)(x[v], 4));
        sum = VECTOR_ALL(xor)(sum, VECTOR_ALL(xor)(low, high));
    }
    store_ordered(sums, sum);
}

static void parities(const uint64_t *words, int n, const stoic_parity *parity, uint8_t *sums) {
    uint64_t rest[TOGETHER] = {0};
    uint8_t last[TOGETHER];
    int i = 0;
    for (; i + TOGETHER <= n; i += TOGETHER)
        parities_together(words + i, parity, sums + i);
    if (i == n)
        return;
    memcpy(rest, words + i, (size_t)(n - i) * sizeof *rest);
    parities_together(rest, parity, last);
    memcpy(sums + i, last, (size_t)(n - i));
}
#else
/* Parities of eight masked copies at once: each fold halves the length of all and doubles how many
 * share a register, until every byte holds one; its own parity is then moved to its bit. */
static void parities(const uint64_t *words, int n, const stoic_parity *parity, uint8_t *sums) {
    const uint64_t low32 = UINT64_C(0xffffffff), low16 = UINT64_C(0x0000ffff0000ffff);
    const uint64_t low8 = UINT64_C(0x00ff00ff00ff00ff), low1 = UINT64_C(0x0101010101010101);
    const uint64_t *masks = parity->masks;
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
#endif

#define GLUE2(a, b) a##b
#define GLUE(a, b)  GLUE2(a, b)
extern const stoic_bits_kernels GLUE(stoic_bits_kernels_, STOIC_KERNEL_SET);
const stoic_bits_kernels GLUE(stoic_bits_kernels_, STOIC_KERNEL_SET) = {
    unpack, pack, open_words, close_words, split, join, parities};
