/* parity64: encoding. The code, its tables and its decoding are src/runtime/double_error.c. */
#include <pthread.h>

#include "base/fail.h"
#include "store/code.h"

static stoic_pair_code tables;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_all(void) {
    stoic_pair_code_fill(&tables);
}

static stoic_status plan(stoic_code *code, const char *argument, stoic_error *err) {
    (void)argument;
    pthread_once(&once, fill_all);
    if (code->format->kind != STOIC_FORMAT_FIXED || code->format->bits != 8 ||
        code->format->fraction != 6)
        return stoic_fail(
            err, STOIC_ERR_ARGUMENT, "",
            "store: code parity64 is made for the format fixed:8:6 (q2.5), whose bits "
            "6 and 5 are spare where |w| < 0.5; found %s",
            code->format->name);
    code->weights = 8;
    code->corrects = code->detects = 2;
    code->pairs = &tables;
    code->halves = tables.halves;
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

static int encode(const stoic_code *code, const uint64_t *data, uint32_t large, stoic_word *word) {
    const stoic_pair_code *t = code->pairs;
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
        } else if (i < 7 && m > 31) { /* put where the list says small: it cannot be larger */
            m = 31;
        }
        uint64_t byte = m | (data[i] & 0x80);
        plain |= (large >> i & 1 ? stoic_pair_exchange(byte) : byte) << 8 * i;
    }
    for (int i = 0; i < 8; i++)
        added ^= t->check_word[i][plain >> 8 * i & 0xff];
    for (int i = 0; i < STOIC_PAIR_CHECKS; i++)
        plain |= (uint64_t)(added >> i & 1) << stoic_pair_check_at(i);
    for (int i = 0; i < 8; i++) {
        uint64_t byte = plain >> 8 * i & 0xff;
        bits |= (large >> i & 1 ? stoic_pair_exchange(byte) : byte) << 8 * i;
    }
    *word = (stoic_word){{bits}};
    return clamped;
}

static stoic_bit_role role(const stoic_code *code, int bit, uint32_t large) {
    int weight = bit / 8, inside = bit % 8;
    (void)code;
    if (weight == 7)
        return STOIC_BIT_DATA;
    bool check = large >> weight & 1 ? inside < 2 : inside == 5 || inside == 6;
    return check ? STOIC_BIT_PARITY : STOIC_BIT_DATA;
}

const stoic_code_family stoic_code_parity64 = {
    "parity64", "", plan, encode, stoic_code_open, role, side, "2 wrong bits of a word"};
