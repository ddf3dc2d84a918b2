/*
 * parity64: double error correction in place, for 8 weights of 8 bits with 6 bits behind the point.
 *
 * Weights are kept as sign and magnitude: bit 7 the sign, bits 6 … 0 the magnitude in 1/64. (-2 has
 * none; it becomes -127/64 and is counted.) The 14 check bits stand in the weights 0 … 6 of a word, two
 * each: in bits 6 and 5 where |w| < 0.5, which are zero there and restored as such, otherwise in
 * bits 1 and 0, so that a large weight keeps its upper bits and loses its lowest two (rounded to
 * the nearest multiple of 4, at most 124). Weight 7 keeps all its bits. A reader cannot see which case a
 * weight is, so the positions of the large ones are a list kept aside.
 *
 * The code is BCH(127,113), two errors, over GF(2^7), shortened by 63 to (64,50). The field is generated
 * by x^7 + x^3 + 1 with a = x; the generator is the product of the minimal polynomials of a and a^3,
 *   (x^7 + x^3 + 1)(x^7 + x^3 + x^2 + x + 1).
 * Coefficients 0 … 13 of a code word are the check bits, 14 … 63 the data bits in ascending order
 * of their place. A syndrome that needs a coefficient from 64 on is a detected error.
 *
 * Large weights have bits 6, 5 and bits 1, 0 exchanged before the code sees them; then check bits
 * always stand in bits 6 and 5 of the seven weights, and one set of tables does.
 */
#include <pthread.h>
#include <string.h>

#include "base/fail.h"
#include "store/code.h"

enum { FIELD = 127, POLYNOMIAL = 0x89, CHECKS = 14, NONE = 0xff };

typedef struct checks {
    uint8_t power[2 * FIELD], log[128]; /* a^i, and the other way */
    uint8_t coefficient[64];            /* of each bit of the word */
    uint16_t column[64];                /* of each bit: the powers r(a), r(a^3) it adds */
    uint16_t table[8][256];             /* of each byte of the word: its syndrome */
    uint16_t check_word[8][256];        /* of each byte of data: the check bits it adds */
    uint8_t first[1 << CHECKS], second[1 << CHECKS]; /* of each syndrome: the wrong bits */
    bool detected[1 << CHECKS];
} checks;

static checks tables;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool holds_check(int bit) {
    return bit < 56 && (bit % 8 == 5 || bit % 8 == 6);
}

static int check_at(int i) {
    return 8 * (i / 2) + 5 + i % 2;
}

static void fill_field(checks *t) {
    unsigned x = 1;
    for (int i = 0; i < FIELD; i++) {
        t->power[i] = t->power[i + FIELD] = (uint8_t)x;
        t->log[x] = (uint8_t)i;
        x <<= 1;
        if (x & 0x80)
            x ^= POLYNOMIAL;
    }
}

/* x^coefficient modulo the generator: the check bits of a single data bit. */
static unsigned remainder_of(int coefficient) {
    const unsigned generator = 0x89 ^ 0x89 << 1 ^ 0x89 << 2 ^ 0x89 << 3 ^ 0x89 << 7;
    unsigned r = 1;
    for (int i = 0; i < coefficient; i++) {
        r <<= 1;
        if (r >> CHECKS & 1)
            r ^= generator;
    }
    return r;
}

static void fill_columns(checks *t) {
    int next = CHECKS;
    for (int bit = 0; bit < 64; bit++) {
        if (!holds_check(bit))
            t->coefficient[bit] = (uint8_t)next++;
    }
    for (int i = 0; i < CHECKS; i++)
        t->coefficient[check_at(i)] = (uint8_t)i;
    for (int bit = 0; bit < 64; bit++) {
        int c = t->coefficient[bit];
        t->column[bit] = (uint16_t)(t->power[c] | t->power[3 * c % FIELD] << 7);
        unsigned added = holds_check(bit) ? 0 : remainder_of(c);
        for (int value = 0; value < 256; value++) {
            if (!(value >> bit % 8 & 1))
                continue;
            t->table[bit / 8][value] ^= t->column[bit];
            t->check_word[bit / 8][value] ^= (uint16_t)added;
        }
    }
}

static void fill_all(void) {
    checks *t = &tables;
    fill_field(t);
    fill_columns(t);
    memset(t->first, NONE, sizeof t->first);
    memset(t->second, NONE, sizeof t->second);
    memset(t->detected, 1, sizeof t->detected);
    t->detected[0] = false;
    for (int i = 0; i < 64; i++) {
        t->first[t->column[i]] = (uint8_t)i;
        t->detected[t->column[i]] = false;
        for (int k = 0; k < i; k++) {
            unsigned s = t->column[i] ^ t->column[k];
            t->first[s] = (uint8_t)i;
            t->second[s] = (uint8_t)k;
            t->detected[s] = false;
        }
    }
}

