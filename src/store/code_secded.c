/* The SECDED codes and in-place zero-space: their tables and decoding are src/runtime/secded.c. */
#include <pthread.h>

#include "base/fail.h"
#include "store/code.h"

static stoic_secded tables[3];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_all(void) {
    for (int i = 0; i < 3; i++)
        stoic_secded_fill(&tables[i], (stoic_secded_shape)i);
}

static stoic_status plan(stoic_code *code, int room, const stoic_secded *secded, stoic_error *err) {
    pthread_once(&once, fill_all);
    if (code->data > room)
        return stoic_fail(err, STOIC_ERR_ARGUMENT, "",
                          "store: code %s protects words of %d data bits, a weight of %s has %d",
                          code->name, room, code->format->name, code->data);
    code->weights = room / code->data;
    code->redundant = secded->r;
    code->parity = &secded->parity;
    code->corrects = 1;
    code->detects = 2;
    code->secded = secded;
    return STOIC_OK;
}

static stoic_status plan72(stoic_code *code, const char *argument, stoic_error *err) {
    (void)argument;
    return plan(code, 64, &tables[STOIC_SECDED_72], err);
}

static stoic_status plan39(stoic_code *code, const char *argument, stoic_error *err) {
    (void)argument;
    return plan(code, 32, &tables[STOIC_SECDED_39], err);
}

static int encode(const stoic_code *code, const uint64_t *data, uint32_t side, stoic_word *word) {
    const stoic_secded *t = code->secded;
    (void)side;
    *word = (stoic_word){{0}};
    for (int i = 0; i < code->weights; i++)
        stoic_word_put(word, i * code->data, code->data, data[i]);
    unsigned s = stoic_secded_syndrome(t, word); /* the check bits are still zero */
    stoic_word_put(word, code->weights * code->data, t->r, s);
    return 0;
}

static stoic_bit_role role(const stoic_code *code, int bit, uint32_t side) {
    (void)side;
    return bit < code->weights * code->data ? STOIC_BIT_DATA : STOIC_BIT_PARITY;
}

const stoic_code_family stoic_code_secded72 = {
    "secded72",      "",   plan72, encode,
    stoic_code_open, role, NULL,   "1 wrong bit of a word; detects 2"};
const stoic_code_family stoic_code_secded39 = {
    "secded39",      "",   plan39, encode,
    stoic_code_open, role, NULL,   "1 wrong bit of a word; detects 2"};

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
    code->parity = &tables[STOIC_SECDED_IN_PLACE].parity;
    code->repeated = UINT64_C(0x0040404040404040);
    code->corrects = 1;
    code->detects = 2;
    code->secded = &tables[STOIC_SECDED_IN_PLACE];
    return STOIC_OK;
}

static int encode64(const stoic_code *code, const uint64_t *data, uint32_t side, stoic_word *word) {
    const stoic_secded *t = code->secded;
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
    unsigned s = stoic_secded_syndrome(t, word);
    for (int i = 0; i < 7; i++)
        word->part[0] |= (uint64_t)(s >> i & 1) << t->at[i];
    return clamped;
}

static stoic_bit_role role64(const stoic_code *code, int bit, uint32_t side) {
    (void)code;
    (void)side;
    return bit % 8 == 6 && bit < 56 ? STOIC_BIT_PARITY : STOIC_BIT_DATA;
}

const stoic_code_family stoic_code_zerospace64 = {
    "zerospace64",   "",     plan64, encode64,
    stoic_code_open, role64, NULL,   "1 wrong bit of a word; detects 2"};
