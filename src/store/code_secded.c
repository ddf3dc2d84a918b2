/*
 * Single error correction, double error detection: three codes of one construction.
 *
 * Every bit of a word has a column of r check bits with an odd number of ones, no two the same
 * (Hsiao 1970, a form of the extended Hamming code). The columns of the bits that are wrong sum to
 * the syndrome: one error gives its own column, two give an even number of ones and so no column.
 *
 *   secded72     64 data bits, 8 check bits above them
 *   secded39     32 data bits, 7 check bits above them
 *   zerospace64  in place: of 8 int8 weights the first seven lie in [-64, 63], so that their bit 6
 *                repeats the sign. It holds a check bit instead, and is restored on reading.
 *                All 64 columns of 7 bits with an odd number of ones are in use.
 *
 * Where the weights of a format do not fill the data bits, the rest is zero and not stored: the
 * code is shortened, and a syndrome that points there is a detected error.
 */
#include <pthread.h>
#include <string.h>

#include "base/fail.h"
#include "store/code.h"

typedef struct checks {
    int n, r;              /* bits of a word, check bits */
    uint8_t column[72];    /* of each bit of the word */
    uint8_t at[72];        /* where the check bits stand */
    uint8_t table[9][256]; /* of each byte of the word: the sum of its bits' columns */
    int8_t bit[256];       /* of each syndrome: the wrong bit, -1 none */
    stoic_parity parity;   /* of the first 64 bits, but for checks that stand apart */
} checks;

static checks tables72, tables39, tables64;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool is_check(const checks *t, int bit) {
    for (int i = 0; i < t->r; i++) {
        if (t->at[i] == bit)
            return true;
    }
    return false;
}

/* Columns of 3, then 5, then 7 ones go to the data bits in ascending order. */
static void fill(checks *t) {
    int ones = 3, next = 0;
    for (int i = 0; i < t->r; i++)
        t->column[t->at[i]] = (uint8_t)(1 << i);
    for (int bit = 0; bit < t->n; bit++) {
        if (is_check(t, bit))
            continue;
        while (__builtin_popcount((unsigned)next) != ones) {
            if (++next == 1 << t->r) {
                next = 0;
                ones += 2;
            }
        }
        t->column[bit] = (uint8_t)next;
        if (++next == 1 << t->r) {
            next = 0;
            ones += 2;
        }
    }
    uint8_t among[64] = {0};
    memcpy(among, t->column, (size_t)(t->n == 64 ? 64 : t->at[0]));
    stoic_parity_fill(&t->parity, among);
    memset(t->bit, -1, sizeof t->bit);
    for (int bit = 0; bit < t->n; bit++) {
        t->bit[t->column[bit]] = (int8_t)bit;
        for (int value = 0; value < 256; value++) {
            if (value >> bit % 8 & 1)
                t->table[bit / 8][value] ^= t->column[bit];
        }
    }
}

static void fill_all(void) {
    tables72.n = 72;
    tables72.r = 8;
    tables39.n = 39;
    tables39.r = 7;
    tables64.n = 64;
    tables64.r = 7;
    for (int i = 0; i < 8; i++)
        tables72.at[i] = (uint8_t)(64 + i);
    for (int i = 0; i < 7; i++) {
        tables39.at[i] = (uint8_t)(32 + i);
        tables64.at[i] = (uint8_t)(8 * i + 6);
    }
    fill(&tables72);
    fill(&tables39);
    fill(&tables64);
}

/* `word` with the redundancy at its place in a full word of the code. */
static unsigned syndrome(const checks *t, const stoic_word *word) {
    unsigned s = t->table[8][word->part[1] & 0xff];
    for (int i = 0; i < 8; i++)
        s ^= t->table[i][word->part[0] >> 8 * i & 0xff];
    return s;
}

static stoic_status plan(stoic_code *code, int room, const checks *tables, stoic_error *err) {
    pthread_once(&once, fill_all);
    if (code->data > room)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: code %s protects words of %d data bits, a weight of %s has %d",
                          code->name, room, code->format->name, code->data);
    code->weights = room / code->data;
    code->redundant = tables->r;
    code->parity = &tables->parity;
    code->corrects = 1;
    code->detects = 2;
    code->checks = tables;
    return STOIC_OK;
}

static stoic_status plan72(stoic_code *code, const char *argument, stoic_error *err) {
    (void)argument;
    return plan(code, 64, &tables72, err);
}

static stoic_status plan39(stoic_code *code, const char *argument, stoic_error *err) {
    (void)argument;
    return plan(code, 32, &tables39, err);
}