static stoic_status plan(stoic_code *code, const char *argument, stoic_error *err) {
    (void)argument;
    pthread_once(&once, fill_all);
    if (code->format->kind != STOIC_FORMAT_FIXED || code->format->bits != 8 ||
        code->format->fraction != 6)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: code parity64 is made for the format fixed:8:6 (q2.5), whose bits "
                          "6 and 5 are spare where |w| < 0.5; found %s",
                          code->format->name);
    code->weights = 8;
    code->corrects = code->detects = 2;
    code->checks = &tables;
    return STOIC_OK;
}

static unsigned magnitude(uint64_t code) {
    int value = (int8_t)code;
    return (unsigned)(value < 0 ? -value : value);
}

/* The large ones among the weights that hold check bits. */
static uint32_t side(const stoic_code *code, const uint64_t *data) {
    uint32_t large = 0;
    (void)code;
    for (int i = 0; i < 7; i++)
        large |= (uint32_t)(magnitude(data[i]) >= 32) << i;
    return large;
}

static uint64_t exchange(uint64_t byte) {
    return (byte & 0x9c) | (byte >> 5 & 3) | (byte & 3) << 5;
}

static int encode(const stoic_code *code, const uint64_t *data, uint32_t large, stoic_word *word) {
    const checks *t = code->checks;
    uint64_t plain = 0, bits = 0;
    unsigned added = 0;
    int clamped = 0;
    for (int i = 0; i < 8; i++) {
        unsigned m = magnitude(data[i]);
        clamped += m == 128;
        m = m > 127 ? 127 : m;
        if (large >> i & 1) {
            m = (m + 2) & ~3u;
            m = m > 124 ? 124 : m;
        }
        uint64_t byte = m | (data[i] & 0x80);
        plain |= (large >> i & 1 ? exchange(byte) : byte) << 8 * i;
    }
    for (int i = 0; i < 8; i++)
        added ^= t->check_word[i][plain >> 8 * i & 0xff];
    for (int i = 0; i < CHECKS; i++)
        plain |= (uint64_t)(added >> i & 1) << check_at(i);
    for (int i = 0; i < 8; i++) {
        uint64_t byte = plain >> 8 * i & 0xff;
        bits |= (large >> i & 1 ? exchange(byte) : byte) << 8 * i;
    }
    *word = (stoic_word){{bits}};
    return clamped;
}

static stoic_verdict decode(const stoic_code *code, const stoic_word *word, uint32_t large, int n,
                            uint64_t *data) {
    const checks *t = code->checks;
    stoic_verdict verdict = STOIC_WORD_CLEAN;
    uint64_t plain = 0;
    unsigned s = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t byte = word->part[0] >> 8 * i & 0xff;
        plain |= (large >> i & 1 ? exchange(byte) : byte) << 8 * i;
    }
    for (int i = 0; i < 8; i++)
        s ^= t->table[i][plain >> 8 * i & 0xff];
    int a = t->first[s], b = t->second[s];
    bool outside = (a != NONE && a >= 8 * n) || (b != NONE && b >= 8 * n);
    if (t->detected[s] || outside) {
        verdict = STOIC_WORD_DETECTED;
    } else if (s) {
        plain ^= (uint64_t)1 << a;
        plain ^= b == NONE ? 0 : (uint64_t)1 << b;
        verdict = STOIC_WORD_CORRECTED;
    }
    for (int i = 0; i < n; i++) {
        uint64_t byte = plain >> 8 * i & 0xff;
        if (i < 7)
            byte &= 0x9f; /* the check bits */
        byte = large >> i & 1 ? exchange(byte) : byte;
        data[i] = (byte & 0x80 ? 0 - (byte & 0x7f) : byte) & 0xff;
    }
    return verdict;
}

static stoic_bit_role role(const stoic_code *code, int bit, uint32_t large) {
    int weight = bit / 8, inside = bit % 8;
    (void)code;
    if (weight == 7)
        return STOIC_BIT_DATA;
    bool check = large >> weight & 1 ? inside < 2 : inside == 5 || inside == 6;
    return check ? STOIC_BIT_PARITY : STOIC_BIT_DATA;
}

const stoic_code_family stoic_code_parity64 = {"parity64", "", plan, encode, decode, role, side,
                                               "2 wrong bits of a word"};