static int encode(const stoic_code *code, const uint64_t *data, uint32_t side, stoic_word *word) {
    const checks *t = code->checks;
    (void)side;
    *word = (stoic_word){{0}};
    for (int i = 0; i < code->weights; i++)
        stoic_word_put(word, i * code->data, code->data, data[i]);
    unsigned s = syndrome(t, word); /* the check bits are still zero */
    stoic_word_put(word, code->weights * code->data, t->r, s);
    return 0;
}

/* The wrong bit of a full word: at least 0; -1 none; -2 more than one. */
static int wrong_bit(const checks *t, unsigned s) {
    return !s ? -1 : t->bit[s] < 0 ? -2 : t->bit[s];
}

static stoic_verdict decode(const stoic_code *code, const stoic_word *word, uint32_t side, int n,
                            uint64_t *data) {
    const checks *t = code->checks;
    stoic_verdict verdict = STOIC_WORD_CLEAN;
    int held = code->weights * code->data, first = t->at[0];
    (void)side;
    stoic_word full = {{held < 64 ? word->part[0] & (((uint64_t)1 << held) - 1) : word->part[0]}};
    stoic_word_put(&full, first, t->r, stoic_word_get(word, held, t->r));
    int bit = wrong_bit(t, syndrome(t, &full));
    if (bit == -2 || (bit >= n * code->data && bit < first)) { /* nothing is stored there */
        verdict = STOIC_WORD_DETECTED;
    } else if (bit >= 0) {
        full.part[bit / 64] ^= (uint64_t)1 << bit % 64;
        verdict = STOIC_WORD_CORRECTED;
    }
    for (int i = 0; i < n; i++)
        data[i] = stoic_word_get(&full, i * code->data, code->data);
    return verdict;
}

static stoic_bit_role role(const stoic_code *code, int bit, uint32_t side) {
    (void)side;
    return bit < code->weights * code->data ? STOIC_BIT_DATA : STOIC_BIT_PARITY;
}

const stoic_code_family stoic_code_secded72 = {
    "secded72", "", plan72, encode, decode, role, NULL, "1 wrong bit of a word; detects 2"};
const stoic_code_family stoic_code_secded39 = {
    "secded39", "", plan39, encode, decode, role, NULL, "1 wrong bit of a word; detects 2"};

/* ---- in place ---- */

static stoic_status plan64(stoic_code *code, const char *argument, stoic_error *err) {
    (void)argument;
    pthread_once(&once, fill_all);
    if (code->format->kind != STOIC_FORMAT_INT8)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: code zerospace64 uses the spare bit of small int8 weights; "
                          "format %s has none",
                          code->format->name);
    code->weights = 8;
    code->parity = &tables64.parity;
    code->repeated = UINT64_C(0x0040404040404040);
    code->corrects = 1;
    code->detects = 2;
    code->checks = &tables64;
    return STOIC_OK;
}

static int encode64(const stoic_code *code, const uint64_t *data, uint32_t side, stoic_word *word) {
    const checks *t = code->checks;
    int clamped = 0;
    (void)side;
    *word = (stoic_word){{0}};
    for (int i = 0; i < 8; i++) {
        int value = (int8_t)data[i];
        int held = i == 7 ? value : value < -64 ? -64 : value > 63 ? 63 : value;
        clamped += held != value;
        uint64_t byte = (uint8_t)held;
        word->part[0] |= (i == 7 ? byte : byte & 0xbf) << 8 * i;
    }
    unsigned s = syndrome(t, word);
    for (int i = 0; i < 7; i++)
        word->part[0] |= (uint64_t)(s >> i & 1) << t->at[i];
    return clamped;
}

static stoic_verdict decode64(const stoic_code *code, const stoic_word *word, uint32_t side, int n,
                              uint64_t *data) {
    const checks *t = code->checks;
    stoic_verdict verdict = STOIC_WORD_CLEAN;
    stoic_word full = {{word->part[0]}};
    (void)side;
    int bit = wrong_bit(t, syndrome(t, &full));
    if (bit == -2 || bit >= 8 * n) {
        verdict = STOIC_WORD_DETECTED;
    } else if (bit >= 0) {
        full.part[0] ^= (uint64_t)1 << bit;
        verdict = STOIC_WORD_CORRECTED;
    }
    for (int i = 0; i < n; i++) {
        uint64_t byte = full.part[0] >> 8 * i & 0xff;
        data[i] = i == 7 ? byte : (byte & 0xbf) | (byte >> 1 & 0x40);
    }
    return verdict;
}

static stoic_bit_role role64(const stoic_code *code, int bit, uint32_t side) {
    (void)code;
    (void)side;
    return bit % 8 == 6 && bit < 56 ? STOIC_BIT_PARITY : STOIC_BIT_DATA;
}

const stoic_code_family stoic_code_zerospace64 = {
    "zerospace64", "",     plan64, encode64,
    decode64,      role64, NULL,   "1 wrong bit of a word; detects 2"};
